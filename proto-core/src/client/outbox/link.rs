//! What the outbox keeps in a link.

use crate::storage::List;

use super::message::{Outgoing, Sending};
use crate::client::roster::{list::PeerList, peer::Querying};

/// What is to be sent through a link of what the user said.
#[derive(Debug, Default)]
pub(in crate::client) struct OutboxLink {
    /// Messages with pieces to send.
    pub(super) sending: List<Outgoing, Sending>,
    /// Peers to ask the server about.
    pub(super) status_queries: PeerList<Querying>,
}
