//! What is known of a message as something that its author submitted.

use crate::{link::Units, storage::Id};

use super::{super::role::ServerLink, pair::Pair};

/// A message's part that is about its author.
#[derive(Debug)]
pub(crate) struct Submitted {
    /// Numbers right before it that the server has nothing to do with.
    pub(super) skip: u32,
    /// The pieces that arrived.
    pub(super) have: Units,
    /// Where it came in: there its credit is given back.
    pub(super) source: Option<Id<ServerLink>>,
    pub(super) pair: Option<Id<Pair>>,
    /// Its author may say it in its room now.
    pub(super) counted: bool,
    /// It was sent to its recipient from memory, or the store may yet save it: to say that it is
    /// not taken might be untrue.
    pub(super) ventured: bool,
}

impl Submitted {
    /// Nothing of it has come yet, or it comes from the store.
    pub(crate) const NEW: Self = Self {
        skip: 0,
        have: Units::NONE,
        source: None,
        pair: None,
        counted: false,
        ventured: false,
    };
}
