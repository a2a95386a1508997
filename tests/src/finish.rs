//! How a world ends: everyone who means to comes back, all that is owed arrives,
//! and then there is quiet.

use std::collections::{BTreeMap, BTreeSet};

use proto_core::{
    client::{Status, To},
    host::Log,
    id::PublicKey,
    time::UnixTime,
    wire::{Presence, RegisterRefusal},
};

use crate::{
    clock::{Moment, SECOND},
    judgement::show,
    node::Node,
    place::{Place, SERVER},
    records::{self, MailRecord},
    restored::RestoredLaws,
    store::Manners,
    world::World,
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

/// The shortest and the longest pause of a server between two looks for mail that is too old.
const SHORTEST_SWEEP: Moment = SECOND / 10;
const LONGEST_SWEEP: Moment = 3600 * SECOND;

/// How much longer such a look may take: a store may fail, and a host that crashed begins anew.
const SWEEP_SLACK: Moment = 60 * SECOND;

/// Nick, presence and words of being away of everyone someone knows of, by key.
type Roster = BTreeMap<PublicKey, (String, Presence, String)>;

/// When the server took a piece of mail, by its clock.
fn received(record: &[u8]) -> Option<UnixTime> {
    records::read::<MailRecord>(record).map(|(mail, _)| mail.received)
}

impl World {
    /// Ends the world: the network heals, before all else or, if `through`, only
    /// once everything is delivered; most users come back; the laws of liveness
    /// are checked.
    pub fn finish(&mut self, through: bool) {
        let last = 4000 * SECOND;
        while !self.is_followed() && self.cx.now() < last {
            self.run(SECOND);
        }
        if !through {
            self.heal();
        }
        for place in 0..self.nodes.len() {
            self.boot(place);
            if place != SERVER {
                let online = self.may_return(place) && self.cx.dice.chance(800);
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
            match self.cx.dice.below(3) {
                0 => self.set_away(place, ""),
                1 => self.set_away(place, &format!("gone to see {place} friends")),
                // What was said before is so still.
                _ => {}
            }
        }
        self.run(120 * SECOND);
        self.settle();
        self.everyone_has_everything();
        self.rosters_agree();
        self.nothing_is_left_behind();
        self.quiet();
        self.old_mail_is_gone();
    }

    /// The network and the hosts behave from now on.
    pub fn heal(&mut self) {
        self.cx.line(|_| "everything heals".into());
        self.cx.faults.heal();
        self.network.heal(&self.cx.faults);
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
        let end = self.cx.now() + PATIENCE;
        loop {
            self.look_after();
            let Some((place, why)) = self.unsettled() else { return };
            self.cx.demand(place, self.cx.now() < end, || format!("L1: stuck: {why}"));
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

    /// Of several with one identity one comes back, this one or that: they would displace each
    /// other for ever.
    fn may_return(&mut self, place: Place) -> bool {
        let key = self.nodes[place].key;
        let others = |from: usize, to: usize| self.nodes[from..to].iter().any(|n| n.key == key);
        let (before, after) = (others(0, place), others(place + 1, self.nodes.len()));
        let came =
            (0..place).any(|other| self.nodes[other].key == key && self.nodes[other].wants_online);
        self.restored.is_none() || !(before && came) && (!after || self.cx.dice.chance(500))
    }

    fn unsettled(&mut self) -> Option<(Place, String)> {
        for place in 1..self.nodes.len() {
            let due = if self.is_there(place) { Status::Online } else { Status::Offline };
            let status = self.nodes[place].client().map(|client| client.status());
            if status != Some(due) {
                return Some((place, format!("it is {status:?} and should be {due:?}")));
            }
            let unanswered = match &self.restored {
                Some(laws) => laws.unanswered(place),
                None => self.nodes[place].run.unanswered(),
            };
            if unanswered > 0 {
                return Some((
                    place,
                    format!("{unanswered} messages neither accepted nor refused"),
                ));
            }
        }
        if let Some(laws) = &self.restored {
            return self.unsettled_since_restores(laws);
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

    /// The same, where stores went back.
    fn unsettled_since_restores(&self, laws: &RestoredLaws) -> Option<(Place, String)> {
        let server = &self.nodes[SERVER].store;
        for place in (1..self.nodes.len()).filter(|place| self.is_there(*place)) {
            if let Err(why) = laws.complete(&self.nodes[place], server) {
                return Some((place, why));
            }
            for (to, text, stored) in laws.open(place) {
                let waits = match to {
                    To::Peer(nick) => {
                        let mut there = self.nodes.iter().enumerate().filter(|(at, node)| {
                            node.nick == *nick && *at != SERVER && self.is_there(*at)
                        });
                        let known = RestoredLaws::knows(server, nick);
                        there.next().is_none() && (stored || !known)
                    }
                    To::Lobby | To::Room(_) => false,
                };
                if !waits {
                    let what = if stored { "stored" } else { "open" };
                    return Some((place, format!("{} to {to:?} is {what}", show(text))));
                }
            }
        }
        None
    }

    /// L1: whoever is back has all that was said to it.
    fn everyone_has_everything(&self) {
        if self.restored.is_some() {
            // Whoever is there has it all, or the world is not settled.
            return;
        }
        for place in (1..self.nodes.len()).filter(|place| self.is_there(*place)) {
            let absent = |author| self.place_of(author).is_none_or(|author| !self.is_there(author));
            self.cx.judge(place, self.laws.complete(self.nodes[place].key, absent));
        }
    }

    /// L1: everyone who is online knows what the server knows, and that is who is there, with
    /// which key, and what they said last of being away.
    fn rosters_agree(&mut self) {
        let mut known = Roster::new();
        if let Some(server) = self.nodes[SERVER].server() {
            server.for_each_account(|account| {
                let seen = (account.nick.to_string(), account.presence, String::new());
                known.insert(account.key, seen);
            });
        }
        for place in (1..self.nodes.len()).filter(|place| self.is_there(*place)) {
            let Node { key, nick, away, .. } = &self.nodes[place];
            let is = known.get_mut(key).filter(|(known, ..)| *known == nick.to_string());
            let listed = is.map(|(_, presence, said)| {
                said.clone_from(away);
                *presence
            });
            self.cx.demand(place, listed == Some(Presence::Online), || {
                format!("L1: the server has it down as {listed:?}")
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
                    let (nick, away) = (peer.nick.to_string(), peer.away.to_string());
                    seen.insert(peer.key, (nick, peer.presence, away));
                });
            }
            seen.remove(&own);
            let others: Roster = known
                .iter()
                .filter(|(key, _)| **key != own)
                .map(|(k, v)| (*k, v.clone()))
                .collect();
            self.cx.demand(place, seen == others, || {
                format!("L1: its roster is {seen:?}, and should be {others:?}")
            });
        }
    }

    /// Mail that is too old is not in the server's store any more, once it had the time to look. It
    /// looks for that of those who are not online: who is has theirs, and what of it the store
    /// failed to forget goes when they come the next time.
    pub(crate) fn old_mail_is_gone(&mut self) {
        let mut online = BTreeSet::new();
        if let Some(server) = self.nodes[SERVER].server() {
            server.for_each_account(|account| {
                if account.presence.is_online() {
                    online.insert(account.account);
                }
            });
        }
        let kept = self.laws.mail_kept;
        let accounts = self.laws.accounts().count() as u64 + 1;
        let pause = (kept / accounts / 8).clamp(SHORTEST_SWEEP, LONGEST_SWEEP);
        let most = kept + accounts * pause + SWEEP_SLACK;
        let Node { clock, store, boots, .. } = &self.nodes[SERVER];
        let now = clock.believed(self.cx.now());
        let oldest = store.logs().filter_map(|(log, records)| match log {
            Log::Mailbox(of) if !online.contains(of) => {
                records.records.values().filter_map(|r| received(r)).min()
            }
            _ => None,
        });
        let oldest = oldest.min().unwrap_or(now);
        let age = now.since(oldest).as_micros() as u64;
        // A wall clock that jumps says nothing of how old it is.
        self.cx.demand(SERVER, kept == 0 || age <= most, || {
            format!("mail is kept for {} s, in run {boots}", age / SECOND)
        });
    }

    /// Whatever was on its way is gone from memory.
    fn nothing_is_left_behind(&mut self) {
        if let Some(usage) = self.nodes[SERVER].server().map(proto_core::server::Server::usage) {
            // What is said of being away takes a block each.
            let away = self.nodes.iter().filter(|node| !node.away.is_empty()).count();
            let (entries, blocks) = usage.recent;
            let empty = (usage.entries.0, usage.blocks.0) == (entries, blocks + away);
            self.cx.demand(SERVER, empty, || format!("S9: everything is delivered, but {usage:?}"));
        }
        for place in 1..self.nodes.len() {
            let key = self.nodes[place].key;
            let of_key = |(author, _, _, stored)| (author == key).then_some(stored);
            let open: Vec<bool> = match &self.restored {
                Some(laws) => laws.open(place).map(|(.., stored)| stored).collect(),
                None => self.laws.open().filter_map(of_key).collect(),
            };
            let unsaved = open.iter().filter(|stored| !**stored).count();
            let Some(client) = self.nodes[place].client() else { continue };
            let says = client.open_messages();
            // That the server has one may have been told, and not be durable yet at a crash.
            let counted = (unsaved..=open.len()).contains(&says.unsaved);
            let told = says.stored == (says.unsaved < open.len());
            // Who goes offline while an outbox is read again, since its server went back, counts
            // one more for what may be behind.
            let unread = self.restored.is_some() && !self.is_there(place);
            self.cx.demand(place, counted && told || unread, || {
                format!("it says {says:?}, of {} messages and {unsaved} unsaved", open.len())
            });
        }
    }

    /// L4: with nothing to do, little is done.
    fn quiet(&mut self) {
        let sent = |place| self.network.sent(place);
        let before: Vec<_> = self.nodes.iter().map(|node| (sent(node.place), node.wakes)).collect();
        self.run(QUIET);
        let links = self.nodes.len() as u64 - 1;
        let most = PER_LINK * links * (QUIET / SECOND / 60);
        for (place, (sent, wakes)) in before.into_iter().enumerate() {
            let node = &self.nodes[place];
            let (sent, wakes) = (self.network.sent(place) - sent, node.wakes - wakes);
            // A sweep for expired mail costs a server some more.
            let wakes_most = 2 * most + if place == SERVER { 200 } else { 30 };
            self.cx.demand(place, sent <= most && wakes <= wakes_most, || {
                format!("L4: {sent} datagrams and {wakes} wake-ups in five idle minutes")
            });
        }
    }
}
