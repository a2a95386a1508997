//! Frames about passwords: a server that wants one, and a client that gives it.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::id::PublicKey;

use super::{Register, frame::bytes};

/// A client asks for its nick and proves, by a password, that the nick is its own. It
/// stands for a [`Register`] and has the same answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login<'a> {
    /// What a Register says.
    pub register: Register,
    /// Which of the client's passwords this is, rising: the same one sent twice is judged once.
    pub attempt: u32,
    /// The password.
    #[serde(borrow)]
    pub password: Secret<'a>,
}

/// Bytes that are never shown.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret<'a>(#[serde(borrow, with = "bytes")] pub &'a [u8]);

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The nick is to be had with a password only: the answer to a [`Register`] or a [`Login`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordWanted {
    /// Which one, or what was wrong with the last one.
    pub why: PasswordWant,
    /// How long, in milliseconds, until one is looked at.
    pub wait: u32,
    /// The attempt that this answers; 0 for a Register.
    pub attempt: u32,
}

/// Why a password is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PasswordWant {
    /// The nick has none: the next one becomes its password.
    New,
    /// The nick has one.
    Known,
    /// The last one was wrong.
    Wrong,
    /// The last one was not looked at: it came too early, or others are being looked
    /// at. It is good to be sent again.
    Busy,
}

/// What a client that is registered asks for about its own account; one thing at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRequest<'a> {
    /// Picked at random: a request that is sent again is recognised by it.
    pub serial: u64,
    /// What.
    #[serde(borrow)]
    pub action: AccountAction<'a>,
}

/// What a client can ask for about its own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountAction<'a> {
    /// Another password.
    ChangePassword {
        /// The one that it has.
        #[serde(borrow)]
        old: Secret<'a>,
        /// The one that it is to have.
        #[serde(borrow)]
        new: Secret<'a>,
    },
    /// That another device may log in, with the password, whatever strangers' guesses cost.
    Endorse {
        /// The device's key.
        key: PublicKey,
    },
}

/// What came of an [`AccountRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountResponse {
    /// The request's.
    pub serial: u64,
    /// It was done, or why it was not.
    pub result: Result<(), AccountRefusal>,
}

/// Why a request about an account is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum AccountRefusal {
    /// The old password was wrong.
    Wrong {
        /// How long, in milliseconds, until another is looked at.
        wait: u32,
    },
    /// It was not looked at: it came too early, or others are being looked at.
    Busy {
        /// How long, in milliseconds, until one is looked at.
        wait: u32,
    },
    /// The account has no password.
    NoPassword,
    /// The server could not save it.
    Store,
}
