//! The UDP socket: non-blocking, with large buffers, read and written in batches.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
};

use mio::net::UdpSocket;
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Type};

use crate::outgoing::{Outbound, Transmit};

/// What the system is asked to hold each way: a fan-out to a thousand clients and
/// their answers. Mostly it grants less.
const BUFFER_BYTES: usize = 4 << 20;

/// A bound socket.
#[derive(Debug)]
pub(crate) struct Socket {
    udp: UdpSocket,
    batching: UdpSocketState,
    is_ipv6: bool,
}

/// Why a socket cannot be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another program has the port.
    #[error(
        "UDP port {} is in use by another program, maybe another udpchat; stop that one or choose \
         another port",
        address.port()
    )]
    InUse {
        /// What was to be bound.
        address: SocketAddr,
    },
    /// The address is another computer's.
    #[error(
        "this computer has no address {}; choose one of its own, or 0.0.0.0 for all of them",
        address.ip()
    )]
    NotHere {
        /// What was to be bound.
        address: SocketAddr,
    },
    /// Ports below 1024 are reserved on many systems.
    #[error("you may not use UDP port {}; choose one of 1024 to 65535", address.port())]
    Forbidden {
        /// What was to be bound.
        address: SocketAddr,
    },
    /// The system refused for another reason.
    #[error("cannot open a UDP socket on {address}: {cause}")]
    System {
        /// What was to be bound.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
}

impl BindError {
    fn new(address: SocketAddr, cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address },
            io::ErrorKind::AddrNotAvailable => Self::NotHere { address },
            io::ErrorKind::PermissionDenied => Self::Forbidden { address },
            _ => Self::System { address, cause },
        }
    }
}

impl Socket {
    /// Binds `address`. An IPv6 one that means all interfaces takes IPv4 too.
    pub(crate) fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::try_bind(address).map_err(|cause| BindError::new(address, cause))
    }

    fn try_bind(address: SocketAddr) -> io::Result<Self> {
        let socket =
            socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() && address.ip().is_unspecified() {
            socket.set_only_v6(false)?;
        }
        // With smaller buffers more is lost, which is made up for.
        let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(BUFFER_BYTES);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let udp = UdpSocket::from_std(socket.into());
        let batching = UdpSocketState::new(UdpSockRef::from(&udp))?;
        Ok(Self { udp, batching, is_ipv6: address.is_ipv6() })
    }

    /// What it is bound to.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// To register it with a poll.
    pub(crate) fn source(&mut self) -> &mut UdpSocket {
        &mut self.udp
    }

    /// How many datagrams one receive buffer may have to hold.
    pub(crate) fn datagrams_per_buffer(&self) -> usize {
        self.batching.gro_segments()
    }

    /// Fills as many buffers as there are datagrams for; how many.
    pub(crate) fn receive(
        &self,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> io::Result<usize> {
        self.udp.try_io(|| self.batching.recv(UdpSockRef::from(&self.udp), buffers, metas))
    }

    /// The address in the form that this socket takes.
    fn target(&self, to: SocketAddr) -> SocketAddr {
        match to.ip() {
            IpAddr::V4(v4) if self.is_ipv6 => (v4.to_ipv6_mapped(), to.port()).into(),
            _ => to,
        }
    }
}

impl Transmit for Socket {
    #[cfg(target_os = "linux")]
    fn transmit(&mut self, datagrams: &[Outbound]) -> io::Result<usize> {
        if let [datagram] = datagrams {
            return self.send_first(datagram);
        }
        self.udp.try_io(|| self.send_many(datagrams))
    }

    #[cfg(not(target_os = "linux"))]
    fn transmit(&mut self, datagrams: &[Outbound]) -> io::Result<usize> {
        datagrams.first().map_or(Ok(0), |datagram| self.send_first(datagram))
    }
}

/// Without a socket everything is lost.
impl Transmit for Option<Socket> {
    fn transmit(&mut self, datagrams: &[Outbound]) -> io::Result<usize> {
        match self {
            Some(socket) => socket.transmit(datagrams),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Socket {
    fn send_first(&self, datagram: &Outbound) -> io::Result<usize> {
        self.udp.send_to(datagram.payload(), self.target(datagram.to)).map(|_| 1)
    }

    /// One system call for all. Datagrams to many are not merged any further: segmentation
    /// offload works towards one receiver only, whose link fills its datagrams anyway.
    #[cfg(target_os = "linux")]
    fn send_many(&self, datagrams: &[Outbound]) -> io::Result<usize> {
        use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};
        use std::io::IoSlice;

        let addresses: Vec<SocketAddrAny> =
            datagrams.iter().map(|one| self.target(one.to).into()).collect();
        let payloads: Vec<[IoSlice<'_>; 1]> =
            datagrams.iter().map(|one| [IoSlice::new(one.payload())]).collect();
        let mut nothing: Vec<_> =
            datagrams.iter().map(|_| SendAncillaryBuffer::default()).collect();
        let mut messages: Vec<MMsgHdr<'_>> = addresses
            .iter()
            .zip(&payloads)
            .zip(&mut nothing)
            .map(|((address, payload), nothing)| MMsgHdr::new_with_addr(address, payload, nothing))
            .collect();
        Ok(sendmmsg(&self.udp, &mut messages, SendFlags::empty())?)
    }
}
