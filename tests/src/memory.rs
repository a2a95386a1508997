//! Tables on the heap, of sizes chosen at run time.

use proto_core::{
    client,
    link::{Link, LinkTables, OutgoingHandshake, PrefixShare, Role, SentPacket},
    record::MAX_RECORD,
    server::{self, Sizes},
    storage::{Block, Bucket, Index, Slot},
    timers::TimerCell,
};

/// How much room a role has.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Sessions.
    pub links: usize,
    /// Handshakes of its own at a time; a server's are 0.
    pub dials: usize,
    /// Accounts of a server, peers of a client.
    pub people: usize,
    /// Rooms of a server, the lobby among them.
    pub rooms: usize,
    /// Messages in memory, of a client each way.
    pub messages: usize,
    /// Blocks of 256 bytes of message bodies.
    pub blocks: usize,
    /// Packets in flight.
    pub sent: usize,
    /// Bytes of one record.
    pub work: usize,
}

impl Room {
    /// As much as the server's program has by default: for 1,000 clients at once, of 10,000 that
    /// come and go.
    pub const DEFAULT_SERVER: Self = Self {
        links: 1_144,
        dials: 0,
        people: 10_000,
        rooms: 1_000,
        messages: 1_086,
        blocks: 2_110,
        sent: 1_149,
        work: MAX_RECORD,
    };

    /// As much as the program of a client has by default.
    pub const DEFAULT_CLIENT: Self = Self {
        links: 128,
        dials: 32,
        people: 1_000,
        rooms: 0,
        messages: 1_024,
        blocks: 4_096,
        sent: 1_024,
        work: MAX_RECORD,
    };
}

fn filled<T>(length: usize, make: impl Fn() -> T) -> Vec<T> {
    (0..length).map(|_| make()).collect()
}

fn buckets(entries: usize) -> Vec<Bucket> {
    vec![None; Index::buckets(entries)]
}

/// What links need.
struct LinkMemory<R: Role> {
    links: Vec<Slot<Link<R>>>,
    outgoing: Vec<Slot<OutgoingHandshake>>,
    by_outgoing: Vec<Bucket>,
    by_session: Vec<Bucket>,
    by_key: Vec<Bucket>,
    sent: Vec<Slot<SentPacket<R>>>,
    timers: Vec<TimerCell>,
    outgoing_timers: Vec<TimerCell>,
    by_ephemeral: Vec<Bucket>,
    prefixes: Vec<PrefixShare<R>>,
}

impl<R: Role> LinkMemory<R> {
    fn new(room: Room) -> Self {
        let Room { links, dials, sent, .. } = room;
        Self {
            links: filled(links, || Slot::EMPTY),
            outgoing: filled(dials, || Slot::EMPTY),
            by_outgoing: buckets(dials),
            by_session: buckets(links),
            by_key: buckets(links),
            sent: filled(sent, || Slot::EMPTY),
            timers: vec![TimerCell::EMPTY; links],
            outgoing_timers: vec![TimerCell::EMPTY; dials],
            by_ephemeral: buckets(links),
            // As many as a host has.
            prefixes: filled(links.max(1_024), || PrefixShare::EMPTY),
        }
    }

    fn tables(&mut self) -> LinkTables<'_, R> {
        LinkTables {
            links: &mut self.links,
            outgoing: &mut self.outgoing,
            by_outgoing: &mut self.by_outgoing,
            by_session: &mut self.by_session,
            by_key: &mut self.by_key,
            sent: &mut self.sent,
            timers: &mut self.timers,
            outgoing_timers: &mut self.outgoing_timers,
            by_ephemeral: &mut self.by_ephemeral,
            prefixes: &mut self.prefixes,
        }
    }
}

/// The role behind a kind of link.
trait RoleOf {
    type Role: Role;
}

impl<R: Role> RoleOf for Link<R> {
    type Role = R;
}

/// A server's memory.
#[allow(missing_debug_implementations)] // kilobytes
pub struct ServerMemory {
    links: LinkMemory<<server::ServerLink as RoleOf>::Role>,
    accounts: Vec<server::AccountSlot>,
    by_nick: Vec<Bucket>,
    by_key: Vec<Bucket>,
    versions: Vec<u64>,
    entries: Vec<Slot<server::Entry>>,
    entry_timers: Vec<TimerCell>,
    pairs: Vec<Slot<server::Pair>>,
    by_pair: Vec<Bucket>,
    rooms: Vec<Slot<server::RoomRow>>,
    by_room_number: Vec<Bucket>,
    by_room_name: Vec<Bucket>,
    members: Vec<Slot<server::Member>>,
    by_member: Vec<Bucket>,
    by_place: Vec<Bucket>,
    blocks: Vec<Block>,
    work: Vec<u8>,
}

impl ServerMemory {
    /// Untouched memory.
    pub fn new(room: Room) -> Self {
        let Room { people, rooms, messages, blocks, work, .. } = room;
        Self {
            links: LinkMemory::new(room),
            accounts: filled(people, || server::AccountSlot::EMPTY),
            by_nick: buckets(people),
            by_key: buckets(people),
            versions: vec![0; Sizes::versions(people)],
            entries: filled(messages, || Slot::EMPTY),
            entry_timers: vec![TimerCell::EMPTY; messages],
            pairs: filled(2 * messages, || Slot::EMPTY),
            by_pair: buckets(2 * messages),
            rooms: filled(rooms, || Slot::EMPTY),
            by_room_number: buckets(rooms),
            by_room_name: buckets(rooms),
            members: filled(3 * people, || Slot::EMPTY),
            by_member: buckets(3 * people),
            by_place: buckets(messages),
            blocks: filled(blocks, || Block::EMPTY),
            work: vec![0; work],
        }
    }
}

impl server::Storage for ServerMemory {
    fn tables(&mut self) -> server::Tables<'_> {
        server::Tables {
            links: self.links.tables(),
            accounts: &mut self.accounts,
            by_nick: &mut self.by_nick,
            by_key: &mut self.by_key,
            versions: &mut self.versions,
            entries: &mut self.entries,
            entry_timers: &mut self.entry_timers,
            pairs: &mut self.pairs,
            by_pair: &mut self.by_pair,
            rooms: server::RoomTables {
                rooms: &mut self.rooms,
                by_number: &mut self.by_room_number,
                by_name: &mut self.by_room_name,
                members: &mut self.members,
                by_member: &mut self.by_member,
            },
            by_place: &mut self.by_place,
            blocks: &mut self.blocks,
            work: &mut self.work,
        }
    }
}

/// A client's memory.
#[allow(missing_debug_implementations)] // kilobytes
pub struct ClientMemory {
    links: LinkMemory<<client::ClientLink as RoleOf>::Role>,
    peers: Vec<Slot<client::Peer>>,
    peer_timers: Vec<TimerCell>,
    by_key: Vec<Bucket>,
    by_nick: Vec<Bucket>,
    by_account: Vec<Bucket>,
    outgoing: Vec<Slot<client::Outgoing>>,
    incoming: Vec<Slot<client::Incoming>>,
    blocks: Vec<Block>,
    work: Vec<u8>,
}

impl ClientMemory {
    /// Untouched memory.
    pub fn new(room: Room) -> Self {
        let Room { people, messages, blocks, work, .. } = room;
        Self {
            links: LinkMemory::new(room),
            peers: filled(people, || Slot::EMPTY),
            peer_timers: vec![TimerCell::EMPTY; people],
            by_key: buckets(people),
            by_nick: buckets(people),
            by_account: buckets(people),
            outgoing: filled(messages.max(2), || Slot::EMPTY),
            incoming: filled(messages.max(4), || Slot::EMPTY),
            blocks: filled(blocks, || Block::EMPTY),
            work: vec![0; work],
        }
    }
}

impl client::Storage for ClientMemory {
    fn tables(&mut self) -> client::Tables<'_> {
        client::Tables {
            links: self.links.tables(),
            peers: &mut self.peers,
            peer_timers: &mut self.peer_timers,
            by_key: &mut self.by_key,
            by_nick: &mut self.by_nick,
            by_account: &mut self.by_account,
            outgoing: &mut self.outgoing,
            incoming: &mut self.incoming,
            blocks: &mut self.blocks,
            work: &mut self.work,
        }
    }
}
