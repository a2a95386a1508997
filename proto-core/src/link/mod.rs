//! Reliability: sessions with packet numbers, acknowledgements, round-trip times,
//! probes, a congestion window and receiver credit, after RFC 9002, and what
//! each packet carried, so that it is sent again in a new packet when it was lost.
//!
//! A role says what a packet carries through its [`Token`](Role::Token)s, and is told
//! of each whether it arrived. Everything here is the same for both roles.

mod congestion;
mod credit;
mod dial;
mod ephemerals;
mod handshakes;
#[allow(clippy::module_inception)] // the module's one main thing
mod link;
mod links;
mod memory;
mod packet;
mod pieces;
mod received;
mod recovery;
mod rtt;
#[cfg(test)]
mod tests;
mod units;

pub use dial::Dial;
pub use ephemerals::Remembered;
pub use link::{Carry, Link, Role};
pub use links::{Drops, unconfirmed};
pub use memory::{LinkTables, SentPacket};
pub use recovery::{Fate, Sent};
pub use units::{Run, Units};

pub(crate) use credit::Credit;
pub(crate) use dial::Whom;
pub(crate) use links::{Admit, Arrival, Expired, HOME, LinkConfig, Links, LinksState};
pub(crate) use memory::LinkHeads;
pub(crate) use packet::Packet;
pub(crate) use pieces::Piece;

use received::Received;
use recovery::{Carried, Recovery, Timeout};
