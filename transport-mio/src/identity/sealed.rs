//! An identity in a file, under a passphrase.
//!
//! | bytes | what |
//! |---|---|
//! | 16 | `udpchat identity` |
//! | 1 | the format, 1 |
//! | 16 | salt |
//! | 65 | sealed: the secret key (32), the length of the nick (1), the nick, padded with zeros (32) |
//! | 16 | tag |
//! | 8 | BLAKE2s of all before it, its beginning: tells a damaged file from a wrong passphrase |
//!
//! The key is Argon2id of passphrase and salt (64 MiB, three passes, four lanes: RFC 9106's second
//! recommended choice), the cipher ChaCha20-Poly1305 with nonce 0, which a key of a salt of its
//! own uses once, over the bytes before it as associated data.

use argon2::{Algorithm, Argon2, Params, Version};
use proto_core::{
    id::{Nick, SecretKey},
    session::{Portable, Suite as _},
};
use zeroize::{Zeroize as _, Zeroizing};

const MAGIC: &[u8; 16] = b"udpchat identity";
const FORMAT: u8 = 1;
const SALT: usize = 16;
const HEAD: usize = MAGIC.len() + 1 + SALT;
const NICK: usize = 32;
const TEXT: usize = 32 + 1 + NICK;
const TAG: usize = 16;
const SUM: usize = 8;
/// Bytes of a file.
pub(super) const LENGTH: usize = HEAD + TEXT + TAG + SUM;

/// Memory of the hash, in KiB.
const MEMORY: u32 = 64 << 10;
const PASSES: u32 = 3;
const LANES: u32 = 4;

/// Why a file is no identity that this program can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It is something else.
    #[error("is no identity that udpchat exported; name the file that `udpchat id --export` made")]
    Other,
    /// It was made by a later version of the program.
    #[error(
        "was made by a newer udpchat (its format is {found}, this program's is {FORMAT}); update this one"
    )]
    Newer {
        /// Its format.
        found: u8,
    },
    /// Its end is missing, or something follows it.
    #[error(
        "is cut off or grown: it has {found} bytes instead of {LENGTH}; copy it again from where it was made"
    )]
    Length {
        /// Its length.
        found: usize,
    },
    /// Some of its bytes are not those that were written.
    #[error("is damaged; copy it again from where it was made")]
    Damaged,
    /// The passphrase is another one.
    #[error("does not open: the passphrase is wrong; nothing was changed, try again")]
    Passphrase,
    /// The hash of the passphrase has no room.
    #[error("cannot be opened: there is no memory for hashing the passphrase; close some programs")]
    Memory,
}

/// What a file holds.
#[derive(Clone)]
pub(super) struct Contents {
    pub(super) nick: Nick,
    pub(super) secret: SecretKey,
}

/// Writes a file. The salt is not to be used again.
pub(super) fn seal(
    contents: &Contents,
    passphrase: &[u8],
    salt: [u8; SALT],
) -> Result<[u8; LENGTH], FileError> {
    let mut file = [0; LENGTH];
    file[..16].copy_from_slice(MAGIC);
    file[16] = FORMAT;
    file[17..HEAD].copy_from_slice(&salt);
    let mut text = Zeroizing::new([0; TEXT]);
    let nick = contents.nick.as_str().as_bytes();
    text[..32].copy_from_slice(&contents.secret.0);
    text[32] = nick.len() as u8;
    text[33..33 + nick.len()].copy_from_slice(nick);
    let tag = Portable.seal(&*key(passphrase, &salt)?, 0, &file[..HEAD], &mut text[..]);
    file[HEAD..HEAD + TEXT].copy_from_slice(&text[..]);
    file[HEAD + TEXT..LENGTH - SUM].copy_from_slice(&tag);
    let sum = sum(&file[..LENGTH - SUM]);
    file[LENGTH - SUM..].copy_from_slice(&sum);
    Ok(file)
}

/// Checks all of a file that can be checked without its passphrase.
pub(super) fn check(file: &[u8]) -> Result<&[u8; LENGTH], FileError> {
    let Some(rest) = file.strip_prefix(MAGIC) else {
        let is_cut = !file.is_empty() && MAGIC.starts_with(file);
        let length = FileError::Length { found: file.len() };
        return Err(if is_cut { length } else { FileError::Other });
    };
    match rest.first() {
        Some(&found) if found > FORMAT => return Err(FileError::Newer { found }),
        Some(&FORMAT) | None => {}
        Some(_) => return Err(FileError::Damaged),
    }
    let whole: &[u8; LENGTH] =
        file.try_into().map_err(|_| FileError::Length { found: file.len() })?;
    let (front, sum_there) = whole.split_at(LENGTH - SUM);
    if sum(front) == sum_there { Ok(whole) } else { Err(FileError::Damaged) }
}

/// Opens a file that was [checked](check).
pub(super) fn open(file: &[u8; LENGTH], passphrase: &[u8]) -> Result<Contents, FileError> {
    let (head, rest) = file.split_at(HEAD);
    let mut text = Zeroizing::new([0; TEXT]);
    text.copy_from_slice(&rest[..TEXT]);
    let mut tag = [0; TAG];
    tag.copy_from_slice(&rest[TEXT..TEXT + TAG]);
    if !Portable.open(&*key(passphrase, &head[17..])?, 0, head, &mut text[..], &tag) {
        return Err(FileError::Passphrase);
    }
    let nick = text[33..].get(..usize::from(text[32])).and_then(|it| std::str::from_utf8(it).ok());
    let nick = nick.and_then(|nick| Nick::new(nick).ok()).ok_or(FileError::Damaged)?;
    let mut secret = SecretKey([0; 32]);
    secret.0.copy_from_slice(&text[..32]);
    Ok(Contents { nick, secret })
}

fn key(passphrase: &[u8], salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, FileError> {
    let params = Params::new(MEMORY, PASSES, LANES, Some(32)).map_err(|_| FileError::Memory)?;
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut key = Zeroizing::new([0; 32]);
    hash.hash_password_into(passphrase, salt, &mut key[..]).map_err(|_| {
        key.zeroize();
        FileError::Memory
    })?;
    Ok(key)
}

fn sum(bytes: &[u8]) -> [u8; SUM] {
    let mut sum = [0; SUM];
    sum.copy_from_slice(&Portable.hash(&[bytes])[..SUM]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents() -> Contents {
        Contents { nick: Nick::new("alice").unwrap(), secret: SecretKey([7; 32]) }
    }

    #[test]
    fn what_was_sealed_opens_with_its_passphrase_only() {
        let file = seal(&contents(), b"open sesame", [1; SALT]).unwrap();
        let opened = open(check(&file).unwrap(), b"open sesame").unwrap();
        assert_eq!((opened.nick, opened.secret.0), (contents().nick, [7; 32]));
        assert_eq!(open(&file, b"open sesamy").err(), Some(FileError::Passphrase));
        assert!(!file.windows(5).any(|it| it == b"alice" || it == [7; 5]), "nothing is in clear");
    }

    #[test]
    fn a_file_that_is_not_whole_is_told_from_a_wrong_passphrase() {
        let file = seal(&contents(), b"open sesame", [1; SALT]).unwrap();
        for length in 1..LENGTH {
            let found = FileError::Length { found: length };
            assert_eq!(check(&file[..length]).err(), Some(found));
        }
        assert_eq!(check(b"").err(), Some(FileError::Other));
        for at in 0..LENGTH {
            let mut damaged = file;
            damaged[at] ^= 0x80;
            let why = match at {
                0..16 => FileError::Other,
                16 => FileError::Newer { found: FORMAT | 0x80 },
                _ => FileError::Damaged,
            };
            assert_eq!(check(&damaged).err(), Some(why), "{at}");
        }
    }
}
