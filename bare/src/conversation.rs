//! Bob comes, Alice comes and says something to Bob; Bob goes, Alice says something
//! more, which the server keeps; Bob comes back and has it.

use core::{
    mem::MaybeUninit,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
};

use proto_core::{
    client::{self, Client, Event, Verdict},
    host::{Action, Machine, Records, Resume},
    id::{Nick, PublicKey, SecretKey},
    random::Seed,
    server::{self, Server},
    session::{Identity, Portable},
    text_bound,
    time::{Instant, WallClock},
    wire::MAX_DATAGRAM,
};

use crate::store::Store;

/// The longest text, in bytes.
const TEXT: usize = 200;
/// The longest record, in bytes.
pub const WORK: usize = text_bound(TEXT);

type ServerTables = server::Fixed<
    server::fixed::Links<8>,
    server::fixed::Accounts<8>,
    server::fixed::Rooms<8>,
    server::fixed::Members<16>,
    server::fixed::Entries<8>,
    server::fixed::Blocks<32>,
    server::fixed::Packets<32>,
    server::fixed::Work<WORK>,
>;
type ClientTables = client::Fixed<
    client::fixed::Links<4>,
    client::fixed::Peers<8>,
    client::fixed::Outgoing<4>,
    client::fixed::Incoming<4>,
    client::fixed::Blocks<32>,
    client::fixed::Packets<16>,
    client::fixed::Work<WORK>,
>;
type LentServer = Server<&'static mut ServerTables>;
type LentClient = Client<&'static mut ClientTables>;

/// All that outlives a call: a device's stack is small.
pub struct Memory {
    server: (ServerTables, MaybeUninit<LentServer>),
    alice: (ClientTables, MaybeUninit<LentClient>),
    bob: (ClientTables, MaybeUninit<LentClient>),
    /// The server's, alice's and bob's.
    stores: [Store; 3],
    scratch: [u8; MAX_DATAGRAM],
}

impl Memory {
    /// What is in it, in bytes.
    #[cfg(target_os = "none")]
    pub const SIZES: [(&str, usize); 5] = [
        ("the server's tables", size_of::<ServerTables>()),
        ("the server beside them", size_of::<LentServer>()),
        ("each one's store", size_of::<Store>()),
        ("each client's tables", size_of::<ClientTables>()),
        ("each client beside them", size_of::<LentClient>()),
    ];

    pub const fn new() -> Self {
        Self {
            server: (ServerTables::new(), MaybeUninit::uninit()),
            alice: (ClientTables::new(), MaybeUninit::uninit()),
            bob: (ClientTables::new(), MaybeUninit::uninit()),
            stores: [const { Store::new() }; 3],
            scratch: [0; MAX_DATAGRAM],
        }
    }
}

/// Where each of the three is.
const SERVER: u16 = 1;
const ALICE: u16 = 2;
const BOB: u16 = 3;

const fn at(port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

const START: Instant = Instant::from_micros(0);
const RESUME: Resume = Resume { boot: 1, clock: WallClock::UNKNOWN };

/// Writes randomness from a source that gives nothing twice.
pub type Fill = fn(&mut [u8]) -> Result<(), NoRandomness>;

/// The source of randomness failed.
pub struct NoRandomness;

/// A new identity, and the randomness of a run. A real device keeps its identity.
// Not inlined: it takes 3 KB of stack, which would come on top of what moves.
#[inline(never)]
fn draw(fill: Fill) -> Result<(Identity, Seed), NoRandomness> {
    let mut key = SecretKey([0; 32]);
    fill(&mut key.0)?;
    Ok((Identity::new(key, &Portable), Seed::draw(fill)?))
}

// Not inlined: what moves over the stack while a role is made is gone before anything is said.
#[inline(never)]
fn new_server(
    (tables, place): &'static mut (ServerTables, MaybeUninit<LentServer>),
    (identity, seed): (Identity, Seed),
) -> Option<&'static mut LentServer> {
    let mut config = server::Config::default();
    config.text = TEXT as u32;
    Some(place.write(Server::new(config, identity, seed, RESUME, START, tables).ok()?))
}

#[inline(never)]
fn new_client(
    (tables, place): &'static mut (ClientTables, MaybeUninit<LentClient>),
    (identity, seed): (Identity, Seed),
    nick: &str,
    server: PublicKey,
) -> Option<&'static mut LentClient> {
    let mut config = client::Config::new(Nick::new(nick).ok()?, at(SERVER), Some(server));
    config.text = TEXT as u32;
    Some(place.write(Client::new(config, identity, seed, RESUME, START, tables).ok()?))
}

/// What the clients told so far.
#[derive(Default)]
struct Told {
    bob_came: u32,
    bob_went: u32,
    alice_knows_bob: bool,
    read: u32,
    stored: u32,
    delivered: u32,
}

/// The three, and a network that loses nothing and takes no time.
struct World {
    now: Instant,
    server: &'static mut LentServer,
    alice: &'static mut LentClient,
    bob: &'static mut LentClient,
    stores: [&'static mut Store; 3],
    scratch: &'static mut [u8; MAX_DATAGRAM],
    under_way: UnderWay,
    told: Told,
}

const SAID: [&str; 2] = ["hello", "for later"];

/// `None` if it did not go as it should.
pub fn converse(memory: &'static mut Memory, fill: Fill) -> Option<()> {
    let mut world = World::new(memory, fill)?;
    let bob = Nick::new("bob").ok()?;

    world.bob.register(world.now).ok()?;
    world.run_until(|told| told.bob_came == 1)?;
    world.alice.register(world.now).ok()?;
    world.run_until(|told| told.alice_knows_bob)?;
    world.alice.send_message(world.now, bob, SAID[0]).ok()?;
    world.run_until(|told| told.read == 1 && told.delivered == 1)?;
    world.bob.deregister(world.now).ok()?;
    world.run_until(|told| told.bob_went == 1)?;
    world.alice.send_message(world.now, bob, SAID[1]).ok()?;
    world.run_until(|told| told.stored == 1)?;
    world.bob.register(world.now).ok()?;
    world.run_until(|told| told.read == 2 && told.delivered == 2)
}

impl World {
    fn new(memory: &'static mut Memory, fill: Fill) -> Option<Self> {
        let Memory { server, alice, bob, stores, scratch } = memory;
        let server = new_server(server, draw(fill).ok()?)?;
        let key = server.key();
        Some(Self {
            now: START,
            server,
            alice: new_client(alice, draw(fill).ok()?, "alice", key)?,
            bob: new_client(bob, draw(fill).ok()?, "bob", key)?,
            stores: stores.each_mut(),
            scratch,
            under_way: None,
            told: Told::default(),
        })
    }

    /// Does all that is due, moving the clock on, until `done`.
    fn run_until(&mut self, done: fn(&Told) -> bool) -> Option<()> {
        while !done(&self.told) {
            if self.carry() || self.serve() || self.attend(ALICE) || self.attend(BOB) {
                continue;
            }
            let due = [self.server.deadline(), self.alice.deadline(), self.bob.deadline()];
            self.now = due.into_iter().flatten().min()?;
            if self.now > Instant::from_micros(60_000_000) {
                return None;
            }
        }
        Some(())
    }

    /// Does the next thing that the server owes; `false` if there is none.
    fn serve(&mut self) -> bool {
        let [store, ..] = &mut self.stores;
        act(self.now, SERVER, self.server, store, self.scratch, &mut self.under_way, |_, _| {})
    }

    /// Does the next thing that a client owes; `false` if there is none.
    fn attend(&mut self, port: u16) -> bool {
        let [_, alices, bobs] = &mut self.stores;
        let (client, store) =
            if port == ALICE { (&mut *self.alice, alices) } else { (&mut *self.bob, bobs) };
        let tell = |event, text: &[u8]| self.told.note(port, event, text);
        act(self.now, port, client, store, self.scratch, &mut self.under_way, tell)
    }

    /// Hands over the datagram under way; `false` if there is none.
    fn carry(&mut self) -> bool {
        let Some((from, to, length)) = self.under_way.take() else { return false };
        let (now, source, datagram) = (self.now, at(from), &mut self.scratch[..length]);
        let reply = match to.port() {
            SERVER => self.server.handle_datagram(now, source, datagram),
            ALICE => self.alice.handle_datagram(now, source, datagram),
            _ => self.bob.handle_datagram(now, source, datagram),
        };
        // It is where the datagram was.
        self.under_way = reply.map(|reply| (to.port(), source, reply.len()));
        true
    }
}

/// From where, to where, and how much of the scratch.
type UnderWay = Option<(u16, SocketAddr, usize)>;

/// Does the next thing that a role owes; `false` if there is none.
fn act<M: Machine>(
    now: Instant,
    port: u16,
    role: &mut M,
    store: &mut Store,
    scratch: &mut [u8; MAX_DATAGRAM],
    under_way: &mut UnderWay,
    mut tell: impl FnMut(M::Event, &[u8]),
) -> bool {
    let Some(action) = role.poll(now, scratch) else { return false };
    match action {
        Action::Send { to, datagram } => *under_way = Some((port, to, datagram.len())),
        Action::Put { ticket, log, number, record } => {
            let result = store.put(log, number, record);
            role.handle_stored(now, ticket, result);
        }
        Action::Trim { ticket, log, upto } => {
            store.trim(log, upto);
            role.handle_stored(now, ticket, Ok(()));
        }
        Action::Read { ticket, log, from, .. } => {
            let (found, last) = (store.first(log, from), store.last(log));
            role.handle_read(now, ticket, Ok(Records { records: found.as_slice(), last }));
        }
        Action::CheckPassword { .. } => {}
        Action::Event { event, text } => tell(event, text),
    }
    true
}

impl Told {
    fn note(&mut self, port: u16, event: Event, text: &[u8]) {
        match (port, event) {
            (BOB, Event::Registered { .. }) => self.bob_came += 1,
            (BOB, Event::Deregistered { answered: true }) => self.bob_went += 1,
            (BOB, Event::Message { by_server, .. }) => {
                let expected = SAID.get(self.read as usize).map(|said| said.as_bytes());
                self.read += u32::from(expected == Some(text) && by_server == (self.read == 1));
            }
            (ALICE, Event::RosterChanged) => self.alice_knows_bob = true,
            (ALICE, Event::Verdict { verdict: Verdict::Stored, .. }) => self.stored += 1,
            (ALICE, Event::Verdict { verdict: Verdict::Delivered, .. }) => self.delivered += 1,
            _ => {}
        }
    }
}
