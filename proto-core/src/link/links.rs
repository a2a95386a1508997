//! All links of one endpoint, and the handshakes that lead to them: finds the
//! one that a datagram is for, in the fixed order of PROTOCOL §4, and moves no
//! state for one that does not authenticate.

use core::{net::SocketAddr, time::Duration};

use crate::{
    id::PublicKey,
    random::Random,
    session::{Cookies, Identity, OpenError},
    storage::{Id, Index, List, Slab},
    time::Instant,
    timers::Timers,
    wire::{
        Ack, CloseReason, Datagram, DatagramError, Hello, MAX_DATAGRAM, MIN_DATAGRAM, PacketHeader,
        SMALLEST_ROOM,
    },
};

use super::{
    Fate, Timeout,
    credit::Credit,
    dial::{Dial, DueList},
    ephemerals::Ephemerals,
    link::{Carry, Flow, Held, Link, Phase, Ready, Role},
    packet::Packet,
    recovery::Sent,
};

/// How long a closed link still answers what comes with the reason.
const CLOSING: Duration = Duration::from_secs(3);

/// How long an accepted handshake waits for its initiator's first packet.
pub(super) const UNCONFIRMED: Duration = Duration::from_secs(15);

/// Handshakes that wait to be confirmed at most: more than a second's worth of them.
const MAX_UNCONFIRMED: usize = 4096;

/// Probes without an answer, and silence beside them, that end a link.
const DEAD_PROBES: u32 = 5;
const DEAD_SILENCE: Duration = Duration::from_secs(10);

/// The purpose of a dial that reserved links are for.
pub(crate) const HOME: u32 = 0;

/// What links go by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkConfig {
    /// The round-trip time assumed before the first sample.
    pub(crate) initial_rtt: Duration,
    /// Something is sent at least this often, if set.
    pub(crate) keep_alive: Option<Duration>,
    /// Silence that ends a link.
    pub(crate) idle: Duration,
    /// The datagram size asked for.
    pub(crate) datagram: u16,
    /// Bytes of entries that the other side may send ahead.
    pub(crate) credit: u32,
    /// The longest wait between two tries to reach someone.
    pub(crate) dial_cap: Duration,
    /// Live links that are left for those this side begins with [`HOME`] as their purpose.
    pub(crate) reserved: u32,
    /// This endpoint answers a server's Hello rather than a peer's.
    pub(crate) serves: bool,
}

/// Why datagrams were dropped, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drops {
    /// No datagram of this protocol.
    pub malformed: u64,
    /// A Hello, Retry or handshake that was not for this endpoint, or damaged.
    pub unfitting: u64,
    /// A proof of address that is wrong or old.
    pub unproven: u64,
    /// A packet for no session.
    pub no_session: u64,
    /// A packet that came before.
    pub replayed: u64,
    /// A packet or handshake that does not authenticate.
    pub unauthentic: u64,
    /// A handshake or entry that there was no room for.
    pub no_room: u64,
}

/// What the table remembers beside its slices.
#[derive(Debug)]
pub(crate) struct LinksState<R: Role> {
    pub(crate) identity: Identity,
    pub(crate) random: Random,
    pub(crate) boot: u64,
    pub(crate) config: LinkConfig,
    pub(crate) drops: Drops,
    pub(super) cookies: Cookies,
    ready: List<Link<R>, Ready>,
    starved: List<Link<R>, Ready>,
    /// Links whose Ack is held back, all for as long, and so in the order of their due.
    held: List<Link<R>, Held>,
    pub(super) due: DueList,
    /// Links whose Accept is to be sent.
    pub(super) accepted: List<Link<R>, Ready>,
    pub(super) unconfirmed: u32,
    pub(super) live: u32,
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
            identity,
            random,
            boot,
            config,
            drops: Drops::default(),
            cookies,
            ready: List::NEW,
            starved: List::NEW,
            held: List::NEW,
            due: List::NEW,
            accepted: List::NEW,
            unconfirmed: 0,
            live: 0,
        }
    }
}

/// What a handshake of ours draws on.
pub(super) struct Forge<'a> {
    pub(super) identity: &'a Identity,
    pub(super) random: &'a mut Random,
    pub(super) boot: u64,
}

/// All links of one endpoint.
pub(crate) struct Links<'a, R: Role> {
    pub(crate) state: &'a mut LinksState<R>,
    pub(crate) links: Slab<'a, Link<R>>,
    pub(crate) dials: Slab<'a, Dial>,
    pub(crate) by_session: Index<'a>,
    pub(crate) by_key: Index<'a>,
    pub(crate) sent: Slab<'a, Sent<Carry<R::Token>>>,
    pub(crate) timers: Timers<'a>,
    pub(crate) dial_timers: Timers<'a>,
    pub(crate) ephemerals: Ephemerals<'a>,
}

/// What a role says of someone who begins a session.
pub(crate) enum Admit {
    /// It wants none with them.
    No,
    /// It wants one, and may be about to reach them itself.
    Yes { dial: Option<Id<Dial>> },
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
    Established { link: Id<Link<R>>, purpose: u32 },
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
    Unanswered { dial: Id<Dial>, purpose: u32, tries: u32, wrong_key: bool },
}

/// A link that may send, and the packet to write into if it may now.
pub(crate) type Begun<'b, R> = (Id<Link<R>>, Option<Packet<'b, R>>);

/// What becomes of what a packet carried, told to the role.
pub(crate) type Visit<'v, R> = &'v mut dyn FnMut(&mut <R as Role>::State, <R as Role>::Token, Fate);

impl<R: Role> Links<'_, R> {
    pub(crate) fn get(&self, id: Id<Link<R>>) -> Option<&Link<R>> {
        self.links.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: Id<Link<R>>) -> Option<&mut Link<R>> {
        self.links.get_mut(id)
    }

    /// Takes a datagram in. `admit` says with whom this endpoint begins a session.
    pub(crate) fn receive<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &'d mut [u8],
        admit: &mut dyn FnMut(&PublicKey) -> Admit,
    ) -> Arrival<'d, R> {
        if let Some(hello) = Hello::parse(datagram) {
            return match self.hello(now, from, hello) {
                Some(retry) => Arrival::Reply(retry.encode_over(datagram)),
                None => Arrival::Nothing,
            };
        }
        match Datagram::parse(datagram) {
            Ok(Datagram::Packet(header, sealed)) => return self.packet(now, header, sealed),
            Ok(Datagram::Retry(retry)) => self.retry(now, from, &retry),
            Ok(Datagram::Init(init)) => self.init(now, from, &init, admit),
            Ok(Datagram::Accept(accept)) => return self.finish_dial(now, from, accept),
            Ok(Datagram::Hello(_)) | Err(DatagramError::Length | DatagramError::Type) => {
                self.state.drops.malformed += 1;
            }
        }
        Arrival::Nothing
    }

    /// The packet's content was taken in whole: acknowledge it.
    pub(crate) fn accept(&mut self, id: Id<Link<R>>, number: u64, eliciting: bool, now: Instant) {
        let Some(Link { phase: Phase::Live(flow), .. }) = self.links.get_mut(id) else { return };
        flow.received.packet(number, eliciting, now);
        match flow.received.deadline() {
            Some(due) if due <= now => self.wake(id),
            Some(_) => self.state.held.push_back(&mut self.links, id),
            None => {}
        }
        self.reschedule(id, now);
    }

    /// The other side's Ack. `false` if it acknowledges what was never sent.
    #[must_use]
    pub(crate) fn acknowledged(
        &mut self,
        id: Id<Link<R>>,
        ack: &Ack,
        now: Instant,
        visit: Visit<'_, R>,
    ) -> bool {
        let Some(Link { phase: Phase::Live(flow), credit, role, keys, .. }) =
            self.links.get_mut(id)
        else {
            return true;
        };
        let next = keys.seal.next();
        let visit = &mut |carry, fate| carried::<R>(carry, fate, credit, role, visit);
        let valid = flow.recovery.ack(&mut self.sent, ack, now, next, visit).is_ok();
        self.wake(id);
        self.feed();
        self.reschedule(id, now);
        valid
    }

    /// Puts a link on the list of those that have something to send.
    pub(crate) fn wake(&mut self, id: Id<Link<R>>) {
        let Some(link) = self.links.get(id) else { return };
        if link.starved {
            self.unlist(id);
        } else if link.is_unconfirmed() {
            return;
        }
        self.state.ready.push_back(&mut self.links, id);
    }

    /// What packets under way carried is the role's no longer: it hears no more of it.
    pub(crate) fn disown(&mut self, id: Id<Link<R>>) {
        let Some(Link { phase: Phase::Live(flow), credit, .. }) = self.links.get_mut(id) else {
            return;
        };
        let visit = &mut |carry, _| {
            if matches!(carry, Carry::Credit) {
                credit.forget_announcement();
            }
        };
        flow.recovery.clear(&mut self.sent, visit);
        self.feed();
    }

    /// Ends a link, telling the other side why. What the role kept there comes back.
    pub(crate) fn close(
        &mut self,
        id: Id<Link<R>>,
        reason: CloseReason,
        now: Instant,
    ) -> Option<R::State> {
        let link = self.links.get_mut(id)?;
        // Who is displaced must not come back for want of an answer.
        let span = if reason == CloseReason::Displaced { self.state.config.idle } else { CLOSING };
        let over = Phase::Closing { reason, owed: true, until: now + span };
        match core::mem::replace(&mut link.phase, over) {
            Phase::Live(mut flow) => {
                self.state.live -= 1;
                flow.recovery.clear(&mut self.sent, &mut |_, _| {});
            }
            Phase::Unconfirmed { .. } => self.state.unconfirmed -= 1,
            Phase::Closing { .. } => {}
        }
        let role = core::mem::take(&mut link.role);
        self.state.held.remove(&mut self.links, id);
        self.wake(id);
        self.feed();
        self.reschedule(id, now);
        Some(role)
    }

    /// Ends a link without a word.
    pub(crate) fn remove(&mut self, id: Id<Link<R>>) -> Option<R::State> {
        self.unlist(id);
        self.state.held.remove(&mut self.links, id);
        let mut link = self.links.remove(id)?;
        match &mut link.phase {
            Phase::Live(flow) => {
                self.state.live -= 1;
                flow.recovery.clear(&mut self.sent, &mut |_, _| {});
            }
            Phase::Unconfirmed { .. } => self.state.unconfirmed -= 1,
            Phase::Closing { .. } => {}
        }
        let links = &self.links;
        let at = |slot| links.id_at(slot).and_then(|id| links.get(id));
        let dials = &self.dials;
        let first = links.capacity() as u32;
        self.by_session.remove(&link.ours.0.to_le_bytes(), id.slot(), |slot| {
            let session = match slot.checked_sub(first) {
                None => at(slot)?.ours,
                Some(slot) => dials.get(dials.id_at(slot)?)?.session(),
            };
            Some(session.0.to_le_bytes())
        });
        self.by_key.remove(&link.peer.0, id.slot(), |slot| at(slot).map(|link| link.peer.0));
        self.timers.set(id.slot(), None);
        self.feed();
        Some(link.role)
    }

    /// The earliest deadline of any link or handshake.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.timers.deadline(), self.dial_timers.deadline(), self.ack_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// When the first Ack that is held back is due.
    fn ack_deadline(&self) -> Option<Instant> {
        match &self.links.get(self.state.held.front()?)?.phase {
            Phase::Live(flow) => flow.received.deadline(),
            Phase::Unconfirmed { .. } | Phase::Closing { .. } => None,
        }
    }

    /// Something is to be sent.
    pub(crate) fn is_owing(&self) -> bool {
        !self.state.accepted.is_empty()
            || !self.state.due.is_empty()
            || !self.state.ready.is_empty()
    }

    /// Handles one deadline that is due at `now`; `None` when there is no more.
    pub(crate) fn timeout(&mut self, now: Instant, visit: Visit<'_, R>) -> Option<Expired<R>> {
        if let Some(slot) = self.dial_timers.pop_due(now) {
            return Some(self.unanswered(slot, now));
        }
        if self.ack_deadline().is_some_and(|at| at <= now) {
            let id = self.state.held.pop_front(&mut self.links)?;
            self.wake(id);
            return Some(Expired::Nothing);
        }
        let slot = self.timers.pop_due(now)?;
        let Some(id) = self.links.id_at(slot) else { return Some(Expired::Nothing) };
        Some(self.link_timeout(id, now, visit))
    }

    /// The next link that has something to send, and a packet to write it into.
    pub(crate) fn begin<'b>(
        &mut self,
        now: Instant,
        scratch: &'b mut [u8; MAX_DATAGRAM],
    ) -> Option<Begun<'b, R>> {
        let id = self.state.ready.front()?;
        let link = self.links.get_mut(id)?;
        Some((id, Packet::begin(link, &self.sent, now, scratch)))
    }

    /// Seals what [`Self::begin`] began. A link with nothing more to send leaves the list;
    /// one that had something goes to its end.
    pub(crate) fn finish(
        &mut self,
        id: Id<Link<R>>,
        packet: Option<Packet<'_, R>>,
        now: Instant,
    ) -> Option<(SocketAddr, usize)> {
        let suite = self.state.identity.suite();
        self.state.ready.remove(&mut self.links, id);
        let link = self.links.get_mut(id)?;
        // Whoever had room for any frame had no more to write.
        let more = packet.as_ref().is_some_and(|packet| packet.room() < SMALLEST_ROOM);
        let sent = packet.and_then(|packet| packet.finish(link, &mut self.sent, suite, now));
        let live = link.is_live();
        if sent.is_some() && live && (more || link.credit.is_owed()) {
            self.state.ready.push_back(&mut self.links, id);
        } else if self.sent.is_full() && live {
            link.starved = true;
            self.state.starved.push_back(&mut self.links, id);
        }
        if sent.is_some() {
            // Whatever is sent takes the Ack along.
            self.state.held.remove(&mut self.links, id);
        }
        self.reschedule(id, now);
        sent
    }

    fn packet<'d>(
        &mut self,
        now: Instant,
        header: PacketHeader,
        sealed: &'d mut [u8],
    ) -> Arrival<'d, R> {
        let suite = self.state.identity.suite();
        let Some(id) = self.find(header.session.0) else {
            self.state.drops.no_session += 1;
            return Arrival::Nothing;
        };
        let full = !self.has_spare();
        let Some(link) = self.links.get_mut(id) else { return Arrival::Nothing };
        let plaintext = match link.keys.open.open(suite, header, sealed) {
            Ok(plaintext) => plaintext,
            Err(OpenError::Replayed) => {
                self.state.drops.replayed += 1;
                return Arrival::Nothing;
            }
            Err(OpenError::Unauthentic) => {
                self.state.drops.unauthentic += 1;
                return Arrival::Nothing;
            }
        };
        (link.heard, link.answered) = (now, true);
        let confirmed = link.is_unconfirmed();
        if confirmed {
            self.unlist(id);
        }
        let Some(link) = self.links.get_mut(id) else { return Arrival::Nothing };
        if let Phase::Closing { owed, .. } = &mut link.phase {
            *owed = true;
            self.wake(id);
            return Arrival::Nothing;
        }
        if confirmed {
            if full {
                self.state.drops.no_room += 1;
                self.close(id, CloseReason::Full, now);
                return Arrival::Nothing;
            }
            let rtt = self.state.config.initial_rtt;
            let Some(link) = self.links.get_mut(id) else { return Arrival::Nothing };
            link.phase = Phase::Live(Flow::new(rtt, link.datagram));
            self.state.live += 1;
            self.state.unconfirmed -= 1;
        }
        self.reschedule(id, now);
        Arrival::Packet { link: id, number: header.counter, confirmed, plaintext }
    }

    fn link_timeout(&mut self, id: Id<Link<R>>, now: Instant, visit: Visit<'_, R>) -> Expired<R> {
        let idle = self.state.config.idle;
        let keep_alive = self.state.config.keep_alive;
        let Some(link) = self.links.get_mut(id) else { return Expired::Nothing };
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
        let silence = now.since(link.heard);
        let probes = link.probes();
        let Link { phase: Phase::Live(flow), credit, role, datagram, .. } = link else {
            self.reschedule(id, now);
            return Expired::Nothing;
        };
        if silence >= idle || (probes >= DEAD_PROBES && silence >= DEAD_SILENCE) {
            return Expired::Dead(id);
        }
        let mut probing = false;
        if flow.recovery.deadline().is_some_and(|at| at <= now) {
            let visit = &mut |carry, fate| carried::<R>(carry, fate, credit, role, visit);
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

    /// When this link must be looked at again.
    pub(super) fn reschedule(&mut self, id: Id<Link<R>>, now: Instant) {
        let Some(link) = self.links.get_mut(id) else { return };
        let LinkConfig { idle, keep_alive, .. } = self.state.config;
        let deadline = match &link.phase {
            Phase::Unconfirmed { expires, .. } => *expires,
            Phase::Closing { until, .. } => *until,
            Phase::Live(flow) => [
                flow.recovery.deadline(),
                keep_alive.filter(|_| !link.ping).map(|span| link.asked + span),
            ]
            .into_iter()
            .flatten()
            .fold(link.heard + idle, Instant::min),
        };
        if link.alarm.is_none_or(|set| deadline < set || set <= now) {
            link.alarm = Some(deadline);
            self.timers.set(id.slot(), Some(deadline));
        }
    }

    pub(super) fn add(&mut self, link: Link<R>) -> Option<Id<Link<R>>> {
        let (session, peer, now) = (link.ours, link.peer, link.heard);
        let id = self.links.insert(link).ok()?;
        let indexed = self.by_session.insert(&session.0.to_le_bytes(), id.slot())
            && self.by_key.insert(&peer.0, id.slot());
        debug_assert!(indexed, "the indexes have more buckets than there are links and dials");
        self.reschedule(id, now);
        Some(id)
    }

    pub(super) fn find(&self, session: u32) -> Option<Id<Link<R>>> {
        let id_at = |slot| self.links.id_at(slot);
        let slot = self.by_session.find(&session.to_le_bytes(), |slot| {
            id_at(slot).and_then(|id| self.links.get(id)).is_some_and(|link| link.ours.0 == session)
        })?;
        id_at(slot)
    }

    /// Records of packets in flight are free again: a link that waited for one goes on.
    fn feed(&mut self) {
        if let (false, Some(id)) = (self.sent.is_full(), self.state.starved.front()) {
            self.wake(id);
        }
    }

    /// Takes a link off the list that it is on.
    fn unlist(&mut self, id: Id<Link<R>>) {
        let Some(link) = self.links.get_mut(id) else { return };
        let starved = core::mem::take(&mut link.starved);
        let list = if link.is_unconfirmed() {
            &mut self.state.accepted
        } else if starved {
            &mut self.state.starved
        } else {
            &mut self.state.ready
        };
        list.remove(&mut self.links, id);
    }

    pub(super) fn unconfirmed_limit(&self) -> u32 {
        unconfirmed(self.links.capacity()) as u32
    }

    /// There is room for a link beside those that are reserved.
    pub(crate) fn has_spare(&self) -> bool {
        self.state.live + self.state.config.reserved < self.live_limit()
    }

    pub(super) fn live_limit(&self) -> u32 {
        (self.links.capacity() as u32).saturating_sub(self.unconfirmed_limit())
    }
}

/// How many of `links` links are for those that are not confirmed yet.
pub const fn unconfirmed(links: usize) -> usize {
    match links / 8 {
        0 => 1,
        1..MAX_UNCONFIRMED => links / 8,
        _ => MAX_UNCONFIRMED,
    }
}

/// Keeps what is the link's own, and tells the role the rest.
fn carried<R: Role>(
    carry: Carry<R::Token>,
    fate: Fate,
    credit: &mut Credit,
    role: &mut R::State,
    visit: Visit<'_, R>,
) {
    match (carry, fate) {
        (Carry::Credit, Fate::Lost) => credit.forget_announcement(),
        (Carry::Credit, Fate::Acked) => {}
        (Carry::Role(token), fate) => visit(role, token, fate),
    }
}
