//! The table of the user's messages that are in memory, of all conversations: how they get in and
//! out, and when a conversation must be looked at again.

use core::time::Duration;

use crate::client::headers::OutboxRecord;
use crate::{
    client::{
        ctx::Ctx,
        event::{MessageId, Verdict},
        role::ClientLink,
        roster::{
            id::PeerId,
            list::PeerList,
            peer::{Active, Peer},
        },
        view::OpenMessages,
    },
    host::Ask,
    id::{Number, Position, Recipient},
    link::Units,
    record::{BODY_HEADER, Said, decode},
    session::MAIL_OVERHEAD,
    storage::{Body, Id, List, Slab},
    time::UnixTime,
    timers::Timers,
    wire::{Frame, Message, Presence, Submit},
};

use super::{
    conversation::{Conversation, Path},
    line::Line,
    message::{Outgoing, Stage, Telling},
    status_queries::query_status,
    window::before,
};

/// The most messages of one conversation in memory: while less than half of the table is used,
/// less than five eighths, and beyond.
const MOST: [usize; 3] = [512, 64, 8];

/// How long a submission waits for a word from a server that is there before it is
/// sent again.
pub(super) const AGAIN: Duration = Duration::from_secs(5);

/// The least time to a deadline that was just found to be over.
const MOMENT: Duration = Duration::from_millis(1);

/// What the table keeps beside its rows.
#[derive(Debug, Default)]
pub(in crate::client) struct State {
    /// Conversations with something that is not settled.
    pub(super) active: PeerList<Active>,
    /// Messages that there is something to tell about.
    pub(super) telling: List<Outgoing, Telling>,
    /// How many messages are neither settled nor saved by the server; one more for each
    /// conversation where that is not known yet.
    pub(super) unsaved: usize,
}

/// The user's messages that are in memory.
#[derive(Debug)]
pub(super) struct Messages<'a> {
    pub(super) all: Slab<'a, Outgoing>,
    /// When each conversation must be looked at again.
    pub(super) timers: Timers<'a>,
    pub(super) state: &'a mut State,
}

impl<'a> Messages<'a> {
    /// A message that is known to be here.
    pub(super) fn get(&self, id: Id<Outgoing>) -> Option<&Outgoing> {
        let message = self.all.get(id);
        debug_assert!(message.is_some(), "a message stays until nothing names it any more");
        message
    }

    /// A message that is known to be here.
    pub(super) fn get_mut(&mut self, id: Id<Outgoing>) -> Option<&mut Outgoing> {
        let message = self.all.get_mut(id);
        debug_assert!(message.is_some(), "a message stays until nothing names it any more");
        message
    }

    /// Those of one conversation.
    pub(super) fn line<'s>(&'s self, conversation: &'s Conversation) -> Line<'s, 'a> {
        Line::new(conversation, &self.all)
    }

    /// Those of a conversation with someone or in a room.
    pub(super) fn of<'s>(&'s self, cx: &'s Ctx<'_>, id: PeerId) -> Option<Line<'s, 'a>> {
        Some(self.line(&cx.peers.get(id)?.conversation))
    }

    /// What comes from others must always find some room.
    pub(super) fn is_crowded(&self, cx: &Ctx<'_>) -> bool {
        self.all.len() * 4 >= self.all.capacity() * 3
            || cx.bodies.used() * 4 >= cx.bodies.capacity() * 3
    }

    /// One more message of a conversation may be in memory.
    pub(super) fn has_turn(&self, conversation: &Conversation) -> bool {
        debug_assert_eq!(
            conversation.in_turn,
            self.line(conversation).iter().filter(|(_, it)| it.stage.is_in_turn()).count(),
            "each change of a stage is counted"
        );
        conversation.in_turn < self.most()
    }

    /// A message gets on.
    pub(super) fn set_stage(&mut self, cx: &mut Ctx<'_>, id: Id<Outgoing>, stage: Stage) {
        let Some(message) = self.get_mut(id) else { return };
        let before = core::mem::replace(&mut message.stage, stage);
        if let Some(peer) = cx.peers.get_mut(message.peer) {
            let in_turn = &mut peer.conversation.in_turn;
            *in_turn += usize::from(stage.is_in_turn());
            *in_turn -= usize::from(before.is_in_turn());
        }
    }

    /// So many messages of one conversation may be in turn.
    fn most(&self) -> usize {
        let (used, all) = (self.all.len(), self.all.capacity());
        let [few, some, many] = MOST;
        if used * 2 < all {
            few
        } else if used * 8 < all * 5 {
            some
        } else {
            many
        }
    }

    /// A message that just became durable is under way at once, or waits in the store for those
    /// before it.
    pub(super) fn takes_turn(&self, cx: &Ctx<'_>, id: PeerId) -> bool {
        let Some(peer) = cx.peers.get(id) else { return false };
        let conversation = &peer.conversation;
        !conversation.window.has_behind() && !self.is_crowded(cx) && self.has_turn(conversation)
    }

    /// One more message that was read together with others has its turn.
    pub(super) fn goes_on(&self, cx: &Ctx<'_>, id: PeerId, position: Position) -> bool {
        let Some(Peer { conversation, .. }) = cx.peers.get(id) else { return false };
        let window = &conversation.window;
        let is_next = window.has_behind() && conversation.behind_what() < position;
        is_next && !window.failed && !self.is_crowded(cx) && self.has_turn(conversation)
    }

    /// Numbers a text and asks the host to make it durable; `None` if there is no room.
    pub(super) fn accept(
        &mut self,
        cx: &mut Ctx<'_>,
        id: PeerId,
        text: &[u8],
    ) -> Option<MessageId> {
        // What comes must always find some room.
        if self.is_crowded(cx) {
            self.make_room(cx);
        }
        if self.is_crowded(cx) {
            return None;
        }
        let last = cx.peers.get(id)?.conversation.last;
        let epoch = cx.server.epoch();
        let number = if last.epoch == epoch { last.number } else { Number(0) };
        if number.next() == number {
            return None;
        }
        let position = Position::new(epoch, number.next());
        let time = cx.unix();
        let mut body = cx.bodies.allocate(BODY_HEADER + text.len() + MAIL_OVERHEAD)?;
        cx.bodies.write(&mut body, 0, &time.0.to_le_bytes());
        cx.bodies.write(&mut body, BODY_HEADER, text);
        let total = (BODY_HEADER + text.len()) as u16;
        let mut message = Outgoing::new(id, position, Stage::Saving, body, total);
        message.time = time;
        message.ask = Ask::Owed;
        let added = match self.all.insert(message) {
            Ok(added) => added,
            Err(message) => {
                cx.bodies.free(message.body);
                return None;
            }
        };
        let peer = cx.peers.get_mut(id)?;
        let recipient = peer.log();
        let conversation = &mut peer.conversation;
        if last.epoch < position.epoch {
            conversation.window.former = last.epoch;
        }
        conversation.last = position;
        conversation.messages.push_back(&mut self.all, added);
        cx.begin_record(id);
        self.state.active.push_back(&mut cx.peers, id);
        cx.store.owe_outgoing(&mut self.all, added);
        self.state.unsaved += 1;
        Some(MessageId { recipient, position })
    }

    /// The next message whose user is to hear of it is told of.
    pub(super) fn tell(&mut self, id: Id<Outgoing>) {
        self.state.telling.push_back(&mut self.all, id);
    }

    /// What became of a message is to be durable, and told then.
    pub(super) fn save_verdict(&mut self, cx: &mut Ctx<'_>, id: Id<Outgoing>) {
        if let Some(message) = self.all.get_mut(id) {
            message.ask = Ask::Owed;
            cx.store.owe_outgoing(&mut self.all, id);
        }
    }

    /// Asks the host again to save what became of messages, where it failed.
    pub(super) fn save_verdicts_again(&mut self, cx: &mut Ctx<'_>) {
        while let Some(id) = cx.store.next_failed_outgoing(&mut self.all) {
            self.save_verdict(cx, id);
        }
    }

    /// Gives a message's body back.
    pub(super) fn free(&mut self, cx: &mut Ctx<'_>, id: Id<Outgoing>) {
        if let Some(message) = self.all.get_mut(id) {
            cx.bodies.free(core::mem::replace(&mut message.body, Body::EMPTY));
        }
    }

    /// Puts a message on the list of what a link has to send.
    pub(super) fn enqueue(&mut self, cx: &mut Ctx<'_>, id: Id<Outgoing>, link: Id<ClientLink>) {
        let Some(message) = self.get_mut(id) else { return };
        if message.link != Some(link) {
            message.todo = Units::all(message.total.into());
            // A server that crashed meanwhile may have handed it over, and not know.
            message.maybe_delivered |= message.link.is_some();
        }
        if let Some(found) = cx.links.get_mut(link) {
            found.role.outbox.sending.push_back(&mut self.all, id);
            cx.links.wake(link);
        }
    }

    /// Takes a message off the list of what its link has to send.
    pub(super) fn unlist(&mut self, cx: &mut Ctx<'_>, id: Id<Outgoing>) {
        let Some(message) = self.get(id).filter(|m| m.sending.is_linked()) else { return };
        let link = match message.stage {
            Stage::Submitted => cx.server.link(),
            _ => cx.peers.get(message.peer).and_then(Peer::link),
        };
        if let Some(found) = link.and_then(|link| cx.links.get_mut(link)) {
            found.role.outbox.sending.remove(&mut self.all, id);
        }
    }

    /// What each frame with a piece of a message says of it.
    pub(super) fn head(&self, cx: &Ctx<'_>, id: Id<Outgoing>) -> Option<Head> {
        let message = self.all.get(id)?;
        let peer = cx.peers.get(message.peer)?;
        let to = match message.stage {
            Stage::Open => None,
            _ => {
                // Until what was sealed to the key before is back, all of it is.
                let key = peer.person().map_or(0, |person| {
                    person.former().map_or(person.key_number(), |(_, number)| number)
                });
                Some((peer.recipient()?, key))
            }
        };
        let skip = self.line(&peer.conversation).skip(id);
        Some(Head { to, position: message.position, skip, total: message.total })
    }

    /// When a conversation must be looked at again, if a message decides that: the first that is
    /// neither settled nor saved by the server does.
    pub(super) fn rearm_for(&mut self, cx: &mut Ctx<'_>, id: Id<Outgoing>) {
        let Some(message) = self.get(id) else { return };
        let Some(peer) = cx.peers.get(message.peer) else { return };
        let before = peer.conversation.messages.before(id, &message.of_peer);
        let before = before.and_then(|id| self.all.get(id));
        if before.is_none_or(|before| !before.stage.is_unsaved()) {
            self.rearm(cx, message.peer);
        }
    }

    /// When a conversation must be looked at again.
    pub(super) fn rearm(&mut self, cx: &Ctx<'_>, id: PeerId) {
        let Some(peer) = cx.peers.get(id) else { return };
        let config = &cx.config;
        let first = self.line(&peer.conversation).first_unsaved();
        let expiry = first.filter(|message| may_expire(cx, message)).map(|message| {
            // The wall clock may have jumped: what is over is over in a moment, not in the past.
            let left = config.expiry.saturating_sub(cx.unix().since(message.time));
            cx.now + left.max(MOMENT)
        });
        let patience = first.and_then(|message| {
            let span = match (message.stage, peer.conversation.path) {
                (Stage::Open, Path::Direct) if cx.server.was_online() => config.receipt,
                (Stage::Submitted, Path::Server) if is_on_its_way(cx, message) => AGAIN,
                _ => return None,
            };
            Some(message.since? + span)
        });
        self.timers.set(id.slot(), expiry.into_iter().chain(patience).min());
    }

    /// Nothing of a conversation is under way any more: no receipt is waited for.
    pub(super) fn pause(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        let mut at = cx.peers.get(id).and_then(|peer| peer.conversation.messages.front());
        while let Some(message) = at.and_then(|id| self.all.get_mut(id)) {
            at = message.of_peer.next();
            message.since = None;
        }
        self.rearm(cx, id);
    }

    /// The server sends submissions on to their recipient before it has saved them.
    pub(super) fn relayed(&mut self, cx: &Ctx<'_>, id: PeerId) {
        let mut at = cx.peers.get(id).and_then(|peer| peer.conversation.messages.front());
        while let Some(message) = at.and_then(|id| self.all.get_mut(id)) {
            at = message.of_peer.next();
            message.maybe_delivered |= message.stage == Stage::Submitted;
        }
    }

    /// A conversation's outbox is read on if that is any use.
    pub(super) fn consider_fetch(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        if self.fetch_from(cx, id).is_some() {
            cx.store.owe_fetch(&mut cx.peers, id);
        }
    }

    /// Behind which message the outbox is to be read on; `None` while that is no use.
    pub(super) fn fetch_from(&self, cx: &Ctx<'_>, id: PeerId) -> Option<Position> {
        let peer = cx.peers.get(id)?;
        let conversation = &peer.conversation;
        let window = &conversation.window;
        if window.fetch != Ask::Idle || window.failed || window.is_telling() {
            return None;
        }
        if conversation.can_settle(&peer.saved) {
            return Some(conversation.done);
        }
        // Many are read at once, while as many are still under way.
        let has_room = conversation.in_turn < self.most().div_ceil(2);
        let goes_on = window.has_behind() && has_room && is_sendable(cx, peer);
        goes_on.then_some(conversation.behind_what())
    }

    /// Puts a message of the outbox into memory, in its place; `None` without room.
    pub(super) fn enter(
        &mut self,
        cx: &mut Ctx<'_>,
        id: PeerId,
        position: Position,
        verdict: Option<Verdict>,
        body: &[u8],
    ) -> Option<Id<Outgoing>> {
        if self.all.is_full() {
            return None;
        }
        let stage = verdict.map_or(Stage::Open, Stage::Done);
        let kept = if verdict.is_none() { body_with_room(cx, body)? } else { Body::EMPTY };
        let mut message = Outgoing::new(id, position, stage, kept, body.len() as u16);
        message.time = Said::from_body(body).map_or(UnixTime(0), |said| said.time);
        let conversation = &mut cx.peers.get_mut(id)?.conversation;
        message.maybe_delivered = position <= conversation.window.maybe_sent;
        let in_turn = usize::from(message.stage.is_in_turn());
        let added = self.all.insert(message).ok()?;
        conversation.in_turn += in_turn;
        let line = Line::new(conversation, &self.all);
        let next = match line.last_upto(position) {
            Some((_, before)) => before.of_peer.next(),
            None => conversation.messages.front(),
        };
        conversation.messages.insert_before(&mut self.all, next, added);
        conversation.window.loaded_upto(position);
        self.state.active.push_back(&mut cx.peers, id);
        if verdict.is_some() {
            // It may have been told already; it is told again rather than never, and the record
            // says then that this run told it.
            self.save_verdict(cx, added);
        }
        Some(added)
    }

    /// A record of the outbox, at the start; where to read on behind.
    pub(super) fn resume(
        &mut self,
        cx: &mut Ctx<'_>,
        id: PeerId,
        position: Position,
        bytes: &[u8],
    ) -> Position {
        self.state.active.push_back(&mut cx.peers, id);
        let Some(peer) = cx.peers.get_mut(id) else { return position };
        let conversation = &mut peer.conversation;
        conversation.window.maybe_sent = position;
        if position <= conversation.stored {
            // The server has it, or what came of it is to be told.
            conversation.done = before(position);
            conversation.window.shelved = conversation.stored;
            conversation.path = Path::Server;
            return conversation.stored;
        }
        let header = decode::<OutboxRecord>(bytes);
        let verdict = header.as_ref().and_then(|(header, _)| header.verdict);
        self.state.unsaved += usize::from(verdict.is_none());
        let has_turn = self.takes_turn(cx, id);
        let entered = header.filter(|_| has_turn).and_then(|(_, body)| {
            self.enter(cx, id, position, verdict.map(|(verdict, _)| verdict), body)
        });
        let Some(peer) = cx.peers.get_mut(id).filter(|_| entered.is_none()) else {
            return position;
        };
        if verdict.is_none() {
            peer.conversation.window.fall_behind();
        } else if peer.conversation.window.doubt() {
            self.state.unsaved += 1;
        }
        position
    }

    /// A message that just became durable is not in turn.
    pub(super) fn fall_behind(&mut self, cx: &mut Ctx<'_>, id: Id<Outgoing>) {
        let Some(message) = self.get(id) else { return };
        let peer = message.peer;
        self.set_stage(cx, id, Stage::Behind);
        if let Some(peer) = cx.peers.get_mut(peer) {
            peer.conversation.window.fall_behind();
        }
        self.free(cx, id);
    }

    /// One that was behind is so no longer.
    pub(super) fn come_forward(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        let Some(peer) = cx.peers.get_mut(id) else { return };
        if !peer.conversation.window.come_forward() {
            self.state.unsaved += 1;
        }
    }

    /// The server has this conversation up to `stored` only: what it does not have any more is
    /// submitted again.
    pub(super) fn take_back(&mut self, cx: &mut Ctx<'_>, id: PeerId, stored: Position) {
        let Some(peer) = cx.peers.get_mut(id) else { return };
        let conversation = &mut peer.conversation;
        let stored = stored.max(conversation.done).max(conversation.window.settled.upto());
        conversation.stored = stored;
        if conversation.window.shelved > stored {
            conversation.window.shelved = stored;
            self.state.unsaved += usize::from(conversation.window.doubt());
        }
        self.unload(cx, id, stored);
        cx.save_record(id);
        self.consider_fetch(cx, id);
    }

    /// Puts what is in memory beyond `from` back to the store, where it can be read again.
    fn unload(&mut self, cx: &mut Ctx<'_>, id: PeerId, from: Position) {
        let Some(peer) = cx.peers.get_mut(id) else { return };
        peer.conversation.window.unload(from);
        let mut at = peer.conversation.messages.front();
        while let Some((message_id, message)) = at.and_then(|id| Some((id, self.all.get(id)?))) {
            at = message.of_peer.next();
            let stage = message.stage;
            if message.position <= from || !(stage.is_in_turn() || stage == Stage::Stored) {
                continue;
            }
            self.state.unsaved += usize::from(stage == Stage::Stored);
            self.unlist(cx, message_id);
            self.free(cx, message_id);
            self.set_stage(cx, message_id, Stage::Behind);
            if let Some(message) = self.all.get_mut(message_id) {
                message.news.stored = false;
                (message.link, message.since) = (None, None);
            }
            if let Some(peer) = cx.peers.get_mut(id) {
                peer.conversation.window.fall_behind();
            }
            self.put_back(cx, message_id);
        }
        self.rearm(cx, id);
    }

    /// A message that is not in turn leaves memory, once its user was told of it.
    pub(super) fn put_back(&mut self, cx: &mut Ctx<'_>, id: Id<Outgoing>) {
        let idle = |m: &&Outgoing| m.stage == Stage::Behind && !m.telling.is_linked();
        let Some(message) = self.get(id).filter(idle) else { return };
        let peer_id = message.peer;
        self.free(cx, id);
        if let Some(peer) = cx.peers.get_mut(peer_id) {
            peer.conversation.messages.remove(&mut self.all, id);
        }
        self.all.remove(id);
        self.consider_fetch(cx, peer_id);
    }

    /// Makes room for what the user says: what cannot be sent now is put back.
    fn make_room(&mut self, cx: &mut Ctx<'_>) {
        let mut at = self.state.active.front();
        while let Some(id) = at {
            at = PeerList::<Active>::after(&mut cx.peers, id);
            let Some(peer) = cx.peers.get(id) else { continue };
            if !is_sendable(cx, peer) {
                let from = peer.conversation.stored.max(peer.conversation.done);
                self.unload(cx, id, from);
            }
        }
    }

    /// What is not settled.
    pub(super) fn open_messages(&self, cx: &mut Ctx<'_>) -> OpenMessages {
        let (mut at, mut stored) = (self.state.active.front(), false);
        while let Some(id) = at {
            at = PeerList::<Active>::after(&mut cx.peers, id);
            stored |= self.of(cx, id).is_some_and(Line::has_stored);
        }
        let may_be_saved = self.may_be_saved(cx);
        OpenMessages { unsaved: self.state.unsaved, may_be_saved, stored }
    }

    /// The server may save something that it does not have yet. For whom it does not know, as
    /// one that began anew, it keeps nothing.
    pub(super) fn may_be_saved(&self, cx: &mut Ctx<'_>) -> bool {
        if self.state.unsaved == 0 || !cx.server.knows_roster() {
            return self.state.unsaved > 0;
        }
        let mut at = self.state.active.front();
        while let Some(id) = at {
            at = PeerList::<Active>::after(&mut cx.peers, id);
            let Some(peer) = cx.peers.get(id) else { continue };
            let is_known = peer.recipient().is_some() || peer.is_room();
            let first = self.line(&peer.conversation).first_unsaved();
            let is_saving = first.is_some_and(|message| message.stage == Stage::Saving);
            let has_behind = peer.conversation.window.has_behind();
            if is_saving || is_known && (first.is_some() || has_behind) {
                return true;
            }
        }
        false
    }

    /// Nothing is under way any more: no receipt is waited for.
    pub(super) fn pause_all(&mut self, cx: &mut Ctx<'_>) {
        let mut at = self.state.active.front();
        while let Some(id) = at {
            at = PeerList::<Active>::after(&mut cx.peers, id);
            self.pause(cx, id);
        }
    }

    /// Asks the server after everything that it has of this client's.
    pub(in crate::client) fn query_all(&mut self, cx: &mut Ctx<'_>) {
        let mut at = self.state.active.front();
        while let Some(id) = at {
            at = PeerList::<Active>::after(&mut cx.peers, id);
            query_status(cx, id);
        }
    }

    /// Every conversation's outbox is read on if that is any use.
    pub(in crate::client) fn fetch_all(&mut self, cx: &mut Ctx<'_>) {
        let mut at = self.state.active.front();
        while let Some(id) = at {
            at = PeerList::<Active>::after(&mut cx.peers, id);
            self.consider_fetch(cx, id);
        }
    }

    /// What the store failed to do for outboxes, it is asked for again.
    pub(super) fn fetch_again(&mut self, cx: &mut Ctx<'_>) {
        let mut at = self.state.active.front();
        while let Some(id) = at {
            at = PeerList::<Active>::after(&mut cx.peers, id);
            if let Some(peer) = cx.peers.get_mut(id) {
                peer.conversation.window.failed = false;
            }
            cx.save_record_again(id);
            self.consider_fetch(cx, id);
        }
    }

    /// A conversation in which nothing is open needs no more attention.
    pub(super) fn consider_idle(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        let Some(peer) = cx.peers.get(id) else { return };
        if !peer.conversation.is_open() && !peer.saved.has_failed() {
            self.state.active.remove(&mut cx.peers, id);
        }
    }
}

/// Whether the author's own clock may say that a message expired: the clock may be wrong, so
/// only of what nobody can have, or if there is nobody to ask.
pub(super) fn may_expire(cx: &Ctx<'_>, message: &Outgoing) -> bool {
    let lost = || {
        let recipient = cx.peers.get(message.peer).and_then(Peer::recipient);
        cx.server.knows_roster() && recipient.is_none()
    };
    match message.stage {
        Stage::Open if !message.maybe_delivered => true,
        Stage::Open | Stage::Submitted => lost(),
        _ => false,
    }
}

/// The store failed to read an outbox, or there is no room for what it read.
pub(super) fn fetch_later(cx: &mut Ctx<'_>, id: PeerId) {
    if let Some(peer) = cx.peers.get_mut(id) {
        peer.conversation.window.failed = true;
    }
    cx.store.retry_later(cx.now);
}

/// What each frame with a piece of a message says of it; `to` whom, and sealed to which of their
/// keys, if it goes by way of the server.
pub(super) struct Head {
    to: Option<(Recipient, u32)>,
    position: Position,
    skip: u32,
    total: u16,
}

impl Head {
    pub(super) fn frame<'p>(&self, offset: u16, piece: &'p [u8]) -> Frame<'p> {
        let Self { position: Position { epoch, number }, skip, total, .. } = *self;
        match self.to {
            None => Frame::Message(Message { epoch, number, skip, total, offset, piece }),
            Some((to, key)) => {
                Frame::Submit(Submit { to, epoch, number, key, skip, total, offset, piece })
            }
        }
    }
}

/// A body with room to be sealed in place.
pub(super) fn body_with_room(cx: &mut Ctx<'_>, bytes: &[u8]) -> Option<Body> {
    let mut body = cx.bodies.allocate(bytes.len() + MAIL_OVERHEAD)?;
    cx.bodies.write(&mut body, 0, bytes);
    Some(body)
}

/// A submission was sent in this session.
pub(super) fn is_on_its_way(cx: &Ctx<'_>, message: &Outgoing) -> bool {
    let link = cx.server.online();
    link.is_some() && message.link == link
}

/// Messages of this conversation can get on.
fn is_sendable(cx: &Ctx<'_>, peer: &Peer) -> bool {
    match peer.conversation.path {
        _ if peer.presence() == Presence::Removed => true,
        Path::Direct => cx.server.was_online() && peer.recipient().is_some(),
        Path::Server => cx.server.online().is_some() && peer.recipient().is_some(),
    }
}
