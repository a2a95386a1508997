//! How a world ends: everyone who means to comes back, all that is owed arrives,
//! and then there is quiet.

use std::collections::BTreeMap;

use proto_core::{
    client::Status,
    id::PublicKey,
    wire::{Presence, RegisterRefusal},
};

use crate::{
    clock::{Moment, SECOND},
    network::Place,
    store::Manners,
    world::{SERVER, World},
};

/// How long a world may take until nothing is owed any more.
const PATIENCE: Moment = 3600 * SECOND;

/// How often a user who wants to be online looks whether that is so.
const LOOK: Moment = 10 * SECOND;

/// How long the quiet is watched.
const QUIET: Moment = 300 * SECOND;

/// Datagrams, and wake-ups, that one link may cost one side in a minute: a
/// keep-alive of either side every 20 seconds, and what acknowledges it.
const PER_LINK: u64 = 12;

/// Nick, key and presence of everyone someone knows of.
type Roster = BTreeMap<PublicKey, (String, Presence)>;

impl World {
    /// Ends the world: the network heals, before all else or, if `through`, only
    /// once everything is delivered; most users come back; the laws of liveness
    /// are checked.
    pub fn finish(&mut self, through: bool) {
        let last = 4000 * SECOND;
        while !self.is_followed() && self.now < last {
            self.run(SECOND);
        }
        if !through {
            self.heal();
        }
        for place in 0..self.nodes.len() {
            self.boot(place);
            if place != SERVER {
                let online = self.dice.chance(800);
                if online {
                    self.register(place);
                } else {
                    self.deregister(place);
                }
            }
        }
        self.settle();
        if through {
            self.heal();
        }
        self.conclude();
    }

    /// Ends a world in which everyone is where they mean to be, and nothing goes wrong any
    /// more: the laws of liveness are checked.
    pub fn conclude(&mut self) {
        self.settle();
        for place in 1..self.nodes.len() {
            self.set_away(place, "");
        }
        self.run(120 * SECOND);
        self.settle();
        self.everyone_has_everything();
        self.rosters_agree();
        self.nothing_is_left_behind();
        self.quiet();
    }

    /// The network and the hosts behave from now on.
    pub fn heal(&mut self) {
        self.trace.line(self.now, || "everything heals".into());
        self.faults.heal();
        let faults = self.faults.clone();
        self.network.change(&faults);
        for place in 0..self.nodes.len() {
            self.nodes[place].store.behave(Manners::default());
            self.nodes[place].torn = None;
            if self.nodes[place].paused {
                self.resume(place);
            }
        }
    }

    /// Waits until nothing is owed to anyone who is there.
    pub fn settle(&mut self) {
        let end = self.now + PATIENCE;
        loop {
            self.look_after();
            let Some((place, why)) = self.unsettled() else { return };
            self.demand(place, self.now < end, || format!("L1: stuck: {why}"));
            self.run(LOOK);
        }
    }

    /// Users who want to be online, and are not, try again.
    fn look_after(&mut self) {
        for place in 1..self.nodes.len() {
            let hopeless = self.is_refused(place);
            let node = &mut self.nodes[place];
            let (wants, status) = (node.wants_online, node.client().map(|c| c.status()));
            if wants && !hopeless && status == Some(Status::Offline) {
                self.register(place);
            }
        }
    }

    fn is_refused(&self, place: Place) -> bool {
        self.nodes[place]
            .refused
            .is_some_and(|why| matches!(why, RegisterRefusal::Taken | RegisterRefusal::OtherNick))
    }

    /// A client is, or should be, online.
    fn is_there(&self, place: Place) -> bool {
        self.nodes[place].wants_online && !self.is_refused(place)
    }

    fn place_of(&self, key: PublicKey) -> Option<Place> {
        self.nodes.iter().position(|node| node.key == key)
    }

    fn unsettled(&mut self) -> Option<(Place, String)> {
        for place in 1..self.nodes.len() {
            let due = if self.is_there(place) { Status::Online } else { Status::Offline };
            let status = self.nodes[place].client().map(|client| client.status());
            if status != Some(due) {
                return Some((place, format!("it is {status:?} and should be {due:?}")));
            }
            let unanswered = self.nodes[place].run.unanswered();
            if unanswered > 0 {
                return Some((
                    place,
                    format!("{unanswered} messages neither accepted nor refused"),
                ));
            }
        }
        for place in (1..self.nodes.len()).filter(|place| self.is_there(*place)) {
            if let Err(why) = self.laws.rooms_complete(self.nodes[place].key) {
                return Some((place, why));
            }
        }
        for (author, recipient, number, stored) in self.laws.open() {
            if let Some(room) = self.laws.rooms.room(&recipient) {
                match self.place_of(author) {
                    Some(from) if self.is_there(from) => {
                        return Some((from, format!("message {number:#x} to {room:?} is open")));
                    }
                    _ => continue,
                }
            }
            let (Some(from), Some(to)) = (self.place_of(author), self.place_of(recipient)) else {
                continue;
            };
            let waits = stored && !self.is_there(to);
            if self.is_there(from) && !waits {
                let (to, stored) = (&self.nodes[to].name, if stored { "stored" } else { "open" });
                return Some((from, format!("message {number:#x} to {to} is {stored}")));
            }
        }
        None
    }

    /// L1: whoever is back has all that was said to it.
    fn everyone_has_everything(&self) {
        for place in (1..self.nodes.len()).filter(|place| self.is_there(*place)) {
            let absent = |author| self.place_of(author).is_none_or(|author| !self.is_there(author));
            self.judge(place, self.laws.complete(self.nodes[place].key, absent));
        }
    }

    /// L1: everyone who is online knows what the server knows.
    fn rosters_agree(&mut self) {
        let mut known = Roster::new();
        if let Some(server) = self.nodes[SERVER].server() {
            server.for_each_account(|account| {
                known.insert(account.key, (account.nick.to_string(), account.presence));
            });
        }
        for place in 1..self.nodes.len() {
            if !self.is_there(place) {
                continue;
            }
            let own = self.nodes[place].key;
            let mut seen = Roster::new();
            if let Some(client) = self.nodes[place].client() {
                client.for_each_peer(|peer| {
                    seen.insert(peer.key, (peer.nick.to_string(), peer.presence));
                });
            }
            seen.remove(&own);
            let others: Roster = known
                .iter()
                .filter(|(key, _)| **key != own)
                .map(|(k, v)| (*k, v.clone()))
                .collect();
            self.demand(place, seen == others, || {
                format!("L1: its roster is {seen:?}, the server's {others:?}")
            });
        }
    }

    /// Whatever was on its way is gone from memory.
    fn nothing_is_left_behind(&mut self) {
        if let Some(usage) = self.nodes[SERVER].server().map(proto_core::server::Server::usage) {
            let empty = (usage.entries.0, usage.blocks.0) == usage.recent;
            self.demand(SERVER, empty, || format!("S9: everything is delivered, but {usage:?}"));
        }
        for place in 1..self.nodes.len() {
            let key = self.nodes[place].key;
            let open: Vec<_> = self.laws.open().filter(|(author, ..)| *author == key).collect();
            let unsaved = open.iter().filter(|(.., stored)| !stored).count();
            let Some(client) = self.nodes[place].client() else { continue };
            let says = client.open_messages();
            // That the server has one may have been told, and not be durable yet at a crash.
            let counted = (unsaved..=open.len()).contains(&says.unsaved);
            let told = says.stored == (says.unsaved < open.len());
            self.demand(place, counted && told, || {
                format!("it says {says:?}, of {} messages and {unsaved} unsaved", open.len())
            });
        }
    }

    /// L4: with nothing to do, little is done.
    fn quiet(&mut self) {
        let before: Vec<_> = self.nodes.iter().map(|node| (node.sent, node.wakes)).collect();
        self.run(QUIET);
        let links = self.nodes.len() as u64 - 1;
        let most = PER_LINK * links * (QUIET / SECOND / 60);
        for (place, (sent, wakes)) in before.into_iter().enumerate() {
            let node = &self.nodes[place];
            let (sent, wakes) = (node.sent - sent, node.wakes - wakes);
            // A sweep for expired mail costs a server some more.
            let wakes_most = 2 * most + if place == SERVER { 200 } else { 30 };
            self.demand(place, sent <= most && wakes <= wakes_most, || {
                format!("L4: {sent} datagrams and {wakes} wake-ups in five idle minutes")
            });
        }
    }
}
