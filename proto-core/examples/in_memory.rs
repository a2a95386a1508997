//! A host without sockets, clock or disk: it carries datagrams between a server and two clients
//! in memory, on a clock that it moves itself, and keeps what is to be durable in maps: it lasts
//! as long as the program. A store that lasts longer is in the example `tokio_chat`.
//!
//! `cargo run -p proto-core --example in_memory`
use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    fmt::Debug,
    net::SocketAddr,
};

use proto_core::{
    client::{self, Client},
    host::{Action, Log, Machine, Records, Resume},
    id::{Nick, SecretKey},
    random::Seed,
    server::{self, Server},
    session::{Identity, Portable},
    text_bound,
    time::{Instant, WallClock},
    wire::MAX_DATAGRAM,
};

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

/// Datagrams under way: from, to, bytes.
type Wire = VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>;

/// A store that lasts as long as the program. It answers at once.
#[derive(Default)]
struct Store {
    records: BTreeMap<(Log, u64), Vec<u8>>,
    /// The highest number ever put into each log.
    lasts: BTreeMap<Log, u64>,
}

/// A role and its host.
struct Node<M> {
    at: SocketAddr,
    role: M,
    store: Store,
}

impl<M: Machine<Event: Debug>> Node<M> {
    /// Hands over what has arrived, and only then does what the role owes.
    fn turn(&mut self, now: Instant, arrived: Vec<(SocketAddr, Vec<u8>)>, wire: &mut Wire) {
        if self.role.wants_seed()
            && let Ok(seed) = Seed::draw(getrandom::fill)
        {
            self.role.reseed(seed);
        }
        for (from, mut datagram) in arrived {
            if let Some(reply) = self.role.handle_datagram(now, from, &mut datagram) {
                wire.push_back((self.at, from, reply.to_vec()));
            }
        }
        let Store { records, lasts } = &mut self.store;
        let mut scratch = [0; MAX_DATAGRAM];
        while let Some(action) = self.role.poll(now, &mut scratch) {
            match action {
                Action::Send { to, datagram } => wire.push_back((self.at, to, datagram.to_vec())),
                Action::Put { ticket, log, number, record } => {
                    records.insert((log, number), record.to_vec());
                    let last = lasts.entry(log).or_default();
                    *last = number.max(*last);
                    self.role.handle_stored(now, ticket, Ok(()));
                }
                Action::Trim { ticket, log, upto } => {
                    records.retain(|(of, number), _| *of != log || *number > upto);
                    self.role.handle_stored(now, ticket, Ok(()));
                }
                Action::Read { ticket, log, from, most } => {
                    let found = records.range((log, from)..=(log, u64::MAX)).take(most);
                    let found: Vec<_> =
                        found.map(|((_, number), record)| (*number, &record[..])).collect();
                    let last = lasts.get(&log).copied().unwrap_or(0);
                    let found = Records { records: &found, last };
                    self.role.handle_read(now, ticket, Ok(found));
                }
                // The server's accounts have no passwords.
                Action::CheckPassword { .. } => {}
                Action::Event { event, text } => {
                    let text = String::from_utf8_lossy(text);
                    println!("port {}: {event:?} {text:?}", self.at.port());
                }
            }
        }
    }
}

/// What has arrived at an address.
fn arrived(wire: &mut Wire, at: SocketAddr) -> Vec<(SocketAddr, Vec<u8>)> {
    let (here, elsewhere) = std::mem::take(wire).into_iter().partition(|(_, to, _)| *to == at);
    *wire = elsewhere;
    let here: Wire = here;
    here.into_iter().map(|(from, _, datagram)| (from, datagram)).collect()
}

/// A new identity. A real host keeps its own, or nobody knows it again.
fn identity() -> Result<Identity, getrandom::Error> {
    let mut key = SecretKey([0; 32]);
    getrandom::fill(&mut key.0)?;
    Ok(Identity::new(key, &Portable))
}

fn main() -> Result<(), Box<dyn Error>> {
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let mut now = Instant::default();
    let resume = Resume { boot: 1, clock: WallClock::UNKNOWN };
    let (config, memory) = (server::Config::default(), Box::new(ServerMemory::new()));
    let server =
        Server::new(config, identity()?, Seed::draw(getrandom::fill)?, resume, now, memory)?;
    let key = Some(server.key());
    let client = |nick| -> Result<_, Box<dyn Error>> {
        let config = client::Config::new(Nick::new(nick)?, at(1), key);
        let (seed, memory) = (Seed::draw(getrandom::fill)?, Box::new(ClientMemory::new()));
        Ok(Client::new(config, identity()?, seed, resume, now, memory)?)
    };
    let mut server = Node { at: at(1), role: server, store: Store::default() };
    let mut x = Node { at: at(2), role: client("x")?, store: Store::default() };
    let mut y = Node { at: at(3), role: client("y")?, store: Store::default() };
    for node in [&mut x, &mut y] {
        node.role.register(now)?;
    }
    let (wire, mut said) = (&mut Wire::new(), false);
    while now < Instant::from_micros(2_000_000) {
        loop {
            server.turn(now, arrived(wire, server.at), wire);
            x.turn(now, arrived(wire, x.at), wire);
            y.turn(now, arrived(wire, y.at), wire);
            if wire.is_empty() {
                break;
            }
        }
        // Nobody is known before the roster came.
        said = said || x.role.send_message(now, Nick::new("y").expect("a nick"), "hello").is_ok();
        let deadlines = [server.role.deadline(), x.role.deadline(), y.role.deadline()];
        now = deadlines.into_iter().flatten().min().unwrap_or(now).max(now);
    }
    Ok(())
}
