//! The places of a client in rooms of which it is to be sent something.

use crate::storage::List;

use super::member::{Member, Turn};

/// A session's part that is about what its client reads in rooms.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    pub(super) turns: List<Member, Turn>,
    /// Bytes of the line that there was too little credit for.
    pub(super) short: u16,
}
