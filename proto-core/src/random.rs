//! The core's own randomness: a generator that the host seeds, again and again.

use core::fmt;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 bytes of fresh randomness, from which a role makes its keys, nonces and session IDs, until it is
/// [given more](crate::host::Machine::reseed). It is used up by the role that takes it and is wiped from memory when dropped.
///
/// It can be neither copied nor stored: two runs with the same seed and the same boot number would
/// encrypt different packets under the same key and nonce, which gives away both.
///
/// ```compile_fail,E0382
/// use proto_core::random::{Random, Seed};
///
/// let seed = Seed::draw(getrandom::fill).expect("the system has a generator");
/// let (one, another) = (Random::new(seed), Random::new(seed));
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Has `fill` write fresh random bytes from the operating system's generator or a hardware
    /// source: `Seed::draw(getrandom::fill)`. Nothing that was written before, computed from
    /// something known or read from a file will do.
    ///
    /// # Errors
    /// Whatever `fill` returns: without randomness no role can start.
    pub fn draw<E>(fill: impl FnOnce(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut seed = Self([0; 32]);
        fill(&mut seed.0)?;
        Ok(seed)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// A cryptographic generator: the `ChaCha20` key stream of a seed. The same seeds
/// give the same bytes, for ever; it is wiped from memory when dropped.
#[derive(Debug)]
pub struct Random {
    stream: ChaCha20Rng,
    is_drawn_from: bool,
}

impl Random {
    /// From a seed, which is wiped.
    pub fn new(seed: Seed) -> Self {
        Self { stream: ChaCha20Rng::from_seed(seed.0), is_drawn_from: false }
    }

    /// Something was drawn since it was seeded last.
    pub fn is_drawn_from(&self) -> bool {
        self.is_drawn_from
    }

    /// Mixes in another seed, which is wiped. What follows cannot be foreseen by who knows the
    /// seed, nor by who knows all that was drawn so far; and what was drawn cannot be found from
    /// what follows.
    pub fn reseed(&mut self, mut seed: Seed) {
        let mut own: [u8; 32] = self.bytes();
        seed.0.iter_mut().zip(&own).for_each(|(byte, own)| *byte ^= own);
        own.zeroize();
        *self = Self::new(seed);
    }

    /// Fills `out`.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.is_drawn_from = true;
        self.stream.fill_bytes(out);
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// The next 32 bits.
    pub fn u32(&mut self) -> u32 {
        self.is_drawn_from = true;
        self.stream.next_u32()
    }

    /// The next 64 bits.
    pub fn u64(&mut self) -> u64 {
        self.is_drawn_from = true;
        self.stream.next_u64()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::format;

    use super::*;

    /// The same generator each time.
    pub(crate) fn fixed(n: u8) -> Random {
        Random::new(Seed([n; 32]))
    }

    #[test]
    fn a_seed_decides_everything() {
        let take = |seed| {
            let mut random = fixed(seed);
            (random.u32(), random.u64(), random.bytes::<7>(), random.bytes::<300>())
        };
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
    }

    #[test]
    fn each_seed_counts_and_so_does_what_was_there_before() {
        let after = |before, seed| {
            let mut random = fixed(before);
            assert!(!random.is_drawn_from());
            random.u32();
            assert!(random.is_drawn_from());
            random.reseed(Seed([seed; 32]));
            assert!(!random.is_drawn_from());
            random.bytes::<32>()
        };
        assert_eq!(after(1, 5), after(1, 5));
        assert_ne!(after(1, 5), after(1, 6), "the new one");
        assert_ne!(after(1, 5), after(2, 5), "the old one");
        assert_ne!(after(1, 5), fixed(5).bytes());
    }

    #[test]
    fn the_stream_is_chacha20() {
        // RFC 8439 §A.1, test vector 1: key, nonce and counter are zero.
        let first = [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90];
        assert_eq!(fixed(0).bytes(), first);
    }

    #[test]
    fn debug_shows_no_state() {
        let [a, b] = [1, 2].map(|seed| format!("{:?}", fixed(seed)));
        assert_eq!(a, b);
        assert_eq!(format!("{:?}", Seed([7; 32])), "Seed(…)");
    }

    #[test]
    fn without_randomness_there_is_no_seed() {
        assert_eq!(Seed::draw(|_| Err("broken")).map(|_| ()), Err("broken"));
        let drawn = Seed::draw(|bytes| {
            bytes.fill(1);
            Ok::<_, ()>(())
        });
        assert_eq!(Random::new(drawn.unwrap()).u64(), fixed(1).u64());
    }
}
