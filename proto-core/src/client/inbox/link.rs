//! What the inbox keeps in a link.

use crate::{
    client::roster::id::PeerId,
    id::{Account, PublicKey},
    storage::List,
};

use super::message::{Acking, Chained, Incoming};

/// What came through a link, and what is to be said of it there.
#[derive(Debug, Default)]
pub(in crate::client) struct InboxLink {
    /// The peer is to be told how far its messages are in the inbox.
    pub(super) receipt: bool,
    /// Mail to acknowledge, mail whose acknowledgement is under way, and mail whose
    /// acknowledgement arrived.
    pub(super) acks: List<Incoming, Acking>,
    pub(super) acking: List<Incoming, Acking>,
    pub(super) acked: List<Incoming, Acking>,
    /// Mail that waits for what comes before it, and the last that did not have to.
    pub(super) mail: List<Incoming, Chained>,
    pub(super) last_mail: u64,
    /// Who wrote mail under a key that is not the account's any more: the server says it ahead
    /// of the mail.
    pub(super) former: Option<(Account, PublicKey, PeerId)>,
}
