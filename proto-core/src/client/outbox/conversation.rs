//! The conversation with a person or in a room, as far as the user speaks in it.

use crate::client::headers::Settled;
use crate::{
    client::saved::Saved,
    host::Ask,
    id::{Epoch, Position},
    storage::List,
};

use super::{
    message::{OfPeer, Outgoing},
    window::Window,
};

/// What the user said to one person, or in one room.
#[derive(Debug)]
pub(in crate::client) struct Conversation {
    /// What is not settled and in memory, in order.
    pub(super) messages: List<Outgoing, OfPeer>,
    /// How many of them are under way, or to be as soon as may be.
    pub(super) in_turn: usize,
    /// The last number that was used.
    pub(super) last: Position,
    pub(super) path: Path,
    /// The server has all up to here.
    pub(super) stored: Position,
    /// All up to here is settled, told, and to be forgotten by the outbox.
    pub(super) done: Position,
    pub(super) trim: Ask,
    /// Which part of the outbox is in memory.
    pub(super) window: Window,
    /// The submission under way was reported as relayed already.
    pub(super) relayed: bool,
    /// That it was relayed is to be told.
    pub(super) tell_relayed: bool,
}

/// The one way that a conversation's messages go at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// In the peers' own session.
    Direct,
    /// By way of the server, until the last that went this way is settled.
    Server,
}

impl Conversation {
    /// In which nothing was said yet: in a room, or with a person.
    pub(in crate::client) fn new(is_room: bool) -> Self {
        Self {
            messages: List::NEW,
            in_turn: 0,
            last: Position::default(),
            path: if is_room { Path::Server } else { Path::Direct },
            stored: Position::default(),
            done: Position::default(),
            trim: Ask::Idle,
            window: Window::default(),
            relayed: false,
            tell_relayed: false,
        }
    }

    /// As the store has it: saved by the server up to `stored`.
    pub(in crate::client) fn restore(&mut self, stored: Position, settled: Settled) {
        (self.stored, self.window.settled) = (stored, settled);
    }

    /// The server has all up to here.
    pub(in crate::client) fn stored(&self) -> Position {
        self.stored
    }

    /// What became of those that are in the store only.
    pub(in crate::client) fn settled(&self) -> Settled {
        self.window.settled
    }

    /// The outbox is read to its end: its last message was at `last`.
    pub(in crate::client) fn resume(&mut self, last: Position) {
        self.last = last;
        // Who knows what the run before this one sent.
        self.window.maybe_sent = last;
    }

    /// Its submissions are relayed: whether that is to be told.
    pub(in crate::client) fn take_relayed(&mut self) -> bool {
        core::mem::take(&mut self.tell_relayed)
    }

    /// A cursor is about another copy of this outbox, or about what it had in a time that was
    /// lost: it is in an epoch that this one never had on its way to `now`. In one that it had, a
    /// number beyond its last is from such a time too, but all before are the same.
    pub(super) fn is_foreign(&self, cursor: Position, now: Epoch) -> bool {
        let last = self.last.epoch;
        let former = if last < now { last } else { self.window.former };
        former < cursor.epoch && cursor.epoch != now
    }

    /// The server has something of an epoch before this one: that is to be on record first.
    pub(super) fn is_left(&self, epoch: Epoch) -> bool {
        self.stored != Position::default() && self.stored.epoch < epoch
    }

    /// The server has messages of this conversation that are not settled.
    pub(super) fn has_shelved(&self) -> bool {
        self.done < self.window.shelved
    }

    /// The last message ahead of those that are behind.
    pub(super) fn behind_what(&self) -> Position {
        self.window.loaded.max(self.stored)
    }

    /// A shelved message's last word may be known, durably, and can be told.
    pub(super) fn can_settle(&self, saved: &Saved) -> bool {
        self.has_shelved() && !self.window.blocked && saved.is_durable()
    }

    /// The user never said anything in it.
    pub(in crate::client) fn is_untouched(&self) -> bool {
        !self.is_open() && self.last == Position::default() && !self.tell_relayed
    }

    /// Messages are in memory, or at the server, or behind those in memory.
    pub(super) fn is_open(&self) -> bool {
        !self.messages.is_empty() || self.has_shelved() || self.window.has_behind()
    }
}

#[cfg(test)]
mod tests {
    use crate::id::Number;

    use super::*;

    fn at(epoch: u32, number: u64) -> Position {
        Position::new(Epoch(epoch), Number(number))
    }

    #[test]
    fn a_cursor_of_an_epoch_that_this_outbox_never_had_is_foreign() {
        let mut conversation = Conversation::new(false);
        conversation.last = at(3, 8);
        conversation.window.former = Epoch(1);
        for (cursor, foreign) in
            [(at(1, 5), false), (at(2, 1), true), (at(3, 9), false), (at(4, 1), true)]
        {
            assert_eq!(conversation.is_foreign(cursor, Epoch(3)), foreign, "{cursor:?}");
        }
        assert!(
            !conversation.is_foreign(at(3, 1), Epoch(5))
                && conversation.is_foreign(at(4, 1), Epoch(5))
        );
    }

    #[test]
    fn nothing_is_settled_ahead_of_the_record_that_says_so() {
        let (mut conversation, mut saved) = (Conversation::new(false), Saved::restore(2));
        conversation.window.shelved = at(1, 4);
        assert!(conversation.can_settle(&saved) && conversation.is_open());
        saved.owe();
        assert!(!conversation.can_settle(&saved), "after a crash it might be told otherwise");
        saved.asked(1);
        assert!(saved.answer(1, true) && conversation.can_settle(&saved));
        conversation.done = at(1, 4);
        assert!(!conversation.can_settle(&saved) && !conversation.is_open());
    }
}
