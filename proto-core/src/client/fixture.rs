//! A context for tests of single components, without an engine.

use core::time::Duration;
use std::boxed::Box;

use crate::{
    host::Request,
    id::{Epoch, Incarnation, Nick, SecretKey},
    link::{Grant, LinkConfig, LinkHeads, Links, LinksState, RekeyConfig},
    random::{Random, Seed},
    session::{Identity, Portable},
    storage::{Index, Pool, PoolHead, Slab, SlabHead, Slot},
    time::{Instant, WallClock},
    timers::TimerCell,
};

use super::{
    config::Config,
    ctx::Ctx,
    fixed::{Blocks, Fixed, Incoming, Links as LinkTables, Outgoing, Packets, Peers, Work},
    inbox::message::Incoming as IncomingRow,
    memory::Storage,
    news::News,
    outbox::message::Outgoing as OutgoingRow,
    requests::Requests,
    role::ClientRole,
    roster::peers::Peers as PeerTable,
    session::standing::Standing,
};

type Memory =
    Fixed<LinkTables<4>, Peers<8>, Outgoing<8>, Incoming<8>, Blocks<64>, Packets<8>, Work<4096>>;

/// All that a [`Ctx`] borrows. The client is registered, in epoch 1, as `me`, without a link.
pub(super) struct Fixture {
    memory: Box<Memory>,
    config: Config,
    links: LinksState<ClientRole>,
    link_heads: LinkHeads,
    peers: SlabHead,
    bodies: PoolHead,
    pub(super) now: Instant,
    pub(super) server: Standing,
    pub(super) news: News,
    pub(super) store: Requests,
}

/// The tables of the outbox and of the inbox.
pub(super) type Rows<'a> =
    (&'a mut [Slot<OutgoingRow>], &'a mut [TimerCell], &'a mut [Slot<IncomingRow>]);

impl Fixture {
    pub(super) fn new() -> Self {
        let Ok(seed) = Seed::draw(|bytes| {
            bytes.fill(7);
            Ok::<_, ()>(())
        }) else {
            panic!("drawing does not fail")
        };
        let now = Instant::from_micros(0);
        let identity = Identity::new(SecretKey([3; 32]), &Portable);
        let server = ([127, 0, 0, 1], 1).into();
        let config = Config::new(Nick::new("me").unwrap(), server, None);
        let link_config = LinkConfig {
            initial_rtt: config.initial_rtt,
            keep_alive: None,
            idle: config.idle,
            datagram: config.datagram,
            credit: Grant { bytes: config.credit, messages: 64 },
            dial_cap: Duration::from_secs(10),
            reserved: 1,
            rekey: RekeyConfig {
                after: config.rekey_after,
                least: config.rekey_least,
                packets: config.rekey_packets,
            },
            serves: false,
        };
        Self {
            memory: Box::new(Memory::new()),
            config,
            links: LinksState::new(identity, Random::new(seed), 1, link_config, now),
            link_heads: LinkHeads::new([1; 16]),
            peers: SlabHead::NEW,
            bodies: PoolHead::NEW,
            now,
            server: Standing::online_in(Epoch(1), Incarnation([1; 8])),
            news: News::default(),
            store: Requests::new(),
        }
    }

    /// The context, and the tables that belong to components.
    pub(super) fn parts(&mut self) -> (Ctx<'_>, Rows<'_>) {
        let tables = self.memory.tables();
        let indexes = [tables.by_key, tables.by_nick, tables.by_account];
        let indexes = indexes.map(|buckets| Index::new(buckets, [1; 16]));
        let cx = Ctx {
            config: &mut self.config,
            now: self.now,
            clock: WallClock::UNKNOWN,
            boot: 1,
            links: Links::new(&mut self.links, &mut self.link_heads, tables.links),
            peers: PeerTable::new(Slab::new(tables.peers, &mut self.peers), indexes),
            bodies: Pool::new(tables.blocks, &mut self.bodies),
            work: tables.work,
            server: &mut self.server,
            news: &mut self.news,
            store: &mut self.store,
        };
        (cx, (tables.outgoing, tables.peer_timers, tables.incoming))
    }

    pub(super) fn cx(&mut self) -> Ctx<'_> {
        self.parts().0
    }
}

/// The ticket of a request.
pub(super) fn ticket(request: Option<Request>) -> crate::host::Ticket {
    match request {
        Some(
            Request::Put { ticket, .. }
            | Request::Trim { ticket, .. }
            | Request::Read { ticket, .. }
            | Request::CheckPassword { ticket },
        ) => ticket,
        None => panic!("a request is owed"),
    }
}
