//! What clients want of the server's rooms: to create, join and leave them, and to know
//! who and what there is.

use crate::{
    host::{Ask, Log, Request, Ticket},
    id::{Account, Room, RoomName},
    link::Packet,
    record::{MemberRecord, RoomRecord, Standing},
    role::FrameOutcome,
    storage::Id,
    wire::{Frame, MAX_DATAGRAM, Names, RoomAction, RoomRefusal, RoomRequest, RoomResponse},
};

use super::{
    super::{
        accounts::Accounts,
        ctx::Ctx,
        event::Event,
        role::{SentFrame, ServerLink, ServerRole},
        store::Asker,
        submit::Submissions,
    },
    member::{Member, Queue},
    request::{About, Listed, Reply},
    row::RoomRow,
    state::Rooms,
    table::Table,
};

/// Bytes of a `Names` frame's body that are not names.
const NAMES_HEADER: usize = 10 + 1 + 5 + 3;

/// Accounts that are looked at for one page of names.
const PAGE: u32 = 1024;

/// The rooms, for what clients want of them.
#[derive(Debug)]
pub(crate) struct RoomRequests<'r, 'a> {
    pub(super) rooms: &'r mut Rooms<'a>,
}

impl<'r, 'a> RoomRequests<'r, 'a> {
    pub(crate) fn new(rooms: &'r mut Rooms<'a>) -> Self {
        Self { rooms }
    }

    /// What a client wants, in the packet `packet` of its link.
    pub(crate) fn handle(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        (link, packet): (Id<ServerLink>, u64),
        command: RoomRequest,
    ) -> FrameOutcome {
        let Some(account) = cx.online(link) else { return FrameOutcome::Done };
        let Some(session) = cx.session(link) else { return FrameOutcome::Done };
        let requester = &mut session.requester;
        if packet < requester.last {
            return FrameOutcome::Done;
        }
        requester.last = packet;
        let serial = command.serial;
        if requester.reply.serial() == Some(serial) {
            return FrameOutcome::Done;
        }
        let table = &self.rooms.table;
        let done = match command.action {
            RoomAction::Create(name) => self.create(cx, accounts, account, name, serial),
            RoomAction::Join(name) => self.join(cx, accounts, (link, account), &name),
            RoomAction::Leave(name) => self.quit(cx, accounts, submissions, account, &name),
            RoomAction::Kick { room, nick } => {
                let who = accounts.table.by_nick(&nick);
                self.kick(cx, accounts, submissions, (Some(account), &room), who)
            }
            RoomAction::Invite { room, nick } => {
                let who = accounts.table.by_nick(&nick);
                self.invite(cx, accounts, (account, &room), who)
            }
            RoomAction::InviteOnly { room, on } => self.invite_only(cx, (account, &room), on),
            RoomAction::Delete(room) => self.delete(cx, Some(account), &room),
            RoomAction::Rooms { from } => Done::Listed(Listed::Rooms { from }),
            RoomAction::Members { of, from } => {
                let of = match of {
                    Some(name) => table.durable(&name).map(|(id, _)| id),
                    None => table.by_number(Room::LOBBY),
                };
                of.map_or(Done::Now(Err(RoomRefusal::Unknown)), |of| {
                    Done::Listed(Listed::Members { of, from })
                })
            }
        };
        let answer = match done {
            Done::Now(result) => Reply::Done(RoomResponse { serial, result }),
            Done::Later(about) => Reply::Waiting { serial, about },
            Done::Listed(of) => Reply::Names { serial, of },
            Done::Again => return FrameOutcome::NoRoom,
        };
        reply(cx, link, answer);
        FrameOutcome::Done
    }

    /// A room's record is durable, or could not be made so.
    pub(crate) fn room_saved(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        ticket: Ticket,
        saved: bool,
    ) {
        let table = &mut self.rooms.table;
        let Some(id) = table.slab.id_at(ticket.slot) else { return };
        let Some(row) = table.get_mut(id) else { return };
        if !row.save.answer(ticket.serial) {
            return;
        }
        let (creator, name, removed, is_new) = (row.creator, row.name, row.removed, !row.durable);
        let (by, wanted) = (row.by.take(), row.wanted.take());
        if !saved {
            cx.tell(Event::StoreFailed);
        }
        done(cx, accounts, by, About::Room(id), saved);
        match (removed, wanted) {
            (true, _) => {
                if let Some(row) = table.get_mut(id) {
                    // One that could not go stays.
                    (row.removed, row.durable) = (saved, !saved);
                }
                if let Some(room) = name.filter(|_| by.is_none()) {
                    cx.tell(Event::RoomOperated { room, done: saved });
                }
                if saved {
                    self.take_down(cx, accounts, submissions, id);
                }
            }
            (false, Some(invite_only)) => {
                if let Some(row) = table.get_mut(id).filter(|_| saved) {
                    row.invite_only = invite_only;
                }
            }
            (false, None) if saved => {
                if let Some(row) = table.get_mut(id) {
                    row.durable = true;
                }
                if let Some(room) = name.filter(|_| is_new) {
                    cx.tell(Event::RoomCreated { room, by: creator });
                }
            }
            (false, None) => {
                cx.requests.settle(&mut table.slab, id);
                table.remove(id);
                if let Some(places) = accounts.places_mut(creator) {
                    places.discount_room();
                }
            }
        }
    }

    /// The next request for a place in a room: its record, or what its member is to read.
    pub(crate) fn request(&mut self, cx: &mut Ctx<'_>, id: Id<Member>) -> Option<Request> {
        let members = &mut self.rooms.table.members;
        cx.requests.settle(members, id);
        let member = members.get_mut(id)?;
        member.queue = Queue::None;
        let Some((standing, _)) = member.wanted else {
            return self.rooms.request_lines(cx, id);
        };
        let room = self.rooms.table.slab.get(member.room)?.number;
        let ticket = cx.ticket(Asker::Member, id.slot());
        member.ask = Ask::Asked(ticket.serial);
        let header = MemberRecord { since: member.since, standing };
        cx.put(ticket, Log::Members(room), u64::from(member.account.0) + 1, &header)
    }

    /// The record of a place in a room is durable, or could not be made so.
    pub(crate) fn member_saved(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        ticket: Ticket,
        saved: bool,
    ) {
        let members = &mut self.rooms.table.members;
        let Some(id) = members.id_at(ticket.slot) else { return };
        let Some(member) = members.get_mut(id) else { return };
        if !member.ask.answer(ticket.serial) {
            return;
        }
        let Some((wanted, by)) = member.wanted.take() else {
            debug_assert!(false, "what is saved of a place is what it is to be");
            return;
        };
        let (account, room, was_outside) = (member.account, member.room, member.is_outside());
        if saved {
            member.standing = wanted;
        } else {
            cx.tell(Event::StoreFailed);
        }
        let (standing, is_outside) = (member.standing, member.is_outside());
        if let Some(row) = self.rooms.table.slab.get_mut(room) {
            row.outside = row.outside.saturating_sub(u32::from(was_outside));
            row.outside += u32::from(is_outside);
        }
        done(cx, accounts, by, About::Place(id), saved);
        if let Some(room) = self.rooms.table.get(room).and_then(|row| row.name)
            && by.is_none()
        {
            cx.tell(Event::RoomOperated { room, done: saved });
        }
        match standing {
            // Who could not leave, or be put out, is read to again.
            Standing::Member => {
                if let Some(link) = accounts.link(account).filter(|at| cx.online(*at).is_some()) {
                    self.rooms.enter(cx, link, id);
                }
            }
            Standing::Nobody => self.end(cx, accounts, submissions, id),
            Standing::Barred | Standing::Invited => {}
        }
    }

    /// Gives an account its place in the lobby; `false` if there is no room.
    pub(crate) fn admit(
        &mut self,
        accounts: &mut Accounts<'_>,
        account: Account,
        since: Option<u64>,
    ) -> bool {
        let Some(lobby) = self.rooms.table.lobby() else { return false };
        let head = self.rooms.table.get(lobby).map_or(0, |lobby| lobby.head);
        let since = since.unwrap_or(head);
        self.add(accounts, Member::new(lobby, account, since, Standing::Member)).is_some()
    }

    /// Gives an account the place in a room that the store says it has; `false` if there is no room.
    pub(crate) fn restore(
        &mut self,
        accounts: &mut Accounts<'_>,
        room: Id<RoomRow>,
        account: Account,
        (since, standing): (u64, Standing),
    ) -> bool {
        self.add(accounts, Member::new(room, account, since, standing)).is_some()
    }

    /// Adds a room that the store has; `None` if it does not go with the others.
    pub(crate) fn restore_room(
        &mut self,
        cx: &Ctx<'_>,
        accounts: &mut Accounts<'_>,
        room: Room,
        record: &RoomRecord,
    ) -> Option<Id<RoomRow>> {
        let id = self.rooms.table.restore(room, record)?;
        if let Some(row) = self.rooms.table.get_mut(id) {
            row.used = cx.now;
        }
        if let Some(places) = accounts.places_mut(record.creator) {
            places.count_room();
        }
        Some(id)
    }

    /// Gives an account a place in a room; `None` if there is no room.
    pub(super) fn add(
        &mut self,
        accounts: &mut Accounts<'_>,
        member: Member,
    ) -> Option<Id<Member>> {
        let account = member.account;
        let id = self.rooms.table.add_member(member)?;
        accounts.places_mut(account)?.add(&mut self.rooms.table.members, id);
        Some(id)
    }

    /// Takes an account's places in all rooms from it.
    pub(crate) fn end_all(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        account: Account,
    ) {
        while let Some(place) = accounts.places(account).front() {
            self.end(cx, accounts, submissions, place);
        }
    }

    pub(crate) fn write(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &Accounts<'_>,
        link: Id<ServerLink>,
        packet: &mut Packet<'_, ServerRole>,
    ) {
        let Some(session) = cx.session(link).filter(|session| session.requester.owed) else {
            return;
        };
        let written = match session.requester.reply {
            Reply::None | Reply::Waiting { .. } => return,
            Reply::Done(outcome) => packet.push(&Frame::RoomResponse(outcome), SentFrame::Reply),
            Reply::Names { serial, of } => {
                write_names(&self.rooms.table, accounts, serial, of, packet)
            }
        };
        session.requester.owed = !written;
    }

    /// Takes an account's place in a room from it.
    pub(super) fn end(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        id: Id<Member>,
    ) {
        self.rooms.leave(cx, accounts, submissions, id);
        let Table { slab, members, .. } = &mut self.rooms.table;
        let Some((room, account)) = members.get(id).map(|member| (member.room, member.account))
        else {
            return;
        };
        if let Some(row) = slab.get_mut(room) {
            row.used = cx.now;
        }
        if let Some(places) = accounts.places_mut(account) {
            places.remove(members, id);
        }
        self.rooms.table.remove_member(id);
    }

    fn create(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        account: Account,
        name: RoomName,
        serial: u64,
    ) -> Done {
        let table = &mut self.rooms.table;
        let known = table.by_name(&name);
        if let Some((id, row)) = known.and_then(|id| Some((id, table.get(id)?))) {
            return match ((row.creator, row.serial) == (account, serial), row.durable) {
                (true, true) => Done::Now(Ok(())),
                (true, false) => Done::Later(About::Room(id)),
                (false, _) => Done::Now(Err(RoomRefusal::Exists)),
            };
        }
        if table.has_lookalike(&name) {
            return Done::Now(Err(RoomRefusal::Lookalike));
        }
        if accounts.places(account).created() >= cx.config.rooms {
            return Done::Now(Err(RoomRefusal::TooMany));
        }
        self.make_room(cx);
        let table = &mut self.rooms.table;
        let Some(id) = table.add(name, account, serial, cx.seconds()) else {
            let is_making_room = table.slab.iter().any(|(_, row)| row.removed);
            let full = Done::Now(Err(RoomRefusal::ServerFull));
            return if is_making_room { Done::Again } else { full };
        };
        if let Some(places) = accounts.places_mut(account) {
            places.count_room();
        }
        if let Some(row) = table.get_mut(id) {
            (row.save, row.used, row.by) = (Ask::Owed, cx.now, Some(account));
        }
        cx.requests.ask(&mut table.slab, id);
        Done::Later(About::Room(id))
    }

    /// Where there is little room for another room, the oldest that has been empty for long gives
    /// way.
    fn make_room(&mut self, cx: &mut Ctx<'_>) {
        let table = &mut self.rooms.table;
        if !table.is_scarce() || table.slab.iter().any(|(_, row)| row.removed) {
            return;
        }
        let Some(id) = table.oldest_empty(cx.now, cx.config.empty_room) else { return };
        if let Some(row) = table.get_mut(id) {
            (row.durable, row.removed, row.save) = (false, true, Ask::Owed);
            // Nobody asked for it, and nobody is told.
            row.by = Some(row.creator);
        }
        cx.requests.ask(&mut table.slab, id);
    }

    fn join(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        (link, account): (Id<ServerLink>, Account),
        name: &RoomName,
    ) -> Done {
        let table = &self.rooms.table;
        let Some((room, row)) = table.durable(name) else {
            return Done::Now(Err(RoomRefusal::Unknown));
        };
        let (since, is_full) = (row.head, row.inside() >= cx.config.members);
        let is_open = !row.invite_only || row.creator == account;
        let place = table.member(room, account);
        let standing = match place.and_then(|id| table.members.get(id)) {
            Some(member) if member.wanted.is_some() => {
                let joins = member.wanted == Some((Standing::Member, Some(account)));
                return match place.filter(|_| joins) {
                    Some(id) => Done::Later(About::Place(id)),
                    None => Done::Again,
                };
            }
            Some(member) => member.standing,
            None => Standing::Nobody,
        };
        match (standing, place) {
            (Standing::Member, Some(id)) => {
                self.rooms.enter(cx, link, id);
                return Done::Now(Ok(()));
            }
            (Standing::Barred, _) => return Done::Now(Err(RoomRefusal::Barred)),
            (Standing::Nobody, _) if !is_open => return Done::Now(Err(RoomRefusal::NotInvited)),
            _ if is_full => return Done::Now(Err(RoomRefusal::RoomFull)),
            _ => {}
        }
        let new = || Member::new(room, account, since, Standing::Nobody);
        match place.or_else(|| self.add(accounts, new())) {
            Some(id) => {
                if let Some(member) = self.rooms.table.members.get_mut(id) {
                    member.since = since;
                }
                self.save(cx, id, (Standing::Member, Some(account)))
            }
            None => Done::Now(Err(RoomRefusal::ServerFull)),
        }
    }

    fn quit(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        account: Account,
        name: &RoomName,
    ) -> Done {
        let table = &mut self.rooms.table;
        let Some((room, _)) = table.durable(name) else {
            return Done::Now(Err(RoomRefusal::Unknown));
        };
        // Who is no member has left: perhaps the answer to that got lost.
        let Some(id) = table.member(room, account) else { return Done::Now(Ok(())) };
        let Some(member) = table.members.get(id) else { return Done::Again };
        match (member.standing, member.wanted) {
            (Standing::Member, None) => {
                self.rooms.leave(cx, accounts, submissions, id);
                self.save(cx, id, (Standing::Nobody, Some(account)))
            }
            (_, None) => Done::Now(Ok(())),
            (_, Some((Standing::Nobody, _))) => Done::Later(About::Place(id)),
            (_, Some(_)) => Done::Again,
        }
    }

    pub(super) fn save(
        &mut self,
        cx: &mut Ctx<'_>,
        id: Id<Member>,
        wanted: (Standing, Option<Account>),
    ) -> Done {
        let members = &mut self.rooms.table.members;
        if let Some(member) = members.get_mut(id) {
            (member.wanted, member.ask, member.queue) = (Some(wanted), Ask::Owed, Queue::Asking);
            cx.requests.ask(members, id);
        }
        Done::Later(About::Place(id))
    }
}

/// What somebody waits for is done, or the store failed.
fn done(cx: &mut Ctx<'_>, accounts: &Accounts<'_>, by: Option<Account>, about: About, saved: bool) {
    let result = if saved { Ok(()) } else { Err(RoomRefusal::Store) };
    let Some(link) = by.and_then(|by| accounts.link(by)) else { return };
    if let Some(Reply::Waiting { serial, about: waits }) =
        cx.session(link).map(|session| session.requester.reply)
        && waits == about
    {
        reply(cx, link, Reply::Done(RoomResponse { serial, result }));
    }
}

fn reply(cx: &mut Ctx<'_>, link: Id<ServerLink>, reply: Reply) {
    if let Some(session) = cx.session(link) {
        let owed = !matches!(reply, Reply::Waiting { .. });
        (session.requester.reply, session.requester.owed) = (reply, owed);
        cx.links.wake(link);
    }
}

fn write_names(
    table: &Table<'_>,
    accounts: &Accounts<'_>,
    serial: u64,
    of: Listed,
    packet: &mut Packet<'_, ServerRole>,
) -> bool {
    let mut buffer = [0; MAX_DATAGRAM];
    let limit = packet.room().saturating_sub(NAMES_HEADER).min(MAX_DATAGRAM);
    let Some(room) = buffer.get_mut(..limit).filter(|room| room.len() > 33) else {
        return false;
    };
    let (written, next) = match of {
        Listed::Members { of, from } => {
            let used = accounts.table.used();
            let (first, last) = (from.place(), used.min(from.place().saturating_add(PAGE)));
            let names = (first..last).map(|at| {
                let nick = accounts.table.at(at).and_then(|account| {
                    let member = table.members.get(table.member(of, account)?)?;
                    accounts.durable_nick(account).filter(|_| member.standing == Standing::Member)
                });
                (at, nick)
            });
            let (written, next) = page(room, names);
            (written, next.or((last < used).then_some(last)))
        }
        Listed::Rooms { from } => {
            let after = |row: &&RoomRow| table.from(Room(row.number.0.checked_add(1)?));
            let rows = core::iter::successors(table.from(from), after);
            page(room, rows.map(|row| (row.number.0, row.name.filter(|_| row.durable))))
        }
    };
    let names = buffer.get(..written).unwrap_or_default();
    packet.push(&Frame::Names(Names { serial, next, names }), SentFrame::Reply)
}

/// What came of a request.
pub(super) enum Done {
    Now(Result<(), RoomRefusal>),
    /// Once the store has answered about this.
    Later(About),
    /// These names are written.
    Listed(Listed),
    /// It is to come again, when the store has answered something else.
    Again,
}

/// Writes as many names as fit: how many bytes, and where the next page begins.
fn page<N: serde::Serialize>(
    out: &mut [u8],
    names: impl Iterator<Item = (u32, Option<N>)>,
) -> (usize, Option<u32>) {
    let mut written = 0;
    for (at, name) in names {
        let Some(name) = name else { continue };
        let room = out.get_mut(written..).unwrap_or_default();
        match postcard::to_slice(&name, room) {
            Ok(bytes) => written += bytes.len(),
            Err(_) => return (written, Some(at)),
        }
    }
    (written, None)
}
