//! New keys for a session that goes on: one more Noise IK, said in packets under the present
//! keys and bound to them by its prologue.

use crate::{id::PublicKey, random::Random, wire::TAG_LENGTH};

use super::{
    derive::Key,
    handshake::Initiator,
    keys::{KeyPair, Keys, NextKeys},
    noise::{self, Ephemeral, FIRST_OVERHEAD, pattern},
    suite::Identity,
};

/// Bytes of a rekey's message 1, whose payload is empty.
pub const REKEY_NOISE: usize = FIRST_OVERHEAD;

/// Bytes of its message 2, whose payload is empty too.
pub const REKEYED_NOISE: usize = 32 + TAG_LENGTH;

/// What the prologue begins with; the present keys follow, the initiator's for sealing first.
const LABEL: &[u8] = b"udpchat 1 rekey";

/// A rekey that this side, the session's initiator, has begun. It is made of 32 random bytes, of which
/// the identical message 1 comes as often as it is asked for: each time it costs the Diffie-Hellman
/// operations anew, and they are wiped when they are dropped.
#[derive(Debug)]
pub struct RekeyRequest {
    fresh: Key,
}

impl RekeyRequest {
    /// With fresh random bytes.
    pub fn new(random: &mut Random) -> Self {
        Self { fresh: Key(random.bytes()) }
    }

    /// Message 1 to `responder`, in the session that has `keys`. `boot` is as for
    /// [`Initiator::new`], and the same each time.
    ///
    /// `None` if the responder's key is of small order; no session has such a one.
    pub fn encode(
        &self,
        (identity, boot): (&Identity, u64),
        responder: &PublicKey,
        keys: &Keys,
    ) -> Option<[u8; REKEY_NOISE]> {
        let mut message = [0; REKEY_NOISE];
        self.begin((identity, boot), responder, keys, &mut message)?;
        Some(message)
    }

    /// Reads message 2: the keys that follow. `None` if the responder did not make it for just
    /// this message 1 and the present keys.
    pub fn finish(
        &self,
        (identity, boot): (&Identity, u64),
        responder: &PublicKey,
        keys: &Keys,
        noise: &[u8],
    ) -> Option<KeyPair> {
        let mut noise: [u8; REKEYED_NOISE] = noise.try_into().ok()?;
        let mut message = [0; REKEY_NOISE];
        let initiator = self.begin((identity, boot), responder, keys, &mut message)?;
        let (symmetric, _) = initiator.open_second(identity, &mut noise)?;
        let [seal, open] = symmetric.split(identity.suite());
        Some(KeyPair { seal, open })
    }

    fn begin(
        &self,
        (identity, boot): (&Identity, u64),
        responder: &PublicKey,
        keys: &Keys,
        message: &mut [u8; REKEY_NOISE],
    ) -> Option<Initiator> {
        let prologue = [LABEL, &keys.seal.key.0, &keys.open.key.0];
        let (symmetric, ephemeral) = noise::seal_first(
            pattern::IK,
            identity,
            responder,
            prologue,
            &self.fresh,
            boot,
            message,
        )?;
        Some(Initiator { symmetric, ephemeral })
    }
}

/// Answers message 1 from `initiator`, in the session that has `keys`: the keys that follow, and
/// message 2. `None` if they did not make it for this session and its present keys.
pub fn answer_rekey(
    (identity, random, boot): (&Identity, &mut Random, u64),
    initiator: &PublicKey,
    keys: &Keys,
    noise: &[u8],
) -> Option<(NextKeys, [u8; REKEYED_NOISE])> {
    let suite = identity.suite();
    let mut message: [u8; REKEY_NOISE] = noise.try_into().ok()?;
    let prologue = [LABEL, &keys.open.key.0, &keys.seal.key.0];
    let first = noise::open_first(pattern::IK, identity, prologue, &mut message)?;
    if first.initiator != *initiator {
        return None;
    }
    let (mut symmetric, theirs) = (first.symmetric, first.ephemeral);
    let fresh = Key(random.bytes());
    let ours = Ephemeral::derive(identity, &fresh, boot, &symmetric, &initiator.0, []);
    let ee = ours.agree(suite, &theirs)?;
    let se = ours.agree(suite, &initiator.0)?;
    let key = symmetric.mix_second(suite, &ours.public, &ee, &se);
    let mut message = [0; REKEYED_NOISE];
    let (ephemeral, tag) = message.split_first_chunk_mut()?;
    *ephemeral = ours.public;
    symmetric.seal(suite, &key, &mut [], tag.first_chunk_mut()?);
    Some((NextKeys(symmetric.into_chain()), message))
}
