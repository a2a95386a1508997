//! The tables of rooms and of places in them.

use core::time::Duration;

use crate::{
    id::{Account, Nick, Position, Recipient, Room, RoomName},
    storage::{Bucket, Id, Index, Slab, SlabHead, Slot},
    time::Instant,
};

use super::{
    super::view::RoomView,
    member::{Member, Places},
    row::RoomRow,
};

/// The tables of rooms and of places.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    pub(super) slab: Slab<'a, RoomRow>,
    pub(super) by_number: Index<'a>,
    pub(super) by_name: Index<'a>,
    pub(super) members: Slab<'a, Member>,
    pub(super) by_member: Index<'a>,
    /// Numbers given out.
    pub(super) next: &'a mut u32,
}

/// What goes with the tables of rooms.
#[derive(Debug)]
pub(super) struct TableHead {
    slab: SlabHead,
    members: SlabHead,
    next: u32,
}

impl TableHead {
    pub(super) const NEW: Self = Self { slab: SlabHead::NEW, members: SlabHead::NEW, next: 0 };
}

impl<'a> Table<'a> {
    pub(super) fn new(tables: RoomTables<'a>, head: &'a mut TableHead, hash: [u8; 16]) -> Self {
        let TableHead { slab, members, next } = head;
        Self {
            slab: Slab::new(tables.rooms, slab),
            by_number: Index::new(tables.by_number, hash),
            by_name: Index::new(tables.by_name, hash),
            members: Slab::new(tables.members, members),
            by_member: Index::new(tables.by_member, hash),
            next,
        }
    }
}

/// The slices that rooms live in.
#[allow(missing_debug_implementations)] // megabytes
pub struct RoomTables<'a> {
    /// The rooms, the lobby among them.
    pub rooms: &'a mut [Slot<RoomRow>],
    /// [`Index::buckets`] for the rooms.
    pub by_number: &'a mut [Bucket],
    /// [`Index::buckets`] for the rooms.
    pub by_name: &'a mut [Bucket],
    /// The places of accounts in rooms: at least one for each account, in the lobby.
    pub members: &'a mut [Slot<Member>],
    /// [`Index::buckets`] for the members.
    pub by_member: &'a mut [Bucket],
}

impl Table<'_> {
    pub(super) fn get(&self, id: Id<RoomRow>) -> Option<&RoomRow> {
        self.slab.get(id)
    }

    pub(super) fn get_mut(&mut self, id: Id<RoomRow>) -> Option<&mut RoomRow> {
        self.slab.get_mut(id)
    }

    pub(super) fn by_number(&self, room: Room) -> Option<Id<RoomRow>> {
        self.find(&self.by_number, &room.0.to_le_bytes(), |row| row.number == room)
    }

    /// The room with the least number from this one on.
    pub(super) fn from(&self, room: Room) -> Option<&RoomRow> {
        let rows = self.slab.iter().map(|(_, row)| row);
        rows.filter(|row| row.number >= room).min_by_key(|row| row.number)
    }

    pub(super) fn by_name(&self, name: &RoomName) -> Option<Id<RoomRow>> {
        self.find(&self.by_name, &name.skeleton(), |row| row.name == Some(*name))
    }

    /// A room's name looks like this one. An older store may have several that look alike.
    pub(super) fn has_lookalike(&self, name: &RoomName) -> bool {
        let skeleton = name.skeleton();
        let is_like = |row: &RoomRow| row.name.is_some_and(|name| name.skeleton() == skeleton);
        self.find(&self.by_name, &skeleton, is_like).is_some()
    }

    /// Adds a room under the next number, `least` at least; `None` if there is no room.
    pub(super) fn add(
        &mut self,
        name: RoomName,
        creator: Account,
        serial: u64,
        least: u32,
    ) -> Option<Id<RoomRow>> {
        let number = Room(least.max(*self.next));
        if self.by_number(number).is_some() {
            return None;
        }
        self.put(RoomRow::new(number, Some(name), creator, serial))
    }

    /// Adds a room under its number; `None` if there is no room.
    pub(super) fn put(&mut self, row: RoomRow) -> Option<Id<RoomRow>> {
        let (number, name) = (row.number, row.name);
        let id = self.slab.insert(row).ok()?;
        let named = name.is_none_or(|name| self.by_name.insert(&name.skeleton(), id.slot()));
        let indexed = named && self.by_number.insert(&number.0.to_le_bytes(), id.slot());
        debug_assert!(indexed, "the indexes have more buckets than there are rooms");
        *self.next = (*self.next).max(number.0.saturating_add(1));
        Some(id)
    }

    /// A room that can give way to another: the oldest of those that have been empty for so long.
    pub(super) fn oldest_empty(&self, now: Instant, span: Duration) -> Option<Id<RoomRow>> {
        let rooms = self.slab.iter().filter(|(_, row)| {
            let is_there = row.name.is_some() && row.durable;
            is_there && now.since(row.used) >= span && row.is_empty()
        });
        rooms.min_by_key(|(_, row)| row.number).map(|(id, _)| id)
    }

    /// There is little room for more rooms: a quarter at most.
    pub(super) fn is_scarce(&self) -> bool {
        self.slab.len() * 4 >= self.slab.capacity() * 3
    }

    /// There was a room with this number, or still is.
    pub(crate) fn was_given(&self, room: Room) -> bool {
        room.0 < *self.next
    }

    /// A room's name is free.
    pub(super) fn unname(&mut self, id: Id<RoomRow>) {
        let slab = &self.slab;
        let name_at = |slot| Some(slab.get(slab.id_at(slot)?)?.name?.skeleton());
        if let Some(name) = slab.get(id).and_then(|row| row.name) {
            self.by_name.remove(&name.skeleton(), id.slot(), name_at);
        }
        if let Some(row) = self.slab.get_mut(id) {
            row.name = None;
        }
    }

    /// Takes out a room that the store does not have.
    pub(super) fn remove(&mut self, id: Id<RoomRow>) {
        self.unname(id);
        let Some(row) = self.slab.remove(id) else { return };
        let slab = &self.slab;
        let row_at = |slot| slab.get(slab.id_at(slot)?);
        self.by_number.remove(&row.number.0.to_le_bytes(), id.slot(), |slot| {
            Some(row_at(slot)?.number.0.to_le_bytes())
        });
    }

    /// The place of an account in a room.
    pub(super) fn member(&self, room: Id<RoomRow>, account: Account) -> Option<Id<Member>> {
        let slot = self.by_member.find(&member_name(room, account), |slot| {
            let found = self.members.id_at(slot).and_then(|id| self.members.get(id));
            found.is_some_and(|found| (found.room, found.account) == (room, account))
        })?;
        self.members.id_at(slot)
    }

    /// In how many rooms an account with these places is a member.
    pub(crate) fn count(&self, places: Places) -> u32 {
        let (mut at, mut count) = (places.front(), 0);
        while let Some(place) = at.and_then(|id| self.members.get(id)) {
            at = place.next_place();
            count += u32::from(place.is_member());
        }
        count
    }

    /// Whether an account may say something in a room.
    pub(crate) fn may_say(&self, author: Account, room: Room) -> bool {
        let row = self.by_number(room).and_then(|id| Some((id, self.get(id)?)));
        let room = row.filter(|(_, row)| !row.removed).map(|(id, _)| id);
        let member = room.and_then(|room| self.members.get(self.member(room, author)?));
        member.is_some_and(Member::is_member)
    }

    /// Every room with a name that the store has, for people to look at; `nick` finds its creator's.
    pub(crate) fn views(
        &self,
        nick: impl Fn(Account) -> Option<Nick>,
    ) -> impl Iterator<Item = RoomView> {
        self.slab.iter().filter(|(_, row)| row.durable).filter_map(move |(_, row)| {
            Some(RoomView {
                name: row.name?,
                creator: nick(row.creator),
                members: row.inside(),
                invite_only: row.invite_only,
            })
        })
    }

    /// There is a room with this number.
    pub(crate) fn has(&self, room: Room) -> bool {
        self.by_number(room).is_some()
    }

    /// The last line of the lobby that was there before an account.
    pub(crate) fn lobby_since(&self, account: Account) -> u64 {
        let lobby = self.by_number(Room::LOBBY);
        let place = lobby.and_then(|lobby| self.member(lobby, account));
        place.and_then(|id| self.members.get(id)).map_or(0, |place| place.since)
    }

    /// Whose the last line of a room is, and its author's number for it.
    pub(crate) fn last_of(&self, recipient: Recipient) -> Option<(Account, Position)> {
        let Recipient::Room(room) = recipient else { return None };
        self.by_number(room).and_then(|id| self.get(id))?.head_of
    }

    /// The room that everyone is in, and that is always there.
    pub(crate) fn lobby(&mut self) -> Option<Id<RoomRow>> {
        self.by_number(Room::LOBBY).or_else(|| {
            let lobby = RoomRow::new(Room::LOBBY, None, Account(0), 0);
            self.put(RoomRow { durable: true, ..lobby })
        })
    }

    /// A room that the store has.
    pub(super) fn durable(&self, name: &RoomName) -> Option<(Id<RoomRow>, &RoomRow)> {
        let id = self.by_name(name)?;
        Some((id, self.get(id).filter(|row| row.durable)?))
    }

    /// How many rooms and places there are, and how many there can be.
    pub(crate) fn usage(&self) -> [(usize, usize); 2] {
        let (rooms, members) = (&self.slab, &self.members);
        [(rooms.len(), rooms.capacity()), (members.len(), members.capacity())]
    }

    /// Gives an account a place in a room; `None` if there is no room.
    pub(super) fn add_member(&mut self, membership: Member) -> Option<Id<Member>> {
        let name = member_name(membership.room, membership.account);
        let room = membership.room;
        let is_outside = membership.is_outside();
        let id = self.members.insert(membership).ok()?;
        let indexed = self.by_member.insert(&name, id.slot());
        debug_assert!(indexed, "the index has more buckets than there are places");
        if let Some(row) = self.slab.get_mut(room) {
            row.members += 1;
            row.outside += u32::from(is_outside);
        }
        Some(id)
    }

    /// Takes out a membership that is in no list.
    pub(super) fn remove_member(&mut self, id: Id<Member>) {
        let Some(gone) = self.members.remove(id) else { return };
        if let Some(row) = self.slab.get_mut(gone.room) {
            row.members = row.members.saturating_sub(1);
            row.outside = row.outside.saturating_sub(u32::from(gone.is_outside()));
        }
        let members = &self.members;
        self.by_member.remove(&member_name(gone.room, gone.account), id.slot(), |slot| {
            let other = members.get(members.id_at(slot)?)?;
            Some(member_name(other.room, other.account))
        });
    }

    fn find(
        &self,
        index: &Index<'_>,
        name: &[u8],
        mut is: impl FnMut(&RoomRow) -> bool,
    ) -> Option<Id<RoomRow>> {
        let slot = index.find(name, |slot| {
            self.slab.id_at(slot).and_then(|id| self.slab.get(id)).is_some_and(&mut is)
        })?;
        self.slab.id_at(slot)
    }
}

fn member_name(room: Id<RoomRow>, account: Account) -> [u8; 8] {
    (u64::from(room.slot()) << 32 | u64::from(account.0)).to_le_bytes()
}
