//! What every component of the client may use.

use crate::{
    id::PublicKey,
    link::Links,
    storage::{Id, Pool},
    time::{Instant, UnixTime, WallClock},
    wire::MAX_BODY,
};

use super::{
    config::Config,
    contact::Contact,
    event::Event,
    news::News,
    requests::Requests,
    role::{ClientLink, ClientRole},
    roster::{id::PeerId, peers::Peers},
    session::standing::Standing,
};

/// What every component may use beside its own state: lent memory, the links, the time, where the
/// client stands with its server, and the two queues for its host. The parts of a row, and of
/// what is kept for a link, can be written by the component only that they belong to.
pub(super) struct Ctx<'a> {
    pub(super) config: &'a mut Config,
    pub(super) now: Instant,
    pub(super) clock: WallClock,
    pub(super) boot: u64,
    pub(super) links: Links<'a, ClientRole>,
    pub(super) peers: Peers<'a>,
    /// The bodies of messages.
    pub(super) bodies: Pool<'a>,
    /// Room for one record.
    pub(super) work: &'a mut [u8],
    pub(super) server: &'a mut Standing,
    pub(super) news: &'a mut News,
    pub(super) store: &'a mut Requests,
}

impl Ctx<'_> {
    /// The time by the wall clock.
    pub(super) fn unix(&self) -> UnixTime {
        self.clock.unix(self.now)
    }

    /// The client's own key.
    pub(super) fn public_key(&self) -> PublicKey {
        self.links.identity().public()
    }

    /// The longest body that may come: what was granted, and can be saved.
    pub(super) fn longest_body(&self) -> usize {
        MAX_BODY.min(self.config.credit as usize)
    }

    /// What is kept for a link that both sides use.
    pub(super) fn contact(&mut self, link: Id<ClientLink>) -> Option<&mut Contact> {
        self.links.get_mut(link).filter(|link| link.is_live()).map(|link| &mut link.role)
    }

    /// The peer that a link leads to; none for the server.
    pub(super) fn peer_of(&self, link: Id<ClientLink>) -> Option<PeerId> {
        self.links.get(link)?.role.peer()
    }

    /// The server owes an answer from now on.
    pub(super) fn expect_answer(&mut self) {
        self.server.expect_answer(self.now, self.config.patience);
    }

    /// The server is to be asked for what the client wants now: to be online or offline.
    pub(super) fn ask_server(&mut self) {
        let Some(link) = self.server.link() else { return };
        if let Some(contact) = self.contact(link) {
            contact.session.owe_request();
            self.links.wake(link);
        }
    }

    /// The store failed at something, for which it is asked again in a while.
    pub(super) fn store_failed(&mut self) {
        self.news.tell(Event::StoreFailed);
        self.store.retry_later(self.now);
    }

    /// Makes a place in a full table of people and rooms, if a stranger can give way.
    pub(super) fn make_place(&mut self) {
        if self.peers.is_full() && self.peers.dismiss_stranger(&mut self.bodies) {
            self.news.tell(Event::RosterChanged);
        }
    }

    /// A conversation is known from now on, also after a restart.
    pub(super) fn begin_record(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        if peer.saved.number().is_none() {
            peer.saved.begin(self.store.next_record());
            self.save_record(id);
        }
    }

    /// The record of a conversation, if it has one, is to be put again.
    pub(super) fn save_record(&mut self, id: PeerId) {
        if self.peers.get_mut(id).is_some_and(|peer| peer.saved.owe()) {
            self.store.owe_peer(&mut self.peers, id);
        }
    }

    /// The record of a conversation is put again if the store failed at that.
    pub(super) fn save_record_again(&mut self, id: PeerId) {
        if self.peers.get_mut(id).is_some_and(|peer| peer.saved.take_failed()) {
            self.save_record(id);
        }
    }
}
