//! Trust in the server: by its key.

use std::path::Path;

use proto_core::id::PublicKey;
use transport_mio::{
    key_text,
    known_servers::{KnownServers, KnownServersError},
};

use crate::address::Address;

/// Which key the server must have.
pub(super) struct Trust {
    known: KnownServers,
    /// By which the server is remembered.
    pub(super) name: String,
    /// The key that the server must have, if one is known.
    pub(super) expected: Option<PublicKey>,
    remember: bool,
}

impl Trust {
    /// The key in the address, or the one that is remembered for it, in the file at `path`.
    pub(super) fn new(
        address: &Address,
        remember: bool,
        path: &Path,
    ) -> Result<Self, KnownServersError> {
        let known = KnownServers::load(path)?;
        let name = address.name();
        let remembered = known.get(&name).filter(|_| remember);
        if let (Some(known), Some(offered)) = (remembered, address.key)
            && known != offered
        {
            let path = path.to_owned();
            return Err(KnownServersError::Changed { address: name, known, offered, path });
        }
        let expected = address.key.or(remembered);
        Ok(Self { known, name, expected, remember })
    }

    /// The server proved to have this key. What there is to tell of it.
    pub(super) fn met(&mut self, key: PublicKey) -> Result<Option<String>, KnownServersError> {
        if !self.remember {
            return Ok(None);
        }
        self.known.remember(&self.name, key)?;
        let first = self.expected.replace(key).is_none();
        Ok(first.then(|| {
            format!(
                "First time at {}: its key is trusted and remembered. To be sure, compare it with \
                 the one its operator sees: {}",
                self.name,
                key_text::encode(&key)
            )
        }))
    }
}
