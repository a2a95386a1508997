//! Rooms and everyone, in either form's words.

use std::time::Duration;

use jiff::tz::TimeZone;
use proto_core::{
    client::{Event, Refusal, SendError, To, Verdict},
    id::{Account, Room, RoomName},
    wire::{RoomAction, RoomRefusal, TrimReason},
};

use crate::{classic::Classic, modern::Modern};

use super::{
    super::{Exit, PATIENCE},
    world::{World, id, nick},
};

fn classic() -> World {
    World::new(Box::new(Classic::new(|| None)), false).online(&[("y", true)])
}

fn modern(scripted: bool) -> World {
    let face = Modern::new(nick("x"), TimeZone::UTC, || None);
    World::new(Box::new(face), scripted).online(&[("y", true)])
}

fn name(text: &str) -> RoomName {
    RoomName::new(text).unwrap()
}

fn g() -> To {
    To::Room(name("g"))
}

fn members() -> RoomAction {
    RoomAction::Members { of: Some(name("g")), from: Account(0) }
}

const ROOMS: RoomAction = RoomAction::Rooms { from: Room(0) };

impl World {
    /// Enters the room `g`.
    fn inside(mut self) -> Self {
        self.line("/join g");
        self.chat.rooms.push(g());
        self.outcome(RoomAction::Join(name("g")), Ok(()));
        self.seen();
        self.asked();
        self
    }
}

#[test]
fn the_classic_client_says_exactly_this_of_groups() {
    let mut world = classic();
    let (create, join, leave) =
        (RoomAction::Create(name("g")), RoomAction::Join(name("g")), RoomAction::Leave(name("g")));
    for (line, action, result, said) in [
        ("create_group g", create, Ok(()), ">>> [Group g created by Server.]"),
        ("create_group g", create, Err(RoomRefusal::Exists), ">>> [Group g already exists.]"),
        ("join_group g", join, Err(RoomRefusal::Unknown), ">>> [Group g does not exist.]"),
        ("join_group g", join, Ok(()), ">>> [Entered group g successfully!]"),
    ] {
        world.line(line);
        assert_eq!(world.asked(), [format!("{action:?}")]);
        world.outcome(action, result);
        assert_eq!(world.seen(), [said]);
    }
    assert_eq!(world.session.prompt().unwrap(), ">>> (g) ");

    world.chat.rooms.push(g());
    world.line("list_groups");
    world.names(ROOMS, "a\nb", false);
    assert!(world.seen().is_empty());
    world.names(ROOMS, "g", true);
    world.line("list_members");
    world.names(members(), "x\ny", true);
    world.line("send_group hello");
    world.stored(g(), 1);
    world.room_message(g(), "y", "hi");
    world.room_message(To::Lobby, "y", "all");
    // What is said to x alone is for later.
    world.message("y", "psst", false);
    assert_eq!(
        world.seen(),
        [
            ">>> (g) [Available group chats:]",
            ">>> (g) a",
            ">>> (g) b",
            ">>> (g) g",
            ">>> (g) [Members in the group g:]",
            ">>> (g) x",
            ">>> (g) y",
            ">>> (g) [Message received by Server.]",
            ">>> (g) Group_Message y: hi",
            ">>> (g) [Channel_Message <y>: all]",
        ]
    );
    world.line("leave_group");
    world.outcome(leave, Ok(()));
    assert_eq!(world.seen(), [">>> [Leave group chat g]", ">>> y: psst"]);
    assert_eq!(world.session.prompt().unwrap(), ">>> ");
    world.line("send_all hello");
    world.stored(To::Lobby, 2);
    world.room_message(To::Lobby, "y", "all");
    assert_eq!(
        world.seen(),
        [">>> [Message received by Server.]", ">>> [Channel_Message <y>: all]"]
    );
}

#[test]
fn what_was_kept_back_is_shown_at_the_end() {
    let mut world = classic().inside();
    world.message("y", "psst", false);
    world.interrupt();
    world.event(Event::Deregistered { answered: true });
    assert_eq!(world.seen(), [">>> y: psst", "[exiting]"]);
}

#[test]
fn a_modern_room_reads_well() {
    let mut world = modern(false);
    world.line("/create g");
    world.outcome(RoomAction::Create(name("g")), Ok(()));
    world.line("/join g");
    assert_eq!(world.session.prompt(), None, "it may change");
    world.outcome(RoomAction::Join(name("g")), Ok(()));
    assert_eq!(world.session.prompt().unwrap(), "#g> ");
    world.chat.rooms.push(g());
    world.line("hello there");
    world.stored(g(), 1);
    world.line("/all hi");
    world.stored(To::Lobby, 2);
    world.room_message(g(), "y", "hi\u{1b}");
    world.room_message(To::Lobby, "y", "hi");
    world.message("y", "psst", false);
    world.line("/rooms");
    world.names(ROOMS, "g\nh", true);
    world.line("/members");
    world.names(members(), "x\ny", true);
    world.event(Event::RoomGap { room: g(), missing: 3, why: TrimReason::NotKept });
    world.event(Event::RoomGap { room: g(), missing: 1, why: TrimReason::Damaged });
    world.line("/leave");
    world.outcome(RoomAction::Leave(name("g")), Ok(()));
    assert_eq!(
        world.seen(),
        [
            "There is a room #g now; /join g enters it.",
            "You are in #g: what you type is said there, unless it is a command; /leave ends that.",
            "The server keeps the last 100 messages of a room, up to 1 MiB, for 30 days.",
            "(said in #g: \"hello there\")",
            "(said to everyone: \"hi\")",
            "02:40 #g y: hi\\u{1b}",
            "02:40 y to everyone: hi",
            "02:40 y: psst",
            "#g (you are in it)",
            "#h",
            "In #g: x, y",
            "3 messages to #g can no longer be read: the server keeps the last 100 messages of a \
             room, up to 1 MiB, for 30 days.",
            "1 message to #g can no longer be read: it is damaged on the server's disk; tell its \
             operator.",
            "You have left #g.",
        ]
    );
    world.line("hello?");
    assert!(world.seen()[0].starts_with("Nothing was sent: to whom?"));
    assert_eq!(world.session.prompt().unwrap(), "> ");
}

#[test]
fn each_refusal_says_what_to_do() {
    let mut world = modern(false);
    let join = RoomAction::Join(name("g"));
    for (why, said) in [
        (RoomRefusal::RoomFull, "try again when somebody has left it"),
        (RoomRefusal::Unknown, "/rooms lists"),
        (RoomRefusal::ServerFull, "tell its operator"),
        (RoomRefusal::TooMany, "use one of them"),
        (RoomRefusal::Store, "try again"),
    ] {
        world.line("/join g");
        world.outcome(join, Err(why));
        let seen = world.seen();
        assert!(seen.len() == 1 && seen[0].contains(said), "{seen:?}");
    }
    for (line, said) in [
        ("/join who", "that word is a command"),
        ("/msg a;b hi", "starts with a letter or digit; nothing was sent"),
        ("/leave", "you have entered no room"),
        ("/leave h", "you are not in #h"),
        ("/say hi", "nothing was sent: to whom?"),
        ("/members", "you have entered no room"),
    ] {
        world.line(line);
        let seen = world.seen();
        assert!(seen.len() == 1 && seen[0].to_lowercase().contains(said), "{line}: {seen:?}");
    }
    world.asked();
    world.chat.refuse_say = Some(SendError::TooLong { limit: 9 });
    world.line("/all too long it is");
    assert!(world.seen()[0].contains("longer than 9 bytes; nothing was sent, say it in pieces"));
    let outcome = Verdict::Refused(Refusal::NotMember);
    world.event(Event::Verdict { id: id("#g", 1), to: g(), verdict: outcome });
    assert!(world.seen()[0].contains("/join it first"));
}

#[test]
fn a_script_waits_for_each_wish_and_leaves_a_room_last() {
    let mut world = modern(true);
    for line in ["/join g", "hi", "/leave", "/join h", "/wait 0.1"] {
        world.line(line);
    }
    world.end();
    assert_eq!(world.asked(), ["Join(g)"]);
    world.chat.rooms.push(g());
    world.outcome(RoomAction::Join(name("g")), Ok(()));
    assert_eq!(world.asked(), ["say #g hi"]);
    world.stored(g(), 1);
    assert_eq!(world.asked(), ["Leave(g)"]);
    world.outcome(RoomAction::Leave(name("g")), Ok(()));
    assert_eq!(world.asked(), ["Join(h)"]);
    world.outcome(RoomAction::Join(name("h")), Err(RoomRefusal::Unknown));
    world.pass(Duration::from_millis(100));
    assert_eq!(world.asked(), ["deregister"]);
    world.event(Event::Deregistered { answered: true });
    assert_eq!(world.exit(), Some(Exit::Refused));
}

#[test]
fn a_wish_does_not_keep_a_person_from_going_offline() {
    let mut world = modern(false);
    world.line("/join g");
    world.line("hi");
    assert_eq!(world.asked(), ["Join(g)"]);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.session.prompt().unwrap(), "> ", "it is not waited for for ever");
    world.line("/offline");
    assert_eq!(world.asked(), ["deregister"]);
    world.event(Event::Deregistered { answered: false });
    for line in ["/join g", "/rooms", "/all hi", "/away", "/who"] {
        world.seen();
        world.line(line);
        assert!(world.seen()[0].contains("are offline"), "{line}");
    }
}

#[test]
fn a_server_that_grants_nothing_ends_the_classic_client() {
    let mut world = classic();
    world.line("join_group g");
    world.event(Event::ServerSilent);
    world.pass(PATIENCE);
    assert_eq!(world.seen(), [">>> [Server not responding]", ">>> [Exiting]"]);
    assert_eq!(world.exit(), Some(Exit::ServerSilent));
}

#[test]
fn whoever_comes_back_is_told_their_rooms_with_the_table() {
    let mut world = World::new(Box::new(Modern::new(nick("x"), TimeZone::UTC, || None)), false);
    world.chat.rooms.clear();
    world.registered(false);
    world.roster(&[("y", true)]);
    assert_eq!(world.seen().len(), 1, "the rooms are still to be named");
    world.chat.rooms = vec![To::Lobby, g()];
    world.event(Event::Ready);
    assert_eq!(world.seen(), ["Online: y.", "You are still in #g; /join <room> enters one."]);
}

#[test]
fn rooms_may_still_be_named_when_something_is_said_there() {
    let mut world = modern(true);
    world.chat.refuse_say = Some(SendError::NotMember);
    world.line("/all hi");
    assert!(world.seen().is_empty());
    world.chat.refuse_say = None;
    world.event(Event::MailboxEmpty);
    assert_eq!(world.asked(), ["say everyone hi"]);
}

#[test]
fn what_is_typed_is_said_where_one_has_turned_to() {
    let mut world = modern(false);
    for (line, prompt, asked) in [
        ("hi", "> ", None),
        ("/msg y", "y> ", None),
        ("send me the file", "y> ", Some("say y send me the file")),
        ("/all", "everyone> ", None),
        ("PM me later", "everyone> ", Some("say everyone PM me later")),
        ("/pm y my password", "everyone> ", Some("say y my password")),
        ("/leave", "> ", None),
        ("EX", "> ", None),
        ("/r anyone?", "> ", None),
    ] {
        world.line(line);
        let expected: Vec<_> = asked.into_iter().collect();
        assert_eq!(world.asked(), expected, "{line}");
        assert_eq!(world.session.prompt().unwrap(), prompt, "{line}");
    }
    world.message("y", "psst", false);
    world.line("/r yes?");
    assert_eq!(world.asked(), ["say y yes?"]);
}

#[test]
fn a_line_of_a_script_that_is_no_command_makes_its_exit_code() {
    for line in ["sedn y x", "/sedn y x", "/who is there", "/r hi"] {
        let mut world = modern(true);
        world.line(line);
        world.end();
        world.event(Event::Deregistered { answered: true });
        assert_eq!(world.exit(), Some(Exit::Refused), "{line}");
    }
}
