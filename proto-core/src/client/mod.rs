//! The client's role: what its user says, and what is said to them.

mod conversation;
mod engine;
mod event;
pub mod fixed;
pub(crate) mod headers;
pub(crate) mod history;
mod home;
mod host;
mod inbox;
mod incoming;
mod login;
mod memory;
mod outbox;
mod outgoing;
mod peer;
mod rooms;
mod sending;
mod succession;
mod verdicts;
mod window;

use core::{fmt, net::SocketAddr, time::Duration};

use crate::{
    host::{Action, Judgement, Machine, Owed, Records, Resume, StoreError, Ticket},
    id::{Nick, Position, PublicKey},
    link::{Link, LinkStatistics, Statistics},
    password::MAX_PASSWORD,
    random::Seed,
    role::{StartError, credit, grant},
    session::Identity,
    time::{Instant, UnixTime, WallClock},
    wire::{DEFAULT_DATAGRAM, MAX_AWAY, MAX_BODY, MAX_DATAGRAM, Presence, Wish},
};

pub use event::{Deposit, Event, Failure, Refusal, To, Verdict};
pub use fixed::Fixed;
pub use incoming::Incoming;
pub use memory::{Storage, Tables};
pub use outgoing::Outgoing;
pub use peer::Peer;

use engine::{Engine, State};

/// A link as a client keeps it.
pub type ClientLink = Link<conversation::ClientRole>;

/// What a client goes by. [`Config::new`] is right for most; its fields can be set one by one.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The nick to register.
    pub nick: Nick,
    /// Where the server is.
    pub server: SocketAddr,
    /// The server's key; without one, whoever answers there is believed and told
    /// in [`Event::Registered`].
    pub server_key: Option<PublicKey>,
    /// The round-trip time assumed before the first sample.
    pub initial_rtt: Duration,
    /// Something is sent to everyone in touch at least this often.
    pub keep_alive: Duration,
    /// Silence that ends a link.
    pub idle: Duration,
    /// The largest datagram sent, in bytes: 256 to 1,472.
    pub datagram: u16,
    /// Bytes of messages that one peer, or the server, may have under way to here.
    pub credit: u32,
    /// How long a message sent directly waits for its receipt before it is deposited.
    pub receipt: Duration,
    /// Silence of the server, while something is asked of it, that its user is told of.
    pub patience: Duration,
    /// How long a message may wait for its delivery.
    pub expiry: Duration,
    /// The longest message text sent, in bytes; at most 16,384.
    pub text: u32,
}

impl Config {
    /// For `nick` at `server`, with the customary times: 500 ms for a receipt, five
    /// times that for the server.
    pub const fn new(nick: Nick, server: SocketAddr, server_key: Option<PublicKey>) -> Self {
        Self {
            nick,
            server,
            server_key,
            initial_rtt: Duration::from_millis(100),
            keep_alive: Duration::from_secs(20),
            idle: Duration::from_mins(1),
            datagram: DEFAULT_DATAGRAM as u16,
            credit: 4 * MAX_BODY as u32,
            receipt: Duration::from_millis(500),
            patience: Duration::from_millis(2500),
            expiry: Duration::from_hours(31 * 24),
            text: 16 * 1024,
        }
    }
}

/// Names a message of this client's user: to whom, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageId {
    /// The recipient's key, or what stands for a room's.
    pub recipient: PublicKey,
    /// Its place in the outbox.
    pub position: Position,
}

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Reading its durable state.
    Loading,
    /// Not registered, and not trying to be: nothing is sent, nothing comes.
    Offline,
    /// Trying to register.
    Registering,
    /// Registered.
    Online,
    /// Depositing what is open, then going offline.
    Leaving,
}

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
            .field("config", &self.state.kept.config)
            .field("status", &self.status())
            .field("now", &self.state.kept.now)
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
        let state =
            State::new((config, credit(bytes, tables.incoming.len())), identity, seed, resume, now);
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
        self.engine(now).authenticate(password)
    }

    /// Deposits what is open, then goes offline; [`Event::Deregistered`] says when.
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
    /// [`SayError`] says why nothing was sent.
    pub fn say(
        &mut self,
        now: Instant,
        to: impl Into<To>,
        text: &str,
    ) -> Result<MessageId, SayError> {
        let mut engine = self.engine(now);
        engine.say(&to.into(), text)
    }

    /// Wishes something of the server's rooms, one thing at a time: [`Event::Outcome`] or
    /// [`Event::Names`] tells what came of it. Going offline ends it without a word.
    ///
    /// # Errors
    /// [`CommandError::Offline`] if the client is not online, [`CommandError::Busy`] while
    /// the last wish is not answered, [`CommandError::Full`] if it could not keep another room.
    pub fn wish(&mut self, now: Instant, wish: Wish) -> Result<(), CommandError> {
        self.engine(now).wish(wish)
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

    /// Where the client is.
    pub fn status(&self) -> Status {
        self.state.kept.home.status()
    }

    /// What of the messages that were accepted is not settled.
    pub fn open_messages(&mut self) -> OpenMessages {
        let now = self.state.kept.now;
        self.engine(now).open_messages()
    }

    /// How full the tables are.
    pub fn usage(&mut self) -> Usage {
        let now = self.state.kept.now;
        let engine = self.engine(now);
        Usage {
            outgoing: (engine.outgoing.len(), engine.outgoing.capacity()),
            incoming: (engine.incoming.len(), engine.incoming.capacity()),
            blocks: (engine.pool.used(), engine.pool.capacity()),
        }
    }

    /// Everyone on the roster, for people to look at.
    pub fn for_each_peer(&mut self, mut visit: impl FnMut(PeerView)) {
        let now = self.state.kept.now;
        let engine = self.engine(now);
        for (_, peer) in engine.peers.iter() {
            let (To::Peer(nick), Some(_)) = (peer.with, peer.recipient) else { continue };
            let mut away = [0; MAX_AWAY];
            let said = engine.pool.read(&peer.away, 0, &mut away);
            let away = away.get(..said).and_then(|text| core::str::from_utf8(text).ok());
            visit(PeerView {
                nick,
                key: peer.key,
                log: peer.log,
                presence: peer.presence,
                address: peer.address,
                seen: peer.seen,
                away: away.and_then(|text| text.try_into().ok()).unwrap_or_default(),
            });
        }
    }

    /// Every room that the client is a member of, the lobby among them.
    pub fn for_each_room(&mut self, visit: impl FnMut(RoomView)) {
        let now = self.state.kept.now;
        self.engine(now).for_each_room(visit);
    }

    /// What was counted since the start, and how full the tables of links are.
    pub fn statistics(&mut self) -> Statistics {
        let now = self.state.kept.now;
        self.engine(now).links.statistics()
    }

    /// What is known of the session with the server; `None` while there is none.
    pub fn server_statistics(&mut self) -> Option<LinkStatistics> {
        let now = self.state.kept.now;
        let engine = self.engine(now);
        engine.links.get(engine.state.home.link()?)?.statistics()
    }

    /// What is known of the session with a peer; `None` while there is none.
    pub fn peer_statistics(&mut self, nick: &Nick) -> Option<LinkStatistics> {
        let now = self.state.kept.now;
        let engine = self.engine(now);
        let peer = engine.peers.by_name(&To::Peer(*nick))?;
        engine.links.get(engine.peers.get(peer)?.link?)?.statistics()
    }

    /// Grants more than can be saved, as if whoever sends overstepped.
    #[cfg(test)]
    pub(crate) fn overgrant(&mut self, credit: u32) {
        self.state.links.set_credit(credit);
    }

    /// Takes it that everyone it has a session with has granted all there is.
    #[cfg(test)]
    pub(crate) fn overspend(&mut self) {
        let now = self.state.kept.now;
        let mut engine = self.engine(now);
        let links = engine.links.slab_mut();
        for slot in 0..links.capacity() as u32 {
            if let Some(link) = links.id_at(slot).and_then(|id| links.get_mut(id)) {
                let all = crate::wire::CreditLimit { bytes: u64::MAX, messages: u64::MAX };
                link.credit.raise(all);
            }
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

    fn handle_judged(&mut self, _: Instant, _: Ticket, _: Judgement<'_>) {}

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
        Some(owed.lend(engine.work, scratch, (&[], None)))
    }

    fn deadline(&mut self) -> Option<Instant> {
        let now = self.state.kept.now;
        self.engine(now).deadline()
    }

    fn unanswered(&self) -> usize {
        self.unanswered
    }
}

/// Someone on the roster.
#[derive(Clone, Debug)]
pub struct PeerView {
    /// The nick.
    pub nick: Nick,
    /// The key that holds it.
    pub key: PublicKey,
    /// What the conversation's logs are named by: the key that held it when it was met.
    pub log: PublicKey,
    /// Whether its holder is online, as far as the server knows.
    pub presence: Presence,
    /// Where to reach its holder directly, if known.
    pub address: Option<SocketAddr>,
    /// When its holder was last online, by the server's clock; 0 for not since the server
    /// was started.
    pub seen: UnixTime,
    /// What an online holder says of being away; empty for one who is there.
    pub away: heapless::String<MAX_AWAY>,
}

/// A room that a client is a member of.
#[derive(Clone, Copy, Debug)]
pub struct RoomView {
    /// The room.
    pub room: To,
    /// What stands for its key: its log in the store is `Log::Inbox` of it.
    pub key: PublicKey,
}

/// Messages that are not settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenMessages {
    /// How many are neither delivered nor refused nor expired, and not saved by the server either.
    pub unsaved: usize,
    /// The server has saved others, which wait there for their recipients.
    pub stored: bool,
}

/// Why a command does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// The client is online, or about to be.
    Online,
    /// The client is offline.
    Offline,
    /// The last wish is not answered yet.
    Busy,
    /// There is no room for another room here.
    Full,
    /// The text is longer than `limit` bytes.
    TooLong {
        /// The longest text, in bytes.
        limit: u32,
    },
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Online => f.write_str("you are registered already"),
            Self::Offline => f.write_str("you are offline"),
            Self::Full => f.write_str("too many people and rooms are known here already"),
            Self::Busy => f.write_str("the server has not answered the last command yet"),
            Self::TooLong { limit } => write!(f, "the text is longer than {limit} bytes"),
        }
    }
}

impl core::error::Error for CommandError {}

/// Why a password is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PasswordError {
    /// None is asked for.
    NotWanted,
    /// It is empty.
    Empty,
    /// It is longer than [`MAX_PASSWORD`] bytes.
    TooLong,
}

impl fmt::Display for PasswordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWanted => f.write_str("no password is asked for"),
            Self::Empty => f.write_str("the password is empty; give at least one character"),
            Self::TooLong => {
                write!(f, "the password is longer than {MAX_PASSWORD} bytes; give a shorter one")
            }
        }
    }
}

impl core::error::Error for PasswordError {}

/// Why a message is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SayError {
    /// The client is offline, or has not been registered in this run yet.
    Offline,
    /// Nobody holds that nick.
    Unknown,
    /// The client is no member of that room.
    NotMember,
    /// It is one's own.
    Oneself,
    /// The text is empty.
    Empty,
    /// The text is longer than `limit` bytes.
    TooLong {
        /// The longest text, in bytes.
        limit: u32,
    },
    /// Too many messages wait for their delivery.
    Full,
}

impl fmt::Display for SayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline => f.write_str("you are offline; nothing was sent"),
            Self::Unknown => f.write_str("nobody here has that nick; nothing was sent"),
            Self::NotMember => f.write_str("you are not in that room; nothing was sent"),
            Self::Oneself => f.write_str("that is your own nick; nothing was sent"),
            Self::Empty => f.write_str("there is no text; nothing was sent"),
            Self::TooLong { limit } => {
                write!(f, "the message is longer than {limit} bytes; nothing was sent")
            }
            Self::Full => f.write_str(
                "too many messages wait for their delivery; nothing was sent, try again later",
            ),
        }
    }
}

impl core::error::Error for SayError {}

/// How full the tables are: what is used, and what there is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Usage {
    /// Messages of the user's own in memory.
    pub outgoing: (usize, usize),
    /// Messages that came, in memory.
    pub incoming: (usize, usize),
    /// Blocks of 256 bytes of message bodies.
    pub blocks: (usize, usize),
}
