//! A session's two keys, and those before and after them: sealing and opening packets.

use core::fmt;

use crate::id::SessionId;
use crate::wire::{PACKET_OVERHEAD, PacketHeader, TAG_LENGTH};

use super::derive::{Key, split};
use super::replay::ReplayWindow;
use super::suite::Suite;

/// A session's keys, one for each direction. Both are wiped when dropped.
#[derive(Debug)]
pub struct Keys {
    /// For what is sent.
    pub seal: SealKey,
    /// For what is received.
    pub open: OpenKey,
}

impl Keys {
    pub(super) fn new(seal: Key, open: Key) -> Self {
        Self {
            seal: SealKey { key: seal, counter: 0 },
            open: OpenKey { key: open, window: ReplayWindow::default() },
        }
    }

    /// Goes on under other keys. Counters go on too, so that each is used once in a session, whatever
    /// the key. What is under way to here is still under the key that comes back; the
    /// other one is wiped.
    #[must_use]
    pub fn replace(&mut self, next: KeyPair) -> FormerKey {
        self.seal.key = next.seal;
        FormerKey(core::mem::replace(&mut self.open.key, next.open))
    }
}

/// The keys that a session goes on under. Both are wiped when dropped.
#[derive(Debug)]
pub struct KeyPair {
    pub(super) seal: Key,
    pub(super) open: Key,
}

/// What a responder makes the keys of that a session goes on under, until the initiator is known to have
/// them too: half as large. It is wiped when dropped.
#[derive(Debug)]
pub struct NextKeys(pub(super) Key);

impl NextKeys {
    /// The keys, the same each time.
    pub fn split(&self, suite: &dyn Suite) -> KeyPair {
        let [open, seal] = split(suite, &self.0);
        KeyPair { seal, open }
    }
}

/// The key that was replaced, for what is late. It is wiped when dropped.
#[derive(Debug)]
pub struct FormerKey(Key);

/// No packet has this counter or a higher one: it is never sealed and never opened.
pub const COUNTER_LIMIT: u64 = 1 << 62;

/// Seals what is sent.
#[derive(Debug)]
pub struct SealKey {
    pub(super) key: Key,
    counter: u64,
}

impl SealKey {
    /// The counter of the packet that is sealed next.
    pub fn next(&self) -> u64 {
        self.counter
    }

    /// Leaves out the next counter: no packet will have it.
    pub fn skip(&mut self) {
        self.counter = self.counter.saturating_add(1);
    }

    /// Makes a packet out of `packet`, which has 13 bytes of room for the header,
    /// then `plaintext` bytes, then 16 bytes of room for the tag; what is behind
    /// them stays as it is. `session` is the receiver's id. Returns the packet's
    /// counter and the datagram's length.
    ///
    /// `None`, and nothing done, if the counters are used up
    /// ([`COUNTER_LIMIT`]) or `packet` is too short.
    #[must_use]
    pub fn seal(
        &mut self,
        suite: &dyn Suite,
        session: SessionId,
        packet: &mut [u8],
        plaintext: usize,
    ) -> Option<(u64, usize)> {
        let counter = self.counter;
        if counter >= COUNTER_LIMIT {
            return None;
        }
        let length = plaintext.checked_add(PACKET_OVERHEAD)?;
        let (header, rest) = packet.get_mut(..length)?.split_first_chunk_mut()?;
        let (text, tag) = rest.split_last_chunk_mut()?;
        self.counter = counter.saturating_add(1);
        *header = PacketHeader { session, counter }.encode();
        *tag = suite.seal(&self.key.0, counter, header, text);
        Some((counter, length))
    }
}

/// Opens what is received, each packet once, whatever the key.
#[derive(Debug)]
pub struct OpenKey {
    pub(super) key: Key,
    window: ReplayWindow,
}

impl OpenKey {
    /// Opens a packet in place: `sealed` is all that follows its header, tag
    /// included. Returns the plaintext. The order is fixed: the replay window
    /// is asked, the packet opened, the window moved.
    ///
    /// # Errors
    /// [`OpenError`]; the window has not moved then.
    pub fn open<'a>(
        &mut self,
        suite: &dyn Suite,
        header: PacketHeader,
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], OpenError> {
        open(&mut self.window, &self.key, suite, header, sealed)
    }

    /// As [`Self::open`], for a packet under the keys that follow.
    ///
    /// # Errors
    /// [`OpenError`]; the window has not moved then.
    pub fn open_next<'a>(
        &mut self,
        next: &KeyPair,
        suite: &dyn Suite,
        header: PacketHeader,
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], OpenError> {
        open(&mut self.window, &next.open, suite, header, sealed)
    }

    /// As [`Self::open`], for a late packet under the key that was replaced.
    ///
    /// # Errors
    /// [`OpenError`]; the window has not moved then.
    pub fn open_former<'a>(
        &mut self,
        former: &FormerKey,
        suite: &dyn Suite,
        header: PacketHeader,
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], OpenError> {
        open(&mut self.window, &former.0, suite, header, sealed)
    }

    /// The highest counter that was opened; 0 before any.
    pub fn highest(&self) -> u64 {
        self.window.highest()
    }
}

fn open<'a>(
    window: &mut ReplayWindow,
    key: &Key,
    suite: &dyn Suite,
    header: PacketHeader,
    sealed: &'a mut [u8],
) -> Result<&'a mut [u8], OpenError> {
    if !window.peek(header.counter) {
        return Err(OpenError::Replayed);
    }
    let (text, tag) = sealed.split_last_chunk_mut::<TAG_LENGTH>().ok_or(OpenError::Unauthentic)?;
    if header.counter >= COUNTER_LIMIT
        || !suite.open(&key.0, header.counter, &header.encode(), text, tag)
    {
        return Err(OpenError::Unauthentic);
    }
    window.commit(header.counter);
    Ok(text)
}

/// Why a packet is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// It was opened before, or is older than the replay window.
    Replayed,
    /// Nobody who has the session's key sealed it as it is.
    Unauthentic,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replayed => "the packet was seen before or is too old",
            Self::Unauthentic => "the packet is not authentic",
        })
    }
}

impl core::error::Error for OpenError {}

#[cfg(test)]
mod tests {
    use super::super::suite::Portable;
    use super::*;

    fn pair() -> (SealKey, OpenKey) {
        let key = || Key([3; 32]);
        (Keys::new(key(), key()).seal, Keys::new(key(), key()).open)
    }

    const ID: SessionId = SessionId(0x0102_0304);

    #[test]
    fn counters_rise_and_end() {
        let (mut seal, mut open) = pair();
        let mut packet = [9; 40];
        assert_eq!(seal.seal(&Portable, ID, &mut packet, 12), None, "41 bytes in 40");
        assert_eq!(seal.seal(&Portable, ID, &mut packet, usize::MAX), None);
        assert_eq!(packet, [9; 40], "touched although there was no room");
        assert_eq!(seal.seal(&Portable, ID, &mut packet, 4), Some((0, 33)));
        assert_eq!(packet[33..], [9; 7]);
        assert_eq!(seal.seal(&Portable, ID, &mut packet, 0), Some((1, 29)));

        seal.counter = COUNTER_LIMIT - 1;
        assert_eq!(seal.seal(&Portable, ID, &mut packet, 5), Some((COUNTER_LIMIT - 1, 34)));
        assert_eq!(seal.seal(&Portable, ID, &mut packet, 5), None);

        let header = PacketHeader { session: ID, counter: COUNTER_LIMIT };
        let tag = Portable.seal(&[3; 32], COUNTER_LIMIT, &header.encode(), &mut []);
        assert_eq!(
            open.open(&Portable, header, &mut { tag }),
            Err(OpenError::Unauthentic),
            "a counter that no sender may reach"
        );
    }

    #[test]
    fn a_packet_opens_once_and_unchanged_only() {
        let (mut seal, mut open) = pair();
        let mut packet = [5; 13 + 21 + 16];
        let header = PacketHeader { session: ID, counter: 0 };
        assert_eq!(seal.seal(&Portable, ID, &mut packet, 21), Some((0, 50)));
        assert_eq!(packet[..13], header.encode());
        for bit in 0..37 * 8 {
            let mut sealed: [u8; 37] = packet[13..].try_into().unwrap();
            sealed[bit / 8] ^= 1 << (bit % 8);
            let opened = open.open(&Portable, header, &mut sealed);
            assert_eq!(opened, Err(OpenError::Unauthentic), "bit {bit}");
        }
        let wrong = [0, 5, 31].map(|bit| SessionId(ID.0 ^ 1 << bit)).map(|s| (s, 0));
        for (session, counter) in wrong.into_iter().chain((0..64).map(|bit| (ID, 1 << bit))) {
            let mut sealed: [u8; 37] = packet[13..].try_into().unwrap();
            let header = PacketHeader { session, counter };
            let opened = open.open(&Portable, header, &mut sealed);
            assert_eq!(opened, Err(OpenError::Unauthentic), "{header:?}");
        }
        assert_eq!(open.open(&Portable, header, &mut packet[13..28]), Err(OpenError::Unauthentic));
        let mut again = packet;
        assert_eq!(open.open(&Portable, header, &mut packet[13..]).unwrap(), [5; 21]);
        assert_eq!(open.open(&Portable, header, &mut again[13..]), Err(OpenError::Replayed));
    }
}
