//! A room.

use crate::{
    host::Ask,
    id::{Account, Incarnation, Position, Room, RoomName},
    storage::{Linked, List, Node},
    time::{Instant, UnixTime},
};

use super::{
    super::{
        store::Asking,
        submit::{Entry, Queued},
    },
    member::{Member, Turn},
    waits::Readers,
};

/// A room.
#[derive(Debug)]
pub struct RoomRow {
    pub(super) number: Room,
    /// None for the lobby.
    pub(super) name: Option<RoomName>,
    /// Who created it, with which command.
    pub(super) creator: Account,
    pub(super) serial: u64,
    /// The store has it.
    pub(super) durable: bool,
    /// It is giving way to another, or is being deleted: the store is to have that.
    pub(super) removed: bool,
    /// Only those who are invited may become members; what that is to be, while it is being saved.
    pub(super) invite_only: bool,
    pub(super) wanted: Option<bool>,
    /// Who asked for what is being saved; of nobody, the operator.
    pub(super) by: Option<Account>,
    /// It was deleted, and what the store has of it goes.
    pub(super) burial: Option<Burial>,
    /// When it had a member last, or was created.
    pub(super) used: Instant,
    pub(super) save: Ask,
    /// The first entry that is kept, and the last that is durable.
    pub(super) first: u64,
    pub(super) head: u64,
    /// The last entry that the store was asked to save.
    pub(super) asked: u64,
    /// The runs that appended the last durable entry and that one; none if it is not known.
    pub(super) head_run: Incarnation,
    pub(super) asked_run: Incarnation,
    /// Entries that the store was asked to save and has not answered for, in order.
    pub(super) appending: List<Entry, Queued>,
    /// Whose the last durable entry is. Its record speaks for its author; where all others
    /// are is saved apart.
    pub(super) head_of: Option<(Account, Position)>,
    /// The last entry that the store was asked to save, until its author's place is saved:
    /// ahead of the entry behind it.
    pub(super) unplaced: Option<(Account, Position)>,
    pub(super) place: Ask,
    /// Bytes of all bodies in the log, from its beginning on.
    pub(super) bytes: u64,
    /// What is known of the oldest entry that was looked at.
    pub(super) oldest: Oldest,
    pub(super) look: Ask,
    pub(super) forget: Ask,
    /// The store was asked to forget all up to here.
    pub(super) forgotten: u64,
    /// Accounts with a place in it, and those of them that are no members.
    pub(super) members: u32,
    pub(super) outside: u32,
    /// Members with nothing more to read.
    pub(super) caught_up: List<Member, Turn>,
    pub(super) readers: Readers,
    pub(super) asking: Node<Self>,
}

/// What of a room that was deleted the store is to forget next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Burial {
    /// Its log.
    Log,
    /// Who was in it.
    Members,
    /// Nothing more.
    Over,
}

/// The oldest entry of a room, as far as it was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Oldest {
    pub(super) index: u64,
    pub(super) received: UnixTime,
    /// Bytes of all bodies before it.
    pub(super) bytes: u64,
}

impl RoomRow {
    pub(super) fn new(number: Room, name: Option<RoomName>, creator: Account, serial: u64) -> Self {
        Self {
            number,
            name,
            creator,
            serial,
            durable: false,
            removed: false,
            invite_only: false,
            wanted: None,
            by: None,
            burial: None,
            used: Instant::from_micros(0),
            save: Ask::Idle,
            first: 1,
            head: 0,
            asked: 0,
            head_run: Incarnation::NONE,
            asked_run: Incarnation::NONE,
            appending: List::NEW,
            head_of: None,
            unplaced: None,
            place: Ask::Idle,
            bytes: 0,
            oldest: Oldest::default(),
            look: Ask::Idle,
            forget: Ask::Idle,
            forgotten: 0,
            members: 0,
            outside: 0,
            caught_up: List::NEW,
            readers: Readers::NEW,
            asking: Node::UNLINKED,
        }
    }

    /// How many members it has, or is about to have.
    pub(super) fn inside(&self) -> u32 {
        self.members.saturating_sub(self.outside)
    }

    /// Nobody is in it, and nothing of its log is kept nor on its way.
    pub(super) fn is_empty(&self) -> bool {
        let is_idle = [self.save, self.place, self.look, self.forget] == [Ask::Idle; 4];
        let is_silent = self.first > self.head && self.asked == self.head;
        self.inside() == 0 && is_silent && is_idle && self.unplaced.is_none()
    }
}

impl Linked<Asking> for RoomRow {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.asking
    }
}
