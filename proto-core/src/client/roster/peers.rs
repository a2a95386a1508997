//! The table of people and rooms, found by key, by name and by number at the server.

use crate::{
    client::{event::To, headers::Naming, rooms::membership::Membership},
    id::{PublicKey, Recipient},
    session::{self, Suite},
    storage::{Id, Index, Pool, Slab},
    wire::Presence,
};

use super::{
    id::PeerId,
    peer::{Peer, Who},
};

/// All people and rooms that the client knows.
#[derive(Debug)]
pub(in crate::client) struct Peers<'a> {
    pub(super) slab: Slab<'a, Peer>,
    by_key: Index<'a>,
    by_nick: Index<'a>,
    by_account: Index<'a>,
}

/// The row's own name.
pub(super) fn row(id: PeerId) -> Id<Peer> {
    Id::from_parts(id.slot(), id.generation())
}

/// The name of a row.
pub(super) fn name(id: Id<Peer>) -> PeerId {
    Id::from_parts(id.slot(), id.generation())
}

impl<'a> Peers<'a> {
    /// Over lent memory.
    pub(in crate::client) fn new(slab: Slab<'a, Peer>, indexes: [Index<'a>; 3]) -> Self {
        let [by_key, by_nick, by_account] = indexes;
        Self { slab, by_key, by_nick, by_account }
    }

    /// The row of that name: there always is one, since only [`Self::dismiss_stranger`] removes any.
    pub(in crate::client) fn get(&self, id: PeerId) -> Option<&Peer> {
        let peer = self.slab.get(row(id));
        debug_assert!(peer.is_some(), "nobody is removed whom anything names");
        peer
    }

    /// The row of that name: there always is one, since only [`Self::dismiss_stranger`] removes any.
    pub(in crate::client) fn get_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        let peer = self.slab.get_mut(row(id));
        debug_assert!(peer.is_some(), "nobody is removed whom anything names");
        peer
    }

    /// Two different rows.
    pub(super) fn both(&mut self, one: PeerId, other: PeerId) -> Option<[&mut Peer; 2]> {
        self.slab.get_two_mut(row(one), row(other))
    }

    /// Whoever is in `slot`.
    pub(in crate::client) fn at(&self, slot: u32) -> Option<PeerId> {
        self.slab.id_at(slot).map(name)
    }

    pub(in crate::client) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.slab.iter().map(|(_, peer)| peer)
    }

    pub(in crate::client) fn capacity(&self) -> u32 {
        self.slab.capacity() as u32
    }

    pub(in crate::client) fn is_full(&self) -> bool {
        self.slab.is_full()
    }

    pub(in crate::client) fn by_key(&self, key: &PublicKey) -> Option<PeerId> {
        self.find(&self.by_key, &key.0, |peer| peer.key == *key)
    }

    pub(in crate::client) fn by_name(&self, with: &To) -> Option<PeerId> {
        self.find(&self.by_nick, &with.folded(), |peer| peer.with == *with)
    }

    pub(in crate::client) fn by_recipient(&self, recipient: Recipient) -> Option<PeerId> {
        self.at_place(recipient)
            .filter(|id| self.get(*id).is_some_and(|peer| peer.recipient == Some(recipient)))
    }

    /// A room, or whoever has, or had before, the place of an account at the server.
    pub(super) fn at_place(&self, recipient: Recipient) -> Option<PeerId> {
        let place = recipient.place();
        self.find(&self.by_account, &place.to_le_bytes(), |peer| {
            peer.recipient.is_some_and(|its| its.place() == place)
        })
    }

    /// Adds someone known from the store, or a room; `None` if there is no room.
    pub(in crate::client) fn add(&mut self, key: PublicKey, with: To) -> Option<PeerId> {
        let id = self.add_nameless(key, with)?;
        self.index_name(id, &with);
        Some(id)
    }

    /// Adds whoever has a name now, which another may have had before; `None` if there is no room.
    pub(in crate::client) fn add_instead(&mut self, key: PublicKey, with: To) -> Option<PeerId> {
        if let Some(before) = self.by_name(&with) {
            self.forget_name(before);
            self.clear_recipient(before);
        }
        self.add(key, with)
    }

    /// Adds someone who wrote and is on the roster no more, or under another key: nobody is
    /// found under the nick.
    pub(in crate::client) fn add_nameless(&mut self, key: PublicKey, with: To) -> Option<PeerId> {
        let id = name(self.slab.insert(Peer::new(key, with)).ok()?);
        self.index_key(id, &key);
        Some(id)
    }

    /// Someone could give way. It looks at all rows.
    pub(in crate::client) fn has_stranger(&self) -> bool {
        self.iter().any(Peer::is_stranger)
    }

    /// Forgets a stranger, someone with whom nothing was ever exchanged: one whose account is no more,
    /// else the one who came or changed last, so that many who come at once displace each other and
    /// nobody who was there before. `false` if there is no stranger. It looks at all rows.
    pub(in crate::client) fn dismiss_stranger(&mut self, pool: &mut Pool<'_>) -> bool {
        let worth = |(id, peer): (Id<Peer>, &Peer)| {
            let person = peer.person().filter(|_| peer.is_stranger())?;
            Some(((person.presence() == Presence::Removed, person.version), id))
        };
        let least = self.slab.iter().filter_map(worth).max_by_key(|(worth, _)| *worth);
        let Some((_, id)) = least else { return false };
        self.forget_name(name(id));
        self.clear_recipient(name(id));
        self.forget_key(name(id));
        if let Some(Peer { who: Who::Person(person), .. }) = self.slab.remove(id) {
            pool.free(person.into_away());
        }
        true
    }

    /// They go by this name; whoever had it does so no more.
    pub(in crate::client) fn rename(&mut self, id: PeerId, with: To) {
        let before = self.by_name(&with);
        if before == Some(id) {
            return;
        }
        if let Some(before) = before {
            self.forget_name(before);
            self.clear_recipient(before);
        }
        self.forget_name(id);
        if let Some(peer) = self.get_mut(id) {
            peer.with = with;
            self.index_name(id, &with);
        }
    }

    /// Two people change keys, and with them what came of each and where each is. The key that the
    /// first one had.
    pub(super) fn exchange_keys(&mut self, one: PeerId, other: PeerId) -> Option<PublicKey> {
        self.forget_key(one);
        self.forget_key(other);
        let [first, second] = self.both(one, other)?;
        core::mem::swap(&mut first.key, &mut second.key);
        core::mem::swap(&mut first.author, &mut second.author);
        if let (Some(first), Some(second)) = (first.person_mut(), second.person_mut()) {
            first.follow(second);
        }
        let (now, before) = (first.key, second.key);
        self.index_key(one, &now);
        self.index_key(other, &before);
        Some(before)
    }

    /// They are found under their name no more.
    pub(in crate::client) fn forget_name(&mut self, id: PeerId) {
        let Some(with) = self.get(id).map(|peer| peer.with) else { return };
        if let Some(person) = self.get_mut(id).and_then(Peer::person_mut) {
            person.naming = Naming::Unknown;
        }
        let slab = &self.slab;
        self.by_nick.remove(&with.folded(), id.slot(), |slot| {
            Some(slab.get(slab.id_at(slot)?)?.with.folded())
        });
    }

    /// The server has a number for them.
    pub(in crate::client) fn set_recipient(&mut self, id: PeerId, recipient: Recipient) {
        if let Some(former) = self.at_place(recipient) {
            self.clear_recipient(former);
        }
        self.clear_recipient(id);
        if let Some(peer) = self.get_mut(id) {
            peer.recipient = Some(recipient);
            let indexed = self.by_account.insert(&recipient.place().to_le_bytes(), id.slot());
            debug_assert!(indexed, "the index has more buckets than there are peers");
        }
    }

    /// The server has no number for them any more, as far as is known.
    pub(in crate::client) fn clear_recipient(&mut self, id: PeerId) {
        let Some(recipient) = self.get(id).and_then(|peer| peer.recipient) else { return };
        let slab = &self.slab;
        self.by_account.remove(&recipient.place().to_le_bytes(), id.slot(), |slot| {
            Some(slab.get(slab.id_at(slot)?)?.recipient?.place().to_le_bytes())
        });
        if let Some(peer) = self.get_mut(id) {
            peer.recipient = None;
        }
    }

    /// What is said in a room goes to its server, also if this client is a member no longer:
    /// the server alone knows whether it had come before.
    pub(in crate::client) fn reach_room(
        &mut self,
        id: PeerId,
        server: Option<PublicKey>,
        suite: &dyn Suite,
    ) {
        let Some(peer) = self.get(id).filter(|peer| peer.recipient.is_none()) else { return };
        let room = peer.room().and_then(Membership::room);
        let (Some(room), Some(server)) = (room, server) else { return };
        if peer.key == session::room_key(suite, &server, room, peer.with.room_name()) {
            self.set_recipient(id, Recipient::Room(room));
        }
    }

    fn forget_key(&mut self, id: PeerId) {
        let Some(key) = self.get(id).map(|peer| peer.key) else { return };
        let slab = &self.slab;
        self.by_key.remove(&key.0, id.slot(), |slot| Some(slab.get(slab.id_at(slot)?)?.key.0));
    }

    fn index_key(&mut self, id: PeerId, key: &PublicKey) {
        let indexed = self.by_key.insert(&key.0, id.slot());
        debug_assert!(indexed, "the index has more buckets than there are peers");
    }

    fn index_name(&mut self, id: PeerId, with: &To) {
        if let Some(person) = self.get_mut(id).and_then(Peer::person_mut) {
            person.naming = Naming::Known;
        }
        let indexed = self.by_nick.insert(&with.folded(), id.slot());
        debug_assert!(indexed, "the index has more buckets than there are peers");
    }

    fn find(
        &self,
        index: &Index<'_>,
        of: &[u8],
        mut is: impl FnMut(&Peer) -> bool,
    ) -> Option<PeerId> {
        let slot = index.find(of, |slot| {
            self.slab.id_at(slot).and_then(|id| self.slab.get(id)).is_some_and(&mut is)
        })?;
        self.at(slot)
    }
}
