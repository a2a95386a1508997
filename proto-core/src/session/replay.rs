//! Which packets were seen already.

/// The last 128 counters of a session, after RFC 6479: what is older than the
/// window counts as seen.
#[derive(Clone, Debug, Default)]
#[repr(Rust, packed(8))] // sixteen would leave holes around it in every session
pub struct ReplayWindow {
    highest: u64,
    // Bit i stands for `highest - i`; no bit is set before the first commit only.
    seen: u128,
}

impl ReplayWindow {
    /// Counters behind the highest one seen that are still told apart.
    pub const LENGTH: u64 = 128;

    /// Whether `counter` is new: neither seen nor older than the window.
    #[must_use]
    pub fn peek(&self, counter: u64) -> bool {
        match self.highest.checked_sub(counter) {
            Some(age) => age < Self::LENGTH && self.seen & (1 << age) == 0,
            None => true,
        }
    }

    /// The highest counter seen; 0 before any.
    #[must_use]
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// Marks `counter` as seen.
    pub fn commit(&mut self, counter: u64) {
        if let Some(age) = self.highest.checked_sub(counter) {
            if age < Self::LENGTH {
                self.seen |= 1 << age;
            }
        } else {
            let shift = u32::try_from(counter.saturating_sub(self.highest)).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(shift).unwrap_or(0) | 1;
            self.highest = counter;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against all that was ever seen, kept in a set.
        #[test]
        fn it_agrees_with_a_set(
            start in prop_oneof![Just(0), Just(u64::MAX - 700), any::<u64>()],
            steps in proptest::collection::vec((0_u64..700, any::<bool>()), 1..200),
        ) {
            let mut window = ReplayWindow::default();
            let mut seen = BTreeSet::new();
            for (step, commit) in steps {
                let counter = start.saturating_add(step);
                let highest = seen.last().copied();
                let old = highest.is_some_and(|h: u64| h.saturating_sub(counter) >= 128);
                prop_assert_eq!(window.peek(counter), !old && !seen.contains(&counter));
                if commit {
                    window.commit(counter);
                    seen.insert(counter);
                }
            }
        }
    }

    /// RFC 6479 §2: what falls behind the window counts as seen.
    #[test]
    fn far_jumps_forget_everything_older() {
        let mut window = ReplayWindow::default();
        for counter in [0, 127, 1 << 40, u64::MAX - 127, u64::MAX] {
            assert!(window.peek(counter));
            window.commit(counter);
            assert!(!window.peek(counter));
        }
        assert!(!window.peek(u64::MAX - 127) && window.peek(u64::MAX - 126));
        assert!(!window.peek(u64::MAX - 128) && !window.peek(5));
    }
}
