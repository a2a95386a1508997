//! A server and two clients in one program without std and without an allocator. It
//! runs on a host with a C library, and on a microcontroller without anything.
#![no_std]
#![no_main]

mod conversation;
#[cfg(not(target_os = "none"))]
mod hosted;
#[cfg(target_os = "none")]
mod microcontroller;
mod store;
