//! What arrived, and the Acks owed for it.

use core::time::Duration;

use heapless::Vec;

use crate::{
    time::Instant,
    wire::{Ack, AckGap, MAX_ACK_RANGES},
};

/// The longest that an Ack is held back; both sides hold to it (RFC 9000 §18.2).
pub(crate) const MAX_ACK_DELAY: Duration = Duration::from_millis(25);

/// As many runs as one Ack can tell.
const MAX_RUNS: usize = MAX_ACK_RANGES + 1;

/// Consecutive packet numbers, all received.
#[derive(Clone, Copy, Debug)]
struct Run {
    low: u64,
    high: u64,
}

/// The packet numbers received on one link: the newest runs of them, as many as
/// one Ack can tell. When another run finds no room, the lowest is forgotten; its
/// packets may go unacknowledged, which costs their sender a resend. O(1) a packet.
#[derive(Debug)]
pub(crate) struct Received {
    /// The newest first, with at least one missing number between any two.
    runs: Vec<Run, MAX_RUNS, u8>,
    /// When the largest number came.
    largest_at: Instant,
    largest_eliciting: Option<u64>,
    /// When the next Ack is due, if one is owed.
    due: Option<Instant>,
}

impl Received {
    /// Nothing yet.
    pub(crate) const NEW: Self = Self {
        runs: Vec::new(),
        largest_at: Instant::from_micros(0),
        largest_eliciting: None,
        due: None,
    };

    /// A packet was opened; `eliciting` if it carried anything but Acks. A number
    /// known already, or below all that is remembered, changes nothing.
    pub(crate) fn packet(&mut self, number: u64, eliciting: bool, now: Instant) {
        let newest = self.runs.first().is_none_or(|run| run.high < number);
        let Some(run) = self.insert(number) else {
            return;
        };
        if newest {
            self.largest_at = now;
        }
        if !eliciting {
            return;
        }
        // RFC 9000 §13.2.1: later than one that elicits, and nothing missing between them.
        let last = self.largest_eliciting;
        let in_order = last.is_none_or(|last| run.low <= last && last < number);
        self.largest_eliciting = last.max(Some(number));
        // RFC 9000 §13.2.2: the second one does not wait either.
        let hold = if in_order && self.due.is_none() { MAX_ACK_DELAY } else { Duration::ZERO };
        let by = now + hold;
        self.due = Some(self.due.map_or(by, |due| due.min(by)));
    }

    /// When an Ack has to go, with or without anything else: at once after two
    /// eliciting packets or one out of order, else [`MAX_ACK_DELAY`] after the first
    /// (RFC 9000 §13.2.1, §13.2.2). `None` while none is owed.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// An eliciting packet came that no Ack has told of yet: let one ride along
    /// with whatever is sent.
    pub(crate) fn is_owed(&self) -> bool {
        self.due.is_some()
    }

    /// The Ack for all that is remembered; `None` if nothing has come yet.
    pub(crate) fn ack(&self, now: Instant) -> Option<Ack> {
        let newest = self.runs.first()?;
        let below = self.runs.iter().skip(1);
        Some(Ack {
            largest: newest.high,
            delay: u32::try_from(now.since(self.largest_at).as_micros()).unwrap_or(u32::MAX),
            first: newest.high - newest.low,
            gaps: (self.runs.iter().zip(below))
                .map(|(above, run)| AckGap {
                    missing: above.low - run.high - 2,
                    run: run.high - run.low,
                })
                .collect(),
        })
    }

    /// That Ack is in a packet on its way; nothing is owed any more.
    pub(crate) fn acked(&mut self) {
        self.due = None;
    }

    /// The run that `number` is in now; `None` if it was known or is not kept.
    fn insert(&mut self, number: u64) -> Option<Run> {
        let next = number.saturating_add(1);
        // The highest run that does not lie wholly above, at a distance.
        let at = self.runs.iter().position(|run| run.low <= next).unwrap_or(self.runs.len());
        let below = self.runs.get(at + 1).copied();
        match self.runs.get_mut(at) {
            Some(run) if run.low <= number && number <= run.high => None,
            Some(run) if run.low > number => {
                run.low = number;
                let below = below.filter(|below| below.high.checked_add(1) == Some(number));
                if let Some(below) = below {
                    run.low = below.low;
                }
                let joined = *run;
                if below.is_some() {
                    self.runs.remove(at + 1);
                }
                Some(joined)
            }
            Some(run) if run.high.checked_add(1) == Some(number) => {
                run.high = number;
                Some(*run)
            }
            _ => {
                if self.runs.is_full() && at < self.runs.len() {
                    self.runs.pop();
                }
                let run = Run { low: number, high: number };
                self.runs.insert(at, run).ok().map(|()| run)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    const AT: fn(u64) -> Instant = Instant::from_micros;

    #[test]
    fn the_first_waits_the_second_does_not() {
        let mut received = Received::NEW;
        assert_eq!((received.ack(AT(0)), received.deadline()), (None, None));
        received.packet(7, true, AT(100));
        assert_eq!(received.deadline(), Some(AT(25_100)));
        received.packet(8, true, AT(300));
        assert_eq!(received.deadline(), Some(AT(300)));
        assert_eq!(received.ack(AT(350)).unwrap().delay, 50);
        assert!(received.is_owed());
        received.acked();
        assert_eq!((received.deadline(), received.is_owed()), (None, false));
        received.packet(9, true, AT(400));
        assert_eq!(received.deadline(), Some(AT(25_400)));
    }

    #[test]
    fn what_only_acks_is_not_acked_for_its_own_sake() {
        let mut received = Received::NEW;
        received.packet(0, false, AT(1));
        received.packet(5, false, AT(2));
        assert!(!received.is_owed());
        assert_eq!(received.ack(AT(2)).unwrap().ranges().collect::<Vec<_>>(), [5..=5, 0..=0]);
    }

    /// Whether the last of these packets, each one eliciting or not, is acked at once
    /// when those before it were acked.
    fn at_once(packets: &[(u64, bool)]) -> bool {
        let mut received = Received::NEW;
        for (number, eliciting) in packets {
            received.acked();
            received.packet(*number, *eliciting, AT(1));
        }
        received.deadline() == Some(AT(1))
    }

    #[test]
    fn disorder_is_told_at_once() {
        assert!(!at_once(&[(3, true), (4, true)]));
        assert!(at_once(&[(3, true), (5, true)]), "a gap");
        assert!(at_once(&[(3, true), (5, true), (4, true)]), "a late one");
        assert!(!at_once(&[(3, true), (5, true), (6, true)]), "an old gap");
        assert!(!at_once(&[(3, true), (4, false), (5, true)]), "no gap");
        assert!(at_once(&[(3, true), (5, false), (6, true)]), "a gap found earlier");
        assert!(!at_once(&[(3, true), (5, false), (4, true)]), "late, but not for what elicits");
        assert!(!at_once(&[(3, true), (3, true)]), "a duplicate");
    }

    #[test]
    fn the_delay_is_that_of_the_largest() {
        let mut received = Received::NEW;
        received.packet(9, true, AT(100));
        received.packet(8, true, AT(200));
        assert_eq!(received.ack(AT(300)).unwrap().delay, 200);
        assert_eq!(received.ack(AT(u64::MAX)).unwrap().delay, u32::MAX);
    }

    #[test]
    fn numbers_at_the_ends_fit() {
        let mut received = Received::NEW;
        for number in [u64::MAX, 0, u64::MAX - 1, 1, u64::MAX] {
            received.packet(number, true, AT(0));
        }
        let ranges: Vec<_> = received.ack(AT(0)).unwrap().ranges().collect();
        assert_eq!(ranges, [u64::MAX - 1..=u64::MAX, 0..=1]);
    }

    proptest! {
        #[test]
        fn acks_the_newest_runs_of_what_arrived(numbers in prop::collection::vec(0..60u64, 0..80)) {
            let mut received = Received::NEW;
            let mut model = BTreeSet::new();
            for (at, number) in numbers.into_iter().enumerate() {
                received.packet(number, true, AT(at as u64));
                model.insert(number);
                // The lowest go, until what is left has no more than nine runs.
                while model.iter().filter(|n| !model.contains(&(**n + 1))).count() > MAX_RUNS {
                    model.pop_first();
                }
                let ack = received.ack(AT(at as u64)).unwrap();
                let told: Vec<_> = ack.ranges().flat_map(Iterator::rev).collect();
                prop_assert_eq!(told, model.iter().rev().copied().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn is_small() {
        assert!(size_of::<Received>() <= 200, "{}", size_of::<Received>());
    }
}
