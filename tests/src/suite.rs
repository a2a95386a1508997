//! The suites that worlds compute with: a cheap stand-in, the real one, and
//! around both a watcher that remembers every seal (law S8).

use std::{cell::RefCell, collections::HashMap};

use proto_core::session::{Portable, Suite};

use crate::dice::{fingerprint, mix};

/// The stand-in, watched.
pub static STAND_IN: Watched<StandIn> = Watched(StandIn);

/// The real suite, watched.
pub static REAL: Watched<Portable> = Watched(Portable);

/// Keeps nothing secret, but does all that worlds rely on: two parties agree on
/// the same, and whatever was changed does not open. Some hundred times as fast
/// as the real one.
#[derive(Clone, Copy, Debug)]
pub struct StandIn;

/// Odd, so that no two secrets have one public key.
const BASE: [u64; 4] =
    [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9, 0x27d4_eb2f_1656_67c5];

fn words(bytes: &[u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_le_bytes(*chunk);
    }
    words
}

fn bytes(words: [u64; 4]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (chunk, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *chunk = word.to_le_bytes();
    }
    bytes
}

fn product(left: [u64; 4], right: [u64; 4]) -> [u8; 32] {
    let mut out = left;
    for (out, right) in out.iter_mut().zip(right) {
        *out = out.wrapping_mul(right);
    }
    bytes(out)
}

impl Suite for StandIn {
    fn public(&self, secret: &[u8; 32]) -> [u8; 32] {
        product(words(secret), BASE)
    }

    fn agree(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
        (*public != [0; 32]).then(|| product(words(secret), words(public)))
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hash = Absorb::new([1, 2, 3, 4]);
        for part in parts {
            hash.bytes(part);
        }
        hash.finish()
    }

    fn seal(&self, key: &[u8; 32], nonce: u64, ad: &[u8], text: &mut [u8]) -> [u8; 16] {
        stream(key, nonce, text);
        tag(key, nonce, ad, text)
    }

    fn open(&self, key: &[u8; 32], nonce: u64, ad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> bool {
        let authentic = self::tag(key, nonce, ad, text) == *tag;
        if authentic {
            stream(key, nonce, text);
        } else {
            text.fill(0);
        }
        authentic
    }
}

fn stream(key: &[u8; 32], nonce: u64, text: &mut [u8]) {
    let [a, b, c, d] = words(key);
    let mut at = mix(a ^ nonce) ^ mix(b.wrapping_add(nonce)) ^ mix(c ^ d.rotate_left(13));
    for chunk in text.chunks_mut(8) {
        at = at.wrapping_add(0x9e37_79b9_7f4a_7c15);
        for (byte, key) in chunk.iter_mut().zip(mix(at).to_le_bytes()) {
            *byte ^= key;
        }
    }
}

fn tag(key: &[u8; 32], nonce: u64, ad: &[u8], text: &[u8]) -> [u8; 16] {
    let mut hash = Absorb::new(words(key));
    hash.word(nonce);
    hash.word(ad.len() as u64);
    hash.bytes(ad);
    hash.bytes(text);
    let mut tag = [0; 16];
    tag.copy_from_slice(&hash.finish()[..16]);
    tag
}

/// A hash of bytes as they come, whatever pieces they come in.
struct Absorb {
    lanes: [u64; 4],
    part: [u8; 8],
    filled: usize,
    length: u64,
}

impl Absorb {
    fn new(lanes: [u64; 4]) -> Self {
        Self { lanes, part: [0; 8], filled: 0, length: 0 }
    }

    fn word(&mut self, word: u64) {
        let [a, b, c, d] = &mut self.lanes;
        *a = (*a ^ word).wrapping_mul(0x9fb2_1c65_1e98_df25).rotate_left(29);
        *b = b.wrapping_add(*a).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ (*b >> 31);
        *c = (*c ^ *b).rotate_left(17).wrapping_add(word);
        *d = d.wrapping_mul(0xff51_afd7_ed55_8ccd) ^ *c;
    }

    fn bytes(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if self.filled > 0 {
            let take = bytes.len().min(8 - self.filled);
            let (front, rest) = bytes.split_at(take);
            self.part[self.filled..self.filled + take].copy_from_slice(front);
            self.filled += take;
            bytes = rest;
            if self.filled < 8 {
                return;
            }
            self.word(u64::from_le_bytes(self.part));
        }
        let (whole, rest) = bytes.as_chunks();
        for chunk in whole {
            self.word(u64::from_le_bytes(*chunk));
        }
        self.part[..rest.len()].copy_from_slice(rest);
        self.filled = rest.len();
    }

    fn finish(mut self) -> [u8; 32] {
        self.part[self.filled..].fill(0);
        self.word(u64::from_le_bytes(self.part));
        self.word(self.length);
        for at in 0..4 {
            self.word(at);
        }
        let [a, b, c, d] = self.lanes;
        bytes([mix(a ^ d), mix(b ^ a.rotate_left(32)), mix(c ^ b), mix(d ^ c.rotate_left(11))])
    }
}

/// A suite whose every seal is remembered by the thread's [`Seals`].
#[derive(Clone, Copy, Debug)]
pub struct Watched<S>(pub S);

impl<S: Suite> Suite for Watched<S> {
    fn public(&self, secret: &[u8; 32]) -> [u8; 32] {
        self.0.public(secret)
    }

    fn agree(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
        self.0.agree(secret, public)
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.0.hash(parts)
    }

    fn seal(&self, key: &[u8; 32], nonce: u64, ad: &[u8], text: &mut [u8]) -> [u8; 16] {
        SEALS.with_borrow(|seals| seals.forge(text));
        let content = fingerprint(fingerprint(1, ad), text);
        SEALS.with_borrow_mut(|seals| seals.sealed(key, nonce, content));
        let plain = SEALS.with_borrow(|seals| seals.readable.then(|| text.to_vec()));
        let tag = self.0.seal(key, nonce, ad, text);
        if let Some(plain) = plain {
            SEALS.with_borrow_mut(|seals| seals.plain.insert(tag, (*key, plain)));
        }
        tag
    }

    fn open(&self, key: &[u8; 32], nonce: u64, ad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> bool {
        self.0.open(key, nonce, ad, text, tag)
    }
}

thread_local! {
    static SEALS: RefCell<Seals> = RefCell::new(Seals::default());
}

/// What was sealed in this thread's world. A world lives in one thread, and a
/// suite is a `static`, so this is the only place where its seals can be kept.
#[derive(Debug, Default)]
pub struct Seals {
    contents: HashMap<([u8; 32], u64), u64>,
    twice: Option<u64>,
    readable: bool,
    /// By tag: the key, and what is under it.
    plain: HashMap<[u8; 16], ([u8; 32], Vec<u8>)>,
    rewrite: Option<Rewrite>,
}

/// Changes the body of a frame of some type, as someone might who has the keys and does not keep
/// to the protocol.
pub type Rewrite = fn(u8, &mut [u8]);

impl Seals {
    /// A new world begins. `readable` keeps every plaintext, for a trace.
    pub fn begin(readable: bool) {
        SEALS.set(Self { readable, ..Self::default() });
    }

    /// A nonce under which two different texts were sealed with one key, if any (law S8).
    pub fn twice() -> Option<u64> {
        SEALS.with_borrow(|seals| seals.twice)
    }

    /// What is done to every frame from now on, before it is sealed.
    pub fn rewrite(rewrite: Option<Rewrite>) {
        SEALS.with_borrow_mut(|seals| seals.rewrite = rewrite);
    }

    /// How many different seals there were.
    pub fn count() -> usize {
        SEALS.with_borrow(|seals| seals.contents.len())
    }

    /// What is under a tag, if plaintexts are kept.
    pub fn plaintext(tag: &[u8]) -> Option<Vec<u8>> {
        Self::under(tag).map(|(_, plain)| plain)
    }

    /// The key that made a tag, and what is under it, if plaintexts are kept.
    pub(crate) fn under(tag: &[u8]) -> Option<([u8; 32], Vec<u8>)> {
        let tag: [u8; 16] = tag.try_into().ok()?;
        SEALS.with_borrow(|seals| seals.plain.get(&tag).cloned())
    }

    fn forge(&self, mut text: &mut [u8]) {
        let Some(rewrite) = self.rewrite else { return };
        while let Some(([kind, low, high], rest)) = text.split_first_chunk_mut() {
            let length = usize::from(u16::from_le_bytes([*low, *high]));
            let Some((body, behind)) = rest.split_at_mut_checked(length) else { return };
            rewrite(*kind, body);
            text = behind;
        }
    }

    fn sealed(&mut self, key: &[u8; 32], nonce: u64, content: u64) {
        let before = *self.contents.entry((*key, nonce)).or_insert(content);
        if before != content {
            self.twice = Some(nonce);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stand_in_agrees_and_detects_every_flipped_bit() {
        let (a, b) = ([3; 32], [9; 32]);
        let [pa, pb] = [a, b].map(|secret| StandIn.public(&secret));
        assert_eq!(StandIn.agree(&a, &pb), StandIn.agree(&b, &pa));
        assert_eq!(StandIn.agree(&a, &[0; 32]), None);
        assert_eq!(StandIn.hash(&[b"ab", b"", b"cdefghijk"]), StandIn.hash(&[b"abcdefghij", b"k"]));
        assert_ne!(StandIn.hash(&[b"a"]), StandIn.hash(&[b"a\0"]));

        let mut text = *b"some text of a few words";
        let tag = StandIn.seal(&a, 7, b"ad", &mut text);
        for bit in 0..text.len() * 8 {
            let mut damaged = text;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!StandIn.open(&a, 7, b"ad", &mut damaged, &tag));
        }
        assert!(!StandIn.open(&a, 8, b"ad", &mut text.clone(), &tag));
        assert!(StandIn.open(&a, 7, b"ad", &mut text, &tag));
        assert_eq!(&text, b"some text of a few words");
    }

    #[test]
    fn a_nonce_used_twice_is_noticed() {
        Seals::begin(false);
        STAND_IN.seal(&[1; 32], 5, b"", &mut [1]);
        STAND_IN.seal(&[1; 32], 5, b"", &mut [1]);
        assert_eq!((Seals::twice(), Seals::count()), (None, 1));
        STAND_IN.seal(&[1; 32], 5, b"", &mut [2]);
        assert_eq!(Seals::twice(), Some(5));
    }
}
