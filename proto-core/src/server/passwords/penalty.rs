//! What wrong passwords cost.

use core::time::Duration;

use crate::{id::PublicKey, time::Instant};

/// The wait after the first wrong password, doubled with each further one, and the longest.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(256));

/// After so long without a wrong one, the count starts anew. Longer than all waits up to
/// the longest one together, so that nobody gains by pausing.
const FORGIVEN: Duration = Duration::from_hours(1);

/// How long a device that an account's key endorses may log in.
const ENDORSED: Duration = Duration::from_mins(10);

/// What wrong passwords cost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Penalty {
    wrong: u8,
    until: Instant,
}

impl Penalty {
    /// How long until the next one is looked at.
    pub(super) fn wait(self, now: Instant) -> Duration {
        self.until.since(now)
    }

    pub(super) fn add(&mut self, now: Instant) {
        if now.since(self.until) >= FORGIVEN {
            self.wrong = 0;
        }
        let wait = WAIT.0.saturating_mul(1 << self.wrong.min(16)).min(WAIT.1);
        self.wrong = self.wrong.saturating_add(1);
        self.until = now + wait;
    }
}

/// What wrong passwords cost an account: strangers, and, apart from them, the devices that it
/// trusts, so that nobody's guesses delay these.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Guard {
    strangers: Penalty,
    trusted: Penalty,
    /// The key of a device that its own may log in until then.
    endorsed: Option<(PublicKey, Instant)>,
}

impl Guard {
    /// The account's own key says that another device's may log in.
    pub(super) fn endorse(&mut self, key: PublicKey, now: Instant) {
        self.endorsed = Some((key, now + ENDORSED));
    }

    /// The account's own key said so of this one.
    pub(super) fn is_endorsed(&self, key: &PublicKey, now: Instant) -> bool {
        self.endorsed.is_some_and(|(of, until)| of == *key && now < until)
    }

    /// What the wrong passwords of strangers, or of those that are `trusted`, cost.
    pub(super) fn penalty(&mut self, trusted: bool) -> &mut Penalty {
        if trusted { &mut self.trusted } else { &mut self.strangers }
    }

    /// A password was right.
    pub(super) fn forgive(&mut self) {
        (self.strangers, self.trusted) = (Penalty::default(), Penalty::default());
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
