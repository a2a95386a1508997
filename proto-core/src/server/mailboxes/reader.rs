//! A client's cursor in its mailbox.

use crate::{
    host::Ask,
    link::Run,
    storage::{Id, List},
};

use super::super::submit::{Entry, Messages, Queued, Sending};

/// Messages of one mailbox in memory at a time.
pub(super) const WINDOW: u16 = 256;

/// A session's part that is about its client's mailbox: a window of messages is in memory, in the
/// queue; what comes after it is in the store.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(super) queue: List<Entry, Queued>,
    pub(super) queued: u16,
    /// Those with pieces to send.
    pub(super) sending: List<Entry, Sending>,
    /// The message sent last in this session; 0 for none.
    pub(super) previous: u64,
    /// Where the store is read on from.
    pub(super) next: u64,
    /// The store may have messages from `next` on.
    pub(super) backlog: bool,
    /// Something was saved there since it was last asked.
    pub(super) fell_behind: bool,
    /// The last message that was handed over and is still in the store; 0 for none.
    pub(super) done: u64,
    /// Up to where the store is to forget.
    pub(super) upto: u64,
    pub(super) empty: Empty,
    /// The store is to be read, and to forget.
    pub(super) load: Ask,
    pub(super) forget: Ask,
}

/// Whether a client knows that all of its mail was handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Empty {
    /// Nothing waited when it registered, or it knows.
    #[default]
    Known,
    /// Something still waits.
    NotYet,
    /// It is to be told.
    Owed,
}

impl Reader {
    /// There is room for more, and there may be more.
    pub(super) fn reads_on(&self) -> bool {
        self.backlog && self.queued < WINDOW && self.load == Ask::Idle
    }

    /// Something new can be sent right away: nothing older waits in the store.
    pub(super) fn is_open(&self) -> bool {
        !self.backlog && self.queued < WINDOW
    }

    /// Something goes into the store at `index` that is not in the queue: nothing newer is relayed
    /// before it was read back.
    pub(super) fn fall_behind(&mut self, index: u64) {
        self.backlog = true;
        self.fell_behind = true;
        self.next = self.next.min(index);
    }

    /// What is in the store up to `index` is dealt with.
    pub(super) fn pass(&mut self, index: u64) {
        self.next = index + 1;
        self.backlog = true;
        self.done = self.done.max(index);
    }

    /// Up to where the store is to forget now, if what was handed over is up to the first that was
    /// not, at `front`.
    pub(super) fn forgets(&mut self, front: Option<u64>) -> bool {
        let upto = front.unwrap_or(self.next).saturating_sub(1);
        let forgets = self.done != 0 && self.done <= upto;
        if forgets {
            (self.upto, self.done) = (self.done, 0);
        }
        forgets
    }

    /// The mailbox was read to its end, and all of it is acknowledged: whether that is to be told.
    pub(super) fn becomes_empty(&mut self) -> bool {
        let becomes = self.empty == Empty::NotYet && !self.backlog && self.queue.is_empty();
        if becomes {
            self.empty = Empty::Owed;
        }
        becomes
    }

    /// Something waited in the store when it registered.
    pub(crate) fn begin_with_mail(&mut self) {
        self.empty = Empty::NotYet;
    }

    /// Word that the mailbox is empty was lost.
    pub(crate) fn empty_lost(&mut self) {
        self.empty = Empty::Owed;
    }

    /// The key of a message's author, or a piece of it, was lost. Another copy may have been
    /// acknowledged meanwhile.
    pub(crate) fn lost(&mut self, messages: &mut Messages<'_>, id: Id<Entry>, piece: Option<Run>) {
        let Some(entry) = messages.get_mut(id).filter(|entry| entry.is_queued()) else { return };
        let index = entry.index();
        if let Some(mail) = entry.mail_mut() {
            // It may have found no room since its author has none: a reader that does not know
            // everyone has to be told. Of the next only, since it keeps one such key at a time.
            mail.former |= piece.is_none() || self.queue.front() == Some(id);
            if let Some(run) = piece {
                mail.lost(run);
            }
        }
        // Ahead of what comes after it: there may be room or credit for what is next only.
        self.sending.insert_where(messages.rows(), id, |other| other.index() > index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_forgotten_beyond_what_was_not_handed_over() {
        let mut reader = Reader { next: 9, ..Reader::default() };
        assert!(!reader.forgets(None), "nothing was handed over");
        reader.done = 5;
        assert!(!reader.forgets(Some(4)), "4 is still on its way");
        assert!(reader.forgets(Some(6)) && reader.upto == 5);
        assert!(!reader.forgets(None), "once is enough");
    }

    #[test]
    fn what_is_new_does_not_overtake_what_waits_in_the_store() {
        let mut reader = Reader { next: 9, ..Reader::default() };
        assert!(reader.is_open());
        reader.fall_behind(7);
        assert!(!reader.is_open() && reader.reads_on() && reader.next == 7);
        reader.load = Ask::Owed;
        assert!(!reader.reads_on(), "it is being read");
    }
}
