//! Packet numbers that are left out on purpose, so that whoever acknowledges packets without
//! having received them is found out (RFC 9000 §21.4).

use crate::{random::Random, wire::Ack};

/// A number is left out after at least so many packets, and before as many more have gone out.
const EVERY: u64 = 64;

/// Which packet numbers of a link are left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Skips {
    /// The newest one.
    last: Option<u64>,
    next: u64,
    count: u64,
}

impl Skips {
    pub(super) fn new(random: &mut Random) -> Self {
        // The first one comes early: many sessions are short.
        Self { last: None, next: 1 + u64::from(random.u32()) % EVERY, count: 0 }
    }

    /// Whether to leave out this number, which is the next.
    pub(super) fn take(&mut self, number: u64, random: &mut Random) -> bool {
        let skipped = number >= self.next;
        if skipped {
            self.last = Some(number);
            self.next = number + EVERY + u64::from(random.u32()) % EVERY;
            self.count += 1;
        }
        skipped
    }

    /// How many were left out so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Whether an Ack tells of a packet that was never sent.
    pub(super) fn is_told_of(&self, ack: &Ack) -> bool {
        self.last.is_some_and(|number| ack.ranges().any(|range| range.contains(&number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::tests::fixed;

    #[test]
    fn a_number_is_left_out_now_and_then() {
        for seed in 0..50 {
            let mut random = fixed(seed);
            let mut skips = Skips::new(&mut random);
            let skipped: std::vec::Vec<u64> =
                (0..1000).filter(|number| skips.take(*number, &mut random)).collect();
            assert!(skipped[0] > 0 && skipped[0] <= EVERY, "{skipped:?}");
            for pair in skipped.windows(2) {
                assert!((EVERY..2 * EVERY).contains(&(pair[1] - pair[0])), "{skipped:?}");
            }
            assert_eq!(skips.count(), skipped.len() as u64);
            let last = *skipped.last().unwrap();
            for (largest, first, told) in
                [(last, 0, true), (last + 1, 1, true), (last + 1, 0, false), (last - 1, 5, false)]
            {
                let ack = Ack { largest, delay: 0, first, gaps: heapless::Vec::new() };
                assert_eq!(skips.is_told_of(&ack), told);
            }
        }
    }
}
