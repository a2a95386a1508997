//! A server and clients on a network in memory, on a simulated clock.

use std::{
    collections::VecDeque,
    convert::Infallible,
    mem,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use proto_core::{
    client::{self, Client},
    host::{Action, Log, Machine, Resume},
    id::{Nick, SecretKey},
    random::Seed,
    server::{self, Server},
    session::{Identity, Portable},
    time::{Instant, UnixTime, WallClock},
    wire::MAX_DATAGRAM,
};
use transport_mio::memory::{ServerMemory, ServerSizes};

use crate::{
    cost::{cpu, cpu_since},
    inbox::Inbox,
    store::Store,
};

/// Longer than any benchmark takes.
const NEVER: Duration = Duration::from_hours(1000);

/// A server and clients. A datagram arrives at once, and time goes on only when nobody has anything
/// to do.
#[allow(missing_debug_implementations)] // megabytes
pub struct World<S: client::Storage> {
    now: Instant,
    server: Node<Server<ServerMemory>>,
    clients: Vec<Node<Client<S>>>,
    wire: Wire,
    setting: Setting,
    server_cpu: Duration,
}

/// What a world is like.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The server's capacities.
    pub server: ServerSizes,
    /// How long a commit of a store takes; without a time, all stores answer at once.
    pub commit: Option<Duration>,
    /// Changes of the roster are told to everyone who is there, not only to those who come.
    pub pushes: bool,
    /// The server's CPU time is measured.
    pub timed: bool,
}

/// A role and its host.
struct Node<M> {
    at: SocketAddr,
    role: M,
    store: Store,
}

/// What is under way, by the place of whom it is for: the server has the first.
#[derive(Default)]
struct Wire {
    inboxes: Vec<Inbox>,
    ready: VecDeque<usize>,
    is_ready: Vec<bool>,
    /// The inbox that is being taken in, so that its memory is used again.
    spare: Inbox,
    datagrams: u64,
}

impl Wire {
    fn wake(&mut self, place: usize) {
        if !mem::replace(&mut self.is_ready[place], true) {
            self.ready.push_back(place);
        }
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        self.datagrams += 1;
        let place = place_of(to);
        self.inboxes[place].push(from, datagram);
        self.wake(place);
    }
}

impl<M: Machine> Node<M> {
    /// Hands over what has arrived, and only then does what the role owes.
    fn turn(
        &mut self,
        now: Instant,
        arrived: &mut Inbox,
        wire: &mut Wire,
        mut on_event: impl FnMut(&mut M, M::Event),
    ) {
        self.store.answer(&mut self.role, now);
        arrived.drain(|from, datagram| {
            if let Some(reply) = self.role.handle_datagram(now, from, datagram) {
                wire.send(self.at, from, reply);
            }
        });
        let Self { at, role, store } = self;
        let mut scratch = [0; MAX_DATAGRAM];
        while let Some(action) = role.poll(now, &mut scratch) {
            match action {
                Action::Send { to, datagram } => wire.send(*at, to, datagram),
                Action::Put { ticket, log, number, record } => {
                    let record = record.to_vec();
                    store.put(role, now, (ticket, log, number), record);
                }
                Action::Trim { ticket, log, upto } => store.trim(role, now, (ticket, log, upto)),
                Action::Read { ticket, log, from, most } => {
                    store.read(role, now, (ticket, log, from), most);
                }
                Action::CheckPassword { .. } => unreachable!("no account has a password"),
                Action::Event { event, .. } => on_event(role, event),
            }
        }
        self.store.begin(now);
    }

    fn deadline(&mut self) -> Option<Instant> {
        self.role.deadline().into_iter().chain(self.store.deadline()).min()
    }
}

impl<S: client::Storage> World<S> {
    /// A server that nobody is at yet.
    ///
    /// # Panics
    /// If its capacities do not fit together.
    pub fn new(setting: Setting) -> Self {
        let now = Instant::default();
        let push = if setting.pushes { server::Config::default().push } else { NEVER };
        let mut config = server::Config::default();
        // What is measured is said faster than anyone may say it.
        (config.room_messages.interval, config.room_bytes.interval) = Default::default();
        config.push = push;
        let memory = ServerMemory::new(&setting.server);
        let server = Server::new(config, identity(0), seed(0), resume(now), now, memory)
            .expect("its tables fit together");
        let node = Node { at: address(0, true), role: server, store: Store::new(setting.commit) };
        let mut world = Self {
            now,
            server: node,
            clients: Vec::new(),
            wire: Wire::default(),
            setting,
            server_cpu: Duration::ZERO,
        };
        world.add_place();
        world.settle(|_, _, _, _| {});
        world
    }

    /// A client comes and registers. Of one at a private address, others are told none. One that
    /// comes `like` another has met all whom that one has a conversation with, and its rooms.
    ///
    /// # Panics
    /// If its capacities do not fit together.
    pub fn join(&mut self, nick: &str, memory: S, public: bool, like: Option<usize>) -> usize {
        let client = self.clients.len();
        let number = client + 1;
        let nick = Nick::new(nick).expect("a nick");
        let config = client::Config::new(nick, self.server.at, Some(self.server.role.key()));
        let resume = resume(self.now);
        let role = Client::new(config, identity(number), seed(number), resume, self.now, memory)
            .expect("its tables fit together");
        let mut store = Store::new(self.setting.commit);
        if let Some(like) = like {
            store.copy(Log::Conversations, &self.clients[like].store);
        }
        self.clients.push(Node { at: address(number, public), role, store });
        self.add_place();
        self.command(client, |client, now| client.register(now).expect("it is offline"));
        client
    }

    fn add_place(&mut self) {
        self.wire.inboxes.push(Inbox::default());
        self.wire.is_ready.push(false);
        self.wire.wake(self.wire.inboxes.len() - 1);
    }

    /// Gives a client a command.
    pub fn command<T>(
        &mut self,
        client: usize,
        command: impl FnOnce(&mut Client<S>, Instant) -> T,
    ) -> T {
        self.wire.wake(client + 1);
        command(&mut self.clients[client].role, self.now)
    }

    /// Lets someone who has something to do take a turn; if nobody has, time goes on. `on_event`
    /// gets what a client tells, and the client, which it may give commands.
    ///
    /// # Panics
    /// If nobody waits for anything.
    pub fn step(&mut self, on_event: impl FnMut(usize, &mut Client<S>, Instant, client::Event)) {
        if self.wire.ready.is_empty() {
            let next = self.next_deadline().expect("someone waits for something");
            self.pass(next);
        }
        self.turn(on_event);
    }

    /// Takes turns until nobody has anything to do for a while.
    pub fn settle(
        &mut self,
        mut on_event: impl FnMut(usize, &mut Client<S>, Instant, client::Event),
    ) {
        const WHILE: Duration = Duration::from_secs(1);
        loop {
            while !self.wire.ready.is_empty() {
                self.turn(&mut on_event);
            }
            match self.next_deadline() {
                Some(next) if next < self.now + WHILE => self.pass(next),
                _ => return,
            }
        }
    }

    fn turn(&mut self, mut on_event: impl FnMut(usize, &mut Client<S>, Instant, client::Event)) {
        let Some(place) = self.wire.ready.pop_front() else { return };
        let Self { now, server, clients, wire, setting, server_cpu } = self;
        wire.is_ready[place] = false;
        let spare = mem::take(&mut wire.spare);
        let mut arrived = mem::replace(&mut wire.inboxes[place], spare);
        if let Some(client) = place.checked_sub(1) {
            clients[client].turn(*now, &mut arrived, wire, |role, event| {
                on_event(client, role, *now, event);
            });
        } else {
            let start = setting.timed.then(cpu);
            server.turn(*now, &mut arrived, wire, |_, _| {});
            *server_cpu += start.map_or(Duration::ZERO, cpu_since);
        }
        wire.spare = arrived;
    }

    fn next_deadline(&mut self) -> Option<Instant> {
        let clients = self.clients.iter_mut().filter_map(Node::deadline).min();
        self.server.deadline().into_iter().chain(clients).min()
    }

    /// Time goes on, and whoever waited for that has something to do.
    fn pass(&mut self, next: Instant) {
        self.now = self.now.max(next);
        let Self { now, server, clients, wire, .. } = self;
        let mut look = |place, deadline: Option<Instant>| {
            if deadline.is_some_and(|at| at <= *now) {
                wire.wake(place);
            }
        };
        look(0, server.deadline());
        for (client, node) in clients.iter_mut().enumerate() {
            look(client + 1, node.deadline());
        }
    }

    /// The simulated time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// How many datagrams were sent so far.
    pub fn datagrams(&self) -> u64 {
        self.wire.datagrams
    }

    /// The CPU time of the server since this was asked last, its host's included.
    pub fn take_server_cpu(&mut self) -> Duration {
        mem::take(&mut self.server_cpu)
    }
}

/// Where the server or a client is: its number is in the address.
fn address(number: usize, public: bool) -> SocketAddr {
    let [.., a, b, c] = (number as u32).to_be_bytes();
    let network = if public { 20 } else { 10 };
    SocketAddr::from((Ipv4Addr::new(network, a, b, c), 1000))
}

fn place_of(address: SocketAddr) -> usize {
    let SocketAddr::V4(address) = address else { unreachable!("nobody is anywhere else") };
    let [_, a, b, c] = address.ip().octets();
    u32::from_be_bytes([0, a, b, c]) as usize
}

/// Nobody else is here to guess it.
fn identity(number: usize) -> Identity {
    let mut secret = [1; 32];
    // X25519 does not look at the lowest bits.
    secret[8..16].copy_from_slice(&(number as u64).to_le_bytes());
    Identity::new(SecretKey(secret), &Portable)
}

fn seed(number: usize) -> Seed {
    let fill = |seed: &mut [u8]| {
        seed.fill(2);
        seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
        Ok::<_, Infallible>(())
    };
    Seed::draw(fill).expect("it always is there")
}

fn resume(now: Instant) -> Resume {
    let unix = UnixTime(2_000_000_000_000_000 + now.as_micros());
    Resume { boot: 1, clock: WallClock { at: now, unix } }
}
