//! The memory that a server needs, lent by its owner.

use core::ops::DerefMut;

use crate::{
    host::Resume,
    link::LinkTables,
    role::{LEAST_WORK, StartError, check_start, link_needs, untouched_links},
    storage::{Block, Bucket, Index, Slab, Slot},
    timers::TimerCell,
};

use super::{
    accounts::AccountSlot,
    role::ServerRole,
    rooms::RoomTables,
    roster::Versions,
    submit::{Entry, Pair},
};

/// The slices that a server lives in. Their lengths are its capacities.
#[allow(missing_debug_implementations)] // megabytes
pub struct Tables<'a> {
    /// The links'; a server dials nobody.
    pub links: LinkTables<'a, ServerRole>,
    /// Accounts, online or not.
    pub accounts: &'a mut [AccountSlot],
    /// [`crate::storage::Index::buckets`] for the accounts.
    pub by_nick: &'a mut [Bucket],
    /// [`crate::storage::Index::buckets`] for the accounts.
    pub by_key: &'a mut [Bucket],
    /// [`Sizes::versions`] for the accounts.
    pub versions: &'a mut [u64],
    /// Messages in memory.
    pub entries: &'a mut [Slot<Entry>],
    /// As many as entries.
    pub entry_timers: &'a mut [TimerCell],
    /// Pairs of people with messages under way: more than entries.
    pub pairs: &'a mut [Slot<Pair>],
    /// [`crate::storage::Index::buckets`] for the pairs.
    pub by_pair: &'a mut [Bucket],
    /// Rooms and who is in them.
    pub rooms: RoomTables<'a>,
    /// [`crate::storage::Index::buckets`] for the entries.
    pub by_place: &'a mut [Bucket],
    /// Message bodies.
    pub blocks: &'a mut [Block],
    /// Room for one record: [`crate::record::record_bound`] of the longest sealed message.
    pub work: &'a mut [u8],
}

impl Tables<'_> {
    /// They fit together, nobody has used them, and what a role resumes with is sound. O(1).
    pub(super) fn check(&self, resume: &Resume) -> Result<(), StartError> {
        let (accounts, entries, pairs) =
            (self.accounts.len(), self.entries.len(), self.pairs.len());
        let (rooms, members) = (self.rooms.rooms.len(), self.rooms.members.len());
        let own = [
            ("accounts", accounts, 1),
            ("by_nick", self.by_nick.len(), Index::buckets(accounts)),
            ("by_key", self.by_key.len(), Index::buckets(accounts)),
            ("versions", self.versions.len(), Versions::places(accounts)),
            ("entries", entries, LEAST_ENTRIES),
            ("entry_timers", self.entry_timers.len(), entries),
            ("pairs", pairs, entries + 1),
            ("by_pair", self.by_pair.len(), Index::buckets(pairs)),
            // The lobby, which everyone is in.
            ("rooms.rooms", rooms, 1),
            ("rooms.by_number", self.rooms.by_number.len(), Index::buckets(rooms)),
            ("rooms.by_name", self.rooms.by_name.len(), Index::buckets(rooms)),
            ("rooms.members", members, accounts),
            ("rooms.by_member", self.rooms.by_member.len(), Index::buckets(members)),
            ("by_place", self.by_place.len(), Index::buckets(entries)),
            ("blocks", self.blocks.len(), 1),
            ("work", self.work.len(), LEAST_WORK),
        ];
        // The others are used only with one of these.
        let untouched = [
            ("versions", Versions::is_untouched(self.versions)),
            ("entries", Slab::is_untouched(self.entries)),
            ("pairs", Slab::is_untouched(self.pairs)),
            ("rooms.rooms", Slab::is_untouched(self.rooms.rooms)),
            ("rooms.members", Slab::is_untouched(self.rooms.members)),
        ];
        check_start(
            resume,
            &[&link_needs(&self.links, LEAST_LINKS), &own],
            &[&untouched_links(&self.links), &untouched],
        )
    }
}

impl<'a> Tables<'a> {
    /// The places of the tree of versions that are used: as many as its accounts need.
    pub(super) fn versions(accounts: usize, all: &'a mut [u64]) -> &'a mut [u64] {
        all.get_mut(..Versions::places(accounts)).unwrap_or_default()
    }
}

/// The least number of links: one of a client, and one that is not confirmed yet.
pub(super) const LEAST_LINKS: usize = 2;

/// The least number of entries: a quarter of them is kept free.
pub(super) const LEAST_ENTRIES: usize = 4;

/// Lengths of slices that depend on others.
#[derive(Debug)]
pub struct Sizes;

impl Sizes {
    /// Places of the tree of versions over `accounts` accounts.
    pub const fn versions(accounts: usize) -> usize {
        Versions::places(accounts)
    }
}

/// Lends a server its memory, the same each time, and to no other role: memory that a role has used
/// is of no use to another, which refuses it with [`StartError::Used`].
pub trait Storage {
    /// The slices, as they were left the last time.
    fn tables(&mut self) -> Tables<'_>;
}

/// What points to memory, lends it: `&mut Fixed<…>`, `Box<ServerMemory>`.
impl<P: DerefMut<Target: Storage>> Storage for P {
    fn tables(&mut self) -> Tables<'_> {
        (**self).tables()
    }
}
