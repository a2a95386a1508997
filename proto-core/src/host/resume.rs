//! What a role takes over from its earlier runs.

use crate::time::WallClock;

/// What a role takes over from its earlier runs beside the store.
#[derive(Clone, Copy, Debug)]
pub struct Resume {
    /// How often the host's durable state was started from, this time included;
    /// the host makes it durable before it starts the role.
    pub boot: u64,
    /// The wall clock now; [`WallClock::UNKNOWN`] if there is none.
    pub clock: WallClock,
}
