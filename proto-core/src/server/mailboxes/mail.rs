//! A message as mail.

use crate::{
    id::{Nick, PublicKey},
    link::{Run, Units},
};

/// A message's part that is about the mailbox it goes to.
#[derive(Debug)]
pub(crate) struct Mail {
    /// Its author's nick: the account may be gone.
    pub(super) author: Nick,
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
    /// Sealed by someone with this nick and this key, to the key with that number.
    pub(crate) fn sealed((author, by): (Nick, PublicKey), key: u32) -> Self {
        Self { author, by, key, former: false, todo: Units::NONE, credited: false, previous: 0 }
    }

    /// A piece of it was lost on its way.
    pub(super) fn lost(&mut self, run: Run) {
        self.todo.insert(run);
    }
}
