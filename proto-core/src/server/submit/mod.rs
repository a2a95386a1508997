//! What authors give the server to hand over in their stead: messages on their way, and how far
//! each recipient has them.

mod author;
mod entry;
mod messages;
mod pair;
mod pairs;
mod refusals;
mod said;
mod submissions;
mod submitted;

pub use entry::Entry;
pub use pair::Pair;

pub(super) use author::Author;
pub(super) use entry::{Kind, Queued, Sending, Stage};
pub(super) use messages::{Messages, MessagesHead};
pub(super) use pair::Held;
pub(super) use pairs::{Pairs, PairsHead};
pub(super) use refusals::{refuse_new, return_credit, write_refusals};
pub(super) use said::Said;
pub(super) use submissions::{Known, Submissions, came_by, put, wait, withdraw_after};
