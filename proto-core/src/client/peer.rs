//! The people and rooms a client knows of, and the conversation with each.

use core::{cmp::Ordering, net::SocketAddr};

use crate::{
    host::Ask,
    id::{Account, Number, Position, PublicKey, Recipient, Room},
    link::OutgoingHandshake,
    storage::{Body, Id, Index, Linked, List, Node, Pool, Slab},
    time::UnixTime,
    wire::{GoneReason, Presence, RosterEntry},
};

use super::{
    ClientLink, To,
    history::Reader,
    incoming::{self, Incoming},
    outgoing::{self, Outgoing},
    window::Window,
};

/// Someone, or a room, and the conversation with them.
#[derive(Debug)]
pub struct Peer {
    /// Their number at the server: of someone, while the roster has them; of a room, once
    /// this client was a member or has something to ask after.
    pub(super) recipient: Option<Recipient>,
    /// Of a room, what stands for a key.
    pub(super) key: PublicKey,
    /// What the logs are named by: the key that was met first.
    pub(super) log: PublicKey,
    /// How many keys they had before, as the server counts.
    pub(super) key_number: u32,
    /// The key before and its number, while it is not known what became of what was sealed
    /// to it.
    pub(super) former: Option<(PublicKey, u32)>,
    /// The account, and the tag of its server's key: who has that is the same person, whatever
    /// the key.
    pub(super) home: Option<(Account, u32)>,
    pub(super) with: To,
    /// Of a room, its number at its server.
    pub(super) room: Option<Room>,
    /// Of a room that was left, in which link and by which of the server's packets.
    pub(super) left: Option<(Id<ClientLink>, u64)>,
    pub(super) presence: Presence,
    pub(super) address: Option<SocketAddr>,
    pub(super) version: u64,
    pub(super) seen: UnixTime,
    /// What they say of being away.
    pub(super) away: Body,
    pub(super) link: Option<Id<ClientLink>>,
    pub(super) dial: Option<Id<OutgoingHandshake>>,
    /// The number of the conversation's record; none before the first message.
    pub(super) conversation: Option<u64>,
    /// The store has that record.
    pub(super) recorded: bool,
    /// What this client's user said that is not settled, in order.
    pub(super) outbox: List<Outgoing, outgoing::OfPeer>,
    /// The last number that was used.
    pub(super) last: Position,
    pub(super) path: Path,
    /// The server has all up to here.
    pub(super) stored: Position,
    /// Which part of the outbox is in memory.
    pub(super) window: Window,
    /// What they said that is not in the inbox yet.
    pub(super) inbox: List<Incoming, incoming::OfPeer>,
    /// How many those are.
    pub(super) arriving: u16,
    /// Some of them may be mail that came directly too.
    pub(super) has_copies: bool,
    /// Of a person: the inbox was asked to keep all up to here, and has all up to here.
    pub(super) asked: Position,
    pub(super) kept: Position,
    /// Of a room, how far its log is read.
    pub(super) reader: Reader,
    /// How far the epoch before that of `asked` was taken in.
    pub(super) before: Position,
    /// The deposit under way was reported as relayed already.
    pub(super) relayed: bool,
    pub(super) news: PeerNews,
    pub(super) save: Ask,
    pub(super) forget: Ask,
    /// All up to here is settled, told, and to be forgotten by the outbox.
    pub(super) done: Position,
    pub(super) asking: Node<Self>,
    pub(super) telling: Node<Self>,
    pub(super) inquiring: Node<Self>,
    /// In the list of those with messages that are not settled.
    pub(super) active: Node<Self>,
    /// In the list of rooms whose server is to be told how far they are in the inbox.
    pub(super) reading: Node<Self>,
    /// In the list of those whose outbox is to be read on.
    pub(super) fetching: Node<Self>,
    /// In the list of rooms that this client is a member of.
    pub(super) joined: Node<Self>,
}

/// The one way that a conversation's messages go at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// In the peers' own session.
    Direct,
    /// By way of the server, until the last that went this way is settled.
    Server,
}

/// What the host's user has not been told of a peer yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PeerNews {
    pub(super) relayed: bool,
    pub(super) key_changed: bool,
    /// A room's log is another than the one that was read.
    pub(super) reset: bool,
    /// Entries of a room that are gone: not kept, damaged, too long.
    gone: [u64; 3],
}

impl PeerNews {
    /// So many more entries are gone.
    pub(super) fn gone(&mut self, why: GoneReason, entries: u64) {
        if let Some(gone) = self.gone.get_mut(why as usize) {
            *gone = gone.saturating_add(entries);
        }
    }

    /// Takes how many are gone for one reason, if any are.
    pub(super) fn take_gone(&mut self) -> Option<(GoneReason, u64)> {
        let reasons = [GoneReason::NotKept, GoneReason::Damaged, GoneReason::TooLong];
        let (why, gone) = reasons.into_iter().zip(&mut self.gone).find(|(_, gone)| **gone > 0)?;
        Some((why, core::mem::take(gone)))
    }
}

/// The lists that peers are in.
#[derive(Debug)]
pub(super) struct Asking;
#[derive(Debug)]
pub(super) struct Telling;
#[derive(Debug)]
pub(super) struct Active;
#[derive(Debug)]
pub(super) struct Inquiring;
#[derive(Debug)]
pub(super) struct Reading;
#[derive(Debug)]
pub(super) struct Fetching;
#[derive(Debug)]
pub(super) struct Joined;

impl Linked<Asking> for Peer {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.asking
    }
}

impl Linked<Telling> for Peer {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.telling
    }
}

impl Linked<Inquiring> for Peer {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.inquiring
    }
}

impl Linked<Active> for Peer {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.active
    }
}

impl Linked<Reading> for Peer {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.reading
    }
}

impl Linked<Fetching> for Peer {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.fetching
    }
}

impl Linked<Joined> for Peer {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.joined
    }
}

impl Peer {
    pub(super) fn new(key: PublicKey, with: To) -> Self {
        Self {
            recipient: None,
            key,
            log: key,
            key_number: 0,
            former: None,
            home: None,
            with,
            room: None,
            left: None,
            presence: Presence::Offline,
            address: None,
            version: 0,
            seen: UnixTime(0),
            away: Body::EMPTY,
            link: None,
            dial: None,
            conversation: None,
            recorded: false,
            outbox: List::NEW,
            last: Position::default(),
            path: if with.is_room() { Path::Server } else { Path::Direct },
            stored: Position::default(),
            window: Window::default(),
            inbox: List::NEW,
            arriving: 0,
            has_copies: false,
            asked: Position::default(),
            kept: Position::default(),
            reader: Reader::default(),
            before: Position::default(),
            relayed: false,
            news: PeerNews::default(),
            save: Ask::Idle,
            forget: Ask::Idle,
            done: Position::default(),
            asking: Node::UNLINKED,
            telling: Node::UNLINKED,
            inquiring: Node::UNLINKED,
            active: Node::UNLINKED,
            reading: Node::UNLINKED,
            fetching: Node::UNLINKED,
            joined: Node::UNLINKED,
        }
    }

    /// `cursor`, which is `asked` or `kept`, has passed this message. Of an older
    /// epoch than the one before, nothing is known: the inbox recognises it.
    pub(super) fn has_passed(&self, position: Position, cursor: Position) -> bool {
        match position.epoch.cmp(&cursor.epoch) {
            Ordering::Less if position.epoch == self.before.epoch => position <= self.before,
            Ordering::Less | Ordering::Greater => false,
            Ordering::Equal => position <= cursor,
        }
    }

    /// Whether a message that came is the next of its author, no number that
    /// counts being missing before it.
    pub(super) fn is_next(&self, position: Position, skip: u32) -> bool {
        let before = position.number.0.saturating_sub(1).saturating_sub(skip.into());
        before <= self.cursor(position).number.0
    }

    /// Numbers right before one that came that are missing.
    pub(super) fn missing(&self, position: Position) -> u64 {
        let cursor = self.cursor(position);
        // Of an author first heard of there is no telling.
        if self.asked == Position::default() {
            return 0;
        }
        position.number.0.saturating_sub(1).saturating_sub(cursor.number.0)
    }

    /// Takes in the next message.
    pub(super) fn ask_to_keep(&mut self, position: Position) {
        if position.epoch < self.asked.epoch {
            self.before = position;
            return;
        }
        if position.epoch > self.asked.epoch {
            self.before = self.asked;
        }
        self.asked = position;
    }

    /// How far the epoch of `position` was taken in.
    fn cursor(&self, position: Position) -> Position {
        let fresh = Position::new(position.epoch, Number(0));
        [self.asked, self.before].into_iter().find(|c| c.epoch == position.epoch).unwrap_or(fresh)
    }
}

/// All peers, found by key, by name and by number at the server.
#[derive(Debug)]
pub(super) struct Peers<'a> {
    pub(super) slab: Slab<'a, Peer>,
    pub(super) by_key: Index<'a>,
    pub(super) by_nick: Index<'a>,
    pub(super) by_account: Index<'a>,
}

impl Peers<'_> {
    pub(super) fn get(&self, id: Id<Peer>) -> Option<&Peer> {
        self.slab.get(id)
    }

    pub(super) fn get_mut(&mut self, id: Id<Peer>) -> Option<&mut Peer> {
        self.slab.get_mut(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Id<Peer>, &Peer)> {
        self.slab.iter()
    }

    pub(super) fn by_key(&self, key: &PublicKey) -> Option<Id<Peer>> {
        self.find(&self.by_key, &key.0, |peer| peer.key == *key)
    }

    pub(super) fn by_name(&self, with: &To) -> Option<Id<Peer>> {
        self.find(&self.by_nick, &with.folded(), |peer| peer.with == *with)
    }

    pub(super) fn by_recipient(&self, recipient: Recipient) -> Option<Id<Peer>> {
        let name = recipient.to_u64().to_le_bytes();
        self.find(&self.by_account, &name, |peer| peer.recipient == Some(recipient))
    }

    /// Adds someone known from the store or new on the roster; `None` if there is
    /// no room.
    pub(super) fn add(&mut self, key: PublicKey, with: To) -> Option<Id<Peer>> {
        let id = self.slab.insert(Peer::new(key, with)).ok()?;
        let indexed =
            self.by_key.insert(&key.0, id.slot()) && self.by_nick.insert(&with.folded(), id.slot());
        debug_assert!(indexed, "the indexes have more buckets than there are peers");
        Some(id)
    }

    /// Takes in a roster entry: whose it is, and whether people see a difference.
    pub(super) fn update(
        &mut self,
        entry: &RosterEntry<'_>,
        server: u32,
        pool: &mut Pool<'_>,
    ) -> Option<(Id<Peer>, bool)> {
        if entry.presence == Presence::Gone {
            return self.bury(entry);
        }
        if let Some((id, kin)) = self.kin(entry, server)
            && kin.version >= entry.version
        {
            return Some((id, false));
        }
        let mut changed;
        let id = match (self.successor(entry, server), self.by_key(&entry.key)) {
            (Some(id), _) => {
                self.succeed(id, entry);
                changed = true;
                id
            }
            (None, Some(id)) => {
                changed = self.rename(id, To::Peer(entry.nick));
                id
            }
            (None, None) => {
                // A nick that another key held before is another person now.
                let former = self.by_name(&To::Peer(entry.nick));
                let id = self.add_renamed(entry, former)?;
                if let (Some(_), Some(peer)) = (former, self.slab.get_mut(id)) {
                    peer.news.key_changed = true;
                }
                changed = true;
                id
            }
        };
        let known = self.slab.get(id)?;
        if known.version >= entry.version {
            return Some((id, changed));
        }
        let recipient = Recipient::Account(entry.account);
        if known.recipient != Some(recipient) {
            changed = true;
            self.set_recipient(id, recipient);
        }
        let peer = self.slab.get_mut(id)?;
        peer.home = Some((entry.account, server));
        peer.key_number = entry.key_number;
        changed |= peer.presence != entry.presence;
        peer.presence = entry.presence;
        peer.address = entry.candidates.into_iter().flatten().next();
        peer.version = entry.version;
        peer.seen = entry.seen;
        pool.free(core::mem::replace(&mut peer.away, Body::EMPTY));
        if let Some(text) = entry.away {
            // Without room for it, they are online and no more.
            peer.away = pool.store(text.as_bytes()).unwrap_or(Body::EMPTY);
        }
        Some((id, changed))
    }

    /// Who had the account before, under whatever key.
    fn kin(&self, entry: &RosterEntry<'_>, server: u32) -> Option<(Id<Peer>, &Peer)> {
        let id = self.by_name(&To::Peer(entry.nick))?;
        let peer = self.slab.get(id)?;
        (peer.home == Some((entry.account, server))).then_some((id, peer))
    }

    /// Who goes on under the key of an entry: had the account before, under a key with a lower
    /// number. A number that is not higher comes from a server that was put back or begun anew,
    /// where the account may be another's: then only the first key that was met is theirs.
    fn successor(&self, entry: &RosterEntry<'_>, server: u32) -> Option<Id<Peer>> {
        let (id, kin) = self.kin(entry, server)?;
        let back = kin.key != entry.key && kin.log == entry.key;
        let goes_on = entry.key_number > kin.key_number || back && self.by_key(&kin.log).is_none();
        goes_on.then_some(id)
    }

    /// An account that is known has another key: its holder proved at the server to be the
    /// same person.
    fn succeed(&mut self, id: Id<Peer>, entry: &RosterEntry<'_>) {
        let Some((before, number)) = self.slab.get(id).map(|peer| (peer.key, peer.key_number))
        else {
            return;
        };
        let slab = &self.slab;
        self.by_key.remove(&before.0, id.slot(), |slot| Some(slab.get(slab.id_at(slot)?)?.key.0));
        let indexed = self.by_key.insert(&entry.key.0, id.slot());
        debug_assert!(indexed, "the index has more buckets than there are peers");
        if let Some(peer) = self.slab.get_mut(id) {
            (peer.key, peer.key_number) = (entry.key, entry.key_number);
            peer.former = peer.former.or(Some((before, number)));
            peer.news.key_changed |= entry.key != before;
        }
    }

    /// Adds someone who wrote and is on the roster no more, or under another key: nobody is
    /// found under the nick.
    pub(super) fn add_former(&mut self, key: PublicKey, with: To) -> Option<Id<Peer>> {
        let id = self.slab.insert(Peer::new(key, with)).ok()?;
        let indexed = self.by_key.insert(&key.0, id.slot());
        debug_assert!(indexed, "the index has more buckets than there are peers");
        Some(id)
    }

    /// An account is no more: nobody is written to by its nick.
    fn bury(&mut self, entry: &RosterEntry<'_>) -> Option<(Id<Peer>, bool)> {
        let id = self.by_key(&entry.key)?;
        let peer = self.slab.get_mut(id)?;
        // Its key may have another account by now.
        let recipient = Recipient::Account(entry.account);
        if peer.version >= entry.version || peer.recipient.is_some_and(|its| its != recipient) {
            return None;
        }
        (peer.version, peer.presence, peer.address) = (entry.version, entry.presence, None);
        self.clear_recipient(id);
        self.forget_name(id);
        Some((id, true))
    }

    /// A key goes by this name; `true` if it did not before.
    fn rename(&mut self, id: Id<Peer>, with: To) -> bool {
        let before = self.by_name(&with);
        if before == Some(id) {
            return false;
        }
        if let Some(before) = before {
            self.forget_name(before);
            self.clear_recipient(before);
        }
        self.forget_name(id);
        if let Some(peer) = self.slab.get_mut(id) {
            peer.with = with;
            let indexed = self.by_nick.insert(&with.folded(), id.slot());
            debug_assert!(indexed, "the index has more buckets than there are peers");
        }
        true
    }

    /// The roster begins anew: no version of it counts that is known, nor any number, which
    /// may be another's now.
    pub(super) fn forget_roster(&mut self) {
        for slot in 0..self.slab.capacity() as u32 {
            let Some(id) = self.slab.id_at(slot) else { continue };
            self.clear_recipient(id);
            if let Some(peer) = self.slab.get_mut(id) {
                peer.version = 0;
                peer.reader.meet_anew();
            }
        }
    }

    fn add_renamed(
        &mut self,
        entry: &RosterEntry<'_>,
        former: Option<Id<Peer>>,
    ) -> Option<Id<Peer>> {
        if let Some(former) = former {
            self.forget_name(former);
            self.clear_recipient(former);
        }
        self.add(entry.key, To::Peer(entry.nick))
    }

    /// The name of a peer is another's now.
    pub(super) fn forget_name(&mut self, id: Id<Peer>) {
        let Some(with) = self.slab.get(id).map(|peer| peer.with) else { return };
        let slab = &self.slab;
        self.by_nick.remove(&with.folded(), id.slot(), |slot| {
            Some(slab.get(slab.id_at(slot)?)?.with.folded())
        });
    }

    pub(super) fn set_recipient(&mut self, id: Id<Peer>, recipient: Recipient) {
        if let Some(former) = self.by_recipient(recipient) {
            self.clear_recipient(former);
        }
        self.clear_recipient(id);
        if let Some(peer) = self.slab.get_mut(id) {
            peer.recipient = Some(recipient);
            let indexed = self.by_account.insert(&recipient.to_u64().to_le_bytes(), id.slot());
            debug_assert!(indexed, "the index has more buckets than there are peers");
        }
    }

    pub(super) fn clear_recipient(&mut self, id: Id<Peer>) {
        let Some(recipient) = self.slab.get(id).and_then(|peer| peer.recipient) else { return };
        let slab = &self.slab;
        self.by_account.remove(&recipient.to_u64().to_le_bytes(), id.slot(), |slot| {
            Some(slab.get(slab.id_at(slot)?)?.recipient?.to_u64().to_le_bytes())
        });
        if let Some(peer) = self.slab.get_mut(id) {
            peer.recipient = None;
        }
    }

    fn find(
        &self,
        index: &Index<'_>,
        name: &[u8],
        mut is: impl FnMut(&Peer) -> bool,
    ) -> Option<Id<Peer>> {
        let slot = index.find(name, |slot| {
            self.slab.id_at(slot).and_then(|id| self.slab.get(id)).is_some_and(&mut is)
        })?;
        self.slab.id_at(slot)
    }
}
