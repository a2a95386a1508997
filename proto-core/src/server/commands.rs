//! What clients want of the server's rooms: to create, join and leave them, and to know
//! who and what there is.

use crate::{
    host::Ask,
    id::{Account, Room, RoomName},
    link::Packet,
    storage::Id,
    wire::{Command, Frame, MAX_DATAGRAM, Names, Outcome, RoomRefusal, Wish},
};

use super::{
    Event, ServerLink,
    engine::{Engine, FrameOutcome},
    member::{ServerRole, Token},
    room::{Membership, Queue, RoomRow, Standing},
};

/// Bytes of a `Names` frame's body that are not names.
const NAMES_HEADER: usize = 10 + 1 + 5 + 3;

/// Accounts that are looked at for one page of names.
const PAGE: u32 = 1024;

/// How far a client's last command is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reply {
    /// There was none.
    #[default]
    None,
    /// The store is asked, about a room or a place in it.
    Waiting { serial: u64, room: Id<RoomRow> },
    /// This is what came of it.
    Done(Outcome),
    /// It asked for names.
    Names { serial: u64, of: Listed },
}

/// Names that can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    /// Those of rooms, from this one on.
    Rooms { from: Room },
    /// Those of a room's members, from this account on.
    Members { of: Id<RoomRow>, from: Account },
}

impl Reply {
    fn serial(self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Waiting { serial, .. } | Self::Names { serial, .. } => Some(serial),
            Self::Done(outcome) => Some(outcome.serial),
        }
    }
}

impl Engine<'_> {
    /// What a client wants, in the packet `packet` of its link.
    pub(super) fn command(
        &mut self,
        link: Id<ServerLink>,
        packet: u64,
        command: Command,
    ) -> FrameOutcome {
        let Some(account) = self.author(link) else { return FrameOutcome::Done };
        let Some(member) = self.member(link) else { return FrameOutcome::Done };
        if packet < member.commanded {
            return FrameOutcome::Done;
        }
        member.commanded = packet;
        let serial = command.serial;
        if member.reply.serial() == Some(serial) {
            return FrameOutcome::Done;
        }
        let done = match command.wish {
            Wish::Create(name) => self.create(account, name, serial),
            Wish::Join(name) => self.join(link, account, &name),
            Wish::Leave(name) => self.quit(account, &name),
            Wish::Rooms { from } => Done::Listed(Listed::Rooms { from }),
            Wish::Members { of, from } => {
                let of = match of {
                    Some(name) => self.durable_room(&name).map(|(id, _)| id),
                    None => self.rooms.by_number(Room::LOBBY),
                };
                of.map_or(Done::Now(Err(RoomRefusal::Unknown)), |of| {
                    Done::Listed(Listed::Members { of, from })
                })
            }
        };
        self.reply(
            link,
            match done {
                Done::Now(result) => Reply::Done(Outcome { serial, result }),
                Done::Later(room) => Reply::Waiting { serial, room },
                Done::Listed(of) => Reply::Names { serial, of },
                Done::Again => return FrameOutcome::NoRoom,
            },
        );
        FrameOutcome::Done
    }

    /// A room's record is durable, or could not be made so.
    pub(super) fn room_saved(&mut self, id: Id<RoomRow>, saved: bool) {
        let Some(row) = self.rooms.get_mut(id) else { return };
        let (creator, name) = (row.creator, row.name);
        row.durable = saved;
        match name {
            Some(name) if saved => self.tell(Event::RoomCreated { room: name, by: creator }),
            _ => {
                self.tell(Event::StoreFailed);
                self.state.asking_rooms.remove(&mut self.rooms.slab, id);
                self.rooms.remove(id);
            }
        }
        let result = if saved { Ok(()) } else { Err(RoomRefusal::Store) };
        self.done(creator, id, result);
    }

    /// A membership's record is durable, or could not be made so.
    pub(super) fn membership_saved(&mut self, id: Id<Membership>, saved: bool) {
        let Some(membership) = self.rooms.members.get_mut(id) else { return };
        let (account, room, standing) = (membership.account, membership.room, membership.standing);
        let joins = standing == Standing::Joining;
        if !saved {
            self.tell(Event::StoreFailed);
        }
        if joins == saved {
            if let Some(membership) = self.rooms.members.get_mut(id) {
                membership.standing = Standing::Member;
            }
            // Who could not leave is read to again.
            let link = self.accounts.get(account).and_then(|row| row.link);
            if let Some(link) = link.filter(|link| self.author(*link).is_some()) {
                self.enter_room(link, id);
            }
        } else {
            self.end_membership(id);
        }
        let result = if saved { Ok(()) } else { Err(RoomRefusal::Store) };
        self.done(account, room, result);
    }

    /// Gives an account a place in a room; `None` if there is no room.
    pub(super) fn add_membership(&mut self, membership: Membership) -> Option<Id<Membership>> {
        let account = membership.account;
        let id = self.rooms.add_member(membership)?;
        let row = self.accounts.get_mut(account)?;
        row.rooms.push_back(&mut self.rooms.members, id);
        Some(id)
    }

    /// Takes an account's place in a room from it.
    pub(super) fn end_membership(&mut self, id: Id<Membership>) {
        self.leave_room(id);
        let Some(account) = self.rooms.members.get(id).map(|membership| membership.account) else {
            return;
        };
        if let Some(row) = self.accounts.get_mut(account) {
            row.rooms.remove(&mut self.rooms.members, id);
        }
        self.rooms.remove_member(id);
    }

    pub(super) fn write_reply(
        &mut self,
        link: Id<ServerLink>,
        packet: &mut Packet<'_, ServerRole>,
    ) {
        let Some(member) = self.member(link).filter(|member| member.reply_owed) else { return };
        let written = match member.reply {
            Reply::None | Reply::Waiting { .. } => return,
            Reply::Done(outcome) => packet.push(&Frame::Outcome(outcome), Token::Reply),
            Reply::Names { serial, of } => self.write_names(serial, of, packet),
        };
        if let Some(member) = self.member(link).filter(|_| written) {
            member.reply_owed = false;
        }
    }

    fn create(&mut self, account: Account, name: RoomName, serial: u64) -> Done {
        let known = self.rooms.by_name(&name);
        if let Some((id, row)) = known.and_then(|id| Some((id, self.rooms.get(id)?))) {
            return match ((row.creator, row.serial) == (account, serial), row.durable) {
                (true, true) => Done::Now(Ok(())),
                (true, false) => Done::Later(id),
                (false, _) => Done::Now(Err(RoomRefusal::Exists)),
            };
        }
        let Some(id) = self.rooms.add(name, account, serial, self.seconds()) else {
            return Done::Now(Err(RoomRefusal::ServerFull));
        };
        if let Some(row) = self.rooms.get_mut(id) {
            row.save = Ask::Owed;
        }
        self.state.asking_rooms.push_back(&mut self.rooms.slab, id);
        Done::Later(id)
    }

    fn join(&mut self, link: Id<ServerLink>, account: Account, name: &RoomName) -> Done {
        let Some((room, row)) = self.durable_room(name) else {
            return Done::Now(Err(RoomRefusal::Unknown));
        };
        let (members, since) = (row.members, row.head);
        if let Some(id) = self.rooms.member(room, account) {
            let standing = self.rooms.members.get(id).map(|membership| membership.standing);
            return match standing {
                Some(Standing::Member) => {
                    self.enter_room(link, id);
                    Done::Now(Ok(()))
                }
                Some(Standing::Joining) => Done::Later(room),
                Some(Standing::Leaving) | None => Done::Again,
            };
        }
        if members >= self.state.config.members {
            return Done::Now(Err(RoomRefusal::RoomFull));
        }
        let membership = Membership::new(room, account, since, Standing::Joining);
        match self.add_membership(membership) {
            Some(id) => {
                self.save_membership(id);
                Done::Later(room)
            }
            None => Done::Now(Err(RoomRefusal::ServerFull)),
        }
    }

    fn quit(&mut self, account: Account, name: &RoomName) -> Done {
        let Some((room, _)) = self.durable_room(name) else {
            return Done::Now(Err(RoomRefusal::Unknown));
        };
        // Who is no member has left: perhaps the answer to that got lost.
        let Some(id) = self.rooms.member(room, account) else { return Done::Now(Ok(())) };
        let Some(membership) = self.rooms.members.get_mut(id) else { return Done::Again };
        match membership.standing {
            Standing::Member => {
                membership.standing = Standing::Leaving;
                self.leave_room(id);
                self.save_membership(id);
                Done::Later(room)
            }
            Standing::Leaving => Done::Later(room),
            Standing::Joining => Done::Again,
        }
    }

    fn save_membership(&mut self, id: Id<Membership>) {
        if let Some(membership) = self.rooms.members.get_mut(id) {
            (membership.ask, membership.queue) = (Ask::Owed, Queue::Asking);
            self.state.asking_members.push_back(&mut self.rooms.members, id);
        }
    }

    fn durable_room(&self, name: &RoomName) -> Option<(Id<RoomRow>, &RoomRow)> {
        let id = self.rooms.by_name(name)?;
        Some((id, self.rooms.get(id).filter(|row| row.durable)?))
    }

    /// What an account waits for about a room is done.
    fn done(&mut self, account: Account, about: Id<RoomRow>, result: Result<(), RoomRefusal>) {
        let Some(link) = self.accounts.get(account).and_then(|row| row.link) else { return };
        if let Some(Reply::Waiting { serial, room }) = self.member(link).map(|member| member.reply)
            && room == about
        {
            self.reply(link, Reply::Done(Outcome { serial, result }));
        }
    }

    fn reply(&mut self, link: Id<ServerLink>, reply: Reply) {
        if let Some(member) = self.member(link) {
            (member.reply, member.reply_owed) = (reply, !matches!(reply, Reply::Waiting { .. }));
            self.links.wake(link);
        }
    }

    fn write_names(&self, serial: u64, of: Listed, packet: &mut Packet<'_, ServerRole>) -> bool {
        let mut buffer = [0; MAX_DATAGRAM];
        let limit = packet.room().saturating_sub(NAMES_HEADER).min(MAX_DATAGRAM);
        let Some(room) = buffer.get_mut(..limit).filter(|room| room.len() > 33) else {
            return false;
        };
        let (written, next) = match of {
            Listed::Members { of, from } => {
                let last = self.accounts.count().min(from.0.saturating_add(PAGE));
                let names = (from.0..last).map(|at| {
                    let account = Account(at);
                    let place = self.rooms.member(of, account);
                    let place = place.and_then(|id| self.rooms.members.get(id));
                    let is_member = place.is_some_and(|p| p.standing != Standing::Joining);
                    let row = self.accounts.get(account).filter(|row| is_member && row.durable);
                    (at, row.map(|row| row.nick))
                });
                let (written, next) = page(room, names);
                (written, next.or((last < self.accounts.count()).then_some(last)))
            }
            Listed::Rooms { from } => {
                let after = |row: &&RoomRow| self.rooms.from(Room(row.number.0.checked_add(1)?));
                let rows = core::iter::successors(self.rooms.from(from), after);
                page(room, rows.map(|row| (row.number.0, row.name.filter(|_| row.durable))))
            }
        };
        let names = buffer.get(..written).unwrap_or_default();
        packet.push(&Frame::Names(Names { serial, next, names }), Token::Reply)
    }
}

/// What came of a command.
enum Done {
    Now(Result<(), RoomRefusal>),
    /// Once the store has answered about this room.
    Later(Id<RoomRow>),
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
