//! Whether a key gets a nick, and in which epoch.

use crate::{
    id::{Account, Epoch, Incarnation, PublicKey},
    record::{Access, AccountState},
    wire::{PasswordWant, Register, RegisterRefusal},
};

use super::{
    super::{config::Logins, ctx::Ctx},
    directory::Accounts,
    row::Row,
};

/// Whether a key gets a nick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It holds the nick.
    Holder(Account),
    /// Nobody does.
    New,
    /// It does with a password; the account is the one that has the nick, if one has.
    Password { why: PasswordWant, account: Option<Account> },
    /// It does not.
    Refused(RegisterRefusal),
}

impl Accounts<'_> {
    /// Whether a key gets the nick that it asks for.
    pub(crate) fn admission(&self, cx: &Ctx<'_>, key: PublicKey, register: &Register) -> Admission {
        let admission = self.seat_for(cx, key, register);
        let account = match admission {
            Admission::Holder(account) => Some(account),
            Admission::New => None,
            Admission::Password { account, .. } => account,
            Admission::Refused(_) => return admission,
        };
        let epoch = self.next_epoch(cx, account, key, register);
        epoch.map_or(Admission::Refused(RegisterRefusal::Exhausted), |_| admission)
    }

    fn seat_for(&self, cx: &Ctx<'_>, key: PublicKey, register: &Register) -> Admission {
        let by_password = cx.config.logins == Logins::Password;
        if let Some((account, row)) = self.table.by_key(&key).and_then(|a| self.row(a)) {
            return match (row.state, row.access) {
                (AccountState::Active, _) if row.nick != register.nick => {
                    Admission::Refused(RegisterRefusal::OtherNick)
                }
                (AccountState::Active, Access::Key | Access::Reset) if by_password => {
                    Admission::Password { why: PasswordWant::New, account: Some(account) }
                }
                (AccountState::Active, _) => Admission::Holder(account),
                _ => Admission::Refused(RegisterRefusal::Banned),
            };
        }
        let Some((account, row)) = self.table.by_nick(&register.nick).and_then(|a| self.row(a))
        else {
            if self.table.has_lookalike(&register.nick) {
                return Admission::Refused(RegisterRefusal::Lookalike);
            }
            let why = PasswordWant::New;
            return if by_password {
                Admission::Password { why, account: None }
            } else {
                Admission::New
            };
        };
        if row.state != AccountState::Active {
            return Admission::Refused(RegisterRefusal::Banned);
        }
        match asks_for(row.access).filter(|_| by_password && row.durable) {
            Some(why) => Admission::Password { why, account: Some(account) },
            None => Admission::Refused(RegisterRefusal::Taken),
        }
    }

    /// The epoch that a client's run numbers its messages in: its own for ever. Who comes with
    /// another run may have begun from any state that its key ever had, so it gets an epoch that
    /// nobody was ever given: above what the account and the client know of, and, in case both were
    /// put back, above any of an earlier time. `None` if there is none.
    pub(super) fn next_epoch(
        &self,
        cx: &Ctx<'_>,
        account: Option<Account>,
        key: PublicKey,
        register: &Register,
    ) -> Option<Epoch> {
        let claimed = register.epoch.unwrap_or_default();
        let row = account.and_then(|account| self.table.get(account));
        let given = row.map_or(Epoch(0), |row| row.epoch);
        let same_run = row.is_some_and(|row| {
            (row.key, row.run) == (key, register.run) && row.run != Incarnation::NONE
        });
        // It may not have heard of what it was given, but must not know of anything later.
        if same_run && claimed <= given {
            return Some(given);
        }
        let after = given.max(claimed).0.checked_add(1)?;
        Some(Epoch(after.max(cx.seconds())))
    }

    fn row(&self, account: Account) -> Option<(Account, &Row)> {
        Some((account, self.table.get(account)?))
    }
}

/// What a password is wanted for, of someone with another key; `None` if none helps.
fn asks_for(access: Access) -> Option<PasswordWant> {
    match access {
        Access::Key => None,
        Access::Reset => Some(PasswordWant::New),
        Access::Password => Some(PasswordWant::Known),
    }
}
