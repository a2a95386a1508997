//! The core's own randomness: a generator that the host seeds once.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// A cryptographic generator: the `ChaCha20` key stream of a seed. The same seed
/// gives the same bytes, for ever; it is wiped from memory when dropped.
#[derive(Debug)]
pub struct Random(ChaCha20Rng);

impl Random {
    /// From a seed of 32 bytes, which a host takes from its operating system or
    /// from a hardware source and uses once.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// Fills `out`.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// The next 32 bits.
    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// The next 64 bits.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}

#[cfg(test)]
mod tests {
    use std::format;

    use super::*;

    #[test]
    fn a_seed_decides_everything() {
        let take = |seed| {
            let mut random = Random::new([seed; 32]);
            (random.u32(), random.u64(), random.bytes::<7>(), random.bytes::<300>())
        };
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
    }

    #[test]
    fn the_stream_is_chacha20() {
        // RFC 8439 §A.1, test vector 1: key, nonce and counter are zero.
        let first = [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90];
        assert_eq!(Random::new([0; 32]).bytes(), first);
    }

    #[test]
    fn debug_shows_no_state() {
        let [a, b] = [1, 2].map(|seed| format!("{:?}", Random::new([seed; 32])));
        assert_eq!(a, b);
    }
}
