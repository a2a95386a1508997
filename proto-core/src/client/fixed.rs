//! A client's memory, of a size fixed at compile time.
//!
//! Each capacity is a type of its own:
//! ```
//! use proto_core::{
//!     client::fixed::{Blocks, Fixed, Incoming, Links, Outgoing, Packets, Peers, Work},
//!     text_bound,
//! };
//!
//! type Memory = Fixed<
//!     Links<4>,
//!     Peers<8>,
//!     Outgoing<16>,
//!     Incoming<16>,
//!     Blocks<64>,
//!     Packets<32>,
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
//! | [`Links`] | 1,380 | each session, with the server or a peer; 4 at least |
//! | [`Peers`] | 1,048 | each person and room that is known |
//! | [`Outgoing`] | 180 | each message on its way out; 2 at least |
//! | [`Incoming`] | 368 | each message on its way in; 4 at least |
//! | [`Blocks`] | 260 | each 256 bytes of those messages |
//! | [`Packets`] | 190 | each packet in flight |
//! | [`Work`] | 1 | each byte of the longest record |

use core::fmt;

use crate::{
    link::{LinkTables, OutgoingHandshake, PrefixShare, SentPacket},
    role::LEAST_WORK,
    storage::{Bucket, Slot},
    timers::TimerCell,
};

use super::{
    inbox::message as incoming,
    memory::{LEAST_INCOMING, LEAST_LINKS, LEAST_OUTGOING, Storage, Tables},
    outbox::message as outgoing,
    role::{ClientLink, ClientRole},
    roster::peer::Peer,
};

pub use crate::storage::{Blocks, Work};

/// Memory of a size fixed at compile time: a `static`, or in a `Box`. To lend it again when its
/// role is gone, make it new: `*memory = Memory::new()`.
///
/// The capacities come in this order: [`Links`], [`Peers`], [`Outgoing`], [`Incoming`], [`Blocks`], [`Packets`],
/// [`Work`].
#[derive(Debug)]
pub struct Fixed<L, P, O, I, B, S, W> {
    links: L,
    peers: P,
    outgoing: O,
    incoming: I,
    blocks: B,
    packets: S,
    work: W,
}

/// Room for `N` sessions, with the server and with peers, one of them to spare and one for
/// a handshake that is not confirmed yet; and for as many handshakes of the client's own.
pub struct Links<const N: usize> {
    links: [Slot<ClientLink>; N],
    outgoing: [Slot<OutgoingHandshake>; N],
    by_outgoing: [[Bucket; 2]; N],
    by_session: [[Bucket; 2]; N],
    by_key: [[Bucket; 2]; N],
    timers: [TimerCell; N],
    outgoing_timers: [TimerCell; N],
    by_ephemeral: [[Bucket; 2]; N],
    prefixes: [PrefixShare<ClientRole>; N],
}

impl<const N: usize> Links<N> {
    const NEW: Self = Self {
        links: [const { Slot::EMPTY }; N],
        outgoing: [const { Slot::EMPTY }; N],
        by_outgoing: [[None; 2]; N],
        by_session: [[None; 2]; N],
        by_key: [[None; 2]; N],
        timers: [TimerCell::EMPTY; N],
        outgoing_timers: [TimerCell::EMPTY; N],
        by_ephemeral: [[None; 2]; N],
        prefixes: [const { PrefixShare::EMPTY }; N],
    };
}

impl<const N: usize> fmt::Debug for Links<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Links<{N}>")
    }
}

/// Room for `N` people and rooms: everyone on the server's roster, those known from before, and
/// the rooms that the client is in, the lobby among them.
pub struct Peers<const N: usize> {
    peers: [Slot<Peer>; N],
    timers: [TimerCell; N],
    by_key: [[Bucket; 2]; N],
    by_nick: [[Bucket; 2]; N],
    by_account: [[Bucket; 2]; N],
}

impl<const N: usize> Peers<N> {
    const NEW: Self = Self {
        peers: [const { Slot::EMPTY }; N],
        timers: [TimerCell::EMPTY; N],
        by_key: [[None; 2]; N],
        by_nick: [[None; 2]; N],
        by_account: [[None; 2]; N],
    };
}

impl<const N: usize> fmt::Debug for Peers<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peers<{N}>")
    }
}

/// Room for `N` messages on their way out. Further ones wait in the store.
pub struct Outgoing<const N: usize>([Slot<outgoing::Outgoing>; N]);

impl<const N: usize> Outgoing<N> {
    const NEW: Self = Self([const { Slot::EMPTY }; N]);
}

impl<const N: usize> fmt::Debug for Outgoing<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing<{N}>")
    }
}

/// Room for `N` messages on their way in. Further ones come again when there is room.
pub struct Incoming<const N: usize>([Slot<incoming::Incoming>; N]);

impl<const N: usize> Incoming<N> {
    const NEW: Self = Self([const { Slot::EMPTY }; N]);
}

impl<const N: usize> fmt::Debug for Incoming<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Incoming<{N}>")
    }
}

/// Room for `N` packets in flight, of all links together.
pub struct Packets<const N: usize>([Slot<SentPacket<ClientRole>>; N]);

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
    const PEERS: usize,
    const OUTGOING: usize,
    const INCOMING: usize,
    const BLOCKS: usize,
    const PACKETS: usize,
    const WORK: usize,
> = Fixed<
    Links<LINKS>,
    Peers<PEERS>,
    Outgoing<OUTGOING>,
    Incoming<INCOMING>,
    Blocks<BLOCKS>,
    Packets<PACKETS>,
    Work<WORK>,
>;

impl<
    const LINKS: usize,
    const PEERS: usize,
    const OUTGOING: usize,
    const INCOMING: usize,
    const BLOCKS: usize,
    const PACKETS: usize,
    const WORK: usize,
> OfSizes<LINKS, PEERS, OUTGOING, INCOMING, BLOCKS, PACKETS, WORK>
{
    /// Untouched memory.
    #[must_use]
    pub const fn new() -> Self {
        const {
            assert!(LINKS >= LEAST_LINKS, "the server, a peer, one to spare, one not confirmed");
            assert!(PEERS >= 1, "there is no room for anyone");
            assert!(OUTGOING >= LEAST_OUTGOING, "there is no room for what the user says");
            assert!(INCOMING >= LEAST_INCOMING, "a quarter of what comes is kept free");
            assert!(BLOCKS >= 1, "there is no room for any text");
            assert!(PACKETS >= 1, "there is no room for any packet in flight");
            assert!(WORK >= LEAST_WORK, "there is no room for any record");
        }
        Self {
            links: Links::NEW,
            peers: Peers::NEW,
            outgoing: Outgoing::NEW,
            incoming: Incoming::NEW,
            blocks: Blocks::NEW,
            packets: Packets::NEW,
            work: Work::NEW,
        }
    }
}

impl<
    const LINKS: usize,
    const PEERS: usize,
    const OUTGOING: usize,
    const INCOMING: usize,
    const BLOCKS: usize,
    const PACKETS: usize,
    const WORK: usize,
> Default for OfSizes<LINKS, PEERS, OUTGOING, INCOMING, BLOCKS, PACKETS, WORK>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<
    const LINKS: usize,
    const PEERS: usize,
    const OUTGOING: usize,
    const INCOMING: usize,
    const BLOCKS: usize,
    const PACKETS: usize,
    const WORK: usize,
> Storage for OfSizes<LINKS, PEERS, OUTGOING, INCOMING, BLOCKS, PACKETS, WORK>
{
    fn tables(&mut self) -> Tables<'_> {
        let Self { links, peers, outgoing, incoming, blocks, packets, work } = self;
        Tables {
            links: LinkTables {
                links: &mut links.links,
                outgoing: &mut links.outgoing,
                by_outgoing: links.by_outgoing.as_flattened_mut(),
                by_session: links.by_session.as_flattened_mut(),
                by_key: links.by_key.as_flattened_mut(),
                sent: &mut packets.0,
                timers: &mut links.timers,
                outgoing_timers: &mut links.outgoing_timers,
                by_ephemeral: links.by_ephemeral.as_flattened_mut(),
                prefixes: &mut links.prefixes,
            },
            peers: &mut peers.peers,
            peer_timers: &mut peers.timers,
            by_key: peers.by_key.as_flattened_mut(),
            by_nick: peers.by_nick.as_flattened_mut(),
            by_account: peers.by_account.as_flattened_mut(),
            outgoing: &mut outgoing.0,
            incoming: &mut incoming.0,
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
            ("Peers", size_of::<Peers<1>>()),
            ("Outgoing", size_of::<Outgoing<1>>()),
            ("Incoming", size_of::<Incoming<1>>()),
            ("Blocks", size_of::<Blocks<1>>()),
            ("Packets", size_of::<Packets<1>>()),
            ("Work", size_of::<Work<1>>()),
        ] {
            is_told(include_str!("fixed.rs"), name, bytes);
        }
    }
}
