//! A message as a line of a room's log.

use crate::id::{Incarnation, Nick};

/// A message's part that is about the room it goes to.
#[derive(Debug)]
pub(crate) struct Line {
    /// Its author's nick.
    pub(super) author: Nick,
    /// Bytes of all bodies before it in the log.
    pub(super) bytes: u64,
    /// The run that appended it, and, if it was another, that of the one before it.
    pub(super) run: Incarnation,
    pub(super) before: Option<Incarnation>,
}

impl Line {
    /// By someone with this nick; it is not appended yet.
    pub(crate) fn by(author: Nick) -> Self {
        Self { author, bytes: 0, run: Incarnation::NONE, before: None }
    }
}
