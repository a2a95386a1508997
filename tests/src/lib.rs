//! A seeded world of real clients and servers, on a network and on hosts that
//! misbehave, with the laws of `docs/DESIGN.md` that must hold in it.
//!
//! Nothing here runs in real time or touches a socket: a [`world::World`] has a
//! clock of its own and one queue of what happens next, and a seed decides all of
//! it. Roles are driven as any host drives them, through their inputs and drains.
//!
//! ```text
//! UDPCHAT_WORLDS=100000 cargo test -p simulation --test worlds -- --nocapture
//! UDPCHAT_SEED=varied:17 cargo test -p simulation --test worlds replay -- --nocapture
//! ```
//!
//! Beside drawn worlds there are [`stories`], each told once for each single thing in it that may
//! go wrong: see [`sweep`].
//!
//! ```text
//! UDPCHAT_SWEEP=mailbox:lost:17 cargo test -p simulation --test sweeps replay -- --nocapture
//! ```

mod agenda;
pub mod chat;
pub mod clock;
mod conduct;
mod contents;
mod cores;
pub mod counts;
mod ctx;
pub mod dice;
pub mod disturbance;
pub mod facts;
pub mod faults;
mod finish;
mod incidents;
pub mod judgement;
mod judges;
pub mod laws;
pub mod letter;
pub mod life;
pub mod memory;
pub mod network;
pub mod node;
pub mod place;
pub mod records;
pub mod restored;
mod restores;
pub mod role;
pub mod rooms;
pub mod runner;
pub mod script;
pub mod setup;
pub mod store;
pub mod stories;
pub mod suite;
pub mod sweep;
pub mod tale;
pub mod trace;
pub mod user;
mod users;
pub mod world;
