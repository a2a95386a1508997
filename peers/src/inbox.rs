//! Datagrams that have arrived somewhere and were not taken in yet.

use std::net::SocketAddr;

/// One behind the other, so that a datagram costs a copy and no allocation.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    datagrams: Vec<(SocketAddr, usize)>,
}

impl Inbox {
    pub(crate) fn push(&mut self, from: SocketAddr, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.datagrams.push((from, datagram.len()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// Hands out everything that is there.
    pub(crate) fn drain(&mut self, mut take: impl FnMut(SocketAddr, &mut [u8])) {
        let mut rest = self.bytes.as_mut_slice();
        for (from, length) in self.datagrams.drain(..) {
            let (datagram, behind) = rest.split_at_mut(length);
            take(from, datagram);
            rest = behind;
        }
        self.bytes.clear();
    }
}
