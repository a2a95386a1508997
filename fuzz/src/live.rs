//! A role with a live session, whose other side is the fuzzer.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use proto_core::{
    action::{Action, Loaded, StoreError, Ticket},
    client::{self, Client},
    id::{Account, Epoch, Nick, PublicKey, SecretKey, SessionId},
    random::Random,
    record::record_bound,
    server::{self, Resume, Server},
    session::{self, Identity, Initiator, Keys, Offer, Opened},
    time::{Instant, UnixTime, WallClock},
    wire::{
        Accept, Datagram, Frame, FrameWriter, Hello, HelloTo, Init, Limits, MAX_DATAGRAM,
        PacketHeader, Presence, Register, Registered, Roster, RosterEntry, VERSION,
    },
};

use crate::{
    steps::{Step, Steps},
    suite::Cheap,
};

type ServerMemory = server::Fixed<8, 8, 8, 32, 16, { record_bound(2048) }>;
type ClientMemory = client::Fixed<4, 8, 8, 32, 16, { record_bound(2048) }>;

/// More actions than one input is ever worth with tables this small.
const MOST: usize = 2000;

const ROLE: u16 = 1;
const FUZZER: u16 = 2;

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn identity(secret: u8) -> Identity {
    Identity::new(SecretKey([secret; 32]), &Cheap)
}

/// The other end of the session, and what the role asked of its host.
struct Outside {
    now: Instant,
    sent: Vec<Vec<u8>>,
    stores: VecDeque<Ticket>,
    loads: VecDeque<(Ticket, u64)>,
    session: Option<(Keys, SessionId)>,
    random: Random,
}

impl Outside {
    fn new() -> Self {
        Self {
            now: Instant::from_micros(1_000_000),
            sent: Vec::new(),
            stores: VecDeque::new(),
            loads: VecDeque::new(),
            session: None,
            random: Random::new([9; 32]),
        }
    }

    fn resume(&self) -> Resume {
        let unix = UnixTime(1_800_000_000_000_000);
        Resume { boot: 1, clock: WallClock { at: self.now, unix } }
    }

    fn perform<E>(&mut self, action: Action<'_, E>) {
        match action {
            Action::Send { datagram, .. } => {
                self.sent.push(datagram.to_vec());
                if self.sent.len() > 64 {
                    self.sent.remove(0);
                }
            }
            Action::Put { ticket, .. } | Action::Forget { ticket, .. } => {
                self.stores.push_back(ticket);
            }
            Action::Load { ticket, from, .. } => self.loads.push_back((ticket, from)),
            Action::Authenticate { .. } | Action::Event(_) => {}
        }
    }

    /// Seals frames as the other end would; `None` before there is a session.
    fn seal(&mut self, frames: &[u8]) -> Option<Vec<u8>> {
        let (keys, to) = self.session.as_mut()?;
        let frames = &frames[..frames.len().min(1400)];
        let mut packet = vec![0; frames.len() + 29];
        packet[PacketHeader::LENGTH..][..frames.len()].copy_from_slice(frames);
        keys.seal.seal(&Cheap, *to, &mut packet, frames.len())?;
        Some(packet)
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Option<Vec<u8>> {
        let mut buffer = [0; 600];
        let mut writer = FrameWriter::new(&mut buffer, 0, 600);
        assert!(writer.push(frame));
        let length = writer.length();
        self.seal(&buffer[..length])
    }
}

/// Feeds an input to a role and does what it owes.
macro_rules! drive {
    ($outside:ident, $input:expr) => {{
        let mut scratch = [0; MAX_DATAGRAM];
        let mut actions = $input;
        let mut count = 0;
        while let Some(action) = actions.next(&mut scratch) {
            $outside.perform(action);
            count += 1;
            assert!(count < MOST, "one input is worth no end of work");
        }
    }};
}

/// What due work leaves must be due later.
macro_rules! wake {
    ($outside:ident, $role:ident) => {{
        drive!($outside, $role.poll_timeout($outside.now));
        let deadline = $role.deadline();
        assert!(deadline.is_none_or(|at| at > $outside.now), "{deadline:?} stays due");
    }};
}

macro_rules! common_step {
    ($outside:ident, $role:ident, $step:expr) => {
        match $step {
            Step::Frames(frames) => {
                if let Some(mut packet) = $outside.seal(frames) {
                    drive!($outside, $role.handle_datagram($outside.now, at(FUZZER), &mut packet));
                }
            }
            Step::Datagram(bytes) => {
                let mut datagram = bytes.to_vec();
                drive!($outside, $role.handle_datagram($outside.now, at(FUZZER), &mut datagram));
            }
            Step::Time(millis) => {
                $outside.now = $outside.now + Duration::from_millis(millis.into());
                wake!($outside, $role);
            }
            Step::Stored(done) => {
                if let Some(ticket) = $outside.stores.pop_front() {
                    let result = if done { Ok(()) } else { Err(StoreError) };
                    drive!($outside, $role.handle_stored($outside.now, ticket, result));
                }
            }
            Step::Loaded(record) => {
                if let Some((ticket, from)) = $outside.loads.pop_front() {
                    let record = (!record.is_empty()).then_some((from.max(1), record));
                    let loaded = Ok(Loaded { record, head: from.max(1) });
                    drive!($outside, $role.handle_loaded($outside.now, ticket, loaded));
                }
            }
            Step::Say(_) | Step::Register(_) => {}
        }
    };
}

macro_rules! settle {
    ($outside:ident, $role:ident) => {
        while !$outside.stores.is_empty() || !$outside.loads.is_empty() {
            common_step!($outside, $role, Step::Stored(true));
            common_step!($outside, $role, Step::Loaded(&[]));
        }
    };
}

/// Steps at a server, from a client that is registered.
pub fn server(data: &[u8]) {
    let mut outside = Outside::new();
    let mut memory = Box::new(ServerMemory::new());
    let (config, resume) = (server::Config::default(), outside.resume());
    let mut role =
        Server::new(config, identity(ROLE as u8), [1; 32], resume, outside.now, &mut *memory);
    wake!(outside, role);
    settle!(outside, role);
    // The handshake, up to a live session.
    let us = identity(FUZZER as u8);
    let hello = Hello { version: VERSION, size: 1200, random: [3; 16], to: HelloTo::Server };
    let mut out = [0; MAX_DATAGRAM];
    drive!(outside, role.handle_datagram(outside.now, at(FUZZER), hello.encode(&mut out)));
    let mut answer = outside.sent.pop().expect("a Hello is answered");
    let Ok(Datagram::Retry(retry)) = Datagram::parse(&mut answer) else { panic!("by a Retry") };
    let offer = Offer { session: SessionId(7), credit: 8192 };
    let key = retry.key.expect("with the server's key");
    let (initiator, noise) =
        Initiator::new(&us, &key, &hello, &retry, offer, &mut outside.random, 1).expect("sound");
    let init = Init { hello, cookie: retry.cookie, noise: &noise };
    drive!(outside, role.handle_datagram(outside.now, at(FUZZER), init.encode(&mut out)));
    let mut answer = outside.sent.pop().expect("an Init is answered");
    let Ok(Datagram::Accept(accept)) = Datagram::parse(&mut answer) else { panic!("by an Accept") };
    let (keys, offered) =
        initiator.finish(&us, &mut accept.noise.to_vec()).expect("made for this handshake");
    outside.session = Some((keys, offered.session));
    let nick = Nick::new("fuzzer").expect("a nick");
    let register = Register { nick, epoch: None, boot: 1, roster: 0 };
    let mut packet = outside.frame(&Frame::Register(register)).expect("there is a session");
    drive!(outside, role.handle_datagram(outside.now, at(FUZZER), &mut packet));
    settle!(outside, role);
    for step in Steps(data) {
        common_step!(outside, role, step);
    }
    wake!(outside, role);
}

/// Steps at a client that is registered, from its server.
pub fn client(data: &[u8]) {
    let mut outside = Outside::new();
    let mut memory = Box::new(ClientMemory::new());
    let us = identity(FUZZER as u8);
    let nick = Nick::new("client").expect("a nick");
    let config = client::Config::new(nick, at(FUZZER), Some(us.public()));
    let resume = outside.resume();
    let mut role =
        Client::new(config, identity(ROLE as u8), [1; 32], resume, outside.now, &mut *memory);
    drop(role.register(outside.now).expect("it is offline"));
    wake!(outside, role);
    settle!(outside, role);
    // The handshake, answered as a server would.
    let mut hello = outside.sent.pop().expect("it says Hello");
    let Ok(Datagram::Hello(hello)) = Datagram::parse(&mut hello) else { panic!("a Hello") };
    let retry = session::retry(&Cheap, &hello, [5; 16], Some(us.public()));
    let mut out = [0; MAX_DATAGRAM];
    drive!(outside, role.handle_datagram(outside.now, at(FUZZER), retry.encode(&mut out)));
    let mut init = outside.sent.pop().expect("a Retry is followed");
    let Ok(Datagram::Init(init)) = Datagram::parse(&mut init) else { panic!("by an Init") };
    let opened = Opened::open(&us, &init, Some(us.public())).expect("it is for this key");
    let theirs = opened.offer();
    let offer = Offer { session: SessionId(7), credit: 8192 };
    let (keys, memo) = opened.accept(&us, offer, 1200, &mut outside.random, 1).expect("sound");
    let mut noise = [0; MAX_DATAGRAM];
    let length = memo.encode(&Cheap, &mut noise).expect("room");
    let accept = Accept { session: theirs.session, noise: &noise[..length] };
    drive!(outside, role.handle_datagram(outside.now, at(FUZZER), accept.encode(&mut out)));
    outside.session = Some((keys, theirs.session));
    let registered = Registered {
        account: Account(0),
        epoch: Epoch(1),
        returning: false,
        roster: 5,
        mailbox: 3,
        limits: Limits { text: 1000, mail: 1000 },
    };
    let mut entry = [0; RosterEntry::SIZE_BOUND];
    let peer = RosterEntry {
        key_number: 0,
        account: Account(1),
        version: 5,
        nick: Nick::new("peer").expect("a nick"),
        key: PublicKey([3; 32]),
        presence: Presence::Online,
        candidates: [Some(at(3)), None],
    };
    let entries = &*peer.encode(&mut entry).expect("room");
    let (low, high) = (Account(0), Account(u32::MAX));
    let page = Roster { base: 0, upto: 5, low, high, last: true, entries };
    for frame in [Frame::Registered(registered), Frame::Roster(page)] {
        let mut packet = outside.frame(&frame).expect("there is a session");
        drive!(outside, role.handle_datagram(outside.now, at(FUZZER), &mut packet));
    }
    settle!(outside, role);
    let to = Nick::new("peer").expect("a nick");
    for step in Steps(data) {
        match step {
            Step::Say(length) => {
                let text = "x".repeat(usize::from(length) * 4);
                if let Ok((_, actions)) = role.say(outside.now, &to, &text) {
                    drive!(outside, actions);
                }
            }
            Step::Register(online) => {
                let command =
                    if online { role.register(outside.now) } else { role.deregister(outside.now) };
                if let Ok(actions) = command {
                    drive!(outside, actions);
                }
            }
            step => common_step!(outside, role, step),
        }
    }
    wake!(outside, role);
}
