//! A world: nodes, the network between them, and what the judges say of it. A seed decides all of
//! it.

use std::net::{Ipv4Addr, SocketAddr};

use proto_core::{
    client::{MessageId, SendError, To},
    host::Log,
    id::{Nick, PublicKey},
    server::{self, Logins},
    wire::RoomAction,
};

use crate::{
    agenda::{Event, Task},
    clock::{Clock, Moment, SECOND},
    counts::Counts,
    ctx::Ctx,
    disturbance::{Course, Disturbance, Requests, Service},
    greedy::{Behaviour, Crowd, Surroundings, Tally},
    laws::{Judges, messages::Laws, restored::Letters},
    letter::Letter,
    network::Network,
    node::{Kind, Node, Plan, Reaction},
    place::{Place, SERVER},
    role::{Effect, Input},
    setup::Setup,
    store::{Change, Manners, Snapshot},
    suite::Seals,
    trace::{self, Mark, Telling},
};

/// How long a host is down that crashed at a request.
const DOWN: Moment = SECOND / 2;

/// How long a datagram is waited for.
const PATIENCE: Moment = 60 * SECOND;

/// A store as it was at some moment, and what the laws know of that.
#[derive(Clone, Debug, Default)]
pub struct Backup {
    durable: Snapshot,
    letters: Letters,
}

/// A world.
#[allow(missing_debug_implementations)] // megabytes
pub struct World {
    /// The server, then the clients.
    pub nodes: Vec<Node>,
    /// What is between them.
    pub network: Network,
    pub(crate) judges: Judges,
    pub(crate) cx: Ctx,
    /// What stores are asked for, if something of it is to go wrong.
    requests: Option<Requests>,
    crowd: Crowd,
}

impl World {
    /// A world in which every node has just been started, and nobody is online.
    pub fn new(setup: &Setup) -> Self {
        Self::prepared(setup, |_| {})
    }

    /// The same, with nodes that go by something else.
    pub fn prepared(setup: &Setup, mut prepare: impl FnMut(&mut Plan)) -> Self {
        // A liar has to read what it tells in another way.
        Seals::begin(setup.telling != Telling::Silent || setup.faults.dishonest);
        let faults = setup.faults.clone();
        let laws = Laws::new(faults.expiry, setup.logins == Logins::Password);
        let mut world = Self {
            nodes: Vec::new(),
            network: Network::default(),
            judges: Judges::new(laws, faults.regime()),
            cx: Ctx::new(setup.seed, faults, setup.telling),
            requests: None,
            crowd: Crowd::default(),
        };
        populate(&mut world, setup);
        world.nodes.iter_mut().for_each(|node| prepare(&mut node.plan));
        if let Kind::Server(config) = world.nodes[SERVER].plan.kind {
            world.judges.server_goes_by(&config, world.cx.faults.jumps);
        }
        for place in 0..world.nodes.len() {
            world.boot(place);
        }
        world
    }

    /// A node is there, with that secret key or one of its own, and does not run yet.
    fn add(
        &mut self,
        name: &str,
        address: SocketAddr,
        plan: &Plan,
        secret: Option<[u8; 32]>,
    ) -> Place {
        let Ctx { dice, faults, .. } = &mut self.cx;
        let own = dice.bytes();
        let drift = if faults.drift { dice.below(100_001).cast_signed() - 50_000 } else { 0 };
        let unix = 1_700_000_000 * SECOND + dice.below(SECOND);
        let (place, clock, seed) = (self.nodes.len(), Clock::new(drift, unix), dice.bytes());
        self.nodes.push(Node::new(place, plan, secret.unwrap_or(own), seed, clock));
        self.network.introduce(address);
        self.cx.introduce(name);
        place
    }

    /// What happened so far.
    pub fn counts(&self) -> &Counts {
        &self.cx.counts
    }

    /// What was ever durable, unless stores go back in this world.
    pub fn laws(&self) -> &Laws {
        self.judges.laws()
    }

    /// What a node is called.
    pub fn name(&self, place: Place) -> &str {
        self.cx.name(place)
    }

    // ---- time

    /// Microseconds since it began.
    pub fn now(&self) -> Moment {
        self.cx.now()
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Moment) {
        let end = self.cx.now() + span;
        while let Some(event) = self.cx.next(end) {
            self.happen(event);
        }
        self.cx.pass(end);
    }

    pub(crate) fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { letter, damaged } => self.arrive(letter, damaged),
            Event::Release => self.network.release(&mut self.cx),
            Event::Turn(number) => {
                let keys = self.crowd.turn(&mut self.cx, number);
                self.judges.introduce_strangers(keys);
            }
            Event::Wake(place) => {
                self.nodes[place].wakes_up();
                self.input(place, Input::Timeout);
            }
            Event::Of(place, life, task) if self.nodes[place].life() == (place, life) => {
                self.do_task(place, task);
            }
            // What it was to do ended with that life; an alarm is for who drives the world.
            Event::Of(..) | Event::Alarm(_) => {}
        }
    }

    fn do_task(&mut self, place: Place, task: Task) {
        let input = match task {
            Task::Commit => return self.commit(place),
            Task::Boot => return self.boot(place),
            Task::Resume => {
                for input in self.nodes[place].resume() {
                    self.input(place, input);
                }
                return;
            }
            Task::Answer(answer) => Input::Answer(answer),
            Task::Judged(ticket, judged) => Input::Authenticated(ticket, judged),
            Task::Type => {
                let Some(password) = self.nodes[place].user.password() else { return };
                Input::Authenticate(password.into())
            }
            Task::Trust(nick, key) => return self.trust(place, nick, key),
        };
        self.input(place, input);
    }

    // ---- what users do

    /// A user goes online.
    pub fn register(&mut self, who: Place) {
        self.nodes[who].user.want_online(true);
        self.input(who, Input::Register);
    }

    /// A user goes offline.
    pub fn deregister(&mut self, who: Place) {
        self.nodes[who].user.want_online(false);
        self.input(who, Input::Deregister);
    }

    /// A user says something; `None` if the host does not run or stands still.
    pub fn say(
        &mut self,
        who: Place,
        to: impl Into<To>,
        text: String,
    ) -> Option<Result<MessageId, SendError>> {
        self.input(who, Input::Say { to: to.into(), text })
    }

    /// A user accepts the key that claims a nick.
    pub fn trust(&mut self, who: Place, nick: Nick, key: PublicKey) {
        self.cx.line(|names| format!("{} trusts {nick} with {key:?}", names[who]));
        self.judges.trusted(who, &nick, key);
        self.input(who, Input::Trust(nick, key));
        if self.nodes[who].did_nothing() {
            self.cx.line(|names| format!("{} does nothing about that", names[who]));
            self.judges.trusted_in_vain();
        }
    }

    /// A user asks for something of the server's rooms.
    pub fn request(&mut self, who: Place, action: RoomAction) {
        self.judges.wished(self.nodes[who].key(), &action);
        self.input(who, Input::RoomAction(action));
    }

    /// A user is away from the keyboard, or, with no text, back.
    pub fn set_away(&mut self, who: Place, text: &str) {
        self.input(who, Input::Away(text.into()));
    }

    /// The operator does something to the account that has a nick.
    pub fn operate(&mut self, nick: Nick, operation: server::Operation) {
        self.input(SERVER, Input::Operate(nick, operation));
    }

    // ---- what becomes of hosts

    /// A host starts its role, if it does not run.
    pub fn boot(&mut self, place: Place) {
        let node = &mut self.nodes[place];
        if node.runs() {
            return;
        }
        self.judges.started(place);
        node.boot(&mut self.cx);
        if node.user.wants_online() {
            self.input(place, Input::Register);
        }
    }

    /// A host crashes.
    pub fn crash(&mut self, place: Place) {
        self.nodes[place].crash(&mut self.cx);
    }

    /// A host ends its role properly, and starts it again at once.
    pub fn quit(&mut self, place: Place) {
        self.stop(place);
        self.boot(place);
    }

    /// A host ends its role properly.
    pub(crate) fn stop(&mut self, place: Place) {
        self.input(place, Input::ShutDown);
        while self.nodes[place].runs() && self.nodes[place].store.waiting() > 0 {
            self.commit(place);
        }
        self.nodes[place].end(&mut self.cx);
    }

    /// The network and the hosts behave from now on.
    pub fn heal(&mut self) {
        self.cx.line(|_| "everything heals".into());
        self.cx.faults.heal();
        self.network.heal(&self.cx.faults);
        for place in 0..self.nodes.len() {
            for input in self.nodes[place].heal() {
                self.input(place, input);
            }
        }
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

    // ---- several hosts of one user, and copies of their stores

    /// Someone's identity is started on another device too, with a state and an address
    /// of its own.
    pub fn twin(&mut self, place: Place, name: &str) -> Place {
        let twin = self.second(place, name, Some(self.nodes[place].secret()));
        self.boot(twin);
        twin
    }

    /// Someone's nick is started on another device too, with a key, a state and an address
    /// of its own.
    pub fn device(&mut self, place: Place, name: &str) -> Place {
        let device = self.second(place, name, None);
        self.judges.relate(self.nodes[device].key(), self.nodes[place].key());
        self.boot(device);
        device
    }

    fn second(&mut self, place: Place, name: &str, secret: Option<[u8; 32]>) -> Place {
        let (second, plan) = (self.nodes.len(), self.nodes[place].plan);
        let address = SocketAddr::from((Ipv4Addr::new(198, 51, 100, 200 + second as u8), 40_000));
        self.add(name, address, &plan, secret)
    }

    /// A client's directory as it is now is also used at an address of its own, once that is
    /// started.
    pub fn copy(&mut self, place: Place, name: &str) -> Place {
        let backup = self.back_up(place);
        let copy = self.second(place, name, Some(self.nodes[place].secret()));
        self.put_back(copy, backup);
        copy
    }

    /// What is durable at a node now, whether it runs or not.
    pub fn back_up(&self, place: Place) -> Backup {
        let durable = self.nodes[place].store.snapshot();
        Backup { durable, letters: self.judges.letters(place) }
    }

    /// What is durable at a node, which must not run, is this from now on; of an untouched
    /// backup, nothing. Only worlds with such faults have laws for that.
    pub fn put_back(&mut self, place: Place, backup: Backup) {
        let Backup { durable, letters } = backup;
        let node = &mut self.nodes[place];
        node.store.put_back(durable);
        self.cx.line(|names| format!("{} goes back to boot {}", names[place], node.store.boots()));
        self.judges.went_back(&node.party(), letters, self.cx.now());
    }

    // ---- those who take what they can get

    /// Someone with keys comes, who takes what they can get; their number.
    pub fn beset(&mut self, behaviour: Behaviour, at: SocketAddr) -> usize {
        let who = |place: Place| (self.network.address(place), self.nodes[place].key());
        let clients = (1..self.nodes.len()).map(who);
        let around = Surroundings::new(self.nodes[SERVER].plan.suite, who(SERVER), clients);
        self.crowd.come(&mut self.cx, behaviour, at, around)
    }

    /// They all go, without a word.
    pub fn relieve(&mut self) {
        self.crowd.leave();
    }

    /// What one of them sent and was sent.
    pub fn tally(&self, number: usize) -> Tally {
        self.crowd.tally(number)
    }

    // ---- what roles do

    /// Passes an input to a node's role and carries out what it owes then.
    pub fn input(&mut self, place: Place, input: Input) -> Option<Result<MessageId, SendError>> {
        let node = &mut self.nodes[place];
        let (turn, said) = node.take(&mut self.cx, input)?;
        if let Some((id, to, text)) = said {
            for (nick, key) in node.known().into_iter().filter(|(nick, _)| to == To::Peer(*nick)) {
                self.cx.judge(place, self.judges.meets(place, &nick, key));
            }
            let judgement = self.judges.said(&node.party(), &id, to, &text);
            self.cx.judge(place, judgement);
        }
        self.cx.judge(place, Judges::turned(&turn));
        self.carry_out(place, turn.outcome.effects);
        turn.outcome.said
    }

    fn carry_out(&mut self, place: Place, effects: Vec<Effect>) {
        let torn = self.nodes[place].crashes_within(effects.len());
        let whole = torn.unwrap_or(effects.len());
        for effect in effects.into_iter().take(whole) {
            self.cx.mark(place, Mark::Owes(&effect));
            let Self { nodes, network, judges, cx, .. } = self;
            let node = &mut nodes[place];
            let judgement = match effect {
                Effect::Send { to, datagram } => {
                    let from = (place, node.is_offline());
                    let judgement = judges.sends(from, to, &datagram, cx.now());
                    network.send(cx, place, to, datagram);
                    judgement
                }
                Effect::Ask(ticket, request) => {
                    node.ask(cx, ticket, request);
                    Ok(())
                }
                Effect::Authenticate(ticket, judged) => {
                    node.judge(cx, ticket, judged);
                    Ok(())
                }
                Effect::Tell(event, text) => {
                    node.tell(cx, event, &text);
                    let server = (&nodes[SERVER].store, nodes[SERVER].clock.believed(cx.now()));
                    judges.told(&nodes[place].party(), &event, &text, server, cx.now())
                }
                Effect::Note(event) => {
                    node.note(cx, event);
                    judges.noted(event)
                }
            };
            self.cx.judge(place, judgement);
        }
        if torn.is_some() {
            let pause = self.cx.dice.below(10 * SECOND);
            self.nodes[place].crash_for(&mut self.cx, pause);
        }
    }

    /// A node's store carries the oldest request out.
    fn commit(&mut self, place: Place) {
        if !self.nodes[place].runs() {
            return;
        }
        let service = self.requests.as_mut().map_or(Service::Well, |all| all.serve(place));
        let Self { nodes, judges, cx, requests, .. } = self;
        let node = &mut nodes[place];
        match service {
            Service::Never => return node.crash_for(cx, DOWN),
            Service::Not => {
                node.store.behave(Manners { fails: 1_000, ..Manners::default() });
            }
            Service::Well | Service::Last => {}
        }
        if let Some(change) = node.commit(cx) {
            if let Change::Put { log, before: None, .. } = &change {
                cx.counts.entries += u64::from(matches!(log, Log::Room(_)));
                cx.counts.read += u64::from(judges.is_of_room(log));
            }
            cx.judge(place, judges.changed(&node.party(), node.clock.believed(cx.now()), &change));
            if let Some(requests) = requests {
                requests.changed();
            }
        }
        match service {
            Service::Not => node.store.behave(Manners::default()),
            Service::Last => node.crash_for(cx, DOWN),
            Service::Well | Service::Never => {}
        }
    }

    // ---- what the network brings

    fn arrive(&mut self, letter: Letter, damaged: bool) {
        let Some(place) = self.network.receiver(&letter) else {
            let keys = self.crowd.hear(&mut self.cx, letter);
            return self.judges.introduce_strangers(keys);
        };
        let Letter { from, bytes, .. } = letter;
        self.judges.came(place, from, &bytes);
        self.cx.line(|names| {
            let (name, what) = (&names[place], trace::describe(&bytes));
            let damaged = if damaged { " (damaged)" } else { "" };
            format!("  {name} <- {from}: {what}{damaged}")
        });
        self.input(place, Input::Datagram { from, bytes, damaged });
    }

    /// A datagram arrives.
    pub fn deliver(&mut self, letter: &Letter) {
        self.arrive(letter.clone(), false);
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
            let event = self.cx.next(end).expect("somebody sends what is to be intercepted");
            self.happen(event);
        }
    }

    /// Hands a datagram over and looks at what comes of it, which is not carried out:
    /// for one that should have no effect, or one answer. `None` if nobody is there.
    pub fn probe(&mut self, letter: &Letter) -> Option<Reaction> {
        let place = self.network.place(letter.to)?;
        self.nodes[place].probe(self.cx.now(), letter)
    }
}

/// Nothing gets from either of two to the other for a while.
pub fn part(world: &mut World, one: Place, other: Place, span: Moment) {
    world.network.part(&mut world.cx, one, other, span);
}

/// The server and the clients are there.
fn populate(world: &mut World, setup: &Setup) {
    let plan = setup.server(Nick::new("host").expect("a nick"), &mut world.cx);
    world.add("server", Setup::server_address(), &plan, None);
    let key = world.nodes[SERVER].key();
    world.judges.introduce_server(setup.suite(), &key);
    for (at, nick) in setup.nicks.iter().enumerate() {
        let plan = setup.client(Nick::new(nick).expect("a nick"), key, &mut world.cx);
        let name = format!("{nick}[{}]", at + 1);
        world.add(&name, Setup::client_address(at), &plan, None);
    }
}
