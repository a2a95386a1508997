//! Who one is: a secret key in a file that only its owner can read.

pub mod moving;
mod sealed;

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use proto_core::{id::SecretKey, random::Seed};

pub use sealed::FileError;

use crate::files::{self, Exposure};

/// Why there is no identity to use. An existing file is never changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Others can read or write the file.
    #[error(
        "{} holds your secret key and others on this computer can read or change it; \
         run: chmod 600 {}",
        path.display(),
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The file is somebody else's.
    #[error(
        "{} holds a secret key and belongs to another user of this computer (number {owner}); move it \
         away to start with a new identity, or pass another --data-dir",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The number of the user whose it is.
        owner: u32,
    },
    /// The file is no secret key.
    #[error(
        "{} is no secret key: it has {found} bytes instead of 32; restore it from a backup, or \
         move it away to start with a new identity",
        path.display()
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// The system refused.
    #[error("cannot read or create {}: {cause}; check that the disk has room and that you may write there", path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The system gives no randomness, without which there is no security.
    #[error("the system gives no random numbers: {0}; nothing can be done safely without")]
    Randomness(#[from] getrandom::Error),
}

/// Loads the secret key in the file at `path`, making a new one if there is no
/// such file.
///
/// # Errors
/// [`IdentityError`] says what is wrong with the file and what to do.
pub fn load_or_create(path: &Path) -> Result<SecretKey, IdentityError> {
    let is_there = path.try_exists().map_err(|cause| system(path, cause))?;
    if !is_there {
        publish(path, &draw()?)?;
    }
    let missing = || system(path, io::ErrorKind::NotFound.into());
    load(path)?.ok_or_else(missing)
}

/// A seed for the core.
///
/// # Errors
/// If the system gives no random numbers.
pub fn seed() -> Result<Seed, IdentityError> {
    Ok(Seed::draw(getrandom::fill)?)
}

/// A new secret key.
///
/// # Errors
/// If the system gives no random numbers.
pub(crate) fn draw() -> Result<SecretKey, IdentityError> {
    let mut secret = SecretKey([0; 32]);
    getrandom::fill(&mut secret.0)?;
    Ok(secret)
}

/// Salt for hashing one passphrase.
fn draw_salt() -> Result<[u8; 16], IdentityError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt)?;
    Ok(salt)
}

/// The secret key in the file at `path`, if there is one.
fn load(path: &Path) -> Result<Option<SecretKey>, IdentityError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(system(path, cause)),
    };
    let metadata = file.metadata().map_err(|cause| system(path, cause))?;
    match files::exposure(&metadata) {
        None => {}
        Some(Exposure::Mode(_)) => return Err(IdentityError::Exposed { path: path.to_owned() }),
        Some(Exposure::Owner(owner)) => {
            return Err(IdentityError::Foreign { path: path.to_owned(), owner });
        }
    }
    if metadata.len() != 32 {
        return Err(IdentityError::Length { path: path.to_owned(), found: metadata.len() });
    }
    let mut secret = SecretKey([0; 32]);
    file.read_exact(&mut secret.0).map_err(|cause| system(path, cause))?;
    Ok(Some(secret))
}

/// Writes a secret key, unless another process was quicker.
fn publish(path: &Path, secret: &SecretKey) -> Result<(), IdentityError> {
    let (beside, mut file) = files::create_beside(path).map_err(|cause| system(path, cause))?;
    let created = file
        .write_all(&secret.0)
        .and_then(|()| file.sync_all())
        .and_then(|()| files::publish(&beside, path));
    created.map_err(|cause| {
        // The error that counts is the first one.
        let _ = fs::remove_file(&beside);
        system(path, cause)
    })
}

fn system(path: &Path, cause: io::Error) -> IdentityError {
    IdentityError::System { path: path.to_owned(), cause }
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt, thread};

    use proto_core::random::Random;

    use super::*;

    #[test]
    fn an_identity_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity");
        let secret = load_or_create(&path).unwrap();
        assert_ne!(secret.0, [0; 32]);
        assert_eq!(load_or_create(&path).unwrap().0, secret.0);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn those_who_start_at_once_agree() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity");
        let secrets: Vec<_> = thread::scope(|scope| {
            let all: Vec<_> =
                (0..8).map(|_| scope.spawn(|| load_or_create(&path).unwrap().0)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(secrets.iter().all(|secret| *secret == secrets[0]));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity");
        let secret = load_or_create(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let refused = load_or_create(&path).unwrap_err();
            assert!(matches!(refused, IdentityError::Exposed { .. }));
            assert!(refused.to_string().contains("chmod 600"), "{refused}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(load_or_create(&path).unwrap().0, secret.0);
    }

    #[test]
    fn a_file_of_another_length_is_refused_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity");
        load_or_create(&path).unwrap();
        for length in [0, 31, 33] {
            fs::write(&path, vec![1; length]).unwrap();
            let refused = load_or_create(&path).unwrap_err();
            assert!(
                matches!(refused, IdentityError::Length { found, .. } if found == length as u64)
            );
            assert_eq!(fs::read(&path).unwrap().len(), length);
        }
    }

    #[test]
    fn a_missing_directory_is_named() {
        let refused = load_or_create(Path::new("/nonexistent/identity")).unwrap_err();
        assert!(refused.to_string().contains("/nonexistent/identity"), "{refused}");
    }

    #[test]
    fn seeds_differ() {
        let [one, other] = [(); 2].map(|()| Random::new(seed().unwrap()).u64());
        assert_ne!(one, other);
    }
}
