//! What is said in rooms: appended to the room's log once, durable before its author is
//! told, and read by each member through a cursor. The newest entries are in memory for
//! all; whoever is further behind has them read from the store.

use core::time::Duration;

use crate::{
    host::{Ask, Records},
    id::{Account, MAX_INDEX, Position, Recipient, Room},
    link::{Packet, Units},
    record::{self, EntryRecord},
    role::is_room_to_wait,
    storage::{Id, Index, Pool, Slab},
    time::Instant,
    wire::{EntryRefusal, Frame, Gone, GoneReason, Joined, Read, RoomEntry},
};

use super::{
    Event, ServerLink,
    engine::{Engine, FrameOutcome, STALL},
    entry::{Entry, Stage},
    member::{ServerRole, Token},
    room::{Membership, Next, Oldest, Queue, RoomRow, Standing},
};

/// Bytes of a `RoomEntry` frame's body that are not the piece.
const ROOM_HEADER: usize = 2 * 5 + 8 + 1 + 4 + 33 + 2 * 3 + 2;

/// What came of writing for one member.
enum Turned {
    /// It waits for its room to move on, or for the member.
    Over,
    /// The packet is full, or the link may send no more.
    Full,
    /// It waits for the store.
    Loading,
}

impl Engine<'_> {
    /// Whether an account may say something in a room.
    pub(super) fn may_say(&self, author: Account, room: Room) -> bool {
        let place = self.rooms.by_number(room).and_then(|room| self.rooms.member(room, author));
        let membership = place.and_then(|id| self.rooms.members.get(id));
        membership.is_some_and(|membership| membership.standing == Standing::Member)
    }

    /// Asks the store to save an entry behind all others of its room.
    pub(super) fn append(&mut self, id: Id<Entry>, room: Room) {
        let row = self.rooms.by_number(room).and_then(|id| self.rooms.get_mut(id));
        let (Some(row), Some(entry)) = (row, self.entries.get_mut(id)) else { return };
        if row.asked >= MAX_INDEX {
            self.refuse(id, EntryRefusal::Store);
            return;
        }
        row.asked += 1;
        entry.index = row.asked;
        entry.bytes = row.bytes;
        let before = core::mem::replace(&mut row.asked_run, self.state.run);
        (entry.run, entry.before) =
            (self.state.run, Some(before).filter(|run| *run != self.state.run));
        row.bytes = row.bytes.saturating_add(entry.body.len() as u64);
        entry.author = self.accounts.get(entry.from).map(|row| row.nick);
        entry.stage = Stage::Storing;
        entry.ask = Ask::Owed;
        row.appending.push_back(&mut self.entries, id);
        self.state.asking_entries.push_back(&mut self.entries, id);
        // How long the store may take is up to the author: to say that it failed might be untrue.
        self.entry_timers.set(id.slot(), None);
    }

    /// An entry is durable in its room's log, or could not be made so.
    pub(super) fn appended(&mut self, id: Id<Entry>, room: Room, saved: bool) {
        if !saved {
            self.tell(Event::StoreFailed);
            self.refuse_from(id, room);
            return;
        }
        let row = self.rooms.by_number(room).and_then(|id| self.rooms.slab.get_mut(id));
        let (Some(row), Some(entry)) = (row, self.entries.get_mut(id)) else { return };
        row.head = row.head.max(entry.index);
        row.head_of = Some((entry.from, entry.position));
        row.head_run = entry.run;
        entry.stage = Stage::Stored;
        row.appending.remove(&mut self.entries, id);
        self.state.moved_rooms.append(&mut self.rooms.members, &mut row.caught_up);
        self.unlist(id);
        self.release(id);
        if let Some(pair) = self.entries.get_mut(id).and_then(|entry| entry.pair.take()) {
            self.settle_stored(pair);
            if let Some(pair) = self.pairs.get_mut(pair) {
                pair.uses -= 1;
            }
            self.owe_progress(pair);
            self.consider_unused(pair);
        }
        self.remember(id, room);
        if let Some(id) = self.rooms.by_number(room) {
            self.go_on(id);
        }
    }

    /// The store failed to save an entry: those that it was asked for behind it fail with it,
    /// and their places are free again.
    fn refuse_from(&mut self, first: Id<Entry>, room: Room) {
        if let Some(row) = self.rooms.by_number(room).and_then(|id| self.rooms.slab.get_mut(id)) {
            (row.unplaced, row.place) = (row.head_of, Ask::Idle);
            row.asked_run = row.head_run;
            let mut at = row.appending.front();
            while let Some(before) =
                at.filter(|id| *id != first).and_then(|id| self.entries.get(id))
            {
                row.unplaced = Some((before.from, before.position));
                row.asked_run = before.run;
                at = before.queued.next();
            }
        }
        let mut at = Some(first);
        while let Some((id, entry)) = at.and_then(|id| Some((id, self.entries.get(id)?))) {
            at = entry.queued.next();
            let (index, bytes) = (entry.index, entry.bytes);
            let row = self.rooms.by_number(room).and_then(|id| self.rooms.slab.get_mut(id));
            if let Some(row) = row {
                row.appending.remove(&mut self.entries, id);
                (row.asked, row.bytes) = (row.asked.min(index - 1), row.bytes.min(bytes));
            }
            if let Some(entry) = self.entries.get_mut(id) {
                entry.ask = Ask::Idle;
            }
            self.state.asking_entries.remove(&mut self.entries, id);
            self.refuse(id, EntryRefusal::Store);
        }
        if let Some(id) = self.rooms.by_number(room) {
            self.go_on(id);
        }
    }

    /// Those whose room moved on take their turns on their links.
    pub(super) fn take_turns(&mut self) {
        while let Some(id) = self.state.moved_rooms.pop_front(&mut self.rooms.members) {
            if let Some(membership) = self.rooms.members.get_mut(id) {
                membership.queue = Queue::None;
                if core::mem::take(&mut membership.idle) {
                    membership.got_on = self.state.now;
                }
            }
            self.take_turn(id);
        }
    }

    /// Begins to read to an account that came online, in all its rooms.
    pub(super) fn enter_rooms(&mut self, link: Id<ServerLink>, account: Account) {
        let mut at = self.accounts.get(account).and_then(|row| row.rooms.front());
        while let Some(id) = at {
            at = self.rooms.members.get(id).and_then(|membership| membership.of_account.next());
            self.enter_room(link, id);
        }
    }

    /// Begins to read to a member that is online.
    pub(super) fn enter_room(&mut self, link: Id<ServerLink>, id: Id<Membership>) {
        let Some(membership) = self.rooms.members.get_mut(id) else { return };
        if membership.standing == Standing::Member {
            (membership.link, membership.greet) = (Some(link), true);
            self.wait_for(id);
            self.take_turn(id);
        }
    }

    /// Reads no more to an account through a link.
    pub(super) fn leave_rooms(&mut self, link: Id<ServerLink>, account: Account) {
        let mut at = self.accounts.get(account).and_then(|row| row.rooms.front());
        while let Some((id, membership)) = at.and_then(|id| Some((id, self.rooms.members.get(id)?)))
        {
            at = membership.of_account.next();
            // Another link may be the account's by now.
            if membership.link == Some(link) {
                self.leave_room(id);
            }
        }
    }

    /// Reads no more to a member.
    pub(super) fn leave_room(&mut self, id: Id<Membership>) {
        let Some(membership) = self.rooms.members.get_mut(id) else { return };
        let (room, queue, link) = (membership.room, membership.queue, membership.link.take());
        membership.queue = Queue::None;
        (membership.greet, membership.idle) = (false, false);
        let free = membership.cursor.close();
        membership.ask = Ask::Idle;
        if let Some((link, found)) = link.and_then(|id| Some((id, self.links.get_mut(id)?))) {
            found.credit.refund(free);
            self.links.wake(link);
        }
        let members = &mut self.rooms.members;
        match queue {
            Queue::None => {}
            Queue::Waiting => {
                let Some(row) = self.rooms.slab.get_mut(room) else { return };
                let lists = [&mut row.caught_up, &mut self.state.moved_rooms];
                crate::storage::List::remove_from_either(lists, members, id);
            }
            Queue::Ready => {
                if let Some(found) = link.and_then(|link| self.links.get_mut(link)) {
                    found.role.turns.remove(members, id);
                }
            }
            Queue::Asking => self.state.asking_members.remove(members, id),
            Queue::Stalled => self.state.stalled_members.remove(members, id),
        }
        self.wait_no_more(id);
        self.go_on(room);
    }

    /// A member says how far it has a room's log.
    pub(super) fn read_upto(&mut self, link: Id<ServerLink>, read: Read) -> FrameOutcome {
        let room = self.rooms.by_number(read.room);
        let (Some(account), Some(room)) = (self.author(link), room) else {
            return FrameOutcome::Done;
        };
        let Some(id) = self.rooms.member(room, account) else { return FrameOutcome::Done };
        let head = self.rooms.get(room).map_or(0, |row| row.head);
        let Some(membership) = self.rooms.members.get_mut(id).filter(|m| m.link == Some(link))
        else {
            return FrameOutcome::Done;
        };
        let upto = u64::from(read.upto).min(head).max(membership.since);
        let goes_back = membership.cursor.goes_back(read.rewinds);
        let (got_on, free) = membership.cursor.heard(upto, read.rewinds);
        if let Some(found) = self.links.get_mut(link) {
            found.credit.refund(free);
        }
        if read.rewinds > 0 {
            self.notice_put_back();
        }
        if goes_back {
            // It may be behind all that are waited for.
            self.wait_no_more(id);
        }
        self.take_turn(id);
        if got_on {
            self.got_on(id);
        }
        FrameOutcome::Done
    }

    /// The store has an entry for a member that is behind, or failed to read it.
    pub(super) fn entry_loaded(&mut self, id: Id<Membership>, loaded: Option<Records<'_>>) {
        let Some(membership) = self.rooms.members.get(id) else { return };
        let (room, wanted) = (membership.room, membership.loading);
        let Some(row) = self.rooms.get(room) else { return };
        let (number, name, first) = (row.number, row.name, row.first);
        let Some(loaded) = loaded else {
            self.tell(Event::StoreFailed);
            self.stall_member(id);
            return;
        };
        let whole = loaded.at(wanted).and_then(record::decode::<EntryRecord>);
        let there = match whole {
            Some((record, body)) => {
                let there = self.recall(number, wanted, &record, body);
                self.recall_ahead(number, loaded);
                there
            }
            // What was given up meanwhile is not missed.
            None if wanted < first => true,
            None => {
                self.tell(Event::EntryDamaged { room: number, name, index: wanted });
                let membership = self.rooms.members.get_mut(id);
                membership.is_some_and(|membership| {
                    membership.cursor.pass_over(wanted, GoneReason::Damaged)
                })
            }
        };
        if there { self.take_turn(id) } else { self.stall_member(id) }
    }

    /// Members that the store could not serve try again.
    pub(super) fn retry_members(&mut self) {
        while let Some(id) = self.state.stalled_members.pop_front(&mut self.rooms.members) {
            if let Some(membership) = self.rooms.members.get_mut(id) {
                membership.queue = Queue::None;
            }
            self.take_turn(id);
        }
    }

    pub(super) fn write_rooms(
        &mut self,
        link: Id<ServerLink>,
        packet: &mut Packet<'_, ServerRole>,
    ) {
        // What cannot be sent now is not read from the store either: each entry might drive
        // out the one before, over and over.
        let Some(found) = self.links.get_mut(link) else { return };
        if packet.room() == 0 || !found.credit.suffices(found.role.short.into()) {
            return;
        }
        found.role.short = 0;
        while let Some(id) = self.links.get(link).and_then(|link| link.role.turns.front()) {
            let turned = self.write_room(link, id, packet);
            if matches!(turned, Turned::Full) {
                return;
            }
            let Some(found) = self.links.get_mut(link) else { return };
            found.role.turns.remove(&mut self.rooms.members, id);
            let Some(membership) = self.rooms.members.get_mut(id) else { return };
            if matches!(turned, Turned::Loading) {
                (membership.ask, membership.queue) = (Ask::Owed, Queue::Asking);
                self.state.asking_members.push_back(&mut self.rooms.members, id);
            } else if let Some(row) = self.rooms.slab.get_mut(membership.room) {
                membership.queue = Queue::Waiting;
                membership.idle = membership.cursor.begins_behind() == Some(row.head);
                row.caught_up.push_back(&mut self.rooms.members, id);
            }
        }
    }

    /// Makes room for one more entry with a body of `bytes` bytes, if entries of rooms that
    /// the store has as well take it up. `early` is one that waits for others to come, and
    /// leaves the last of the room to them. `false` if there is no room.
    pub(super) fn make_room(&mut self, bytes: usize, early: bool) -> bool {
        let longest = self.longest_body();
        loop {
            let is_room = if early {
                is_room_to_wait(&self.entries, &self.pool, bytes, longest)
            } else {
                let blocks = self.pool.capacity() - self.pool.used();
                !self.entries.is_full() && blocks >= Pool::blocks(bytes)
            };
            if is_room {
                return true;
            }
            if !self.forget_oldest() {
                return false;
            }
        }
    }

    /// What is gone of a room beyond what is kept is passed over, and forgotten by the store.
    pub(super) fn trim(&mut self, id: Id<RoomRow>) {
        let now = self.unix();
        let kept = self.state.config.room;
        let Some(row) = self.rooms.get(id) else { return };
        let (first, many) = (row.first, row.head.saturating_sub(kept.entries.into()));
        let many = if many < first { 0 } else { self.may_go(id, many) };
        let Some(row) = self.rooms.get_mut(id) else { return };
        row.first = row.first.max(many.saturating_add(1));
        // What the store may still fail to take drives nothing out.
        let appending = row.appending.front().and_then(|id| self.entries.get(id));
        let durable = appending.map_or(row.bytes, |entry| entry.bytes);
        let (first, over) = (row.first, durable.saturating_sub(row.oldest.bytes) > kept.bytes);
        let unread = over && self.may_go(id, first) < first;
        let Some(row) = self.rooms.get_mut(id) else { return };
        let expired = now.since(row.oldest.received) >= Duration::from_secs(kept.age.into());
        let known = row.oldest.index == row.first && row.first <= row.head;
        let due = known && (over && !unread || expired);
        row.first += u64::from(due);
        let look = (over || due) && row.oldest.index != row.first;
        if row.first > row.forgotten + 1 && row.forget == Ask::Idle {
            row.forget = Ask::Owed;
            self.state.asking_rooms.push_back(&mut self.rooms.slab, id);
        }
        if look {
            self.look_at_oldest(id);
        }
    }

    /// Looks at the oldest entry of a room: whether it is to be kept.
    pub(super) fn look_at_oldest(&mut self, id: Id<RoomRow>) {
        let Some(row) = self.rooms.get_mut(id) else { return };
        if row.first <= row.head && row.look == Ask::Idle {
            row.look = Ask::Owed;
            self.state.asking_rooms.push_back(&mut self.rooms.slab, id);
        }
    }

    /// The oldest entry of a room, as the store has it.
    pub(super) fn oldest_loaded(&mut self, id: Id<RoomRow>, loaded: Option<Records<'_>>) {
        let Some(row) = self.rooms.get_mut(id) else { return };
        let Some((index, bytes)) = loaded.and_then(|loaded| loaded.first()) else { return };
        let Some((record, _)) = record::decode::<EntryRecord>(bytes) else { return };
        row.first = row.first.max(index.min(row.head + 1));
        row.oldest = Oldest { index, received: record.received, bytes: record.bytes };
        self.go_on(id);
    }

    /// A member has something to be sent, unless it waits for the store.
    pub(super) fn take_turn(&mut self, id: Id<Membership>) {
        let Some(membership) = self.rooms.members.get_mut(id) else { return };
        let Some(link) = membership.link.filter(|_| membership.ask == Ask::Idle) else { return };
        if membership.queue == Queue::Waiting {
            let Some(row) = self.rooms.slab.get_mut(membership.room) else { return };
            let lists = [&mut row.caught_up, &mut self.state.moved_rooms];
            crate::storage::List::remove_from_either(lists, &mut self.rooms.members, id);
        }
        let Some(membership) = self.rooms.members.get_mut(id) else { return };
        if membership.queue == Queue::Stalled {
            return;
        }
        membership.queue = Queue::Ready;
        if let Some(found) = self.links.get_mut(link) {
            found.role.turns.push_back(&mut self.rooms.members, id);
            self.links.wake(link);
        }
    }

    fn write_room(
        &mut self,
        link: Id<ServerLink>,
        id: Id<Membership>,
        packet: &mut Packet<'_, ServerRole>,
    ) -> Turned {
        let Some(membership) = self.rooms.members.get_mut(id) else { return Turned::Over };
        let Some(row) = self.rooms.slab.get(membership.room) else { return Turned::Over };
        let room = row.number;
        if membership.greet {
            let (since, last) = (index(membership.since), index(row.head));
            let joined = Joined { room, since, last, run: row.head_run, name: row.name };
            if !packet.push(&Frame::Joined(joined), Token::Joined(id)) {
                return Turned::Full;
            }
            membership.greet = false;
        }
        loop {
            let index = match membership.cursor.next(row.first, row.head) {
                Next::Nothing => return Turned::Over,
                Next::Gone { upto, first, reason } => {
                    let gone = Gone { room, upto: index(upto), first: index(first), reason };
                    if !packet.push(&Frame::Gone(gone), Token::Gone(id)) {
                        return Turned::Full;
                    }
                    membership.cursor.gone_told(true);
                    continue;
                }
                Next::Entry { index } => index,
            };
            let entry = remembered(&self.by_place, &self.entries, room, index);
            let Some(entry) = entry else {
                membership.loading = index;
                return Turned::Loading;
            };
            let (Some(found), Some(from)) = (self.links.get_mut(link), entry.author) else {
                return Turned::Over;
            };
            found.credit.refund(membership.cursor.refund());
            let total = entry.body.len();
            if total > found.credit.longest() {
                if !membership.cursor.pass_over(index, GoneReason::TooLong) {
                    return Turned::Over;
                }
                continue;
            }
            if !membership.cursor.spend(index, total, &mut found.credit) {
                found.role.short = total as u16;
                return Turned::Full;
            }
            let left = Units::all_after(total, membership.cursor.done());
            if left.is_empty() {
                // Pieces were lost of an entry so far back that they count as this one's.
                membership.cursor.sent(index, None);
                continue;
            }
            let Some(run) = packet.next_run(left, total, ROOM_HEADER) else {
                return Turned::Full;
            };
            let frame = RoomEntry {
                room,
                index: self::index(index),
                run: entry.run,
                previous: entry.before.map(|run| run.tag()),
                from,
                total: total as u16,
                offset: 0,
                piece: &[],
            };
            let written = packet.push_piece(
                (&self.pool, &entry.body),
                (total, run),
                |offset, piece| Frame::RoomEntry(RoomEntry { offset, piece, ..frame }),
                Token::Entry { reader: id, index: index as u8, run },
            );
            if !written {
                return Turned::Full;
            }
            let whole = run.offset() + run.len(total) >= total;
            membership.cursor.sent(index, (!whole).then(|| run.end()));
        }
    }

    /// Puts an entry from the store among those in memory; `false` if there is no room.
    fn recall(&mut self, room: Room, index: u64, record: &EntryRecord, body: &[u8]) -> bool {
        if remembered(&self.by_place, &self.entries, room, index).is_some() {
            return true;
        }
        if !self.make_room(body.len(), false) {
            return false;
        }
        let Some(body) = self.pool.store(body) else { return false };
        let position = Position::new(record.epoch, record.number);
        let entry = Entry {
            index,
            author: Some(record.nick),
            received: record.received,
            run: record.run,
            before: record.previous,
            ..Entry::new(record.from, Recipient::Room(room), position, body, Stage::Stored)
        };
        let Ok(id) = self.entries.insert(entry) else { return false };
        self.remember(id, room);
        true
    }

    /// Puts those that were read behind the one that is wanted there too, while there is plenty
    /// of room: they must not drive that one out.
    fn recall_ahead(&mut self, room: Room, loaded: Records<'_>) {
        for (index, bytes) in loaded.records.iter().skip(1) {
            let is_plenty = self.entries.len() * 2 < self.entries.capacity()
                && self.pool.used() * 2 < self.pool.capacity();
            match record::decode::<EntryRecord>(bytes).filter(|_| is_plenty) {
                Some((record, body)) if self.recall(room, *index, &record, body) => {}
                _ => return,
            }
        }
    }

    /// Keeps an entry in memory for its readers, within half of what memory there is.
    fn remember(&mut self, id: Id<Entry>, room: Room) {
        let Some(index) = self.entries.get(id).map(|entry| entry.index) else { return };
        let indexed = self.by_place.insert(&place(room, index), id.slot());
        debug_assert!(indexed, "the index has more buckets than there are entries");
        self.state.recent.push_back(&mut self.entries, id);
        let crowded = |engine: &Self| {
            engine.entries.len() * 2 > engine.entries.capacity()
                || engine.pool.used() * 2 > engine.pool.capacity()
        };
        while crowded(self) && self.state.recent.front() != Some(id) && self.forget_oldest() {}
    }

    /// How many entries of rooms are in memory for their readers, and in how many blocks.
    pub(super) fn recent(&self) -> (usize, usize) {
        let (mut count, mut blocks, mut at) = (0, 0, self.state.recent.front());
        while let Some(entry) = at.and_then(|id| self.entries.get(id)) {
            at = entry.queued.next();
            count += 1;
            blocks += Pool::blocks(entry.body.len());
        }
        (count, blocks)
    }

    /// Forgets the entry of a room that has been in memory for longest; `false` if there is none.
    fn forget_oldest(&mut self) -> bool {
        let Some(id) = self.state.recent.pop_front(&mut self.entries) else { return false };
        if let Some(entry) = self.entries.get(id)
            && let Recipient::Room(room) = entry.to
        {
            let (entries, index) = (&self.entries, entry.index);
            self.by_place.remove(&place(room, index), id.slot(), |slot| {
                let other = entries.get(entries.id_at(slot)?)?;
                match other.to {
                    Recipient::Room(room) => Some(place(room, other.index)),
                    Recipient::Account(_) => None,
                }
            });
        }
        self.free_entry(id);
        true
    }

    fn stall_member(&mut self, id: Id<Membership>) {
        let Some(membership) = self.rooms.members.get_mut(id) else { return };
        if membership.link.is_some() && membership.queue == Queue::None {
            membership.queue = Queue::Stalled;
            self.state.stalled_members.push_back(&mut self.rooms.members, id);
            let at: Instant = self.state.now + STALL;
            self.state.stalled_at.get_or_insert(at);
        }
    }
}

/// An entry of a room, if it is in memory.
fn remembered<'e>(
    by_place: &Index<'_>,
    entries: &'e Slab<'_, Entry>,
    room: Room,
    index: u64,
) -> Option<&'e Entry> {
    let at = |slot| entries.id_at(slot).and_then(|id| entries.get(id));
    let slot = by_place.find(&place(room, index), |slot| {
        at(slot).is_some_and(|e| e.index == index && e.to == Recipient::Room(room))
    });
    slot.and_then(at)
}

/// A place in a room's log, as it is on the wire.
fn index(index: u64) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// What an entry of a room is found by.
fn place(room: Room, index: u64) -> [u8; 12] {
    let mut name = [0; 12];
    let (front, back) = name.split_at_mut(4);
    front.copy_from_slice(&room.0.to_le_bytes());
    back.copy_from_slice(&index.to_le_bytes());
    name
}
