//! The one queue of what the server owes its host's store, and the one rule for what the store
//! failed at: it is asked again after a second.

use core::time::Duration;

use crate::{
    host::Ticket,
    storage::{Id, Linked, List, Slab},
    time::Instant,
};

use super::{
    super::{
        role::{ServerLink, Stalled},
        rooms::{Member, RoomRow, Turn},
        submit::{Entry, Pair},
    },
    asker::{Asker, Asking},
};

/// How many records of a log are read at once: for a reader that is behind, and at the start.
pub(crate) const READ_AHEAD: usize = 32;

/// How long what the store failed at waits until it is asked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// Rows, and others, that want something of the store. Whoever wants something is in here, so
/// nothing that is owed can be forgotten.
#[derive(Debug)]
pub(crate) struct Requests {
    /// Of the last ticket.
    serial: u32,
    /// One bit for each of those that are not in a table.
    singles: u16,
    failed_singles: u16,
    pairs: Queue<Pair, Asking>,
    entries: Queue<Entry, Asking>,
    rooms: Queue<RoomRow, Asking>,
    members: Queue<Member, Turn>,
    links: Queue<ServerLink, Asking, Stalled>,
    /// When those that failed are asked for again.
    again: Option<Instant>,
}

/// Rows of one table: those that want something, and those for which the store failed.
#[derive(Debug)]
pub(crate) struct Queue<T, L, F = L> {
    owed: List<T, L>,
    failed: List<T, F>,
}

impl<T, L, F> Queue<T, L, F> {
    const NEW: Self = Self { owed: List::NEW, failed: List::NEW };
}

/// A row that can want something of the store.
pub(crate) trait Asks: Linked<Self::Owed> + Linked<Self::Failed> + Sized {
    /// The kind of the list of those that want something.
    type Owed;
    /// The kind of the list of those for which the store failed.
    type Failed;
    fn queue(requests: &mut Requests) -> &mut Queue<Self, Self::Owed, Self::Failed>;
}

macro_rules! asks {
    ($($row:ty, $field:ident, $owed:ty, $failed:ty;)*) => {$(
        impl Asks for $row {
            type Owed = $owed;
            type Failed = $failed;
            fn queue(requests: &mut Requests) -> &mut Queue<Self, $owed, $failed> {
                &mut requests.$field
            }
        }
    )*};
}

asks! {
    Pair, pairs, Asking, Asking;
    Entry, entries, Asking, Asking;
    RoomRow, rooms, Asking, Asking;
    Member, members, Turn, Turn;
    ServerLink, links, Asking, Stalled;
}

/// Who wants something of the store and is in no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Single {
    /// A password that is being checked.
    Password(u8),
    /// The operator.
    Operator,
    /// What is read at the start, and what is expired.
    Boot,
}

impl Single {
    fn bit(self) -> u16 {
        1 << match self {
            Self::Operator => 0,
            Self::Boot => 1,
            Self::Password(slot) => 2 + (slot & 7),
        }
    }
}

/// What wants something of the store next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    Password(usize),
    Operator,
    Pair(Id<Pair>),
    Entry(Id<Entry>),
    Room(Id<RoomRow>),
    Member(Id<Member>),
    Link(Id<ServerLink>),
    Boot,
}

impl Requests {
    pub(crate) const NEW: Self = Self {
        serial: 0,
        singles: 0,
        failed_singles: 0,
        pairs: Queue::NEW,
        entries: Queue::NEW,
        rooms: Queue::NEW,
        members: Queue::NEW,
        links: Queue::NEW,
        again: None,
    };

    /// Names one more request.
    pub(crate) fn ticket(&mut self, asker: Asker, slot: u32) -> Ticket {
        self.serial = self.serial.wrapping_add(1);
        Ticket { asker: asker as u8, slot, serial: self.serial }
    }

    /// What is to be asked for next: first what others rely on being durable before them.
    pub(crate) fn next(&self) -> Option<Next> {
        let passwords = self.singles >> 2;
        let single = |of: Single| self.singles & of.bit() != 0;
        if passwords != 0 {
            return Some(Next::Password(passwords.trailing_zeros() as usize));
        }
        if single(Single::Operator) {
            return Some(Next::Operator);
        }
        (self.pairs.owed.front().map(Next::Pair))
            .or_else(|| self.entries.owed.front().map(Next::Entry))
            .or_else(|| self.rooms.owed.front().map(Next::Room))
            .or_else(|| self.members.owed.front().map(Next::Member))
            .or_else(|| self.links.owed.front().map(Next::Link))
            .or_else(|| single(Single::Boot).then_some(Next::Boot))
    }

    /// Something is to be asked for now.
    pub(crate) fn is_owing(&self) -> bool {
        self.next().is_some()
    }

    /// When something is to be asked for again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.again
    }

    /// A row wants something.
    pub(crate) fn ask<T: Asks>(&mut self, table: &mut Slab<'_, T>, id: Id<T>) {
        T::queue(self).owed.push_back(table, id);
    }

    /// A row wants nothing, or has got its request.
    pub(crate) fn settle<T: Asks>(&mut self, table: &mut Slab<'_, T>, id: Id<T>) {
        T::queue(self).owed.remove(table, id);
    }

    /// The store failed at something for a row: it is asked again later.
    pub(crate) fn fail<T: Asks>(&mut self, table: &mut Slab<'_, T>, id: Id<T>, now: Instant) {
        T::queue(self).failed.push_back(table, id);
        self.again.get_or_insert(now + AGAIN);
    }

    /// What the store failed at for a row is wanted no longer.
    pub(crate) fn forgive<T: Asks>(&mut self, table: &mut Slab<'_, T>, id: Id<T>) {
        T::queue(self).failed.remove(table, id);
    }

    /// The next row for which the store is to be asked again.
    pub(crate) fn retry<T: Asks>(&mut self, table: &mut Slab<'_, T>) -> Option<Id<T>> {
        T::queue(self).failed.pop_front(table)
    }

    /// What is in no table wants something.
    pub(crate) fn ask_single(&mut self, single: Single) {
        self.singles |= single.bit();
    }

    /// It wants nothing, or has got its request.
    pub(crate) fn settle_single(&mut self, single: Single) {
        self.singles &= !single.bit();
    }

    /// The store failed at something for it: it is asked again later.
    pub(crate) fn fail_single(&mut self, single: Single, now: Instant) {
        self.failed_singles |= single.bit();
        self.again.get_or_insert(now + AGAIN);
    }

    /// Whether it is time to ask for what failed. What is in no table is asked for from now on;
    /// rows come by [`Self::retry`].
    pub(crate) fn is_time_to_retry(&mut self, now: Instant) -> bool {
        let due = self.again.is_some_and(|at| at <= now);
        if due {
            self.again = None;
            self.singles |= core::mem::take(&mut self.failed_singles);
        }
        due
    }
}
