//! Reliability: sessions with packet numbers, acknowledgements, round-trip times,
//! probes, a congestion window and receiver credit, after RFC 9002, and what
//! each packet carried, so that it is sent again in a new packet when it was lost.
//!
//! A role names each frame that it sends by a [`Token`](Role::Token), and is told
//! of each whether it arrived. Everything here is the same for both roles.

mod config;
mod congestion;
mod credit;
mod initiator;
#[allow(clippy::module_inception)] // the module's one main thing
mod link;
mod links;
mod memory;
mod outgoing;
mod packet;
mod pieces;
mod prefixes;
mod received;
mod recovery;
mod rekeying;
mod responder;
mod rtt;
mod schedule;
mod skips;
mod statistics;
mod table;
#[cfg(test)]
mod tests;
mod units;

pub use link::{Link, Role, SentFrame};
pub use memory::{LinkTables, SentPacket};
pub use outgoing::OutgoingHandshake;
pub use prefixes::PrefixShare;
pub use recovery::{Fate, Sent};
pub use statistics::{Drops, Fill, Handshakes, LinkStatistics, Statistics, Violations};
pub use table::unconfirmed;
pub use units::{Run, Units};

pub(crate) use config::{LinkConfig, REKEY_LEAST, REKEY_PACKETS, RekeyConfig};
pub(crate) use credit::{Begun, Credit, Grant};
pub(crate) use initiator::Unanswered;
pub(crate) use links::{Admit, Arrival, Expired, Links, LinksState};
pub(crate) use memory::LinkHeads;
pub(crate) use outgoing::Target;
pub(crate) use packet::Packet;
pub(crate) use pieces::Piece;
pub(crate) use rekeying::take_rekey;
pub(crate) use statistics::Dropped;

use received::Received;
use recovery::{Recovery, Timeout};
