//! Names: of keys, nicks, accounts, messages and sessions.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// An identity: an X25519 public key (RFC 7748 §6.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// What tells a few keys apart: the first four bytes, little endian.
    pub const fn tag(&self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_le_bytes([a, b, c, d])
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third, ..] = self.0;
        write!(f, "key {first:02x}{second:02x}{third:02x}…")
    }
}

/// The secret half of an identity; wiped from memory when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey(pub [u8; 32]);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// One run of a client or a server, from its start to its end: random bytes that no other run
/// has, not even one that began from a copy of the same state. All zeros is none.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub [u8; 8]);

/// What tells a few runs apart: the first four bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunTag(pub [u8; 4]);

impl RunTag {
    /// Of no run.
    pub const NONE: Self = Self([0; 4]);
}

impl Incarnation {
    /// What tells it from a few others.
    pub const fn tag(&self) -> RunTag {
        let [a, b, c, d, ..] = self.0;
        RunTag([a, b, c, d])
    }

    /// Of no run.
    pub const NONE: Self = Self([0; 8]);
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third, ..] = self.0;
        write!(f, "run {first:02x}{second:02x}{third:02x}…")
    }
}

/// The longest nick or room name, in bytes.
pub const MAX_NAME: usize = 32;

/// A name that a person goes by: 1–32 ASCII letters, digits, `_`, `-` or `.`,
/// starting with a letter or digit.
///
/// ASCII on purpose: no two nicks can look alike in different scripts. The case
/// is kept for display; two nicks that differ in case only are the same nick. Nicks that look alike
/// are two nicks, of which a server gives one ([`Self::skeleton`]).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nick(Word);

/// A room's name: made like a [`Nick`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RoomName(Word);

/// Why a text is no nick or room name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// It is empty or longer than [`MAX_NAME`] bytes.
    Length,
    /// It has a character that names do not have.
    Character,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a name has 1 to 32 characters",
            Self::Character => {
                "a name is made of the letters a-z, digits, '_', '-' and '.', and starts with a letter or digit"
            }
        })
    }
}

impl core::error::Error for NameError {}

macro_rules! name {
    ($name:ident) => {
        impl $name {
            /// Reads a name.
            ///
            /// # Errors
            /// [`NameError`] says which rule `text` breaks.
            pub fn new(text: &str) -> Result<Self, NameError> {
                Word::new(text).map(Self)
            }

            /// The name as it was written.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// What two spellings of one name share: the name in lower case, zero-padded.
            pub fn folded(&self) -> [u8; MAX_NAME] {
                self.0.folded()
            }

            /// What names share that look alike: the name in lower case, zero-padded, with `l` for
            /// `i` and `1`, and `o` for `0`. A server takes one of those.
            pub fn skeleton(&self) -> [u8; MAX_NAME] {
                self.0.skeleton()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(<&str>::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }
    };
}

name!(Nick);
name!(RoomName);

/// What nicks and room names have in common.
#[derive(Clone, Copy)]
struct Word {
    length: u8,
    bytes: [u8; MAX_NAME],
}

impl Word {
    fn new(text: &str) -> Result<Self, NameError> {
        let source = text.as_bytes();
        let mut bytes = [0; MAX_NAME];
        let target = bytes.get_mut(..source.len()).ok_or(NameError::Length)?;
        target.copy_from_slice(source);
        let first = source.first().ok_or(NameError::Length)?;
        let allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if !first.is_ascii_alphanumeric() || !source.iter().all(allowed) {
            return Err(NameError::Character);
        }
        Ok(Self { length: source.len() as u8, bytes })
    }

    fn as_str(&self) -> &str {
        let written = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        core::str::from_utf8(written).unwrap_or_default()
    }

    fn folded(&self) -> [u8; MAX_NAME] {
        self.bytes.map(|b| b.to_ascii_lowercase())
    }

    fn skeleton(&self) -> [u8; MAX_NAME] {
        self.folded().map(|b| match b {
            b'i' | b'1' => b'l',
            b'0' => b'o',
            other => other,
        })
    }
}

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }
}

impl Eq for Word {}

/// A nick's number at its server, given once and for ever. On the wire it stands for the key of
/// whoever holds the nick.
///
/// Its lower 20 bits are a place in the server's table, from 0 upwards; the upper ones, its
/// *generation*, say how many accounts had that place before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Account(pub u32);

impl Account {
    /// How many places there can be.
    pub(crate) const PLACES: u32 = 1 << 20;

    /// Its place in the server's table.
    pub(crate) const fn place(self) -> u32 {
        self.0 % Self::PLACES
    }

    /// The next one at its place, if there can be another.
    pub(crate) const fn next(self) -> Option<Self> {
        match self.0.checked_add(Self::PLACES) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }

    /// The one before it at its place, if there was one.
    pub(crate) const fn before(self) -> Option<Self> {
        match self.0.checked_sub(Self::PLACES) {
            Some(before) => Some(Self(before)),
            None => None,
        }
    }
}

/// A room's number at its server, given once and for ever; the lobby's is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Room(pub u32);

impl Room {
    /// The room that everyone is in.
    pub const LOBBY: Self = Self(0);
}

/// Whom a submission is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Recipient {
    /// One person.
    Account(Account),
    /// The members of a room.
    Room(Room),
}

impl Recipient {
    /// As one number: different recipients differ.
    pub(crate) const fn to_u64(self) -> u64 {
        match self {
            Self::Account(account) => account.0 as u64,
            Self::Room(room) => 1 << 32 | room.0 as u64,
        }
    }

    /// As one number, the same for all accounts that had a place one after the other.
    pub(crate) const fn place(self) -> u64 {
        match self {
            Self::Account(account) => account.place() as u64,
            Self::Room(_) => self.to_u64(),
        }
    }
}

/// Which run of a client numbered a message: each run has one of its own, above those of
/// all runs before it, so that no two messages ever get the same number.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u32);

/// A message's place in its author's outbox for one conversation, from 1
/// upwards, never reused within an [`Epoch`]; 32 bits. As a cursor it says "all
/// up to and including this one", 0 being none.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Number(pub u64);

impl Number {
    /// The number after this one; it stays at the end of its 32 bits.
    #[must_use]
    pub const fn next(self) -> Self {
        let next = self.0.saturating_add(1);
        Self(if next > NUMBER_MASK { NUMBER_MASK } else { next })
    }
}

/// The last place that a room's log has.
pub(crate) const MAX_INDEX: u64 = NUMBER_MASK;

const NUMBER_BITS: u32 = 32;
const NUMBER_MASK: u64 = (1 << NUMBER_BITS) - 1;

/// Epoch and number in one: a message's place in a whole log, in the order in
/// which its author wrote.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position {
    /// The author's epoch.
    pub epoch: Epoch,
    /// The number within it.
    pub number: Number,
}

impl Position {
    /// Of no message; as a cursor, ahead of all.
    pub const NONE: Self = Self::new(Epoch(0), Number(0));

    /// Of `number` in `epoch`.
    pub const fn new(epoch: Epoch, number: Number) -> Self {
        Self { epoch, number }
    }

    /// As a cursor: it has passed `position`. It says nothing of other epochs.
    pub fn covers(self, position: Self) -> bool {
        self.epoch == position.epoch && position.number <= self.number
    }

    /// As the number of a record in a stored log: 32 bits of epoch above 32 of number.
    pub const fn to_record_number(self) -> u64 {
        ((self.epoch.0 as u64) << NUMBER_BITS) | (self.number.0 & NUMBER_MASK)
    }

    /// It names a message: both parts begin at 1 and fit their bits.
    pub const fn is_sound(self) -> bool {
        self.epoch.0 >= 1 && self.number.0 >= 1 && self.number.0 <= NUMBER_MASK
    }

    /// It can be a cursor, or in a record: both parts fit their bits.
    pub(crate) fn fits(self) -> bool {
        Self::from_record_number(self.to_record_number()) == self
    }

    /// The inverse of [`Self::to_record_number`].
    pub const fn from_record_number(number: u64) -> Self {
        Self::new(Epoch((number >> NUMBER_BITS) as u32), Number(number & NUMBER_MASK))
    }
}

/// Names a message: who wrote it, to whom, and its [`Position`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageName {
    /// The author's key.
    pub author: PublicKey,
    /// The recipient's key: the conversation.
    pub recipient: PublicKey,
    /// Where in the author's outbox for that conversation.
    pub position: Position,
}

/// Picked by a receiver to find a session by: on the wire ahead of every packet. Its top bit is the
/// **key phase** (RFC 9001 §6): it tells under which of a session's keys a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub u32);

impl SessionId {
    /// The key phase.
    const PHASE: u32 = 1 << 31;

    /// The same session's id under the keys that follow, and under those that came before.
    #[must_use]
    pub fn other_phase(self) -> Self {
        Self(self.0 ^ Self::PHASE)
    }

    /// What the session is found by, whatever the keys.
    pub(crate) fn name(self) -> [u8; 4] {
        (self.0 & !Self::PHASE).to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nicks_are_restricted() {
        for good in ["x", "Alice", "c1", "a.b-c_d", "send", &"n".repeat(32)] {
            assert_eq!(Nick::new(good).unwrap().as_str(), good);
        }
        for (bad, why) in [
            ("", NameError::Length),
            (&"n".repeat(33), NameError::Length),
            ("а\u{3b}lice", NameError::Character),
            ("a b", NameError::Character),
            ("-a", NameError::Character),
            ("\u{1b}[2J", NameError::Character),
        ] {
            assert_eq!(Nick::new(bad).unwrap_err(), why, "{bad:?}");
        }
        assert_eq!(Nick::new("Alice").unwrap(), Nick::new("aLICE").unwrap());
    }

    #[test]
    fn names_that_look_alike_have_one_skeleton() {
        let skeleton = |name| Nick::new(name).unwrap().skeleton();
        for alike in [["paul", "PAUI"], ["pau1", "pauL"], ["b0b", "bOb"], ["i1l", "Lli"]] {
            assert_eq!(skeleton(alike[0]), skeleton(alike[1]), "{alike:?}");
        }
        for apart in [["a-b", "a_b"], ["a.b", "a-b"], ["rn", "m"], ["bob", "bobo"], ["5", "s"]] {
            assert_ne!(skeleton(apart[0]), skeleton(apart[1]), "{apart:?}");
        }
        assert_ne!(Nick::new("b0b").unwrap(), Nick::new("bob").unwrap());
    }

    #[test]
    fn positions_sort_as_their_record_numbers() {
        let at = |e, n| Position::new(Epoch(e), Number(n));
        let all = [at(0, 0), at(0, NUMBER_MASK), at(1, 0), at(1, 7), at(u32::MAX, 1)];
        assert!(all.is_sorted_by_key(|p| p.to_record_number()));
        for p in all {
            assert_eq!(Position::from_record_number(p.to_record_number()), p);
        }
    }
}
