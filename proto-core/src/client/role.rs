//! What a client uses links for.

use crate::link::Link;

/// A client's use of links. What is kept for each, and noted of each packet, is in
/// [`Contact`](super::contact::Contact) and [`SentFrame`](super::sent::SentFrame).
#[derive(Debug)]
pub struct ClientRole;

/// A link as a client keeps it.
pub type ClientLink = Link<ClientRole>;
