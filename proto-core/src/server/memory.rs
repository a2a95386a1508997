//! The memory that a server needs, lent by its owner.

use core::ops::DerefMut;

use crate::{
    link::{LinkTables, Remembered, SentPacket},
    role::{LEAST_WORK, StartError, check_start, link_needs, untouched_links},
    storage::{Block, Bucket, Index, Slab, Slot},
    timers::TimerCell,
};

use super::{
    Resume, ServerLink,
    accounts::AccountSlot,
    entry::{Entry, Pair},
    member::ServerRole,
    room::{Membership, RoomRow, RoomTables},
    versions::Versions,
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
            ("entries", entries, 4),
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
        // One of a client, and one that is not confirmed yet.
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
            &[&link_needs(&self.links, 2), &own],
            &[&untouched_links(&self.links), &untouched],
        )
    }
}

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

/// What points to memory, lends it: `&mut Fixed<…>`, `Box<Fixed<…>>`.
impl<P: DerefMut<Target: Storage>> Storage for P {
    fn tables(&mut self) -> Tables<'_> {
        (**self).tables()
    }
}

/// Memory of a size fixed at compile time: a `static`, lent as `&mut`. To lend it again when its
/// role is gone, make it new: `*memory = Fixed::new()`.
///
/// `ACCOUNTS` is a power of two; there are as many rooms, and twice as many places in them. `WORK` is [`crate::record::record_bound`] of the longest sealed
/// message: its text, 8 bytes of time and 96 of seal.
#[allow(missing_debug_implementations)] // kilobytes
pub struct Fixed<
    const LINKS: usize,
    const ACCOUNTS: usize,
    const ENTRIES: usize,
    const BLOCKS: usize,
    const SENT: usize,
    const WORK: usize,
> {
    links: [Slot<ServerLink>; LINKS],
    by_session: [[Bucket; 2]; LINKS],
    by_peer: [[Bucket; 2]; LINKS],
    sent: [Slot<SentPacket<ServerRole>>; SENT],
    timers: [TimerCell; LINKS],
    ephemerals: [[Remembered; 2]; LINKS],
    by_ephemeral: [[Bucket; 4]; LINKS],
    accounts: [AccountSlot; ACCOUNTS],
    by_nick: [[Bucket; 2]; ACCOUNTS],
    by_key: [[Bucket; 2]; ACCOUNTS],
    versions: [[u64; 2]; ACCOUNTS],
    entries: [Slot<Entry>; ENTRIES],
    entry_timers: [TimerCell; ENTRIES],
    pairs: [[Slot<Pair>; 2]; ENTRIES],
    by_pair: [[Bucket; 4]; ENTRIES],
    rooms: [Slot<RoomRow>; ACCOUNTS],
    by_room_number: [[Bucket; 2]; ACCOUNTS],
    by_room_name: [[Bucket; 2]; ACCOUNTS],
    members: [[Slot<Membership>; 2]; ACCOUNTS],
    by_member: [[Bucket; 4]; ACCOUNTS],
    by_place: [[Bucket; 2]; ENTRIES],
    blocks: [Block; BLOCKS],
    work: [u8; WORK],
}

impl<
    const LINKS: usize,
    const ACCOUNTS: usize,
    const ENTRIES: usize,
    const BLOCKS: usize,
    const SENT: usize,
    const WORK: usize,
> Fixed<LINKS, ACCOUNTS, ENTRIES, BLOCKS, SENT, WORK>
{
    /// Untouched memory.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(ACCOUNTS.is_power_of_two(), "ACCOUNTS must be a power of two") }
        const { assert!(WORK >= LEAST_WORK, "no text would fit") }
        Self {
            links: [const { Slot::EMPTY }; LINKS],
            by_session: [[None; 2]; LINKS],
            by_peer: [[None; 2]; LINKS],
            sent: [const { Slot::EMPTY }; SENT],
            timers: [TimerCell::EMPTY; LINKS],
            ephemerals: [const { [const { Remembered::EMPTY }; 2] }; LINKS],
            by_ephemeral: [[None; 4]; LINKS],
            accounts: [const { AccountSlot::EMPTY }; ACCOUNTS],
            by_nick: [[None; 2]; ACCOUNTS],
            by_key: [[None; 2]; ACCOUNTS],
            versions: [[0; 2]; ACCOUNTS],
            entries: [const { Slot::EMPTY }; ENTRIES],
            entry_timers: [TimerCell::EMPTY; ENTRIES],
            pairs: [const { [const { Slot::EMPTY }; 2] }; ENTRIES],
            by_pair: [[None; 4]; ENTRIES],
            rooms: [const { Slot::EMPTY }; ACCOUNTS],
            by_room_number: [[None; 2]; ACCOUNTS],
            by_room_name: [[None; 2]; ACCOUNTS],
            members: [const { [const { Slot::EMPTY }; 2] }; ACCOUNTS],
            by_member: [[None; 4]; ACCOUNTS],
            by_place: [[None; 2]; ENTRIES],
            blocks: [const { Block::EMPTY }; BLOCKS],
            work: [0; WORK],
        }
    }
}

impl<
    const LINKS: usize,
    const ACCOUNTS: usize,
    const ENTRIES: usize,
    const BLOCKS: usize,
    const SENT: usize,
    const WORK: usize,
> Default for Fixed<LINKS, ACCOUNTS, ENTRIES, BLOCKS, SENT, WORK>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<
    const LINKS: usize,
    const ACCOUNTS: usize,
    const ENTRIES: usize,
    const BLOCKS: usize,
    const SENT: usize,
    const WORK: usize,
> Storage for Fixed<LINKS, ACCOUNTS, ENTRIES, BLOCKS, SENT, WORK>
{
    fn tables(&mut self) -> Tables<'_> {
        Tables {
            links: LinkTables {
                links: &mut self.links,
                dials: &mut [],
                by_session: self.by_session.as_flattened_mut(),
                by_key: self.by_peer.as_flattened_mut(),
                sent: &mut self.sent,
                timers: &mut self.timers,
                dial_timers: &mut [],
                ephemerals: self.ephemerals.as_flattened_mut(),
                by_ephemeral: self.by_ephemeral.as_flattened_mut(),
            },
            accounts: &mut self.accounts,
            by_nick: self.by_nick.as_flattened_mut(),
            by_key: self.by_key.as_flattened_mut(),
            versions: self.versions.as_flattened_mut(),
            entries: &mut self.entries,
            entry_timers: &mut self.entry_timers,
            pairs: self.pairs.as_flattened_mut(),
            by_pair: self.by_pair.as_flattened_mut(),
            rooms: RoomTables {
                rooms: &mut self.rooms,
                by_number: self.by_room_number.as_flattened_mut(),
                by_name: self.by_room_name.as_flattened_mut(),
                members: self.members.as_flattened_mut(),
                by_member: self.by_member.as_flattened_mut(),
            },
            by_place: self.by_place.as_flattened_mut(),
            blocks: &mut self.blocks,
            work: &mut self.work,
        }
    }
}
