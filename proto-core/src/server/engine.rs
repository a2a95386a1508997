//! The server at work: its state and its lent tables, for one input and the
//! drain that follows it.

use core::{net::SocketAddr, time::Duration};

use heapless::Deque;
use zeroize::Zeroize;

use crate::{
    host::Owed,
    id::{Account, Incarnation},
    link::{Admit, Arrival, Expired, Fate, Grant, LinkConfig, LinkHeads, Links, LinksState},
    random::{Random, Seed},
    role::Receiver,
    session::{self, Identity},
    storage::{Id, Index, List, Pool, PoolHead, Slab, SlabHead},
    time::{Instant, UnixTime, WallClock},
    timers::Timers,
    violation::Violation,
    wire::{CloseReason, Frame, MAX_DATAGRAM, Presence},
};

pub(super) use crate::role::FrameOutcome;

use super::{
    Config, Event, Resume, ServerLink, Tables,
    accounts::{Accounts, AccountsHead},
    entry::{Asking, Entry, Pair, Queued, Unused},
    member::{CaughtUp, Empty, Member, ServerRole, Stalled, Token},
    operator::Operating,
    passwords::Passwords,
    readers::Waiting,
    reading::Reading,
    room::{Membership, Queue, RoomRow, Rooms, RoomsHead, Turn},
    versions::Versions,
};

/// How many events wait for the host at most; the oldest that nobody waits for give way.
const EVENTS: usize = 32;

/// How long a reader waits that the store could not serve.
pub(super) const STALL: Duration = Duration::from_secs(1);

/// The last number that the wall clock makes, in the year 2097: a clock that is wrong must not
/// use up those that are left.
const LATEST: u32 = 0xf000_0000;

/// What a server keeps between inputs beside its tables.
#[derive(Debug)]
pub(super) struct State {
    pub(super) kept: Kept,
    pub(super) links: LinksState<ServerRole>,
    heads: Heads,
}

/// What goes with the tables.
#[derive(Debug)]
struct Heads {
    links: LinkHeads,
    hash: [u8; 16],
    accounts: AccountsHead,
    entries: SlabHead,
    entry_timers: u32,
    pairs: SlabHead,
    rooms: RoomsHead,
    pool: PoolHead,
}

/// The role's own.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) config: Config,
    pub(super) now: Instant,
    pub(super) clock: WallClock,
    /// This run.
    pub(super) run: Incarnation,
    /// The host's user was told that clients know more than the store.
    pub(super) put_back: bool,
    /// The roster's version.
    pub(super) version: u64,
    /// When the collected changes are pushed.
    pub(super) push_at: Option<Instant>,
    pub(super) caught_up: List<ServerLink, CaughtUp>,
    /// Readers that were caught up when the roster moved on.
    pub(super) moved_on: List<ServerLink, CaughtUp>,
    pub(super) stalled: List<ServerLink, Stalled>,
    pub(super) stalled_at: Option<Instant>,
    /// The last place given out in any mailbox.
    pub(super) index: u64,
    pub(super) asking_links: List<ServerLink, Asking>,
    pub(super) asking_entries: List<Entry, Asking>,
    pub(super) asking_pairs: List<Pair, Asking>,
    pub(super) unused: List<Pair, Unused>,
    /// Pairs that the store failed to read or save; it is asked again.
    pub(super) failed_pairs: List<Pair, Asking>,
    pub(super) asking_rooms: List<RoomRow, Asking>,
    /// Rooms with deposits that wait for readers, in the order in which they are looked at.
    pub(super) waiting_rooms: List<RoomRow, Waiting>,
    pub(super) asking_members: List<Membership, Turn>,
    /// Members whose room moved on.
    pub(super) moved_rooms: List<Membership, Turn>,
    pub(super) stalled_members: List<Membership, Turn>,
    /// Entries of rooms in memory, the oldest there first.
    pub(super) recent: List<Entry, Queued>,
    pub(super) serial: u32,
    pub(super) reading: Reading,
    pub(super) passwords: Passwords,
    pub(super) operating: Option<Operating>,
    events: Deque<Event, EVENTS>,
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
            keep_alive: None,
            idle: config.idle,
            datagram: config.datagram,
            credit,
            dial_cap: Duration::ZERO,
            reserved: 0,
            serves: true,
        };
        // A run's numbers are above those of all runs before it, without asking the store.
        let first = resume.boot << 40;
        Self {
            links: LinksState::new(identity, random, resume.boot, link_config, now),
            heads: Heads {
                links: LinkHeads::new(hash),
                hash,
                accounts: AccountsHead::default(),
                entries: SlabHead::NEW,
                entry_timers: 0,
                pairs: SlabHead::NEW,
                rooms: RoomsHead::NEW,
                pool: PoolHead::NEW,
            },
            kept: Kept {
                config,
                now,
                clock: resume.clock,
                run,
                put_back: false,
                version: first,
                push_at: None,
                caught_up: List::NEW,
                moved_on: List::NEW,
                stalled: List::NEW,
                stalled_at: None,
                index: first,
                asking_links: List::NEW,
                asking_entries: List::NEW,
                asking_pairs: List::NEW,
                unused: List::NEW,
                failed_pairs: List::NEW,
                asking_rooms: List::NEW,
                waiting_rooms: List::NEW,
                asking_members: List::NEW,
                moved_rooms: List::NEW,
                stalled_members: List::NEW,
                recent: List::NEW,
                serial: 0,
                reading: Reading::start(),
                passwords: Passwords::new(),
                operating: None,
                events: Deque::new(),
            },
        }
    }
}

/// The server for the length of one input and its drain.
pub(super) struct Engine<'a> {
    pub(super) state: &'a mut Kept,
    pub(super) links: Links<'a, ServerRole>,
    pub(super) accounts: Accounts<'a>,
    pub(super) versions: Versions<'a>,
    pub(super) entries: Slab<'a, Entry>,
    pub(super) entry_timers: Timers<'a>,
    pub(super) pairs: Slab<'a, Pair>,
    pub(super) by_pair: Index<'a>,
    pub(super) rooms: Rooms<'a>,
    pub(super) by_place: Index<'a>,
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
        let places = Versions::places(tables.accounts.len());
        Self {
            state: kept,
            links: Links::new(links, &mut heads.links, tables.links),
            accounts: Accounts {
                rows: tables.accounts,
                by_nick: Index::new(tables.by_nick, heads.hash),
                by_key: Index::new(tables.by_key, heads.hash),
                head: &mut heads.accounts,
            },
            versions: Versions::new(tables.versions.get_mut(..places).unwrap_or_default()),
            entries: Slab::new(tables.entries, &mut heads.entries),
            entry_timers: Timers::new(tables.entry_timers, &mut heads.entry_timers),
            pairs: Slab::new(tables.pairs, &mut heads.pairs),
            by_pair: Index::new(tables.by_pair, heads.hash),
            rooms: Rooms::new(tables.rooms, &mut heads.rooms, heads.hash),
            by_place: Index::new(tables.by_place, heads.hash),
            pool: Pool::new(tables.blocks, &mut heads.pool),
            work: tables.work,
        }
    }

    pub(super) fn handle_datagram<'d>(
        &mut self,
        from: SocketAddr,
        datagram: &'d mut [u8],
    ) -> Option<&'d [u8]> {
        // Who is who is known once the accounts are read.
        let ready = self.state.reading.is_done();
        let now = self.state.now;
        let admit = &mut |_: &_| if ready { Admit::Yes { outgoing: None } } else { Admit::No };
        match self.links.receive(now, from, datagram, admit) {
            Arrival::Packet { link, number, plaintext, .. } => {
                self.take_packet(link, number, plaintext);
                // There may be a password in it.
                plaintext.zeroize();
                None
            }
            Arrival::Reply(reply) => Some(reply),
            Arrival::Nothing | Arrival::Established { .. } => None,
        }
    }

    pub(super) fn handle_timeouts(&mut self) {
        let now = self.state.now;
        loop {
            let Self { links, pairs, entries, rooms, state, .. } = self;
            let visit = &mut |member: &mut Member, token, fate| {
                settle(member, pairs, &mut state.unused, entries, token, fate);
                settle_room(member, rooms, &mut state.moved_rooms, token, fate);
            };
            match links.timeout(now, visit) {
                Some(Expired::Dead(link)) => self.lose(link),
                Some(Expired::Nothing | Expired::Probing(_) | Expired::Unanswered(_)) => {}
                None => break,
            }
        }
        while let Some(slot) = self.entry_timers.pop_due(now) {
            if let Some(entry) = self.entries.id_at(slot) {
                self.handle_entry_timeout(entry);
            }
        }
        if self.state.push_at.is_some_and(|at| at <= now) {
            self.push_roster();
        }
        if self.state.stalled_at.is_some_and(|at| at <= now) {
            self.state.stalled_at = None;
            while let Some(link) = self.state.stalled.pop_front(self.links.slab_mut()) {
                self.read_mailbox(link);
            }
            self.retry_members();
            self.ask_for_failed();
        }
        self.readers_timeout();
        self.passwords_timeout();
        self.read_on();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.is_owing() {
            return Some(self.state.now);
        }
        [
            self.links.deadline(),
            self.entry_timers.deadline(),
            self.state.push_at,
            self.state.stalled_at,
            self.readers_deadline(),
            self.state.reading.deadline(),
            self.state.passwords.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Everything the server owes, in the order that keeps its promises: the store
    /// first, since a request must be durable before what relies on it.
    pub(super) fn next_owed(&mut self, scratch: &mut [u8; MAX_DATAGRAM]) -> Option<Owed<Event>> {
        if let Some(request) = self.next_request() {
            return Some(Owed::Request(request));
        }
        if let Some(event) = self.state.events.pop_front() {
            return Some(Owed::Event { event, length: 0 });
        }
        while let Some(link) = self.state.moved_on.pop_front(self.links.slab_mut()) {
            self.begin_pass(link);
        }
        self.take_turns();
        if let Some((to, length)) = self.next_datagram(scratch) {
            return Some(Owed::Send { to, length });
        }
        // Whom there was nothing in memory for has it read from the store.
        self.next_request().map(Owed::Request)
    }

    pub(super) fn tell(&mut self, event: Event) {
        let events = &mut self.state.events;
        if events.is_full() {
            // Those that are kept are fewer than there is room for: each comes once, or when asked.
            for _ in 0..EVENTS {
                let Some(oldest) = events.pop_front().filter(Event::is_awaited) else { break };
                let _ = events.push_back(oldest);
            }
        }
        // There is room: one just gave way.
        let _ = events.push_back(event);
    }

    /// A client knows more of this server than its store.
    pub(super) fn notice_put_back(&mut self) {
        if !core::mem::replace(&mut self.state.put_back, true) {
            self.tell(Event::PutBack);
        }
    }

    pub(super) fn unix(&self) -> UnixTime {
        self.state.clock.unix(self.state.now)
    }

    /// Seconds since 1970 by the wall clock: where numbers go on that must not be given twice,
    /// not even by a server whose store was put back.
    pub(super) fn seconds(&self) -> u32 {
        let seconds = self.unix().0 / 1_000_000;
        u32::try_from(seconds).map_or(LATEST, |seconds| seconds.min(LATEST))
    }

    pub(super) fn member(&mut self, link: Id<ServerLink>) -> Option<&mut Member> {
        self.links.get_mut(link).filter(|link| link.is_live()).map(|link| &mut link.role)
    }

    pub(super) fn shut_down(&mut self) {
        for slot in 0..self.links.slab_mut().capacity() as u32 {
            if let Some(link) = self.links.slab_mut().id_at(slot) {
                self.leave(link);
                self.links.close(link, CloseReason::Leaving, self.state.now);
            }
        }
    }

    fn is_owing(&self) -> bool {
        !self.state.events.is_empty()
            || !self.state.moved_on.is_empty()
            || !self.state.asking_links.is_empty()
            || !self.state.asking_entries.is_empty()
            || !self.state.asking_pairs.is_empty()
            || !self.state.asking_rooms.is_empty()
            || !self.state.asking_members.is_empty()
            || !self.state.moved_rooms.is_empty()
            || self.state.reading.is_owed()
            || self.state.passwords.is_owing()
            || self.state.operating.as_ref().is_some_and(Operating::is_owed)
            || self.links.is_owing()
    }

    /// A link fell silent for good.
    fn lose(&mut self, link: Id<ServerLink>) {
        let account = self.links.get(link).and_then(|link| link.role.registration.online());
        self.leave(link);
        self.links.remove(link);
        if let Some((account, row)) = account.and_then(|a| Some((a, self.accounts.get_mut(a)?))) {
            row.presence = Presence::Lost;
            let nick = row.nick;
            self.tell(Event::Lost { account, nick });
        }
    }

    /// The account behind a link, if it is registered.
    pub(super) fn author(&self, link: Id<ServerLink>) -> Option<Account> {
        self.links.get(link)?.role.registration.online()
    }

    fn next_datagram(&mut self, scratch: &mut [u8; MAX_DATAGRAM]) -> Option<(SocketAddr, usize)> {
        let now = self.state.now;
        if let Some(handshake) = self.links.next_handshake(scratch) {
            return Some(handshake);
        }
        while let Some((link, mut packet)) = self.links.begin(now, scratch) {
            if let Some(packet) = packet.as_mut().filter(|packet| !packet.is_closing()) {
                self.write_answer(link, packet);
                self.write_reply(link, packet);
                self.write_refusals(link, packet);
                self.write_progress(link, packet);
                self.write_roster(link, packet);
                self.write_mail(link, packet);
                self.write_rooms(link, packet);
            }
            if let Some(sent) = self.links.finish(link, packet, now) {
                return Some(sent);
            }
        }
        None
    }
}

impl<'a> Receiver<'a> for Engine<'a> {
    type Role = ServerRole;

    fn links(&mut self) -> (&mut Links<'a, ServerRole>, Instant) {
        (&mut self.links, self.state.now)
    }

    fn take_frame(&mut self, link: Id<ServerLink>, number: u64, frame: &Frame<'_>) -> FrameOutcome {
        match frame {
            Frame::Ack(ack) => {
                let Self { links, pairs, entries, rooms, state, .. } = self;
                let now = state.now;
                let visit = &mut |member: &mut Member, token, fate| {
                    settle(member, pairs, &mut state.unused, entries, token, fate);
                    settle_room(member, rooms, &mut state.moved_rooms, token, fate);
                };
                if let Err(rule) = links.acknowledged(link, ack, now, visit) {
                    return FrameOutcome::Broken(rule);
                }
                self.free_refusals(link, number);
                self.settle_reader(link);
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
            Frame::Close(_) => {
                self.leave(link);
                self.links.remove(link);
                FrameOutcome::Done
            }
            Frame::Register(register) => self.register(link, register),
            Frame::Login(login) => self.login(link, login),
            Frame::Deregister(()) => self.deregister(link),
            Frame::Deposit(deposit) => self.deposit(link, number, deposit),
            Frame::Inquire(inquire) => self.inquire(link, *inquire),
            Frame::MailAck(ack) => self.mail_acknowledged(link, ack),
            Frame::Read(read) => self.read_upto(link, *read),
            Frame::Command(command) => self.command(link, number, *command),
            Frame::Away(away) => self.away(link, number, away),
            Frame::Registered(_)
            | Frame::RegisterRefused(_)
            | Frame::PasswordWanted(_)
            | Frame::Deregistered(())
            | Frame::Roster(_)
            | Frame::Say(_)
            | Frame::Receipt(_)
            | Frame::Progress(_)
            | Frame::EntryRefused(_)
            | Frame::Former(_)
            | Frame::Mail(_)
            | Frame::MailboxEmpty(())
            | Frame::Joined(_)
            | Frame::RoomEntry(_)
            | Frame::Gone(_)
            | Frame::Outcome(_)
            | Frame::Names(_) => FrameOutcome::Broken(Violation::UnexpectedFrame),
        }
    }

    fn end(&mut self, link: Id<ServerLink>, rule: Violation) {
        if let Some(found) = self.links.get(link) {
            let (account, address) = (found.role.registration.account(), found.address);
            let nick = account.and_then(|account| Some(self.accounts.get(account)?.nick));
            self.tell(Event::Violation { nick, address, rule });
        }
        self.leave(link);
        self.links.close(link, rule.reason(), self.state.now);
    }
}

/// What a packet carried arrived or was lost: what was lost is owed again.
fn settle(
    member: &mut Member,
    pairs: &mut Slab<'_, Pair>,
    unused: &mut List<Pair, Unused>,
    entries: &mut Slab<'_, Entry>,
    token: Token,
    fate: Fate,
) {
    match (token, fate) {
        (Token::Answer, Fate::Lost) => member.answer = true,
        (Token::Reply, Fate::Lost) => member.reply_owed = true,
        (Token::Empty, Fate::Lost) => member.mailbox.empty = Empty::Owed,
        (Token::Page { serial, low }, fate) => {
            member.reader.fate(serial, low, fate == Fate::Lost);
        }
        (Token::Progress(pair), Fate::Lost) => {
            // Who is no longer online asks when it returns.
            if member.registration.online().is_some() {
                // What is owed must not make room for another pair.
                unused.remove(pairs, pair);
                member.progress.push_back(pairs, pair);
            }
        }
        (Token::Refusal(id), fate) => {
            let Some(entry) = entries.get_mut(id).filter(|entry| !entry.told) else { return };
            entry.told = fate == Fate::Acked;
            List::remove_from_either([&mut member.said, &mut member.refused], entries, id);
            // What was heard gives its memory back right after, where the pool is at hand.
            let list = if fate == Fate::Acked { &mut member.told } else { &mut member.refused };
            list.push_back(entries, id);
        }
        (Token::Former(id), Fate::Lost) => {
            if let Some(entry) = entries.get_mut(id).filter(|entry| entry.queued.is_linked()) {
                entry.former = true;
                let index = entry.index;
                member.sending.insert_where(entries, id, |other| other.index > index);
            }
        }
        (Token::Piece(id, run), Fate::Lost) => {
            // Another copy may have been acknowledged meanwhile.
            if let Some(entry) = entries.get_mut(id).filter(|entry| entry.queued.is_linked()) {
                entry.todo.insert(run);
                // Ahead of what comes after it: there may be room or credit for what is next only.
                let index = entry.index;
                member.sending.insert_where(entries, id, |other| other.index > index);
            }
        }
        (
            Token::Answer
            | Token::Reply
            | Token::Empty
            | Token::Progress(_)
            | Token::Former(_)
            | Token::Piece(..)
            | Token::Joined(_)
            | Token::Gone(_)
            | Token::Entry { .. },
            _,
        ) => {}
    }
}

/// The same for what it carried of rooms: whose cursor goes back has something to be sent,
/// ahead of all that waits for the credit that comes back once that is read.
fn settle_room(
    member: &mut Member,
    rooms: &mut Rooms<'_>,
    moved_on: &mut List<Membership, Turn>,
    token: Token,
    fate: Fate,
) {
    let (Token::Joined(id) | Token::Gone(id) | Token::Entry { reader: id, .. }) = token else {
        return;
    };
    let Some(membership) = rooms.members.get_mut(id).filter(|_| fate == Fate::Lost) else { return };
    match token {
        Token::Joined(_) => membership.greet = true,
        Token::Entry { index, run, .. } => membership.cursor.lost(index, run),
        _ => membership.cursor.gone_told(false),
    }
    match membership.queue {
        Queue::Waiting => {
            let Some(row) = rooms.slab.get_mut(membership.room) else { return };
            membership.queue = Queue::Ready;
            List::remove_from_either([&mut row.caught_up, moved_on], &mut rooms.members, id);
        }
        Queue::Ready => member.turns.remove(&mut rooms.members, id),
        Queue::None | Queue::Asking | Queue::Stalled => return,
    }
    member.turns.push_front(&mut rooms.members, id);
    member.short = 0;
}
