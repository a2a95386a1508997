//! The table of accounts, found by number, by nick and by key.

use crate::{
    id::{Account, Nick, PublicKey},
    record::AccountState,
    storage::{Bucket, Index},
};

use super::row::{AccountSlot, Place, Row};

/// How many account numbers were given out, and how many of them are held.
#[derive(Debug, Default)]
pub(crate) struct TableHead {
    next: u32,
    held: u32,
}

/// The table of accounts.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    rows: &'a mut [AccountSlot],
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
        self.known(account).filter(|row| row.state != AccountState::Removed)
    }

    pub(super) fn get_mut(&mut self, account: Account) -> Option<&mut Row> {
        self.known_mut(account).filter(|row| row.state != AccountState::Removed)
    }

    /// An account, also one that was removed: the roster tells that it is gone.
    pub(super) fn known(&self, account: Account) -> Option<&Row> {
        self.rows.get(account.0 as usize)?.row()
    }

    /// See [`Self::known`].
    pub(super) fn known_mut(&mut self, account: Account) -> Option<&mut Row> {
        match &mut self.rows.get_mut(account.0 as usize)?.0 {
            Place::Taken(row) => Some(row),
            Place::Empty => None,
        }
    }

    pub(crate) fn by_nick(&self, nick: &Nick) -> Option<Account> {
        self.by_nick
            .find(&nick.folded(), |at| self.get(Account(at)).is_some_and(|row| row.nick == *nick))
            .map(Account)
    }

    pub(crate) fn by_key(&self, key: &PublicKey) -> Option<Account> {
        self.by_key
            .find(&key.0, |at| self.get(Account(at)).is_some_and(|row| row.key == *key))
            .map(Account)
    }

    /// How many accounts there can be.
    pub(super) fn capacity(&self) -> usize {
        self.rows.len()
    }

    /// Numbers given out so far.
    pub(crate) fn count(&self) -> u32 {
        self.head.next
    }

    /// Adds an account under the next number, or, after the last, under one that the store
    /// did not get; `None` if the table is full.
    pub(super) fn add(&mut self, row: Row) -> Option<Account> {
        let places = self.rows.len() as u32;
        let free = |at: &u32| self.get(Account(*at)).is_none();
        let number = match self.head.next {
            next if next < places => next,
            // Looked for only where there is one: a full server stays quick to say so.
            _ if self.head.held < places => (0..places).find(free)?,
            _ => return None,
        };
        self.put(Account(number), row)
    }

    /// Adds an account under a number from the store.
    pub(super) fn put(&mut self, account: Account, row: Row) -> Option<Account> {
        let slot = self.rows.get_mut(account.0 as usize).filter(|slot| slot.row().is_none())?;
        let (nick, key) = (row.nick.folded(), row.key.0);
        let is_gone = row.state == AccountState::Removed;
        slot.0 = Place::Taken(row);
        self.head.next = self.head.next.max(account.0 + 1);
        self.head.held += 1;
        if is_gone {
            return Some(account);
        }
        let indexed = self.by_nick.insert(&nick, account.0) && self.by_key.insert(&key, account.0);
        debug_assert!(indexed, "the indexes have more buckets than the table has rows");
        Some(account)
    }

    /// Gives an account to another key.
    pub(super) fn set_key(&mut self, account: Account, key: PublicKey) {
        self.unindex_key(account);
        if let Some(row) = self.get_mut(account) {
            row.key = key;
            row.key_number = row.key_number.saturating_add(1);
            let indexed = self.by_key.insert(&key.0, account.0);
            debug_assert!(indexed, "the index has more buckets than the table has rows");
        }
    }

    /// An account is gone for good: its nick and its key are free, its number is not.
    pub(crate) fn retire(&mut self, account: Account) {
        self.unindex_key(account);
        self.unindex_nick(account);
        if let Some(row) = self.get_mut(account) {
            row.state = AccountState::Removed;
        }
    }

    /// Takes out an account that the store did not get.
    pub(crate) fn remove(&mut self, account: Account) {
        self.unindex_key(account);
        self.unindex_nick(account);
        let Some(slot) = self.rows.get_mut(account.0 as usize) else { return };
        let Place::Taken(_) = core::mem::replace(&mut slot.0, Place::Empty) else { return };
        self.head.held -= 1;
        // While the store fails, numbers are not used up.
        while self.head.next > 0 && self.known(Account(self.head.next - 1)).is_none() {
            self.head.next -= 1;
        }
    }

    fn unindex_key(&mut self, account: Account) {
        let Some(key) = self.get(account).map(|row| row.key) else { return };
        let rows = &*self.rows;
        let row_at = |at: u32| rows.get(at as usize).and_then(AccountSlot::row);
        self.by_key.remove(&key.0, account.0, |at| Some(row_at(at)?.key.0));
    }

    fn unindex_nick(&mut self, account: Account) {
        let Some(nick) = self.get(account).map(|row| row.nick.folded()) else { return };
        let rows = &*self.rows;
        let row_at = |at: u32| rows.get(at as usize).and_then(AccountSlot::row);
        self.by_nick.remove(&nick, account.0, |at| Some(row_at(at)?.nick.folded()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{config::Config, fixture::Fixture};
    use super::*;

    #[test]
    fn a_number_is_used_again_only_if_the_store_never_had_it() {
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
}
