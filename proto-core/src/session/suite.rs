//! The one seam under the security: Diffie-Hellman, hash and AEAD.

use core::fmt::Debug;

use blake2::{Blake2s256, Digest};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use x25519_dalek::StaticSecret;

use crate::id::{PublicKey, SecretKey};

use super::derive::Key;

/// The algorithms of Noise's `25519_ChaChaPoly_BLAKE2s`. A host may bring a
/// faster implementation, a simulator a cheap stand-in; whoever talks to others
/// must compute exactly these.
pub trait Suite: Sync + Debug {
    /// The public key of `secret`: X25519 with the base point (RFC 7748 §6.1).
    fn public(&self, secret: &[u8; 32]) -> [u8; 32];

    /// X25519 (RFC 7748 §5). `None` when the result is zero: `public` is a point
    /// of small order, with which nothing would be secret.
    fn agree(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]>;

    /// BLAKE2s-256 without a key (RFC 7693) of the parts, one after the other.
    fn hash(&self, parts: &[&[u8]]) -> [u8; 32];

    /// Encrypts `text` in place and returns its tag: ChaCha20-Poly1305
    /// (RFC 8439 §2.8) with associated data `ad`; the 12 bytes of its nonce are
    /// four zeros, then `nonce` in little endian (Noise §12.3).
    fn seal(&self, key: &[u8; 32], nonce: u64, ad: &[u8], text: &mut [u8]) -> [u8; 16];

    /// The inverse of [`seal`](Self::seal). `false`, and `text` wiped, if key,
    /// nonce, `ad`, text or tag is not what was sealed; the time it takes does
    /// not depend on where they differ.
    #[must_use]
    fn open(&self, key: &[u8; 32], nonce: u64, ad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> bool;
}

/// The `RustCrypto` and dalek implementations, which run anywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Portable;

impl Suite for Portable {
    fn public(&self, secret: &[u8; 32]) -> [u8; 32] {
        x25519_dalek::PublicKey::from(&StaticSecret::from(*secret)).to_bytes()
    }

    fn agree(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
        let shared = StaticSecret::from(*secret).diffie_hellman(&(*public).into());
        shared.was_contributory().then(|| shared.to_bytes())
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hash = Blake2s256::new();
        for part in parts {
            hash.update(part);
        }
        hash.finalize().into()
    }

    fn seal(&self, key: &[u8; 32], nonce: u64, ad: &[u8], text: &mut [u8]) -> [u8; 16] {
        let cipher = ChaCha20Poly1305::new(key.into());
        if let Ok(tag) = cipher.encrypt_inout_detached(&noise_nonce(nonce), ad, text.into()) {
            return tag.into();
        }
        // Past 256 GiB under one nonce, where ChaCha20's block counter ends.
        text.fill(0);
        [0; 16]
    }

    fn open(&self, key: &[u8; 32], nonce: u64, ad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> bool {
        let cipher = ChaCha20Poly1305::new(key.into());
        let (nonce, inout) = (noise_nonce(nonce), (&mut *text).into());
        let opened = cipher.decrypt_inout_detached(&nonce, ad, inout, tag.into()).is_ok();
        if !opened {
            text.fill(0);
        }
        opened
    }
}

fn noise_nonce(counter: u64) -> Nonce {
    let mut nonce = Nonce::default();
    for (to, from) in nonce.iter_mut().skip(4).zip(counter.to_le_bytes()) {
        *to = from;
    }
    nonce
}

/// Who one is: a secret key, its public key, and the suite to use them with.
/// The secret is wiped from memory when dropped and never shown.
#[derive(Debug)]
pub struct Identity {
    secret: SecretKey,
    public: PublicKey,
    suite: &'static dyn Suite,
}

impl Identity {
    /// From its secret key; any 32 bytes are one.
    pub fn new(secret: SecretKey, suite: &'static dyn Suite) -> Self {
        let public = PublicKey(suite.public(&secret.0));
        Self { secret, public, suite }
    }

    /// The public key, by which others know this identity.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The suite that this identity computes with.
    pub fn suite(&self) -> &'static dyn Suite {
        self.suite
    }

    pub(super) fn secret(&self) -> &[u8; 32] {
        &self.secret.0
    }

    pub(super) fn agree(&self, other: &[u8; 32]) -> Option<Key> {
        self.suite.agree(&self.secret.0, other).map(Key)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn hex(digits: &str) -> Vec<u8> {
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(byte).collect()
    }

    fn hex32(digits: &str) -> [u8; 32] {
        hex(digits).try_into().unwrap()
    }

    #[test]
    fn x25519_is_that_of_rfc_7748() {
        // §5.2, the first vector.
        let scalar = hex32("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
        let point = hex32("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
        let product = hex32("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
        assert_eq!(Portable.agree(&scalar, &point), Some(product));
        // §6.1.
        let alice = hex32("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let bob = hex32("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        let alices = hex32("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        let bobs = hex32("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        let shared = hex32("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        assert_eq!((Portable.public(&alice), Portable.public(&bob)), (alices, bobs));
        assert_eq!(Portable.agree(&alice, &bobs), Some(shared));
        assert_eq!(Portable.agree(&bob, &alices), Some(shared));
    }

    #[test]
    fn points_of_small_order_agree_on_nothing() {
        let one = hex32("0100000000000000000000000000000000000000000000000000000000000000");
        let eight = hex32("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
        for point in [[0; 32], one, eight] {
            assert_eq!(Portable.agree(&[7; 32], &point), None);
        }
    }

    #[test]
    fn the_hash_is_blake2s_256() {
        // RFC 7693, appendix B.
        let digest = hex32("508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
        assert_eq!(Portable.hash(&[b"abc"]), digest);
        assert_eq!(Portable.hash(&[b"a", b"", b"bc"]), digest);
    }

    #[test]
    fn the_aead_is_that_of_rfc_8439() {
        // §A.5; its nonce begins with four zero bytes, as Noise's do.
        let key = hex32("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
        let ad = hex("f33388860000000000004e91");
        let nonce = 0x0807_0605_0403_0201;
        let tag = hex("eead9d67890cbb22392336fea1851f38").try_into().unwrap();
        let sealed = hex(concat!(
            "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2",
            "4c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf",
            "332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855",
            "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4",
            "b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e",
            "af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a",
            "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10",
            "49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29",
            "a6ad5cb4022b02709b",
        ));
        let plain = "Internet-Drafts are draft documents valid for a maximum of six months \
            and may be updated, replaced, or obsoleted by other documents at any time. It is \
            inappropriate to use Internet-Drafts as reference material or to cite them other \
            than as /\u{201c}work in progress./\u{201d}";
        let mut text = Vec::from(plain);
        assert_eq!(Portable.seal(&key, nonce, &ad, &mut text), tag);
        assert_eq!(text, sealed);
        assert!(Portable.open(&key, nonce, &ad, &mut text, &tag));
        assert_eq!(text, plain.as_bytes());

        text.copy_from_slice(&sealed);
        assert!(!Portable.open(&key, nonce + 1, &ad, &mut text, &tag));
        assert!(text.iter().all(|byte| *byte == 0), "a failed open leaves text behind");
    }
}
