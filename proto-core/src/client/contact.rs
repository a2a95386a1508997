//! What a client keeps for each link, to its server or to a peer.

use crate::link::Role;

use super::{
    inbox::link::InboxLink, outbox::link::OutboxLink, role::ClientRole, rooms::link::RoomsLink,
    roster::id::PeerId, sent::SentFrame, session::link::SessionLink,
};

impl Role for ClientRole {
    type Token = SentFrame;
    type State = Contact;
}

/// The other end of a link: who that is, and what each component keeps for it.
#[derive(Debug, Default)]
pub struct Contact {
    peer: Option<PeerId>,
    pub(super) session: SessionLink,
    pub(super) outbox: OutboxLink,
    pub(super) inbox: InboxLink,
    pub(super) rooms: RoomsLink,
}

impl Contact {
    /// The peer; none for the server.
    pub(super) fn peer(&self) -> Option<PeerId> {
        self.peer
    }

    /// The link leads to a peer.
    pub(super) fn meet(&mut self, peer: PeerId) {
        self.peer = Some(peer);
    }
}
