//! A driver without sockets, clock or disk: shuttles datagrams between a server
//! and two clients in memory, on a clock that it moves itself.
//!
//! `cargo run -p proto-core --example in_memory`
use std::{collections::VecDeque, fmt::Debug, net::SocketAddr};

use proto_core::{
    StartError,
    action::{Action, Loaded, Ticket},
    client::{self, Client},
    id::{Nick, SecretKey},
    server::{self, Resume, Server},
    session::{Identity, Portable},
    time::{Instant, UnixTime, WallClock},
    wire::MAX_DATAGRAM,
};

type ServerMemory = server::Fixed<8, 8, 16, 64, 64, 1024>;
type ClientMemory = client::Fixed<4, 8, 16, 64, 32, 1024>;

/// Datagrams under way: from, to, bytes.
type Wire = VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>;

/// Requests that a host without a store answers at once.
type Asked = VecDeque<(Ticket, bool)>;

fn perform<E: Debug>(action: Action<'_, E>, at: SocketAddr, wire: &mut Wire, asked: &mut Asked) {
    match action {
        Action::Send { to, datagram } => wire.push_back((at, to, datagram.to_vec())),
        Action::Put { ticket, .. } | Action::Forget { ticket, .. } => {
            asked.push_back((ticket, false));
        }
        Action::Load { ticket, .. } => asked.push_back((ticket, true)),
        // The server's accounts have no passwords.
        Action::Authenticate { .. } => {}
        Action::Event(event) => println!("port {}: {event:?}", at.port()),
    }
}

/// Feeds `input` to a role, and then the answers to what it asks for.
macro_rules! drive {
    ($role:ident, $now:expr, $at:expr, $wire:expr, $input:expr) => {{
        let (mut scratch, mut asked) = ([0; MAX_DATAGRAM], Asked::new());
        let mut actions = $input;
        while let Some(action) = actions.next(&mut scratch) {
            perform(action, $at, $wire, &mut asked);
        }
        while let Some((ticket, load)) = asked.pop_front() {
            let nothing = Loaded { record: None, head: 0 };
            let mut actions = if load {
                $role.handle_loaded($now, ticket, Ok(nothing))
            } else {
                $role.handle_stored($now, ticket, Ok(()))
            };
            while let Some(action) = actions.next(&mut scratch) {
                perform(action, $at, $wire, &mut asked);
            }
        }
    }};
}

fn main() -> Result<(), StartError> {
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let identity = |n| Identity::new(SecretKey([n; 32]), &Portable);
    let mut now = Instant::default();
    let resume = Resume { boot: 1, clock: WallClock { at: now, unix: UnixTime(0) } };
    let (mut memory, mut x_memory, mut y_memory) = (
        Box::new(ServerMemory::new()),
        Box::new(ClientMemory::new()),
        Box::new(ClientMemory::new()),
    );
    let config = server::Config::default();
    let mut server = Server::new(config, identity(1), [1; 32], resume, now, &mut *memory)?;
    let key = Some(server.key());
    let config = |nick| client::Config::new(Nick::new(nick).unwrap(), at(1), key);
    let mut x = Client::new(config("x"), identity(2), [2; 32], resume, now, &mut *x_memory)?;
    let mut y = Client::new(config("y"), identity(3), [3; 32], resume, now, &mut *y_memory)?;
    let wire = &mut Wire::new();
    drive!(x, now, at(2), wire, x.register(now).unwrap());
    drive!(y, now, at(3), wire, y.register(now).unwrap());
    let mut said = false;
    while now < Instant::from_micros(2_000_000) {
        drive!(server, now, at(1), wire, server.poll_timeout(now));
        drive!(x, now, at(2), wire, x.poll_timeout(now));
        drive!(y, now, at(3), wire, y.poll_timeout(now));
        while let Some((from, to, mut bytes)) = wire.pop_front() {
            match to.port() {
                1 => {
                    drive!(server, now, at(1), wire, server.handle_datagram(now, from, &mut bytes));
                }
                2 => drive!(x, now, at(2), wire, x.handle_datagram(now, from, &mut bytes)),
                _ => drive!(y, now, at(3), wire, y.handle_datagram(now, from, &mut bytes)),
            }
        }
        if !said && let Ok((_, actions)) = x.say(now, Nick::new("y").unwrap(), "hello") {
            said = true;
            drive!(x, now, at(2), wire, actions);
        }
        let deadlines = [server.deadline(), x.deadline(), y.deadline()];
        now = deadlines.into_iter().flatten().min().unwrap_or(now).max(now);
    }
    Ok(())
}
