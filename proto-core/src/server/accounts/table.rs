//! The table of accounts, found by number, by nick and by key.

use crate::{
    id::{Account, Nick, PublicKey},
    record::AccountState,
    storage::{Bucket, Index},
    wire::Presence,
};

use super::{
    super::roster::Pace,
    row::{AccountSlot, Place, Row},
};

/// How much of the table is used.
#[derive(Debug, Default)]
pub(crate) struct TableHead {
    /// Places from here on were never used.
    used: u32,
    /// Accounts that are there.
    held: u32,
    /// Where a place that was used is looked for next.
    search: u32,
}

/// The table of accounts.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    rows: &'a mut [AccountSlot],
    /// By what nicks share that look alike.
    by_nick: Index<'a>,
    by_key: Index<'a>,
    head: &'a mut TableHead,
}

impl<'a> Table<'a> {
    pub(super) fn new(
        rows: &'a mut [AccountSlot],
        (by_nick, by_key): (&'a mut [Bucket], &'a mut [Bucket]),
        head: &'a mut TableHead,
        hash: [u8; 16],
    ) -> Self {
        Self { rows, by_nick: Index::new(by_nick, hash), by_key: Index::new(by_key, hash), head }
    }

    pub(super) fn get(&self, account: Account) -> Option<&Row> {
        self.row_at(account.place())
            .filter(|row| row.account == account && row.state != AccountState::Removed)
    }

    pub(super) fn get_mut(&mut self, account: Account) -> Option<&mut Row> {
        let row = self.rows.get_mut(account.place() as usize)?.row_mut()?;
        Some(row).filter(|row| row.account == account && row.state != AccountState::Removed)
    }

    /// What is at a place: an account, or, until the next one, the one that was removed last.
    pub(super) fn row_at(&self, place: u32) -> Option<&Row> {
        self.rows.get(place as usize)?.row()
    }

    /// The account at a place.
    pub(crate) fn at(&self, place: u32) -> Option<Account> {
        let row = self.row_at(place).filter(|row| row.state != AccountState::Removed)?;
        Some(row.account)
    }

    /// How often everyone is told of what is at a place.
    pub(super) fn pace_mut(&mut self, place: u32) -> Option<&mut Pace> {
        Some(&mut self.rows.get_mut(place as usize)?.row_mut()?.pace)
    }

    pub(crate) fn by_nick(&self, nick: &Nick) -> Option<Account> {
        let is_of = |at| self.row_at(at).is_some_and(|row| row.nick == *nick);
        self.by_nick.find(&nick.skeleton(), is_of).and_then(|at| self.at(at))
    }

    /// An account's nick looks like this one. An older store may have several that look alike.
    pub(super) fn has_lookalike(&self, nick: &Nick) -> bool {
        let skeleton = nick.skeleton();
        let is_like = |at| self.row_at(at).is_some_and(|row| row.nick.skeleton() == skeleton);
        self.by_nick.find(&skeleton, is_like).is_some()
    }

    pub(crate) fn by_key(&self, key: &PublicKey) -> Option<Account> {
        let is_of = |at| self.row_at(at).is_some_and(|row| row.key == *key);
        self.by_key.find(&key.0, is_of).and_then(|at| self.at(at))
    }

    /// How many accounts there can be.
    pub(super) fn capacity(&self) -> u32 {
        self.rows.len().min(Account::PLACES as usize) as u32
    }

    /// How many places were ever used: those below this one.
    pub(crate) fn used(&self) -> u32 {
        self.head.used
    }

    /// How many accounts there are.
    pub(crate) fn count(&self) -> u32 {
        self.head.held
    }

    /// The number of another account: of a place that was never used, or else that of the next one
    /// at a place whose account was removed, or that the store did not get. `None` if the table is
    /// full.
    pub(crate) fn next(&mut self) -> Option<Account> {
        let (capacity, used) = (self.capacity(), self.head.used);
        if used < capacity {
            return Some(Account(used));
        }
        // Looked for only where there is one: a full server stays quick to say so.
        if self.head.held >= capacity {
            return None;
        }
        let from = self.head.search;
        let place = (from..capacity).chain(0..from).find(|at| self.next_at(*at).is_some())?;
        self.head.search = place + 1;
        self.next_at(place)
    }

    /// The number of the next account at a place that is free.
    fn next_at(&self, place: u32) -> Option<Account> {
        match self.row_at(place) {
            None => Some(Account(place)),
            Some(row) if row.state == AccountState::Removed => row.account.next(),
            Some(_) => None,
        }
    }

    /// Adds an account under its number; `None` if its place is not free for that.
    pub(super) fn put(&mut self, mut row: Row) -> Option<Account> {
        let (account, place) = (row.account, row.account.place());
        let (nick, key) = (row.nick.skeleton(), row.key.0);
        let is_free = self
            .row_at(place)
            .is_none_or(|before| before.state == AccountState::Removed && before.account < account);
        let slot = self.rows.get_mut(place as usize).filter(|_| is_free)?;
        let is_gone = row.state == AccountState::Removed;
        if let Some(before) = slot.row() {
            row.pace = before.pace.succeeded();
        }
        slot.0 = Place::Taken(row);
        self.head.used = self.head.used.max(place + 1);
        if is_gone {
            return Some(account);
        }
        self.head.held += 1;
        let indexed = self.by_nick.insert(&nick, place) && self.by_key.insert(&key, place);
        debug_assert!(indexed, "the indexes have more buckets than the table has rows");
        Some(account)
    }

    /// Gives an account to another key.
    pub(super) fn set_key(&mut self, account: Account, key: PublicKey) {
        self.unindex_key(account);
        if let Some(row) = self.get_mut(account) {
            row.key = key;
            row.key_number = row.key_number.saturating_add(1);
            let indexed = self.by_key.insert(&key.0, account.place());
            debug_assert!(indexed, "the index has more buckets than the table has rows");
        }
    }

    /// An account is gone for good: its nick, its key and its place are free, its number is not.
    pub(crate) fn retire(&mut self, account: Account) {
        self.unindex_key(account);
        self.unindex_nick(account);
        if let Some(row) = self.get_mut(account) {
            row.state = AccountState::Removed;
            // That it is gone is told at once, and not once more when its holder may be back.
            row.pace = row.pace.succeeded();
            self.head.held -= 1;
        }
    }

    /// Takes out an account that the store did not get: its number is given again.
    pub(crate) fn remove(&mut self, account: Account) {
        if self.get(account).is_none() {
            return;
        }
        self.retire(account);
        let Some(slot) = self.rows.get_mut(account.place() as usize) else { return };
        match (account.before(), &mut slot.0) {
            // Its place is again that of the one before it.
            (Some(before), Place::Taken(row)) => {
                (row.account, row.presence, row.told) = (before, Presence::Removed, true);
            }
            _ => slot.0 = Place::Empty,
        }
        while self.head.used > 0 && self.row_at(self.head.used - 1).is_none() {
            self.head.used -= 1;
        }
    }

    fn unindex_key(&mut self, account: Account) {
        let Some(key) = self.get(account).map(|row| row.key) else { return };
        let rows = &*self.rows;
        let row_at = |at: u32| rows.get(at as usize).and_then(AccountSlot::row);
        self.by_key.remove(&key.0, account.place(), |at| Some(row_at(at)?.key.0));
    }

    fn unindex_nick(&mut self, account: Account) {
        let Some(nick) = self.get(account).map(|row| row.nick.skeleton()) else { return };
        let rows = &*self.rows;
        let row_at = |at: u32| rows.get(at as usize).and_then(AccountSlot::row);
        self.by_nick.remove(&nick, account.place(), |at| Some(row_at(at)?.nick.skeleton()));
    }
}

#[cfg(test)]
mod tests {
    use std::{format, vec::Vec};

    use super::super::super::{config::Config, fixture::Fixture};
    use super::*;

    #[test]
    fn a_number_is_given_again_only_if_the_store_never_had_it() {
        let mut at = Fixture::new(Config::default());
        let (alice, bob) = (at.account("alice"), at.account("bob"));
        let row = |at: &Fixture| at.accounts.table.get(bob).unwrap().key;
        let key = row(&at);
        at.accounts.table.remove(bob);
        assert_eq!((at.account("carol"), at.accounts.table.by_key(&key)), (bob, Some(bob)));
        at.accounts.table.retire(alice);
        let nick = Nick::new("alice").unwrap();
        assert_eq!(at.accounts.table.by_nick(&nick), None, "the nick is free");
        assert_eq!(at.account("dave"), Account(2));
        assert_eq!(at.account("ALICE"), Account(3));
    }

    #[test]
    fn nicks_that_look_alike_in_the_store_are_both_found() {
        let mut at = Fixture::new(Config::default());
        let nick = |text| Nick::new(text).unwrap();
        let (first, second) = (at.account("paul"), at.account("PAU1"));
        let table = &mut at.accounts.table;
        assert_eq!(table.by_nick(&nick("Paul")), Some(first));
        assert_eq!(
            (table.by_nick(&nick("pau1")), table.by_nick(&nick("paui"))),
            (Some(second), None)
        );
        table.retire(first);
        assert_eq!(
            (table.by_nick(&nick("paul")), table.by_nick(&nick("pau1"))),
            (None, Some(second))
        );
        assert!(table.has_lookalike(&nick("paul")));
        table.retire(second);
        assert!(!table.has_lookalike(&nick("paul")));
    }

    #[test]
    fn a_place_is_used_again_under_another_number() {
        let mut at = Fixture::new(Config::default());
        let capacity = at.accounts.table.capacity();
        let all: Vec<_> = (0..capacity).map(|n| at.account(&format!("a{n}"))).collect();
        assert_eq!(at.accounts.table.next(), None, "it is full");
        for gone in [all[1], all[2]] {
            at.accounts.table.retire(gone);
        }
        let first = Account(1 + Account::PLACES);
        let newcomer = at.account("newcomer");
        assert_eq!(newcomer, first);
        assert!(!at.accounts.is_there(all[1]) && at.accounts.is_there(newcomer));
        assert_eq!(at.account("another"), Account(2 + Account::PLACES));
        assert_eq!(at.accounts.table.next(), None, "it is full again");
        // What the store did not get was not there: the number is the next one still.
        at.accounts.table.remove(newcomer);
        assert!(!at.accounts.is_there(newcomer) && !at.accounts.is_there(all[1]));
        assert_eq!(at.accounts.table.next(), Some(first));
        assert_eq!(at.account("newcomer"), first);
        at.accounts.table.retire(newcomer);
        assert_eq!(at.accounts.table.next(), Some(Account(1 + 2 * Account::PLACES)));
    }
}
