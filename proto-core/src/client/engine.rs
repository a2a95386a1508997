//! The client at work: its components over their lent tables, for one input and the drain that
//! follows it. Each input goes to one component; what must follow elsewhere is done here.

use core::{net::SocketAddr, time::Duration};

use crate::{
    host::{Owed, Records, Request, Resume, Ticket},
    id::{Nick, PublicKey},
    link::{
        Admit, Arrival, Dropped, Expired, Fate, Grant, LinkConfig, LinkHeads, LinkStatistics,
        Links, LinksState, RekeyConfig, Statistics, Target, Unanswered,
    },
    random::{Random, Seed},
    role::{FrameOutcome, Receiver},
    session::{self as crypto, Identity},
    storage::{Id, Index, Pool, PoolHead, Slab, SlabHead},
    time::{Instant, WallClock},
    violation::Violation,
    wire::{
        CloseReason, Frame, MAX_AWAY, MAX_DATAGRAM, Registered, RoomAction, Roster as RosterPage,
    },
};

use super::{
    config::Config,
    contact::Contact,
    ctx::Ctx,
    error::{CommandError, SendError, TrustError},
    event::{Event, MessageId, To},
    headers::Naming,
    inbox::{self, Inbox},
    loading::{self, Loading},
    memory::Tables,
    news::News,
    outbox::{self, Outbox},
    requests::{Asker, Requests, Wanted},
    role::{ClientLink, ClientRole},
    rooms::{self, Rooms},
    roster::{Roster, id::PeerId, names, names::Trusted, peer::Peer, peers::Peers, reach},
    sent::SentFrame,
    session::{self, Change, ServerSession, standing::Standing},
    view::{OpenMessages, PeerView, RoomView, Status, Usage},
};

/// Tries to reach a peer before it is left to the server.
const PEER_TRIES: u32 = 4;

/// What a client keeps between inputs beside its tables.
#[derive(Debug)]
pub(super) struct State {
    config: Config,
    now: Instant,
    clock: WallClock,
    boot: u64,
    links: LinksState<ClientRole>,
    server: Standing,
    news: News,
    store: Requests,
    session: ServerSession,
    roster: Roster,
    outbox: outbox::State,
    inbox: inbox::State,
    rooms: Rooms,
    loading: Loading,
    heads: Heads,
}

/// What goes with the tables.
#[derive(Debug)]
struct Heads {
    links: LinkHeads,
    hash: [u8; 16],
    peers: SlabHead,
    outbox: outbox::Heads,
    inbox: inbox::Heads,
    bodies: PoolHead,
}

impl State {
    pub(super) fn new(
        (config, credit): (Config, Grant),
        identity: Identity,
        seed: Seed,
        resume: Resume,
        now: Instant,
    ) -> Self {
        let mut random = Random::new(seed);
        let hash = random.bytes();
        let unix = resume.clock.unix(now);
        let run = crypto::new_run(identity.suite(), &mut random, resume.boot, unix);
        let link_config = LinkConfig {
            initial_rtt: config.initial_rtt,
            keep_alive: Some(config.keep_alive),
            idle: config.idle,
            datagram: config.datagram,
            credit,
            dial_cap: Duration::from_secs(10),
            reserved: 1,
            rekey: RekeyConfig {
                after: config.rekey_after,
                least: config.rekey_least,
                packets: config.rekey_packets,
            },
            serves: false,
        };
        Self {
            config,
            now,
            clock: resume.clock,
            boot: resume.boot,
            links: LinksState::new(identity, random, resume.boot, link_config, now),
            server: Standing::new(run),
            news: News::default(),
            store: Requests::new(),
            session: ServerSession::default(),
            roster: Roster::default(),
            outbox: outbox::State::default(),
            inbox: inbox::State::default(),
            rooms: Rooms::default(),
            loading: Loading::START,
            heads: Heads {
                links: LinkHeads::new(hash),
                hash,
                peers: SlabHead::NEW,
                outbox: outbox::Heads::NEW,
                inbox: inbox::Heads::NEW,
                bodies: PoolHead::NEW,
            },
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// The time of the last input.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    pub(super) fn set_clock(&mut self, clock: WallClock) {
        self.clock = clock;
    }

    pub(super) fn wants_seed(&self) -> bool {
        self.links.wants_seed()
    }

    pub(super) fn reseed(&mut self, seed: Seed) {
        self.links.reseed(seed);
    }

    pub(super) fn key(&self) -> PublicKey {
        self.links.identity().public()
    }

    pub(super) fn status(&self) -> Status {
        self.server.status()
    }

    #[cfg(test)]
    pub(super) fn overgrant(&mut self, credit: u32) {
        self.links.set_credit(credit);
    }
}

/// The client for the length of one input and its drain.
pub(super) struct Engine<'a> {
    cx: Ctx<'a>,
    session: &'a mut ServerSession,
    roster: &'a mut Roster,
    outbox: Outbox<'a>,
    inbox: Inbox<'a>,
    rooms: &'a mut Rooms,
    loading: &'a mut Loading,
}

impl<'a> Engine<'a> {
    pub(super) fn new(state: &'a mut State, tables: Tables<'a>, now: Instant) -> Self {
        state.now = now;
        let heads = &mut state.heads;
        let indexes = [tables.by_key, tables.by_nick, tables.by_account];
        let indexes = indexes.map(|buckets| Index::new(buckets, heads.hash));
        let boot = state.boot;
        Self {
            cx: Ctx {
                config: &mut state.config,
                now,
                clock: state.clock,
                boot,
                links: Links::new(&mut state.links, &mut heads.links, tables.links),
                peers: Peers::new(Slab::new(tables.peers, &mut heads.peers), indexes),
                bodies: Pool::new(tables.blocks, &mut heads.bodies),
                work: tables.work,
                server: &mut state.server,
                news: &mut state.news,
                store: &mut state.store,
            },
            session: &mut state.session,
            roster: &mut state.roster,
            outbox: Outbox::new(
                &mut state.outbox,
                &mut heads.outbox,
                tables.outgoing,
                tables.peer_timers,
            ),
            inbox: Inbox::new(&mut state.inbox, &mut heads.inbox, tables.incoming),
            rooms: &mut state.rooms,
            loading: &mut state.loading,
        }
    }

    /// The working memory, which has the bytes of what is owed.
    pub(super) fn into_work(self) -> &'a [u8] {
        self.cx.work
    }

    pub(super) fn register(&mut self) -> Result<(), CommandError> {
        self.session.register(&mut self.cx, self.loading.is_done())
    }

    /// The session with the server, for what concerns nothing else.
    pub(super) fn session(&mut self) -> (&mut ServerSession, &mut Ctx<'a>) {
        (self.session, &mut self.cx)
    }

    pub(super) fn deregister(&mut self) -> Result<(), CommandError> {
        let change = ServerSession::deregister(&mut self.cx)?;
        self.apply(change);
        Ok(())
    }

    pub(super) fn say(&mut self, to: &To, text: &str) -> Result<MessageId, SendError> {
        outbox::check(&self.cx, to, text)?;
        let id = match to {
            To::Peer(_) => names::recipient(&self.cx, to)?,
            To::Lobby | To::Room(_) => {
                self.rooms.may_be_member_of(&self.cx, to).ok_or(SendError::NotMember)?
            }
        };
        self.outbox.say(&mut self.cx, id, text)
    }

    /// The user's word for the key of a nick: they compared it, or they accept it.
    pub(super) fn vouch(
        &mut self,
        nick: &Nick,
        key: &PublicKey,
        compared: bool,
    ) -> Result<(), TrustError> {
        if compared {
            return names::verify(&mut self.cx, nick, key);
        }
        let holder = names::claimed(&self.cx, nick, key)?;
        let other = names::claimant(&mut self.cx, nick, key)?;
        for id in [holder, other] {
            // Whom a session leads to is another from now on.
            if let Some(link) = self.cx.peers.get(id).and_then(Peer::link) {
                self.remove(link);
            }
            reach::hang_up(&mut self.cx, id);
        }
        if let Trusted::Exchanged(one, other) = names::trust(&mut self.cx, holder, other) {
            self.inbox.exchange(one, other);
        }
        for id in [holder, other] {
            self.outbox.person_changed(&mut self.cx, id);
        }
        self.cx.news.tell(Event::RosterChanged);
        Ok(())
    }

    pub(super) fn request(&mut self, action: RoomAction) -> Result<(), CommandError> {
        self.rooms.request(&mut self.cx, action)
    }

    pub(super) fn set_away(&mut self, text: &str) -> Result<(), CommandError> {
        self.rooms.set_away(&mut self.cx, text)
    }

    pub(super) fn shut_down(&mut self) {
        self.go_offline();
    }

    pub(super) fn open_messages(&mut self) -> OpenMessages {
        self.outbox.open_messages(&mut self.cx)
    }

    pub(super) fn usage(&self) -> Usage {
        Usage {
            outgoing: self.outbox.usage(),
            incoming: self.inbox.usage(),
            blocks: (self.cx.bodies.used(), self.cx.bodies.capacity()),
        }
    }

    /// What was counted, and how full the tables of links are.
    pub(super) fn statistics(&self) -> Statistics {
        self.cx.links.statistics()
    }

    /// What is known of the session with a peer, or with the server.
    pub(super) fn link_statistics(&self, peer: Option<&Nick>) -> Option<LinkStatistics> {
        let link = match peer {
            Some(nick) => {
                let peer = self.cx.peers.by_name(&To::Peer(*nick))?;
                self.cx.peers.get(peer)?.link()?
            }
            None => self.cx.server.link()?,
        };
        self.cx.links.get(link)?.statistics()
    }

    /// Takes it that everyone there is a session with has granted all there is.
    #[cfg(test)]
    pub(super) fn overspend(&mut self) {
        let links = self.cx.links.slab_mut();
        for slot in 0..links.capacity() as u32 {
            if let Some(link) = links.id_at(slot).and_then(|id| links.get_mut(id)) {
                let all = crate::wire::CreditLimit { bytes: u64::MAX, messages: u64::MAX };
                link.credit.raise(all);
            }
        }
    }

    /// Everyone on the roster.
    pub(super) fn for_each_peer(&self, mut visit: impl FnMut(PeerView)) {
        for peer in self.cx.peers.iter().filter(|peer| peer.recipient().is_some()) {
            let (To::Peer(nick), Some(person)) = (peer.with(), peer.person()) else { continue };
            let mut away = [0; MAX_AWAY];
            let said = self.cx.bodies.read(person.away(), 0, &mut away);
            let away = away.get(..said).and_then(|text| core::str::from_utf8(text).ok());
            visit(PeerView {
                nick,
                key: peer.key(),
                known: person.naming() == Naming::Known,
                verified: person.is_verified(),
                log: peer.log(),
                presence: person.presence(),
                address: person.address(),
                seen: person.seen(),
                away: away.and_then(|text| text.try_into().ok()).unwrap_or_default(),
            });
        }
    }

    pub(super) fn for_each_room(&mut self, visit: impl FnMut(RoomView)) {
        self.rooms.for_each(&mut self.cx, visit);
    }

    pub(super) fn handle_datagram<'d>(
        &mut self,
        from: SocketAddr,
        datagram: &'d mut [u8],
    ) -> Option<&'d [u8]> {
        let Ctx { links, peers, server, now, .. } = &mut self.cx;
        if !server.was_online() {
            // Nothing reaches who is offline.
            links.counters().dropped.count(Dropped::Unfitting);
            return None;
        }
        // One place is always left for the server.
        let spare = links.has_spare();
        let admit = &mut |key: &PublicKey| {
            let peer = peers.by_key(key).and_then(|id| peers.get(id)).filter(|_| spare);
            let person = peer.and_then(|peer| peer.person());
            person.map_or(Admit::No, |person| Admit::Yes { outgoing: person.dial() })
        };
        match links.receive(*now, from, datagram, admit) {
            Arrival::Nothing => {}
            Arrival::Reply(reply) => return Some(reply),
            Arrival::Established { link, target } => self.established(link, target),
            Arrival::Packet { link, number, confirmed, plaintext } => {
                if confirmed {
                    // A peer's handshake is through.
                    let peer = self.cx.links.get(link).map(|link| link.peer);
                    let peer = peer.and_then(|key| self.cx.peers.by_key(&key));
                    self.meet(link, peer);
                }
                self.heard(link);
                self.take_packet(link, number, plaintext);
            }
        }
        None
    }

    pub(super) fn handle_stored(&mut self, ticket: Ticket, stored: bool) {
        let cx = &mut self.cx;
        let peer = cx.peers.at(ticket.slot);
        match (Asker::of(ticket), peer) {
            (Some(Asker::Own), _) if cx.store.answer_own(ticket) && !stored => {
                cx.store.own_failed();
                cx.store_failed();
            }
            (Some(Asker::Record), Some(id)) => {
                let found = cx.peers.get_mut(id);
                if found.is_some_and(|peer| peer.saved.answer(ticket.serial, stored)) {
                    self.outbox.record_saved(cx, id);
                }
            }
            (Some(Asker::Trim), Some(id)) => outbox::trimming::trimmed(cx, id, ticket.serial),
            (Some(Asker::Outgoing), _) => self.outbox.stored(cx, ticket, stored),
            (Some(Asker::Incoming), _) => {
                if let Some(room) = self.inbox.stored(cx, ticket, stored) {
                    rooms::owe_read(cx, room);
                }
            }
            _ => {}
        }
    }

    pub(super) fn handle_read(&mut self, ticket: Ticket, loaded: Option<Records<'_>>) {
        let cx = &mut self.cx;
        match (Asker::of(ticket), cx.peers.at(ticket.slot)) {
            (Some(Asker::Fetch), Some(id)) => self.outbox.fetched(cx, id, ticket.serial, loaded),
            (Some(Asker::Look), _) => self.inbox.looked(cx, ticket, loaded),
            (Some(Asker::Loading), _)
                if self.loading.read(cx, &mut self.outbox, ticket, loaded) =>
            {
                cx.news.tell(Event::Ready);
                self.outbox.fetch_all(cx);
                self.session.set_out(cx);
            }
            _ => {}
        }
    }

    pub(super) fn handle_timeouts(&mut self) {
        let now = self.cx.now;
        loop {
            let Self { cx, outbox, inbox, .. } = self;
            let peers = &mut cx.peers;
            let visit = &mut |contact: &mut Contact, sent, fate| {
                settle(contact, (outbox, inbox), peers, sent, fate);
            };
            match cx.links.timeout(now, visit) {
                Some(Expired::Nothing) => {}
                Some(Expired::Probing(link)) => self.probing(link),
                Some(Expired::Dead(link)) => {
                    let peer = self.remove(link);
                    self.goes_on_without(peer, CloseReason::Leaving);
                }
                Some(Expired::Unanswered(Unanswered { handshake, target, tries, wrong_key })) => {
                    match target {
                        Target::Server(_) => {
                            let change = ServerSession::unanswered(tries, wrong_key);
                            self.apply(change);
                        }
                        Target::Peer(key) if tries >= PEER_TRIES => {
                            cx.links.end_handshake(handshake);
                            if let Some(id) = cx.peers.by_key(&key) {
                                reach::dialled(cx, id);
                                outbox.unreachable(cx, id);
                            }
                        }
                        Target::Peer(_) => {}
                    }
                }
                None => break,
            }
        }
        self.outbox.timeout(&mut self.cx);
        self.inbox.timeout(&mut self.cx);
        if self.cx.store.is_retry_due(now) {
            self.inbox.retry(&mut self.cx);
            self.outbox.retry(&mut self.cx);
        }
        let change = self.session.timeout(&mut self.cx);
        self.apply(change);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.is_owing() {
            return Some(self.cx.now);
        }
        [
            self.cx.links.deadline(),
            self.outbox.deadline(),
            self.cx.store.deadline(),
            self.session.deadline(&self.cx),
            self.inbox.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Everything the client owes, in the order that keeps its promises: the store
    /// first, since a request must be durable before what relies on it.
    pub(super) fn next_owed(&mut self, scratch: &mut [u8; MAX_DATAGRAM]) -> Option<Owed<Event>> {
        self.inbox.finish(&mut self.cx);
        if let Some(request) = self.next_request() {
            return Some(Owed::Request(request));
        }
        if let Some((event, length)) = self.next_event() {
            return Some(Owed::Event { event, length });
        }
        // What was told to its end is to be forgotten by the store.
        if let Some(request) = self.next_request() {
            return Some(Owed::Request(request));
        }
        let (to, length) = self.next_datagram(scratch)?;
        Some(Owed::Send { to, length })
    }

    fn is_owing(&self) -> bool {
        self.cx.store.next(self.outbox.has_room(&self.cx)).is_some()
            || self.inbox.is_owing()
            || self.outbox.is_owing()
            || self.rooms.is_owing()
            || self.cx.news.is_owing()
            || self.cx.links.is_owing()
    }

    fn next_request(&mut self) -> Option<Request> {
        while let Some(wanted) = self.cx.store.next(self.outbox.has_room(&self.cx)) {
            let cx = &mut self.cx;
            let request = match wanted {
                Wanted::Own => loading::request_own(cx),
                Wanted::Peer(id) => {
                    let record = loading::request_record(cx, id);
                    let request = record.or_else(|| outbox::trimming::request_trim(cx, id));
                    if request.is_none() {
                        cx.store.peer_asked(&mut cx.peers);
                    }
                    request
                }
                Wanted::Outgoing(id) => self.outbox.request(cx, id),
                Wanted::Incoming(id) => self.inbox.request(cx, id),
                Wanted::Fetch => self.outbox.request_fetch(cx),
                Wanted::Loading => Some(self.loading.request(cx)),
            };
            if request.is_some() {
                return request;
            }
        }
        None
    }

    /// The next event, and how many bytes of the working memory go with it.
    fn next_event(&mut self) -> Option<(Event, usize)> {
        let cx = &mut self.cx;
        if let Some(event) = cx.news.next_event() {
            return Some((event, 0));
        }
        if let Some(names) = self.rooms.next_event(cx) {
            return Some(names);
        }
        if let Some(event) = self.next_event_of_peers() {
            return Some((event, 0));
        }
        let cx = &mut self.cx;
        if let Some(event) = self.outbox.next_event(cx) {
            return Some((event, 0));
        }
        self.inbox.next_event(cx)
    }

    fn next_event_of_peers(&mut self) -> Option<Event> {
        let cx = &mut self.cx;
        while let Some(id) = cx.news.next_peer() {
            if let Some(event) = self.outbox.next_verdict(cx, id) {
                return Some(event);
            }
            let event = cx.peers.get_mut(id).and_then(Peer::next_event);
            if event.is_some() {
                return event;
            }
            cx.news.peer_told(&mut cx.peers);
        }
        None
    }

    fn next_datagram(&mut self, scratch: &mut [u8; MAX_DATAGRAM]) -> Option<(SocketAddr, usize)> {
        let cx = &mut self.cx;
        if let Some(handshake) = cx.links.next_handshake(scratch) {
            return Some(handshake);
        }
        while let Some((link, mut packet)) = cx.links.begin(cx.now, scratch) {
            if let Some(packet) = packet.as_mut().filter(|packet| !packet.is_closing()) {
                self.session.write_request(cx, self.roster.have(), link, packet);
                self.inbox.write_acks(cx, link, packet);
                outbox::status_queries::write_status_queries(cx, link, packet);
                self.rooms.write(cx, &self.inbox, link, packet);
                self.outbox.write_messages(cx, link, packet);
            }
            if let Some(sent) = cx.links.finish(link, packet, cx.now) {
                return Some(sent);
            }
        }
        None
    }

    /// Does what follows from a change of the session with the server.
    fn apply(&mut self, change: Change) {
        match change {
            Change::None => {}
            Change::SubmitReason => {
                self.outbox.pump_all(&mut self.cx);
                self.outbox.consider_leaving(&mut self.cx);
            }
            Change::Offline(event) => {
                self.go_offline();
                self.cx.news.tell(event);
            }
        }
    }

    /// Nothing is sent or taken in any more.
    fn go_offline(&mut self) {
        self.session.go_offline(&mut self.cx);
        self.rooms.end_wishes(&mut self.cx);
        for slot in 0..self.cx.links.slab_mut().capacity() as u32 {
            if let Some(link) = self.cx.links.slab_mut().id_at(slot) {
                self.close(link, CloseReason::Leaving);
            }
        }
        for slot in 0..self.cx.peers.capacity() {
            if let Some(id) = self.cx.peers.at(slot) {
                reach::hang_up(&mut self.cx, id);
            }
        }
        self.outbox.pause_all(&mut self.cx);
    }

    /// A handshake of this side's is through.
    fn established(&mut self, link: Id<ClientLink>, target: Target) {
        let cx = &mut self.cx;
        if let Target::Peer(key) = target {
            let peer = cx.peers.by_key(&key);
            if let Some(id) = peer {
                reach::dialled(cx, id);
            }
            self.meet(link, peer);
            return;
        }
        if let Some(older) = cx.server.link().filter(|_| cx.server.was_online()) {
            self.remove(older);
        }
        if !self.session.reached(&mut self.cx, link) {
            self.cx.links.remove(link);
        }
    }

    /// A new link to a peer takes the place of the one before.
    fn meet(&mut self, link: Id<ClientLink>, peer: Option<PeerId>) {
        let Some(id) = peer else {
            self.cx.links.remove(link);
            return;
        };
        reach::hang_up(&mut self.cx, id);
        if let Some(older) = reach::meet(&mut self.cx, link, id) {
            self.remove(older);
        }
        if let Some(contact) = self.cx.contact(link) {
            contact.meet(id);
        }
        self.outbox.pump(&mut self.cx, id);
    }

    /// A link is silent: perhaps the other side has started anew and knows nothing
    /// of it. A Hello goes beside the probes.
    fn probing(&mut self, link: Id<ClientLink>) {
        let Some(found) = self.cx.links.get(link) else { return };
        let again = found.probes() >= 2;
        match found.role.peer() {
            None => self.session.probing(&mut self.cx, again),
            Some(peer) if again => reach::dial(&mut self.cx, peer),
            Some(_) => {}
        }
    }

    /// Something authentic came: the other side is there, and needs no Hello.
    fn heard(&mut self, link: Id<ClientLink>) {
        let Some(found) = self.cx.links.get(link) else { return };
        match found.role.peer() {
            None => self.session.heard(&mut self.cx, link),
            Some(peer) => {
                if self.cx.peers.get(peer).is_some_and(|peer| peer.link() == Some(link)) {
                    reach::hang_up(&mut self.cx, peer);
                }
            }
        }
    }

    /// Undoes what a link had going, before it ends. What is open goes on, on another link or
    /// another way; what was arriving comes again. The peer that it led to.
    fn leave(&mut self, link: Id<ClientLink>) -> Option<PeerId> {
        let cx = &mut self.cx;
        session::forget_link(cx, link);
        self.rooms.leave(cx, &mut self.inbox, link);
        let mut contact = core::mem::take(&mut cx.links.get_mut(link)?.role);
        self.outbox.leave(cx, &mut contact);
        Rooms::forget(cx, &mut contact);
        self.inbox.leave(cx, link, &mut contact);
        let peer = contact.peer()?;
        reach::leave(cx, link, peer);
        Some(peer)
    }

    /// Ends a link without a word; the peer that it led to.
    fn remove(&mut self, link: Id<ClientLink>) -> Option<PeerId> {
        let peer = self.leave(link);
        self.cx.links.remove(link);
        peer
    }

    /// Ends a link, telling the other side why; the peer that it led to.
    fn close(&mut self, link: Id<ClientLink>, reason: CloseReason) -> Option<PeerId> {
        let peer = self.leave(link);
        self.cx.links.close(link, reason, self.cx.now);
        peer
    }

    /// What goes on when a link to a peer, or to the server, has ended.
    fn goes_on_without(&mut self, peer: Option<PeerId>, reason: CloseReason) {
        match peer {
            Some(peer) => self.outbox.pump(&mut self.cx, peer),
            None => {
                let change = self.session.closed(&mut self.cx, reason);
                self.apply(change);
            }
        }
    }

    fn registered(&mut self, link: Id<ClientLink>, registered: &Registered) -> FrameOutcome {
        let new_epoch = match self.session.registered(&mut self.cx, link, registered) {
            Ok(Some(new_epoch)) => new_epoch,
            Ok(None) => return FrameOutcome::Done,
            Err(rule) => return FrameOutcome::Broken(rule),
        };
        self.roster.begin(&mut self.cx, registered.run);
        if new_epoch {
            self.cx.store.owe_own();
        }
        self.rooms.begin(&mut self.cx, registered.rooms);
        self.outbox.query_all(&mut self.cx);
        self.apply(Change::SubmitReason);
        FrameOutcome::Done
    }

    fn take_roster(&mut self, page: &RosterPage<'_>) -> FrameOutcome {
        if self.cx.server.online().is_none() {
            // Of which run it is comes with the Registered, which is on its way.
            return FrameOutcome::NoRoom;
        }
        for entry in page.entries() {
            let Ok(entry) = entry else { return FrameOutcome::Broken(Violation::BadFrame) };
            if let Some(gone) = self.roster.displace(&mut self.cx, &entry) {
                self.outbox.person_changed(&mut self.cx, gone);
            }
            for id in self.roster.take(&mut self.cx, &entry).into_iter().flatten() {
                self.outbox.person_changed(&mut self.cx, id);
            }
        }
        self.roster.turn(&mut self.cx, page);
        self.outbox.consider_leaving(&mut self.cx);
        self.roster.tell(&mut self.cx);
        FrameOutcome::Done
    }

    fn take_ack(&mut self, link: Id<ClientLink>, ack: &crate::wire::Ack) -> FrameOutcome {
        let Self { cx, outbox, inbox, .. } = self;
        let peers = &mut cx.peers;
        let visit = &mut |contact: &mut Contact, sent, fate| {
            settle(contact, (outbox, inbox), peers, sent, fate);
        };
        if let Err(rule) = cx.links.acknowledged(link, ack, cx.now, visit) {
            return FrameOutcome::Broken(rule);
        }
        self.inbox.free_acknowledged(&mut self.cx, link);
        FrameOutcome::Done
    }
}

impl<'a> Receiver<'a> for Engine<'a> {
    type Role = ClientRole;

    fn links(&mut self) -> (&mut Links<'a, ClientRole>, Instant) {
        (&mut self.cx.links, self.cx.now)
    }

    fn take_frame(&mut self, link: Id<ClientLink>, number: u64, frame: &Frame<'_>) -> FrameOutcome {
        let from_server = self.cx.server.link() == Some(link);
        let registered = self.cx.server.online() == Some(link);
        let Self { cx, session, outbox, inbox, rooms, .. } = self;
        match frame {
            Frame::Ack(ack) => self.take_ack(link, ack),
            Frame::Ping(()) => FrameOutcome::Done,
            Frame::Credit(limit) => {
                if let Some(found) = cx.links.get_mut(link) {
                    found.credit.raise(*limit);
                    cx.links.wake(link);
                }
                FrameOutcome::Done
            }
            Frame::Rekey(_) | Frame::Rekeyed(_) => self.take_rekey(link, frame),
            Frame::Close(reason) => {
                match self.remove(link) {
                    None if !from_server => {}
                    peer => self.goes_on_without(peer, *reason),
                }
                FrameOutcome::Done
            }
            Frame::Message(say) if !from_server => inbox.said(cx, link, say),
            Frame::Receipt(receipt) if !from_server => outbox.receipt(cx, link, receipt),
            Frame::Registered(registered) if from_server => self.registered(link, registered),
            Frame::RegisterRefused(reason) if from_server => {
                let change = ServerSession::refused(cx, *reason);
                self.apply(change);
                FrameOutcome::Done
            }
            Frame::PasswordWanted(wanted) if from_server => session.password_wanted(cx, wanted),
            Frame::AccountResponse(response) if from_server => {
                session.account_response(cx, response)
            }
            Frame::Deregistered(()) if from_server => {
                let change = ServerSession::deregistered(cx);
                self.apply(change);
                FrameOutcome::Done
            }
            Frame::Roster(page) if from_server => self.take_roster(page),
            // Whose numbers these are, the Registered says, which is on its way.
            Frame::DeliveryStatus(_)
            | Frame::SubmitRefused(_)
            | Frame::KeyHistory(_)
            | Frame::Mail(_)
                if from_server && !registered =>
            {
                FrameOutcome::NoRoom
            }
            Frame::DeliveryStatus(progress) if from_server => outbox.progress(cx, link, progress),
            Frame::SubmitRefused(refused) if from_server => outbox.refused(cx, refused),
            Frame::KeyHistory(former) if from_server => Inbox::former(cx, link, former),
            Frame::Mail(mail) if from_server => inbox.mail(cx, link, mail),
            Frame::MailboxEmpty(()) if from_server => session.mailbox_empty(cx),
            Frame::Joined(joined) if from_server => {
                rooms.joined(cx, outbox, (link, number), joined)
            }
            Frame::RoomEntry(entry) if from_server => Rooms::entry(cx, inbox, link, entry),
            Frame::Trimmed(gone) if from_server => Rooms::gone(cx, inbox, *gone),
            Frame::Left(left) if from_server => rooms.left(cx, inbox, (link, number), *left),
            Frame::RoomResponse(outcome) if from_server => {
                rooms.outcome(cx, inbox, (link, number), *outcome)
            }
            Frame::Names(names) if from_server => rooms.names(cx, names),
            // The rest comes from nobody who keeps to the protocol, or from a
            // server that was left.
            _ if from_server || cx.peer_of(link).is_some() => {
                FrameOutcome::Broken(Violation::UnexpectedFrame)
            }
            _ => FrameOutcome::Done,
        }
    }

    fn end(&mut self, link: Id<ClientLink>, rule: Violation) {
        let peer = self.cx.peer_of(link).and_then(|id| self.cx.peers.get(id));
        let by = peer.and_then(|peer| peer.with().nick());
        self.cx.news.tell(Event::Violation { by, rule });
        let reason = rule.reason();
        let peer = self.close(link, reason);
        self.goes_on_without(peer, reason);
    }
}

/// A frame that was sent arrived or was lost: what was lost is owed again.
fn settle(
    contact: &mut Contact,
    (outbox, inbox): (&mut Outbox<'_>, &mut Inbox<'_>),
    peers: &mut Peers<'_>,
    sent: SentFrame,
    fate: Fate,
) {
    match (sent, fate) {
        (SentFrame::MailAck(id), fate) => inbox.mail_ack_sent(contact, id, fate),
        (_, Fate::Acked) => {}
        (SentFrame::Request, Fate::Lost) => contact.session.owe_request(),
        (SentFrame::AccountRequest, Fate::Lost) => contact.session.owe_account(),
        (SentFrame::Receipt, Fate::Lost) => Inbox::receipt_lost(contact),
        (SentFrame::Piece(id, run), Fate::Lost) => outbox.piece_lost(contact, id, run),
        (SentFrame::Inquiry(id), Fate::Lost) => outbox::status_queries::lost(contact, peers, id),
        (SentFrame::Read(_) | SentFrame::RoomRequest | SentFrame::Away, Fate::Lost) => {
            Rooms::lost(contact, peers, sent);
        }
    }
}
