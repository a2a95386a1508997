//! The core's own randomness: a generator that the host seeds once.

use core::fmt;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 bytes of fresh randomness, from which a role makes every key, nonce and session ID of one
/// run. It is used up by the role that takes it and is wiped from memory when dropped.
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

/// A cryptographic generator: the `ChaCha20` key stream of a seed. The same seed
/// gives the same bytes, for ever; it is wiped from memory when dropped.
#[derive(Debug)]
pub struct Random(ChaCha20Rng);

impl Random {
    /// From a seed, which is wiped.
    pub fn new(seed: Seed) -> Self {
        Self(ChaCha20Rng::from_seed(seed.0))
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
