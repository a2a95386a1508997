//! A host over blocking sockets, with the deadline as read timeout: a server and two clients, each
//! in a thread of its own, until one knows that the other got its message.
//!
//! Their stores last as long as the program, and answer at once. One that lasts longer is in the
//! example `tokio_chat`.
//!
//! `cargo run -p proto-core --example blocking_socket`
use std::net::{SocketAddr, UdpSocket};
use std::{collections::BTreeMap, fmt::Debug, io, sync::LazyLock, thread, time};

use proto_core::client::{self, Client, Event, Verdict};
use proto_core::host::{Action, Log, Machine, Records, Resume};
use proto_core::random::Seed;
use proto_core::server::{self, Server};
use proto_core::time::{Instant, UnixTime, WallClock};
use proto_core::wire::MAX_DATAGRAM;
use proto_core::{id::Nick, id::SecretKey, session::Identity, session::Portable, text_bound};

type ServerMemory = server::Fixed<
    server::fixed::Links<8>,
    server::fixed::Accounts<8>,
    server::fixed::Rooms<4>,
    server::fixed::Members<16>,
    server::fixed::Entries<16>,
    server::fixed::Blocks<64>,
    server::fixed::Packets<64>,
    server::fixed::Work<{ text_bound(400) }>,
>;
type ClientMemory = client::Fixed<
    client::fixed::Links<4>,
    client::fixed::Peers<8>,
    client::fixed::Outgoing<16>,
    client::fixed::Incoming<16>,
    client::fixed::Blocks<64>,
    client::fixed::Packets<32>,
    client::fixed::Work<{ text_bound(400) }>,
>;

fn now() -> Instant {
    static START: LazyLock<time::Instant> = LazyLock::new(time::Instant::now);
    Instant::from_micros(START.elapsed().as_micros() as u64)
}

/// A new identity, a seed, and all that is known of earlier runs: nothing.
fn fresh() -> io::Result<(Identity, Seed, Resume)> {
    let mut key = SecretKey([0; 32]);
    getrandom::fill(&mut key.0)?;
    let seed = Seed::draw(getrandom::fill)?;
    let unix = time::UNIX_EPOCH.elapsed().unwrap_or_default().as_micros() as u64;
    let resume = Resume { boot: 1, clock: WallClock { at: now(), unix: UnixTime(unix) } };
    Ok((Identity::new(key, &Portable), seed, resume))
}

/// A role, its socket, and a store that lasts as long as the program.
struct Host<M> {
    role: M,
    socket: UdpSocket,
    records: BTreeMap<(Log, u64), Vec<u8>>,
    lasts: BTreeMap<Log, u64>,
}

impl<M: Machine<Event: Debug>> Host<M> {
    fn new(role: M, socket: UdpSocket) -> Self {
        Self { role, socket, records: BTreeMap::new(), lasts: BTreeMap::new() }
    }

    /// Waits for a datagram until the deadline at the latest, takes in what has arrived, and
    /// does all that is owed then. Whether one of the events was what is waited for.
    fn turn(&mut self, awaited: impl Fn(&M::Event) -> bool) -> io::Result<bool> {
        let mut buffer = [0; MAX_DATAGRAM];
        let wait = self.role.deadline().map(|at| at.since(now()));
        // A timeout of zero would be none.
        self.socket.set_read_timeout(wait.map(|wait| wait.max(time::Duration::from_micros(1))))?;
        while let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
            if let Some(reply) = self.role.handle_datagram(now(), from, &mut buffer[..length]) {
                // What the system does not take is lost, as anywhere on the way; so below.
                let _ = self.socket.send_to(reply, from);
            }
            self.socket.set_nonblocking(true)?;
        }
        self.socket.set_nonblocking(false)?;
        let mut found = false;
        if self.role.wants_seed() {
            self.role.reseed(Seed::draw(getrandom::fill)?);
        }
        while let Some(action) = self.role.poll(now(), &mut buffer) {
            match action {
                Action::Send { to, datagram } => drop(self.socket.send_to(datagram, to)),
                Action::Put { ticket, log, number, record } => {
                    self.records.insert((log, number), record.to_vec());
                    let last = self.lasts.entry(log).or_default();
                    *last = number.max(*last);
                    self.role.handle_stored(now(), ticket, Ok(()));
                }
                Action::Trim { ticket, log, upto } => {
                    self.records.retain(|(of, number), _| *of != log || *number > upto);
                    self.role.handle_stored(now(), ticket, Ok(()));
                }
                Action::Read { ticket, log, from, most } => {
                    let found = self.records.range((log, from)..=(log, u64::MAX)).take(most);
                    let found: Vec<_> =
                        found.map(|((_, number), record)| (*number, &record[..])).collect();
                    let last = self.lasts.get(&log).copied().unwrap_or(0);
                    self.role.handle_read(now(), ticket, Ok(Records { records: &found, last }));
                }
                // The server's accounts have no passwords.
                Action::CheckPassword { .. } => {}
                Action::Event { event, .. } => {
                    println!("{event:?}");
                    found |= awaited(&event);
                }
            }
        }
        Ok(found)
    }
}

fn serve(socket: UdpSocket) -> io::Result<()> {
    let ((identity, seed, resume), config) = (fresh()?, server::Config::default());
    let memory = Box::new(ServerMemory::new());
    let server = Server::new(config, identity, seed, resume, now(), memory);
    let mut host = Host::new(server.map_err(io::Error::other)?, socket);
    loop {
        host.turn(|_| false)?;
    }
}

/// Chats as `nick`; says one thing, if it is to, until that is delivered.
fn chat(nick: Nick, server: SocketAddr, mut say: Option<(Nick, &str)>) -> io::Result<()> {
    let (identity, seed, resume) = fresh()?;
    let config = client::Config::new(nick, server, None);
    let memory = Box::new(ClientMemory::new());
    let client = Client::new(config, identity, seed, resume, now(), memory);
    let mut host = Host::new(client.map_err(io::Error::other)?, UdpSocket::bind("127.0.0.1:0")?);
    host.role.register(now()).map_err(io::Error::other)?;
    let delivered =
        |event: &Event| matches!(event, Event::Verdict { verdict: Verdict::Delivered, .. });
    while !host.turn(delivered)? {
        // Nobody is known before the roster came.
        say.take_if(|(to, text)| host.role.send_message(now(), *to, text).is_ok());
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let [x, y] = ["x", "y"].map(|nick| Nick::new(nick).expect("a letter is a nick"));
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let server = socket.local_addr()?;
    thread::spawn(move || serve(socket));
    thread::spawn(move || chat(y, server, None));
    chat(x, server, Some((y, "hello")))
}
