//! What becomes of what the client's user said.

use crate::client::headers::Settled;
use crate::{
    client::{
        ctx::Ctx,
        event::{Event, MessageId, Verdict},
        role::ClientLink,
        roster::{id::PeerId, peer::Peer, person::Person},
    },
    id::{Position, PublicKey, Recipient},
    received::Received,
    role::FrameOutcome,
    session,
    storage::Id,
    violation::Violation,
    wire::{DeliveryStatus, Receipt, SubmitRefusal, SubmitRefused},
};

use super::{
    Outbox,
    message::{Outgoing, Stage},
};

impl Outbox<'_> {
    /// How far a peer has what was said to it directly.
    pub(in crate::client) fn receipt(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ClientLink>,
        receipt: &Receipt,
    ) -> FrameOutcome {
        let Some(id) = cx.peer_of(link) else { return FrameOutcome::Done };
        let Receipt { epoch, number: last, run } = *receipt;
        // In the peers' own session, a receipt says nothing of other epochs.
        self.settle_upto(cx, id, Position::new(epoch, last), |message| {
            let Position { epoch: its, number } = message.position;
            let is_in_run = its == epoch && last.0 - number.0 < run.into();
            is_in_run.then_some(Verdict::Delivered)
        });
        FrameOutcome::Done
    }

    /// How far the server is with what was submitted for a peer.
    ///
    /// A cursor about another copy of the outbox does not speak for this one: the server may
    /// have lost what this one gave it before it got that.
    pub(in crate::client) fn progress(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ClientLink>,
        progress: &DeliveryStatus,
    ) -> FrameOutcome {
        let DeliveryStatus { stored, received, expired, .. } = progress;
        let cursors = [stored, &expired.0, &expired.1];
        if !received.fits() || !cursors.into_iter().all(|cursor| cursor.fits()) {
            return FrameOutcome::Broken(Violation::BadCursor);
        }
        // Who is not on the roster yet is asked after once they are.
        let Some(id) = cx.peers.by_recipient(progress.to) else { return FrameOutcome::Done };
        let Some(peer) = cx.peers.get(id) else { return FrameOutcome::Done };
        if peer.person().is_some_and(|person| person.key_number() != progress.key) {
            // Of another key than the roster's: it is asked after again once that is here.
            return FrameOutcome::Done;
        }
        let now = cx.server.epoch();
        let own = |cursor| {
            let is_foreign = peer.conversation.is_foreign(cursor, now);
            if is_foreign { Position::default() } else { cursor }
        };
        let (delivered, stored) = (own(progress.received.last), own(progress.stored));
        let expired = (own(progress.expired.0), own(progress.expired.1));
        let is_news = |outbox: &Self, cx: &Ctx<'_>, cursor| {
            outbox.sending.messages.of(cx, id).is_some_and(|line| line.is_news(cursor))
        };
        // The recipient's own word counts, not the server's. It costs a Diffie-Hellman, so it is
        // asked for only where it settles something.
        if is_news(self, cx, delivered) && is_receipt(cx, id, received, &progress.receipt) {
            self.settle(cx, id, Settled { received: *received, expired, ..Settled::default() });
        }
        if delivered < expired.1 && is_news(self, cx, expired.1) {
            self.settle(cx, id, Settled { expired, ..Settled::default() });
        }
        self.stored_upto(cx, id, link, stored);
        if cx.peers.get(id).is_some_and(Peer::has_former) {
            // What is sealed to the key before comes back, and is sealed anew. The device before
            // may have it, whatever is heard of the next one.
            self.sending.messages.take_back(cx, id, stored);
            forget_former(cx, id);
        }
        self.sending.pump(cx, id);
        if progress.online {
            self.sending.messages.relayed(cx, id);
            if let Some(peer) = cx.peers.get_mut(id).filter(|peer| !peer.conversation.relayed) {
                peer.conversation.relayed = true;
                peer.conversation.tell_relayed = true;
                cx.news.tell_of(&mut cx.peers, id);
            }
        }
        FrameOutcome::Done
    }

    /// The server does not take a submission.
    pub(in crate::client) fn refused(
        &mut self,
        cx: &mut Ctx<'_>,
        refused: &SubmitRefused,
    ) -> FrameOutcome {
        let Some(peer) = cx.peers.by_recipient(refused.to) else { return FrameOutcome::Done };
        let position = Position::new(refused.epoch, refused.number);
        let found = self.sending.messages.of(cx, peer).and_then(|line| line.find(position));
        if let Some((id, message)) = found.filter(|(_, it)| it.stage == Stage::Submitted) {
            let direct = matches!(refused.to, Recipient::Account(_));
            match refused.reason {
                // The roster, which is on its way, has the new key.
                SubmitRefusal::KeyChanged => {}
                // To call it refused might be untrue: the submission is made again later.
                SubmitRefusal::Store if direct && message.maybe_delivered => {}
                reason => self.sending.done(cx, id, Verdict::Refused(reason)),
            }
        }
        FrameOutcome::Done
    }

    /// The next thing to tell of a conversation's messages that are in the store only.
    pub(in crate::client) fn next_verdict(
        &mut self,
        cx: &mut Ctx<'_>,
        id: PeerId,
    ) -> Option<Event> {
        let peer = cx.peers.get_mut(id)?;
        let (position, verdict) = peer.conversation.window.next_verdict()?;
        let (recipient, to) = (peer.log(), peer.with());
        self.sending.shelved_told(cx, id, position);
        let id = MessageId { recipient, position };
        Some(Event::Verdict { id, to, verdict })
    }

    /// Someone may have another key than before: the server is asked what became of what was
    /// sealed to the key before, unless that is nothing.
    pub(super) fn consider_renewed(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        if !cx.peers.get(id).is_some_and(Peer::has_former) {
            return;
        }
        let is_sealed = |stage| matches!(stage, Stage::Submitted | Stage::Stored);
        let waits = |peer: &Peer| {
            let line = self.sending.messages.line(&peer.conversation);
            peer.conversation.has_shelved() || line.first_where(is_sealed).is_some()
        };
        if !cx.peers.get(id).is_some_and(waits) {
            forget_former(cx, id);
        }
    }

    /// What became of a conversation's messages, those in memory and those that are shelved.
    fn settle(&mut self, cx: &mut Ctx<'_>, id: PeerId, news: Settled) {
        // The server hands over what it has saved in its order: that speaks for what it has saved
        // of earlier epochs as well.
        let epochs = [news.received.last.epoch, news.expired.1.epoch];
        self.settle_upto(cx, id, news.upto(), |message| {
            let meant = message.stage == Stage::Stored || epochs.contains(&message.position.epoch);
            news.verdict(message.position).filter(|_| meant)
        });
        let Some(peer) = cx.peers.get_mut(id).filter(|peer| peer.conversation.has_shelved()) else {
            return;
        };
        let settled = &mut peer.conversation.window.settled;
        if settled.received.last < news.received.last {
            settled.received = news.received;
        }
        if settled.expired.1 < news.expired.1 {
            settled.expired = news.expired;
        }
        peer.conversation.window.blocked = false;
        cx.save_record(id);
    }

    /// Settles what is open up to a cursor.
    fn settle_upto(
        &mut self,
        cx: &mut Ctx<'_>,
        peer: PeerId,
        cursor: Position,
        verdict: impl Fn(&Outgoing) -> Option<Verdict>,
    ) {
        let mut at = cx.peers.get(peer).and_then(|peer| peer.conversation.messages.front());
        while let Some((id, message)) =
            at.and_then(|id| Some((id, self.sending.messages.all.get(id)?)))
        {
            at = message.of_peer.next();
            if message.position > cursor {
                break;
            }
            // What is still being saved was sent to nobody.
            if message.stage.is_open()
                && message.stage != Stage::Saving
                && let Some(verdict) = verdict(message)
            {
                self.sending.done(cx, id, verdict);
            }
        }
        self.sending.move_up(cx, peer);
    }

    /// The server has a conversation up to a cursor, it says on a link.
    pub(super) fn stored_upto(
        &mut self,
        cx: &mut Ctx<'_>,
        peer: PeerId,
        link: Id<ClientLink>,
        cursor: Position,
    ) {
        let Some(found) = cx.peers.get_mut(peer) else { return };
        if found.is_room() {
            // There is no more to be heard of it.
            self.settle_upto(cx, peer, cursor, |message| {
                cursor.covers(message.position).then_some(Verdict::Stored)
            });
            return;
        }
        let has_former = found.has_former();
        let conversation = &mut found.conversation;
        let before = conversation.window.confirmed.replace(link);
        let went_back = cursor < conversation.stored && !has_former && before != Some(link);
        if went_back && self.sending.messages.line(conversation).has_stored() {
            // Its store was put back. On one link, it is only an older word that came late.
            self.sending.messages.take_back(cx, peer, cursor);
        }
        let mut at = cx.peers.get(peer).and_then(|peer| peer.conversation.messages.front());
        let mut news = false;
        while let Some((id, message)) =
            at.and_then(|id| Some((id, self.sending.messages.all.get(id)?)))
        {
            at = message.of_peer.next();
            if message.position > cursor {
                break;
            }
            if !cursor.covers(message.position) || message.stage != Stage::Submitted {
                continue;
            }
            self.sending.messages.unlist(cx, id);
            self.sending.messages.free(cx, id);
            self.sending.messages.set_stage(cx, id, Stage::Stored);
            if let Some(message) = self.sending.messages.all.get_mut(id) {
                message.news.stored = true;
            }
            news = true;
            self.sending.messages.tell(id);
            self.sending.messages.state.unsaved -= 1;
        }
        if let (true, Some(found)) = (news, cx.peers.get_mut(peer)) {
            found.conversation.stored = found.conversation.stored.max(cursor);
            self.sending.move_up(cx, peer);
            self.sending.consider_leaving(cx);
        }
    }
}

/// Nothing is sealed to the key before any more.
fn forget_former(cx: &mut Ctx<'_>, id: PeerId) {
    if let Some(person) = cx.peers.get_mut(id).and_then(|peer| peer.person_mut()) {
        person.forget_former();
        cx.save_record(id);
    }
}

/// A recipient says, in its own hand, what it has.
fn is_receipt(cx: &Ctx<'_>, id: PeerId, received: &Received, receipt: &[u8; 16]) -> bool {
    let identity = cx.links.identity();
    let is_from = |key: &PublicKey| {
        session::check_receipt(identity, &identity.public(), key, received, receipt)
    };
    cx.peers.get(id).is_some_and(|peer| {
        let former = peer.person().and_then(Person::former);
        is_from(&peer.key()) || former.is_some_and(|(key, _)| is_from(&key))
    })
}
