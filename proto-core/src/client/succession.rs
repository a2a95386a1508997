//! Someone goes on under another key, with another device: what is sealed to the key
//! before is taken back, sealed anew and sent again.

use crate::{
    action::{Ask, Loaded},
    id::{Position, PublicKey, Recipient},
    record::{self, OutboxRecord},
    storage::Id,
    wire::Former,
};

use super::{
    ClientLink, Event, Failure, Message, Peer, To, Verdict,
    engine::{Engine, Taken},
    message::Stage,
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
            self.links.hang_up(dial);
        }
        let sealed = |stage| matches!(stage, Stage::Deposited | Stage::Stored);
        if self.first_where(id, sealed).is_none() {
            self.succeed(id);
        }
    }

    /// The server has said how far it is with what is sealed to a peer's key: the rest, sealed
    /// to the key before, comes back.
    pub(super) fn recall(&mut self, id: Id<Peer>, stored: Position) {
        let Some(peer) = self.peers.get_mut(id).filter(|peer| peer.former.is_some()) else {
            return;
        };
        peer.stored = stored;
        let mut at = peer.outbox.front();
        while let Some(message_id) = at {
            let Some(message) = self.messages.get(message_id) else { break };
            at = message.of_peer.next();
            let back = matches!(message.stage, Stage::Deposited | Stage::Stored);
            if !back || stored.covers(message.position) {
                continue;
            }
            self.state.open.unsaved += usize::from(message.stage == Stage::Stored);
            self.unlist(message_id);
            self.free_body(message_id);
            if let Some(message) = self.messages.get_mut(message_id) {
                message.stage = Stage::Recalled;
                // The device before may have it, whatever is heard of the next one.
                message.ventured = true;
                (message.link, message.since) = (None, None);
            }
        }
        self.succeed(id);
        self.recall_next(id);
    }

    /// Reads the next text that came back, as far as there is room for it.
    pub(super) fn recall_next(&mut self, id: Id<Peer>) {
        let Some((next, message)) = self.first_where(id, |stage| stage == Stage::Recalled) else {
            return;
        };
        let first = self.first_where(id, Stage::is_open).is_some_and(|(first, _)| first == next);
        let crowded = self.pool.used() * 4 >= self.pool.capacity() * 3;
        let busy = message.ask != Ask::Idle || message.asking.is_linked();
        if busy || crowded && !first {
            return;
        }
        if let Some(message) = self.messages.get_mut(next) {
            message.ask = Ask::Owed;
            self.state.asking_messages.push_back(&mut self.messages, next);
        }
    }

    /// The outbox's record of a text that came back; `None` if the store failed.
    pub(super) fn recalled(&mut self, id: Id<Message>, loaded: Option<Loaded<'_>>) {
        let Some(message) = self.messages.get(id).filter(|m| m.stage == Stage::Recalled) else {
            return;
        };
        let (peer, number) = (message.peer, message.position.to_record_number());
        let Some(Loaded { record, .. }) = loaded else {
            self.state.home.tell(Event::StoreFailed);
            self.recall_later(id);
            return;
        };
        let text = record
            .filter(|(found, _)| *found == number)
            .and_then(|(_, bytes)| record::decode::<OutboxRecord>(bytes))
            .map(|(_, body)| body);
        let Some(text) = text else {
            self.state.home.tell(Event::Damaged);
            self.done(id, Verdict::Failed(Failure::Damaged));
            self.recall_next(peer);
            return;
        };
        let Some(body) = self.body_with_room(text) else {
            self.recall_later(id);
            return;
        };
        if let Some(message) = self.messages.get_mut(id) {
            (message.body, message.total) = (body, text.len() as u16);
            message.stage = Stage::Open;
        }
        self.recall_next(peer);
        self.pump(peer);
    }

    /// Under which key mail was written that follows.
    pub(super) fn former(&mut self, link: Id<ClientLink>, former: &Former) -> Taken {
        let recipient = Recipient::Account(former.account);
        let known = self.peers.by_recipient(recipient).or_else(|| self.peers.by_key(&former.key));
        let with = To::Peer(former.nick);
        let Some(peer) = known.or_else(|| self.peers.add_former(former.key, with)) else {
            return Taken::NoRoom;
        };
        if let Some(contact) = self.contact(link) {
            contact.former = Some((former.account, former.key, peer));
        }
        Taken::Done
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
        if peer.conversation.is_some() {
            peer.save = Ask::Owed;
            self.state.asking_peers.push_back(&mut self.peers.slab, id);
        }
    }

    fn recall_later(&mut self, id: Id<Message>) {
        self.state.unkept.push_back(&mut self.messages, id);
        let at = self.state.now + super::outbox::RETRY;
        self.state.retry_at.get_or_insert(at);
    }
}
