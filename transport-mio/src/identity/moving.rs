//! Moving an identity to another data directory, by way of a file.
//!
//! An identity is for one device at a time, so exporting it moves it. At each moment, a crash
//! included, there is one usable copy at least, and never are there two directories that a program
//! starts in:
//!
//! | | `identity` here | mark here | the file | what can be done |
//! |---|---|---|---|---|
//! | before | yes | none | no | run |
//! | 1. the mark is durable | yes | export | no | export again |
//! | 2. the file is durable | yes | export | yes | export again, or import it back |
//! | 3. the identity is removed | no | export | yes | import |
//!
//! and, where it arrives,
//!
//! | | `identity` here | mark here | the file | what can be done |
//! |---|---|---|---|---|
//! | before | no | none or export | yes | import |
//! | 1. the mark is durable | no | import | yes | import |
//! | 2. the identity is durable | yes | import | yes | import again, here |
//! | 3. the file is renamed | yes | import | as `.imported` | import again, here |
//! | 4. the mark is removed | yes | none | as `.imported` | run |
//!
//! No program runs where there is a mark. All this is done holding the store's lock, which a
//! program that runs holds too.

use std::{
    ffi::OsString,
    fs, io,
    io::Write as _,
    path::{self, Path, PathBuf},
};

use proto_core::{
    host::Ticket,
    id::{Nick, PublicKey, SecretKey},
    session::{Identity, Portable},
};

use super::{
    IdentityError, draw_salt, load,
    sealed::{self, Contents, FileError, LENGTH},
};
use crate::{
    directories::{Directories, DirectoryError},
    files,
    store::{OpenError, Store},
};

/// The mark of a directory that its identity is being moved from or to, or was moved from.
const MARK: &str = "moved";

/// What a file's name ends with once it was imported.
const IMPORTED: &str = "imported";

/// Characters of a passphrase, at least.
pub const LEAST: usize = 8;

/// Why an identity is not moved, or not used. Nothing was lost, unless it says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// The directory's identity is elsewhere.
    #[error(
        "the identity in {} was moved to {}, and is for one device at a time; to have it back, run: \
         udpchat id --import <that file>; or pass another --data-dir",
        directory.display(),
        file.display()
    )]
    Moved {
        /// The directory.
        directory: PathBuf,
        /// Where the file was put.
        file: PathBuf,
    },
    /// An export was begun, and something broke in.
    #[error(
        "an export of the identity in {} to {} did not come to its end; run it again: udpchat id \
         <nick> --export {}",
        directory.display(),
        file.display(),
        file.display()
    )]
    UnfinishedExport {
        /// The directory.
        directory: PathBuf,
        /// Where the file is to be.
        file: PathBuf,
    },
    /// An import was begun, and something broke in.
    #[error(
        "an import of an identity from {} to {} did not come to its end; run it again: udpchat id \
         --import {}",
        file.display(),
        directory.display(),
        file.display()
    )]
    UnfinishedImport {
        /// The directory.
        directory: PathBuf,
        /// The file.
        file: PathBuf,
    },
    /// There is nothing to export.
    #[error("there is no identity in {}; the first `join` makes one", directory.display())]
    None {
        /// The directory.
        directory: PathBuf,
    },
    /// The file is there.
    #[error("{} is there already, and nothing was changed; name another file", file.display())]
    FileExists {
        /// The file.
        file: PathBuf,
    },
    /// The directory has another identity.
    #[error(
        "{nick} has an identity in {} already, and nothing was changed; pass another --data-dir, or \
         export that one first",
        directory.display()
    )]
    Occupied {
        /// Whose it is.
        nick: Nick,
        /// The directory.
        directory: PathBuf,
    },
    /// It was imported before.
    #[error(
        "{} was imported already, and an identity is for one device at a time: export it from where \
         it is in use",
        file.display()
    )]
    AlreadyImported {
        /// The file.
        file: PathBuf,
    },
    /// The passphrase is too short.
    #[error(
        "a passphrase has {LEAST} characters at least, since whoever gets the file can guess on; nothing was changed"
    )]
    Short,
    /// The file is none that can be taken.
    #[error("{} {why}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        why: FileError,
    },
    /// The directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The identity.
    #[error(transparent)]
    Identity(Box<IdentityError>),
    /// The store, whose lock is needed.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The system refused.
    #[error("cannot use {}: {cause}; check that it is there, that the disk has room and that you may write there", path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

impl From<IdentityError> for MoveError {
    fn from(error: IdentityError) -> Self {
        Self::Identity(Box::new(error))
    }
}

/// Whether a directory has an identity that a program can run with.
///
/// # Errors
/// [`MoveError`] says where it is instead.
pub(crate) fn check(directory: &Path) -> Result<(), MoveError> {
    let Some(mark) = Mark::read(directory)? else { return Ok(()) };
    let (directory, file) = (directory.to_owned(), mark.file.clone());
    Err(match mark.way {
        Way::Import => MoveError::UnfinishedImport { directory, file },
        Way::Export if load(&directory.join(files::IDENTITY))?.is_some() => {
            MoveError::UnfinishedExport { directory, file }
        }
        Way::Export => MoveError::Moved { directory, file },
    })
}

/// The key of the identity in a directory, if one is there; `Err` if it was moved or is of no use.
///
/// # Errors
/// [`MoveError`] says what is wrong with it and what to do.
pub fn key(directory: &Path) -> Result<Option<PublicKey>, MoveError> {
    check(directory)?;
    Ok(load(&directory.join(files::IDENTITY))?.map(key_of))
}

/// An export that nothing speaks against.
pub struct Export {
    directory: PathBuf,
    nick: Nick,
    file: PathBuf,
    secret: SecretKey,
    _lock: Store<Ticket>,
}

impl Export {
    /// Looks at everything but the passphrase. Nothing is changed yet.
    ///
    /// # Errors
    /// [`MoveError`] says what is in the way and what to do.
    pub fn new(directory: &Path, nick: Nick, file: &Path) -> Result<Self, MoveError> {
        let identity = directory.join(files::IDENTITY);
        let has_one = identity.try_exists().map_err(|cause| system(&identity, cause))?;
        let mark = Mark::read(directory)?;
        if !has_one && mark.is_none() {
            return Err(MoveError::None { directory: directory.to_owned() });
        }
        let lock = Store::open(&directory.join(files::STORE), || ())?;
        let file = absolute(file)?;
        let is_there = file.try_exists().map_err(|cause| system(&file, cause))?;
        match Mark::read(directory)? {
            // Either that one is brought to its end, or it never was.
            Some(mark) if mark.way == Way::Export && has_one => {
                let is_written =
                    mark.file.try_exists().map_err(|cause| system(&mark.file, cause))?;
                if mark.file != file && (is_written || is_there) {
                    check(directory)?;
                }
            }
            Some(_) => check(directory)?,
            None if is_there => return Err(MoveError::FileExists { file }),
            None => {}
        }
        let none = || MoveError::None { directory: directory.to_owned() };
        let secret = load(&identity)?.ok_or_else(none)?;
        Ok(Self { directory: directory.to_owned(), nick, file, secret, _lock: lock })
    }

    /// Moves it; gives its key.
    ///
    /// # Errors
    /// [`MoveError`] says what failed and what to do.
    pub fn finish(self, passphrase: &[u8]) -> Result<PublicKey, MoveError> {
        if String::from_utf8_lossy(passphrase).chars().count() < LEAST {
            return Err(MoveError::Short);
        }
        let wrong = |why| MoveError::File { file: self.file.clone(), why };
        // This takes the longest, and needs no mark.
        let contents = Contents { nick: self.nick, secret: self.secret.clone() };
        let sealed = sealed::seal(&contents, passphrase, draw_salt()?).map_err(wrong)?;
        self.mark()?;
        if let Err(error) = self.write(&sealed, passphrase) {
            // Whoever finds the file may have it, so only without it all is as before.
            if let Ok(false) = self.file.try_exists() {
                Mark::remove(&self.directory)?;
            }
            return Err(error);
        }
        self.remove()?;
        Ok(key_of(self.secret.clone()))
    }

    fn mark(&self) -> Result<(), MoveError> {
        Mark { way: Way::Export, file: self.file.clone() }.write(&self.directory)
    }

    fn write(&self, sealed: &[u8; LENGTH], passphrase: &[u8]) -> Result<(), MoveError> {
        let (file, exists) = (&self.file, || MoveError::FileExists { file: self.file.clone() });
        let wrong = |why| MoveError::File { file: file.clone(), why };
        if file.try_exists().map_err(|cause| system(file, cause))? {
            // By this export, before something broke in; or by somebody else meanwhile.
            let found = fs::read(file).map_err(|cause| system(file, cause))?;
            let found = sealed::open(sealed::check(&found).map_err(wrong)?, passphrase);
            let is_it = found.map_err(wrong)?.secret.0 == self.secret.0;
            return if is_it { Ok(()) } else { Err(exists()) };
        }
        let (beside, mut out) = files::create_beside(file).map_err(|cause| system(file, cause))?;
        let written = out
            .write_all(sealed)
            .and_then(|()| out.sync_all())
            .and_then(|()| files::publish(&beside, file))
            .and_then(|()| fs::read(file));
        match written {
            Ok(found) if found == *sealed => Ok(()),
            Ok(_) => Err(exists()),
            Err(cause) => {
                // The error that counts is the first one.
                let _ = fs::remove_file(&beside);
                Err(system(file, cause))
            }
        }
    }

    fn remove(&self) -> Result<(), MoveError> {
        let path = self.directory.join(files::IDENTITY);
        files::remove(&path).map_err(|cause| system(&path, cause))
    }
}

/// A file with an identity, which is whole as far as can be seen without its passphrase.
pub struct Import {
    file: PathBuf,
    sealed: [u8; LENGTH],
    /// It has its second name already.
    renamed: bool,
}

/// Where an identity is now.
pub struct Arrived {
    /// Whose it is.
    pub nick: Nick,
    /// Its key.
    pub key: PublicKey,
    /// The data directory.
    pub directory: PathBuf,
    /// What the file is called now.
    pub file: PathBuf,
}

impl Import {
    /// Reads a file.
    ///
    /// # Errors
    /// [`MoveError`] says what is wrong with it and what to do.
    pub fn read(file: &Path) -> Result<Self, MoveError> {
        let file = absolute(file)?;
        if file.extension().is_some_and(|it| it == IMPORTED) {
            return Err(MoveError::AlreadyImported { file });
        }
        let second = imported(&file);
        let (content, renamed) = match fs::read(&file) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && second.exists() => {
                (fs::read(&second), true)
            }
            content => (content, false),
        };
        let content = content.map_err(|cause| system(&file, cause))?;
        let sealed = sealed::check(&content).copied();
        let sealed = sealed.map_err(|why| MoveError::File { file: file.clone(), why })?;
        Ok(Self { file, sealed, renamed })
    }

    /// Takes the identity into the directory of its client, which is made if there is none.
    ///
    /// # Errors
    /// [`MoveError`] says what failed and what to do.
    pub fn finish(
        self,
        directories: &Directories,
        passphrase: &[u8],
    ) -> Result<Arrived, MoveError> {
        let wrong = |why| MoveError::File { file: self.file.clone(), why };
        let Contents { nick, secret } = sealed::open(&self.sealed, passphrase).map_err(wrong)?;
        if self.renamed && !self.is_begun(directories, &nick)? {
            return Err(MoveError::AlreadyImported { file: self.file });
        }
        let directory = directories.client(&nick)?;
        let _lock: Store<Ticket> = Store::open(&directory.join(files::STORE), || ())?;
        let path = directory.join(files::IDENTITY);
        let mark = Mark::read(&directory)?;
        let occupied = || MoveError::Occupied { nick, directory: directory.clone() };
        match load(&path)? {
            Some(there) if mark.is_none() || there.0 != secret.0 => return Err(occupied()),
            Some(_) => self.rename()?,
            None => {
                self.mark(&directory)?;
                super::publish(&path, &secret)?;
                if let Err(error) = self.rename() {
                    // The file is the one copy again.
                    files::remove(&path).map_err(|cause| system(&path, cause))?;
                    match mark {
                        Some(mark) => mark.write(&directory)?,
                        None => Mark::remove(&directory)?,
                    }
                    return Err(error);
                }
            }
        }
        Mark::remove(&directory)?;
        Ok(Arrived { nick, key: key_of(secret), directory, file: imported(&self.file) })
    }

    /// Whether this import was begun there.
    fn is_begun(&self, directories: &Directories, nick: &Nick) -> Result<bool, MoveError> {
        let mark = Mark::read(&directories.existing_client(nick)?)?;
        Ok(mark.is_some_and(|mark| mark.way == Way::Import && mark.file == self.file))
    }

    fn mark(&self, directory: &Path) -> Result<(), MoveError> {
        Mark { way: Way::Import, file: self.file.clone() }.write(directory)
    }

    fn rename(&self) -> Result<(), MoveError> {
        if self.renamed {
            return Ok(());
        }
        let second = imported(&self.file);
        if second.try_exists().map_err(|cause| system(&second, cause))? {
            return Err(MoveError::FileExists { file: second });
        }
        files::rename(&self.file, &second).map_err(|cause| system(&self.file, cause))
    }
}

/// Which way an identity goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Export,
    Import,
}

/// The mark of a directory.
#[derive(Debug)]
struct Mark {
    way: Way,
    file: PathBuf,
}

impl Mark {
    fn read(directory: &Path) -> Result<Option<Self>, MoveError> {
        let path = directory.join(MARK);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(system(&path, cause)),
        };
        // Damaged, it is a mark still.
        let text = String::from_utf8_lossy(&text);
        let text = text.trim_end_matches('\n');
        let (way, file) = text.split_once(' ').unwrap_or(("", text));
        let way = if way == "import" { Way::Import } else { Way::Export };
        Ok(Some(Self { way, file: file.into() }))
    }

    fn write(&self, directory: &Path) -> Result<(), MoveError> {
        let path = directory.join(MARK);
        let way = match self.way {
            Way::Export => "export",
            Way::Import => "import",
        };
        let text = format!("{way} {}\n", self.file.display());
        files::replace(&path, text.as_bytes()).map_err(|cause| system(&path, cause))
    }

    fn remove(directory: &Path) -> Result<(), MoveError> {
        let path = directory.join(MARK);
        files::remove(&path).map_err(|cause| system(&path, cause))
    }
}

fn key_of(secret: SecretKey) -> PublicKey {
    Identity::new(secret, &Portable).public()
}

/// What a file is called once it was imported.
fn imported(file: &Path) -> PathBuf {
    let mut name: OsString = file.as_os_str().to_owned();
    name.push(".");
    name.push(IMPORTED);
    name.into()
}

fn absolute(file: &Path) -> Result<PathBuf, MoveError> {
    path::absolute(file).map_err(|cause| system(file, cause))
}

fn system(path: &Path, cause: io::Error) -> MoveError {
    MoveError::System { path: path.to_owned(), cause }
}

#[cfg(test)]
mod tests;
