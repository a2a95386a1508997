//! Doing an operator's request to the store of a server that does not run.

use std::{
    path::Path,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::Duration,
};

use proto_core::{
    action::Action,
    id::SecretKey,
    server::{Actions, Config, Event, Resume, Server},
    session::{Identity, Portable},
    wire::MAX_DATAGRAM,
};

use super::{Account, ControlError, Reply, Request};
use crate::{
    clock::Clock,
    identity,
    memory::{ServerMemory, ServerSizes},
    store::{Answer, Store},
};

/// Longer than a disk takes for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// Opens the store and has a server without a socket do it.
pub(super) fn ask(store: &Path, request: &Request) -> Result<Reply, ControlError> {
    let mut offline = Offline::open(store)?;
    offline.wait_for(|event| (*event == Event::Ready).then_some(true))?;
    let Request::Operate(operation, nick) = *request else {
        let mut accounts = Vec::new();
        offline.server.for_each_account(|view| accounts.push(Account::from(view)));
        return Ok(Reply::Accounts(accounts));
    };
    let now = offline.clock.now();
    let mut events = Vec::new();
    drain(offline.server.operate(now, &nick, operation)?, &offline.store, &mut events);
    let done = offline.wait_for(|event| match event {
        Event::Operated { done, .. } => Some(*done),
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
        let seed = || {
            identity::seed()
                .map_err(|why| ControlError::System(std::io::Error::other(why.to_string())))
        };
        // Nobody talks to it, so any key will do.
        let identity = Identity::new(SecretKey(seed()?), &Portable);
        let resume = Resume { boot: store.boot(), clock: clock.wall() };
        let memory = ServerMemory::new(&ServerSizes::default());
        let server = Server::new(Config::default(), identity, seed()?, resume, clock.now(), memory)
            .map_err(|why| ControlError::System(std::io::Error::other(why)))?;
        Ok(Self { server, store, clock, woken })
    }

    /// Goes on until an event is what is waited for.
    fn wait_for(
        &mut self,
        mut is: impl FnMut(&Event) -> Option<bool>,
    ) -> Result<bool, ControlError> {
        let mut events = Vec::new();
        drain(self.server.poll_timeout(self.clock.now()), &self.store, &mut events);
        loop {
            for event in events.drain(..) {
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
            let answers: Vec<_> = self.store.answers().collect();
            for answer in answers {
                let now = self.clock.now();
                let actions = match &answer {
                    Answer::Stored { ticket, result } => {
                        self.server.handle_stored(now, *ticket, *result)
                    }
                    Answer::Loaded { ticket, result } => {
                        let loaded = result.as_ref().map(|loaded| loaded.as_loaded());
                        self.server.handle_loaded(now, *ticket, loaded.map_err(|why| *why))
                    }
                };
                drain(actions, &self.store, &mut events);
            }
        }
    }
}

fn drain(mut actions: Actions<'_>, store: &Store, events: &mut Vec<Event>) {
    let mut scratch = [0; MAX_DATAGRAM];
    let mut requests = store.requests();
    while let Some(action) = actions.next(&mut scratch) {
        match action {
            Action::Put { ticket, log, number } => {
                requests.put(ticket, log, number, actions.record());
            }
            Action::Forget { ticket, log, upto } => requests.forget(ticket, log, upto),
            Action::Load { ticket, log, from } => requests.load(ticket, log, from),
            Action::Event(event) => events.push(event),
            // There is nobody to talk to.
            Action::Send { .. } | Action::Authenticate { .. } => {}
        }
    }
}
