//! What the server owes its host's store.

mod asker;
mod requests;

pub(super) use asker::{Asker, Asking};
pub(super) use requests::{Next, READ_AHEAD, Requests, Single};
