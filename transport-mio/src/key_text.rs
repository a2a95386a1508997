//! Public keys as text: base32 in lower case without padding, 52 characters,
//! as they stand in the address that one joins by.

use data_encoding::{BASE32_NOPAD, BASE32_NOPAD_NOCASE, DecodeKind};
use proto_core::id::PublicKey;

/// Characters of a key's text.
pub const LENGTH: usize = 52;

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
    /// Its last character is one that no key ends in.
    #[error("no key ends in {found:?}; copy the key again, its last character is wrong")]
    Ending {
        /// The last character.
        found: char,
    },
}

/// Writes a key.
pub fn encode(key: &PublicKey) -> String {
    BASE32_NOPAD.encode(&key.0).to_ascii_lowercase()
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
    let bytes = BASE32_NOPAD_NOCASE.decode(text.as_bytes()).map_err(|error| {
        match (error.kind, text.chars().last()) {
            (DecodeKind::Trailing, Some(found)) => KeyTextError::Ending { found },
            _ => length,
        }
    })?;
    bytes.try_into().map(PublicKey).map_err(|_| length)
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
        fn what_reads_is_what_was_written(text in "[a-z2-7]{52}|\\PC{0,60}") {
            if let Ok(key) = parse(&text) {
                prop_assert_eq!(encode(&key), text.to_ascii_lowercase());
            }
        }
    }

    #[test]
    fn the_form_is_fixed() {
        let text = format!("aaaq{}", "a".repeat(48));
        assert_eq!(parse(&text).unwrap().0[..3], [0, 1, 0]);
        assert_eq!(encode(&PublicKey([0xff; 32])), format!("{}q", "7".repeat(51)));
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let a = |count| "a".repeat(count);
        for (text, error) in [
            (String::new(), KeyTextError::Length { found: 0 }),
            (a(51), KeyTextError::Length { found: 51 }),
            (a(53), KeyTextError::Length { found: 53 }),
            (a(10) + "0", KeyTextError::Character { position: 11, found: '0' }),
            ("é".to_owned() + &a(50), KeyTextError::Character { position: 1, found: 'é' }),
            (a(51) + "b", KeyTextError::Ending { found: 'b' }),
        ] {
            assert_eq!(parse(&text), Err(error), "{text}");
        }
    }
}
