//! What a role owes the outside.

use core::net::SocketAddr;

use super::{Log, Ticket};

/// Something owed to the outside, with the bytes that go with it. They are lent until the next
/// call of the role.
///
/// Exhaustive on purpose: an action that a host does not know would be lost.
#[derive(Debug)]
pub enum Action<'b, E> {
    /// Send a datagram.
    Send {
        /// To whom.
        to: SocketAddr,
        /// The UDP payload, at the front of the scratch that was passed in.
        datagram: &'b [u8],
    },
    /// Put a record, and answer with `handle_stored` when it is durable.
    Put {
        /// Names the request in the answer.
        ticket: Ticket,
        /// The log.
        log: Log,
        /// The record's number in it.
        number: u64,
        /// The record.
        record: &'b [u8],
    },
    /// Forget the oldest records of a log, and answer with `handle_stored` when that is durable.
    Trim {
        /// Names the request in the answer.
        ticket: Ticket,
        /// The log.
        log: Log,
        /// The last record to forget.
        upto: u64,
    },
    /// Read records in order, and answer with `handle_read`. What was put before is seen.
    Read {
        /// Names the request in the answer.
        ticket: Ticket,
        /// The log.
        log: Log,
        /// The least number wanted.
        from: u64,
        /// How many records are of use at most; fewer are no error.
        most: usize,
    },
    /// Check a password, off the event loop, and answer with `handle_checked`. Only a
    /// server asks this.
    CheckPassword {
        /// Names the request in the answer.
        ticket: Ticket,
        /// The password, to be wiped once it is judged.
        password: &'b [u8],
        /// The hash that it is to have; `None` if it has none yet and is to be hashed.
        hash: Option<&'b [u8]>,
    },
    /// Something happened that the host's user may want to know.
    Event {
        /// What.
        event: E,
        /// The text that goes with it, as it came: nothing about it is safe to show as it is.
        /// Empty for events without one.
        text: &'b [u8],
    },
}

/// The answer to a `CheckPassword`. Exhaustive on purpose, for a host that passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordOutcome<'a> {
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

/// What a role wants of its host. A record to put is at the front of the role's working memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request {
    Put { ticket: Ticket, log: Log, number: u64, length: usize },
    Trim { ticket: Ticket, log: Log, upto: u64 },
    Read { ticket: Ticket, log: Log, from: u64, most: usize },
    CheckPassword { ticket: Ticket },
}

/// An [`Action`] whose bytes are still where the role wrote them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Owed<E> {
    Request(Request),
    /// With so many bytes of text at the front of the role's working memory.
    Event {
        event: E,
        length: usize,
    },
    /// So many bytes at the front of the scratch.
    Send {
        to: SocketAddr,
        length: usize,
    },
}

/// A password and the hash that it is to have, if there is one.
pub(crate) type Secrets<'b> = (&'b [u8], Option<&'b [u8]>);

impl<E> Owed<E> {
    /// With the bytes, from where they are.
    pub(crate) fn lend<'b>(
        self,
        work: &'b [u8],
        scratch: &'b [u8],
        (password, hash): Secrets<'b>,
    ) -> Action<'b, E> {
        let front = |bytes: &'b [u8], length| bytes.get(..length).unwrap_or_default();
        match self {
            Self::Request(Request::Put { ticket, log, number, length }) => {
                Action::Put { ticket, log, number, record: front(work, length) }
            }
            Self::Request(Request::Trim { ticket, log, upto }) => {
                Action::Trim { ticket, log, upto }
            }
            Self::Request(Request::Read { ticket, log, from, most }) => {
                Action::Read { ticket, log, from, most }
            }
            Self::Request(Request::CheckPassword { ticket }) => {
                Action::CheckPassword { ticket, password, hash }
            }
            Self::Event { event, length } => Action::Event { event, text: front(work, length) },
            Self::Send { to, length } => Action::Send { to, datagram: front(scratch, length) },
        }
    }
}
