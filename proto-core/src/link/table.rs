//! The links of an endpoint, each found by its session id and by its peer's key.

use core::{net::IpAddr, time::Duration};

use crate::{
    id::{PublicKey, SessionId},
    storage::{Id, Index, List, Slab},
    time::Instant,
};

use super::{
    Link,
    link::{EphemeralName, Phase, Role},
    prefixes::{Peers, Prefixes, Use},
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
    fn of(&mut self, kind: Use) -> &mut u32 {
        match kind {
            Use::Live => &mut self.live,
            Use::Unconfirmed => &mut self.unconfirmed,
        }
    }
}

/// All links, in whatever phase.
pub(super) struct Table<'a, R: Role> {
    slab: Slab<'a, Link<R>>,
    by_session: Index<'a>,
    by_key: Index<'a>,
    by_ephemeral: Index<'a>,
    prefixes: Prefixes<'a, R>,
    counts: &'a mut Counts,
    /// Those that are closing, the oldest first.
    closing: &'a mut List<Link<R>, Peers>,
}

impl<'a, R: Role> Table<'a, R> {
    pub(super) fn new(
        slab: Slab<'a, Link<R>>,
        [by_session, by_key, by_ephemeral]: [Index<'a>; 3],
        prefixes: Prefixes<'a, R>,
        counts: &'a mut Counts,
        closing: &'a mut List<Link<R>, Peers>,
    ) -> Self {
        Self { slab, by_session, by_key, by_ephemeral, prefixes, counts, closing }
    }

    /// A handshake from this address may cost a Diffie-Hellman.
    pub(super) fn allows_handshake(&mut self, now: Instant, from: IpAddr) -> bool {
        self.prefixes.allows_handshake(now, from)
    }

    /// Someone new from this address may be taken in.
    pub(super) fn allows_newcomer(
        &mut self,
        now: Instant,
        from: IpAddr,
        burst: u32,
        interval: Duration,
    ) -> bool {
        self.prefixes.allows_newcomer(now, from, burst, interval)
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
    pub(super) fn add(&mut self, mut link: Link<R>) -> Option<Id<Link<R>>> {
        link.prefix = self.prefixes.place(link.began, link.address.ip());
        let (session, peer, ephemeral) = (link.ours.name(), link.peer, link.ephemeral);
        let id = self.slab.insert(link).ok()?;
        self.count(id);
        let indexed = self.by_session.insert(&session, id.slot())
            && self.by_key.insert(&peer.0, id.slot())
            && ephemeral.is_none_or(|name| self.by_ephemeral.insert(&name, id.slot()));
        debug_assert!(indexed, "the indexes have more buckets than there are links");
        Some(id)
    }

    pub(super) fn remove(&mut self, id: Id<Link<R>>) -> Option<Link<R>> {
        self.discount(id);
        let link = self.slab.remove(id)?;
        let slab = &self.slab;
        let at = |slot| slab.id_at(slot).and_then(|id| slab.get(id));
        self.by_session
            .remove(&link.ours.name(), id.slot(), |slot| at(slot).map(|link| link.ours.name()));
        self.by_key.remove(&link.peer.0, id.slot(), |slot| at(slot).map(|link| link.peer.0));
        if let Some(ephemeral) = link.ephemeral {
            self.by_ephemeral.remove(&ephemeral, id.slot(), |slot| at(slot)?.ephemeral);
        }
        Some(link)
    }

    /// A link enters another phase; the one before comes back.
    pub(super) fn enter(&mut self, id: Id<Link<R>>, phase: Phase<R>) -> Option<Phase<R>> {
        self.discount(id);
        let before = core::mem::replace(&mut self.slab.get_mut(id)?.phase, phase);
        self.count(id);
        Some(before)
    }

    fn count(&mut self, id: Id<Link<R>>) {
        let Some(link) = self.slab.get(id) else { return };
        let place = link.prefix;
        match link.kind() {
            Some(kind) => {
                *self.counts.of(kind) += 1;
                self.prefixes.add(&mut self.slab, id, place, kind);
            }
            None => self.closing.push_back(&mut self.slab, id),
        }
    }

    fn discount(&mut self, id: Id<Link<R>>) {
        let Some(link) = self.slab.get(id) else { return };
        let place = link.prefix;
        match link.kind() {
            Some(kind) => {
                let count = self.counts.of(kind);
                debug_assert!(*count > 0, "each link was counted when it entered its phase");
                *count = count.saturating_sub(1);
                self.prefixes.remove(&mut self.slab, id, place, kind);
            }
            None => self.closing.remove(&mut self.slab, id),
        }
    }

    /// The link that has been closing for the longest time.
    pub(super) fn oldest_closing(&self) -> Option<Id<Link<R>>> {
        self.closing.front()
    }

    /// The link to be confirmed that gives way to one from `from`: one of the prefix that has the
    /// most, if that is more than the other's share would be then, or as much by more handshakes.
    pub(super) fn heaviest_unconfirmed(
        &mut self,
        now: Instant,
        from: IpAddr,
    ) -> Option<Id<Link<R>>> {
        let place = self.prefixes.place(now, from);
        self.prefixes.heaviest(&mut self.slab, now, place, Use::Unconfirmed)
    }

    /// The live link that gives way to `id`, likewise.
    pub(super) fn heaviest_live(&mut self, now: Instant, id: Id<Link<R>>) -> Option<Id<Link<R>>> {
        let place = self.slab.get(id)?.prefix;
        self.prefixes.heaviest(&mut self.slab, now, place, Use::Live)
    }

    /// The link to be confirmed that has been there for the longest time, of the prefix that has the
    /// most, if that is as long as `span`.
    pub(super) fn stale(&self, now: Instant, span: Duration) -> Option<Id<Link<R>>> {
        let oldest = self.prefixes.oldest_of_heaviest(now, Use::Unconfirmed)?;
        self.slab.get(oldest).filter(|link| link.began + span <= now).map(|_| oldest)
    }

    /// A link is about to end, and is charged to nobody any more.
    pub(super) fn evict(&mut self, id: Id<Link<R>>) {
        if let Some((place, kind)) =
            self.slab.get(id).and_then(|link| Some((link.prefix, link.kind()?)))
        {
            self.prefixes.remove(&mut self.slab, id, place, kind);
        }
    }

    /// How many links with `peer` there are for which `is` holds, and the oldest of them.
    pub(super) fn oldest_with(
        &self,
        peer: &PublicKey,
        is: impl Fn(&Link<R>) -> bool,
    ) -> (u32, Option<Id<Link<R>>>) {
        let (mut count, mut oldest) = (0, None);
        self.by_key.find(&peer.0, |slot| {
            let id = self.slab.id_at(slot);
            if let Some((id, link)) = id.and_then(|id| Some((id, self.slab.get(id)?)))
                && link.peer == *peer
                && is(link)
            {
                count += 1;
                if oldest.is_none_or(|(began, _)| link.began < began) {
                    oldest = Some((link.began, id));
                }
            }
            false
        });
        (count, oldest.map(|(_, id)| id))
    }

    /// The link that a handshake with this ephemeral key led to.
    pub(super) fn by_ephemeral(&self, name: &EphemeralName) -> Option<Id<Link<R>>> {
        let slot = self.by_ephemeral.find(name, |slot| {
            let link = self.slab.id_at(slot).and_then(|id| self.slab.get(id));
            link.is_some_and(|link| link.ephemeral == Some(*name))
        })?;
        self.slab.id_at(slot)
    }

    /// The link that packets with this session id are for, in whichever key phase.
    pub(super) fn by_session(&self, session: SessionId) -> Option<Id<Link<R>>> {
        let name = session.name();
        let slot = self.by_session.find(&name, |slot| {
            let link = self.slab.id_at(slot).and_then(|id| self.slab.get(id));
            link.is_some_and(|link| link.ours.name() == name)
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
