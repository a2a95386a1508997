//! What a client asked for about its own account.

use crate::wire::{AccountRefusal, AccountResponse};

/// A session's part that is about what its client asks for about its account.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    response: Option<AccountResponse>,
    owed: bool,
    /// The packet that brought the last request. What an earlier one says is no longer so.
    last: u64,
}

impl Asked {
    /// What stays with the link when its client is someone no longer.
    pub(crate) fn keep_order(&self) -> Self {
        Self { last: self.last, ..Self::default() }
    }

    /// The answer was lost.
    pub(crate) fn response_lost(&mut self) {
        self.owed = true;
    }

    /// A request came in the packet `packet`; `false` if a later one came before, or it was
    /// answered, and is again.
    pub(crate) fn is_news(&mut self, packet: u64, serial: u64) -> bool {
        if packet < self.last {
            return false;
        }
        self.last = packet;
        let is_last = |response: &AccountResponse| {
            // What was not looked at may be now.
            let is_over = !matches!(response.result, Err(AccountRefusal::Busy { .. }));
            response.serial == serial && is_over
        };
        let is_answered = self.response.as_ref().is_some_and(is_last);
        self.owed |= is_answered;
        !is_answered
    }

    /// This is what came of the last request.
    pub(super) fn respond(&mut self, response: AccountResponse) {
        (self.response, self.owed) = (Some(response), true);
    }

    /// The answer that is to be sent.
    pub(super) fn owed(&self) -> Option<AccountResponse> {
        self.response.filter(|_| self.owed)
    }

    pub(super) fn answered(&mut self) {
        self.owed = false;
    }
}
