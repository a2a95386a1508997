//! The socket, while there is one, with what was read and what is to be sent.

use std::{io, net::SocketAddr};

use mio::{Interest, Registry};

use super::SOCKET;
use crate::{
    incoming::Incoming,
    outgoing::Outgoing,
    socket::{BindError, Socket},
};

/// Where datagrams come in and go out.
pub(super) struct Port {
    registry: Registry,
    bind: SocketAddr,
    pub(super) socket: Option<Socket>,
    incoming: Incoming,
    pub(super) outgoing: Outgoing,
    /// There may be more to read from the socket.
    is_readable: bool,
    /// The poll tells when the socket takes more.
    awaits_room: bool,
    pub(super) received: u64,
}

/// A datagram that came.
pub(super) struct Received<'p> {
    pub(super) from: SocketAddr,
    pub(super) datagram: &'p mut [u8],
    pub(super) way_back: WayBack<'p>,
}

/// For an answer that is written over what it answers.
pub(super) struct WayBack<'p> {
    outgoing: &'p mut Outgoing,
    socket: &'p mut Option<Socket>,
}

impl WayBack<'_> {
    pub(super) fn send(self, to: SocketAddr, reply: &[u8]) {
        if let Some(front) = self.outgoing.scratch().and_then(|out| out.get_mut(..reply.len())) {
            front.copy_from_slice(reply);
            self.outgoing.push(to, reply.len(), self.socket);
        }
    }
}

impl Port {
    /// Binds `bind`, now and whenever it is opened again.
    pub(super) fn open(registry: Registry, bind: SocketAddr) -> Result<Self, BindError> {
        let mut port = Self {
            registry,
            bind,
            socket: None,
            incoming: Incoming::new(),
            outgoing: Outgoing::new(),
            is_readable: false,
            awaits_room: false,
            received: 0,
        };
        port.reopen()?;
        Ok(port)
    }

    pub(super) fn reopen(&mut self) -> Result<(), BindError> {
        if self.socket.is_some() {
            return Ok(());
        }
        let mut socket = Socket::bind(self.bind)?;
        self.registry
            .register(socket.source(), SOCKET, Interest::READABLE)
            .map_err(|cause| BindError::System { address: self.bind, cause })?;
        self.incoming.prepare(&socket);
        self.socket = Some(socket);
        self.is_readable = true;
        Ok(())
    }

    pub(super) fn close(&mut self) {
        self.flush();
        if let Some(mut socket) = self.socket.take() {
            // It is closed right after, which takes it out as well.
            let _ = self.registry.deregister(socket.source());
        }
        self.incoming.clear();
        self.outgoing.clear();
        self.is_readable = false;
        self.awaits_room = false;
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.socket.as_ref()?.address().ok()
    }

    /// The poll told of the socket.
    pub(super) fn notice(&mut self) {
        self.is_readable = true;
    }

    /// There may be something to receive.
    pub(super) fn has_more(&self) -> bool {
        self.is_readable || !self.incoming.is_empty()
    }

    /// The next datagram that came.
    pub(super) fn receive(&mut self) -> Option<Received<'_>> {
        if self.incoming.is_empty() {
            self.read();
        }
        let (from, datagram) = self.incoming.next()?;
        self.received += 1;
        let way_back = WayBack { outgoing: &mut self.outgoing, socket: &mut self.socket };
        Some(Received { from, datagram, way_back })
    }

    fn read(&mut self) {
        use io::ErrorKind::{ConnectionRefused, ConnectionReset, Interrupted};
        while let Some(socket) = self.socket.as_ref().filter(|_| self.is_readable) {
            match self.incoming.fill(socket) {
                Ok(()) => return,
                Err(error) => match error.kind() {
                    // Some systems tell here that nobody is where something was sent to.
                    ConnectionRefused | ConnectionReset | Interrupted => {}
                    // There is nothing, or it cannot be had, until the poll tells of more.
                    _ => self.is_readable = false,
                },
            }
        }
    }

    /// Sends what waits, and has the poll tell when the rest can go.
    pub(super) fn flush(&mut self) {
        self.outgoing.flush(&mut self.socket);
        let is_blocked = self.outgoing.is_blocked();
        let Some(socket) = self.socket.as_mut().filter(|_| is_blocked != self.awaits_room) else {
            return;
        };
        let interest =
            if is_blocked { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        // If the poll does not tell, the next turns try anyway.
        let _ = self.registry.reregister(socket.source(), SOCKET, interest);
        self.awaits_room = is_blocked;
    }
}
