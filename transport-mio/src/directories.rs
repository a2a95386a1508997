//! Where things are kept: a directory for each client and each server.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use etcetera::{BaseStrategy, choose_base_strategy};
use proto_core::id::Nick;

use crate::files::{self, Exposure};

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
    /// Others can look into it.
    #[error(
        "others on this computer can use the directory {} (its mode is {mode:03o}); what udpchat \
         keeps is for you alone: run: chmod 700 {}, or pass another --data-dir",
        path.display(),
        path.display()
    )]
    Exposed {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is somebody else's.
    #[error(
        "the directory {} belongs to another user of this computer (number {owner}), who could read \
         and replace your keys; pass another --data-dir, or have that user run: chown {} {}",
        path.display(),
        files::user(),
        path.display()
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// The number of the user whose it is.
        owner: u32,
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
    ///
    /// # Errors
    /// [`DirectoryError`] if there is one that is not this user's alone.
    pub fn existing_server(&self, port: u16) -> Result<PathBuf, DirectoryError> {
        self.existing("servers", &port.to_string())
    }

    /// Where the directory of the client that goes by `nick` is, if there is one.
    ///
    /// # Errors
    /// [`DirectoryError`] if there is one that is not this user's alone.
    pub fn existing_client(&self, nick: &Nick) -> Result<PathBuf, DirectoryError> {
        self.existing("clients", &nick.as_str().to_ascii_lowercase())
    }

    /// The nicks of the clients that have a directory, in lower case and in order.
    pub fn clients(&self) -> Vec<Nick> {
        let entries = fs::read_dir(self.data.join("clients")).into_iter().flatten().flatten();
        let nick = |entry: fs::DirEntry| Nick::new(entry.file_name().to_str()?).ok();
        let mut nicks: Vec<_> = entries.filter_map(nick).collect();
        nicks.sort_unstable_by_key(Nick::folded);
        nicks
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
        let path = self.data.join(kind).join(name);
        files::create_directory(&path).map_err(|cause| system(&path, cause))?;
        self.existing(kind, name)
    }

    /// What is there of a directory and those above it must be its user's alone: whoever can
    /// change one of them can put another in the place of the next.
    fn existing(&self, kind: &str, name: &str) -> Result<PathBuf, DirectoryError> {
        let above = self.data.join(kind);
        let path = above.join(name);
        for path in [&self.data, &above, &path] {
            match fs::metadata(path) {
                Ok(metadata) => check(path, &metadata)?,
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => break,
                Err(cause) => return Err(system(path, cause)),
            }
        }
        Ok(path)
    }
}

fn check(path: &Path, metadata: &fs::Metadata) -> Result<(), DirectoryError> {
    let path = path.to_owned();
    match files::exposure(metadata) {
        None => Ok(()),
        Some(Exposure::Mode(mode)) => Err(DirectoryError::Exposed { path, mode }),
        Some(Exposure::Owner(owner)) => Err(DirectoryError::Foreign { path, owner }),
    }
}

fn system(path: &Path, cause: io::Error) -> DirectoryError {
    DirectoryError::System { path: path.to_owned(), cause }
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
    fn a_directory_that_others_can_use_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let directories = Directories::new(Some(&data)).unwrap();
        let path = directories.server(1).unwrap();
        for path in [&data, &data.join("servers"), &path] {
            for mode in [0o755, 0o770, 0o701, 0o702, 0o704, 0o740] {
                fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
                for refused in [directories.server(1), directories.existing_server(1)] {
                    let refused = refused.unwrap_err();
                    assert!(
                        matches!(refused, DirectoryError::Exposed { mode: m, .. } if m == mode)
                    );
                    let advice = format!("chmod 700 {},", path.display());
                    assert!(refused.to_string().contains(&advice), "{refused}");
                }
            }
            fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
        }
        assert_eq!(directories.server(1).unwrap(), path);
    }

    #[test]
    fn somebody_elses_directory_is_refused() {
        // Only one of the two is somebody else's, whoever runs this.
        let own = fs::metadata(tempfile::tempdir().unwrap().path()).unwrap();
        assert!(!matches!(files::exposure(&own), Some(Exposure::Owner(_))));
        let root = fs::metadata("/").unwrap();
        let directory = tempfile::tempdir().unwrap();
        if std::os::unix::fs::chown(directory.path(), Some(12345), None).is_ok() {
            let refused = Directories::new(Some(directory.path())).unwrap().server(1);
            let refused = refused.unwrap_err();
            assert!(matches!(refused, DirectoryError::Foreign { owner: 12345, .. }), "{refused}");
            assert!(refused.to_string().contains("another user"), "{refused}");
        } else {
            assert_eq!(files::exposure(&root), Some(Exposure::Owner(0)));
        }
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
