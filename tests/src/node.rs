//! A node: a host with its clocks, its store and its user, and the role it runs.

use std::{collections::VecDeque, convert::Infallible};

use proto_core::{
    client::{self, MessageId, Status, To},
    host::{Log, Resume, Ticket},
    id::{Nick, PublicKey, SecretKey},
    link::Drops,
    random::Seed,
    server,
    session::{Identity, Suite},
    time::Instant,
};

use crate::{
    agenda::{Entry, Event, Task},
    clock::{Clock, Moment, SECOND},
    ctx::Ctx,
    judgement::Party,
    laws::conduct::{Standing, Turn},
    letter::Letter,
    memory::{ClientMemory, Room, ServerMemory},
    place::Place,
    role::{Effect, Input, Judged, Role},
    store::{Answer, Change, Committed, Manners, Request, Store},
    trace::Mark,
    user::User,
};

/// Datagrams that a socket keeps for a host that stands still.
const SOCKET: usize = 64;

/// The most actions that one drain may give (law S12).
const MOST: usize = 3_000;

/// The most actions that the receiver of a datagram may owe.
const PROBED: usize = 100;

/// What a node runs.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A client, with everything but its server's key.
    Client(client::Config),
    /// A server.
    Server(server::Config),
}

/// What a node goes by, from its next start on.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The nick of its user; a server's is not used.
    pub nick: Nick,
    /// What it runs.
    pub kind: Kind,
    /// What it computes with.
    pub(crate) suite: &'static dyn Suite,
    /// How much room its role has.
    pub room: Room,
}

/// A host and its role.
#[allow(missing_debug_implementations)] // kilobytes
pub struct Node {
    /// What it goes by, from its next start on.
    pub plan: Plan,
    /// Its user.
    pub user: User,
    /// Its durable state.
    pub store: Store,
    /// Its clocks.
    pub clock: Clock,
    /// How long it takes over a password, at the least.
    pub judging: Moment,
    place: Place,
    key: PublicKey,
    secret: [u8; 32],
    seed: [u8; 32],
    /// The role, while it runs.
    role: Option<Role>,
    /// How often it was started.
    life: u64,
    /// A server has read all there is.
    is_ready: bool,
    /// How often a server said that clients know more than its store.
    put_back: u64,
    /// When its deadline is due, and how often one was.
    wake: Option<Entry>,
    wakes: u64,
    /// The last drain came to its end.
    is_drained: bool,
    did_nothing: bool,
    is_paused: bool,
    backlog: VecDeque<Input>,
    /// It crashes in its next drain, after so many actions.
    torn: Option<usize>,
}

/// What a receiver made of a datagram.
#[derive(Debug)]
pub struct Reaction {
    /// What it owed then: nothing of it was carried out.
    pub effects: Vec<Effect>,
    /// What it had dropped so far, before and after.
    pub drops: (Drops, Drops),
    /// Its deadline, before and after.
    pub deadline: (Option<Instant>, Option<Instant>),
}

impl Reaction {
    /// Nothing came of it.
    pub fn is_silent(&self) -> bool {
        self.effects.is_empty() && self.is_calm()
    }

    /// It was counted as dropped, and nothing else came of it.
    pub fn is_drop(&self) -> bool {
        self.drops.0 != self.drops.1 && self.is_silent()
    }

    /// One datagram was owed and nothing else changed; that datagram.
    pub fn answer(&self) -> Option<&[u8]> {
        match self.effects.as_slice() {
            [Effect::Send { datagram, .. }] if self.is_calm() => Some(datagram),
            _ => None,
        }
    }

    fn is_calm(&self) -> bool {
        self.deadline.0 == self.deadline.1
    }
}

/// A message that the client took: its name, for whom, and its text.
pub(crate) type Said = (MessageId, To, String);

impl Node {
    /// A node that was never started.
    pub(crate) fn new(
        place: Place,
        plan: &Plan,
        secret: [u8; 32],
        seed: [u8; 32],
        clock: Clock,
    ) -> Self {
        Self {
            user: User::new(plan.nick),
            place,
            key: PublicKey(plan.suite.public(&secret)),
            secret,
            seed,
            role: None,
            store: Store::default(),
            clock,
            judging: 20_000,
            life: 0,
            is_ready: false,
            put_back: 0,
            wake: None,
            wakes: 0,
            is_drained: false,
            did_nothing: false,
            is_paused: false,
            backlog: VecDeque::new(),
            torn: None,
            plan: *plan,
        }
    }

    // ---- who it is, and how it stands

    /// Its key.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// Its secret key, for a copy of it.
    pub(crate) fn secret(&self) -> [u8; 32] {
        self.secret
    }

    /// The nick of its user.
    pub fn nick(&self) -> Nick {
        self.plan.nick
    }

    /// Who it is, to be judged.
    pub(crate) fn party(&self) -> Party<'_> {
        Party { place: self.place, key: self.key, nick: self.plan.nick, store: &self.store }
    }

    /// The client, if it is one that runs.
    pub fn client(&mut self) -> Option<&mut client::Client<ClientMemory>> {
        self.role.as_mut()?.client()
    }

    /// The server, if it is one that runs.
    pub fn server(&mut self) -> Option<&mut server::Server<ServerMemory>> {
        self.role.as_mut()?.server()
    }

    /// Whom its client knows, and by which key.
    pub(crate) fn known(&mut self) -> Vec<(Nick, PublicKey)> {
        let mut known = Vec::new();
        if let Some(client) = self.client() {
            client.for_each_peer(|peer| {
                if peer.known {
                    known.push((peer.nick, peer.key));
                }
            });
        }
        known
    }

    /// Its role did nothing with its last input, or does not run.
    pub(crate) fn did_nothing(&self) -> bool {
        self.did_nothing || !self.runs()
    }

    /// It is a client that is offline.
    pub(crate) fn is_offline(&mut self) -> bool {
        self.client().is_some_and(|client| client.status() == Status::Offline)
    }

    /// Its role runs.
    pub(crate) fn runs(&self) -> bool {
        self.role.is_some()
    }

    /// Names the life that it lives.
    pub(crate) fn life(&self) -> (Place, u64) {
        (self.place, self.life)
    }

    /// How often a server said that clients know more than its store.
    pub fn put_back(&self) -> u64 {
        self.put_back
    }

    /// How often a deadline woke it.
    pub(crate) fn wakes(&self) -> u64 {
        self.wakes
    }

    // ---- its life

    /// Starts the role anew, on what is durable.
    ///
    /// # Panics
    /// When the role does not take its tables.
    pub(crate) fn boot(&mut self, cx: &mut Ctx) {
        let stale = cx.faults.stale_seed && cx.dice.chance(500);
        let fresh = cx.dice.bytes();
        let base = cx.dice.below(1 << 40);
        if !stale {
            self.seed = fresh;
        }
        self.life += 1;
        self.clock.restart(cx.now(), base);
        (self.is_drained, self.is_paused, self.torn, self.is_ready) = (false, false, None, false);
        self.backlog.clear();
        self.role = Some(self.role(cx.now()));
        cx.line(|names| format!("{} starts", names[self.place]));
        cx.mark(self.place, Mark::Starts);
        self.reschedule(cx);
    }

    fn role(&mut self, now: Moment) -> Role {
        let Plan { kind, suite, room, .. } = self.plan;
        let identity = Identity::new(SecretKey(self.secret), suite);
        let resume = Resume { boot: self.store.boot(), clock: self.clock.read(now) };
        let now = self.clock.instant(now);
        let Ok(seed) = Seed::draw(|bytes| {
            bytes.copy_from_slice(&self.seed);
            Ok::<_, Infallible>(())
        });
        match kind {
            Kind::Client(config) => {
                let memory = ClientMemory::new(room);
                let client = client::Client::new(config, identity, seed, resume, now, memory);
                Role::Client(Box::new(client.expect("its tables fit together")))
            }
            Kind::Server(config) => {
                let memory = ServerMemory::new(room);
                let server = server::Server::new(config, identity, seed, resume, now, memory);
                Role::Server(Box::new(server.expect("its tables fit together")))
            }
        }
    }

    /// Its role ends, and everything that is not durable is gone.
    pub(crate) fn end(&mut self, cx: &mut Ctx) {
        cx.line(|names| format!("{} ends", names[self.place]));
        cx.mark(self.place, Mark::Ends);
        self.sum_up(cx);
        self.role = None;
        self.user.goes_away(String::new());
        self.store.crash();
        self.backlog.clear();
        (self.is_paused, self.torn) = (false, None);
        self.wake_at(cx, None);
    }

    /// Notes what its sessions counted.
    pub(crate) fn sum_up(&mut self, cx: &mut Ctx) {
        let Some(statistics) = self.role.as_mut().map(Role::statistics) else { return };
        cx.counts.rekeys += statistics.rekeys;
        for (rule, count) in statistics.violations.iter() {
            cx.line(|names| format!("{} found broken: {rule}", names[self.place]));
            cx.counts.violations += count;
        }
    }

    /// It crashes, if it runs.
    pub(crate) fn crash(&mut self, cx: &mut Ctx) {
        if self.runs() {
            cx.counts.crashes += 1;
            self.end(cx);
        }
    }

    /// It crashes, if it runs, and starts again so much later.
    pub(crate) fn crash_for(&mut self, cx: &mut Ctx, span: Moment) {
        self.crash(cx);
        cx.task(span, self.life(), Task::Boot);
    }

    /// It crashes in its next drain, after so many actions.
    pub(crate) fn crash_after(&mut self, actions: usize) {
        self.torn = Some(actions);
    }

    /// How many of so many actions it carries out before it crashes, if it does.
    pub(crate) fn crashes_within(&mut self, actions: usize) -> Option<usize> {
        self.torn.take_if(|torn| *torn < actions)
    }

    /// It stands still for a while.
    pub(crate) fn pause(&mut self, cx: &mut Ctx, span: Moment) {
        if self.runs() && !self.is_paused {
            cx.line(|names| format!("{} stands still", names[self.place]));
            self.is_paused = true;
            cx.task(span, self.life(), Task::Resume);
        }
    }

    /// It stands still no longer; what came meanwhile.
    pub(crate) fn resume(&mut self) -> VecDeque<Input> {
        self.is_paused = false;
        std::mem::take(&mut self.backlog)
    }

    /// It behaves from now on; what came while it stood still.
    pub(crate) fn heal(&mut self) -> VecDeque<Input> {
        self.store.behave(Manners::default());
        self.torn = None;
        self.resume()
    }

    /// Its wall clock is set, so many microseconds further or back.
    pub(crate) fn set_clock(&mut self, cx: &mut Ctx, by: i64) {
        self.clock.set(by);
        let wall = self.clock.read(cx.now());
        if let Some(role) = self.role.as_mut() {
            role.set_clock(wall);
        }
        cx.line(|names| format!("{}'s wall clock jumps by {by} us", names[self.place]));
    }

    // ---- what its role makes of things

    /// Passes an input to its role: what came of it, and what was said with it; nothing, if the
    /// role does not run or its host stands still.
    pub(crate) fn take(&mut self, cx: &mut Ctx, input: Input) -> Option<(Turn, Option<Said>)> {
        let role = self.role.as_mut()?;
        if self.is_paused {
            self.keep(input);
            return None;
        }
        let now = self.clock.instant(cx.now());
        let was_due = role.deadline().is_some_and(|at| at <= now);
        let at_rest = self.is_drained && !was_due;
        let is_timeout = matches!(input, Input::Timeout);
        let watched = match &input {
            Input::Datagram { damaged, .. } if at_rest => Some((standing(role), *damaged)),
            _ => None,
        };
        let (mut words, mut away) = (None, None);
        match &input {
            Input::Say { to, text } => words = Some((*to, text.clone())),
            Input::Away(text) => away = Some(text.clone()),
            _ => {}
        }
        let hoards = cx.faults.hoards && !is_timeout && cx.dice.chance(600);
        let early = cx.faults.sloppy && cx.dice.chance(30);
        let most = match (hoards, early) {
            (true, _) => 0,
            (false, true) => cx.dice.index(4),
            (false, false) => MOST,
        };
        if !cx.faults.stale_seed {
            role.freshen(|| cx.dice.bytes());
        }
        let outcome = role.take(now, input, most);
        let after = standing(role);
        (self.is_drained, self.did_nothing) = (outcome.complete, outcome.idle);
        if let Some(away) = away.filter(|_| !outcome.idle) {
            self.user.goes_away(away);
        }
        self.reschedule(cx);
        let said = match (&outcome.said, words) {
            (Some(Ok(id)), Some((to, text))) => Some((*id, to, text)),
            _ => None,
        };
        let (was_idle, is_cut_short) = (at_rest && is_timeout, hoards || early);
        Some((Turn { now, outcome, after, was_idle, is_cut_short, watched }, said))
    }

    /// Its role takes in a datagram, and what comes of it is looked at and not carried out.
    pub(crate) fn probe(&mut self, now: Moment, letter: &Letter) -> Option<Reaction> {
        let now = self.clock.instant(now);
        let role = self.role.as_mut()?;
        let before = standing(role);
        let (from, bytes) = (letter.from, letter.bytes.clone());
        let outcome = role.take(now, Input::Datagram { from, bytes, damaged: true }, PROBED);
        let after = standing(role);
        self.is_drained = outcome.complete;
        Some(Reaction {
            effects: outcome.effects,
            drops: (before.drops, after.drops),
            deadline: (before.deadline, after.deadline),
        })
    }

    /// Keeps an input for when the host runs again. A socket has room for so many datagrams.
    fn keep(&mut self, input: Input) {
        let is_datagram = |input: &Input| matches!(input, Input::Datagram { .. });
        let waiting = self.backlog.iter().filter(|input| is_datagram(input)).count();
        if !is_datagram(&input) || waiting < SOCKET {
            self.backlog.push_back(input);
        }
    }

    fn reschedule(&mut self, cx: &mut Ctx) {
        let late = match (cx.faults.sloppy, cx.faults.hoards) {
            (true, _) => cx.dice.below(20_000),
            (false, true) => cx.dice.below(2_000),
            (false, false) => 0,
        };
        let deadline = self.role.as_mut().and_then(Role::deadline);
        let at = deadline.map(|at| self.clock.moment(at).max(cx.now()) + late);
        self.wake_at(cx, at);
    }

    fn wake_at(&mut self, cx: &mut Ctx, at: Option<Moment>) {
        if let Some(entry) = self.wake.take() {
            cx.cancel(entry);
        }
        self.wake = at.map(|at| cx.after(at - cx.now(), Event::Wake(self.place)));
    }

    /// Its deadline is due.
    pub(crate) fn wakes_up(&mut self) {
        self.wake = None;
        self.wakes += 1;
    }

    // ---- what it does for its role

    /// It asks its store.
    pub(crate) fn ask(&mut self, cx: &mut Ctx, ticket: Ticket, request: Request) {
        cx.line(|names| format!("{} asks its store: {request}", names[self.place]));
        if let Request::Read { log: log @ Log::Room(_), from, .. } = &request {
            let first = self.store.log(*log).and_then(|log| log.records.keys().next());
            let behind = self.is_ready && first.is_some_and(|first| from > first);
            cx.counts.recalled += u64::from(behind);
        }
        let at = self.store.ask(cx.now(), ticket, request, &mut cx.dice);
        cx.task(at - cx.now(), self.life(), Task::Commit);
    }

    /// Its store carries the oldest request out, and answers later.
    pub(crate) fn commit(&mut self, cx: &mut Ctx) -> Option<Change> {
        let Committed { answer, at, change } = self.store.commit(cx.now(), &mut cx.dice)?;
        if matches!(answer, Answer::Stored { done: false, .. } | Answer::Read { found: None, .. }) {
            cx.counts.store_failures += 1;
            cx.line(|names| format!("{}'s store fails", names[self.place]));
        }
        cx.task(at - cx.now(), self.life(), Task::Answer(answer));
        change
    }

    /// It judges a password, which was found to be this, unless it has too much to do.
    pub(crate) fn judge(&mut self, cx: &mut Ctx, ticket: Ticket, judged: Judged) {
        let busy = cx.faults.failing_store && cx.dice.chance(100);
        let judged = if busy { Judged::Busy } else { judged };
        let span = self.judging + cx.dice.below(cx.faults.tarries(200_000));
        cx.task(span, self.life(), Task::Judged(ticket, judged));
    }

    /// It tells its user something, with a text.
    pub(crate) fn tell(&mut self, cx: &mut Ctx, event: client::Event, text: &[u8]) {
        let text = String::from_utf8_lossy(text).into_owned();
        cx.line(|names| {
            let text: String = text.chars().take(40).collect();
            format!("{} tells {event:?} {text}", names[self.place])
        });
        cx.counts.told(&event);
        self.user.hears(event, text);
        if let client::Event::PasswordWanted { .. } = event {
            let span = cx.dice.below(cx.faults.tarries(3 * SECOND));
            cx.task(span, self.life(), Task::Type);
        }
        // Where the server may lie, its word is not enough.
        if let client::Event::KeyChanged { nick, key, .. } = event
            && !cx.faults.dishonest
        {
            let span = cx.dice.below(cx.faults.tarries(3 * SECOND));
            cx.task(span, self.life(), Task::Trust(nick, key));
        }
    }

    /// It tells its operator something.
    pub(crate) fn note(&mut self, cx: &mut Ctx, event: server::Event) {
        cx.line(|names| format!("{} notes {event:?}", names[self.place]));
        self.is_ready |= event == server::Event::Ready;
        self.put_back += u64::from(event == server::Event::PutBack);
    }
}

fn standing(role: &mut Role) -> Standing {
    Standing { drops: role.drops(), deadline: role.deadline() }
}
