//! An account in memory.

use crate::{
    id::{Account, Epoch, Incarnation, Nick, PublicKey},
    record::{Access, AccountRecord, AccountState},
    storage::{Body, Id},
    time::UnixTime,
    wire::Presence,
};

use super::super::{passwords::Guard, role::ServerLink, rooms::Places, roster::Pace, submit::Said};

/// One account's place in the table.
#[derive(Debug)]
pub struct AccountSlot(pub(super) Place);

// With a tag of its own, 0 for empty, which an `Option` would hide in the row.
#[derive(Debug)]
#[repr(u8)]
#[allow(clippy::large_enum_variant)] // the table is made of these
pub(super) enum Place {
    Empty,
    Taken(Row),
}

impl AccountSlot {
    /// Never used. All zeros, so that a static of them takes no room in a program's image.
    pub const EMPTY: Self = Self(Place::Empty);

    pub(super) fn row(&self) -> Option<&Row> {
        match &self.0 {
            Place::Taken(row) => Some(row),
            Place::Empty => None,
        }
    }

    pub(super) fn row_mut(&mut self) -> Option<&mut Row> {
        match &mut self.0 {
            Place::Taken(row) => Some(row),
            Place::Empty => None,
        }
    }
}

/// An account.
#[derive(Debug)]
pub(super) struct Row {
    /// Its number.
    pub(super) account: Account,
    pub(super) key: PublicKey,
    pub(super) nick: Nick,
    pub(super) epoch: Epoch,
    /// The client's run that the epoch belongs to.
    pub(super) run: Incarnation,
    pub(super) presence: Presence,
    /// The link it is registered or registering through.
    pub(super) link: Option<Id<ServerLink>>,
    /// When it was last online.
    pub(super) seen: UnixTime,
    /// What it says of being away, while it is online.
    pub(super) away: Body,
    /// Its places in rooms.
    pub(super) places: Places,
    /// The store has it.
    pub(super) durable: bool,
    /// The store may have it: what it answered was not waited for.
    pub(super) ventured: bool,
    /// The roster was told of it.
    pub(super) told: bool,
    pub(super) access: Access,
    pub(super) state: AccountState,
    /// How many keys it had before this one.
    pub(super) key_number: u32,
    /// Against those who guess its password.
    pub(super) guard: Guard,
    /// How often everyone is told of it.
    pub(super) pace: Pace,
    /// What it says in rooms.
    pub(super) said: Said,
}

impl Row {
    /// With nothing but its number, its nick, its key and where it stands; the store has it if
    /// `durable`.
    pub(super) fn new(
        account: Account,
        record: &AccountRecord,
        durable: bool,
        seen: UnixTime,
    ) -> Self {
        let is_gone = record.state == AccountState::Removed;
        Self {
            account,
            key: record.key,
            nick: record.nick,
            epoch: record.epoch,
            run: record.run,
            presence: if is_gone { Presence::Removed } else { Presence::Offline },
            link: None,
            seen,
            away: Body::EMPTY,
            places: Places::default(),
            durable,
            ventured: false,
            told: durable,
            access: record.access,
            state: record.state,
            key_number: record.key_number,
            guard: Guard::default(),
            pace: Pace::NEW,
            said: Said::NOTHING,
        }
    }

    /// As the store keeps it; `since` is where its lobby begins.
    pub(super) fn record(&self, since: u64) -> AccountRecord {
        AccountRecord {
            key: self.key,
            nick: self.nick,
            epoch: self.epoch,
            run: self.run,
            since,
            access: self.access,
            state: self.state,
            key_number: self.key_number,
        }
    }
}
