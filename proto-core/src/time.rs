//! The two clocks: [`Instant`] for timers, [`UnixTime`] for what people see or
//! what must outlive a restart. The core reads neither; the host passes both in.

use core::{fmt, num::NonZeroU64, ops, time::Duration};

use serde::{Deserialize, Serialize};

/// A point on the host's monotonic clock, in microseconds since a start of the
/// host's choosing. It means nothing outside the running process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(
    // One more than there are microseconds, so that an `Option` of it takes no more.
    NonZeroU64,
);

impl Instant {
    /// `micros` microseconds after the host's start; half a million years at most.
    pub const fn from_micros(micros: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(micros))
    }

    /// Microseconds since the host's start.
    pub const fn as_micros(self) -> u64 {
        self.0.get() - 1
    }

    /// The span since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Instant {
    fn default() -> Self {
        Self::from_micros(0)
    }
}

/// Saturating: the far end of time is as far as an instant goes.
impl ops::Add<Duration> for Instant {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

/// Wall-clock time in microseconds since 1970-01-01T00:00:00Z; 0 is [unknown](Self::UNKNOWN). It
/// may jump; no timer and no order depends on it, only what is displayed and what expires.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// The time at a host without a wall clock.
    pub const UNKNOWN: Self = Self(0);

    /// The span since `earlier`; zero when `earlier` is later, or one of the two is unknown.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        let known = earlier.0 != Self::UNKNOWN.0;
        Duration::from_micros(if known { self.0.saturating_sub(earlier.0) } else { 0 })
    }
}

/// Saturating, as for [`Instant`].
impl ops::Add<Duration> for UnixTime {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

/// What ties the two clocks together: the wall-clock time at one instant. The
/// host makes a new one when its wall clock was set.
///
/// A host without a wall clock passes [`Self::UNKNOWN`], or does until it has learned the time. As
/// long as it does
/// - what its user writes, and what a server takes in, has [`UnixTime::UNKNOWN`] as its time;
/// - nothing expires by age: neither a message in an outbox nor a server's mail, and rooms are
///   kept within their number of entries and bytes only. What was taken in then does not
///   expire later either;
/// - a server counts epochs and rooms on from what its store has. So if it is put back to a
///   copy together with a client's, numbers may be given twice, which a clock prevents.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    /// The instant at which `unix` was read.
    pub at: Instant,
    /// The wall-clock time at that instant.
    pub unix: UnixTime,
}

impl WallClock {
    /// Of a host that has none.
    pub const UNKNOWN: Self = Self { at: Instant::from_micros(0), unix: UnixTime::UNKNOWN };

    /// The wall-clock time at `now`.
    pub fn unix(self, now: Instant) -> UnixTime {
        if self.unix == UnixTime::UNKNOWN {
            return UnixTime::UNKNOWN;
        }
        self.unix + now.since(self.at)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.as_micros();
        write!(f, "{}.{:06}s", micros / 1_000_000, micros % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_time_stays_unknown_and_nothing_is_older_than_it() {
        let later = Instant::from_micros(7_000_000);
        assert_eq!(WallClock::UNKNOWN.unix(later), UnixTime::UNKNOWN);
        let known = WallClock { at: Instant::default(), unix: UnixTime(1) }.unix(later);
        assert_eq!(known, UnixTime(7_000_001));
        assert_eq!(known.since(UnixTime(1)), Duration::from_secs(7));
        assert_eq!(known.since(UnixTime::UNKNOWN), Duration::ZERO);
        assert_eq!(UnixTime::UNKNOWN.since(known), Duration::ZERO);
    }
}
