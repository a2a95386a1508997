//! A role with live sessions, whose other ends are the fuzzer.

use std::{net::SocketAddr, time::Duration};

use proto_core::{
    action::{Loaded, StoreError, Ticket},
    client::{self, Client},
    id::{Account, Epoch, Nick, Number},
    record::record_bound,
    server::{self, Server},
    time::Instant,
    wire::{
        Deposit, Frame, Limits, MAX_DATAGRAM, Presence, Register, Registered, Roster, RosterEntry,
    },
};

use crate::{
    outside::{Answer, Outside, Request, address, end_identity, plaintext, role_identity},
    steps::{End, Step, Steps},
};

/// Fewer pairs than the ends can make, so that they give way to each other.
type ServerMemory = server::Fixed<8, 8, 4, 32, 16, { record_bound(2048) }>;
type ClientMemory = client::Fixed<4, 8, 8, 32, 16, { record_bound(2048) }>;

/// More actions than one input is ever worth with tables this small.
const MOST: usize = 2000;

/// What a host passes to either role.
enum Input<'a> {
    Datagram(SocketAddr, &'a mut [u8]),
    Timeout,
    Stored(Ticket, Result<(), StoreError>),
    Loaded(Ticket, Result<Loaded<'a>, StoreError>),
}

/// A role, and what its user does at it.
trait Role {
    /// Feeds an input to the role and does what it owes.
    fn take(&mut self, outside: &mut Outside, input: Input<'_>);
    fn deadline(&mut self) -> Option<Instant>;
    fn say(&mut self, outside: &mut Outside, to: End, text: &str);
    fn register(&mut self, outside: &mut Outside, online: bool);
}

macro_rules! drain {
    ($outside:ident, $actions:expr) => {{
        let mut scratch = [0; MAX_DATAGRAM];
        let mut actions = $actions;
        let mut count = 0;
        while let Some(action) = actions.next(&mut scratch) {
            $outside.perform(action, actions.record());
            count += 1;
            assert!(count < MOST, "one input is worth no end of work");
        }
    }};
}

macro_rules! take {
    ($role:ident, $outside:ident, $input:ident) => {{
        let now = $outside.now;
        drain!(
            $outside,
            match $input {
                Input::Datagram(from, bytes) => $role.handle_datagram(now, from, bytes),
                Input::Timeout => $role.poll_timeout(now),
                Input::Stored(ticket, result) => $role.handle_stored(now, ticket, result),
                Input::Loaded(ticket, result) => $role.handle_loaded(now, ticket, result),
            }
        );
    }};
}

impl Role for Server<ServerMemory> {
    fn take(&mut self, outside: &mut Outside, input: Input<'_>) {
        take!(self, outside, input);
    }

    fn deadline(&mut self) -> Option<Instant> {
        self.deadline()
    }

    fn say(&mut self, _: &mut Outside, _: End, _: &str) {}

    fn register(&mut self, _: &mut Outside, _: bool) {}
}

impl Role for Client<ClientMemory> {
    fn take(&mut self, outside: &mut Outside, input: Input<'_>) {
        take!(self, outside, input);
    }

    fn deadline(&mut self) -> Option<Instant> {
        self.deadline()
    }

    fn say(&mut self, outside: &mut Outside, to: End, text: &str) {
        if let Ok((_, actions)) = self.say(outside.now, &nick(to), text) {
            drain!(outside, actions);
        }
    }

    fn register(&mut self, outside: &mut Outside, online: bool) {
        let now = outside.now;
        let command = if online { self.register(now) } else { self.deregister(now) };
        if let Ok(actions) = command {
            drain!(outside, actions);
        }
    }
}

/// A role and the world around it.
struct World<R> {
    role: Box<R>,
    outside: Outside,
}

impl<R: Role> World<R> {
    fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Frames(end, frames) => {
                let packet = self.outside.seal(end, frames);
                self.arrive(end, packet);
            }
            Step::Acknowledge(end, run) => {
                let packet = self.outside.acknowledgement(end, run.into());
                self.arrive(end, packet);
            }
            Step::Datagram(bytes) => self.arrive(End::First, Some(bytes.to_vec())),
            Step::Time(millis) => {
                self.outside.now = self.outside.now + Duration::from_millis(millis.into());
                self.wake();
            }
            Step::Host(done) => {
                if let Some((ticket, request)) = self.outside.requests.pop_front() {
                    self.host(ticket, request, done);
                }
            }
            Step::Found(record) => {
                let requests = &mut self.outside.requests;
                let load = |(_, asked): &(_, Request)| matches!(asked, Request::Load { .. });
                let oldest = requests.iter().position(load).and_then(|at| requests.remove(at));
                if let Some((ticket, Request::Load { from, .. })) = oldest {
                    let number = from.max(1);
                    let loaded = Loaded { record: Some((number, record)), head: number };
                    self.role.take(&mut self.outside, Input::Loaded(ticket, Ok(loaded)));
                }
            }
            Step::Say(to, length) => {
                self.role.say(&mut self.outside, to, &"x".repeat(usize::from(length) * 4));
            }
            Step::Register(online) => self.role.register(&mut self.outside, online),
            Step::Call(end, noise) => {
                let hello = self.outside.hello();
                self.arrive(end, Some(hello.encode(&mut [0; MAX_DATAGRAM]).to_vec()));
                if let Some((initiator, init)) = self.outside.follow(end, hello, noise) {
                    self.arrive(end, Some(init));
                    self.outside.finish(end, &initiator);
                }
            }
            Step::Answer(end, noise) => {
                let answer = self.outside.answer(end, noise);
                self.arrive(end, answer);
            }
        }
    }

    fn arrive(&mut self, end: End, datagram: Option<Vec<u8>>) {
        if let Some(mut datagram) = datagram {
            self.role.take(&mut self.outside, Input::Datagram(address(end), &mut datagram));
        }
    }

    fn host(&mut self, ticket: Ticket, request: Request, done: bool) {
        if !done {
            let input = match request {
                Request::Load { .. } => Input::Loaded(ticket, Err(StoreError)),
                Request::Put { .. } | Request::Forget { .. } => {
                    Input::Stored(ticket, Err(StoreError))
                }
            };
            self.role.take(&mut self.outside, input);
            return;
        }
        match self.outside.carry_out(request) {
            Answer::Stored => self.role.take(&mut self.outside, Input::Stored(ticket, Ok(()))),
            Answer::Loaded { record, head } => {
                let record = record.as_ref().map(|(number, bytes)| (*number, bytes.as_slice()));
                let loaded = Ok(Loaded { record, head });
                self.role.take(&mut self.outside, Input::Loaded(ticket, loaded));
            }
        }
    }

    /// What due work leaves must be due later.
    fn wake(&mut self) {
        self.role.take(&mut self.outside, Input::Timeout);
        let deadline = self.role.deadline();
        assert!(deadline.is_none_or(|at| at > self.outside.now), "{deadline:?} stays due");
    }

    /// The host does all that it was asked for.
    fn settle(&mut self) {
        let mut count = 0;
        while !self.outside.requests.is_empty() {
            self.step(Step::Host(true));
            count += 1;
            assert!(count < MOST, "one input is worth no end of work");
        }
    }

    fn frame(&mut self, end: End, frame: &Frame<'_>) {
        self.step(Step::Frames(end, &plaintext(frame)));
    }

    fn run(&mut self, steps: &[u8]) {
        for step in Steps(steps) {
            self.step(step);
        }
        self.wake();
    }
}

impl World<Client<ClientMemory>> {
    /// Offline, with nothing asked of its host and nothing open, a client keeps no message.
    fn rest(&mut self) {
        self.settle();
        self.step(Step::Register(false));
        for _ in 0..2 {
            self.step(Step::Time(5000));
            self.settle();
        }
        if self.role.open_messages().open == 0 {
            assert_eq!(self.role.usage().messages.0, 0, "messages are left behind");
        }
    }
}

/// The nick of an end.
pub fn nick(end: End) -> Nick {
    Nick::new(["first", "second", "third"][end as usize]).expect("a nick")
}

/// A server with its clients, who are registered.
fn at_server() -> World<Server<ServerMemory>> {
    let outside = Outside::new(false);
    let (config, resume) = (server::Config::default(), outside.resume());
    let memory = ServerMemory::new();
    let role = Server::new(config, role_identity(), [1; 32], resume, outside.now, memory);
    let mut world = World { role: Box::new(role), outside };
    world.wake();
    world.settle();
    for end in End::ALL {
        world.step(Step::Call(end, &[]));
        let register = Register { nick: nick(end), epoch: None, boot: 1, roster: 0 };
        world.frame(end, &Frame::Register(register));
        world.settle();
    }
    world
}

/// A client that asks its server for its nick.
fn at_new_client() -> World<Client<ClientMemory>> {
    let outside = Outside::new(true);
    let nick = Nick::new("client").expect("a nick");
    let key = end_identity(End::First).public();
    let config = client::Config::new(nick, address(End::First), Some(key));
    let resume = outside.resume();
    let memory = ClientMemory::new();
    let role = Client::new(config, role_identity(), [1; 32], resume, outside.now, memory);
    let mut world = World { role: Box::new(role), outside };
    world.step(Step::Register(true));
    world.settle();
    world.step(Step::Answer(End::First, &[]));
    world.step(Step::Answer(End::First, &[]));
    world
}

/// A client that is registered and has a session with one of its two peers.
fn at_client() -> World<Client<ClientMemory>> {
    let mut world = at_new_client();
    let registered = Registered {
        account: Account(0),
        epoch: Epoch(1),
        returning: false,
        roster: 5,
        mailbox: 3,
        limits: Limits { text: 1000, mail: 1000 },
    };
    world.frame(End::First, &Frame::Registered(registered));
    let mut entries = Vec::new();
    for end in [End::Second, End::Third] {
        let peer = RosterEntry {
            account: Account(end as u32),
            version: 5,
            nick: nick(end),
            key: end_identity(end).public(),
            presence: Presence::Online,
            candidates: [Some(address(end)), None],
        };
        let mut entry = [0; RosterEntry::SIZE_BOUND];
        entries.extend(&*peer.encode(&mut entry).expect("room"));
    }
    let (low, high) = (Account(0), Account(u32::MAX));
    let page = Roster { base: 0, upto: 5, low, high, last: true, entries: &entries };
    world.frame(End::First, &Frame::Roster(page));
    world.settle();
    world.step(Step::Call(End::Second, &[]));
    world.frame(End::Second, &Frame::Ping(()));
    world
}

/// Steps at a server with its clients.
pub fn server(data: &[u8]) {
    at_server().run(data);
}

/// Steps at a client with its server and its peers.
pub fn client(data: &[u8]) {
    let mut world = at_client();
    world.run(data);
    world.rest();
}

/// What goes on when the packet of [`frames`] comes: in each, some frame does what it
/// does in no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// The server hands something said by its first client to its second.
    Relaying,
    /// It hands over what it has saved.
    Returned,
    /// The client waits for its nick.
    Registering,
    /// It said something to its peer.
    Said,
    /// It gave that to the server, having heard nothing.
    Deposited,
    /// It goes offline.
    Leaving,
}

impl Scene {
    /// All scenes, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Relaying,
        Self::Returned,
        Self::Registering,
        Self::Said,
        Self::Deposited,
        Self::Leaving,
    ];
}

/// The bytes after the first two are the plaintext of one packet at either role; the
/// first picks the [`Scene`], the second the end that it comes from.
pub fn frames(data: &[u8]) {
    let Some((&[scene, end], plaintext)) = data.split_first_chunk() else { return };
    let end = End::of(end);
    match Scene::ALL[usize::from(scene) % Scene::ALL.len()] {
        Scene::Relaying => {
            let mut world = at_server();
            deposit(&mut world);
            packet(world, end, plaintext);
        }
        Scene::Returned => {
            let mut world = at_server();
            world.frame(End::Second, &Frame::Deregister(()));
            deposit(&mut world);
            let register =
                Register { nick: nick(End::Second), epoch: Some(Epoch(1)), boot: 2, roster: 0 };
            world.frame(End::Second, &Frame::Register(register));
            world.settle();
            packet(world, end, plaintext);
        }
        Scene::Registering => packet(at_new_client(), end, plaintext),
        Scene::Said => {
            let mut world = at_client();
            world.step(Step::Say(End::Second, 3));
            world.settle();
            packet(world, end, plaintext);
        }
        Scene::Deposited => {
            let mut world = at_client();
            world.step(Step::Say(End::Second, 3));
            world.settle();
            world.step(Step::Time(600));
            packet(world, end, plaintext);
        }
        Scene::Leaving => {
            let mut world = at_client();
            world.step(Step::Register(false));
            packet(world, end, plaintext);
        }
    }
}

/// The first client says something to the second.
fn deposit(world: &mut World<Server<ServerMemory>>) {
    let (to, epoch, number) = (Account(1), Epoch(1), Number(1));
    let piece = &[7; 160];
    let deposit = Deposit { to, epoch, number, skip: 0, total: 160, offset: 0, piece };
    world.frame(End::First, &Frame::Deposit(deposit));
    world.settle();
}

/// A packet, what follows from it, and the same frames in another packet.
fn packet<R: Role>(mut world: World<R>, end: End, frames: &[u8]) {
    world.step(Step::Frames(end, frames));
    world.settle();
    world.step(Step::Acknowledge(end, u8::MAX));
    world.step(Step::Time(600));
    world.settle();
    world.step(Step::Frames(end, frames));
    world.settle();
    world.step(Step::Time(6000));
}
