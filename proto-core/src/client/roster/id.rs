//! Names of people and rooms.

use crate::storage::Id;

/// Stands in a [`PeerId`] for the row, which has parts that name each other.
#[derive(Debug)]
pub enum Known {}

/// Names someone whom the client knows, or a room.
pub(in crate::client) type PeerId = Id<Known>;
