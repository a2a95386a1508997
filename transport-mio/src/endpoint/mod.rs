//! The loop that drives a role: its socket, its deadline, its store's answers
//! and its host's commands, on one thread.
//!
//! A turn waits until there is something to do, then does some of each kind, so
//! that a flood of one starves no other. A host calls [`Endpoint::turn`] in a loop
//! of its own, or hands the endpoint a thread with [`Endpoint::spawn`].

mod handle;
mod open;
mod turn;

use std::{collections::VecDeque, net::SocketAddr, sync::mpsc::Receiver};

use mio::{Events, Interest, Poll, Token};
use proto_core::{
    action::Action,
    server::Server,
    time::{Instant, UnixTime},
};

use crate::{
    clock::Clock,
    incoming::Incoming,
    machine::{Drain, Machine},
    memory::{ServerMemory},
    outgoing::{Outgoing, Transmit},
    socket::Socket,
    store::{Answer, Store},
};

pub use crate::socket::BindError;
pub use handle::{Ended, Handle, Running};
pub use open::StartError;

use handle::Command;

/// A server and what it needs of the system.
pub type ServerEndpoint = Endpoint<Server<ServerMemory>>;

const SOCKET: Token = Token(0);
const WAKE: Token = Token(1);

/// A role with its socket, clocks and store.
pub struct Endpoint<M: Machine> {
    machine: M,
    clock: Clock,
    poll: Poll,
    events: Events,
    bind: SocketAddr,
    socket: Option<Socket>,
    incoming: Incoming,
    outgoing: Outgoing,
    received: u64,
    /// There may be more to read from the socket.
    is_readable: bool,
    /// The poll tells when the socket takes more.
    awaits_room: bool,
    commands: Receiver<Command<M>>,
    /// There may be commands.
    has_commands: bool,
    handle: Handle<M>,
    store: Store,
    /// Answers that are not yet told to the role.
    answers: VecDeque<Answer>,
    /// There may be more of them at the store.
    has_answers: bool,
    is_stopping: bool,
}

/// What went through an endpoint's socket so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams received.
    pub received: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams that the system did not send: there was no way, they were too large
    /// for it, or the socket was closed.
    pub failed: u64,
}

impl<M: Machine> Endpoint<M> {
    /// Gives the role a command, at the time that it is now. What it owes then goes
    /// out with the next turn; the actions it returns may be dropped.
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
        self.socket.as_ref()?.address().ok()
    }

    /// What went through the socket so far.
    pub fn traffic(&self) -> Traffic {
        let Outgoing { sent, failed, .. } = self.outgoing;
        Traffic { received: self.received, sent, failed }
    }

    /// Closes the socket: its port is free for others. Until [`Self::bind`], what the
    /// role sends is lost.
    pub fn unbind(&mut self) {
        self.flush();
        if let Some(mut socket) = self.socket.take() {
            // It is closed right after, which takes it out as well.
            let _ = self.poll.registry().deregister(socket.source());
        }
        self.incoming.clear();
        self.outgoing.clear();
        self.is_readable = false;
        self.awaits_room = false;
    }

    /// Opens the socket again, where it was first asked to be; without effect while
    /// it is open.
    ///
    /// # Errors
    /// [`BindError`], for instance when another program has the port meanwhile.
    pub fn bind(&mut self) -> Result<(), BindError> {
        if self.socket.is_some() {
            return Ok(());
        }
        self.attach(Socket::bind(self.bind)?)
    }

    fn attach(&mut self, mut socket: Socket) -> Result<(), BindError> {
        self.poll
            .registry()
            .register(socket.source(), SOCKET, Interest::READABLE)
            .map_err(|cause| BindError::System { address: self.bind, cause })?;
        self.incoming.prepare(&socket);
        self.socket = Some(socket);
        self.is_readable = true;
        Ok(())
    }

    /// Sends what waits, and has the poll tell when the rest can go.
    fn flush(&mut self) {
        self.outgoing.flush(&mut self.socket);
        let is_blocked = self.outgoing.is_blocked();
        let Some(socket) = self.socket.as_mut().filter(|_| is_blocked != self.awaits_room) else {
            return;
        };
        let interest =
            if is_blocked { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        // If the poll does not tell, the next turns try anyway.
        let _ = self.poll.registry().reregister(socket.source(), SOCKET, interest);
        self.awaits_room = is_blocked;
    }
}

/// Does what the role owes, until there is nothing or it must wait.
fn drain<D: Drain>(
    mut actions: D,
    store: &Store,
    outgoing: &mut Outgoing,
    through: &mut impl Transmit,
    on_event: &mut impl FnMut(D::Event, &[u8]),
) {
    while let Some(scratch) = outgoing.scratch() {
        match actions.next(scratch) {
            Some(Action::Send { to, datagram }) => {
                let length = datagram.len();
                outgoing.push(to, length, through);
            }
            Some(Action::Put { ticket, log, number }) => {
                store.put(ticket, log, number, actions.record());
            }
            Some(Action::Forget { ticket, log, upto }) => store.forget(ticket, log, upto),
            Some(Action::Load { ticket, log, from }) => store.load(ticket, log, from),
            Some(Action::Event(event)) => on_event(event, actions.text()),
            None => return,
        }
    }
}
