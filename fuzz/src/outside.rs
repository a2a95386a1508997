//! What a role meets: its host, and the ends of its sessions, which the fuzzer speaks for.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    convert::Infallible,
    net::SocketAddr,
};

use proto_core::{
    host::Resume,
    host::{Action, Log, Ticket},
    id::{PublicKey, SecretKey, SessionId},
    random::{Random, Seed},
    session::{self, Identity, Initiator, Keys, Offer, Opened},
    time::{Instant, UnixTime, WallClock},
    wire::{
        Accept, Ack, AckGap, Datagram, Frame, FrameWriter, Frames, Hello, HelloTo, Init,
        MAX_ACK_RANGES, MAX_DATAGRAM, PACKET_OVERHEAD, PacketHeader, Registered, RoomRequest,
        VERSION,
    },
};

use crate::{steps::End, suite::Cheap};

/// The credit that an end grants: the second so little that it is used up.
fn credit(end: End) -> u32 {
    if end == End::Second { 1000 } else { 8192 }
}

/// The largest datagrams that an end sends and is sent: the third has small ones.
fn size(end: End) -> u16 {
    if end == End::Third { 256 } else { 1200 }
}

/// A role's randomness, the same each time.
pub fn seed(n: u8) -> Seed {
    let Ok(seed) = Seed::draw(|bytes| {
        bytes.fill(n);
        Ok::<_, Infallible>(())
    });
    seed
}

/// The identity of the role itself.
pub fn role_identity() -> Identity {
    Identity::new(SecretKey([1; 32]), &Cheap)
}

/// The identity of an end.
pub fn end_identity(end: End) -> Identity {
    Identity::new(SecretKey([2 + end as u8; 32]), &Cheap)
}

/// Where an end is: the honest ones at addresses that nobody else has.
pub(crate) fn address(end: End) -> SocketAddr {
    let host = match end {
        End::First | End::Second | End::Third => 1,
        End::Honest | End::Friend => 2 + end as u8,
    };
    SocketAddr::from(([127, 0, 0, host], 2 + end as u16))
}

/// One frame as the plaintext of a packet.
pub fn plaintext(frame: &Frame<'_>) -> Vec<u8> {
    let mut buffer = [0; MAX_DATAGRAM];
    let mut writer = FrameWriter::new(&mut buffer, 0, MAX_DATAGRAM - PACKET_OVERHEAD);
    assert!(writer.push(frame), "each frame fits a packet");
    let length = writer.length();
    buffer[..length].to_vec()
}

/// What a host was asked for.
pub(crate) enum Request {
    Put {
        log: Log,
        number: u64,
        record: Vec<u8>,
    },
    Trim {
        log: Log,
        upto: u64,
    },
    Read {
        log: Log,
        from: u64,
        most: usize,
    },
    /// A password: `known` if its account has one already.
    CheckPassword {
        known: bool,
    },
}

impl Request {
    /// Something is to be made durable.
    pub(crate) fn is_write(&self) -> bool {
        matches!(self, Self::Put { .. } | Self::Trim { .. })
    }
}

/// What came of a request.
pub(crate) enum Answer {
    Stored,
    Read { records: Vec<(u64, Vec<u8>)>, last: u64 },
    Judged { known: bool },
}

#[derive(Default)]
struct Records {
    last: u64,
    records: BTreeMap<u64, Vec<u8>>,
}

/// One end of a session with the role.
#[derive(Default)]
struct Other {
    session: Option<(Keys, SessionId)>,
    /// The last datagram of a handshake that it was sent.
    handshake: Vec<u8>,
    /// The packets that it was sent.
    received: BTreeSet<u64>,
    /// The last command that it was sent.
    asked: Option<RoomRequest>,
    /// The server registered it.
    registered: Option<Registered>,
    /// Pieces of mail that it was sent.
    mail: usize,
}

/// The world around a role.
pub(crate) struct Outside {
    pub(crate) now: Instant,
    pub(crate) requests: VecDeque<(Ticket, Request)>,
    /// The first end is the role's server.
    has_server: bool,
    logs: BTreeMap<Log, Records>,
    ends: [Other; End::EVERY.len()],
    random: Random,
    boot: u64,
    /// The role was told of records that are not in the logs.
    pub(crate) misled: bool,
}

impl Outside {
    pub(crate) fn new(has_server: bool) -> Self {
        Self {
            now: Instant::from_micros(1_000_000),
            requests: VecDeque::new(),
            has_server,
            logs: BTreeMap::new(),
            ends: Default::default(),
            random: Random::new(seed(9)),
            boot: 1,
            misled: false,
        }
    }

    /// The role is gone, and with it what it asked for and was not done.
    pub(crate) fn restart(&mut self) {
        self.requests.clear();
        self.boot += 1;
    }

    pub(crate) fn resume(&self) -> Resume {
        // So early that it makes no numbers.
        let unix = UnixTime(1);
        let at = Instant::from_micros(1_000_000);
        Resume { boot: self.boot, clock: WallClock { at, unix } }
    }

    /// Does what a role owes, or notes that it is to be done.
    pub(crate) fn perform<E>(&mut self, action: Action<'_, E>) {
        match action {
            Action::Send { to, datagram } => self.receive(to, datagram),
            Action::Put { ticket, log, number, record } => {
                let record = record.to_vec();
                self.requests.push_back((ticket, Request::Put { log, number, record }));
            }
            Action::Trim { ticket, log, upto } => {
                self.requests.push_back((ticket, Request::Trim { log, upto }));
            }
            Action::Read { ticket, log, from, most } => {
                self.requests.push_back((ticket, Request::Read { log, from, most }));
            }
            Action::CheckPassword { ticket, hash, .. } => {
                self.requests.push_back((ticket, Request::CheckPassword { known: hash.is_some() }));
            }
            Action::Event { .. } => {}
        }
    }

    /// Carries a request out.
    pub(crate) fn carry_out(&mut self, request: Request) -> Answer {
        match request {
            Request::Put { log, number, record } => {
                let once = matches!(log, Log::Mailbox(_) | Log::Room(_) | Log::Inbox(_));
                let records = self.logs.entry(log).or_default();
                records.last = records.last.max(number);
                let known = records.records.insert(number, record.clone());
                // What was said is kept as it was said.
                let same = known.is_none_or(|known| known == record);
                assert!(same || !once || self.misled, "{log:?} has another record {number}");
                Answer::Stored
            }
            Request::Trim { log, upto } => {
                if let Some(log) = self.logs.get_mut(&log) {
                    log.records.retain(|number, _| *number > upto);
                }
                Answer::Stored
            }
            Request::Read { log, from, most } => {
                let Some(log) = self.logs.get(&log) else {
                    return Answer::Read { records: Vec::new(), last: 0 };
                };
                let found = log.records.range(from..).take(most);
                let records = found.map(|(number, record)| (*number, record.clone())).collect();
                Answer::Read { records, last: log.last }
            }
            Request::CheckPassword { known } => Answer::Judged { known },
        }
    }

    /// A packet with these frames; `None` before there is a session.
    pub(crate) fn seal(&mut self, end: End, frames: &[u8]) -> Option<Vec<u8>> {
        let (keys, to) = self.ends[end as usize].session.as_mut()?;
        let frames = &frames[..frames.len().min(MAX_DATAGRAM - PACKET_OVERHEAD)];
        let mut packet = vec![0; frames.len() + PACKET_OVERHEAD];
        packet[PacketHeader::LENGTH..][..frames.len()].copy_from_slice(frames);
        keys.seal.seal(&Cheap, *to, &mut packet, frames.len())?;
        Some(packet)
    }

    /// Acknowledges the last packet that an end was sent, and so many before it.
    pub(crate) fn acknowledgement(&mut self, end: End, run: u64) -> Option<Vec<u8>> {
        let largest = *self.ends[end as usize].received.last()?;
        let ack = Ack { largest, delay: 0, first: run.min(largest), gaps: Default::default() };
        self.seal(end, &plaintext(&Frame::Ack(ack)))
    }

    /// Acknowledges those packets that an end was sent, as everyone should: some numbers are
    /// skipped.
    pub(crate) fn honest_acknowledgement(&mut self, end: End) -> Option<Vec<u8>> {
        let mut runs = Vec::<(u64, u64)>::new();
        for number in self.ends[end as usize].received.iter().rev() {
            match runs.last_mut() {
                Some((low, _)) if *low == number + 1 => *low = *number,
                _ => runs.push((*number, *number)),
            }
        }
        let (low, largest) = *runs.first()?;
        let gaps = runs
            .windows(2)
            .map(|runs| AckGap { missing: runs[0].0 - runs[1].1 - 2, run: runs[1].1 - runs[1].0 });
        let gaps = gaps.take(MAX_ACK_RANGES).collect();
        let ack = Ack { largest, delay: 0, first: largest - low, gaps };
        self.seal(end, &plaintext(&Frame::Ack(ack)))
    }

    /// The last command that an end was sent.
    pub(crate) fn asked(&self, end: End) -> Option<RoomRequest> {
        self.ends[end as usize].asked
    }

    /// Begins a handshake.
    pub(crate) fn hello(&mut self, end: End) -> Hello {
        let (to, size) = (HelloTo::Server, size(end));
        let mut hello = Hello { version: VERSION, size, random: self.random.bytes(), to };
        if self.has_server {
            hello.to = HelloTo::Peer { mac: [0; 16] };
            let mac = session::hello_mac(&Cheap, &role_identity().public(), &hello);
            hello.to = HelloTo::Peer { mac };
        }
        hello
    }

    /// Goes on with a handshake that `end` began with `hello`, once it was sent a Retry.
    pub(crate) fn follow(
        &mut self,
        end: End,
        hello: Hello,
        noise: &[u8],
    ) -> Option<(Initiator, Vec<u8>)> {
        let mut answer = std::mem::take(&mut self.ends[end as usize].handshake);
        let Ok(Datagram::Retry(retry)) = Datagram::parse(&mut answer) else { return None };
        let key = role_identity().public();
        let us = end_identity(end);
        let offer = self.offer(end);
        let (initiator, ours) =
            Initiator::new(&us, &key, &hello, &retry, offer, &mut self.random, 1)?;
        let noise = if noise.is_empty() { &ours } else { noise };
        let init = Init { hello, cookie: retry.cookie, noise };
        Some((initiator, init.encode(&mut [0; MAX_DATAGRAM]).to_vec()))
    }

    /// Ends a handshake that `end` began, once it was sent an Accept.
    pub(crate) fn finish(&mut self, end: End, initiator: &Initiator) -> Option<()> {
        let mut answer = std::mem::take(&mut self.ends[end as usize].handshake);
        let Ok(Datagram::Accept(accept)) = Datagram::parse(&mut answer) else { return None };
        let (keys, offered) = initiator.finish(&end_identity(end), accept.noise)?;
        self.enter(end, keys, offered.session);
        Some(())
    }

    /// What `end` answers to the handshake datagram that it was sent.
    pub(crate) fn answer(&mut self, end: End, noise: &[u8]) -> Option<Vec<u8>> {
        let us = end_identity(end);
        let key = self.server_key(end);
        let mut asked = std::mem::take(&mut self.ends[end as usize].handshake);
        let mut out = [0; MAX_DATAGRAM];
        match Datagram::parse(&mut asked) {
            Ok(Datagram::Hello(hello)) => {
                let retry = session::retry(&Cheap, &hello, self.random.bytes(), key);
                Some(retry.encode(&mut out).to_vec())
            }
            Ok(Datagram::Init(init)) => {
                let opened = Opened::open(&us, &init, key)?;
                let theirs = opened.offer().session;
                let size = usize::from(init.hello.size);
                let offer = self.offer(end);
                let (keys, memo) = opened.accept(&us, offer, size, &mut self.random, 1)?;
                let mut ours = [0; MAX_DATAGRAM];
                let length = memo.encode(&Cheap, &mut ours)?;
                let mut noise = noise.to_vec();
                let noise = if noise.is_empty() { &mut ours[..length] } else { &mut noise };
                self.enter(end, keys, theirs);
                Some(Accept { session: theirs, noise }.encode(&mut out).to_vec())
            }
            _ => None,
        }
    }

    /// What an end is registered as.
    pub(crate) fn registered(&self, end: End) -> Option<Registered> {
        self.ends[end as usize].registered
    }

    /// An end was sent mail.
    pub(crate) fn has_mail(&self, end: End) -> bool {
        self.ends[end as usize].mail > 0
    }

    fn receive(&mut self, to: SocketAddr, datagram: &[u8]) {
        let Some(end) = End::EVERY.into_iter().find(|end| address(*end) == to) else { return };
        let other = &mut self.ends[end as usize];
        match Datagram::parse(&mut datagram.to_vec()) {
            Ok(Datagram::Packet(header, sealed)) => {
                other.received.insert(header.counter);
                let Some((keys, _)) = &mut other.session else { return };
                let Ok(plaintext) = keys.open.open(&Cheap, header, sealed) else { return };
                for frame in Frames::new(plaintext) {
                    match frame {
                        Ok(Frame::RoomRequest(command)) => other.asked = Some(command),
                        Ok(Frame::Registered(registered)) => other.registered = Some(registered),
                        Ok(Frame::Mail(_)) => other.mail += 1,
                        _ => {}
                    }
                }
            }
            _ => other.handshake = datagram.to_vec(),
        }
    }

    fn enter(&mut self, end: End, keys: Keys, theirs: SessionId) {
        let other = &mut self.ends[end as usize];
        other.session = Some((keys, theirs));
        other.received.clear();
    }

    fn offer(&mut self, end: End) -> Offer {
        Offer { session: SessionId(self.random.u32()), credit: credit(end), messages: 64 }
    }

    /// What a Retry says: a server's key, and none of a peer's.
    fn server_key(&self, end: End) -> Option<PublicKey> {
        (self.has_server && end == End::First).then(|| end_identity(end).public())
    }
}
