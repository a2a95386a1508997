//! A driver over blocking sockets, with the deadline as read timeout: a server and two
//! clients, each in a thread of its own, until one knows that the other got its message.
//!
//! `cargo run -p proto-core --example blocking_socket`
use std::net::{SocketAddr, UdpSocket};
use std::{fs::File, io, io::Read, sync::LazyLock, thread, time};

use proto_core::action::{Action, Loaded, Log, StoreError};
use proto_core::client::{self, Client, Event, Verdict};
use proto_core::server::{self, Resume, Server};
use proto_core::time::{Instant, UnixTime, WallClock};
use proto_core::wire::MAX_DATAGRAM;
use proto_core::{id::Nick, id::SecretKey, session::Identity, session::Portable};

fn now() -> Instant {
    static START: LazyLock<time::Instant> = LazyLock::new(time::Instant::now);
    Instant::from_micros(START.elapsed().as_micros() as u64)
}

/// A new identity, a seed, and all that is known of earlier runs: nothing.
fn fresh() -> io::Result<(Identity, [u8; 32], Resume)> {
    let mut bytes = [[0; 32]; 2];
    File::open("/dev/urandom")?.read_exact(bytes.as_flattened_mut())?;
    let unix = time::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros() as u64;
    let resume = Resume { boot: 1, clock: WallClock { at: now(), unix: UnixTime(unix) } };
    Ok((Identity::new(SecretKey(bytes[0]), &Portable), bytes[1], resume))
}

/// Waits for a datagram until the deadline at the latest, and carries out all that is owed
/// then. Whether one of the events was what the host waits for.
macro_rules! turn {
    ($role:ident, $socket:ident, $awaited:expr) => {{
        let (mut scratch, mut found) = ([0; MAX_DATAGRAM], false);
        let (mut puts, mut loads) = (Vec::new(), Vec::new());
        // A timeout of zero would be none.
        let wait = $role.deadline().map(|at| at.since(now()).max(time::Duration::from_micros(1)));
        $socket.set_read_timeout(wait)?;
        if let Ok((length, from)) = $socket.recv_from(&mut scratch) {
            // A drain that is dropped loses nothing: the next one gives what this one would have.
            let _ = $role.handle_datagram(now(), from, &mut scratch[..length]);
        }
        let mut actions = $role.poll_timeout(now());
        while let Some(action) = actions.next(&mut scratch) {
            match action {
                // What the system does not take is lost, as anywhere on the way.
                Action::Send { to, datagram } => drop($socket.send_to(datagram, to)),
                // This host keeps nothing, so it cannot take mail into its care.
                Action::Put { ticket, log, .. } => {
                    puts.push((ticket, !matches!(log, Log::Mailbox(_))))
                }
                Action::Forget { ticket, .. } => puts.push((ticket, true)),
                Action::Load { ticket, .. } => loads.push(ticket),
                // Its accounts have no passwords.
                Action::Authenticate { .. } => {}
                Action::Event(event) => found |= $awaited(event),
            }
        }
        for (ticket, taken) in puts {
            let _ = $role.handle_stored(now(), ticket, taken.then_some(()).ok_or(StoreError));
        }
        for ticket in loads {
            let _ = $role.handle_loaded(now(), ticket, Ok(Loaded { record: None, head: 0 }));
        }
        found
    }};
}

fn serve(socket: &UdpSocket) -> io::Result<()> {
    let ((identity, seed, resume), config) = (fresh()?, server::Config::default());
    let memory = server::Fixed::<8, 8, 16, 64, 64, 1024>::new();
    let mut server =
        Server::new(config, identity, seed, resume, now(), memory).map_err(io::Error::other)?;
    // No record is damaged where none is kept, so this does not end.
    while !turn!(server, socket, |event| dbg!(event) == server::Event::Damaged) {}
    Ok(())
}

/// Chats as `nick`; says one thing, if it is to, until that is delivered.
fn chat(nick: Nick, server: SocketAddr, mut say: Option<(Nick, &str)>) -> io::Result<()> {
    let (socket, (identity, seed, resume)) = (&UdpSocket::bind("127.0.0.1:0")?, fresh()?);
    let config = client::Config::new(nick, server, None);
    let memory = client::Fixed::<4, 8, 16, 64, 32, 1024>::new();
    let mut client =
        Client::new(config, identity, seed, resume, now(), memory).map_err(io::Error::other)?;
    let _ = client.register(now());
    let delivered =
        |event| matches!(dbg!(event), Event::Verdict { verdict: Verdict::Delivered, .. });
    while !turn!(client, socket, delivered) {
        // Nobody is known before the roster came.
        say.take_if(|(to, text)| client.say(now(), *to, text).is_ok());
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let [x, y] = ["x", "y"].map(|nick| Nick::new(nick).expect("a letter is a nick"));
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let server = socket.local_addr()?;
    thread::spawn(move || serve(&socket));
    thread::spawn(move || chat(y, server, None));
    chat(x, server, Some((y, "hello")))
}
