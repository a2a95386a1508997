//! Mailboxes: what waits for an account, in the store, and for those online a window of it in
//! memory, sent in order and forgotten once acknowledged.

mod mail;
mod reader;
mod reading;
mod storing;
mod writing;

pub(super) use mail::Mail;
pub(super) use reader::Reader;
pub(super) use reading::{
    Answer, acknowledged, forgotten, go_on, is_expired, loaded, look, read_on, request, stall,
    waits_for,
};
pub(super) use storing::{Mailboxes, open, renew, request_store, stored};
pub(super) use writing::write;
