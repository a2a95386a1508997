//! Sessions: who is at the other end of which link, and what is answered to them.

mod answers;
mod asked;
mod seat;

pub(super) use answers::{answer, away, look, save, write};
pub(super) use asked::{Asked, respond};
pub(super) use seat::{Registration, Seat};
