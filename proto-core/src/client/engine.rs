//! The client at work: its state and its lent tables, for one input and the
//! drain that follows it.

use core::net::SocketAddr;

use crate::{
    host::Owed,
    host::Resume,
    id::{Epoch, Incarnation, PublicKey},
    link::{
        Admit, Arrival, Dropped, Expired, Fate, Grant, LinkConfig, LinkHeads, Links, LinksState,
        Target, Unanswered,
    },
    random::{Random, Seed},
    role::Receiver,
    session::{self, Identity},
    storage::{Id, Index, List, Pool, PoolHead, Slab, SlabHead},
    time::{Instant, UnixTime, WallClock},
    timers::Timers,
    violation::Violation,
    wire::{Frame, MAX_DATAGRAM},
};

pub(super) use crate::role::FrameOutcome;

use super::{
    ClientLink, Config, Event, Incoming, Outgoing, Peer, Tables,
    conversation::{ClientRole, Contact, Token},
    home::Home,
    host::Loading,
    incoming, outgoing,
    peer::{self, Active, Fetching, Joined, Peers},
    rooms::Wishes,
};

/// Tries to reach a peer before it is left to the server.
const PEER_TRIES: u32 = 4;

/// What a client keeps between inputs beside its tables.
#[derive(Debug)]
pub(super) struct State {
    pub(super) kept: Kept,
    pub(super) links: LinksState<ClientRole>,
    heads: Heads,
}

/// What goes with the tables.
#[derive(Debug)]
struct Heads {
    links: LinkHeads,
    hash: [u8; 16],
    peers: SlabHead,
    peer_timers: u32,
    outgoing: SlabHead,
    incoming: SlabHead,
    pool: PoolHead,
}

/// The role's own.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) config: Config,
    pub(super) now: Instant,
    pub(super) clock: WallClock,
    pub(super) boot: u64,
    pub(super) home: Home,
    /// This run.
    pub(super) run: Incarnation,
    /// The epoch that messages are numbered in; 0 before the first registration of this run.
    pub(super) epoch: Epoch,
    /// The last epoch of the runs before this one.
    pub(super) former: Epoch,
    pub(super) loading: Loading,
    /// How many messages are neither settled nor saved by the server; one more for each
    /// conversation where that is not known yet.
    pub(super) unsaved: usize,
    /// The number of the next conversation's record.
    pub(super) next_conversation: u64,
    pub(super) asking_outgoing: List<Outgoing, outgoing::Asking>,
    pub(super) asking_incoming: List<Incoming, incoming::Asking>,
    pub(super) asking_peers: List<Peer, peer::Asking>,
    pub(super) telling_outgoing: List<Outgoing, outgoing::Telling>,
    pub(super) telling_incoming: List<Incoming, incoming::Telling>,
    pub(super) telling_peers: List<Peer, peer::Telling>,
    pub(super) active: List<Peer, Active>,
    /// Whose outbox is to be read on as soon as there is room.
    pub(super) fetching: List<Peer, Fetching>,
    /// Rooms that this client is a member of.
    pub(super) joined: List<Peer, Joined>,
    pub(super) wishes: Wishes,
    /// What came directly and waits for its pieces or for others before it: of whatever came
    /// last, its author can be made to give it to the server.
    pub(super) waiting: List<Incoming, incoming::Chained>,
    /// What the host could not keep, in the order in which it was asked to; and what became of
    /// messages that it could not save.
    pub(super) unkept: List<Incoming, incoming::Asking>,
    pub(super) unsettled: List<Outgoing, outgoing::Asking>,
    /// Messages that the host could not keep are tried again then.
    pub(super) retry_at: Option<Instant>,
    pub(super) serial: u32,
    /// Bytes in `work` that the last action lends.
    pub(super) lent: usize,
    /// The message whose text was lent goes with the next call.
    pub(super) finished: Option<Id<Incoming>>,
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
        let run = session::new_run(identity.suite(), &mut random, resume.boot, unix);
        let link_config = LinkConfig {
            initial_rtt: config.initial_rtt,
            keep_alive: Some(config.keep_alive),
            idle: config.idle,
            datagram: config.datagram,
            credit,
            dial_cap: core::time::Duration::from_secs(10),
            reserved: 1,
            serves: false,
        };
        Self {
            links: LinksState::new(identity, random, resume.boot, link_config, now),
            heads: Heads {
                links: LinkHeads::new(hash),
                hash,
                peers: SlabHead::NEW,
                peer_timers: 0,
                outgoing: SlabHead::NEW,
                incoming: SlabHead::NEW,
                pool: PoolHead::NEW,
            },
            kept: Kept {
                config,
                now,
                clock: resume.clock,
                boot: resume.boot,
                home: Home::default(),
                run,
                epoch: Epoch(0),
                former: Epoch(0),
                loading: Loading::start(),
                unsaved: 0,
                next_conversation: 2,
                asking_outgoing: List::NEW,
                asking_incoming: List::NEW,
                asking_peers: List::NEW,
                telling_outgoing: List::NEW,
                telling_incoming: List::NEW,
                telling_peers: List::NEW,
                active: List::NEW,
                fetching: List::NEW,
                joined: List::NEW,
                wishes: Wishes::default(),
                waiting: List::NEW,
                unkept: List::NEW,
                unsettled: List::NEW,
                retry_at: None,
                serial: 0,
                lent: 0,
                finished: None,
            },
        }
    }
}

/// The client for the length of one input and its drain.
pub(super) struct Engine<'a> {
    pub(super) state: &'a mut Kept,
    pub(super) links: Links<'a, ClientRole>,
    pub(super) peers: Peers<'a>,
    pub(super) peer_timers: Timers<'a>,
    pub(super) outgoing: Slab<'a, Outgoing>,
    pub(super) incoming: Slab<'a, Incoming>,
    pub(super) pool: Pool<'a>,
    pub(super) work: &'a mut [u8],
}

impl core::fmt::Debug for Engine<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Engine").field("state", &self.state).finish_non_exhaustive()
    }
}

impl<'a> Engine<'a> {
    pub(super) fn new(state: &'a mut State, tables: Tables<'a>) -> Self {
        let State { kept, links, heads } = state;
        Self {
            state: kept,
            links: Links::new(links, &mut heads.links, tables.links),
            peers: Peers {
                slab: Slab::new(tables.peers, &mut heads.peers),
                by_key: Index::new(tables.by_key, heads.hash),
                by_nick: Index::new(tables.by_nick, heads.hash),
                by_account: Index::new(tables.by_account, heads.hash),
            },
            peer_timers: Timers::new(tables.peer_timers, &mut heads.peer_timers),
            outgoing: Slab::new(tables.outgoing, &mut heads.outgoing),
            incoming: Slab::new(tables.incoming, &mut heads.incoming),
            pool: Pool::new(tables.blocks, &mut heads.pool),
            work: tables.work,
        }
    }

    pub(super) fn handle_datagram<'d>(
        &mut self,
        from: SocketAddr,
        datagram: &'d mut [u8],
    ) -> Option<&'d [u8]> {
        let Self { links, peers, state, .. } = self;
        if !state.home.was_online() {
            // Nothing reaches who is offline.
            links.counters().dropped.count(Dropped::Unfitting);
            return None;
        }
        // One place is always left for the server.
        let spare = links.has_spare();
        let admit = &mut |key: &PublicKey| {
            let peer = peers.by_key(key).and_then(|id| peers.get(id)).filter(|_| spare);
            peer.map_or(Admit::No, |peer| Admit::Yes { outgoing: peer.dial })
        };
        match links.receive(state.now, from, datagram, admit) {
            Arrival::Nothing => {}
            Arrival::Reply(reply) => return Some(reply),
            Arrival::Established { link, target } => self.established(link, target),
            Arrival::Packet { link, number, confirmed, plaintext } => {
                if confirmed {
                    self.called_by_peer(link);
                }
                self.heard(link);
                self.take_packet(link, number, plaintext);
            }
        }
        None
    }

    pub(super) fn handle_timeouts(&mut self) {
        let now = self.state.now;
        loop {
            let Self { links, outgoing, incoming, peers, .. } = self;
            let visit = &mut |contact: &mut Contact, token, fate| {
                settle(contact, (outgoing, incoming), peers, token, fate);
            };
            match links.timeout(now, visit) {
                Some(Expired::Nothing) => {}
                Some(Expired::Probing(link)) => self.probing(link),
                Some(Expired::Dead(link)) => self.lost(link),
                Some(Expired::Unanswered(Unanswered { handshake, target, tries, wrong_key })) => {
                    match target {
                        Target::Server(_) => self.home_unanswered(tries, wrong_key),
                        Target::Peer(peer) if tries >= PEER_TRIES => {
                            self.links.end_handshake(handshake);
                            self.peer_unreachable(&peer);
                        }
                        Target::Peer(_) => {}
                    }
                }
                None => break,
            }
        }
        while let Some(slot) = self.peer_timers.pop_due(now) {
            if let Some(peer) = self.peers.slab.id_at(slot) {
                self.peer_timeout(peer);
            }
        }
        if self.state.retry_at.is_some_and(|at| at <= now) {
            self.state.retry_at = None;
            self.keep_again();
            self.save_verdicts_again();
            self.fetch_again();
        }
        self.give_up_waiting();
        self.home_timeout();
        self.load_on();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.is_owing() {
            return Some(self.state.now);
        }
        [
            self.links.deadline(),
            self.peer_timers.deadline(),
            self.state.retry_at,
            self.waiting_deadline(),
            self.state.home.deadline(),
            self.state.loading.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Everything the client owes, in the order that keeps its promises: the store
    /// first, since a request must be durable before what relies on it.
    pub(super) fn next_owed(&mut self, scratch: &mut [u8; MAX_DATAGRAM]) -> Option<Owed<Event>> {
        if let Some(finished) = self.state.finished.take() {
            self.came_told(finished);
        }
        if let Some(request) = self.next_request() {
            return Some(Owed::Request(request));
        }
        self.state.lent = 0;
        if let Some(event) = self.next_event() {
            return Some(Owed::Event { event, length: self.state.lent });
        }
        // What was told to its end is to be forgotten by the store.
        if let Some(request) = self.next_request() {
            return Some(Owed::Request(request));
        }
        let (to, length) = self.next_datagram(scratch)?;
        Some(Owed::Send { to, length })
    }

    pub(super) fn unix(&self) -> UnixTime {
        self.state.clock.unix(self.state.now)
    }

    pub(super) fn contact(&mut self, link: Id<ClientLink>) -> Option<&mut Contact> {
        self.links.get_mut(link).filter(|link| link.is_live()).map(|link| &mut link.role)
    }

    pub(super) fn shut_down(&mut self) {
        self.go_offline();
    }

    fn is_owing(&self) -> bool {
        self.state.finished.is_some()
            || !self.state.asking_outgoing.is_empty()
            || !self.state.asking_incoming.is_empty()
            || !self.state.asking_peers.is_empty()
            || !self.state.telling_outgoing.is_empty()
            || !self.state.telling_incoming.is_empty()
            || !self.state.telling_peers.is_empty()
            || self.may_fetch()
            || self.state.loading.is_owed()
            || self.state.home.is_owing()
            || self.state.wishes.is_owing()
            || self.links.is_owing()
    }

    /// A handshake of this side's is through.
    fn established(&mut self, link: Id<ClientLink>, target: Target) {
        let Target::Peer(key) = target else { return self.home_reached(link) };
        let peer = self.peers.by_key(&key);
        match peer.and_then(|id| self.peers.get_mut(id)) {
            Some(found) => {
                found.dial = None;
                self.meet(link, peer);
            }
            None => {
                self.links.remove(link);
            }
        }
    }

    /// A peer's handshake is through.
    fn called_by_peer(&mut self, link: Id<ClientLink>) {
        let peer = self.links.get(link).and_then(|link| self.peers.by_key(&link.peer));
        if let Some(found) = peer.and_then(|id| self.peers.get_mut(id))
            && let Some(dial) = found.dial.take()
        {
            self.links.end_handshake(dial);
        }
        self.meet(link, peer);
    }

    /// A new link to a peer takes the place of the one before.
    fn meet(&mut self, link: Id<ClientLink>, peer: Option<Id<Peer>>) {
        let Some(id) = peer else {
            self.links.remove(link);
            return;
        };
        let older = self.peers.get_mut(id).and_then(|peer| peer.link.replace(link));
        if let Some(older) = older {
            self.leave(older);
            self.links.remove(older);
        }
        if let Some(contact) = self.contact(link) {
            contact.peer = Some(id);
        }
        self.pump(id);
    }

    /// A link is silent: perhaps the other side has started anew and knows nothing
    /// of it. A Hello goes beside the probes.
    fn probing(&mut self, link: Id<ClientLink>) {
        let Some(found) = self.links.get(link) else { return };
        let again = found.probes() >= 2;
        match found.role.peer {
            None => {
                self.expect_answer();
                if again {
                    self.reach_home();
                }
            }
            Some(peer) if again => self.dial_peer(peer),
            Some(_) => {}
        }
    }

    /// A link fell silent for good.
    fn lost(&mut self, link: Id<ClientLink>) {
        let peer = self.links.get(link).and_then(|link| link.role.peer);
        self.leave(link);
        self.links.remove(link);
        match peer {
            Some(peer) => self.pump(peer),
            None => self.home_lost(),
        }
    }

    /// Something authentic came: the other side is there, and needs no Hello.
    fn heard(&mut self, link: Id<ClientLink>) {
        let Some(found) = self.links.get(link) else { return };
        match found.role.peer {
            None => self.home_heard(link),
            Some(peer) => {
                if let Some(dial) = self
                    .peers
                    .get_mut(peer)
                    .filter(|peer| peer.link == Some(link))
                    .and_then(|peer| peer.dial.take())
                {
                    self.links.end_handshake(dial);
                }
            }
        }
    }

    fn next_datagram(&mut self, scratch: &mut [u8; MAX_DATAGRAM]) -> Option<(SocketAddr, usize)> {
        let now = self.state.now;
        if let Some(handshake) = self.links.next_handshake(scratch) {
            return Some(handshake);
        }
        while let Some((link, mut packet)) = self.links.begin(now, scratch) {
            if let Some(packet) = packet.as_mut().filter(|packet| !packet.is_closing()) {
                self.write_request(link, packet);
                self.write_acks(link, packet);
                self.write_inquiries(link, packet);
                self.write_rooms(link, packet);
                self.write_messages(link, packet);
            }
            if let Some(sent) = self.links.finish(link, packet, now) {
                return Some(sent);
            }
        }
        None
    }
}

impl<'a> Receiver<'a> for Engine<'a> {
    type Role = ClientRole;

    fn links(&mut self) -> (&mut Links<'a, ClientRole>, Instant) {
        (&mut self.links, self.state.now)
    }

    fn take_frame(&mut self, link: Id<ClientLink>, number: u64, frame: &Frame<'_>) -> FrameOutcome {
        let home = self.state.home.link() == Some(link);
        let registered = self.state.home.online() == Some(link);
        match frame {
            Frame::Ack(ack) => {
                let Self { links, outgoing, incoming, peers, state, .. } = self;
                let visit = &mut |contact: &mut Contact, token, fate| {
                    settle(contact, (outgoing, incoming), peers, token, fate);
                };
                if let Err(rule) = links.acknowledged(link, ack, state.now, visit) {
                    return FrameOutcome::Broken(rule);
                }
                self.free_acknowledged(link);
                FrameOutcome::Done
            }
            Frame::Ping(()) => FrameOutcome::Done,
            Frame::Credit(limit) => {
                if let Some(found) = self.links.get_mut(link) {
                    found.credit.raise(*limit);
                    self.links.wake(link);
                }
                FrameOutcome::Done
            }
            Frame::Close(reason) => {
                let peer = self.links.get(link).and_then(|link| link.role.peer);
                self.leave(link);
                self.links.remove(link);
                match peer {
                    Some(peer) => self.pump(peer),
                    None if home => self.home_closed(*reason),
                    None => {}
                }
                FrameOutcome::Done
            }
            Frame::Say(say) if !home => self.said(link, say),
            Frame::Receipt(receipt) if !home => self.receipt(link, receipt),
            Frame::Registered(registered) if home => self.registered(link, registered),
            Frame::RegisterRefused(reason) if home => self.register_refused(*reason),
            Frame::PasswordWanted(wanted) if home => self.password_wanted(wanted),
            Frame::Deregistered(()) if home => self.deregistered(),
            Frame::Roster(page) if home => self.roster(page),
            // Whose numbers these are, the Registered says, which is on its way.
            Frame::Progress(_) | Frame::EntryRefused(_) | Frame::Former(_) | Frame::Mail(_)
                if home && !registered =>
            {
                FrameOutcome::NoRoom
            }
            Frame::Progress(progress) if home => self.progress(link, progress),
            Frame::EntryRefused(refused) if home => self.entry_refused(refused),
            Frame::Former(former) if home => self.former(link, former),
            Frame::Mail(mail) if home => self.mail(link, mail),
            Frame::MailboxEmpty(()) if home => self.mailbox_empty(),
            Frame::Joined(joined) if home => self.joined(link, number, joined),
            Frame::RoomEntry(entry) if home => self.room_entry(link, entry),
            Frame::Gone(gone) if home => self.gone(*gone),
            Frame::Outcome(outcome) if home => self.outcome(link, number, *outcome),
            Frame::Names(names) if home => self.names(names),
            // The rest comes from nobody who keeps to the protocol, or from a
            // server that was left.
            _ if self.links.get(link).is_some_and(|link| link.role.peer.is_some()) || home => {
                FrameOutcome::Broken(Violation::UnexpectedFrame)
            }
            _ => FrameOutcome::Done,
        }
    }

    fn end(&mut self, link: Id<ClientLink>, rule: Violation) {
        let peer = self.links.get(link).and_then(|link| link.role.peer);
        let nick = peer.and_then(|peer| self.peers.get(peer)?.with.nick());
        self.state.home.tell(Event::Violation { by: nick, rule });
        let reason = rule.reason();
        self.leave(link);
        self.links.close(link, reason, self.state.now);
        match peer {
            Some(peer) => self.pump(peer),
            None => self.home_closed(reason),
        }
    }
}

/// What a packet carried arrived or was lost: what was lost is owed again.
fn settle(
    contact: &mut Contact,
    (outgoing, incoming): (&mut Slab<'_, Outgoing>, &mut Slab<'_, Incoming>),
    peers: &mut Peers<'_>,
    token: Token,
    fate: Fate,
) {
    match (token, fate) {
        (Token::Request, Fate::Lost) => contact.request = true,
        (Token::Receipt, Fate::Lost) => contact.receipt = true,
        (Token::Piece(id, run), Fate::Lost) => {
            // What went directly may have been deposited since: then this link is done with it.
            if let Some(message) = outgoing.get_mut(id)
                && match message.stage {
                    outgoing::Stage::Open => contact.peer.is_some(),
                    outgoing::Stage::Deposited => contact.peer.is_none(),
                    _ => false,
                }
            {
                message.todo.insert(run);
                // Ahead of what comes after it: there may be room for what is next only. And ahead
                // of those that wait for the credit that comes back once this one is whole.
                let (peer, position, link) = (message.peer, message.position, message.link);
                // It may still be listed, behind them.
                contact.sending.remove(outgoing, id);
                contact.sending.insert_where(outgoing, id, |other| {
                    other.link != link || other.peer == peer && other.position > position
                });
            }
        }
        (Token::MailAck(id), fate) => {
            let Some(message) = incoming.get_mut(id).filter(|m| m.mail.is_some()) else { return };
            if fate == Fate::Acked {
                message.mail = None;
            }
            List::remove_from_either([&mut contact.acks, &mut contact.acking], incoming, id);
            // Its memory is given back right after, where the pool is at hand.
            let list = if fate == Fate::Acked { &mut contact.acked } else { &mut contact.acks };
            list.push_back(incoming, id);
        }
        (Token::Inquiry(id), Fate::Lost) => contact.inquiries.push_back(&mut peers.slab, id),
        (Token::Read(id), Fate::Lost) => contact.reads.push_back(&mut peers.slab, id),
        (Token::Command, Fate::Lost) => contact.command = true,
        (Token::Away, Fate::Lost) => contact.away = true,
        (
            Token::Request
            | Token::Receipt
            | Token::Piece(..)
            | Token::Inquiry(_)
            | Token::Read(_)
            | Token::Command
            | Token::Away,
            Fate::Acked,
        ) => {}
    }
}
