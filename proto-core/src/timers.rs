//! An indexed heap of deadlines: one per slot of a table, set and cancelled in
//! O(log n), the earliest read in O(1).

use crate::time::Instant;

/// One place in the heap, and, independently, the heap position of one slot.
#[derive(Clone, Copy, Debug)]
pub struct TimerCell {
    at: Option<Instant>,
    slot: u32,
    /// One more than the position; 0 for none.
    position: u32,
}

impl TimerCell {
    /// Never used. All zeros, so that a static of them takes no room in a program's image.
    pub const EMPTY: Self = Self { at: None, slot: 0, position: 0 };
}

/// Deadlines for the slots `0..cells.len()` of some table.
#[derive(Debug)]
pub struct Timers<'a> {
    cells: &'a mut [TimerCell],
    length: &'a mut u32,
}

impl<'a> Timers<'a> {
    /// Over lent memory; `length` starts at 0 and must be the one that has gone
    /// with `cells` from the start.
    pub fn new(cells: &'a mut [TimerCell], length: &'a mut u32) -> Self {
        Self { cells, length }
    }

    /// The earliest deadline.
    pub fn deadline(&self) -> Option<Instant> {
        self.cells.first().filter(|_| *self.length > 0)?.at
    }

    /// Takes out the slot with the earliest deadline, if that is due at `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<u32> {
        if self.deadline()? > now {
            return None;
        }
        let slot = self.cells.first()?.slot;
        self.set(slot, None);
        Some(slot)
    }

    /// Sets, moves or cancels the deadline of `slot`.
    pub fn set(&mut self, slot: u32, at: Option<Instant>) {
        if slot as usize >= self.cells.len() {
            return;
        }
        match (at, self.position(slot)) {
            (None, None) => {}
            (None, Some(position)) => self.take(position),
            (Some(_), None) => {
                let last = *self.length;
                *self.length += 1;
                self.place(last, at, slot);
                self.rise(last);
            }
            (Some(_), Some(position)) => {
                self.place(position, at, slot);
                self.rise(position);
                if let Some(position) = self.position(slot) {
                    self.sink(position);
                }
            }
        }
    }

    fn take(&mut self, position: u32) {
        let Some(&TimerCell { slot, .. }) = self.cells.get(position as usize) else { return };
        *self.length -= 1;
        let last = self.cells.get(*self.length as usize).copied();
        if let Some(cell) = self.cells.get_mut(slot as usize) {
            cell.position = 0;
        }
        if let (true, Some(last)) = (position < *self.length, last) {
            self.place(position, last.at, last.slot);
            self.rise(position);
            if let Some(position) = self.position(last.slot) {
                self.sink(position);
            }
        }
    }

    fn rise(&mut self, mut position: u32) {
        while position > 0 {
            let parent = (position - 1) / 2;
            if self.at(parent) <= self.at(position) {
                return;
            }
            self.swap(parent, position);
            position = parent;
        }
    }

    fn sink(&mut self, mut position: u32) {
        loop {
            let left = 2 * position + 1;
            let mut least = position;
            for child in [left, left + 1] {
                if child < *self.length && self.at(child) < self.at(least) {
                    least = child;
                }
            }
            if least == position {
                return;
            }
            self.swap(least, position);
            position = least;
        }
    }

    fn position(&self, slot: u32) -> Option<u32> {
        self.cells.get(slot as usize)?.position.checked_sub(1)
    }

    fn at(&self, position: u32) -> Option<Instant> {
        self.cells.get(position as usize)?.at
    }

    fn place(&mut self, position: u32, at: Option<Instant>, slot: u32) {
        if let Some(cell) = self.cells.get_mut(position as usize) {
            (cell.at, cell.slot) = (at, slot);
        }
        if let Some(cell) = self.cells.get_mut(slot as usize) {
            cell.position = position + 1;
        }
    }

    fn swap(&mut self, a: u32, b: u32) {
        let get = |at: u32| self.cells.get(at as usize).copied().unwrap_or(TimerCell::EMPTY);
        let (first, second) = (get(a), get(b));
        self.place(a, second.at, second.slot);
        self.place(b, first.at, first.slot);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_earliest_comes_first(steps in prop::collection::vec((0..12u32, prop::option::of(0..50u64), 0..60u64), 0..300)) {
            let mut cells = [TimerCell::EMPTY; 12];
            let mut length = 0;
            let mut timers = Timers::new(&mut cells, &mut length);
            let mut model = BTreeMap::new();
            for (slot, at, now) in steps {
                let at = at.map(Instant::from_micros);
                timers.set(slot, at);
                match at {
                    Some(at) => model.insert(slot, at),
                    None => model.remove(&slot),
                };
                prop_assert_eq!(timers.deadline(), model.values().min().copied());
                if now % 3 == 0 {
                    let now = Instant::from_micros(now);
                    match timers.pop_due(now) {
                        None => prop_assert!(model.values().all(|at| *at > now)),
                        Some(slot) => {
                            let at = model.remove(&slot).unwrap();
                            prop_assert!(at <= now && model.values().all(|other| *other >= at));
                        }
                    }
                }
            }
        }
    }
}
