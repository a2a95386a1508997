//! Rates: what someone may have at once, and how fast more comes after that.

use core::time::Duration;

use crate::time::Instant;

/// A token bucket's size, and how fast it fills: `burst` at once, and one more in each `interval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many at once; at least one.
    pub burst: u32,
    /// How long it takes until there is one more. With zero, there is no limit.
    pub interval: Duration,
}

impl Rate {
    /// `burst` at once, and so many more each second; at least one.
    pub const fn per_second(burst: u32, count: u32) -> Self {
        let count = if count == 0 { 1 } else { count };
        Self { burst, interval: Duration::from_nanos(1_000_000_000 / count as u64) }
    }

    /// How long it takes until there are so many more.
    fn span(self, count: u32) -> Duration {
        self.interval.saturating_mul(count)
    }
}

/// A token bucket, as the time at which it is full again. It begins full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    full_at: Instant,
}

impl Meter {
    /// Nothing was taken yet.
    pub(crate) const FULL: Self = Self { full_at: Instant::from_micros(0) };

    /// It is as if nothing was ever taken.
    pub(crate) fn is_full(self, now: Instant) -> bool {
        self.full_at <= now
    }

    /// When it will be: the later, the more was taken of late.
    pub(crate) fn full_at(self, now: Instant) -> Instant {
        self.full_at.max(now)
    }

    /// Takes a token; `false` if there is none.
    pub(crate) fn take(&mut self, now: Instant, rate: Rate) -> bool {
        let has = self.wait(now, rate, 1).is_none();
        if has {
            self.charge(now, rate, 1);
        }
        has
    }

    /// When so many tokens will be there; `None` if they are now. Who wants more than there can
    /// be has to wait until the bucket is full.
    pub(crate) fn wait(self, now: Instant, rate: Rate, count: u32) -> Option<Instant> {
        let spare = rate.span(rate.burst.saturating_sub(count));
        let missing = self.full_at.since(now).checked_sub(spare)?;
        // Instants are whole microseconds: not earlier than it is there.
        (!missing.is_zero()).then(|| now + (missing + Duration::from_nanos(999)))
    }

    /// Takes so many tokens, even if they are not there: those that come next fill the gap.
    pub(crate) fn charge(&mut self, now: Instant, rate: Rate, count: u32) {
        self.full_at = self.full_at.max(now) + rate.span(count);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_more_is_taken_than_the_rate_allows(
            steps in prop::collection::vec(0..400_u64, 1..300),
            interval in 1..100_u64,
            burst in 1..20_u32,
        ) {
            let rate = Rate { interval: Duration::from_micros(interval), burst };
            let (mut meter, mut now) = (Meter::FULL, 0);
            let mut taken = std::vec::Vec::new();
            for step in steps {
                now += step;
                let at = Instant::from_micros(now);
                if meter.take(at, rate) {
                    taken.push(now);
                }
            }
            // It fills up again, and no further.
            let later = Instant::from_micros(now + interval * u64::from(burst));
            for more in 0..=burst {
                prop_assert_eq!(meter.take(later, rate), more < burst);
            }
            for (at, first) in taken.iter().enumerate() {
                for (more, last) in taken[at..].iter().enumerate() {
                    let most = u64::from(burst) + (last - first) / interval;
                    prop_assert!(more as u64 <= most);
                }
            }
        }

        /// Who waits as long as it is told to has what it wants then, and not before.
        #[test]
        fn it_is_there_when_it_is_said_to_be(
            counts in prop::collection::vec(1..40_u32, 1..100),
            interval in 1..100_000_u64,
            burst in 0..20_u32,
        ) {
            let rate = Rate { interval: Duration::from_nanos(interval), burst };
            let (mut meter, mut now) = (Meter::FULL, Instant::from_micros(1_000_000));
            for count in counts {
                if let Some(at) = meter.wait(now, rate, count) {
                    let before = Instant::from_micros(at.as_micros() - 1);
                    prop_assert!(at > now && meter.wait(before, rate, count).is_some());
                    now = at;
                }
                prop_assert_eq!(meter.wait(now, rate, count), None);
                meter.charge(now, rate, count);
            }
        }
    }

    #[test]
    fn without_an_interval_there_is_no_limit() {
        let (rate, now) = (Rate { burst: 0, interval: Duration::ZERO }, Instant::from_micros(5));
        let mut meter = Meter::FULL;
        assert!((0..1_000).all(|_| meter.take(now, rate)));
    }
}
