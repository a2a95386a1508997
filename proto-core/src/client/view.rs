//! What a client shows of itself, by value.

use core::net::SocketAddr;

use crate::{
    id::{Nick, PublicKey},
    time::UnixTime,
    wire::{MAX_AWAY, Presence},
};

use super::event::To;

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Reading its durable state.
    Loading,
    /// Not registered, and not trying to be: nothing is sent, nothing comes.
    Offline,
    /// Trying to register.
    Registering,
    /// Registered.
    Online,
    /// Submitting what is open, then going offline.
    Leaving,
}

/// Someone on the roster.
#[derive(Clone, Debug)]
pub struct PeerView {
    /// The nick.
    pub nick: Nick,
    /// The key that holds it.
    pub key: PublicKey,
    /// The key is the one that is known for the nick; else it is a stranger's.
    pub known: bool,
    /// The user verified it.
    pub verified: bool,
    /// What the conversation's logs are named by: the key that held it when it was met.
    pub log: PublicKey,
    /// Whether its holder is online, as far as the server knows.
    pub presence: Presence,
    /// Where to reach its holder directly, if known.
    pub address: Option<SocketAddr>,
    /// When its holder was last online, by the server's clock; 0 for not since the server
    /// was started.
    pub seen: UnixTime,
    /// What an online holder says of being away; empty for one who is there.
    pub away: heapless::String<MAX_AWAY>,
}

/// A room that a client is a member of.
#[derive(Clone, Copy, Debug)]
pub struct RoomView {
    /// The room.
    pub room: To,
    /// What stands for its key: its log in the store is `Log::Inbox` of it.
    pub key: PublicKey,
}

/// Messages that are not settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenMessages {
    /// How many are neither delivered nor refused nor expired, and not saved by the server either.
    pub unsaved: usize,
    /// This server may yet save some of those: not if it is known to know none of their recipients,
    /// as another server than the one that they were met at.
    pub may_be_saved: bool,
    /// The server has saved others, which wait there for their recipients.
    pub stored: bool,
}

/// How full the tables are: what is used, and what there is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Usage {
    /// Messages of the user's own in memory.
    pub outgoing: (usize, usize),
    /// Messages that came, in memory.
    pub incoming: (usize, usize),
    /// Blocks of 256 bytes of message bodies.
    pub blocks: (usize, usize),
}
