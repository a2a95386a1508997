//! What the core asks of its host.
//!
//! A store is a set of **logs** of numbered records, with three operations:
//!
//! - *put* a record under a number. Putting the same number again replaces it,
//!   so a repeated request does no harm.
//! - *read* the first record at or after a number.
//! - *forget* every record up to and including a number.
//!
//! A log remembers its **head**, the highest number ever put, also when every
//! record is forgotten. Requests become durable in the order in which they were
//! made: when one is durable, so are all before it.

use core::{fmt, net::SocketAddr};

use crate::id::{Account, PublicKey, Room};

/// Something owed to the outside. Only a `Send` borrows the caller's scratch;
/// the bytes of the others are lent by the drain that gave them.
#[derive(Debug)]
pub enum Action<'b, E> {
    /// Send a datagram.
    Send {
        /// To whom.
        to: SocketAddr,
        /// The UDP payload, in the scratch that was passed in.
        datagram: &'b [u8],
    },
    /// Put a record, whose bytes the drain's `record` lends until its next call, and answer with `handle_stored`
    /// when it is durable.
    Put {
        /// Names the request in the answer.
        ticket: Ticket,
        /// The log.
        log: Log,
        /// The record's number in it.
        number: u64,
    },
    /// Forget records and answer with `handle_stored` when that is durable.
    Forget {
        /// Names the request in the answer.
        ticket: Ticket,
        /// The log.
        log: Log,
        /// The last record to forget.
        upto: u64,
    },
    /// Read a record and answer with `handle_loaded`.
    Load {
        /// Names the request in the answer.
        ticket: Ticket,
        /// The log.
        log: Log,
        /// The least number wanted.
        from: u64,
    },
    /// Judge a password, off the event loop, and answer with `handle_authenticated`. The
    /// drain's `password` and `hash` lend both until its next call. Only a server asks this.
    Authenticate {
        /// Names the request in the answer.
        ticket: Ticket,
    },
    /// Something happened that the host's user may want to know.
    Event(E),
}

/// Names one request to the host. An answer with a ticket that is no longer
/// waited for is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Which table of the role the asker is in, and where.
    pub(crate) asker: u8,
    pub(crate) slot: u32,
    /// Which of its requests this is.
    pub(crate) serial: u32,
}

/// Where something that asks the host stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ask {
    /// It wants nothing.
    #[default]
    Idle,
    /// It is to be asked for.
    Owed,
    /// It was asked for under this serial number.
    Asked(u32),
}

impl Ask {
    /// Takes the answer with this serial number; `false` if none is waited for.
    pub(crate) fn answer(&mut self, serial: u32) -> bool {
        let waited = *self == Self::Asked(serial);
        if waited {
            *self = Self::Idle;
        }
        waited
    }
}

/// Names a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Log {
    /// A server's accounts, by account number.
    Accounts,
    /// A server's mail for one account, by place in the mailbox.
    Mailbox(Account),
    /// How far each recipient has one author's deposits, by the recipient's account number;
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

/// The answer to a `Load`.
#[derive(Clone, Copy, Debug)]
pub struct Loaded<'a> {
    /// The first record at or after the number asked for, with its number.
    pub record: Option<(u64, &'a [u8])>,
    /// The highest number ever put into the log, 0 for an untouched one.
    pub head: u64,
}

impl Loaded<'_> {
    /// An answer to what was asked: a record that is not before `from`, and no number that
    /// nothing can follow, which no role ever puts. `None` from a store that is damaged.
    pub(crate) fn checked(self, from: u64) -> Option<Self> {
        let record = self.record.map_or(from, |(number, _)| number);
        (record >= from && record < u64::MAX && self.head < u64::MAX).then_some(self)
    }
}

/// The host could not do what was asked: a full disk, a failing device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreError;

/// The answer to an `Authenticate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement<'a> {
    /// The password has the hash.
    Right,
    /// There was no hash: this is the password's, [`MAX_HASH`] bytes at most.
    Hashed(&'a [u8]),
    /// The password has another hash.
    Wrong,
    /// The host has too much to judge already.
    Busy,
    /// The host cannot judge it: the hash is damaged, say.
    Failed,
}

/// The longest hash of a password, in bytes: room for Argon2's usual text form.
pub const MAX_HASH: usize = 128;

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the store failed")
    }
}

impl core::error::Error for StoreError {}
