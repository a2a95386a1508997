//! The server's role: who is there, and what waits for those who are not.

mod accounts;
mod commands;
mod deposits;
mod engine;
mod entry;
mod event;
pub mod fixed;
mod host;
mod mailbox;
mod member;
mod memory;
mod operator;
mod pairs;
mod passwords;
mod readers;
mod reading;
mod refusals;
mod registration;
mod room;
mod rooms;
mod roster;
mod versions;

use core::{fmt, net::SocketAddr, time::Duration};

use crate::{
    host::{Action, Judgement, Machine, Owed, Records, Resume, StoreError, Ticket},
    id::{Account, Nick, PublicKey},
    link::{Link, LinkStatistics, Statistics},
    random::Seed,
    record::Sentence,
    role::{StartError, credit, grant},
    session::Identity,
    time::{Instant, UnixTime, WallClock},
    wire::{DEFAULT_DATAGRAM, MAX_BODY, MAX_DATAGRAM, Presence, Retention},
};

pub use crate::record::Access;
pub use accounts::AccountSlot;
pub use entry::{Entry, Pair};
pub use event::Event;
pub use fixed::Fixed;
pub use member::Member;
pub use memory::{Sizes, Storage, Tables};
pub use room::{Membership, RoomRow, RoomTables};

use engine::{Engine, State};

/// A link as the server keeps it.
pub type ServerLink = Link<member::ServerRole>;

/// What a server goes by. [`Config::default`] is right for most; its fields can be set one by one.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The round-trip time assumed before the first sample.
    pub initial_rtt: Duration,
    /// Silence after which a client is offline.
    pub idle: Duration,
    /// The largest datagram sent, in bytes: 256 to 1,472.
    pub datagram: u16,
    /// Bytes of messages that one client may have under way to the server.
    pub credit: u32,
    /// How long a relayed message waits for its receipt before it is saved.
    pub relay: Duration,
    /// How long roster changes are collected before they are pushed.
    pub push: Duration,
    /// How long mail is kept.
    pub mail: Duration,
    /// The longest message text taken, in bytes; at most 16,384.
    pub text: u32,
    /// How much of each room's log is kept.
    pub room: Retention,
    /// How many members a room can have; the lobby has everyone.
    pub members: u32,
    /// How long a member that is online and reads nothing holds back what would push entries
    /// that it has not read out of its room; with zero, nobody is waited for.
    pub reader_wait: Duration,
    /// Who gets a nick.
    pub logins: Logins,
}

/// Who gets a nick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Logins {
    /// The key that takes it first, and no other.
    #[default]
    Open,
    /// Whoever sets its password first, and after that each key that gives it; the newest
    /// one that did holds the nick.
    Password,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            initial_rtt: Duration::from_millis(100),
            idle: Duration::from_mins(1),
            datagram: DEFAULT_DATAGRAM as u16,
            credit: 4 * MAX_BODY as u32,
            relay: Duration::from_millis(500),
            push: Duration::from_millis(20),
            mail: Duration::from_hours(30 * 24),
            text: 16 * 1024,
            room: Retention { entries: 10_000, bytes: 16 * 1024 * 1024, age: 30 * 24 * 3600 },
            members: 10_000,
            reader_wait: Duration::from_secs(10),
            logins: Logins::Open,
        }
    }
}

/// A server.
pub struct Server<S: Storage> {
    state: State,
    storage: S,
    /// Requests that the host was given and has not answered.
    unanswered: usize,
}

// Of any memory, and without what nobody is to read in a log.
impl<S: Storage> fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("config", &self.state.kept.config)
            .field("key", &self.key())
            .field("now", &self.state.kept.now)
            .field("unanswered", &self.unanswered)
            .finish_non_exhaustive()
    }
}

impl<S: Storage> Server<S> {
    /// A server that begins by reading its accounts from the store.
    ///
    /// # Errors
    /// [`StartError`] says what is wrong with what the host gives it.
    pub fn new(
        config: Config,
        identity: Identity,
        seed: Seed,
        resume: Resume,
        now: Instant,
        mut storage: S,
    ) -> Result<Self, StartError> {
        let tables = storage.tables();
        tables.check(&resume)?;
        let bytes = grant(config.credit, tables.work.len(), tables.blocks.len());
        let config = Config { credit: bytes, ..config };
        let state =
            State::new((config, credit(bytes, tables.entries.len())), identity, seed, resume, now);
        Ok(Self { state, storage, unanswered: 0 })
    }

    /// Does something to the account that has `nick`, whether its holder is online or not.
    /// [`Event::Operated`] says when it is durable.
    ///
    /// # Errors
    /// [`OperateError`] says why nothing is done.
    pub fn operate(
        &mut self,
        now: Instant,
        nick: &Nick,
        operation: Operation,
    ) -> Result<(), OperateError> {
        self.engine(now).operate(nick, operation)
    }

    /// The key that clients know this server by.
    pub fn key(&self) -> PublicKey {
        self.state.links.identity().public()
    }

    /// What was counted since the start, and how full the tables of links are.
    pub fn statistics(&mut self) -> Statistics {
        let now = self.state.kept.now;
        self.engine(now).links.statistics()
    }

    /// What is known of an account's session; `None` while it has none.
    pub fn account_statistics(&mut self, account: Account) -> Option<LinkStatistics> {
        let now = self.state.kept.now;
        let engine = self.engine(now);
        let link = engine.accounts.get(account)?.link?;
        engine.links.get(link)?.statistics()
    }

    /// Everyone who has an account, for people to look at.
    pub fn for_each_account(&mut self, mut visit: impl FnMut(AccountView)) {
        let now = self.state.kept.now;
        let engine = self.engine(now);
        for (account, row) in engine.accounts.iter().filter(|(_, row)| row.durable) {
            let link = row.link.and_then(|link| engine.links.get(link));
            visit(AccountView {
                account,
                nick: row.nick,
                key: row.key,
                presence: row.presence,
                address: link.map(|link| link.address),
                seen: row.seen,
                access: row.access,
                banned: row.sentence == Sentence::Banned,
            });
        }
    }

    /// How full the tables are.
    pub fn usage(&mut self) -> Usage {
        let now = self.state.kept.now;
        let engine = self.engine(now);
        Usage {
            accounts: (engine.accounts.count() as usize, engine.accounts.rows.len()),
            entries: (engine.entries.len(), engine.entries.capacity()),
            blocks: (engine.pool.used(), engine.pool.capacity()),
            recent: engine.recent(),
            pairs: (engine.pairs_in_use(), engine.pairs.capacity()),
            rooms: (engine.rooms.slab.len(), engine.rooms.slab.capacity()),
            members: (engine.rooms.members.len(), engine.rooms.members.capacity()),
        }
    }

    fn engine(&mut self, now: Instant) -> Engine<'_> {
        self.counting(now).0
    }

    /// The engine, and the count of what it asks for.
    fn counting(&mut self, now: Instant) -> (Engine<'_>, &mut usize) {
        self.state.kept.now = now;
        (Engine::new(&mut self.state, self.storage.tables()), &mut self.unanswered)
    }
}

impl<S: Storage> Machine for Server<S> {
    type Event = Event;

    fn handle_datagram<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'d mut [u8],
    ) -> Option<&'d [u8]> {
        self.engine(now).handle_datagram(from, datagram)
    }

    fn handle_stored(&mut self, now: Instant, ticket: Ticket, result: Result<(), StoreError>) {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.engine(now).handle_stored(ticket, result.is_ok());
    }

    fn handle_read(
        &mut self,
        now: Instant,
        ticket: Ticket,
        result: Result<Records<'_>, StoreError>,
    ) {
        self.unanswered = self.unanswered.saturating_sub(1);
        let records = result.ok().and_then(|records| records.checked(0));
        self.engine(now).handle_read(ticket, records);
    }

    fn handle_judged(&mut self, now: Instant, ticket: Ticket, judgement: Judgement<'_>) {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.engine(now).handle_judged(ticket, judgement);
    }

    fn shut_down(&mut self, now: Instant) {
        self.engine(now).shut_down();
    }

    fn set_clock(&mut self, clock: WallClock) {
        self.state.kept.clock = clock;
    }

    fn poll<'b>(
        &'b mut self,
        now: Instant,
        scratch: &'b mut [u8; MAX_DATAGRAM],
    ) -> Option<Action<'b, Event>> {
        let (mut engine, unanswered) = self.counting(now);
        engine.handle_timeouts();
        let owed = engine.next_owed(scratch)?;
        *unanswered += usize::from(matches!(owed, Owed::Request(_)));
        Some(owed.lend(engine.work, scratch, engine.state.passwords.lent()))
    }

    fn deadline(&mut self) -> Option<Instant> {
        let now = self.state.kept.now;
        self.engine(now).deadline()
    }

    fn unanswered(&self) -> usize {
        self.unanswered
    }
}

/// An account as people see it.
#[derive(Clone, Copy, Debug)]
pub struct AccountView {
    /// Its number.
    pub account: Account,
    /// Its nick.
    pub nick: Nick,
    /// The key that holds it.
    pub key: PublicKey,
    /// Whether its holder is online.
    pub presence: Presence,
    /// Where its holder is, if online.
    pub address: Option<SocketAddr>,
    /// When its holder was last online in this run of the server; 0 for never.
    pub seen: UnixTime,
    /// How else than by its key it is to be had.
    pub access: Access,
    /// Its nick and its key are refused.
    pub banned: bool,
}

/// Something that an operator does to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The server forgets its password: the next login sets it, with whatever key.
    Reset,
    /// It is gone, and its mail with it. Its nick is free, and so is its key.
    Remove,
    /// Its nick and its key are refused from now on, and its session is closed.
    Ban,
    /// They are refused no longer.
    Unban,
}

/// Why nothing is done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OperateError {
    /// Nobody has that nick.
    Unknown,
    /// The accounts are still being read.
    Starting,
    /// Something else is being done to an account.
    Busy,
}

impl fmt::Display for OperateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "nobody has that nick",
            Self::Starting => "the server is still reading its accounts; try again in a moment",
            Self::Busy => "the server is busy with an account; try again in a moment",
        })
    }
}

impl core::error::Error for OperateError {}

/// How full the tables are: what is used, and what there is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Usage {
    /// Accounts.
    pub accounts: (usize, usize),
    /// Messages in memory.
    pub entries: (usize, usize),
    /// Blocks of 256 bytes of message bodies.
    pub blocks: (usize, usize),
    /// Of the messages, those of rooms that are saved and give way to others, and their blocks.
    pub recent: (usize, usize),
    /// Pairs of people, or of people and rooms, with messages under way.
    pub pairs: (usize, usize),
    /// Rooms, the lobby among them.
    pub rooms: (usize, usize),
    /// Places of accounts in rooms.
    pub members: (usize, usize),
}
