//! Received datagrams: read in batches, handed out one at a time, so that work
//! can stop between any two of them.

use std::{
    array,
    io::{self, IoSliceMut},
    net::SocketAddr,
};

use proto_core::wire::MAX_DATAGRAM;
use quinn_udp::RecvMeta;

use crate::socket::Socket;

/// How many buffers are filled at once.
const BATCH: usize = quinn_udp::BATCH_SIZE;

/// Buffers that are read into. The system merges what one sender sent in one go,
/// so that a buffer can hold many datagrams of one size.
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    each: usize,
    metas: [RecvMeta; BATCH],
    filled: usize,
    /// The buffer to hand out from, and where in it.
    at: usize,
    offset: usize,
}

impl Incoming {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            each: 0,
            metas: [RecvMeta::default(); BATCH],
            filled: 0,
            at: 0,
            offset: 0,
        }
    }

    /// Makes the buffers fit for `socket`, and forgets what is in them.
    pub(crate) fn prepare(&mut self, socket: &Socket) {
        self.each = (socket.datagrams_per_buffer() * MAX_DATAGRAM).min(1 << 16);
        // Zeroed memory costs nothing before it is used, and most of it never is.
        self.bytes = vec![0; self.each * BATCH];
        self.clear();
    }

    /// Forgets what was read and not handed out.
    pub(crate) fn clear(&mut self) {
        (self.filled, self.at, self.offset) = (0, 0, 0);
    }

    /// Reads what is there, if everything read before was handed out.
    pub(crate) fn fill(&mut self, socket: &Socket) -> io::Result<()> {
        self.clear();
        let mut buffers = self.bytes.chunks_exact_mut(self.each.max(1));
        let mut slices: [_; BATCH] =
            array::from_fn(|_| IoSliceMut::new(buffers.next().unwrap_or_default()));
        self.filled = socket.receive(&mut slices, &mut self.metas)?;
        Ok(())
    }

    /// Everything was handed out.
    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.filled
    }

    /// The next datagram, and where it came from.
    pub(crate) fn next(&mut self) -> Option<(SocketAddr, &mut [u8])> {
        let meta = self.metas.get(..self.filled)?.get(self.at)?;
        let (buffer, start) = (self.at, self.offset);
        let end = start.saturating_add(meta.stride.max(1)).min(meta.len);
        if end < meta.len {
            self.offset = end;
        } else {
            (self.at, self.offset) = (self.at + 1, 0);
        }
        let buffer = self.bytes.chunks_exact_mut(self.each).nth(buffer)?;
        Some((canonical(meta.addr), buffer.get_mut(start..end)?))
    }
}

/// A socket for both families shows IPv4 addresses in IPv6 form; others must not see that.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        v4 if v4.is_ipv4() => (v4, address.port()).into(),
        _ => address,
    }
}
