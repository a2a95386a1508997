//! Network address translators, after RFC 4787: what a client's datagrams come from, and
//! what reaches it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// How a translator maps, and whom it lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One port for all; everyone is let in.
    FullCone,
    /// One port for all; whoever was sent something is let in, from whatever port.
    AddressRestricted,
    /// One port for all; only the very address and port that was sent something is let in.
    PortRestricted,
    /// Another port for each address and port; only that one is let in there.
    Symmetric,
}

/// A translator, and the one client behind it.
#[derive(Debug)]
pub(super) struct Nat {
    kind: Kind,
    outside: Ipv4Addr,
    /// The port that each destination sees.
    ports: BTreeMap<SocketAddr, u16>,
    /// To whom something was sent, and from which port.
    sent: BTreeSet<(SocketAddr, u16)>,
}

/// The port that is given out first.
const FIRST_PORT: u16 = 20_000;

impl Nat {
    /// One that is seen at this address.
    pub(super) fn new(kind: Kind, outside: Ipv4Addr) -> Self {
        Self { kind, outside, ports: BTreeMap::new(), sent: BTreeSet::new() }
    }

    /// Where a datagram that leaves comes from, as its destination sees it.
    pub(super) fn leaves(&mut self, to: SocketAddr) -> SocketAddr {
        let next = match self.kind {
            Kind::Symmetric => FIRST_PORT + self.ports.len() as u16,
            Kind::FullCone | Kind::AddressRestricted | Kind::PortRestricted => FIRST_PORT,
        };
        let port = *self.ports.entry(to).or_insert(next);
        self.sent.insert((to, port));
        SocketAddr::from((self.outside, port))
    }

    /// Whether a datagram that comes from outside reaches the client.
    pub(super) fn lets_in(&self, from: SocketAddr, to: SocketAddr) -> bool {
        let is_from = |ip: IpAddr| self.sent.iter().any(|(sent, _)| sent.ip() == ip);
        match self.kind {
            Kind::FullCone => !self.sent.is_empty(),
            Kind::AddressRestricted => is_from(from.ip()),
            Kind::PortRestricted | Kind::Symmetric => self.sent.contains(&(from, to.port())),
        }
    }

    /// It is at this address, among others.
    pub(super) fn is_at(&self, address: SocketAddr) -> bool {
        address.ip() == self.outside
    }
}
