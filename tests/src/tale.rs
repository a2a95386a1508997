//! A story as it is told: people who do one thing after another, as soon as their clients
//! let them, and what is so in the end of each scene.

use std::collections::{BTreeMap, VecDeque};

use proto_core::{
    client::{self, Event, Refusal, Status, To, Verdict},
    id::{Nick, RoomName},
    record::MAX_RECORD,
    server::{self, Logins, Operation},
    wire::{AccountRefusal, RegisterRefusal, RoomAction, RoomRefusal},
};

use crate::{
    clock::{Moment, SECOND},
    disturbance::Disturbance,
    facts::{Facts, facts},
    faults::Faults,
    life::finish,
    memory::Room,
    node::{Kind, Plan},
    place::{Place, SERVER},
    role::Input,
    setup::Setup,
    trace::Telling,
    world::World,
};

/// How often people look whether they can go on.
const LOOK: Moment = SECOND / 10;

/// One millisecond.
const MILLISECOND: Moment = SECOND / 1_000;

/// After so many packets sessions get new keys, so that halves of a rekey are among what gets lost.
const REKEY_PACKETS: u32 = 12;

/// Longer than any world lasts.
const NEVER: std::time::Duration = std::time::Duration::from_hours(100);

/// A short story.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    /// What it is called.
    pub name: &'static str,
    /// Who is in it.
    pub people: &'static [&'static str],
    /// Who gets a nick.
    pub logins: Logins,
    /// What else clients go by.
    pub clients: fn(&mut client::Config),
    /// What else the server goes by.
    pub server: fn(&mut server::Config),
    /// How much room everyone has.
    pub room: fn(Place, &mut Room),
    /// A host may crash in it: if it is about something that a crash would change, none does.
    pub crashes: bool,
    /// How many messages are said makes a difference to others: when one cannot be, nothing that
    /// comes after it is compared.
    pub counts: bool,
    /// What happens.
    pub tell: fn(&mut Tale),
}

/// What kind of thing goes wrong, and thus how long it may take until all is well again, and what
/// must not be what makes it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// A datagram: nothing that happens by itself after some time is to make up for it.
    Network,
    /// A request to a store. It is asked again after a second.
    Store,
    /// A crash: the others notice by the next keep-alive.
    Crash,
}

impl Pace {
    /// How long it may take until all is well.
    fn patience(self) -> Moment {
        match self {
            Self::Network => 2 * SECOND,
            Self::Store => 8 * SECOND,
            Self::Crash => 30 * SECOND,
        }
    }

    fn client(self, config: &mut client::Config) {
        if self == Self::Network {
            config.rekey_packets = REKEY_PACKETS;
        }
        match self {
            Self::Network | Self::Store => {
                (config.keep_alive, config.idle, config.receipt) = (NEVER, 2 * NEVER, NEVER);
            }
            Self::Crash => {}
        }
    }

    fn server(self, config: &mut server::Config) {
        if self == Self::Network {
            config.rekey_packets = REKEY_PACKETS;
        }
        if self != Self::Crash {
            config.idle = 2 * NEVER;
        }
    }
}

/// A scene's end.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What it is called.
    pub name: &'static str,
    /// What is so.
    pub facts: Facts,
    /// What was said and never was durable, with the name of its author.
    unkept: Vec<(String, String)>,
    /// What its author was told that a store had failed at.
    failed: Vec<String>,
}

impl Scene {
    /// What may count as never said, when that host crashed or its store failed: what was not
    /// durable yet when its author's host crashed, and what a store failed at, as its author was
    /// told.
    pub fn unsaid(&self, pace: Pace, victim: &str) -> Vec<&str> {
        let unkept =
            self.unkept.iter().filter(|(author, _)| pace == Pace::Store || author == victim);
        let unkept = unkept.map(|(_, text)| text);
        let failed = self.failed.iter().filter(|_| pace == Pace::Store);
        unkept.chain(failed).map(String::as_str).collect()
    }
}

/// What someone is about to do.
#[derive(Clone, Debug)]
enum Deed {
    /// Ask for a nick, whatever the answer.
    Knock,
    /// Be online.
    Arrive,
    /// Be offline; in this run of the client it was asked for.
    Leave { run: Option<u64> },
    /// Say something.
    Say(To, String),
    /// Asked for something; since so many things told, it was asked for.
    RoomAction(RoomAction, Option<(u64, usize)>),
    /// Have something done about the account; since so many things told, it was asked for.
    Account(Input, Option<(u64, usize)>),
    /// Be away, or back.
    Away(String),
    /// End the program, and start it again.
    Quit,
    /// Have the power fail.
    Vanish,
    /// Start the program again.
    Return,
    /// Not want to be online any more.
    Yield,
    /// Ban someone, until that is seen to be so twice.
    Ban(Nick, bool),
}

/// A story that is being told.
#[allow(missing_debug_implementations)] // megabytes
pub struct Tale {
    /// The world that it happens in.
    pub world: World,
    /// The scenes so far.
    pub scenes: Vec<Scene>,
    pace: Pace,
    deeds: BTreeMap<Place, VecDeque<Deed>>,
    /// What was said, by whom.
    said: Vec<(Place, String)>,
    /// Who is away, in which run, and what they say of it.
    away: BTreeMap<Place, (u64, String)>,
}

#[allow(clippy::missing_panics_doc)] // a story that goes another way fails its test
impl Tale {
    /// Tells a story, with one thing going wrong. Its world still lives.
    pub fn tell(story: &Story, pace: Pace, disturbance: Disturbance, telling: Telling) -> Self {
        let setup = Setup {
            seed: 1,
            faults: Faults::steady(),
            nicks: story.people.iter().map(ToString::to_string).collect(),
            real: false,
            logins: story.logins,
            telling,
        };
        let mut node_number = 0;
        let world = World::prepared(&setup, |plan: &mut Plan| {
            plan.room = Room {
                links: 12,
                dials: 8,
                people: 8,
                rooms: 8,
                messages: 64,
                blocks: 512,
                sent: 128,
                work: MAX_RECORD,
            };
            (story.room)(node_number, &mut plan.room);
            node_number += 1;
            match &mut plan.kind {
                Kind::Client(config) => {
                    pace.client(config);
                    (story.clients)(config);
                }
                Kind::Server(config) => {
                    pace.server(config);
                    (story.server)(config);
                }
            }
        });
        let (scenes, said) = (Vec::new(), Vec::new());
        let (deeds, away) = (BTreeMap::new(), BTreeMap::new());
        let mut tale = Self { world, scenes, pace, deeds, said, away };
        tale.world.disturb(disturbance);
        if telling != Telling::Silent {
            tale.world.network.capture();
        }
        (story.tell)(&mut tale);
        tale
    }

    /// Everyone starts what is not started, and the laws that hold in the end are checked.
    pub fn end(&mut self) {
        for place in 0..self.world.nodes.len() {
            self.world.boot(place);
        }
        finish::conclude(&mut self.world);
    }

    // ---- what people do, one thing after another

    fn at(&self, who: &str) -> Place {
        let is = |place: &Place| self.world.name(*place).split('[').next() == Some(who);
        (0..self.world.nodes.len()).find(is).expect("someone of that name")
    }

    fn will(&mut self, who: &str, deed: Deed) {
        let place = self.at(who);
        self.deeds.entry(place).or_default().push_back(deed);
        self.act(place);
    }

    /// Someone is going to be online.
    pub fn arrives(&mut self, who: &str) {
        self.will(who, Deed::Arrive);
    }

    /// Someone asks for a nick, and it may not be to be had.
    pub fn knocks(&mut self, who: &str) {
        self.will(who, Deed::Knock);
    }

    /// Someone is going to be offline.
    pub fn leaves(&mut self, who: &str) {
        self.will(who, Deed::Leave { run: None });
    }

    /// Someone says something: to another, in a `#room`, or to everyone, `#`.
    pub fn says(&mut self, who: &str, to: &str, text: &str) {
        let to = match to.strip_prefix('#') {
            None => To::Peer(Nick::new(to).expect("a nick")),
            Some("") => To::Lobby,
            Some(room) => To::Room(RoomName::new(room).expect("a room name")),
        };
        self.will(who, Deed::Say(to, text.into()));
    }

    /// Someone says something of so many bytes.
    pub fn says_much(&mut self, who: &str, to: &str, text: &str, bytes: usize) {
        let mut text = format!("{text} ");
        while text.len() < bytes {
            text.push('.');
        }
        self.says(who, to, &text);
    }

    /// Someone asks for something of the server's rooms.
    pub fn wishes(&mut self, who: &str, action: RoomAction) {
        self.will(who, Deed::RoomAction(action, None));
    }

    /// Someone creates a room.
    pub fn creates(&mut self, who: &str, room: &str) {
        self.wishes(who, RoomAction::Create(RoomName::new(room).expect("a room name")));
    }

    /// Someone joins a room.
    pub fn joins(&mut self, who: &str, room: &str) {
        self.wishes(who, RoomAction::Join(RoomName::new(room).expect("a room name")));
    }

    /// Someone leaves a room.
    pub fn quits(&mut self, who: &str, room: &str) {
        self.wishes(who, RoomAction::Leave(RoomName::new(room).expect("a room name")));
    }

    /// Someone is away, or, with no text, back.
    pub fn is_away(&mut self, who: &str, text: &str) {
        self.will(who, Deed::Away(text.into()));
    }

    /// Someone's program, or the server, is ended, and started again.
    pub fn restarts(&mut self, who: &str) {
        self.will(who, Deed::Quit);
    }

    /// Someone's computer fails.
    pub fn vanishes(&mut self, who: &str) {
        self.will(who, Deed::Vanish);
    }

    /// Someone's computer is up again.
    pub fn returns(&mut self, who: &str) {
        self.will(who, Deed::Return);
    }

    /// Someone whom the server does not want puts up with that.
    pub fn yields(&mut self, who: &str) {
        self.will(who, Deed::Yield);
    }

    /// The operator bans someone.
    pub fn bans(&mut self, who: &str) {
        let nick = Nick::new(who).expect("a nick");
        self.will("server", Deed::Ban(nick, false));
    }

    /// Someone has a second device, with a key of its own.
    pub fn has_another(&mut self, who: &str, name: &str) {
        let place = self.at(who);
        self.world.device(place, name);
    }

    /// Someone's key is on a second device.
    pub fn has_copy(&mut self, who: &str, name: &str) {
        let place = self.at(who);
        self.world.twin(place, name);
    }

    /// What someone types when asked for a password.
    pub fn tries(&mut self, who: &str, passwords: &[&str]) {
        let place = self.at(who);
        self.world.nodes[place].user.types(passwords.iter().map(ToString::to_string).collect());
    }

    /// Someone wants another password.
    pub fn changes_password(&mut self, who: &str, old: &str, new: &str) {
        self.will(who, Deed::Account(Input::ChangePassword(old.into(), new.into()), None));
    }

    /// Someone vouches for a second device.
    pub fn endorses(&mut self, who: &str, device: &str) {
        let device = self.at(device);
        self.will(who, Deed::Account(Input::Endorse(self.world.nodes[device].key()), None));
    }

    /// Nothing passes between two for so many milliseconds.
    pub fn parts(&mut self, one: &str, other: &str, span: Moment) {
        let (one, other) = (self.at(one), self.at(other));
        self.world.network.part(&mut self.world.cx, one, other, span * MILLISECOND);
    }

    /// Nothing passes from one to another for so many milliseconds.
    pub fn mutes(&mut self, from: &str, to: &str, span: Moment) {
        let (from, to) = (self.at(from), self.at(to));
        self.world.network.mute(&mut self.world.cx, from, to, span * MILLISECOND);
    }

    /// So many milliseconds pass within a scene.
    pub fn go_on(&mut self, span: Moment) {
        self.run(span * MILLISECOND);
    }

    /// A scene ends: all is quiet, and as it is to be.
    pub fn pause(&mut self, name: &'static str) {
        self.pause_for(name, 0);
    }

    /// The same, some time later.
    pub fn pause_for(&mut self, name: &'static str, longer: Moment) {
        self.run(longer + self.pace.patience());
        for (place, deeds) in &self.deeds {
            let who = self.world.name(*place);
            let (now, deed) = (self.world.now() / SECOND, deeds.front());
            assert!(deed.is_none(), "after {now} s, in {name:?}: {who} cannot do {deed:?}");
        }
        finish::old_mail_is_gone(&mut self.world);
        let facts = facts(&mut self.world, self.pace == Pace::Crash);
        let letters: BTreeMap<_, _> =
            self.world.laws().letters().map(|(_, _, text, verdict)| (text, verdict)).collect();
        let unkept = self.said.iter().filter(|(_, text)| !letters.contains_key(text));
        let unkept = unkept.map(|(who, text)| (self.world.name(*who).to_string(), text.clone()));
        let unkept = unkept.collect();
        let refused = |verdict: &_| *verdict == Some(Verdict::Refused(Refusal::Store));
        let failed = letters.into_iter().filter(|(_, verdict)| refused(verdict));
        let failed = failed.map(|(text, _)| text).collect();
        self.scenes.push(Scene { name, facts, unkept, failed });
    }

    fn run(&mut self, span: Moment) {
        let end = self.world.now() + span;
        while self.world.now() < end {
            for place in 0..self.world.nodes.len() {
                self.look_after(place);
                self.act(place);
            }
            self.world.run(LOOK.min(end - self.world.now()));
        }
    }

    /// People who want to be online, and were refused because a store failed, try again; who is
    /// away says so again after a restart.
    fn look_after(&mut self, place: Place) {
        let node = &mut self.world.nodes[place];
        let (runs, refused, wants) =
            (node.store.boots(), node.user.refused(), node.user.wants_online());
        let Some(status) = node.client().map(|client| client.status()) else { return };
        let again = wants && status == Status::Offline && refused == Some(RegisterRefusal::Store);
        if again {
            self.world.register(place);
        }
        if let Some((run, text)) = self.away.get_mut(&place)
            && (again || *run != runs)
        {
            *run = runs;
            let deed = Deed::Away(text.clone());
            self.deeds.entry(place).or_default().push_front(deed);
        }
    }

    /// Someone does what there is to do, as far as it can be done now.
    fn act(&mut self, place: Place) {
        while let Some(mut deed) = self.deeds.get_mut(&place).and_then(VecDeque::pop_front) {
            if !self.does(place, &mut deed) {
                self.deeds.entry(place).or_default().push_front(deed);
                return;
            }
        }
    }

    /// Whether it is done.
    fn does(&mut self, place: Place, deed: &mut Deed) -> bool {
        let node = &mut self.world.nodes[place];
        let run = node.store.boots();
        let status = node.client().map(|client| client.status());
        match deed {
            Deed::Knock => {
                self.world.register(place);
                true
            }
            Deed::Arrive => {
                if !node.user.wants_online() {
                    self.world.register(place);
                }
                status == Some(Status::Online)
            }
            Deed::Leave { run: asked } => match (status, *asked) {
                (Some(Status::Online), before) if before != Some(run) => {
                    *asked = Some(run);
                    self.away.remove(&place);
                    self.world.deregister(place);
                    false
                }
                (Some(Status::Offline), before) if before != Some(run) => {
                    // It was cut short: there may be something left to be done.
                    self.world.register(place);
                    false
                }
                (Some(Status::Offline), _) => true,
                _ => false,
            },
            Deed::Say(to, text) => {
                let taken = matches!(self.world.say(place, *to, text.clone()), Some(Ok(_)));
                if taken {
                    self.said.push((place, text.clone()));
                }
                taken
            }
            Deed::RoomAction(action, asked) => self.wishes_once(place, action, asked),
            Deed::Account(input, asked) => self.account_once(place, input, asked),
            Deed::Away(text) => {
                let online = status == Some(Status::Online);
                if online {
                    let before = (!text.is_empty()).then(|| (run, text.clone()));
                    self.world.set_away(place, text);
                    match before {
                        Some(away) => self.away.insert(place, away),
                        None => self.away.remove(&place),
                    };
                }
                online
            }
            Deed::Quit => {
                self.world.quit(place);
                true
            }
            Deed::Vanish => {
                self.away.remove(&place);
                node.user.want_online(false);
                self.world.crash(place);
                true
            }
            Deed::Return => {
                self.world.boot(place);
                self.world.register(place);
                true
            }
            Deed::Yield => {
                node.user.want_online(false);
                if matches!(status, Some(Status::Registering | Status::Online)) {
                    self.world.deregister(place);
                }
                status == Some(Status::Offline)
            }
            Deed::Ban(nick, seen) => self.bans_once(nick, seen),
        }
    }

    /// Whether a request has come true, or was refused for good.
    fn wishes_once(
        &mut self,
        place: Place,
        action: &RoomAction,
        asked: &mut Option<(u64, usize)>,
    ) -> bool {
        let node = &mut self.world.nodes[place];
        let (run, told) = (node.store.boots(), node.user.told().len());
        if node.client().map(|client| client.status()) != Some(Status::Online) {
            *asked = None;
            return false;
        }
        let Some((_, from)) = asked.filter(|(before, _)| *before == run) else {
            *asked = Some((run, told));
            self.world.request(place, *action);
            return false;
        };
        let answers = node.user.told()[from..].iter().filter_map(|told| match told.event {
            Event::RoomResponse { action, result } => Some((action, result)),
            Event::Names { action, .. } => Some((action, Ok(()))),
            _ => None,
        });
        let answer = answers.rev().find(|(what, _)| what == action);
        if answer.is_some_and(|(_, result)| result == Err(RoomRefusal::Store)) {
            *asked = None;
            return false;
        }
        answer.is_some()
    }

    /// Whether a request about the account was answered. Whoever asks again in another run may find
    /// that it was done.
    fn account_once(
        &mut self,
        place: Place,
        input: &Input,
        asked: &mut Option<(u64, usize)>,
    ) -> bool {
        let node = &mut self.world.nodes[place];
        let (run, told) = (node.store.boots(), node.user.told().len());
        if node.client().map(|client| client.status()) != Some(Status::Online) {
            *asked = None;
            return false;
        }
        let Some((_, from)) = asked.filter(|(before, _)| *before == run) else {
            *asked = Some((run, told));
            self.world.input(place, input.clone());
            return false;
        };
        let mut answers = node.user.told()[from..].iter().filter_map(|told| match told.event {
            Event::AccountResponse { result, .. } => Some(result),
            _ => None,
        });
        let answer = answers.next_back();
        if answer == Some(Err(AccountRefusal::Store)) {
            *asked = None;
            return false;
        }
        answer.is_some()
    }

    /// Whether someone was seen to be banned twice: once may be before it is durable.
    fn bans_once(&mut self, nick: &Nick, seen: &mut bool) -> bool {
        let mut banned = false;
        if let Some(server) = self.world.nodes[SERVER].server() {
            server.for_each_account(|account| {
                banned |= account.nick == *nick && account.banned;
            });
            if !banned {
                self.world.operate(*nick, Operation::Ban);
            }
        }
        std::mem::replace(seen, banned) && banned
    }
}
