//! What is built on the suite's hash: HMAC, HKDF, and one MAC for all uses.

use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::suite::Suite;

/// What sets the uses of the hash apart. None is the beginning of another, and
/// all that follows one has a fixed length, but for a last part.
pub(super) mod label {
    pub(in super::super) const COOKIE: &[u8] = b"udpchat 1 cookie";
    pub(in super::super) const RETRY: &[u8] = b"udpchat 1 retry";
    pub(in super::super) const HELLO: &[u8] = b"udpchat 1 hello";
    pub(in super::super) const PEER_KEY: &[u8] = b"udpchat 1 peer key";
    pub(in super::super) const EPHEMERAL: &[u8] = b"udpchat 1 ephemeral";
    pub(in super::super) const RECEIPT: &[u8] = b"udpchat 1 receipt";
    pub(in super::super) const PAIR_KEY: &[u8] = b"udpchat 1 pair key";
}

/// A secret of 32 bytes: wiped from memory when dropped, never shown.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct Key(pub(super) [u8; 32]);

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The most parts that are hashed or authenticated together.
const MAX_PARTS: usize = 8;

/// The hash of `first` and all `parts`, one after the other.
pub(super) fn hash<const N: usize>(suite: &dyn Suite, first: &[u8], parts: [&[u8]; N]) -> [u8; 32] {
    const { assert!(N <= MAX_PARTS) };
    let mut all: [&[u8]; 1 + MAX_PARTS] = [&[]; 1 + MAX_PARTS];
    for (slot, part) in all.iter_mut().zip(core::iter::once(first).chain(parts)) {
        *slot = part;
    }
    suite.hash(&all)
}

/// HMAC-BLAKE2s (RFC 2104; a block has 64 bytes) of all `parts` under `key`.
pub(super) fn hmac<const N: usize>(suite: &dyn Suite, key: &[u8; 32], parts: [&[u8]; N]) -> Key {
    let inner = Key(padded(suite, key, 0x36, parts));
    Key(padded(suite, key, 0x5c, [&inner.0]))
}

fn padded<const N: usize>(
    suite: &dyn Suite,
    key: &[u8; 32],
    pad: u8,
    parts: [&[u8]; N],
) -> [u8; 32] {
    let mut block = [pad; 64];
    for (byte, key) in block.iter_mut().zip(key) {
        *byte ^= key;
    }
    let digest = hash(suite, &block, parts);
    block.zeroize();
    digest
}

/// Noise's HKDF with two outputs (Noise §4.3).
pub(super) fn hkdf(suite: &dyn Suite, chain: &Key, input: &[u8]) -> [Key; 2] {
    let temporary = hmac(suite, &chain.0, [input]);
    let first = hmac(suite, &temporary.0, [&[1]]);
    let second = hmac(suite, &temporary.0, [&first.0, &[2]]);
    [first, second]
}

/// Noise's `Split()`: the initiator's key, then the responder's.
pub(super) fn split(suite: &dyn Suite, chain: &Key) -> [Key; 2] {
    hkdf(suite, chain, &[])
}

/// The MAC for everything outside Noise: HMAC-BLAKE2s, cut to 16 bytes. The
/// first part is a [`label`].
pub(super) fn mac<const N: usize>(
    suite: &dyn Suite,
    key: &[u8; 32],
    parts: [&[u8]; N],
) -> [u8; 16] {
    let full = hmac(suite, key, parts);
    full.0.first_chunk().copied().unwrap_or_default()
}

/// Whether two MACs are the same, in a time that does not tell where they differ.
pub(super) fn same(left: &[u8; 16], right: &[u8; 16]) -> Choice {
    left.ct_eq(right)
}
