//! The server's role: who is there, and what waits for those who are not.
//!
//! [`Server`] is a thin shell around an engine that lives for one input. The engine gives each frame,
//! answer of the store, deadline and command to the component that it is for. A component owns its
//! tables, and its part of what is kept for each session; nobody else writes them.

mod accounts;
mod boot;
mod config;
mod ctx;
mod engine;
mod event;
pub mod fixed;
#[cfg(test)]
mod fixture;
mod mailboxes;
mod memory;
mod operator;
mod passwords;
mod role;
mod rooms;
mod roster;
mod routing;
mod sessions;
mod state;
mod store;
mod submit;
mod view;

use core::{fmt, net::SocketAddr};

use crate::{
    host::{Action, Machine, Owed, PasswordOutcome, Records, Resume, StoreError, Ticket},
    id::{Account, Nick, PublicKey, RoomName},
    link::{LinkStatistics, Statistics},
    random::Seed,
    role::{StartError, credit, grant},
    session::Identity,
    time::{Instant, WallClock},
    wire::MAX_DATAGRAM,
};

pub use crate::{rate::Rate, record::Access};
pub use accounts::AccountSlot;
pub use config::{Config, Logins};
pub use event::{Event, OperateError, Operation, RoomOperation};
pub use fixed::Fixed;
pub use memory::{Sizes, Storage, Tables};
pub use role::{ClientSession, ServerLink};
pub use rooms::{Member, RoomRow, RoomTables};
pub use submit::{Entry, Pair};
pub use view::{AccountView, RoomView, Usage};

use engine::Engine;
use state::State;

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
            .field("config", &self.state.config)
            .field("key", &self.key())
            .field("now", &self.state.now)
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
        let credit = credit(bytes, tables.entries.len());
        let state = State::new((config, credit), identity, seed, resume, now);
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

    /// Does something to the room of that name: `true` if [`Event::RoomOperated`] says when it is
    /// durable, `false` if it is so already.
    ///
    /// # Errors
    /// [`OperateError`] says why nothing is done.
    pub fn operate_room(
        &mut self,
        now: Instant,
        room: &RoomName,
        operation: RoomOperation,
    ) -> Result<bool, OperateError> {
        self.engine(now).operate_room(room, operation)
    }

    /// Every room with a name, for people to look at.
    pub fn for_each_room(&mut self, visit: impl FnMut(RoomView)) {
        let now = self.state.now;
        self.engine(now).for_each_room(visit);
    }

    /// The key that clients know this server by.
    pub fn key(&self) -> PublicKey {
        self.state.links.identity().public()
    }

    /// What was counted since the start, and how full the tables of links are.
    pub fn statistics(&mut self) -> Statistics {
        let now = self.state.now;
        self.engine(now).statistics()
    }

    /// What is known of an account's session; `None` while it has none.
    pub fn account_statistics(&mut self, account: Account) -> Option<LinkStatistics> {
        let now = self.state.now;
        self.engine(now).account_statistics(account)
    }

    /// Everyone who has an account, for people to look at.
    pub fn for_each_account(&mut self, visit: impl FnMut(AccountView)) {
        let now = self.state.now;
        self.engine(now).for_each_account(visit);
    }

    /// How full the tables are.
    pub fn usage(&mut self) -> Usage {
        let now = self.state.now;
        self.engine(now).usage()
    }

    fn engine(&mut self, now: Instant) -> Engine<'_> {
        Engine::new(&mut self.state, self.storage.tables(), now)
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

    fn handle_checked(&mut self, now: Instant, ticket: Ticket, judgement: PasswordOutcome<'_>) {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.engine(now).handle_checked(ticket, judgement);
    }

    fn shut_down(&mut self, now: Instant) {
        self.engine(now).shut_down();
    }

    fn set_clock(&mut self, clock: WallClock) {
        self.state.clock = clock;
    }

    fn wants_seed(&self) -> bool {
        self.state.links.wants_seed()
    }

    fn reseed(&mut self, seed: Seed) {
        self.state.links.reseed(seed);
    }

    fn poll<'b>(
        &'b mut self,
        now: Instant,
        scratch: &'b mut [u8; MAX_DATAGRAM],
    ) -> Option<Action<'b, Event>> {
        let Self { state, storage, unanswered } = self;
        let mut engine = Engine::new(state, storage.tables(), now);
        engine.handle_timeouts();
        let owed = engine.next_owed(scratch)?;
        *unanswered += usize::from(matches!(owed, Owed::Request(_)));
        let (work, passwords) = engine.lent();
        Some(owed.lend(work, scratch, passwords.lent()))
    }

    fn deadline(&mut self) -> Option<Instant> {
        let now = self.state.now;
        self.engine(now).deadline()
    }

    fn unanswered(&self) -> usize {
        self.unanswered
    }
}
