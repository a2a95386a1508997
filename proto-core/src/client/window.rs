//! Which part of an outbox is in memory: the messages whose turn it is. Those that the server
//! has wait in the store for their last word, and so do those that are not in turn yet, so a
//! hundred thousand cost no more memory than one.
//!
//! ```text
//!   done          shelved           loaded            last
//!    │ the server has │   in memory    │  not in turn   │
//!    └────────────────┴────────────────┴────────────────┘
//!      settled by       settled one by   read when those
//!      a cursor         one              before are gone
//! ```

use crate::{
    host::{Ask, Records},
    id::{Epoch, Position},
    record::{self, Said},
    storage::{Body, Id},
    time::UnixTime,
    wire::Presence,
};

use super::{
    ClientLink, Event, Failure, OpenMessages, Outgoing, Peer, Verdict,
    engine::Engine,
    headers::{OutboxRecord, Settled},
    outbox::RETRY,
    outgoing::Stage,
    peer::Path,
};

/// The most messages of one conversation in memory: while less than half of the table is used,
/// less than five eighths, and beyond.
const MOST: [usize; 3] = [512, 64, 8];

/// How many messages of an outbox are read at once.
pub(super) const READ_AHEAD: usize = 64;

/// What is settled is forgotten by the store in steps of so many.
const FORGET: u64 = 32;

/// How an outbox is divided between memory and store.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// What the server does not have up to here is in memory, or was settled there.
    pub(super) loaded: Position,
    /// How many are known to come behind that.
    pub(super) behind: u32,
    /// There may be more behind than that: one counts as unsaved until it is known.
    pub(super) uncertain: bool,
    /// The last that left memory on its way to be settled.
    pub(super) shelved: Position,
    /// All up to here may have been sent.
    pub(super) ventured: Position,
    /// The epoch ahead of that of the last message.
    pub(super) former: Epoch,
    /// The session in which the server last said how far it has this conversation.
    pub(super) confirmed: Option<Id<ClientLink>>,
    /// What became of those that are shelved.
    pub(super) settled: Settled,
    pub(super) fetch: Ask,
    /// What became of the first that are shelved, to be told.
    telling: Option<Verdicts>,
    /// The store failed at its last request, or there was no room for the answer: it is asked
    /// again later.
    pub(super) failed: bool,
    /// The conversation's record is to be saved again.
    pub(super) resave: bool,
    /// Behind which message the outbox is being read.
    from: Position,
    /// What became of the first that is shelved is not known.
    pub(super) blocked: bool,
}

/// The same became of all messages from one to another of one epoch.
#[derive(Clone, Copy, Debug)]
struct Verdicts {
    next: Position,
    last: Position,
    verdict: Verdict,
}

impl Window {
    /// The next that is to be told of what became of shelved messages.
    pub(super) fn next_verdict(&mut self) -> Option<(Position, Verdict)> {
        let told = self.telling.take()?;
        if told.next < told.last {
            self.telling = Some(Verdicts { next: after(told.next), ..told });
        }
        Some((told.next, told.verdict))
    }

    /// The store is asked for what is behind `from`.
    pub(super) fn asked(&mut self, serial: u32, from: Position) {
        (self.fetch, self.from) = (Ask::Asked(serial), from);
    }
}

impl Peer {
    /// A cursor is about another copy of this outbox, or about what it had in a time that was
    /// lost: it is in an epoch that this one never had on its way to `now`. In one that it had, a
    /// number beyond its last is from such a time too, but all before are the same.
    pub(super) fn is_foreign(&self, cursor: Position, now: Epoch) -> bool {
        let last = self.last.epoch;
        let former = if last < now { last } else { self.window.former };
        former < cursor.epoch && cursor.epoch != now
    }

    /// The server has messages of this conversation that are not settled.
    pub(super) fn has_shelved(&self) -> bool {
        self.done < self.window.shelved
    }

    /// The last message ahead of those that are behind.
    fn behind_what(&self) -> Position {
        self.window.loaded.max(self.stored)
    }

    /// There are messages behind those in memory.
    pub(super) fn has_behind(&self) -> bool {
        self.window.behind > 0 || self.window.uncertain
    }

    /// A shelved message's last word may be known, durably, and can be told.
    fn can_settle(&self) -> bool {
        let durable = self.save == Ask::Idle && !self.window.resave;
        self.has_shelved() && !self.window.blocked && durable
    }
}

impl Engine<'_> {
    /// What is not settled.
    pub(super) fn open_messages(&self) -> OpenMessages {
        let (mut at, mut stored) = (self.state.active.front(), false);
        while let Some(id) = at {
            at = self.peers.get(id).and_then(|peer| peer.active.next());
            stored |= self.has_stored(id);
        }
        OpenMessages { unsaved: self.state.unsaved, stored }
    }

    /// The server has said that it has messages of a conversation, which are not settled.
    pub(super) fn has_stored(&self, id: Id<Peer>) -> bool {
        self.peers.get(id).is_some_and(Peer::has_shelved)
            || self.first_where(id, |stage| stage == Stage::Stored).is_some()
    }

    /// There is room to read an outbox on, and someone whose outbox waits for it.
    pub(super) fn may_fetch(&self) -> bool {
        !self.state.fetching.is_empty() && !self.is_crowded()
    }

    /// What comes from others must always find some room.
    pub(super) fn is_crowded(&self) -> bool {
        self.outgoing.len() * 4 >= self.outgoing.capacity() * 3
            || self.pool.used() * 4 >= self.pool.capacity() * 3
    }

    /// A conversation's outbox is read on if that is any use.
    pub(super) fn consider_fetch(&mut self, id: Id<Peer>) {
        if self.fetch_from(id).is_some() {
            self.state.fetching.push_back(&mut self.peers.slab, id);
        }
    }

    /// Every conversation's outbox is read on if that is any use.
    pub(super) fn fetch_all(&mut self) {
        let mut at = self.state.active.front();
        while let Some(id) = at {
            at = self.peers.get(id).and_then(|peer| peer.active.next());
            self.consider_fetch(id);
        }
    }

    /// What the store failed to do for outboxes, it is asked for again.
    pub(super) fn fetch_again(&mut self) {
        let mut at = self.state.active.front();
        while let Some(id) = at {
            let Some(peer) = self.peers.get_mut(id) else { return };
            at = peer.active.next();
            peer.window.failed = false;
            if core::mem::take(&mut peer.window.resave) {
                self.save_conversation(id);
            }
            self.consider_fetch(id);
        }
    }

    /// Behind which message the outbox is to be read on; `None` while that is no use.
    pub(super) fn fetch_from(&self, id: Id<Peer>) -> Option<Position> {
        let peer = self.peers.get(id)?;
        let window = &peer.window;
        if window.fetch != Ask::Idle || window.failed || window.telling.is_some() {
            return None;
        }
        if peer.can_settle() {
            return Some(peer.done);
        }
        let room = peer.has_behind() && self.is_sendable(peer) && self.has_turn(peer);
        room.then_some(peer.behind_what())
    }

    /// Messages of this conversation can get on.
    fn is_sendable(&self, peer: &Peer) -> bool {
        let home = &self.state.home;
        match peer.path {
            _ if peer.presence == Presence::Gone => true,
            Path::Direct => home.was_online() && peer.recipient.is_some(),
            Path::Server => home.online().is_some() && peer.recipient.is_some(),
        }
    }

    /// One more message of a conversation may be in memory.
    pub(super) fn has_turn(&self, peer: &Peer) -> bool {
        let (used, all) = (self.outgoing.len(), self.outgoing.capacity());
        let [few, some, many] = MOST;
        let most = if used * 2 < all {
            few
        } else if used * 8 < all * 5 {
            some
        } else {
            many
        };
        if used < most {
            return true;
        }
        let (mut at, mut count) = (peer.outbox.front(), 0);
        while let Some(message) = at.and_then(|id| self.outgoing.get(id)) {
            count += usize::from(message.stage.is_in_turn());
            if count >= most {
                return false;
            }
            at = message.of_peer.next();
        }
        true
    }

    /// The store's answer: the next record of an outbox; `None` if the store failed.
    pub(super) fn fetched(&mut self, id: Id<Peer>, loaded: Option<Records<'_>>) {
        let Some(peer) = self.peers.get(id) else { return };
        let from = peer.window.from;
        let behind = from.to_record_number().saturating_add(1);
        let Some(loaded) = loaded.and_then(|loaded| loaded.checked(behind)) else {
            self.state.home.tell(Event::StoreFailed);
            self.fetch_later(id);
            return;
        };
        let records = loaded.records.iter();
        let mut records =
            records.map(|(number, bytes)| (Position::from_record_number(*number), *bytes));
        if peer.can_settle() && from == peer.done {
            self.settle_shelved(id, records);
        } else if from == peer.behind_what() {
            match records.next() {
                Some((position, bytes)) => self.take_turn(id, position, bytes),
                None => self.nothing_behind(id),
            }
            for (position, bytes) in records {
                if !self.peers.get(id).is_some_and(|peer| self.goes_on(peer, position)) {
                    break;
                }
                self.take_turn(id, position, bytes);
            }
        }
        let last = |peer: &Peer| peer.has_behind() && peer.window.loaded >= peer.last;
        if self.peers.get(id).is_some_and(last) {
            self.nothing_behind(id);
        }
        self.clear_front(id);
    }

    /// One more message that was read together with others has its turn.
    fn goes_on(&self, peer: &Peer, position: Position) -> bool {
        let is_next = peer.has_behind() && peer.behind_what() < position;
        is_next && !peer.window.failed && !self.is_crowded() && self.has_turn(peer)
    }

    /// What became of the first shelved messages is told.
    fn settle_shelved<'r>(
        &mut self,
        id: Id<Peer>,
        mut records: impl Iterator<Item = (Position, &'r [u8])>,
    ) {
        let boot = self.state.boot;
        let Some(peer) = self.peers.get_mut(id) else { return };
        let first = records.next().filter(|(at, _)| *at <= peer.window.shelved);
        let Some((position, bytes)) = first else {
            peer.done = peer.window.shelved;
            self.forget_done(id);
            self.clear_front(id);
            return;
        };
        let own =
            |bytes| record::decode::<OutboxRecord>(bytes).and_then(|(header, _)| header.verdict);
        match (own(bytes), peer.window.settled.verdict(position)) {
            (Some((_, told)), _) if told == boot => self.shelved_told(id, position),
            (Some((verdict, _)), _) => self.tell_verdicts(id, position, position, verdict),
            (None, Some(verdict)) => {
                let window = &peer.window;
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
                self.tell_verdicts(id, position, last, verdict);
            }
            // All that is settled is told.
            (None, None) => {
                peer.window.blocked = true;
                if peer.done < before(position) {
                    peer.done = before(position);
                    self.forget_done(id);
                }
            }
        }
    }

    fn tell_verdicts(&mut self, id: Id<Peer>, next: Position, last: Position, verdict: Verdict) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.window.telling = Some(Verdicts { next, last, verdict });
            self.state.telling_peers.push_back(&mut self.peers.slab, id);
        }
    }

    /// The user heard what became of the first shelved message.
    pub(super) fn shelved_told(&mut self, id: Id<Peer>, position: Position) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        peer.done = peer.done.max(position);
        if position.number.0.is_multiple_of(FORGET) || !peer.can_settle() {
            self.forget_done(id);
        }
        self.clear_front(id);
    }

    /// What is settled and told is forgotten by the store.
    pub(super) fn forget_done(&mut self, id: Id<Peer>) {
        if let Some(peer) = self.peers.get_mut(id).filter(|peer| peer.conversation.is_some()) {
            peer.forget = Ask::Owed;
            self.state.asking_peers.push_back(&mut self.peers.slab, id);
        }
    }

    /// The next message behind those in memory has its turn.
    fn take_turn(&mut self, id: Id<Peer>, position: Position, bytes: &[u8]) {
        let boot = self.state.boot;
        if let Some((known, stage)) = self.in_outbox(id, position) {
            match stage {
                // All that is behind is being saved.
                Stage::Saving => self.nothing_behind(id),
                Stage::Behind => self.fill(id, known, bytes),
                _ => self.loaded_upto(id, position),
            }
            return;
        }
        match record::decode::<OutboxRecord>(bytes) {
            Some((OutboxRecord { verdict: Some((_, told)) }, _)) if told == boot => {
                self.loaded_upto(id, position);
            }
            Some((OutboxRecord { verdict }, body)) => {
                if self.enter(id, position, verdict.map(|(verdict, _)| verdict), body).is_none() {
                    self.fetch_later(id);
                } else if verdict.is_none() {
                    self.count_turn(id);
                    self.pump(id);
                }
            }
            None => {
                self.state.home.tell(Event::Damaged);
                match self.enter(id, position, None, &[]) {
                    Some(damaged) => {
                        self.count_turn(id);
                        self.done(damaged, Verdict::Failed(Failure::Damaged));
                    }
                    None => self.fetch_later(id),
                }
            }
        }
    }

    /// A message that is in memory still to be told of has its turn.
    fn fill(&mut self, id: Id<Peer>, known: Id<Outgoing>, bytes: &[u8]) {
        let text = record::decode::<OutboxRecord>(bytes).map(|(_, text)| text);
        let body = text.and_then(|text| self.body_with_room(text));
        let Some(message) = self.outgoing.get_mut(known) else { return };
        let position = message.position;
        match (text, body) {
            (None, _) => {
                self.state.home.tell(Event::Damaged);
                self.done(known, Verdict::Failed(Failure::Damaged));
            }
            (Some(_), None) => return self.fetch_later(id),
            (Some(text), Some(body)) => {
                (message.body, message.total) = (body, text.len() as u16);
                message.stage = Stage::Open;
            }
        }
        self.loaded_upto(id, position);
        self.count_turn(id);
        self.pump(id);
    }

    /// Puts a message of the outbox into memory, in its place; `None` without room.
    fn enter(
        &mut self,
        id: Id<Peer>,
        position: Position,
        verdict: Option<Verdict>,
        body: &[u8],
    ) -> Option<Id<Outgoing>> {
        if self.outgoing.is_full() {
            return None;
        }
        let stage = verdict.map_or(Stage::Open, Stage::Done);
        let kept = if verdict.is_none() { self.body_with_room(body)? } else { Body::EMPTY };
        let mut message = Outgoing::new(id, position, stage, kept, body.len() as u16);
        message.time = Said::from_body(body).map_or(UnixTime(0), |said| said.time);
        let peer = self.peers.get_mut(id)?;
        message.ventured = position <= peer.window.ventured;
        let added = self.outgoing.insert(message).ok()?;
        let mut outbox = peer.outbox;
        let mut at = outbox.front();
        while let Some(next) = at.and_then(|id| self.outgoing.get(id)) {
            if next.position > position {
                break;
            }
            at = next.of_peer.next();
        }
        outbox.insert_before(&mut self.outgoing, at, added);
        self.peers.get_mut(id)?.outbox = outbox;
        self.loaded_upto(id, position);
        self.state.active.push_back(&mut self.peers.slab, id);
        if verdict.is_some() {
            // It may have been told already; it is told again rather than never, and the record
            // says then that this run told it.
            self.save_verdict(added);
        }
        Some(added)
    }

    /// A record of the outbox, at the start; where to read on behind.
    pub(super) fn resume_message(
        &mut self,
        id: Id<Peer>,
        position: Position,
        bytes: &[u8],
    ) -> Position {
        self.state.active.push_back(&mut self.peers.slab, id);
        let Some(peer) = self.peers.get_mut(id) else { return position };
        peer.window.ventured = position;
        if position <= peer.stored {
            // The server has it, or what came of it is to be told.
            peer.done = before(position);
            peer.window.shelved = peer.stored;
            peer.path = Path::Server;
            return peer.stored;
        }
        let is_next = !peer.has_behind();
        let header = record::decode::<OutboxRecord>(bytes);
        let verdict = header.as_ref().and_then(|(header, _)| header.verdict);
        if verdict.is_none() {
            self.state.unsaved += 1;
        }
        let peer = self.peers.get(id);
        let has_turn =
            is_next && !self.is_crowded() && peer.is_some_and(|peer| self.has_turn(peer));
        let entered = header.filter(|_| has_turn).and_then(|(_, body)| {
            self.enter(id, position, verdict.map(|(verdict, _)| verdict), body)
        });
        let Some(peer) = self.peers.get_mut(id) else { return position };
        if entered.is_some() {
            return position;
        }
        if verdict.is_none() {
            peer.window.behind += 1;
        } else if !peer.window.uncertain {
            peer.window.uncertain = true;
            self.state.unsaved += 1;
        }
        position
    }

    /// The server has this conversation up to `stored` only: what it does not have any more is
    /// submitted again.
    pub(super) fn take_back(&mut self, id: Id<Peer>, stored: Position) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let stored = stored.max(peer.done).max(peer.window.settled.upto());
        peer.stored = stored;
        if peer.window.shelved > stored {
            peer.window.shelved = stored;
            self.state.unsaved +=
                usize::from(!core::mem::replace(&mut peer.window.uncertain, true));
        }
        self.unload(id, stored);
        self.save_conversation(id);
        self.consider_fetch(id);
    }

    /// Puts what is in memory beyond `from` back to the store, where it can be read again.
    pub(super) fn unload(&mut self, id: Id<Peer>, from: Position) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        peer.window.ventured = peer.window.ventured.max(peer.window.loaded);
        // What is being read may be none of those that come next.
        peer.window.fetch = Ask::Idle;
        peer.window.loaded = peer.window.loaded.min(from);
        let mut at = peer.outbox.front();
        while let Some(message_id) = at {
            let Some(message) = self.outgoing.get(message_id) else { return };
            at = message.of_peer.next();
            let stage = message.stage;
            if message.position <= from || !(stage.is_in_turn() || stage == Stage::Stored) {
                continue;
            }
            self.state.unsaved += usize::from(stage == Stage::Stored);
            self.unlist(message_id);
            self.free_outgoing(message_id);
            if let Some(message) = self.outgoing.get_mut(message_id) {
                message.stage = Stage::Behind;
                message.news.stored = false;
                (message.link, message.since) = (None, None);
            }
            if let Some(peer) = self.peers.get_mut(id) {
                peer.window.behind += 1;
            }
            self.put_back(message_id);
        }
        self.rearm(id);
    }

    /// A message that is not in turn leaves memory, once its user was told of it.
    pub(super) fn put_back(&mut self, id: Id<Outgoing>) {
        let idle = |m: &&Outgoing| m.stage == Stage::Behind && !m.telling.is_linked();
        let Some(message) = self.outgoing.get(id).filter(idle) else { return };
        let peer = message.peer;
        self.free_outgoing(id);
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.outbox.remove(&mut self.outgoing, id);
        }
        self.outgoing.remove(id);
        self.consider_fetch(peer);
    }

    /// Makes room for what the user says: what cannot be sent now is put back.
    pub(super) fn make_room(&mut self) {
        let mut at = self.state.active.front();
        while let Some(id) = at {
            let Some(peer) = self.peers.get(id) else { return };
            at = peer.active.next();
            if !self.is_sendable(peer) {
                self.unload(id, peer.stored.max(peer.done));
            }
        }
    }

    /// What is settled or shelved at the front of an outbox leaves memory.
    pub(super) fn clear_front(&mut self, peer: Id<Peer>) {
        loop {
            let Some(found) = self.peers.get_mut(peer) else { return };
            let Some(id) = found.outbox.front() else { break };
            let Some(message) = self.outgoing.get(id) else { return };
            let idle = !message.telling.is_linked()
                && !message.asking.is_linked()
                && message.ask == Ask::Idle;
            let (settled, position) = match message.stage {
                Stage::Done(_) if idle => (true, message.position),
                Stage::Stored if idle => (false, message.position),
                _ => break,
            };
            if found.has_behind() && position > found.behind_what() {
                // Those before it are in the store only: no cursor may pass them.
                break;
            }
            found.outbox.pop_front(&mut self.outgoing);
            self.outgoing.remove(id);
            if settled && !found.has_shelved() {
                (found.done, found.window.shelved) = (position, position);
                self.forget_done(peer);
            } else {
                // Of one that is settled, the record says so.
                found.window.blocked = !settled && (!found.has_shelved() || found.window.blocked);
                found.window.shelved = position;
            }
        }
        self.consider_direct(peer);
        self.consider_fetch(peer);
        self.consider_idle(peer);
        self.rearm(peer);
    }

    /// A conversation in which nothing is open needs no more attention.
    pub(super) fn consider_idle(&mut self, id: Id<Peer>) {
        let Some(peer) = self.peers.get(id) else { return };
        let is_open = !peer.outbox.is_empty() || peer.has_shelved() || peer.has_behind();
        if !is_open && !peer.window.resave {
            self.state.active.remove(&mut self.peers.slab, id);
        }
    }

    pub(super) fn save_conversation(&mut self, id: Id<Peer>) {
        if let Some(peer) = self.peers.get_mut(id).filter(|peer| peer.conversation.is_some()) {
            peer.save = Ask::Owed;
            self.state.asking_peers.push_back(&mut self.peers.slab, id);
        }
    }

    fn in_outbox(&self, id: Id<Peer>, position: Position) -> Option<(Id<Outgoing>, Stage)> {
        let mut at = self.peers.get(id)?.outbox.front();
        while let Some(id) = at {
            let message = self.outgoing.get(id)?;
            if message.position == position {
                return Some((id, message.stage));
            }
            at = message.of_peer.next();
        }
        None
    }

    pub(super) fn loaded_upto(&mut self, id: Id<Peer>, position: Position) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.window.loaded = peer.window.loaded.max(position);
        }
    }

    /// One that was behind is so no longer.
    fn count_turn(&mut self, id: Id<Peer>) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        match peer.window.behind.checked_sub(1) {
            Some(behind) => peer.window.behind = behind,
            None => self.state.unsaved += 1,
        }
    }

    fn nothing_behind(&mut self, id: Id<Peer>) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let window = &mut peer.window;
        let less = core::mem::take(&mut window.behind) as usize
            + usize::from(core::mem::take(&mut window.uncertain));
        self.state.unsaved = self.state.unsaved.saturating_sub(less);
        self.consider_leaving();
    }

    fn fetch_later(&mut self, id: Id<Peer>) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.window.failed = true;
        }
        let at = self.state.now + RETRY;
        self.state.retry_at.get_or_insert(at);
    }
}

/// The next place in the same epoch.
fn after(position: Position) -> Position {
    Position { number: position.number.next(), ..position }
}

/// The last place before another.
fn before(position: Position) -> Position {
    Position::from_record_number(position.to_record_number().saturating_sub(1))
}
