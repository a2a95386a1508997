//! What a server tells its host's user, and what its operator can have done.

use core::{fmt, net::SocketAddr};

use crate::id::{Account, Nick, Room, RoomName};
use crate::violation::Violation;

/// Something that happened at a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The accounts were read: clients are answered from now on.
    Ready,
    /// A client broke a rule of the protocol, and its session is over.
    Violation {
        /// Its nick, if it has registered.
        nick: Option<Nick>,
        /// From where.
        address: SocketAddr,
        /// Which rule.
        rule: Violation,
    },
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
    /// What the operator wanted done to a room is durable, or could not be made so.
    RoomOperated {
        /// The room's name.
        room: RoomName,
        /// It is done.
        done: bool,
    },
    /// What the operator wanted done to an account is durable, or could not be made so.
    Operated {
        /// The account's nick.
        nick: Nick,
        /// What was wanted.
        operation: Operation,
        /// It is done.
        done: bool,
    },
    /// Clients know more than the store: it was put back, begun anew, or another server ran with
    /// this identity. It is told once.
    PutBack,
    /// The store failed at something. What depended on it was refused.
    StoreFailed,
    /// A record in the store is damaged, and was passed over.
    Damaged,
    /// An entry of a room is damaged in the store: a member that reads it is told so.
    EntryDamaged {
        /// The room.
        room: Room,
        /// Its name; none for the lobby.
        name: Option<RoomName>,
        /// The entry's place in the room's log.
        index: u64,
    },
}

impl Event {
    /// Its host waits for it, or it comes once: it does not give way to others.
    pub(super) fn is_awaited(&self) -> bool {
        matches!(
            self,
            Self::Ready | Self::Operated { .. } | Self::RoomOperated { .. } | Self::PutBack
        )
    }
}

/// Something that an operator does to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The server forgets its password: the next login sets it, with whatever key.
    Reset,
    /// It is gone, and its mail with it. Its nick is free, and so is its key.
    Remove,
    /// Its nick and its key are refused from now on, and its session is closed.
    Ban,
    /// They are refused no longer.
    Unban,
}

/// Something that an operator does to a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomOperation {
    /// Someone is put out of it, and kept out.
    Kick(Nick),
    /// It is gone, and what was said in it.
    Delete,
}

impl Operation {
    /// It ends the session of the account's holder.
    pub(super) fn expels(self) -> bool {
        matches!(self, Self::Ban | Self::Remove)
    }
}

/// Why nothing is done to an account or a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OperateError {
    /// Nobody has that nick.
    Unknown,
    /// No room has that name.
    UnknownRoom,
    /// The accounts are still being read.
    Starting,
    /// Something else is being done to an account.
    Busy,
}

impl fmt::Display for OperateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "nobody has that nick",
            Self::UnknownRoom => "no room has that name",
            Self::Starting => "the server is still reading its accounts; try again in a moment",
            Self::Busy => "the server is busy with an account; try again in a moment",
        })
    }
}

impl core::error::Error for OperateError {}
