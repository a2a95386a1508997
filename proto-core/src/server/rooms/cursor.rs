//! A member's cursor in a room's log.

use crate::{
    link::{Credit, Run},
    wire::TrimReason,
};

/// Entries of one room that are on their way to one member at most.
const WINDOW: u64 = 64;

/// A member's cursor in a room's log: it has all up to `read`; of the [`WINDOW`] entries
/// behind, some are on their way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    read: u64,
    /// Those on their way: bit 0 is the entry right after `read`.
    sent: u64,
    credit: InFlight,
    /// The entry that was sent up to here only, so far.
    current: Option<Begun>,
    /// The member said where it reads on from.
    begun: bool,
    /// The member is to be told that entries are gone: from which on, and why.
    gone: bool,
    gone_from: u64,
    reason: TrimReason,
    /// How often the member went back.
    rewinds: u32,
}

/// The credit that entries of a room use while they are on their way: that of all up to
/// `mark`, which is free once the cursor has passed it, and that of those behind.
#[derive(Clone, Copy, Debug, Default)]
struct InFlight {
    mark: u64,
    before: u32,
    behind: u32,
    /// The last entry that credit was used for.
    last: u64,
}

/// An entry of which some was sent: how far behind `read`, and how many units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Begun {
    ahead: u8,
    units: u8,
}

impl Cursor {
    /// What is said after `rewinds` times going back is said after one more.
    pub(super) fn goes_back(&self, rewinds: u32) -> bool {
        self.begun && rewinds > self.rewinds
    }

    /// The member says that it has all up to `upto`, after it went back `rewinds` times, from
    /// where all is sent again: whether that is news, and credit of what is on its way no longer,
    /// to be given back.
    pub(super) fn heard(&mut self, upto: u64, rewinds: u32) -> (bool, u32) {
        if self.begun && rewinds < self.rewinds {
            // It was said before it went back.
            return (false, 0);
        }
        let free = if self.goes_back(rewinds) { self.close() } else { 0 };
        self.rewinds = rewinds;
        let got_on = self.read(upto);
        (got_on, free + self.refund())
    }

    /// The member has all up to `upto`; `false` if that is no news.
    pub(super) fn read(&mut self, upto: u64) -> bool {
        if self.begun && upto <= self.read {
            return false;
        }
        let passed = if self.begun { upto - self.read } else { WINDOW };
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        self.sent = self.sent.checked_shr(passed).unwrap_or(0);
        self.current = self.current.and_then(|begun| {
            let ahead = u32::from(begun.ahead).checked_sub(passed)?;
            Some(Begun { ahead: ahead as u8, ..begun })
        });
        (self.read, self.begun) = (upto, true);
        true
    }

    /// The last entry that the member has, once it said so.
    pub(super) fn begins_behind(&self) -> Option<u64> {
        self.begun.then_some(self.read)
    }

    /// What is to be sent next of a log that keeps entries from `first` to `head`.
    pub(super) fn next(&mut self, first: u64, head: u64) -> Next {
        if !self.begun {
            return Next::Nothing;
        }
        if self.read + 1 < first {
            (self.gone, self.gone_from, self.reason) = (true, first - 1, TrimReason::NotKept);
            self.read(first - 1);
        }
        if self.gone {
            let (upto, first, reason) = (self.read, self.gone_from, self.reason);
            return Next::Trimmed { upto, first, reason };
        }
        let ahead = self.current.map_or(u64::from(self.sent.trailing_ones()), |c| c.ahead.into());
        let index = self.read + 1 + ahead;
        if ahead < WINDOW && index <= head { Next::Entry { index } } else { Next::Nothing }
    }

    /// How much was sent of the entry that [`Self::next`] gave, in units.
    pub(super) fn done(&self) -> u8 {
        self.current.map_or(0, |current| current.units)
    }

    /// Uses `credit` for an entry of `total` bytes, once; `false` if there is not enough.
    pub(super) fn spend(&mut self, index: u64, total: usize, credit: &mut Credit) -> bool {
        if index <= self.credit.last {
            return true;
        }
        let enough = credit.spend(total);
        if enough {
            self.credit.last = index;
            self.credit.behind += total as u32;
        }
        enough
    }

    /// Credit of what is on its way no longer, to be given back.
    pub(super) fn refund(&mut self) -> u32 {
        let (read, credit) = (self.read, &mut self.credit);
        let mut free = 0;
        // Entries count in two heaps, so that none must be remembered by itself.
        while credit.mark <= read && credit.before + credit.behind > 0 {
            free += credit.before;
            (credit.before, credit.behind) = (credit.behind, 0);
            credit.mark = credit.last;
        }
        free
    }

    /// Credit of all that is on its way, when nothing more of it is sent.
    pub(super) fn close(&mut self) -> u32 {
        let InFlight { before, behind, .. } = core::mem::take(self).credit;
        before + behind
    }

    /// The entry that [`Self::next`] gave was sent up to `units` of it, or, with none, to its end.
    pub(super) fn sent(&mut self, index: u64, units: Option<u8>) {
        let ahead = (index - self.read - 1) as u8;
        self.sent |= 1 << ahead;
        self.current = units.map(|units| Begun { ahead, units });
    }

    /// Pieces of an entry, told by the low bits of its index, were lost.
    pub(super) fn lost(&mut self, low: u8, run: Run) {
        let ahead = low.wrapping_sub(self.read as u8).wrapping_sub(1);
        if u64::from(ahead) >= WINDOW || self.sent & 1 << ahead == 0 {
            return;
        }
        let lost = Begun { ahead, units: run.first() };
        match &mut self.current {
            Some(current) if current.ahead == lost.ahead => {
                current.units = current.units.min(lost.units);
            }
            // One before it is being sent: this one is sent as a whole again.
            Some(current) if current.ahead < lost.ahead => self.sent &= !(1 << ahead),
            // There may be room for what is next only: that goes ahead of what was begun.
            Some(current) => {
                self.sent &= !(1 << current.ahead);
                *current = lost;
            }
            None => self.current = Some(lost),
        }
    }

    /// Passes over an entry that cannot be sent, as if it were gone; `false` while the
    /// member lacks some of those before it.
    pub(super) fn pass_over(&mut self, index: u64, reason: TrimReason) -> bool {
        let next = index == self.read + 1;
        if next {
            if !(self.gone && self.reason == reason) {
                self.gone_from = index;
            }
            (self.gone, self.reason) = (true, reason);
            self.read(index);
        }
        next
    }

    /// The member was told, or that got lost.
    pub(super) fn gone_told(&mut self, told: bool) {
        self.gone = !told;
    }
}

/// What a member is to be sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing now.
    Nothing,
    /// That entries are gone.
    Trimmed { upto: u64, first: u64, reason: TrimReason },
    /// Pieces of an entry.
    Entry { index: u64 },
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, iter::repeat_n, vec::Vec};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        link::Units,
        wire::{FRAGMENT_UNIT, MAX_BODY},
    };

    /// Three of the longest entries below.
    const WINDOW_BYTES: u32 = 15 * FRAGMENT_UNIT as u32;

    proptest! {
        /// Whatever is lost, however the log is cut at its beginning, and however often a member
        /// goes back, it gets
        /// every entry that is kept, and is told up to where the others are gone, on a credit
        /// that is all free in the end.
        #[test]
        fn a_cursor_reads_all_that_is_kept(
            head in 0..200u64,
            start in 0..50u64,
            steps in prop::collection::vec((0..5u8, any::<u64>(), 1..6u8), 0..2000),
        ) {
            let mut cursor = Cursor::default();
            prop_assert_eq!(cursor.next(1, head), Next::Nothing);
            let mut read = start.min(head);
            cursor.heard(read, 0);
            let mut rewinds = 0;
            let (mut first, mut have, mut flight) = (1, BTreeSet::new(), Vec::new());
            let mut credit = Credit::new(0, WINDOW_BYTES);
            // Entries of up to five units.
            let units = |index: u64| 1 + (index * 37 % 5) as u8;
            let rest = repeat_n([(0, 0, 5), (3, 0, 0)], 2000).flatten();
            for (step, pick, count) in steps.into_iter().chain(rest) {
                match step {
                    0 => match cursor.next(first, head) {
                        Next::Entry { index } if !cursor.spend(index, usize::from(units(index)) * FRAGMENT_UNIT, &mut credit) => {}
                        Next::Nothing => {}
                        Next::Trimmed { upto, .. } => {
                            prop_assert!(upto < first);
                            cursor.gone_told(true);
                            read = read.max(upto);
                        }
                        Next::Entry { index } => {
                            prop_assert!(index >= first && index <= head && index > read);
                            let done = cursor.done();
                            let upto = units(index).min(done + count);
                            cursor.sent(index, Some(upto).filter(|upto| *upto < units(index)));
                            flight.push((index, done, upto));
                        }
                    },
                    1 if !flight.is_empty() => {
                        let (index, from, upto) = flight.swap_remove(pick as usize % flight.len());
                        let length = usize::from(upto - from) * FRAGMENT_UNIT;
                        let run = Units::run(usize::from(from) * FRAGMENT_UNIT, length, MAX_BODY);
                        cursor.lost(index as u8, run.unwrap());
                    }
                    2 if pick % 16 == 0 => first = (first + pick % 9).min(head + 1),
                    3 => {
                        let arrived = flight.drain(..);
                        have.extend(arrived.flat_map(|(index, from, upto)| (from..upto).map(move |at| (index, at))));
                        while read < head && (0..units(read + 1)).all(|at| have.contains(&(read + 1, at))) {
                            read += 1;
                        }
                        credit.refund(cursor.heard(read, rewinds).1);
                    }
                    // The member finds that it has read another log, and what it said before
                    // comes late.
                    4 if pick % 32 == 0 => {
                        let late = read;
                        (read, rewinds) = (pick / 32 % (read + 1), rewinds + 1);
                        have.retain(|(index, _)| *index <= read);
                        credit.refund(cursor.heard(read, rewinds).1);
                        credit.refund(cursor.heard(late, rewinds - 1).1);
                    }
                    _ => {}
                }
                credit.refund(cursor.refund());
            }
            prop_assert_eq!(read, head);
            prop_assert!(credit.spend(WINDOW_BYTES as usize));
        }
    }
}
