//! Datagrams in a test's hand: taken off the network, changed, handed over, and
//! what their receiver makes of them. Those who have the keys may lie in them.

use std::{fmt, net::SocketAddr};

use proto_core::{
    link::Drops,
    session::Suite as _,
    time::Instant,
    wire::{Datagram, Frame, FrameWriter, Frames, MAX_DATAGRAM, PacketHeader, TAG_LENGTH},
};

use crate::{
    clock::SECOND,
    role::{Effect, Input},
    suite::{STAND_IN, Seals},
    world::World,
};

/// How long a datagram is waited for.
const PATIENCE: u64 = 60 * SECOND;

/// The most actions that a receiver may owe.
const MOST: usize = 100;

/// A datagram with its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Where it comes from, or pretends to.
    pub from: SocketAddr,
    /// Where it goes.
    pub to: SocketAddr,
    /// The datagram.
    pub bytes: Vec<u8>,
}

impl Letter {
    /// The same with one bit flipped.
    #[must_use]
    pub fn flipped(&self, bit: usize) -> Self {
        let mut letter = self.clone();
        letter.bytes[bit / 8] ^= 1 << (bit % 8);
        letter
    }

    /// Whether it is a packet with such a frame, in a world whose plaintexts are kept.
    pub fn has(&self, wanted: impl Fn(&Frame<'_>) -> bool) -> bool {
        let Some((_, plain)) = self.bytes.last_chunk::<TAG_LENGTH>().and_then(|t| Seals::under(t))
        else {
            return false;
        };
        Frames::new(&plain).any(|frame| frame.is_ok_and(|frame| wanted(&frame)))
    }

    /// The same packet as its sender, who has the key, would have sealed it to say something
    /// else: each frame is what `lie` makes of it, if it makes anything of it. In a world on
    /// the stand-in, whose plaintexts are kept.
    ///
    /// # Panics
    /// If it is no packet, or the lies do not fit in one.
    #[must_use]
    pub fn with_lies(&self, lie: impl for<'f> Fn(&Frame<'f>) -> Option<Frame<'f>>) -> Self {
        let mut bytes = self.bytes.clone();
        let (key, plain) = bytes
            .last_chunk::<TAG_LENGTH>()
            .and_then(|tag| Seals::under(tag))
            .expect("it is a packet of this world");
        let Ok(Datagram::Packet(header, _)) = Datagram::parse(&mut bytes) else {
            panic!("it is no packet");
        };
        let mut packet = [0; MAX_DATAGRAM];
        let end = MAX_DATAGRAM - TAG_LENGTH;
        let mut writer = FrameWriter::new(&mut packet, PacketHeader::LENGTH, end);
        for frame in Frames::new(&plain) {
            let frame = frame.expect("its sender made sound frames");
            assert!(writer.push(&lie(&frame).unwrap_or(frame)), "the lies do not fit");
        }
        let end = PacketHeader::LENGTH + writer.length();
        packet[..PacketHeader::LENGTH].copy_from_slice(&header.encode());
        let text = &mut packet[PacketHeader::LENGTH..end];
        // Not watched: it is the same packet told in another way, not another one.
        let tag = STAND_IN.0.seal(&key, header.counter, &header.encode(), text);
        Self { bytes: [&packet[..end], &tag].concat(), ..self.clone() }
    }
}

/// What a receiver made of a datagram.
#[derive(Debug)]
pub struct Reaction {
    /// What it owed then: nothing of it was carried out.
    pub effects: Vec<Effect>,
    /// What it had dropped so far, before and after.
    pub drops: (Drops, Drops),
    /// Its deadline, before and after.
    pub deadline: (Option<Instant>, Option<Instant>),
}

impl Reaction {
    /// Nothing came of it.
    pub fn is_silent(&self) -> bool {
        self.effects.is_empty() && self.is_calm()
    }

    /// It was counted as dropped, and nothing else came of it.
    pub fn is_drop(&self) -> bool {
        self.drops.0 != self.drops.1 && self.is_silent()
    }

    /// One datagram was owed and nothing else changed; that datagram.
    pub fn answer(&self) -> Option<&[u8]> {
        match self.effects.as_slice() {
            [Effect::Send { datagram, .. }] if self.is_calm() => Some(datagram),
            _ => None,
        }
    }

    fn is_calm(&self) -> bool {
        self.deadline.0 == self.deadline.1
    }
}

/// Datagrams that are wanted are held: the next one, or all.
pub(crate) struct Interception {
    wanted: Box<dyn Fn(&Letter) -> bool>,
    most: usize,
    held: Vec<Letter>,
}

impl fmt::Debug for Interception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interception").field("held", &self.held).finish_non_exhaustive()
    }
}

impl World {
    /// The next datagram that is wanted is taken off the network.
    pub fn intercept(&mut self, wanted: impl Fn(&Letter) -> bool + 'static) {
        self.begin_interception(wanted, 1);
    }

    /// All datagrams that are wanted are taken off the network, until [`Self::held`].
    pub fn hold(&mut self, wanted: impl Fn(&Letter) -> bool + 'static) {
        self.begin_interception(wanted, usize::MAX);
    }

    /// What [`Self::hold`] took off the network, in the order in which it was sent.
    pub fn held(&mut self) -> Vec<Letter> {
        self.interception.take().map(|interception| interception.held).unwrap_or_default()
    }

    fn begin_interception(&mut self, wanted: impl Fn(&Letter) -> bool + 'static, most: usize) {
        let wanted = Box::new(wanted);
        self.interception = Some(Interception { wanted, most, held: Vec::new() });
    }

    /// Lets time pass until the datagram to [`Self::intercept`] is there.
    ///
    /// # Panics
    /// When nobody sends one within a minute.
    pub fn intercepted(&mut self) -> Letter {
        let end = self.now + PATIENCE;
        loop {
            let held = self.interception.as_mut().and_then(|interception| interception.held.pop());
            if let Some(letter) = held {
                self.interception = None;
                return letter;
            }
            assert!(self.advance(end), "nobody sent what was to be intercepted");
        }
    }

    /// A datagram arrives.
    pub fn deliver(&mut self, letter: &Letter) {
        self.arrive(letter.from, letter.to, letter.bytes.clone(), false);
    }

    /// Hands a datagram over and looks at what comes of it, which is not carried out:
    /// for one that should have no effect, or one answer. `None` if nobody is there.
    pub fn probe(&mut self, letter: &Letter) -> Option<Reaction> {
        let now = self.now;
        let node = self.nodes.iter_mut().find(|node| node.address == letter.to)?;
        let now = node.clock.instant(now);
        let role = node.role.as_mut()?;
        let (drops, deadline) = (role.drops(), role.deadline());
        let (from, bytes) = (letter.from, letter.bytes.clone());
        let outcome = role.take(now, Input::Datagram { from, bytes, damaged: true }, MOST);
        let after = (role.drops(), role.deadline());
        node.complete = outcome.complete;
        Some(Reaction {
            effects: outcome.effects,
            drops: (drops, after.0),
            deadline: (deadline, after.1),
        })
    }

    pub(crate) fn is_intercepted(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> bool {
        let Some(interception) = self.interception.as_mut() else { return false };
        let letter = Letter { from, to, bytes: bytes.to_vec() };
        let room = interception.held.len() < interception.most;
        let taken = room && (interception.wanted)(&letter);
        if taken {
            interception.held.push(letter);
        }
        taken
    }
}
