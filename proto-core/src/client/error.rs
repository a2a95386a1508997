//! Why a client does not do what its user wants.

use core::fmt;

use crate::password::{MAX_PASSWORD, PasswordLength};

/// Why a command does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// The client is online, or about to be.
    Online,
    /// The client is offline.
    Offline,
    /// The last request is not answered yet.
    Busy,
    /// There is no room for another room here.
    Full,
    /// The text is longer than `limit` bytes.
    TooLong {
        /// The longest text, in bytes.
        limit: u32,
    },
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Online => f.write_str("you are registered already"),
            Self::Offline => f.write_str("you are offline"),
            Self::Full => f.write_str("too many people and rooms are known here already"),
            Self::Busy => f.write_str("the server has not answered the last command yet"),
            Self::TooLong { limit } => write!(f, "the text is longer than {limit} bytes"),
        }
    }
}

impl core::error::Error for CommandError {}

/// Why a password is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PasswordError {
    /// None is asked for.
    NotWanted,
    /// It is empty.
    Empty,
    /// It is longer than [`MAX_PASSWORD`] bytes.
    TooLong,
    /// The client is offline.
    Offline,
    /// The last request about the account is not answered yet.
    Busy,
}

impl From<PasswordLength> for PasswordError {
    fn from(why: PasswordLength) -> Self {
        match why {
            PasswordLength::Empty => Self::Empty,
            PasswordLength::TooLong => Self::TooLong,
        }
    }
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWanted => f.write_str("no password is asked for"),
            Self::Empty => f.write_str("the password is empty; give at least one character"),
            Self::Offline => f.write_str("you are offline"),
            Self::Busy => f.write_str("the server has not answered the last command yet"),
            Self::TooLong => {
                write!(f, "the password is longer than {MAX_PASSWORD} bytes; give a shorter one")
            }
        }
    }
}

impl core::error::Error for PasswordError {}

/// Why a key is not trusted or verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustError {
    /// Nobody is known by that nick.
    Unknown,
    /// It is another key that the nick has, or that claims it.
    OtherKey,
    /// There is no room for another one here.
    Full,
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "nobody is known by that nick",
            Self::OtherKey => "it is another key by now; look at it first",
            Self::Full => "too many people and rooms are known here already",
        })
    }
}

impl core::error::Error for TrustError {}

/// Why a message is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The client is offline, or has not been registered in this run yet.
    Offline,
    /// Nobody holds that nick.
    Unknown,
    /// Nobody holds it any more.
    Gone,
    /// Another key holds it than the one that was verified.
    KeyChanged,
    /// The client is no member of that room.
    NotMember,
    /// It is one's own.
    Oneself,
    /// The text is empty.
    Empty,
    /// The text is longer than `limit` bytes.
    TooLong {
        /// The longest text, in bytes.
        limit: u32,
    },
    /// Too many messages wait for their delivery.
    Full,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline => f.write_str("you are offline; nothing was sent"),
            Self::Unknown => f.write_str("nobody here has that nick; nothing was sent"),
            Self::Gone => f.write_str("they have no account here any more; nothing was sent"),
            Self::KeyChanged => f.write_str(
                "that nick has another key now than the one you verified; nothing was sent",
            ),
            Self::NotMember => f.write_str("you are not in that room; nothing was sent"),
            Self::Oneself => f.write_str("that is your own nick; nothing was sent"),
            Self::Empty => f.write_str("there is no text; nothing was sent"),
            Self::TooLong { limit } => {
                write!(f, "the message is longer than {limit} bytes; nothing was sent")
            }
            Self::Full => f.write_str(
                "too many messages wait for their delivery; nothing was sent, try again later",
            ),
        }
    }
}

impl core::error::Error for SendError {}
