//! How often everyone is told of an account.

use crate::{
    rate::{Meter, Rate},
    time::Instant,
};

/// An account's part that is about telling everyone of its changes, and its place in the queue of
/// those that everyone is told of later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    told: Meter,
    /// Something has changed that everyone is told of later.
    waits: bool,
    /// When the turn of this place of the table is, if it is in the queue: then also if the account
    /// that waited was removed.
    pub(super) due: Option<Instant>,
    /// Whose turn comes after it: a place of the table.
    pub(super) next: Option<u32>,
}

impl Pace {
    /// Nothing was told yet.
    pub(crate) const NEW: Self = Self { told: Meter::FULL, waits: false, due: None, next: None };

    /// Of another account at the same place, of which nothing was told yet.
    pub(crate) fn succeeded(self) -> Self {
        Self { told: Meter::FULL, waits: false, ..self }
    }

    /// Everyone may be told of a change now: that is counted. If not, they are told later.
    pub(super) fn allows(&mut self, now: Instant, rate: Rate) -> bool {
        let allowed = !self.waits && self.told.take(now, rate);
        self.waits |= !allowed;
        allowed
    }

    /// It is the place's turn: who is next, and whether everyone is told of the account now.
    pub(super) fn end_delay(&mut self, now: Instant, rate: Rate) -> (Option<u32>, bool) {
        let waited = core::mem::take(&mut self.waits);
        if waited {
            self.told.charge(now, rate, 1);
        }
        self.due = None;
        (self.next.take(), waited)
    }
}
