//! What others say: put together, put in order, made durable, acknowledged, told.

pub(super) mod author;
pub(super) mod link;
mod mail;
pub(super) mod message;
mod messages;

use core::time::Duration;

use crate::{
    host::{Ask, Log, Records, Request, Ticket},
    id::{Number, Position},
    link::{Fate, Packet, Piece},
    record::{self, BODY_HEADER, InboxRecord},
    role::{FrameOutcome, overrun},
    session::MAIL_OVERHEAD,
    storage::{Id, List, Slab, SlabHead, Slot},
    time::{Instant, UnixTime},
    violation::Violation,
    wire::{Frame, MAX_BODY, Message, Receipt},
};

use super::{
    contact::Contact,
    ctx::Ctx,
    event::{Event, To},
    headers::Naming,
    requests::Asker,
    role::{ClientLink, ClientRole},
    roster::{id::PeerId, peer::Peer},
    sent::SentFrame,
};
pub(super) use mail::received_by;
use message::{Chained, Incoming, Stage, Telling};
use messages::Messages;

/// How long what came directly may wait for its missing pieces or for those before it, whatever
/// else comes: its author, without a receipt, gives it to the server.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the inbox keeps beside its table.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Messages that there is something to tell about.
    telling: List<Incoming, Telling>,
    /// What came directly and waits for its pieces or for others before it: of whatever came
    /// last, its author can be made to give it to the server.
    waiting: List<Incoming, Chained>,
    /// Blocks of those.
    held: usize,
    /// The message whose text was lent goes with the next call.
    finished: Option<Id<Incoming>>,
}

/// What goes with the table.
#[derive(Debug)]
pub(super) struct Heads(SlabHead);

impl Heads {
    /// Of an empty table.
    pub(super) const NEW: Self = Self(SlabHead::NEW);
}

/// What came, on its way into the durable inbox.
#[derive(Debug)]
pub(super) struct Inbox<'a> {
    messages: Messages<'a>,
    /// The message whose text was lent goes with the next call.
    finished: &'a mut Option<Id<Incoming>>,
}

/// An entry of a room that is being put together.
pub(super) type Entry = Id<Incoming>;

impl<'a> Inbox<'a> {
    /// Over lent memory.
    pub(super) fn new(
        state: &'a mut State,
        heads: &'a mut Heads,
        messages: &'a mut [Slot<Incoming>],
    ) -> Self {
        let State { telling, waiting, held, finished } = state;
        let all = Slab::new(messages, &mut heads.0);
        Self { messages: Messages { all, telling, waiting, held }, finished }
    }

    /// How many messages are in memory, and how many could be.
    pub(super) fn usage(&self) -> (usize, usize) {
        (self.messages.all.len(), self.messages.all.capacity())
    }

    /// A piece of a message in the peers' own session.
    pub(super) fn said(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ClientLink>,
        frame: &Message<'_>,
    ) -> FrameOutcome {
        let Some(peer_id) = cx.peer_of(link) else {
            return FrameOutcome::Broken(Violation::UnexpectedFrame);
        };
        let Some(Peer { author, .. }) = cx.peers.get(peer_id) else { return FrameOutcome::NoRoom };
        let position = Position::new(frame.epoch, frame.number);
        let bounds = BODY_HEADER + 1..=cx.longest_body().min(MAX_BODY - MAIL_OVERHEAD);
        let piece = Piece::new(frame.total, frame.offset, frame.piece);
        let piece = piece.filter(|piece| bounds.contains(&piece.total()) && position.is_sound());
        let Some(piece) = piece else { return FrameOutcome::Broken(Violation::BadPiece) };
        if author.has_asked(position) {
            if author.has_kept(position) {
                owe_receipt(cx, link);
            }
            if let Some(found) = cx.links.get_mut(link).filter(|_| frame.offset == 0) {
                // Nothing of it is kept: the credit it was sent on is free again.
                found.credit.pass(piece.total());
                cx.links.wake(link);
            }
            return FrameOutcome::Done;
        }
        let early = !author.is_next(position, frame.skip);
        let known = self.messages.waiting_of(peer_id, |message| message.position == position);
        let credit = cx.links.get(link).map(|link| &link.credit).filter(|_| known.is_none());
        if let Some(refused) = credit.and_then(|credit| overrun(credit, piece.total())) {
            return refused;
        }
        let id = known.or_else(|| {
            let has_room = self.messages.room_to_wait(cx, piece.total(), early);
            let added = has_room
                .then(|| self.messages.add(cx, link, peer_id, position, (frame.total, early)))??;
            cx.links.get_mut(link)?.credit.begin(piece.total());
            self.messages.wait(added);
            Some(added)
        });
        let Some(message) = id.and_then(|id| self.messages.all.get_mut(id)) else {
            return FrameOutcome::NoRoom;
        };
        // What counts before it may have changed since it was sent the last time.
        message.skip = message.skip.max(frame.skip);
        if !message.put(&piece, &mut cx.bodies) {
            return FrameOutcome::Broken(Violation::MixedPieces);
        }
        self.take_in(cx, peer_id);
        FrameOutcome::Done
    }

    /// Drops what came of an author, or a room, that the inbox was not asked to keep yet.
    pub(super) fn discard_where(
        &mut self,
        cx: &mut Ctx<'_>,
        peer: PeerId,
        is: impl Fn(&Incoming) -> bool,
    ) {
        self.messages.discard_where(cx, peer, is);
    }

    /// The request to the store about a message, which is the first that waits for one.
    pub(super) fn request(&mut self, cx: &mut Ctx<'_>, id: Id<Incoming>) -> Option<Request> {
        cx.store.incoming_asked(&mut self.messages.all);
        let message = self.messages.all.get_mut(id)?;
        let log = Log::Inbox(cx.peers.get(message.peer)?.key());
        let number = message.position.to_record_number();
        let is_looking = message.stage == Stage::Looking;
        let asker = if is_looking { Asker::Look } else { Asker::Incoming };
        let ticket = cx.store.ticket(asker, id.slot());
        message.ask = Ask::Asked(ticket.serial);
        if is_looking {
            return Some(Request::Read { ticket, log, from: number, most: 1 });
        }
        let author = message.said.map(|said| said.author);
        let header = InboxRecord { saved: message.by_server, received: message.received, author };
        let total = message.total.into();
        let length = record::encode(cx.work, &header, &cx.bodies, &message.body, total)?;
        Some(Request::Put { ticket, log, number, length })
    }

    /// The store's answer about a message; the room that got on with it.
    pub(super) fn stored(
        &mut self,
        cx: &mut Ctx<'_>,
        ticket: Ticket,
        stored: bool,
    ) -> Option<PeerId> {
        let id = self.messages.answered(ticket)?;
        self.saved(cx, id, stored)
    }

    /// The store's answer to whether the inbox has a message; `None` if it failed.
    pub(super) fn looked(&mut self, cx: &mut Ctx<'_>, ticket: Ticket, loaded: Option<Records<'_>>) {
        if let Some(id) = self.messages.answered(ticket) {
            self.found(cx, id, loaded);
        }
    }

    /// When the first of what came directly and waits is given up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let first = self.messages.all.get(self.messages.waiting.front()?)?;
        Some(first.begun + PATIENCE)
    }

    /// Gives up what came directly and has waited for too long.
    pub(super) fn timeout(&mut self, cx: &mut Ctx<'_>) {
        while self.deadline().is_some_and(|at| at <= cx.now)
            && let Some(first) = self.messages.waiting.front()
        {
            self.messages.forget_arriving(cx, first);
            self.messages.discard(cx, first);
        }
    }

    /// Asks the host again to keep what it could not: of each author in order, in
    /// whatever order the answers came.
    pub(super) fn retry(&mut self, cx: &mut Ctx<'_>) {
        while let Some(first) = cx.store.first_failed_incoming() {
            let next = self.messages.first_unsaved_beside(first);
            cx.store.retry_incoming(&mut self.messages.all, next);
            let Some(message) = self.messages.all.get_mut(next) else {
                debug_assert!(false, "what is to be kept is there");
                return;
            };
            if message.stage == Stage::Unsaved {
                message.stage = Stage::Keeping;
            }
            message.ask = Ask::Owed;
            let peer = message.peer;
            // What says where it belongs may have failed with it, and is to be there first.
            cx.begin_record(peer);
            cx.save_record_again(peer);
        }
    }

    /// Two people change rows: what came of each goes with its key.
    pub(super) fn exchange(&mut self, one: PeerId, other: PeerId) {
        self.messages.exchange(one, other);
    }

    /// Something waits to be told, or to go.
    pub(super) fn is_owing(&self) -> bool {
        self.finished.is_some() || !self.messages.telling.is_empty()
    }

    /// The text that was lent last is lent no more: its message is done with.
    pub(super) fn finish(&mut self, cx: &mut Ctx<'_>) {
        if let Some(finished) = self.finished.take() {
            self.told(cx, finished);
        }
    }

    /// The next thing to tell of what came, and how much of its text is in the working memory.
    pub(super) fn next_event(&mut self, cx: &mut Ctx<'_>) -> Option<(Event, usize)> {
        while let Some(id) = self.messages.telling.front() {
            if let Some(event) = self.event(cx, id) {
                return Some(event);
            }
            self.messages.telling.pop_front(&mut self.messages.all);
            let Some(message) = self.messages.all.get(id) else { continue };
            if message.stage == Stage::Kept && message.mail.is_none() {
                self.told(cx, id);
            }
        }
        None
    }

    /// A link ends: what was arriving comes again.
    pub(super) fn leave(&mut self, cx: &mut Ctx<'_>, link: Id<ClientLink>, contact: &mut Contact) {
        while let Some(id) = contact.inbox.mail.pop_front(&mut self.messages.all) {
            self.messages.discard(cx, id);
        }
        let inbox = &mut contact.inbox;
        for list in [&mut inbox.acks, &mut inbox.acking, &mut inbox.acked] {
            while let Some(id) = list.pop_front(&mut self.messages.all) {
                let Some(message) = self.messages.all.get_mut(id) else { continue };
                message.mail = None;
                if !message.came && *self.finished != Some(id) {
                    self.messages.discard(cx, id);
                }
            }
        }
        if let Some(peer) = contact.peer() {
            self.messages.discard_where(cx, peer, |message| {
                message.mail.is_none() && message.link == Some(link)
            });
        }
    }

    /// Whether a receipt is to be written for a peer anew, whose packet was lost.
    pub(super) fn receipt_lost(contact: &mut Contact) {
        contact.inbox.receipt = true;
    }

    /// An acknowledgement of mail arrived or was lost: what was lost is owed again.
    pub(super) fn mail_ack_sent(&mut self, contact: &mut Contact, id: Id<Incoming>, fate: Fate) {
        let Some(message) = self.messages.all.get_mut(id).filter(|m| m.mail.is_some()) else {
            return;
        };
        if fate == Fate::Acked {
            message.mail = None;
        }
        let inbox = &mut contact.inbox;
        List::remove_from_either([&mut inbox.acks, &mut inbox.acking], &mut self.messages.all, id);
        // Its memory is given back right after, where the pool is at hand.
        let list = if fate == Fate::Acked { &mut inbox.acked } else { &mut inbox.acks };
        list.push_back(&mut self.messages.all, id);
    }

    /// Writes receipts and acknowledgements of mail into a packet.
    pub(super) fn write_acks(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ClientLink>,
        packet: &mut Packet<'_, ClientRole>,
    ) {
        let Some(found) = cx.links.get_mut(link) else { return };
        if found.role.inbox.receipt
            && let Some(peer) = found.role.peer().and_then(|id| cx.peers.get(id))
        {
            let kept = peer.author.kept();
            let Position { epoch, number } = kept.last;
            let receipt = Frame::Receipt(Receipt { epoch, number, run: kept.run() });
            found.role.inbox.receipt = !packet.push(&receipt, SentFrame::Receipt);
        }
        while let Some(id) = cx.links.get(link).and_then(|link| link.role.inbox.acks.front()) {
            if let Some(ack) = self.mail_ack(cx, id)
                && !packet.push(&Frame::MailAck(ack), SentFrame::MailAck(id))
            {
                return;
            }
            if let Some(found) = cx.links.get_mut(link) {
                found.role.inbox.acks.pop_front(&mut self.messages.all);
                found.role.inbox.acking.push_back(&mut self.messages.all, id);
            }
        }
    }

    /// Makes room for a piece of an entry of a room, or finds what came of it.
    pub(super) fn entry(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ClientLink>,
        room: PeerId,
        position: Position,
        (total, early): (u16, bool),
    ) -> Option<(Entry, &mut Incoming)> {
        let is_it = |message: &Incoming| message.is_unfinished() && message.position == position;
        let id = match self.messages.arriving(cx, room, is_it) {
            Some(id) => id,
            None => self.messages.add(cx, link, room, position, (total, early))?,
        };
        Some((id, self.messages.all.get_mut(id)?))
    }

    /// The entry of a room that is whole, and has this number.
    pub(super) fn whole_entry(
        &self,
        cx: &Ctx<'_>,
        room: PeerId,
        number: u64,
    ) -> Option<(Entry, &Incoming)> {
        let is_it = |message: &Incoming| {
            message.stage == Stage::Whole && message.position.number.0 == number
        };
        let id = self.messages.arriving(cx, room, is_it)?;
        Some((id, self.messages.all.get(id)?))
    }

    /// Asks the inbox to keep an entry of a room at `position`.
    pub(super) fn keep_entry(&mut self, cx: &mut Ctx<'_>, entry: Entry, position: Position) {
        if let Some(message) = self.messages.all.get_mut(entry) {
            message.position = position;
        }
        self.messages.keep(cx, entry);
    }

    /// The first number of a room's log that the inbox is asked to keep and does not have yet.
    pub(super) fn first_unsaved(&self, cx: &Ctx<'_>, room: PeerId) -> Option<u64> {
        let mut at = cx.peers.get(room)?.author.arriving.front();
        let mut first = None;
        while let Some(message) = at.and_then(|id| self.messages.all.get(id)) {
            at = message.of_peer.next();
            let number = message.position.number.0;
            if !message.is_unfinished() {
                first = Some(first.map_or(number, |first: u64| first.min(number)));
            }
        }
        first
    }

    /// The inbox has a message, or could not take it; the room that got on with it.
    fn saved(&mut self, cx: &mut Ctx<'_>, id: Id<Incoming>, saved: bool) -> Option<PeerId> {
        let message = self.messages.all.get_mut(id).filter(|m| m.stage == Stage::Keeping)?;
        if !saved {
            cx.news.tell(Event::StoreFailed);
            self.messages.keep_all_later(cx, id);
            return None;
        }
        message.stage = Stage::Kept;
        message.came = true;
        let (peer_id, received, is_mail) = (message.peer, message.received, message.mail.is_some());
        self.messages.forget_arriving(cx, id);
        self.messages.tell(id);
        let peer = cx.peers.get_mut(peer_id)?;
        if peer.is_room() {
            return Some(peer_id);
        }
        peer.author.keep(received);
        match (is_mail, peer.link()) {
            (true, _) => self.messages.owe_mail_ack(cx, id),
            (false, Some(link)) => owe_receipt(cx, link),
            (false, None) => {}
        }
        self.settle_repeated(cx, peer_id);
        None
    }

    /// The host's user was told of a message that came.
    fn told(&mut self, cx: &mut Ctx<'_>, id: Id<Incoming>) {
        let Some(message) = self.messages.get(id) else { return };
        if message.mail.is_none() {
            self.messages.discard(cx, id);
        } else {
            self.messages.release(cx, id);
        }
    }

    /// The next thing to tell of a message that came; `None` when all is told.
    fn event(&mut self, cx: &mut Ctx<'_>, id: Id<Incoming>) -> Option<(Event, usize)> {
        let message = self.messages.all.get_mut(id)?;
        let peer = cx.peers.get(message.peer)?;
        let with = peer.with();
        let known = peer.person().is_some_and(|person| person.naming() == Naming::Known);
        let missing = core::mem::take(&mut message.missing);
        if let (true, true, To::Peer(from)) = (missing > 0, message.came, with) {
            return Some((Event::Gap { from, missing }, 0));
        }
        let own = message.said.is_some_and(|said| said.own);
        if !core::mem::take(&mut message.came) || own {
            return None;
        }
        if let (true, To::Peer(from)) = (message.unreadable, with) {
            return Some((Event::Unreadable { from }, 0));
        }
        let mut time = [0; BODY_HEADER];
        cx.bodies.read(&message.body, 0, &mut time);
        let time = UnixTime(u64::from_le_bytes(time));
        let length = usize::from(message.total).saturating_sub(BODY_HEADER);
        let text = cx.work.get_mut(..length)?;
        let lent = cx.bodies.read(&message.body, BODY_HEADER, text);
        *self.finished = Some(id);
        if let Some(said) = message.said {
            let index = message.position.number.0;
            let event = Event::RoomMessage { room: with, index, from: said.author, time };
            return Some((event, lent));
        }
        let To::Peer(from) = with else {
            debug_assert!(false, "in a room, someone said it");
            return None;
        };
        let event = Event::Message {
            from,
            position: message.position,
            time,
            by_server: message.by_server,
            waited: message.waited,
            known,
        };
        Some((event, lent))
    }

    /// Takes in what a peer said directly, as far as nothing is missing before it.
    fn take_in(&mut self, cx: &mut Ctx<'_>, peer_id: PeerId) {
        while let Some(peer) = cx.peers.get_mut(peer_id) {
            let author = &mut peer.author;
            let next = self.messages.waiting_of(peer_id, |message| {
                message.stage == Stage::Whole && author.is_next(message.position, message.skip)
            });
            let Some((id, message)) =
                next.and_then(|id| Some((id, self.messages.all.get_mut(id)?)))
            else {
                return;
            };
            if author.has_asked(message.position) {
                // It came by way of the server meanwhile.
                self.messages.forget_arriving(cx, id);
                self.messages.discard(cx, id);
                continue;
            }
            let Position { epoch, number } = message.position;
            let before = number.0.saturating_sub(1).saturating_sub(message.skip.into());
            let previous = Position::new(epoch, Number(before));
            let previous = if before == 0 { Position::NONE } else { previous };
            (message.received, message.missing) = author.take(message.position, previous);
            self.messages.wait_no_more(id);
            self.messages.keep(cx, id);
        }
    }

    /// What came twice is settled once its other copy is in the inbox.
    fn settle_repeated(&mut self, cx: &mut Ctx<'_>, peer_id: PeerId) {
        let Some(peer) = cx.peers.get_mut(peer_id) else { return };
        let has_copies = core::mem::take(&mut peer.author.has_copies);
        if self.messages.waiting.is_empty() && !has_copies {
            return;
        }
        peer.author.has_copies = has_copies && !self.messages.waiting.is_empty();
        let mut at = peer.author.arriving.front();
        while let Some((id, message)) = at.and_then(|id| Some((id, self.messages.all.get(id)?))) {
            at = message.of_peer.next();
            let is_mail = message.mail.is_some();
            let Some(peer) = cx.peers.get_mut(peer_id) else { return };
            peer.author.has_copies |= message.stage == Stage::Whole && is_mail;
            if message.is_unfinished() && peer.author.has_kept(message.position) {
                self.messages.forget_arriving(cx, id);
                if is_mail {
                    self.messages.keep_quietly(cx, id);
                } else {
                    self.messages.discard(cx, id);
                }
            }
        }
    }
}

/// A peer is to be told how far its messages are in the inbox.
fn owe_receipt(cx: &mut Ctx<'_>, link: Id<ClientLink>) {
    if let Some(contact) = cx.contact(link) {
        contact.inbox.receipt = true;
        cx.links.wake(link);
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use crate::{
        client::{
            fixture::{Fixture, ticket},
            requests::Wanted,
        },
        id::{Epoch, Incarnation, Nick, Number, PublicKey},
    };

    use super::{message::Said, *};

    const FROM: &str = "bob";
    const ROW: [u8; 13] = *b"\x05\0\0\0\0\0\0\0hello";

    /// Entry `index` of a room comes whole.
    fn comes(cx: &mut Ctx<'_>, inbox: &mut Inbox<'_>, room: PeerId, index: u64) -> Id<Incoming> {
        let link = Id::from_parts(0, core::num::NonZeroU32::MIN);
        let author = Nick::new(FROM).unwrap();
        let said = Said { author, own: false, run: Incarnation([1; 8]), previous: None };
        let position = Position::new(Epoch(0), Number(index));
        let total = ROW.len() as u16;
        let (entry, message) = inbox.entry(cx, link, room, position, (total, false)).unwrap();
        let piece = Piece::new(total, 0, &ROW).unwrap();
        assert!(message.put_entry(&piece, said, &mut cx.bodies));
        inbox.keep_entry(cx, entry, position);
        entry
    }

    #[test]
    fn what_the_store_did_not_take_is_asked_for_again_and_told_once_it_has_it() {
        let (mut fixture, mut state, mut heads) = (Fixture::new(), State::default(), Heads::NEW);
        let (mut cx, (_, _, messages)) = fixture.parts();
        let mut inbox = Inbox::new(&mut state, &mut heads, messages);
        let room = cx.peers.add(PublicKey([9; 32]), To::Lobby).unwrap();
        let entry = comes(&mut cx, &mut inbox, room, 1);
        assert_eq!(inbox.first_unsaved(&cx, room), Some(1));

        let asked = ticket(inbox.request(&mut cx, entry));
        assert_eq!(inbox.stored(&mut cx, asked, false), None);
        assert_eq!(cx.news.next_event(), Some(Event::StoreFailed));
        assert!(inbox.next_event(&mut cx).is_none(), "it is not in the inbox");
        assert!(cx.store.is_retry_due(cx.now + Duration::from_secs(1)));
        inbox.retry(&mut cx);

        let asked = ticket(inbox.request(&mut cx, entry));
        assert_eq!(inbox.stored(&mut cx, asked, true), Some(room));
        let from = Nick::new(FROM).unwrap();
        let event = Event::RoomMessage { room: To::Lobby, index: 1, from, time: UnixTime(5) };
        assert_eq!(inbox.next_event(&mut cx), Some((event, 5)));
        assert_eq!(cx.work.get(..5), Some(&b"hello"[..]));
        inbox.finish(&mut cx);
        assert_eq!((inbox.usage().0, cx.bodies.used()), (0, 0), "all memory is given back");
    }

    #[test]
    fn what_was_to_be_saved_after_what_failed_waits_for_it() {
        let (mut fixture, mut state, mut heads) = (Fixture::new(), State::default(), Heads::NEW);
        let (mut cx, (_, _, messages)) = fixture.parts();
        let mut inbox = Inbox::new(&mut state, &mut heads, messages);
        let room = cx.peers.add(PublicKey([9; 32]), To::Lobby).unwrap();
        let [first, second] = [1, 2].map(|index| comes(&mut cx, &mut inbox, room, index));
        let next = |cx: &mut Ctx<'_>| loop {
            match cx.store.next(true)? {
                Wanted::Incoming(id) => return Some(id),
                Wanted::Peer(_) => cx.store.peer_asked(&mut cx.peers),
                _ => return None,
            }
        };
        // The host's store was busy with the first, and failed at it.
        assert_eq!(next(&mut cx), Some(first));
        let asked = ticket(inbox.request(&mut cx, first));
        inbox.stored(&mut cx, asked, false);
        assert_eq!(next(&mut cx), None, "nothing overtakes it");
        assert!(cx.store.is_retry_due(cx.now + Duration::from_secs(1)));
        inbox.retry(&mut cx);
        for expected in [first, second] {
            assert_eq!(next(&mut cx), Some(expected));
            inbox.request(&mut cx, expected);
        }
    }
}
