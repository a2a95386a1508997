//! Sealed mail: a message that only its recipient can read and only its author
//! (or its recipient) can have written, whoever keeps it in between. And the
//! receipt that comes back for it.

use crate::{
    id::{Epoch, MessageName, Number, Position, PublicKey},
    random::Random,
    received::Received,
};

use super::derive::{Key, hash, label, mac, same};
use super::noise::{self, FIRST_OVERHEAD, pattern};
use super::suite::Identity;

/// Bytes that sealing adds: an ephemeral key, the author's sealed key, two tags, and inside the seal
/// the position of the open message before.
pub const MAIL_OVERHEAD: usize = FIRST_OVERHEAD + PREVIOUS;

/// Bytes of that position: epoch and number, 32 bits each.
const PREVIOUS: usize = 8;

/// What the prologue of a sealed message begins with.
const LABEL: &[u8] = b"udpchat 1 mail";

/// Seals `buffer[..text]` in place for `name.recipient`, bound to the whole name; with it goes which
/// message before it is still open. The sealed message takes `text + MAIL_OVERHEAD` bytes, the
/// number returned. `boot` is as for [`Initiator::new`](super::Initiator::new).
///
/// `None` if `buffer` is too short, the recipient's key is of small order, or
/// `identity` is not the author.
pub fn seal_mail(
    identity: &Identity,
    name: &MessageName,
    previous: Position,
    random: &mut Random,
    boot: u64,
    buffer: &mut [u8],
    text: usize,
) -> Option<usize> {
    if name.author != identity.public() {
        return None;
    }
    let length = text.checked_add(MAIL_OVERHEAD)?;
    let message = buffer.get_mut(..length)?;
    message.copy_within(..text, noise::FIRST_HEAD + PREVIOUS);
    let head = message.get_mut(noise::FIRST_HEAD..)?.first_chunk_mut::<PREVIOUS>()?;
    *head = previous.to_record_number().to_le_bytes();
    let (epoch, number) = position(name.position);
    let prologue = [LABEL, &name.author.0, &name.recipient.0, &epoch, &number];
    let fresh = Key(random.bytes());
    noise::seal_first(pattern::X, identity, &name.recipient, prologue, &fresh, boot, message)?;
    Some(length)
}

/// Opens a sealed message in place and returns which message before it its author called open,
/// [`Position::NONE`] for none, and its plaintext. `None`, and `buffer` of no use, unless
/// `name.author` sealed it under just this name for `identity`.
pub fn open_mail<'a>(
    identity: &Identity,
    name: &MessageName,
    buffer: &'a mut [u8],
) -> Option<(Position, &'a mut [u8])> {
    let (epoch, number) = position(name.position);
    let prologue = [LABEL, &name.author.0, &name.recipient.0, &epoch, &number];
    let message = noise::open_first(pattern::X, identity, prologue, buffer)?;
    if message.initiator != name.author {
        message.payload.fill(0);
        return None;
    }
    let (previous, text) = message.payload.split_first_chunk_mut::<PREVIOUS>()?;
    let previous = Position::from_record_number(u64::from_le_bytes(*previous));
    // Only what comes before can be named.
    (previous < name.position).then_some((previous, text))
}

/// The receipt by which `recipient` attests to `author` what it has `received` of their messages.
/// Either of the two makes it: the recipient to send it, the author to check.
///
/// It is a MAC under a key from the two static keys; `None` if `identity` is neither, or the other
/// key is of small order.
pub fn receipt(
    identity: &Identity,
    author: &PublicKey,
    recipient: &PublicKey,
    received: &Received,
) -> Option<[u8; 16]> {
    let own = identity.public();
    let other = if own == *author { recipient } else { author };
    if own != *author && own != *recipient {
        return None;
    }
    let suite = identity.suite();
    let key = Key(hash(suite, label::PAIR_KEY, [&identity.agree(&other.0)?.0]));
    let Received { first, gap: (after, before), last } = received;
    let [first, after, before, last] =
        [first, after, before, last].map(|at| at.to_record_number().to_le_bytes());
    let parts = [label::RECEIPT, &author.0, &recipient.0, &first, &after, &before, &last];
    Some(mac(suite, &key.0, parts))
}

/// Whether `receipt` is the one that the two of them make for `received`.
#[must_use]
pub fn check_receipt(
    identity: &Identity,
    author: &PublicKey,
    recipient: &PublicKey,
    received: &Received,
    receipt: &[u8; 16],
) -> bool {
    self::receipt(identity, author, recipient, received)
        .is_some_and(|made| same(&made, receipt).into())
}

fn position(at: Position) -> ([u8; 4], [u8; 8]) {
    let Position { epoch: Epoch(epoch), number: Number(number) } = at;
    (epoch.to_le_bytes(), number.to_le_bytes())
}
