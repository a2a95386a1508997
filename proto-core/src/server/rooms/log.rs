//! What is said in rooms: appended to the room's log once, durable before its author is told.

use crate::{
    host::{Ask, Log, Request, Ticket},
    id::{MAX_INDEX, Position, Recipient, Room},
    record::{self, EntryRecord, PlaceRecord},
    storage::Id,
    wire::SubmitRefusal,
};

use super::{
    super::{
        accounts::Accounts,
        ctx::Ctx,
        event::Event,
        store::Asker,
        submit::{Entry, Pair, Stage, Submissions},
    },
    moderation::bury,
    row::RoomRow,
    state::Rooms,
};

impl Rooms<'_> {
    /// Asks the store to save a message behind all others of its room.
    pub(crate) fn append(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &Accounts<'_>,
        submissions: &mut Submissions<'_>,
        id: Id<Entry>,
    ) {
        let row = room_of(cx, id).and_then(|room| self.table.by_number(room));
        let Some(row) = row.and_then(|id| self.table.get_mut(id)) else {
            debug_assert!(false, "who may say something in a room is in it");
            return;
        };
        if row.asked >= MAX_INDEX {
            submissions.refuse(cx, accounts, id, SubmitRefusal::Store);
            return;
        }
        let Some(entry) = cx.messages.get_mut(id) else { return };
        let length = entry.body().len() as u64;
        row.asked += 1;
        entry.set_index(row.asked);
        entry.store();
        if let Some(line) = entry.line_mut() {
            let before = core::mem::replace(&mut row.asked_run, cx.run);
            (line.run, line.before) = (cx.run, Some(before).filter(|run| *run != cx.run));
            line.bytes = row.bytes;
        }
        row.bytes = row.bytes.saturating_add(length);
        row.appending.push_back(cx.messages.rows(), id);
        cx.requests.ask(cx.messages.rows(), id);
        // How long the store may take is up to the author: to say that it failed might be untrue.
        cx.messages.set_timer(id, None);
    }

    /// What goes ahead of a line: how far its room has the author of the line before it.
    pub(crate) fn request_ahead(&mut self, cx: &mut Ctx<'_>, id: Id<Entry>) -> Option<Request> {
        let room = self.table.by_number(room_of(cx, id)?)?;
        self.request_place(cx, room)
    }

    /// The request to save a line.
    pub(crate) fn request_append(
        &mut self,
        cx: &mut Ctx<'_>,
        ticket: Ticket,
        id: Id<Entry>,
    ) -> Option<Request> {
        let entry = cx.messages.get(id)?;
        let (Recipient::Room(room), line) = (entry.to(), entry.line()?) else { return None };
        let (from, position) = (entry.from(), entry.position());
        let header = EntryRecord {
            from,
            nick: line.author,
            epoch: position.epoch,
            number: position.number,
            received: entry.received(),
            bytes: line.bytes,
            run: line.run,
            previous: line.before,
        };
        let body = entry.body();
        let length = record::encode(cx.work, &header, &cx.pool, body, body.len())?;
        let number = entry.index();
        if let Some(row) = self.table.by_number(room).and_then(|id| self.table.get_mut(id)) {
            (row.unplaced, row.place) = (Some((from, position)), Ask::Idle);
        }
        Some(Request::Put { ticket, log: Log::Room(room), number, length })
    }

    pub(super) fn request_place(&mut self, cx: &mut Ctx<'_>, id: Id<RoomRow>) -> Option<Request> {
        let row = self.table.get_mut(id).filter(|row| row.place == Ask::Idle)?;
        let (author, Position { epoch, number }) = row.unplaced?;
        let at = Pair::number_of(Recipient::Room(row.number));
        let ticket = cx.ticket(Asker::Place, id.slot());
        row.place = Ask::Asked(ticket.serial);
        cx.put(ticket, Log::Pairs(author), at, &PlaceRecord { epoch, number })
    }

    /// How far a room has an author is durable, or is asked for again ahead of the next line.
    pub(crate) fn place_saved(&mut self, ticket: Ticket, saved: bool) {
        let row = self.table.slab.id_at(ticket.slot).and_then(|id| self.table.get_mut(id));
        if let Some(row) = row
            && row.place.answer(ticket.serial)
            && saved
        {
            row.unplaced = None;
        }
    }

    /// A line is durable in its room's log, or could not be made so.
    pub(crate) fn appended(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        id: Id<Entry>,
        saved: bool,
    ) {
        if let Some(entry) = cx.messages.get_mut(id) {
            entry.give_up();
        }
        cx.messages.set_timer(id, None);
        let Some(number) = room_of(cx, id) else { return };
        let Some(room) = self.table.by_number(number) else {
            debug_assert!(false, "rooms stay, once the store has them");
            return;
        };
        if !saved {
            cx.tell(Event::StoreFailed);
            self.refuse_from(cx, accounts, submissions, (room, id));
            return;
        }
        let (Some(row), Some(entry)) = (self.table.slab.get_mut(room), cx.messages.get_mut(id))
        else {
            debug_assert!(false, "both were just looked up");
            return;
        };
        row.head = row.head.max(entry.index());
        row.head_of = Some((entry.from(), entry.position()));
        if let Some(line) = entry.line() {
            row.head_run = line.run;
        }
        entry.set_stage(Stage::Stored);
        row.appending.remove(cx.messages.rows(), id);
        self.moved.append(&mut self.table.members, &mut row.caught_up);
        submissions.appended(cx, accounts, id);
        cx.messages.remember(&mut cx.pool, id, number);
        self.go_on(cx, accounts, submissions, room);
        bury(self, cx, room);
    }

    /// The store failed to save a line: those that it was asked for behind it fail with it,
    /// and their places are free again.
    fn refuse_from(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        (room, first): (Id<RoomRow>, Id<Entry>),
    ) {
        if let Some(row) = self.table.slab.get_mut(room) {
            (row.unplaced, row.place) = (row.head_of, Ask::Idle);
            row.asked_run = row.head_run;
            let mut at = row.appending.front();
            while let Some(before) = at.filter(|id| *id != first).and_then(|id| cx.messages.get(id))
            {
                row.unplaced = Some((before.from(), before.position()));
                row.asked_run = before.line().map_or(row.asked_run, |line| line.run);
                at = before.next_queued();
            }
        }
        let mut at = Some(first);
        while let Some((id, entry)) = at.and_then(|id| Some((id, cx.messages.get_mut(id)?))) {
            at = entry.next_queued();
            let (index, bytes) = (entry.index(), entry.line().map_or(0, |line| line.bytes));
            entry.give_up();
            if let Some(row) = self.table.slab.get_mut(room) {
                row.appending.remove(cx.messages.rows(), id);
                (row.asked, row.bytes) = (row.asked.min(index - 1), row.bytes.min(bytes));
            }
            cx.requests.settle(cx.messages.rows(), id);
            submissions.refuse(cx, accounts, id, SubmitRefusal::Store);
        }
        self.go_on(cx, accounts, submissions, room);
        bury(self, cx, room);
    }
}

fn room_of(cx: &Ctx<'_>, id: Id<Entry>) -> Option<Room> {
    match cx.messages.get(id)?.to() {
        Recipient::Room(room) => Some(room),
        Recipient::Account(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::super::super::{
        config::Config,
        fixture::{Asked, Fixture},
    };
    use crate::{
        host::Log,
        id::{Account, Recipient, Room},
    };

    const LOBBY: Recipient = Recipient::Room(Room::LOBBY);

    #[test]
    fn ahead_of_a_line_goes_how_far_the_room_has_the_author_of_the_one_before() {
        let mut at = Fixture::new(Config::default());
        let (alice, bob) = (at.account("alice"), at.account("bob"));
        at.submit(alice, LOBBY, 1);
        at.submit(bob, LOBBY, 1);
        let asked: Vec<_> = at.requests().into_iter().map(|(asked, _)| asked).collect();
        let place = submit_number();
        let line = |index| Asked::Put(Log::Room(Room::LOBBY), index);
        assert_eq!(asked, [line(1), Asked::Put(Log::Pairs(alice), place), line(2)]);
    }

    #[test]
    fn lines_fail_with_the_one_before_them_and_their_places_are_free_again() {
        let mut at = Fixture::new(Config::default());
        let alice = at.account("alice");
        let head = |at: &mut Fixture| at.rooms.table.last_of(LOBBY).map(|(_, p)| p.number.0);
        at.submit(alice, LOBBY, 1);
        let (_, first) = at.next_request().unwrap();
        at.router().answered(first, true);
        assert_eq!(head(&mut at), Some(1));
        at.submit(alice, LOBBY, 2);
        at.submit(alice, LOBBY, 3);
        let failed = at.requests();
        let line = |index| Asked::Put(Log::Room(Room::LOBBY), index);
        let (asked, ticket) = failed[failed.len() - 3];
        assert_eq!((asked, failed.last().map(|(last, _)| *last)), (line(2), Some(line(3))));
        at.router().answered(ticket, false);
        // What the store says of the other one later counts no more.
        at.router().answered(failed.last().unwrap().1, true);
        assert_eq!(head(&mut at), Some(1));
        at.submit(alice, LOBBY, 2);
        assert_eq!(at.requests().last().map(|(asked, _)| *asked), Some(line(2)));
    }

    /// Where an author's place in the lobby is among its records.
    fn submit_number() -> u64 {
        super::Pair::number_of(LOBBY)
    }

    #[test]
    fn who_is_no_member_may_not_say_anything() {
        let mut at = Fixture::new(Config::default());
        let alice = at.account("alice");
        assert!(at.rooms.table.may_say(alice, Room::LOBBY));
        assert!(!at.rooms.table.may_say(alice, Room(7)));
        assert!(!at.rooms.table.may_say(Account(1), Room::LOBBY));
    }
}
