//! One session in the hands of someone who has its keys and sends what they like.

use std::{collections::BTreeSet, net::SocketAddr};

use proto_core::{
    id::{PublicKey, SecretKey, SessionId},
    random::Random,
    session::{self, Identity, Initiator, Keys, Offer, Suite},
    wire::{
        Ack, AckGap, CreditLimit, DEFAULT_DATAGRAM, Datagram, Frame, FrameWriter, Hello, HelloTo,
        Init, MAX_ACK_RANGES, MAX_DATAGRAM, PACKET_OVERHEAD, PacketHeader, VERSION,
    },
};

use crate::dice::Dice;

/// More than anyone ever sends: nothing is held back for want of credit.
const CREDIT: u32 = 1 << 30;

/// How many received packet numbers are remembered.
const REMEMBERED: usize = 256;

/// Whom a session is with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contact {
    /// Where they are.
    pub(super) to: SocketAddr,
    /// Their key.
    pub(super) key: PublicKey,
    /// They are a server, and not a client as a peer.
    pub(super) serves: bool,
}

/// One session, or the handshake that leads to it.
#[derive(Debug)]
pub(super) struct Session {
    identity: Identity,
    with: Contact,
    /// Names it: the first bytes of the Hello, and the session id.
    id: u32,
    hello: Hello,
    stage: Stage,
    init: Vec<u8>,
    received: BTreeSet<u64>,
    /// What the other side granted, and what of that is used.
    granted: CreditLimit,
    used: CreditLimit,
}

#[derive(Debug)]
enum Stage {
    Hello,
    Init(Box<Initiator>),
    Live(Box<Keys>, SessionId),
}

/// What came with a datagram.
#[derive(Debug)]
pub(super) enum Heard {
    /// Nothing of use.
    Nothing,
    /// A proof of address: the Init with it is to be sent.
    Proof,
    /// The session is live.
    Accept,
    /// A packet with these frames.
    Packet(Vec<u8>),
}

impl Session {
    /// A handshake that begins with [`Self::hello`].
    pub(super) fn new(
        suite: &'static dyn Suite,
        secret: [u8; 32],
        with: Contact,
        dice: &mut Dice,
    ) -> Self {
        let (identity, random) = (Identity::new(SecretKey(secret), suite), dice.bytes::<16>());
        let [a, b, c, d, ..] = random;
        let to = if with.serves { HelloTo::Server } else { HelloTo::Peer { mac: [0; 16] } };
        let mut hello = Hello { version: VERSION, size: DEFAULT_DATAGRAM as u16, random, to };
        if !with.serves {
            hello.to = HelloTo::Peer { mac: session::hello_mac(suite, &with.key, &hello) };
        }
        let id = u32::from_le_bytes([a, b, c, d]);
        let (stage, received, init) = (Stage::Hello, BTreeSet::new(), Vec::new());
        let none = CreditLimit { bytes: 0, messages: 0 };
        Self { identity, with, id, hello, stage, init, received, granted: none, used: none }
    }

    /// Whom it is with.
    pub(super) fn with(&self) -> Contact {
        self.with
    }

    /// What its datagrams from the other side name it by.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// The session is there.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.stage, Stage::Live(..))
    }

    /// Uses credit for a message of so many bytes, if there is enough.
    pub(super) fn spend(&mut self, bytes: u64) -> bool {
        let CreditLimit { bytes: used, messages } = self.used;
        let used = CreditLimit { bytes: used + bytes, messages: messages + 1 };
        let enough = used.bytes <= self.granted.bytes && used.messages <= self.granted.messages;
        if enough {
            self.used = used;
        }
        enough
    }

    /// The other side grants so much in all.
    pub(super) fn grant(&mut self, limit: CreditLimit) {
        self.granted.bytes = self.granted.bytes.max(limit.bytes);
        self.granted.messages = self.granted.messages.max(limit.messages);
    }

    /// Its first datagram.
    pub(super) fn hello(&self) -> Vec<u8> {
        self.hello.encode(&mut [0; MAX_DATAGRAM]).to_vec()
    }

    /// Handshake message 1, the same each time; empty before its [`Heard::Proof`].
    pub(super) fn init(&self) -> &[u8] {
        &self.init
    }

    /// Takes a datagram of its own.
    pub(super) fn hear(&mut self, mut datagram: Vec<u8>, random: &mut Random) -> Heard {
        match (Datagram::parse(&mut datagram), &mut self.stage) {
            (Ok(Datagram::Retry(retry)), Stage::Hello) => {
                let offer =
                    Offer { session: SessionId(self.id), credit: CREDIT, messages: u16::MAX };
                let (us, them) = (&self.identity, &self.with.key);
                let begun = Initiator::new(us, them, &self.hello, &retry, offer, random, 1);
                let Some((initiator, noise)) = begun else { return Heard::Nothing };
                let init = Init { hello: self.hello, cookie: retry.cookie, noise: &noise };
                self.init = init.encode(&mut [0; MAX_DATAGRAM]).to_vec();
                self.stage = Stage::Init(Box::new(initiator));
                Heard::Proof
            }
            (Ok(Datagram::Accept(accept)), Stage::Init(initiator)) => {
                let finished = initiator.finish(&self.identity, accept.noise);
                let Some((keys, offer)) = finished else { return Heard::Nothing };
                self.stage = Stage::Live(Box::new(keys), offer.session);
                self.granted =
                    CreditLimit { bytes: offer.credit.into(), messages: offer.messages.into() };
                Heard::Accept
            }
            (Ok(Datagram::Packet(header, sealed)), Stage::Live(keys, _)) => {
                let opened = keys.open.open(self.identity.suite(), header, sealed);
                let Ok(plain) = opened else { return Heard::Nothing };
                self.received.insert(header.counter);
                if self.received.len() > REMEMBERED {
                    self.received.pop_first();
                }
                Heard::Packet(plain.to_vec())
            }
            _ => Heard::Nothing,
        }
    }

    /// Packets with these frames, as few as they fit; none before the session is live.
    pub(super) fn packets(&mut self, frames: &[Frame<'_>]) -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        let mut rest = frames;
        while !rest.is_empty() {
            let mut packet = vec![0; DEFAULT_DATAGRAM];
            let end = DEFAULT_DATAGRAM - (PACKET_OVERHEAD - PacketHeader::LENGTH);
            let mut writer = FrameWriter::new(&mut packet, PacketHeader::LENGTH, end);
            let taken = rest.iter().take_while(|frame| writer.push(frame)).count();
            let length = writer.length();
            assert!(taken > 0, "each frame fits a packet");
            rest = &rest[taken..];
            let Stage::Live(keys, theirs) = &mut self.stage else { return packets };
            let sealed = keys.seal.seal(self.identity.suite(), *theirs, &mut packet, length);
            let (_, length) = sealed.expect("the counters last");
            packet.truncate(length);
            packets.push(packet);
        }
        packets
    }

    /// Acknowledges all that came, as far as one Ack can tell.
    pub(super) fn ack(&self) -> Option<Frame<'static>> {
        let mut runs = Vec::<(u64, u64)>::new();
        for number in self.received.iter().rev() {
            match runs.last_mut() {
                Some((low, _)) if *low == number + 1 => *low = *number,
                _ => runs.push((*number, *number)),
            }
        }
        let (low, largest) = *runs.first()?;
        let gap = |((above, _), (below, high)): (&(u64, u64), &(u64, u64))| AckGap {
            missing: above - high - 2,
            run: high - below,
        };
        let gaps = runs.iter().zip(&runs[1..]).map(gap).take(MAX_ACK_RANGES).collect();
        let ack = Ack { largest, delay: 0, first: largest - low, gaps };
        Some(Frame::Ack(ack))
    }
}
