//! The records that roles put into their stores, read by an outsider: the laws
//! judge by what is durable, not by what a role believes.

use proto_core::{
    Received,
    id::{Account, Epoch, Incarnation, Nick, Number, Position, PublicKey, RoomName},
    record::{Access, AccountState},
    time::UnixTime,
};
use serde::Deserialize;

/// The schema that is read here.
const SCHEMA: u8 = 1;

/// Bytes of the checksum behind a record.
const CHECKSUM: usize = 4;

/// A server's record of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct AccountRecord {
    /// Who holds it.
    pub key: PublicKey,
    /// The nick.
    pub nick: Nick,
    /// Its epoch.
    pub epoch: Epoch,
    /// Its client's run, which the epoch belongs to.
    pub run: Incarnation,
    /// The last entry of the lobby before it.
    pub since: u64,
    /// Whether it has a password.
    pub access: Access,
    /// Whether it is banned.
    pub state: AccountState,
    /// How many keys it had before this one.
    pub key_number: u32,
}

/// A server's record of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct RoomRecord {
    /// Its name.
    pub name: RoomName,
    /// Who created it.
    pub creator: Account,
    /// With which command.
    pub serial: u64,
    /// It has given way to another, or was deleted.
    pub removed: bool,
    /// Only those who are invited may become members.
    pub invite_only: bool,
}

/// A room's record of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct MemberRecord {
    /// The last entry before it joined.
    pub since: u64,
    /// What it is.
    pub standing: Standing,
}

/// What an account is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Standing {
    /// Nothing.
    Nobody,
    /// A member.
    Member,
    /// It may become a member.
    Invited,
    /// It must not become one.
    Barred,
}

/// The header of an entry of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct EntryRecord {
    /// Its author.
    pub from: Account,
    /// The author's nick.
    pub nick: Nick,
    /// The author's epoch.
    pub epoch: Epoch,
    /// The message's number.
    pub number: Number,
    /// When the server took it.
    pub received: UnixTime,
    /// Bytes of all bodies before it.
    pub bytes: u64,
    /// The run of the server that appended it.
    pub run: Incarnation,
    /// The run that appended the one before it, if that is another.
    pub previous: Option<Incarnation>,
}

impl EntryRecord {
    /// The message's place in its author's outbox.
    pub fn position(&self) -> u64 {
        Position::new(self.epoch, self.number).to_record_number()
    }
}

/// The header of mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct MailRecord {
    /// Its author.
    pub from: Account,
    /// The author's epoch.
    pub epoch: Epoch,
    /// The message's number.
    pub number: Number,
    /// When the server took it.
    pub received: UnixTime,
    /// The key that its author sealed it with.
    pub author: PublicKey,
    /// The author's nick.
    pub nick: Nick,
    /// The number of the key that it is sealed to.
    pub key: u32,
}

impl MailRecord {
    /// The message's place in its author's outbox.
    pub fn position(&self) -> u64 {
        Position::new(self.epoch, self.number).to_record_number()
    }
}

/// How far a recipient has an author's messages by way of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct PairRecord {
    /// The number of the recipient's key that `stored` is about.
    pub key: u32,
    /// All up to here are durable at the server.
    pub stored: Position,
    /// Handed over up to here.
    pub delivered: Position,
    /// What the recipient has, by its word.
    pub received: Received,
}

/// The header of a message in an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct OutboxRecord {
    /// It was refused or expired.
    pub given_up: bool,
}

/// The header of a message in an inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct InboxRecord {
    /// It came by way of the server.
    pub by_server: bool,
}

/// Reads a record's header; what is left of it is the body.
pub fn read<'a, H: Deserialize<'a>>(record: &'a [u8]) -> Option<(H, &'a [u8])> {
    let (schema, rest) = record.split_first()?;
    let content = rest.get(..rest.len().checked_sub(CHECKSUM)?)?;
    if *schema != SCHEMA {
        return None;
    }
    postcard::take_from_bytes(content).ok()
}

/// The text of a message's body: what follows the author's time.
pub fn text(body: &[u8]) -> Option<&[u8]> {
    body.get(8..)
}
