//! What UDP carries: the four datagrams of a handshake, and packets.

use crate::id::{PublicKey, SessionId};

use super::{MAX_DATAGRAM, MIN_DATAGRAM, TAG_LENGTH};

/// The first byte of a datagram.
mod kind {
    pub(super) const HELLO_SERVER: u8 = 1;
    pub(super) const HELLO_PEER: u8 = 2;
    pub(super) const RETRY: u8 = 3;
    pub(super) const INIT: u8 = 4;
    pub(super) const ACCEPT: u8 = 5;
    pub(super) const PACKET: u8 = 6;
}

/// A datagram, told apart but not yet believed.
#[derive(Debug)]
pub enum Datagram<'a> {
    /// Asks for an address proof.
    Hello(Hello),
    /// Hands one out.
    Retry(Retry),
    /// Handshake message 1, with the proof.
    Init(Init<'a>),
    /// Handshake message 2.
    Accept(Accept<'a>),
    /// A protected packet: its header, then all that follows it, tag included.
    Packet(PacketHeader, &'a mut [u8]),
}

/// Why bytes are no datagram of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatagramError {
    /// Too short or too long for its type.
    Length,
    /// The first byte names no type.
    Type,
}

impl<'a> Datagram<'a> {
    /// Tells a datagram apart by its first byte and checks its length.
    ///
    /// # Errors
    /// [`DatagramError`]; nothing else about the content is checked here.
    pub fn parse(bytes: &'a mut [u8]) -> Result<Self, DatagramError> {
        if bytes.len() > MAX_DATAGRAM {
            return Err(DatagramError::Length);
        }
        let length = DatagramError::Length;
        match bytes.first().ok_or(length)? {
            &kind::HELLO_SERVER | &kind::HELLO_PEER => {
                Hello::parse(bytes).map(Self::Hello).ok_or(length)
            }
            &kind::RETRY => Retry::parse(bytes).map(Self::Retry).ok_or(length),
            &kind::INIT => Init::parse(bytes).map(Self::Init).ok_or(length),
            &kind::ACCEPT => Accept::parse(bytes).map(Self::Accept).ok_or(length),
            &kind::PACKET => {
                let (header, sealed) =
                    bytes.split_at_mut_checked(PacketHeader::LENGTH).ok_or(length)?;
                if sealed.len() < TAG_LENGTH {
                    return Err(length);
                }
                let header = PacketHeader::parse(header).ok_or(length)?;
                Ok(Self::Packet(header, sealed))
            }
            _ => Err(DatagramError::Type),
        }
    }
}

/// Whom a [`Hello`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloTo {
    /// A server, which answers anyone and says its key.
    Server,
    /// A peer, which answers only those who know its key: a MAC under that key
    /// over the rest of the Hello shows it.
    Peer {
        /// See [`crate::session`] for what is under it.
        mac: [u8; 16],
    },
}

/// Asks for an address proof. On the wire it is padded with zeros to `size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version spoken; the layout of Hello and Retry is the same in all versions.
    pub version: u8,
    /// The datagram size wanted, [`MIN_DATAGRAM`] to [`MAX_DATAGRAM`].
    pub size: u16,
    /// Ties the Retry to this Hello.
    pub random: [u8; 16],
    /// A server or a peer.
    pub to: HelloTo,
}

impl Hello {
    /// Type, version, size and random: what the MAC and the cookie cover.
    pub const HEADER_LENGTH: usize = 20;
    const MAC_END: usize = Self::HEADER_LENGTH + 16;

    /// The first 20 bytes of the datagram.
    pub fn header(&self) -> [u8; Self::HEADER_LENGTH] {
        let mut header = [0; Self::HEADER_LENGTH];
        let kind = match self.to {
            HelloTo::Server => kind::HELLO_SERVER,
            HelloTo::Peer { .. } => kind::HELLO_PEER,
        };
        let [low, high] = self.size.to_le_bytes();
        let (front, random) = header.split_at_mut(4);
        front.copy_from_slice(&[kind, self.version, low, high]);
        random.copy_from_slice(&self.random);
        header
    }

    /// Writes the datagram, padding included.
    pub fn encode<'b>(&self, out: &'b mut [u8; MAX_DATAGRAM]) -> &'b mut [u8] {
        out.fill(0);
        put(out, 0, &self.header());
        if let HelloTo::Peer { mac } = &self.to {
            put(out, Self::HEADER_LENGTH, mac);
        }
        let size = usize::from(self.size).clamp(MIN_DATAGRAM, MAX_DATAGRAM);
        out.split_at_mut(size).0
    }

    /// The Hello that a datagram is; `None` if it is something else, or not as long as it says.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mac = *bytes.get(Self::HEADER_LENGTH..)?.first_chunk()?;
        let hello = Self::parse_header(bytes.first_chunk()?, mac)?;
        (bytes.len() == usize::from(hello.size)).then_some(hello)
    }

    fn parse_header(header: &[u8; Self::HEADER_LENGTH], mac: [u8; 16]) -> Option<Self> {
        let (&[kind, version, low, high], random) = header.split_first_chunk()?;
        let size = u16::from_le_bytes([low, high]);
        let to = match kind {
            kind::HELLO_SERVER => HelloTo::Server,
            kind::HELLO_PEER => HelloTo::Peer { mac },
            _ => return None,
        };
        let fits = (MIN_DATAGRAM..=MAX_DATAGRAM).contains(&usize::from(size));
        fits.then_some(Self { version, size, random: *random.first_chunk()?, to })
    }
}

const _: () = assert!(Hello::MAC_END <= MIN_DATAGRAM);
// At most half of the smallest Hello goes to an address that has proven nothing.
const _: () = assert!(Retry::SERVER_LENGTH <= MIN_DATAGRAM / 2);

/// The answer to a [`Hello`]: an address proof that costs its sender no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The version that the responder speaks.
    pub version: u8,
    /// The Hello's random bytes.
    pub random: [u8; 16],
    /// A MAC over address, time and Hello under the responder's rotating secret.
    pub cookie: [u8; 16],
    /// The server's static key; a peer serves none.
    pub key: Option<PublicKey>,
    /// A MAC over all of the above under the Hello's random bytes. It shows
    /// that nothing was damaged on the way; it proves no identity.
    pub check: [u8; 16],
}

impl Retry {
    const PEER_LENGTH: usize = 2 + 16 + 16 + 16;
    const SERVER_LENGTH: usize = Self::PEER_LENGTH + 32;

    /// The most bytes of a Retry.
    pub const SIZE_BOUND: usize = Self::SERVER_LENGTH;

    /// The datagram without its check.
    pub fn checked<'b, const N: usize>(&self, out: &'b mut [u8; N]) -> &'b mut [u8] {
        const { assert!(N >= Self::SIZE_BOUND) };
        put(out, 0, &[kind::RETRY, self.version]);
        put(out, 2, &self.random);
        put(out, 18, &self.cookie);
        let end = match &self.key {
            None => 34,
            Some(key) => {
                put(out, 34, &key.0);
                66
            }
        };
        out.split_at_mut(end).0
    }

    /// Writes the datagram.
    pub fn encode<'b, const N: usize>(&self, out: &'b mut [u8; N]) -> &'b mut [u8] {
        let end = self.checked(out).len();
        put(out, end, &self.check);
        out.split_at_mut(end + 16).0
    }

    /// Writes the datagram over the one that it answers, which is at least twice as long.
    pub(crate) fn encode_over<'b>(&self, hello: &'b mut [u8]) -> &'b [u8] {
        hello.first_chunk_mut::<MIN_DATAGRAM>().map_or(&[], |front| self.encode(front))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[_, version], rest) = bytes.split_first_chunk()?;
        let (random, rest) = rest.split_first_chunk()?;
        let (cookie, rest) = rest.split_first_chunk()?;
        let (key, rest) = match bytes.len() {
            Self::PEER_LENGTH => (None, rest),
            Self::SERVER_LENGTH => {
                let (key, rest) = rest.split_first_chunk()?;
                (Some(PublicKey(*key)), rest)
            }
            _ => return None,
        };
        Some(Self { version, random: *random, cookie: *cookie, key, check: *rest.first_chunk()? })
    }
}

/// Handshake message 1 behind its address proof: the Hello it follows, and the
/// cookie that answered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Init<'a> {
    /// The Hello that was answered.
    pub hello: Hello,
    /// The cookie from the Retry.
    pub cookie: [u8; 16],
    /// Noise IK message 1, payload included.
    pub noise: &'a [u8],
}

impl<'a> Init<'a> {
    const NOISE: usize = 1 + Hello::MAC_END + 16;

    /// Bytes of an Init around `noise` bytes of message 1.
    pub const fn length(noise: usize) -> usize {
        Self::NOISE + noise
    }

    /// Writes the datagram.
    pub fn encode<'b>(&self, out: &'b mut [u8; MAX_DATAGRAM]) -> &'b mut [u8] {
        let mac = match self.hello.to {
            HelloTo::Server => [0; 16],
            HelloTo::Peer { mac } => mac,
        };
        put(out, 0, &[kind::INIT]);
        put(out, 1, &self.hello.header());
        put(out, 1 + Hello::HEADER_LENGTH, &mac);
        put(out, 1 + Hello::MAC_END, &self.cookie);
        put(out, Self::NOISE, self.noise);
        out.split_at_mut((Self::NOISE + self.noise.len()).min(MAX_DATAGRAM)).0
    }

    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (_, rest) = bytes.split_first()?;
        let (header, rest) = rest.split_first_chunk()?;
        let (mac, rest) = rest.split_first_chunk()?;
        let (cookie, noise) = rest.split_first_chunk()?;
        let hello = Hello::parse_header(header, *mac)?;
        let reserved = hello.to == HelloTo::Server && *mac != [0; 16];
        (!reserved).then_some(Self { hello, cookie: *cookie, noise })
    }
}

/// Handshake message 2, addressed to the initiator's session id.
#[derive(Debug, PartialEq, Eq)]
pub struct Accept<'a> {
    /// The id that the initiator chose.
    pub session: SessionId,
    /// Noise IK message 2, payload and padding included; it is opened in place.
    pub noise: &'a mut [u8],
}

impl<'a> Accept<'a> {
    const NOISE: usize = 5;

    /// Bytes of an Accept around `noise` bytes of message 2.
    pub const fn length(noise: usize) -> usize {
        Self::NOISE + noise
    }

    /// Writes the datagram.
    pub fn encode<'b>(&self, out: &'b mut [u8; MAX_DATAGRAM]) -> &'b mut [u8] {
        put(out, 0, &[kind::ACCEPT]);
        put(out, 1, &self.session.0.to_le_bytes());
        put(out, Self::NOISE, self.noise);
        out.split_at_mut((Self::NOISE + self.noise.len()).min(MAX_DATAGRAM)).0
    }

    fn parse(bytes: &'a mut [u8]) -> Option<Self> {
        let (_, rest) = bytes.split_first_mut()?;
        let (session, noise) = rest.split_first_chunk_mut()?;
        Some(Self { session: SessionId(u32::from_le_bytes(*session)), noise })
    }
}

/// What stands in clear ahead of a packet's ciphertext; it is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketHeader {
    /// The receiver's session id.
    pub session: SessionId,
    /// Packet number and nonce: from 0 upwards, never repeated, never wrapping.
    pub counter: u64,
}

impl PacketHeader {
    /// Type, session id and counter.
    pub const LENGTH: usize = 13;

    /// The 13 bytes, which are also the associated data of the packet's seal.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut out = [0; Self::LENGTH];
        put(&mut out, 0, &[kind::PACKET]);
        put(&mut out, 1, &self.session.0.to_le_bytes());
        put(&mut out, 5, &self.counter.to_le_bytes());
        out
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (_, rest) = bytes.split_first()?;
        let (session, rest) = rest.split_first_chunk()?;
        let counter = u64::from_le_bytes(*rest.first_chunk()?);
        Some(Self { session: SessionId(u32::from_le_bytes(*session)), counter })
    }
}

/// Copies `bytes` to `at`; what would not fit is left out (callers' sizes are constants).
fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    for (to, from) in out.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(to: HelloTo) -> Hello {
        Hello { version: 1, size: 300, random: [7; 16], to }
    }

    #[test]
    fn every_datagram_comes_back_as_it_was_written() {
        let mut out = [0xff; MAX_DATAGRAM];
        for to in [HelloTo::Server, HelloTo::Peer { mac: [9; 16] }] {
            let wire = hello(to).encode(&mut out);
            assert_eq!(wire.len(), 300);
            assert!(matches!(Datagram::parse(wire), Ok(Datagram::Hello(h)) if h == hello(to)));

            let init = Init { hello: hello(to), cookie: [3; 16], noise: &[1, 2, 3] };
            let wire = init.encode(&mut out);
            assert_eq!(wire.len(), Init::length(3));
            assert!(matches!(Datagram::parse(wire), Ok(Datagram::Init(i)) if i == init));
        }
        for key in [None, Some(PublicKey([4; 32]))] {
            let retry = Retry { version: 1, random: [1; 16], cookie: [2; 16], key, check: [5; 16] };
            assert!(
                matches!(Datagram::parse(retry.encode(&mut out)), Ok(Datagram::Retry(r)) if r == retry)
            );
        }
        let accept = Accept { session: SessionId(77), noise: &mut [5; 60] };
        assert!(
            matches!(Datagram::parse(accept.encode(&mut out)), Ok(Datagram::Accept(a)) if a == accept)
        );
        let header = PacketHeader { session: SessionId(5), counter: u64::MAX };
        let mut wire = [0; 40];
        wire[..13].copy_from_slice(&header.encode());
        assert!(
            matches!(Datagram::parse(&mut wire), Ok(Datagram::Packet(h, sealed)) if h == header && sealed.len() == 27)
        );
    }

    #[test]
    fn wrong_lengths_and_types_are_told_apart() {
        let error = |bytes: &mut [u8]| Datagram::parse(bytes).unwrap_err();
        assert_eq!(error(&mut []), DatagramError::Length);
        assert_eq!(error(&mut [0]), DatagramError::Type);
        assert_eq!(error(&mut [7; 100]), DatagramError::Type);
        assert_eq!(error(&mut [6; MAX_DATAGRAM + 1]), DatagramError::Length);
        assert_eq!(error(&mut [6; 28]), DatagramError::Length);
        let mut out = [0; MAX_DATAGRAM];
        let wire = hello(HelloTo::Server).encode(&mut out);
        // A Hello that is shorter than it says would earn more than half of itself.
        assert_eq!(error(&mut wire[..299]), DatagramError::Length);
    }
}
