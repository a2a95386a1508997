//! What becomes of what the client's user said.

use crate::{
    host::Ask,
    id::{MessageName, Position, PublicKey, Recipient},
    session,
    storage::Id,
    violation::Violation,
    wire::{EntryRefusal, EntryRefused, Progress, Receipt},
};

use super::{
    ClientLink, Outgoing, Peer, Verdict,
    engine::{Engine, FrameOutcome},
    headers::Settled,
    outgoing::Stage,
    peer::Path,
};

impl Engine<'_> {
    /// How far a peer has what was said to it directly.
    pub(super) fn receipt(&mut self, link: Id<ClientLink>, receipt: &Receipt) -> FrameOutcome {
        let Some(id) = self.links.get(link).and_then(|link| link.role.peer) else {
            return FrameOutcome::Done;
        };
        let cursor = Position::new(receipt.epoch, receipt.number);
        // In the peers' own session, a cursor says nothing of other epochs.
        self.settle_upto(id, cursor, |message| {
            cursor.covers(message.position).then_some(Verdict::Delivered)
        });
        FrameOutcome::Done
    }

    /// How far the server is with what was deposited for a peer.
    ///
    /// A cursor about another copy of the outbox does not speak for this one: the server may
    /// have lost what this one gave it before it got that.
    pub(super) fn progress(&mut self, link: Id<ClientLink>, progress: &Progress) -> FrameOutcome {
        let Progress { stored, delivered, expired, .. } = progress;
        if ![stored, delivered, &expired.0, &expired.1].into_iter().all(|cursor| cursor.fits()) {
            return FrameOutcome::Broken(Violation::BadCursor);
        }
        // Who is not on the roster yet is asked after once they are.
        let Some(id) = self.peers.by_recipient(progress.to) else { return FrameOutcome::Done };
        let Some(peer) = self.peers.get(id) else { return FrameOutcome::Done };
        if !peer.with.is_room() && progress.key != peer.key_number {
            // Of another key than the roster's: it is asked after again once that is here.
            return FrameOutcome::Done;
        }
        let now = self.state.epoch;
        let own = |cursor| if peer.is_foreign(cursor, now) { Position::default() } else { cursor };
        let (delivered, stored) = (own(progress.delivered), own(progress.stored));
        let expired = (own(progress.expired.0), own(progress.expired.1));
        // The recipient's own word counts, not the server's. It costs a Diffie-Hellman, so it is
        // asked for only where it settles something.
        if self.is_news(id, delivered) && self.is_receipt(id, delivered, &progress.receipt) {
            self.settle(id, Settled { delivered, expired, refused: Position::default() });
        }
        if delivered < expired.1 && self.is_news(id, expired.1) {
            self.settle(id, Settled { expired, ..Settled::default() });
        }
        self.stored_upto(id, link, stored);
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
        FrameOutcome::Done
    }

    /// The server does not take a deposit.
    pub(super) fn entry_refused(&mut self, refused: &EntryRefused) -> FrameOutcome {
        let Some(peer) = self.peers.by_recipient(refused.to) else { return FrameOutcome::Done };
        let position = Position::new(refused.epoch, refused.number);
        let mut at = self.peers.get(peer).and_then(|peer| peer.outbox.front());
        while let Some(id) = at {
            let Some(message) = self.outgoing.get(id) else { break };
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
        FrameOutcome::Done
    }

    /// A cursor settles something that is open.
    fn is_news(&self, id: Id<Peer>, cursor: Position) -> bool {
        let Some(peer) = self.peers.get(id) else { return false };
        let shelved = peer.has_shelved() && peer.window.settled.upto() < cursor;
        let waiting = self.first_open(id).is_some_and(|first| first.position <= cursor);
        cursor != Position::default() && (shelved || waiting)
    }

    /// A recipient says, in its own hand, that it has all up to a position.
    fn is_receipt(&self, id: Id<Peer>, position: Position, receipt: &[u8; 16]) -> bool {
        let identity = self.links.identity();
        let is_from = |key: &PublicKey| {
            let (author, recipient) = (identity.public(), *key);
            let name = MessageName { author, recipient, position };
            session::check_receipt(identity, key, &name, receipt)
        };
        self.peers.get(id).is_some_and(|peer| {
            is_from(&peer.key) || peer.former.is_some_and(|(key, _)| is_from(&key))
        })
    }

    /// What became of a conversation's messages, those in memory and those that are shelved.
    fn settle(&mut self, id: Id<Peer>, news: Settled) {
        // The server hands over what it has saved in its order: that speaks for what it has saved
        // of earlier epochs as well.
        let epochs = [news.delivered.epoch, news.expired.1.epoch];
        self.settle_upto(id, news.upto(), |message| {
            let meant = message.stage == Stage::Stored || epochs.contains(&message.position.epoch);
            news.verdict(message.position).filter(|_| meant)
        });
        let Some(peer) = self.peers.get_mut(id).filter(|peer| peer.has_shelved()) else { return };
        let settled = &mut peer.window.settled;
        settled.delivered = settled.delivered.max(news.delivered);
        if settled.expired.1 < news.expired.1 {
            settled.expired = news.expired;
        }
        peer.window.blocked = false;
        self.save_conversation(id);
    }

    /// Settles what is open up to a cursor.
    fn settle_upto(
        &mut self,
        peer: Id<Peer>,
        cursor: Position,
        verdict: impl Fn(&Outgoing) -> Option<Verdict>,
    ) {
        let mut at = self.peers.get(peer).and_then(|peer| peer.outbox.front());
        while let Some(id) = at {
            let Some(message) = self.outgoing.get(id) else { break };
            at = message.of_peer.next();
            if message.position > cursor {
                break;
            }
            // What is still being saved was sent to nobody.
            if message.stage.is_open()
                && message.stage != Stage::Saving
                && let Some(verdict) = verdict(message)
            {
                self.done(id, verdict);
            }
        }
        self.move_up(peer);
    }

    /// The server has a conversation up to a cursor, it says on a link.
    fn stored_upto(&mut self, peer: Id<Peer>, link: Id<ClientLink>, cursor: Position) {
        let Some(found) = self.peers.get_mut(peer) else { return };
        if found.with.is_room() {
            // There is no more to be heard of it.
            self.settle_upto(peer, cursor, |message| {
                cursor.covers(message.position).then_some(Verdict::Stored)
            });
            return;
        }
        let before = found.window.confirmed.replace(link);
        let went_back = cursor < found.stored && found.former.is_none() && before != Some(link);
        if went_back && self.has_stored(peer) {
            // Its store was put back. On one link, it is only an older word that came late.
            self.take_back(peer, cursor);
        }
        let mut at = self.peers.get(peer).and_then(|peer| peer.outbox.front());
        let mut news = false;
        while let Some(id) = at {
            let Some(message) = self.outgoing.get(id) else { break };
            at = message.of_peer.next();
            if message.position > cursor {
                break;
            }
            if !cursor.covers(message.position) {
                continue;
            }
            if message.stage == Stage::Deposited {
                self.unlist(id);
                self.free_outgoing(id);
                if let Some(message) = self.outgoing.get_mut(id) {
                    message.stage = Stage::Stored;
                    message.news.stored = true;
                }
                news = true;
                self.tell_outgoing(id);
                self.state.unsaved -= 1;
            }
        }
        if let (true, Some(found)) = (news, self.peers.get_mut(peer)) {
            found.stored = found.stored.max(cursor);
            self.save_conversation(peer);
            self.move_up(peer);
            self.consider_leaving();
        }
    }

    /// The server sends deposits on to their recipient before it has saved them.
    fn venture(&mut self, peer: Id<Peer>) {
        let mut at = self.peers.get(peer).and_then(|peer| peer.outbox.front());
        while let Some(message) = at.and_then(|id| self.outgoing.get_mut(id)) {
            at = message.of_peer.next();
            message.ventured |= message.stage == Stage::Deposited;
        }
    }

    /// A conversation got on: the next in line has as long again.
    pub(super) fn move_up(&mut self, peer: Id<Peer>) {
        if let Some((next, _)) = self.first_where(peer, Stage::is_unsaved)
            && let Some(message) = self.outgoing.get_mut(next)
        {
            message.since = message.since.map(|_| self.state.now);
            if message.since.is_none() {
                // It may have waited for an earlier epoch.
                self.pump(peer);
            }
        }
        self.rearm(peer);
    }

    /// What became of a message is known.
    pub(super) fn done(&mut self, id: Id<Outgoing>, verdict: Verdict) {
        self.unlist(id);
        self.free_outgoing(id);
        let Some(message) = self.outgoing.get_mut(id) else { return };
        self.state.unsaved -= usize::from(message.stage.is_unsaved());
        let saved = message.stage != Stage::Saving;
        message.stage = Stage::Done(verdict);
        if saved {
            self.save_verdict(id);
        } else {
            message.news.verdict = true;
            self.tell_outgoing(id);
        }
        self.consider_leaving();
    }

    /// What became of a message is to be durable, and told then.
    pub(super) fn save_verdict(&mut self, id: Id<Outgoing>) {
        if let Some(message) = self.outgoing.get_mut(id) {
            message.ask = Ask::Owed;
            self.state.asking_outgoing.push_back(&mut self.outgoing, id);
        }
    }

    /// Asks the host again to save what became of messages, where it failed.
    pub(super) fn save_verdicts_again(&mut self) {
        while let Some(id) = self.state.unsettled.pop_front(&mut self.outgoing) {
            self.save_verdict(id);
        }
    }

    /// Once all that went by way of the server is settled, the direct way is open again.
    pub(super) fn consider_direct(&mut self, id: Id<Peer>) {
        let by_server =
            |peer: &&Peer| peer.path == Path::Server && !peer.with.is_room() && !peer.has_shelved();
        let Some(peer) = self.peers.get(id).filter(by_server) else {
            return;
        };
        let mut at = peer.outbox.front();
        while let Some(message) = at.and_then(|id| self.outgoing.get(id)) {
            if matches!(message.stage, Stage::Deposited | Stage::Stored) {
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
