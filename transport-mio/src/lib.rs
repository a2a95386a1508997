//! What a host does for the protocol core: a durable store, identities, directories.
#![forbid(unsafe_code)]

pub mod directories;
mod files;
pub mod identity;
pub mod key_text;
pub mod known_servers;
pub mod store;
