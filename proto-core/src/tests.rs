//! A server and two clients on hosts that do what no honest one does.

use std::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    net::SocketAddr,
    vec,
    vec::Vec,
};

use crate::{
    StartError,
    client::headers::{ConversationRecord, OutboxRecord, SelfRecord, Settled},
    client::{
        self, Client, Event, Naming, To, Verdict,
        fixed::{Blocks, Incoming, Links, Outgoing, Packets, Peers, Work},
        history::{History, Span},
    },
    host::{Action, Log, Machine, Records, Resume, Ticket},
    id::{Account, Epoch, Incarnation, Nick, Number, Position, PublicKey, RoomName, SecretKey},
    random::{Random, Seed},
    received::Received,
    record::{
        Access, AccountRecord, AccountState, EntryRecord, InboxRecord, MailRecord, MemberRecord,
        PairRecord, PlaceRecord, RoomRecord, Standing, encode, record_bound,
    },
    server::{self, Server},
    session::{Identity, Portable},
    storage::{Block, Pool, PoolHead},
    text_bound,
    time::{Instant, UnixTime, WallClock},
    violation::Violation,
    wire::{MAX_DATAGRAM, RoomAction},
};

type ServerMemory = server::Fixed<
    server::fixed::Links<8>,
    server::fixed::Accounts<8>,
    server::fixed::Rooms<8>,
    server::fixed::Members<16>,
    server::fixed::Entries<16>,
    Blocks<64>,
    server::fixed::Packets<64>,
    Work<4096>,
>;
type ClientMemory = client::Fixed<
    Links<4>,
    Peers<8>,
    Outgoing<16>,
    Incoming<16>,
    Blocks<64>,
    Packets<32>,
    Work<4096>,
>;
/// Its records have bodies of at most 600 bytes.
type SmallMemory = client::Fixed<
    Links<4>,
    Peers<8>,
    Outgoing<16>,
    Incoming<16>,
    Blocks<64>,
    Packets<32>,
    Work<{ record_bound(600) }>,
>;

/// Where each is.
const SERVER: u16 = 1;
const ALICE: u16 = 2;
const BOB: u16 = 3;

/// The same each time.
fn seed_of(n: u8) -> Seed {
    let Ok(seed) = Seed::draw(|bytes| {
        bytes.fill(n);
        Ok::<_, Infallible>(())
    });
    seed
}

/// A log's head and its records.
type Numbered = (u64, BTreeMap<u64, Vec<u8>>);

/// A host's store. When it is `damaged`, most of what is read is something else.
#[derive(Default)]
struct Store {
    logs: BTreeMap<[u8; Log::LENGTH], Numbered>,
    damaged: bool,
}

impl Store {
    fn put(&mut self, log: Log, number: u64, record: Vec<u8>) {
        let (head, records) = self.logs.entry(log.to_bytes()).or_default();
        *head = number.max(*head);
        records.insert(number, record);
    }

    fn trim(&mut self, log: Log, upto: u64) {
        if let Some((_, records)) = self.logs.get_mut(&log.to_bytes()) {
            records.retain(|number, _| *number > upto);
        }
    }

    fn read(&self, log: Log, from: u64, dice: &mut Random) -> (Option<(u64, Vec<u8>)>, u64) {
        let found = self.logs.get(&log.to_bytes());
        let (head, first) = found.map_or((0, None), |(head, records)| {
            (*head, records.range(from..).next().map(|(at, record)| (*at, record.clone())))
        });
        if !self.damaged || one_in(4, dice) {
            return (first, head);
        }
        let at = if one_in(2, dice) { from } else { any(dice) };
        let record = (!one_in(4, dice)).then(|| (at, extreme(log, dice)));
        (record, if one_in(2, dice) { head } else { any(dice) })
    }
}

/// `true` once in so many throws.
fn one_in(many: u32, dice: &mut Random) -> bool {
    dice.u32().is_multiple_of(many)
}

/// A number at the end of some range.
fn any(dice: &mut Random) -> u64 {
    let ends = [0, 1 << 24, 1 << 32, 1 << 40, 1 << 63, u64::MAX];
    let end = ends[dice.u32() as usize % ends.len()];
    match dice.u32() % 3 {
        0 => end,
        1 => end.wrapping_sub(1),
        _ => end.saturating_add(u64::from(dice.u32() % 3)),
    }
}

/// A record of a log, whole, with numbers at the ends of their ranges.
#[allow(clippy::too_many_lines)] // one record a log
fn extreme(log: Log, dice: &mut Random) -> Vec<u8> {
    let account = Account(any(dice) as u32);
    let (epoch, number) = (Epoch(any(dice) as u32), Number(any(dice)));
    let [a, b, c, d] = [(); 4].map(|()| Position::new(Epoch(any(dice) as u32), Number(any(dice))));
    let (nick, room) = (Nick::new("carol").unwrap(), RoomName::new("tea").unwrap());
    let (received, key) = (UnixTime(any(dice)), any(dice) as u32);
    let author = PublicKey([7; 32]);
    let mut blocks = [const { Block::EMPTY }; 2];
    let mut head = PoolHead::NEW;
    let mut pool = Pool::new(&mut blocks, &mut head);
    let length = dice.u32() as usize % 300;
    let body = pool.store(&vec![b'.'; length]).unwrap();
    let mut out = vec![0; 1000];
    macro_rules! record {
        ($header:expr) => {
            encode(&mut out, &$header, &pool, &body, length)
        };
    }
    let length = match log {
        Log::Accounts => record!(AccountRecord {
            key: author,
            nick,
            epoch,
            run: Incarnation([9; 8]),
            since: any(dice),
            access: Access::Key,
            state: AccountState::Active,
            key_number: key,
        }),
        Log::Mailbox(_) => {
            record!(MailRecord { from: account, epoch, number, received, author, nick, key })
        }
        Log::Pairs(_) if one_in(2, dice) => record!(PlaceRecord { epoch, number }),
        Log::Pairs(_) => {
            record!(PairRecord {
                key,
                stored: a,
                delivered: b,
                received: Received { first: c, gap: (a, d), last: b },
                receipt: [0; 16],
                expired: (c, d),
            })
        }
        Log::Rooms => record!(RoomRecord {
            name: room,
            creator: account,
            serial: number.0,
            invite_only: one_in(2, dice),
            removed: one_in(9, dice),
        }),
        Log::Members(_) => record!(MemberRecord {
            since: number.0,
            standing: [Standing::Member, Standing::Invited, Standing::Barred]
                [dice.u32() as usize % 3],
        }),
        Log::Room(_) => {
            record!(EntryRecord {
                from: account,
                nick,
                epoch,
                number,
                received,
                bytes: any(dice),
                run: Incarnation::NONE,
                previous: None,
            })
        }
        Log::Conversations if one_in(4, dice) => record!(SelfRecord { epoch }),
        Log::Conversations => record!(ConversationRecord {
            log: author,
            key: author,
            key_number: key,
            former: Some((author, key)),
            naming: Naming::Known,
            verified: one_in(2, dice),
            with: To::Peer(nick),
            home: Some((account, key)),
            room: None,
            stored: a,
            settled: Settled {
                received: Received { first: c, gap: (a, d), last: b },
                expired: (c, d),
                refused: a,
                why: None,
            },
            history: History {
                spans: (0..dice.u32() % 4)
                    .map(|_| Span {
                        run: Incarnation([any(dice) as u8 % 2; 8]),
                        branch: any(dice) as u32,
                        first: any(dice) as u32,
                        last: any(dice) as u32,
                    })
                    .collect(),
            },
        }),
        Log::Outbox(_) => record!(OutboxRecord { verdict: Some((Verdict::Stored, any(dice))) }),
        Log::Inbox(_) | Log::Passwords => record!(InboxRecord {
            saved: true,
            received: Received { first: c, gap: (a, d), last: b },
            author: None,
        }),
    };
    out.truncate(length.unwrap());
    out
}

/// The three, and what is under way between them.
struct World<M: client::Storage> {
    server: Server<Box<ServerMemory>>,
    alice: Client<Box<ClientMemory>>,
    bob: Client<M>,
    /// What Bob was told.
    heard: Vec<Event>,
    outside: Outside,
}

/// What is outside the three.
struct Outside {
    now: Instant,
    stores: [Store; 3],
    wire: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    dice: Random,
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

impl Outside {
    /// Does all that a role owes. The store answers at once.
    fn drive<M: Machine>(&mut self, port: u16, role: &mut M, mut tell: impl FnMut(M::Event)) {
        let (now, store) = (self.now, &mut self.stores[usize::from(port - 1)]);
        let mut scratch = [0; MAX_DATAGRAM];
        let mut read: Vec<(Ticket, Log, u64)> = Vec::new();
        loop {
            let mut stored = None;
            match role.poll(now, &mut scratch) {
                Some(Action::Send { to, datagram }) => {
                    self.wire.push_back((at(port), to, datagram.to_vec()));
                }
                Some(Action::Put { ticket, log, number, record }) => {
                    store.put(log, number, record.to_vec());
                    stored = Some(ticket);
                }
                Some(Action::Trim { ticket, log, upto }) => {
                    store.trim(log, upto);
                    stored = Some(ticket);
                }
                Some(Action::Read { ticket, log, from, .. }) => read.push((ticket, log, from)),
                Some(Action::Event { event, .. }) => tell(event),
                None if read.is_empty() => return,
                Some(Action::CheckPassword { .. }) | None => {}
            }
            if let Some(ticket) = stored {
                role.handle_stored(now, ticket, Ok(()));
            }
            for (ticket, log, from) in read.drain(..) {
                let (record, last) = store.read(log, from, &mut self.dice);
                let record = record.as_ref().map(|(at, bytes)| (*at, bytes.as_slice()));
                let records = record.as_slice();
                role.handle_read(now, ticket, Ok(Records { records, last }));
            }
        }
    }

    /// Takes a datagram to a role.
    fn carry<M: Machine>(&mut self, port: u16, role: &mut M, from: SocketAddr, bytes: &mut [u8]) {
        if let Some(reply) = role.handle_datagram(self.now, from, bytes) {
            self.wire.push_back((at(port), from, reply.to_vec()));
        }
    }
}

impl<M: client::Storage> World<M> {
    /// They run on what their stores have.
    fn new(boot: u64, stores: [Store; 3], memory: M, seed: u8) -> Self {
        let now = Instant::default();
        let resume = Resume { boot, clock: WallClock { at: now, unix: UnixTime(1 << 50) } };
        let identity = |n| Identity::new(SecretKey([n; 32]), &Portable);
        let fixed = |n| seed_of(n ^ seed);
        let server = Server::new(
            server::Config::default(),
            identity(1),
            fixed(1),
            resume,
            now,
            Box::new(ServerMemory::new()),
        )
        .unwrap();
        let config = |nick| {
            let nick = Nick::new(nick).unwrap();
            client::Config::new(nick, at(SERVER), Some(server.key()))
        };
        let memory_of_alice = Box::new(ClientMemory::new());
        let alice =
            Client::new(config("alice"), identity(2), fixed(2), resume, now, memory_of_alice)
                .unwrap();
        let bob = Client::new(config("bob"), identity(3), fixed(3), resume, now, memory).unwrap();
        let (wire, heard) = (VecDeque::new(), Vec::new());
        let outside = Outside { now, stores, wire, dice: Random::new(fixed(9)) };
        Self { server, alice, bob, heard, outside }
    }

    fn register(&mut self) {
        self.alice.register(self.outside.now).unwrap();
        self.bob.register(self.outside.now).unwrap();
    }

    /// Alice says something to Bob as soon as she can, if she can within so many steps.
    fn say(&mut self, to: impl Into<To> + Copy, text: &str, steps: u32) -> bool {
        (0..steps).any(|_| {
            self.step();
            self.alice.send_message(self.outside.now, to, text).is_ok()
        })
    }

    /// Whatever is due is done.
    fn step(&mut self) {
        let Self { server, alice, bob, heard, outside } = self;
        loop {
            outside.drive(SERVER, server, |_| {});
            outside.drive(ALICE, alice, |_| {});
            outside.drive(BOB, bob, |event| heard.push(event));
            let arrived = core::mem::take(&mut outside.wire);
            if arrived.is_empty() {
                break;
            }
            for (from, to, mut bytes) in arrived {
                match to.port() {
                    SERVER => outside.carry(SERVER, server, from, &mut bytes),
                    ALICE => outside.carry(ALICE, alice, from, &mut bytes),
                    _ => outside.carry(BOB, bob, from, &mut bytes),
                }
            }
        }
        let deadlines = [server.deadline(), alice.deadline(), bob.deadline()];
        let next = deadlines.into_iter().flatten().min().unwrap_or(outside.now);
        outside.now = next.max(outside.now);
    }
}

mod clock;
mod lending;

/// Memory of which one table is a third as long as it should be.
struct Shortened<T>(Box<T>, usize);

macro_rules! shorten {
    ($tables:ident, $which:expr, [$($field:ident$(.$of:ident)?),* $(,)?]) => {{
        let mut at = 0;
        $(
            if at == $which {
                let table = &mut $tables.$field$(.$of)?;
                let shorter = table.len() / 3;
                *table = core::mem::take(table).split_at_mut(shorter).0;
            }
            at += 1;
        )*
        at
    }};
}

/// Which tables of a client cannot be shorter without the others.
const OF_CLIENT: [&str; 11] = [
    "links.links",
    "links.by_session",
    "links.by_key",
    "links.timers",
    "links.by_outgoing",
    "links.outgoing_timers",
    "links.by_ephemeral",
    "peer_timers",
    "by_key",
    "by_nick",
    "by_account",
];

impl<T: client::Storage> client::Storage for Shortened<T> {
    fn tables(&mut self) -> client::Tables<'_> {
        let mut tables = self.0.tables();
        let count = shorten!(
            tables,
            self.1,
            [
                links.links,
                links.by_session,
                links.by_key,
                links.timers,
                links.by_outgoing,
                links.outgoing_timers,
                links.by_ephemeral,
                peer_timers,
                by_key,
                by_nick,
                by_account,
            ]
        );
        assert_eq!(count, OF_CLIENT.len());
        tables
    }
}

/// Which tables of a server cannot be shorter without the others.
const OF_SERVER: [&str; 15] = [
    "links.by_session",
    "links.by_key",
    "links.timers",
    "links.by_ephemeral",
    "by_nick",
    "by_key",
    "versions",
    "entry_timers",
    "pairs",
    "by_pair",
    "rooms.by_number",
    "rooms.by_name",
    "rooms.members",
    "rooms.by_member",
    "by_place",
];

impl<T: server::Storage> server::Storage for Shortened<T> {
    fn tables(&mut self) -> server::Tables<'_> {
        let mut tables = self.0.tables();
        let count = shorten!(
            tables,
            self.1,
            [
                links.by_session,
                links.by_key,
                links.timers,
                links.by_ephemeral,
                by_nick,
                by_key,
                versions,
                entry_timers,
                pairs,
                by_pair,
                rooms.by_number,
                rooms.by_name,
                rooms.members,
                rooms.by_member,
                by_place,
            ]
        );
        assert_eq!(count, OF_SERVER.len());
        tables
    }
}

/// No table much longer than it must be.
type ExactServer = server::Fixed<
    server::fixed::Links<2>,
    server::fixed::Accounts<1>,
    server::fixed::Rooms<1>,
    server::fixed::Members<2>,
    server::fixed::Entries<4>,
    Blocks<8>,
    server::fixed::Packets<1>,
    Work<{ text_bound(1) }>,
>;
type ExactClient = client::Fixed<
    Links<4>,
    Peers<1>,
    Outgoing<2>,
    Incoming<4>,
    Blocks<8>,
    Packets<1>,
    Work<{ text_bound(1) }>,
>;

#[test]
fn tables_that_do_not_fit_together_are_refused_by_name() {
    let clock = WallClock::UNKNOWN;
    let identity = || Identity::new(SecretKey([1; 32]), &Portable);
    let config = client::Config::new(Nick::new("alice").unwrap(), at(SERVER), None);
    let client = |boot, memory| {
        let resume = Resume { boot, clock };
        Client::new(config, identity(), seed_of(1), resume, Instant::default(), memory).map(|_| ())
    };
    let server = |boot, memory| {
        let (config, resume) = (server::Config::default(), Resume { boot, clock });
        Server::new(config, identity(), seed_of(1), resume, Instant::default(), memory).map(|_| ())
    };
    let of_client = |which| Shortened(Box::new(ExactClient::new()), which);
    let of_server = |which| Shortened(Box::new(ExactServer::new()), which);
    assert_eq!(client(1, of_client(usize::MAX)), Ok(()));
    assert_eq!(server(1, of_server(usize::MAX)), Ok(()));
    let named = |result| match result {
        Err(StartError::Short { table, length, least }) if length < least => table,
        other => panic!("{other:?}"),
    };
    for (which, table) in OF_CLIENT.into_iter().enumerate() {
        assert_eq!(named(client(1, of_client(which))), table);
    }
    for (which, table) in OF_SERVER.into_iter().enumerate() {
        assert_eq!(named(server(1, of_server(which))), table);
    }
    // Everything that a run numbers is above what earlier ones did: there is an end to that.
    assert_eq!(client(1 << 24, of_client(usize::MAX)), Err(StartError::Boot(1 << 24)));
    assert_eq!(server(u64::MAX, of_server(usize::MAX)), Err(StartError::Boot(u64::MAX)));
}

#[test]
fn a_body_longer_than_can_be_saved_takes_no_place() {
    let memory = Box::new(SmallMemory::new());
    let mut world = World::new(1, Default::default(), memory, 0);
    // So that Alice oversteps what Bob meant to grant.
    world.bob.overgrant(81_920);
    world.register();
    let bob = Nick::new("bob").unwrap();
    for text in ["before", &"la ".repeat(500), "after"] {
        assert!(world.say(bob, text, 1000));
    }
    while world.outside.now < Instant::from_micros(5_000_000) {
        world.step();
    }
    let is_first = |event: &Event| matches!(event, Event::Message { .. });
    assert!(world.heard.iter().any(is_first), "{:?}", world.heard);
    assert_eq!(world.bob.usage().incoming.0, 0, "nothing waits for what cannot be");
}

/// Alice says so many things of so many bytes at once, and keeps to her credit or not: which rule
/// Bob says that she broke.
fn broken_by(texts: usize, bytes: usize, oversteps: bool) -> Option<Violation> {
    let mut world = World::new(1, Default::default(), Box::new(ClientMemory::new()), 0);
    world.register();
    let bob = Nick::new("bob").unwrap();
    assert!(world.say(bob, "hello", 1000));
    (0..10).for_each(|_| world.step());
    if oversteps {
        world.alice.overspend();
    }
    for _ in 0..texts {
        world.alice.send_message(world.outside.now, bob, &"x".repeat(bytes)).unwrap();
    }
    (0..30).for_each(|_| world.step());
    world.heard.iter().find_map(|event| match event {
        Event::Violation { rule, .. } => Some(*rule),
        _ => None,
    })
}

#[test]
fn who_begins_more_than_it_was_granted_is_closed() {
    for (texts, bytes) in [(3, 2_500), (9, 1_000)] {
        assert_eq!(broken_by(texts, bytes, false), None);
        assert_eq!(broken_by(texts, bytes, true), Some(Violation::CreditOverrun));
    }
}

#[test]
fn numbers_from_a_damaged_store_overflow_nothing() {
    for seed in 0..60 {
        let mut stores: [Store; 3] = Default::default();
        for boot in 1..5 {
            for store in &mut stores {
                store.damaged = boot > 1 && seed % 3 != 0;
            }
            stores[usize::from(seed) % 3].damaged = boot > 1;
            let mut world = World::new(boot, stores, Box::new(ClientMemory::new()), seed);
            world.register();
            for _ in 0..3 {
                world.say(Nick::new("bob").unwrap(), "hello", 20);
                world.say(To::Lobby, "hello, everyone", 20);
                let action = RoomAction::Create(RoomName::new("tea").unwrap());
                if world.alice.request(world.outside.now, action).is_ok() {
                    world.step();
                }
            }
            (0..100).for_each(|_| world.step());
            stores = world.outside.stores;
        }
    }
}
