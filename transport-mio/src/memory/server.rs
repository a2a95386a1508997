use proto_core::{
    link::{LinkTables, PrefixShare, unconfirmed},
    record,
    server::{
        AccountSlot, Entry, Member, Pair, RoomRow, RoomTables, ServerLink, Sizes, Storage, Tables,
    },
    storage::{Block, Bucket, Slot},
    timers::TimerCell,
    wire::MAX_BODY,
};

use super::{PREFIXES, PacketOf, PrefixOf, TableBytes, buckets, table};

/// How much a server can hold: [`Self::for_clients`], with what is to be otherwise set by field.
/// What does not fit is refused, or waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerSizes {
    /// Clients that are online at once.
    pub clients: usize,
    /// Nicks ever registered; nobody gives one back.
    pub accounts: usize,
    /// Messages on their way through. What waits for someone offline is in the store.
    pub entries: usize,
    /// Blocks of 256 bytes for those messages' bodies.
    pub blocks: usize,
    /// Packets in flight, to all clients together.
    pub packets: usize,
    /// Rooms ever created, and the lobby.
    pub rooms: usize,
    /// Places of accounts in rooms, beside everyone's in the lobby.
    pub members: usize,
}

impl ServerSizes {
    /// For so many clients, all of them online at times. With many of them, one in sixteen
    /// has a message under way and one in eight a packet; a few may have a thousand more together.
    pub const fn for_clients(clients: usize) -> Self {
        let entries = 1024 + clients / 16;
        let (blocks, packets) = (1024 + entries, 1024 + clients / 8);
        let (rooms, members) = (64 + clients / 64, 256 + clients / 4);
        Self { clients, accounts: clients, entries, blocks, packets, rooms, members }
    }

    /// Beside those of the clients, the core's share for sessions that are not confirmed
    /// yet: up to an eighth of all, which is a seventh of the clients' own.
    const fn links(&self) -> usize {
        self.clients + unconfirmed(self.clients + self.clients.div_ceil(7) + 1)
    }
}

impl Default for ServerSizes {
    /// For 1,000 clients at once, of 10,000 that come and go: some 4 MiB.
    fn default() -> Self {
        Self { accounts: 10_000, rooms: 1_000, members: 10_000, ..Self::for_clients(1_000) }
    }
}

/// A server's memory.
#[allow(missing_debug_implementations)] // megabytes
pub struct ServerMemory {
    links: Box<[Slot<ServerLink>]>,
    by_session: Box<[Bucket]>,
    by_peer: Box<[Bucket]>,
    sent: Box<[Slot<PacketOf<ServerLink>>]>,
    timers: Box<[TimerCell]>,
    by_ephemeral: Box<[Bucket]>,
    prefixes: Box<[PrefixOf<ServerLink>]>,
    accounts: Box<[AccountSlot]>,
    by_nick: Box<[Bucket]>,
    by_key: Box<[Bucket]>,
    versions: Box<[u64]>,
    entries: Box<[Slot<Entry>]>,
    entry_timers: Box<[TimerCell]>,
    pairs: Box<[Slot<Pair>]>,
    by_pair: Box<[Bucket]>,
    rooms: Box<[Slot<RoomRow>]>,
    by_room_number: Box<[Bucket]>,
    by_room_name: Box<[Bucket]>,
    members: Box<[Slot<Member>]>,
    by_member: Box<[Bucket]>,
    by_place: Box<[Bucket]>,
    blocks: Box<[Block]>,
    work: Box<[u8]>,
}

impl ServerMemory {
    /// Untouched memory.
    pub fn new(sizes: &ServerSizes) -> Self {
        let links = sizes.links();
        let (accounts, entries) = (sizes.accounts, sizes.entries);
        let pairs = 2 * entries;
        let members = accounts + sizes.members;
        Self {
            links: table(links, || Slot::EMPTY),
            by_session: buckets(links),
            by_peer: buckets(links),
            sent: table(sizes.packets, || Slot::EMPTY),
            timers: table(links, || TimerCell::EMPTY),
            by_ephemeral: buckets(links),
            prefixes: table(PREFIXES, || PrefixShare::EMPTY),
            accounts: table(accounts, || AccountSlot::EMPTY),
            by_nick: buckets(accounts),
            by_key: buckets(accounts),
            versions: table(Sizes::versions(accounts), || 0),
            entries: table(entries, || Slot::EMPTY),
            entry_timers: table(entries, || TimerCell::EMPTY),
            pairs: table(pairs, || Slot::EMPTY),
            by_pair: buckets(pairs),
            rooms: table(sizes.rooms, || Slot::EMPTY),
            by_room_number: buckets(sizes.rooms),
            by_room_name: buckets(sizes.rooms),
            members: table(members, || Slot::EMPTY),
            by_member: buckets(members),
            by_place: buckets(entries),
            blocks: table(sizes.blocks, || Block::EMPTY),
            work: table(record::record_bound(MAX_BODY), || 0),
        }
    }

    /// What each table takes.
    pub fn bytes(&self) -> Vec<TableBytes> {
        vec![
            TableBytes::of("links", &self.links),
            TableBytes::of("by session", &self.by_session),
            TableBytes::of("by peer", &self.by_peer),
            TableBytes::of("packets in flight", &self.sent),
            TableBytes::of("timers", &self.timers),
            TableBytes::of("by handshake", &self.by_ephemeral),
            TableBytes::of("prefixes", &self.prefixes),
            TableBytes::of("accounts", &self.accounts),
            TableBytes::of("by nick", &self.by_nick),
            TableBytes::of("by key", &self.by_key),
            TableBytes::of("roster versions", &self.versions),
            TableBytes::of("entries", &self.entries),
            TableBytes::of("entry timers", &self.entry_timers),
            TableBytes::of("pairs", &self.pairs),
            TableBytes::of("by pair", &self.by_pair),
            TableBytes::of("rooms", &self.rooms),
            TableBytes::of("by room number", &self.by_room_number),
            TableBytes::of("by room name", &self.by_room_name),
            TableBytes::of("members", &self.members),
            TableBytes::of("by member", &self.by_member),
            TableBytes::of("by place", &self.by_place),
            TableBytes::of("blocks", &self.blocks),
            TableBytes::of("work", &self.work),
        ]
    }
}

impl Storage for ServerMemory {
    fn tables(&mut self) -> Tables<'_> {
        Tables {
            links: LinkTables {
                links: &mut self.links,
                outgoing: &mut [],
                by_outgoing: &mut [],
                by_session: &mut self.by_session,
                by_key: &mut self.by_peer,
                sent: &mut self.sent,
                timers: &mut self.timers,
                outgoing_timers: &mut [],
                by_ephemeral: &mut self.by_ephemeral,
                prefixes: &mut self.prefixes,
            },
            accounts: &mut self.accounts,
            by_nick: &mut self.by_nick,
            by_key: &mut self.by_key,
            versions: &mut self.versions,
            entries: &mut self.entries,
            entry_timers: &mut self.entry_timers,
            pairs: &mut self.pairs,
            by_pair: &mut self.by_pair,
            rooms: RoomTables {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_links_for_all_clients() {
        for clients in (0..40_000).step_by(7).chain([100_000, 1_000_000]) {
            let links = ServerSizes::for_clients(clients).links();
            let live = links - unconfirmed(links);
            assert!((clients..=clients + 1).contains(&live), "{clients}: {live} of {links}");
        }
    }
}
