//! The memory that a client needs, lent by its owner.

use core::ops::DerefMut;

use crate::{
    host::Resume,
    link::{Dial, LinkTables, Remembered, SentPacket},
    role::{LEAST_WORK, StartError, check_start, link_needs, untouched_links},
    storage::{Block, Bucket, Index, Slab, Slot},
    timers::TimerCell,
};

use super::{ClientLink, Message, Peer, conversation::ClientRole};

/// The slices that a client lives in. Their lengths are its capacities.
#[allow(missing_debug_implementations)] // megabytes
pub struct Tables<'a> {
    /// The links': to the server and to peers.
    pub links: LinkTables<'a, ClientRole>,
    /// People on the roster, and those known from before.
    pub peers: &'a mut [Slot<Peer>],
    /// As many as peers.
    pub peer_timers: &'a mut [TimerCell],
    /// [`crate::storage::Index::buckets`] for the peers.
    pub by_key: &'a mut [Bucket],
    /// [`crate::storage::Index::buckets`] for the peers.
    pub by_nick: &'a mut [Bucket],
    /// [`crate::storage::Index::buckets`] for the peers.
    pub by_account: &'a mut [Bucket],
    /// Messages on their way out or in.
    pub messages: &'a mut [Slot<Message>],
    /// Message bodies.
    pub blocks: &'a mut [Block],
    /// Room for one record: [`crate::record::record_bound`] of the longest sealed message.
    pub work: &'a mut [u8],
}

impl Tables<'_> {
    /// They fit together, nobody has used them, and what a role resumes with is sound. O(1).
    pub(super) fn check(&self, resume: &Resume) -> Result<(), StartError> {
        let peers = self.peers.len();
        let own = [
            ("links.dials", self.links.dials.len(), 1),
            ("peers", peers, 1),
            ("peer_timers", self.peer_timers.len(), peers),
            ("by_key", self.by_key.len(), Index::buckets(peers)),
            ("by_nick", self.by_nick.len(), Index::buckets(peers)),
            ("by_account", self.by_account.len(), Index::buckets(peers)),
            ("messages", self.messages.len(), 4),
            ("blocks", self.blocks.len(), 1),
            ("work", self.work.len(), LEAST_WORK),
        ];
        // The others are used only with one of these.
        let untouched = [
            ("peers", Slab::is_untouched(self.peers)),
            ("messages", Slab::is_untouched(self.messages)),
        ];
        check_start(
            resume,
            &[&link_needs(&self.links, LEAST_LINKS), &own],
            &[&untouched_links(&self.links), &untouched],
        )
    }
}

/// The least number of links: to the server and to a peer, one to spare, and one that is not
/// confirmed yet.
const LEAST_LINKS: usize = 4;

/// Lends a client its memory, the same each time, and to no other role: memory that a role has used
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
/// `WORK` is [`crate::record::record_bound`] of the longest sealed message: its text, 8 bytes of
/// time and 96 of seal.
#[allow(missing_debug_implementations)] // kilobytes
pub struct Fixed<
    const LINKS: usize,
    const PEERS: usize,
    const MESSAGES: usize,
    const BLOCKS: usize,
    const SENT: usize,
    const WORK: usize,
> {
    links: [Slot<ClientLink>; LINKS],
    dials: [Slot<Dial>; LINKS],
    by_session: [[Bucket; 3]; LINKS],
    by_link_key: [[Bucket; 2]; LINKS],
    sent: [Slot<SentPacket<ClientRole>>; SENT],
    timers: [TimerCell; LINKS],
    dial_timers: [TimerCell; LINKS],
    ephemerals: [[Remembered; 2]; LINKS],
    by_ephemeral: [[Bucket; 4]; LINKS],
    peers: [Slot<Peer>; PEERS],
    peer_timers: [TimerCell; PEERS],
    by_key: [[Bucket; 2]; PEERS],
    by_nick: [[Bucket; 2]; PEERS],
    by_account: [[Bucket; 2]; PEERS],
    messages: [Slot<Message>; MESSAGES],
    blocks: [Block; BLOCKS],
    work: [u8; WORK],
}

impl<
    const LINKS: usize,
    const PEERS: usize,
    const MESSAGES: usize,
    const BLOCKS: usize,
    const SENT: usize,
    const WORK: usize,
> Fixed<LINKS, PEERS, MESSAGES, BLOCKS, SENT, WORK>
{
    /// Untouched memory.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(LINKS >= LEAST_LINKS, "the server, a peer, one to spare, one not confirmed yet") }
        const { assert!(WORK >= LEAST_WORK, "no text would fit") }
        Self {
            links: [const { Slot::EMPTY }; LINKS],
            dials: [const { Slot::EMPTY }; LINKS],
            by_session: [[None; 3]; LINKS],
            by_link_key: [[None; 2]; LINKS],
            sent: [const { Slot::EMPTY }; SENT],
            timers: [TimerCell::EMPTY; LINKS],
            dial_timers: [TimerCell::EMPTY; LINKS],
            ephemerals: [const { [const { Remembered::EMPTY }; 2] }; LINKS],
            by_ephemeral: [[None; 4]; LINKS],
            peers: [const { Slot::EMPTY }; PEERS],
            peer_timers: [TimerCell::EMPTY; PEERS],
            by_key: [[None; 2]; PEERS],
            by_nick: [[None; 2]; PEERS],
            by_account: [[None; 2]; PEERS],
            messages: [const { Slot::EMPTY }; MESSAGES],
            blocks: [const { Block::EMPTY }; BLOCKS],
            work: [0; WORK],
        }
    }
}

impl<
    const LINKS: usize,
    const PEERS: usize,
    const MESSAGES: usize,
    const BLOCKS: usize,
    const SENT: usize,
    const WORK: usize,
> Default for Fixed<LINKS, PEERS, MESSAGES, BLOCKS, SENT, WORK>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<
    const LINKS: usize,
    const PEERS: usize,
    const MESSAGES: usize,
    const BLOCKS: usize,
    const SENT: usize,
    const WORK: usize,
> Storage for Fixed<LINKS, PEERS, MESSAGES, BLOCKS, SENT, WORK>
{
    fn tables(&mut self) -> Tables<'_> {
        Tables {
            links: LinkTables {
                links: &mut self.links,
                dials: &mut self.dials,
                by_session: self.by_session.as_flattened_mut(),
                by_key: self.by_link_key.as_flattened_mut(),
                sent: &mut self.sent,
                timers: &mut self.timers,
                dial_timers: &mut self.dial_timers,
                ephemerals: self.ephemerals.as_flattened_mut(),
                by_ephemeral: self.by_ephemeral.as_flattened_mut(),
            },
            peers: &mut self.peers,
            peer_timers: &mut self.peer_timers,
            by_key: self.by_key.as_flattened_mut(),
            by_nick: self.by_nick.as_flattened_mut(),
            by_account: self.by_account.as_flattened_mut(),
            messages: &mut self.messages,
            blocks: &mut self.blocks,
            work: &mut self.work,
        }
    }
}
