//! The requests to the host's store: what is owed to it, in which order, and when it is asked
//! again for what it failed to do.

use core::time::Duration;

use crate::{
    host::{Ask, Ticket},
    storage::{Id, List, Slab},
    time::Instant,
};

use super::{
    inbox::message::{Asking as AskingIncoming, Incoming},
    outbox::message::{Asking as AskingOutgoing, Outgoing},
    roster::{
        id::PeerId,
        list::PeerList,
        peer::{Asking, Fetching},
        peers::Peers,
    },
};

/// How long to wait before the store is asked again for what it failed to do.
const RETRY: Duration = Duration::from_secs(1);

/// Whom a request is for: the part of a ticket that says which table its slot is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Asker {
    /// The client itself: its own record.
    Own = 1,
    /// A peer: the record of a conversation.
    Record,
    /// A peer: what is done goes from its outbox.
    Trim,
    /// A message of the user's.
    Outgoing,
    /// The durable state, at the start.
    Loading,
    /// A peer: its outbox is read on.
    Fetch,
    /// A message that came: whether the inbox has it.
    Look,
    /// A message that came, for the inbox.
    Incoming,
}

impl Asker {
    const ALL: [Self; 8] = [
        Self::Own,
        Self::Record,
        Self::Trim,
        Self::Outgoing,
        Self::Loading,
        Self::Fetch,
        Self::Look,
        Self::Incoming,
    ];

    /// Whom a ticket is for.
    pub(super) fn of(ticket: Ticket) -> Option<Self> {
        Self::ALL.into_iter().find(|asker| *asker as u8 == ticket.asker)
    }
}

/// What the store is to be asked for next, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The client's own record.
    Own,
    /// The record of a conversation, or a trim of its outbox.
    Peer(PeerId),
    /// A message of the user's, or what became of it.
    Outgoing(Id<Outgoing>),
    /// A message that came.
    Incoming(Id<Incoming>),
    /// An outbox is to be read on.
    Fetch,
    /// The durable state.
    Loading,
}

/// What is owed to the host's store. Whatever is, is in here: [`Self::next`] is the one place that
/// says whether the client owes it something.
#[derive(Debug)]
pub(super) struct Requests {
    serial: u32,
    own: Ask,
    /// The durable state is read on.
    loading: Ask,
    /// The store failed at these two.
    failed_own: bool,
    failed_loading: bool,
    /// The number of the next conversation's record.
    next_record: u64,
    peers: PeerList<Asking>,
    outgoing: List<Outgoing, AskingOutgoing>,
    incoming: List<Incoming, AskingIncoming>,
    /// Whose outbox is to be read on as soon as there is room.
    fetching: PeerList<Fetching>,
    /// What the store failed to take, in the order in which it was asked to; and what became of
    /// messages that it could not save.
    failed_incoming: List<Incoming, AskingIncoming>,
    failed_outgoing: List<Outgoing, AskingOutgoing>,
    /// The store is asked again then for whatever it failed to do.
    retry_at: Option<Instant>,
}

impl Requests {
    /// The durable state is to be read first.
    pub(super) fn new() -> Self {
        Self {
            serial: 0,
            own: Ask::Idle,
            loading: Ask::Owed,
            failed_own: false,
            failed_loading: false,
            next_record: 2,
            peers: PeerList::default(),
            outgoing: List::NEW,
            incoming: List::NEW,
            fetching: PeerList::default(),
            failed_incoming: List::NEW,
            failed_outgoing: List::NEW,
            retry_at: None,
        }
    }

    /// What the store is to be asked for next. `has_room`: there is room to read an outbox on.
    pub(super) fn next(&self, has_room: bool) -> Option<Wanted> {
        if self.own == Ask::Owed {
            return Some(Wanted::Own);
        }
        let peer = self.peers.front().map(Wanted::Peer);
        let outgoing = || self.outgoing.front().map(Wanted::Outgoing);
        let incoming = || self.incoming.front().map(Wanted::Incoming);
        let fetch = || (has_room && !self.fetching.is_empty()).then_some(Wanted::Fetch);
        let loading = || (self.loading == Ask::Owed).then_some(Wanted::Loading);
        peer.or_else(outgoing).or_else(incoming).or_else(fetch).or_else(loading)
    }

    /// When the store is asked again for what it failed to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.retry_at
    }

    /// The store failed at something, for which it is asked again in a while.
    pub(super) fn retry_later(&mut self, now: Instant) {
        self.retry_at.get_or_insert(now + RETRY);
    }

    /// The time has come to ask again for what the store failed to do: for the client's own record
    /// and the durable state at once, for the rest each component does.
    pub(super) fn is_retry_due(&mut self, now: Instant) -> bool {
        let is_due = self.retry_at.take_if(|at| *at <= now).is_some();
        if is_due && core::mem::take(&mut self.failed_own) {
            self.own = Ask::Owed;
        }
        if is_due && core::mem::take(&mut self.failed_loading) {
            self.loading = Ask::Owed;
        }
        is_due
    }

    /// A ticket for a request of whatever is in `slot`.
    pub(super) fn ticket(&mut self, asker: Asker, slot: u32) -> Ticket {
        self.serial = self.serial.wrapping_add(1);
        Ticket { asker: asker as u8, slot, serial: self.serial }
    }

    /// The client's own record is to be put.
    pub(super) fn owe_own(&mut self) {
        self.own = Ask::Owed;
    }

    /// A ticket to put the client's own record.
    pub(super) fn ask_own(&mut self) -> Ticket {
        let ticket = self.ticket(Asker::Own, 0);
        self.own = Ask::Asked(ticket.serial);
        ticket
    }

    /// The answer about the client's own record; `false` if none is waited for.
    pub(super) fn answer_own(&mut self, ticket: Ticket) -> bool {
        self.own.answer(ticket.serial)
    }

    /// The client's own record could not be put.
    pub(super) fn own_failed(&mut self) {
        self.failed_own = true;
    }

    /// The durable state could not be read on, or there was no room for it.
    pub(super) fn loading_failed(&mut self) {
        self.failed_loading = true;
    }

    /// The durable state is to be read on.
    pub(super) fn owe_loading(&mut self) {
        self.loading = Ask::Owed;
    }

    /// A ticket to read the durable state on.
    pub(super) fn ask_loading(&mut self) -> Ticket {
        let ticket = self.ticket(Asker::Loading, 0);
        self.loading = Ask::Asked(ticket.serial);
        ticket
    }

    /// The answer about the durable state; `false` if none is waited for.
    pub(super) fn answer_loading(&mut self, ticket: Ticket) -> bool {
        self.loading.answer(ticket.serial)
    }

    /// The store has a record of a conversation under this number.
    pub(super) fn pass_record(&mut self, number: u64) {
        self.next_record = self.next_record.max(number.saturating_add(1));
    }

    /// The number of a new conversation's record.
    pub(super) fn next_record(&mut self) -> u64 {
        let number = self.next_record;
        self.next_record = number.saturating_add(1);
        number
    }

    /// Something of a peer's is to be put or trimmed, as its row says.
    pub(super) fn owe_peer(&mut self, peers: &mut Peers<'_>, id: PeerId) {
        self.peers.push_back(peers, id);
    }

    /// Nothing more of the first peer's is owed.
    pub(super) fn peer_asked(&mut self, peers: &mut Peers<'_>) {
        self.peers.pop_front(peers);
    }

    /// A message of the user's, or what became of it, is to be put.
    pub(super) fn owe_outgoing(&mut self, all: &mut Slab<'_, Outgoing>, id: Id<Outgoing>) {
        self.outgoing.push_back(all, id);
    }

    /// The first of them is asked for.
    pub(super) fn outgoing_asked(&mut self, all: &mut Slab<'_, Outgoing>) {
        self.outgoing.pop_front(all);
    }

    /// What became of a message could not be put.
    pub(super) fn outgoing_failed(&mut self, all: &mut Slab<'_, Outgoing>, id: Id<Outgoing>) {
        self.failed_outgoing.push_back(all, id);
    }

    /// The next message whose outcome is to be put again.
    pub(super) fn next_failed_outgoing(
        &mut self,
        all: &mut Slab<'_, Outgoing>,
    ) -> Option<Id<Outgoing>> {
        self.failed_outgoing.pop_front(all)
    }

    /// A message is to be put into the inbox, or looked for there.
    pub(super) fn owe_incoming(&mut self, all: &mut Slab<'_, Incoming>, id: Id<Incoming>) {
        self.incoming.push_back(all, id);
    }

    /// The first of them is asked for.
    pub(super) fn incoming_asked(&mut self, all: &mut Slab<'_, Incoming>) {
        self.incoming.pop_front(all);
    }

    /// The first that was owed is not to be asked for now.
    pub(super) fn withdraw_incoming(
        &mut self,
        all: &mut Slab<'_, Incoming>,
    ) -> Option<Id<Incoming>> {
        self.incoming.pop_front(all)
    }

    /// A message could not be put into the inbox, or looked for there.
    pub(super) fn incoming_failed(&mut self, all: &mut Slab<'_, Incoming>, id: Id<Incoming>) {
        self.failed_incoming.push_back(all, id);
    }

    /// The first message that failed: what is behind it waits for it.
    pub(super) fn first_failed_incoming(&self) -> Option<Id<Incoming>> {
        self.failed_incoming.front()
    }

    /// A message that failed is asked for again.
    pub(super) fn retry_incoming(&mut self, all: &mut Slab<'_, Incoming>, id: Id<Incoming>) {
        self.failed_incoming.remove(all, id);
        self.incoming.push_back(all, id);
    }

    /// An outbox is to be read on as soon as there is room.
    pub(super) fn owe_fetch(&mut self, peers: &mut Peers<'_>, id: PeerId) {
        self.fetching.push_back(peers, id);
    }

    /// The next outbox to be read on.
    pub(super) fn next_fetch(&mut self, peers: &mut Peers<'_>) -> Option<PeerId> {
        self.fetching.pop_front(peers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_finds_who_asked() {
        let mut store = Requests::new();
        for asker in Asker::ALL {
            assert_eq!(Asker::of(store.ticket(asker, 3)), Some(asker));
        }
    }

    #[test]
    fn what_failed_is_owed_again_after_a_while_and_once() {
        let (mut store, now) = (Requests::new(), Instant::from_micros(0));
        let ticket = store.ask_loading();
        assert_eq!(store.next(true), None);
        assert!(store.answer_loading(ticket) && !store.answer_loading(ticket));
        store.loading_failed();
        store.retry_later(now);
        store.retry_later(now + RETRY);
        assert_eq!((store.next(true), store.deadline()), (None, Some(now + RETRY)));
        assert!(!store.is_retry_due(now) && store.is_retry_due(now + RETRY));
        assert_eq!((store.next(true), store.deadline()), (Some(Wanted::Loading), None));
        store.owe_own();
        assert_eq!(store.next(true), Some(Wanted::Own), "its own record goes first");
    }
}
