//! A story as it is told: people who do one thing after another, as soon as their clients
//! let them, and what is so in the end of each scene.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proto_core::{
    client::{self, Event, Refusal, Status, To, Verdict},
    id::{Nick, PublicKey, Room as RoomNumber, RoomName},
    record::MAX_RECORD,
    server::{self, Logins, Operation},
    wire::{CloseReason, PasswordWant, RegisterRefusal, RoomRefusal, Wish},
};

use crate::{
    clock::{Moment, SECOND},
    disturbance::Disturbance,
    faults::Faults,
    memory::Room,
    network::Place,
    node::{Kind, Node},
    trace::Telling,
    world::{Setup, World},
};

/// How often people look whether they can go on.
const LOOK: Moment = SECOND / 10;

/// One millisecond.
const MILLISECOND: Moment = SECOND / 1_000;

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
            Self::Network => 3 * SECOND,
            Self::Store => 8 * SECOND,
            Self::Crash => 30 * SECOND,
        }
    }

    fn client(self, config: &mut client::Config) {
        match self {
            Self::Network | Self::Store => {
                (config.keep_alive, config.idle, config.receipt) = (NEVER, 2 * NEVER, NEVER);
            }
            Self::Crash => {}
        }
    }

    fn server(self, config: &mut server::Config) {
        if self != Self::Crash {
            config.idle = 2 * NEVER;
        }
    }
}

/// What is so at some time, whenever it came to be so: by name, lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(BTreeMap<String, Vec<String>>);

impl Facts {
    fn add(&mut self, name: String, lines: Vec<String>) {
        if !lines.is_empty() {
            self.0.insert(name, lines);
        }
    }

    /// Without the lines that someone does not care about.
    pub fn retain(&mut self, cares: impl Fn(&str, &str) -> bool) {
        for (name, lines) in &mut self.0 {
            lines.retain(|line| cares(name, line));
        }
        self.0.retain(|_, lines| !lines.is_empty());
    }

    /// Whether a line is among those of a name.
    pub fn has(&self, name: &str, line: &str) -> bool {
        self.0.get(name).is_some_and(|lines| lines.iter().any(|one| one == line))
    }

    /// What differs between what should be so and what is.
    pub fn difference(&self, is: &Self) -> Option<String> {
        let names: BTreeSet<_> = self.0.keys().chain(is.0.keys()).collect();
        let none = Vec::new();
        let lines = names.into_iter().filter_map(|name| {
            let [should, is] = [self, is].map(|facts| facts.0.get(name).unwrap_or(&none));
            (should != is).then(|| format!("{name}: {is:?}, and not {should:?}"))
        });
        let lines: Vec<_> = lines.collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// A scene's end.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What it is called.
    pub name: &'static str,
    /// What is so.
    pub facts: Facts,
    /// Messages whose author's client crashed before they were durable, or was told that a
    /// store had failed at them: they were never said.
    pub unsaid: BTreeSet<String>,
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
    /// Wish something; since so many things told, it was asked for.
    Wish(Wish, Option<(u64, usize)>),
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
        let mut place = 0;
        let world = World::prepared(&setup, |node: &mut Node| {
            node.room = Room {
                links: 12,
                dials: 8,
                people: 8,
                messages: 64,
                blocks: 512,
                sent: 128,
                work: MAX_RECORD,
            };
            (story.room)(place, &mut node.room);
            place += 1;
            match &mut node.kind {
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
            tale.world.capture = Some(Vec::new());
        }
        (story.tell)(&mut tale);
        tale
    }

    /// Everyone starts what is not started, and the laws that hold in the end are checked.
    pub fn end(&mut self) {
        for place in 0..self.world.nodes.len() {
            self.world.boot(place);
        }
        self.world.conclude();
    }

    // ---- what people do, one thing after another

    fn at(&self, who: &str) -> Place {
        let is = |node: &Node| node.name.split('[').next() == Some(who);
        self.world.nodes.iter().position(is).expect("someone of that name")
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

    /// Someone wishes something of the server's rooms.
    pub fn wishes(&mut self, who: &str, wish: Wish) {
        self.will(who, Deed::Wish(wish, None));
    }

    /// Someone creates a room.
    pub fn creates(&mut self, who: &str, room: &str) {
        self.wishes(who, Wish::Create(RoomName::new(room).expect("a room name")));
    }

    /// Someone joins a room.
    pub fn joins(&mut self, who: &str, room: &str) {
        self.wishes(who, Wish::Join(RoomName::new(room).expect("a room name")));
    }

    /// Someone leaves a room.
    pub fn quits(&mut self, who: &str, room: &str) {
        self.wishes(who, Wish::Leave(RoomName::new(room).expect("a room name")));
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
        self.world.nodes[place].passwords = passwords.iter().map(ToString::to_string).collect();
    }

    /// Nothing passes between two for so many milliseconds.
    pub fn parts(&mut self, one: &str, other: &str, span: Moment) {
        let (one, other) = (self.at(one), self.at(other));
        self.world.part(one, other, span * MILLISECOND);
    }

    /// Nothing passes from one to another for so many milliseconds.
    pub fn mutes(&mut self, from: &str, to: &str, span: Moment) {
        let (from, to) = (self.at(from), self.at(to));
        self.world.mute(from, to, span * MILLISECOND);
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
            let who = &self.world.nodes[*place].name;
            let (now, deed) = (self.world.now / SECOND, deeds.front());
            assert!(deed.is_none(), "after {now} s, in {name:?}: {who} cannot do {deed:?}");
        }
        self.world.old_mail_is_gone();
        let facts = self.facts();
        let unsaid = self.unsaid();
        self.scenes.push(Scene { name, facts, unsaid });
    }

    fn run(&mut self, span: Moment) {
        let end = self.world.now + span;
        while self.world.now < end {
            for place in 0..self.world.nodes.len() {
                self.look_after(place);
                self.act(place);
            }
            self.world.run(LOOK.min(end - self.world.now));
        }
    }

    /// People who want to be online, and were refused because a store failed, try again; who is
    /// away says so again after a restart.
    fn look_after(&mut self, place: Place) {
        let node = &mut self.world.nodes[place];
        let (runs, refused, wants) = (node.boots, node.refused, node.wants_online);
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
        let (run, told) = (node.boots, node.told.len());
        let status = node.client().map(|client| client.status());
        match deed {
            Deed::Knock => {
                self.world.register(place);
                true
            }
            Deed::Arrive => {
                if !node.wants_online {
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
            Deed::Wish(wish, asked) => {
                if status != Some(Status::Online) {
                    *asked = None;
                    return false;
                }
                let Some((_, from)) = asked.filter(|(before, _)| *before == run) else {
                    *asked = Some((run, told));
                    self.world.wish(place, *wish);
                    return false;
                };
                let answers = node.told[from..].iter().filter_map(|told| match told.event {
                    Event::Outcome { wish, result } => Some((wish, result)),
                    Event::Names { wish, .. } => Some((wish, Ok(()))),
                    _ => None,
                });
                let answer = answers.rev().find(|(what, _)| what == wish);
                if answer.is_some_and(|(_, result)| result == Err(RoomRefusal::Store)) {
                    *asked = None;
                    return false;
                }
                answer.is_some()
            }
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
                node.wants_online = false;
                self.world.crash(place);
                true
            }
            Deed::Return => {
                self.world.boot(place);
                self.world.register(place);
                true
            }
            Deed::Yield => {
                node.wants_online = false;
                if matches!(status, Some(Status::Registering | Status::Online)) {
                    self.world.deregister(place);
                }
                status == Some(Status::Offline)
            }
            Deed::Ban(nick, seen) => {
                let mut banned = false;
                if let Some(server) = node.server() {
                    server.for_each_account(|account| {
                        banned |= account.nick == *nick && account.banned
                    });
                    if !banned {
                        self.world.operate(*nick, Operation::Ban);
                    }
                }
                std::mem::replace(seen, banned) && banned
            }
        }
    }

    // ---- what is so

    fn name_of(&self, key: PublicKey) -> String {
        let holder = self.world.nodes.iter().find(|node| node.key == key);
        holder.map_or_else(|| format!("{key:?}"), |node| node.name.clone())
    }

    /// What was said and never was durable, or its author was told that a store failed at it.
    fn unsaid(&self) -> BTreeSet<String> {
        let durable: BTreeMap<_, _> =
            self.world.laws.letters().map(|(_, _, text, verdict)| (text, verdict)).collect();
        let failed = Some(Verdict::Refused(Refusal::Store));
        let said = self.said.iter().map(|(_, text)| text);
        said.filter(|text| durable.get(*text).is_none_or(|verdict| *verdict == failed))
            .cloned()
            .collect()
    }

    /// Every room with its name; the lobby has none.
    fn rooms(&self) -> Vec<(String, RoomNumber)> {
        let lobby = [(String::new(), RoomNumber::LOBBY)];
        lobby.into_iter().chain(self.world.laws.rooms.named()).collect()
    }

    fn facts(&mut self) -> Facts {
        let mut facts = Facts::default();
        for place in 1..self.world.nodes.len() {
            self.facts_of(place, &mut facts);
        }
        let (rooms, laws) = (self.rooms(), &self.world.laws);
        for (author, recipient, text, verdict) in laws.letters() {
            let to = match laws.rooms.room(&recipient) {
                Some(room) => {
                    let named = rooms.iter().find(|(_, number)| *number == room);
                    named.map_or_else(|| format!("{room:?}"), |(name, _)| format!("#{name}"))
                }
                None => self.name_of(recipient),
            };
            let name = format!("what became of {:?}", short(&text));
            let verdict = verdict.map_or("it is open".into(), |verdict| format!("{verdict:?}"));
            facts.add(name, vec![format!("{} to {to}: {verdict} {text}", self.name_of(author))]);
        }
        let accounts =
            laws.accounts().map(|(nick, key)| format!("{nick} of {}", self.name_of(key)));
        facts.add("accounts".into(), sorted(accounts));
        for (name, room) in rooms {
            facts.add(format!("log of #{name}"), laws.rooms.log(room));
            let members = laws.rooms.members(room).map(|account| laws.nick(account));
            facts.add(format!("members of #{name}"), sorted(members));
        }
        facts
    }

    fn facts_of(&mut self, place: Place, facts: &mut Facts) {
        let crash = self.pace == Pace::Crash;
        let node = &mut self.world.nodes[place];
        let (name, key, mut roster, mut rooms) = (node.name.clone(), node.key, vec![], vec![]);
        for (how, kind) in [("was answered", About::Answer), ("heard", About::News)] {
            let told = node.told.iter().filter_map(|told| line(&told.event, &told.text));
            let told = told.filter(|(about, _)| *about == kind).map(|(_, line)| line);
            facts.add(format!("{name} {how}"), sorted(told));
        }
        if let Some(client) = node.client() {
            let status = client.status();
            facts.add(format!("{name} is"), vec![format!("{status:?}")]);
            if status == Status::Online {
                client.for_each_peer(|peer| roster.push(peer));
                client.for_each_room(|view| rooms.push(format!("{:?}", view.room)));
            }
        }
        let roster = roster.into_iter().map(|peer| {
            // A server that crashed only knows who is there.
            let presence = match crash {
                true => format!("{:?}", peer.presence.is_online()),
                false => format!("{:?}", peer.presence),
            };
            format!("{} of {} {presence} {:?}", peer.nick, self.name_of(peer.key), peer.away)
        });
        facts.add(format!("{name}'s roster"), sorted(roster));
        facts.add(format!("{name}'s rooms"), sorted(rooms.into_iter()));
        let laws = &self.world.laws;
        for author in &self.world.nodes[1..] {
            let inbox = laws.inbox(key, author.key);
            facts.add(format!("{name}'s inbox of {}", author.name), inbox);
        }
        for (room, number) in self.rooms() {
            facts.add(format!("{name}'s inbox of #{room}"), laws.rooms.inbox(key, number));
        }
    }
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<_> = lines.collect();
    lines.sort();
    lines
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Why a user is told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// It is the answer to something that the user wanted, and perhaps wanted again.
    Answer,
    /// It happened.
    News,
}

/// Something that a user was told, if it is something that matters for its own sake; in words
/// that do not say which way it came.
fn line(event: &Event, text: &str) -> Option<(About, String)> {
    let answer = |line: String| Some((About::Answer, line));
    match event {
        Event::Ready
        | Event::RosterChanged
        | Event::Accepted { .. }
        | Event::Deposited { .. }
        | Event::Relayed { .. }
        | Event::Verdict { .. }
        | Event::ServerSilent
        | Event::ServerBack
        | Event::StoreFailed
        | Event::PasswordWanted { why: PasswordWant::Busy, .. } => None,
        Event::Registered { returning, mail, .. } => {
            answer(format!("registered, returning: {returning}, mail: {mail}"))
        }
        Event::PasswordWanted { why, .. } => answer(format!("password wanted: {why:?}")),
        // Who has not heard the one is told the other.
        Event::ServerClosed(CloseReason::Expelled)
        | Event::RegisterRefused(RegisterRefusal::Banned) => Some((About::News, "banned".into())),
        Event::RegisterRefused(_) | Event::Deregistered { .. } | Event::Outcome { .. } => {
            answer(format!("{event:?}"))
        }
        Event::Names { .. } => {
            let names = sorted(text.lines().map(ToString::to_string));
            answer(format!("names: {}", names.join(", ")))
        }
        Event::Message { from, .. } => Some((About::News, format!("{from} says: {text}"))),
        Event::RoomMessage { room, from, .. } => {
            Some((About::News, format!("{from} says in {room:?}: {text}")))
        }
        other => Some((About::News, format!("{other:?}"))),
    }
}
