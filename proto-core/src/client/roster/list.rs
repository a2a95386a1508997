//! Lists of people and rooms.

use crate::storage::{Linked, List};

use super::{
    id::PeerId,
    peer::Peer,
    peers::{Peers, name, row},
};

/// A list of kind `L` through the table of people and rooms.
#[derive(Debug)]
pub(in crate::client) struct PeerList<L>(List<Peer, L>);

impl<L> Default for PeerList<L> {
    fn default() -> Self {
        Self(List::NEW)
    }
}

impl<L> PeerList<L> {
    /// The first.
    pub(in crate::client) fn front(&self) -> Option<PeerId> {
        self.0.front().map(name)
    }

    /// It has none.
    pub(in crate::client) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<L> PeerList<L>
where
    Peer: Linked<L>,
{
    /// Appends one; nothing happens if it is in such a list already.
    pub(in crate::client) fn push_back(&mut self, peers: &mut Peers<'_>, id: PeerId) {
        self.0.push_back(&mut peers.slab, row(id));
    }

    /// Takes the first out.
    pub(in crate::client) fn pop_front(&mut self, peers: &mut Peers<'_>) -> Option<PeerId> {
        self.0.pop_front(&mut peers.slab).map(name)
    }

    /// Takes one out, which must be in this list if in any of its kind.
    pub(in crate::client) fn remove(&mut self, peers: &mut Peers<'_>, id: PeerId) {
        self.0.remove(&mut peers.slab, row(id));
    }

    /// Takes all out.
    pub(in crate::client) fn clear(&mut self, peers: &mut Peers<'_>) {
        while self.pop_front(peers).is_some() {}
    }

    /// The one after this, which is in such a list.
    pub(in crate::client) fn after(peers: &mut Peers<'_>, id: PeerId) -> Option<PeerId> {
        Linked::<L>::node(peers.slab.get_mut(row(id))?).next().map(name)
    }
}
