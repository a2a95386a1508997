//! What people look at: accounts, and how full the tables are.

use core::net::SocketAddr;

use crate::{
    id::{Account, Nick, PublicKey, RoomName},
    record::Access,
    time::UnixTime,
    wire::Presence,
};

/// An account as people see it.
#[derive(Clone, Copy, Debug)]
pub struct AccountView {
    /// Its number.
    pub account: Account,
    /// Its nick.
    pub nick: Nick,
    /// The key that holds it.
    pub key: PublicKey,
    /// Whether its holder is online.
    pub presence: Presence,
    /// Where its holder is, if online.
    pub address: Option<SocketAddr>,
    /// When its holder was last online in this run of the server; 0 for never.
    pub seen: UnixTime,
    /// How else than by its key it is to be had.
    pub access: Access,
    /// Its nick and its key are refused.
    pub banned: bool,
}

/// How full the tables are: what is used, and what there is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Usage {
    /// Accounts.
    pub accounts: (usize, usize),
    /// Messages in memory.
    pub entries: (usize, usize),
    /// Blocks of 256 bytes of message bodies.
    pub blocks: (usize, usize),
    /// Of the messages, those of rooms that are saved and give way to others, and their blocks.
    pub recent: (usize, usize),
    /// Pairs of people, or of people and rooms, with messages under way.
    pub pairs: (usize, usize),
    /// Rooms, the lobby among them.
    pub rooms: (usize, usize),
    /// Places of accounts in rooms.
    pub members: (usize, usize),
}

/// A room, for people to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomView {
    /// Its name.
    pub name: RoomName,
    /// Who created it, if their account is still there.
    pub creator: Option<Nick>,
    /// How many members it has.
    pub members: u32,
    /// Only those who are invited may become members.
    pub invite_only: bool,
}
