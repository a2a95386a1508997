//! Datagrams on their way out: written into a batch one at a time, sent together.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
};

use proto_core::wire::MAX_DATAGRAM;

/// How many datagrams go out together.
const BATCH: usize = 32;

/// A datagram to send.
#[derive(Clone, Debug)]
pub(crate) struct Outbound {
    pub(crate) to: SocketAddr,
    length: usize,
    bytes: [u8; MAX_DATAGRAM],
}

impl Outbound {
    const NONE: Self = Self {
        to: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)),
        length: 0,
        bytes: [0; MAX_DATAGRAM],
    };

    pub(crate) fn payload(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Something that datagrams go out through.
pub(crate) trait Transmit {
    /// Sends some of the datagrams, from the first on; how many. An error is about
    /// the first.
    fn transmit(&mut self, datagrams: &[Outbound]) -> io::Result<usize>;
}

/// Datagrams that wait for the end of a batch, or for the socket to take more.
#[derive(Debug)]
pub(crate) struct Outgoing {
    batch: Vec<Outbound>,
    /// Those from `first` up to `end` are still to be sent.
    first: usize,
    end: usize,
    allowance: usize,
    is_blocked: bool,
    pub(crate) sent: u64,
    pub(crate) failed: u64,
}

impl Outgoing {
    pub(crate) fn new() -> Self {
        Self {
            batch: vec![Outbound::NONE; BATCH],
            first: 0,
            end: 0,
            allowance: 0,
            is_blocked: false,
            sent: 0,
            failed: 0,
        }
    }

    /// Lets so many datagrams be written before [`Self::may_write`] is over.
    pub(crate) fn allow(&mut self, datagrams: usize) {
        self.allowance = datagrams;
    }

    /// There is room for a datagram.
    pub(crate) fn may_write(&self) -> bool {
        self.allowance > 0 && self.end < self.batch.len()
    }

    /// The socket took no more. What is left goes first when it does.
    pub(crate) fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Where to write the next datagram; `None` if that must wait, and so must
    /// everything else that a drain might give.
    pub(crate) fn scratch(&mut self) -> Option<&mut [u8; MAX_DATAGRAM]> {
        if !self.may_write() {
            return None;
        }
        self.batch.get_mut(self.end).map(|next| &mut next.bytes)
    }

    /// The scratch holds `length` bytes for `to`.
    pub(crate) fn push(&mut self, to: SocketAddr, length: usize, through: &mut impl Transmit) {
        if let Some(next) = self.batch.get_mut(self.end) {
            (next.to, next.length) = (to, length);
            self.end += 1;
            self.allowance -= 1;
        }
        if self.end == self.batch.len() {
            self.flush(through);
        }
    }

    /// Sends what waits, as far as the socket takes it.
    pub(crate) fn flush(&mut self, through: &mut impl Transmit) {
        self.is_blocked = false;
        while let Some(waiting @ [_, ..]) = self.batch.get(self.first..self.end) {
            match through.transmit(waiting) {
                Ok(count) => {
                    self.first += count.max(1);
                    self.sent += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_blocked = true;
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // No way there, or too large for it: lost, like others on their way.
                Err(_) => {
                    self.first += 1;
                    self.failed += 1;
                }
            }
        }
        self.clear();
    }

    /// Forgets what waits: there is no socket any more.
    pub(crate) fn clear(&mut self) {
        (self.first, self.end, self.is_blocked) = (0, 0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many datagrams before it is full, and refuses those to port 13.
    #[derive(Default)]
    struct Wire {
        room: usize,
        went: Vec<(u16, Vec<u8>)>,
    }

    impl Transmit for Wire {
        fn transmit(&mut self, datagrams: &[Outbound]) -> io::Result<usize> {
            let is_fit = |one: &&Outbound| one.to.port() != 13;
            let some: Vec<_> = datagrams.iter().take(5).take_while(is_fit).collect();
            match some.len().min(self.room) {
                _ if self.room == 0 => Err(io::ErrorKind::WouldBlock.into()),
                0 => Err(io::ErrorKind::InvalidInput.into()),
                count => {
                    self.room -= count;
                    let sent = some.into_iter().take(count);
                    self.went.extend(sent.map(|one| (one.to.port(), one.payload().to_vec())));
                    Ok(count)
                }
            }
        }
    }

    /// Writes as many of the datagrams as it may; how many.
    fn write(outgoing: &mut Outgoing, ports: impl Iterator<Item = u16>, wire: &mut Wire) -> usize {
        let write_one = |port: &u16| {
            let Some(scratch) = outgoing.scratch() else { return false };
            scratch[..2].copy_from_slice(&port.to_be_bytes());
            outgoing.push((Ipv4Addr::LOCALHOST, *port).into(), 2, wire);
            true
        };
        ports.take_while(write_one).count()
    }

    #[test]
    fn a_full_socket_stops_the_drain_and_loses_nothing() {
        let (mut outgoing, mut wire) = (Outgoing::new(), Wire { room: 7, ..Wire::default() });
        outgoing.allow(1000);
        assert_eq!(write(&mut outgoing, 100..200, &mut wire), BATCH);
        assert!(outgoing.is_blocked());
        for room in [0, 3, 1000] {
            wire.room = room;
            outgoing.flush(&mut wire);
            assert_eq!(outgoing.is_blocked(), room < 1000);
            assert_eq!(outgoing.scratch().is_none(), room < 1000);
        }
        assert_eq!(write(&mut outgoing, 132..200, &mut wire), 68);
        outgoing.flush(&mut wire);
        let went: Vec<_> = wire.went.iter().map(|(port, _)| *port).collect();
        assert_eq!(went, (100..200).collect::<Vec<_>>());
        assert!(wire.went.iter().all(|(port, bytes)| *bytes == port.to_be_bytes()));
        assert_eq!((outgoing.sent, outgoing.failed), (100, 0));
    }

    #[test]
    fn what_cannot_be_sent_does_not_hold_up_the_rest() {
        let (mut outgoing, mut wire) = (Outgoing::new(), Wire { room: 1000, ..Wire::default() });
        outgoing.allow(1000);
        write(&mut outgoing, 10..20, &mut wire);
        outgoing.flush(&mut wire);
        assert_eq!((outgoing.sent, outgoing.failed), (9, 1));
        assert_eq!(wire.went.len(), 9);
    }

    #[test]
    fn the_allowance_ends_a_drain() {
        let (mut outgoing, mut wire) = (Outgoing::new(), Wire { room: 1000, ..Wire::default() });
        outgoing.allow(40);
        assert_eq!(write(&mut outgoing, 0..100, &mut wire), 40);
        assert!(!outgoing.may_write() && !outgoing.is_blocked());
    }
}
