//! Who a client is.

use crate::{
    host::{Ask, Ticket},
    id::Account,
    wire::{PasswordWanted, RegisterRefusal},
};

/// A session's part that is about who its client is.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    registration: Registration,
    /// The answer to its last request is to be sent.
    owed: bool,
    /// Its account is to be saved.
    save: Ask,
    /// The packet that brought the last word of being away. What an earlier one says is no longer
    /// so.
    away: u64,
}

/// How far a client is with being someone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Registration {
    /// It has not asked.
    #[default]
    None,
    /// Its account is being saved, which is `fresh` if the store does not have it yet, and
    /// with it that the client set the password.
    Saving { account: Account, returning: bool, fresh: bool, sets: bool },
    /// Its mailbox is being looked into.
    Looking { account: Account, returning: bool },
    /// It is online. `mailbox` is the last entry that waited for it, or 0.
    Online { account: Account, returning: bool, mailbox: u64 },
    /// It was refused.
    Refused(RegisterRefusal),
    /// It is to give a password.
    Wanted(PasswordWanted),
    /// It went offline.
    Left,
}

impl Seat {
    pub(crate) fn registration(&self) -> Registration {
        self.registration
    }

    /// The account it is or is about to be.
    pub(crate) fn account(&self) -> Option<Account> {
        match self.registration {
            Registration::Saving { account, .. }
            | Registration::Looking { account, .. }
            | Registration::Online { account, .. } => Some(account),
            Registration::None
            | Registration::Refused(_)
            | Registration::Wanted(_)
            | Registration::Left => None,
        }
    }

    /// The account it is.
    pub(crate) fn online(&self) -> Option<Account> {
        match self.registration {
            Registration::Online { account, .. } => Some(account),
            _ => None,
        }
    }

    /// What stays with the link when its client is someone no longer.
    pub(crate) fn keep_order(&self) -> Self {
        Self { away: self.away, ..Self::default() }
    }

    /// The answer was lost, or is asked for again.
    pub(crate) fn answer_again(&mut self) {
        self.owed = true;
    }

    /// Its account is to be saved.
    pub(crate) fn is_save_owed(&self) -> bool {
        self.save == Ask::Owed
    }

    /// The store was asked to save its account.
    pub(crate) fn save_asked(&mut self, ticket: Ticket) {
        self.save = Ask::Asked(ticket.serial);
    }

    /// Takes the store's answer; `false` if it does not wait for this one.
    pub(crate) fn save_answered(&mut self, ticket: Ticket) -> bool {
        self.save.answer(ticket.serial)
    }

    pub(super) fn set(&mut self, registration: Registration) {
        self.registration = registration;
    }

    pub(super) fn owe_save(&mut self) {
        self.save = Ask::Owed;
    }

    /// The answer that is to be sent.
    pub(super) fn owed(&self) -> Option<Registration> {
        self.owed.then_some(self.registration)
    }

    pub(super) fn answered(&mut self) {
        self.owed = false;
    }

    /// Word of being away came in the packet `packet`; `false` if a later one came before.
    pub(super) fn is_news_of_away(&mut self, packet: u64) -> bool {
        let is_news = packet >= self.away;
        self.away = self.away.max(packet);
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_went_offline_is_nobody_but_late_word_of_being_away_stays_late() {
        let mut seat = Seat::default();
        seat.set(Registration::Online { account: Account(3), returning: false, mailbox: 0 });
        assert!(seat.is_news_of_away(7) && seat.online() == Some(Account(3)));
        let mut seat = seat.keep_order();
        assert_eq!((seat.account(), seat.owed()), (None, None));
        assert!(!seat.is_news_of_away(6) && seat.is_news_of_away(7));
    }
}
