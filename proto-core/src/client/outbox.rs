//! What the client's user says: numbered once and for ever, sent one way at a
//! time, and told of what became of it.

use core::time::Duration;

use crate::{
    action::Ask,
    id::{Epoch, MessageName, Number, Position, PublicKey, Recipient},
    link::{Packet, Units, Whom},
    record::{BODY_HEADER, Said, record_bound},
    session::{self, MAIL_OVERHEAD},
    storage::{Body, Id},
    time::UnixTime,
    wire::{
        Deposit as DepositFrame, EntryRefusal, EntryRefused, FRAGMENT_UNIT, Frame, Inquire,
        Presence, Progress, Receipt, Say,
    },
};

use super::{
    ClientLink, Deposit, Message, MessageId, Peer, SayError, To, Verdict,
    conversation::{ClientRole, Token},
    engine::{Engine, Taken},
    message::Stage,
    peer::Path,
};

/// How long a deposit waits for a word from a server that is there before it is
/// sent again.
const AGAIN: Duration = Duration::from_secs(5);

/// The least time to a deadline that was just found to be over.
const MOMENT: Duration = Duration::from_millis(1);

/// Deposits of one conversation that the server has not taken over at most: half of what
/// it holds for one.
const UNDER_WAY: u32 = 32;

/// How long to wait before the host is asked again to save what it could not.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// Bytes of a `Say` or `Deposit` frame's body that are not the piece.
const SAY_HEADER: usize = 4 * 5 + 10 + 3 * 3;

impl Engine<'_> {
    pub(super) fn say(&mut self, to: &To, text: &str) -> Result<MessageId, SayError> {
        let home = &self.state.home;
        if !home.was_online() || home.is_leaving() || self.state.epoch.0 == 0 {
            return Err(SayError::Offline);
        }
        if *to == To::Peer(self.state.config.nick) {
            return Err(SayError::Oneself);
        }
        if text.is_empty() {
            return Err(SayError::Empty);
        }
        let longest = self.work.len().saturating_sub(record_bound(MAIL_OVERHEAD + BODY_HEADER));
        let limit = self.state.config.text.min(home.text_limit()).min(longest as u32);
        if text.len() > limit as usize {
            return Err(SayError::TooLong { limit });
        }
        let id = match to {
            To::Peer(_) => self.peers.by_name(to).ok_or(SayError::Unknown)?,
            To::Lobby | To::Room(_) => self.may_be_member_of(to).ok_or(SayError::NotMember)?,
        };
        self.accept(id, text.as_bytes()).ok_or(SayError::Full)
    }

    /// A message is durable in the outbox, or could not be made so.
    pub(super) fn outbox_saved(&mut self, id: Id<Message>, saved: bool) {
        let Some(message) = self.messages.get_mut(id) else { return };
        match (message.stage, saved) {
            (Stage::Saving, true) => {
                message.stage = Stage::Open;
                message.news.accepted = true;
                self.tell(id);
                self.start(id);
            }
            (Stage::Saving, false) => {
                self.state.home.tell(super::Event::StoreFailed);
                let peer = message.peer;
                self.done(id, Verdict::Refused(EntryRefusal::Store));
                self.move_up(peer);
            }
            // A verdict is durable before it is told: after a restart, none contradicts it.
            (Stage::Done(_), true) => {
                message.news.verdict = true;
                let (peer, given_up) = (message.peer, message.stage.is_given_up());
                self.tell(id);
                if given_up {
                    // Those after it waited for its number, which is passed over now.
                    self.deposit_again(peer);
                    self.move_up(peer);
                }
            }
            _ => {
                self.state.home.tell(super::Event::StoreFailed);
                self.state.unkept.push_back(&mut self.messages, id);
                let at = self.state.now + RETRY;
                self.state.retry_at.get_or_insert(at);
            }
        }
    }

    /// A conversation may go on: sends what is open the way it is to go.
    pub(super) fn pump(&mut self, id: Id<Peer>) {
        self.reach_room(id);
        let home = &self.state.home;
        let leaving = home.is_leaving();
        let Some(peer) = self.peers.get(id).filter(|peer| !peer.outbox.is_empty()) else { return };
        if peer.presence == Presence::Gone {
            self.refuse_gone(id);
            return;
        }
        // Who is not on the roster yet may be anywhere; of who has another key, the server says
        // first what became of what was sealed to the one before.
        if !home.was_online() || peer.recipient.is_none() || peer.former.is_some() {
            return;
        }
        match peer.path {
            Path::Direct if leaving => self.switch(id, Deposit::Leaving),
            // Another device of this user's has been heard of meanwhile: only the server can say
            // whether what comes from before is still wanted.
            Path::Direct if self.is_from_before(id) => self.switch(id, Deposit::InTurn),
            Path::Direct if peer.link.is_some() => self.send_open(id),
            Path::Direct if peer.presence == Presence::Offline => self.switch(id, Deposit::Offline),
            Path::Direct if peer.address.is_none() => self.switch(id, Deposit::Unreachable),
            Path::Direct => {
                self.dial_peer(id);
                self.send_open(id);
            }
            Path::Server => self.deposit_open(id, Deposit::InTurn),
        }
    }

    /// Nobody is to be had under a key any more: what is open to it is refused.
    fn refuse_gone(&mut self, id: Id<Peer>) {
        let mut at = self.peers.get(id).and_then(|peer| peer.outbox.front());
        while let Some(message_id) = at {
            let Some(message) = self.messages.get(message_id) else { return };
            at = message.of_peer.next();
            if message.stage.is_open() && message.stage != Stage::Saving {
                self.done(message_id, Verdict::Refused(EntryRefusal::NoRecipient));
            }
        }
        self.rearm(id);
    }

    /// All conversations may go on.
    pub(super) fn pump_all(&mut self) {
        let mut at = self.state.active.front();
        while let Some(id) = at {
            at = self.peers.get(id).and_then(|peer| peer.active.next());
            self.pump(id);
        }
    }

    /// Nothing is under way any more: no receipt is waited for.
    pub(super) fn pause_all(&mut self) {
        let mut peer = self.state.active.front();
        while let Some(id) = peer {
            let Some(found) = self.peers.get(id) else { return };
            peer = found.active.next();
            let mut at = found.outbox.front();
            while let Some(message) = at.and_then(|id| self.messages.get_mut(id)) {
                at = message.of_peer.next();
                message.since = None;
            }
            self.rearm(id);
        }
    }

    /// Something about a peer changed on the roster.
    pub(super) fn peer_changed(&mut self, id: Id<Peer>) {
        self.consider_succession(id);
        let Some(peer) = self.peers.get(id) else { return };
        let asks = peer.path == Path::Server;
        if peer.news.key_changed {
            self.state.telling_peers.push_back(&mut self.peers.slab, id);
        }
        if asks {
            self.inquire(id);
        }
        self.pump(id);
    }

    /// Asks the server after everything that it has of this client's.
    pub(super) fn inquire_all(&mut self) {
        let mut at = self.state.active.front();
        while let Some(id) = at {
            let Some(peer) = self.peers.get(id) else { return };
            at = peer.active.next();
            if peer.path == Path::Server {
                self.inquire(id);
            }
        }
    }

    fn inquire(&mut self, id: Id<Peer>) {
        let Some(link) = self.state.home.online() else { return };
        if let Some(contact) = self.links.get_mut(link) {
            contact.role.inquiries.push_back(&mut self.peers.slab, id);
            self.links.wake(link);
        }
    }

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
        let at = |number| Position::new(progress.epoch, number);
        let waiting = self.first_open(id).map(|message| message.position);
        let delivered = at(progress.delivered);
        // The recipient's own word counts, not the server's. It costs a Diffie-Hellman,
        // so it is asked for only where it settles something.
        if waiting.is_some_and(|first| first <= delivered) && progress.delivered != Number(0) {
            let identity = &self.links.state.identity;
            let is_from = |key: &PublicKey| {
                let (author, recipient) = (identity.public(), *key);
                let name = MessageName { author, recipient, position: delivered };
                session::check_receipt(identity, key, &name, &progress.receipt)
            };
            if is_from(&peer.key) || peer.former.is_some_and(|(key, _)| is_from(&key)) {
                let expired = at(progress.expired.0)..=at(progress.expired.1);
                self.settle_upto(id, delivered, |position| {
                    if expired.contains(&position) { Verdict::Expired } else { Verdict::Delivered }
                });
            }
        }
        if progress.expired.1 > progress.delivered {
            // The oldest go first: what is open up to there was not delivered in time.
            self.settle_upto(id, at(progress.expired.1), |_| Verdict::Expired);
        }
        self.stored_upto(id, at(progress.stored));
        self.recall(id, at(progress.stored));
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

    /// A conversation's deadline is due: no receipt, no word from the server, or
    /// no delivery in all the time there was.
    pub(super) fn peer_timeout(&mut self, id: Id<Peer>) {
        let now = self.state.now;
        let unix = self.unix();
        let expiry = self.state.config.expiry;
        while let Some((first, message)) = self.first_where(id, Stage::is_open) {
            if message.stage == Stage::Saving || unix.since(message.time) < expiry {
                break;
            }
            self.done(first, Verdict::Expired);
            self.move_up(id);
        }
        let receipt = self.state.config.receipt;
        if let (Some(message), Some(peer)) = (self.first_unsaved(id), self.peers.get(id)) {
            let waited = message.since.map(|since| now.since(since));
            match (message.stage, peer.path) {
                _ if !self.state.home.was_online() => {}
                (Stage::Open, Path::Direct) if waited.is_some_and(|w| w >= receipt) => {
                    self.switch(id, Deposit::NoReceipt);
                }
                (Stage::Deposited, Path::Server) if waited.is_some_and(|w| w >= AGAIN) => {
                    self.deposit_again(id);
                }
                _ => {}
            }
        }
        self.rearm(id);
    }

    /// Sets out to reach a peer, unless that is under way. One place is always left
    /// for reaching the server.
    pub(super) fn dial_peer(&mut self, id: Id<Peer>) {
        let Some(peer) = self.peers.get(id) else { return };
        let (Some(to), None) = (peer.address, peer.dial) else { return };
        if self.links.dials.len() + 1 >= self.links.dials.capacity() || !self.links.has_spare() {
            return;
        }
        let dial = self.links.dial(self.state.now, to, Whom::Peer(peer.key), id.slot() + 1);
        if let Some(peer) = self.peers.get_mut(id) {
            peer.dial = dial;
        }
    }

    /// Nobody answers where a peer should be.
    pub(super) fn peer_unreachable(&mut self, slot: u32) {
        let Some(id) = self.peers.slab.id_at(slot) else { return };
        if let Some(peer) = self.peers.get_mut(id) {
            peer.dial = None;
        }
        let path = self.peers.get(id).map(|peer| (peer.path, peer.link.is_some()));
        if path == Some((Path::Direct, false)) {
            self.switch(id, Deposit::Unreachable);
        }
    }

    pub(super) fn write_messages(
        &mut self,
        link: Id<ClientLink>,
        packet: &mut Packet<'_, ClientRole>,
    ) {
        while let Some(found) = self.links.get_mut(link) {
            let Some(id) = found.role.sending.front() else { return };
            let Some(message) = self.messages.get_mut(id) else { return };
            let total = usize::from(message.total);
            let sendable = matches!(message.stage, Stage::Open | Stage::Deposited);
            if !sendable || message.units.is_empty() {
                found.role.sending.pop_front(&mut self.messages);
                continue;
            }
            if total > found.credit.longest() {
                self.done(id, Verdict::Refused(EntryRefusal::TooLong));
                continue;
            }
            let room = packet.room().saturating_sub(SAY_HEADER);
            let mut piece = [0; 8 * FRAGMENT_UNIT];
            let Some(run) = message.units.first_run(total, room.min(piece.len())) else { return };
            if message.link != Some(link) {
                if !found.credit.spend(total) {
                    return;
                }
                message.link = Some(link);
            }
            message.units.remove(run);
            let piece = piece.get_mut(..run.len(total)).unwrap_or_default();
            self.pool.read(&message.body, run.offset(), piece);
            message.ventured |= message.stage == Stage::Open;
            let Some(frame) = self.message_frame(id, run.offset(), piece) else { return };
            if !packet.push(&frame, Token::Piece(id, run)) {
                if let Some(message) = self.messages.get_mut(id) {
                    message.units.insert(run);
                }
                return;
            }
            if let Some(message) = self.messages.get_mut(id)
                && (message.since.is_none() || message.stage == Stage::Deposited)
            {
                // For a receipt from the first datagram on, for the server from the last.
                message.since = Some(self.state.now);
                let peer = message.peer;
                self.rearm(peer);
            }
        }
    }

    pub(super) fn write_inquiries(
        &mut self,
        link: Id<ClientLink>,
        packet: &mut Packet<'_, ClientRole>,
    ) {
        while let Some(found) = self.links.get_mut(link) {
            let Some(id) = found.role.inquiries.front() else { return };
            if let Some(to) = self.peers.get(id).and_then(|peer| peer.recipient) {
                let epoch = self.state.epoch;
                if !packet.push(&Frame::Inquire(Inquire { to, epoch }), Token::Inquiry(id)) {
                    return;
                }
            }
            found.role.inquiries.pop_front(&mut self.peers.slab);
        }
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

    /// Adds a message from the store, as it was left.
    pub(super) fn resume_message(
        &mut self,
        id: Id<Peer>,
        position: Position,
        verdict: Option<Verdict>,
        body: &[u8],
    ) -> Option<()> {
        let stage = match verdict {
            Some(verdict) => Stage::Done(verdict),
            None if position <= self.peers.get(id)?.stored => Stage::Stored,
            None => Stage::Open,
        };
        if self.messages.is_full() {
            return None;
        }
        let open = stage == Stage::Open;
        let kept = if open { self.body_with_room(body)? } else { Body::EMPTY };
        let mut message = Message::new(id, position, stage, kept, body.len() as u16);
        message.time = Said::from_body(body).map_or(UnixTime(0), |said| said.time);
        message.news.verdict = verdict.is_some();
        // Who knows what the run before this one sent.
        message.ventured = true;
        let added = self.messages.insert(message).ok()?;
        let peer = self.peers.get_mut(id)?;
        peer.outbox.push_back(&mut self.messages, added);
        if stage == Stage::Stored {
            peer.path = Path::Server;
        }
        self.state.active.push_back(&mut self.peers.slab, id);
        self.state.open.open += usize::from(stage.is_open());
        self.state.open.unsaved += usize::from(open);
        if verdict.is_some() {
            // It may have been told already; it is told again rather than never.
            self.tell(added);
        }
        self.rearm(id);
        Some(())
    }

    /// Numbers a text and asks the host to make it durable.
    fn accept(&mut self, id: Id<Peer>, text: &[u8]) -> Option<MessageId> {
        // What comes must always find some room.
        let crowded = self.messages.len() * 4 >= self.messages.capacity() * 3
            || self.pool.used() * 4 >= self.pool.capacity() * 3;
        if crowded {
            return None;
        }
        let time = self.unix();
        let mut body = self.pool.allocate(BODY_HEADER + text.len() + MAIL_OVERHEAD)?;
        self.pool.write(&mut body, 0, &time.0.to_le_bytes());
        self.pool.write(&mut body, BODY_HEADER, text);
        let peer = self.peers.get_mut(id)?;
        let last = if peer.last.epoch == self.state.epoch { peer.last.number } else { Number(0) };
        let position = Position::new(self.state.epoch, last.next());
        let total = (BODY_HEADER + text.len()) as u16;
        let mut message = Message::new(id, position, Stage::Saving, body, total);
        message.time = time;
        message.ask = Ask::Owed;
        let added = match self.messages.insert(message) {
            Ok(added) => added,
            Err(message) => {
                self.pool.free(message.body);
                return None;
            }
        };
        peer.last = position;
        peer.outbox.push_back(&mut self.messages, added);
        self.begin_conversation(id);
        self.state.active.push_back(&mut self.peers.slab, id);
        self.state.asking_messages.push_back(&mut self.messages, added);
        self.state.open.open += 1;
        self.state.open.unsaved += 1;
        let recipient = self.peers.get(id)?.log;
        Some(MessageId { recipient, position })
    }

    /// A conversation is known from now on, also after a restart.
    pub(super) fn begin_conversation(&mut self, id: Id<Peer>) {
        let Some(peer) = self.peers.get_mut(id).filter(|peer| peer.conversation.is_none()) else {
            return;
        };
        peer.conversation = Some(self.state.next_conversation);
        self.state.next_conversation += 1;
        peer.save = Ask::Owed;
        self.state.asking_peers.push_back(&mut self.peers.slab, id);
    }

    /// Sends a message that just became durable.
    fn start(&mut self, id: Id<Message>) {
        let Some(peer_id) = self.messages.get(id).map(|message| message.peer) else { return };
        let Some(peer) = self.peers.get(peer_id) else { return };
        let epoch = self.sent_epoch(peer_id);
        let first =
            self.messages.get(id).is_some_and(|message| Some(message.position.epoch) == epoch);
        match (peer.path, peer.link) {
            // The common case goes past all that is under way already.
            (Path::Direct, Some(link))
                if first && !self.state.home.is_leaving() && !self.is_from_before(peer_id) =>
            {
                self.enqueue(id, link);
                self.rearm(peer_id);
            }
            _ => self.pump(peer_id),
        }
    }

    /// What is next to be sent was said in an epoch that is over.
    fn is_from_before(&self, id: Id<Peer>) -> bool {
        let epoch = self.state.epoch;
        self.first_unsaved(id).is_some_and(|message| message.position.epoch < epoch)
    }

    /// Sends what is open directly, as far as there is a link.
    fn send_open(&mut self, id: Id<Peer>) {
        let Some(peer) = self.peers.get(id) else { return };
        let (link, mut at) = (peer.link, peer.outbox.front());
        let (now, epoch) = (self.state.now, self.sent_epoch(id));
        while let Some(message_id) = at {
            let Some(message) = self.messages.get_mut(message_id) else { break };
            if Some(message.position.epoch) > epoch {
                break;
            }
            at = message.of_peer.next();
            if message.stage == Stage::Recalled {
                break;
            }
            if message.stage == Stage::Open {
                match link {
                    Some(link) => self.enqueue(message_id, link),
                    // The time for a receipt runs from the first datagram, handshake included.
                    None => {
                        message.since.get_or_insert(now);
                    }
                }
            }
        }
        self.rearm(id);
    }

    /// From here on the conversation goes by way of the server.
    fn switch(&mut self, id: Id<Peer>, why: Deposit) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.path = Path::Server;
            self.deposit_open(id, why);
        }
    }

    /// Seals what is open and hands it to the server.
    fn deposit_open(&mut self, id: Id<Peer>, why: Deposit) {
        let epoch = self.sent_epoch(id);
        let settled = self.peers.get(id).filter(|peer| peer.former.is_none());
        let mut at = settled.and_then(|peer| peer.outbox.front());
        let mut under_way = 0;
        while let Some(message_id) = at {
            let Some(message) = self.messages.get(message_id) else { break };
            under_way += u32::from(message.stage.is_unsaved());
            if Some(message.position.epoch) > epoch || under_way > UNDER_WAY {
                break;
            }
            at = message.of_peer.next();
            if message.stage == Stage::Recalled {
                // Those after it wait until its text is back.
                break;
            }
            if message.stage == Stage::Open {
                self.seal(message_id, why);
            }
            let Some(home) = self.state.home.online() else { continue };
            if let Some(message) = self.messages.get_mut(message_id)
                && message.stage == Stage::Deposited
                && message.link != Some(home)
            {
                message.since = None;
                self.enqueue(message_id, home);
                self.expect_answer();
            }
        }
        self.rearm(id);
    }

    /// Sends all deposits of a conversation again: some did not get where they belong.
    fn deposit_again(&mut self, id: Id<Peer>) {
        let mut at = self.peers.get(id).and_then(|peer| peer.outbox.front());
        while let Some(message_id) = at {
            let Some(message) = self.messages.get_mut(message_id) else { break };
            at = message.of_peer.next();
            if let (Stage::Deposited, Some(home)) = (message.stage, self.state.home.online()) {
                message.units = Units::all(message.total.into());
                message.since = None;
                self.enqueue(message_id, home);
                self.expect_answer();
            }
        }
        self.rearm(id);
    }

    fn seal(&mut self, id: Id<Message>, why: Deposit) {
        let Some(message) = self.messages.get_mut(id) else { return };
        let Some(peer) = self.peers.get_mut(message.peer) else { return };
        if let (true, Some(contact)) =
            (message.sending.is_linked(), peer.link.and_then(|link| self.links.links.get_mut(link)))
        {
            contact.role.sending.remove(&mut self.messages, id);
        }
        let Some(message) = self.messages.get_mut(id) else { return };
        if peer.with.is_room() {
            // Its members are many: the server reads it.
            message.stage = Stage::Deposited;
            return;
        }
        let total = usize::from(message.total);
        let state = &mut *self.links.state;
        let name = MessageName {
            author: state.identity.public(),
            recipient: peer.key,
            position: message.position,
        };
        let plain = self.work.get_mut(..total).unwrap_or_default();
        self.pool.read(&message.body, 0, plain);
        let sealed = session::seal_mail(
            &state.identity,
            &name,
            &mut state.random,
            self.state.boot,
            self.work,
            total,
        );
        let Some(sealed) = sealed.and_then(|length| self.work.get(..length)) else {
            self.done(id, Verdict::Refused(EntryRefusal::NoRecipient));
            return;
        };
        self.pool.write(&mut message.body, 0, sealed);
        message.total = sealed.len() as u16;
        message.stage = Stage::Deposited;
        message.link = None;
        message.news.deposited = Some(why);
        peer.relayed = false;
        self.tell(id);
    }

    /// Puts a message on the list of what a link has to send.
    fn enqueue(&mut self, id: Id<Message>, link: Id<ClientLink>) {
        let Some(message) = self.messages.get_mut(id) else { return };
        if message.link != Some(link) {
            message.units = Units::all(message.total.into());
            // A server that crashed meanwhile may have handed it over, and not know.
            message.ventured |= message.link.is_some();
        }
        if let Some(found) = self.links.get_mut(link) {
            found.role.sending.push_back(&mut self.messages, id);
            self.links.wake(link);
        }
    }

    fn message_frame<'p>(
        &self,
        id: Id<Message>,
        offset: usize,
        piece: &'p [u8],
    ) -> Option<Frame<'p>> {
        let message = self.messages.get(id)?;
        let Position { epoch, number } = message.position;
        let (skip, total, offset) = (self.skip(id), message.total, offset as u16);
        Some(if message.stage == Stage::Open {
            Frame::Say(Say { epoch, number, skip, total, offset, piece })
        } else {
            let peer = self.peers.get(message.peer)?;
            let to = peer.recipient?;
            // Until what was sealed to the key before is back, all of it is.
            let key = peer.former.map_or(peer.key_number, |(_, number)| number);
            Frame::Deposit(DepositFrame { to, epoch, number, key, skip, total, offset, piece })
        })
    }

    /// How many numbers right before a message its reader must not wait for.
    fn skip(&self, id: Id<Message>) -> u32 {
        let Some(message) = self.messages.get(id) else { return 0 };
        let Position { epoch, number } = message.position;
        let Some(outbox) = self.peers.get(message.peer).map(|peer| peer.outbox) else { return 0 };
        let mut at = outbox.before(id, &message.of_peer);
        while let Some((id, before)) = at.and_then(|id| Some((id, self.messages.get(id)?))) {
            if before.position.epoch != epoch {
                break;
            }
            let counts = match (message.stage, before.stage.is_given_up()) {
                (_, true) => before.is_undecided(),
                // What the server has already is none of its readers' concern here.
                (Stage::Deposited, false) => before.stage == Stage::Deposited,
                (_, false) => true,
            };
            if counts {
                return (number.0 - before.position.number.0 - 1) as u32;
            }
            at = outbox.before(id, &before.of_peer);
        }
        number.0.saturating_sub(1).min(u32::MAX.into()) as u32
    }

    /// Settles what is open up to a cursor.
    fn settle_upto(
        &mut self,
        peer: Id<Peer>,
        cursor: Position,
        verdict: impl Fn(Position) -> Verdict,
    ) {
        let mut at = self.peers.get(peer).and_then(|peer| peer.outbox.front());
        while let Some(id) = at {
            let Some(message) = self.messages.get(id) else { break };
            at = message.of_peer.next();
            if message.position > cursor {
                break;
            }
            // What is still being saved was sent to nobody.
            if cursor.covers(message.position)
                && message.stage.is_open()
                && message.stage != Stage::Saving
            {
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
    fn move_up(&mut self, peer: Id<Peer>) {
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

    /// Takes a message off the list of what its link has to send.
    pub(super) fn unlist(&mut self, id: Id<Message>) {
        let Some(message) = self.messages.get(id).filter(|m| m.sending.is_linked()) else { return };
        let link = match message.stage {
            Stage::Deposited => self.state.home.link(),
            _ => self.peers.get(message.peer).and_then(|peer| peer.link),
        };
        if let Some(found) = link.and_then(|link| self.links.get_mut(link)) {
            found.role.sending.remove(&mut self.messages, id);
        }
    }

    pub(super) fn first_where(
        &self,
        peer: Id<Peer>,
        is: impl Fn(Stage) -> bool,
    ) -> Option<(Id<Message>, &Message)> {
        let mut at = self.peers.get(peer)?.outbox.front();
        while let Some(id) = at {
            let message = self.messages.get(id)?;
            if is(message.stage) {
                return Some((id, message));
            }
            at = message.of_peer.next();
        }
        None
    }

    /// The epoch that is being sent: a later one waits until its reader has, or may pass
    /// over, all of this, since a cursor in it speaks for all before.
    fn sent_epoch(&self, peer: Id<Peer>) -> Option<Epoch> {
        let mut at = self.peers.get(peer)?.outbox.front();
        while let Some(message) = at.and_then(|id| self.messages.get(id)) {
            if message.stage.is_unsaved() || message.is_undecided() {
                return Some(message.position.epoch);
            }
            at = message.of_peer.next();
        }
        None
    }

    fn first_open(&self, peer: Id<Peer>) -> Option<&Message> {
        self.first_where(peer, Stage::is_open).map(|(_, message)| message)
    }

    fn first_unsaved(&self, peer: Id<Peer>) -> Option<&Message> {
        self.first_where(peer, Stage::is_unsaved).map(|(_, message)| message)
    }

    /// When a conversation must be looked at again.
    fn rearm(&mut self, id: Id<Peer>) {
        let config = &self.state.config;
        let expiry = self.first_open(id).filter(|m| m.stage != Stage::Saving).map(|message| {
            // The wall clock may have jumped: what is over is over in a moment, not in the past.
            let left = config.expiry.saturating_sub(self.unix().since(message.time));
            self.state.now + left.max(MOMENT)
        });
        let patience = self.first_unsaved(id).and_then(|message| {
            let path = self.peers.get(id)?.path;
            let home = &self.state.home;
            let span = match (message.stage, path) {
                (Stage::Open, Path::Direct) if home.was_online() => config.receipt,
                (Stage::Deposited, Path::Server) if home.online().is_some() => AGAIN,
                _ => return None,
            };
            Some(message.since? + span)
        });
        self.peer_timers.set(id.slot(), expiry.into_iter().chain(patience).min());
    }

    /// A body with room to be sealed in place.
    pub(super) fn body_with_room(&mut self, bytes: &[u8]) -> Option<Body> {
        let mut body = self.pool.allocate(bytes.len() + MAIL_OVERHEAD)?;
        self.pool.write(&mut body, 0, bytes);
        Some(body)
    }

    pub(super) fn free_body(&mut self, id: Id<Message>) {
        if let Some(message) = self.messages.get_mut(id) {
            self.pool.free(core::mem::replace(&mut message.body, Body::EMPTY));
        }
    }
}
