//! What a server tells its host's user.

use core::net::SocketAddr;

use crate::id::{Account, Nick, RoomName};

/// Something that happened at a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The accounts were read: clients are answered from now on.
    Ready,
    /// A client registered its nick.
    Registered {
        /// Its account.
        account: Account,
        /// The nick.
        nick: Nick,
        /// From where.
        address: SocketAddr,
        /// The nick was its key's before.
        returning: bool,
    },
    /// A client went offline by its own will.
    Deregistered {
        /// Its account.
        account: Account,
        /// The nick.
        nick: Nick,
        /// From where.
        address: SocketAddr,
    },
    /// A client is offline since its link fell silent, or another took its place.
    Lost {
        /// Its account.
        account: Account,
        /// The nick.
        nick: Nick,
    },
    /// A client created a room.
    RoomCreated {
        /// The room's name.
        room: RoomName,
        /// The client's account.
        by: Account,
    },
    /// The store failed at something. What depended on it was refused.
    StoreFailed,
    /// A record in the store is damaged, and was passed over.
    Damaged,
}
