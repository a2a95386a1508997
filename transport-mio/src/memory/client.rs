use proto_core::{
    client::{ClientLink, Incoming, Outgoing, Peer, Storage, Tables},
    link::{LinkTables, OutgoingHandshake, PrefixShare},
    record,
    storage::{Block, Bucket, Slot},
    timers::TimerCell,
    wire::MAX_BODY,
};

use super::{PacketOf, PrefixOf, TableBytes, buckets, table};

/// How much a client can hold: [`Self::for_peers`], with what is to be otherwise set by field. What
/// does not fit is refused, or waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientSizes {
    /// People on the roster.
    pub peers: usize,
    /// Sessions at once: with the server, and with peers written to or hearing from.
    pub links: usize,
    /// Messages on their way out, and as many on their way in.
    pub messages: usize,
    /// Blocks of 256 bytes for those messages' bodies.
    pub blocks: usize,
    /// Packets in flight, to everyone together.
    pub packets: usize,
}

impl ClientSizes {
    /// For a roster of so many people, with the customary rest: 128 sessions, and 1,024
    /// messages each way, 1 MiB of text in all.
    pub const fn for_peers(peers: usize) -> Self {
        Self { peers, links: 128, messages: 1024, blocks: 4096, packets: 1024 }
    }
}

impl Default for ClientSizes {
    /// For as many as the default server has accounts for.
    fn default() -> Self {
        Self::for_peers(10_000)
    }
}

/// A client's memory.
#[allow(missing_debug_implementations)] // megabytes
pub struct ClientMemory {
    links: Box<[Slot<ClientLink>]>,
    handshakes: Box<[Slot<OutgoingHandshake>]>,
    by_outgoing: Box<[Bucket]>,
    by_session: Box<[Bucket]>,
    by_link_key: Box<[Bucket]>,
    sent: Box<[Slot<PacketOf<ClientLink>>]>,
    timers: Box<[TimerCell]>,
    outgoing_timers: Box<[TimerCell]>,
    by_ephemeral: Box<[Bucket]>,
    prefixes: Box<[PrefixOf<ClientLink>]>,
    peers: Box<[Slot<Peer>]>,
    peer_timers: Box<[TimerCell]>,
    by_key: Box<[Bucket]>,
    by_nick: Box<[Bucket]>,
    by_account: Box<[Bucket]>,
    outgoing: Box<[Slot<Outgoing>]>,
    incoming: Box<[Slot<Incoming>]>,
    blocks: Box<[Block]>,
    work: Box<[u8]>,
}

impl ClientMemory {
    /// Untouched memory.
    pub fn new(sizes: &ClientSizes) -> Self {
        let ClientSizes { peers, links, messages, blocks, packets } = *sizes;
        Self {
            links: table(links, || Slot::EMPTY),
            handshakes: table(links, || Slot::EMPTY),
            by_outgoing: buckets(links),
            by_session: buckets(links),
            by_link_key: buckets(links),
            sent: table(packets, || Slot::EMPTY),
            timers: table(links, || TimerCell::EMPTY),
            outgoing_timers: table(links, || TimerCell::EMPTY),
            by_ephemeral: buckets(links),
            prefixes: table(links, || PrefixShare::EMPTY),
            peers: table(peers, || Slot::EMPTY),
            peer_timers: table(peers, || TimerCell::EMPTY),
            by_key: buckets(peers),
            by_nick: buckets(peers),
            by_account: buckets(peers),
            outgoing: table(messages, || Slot::EMPTY),
            incoming: table(messages, || Slot::EMPTY),
            blocks: table(blocks, || Block::EMPTY),
            work: table(record::record_bound(MAX_BODY), || 0),
        }
    }

    /// What each table takes.
    pub fn bytes(&self) -> Vec<TableBytes> {
        vec![
            TableBytes::of("links", &self.links),
            TableBytes::of("handshakes", &self.handshakes),
            TableBytes::of("by outgoing", &self.by_outgoing),
            TableBytes::of("by session", &self.by_session),
            TableBytes::of("by link's key", &self.by_link_key),
            TableBytes::of("packets in flight", &self.sent),
            TableBytes::of("timers", &self.timers),
            TableBytes::of("outgoing timers", &self.outgoing_timers),
            TableBytes::of("by handshake", &self.by_ephemeral),
            TableBytes::of("prefixes", &self.prefixes),
            TableBytes::of("peers", &self.peers),
            TableBytes::of("peer timers", &self.peer_timers),
            TableBytes::of("by key", &self.by_key),
            TableBytes::of("by nick", &self.by_nick),
            TableBytes::of("by account", &self.by_account),
            TableBytes::of("messages out", &self.outgoing),
            TableBytes::of("messages in", &self.incoming),
            TableBytes::of("blocks", &self.blocks),
            TableBytes::of("work", &self.work),
        ]
    }
}

impl Storage for ClientMemory {
    fn tables(&mut self) -> Tables<'_> {
        Tables {
            links: LinkTables {
                links: &mut self.links,
                outgoing: &mut self.handshakes,
                by_outgoing: &mut self.by_outgoing,
                by_session: &mut self.by_session,
                by_key: &mut self.by_link_key,
                sent: &mut self.sent,
                timers: &mut self.timers,
                outgoing_timers: &mut self.outgoing_timers,
                by_ephemeral: &mut self.by_ephemeral,
                prefixes: &mut self.prefixes,
            },
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
