//! A message as mail.

use crate::{
    id::PublicKey,
    link::{Run, Units},
};

/// A message's part that is about the mailbox it goes to.
#[derive(Debug)]
pub(crate) struct Mail {
    /// The key that its author sealed it with, and the number of the one that it is sealed to.
    pub(super) by: PublicKey,
    pub(super) key: u32,
    /// Its reader is to be told of the author's key first: the author has another one now.
    pub(super) former: bool,
    /// The pieces still to send to the recipient.
    pub(super) todo: Units,
    /// Credit on the recipient's link was used for it.
    pub(super) credited: bool,
    /// The place of the mail sent before it in the session; 0 for none.
    pub(super) previous: u64,
}

impl Mail {
    /// Nothing is known of it.
    pub(crate) const NEW: Self = Self {
        by: PublicKey([0; 32]),
        key: 0,
        former: false,
        todo: Units::NONE,
        credited: false,
        previous: 0,
    };

    /// Sealed by one key to another.
    pub(crate) fn sealed(by: PublicKey, key: u32) -> Self {
        Self { by, key, ..Self::NEW }
    }

    /// A piece of it was lost on its way.
    pub(super) fn lost(&mut self, run: Run) {
        self.todo.insert(run);
    }
}
