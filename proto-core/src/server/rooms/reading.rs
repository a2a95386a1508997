//! What is read to members: each through a cursor, a line that is in memory wherever that is.

use crate::{
    host::{Ask, Log, Records, Request, Ticket},
    id::{Account, Position, Recipient, Room},
    link::{Packet, Units},
    record::{self, EntryRecord},
    storage::{Id, List},
    wire::{Frame, Joined, Read, RoomEntry, TrimReason, Trimmed},
};

use super::{
    super::{
        accounts::Accounts,
        ctx::Ctx,
        event::Event,
        role::{SentFrame, ServerLink, ServerRole},
        store::{Asker, READ_AHEAD},
        submit::{Entry, Kind, Stage, Submissions},
    },
    cursor::Next,
    line::Line,
    member::{Member, Queue},
    state::Rooms,
    turns::Turns,
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

impl Rooms<'_> {
    /// Members whose room moved on are to take their turns.
    pub(crate) fn is_owing(&self) -> bool {
        !self.moved.is_empty()
    }

    /// Those whose room moved on take their turns on their links.
    pub(crate) fn take_turns(&mut self, cx: &mut Ctx<'_>) {
        while let Some(id) = self.moved.pop_front(&mut self.table.members) {
            if let Some(member) = self.table.members.get_mut(id) {
                member.queue = Queue::None;
                if core::mem::take(&mut member.idle) {
                    member.got_on = cx.now;
                }
            }
            self.take_turn(cx, id);
        }
    }

    /// Begins to read to an account that came online, in all its rooms.
    pub(crate) fn enter_all(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &Accounts<'_>,
        link: Id<ServerLink>,
        account: Account,
    ) {
        let mut at = accounts.places(account).front();
        while let Some(id) = at {
            at = self.table.members.get(id).and_then(|member| member.of_account.next());
            self.enter(cx, link, id);
        }
    }

    /// Begins to read to a member that is online.
    pub(super) fn enter(&mut self, cx: &mut Ctx<'_>, link: Id<ServerLink>, id: Id<Member>) {
        let Some(member) = self.table.members.get_mut(id) else { return };
        if member.is_member() {
            (member.link, member.greet) = (Some(link), true);
            let number = self.table.slab.get(member.room).map(|row| row.number);
            if let Some((number, session)) = number.zip(cx.session(link)) {
                session.turns.forget_left(number);
            }
            self.table.wait_for(cx, id);
            self.take_turn(cx, id);
        }
    }

    /// Reads no more to an account through a link.
    pub(crate) fn leave_all(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        (link, account): (Id<ServerLink>, Account),
    ) {
        let mut at = accounts.places(account).front();
        while let Some((id, member)) = at.and_then(|id| Some((id, self.table.members.get(id)?))) {
            at = member.of_account.next();
            // Another link may be the account's by now.
            if member.link == Some(link) {
                self.leave(cx, accounts, submissions, id);
            }
        }
    }

    /// Reads no more to a member.
    pub(super) fn leave(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        id: Id<Member>,
    ) {
        let Some(member) = self.table.members.get_mut(id) else { return };
        let (room, queue, link) = (member.room, member.queue, member.link.take());
        member.queue = Queue::None;
        (member.greet, member.idle) = (false, false);
        let free = member.cursor.close();
        member.ask = Ask::Idle;
        if let Some((link, found)) = link.and_then(|id| Some((id, cx.links.get_mut(id)?))) {
            found.credit.refund(free);
            cx.links.wake(link);
        }
        let members = &mut self.table.members;
        match queue {
            Queue::None => {}
            Queue::Waiting => {
                let Some(row) = self.table.slab.get_mut(room) else {
                    debug_assert!(false, "a member's room is there");
                    return;
                };
                List::remove_from_either([&mut row.caught_up, self.moved], members, id);
            }
            Queue::Ready => {
                if let Some(found) = link.and_then(|link| cx.links.get_mut(link)) {
                    found.role.turns.turns.remove(members, id);
                }
            }
            Queue::Asking => cx.requests.settle(members, id),
            Queue::Stalled => cx.requests.forgive(members, id),
        }
        self.table.wait_no_more(id);
        self.go_on(cx, accounts, submissions, room);
    }

    /// A member says how far it has a room's log.
    pub(crate) fn heard(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        link: Id<ServerLink>,
        read: Read,
    ) {
        let room = self.table.by_number(read.room);
        let (Some(account), Some(room)) = (cx.online(link), room) else { return };
        let Some(id) = self.table.member(room, account) else { return };
        let head = self.table.get(room).map_or(0, |row| row.head);
        let member = self.table.members.get_mut(id).filter(|member| member.link == Some(link));
        let Some(member) = member else { return };
        let upto = u64::from(read.upto).min(head).max(member.since);
        let goes_back = member.cursor.goes_back(read.rewinds);
        let (got_on, free) = member.cursor.heard(upto, read.rewinds);
        if let Some(found) = cx.links.get_mut(link) {
            found.credit.refund(free);
        }
        if read.rewinds > 0 {
            cx.events.notice_put_back();
        }
        if goes_back {
            // It may be behind all that are waited for.
            self.table.wait_no_more(id);
        }
        self.take_turn(cx, id);
        if got_on {
            self.got_on(cx, accounts, submissions, id);
        }
    }

    /// The request for what a member is to read, or its own record.
    pub(super) fn request_lines(&mut self, cx: &mut Ctx<'_>, id: Id<Member>) -> Option<Request> {
        let ticket = cx.ticket(Asker::Reader, id.slot());
        let member = self.table.members.get_mut(id)?;
        member.ask = Ask::Asked(ticket.serial);
        let log = Log::Room(self.table.slab.get(member.room)?.number);
        Some(Request::Read { ticket, log, from: member.loading, most: READ_AHEAD })
    }

    /// The store has lines for a member that is behind, or failed to read them.
    pub(crate) fn loaded(&mut self, cx: &mut Ctx<'_>, ticket: Ticket, loaded: Option<Records<'_>>) {
        let Some(id) = self.table.members.id_at(ticket.slot) else { return };
        let Some(member) = self.table.members.get_mut(id) else { return };
        if !member.ask.answer(ticket.serial) {
            return;
        }
        let (room, wanted) = (member.room, member.loading);
        let Some(row) = self.table.get(room) else { return };
        let (number, name, first) = (row.number, row.name, row.first);
        let Some(loaded) = loaded else {
            cx.tell(Event::StoreFailed);
            self.stall(cx, id);
            return;
        };
        let there = match loaded.at(wanted).and_then(record::decode::<EntryRecord>) {
            Some((record, body)) => {
                let there = recall(cx, number, wanted, &record, body);
                recall_ahead(cx, number, loaded);
                there
            }
            // What was given up meanwhile is not missed.
            None if wanted < first => true,
            None => {
                cx.tell(Event::EntryDamaged { room: number, name, index: wanted });
                let member = self.table.members.get_mut(id);
                member.is_some_and(|member| member.cursor.pass_over(wanted, TrimReason::Damaged))
            }
        };
        if there { self.take_turn(cx, id) } else { self.stall(cx, id) }
    }

    /// Members that the store could not serve try again.
    pub(crate) fn retry(&mut self, cx: &mut Ctx<'_>) {
        while let Some(id) = cx.requests.retry(&mut self.table.members) {
            if let Some(member) = self.table.members.get_mut(id) {
                member.queue = Queue::None;
            }
            self.take_turn(cx, id);
        }
    }

    pub(crate) fn write(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ServerLink>,
        packet: &mut Packet<'_, ServerRole>,
    ) {
        let Some(found) = cx.links.get_mut(link) else { return };
        found.role.turns.write_left(packet);
        // What cannot be sent now is not read from the store either: each line might drive
        // out the one before, over and over.
        if packet.room() == 0 || !found.credit.suffices(found.role.turns.short.into()) {
            return;
        }
        found.role.turns.short = 0;
        while let Some(id) = cx.links.get(link).and_then(|link| link.role.turns.turns.front()) {
            let turned = self.write_one(cx, link, id, packet);
            if matches!(turned, Turned::Full) {
                return;
            }
            let Some(found) = cx.links.get_mut(link) else { return };
            found.role.turns.turns.remove(&mut self.table.members, id);
            let Some(member) = self.table.members.get_mut(id) else {
                debug_assert!(false, "who has a turn is a member");
                return;
            };
            if matches!(turned, Turned::Loading) {
                (member.ask, member.queue) = (Ask::Owed, Queue::Asking);
                cx.requests.ask(&mut self.table.members, id);
            } else if let Some(row) = self.table.slab.get_mut(member.room) {
                member.queue = Queue::Waiting;
                member.idle = member.cursor.begins_behind() == Some(row.head);
                row.caught_up.push_back(&mut self.table.members, id);
            }
        }
    }

    /// What a packet carried of rooms was lost: whose cursor goes back has something to be sent,
    /// ahead of all that waits for the credit that comes back once that is read.
    pub(crate) fn lost(&mut self, turns: &mut Turns, sent: SentFrame) {
        if let SentFrame::Left(left) = sent {
            turns.tell_left(left);
            return;
        }
        let (SentFrame::Joined(id) | SentFrame::Gone(id) | SentFrame::Entry { reader: id, .. }) =
            sent
        else {
            return;
        };
        let Some(member) = self.table.members.get_mut(id) else { return };
        match sent {
            SentFrame::Joined(_) => member.greet = true,
            SentFrame::Entry { index, run, .. } => member.cursor.lost(index, run),
            _ => member.cursor.gone_told(false),
        }
        let members = &mut self.table.members;
        match members.get(id).map(|member| (member.queue, member.room)) {
            Some((Queue::Waiting, room)) => {
                let Some(row) = self.table.slab.get_mut(room) else { return };
                List::remove_from_either([&mut row.caught_up, self.moved], members, id);
                if let Some(member) = members.get_mut(id) {
                    member.queue = Queue::Ready;
                }
            }
            Some((Queue::Ready, _)) => turns.turns.remove(members, id),
            Some((Queue::None | Queue::Asking | Queue::Stalled, _)) | None => return,
        }
        turns.turns.push_front(members, id);
        turns.short = 0;
    }

    /// A member has something to be sent, unless it waits for the store.
    pub(super) fn take_turn(&mut self, cx: &mut Ctx<'_>, id: Id<Member>) {
        let Some(member) = self.table.members.get_mut(id) else { return };
        let Some(link) = member.link.filter(|_| member.ask == Ask::Idle) else { return };
        if member.queue == Queue::Waiting {
            let Some(row) = self.table.slab.get_mut(member.room) else { return };
            let lists = [&mut row.caught_up, &mut *self.moved];
            List::remove_from_either(lists, &mut self.table.members, id);
        }
        let Some(member) = self.table.members.get_mut(id) else { return };
        if member.queue == Queue::Stalled {
            return;
        }
        member.queue = Queue::Ready;
        if let Some(found) = cx.links.get_mut(link) {
            found.role.turns.turns.push_back(&mut self.table.members, id);
            cx.links.wake(link);
        }
    }

    fn write_one(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ServerLink>,
        id: Id<Member>,
        packet: &mut Packet<'_, ServerRole>,
    ) -> Turned {
        let Some(member) = self.table.members.get_mut(id) else { return Turned::Over };
        let Some(row) = self.table.slab.get(member.room) else { return Turned::Over };
        let room = row.number;
        if member.greet {
            let (since, last) = (index(member.since), index(row.head));
            let joined = Joined { room, since, last, run: row.head_run, name: row.name };
            if !packet.push(&Frame::Joined(joined), SentFrame::Joined(id)) {
                return Turned::Full;
            }
            member.greet = false;
        }
        loop {
            let index = match member.cursor.next(row.first, row.head) {
                Next::Nothing => return Turned::Over,
                Next::Trimmed { upto, first, reason } => {
                    let gone = Trimmed { room, upto: index(upto), first: index(first), reason };
                    if !packet.push(&Frame::Trimmed(gone), SentFrame::Gone(id)) {
                        return Turned::Full;
                    }
                    member.cursor.gone_told(true);
                    continue;
                }
                Next::Entry { index } => index,
            };
            let Some(entry) = cx.messages.recall(room, index) else {
                member.loading = index;
                return Turned::Loading;
            };
            let said = entry.line().map(|said| (said, said.author));
            let (Some(found), Some((said, from))) = (cx.links.get_mut(link), said) else {
                return Turned::Over;
            };
            found.credit.refund(member.cursor.refund());
            let total = entry.body().len();
            if total > found.credit.longest() {
                if !member.cursor.pass_over(index, TrimReason::TooLong) {
                    return Turned::Over;
                }
                continue;
            }
            if !member.cursor.spend(index, total, &mut found.credit) {
                found.role.turns.short = total as u16;
                return Turned::Full;
            }
            let left = Units::all_after(total, member.cursor.done());
            if left.is_empty() {
                // Pieces were lost of a line so far back that they count as this one's.
                member.cursor.sent(index, None);
                continue;
            }
            let Some(run) = packet.next_run(left, total, ROOM_HEADER) else {
                return Turned::Full;
            };
            let frame = RoomEntry {
                room,
                index: self::index(index),
                run: said.run,
                previous: said.before.map(|run| run.tag()),
                from,
                total: total as u16,
                offset: 0,
                piece: &[],
            };
            let written = packet.push_piece(
                (&cx.pool, entry.body()),
                (total, run),
                |offset, piece| Frame::RoomEntry(RoomEntry { offset, piece, ..frame }),
                SentFrame::Entry { reader: id, index: index as u8, run },
            );
            if !written {
                return Turned::Full;
            }
            let whole = run.offset() + run.len(total) >= total;
            member.cursor.sent(index, (!whole).then(|| run.end()));
        }
    }

    /// The store could not serve a member: it is asked again later.
    fn stall(&mut self, cx: &mut Ctx<'_>, id: Id<Member>) {
        let Some(member) = self.table.members.get_mut(id) else { return };
        if member.link.is_some() && member.queue == Queue::None {
            member.queue = Queue::Stalled;
            cx.requests.fail(&mut self.table.members, id, cx.now);
        }
    }
}

/// Puts a line from the store among those in memory; `false` if there is no room.
fn recall(cx: &mut Ctx<'_>, room: Room, index: u64, record: &EntryRecord, body: &[u8]) -> bool {
    if cx.messages.recall(room, index).is_some() {
        return true;
    }
    if !cx.make_room(body.len(), false) {
        return false;
    }
    let Some(body) = cx.pool.store(body) else { return false };
    let line =
        Line { author: record.nick, bytes: record.bytes, run: record.run, before: record.previous };
    let of = (record.from, Position::new(record.epoch, record.number));
    let (to, kind) = (Recipient::Room(room), Kind::Line(line));
    let entry = Entry::new(of, to, record.received, body, kind, Stage::Stored).at(index);
    let Some(id) = cx.messages.insert(entry) else { return false };
    cx.messages.remember(&mut cx.pool, id, room);
    true
}

/// Puts those that were read behind the one that is wanted there too, while there is plenty
/// of room: they must not drive that one out.
fn recall_ahead(cx: &mut Ctx<'_>, room: Room, loaded: Records<'_>) {
    for (index, bytes) in loaded.records.iter().skip(1) {
        let is_plenty = cx.messages.is_plenty(&cx.pool, 4);
        match record::decode::<EntryRecord>(bytes).filter(|_| is_plenty) {
            Some((record, body)) if recall(cx, room, *index, &record, body) => {}
            _ => return,
        }
    }
}

/// A place in a room's log, as it is on the wire.
fn index(index: u64) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
