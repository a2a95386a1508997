//! What others say: put together, put in order, made durable, acknowledged, told.

use core::time::Duration;

use crate::{
    host::{Ask, Records},
    id::{MessageName, Position},
    link::{Packet, Piece},
    record::BODY_HEADER,
    role::{ARRIVING, is_room_to_wait, overrun},
    session::{self, MAIL_OVERHEAD},
    storage::{Body, Id, List, Pool},
    time::Instant,
    violation::Violation,
    wire::{Frame, MAX_BODY, Mail, MailAck, Receipt, Say},
};

use super::{
    ClientLink, Event, Incoming, Peer,
    conversation::{ClientRole, Token},
    engine::{Engine, FrameOutcome},
    incoming::{Mail as MailPlace, Stage},
};

/// How long what came directly may wait for its missing pieces or for those before it, whatever
/// else comes: its author, without a receipt, gives it to the server.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait before the inbox is asked again to keep what it could not.
const AGAIN: Duration = Duration::from_secs(1);

impl Engine<'_> {
    /// A piece of a message in the peers' own session.
    pub(super) fn said(&mut self, link: Id<ClientLink>, say: &Say<'_>) -> FrameOutcome {
        let Some(peer_id) = self.links.get(link).and_then(|link| link.role.peer) else {
            return FrameOutcome::Broken(Violation::UnexpectedFrame);
        };
        let Some(peer) = self.peers.get(peer_id) else { return FrameOutcome::NoRoom };
        let position = Position::new(say.epoch, say.number);
        let bounds = BODY_HEADER + 1..=self.longest_body().min(MAX_BODY - MAIL_OVERHEAD);
        let piece = Piece::new(say.total, say.offset, say.piece);
        let piece = piece.filter(|piece| bounds.contains(&piece.total()) && position.is_sound());
        let Some(piece) = piece else { return FrameOutcome::Broken(Violation::BadPiece) };
        if peer.has_passed(position, peer.asked) {
            if peer.has_passed(position, peer.kept) {
                self.owe_receipt(link);
            }
            if let Some(found) = self.links.get_mut(link).filter(|_| say.offset == 0) {
                // Nothing of it is kept: the credit it was sent on is free again.
                found.credit.pass(piece.total());
                self.links.wake(link);
            }
            return FrameOutcome::Done;
        }
        let early = !peer.is_next(position, say.skip);
        let known = self.waiting_of(peer_id, |message| message.position == position);
        let credit = self.links.get(link).map(|link| &link.credit).filter(|_| known.is_none());
        if let Some(refused) = credit.and_then(|credit| overrun(credit, piece.total())) {
            return refused;
        }
        let id = known.or_else(|| {
            let added = self.add_arriving(link, peer_id, position, (say.total, early))?;
            self.links.get_mut(link)?.credit.begin(piece.total());
            self.state.waiting.push_back(&mut self.incoming, added);
            Some(added)
        });
        let Some(message) = id.and_then(|id| self.incoming.get_mut(id)) else {
            return FrameOutcome::NoRoom;
        };
        // What counts before it may have changed since it was sent the last time.
        message.skip = message.skip.max(say.skip);
        match piece.put(&mut self.pool, &mut message.body, &mut message.have) {
            Some(true) if message.stage == Stage::Arriving => message.stage = Stage::Whole,
            Some(_) => {}
            None => return FrameOutcome::Broken(Violation::MixedPieces),
        }
        self.take_in(peer_id);
        FrameOutcome::Done
    }

    /// A piece of a mailbox entry.
    pub(super) fn mail(&mut self, link: Id<ClientLink>, mail: &Mail<'_>) -> FrameOutcome {
        let position = Position::new(mail.epoch, mail.number);
        let longest = self.longest_body();
        let piece = Piece::new(mail.total, mail.offset, mail.piece);
        let piece = piece.filter(|piece| piece.total() <= longest && position.is_sound());
        let Some(piece) = piece else { return FrameOutcome::Broken(Violation::BadPiece) };
        let Some(contact) = self.links.get(link).map(|link| &link.role) else {
            return FrameOutcome::Done;
        };
        if mail.index <= contact.last_mail {
            return FrameOutcome::Done;
        }
        let early = mail.previous != contact.last_mail;
        // Its author is on the roster, which is on its way, or told of on the way.
        let author = self.author_of(link, mail.from, mail.key);
        let mut at = contact.mail.front();
        let known = loop {
            let Some(id) = at else { break None };
            let Some(message) = self.incoming.get(id) else { break None };
            if message.mail.is_some_and(|place| place.index == mail.index) {
                break Some(id);
            }
            at = message.chained.next();
        };
        let credit = self.links.get(link).map(|link| &link.credit).filter(|_| known.is_none());
        if let Some(refused) = credit.and_then(|credit| overrun(credit, piece.total())) {
            return refused;
        }
        let id = known.or_else(|| {
            let (peer, key) = author?;
            let total = piece.total();
            let body = self.room_for(total, early).then(|| self.pool.allocate(total))??;
            let mut message = Incoming::new(peer, position, body, mail.total);
            message.by = Some(key);
            message.mail = Some(MailPlace { index: mail.index, previous: mail.previous });
            message.by_server = true;
            message.waited = mail.index <= self.state.home.waiting();
            message.link = Some(link);
            let id = match self.incoming.insert(message) {
                Ok(id) => id,
                Err(message) => {
                    self.pool.free(message.body);
                    return None;
                }
            };
            let found = self.links.get_mut(link)?;
            found.credit.begin(total);
            found.role.mail.push_back(&mut self.incoming, id);
            Some(id)
        });
        let Some(message) = id.and_then(|id| self.incoming.get_mut(id)) else {
            return FrameOutcome::NoRoom;
        };
        match piece.put(&mut self.pool, &mut message.body, &mut message.have) {
            Some(true) => message.stage = Stage::Whole,
            Some(false) => {}
            None => return FrameOutcome::Broken(Violation::MixedPieces),
        }
        self.follow_chain(link);
        FrameOutcome::Done
    }

    /// The inbox has a message, or could not take it.
    pub(super) fn inbox_saved(&mut self, id: Id<Incoming>, saved: bool) {
        let Some(message) = self.incoming.get_mut(id).filter(|m| m.stage == Stage::Keeping) else {
            return;
        };
        if !saved {
            self.state.home.tell(Event::StoreFailed);
            self.keep_later(id);
            return;
        }
        message.stage = Stage::Kept;
        message.came = true;
        let (peer_id, position, mail) = (message.peer, message.position, message.mail);
        self.forget_arriving(id);
        self.tell_incoming(id);
        let Some(peer) = self.peers.get_mut(peer_id) else { return };
        if peer.with.is_room() {
            self.owe_read(peer_id);
            return;
        }
        peer.kept = peer.kept.max(position);
        let link = peer.link;
        match (mail, link) {
            (Some(_), _) => self.owe_mail_ack(id),
            (None, Some(link)) => self.owe_receipt(link),
            (None, None) => {}
        }
        self.settle_repeated(peer_id);
    }

    /// The host's user was told of a message that came.
    pub(super) fn came_told(&mut self, id: Id<Incoming>) {
        let Some(message) = self.incoming.get(id) else { return };
        if message.mail.is_none() {
            self.discard(id);
        } else {
            self.release(id);
        }
    }

    /// Asks the host again to keep what it could not: of each author in order, in
    /// whatever order the answers came.
    pub(super) fn keep_again(&mut self) {
        while let Some(first) = self.state.unkept.front() {
            let next = self.first_unkept_beside(first);
            self.state.unkept.remove(&mut self.incoming, next);
            let Some(message) = self.incoming.get_mut(next) else { return };
            if message.stage == Stage::Unkept {
                message.stage = Stage::Keeping;
            }
            message.ask = Ask::Owed;
            let peer = message.peer;
            self.state.asking_incoming.push_back(&mut self.incoming, next);
            // What says where it belongs may have failed with it, and is to be there first.
            self.begin_conversation(peer);
            let resave = |peer: &mut Peer| core::mem::take(&mut peer.window.resave);
            if self.peers.get_mut(peer).is_some_and(resave) {
                self.save_conversation(peer);
            }
        }
    }

    /// Of what could not be kept of the same conversation, what was said first.
    fn first_unkept_beside(&self, id: Id<Incoming>) -> Id<Incoming> {
        let Some(mut first) = self.incoming.get(id) else { return id };
        let (mut found, mut at) = (id, first.asking.next());
        while let Some((id, message)) = at.and_then(|id| Some((id, self.incoming.get(id)?))) {
            at = message.asking.next();
            let beside = message.peer == first.peer && message.stage == first.stage;
            if beside && message.position < first.position {
                (found, first) = (id, message);
            }
        }
        found
    }

    /// Mail that the server knows to be in the inbox goes.
    pub(super) fn free_acknowledged(&mut self, link: Id<ClientLink>) {
        while let Some(found) = self.links.get_mut(link) {
            let Some(id) = found.role.acked.pop_front(&mut self.incoming) else { return };
            let Some(message) = self.incoming.get(id) else { continue };
            // It may not be told yet.
            if !message.came && self.state.finished != Some(id) {
                self.release(id);
                self.incoming.remove(id);
            }
        }
    }

    /// Undoes what a link had going, before it ends. What is open goes on, on
    /// another link or another way; what was arriving comes again.
    pub(super) fn leave(&mut self, link: Id<ClientLink>) {
        self.forget_home(link);
        self.leave_rooms(link);
        let Some(found) = self.links.get_mut(link) else { return };
        let mut contact = core::mem::take(&mut found.role);
        while contact.sending.pop_front(&mut self.outgoing).is_some() {}
        while contact.inquiries.pop_front(&mut self.peers.slab).is_some() {}
        while contact.reads.pop_front(&mut self.peers.slab).is_some() {}
        while let Some(id) = contact.mail.pop_front(&mut self.incoming) {
            self.discard(id);
        }
        for mut list in [contact.acks, contact.acking, contact.acked] {
            while let Some(id) = list.pop_front(&mut self.incoming) {
                let Some(message) = self.incoming.get_mut(id) else { continue };
                message.mail = None;
                if !message.came && self.state.finished != Some(id) {
                    self.discard(id);
                }
            }
        }
        let Some(peer_id) = contact.peer else { return };
        if let Some(peer) = self.peers.get_mut(peer_id).filter(|peer| peer.link == Some(link)) {
            peer.link = None;
        }
        let mut at = self.peers.get(peer_id).and_then(|peer| peer.inbox.front());
        while let Some(id) = at {
            let Some(message) = self.incoming.get(id) else { return };
            at = message.of_peer.next();
            let unfinished = matches!(message.stage, Stage::Arriving | Stage::Whole);
            if unfinished && message.mail.is_none() && message.link == Some(link) {
                self.forget_arriving(id);
                self.discard(id);
            }
        }
    }

    pub(super) fn write_acks(&mut self, link: Id<ClientLink>, packet: &mut Packet<'_, ClientRole>) {
        let Some(found) = self.links.get_mut(link) else { return };
        if found.role.receipt
            && let Some(peer) = found.role.peer.and_then(|id| self.peers.get(id))
        {
            let Position { epoch, number } = peer.kept;
            let receipt = Frame::Receipt(Receipt { epoch, number });
            found.role.receipt = !packet.push(&receipt, Token::Receipt);
        }
        while let Some(id) = self.links.get(link).and_then(|link| link.role.acks.front()) {
            let ack = self.mail_ack(id);
            if let Some(ack) = ack
                && !packet.push(&Frame::MailAck(ack), Token::MailAck(id))
            {
                return;
            }
            if let Some(found) = self.links.get_mut(link) {
                found.role.acks.pop_front(&mut self.incoming);
                found.role.acking.push_back(&mut self.incoming, id);
            }
        }
    }

    /// A receipt that the author can check, for an entry that was read; zeros for one
    /// that could not be.
    fn mail_ack(&self, id: Id<Incoming>) -> Option<MailAck> {
        let message = self.incoming.get(id)?;
        let author = message.by.or_else(|| Some(self.peers.get(message.peer)?.key))?;
        let identity = self.links.identity();
        let name = MessageName { author, recipient: identity.public(), position: message.position };
        let receipt =
            if message.unreadable { [0; 16] } else { session::receipt(identity, &author, &name)? };
        Some(MailAck { index: message.mail?.index, receipt })
    }

    /// Takes mail in as far as nothing is missing before it.
    fn follow_chain(&mut self, link: Id<ClientLink>) {
        loop {
            let Some(contact) = self.links.get_mut(link).map(|link| &mut link.role) else { return };
            let mut at = contact.mail.front();
            let next = loop {
                let Some(id) = at else { return };
                let Some(message) = self.incoming.get(id) else { return };
                let follows = message.mail.is_some_and(|m| m.previous == contact.last_mail);
                if follows && message.stage == Stage::Whole {
                    break id;
                }
                at = message.chained.next();
            };
            contact.mail.remove(&mut self.incoming, next);
            contact.last_mail = self
                .incoming
                .get(next)
                .and_then(|message| message.mail)
                .map_or(contact.last_mail, |place| place.index);
            self.take_mail(next);
        }
    }

    /// Takes a mailbox entry whose turn it is.
    fn take_mail(&mut self, id: Id<Incoming>) {
        let Some(message) = self.incoming.get_mut(id) else { return };
        let (peer_id, position) = (message.peer, message.position);
        let Some(peer) = self.peers.get(peer_id) else { return };
        if peer.has_passed(position, peer.kept) {
            self.keep_quietly(id);
        } else if position.epoch < peer.asked.epoch {
            // One cursor says nothing of the epochs before it: the inbox knows.
            message.stage = Stage::Looking;
            message.ask = Ask::Owed;
            self.state.asking_incoming.push_back(&mut self.incoming, id);
        } else {
            self.take_new_mail(id);
        }
    }

    /// The inbox's first record at or after the place of a mailbox entry of an epoch that is
    /// over; `None` if the store failed.
    pub(super) fn looked(&mut self, id: Id<Incoming>, loaded: Option<Records<'_>>) {
        let Some(message) = self.incoming.get_mut(id).filter(|m| m.stage == Stage::Looking) else {
            return;
        };
        let number = message.position.to_record_number();
        match loaded {
            Some(loaded) if loaded.at(number).is_some() => {
                self.keep_quietly(id);
            }
            Some(_) => {
                // Another copy of it may be on its way into the inbox: it is settled with that one.
                message.stage = Stage::Whole;
                self.take_new_mail(id);
            }
            None => {
                self.state.home.tell(Event::StoreFailed);
                self.state.unkept.push_back(&mut self.incoming, id);
                let at = self.state.now + AGAIN;
                self.state.retry_at.get_or_insert(at);
            }
        }
    }

    /// Opens a mailbox entry that the inbox does not have.
    fn take_new_mail(&mut self, id: Id<Incoming>) {
        let Some(message) = self.incoming.get(id) else { return };
        let (peer_id, position) = (message.peer, message.position);
        let Some(peer) = self.peers.get_mut(peer_id) else { return };
        if peer.has_passed(position, peer.asked) {
            if self.unseal(id) {
                // It came directly too, and is on its way into the inbox.
                self.await_inbox(peer_id, id);
                if let Some(peer) = self.peers.get_mut(peer_id) {
                    peer.has_copies = true;
                }
            } else {
                // It was passed over before, and nothing of it will ever be in the inbox.
                self.pass_over(id);
            }
            return;
        }
        let missing = peer.missing(position);
        peer.ask_to_keep(position);
        let opened = self.unseal(id);
        let Some(message) = self.incoming.get_mut(id) else { return };
        message.missing = missing + u64::from(!opened);
        if opened {
            self.await_inbox(peer_id, id);
            self.keep(id);
        } else {
            message.came = true;
            self.tell_incoming(id);
            self.pass_over(id);
        }
    }

    /// Counts mail to what is not in the inbox yet.
    fn await_inbox(&mut self, peer: Id<Peer>, id: Id<Incoming>) {
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.inbox.push_back(&mut self.incoming, id);
            peer.arriving += 1;
        }
    }

    /// Acknowledges mail that cannot be read.
    fn pass_over(&mut self, id: Id<Incoming>) {
        if let Some(message) = self.incoming.get_mut(id) {
            message.unreadable = true;
        }
        self.keep_quietly(id);
    }

    /// Puts the plaintext in the place of the sealed body.
    fn unseal(&mut self, id: Id<Incoming>) -> bool {
        let Some(message) = self.incoming.get_mut(id) else { return false };
        let by = message.by.or_else(|| Some(self.peers.get(message.peer)?.key));
        let Some(author) = by else { return false };
        let identity = self.links.identity();
        let name = MessageName { author, recipient: identity.public(), position: message.position };
        let total = usize::from(message.total);
        let Some(sealed) = self.work.get_mut(..total) else { return false };
        self.pool.read(&message.body, 0, sealed);
        let Some(plain) = session::open_mail(identity, &name, sealed) else { return false };
        if plain.len() <= BODY_HEADER {
            return false;
        }
        self.pool.write(&mut message.body, 0, plain);
        message.total = plain.len() as u16;
        true
    }

    /// Takes in what a peer said directly, as far as nothing is missing before it.
    pub(super) fn take_in(&mut self, peer_id: Id<Peer>) {
        loop {
            let Some(peer) = self.peers.get(peer_id) else { return };
            let next = self.waiting_of(peer_id, |message| {
                message.stage == Stage::Whole && peer.is_next(message.position, message.skip)
            });
            let Some(id) = next else { return };
            let Some(position) = self.incoming.get(id).map(|message| message.position) else {
                return;
            };
            if peer.has_passed(position, peer.asked) {
                // It came by way of the server meanwhile.
                self.forget_arriving(id);
                self.discard(id);
                continue;
            }
            let missing = peer.missing(position);
            if let Some(peer) = self.peers.get_mut(peer_id) {
                peer.ask_to_keep(position);
            }
            if let Some(message) = self.incoming.get_mut(id) {
                message.missing = missing;
            }
            self.wait_no_more(id);
            self.keep(id);
        }
    }

    /// Asks the inbox to keep a message, behind all that it was asked to keep before.
    pub(super) fn keep(&mut self, id: Id<Incoming>) {
        if !self.state.unkept.is_empty() {
            self.keep_later(id);
        } else if let Some(message) = self.incoming.get_mut(id) {
            message.stage = Stage::Keeping;
            message.ask = Ask::Owed;
            self.state.asking_incoming.push_back(&mut self.incoming, id);
        }
    }

    fn keep_later(&mut self, id: Id<Incoming>) {
        if let Some(message) = self.incoming.get_mut(id) {
            message.stage = Stage::Unkept;
            self.state.unkept.push_back(&mut self.incoming, id);
            let at = self.state.now + AGAIN;
            self.state.retry_at.get_or_insert(at);
        }
    }

    /// Mail that needs no word to the user, only one to the server.
    fn keep_quietly(&mut self, id: Id<Incoming>) {
        if let Some(message) = self.incoming.get_mut(id) {
            message.stage = Stage::Kept;
        }
        self.owe_mail_ack(id);
    }

    /// What came twice is settled once its other copy is in the inbox.
    fn settle_repeated(&mut self, peer_id: Id<Peer>) {
        let Some(peer) = self.peers.get_mut(peer_id) else { return };
        if self.state.waiting.is_empty() && !core::mem::take(&mut peer.has_copies) {
            return;
        }
        let mut at = peer.inbox.front();
        while let Some(id) = at {
            let Some(message) = self.incoming.get(id) else { return };
            at = message.of_peer.next();
            let Some(peer) = self.peers.get_mut(peer_id) else { return };
            peer.has_copies |= message.stage == Stage::Whole && message.mail.is_some();
            let repeated = matches!(message.stage, Stage::Whole | Stage::Arriving)
                && peer.has_passed(message.position, peer.kept);
            if repeated {
                let mail = message.mail.is_some();
                self.forget_arriving(id);
                if mail { self.keep_quietly(id) } else { self.discard(id) }
            }
        }
    }

    fn owe_receipt(&mut self, link: Id<ClientLink>) {
        if let Some(contact) = self.contact(link) {
            contact.receipt = true;
            self.links.wake(link);
        }
    }

    fn owe_mail_ack(&mut self, id: Id<Incoming>) {
        let source = self.incoming.get(id).and_then(|message| message.link);
        match source.and_then(|link| self.links.get_mut(link)).filter(|link| link.is_live()) {
            Some(found) => {
                found.role.acks.push_back(&mut self.incoming, id);
                if let Some(link) = source {
                    self.links.wake(link);
                }
            }
            // The server hands it over again, and hears then that it is known.
            None => {
                if let Some(message) = self.incoming.get_mut(id) {
                    message.mail = None;
                    if !message.came {
                        self.discard(id);
                    }
                }
            }
        }
    }

    /// What an author said directly that is not whole, or waits for others before it.
    fn waiting_of(&self, peer: Id<Peer>, is: impl Fn(&Incoming) -> bool) -> Option<Id<Incoming>> {
        let mut at = self.state.waiting.front();
        while let Some((id, message)) = at.and_then(|id| Some((id, self.incoming.get(id)?))) {
            if message.peer == peer && is(message) {
                return Some(id);
            }
            at = message.chained.next();
        }
        None
    }

    pub(super) fn arriving(
        &self,
        peer: Id<Peer>,
        is: impl Fn(&Incoming) -> bool,
    ) -> Option<Id<Incoming>> {
        let mut at = self.peers.get(peer)?.inbox.front();
        while let Some(id) = at {
            let message = self.incoming.get(id)?;
            if is(message) {
                return Some(id);
            }
            at = message.of_peer.next();
        }
        None
    }

    pub(super) fn add_arriving(
        &mut self,
        link: Id<ClientLink>,
        peer_id: Id<Peer>,
        position: Position,
        (total, early): (u16, bool),
    ) -> Option<Id<Incoming>> {
        let limit = (self.incoming.capacity() / 4).clamp(ARRIVING.0, ARRIVING.1);
        let arriving = usize::from(self.peers.get(peer_id)?.arriving);
        if arriving + usize::from(early) >= limit || !self.room_for(total.into(), early) {
            return None;
        }
        let peer = self.peers.get_mut(peer_id)?;
        let body = self.pool.allocate(total.into())?;
        let mut message = Incoming::new(peer_id, position, body, total);
        message.link = Some(link);
        message.begun = self.state.now;
        match self.incoming.insert(message) {
            Ok(id) => {
                peer.arriving += 1;
                peer.inbox.push_back(&mut self.incoming, id);
                Some(id)
            }
            Err(message) => {
                self.pool.free(message.body);
                None
            }
        }
    }

    /// The longest body that may come: what was granted, and can be saved.
    pub(super) fn longest_body(&self) -> usize {
        MAX_BODY.min(self.state.config.credit as usize)
    }

    /// Makes room for a body that came. One that is `early`, and waits for others to come, leaves
    /// the last of it to them. One that is next drives out what came directly and waits, the
    /// newest first: its author, without a receipt, gives it to the server. `false` if there
    /// is no room.
    fn room_for(&mut self, bytes: usize, early: bool) -> bool {
        if early {
            return is_room_to_wait(&self.incoming, &self.pool, bytes, self.longest_body());
        }
        loop {
            let blocks = self.pool.capacity() - self.pool.used();
            if !self.incoming.is_full() && blocks >= Pool::blocks(bytes) {
                return true;
            }
            let Some(newest) = self.state.waiting.back(&mut self.incoming) else { return false };
            self.forget_arriving(newest);
            self.discard(newest);
        }
    }

    /// When the first of what came directly and waits is given up.
    pub(super) fn waiting_deadline(&self) -> Option<Instant> {
        let first = self.incoming.get(self.state.waiting.front()?)?;
        Some(first.begun + PATIENCE)
    }

    /// Gives up what came directly and has waited for too long.
    pub(super) fn give_up_waiting(&mut self) {
        while self.waiting_deadline().is_some_and(|at| at <= self.state.now)
            && let Some(first) = self.state.waiting.front()
        {
            self.forget_arriving(first);
            self.discard(first);
        }
    }

    /// Takes a message off its author's list of what is not in the inbox yet.
    pub(super) fn forget_arriving(&mut self, id: Id<Incoming>) {
        self.wait_no_more(id);
        let Some(message) = self.incoming.get(id).filter(|m| m.of_peer.is_linked()) else { return };
        if let Some(peer) = self.peers.get_mut(message.peer) {
            peer.arriving -= 1;
            peer.inbox.remove(&mut self.incoming, id);
        }
    }

    /// What came directly waits for nothing more.
    fn wait_no_more(&mut self, id: Id<Incoming>) {
        if self.incoming.get(id).is_some_and(|message| message.mail.is_none()) {
            self.state.waiting.remove(&mut self.incoming, id);
        }
    }

    /// Gives a message's memory back, and its length as credit to where it came from.
    fn release(&mut self, id: Id<Incoming>) {
        let Some(message) = self.incoming.get_mut(id) else { return };
        let (link, length) = (message.link.take(), message.body.len());
        // What is given up before its turn may come again.
        let settled = !matches!(message.stage, Stage::Arriving | Stage::Whole);
        // How far a room is read says what is free of its credit.
        let in_room = self.peers.get(message.peer).is_some_and(|peer| peer.with.is_room());
        let link = link.filter(|_| !in_room);
        if let Some(message) = self.incoming.get_mut(id) {
            self.pool.free(core::mem::replace(&mut message.body, Body::EMPTY));
        }
        if let Some((id, link)) = link.and_then(|id| Some((id, self.links.get_mut(id)?))) {
            link.credit.release(length, settled);
            if link.credit.is_owed() {
                self.links.wake(id);
            }
        }
    }

    /// Drops a message that nobody is to hear of.
    pub(super) fn discard(&mut self, id: Id<Incoming>) {
        self.release(id);
        List::remove(&mut self.state.telling_incoming, &mut self.incoming, id);
        self.incoming.remove(id);
    }
}
