//! A server: alone, or beside a chat.

use std::{
    net::SocketAddr,
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use jiff::tz::TimeZone;
use proto_core::{
    id::PublicKey,
    server::{AccountView, Config, Event, Logins, Server, Storage},
    wire::{Presence, Retention},
};
#[cfg(unix)]
use transport_mio::control::Control;
use transport_mio::{
    directories::Directories,
    endpoint::{Running, ServerEndpoint},
    memory::{ServerMemory, ServerSizes},
};

use crate::{
    address::{self, Address},
    arguments::{self, Accounts, DAY, RoomLimits},
    input::{Audience, Inputs},
    names::PLACEHOLDER,
    screen::Screen,
    server_words::{self, ClassicServer, Row},
    session::Exit,
};

use super::{Form, RunError, server_side};

/// How often a store that goes on failing is told of.
const REMINDER: Duration = Duration::from_mins(1);

/// How many notices wait for the chat.
const NOTICES: usize = 64;

/// The lines that tell others how to join. A shell takes them as they are, with the
/// program called as it was for this one.
pub(super) fn invitation(server: SocketAddr, key: PublicKey) -> Vec<String> {
    let address = Address::new(server, Some(key));
    let called = std::env::args().next();
    let is_plain = |name: &String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/_-.".contains(c);
        !name.is_empty() && name.chars().all(plain)
    };
    let program = called.filter(is_plain).unwrap_or_else(|| "udpchat".to_owned());
    vec![
        format!("Others join with this line, with their own nick for {PLACEHOLDER}:"),
        format!("  {program} join {PLACEHOLDER} {address}"),
    ]
}

/// What to tell whoever starts a server on a port that had none, beside others that had: the port
/// may be mistyped.
pub(super) fn novelty(directories: &Directories, port: u16) -> Option<String> {
    let others = directories.server_ports();
    let ports: Vec<_> = others.iter().map(u16::to_string).collect();
    let is_new = !ports.is_empty() && !others.contains(&port);
    is_new.then(|| {
        format!(
            "This is a new server, with a new key. There are others here, on port {}.",
            ports.join(", ")
        )
    })
}

fn open(directories: &Directories, server: arguments::Server) -> Result<ServerEndpoint, RunError> {
    let directory = directories.server(server.port)?;
    let logins = match server.accounts {
        Accounts::Open => Logins::Open,
        Accounts::Password => Logins::Password,
    };
    let RoomLimits { members, entries, bytes, days, wait } = server.rooms;
    let room = Retention { entries, bytes, age: days.saturating_mul(DAY) };
    let reader_wait = Duration::from_secs(wait.into());
    let mut config = Config::default();
    (config.logins, config.members) = (logins, members);
    (config.room, config.reader_wait) = (room, reader_wait);
    let bind = server_side(server.bind, server.port);
    Ok(ServerEndpoint::open(&directory, bind, &ServerSizes::default(), config)?)
}

/// Serves until a signal to end comes.
pub(super) fn run(
    directories: &Directories,
    server: arguments::Server,
    form: Form,
) -> Result<Exit, RunError> {
    let novelty = novelty(directories, server.port);
    let mut endpoint = open(directories, server)?;
    let bind = server_side(server.bind, server.port);
    #[cfg(unix)]
    let control = control(directories, server.port, &endpoint);
    let handle = endpoint.handle();
    let wake = move || handle.wake();
    let inputs = Inputs::new();
    inputs.catch_signals(Audience::Everyone, wake.clone())?;
    let screen = Screen::plain(wake)?;
    let zone = TimeZone::system();
    let mut classic = ClassicServer::default();
    match form {
        Form::Classic => screen.show([ClassicServer::start(bind.port())]),
        Form::Modern => {
            screen.show(invitation(address::reachable(bind), endpoint.machine().key()));
            screen.show(novelty);
        }
    }
    #[cfg(unix)]
    screen.show(control.as_ref().err().cloned());
    let mut events = Vec::new();
    let mut told_failure = None;
    // A server whose output nobody reads any more serves on.
    while inputs.next(false).is_none() {
        endpoint.turn(None, |event, _| events.push(event))?;
        for event in events.drain(..) {
            #[cfg(unix)]
            if let Ok(control) = &control {
                control.notice(&event);
            }
            if event == Event::StoreFailed {
                // It may fail at everything that is asked for a while.
                if told_failure.is_some_and(|told: Instant| told.elapsed() < REMINDER) {
                    continue;
                }
                told_failure = Some(Instant::now());
                screen.show_if_room(endpoint.store().last_error().map(|it| it.to_string()));
            }
            screen.show_if_room(match form {
                Form::Classic => classic.lines(&event, &table(endpoint.machine())),
                Form::Modern => {
                    server_words::line(&event, endpoint.unix(), &zone).into_iter().collect()
                }
            });
        }
    }
    endpoint.shut_down(|_, _| ())?;
    screen.finish();
    Ok(Exit::Done)
}

/// Lets the operator at the accounts while the server runs; else why that cannot be.
#[cfg(unix)]
fn control(
    directories: &Directories,
    port: u16,
    endpoint: &ServerEndpoint,
) -> Result<Control, String> {
    let directory = directories.existing_server(port).map_err(|error| error.to_string())?;
    Control::start(&directory, endpoint.handle()).map_err(|cause| {
        format!(
            "There can be no socket for `udpchat accounts` in {}: {cause}. To use it, stop the \
             server first.",
            directory.display()
        )
    })
}

fn table(server: &mut Server<impl Storage>) -> Vec<Row> {
    let mut rows = Vec::new();
    server.for_each_account(|AccountView { account, nick, presence, .. }| {
        rows.push(Row { account, nick, online: presence == Presence::Online });
    });
    rows
}

/// A server at work beside a chat.
pub(super) struct Hosted {
    running: Running<Server<ServerMemory>>,
    /// Its key.
    pub(super) key: PublicKey,
    /// What its operator must see to.
    pub(super) notices: Receiver<String>,
}

impl Hosted {
    pub(super) fn start(
        directories: &Directories,
        server: arguments::Server,
    ) -> Result<Self, RunError> {
        let mut endpoint = open(directories, server)?;
        let key = endpoint.machine().key();
        let (notify, notices) = mpsc::sync_channel(NOTICES);
        #[cfg(unix)]
        let control = control(directories, server.port, &endpoint);
        #[cfg(unix)]
        if let Err(why) = &control {
            // As below.
            let _ = notify.try_send(why.clone());
        }
        let running = endpoint.spawn(move |event, _| {
            #[cfg(unix)]
            if let Ok(control) = &control {
                control.notice(&event);
            }
            if let Some(trouble) = server_words::trouble(&event) {
                // It is told in the chat's next turn, if there is still a chat, and not too much
                // is to be told already.
                let _ = notify.try_send(trouble);
            }
        })?;
        Ok(Self { running, key, notices })
    }

    pub(super) fn stop(self) -> Result<(), RunError> {
        Ok(self.running.stop()?)
    }
}
