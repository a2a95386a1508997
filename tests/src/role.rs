//! A client or a server behind one face: an input goes in, what it owes comes out.

use std::net::SocketAddr;

use proto_core::{
    action::{Action, Judgement, Loaded, Log, StoreError, Ticket},
    client::{self, Client, CommandError, MessageId, SayError, To},
    id::Nick,
    link::Drops,
    server::{self, Operation, Server},
    time::{Instant, WallClock},
    wire::{MAX_DATAGRAM, Wish},
};

use crate::{
    memory::{ClientMemory, ServerMemory},
    store::{Answer, Found, Request},
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
    /// The host has judged a password: what it found, and the hash it made.
    Authenticated(Ticket, Judged),
    /// The user wishes something of the server's rooms.
    Wish(Wish),
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

    fn as_judgement(&self) -> Judgement<'_> {
        match self {
            Self::Right => Judgement::Right,
            Self::Hashed(hash) => Judgement::Hashed(hash),
            Self::Wrong => Judgement::Wrong,
            Self::Busy => Judgement::Busy,
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
pub struct Outcome {
    /// What the role owed, in its order.
    pub effects: Vec<Effect>,
    /// There was a drain: a command that does nothing has none.
    pub drained: bool,
    /// The drain, if there was one, came to its end.
    pub complete: bool,
    /// The answer to something said.
    pub said: Option<Result<MessageId, SayError>>,
    /// Why a command did nothing.
    pub idle: Option<CommandError>,
}

/// Drains up to `$most` actions into an outcome.
macro_rules! drain {
    ($actions:expr, $most:expr, $event:expr, $judge:expr) => {{
        let mut actions = $actions;
        let mut outcome = Outcome { drained: true, ..Outcome::default() };
        let mut scratch = [0; MAX_DATAGRAM];
        while outcome.effects.len() < $most {
            let Some(action) = actions.next(&mut scratch) else {
                outcome.complete = true;
                break;
            };
            let effect = match action {
                Action::Send { to, datagram } => Effect::Send { to, datagram: datagram.to_vec() },
                Action::Put { ticket, log, number } => put(ticket, log, number, actions.record()),
                Action::Forget { ticket, log, upto } => {
                    Effect::Ask(ticket, Request::Forget { log, upto })
                }
                Action::Load { ticket, log, from } => {
                    Effect::Ask(ticket, Request::Load { log, from })
                }
                Action::Authenticate { ticket } => $judge(&actions, ticket),
                Action::Event(event) => $event(&actions, event),
            };
            outcome.effects.push(effect);
        }
        outcome
    }};
}

fn put(ticket: Ticket, log: Log, number: u64, record: &[u8]) -> Effect {
    Effect::Ask(ticket, Request::Put { log, number, record: record.to_vec() })
}

impl Role {
    /// Passes an input on, and takes up to `most` actions out.
    pub fn take(&mut self, now: Instant, input: Input, most: usize) -> Outcome {
        match self {
            Self::Client(client) => take_client(client, now, input, most),
            Self::Server(server) => take_server(server, now, input, most),
        }
    }

    /// When it wants to be asked at the latest.
    pub fn deadline(&mut self) -> Option<Instant> {
        match self {
            Self::Client(client) => client.deadline(),
            Self::Server(server) => server.deadline(),
        }
    }

    /// The wall clock was set.
    pub fn set_clock(&mut self, clock: WallClock) {
        match self {
            Self::Client(client) => client.set_clock(clock),
            Self::Server(server) => server.set_clock(clock),
        }
    }

    /// What it dropped so far.
    pub fn drops(&self) -> Drops {
        match self {
            Self::Client(client) => client.drops(),
            Self::Server(server) => server.drops(),
        }
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

fn take_server(
    server: &mut Server<ServerMemory>,
    now: Instant,
    input: Input,
    most: usize,
) -> Outcome {
    let note = |_: &server::Actions<'_>, event| Effect::Note(event);
    let judge = |actions: &server::Actions<'_>, ticket| {
        Effect::Authenticate(ticket, Judged::of(actions.password(), actions.hash()))
    };
    match input {
        Input::Datagram { from, mut bytes, .. } => {
            drain!(server.handle_datagram(now, from, &mut bytes), most, note, judge)
        }
        Input::Timeout => drain!(server.poll_timeout(now), most, note, judge),
        Input::Answer(Answer::Stored { ticket, done }) => {
            drain!(server.handle_stored(now, ticket, stored(done)), most, note, judge)
        }
        Input::Answer(Answer::Loaded { ticket, found }) => {
            drain!(server.handle_loaded(now, ticket, loaded(found.as_ref())), most, note, judge)
        }
        Input::Authenticated(ticket, judged) => {
            let judgement = judged.as_judgement();
            drain!(server.handle_authenticated(now, ticket, judgement), most, note, judge)
        }
        Input::ShutDown => drain!(server.shut_down(now), most, note, judge),
        Input::Operate(nick, operation) => match server.operate(now, &nick, operation) {
            Ok(actions) => drain!(actions, most, note, judge),
            // It is up to the operator to try again.
            Err(_) => Outcome { complete: true, ..Outcome::default() },
        },
        Input::Register
        | Input::Deregister
        | Input::Say { .. }
        | Input::Wish(_)
        | Input::Away(_)
        | Input::Authenticate(_) => Outcome::default(),
    }
}

fn take_client(
    client: &mut Client<ClientMemory>,
    now: Instant,
    input: Input,
    most: usize,
) -> Outcome {
    let tell = |actions: &client::Actions<'_>, event| {
        let text = match event {
            client::Event::Message { .. }
            | client::Event::RoomMessage { .. }
            | client::Event::Names { .. } => actions.text().to_vec(),
            _ => Vec::new(),
        };
        Effect::Tell(event, text)
    };
    // A client is asked for passwords by its server, and asks its host for nothing.
    let judge = |_: &client::Actions<'_>, ticket| Effect::Authenticate(ticket, Judged::Wrong);
    let command = |result: Result<client::Actions<'_>, CommandError>| match result {
        Ok(actions) => drain!(actions, most, tell, judge),
        Err(idle) => Outcome { complete: true, idle: Some(idle), ..Outcome::default() },
    };
    match input {
        Input::Datagram { from, mut bytes, .. } => {
            drain!(client.handle_datagram(now, from, &mut bytes), most, tell, judge)
        }
        Input::Timeout => drain!(client.poll_timeout(now), most, tell, judge),
        Input::Answer(Answer::Stored { ticket, done }) => {
            drain!(client.handle_stored(now, ticket, stored(done)), most, tell, judge)
        }
        Input::Answer(Answer::Loaded { ticket, found }) => {
            drain!(client.handle_loaded(now, ticket, loaded(found.as_ref())), most, tell, judge)
        }
        Input::Register => command(client.register(now)),
        Input::Deregister => command(client.deregister(now)),
        Input::Wish(wish) => command(client.wish(now, wish)),
        Input::Away(text) => command(client.set_away(now, &text)),
        Input::Say { to, text } => match client.say(now, to, &text) {
            Ok((id, actions)) => {
                Outcome { said: Some(Ok(id)), ..drain!(actions, most, tell, judge) }
            }
            Err(why) => Outcome { complete: true, said: Some(Err(why)), ..Outcome::default() },
        },
        Input::Authenticate(password) => match client.authenticate(now, password.as_bytes()) {
            Ok(actions) => drain!(actions, most, tell, judge),
            Err(_) => Outcome { complete: true, ..Outcome::default() },
        },
        Input::Authenticated(..) | Input::Operate(..) => Outcome::default(),
        Input::ShutDown => drain!(client.shut_down(now), most, tell, judge),
    }
}

fn stored(done: bool) -> Result<(), StoreError> {
    if done { Ok(()) } else { Err(StoreError) }
}

fn loaded(found: Option<&Found>) -> Result<Loaded<'_>, StoreError> {
    let (record, head) = found.ok_or(StoreError)?;
    let record = record.as_ref().map(|(number, bytes)| (*number, bytes.as_slice()));
    Ok(Loaded { record, head: *head })
}
