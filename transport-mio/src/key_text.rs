//! Public keys as text, with a checksum: base32 in lower case without padding, as they stand in the
//! address that one joins by. A key that was mistyped is thus no key, rather than another one that
//! the server does not have.

use data_encoding::{BASE32_NOPAD, BASE32_NOPAD_NOCASE};
use proto_core::{
    id::PublicKey,
    session::{Portable, Suite as _},
};

/// Characters of a key's text.
pub const LENGTH: usize = 56;

/// Bytes of the checksum: a text with wrong letters passes once in 2^24 times.
const CHECKSUM: usize = 3;

/// What is hashed ahead of the key.
const LABEL: &[u8] = b"udpchat key";

/// Why a text is no key. The text was mistyped or cut off on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyTextError {
    /// It is too short or too long.
    #[error("a key has {LENGTH} characters, this text has {found}; copy the whole key")]
    Length {
        /// Its characters.
        found: usize,
    },
    /// It has a character that keys do not have.
    #[error(
        "character {position} of the key is {found:?}; a key is made of the letters a-z and the \
         digits 2-7 only"
    )]
    Character {
        /// Which one, counted from 1.
        position: usize,
        /// The character.
        found: char,
    },
    /// Some of its characters are wrong.
    #[error("the key is mistyped: at least one of its characters is wrong; copy it again")]
    Checksum,
}

/// Writes a key.
pub fn encode(key: &PublicKey) -> String {
    let mut bytes = [0; 32 + CHECKSUM];
    bytes[..32].copy_from_slice(&key.0);
    bytes[32..].copy_from_slice(&checksum(&key.0));
    BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()
}

/// Reads a key; upper case will do too.
///
/// # Errors
/// [`KeyTextError`] says what is wrong with `text`.
pub fn parse(text: &str) -> Result<PublicKey, KeyTextError> {
    let is_symbol = |c: char| c.is_ascii_alphabetic() || matches!(c, '2'..='7');
    if let Some((index, found)) = text.chars().enumerate().find(|(_, c)| !is_symbol(*c)) {
        return Err(KeyTextError::Character { position: index + 1, found });
    }
    let length = KeyTextError::Length { found: text.len() };
    if text.len() != LENGTH {
        return Err(length);
    }
    let bytes = BASE32_NOPAD_NOCASE.decode(text.as_bytes()).map_err(|_| length)?;
    let (key, sum) = bytes.split_first_chunk::<32>().ok_or(length)?;
    if sum != checksum(key) {
        return Err(KeyTextError::Checksum);
    }
    Ok(PublicKey(*key))
}

fn checksum(key: &[u8; 32]) -> [u8; CHECKSUM] {
    let [a, b, c, ..] = Portable.hash(&[LABEL, key]);
    [a, b, c]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_written_key_reads_back(bytes: [u8; 32]) {
            let text = encode(&PublicKey(bytes));
            prop_assert_eq!(text.len(), LENGTH);
            prop_assert_eq!(parse(&text), Ok(PublicKey(bytes)));
            prop_assert_eq!(parse(&text.to_ascii_uppercase()), Ok(PublicKey(bytes)));
        }

        #[test]
        fn a_slip_is_noticed(bytes: [u8; 32], at in 0..LENGTH, by in 1..32u8) {
            const SYMBOLS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
            let mut text = encode(&PublicKey(bytes)).into_bytes();
            let was = SYMBOLS.iter().position(|symbol| *symbol == text[at]).unwrap();
            text[at] = SYMBOLS[(was + usize::from(by)) % 32];
            prop_assert_eq!(parse(std::str::from_utf8(&text).unwrap()), Err(KeyTextError::Checksum));
        }

        #[test]
        fn nothing_is_a_key_by_chance(text in "[a-z2-7]{56}|\\PC{0,60}") {
            if let Ok(key) = parse(&text) {
                prop_assert_eq!(encode(&key), text.to_ascii_lowercase());
            }
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let a = |count| "a".repeat(count);
        for (text, error) in [
            (String::new(), KeyTextError::Length { found: 0 }),
            (a(55), KeyTextError::Length { found: 55 }),
            (a(57), KeyTextError::Length { found: 57 }),
            (a(10) + "0", KeyTextError::Character { position: 11, found: '0' }),
            ("é".to_owned() + &a(50), KeyTextError::Character { position: 1, found: 'é' }),
            (a(56), KeyTextError::Checksum),
        ] {
            assert_eq!(parse(&text), Err(error), "{text}");
        }
    }
}
