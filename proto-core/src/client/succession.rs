//! Someone goes on under another key, with another device: what is sealed to the key
//! before is taken back, sealed anew and sent again.

use crate::{
    id::{Position, PublicKey, Recipient},
    storage::Id,
    wire::Former,
};

use super::{
    ClientLink, Peer, To,
    engine::{Engine, FrameOutcome},
    outgoing::Stage,
};

impl Engine<'_> {
    /// A peer may have another key than before: its old device is left, and the server asked
    /// what became of what was sealed to the key before.
    pub(super) fn consider_succession(&mut self, id: Id<Peer>) {
        let Some(peer) = self.peers.get_mut(id).filter(|peer| peer.former.is_some()) else {
            return;
        };
        let (key, link, dial) = (peer.key, peer.link, peer.dial);
        let stale = link.filter(|link| self.links.get(*link).is_none_or(|link| link.peer != key));
        if let Some(link) = stale {
            self.leave(link);
            self.links.remove(link);
        }
        if let (Some(dial), Some(peer)) = (dial, self.peers.get_mut(id)) {
            peer.dial = None;
            self.links.end_handshake(dial);
        }
        let sealed = |stage| matches!(stage, Stage::Deposited | Stage::Stored);
        let shelved = self.peers.get(id).is_some_and(Peer::has_shelved);
        if !shelved && self.first_where(id, sealed).is_none() {
            self.succeed(id);
        }
    }

    /// The server has said how far it is with what is sealed to a peer's key: the rest, sealed
    /// to the key before, comes back.
    pub(super) fn recall(&mut self, id: Id<Peer>, stored: Position) {
        if self.peers.get(id).is_none_or(|peer| peer.former.is_none()) {
            return;
        }
        // The device before may have what comes back, whatever is heard of the next one.
        self.take_back(id, stored);
        self.succeed(id);
    }

    /// Under which key mail was written that follows.
    pub(super) fn former(&mut self, link: Id<ClientLink>, former: &Former) -> FrameOutcome {
        let recipient = Recipient::Account(former.account);
        let known = self.peers.by_recipient(recipient).or_else(|| self.peers.by_key(&former.key));
        let with = To::Peer(former.nick);
        let Some(peer) = known.or_else(|| self.peers.add_former(former.key, with)) else {
            return FrameOutcome::NoRoom;
        };
        if let Some(contact) = self.contact(link) {
            contact.former = Some((former.account, former.key, peer));
        }
        FrameOutcome::Done
    }

    /// Who wrote mail from an account with a key of this tag; `None` if that is not known yet.
    pub(super) fn author_of(
        &self,
        link: Id<ClientLink>,
        account: crate::id::Account,
        tag: u32,
    ) -> Option<(Id<Peer>, PublicKey)> {
        let id = self.peers.by_recipient(Recipient::Account(account));
        if let Some((id, peer)) = id.and_then(|id| Some((id, self.peers.get(id)?)))
            && peer.key.tag() == tag
        {
            return Some((id, peer.key));
        }
        let (of, key, peer) = self.links.get(link)?.role.former?;
        (of == account && key.tag() == tag).then_some((peer, key))
    }

    /// Nothing is sealed to the key before any more.
    fn succeed(&mut self, id: Id<Peer>) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        peer.former = None;
        self.save_conversation(id);
    }
}
