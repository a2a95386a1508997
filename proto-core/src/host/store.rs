//! The durable store, as the core sees it.

use core::fmt;

use crate::id::{Account, PublicKey, Room};

/// Names a log.
///
/// A store is a set of logs of numbered records, with three operations:
///
/// - *put* a record under a number. Putting the same number again replaces it, so a repeated
///   request does no harm;
/// - *trim* every record up to and including a number;
/// - *read* the first records at or after a number.
///
/// A log remembers the **last** number that was ever put, also when every record is trimmed.
/// Requests become durable in the order in which they were made: when one is durable, so are all
/// before it. When one fails, so does every put and trim made before the role was told.
///
/// Exhaustive on purpose, for a store that has a table for each kind of log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Log {
    /// A server's accounts, by account number.
    Accounts,
    /// A server's mail for one account, by place in the mailbox.
    Mailbox(Account),
    /// How far each recipient has one author's submissions, by the recipient's account number;
    /// above those, how far each room has them.
    Pairs(Account),
    /// A server's rooms, by room number.
    Rooms,
    /// The members of a room, by account number.
    Members(Room),
    /// What was said in a room.
    Room(Room),
    /// A client's conversations, in the order in which they began.
    Conversations,
    /// What a client's user said to one recipient, or in one room.
    Outbox(PublicKey),
    /// What one author said to a client's user, or anyone in one room.
    Inbox(PublicKey),
    /// The hashes of a server's passwords, by account number.
    Passwords,
}

impl Log {
    /// Bytes of [`Self::to_bytes`].
    pub const LENGTH: usize = 33;

    /// The log's name as bytes, to key a store by: different logs differ. A
    /// store that outlives this version relies on it.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let (kind, owner) = match self {
            Self::Accounts => (0, [0; 32]),
            Self::Mailbox(account) => (1, widen(account.0)),
            Self::Pairs(author) => (2, widen(author.0)),
            Self::Conversations => (3, [0; 32]),
            Self::Outbox(recipient) => (4, recipient.0),
            Self::Inbox(author) => (5, author.0),
            Self::Rooms => (6, [0; 32]),
            Self::Members(room) => (7, widen(room.0)),
            Self::Room(room) => (8, widen(room.0)),
            Self::Passwords => (9, [0; 32]),
        };
        let mut bytes = [kind; Self::LENGTH];
        if let Some((_, rest)) = bytes.split_first_mut() {
            rest.copy_from_slice(&owner);
        }
        bytes
    }
}

fn widen(number: u32) -> [u8; 32] {
    let mut owner = [0; 32];
    if let Some((front, _)) = owner.split_first_chunk_mut() {
        *front = number.to_be_bytes();
    }
    owner
}

/// The answer to a `Read`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Records<'a> {
    /// The first records at or after the number asked for, in order, each with its number. An
    /// empty list says that there is none.
    pub records: &'a [(u64, &'a [u8])],
    /// The highest number ever put into the log, 0 for an untouched one.
    pub last: u64,
}

impl<'a> Records<'a> {
    /// An answer to what was asked: in order, none before `from`, and no number that nothing can
    /// follow, which no role ever puts. `None` from a store that is damaged.
    pub(crate) fn checked(self, from: u64) -> Option<Self> {
        let mut least = Some(from);
        for (number, _) in self.records {
            least = least.filter(|least| number >= least).and_then(|_| number.checked_add(1));
        }
        (least.is_some() && self.last < u64::MAX).then_some(self)
    }

    /// The first record.
    pub(crate) fn first(&self) -> Option<(u64, &'a [u8])> {
        self.records.first().copied()
    }

    /// The first record, if it has the number.
    pub(crate) fn at(&self, number: u64) -> Option<&'a [u8]> {
        self.first().filter(|(found, _)| *found == number).map(|(_, record)| record)
    }
}

/// The host could not do what was asked: a full disk, a failing device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreError;

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store failed")
    }
}

impl core::error::Error for StoreError {}
