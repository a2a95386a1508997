//! What `host` and `join` do where they differ from the classic client.

use std::time::Duration;

use jiff::tz::TimeZone;
use proto_core::{
    client::{Deposit, Event, OpenMessages, SayError, Verdict},
    wire::CloseReason,
};

use crate::modern::Modern;

use super::{
    super::{Exit, PATIENCE},
    world::{World, nick},
};

fn world() -> World {
    World::new(Box::new(Modern::new(nick("x"), TimeZone::UTC)), false)
}

fn script() -> World {
    World::new(Box::new(Modern::new(nick("x"), TimeZone::UTC)), true)
}

fn any(lines: &[String], part: &str) -> bool {
    lines.iter().any(|line| line.contains(part))
}

#[test]
fn a_chat_reads_well() {
    let mut world = world();
    world.registered(true);
    world.message("y", "missed you", true);
    world.roster(&[("x", true), ("y", true), ("z", false)]);
    world.message("y", "a\nb", false);
    world.line("send y hello");
    world.verdict("y", 1, Verdict::Delivered);
    world.line("send z later");
    world.deposited("z", 2, Deposit::Offline);
    world.verdict("z", 2, Verdict::Stored);
    world.roster(&[("x", true), ("y", false), ("w", true)]);
    world.verdict("z", 2, Verdict::Delivered);
    assert_eq!(
        world.seen(),
        [
            "Welcome, x: the nick is yours. Say something with: send <nick> <text>; /help lists the \
             rest.",
            "Messages waited for you:",
            "02:40 y: missed you",
            "Online: y. Offline: z.",
            "02:40 y: a\\nb",
            "(y has \"hello\")",
            "(saved for z, who gets it on return: \"later\")",
            "w is here.",
            "y has left.",
            "(z has \"later\")",
        ]
    );
}

#[test]
fn a_silent_server_ends_nothing() {
    let mut world = world();
    world.pass(PATIENCE);
    world.event(Event::ServerSilent);
    world.line("send y hello");
    world.pass(Duration::from_mins(10));
    assert_eq!(world.exit(), None);
    let said = world.seen();
    assert!(any(&said, "does not answer") && any(&said, "not connected yet"), "{said:?}");
    world.event(Event::ServerBack);
    world.registered(false);
    world.roster(&[("y", true)]);
    assert_eq!(world.asked(), ["say y hello"]);
    assert!(any(&world.seen(), "The server is back."));
    world.event(Event::ServerSilent);
    world.pass(Duration::from_mins(10));
    assert_eq!((world.exit(), world.seen().len()), (None, 1));
}

#[test]
fn a_script_gives_a_silent_server_up_at_its_end() {
    let mut world = script();
    world.line("send y hello");
    world.pass(PATIENCE);
    world.event(Event::ServerSilent);
    world.pass(Duration::from_mins(1));
    assert_eq!(world.exit(), None);
    world.end();
    world.pass(PATIENCE);
    assert_eq!(world.exit(), Some(Exit::ServerSilent));
    assert!(any(&world.seen(), "not carried out (1 of"));
}

#[test]
fn what_the_server_did_not_take_stays_and_is_told_of() {
    let mut world = script().online(&[("y", false)]);
    world.chat.open = OpenMessages { unsaved: 1, stored: false };
    world.line("send y hello");
    world.end();
    world.deposited("y", 1, Deposit::Offline);
    world.pass(Duration::from_mins(10));
    assert_eq!(world.exit(), None, "a server that answers is waited for");
    world.event(Event::ServerSilent);
    assert_eq!(world.exit(), Some(Exit::ServerSilent));
    assert!(any(&world.seen(), "Not delivered yet: 1. They stay in the outbox"));
}

#[test]
fn a_script_waits_for_room() {
    let mut world = script().online(&[("y", true)]);
    world.chat.refuse_say = Some(SayError::Full);
    world.line("send y hello");
    world.end();
    assert_eq!(world.exit(), None);
    world.chat.refuse_say = None;
    world.verdict("y", 77, Verdict::Delivered);
    assert_eq!(world.asked(), ["say y hello"]);
}

#[test]
fn a_person_is_told_that_there_is_no_room() {
    let mut world = world().online(&[("y", true)]);
    world.chat.refuse_say = Some(SayError::Full);
    world.line("send y hello");
    assert!(any(&world.seen(), "Too many messages wait"));
}

#[test]
fn another_key_is_a_loud_stop() {
    let mut world = world();
    world.event(Event::WrongServerKey);
    assert_eq!(world.exit(), Some(Exit::Failed));
    let said = world.seen();
    assert!(any(&said, "ANOTHER KEY") && any(&said, "Ask its operator"));
}

#[test]
fn a_person_who_was_displaced_can_come_back() {
    let mut world = world().online(&[]);
    world.event(Event::Displaced);
    assert!(any(&world.seen(), "`reg` takes it back"));
    assert_eq!((world.exit(), world.asked()), (None, vec!["release".to_owned()]));
    world.line("reg");
    assert_eq!(world.asked(), ["register"]);
}

#[test]
fn a_server_without_room_ends_the_start() {
    let mut world = world();
    world.chat.online = false;
    world.event(Event::ServerClosed(CloseReason::Full));
    assert_eq!(world.exit(), Some(Exit::NickRefused));
    assert!(any(&world.seen(), "no room"));
}

#[test]
fn quit_and_control_d_deregister() {
    for quit in [true, false] {
        let mut world = world().online(&[]);
        if quit {
            world.line("/quit");
        } else {
            world.end();
        }
        assert_eq!(world.asked(), ["deregister"]);
        assert_eq!(world.exit(), None);
        world.event(Event::Deregistered { answered: true });
        assert_eq!((world.exit(), world.seen()), (Some(Exit::Done), vec!["Bye.".to_owned()]));
    }
}

#[test]
fn leaving_a_silent_server_takes_no_longer_than_patience() {
    let mut world = world().online(&[]);
    world.event(Event::ServerSilent);
    world.end();
    world.pass(PATIENCE);
    assert_eq!(world.exit(), Some(Exit::ServerSilent));
}

#[test]
fn what_others_say_of_being_away_does_nothing_to_the_terminal() {
    let mut world = world().online(&[]);
    world.chat.away = "tea\u{1b}[2J\nyou have won";
    world.roster(&[("y", true)]);
    world.seen();
    world.line("/who");
    assert_eq!(world.seen()[1..], ["y online, away: tea\\u{1b}[2J\\nyou have won"]);
}

#[test]
fn many_changes_are_one_line() {
    let mut world = world().online(&[]);
    let names: Vec<_> = (0..100).map(|n| &*format!("n{n}").leak()).collect();
    let crowd: Vec<_> = names.iter().map(|name| (*name, true)).collect();
    world.roster(&crowd);
    assert_eq!(world.seen(), ["100 others came or left; /who lists them."]);
    world.line("/who");
    assert_eq!(world.seen().len(), 101);
}

#[test]
fn a_failing_disk_is_told_of_now_and_then() {
    let mut world = world().online(&[]);
    for _ in 0..10 {
        world.event(Event::StoreFailed);
    }
    assert_eq!(world.seen(), ["The disk is full."]);
    world.pass(Duration::from_mins(1));
    world.event(Event::StoreFailed);
    assert_eq!(world.seen().len(), 1);
}
