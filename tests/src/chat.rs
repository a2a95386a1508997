//! A world with people called by name, for stories: what each is told, line by line.

use std::collections::BTreeMap;

use proto_core::{
    client::{Event, MessageId, SendError, Status, To, Verdict},
    host::Log,
    id::{Nick, Room, RoomName},
    server::{self, Logins},
    wire::{RoomAction, TrimReason},
};

use crate::{
    clock::{Moment, SECOND},
    contents,
    faults::Faults,
    node::Kind,
    place::{Place, SERVER},
    setup::Setup,
    trace::Telling,
    world::Backup,
    world::World,
};

/// Longer than anything takes on a good network.
pub const SHORTLY: Moment = 3 * SECOND;

/// A world in which nothing goes wrong by itself, with people called by name.
#[allow(missing_debug_implementations)] // megabytes
pub struct Chat {
    /// The world.
    pub world: World,
    /// Where everyone is.
    pub places: BTreeMap<String, Place>,
    texts: BTreeMap<(Place, [u8; 32], u64), String>,
    /// How much of what each was told was looked at.
    heard: BTreeMap<Place, usize>,
}

#[allow(clippy::missing_panics_doc)] // a story that goes another way fails its test
impl Chat {
    /// Their clients run; nobody is online.
    pub fn of(nicks: &[&str]) -> Self {
        Self::with(nicks, Faults::none())
    }

    /// They are online, in a world whose laws are about texts, since stores will go back.
    pub fn restorable(nicks: &[&str]) -> Self {
        let mut chat = Self::with(nicks, Faults { restores: true, ..Faults::none() });
        // None goes back by itself.
        chat.heal();
        chat.all_online(nicks);
        chat
    }

    /// Their clients run; nobody is online, and nobody takes the server's word for whose a nick is.
    pub fn wary(nicks: &[&str]) -> Self {
        Self::with(nicks, Faults { dishonest: true, ..Faults::none() })
    }

    /// Someone takes whoever has a nick now for the one whom they know by it.
    pub fn trust(&mut self, who: &str, nick: &str) {
        let (who, other) = (self.at(who), self.at(nick));
        let key = self.world.nodes[other].key();
        self.world.trust(who, Nick::new(nick).expect("a nick"), key);
    }

    fn with(nicks: &[&str], faults: Faults) -> Self {
        let setup = Setup {
            seed: 1,
            faults,
            nicks: nicks.iter().map(ToString::to_string).collect(),
            real: false,
            logins: Logins::Open,
            telling: Telling::Silent,
        };
        let mut places = BTreeMap::from([("server".to_string(), SERVER)]);
        places.extend(nicks.iter().map(ToString::to_string).zip(1..));
        let world = World::new(&setup);
        Self { world, places, texts: BTreeMap::new(), heard: BTreeMap::new() }
    }

    /// They are online, and were told all about that.
    pub fn online(nicks: &[&str]) -> Self {
        let mut chat = Self::of(nicks);
        chat.all_online(nicks);
        chat
    }

    fn all_online(&mut self, nicks: &[&str]) {
        for nick in nicks {
            self.register(nick);
        }
        self.run(SHORTLY);
        for nick in nicks {
            assert_eq!(self.hears(nick), ["registered"]);
        }
    }

    /// Where someone is.
    pub fn at(&self, name: &str) -> Place {
        self.places[name]
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Moment) {
        self.world.run(span);
    }

    /// Lets time pass, in steps of a millisecond, until something is so.
    pub fn run_until(&mut self, mut is_so: impl FnMut(&mut Self) -> bool) {
        for _ in 0..60_000 {
            if is_so(self) {
                return;
            }
            self.run(SECOND / 1000);
        }
        panic!("it has not come to that in a minute");
    }

    /// Someone goes online.
    pub fn register(&mut self, who: &str) {
        let who = self.at(who);
        self.world.register(who);
    }

    /// Someone goes offline.
    pub fn deregister(&mut self, who: &str) {
        let who = self.at(who);
        self.world.deregister(who);
    }

    /// A host crashes.
    pub fn crash(&mut self, who: &str) {
        let who = self.at(who);
        self.world.crash(who);
    }

    /// A host starts again; who was online wants to be so again.
    pub fn start(&mut self, who: &str) {
        let who = self.at(who);
        self.world.boot(who);
    }

    /// A copy of all that is durable at a node now.
    pub fn back_up(&self, who: &str) -> Backup {
        self.world.back_up(self.at(who))
    }

    /// A host crashes, and starts again with another store.
    pub fn put_back(&mut self, who: &str, backup: &Backup) {
        self.crash(who);
        let place = self.at(who);
        self.world.put_back(place, backup.clone());
        self.run(SHORTLY);
        self.start(who);
    }

    /// A client's directory is copied; who uses the copy goes by that name.
    pub fn copy(&mut self, who: &str, name: &str) {
        let copy = self.world.copy(self.at(who), name);
        self.places.insert(name.into(), copy);
    }

    /// Nothing passes between two for that long.
    pub fn part(&mut self, one: &str, other: &str, span: Moment) {
        let (one, other) = (self.at(one), self.at(other));
        self.world.network.part(&mut self.world.cx, one, other, span);
    }

    /// Nothing passes from one to another for that long.
    pub fn mute(&mut self, from: &str, to: &str, span: Moment) {
        let (from, to) = (self.at(from), self.at(to));
        self.world.network.mute(&mut self.world.cx, from, to, span);
    }

    /// From now on, so many bytes per second pass from one to another.
    pub fn slow_down(&mut self, from: &str, to: &str, rate: u64) {
        let (from, to) = (self.at(from), self.at(to));
        self.world.network.slow_down(&mut self.world.cx, from, to, rate);
    }

    /// No datagram of more than `largest` bytes passes between two any more.
    pub fn narrow(&mut self, one: &str, other: &str, largest: usize) {
        let (one, other) = (self.at(one), self.at(other));
        for (from, to) in [(one, other), (other, one)] {
            self.world.network.narrow(&mut self.world.cx, from, to, largest);
        }
    }

    /// A host stands still for that long.
    pub fn pause(&mut self, who: &str, span: Moment) {
        let who = self.at(who);
        self.world.nodes[who].pause(&mut self.world.cx, span);
    }

    /// A host's wall clock is set, so many microseconds further or back.
    pub fn set_clock(&mut self, who: &str, by: i64) {
        let who = self.at(who);
        self.world.nodes[who].set_clock(&mut self.world.cx, by);
    }

    /// The server's store spoils an entry of a room.
    pub fn spoil(&mut self, room: Room, index: u64) {
        self.world.nodes[SERVER].store.damage(Log::Room(room), index);
        self.world.judges.spoil(room, index);
    }

    /// Who it is cannot be reached by anyone.
    pub fn isolate(&mut self, who: &str, span: Moment) {
        let others: Vec<_> = self.places.keys().filter(|name| *name != who).cloned().collect();
        for other in others {
            self.part(who, &other, span);
        }
    }

    /// The hosts behave from now on.
    pub fn heal(&mut self) {
        self.world.heal();
    }

    /// Someone says something: to another, in a `#room`, or to everyone, `#`.
    ///
    /// # Errors
    /// The client does not take it.
    pub fn try_say(&mut self, from: &str, to: &str, text: &str) -> Result<MessageId, SendError> {
        let from = self.at(from);
        let to = match to.strip_prefix('#') {
            None => To::Peer(Nick::new(to).expect("a nick")),
            Some("") => To::Lobby,
            Some(room) => To::Room(RoomName::new(room).expect("a room name")),
        };
        let said = self.world.say(from, to, text.into()).expect("the client runs");
        if let Ok(id) = said {
            let name = (from, id.recipient.0, id.position.to_record_number());
            self.texts.insert(name, text.into());
        }
        said
    }

    /// Someone says something to another.
    pub fn say(&mut self, from: &str, to: &str, text: &str) {
        self.try_say(from, to, text).expect("the client takes the text");
    }

    /// Where a client stands.
    pub fn status(&mut self, who: &str) -> Status {
        let who = self.at(who);
        self.world.nodes[who].client().expect("the client runs").status()
    }

    /// All that someone was told since this was asked before.
    pub fn hears(&mut self, who: &str) -> Vec<String> {
        let who = self.at(who);
        let told = self.world.nodes[who].user.told();
        let from = self.heard.insert(who, told.len()).unwrap_or(0);
        told[from..].iter().filter_map(|told| self.line(who, told.event, &told.text)).collect()
    }

    fn line(&self, who: Place, event: Event, text: &str) -> Option<String> {
        let mine = |id: MessageId| {
            let name = (who, id.recipient.0, id.position.to_record_number());
            self.texts.get(&name).cloned().unwrap_or_else(|| "?".into())
        };
        Some(match event {
            Event::Ready | Event::RosterChanged => return None,
            Event::Registered { returning: false, .. } => "registered".into(),
            Event::Registered { mail: false, .. } => "welcome back".into(),
            Event::Registered { .. } => "welcome back, there is mail".into(),
            Event::Accepted { id, .. } => format!("accepted: {}", mine(id)),
            Event::Submitted { id, why, .. } => format!("submitted ({why:?}): {}", mine(id)),
            Event::Relayed { to } => format!("relayed to {to}"),
            Event::Verdict { id, verdict, .. } => match verdict {
                Verdict::Delivered => format!("delivered: {}", mine(id)),
                Verdict::Stored => format!("stored: {}", mine(id)),
                Verdict::Expired => format!("expired: {}", mine(id)),
                Verdict::Unconfirmed => format!("unconfirmed: {}", mine(id)),
                Verdict::Refused(why) => format!("refused ({why:?}): {}", mine(id)),
                Verdict::Failed(why) => format!("failed ({why:?}): {}", mine(id)),
            },
            Event::Message { from, known: false, .. } => format!("a stranger {from}: {text}"),
            Event::Message { from, waited: true, .. } => format!("{from} (saved): {text}"),
            Event::Message { from, by_server: true, .. } => format!("{from} (relayed): {text}"),
            Event::Message { from, .. } => format!("{from}: {text}"),
            Event::Gap { from, missing } => format!("{missing} of {from} missing"),
            Event::KeyChanged { nick, .. } => format!("{nick} has another key"),
            Event::Unreadable { from } => format!("unreadable mail of {from}"),
            Event::RoomMessage { room, from, .. } => format!("{} {from}: {text}", name(&room)),
            Event::RoomReset { room } => format!("the log of {} is another", name(&room)),
            Event::RoomGap { room, missing, why } => {
                let fate = match why {
                    TrimReason::NotKept => "gone",
                    TrimReason::Damaged => "damaged",
                    TrimReason::TooLong => "too long",
                    _ => "missing",
                };
                format!("{missing} of {} are {fate}", name(&room))
            }
            Event::RoomResponse { action, result } => match (action, result) {
                (RoomAction::Create(room), Ok(())) => format!("created #{room}"),
                (RoomAction::Join(room), Ok(())) => format!("joined #{room}"),
                (RoomAction::Leave(room), Ok(())) => format!("left #{room}"),
                (_, result) => format!("{result:?}"),
            },
            Event::Names { last, .. } => {
                format!("{}{}", text.replace('\n', " "), if last { "" } else { " …" })
            }
            Event::MailboxEmpty => "that was all mail".into(),
            Event::Deregistered { answered: true } => "offline".into(),
            other => format!("{other:?}"),
        })
    }

    /// The server goes by something else from now on: it is started anew.
    pub fn configure(&mut self, change: impl FnOnce(&mut server::Config)) {
        if let Kind::Server(config) = &mut self.world.nodes[SERVER].plan.kind {
            change(config);
            let config = *config;
            self.world.judges.server_goes_by(&config, self.world.cx.faults.jumps);
        }
        self.crash("server");
        self.start("server");
    }

    /// The server's store is lost, and it begins anew.
    pub fn lose_server(&mut self) {
        self.crash("server");
        self.world.nodes[SERVER].store.wipe();
        self.world.judges.server_begins_anew();
        self.start("server");
    }

    /// Someone asks for something of the server's rooms.
    pub fn request(&mut self, who: &str, action: impl Fn(RoomName) -> RoomAction, room: &str) {
        let who = self.at(who);
        self.world.request(who, action(RoomName::new(room).expect("a room name")));
    }

    /// Someone creates a room and joins it, others join it, and all have heard of that.
    pub fn gather(&mut self, room: &str, who: &[&str]) {
        self.request(who[0], RoomAction::Create, room);
        self.run(SHORTLY);
        for who in who {
            self.request(who, RoomAction::Join, room);
        }
        self.run(SHORTLY);
        assert_eq!(self.hears(who[0]), [format!("created #{room}"), format!("joined #{room}")]);
        for who in &who[1..] {
            assert_eq!(self.hears(who), [format!("joined #{room}")]);
        }
    }

    /// What a client has of a room in its durable inbox, in order.
    pub fn has(&self, who: &str, room: &str) -> Vec<String> {
        let to = match room.strip_prefix('#') {
            Some("") => To::Lobby,
            name => To::Room(RoomName::new(name.unwrap_or(room)).expect("a room name")),
        };
        let rooms = self.world.laws().rooms();
        let key = self.world.nodes[self.at(who)].key();
        rooms.number(&to).map(|room| rooms.inbox(key, room)).unwrap_or_default()
    }

    /// What a client's durable inbox has of the lobby, by its own records, in order.
    pub fn has_texts(&self, who: &str) -> Vec<String> {
        let store = &self.world.nodes[self.at(who)].store;
        contents::inbox(store, true)
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect()
    }

    /// A text of someone's that is so long.
    pub fn long(name: &str, bytes: usize) -> String {
        let mut text = format!("{name} ");
        while text.len() < bytes {
            text.push('.');
        }
        text
    }
}

fn name(room: &To) -> String {
    match room {
        To::Room(name) => format!("#{name}"),
        _ => "#".into(),
    }
}
