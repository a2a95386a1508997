//! A node's clocks: a monotonic one that runs a little fast or slow and begins
//! anew with each run, and a wall clock that may jump.

use proto_core::time::{Instant, UnixTime, WallClock};

/// Microseconds since the world began.
pub type Moment = u64;

/// One second.
pub const SECOND: Moment = 1_000_000;

/// A node's clocks.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The moment at which the monotonic clock showed `base`.
    started: Moment,
    base: u64,
    /// Millionths by which it runs fast.
    drift: i64,
    /// The wall clock's time when the world began.
    unix: u64,
    /// What the role was told of it last.
    told: WallClock,
}

impl Clock {
    /// A clock that runs `drift` millionths fast.
    pub fn new(drift: i64, unix: u64) -> Self {
        let told = WallClock { at: Instant::from_micros(0), unix: UnixTime(unix) };
        Self { started: 0, base: 0, drift, unix, told }
    }

    /// A new run of the host: the monotonic clock shows `base` at `now`.
    pub(crate) fn restart(&mut self, now: Moment, base: u64) {
        (self.started, self.base) = (now, base);
    }

    /// The wall clock is set, so many microseconds further or back.
    pub(crate) fn set(&mut self, by: i64) {
        self.unix = self.unix.saturating_add_signed(by);
    }

    /// What the monotonic clock shows.
    pub fn instant(&self, now: Moment) -> Instant {
        let passed = u128::from(now.saturating_sub(self.started)) * self.rate() / MILLION;
        Instant::from_micros(self.base + passed as u64)
    }

    /// The first moment at which the monotonic clock shows `instant`.
    pub fn moment(&self, instant: Instant) -> Moment {
        let passed = u128::from(instant.as_micros().saturating_sub(self.base));
        let moment = (passed * MILLION).div_ceil(self.rate());
        self.started.saturating_add(u64::try_from(moment).unwrap_or(u64::MAX))
    }

    /// Reads both clocks, for the role.
    pub(crate) fn read(&mut self, now: Moment) -> WallClock {
        self.told = WallClock { at: self.instant(now), unix: UnixTime(self.unix + now) };
        self.told
    }

    /// The time by what the role was told, which drifts as its monotonic clock does.
    pub fn believed(&self, now: Moment) -> UnixTime {
        self.told.unix(self.instant(now))
    }

    fn rate(&self) -> u128 {
        MILLION.saturating_add_signed(self.drift.into())
    }
}

const MILLION: u128 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_due_at_its_moment_and_not_before() {
        for drift in [-50_000, -1, 0, 3, 50_000] {
            let mut clock = Clock::new(drift, 0);
            clock.restart(777, 12_345);
            for micros in (12_345..200_000).step_by(997) {
                let instant = Instant::from_micros(micros);
                let moment = clock.moment(instant);
                assert!(clock.instant(moment) >= instant);
                assert!(moment <= 777 || clock.instant(moment - 1) < instant);
            }
        }
    }
}
