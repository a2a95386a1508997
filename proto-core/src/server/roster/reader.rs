//! A client's cursor in the roster.

/// A client's cursor in the roster: it has every change up to `base`, and a pass
/// through the accounts is under way that brings it to `upto`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reader {
    pub(super) base: u64,
    pub(super) upto: u64,
    /// The next account to look at, while the pass is not through.
    pub(super) at: Option<u32>,
    /// Which of the pages from `oldest` on are in flight, a bit each.
    pages: u32,
    oldest: u32,
    next: u32,
}

impl Reader {
    /// It has every change up to here.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// Begins a pass that will bring it to `upto`.
    pub(super) fn begin(&mut self, upto: u64) {
        self.upto = upto;
        self.at = Some(0);
    }

    /// Nothing of a pass is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.at.is_none() && self.pages == 0
    }

    /// The serial number of the next page; `None` while too many are in flight.
    pub(super) fn next_page(&self) -> Option<u32> {
        (self.next.wrapping_sub(self.oldest) < u32::BITS).then_some(self.next)
    }

    /// The next page went out, and the one after it will begin at account `next`.
    pub(super) fn sent(&mut self, next: Option<u32>) {
        self.pages |= self.bit(self.next);
        self.next = self.next.wrapping_add(1);
        self.at = next;
    }

    /// A page arrived or was lost, whichever is heard first. What was lost is
    /// gone through again, from its first account on.
    pub(crate) fn fate(&mut self, serial: u32, low: u32, lost: bool) {
        if self.pages & self.bit(serial) == 0 {
            return;
        }
        self.pages &= !self.bit(serial);
        if self.pages == 0 {
            self.oldest = self.next;
        } else {
            let done = self.pages.trailing_zeros();
            self.pages >>= done;
            self.oldest = self.oldest.wrapping_add(done);
        }
        if lost {
            self.at = Some(self.at.map_or(low, |at| at.min(low)));
        }
    }

    fn bit(&self, serial: u32) -> u32 {
        1u32.checked_shl(serial.wrapping_sub(self.oldest)).unwrap_or(0)
    }

    /// The pass is through, and all of it arrived: `base` is what `upto` was.
    pub(super) fn settle(&mut self) -> bool {
        let through = self.is_idle();
        if through {
            self.base = self.upto;
        }
        through
    }
}

/// The list of readers with nothing more to read.
#[derive(Debug)]
pub(crate) struct CaughtUp;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_caught_up_once_every_page_has_arrived() {
        let mut reader = Reader::default();
        reader.begin(9);
        reader.sent(Some(4));
        reader.sent(None);
        reader.fate(0, 0, false);
        assert!(!reader.settle() && reader.base() == 0);
        // The second page was lost: it is gone through again from its first account on.
        reader.fate(1, 4, true);
        assert!(!reader.settle() && reader.at == Some(4));
        reader.sent(None);
        reader.fate(1, 4, false);
        assert!(!reader.settle(), "that is old news");
        reader.fate(2, 4, false);
        assert!(reader.settle() && reader.base() == 9);
    }
}
