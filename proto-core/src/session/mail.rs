//! Sealed mail: a message that only its recipient can read and only its author
//! (or its recipient) can have written, whoever keeps it in between. And the
//! receipt that comes back for it.

use crate::id::{MessageName, PublicKey};
use crate::random::Random;

use super::derive::{Key, hash, label, mac, same};
use super::noise::{self, FIRST_OVERHEAD, pattern};
use super::suite::Identity;

/// Bytes that sealing adds: an ephemeral key, the author's sealed key, two tags.
pub const MAIL_OVERHEAD: usize = FIRST_OVERHEAD;

/// What the prologue of a sealed message begins with.
const LABEL: &[u8] = b"udpchat 1 mail";

/// Seals `buffer[..text]` in place for `name.recipient`, bound to the whole name;
/// the sealed message takes `text + MAIL_OVERHEAD` bytes, the number returned.
/// `boot` is as for [`Initiator::new`](super::Initiator::new).
///
/// `None` if `buffer` is too short, the recipient's key is of small order, or
/// `identity` is not the author.
pub fn seal_mail(
    identity: &Identity,
    name: &MessageName,
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
    message.copy_within(..text, noise::FIRST_HEAD);
    let (epoch, number) = position(name);
    let prologue = [LABEL, &name.author.0, &name.recipient.0, &epoch, &number];
    let fresh = Key(random.bytes());
    noise::seal_first(pattern::X, identity, &name.recipient, prologue, &fresh, boot, message)?;
    Some(length)
}

/// Opens a sealed message in place and returns its plaintext. `None`, and
/// `buffer` of no use, unless `name.author` sealed it under just this name for
/// `identity`.
pub fn open_mail<'a>(
    identity: &Identity,
    name: &MessageName,
    buffer: &'a mut [u8],
) -> Option<&'a mut [u8]> {
    let (epoch, number) = position(name);
    let prologue = [LABEL, &name.author.0, &name.recipient.0, &epoch, &number];
    let message = noise::open_first(pattern::X, identity, prologue, buffer)?;
    if message.initiator != name.author {
        message.payload.fill(0);
        return None;
    }
    Some(message.payload)
}

/// The receipt by which `name.recipient` attests to `name.author` that it has
/// all messages of that epoch up to that number. Either of the two makes it, with
/// `other` the key of the other one: the recipient to send it, the author to check.
///
/// It is a MAC under a key from the two static keys; `None` if `other` is of
/// small order.
pub fn receipt(identity: &Identity, other: &PublicKey, name: &MessageName) -> Option<[u8; 16]> {
    let suite = identity.suite();
    let key = Key(hash(suite, label::PAIR_KEY, [&identity.agree(&other.0)?.0]));
    let (epoch, number) = position(name);
    let parts = [label::RECEIPT, &name.author.0, &name.recipient.0, &epoch, &number];
    Some(mac(suite, &key.0, parts))
}

/// Whether `receipt` is the one that the two of them make for `name`.
#[must_use]
pub fn check_receipt(
    identity: &Identity,
    other: &PublicKey,
    name: &MessageName,
    receipt: &[u8; 16],
) -> bool {
    self::receipt(identity, other, name).is_some_and(|made| same(&made, receipt).into())
}

fn position(name: &MessageName) -> ([u8; 4], [u8; 8]) {
    (name.position.epoch.0.to_le_bytes(), name.position.number.0.to_le_bytes())
}
