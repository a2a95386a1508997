//! The server's use of links, by name: rows of tables refer to links by it.

use crate::link::Link;

/// The server's use of links.
#[derive(Debug)]
pub struct ServerRole;

/// A link as the server keeps it.
pub type ServerLink = Link<ServerRole>;
