//! What a host does for the protocol core: sockets, timers, memory, a durable
//! store, identities and directories.
//!
//! [`endpoint::Endpoint`] ties them together in one loop for one role.
#![forbid(unsafe_code)]

pub mod address;
mod clock;
pub mod control;
pub mod directories;
pub mod endpoint;
mod files;
pub mod identity;
mod incoming;
pub mod key_text;
pub mod known_servers;
pub mod memory;
mod notes;
mod outgoing;
mod passwords;
mod socket;
pub mod store;
