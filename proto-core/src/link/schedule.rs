//! Which link sends next, and when which one is to be looked at again.

use crate::{
    storage::{Id, List, Slab},
    time::Instant,
    timers::Timers,
};

use super::{
    Link,
    config::LinkConfig,
    link::{Held, Phase, Ready, Role},
};

/// The lists that links wait in. A link is in one of `ready`, `starved` and `accepted` at most.
#[derive(Debug)]
pub(super) struct Lists<R: Role> {
    /// Those that have something to send.
    ready: List<Link<R>, Ready>,
    /// Those that wait for a record of a packet in flight.
    starved: List<Link<R>, Ready>,
    /// Those whose Accept is to be sent.
    accepted: List<Link<R>, Ready>,
    /// Those whose Ack is held back, all for as long, and so in the order of their due.
    held: List<Link<R>, Held>,
}

impl<R: Role> Lists<R> {
    pub(super) const NEW: Self =
        Self { ready: List::NEW, starved: List::NEW, accepted: List::NEW, held: List::NEW };
}

/// The turns of an endpoint's links, threaded through the slab of them.
pub(super) struct Schedule<'a, R: Role> {
    lists: &'a mut Lists<R>,
    timers: Timers<'a>,
}

impl<'a, R: Role> Schedule<'a, R> {
    pub(super) fn new(lists: &'a mut Lists<R>, timers: Timers<'a>) -> Self {
        Self { lists, timers }
    }

    /// Something is to be sent.
    pub(super) fn is_owing(&self) -> bool {
        !self.lists.accepted.is_empty() || !self.lists.ready.is_empty()
    }

    /// The earliest deadline of any link.
    pub(super) fn deadline(&self, links: &Slab<'_, Link<R>>) -> Option<Instant> {
        self.timers.deadline().into_iter().chain(self.ack_deadline(links)).min()
    }

    /// Lets a link send what it has, in its turn.
    pub(super) fn wake(&mut self, links: &mut Slab<'_, Link<R>>, id: Id<Link<R>>) {
        let Some(link) = links.get(id) else { return };
        if link.starved {
            self.unlist(links, id);
        } else if link.is_unconfirmed() {
            return;
        }
        self.lists.ready.push_back(links, id);
    }

    /// The link whose turn it is.
    pub(super) fn next(&self) -> Option<Id<Link<R>>> {
        self.lists.ready.front()
    }

    /// A link had its turn.
    pub(super) fn had_turn(&mut self, links: &mut Slab<'_, Link<R>>, id: Id<Link<R>>) {
        self.lists.ready.remove(links, id);
    }

    /// A link waits until a record of a packet in flight is free.
    pub(super) fn starve(&mut self, links: &mut Slab<'_, Link<R>>, id: Id<Link<R>>) {
        if let Some(link) = links.get_mut(id) {
            link.starved = true;
            self.lists.starved.push_back(links, id);
        }
    }

    /// A record of a packet in flight is free: a link that waited for one goes on.
    pub(super) fn feed(&mut self, links: &mut Slab<'_, Link<R>>) {
        if let Some(id) = self.lists.starved.front() {
            self.wake(links, id);
        }
    }

    /// Sends a link's Accept, once more if it went already.
    pub(super) fn send_accept(&mut self, links: &mut Slab<'_, Link<R>>, id: Id<Link<R>>) {
        self.lists.accepted.push_back(links, id);
    }

    /// The next link whose Accept is to be sent.
    pub(super) fn next_accept(&mut self, links: &mut Slab<'_, Link<R>>) -> Option<Id<Link<R>>> {
        self.lists.accepted.pop_front(links)
    }

    /// Holds a link's Ack back, for something to ride along with.
    pub(super) fn hold_ack(&mut self, links: &mut Slab<'_, Link<R>>, id: Id<Link<R>>) {
        self.lists.held.push_back(links, id);
    }

    /// Whatever was sent took the Ack along, or none is owed any more.
    pub(super) fn drop_ack(&mut self, links: &mut Slab<'_, Link<R>>, id: Id<Link<R>>) {
        self.lists.held.remove(links, id);
    }

    /// A link whose Ack has been held back for long enough at `now`.
    pub(super) fn pop_due_ack(
        &mut self,
        links: &mut Slab<'_, Link<R>>,
        now: Instant,
    ) -> Option<Id<Link<R>>> {
        self.ack_deadline(links).filter(|at| *at <= now)?;
        self.lists.held.pop_front(links)
    }

    /// The slot of a link whose deadline has come at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<u32> {
        self.timers.pop_due(now)
    }

    /// Sets when a link must be looked at again.
    pub(super) fn reschedule(
        &mut self,
        links: &mut Slab<'_, Link<R>>,
        id: Id<Link<R>>,
        config: &LinkConfig,
        now: Instant,
    ) {
        let Some(link) = links.get_mut(id) else { return };
        let deadline = link.deadline(config);
        if link.alarm.is_none_or(|set| deadline < set || set <= now) {
            link.alarm = Some(deadline);
            self.timers.set(id.slot(), Some(deadline));
        }
    }

    /// Takes a link off the list of those that send, or wait to.
    pub(super) fn unlist(&mut self, links: &mut Slab<'_, Link<R>>, id: Id<Link<R>>) {
        let Some(link) = links.get_mut(id) else { return };
        let starved = core::mem::take(&mut link.starved);
        let list = if link.is_unconfirmed() {
            &mut self.lists.accepted
        } else if starved {
            &mut self.lists.starved
        } else {
            &mut self.lists.ready
        };
        list.remove(links, id);
    }

    /// A link is about to be removed.
    pub(super) fn forget(&mut self, links: &mut Slab<'_, Link<R>>, id: Id<Link<R>>) {
        self.unlist(links, id);
        self.drop_ack(links, id);
        self.timers.set(id.slot(), None);
    }

    /// When the first Ack that is held back is due.
    fn ack_deadline(&self, links: &Slab<'_, Link<R>>) -> Option<Instant> {
        match &links.get(self.lists.held.front()?)?.phase {
            Phase::Live(flow) => flow.received.deadline(),
            Phase::Unconfirmed { .. } | Phase::Closing { .. } => None,
        }
    }
}
