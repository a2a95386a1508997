//! Mail: what comes by way of the server, in the order of the mailbox, sealed.

use crate::{
    client::{
        ctx::Ctx,
        event::{Event, To},
        role::ClientLink,
        roster::{id::PeerId, peer::Peer},
    },
    host::{Ask, Records},
    id::{Account, MessageName, Position, PublicKey, Recipient},
    link::Piece,
    received::Received,
    record::{self, BODY_HEADER, InboxRecord},
    role::{FrameOutcome, overrun},
    session,
    storage::Id,
    violation::Violation,
    wire::{KeyHistory, Mail, MailAck},
};

use super::{
    Inbox,
    message::{Incoming, Mail as Place, Stage},
};

impl Inbox<'_> {
    /// A piece of a mailbox entry.
    pub(in crate::client) fn mail(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ClientLink>,
        mail: &Mail<'_>,
    ) -> FrameOutcome {
        let position = Position::new(mail.epoch, mail.number);
        let longest = cx.longest_body();
        let piece = Piece::new(mail.total, mail.offset, mail.piece);
        let piece = piece.filter(|piece| piece.total() <= longest && position.is_sound());
        let Some(piece) = piece else { return FrameOutcome::Broken(Violation::BadPiece) };
        let Some(contact) = cx.links.get(link).map(|link| &link.role.inbox) else {
            return FrameOutcome::Done;
        };
        if mail.index <= contact.last_mail {
            return FrameOutcome::Done;
        }
        let early = mail.previous != contact.last_mail;
        let mut at = contact.mail.front();
        let known = loop {
            let Some(id) = at else { break None };
            let Some(message) = self.messages.all.get(id) else { break None };
            if message.mail.is_some_and(|place| place.index == mail.index) {
                break Some(id);
            }
            at = message.chained.next();
        };
        let credit = cx.links.get(link).map(|link| &link.credit).filter(|_| known.is_none());
        if let Some(refused) = credit.and_then(|credit| overrun(credit, piece.total())) {
            return refused;
        }
        let id = known.or_else(|| self.add_mail(cx, link, mail, early));
        let Some(message) = id.and_then(|id| self.messages.all.get_mut(id)) else {
            return FrameOutcome::NoRoom;
        };
        if !message.put(&piece, &mut cx.bodies) {
            return FrameOutcome::Broken(Violation::MixedPieces);
        }
        self.follow_chain(cx, link);
        FrameOutcome::Done
    }

    /// Under which key mail was written that follows, and by whom. A stranger gives way to them in a
    /// full table.
    pub(in crate::client) fn former(
        cx: &mut Ctx<'_>,
        link: Id<ClientLink>,
        former: &KeyHistory,
    ) -> FrameOutcome {
        // Who has the account now is whoever the user takes them for: the key decides.
        let known = cx.peers.by_key(&former.key);
        let with = To::Peer(former.nick);
        let Some(peer) = known.or_else(|| {
            cx.make_place();
            cx.peers.add_nameless(former.key, with)
        }) else {
            return FrameOutcome::NoRoom;
        };
        if let Some(found) = cx.peers.get_mut(peer) {
            found.author.hear();
        }
        // What stands for a room's key is nobody's: there is no author then.
        let is_person = cx.peers.get(peer).is_some_and(|peer| !peer.is_room());
        if let Some(contact) = cx.contact(link).filter(|_| is_person) {
            contact.inbox.former = Some((former.account, former.key, peer));
        }
        FrameOutcome::Done
    }

    /// Mail that the server knows to be in the inbox goes.
    pub(in crate::client) fn free_acknowledged(&mut self, cx: &mut Ctx<'_>, link: Id<ClientLink>) {
        while let Some(found) = cx.links.get_mut(link) {
            let Some(id) = found.role.inbox.acked.pop_front(&mut self.messages.all) else { return };
            let Some(message) = self.messages.all.get(id) else { continue };
            // It may not be told yet.
            if !message.came && *self.finished != Some(id) {
                self.messages.release(cx, id);
                self.messages.all.remove(id);
            }
        }
    }

    /// That an entry is in the inbox, or cannot be read, and what of its author's is in the inbox, by a
    /// receipt that the author can check: it speaks for no message that could not be read.
    pub(super) fn mail_ack(&self, cx: &Ctx<'_>, id: Id<Incoming>) -> Option<MailAck> {
        let message = self.messages.all.get(id)?;
        let peer = cx.peers.get(message.peer)?;
        let (author, kept) = (message.by.unwrap_or(peer.key()), peer.author.kept());
        // What is of an epoch that is over speaks for itself: an outbox that was put back to then does
        // not know those that follow.
        let is_over = message.position.epoch < kept.last.epoch && !message.received.is_none();
        let received = if is_over { message.received } else { kept };
        let identity = cx.links.identity();
        let receipt = session::receipt(identity, &author, &identity.public(), &received)?;
        Some(MailAck { index: message.mail?.index, received, receipt })
    }

    /// The inbox's first record at or after the place of a mailbox entry of an epoch that is
    /// over; `None` if the store failed.
    pub(super) fn found(
        &mut self,
        cx: &mut Ctx<'_>,
        id: Id<Incoming>,
        loaded: Option<Records<'_>>,
    ) {
        let Some(message) = self.messages.all.get_mut(id).filter(|m| m.stage == Stage::Looking)
        else {
            return;
        };
        let number = message.position.to_record_number();
        let author = cx.peers.get(message.peer).map(|peer| &peer.author);
        let is_passed = author.is_some_and(|author| author.has_kept(message.position));
        match loaded {
            Some(loaded) => match loaded.at(number) {
                Some(record) => {
                    message.received = received_by(record, message.position);
                    self.messages.keep_quietly(cx, id);
                }
                // Its reader heard of a gap, and reads nothing out of order.
                None if is_passed => self.messages.keep_quietly(cx, id),
                None => {
                    // Another copy of it may be on its way into the inbox: it is settled with that
                    // one.
                    message.stage = Stage::Whole;
                    self.take_new_mail(cx, id);
                }
            },
            None => {
                cx.news.tell(Event::StoreFailed);
                cx.store.incoming_failed(&mut self.messages.all, id);
                cx.store.retry_later(cx.now);
            }
        }
    }

    fn add_mail(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ClientLink>,
        mail: &Mail<'_>,
        early: bool,
    ) -> Option<Id<Incoming>> {
        // Its author is on the roster, which is on its way, or told of on the way.
        let (peer, key) = author_of(cx, link, mail.from, mail.key)?;
        let total = mail.total.into();
        let body =
            self.messages.room_for(cx, total, early).then(|| cx.bodies.allocate(total))??;
        let position = Position::new(mail.epoch, mail.number);
        let mut message = Incoming::new(peer, position, body, mail.total);
        message.by = Some(key);
        message.mail = Some(Place { index: mail.index, previous: mail.previous });
        message.by_server = true;
        message.waited = mail.index <= cx.server.waiting();
        message.link = Some(link);
        let id = self.messages.insert(cx, message)?;
        let found = cx.links.get_mut(link)?;
        found.credit.begin(total);
        found.role.inbox.mail.push_back(&mut self.messages.all, id);
        Some(id)
    }

    /// Takes mail in as far as nothing is missing before it.
    fn follow_chain(&mut self, cx: &mut Ctx<'_>, link: Id<ClientLink>) {
        while let Some(contact) = cx.links.get_mut(link).map(|link| &mut link.role.inbox) {
            let mut at = contact.mail.front();
            let (next, index) = loop {
                let Some((id, message)) = at.and_then(|id| Some((id, self.messages.all.get(id)?)))
                else {
                    return;
                };
                match message.mail {
                    Some(place)
                        if place.previous == contact.last_mail && message.stage == Stage::Whole =>
                    {
                        break (id, place.index);
                    }
                    _ => at = message.chained.next(),
                }
            };
            contact.mail.remove(&mut self.messages.all, next);
            contact.last_mail = index;
            self.take_mail(cx, next);
        }
    }

    /// Takes a mailbox entry whose turn it is.
    fn take_mail(&mut self, cx: &mut Ctx<'_>, id: Id<Incoming>) {
        let Some(message) = self.messages.get_mut(id) else { return };
        let position = message.position;
        let Some(Peer { author, .. }) = cx.peers.get(message.peer) else { return };
        if position.epoch == author.epoch() && author.kept().covers(position) {
            self.messages.keep_quietly(cx, id);
        } else if position.epoch < author.epoch() || author.has_kept(position) {
            // Whether it was passed over, or what there is of an epoch that is over, the inbox knows.
            message.stage = Stage::Looking;
            message.ask = Ask::Owed;
            cx.store.owe_incoming(&mut self.messages.all, id);
        } else {
            self.take_new_mail(cx, id);
        }
    }

    /// Opens a mailbox entry that the inbox does not have.
    fn take_new_mail(&mut self, cx: &mut Ctx<'_>, id: Id<Incoming>) {
        let Some(message) = self.messages.get(id) else { return };
        let (peer_id, position) = (message.peer, message.position);
        let Some(peer) = cx.peers.get_mut(peer_id) else { return };
        let was_asked = peer.author.has_asked(position);
        let Some(previous) = self.unseal(cx, id) else {
            // Who does not hold the author's key moves no cursor.
            let Some(message) = self.messages.get_mut(id) else { return };
            (message.came, message.unreadable) = (true, true);
            self.messages.tell(id);
            return self.messages.keep_quietly(cx, id);
        };
        let Some(peer) = cx.peers.get_mut(peer_id) else { return };
        if was_asked {
            // It came directly too, and is on its way into the inbox.
            peer.author.has_copies = true;
            return self.messages.await_inbox(cx, peer_id, id);
        }
        let Some(message) = self.messages.get_mut(id) else { return };
        (message.received, message.missing) = peer.author.take(position, previous);
        self.messages.await_inbox(cx, peer_id, id);
        self.messages.keep(cx, id);
    }

    /// Puts the plaintext in the place of the sealed body: what its author called open before it.
    /// `None` if that author did not seal it so, or there is no text in it.
    fn unseal(&mut self, cx: &mut Ctx<'_>, id: Id<Incoming>) -> Option<Position> {
        let message = self.messages.get_mut(id)?;
        let author = message.by.or_else(|| Some(cx.peers.get(message.peer)?.key()))?;
        let identity = cx.links.identity();
        let name = MessageName { author, recipient: identity.public(), position: message.position };
        let sealed = cx.work.get_mut(..message.total.into())?;
        cx.bodies.read(&message.body, 0, sealed);
        let (previous, plain) = session::open_mail(identity, &name, sealed)?;
        if plain.len() <= BODY_HEADER {
            return None;
        }
        cx.bodies.write(&mut message.body, 0, plain);
        message.total = plain.len() as u16;
        Some(previous)
    }
}

/// What the inbox had of an author once it had the message at `at`, by its record. If that is damaged,
/// it is still known that it was there.
pub(in crate::client) fn received_by(record: &[u8], at: Position) -> Received {
    let header = record::decode(record).map(|(InboxRecord { received, .. }, _)| received);
    header.filter(|it| it.fits() && it.last == at).unwrap_or(Received::only(at))
}

/// Who wrote mail from an account with a key of this tag; `None` if that is not known yet.
fn author_of(
    cx: &Ctx<'_>,
    link: Id<ClientLink>,
    account: Account,
    tag: u32,
) -> Option<(PeerId, PublicKey)> {
    let id = cx.peers.by_recipient(Recipient::Account(account));
    if let Some((id, peer)) = id.and_then(|id| Some((id, cx.peers.get(id)?)))
        && peer.key().tag() == tag
    {
        return Some((id, peer.key()));
    }
    let (of, key, peer) = cx.links.get(link)?.role.inbox.former?;
    (of == account && key.tag() == tag).then_some((peer, key))
}
