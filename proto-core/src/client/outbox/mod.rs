//! What the client's user says: numbered once and for ever, made durable, and sent one
//! way at a time.

pub(super) mod conversation;
mod line;
pub(super) mod link;
pub(super) mod message;
mod messages;
mod reading;
mod sending;
pub(super) mod status_queries;
pub(super) mod trimming;
mod verdicts;
mod window;

use crate::{
    host::{Ask, Log, Request, Ticket},
    link::{Packet, Run},
    record::{self, BODY_HEADER, record_bound},
    session::MAIL_OVERHEAD,
    storage::{Body, Id, Slab, SlabHead, Slot},
    timers::{TimerCell, Timers},
};

use super::{
    contact::Contact,
    ctx::Ctx,
    error::SendError,
    event::{Event, Failure, MessageId, SubmitReason, To, Verdict},
    requests::Asker,
    role::{ClientLink, ClientRole},
    roster::{
        id::PeerId,
        list::PeerList,
        peer::{Active, Peer},
        person::Person,
    },
    view::OpenMessages,
};
use conversation::Path;
use message::{Outgoing, Stage};
use messages::{AGAIN, Messages, is_on_its_way, may_expire};
use sending::Sending;

pub(super) use messages::State;
pub(super) use reading::READ_AHEAD;

/// What goes with the tables of the outbox.
#[derive(Debug)]
pub(super) struct Heads {
    messages: SlabHead,
    timers: u32,
}

impl Heads {
    /// Of empty tables.
    pub(super) const NEW: Self = Self { messages: SlabHead::NEW, timers: 0 };
}

/// What the user says, to whomever.
#[derive(Debug)]
pub(super) struct Outbox<'a> {
    sending: Sending<'a>,
}

impl<'a> Outbox<'a> {
    /// Over lent memory.
    pub(super) fn new(
        state: &'a mut State,
        heads: &'a mut Heads,
        messages: &'a mut [Slot<Outgoing>],
        timers: &'a mut [TimerCell],
    ) -> Self {
        let all = Slab::new(messages, &mut heads.messages);
        let timers = Timers::new(timers, &mut heads.timers);
        Self { sending: Sending { messages: Messages { all, timers, state } } }
    }

    /// Numbers a text and asks the host to make it durable.
    pub(super) fn say(
        &mut self,
        cx: &mut Ctx<'_>,
        to: PeerId,
        text: &str,
    ) -> Result<MessageId, SendError> {
        self.sending.messages.accept(cx, to, text.as_bytes()).ok_or(SendError::Full)
    }

    /// How many messages are in memory, and how many could be.
    pub(super) fn usage(&self) -> (usize, usize) {
        (self.sending.messages.all.len(), self.sending.messages.all.capacity())
    }

    /// When some conversation must be looked at again.
    pub(super) fn deadline(&self) -> Option<crate::time::Instant> {
        self.sending.messages.timers.deadline()
    }

    /// Some message's user is to hear of it.
    pub(super) fn is_owing(&self) -> bool {
        !self.sending.messages.state.telling.is_empty()
    }

    /// There is room to read an outbox on.
    pub(super) fn has_room(&self, cx: &Ctx<'_>) -> bool {
        !self.sending.messages.is_crowded(cx)
    }

    /// The next thing to tell of the user's messages.
    pub(super) fn next_event(&mut self, cx: &mut Ctx<'_>) -> Option<Event> {
        while let Some(id) = self.sending.messages.state.telling.front() {
            if let Some(message) = self.sending.messages.all.get_mut(id)
                && let Some(peer) = cx.peers.get(message.peer)
                && let id = (MessageId { recipient: peer.log(), position: message.position })
                && let Some(event) = message.next_event(id, peer.with())
            {
                let (of, next) = (message.peer, message.of_peer.next());
                let next = next.and_then(|next| self.sending.messages.all.get(next));
                let is_stored = matches!(event, Event::Verdict { verdict: Verdict::Stored, .. });
                if is_stored && !peer.is_room() && next.is_none_or(|next| !next.news.stored) {
                    // What the record says is not told again: it says so once all was told.
                    cx.save_record(of);
                }
                return Some(event);
            }
            self.sending.messages.state.telling.pop_front(&mut self.sending.messages.all);
            let Some(message) = self.sending.messages.all.get(id) else { continue };
            let peer = message.peer;
            match message.stage {
                Stage::Done(_) | Stage::Stored => self.sending.clear_front(cx, peer),
                Stage::Behind => self.sending.messages.put_back(cx, id),
                _ => {}
            }
            // What that led to may want something from the host first.
            if let Some(event) = cx.news.next_event() {
                return Some(event);
            }
        }
        None
    }

    /// The request to the store about a message, which is the first that waits for one.
    pub(super) fn request(&mut self, cx: &mut Ctx<'_>, id: Id<Outgoing>) -> Option<Request> {
        cx.store.outgoing_asked(&mut self.sending.messages.all);
        let ticket = cx.store.ticket(Asker::Outgoing, id.slot());
        let message = self.sending.messages.all.get_mut(id)?;
        message.ask = Ask::Asked(ticket.serial);
        let log = Log::Outbox(cx.peers.get(message.peer)?.log());
        let number = message.position.to_record_number();
        let (header, length) = message.record(cx.boot);
        let body = if length > 0 { &message.body } else { &Body::EMPTY };
        let length = record::encode(cx.work, &header, &cx.bodies, body, length)?;
        Some(Request::Put { ticket, log, number, length })
    }

    /// The store's answer about a message.
    pub(super) fn stored(&mut self, cx: &mut Ctx<'_>, ticket: Ticket, stored: bool) {
        let id = self.sending.messages.all.id_at(ticket.slot);
        let message = id.and_then(|id| self.sending.messages.all.get_mut(id));
        if let (Some(id), true) = (id, message.is_some_and(|it| it.ask.answer(ticket.serial))) {
            self.saved(cx, id, stored);
        }
    }

    /// What the store failed to do is asked for again.
    pub(super) fn retry(&mut self, cx: &mut Ctx<'_>) {
        self.sending.messages.save_verdicts_again(cx);
        self.sending.messages.fetch_again(cx);
    }

    /// What is not settled.
    pub(super) fn open_messages(&self, cx: &mut Ctx<'_>) -> OpenMessages {
        self.sending.messages.open_messages(cx)
    }

    /// A conversation may go on: sends what is open the way it is to go.
    pub(super) fn pump(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        self.sending.pump(cx, id);
    }

    /// A session with the server begins: it is asked after everything that it has of this
    /// client's.
    pub(super) fn query_all(&mut self, cx: &mut Ctx<'_>) {
        self.sending.messages.query_all(cx);
    }

    /// Nothing is under way any more: no receipt is waited for.
    pub(super) fn pause_all(&mut self, cx: &mut Ctx<'_>) {
        self.sending.messages.pause_all(cx);
    }

    /// Nobody answers where someone should be.
    pub(super) fn unreachable(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        self.sending.unreachable(cx, id);
    }

    /// The durable state is read: every outbox is read on if that is any use.
    pub(super) fn fetch_all(&mut self, cx: &mut Ctx<'_>) {
        self.sending.messages.fetch_all(cx);
    }

    /// Once nothing is left that the server could save, it is told good-bye.
    pub(super) fn consider_leaving(&self, cx: &mut Ctx<'_>) {
        self.sending.consider_leaving(cx);
    }

    /// Writes pieces of messages into a packet, as far as there is room and credit.
    pub(super) fn write_messages(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ClientLink>,
        packet: &mut Packet<'_, ClientRole>,
    ) {
        self.sending.write_messages(cx, link, packet);
    }

    /// Something about someone changed on the roster.
    pub(super) fn person_changed(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        self.consider_renewed(cx, id);
        if cx.peers.get(id).and_then(Peer::person).is_some_and(Person::has_news) {
            cx.news.tell_of(&mut cx.peers, id);
        }
        status_queries::query_status(cx, id);
        self.sending.pump(cx, id);
    }

    /// All conversations may go on.
    pub(super) fn pump_all(&mut self, cx: &mut Ctx<'_>) {
        let mut at = self.sending.messages.state.active.front();
        while let Some(id) = at {
            at = PeerList::<Active>::after(&mut cx.peers, id);
            self.sending.pump(cx, id);
        }
    }

    /// A link ends. What is open goes on, on another link or another way.
    pub(super) fn leave(&mut self, cx: &mut Ctx<'_>, contact: &mut Contact) {
        while contact.outbox.sending.pop_front(&mut self.sending.messages.all).is_some() {}
        contact.outbox.status_queries.clear(&mut cx.peers);
    }

    /// A piece that was sent was lost: it is owed again.
    pub(super) fn piece_lost(&mut self, contact: &mut Contact, id: Id<Outgoing>, run: Run) {
        let is_direct = contact.peer().is_some();
        // What went directly may have been submitted since: then this link is done with it.
        if let Some(message) = self.sending.messages.all.get_mut(id)
            && match message.stage {
                Stage::Open => is_direct,
                Stage::Submitted => !is_direct,
                _ => false,
            }
        {
            message.todo.insert(run);
            // Ahead of what comes after it: there may be room for what is next only. And ahead
            // of those that wait for the credit that comes back once this one is whole.
            let (peer, position, link) = (message.peer, message.position, message.link);
            // It may still be listed, behind them.
            contact.outbox.sending.remove(&mut self.sending.messages.all, id);
            contact.outbox.sending.insert_where(&mut self.sending.messages.all, id, |other| {
                other.link != link || other.peer == peer && other.position > position
            });
        }
    }

    /// Does what is due now: no receipt, no word from the server, or no delivery in all the
    /// time there was.
    pub(super) fn timeout(&mut self, cx: &mut Ctx<'_>) {
        while let Some(slot) = self.sending.messages.timers.pop_due(cx.now) {
            if let Some(id) = cx.peers.at(slot) {
                self.look_again(cx, id);
            }
        }
    }

    /// A message is durable in the outbox, or could not be made so.
    fn saved(&mut self, cx: &mut Ctx<'_>, id: Id<Outgoing>, saved: bool) {
        let Some(message) = self.sending.messages.all.get_mut(id) else { return };
        let (peer, position) = (message.peer, message.position);
        match (message.stage, saved) {
            (Stage::Saving, true) => {
                message.news.accepted = true;
                self.sending.messages.tell(id);
                if self.sending.messages.takes_turn(cx, peer) {
                    self.sending.messages.set_stage(cx, id, Stage::Open);
                    if let Some(peer) = cx.peers.get_mut(peer) {
                        peer.conversation.window.loaded_upto(position);
                    }
                    self.sending.start(cx, id, peer);
                } else {
                    self.sending.messages.fall_behind(cx, id);
                }
            }
            (Stage::Saving, false) => {
                cx.news.tell(Event::StoreFailed);
                self.sending.done(cx, id, Verdict::Failed(Failure::Unsaved));
                self.sending.move_up(cx, peer);
            }
            // A verdict is durable before it is told: after a restart, none contradicts it.
            (Stage::Done(_), true) => {
                message.news.verdict = true;
                let given_up = message.stage.is_given_up();
                self.sending.messages.tell(id);
                if given_up {
                    // Those after it waited for its number, which is passed over now.
                    self.sending.deposit_again(cx, peer);
                    self.sending.move_up(cx, peer);
                } else if position.epoch < cx.server.epoch() {
                    // What was said since may have waited for that.
                    self.sending.pump(cx, peer);
                }
            }
            _ => {
                cx.store.outgoing_failed(&mut self.sending.messages.all, id);
                cx.store_failed();
            }
        }
    }

    /// A conversation's deadline is due.
    fn look_again(&mut self, cx: &mut Ctx<'_>, id: PeerId) {
        let unix = cx.unix();
        while let Some((first, message)) =
            self.sending.messages.of(cx, id).and_then(|line| line.first_where(Stage::is_unsaved))
        {
            let expired = unix.since(message.time) >= cx.config.expiry;
            if !expired || !may_expire(cx, message) {
                break;
            }
            self.sending.done(cx, first, Verdict::Expired);
            self.sending.move_up(cx, id);
        }
        if let Some(peer) = cx.peers.get(id)
            && let Some(message) = self.sending.messages.line(&peer.conversation).first_unsaved()
        {
            let waited = message.since.map(|since| cx.now.since(since));
            match (message.stage, peer.conversation.path) {
                _ if !cx.server.was_online() => {}
                (Stage::Open, Path::Direct) if waited.is_some_and(|w| w >= cx.config.receipt) => {
                    self.sending.switch(cx, id, SubmitReason::NoReceipt);
                }
                (Stage::Submitted, Path::Server)
                    if waited.is_some_and(|w| w >= AGAIN) && is_on_its_way(cx, message) =>
                {
                    self.sending.deposit_again(cx, id);
                }
                _ => {}
            }
        }
        self.sending.messages.rearm(cx, id);
    }
}

/// Why a text cannot be sent to anyone; which of its recipients there are is another matter.
pub(super) fn check(cx: &Ctx<'_>, to: &To, text: &str) -> Result<(), SendError> {
    if !cx.server.was_online() || cx.server.is_leaving() || cx.server.epoch().0 == 0 {
        return Err(SendError::Offline);
    }
    if *to == To::Peer(cx.config.nick) {
        return Err(SendError::Oneself);
    }
    if text.is_empty() {
        return Err(SendError::Empty);
    }
    let longest = cx.work.len().saturating_sub(record_bound(MAIL_OVERHEAD + BODY_HEADER));
    let limit = cx.config.text.min(cx.server.text_limit()).min(longest as u32);
    if text.len() > limit as usize {
        return Err(SendError::TooLong { limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{
        client::{
            fixture::{Fixture, ticket},
            saved::Saved,
        },
        id::{Nick, Position, PublicKey},
    };

    use super::*;

    const NOBODY: To = To::Lobby;

    #[test]
    fn that_a_message_is_stored_is_told_before_it_is_on_record() {
        let (mut fixture, mut state, mut heads) = (Fixture::new(), State::default(), Heads::NEW);
        let (mut cx, (messages, timers, _)) = fixture.parts();
        let mut outbox = Outbox::new(&mut state, &mut heads, messages, timers);
        let (id, row) = said(&mut cx, &mut outbox);
        let asked = ticket(outbox.request(&mut cx, row));
        outbox.stored(&mut cx, asked, true);
        let peer = cx.peers.by_name(&To::Peer(Nick::new("bob").unwrap())).unwrap();
        while outbox.next_event(&mut cx).is_some() {}
        outbox.sending.messages.set_stage(&mut cx, row, Stage::Submitted);
        let link = Id::from_parts(0, core::num::NonZeroU32::MIN);
        // The record of a new conversation was put.
        cx.peers.get_mut(peer).unwrap().saved = Saved::restore(2);
        outbox.stored_upto(&mut cx, peer, link, id.position);
        let is_owed = |cx: &Ctx<'_>| cx.peers.get(peer).unwrap().saved.is_owed();
        assert!(!is_owed(&cx), "after a crash now, nobody would say so");
        let told = outbox.next_event(&mut cx);
        let is_stored = |event: &Event| matches!(event, Event::Verdict { id: of, verdict: Verdict::Stored, .. } if *of == id);
        assert!(told.as_ref().is_some_and(is_stored), "{told:?}");
        assert!(is_owed(&cx));
    }

    /// Says something to a person who is offline; the message and its request.
    fn said(cx: &mut Ctx<'_>, outbox: &mut Outbox<'_>) -> (MessageId, Id<Outgoing>) {
        let bob = To::Peer(Nick::new("bob").unwrap());
        let id = match cx.peers.by_name(&bob) {
            Some(id) => id,
            None => cx.peers.add(PublicKey([2; 32]), bob).unwrap(),
        };
        let message = outbox.say(cx, id, "hi").unwrap();
        let all = &outbox.sending.messages;
        let (row, _) = all.of(cx, id).unwrap().find(message.position).unwrap();
        (message, row)
    }

    #[test]
    fn a_message_is_accepted_once_it_is_durable_and_numbered_for_ever() {
        let (mut fixture, mut state, mut heads) = (Fixture::new(), State::default(), Heads::NEW);
        let (mut cx, (messages, timers, _)) = fixture.parts();
        let mut outbox = Outbox::new(&mut state, &mut heads, messages, timers);
        let (first, row) = said(&mut cx, &mut outbox);
        assert_eq!(outbox.next_event(&mut cx), None, "not durable yet");
        let asked = ticket(outbox.request(&mut cx, row));
        outbox.stored(&mut cx, asked, true);
        let to = To::Peer(Nick::new("bob").unwrap());
        assert_eq!(outbox.next_event(&mut cx), Some(Event::Accepted { id: first, to }));
        assert_eq!(outbox.open_messages(&mut cx).unsaved, 1);
        let (second, _) = said(&mut cx, &mut outbox);
        assert!(second.position > first.position && first.position > Position::default());
    }

    #[test]
    fn a_message_that_the_store_did_not_take_failed_and_is_open_no_more() {
        let (mut fixture, mut state, mut heads) = (Fixture::new(), State::default(), Heads::NEW);
        let (mut cx, (messages, timers, _)) = fixture.parts();
        let mut outbox = Outbox::new(&mut state, &mut heads, messages, timers);
        let (id, row) = said(&mut cx, &mut outbox);
        let asked = ticket(outbox.request(&mut cx, row));
        outbox.stored(&mut cx, asked, false);
        let verdict = Verdict::Failed(Failure::Unsaved);
        let to = To::Peer(Nick::new("bob").unwrap());
        assert_eq!(cx.news.next_event(), Some(Event::StoreFailed));
        assert_eq!(outbox.next_event(&mut cx), Some(Event::Verdict { id, to, verdict }));
        assert_eq!(outbox.open_messages(&mut cx).unsaved, 0);
    }

    #[test]
    fn what_cannot_be_sent_is_refused_before_it_is_numbered() {
        let mut fixture = Fixture::new();
        let cx = fixture.cx();
        let me = To::Peer(cx.config.nick);
        assert_eq!(check(&cx, &me, "hi"), Err(SendError::Oneself));
        assert_eq!(check(&cx, &NOBODY, ""), Err(SendError::Empty));
        let long = "x".repeat(cx.work.len());
        assert!(matches!(check(&cx, &NOBODY, &long), Err(SendError::TooLong { .. })));
        assert_eq!(check(&cx, &NOBODY, "hi"), Ok(()));
    }
}
