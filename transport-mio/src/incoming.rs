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

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        net::UdpSocket,
        thread,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::outgoing::Outgoing;

    /// All that comes within reason, until there are `count`.
    fn receive(socket: &Socket, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut incoming = Incoming::new();
        incoming.prepare(socket);
        let (mut all, until) = (Vec::new(), Instant::now() + Duration::from_secs(30));
        while all.len() < count && Instant::now() < until {
            match incoming.fill(socket) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("{error}"),
            }
            while let Some((from, datagram)) = incoming.next() {
                all.push((from, datagram.to_vec()));
            }
        }
        all
    }

    #[test]
    fn batches_arrive_as_the_datagrams_that_they_were() {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let (mut from, to) = (Socket::bind(any).unwrap(), Socket::bind(any).unwrap());
        let mut outgoing = Outgoing::new();
        outgoing.allow(100);
        for length in 1..=100u8 {
            let scratch = outgoing.scratch().unwrap();
            scratch[..usize::from(length)].fill(length);
            outgoing.push(to.address().unwrap(), length.into(), &mut from);
        }
        outgoing.flush(&mut from);
        assert_eq!((outgoing.sent, outgoing.failed), (100, 0));
        let received = receive(&to, 100);
        assert!(received.iter().all(|(sender, _)| *sender == from.address().unwrap()));
        let datagrams: BTreeSet<_> = received.into_iter().map(|(_, bytes)| bytes).collect();
        let expected = (1..=100u8).map(|length| vec![length; length.into()]);
        assert_eq!(datagrams, expected.collect());
    }

    /// One sender's burst, which the system hands over in one buffer.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_merged_burst_is_parted() {
        let to = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let from = UdpSocket::bind("127.0.0.1:0").unwrap();
        let state = quinn_udp::UdpSocketState::new((&from).into()).unwrap();
        let contents: Vec<u8> = (0..35).collect();
        let transmit = quinn_udp::Transmit {
            destination: to.address().unwrap(),
            ecn: None,
            contents: &contents,
            segment_size: Some(10),
            src_ip: None,
        };
        state.try_send((&from).into(), &transmit).unwrap();
        let received: Vec<_> = receive(&to, 4).into_iter().map(|(_, bytes)| bytes).collect();
        assert_eq!(received, contents.chunks(10).collect::<Vec<_>>());
    }

    #[test]
    fn a_socket_for_both_families_talks_to_both() {
        let Ok(mut both) = Socket::bind("[::]:0".parse().unwrap()) else {
            // There is no IPv6 here.
            return;
        };
        let port = both.address().unwrap().port();
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        other.send_to(b"hello", ("127.0.0.1", port)).unwrap();
        let received = receive(&both, 1);
        assert_eq!(received, [(other.local_addr().unwrap(), b"hello".to_vec())]);

        let mut outgoing = Outgoing::new();
        outgoing.allow(2);
        for _ in 0..2 {
            outgoing.scratch().unwrap()[0] = b'x';
            outgoing.push(other.local_addr().unwrap(), 1, &mut both);
        }
        outgoing.flush(&mut both);
        other.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        assert_eq!(other.recv(&mut [0; 9]).unwrap(), 1);
        assert_eq!(other.recv(&mut [0; 9]).unwrap(), 1);
    }
}
