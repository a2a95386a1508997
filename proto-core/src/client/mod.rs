//! The client's role: what its user says, and what is said to them.

mod config;
mod contact;
mod ctx;
mod engine;
mod error;
mod event;
pub mod fixed;
#[cfg(test)]
mod fixture;
pub(crate) mod headers;
mod inbox;
mod loading;
mod memory;
mod news;
mod outbox;
mod requests;
mod role;
mod rooms;
mod roster;
mod saved;
mod sent;
mod session;
mod view;

use core::fmt;
use core::net::SocketAddr;

use crate::{
    host::{Action, Machine, Owed, PasswordOutcome, Records, Resume, StoreError, Ticket},
    id::{Nick, PublicKey},
    link::{LinkStatistics, Statistics},
    random::Seed,
    role::{StartError, credit, grant},
    session::Identity,
    time::{Instant, WallClock},
    wire::{MAX_DATAGRAM, RoomAction},
};

pub use config::Config;
pub use error::{CommandError, PasswordError, SendError, TrustError};
pub use event::{AccountChange, Event, Failure, MessageId, Refusal, SubmitReason, To, Verdict};
pub use fixed::Fixed;
pub use headers::{Correspondent, said_from_outbox};
pub use inbox::message::Incoming;
pub use memory::{Storage, Tables};
pub use outbox::message::Outgoing;
pub use role::ClientLink;
pub use roster::peer::Peer;
pub use view::{OpenMessages, PeerView, RoomView, Status, Usage};

#[cfg(test)]
pub(crate) use {headers::Naming, rooms::history};

use engine::{Engine, State};

/// A client.
pub struct Client<S: Storage> {
    state: State,
    storage: S,
    /// Requests that the host was given and has not answered.
    unanswered: usize,
}

// Of any memory, and without what nobody is to read in a log.
impl<S: Storage> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("config", self.state.config())
            .field("status", &self.status())
            .field("now", &self.state.now())
            .field("unanswered", &self.unanswered)
            .finish_non_exhaustive()
    }
}

impl<S: Storage> Client<S> {
    /// A client that begins by reading its durable state, offline.
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
        let credit = credit(bytes, tables.incoming.len());
        let state = State::new((config, credit), identity, seed, resume, now);
        Ok(Self { state, storage, unanswered: 0 })
    }

    /// Goes online. While the durable state is still being read, as soon as it is.
    ///
    /// # Errors
    /// [`CommandError::Online`] if it is, or is about to be.
    pub fn register(&mut self, now: Instant) -> Result<(), CommandError> {
        self.engine(now).register()
    }

    /// Gives the password that [`Event::PasswordWanted`] asked for. It is kept until the
    /// server has judged it, and then wiped; the caller's own copy is the caller's to wipe.
    ///
    /// # Errors
    /// [`PasswordError`] says why it is not sent.
    pub fn authenticate(&mut self, now: Instant, password: &[u8]) -> Result<(), PasswordError> {
        let mut engine = self.engine(now);
        let (session, cx) = engine.session();
        session.authenticate(cx, password)
    }

    /// Asks for another password: `old` is judged like that of a login. Both are kept until
    /// [`Event::AccountResponse`], and then wiped; the caller's own copies are the caller's to wipe.
    ///
    /// # Errors
    /// [`PasswordError`] says why the server is not asked.
    pub fn change_password(
        &mut self,
        now: Instant,
        old: &[u8],
        new: &[u8],
    ) -> Result<(), PasswordError> {
        let mut engine = self.engine(now);
        let (session, cx) = engine.session();
        session.change_password(cx, old, new)
    }

    /// Vouches for the user's next device, which has `key`: for ten minutes the server judges the
    /// passwords that come with that key apart from all others, so that nobody's guesses hold them
    /// up. [`Event::AccountResponse`] says when that is so.
    ///
    /// # Errors
    /// [`CommandError::Offline`] if the client is, [`CommandError::Busy`] while the last request
    /// about the account is not answered.
    pub fn endorse(&mut self, now: Instant, key: PublicKey) -> Result<(), CommandError> {
        let mut engine = self.engine(now);
        let (session, cx) = engine.session();
        session.endorse(cx, key)
    }

    /// Submits what is open, then goes offline; [`Event::Deregistered`] says when.
    ///
    /// # Errors
    /// [`CommandError::Offline`] if it is.
    pub fn deregister(&mut self, now: Instant) -> Result<(), CommandError> {
        self.engine(now).deregister()
    }

    /// Says `text` to whoever holds a nick, to everyone, or in a room. The message is accepted once
    /// [`Event::Accepted`] says so: it is durable then, and what becomes of it is
    /// told without fail.
    ///
    /// # Errors
    /// [`SendError`] says why nothing was sent.
    pub fn send_message(
        &mut self,
        now: Instant,
        to: impl Into<To>,
        text: &str,
    ) -> Result<MessageId, SendError> {
        let mut engine = self.engine(now);
        engine.say(&to.into(), text)
    }

    /// Takes the key that [`Event::KeyChanged`] told of for that of whoever is known by a nick: what
    /// waits for them goes to it.
    ///
    /// # Errors
    /// [`TrustError::Unknown`] if nobody is known by that nick, [`TrustError::OtherKey`] if it is
    /// not this key that claims it now.
    pub fn trust(&mut self, now: Instant, nick: &Nick, key: &PublicKey) -> Result<(), TrustError> {
        self.engine(now).vouch(nick, key, false)
    }

    /// The user compared the key of whoever is known by a nick with them, by another way; see
    /// [`crate::session::safety_number`]. Another key for that nick is refused from now on.
    ///
    /// # Errors
    /// [`TrustError::Unknown`] if nobody is known by that nick, [`TrustError::OtherKey`] if it is
    /// another key that is known.
    pub fn verify(&mut self, now: Instant, nick: &Nick, key: &PublicKey) -> Result<(), TrustError> {
        self.engine(now).vouch(nick, key, true)
    }

    /// Wishes something of the server's rooms, one thing at a time: [`Event::RoomResponse`] or
    /// [`Event::Names`] tells what came of it. Going offline ends it without a word.
    ///
    /// # Errors
    /// [`CommandError::Offline`] if the client is not online, [`CommandError::Busy`] while
    /// the last request is not answered, [`CommandError::Full`] if it could not keep another room.
    pub fn request(&mut self, now: Instant, action: RoomAction) -> Result<(), CommandError> {
        self.engine(now).request(action)
    }

    /// Has everyone know that the user is away from the keyboard, and what they say of
    /// that; with an empty text, that they are back. Going offline ends it.
    ///
    /// # Errors
    /// [`CommandError::Offline`] if the client is, [`CommandError::TooLong`] for a text of
    /// more than [`crate::wire::MAX_AWAY`] bytes.
    pub fn set_away(&mut self, now: Instant, text: &str) -> Result<(), CommandError> {
        self.engine(now).set_away(text)
    }

    /// The key that the server must have: as configured, or that of the first server that this
    /// client had a session with. Whoever has another is not talked to in this run.
    pub fn server_key(&self) -> Option<PublicKey> {
        self.state.config().server_key
    }

    /// The key that others know this client by.
    pub fn key(&self) -> PublicKey {
        self.state.key()
    }

    /// Where the client is.
    pub fn status(&self) -> Status {
        self.state.status()
    }

    /// What of the messages that were accepted is not settled.
    pub fn open_messages(&mut self) -> OpenMessages {
        let now = self.state.now();
        self.engine(now).open_messages()
    }

    /// How full the tables are.
    pub fn usage(&mut self) -> Usage {
        let now = self.state.now();
        self.engine(now).usage()
    }

    /// Everyone on the roster, for people to look at.
    pub fn for_each_peer(&mut self, visit: impl FnMut(PeerView)) {
        let now = self.state.now();
        self.engine(now).for_each_peer(visit);
    }

    /// Every room that the client is a member of, the lobby among them.
    pub fn for_each_room(&mut self, visit: impl FnMut(RoomView)) {
        let now = self.state.now();
        self.engine(now).for_each_room(visit);
    }

    /// What was counted since the start, and how full the tables of links are.
    pub fn statistics(&mut self) -> Statistics {
        let now = self.state.now();
        self.engine(now).statistics()
    }

    /// What is known of the session with the server; `None` while there is none.
    pub fn server_statistics(&mut self) -> Option<LinkStatistics> {
        let now = self.state.now();
        self.engine(now).link_statistics(None)
    }

    /// What is known of the session with a peer; `None` while there is none.
    pub fn peer_statistics(&mut self, nick: &Nick) -> Option<LinkStatistics> {
        let now = self.state.now();
        self.engine(now).link_statistics(Some(nick))
    }

    /// Takes it that everyone it has a session with has granted all there is.
    #[cfg(test)]
    pub(crate) fn overspend(&mut self) {
        let now = self.state.now();
        self.engine(now).overspend();
    }

    /// Grants more than can be saved, as if whoever sends overstepped.
    #[cfg(test)]
    pub(crate) fn overgrant(&mut self, credit: u32) {
        self.state.overgrant(credit);
    }

    fn engine(&mut self, now: Instant) -> Engine<'_> {
        Engine::new(&mut self.state, self.storage.tables(), now)
    }
}

impl<S: Storage> Machine for Client<S> {
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

    fn handle_checked(&mut self, _: Instant, _: Ticket, _: PasswordOutcome<'_>) {}

    fn shut_down(&mut self, now: Instant) {
        self.engine(now).shut_down();
    }

    fn set_clock(&mut self, clock: WallClock) {
        self.state.set_clock(clock);
    }

    fn wants_seed(&self) -> bool {
        self.state.wants_seed()
    }

    fn reseed(&mut self, seed: Seed) {
        self.state.reseed(seed);
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
        Some(owed.lend(engine.into_work(), scratch, (&[], None)))
    }

    fn deadline(&mut self) -> Option<Instant> {
        let now = self.state.now();
        self.engine(now).deadline()
    }

    fn unanswered(&self) -> usize {
        self.unanswered
    }
}
