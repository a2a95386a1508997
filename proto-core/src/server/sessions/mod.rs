//! Sessions: who is at the other end of which link, and what is answered to them.

mod answers;
mod asked;
mod seat;

pub(super) use answers::{answer, away, look, respond, save, write};
pub(super) use asked::Asked;
pub(super) use seat::{Registration, Seat};
