//! The memory that a client needs, lent by its owner.

use core::ops::DerefMut;

use crate::{
    host::Resume,
    link::LinkTables,
    role::{LEAST_WORK, StartError, check_start, link_needs, untouched_links},
    storage::{Block, Bucket, Index, Slab, Slot},
    timers::TimerCell,
};

use super::{
    inbox::message::Incoming, outbox::message::Outgoing, role::ClientRole, roster::peer::Peer,
};

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
    /// Messages on their way out.
    pub outgoing: &'a mut [Slot<Outgoing>],
    /// Messages on their way in.
    pub incoming: &'a mut [Slot<Incoming>],
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
            ("links.outgoing", self.links.outgoing.len(), 1),
            ("peers", peers, 1),
            ("peer_timers", self.peer_timers.len(), peers),
            ("by_key", self.by_key.len(), Index::buckets(peers)),
            ("by_nick", self.by_nick.len(), Index::buckets(peers)),
            ("by_account", self.by_account.len(), Index::buckets(peers)),
            ("outgoing", self.outgoing.len(), LEAST_OUTGOING),
            ("incoming", self.incoming.len(), LEAST_INCOMING),
            ("blocks", self.blocks.len(), 1),
            ("work", self.work.len(), LEAST_WORK),
        ];
        // The others are used only with one of these.
        let untouched = [
            ("peers", Slab::is_untouched(self.peers)),
            ("outgoing", Slab::is_untouched(self.outgoing)),
            ("incoming", Slab::is_untouched(self.incoming)),
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
pub(super) const LEAST_LINKS: usize = 4;

/// The least number of messages on their way out.
pub(super) const LEAST_OUTGOING: usize = 2;

/// The least number of messages on their way in: a quarter of them is kept free.
pub(super) const LEAST_INCOMING: usize = 4;

/// Lends a client its memory, the same each time, and to no other role: memory that a role has used
/// is of no use to another, which refuses it with [`StartError::Used`].
pub trait Storage {
    /// The slices, as they were left the last time.
    fn tables(&mut self) -> Tables<'_>;
}

/// What points to memory, lends it: `&mut Fixed<…>`, `Box<ClientMemory>`.
impl<P: DerefMut<Target: Storage>> Storage for P {
    fn tables(&mut self) -> Tables<'_> {
        (**self).tables()
    }
}
