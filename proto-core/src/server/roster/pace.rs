//! How often everyone is told of an account.

use crate::{
    id::Account,
    rate::{Meter, Rate},
    time::Instant,
};

/// An account's part that is about telling everyone of its changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    told: Meter,
    /// When everyone is told of what has changed, if that is delayed.
    pub(super) due: Option<Instant>,
    /// Who is told of after it.
    pub(super) next: Option<Account>,
}

impl Pace {
    /// Nothing was told yet.
    pub(crate) const NEW: Self = Self { told: Meter::FULL, due: None, next: None };

    /// Everyone may be told now: that is counted.
    pub(super) fn allows(&mut self, now: Instant, rate: Rate) -> bool {
        self.told.take(now, rate)
    }

    /// Everyone is told now of what was delayed.
    pub(super) fn end_delay(&mut self, now: Instant, rate: Rate) -> Option<Account> {
        self.due = None;
        self.told.charge(now, rate, 1);
        self.next.take()
    }
}
