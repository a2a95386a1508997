//! The roster: who is there, with which key, compacted to the newest change of each account.

mod pace;
mod pages;
mod reader;
mod versions;

pub(super) use pace::Pace;
pub(super) use pages::{Roster, RosterHead};
pub(super) use reader::{CaughtUp, Reader};
pub(super) use versions::Versions;
