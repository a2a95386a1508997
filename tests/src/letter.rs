//! A datagram in a test's hand: read, changed, and, by those who have the keys, lied in.

use std::net::SocketAddr;

use proto_core::{
    session::Suite as _,
    wire::{Datagram, Frame, FrameWriter, Frames, MAX_DATAGRAM, PACKET_OVERHEAD, TAG_LENGTH},
};

use crate::suite::{STAND_IN, Seals};

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
        self.retold(|plain| {
            let mut packet = [0; MAX_DATAGRAM];
            let mut writer = FrameWriter::new(&mut packet, 0, MAX_DATAGRAM - PACKET_OVERHEAD);
            for frame in Frames::new(plain) {
                let frame = frame.expect("its sender made sound frames");
                assert!(writer.push(&lie(&frame).unwrap_or(frame)), "the lies do not fit");
            }
            let length = writer.length();
            packet[..length].to_vec()
        })
    }

    /// The same packet with another plaintext, sealed as its sender would have.
    ///
    /// # Panics
    /// If it is no packet, or not one of this world.
    pub(crate) fn retold(&self, tell: impl FnOnce(&[u8]) -> Vec<u8>) -> Self {
        let mut bytes = self.bytes.clone();
        let (key, plain) = bytes
            .last_chunk::<TAG_LENGTH>()
            .and_then(|tag| Seals::under(tag))
            .expect("it is a packet of this world");
        let Ok(Datagram::Packet(header, _)) = Datagram::parse(&mut bytes) else {
            panic!("it is no packet");
        };
        let (head, mut text) = (header.encode(), tell(&plain));
        // Not watched: it is the same packet told in another way, not another one.
        let tag = STAND_IN.0.seal(&key, header.counter, &head, &mut text);
        Self { bytes: [&head[..], &text, &tag].concat(), ..self.clone() }
    }
}
