//! A seeded world of real clients and servers, on a network and on hosts that
//! misbehave, with the laws of `docs/DESIGN.md` that must hold in it.
//!
//! Nothing here runs in real time or touches a socket: a [`world::World`] has a
//! clock of its own and one queue of what happens next, and a seed decides all of
//! it. Roles are driven as any host drives them, through their inputs and drains.
//!
//! From the bottom up: all parts of a world are lent its time, its dice and what goes wrong in it
//! (`ctx`). A [`node::Node`] is a host with its role, store, clock and user; a
//! [`network::Network`] knows who is where and what becomes of a datagram; the judges ([`laws`])
//! are told what happens and say whether that may be. The world wires the three. A [`life::Life`]
//! is a world whose users follow a script, which incidents befall, and which comes to an end: of
//! those, [`runner`] lives through many. [`chat`] and [`tale`] are worlds for stories, with people
//! called by name; a [`siege::Siege`] is one of honest people beside those who have keys and take
//! what they can get ([`greedy`]).
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
mod contents;
mod cores;
pub mod counts;
mod ctx;
pub mod dice;
pub mod dishonest;
pub mod disturbance;
pub mod facts;
pub mod faults;
pub mod greedy;
mod judgement;
pub mod laws;
pub mod letter;
pub mod liar;
pub mod life;
pub mod memory;
pub mod network;
pub mod node;
pub mod place;
pub mod records;
pub mod role;
pub mod runner;
pub mod script;
pub mod setup;
pub mod siege;
pub mod store;
pub mod stories;
pub mod suite;
pub mod sweep;
pub mod tale;
pub mod trace;
pub mod user;
pub mod world;
