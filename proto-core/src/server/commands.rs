//! What clients want of the server's rooms: to create, join and leave them, and to know
//! who and what there is.

use crate::{
    action::Ask,
    id::{Account, RoomName},
    link::Packet,
    storage::Id,
    wire::{Command, Frame, MAX_DATAGRAM, Names, Outcome, RoomRefusal, Wish},
};

use super::{
    Event, ServerLink,
    engine::{Engine, Taken},
    member::{ServerRole, Token},
    room::{Membership, RoomRow, Standing},
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
    /// The store is asked.
    Waiting(Command),
    /// This is what came of it.
    Done(Outcome),
    /// It asked for names.
    Names(Command),
}

impl Engine<'_> {
    /// What a client wants, in the packet `packet` of its link.
    pub(super) fn command(&mut self, link: Id<ServerLink>, packet: u64, command: Command) -> Taken {
        let Some(account) = self.author(link) else { return Taken::Done };
        let Some(member) = self.member(link) else { return Taken::Done };
        if packet < member.commanded {
            return Taken::Done;
        }
        member.commanded = packet;
        let known = match self.member(link).map(|member| member.reply) {
            Some(Reply::Waiting(last) | Reply::Names(last)) => last == command,
            Some(Reply::Done(outcome)) => outcome.serial == command.serial,
            Some(Reply::None) | None => false,
        };
        if known {
            return Taken::Done;
        }
        let result = match command.wish {
            Wish::Create(name) => self.create(account, name, command.serial),
            Wish::Join(name) => self.join(link, account, &name),
            Wish::Leave(name) => self.quit(account, &name),
            Wish::Rooms { .. } | Wish::Members { .. } => {
                self.reply(link, Reply::Names(command));
                return Taken::Done;
            }
        };
        match result {
            Done::Now(result) => {
                self.reply(link, Reply::Done(Outcome { serial: command.serial, result }));
            }
            Done::Later => self.reply(link, Reply::Waiting(command)),
            Done::Again => return Taken::NoRoom,
        }
        Taken::Done
    }

    /// A room's record is durable, or could not be made so.
    pub(super) fn room_saved(&mut self, id: Id<RoomRow>, saved: bool) {
        let Some(row) = self.rooms.get_mut(id) else { return };
        let (creator, serial, name) = (row.creator, row.serial, row.name);
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
        self.done(creator, |command| command.serial == serial, result);
    }

    /// A membership's record is durable, or could not be made so.
    pub(super) fn membership_saved(&mut self, id: Id<Membership>, saved: bool) {
        let Some(membership) = self.rooms.members.get_mut(id) else { return };
        let (account, room, standing) = (membership.account, membership.room, membership.standing);
        let name = self.rooms.slab.get(room).and_then(|row| row.name);
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
        let wished = |command: &Command| match command.wish {
            Wish::Join(wished) => joins && Some(wished) == name,
            Wish::Leave(wished) => !joins && Some(wished) == name,
            _ => false,
        };
        self.done(account, wished, result);
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
        self.state.asking_members.remove(&mut self.rooms.members, id);
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
            Reply::None | Reply::Waiting(_) => return,
            Reply::Done(outcome) => packet.push(&Frame::Outcome(outcome), Token::Reply),
            Reply::Names(command) => self.write_names(command, packet),
        };
        if let Some(member) = self.member(link).filter(|_| written) {
            member.reply_owed = false;
        }
    }

    fn create(&mut self, account: Account, name: RoomName, serial: u64) -> Done {
        if let Some(row) = self.rooms.by_name(&name).and_then(|id| self.rooms.get(id)) {
            return match ((row.creator, row.serial) == (account, serial), row.durable) {
                (true, true) => Done::Now(Ok(())),
                (true, false) => Done::Later,
                (false, _) => Done::Now(Err(RoomRefusal::Exists)),
            };
        }
        let Some(id) = self.rooms.add(name, account, serial) else {
            return Done::Now(Err(RoomRefusal::ServerFull));
        };
        if let Some(row) = self.rooms.get_mut(id) {
            row.save = Ask::Owed;
        }
        self.state.asking_rooms.push_back(&mut self.rooms.slab, id);
        Done::Later
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
                Some(Standing::Joining) => Done::Later,
                Some(Standing::Leaving) | None => Done::Again,
            };
        }
        if members >= self.state.config.members {
            return Done::Now(Err(RoomRefusal::RoomFull));
        }
        let membership = Membership::new(room, account, since, Standing::Joining);
        match self.add_membership(membership) {
            Some(id) => self.save_membership(id),
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
                self.save_membership(id)
            }
            Standing::Leaving => Done::Later,
            Standing::Joining => Done::Again,
        }
    }

    fn save_membership(&mut self, id: Id<Membership>) -> Done {
        if let Some(membership) = self.rooms.members.get_mut(id) {
            membership.save = Ask::Owed;
            self.state.asking_members.push_back(&mut self.rooms.members, id);
        }
        Done::Later
    }

    fn durable_room(&self, name: &RoomName) -> Option<(Id<RoomRow>, &RoomRow)> {
        let id = self.rooms.by_name(name)?;
        Some((id, self.rooms.get(id).filter(|row| row.durable)?))
    }

    /// A command that waits, if `is` says that it is this one, is done.
    fn done(
        &mut self,
        account: Account,
        is: impl Fn(&Command) -> bool,
        result: Result<(), RoomRefusal>,
    ) {
        let Some(link) = self.accounts.get(account).and_then(|row| row.link) else { return };
        let Some(Reply::Waiting(command)) = self.member(link).map(|member| member.reply) else {
            return;
        };
        if is(&command) {
            self.reply(link, Reply::Done(Outcome { serial: command.serial, result }));
        }
    }

    fn reply(&mut self, link: Id<ServerLink>, reply: Reply) {
        if let Some(member) = self.member(link) {
            (member.reply, member.reply_owed) = (reply, !matches!(reply, Reply::Waiting(_)));
            self.links.wake(link);
        }
    }

    fn write_names(&self, command: Command, packet: &mut Packet<'_, ServerRole>) -> bool {
        let mut buffer = [0; MAX_DATAGRAM];
        let limit = packet.room().saturating_sub(NAMES_HEADER).min(MAX_DATAGRAM);
        let Some(room) = buffer.get_mut(..limit).filter(|room| room.len() > 33) else {
            return false;
        };
        let (written, next) = match command.wish {
            Wish::Members { of, from } => {
                let room_id = match of {
                    Some(name) => self.durable_room(&name).map(|(id, _)| id),
                    None => self.rooms.by_number(crate::id::Room::LOBBY),
                };
                let Some(room_id) = room_id else {
                    let result = Err(RoomRefusal::Unknown);
                    let outcome = Outcome { serial: command.serial, result };
                    return packet.push(&Frame::Outcome(outcome), Token::Reply);
                };
                let last = self.accounts.count().min(from.0.saturating_add(PAGE));
                let names = (from.0..last).map(|at| {
                    let account = Account(at);
                    let place = self.rooms.member(room_id, account);
                    let place = place.and_then(|id| self.rooms.members.get(id));
                    let is_member = place.is_some_and(|p| p.standing != Standing::Joining);
                    let row = self.accounts.get(account).filter(|row| is_member && row.durable);
                    (at, row.map(|row| row.nick))
                });
                let (written, next) = page(room, names);
                (written, next.or((last < self.accounts.count()).then_some(last)))
            }
            Wish::Rooms { from } => page(
                room,
                (from.0..*self.rooms.next).map(|at| {
                    let id = self.rooms.by_number(crate::id::Room(at));
                    (
                        at,
                        id.and_then(|id| self.rooms.get(id))
                            .filter(|row| row.durable)
                            .and_then(|row| row.name),
                    )
                }),
            ),
            Wish::Create(_) | Wish::Join(_) | Wish::Leave(_) => return true,
        };
        let names = buffer.get(..written).unwrap_or_default();
        packet.push(&Frame::Names(Names { serial: command.serial, next, names }), Token::Reply)
    }
}

/// What came of a command.
enum Done {
    Now(Result<(), RoomRefusal>),
    /// Once the store has answered.
    Later,
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
