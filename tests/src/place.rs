//! Where a node is in a world.

/// A node's place in a world; attackers and the void are beyond the last.
pub type Place = usize;

/// The server's place.
pub const SERVER: Place = 0;
