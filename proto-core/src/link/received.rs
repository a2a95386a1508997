//! What arrived, and the Acks owed for it.

use core::time::Duration;

use heapless::Vec;

use crate::{
    session::ReplayWindow,
    time::Instant,
    wire::{Ack, AckGap},
};

/// The longest that an Ack is held back; both sides hold to it (RFC 9000 §18.2).
pub(crate) const MAX_ACK_DELAY: Duration = Duration::from_millis(25);

/// The packet numbers received on one link, as far back as the replay window lets any
/// in: what is older may go unacknowledged, which costs its sender a resend.
#[derive(Debug)]
#[repr(Rust, packed(8))] // as the replay window
pub(crate) struct Received {
    largest: u64,
    /// Bit `i` stands for `largest - i`; no bit is set before the first packet only.
    seen: u128,
    /// When the largest number came.
    largest_at: Instant,
    /// One above the largest number of those that elicit; 0 before any.
    eliciting: u64,
    /// When the next Ack is due, if one is owed.
    due: Option<Instant>,
}

const _: () = assert!(ReplayWindow::LENGTH == u128::BITS as u64, "as many bits as may come");

impl Received {
    /// Nothing yet.
    pub(crate) const NEW: Self =
        Self { largest: 0, seen: 0, largest_at: Instant::from_micros(0), eliciting: 0, due: None };

    /// A packet was opened; `eliciting` if it carried anything but Acks. A number
    /// known already, or below all that is remembered, changes nothing.
    pub(crate) fn packet(&mut self, number: u64, eliciting: bool, now: Instant) {
        if self.seen == 0 || number > self.largest {
            let up = u32::try_from(number - self.largest).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(up).unwrap_or(0);
            (self.largest, self.largest_at) = (number, now);
        }
        let age = u32::try_from(self.largest - number).unwrap_or(u32::MAX);
        let Some(bit) = 1_u128.checked_shl(age).filter(|bit| self.seen & bit == 0) else { return };
        self.seen |= bit;
        if !eliciting {
            return;
        }
        // RFC 9000 §13.2.1: later than one that elicits, and nothing missing between them.
        // What is older than all that is remembered counts as there.
        let run = (self.seen >> age).trailing_ones();
        let complete =
            number.saturating_sub(self.eliciting) < run.into() || run + age == u128::BITS;
        let in_order = self.eliciting == 0 || self.eliciting <= number && complete;
        self.eliciting = self.eliciting.max(number.saturating_add(1));
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

    /// The Ack for the newest runs of what is remembered, as many as one can tell;
    /// `None` if nothing has come yet.
    pub(crate) fn ack(&self, now: Instant) -> Option<Ack> {
        let first = self.seen.trailing_ones().checked_sub(1)?;
        let mut gaps = Vec::new();
        let mut rest = self.seen.checked_shr(first + 1).unwrap_or(0);
        while rest != 0 && !gaps.is_full() {
            let missing = rest.trailing_zeros();
            rest >>= missing;
            let run = rest.trailing_ones();
            rest = rest.checked_shr(run).unwrap_or(0);
            // There is room: it is not full.
            let _ = gaps.push(AckGap { missing: (missing - 1).into(), run: (run - 1).into() });
        }
        Some(Ack {
            largest: self.largest,
            delay: u32::try_from(now.since(self.largest_at).as_micros()).unwrap_or(u32::MAX),
            first: first.into(),
            gaps,
        })
    }

    /// That Ack is in a packet on its way; nothing is owed any more.
    pub(crate) fn acked(&mut self) {
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, vec::Vec};

    use proptest::prelude::*;

    use super::*;
    use crate::wire::MAX_ACK_RANGES;

    const AT: fn(u64) -> Instant = Instant::from_micros;

    /// RFC 9000 §13.2.2: an Ack goes out at least for every second packet that asks for one.
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

    /// RFC 9000 §13.2: packets without anything that asks for an Ack are acknowledged beside others only.
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

    /// RFC 9000 §13.2.1: out of order, or with a gap before it, a packet is acknowledged at once.
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

    /// RFC 9000 §13.2.5: the delay is since the largest acknowledged packet came.
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
        assert_eq!(ranges, [u64::MAX - 1..=u64::MAX]);
    }

    proptest! {
        #[test]
        fn acks_the_newest_runs_of_what_arrived(numbers in prop::collection::vec(0..180u64, 0..200)) {
            let mut received = Received::NEW;
            let mut model = BTreeSet::new();
            for (at, number) in numbers.into_iter().enumerate() {
                received.packet(number, true, AT(at as u64));
                model.insert(number);
                let largest = *model.last().unwrap();
                model.retain(|number| largest - number < 128);
                let mut newest = model.clone();
                while newest.iter().filter(|n| !newest.contains(&(**n + 1))).count() > MAX_ACK_RANGES + 1 {
                    newest.pop_first();
                }
                let ack = received.ack(AT(at as u64)).unwrap();
                let told: Vec<_> = ack.ranges().flat_map(Iterator::rev).collect();
                prop_assert_eq!(told, newest.into_iter().rev().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn is_small() {
        assert!(size_of::<Received>() <= 64, "{}", size_of::<Received>());
    }
}
