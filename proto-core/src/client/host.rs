//! What the client asks its host, what it does with the answers, and what it tells.

use core::time::Duration;

use crate::{
    host::{Ask, Log, Records, Request, Ticket},
    id::{Epoch, Position},
    record::{self, BODY_HEADER, InboxRecord},
    storage::{Body, Id},
    time::Instant,
};

use super::{
    Event, Incoming, MessageId, Outgoing, Peer, To,
    engine::Engine,
    headers::{ConversationRecord, OutboxRecord, SelfRecord},
    history::Reader,
    incoming, outgoing,
    window::READ_AHEAD,
};

/// Who asked: the part of a ticket that says which table its slot is in.
mod asker {
    pub(super) const SELF: u8 = 1;
    pub(super) const CONVERSATION: u8 = 2;
    pub(super) const FORGET: u8 = 3;
    pub(super) const OUTGOING: u8 = 4;
    pub(super) const INCOMING: u8 = 8;
    pub(super) const LOADING: u8 = 5;
    pub(super) const FETCH: u8 = 6;
    pub(super) const LOOK: u8 = 7;
}

/// How long to wait before the store is asked again for what it failed to read or save.
const AGAIN: Duration = Duration::from_secs(1);

/// The reading of the durable state, and the saving of what it says of the client itself.
#[derive(Debug)]
pub(super) struct Loading {
    what: What,
    ask: Ask,
    again: Option<Instant>,
    save_self: Ask,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// The next conversation.
    Conversation {
        from: u64,
    },
    /// How far a conversation's inbox is.
    Inbox {
        of: Id<Peer>,
        number: u64,
    },
    /// The next message in a conversation's outbox.
    Outbox {
        of: Id<Peer>,
        number: u64,
        from: u64,
    },
    Done,
}

impl Loading {
    pub(super) fn start() -> Self {
        Self {
            what: What::Conversation { from: 1 },
            ask: Ask::Owed,
            again: None,
            save_self: Ask::Idle,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.what, What::Done)
    }

    pub(super) fn is_owed(&self) -> bool {
        self.ask == Ask::Owed || self.save_self == Ask::Owed
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.again
    }
}

impl Engine<'_> {
    /// The next request to the host.
    pub(super) fn next_request(&mut self) -> Option<Request> {
        if self.state.loading.save_self == Ask::Owed {
            let ticket = self.ticket(asker::SELF, 0);
            self.state.loading.save_self = Ask::Asked(ticket.serial);
            let header = SelfRecord { epoch: self.state.epoch };
            let length = record::encode(self.work, &header, &self.pool, &Body::EMPTY, 0)?;
            return Some(Request::Put { ticket, log: Log::Conversations, number: 1, length });
        }
        while let Some(peer) = self.state.asking_peers.front() {
            if let Some(request) = self.request_peer(peer) {
                return Some(request);
            }
            self.state.asking_peers.pop_front(&mut self.peers.slab);
        }
        if let Some(message) = self.state.asking_outgoing.pop_front(&mut self.outgoing) {
            return self.request_outgoing(message);
        }
        if let Some(message) = self.state.asking_incoming.pop_front(&mut self.incoming) {
            return self.request_incoming(message);
        }
        if let Some(request) = self.request_fetch() {
            return Some(request);
        }
        (self.state.loading.ask == Ask::Owed).then(|| self.request_loading())
    }

    /// The next event that the host's user is to hear of.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        if let Some(event) = self.state.home.next_event() {
            return Some(event);
        }
        if let Some(event) = self.names_event() {
            return Some(event);
        }
        while let Some(peer) = self.state.telling_peers.front() {
            if let Some(found) = self.peers.get_mut(peer) {
                if let Some((position, verdict)) = found.window.next_verdict() {
                    let (recipient, to) = (found.log, found.with);
                    let id = MessageId { recipient, position };
                    self.shelved_told(peer, position);
                    return Some(Event::Verdict { id, to, verdict });
                }
                if core::mem::take(&mut found.news.reset) {
                    return Some(Event::RoomReset { room: found.with });
                }
                if let Some((why, missing)) = found.news.take_gone() {
                    return Some(Event::RoomGap { room: found.with, missing, why });
                }
                if let To::Peer(nick) = found.with {
                    if core::mem::take(&mut found.news.key_changed) {
                        return Some(Event::KeyChanged { nick });
                    }
                    if core::mem::take(&mut found.news.relayed) {
                        return Some(Event::Relayed { to: nick });
                    }
                }
            }
            self.state.telling_peers.pop_front(&mut self.peers.slab);
        }
        while let Some(id) = self.state.telling_outgoing.front() {
            if let Some(event) = self.outgoing_event(id) {
                return Some(event);
            }
            self.state.telling_outgoing.pop_front(&mut self.outgoing);
            let Some(message) = self.outgoing.get(id) else { continue };
            let peer = message.peer;
            match message.stage {
                outgoing::Stage::Done(_) | outgoing::Stage::Stored => self.clear_front(peer),
                outgoing::Stage::Behind => self.put_back(id),
                _ => {}
            }
            // What that led to may want something from the host first.
            if let Some(event) = self.state.home.next_event() {
                return Some(event);
            }
        }
        while let Some(id) = self.state.telling_incoming.front() {
            if let Some(event) = self.incoming_event(id) {
                return Some(event);
            }
            self.state.telling_incoming.pop_front(&mut self.incoming);
            let Some(message) = self.incoming.get(id) else { continue };
            if message.stage == incoming::Stage::Kept && message.mail.is_none() {
                self.came_told(id);
            }
        }
        None
    }

    pub(super) fn tell_outgoing(&mut self, id: Id<Outgoing>) {
        self.state.telling_outgoing.push_back(&mut self.outgoing, id);
    }

    pub(super) fn tell_incoming(&mut self, id: Id<Incoming>) {
        self.state.telling_incoming.push_back(&mut self.incoming, id);
    }

    pub(super) fn save_self(&mut self) {
        self.state.loading.save_self = Ask::Owed;
    }

    pub(super) fn handle_stored(&mut self, ticket: Ticket, stored: bool) {
        let Ticket { asker, slot, serial } = ticket;
        match asker {
            asker::SELF if self.state.loading.save_self.answer(serial) && !stored => {
                self.state.home.tell(Event::StoreFailed);
                self.state.loading.again = Some(self.state.now + AGAIN);
            }
            asker::CONVERSATION | asker::FORGET => {
                let peer = self.peers.slab.id_at(slot).and_then(|id| self.peers.get_mut(id));
                let Some(peer) = peer else { return };
                if asker == asker::FORGET {
                    // What is not forgotten is settled again after a restart.
                    peer.forget.answer(serial);
                } else if peer.save.answer(serial) {
                    peer.recorded |= stored;
                    if peer.recorded {
                        peer.window.resave = !stored;
                    } else {
                        // Its messages failed with it, and the next one asks again.
                        peer.conversation = None;
                    }
                    let Some(id) = self.peers.slab.id_at(slot) else { return };
                    if self.peers.get(id).is_some_and(|peer| peer.window.resave) {
                        // Those that have something to be done are looked at then.
                        self.state.active.push_back(&mut self.peers.slab, id);
                        let at = self.state.now + AGAIN;
                        self.state.retry_at.get_or_insert(at);
                    }
                    self.consider_fetch(id);
                    self.consider_idle(id);
                }
            }
            asker::OUTGOING => {
                let id = self.outgoing.id_at(slot);
                let answered = |message: &mut Outgoing| message.ask.answer(serial);
                if let Some(id) = id.filter(|id| self.outgoing.get_mut(*id).is_some_and(answered)) {
                    self.outbox_saved(id, stored);
                }
            }
            asker::INCOMING => {
                let id = self.incoming.id_at(slot);
                let answered = |message: &mut Incoming| message.ask.answer(serial);
                if let Some(id) = id.filter(|id| self.incoming.get_mut(*id).is_some_and(answered)) {
                    self.inbox_saved(id, stored);
                }
            }
            _ => {}
        }
    }

    pub(super) fn handle_read(&mut self, ticket: Ticket, loaded: Option<Records<'_>>) {
        if ticket.asker == asker::FETCH {
            let id = self.peers.slab.id_at(ticket.slot);
            let answered = |peer: &mut Peer| peer.window.fetch.answer(ticket.serial);
            if let Some(id) = id.filter(|id| self.peers.get_mut(*id).is_some_and(answered)) {
                self.fetched(id, loaded);
            }
            return;
        }
        if ticket.asker == asker::LOOK {
            let id = self.incoming.id_at(ticket.slot);
            let answered = |message: &mut Incoming| message.ask.answer(ticket.serial);
            if let Some(id) = id.filter(|id| self.incoming.get_mut(*id).is_some_and(answered)) {
                self.looked(id, loaded);
            }
            return;
        }
        if ticket.asker != asker::LOADING || !self.state.loading.ask.answer(ticket.serial) {
            return;
        }
        let from = match self.state.loading.what {
            What::Conversation { from } | What::Outbox { from, .. } => from,
            What::Inbox { .. } | What::Done => 0,
        };
        let Some(loaded) = loaded.and_then(|loaded| loaded.checked(from)) else {
            self.state.home.tell(Event::StoreFailed);
            self.load_later();
            return;
        };
        let (record, head) = (loaded.first(), loaded.last);
        match (self.state.loading.what, record) {
            (What::Conversation { .. }, Some((number, bytes))) => {
                self.load_conversation(number, bytes);
            }
            (What::Conversation { .. }, None) => {
                self.state.loading.what = What::Done;
                self.loaded();
            }
            (What::Inbox { of, number }, _) => {
                if let Some(peer) = self.peers.get_mut(of) {
                    let cursor = Position::from_record_number(head);
                    (peer.asked, peer.kept) = (cursor, cursor);
                    peer.reader = core::mem::take(&mut peer.reader).resume(cursor);
                }
                self.load_next(What::Outbox { of, number, from: 1 });
            }
            (What::Outbox { of, number, mut from }, Some(_)) => {
                for (at, bytes) in loaded.records {
                    if *at < from {
                        continue;
                    }
                    let next = self.resume_message(of, Position::from_record_number(*at), bytes);
                    from = next.to_record_number().saturating_add(1);
                }
                self.load_next(What::Outbox { of, number, from });
            }
            (What::Outbox { of, number, .. }, None) => {
                let last = Position::from_record_number(head);
                if let Some(peer) = self.peers.get_mut(of) {
                    peer.last = last;
                    // Who knows what the run before this one sent.
                    peer.window.ventured = last;
                }
                self.pass_epoch(last.epoch);
                self.load_next(What::Conversation { from: number + 1 });
            }
            (What::Done, _) => {}
        }
    }

    /// Goes on loading when its pause is over.
    pub(super) fn load_on(&mut self) {
        let loading = &mut self.state.loading;
        if loading.again.is_some_and(|at| at <= self.state.now) {
            loading.again = None;
            if loading.is_done() {
                loading.save_self = Ask::Owed;
            } else {
                loading.ask = Ask::Owed;
            }
        }
    }

    fn request_peer(&mut self, id: Id<Peer>) -> Option<Request> {
        let peer = self.peers.get(id)?;
        let number = peer.conversation?;
        if peer.save == Ask::Owed {
            let ticket = self.ticket(asker::CONVERSATION, id.slot());
            let peer = self.peers.get_mut(id)?;
            peer.save = Ask::Asked(ticket.serial);
            let header = ConversationRecord {
                log: peer.log,
                key: peer.former.map_or(peer.key, |(key, _)| key),
                key_number: peer.former.map_or(peer.key_number, |(_, number)| number),
                with: peer.with,
                home: peer.home,
                room: peer.room,
                stored: peer.stored,
                settled: peer.window.settled,
                history: peer.reader.history().clone(),
            };
            let length = record::encode(self.work, &header, &self.pool, &Body::EMPTY, 0)?;
            return Some(Request::Put { ticket, log: Log::Conversations, number, length });
        }
        if peer.forget == Ask::Owed {
            let ticket = self.ticket(asker::FORGET, id.slot());
            let peer = self.peers.get_mut(id)?;
            peer.forget = Ask::Asked(ticket.serial);
            let upto = peer.done.to_record_number();
            return Some(Request::Trim { ticket, log: Log::Outbox(peer.log), upto });
        }
        None
    }

    fn request_outgoing(&mut self, id: Id<Outgoing>) -> Option<Request> {
        let ticket = self.ticket(asker::OUTGOING, id.slot());
        let boot = self.state.boot;
        let message = self.outgoing.get_mut(id)?;
        message.ask = Ask::Asked(ticket.serial);
        let log = Log::Outbox(self.peers.get(message.peer)?.log);
        let number = message.position.to_record_number();
        let (verdict, body, total) = match message.stage {
            outgoing::Stage::Saving => (None, &message.body, message.total.into()),
            outgoing::Stage::Done(verdict) => (Some((verdict, boot)), &Body::EMPTY, 0),
            _ => (None, &Body::EMPTY, 0),
        };
        let header = OutboxRecord { verdict };
        let length = record::encode(self.work, &header, &self.pool, body, total)?;
        Some(Request::Put { ticket, log, number, length })
    }

    fn request_incoming(&mut self, id: Id<Incoming>) -> Option<Request> {
        let ticket = self.ticket(asker::INCOMING, id.slot());
        let message = self.incoming.get_mut(id)?;
        message.ask = Ask::Asked(ticket.serial);
        let log = Log::Inbox(self.peers.get(message.peer)?.log);
        let number = message.position.to_record_number();
        if message.stage == incoming::Stage::Looking {
            let ticket = Ticket { asker: asker::LOOK, ..ticket };
            return Some(Request::Read { ticket, log, from: number, most: 1 });
        }
        let author = message.said.map(|said| said.author);
        let header = InboxRecord { saved: message.by_server, author };
        let total = message.total.into();
        let length = record::encode(self.work, &header, &self.pool, &message.body, total)?;
        Some(Request::Put { ticket, log, number, length })
    }

    /// The outbox of the first that waits for it is read on, if there is room.
    fn request_fetch(&mut self) -> Option<Request> {
        while self.may_fetch() {
            let id = self.state.fetching.pop_front(&mut self.peers.slab)?;
            let Some(from) = self.fetch_from(id) else { continue };
            let ticket = self.ticket(asker::FETCH, id.slot());
            let peer = self.peers.get_mut(id)?;
            peer.window.asked(ticket.serial, from);
            let from = from.to_record_number().saturating_add(1);
            let log = Log::Outbox(peer.log);
            return Some(Request::Read { ticket, log, from, most: READ_AHEAD });
        }
        None
    }

    fn request_loading(&mut self) -> Request {
        let ticket = self.ticket(asker::LOADING, 0);
        self.state.loading.ask = Ask::Asked(ticket.serial);
        let key = |of| self.peers.get(of).map_or(self.links.identity().public(), |p| p.log);
        let (log, from, most) = match self.state.loading.what {
            What::Conversation { from } => (Log::Conversations, from, 1),
            What::Inbox { of, .. } => (Log::Inbox(key(of)), u64::MAX, 1),
            What::Outbox { of, from, .. } => (Log::Outbox(key(of)), from, READ_AHEAD),
            What::Done => (Log::Conversations, u64::MAX, 1),
        };
        Request::Read { ticket, log, from, most }
    }

    fn ticket(&mut self, asker: u8, slot: u32) -> Ticket {
        self.state.serial = self.state.serial.wrapping_add(1);
        Ticket { asker, slot, serial: self.state.serial }
    }

    fn load_next(&mut self, what: What) {
        self.state.loading.what = what;
        self.state.loading.ask = Ask::Owed;
    }

    fn load_later(&mut self) {
        self.state.loading.again = Some(self.state.now + AGAIN);
    }

    fn load_conversation(&mut self, number: u64, bytes: &[u8]) {
        let next = What::Conversation { from: number + 1 };
        if number == 1 {
            match record::decode::<SelfRecord>(bytes) {
                Some((own, _)) => self.pass_epoch(own.epoch),
                None => self.state.home.tell(Event::Damaged),
            }
            self.load_next(next);
            return;
        }
        self.state.next_conversation = self.state.next_conversation.max(number + 1);
        let record = record::decode::<ConversationRecord>(bytes);
        let Some((record, _)) = record.filter(|(record, _)| record.fits()) else {
            self.state.home.tell(Event::Damaged);
            self.load_next(next);
            return;
        };
        let known = self.peers.by_key(&record.key);
        let Some(of) = known.or_else(|| self.peers.add(record.key, record.with)) else {
            // There is no room to go on without forgetting something.
            self.state.home.tell(Event::StoreFailed);
            self.load_later();
            return;
        };
        if let Some(peer) = self.peers.get_mut(of) {
            peer.conversation = Some(number);
            peer.recorded = true;
            (peer.log, peer.home) = (record.log, record.home);
            peer.key_number = record.key_number;
            peer.room = record.room;
            (peer.stored, peer.window.settled) = (record.stored, record.settled);
            peer.reader = Reader::of(record.history);
        }
        self.load_next(What::Inbox { of, number });
    }

    /// An epoch is of an earlier run.
    fn pass_epoch(&mut self, epoch: Epoch) {
        self.state.former = self.state.former.max(epoch);
    }

    /// The next thing to tell of a message of the user's; `None` when all is told.
    fn outgoing_event(&mut self, id: Id<Outgoing>) -> Option<Event> {
        let message = self.outgoing.get_mut(id)?;
        let peer = self.peers.get(message.peer)?;
        let to = peer.with;
        let id = MessageId { recipient: peer.log, position: message.position };
        let news = &mut message.news;
        if core::mem::take(&mut news.accepted) {
            return Some(Event::Accepted { id, to });
        }
        if let Some(why) = news.deposited.take() {
            return Some(Event::Deposited { id, to, why });
        }
        if core::mem::take(&mut news.stored) {
            return Some(Event::Verdict { id, to, verdict: super::Verdict::Stored });
        }
        match message.stage {
            outgoing::Stage::Done(verdict) if core::mem::take(&mut news.verdict) => {
                Some(Event::Verdict { id, to, verdict })
            }
            _ => None,
        }
    }

    /// The next thing to tell of a message that came; `None` when all is told.
    fn incoming_event(&mut self, id: Id<Incoming>) -> Option<Event> {
        let message = self.incoming.get_mut(id)?;
        let with = self.peers.get(message.peer)?.with;
        let missing = core::mem::take(&mut message.missing);
        if let (true, true, To::Peer(from)) = (missing > 0, message.came, with) {
            return Some(Event::Gap { from, missing });
        }
        let own = message.said.is_some_and(|said| said.own);
        if !core::mem::take(&mut message.came) || message.unreadable || own {
            return None;
        }
        let mut time = [0; BODY_HEADER];
        self.pool.read(&message.body, 0, &mut time);
        let length = usize::from(message.total).saturating_sub(BODY_HEADER);
        let text = self.work.get_mut(..length)?;
        self.state.lent = self.pool.read(&message.body, BODY_HEADER, text);
        self.state.finished = Some(id);
        let time = crate::time::UnixTime(u64::from_le_bytes(time));
        if let Some(said) = message.said {
            let index = message.position.number.0;
            return Some(Event::RoomMessage { room: with, index, from: said.author, time });
        }
        let To::Peer(from) = with else { return None };
        Some(Event::Message {
            from,
            position: message.position,
            time,
            by_server: message.by_server,
            waited: message.waited,
        })
    }
}
