//! The handshake: Noise IK behind an address proof.

use crate::id::{PublicKey, SessionId};
use crate::random::Random;
use crate::wire::{Accept, Hello, Init, MAX_DATAGRAM, Retry, TAG_LENGTH};

use super::cookie;
use super::derive::Key;
use super::keys::Keys;
use super::noise::{self, Ephemeral, FIRST_OVERHEAD, Symmetric, pattern};
use super::suite::{Identity, Suite};

/// What each side tells the other in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The id under which the sender of this offer receives.
    pub session: SessionId,
    /// The bytes of credit that the sender of this offer grants.
    pub credit: u32,
    /// The messages of credit that it grants.
    pub messages: u16,
}

impl Offer {
    const LENGTH: usize = 10;

    fn encode(self) -> [u8; Self::LENGTH] {
        let Self { session, credit, messages } = self;
        let all = u128::from(session.0) | u128::from(credit) << 32 | u128::from(messages) << 64;
        *all.to_le_bytes().first_chunk().unwrap_or(&[0; Self::LENGTH])
    }

    fn decode(bytes: [u8; Self::LENGTH]) -> Self {
        let mut all = [0; 16];
        all.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
        let all = u128::from_le_bytes(all);
        Self {
            session: SessionId(all as u32),
            credit: (all >> 32) as u32,
            messages: (all >> 64) as u16,
        }
    }
}

/// Bytes of message 1, payload included.
pub const INIT_NOISE: usize = FIRST_OVERHEAD + Offer::LENGTH;

/// The fewest bytes of message 2, payload included and without padding.
const ACCEPT_NOISE: usize = 32 + Offer::LENGTH + TAG_LENGTH;

/// What a handshake's prologue begins with.
const LABEL: &[u8] = b"udpchat 1";

/// The prologue from the Hello on: both sides must mean the same Hello and the
/// same Retry, byte for byte. The responder remembers neither.
fn prologue<'b>(
    hello: &Hello,
    retry: &Retry,
    scratch: &'b mut [u8; Retry::SIZE_BOUND],
) -> ([u8; Hello::HEADER_LENGTH], [u8; 16], &'b [u8]) {
    (hello.header(), cookie::said_mac(hello), retry.encode(scratch))
}

/// The side that sent message 1 and waits for message 2.
#[derive(Debug)]
pub struct Initiator {
    pub(super) symmetric: Symmetric,
    pub(super) ephemeral: Ephemeral,
}

impl Initiator {
    /// Begins a handshake with `responder` and makes message 1, which belongs
    /// into an [`Init`] with `hello` and the cookie of `retry`. `boot` differs
    /// from boot to boot where the seed of `random` might not.
    ///
    /// `None` if the responder's key is of small order.
    pub fn new(
        identity: &Identity,
        responder: &PublicKey,
        hello: &Hello,
        retry: &Retry,
        offer: Offer,
        random: &mut Random,
        boot: u64,
    ) -> Option<(Self, [u8; INIT_NOISE])> {
        let mut scratch = [0; Retry::SIZE_BOUND];
        let (header, mac, retry) = prologue(hello, retry, &mut scratch);
        let prologue = [LABEL, &header, &mac, retry];
        let mut message = [0; INIT_NOISE];
        noise::payload(&mut message)?.copy_from_slice(&offer.encode());
        let (symmetric, ephemeral) = noise::seal_first(
            pattern::IK,
            identity,
            responder,
            prologue,
            &Key(random.bytes()),
            boot,
            &mut message,
        )?;
        Some((Self { symmetric, ephemeral }, message))
    }

    /// Reads message 2, in place: the session's keys and what the responder
    /// offers. `None` if the responder did not make it for this handshake; the
    /// initiator is as before then and may try another.
    pub fn finish(&self, identity: &Identity, noise: &mut [u8]) -> Option<(Keys, Offer)> {
        let (symmetric, payload) = self.open_second(identity, noise)?;
        let (offer, padding) = payload.split_first_chunk()?;
        if padding.iter().any(|byte| *byte != 0) {
            return None;
        }
        let [initiators, responders] = symmetric.split(identity.suite());
        Some((Keys::new(initiators, responders), Offer::decode(*offer)))
    }

    /// Opens message 2, in place: the handshake's end, and the payload.
    pub(super) fn open_second<'n>(
        &self,
        identity: &Identity,
        noise: &'n mut [u8],
    ) -> Option<(Symmetric, &'n [u8])> {
        let suite = identity.suite();
        let (ephemeral, sealed) = noise.split_first_chunk_mut()?;
        let (payload, tag) = sealed.split_last_chunk_mut()?;
        let ee = self.ephemeral.agree(suite, ephemeral)?;
        let se = identity.agree(ephemeral)?;
        let mut symmetric = self.symmetric.clone();
        let key = symmetric.mix_second(suite, ephemeral, &ee, &se);
        symmetric.open(suite, &key, payload, tag)?;
        Some((symmetric, payload))
    }
}

/// Message 1 at the responder, opened: who wants a session, not yet that they
/// are there now. A copy of an old message 1 opens as well; what it leads to stays
/// unconfirmed until a packet of the session arrives.
#[derive(Debug)]
pub struct Opened {
    symmetric: Symmetric,
    ephemeral: [u8; 32],
    initiator: PublicKey,
    offer: Offer,
}

impl Opened {
    /// The initiator's ephemeral key, which tells repetitions of message 1,
    /// before anything is computed. `None` if `init` has a wrong length.
    pub fn ephemeral(init: &Init<'_>) -> Option<[u8; 32]> {
        let message: &[u8; INIT_NOISE] = init.noise.try_into().ok()?;
        message.first_chunk().copied()
    }

    /// Opens message 1, for two Diffie-Hellman operations; the cookie is to be
    /// verified before. `retry_key` is the key in the Retry that the initiator was
    /// sent: a server's own, none at a peer.
    pub fn open(
        identity: &Identity,
        init: &Init<'_>,
        retry_key: Option<PublicKey>,
    ) -> Option<Self> {
        let retry = cookie::retry(identity.suite(), &init.hello, init.cookie, retry_key);
        let mut scratch = [0; Retry::SIZE_BOUND];
        let (header, mac, retry) = prologue(&init.hello, &retry, &mut scratch);
        let prologue = [LABEL, &header, &mac, retry];
        let mut message: [u8; INIT_NOISE] = init.noise.try_into().ok()?;
        let first = noise::open_first(pattern::IK, identity, prologue, &mut message)?;
        Some(Self {
            offer: Offer::decode(*first.payload.first_chunk()?),
            symmetric: first.symmetric,
            ephemeral: first.ephemeral,
            initiator: first.initiator,
        })
    }

    /// Who sent it.
    pub fn initiator(&self) -> PublicKey {
        self.initiator
    }

    /// What they offer.
    pub fn offer(&self) -> Offer {
        self.offer
    }

    /// Accepts: the session's keys, and what message 2 is made from. The
    /// [`Accept`] will have `size` bytes, padding included, so that its arrival shows
    /// that datagrams of that size get through; no fewer than it needs and no
    /// more than [`MAX_DATAGRAM`]. `boot` is as for [`Initiator::new`].
    ///
    /// `None` if one of the initiator's keys is of small order.
    pub fn accept(
        self,
        identity: &Identity,
        offer: Offer,
        size: usize,
        random: &mut Random,
        boot: u64,
    ) -> Option<(Keys, AcceptMemo)> {
        let Self { mut symmetric, ephemeral: theirs, initiator, .. } = self;
        let suite = identity.suite();
        let padded = size.min(MAX_DATAGRAM).saturating_sub(Accept::length(0));
        let length = padded.max(ACCEPT_NOISE) as u16;
        let payload: [&[u8]; 2] = [&offer.encode(), &length.to_le_bytes()];
        let fresh = Key(random.bytes());
        let ours = Ephemeral::derive(identity, &fresh, boot, &symmetric, &initiator.0, payload);
        let ee = ours.agree(suite, &theirs)?;
        let se = ours.agree(suite, &initiator.0)?;
        let key = symmetric.mix_second(suite, &ours.public, &ee, &se);
        let [initiators, responders] = symmetric.split(suite);
        let memo =
            AcceptMemo { ephemeral: ours.public, key, hash: symmetric.hash(), offer, length };
        Some((Keys::new(responders, initiators), memo))
    }
}

/// Makes message 2, the same bytes each time: a repeated message 1 gets the
/// identical answer, and its maker need not keep all of it.
#[derive(Debug)]
pub struct AcceptMemo {
    ephemeral: [u8; 32],
    key: Key,
    hash: [u8; 32],
    offer: Offer,
    length: u16,
}

impl AcceptMemo {
    /// Writes message 2 to the front of `out`, to be sent in an [`Accept`], and
    /// returns its length. `None` if `out` is too short; what a datagram of
    /// [`MAX_DATAGRAM`] has behind the Accept's own fields always is enough.
    pub fn encode(&self, suite: &dyn Suite, out: &mut [u8]) -> Option<usize> {
        let length = usize::from(self.length);
        let (ephemeral, sealed) = out.get_mut(..length)?.split_first_chunk_mut()?;
        let (payload, tag) = sealed.split_last_chunk_mut()?;
        let (offer, padding) = payload.split_first_chunk_mut()?;
        *ephemeral = self.ephemeral;
        *offer = self.offer.encode();
        padding.fill(0);
        *tag = suite.seal(&self.key.0, 0, &self.hash, payload);
        Some(length)
    }
}
