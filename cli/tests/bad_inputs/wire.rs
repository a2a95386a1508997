//! Datagrams and frames, at a server without a socket.

use std::{collections::HashMap, convert::Infallible, fs, net::SocketAddr, path::Path};

use proto_core::{
    Violation,
    host::{Action, Machine, Records, Resume},
    id::{Incarnation, Nick, SecretKey, SessionId},
    link::Drops,
    random::{Random, Seed},
    server::{Config, Event, Server},
    session::{Identity, Initiator, Keys, Offer, Portable},
    time::{Instant, WallClock},
    wire::{
        Datagram, Frame, FrameWriter, Hello, HelloTo, Init, MAX_DATAGRAM, PACKET_OVERHEAD,
        PacketHeader, Register, VERSION,
    },
};
use transport_mio::memory::{ServerMemory, ServerSizes};

use crate::corpus::{self, Case};

const SESSION: SessionId = SessionId(7);
const CREDIT: u32 = 8192;

fn seed(byte: u8) -> Seed {
    let Ok(seed) = Seed::draw(|bytes| {
        bytes.fill(byte);
        Ok::<_, Infallible>(())
    });
    seed
}

/// A server, and one session with it.
struct World {
    server: Server<ServerMemory>,
    from: SocketAddr,
    now: Instant,
    events: Vec<Event>,
    came: Vec<Vec<u8>>,
    hello: Vec<u8>,
    init: Vec<u8>,
    live: Option<(Keys, SessionId)>,
}

impl World {
    /// Without a session, but for the datagrams that begin one.
    fn new() -> Self {
        let (config, memory) = (Config::default(), ServerMemory::new(&ServerSizes::for_clients(4)));
        let identity = Identity::new(SecretKey([1; 32]), &Portable);
        let resume = Resume { boot: 1, clock: WallClock::UNKNOWN };
        let now = Instant::from_micros(1_000_000);
        let server = Server::new(config, identity, seed(1), resume, now, memory).unwrap();
        let from = SocketAddr::from(([127, 0, 0, 1], 2));
        let (events, came, hello, init) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut this = Self { server, from, now, events, came, hello, init, live: None };
        this.turn();
        this.events.clear();
        this
    }

    /// With a session of someone who is registered as alice.
    fn live() -> Self {
        let mut this = Self::new();
        let begun = this.reach();
        this.begin(begun);
        let (nick, run) = (Nick::new("alice").unwrap(), Incarnation([3; 8]));
        let server = Incarnation::default();
        let register = Register { nick, epoch: None, run, server, roster: 0 };
        let mut plain = vec![0; MAX_DATAGRAM];
        let mut writer = FrameWriter::new(&mut plain, 0, MAX_DATAGRAM - PACKET_OVERHEAD);
        assert!(writer.push(&Frame::Register(register)));
        let length = writer.length();
        let packet = this.seal(&plain[..length]);
        assert!(!this.deliver(&packet));
        assert!(this.events.iter().any(|event| matches!(event, Event::Registered { .. })));
        this.events.clear();
        this.came.clear();
        this
    }

    /// Asks for an address proof, and has the first message of a handshake.
    fn reach(&mut self) -> (Identity, Initiator) {
        let (own, mut random) =
            (Identity::new(SecretKey([2; 32]), &Portable), Random::new(seed(2)));
        let size = 1200;
        let hello = Hello { version: VERSION, size, random: [4; 16], to: HelloTo::Server };
        self.hello = hello.encode(&mut [0; MAX_DATAGRAM]).to_vec();
        let mut datagram = self.hello.clone();
        let retry = self.server.handle_datagram(self.now, self.from, &mut datagram).unwrap();
        let mut retry = retry.to_vec();
        let Ok(Datagram::Retry(retry)) = Datagram::parse(&mut retry) else { panic!() };
        let offer = Offer { session: SESSION, credit: CREDIT, messages: u16::MAX };
        let key = self.server.key();
        let begun = Initiator::new(&own, &key, &hello, &retry, offer, &mut random, 1);
        let (initiator, noise) = begun.unwrap();
        let init = Init { hello, cookie: retry.cookie, noise: &noise };
        self.init = init.encode(&mut [0; MAX_DATAGRAM]).to_vec();
        (own, initiator)
    }

    fn begin(&mut self, (own, initiator): (Identity, Initiator)) {
        assert!(!self.deliver(&self.init.clone()));
        let mut accept = self.came.pop().unwrap();
        let Ok(Datagram::Accept(accept)) = Datagram::parse(&mut accept) else { panic!() };
        let (keys, offer) = initiator.finish(&own, accept.noise).unwrap();
        self.live = Some((keys, offer.session));
    }

    /// A packet with this plaintext.
    fn seal(&mut self, plain: &[u8]) -> Vec<u8> {
        let (keys, session) = self.live.as_mut().unwrap();
        let mut packet = vec![0; PACKET_OVERHEAD + plain.len()];
        packet[PacketHeader::LENGTH..][..plain.len()].copy_from_slice(plain);
        keys.seal.seal(&Portable, *session, &mut packet, plain.len()).unwrap();
        packet
    }

    /// Whether it was answered by a Retry at once.
    fn deliver(&mut self, datagram: &[u8]) -> bool {
        let mut datagram = datagram.to_vec();
        let retried = self.server.handle_datagram(self.now, self.from, &mut datagram).is_some();
        self.turn();
        retried
    }

    fn turn(&mut self) {
        let (server, now) = (&mut self.server, self.now);
        let mut scratch = [0; MAX_DATAGRAM];
        while let Some(action) = server.poll(now, &mut scratch) {
            match action {
                Action::Send { datagram, .. } => self.came.push(datagram.to_vec()),
                Action::Put { ticket, .. } | Action::Trim { ticket, .. } => {
                    server.handle_stored(now, ticket, Ok(()));
                }
                Action::Read { ticket, .. } => {
                    server.handle_read(now, ticket, Ok(Records { records: &[], last: 0 }));
                }
                Action::CheckPassword { .. } => panic!("nobody has a password here"),
                Action::Event { event, .. } => self.events.push(event),
            }
        }
    }

    fn drops(&mut self) -> Drops {
        self.server.statistics().dropped
    }
}

/// Each is `<datagram> <what is done to it>`: `retry`, or `silence` and the counter that says why.
pub(crate) fn datagrams(cases: &[Case]) -> Vec<String> {
    let judge = |case: &Case| {
        let is_first = case.input.starts_with("init");
        let mut world = if is_first { World::new() } else { World::live() };
        if is_first {
            world.reach();
        }
        let ping = if is_first { Vec::new() } else { world.seal(&[2, 0, 0]) };
        let mut datagram = Vec::new();
        for (at, step) in case.input.split("; ").enumerate() {
            if at == 0 {
                datagram = match step {
                    "hello" => world.hello.clone(),
                    "init" => world.init.clone(),
                    "packet" => ping.clone(),
                    "old-packet" => {
                        world.deliver(&ping);
                        world.came.clear();
                        ping.clone()
                    }
                    other => corpus::hex(other.strip_prefix("hex").unwrap().trim()),
                };
            } else {
                change(&mut datagram, step);
            }
        }
        let before = world.drops();
        let answer = if world.deliver(&datagram) { "retry" } else { "silence" };
        let why = counted(&before, &world.drops());
        let outcome = [answer, why].join(" ");
        let is_silent = world.came.is_empty() && world.events.is_empty();
        let is_as_stated = outcome.trim() == case.outcome;
        (!is_silent || !is_as_stated).then(|| format!("{}: {outcome}", case.name))
    };
    cases.iter().filter_map(judge).collect()
}

/// Which counter went up.
fn counted(before: &Drops, after: &Drops) -> &'static str {
    let pairs = [
        ("malformed", before.malformed, after.malformed),
        ("unfitting", before.unfitting, after.unfitting),
        ("unproven", before.unproven, after.unproven),
        ("no-session", before.no_session, after.no_session),
        ("replayed", before.replayed, after.replayed),
        ("unauthentic", before.unauthentic, after.unauthentic),
    ];
    pairs.into_iter().find(|(_, before, after)| after > before).map_or("", |(name, ..)| name)
}

fn change(datagram: &mut Vec<u8>, step: &str) {
    let (verb, rest) = step.split_once(' ').unwrap();
    match verb {
        "cut" => datagram.truncate(rest.parse().unwrap()),
        "grow" => datagram.resize(rest.parse().unwrap(), 0),
        "set" => {
            let (at, bytes) = rest.split_once(' ').unwrap();
            let (at, bytes) = (at.parse::<usize>().unwrap(), corpus::hex(bytes));
            datagram[at..at + bytes.len()].copy_from_slice(&bytes);
        }
        "flip" => datagram[rest.parse::<usize>().unwrap()] ^= 1,
        other => panic!("{other:?}"),
    }
}

/// Each is `<frame of docs/vectors/frames.txt> <what is done to it>`, in a session of its own: the
/// name of the rule that it breaks, or `silence` for what is passed over.
pub(crate) fn frames(cases: &[Case]) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/vectors/frames.txt");
    let vectors = fs::read_to_string(path).unwrap();
    let pairs = vectors.lines().filter_map(|line| line.split_once(" = "));
    let vectors: HashMap<_, _> = pairs.map(|(name, digits)| (name, corpus::hex(digits))).collect();
    let judge = |case: &Case| {
        let mut world = World::live();
        let plain = plaintext(&case.input, &vectors);
        let packet = world.seal(&plain);
        world.deliver(&packet);
        let broken = world.events.iter().find_map(|event| match event {
            Event::Violation { rule, .. } => Some(format!("{rule:?}")),
            _ => None,
        });
        let outcome = broken.unwrap_or_else(|| "silence".to_owned());
        let counted = world.server.statistics().violations;
        let is_counted = Violation::ALL.into_iter().any(|rule| counted.of(rule) > 0);
        let is_consistent = is_counted == (outcome != "silence");
        (outcome != case.outcome || !is_consistent).then(|| format!("{}: {outcome}", case.name))
    };
    cases.iter().filter_map(judge).collect()
}

fn plaintext(input: &str, vectors: &HashMap<&str, Vec<u8>>) -> Vec<u8> {
    if let Some(digits) = input.strip_prefix("hex").map(str::trim) {
        return corpus::hex(digits);
    }
    let mut steps = input.split("; ");
    let name = steps.next().unwrap();
    let frame = vectors.get(name).unwrap_or_else(|| panic!("no vector {name}"));
    let (mut kind, mut body, mut torn) = (frame[0], frame[3..].to_vec(), 0);
    for step in steps {
        let (verb, rest) = step.split_once(' ').unwrap();
        match verb {
            // Without these bytes of its body, its length being right.
            "less" => body.truncate(body.len() - rest.parse::<usize>().unwrap()),
            "cut" => body.truncate(rest.parse().unwrap()),
            "more" => body.extend(corpus::hex(rest)),
            // The packet ends so many bytes before the frame does.
            "torn" => torn = rest.parse().unwrap(),
            "type" => kind = corpus::hex(rest)[0],
            "set" => {
                let (at, bytes) = rest.split_once(' ').unwrap();
                let (at, bytes) = (at.parse::<usize>().unwrap(), corpus::hex(bytes));
                body[at..at + bytes.len()].copy_from_slice(&bytes);
            }
            other => panic!("{other:?}"),
        }
    }
    let length = (body.len() as u16).to_le_bytes();
    let mut plain = [&[kind], &length[..], &body].concat();
    plain.truncate(plain.len() - torn);
    plain
}
