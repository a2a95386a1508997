//! How a world ends: everyone who means to comes back, all that is owed arrives,
//! and then there is quiet.

use std::collections::{BTreeMap, BTreeSet};

use proto_core::{
    client::{Status, To},
    host::Log,
    id::PublicKey,
    time::UnixTime,
    wire::Presence,
};

use crate::{
    clock::{Moment, SECOND},
    judgement::show,
    laws::restored::RestoredLaws,
    place::{Place, SERVER},
    records::{self, MailRecord},
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

/// Ends the world: the network heals, before all else or, if `through`, only
/// once everything is delivered; most users come back; the laws of liveness
/// are checked.
pub(crate) fn finish(world: &mut World, through: bool) {
    if !through {
        world.heal();
    }
    for place in 0..world.nodes.len() {
        world.boot(place);
        if place != SERVER {
            let online = may_return(world, place) && world.cx.dice.chance(800);
            if online {
                world.register(place);
            } else {
                world.deregister(place);
            }
        }
    }
    settle(world);
    if through {
        world.heal();
    }
    conclude(world);
}

/// Ends a world in which everyone is where they mean to be, and nothing goes wrong any
/// more: the laws of liveness are checked.
pub(crate) fn conclude(world: &mut World) {
    settle(world);
    for place in 1..world.nodes.len() {
        match world.cx.dice.below(3) {
            0 => world.set_away(place, ""),
            1 => world.set_away(place, &format!("gone to see {place} friends")),
            // What was said before is so still.
            _ => {}
        }
    }
    world.run(120 * SECOND);
    settle(world);
    everyone_has_everything(world);
    rosters_agree(world);
    nothing_is_left_behind(world);
    quiet(world);
    old_mail_is_gone(world);
}

/// Waits until nothing is owed to anyone who is there.
fn settle(world: &mut World) {
    let end = world.now() + PATIENCE;
    loop {
        look_after(world);
        let Some((place, why)) = unsettled(world) else { return };
        world.cx.demand(place, world.now() < end, || format!("L1: stuck: {why}"));
        world.run(LOOK);
    }
}

/// Users who want to be online, and are not, try again.
fn look_after(world: &mut World) {
    for place in 1..world.nodes.len() {
        let node = &mut world.nodes[place];
        if node.user.is_there() && node.is_offline() {
            world.register(place);
        }
    }
}

/// The clients that are, or should be, online.
fn those_there(world: &World) -> Vec<Place> {
    (1..world.nodes.len()).filter(|place| world.nodes[*place].user.is_there()).collect()
}

fn place_of(world: &World, key: PublicKey) -> Option<Place> {
    world.nodes.iter().position(|node| node.key() == key)
}

/// Of several with one identity one comes back, this one or that: they would displace each
/// other for ever.
fn may_return(world: &mut World, place: Place) -> bool {
    let key = world.nodes[place].key();
    let others = |from: usize, to: usize| world.nodes[from..to].iter().any(|n| n.key() == key);
    let (before, after) = (others(0, place), others(place + 1, world.nodes.len()));
    let came = (0..place)
        .any(|other| world.nodes[other].key() == key && world.nodes[other].user.wants_online());
    world.judges.restored().is_none() || !(before && came) && (!after || world.cx.dice.chance(500))
}

fn unsettled(world: &mut World) -> Option<(Place, String)> {
    for place in 1..world.nodes.len() {
        let due = if world.nodes[place].user.is_there() { Status::Online } else { Status::Offline };
        let status = world.nodes[place].client().map(|client| client.status());
        if status != Some(due) {
            return Some((place, format!("it is {status:?} and should be {due:?}")));
        }
        let unanswered = world.judges.unanswered(place);
        if unanswered > 0 {
            return Some((place, format!("{unanswered} messages neither accepted nor refused")));
        }
    }
    if let Some(laws) = world.judges.restored() {
        return unsettled_since_restores(world, laws);
    }
    for place in those_there(world) {
        if let Err(why) = world.laws().rooms_complete(world.nodes[place].key()) {
            return Some((place, why));
        }
    }
    for (author, recipient, number, stored) in world.laws().open() {
        if let Some(room) = world.laws().rooms().room(&recipient) {
            match place_of(world, author) {
                Some(from) if world.nodes[from].user.is_there() => {
                    return Some((from, format!("message {number:#x} to {room:?} is open")));
                }
                _ => continue,
            }
        }
        let (Some(from), Some(to)) = (place_of(world, author), place_of(world, recipient)) else {
            continue;
        };
        let waits = stored && !world.nodes[to].user.is_there();
        if world.nodes[from].user.is_there() && !waits {
            let (to, stored) = (world.name(to), if stored { "stored" } else { "open" });
            return Some((from, format!("message {number:#x} to {to} is {stored}")));
        }
    }
    None
}

/// The same, where stores went back.
fn unsettled_since_restores(world: &World, laws: &RestoredLaws) -> Option<(Place, String)> {
    let (server, there) = (&world.nodes[SERVER].store, those_there(world));
    for place in there.iter().copied() {
        if let Err(why) = RestoredLaws::complete(&world.nodes[place].party(), server) {
            return Some((place, why));
        }
        for (to, text, stored) in laws.open(place) {
            let waits = match to {
                To::Peer(nick) => {
                    let is_there = there.iter().any(|place| world.nodes[*place].nick() == *nick);
                    !is_there && (stored || !RestoredLaws::knows(server, nick))
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
fn everyone_has_everything(world: &World) {
    if world.judges.restored().is_some() {
        // Whoever is there has it all, or the world is not settled.
        return;
    }
    for place in those_there(world) {
        let absent = |author| {
            place_of(world, author).is_none_or(|author| !world.nodes[author].user.is_there())
        };
        world.cx.judge(place, world.laws().complete(world.nodes[place].key(), absent));
    }
}

/// L1: everyone who is online knows what the server knows, and that is who is there, with
/// which key, and what they said last of being away.
fn rosters_agree(world: &mut World) {
    let mut known = Roster::new();
    if let Some(server) = world.nodes[SERVER].server() {
        server.for_each_account(|account| {
            let seen = (account.nick.to_string(), account.presence, String::new());
            known.insert(account.key, seen);
        });
    }
    for place in those_there(world) {
        let node = &world.nodes[place];
        let nick = node.nick().to_string();
        let is = known.get_mut(&node.key()).filter(|(known, ..)| *known == nick);
        let listed = is.map(|(_, presence, away)| {
            node.user.away().clone_into(away);
            *presence
        });
        world.cx.demand(place, listed == Some(Presence::Online), || {
            format!("L1: the server has it down as {listed:?}")
        });
    }
    for place in those_there(world) {
        let own = world.nodes[place].key();
        let mut seen = Roster::new();
        if let Some(client) = world.nodes[place].client() {
            client.for_each_peer(|peer| {
                let (nick, away) = (peer.nick.to_string(), peer.away.to_string());
                seen.insert(peer.key, (nick, peer.presence, away));
            });
        }
        seen.remove(&own);
        let others: Roster =
            known.iter().filter(|(key, _)| **key != own).map(|(k, v)| (*k, v.clone())).collect();
        world.cx.demand(place, seen == others, || {
            format!("L1: its roster is {seen:?}, and should be {others:?}")
        });
    }
}

/// Mail that is too old is not in the server's store any more, once it had the time to look. It
/// looks for that of those who are not online: who is has theirs, and what of it the store
/// failed to forget goes when they come the next time.
pub(crate) fn old_mail_is_gone(world: &mut World) {
    let mut online = BTreeSet::new();
    if let Some(server) = world.nodes[SERVER].server() {
        server.for_each_account(|account| {
            if account.presence.is_online() {
                online.insert(account.account);
            }
        });
    }
    let kept = world.laws().mail_kept();
    let accounts = world.laws().accounts().count() as u64 + 1;
    let pause = (kept / accounts / 8).clamp(SHORTEST_SWEEP, LONGEST_SWEEP);
    let most = kept + accounts * pause + SWEEP_SLACK;
    let server = &world.nodes[SERVER];
    let now = server.clock.believed(world.now());
    let oldest = server.store.logs().filter_map(|(log, records)| match log {
        Log::Mailbox(of) if !online.contains(of) => {
            records.records.values().filter_map(|r| received(r)).min()
        }
        _ => None,
    });
    let oldest = oldest.min().unwrap_or(now);
    let age = now.since(oldest).as_micros() as u64;
    // A wall clock that jumps says nothing of how old it is.
    world.cx.demand(SERVER, kept == 0 || age <= most, || {
        format!("mail is kept for {} s, in run {}", age / SECOND, server.store.boots())
    });
}

/// Whatever was on its way is gone from memory.
fn nothing_is_left_behind(world: &mut World) {
    if let Some(usage) = world.nodes[SERVER].server().map(proto_core::server::Server::usage) {
        // What is said of being away takes a block each.
        let away = world.nodes.iter().filter(|node| !node.user.away().is_empty()).count();
        let (entries, blocks) = usage.recent;
        let empty = (usage.entries.0, usage.blocks.0) == (entries, blocks + away);
        world.cx.demand(SERVER, empty, || format!("S9: everything is delivered, but {usage:?}"));
    }
    for place in 1..world.nodes.len() {
        let open = world.judges.open(&world.nodes[place].party());
        let unsaved = open.iter().filter(|stored| !**stored).count();
        let Some(client) = world.nodes[place].client() else { continue };
        let says = client.open_messages();
        // That the server has one may have been told, and not be durable yet at a crash.
        let counted = (unsaved..=open.len()).contains(&says.unsaved);
        let told = says.stored == (says.unsaved < open.len());
        // Who goes offline while an outbox is read again, since its server went back, counts
        // one more for what may be behind.
        let unread = world.judges.restored().is_some() && !world.nodes[place].user.is_there();
        world.cx.demand(place, counted && told || unread, || {
            format!("it says {says:?}, of {} messages and {unsaved} unsaved", open.len())
        });
    }
}

/// L4: with nothing to do, little is done.
fn quiet(world: &mut World) {
    let done = |world: &World, place| (world.network.sent(place), world.nodes[place].wakes());
    let before: Vec<_> = (0..world.nodes.len()).map(|place| done(world, place)).collect();
    world.run(QUIET);
    let links = world.nodes.len() as u64 - 1;
    let most = PER_LINK * links * (QUIET / SECOND / 60);
    for (place, (sent, wakes)) in before.into_iter().enumerate() {
        let (all_sent, all_wakes) = done(world, place);
        let (sent, wakes) = (all_sent - sent, all_wakes - wakes);
        // A sweep for expired mail costs a server some more.
        let wakes_most = 2 * most + if place == SERVER { 200 } else { 30 };
        world.cx.demand(place, sent <= most && wakes <= wakes_most, || {
            format!("L4: {sent} datagrams and {wakes} wake-ups in five idle minutes")
        });
    }
}
