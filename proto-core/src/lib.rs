//! The udpchat protocol as pure state machines.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod action;
pub mod client;
pub mod id;
pub mod link;
pub mod random;
pub mod record;
pub mod server;
pub mod session;
pub mod storage;
pub mod time;
pub mod timers;
pub mod wire;
