//! Where things are kept: a directory for each client and each server.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use etcetera::{BaseStrategy, choose_base_strategy};
use proto_core::id::Nick;

use crate::files;

const APPLICATION: &str = "udpchat";

/// The directory below which everything is kept.
#[derive(Clone, Debug)]
pub struct Directories {
    data: PathBuf,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// The system does not say where this user's data belongs.
    #[error("there is no home directory to keep data in; set HOME or pass --data-dir")]
    NoHome,
    /// Others could replace what is in it.
    #[error(
        "others on this computer can change what is in {}; run: chmod go-w {}, or pass another \
         --data-dir",
        path.display(),
        path.display()
    )]
    Exposed {
        /// The directory.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot create or read the directory {}: {cause}; create it, or pass another --data-dir", path.display())]
    System {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

impl Directories {
    /// Below `data_dir`, or else where the user's data belongs (by the XDG
    /// rules, mostly `~/.local/share/udpchat`).
    ///
    /// # Errors
    /// If there is no `data_dir` and no home directory either.
    pub fn new(data_dir: Option<&Path>) -> Result<Self, DirectoryError> {
        let data = match data_dir {
            Some(data) => data.to_owned(),
            None => choose_base_strategy()
                .map_err(|_| DirectoryError::NoHome)?
                .data_dir()
                .join(APPLICATION),
        };
        Ok(Self { data })
    }

    /// The directory above all others.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The directory of the client that goes by `nick`, created if need be. Its
    /// name is in lower case, since case makes no other nick.
    ///
    /// # Errors
    /// [`DirectoryError`] says what is wrong with it and what to do.
    pub fn client(&self, nick: &Nick) -> Result<PathBuf, DirectoryError> {
        self.private("clients", &nick.as_str().to_ascii_lowercase())
    }

    /// The directory of the server on `port`, created if need be.
    ///
    /// # Errors
    /// [`DirectoryError`] says what is wrong with it and what to do.
    pub fn server(&self, port: u16) -> Result<PathBuf, DirectoryError> {
        self.private("servers", &port.to_string())
    }

    /// Where the directory of the server on `port` is, if there is one.
    pub fn existing_server(&self, port: u16) -> PathBuf {
        self.data.join("servers").join(port.to_string())
    }

    /// The ports of the servers that have a directory, in order.
    pub fn server_ports(&self) -> Vec<u16> {
        let entries = fs::read_dir(self.data.join("servers")).into_iter().flatten().flatten();
        let port = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
        let mut ports: Vec<_> = entries.filter_map(port).collect();
        ports.sort_unstable();
        ports
    }

    fn private(&self, kind: &str, name: &str) -> Result<PathBuf, DirectoryError> {
        let above = self.data.join(kind);
        let path = above.join(name);
        let system = |path: &Path, cause| DirectoryError::System { path: path.to_owned(), cause };
        files::create_directory(&path).map_err(|cause| system(&path, cause))?;
        for path in [&above, &path] {
            let metadata = fs::metadata(path).map_err(|cause| system(path, cause))?;
            if files::is_open_to_others(&metadata, 0o022) {
                return Err(DirectoryError::Exposed { path: path.clone() });
            }
        }
        Ok(path)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn each_client_and_server_has_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("deep/data");
        let directories = Directories::new(Some(&data)).unwrap();
        let alice = directories.client(&Nick::new("Alice").unwrap()).unwrap();
        assert_eq!(alice, data.join("clients/alice"));
        assert_eq!(directories.client(&Nick::new("aLICE").unwrap()).unwrap(), alice);
        assert_eq!(directories.server_ports(), [0; 0]);
        assert_eq!(directories.server(7777).unwrap(), data.join("servers/7777"));
        assert_eq!(directories.server_ports(), [7777]);
        for made in [&data, &data.join("clients"), &alice, &data.join("servers/7777")] {
            assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn a_directory_that_others_can_change_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let directories = Directories::new(Some(directory.path())).unwrap();
        let path = directories.server(1).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o770)).unwrap();
        let refused = directories.server(1).unwrap_err();
        assert!(refused.to_string().contains("chmod go-w"), "{refused}");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(directories.server(1).unwrap(), path);
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        fs::write(&data, b"").unwrap();
        let refused = Directories::new(Some(&data)).unwrap().server(1).unwrap_err();
        assert!(matches!(refused, DirectoryError::System { .. }), "{refused}");
    }

    #[test]
    fn the_default_belongs_to_the_user() {
        assert!(Directories::new(None).unwrap().data().ends_with(APPLICATION));
    }
}
