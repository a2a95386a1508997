//! What is so in a story at some time, whenever it came to be so.

use std::collections::{BTreeMap, BTreeSet};

use proto_core::{
    client::{AccountChange, Event, Status},
    id::{PublicKey, Room as RoomNumber},
    wire::{
        AccountRefusal, CloseReason, PasswordWant, Presence, RegisterRefusal, RoomAction,
        RoomRefusal,
    },
};

use crate::{place::Place, world::World};

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

/// What is so now. After a crash of its host, a server only knows who is there.
pub(crate) fn facts(world: &mut World, after_crash: bool) -> Facts {
    let mut facts = Facts::default();
    for place in 1..world.nodes.len() {
        facts_of(world, place, after_crash, &mut facts);
    }
    let (rooms, laws) = (rooms(world), world.laws());
    for (author, recipient, text, verdict) in laws.letters() {
        let to = match laws.rooms().room(&recipient) {
            Some(room) => {
                let named = rooms.iter().find(|(_, number)| *number == room);
                named
                    .map_or_else(|| "a room that is no more".into(), |(name, _)| format!("#{name}"))
            }
            None => name_of(world, recipient),
        };
        let name = format!("what became of {:?}", short(&text));
        let verdict = verdict.map_or("it is open".into(), |verdict| format!("{verdict:?}"));
        facts.add(name, vec![format!("{} to {to}: {verdict} {text}", name_of(world, author))]);
    }
    let accounts = laws.accounts().map(|(nick, key)| format!("{nick} of {}", name_of(world, key)));
    facts.add("accounts".into(), sorted(accounts));
    for (name, room) in rooms {
        facts.add(format!("log of #{name}"), laws.rooms().log(room));
        let members = laws.rooms().members(room).map(|account| laws.nick(account));
        facts.add(format!("members of #{name}"), sorted(members));
    }
    facts
}

fn facts_of(world: &mut World, place: Place, after_crash: bool, facts: &mut Facts) {
    let name = world.name(place).to_string();
    let node = &mut world.nodes[place];
    let (key, mut roster, mut joined) = (node.key(), vec![], vec![]);
    for (how, kind) in [("was answered", About::Answer), ("heard", About::News)] {
        let told = node.user.told().iter().filter_map(|told| line(&told.event, &told.text));
        let told = told.filter(|(about, _)| *about == kind).map(|(_, line)| line);
        facts.add(format!("{name} {how}"), sorted(told));
    }
    if let Some(client) = node.client() {
        let status = client.status();
        facts.add(format!("{name} is"), vec![format!("{status:?}")]);
        if status == Status::Online {
            client.for_each_peer(|peer| roster.push(peer));
            client.for_each_room(|view| joined.push(format!("{:?}", view.room)));
        }
    }
    let roster = roster.into_iter().map(|peer| {
        let presence = match peer.presence {
            Presence::Lost if after_crash => Presence::Offline,
            presence => presence,
        };
        format!("{} of {} {presence:?} {:?}", peer.nick, name_of(world, peer.key), peer.away)
    });
    facts.add(format!("{name}'s roster"), sorted(roster));
    facts.add(format!("{name}'s rooms"), sorted(joined.into_iter()));
    let laws = world.laws();
    for author in 1..world.nodes.len() {
        let inbox = laws.inbox(key, world.nodes[author].key());
        facts.add(format!("{name}'s inbox of {}", world.name(author)), inbox);
    }
    for (room, number) in rooms(world) {
        facts.add(format!("{name}'s inbox of #{room}"), laws.rooms().inbox(key, number));
    }
}

fn name_of(world: &World, key: PublicKey) -> String {
    let holder = world.nodes.iter().position(|node| node.key() == key);
    holder.map_or_else(|| format!("{key:?}"), |place| world.name(place).to_string())
}

/// Every room with its name; the lobby has none.
fn rooms(world: &World) -> Vec<(String, RoomNumber)> {
    let lobby = [(String::new(), RoomNumber::LOBBY)];
    lobby.into_iter().chain(world.laws().rooms().named()).collect()
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
        // If the server crashes meanwhile, the next session says of a room that one has left, by
        // naming the others.
        Event::RoomLeft { .. }
        | Event::Ready
        | Event::RosterChanged
        | Event::Accepted { .. }
        | Event::Submitted { .. }
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
        // Whoever asks again after a crash finds that it was done.
        Event::AccountResponse { change, result: Ok(()) | Err(AccountRefusal::Wrong { .. }) } => {
            answer(match change {
                AccountChange::Password => "the password is judged".into(),
                AccountChange::Endorsement { .. } => "the device is endorsed".into(),
            })
        }
        Event::AccountResponse { .. } => None,
        // Who has not heard the one is told the other.
        Event::ServerClosed(CloseReason::Expelled)
        | Event::RegisterRefused(RegisterRefusal::Banned) => Some((About::News, "banned".into())),
        // Whoever asks again after a crash finds that it was done.
        Event::RoomResponse {
            action: RoomAction::Delete(room),
            result: Ok(()) | Err(RoomRefusal::Unknown),
        } => answer(format!("there is no {room}")),
        Event::RegisterRefused(_) | Event::Deregistered { .. } | Event::RoomResponse { .. } => {
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
        Event::KeyChanged { nick, .. } => Some((About::News, format!("{nick} has another key"))),
        other => Some((About::News, format!("{other:?}"))),
    }
}
