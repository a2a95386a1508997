//! What the operator does to accounts: durable before it is told, whoever is online.

use crate::{
    host::{Ask, Log, Request, Ticket},
    id::{Account, Nick},
    record::{AccountState, PasswordRecord},
};

use super::{
    accounts::Accounts,
    ctx::Ctx,
    event::{Event, Operation},
    store::{Asker, Single},
};

/// What the operator wants done.
#[derive(Debug)]
pub(super) struct Operator {
    /// There is one operation at a time.
    operating: Option<Operating>,
}

/// An operation under way.
#[derive(Debug)]
struct Operating {
    operation: Operation,
    nick: Nick,
    account: Account,
    /// What was decided about the account before, in case the store fails.
    before: AccountState,
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

impl Operator {
    pub(super) const IDLE: Self = Self { operating: None };

    /// Something is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.operating.is_some()
    }

    /// Something is being done to the account that has a nick: who saved it now would undo that.
    pub(super) fn is_at(&self, nick: &Nick) -> bool {
        self.operating.as_ref().is_some_and(|one| one.nick == *nick)
    }

    /// Something is to be done to an account. Nobody comes back to one that is to be banned or
    /// removed while that is being saved.
    pub(super) fn begin(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        (account, nick): (Account, Nick),
        operation: Operation,
    ) {
        let before = accounts.state(account);
        if operation.expels() {
            accounts.set_sentence(account, AccountState::Banned);
        }
        let (step, ask) = (Step::Account, Ask::Owed);
        self.operating = Some(Operating { operation, nick, account, before, step, ask });
        cx.requests.ask_single(Single::Operator);
    }

    /// The next request to the host for an operation; `since` is where an account's lobby begins.
    pub(super) fn request(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &Accounts<'_>,
        since: impl FnOnce(Account) -> u64,
    ) -> Option<Request> {
        cx.requests.settle_single(Single::Operator);
        let one = self.operating.as_mut().filter(|one| one.ask == Ask::Owed)?;
        let (account, number) = (one.account, u64::from(one.account.0) + 1);
        let ticket = cx.ticket(Asker::Operator, 0);
        one.ask = Ask::Asked(ticket.serial);
        match one.step {
            Step::Mail => {
                Some(Request::Trim { ticket, log: Log::Mailbox(account), upto: u64::MAX })
            }
            Step::Account => {
                let header = accounts.operated(account, one.operation, since(account))?;
                cx.put(ticket, Log::Accounts, number, &header)
            }
            Step::Hash => {
                cx.put(ticket, Log::Passwords, number, &PasswordRecord { hash: &[], serial: 0 })
            }
        }
    }

    /// The store has done a step of an operation, or could not.
    pub(super) fn stored(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        ticket: Ticket,
        stored: bool,
    ) -> Option<Stored> {
        let one = self.operating.as_mut()?;
        if !one.ask.answer(ticket.serial) {
            return None;
        }
        let (account, operation) = (one.account, one.operation);
        let next = match (one.step, operation) {
            (Step::Account, Operation::Remove) => Some(Step::Mail),
            (Step::Account, Operation::Reset) | (Step::Mail, _) => Some(Step::Hash),
            (Step::Account, Operation::Ban | Operation::Unban) | (Step::Hash, _) => None,
        };
        let is_account = one.step == Step::Account;
        if let Some(step) = next.filter(|_| stored || !is_account) {
            (one.step, one.ask) = (step, Ask::Owed);
            cx.requests.ask_single(Single::Operator);
        }
        if !stored {
            // What is left behind of mail and hashes is read by nobody.
            cx.tell(Event::StoreFailed);
        }
        let is_over = next.is_none() || is_account && !stored;
        let done = stored || !is_account;
        let over = is_over.then_some(Event::Operated { nick: one.nick, operation, done });
        if is_account && stored {
            accounts.apply(account, operation);
        } else if is_account {
            accounts.set_sentence(account, one.before);
        }
        if is_over {
            self.operating = None;
        }
        let removed = (is_account && stored && operation == Operation::Remove).then_some(account);
        Some(Stored { removed, over })
    }
}

/// What follows from the store's answer for an operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    /// The account that is gone.
    pub(super) removed: Option<Account>,
    /// What is told after that, if the operation is over.
    pub(super) over: Option<Event>,
}

#[cfg(test)]
mod tests {
    use super::super::{config::Config, fixture::Fixture};
    use super::*;

    #[test]
    fn who_could_not_be_banned_is_not() {
        let mut at = Fixture::new(Config::default());
        let alice = at.account("alice");
        let nick = at.accounts.nick(alice).unwrap();
        let mut operator = Operator::IDLE;
        for stored in [false, true] {
            let Fixture { cx, accounts, .. } = &mut at;
            operator.begin(cx, accounts, (alice, nick), Operation::Ban);
            assert!(operator.is_at(&nick) && !accounts.takes_mail(alice), "nobody comes back now");
            let Some(Request::Put { ticket, log, .. }) = operator.request(cx, accounts, |_| 0)
            else {
                panic!("it is saved");
            };
            assert!(log == Log::Accounts && operator.request(cx, accounts, |_| 0).is_none());
            let over = operator.stored(cx, accounts, ticket, stored).and_then(|done| done.over);
            let operation = Operation::Ban;
            assert_eq!(over, Some(Event::Operated { nick, operation, done: stored }));
            assert_eq!(accounts.takes_mail(alice), !stored);
            assert!(!operator.is_busy());
        }
    }
}
