//! What the rooms keep in the link to the server.

use crate::client::roster::{list::PeerList, peer::Reading};

/// What the server is to be told of rooms, and of the user.
#[derive(Debug, Default)]
pub(in crate::client) struct RoomsLink {
    /// Rooms of which the server is to be told how far they are in the inbox.
    pub(super) reads: PeerList<Reading>,
    /// What is asked of its rooms.
    pub(super) command: bool,
    /// That the user is away, or back.
    pub(super) away: bool,
}
