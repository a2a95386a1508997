//! What the creator of a room has done in it, and the operator in any.

use crate::{
    host::Ask,
    id::{Account, RoomName},
    record::Standing,
    storage::Id,
    wire::{Left, LeftReason, RoomRefusal},
};

use super::{
    super::{
        accounts::Accounts,
        ctx::Ctx,
        event::{OperateError, RoomOperation},
        role::ServerLink,
        submit::Submissions,
    },
    member::Member,
    request::About,
    requests::{Done, RoomRequests},
    row::{Burial, RoomRow},
    state::Rooms,
};

/// A room, someone, and their place in it, if they have one.
type Found = (Id<RoomRow>, Account, Option<Id<Member>>);

impl RoomRequests<'_, '_> {
    /// Puts someone out of a room for good; `by` its creator, or the operator.
    pub(super) fn kick(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        (by, name): (Option<Account>, &RoomName),
        who: Option<Account>,
    ) -> Done {
        let (room, who, place) = match self.place_of(accounts, (by, name), who) {
            Ok(found) => found,
            Err(done) => return done,
        };
        let standing =
            place.and_then(|id| self.rooms.table.members.get(id)).map(|one| one.standing);
        match (standing, place) {
            (Some(Standing::Barred), _) => return Done::Now(Ok(())),
            (Some(Standing::Member), Some(id)) => {
                self.rooms.leave(cx, accounts, submissions, id);
                let link = accounts.link(who).filter(|link| cx.online(*link).is_some());
                self.tell_left(cx, link, id, LeftReason::Removed);
            }
            _ => {}
        }
        self.set(cx, accounts, (room, who, place), (Standing::Barred, by))
    }

    /// Lets someone into a room, also after they were put out.
    pub(super) fn invite(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        (by, name): (Account, &RoomName),
        who: Option<Account>,
    ) -> Done {
        let found = match self.place_of(accounts, (Some(by), name), who) {
            Ok(found) => found,
            Err(done) => return done,
        };
        let place = found.2.and_then(|id| self.rooms.table.members.get(id));
        if let Some(Standing::Member | Standing::Invited) = place.map(|place| place.standing) {
            return Done::Now(Ok(()));
        }
        self.set(cx, accounts, found, (Standing::Invited, Some(by)))
    }

    /// Lets only those into a room who are invited, or anyone.
    pub(super) fn invite_only(
        &mut self,
        cx: &mut Ctx<'_>,
        (by, name): (Account, &RoomName),
        on: bool,
    ) -> Done {
        let id = match self.own(Some(by), name) {
            Ok(id) => id,
            Err(done) => return done,
        };
        let Some(row) = self.rooms.table.get_mut(id) else { return Done::Again };
        if row.invite_only == on {
            return Done::Now(Ok(()));
        }
        (row.wanted, row.by, row.save) = (Some(on), Some(by), Ask::Owed);
        cx.requests.ask(&mut self.rooms.table.slab, id);
        Done::Later(About::Room(id))
    }

    /// A room is to be no more; `by` its creator, or the operator. Nothing more is said in it.
    pub(super) fn delete(
        &mut self,
        cx: &mut Ctx<'_>,
        by: Option<Account>,
        name: &RoomName,
    ) -> Done {
        let id = match self.own(by, name) {
            Ok(id) => id,
            Err(done) => return done,
        };
        if let Some(row) = self.rooms.table.get_mut(id) {
            (row.durable, row.removed, row.by, row.save) = (false, true, by, Ask::Owed);
        }
        cx.requests.ask(&mut self.rooms.table.slab, id);
        Done::Later(About::Room(id))
    }

    /// The operator wants something done to a room: `true` once it is under way, `false` if it is
    /// so already.
    pub(crate) fn operate(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        name: &RoomName,
        operation: RoomOperation,
    ) -> Result<bool, OperateError> {
        let done = match operation {
            RoomOperation::Delete => self.delete(cx, None, name),
            RoomOperation::Kick(nick) => {
                let who = accounts.table.by_nick(&nick);
                self.kick(cx, accounts, submissions, (None, name), who)
            }
        };
        match done {
            Done::Later(_) => Ok(true),
            Done::Now(Ok(())) => Ok(false),
            Done::Now(Err(RoomRefusal::Unknown)) => Err(OperateError::UnknownRoom),
            Done::Now(Err(RoomRefusal::NoPerson)) => Err(OperateError::Unknown),
            Done::Now(Err(_)) | Done::Listed(_) | Done::Again => Err(OperateError::Busy),
        }
    }

    /// A room that `by` has a say in: its creator has, and the operator.
    fn own(&self, by: Option<Account>, name: &RoomName) -> Result<Id<RoomRow>, Done> {
        let Some((id, row)) = self.rooms.table.durable(name) else {
            return Err(Done::Now(Err(RoomRefusal::Unknown)));
        };
        if by.is_some_and(|by| by != row.creator) {
            return Err(Done::Now(Err(RoomRefusal::NotCreator)));
        }
        if row.save == Ask::Idle { Ok(id) } else { Err(Done::Again) }
    }

    /// Someone else, and their place in a room that `by` has a say in, if they have one.
    fn place_of(
        &self,
        accounts: &Accounts<'_>,
        (by, name): (Option<Account>, &RoomName),
        who: Option<Account>,
    ) -> Result<Found, Done> {
        let room = self.own(by, name)?;
        let who = who.filter(|who| Some(*who) != by && accounts.durable_nick(*who).is_some());
        let who = who.ok_or(Done::Now(Err(RoomRefusal::NoPerson)))?;
        let place = self.rooms.table.member(room, who);
        let is_busy = |id| self.rooms.table.members.get(id).is_some_and(|one| one.wanted.is_some());
        if place.is_some_and(is_busy) { Err(Done::Again) } else { Ok((room, who, place)) }
    }

    /// Someone is to be something in a room.
    fn set(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        (room, who, place): Found,
        wanted: (Standing, Option<Account>),
    ) -> Done {
        let row = self.rooms.table.get(room);
        if place.is_none() && row.is_none_or(|row| row.members >= cx.config.members) {
            return Done::Now(Err(RoomRefusal::RoomFull));
        }
        let since = row.map_or(0, |row| row.head);
        let new = || Member::new(room, who, since, Standing::Nobody);
        match place.or_else(|| self.add(accounts, new())) {
            Some(id) => self.save(cx, id, wanted),
            None => Done::Now(Err(RoomRefusal::ServerFull)),
        }
    }

    /// A room is no more: its members are put out, its name is free, and what the store has of it
    /// goes.
    pub(super) fn take_down(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        submissions: &mut Submissions<'_>,
        id: Id<RoomRow>,
    ) {
        for slot in 0..self.rooms.table.members.capacity() as u32 {
            let members = &self.rooms.table.members;
            let place = members.id_at(slot);
            if let Some(place) =
                place.filter(|place| members.get(*place).is_some_and(|m| m.room == id))
            {
                let link = members.get(place).and_then(|member| member.link);
                self.tell_left(cx, link, place, LeftReason::Deleted);
                self.end(cx, accounts, submissions, place);
            }
        }
        let table = &mut self.rooms.table;
        table.unname(id);
        let Some(row) = table.get_mut(id) else { return };
        if let Some(places) = accounts.places_mut(row.creator) {
            places.discount_room();
        }
        if row.is_empty() {
            cx.requests.settle(&mut table.slab, id);
            table.remove(id);
        } else {
            (row.burial, row.forget) = (Some(Burial::Log), Ask::Owed);
            cx.requests.ask(&mut table.slab, id);
            // Those who wait for readers are refused.
            self.rooms.go_on(cx, accounts, submissions, id);
        }
    }

    /// A link's client is told that it has lost its place in a room.
    fn tell_left(
        &self,
        cx: &mut Ctx<'_>,
        link: Option<Id<ServerLink>>,
        id: Id<Member>,
        reason: LeftReason,
    ) {
        let table = &self.rooms.table;
        let room = table.members.get(id).and_then(|member| table.get(member.room));
        if let Some((link, room)) = link.zip(room.map(|row| row.number))
            && let Some(session) = cx.session(link)
        {
            session.turns.tell_left(Left { room, reason });
            cx.links.wake(link);
        }
    }
}

/// What the store has of a room that was deleted goes, one log after the other; then its place is
/// free.
pub(super) fn bury(rooms: &mut Rooms<'_>, cx: &mut Ctx<'_>, id: Id<RoomRow>) {
    let Some(row) = rooms.table.get_mut(id).filter(|row| row.forget == Ask::Idle) else { return };
    match row.burial {
        None => {}
        Some(Burial::Log) => {
            (row.burial, row.forget) = (Some(Burial::Members), Ask::Owed);
            cx.requests.ask(&mut rooms.table.slab, id);
        }
        Some(Burial::Members | Burial::Over) => {
            row.burial = Some(Burial::Over);
            if row.appending.is_empty() {
                rooms.waiting.remove(&mut rooms.table.slab, id);
                cx.requests.settle(&mut rooms.table.slab, id);
                rooms.table.remove(id);
            }
        }
    }
}
