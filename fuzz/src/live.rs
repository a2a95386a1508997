//! A role with live sessions, whose other ends are the fuzzer.

use std::time::Duration;

use proto_core::{
    client::{self, Client, OpenMessages, To},
    host::{Action, Machine, PasswordOutcome, Records, StoreError, Ticket},
    id::{Account, Epoch, Incarnation, Nick, Number, Recipient, Room, RoomName},
    record::record_bound,
    server::{self, Logins, Operation, Server},
    time::{Instant, UnixTime},
    wire::{
        Frame, Joined, Limits, Login, MAX_DATAGRAM, Names, PasswordWant, PasswordWanted, Presence,
        Read, Register, Registered, Retention, RoomAction, RoomEntry, RoomRefusal, RoomRequest,
        RoomResponse, Roster, RosterEntry, Secret, Submit,
    },
};

use crate::{
    outside::{Answer, Outside, Request, address, end_identity, plaintext, role_identity, seed},
    steps::{End, Step, Steps},
};

/// Fewer pairs than the ends can make, so that they give way to each other.
type ServerMemory = server::Fixed<
    server::fixed::Links<8>,
    server::fixed::Accounts<8>,
    server::fixed::Rooms<8>,
    server::fixed::Members<16>,
    server::fixed::Entries<4>,
    server::fixed::Blocks<32>,
    server::fixed::Packets<16>,
    server::fixed::Work<{ record_bound(2048) }>,
>;
type ClientMemory = client::Fixed<
    client::fixed::Links<4>,
    client::fixed::Peers<PEERS>,
    client::fixed::Outgoing<8>,
    client::fixed::Incoming<8>,
    client::fixed::Blocks<32>,
    client::fixed::Packets<16>,
    client::fixed::Work<{ record_bound(2048) }>,
>;

/// People and rooms that a client has room for.
const PEERS: usize = 8;

/// More actions than one input is ever worth with tables this small.
const MOST: usize = 2000;

/// A role, and what its user does at it.
trait Role: Machine {
    /// The user, or the operator, takes this step, if it is one of theirs.
    fn act(&mut self, now: Instant, step: &Step<'_>);
}

impl Role for Server<ServerMemory> {
    fn act(&mut self, now: Instant, step: &Step<'_>) {
        let Step::Operate(end, what) = *step else { return };
        let all = [Operation::Reset, Operation::Remove, Operation::Ban, Operation::Unban];
        let operation = all[usize::from(what) % all.len()];
        // Why nothing is done is the operator's business; so below, the user's.
        let _ = self.operate(now, &nick(end), operation);
    }
}

impl Role for Client<ClientMemory> {
    fn act(&mut self, now: Instant, step: &Step<'_>) {
        let text = |length| "x".repeat(usize::from(length) * 4);
        match *step {
            Step::Say(to, length) => {
                let _ = self.send_message(now, nick(to), &text(length));
            }
            Step::Tell(everyone, length) => {
                let to = if everyone { To::Lobby } else { To::Room(room_name()) };
                let _ = self.send_message(now, to, &text(length));
            }
            Step::Password(length) => {
                let _ = self.authenticate(now, text(length).as_bytes());
            }
            Step::Register(true) => {
                let _ = self.register(now);
            }
            Step::Register(false) => {
                let _ = self.deregister(now);
            }
            Step::RoomAction(which) => {
                let _ = self.request(now, request(which));
            }
            Step::Away(length) => {
                let _ = self.set_away(now, &text(length));
            }
            _ => {}
        }
    }
}

/// A role and the world around it.
struct World<R> {
    role: Box<R>,
    outside: Outside,
    /// Starts a role from what is durable.
    start: fn(&Outside) -> R,
}

impl<R: Role> World<R> {
    fn new(outside: Outside, start: fn(&Outside) -> R) -> Self {
        Self { role: Box::new(start(&outside)), outside, start }
    }

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
                let load = |(_, asked): &(_, Request)| matches!(asked, Request::Read { .. });
                let oldest = requests.iter().position(load).and_then(|at| requests.remove(at));
                if let Some((ticket, Request::Read { from, .. })) = oldest {
                    self.outside.misled = true;
                    let number = from.max(1);
                    let found = Records { records: &[(number, record)], last: number };
                    self.role.handle_read(self.outside.now, ticket, Ok(found));
                    self.drain();
                }
            }
            Step::Judge(how) => {
                let requests = &mut self.outside.requests;
                let judge =
                    |(_, asked): &(_, Request)| matches!(asked, Request::CheckPassword { .. });
                let oldest = requests.iter().position(judge).and_then(|at| requests.remove(at));
                if let Some((ticket, _)) = oldest {
                    let all = [
                        PasswordOutcome::Right,
                        PasswordOutcome::Hashed(HASH),
                        PasswordOutcome::Wrong,
                        PasswordOutcome::Busy,
                        PasswordOutcome::Failed,
                    ];
                    let judgement = all[usize::from(how) % all.len()];
                    self.role.handle_checked(self.outside.now, ticket, judgement);
                    self.drain();
                }
            }
            Step::Say(..)
            | Step::Tell(..)
            | Step::Register(_)
            | Step::RoomAction(_)
            | Step::Away(_)
            | Step::Password(_)
            | Step::Operate(..) => {
                self.role.act(self.outside.now, &step);
                self.drain();
            }
            Step::Grant(end, what) => {
                if let Some(RoomRequest { serial, .. }) = self.outside.asked(end) {
                    let names: &[u8] = b"\x05first\x06second";
                    self.frame(
                        end,
                        &match what % 5 {
                            0 => Frame::RoomResponse(RoomResponse { serial, result: Ok(()) }),
                            1 => {
                                let result = Err(RoomRefusal::Unknown);
                                Frame::RoomResponse(RoomResponse { serial, result })
                            }
                            2 => Frame::Names(Names { serial, next: None, names }),
                            3 => Frame::Names(Names { serial, next: Some(3), names }),
                            _ => Frame::Names(Names { serial, next: None, names: &[] }),
                        },
                    );
                }
            }
            Step::Restart => {
                self.outside.restart();
                *self.role = (self.start)(&self.outside);
                self.wake();
            }
            Step::Call(end, noise) => {
                let hello = self.outside.hello(end);
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
            let (now, from) = (self.outside.now, address(end));
            if let Some(retry) = self.role.handle_datagram(now, from, &mut datagram) {
                self.outside.perform::<()>(Action::Send { to: from, datagram: retry });
            }
            self.drain();
        }
    }

    /// The host does all that the role owes.
    fn drain(&mut self) {
        let (mut scratch, mut count) = ([0; MAX_DATAGRAM], 0);
        while let Some(action) = self.role.poll(self.outside.now, &mut scratch) {
            self.outside.perform(action);
            count += 1;
            assert!(count < MOST, "one input is worth no end of work");
        }
    }

    fn host(&mut self, ticket: Ticket, request: Request, done: bool) {
        if !done {
            self.fail(ticket, &request);
            return;
        }
        let now = self.outside.now;
        match self.outside.carry_out(request) {
            Answer::Stored => self.role.handle_stored(now, ticket, Ok(())),
            Answer::Read { records, last } => {
                let records: Vec<_> =
                    records.iter().map(|(number, bytes)| (*number, bytes.as_slice())).collect();
                let found = Records { records: &records, last };
                self.role.handle_read(now, ticket, Ok(found));
            }
            Answer::Judged { known } => {
                let judgement =
                    if known { PasswordOutcome::Right } else { PasswordOutcome::Hashed(HASH) };
                self.role.handle_checked(now, ticket, judgement);
            }
        }
        self.drain();
    }

    /// The host cannot do what it was asked for, nor, if that is to be durable, what it was
    /// asked for since.
    fn fail(&mut self, ticket: Ticket, request: &Request) {
        let (now, mut failed) = (self.outside.now, vec![ticket]);
        if request.is_write() {
            let requests = std::mem::take(&mut self.outside.requests);
            let (writes, others): (Vec<_>, Vec<_>) =
                requests.into_iter().partition(|(_, later)| later.is_write());
            failed.extend(writes.iter().map(|(ticket, _)| *ticket));
            self.outside.requests = others.into();
        }
        for ticket in failed {
            match request {
                Request::Read { .. } => self.role.handle_read(now, ticket, Err(StoreError)),
                Request::Put { .. } | Request::Trim { .. } => {
                    self.role.handle_stored(now, ticket, Err(StoreError));
                }
                Request::CheckPassword { .. } => {
                    self.role.handle_checked(now, ticket, PasswordOutcome::Wrong)
                }
            }
        }
        self.drain();
    }

    /// What due work leaves must be due later.
    fn wake(&mut self) {
        self.drain();
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

impl World<Server<ServerMemory>> {
    /// With nobody there and nothing asked of its host, a server keeps no message but those
    /// of rooms, and waits for nothing but what expires.
    fn rest(&mut self) {
        for _ in 0..4 {
            self.settle();
            self.step(Step::Time(u16::MAX));
        }
        self.settle();
        let usage = self.role.usage();
        assert_eq!(self.role.statistics().links.used, 0, "links are left behind");
        assert_eq!(usage.entries.0, usage.recent.0, "entries are left behind");
        assert_eq!(usage.blocks.0, usage.recent.1, "blocks are left behind");
        assert_eq!(usage.pairs.0, 0, "pairs are left behind");
    }
}

/// How many honest there are. They are not looked for where there is no row for them.
const HONEST: usize = 2;

impl World<Server<ServerMemory>> {
    /// Whatever came before, once those who sent it are silent for as long as a session lasts, two
    /// who are new register, and what one says gets to the other.
    fn starve_nobody(&mut self) {
        for _ in 0..2 {
            self.settle();
            self.step(Step::Time(u16::MAX));
        }
        self.settle();
        let usage = self.role.usage();
        let is_full = |(used, rows): (usize, usize)| used + HONEST > rows;
        // What a host finds that is not so may stand in the way of anything.
        if is_full(usage.accounts) || is_full(usage.members) || self.outside.misled {
            return;
        }
        for end in [End::Honest, End::Friend] {
            self.step(Step::Call(end, &[]));
            let register = register(nick(end), None, 1);
            let login = Login { register, attempt: 1, password: Secret(b"password") };
            self.frame(end, &Frame::Login(login));
            self.attend();
            self.outside.registered(end).expect("whoever is new gets a nick");
        }
        let [honest, friend] = [End::Honest, End::Friend].map(|end| self.outside.registered(end));
        let (Some(Registered { epoch, .. }), Some(Registered { account, .. })) = (honest, friend)
        else {
            unreachable!("both were just looked at");
        };
        let (to, piece) = (Recipient::Account(account), &[7; 160]);
        let number = Number(1);
        let submit = Submit { to, epoch, number, key: 0, skip: 0, total: 160, offset: 0, piece };
        self.frame(End::Honest, &Frame::Submit(submit));
        self.attend();
        assert!(self.outside.has_mail(End::Friend), "what the honest say comes");
    }

    /// A second, in which the honest acknowledge what they are sent.
    fn attend(&mut self) {
        for _ in 0..5 {
            self.settle();
            for end in [End::Honest, End::Friend] {
                let acknowledgement = self.outside.honest_acknowledgement(end);
                self.arrive(end, acknowledgement);
            }
            self.step(Step::Time(200));
        }
    }
}

impl World<Client<ClientMemory>> {
    /// Offline, with nothing asked of its host and nothing open, a client keeps no message,
    /// and at most a block for what each peer says of being away.
    fn rest(&mut self) {
        self.settle();
        self.step(Step::Register(false));
        for _ in 0..2 {
            self.step(Step::Time(5000));
            self.settle();
        }
        if self.role.open_messages() == OpenMessages::default() {
            let usage = self.role.usage();
            assert_eq!(usage.outgoing.0 + usage.incoming.0, 0, "messages are left behind");
            assert!(usage.blocks.0 <= PEERS, "blocks are left behind");
        }
    }
}

/// The nick of an end.
pub fn nick(end: End) -> Nick {
    Nick::new(["first", "second", "third", "honest", "friend"][end as usize]).expect("a nick")
}

/// The room that there is, once someone created it.
pub fn room_name() -> RoomName {
    RoomName::new("room").expect("a name")
}

/// What a user or an end can ask of the server's rooms.
pub fn request(which: u8) -> RoomAction {
    let name = room_name();
    let other = RoomName::new("other").expect("a name");
    let wishes = [
        RoomAction::Create(name),
        RoomAction::Join(name),
        RoomAction::Leave(name),
        RoomAction::Rooms { from: Room(0) },
        RoomAction::Members { of: Some(name), from: Account(0) },
        RoomAction::Members { of: None, from: Account(0) },
        RoomAction::Create(other),
        RoomAction::Join(other),
    ];
    wishes[usize::from(which) % wishes.len()]
}

/// A hash of a password.
const HASH: &[u8] = &[7; 32];

fn start_server(outside: &Outside, logins: Logins) -> Server<ServerMemory> {
    let mut config = server::Config::default();
    // Little enough is kept, and for short enough, for entries to go.
    config.room = Retention { entries: 5, bytes: 1500, age: 40 };
    config.mail = Duration::from_secs(100);
    config.members = 2;
    config.logins = logins;
    let memory = ServerMemory::new();
    Server::new(config, role_identity(), seed(1), outside.resume(), outside.now, memory)
        .expect("its tables fit together")
}

/// A server with its clients, who are registered; the last of them only if all may be.
fn at_server(logins: Logins, all: bool) -> World<Server<ServerMemory>> {
    let mut world = World::new(
        Outside::new(false),
        match logins {
            Logins::Open => |outside| start_server(outside, Logins::Open),
            Logins::Password => |outside| start_server(outside, Logins::Password),
        },
    );
    world.wake();
    world.settle();
    for end in End::ALL {
        world.step(Step::Call(end, &[]));
        let register = register(nick(end), None, 1);
        if end == End::Third && !all {
            break;
        }
        world.frame(
            end,
            &match logins {
                Logins::Open => Frame::Register(register),
                Logins::Password => {
                    Frame::Login(Login { register, attempt: 1, password: Secret(b"password") })
                }
            },
        );
        world.settle();
    }
    world
}

/// A server whose first client has said something in a room that its second is in, too.
fn at_room() -> World<Server<ServerMemory>> {
    let mut world = at_server(Logins::Open, true);
    for (serial, end, which) in [(1, End::First, 0), (2, End::First, 1), (3, End::Second, 1)] {
        world.frame(end, &Frame::RoomRequest(RoomRequest { serial, action: request(which) }));
        world.settle();
        world.step(Step::Acknowledge(end, u8::MAX));
    }
    for end in [End::First, End::Second] {
        for room in [Room::LOBBY, Room(1)] {
            world.frame(end, &Frame::Read(Read { room, upto: 0, rewinds: 0 }));
        }
    }
    let (to, epoch, number) = (Recipient::Room(Room(1)), Epoch(1), Number(1));
    let piece = &[7; 40];
    let submit = Submit { to, epoch, number, key: 0, skip: 0, total: 40, offset: 0, piece };
    world.frame(End::First, &Frame::Submit(submit));
    world.settle();
    world
}

/// What an end's run asks for, that knows nothing of the roster.
pub fn register(nick: Nick, epoch: Option<Epoch>, run: u8) -> Register {
    let run = Incarnation([run; 8]);
    Register { nick, epoch, run, server: Incarnation::NONE, roster: 0 }
}

fn start_client(outside: &Outside) -> Client<ClientMemory> {
    let nick = Nick::new("client").expect("a nick");
    let key = end_identity(End::First).public();
    let config = client::Config::new(nick, address(End::First), Some(key));
    let memory = ClientMemory::new();
    Client::new(config, role_identity(), seed(1), outside.resume(), outside.now, memory)
        .expect("its tables fit together")
}

/// A client that asks its server for its nick.
fn at_new_client() -> World<Client<ClientMemory>> {
    let mut world = World::new(Outside::new(true), start_client);
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
        run: Incarnation([5; 8]),
        mailbox: 3,
        rooms: 2,
        limits: Limits {
            text: 1000,
            mail: 1000,
            room: Retention { entries: 1000, bytes: 1 << 20, age: 1000 },
        },
    };
    world.frame(End::First, &Frame::Registered(registered));
    let mut entries = Vec::new();
    for end in [End::Second, End::Third] {
        let peer = RosterEntry {
            account: Account(end as u32),
            version: 5,
            nick: nick(end),
            key: end_identity(end).public(),
            key_number: 0,
            presence: Presence::Online,
            candidates: [Some(address(end)), None],
            seen: UnixTime(0),
            away: None,
        };
        let mut entry = [0; RosterEntry::SIZE_BOUND];
        entries.extend(&*peer.encode(&mut entry).expect("room"));
    }
    let (low, high) = (Account(0), Account(u32::MAX));
    let page = Roster { base: 0, upto: 5, low, high, last: true, entries: &entries };
    world.frame(End::First, &Frame::Roster(page));
    world.settle();
    for (room, name) in [(Room::LOBBY, None), (Room(1), Some(room_name()))] {
        let run = Incarnation::NONE;
        world.frame(End::First, &Frame::Joined(Joined { room, since: 0, last: 0, run, name }));
    }
    world.settle();
    world.step(Step::Call(End::Second, &[]));
    world.frame(End::Second, &Frame::Ping(()));
    world
}

/// Steps at a server with its clients.
pub fn server(data: &[u8]) {
    let mut world = at_server(Logins::Password, true);
    world.run(data);
    world.starve_nobody();
    world.rest();
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
    Submitted,
    /// It goes offline.
    Leaving,
    /// The server reads what was said in a room to those in it.
    Reading,
    /// It wants the password of a nick that is new.
    Hashing,
    /// It wants that of a nick that has one.
    Judging,
    /// The client said something in a room, whose next entry has come in part, and waits
    /// for what it wished.
    Wishing,
    /// It gave a password.
    Proving,
}

impl Scene {
    /// All scenes, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::Relaying,
        Self::Returned,
        Self::Registering,
        Self::Said,
        Self::Submitted,
        Self::Leaving,
        Self::Reading,
        Self::Hashing,
        Self::Judging,
        Self::Wishing,
        Self::Proving,
    ];
}

/// The bytes after the first two are the plaintext of one packet at either role; the
/// first picks the [`Scene`], the second the end that it comes from.
pub fn frames(data: &[u8]) {
    let Some((&[scene, end], plaintext)) = data.split_first_chunk() else { return };
    let end = End::of(end);
    match Scene::ALL[usize::from(scene) % Scene::ALL.len()] {
        Scene::Relaying => {
            let mut world = at_server(Logins::Open, true);
            submit(&mut world);
            packet(world, end, plaintext);
        }
        Scene::Returned => {
            let mut world = at_server(Logins::Open, true);
            world.frame(End::Second, &Frame::Deregister(()));
            submit(&mut world);
            let register = register(nick(End::Second), Some(Epoch(1)), 2);
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
        Scene::Submitted => {
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
        Scene::Reading => packet(at_room(), end, plaintext),
        Scene::Hashing => packet(at_server(Logins::Password, false), end, plaintext),
        Scene::Judging => {
            let mut world = at_server(Logins::Password, false);
            let register = register(nick(End::First), None, 1);
            let login = Login { register, attempt: 1, password: Secret(b"password") };
            world.frame(End::Third, &Frame::Login(login));
            world.step(Step::Host(true));
            packet(world, end, plaintext);
        }
        Scene::Wishing => {
            let mut world = at_client();
            world.step(Step::Tell(false, 3));
            world.settle();
            world.step(Step::RoomAction(1));
            let (room, from) = (Room(1), nick(End::Second));
            let entry = RoomEntry {
                room,
                index: 1,
                run: Incarnation([5; 8]),
                previous: None,
                from,
                total: 320,
                offset: 0,
                piece: &[7; 160],
            };
            world.frame(End::First, &Frame::RoomEntry(entry));
            packet(world, end, plaintext);
        }
        Scene::Proving => {
            let mut world = at_new_client();
            let wanted = PasswordWanted { why: PasswordWant::Known, wait: 0, attempt: 0 };
            world.frame(End::First, &Frame::PasswordWanted(wanted));
            world.step(Step::Password(2));
            packet(world, end, plaintext);
        }
    }
}

/// The first client says something to the second.
fn submit(world: &mut World<Server<ServerMemory>>) {
    let (to, epoch, number) = (Recipient::Account(Account(1)), Epoch(1), Number(1));
    let piece = &[7; 160];
    let submit = Submit { to, epoch, number, key: 0, skip: 0, total: 160, offset: 0, piece };
    world.frame(End::First, &Frame::Submit(submit));
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
