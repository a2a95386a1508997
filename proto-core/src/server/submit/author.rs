//! What an author who is online is to be told of its submissions.

use crate::storage::List;

use super::{
    entry::{Entry, Sending},
    pair::{Owed, Pair},
};

/// A session's part that is about what its client submitted.
#[derive(Debug, Default)]
pub(crate) struct Author {
    /// Pairs whose progress it is to be told of.
    pub(super) progress: List<Pair, Owed>,
    /// Submissions that were refused: to be said, said, and known to be heard.
    pub(super) refused: List<Entry, Sending>,
    pub(super) said: List<Entry, Sending>,
    pub(super) told: List<Entry, Sending>,
    /// The packet that brought word that the last of them was heard of. What came in an
    /// earlier one may have been sent before.
    pub(super) heard: u64,
}

impl Author {
    /// What stays with the link when its client is someone no longer.
    pub(crate) fn keep_heard(&self) -> Self {
        Self { heard: self.heard, ..Self::default() }
    }
}
