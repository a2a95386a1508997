//! The links of an endpoint, each found by its session id and by its peer's key.

use crate::{
    id::PublicKey,
    storage::{Id, Index, Slab},
};

use super::{
    Link,
    link::{Phase, Role},
};

/// Handshakes that wait to be confirmed at most: more than a second's worth of them.
const MAX_UNCONFIRMED: usize = 4096;

/// How many of `links` links are for those that are not confirmed yet.
pub const fn unconfirmed(links: usize) -> usize {
    match links / 8 {
        0 => 1,
        1..MAX_UNCONFIRMED => links / 8,
        _ => MAX_UNCONFIRMED,
    }
}

/// How many links there are in each phase; the others are closing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    live: u32,
    unconfirmed: u32,
}

impl Counts {
    fn of<R: Role>(&mut self, phase: &Phase<R>) -> Option<&mut u32> {
        match phase {
            Phase::Live(_) => Some(&mut self.live),
            Phase::Unconfirmed { .. } => Some(&mut self.unconfirmed),
            Phase::Closing { .. } => None,
        }
    }

    fn add<R: Role>(&mut self, phase: &Phase<R>) {
        if let Some(count) = self.of(phase) {
            *count += 1;
        }
    }

    fn subtract<R: Role>(&mut self, phase: &Phase<R>) {
        if let Some(count) = self.of(phase) {
            debug_assert!(*count > 0, "each link was counted when it entered its phase");
            *count = count.saturating_sub(1);
        }
    }
}

/// All links, in whatever phase.
pub(super) struct Table<'a, R: Role> {
    slab: Slab<'a, Link<R>>,
    by_session: Index<'a>,
    by_key: Index<'a>,
    counts: &'a mut Counts,
}

impl<'a, R: Role> Table<'a, R> {
    pub(super) fn new(
        slab: Slab<'a, Link<R>>,
        by_session: Index<'a>,
        by_key: Index<'a>,
        counts: &'a mut Counts,
    ) -> Self {
        Self { slab, by_session, by_key, counts }
    }

    pub(super) fn get(&self, id: Id<Link<R>>) -> Option<&Link<R>> {
        self.slab.get(id)
    }

    pub(super) fn get_mut(&mut self, id: Id<Link<R>>) -> Option<&mut Link<R>> {
        self.slab.get_mut(id)
    }

    pub(super) fn id_at(&self, slot: u32) -> Option<Id<Link<R>>> {
        self.slab.id_at(slot)
    }

    pub(super) fn slab(&self) -> &Slab<'a, Link<R>> {
        &self.slab
    }

    /// What lists of links are threaded through.
    pub(super) fn slab_mut(&mut self) -> &mut Slab<'a, Link<R>> {
        &mut self.slab
    }

    /// Adds a link; `None` if there is no place.
    pub(super) fn add(&mut self, link: Link<R>) -> Option<Id<Link<R>>> {
        let (session, peer) = (link.ours, link.peer);
        self.counts.add(&link.phase);
        let id = match self.slab.insert(link) {
            Ok(id) => id,
            Err(link) => {
                self.counts.subtract(&link.phase);
                return None;
            }
        };
        let indexed = self.by_session.insert(&session.0.to_le_bytes(), id.slot())
            && self.by_key.insert(&peer.0, id.slot());
        debug_assert!(indexed, "the indexes have more buckets than there are links");
        Some(id)
    }

    pub(super) fn remove(&mut self, id: Id<Link<R>>) -> Option<Link<R>> {
        let link = self.slab.remove(id)?;
        self.counts.subtract(&link.phase);
        let slab = &self.slab;
        let at = |slot| slab.id_at(slot).and_then(|id| slab.get(id));
        self.by_session.remove(&link.ours.0.to_le_bytes(), id.slot(), |slot| {
            at(slot).map(|link| link.ours.0.to_le_bytes())
        });
        self.by_key.remove(&link.peer.0, id.slot(), |slot| at(slot).map(|link| link.peer.0));
        Some(link)
    }

    /// A link enters another phase; the one before comes back.
    pub(super) fn enter(&mut self, id: Id<Link<R>>, phase: Phase<R>) -> Option<Phase<R>> {
        let link = self.slab.get_mut(id)?;
        self.counts.add(&phase);
        let before = core::mem::replace(&mut link.phase, phase);
        self.counts.subtract(&before);
        Some(before)
    }

    /// The link that packets with this session id are for.
    pub(super) fn by_session(&self, session: u32) -> Option<Id<Link<R>>> {
        let slot = self.by_session.find(&session.to_le_bytes(), |slot| {
            let link = self.slab.id_at(slot).and_then(|id| self.slab.get(id));
            link.is_some_and(|link| link.ours.0 == session)
        })?;
        self.slab.id_at(slot)
    }

    /// A link with `peer` for which `is` holds.
    pub(super) fn by_key(
        &self,
        peer: &PublicKey,
        is: impl Fn(&Link<R>) -> bool,
    ) -> Option<Id<Link<R>>> {
        let slot = self.by_key.find(&peer.0, |slot| {
            let link = self.slab.id_at(slot).and_then(|id| self.slab.get(id));
            link.is_some_and(|link| link.peer == *peer && is(link))
        })?;
        self.slab.id_at(slot)
    }

    /// The session that a peer began and has not confirmed yet.
    pub(super) fn unconfirmed_of(&self, peer: &PublicKey) -> Option<Id<Link<R>>> {
        self.by_key(peer, Link::is_unconfirmed)
    }

    pub(super) fn is_full(&self) -> bool {
        self.slab.is_full()
    }

    /// There is room for a link that is to be confirmed.
    pub(super) fn has_room_for_unconfirmed(&self) -> bool {
        self.counts.unconfirmed < self.most_unconfirmed() && !self.slab.is_full()
    }

    /// There is room for a live link beside `reserved` ones.
    pub(super) fn has_room_for_live(&self, reserved: u32) -> bool {
        self.counts.live + reserved
            < (self.slab.capacity() as u32).saturating_sub(self.most_unconfirmed())
    }

    fn most_unconfirmed(&self) -> u32 {
        unconfirmed(self.slab.capacity()) as u32
    }
}
