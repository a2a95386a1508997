//! All links of one endpoint, and the handshakes that lead to them: finds the
//! one that a datagram is for, in the fixed order of PROTOCOL §4, and moves no
//! state for one that does not authenticate.

use core::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use crate::{
    id::{PublicKey, SessionId},
    random::{Random, Seed},
    rate::Meter,
    session::{Cookies, INIT_NOISE, Identity, OpenError, Opened},
    storage::{Id, List, Slab},
    time::Instant,
    violation::Violation,
    wire::{
        Accept, Ack, CloseReason, Datagram, DatagramError, Hello, Init, MAX_DATAGRAM, MIN_DATAGRAM,
        PacketHeader, Retry, SMALLEST_ROOM,
    },
};

use super::{
    Fate, Timeout,
    config::{LinkConfig, Local},
    credit::Credit,
    initiator::{Finished, OutgoingHandshakes, Unanswered},
    link::{EphemeralName, Flow, Link, Phase, Role, SentFrame},
    outgoing::{DueList, OutgoingHandshake, Target, offer},
    packet::Packet,
    prefixes::Peers,
    recovery::{Invalid, Sent},
    rekeying::Rekeying,
    responder::{Responder, UNCONFIRMED},
    schedule::{Lists, Schedule},
    statistics::{Dropped, Fill, Statistics},
    table::{Counts, Table},
};

/// How long a closed link still answers what comes with the reason.
const CLOSING: Duration = Duration::from_secs(3);

/// Links that one key may have in each phase: more than one that begins anew, and anew before the
/// last try is over. What is beyond takes the place of the oldest.
const UNCONFIRMED_A_KEY: u32 = 3;
const LIVE_A_KEY: u32 = 4;
const CLOSING_A_KEY: u32 = 4;

/// After so long a handshake that is not confirmed gives way to another one: most round trips take
/// less.
const STALE: Duration = Duration::from_secs(1);

/// Probes without an answer, and silence beside them, that end a link.
const DEAD_PROBES: u32 = 5;
const DEAD_SILENCE: Duration = Duration::from_secs(10);

/// What the links of an endpoint remember beside their tables.
#[derive(Debug)]
pub(crate) struct LinksState<R: Role> {
    pub(super) local: Local,
    pub(super) config: LinkConfig,
    pub(super) statistics: Statistics,
    pub(super) cookies: Cookies,
    pub(super) lists: Lists<R>,
    pub(super) due: DueList,
    pub(super) counts: Counts,
    pub(super) closing: List<Link<R>, Peers>,
    /// Handshakes that anyone may begin.
    pub(super) spare: Meter,
}

impl<R: Role> LinksState<R> {
    pub(crate) fn new(
        identity: Identity,
        mut random: Random,
        boot: u64,
        config: LinkConfig,
        now: Instant,
    ) -> Self {
        let cookies = Cookies::new(&mut random, now);
        Self {
            local: Local { identity, random, boot },
            config,
            statistics: Statistics::default(),
            cookies,
            lists: Lists::NEW,
            due: DueList::NEW,
            counts: Counts::default(),
            closing: List::NEW,
            spare: Meter::FULL,
        }
    }

    /// Who this endpoint is.
    pub(crate) fn identity(&self) -> &Identity {
        &self.local.identity
    }

    /// Random bytes were drawn since the last seed.
    pub(crate) fn wants_seed(&self) -> bool {
        self.local.random.is_drawn_from()
    }

    /// Mixes in a fresh seed.
    pub(crate) fn reseed(&mut self, seed: Seed) {
        self.local.random.reseed(seed);
    }

    /// Grants so many bytes of entries in the sessions that begin from now on.
    #[cfg(test)]
    pub(crate) fn set_credit(&mut self, credit: u32) {
        self.config.credit.bytes = credit;
    }

    /// Its source of randomness begins anew.
    #[cfg(test)]
    pub(super) fn set_random(&mut self, random: Random) {
        self.local.random = random;
    }
}

/// All links of one endpoint.
pub(crate) struct Links<'a, R: Role> {
    pub(super) local: &'a mut Local,
    pub(super) config: &'a LinkConfig,
    pub(super) statistics: &'a mut Statistics,
    pub(super) table: Table<'a, R>,
    pub(super) schedule: Schedule<'a, R>,
    pub(super) outgoing: OutgoingHandshakes<'a>,
    pub(super) responder: Responder<'a>,
    pub(super) sent: Slab<'a, Sent<SentFrame<R::Token>>>,
}

/// What a role says of someone who begins a session.
pub(crate) enum Admit {
    /// It wants none with them.
    No,
    /// It wants one, and may be about to reach them itself.
    Yes { outgoing: Option<Id<OutgoingHandshake>> },
}

/// What a datagram brought.
pub(crate) enum Arrival<'d, R: Role> {
    /// Nothing that concerns the role.
    Nothing,
    /// A Retry for whom it came from, written over it.
    Reply(&'d [u8]),
    /// An opened packet. It counts as received once [`Links::accept`] says so.
    Packet {
        link: Id<Link<R>>,
        number: u64,
        /// It is the first of a session that the other side began.
        confirmed: bool,
        plaintext: &'d mut [u8],
    },
    /// A handshake of ours is through.
    Established { link: Id<Link<R>>, target: Target },
}

/// What a deadline brought.
pub(crate) enum Expired<R: Role> {
    /// Nothing that concerns the role.
    Nothing,
    /// A probe goes out: the other side is silent.
    Probing(Id<Link<R>>),
    /// A link has been silent for too long.
    Dead(Id<Link<R>>),
    /// A try to reach someone got no answer.
    Unanswered(Unanswered),
}

/// A link that may send, and the packet to write into if it may now.
pub(crate) type Begun<'b, R> = (Id<Link<R>>, Option<Packet<'b, R>>);

/// What becomes of what a packet carried, told to the role.
pub(crate) type Visit<'v, R> = &'v mut dyn FnMut(&mut <R as Role>::State, <R as Role>::Token, Fate);

impl<'a, R: Role> Links<'a, R> {
    pub(crate) fn get(&self, id: Id<Link<R>>) -> Option<&Link<R>> {
        self.table.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: Id<Link<R>>) -> Option<&mut Link<R>> {
        self.table.get_mut(id)
    }

    /// What the role's own lists of links are threaded through.
    pub(crate) fn slab_mut(&mut self) -> &mut Slab<'a, Link<R>> {
        self.table.slab_mut()
    }

    /// Who this endpoint is.
    pub(crate) fn identity(&self) -> &Identity {
        &self.local.identity
    }

    /// Who this endpoint is, and its source of randomness.
    pub(crate) fn identity_and_random(&mut self) -> (&Identity, &mut Random) {
        (&self.local.identity, &mut self.local.random)
    }

    /// There is room for a live link beside those that are reserved.
    pub(crate) fn has_spare(&self) -> bool {
        self.table.has_room_for_live(self.config.reserved)
    }

    /// How many more handshakes can be begun.
    pub(crate) fn room_for_handshakes(&self) -> usize {
        self.outgoing.room()
    }

    /// What was counted, and how full the tables are.
    pub(crate) fn statistics(&self) -> Statistics {
        let links = self.table.slab();
        Statistics {
            links: Fill { used: links.len(), capacity: links.capacity() },
            outgoing_handshakes: self.outgoing.fill(),
            packets_in_flight: Fill { used: self.sent.len(), capacity: self.sent.capacity() },
            ..*self.statistics
        }
    }

    /// Where what happens is counted.
    pub(crate) fn counters(&mut self) -> &mut Statistics {
        self.statistics
    }

    /// Sets out to reach someone; `None` if there is no room for another handshake.
    pub(crate) fn begin_handshake(
        &mut self,
        now: Instant,
        to: SocketAddr,
        target: Target,
    ) -> Option<Id<OutgoingHandshake>> {
        let begun = self.outgoing.begin(self.local, self.config, now, to, target)?;
        self.statistics.handshakes.begun += 1;
        Some(begun)
    }

    /// Gives a handshake up.
    pub(crate) fn end_handshake(&mut self, id: Id<OutgoingHandshake>) {
        self.outgoing.end(id);
    }

    /// Takes a datagram in. `admit` says with whom this endpoint begins a session.
    pub(crate) fn receive<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'d mut [u8],
        admit: &mut dyn FnMut(&PublicKey) -> Admit,
    ) -> Arrival<'d, R> {
        self.statistics.datagrams_received += 1;
        let at = (now, from);
        let arrival = if let Some(hello) = Hello::parse(datagram) {
            let retry = self.responder.hello(self.local, self.config, at, &hello);
            retry.map(|retry| {
                self.statistics.datagrams_sent += 1;
                Arrival::Reply(retry.encode_over(datagram))
            })
        } else {
            match Datagram::parse(datagram) {
                Ok(Datagram::Packet(header, sealed)) => self.packet(now, header, sealed),
                Ok(Datagram::Retry(retry)) => self.retry(at, &retry).map(|()| Arrival::Nothing),
                Ok(Datagram::Init(init)) => self.init(at, &init, admit).map(|()| Arrival::Nothing),
                Ok(Datagram::Accept(accept)) => self.establish(at, accept),
                Ok(Datagram::Hello(_)) | Err(DatagramError::Length | DatagramError::Type) => {
                    Err(Dropped::Malformed)
                }
            }
        };
        arrival.unwrap_or_else(|why| {
            self.statistics.dropped.count(why);
            Arrival::Nothing
        })
    }

    /// The packet's content was taken in whole: acknowledge it.
    pub(crate) fn accept(&mut self, id: Id<Link<R>>, number: u64, eliciting: bool, now: Instant) {
        let Some(Link { phase: Phase::Live(flow), .. }) = self.table.get_mut(id) else { return };
        flow.received.packet(number, eliciting, now);
        flow.packets_received += 1;
        match flow.received.deadline() {
            Some(due) if due <= now => self.wake(id),
            Some(_) => self.schedule.hold_ack(self.table.slab_mut(), id),
            None => {}
        }
        self.reschedule(id, now);
    }

    /// The other side's Ack.
    ///
    /// # Errors
    /// It acknowledges what was never sent.
    pub(crate) fn acknowledged(
        &mut self,
        id: Id<Link<R>>,
        ack: &Ack,
        now: Instant,
        visit: Visit<'_, R>,
    ) -> Result<(), Violation> {
        let Some(Link { phase: Phase::Live(flow), credit, role, keys, rekeying, .. }) =
            self.table.get_mut(id)
        else {
            return Ok(());
        };
        if flow.skips.is_told_of(ack) {
            return Err(Violation::AckOfSkipped);
        }
        let next = keys.seal.next();
        let visit = &mut |frame, fate| settle::<R>(frame, fate, (credit, rekeying), role, visit);
        let valid = flow.recovery.ack(&mut self.sent, ack, now, next, visit);
        self.wake(id);
        self.feed();
        self.reschedule(id, now);
        valid.map(drop).map_err(|Invalid| Violation::AckOfUnsent)
    }

    /// Lets a link send what it has, in its turn.
    pub(crate) fn wake(&mut self, id: Id<Link<R>>) {
        self.schedule.wake(self.table.slab_mut(), id);
    }

    /// What packets under way carried is the role's no longer: it hears no more of it.
    pub(crate) fn disown(&mut self, id: Id<Link<R>>) {
        let Some(Link { phase: Phase::Live(flow), credit, rekeying, role, .. }) =
            self.table.get_mut(id)
        else {
            return;
        };
        let visit = &mut |frame, fate| {
            settle::<R>(frame, fate, (&mut *credit, &mut *rekeying), role, &mut |_, _, _| {});
        };
        flow.recovery.clear(&mut self.sent, visit);
        self.feed();
    }

    /// Someone new from this address may be taken in: its prefix can have `burst` at once, and then
    /// one in each `interval`.
    pub(crate) fn allows_newcomer(
        &mut self,
        now: Instant,
        from: IpAddr,
        burst: u32,
        interval: Duration,
    ) -> bool {
        let allowed = self.table.allows_newcomer(now, from, burst, interval);
        self.statistics.newcomers_refused += u64::from(!allowed);
        allowed
    }

    /// Ends a link, telling the other side why. What the role kept there comes back.
    pub(crate) fn close(
        &mut self,
        id: Id<Link<R>>,
        reason: CloseReason,
        now: Instant,
    ) -> Option<R::State> {
        // Who is displaced must not come back for want of an answer.
        let span = if reason == CloseReason::Displaced { self.config.idle } else { CLOSING };
        let over = Phase::Closing { reason, owed: true, until: now + span };
        let before = self.table.enter(id, over)?;
        self.table.get_mut(id)?.rekeying.stop();
        if let Phase::Live(mut flow) = before {
            flow.recovery.clear(&mut self.sent, &mut |_, _| {});
        }
        let role = core::mem::take(&mut self.table.get_mut(id)?.role);
        self.schedule.drop_ack(self.table.slab_mut(), id);
        self.wake(id);
        self.feed();
        self.reschedule(id, now);
        Some(role)
    }

    /// Ends a link without a word.
    pub(crate) fn remove(&mut self, id: Id<Link<R>>) -> Option<R::State> {
        self.schedule.forget(self.table.slab_mut(), id);
        let mut link = self.table.remove(id)?;
        if let Phase::Live(flow) = &mut link.phase {
            flow.recovery.clear(&mut self.sent, &mut |_, _| {});
        }
        self.feed();
        Some(link.role)
    }

    /// The earliest deadline of any link or handshake.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let links = self.schedule.deadline(self.table.slab());
        links.into_iter().chain(self.outgoing.deadline()).min()
    }

    /// Something is to be sent.
    pub(crate) fn is_owing(&self) -> bool {
        self.schedule.is_owing() || self.outgoing.is_owing()
    }

    /// Handles one deadline that is due at `now`; `None` when there is no more.
    pub(crate) fn timeout(&mut self, now: Instant, visit: Visit<'_, R>) -> Option<Expired<R>> {
        if let Some(unanswered) = self.outgoing.timeout(self.local, self.config, now) {
            return Some(Expired::Unanswered(unanswered));
        }
        if let Some(id) = self.schedule.pop_due_ack(self.table.slab_mut(), now) {
            self.wake(id);
            return Some(Expired::Nothing);
        }
        let slot = self.schedule.pop_due(now)?;
        let Some(id) = self.table.id_at(slot) else { return Some(Expired::Nothing) };
        Some(self.link_timeout(id, now, visit))
    }

    /// The next datagram of a handshake: to whom, and its length in `scratch`.
    pub(crate) fn next_handshake(
        &mut self,
        scratch: &mut [u8; MAX_DATAGRAM],
    ) -> Option<(SocketAddr, usize)> {
        let next = self.next_accept(scratch).or_else(|| self.outgoing.next_datagram(scratch))?;
        self.statistics.datagrams_sent += 1;
        Some(next)
    }

    /// The next link that has something to send, and a packet to write it into.
    pub(crate) fn begin<'b>(
        &mut self,
        now: Instant,
        scratch: &'b mut [u8; MAX_DATAGRAM],
    ) -> Option<Begun<'b, R>> {
        let id = self.schedule.next()?;
        let link = self.table.get_mut(id)?;
        let own = (&mut *self.local, self.config);
        Some((id, Packet::begin(link, &self.sent, own, now, scratch)))
    }

    /// Seals what [`Self::begin`] began. A link with nothing more to send leaves the list;
    /// one that had something goes to its end.
    pub(crate) fn finish(
        &mut self,
        id: Id<Link<R>>,
        packet: Option<Packet<'_, R>>,
        now: Instant,
    ) -> Option<(SocketAddr, usize)> {
        let Local { identity, random, .. } = &mut *self.local;
        let seal = (identity.suite(), random);
        self.schedule.had_turn(self.table.slab_mut(), id);
        let link = self.table.get_mut(id)?;
        // Whoever had room for any frame had no more to write.
        let more = packet.as_ref().is_some_and(|packet| packet.room() < SMALLEST_ROOM);
        let sent = packet.and_then(|packet| packet.finish(link, &mut self.sent, seal, now));
        let (live, owes_credit) = (link.is_live(), link.credit.is_owed());
        if sent.is_some() && live && (more || owes_credit) {
            self.wake(id);
        } else if self.sent.is_full() && live {
            self.schedule.starve(self.table.slab_mut(), id);
        }
        if sent.is_some() {
            self.statistics.datagrams_sent += 1;
            self.schedule.drop_ack(self.table.slab_mut(), id);
        }
        self.reschedule(id, now);
        sent
    }

    fn retry(&mut self, at: (Instant, SocketAddr), retry: &Retry) -> Result<(), Dropped> {
        let id = self.outgoing.of_retry(retry).ok_or(Dropped::Unfitting)?;
        if let Some(Target::Peer(peer)) = self.outgoing.get(id).map(|found| found.target)
            && self.table.unconfirmed_of(&peer).is_some()
        {
            // That peer's own handshake is about to be through.
            return Err(Dropped::Unfitting);
        }
        self.outgoing.retry(self.local, self.config, at, id, retry)
    }

    fn init(
        &mut self,
        (now, from): (Instant, SocketAddr),
        init: &Init<'_>,
        admit: &mut dyn FnMut(&PublicKey) -> Admit,
    ) -> Result<(), Dropped> {
        let at = (now, from);
        let ephemeral = self.responder.check(self.local, self.config, at, init)?;
        if let Some(id) = self.table.by_ephemeral(&ephemeral) {
            if let Some(Link { phase: Phase::Unconfirmed { allowance, .. }, .. }) =
                self.table.get_mut(id)
            {
                *allowance = allowance.saturating_add(Init::length(INIT_NOISE) as u32);
                self.schedule.send_accept(self.table.slab_mut(), id);
            }
            return Ok(());
        }
        if !self.table.allows_handshake(now, from.ip()) {
            return Err(Dropped::Throttled);
        }
        let opened = Responder::open(self.local, self.config, init)?;
        let accepted = self.accept_handshake(at, init.hello.size, (opened, ephemeral), admit);
        match accepted {
            Ok(id) => {
                self.statistics.handshakes.accepted += 1;
                self.schedule.send_accept(self.table.slab_mut(), id);
                Ok(())
            }
            Err(why) => {
                self.statistics.handshakes.refused += 1;
                Err(why)
            }
        }
    }

    /// A session with the initiator of a handshake, to be confirmed.
    fn accept_handshake(
        &mut self,
        (now, from): (Instant, SocketAddr),
        size: u16,
        (opened, ephemeral): (Opened, EphemeralName),
        admit: &mut dyn FnMut(&PublicKey) -> Admit,
    ) -> Result<Id<Link<R>>, Dropped> {
        let (peer, theirs) = (opened.initiator(), opened.offer());
        match admit(&peer) {
            Admit::Yes { outgoing } if !self.goes_ahead_of(&peer, outgoing) => {}
            Admit::Yes { .. } | Admit::No => return Err(Dropped::Unfitting),
        }
        self.make_room_for_unconfirmed(now, &peer, from.ip());
        let session = self.unused_session().ok_or(Dropped::NoRoom)?;
        let Local { identity, random, boot } = &mut *self.local;
        let ours = offer(session, self.config.credit);
        let accepted = opened.accept(identity, ours, usize::from(size), random, *boot);
        let (keys, memo) = accepted.ok_or(Dropped::Unauthentic)?;
        // The Hello, of that size, paid for the first Accept; one more is for free, since either may
        // get lost. What goes beyond is paid for by repetitions of the Init.
        let allowance = 2 * u32::from(size);
        let phase = Phase::Unconfirmed { memo, expires: now + UNCONFIRMED, allowance };
        let keys = (keys, now + self.config.rekey.least);
        let mut link = Link::new([ours, theirs], (peer, from), keys, phase, size, now);
        link.ephemeral = Some(ephemeral);
        let id = self.table.add(link).ok_or(Dropped::NoRoom)?;
        self.reschedule(id, now);
        Ok(id)
    }

    fn establish<'d>(
        &mut self,
        (now, from): (Instant, SocketAddr),
        mut accept: Accept<'_>,
    ) -> Result<Arrival<'d, R>, Dropped> {
        let finished = self.outgoing.accept(self.local, from, &mut accept);
        let Finished { handshake, target, peer, keys, theirs, datagram } =
            finished.ok_or(Dropped::Unauthentic)?;
        let reserved = if matches!(target, Target::Server(_)) { 0 } else { self.config.reserved };
        let used = self.table.by_session(accept.session).is_some();
        if used || !self.table.has_room_for_live(reserved) || self.table.is_full() {
            return Err(Dropped::NoRoom);
        }
        self.outgoing.end(handshake);
        let ours = offer(accept.session, self.config.credit);
        let phase =
            Phase::Live(Flow::new(self.config.initial_rtt, datagram, &mut self.local.random));
        let rekey_at = Rekeying::due(&self.config.rekey, &mut self.local.random, now);
        let keys = (keys, rekey_at);
        let mut link = Link::new([ours, theirs], (peer, from), keys, phase, datagram, now);
        // The responder waits for a packet before it sends any.
        link.ping = true;
        let id = self.table.add(link).ok_or(Dropped::NoRoom)?;
        self.reschedule(id, now);
        self.statistics.handshakes.completed += 1;
        self.wake(id);
        Ok(Arrival::Established { link: id, target })
    }

    fn packet<'d>(
        &mut self,
        now: Instant,
        header: PacketHeader,
        sealed: &'d mut [u8],
    ) -> Result<Arrival<'d, R>, Dropped> {
        let id = self.table.by_session(header.session).ok_or(Dropped::NoSession)?;
        let suite = self.local.identity.suite();
        let link = self.table.get_mut(id).ok_or(Dropped::NoSession)?;
        let plaintext = link.open(suite, header, sealed, now).map_err(|error| match error {
            OpenError::Replayed => Dropped::Replayed,
            OpenError::Unauthentic => Dropped::Unauthentic,
        })?;
        (link.heard, link.answered) = (now, true);
        let datagram = link.datagram;
        if let Phase::Closing { owed, .. } = &mut link.phase {
            *owed = true;
            self.wake(id);
            return Ok(Arrival::Nothing);
        }
        let confirmed = link.is_unconfirmed();
        if confirmed {
            self.schedule.unlist(self.table.slab_mut(), id);
            if !self.make_room_for_live(id, now) {
                self.close(id, CloseReason::Full, now);
                return Err(Dropped::NoRoom);
            }
            let flow = Flow::new(self.config.initial_rtt, datagram, &mut self.local.random);
            self.table.enter(id, Phase::Live(flow));
            self.statistics.handshakes.completed += 1;
        }
        self.reschedule(id, now);
        Ok(Arrival::Packet { link: id, number: header.counter, confirmed, plaintext })
    }

    fn link_timeout(&mut self, id: Id<Link<R>>, now: Instant, visit: Visit<'_, R>) -> Expired<R> {
        let LinkConfig { idle, keep_alive, .. } = *self.config;
        let Some(link) = self.table.get_mut(id) else { return Expired::Nothing };
        link.alarm = None;
        let over = match &link.phase {
            Phase::Unconfirmed { expires, .. } => *expires <= now,
            Phase::Closing { until, .. } => *until <= now,
            Phase::Live(_) => false,
        };
        if over {
            self.remove(id);
            return Expired::Nothing;
        }
        if link.evicted {
            return Expired::Dead(id);
        }
        let silence = now.since(link.heard);
        let probes = link.probes();
        let is_initiator = link.is_initiator();
        let Link { phase: Phase::Live(flow), credit, role, datagram, keys, rekeying, .. } = link
        else {
            self.reschedule(id, now);
            return Expired::Nothing;
        };
        if silence >= idle
            || (probes >= DEAD_PROBES && silence >= DEAD_SILENCE)
            || flow.give_up_at(idle).is_some_and(|at| at <= now)
        {
            return Expired::Dead(id);
        }
        let rekey = (&self.config.rekey, &mut self.local.random);
        rekeying.advance(keys, is_initiator, rekey, now);
        let mut probing = false;
        if flow.recovery.deadline().is_some_and(|at| at <= now) {
            let visit =
                &mut |frame, fate| settle::<R>(frame, fate, (credit, rekeying), role, visit);
            if flow.recovery.timeout(&mut self.sent, now, visit) == Timeout::Probe {
                probing = true;
                // What keeps getting lost may be too large for the path (RFC 8899 §4.3).
                if probes >= 1 {
                    *datagram = MIN_DATAGRAM as u16;
                    flow.recovery.set_datagram(MIN_DATAGRAM);
                }
            }
        }
        if keep_alive.is_some_and(|span| link.asked + span <= now) {
            link.ping = true;
        }
        self.wake(id);
        self.feed();
        self.reschedule(id, now);
        if probing { Expired::Probing(id) } else { Expired::Nothing }
    }

    /// The next Accept to send.
    fn next_accept(&mut self, scratch: &mut [u8; MAX_DATAGRAM]) -> Option<(SocketAddr, usize)> {
        let suite = self.local.identity.suite();
        while let Some(id) = self.schedule.next_accept(self.table.slab_mut()) {
            let Some(link) = self.table.get_mut(id) else { continue };
            let Phase::Unconfirmed { memo, allowance, .. } = &mut link.phase else { continue };
            let head = Accept { session: link.theirs, noise: &mut [] }.encode(scratch).len();
            let length = head + memo.encode(suite, scratch.get_mut(head..)?)?;
            if let Some(rest) = allowance.checked_sub(length as u32) {
                *allowance = rest;
                return Some((link.address, length));
            }
        }
        None
    }

    pub(super) fn reschedule(&mut self, id: Id<Link<R>>, now: Instant) {
        self.schedule.reschedule(self.table.slab_mut(), id, self.config, now);
    }

    /// Records of packets in flight may be free again.
    fn feed(&mut self) {
        if !self.sent.is_full() {
            self.schedule.feed(self.table.slab_mut());
        }
    }

    /// Lets links give way to one that is to be confirmed: older ones with the same peer, where there
    /// are too many, and one of the source prefix that has the most, or one that had its time, or of
    /// the same peer, when there is no more room.
    fn make_room_for_unconfirmed(&mut self, now: Instant, peer: &PublicKey, from: IpAddr) {
        for (is, most) in [
            (Link::is_unconfirmed as fn(&Link<R>) -> bool, UNCONFIRMED_A_KEY),
            (|link| link.kind().is_none(), CLOSING_A_KEY),
        ] {
            if let (count, Some(oldest)) = self.table.oldest_with(peer, is)
                && count >= most
            {
                self.remove(oldest);
            }
        }
        if self.table.is_full()
            && let Some(oldest) = self.table.oldest_closing()
        {
            self.remove(oldest);
        }
        if !self.table.has_room_for_unconfirmed() {
            let heaviest = self.table.heaviest_unconfirmed(now, from);
            let stale = || self.table.stale(now, STALE);
            let own = || self.table.oldest_with(peer, Link::is_unconfirmed).1;
            if let Some(id) = heaviest.or_else(stale).or_else(own) {
                self.statistics.evicted += 1;
                self.remove(id);
            }
        }
    }

    /// Lets links give way to one that is confirmed now, as [`Self::make_room_for_unconfirmed`]
    /// does; `false` if there is no room all the same.
    fn make_room_for_live(&mut self, id: Id<Link<R>>, now: Instant) -> bool {
        let Some(peer) = self.table.get(id).map(|link| link.peer) else { return false };
        let (count, oldest) = self.table.oldest_with(&peer, |link| link.is_live() && !link.evicted);
        if count >= LIVE_A_KEY
            && let Some(oldest) = oldest
        {
            self.evict(oldest, now);
            return true;
        }
        if self.has_spare() {
            return true;
        }
        let heaviest = self.table.heaviest_live(now, id);
        if let Some(heaviest) = heaviest {
            self.evict(heaviest, now);
        }
        heaviest.is_some()
    }

    /// Ends a live link when deadlines are looked at the next time, so that its role hears of it.
    fn evict(&mut self, id: Id<Link<R>>, now: Instant) {
        self.table.evict(id);
        if let Some(link) = self.table.get_mut(id) {
            (link.evicted, link.alarm) = (true, None);
            self.statistics.evicted += 1;
        }
        self.reschedule(id, now);
    }

    /// A session id for a link that is to be confirmed; `None` if there is no room for
    /// it, or, as good as never, if luck gives none but used ids.
    fn unused_session(&mut self) -> Option<SessionId> {
        if !self.table.has_room_for_unconfirmed() {
            return None;
        }
        (0..8).find_map(|_| {
            let id = SessionId(self.local.random.u32());
            self.table.by_session(id).is_none().then_some(id)
        })
    }

    /// Of two peers that begin a handshake at once, the lower key's goes on: this side's, if
    /// it is `outgoing` and known to get through, until the peer is known to have the session.
    fn goes_ahead_of(&self, peer: &PublicKey, outgoing: Option<Id<OutgoingHandshake>>) -> bool {
        let answered = |found: &OutgoingHandshake| found.initiator().is_some();
        self.local.identity.public() < *peer
            && (outgoing.and_then(|id| self.outgoing.get(id)).is_some_and(answered)
                || self.table.by_key(peer, |link| link.is_live() && !link.answered).is_some())
    }
}

/// Keeps what is the link's own, and tells the role the rest.
fn settle<R: Role>(
    frame: SentFrame<R::Token>,
    fate: Fate,
    (credit, rekeying): (&mut Credit, &mut Rekeying),
    role: &mut R::State,
    visit: Visit<'_, R>,
) {
    match (frame, fate) {
        (SentFrame::Credit, Fate::Lost) => credit.forget_announcement(),
        (SentFrame::Credit, Fate::Acked) => {}
        (SentFrame::Rekey, fate) => rekeying.settle(fate),
        (SentFrame::Role(token), fate) => visit(role, token, fate),
    }
}
