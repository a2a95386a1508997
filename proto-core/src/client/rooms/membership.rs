//! A room that the client knows.

use crate::{
    client::{
        event::{Event, To},
        role::ClientLink,
    },
    id::Room,
    storage::Id,
    wire::TrimReason,
};

use super::history::{History, Reader};

/// A room that the client is or was a member of.
#[derive(Debug, Default)]
pub(in crate::client) struct Membership {
    /// Its number at its server.
    pub(super) room: Option<Room>,
    /// In which link the client left it, and by which of the server's packets.
    pub(super) left: Option<(Id<ClientLink>, u64)>,
    /// In which link it was named last as one that the client is a member of, and by which packet.
    pub(super) named: Option<(Id<ClientLink>, u64)>,
    /// How far its log is read.
    pub(super) reader: Reader,
    /// Its log is another than the one that was read, which the user is to hear.
    pub(super) reset: bool,
    /// Entries that are gone, which the user is to hear: not kept, damaged, too long.
    gone: [u64; 3],
}

impl Membership {
    /// As the store has it.
    pub(in crate::client) fn restore(room: Option<Room>, history: History) -> Self {
        Self { room, reader: Reader::of(history), ..Self::default() }
    }

    /// The store's inbox has its last entry at `head`.
    pub(in crate::client) fn resume(&mut self, head: crate::id::Position) {
        self.reader = core::mem::take(&mut self.reader).resume(head);
    }

    /// The server is in another run: what it had given up may be there again.
    pub(in crate::client) fn meet_anew(&mut self) {
        self.reader.meet_anew();
    }

    /// Its number at its server.
    pub(in crate::client) fn room(&self) -> Option<Room> {
        self.room
    }

    /// What of its logs is in the inbox.
    pub(in crate::client) fn history(&self) -> &History {
        self.reader.history()
    }

    /// So many more entries are gone.
    pub(super) fn gone(&mut self, why: TrimReason, entries: u64) {
        if let Some(gone) = self.gone.get_mut(why as usize) {
            *gone = gone.saturating_add(entries);
        }
    }

    /// What the user is to hear of it.
    pub(in crate::client) fn next_event(&mut self, room: To) -> Option<Event> {
        if core::mem::take(&mut self.reset) {
            return Some(Event::RoomReset { room });
        }
        let reasons = [TrimReason::NotKept, TrimReason::Damaged, TrimReason::TooLong];
        let (why, gone) = reasons.into_iter().zip(&mut self.gone).find(|(_, gone)| **gone > 0)?;
        Some(Event::RoomGap { room, missing: core::mem::take(gone), why })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_are_gone_are_told_once_by_reason_behind_the_reset() {
        let mut membership = Membership { reset: true, ..Membership::default() };
        membership.gone(TrimReason::TooLong, 2);
        membership.gone(TrimReason::TooLong, u64::MAX);
        membership.gone(TrimReason::NotKept, 1);
        let room = To::Lobby;
        let gap = |missing, why| Some(Event::RoomGap { room, missing, why });
        assert_eq!(membership.next_event(room), Some(Event::RoomReset { room }));
        assert_eq!(membership.next_event(room), gap(1, TrimReason::NotKept));
        assert_eq!(membership.next_event(room), gap(u64::MAX, TrimReason::TooLong));
        assert_eq!(membership.next_event(room), None);
    }
}
