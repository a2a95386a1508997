//! Doing an operator's request to the store of a server that does not run.

use std::{
    path::Path,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::Duration,
};

use proto_core::{
    host::{Action, Machine, Resume},
    server::{Config, Event, Server},
    session::{Identity, Portable},
    wire::MAX_DATAGRAM,
};

use super::{Account, ControlError, Reply, Request};
use crate::{
    clock::Clock,
    identity::{self, IdentityError},
    memory::{ServerMemory, ServerSizes},
    store::Store,
};

/// Longer than a disk takes for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// Opens the store and has a server without a socket do it.
pub(super) fn ask(store: &Path, request: &Request) -> Result<Reply, ControlError> {
    let mut offline = Offline::open(store)?;
    offline.wait_for(|event| (*event == Event::Ready).then_some(true))?;
    let now = offline.clock.now();
    match *request {
        Request::List => {
            let mut accounts = Vec::new();
            offline.server.for_each_account(|view| accounts.push(Account::from(view)));
            return Ok(Reply::Accounts(accounts));
        }
        Request::Rooms => {
            let mut rooms = Vec::new();
            offline.server.for_each_room(|view| rooms.push(view));
            return Ok(Reply::Rooms(rooms));
        }
        Request::Operate(operation, nick) => offline.server.operate(now, &nick, operation)?,
        Request::OperateRoom(operation, room) => {
            if !offline.server.operate_room(now, &room, operation)? {
                return Ok(Reply::Done);
            }
        }
    }
    let done = offline.wait_for(|event| match event {
        Event::Operated { done, .. } | Event::RoomOperated { done, .. } => Some(*done),
        _ => None,
    })?;
    if done { Ok(Reply::Done) } else { Err(ControlError::Store) }
}

/// A server that nobody can reach.
struct Offline {
    server: Server<ServerMemory>,
    store: Store,
    clock: Clock,
    woken: Receiver<()>,
}

impl Offline {
    fn open(path: &Path) -> Result<Self, ControlError> {
        let (wake, woken) = mpsc::channel();
        let store = Store::open(path, move || {
            // Whoever waits no longer needs no wake.
            let _ = wake.send(());
        })?;
        let clock = Clock::start();
        let no_randomness =
            |why: IdentityError| ControlError::System(std::io::Error::other(why.to_string()));
        let seed = identity::seed().map_err(no_randomness)?;
        // Nobody talks to it, so any key will do.
        let identity = Identity::new(identity::draw().map_err(no_randomness)?, &Portable);
        let resume = Resume { boot: store.boot(), clock: clock.wall() };
        let memory = ServerMemory::new(&ServerSizes::default());
        let server = Server::new(Config::default(), identity, seed, resume, clock.now(), memory)
            .map_err(|why| ControlError::System(std::io::Error::other(why)))?;
        Ok(Self { server, store, clock, woken })
    }

    /// Goes on until an event is what is waited for.
    fn wait_for(
        &mut self,
        mut is: impl FnMut(&Event) -> Option<bool>,
    ) -> Result<bool, ControlError> {
        loop {
            for event in self.act() {
                if let Some(found) = is(&event) {
                    return Ok(found);
                }
                if event == Event::StoreFailed {
                    return Err(ControlError::Store);
                }
            }
            if self.woken.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                return Err(ControlError::Store);
            }
            for answer in self.store.answers() {
                answer.give_to(&mut self.server, self.clock.now());
            }
        }
    }

    /// Does what the server owes; what it tells.
    fn act(&mut self) -> Vec<Event> {
        let (mut scratch, mut events) = ([0; MAX_DATAGRAM], Vec::new());
        let mut requests = self.store.requests();
        while let Some(action) = self.server.poll(self.clock.now(), &mut scratch) {
            match action {
                Action::Put { ticket, log, number, record } => {
                    requests.put(ticket, log, number, record);
                }
                Action::Trim { ticket, log, upto } => requests.trim(ticket, log, upto),
                Action::Read { ticket, log, from, most } => requests.read(ticket, log, from, most),
                Action::Event { event, .. } => events.push(event),
                // There is nobody to talk to.
                Action::Send { .. } | Action::CheckPassword { .. } => {}
            }
        }
        events
    }
}
