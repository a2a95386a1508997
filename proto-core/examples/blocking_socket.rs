//! A driver over blocking sockets, with the deadline as read timeout: a server and
//! two clients, each in a thread of its own, until one has heard the other.
//!
//! `cargo run -p proto-core --example blocking_socket`
use std::net::{SocketAddr, UdpSocket};
use std::{
    collections::VecDeque, error::Error, fs::File, io, io::Read, sync::LazyLock, thread, time,
};

use proto_core::action::{Action, Loaded, Log, StoreError};
use proto_core::client::{self, Client, Event};
use proto_core::server::{self, Resume, Server};
use proto_core::time::{Instant, UnixTime, WallClock};
use proto_core::{
    id::Nick, id::SecretKey, session::Identity, session::Portable, wire::MAX_DATAGRAM,
};

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

fn now() -> Instant {
    static START: LazyLock<time::Instant> = LazyLock::new(time::Instant::now);
    Instant::from_micros(START.elapsed().as_micros() as u64)
}

/// A new identity, a seed, and all that is known of earlier runs: nothing.
fn fresh() -> io::Result<(Identity, [u8; 32], Resume)> {
    let (mut secret, mut seed) = ([0; 32], [0; 32]);
    let mut source = File::open("/dev/urandom")?;
    source.read_exact(&mut secret).and_then(|()| source.read_exact(&mut seed))?;
    let unix = time::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros() as u64;
    let resume = Resume { boot: 1, clock: WallClock { at: now(), unix: UnixTime(unix) } };
    Ok((Identity::new(SecretKey(secret), &Portable), seed, resume))
}

/// Carries out all that is owed after an input; each answer to a request is an input, too.
macro_rules! drive {
    ($role:ident, $socket:ident, $input:expr, $tell:expr) => {{
        let (mut scratch, mut asked) = ([0; MAX_DATAGRAM], VecDeque::new());
        let mut actions = $input;
        loop {
            while let Some(action) = actions.next(&mut scratch) {
                match action {
                    // What the system does not take is lost, as anywhere on the way.
                    Action::Send { to, datagram } => drop($socket.send_to(datagram, to)),
                    // Mail must outlive its host, and this one keeps nothing.
                    Action::Put { ticket, log: Log::Mailbox(_), .. } => {
                        asked.push_back((ticket, Some(Err(StoreError))));
                    }
                    Action::Put { ticket, .. } | Action::Forget { ticket, .. } => {
                        asked.push_back((ticket, Some(Ok(()))));
                    }
                    Action::Load { ticket, .. } => asked.push_back((ticket, None)),
                    Action::Event(event) => $tell(event),
                }
            }
            let nothing = Loaded { record: None, head: 0 };
            actions = match asked.pop_front() {
                None => break,
                Some((ticket, Some(done))) => $role.handle_stored(now(), ticket, done),
                Some((ticket, None)) => $role.handle_loaded(now(), ticket, Ok(nothing)),
            };
        }
    }};
}

/// Waits for a datagram until the deadline at the latest; then does what came and what is due.
macro_rules! turn {
    ($role:ident, $socket:ident, $tell:expr) => {{
        let mut bytes = [0; MAX_DATAGRAM];
        // A timeout of zero would mean none.
        let wait = $role.deadline().map(|at| at.since(now()).max(time::Duration::from_micros(1)));
        $socket.set_read_timeout(wait)?;
        if let Ok((length, from)) = $socket.recv_from(&mut bytes) {
            drive!($role, $socket, $role.handle_datagram(now(), from, &mut bytes[..length]), $tell);
        }
        drive!($role, $socket, $role.poll_timeout(now()), $tell);
    }};
}

fn serve(socket: &UdpSocket) -> Outcome {
    let (identity, seed, resume) = fresh()?;
    let mut memory = Box::new(server::Fixed::<8, 8, 16, 64, 64>::new());
    let mut server =
        Server::new(server::Config::default(), identity, seed, resume, now(), &mut *memory);
    loop {
        turn!(server, socket, |event| println!("server: {event:?}"));
    }
}

/// Chats as `nick` until a message of its own was delivered or one of another's came.
fn chat(nick: &str, server: SocketAddr, say: Option<(&str, &str)>) -> Outcome {
    let socket = &UdpSocket::bind("127.0.0.1:0")?;
    let (identity, seed, resume) = fresh()?;
    let config = client::Config::new(Nick::new(nick)?, server, None);
    let mut memory = Box::new(client::Fixed::<4, 8, 16, 64, 32, 1024>::new());
    let mut client = Client::new(config, identity, seed, resume, now(), &mut *memory);
    let (mut said, mut done) = (false, false);
    let mut tell = |event| {
        println!("{nick}: {event:?}");
        done |= matches!(event, Event::Message { .. } | Event::Verdict { .. });
    };
    drive!(client, socket, client.register(now())?, tell);
    while !done {
        turn!(client, socket, tell);
    }
    Ok(())
}
