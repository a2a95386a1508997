//! The handshakes of an endpoint: those that it answers, without memory until an
//! address is proven, and those that it begins.

use core::net::SocketAddr;

use crate::{
    id::{PublicKey, SessionId},
    session::{self, Cookies, Offer, Opened},
    storage::{Id, Node},
    time::Instant,
    wire::{Accept, Hello, HelloTo, Init, MAX_DATAGRAM, Retry, VERSION},
};

use super::{
    credit::Credit,
    dial::{Dial, Whom},
    link::{Flow, Link, Phase, Role},
    links::{Admit, Arrival, Expired, Forge, HOME, LinkConfig, Links, LinksState, UNCONFIRMED},
};

impl<R: Role> Links<'_, R> {
    /// Sets out to reach someone; `None` if there is no room for another handshake.
    pub(crate) fn dial(
        &mut self,
        now: Instant,
        to: SocketAddr,
        whom: Whom,
        purpose: u32,
    ) -> Option<Id<Dial>> {
        let (mut forge, config) = forge(self.state);
        let dial = Dial::new(&mut forge, config, to, whom, purpose);
        let id = self.dials.insert(dial).ok()?;
        self.enlist(id);
        self.call(id, now);
        Some(id)
    }

    /// Gives a try up.
    pub(crate) fn hang_up(&mut self, id: Id<Dial>) {
        if self.dials.get(id).is_some() {
            self.delist(id);
            self.state.due.remove(&mut self.dials, id);
            self.dial_timers.set(id.slot(), None);
            self.dials.remove(id);
        }
    }

    /// The next datagram of a handshake.
    pub(crate) fn next_handshake(
        &mut self,
        scratch: &mut [u8; MAX_DATAGRAM],
    ) -> Option<(SocketAddr, usize)> {
        let suite = self.state.identity.suite();
        while let Some(id) = self.state.accepted.pop_front(&mut self.links) {
            if let Some(Link { phase: Phase::Unconfirmed { memo, .. }, theirs, address, .. }) =
                self.links.get(id)
            {
                let head = Accept { session: *theirs, noise: &mut [] }.encode(scratch).len();
                let length = memo.encode(suite, scratch.get_mut(head..)?)?;
                return Some((*address, head + length));
            }
        }
        let id = self.state.due.pop_front(&mut self.dials)?;
        let dial = self.dials.get_mut(id)?;
        Some((dial.to, dial.encode(scratch).len()))
    }

    /// The proof of address to ask for, of someone who says Hello: nothing is remembered of it.
    pub(super) fn hello(&mut self, now: Instant, from: SocketAddr, hello: Hello) -> Option<Retry> {
        let LinksState { identity, config, cookies, random, drops, .. } = &mut *self.state;
        let ours = match hello.to {
            HelloTo::Server => config.serves,
            HelloTo::Peer { .. } => {
                !config.serves && session::check_hello(identity.suite(), &identity.public(), &hello)
            }
        };
        if !ours {
            drops.unfitting += 1;
            return None;
        }
        let suite = identity.suite();
        let cookie = cookies.cookie(suite, random, now, from, &hello);
        let key = config.serves.then(|| identity.public());
        Some(session::retry(suite, &hello, cookie, key))
    }

    pub(super) fn retry(&mut self, now: Instant, from: SocketAddr, retry: &Retry) {
        let [a, b, c, d, ..] = retry.random;
        let found = self.find_dial(u32::from_le_bytes([a, b, c, d]));
        let peer = found.and_then(|id| self.dials.get(id)?.peer());
        if peer.is_some_and(|peer| self.unconfirmed_of(&peer).is_some()) {
            // That peer's own handshake is about to be through.
            self.state.drops.unfitting += 1;
            return;
        }
        let (mut forge, config) = forge(self.state);
        let credit = config.credit;
        let taken = found
            .and_then(|id| self.dials.get_mut(id))
            .is_some_and(|dial| dial.to == from && dial.retry(&mut forge, retry, credit));
        match found {
            Some(id) if taken => self.call(id, now),
            _ => self.state.drops.unfitting += 1,
        }
    }

    /// Handshake message 1: checks what costs nothing first, and computes a
    /// Diffie-Hellman only for an address that is proven.
    pub(super) fn init(
        &mut self,
        now: Instant,
        from: SocketAddr,
        init: &Init<'_>,
        admit: &mut dyn FnMut(&PublicKey) -> Admit,
    ) {
        let LinksState { identity, cookies, random, config, .. } = &mut *self.state;
        let suite = identity.suite();
        let serves = matches!(init.hello.to, HelloTo::Server);
        let Some(ephemeral) = Opened::ephemeral(init)
            .filter(|_| serves == config.serves && init.hello.version == VERSION)
        else {
            self.state.drops.unfitting += 1;
            return;
        };
        if !cookies.verify(suite, random, now, from, &init.hello, &init.cookie) {
            self.state.drops.unproven += 1;
            return;
        }
        if let Some(id) = self.ephemerals.find(&ephemeral) {
            if self.links.get(id).is_some_and(Link::is_unconfirmed) {
                self.state.accepted.push_back(&mut self.links, id);
            }
            return;
        }
        if !self.ephemerals.make_room(now) {
            self.state.drops.no_room += 1;
            return;
        }
        let key = config.serves.then(|| identity.public());
        let Some(opened) = Opened::open(identity, init, key) else {
            self.state.drops.unauthentic += 1;
            return;
        };
        let (peer, theirs) = (opened.initiator(), opened.offer());
        match admit(&peer) {
            Admit::Yes { dial } if !self.goes_ahead_of(&peer, dial) => {}
            Admit::Yes { .. } | Admit::No => {
                self.state.drops.unfitting += 1;
                return;
            }
        }
        self.forget_unconfirmed(&peer);
        let Some(session) = self.unused_session() else {
            self.state.drops.no_room += 1;
            return;
        };
        let LinksState { identity, random, config, boot, .. } = &mut *self.state;
        let offer = Offer { session, credit: config.credit };
        let accepted = opened.accept(identity, offer, usize::from(init.hello.size), random, *boot);
        let Some((keys, memo)) = accepted else { return };
        let expires = now + UNCONFIRMED;
        let link = Link {
            ours: offer.session,
            theirs: theirs.session,
            peer,
            address: from,
            keys,
            phase: Phase::Unconfirmed { memo, expires },
            datagram: init.hello.size,
            credit: Credit::new(offer.credit, theirs.credit),
            answered: false,
            heard: now,
            asked: now,
            alarm: None,
            ping: false,
            ready: Node::UNLINKED,
            held: Node::UNLINKED,
            starved: false,
            role: R::State::default(),
        };
        let Some(id) = self.add(link) else { return };
        self.state.unconfirmed += 1;
        self.ephemerals.remember(&ephemeral, id, now, Cookies::LIFETIME);
        self.state.accepted.push_back(&mut self.links, id);
    }

    pub(super) fn finish_dial<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        accept: Accept<'_>,
    ) -> Arrival<'d, R> {
        let found = self.find_dial(accept.session.0);
        let identity = &self.state.identity;
        let finished = found.and_then(|id| {
            let dial = self.dials.get(id).filter(|dial| dial.to == from)?;
            let (initiator, peer) = dial.initiator()?;
            let (keys, theirs) = initiator.finish(identity, accept.noise)?;
            Some((id, dial.purpose, dial.datagram(), keys, theirs, peer))
        });
        let Some((dial, purpose, datagram, keys, theirs, peer)) = finished else {
            self.state.drops.unauthentic += 1;
            return Arrival::Nothing;
        };
        let used = self.find(accept.session.0).is_some();
        let room = purpose == HOME && self.state.live < self.live_limit() || self.has_spare();
        if used || !room || self.links.is_full() {
            self.state.drops.no_room += 1;
            return Arrival::Nothing;
        }
        self.hang_up(dial);
        let link = Link {
            ours: accept.session,
            theirs: theirs.session,
            peer,
            address: from,
            keys,
            phase: Phase::Live(Flow::new(self.state.config.initial_rtt, datagram)),
            datagram,
            credit: Credit::new(self.state.config.credit, theirs.credit),
            answered: false,
            heard: now,
            asked: now,
            alarm: None,
            // The responder waits for a packet before it sends any.
            ping: true,
            ready: Node::UNLINKED,
            held: Node::UNLINKED,
            starved: false,
            role: R::State::default(),
        };
        let Some(id) = self.add(link) else { return Arrival::Nothing };
        self.state.live += 1;
        self.wake(id);
        Arrival::Established { link: id, purpose }
    }

    pub(super) fn unanswered(&mut self, slot: u32, now: Instant) -> Expired<R> {
        let Some(id) = self.dials.id_at(slot) else { return Expired::Nothing };
        self.delist(id);
        let (mut forge, config) = forge(self.state);
        let Some(dial) = self.dials.get_mut(id) else { return Expired::Nothing };
        dial.again(&mut forge, config);
        let told = Expired::Unanswered {
            dial: id,
            purpose: dial.purpose,
            tries: dial.tries(),
            wrong_key: dial.wrong_key,
        };
        self.enlist(id);
        self.call(id, now);
        told
    }

    /// Sends what a dial has to send now, and waits for the answer.
    fn call(&mut self, id: Id<Dial>, now: Instant) {
        let Some(dial) = self.dials.get(id) else { return };
        let deadline = now + dial.patience(&self.state.config);
        self.dial_timers.set(id.slot(), Some(deadline));
        self.state.due.push_back(&mut self.dials, id);
    }

    fn find_dial(&self, session: u32) -> Option<Id<Dial>> {
        let first = self.links.capacity() as u32;
        let id_at = |slot: u32| slot.checked_sub(first).and_then(|slot| self.dials.id_at(slot));
        let slot = self.by_session.find(&session.to_le_bytes(), |slot| {
            id_at(slot)
                .and_then(|id| self.dials.get(id))
                .is_some_and(|dial| dial.session().0 == session)
        })?;
        id_at(slot)
    }

    fn enlist(&mut self, id: Id<Dial>) {
        let first = self.links.capacity() as u32;
        if let Some(dial) = self.dials.get(id) {
            let name = dial.session().0.to_le_bytes();
            let indexed = self.by_session.insert(&name, first + id.slot());
            debug_assert!(indexed, "the index has more buckets than there are links and dials");
        }
    }

    fn delist(&mut self, id: Id<Dial>) {
        let Some(dial) = self.dials.get(id) else { return };
        let name = dial.session().0.to_le_bytes();
        let first = self.links.capacity() as u32;
        let (links, dials) = (&self.links, &self.dials);
        self.by_session.remove(&name, first + id.slot(), |slot| {
            let session = match slot.checked_sub(first) {
                None => links.get(links.id_at(slot)?)?.ours,
                Some(slot) => dials.get(dials.id_at(slot)?)?.session(),
            };
            Some(session.0.to_le_bytes())
        });
    }

    /// A session id for a link that is to be confirmed; `None` if there is no room for
    /// it, or, as good as never, if luck gives none but used ids.
    fn unused_session(&mut self) -> Option<SessionId> {
        if self.state.unconfirmed >= self.unconfirmed_limit() || self.links.is_full() {
            return None;
        }
        (0..8).find_map(|_| {
            let id = self.state.random.u32();
            self.find(id).is_none().then_some(SessionId(id))
        })
    }

    /// There is one unconfirmed session a key: the newest.
    fn forget_unconfirmed(&mut self, peer: &PublicKey) {
        if let Some(id) = self.unconfirmed_of(peer) {
            self.remove(id);
        }
    }

    /// The session that a peer began and has not confirmed yet.
    fn unconfirmed_of(&self, peer: &PublicKey) -> Option<Id<Link<R>>> {
        self.link_where(peer, Link::is_unconfirmed)
    }

    /// Of two peers that begin a handshake at once, the lower key's goes on: this side's, if
    /// it is `dial` and known to get through, until the peer is known to have the session.
    fn goes_ahead_of(&self, peer: &PublicKey, dial: Option<Id<Dial>>) -> bool {
        let answered = |dial: &Dial| dial.initiator().is_some();
        self.state.identity.public() < *peer
            && (dial.and_then(|id| self.dials.get(id)).is_some_and(answered)
                || self.link_where(peer, |link| link.is_live() && !link.answered).is_some())
    }

    fn link_where(&self, peer: &PublicKey, is: impl Fn(&Link<R>) -> bool) -> Option<Id<Link<R>>> {
        let slot = self.by_key.find(&peer.0, |slot| {
            let link = self.links.id_at(slot).and_then(|id| self.links.get(id));
            link.is_some_and(|link| link.peer == *peer && is(link))
        })?;
        self.links.id_at(slot)
    }
}

fn forge<R: Role>(state: &mut LinksState<R>) -> (Forge<'_>, &LinkConfig) {
    let LinksState { identity, random, boot, config, .. } = state;
    (Forge { identity, random, boot: *boot }, config)
}
