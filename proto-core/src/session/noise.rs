//! Noise's `25519_ChaChaPoly_BLAKE2s` in the two patterns used here: IK for
//! sessions and X for sealed mail.
//!
//! Message 1 of IK and the only message of X have the same tokens (e, es, s, ss)
//! after the same pre-message (the responder's static key), so both are one
//! function. Every key mixed in seals one text at most, under nonce 0; a key is
//! therefore handed out by the mixing and there is no counter.

use crate::id::PublicKey;
use crate::wire::TAG_LENGTH;

use super::derive::{Key, hash, hkdf, hmac, label, split};
use super::suite::{Identity, Suite};

/// The names that set the patterns apart (Noise §8).
pub(super) mod pattern {
    pub(in super::super) const IK: &[u8] = b"Noise_IK_25519_ChaChaPoly_BLAKE2s";
    pub(in super::super) const X: &[u8] = b"Noise_X_25519_ChaChaPoly_BLAKE2s";
}

/// What precedes the payload of message 1: the ephemeral, the sealed static key.
pub(super) const FIRST_HEAD: usize = 32 + 32 + TAG_LENGTH;

/// Bytes of message 1 that are not payload.
pub(super) const FIRST_OVERHEAD: usize = FIRST_HEAD + TAG_LENGTH;

/// The symmetric state (Noise §5.2) but for the key of the moment.
#[derive(Clone, Debug)]
pub(super) struct Symmetric {
    hash: [u8; 32],
    chain: Key,
}

impl Symmetric {
    /// Initialized with the pattern's name, the prologue and the pre-message.
    fn new<const N: usize>(
        suite: &dyn Suite,
        name: &[u8],
        responder: &[u8; 32],
        prologue: [&[u8]; N],
    ) -> Self {
        // A name that fills a hash's length stands for itself.
        let start = name.try_into().unwrap_or_else(|_| suite.hash(&[name]));
        let mut symmetric = Self { hash: start, chain: Key(start) };
        symmetric.mix_hash(suite, prologue);
        symmetric.mix_hash(suite, [responder]);
        symmetric
    }

    fn mix_hash<const N: usize>(&mut self, suite: &dyn Suite, parts: [&[u8]; N]) {
        self.hash = hash(suite, &self.hash, parts);
    }

    fn mix_key(&mut self, suite: &dyn Suite, shared: &Key) -> Key {
        let [chain, key] = hkdf(suite, &self.chain, &shared.0);
        self.chain = chain;
        key
    }

    pub(super) fn seal(
        &mut self,
        suite: &dyn Suite,
        key: &Key,
        text: &mut [u8],
        tag: &mut [u8; TAG_LENGTH],
    ) {
        *tag = suite.seal(&key.0, 0, &self.hash, text);
        self.mix_hash(suite, [text, tag]);
    }

    #[must_use]
    pub(super) fn open(
        &mut self,
        suite: &dyn Suite,
        key: &Key,
        text: &mut [u8],
        tag: &[u8; TAG_LENGTH],
    ) -> Option<()> {
        let next = hash(suite, &self.hash, [text, tag]);
        let opened = suite.open(&key.0, 0, &self.hash, text, tag);
        self.hash = next;
        opened.then_some(())
    }

    /// Mixes in message 2 up to its payload (e, ee, se) and returns the payload's key.
    pub(super) fn mix_second(
        &mut self,
        suite: &dyn Suite,
        ephemeral: &[u8; 32],
        ee: &Key,
        se: &Key,
    ) -> Key {
        self.mix_hash(suite, [ephemeral]);
        self.mix_key(suite, ee);
        self.mix_key(suite, se)
    }

    /// All that was said so far; the associated data of what is sealed next.
    pub(super) fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The transport keys: the initiator's for sealing, then the responder's.
    pub(super) fn split(&self, suite: &dyn Suite) -> [Key; 2] {
        split(suite, &self.chain)
    }

    /// What they are made of.
    pub(super) fn into_chain(self) -> Key {
        self.chain
    }
}

/// A key pair that is used in one handshake only.
#[derive(Debug)]
pub(super) struct Ephemeral {
    secret: Key,
    pub(super) public: [u8; 32],
}

impl Ephemeral {
    /// Derived from fresh random bytes and, should those ever repeat, from the
    /// identity's secret and all that this pair is going to protect: what was said so
    /// far, to whom, and the payload. Thus no key seals two different texts.
    pub(super) fn derive<const N: usize>(
        identity: &Identity,
        fresh: &Key,
        boot: u64,
        symmetric: &Symmetric,
        peer: &[u8; 32],
        payload: [&[u8]; N],
    ) -> Self {
        let suite = identity.suite();
        let payload = Key(hash(suite, label::EPHEMERAL, payload));
        let boot = boot.to_le_bytes();
        let said = [label::EPHEMERAL, &fresh.0, &boot, &symmetric.hash, peer, &payload.0];
        let secret = hmac(suite, identity.secret(), said);
        let public = suite.public(&secret.0);
        Self { secret, public }
    }

    pub(super) fn agree(&self, suite: &dyn Suite, other: &[u8; 32]) -> Option<Key> {
        suite.agree(&self.secret.0, other).map(Key)
    }
}

/// Message 1, cut into its pieces.
struct First<'a> {
    ephemeral: &'a mut [u8; 32],
    stat: &'a mut [u8; 32],
    static_tag: &'a mut [u8; TAG_LENGTH],
    payload: &'a mut [u8],
    payload_tag: &'a mut [u8; TAG_LENGTH],
}

impl<'a> First<'a> {
    fn cut(message: &'a mut [u8]) -> Option<Self> {
        let (ephemeral, rest) = message.split_first_chunk_mut()?;
        let (stat, rest) = rest.split_first_chunk_mut()?;
        let (static_tag, rest) = rest.split_first_chunk_mut()?;
        let (payload, payload_tag) = rest.split_last_chunk_mut()?;
        Some(Self { ephemeral, stat, static_tag, payload, payload_tag })
    }
}

/// Where the payload stands in a message 1 that is yet to be sealed.
pub(super) fn payload(message: &mut [u8]) -> Option<&mut [u8]> {
    First::cut(message).map(|message| message.payload)
}

/// Writes message 1 around its payload, which stands in `message` with
/// [`FIRST_HEAD`] bytes of room before it and [`TAG_LENGTH`] behind it. The same `fresh` random bytes
/// make the same message. `None` if the responder's key is of small order, or there is no room.
pub(super) fn seal_first<const N: usize>(
    name: &[u8],
    identity: &Identity,
    responder: &PublicKey,
    prologue: [&[u8]; N],
    fresh: &Key,
    boot: u64,
    message: &mut [u8],
) -> Option<(Symmetric, Ephemeral)> {
    let suite = identity.suite();
    let message = First::cut(message)?;
    let responder = &responder.0;
    let mut symmetric = Symmetric::new(suite, name, responder, prologue);
    let ephemeral =
        Ephemeral::derive(identity, fresh, boot, &symmetric, responder, [message.payload]);
    let es = ephemeral.agree(suite, responder)?;
    let ss = identity.agree(responder)?;

    *message.ephemeral = ephemeral.public;
    *message.stat = identity.public().0;
    symmetric.mix_hash(suite, [message.ephemeral]);
    let key = symmetric.mix_key(suite, &es);
    symmetric.seal(suite, &key, message.stat, message.static_tag);
    let key = symmetric.mix_key(suite, &ss);
    symmetric.seal(suite, &key, message.payload, message.payload_tag);
    Some((symmetric, ephemeral))
}

/// Message 1, opened in place.
pub(super) struct OpenedFirst<'a> {
    pub(super) symmetric: Symmetric,
    pub(super) ephemeral: [u8; 32],
    pub(super) initiator: PublicKey,
    pub(super) payload: &'a mut [u8],
}

/// Opens message 1. After a failure `message` is of no use.
pub(super) fn open_first<'a, const N: usize>(
    name: &[u8],
    identity: &Identity,
    prologue: [&[u8]; N],
    message: &'a mut [u8],
) -> Option<OpenedFirst<'a>> {
    let suite = identity.suite();
    let message = First::cut(message)?;
    let mut symmetric = Symmetric::new(suite, name, &identity.public().0, prologue);
    symmetric.mix_hash(suite, [message.ephemeral]);
    let es = identity.agree(message.ephemeral)?;
    let key = symmetric.mix_key(suite, &es);
    symmetric.open(suite, &key, message.stat, message.static_tag)?;
    let ss = identity.agree(message.stat)?;
    let key = symmetric.mix_key(suite, &ss);
    symmetric.open(suite, &key, message.payload, message.payload_tag)?;
    Some(OpenedFirst {
        symmetric,
        ephemeral: *message.ephemeral,
        initiator: PublicKey(*message.stat),
        payload: message.payload,
    })
}
