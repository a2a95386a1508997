//! How long a round trip takes (RFC 9002 §5), in whole microseconds.

use core::time::Duration;

use super::received::MAX_ACK_DELAY;

/// The timers' granularity (RFC 9002 §6.1.2).
pub(super) const GRANULARITY: Duration = Duration::from_millis(1);

/// The round-trip estimate of one path. Spans are kept in 32 bits of
/// microseconds, 71 minutes at most, because there is one estimate per link.
#[derive(Debug)]
pub(super) struct Rtt {
    latest: u32,
    min: u32,
    smoothed: u32,
    variation: u32,
    sampled: bool,
}

impl Rtt {
    /// Before the first sample (§5.3): `initial`, give or take half of it.
    pub(super) fn new(initial: Duration) -> Self {
        let initial = micros(initial);
        Self {
            latest: initial,
            min: initial,
            smoothed: initial,
            variation: initial / 2,
            sampled: false,
        }
    }

    /// Takes in a sample: `latest` from sending to the Ack, of which the receiver
    /// says that it held the Ack back for `delay` (§5.2, §5.3).
    pub(super) fn sample(&mut self, latest: Duration, delay: Duration) {
        self.latest = micros(latest);
        if !self.sampled {
            *self = Self { sampled: true, ..Self::new(latest) };
            return;
        }
        self.min = self.min.min(self.latest);
        // A receiver cannot talk the estimate below the shortest trip ever seen.
        let delay = micros(delay.min(MAX_ACK_DELAY));
        let held = self.latest.checked_sub(delay).filter(|rest| *rest >= self.min);
        let adjusted = held.unwrap_or(self.latest);
        self.variation = weigh(self.variation, 3, self.smoothed.abs_diff(adjusted));
        self.smoothed = weigh(self.smoothed, 7, adjusted);
    }

    /// After persistent congestion (§5.2): the path may be another one now.
    pub(super) fn forget_min(&mut self) {
        self.min = self.latest;
    }

    /// The smoothed round trip.
    pub(super) fn smoothed(&self) -> Duration {
        span(self.smoothed)
    }

    /// How far samples are from it, smoothed as well.
    pub(super) fn variation(&self) -> Duration {
        span(self.variation)
    }

    /// After how long a packet is lost if a later one has arrived (§6.1.2).
    pub(super) fn loss_delay(&self) -> Duration {
        (span(self.latest.max(self.smoothed)) * 9 / 8).max(GRANULARITY)
    }

    /// After how long without an Ack to probe, before any back-off (§6.2.1).
    pub(super) fn pto(&self) -> Duration {
        self.smoothed() + (span(self.variation) * 4).max(GRANULARITY) + MAX_ACK_DELAY
    }
}

fn micros(span: Duration) -> u32 {
    u32::try_from(span.as_micros()).unwrap_or(u32::MAX)
}

fn span(micros: u32) -> Duration {
    Duration::from_micros(micros.into())
}

/// `parts` parts of `old` and one of `new`.
fn weigh(old: u32, parts: u32, new: u32) -> u32 {
    let sum = u64::from(old) * u64::from(parts) + u64::from(new);
    (sum / (u64::from(parts) + 1)) as u32 // no more than the larger of the two
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// RFC 9002 §5.3.
    #[test]
    fn follows_the_formulas() {
        let mut rtt = Rtt::new(ms(100));
        assert_eq!(
            (rtt.smoothed(), rtt.pto(), rtt.loss_delay()),
            (ms(100), ms(325), Duration::from_micros(112_500))
        );

        // The first sample replaces the guess, and its delay does not count.
        rtt.sample(ms(80), ms(20));
        assert_eq!((rtt.min, rtt.smoothed, rtt.variation), (80_000, 80_000, 40_000));
        assert_eq!((rtt.pto(), rtt.loss_delay()), (ms(80 + 160 + 25), ms(90)));

        // 120 - 20 = 100: variation 3/4 · 40 + 1/4 · |80 - 100|, smoothed 7/8 · 80 + 1/8 · 100.
        rtt.sample(ms(120), ms(20));
        assert_eq!((rtt.min, rtt.smoothed, rtt.variation), (80_000, 82_500, 35_000));
        assert_eq!(rtt.loss_delay(), ms(135), "9/8 of the latest, which is the larger");

        // 90 - 20 would be below the least: counts in full.
        rtt.sample(ms(90), ms(20));
        assert_eq!((rtt.smoothed, rtt.variation), (83_437, 28_125));

        // A delay of 500 ms counts for 25 ms; 60 becomes the least.
        rtt.sample(ms(160), ms(500));
        assert_eq!((rtt.smoothed, rtt.variation), (89_882, 33_984));
        rtt.sample(ms(60), ms(0));
        assert_eq!((rtt.min, rtt.smoothed, rtt.variation), (60_000, 86_146, 32_958));

        rtt.sample(ms(70), ms(0));
        rtt.forget_min();
        assert_eq!(rtt.min, 70_000);
    }

    /// RFC 9002 §5.2, §6.1.2: the lowest round trip, and the granularity of timers.
    #[test]
    fn has_floors_and_ceilings() {
        let mut rtt = Rtt::new(ms(100));
        for _ in 0..100 {
            rtt.sample(Duration::ZERO, ms(25));
        }
        assert_eq!((rtt.smoothed(), rtt.loss_delay(), rtt.pto()), (Duration::ZERO, ms(1), ms(26)));
        for _ in 0..100 {
            rtt.sample(Duration::MAX, Duration::MAX);
        }
        assert!(rtt.smoothed() > Duration::from_secs(4_000));
        assert!(rtt.pto() < Duration::from_secs(10 * 4_295));
    }
}
