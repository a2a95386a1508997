//! Passwords: the second way to prove that a nick is one's own, for a device with another key.

mod checks;
mod penalty;

pub(super) use checks::{Login, Passwords};
pub(super) use penalty::Penalty;
