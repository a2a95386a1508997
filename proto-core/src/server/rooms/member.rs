//! An account's place in a room: it is a member, or is about to be one, or none.

use crate::{
    host::Ask,
    id::Account,
    record::Standing,
    storage::{Id, Linked, List, Node, Slab},
    time::Instant,
};

use super::{super::role::ServerLink, cursor::Cursor, row::RoomRow};

/// An account's place in a room.
#[derive(Debug)]
pub struct Member {
    pub(super) room: Id<RoomRow>,
    pub(super) account: Account,
    /// What it is, as far as the store has it.
    pub(super) standing: Standing,
    /// What it is to be, while that is being saved, and who asked for it; of nobody, the operator.
    pub(super) wanted: Option<(Standing, Option<Account>)>,
    /// The store is to read an entry for a member, or to save what it is to be.
    pub(super) ask: Ask,
    /// The last entry of the room's log that came before it joined.
    pub(super) since: u64,
    /// Where it reads, while its account is online.
    pub(super) link: Option<Id<ServerLink>>,
    /// It is to be told that it is a member.
    pub(super) greet: bool,
    pub(super) cursor: Cursor,
    /// The entry that is being loaded for it.
    pub(super) loading: u64,
    pub(super) queue: Queue,
    /// It had read all there was, when it was looked at last.
    pub(super) idle: bool,
    /// When it read some more, or there was more to read again.
    pub(super) got_on: Instant,
    pub(super) turn: Node<Self>,
    pub(super) of_account: Node<Self>,
    /// Among those that its room waits for.
    pub(super) reading: Node<Self>,
}

/// The list that a member is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    None,
    /// The room's of those with nothing to be sent, or, since it moved on, the server's.
    Waiting,
    /// Its link's of those with something to send.
    Ready,
    /// The server's of those that want something of the store.
    Asking,
    /// The server's of those that the store could not serve.
    Stalled,
}

/// The lists that places are in.
#[derive(Debug)]
pub(crate) struct Turn;
#[derive(Debug)]
pub(super) struct OfAccount;

/// An account's part that is about rooms: its places in them, and how many of them it created.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Places {
    all: List<Member, OfAccount>,
    created: u32,
}

impl Places {
    pub(super) fn front(self) -> Option<Id<Member>> {
        self.all.front()
    }

    /// How many of the rooms that there are it created.
    pub(super) fn created(self) -> u32 {
        self.created
    }

    /// A room that it created is there.
    pub(super) fn count_room(&mut self) {
        self.created += 1;
    }

    /// A room that it created is there no more.
    pub(super) fn discount_room(&mut self) {
        debug_assert!(self.created > 0, "each room was counted when it came to be");
        self.created = self.created.saturating_sub(1);
    }

    pub(super) fn add(&mut self, members: &mut Slab<'_, Member>, id: Id<Member>) {
        self.all.push_back(members, id);
    }

    pub(super) fn remove(&mut self, members: &mut Slab<'_, Member>, id: Id<Member>) {
        self.all.remove(members, id);
    }
}

impl Linked<Turn> for Member {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.turn
    }
}

impl Linked<OfAccount> for Member {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.of_account
    }
}

impl Member {
    pub(super) fn new(room: Id<RoomRow>, account: Account, since: u64, standing: Standing) -> Self {
        Self {
            room,
            account,
            standing,
            wanted: None,
            ask: Ask::Idle,
            since,
            link: None,
            greet: false,
            cursor: Cursor::default(),
            loading: 0,
            queue: Queue::None,
            idle: false,
            got_on: Instant::from_micros(0),
            turn: Node::UNLINKED,
            of_account: Node::UNLINKED,
            reading: Node::UNLINKED,
        }
    }

    /// The next of its account's places.
    pub(super) fn next_place(&self) -> Option<Id<Self>> {
        self.of_account.next()
    }

    /// It is one that is kept out, or that may come in.
    pub(super) fn is_outside(&self) -> bool {
        matches!(self.standing, Standing::Invited | Standing::Barred)
    }

    /// It is a member, and is to stay one.
    pub(super) fn is_member(&self) -> bool {
        self.standing == Standing::Member && self.wanted.is_none()
    }

    /// The last entry that it has read or need not read, in a log that is kept from `first` on.
    pub(super) fn has_read(&self, first: u64) -> u64 {
        self.cursor.begins_behind().unwrap_or(self.since).max(first.saturating_sub(1))
    }
}
