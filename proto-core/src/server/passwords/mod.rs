//! Passwords: the second way to prove that a nick is one's own, for a device with another key.

mod check;
mod checks;
mod penalty;
mod places;
mod source;

pub(super) use checks::{Judged, Login, Passwords};
pub(super) use penalty::Guard;
