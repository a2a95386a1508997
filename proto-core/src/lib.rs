//! The udpchat protocol as pure state machines.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod id;
pub mod session;
pub mod time;
pub mod wire;
