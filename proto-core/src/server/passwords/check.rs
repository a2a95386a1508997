//! A password that is being checked.

use heapless::Vec;

use crate::{
    host::{Ask, MAX_HASH},
    id::{Account, Nick},
    storage::Id,
    time::Instant,
    wire::Register,
};

use super::{super::role::ServerLink, source::Source};

/// Whose password it is. Each has places of its own, and they take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// Of a device that the account's key endorses, or that is logged in with it.
    Trusted,
    /// Of a key that has an account, or from an address that had a right password before.
    Known,
    /// Of anyone.
    Stranger,
}

/// A password that is being checked.
#[derive(Debug)]
pub(super) struct PasswordCheck {
    pub(super) link: Id<ServerLink>,
    pub(super) source: Source,
    pub(super) rank: Rank,
    pub(super) purpose: Purpose,
    /// The account that has the nick; none for a nick that is new.
    pub(super) account: Option<Account>,
    /// The account has a password, which this is to be; else this one becomes it.
    pub(super) is_known: bool,
    pub(super) hash: Vec<u8, MAX_HASH>,
    pub(super) step: Step,
    pub(super) ask: Ask,
    /// When it is given up.
    pub(super) until: Option<Instant>,
    /// In which order they came.
    pub(super) serial: u32,
}

/// What a password is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// To have a nick.
    Login { register: Register, attempt: u32 },
    /// To have another password.
    Change { serial: u64 },
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The store is to read its account's hash.
    Load,
    /// It waits for its turn.
    Wait,
    /// The host is to judge it.
    Judge,
    /// The store is to save its hash.
    Save,
}

impl PasswordCheck {
    /// The number of its hash's record.
    pub(super) fn number(&self) -> u64 {
        self.account.map_or(0, |account| u64::from(account.0) + 1)
    }

    /// It is for this nick, which that account has, if there is one.
    pub(super) fn is_for(&self, account: Option<Account>, nick: &Nick) -> bool {
        match (self.account, account, self.purpose) {
            (Some(one), Some(other), _) => one == other,
            (_, _, Purpose::Login { register, .. }) => register.nick == *nick,
            (_, _, Purpose::Change { .. }) => false,
        }
    }

    /// It waits, for the store or for its turn, so that another can have its place.
    pub(super) fn can_give_way(&self) -> bool {
        matches!(self.step, Step::Load | Step::Wait)
    }
}
