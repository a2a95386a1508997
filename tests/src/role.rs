//! A client or a server behind one face: an input goes in, what it owes comes out.

use std::{convert::Infallible, net::SocketAddr};

use proto_core::{
    client::{self, Client, MessageId, SendError, To},
    host::{Action, Machine, PasswordOutcome, Records, StoreError, Ticket},
    id::{Nick, PublicKey},
    link::{Drops, Statistics},
    random::Seed,
    server::{self, Operation, Server},
    time::{Instant, WallClock},
    wire::{MAX_DATAGRAM, RoomAction},
};

use crate::{
    memory::{ClientMemory, ServerMemory},
    store::{Answer, Request},
};

/// A client or a server.
#[allow(missing_debug_implementations)] // kilobytes
pub enum Role {
    /// A client.
    Client(Box<Client<ClientMemory>>),
    /// A server.
    Server(Box<Server<ServerMemory>>),
}

/// Something that a host passes to its role.
#[derive(Clone, Debug)]
pub enum Input {
    /// A datagram came.
    Datagram {
        /// From where.
        from: SocketAddr,
        /// What.
        bytes: Vec<u8>,
        /// It was changed on the way, or forged.
        damaged: bool,
    },
    /// A deadline may be due.
    Timeout,
    /// The store answers.
    Answer(Answer),
    /// The user goes online.
    Register,
    /// The user goes offline.
    Deregister,
    /// The user says something.
    Say {
        /// To whom.
        to: To,
        /// What.
        text: String,
    },
    /// The user gives a password.
    Authenticate(String),
    /// The user accepts the key that a nick has now.
    Trust(Nick, PublicKey),
    /// The user wants another password than the first of these: the second.
    ChangePassword(String, String),
    /// The user vouches for another device.
    Endorse(PublicKey),
    /// The user compared the key of a nick.
    Verify(Nick, PublicKey),
    /// The host has judged a password: what it found, and the hash it made.
    Authenticated(Ticket, Judged),
    /// The user asks for something of the server's rooms.
    RoomAction(RoomAction),
    /// The user is away, or, with no text, back.
    Away(String),
    /// The operator does something to an account.
    Operate(Nick, Operation),
    /// The host is about to end.
    ShutDown,
}

/// What a host found of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It has the hash.
    Right,
    /// It has none yet: this is it.
    Hashed(Vec<u8>),
    /// It has another.
    Wrong,
    /// The host has too much to do.
    Busy,
}

impl Judged {
    /// In a world, a password is its own hash.
    pub fn of(password: &[u8], hash: Option<&[u8]>) -> Self {
        match hash {
            None => Self::Hashed(password.to_vec()),
            Some(hash) if hash == password => Self::Right,
            Some(_) => Self::Wrong,
        }
    }

    fn as_judgement(&self) -> PasswordOutcome<'_> {
        match self {
            Self::Right => PasswordOutcome::Right,
            Self::Hashed(hash) => PasswordOutcome::Hashed(hash),
            Self::Wrong => PasswordOutcome::Wrong,
            Self::Busy => PasswordOutcome::Busy,
        }
    }
}

/// Something that a role owes.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Send a datagram.
    Send {
        /// To where.
        to: SocketAddr,
        /// What.
        datagram: Vec<u8>,
    },
    /// Ask the store.
    Ask(Ticket, Request),
    /// Judge a password, which was found to be this.
    Authenticate(Ticket, Judged),
    /// Tell a client's user; with a message's text.
    Tell(client::Event, Vec<u8>),
    /// Tell a server's user.
    Note(server::Event),
}

/// What came of an input.
#[derive(Debug, Default)]
pub struct RoomResponse {
    /// What the role owed, in its order.
    pub effects: Vec<Effect>,
    /// The drain came to its end.
    pub complete: bool,
    /// The answer to something said.
    pub said: Option<Result<MessageId, SendError>>,
    /// A command did nothing.
    pub idle: bool,
}

impl Role {
    /// Passes an input on, and takes up to `most` actions out.
    pub fn take(&mut self, now: Instant, input: Input, most: usize) -> RoomResponse {
        match self {
            Self::Client(client) => {
                let mut outcome = take_client(client, now, input);
                let tell = |event, text: &[u8]| Effect::Tell(event, text.to_vec());
                drain(client.as_mut(), now, most, &mut outcome, tell);
                outcome
            }
            Self::Server(server) => {
                let mut outcome = take_server(server, now, input);
                let tell = |event, _: &[u8]| Effect::Note(event);
                drain(server.as_mut(), now, most, &mut outcome, tell);
                outcome
            }
        }
    }

    /// When it wants to be asked at the latest.
    pub fn deadline(&mut self) -> Option<Instant> {
        match self {
            Self::Client(client) => client.deadline(),
            Self::Server(server) => server.deadline(),
        }
    }

    /// Mixes these bytes into its randomness, if it wants any.
    pub fn freshen(&mut self, fresh: impl FnOnce() -> [u8; 32]) {
        match self {
            Self::Client(client) => freshen(client.as_mut(), fresh),
            Self::Server(server) => freshen(server.as_mut(), fresh),
        }
    }

    /// The wall clock was set.
    pub fn set_clock(&mut self, clock: WallClock) {
        match self {
            Self::Client(client) => client.set_clock(clock),
            Self::Server(server) => server.set_clock(clock),
        }
    }

    /// What it has counted.
    pub fn statistics(&mut self) -> Statistics {
        match self {
            Self::Client(client) => client.statistics(),
            Self::Server(server) => server.statistics(),
        }
    }

    /// What it dropped so far.
    pub fn drops(&mut self) -> Drops {
        self.statistics().dropped
    }

    /// The client, if it is one.
    pub fn client(&mut self) -> Option<&mut Client<ClientMemory>> {
        match self {
            Self::Client(client) => Some(client),
            Self::Server(_) => None,
        }
    }

    /// The server, if it is one.
    pub fn server(&mut self) -> Option<&mut Server<ServerMemory>> {
        match self {
            Self::Client(_) => None,
            Self::Server(server) => Some(server),
        }
    }
}

fn freshen(role: &mut impl Machine, fresh: impl FnOnce() -> [u8; 32]) {
    if role.wants_seed() {
        let Ok(seed) = Seed::draw(|bytes| {
            bytes.copy_from_slice(&fresh());
            Ok::<_, Infallible>(())
        });
        role.reseed(seed);
    }
}

fn take_server(server: &mut Server<ServerMemory>, now: Instant, input: Input) -> RoomResponse {
    match input {
        Input::Operate(nick, operation) => {
            // It is up to the operator to try again.
            done(server.operate(now, &nick, operation))
        }
        other => take(server, now, other),
    }
}

fn take_client(client: &mut Client<ClientMemory>, now: Instant, input: Input) -> RoomResponse {
    match input {
        Input::Register => done(client.register(now)),
        Input::Deregister => done(client.deregister(now)),
        Input::RoomAction(action) => done(client.request(now, action)),
        Input::Away(text) => done(client.set_away(now, &text)),
        Input::Authenticate(password) => done(client.authenticate(now, password.as_bytes())),
        Input::Trust(nick, key) => done(client.trust(now, &nick, &key)),
        Input::ChangePassword(old, new) => {
            done(client.change_password(now, old.as_bytes(), new.as_bytes()))
        }
        Input::Endorse(key) => done(client.endorse(now, key)),
        Input::Verify(nick, key) => done(client.verify(now, &nick, &key)),
        Input::Say { to, text } => {
            let said = client.send_message(now, to, &text);
            RoomResponse { said: Some(said), ..done(said) }
        }
        other => take(client, now, other),
    }
}

/// A command was taken, or did nothing.
fn done<T, E>(result: Result<T, E>) -> RoomResponse {
    RoomResponse { idle: result.is_err(), ..RoomResponse::default() }
}

/// Passes on what both roles take.
fn take<M: Machine>(role: &mut M, now: Instant, input: Input) -> RoomResponse {
    let mut outcome = RoomResponse::default();
    match input {
        Input::Datagram { from, mut bytes, .. } => {
            if let Some(reply) = role.handle_datagram(now, from, &mut bytes) {
                outcome.effects.push(Effect::Send { to: from, datagram: reply.to_vec() });
            }
        }
        Input::Answer(Answer::Stored { ticket, done }) => {
            role.handle_stored(now, ticket, done.then_some(()).ok_or(StoreError));
        }
        Input::Answer(Answer::Read { ticket, found }) => {
            let records = found.iter().flat_map(|found| &found.records);
            let records: Vec<_> =
                records.map(|(number, bytes)| (*number, bytes.as_slice())).collect();
            let read = found.as_ref().map(|found| Records { records: &records, last: found.last });
            role.handle_read(now, ticket, read.ok_or(StoreError));
        }
        Input::Authenticated(ticket, judged) => {
            role.handle_checked(now, ticket, judged.as_judgement());
        }
        Input::ShutDown => role.shut_down(now),
        Input::Timeout => {}
        // What only the other role is told.
        _ => outcome.idle = true,
    }
    outcome
}

/// Takes up to `most` actions out of a role.
fn drain<M: Machine>(
    role: &mut M,
    now: Instant,
    most: usize,
    outcome: &mut RoomResponse,
    tell: impl Fn(M::Event, &[u8]) -> Effect,
) {
    let mut scratch = [0; MAX_DATAGRAM];
    while outcome.effects.len() < most {
        let Some(action) = role.poll(now, &mut scratch) else {
            outcome.complete = true;
            return;
        };
        outcome.effects.push(match action {
            Action::Send { to, datagram } => Effect::Send { to, datagram: datagram.to_vec() },
            Action::Put { ticket, log, number, record } => {
                Effect::Ask(ticket, Request::Put { log, number, record: record.to_vec() })
            }
            Action::Trim { ticket, log, upto } => Effect::Ask(ticket, Request::Trim { log, upto }),
            Action::Read { ticket, log, from, most } => {
                Effect::Ask(ticket, Request::Read { log, from, most })
            }
            Action::CheckPassword { ticket, password, hash } => {
                Effect::Authenticate(ticket, Judged::of(password, hash))
            }
            Action::Event { event, text } => tell(event, text),
        });
    }
}
