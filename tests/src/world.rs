//! A world: nodes, the network between them, and one queue of what happens next.
//! A seed decides all of it.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
};

use proto_core::{
    client::{self, MessageId, SayError, Status, To, Verdict},
    host::Log,
    id::{Account, Nick, PublicKey, Room as RoomNumber, RoomName},
    link::Drops,
    record::MAX_RECORD,
    server,
    session::Suite,
    time::Instant,
    wire::{PasswordWant, Retention, Wish},
};

use crate::{
    agenda::{Alarm, Event, Task},
    clock::{Clock, Moment, SECOND},
    counts::Counts,
    ctx::Ctx,
    disturbance::{Course, Disturbance, Requests, Service},
    faults::Faults,
    judgement::Judgement,
    laws::Laws,
    letter::Letter,
    memory::Room,
    network::{Network, attacker},
    node::{Kind, Node, Reaction, Told},
    place::{Place, SERVER},
    restored::RestoredLaws,
    restores::Backups,
    role::{Effect, Input, Judged, Outcome},
    script::{self, Act, Step},
    store::{Answer, Change, Committed, Manners, Request, Store},
    suite::{REAL, STAND_IN, Seals},
    trace::{self, Mark, Telling},
};

/// The most actions that one drain may give (law S12).
const MOST: usize = 3_000;

/// How long a host is down that crashed at a request.
const DOWN: Moment = SECOND / 2;

/// How long a datagram is waited for.
const PATIENCE: Moment = 60 * SECOND;

/// The most actions that the receiver of a datagram may owe.
const PROBED: usize = 100;

/// How long after it went offline a client still answers on links that it closed.
const CLOSING: Moment = 5 * SECOND;

/// How a world is made.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Decides everything that is not set here.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// One client for each; two may want the same nick.
    pub nicks: Vec<String>,
    /// On the real suite rather than on the stand-in.
    pub real: bool,
    /// Who gets a nick from the server.
    pub logins: server::Logins,
    /// How much is written down.
    pub telling: Telling,
}

/// A world.
#[allow(missing_debug_implementations)] // megabytes
pub struct World {
    pub(crate) cx: Ctx,
    /// The server, then the clients.
    pub nodes: Vec<Node>,
    /// What must hold, and what was seen so far.
    pub laws: Laws,
    /// What must hold instead, where stores go back.
    pub(crate) restored: Option<RestoredLaws>,
    pub(crate) backups: Backups,
    /// What is between them.
    pub network: Network,
    /// What stores are asked for, if something of it is to go wrong.
    requests: Option<Requests>,
    steps: Vec<Step>,
    /// Bytes that came from and went to addresses of nobody.
    victims: BTreeMap<(Place, SocketAddr), (usize, usize)>,
    words: u64,
}

impl World {
    /// A world in which every node has just been started, and nobody is online.
    pub fn new(setup: &Setup) -> Self {
        Self::prepared(setup, |_| {})
    }

    /// The same, with nodes that were changed before they were started.
    pub fn prepared(setup: &Setup, prepare: impl FnMut(&mut Node)) -> Self {
        Seals::begin(setup.telling != Telling::Silent);
        let faults = setup.faults.clone();
        let mut world = Self {
            network: Network::default(),
            restored: faults.restores.then(RestoredLaws::default),
            cx: Ctx::new(setup.seed, faults, setup.telling),
            nodes: Vec::new(),
            laws: Laws::default(),
            backups: Backups::default(),
            requests: None,
            steps: Vec::new(),
            victims: BTreeMap::new(),
            words: 0,
        };
        world.populate(setup);
        world.nodes.iter_mut().for_each(prepare);
        if let Kind::Server(config) = world.nodes[SERVER].kind {
            world.go_by(&config);
        }
        for place in 0..world.nodes.len() {
            world.boot(place);
        }
        if world.cx.faults.has_incidents() {
            world.cx.alarm(SECOND, Alarm::Incident);
        }
        if world.cx.faults.attacker {
            world.cx.alarm(SECOND, Alarm::Attack);
        }
        world
    }

    fn populate(&mut self, setup: &Setup) {
        let suite: &'static dyn Suite = if setup.real { &REAL } else { &STAND_IN };
        let people = setup.nicks.len();
        let address = SocketAddr::from((Ipv4Addr::new(198, 51, 100, 1), 12345));
        let mut server = server::Config { logins: setup.logins, ..server::Config::default() };
        self.laws.passwords = setup.logins == server::Logins::Password;
        if self.cx.faults.expiry {
            server.mail = std::time::Duration::from_mins(5);
            self.laws.expiry = true;
        }
        if self.cx.faults.brief {
            let (entries, bytes) =
                (1 + self.cx.dice.below(20) as u32, 500 + self.cx.dice.below(30_000));
            // Nor does a wall clock that jumps say how old an entry is.
            let age = if self.cx.faults.jumps {
                server.room.age
            } else {
                20 + self.cx.dice.below(400) as u32
            };
            server.room = Retention { entries, bytes, age };
        }
        if self.cx.faults.tiny {
            server.members = 2 + self.cx.dice.below(3) as u32;
        }
        let room = server_room(people, self.cx.faults.tiny);
        self.add("server", "host", address, Kind::Server(server), suite, room);
        let key = self.nodes[SERVER].key;
        self.laws.rooms.introduce(suite, &key);
        for (at, nick) in setup.nicks.iter().enumerate() {
            let pinned = self.cx.dice.chance(500).then_some(key);
            let Ok(name) = Nick::new(nick) else { continue };
            let mut config = client::Config::new(name, address, pinned);
            if self.cx.faults.expiry {
                config.expiry = std::time::Duration::from_mins(6);
            }
            let room = client_room(people, self.cx.faults.tiny);
            let from = SocketAddr::from((Ipv4Addr::new(198, 51, 100, 10 + at as u8), 40_000));
            self.add(&format!("{nick}[{}]", at + 1), nick, from, Kind::Client(config), suite, room);
        }
    }

    /// The server goes by this: so do the laws.
    pub(crate) fn go_by(&mut self, config: &server::Config) {
        // A wall clock that jumps makes mail as old as it likes.
        let kept = config.mail.as_micros() as u64;
        self.laws.mail_kept = if self.cx.faults.jumps { 0 } else { kept };
        self.laws.rooms.retention = Some(config.room);
    }

    fn add(
        &mut self,
        name: &str,
        nick: &str,
        address: SocketAddr,
        kind: Kind,
        suite: &'static dyn Suite,
        room: Room,
    ) {
        let Ok(nick) = Nick::new(nick) else { return };
        let secret = self.cx.dice.bytes();
        let key = PublicKey(suite.public(&secret));
        let drift = if self.cx.faults.drift {
            self.cx.dice.below(100_001).cast_signed() - 50_000
        } else {
            0
        };
        let unix = 1_700_000_000 * SECOND + self.cx.dice.below(SECOND);
        let place = self.nodes.len();
        self.laws.introduce(key, place);
        self.cx.introduce(name);
        self.network.introduce(address);
        let seed = self.cx.dice.bytes();
        self.nodes.push(Node {
            name: name.into(),
            nick,
            key,
            place,
            kind,
            role: None,
            store: Store::default(),
            clock: Clock::new(drift, unix),
            boots: 0,
            life: 0,
            run: crate::laws::Run::default(),
            wants_online: false,
            away: String::new(),
            refused: None,
            passwords: vec![format!("the password of {nick}")],
            wrong: 0,
            told: Vec::new(),
            put_back: 0,
            ready: false,
            sent: 0,
            wakes: 0,
            secret,
            suite,
            room,
            seed,
            wake: None,
            complete: false,
            paused: false,
            backlog: std::collections::VecDeque::new(),
            torn: None,
            offline: None,
        });
    }

    /// What the users are going to do, from now on.
    pub fn follow(&mut self, steps: &[Step]) {
        self.steps = steps.to_vec();
        self.steps.reverse();
        if let Some(step) = self.steps.last() {
            self.cx.alarm(step.pause(), Alarm::Step);
        }
    }

    /// The script is through.
    pub fn is_followed(&self) -> bool {
        self.steps.is_empty()
    }

    /// Microseconds since it began.
    pub fn now(&self) -> Moment {
        self.cx.now()
    }

    /// What happened so far.
    pub fn counts(&self) -> &Counts {
        &self.cx.counts
    }

    /// The fingerprint of all that happened so far.
    pub fn fingerprint(&self) -> u64 {
        self.cx.fingerprint()
    }

    /// How many clients there are.
    pub fn clients(&self) -> usize {
        self.nodes.len() - 1
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Moment) {
        self.run_until(self.cx.now() + span);
    }

    /// Lets time pass up to a moment.
    pub fn run_until(&mut self, end: Moment) {
        while self.advance(end) {}
        self.cx.pass(end);
    }

    /// The next thing happens, if it does up to a moment.
    pub(crate) fn advance(&mut self, end: Moment) -> bool {
        let Some(event) = self.cx.next(end) else { return false };
        self.happen(event);
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { letter, damaged } => self.arrive(letter, damaged),
            Event::Release => self.network.release(&mut self.cx),
            Event::Wake(place) => {
                self.nodes[place].wake = None;
                self.nodes[place].wakes += 1;
                self.input(place, Input::Timeout);
            }
            Event::Of(place, life, task) if self.nodes[place].life == life => match task {
                Task::Commit => self.commit(place),
                Task::Answer(answer) => {
                    self.input(place, Input::Answer(answer));
                }
                Task::Judged(ticket, judged) => {
                    self.input(place, Input::Authenticated(ticket, judged));
                }
                Task::Type => self.type_password(place),
                Task::Resume => self.resume(place),
                Task::Boot => self.boot(place),
            },
            Event::Of(..) => {}
            Event::Alarm(Alarm::Step) => self.step(),
            Event::Alarm(Alarm::Incident) => self.incident(),
            Event::Alarm(Alarm::Attack) => self.attack(),
        }
    }

    // ---- what users do

    fn step(&mut self) {
        let Some(step) = self.steps.pop() else { return };
        let clients = self.clients();
        let client = |n: u8| 1 + usize::from(n) % clients;
        match step.act {
            Act::Register(who) => self.register(client(who)),
            Act::Deregister(who) => self.deregister(client(who)),
            Act::Say(who, to, size) => {
                let (who, to) = (client(who), client(to));
                let to = self.nodes[to].nick;
                let text = self.words(who, &to.to_string(), size.into());
                // Why nothing was sent is the user's business.
                let _ = self.say(who, to, text);
            }
            Act::SayIn(who, room, size) => {
                let (who, to) = (client(who), script::room(room));
                let text = self.words(who, &format!("{to:?}"), size.into());
                let _ = self.say(who, to, text);
            }
            Act::Create(who, room) => self.wish_of(client(who), room, Wish::Create),
            Act::Join(who, room) => self.wish_of(client(who), room, Wish::Join),
            Act::Leave(who, room) => self.wish_of(client(who), room, Wish::Leave),
            Act::List(who, room) => {
                let from = Account(0);
                let wish = match script::room(room) {
                    To::Room(name) => Wish::Members { of: Some(name), from },
                    _ if room == 0 => Wish::Members { of: None, from },
                    _ => Wish::Rooms { from: RoomNumber(0) },
                };
                self.wish(client(who), wish);
            }
            Act::Away(who, away) => {
                let text = if away { "gone fishing" } else { "" };
                self.set_away(client(who), text);
            }
            Act::Quit(who) => self.quit(client(who)),
            Act::Crash(who) => self.crash(client(who)),
            Act::Restart(who) => self.boot(client(who)),
            Act::CrashServer => self.crash(SERVER),
            Act::RestartServer => self.boot(SERVER),
            Act::CutOff(who) => self.network.cut_off(&mut self.cx, client(who), 30 * SECOND),
            Act::Heal => self.heal(),
        }
        if let Some(step) = self.steps.last() {
            self.cx.alarm(step.pause(), Alarm::Step);
        }
    }

    /// A text of its own, of about that many bytes.
    fn words(&mut self, who: Place, to: &str, size: usize) -> String {
        self.words += 1;
        let mut text = format!("{}:{}>{to} ", self.words, self.nodes[who].nick);
        while text.len() < size {
            text.push_str("la ");
        }
        text
    }

    /// Someone's identity is started on another device too, with a state and an address
    /// of its own.
    pub fn twin(&mut self, place: Place, name: &str) -> Place {
        let twin = self.second(place, name);
        self.boot(twin);
        twin
    }

    /// The same, without its being started.
    pub(crate) fn second(&mut self, place: Place, name: &str) -> Place {
        let Node { nick, kind, suite, room, secret, .. } = self.nodes[place];
        let twin = self.nodes.len();
        let address = SocketAddr::from((Ipv4Addr::new(198, 51, 100, 200 + twin as u8), 40_000));
        self.add(name, &nick.to_string(), address, kind, suite, room);
        self.nodes[twin].secret = secret;
        self.nodes[twin].key = self.nodes[place].key;
        twin
    }

    /// Someone's nick is started on another device too, with a key, a state and an address
    /// of its own.
    pub fn device(&mut self, place: Place, name: &str) -> Place {
        let Node { nick, kind, suite, room, .. } = self.nodes[place];
        let device = self.nodes.len();
        let address = SocketAddr::from((Ipv4Addr::new(198, 51, 100, 200 + device as u8), 40_000));
        self.add(name, &nick.to_string(), address, kind, suite, room);
        let (key, first) = (self.nodes[device].key, self.nodes[place].key);
        self.laws.relate(key, first);
        self.boot(device);
        device
    }

    /// A user goes online.
    pub fn register(&mut self, who: Place) {
        self.nodes[who].wants_online = true;
        self.input(who, Input::Register);
    }

    /// A user goes offline.
    pub fn deregister(&mut self, who: Place) {
        self.nodes[who].wants_online = false;
        self.input(who, Input::Deregister);
    }

    /// A user types a password, unless there is none left to try.
    fn type_password(&mut self, who: Place) {
        let node = &self.nodes[who];
        if let Some(password) = node.passwords.get(node.wrong).cloned() {
            self.input(who, Input::Authenticate(password));
        }
    }

    /// A user says something; `None` if the host does not run or stands still.
    pub fn say(
        &mut self,
        who: Place,
        to: impl Into<To>,
        text: String,
    ) -> Option<Result<MessageId, SayError>> {
        self.input(who, Input::Say { to: to.into(), text })
    }

    /// A user wishes something of the server's rooms.
    pub fn wish(&mut self, who: Place, wish: Wish) {
        self.laws.rooms.wished(self.nodes[who].key, &wish);
        self.input(who, Input::Wish(wish));
    }

    fn wish_of(&mut self, who: Place, room: u8, wish: impl Fn(RoomName) -> Wish) {
        if let To::Room(name) = script::room(room) {
            self.wish(who, wish(name));
        }
    }

    /// A user is away from the keyboard, or, with no text, back.
    pub fn set_away(&mut self, who: Place, text: &str) {
        self.input(who, Input::Away(text.into()));
    }

    /// The operator does something to the account that has a nick.
    pub fn operate(&mut self, nick: Nick, operation: server::Operation) {
        self.input(SERVER, Input::Operate(nick, operation));
    }

    /// A host ends its role properly, and starts it again at once.
    pub fn quit(&mut self, place: Place) {
        self.stop(place);
        self.boot(place);
    }

    /// A host ends its role properly.
    pub(crate) fn stop(&mut self, place: Place) {
        self.input(place, Input::ShutDown);
        while self.nodes[place].role.is_some() && self.nodes[place].store.waiting() > 0 {
            self.commit(place);
        }
        self.end(place);
    }

    /// A host crashes.
    pub fn crash(&mut self, place: Place) {
        if self.nodes[place].role.is_some() {
            self.cx.counts.crashes += 1;
            self.end(place);
        }
    }

    fn end(&mut self, place: Place) {
        self.cx.line(|names| format!("{} ends", names[place]));
        self.cx.mark(place, Mark::Ends);
        self.nodes[place].crash();
        self.wake_at(place, None);
    }

    /// A host starts its role, if it does not run.
    pub fn boot(&mut self, place: Place) {
        if self.nodes[place].role.is_some() {
            return;
        }
        let stale = self.cx.faults.stale_seed && self.cx.dice.chance(500);
        let fresh = self.cx.dice.bytes();
        let base = self.cx.dice.below(1 << 40);
        let node = &mut self.nodes[place];
        let seed = if stale { node.seed } else { fresh };
        node.boot(self.cx.now(), base, seed);
        if let Some(laws) = &mut self.restored {
            laws.started(place);
        }
        self.cx.line(|names| format!("{} starts", names[place]));
        self.cx.mark(place, Mark::Starts);
        self.reschedule(place);
        if self.nodes[place].wants_online {
            self.input(place, Input::Register);
        }
    }

    /// A host stands still for a while.
    pub fn pause(&mut self, place: Place, span: Moment) {
        if self.nodes[place].role.is_some() && !self.nodes[place].paused {
            self.cx.line(|names| format!("{} stands still", names[place]));
            self.nodes[place].paused = true;
            self.cx.task(span, self.nodes[place].life_of(), Task::Resume);
        }
    }

    pub(crate) fn resume(&mut self, place: Place) {
        self.nodes[place].paused = false;
        let backlog = std::mem::take(&mut self.nodes[place].backlog);
        for input in backlog {
            self.input(place, input);
        }
    }

    // ---- what the network brings

    pub(crate) fn arrive(&mut self, letter: Letter, damaged: bool) {
        let Some(place) = self.network.receiver(&letter) else { return };
        let Letter { from, bytes, .. } = letter;
        if attacker::is_victim(from) {
            self.victims.entry((place, from)).or_default().0 += bytes.len();
        }
        self.cx.line(|names| {
            let (name, what) = (&names[place], trace::describe(&bytes));
            let damaged = if damaged { " (damaged)" } else { "" };
            format!("  {name} <- {from}: {what}{damaged}")
        });
        self.input(place, Input::Datagram { from, bytes, damaged });
    }

    fn send(&mut self, place: Place, to: SocketAddr, datagram: Vec<u8>) {
        self.offline_sends_nothing(place);
        if attacker::is_victim(to) {
            self.spare_victim(place, to, &datagram);
        }
        self.network.send(&mut self.cx, place, to, datagram);
    }

    /// Lets time pass until the datagram to [`Network::intercept`] is there.
    ///
    /// # Panics
    /// When nobody sends one within a minute.
    pub fn intercepted(&mut self) -> Letter {
        let end = self.cx.now() + PATIENCE;
        loop {
            if let Some(letter) = self.network.intercepted() {
                return letter;
            }
            assert!(self.advance(end), "nobody sent what was to be intercepted");
        }
    }

    /// A datagram arrives.
    pub fn deliver(&mut self, letter: &Letter) {
        self.arrive(letter.clone(), false);
    }

    /// Hands a datagram over and looks at what comes of it, which is not carried out:
    /// for one that should have no effect, or one answer. `None` if nobody is there.
    pub fn probe(&mut self, letter: &Letter) -> Option<Reaction> {
        let now = self.cx.now();
        let node = &mut self.nodes[self.network.place(letter.to)?];
        let now = node.clock.instant(now);
        let role = node.role.as_mut()?;
        let (drops, deadline) = (role.drops(), role.deadline());
        let (from, bytes) = (letter.from, letter.bytes.clone());
        let outcome = role.take(now, Input::Datagram { from, bytes, damaged: true }, PROBED);
        let after = (role.drops(), role.deadline());
        node.complete = outcome.complete;
        Some(Reaction {
            effects: outcome.effects,
            drops: (drops, after.0),
            deadline: (deadline, after.1),
        })
    }

    /// S7 and S14: an address that proved nothing gets Retries only, half as much as came from it.
    fn spare_victim(&mut self, place: Place, to: SocketAddr, datagram: &[u8]) {
        let (came, went) = self.victims.entry((place, to)).or_default();
        *went += datagram.len();
        let spared = datagram.first() == Some(&3) && *went * 2 <= *came;
        let (came, went) = (*came, *went);
        self.cx.demand(place, spared, || {
            let what = trace::describe(datagram);
            format!("S7: {what} to an unproven address; {went} bytes went for {came}")
        });
    }

    /// A client that is offline sends nothing but farewells.
    fn offline_sends_nothing(&mut self, place: Place) {
        let (now, node) = (self.cx.now(), &mut self.nodes[place]);
        let Some(client) = node.client() else { return };
        let offline = client.status() == Status::Offline;
        node.offline = offline.then(|| node.offline.unwrap_or(now));
        let late = node.offline.is_some_and(|since| now - since > CLOSING);
        self.cx.demand(place, !late, || "an offline client sends".into());
    }

    fn attack(&mut self) {
        let keys: Vec<_> = self.nodes.iter().map(|node| node.key).collect();
        self.network.attack(&mut self.cx, &keys);
    }

    // ---- what the store does

    fn commit(&mut self, place: Place) {
        if self.nodes[place].role.is_none() {
            return;
        }
        let service = self.requests.as_mut().map_or(Service::Well, |all| all.serve(place));
        match service {
            Service::Never => return self.crash_and_restart(place),
            Service::Not => {
                let manners = Manners { fails: 1_000, ..Manners::default() };
                self.nodes[place].store.behave(manners);
            }
            Service::Well | Service::Last => {}
        }
        let Self { nodes, laws, restored, cx, .. } = self;
        let node = &mut nodes[place];
        let unix = node.clock.believed(cx.now());
        if place == SERVER {
            laws.rooms.time = unix;
        }
        let committed = node.store.commit(cx.now(), &mut cx.dice);
        let change = committed.as_ref().and_then(|committed| committed.change.as_ref());
        if let Some(Change::Put { log, before: None, .. }) = change {
            let read = matches!(log, Log::Inbox(of) if laws.rooms.room(of).is_some());
            cx.counts.read += u64::from(read);
            cx.counts.entries += u64::from(matches!(log, Log::Room(_)));
        }
        let judgement = match (change, restored) {
            (None, _) => Ok(()),
            (Some(change), Some(laws)) => laws.changed(place, node, change),
            (Some(change), None) => laws.changed(node.key, &node.run, unix, &node.store, change),
        };
        let changed = change.is_some();
        self.cx.judge(place, judgement);
        if let Some(requests) = self.requests.as_mut().filter(|_| changed) {
            requests.changed();
        }
        match service {
            Service::Not => self.nodes[place].store.behave(Manners::default()),
            Service::Last => self.crash_and_restart(place),
            Service::Well | Service::Never => {}
        }
        if let Some(Committed { answer, at, .. }) = committed {
            let failed = matches!(
                answer,
                Answer::Stored { done: false, .. } | Answer::Read { found: None, .. }
            );
            self.cx.counts.store_failures += u64::from(failed);
            if failed {
                self.cx.line(|names| format!("{}'s store fails", names[place]));
            }
            let span = at - self.cx.now();
            self.cx.task(span, self.nodes[place].life_of(), Task::Answer(answer));
        }
    }

    fn crash_and_restart(&mut self, place: Place) {
        self.crash(place);
        self.cx.task(DOWN, self.nodes[place].life_of(), Task::Boot);
    }

    /// Counts what is sent and asked for from now on, with one thing of it to go wrong.
    pub fn disturb(&mut self, disturbance: Disturbance) {
        self.network.disturb(disturbance);
        self.requests = Some(Requests::new(disturbance));
    }

    /// What was sent and asked for since [`Self::disturb`].
    pub fn course(&self) -> Course {
        let requests = self.requests.as_ref().map(Requests::all).unwrap_or_default().to_vec();
        Course { datagrams: self.network.disturbed(), requests }
    }

    /// The server's store spoils an entry of a room.
    pub fn spoil(&mut self, room: RoomNumber, index: u64) {
        self.nodes[SERVER].store.damage(Log::Room(room), index);
        self.laws.rooms.spoil(room, index);
    }

    // ---- what roles do

    /// Passes an input to a node's role and carries out what it owes then.
    pub(crate) fn input(
        &mut self,
        place: Place,
        input: Input,
    ) -> Option<Result<MessageId, SayError>> {
        let node = &mut self.nodes[place];
        let role = node.role.as_mut()?;
        if node.paused {
            node.keep(input);
            return None;
        }
        let now = node.clock.instant(self.cx.now());
        let was_due = role.deadline().is_some_and(|at| at <= now);
        let idle = node.complete && matches!(input, Input::Timeout) && !was_due;
        let watched = match &input {
            Input::Datagram { damaged, .. } if node.complete && !was_due => {
                Some((*damaged, role.drops(), role.deadline()))
            }
            _ => None,
        };
        let words = match &input {
            Input::Say { text, .. } | Input::Away(text) => Some(text.clone()),
            _ => None,
        };
        let is_away = matches!(input, Input::Away(_));
        let to = if let Input::Say { to, .. } = &input { Some(*to) } else { None };
        let hoards =
            self.cx.faults.hoards && !matches!(input, Input::Timeout) && self.cx.dice.chance(600);
        let early = self.cx.faults.sloppy && self.cx.dice.chance(30);
        let most = match (hoards, early) {
            (true, _) => 0,
            (false, true) => self.cx.dice.index(4),
            (false, false) => MOST,
        };
        let outcome = role.take(now, input, most);
        node.complete = outcome.complete;
        let (deadline, drops) = (role.deadline(), role.drops());
        let said = outcome.said;
        self.reschedule(place);
        match (&said, words) {
            (Some(Ok(id)), Some(text)) => {
                let judgement = match (&mut self.restored, to) {
                    (Some(laws), Some(to)) => laws.said(place, &self.nodes[place], id, to, &text),
                    _ => self.nodes[place].run.said(id, &text),
                };
                self.cx.judge(place, judgement);
            }
            (None, Some(text)) if is_away && !outcome.idle => {
                self.nodes[place].away = text;
            }
            _ => {}
        }
        self.carry_out(place, &outcome.effects);
        self.cx.demand(place, outcome.complete || hoards || early, || {
            format!("S12: a drain gave {MOST} actions and was not through")
        });
        let quiet = deadline.is_none_or(|at| at > now);
        self.cx.demand(place, quiet || !outcome.complete, || {
            format!("the deadline {deadline:?} is not after {now:?} although the drain is through")
        });
        self.cx.demand(place, !idle || outcome.effects.is_empty(), || {
            format!("it did something before its deadline: {:?}", outcome.effects)
        });
        let twice = Seals::twice();
        self.cx.demand(place, twice.is_none(), || {
            format!("S8: nonce {twice:?} was used for two texts")
        });
        if let Some(before) = watched {
            self.left_no_trace(place, before, (drops, deadline), &outcome);
        }
        said
    }

    /// S6: what was dropped or damaged changed nothing.
    fn left_no_trace(
        &self,
        place: Place,
        (damaged, drops, deadline): (bool, Drops, Option<Instant>),
        (drops_after, deadline_after): (Drops, Option<Instant>),
        outcome: &Outcome,
    ) {
        let no_room = drops.no_room;
        let dropped = Drops { no_room, ..drops_after } != drops;
        if !(dropped || damaged) {
            return;
        }
        let answers = |effect: &Effect| matches!(effect, Effect::Send { datagram, .. } if matches!(datagram.first(), Some(3 | 5)));
        let silent = if dropped {
            outcome.effects.is_empty()
        } else {
            outcome.effects.len() <= 1 && outcome.effects.iter().all(answers)
        };
        self.cx.demand(place, silent && (deadline == deadline_after || !outcome.complete), || {
            format!(
                "S6: a datagram that was {} had effects {:?}, deadline {deadline:?} -> {deadline_after:?}",
                if dropped { "dropped" } else { "damaged" },
                outcome.effects
            )
        });
    }

    pub(crate) fn reschedule(&mut self, place: Place) {
        let late = match (self.cx.faults.sloppy, self.cx.faults.hoards) {
            (true, _) => self.cx.dice.below(20_000),
            (false, true) => self.cx.dice.below(2_000),
            (false, false) => 0,
        };
        let node = &mut self.nodes[place];
        let deadline = node.role.as_mut().and_then(crate::role::Role::deadline);
        let at = deadline.map(|at| node.clock.moment(at).max(self.cx.now()) + late);
        self.wake_at(place, at);
    }

    fn wake_at(&mut self, place: Place, at: Option<Moment>) {
        if let Some(key) = self.nodes[place].wake.take() {
            self.cx.cancel(key);
        }
        let now = self.cx.now();
        self.nodes[place].wake = at.map(|at| self.cx.after(at - now, Event::Wake(place)));
    }

    fn carry_out(&mut self, place: Place, effects: &[Effect]) {
        let torn = self.nodes[place].torn.take_if(|torn| *torn < effects.len());
        let whole = torn.unwrap_or(effects.len());
        for effect in effects.iter().take(whole) {
            self.cx.mark(place, Mark::Owes(effect));
            match effect {
                Effect::Send { to, datagram } => self.send(place, *to, datagram.clone()),
                Effect::Ask(ticket, request) => {
                    self.cx.line(|names| {
                        format!("{} asks its store: {}", names[place], brief(request))
                    });
                    let node = &mut self.nodes[place];
                    if let Request::Read { log: log @ Log::Room(_), from, .. } = request {
                        let first = node.store.log(*log).and_then(|l| l.records.keys().next());
                        let behind = node.ready && first.is_some_and(|first| from > first);
                        self.cx.counts.recalled += u64::from(behind);
                    }
                    let now = self.cx.now();
                    let at = node.store.ask(now, *ticket, request.clone(), &mut self.cx.dice);
                    self.cx.task(at - now, node.life_of(), Task::Commit);
                }
                Effect::Authenticate(ticket, judged) => {
                    let busy = self.cx.faults.failing_store && self.cx.dice.chance(100);
                    let judged = if busy { Judged::Busy } else { judged.clone() };
                    let span = 20_000 + self.cx.dice.below(self.cx.faults.tarries(200_000));
                    self.cx.task(span, self.nodes[place].life_of(), Task::Judged(*ticket, judged));
                }
                Effect::Tell(event, text) => self.tell(place, *event, text),
                Effect::Note(event) => self.note(place, *event),
            }
        }
        if torn.is_some() {
            self.crash(place);
            let pause = self.cx.dice.below(10 * SECOND);
            self.cx.task(pause, self.nodes[place].life_of(), Task::Boot);
        }
    }

    fn note(&mut self, place: Place, event: server::Event) {
        self.cx.line(|names| format!("{} notes {event:?}", names[place]));
        self.nodes[place].ready |= event == server::Event::Ready;
        let sound = match event {
            server::Event::Damaged => false,
            server::Event::PutBack => {
                self.nodes[place].put_back += 1;
                self.restored.as_ref().is_some_and(RestoredLaws::server_went_back)
            }
            server::Event::EntryDamaged { room, index, .. } => {
                self.laws.rooms.is_spoiled(room, index)
            }
            _ => true,
        };
        self.cx.demand(place, sound, || format!("it notes {event:?}"));
    }

    fn tell(&mut self, place: Place, event: client::Event, text: &[u8]) {
        self.cx.line(|names| {
            let text: String = String::from_utf8_lossy(text).chars().take(40).collect();
            format!("{} tells {event:?} {text}", names[place])
        });
        self.count(&event);
        let words = String::from_utf8_lossy(text).into_owned();
        let node = &mut self.nodes[place];
        node.told.push(Told { event, text: words });
        match event {
            client::Event::Registered { .. } => node.refused = None,
            client::Event::RegisterRefused(why) => {
                node.refused = Some(why);
                node.away.clear();
            }
            client::Event::Deregistered { .. }
            | client::Event::Displaced
            | client::Event::ServerClosed(_)
            | client::Event::WrongServerKey => node.away.clear(),
            client::Event::PasswordWanted { why, .. } => {
                node.wrong += usize::from(why == PasswordWant::Wrong);
                let span = self.cx.dice.below(self.cx.faults.tarries(3 * SECOND));
                self.cx.task(span, node.life_of(), Task::Type);
            }
            _ => {}
        }
        let judgement = match &mut self.restored {
            Some(laws) => laws.told(place, &self.nodes, &event, text, self.cx.now()),
            None => self.judge_told(place, &event, text),
        };
        self.cx.judge(place, judgement);
    }

    fn count(&mut self, event: &client::Event) {
        let counts = &mut self.cx.counts;
        let count = match event {
            client::Event::Accepted { .. } => &mut counts.accepted,
            client::Event::Verdict { verdict: Verdict::Stored, .. } => &mut counts.stored,
            client::Event::Verdict {
                verdict: Verdict::Refused(_) | Verdict::Failed(_), ..
            } => &mut counts.refused,
            client::Event::Verdict { verdict: Verdict::Expired, .. } => &mut counts.expired,
            client::Event::Message { by_server: true, .. } => &mut counts.by_server,
            client::Event::Message { .. } => &mut counts.direct,
            client::Event::RoomGap { .. } => &mut counts.gaps,
            client::Event::Outcome { result: Ok(()), .. } => &mut counts.wishes,
            client::Event::Deposited { .. } => &mut counts.deposits,
            client::Event::Relayed { .. } => &mut counts.relays,
            _ => return,
        };
        *count += 1;
    }

    /// Whether something that a user is told is so, where no store goes back.
    fn judge_told(&mut self, place: Place, event: &client::Event, text: &[u8]) -> Judgement {
        self.laws.rooms.time = self.nodes[SERVER].clock.believed(self.cx.now());
        let Self { nodes, laws, .. } = self;
        let Node { key, nick, run, .. } = &mut nodes[place];
        match *event {
            client::Event::Accepted { id, .. } => laws.accepted(*key, run, &id),
            client::Event::Verdict { id, verdict, .. } => laws.verdict(*key, run, &id, verdict),
            client::Event::Message { from, position, .. } => {
                laws.shown(*key, run, &from, position.to_record_number(), text)
            }
            client::Event::RoomMessage { room, index, from, .. } => {
                laws.room_shown((*key, *nick), run, &room, index, &from, text)
            }
            client::Event::RoomReset { room } => {
                Err(format!("the log of {room:?} is said to be another, and none was put back"))
            }
            client::Event::Outcome { wish, result } => laws.outcome(*key, &wish, result),
            client::Event::Deposited { id, .. } => laws.deposited(run, &id),
            _ => Ok(()),
        }
    }
}

fn brief(request: &Request) -> String {
    match request {
        Request::Put { log, number, record } => {
            format!("put {log:?} {number} ({} B)", record.len())
        }
        Request::Trim { log, upto } => format!("trim {log:?} up to {upto}"),
        Request::Read { log, from, most } => format!("read {log:?} from {from}, {most} at most"),
    }
}

fn server_room(people: usize, tiny: bool) -> Room {
    let work = MAX_RECORD;
    if tiny {
        Room { links: people + 3, dials: 0, people, messages: 6, blocks: 140, sent: 24, work }
    } else {
        let links = 4 * people + 8;
        Room { links, dials: 0, people: 2 * people, messages: 256, blocks: 4096, sent: 1024, work }
    }
}

fn client_room(people: usize, tiny: bool) -> Room {
    let work = MAX_RECORD;
    if tiny {
        Room { links: 4, dials: 3, people: people + 5, messages: 12, blocks: 280, sent: 24, work }
    } else {
        Room { links: 32, dials: 16, people: 32, messages: 256, blocks: 4096, sent: 512, work }
    }
}
