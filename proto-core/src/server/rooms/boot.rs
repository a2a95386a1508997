//! What the store has of rooms, read at the start.

use crate::{
    id::{MAX_INDEX, Position, Room},
    record::{self, EntryRecord, RoomRecord},
    storage::Id,
};

use super::{
    row::{Oldest, RoomRow},
    table::Table,
};

impl Table<'_> {
    /// The number of a room.
    pub(crate) fn number(&self, id: Id<RoomRow>) -> Room {
        self.get(id).map_or(Room::LOBBY, |row| row.number)
    }

    /// The last line of a room that is durable.
    pub(crate) fn head(&self, id: Id<RoomRow>) -> u64 {
        self.get(id).map_or(0, |row| row.head)
    }

    /// Adds a room that the store has; `None` if it does not go with the others.
    pub(super) fn restore(&mut self, room: Room, record: &RoomRecord) -> Option<Id<RoomRow>> {
        if self.by_name(&record.name).is_some() {
            return None;
        }
        let row = RoomRow::new(room, Some(record.name), record.creator, record.serial);
        let invite_only = record.invite_only;
        self.put(RoomRow { durable: true, invite_only, ..row })
    }

    /// A room that was there once: its number is not given again.
    pub(crate) fn pass_over(&mut self, room: Room) {
        *self.next = (*self.next).max(room.0.saturating_add(1));
    }

    /// What a room's log keeps: `first` is its first record, `head` the number of its last. `false`
    /// if that is higher than any.
    pub(crate) fn restore_log(
        &mut self,
        id: Id<RoomRow>,
        first: Option<(u64, &[u8])>,
        head: u64,
    ) -> bool {
        let Some(row) = self.get_mut(id) else { return true };
        let last = head.min(MAX_INDEX);
        (row.head, row.asked) = (last, last);
        row.first = first.map_or(last + 1, |(index, _)| index.min(last + 1));
        row.forgotten = row.first - 1;
        if let Some((index, bytes)) = first
            && let Some((oldest, _)) = record::decode::<EntryRecord>(bytes)
        {
            row.oldest = Oldest { index, received: oldest.received, bytes: oldest.bytes };
        }
        head <= last
    }

    /// The last line of a room's log, which speaks for its author and for the run that appended it.
    pub(crate) fn restore_last(&mut self, id: Id<RoomRow>, bytes: &[u8]) {
        let last = record::decode::<EntryRecord>(bytes);
        if let (Some(row), Some((last, body))) = (self.get_mut(id), last) {
            row.bytes = last.bytes.saturating_add(body.len() as u64);
            row.head_of = Some((last.from, Position::new(last.epoch, last.number)));
            (row.head_run, row.asked_run) = (last.run, last.run);
            row.unplaced = row.head_of;
        }
    }
}
