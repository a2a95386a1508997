//! What becomes of what the client's user said.

use crate::{
    action::Ask,
    id::{MessageName, Position, PublicKey, Recipient},
    session,
    storage::Id,
    wire::{EntryRefusal, EntryRefused, Progress, Receipt},
};

use super::{
    ClientLink, Message, Peer, Verdict,
    engine::{Engine, Taken},
    message::Stage,
    peer::Path,
};

impl Engine<'_> {
    /// How far a peer has what was said to it directly.
    pub(super) fn receipt(&mut self, link: Id<ClientLink>, receipt: &Receipt) -> Taken {
        let Some(id) = self.links.get(link).and_then(|link| link.role.peer) else {
            return Taken::Done;
        };
        let cursor = Position::new(receipt.epoch, receipt.number);
        self.settle_upto(id, cursor, |_| Verdict::Delivered);
        Taken::Done
    }

    /// How far the server is with what was deposited for a peer.
    pub(super) fn progress(&mut self, progress: &Progress) -> Taken {
        // Who is not on the roster yet is asked after once they are.
        let Some(id) = self.peers.by_recipient(progress.to) else { return Taken::Done };
        let Some(peer) = self.peers.get(id) else { return Taken::Done };
        if !peer.with.is_room() && progress.key != peer.key_number {
            // Of another key than the roster's: it is asked after again once that is here.
            return Taken::Done;
        }
        let waiting = self.first_open(id).map(|message| message.position);
        let delivered = progress.delivered;
        // The recipient's own word counts, not the server's. It costs a Diffie-Hellman,
        // so it is asked for only where it settles something.
        if waiting.is_some_and(|first| first <= delivered) {
            let identity = &self.links.state.identity;
            let is_from = |key: &PublicKey| {
                let (author, recipient) = (identity.public(), *key);
                let name = MessageName { author, recipient, position: delivered };
                session::check_receipt(identity, key, &name, &progress.receipt)
            };
            if is_from(&peer.key) || peer.former.is_some_and(|(key, _)| is_from(&key)) {
                let expired = progress.expired.0..=progress.expired.1;
                self.settle_by_server(id, delivered, |position| {
                    if expired.contains(&position) { Verdict::Expired } else { Verdict::Delivered }
                });
            }
        }
        if progress.expired.1 > progress.delivered {
            // The oldest go first: what is open up to there was not delivered in time.
            self.settle_by_server(id, progress.expired.1, |_| Verdict::Expired);
        }
        let stored = Position::new(progress.epoch, progress.stored);
        self.stored_upto(id, stored);
        self.recall(id, stored);
        self.pump(id);
        if progress.online {
            self.venture(id);
        }
        if progress.online
            && let Some(peer) = self.peers.get_mut(id).filter(|peer| !peer.relayed)
        {
            peer.relayed = true;
            peer.news.relayed = true;
            self.state.telling_peers.push_back(&mut self.peers.slab, id);
        }
        Taken::Done
    }

    /// The server does not take a deposit.
    pub(super) fn entry_refused(&mut self, refused: &EntryRefused) -> Taken {
        let Some(peer) = self.peers.by_recipient(refused.to) else { return Taken::Done };
        let position = Position::new(refused.epoch, refused.number);
        let mut at = self.peers.get(peer).and_then(|peer| peer.outbox.front());
        while let Some(id) = at {
            let Some(message) = self.messages.get(id) else { break };
            at = message.of_peer.next();
            if message.position == position && message.stage == Stage::Deposited {
                if refused.reason == EntryRefusal::KeyChanged {
                    // The roster, which is on its way, has the new key.
                    break;
                }
                let direct = matches!(refused.to, Recipient::Account(_));
                if direct && message.ventured && refused.reason == EntryRefusal::Store {
                    // To call it refused might be untrue: the deposit is made again later.
                    break;
                }
                self.done(id, Verdict::Refused(refused.reason));
                break;
            }
        }
        Taken::Done
    }

    /// What is settled at the front of an outbox, and told, is forgotten.
    pub(super) fn clear_settled(&mut self, peer: Id<Peer>) {
        loop {
            let Some(found) = self.peers.get_mut(peer) else { return };
            let Some(id) = found.outbox.front() else { break };
            let Some(message) = self.messages.get(id) else { return };
            let settled = matches!(message.stage, Stage::Done(_))
                && !message.telling.is_linked()
                && !message.asking.is_linked()
                && message.ask == Ask::Idle;
            if !settled {
                break;
            }
            found.done = message.position;
            found.outbox.pop_front(&mut self.messages);
            self.messages.remove(id);
            if found.conversation.is_some() {
                found.forget = Ask::Owed;
                self.state.asking_peers.push_back(&mut self.peers.slab, peer);
            }
        }
        let Some(found) = self.peers.get_mut(peer) else { return };
        if found.outbox.is_empty() {
            self.state.active.remove(&mut self.peers.slab, peer);
        }
        self.consider_direct(peer);
        self.rearm(peer);
    }

    /// Settles what is open of one epoch up to a cursor.
    fn settle_upto(
        &mut self,
        peer: Id<Peer>,
        cursor: Position,
        verdict: impl Fn(Position) -> Verdict,
    ) {
        self.settle(peer, cursor, verdict, |message| cursor.covers(message.position));
    }

    /// The same for a cursor of the server's, which hands over what it has saved in its order:
    /// that speaks for what it has saved of earlier epochs as well.
    fn settle_by_server(
        &mut self,
        peer: Id<Peer>,
        cursor: Position,
        verdict: impl Fn(Position) -> Verdict,
    ) {
        self.settle(peer, cursor, verdict, |message| {
            message.stage == Stage::Stored || cursor.covers(message.position)
        });
    }

    fn settle(
        &mut self,
        peer: Id<Peer>,
        cursor: Position,
        verdict: impl Fn(Position) -> Verdict,
        is_meant: impl Fn(&Message) -> bool,
    ) {
        let mut at = self.peers.get(peer).and_then(|peer| peer.outbox.front());
        while let Some(id) = at {
            let Some(message) = self.messages.get(id) else { break };
            at = message.of_peer.next();
            if message.position > cursor {
                break;
            }
            // What is still being saved was sent to nobody.
            if is_meant(message) && message.stage.is_open() && message.stage != Stage::Saving {
                let verdict = verdict(message.position);
                self.done(id, verdict);
            }
        }
        self.move_up(peer);
    }

    fn stored_upto(&mut self, peer: Id<Peer>, cursor: Position) {
        if self.peers.get(peer).is_some_and(|peer| peer.with.is_room()) {
            // There is no more to be heard of it.
            self.settle_upto(peer, cursor, |_| Verdict::Stored);
            return;
        }
        let mut at = self.peers.get(peer).and_then(|peer| peer.outbox.front());
        let mut news = false;
        while let Some(id) = at {
            let Some(message) = self.messages.get(id) else { break };
            at = message.of_peer.next();
            if message.position > cursor {
                break;
            }
            if !cursor.covers(message.position) {
                continue;
            }
            if message.stage == Stage::Deposited {
                self.unlist(id);
                self.free_body(id);
                if let Some(message) = self.messages.get_mut(id) {
                    message.stage = Stage::Stored;
                    message.news.stored = true;
                }
                news = true;
                self.tell(id);
                self.state.open.unsaved -= 1;
            }
        }
        if let (true, Some(found)) = (news, self.peers.get_mut(peer)) {
            found.stored = found.stored.max(cursor);
            found.save = Ask::Owed;
            self.state.asking_peers.push_back(&mut self.peers.slab, peer);
            self.move_up(peer);
            self.consider_leaving();
        }
    }

    /// The server sends deposits on to their recipient before it has saved them.
    fn venture(&mut self, peer: Id<Peer>) {
        let mut at = self.peers.get(peer).and_then(|peer| peer.outbox.front());
        while let Some(message) = at.and_then(|id| self.messages.get_mut(id)) {
            at = message.of_peer.next();
            message.ventured |= message.stage == Stage::Deposited;
        }
    }

    /// A conversation got on: the next in line has as long again.
    pub(super) fn move_up(&mut self, peer: Id<Peer>) {
        if let Some((next, _)) = self.first_where(peer, Stage::is_unsaved)
            && let Some(message) = self.messages.get_mut(next)
        {
            message.since = message.since.map(|_| self.state.now);
            if message.since.is_none() {
                // It may have waited for an earlier epoch.
                self.pump(peer);
            }
        }
        self.recall_next(peer);
        self.rearm(peer);
    }

    /// What became of a message is known.
    pub(super) fn done(&mut self, id: Id<Message>, verdict: Verdict) {
        self.unlist(id);
        self.free_body(id);
        let Some(message) = self.messages.get_mut(id) else { return };
        self.state.open.open -= 1;
        self.state.open.unsaved -= usize::from(message.stage.is_unsaved());
        let saved = message.stage != Stage::Saving;
        message.stage = Stage::Done(verdict);
        if saved {
            message.ask = Ask::Owed;
            self.state.asking_messages.push_back(&mut self.messages, id);
        } else {
            message.news.verdict = true;
            self.tell(id);
        }
        self.consider_leaving();
    }

    /// Once all that went by way of the server is settled, the direct way is open again.
    fn consider_direct(&mut self, id: Id<Peer>) {
        let by_server = |peer: &&Peer| peer.path == Path::Server && !peer.with.is_room();
        let Some(peer) = self.peers.get(id).filter(by_server) else {
            return;
        };
        let mut at = peer.outbox.front();
        while let Some(message) = at.and_then(|id| self.messages.get(id)) {
            if matches!(message.stage, Stage::Deposited | Stage::Stored | Stage::Recalled) {
                return;
            }
            at = message.of_peer.next();
        }
        if let Some(peer) = self.peers.get_mut(id) {
            peer.path = Path::Direct;
        }
        self.pump(id);
    }
}
