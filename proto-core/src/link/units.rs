//! Which pieces of a message are there: a set of [`FRAGMENT_UNIT`]s. The sender
//! keeps one of those still to send, the receiver one of those that arrived, in
//! whatever order.

use crate::wire::FRAGMENT_UNIT;

/// A set of up to 128 units of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Units(u128);

/// A run of units of one message: what one frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    first: u8,
    count: u8,
}

impl Run {
    /// The run's first unit.
    pub(crate) fn first(self) -> u8 {
        self.first
    }

    /// The unit after the run's last.
    pub(crate) fn end(self) -> u8 {
        self.first.saturating_add(self.count)
    }

    /// Where the run begins in the message, in bytes.
    pub fn offset(self) -> usize {
        usize::from(self.first) * FRAGMENT_UNIT
    }

    /// Bytes of the run in a message of `total` bytes.
    pub fn len(self, total: usize) -> usize {
        (usize::from(self.count) * FRAGMENT_UNIT).min(total.saturating_sub(self.offset()))
    }
}

impl Units {
    /// No units.
    pub const NONE: Self = Self(0);

    /// All units of a message of `total` bytes; at least one, so that an empty
    /// message is sent too.
    pub fn all(total: usize) -> Self {
        let count = total.div_ceil(FRAGMENT_UNIT).clamp(1, 128);
        Self(u128::MAX >> (128 - count))
    }

    /// It has none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All units of a message of `total` bytes but the first `done`.
    pub(crate) fn all_after(total: usize, done: u8) -> Self {
        Self(Self::all(total).0 & u128::MAX.checked_shl(done.into()).unwrap_or(0))
    }

    /// Its first run, cut so that it takes no more than `room` bytes; `None` if
    /// the set is empty or not one unit of a message of `total` bytes fits.
    pub fn first_run(self, total: usize, room: usize) -> Option<Run> {
        let first = self.0.trailing_zeros();
        let there = self.0.checked_shr(first)?.trailing_ones();
        let whole = Run { first: first as u8, count: there as u8 };
        if whole.len(total) <= room {
            return Some(whole);
        }
        let count = (room / FRAGMENT_UNIT).min(there as usize) as u8;
        (count > 0).then_some(Run { count, ..whole })
    }

    /// It has all of a run.
    pub(crate) fn contains(self, run: Run) -> bool {
        Self::of(run) & !self.0 == 0
    }

    /// Adds a run.
    pub fn insert(&mut self, run: Run) {
        self.0 |= Self::of(run);
    }

    /// Takes a run out.
    pub fn remove(&mut self, run: Run) {
        self.0 &= !Self::of(run);
    }

    /// The run that `length` bytes at `offset` of a message of `total` bytes are,
    /// if they begin and end where units do.
    pub fn run(offset: usize, length: usize, total: usize) -> Option<Run> {
        let end = offset.checked_add(length)?;
        let aligned = offset.is_multiple_of(FRAGMENT_UNIT)
            && (end == total || (end < total && end.is_multiple_of(FRAGMENT_UNIT)))
            && (length > 0 || total == 0);
        if !aligned {
            return None;
        }
        let first = u8::try_from(offset / FRAGMENT_UNIT).ok()?;
        let count = u8::try_from(length.div_ceil(FRAGMENT_UNIT).max(1)).ok()?;
        (u32::from(first) + u32::from(count) <= 128).then_some(Run { first, count })
    }

    fn of(run: Run) -> u128 {
        let bits = u128::MAX.checked_shr(128 - u32::from(run.count)).unwrap_or(0);
        bits.checked_shl(u32::from(run.first)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use proptest::prelude::*;

    use super::*;
    use crate::wire::MAX_BODY;

    proptest! {
        /// A message cut for any rooms, its runs lost or repeated at will, comes together.
        #[test]
        fn runs_put_a_message_together(
            total in 0..=MAX_BODY,
            rooms in prop::collection::vec((FRAGMENT_UNIT..1400usize, any::<bool>()), 1..400),
        ) {
            let mut todo = Units::all(total);
            let mut have = Units::NONE;
            let mut bytes = vec![0u8; total];
            let mut lost = Vec::new();
            for (room, arrives) in rooms.into_iter().chain(std::iter::repeat_n((1000, true), 200)) {
                let Some(run) = todo.first_run(total, room) else { break };
                prop_assert!(run.len(total) <= room);
                todo.remove(run);
                if arrives {
                    let told = Units::run(run.offset(), run.len(total), total);
                    prop_assert_eq!(told, Some(run));
                    have.insert(run);
                    bytes[run.offset()..][..run.len(total)].fill(1);
                } else {
                    lost.push(run);
                    todo.insert(run);
                }
            }
            prop_assert!(todo.is_empty());
            prop_assert_eq!(have, Units::all(total));
            prop_assert!(bytes.iter().all(|b| *b == 1));
        }

        #[test]
        fn odd_pieces_are_no_runs(offset in 0..70_000usize, length in 0..70_000usize, total in 0..70_000usize) {
            if let Some(run) = Units::run(offset, length, total) {
                prop_assert_eq!((run.offset(), run.len(total)), (offset, length));
                prop_assert!(offset + length <= total && total - offset <= MAX_BODY.max(total));
            }
        }
    }
}
