//! Chance: one generator a world, so that a seed decides everything.

use std::ops::Range;

/// xoshiro256** (Blackman and Vigna), seeded by `SplitMix64`. Fast, and good
/// enough for everything but secrets.
#[derive(Clone, Debug)]
pub struct Dice {
    state: [u64; 4],
}

impl Dice {
    /// The same seed gives the same throws.
    pub fn new(seed: u64) -> Self {
        let mut next = seed;
        let state = [(); 4].map(|()| {
            next = next.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mix(next)
        });
        Self { state }
    }

    /// Any 64 bits.
    pub fn u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let thrown = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        thrown
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.u64()) * u128::from(end)) >> 64) as u64
    }

    /// A number in a range; its start if the range is empty.
    pub fn between(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end.saturating_sub(range.start))
    }

    /// `true` in so many of a thousand throws.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1000) < per_mille.into()
    }

    /// An index of something with `length` places.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// Any bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Fills `out` with any bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.u64().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Scrambles 64 bits, one to one.
pub fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A fingerprint of bytes, to compare runs by.
pub fn fingerprint(start: u64, bytes: &[u8]) -> u64 {
    let start = start ^ (bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let add = |hash, word| mix(hash ^ u64::from_le_bytes(word)).rotate_left(17);
    let (words, rest) = bytes.as_chunks();
    let hash = words.iter().fold(start, |hash, word| add(hash, *word));
    if rest.is_empty() {
        return hash;
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    add(hash, last)
}
