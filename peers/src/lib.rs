//! Drives the core and a peer of it in memory, on a simulated clock: what their benchmarks share.

mod cost;
mod inbox;
mod pair;
mod quic;
mod store;
mod streams;
mod world;

pub use cost::{Cost, Selection};
pub use pair::{Pair, Way};
pub use quic::{Host, Quic, Side};
pub use store::Store;
pub use streams::Streams;
pub use world::{Setting, World};

/// Bytes of a message's text.
pub const BYTES: usize = 100;
