//! What links go by, and what an endpoint is to others.

use core::time::Duration;

use crate::{random::Random, session::Identity};

use super::credit::Grant;

/// Settings of all links of an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkConfig {
    /// The round-trip time assumed before the first sample.
    pub(crate) initial_rtt: Duration,
    /// Something is sent at least this often, if set.
    pub(crate) keep_alive: Option<Duration>,
    /// Silence that ends a link.
    pub(crate) idle: Duration,
    /// The datagram size asked for.
    pub(crate) datagram: u16,
    /// What the other side may send ahead.
    pub(crate) credit: Grant,
    /// The longest wait between two tries to reach someone.
    pub(crate) dial_cap: Duration,
    /// Live links that are left for those with servers, which this side begins.
    pub(crate) reserved: u32,
    /// When sessions get new keys.
    pub(crate) rekey: RekeyConfig,
    /// This endpoint answers a server's Hello rather than a peer's.
    pub(crate) serves: bool,
}

/// A session's initiator does not ask for new keys twice within this.
pub(crate) const REKEY_LEAST: Duration = Duration::from_mins(1);

/// It asks for them when so many packets went under the present ones. An AEAD could bear far more
/// (RFC 9001 §6.6, appendix B.1.1): this bounds what one key gives away.
pub(crate) const REKEY_PACKETS: u32 = 1 << 20;

/// When sessions get new keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RekeyConfig {
    /// The initiator asks for them after so long at the latest.
    pub(crate) after: Duration,
    /// It must not ask again within this, unless so many packets went.
    pub(crate) least: Duration,
    /// It asks for them as well when so many packets went one way or the other.
    pub(crate) packets: u32,
}

/// The endpoint itself: its key, and what it draws other keys from.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) identity: Identity,
    pub(crate) random: Random,
    /// The number of this run, from the host.
    pub(crate) boot: u64,
}
