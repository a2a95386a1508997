//! One public message to many members over loopback: what each delivery costs the server's
//! thread, against a bare loop that seals and sends the same datagrams.
//!
//! `cargo bench -p transport-mio --bench fanout`

use std::{
    collections::{HashMap, HashSet},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use proto_core::{
    id::{Epoch, Incarnation, Nick, Number, Recipient, Room, SecretKey, SessionId},
    random::Random,
    server::{Config, Event},
    session::{Identity, Initiator, Keys, Offer, Portable},
    wire::{
        Ack, Datagram, Frame, FrameWriter, Frames, Hello, HelloTo, Init, MAX_DATAGRAM,
        PacketHeader, Read, Register, Submit, VERSION,
    },
};
use rustix::{
    net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg},
    time::{ClockId, clock_gettime},
};
use transport_mio::{endpoint::ServerEndpoint, identity, memory::ServerSizes};

/// Bytes of text in a message: a short line.
const BYTES: usize = 40;
/// Messages in a burst.
const BURST: u64 = 10;
/// Rounds, of which the cheapest counts.
const ROUNDS: usize = 7;
/// Sockets that the members share: which datagram is whose, the session id tells.
const SINKS: usize = 64;
/// Datagrams per system call, as the server has it.
const BATCH: usize = 32;
/// How long the server may wait for something to do.
const MOMENT: Duration = Duration::from_millis(10);
/// Bytes that one member may have under way to the server.
const CREDIT: u32 = 1 << 20;

fn main() {
    // Cargo asks benchmarks for their tests, too.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    println!("a public message of {BYTES} bytes to all members over loopback: CPU time of the");
    println!("server's thread per delivery, against a bare loop that seals (ChaCha20-Poly1305)");
    println!("and sends (sendmmsg, {BATCH} a call) datagrams of the same length to the same");
    println!("sockets; members that only take in, best of {ROUNDS} rounds:");
    for members in [1_000, 10_000] {
        let mut town = Town::of(members);
        let (mut one, mut burst, mut acks, mut bare) = (Cost::MAX, Cost::MAX, Cost::MAX, Cost::MAX);
        for _ in 0..ROUNDS {
            let (length, cost) = town.say(1);
            one = one.min(cost);
            acks = acks.min(town.acknowledge());
            bare = bare.min(town.bare(length));
            burst = burst.min(town.say(BURST).1);
            town.acknowledge();
        }
        let each = |cost: Cost| cost.as_nanos() as f64 / members as f64;
        println!(
            "  {members:>6} members: {:.2}x   ({:.0} ns against {:.0} ns)",
            each(one) / each(bare),
            each(one),
            each(bare)
        );
        println!(
            "                  {BURST} in a burst: {:.1}x the deliveries of one in the same time",
            each(one) * BURST as f64 / each(burst)
        );
        println!("                  taking in an acknowledgement: {:.0} ns", each(acks));
    }
}

/// CPU time of this thread.
type Cost = Duration;

fn cpu() -> Cost {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// A server at work on this thread, and its members.
struct Town {
    server: ServerEndpoint,
    at: SocketAddr,
    sinks: Vec<UdpSocket>,
    members: Vec<Member>,
    by_session: HashMap<u32, usize>,
    dice: Random,
    said: u64,
    /// The server's run, once it has said it.
    run: Incarnation,
    _directory: tempfile::TempDir,
}

struct Member {
    keys: Keys,
    ours: SessionId,
    theirs: SessionId,
    sink: usize,
    /// The next packet number to expect, and up to which they were acknowledged.
    next: u64,
    acked: u64,
}

impl Town {
    fn of(members: usize) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut sizes = ServerSizes::for_clients(members + SINKS);
        sizes.packets = 4 * members;
        // No roster changes are pushed: they are not what is measured.
        let never = Duration::from_hours(1);
        let mut config = Config::default();
        // What is measured is said faster than anyone may say it.
        (config.room_messages.interval, config.room_bytes.interval) = Default::default();
        (config.push, config.idle) = (never, never);
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = ServerEndpoint::open(directory.path(), loopback, &sizes, config)
            .expect("a server on loopback");
        let at = server.address().expect("it has a socket");
        let sink = |_| {
            let sink = UdpSocket::bind(loopback).expect("a socket on loopback");
            sink.set_nonblocking(true).expect("it can be so");
            sink
        };
        let mut town = Self {
            server,
            at,
            sinks: (0..SINKS).map(sink).collect(),
            members: Vec::new(),
            by_session: HashMap::new(),
            dice: Random::new(identity::seed().expect("the system has a generator")),
            said: 0,
            run: Incarnation::NONE,
            _directory: directory,
        };
        let mut is_ready = false;
        while !is_ready {
            let on_event = |event, _: &[u8]| is_ready |= event == Event::Ready;
            town.server.turn(None, on_event).expect("it can wait");
        }
        for number in 0..members {
            let member = town.join(number);
            town.by_session.insert(member.ours.0, number);
            town.members.push(member);
            // What came behind the answer.
            town.turn(Duration::ZERO);
            town.drain(&mut HashSet::new());
            if number % 16 == 15 {
                town.acknowledge();
            }
        }
        town
    }

    /// Lets the server work, and takes in the next datagram at a sink: of a session, or
    /// of a handshake.
    fn answer(&mut self, sink: usize, session: Option<SessionId>) -> Vec<u8> {
        let mut datagram = vec![0; MAX_DATAGRAM];
        for _ in 0..1000 {
            self.turn(MOMENT);
            while let Ok(length) = self.sinks[sink].recv(&mut datagram) {
                let of = match Datagram::parse(&mut datagram[..length]) {
                    Ok(Datagram::Packet(header, _)) => Some(header),
                    _ => None,
                };
                if of.map(|header| header.session) == session {
                    datagram.truncate(length);
                    return datagram;
                }
                if let Some(header) = of
                    && let Some(at) = self.by_session.get(&header.session.0)
                {
                    self.members[*at].took(header);
                }
            }
        }
        panic!("the server does not answer");
    }

    /// Lets the server work, or wait until it can for a moment.
    fn turn(&mut self, moment: Duration) {
        self.server.turn(Some(moment), |_, _| {}).expect("it can wait");
    }

    fn send(&self, sink: usize, datagram: &[u8]) {
        self.sinks[sink].send_to(datagram, self.at).expect("loopback takes it");
    }

    fn join(&mut self, number: usize) -> Member {
        let sink = number % SINKS;
        let identity = Identity::new(SecretKey(self.dice.bytes()), &Portable);
        let hello =
            Hello { version: VERSION, size: 1200, random: self.dice.bytes(), to: HelloTo::Server };
        let mut out = [0; MAX_DATAGRAM];
        self.send(sink, hello.encode(&mut out));
        let mut retry = self.answer(sink, None);
        let Ok(Datagram::Retry(retry)) = Datagram::parse(&mut retry) else {
            panic!("a Hello is answered by a Retry")
        };
        let offer =
            Offer { session: SessionId(self.dice.u32()), credit: CREDIT, messages: u16::MAX };
        let key = retry.key.expect("a server says its key");
        let (initiator, noise) =
            Initiator::new(&identity, &key, &hello, &retry, offer, &mut self.dice, 1)
                .expect("sound");
        let init = Init { hello, cookie: retry.cookie, noise: &noise };
        self.send(sink, init.encode(&mut out));
        let mut accept = self.answer(sink, None);
        let Ok(Datagram::Accept(accept)) = Datagram::parse(&mut accept) else {
            panic!("an Init is answered by an Accept")
        };
        let (keys, theirs) =
            initiator.finish(&identity, &mut accept.noise.to_vec()).expect("it is the answer");
        let mut member =
            Member { keys, ours: offer.session, theirs: theirs.session, sink, next: 0, acked: 0 };
        let nick = Nick::new(&format!("c{number}")).expect("a nick");
        // It claims to know everyone so far: full rosters are not at issue.
        let roster = (1 << 40) + number as u64;
        let register =
            Register { nick, epoch: None, run: Incarnation([1; 8]), server: self.run, roster };
        self.send(sink, &member.packet(&[Frame::Register(register)]));
        // Until it knows that it is in the lobby, and has said from where it reads.
        loop {
            let mut datagram = self.answer(sink, Some(member.ours));
            let run = &mut self.run;
            let joined = member.open(&mut datagram, |frame| {
                if let Frame::Registered(registered) = frame {
                    *run = registered.run;
                }
                matches!(frame, Frame::Joined(_))
            });
            let read = Frame::Read(Read { room: Room::LOBBY, upto: 0, rewinds: 0 });
            let ack = member.ack();
            self.send(sink, &member.packet(&[ack, read]));
            if joined {
                break;
            }
        }
        member
    }

    /// The first member says something `count` times at once: the length of a datagram to
    /// a member, and what it costs to bring it to all.
    fn say(&mut self, count: u64) -> (usize, Cost) {
        let body = [7; 8 + BYTES];
        let first = self.said + 1;
        self.said += count;
        // As a client does, in one datagram.
        let submissions: Vec<_> = (first..=self.said)
            .map(|number| {
                Frame::Submit(Submit {
                    key: 0,
                    to: Recipient::Room(Room::LOBBY),
                    epoch: Epoch(1),
                    number: Number(number),
                    skip: 0,
                    total: body.len() as u16,
                    offset: 0,
                    piece: &body,
                })
            })
            .collect();
        let packet = self.members[0].packet(&submissions);
        self.send(0, &packet);
        let (mut heard, mut cost) = (HashSet::new(), Cost::ZERO);
        let mut length = 0;
        for _ in 0..1000 {
            let start = cpu();
            self.turn(MOMENT);
            cost += cpu().saturating_sub(start);
            let came = self.drain(&mut heard);
            length = length.max(came);
            // To its end: a burst may take more than one datagram each.
            if came == 0 && heard.len() == self.members.len() {
                break;
            }
        }
        assert!(heard.len() * 100 >= self.members.len() * 99, "{} heard of it", heard.len());
        (length, cost)
    }

    /// Members take in what came: who `heard` something, and the length of the longest
    /// datagram.
    fn drain(&mut self, heard: &mut HashSet<usize>) -> usize {
        let mut out = [0; MAX_DATAGRAM];
        let mut longest = 0;
        for sink in &self.sinks {
            while let Ok(length) = sink.recv(&mut out) {
                let Ok(Datagram::Packet(header, _)) = Datagram::parse(&mut out[..length]) else {
                    continue;
                };
                let session = header.session.0;
                let Some(at) = self.by_session.get(&session).copied() else { continue };
                self.members[at].took(header);
                heard.insert(at);
                longest = longest.max(length);
            }
        }
        longest
    }

    /// Every member to whom something came acknowledges it; what that costs.
    fn acknowledge(&mut self) -> Cost {
        let mut cost = Cost::ZERO;
        for chunk in (0..self.members.len()).step_by(256) {
            for at in chunk..self.members.len().min(chunk + 256) {
                let member = &mut self.members[at];
                if core::mem::replace(&mut member.acked, member.next) == member.next {
                    continue;
                }
                let (ack, upto) = (member.ack(), self.said as u32);
                let read = Frame::Read(Read { room: Room::LOBBY, upto, rewinds: 0 });
                let packet = member.packet(&[ack, read]);
                let sink = member.sink;
                self.send(sink, &packet);
            }
            let start = cpu();
            self.turn(MOMENT);
            self.turn(Duration::ZERO);
            cost += cpu().saturating_sub(start);
            self.drain(&mut HashSet::new());
        }
        self.drain(&mut HashSet::new());
        cost
    }

    /// The same without a server: a datagram of `length` bytes is sealed for every member, and sent.
    fn bare(&mut self, length: usize) -> Cost {
        let ciphers: Vec<_> = (0..self.members.len())
            .map(|_| ChaCha20Poly1305::new(&self.dice.bytes::<32>().into()))
            .collect();
        let addresses: Vec<SocketAddrAny> =
            self.sinks.iter().map(|sink| sink.local_addr().expect("it is bound").into()).collect();
        let from = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket on loopback");
        let plain = vec![7; length];
        let mut batch = vec![vec![0; MAX_DATAGRAM]; BATCH];
        let start = cpu();
        for (chunk, ciphers) in ciphers.chunks(BATCH).enumerate() {
            for (cipher, datagram) in ciphers.iter().zip(&mut batch) {
                datagram[..length].copy_from_slice(&plain);
                let (text, tag) = datagram[..length].split_at_mut(length - 16);
                let nonce = [0; 12].into();
                let (header, text) = text.split_at_mut(PacketHeader::LENGTH);
                let sealed = cipher.encrypt_inout_detached(&nonce, header, text.into());
                tag.copy_from_slice(&sealed.expect("short"));
            }
            let payloads: Vec<_> =
                batch.iter().map(|one| [std::io::IoSlice::new(&one[..length])]).collect();
            let mut nothing: Vec<_> =
                ciphers.iter().map(|_| SendAncillaryBuffer::default()).collect();
            let mut messages: Vec<_> = payloads
                .iter()
                .zip(&mut nothing)
                .enumerate()
                .map(|(at, (payload, nothing))| {
                    let to = &addresses[(chunk * BATCH + at) % SINKS];
                    MMsgHdr::new_with_addr(to, payload, nothing)
                })
                .collect();
            let sent = sendmmsg(&from, &mut messages, SendFlags::empty());
            assert_eq!(sent, Ok(messages.len()));
        }
        let cost = cpu().saturating_sub(start);
        self.drain(&mut HashSet::new());
        cost
    }
}

impl Member {
    fn packet(&mut self, frames: &[Frame<'_>]) -> Vec<u8> {
        let mut packet = vec![0; MAX_DATAGRAM];
        let mut writer = FrameWriter::new(&mut packet, PacketHeader::LENGTH, 1100);
        assert!(frames.iter().all(|frame| writer.push(frame)), "they fit");
        let length = writer.length();
        let sealed = self.keys.seal.seal(&Portable, self.theirs, &mut packet, length);
        packet.truncate(sealed.expect("it fits").1);
        packet
    }

    /// Takes a datagram in; whether any of its frames is `wanted`.
    fn open(&mut self, datagram: &mut [u8], mut wanted: impl FnMut(&Frame<'_>) -> bool) -> bool {
        let Ok(Datagram::Packet(header, sealed)) = Datagram::parse(datagram) else { return false };
        self.took(header);
        let Ok(plain) = self.keys.open.open(&Portable, header, sealed) else { return false };
        Frames::new(plain).flatten().any(|frame| wanted(&frame))
    }

    /// A packet came.
    fn took(&mut self, header: PacketHeader) {
        self.next = self.next.max(header.counter + 1);
    }

    /// That all packets came.
    fn ack(&self) -> Frame<'static> {
        let largest = self.next.saturating_sub(1);
        Frame::Ack(Ack { largest, delay: 0, first: largest, gaps: heapless::Vec::new() })
    }
}
