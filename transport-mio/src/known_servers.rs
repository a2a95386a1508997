//! Servers whose key was taken on trust when they were first met, in a file
//! that people can read and edit.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use proto_core::id::PublicKey;

use crate::{
    files,
    key_text::{self, KeyTextError},
};

const HEADING: &str = "\
# The servers that this client knows: on each line an address and the server's key.
# A server that comes with another key is not talked to. If its operator says that the
# key has changed, remove its line here.
";

/// The servers that a client knows, and their keys.
#[derive(Clone, Debug)]
pub struct KnownServers {
    path: PathBuf,
    /// As it stands in the file, remarks included.
    text: String,
    keys: BTreeMap<String, PublicKey>,
}

/// Why the list of servers cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KnownServersError {
    /// A server's key is not the one it had before: somebody may be in between.
    #[error(
        "the server {address} has another key than before!\n  before: {}\n  now:    {}\n\
         Somebody may be pretending to be it. Ask its operator; only if they say that the key \
         has changed, remove the line of {address} from {}",
        key_text::encode(known),
        key_text::encode(offered),
        path.display()
    )]
    Changed {
        /// The server.
        address: String,
        /// The key that it had.
        known: PublicKey,
        /// The key that it has now.
        offered: PublicKey,
        /// The file.
        path: PathBuf,
    },
    /// A line is not an address and a key.
    #[error("line {line} of {} cannot be understood: {cause}; mend or remove it", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong with it.
        cause: LineError,
    },
    /// An address cannot stand in the file.
    #[error("{address:?} cannot be an address: it is empty, starts with '#' or has spaces in it")]
    Address {
        /// The text.
        address: String,
    },
    /// The system refused.
    #[error("cannot use {}: {cause}; check that the disk has room and that you may write there", path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// It has not two words.
    #[error("it must be an address, a space and a key")]
    Words,
    /// An earlier line has the same address.
    #[error("an earlier line has the same address")]
    Repeated,
    /// Its key is none.
    #[error("{0}")]
    Key(#[from] KeyTextError),
}

impl KnownServers {
    /// Reads the list in the file at `path`; without such a file it is empty.
    ///
    /// # Errors
    /// [`KnownServersError`] names the line that is wrong.
    pub fn load(path: &Path) -> Result<Self, KnownServersError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => HEADING.to_owned(),
            Err(cause) => return Err(KnownServersError::System { path: path.to_owned(), cause }),
        };
        let mut keys = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            read_line(line, &mut keys).map_err(|cause| KnownServersError::Line {
                path: path.to_owned(),
                line: index + 1,
                cause,
            })?;
        }
        Ok(Self { path: path.to_owned(), text, keys })
    }

    /// The key of the server at `address`, if it is known. An address is the
    /// same in upper and in lower case.
    pub fn get(&self, address: &str) -> Option<PublicKey> {
        self.keys.get(&address.to_ascii_lowercase()).copied()
    }

    /// Remembers, durably, that the server at `address` has this key.
    ///
    /// # Errors
    /// [`KnownServersError::Changed`] if it is known to have another one, which
    /// stays; another [`KnownServersError`] if the file cannot be written.
    pub fn remember(&mut self, address: &str, key: PublicKey) -> Result<(), KnownServersError> {
        let address = address.to_ascii_lowercase();
        match self.keys.get(&address) {
            Some(known) if *known == key => return Ok(()),
            Some(known) => {
                let (known, path) = (*known, self.path.clone());
                return Err(KnownServersError::Changed { address, known, offered: key, path });
            }
            None => {}
        }
        let is_unfit = |c: char| c.is_whitespace() || c.is_control();
        if address.is_empty() || address.starts_with('#') || address.contains(is_unfit) {
            return Err(KnownServersError::Address { address });
        }
        let end = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { "\n" };
        let text = format!("{}{end}{address} {}\n", self.text, key_text::encode(&key));
        files::replace(&self.path, text.as_bytes())
            .map_err(|cause| KnownServersError::System { path: self.path.clone(), cause })?;
        self.text = text;
        self.keys.insert(address, key);
        Ok(())
    }
}

fn read_line(line: &str, keys: &mut BTreeMap<String, PublicKey>) -> Result<(), LineError> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(());
    }
    let mut words = line.split_whitespace();
    let (Some(address), Some(key), None) = (words.next(), words.next(), words.next()) else {
        return Err(LineError::Words);
    };
    let key = key_text::parse(key)?;
    match keys.insert(address.to_ascii_lowercase(), key) {
        None => Ok(()),
        Some(_) => Err(LineError::Repeated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: PublicKey = PublicKey([1; 32]);

    fn file() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("known_servers");
        (directory, path)
    }

    #[test]
    fn a_server_is_remembered() {
        let (directory, path) = file();
        let mut known = KnownServers::load(&path).unwrap();
        assert_eq!(known.get("chat.example:7777"), None);
        known.remember("Chat.Example:7777", KEY).unwrap();
        known.remember("[::1]:7777", PublicKey([2; 32])).unwrap();
        known.remember("chat.example:7777", KEY).unwrap();
        let known = KnownServers::load(&path).unwrap();
        assert_eq!(known.get("chat.EXAMPLE:7777"), Some(KEY));
        assert_eq!(known.get("[::1]:7777"), Some(PublicKey([2; 32])));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn another_key_is_refused_loudly() {
        let (_directory, path) = file();
        let mut known = KnownServers::load(&path).unwrap();
        known.remember("a:1", KEY).unwrap();
        let refused = known.remember("a:1", PublicKey([9; 32])).unwrap_err();
        assert!(refused.to_string().contains("has another key than before!"), "{refused}");
        assert!(refused.to_string().contains(&key_text::encode(&KEY)), "{refused}");
        assert_eq!(KnownServers::load(&path).unwrap().get("a:1"), Some(KEY));
    }

    #[test]
    fn what_people_wrote_stays() {
        let (_directory, path) = file();
        fs::write(&path, format!("# mine\n\n  b:2   {}", key_text::encode(&KEY))).unwrap();
        let mut known = KnownServers::load(&path).unwrap();
        assert_eq!(known.get("b:2"), Some(KEY));
        known.remember("a:1", KEY).unwrap();
        let key = key_text::encode(&KEY);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("# mine\n\n  b:2   {key}\na:1 {key}\n"));
    }

    #[test]
    fn wrong_lines_are_named() {
        let (_directory, path) = file();
        let key = key_text::encode(&KEY);
        for (text, wrong) in [
            ("a:1".to_owned(), LineError::Words),
            (format!("a:1 {key} x"), LineError::Words),
            (format!("a:1 {key}\nA:1 {key}"), LineError::Repeated),
            ("a:1 abc".to_owned(), LineError::Key(KeyTextError::Length { found: 3 })),
        ] {
            fs::write(&path, format!("\n{text}\n")).unwrap();
            let count = text.lines().count();
            match KnownServers::load(&path).unwrap_err() {
                KnownServersError::Line { line, cause, .. } => {
                    assert_eq!((line, cause), (1 + count, wrong));
                }
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn an_address_is_one_word() {
        let (_directory, path) = file();
        let mut known = KnownServers::load(&path).unwrap();
        for address in ["", "#a", "a b", "a\nb", "a\u{1b}[2J"] {
            let refused = known.remember(address, KEY).unwrap_err();
            assert!(matches!(refused, KnownServersError::Address { .. }), "{refused}");
        }
        assert!(!path.exists());
    }
}
