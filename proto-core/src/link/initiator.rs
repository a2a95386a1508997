//! The handshakes that this side begins.

use core::net::SocketAddr;

use crate::{
    id::PublicKey,
    session::{Keys, Offer},
    storage::{Id, Index, Slab},
    time::Instant,
    timers::Timers,
    wire::{Accept, MAX_DATAGRAM, Retry},
};

use super::{
    config::{LinkConfig, Local},
    outgoing::{DueList, OutgoingHandshake, Target},
    statistics::{Dropped, Fill},
};

/// All handshakes that this side has begun and not finished.
pub(super) struct OutgoingHandshakes<'a> {
    slab: Slab<'a, OutgoingHandshake>,
    by_session: Index<'a>,
    timers: Timers<'a>,
    /// Those that have a datagram to send.
    due: &'a mut DueList,
}

/// A handshake that this side began is through.
pub(super) struct Finished {
    pub(super) handshake: Id<OutgoingHandshake>,
    pub(super) target: Target,
    pub(super) peer: PublicKey,
    pub(super) keys: Keys,
    pub(super) theirs: Offer,
    /// Datagrams of so many bytes get through.
    pub(super) datagram: u16,
}

/// A try to reach someone got no answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unanswered {
    pub(crate) handshake: Id<OutgoingHandshake>,
    pub(crate) target: Target,
    /// Such tries so far.
    pub(crate) tries: u32,
    /// Someone answers there, with another key than the one expected.
    pub(crate) wrong_key: bool,
}

impl<'a> OutgoingHandshakes<'a> {
    pub(super) fn new(
        slab: Slab<'a, OutgoingHandshake>,
        by_session: Index<'a>,
        timers: Timers<'a>,
        due: &'a mut DueList,
    ) -> Self {
        Self { slab, by_session, timers, due }
    }

    /// How many more can be begun.
    pub(super) fn room(&self) -> usize {
        self.slab.capacity() - self.slab.len()
    }

    pub(super) fn fill(&self) -> Fill {
        Fill { used: self.slab.len(), capacity: self.slab.capacity() }
    }

    pub(super) fn get(&self, id: Id<OutgoingHandshake>) -> Option<&OutgoingHandshake> {
        self.slab.get(id)
    }

    /// Sets out to reach someone; `None` if there is no room for another handshake.
    pub(super) fn begin(
        &mut self,
        local: &mut Local,
        config: &LinkConfig,
        now: Instant,
        to: SocketAddr,
        target: Target,
    ) -> Option<Id<OutgoingHandshake>> {
        let handshake = OutgoingHandshake::new(local, config, to, target);
        let id = self.slab.insert(handshake).ok()?;
        self.enlist(id);
        self.send(config, id, now);
        Some(id)
    }

    /// Gives a handshake up, or forgets one that is through.
    pub(super) fn end(&mut self, id: Id<OutgoingHandshake>) {
        if self.slab.get(id).is_some() {
            self.delist(id);
            self.due.remove(&mut self.slab, id);
            self.timers.set(id.slot(), None);
            self.slab.remove(id);
        }
    }

    /// Something is to be sent.
    pub(super) fn is_owing(&self) -> bool {
        !self.due.is_empty()
    }

    /// The earliest deadline of any handshake.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timers.deadline()
    }

    /// The next datagram: to whom, and its length in `scratch`.
    pub(super) fn next_datagram(
        &mut self,
        scratch: &mut [u8; MAX_DATAGRAM],
    ) -> Option<(SocketAddr, usize)> {
        let id = self.due.pop_front(&mut self.slab)?;
        let handshake = self.slab.get_mut(id)?;
        Some((handshake.to, handshake.encode(scratch).len()))
    }

    /// The handshake that a Retry is for.
    pub(super) fn of_retry(&self, retry: &Retry) -> Option<Id<OutgoingHandshake>> {
        let [a, b, c, d, ..] = retry.random;
        self.find(u32::from_le_bytes([a, b, c, d]))
    }

    /// Goes on with the address proof that came in a Retry.
    pub(super) fn retry(
        &mut self,
        local: &mut Local,
        config: &LinkConfig,
        (now, from): (Instant, SocketAddr),
        id: Id<OutgoingHandshake>,
        retry: &Retry,
    ) -> Result<(), Dropped> {
        let handshake = self.slab.get_mut(id).filter(|handshake| handshake.to == from);
        match handshake.map(|handshake| handshake.retry(local, retry, config.credit)) {
            Some(true) => {
                self.send(config, id, now);
                Ok(())
            }
            Some(false) | None => Err(Dropped::Unfitting),
        }
    }

    /// The session that an Accept brings; the handshake goes on until [`Self::end`].
    pub(super) fn accept(
        &self,
        local: &Local,
        from: SocketAddr,
        accept: &mut Accept<'_>,
    ) -> Option<Finished> {
        let id = self.find(accept.session.0)?;
        let handshake = self.slab.get(id).filter(|handshake| handshake.to == from)?;
        let (initiator, peer) = handshake.initiator()?;
        let (keys, theirs) = initiator.finish(&local.identity, accept.noise)?;
        let (target, datagram) = (handshake.target, handshake.datagram());
        Some(Finished { handshake: id, target, peer, keys, theirs, datagram })
    }

    /// Handles one deadline that is due at `now`; `None` when there is no more.
    pub(super) fn timeout(
        &mut self,
        local: &mut Local,
        config: &LinkConfig,
        now: Instant,
    ) -> Option<Unanswered> {
        let slot = self.timers.pop_due(now)?;
        let id = self.slab.id_at(slot);
        debug_assert!(id.is_some(), "a handshake that ended has no deadline");
        let id = id?;
        self.delist(id);
        let handshake = self.slab.get_mut(id)?;
        handshake.again(local, config);
        let OutgoingHandshake { target, wrong_key, .. } = *handshake;
        let tries = handshake.tries();
        self.enlist(id);
        self.send(config, id, now);
        Some(Unanswered { handshake: id, target, tries, wrong_key })
    }

    /// Sends what a handshake has to send now, and waits for the answer.
    fn send(&mut self, config: &LinkConfig, id: Id<OutgoingHandshake>, now: Instant) {
        let Some(handshake) = self.slab.get(id) else { return };
        self.timers.set(id.slot(), Some(now + handshake.patience(config)));
        self.due.push_back(&mut self.slab, id);
    }

    fn find(&self, session: u32) -> Option<Id<OutgoingHandshake>> {
        let slot = self.by_session.find(&session.to_le_bytes(), |slot| {
            let handshake = self.slab.id_at(slot).and_then(|id| self.slab.get(id));
            handshake.is_some_and(|handshake| handshake.session().0 == session)
        })?;
        self.slab.id_at(slot)
    }

    fn enlist(&mut self, id: Id<OutgoingHandshake>) {
        if let Some(handshake) = self.slab.get(id) {
            let name = handshake.session().0.to_le_bytes();
            let indexed = self.by_session.insert(&name, id.slot());
            debug_assert!(indexed, "the index has more buckets than there are handshakes");
        }
    }

    fn delist(&mut self, id: Id<OutgoingHandshake>) {
        let Some(handshake) = self.slab.get(id) else { return };
        let name = handshake.session().0.to_le_bytes();
        let slab = &self.slab;
        self.by_session.remove(&name, id.slot(), |slot| {
            Some(slab.get(slab.id_at(slot)?)?.session().0.to_le_bytes())
        });
    }
}
