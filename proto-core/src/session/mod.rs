//! Security: who is at the other end, and that nobody in between reads or
//! changes what is said. No state of its own beyond the values handed out.
//!
//! # A session's beginning
//! 1. A [`Hello`](crate::wire::Hello) asks for an address proof. One to a peer
//!    carries [`hello_mac`].
//! 2. A [`Retry`](crate::wire::Retry), made by [`retry()`], brings a [`Cookies`]
//!    cookie and, from a server, its key.
//! 3. An [`Init`](crate::wire::Init) brings the cookie back with Noise IK
//!    message 1: [`Initiator::new`], [`Opened::open`].
//! 4. An [`Accept`](crate::wire::Accept) is message 2: [`Opened::accept`],
//!    [`Initiator::finish`]. Both sides have [`Keys`] then, and packets follow.
//!
//! From time to time the initiator has the keys replaced, in packets under the present ones:
//! [`RekeyRequest`], [`answer_rekey`].
//!
//! # What is under what
//! Each use of the hash has a label of its own; HMAC is HMAC-BLAKE2s, a MAC its
//! first 16 bytes. Numbers are in little endian.
//!
//! | what | key | covers |
//! |---|---|---|
//! | [`hello_mac`] | hash of `udpchat 1 peer key` and the responder's public key | `udpchat 1 hello`, [`Hello::header`](crate::wire::Hello::header) |
//! | cookie | the maker's rotating secret | `udpchat 1 cookie`, IP address (16 bytes, IPv4 mapped), port, scope (4 bytes, 0 for IPv4), Hello header, its MAC (zeros to a server) |
//! | a Retry's check | the Hello's random, zero-padded | `udpchat 1 retry`, the Retry up to the check |
//! | handshake | Noise IK | prologue: `udpchat 1`, Hello header, its MAC (zeros to a server), the whole Retry. Payloads: session id, credit in bytes (4 bytes each), in messages (2 bytes), in message 2 zeros up to the datagram's size |
//! | rekey | Noise IK | prologue: `udpchat 1 rekey`, the present keys, the initiator's for sealing first. Payloads: empty |
//! | packet | the session's key for that direction, nonce = counter | the packet's header as associated data |
//! | sealed mail | Noise X | prologue: `udpchat 1 mail`, author's key, recipient's key, epoch (4 bytes), number (8 bytes) |
//! | [`receipt`] | hash of `udpchat 1 pair key` and the DH of author and recipient | `udpchat 1 receipt`, the two keys, and the four positions of what was received (number, then epoch, 4 bytes each) |
//! | [`safety_number`] | – | two hashes of `udpchat 1 safety number`, 0 or 1, and the two keys, the lower first |
//!
//! # How long keys live
//! - An [`Identity`] as long as its owner keeps it. Sealed mail and receipts hang
//!   on it alone: they have no forward secrecy, and whoever steals a recipient's
//!   secret can forge mail to that recipient.
//! - An ephemeral key pair for one handshake or one mail. Its secret is the HMAC under
//!   the identity's secret of `udpchat 1 ephemeral`, 32 random bytes, the boot number,
//!   Noise's handshake hash so far, the other's public key, and a hash of the payload. So a
//!   (key, nonce) pair never seals two texts in a handshake or a mail, even should the seed repeat;
//!   packets need the seed or the boot number to differ from boot to boot.
//! - A session's keys until they are replaced or dropped. The one that was replaced opens what is late
//!   for a few round trips more. [`COUNTER_LIMIT`] is the end, whatever the keys.
//! - A cookie secret for [`Cookies::ROTATION`], and as long again for verifying.
//!
//! Secrets are wiped from memory when they are dropped.

mod cookie;
mod derive;
mod handshake;
mod keys;
mod mail;
mod names;
mod noise;
mod rekey;
mod replay;
mod safety;
mod suite;

#[cfg(test)]
mod tests;

pub use cookie::{Cookies, check_hello, check_retry, hello_mac, retry};
pub use handshake::{AcceptMemo, INIT_NOISE, Initiator, Offer, Opened};
pub use keys::{COUNTER_LIMIT, FormerKey, KeyPair, Keys, NextKeys, OpenError, OpenKey, SealKey};
pub use mail::{MAIL_OVERHEAD, check_receipt, open_mail, receipt, seal_mail};
pub(crate) use names::new_run;
pub use names::room_key;
pub use rekey::{REKEY_NOISE, REKEYED_NOISE, RekeyRequest, answer_rekey};
pub use replay::ReplayWindow;
pub use safety::safety_number;
pub use suite::{Identity, Portable, Suite};
