//! A server's memory, of a size fixed at compile time.
//!
//! Each capacity is a type of its own:
//! ```
//! use proto_core::{
//!     server::fixed::{Accounts, Blocks, Entries, Fixed, Links, Members, Packets, Rooms, Work},
//!     text_bound,
//! };
//!
//! type Memory = Fixed<
//!     Links<8>,
//!     Accounts<8>,
//!     Rooms<4>,
//!     Members<16>,
//!     Entries<16>,
//!     Blocks<64>,
//!     Packets<64>,
//!     Work<{ text_bound(400) }>,
//! >;
//! static MEMORY: std::sync::Mutex<Memory> = std::sync::Mutex::new(Memory::new());
//! ```
//!
//! What one of each takes on a 64-bit machine, to within an eighth; on a 32-bit one it is a little
//! less:
//!
//! | capacity | bytes | one for |
//! |---|---|---|
//! | [`Links`] | 1,420 | each client that is online, and each handshake; 2 at least |
//! | [`Accounts`] | 288 | each nick that there is at a time; a power of two |
//! | [`Rooms`] | 350 | each room ever created, and the lobby |
//! | [`Members`] | 180 | each account, in the lobby, and each place of one in a room |
//! | [`Entries`] | 880 | each message on its way through; 4 at least |
//! | [`Blocks`] | 260 | each 256 bytes of those messages |
//! | [`Packets`] | 190 | each packet in flight |
//! | [`Work`] | 1 | each byte of the longest record |

use core::fmt;

use crate::{
    link::{LinkTables, PrefixShare, SentPacket},
    role::LEAST_WORK,
    storage::{Bucket, Slot},
    timers::TimerCell,
};

use super::{
    accounts::AccountSlot,
    memory::{LEAST_ENTRIES, LEAST_LINKS, Storage, Tables},
    role::{ServerLink, ServerRole},
    rooms::{Member, RoomRow, RoomTables},
    submit::{Entry, Pair},
};

pub use crate::storage::{Blocks, Work};

/// Memory of a size fixed at compile time: a `static`, or in a `Box`. To lend it again when its
/// role is gone, make it new: `*memory = Memory::new()`.
///
/// The capacities come in this order: [`Links`], [`Accounts`], [`Rooms`], [`Members`],
/// [`Entries`], [`Blocks`], [`Packets`], [`Work`].
#[derive(Debug)]
pub struct Fixed<L, A, R, M, E, B, P, W> {
    links: L,
    accounts: A,
    rooms: R,
    members: M,
    entries: E,
    blocks: B,
    packets: P,
    work: W,
}

/// Room for `N` sessions with clients; an eighth of them, one at least, is for handshakes that are
/// not confirmed yet.
pub struct Links<const N: usize> {
    links: [Slot<ServerLink>; N],
    by_session: [[Bucket; 2]; N],
    by_peer: [[Bucket; 2]; N],
    timers: [TimerCell; N],
    by_ephemeral: [[Bucket; 2]; N],
    prefixes: [PrefixShare<ServerRole>; N],
}

impl<const N: usize> Links<N> {
    const NEW: Self = Self {
        links: [const { Slot::EMPTY }; N],
        by_session: [[None; 2]; N],
        by_peer: [[None; 2]; N],
        timers: [TimerCell::EMPTY; N],
        by_ephemeral: [[None; 2]; N],
        prefixes: [const { PrefixShare::EMPTY }; N],
    };
}

impl<const N: usize> fmt::Debug for Links<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Links<{N}>")
    }
}

/// Room for `N` nicks, a power of two; nobody gives one back.
pub struct Accounts<const N: usize> {
    accounts: [AccountSlot; N],
    by_nick: [[Bucket; 2]; N],
    by_key: [[Bucket; 2]; N],
    versions: [[u64; 2]; N],
}

impl<const N: usize> Accounts<N> {
    const NEW: Self = Self {
        accounts: [const { AccountSlot::EMPTY }; N],
        by_nick: [[None; 2]; N],
        by_key: [[None; 2]; N],
        versions: [[0; 2]; N],
    };
}

impl<const N: usize> fmt::Debug for Accounts<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accounts<{N}>")
    }
}

/// Room for `N` rooms, the lobby among them.
pub struct Rooms<const N: usize> {
    rooms: [Slot<RoomRow>; N],
    by_number: [[Bucket; 2]; N],
    by_name: [[Bucket; 2]; N],
}

impl<const N: usize> Rooms<N> {
    const NEW: Self = Self {
        rooms: [const { Slot::EMPTY }; N],
        by_number: [[None; 2]; N],
        by_name: [[None; 2]; N],
    };
}

impl<const N: usize> fmt::Debug for Rooms<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rooms<{N}>")
    }
}

/// Room for `N` places of accounts in rooms: everyone's in the lobby, and those beside.
pub struct Members<const N: usize> {
    members: [Slot<Member>; N],
    by_member: [[Bucket; 2]; N],
}

impl<const N: usize> Members<N> {
    const NEW: Self = Self { members: [const { Slot::EMPTY }; N], by_member: [[None; 2]; N] };
}

impl<const N: usize> fmt::Debug for Members<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Members<{N}>")
    }
}

/// Room for `N` messages on their way through, each between two people of its own or not. What
/// waits for someone offline is in the store.
pub struct Entries<const N: usize> {
    entries: [Slot<Entry>; N],
    timers: [TimerCell; N],
    by_place: [[Bucket; 2]; N],
    pairs: [[Slot<Pair>; 2]; N],
    by_pair: [[Bucket; 4]; N],
}

impl<const N: usize> Entries<N> {
    const NEW: Self = Self {
        entries: [const { Slot::EMPTY }; N],
        timers: [TimerCell::EMPTY; N],
        by_place: [[None; 2]; N],
        pairs: [const { [const { Slot::EMPTY }; 2] }; N],
        by_pair: [[None; 4]; N],
    };
}

impl<const N: usize> fmt::Debug for Entries<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entries<{N}>")
    }
}

/// Room for `N` packets in flight, of all links together.
pub struct Packets<const N: usize>([Slot<SentPacket<ServerRole>>; N]);

impl<const N: usize> Packets<N> {
    const NEW: Self = Self([const { Slot::EMPTY }; N]);
}

impl<const N: usize> fmt::Debug for Packets<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packets<{N}>")
    }
}

/// Memory with so much of each.
type OfSizes<
    const LINKS: usize,
    const ACCOUNTS: usize,
    const ROOMS: usize,
    const MEMBERS: usize,
    const ENTRIES: usize,
    const BLOCKS: usize,
    const PACKETS: usize,
    const WORK: usize,
> = Fixed<
    Links<LINKS>,
    Accounts<ACCOUNTS>,
    Rooms<ROOMS>,
    Members<MEMBERS>,
    Entries<ENTRIES>,
    Blocks<BLOCKS>,
    Packets<PACKETS>,
    Work<WORK>,
>;

impl<
    const LINKS: usize,
    const ACCOUNTS: usize,
    const ROOMS: usize,
    const MEMBERS: usize,
    const ENTRIES: usize,
    const BLOCKS: usize,
    const PACKETS: usize,
    const WORK: usize,
> OfSizes<LINKS, ACCOUNTS, ROOMS, MEMBERS, ENTRIES, BLOCKS, PACKETS, WORK>
{
    /// Untouched memory.
    #[must_use]
    pub const fn new() -> Self {
        const {
            assert!(LINKS >= LEAST_LINKS, "one client, and one that is not confirmed yet");
            assert!(ACCOUNTS.is_power_of_two(), "the accounts are not a power of two");
            assert!(ROOMS >= 1, "there is no room for the lobby");
            assert!(MEMBERS >= ACCOUNTS, "everyone is in the lobby");
            assert!(ENTRIES >= LEAST_ENTRIES, "a quarter of the messages is kept free");
            assert!(BLOCKS >= 1, "there is no room for any text");
            assert!(PACKETS >= 1, "there is no room for any packet in flight");
            assert!(WORK >= LEAST_WORK, "there is no room for any record");
        }
        Self {
            links: Links::NEW,
            accounts: Accounts::NEW,
            rooms: Rooms::NEW,
            members: Members::NEW,
            entries: Entries::NEW,
            blocks: Blocks::NEW,
            packets: Packets::NEW,
            work: Work::NEW,
        }
    }
}

impl<
    const LINKS: usize,
    const ACCOUNTS: usize,
    const ROOMS: usize,
    const MEMBERS: usize,
    const ENTRIES: usize,
    const BLOCKS: usize,
    const PACKETS: usize,
    const WORK: usize,
> Default for OfSizes<LINKS, ACCOUNTS, ROOMS, MEMBERS, ENTRIES, BLOCKS, PACKETS, WORK>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<
    const LINKS: usize,
    const ACCOUNTS: usize,
    const ROOMS: usize,
    const MEMBERS: usize,
    const ENTRIES: usize,
    const BLOCKS: usize,
    const PACKETS: usize,
    const WORK: usize,
> Storage for OfSizes<LINKS, ACCOUNTS, ROOMS, MEMBERS, ENTRIES, BLOCKS, PACKETS, WORK>
{
    fn tables(&mut self) -> Tables<'_> {
        let Self { links, accounts, rooms, members, entries, blocks, packets, work } = self;
        Tables {
            links: LinkTables {
                links: &mut links.links,
                outgoing: &mut [],
                by_outgoing: &mut [],
                by_session: links.by_session.as_flattened_mut(),
                by_key: links.by_peer.as_flattened_mut(),
                sent: &mut packets.0,
                timers: &mut links.timers,
                outgoing_timers: &mut [],
                by_ephemeral: links.by_ephemeral.as_flattened_mut(),
                prefixes: &mut links.prefixes,
            },
            accounts: &mut accounts.accounts,
            by_nick: accounts.by_nick.as_flattened_mut(),
            by_key: accounts.by_key.as_flattened_mut(),
            versions: accounts.versions.as_flattened_mut(),
            entries: &mut entries.entries,
            entry_timers: &mut entries.timers,
            pairs: entries.pairs.as_flattened_mut(),
            by_pair: entries.by_pair.as_flattened_mut(),
            rooms: RoomTables {
                rooms: &mut rooms.rooms,
                by_number: rooms.by_number.as_flattened_mut(),
                by_name: rooms.by_name.as_flattened_mut(),
                members: &mut members.members,
                by_member: members.by_member.as_flattened_mut(),
            },
            by_place: entries.by_place.as_flattened_mut(),
            blocks: &mut blocks.0,
            work: &mut work.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::storage::fixed::is_told;

    use super::*;

    #[test]
    fn the_table_says_what_one_of_each_takes() {
        for (name, bytes) in [
            ("Links", size_of::<Links<1>>()),
            ("Accounts", size_of::<Accounts<1>>()),
            ("Rooms", size_of::<Rooms<1>>()),
            ("Members", size_of::<Members<1>>()),
            ("Entries", size_of::<Entries<1>>()),
            ("Blocks", size_of::<Blocks<1>>()),
            ("Packets", size_of::<Packets<1>>()),
            ("Work", size_of::<Work<1>>()),
        ] {
            is_told(include_str!("fixed.rs"), name, bytes);
        }
    }
}
