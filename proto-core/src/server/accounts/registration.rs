//! What becomes of an account while clients register and go.

use crate::{
    host::{Log, Request},
    id::{Account, Epoch, Incarnation, PublicKey},
    record::{Access, AccountRecord, AccountState},
    storage::{Body, Id, Pool},
    wire::{Presence, Register, RegisterRefusal},
};

use super::{
    super::{
        ctx::Ctx,
        event::{Event, Operation},
        role::ServerLink,
        sessions::{Registration, Seat},
        store::Asker,
    },
    directory::Accounts,
    row::Row,
};

/// A link's client is the holder of an account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seated {
    /// The link that was the account's before.
    pub(crate) older: Option<Id<ServerLink>>,
    /// The account is to be saved first.
    pub(crate) changed: bool,
    /// The store does not have it yet.
    pub(crate) fresh: bool,
}

/// What follows from the store's answer for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saved {
    /// It is durable; its holder is looked for mail. It has another key, if `renewed`.
    Durable { account: Account, returning: bool, renewed: bool },
    /// It is not, and as before; the roster is to tell so if `changed`.
    Not { account: Account, changed: bool },
    /// It is not, and never was there.
    Void { account: Account },
}

impl Accounts<'_> {
    /// Adds an account that the store does not have yet; `None` if there is no room.
    pub(crate) fn begin(
        &mut self,
        cx: &Ctx<'_>,
        key: PublicKey,
        register: &Register,
    ) -> Option<Account> {
        let record = AccountRecord {
            key,
            nick: register.nick,
            epoch: Epoch(0),
            run: Incarnation::NONE,
            since: 0,
            access: Access::Key,
            state: AccountState::Active,
            key_number: 0,
        };
        let account = self.table.next()?;
        self.table.put(Row::new(account, &record, false, cx.unix()))
    }

    /// Adds an account that the store has; `false` if it does not go with the others.
    pub(crate) fn restore(&mut self, account: Account, record: &AccountRecord) -> bool {
        let is_gone = record.state == AccountState::Removed;
        let is_taken =
            self.table.by_nick(&record.nick).is_some() || self.table.by_key(&record.key).is_some();
        let row = Row::new(account, record, true, crate::time::UnixTime(0));
        (is_gone || !is_taken) && self.table.put(row).is_some()
    }

    /// A link's client is the account's holder from now on. It may have another key than the
    /// holder before it, and, if `sets`, it has just set the password.
    pub(crate) fn take_seat(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ServerLink>,
        register: &Register,
        account: Account,
        sets: bool,
    ) -> Option<Result<Seated, RegisterRefusal>> {
        let key = cx.links.get(link)?.peer;
        let epoch = self.next_epoch(cx, Some(account), key, register);
        let row = self.table.get_mut(account)?;
        let Some(epoch) = epoch else { return Some(Err(RegisterRefusal::Exhausted)) };
        // This run of the client has its epoch from this server, in a run before.
        let knows_more = row.durable
            && row.key == key
            && register.server != Incarnation::NONE
            && register.epoch > Some(row.epoch);
        // Another link may be at it; its end must not undo this one's.
        let older = row.link.replace(link).filter(|older| *older != link);
        let fresh = !row.durable;
        let same = (row.key, row.epoch, row.run) == (key, epoch, register.run);
        (row.epoch, row.run) = (epoch, register.run);
        if knows_more {
            cx.events.notice_put_back();
        }
        Some(Ok(Seated { older, changed: !same || fresh || sets, fresh }))
    }

    /// The request to save the account that a link's client is about to hold; `since` is where its
    /// lobby begins.
    pub(crate) fn request_save(
        &self,
        cx: &mut Ctx<'_>,
        link: Id<ServerLink>,
        since: impl FnOnce(Account) -> u64,
    ) -> Option<Request> {
        let found = cx.links.get(link).filter(|link| link.role.seat.is_save_owed())?;
        let key = found.peer;
        let Registration::Saving { account, sets, .. } = found.role.seat.registration() else {
            debug_assert!(false, "an account is saved for who is about to hold it");
            return None;
        };
        let row = self.table.get(account)?;
        let ticket = cx.ticket(Asker::Account, link.slot());
        let header = AccountRecord {
            // It may be about to become the account's.
            key,
            access: if sets { Access::Password } else { row.access },
            key_number: row.key_number.saturating_add(u32::from(row.key != key)),
            ..row.record(since(account))
        };
        cx.session(link)?.seat.save_asked(ticket);
        cx.put(ticket, Log::Accounts, u64::from(account.0) + 1, &header)
    }

    /// The account's record is durable, or could not be made so.
    pub(crate) fn saved(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ServerLink>,
        saved: bool,
    ) -> Option<Saved> {
        let found = cx.links.get(link)?;
        let key = found.peer;
        let Registration::Saving { account, returning, fresh, sets } =
            found.role.seat.registration()
        else {
            return None;
        };
        if saved {
            let renewed = self.key_of(account).is_some_and(|of| of != key);
            if renewed {
                self.table.set_key(account, key);
            }
            if let Some(row) = self.table.get_mut(account) {
                row.durable = true;
                row.access = if sets { Access::Password } else { row.access };
            }
            return Some(Saved::Durable { account, returning, renewed });
        }
        cx.tell(Event::StoreFailed);
        let row = self.table.get_mut(account)?;
        row.link = None;
        if fresh && !row.ventured {
            return Some(Saved::Void { account });
        }
        // What could not be saved did not happen.
        row.run = Incarnation::NONE;
        let changed = row.presence == Presence::Online;
        if changed {
            row.presence = Presence::Offline;
        }
        Some(Saved::Not { account, changed })
    }

    /// The account's holder is online from now on.
    pub(crate) fn enter(&mut self, cx: &Ctx<'_>, account: Account) -> bool {
        let row = self.table.get_mut(account);
        let is_there = row.is_some();
        if let Some(row) = row {
            row.presence = Presence::Online;
            row.seen = cx.unix();
            row.told = true;
        }
        is_there
    }

    /// A link's client holds its account no longer. The account, and whether its presence has
    /// changed by that.
    pub(crate) fn leave(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ServerLink>,
        seat: &Seat,
    ) -> Option<(Account, Change)> {
        let account = seat.account()?;
        if seat.online().is_some() {
            // What it said of being away ends with the link, whoever holds the account by now.
            self.set_away(&mut cx.pool, account, Body::EMPTY);
        }
        let seen = cx.unix();
        let row = self.table.get_mut(account)?;
        if matches!(seat.registration(), Registration::Saving { .. }) {
            row.ventured = true;
        }
        if row.link != Some(link) {
            return None;
        }
        row.link = None;
        let change = match (row.presence, row.durable) {
            (Presence::Online, _) => {
                (row.presence, row.seen) = (Presence::Offline, seen);
                Change::Left
            }
            (_, true) if !core::mem::replace(&mut row.told, true) => Change::Named,
            (_, _) => return None,
        };
        Some((account, change))
    }

    /// A link fell silent for good.
    pub(crate) fn lose(&mut self, account: Account) -> Option<Event> {
        let row = self.table.get_mut(account)?;
        row.presence = Presence::Lost;
        Some(Event::Lost { account, nick: row.nick })
    }

    /// What an account's holder says of being away.
    pub(crate) fn set_away(&mut self, pool: &mut Pool<'_>, account: Account, text: Body) {
        if let Some(row) = self.table.get_mut(account) {
            pool.free(core::mem::replace(&mut row.away, text));
        }
    }

    /// What the operator has decided about an account.
    pub(crate) fn state(&self, account: Account) -> AccountState {
        self.table.get(account).map_or(AccountState::Active, |row| row.state)
    }

    pub(crate) fn set_sentence(&mut self, account: Account, state: AccountState) {
        if let Some(row) = self.table.get_mut(account) {
            row.state = state;
        }
    }

    /// An account's record as it will be after an operation.
    pub(crate) fn operated(
        &self,
        account: Account,
        operation: Operation,
        since: u64,
    ) -> Option<AccountRecord> {
        let record = self.table.get(account)?.record(since);
        Some(match operation {
            Operation::Reset => AccountRecord { access: Access::Reset, ..record },
            Operation::Ban => AccountRecord { state: AccountState::Banned, ..record },
            Operation::Unban => AccountRecord { state: AccountState::Active, ..record },
            Operation::Remove => AccountRecord { state: AccountState::Removed, ..record },
        })
    }

    /// What the store has of an account now is so. One that is removed keeps its places in rooms
    /// until [`Self::retire`].
    pub(crate) fn apply(&mut self, account: Account, operation: Operation) {
        let Some(row) = self.table.get_mut(account) else { return };
        match operation {
            Operation::Reset => row.access = Access::Reset,
            Operation::Ban => row.state = AccountState::Banned,
            Operation::Unban => row.state = AccountState::Active,
            Operation::Remove => (row.presence, row.told) = (Presence::Removed, true),
        }
    }
}

/// What the roster has to tell of an account whose holder has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// That it is offline.
    Left,
    /// That it has its nick: nobody was told so yet.
    Named,
}
