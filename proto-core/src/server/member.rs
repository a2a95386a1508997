//! What the server keeps for each link.

use crate::{
    host::Ask,
    id::Account,
    link::{Link, Role, Run},
    storage::{Id, Linked, List, Node},
    wire::{PasswordWanted, RegisterRefusal},
};

use super::{
    commands::Reply,
    entry::{Asking, Entry, Owed, Pair, Queued, Sending},
    room::{Membership, Turn},
};

/// The server's use of links.
#[derive(Debug)]
pub struct ServerRole;

impl Role for ServerRole {
    type Token = Token;
    type State = Member;
}

/// What a packet to a client carried.
#[derive(Clone, Copy, Debug)]
pub enum Token {
    /// The answer to a request of its own.
    Answer,
    /// That the mailbox is empty.
    Empty,
    /// A page of the roster.
    Page { serial: u32, low: u32 },
    /// Progress of a pair's deposits.
    Progress(Id<Pair>),
    /// The refusal of a deposit.
    Refusal(Id<Entry>),
    /// Under which key a piece of mail was written.
    Former(Id<Entry>),
    /// A piece of mail.
    Piece(Id<Entry>, Run),
    /// That it is a member of a room.
    Joined(Id<Membership>),
    /// That entries of a room are gone.
    Gone(Id<Membership>),
    /// A piece of an entry of a room, told by the low bits of its index.
    Entry { reader: Id<Membership>, index: u8, run: Run },
    /// What came of its last command.
    Reply,
}

/// A client at the other end of a link.
#[derive(Debug, Default)]
pub struct Member {
    pub(super) registration: Registration,
    /// The answer to its last request is to be sent.
    pub(super) answer: bool,
    pub(super) reader: Reader,
    pub(super) mailbox: Mailbox,
    /// Pairs whose progress it is to be told of, as an author.
    pub(super) progress: List<Pair, Owed>,
    /// Deposits of its own that were refused: to be said, said, and known to be heard.
    pub(super) refused: List<Entry, Sending>,
    pub(super) said: List<Entry, Sending>,
    pub(super) told: List<Entry, Sending>,
    /// The packet that brought word that the last of them was heard of. What came in an
    /// earlier one may have been sent before.
    pub(super) heard: u64,
    /// Pieces of mail to send.
    pub(super) sending: List<Entry, Sending>,
    /// Its places in rooms of which something is to be sent.
    pub(super) turns: List<Membership, Turn>,
    /// Bytes of the entry of a room that there was too little credit for.
    pub(super) short: u16,
    pub(super) reply: Reply,
    pub(super) reply_owed: bool,
    /// The packets that brought the last command, and the last word of being away. What an
    /// earlier one says is no longer so.
    pub(super) commanded: u64,
    pub(super) away: u64,
    pub(super) save: Ask,
    pub(super) load: Ask,
    pub(super) forget: Ask,
    pub(super) asking: Node<Link<ServerRole>>,
    pub(super) caught_up: Node<Link<ServerRole>>,
    pub(super) stalled: Node<Link<ServerRole>>,
}

/// How far a client is with being someone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Registration {
    /// It has not asked.
    #[default]
    None,
    /// Its account is being saved, which is `fresh` if the store does not have it yet, and
    /// with it that the client set the password.
    Saving { account: Account, returning: bool, fresh: bool, sets: bool },
    /// Its mailbox is being looked into.
    Looking { account: Account, returning: bool },
    /// It is online. `mailbox` is the last entry that waited for it, or 0.
    Online { account: Account, returning: bool, mailbox: u64 },
    /// It was refused.
    Refused(RegisterRefusal),
    /// It is to give a password.
    Wanted(PasswordWanted),
    /// It went offline.
    Left,
}

impl Registration {
    /// The account it is or is about to be.
    pub(super) fn account(self) -> Option<Account> {
        match self {
            Self::Saving { account, .. }
            | Self::Looking { account, .. }
            | Self::Online { account, .. } => Some(account),
            Self::None | Self::Refused(_) | Self::Wanted(_) | Self::Left => None,
        }
    }

    /// The account it is.
    pub(super) fn online(self) -> Option<Account> {
        match self {
            Self::Online { account, .. } => Some(account),
            _ => None,
        }
    }
}

/// A client's cursor in the roster: it has every change up to `base`, and a pass
/// through the accounts is under way that brings it to `upto`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reader {
    pub(super) base: u64,
    pub(super) upto: u64,
    /// The next account to look at, while the pass is not through.
    pub(super) at: Option<u32>,
    /// Which of the pages from `oldest` on are in flight, a bit each.
    pages: u32,
    oldest: u32,
    next: u32,
}

impl Reader {
    /// Begins a pass that will bring it to `upto`.
    pub(super) fn begin(&mut self, upto: u64) {
        self.upto = upto;
        self.at = Some(0);
    }

    /// Nothing of a pass is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.at.is_none() && self.pages == 0
    }

    /// The serial number of the next page; `None` while too many are in flight.
    pub(super) fn next_page(&self) -> Option<u32> {
        (self.next.wrapping_sub(self.oldest) < u32::BITS).then_some(self.next)
    }

    /// The next page went out, and the one after it will begin at account `next`.
    pub(super) fn sent(&mut self, next: Option<u32>) {
        self.pages |= self.bit(self.next);
        self.next = self.next.wrapping_add(1);
        self.at = next;
    }

    /// A page arrived or was lost, whichever is heard first. What was lost is
    /// gone through again, from its first account on.
    pub(super) fn fate(&mut self, serial: u32, low: u32, lost: bool) {
        if self.pages & self.bit(serial) == 0 {
            return;
        }
        self.pages &= !self.bit(serial);
        if self.pages == 0 {
            self.oldest = self.next;
        } else {
            let done = self.pages.trailing_zeros();
            self.pages >>= done;
            self.oldest = self.oldest.wrapping_add(done);
        }
        if lost {
            self.at = Some(self.at.map_or(low, |at| at.min(low)));
        }
    }

    fn bit(&self, serial: u32) -> u32 {
        1u32.checked_shl(serial.wrapping_sub(self.oldest)).unwrap_or(0)
    }

    /// The pass is through, and all of it arrived: `base` is what `upto` was.
    pub(super) fn settle(&mut self) -> bool {
        let through = self.is_idle();
        if through {
            self.base = self.upto;
        }
        through
    }
}

/// A client's cursor in its mailbox: a window of entries is in memory, in the
/// queue; what comes after it is in the store.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    pub(super) queue: List<Entry, Queued>,
    pub(super) queued: u16,
    /// The entry sent last in this session; 0 for none.
    pub(super) previous: u64,
    /// Where the store is read on from.
    pub(super) next: u64,
    /// The store may have entries from `next` on.
    pub(super) backlog: bool,
    /// Something was saved there since it was last asked.
    pub(super) fell_behind: bool,
    /// The last entry that was handed over and is still in the store; 0 for none.
    pub(super) done: u64,
    /// Up to where the store is to forget.
    pub(super) forget: u64,
    pub(super) empty: Empty,
}

/// Whether a client knows that all of its mail was handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Empty {
    /// Nothing waited when it registered, or it knows.
    #[default]
    Known,
    /// Something still waits.
    NotYet,
    /// It is to be told.
    Owed,
}

/// The lists that links are in for the server.
#[derive(Debug)]
pub(super) struct CaughtUp;
#[derive(Debug)]
pub(super) struct Stalled;

impl Linked<Asking> for Link<ServerRole> {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.role.asking
    }
}

impl Linked<CaughtUp> for Link<ServerRole> {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.role.caught_up
    }
}

impl Linked<Stalled> for Link<ServerRole> {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.role.stalled
    }
}
