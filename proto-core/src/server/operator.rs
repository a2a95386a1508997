//! What the operator does to accounts: durable before it is told, whoever is online.

use crate::{
    host::{Ask, Log, Request, Ticket},
    id::{Account, Nick},
    record::{self, Access, AccountRecord, PasswordRecord, Sentence},
    storage::Body,
    wire::{CloseReason, Presence},
};

use super::{Event, OperateError, Operation, engine::Engine, host::asker, member::Registration};

/// An operation under way: there is one at a time.
#[derive(Debug)]
pub(super) struct Operating {
    operation: Operation,
    nick: Nick,
    account: Account,
    /// What was decided about the account before, in case the store fails.
    before: Sentence,
    step: Step,
    ask: Ask,
}

/// What is asked of the store for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// To save the account as it will be.
    Account,
    /// To forget its mail.
    Mail,
    /// To forget its password's hash.
    Hash,
}

impl Operating {
    pub(super) fn is_owed(&self) -> bool {
        self.ask == Ask::Owed
    }
}

impl Engine<'_> {
    /// The operator wants something done to the account that has a nick.
    pub(super) fn operate(
        &mut self,
        nick: &Nick,
        operation: Operation,
    ) -> Result<(), OperateError> {
        if !self.state.reading.is_done() {
            return Err(OperateError::Starting);
        }
        if self.state.operating.is_some() {
            return Err(OperateError::Busy);
        }
        let account = self.accounts.by_nick(nick).ok_or(OperateError::Unknown)?;
        let row = self.accounts.get(account).ok_or(OperateError::Unknown)?;
        let (nick, before, link) = (row.nick, row.sentence, row.link);
        let registration = link.and_then(|link| self.links.get(link)).map(|l| l.role.registration);
        if matches!(registration, Some(Registration::Saving { .. })) {
            return Err(OperateError::Busy);
        }
        self.give_up_passwords(&nick);
        if matches!(operation, Operation::Ban | Operation::Remove) {
            if let Some(row) = self.accounts.get_mut(account) {
                // Nobody comes back while it is being saved.
                row.sentence = Sentence::Banned;
            }
            if let Some(link) = link {
                self.leave(link);
                self.links.close(link, CloseReason::Expelled, self.state.now);
            }
        }
        self.state.operating = Some(Operating {
            operation,
            nick,
            account,
            before,
            step: Step::Account,
            ask: Ask::Owed,
        });
        Ok(())
    }

    /// Something is being done to the account that has a nick: who saved it now would undo that.
    pub(super) fn is_operated(&self, nick: &Nick) -> bool {
        self.state.operating.as_ref().is_some_and(|one| one.nick == *nick)
    }

    /// The next request to the host for an operation.
    pub(super) fn next_operator_request(&mut self) -> Option<Request> {
        let one = self.state.operating.as_ref().filter(|one| one.is_owed())?;
        let (account, operation, step) = (one.account, one.operation, one.step);
        let number = u64::from(account.0) + 1;
        let ticket = self.ticket(asker::OPERATOR, 0);
        if let Some(one) = &mut self.state.operating {
            one.ask = Ask::Asked(ticket.serial);
        }
        let length = match step {
            Step::Mail => {
                return Some(Request::Trim { ticket, log: Log::Mailbox(account), upto: u64::MAX });
            }
            Step::Account => {
                let header = self.operated(account, operation)?;
                record::encode(self.work, &header, &self.pool, &Body::EMPTY, 0)?
            }
            Step::Hash => {
                let header = PasswordRecord { hash: &[] };
                record::encode(self.work, &header, &self.pool, &Body::EMPTY, 0)?
            }
        };
        let log = if step == Step::Account { Log::Accounts } else { Log::Passwords };
        Some(Request::Put { ticket, log, number, length })
    }

    /// The store has done a step of an operation, or could not.
    pub(super) fn operation_stored(&mut self, ticket: Ticket, stored: bool) {
        let Some(one) = &mut self.state.operating else { return };
        if !one.ask.answer(ticket.serial) {
            return;
        }
        let (account, operation, before) = (one.account, one.operation, one.before);
        let next = match (one.step, operation) {
            (Step::Account, Operation::Remove) => Some(Step::Mail),
            (Step::Account, Operation::Reset) | (Step::Mail, _) => Some(Step::Hash),
            (Step::Account, Operation::Ban | Operation::Unban) | (Step::Hash, _) => None,
        };
        let is_account = one.step == Step::Account;
        if let Some(step) = next.filter(|_| stored || !is_account) {
            (one.step, one.ask) = (step, Ask::Owed);
        }
        if !stored {
            // What is left behind of mail and hashes is read by nobody.
            self.tell(Event::StoreFailed);
        }
        if is_account && stored {
            self.apply(account, operation);
        } else if is_account && let Some(row) = self.accounts.get_mut(account) {
            row.sentence = before;
        }
        if (next.is_none() || is_account && !stored)
            && let Some(Operating { nick, operation, .. }) = self.state.operating.take()
        {
            let done = stored || !is_account;
            self.tell(Event::Operated { nick, operation, done });
        }
    }

    /// An account's record as it will be.
    fn operated(&self, account: Account, operation: Operation) -> Option<AccountRecord> {
        let row = self.accounts.get(account)?;
        let record = row.record(self.lobby_since(account));
        Some(match operation {
            Operation::Reset => AccountRecord { access: Access::Reset, ..record },
            Operation::Ban => AccountRecord { sentence: Sentence::Banned, ..record },
            Operation::Unban => AccountRecord { sentence: Sentence::None, ..record },
            Operation::Remove => AccountRecord { sentence: Sentence::Removed, ..record },
        })
    }

    /// What the store has of an account now is so.
    fn apply(&mut self, account: Account, operation: Operation) {
        let Some(row) = self.accounts.get_mut(account) else { return };
        match operation {
            Operation::Reset => row.access = Access::Reset,
            Operation::Ban => row.sentence = Sentence::Banned,
            Operation::Unban => row.sentence = Sentence::None,
            Operation::Remove => {
                row.presence = Presence::Gone;
                while let Some(place) = self.accounts.get(account).and_then(|row| row.rooms.front())
                {
                    self.end_membership(place);
                }
                self.accounts.retire(account);
                self.renew_entries(account);
                self.change(account);
            }
        }
    }
}
