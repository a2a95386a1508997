//! A cipher suite that costs nothing, so that the fuzzer's time goes into the core.

use proto_core::session::Suite;

/// Not a cipher at all: a checksum in the place of each tag.
#[derive(Debug)]
pub struct Cheap;

fn mix(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state ^ bytes.len() as u64, |state, byte| {
        (state.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

impl Cheap {
    fn tag(key: &[u8; 32], nonce: u64, ad: &[u8], text: &[u8]) -> [u8; 16] {
        let tag = mix(mix(mix(nonce, key), ad), text);
        let mut out = [0; 16];
        out[..8].copy_from_slice(&tag.to_le_bytes());
        out[8..].copy_from_slice(&tag.rotate_left(29).to_le_bytes());
        out
    }
}

impl Suite for Cheap {
    fn public(&self, secret: &[u8; 32]) -> [u8; 32] {
        *secret
    }

    fn agree(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
        Some(core::array::from_fn(|at| secret[at] ^ public[at]))
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let state = parts.iter().fold(7, |state, part| mix(state, part));
        let mut out = [0; 32];
        for (at, chunk) in out.chunks_exact_mut(8).enumerate() {
            chunk.copy_from_slice(&mix(state, &[at as u8]).to_le_bytes());
        }
        out
    }

    fn seal(&self, key: &[u8; 32], nonce: u64, ad: &[u8], text: &mut [u8]) -> [u8; 16] {
        Self::tag(key, nonce, ad, text)
    }

    fn open(&self, key: &[u8; 32], nonce: u64, ad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> bool {
        Self::tag(key, nonce, ad, text) == *tag
    }
}
