//! What the client's user says: numbered once and for ever, made durable, and sent one
//! way at a time.

use core::time::Duration;

use crate::{
    host::Ask,
    id::{Epoch, Number, Position},
    record::{BODY_HEADER, record_bound},
    session::MAIL_OVERHEAD,
    storage::{Body, Id},
    wire::{EntryRefusal, Presence},
};

use super::{
    Deposit, Failure, MessageId, Outgoing, Peer, SayError, To, Verdict, engine::Engine,
    outgoing::Stage, peer::Path,
};

/// How long a deposit waits for a word from a server that is there before it is
/// sent again.
const AGAIN: Duration = Duration::from_secs(5);

/// The least time to a deadline that was just found to be over.
const MOMENT: Duration = Duration::from_millis(1);

/// How long to wait before the host is asked again to save what it could not.
pub(super) const RETRY: Duration = Duration::from_secs(1);

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
    pub(super) fn outbox_saved(&mut self, id: Id<Outgoing>, saved: bool) {
        let Some(message) = self.outgoing.get_mut(id) else { return };
        match (message.stage, saved) {
            (Stage::Saving, true) => {
                message.news.accepted = true;
                let (peer, position) = (message.peer, message.position);
                self.tell_outgoing(id);
                if self.takes_turn(peer) {
                    if let Some(message) = self.outgoing.get_mut(id) {
                        message.stage = Stage::Open;
                    }
                    self.loaded_upto(peer, position);
                    self.start(id);
                } else {
                    self.fall_behind(id);
                }
            }
            (Stage::Saving, false) => {
                self.state.home.tell(super::Event::StoreFailed);
                let peer = message.peer;
                self.done(id, Verdict::Failed(Failure::Unsaved));
                self.move_up(peer);
            }
            // A verdict is durable before it is told: after a restart, none contradicts it.
            (Stage::Done(_), true) => {
                message.news.verdict = true;
                let (peer, given_up) = (message.peer, message.stage.is_given_up());
                self.tell_outgoing(id);
                if given_up {
                    // Those after it waited for its number, which is passed over now.
                    self.deposit_again(peer);
                    self.move_up(peer);
                }
            }
            _ => {
                self.state.home.tell(super::Event::StoreFailed);
                self.state.unsettled.push_back(&mut self.outgoing, id);
                let at = self.state.now + RETRY;
                self.state.retry_at.get_or_insert(at);
            }
        }
    }

    /// A conversation may go on: sends what is open the way it is to go.
    pub(super) fn pump(&mut self, id: Id<Peer>) {
        self.reach_room(id);
        self.consider_fetch(id);
        let home = &self.state.home;
        let leaving = home.is_leaving();
        let Some(peer) = self.peers.get(id).filter(|peer| peer.active.is_linked()) else { return };
        if peer.presence == Presence::Gone {
            self.refuse_gone(id);
            return;
        }
        if peer.outbox.is_empty() {
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
            let Some(message) = self.outgoing.get(message_id) else { return };
            at = message.of_peer.next();
            if message.stage.is_open() && message.stage != Stage::Saving {
                self.done(message_id, Verdict::Refused(EntryRefusal::NoRecipient));
            }
        }
        if let Some(peer) = self.peers.get_mut(id).filter(|peer| peer.has_shelved())
            && peer.window.settled.refused < peer.window.shelved
        {
            peer.window.settled.refused = peer.window.shelved;
            peer.window.blocked = false;
            self.save_conversation(id);
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
            while let Some(message) = at.and_then(|id| self.outgoing.get_mut(id)) {
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
        if peer.news.key_changed {
            self.state.telling_peers.push_back(&mut self.peers.slab, id);
        }
        self.inquire(id);
        self.pump(id);
    }

    /// Asks the server after everything that it has of this client's.
    pub(super) fn inquire_all(&mut self) {
        let mut at = self.state.active.front();
        while let Some(id) = at {
            let Some(peer) = self.peers.get(id) else { return };
            at = peer.active.next();
            self.inquire(id);
        }
    }

    /// Asks the server how far it is with what goes by its way to a peer, once it has said
    /// which number that is.
    pub(super) fn inquire(&mut self, id: Id<Peer>) {
        let by_server = |peer: &Peer| {
            peer.path == Path::Server && peer.recipient.is_some() && peer.active.is_linked()
        };
        if !self.peers.get(id).is_some_and(by_server) {
            return;
        }
        let Some(link) = self.state.home.online() else { return };
        if let Some(contact) = self.links.get_mut(link) {
            contact.role.inquiries.push_back(&mut self.peers.slab, id);
            self.links.wake(link);
        }
    }

    /// A conversation's deadline is due: no receipt, no word from the server, or
    /// no delivery in all the time there was.
    pub(super) fn peer_timeout(&mut self, id: Id<Peer>) {
        let now = self.state.now;
        let unix = self.unix();
        let expiry = self.state.config.expiry;
        while let Some((first, message)) = self.first_where(id, Stage::is_unsaved) {
            if !self.may_expire(message) || unix.since(message.time) < expiry {
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
                (Stage::Deposited, Path::Server)
                    if waited.is_some_and(|w| w >= AGAIN) && self.is_on_its_way(message) =>
                {
                    self.deposit_again(id);
                }
                _ => {}
            }
        }
        self.rearm(id);
    }

    /// Numbers a text and asks the host to make it durable.
    fn accept(&mut self, id: Id<Peer>, text: &[u8]) -> Option<MessageId> {
        // What comes must always find some room.
        if self.is_crowded() {
            self.make_room();
        }
        if self.is_crowded() {
            return None;
        }
        let peer = self.peers.get_mut(id)?;
        let last = if peer.last.epoch == self.state.epoch { peer.last.number } else { Number(0) };
        if last.next() == last {
            return None;
        }
        let position = Position::new(self.state.epoch, last.next());
        let time = self.unix();
        let mut body = self.pool.allocate(BODY_HEADER + text.len() + MAIL_OVERHEAD)?;
        self.pool.write(&mut body, 0, &time.0.to_le_bytes());
        self.pool.write(&mut body, BODY_HEADER, text);
        let peer = self.peers.get_mut(id)?;
        let total = (BODY_HEADER + text.len()) as u16;
        let mut message = Outgoing::new(id, position, Stage::Saving, body, total);
        message.time = time;
        message.ask = Ask::Owed;
        let added = match self.outgoing.insert(message) {
            Ok(added) => added,
            Err(message) => {
                self.pool.free(message.body);
                return None;
            }
        };
        if peer.last.epoch < position.epoch {
            peer.window.former = peer.last.epoch;
        }
        peer.last = position;
        peer.outbox.push_back(&mut self.outgoing, added);
        self.begin_conversation(id);
        self.state.active.push_back(&mut self.peers.slab, id);
        self.state.asking_outgoing.push_back(&mut self.outgoing, added);
        self.state.unsaved += 1;
        let recipient = self.peers.get(id)?.log;
        Some(MessageId { recipient, position })
    }

    /// A conversation is known from now on, also after a restart.
    pub(super) fn begin_conversation(&mut self, id: Id<Peer>) {
        let Some(peer) = self.peers.get_mut(id).filter(|peer| peer.conversation.is_none()) else {
            return;
        };
        peer.conversation = Some(self.state.next_conversation);
        self.state.next_conversation = self.state.next_conversation.saturating_add(1);
        self.save_conversation(id);
    }

    /// A message that just became durable is under way at once, or waits in the store for those
    /// before it.
    fn takes_turn(&self, id: Id<Peer>) -> bool {
        let Some(peer) = self.peers.get(id) else { return false };
        !peer.has_behind() && !self.is_crowded() && self.has_turn(peer)
    }

    fn fall_behind(&mut self, id: Id<Outgoing>) {
        let Some(message) = self.outgoing.get_mut(id) else { return };
        message.stage = Stage::Behind;
        if let Some(peer) = self.peers.get_mut(message.peer) {
            peer.window.behind += 1;
        }
        self.free_outgoing(id);
    }

    /// A deposit was sent in this session.
    fn is_on_its_way(&self, message: &Outgoing) -> bool {
        let home = self.state.home.online();
        home.is_some() && message.link == home
    }

    /// Whether the author's own clock may say that a message expired: the clock may be wrong, so
    /// only of what nobody can have, or if there is nobody to ask.
    fn may_expire(&self, message: &Outgoing) -> bool {
        let lost = || {
            let recipient = self.peers.get(message.peer).and_then(|peer| peer.recipient);
            self.state.home.knows_roster() && recipient.is_none()
        };
        match message.stage {
            Stage::Open if !message.ventured => true,
            Stage::Open | Stage::Deposited => lost(),
            _ => false,
        }
    }

    /// Sends a message that just became durable.
    fn start(&mut self, id: Id<Outgoing>) {
        let Some(peer_id) = self.outgoing.get(id).map(|message| message.peer) else { return };
        let Some(peer) = self.peers.get(peer_id) else { return };
        let epoch = self.sent_epoch(peer_id);
        let first =
            self.outgoing.get(id).is_some_and(|message| Some(message.position.epoch) == epoch);
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

    /// Takes a message off the list of what its link has to send.
    pub(super) fn unlist(&mut self, id: Id<Outgoing>) {
        let Some(message) = self.outgoing.get(id).filter(|m| m.sending.is_linked()) else { return };
        let link = match message.stage {
            Stage::Deposited => self.state.home.link(),
            _ => self.peers.get(message.peer).and_then(|peer| peer.link),
        };
        if let Some(found) = link.and_then(|link| self.links.get_mut(link)) {
            found.role.sending.remove(&mut self.outgoing, id);
        }
    }

    pub(super) fn first_where(
        &self,
        peer: Id<Peer>,
        is: impl Fn(Stage) -> bool,
    ) -> Option<(Id<Outgoing>, &Outgoing)> {
        let mut at = self.peers.get(peer)?.outbox.front();
        while let Some(id) = at {
            let message = self.outgoing.get(id)?;
            if is(message.stage) {
                return Some((id, message));
            }
            at = message.of_peer.next();
        }
        None
    }

    /// The epoch that is being sent: a later one waits until its reader has, or may pass
    /// over, all of this, since a cursor in it speaks for all before.
    pub(super) fn sent_epoch(&self, peer: Id<Peer>) -> Option<Epoch> {
        let mut at = self.peers.get(peer)?.outbox.front();
        while let Some(message) = at.and_then(|id| self.outgoing.get(id)) {
            if message.stage.is_unsaved() || message.is_undecided() {
                return Some(message.position.epoch);
            }
            at = message.of_peer.next();
        }
        None
    }

    pub(super) fn first_open(&self, peer: Id<Peer>) -> Option<&Outgoing> {
        self.first_where(peer, Stage::is_open).map(|(_, message)| message)
    }

    pub(super) fn first_unsaved(&self, peer: Id<Peer>) -> Option<&Outgoing> {
        self.first_where(peer, Stage::is_unsaved).map(|(_, message)| message)
    }

    /// When a conversation must be looked at again.
    pub(super) fn rearm(&mut self, id: Id<Peer>) {
        let config = &self.state.config;
        let expiry = self.first_unsaved(id).filter(|m| self.may_expire(m)).map(|message| {
            // The wall clock may have jumped: what is over is over in a moment, not in the past.
            let left = config.expiry.saturating_sub(self.unix().since(message.time));
            self.state.now + left.max(MOMENT)
        });
        let patience = self.first_unsaved(id).and_then(|message| {
            let path = self.peers.get(id)?.path;
            let home = &self.state.home;
            let span = match (message.stage, path) {
                (Stage::Open, Path::Direct) if home.was_online() => config.receipt,
                (Stage::Deposited, Path::Server) if self.is_on_its_way(message) => AGAIN,
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

    pub(super) fn free_outgoing(&mut self, id: Id<Outgoing>) {
        if let Some(message) = self.outgoing.get_mut(id) {
            self.pool.free(core::mem::replace(&mut message.body, Body::EMPTY));
        }
    }
}
