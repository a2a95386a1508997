//! Accounts: who holds which nick, with which key and in which epoch. All of them are in memory, by
//! number; the store has them too.

mod admission;
mod directory;
mod registration;
mod row;
mod table;

pub use row::AccountSlot;

pub(super) use admission::Admission;
pub(super) use directory::Accounts;
pub(super) use registration::{Change, Saved};
pub(super) use table::TableHead as AccountsHead;
