//! The rooms, and who is a member of which: a room is a log, and each member a
//! cursor in it.

use crate::{
    host::Ask,
    id::{Account, Incarnation, Position, Room, RoomName},
    link::{Credit, Run},
    storage::{Bucket, Id, Index, Linked, List, Node, Slab, SlabHead, Slot},
    time::{Instant, UnixTime},
    wire::GoneReason,
};

use super::{
    ServerLink,
    entry::{Asking, Entry, Queued},
    readers::Readers,
};

/// A room.
#[derive(Debug)]
pub struct RoomRow {
    pub(super) number: Room,
    /// None for the lobby.
    pub(super) name: Option<RoomName>,
    /// Who created it, with which command.
    pub(super) creator: Account,
    pub(super) serial: u64,
    /// The store has it.
    pub(super) durable: bool,
    pub(super) save: Ask,
    /// The first entry that is kept, and the last that is durable.
    pub(super) first: u64,
    pub(super) head: u64,
    /// The last entry that the store was asked to save.
    pub(super) asked: u64,
    /// The runs that appended the last durable entry and that one; none if it is not known.
    pub(super) head_run: Incarnation,
    pub(super) asked_run: Incarnation,
    /// Entries that the store was asked to save and has not answered for, in order.
    pub(super) appending: List<Entry, Queued>,
    /// Whose the last durable entry is. Its record speaks for its author; where all others
    /// are is saved apart.
    pub(super) head_of: Option<(Account, Position)>,
    /// The last entry that the store was asked to save, until its author's place is saved:
    /// ahead of the entry behind it.
    pub(super) unplaced: Option<(Account, Position)>,
    pub(super) place: Ask,
    /// Bytes of all bodies in the log, from its beginning on.
    pub(super) bytes: u64,
    /// What is known of the oldest entry that was looked at.
    pub(super) oldest: Oldest,
    pub(super) look: Ask,
    pub(super) forget: Ask,
    /// The store was asked to forget all up to here.
    pub(super) forgotten: u64,
    pub(super) members: u32,
    /// Members with nothing more to read.
    pub(super) caught_up: List<Membership, Turn>,
    pub(super) readers: Readers,
    pub(super) asking: Node<Self>,
}

/// The oldest entry of a room, as far as it was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Oldest {
    pub(super) index: u64,
    pub(super) received: UnixTime,
    /// Bytes of all bodies before it.
    pub(super) bytes: u64,
}

impl RoomRow {
    pub(super) fn new(number: Room, name: Option<RoomName>, creator: Account, serial: u64) -> Self {
        Self {
            number,
            name,
            creator,
            serial,
            durable: false,
            save: Ask::Idle,
            first: 1,
            head: 0,
            asked: 0,
            head_run: Incarnation::NONE,
            asked_run: Incarnation::NONE,
            appending: List::NEW,
            head_of: None,
            unplaced: None,
            place: Ask::Idle,
            bytes: 0,
            oldest: Oldest::default(),
            look: Ask::Idle,
            forget: Ask::Idle,
            forgotten: 0,
            members: 0,
            caught_up: List::NEW,
            readers: Readers::NEW,
            asking: Node::UNLINKED,
        }
    }
}

impl Linked<Asking> for RoomRow {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.asking
    }
}

/// An account's place in a room.
#[derive(Debug)]
pub struct Membership {
    pub(super) room: Id<RoomRow>,
    pub(super) account: Account,
    pub(super) standing: Standing,
    /// The store is to read an entry for a member, or to save that it is becoming one, or
    /// none.
    pub(super) ask: Ask,
    /// The last entry of the room's log that came before it joined.
    pub(super) since: u64,
    /// Where it reads, while its account is online.
    pub(super) link: Option<Id<ServerLink>>,
    /// It is to be told that it is a member.
    pub(super) greet: bool,
    pub(super) cursor: Cursor,
    /// The entry that is being loaded for it.
    pub(super) loading: u64,
    pub(super) queue: Queue,
    /// It had read all there was, when it was looked at last.
    pub(super) idle: bool,
    /// When it read some more, or there was more to read again.
    pub(super) got_on: Instant,
    pub(super) turn: Node<Self>,
    pub(super) of_account: Node<Self>,
    /// Among those that its room waits for.
    pub(super) reading: Node<Self>,
}

/// Whether a membership is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is being saved.
    Joining,
    Member,
    /// Its end is being saved.
    Leaving,
}

/// The list that a membership is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    None,
    /// The room's of those with nothing to be sent, or, since it moved on, the server's.
    Waiting,
    /// Its link's of those with something to send.
    Ready,
    /// The server's of those that want something of the store.
    Asking,
    /// The server's of those that the store could not serve.
    Stalled,
}

/// The lists that memberships are in.
#[derive(Debug)]
pub(super) struct Turn;
#[derive(Debug)]
pub(super) struct OfAccount;

impl Linked<Turn> for Membership {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.turn
    }
}

impl Linked<OfAccount> for Membership {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.of_account
    }
}

impl Membership {
    pub(super) fn new(room: Id<RoomRow>, account: Account, since: u64, standing: Standing) -> Self {
        Self {
            room,
            account,
            standing,
            ask: Ask::Idle,
            since,
            link: None,
            greet: false,
            cursor: Cursor::default(),
            loading: 0,
            queue: Queue::None,
            idle: false,
            got_on: Instant::from_micros(0),
            turn: Node::UNLINKED,
            of_account: Node::UNLINKED,
            reading: Node::UNLINKED,
        }
    }

    /// The last entry that it has read or need not read, in a log that is kept from `first` on.
    pub(super) fn has_read(&self, first: u64) -> u64 {
        self.cursor.begins_behind().unwrap_or(self.since).max(first.saturating_sub(1))
    }
}

/// Entries of one room that are on their way to one member at most.
const WINDOW: u64 = 64;

/// A member's cursor in a room's log: it has all up to `read`; of the [`WINDOW`] entries
/// behind, some are on their way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    read: u64,
    /// Those on their way: bit 0 is the entry right after `read`.
    sent: u64,
    credit: InFlight,
    /// The entry that was sent up to here only, so far.
    current: Option<Begun>,
    /// The member said where it reads on from.
    begun: bool,
    /// The member is to be told that entries are gone: from which on, and why.
    gone: bool,
    gone_from: u64,
    reason: GoneReason,
    /// How often the member went back.
    rewinds: u32,
}

/// The credit that entries of a room use while they are on their way: that of all up to
/// `mark`, which is free once the cursor has passed it, and that of those behind.
#[derive(Clone, Copy, Debug, Default)]
struct InFlight {
    mark: u64,
    before: u32,
    behind: u32,
    /// The last entry that credit was used for.
    last: u64,
}

/// An entry of which some was sent: how far behind `read`, and how many units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Begun {
    ahead: u8,
    units: u8,
}

impl Cursor {
    /// What is said after `rewinds` times going back is said after one more.
    pub(super) fn goes_back(&self, rewinds: u32) -> bool {
        self.begun && rewinds > self.rewinds
    }

    /// The member says that it has all up to `upto`, after it went back `rewinds` times, from
    /// where all is sent again: whether that is news, and credit of what is on its way no longer,
    /// to be given back.
    pub(super) fn heard(&mut self, upto: u64, rewinds: u32) -> (bool, u32) {
        if self.begun && rewinds < self.rewinds {
            // It was said before it went back.
            return (false, 0);
        }
        let free = if self.goes_back(rewinds) { self.close() } else { 0 };
        self.rewinds = rewinds;
        let got_on = self.read(upto);
        (got_on, free + self.refund())
    }

    /// The member has all up to `upto`; `false` if that is no news.
    pub(super) fn read(&mut self, upto: u64) -> bool {
        if self.begun && upto <= self.read {
            return false;
        }
        let passed = if self.begun { upto - self.read } else { WINDOW };
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        self.sent = self.sent.checked_shr(passed).unwrap_or(0);
        self.current = self.current.and_then(|begun| {
            let ahead = u32::from(begun.ahead).checked_sub(passed)?;
            Some(Begun { ahead: ahead as u8, ..begun })
        });
        (self.read, self.begun) = (upto, true);
        true
    }

    /// The last entry that the member has, once it said so.
    pub(super) fn begins_behind(&self) -> Option<u64> {
        self.begun.then_some(self.read)
    }

    /// What is to be sent next of a log that keeps entries from `first` to `head`.
    pub(super) fn next(&mut self, first: u64, head: u64) -> Next {
        if !self.begun {
            return Next::Nothing;
        }
        if self.read + 1 < first {
            (self.gone, self.gone_from, self.reason) = (true, first - 1, GoneReason::NotKept);
            self.read(first - 1);
        }
        if self.gone {
            let (upto, first, reason) = (self.read, self.gone_from, self.reason);
            return Next::Gone { upto, first, reason };
        }
        let ahead = self.current.map_or(u64::from(self.sent.trailing_ones()), |c| c.ahead.into());
        let index = self.read + 1 + ahead;
        if ahead < WINDOW && index <= head { Next::Entry { index } } else { Next::Nothing }
    }

    /// How much was sent of the entry that [`Self::next`] gave, in units.
    pub(super) fn done(&self) -> u8 {
        self.current.map_or(0, |current| current.units)
    }

    /// Uses `credit` for an entry of `total` bytes, once; `false` if there is not enough.
    pub(super) fn spend(&mut self, index: u64, total: usize, credit: &mut Credit) -> bool {
        if index <= self.credit.last {
            return true;
        }
        let enough = credit.spend_on_entry(total);
        if enough {
            self.credit.last = index;
            self.credit.behind += total as u32;
        }
        enough
    }

    /// Credit of what is on its way no longer, to be given back.
    pub(super) fn refund(&mut self) -> u32 {
        let (read, credit) = (self.read, &mut self.credit);
        let mut free = 0;
        // Entries count in two heaps, so that none must be remembered by itself.
        while credit.mark <= read && credit.before + credit.behind > 0 {
            free += credit.before;
            (credit.before, credit.behind) = (credit.behind, 0);
            credit.mark = credit.last;
        }
        free
    }

    /// Credit of all that is on its way, when nothing more of it is sent.
    pub(super) fn close(&mut self) -> u32 {
        let InFlight { before, behind, .. } = core::mem::take(self).credit;
        before + behind
    }

    /// The entry that [`Self::next`] gave was sent up to `units` of it, or, with none, to its end.
    pub(super) fn sent(&mut self, index: u64, units: Option<u8>) {
        let ahead = (index - self.read - 1) as u8;
        self.sent |= 1 << ahead;
        self.current = units.map(|units| Begun { ahead, units });
    }

    /// Pieces of an entry, told by the low bits of its index, were lost.
    pub(super) fn lost(&mut self, low: u8, run: Run) {
        let ahead = low.wrapping_sub(self.read as u8).wrapping_sub(1);
        if u64::from(ahead) >= WINDOW || self.sent & 1 << ahead == 0 {
            return;
        }
        let lost = Begun { ahead, units: run.first() };
        match &mut self.current {
            Some(current) if current.ahead == lost.ahead => {
                current.units = current.units.min(lost.units);
            }
            // One before it is being sent: this one is sent as a whole again.
            Some(current) if current.ahead < lost.ahead => self.sent &= !(1 << ahead),
            // There may be room for what is next only: that goes ahead of what was begun.
            Some(current) => {
                self.sent &= !(1 << current.ahead);
                *current = lost;
            }
            None => self.current = Some(lost),
        }
    }

    /// Passes over an entry that cannot be sent, as if it were gone; `false` while the
    /// member lacks some of those before it.
    pub(super) fn pass_over(&mut self, index: u64, reason: GoneReason) -> bool {
        let next = index == self.read + 1;
        if next {
            if !(self.gone && self.reason == reason) {
                self.gone_from = index;
            }
            (self.gone, self.reason) = (true, reason);
            self.read(index);
        }
        next
    }

    /// The member was told, or that got lost.
    pub(super) fn gone_told(&mut self, told: bool) {
        self.gone = !told;
    }
}

/// What a member is to be sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing now.
    Nothing,
    /// That entries are gone.
    Gone { upto: u64, first: u64, reason: GoneReason },
    /// Pieces of an entry.
    Entry { index: u64 },
}

/// The tables of rooms and of memberships.
#[derive(Debug)]
pub(super) struct Rooms<'a> {
    pub(super) slab: Slab<'a, RoomRow>,
    pub(super) by_number: Index<'a>,
    pub(super) by_name: Index<'a>,
    pub(super) members: Slab<'a, Membership>,
    pub(super) by_member: Index<'a>,
    /// Numbers given out.
    pub(super) next: &'a mut u32,
}

/// What goes with the tables of rooms.
#[derive(Debug)]
pub(super) struct RoomsHead {
    slab: SlabHead,
    members: SlabHead,
    next: u32,
}

impl RoomsHead {
    pub(super) const NEW: Self = Self { slab: SlabHead::NEW, members: SlabHead::NEW, next: 0 };
}

impl<'a> Rooms<'a> {
    pub(super) fn new(tables: RoomTables<'a>, head: &'a mut RoomsHead, hash: [u8; 16]) -> Self {
        let RoomsHead { slab, members, next } = head;
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
    pub members: &'a mut [Slot<Membership>],
    /// [`Index::buckets`] for the members.
    pub by_member: &'a mut [Bucket],
}

impl Rooms<'_> {
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
        self.find(&self.by_name, &name.folded(), |row| row.name == Some(*name))
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
        let named = name.is_none_or(|name| self.by_name.insert(&name.folded(), id.slot()));
        let indexed = named && self.by_number.insert(&number.0.to_le_bytes(), id.slot());
        debug_assert!(indexed, "the indexes have more buckets than there are rooms");
        *self.next = (*self.next).max(number.0.saturating_add(1));
        Some(id)
    }

    /// Takes out a room that the store did not get.
    pub(super) fn remove(&mut self, id: Id<RoomRow>) {
        let Some(row) = self.slab.remove(id) else { return };
        let slab = &self.slab;
        let row_at = |slot| slab.get(slab.id_at(slot)?);
        self.by_number.remove(&row.number.0.to_le_bytes(), id.slot(), |slot| {
            Some(row_at(slot)?.number.0.to_le_bytes())
        });
        if let Some(name) = row.name {
            self.by_name
                .remove(&name.folded(), id.slot(), |slot| Some(row_at(slot)?.name?.folded()));
        }
    }

    /// The place of an account in a room.
    pub(super) fn member(&self, room: Id<RoomRow>, account: Account) -> Option<Id<Membership>> {
        let slot = self.by_member.find(&member_name(room, account), |slot| {
            let found = self.members.id_at(slot).and_then(|id| self.members.get(id));
            found.is_some_and(|found| (found.room, found.account) == (room, account))
        })?;
        self.members.id_at(slot)
    }

    /// How many places an account's list has that are memberships.
    pub(super) fn count(&self, places: List<Membership, OfAccount>) -> u32 {
        let (mut at, mut count) = (places.front(), 0);
        while let Some(place) = at.and_then(|id| self.members.get(id)) {
            at = place.of_account.next();
            count += u32::from(place.standing == Standing::Member);
        }
        count
    }

    /// Gives an account a place in a room; `None` if there is no room.
    pub(super) fn add_member(&mut self, membership: Membership) -> Option<Id<Membership>> {
        let name = member_name(membership.room, membership.account);
        let room = membership.room;
        let id = self.members.insert(membership).ok()?;
        let indexed = self.by_member.insert(&name, id.slot());
        debug_assert!(indexed, "the index has more buckets than there are memberships");
        if let Some(row) = self.slab.get_mut(room) {
            row.members += 1;
        }
        Some(id)
    }

    /// Takes out a membership that is in no list.
    pub(super) fn remove_member(&mut self, id: Id<Membership>) {
        let Some(gone) = self.members.remove(id) else { return };
        if let Some(row) = self.slab.get_mut(gone.room) {
            row.members = row.members.saturating_sub(1);
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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, iter::repeat_n, vec::Vec};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        link::Units,
        wire::{FRAGMENT_UNIT, MAX_BODY},
    };

    /// Three of the longest entries below.
    const WINDOW_BYTES: u32 = 15 * FRAGMENT_UNIT as u32;

    proptest! {
        /// Whatever is lost, however the log is cut at its beginning, and however often a member
        /// goes back, it gets
        /// every entry that is kept, and is told up to where the others are gone, on a credit
        /// that is all free in the end.
        #[test]
        fn a_cursor_reads_all_that_is_kept(
            head in 0..200u64,
            start in 0..50u64,
            steps in prop::collection::vec((0..5u8, any::<u64>(), 1..6u8), 0..2000),
        ) {
            let mut cursor = Cursor::default();
            prop_assert_eq!(cursor.next(1, head), Next::Nothing);
            let mut read = start.min(head);
            cursor.heard(read, 0);
            let mut rewinds = 0;
            let (mut first, mut have, mut flight) = (1, BTreeSet::new(), Vec::new());
            let grant = |bytes| crate::link::Grant { bytes, messages: 0 };
            let mut credit = Credit::new(grant(0), grant(WINDOW_BYTES));
            // Entries of up to five units.
            let units = |index: u64| 1 + (index * 37 % 5) as u8;
            let rest = repeat_n([(0, 0, 5), (3, 0, 0)], 2000).flatten();
            for (step, pick, count) in steps.into_iter().chain(rest) {
                match step {
                    0 => match cursor.next(first, head) {
                        Next::Entry { index } if !cursor.spend(index, usize::from(units(index)) * FRAGMENT_UNIT, &mut credit) => {}
                        Next::Nothing => {}
                        Next::Gone { upto, .. } => {
                            prop_assert!(upto < first);
                            cursor.gone_told(true);
                            read = read.max(upto);
                        }
                        Next::Entry { index } => {
                            prop_assert!(index >= first && index <= head && index > read);
                            let done = cursor.done();
                            let upto = units(index).min(done + count);
                            cursor.sent(index, Some(upto).filter(|upto| *upto < units(index)));
                            flight.push((index, done, upto));
                        }
                    },
                    1 if !flight.is_empty() => {
                        let (index, from, upto) = flight.swap_remove(pick as usize % flight.len());
                        let length = usize::from(upto - from) * FRAGMENT_UNIT;
                        let run = Units::run(usize::from(from) * FRAGMENT_UNIT, length, MAX_BODY);
                        cursor.lost(index as u8, run.unwrap());
                    }
                    2 if pick % 16 == 0 => first = (first + pick % 9).min(head + 1),
                    3 => {
                        let arrived = flight.drain(..);
                        have.extend(arrived.flat_map(|(index, from, upto)| (from..upto).map(move |at| (index, at))));
                        while read < head && (0..units(read + 1)).all(|at| have.contains(&(read + 1, at))) {
                            read += 1;
                        }
                        credit.refund(cursor.heard(read, rewinds).1);
                    }
                    // The member finds that it has read another log, and what it said before
                    // comes late.
                    4 if pick % 32 == 0 => {
                        let late = read;
                        (read, rewinds) = (pick / 32 % (read + 1), rewinds + 1);
                        have.retain(|(index, _)| *index <= read);
                        credit.refund(cursor.heard(read, rewinds).1);
                        credit.refund(cursor.heard(late, rewinds - 1).1);
                    }
                    _ => {}
                }
                credit.refund(cursor.refund());
            }
            prop_assert_eq!(read, head);
            prop_assert!(credit.spend_on_entry(WINDOW_BYTES as usize));
        }
    }
}
