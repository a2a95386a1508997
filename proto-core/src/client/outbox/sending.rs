//! What the client's user said, on its way: directly, or sealed and by way of the server.

use crate::{
    client::{
        ctx::Ctx,
        event::{SubmitReason, Verdict},
        role::{ClientLink, ClientRole},
        roster::{id::PeerId, reach},
        sent::SentFrame,
        session as server_session,
    },
    id::{MessageName, Position},
    link::{Packet, Units},
    session,
    storage::Id,
    wire::{Presence, SubmitRefusal},
};

use super::{
    conversation::Path,
    message::{Outgoing, Stage},
    messages::Messages,
    trimming::{STEP, trim},
};

/// Submissions of one conversation that the server has not taken over at most: half of what
/// it holds for one.
const UNDER_WAY: u32 = 128;

/// Bytes of a `Message` or `Submit` frame's body that are not the piece.
const SAY_HEADER: usize = 4 * 5 + 10 + 3 * 3;

/// The user's messages, each on the one way that its conversation goes.
#[derive(Debug)]
pub(super) struct Sending<'a> {
    pub(super) messages: Messages<'a>,
}

impl Sending<'_> {
    /// Writes pieces of messages into a packet, as far as there is room and credit.
    pub(in crate::client) fn write_messages(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ClientLink>,
        packet: &mut Packet<'_, ClientRole>,
    ) {
        while let Some(found) = cx.links.get_mut(link) {
            let Some(id) = found.role.outbox.sending.front() else { return };
            let Some(message) = self.messages.get_mut(id) else { return };
            let total = usize::from(message.total);
            if !message.stage.is_in_turn() || message.todo.is_empty() {
                found.role.outbox.sending.pop_front(&mut self.messages.all);
                continue;
            }
            if total > found.credit.longest() {
                self.done(cx, id, Verdict::Refused(SubmitRefusal::TooLong));
                continue;
            }
            let Some(run) = packet.next_run(message.todo, total, SAY_HEADER) else { return };
            if message.link != Some(link) {
                if !found.credit.spend(total) {
                    return;
                }
                message.link = Some(link);
            }
            message.maybe_delivered |= message.stage == Stage::Open;
            let (Some(head), Some(message)) =
                (self.messages.head(cx, id), self.messages.all.get(id))
            else {
                return;
            };
            let body = (&cx.bodies, &message.body);
            let sent = SentFrame::Piece(id, run);
            if !packet.push_piece(body, (total, run), |at, piece| head.frame(at, piece), sent) {
                return;
            }
            let Some(message) = self.messages.get_mut(id) else { return };
            message.todo.remove(run);
            if message.since.is_none() || message.stage == Stage::Submitted {
                // For a receipt from the first datagram on, for the server from the last.
                message.since = Some(cx.now);
                self.messages.rearm_for(cx, id);
            }
        }
    }

    /// Sends what is open directly, as far as there is a link.
    pub(super) fn send_open(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        let Some(peer) = cx.peers.get(id) else { return };
        let (link, mut at) = (peer.link(), peer.conversation.messages.front());
        let epoch = self.messages.line(&peer.conversation).sent_epoch(&peer.saved);
        while let Some((message_id, message)) =
            at.and_then(|id| Some((id, self.messages.all.get_mut(id)?)))
        {
            if Some(message.position.epoch) > epoch {
                break;
            }
            at = message.of_peer.next();
            if message.stage == Stage::Behind {
                break;
            }
            if message.stage == Stage::Open {
                match link {
                    Some(link) => self.messages.enqueue(cx, message_id, link),
                    // The time for a receipt runs from the first datagram, handshake included.
                    None => {
                        message.since.get_or_insert(cx.now);
                    }
                }
            }
        }
        self.messages.rearm(cx, id);
    }

    /// From here on the conversation goes by way of the server.
    pub(super) fn switch(&mut self, cx: &mut Ctx<'_>, id: PeerId, why: SubmitReason) {
        if let Some(peer) = cx.peers.get_mut(id) {
            peer.conversation.path = Path::Server;
            self.deposit_open(cx, id, why);
        }
    }

    /// Seals what is open and hands it to the server.
    pub(super) fn deposit_open(&mut self, cx: &mut Ctx<'_>, id: PeerId, why: SubmitReason) {
        let Some(peer) = cx.peers.get(id) else { return };
        let line = self.messages.line(&peer.conversation);
        let epoch = line.sent_epoch(&peer.saved);
        // A receipt speaks for all before it: the server says first what it has of those. Nor
        // may what is under way be taken back then: sealed anew, it would come in pieces of
        // two seals.
        let known = peer.is_room() || peer.conversation.window.confirmed == cx.server.online();
        let settled = !peer.has_former() && (known || !line.has_stored());
        let mut at = peer.conversation.messages.front().filter(|_| settled);
        let mut under_way = 0;
        let server = server_for(cx, id);
        while let Some((message_id, message)) =
            at.and_then(|id| Some((id, self.messages.all.get(id)?)))
        {
            under_way += u32::from(message.stage.is_unsaved());
            if Some(message.position.epoch) > epoch || under_way > UNDER_WAY {
                break;
            }
            at = message.of_peer.next();
            if message.stage == Stage::Behind {
                break;
            }
            if message.stage == Stage::Open {
                self.seal(cx, message_id, why);
            }
            let Some(server) = server else { continue };
            if let Some(message) = self.messages.all.get_mut(message_id)
                && message.stage == Stage::Submitted
                && message.link != Some(server)
            {
                message.since = None;
                self.messages.enqueue(cx, message_id, server);
                cx.expect_answer();
            }
        }
        self.messages.rearm(cx, id);
    }

    /// Sends all submissions of a conversation again: some did not get where they belong.
    pub(super) fn deposit_again(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        let server = server_for(cx, id);
        let mut at = cx.peers.get(id).and_then(|peer| peer.conversation.messages.front());
        while let Some((message_id, message)) =
            at.and_then(|id| Some((id, self.messages.all.get_mut(id)?)))
        {
            at = message.of_peer.next();
            if message.stage == Stage::Submitted {
                message.since = None;
                if let Some(server) = server {
                    message.todo = Units::all(message.total.into());
                    self.messages.enqueue(cx, message_id, server);
                    cx.expect_answer();
                }
            }
        }
        self.messages.rearm(cx, id);
    }

    /// A conversation may go on: sends what is open the way it is to go.
    pub(super) fn pump(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        cx.peers.reach_room(id, cx.config.server_key, cx.links.identity().suite());
        self.messages.consider_fetch(cx, id);
        let Some(peer) = cx.peers.get(id).filter(|peer| peer.is_active()) else { return };
        if let Some(why) = peer.person().and_then(|person| person.refusal(cx.config.holds)) {
            self.refuse_all(cx, id, why);
            return;
        }
        let conversation = &peer.conversation;
        if conversation.messages.is_empty() {
            return;
        }
        // Who is not on the roster yet may be anywhere; of who has another key, the server says
        // first what became of what was sealed to the one before.
        if !cx.server.was_online() || peer.recipient().is_none() || peer.has_former() {
            return;
        }
        let line = self.messages.line(conversation);
        if line.sent_epoch(&peer.saved).is_none() {
            self.messages.rearm(cx, id);
            return;
        }
        match conversation.path {
            Path::Direct if cx.server.is_leaving() => self.switch(cx, id, SubmitReason::Leaving),
            // Another device of this user's has been heard of meanwhile: only the server can say
            // whether what comes from before is still wanted.
            Path::Direct if line.is_from_before(cx.server.epoch()) => {
                self.switch(cx, id, SubmitReason::InTurn);
            }
            Path::Direct if peer.link().is_some() => self.send_open(cx, id),
            Path::Direct if peer.presence() == Presence::Offline => {
                self.switch(cx, id, SubmitReason::Offline);
            }
            Path::Direct if peer.address().is_none() => {
                self.switch(cx, id, SubmitReason::Unreachable);
            }
            Path::Direct => {
                reach::dial(cx, id);
                self.send_open(cx, id);
            }
            Path::Server => self.deposit_open(cx, id, SubmitReason::InTurn),
        }
    }

    /// Nobody is to be had under a key any more, or not whom it was meant for: what is open to it is
    /// refused.
    fn refuse_all(&mut self, cx: &mut Ctx<'_>, id: PeerId, why: SubmitRefusal) {
        let mut at = cx.peers.get(id).and_then(|peer| peer.conversation.messages.front());
        while let Some((message_id, message)) =
            at.and_then(|id| Some((id, self.messages.all.get(id)?)))
        {
            at = message.of_peer.next();
            if message.stage.is_open() && message.stage != Stage::Saving {
                self.done(cx, message_id, Verdict::Refused(why));
            }
        }
        if let Some(peer) = cx.peers.get_mut(id).filter(|peer| peer.conversation.has_shelved())
            && let window = &mut peer.conversation.window
            && window.settled.refused < window.shelved
        {
            (window.settled.refused, window.settled.why) = (window.shelved, Some(why));
            window.blocked = false;
            cx.save_record(id);
        }
        self.messages.rearm(cx, id);
    }

    /// Sends a message that just became durable.
    pub(super) fn start(&mut self, cx: &mut Ctx<'_>, id: Id<Outgoing>, peer_id: PeerId) {
        let Some(peer) = cx.peers.get(peer_id) else { return };
        let in_memory = self.messages.line(&peer.conversation);
        let epoch = self.messages.all.get(id).map(|message| message.position.epoch);
        let first = epoch.is_some() && epoch == in_memory.sent_epoch(&peer.saved);
        match (peer.conversation.path, peer.link()) {
            // The common case goes past all that is under way already.
            (Path::Direct, Some(link))
                if first
                    && !cx.server.is_leaving()
                    && !in_memory.is_from_before(cx.server.epoch()) =>
            {
                self.messages.enqueue(cx, id, link);
                self.messages.rearm_for(cx, id);
            }
            _ => self.pump(cx, peer_id),
        }
    }

    /// Once nothing is left that the server could save, it is told good-bye.
    pub(super) fn consider_leaving(&self, cx: &mut Ctx<'_>) {
        if cx.server.is_depositing() && !self.messages.may_be_saved(cx) {
            server_session::say_good_bye(cx);
        }
    }

    /// Nobody answers where someone should be.
    pub(super) fn unreachable(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        let Some(peer) = cx.peers.get(id) else { return };
        if peer.conversation.path == Path::Direct && peer.link().is_none() {
            self.switch(cx, id, SubmitReason::Unreachable);
        }
    }

    /// A conversation got on: the next in line has as long again.
    pub(super) fn move_up(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        let next = self.messages.of(cx, id).and_then(|line| line.first_where(Stage::is_unsaved));
        if let Some((next, _)) = next
            && let Some(message) = self.messages.all.get_mut(next)
        {
            message.since = message.since.map(|_| cx.now);
            if message.since.is_none() {
                // It may have waited for an earlier epoch.
                self.pump(cx, id);
            }
        }
        self.messages.rearm(cx, id);
    }

    /// What became of a message is known.
    pub(super) fn done(&mut self, cx: &mut Ctx<'_>, id: Id<Outgoing>, verdict: Verdict) {
        self.messages.unlist(cx, id);
        self.messages.free(cx, id);
        let Some(message) = self.messages.all.get_mut(id) else {
            debug_assert!(false, "a message is there until it is told of");
            return;
        };
        self.messages.state.unsaved -= usize::from(message.stage.is_unsaved());
        let saved = message.stage != Stage::Saving;
        message.news.verdict |= !saved;
        self.messages.set_stage(cx, id, Stage::Done(verdict));
        if saved {
            self.messages.save_verdict(cx, id);
        } else {
            self.messages.tell(id);
        }
        self.consider_leaving(cx);
    }

    /// Once all that went by way of the server is settled, the direct way is open again.
    pub(super) fn consider_direct(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        let Some(peer) = cx.peers.get(id) else { return };
        let conversation = &peer.conversation;
        if conversation.path != Path::Server || peer.is_room() || conversation.has_shelved() {
            return;
        }
        let by_server = |stage| matches!(stage, Stage::Submitted | Stage::Stored);
        if self.messages.line(conversation).first_where(by_server).is_some() {
            return;
        }
        if let Some(peer) = cx.peers.get_mut(id) {
            peer.conversation.path = Path::Direct;
        }
        self.pump(cx, id);
    }

    /// The user heard what became of the first shelved message.
    pub(super) fn shelved_told(&mut self, cx: &mut Ctx<'_>, id: PeerId, position: Position) {
        let Some(peer) = cx.peers.get_mut(id) else { return };
        peer.conversation.done = peer.conversation.done.max(position);
        let is_last = !peer.conversation.can_settle(&peer.saved);
        if is_last || position.number.0.is_multiple_of(STEP) {
            trim(cx, id);
        }
        self.clear_front(cx, id);
    }

    /// What is settled or shelved at the front of an outbox leaves memory.
    pub(super) fn clear_front(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        while let Some(peer) = cx.peers.get_mut(id) {
            let conversation = &mut peer.conversation;
            let first = conversation.messages.front();
            let Some(message) = first.and_then(|id| self.messages.all.get(id)) else { break };
            let (settled, position) = match message.stage {
                Stage::Done(_) if message.is_idle() => (true, message.position),
                Stage::Stored if message.is_idle() => (false, message.position),
                _ => break,
            };
            if conversation.window.has_behind() && position > conversation.behind_what() {
                // Those before it are in the store only: no cursor may pass them.
                break;
            }
            if let Some(gone) = conversation.messages.pop_front(&mut self.messages.all) {
                self.messages.all.remove(gone);
            }
            let has_shelved = conversation.has_shelved();
            conversation.window.shelved = position;
            if settled && !has_shelved {
                conversation.done = position;
                trim(cx, id);
            } else {
                // Of one that is settled, the record says so.
                let blocked = conversation.window.blocked;
                conversation.window.blocked = !settled && (!has_shelved || blocked);
            }
        }
        self.consider_direct(cx, id);
        self.messages.consider_fetch(cx, id);
        self.messages.consider_idle(cx, id);
    }

    /// No message of a conversation is behind those in memory.
    pub(super) fn nothing_behind(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        let Some(peer) = cx.peers.get_mut(id) else { return };
        let less = peer.conversation.window.nothing_behind();
        let unsaved = &mut self.messages.state.unsaved;
        *unsaved = unsaved.saturating_sub(less);
        self.consider_leaving(cx);
    }

    /// Seals a message to its recipient's key; one that is said in a room goes as it is.
    fn seal(&mut self, cx: &mut Ctx<'_>, id: Id<Outgoing>, why: SubmitReason) {
        let Some(message) = self.messages.get_mut(id) else { return };
        let Some(peer) = cx.peers.get_mut(message.peer) else { return };
        if let (true, Some(contact)) =
            (message.sending.is_linked(), peer.link().and_then(|link| cx.links.get_mut(link)))
        {
            contact.role.outbox.sending.remove(&mut self.messages.all, id);
        }
        if peer.is_room() {
            // Its members are many: the server reads it.
            return self.messages.set_stage(cx, id, Stage::Submitted);
        }
        let previous = self.messages.line(&peer.conversation).open_before(id, &peer.saved);
        let Some(message) = self.messages.get_mut(id) else { return };
        let total = usize::from(message.total);
        let (identity, random) = cx.links.identity_and_random();
        let name = MessageName {
            author: identity.public(),
            recipient: peer.key(),
            position: message.position,
        };
        let plain = cx.work.get_mut(..total).unwrap_or_default();
        cx.bodies.read(&message.body, 0, plain);
        let sealed = session::seal_mail(identity, &name, previous, random, cx.boot, cx.work, total);
        let Some(sealed) = sealed.and_then(|length| cx.work.get(..length)) else {
            self.done(cx, id, Verdict::Refused(SubmitRefusal::NoRecipient));
            return;
        };
        cx.bodies.write(&mut message.body, 0, sealed);
        message.total = sealed.len() as u16;
        message.link = None;
        message.news.submitted = Some(why);
        peer.conversation.relayed = false;
        self.messages.set_stage(cx, id, Stage::Submitted);
        self.messages.tell(id);
    }
}

/// The link to the server, once it has said which number a peer has.
fn server_for(cx: &Ctx<'_>, id: PeerId) -> Option<Id<ClientLink>> {
    let known = cx.peers.get(id).is_some_and(|peer| peer.recipient().is_some());
    cx.server.online().filter(|_| known)
}
