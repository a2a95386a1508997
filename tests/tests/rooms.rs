//! Short stories of rooms: what happens, and what every member is told and has then.

use std::time::Duration;

use proto_core::{
    client::{CommandError, Event, SendError, To},
    host::Log,
    id::{Account, Nick, Room, RoomName},
    record::record_bound,
    wire::{Presence, RoomAction, RoomRefusal},
};
use simulation::{
    chat::{Chat, SHORTLY},
    clock::{Moment, SECOND},
    place::SERVER,
    store::Manners,
};

/// Every moment at which something may be under way of what was just said: to the store,
/// to the server, to its store, and back.
fn moments() -> impl Iterator<Item = Moment> {
    (0..100).map(|at| at * 300)
}

/// A server's store takes its time, and so do its answers.
fn slow_down(chat: &mut Chat) {
    let manners = Manners { slow: 100_000, ..Manners::default() };
    chat.world.nodes[SERVER].store.behave(manners);
}

#[test]
fn what_is_said_to_everyone_comes_to_everyone_in_one_order() {
    let mut chat = Chat::online(&["alice", "bob", "carol"]);
    chat.say("alice", "#", "hello");
    chat.run(SHORTLY);
    chat.say("bob", "#", "hi");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("alice"), ["accepted: hello", "stored: hello", "# bob: hi"]);
    assert_eq!(chat.hears("bob"), ["# alice: hello", "accepted: hi", "stored: hi"]);
    assert_eq!(chat.hears("carol"), ["# alice: hello", "# bob: hi"]);
    for who in ["alice", "bob", "carol"] {
        assert_eq!(chat.has(who, "#"), ["hello", "hi"]);
    }
}

/// What a member is cut off from is given up before it comes back, again and again: the
/// credit that was used for it comes back.
#[test]
fn who_lags_behind_what_is_kept_still_gets_what_comes_after() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.configure(|config| {
        config.room.entries = 2;
        config.reader_wait = Duration::ZERO;
        (config.room_messages.interval, config.room_bytes.interval) = Default::default();
    });
    chat.run(60 * SECOND);
    chat.gather("den", &["alice", "bob"]);
    for round in 0..12 {
        chat.part("server", "bob", SECOND);
        for text in ["one", "two", "three", "four"] {
            chat.say("alice", "#den", &Chat::long(&format!("{round} {text}"), 15_000));
            chat.run(SECOND / 5);
        }
        chat.run(5 * SECOND);
    }
    let heard = chat.hears("bob");
    assert!(heard.contains(&"2 of #den are gone".into()), "{heard:?}");
    chat.say("alice", "#den", "are you still with us?");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("bob"), ["#den alice: are you still with us?"]);
}

#[test]
fn a_new_member_gets_nothing_from_before_it_joined() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.gather("den", &["alice"]);
    chat.say("alice", "#den", "nobody hears this");
    chat.run(SHORTLY);
    chat.request("bob", RoomAction::Join, "den");
    chat.run(SHORTLY);
    chat.say("alice", "#den", "welcome");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("bob"), ["joined #den", "#den alice: welcome"]);
    // Nor after it left, until it is back.
    chat.request("bob", RoomAction::Leave, "den");
    chat.run(SHORTLY);
    chat.say("alice", "#den", "is he gone?");
    chat.run(SHORTLY);
    chat.request("bob", RoomAction::Join, "den");
    chat.run(SHORTLY);
    chat.say("alice", "#den", "welcome back");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("bob"), ["left #den", "joined #den", "#den alice: welcome back"]);
    assert_eq!(chat.has("bob", "den"), ["welcome", "welcome back"]);
}

#[test]
fn what_cannot_be_wished_or_said_is_told() {
    let mut chat = Chat::online(&["alice", "bob", "carol"]);
    chat.configure(|config| config.members = 2);
    chat.run(60 * SECOND);
    for who in ["alice", "bob", "carol"] {
        chat.hears(who);
    }
    assert_eq!(chat.try_say("alice", "#den", "anyone?"), Err(SendError::NotMember));
    chat.request("alice", RoomAction::Join, "den");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("alice"), ["Err(Unknown)"]);
    chat.gather("den", &["alice", "bob"]);
    chat.request("carol", RoomAction::Create, "DEN");
    chat.run(SHORTLY);
    chat.request("carol", RoomAction::Join, "den");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("carol"), ["Err(Exists)", "Err(RoomFull)"]);
    assert_eq!(chat.try_say("carol", "#den", "let me in"), Err(SendError::NotMember));
    // A place that is given up is another's.
    chat.request("alice", RoomAction::Leave, "den");
    chat.run(SHORTLY);
    chat.request("carol", RoomAction::Join, "den");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("carol"), ["joined #den"]);
    chat.request("alice", |name| RoomAction::Members { of: Some(name), from: Account(0) }, "den");
    chat.run(SHORTLY);
    chat.request("alice", |_| RoomAction::Rooms { from: Room(0) }, "den");
    chat.run(SHORTLY);
    let heard = chat.hears("alice");
    assert!(
        heard == ["left #den", "bob carol", "den"] || heard == ["left #den", "carol bob", "den"]
    );
    let alice = chat.at("alice");
    chat.request("alice", RoomAction::Join, "den");
    let now = chat.world.nodes[alice].clock.instant(chat.world.now());
    let client = chat.world.nodes[alice].client().unwrap();
    let busy = client.request(now, RoomAction::Rooms { from: Room(0) }).err();
    assert_eq!(busy, Some(CommandError::Busy));
}

#[test]
fn who_leaves_is_told_what_became_of_what_was_open() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.gather("den", &["alice", "bob"]);
    let alice = chat.at("alice");
    // Her own store takes so long that she has left before the message is on its way.
    chat.world.nodes[alice].store.behave(Manners { slow: 60 * SECOND, ..Manners::default() });
    chat.say("alice", "#den", "and another thing");
    chat.request("alice", RoomAction::Leave, "den");
    chat.run(120 * SECOND);
    assert_eq!(
        chat.hears("alice"),
        ["left #den", "accepted: and another thing", "refused (NotMember): and another thing"]
    );
    assert_eq!(chat.hears("bob"), [""; 0]);
}

#[test]
fn a_crash_of_the_server_doubles_nothing_and_loses_nothing() {
    for moment in moments() {
        let mut chat = Chat::online(&["alice", "bob"]);
        chat.say("alice", "#", "one");
        chat.run(SHORTLY);
        slow_down(&mut chat);
        chat.say("alice", "#", "two");
        chat.run(moment);
        chat.crash("server");
        chat.run(SECOND);
        chat.start("server");
        chat.run(120 * SECOND);
        assert_eq!(chat.has("bob", "#"), ["one", "two"], "after {moment} us");
        assert_eq!(chat.hears("alice").last().unwrap(), "stored: two", "after {moment} us");
    }
}

/// What it said was saved, it left, and heard of neither: now it is no member, and what it
/// sends again is not refused for that.
#[test]
fn who_left_unheard_is_not_told_that_what_was_saved_is_refused() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.gather("den", &["alice", "bob"]);
    chat.mute("server", "alice", 5 * SECOND);
    chat.say("alice", "#den", "I am off");
    chat.run(SECOND / 10);
    chat.request("alice", RoomAction::Leave, "den");
    chat.run(SECOND / 10);
    chat.crash("server");
    chat.start("server");
    chat.run(120 * SECOND);
    assert_eq!(chat.has("bob", "den"), ["I am off"]);
    let heard = chat.hears("alice");
    for line in ["left #den", "stored: I am off"] {
        assert!(heard.contains(&line.to_string()), "{heard:?}");
    }
    chat.say("bob", "#den", "gone already?");
    chat.run(SHORTLY);
    assert_eq!(chat.has("alice", "den"), [""; 0]);
}

/// A datagram is held up on its way while what it brought is sent again, and heard, and over.
#[test]
fn what_comes_late_undoes_nothing() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.gather("den", &["bob"]);
    let (alice, bob) = (chat.at("alice"), chat.at("bob"));
    let (from, to) = (chat.world.network.address(alice), chat.world.network.address(SERVER));
    let hold = |chat: &mut Chat| {
        chat.world.network.intercept(move |letter| (letter.from, letter.to) == (from, to));
    };
    hold(&mut chat);
    chat.request("alice", RoomAction::Join, "den");
    let join = chat.world.intercepted();
    chat.run(SHORTLY);
    chat.request("alice", RoomAction::Leave, "den");
    chat.run(SHORTLY);
    chat.world.deliver(&join);
    chat.run(SHORTLY);
    chat.say("bob", "#den", "alone again");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("alice"), ["joined #den", "left #den"]);
    assert_eq!(chat.has("alice", "den"), [""; 0]);

    hold(&mut chat);
    chat.world.set_away(alice, "at tea");
    let away = chat.world.intercepted();
    chat.run(SHORTLY);
    chat.world.set_away(alice, "");
    chat.run(SHORTLY);
    chat.world.deliver(&away);
    chat.run(SHORTLY);
    let mut says = Vec::new();
    chat.world.nodes[bob].client().unwrap().for_each_peer(|peer| says.push(peer.away.to_string()));
    assert_eq!(says, [""]);
}

#[test]
fn a_crash_of_the_author_doubles_nothing() {
    for moment in moments() {
        let mut chat = Chat::online(&["alice", "bob"]);
        chat.say("alice", "#", "one");
        chat.run(moment);
        chat.crash("alice");
        chat.run(SECOND);
        chat.start("alice");
        chat.run(120 * SECOND);
        chat.say("alice", "#", "two");
        chat.run(SHORTLY);
        let has = chat.has("bob", "#");
        assert!(
            has == ["one", "two"] || (moment < 1_000 && has == ["two"]),
            "{has:?}, {moment} us"
        );
    }
}

/// Both crash, and by the time that the author is back, its place in the log is taken and
/// forgotten.
#[test]
fn what_was_never_saved_is_not_taken_for_saved_once_its_place_is_gone() {
    for moment in moments() {
        let mut chat = Chat::online(&["alice", "bob"]);
        chat.configure(|config| config.room.entries = 1);
        chat.run(60 * SECOND);
        chat.say("bob", "#", "zero");
        chat.run(SHORTLY);
        slow_down(&mut chat);
        chat.say("alice", "#", "one");
        chat.run(moment);
        chat.crash("server");
        chat.crash("alice");
        chat.start("server");
        chat.run(60 * SECOND);
        for text in ["two", "three", "four"] {
            chat.say("bob", "#", text);
            chat.run(SHORTLY);
        }
        chat.start("alice");
        chat.run(60 * SECOND);
        let has = chat.has("bob", "#");
        let one = has.iter().filter(|text| *text == "one").count();
        assert!(one == 1 || moment < 1_000, "{has:?}, {moment} us");
    }
}

#[test]
fn a_store_that_fails_leaves_no_hole_and_no_double() {
    for moment in moments() {
        let mut chat = Chat::online(&["alice", "bob", "carol"]);
        chat.say("carol", "#", "zero");
        chat.run(SHORTLY);
        for who in ["alice", "bob", "alice", "bob"] {
            chat.say(who, "#", &format!("from {who}"));
        }
        chat.run(moment);
        chat.world.nodes[SERVER].store.behave(Manners { fails: 600, slow: 4_000, full: false });
        chat.run(SECOND / 50);
        chat.heal();
        chat.run(SHORTLY);
        for who in ["alice", "bob"] {
            chat.say(who, "#", "and now?");
        }
        // Of what the store could not say is asked again after some seconds.
        chat.run(10 * SECOND);
        // What anyone was told is so, say the laws; nobody lacks what others have.
        let all = chat.has("carol", "#");
        assert_eq!(all.iter().filter(|text| *text == "and now?").count(), 2, "{all:?}");
        assert_eq!((chat.has("alice", "#"), chat.has("bob", "#")), (all.clone(), all));
    }
}

#[test]
fn a_room_whose_creator_did_not_hear_of_it_is_its_creators() {
    for moment in moments() {
        for crash in [false, true] {
            let mut chat = Chat::online(&["alice", "bob"]);
            chat.request("alice", RoomAction::Create, "den");
            chat.run(moment);
            chat.part("alice", "server", 5 * SECOND);
            if crash {
                chat.crash("server");
                chat.start("server");
            }
            chat.run(120 * SECOND);
            let heard = chat.hears("alice");
            assert_eq!(heard.iter().filter(|line| *line == "created #den").count(), 1, "{heard:?}");
        }
    }
}

#[test]
fn a_member_that_was_away_for_ten_thousand_messages_gets_what_is_kept() {
    let mut chat = Chat::online(&["alice", "bob", "carol", "dave"]);
    chat.configure(|config| {
        config.room.entries = 1_000;
        (config.room_messages.interval, config.room_bytes.interval) = Default::default();
    });
    chat.run(60 * SECOND);
    chat.gather("den", &["alice", "bob", "carol", "dave"]);
    chat.deregister("bob");
    for round in 0..500 {
        for at in 0..20 {
            chat.say("alice", "#den", &format!("{}", 20 * round + at));
        }
        chat.run(SECOND / 2);
    }
    chat.run(SHORTLY);
    assert_eq!(chat.has("carol", "den").len(), 10_000);
    assert_eq!(chat.has("bob", "den").len(), 0);
    chat.hears("bob");
    chat.hears("dave");

    chat.register("bob");
    for round in 0..100 {
        chat.say("carol", "#den", &format!("meanwhile {round}"));
        chat.run(SECOND / 10);
        // Those who are there are not kept waiting.
        let heard = chat.hears("dave");
        assert_eq!(heard, [format!("#den carol: meanwhile {round}")]);
        let usage = chat.world.nodes[SERVER].server().unwrap().usage();
        assert!(usage.entries.0 * 2 <= usage.entries.1 + 2, "{usage:?}");
    }
    chat.run(60 * SECOND);
    let heard = chat.hears("bob");
    let gaps: Vec<_> = heard.iter().filter(|line| line.ends_with("are gone")).collect();
    let gone: usize =
        gaps.iter().map(|line| line.split(' ').next().unwrap().parse::<usize>().unwrap()).sum();
    let has = chat.has("bob", "den");
    assert_eq!(gone + has.len(), 10_100, "{gaps:?}");
    assert!((1_000..=1_100).contains(&has.len()), "{}", has.len());
    assert_eq!(has, chat.has("carol", "den")[10_100 - has.len()..]);
}

#[test]
fn a_client_that_lost_its_state_gets_all_that_is_kept_since_it_joined() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.gather("den", &["alice"]);
    chat.say("alice", "#den", "before");
    chat.run(SHORTLY);
    chat.request("bob", RoomAction::Join, "den");
    chat.run(SHORTLY);
    for text in ["one", "two"] {
        chat.say("alice", "#den", text);
    }
    chat.run(SHORTLY);
    let bob = chat.at("bob");
    chat.crash("bob");
    chat.world.nodes[bob].store.wipe();
    chat.hears("bob");
    chat.start("bob");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("bob"), ["welcome back", "#den alice: one", "#den alice: two"]);
    chat.say("bob", "#den", "where was I?");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("alice").last().unwrap(), "#den bob: where was I?");
}

#[test]
fn who_is_away_and_since_when_is_on_the_roster() {
    let mut chat = Chat::online(&["alice", "bob"]);
    let (alice, bob) = (chat.at("alice"), chat.at("bob"));
    let look = |chat: &mut Chat| {
        let mut found = None;
        chat.world.nodes[alice].client().unwrap().for_each_peer(|peer| found = Some(peer));
        let peer = found.expect("Bob is on the roster");
        (peer.presence, peer.away.to_string(), peer.seen)
    };
    chat.world.set_away(bob, "gone fishing");
    chat.run(SHORTLY);
    let (presence, away, _) = look(&mut chat);
    assert_eq!((presence, away.as_str()), (Presence::Online, "gone fishing"));
    // It ends with a word, and with going offline.
    chat.world.set_away(bob, "");
    chat.run(SHORTLY);
    assert_eq!(look(&mut chat).1, "");
    chat.world.set_away(bob, "asleep");
    chat.run(SHORTLY);
    let left = chat.world.nodes[SERVER].clock.believed(chat.world.now());
    chat.deregister("bob");
    chat.run(SHORTLY);
    let (presence, away, seen) = look(&mut chat);
    assert_eq!((presence, away.as_str()), (Presence::Offline, ""));
    assert!(seen.since(left).as_millis() < 1_000, "{seen:?} is soon after {left:?}");
    // Who falls silent has not left.
    chat.register("bob");
    chat.run(SHORTLY);
    assert_eq!(look(&mut chat).0, Presence::Online);
    chat.crash("bob");
    chat.run(180 * SECOND);
    assert_eq!(look(&mut chat).0, Presence::Lost);
}

#[test]
fn what_is_older_than_the_operator_wants_is_gone() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.configure(|config| config.room.age = 600);
    chat.run(60 * SECOND);
    chat.deregister("bob");
    chat.run(SHORTLY);
    for who in ["alice", "bob"] {
        chat.hears(who);
    }
    for text in ["one", "two"] {
        chat.say("alice", "#", text);
    }
    // The server looks from time to time only.
    chat.run(5 * 3600 * SECOND);
    chat.say("alice", "#", "three");
    chat.run(300 * SECOND);
    chat.register("bob");
    chat.run(SHORTLY);
    assert_eq!(chat.hears("bob"), ["welcome back", "2 of # are gone", "# alice: three"]);
}

#[test]
fn what_a_store_failed_to_forget_is_forgotten_later() {
    // Whether something is left of the room or nothing.
    for left in [1, 0] {
        forgotten_later(left);
    }
}

fn forgotten_later(left: usize) {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.configure(|config| config.room.entries = left as u32);
    chat.run(60 * SECOND);
    chat.say("alice", "#", "one");
    chat.run(SHORTLY);
    chat.say("alice", "#", "two");
    while chat.world.laws().rooms().entries(Room::LOBBY) < 2 {
        chat.run(1);
        assert!(chat.world.now() < 600 * SECOND, "the second is saved some time");
    }
    chat.world.nodes[SERVER].store.behave(Manners { fails: 1_000, ..Manners::default() });
    chat.run(SECOND);
    chat.heal();
    let kept = |chat: &Chat| {
        let log = chat.world.nodes[SERVER].store.log(Log::Room(Room::LOBBY));
        log.map_or(0, |log| log.records.len())
    };
    assert_eq!(kept(&chat), 1 + left);
    // Nobody says anything: it is found when the server looks for what expired.
    chat.run(6 * 3600 * SECOND);
    assert_eq!(kept(&chat), left);
}

/// An entry that the store may still fail to take drives nothing out of a room that is kept to a
/// size; that nothing goes before its time is a law.
#[test]
fn what_is_not_saved_drives_nothing_out() {
    for fails in (0..1_000).step_by(5) {
        let mut chat = Chat::online(&["alice", "bob"]);
        chat.configure(|config| config.room.bytes = 1_000);
        chat.run(60 * SECOND);
        // What is gone already leaves the server knowing what is the oldest.
        for (who, name, length) in [("alice", "gone", 900), ("bob", "kept", 300)] {
            chat.say(who, "#", &Chat::long(name, length));
            chat.run(SHORTLY);
        }
        let manners = Manners { fails, slow: 100_000, full: false };
        chat.world.nodes[SERVER].store.behave(manners);
        chat.say("alice", "#", "short");
        chat.say("bob", "#", &Chat::long("too much", 900));
        chat.run(SECOND / 2);
        chat.heal();
        chat.run(SHORTLY);
        chat.say("bob", "#", "and now?");
        chat.run(10 * SECOND);
    }
}

/// An entry that the server's disk has spoiled is gone for another reason than its age, and
/// everyone who lacks it is told that one.
#[test]
fn what_is_damaged_is_not_called_too_old() {
    let mut chat = Chat::online(&["alice", "bob"]);
    chat.gather("den", &["alice", "bob"]);
    let den = To::Room(RoomName::new("den").expect("a room name"));
    chat.deregister("bob");
    chat.run(SHORTLY);
    for text in ["one", "two", "three"] {
        chat.say("alice", "#den", text);
    }
    chat.run(SHORTLY);
    chat.crash("server");
    let den = chat.world.laws().rooms().number(&den).expect("there is a den");
    chat.spoil(den, 2);
    chat.start("server");
    chat.run(60 * SECOND);
    chat.hears("bob");
    chat.register("bob");
    chat.run(SHORTLY);
    assert_eq!(
        chat.hears("bob"),
        ["welcome back", "#den alice: one", "1 of #den are damaged", "#den alice: three"]
    );
}

#[test]
fn a_list_that_is_longer_than_a_client_can_lend_comes_in_parts() {
    let nicks: Vec<_> = (10..34).map(|at| format!("{at}{}", "x".repeat(28))).collect();
    let nicks: Vec<_> = nicks.iter().map(String::as_str).collect();
    let mut chat = Chat::online(&nicks);
    let (reader, place) = (nicks[0], chat.at(nicks[0]));
    chat.world.nodes[place].plan.room.work = record_bound(114);
    chat.crash(reader);
    chat.start(reader);
    chat.run(60 * SECOND);
    chat.hears(reader);
    chat.world.request(place, RoomAction::Members { of: None, from: Account(0) });
    chat.run(SHORTLY);
    let parts = chat.hears(reader);
    assert!(parts.len() > 1 && parts.iter().rev().skip(1).all(|part| part.ends_with(" …")));
    let mut names: Vec<_> =
        parts.iter().flat_map(|part| part.trim_end_matches(" …").split(' ')).collect();
    names.sort_unstable();
    assert_eq!(names, nicks);
}

/// What the last request of someone came to.
fn came_to(chat: &Chat, who: &str) -> Option<Result<(), RoomRefusal>> {
    let node = &chat.world.nodes[chat.at(who)];
    node.user.told().iter().rev().find_map(|told| match told.event {
        Event::RoomResponse { result, .. } => Some(result),
        _ => None,
    })
}

#[test]
fn a_rooms_creator_has_its_say_and_nobody_else_has() {
    let mut chat = Chat::online(&["alice", "bob", "carol"]);
    chat.gather("den", &["alice", "bob"]);
    let room = RoomName::new("den").expect("a room name");
    let nick = |text| Nick::new(text).expect("a nick");
    let kick = |who| RoomAction::Kick { room, nick: nick(who) };
    let invite = |who| RoomAction::Invite { room, nick: nick(who) };
    let on = RoomAction::InviteOnly { room, on: true };
    for (who, action, result) in [
        ("bob", kick("alice"), Err(RoomRefusal::NotCreator)),
        ("bob", on, Err(RoomRefusal::NotCreator)),
        ("bob", RoomAction::Delete(room), Err(RoomRefusal::NotCreator)),
        ("alice", kick("nobody"), Err(RoomRefusal::NoPerson)),
        ("alice", kick("alice"), Err(RoomRefusal::NoPerson)),
        ("alice", kick("bob"), Ok(())),
        ("bob", RoomAction::Join(room), Err(RoomRefusal::Barred)),
        ("alice", on, Ok(())),
        ("carol", RoomAction::Join(room), Err(RoomRefusal::NotInvited)),
        ("alice", invite("bob"), Ok(())),
        ("alice", invite("carol"), Ok(())),
        ("bob", RoomAction::Join(room), Ok(())),
        ("carol", RoomAction::Join(room), Ok(())),
        ("alice", RoomAction::Delete(room), Ok(())),
        ("carol", RoomAction::Join(room), Err(RoomRefusal::Unknown)),
    ] {
        let place = chat.at(who);
        chat.world.request(place, action);
        chat.run(SHORTLY);
        assert_eq!(came_to(&chat, who), Some(result), "{who}: {action:?}");
    }
    let left = |who: &str| {
        let told = chat.world.nodes[chat.at(who)].user.told().iter();
        told.filter(|told| matches!(told.event, Event::RoomLeft { .. })).count()
    };
    assert_eq!(["alice", "bob", "carol"].map(left), [1, 2, 1]);
}

/// Wherever the server crashes while a room is deleted, in the end all of it is gone.
#[test]
fn nothing_is_left_of_a_room_that_was_deleted() {
    for at in moments() {
        let mut chat = Chat::online(&["alice", "bob"]);
        chat.gather("den", &["alice", "bob"]);
        chat.say("alice", "#den", "hello");
        chat.run(SHORTLY);
        slow_down(&mut chat);
        let room = RoomName::new("den").expect("a room name");
        let alice = chat.at("alice");
        chat.world.request(alice, RoomAction::Delete(room));
        chat.run(10 * at);
        chat.world.crash(SERVER);
        chat.world.boot(SERVER);
        chat.run(60 * SECOND);
        let store = &chat.world.nodes[SERVER].store;
        let is_of_den =
            |log: &Log| matches!(log, Log::Room(room) | Log::Members(room) if room.0 != 0);
        let left = store.logs().filter(|(log, _)| is_of_den(log));
        let left: usize = left.map(|(_, records)| records.records.len()).sum();
        assert_eq!(left, 0, "a crash after {at} us");
    }
}
