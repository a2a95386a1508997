//! What the core costs: a handled datagram at a server with few and with many
//! clients, the memory of an idle client, and a sealed packet against its bare cipher.
//!
//! `cargo bench -p transport-mio --bench core`

use std::{
    hint::black_box,
    net::SocketAddr,
    time::{Duration, Instant as Stopwatch},
};

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use proto_core::{
    host::{Action, Machine, Records, Resume},
    id::{Incarnation, Nick, PublicKey, SecretKey, SessionId},
    random::Random,
    server::{Config, Member, Server, ServerLink},
    session::{Identity, Initiator, Keys, Offer, Portable, Suite},
    storage::Slot,
    time::{Instant, WallClock},
    wire::{
        Ack, Datagram, Frame, FrameWriter, Frames, Hello, HelloTo, Init, MAX_DATAGRAM,
        PacketHeader, Register, VERSION,
    },
};
use transport_mio::{
    identity,
    memory::{ServerMemory, ServerSizes},
};

/// Datagrams in one measured round, few enough that some rounds are not interrupted, and
/// rounds, of which the fastest counts.
const DATAGRAMS: usize = 2_000;
const ROUNDS: usize = 200;

/// Datagrams between two looks at the clock, as few as will hardly have two from one
/// client, even of a hundred.
const BATCH: usize = 8;

/// The longest that an Ack waits.
const ACK_DELAY: Duration = Duration::from_millis(25);

fn main() {
    // Cargo asks benchmarks for their tests, too.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    per_datagram();
    per_client();
    per_packet();
}

/// The cost of a datagram must not grow with the number of clients.
fn per_datagram() {
    println!("server core, a Ping from a client picked at random, sealed with ChaCha20-Poly1305:");
    println!("handled and drained, and the same with the Ack that is sent for it 25 ms later;");
    println!("best of {ROUNDS} rounds of {DATAGRAMS}:");
    let mut towns = [100, 10_000, 100_000].map(Town::of);
    // In turn, so that whatever else the machine does falls on all of them.
    let rounds: Vec<_> = (0..ROUNDS).map(|_| towns.each_mut().map(Town::round)).collect();
    let least = |cost: &dyn Fn(&[Round; 3]) -> Duration| {
        rounds.iter().map(cost).min().unwrap_or_default().as_nanos() as f64 / DATAGRAMS as f64
    };
    let costs = [0, 1, 2].map(|town| {
        let handled = least(&|rounds| rounds[town].handled);
        (handled, least(&|rounds| rounds[town].handled + rounds[town].acked))
    });
    for (town, (handled, in_all)) in towns.iter().zip(costs) {
        println!(
            "  {:>7} clients: {:>5.2}x   ({handled:.0} ns), with its Ack {:>5.2}x   ({in_all:.0} ns)",
            town.clients.len(),
            handled / costs[0].0,
            in_all / costs[0].1
        );
    }
}

/// What a registered client that says nothing takes, all tables and indexes counted.
fn per_client() {
    let clients = 100_000;
    let memory = ServerMemory::new(&ServerSizes::for_clients(clients));
    let tables = memory.bytes();
    let total: usize = tables.iter().map(|table| table.total()).sum();
    println!("\nmemory of a server for {clients} clients, default pools, bytes a client:");
    println!(
        "  {:>6.1}  in all, {:.2}x of 1 KiB",
        total as f64 / clients as f64,
        total as f64 / clients as f64 / 1024.0
    );
    for table in tables {
        println!("  {:>6.1}  {}", table.total() as f64 / clients as f64, table.table);
    }
    let link = size_of::<Slot<ServerLink>>();
    let parts = [
        ("keys, counters and replay window", size_of::<Keys>()),
        ("the client's key and address", size_of::<PublicKey>() + size_of::<SocketAddr>()),
        ("registration, cursors and lists", size_of::<Member>()),
    ];
    let rest = link - parts.iter().map(|(_, bytes)| bytes).sum::<usize>();
    println!("one link, {link} bytes:");
    for (part, bytes) in parts.into_iter().chain([("Acks, loss, round trip, credit", rest)]) {
        println!("  {bytes:>6}  {part}");
    }
}

/// A packet of 100 bytes, sealed and opened, against the cipher alone.
fn per_packet() {
    let (mut ours, mut theirs) = session_keys();
    let cipher = ChaCha20Poly1305::new(&[7; 32].into());
    let mut packet = [0; 129];
    let time = |run: &mut dyn FnMut()| {
        let rounds = (0..ROUNDS).map(|_| {
            let start = Stopwatch::now();
            (0..DATAGRAMS).for_each(|_| run());
            start.elapsed()
        });
        rounds.min().unwrap_or_default().as_nanos() as f64 / DATAGRAMS as f64
    };
    let protected = time(&mut || {
        let (_, length) = ours.seal.seal(&Portable, SessionId(1), &mut packet, 100).expect("room");
        let Ok(Datagram::Packet(header, sealed)) = Datagram::parse(&mut packet[..length]) else {
            unreachable!("it was just sealed")
        };
        black_box(theirs.open.open(&Portable, header, sealed).expect("it is authentic").len());
    });
    let mut text = [0; 100];
    let bare = time(&mut || {
        let nonce = [0; 12].into();
        let tag =
            cipher.encrypt_inout_detached(&nonce, &[], (&mut text[..]).into()).expect("short");
        cipher
            .decrypt_inout_detached(&nonce, &[], (&mut text[..]).into(), &tag)
            .expect("authentic");
        black_box(&text);
    });
    println!(
        "\nprotect and open a packet of 100 bytes, against bare ChaCha20-Poly1305 of the same:"
    );
    println!("  {:.2}x   ({protected:.0} ns against {bare:.0} ns)", protected / bare);
}

/// A server with clients that are registered, caught up and idle.
struct Town {
    server: Server<ServerMemory>,
    clients: Vec<Townsman>,
    dice: Random,
    now: Instant,
    /// The server's run, once it has said it.
    run: Incarnation,
}

struct Townsman {
    keys: Keys,
    server: SessionId,
    address: SocketAddr,
}

impl Town {
    fn of(count: usize) -> Self {
        let now = Instant::from_micros(0);
        let resume = Resume { boot: 1, clock: WallClock::UNKNOWN };
        let us = Identity::new(SecretKey([1; 32]), &Shortcut);
        let memory = ServerMemory::new(&ServerSizes::for_clients(count));
        // Nobody falls silent while the others come, and nothing but Pings is at issue:
        // roster changes are never pushed.
        let never = Duration::from_hours(1000);
        let mut config = Config::default();
        (config.idle, config.push) = (never, never);
        let server = Server::new(
            config,
            us,
            identity::seed().expect("the system has a generator"),
            resume,
            now,
            memory,
        );
        let server = server.expect("its tables fit together");
        let mut town = Self {
            server,
            clients: Vec::new(),
            dice: Random::new(identity::seed().expect("the system has a generator")),
            now,
            run: Incarnation::NONE,
        };
        town.drain(at(0));
        for number in 0..count {
            // The handshakes that are remembered must not run out.
            town.now = town.now + Duration::from_millis(1);
            let client = town.register(number);
            town.clients.push(client);
        }
        town
    }

    /// Performs what the server owes; gives back the last datagram that it sent to `whom`.
    fn drain(&mut self, whom: SocketAddr) -> Vec<u8> {
        let (mut scratch, mut last) = ([0; MAX_DATAGRAM], Vec::new());
        while let Some(action) = self.server.poll(self.now, &mut scratch) {
            match action {
                Action::Send { to, datagram } if to == whom => last = datagram.to_vec(),
                Action::Put { ticket, .. } | Action::Trim { ticket, .. } => {
                    self.server.handle_stored(self.now, ticket, Ok(()));
                }
                Action::Read { ticket, .. } => {
                    self.server.handle_read(self.now, ticket, Ok(Records::default()));
                }
                Action::Send { .. } | Action::CheckPassword { .. } | Action::Event { .. } => {}
            }
        }
        last
    }

    fn send(&mut self, from: SocketAddr, datagram: &mut [u8]) -> Vec<u8> {
        let reply = self.server.handle_datagram(self.now, from, datagram).map(<[u8]>::to_vec);
        reply.unwrap_or_else(|| self.drain(from))
    }

    fn register(&mut self, number: usize) -> Townsman {
        let address = at(number);
        let mut secret = [0; 32];
        secret[..8].copy_from_slice(&(number as u64 + 2).to_le_bytes());
        let identity = Identity::new(SecretKey(secret), &Shortcut);
        let random = self.dice.bytes();
        let hello = Hello { version: VERSION, size: 256, random, to: HelloTo::Server };
        let mut out = [0; MAX_DATAGRAM];
        let mut retry = self.send(address, hello.encode(&mut out));
        let Ok(Datagram::Retry(retry)) = Datagram::parse(&mut retry) else {
            panic!("a Hello is answered by a Retry")
        };
        let offer = Offer { session: SessionId(self.dice.u32()), credit: 1 << 16 };
        let key = retry.key.expect("a server says its key");
        let (initiator, noise) =
            Initiator::new(&identity, &key, &hello, &retry, offer, &mut self.dice, 1)
                .expect("sound");
        let init = Init { hello, cookie: retry.cookie, noise: &noise };
        let mut accept = self.send(address, init.encode(&mut out));
        let Ok(Datagram::Accept(accept)) = Datagram::parse(&mut accept) else {
            panic!(
                "an Init is answered by an Accept: {number} {:?} {:?}",
                self.server.drops(),
                self.server.usage()
            )
        };
        let (keys, theirs) =
            initiator.finish(&identity, &mut accept.noise.to_vec()).expect("it is the answer");
        let mut client = Townsman { keys, server: theirs.session, address };
        let nick = Nick::new(&format!("c{number}")).expect("a nick");
        // The client knows everyone so far.
        let roster = (1 << 40) + number as u64;
        let register =
            Register { nick, epoch: None, run: Incarnation([1; 8]), server: self.run, roster };
        let mut answer = self.send(address, &mut client.packet(&Frame::Register(register)));
        let Ok(Datagram::Packet(header, sealed)) = Datagram::parse(&mut answer) else {
            panic!("a Register is answered")
        };
        let PacketHeader { counter, .. } = header;
        let plain = client.keys.open.open(&Shortcut, header, sealed).expect("it is authentic");
        for frame in Frames::new(plain) {
            if let Ok(Frame::Registered(registered)) = frame {
                self.run = registered.run;
            }
        }
        let gaps = heapless::Vec::new();
        let ack = Ack { largest: counter, delay: 0, first: counter, gaps };
        self.send(address, &mut client.packet(&Frame::Ack(ack)));
        client
    }

    /// One round of datagrams from clients picked at random. They are sealed beforehand, and
    /// lie one behind the other: what a host has just received is at hand.
    fn round(&mut self) -> Round {
        let mut datagrams: Vec<_> = (0..DATAGRAMS)
            .map(|_| {
                let pick = self.dice.u64() as usize % self.clients.len();
                let client = &mut self.clients[pick];
                let packet = client.packet(&Frame::Ping(()));
                (client.address, heapless::Vec::<_, 64>::from_slice(&packet).expect("a Ping"))
            })
            .collect();
        let mut round = Round::default();
        let mut scratch = [0; MAX_DATAGRAM];
        let mut drain = |server: &mut Server<ServerMemory>, now| {
            let mut count = 0;
            while let Some(action) = server.poll(now, &mut scratch) {
                count += usize::from(matches!(black_box(&action), Action::Send { .. }));
            }
            count
        };
        let mut acks = 0;
        for batch in datagrams.chunks_mut(BATCH) {
            let start = Stopwatch::now();
            for (from, datagram) in batch {
                self.server.handle_datagram(self.now, *from, datagram);
                acks += drain(&mut self.server, self.now);
            }
            let handled = Stopwatch::now();
            self.now = self.now + ACK_DELAY;
            acks += drain(&mut self.server, self.now);
            round.handled += handled - start;
            round.acked += handled.elapsed();
        }
        assert!(acks * 10 >= DATAGRAMS * 9 && acks <= DATAGRAMS, "nearly each gets an Ack: {acks}");
        round
    }
}

/// What a round took: to handle the datagrams, and to send their Acks when they fell due.
#[derive(Default)]
struct Round {
    handled: Duration,
    acked: Duration,
}

impl Townsman {
    fn packet(&mut self, frame: &Frame<'_>) -> Vec<u8> {
        let mut packet = vec![0; 256];
        let mut writer = FrameWriter::new(&mut packet, PacketHeader::LENGTH, 240);
        assert!(writer.push(frame), "it fits");
        let length = writer.length();
        let sealed = self.keys.seal.seal(&Shortcut, self.server, &mut packet, length);
        packet.truncate(sealed.expect("it fits").1);
        packet
    }
}

fn at(number: usize) -> SocketAddr {
    let [.., a, b, c] = (number as u32).to_be_bytes();
    SocketAddr::from(([127, a, b, c], 1000))
}

/// Both ends of a session, from a handshake.
fn session_keys() -> (Keys, Keys) {
    use proto_core::session::{Opened, retry};
    let mut random = Random::new(identity::seed().expect("the system has a generator"));
    let [us, them] = [4, 5].map(|secret| Identity::new(SecretKey([secret; 32]), &Portable));
    let hello = Hello { version: VERSION, size: 256, random: [6; 16], to: HelloTo::Server };
    let retry = retry(&Portable, &hello, [7; 16], Some(them.public()));
    let offer = Offer { session: SessionId(1), credit: 0 };
    let (initiator, noise) =
        Initiator::new(&us, &them.public(), &hello, &retry, offer, &mut random, 1).expect("sound");
    let init = Init { hello, cookie: [7; 16], noise: &noise };
    let opened = Opened::open(&them, &init, Some(them.public())).expect("it is for them");
    let (theirs, memo) = opened.accept(&them, offer, 256, &mut random, 1).expect("sound");
    let mut out = [0; MAX_DATAGRAM];
    let length = memo.encode(&Portable, &mut out).expect("room");
    let (ours, _) = initiator.finish(&us, &mut out[..length]).expect("it is the answer");
    (ours, theirs)
}

/// The real cipher and hash, and a Diffie-Hellman that costs nothing: a hundred
/// thousand handshakes are not what is measured.
#[derive(Debug)]
struct Shortcut;

impl Suite for Shortcut {
    fn public(&self, secret: &[u8; 32]) -> [u8; 32] {
        *secret
    }

    fn agree(&self, secret: &[u8; 32], public: &[u8; 32]) -> Option<[u8; 32]> {
        Some(core::array::from_fn(|at| secret[at] ^ public[at]))
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        Portable.hash(parts)
    }

    fn seal(&self, key: &[u8; 32], nonce: u64, ad: &[u8], text: &mut [u8]) -> [u8; 16] {
        Portable.seal(key, nonce, ad, text)
    }

    fn open(&self, key: &[u8; 32], nonce: u64, ad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> bool {
        Portable.open(key, nonce, ad, text, tag)
    }
}
