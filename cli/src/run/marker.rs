//! A file that is there while a client runs: one that is there at the start was
//! left by a run that ended abruptly.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

const NAME: &str = "running";

/// The file, while the client runs. Only [`Self::remove`] removes it.
#[derive(Debug)]
pub(crate) struct Marker {
    path: PathBuf,
    /// The last run did not remove it.
    pub(crate) was_left: bool,
}

impl Marker {
    /// Leaves the file in `directory`, which no other process uses.
    ///
    /// # Errors
    /// If the system does not let it be made.
    pub(crate) fn leave(directory: &Path) -> io::Result<Self> {
        let path = directory.join(NAME);
        let was_left = path.try_exists()?;
        fs::write(&path, b"")?;
        Ok(Self { path, was_left })
    }

    /// The run ended in order.
    pub(crate) fn remove(self) {
        // Should it stay, the next run tells of a history that nothing is missing from.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abrupt_end_is_noticed_once() {
        let directory = tempfile::tempdir().unwrap();
        let leave = || Marker::leave(directory.path()).unwrap();
        assert!(!leave().was_left);
        let second = leave();
        assert!(second.was_left);
        second.remove();
        assert!(!leave().was_left);
    }
}
