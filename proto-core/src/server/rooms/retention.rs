//! How much of a room's log is kept: by count, bytes and age, whichever is first.

use core::time::Duration;

use crate::{
    host::{Ask, Log, Records, Request, Ticket},
    id::Room,
    record::{self, EntryRecord, RoomRecord},
    storage::Id,
    wire::Retention,
};

use super::{
    super::{accounts::Accounts, ctx::Ctx, store::Asker, submit::Submissions},
    moderation::bury,
    row::{Burial, Oldest, RoomRow},
    state::Rooms,
};

impl RoomRow {
    /// The request for what is owed first: the room's record, its oldest line, or that lines are
    /// forgotten.
    fn owes(&self) -> Option<Asker> {
        match (self.save, self.look, self.forget) {
            (Ask::Owed, ..) => Some(Asker::Room),
            (_, Ask::Owed, _) => Some(Asker::Oldest),
            (.., Ask::Owed) => Some(Asker::Trim),
            _ => None,
        }
    }

    /// Up to where lines must go for one more with a body of `length` bytes, and whether the
    /// oldest must be looked at to know it.
    fn crowds_out(&self, kept: &Retention, length: u64) -> (u64, bool) {
        let many = self.asked.saturating_add(1).saturating_sub(kept.entries.max(1).into());
        let bytes = self.bytes.saturating_add(length).saturating_sub(self.oldest.bytes);
        if bytes <= kept.bytes {
            return (many, false);
        }
        // With nothing left that could go, even the longest is taken.
        let first = if self.asked == self.head { self.first.min(self.head) } else { self.first };
        (many.max(first), self.oldest.index != self.first)
    }
}

impl Rooms<'_> {
    /// A room's log has place for one more line of `length` bytes, now or once lines are gone
    /// that everyone has read.
    pub(super) fn has_place(&mut self, cx: &mut Ctx<'_>, room: Id<RoomRow>, length: u64) -> bool {
        let Some(row) = self.table.get(room) else { return true };
        let (gone, look) = row.crowds_out(&cx.config.room, length);
        if look {
            self.look_at_oldest(cx, room);
        }
        self.table.may_go(cx, room, gone) >= gone
    }

    /// What is gone of a room beyond what is kept is passed over, and forgotten by the store.
    pub(crate) fn trim(&mut self, cx: &mut Ctx<'_>, id: Id<RoomRow>) {
        let now = cx.unix();
        let kept = cx.config.room;
        let Some(row) = self.table.get(id).filter(|row| row.burial.is_none()) else { return };
        let (first, many) = (row.first, row.head.saturating_sub(kept.entries.into()));
        let many = if many < first { 0 } else { self.table.may_go(cx, id, many) };
        let Some(row) = self.table.get_mut(id) else { return };
        row.first = row.first.max(many.saturating_add(1));
        // What the store may still fail to take drives nothing out.
        let appending = row.appending.front().and_then(|id| cx.messages.get(id));
        let line = appending.and_then(|entry| entry.line());
        let durable = line.map_or(row.bytes, |line| line.bytes);
        let (first, over) = (row.first, durable.saturating_sub(row.oldest.bytes) > kept.bytes);
        let unread = over && self.table.may_go(cx, id, first) < first;
        let Some(row) = self.table.get_mut(id) else { return };
        let expired = now.since(row.oldest.received) >= Duration::from_secs(kept.age.into());
        let known = row.oldest.index == row.first && row.first <= row.head;
        let due = known && (over && !unread || expired);
        row.first += u64::from(due);
        let look = (over || due) && row.oldest.index != row.first;
        if row.first > row.forgotten + 1 && row.forget == Ask::Idle {
            row.forget = Ask::Owed;
            cx.requests.ask(&mut self.table.slab, id);
        }
        if look {
            self.look_at_oldest(cx, id);
        }
    }

    /// Looks at all rooms: what has expired in them goes, and what the store failed to forget is
    /// asked for again.
    pub(crate) fn sweep(&mut self, cx: &mut Ctx<'_>) {
        for slot in 0..self.table.slab.capacity() as u32 {
            if let Some(id) = self.table.slab.id_at(slot) {
                self.look_at_oldest(cx, id);
                self.trim(cx, id);
            }
        }
    }

    /// The oldest line of a room, as the store has it.
    pub(crate) fn oldest_loaded(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        ticket: Ticket,
        loaded: Option<Records<'_>>,
    ) {
        let Some(id) = self.table.slab.id_at(ticket.slot) else { return };
        let Some(row) = self.table.get_mut(id) else { return };
        if !row.look.answer(ticket.serial) {
            return;
        }
        let Some((index, bytes)) = loaded.and_then(|loaded| loaded.first()) else { return };
        let Some((record, _)) = record::decode::<EntryRecord>(bytes) else { return };
        row.first = row.first.max(index.min(row.head + 1));
        row.oldest = Oldest { index, received: record.received, bytes: record.bytes };
        self.go_on(cx, accounts, submissions, id);
    }

    /// Lines that a room keeps no longer are forgotten by the store, or were not.
    pub(crate) fn trimmed(&mut self, cx: &mut Ctx<'_>, ticket: Ticket, trimmed: bool) {
        let Some(id) = self.table.slab.id_at(ticket.slot) else { return };
        let Some(row) = self.table.get_mut(id) else { return };
        if !row.forget.answer(ticket.serial) {
            return;
        }
        if row.burial.is_some() {
            // What is left behind goes with the next start.
            bury(self, cx, id);
        } else if trimmed {
            self.trim(cx, id);
        } else {
            // With the next look at the room it is asked again.
            row.forgotten = 0;
        }
    }

    /// The next request for a room.
    pub(crate) fn request(&mut self, cx: &mut Ctx<'_>, id: Id<RoomRow>) -> Option<Request> {
        let row = self.table.get(id)?;
        let Some(asker) = row.owes() else {
            cx.requests.settle(&mut self.table.slab, id);
            return None;
        };
        if asker == Asker::Trim && row.first > row.head && row.burial.is_none() {
            // Nothing would say any more whose the last line was.
            if let Some(place) = self.request_place(cx, id) {
                return Some(place);
            }
        }
        let ticket = cx.ticket(asker, id.slot());
        let row = self.table.get_mut(id)?;
        let log = Log::Room(row.number);
        if let (Asker::Trim, Some(burial)) = (asker, row.burial) {
            row.forget = Ask::Asked(ticket.serial);
            let log = if burial == Burial::Log { log } else { Log::Members(row.number) };
            return Some(Request::Trim { ticket, log, upto: u64::MAX });
        }
        match asker {
            Asker::Oldest => {
                row.look = Ask::Asked(ticket.serial);
                Some(Request::Read { ticket, log, from: row.first, most: 1 })
            }
            Asker::Trim => {
                row.forget = Ask::Asked(ticket.serial);
                row.forgotten = row.first - 1;
                Some(Request::Trim { ticket, log, upto: row.forgotten })
            }
            _ => {
                row.save = Ask::Asked(ticket.serial);
                let (name, creator, serial) = (row.name?, row.creator, row.serial);
                let Room(number) = row.number;
                let (removed, invite_only) = (row.removed, row.wanted.unwrap_or(row.invite_only));
                let header = RoomRecord { name, creator, serial, removed, invite_only };
                cx.put(ticket, Log::Rooms, u64::from(number) + 1, &header)
            }
        }
    }

    /// Looks at the oldest line of a room: whether it is to be kept.
    fn look_at_oldest(&mut self, cx: &mut Ctx<'_>, id: Id<RoomRow>) {
        let Some(row) = self.table.get_mut(id) else { return };
        if row.first <= row.head && row.look == Ask::Idle && row.burial.is_none() {
            row.look = Ask::Owed;
            cx.requests.ask(&mut self.table.slab, id);
        }
    }
}
