//! How far a client's last request about rooms is.

use crate::{
    id::{Account, Room},
    storage::Id,
    wire::RoomResponse,
};

use super::{member::Member, row::RoomRow};

/// A session's part that is about what its client wants of rooms.
#[derive(Debug, Default)]
pub(crate) struct Requester {
    pub(super) reply: Reply,
    pub(super) owed: bool,
    /// The packet that brought the last request. What an earlier one says is no longer so.
    pub(super) last: u64,
}

impl Requester {
    /// What stays with the link when its client is someone no longer.
    pub(crate) fn keep_order(&self) -> Self {
        Self { last: self.last, ..Self::default() }
    }

    /// The answer was lost.
    pub(crate) fn reply_lost(&mut self) {
        self.owed = true;
    }
}

/// What a client is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reply {
    /// It asked for nothing.
    #[default]
    None,
    /// The store is asked about this.
    Waiting { serial: u64, about: About },
    /// This is what came of it.
    Done(RoomResponse),
    /// It asked for names.
    Names { serial: u64, of: Listed },
}

/// What the store is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Room(Id<RoomRow>),
    Place(Id<Member>),
}

/// Names that can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    /// Those of rooms, from this one on.
    Rooms { from: Room },
    /// Those of a room's members, from this account on.
    Members { of: Id<RoomRow>, from: Account },
}

impl Reply {
    pub(super) fn serial(self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Waiting { serial, .. } | Self::Names { serial, .. } => Some(serial),
            Self::Done(outcome) => Some(outcome.serial),
        }
    }
}
