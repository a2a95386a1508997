//! Putting an endpoint together.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, mpsc},
};

use mio::{Events, Poll, Waker};
use proto_core::{
    client::{self, Client},
    host::{Machine, Resume},
    random::Seed,
    server::{self, Server},
    session::{Identity, Portable},
    time::Instant,
};

use super::{BindError, ClientEndpoint, Endpoint, Handle, ServerEndpoint, WAKE, port::Port};
use crate::{
    clock::Clock,
    files,
    identity::{
        self, IdentityError,
        moving::{self, MoveError},
    },
    memory::{ClientMemory, ClientSizes, ServerMemory, ServerSizes},
    notes::{self, Notes},
    passwords::Passwords,
    store::{Failure, OpenError, Store},
};

/// How many events one poll tells of: there are two sources.
const EVENTS: usize = 8;

/// Why an endpoint does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The socket.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The identity was moved elsewhere.
    #[error(transparent)]
    Moved(#[from] MoveError),
    /// The store.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// What was read in the store, or saved to it, at the start.
    #[error(transparent)]
    History(#[from] Failure),
    /// The system gives no poll to wait with.
    #[error("cannot wait for events: {0}; close some programs and try again")]
    Poll(io::Error),
    /// The role does not take its tables or what it is to resume with.
    #[error("{0}; start with the usual sizes, or put the durable state back from a copy")]
    Role(#[from] proto_core::StartError),
}

impl ServerEndpoint {
    /// A server on `bind` with its identity and its store in `directory`, which exists;
    /// both are made if they do not.
    ///
    /// # Errors
    /// [`StartError`] says what is wrong and what to do.
    pub fn open(
        directory: &Path,
        bind: SocketAddr,
        sizes: &ServerSizes,
        config: server::Config,
    ) -> Result<Self, StartError> {
        let memory = ServerMemory::new(sizes);
        Self::start(directory, bind, notes::none(), |start| {
            let Start { identity, seed, resume, now } = start;
            Server::new(config, identity, seed, resume, now, memory)
        })
    }
}

impl ClientEndpoint {
    /// A client on `bind`, offline, with its identity and its store in `directory`,
    /// which exists; both are made if they do not.
    ///
    /// # Errors
    /// [`StartError`] says what is wrong and what to do.
    pub fn open(
        directory: &Path,
        bind: SocketAddr,
        sizes: &ClientSizes,
        config: client::Config,
    ) -> Result<Self, StartError> {
        let memory = ClientMemory::new(sizes);
        let nick = config.nick;
        let endpoint = Self::start(directory, bind, notes::of_client(nick), |start| {
            let Start { identity, seed, resume, now } = start;
            Client::new(config, identity, seed, resume, now, memory)
        })?;
        notes::begin(&endpoint.store, &nick, endpoint.unix())?;
        Ok(endpoint)
    }
}

/// What a role begins with.
pub(super) struct Start {
    identity: Identity,
    seed: Seed,
    resume: Resume,
    now: Instant,
}

impl<M: Machine + 'static> Endpoint<M> {
    /// With the role that `role` makes.
    pub(super) fn start(
        directory: &Path,
        bind: SocketAddr,
        notes: Notes<M>,
        role: impl FnOnce(Start) -> Result<M, proto_core::StartError>,
    ) -> Result<Self, StartError> {
        let poll = Poll::new().map_err(StartError::Poll)?;
        let registry = poll.registry().try_clone().map_err(StartError::Poll)?;
        // Before anything is touched: who starts a second one on a port learns just that.
        let port = Port::open(registry, bind)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).map_err(StartError::Poll)?);
        let wake = Arc::clone(&waker);
        let store = Store::open(&directory.join(files::STORE), move || {
            // It fails only when so many wakes wait already that this one is not needed.
            let _ = wake.wake();
        })?;
        // Under the store's lock: nobody moves the identity away from now on.
        moving::check(directory)?;
        let identity = identity::load_or_create(&directory.join(files::IDENTITY))?;
        let seed = identity::seed()?;
        let wake = Arc::clone(&waker);
        let passwords = Passwords::new(move || {
            let _ = wake.wake();
        });
        let clock = Clock::start();
        let machine = role(Start {
            identity: Identity::new(identity, &Portable),
            seed,
            resume: Resume { boot: store.boot(), clock: clock.wall() },
            now: clock.now(),
        })?;
        let (sender, commands) = mpsc::channel();
        Ok(Self {
            machine,
            clock,
            poll,
            events: Events::with_capacity(EVENTS),
            port,
            commands,
            has_commands: false,
            handle: Handle::new(sender, waker),
            store,
            has_answers: false,
            notes,
            passwords,
            is_stopping: false,
        })
    }
}
