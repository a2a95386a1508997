//! The two clocks of the core, read from the system's.

use std::time::{self, Duration, SystemTime};

use proto_core::time::{Instant, UnixTime, WallClock};

/// A wall clock that is further off than this was set, and the core is told.
const TOLERANCE: Duration = Duration::from_secs(1);

/// The monotonic clock, counted from when this was made, and the wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: time::Instant,
    wall: WallClock,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let wall = WallClock { at: Instant::default(), unix: unix() };
        Self { start: time::Instant::now(), wall }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::default() + self.start.elapsed()
    }

    /// The wall clock as the core knows it.
    pub(crate) fn wall(&self) -> WallClock {
        self.wall
    }

    /// The wall clock, if it was set since it was last looked at.
    pub(crate) fn set(&mut self) -> Option<WallClock> {
        self.compare(self.now(), unix())
    }

    fn compare(&mut self, at: Instant, unix: UnixTime) -> Option<WallClock> {
        let known = self.wall.unix(at);
        let off = Duration::from_micros(unix.0.abs_diff(known.0));
        (off > TOLERANCE).then(|| {
            self.wall = WallClock { at, unix };
            self.wall
        })
    }
}

/// The wall-clock time; unknown for a clock that is set to 1970 or before.
fn unix() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixTime::default() + since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_was_set_is_noticed_once() {
        let mut clock = Clock::start();
        let unix = clock.wall().unix;
        let at = Instant::from_micros(10_000_000);
        let after = |seconds| unix + Duration::from_secs(seconds);
        assert!(clock.compare(at, after(10)).is_none());
        assert!(clock.compare(at, after(11)).is_none());
        for set_to in [after(12), unix, UnixTime::UNKNOWN, after(100_000)] {
            assert_eq!(clock.compare(at, set_to).unwrap().unix, set_to);
            assert!(clock.compare(at, set_to).is_none());
        }
    }
}
