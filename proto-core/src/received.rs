//! What a reader has of one author's messages, in the reader's own words.

use serde::{Deserialize, Serialize};

use crate::id::Position;

/// What the durable inbox of a reader has of one author's messages: all from `first` to `last`, but
/// for those strictly between the two ends of `gap`. Of what comes before `first`, it says nothing.
///
/// Each message says which one before it was still open when its author sealed or sent it, so the
/// reader can tell a number that was left out on the way from one that its author settled, and
/// nobody in between can have one taken for the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// The first of an unbroken run, but for the gap.
    pub first: Position,
    /// The messages that the newest gap is between; both of epoch 0 for none.
    pub gap: (Position, Position),
    /// The last one; of epoch 0 for none at all.
    pub last: Position,
}

impl Received {
    /// One message, and nothing of any before it.
    pub const fn only(at: Position) -> Self {
        Self { first: at, gap: (Position::NONE, Position::NONE), last: at }
    }

    /// Nothing.
    pub fn is_none(&self) -> bool {
        self.last == Position::NONE
    }

    /// The message is in the inbox, by the reader's word.
    pub fn covers(&self, at: Position) -> bool {
        let (after, before) = self.gap;
        (self.first..=self.last).contains(&at) && !(after < at && at < before)
    }

    /// The reader has gone past the message, and does not say that it has it.
    pub fn passed_over(&self, at: Position) -> bool {
        at < self.last && !self.covers(at)
    }

    /// With one message more, which comes behind all others; `previous` is the one that its author
    /// named as the open one before it, [`Position::NONE`] if there was none.
    #[must_use]
    pub fn and(self, at: Position, previous: Position) -> Self {
        debug_assert!(self.last < at, "what comes behind is new");
        if self.is_none() || previous < self.first {
            // Its author waits for no word of any before it.
            return Self::only(at);
        }
        if previous <= self.last {
            return Self { last: at, ..self };
        }
        // Of two gaps, the newer one is told, and nothing of what is before the older one.
        let first = if self.gap.1 == Position::NONE { self.first } else { self.gap.1 };
        Self { first, gap: (self.last, at), last: at }
    }

    /// How many messages are missing, at the least, before one whose author named `previous` as the
    /// open one before it.
    pub fn missing(&self, previous: Position) -> u64 {
        if previous <= self.last {
            return 0;
        }
        let known = if previous.epoch == self.last.epoch { self.last.number.0 } else { 0 };
        previous.number.0.saturating_sub(known)
    }

    /// How many numbers of the epoch of `last`, up to its own, are received without a gap.
    pub fn run(&self) -> u32 {
        let from = if self.gap.1 == Position::NONE { self.first } else { self.gap.1 };
        let before =
            if from.epoch == self.last.epoch { from.number.0.saturating_sub(1) } else { 0 };
        self.last.number.0.saturating_sub(before).try_into().unwrap_or(u32::MAX)
    }

    /// All of it can name messages.
    pub(crate) fn fits(&self) -> bool {
        let (after, before) = self.gap;
        [self.first, after, before, self.last].into_iter().all(Position::fits)
    }
}

#[cfg(test)]
mod tests {
    use crate::id::{Epoch, Number};

    use super::*;

    fn at(epoch: u32, number: u64) -> Position {
        Position::new(Epoch(epoch), Number(number))
    }

    /// Which of the epoch's first nine are received.
    fn of(received: Received, epoch: u32) -> std::vec::Vec<u64> {
        (1..10).filter(|number| received.covers(at(epoch, *number))).collect()
    }

    #[test]
    fn a_run_goes_on_as_long_as_each_names_one_that_is_there() {
        let none = Position::NONE;
        let received = Received::default().and(at(1, 1), none).and(at(1, 2), at(1, 1));
        assert_eq!((of(received, 1), received.run()), (std::vec![1, 2], 2));
        // Number 3 was settled by its author before 4 was sealed.
        let received = received.and(at(1, 4), at(1, 2));
        assert_eq!((of(received, 1), received.run()), (std::vec![1, 2, 3, 4], 4));
        let received = received.and(at(2, 1), at(1, 4));
        assert_eq!((of(received, 2), received.run()), (std::vec![1], 1));
        assert!(received.covers(at(1, 1)) && !received.passed_over(at(1, 1)));
    }

    #[test]
    fn what_was_left_out_is_not_covered_and_of_two_gaps_only_what_follows_the_older_one_is() {
        let received = Received::only(at(1, 1)).and(at(1, 3), at(1, 2));
        assert_eq!((of(received, 1), received.run()), (std::vec![1, 3], 1));
        assert!(received.passed_over(at(1, 2)) && !received.passed_over(at(1, 4)));
        let received = received.and(at(1, 4), at(1, 3)).and(at(1, 7), at(1, 6));
        assert_eq!(of(received, 1), [3, 4, 7]);
        assert!([1, 2, 5, 6].into_iter().all(|number| received.passed_over(at(1, number))));
    }

    #[test]
    fn who_names_none_before_begins_anew() {
        let received = Received::only(at(1, 5)).and(at(2, 1), Position::NONE);
        assert!(!received.covers(at(1, 5)) && received == Received::only(at(2, 1)));
        assert_eq!(of(Received::default(), 0), std::vec::Vec::<u64>::new());
    }

    #[test]
    fn what_is_missing_is_counted() {
        let received = Received::only(at(1, 3));
        for (previous, missing) in [(at(1, 2), 0), (at(1, 3), 0), (at(1, 5), 2), (at(2, 4), 4)] {
            assert_eq!(received.missing(previous), missing, "{previous:?}");
        }
        assert_eq!(Received::default().missing(at(1, 2)), 2, "of an author first heard of too");
    }
}
