//! A world: nodes, the network between them, and one queue of what happens next.
//! A seed decides all of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
};

use proto_core::{
    client::{self, MessageId, SayError, Status, To, Verdict},
    host::{Log, Ticket},
    id::{Account, Nick, PublicKey, Room as RoomNumber, RoomName},
    link::Drops,
    record::MAX_RECORD,
    server,
    session::Suite,
    time::Instant,
    wire::{PasswordWant, Retention, Wish},
};

use crate::{
    attacker::{self, Attacker},
    clock::{Clock, Moment, SECOND},
    counts::Counts,
    dice::{Dice, fingerprint},
    disturbance::{Course, Service},
    faults::Faults,
    interception::Interception,
    judgement::Judgement,
    laws::Laws,
    memory::Room,
    nat::Nat,
    network::{Network, Passage},
    node::{Kind, Node, Told},
    place::{Place, SERVER},
    restored::RestoredLaws,
    restores::Backups,
    role::{Effect, Input, Judged, Outcome},
    script::{self, Act, Step},
    store::{Answer, Change, Committed, Request, Store},
    suite::{REAL, STAND_IN, Seals},
    trace::{self, Mark, Telling, Trace},
};

/// The most actions that one drain may give (law S12).
const MOST: usize = 3_000;

/// The most events in one moment: more are someone who is never done.
const HURRY: u32 = 50_000;

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

/// Something that is going to happen.
#[derive(Debug)]
pub(crate) enum Event {
    Arrive { from: SocketAddr, to: SocketAddr, bytes: Vec<u8>, damaged: bool },
    Wake(Place),
    Commit(Place, u64),
    Answer(Place, u64, Answer),
    Judged(Place, u64, Ticket, Judged),
    Type(Place, u64),
    Resume(Place, u64),
    Boot(Place, u64),
    Step,
    Incident,
    Attack,
    Release,
}

/// A world.
#[allow(missing_debug_implementations)] // megabytes
pub struct World {
    /// Microseconds since it began.
    pub now: Moment,
    /// What goes wrong at this time.
    pub faults: Faults,
    /// The server, then the clients.
    pub nodes: Vec<Node>,
    /// What must hold, and what was seen so far.
    pub laws: Laws,
    /// What must hold instead, where stores go back.
    pub(crate) restored: Option<RestoredLaws>,
    pub(crate) backups: Backups,
    /// What happened so far.
    pub counts: Counts,
    /// Every datagram that was sent, if a test wants them: from, to, bytes.
    pub capture: Option<Vec<(SocketAddr, SocketAddr, Vec<u8>)>>,
    /// What was sent and asked for, if one thing of it is to go wrong.
    pub course: Option<Course>,
    pub(crate) dice: Dice,
    pub(crate) network: Network,
    pub(crate) trace: Trace,
    pub(crate) interception: Option<Interception>,
    queue: BTreeMap<(Moment, u64), Event>,
    serial: u64,
    steps: Vec<Step>,
    attacker: Attacker,
    pub(crate) places: BTreeMap<SocketAddr, Place>,
    pub(crate) nats: BTreeMap<Place, Nat>,
    /// Bytes that came from and went to addresses of nobody.
    victims: BTreeMap<(Place, SocketAddr), (usize, usize)>,
    accepts: BTreeSet<u64>,
    words: u64,
    /// Events that happened at this very moment.
    hurry: u32,
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
            now: 0,
            dice: Dice::new(setup.seed),
            network: Network::new(faults.clone()),
            nodes: Vec::new(),
            laws: Laws::default(),
            restored: faults.restores.then(RestoredLaws::default),
            backups: Backups::default(),
            counts: Counts { worlds: 1, ..Counts::default() },
            capture: None,
            course: None,
            trace: Trace::new(setup.telling),
            interception: None,
            queue: BTreeMap::new(),
            serial: 0,
            steps: Vec::new(),
            attacker: Attacker::default(),
            places: BTreeMap::new(),
            nats: BTreeMap::new(),
            victims: BTreeMap::new(),
            accepts: BTreeSet::new(),
            words: 0,
            hurry: 0,
            faults,
        };
        world.populate(setup);
        world.nodes.iter_mut().for_each(prepare);
        if let Kind::Server(config) = world.nodes[SERVER].kind {
            world.go_by(&config);
        }
        for place in 0..world.nodes.len() {
            world.boot(place);
        }
        if world.faults.has_incidents() {
            world.after(SECOND, Event::Incident);
        }
        if world.faults.attacker {
            world.after(SECOND, Event::Attack);
        }
        world
    }

    fn populate(&mut self, setup: &Setup) {
        let suite: &'static dyn Suite = if setup.real { &REAL } else { &STAND_IN };
        let people = setup.nicks.len();
        let address = SocketAddr::from((Ipv4Addr::new(198, 51, 100, 1), 12345));
        let mut server = server::Config { logins: setup.logins, ..server::Config::default() };
        self.laws.passwords = setup.logins == server::Logins::Password;
        if self.faults.expiry {
            server.mail = std::time::Duration::from_mins(5);
            self.laws.expiry = true;
        }
        if self.faults.brief {
            let (entries, bytes) = (1 + self.dice.below(20) as u32, 500 + self.dice.below(30_000));
            // Nor does a wall clock that jumps say how old an entry is.
            let age =
                if self.faults.jumps { server.room.age } else { 20 + self.dice.below(400) as u32 };
            server.room = Retention { entries, bytes, age };
        }
        if self.faults.tiny {
            server.members = 2 + self.dice.below(3) as u32;
        }
        let room = server_room(people, self.faults.tiny);
        self.add("server", "host", address, Kind::Server(server), suite, room);
        let key = self.nodes[SERVER].key;
        self.laws.rooms.introduce(suite, &key);
        for (at, nick) in setup.nicks.iter().enumerate() {
            let pinned = self.dice.chance(500).then_some(key);
            let Ok(name) = Nick::new(nick) else { continue };
            let mut config = client::Config::new(name, address, pinned);
            if self.faults.expiry {
                config.expiry = std::time::Duration::from_mins(6);
            }
            let room = client_room(people, self.faults.tiny);
            let from = SocketAddr::from((Ipv4Addr::new(198, 51, 100, 10 + at as u8), 40_000));
            self.add(&format!("{nick}[{}]", at + 1), nick, from, Kind::Client(config), suite, room);
        }
    }

    /// The server goes by this: so do the laws.
    pub(crate) fn go_by(&mut self, config: &server::Config) {
        // A wall clock that jumps makes mail as old as it likes.
        let kept = config.mail.as_micros() as u64;
        self.laws.mail_kept = if self.faults.jumps { 0 } else { kept };
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
        let secret = self.dice.bytes();
        let key = PublicKey(suite.public(&secret));
        let drift =
            if self.faults.drift { self.dice.below(100_001).cast_signed() - 50_000 } else { 0 };
        let unix = 1_700_000_000 * SECOND + self.dice.below(SECOND);
        let place = self.nodes.len();
        self.laws.introduce(key, place);
        self.places.insert(address, place);
        let seed = self.dice.bytes();
        self.nodes.push(Node {
            name: name.into(),
            nick,
            key,
            address,
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
            self.after(step.pause(), Event::Step);
        }
    }

    /// The script is through.
    pub fn is_followed(&self) -> bool {
        self.steps.is_empty()
    }

    /// The fingerprint of all that happened so far.
    pub fn fingerprint(&self) -> u64 {
        self.trace.hash()
    }

    /// How many clients there are.
    pub fn clients(&self) -> usize {
        self.nodes.len() - 1
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Moment) {
        self.run_until(self.now + span);
    }

    /// Lets time pass up to a moment.
    pub fn run_until(&mut self, end: Moment) {
        while self.advance(end) {}
        self.now = end;
    }

    /// The next thing happens, if it does up to a moment.
    pub(crate) fn advance(&mut self, end: Moment) -> bool {
        let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) else {
            return false;
        };
        let ((at, _), event) = entry.remove_entry();
        self.hurry = if at == self.now { self.hurry + 1 } else { 0 };
        let stands = self.hurry < HURRY;
        self.demand(SERVER, stands, || format!("time stands still: {HURRY} events at once"));
        self.now = at;
        self.happen(event);
        true
    }

    pub(crate) fn after(&mut self, span: Moment, event: Event) -> (Moment, u64) {
        self.serial += 1;
        let key = (self.now + span, self.serial);
        self.queue.insert(key, event);
        key
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { from, to, bytes, damaged } => self.arrive(from, to, bytes, damaged),
            Event::Wake(place) => {
                self.nodes[place].wake = None;
                self.nodes[place].wakes += 1;
                self.input(place, Input::Timeout);
            }
            Event::Commit(place, life) => self.commit(place, life),
            Event::Answer(place, life, answer) if self.nodes[place].life == life => {
                self.input(place, Input::Answer(answer));
            }
            Event::Judged(place, life, ticket, judged) if self.nodes[place].life == life => {
                self.input(place, Input::Authenticated(ticket, judged));
            }
            Event::Type(place, life) if self.nodes[place].life == life => {
                self.type_password(place);
            }
            Event::Resume(place, life) if self.nodes[place].life == life => self.resume(place),
            Event::Boot(place, life) if self.nodes[place].life == life => self.boot(place),
            Event::Answer(..)
            | Event::Judged(..)
            | Event::Type(..)
            | Event::Resume(..)
            | Event::Boot(..) => {}
            Event::Step => self.step(),
            Event::Incident => self.incident(),
            Event::Attack => self.attack(),
            Event::Release => self.release(),
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
            Act::CutOff(who) => self.cut_off(client(who), 30 * SECOND),
            Act::Heal => self.heal(),
        }
        if let Some(step) = self.steps.last() {
            self.after(step.pause(), Event::Step);
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
            let life = self.nodes[place].life;
            self.commit(place, life);
        }
        self.end(place);
    }

    /// A host crashes.
    pub fn crash(&mut self, place: Place) {
        if self.nodes[place].role.is_some() {
            self.counts.crashes += 1;
            self.end(place);
        }
    }

    fn end(&mut self, place: Place) {
        self.trace.line(self.now, || format!("{} ends", self.nodes[place].name));
        self.trace.mark(self.now, place, Mark::Ends);
        self.nodes[place].crash();
        self.wake_at(place, None);
    }

    /// A host starts its role, if it does not run.
    pub fn boot(&mut self, place: Place) {
        if self.nodes[place].role.is_some() {
            return;
        }
        let stale = self.faults.stale_seed && self.dice.chance(500);
        let fresh = self.dice.bytes();
        let base = self.dice.below(1 << 40);
        let node = &mut self.nodes[place];
        let seed = if stale { node.seed } else { fresh };
        node.boot(self.now, base, seed);
        if let Some(laws) = &mut self.restored {
            laws.started(place);
        }
        self.trace.line(self.now, || format!("{} starts", self.nodes[place].name));
        self.trace.mark(self.now, place, Mark::Starts);
        self.reschedule(place);
        if self.nodes[place].wants_online {
            self.input(place, Input::Register);
        }
    }

    /// A host stands still for a while.
    pub fn pause(&mut self, place: Place, span: Moment) {
        if self.nodes[place].role.is_some() && !self.nodes[place].paused {
            self.trace.line(self.now, || format!("{} stands still", self.nodes[place].name));
            self.nodes[place].paused = true;
            let life = self.nodes[place].life;
            self.after(span, Event::Resume(place, life));
        }
    }

    pub(crate) fn resume(&mut self, place: Place) {
        self.nodes[place].paused = false;
        let backlog = std::mem::take(&mut self.nodes[place].backlog);
        for input in backlog {
            self.input(place, input);
        }
    }

    /// From now on, so many bytes per second pass from one node to another.
    pub fn slow_down(&mut self, from: Place, to: Place, rate: u64) {
        self.network.slow_down(from, to, rate, &mut self.dice);
    }

    /// A client is seen at another address from now on.
    pub fn move_to(&mut self, place: Place, address: SocketAddr) {
        let old = self.nodes[place].address;
        if self.places.get(&old) == Some(&place) {
            self.places.remove(&old);
        }
        self.places.insert(address, place);
        self.nodes[place].address = address;
        self.trace.line(self.now, || format!("{} is now at {address}", self.nodes[place].name));
    }

    // ---- what the network brings

    pub(crate) fn arrive(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
        damaged: bool,
    ) {
        let Some(place) = self.place_at(to) else { return };
        if self.nats.get(&place).is_some_and(|nat| !nat.lets_in(from, to)) {
            return;
        }
        if attacker::is_victim(from) {
            self.victims.entry((place, from)).or_default().0 += bytes.len();
        }
        self.trace.line(self.now, || {
            let (name, what) = (&self.nodes[place].name, trace::describe(&bytes));
            let damaged = if damaged { " (damaged)" } else { "" };
            format!("  {name} <- {from}: {what}{damaged}")
        });
        self.input(place, Input::Datagram { from, bytes, damaged });
    }

    fn send(&mut self, place: Place, to: SocketAddr, datagram: &[u8]) {
        let inside = self.nodes[place].address;
        let from = self.nats.get_mut(&place).map_or(inside, |nat| nat.leaves(to));
        self.counts.datagrams += 1;
        self.nodes[place].sent += 1;
        if datagram.first() == Some(&5) && self.accepts.insert(fingerprint(0, datagram)) {
            self.counts.handshakes += 1;
        }
        self.offline_sends_nothing(place);
        if attacker::is_victim(to) {
            self.spare_victim(place, to, datagram);
            return;
        }
        if let Some(capture) = &mut self.capture {
            capture.push((from, to, datagram.to_vec()));
        }
        if self.faults.attacker {
            self.attacker.see(from, to, datagram, &mut self.dice);
        }
        if self.is_intercepted(from, to, datagram) {
            return;
        }
        let there = self.place_at(to);
        let ends = (place, there.unwrap_or(self.nodes.len()));
        let passages = self.network.carry(self.now, ends, datagram, &mut self.dice);
        self.trace.line(self.now, || {
            let name = there.map_or(to.to_string(), |there| self.nodes[there].name.clone());
            let fate = if passages.is_empty() { " (lost)" } else { "" };
            format!("{} -> {name}: {}{fate}", self.nodes[place].name, trace::describe(datagram))
        });
        for Passage { at, bytes, damaged } in passages {
            self.counts.forgeries += u64::from(damaged);
            let on_time = at - self.now;
            for later in self.fate(from, to, &bytes, on_time) {
                let bytes = bytes.clone();
                self.after(on_time + later, Event::Arrive { from, to, bytes, damaged });
            }
        }
    }

    /// S7 and S14: an address that proved nothing gets Retries only, half as much as came from it.
    fn spare_victim(&mut self, place: Place, to: SocketAddr, datagram: &[u8]) {
        let (came, went) = self.victims.entry((place, to)).or_default();
        *went += datagram.len();
        let spared = datagram.first() == Some(&3) && *went * 2 <= *came;
        let (came, went) = (*came, *went);
        self.demand(place, spared, || {
            let what = trace::describe(datagram);
            format!("S7: {what} to an unproven address; {went} bytes went for {came}")
        });
    }

    /// A client that is offline sends nothing but farewells.
    fn offline_sends_nothing(&mut self, place: Place) {
        let (now, node) = (self.now, &mut self.nodes[place]);
        let Some(client) = node.client() else { return };
        let offline = client.status() == Status::Offline;
        node.offline = offline.then(|| node.offline.unwrap_or(now));
        let late = node.offline.is_some_and(|since| now - since > CLOSING);
        self.demand(place, !late, || "an offline client sends".into());
    }

    fn attack(&mut self) {
        if !self.faults.attacker {
            return;
        }
        let targets: Vec<_> = self.nodes.iter().map(|node| (node.address, node.key)).collect();
        if let Some(forgery) = self.attacker.forge(&targets, &mut self.dice) {
            self.counts.forgeries += 1;
            let delay = self.dice.below(SECOND);
            let (bytes, damaged) = (forgery.bytes, forgery.forged);
            let (from, to) = (forgery.from, forgery.to);
            self.after(delay, Event::Arrive { from, to, bytes, damaged });
        }
        let pause = self.dice.below(2 * SECOND);
        self.after(pause, Event::Attack);
    }

    // ---- what the store does

    fn commit(&mut self, place: Place, life: u64) {
        if self.nodes[place].life != life || self.nodes[place].role.is_none() {
            return;
        }
        let service = self.serve(place);
        if service == Service::Never {
            return;
        }
        let Self { nodes, laws, restored, dice, now, .. } = self;
        let node = &mut nodes[place];
        let unix = node.clock.believed(*now);
        if place == SERVER {
            laws.rooms.time = unix;
        }
        let committed = node.store.commit(*now, dice);
        let change = committed.as_ref().and_then(|committed| committed.change.as_ref());
        if let Some(Change::Put { log, before: None, .. }) = change {
            let read = matches!(log, Log::Inbox(of) if laws.rooms.room(of).is_some());
            self.counts.read += u64::from(read);
            self.counts.entries += u64::from(matches!(log, Log::Room(_)));
        }
        let judgement = match (change, restored) {
            (None, _) => Ok(()),
            (Some(change), Some(laws)) => laws.changed(place, node, change),
            (Some(change), None) => laws.changed(node.key, &node.run, unix, &node.store, change),
        };
        let changed = change.is_some();
        self.judge(place, judgement);
        self.served(place, service, changed);
        if let Some(Committed { answer, at, .. }) = committed {
            let failed = matches!(
                answer,
                Answer::Stored { done: false, .. } | Answer::Read { found: None, .. }
            );
            self.counts.store_failures += u64::from(failed);
            if failed {
                self.trace.line(self.now, || format!("{}'s store fails", self.nodes[place].name));
            }
            self.after(at - self.now, Event::Answer(place, life, answer));
        }
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
        let now = node.clock.instant(self.now);
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
            self.faults.hoards && !matches!(input, Input::Timeout) && self.dice.chance(600);
        let early = self.faults.sloppy && self.dice.chance(30);
        let most = match (hoards, early) {
            (true, _) => 0,
            (false, true) => self.dice.index(4),
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
                self.judge(place, judgement);
            }
            (None, Some(text)) if is_away && !outcome.idle => {
                self.nodes[place].away = text;
            }
            _ => {}
        }
        self.carry_out(place, &outcome.effects);
        self.demand(place, outcome.complete || hoards || early, || {
            format!("S12: a drain gave {MOST} actions and was not through")
        });
        let quiet = deadline.is_none_or(|at| at > now);
        self.demand(place, quiet || !outcome.complete, || {
            format!("the deadline {deadline:?} is not after {now:?} although the drain is through")
        });
        self.demand(place, !idle || outcome.effects.is_empty(), || {
            format!("it did something before its deadline: {:?}", outcome.effects)
        });
        let twice = Seals::twice();
        self.demand(place, twice.is_none(), || {
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
        self.demand(place, silent && (deadline == deadline_after || !outcome.complete), || {
            format!(
                "S6: a datagram that was {} had effects {:?}, deadline {deadline:?} -> {deadline_after:?}",
                if dropped { "dropped" } else { "damaged" },
                outcome.effects
            )
        });
    }

    pub(crate) fn reschedule(&mut self, place: Place) {
        let late = match (self.faults.sloppy, self.faults.hoards) {
            (true, _) => self.dice.below(20_000),
            (false, true) => self.dice.below(2_000),
            (false, false) => 0,
        };
        let node = &mut self.nodes[place];
        let deadline = node.role.as_mut().and_then(crate::role::Role::deadline);
        let at = deadline.map(|at| node.clock.moment(at).max(self.now) + late);
        self.wake_at(place, at);
    }

    fn wake_at(&mut self, place: Place, at: Option<Moment>) {
        if let Some(key) = self.nodes[place].wake.take() {
            self.queue.remove(&key);
        }
        self.nodes[place].wake = at.map(|at| self.after(at - self.now, Event::Wake(place)));
    }

    fn carry_out(&mut self, place: Place, effects: &[Effect]) {
        let torn = self.nodes[place].torn.take_if(|torn| *torn < effects.len());
        let whole = torn.unwrap_or(effects.len());
        for effect in effects.iter().take(whole) {
            self.trace.mark(self.now, place, Mark::Owes(effect));
            match effect {
                Effect::Send { to, datagram } => self.send(place, *to, datagram),
                Effect::Ask(ticket, request) => {
                    self.trace.line(self.now, || {
                        format!("{} asks its store: {}", self.nodes[place].name, brief(request))
                    });
                    let node = &mut self.nodes[place];
                    if let Request::Read { log: log @ Log::Room(_), from, .. } = request {
                        let first = node.store.log(*log).and_then(|l| l.records.keys().next());
                        let behind = node.ready && first.is_some_and(|first| from > first);
                        self.counts.recalled += u64::from(behind);
                    }
                    let life = node.life;
                    let at = node.store.ask(self.now, *ticket, request.clone(), &mut self.dice);
                    self.after(at - self.now, Event::Commit(place, life));
                }
                Effect::Authenticate(ticket, judged) => {
                    let busy = self.faults.failing_store && self.dice.chance(100);
                    let judged = if busy { Judged::Busy } else { judged.clone() };
                    let life = self.nodes[place].life;
                    let span = 20_000 + self.dice.below(self.faults.tarries(200_000));
                    self.after(span, Event::Judged(place, life, *ticket, judged));
                }
                Effect::Tell(event, text) => self.tell(place, *event, text),
                Effect::Note(event) => self.note(place, *event),
            }
        }
        if torn.is_some() {
            self.crash(place);
            let life = self.nodes[place].life;
            let pause = self.dice.below(10 * SECOND);
            self.after(pause, Event::Boot(place, life));
        }
    }

    fn note(&mut self, place: Place, event: server::Event) {
        self.trace.line(self.now, || format!("{} notes {event:?}", self.nodes[place].name));
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
        self.demand(place, sound, || format!("it notes {event:?}"));
    }

    fn tell(&mut self, place: Place, event: client::Event, text: &[u8]) {
        self.trace.line(self.now, || {
            let text: String = String::from_utf8_lossy(text).chars().take(40).collect();
            format!("{} tells {event:?} {text}", self.nodes[place].name)
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
                let life = node.life;
                let span = self.dice.below(self.faults.tarries(3 * SECOND));
                self.after(span, Event::Type(place, life));
            }
            _ => {}
        }
        let judgement = match &mut self.restored {
            Some(laws) => laws.told(place, &self.nodes, &event, text, self.now),
            None => self.judge_told(place, &event, text),
        };
        self.judge(place, judgement);
    }

    fn count(&mut self, event: &client::Event) {
        let counts = &mut self.counts;
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
        self.laws.rooms.time = self.nodes[SERVER].clock.believed(self.now);
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

    // ---- what must hold

    pub(crate) fn judge(&self, place: Place, judgement: Judgement) {
        if let Err(broken) = judgement {
            self.break_off(place, &broken);
        }
    }

    pub(crate) fn demand(&self, place: Place, holds: bool, broken: impl FnOnce() -> String) {
        if !holds {
            self.break_off(place, &broken());
        }
    }

    fn break_off(&self, place: Place, broken: &str) -> ! {
        let (now, name) = (self.now, &self.nodes[place].name);
        panic!("after {}.{:06} s, at {name}: {broken}", now / SECOND, now % SECOND)
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
