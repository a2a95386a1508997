//! The accounts, as the others see them.

use core::net::SocketAddr;

use crate::{
    id::{Account, Epoch, Nick, PublicKey, Recipient},
    record::{Access, AccountState},
    storage::{Bucket, Id, Pool},
    wire::{MAX_AWAY, Presence, RosterEntry},
};

use super::{
    super::{
        passwords::Guard, role::ServerLink, rooms::Places, roster::Pace, submit::Said,
        view::AccountView,
    },
    row::AccountSlot,
    table::{Table, TableHead},
};

/// The accounts.
#[derive(Debug)]
pub(crate) struct Accounts<'a> {
    pub(crate) table: Table<'a>,
}

impl<'a> Accounts<'a> {
    pub(crate) fn new(
        rows: &'a mut [AccountSlot],
        indexes: (&'a mut [Bucket], &'a mut [Bucket]),
        head: &'a mut TableHead,
        hash: [u8; 16],
    ) -> Self {
        Self { table: Table::new(rows, indexes, head, hash) }
    }

    /// Every account that the store has, for people to look at, and its link.
    pub(crate) fn views(&self) -> impl Iterator<Item = (AccountView, Option<Id<ServerLink>>)> {
        let all = (0..self.table.used()).filter_map(|place| self.table.at(place));
        all.filter_map(|account| {
            let row = self.table.get(account).filter(|row| row.durable)?;
            let view = AccountView {
                account,
                nick: row.nick,
                key: row.key,
                presence: row.presence,
                address: None,
                seen: row.seen,
                access: row.access,
                banned: row.state == AccountState::Banned,
            };
            Some((view, row.link))
        })
    }

    /// How many there are, and how many there can be.
    pub(crate) fn usage(&self) -> (usize, usize) {
        (self.table.count() as usize, self.table.capacity() as usize)
    }

    /// How many new ones a source prefix can have at once, of the `most` that it can have: of the
    /// last quarter a sixteenth at most. `None` while more than that quarter is left.
    pub(crate) fn share(&self, most: u32) -> Option<u32> {
        let (given, capacity) = self.usage();
        let is_scarce = given * 4 >= capacity * 3;
        is_scarce.then_some(most.min(capacity as u32 / 64).max(1))
    }

    /// The link that an account is registered or registering through.
    pub(crate) fn link(&self, account: Account) -> Option<Id<ServerLink>> {
        self.table.get(account)?.link
    }

    /// It was not removed.
    pub(crate) fn is_there(&self, account: Account) -> bool {
        self.table.get(account).is_some()
    }

    /// Nobody is registered or registering for it.
    pub(crate) fn is_offline(&self, account: Account) -> bool {
        self.table.get(account).is_some_and(|row| row.link.is_none())
    }

    pub(crate) fn nick(&self, account: Account) -> Option<Nick> {
        Some(self.table.get(account)?.nick)
    }

    /// The nick of an account that the store has.
    pub(crate) fn durable_nick(&self, account: Account) -> Option<Nick> {
        self.table.get(account).filter(|row| row.durable).map(|row| row.nick)
    }

    pub(crate) fn key_of(&self, account: Account) -> Option<PublicKey> {
        Some(self.table.get(account)?.key)
    }

    /// The epoch that an account's holder numbers its messages in.
    pub(crate) fn epoch(&self, account: Account) -> Option<Epoch> {
        Some(self.table.get(account)?.epoch)
    }

    /// The number of the key that a recipient has now; 0 for a room.
    pub(crate) fn recipient_key(&self, recipient: Recipient) -> u32 {
        match recipient {
            Recipient::Account(to) => self.table.get(to).map_or(0, |row| row.key_number),
            Recipient::Room(_) => 0,
        }
    }

    /// What is sealed to the key with this number can be read by the account's holder.
    pub(crate) fn is_readable(&self, reader: Account, key: u32) -> bool {
        self.table.get(reader).is_some_and(|row| row.key_number == key)
    }

    /// An account that can be written to: it is there, and not banned.
    pub(crate) fn takes_mail(&self, to: Account) -> bool {
        self.table.get(to).is_some_and(|row| row.state == AccountState::Active)
    }

    /// An account's places in rooms.
    pub(crate) fn places(&self, account: Account) -> Places {
        self.table.get(account).map_or(Places::default(), |row| row.places)
    }

    pub(crate) fn places_mut(&mut self, account: Account) -> Option<&mut Places> {
        Some(&mut self.table.get_mut(account)?.places)
    }

    /// What an account's wrong passwords cost.
    pub(crate) fn guard_mut(&mut self, account: Account) -> Option<&mut Guard> {
        Some(&mut self.table.get_mut(account)?.guard)
    }

    /// It has a password.
    pub(crate) fn has_password(&self, account: Account) -> bool {
        self.table.get(account).is_some_and(|row| row.access == Access::Password)
    }

    /// How often everyone is told of the account at a place, also of one that was removed.
    pub(crate) fn pace_mut(&mut self, place: u32) -> Option<&mut Pace> {
        self.table.pace_mut(place)
    }

    /// What an account says in rooms.
    pub(crate) fn said_mut(&mut self, account: Account) -> Option<&mut Said> {
        Some(&mut self.table.get_mut(account)?.said)
    }

    /// What the roster says of the account at a place, or of the one that was removed there; how
    /// `address` finds where a link leads to.
    pub(crate) fn roster_entry<'t>(
        &self,
        place: u32,
        version: u64,
        pool: &Pool<'_>,
        away: &'t mut [u8; MAX_AWAY],
        address: impl FnOnce(Id<ServerLink>) -> Option<SocketAddr>,
    ) -> Option<RosterEntry<'t>> {
        // Of a number that the store may not have, nobody is to know.
        let row = self.table.row_at(place).filter(|row| row.told)?;
        let said = pool.read(&row.away, 0, away);
        let away = away.get(..said).and_then(|text| core::str::from_utf8(text).ok());
        let link = row.link.filter(|_| row.presence == Presence::Online);
        Some(RosterEntry {
            account: row.account,
            version,
            nick: row.nick,
            key: row.key,
            key_number: row.key_number,
            presence: row.presence,
            candidates: [link.and_then(address), None],
            seen: row.seen,
            away: away.filter(|text| !text.is_empty()),
        })
    }
}
