//! What the client's user said, on its way: directly, or sealed and by way of the server.

use crate::{
    id::{MessageName, Position, PublicKey, Recipient},
    link::{Packet, Target, Units},
    session,
    storage::Id,
    wire::{Deposit as DepositFrame, EntryRefusal, Frame, Inquire, Say},
};

use super::{
    ClientLink, Deposit, Outgoing, Peer, Verdict,
    conversation::{ClientRole, Token},
    engine::Engine,
    outgoing::Stage,
    peer::Path,
};

/// Deposits of one conversation that the server has not taken over at most: half of what
/// it holds for one.
const UNDER_WAY: u32 = 128;

/// Bytes of a `Say` or `Deposit` frame's body that are not the piece.
const SAY_HEADER: usize = 4 * 5 + 10 + 3 * 3;

impl Engine<'_> {
    /// Sets out to reach a peer, unless that is under way. One place is always left
    /// for reaching the server.
    pub(super) fn dial_peer(&mut self, id: Id<Peer>) {
        let Some(peer) = self.peers.get(id) else { return };
        let (Some(to), None) = (peer.address, peer.dial) else { return };
        if self.links.room_for_handshakes() <= 1 || !self.links.has_spare() {
            return;
        }
        let dial = self.links.begin_handshake(self.state.now, to, Target::Peer(peer.key));
        if let Some(peer) = self.peers.get_mut(id) {
            peer.dial = dial;
        }
    }

    /// Nobody answers where a peer should be.
    pub(super) fn peer_unreachable(&mut self, key: &PublicKey) {
        let Some(id) = self.peers.by_key(key) else { return };
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
            let Some(message) = self.outgoing.get_mut(id) else { return };
            let total = usize::from(message.total);
            let sendable = matches!(message.stage, Stage::Open | Stage::Deposited);
            if !sendable || message.todo.is_empty() {
                found.role.sending.pop_front(&mut self.outgoing);
                continue;
            }
            if total > found.credit.longest() {
                self.done(id, Verdict::Refused(EntryRefusal::TooLong));
                continue;
            }
            let Some(run) = packet.next_run(message.todo, total, SAY_HEADER) else { return };
            if message.link != Some(link) {
                if !found.credit.spend(total) {
                    return;
                }
                message.link = Some(link);
            }
            message.ventured |= message.stage == Stage::Open;
            let (Some(head), Some(message)) = (self.head_of(id), self.outgoing.get(id)) else {
                return;
            };
            let body = (&self.pool, &message.body);
            let token = Token::Piece(id, run);
            if !packet.push_piece(body, (total, run), |at, piece| head.frame(at, piece), token) {
                return;
            }
            let Some(message) = self.outgoing.get_mut(id) else { return };
            message.todo.remove(run);
            if message.since.is_none() || message.stage == Stage::Deposited {
                // For a receipt from the first datagram on, for the server from the last.
                message.since = Some(self.state.now);
                self.rearm_for(id);
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

    /// What is next to be sent was said in an epoch that is over.
    pub(super) fn is_from_before(&self, id: Id<Peer>) -> bool {
        let epoch = self.state.epoch;
        let is_old = |message: &Outgoing| message.position.epoch < epoch;
        let oldest = self.peers.get(id).and_then(|peer| peer.outbox.front());
        oldest.and_then(|id| self.outgoing.get(id)).is_some_and(is_old)
            && self.first_unsaved(id).is_some_and(is_old)
    }

    /// Sends what is open directly, as far as there is a link.
    pub(super) fn send_open(&mut self, id: Id<Peer>) {
        let Some(peer) = self.peers.get(id) else { return };
        let (link, mut at) = (peer.link, peer.outbox.front());
        let (now, epoch) = (self.state.now, self.sent_epoch(id));
        while let Some(message_id) = at {
            let Some(message) = self.outgoing.get_mut(message_id) else { break };
            if Some(message.position.epoch) > epoch {
                break;
            }
            at = message.of_peer.next();
            if message.stage == Stage::Behind {
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
    pub(super) fn switch(&mut self, id: Id<Peer>, why: Deposit) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.path = Path::Server;
            self.deposit_open(id, why);
        }
    }

    /// Seals what is open and hands it to the server.
    pub(super) fn deposit_open(&mut self, id: Id<Peer>, why: Deposit) {
        let epoch = self.sent_epoch(id);
        let home = self.state.home.online();
        let settled = self.peers.get(id).filter(|peer| {
            // A receipt speaks for all before it: the server says first what it has of those. Nor
            // may what is under way be taken back then: sealed anew, it would come in pieces of
            // two seals.
            let known = peer.with.is_room() || peer.window.confirmed == home;
            peer.former.is_none() && (known || !self.has_stored(id))
        });
        let mut at = settled.and_then(|peer| peer.outbox.front());
        let mut under_way = 0;
        let home = self.home_of(id);
        while let Some(message_id) = at {
            let Some(message) = self.outgoing.get(message_id) else { break };
            under_way += u32::from(message.stage.is_unsaved());
            if Some(message.position.epoch) > epoch || under_way > UNDER_WAY {
                break;
            }
            at = message.of_peer.next();
            if message.stage == Stage::Behind {
                break;
            }
            if message.stage == Stage::Open {
                self.seal(message_id, why);
            }
            let Some(home) = home else { continue };
            if let Some(message) = self.outgoing.get_mut(message_id)
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

    /// The link to the server, once it has said which number a peer has.
    fn home_of(&self, id: Id<Peer>) -> Option<Id<ClientLink>> {
        let known = self.peers.get(id).is_some_and(|peer| peer.recipient.is_some());
        self.state.home.online().filter(|_| known)
    }

    /// Sends all deposits of a conversation again: some did not get where they belong.
    pub(super) fn deposit_again(&mut self, id: Id<Peer>) {
        let home = self.home_of(id);
        let mut at = self.peers.get(id).and_then(|peer| peer.outbox.front());
        while let Some(message_id) = at {
            let Some(message) = self.outgoing.get_mut(message_id) else { break };
            at = message.of_peer.next();
            if message.stage == Stage::Deposited {
                message.since = None;
                if let Some(home) = home {
                    message.todo = Units::all(message.total.into());
                    self.enqueue(message_id, home);
                    self.expect_answer();
                }
            }
        }
        self.rearm(id);
    }

    fn seal(&mut self, id: Id<Outgoing>, why: Deposit) {
        let Some(message) = self.outgoing.get_mut(id) else { return };
        let Some(peer) = self.peers.get_mut(message.peer) else { return };
        if let (true, Some(contact)) =
            (message.sending.is_linked(), peer.link.and_then(|link| self.links.get_mut(link)))
        {
            contact.role.sending.remove(&mut self.outgoing, id);
        }
        let Some(message) = self.outgoing.get_mut(id) else { return };
        if peer.with.is_room() {
            // Its members are many: the server reads it.
            message.stage = Stage::Deposited;
            return;
        }
        let total = usize::from(message.total);
        let (identity, random) = self.links.identity_and_random();
        let name = MessageName {
            author: identity.public(),
            recipient: peer.key,
            position: message.position,
        };
        let plain = self.work.get_mut(..total).unwrap_or_default();
        self.pool.read(&message.body, 0, plain);
        let sealed = session::seal_mail(identity, &name, random, self.state.boot, self.work, total);
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
        self.tell_outgoing(id);
    }

    /// Puts a message on the list of what a link has to send.
    pub(super) fn enqueue(&mut self, id: Id<Outgoing>, link: Id<ClientLink>) {
        let Some(message) = self.outgoing.get_mut(id) else { return };
        if message.link != Some(link) {
            message.todo = Units::all(message.total.into());
            // A server that crashed meanwhile may have handed it over, and not know.
            message.ventured |= message.link.is_some();
        }
        if let Some(found) = self.links.get_mut(link) {
            found.role.sending.push_back(&mut self.outgoing, id);
            self.links.wake(link);
        }
    }

    /// What each frame with a piece of a message says of it.
    fn head_of(&self, id: Id<Outgoing>) -> Option<Head> {
        let message = self.outgoing.get(id)?;
        let peer = self.peers.get(message.peer)?;
        let to = match message.stage {
            Stage::Open => None,
            _ => {
                // Until what was sealed to the key before is back, all of it is.
                let key = peer.former.map_or(peer.key_number, |(_, number)| number);
                Some((peer.recipient?, key))
            }
        };
        Some(Head { to, position: message.position, skip: self.skip(id), total: message.total })
    }

    /// How many numbers right before a message its reader must not wait for.
    fn skip(&self, id: Id<Outgoing>) -> u32 {
        let Some(message) = self.outgoing.get(id) else { return 0 };
        let Position { epoch, number } = message.position;
        let Some(outbox) = self.peers.get(message.peer).map(|peer| peer.outbox) else { return 0 };
        let mut at = outbox.before(id, &message.of_peer);
        while let Some((id, before)) = at.and_then(|id| Some((id, self.outgoing.get(id)?))) {
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
                let between = number.0.saturating_sub(before.position.number.0).saturating_sub(1);
                return between.min(u32::MAX.into()) as u32;
            }
            at = outbox.before(id, &before.of_peer);
        }
        number.0.saturating_sub(1).min(u32::MAX.into()) as u32
    }
}

/// What each frame with a piece of a message says of it; `to` whom, and sealed to which of their
/// keys, if it goes by way of the server.
struct Head {
    to: Option<(Recipient, u32)>,
    position: Position,
    skip: u32,
    total: u16,
}

impl Head {
    fn frame<'p>(&self, offset: u16, piece: &'p [u8]) -> Frame<'p> {
        let Self { position: Position { epoch, number }, skip, total, .. } = *self;
        match self.to {
            None => Frame::Say(Say { epoch, number, skip, total, offset, piece }),
            Some((to, key)) => {
                Frame::Deposit(DepositFrame { to, epoch, number, key, skip, total, offset, piece })
            }
        }
    }
}
