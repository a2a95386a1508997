//! Where the record of a conversation stands.

use crate::host::Ask;

/// The record of a conversation in the host's store.
#[derive(Debug, Default)]
pub(super) struct Saved {
    /// Its number; none before the first message.
    number: Option<u64>,
    /// The store has one.
    recorded: bool,
    ask: Ask,
    /// The store failed to take what it says now.
    failed: bool,
}

impl Saved {
    /// The store has it, under this number.
    pub(super) fn restore(number: u64) -> Self {
        Self { number: Some(number), recorded: true, ..Self::default() }
    }

    /// Its number; none before the first message.
    pub(super) fn number(&self) -> Option<u64> {
        self.number
    }

    /// It gets a number.
    pub(super) fn begin(&mut self, number: u64) {
        debug_assert!(self.number.is_none(), "a conversation begins once");
        self.number = Some(number);
    }

    /// It is to be put again; `false` if there is none.
    pub(super) fn owe(&mut self) -> bool {
        if self.number.is_some() {
            self.ask = Ask::Owed;
        }
        self.number.is_some()
    }

    /// It is to be put.
    pub(super) fn is_owed(&self) -> bool {
        self.ask == Ask::Owed
    }

    /// The store is asked to put it.
    pub(super) fn asked(&mut self, serial: u32) {
        self.ask = Ask::Asked(serial);
    }

    /// The store's answer; `false` if none was waited for.
    pub(super) fn answer(&mut self, serial: u32, stored: bool) -> bool {
        if !self.ask.answer(serial) {
            return false;
        }
        self.recorded |= stored;
        if self.recorded {
            self.failed = !stored;
        } else {
            // Its messages failed with it, and the next one asks again.
            self.number = None;
        }
        true
    }

    /// The store does not have what it says now, and it is to be put again later.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// It failed, and is put again now.
    pub(super) fn take_failed(&mut self) -> bool {
        core::mem::take(&mut self.failed)
    }

    /// The store has what it says now.
    pub(super) fn is_durable(&self) -> bool {
        self.ask == Ask::Idle && !self.failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_never_was_stored_begins_anew_and_another_is_put_again() {
        let mut saved = Saved::default();
        assert!(!saved.owe());
        saved.begin(7);
        assert!(saved.owe() && saved.is_owed());
        saved.asked(1);
        assert!(!saved.answer(2, true) && saved.answer(1, false));
        assert_eq!((saved.number(), saved.has_failed()), (None, false));
        saved.begin(8);
        saved.owe();
        saved.asked(3);
        assert!(saved.answer(3, true) && saved.is_durable());
        saved.owe();
        assert!(!saved.is_durable());
        saved.asked(4);
        assert!(saved.answer(4, false) && !saved.is_durable());
        assert_eq!(saved.number(), Some(8));
        assert!(saved.take_failed() && saved.is_durable());
    }
}
