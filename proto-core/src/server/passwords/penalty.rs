//! What wrong passwords cost.

use core::time::Duration;

use crate::time::Instant;

/// The wait after the first wrong password, doubled with each further one, and the longest.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(256));

/// After so long without a wrong one, the count starts anew. Longer than all waits up to
/// the longest one together, so that nobody gains by pausing.
const FORGIVEN: Duration = Duration::from_hours(1);

/// What wrong passwords cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Penalty {
    wrong: u8,
    pub(super) until: Instant,
}

impl Penalty {
    pub(super) fn add(&mut self, now: Instant) {
        if now.since(self.until) >= FORGIVEN {
            self.wrong = 0;
        }
        let wait = WAIT.0.saturating_mul(1 << self.wrong.min(16)).min(WAIT.1);
        self.wrong = self.wrong.saturating_add(1);
        self.until = now + wait;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_password_doubles_the_wait_until_an_hour_without_one() {
        let mut penalty = Penalty::default();
        let mut now = Instant::from_micros(0);
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 256] {
            penalty.add(now);
            assert_eq!(penalty.until.since(now), Duration::from_secs(seconds));
            now = penalty.until;
        }
        penalty.add(now + FORGIVEN);
        assert_eq!(penalty.until.since(now + FORGIVEN), Duration::from_secs(1));
    }
}
