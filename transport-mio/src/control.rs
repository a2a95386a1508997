//! An operator's hand on a server's accounts and rooms, whether the server runs or not.
//!
//! A server that runs has the store to itself, and is asked through a socket in its
//! directory that its owner alone can open. If none runs, the store is opened here and
//! the same core does the same to it, so that both leave the same behind.

mod direct;
#[cfg(unix)]
mod serving;
#[cfg(unix)]
mod text;

use std::{io, path::Path, thread, time::Duration};

use proto_core::{
    id::{Nick, PublicKey, RoomName},
    server::{AccountView, OperateError, Operation, RoomOperation, RoomView},
    time::UnixTime,
    wire::Presence,
};

use crate::{files, store::OpenError};

#[cfg(unix)]
pub use serving::Control;

/// How often a server that has the store, but no socket yet, is looked for again.
const TRIES: u32 = 10;

/// How long to wait between two of those.
const PAUSE: Duration = Duration::from_millis(200);

/// What an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Who has an account.
    List,
    /// Something to be done to the account that has a nick.
    Operate(Operation, Nick),
    /// Which rooms there are.
    Rooms,
    /// Something to be done to the room of that name.
    OperateRoom(RoomOperation, RoomName),
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Who has an account.
    Accounts(Vec<Account>),
    /// Which rooms there are.
    Rooms(Vec<RoomView>),
    /// It is done, and durable.
    Done,
}

/// An account as an operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its nick.
    pub nick: Nick,
    /// The key that holds it.
    pub key: PublicKey,
    /// Its holder is online.
    pub online: bool,
    /// When its holder was last online, if that is known: not since before the server's start.
    pub seen: Option<UnixTime>,
    /// It has a password.
    pub password: bool,
    /// Its nick and its key are refused.
    pub banned: bool,
}

impl From<AccountView> for Account {
    fn from(view: AccountView) -> Self {
        Self {
            nick: view.nick,
            key: view.key,
            online: view.presence == Presence::Online,
            seen: Some(view.seen).filter(|seen| *seen != UnixTime(0)),
            password: view.access == proto_core::server::Access::Password,
            banned: view.banned,
        }
    }
}

/// Why an operator's request is not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// There is no server's data.
    #[error(
        "there is no server in {directory}; pass the --port that it has, and its --data-dir if \
         it has one"
    )]
    NoServer {
        /// Where it was looked for.
        directory: String,
    },
    /// It cannot be done to that account, or to that room.
    #[error("{0}")]
    Account(#[from] OperateError),
    /// The store could not save it.
    #[error(
        "the server's store could not save it, and nothing was done; check that its disk has room"
    )]
    Store,
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What came from the server is no answer.
    #[error(
        "the server in {directory} gave no answer; is it of another version, or stopped just now?"
    )]
    NoAnswer {
        /// Where it is.
        directory: String,
    },
    /// The system refused something.
    #[error("the system does not let it go on: {0}; check who owns the data directory")]
    System(#[from] io::Error),
}

/// Asks the server whose data is in `directory`, or its store if it does not run.
///
/// # Errors
/// [`ControlError`] says what is wrong and what to do.
pub fn ask(directory: &Path, request: &Request) -> Result<Reply, ControlError> {
    let store = directory.join(files::STORE);
    let missing = || ControlError::NoServer { directory: directory.display().to_string() };
    for tried in 0.. {
        if !store.try_exists()? {
            return Err(missing());
        }
        #[cfg(unix)]
        if let Some(reply) = serving::ask(directory, request)? {
            return Ok(reply);
        }
        // Opening takes the store's lock, which a server that runs holds.
        match direct::ask(&store, request) {
            Err(ControlError::Open(OpenError::InUse { .. })) if tried < TRIES => {
                // It is about to start, or about to end.
                thread::sleep(PAUSE);
            }
            other => return other,
        }
    }
    Err(missing())
}
