//! Reading the outbox on: what waits in the store for its turn, or for its last word.

use crate::client::headers::OutboxRecord;
use crate::{
    client::{
        ctx::Ctx,
        event::{Event, Failure, Verdict},
        requests::Asker,
        roster::id::PeerId,
    },
    host::{Log, Records, Request},
    id::Position,
    record,
    storage::Id,
};

use super::{
    Outbox,
    message::{Outgoing, Stage},
    messages::{body_with_room, fetch_later},
    trimming::trim,
    window::{after, before},
};

/// How many messages of an outbox are read at once.
pub(in crate::client) const READ_AHEAD: usize = 64;

impl Outbox<'_> {
    /// The request to read on the outbox of the first that waits for it, if that is still of use.
    pub(in crate::client) fn request_fetch(&mut self, cx: &mut Ctx<'_>) -> Option<Request> {
        let id = cx.store.next_fetch(&mut cx.peers)?;
        let from = self.sending.messages.fetch_from(cx, id)?;
        let ticket = cx.store.ticket(Asker::Fetch, id.slot());
        let peer = cx.peers.get_mut(id)?;
        peer.conversation.window.asked(ticket.serial, from);
        let from = from.to_record_number().saturating_add(1);
        Some(Request::Read { ticket, log: Log::Outbox(peer.log()), from, most: READ_AHEAD })
    }

    /// The record of a conversation is durable, or could not be made so.
    pub(in crate::client) fn record_saved(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        if cx.peers.get(id).is_some_and(|peer| peer.saved.has_failed()) {
            // Those that have something to be done are looked at then.
            self.sending.messages.state.active.push_back(&mut cx.peers, id);
            cx.store.retry_later(cx.now);
        }
        let conversation = cx.peers.get(id).map(|peer| &peer.conversation);
        if conversation.is_some_and(|it| it.is_left(it.last.epoch)) {
            self.sending.pump(cx, id);
        }
        self.sending.messages.consider_fetch(cx, id);
        self.sending.messages.consider_idle(cx, id);
    }

    /// A record of the outbox, at the start; where to read on behind.
    pub(in crate::client) fn resume(
        &mut self,
        cx: &mut Ctx<'_>,
        id: PeerId,
        position: Position,
        bytes: &[u8],
    ) -> Position {
        self.sending.messages.resume(cx, id, position, bytes)
    }

    /// The store's answer: the next records of an outbox; `None` if the store failed.
    pub(in crate::client) fn fetched(
        &mut self,
        cx: &mut Ctx<'_>,
        id: PeerId,
        serial: u32,
        loaded: Option<Records<'_>>,
    ) {
        let Some(peer) = cx.peers.get_mut(id) else { return };
        if !peer.conversation.window.fetch.answer(serial) {
            return;
        }
        let from = peer.conversation.window.from;
        let (done, behind) = (peer.conversation.done, peer.conversation.behind_what());
        let settles = peer.conversation.can_settle(&peer.saved) && from == done;
        let least = from.to_record_number().saturating_add(1);
        let Some(loaded) = loaded.and_then(|loaded| loaded.checked(least)) else {
            cx.news.tell(Event::StoreFailed);
            fetch_later(cx, id);
            return;
        };
        let records = loaded.records.iter();
        let mut records =
            records.map(|(number, bytes)| (Position::from_record_number(*number), *bytes));
        if settles {
            self.settle_shelved(cx, id, records);
        } else if from == behind {
            match records.next() {
                Some((position, bytes)) => self.take_turn(cx, id, position, bytes),
                None => self.sending.nothing_behind(cx, id),
            }
            for (position, bytes) in records {
                if !self.sending.messages.goes_on(cx, id, position) {
                    break;
                }
                self.take_turn(cx, id, position, bytes);
            }
            self.sending.pump(cx, id);
        }
        if let Some(peer) = cx.peers.get(id)
            && let window = &peer.conversation.window
            && window.has_behind()
            && window.loaded >= peer.conversation.last
        {
            self.sending.nothing_behind(cx, id);
        }
        self.sending.clear_front(cx, id);
        self.sending.messages.rearm(cx, id);
    }

    /// What became of the first shelved messages is told.
    fn settle_shelved<'r>(
        &mut self,
        cx: &mut Ctx<'_>,
        id: PeerId,
        mut records: impl Iterator<Item = (Position, &'r [u8])>,
    ) {
        let Some(peer) = cx.peers.get_mut(id) else { return };
        let conversation = &mut peer.conversation;
        let window = &mut conversation.window;
        let first = records.next().filter(|(at, _)| *at <= window.shelved);
        let Some((position, bytes)) = first else {
            conversation.done = window.shelved;
            trim(cx, id);
            self.sending.clear_front(cx, id);
            return;
        };
        let own =
            |bytes| record::decode::<OutboxRecord>(bytes).and_then(|(header, _)| header.verdict);
        match (own(bytes), window.settled.verdict(position)) {
            (Some((_, told)), _) if told == cx.boot => self.sending.shelved_told(cx, id, position),
            (Some((verdict, _)), _) => {
                window.tell(position, position, verdict);
                cx.news.tell_of(&mut cx.peers, id);
            }
            (None, Some(verdict)) => {
                let mut last = position;
                for (next, bytes) in records {
                    let same = next == after(last)
                        && next <= window.shelved
                        && own(bytes).is_none()
                        && window.settled.verdict(next) == Some(verdict);
                    if !same {
                        break;
                    }
                    last = next;
                }
                window.tell(position, last, verdict);
                cx.news.tell_of(&mut cx.peers, id);
            }
            // All that is settled is told.
            (None, None) => {
                window.blocked = true;
                if conversation.done < before(position) {
                    conversation.done = before(position);
                    trim(cx, id);
                }
            }
        }
    }

    /// The next message behind those in memory has its turn.
    fn take_turn(&mut self, cx: &mut Ctx<'_>, id: PeerId, position: Position, bytes: &[u8]) {
        let known = self.sending.messages.of(cx, id).and_then(|line| line.last_upto(position));
        let known = known.filter(|(_, message)| message.position == position);
        if let Some((known, stage)) = known.map(|(known, message)| (known, message.stage)) {
            match stage {
                // All that is behind is being saved.
                Stage::Saving => self.sending.nothing_behind(cx, id),
                Stage::Behind => self.fill(cx, id, known, bytes),
                _ => loaded_upto(cx, id, position),
            }
            return;
        }
        match record::decode::<OutboxRecord>(bytes) {
            Some((OutboxRecord { verdict: Some((_, told)) }, _)) if told == cx.boot => {
                loaded_upto(cx, id, position);
            }
            Some((OutboxRecord { verdict }, body)) => {
                let verdict = verdict.map(|(verdict, _)| verdict);
                if self.sending.messages.enter(cx, id, position, verdict, body).is_none() {
                    fetch_later(cx, id);
                } else if verdict.is_none() {
                    self.sending.messages.come_forward(cx, id);
                }
            }
            None => {
                cx.news.tell(Event::Damaged);
                match self.sending.messages.enter(cx, id, position, None, &[]) {
                    Some(damaged) => {
                        self.sending.messages.come_forward(cx, id);
                        self.sending.done(cx, damaged, Verdict::Failed(Failure::Damaged));
                    }
                    None => fetch_later(cx, id),
                }
            }
        }
    }

    /// A message that is in memory still to be told of has its turn.
    fn fill(&mut self, cx: &mut Ctx<'_>, id: PeerId, known: Id<Outgoing>, bytes: &[u8]) {
        let text = record::decode::<OutboxRecord>(bytes).map(|(_, text)| text);
        let body = text.and_then(|text| body_with_room(cx, text));
        let Some(message) = self.sending.messages.all.get_mut(known) else { return };
        let position = message.position;
        match (text, body) {
            (None, _) => {
                cx.news.tell(Event::Damaged);
                self.sending.done(cx, known, Verdict::Failed(Failure::Damaged));
            }
            (Some(_), None) => return fetch_later(cx, id),
            (Some(text), Some(body)) => {
                (message.body, message.total) = (body, text.len() as u16);
                self.sending.messages.set_stage(cx, known, Stage::Open);
            }
        }
        loaded_upto(cx, id, position);
        self.sending.messages.come_forward(cx, id);
    }
}

fn loaded_upto(cx: &mut Ctx<'_>, id: PeerId, position: Position) {
    if let Some(peer) = cx.peers.get_mut(id) {
        peer.conversation.window.loaded_upto(position);
    }
}
