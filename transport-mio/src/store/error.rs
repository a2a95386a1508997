//! What goes wrong with a file, in words for whoever can mend it.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a store cannot be opened. Nothing was deleted or overwritten.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "another udpchat is using this data directory: {}; stop it or pass another --data-dir",
        directory.display()
    )]
    InUse {
        /// Where the store is.
        directory: PathBuf,
    },
    /// Others can read or write it, or it is theirs.
    #[error(
        "{} holds what was said in clear and is not for you alone; make it yours if it is not, and \
         run: chmod 600 {}",
        path.display(),
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// Another version of the program wrote it.
    #[error(
        "{} was written by another version of udpchat (its format is {found}, this program's is {}); \
         use that version, or pass another --data-dir",
        path.display(),
        super::SCHEMA
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The format that it is in.
        found: u64,
    },
    /// It cannot be read as a store.
    #[error(
        "{} is damaged or no udpchat store ({cause}); restore it from a backup, or move it away \
         to start anew without what it holds",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was wrong with it.
        cause: String,
    },
    /// The system refused.
    #[error(
        "cannot open {}: {cause}; check that the disk has room and that you may write there",
        path.display()
    )]
    System {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
}

impl OpenError {
    pub(super) fn new(path: &Path, error: &redb::Error) -> Self {
        let path = path.to_owned();
        match error {
            redb::Error::DatabaseAlreadyOpen => {
                Self::InUse { directory: path.parent().unwrap_or(&path).to_owned() }
            }
            redb::Error::Io(cause) if !is_about_content(cause) => {
                Self::System { path, cause: cause.to_string() }
            }
            other => Self::Damaged { path, cause: other.to_string() },
        }
    }

    pub(super) fn system(path: &Path, cause: &io::Error) -> Self {
        Self::System { path: path.to_owned(), cause: cause.to_string() }
    }
}

/// Why an open store could not do what was asked. What was saved before is
/// safe, and every later request is tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no room left.
    #[error(
        "cannot save to {}: the disk is full; free some space, saving then goes on by itself",
        path.display()
    )]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// More is asked than the disk can keep up with.
    #[error(
        "cannot save to {}: {waiting} requests wait for the disk already; it is too slow for \
         what comes in",
        path.display()
    )]
    Busy {
        /// The file.
        path: PathBuf,
        /// How many requests wait.
        waiting: usize,
    },
    /// Reading or writing failed.
    #[error("cannot use {}: {cause}; check the disk, saving then goes on by itself", path.display())]
    Device {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// The store's thread is gone.
    #[error(
        "nothing more is saved to {}: the thread that does it has ended, which is a fault of \
         udpchat; restart it, and please report this",
        path.display()
    )]
    Ended {
        /// The file.
        path: PathBuf,
    },
    /// After a failure the file had to be opened again, and that failed too.
    #[error("{0}")]
    Reopen(String),
    /// After a failure the file had to be opened again, and another process had used it.
    #[error(
        "another udpchat has used {} meanwhile; stop it, then restart this one",
        path.display()
    )]
    Overtaken {
        /// The file.
        path: PathBuf,
    },
}

impl Failure {
    pub(super) fn new(path: &Path, error: &redb::Error) -> Self {
        let path = path.to_owned();
        match error {
            redb::Error::Io(cause) if is_about_room(cause) => Self::Full { path },
            other => Self::Device { path, cause: other.to_string() },
        }
    }
}

fn is_about_room(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn is_about_content(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}
