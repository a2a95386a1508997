//! The people a client knows of: the roster, and the conversation with each.

use core::{cmp::Ordering, net::SocketAddr};

use crate::{
    action::Ask,
    id::{Account, Nick, Number, Position, PublicKey},
    link::Dial,
    storage::{Id, Index, Linked, List, Node, Slab},
    wire::{Presence, RosterEntry},
};

use super::{
    ClientLink, PeerView,
    message::{Asking, Message, OfPeer, Telling},
};

/// Someone, and the conversation with them.
#[derive(Debug)]
pub struct Peer {
    /// Their number at the server, while the roster has them.
    pub(super) account: Option<Account>,
    pub(super) key: PublicKey,
    pub(super) nick: Nick,
    pub(super) presence: Presence,
    pub(super) address: Option<SocketAddr>,
    pub(super) version: u64,
    pub(super) link: Option<Id<ClientLink>>,
    pub(super) dial: Option<Id<Dial>>,
    /// The number of the conversation's record; none before the first message.
    pub(super) conversation: Option<u64>,
    /// What this client's user said that is not settled, in order.
    pub(super) outbox: List<Message, OfPeer>,
    /// The last number that was used.
    pub(super) last: Position,
    pub(super) path: Path,
    /// The server has all up to here.
    pub(super) stored: Position,
    /// What they said that is not in the inbox yet.
    pub(super) inbox: List<Message, OfPeer>,
    /// How many those are.
    pub(super) arriving: u16,
    /// The inbox was asked to keep all up to here, and has all up to here.
    pub(super) asked: Position,
    pub(super) kept: Position,
    /// How far the epoch before that of `asked` was taken in.
    pub(super) before: Position,
    /// The deposit under way was reported as relayed already.
    pub(super) relayed: bool,
    pub(super) news: PeerNews,
    pub(super) save: Ask,
    pub(super) forget: Ask,
    /// Up to where the outbox is to be forgotten.
    pub(super) done: Position,
    pub(super) asking: Node<Self>,
    pub(super) telling: Node<Self>,
    pub(super) inquiring: Node<Self>,
    /// In the list of those with messages that are not settled.
    pub(super) active: Node<Self>,
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
}

/// The lists that peers are in.
#[derive(Debug)]
pub(super) struct Active;
#[derive(Debug)]
pub(super) struct Inquiring;

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

impl Peer {
    pub(super) fn new(key: PublicKey, nick: Nick) -> Self {
        Self {
            account: None,
            key,
            nick,
            presence: Presence::Offline,
            address: None,
            version: 0,
            link: None,
            dial: None,
            conversation: None,
            outbox: List::NEW,
            last: Position::default(),
            path: Path::Direct,
            stored: Position::default(),
            inbox: List::NEW,
            arriving: 0,
            asked: Position::default(),
            kept: Position::default(),
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
        }
    }

    pub(super) fn view(&self) -> PeerView {
        PeerView { nick: self.nick, key: self.key, presence: self.presence, address: self.address }
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

/// All peers, found by key, by nick and by account.
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

    pub(super) fn by_nick(&self, nick: &Nick) -> Option<Id<Peer>> {
        self.find(&self.by_nick, &nick.folded(), |peer| peer.nick == *nick)
    }

    pub(super) fn by_account(&self, account: Account) -> Option<Id<Peer>> {
        let name = account.0.to_le_bytes();
        self.find(&self.by_account, &name, |peer| peer.account == Some(account))
    }

    /// Adds someone known from the store or new on the roster; `None` if there is
    /// no room.
    pub(super) fn add(&mut self, key: PublicKey, nick: Nick) -> Option<Id<Peer>> {
        let id = self.slab.insert(Peer::new(key, nick)).ok()?;
        let indexed =
            self.by_key.insert(&key.0, id.slot()) && self.by_nick.insert(&nick.folded(), id.slot());
        debug_assert!(indexed, "the indexes have more buckets than there are peers");
        Some(id)
    }

    /// Takes in a roster entry: whose it is, and whether people see a difference.
    pub(super) fn update(&mut self, entry: &RosterEntry) -> Option<(Id<Peer>, bool)> {
        let mut changed = false;
        let id = match self.by_key(&entry.key) {
            Some(id) => id,
            None => {
                // A nick that another key held before is another person now.
                let former = self.by_nick(&entry.nick);
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
        if known.account != Some(entry.account) {
            changed = true;
            self.set_account(id, entry.account);
        }
        let peer = self.slab.get_mut(id)?;
        changed |= peer.presence != entry.presence;
        peer.presence = entry.presence;
        peer.address = entry.candidates.into_iter().flatten().next();
        peer.version = entry.version;
        Some((id, changed))
    }

    /// The roster begins anew: what was known of it does not count.
    pub(super) fn forget_versions(&mut self) {
        for slot in 0..self.slab.capacity() as u32 {
            if let Some(peer) = self.slab.id_at(slot).and_then(|id| self.slab.get_mut(id)) {
                peer.version = 0;
            }
        }
    }

    fn add_renamed(&mut self, entry: &RosterEntry, former: Option<Id<Peer>>) -> Option<Id<Peer>> {
        if let Some(former) = former {
            let slab = &self.slab;
            self.by_nick.remove(&entry.nick.folded(), former.slot(), |slot| {
                Some(slab.get(slab.id_at(slot)?)?.nick.folded())
            });
            self.clear_account(former);
        }
        self.add(entry.key, entry.nick)
    }

    fn set_account(&mut self, id: Id<Peer>, account: Account) {
        if let Some(former) = self.by_account(account) {
            self.clear_account(former);
        }
        self.clear_account(id);
        if let Some(peer) = self.slab.get_mut(id) {
            peer.account = Some(account);
            let indexed = self.by_account.insert(&account.0.to_le_bytes(), id.slot());
            debug_assert!(indexed, "the index has more buckets than there are peers");
        }
    }

    fn clear_account(&mut self, id: Id<Peer>) {
        let Some(account) = self.slab.get_mut(id).and_then(|peer| peer.account) else { return };
        let slab = &self.slab;
        self.by_account.remove(&account.0.to_le_bytes(), id.slot(), |slot| {
            Some(slab.get(slab.id_at(slot)?)?.account?.0.to_le_bytes())
        });
        if let Some(peer) = self.slab.get_mut(id) {
            peer.account = None;
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
