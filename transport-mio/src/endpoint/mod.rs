//! The loop that drives a role: its socket, its deadline, its store's answers
//! and its host's commands, on one thread.
//!
//! A turn waits until there is something to do, takes in some of each kind, so that a flood of
//! one starves no other, and then does what the role owes: what many inputs lead to shares
//! datagrams. A host calls [`Endpoint::turn`] in a loop
//! of its own, or hands the endpoint a thread with [`Endpoint::spawn`].

mod handle;
mod open;
mod port;
mod turn;

use std::{net::SocketAddr, sync::mpsc::Receiver};

use mio::{Events, Poll, Token};
use proto_core::{
    client::Client,
    host::Machine,
    server::Server,
    time::{Instant, UnixTime},
};

use crate::{
    clock::Clock,
    memory::{ClientMemory, ServerMemory},
    notes::Notes,
    outgoing::Outgoing,
    passwords::Passwords,
    store::Store,
};

pub use crate::socket::BindError;
pub use handle::{Ended, Handle, Running};
pub use open::StartError;

use handle::Command;
use port::Port;

/// A server and what it needs of the system.
pub type ServerEndpoint = Endpoint<Server<ServerMemory>>;

/// A client and what it needs of the system.
pub type ClientEndpoint = Endpoint<Client<ClientMemory>>;

const SOCKET: Token = Token(0);
const WAKE: Token = Token(1);

/// A role with its socket, clocks and store.
pub struct Endpoint<M: Machine + 'static> {
    machine: M,
    clock: Clock,
    poll: Poll,
    events: Events,
    port: Port,
    commands: Receiver<Command<M>>,
    /// There may be commands.
    has_commands: bool,
    handle: Handle<M>,
    store: Store,
    /// The store may have answered.
    has_answers: bool,
    /// What is noted in the store of what the role does.
    notes: Notes<M>,
    passwords: Passwords,
    is_stopping: bool,
}

/// What went through an endpoint's socket so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Datagrams received.
    pub received: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams that the system did not send: there was no way, they were too large
    /// for it, or the socket was closed.
    pub failed: u64,
}

impl<M: Machine + 'static> Endpoint<M> {
    /// Gives the role a command, at the time that it is now. What it owes then goes
    /// out with the next turn.
    pub fn command<R>(&mut self, command: impl FnOnce(&mut M, Instant) -> R) -> R {
        let now = self.clock.now();
        command(&mut self.machine, now)
    }

    /// The role, to look at.
    pub fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    /// The store, for people to read in, and to learn why something failed.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// A handle to this endpoint for other threads.
    pub fn handle(&self) -> Handle<M> {
        self.handle.clone()
    }

    /// The wall-clock time, as the role knows it.
    pub fn unix(&self) -> UnixTime {
        self.clock.wall().unix(self.clock.now())
    }

    /// What the socket is bound to, with the port that the system chose if none was
    /// asked for; `None` while there is no socket.
    pub fn address(&self) -> Option<SocketAddr> {
        self.port.address()
    }

    /// What went through the socket so far.
    pub fn traffic(&self) -> Traffic {
        let Outgoing { sent, failed, .. } = self.port.outgoing;
        Traffic { received: self.port.received, sent, failed }
    }

    /// Closes the socket: its port is free for others. Until [`Self::bind`], what the
    /// role sends is lost.
    pub fn unbind(&mut self) {
        self.port.close();
    }

    /// Opens the socket again, where it was first asked to be; without effect while
    /// it is open.
    ///
    /// # Errors
    /// [`BindError`], for instance when another program has the port meanwhile.
    pub fn bind(&mut self) -> Result<(), BindError> {
        self.port.reopen()
    }
}
