//! What scripts and programs rely on.

use std::time::Duration;

use jiff::tz::TimeZone;
use proto_core::{
    client::{Event, OpenMessages, Refusal, SendError, To, Verdict},
    id::RoomName,
    wire::{RoomAction, RoomRefusal},
};
use serde_json::Value;

use crate::{json::Json, modern::Modern, sending::Sending};

use super::{
    super::{Await, Exit, Script},
    world::{World, nick},
};

const TIMEOUT: Duration = Duration::from_secs(30);

fn words() -> Modern {
    Modern::new(nick("x"), TimeZone::UTC, || None)
}

fn script() -> World {
    World::new(Box::new(words()), true)
}

fn json() -> World {
    World::new(Box::new(Json::new(words(), Vec::new())), true)
}

/// As `udpchat send y` with lines to say.
fn sending(wait: Await) -> World {
    let face = Sending::new(words(), To::Peer(nick("y")), true);
    let script = Script { wait, timeout: Some(TIMEOUT) };
    World::with_script(Box::new(face), Some(script), None)
}

/// What is told, as kinds of events with what they are about.
fn told(world: &mut World) -> Vec<String> {
    let said = |line: String| {
        let event: Value = serde_json::from_str(&line).unwrap();
        let field = |name: &str| match &event[name] {
            Value::Null => String::new(),
            Value::String(text) => format!(" {text}"),
            other => format!(" {other}"),
        };
        ["event", "id", "line", "verdict", "reason"].map(field).concat().trim().to_owned()
    };
    world.seen().into_iter().map(said).collect()
}

fn tea() -> RoomName {
    RoomName::new("tea").unwrap()
}

#[test]
fn every_line_that_was_not_carried_out_is_named() {
    let mut world = script().online(&[("y", true)]);
    let lines = [
        "# a remark",
        "",
        "sedn y hello",
        "/sedn y hello",
        "/msg y hello",
        "/members nowhere",
        "/wait 0.5",
        "/wait 600",
        "/msg y more",
        "/who",
    ];
    for line in lines {
        world.line(line);
    }
    world.verdict("y", 1, Verdict::Refused(Refusal::TooLong));
    let of = Some(RoomName::new("nowhere").unwrap());
    let action = RoomAction::Members { of, from: proto_core::id::Account(0) };
    world.outcome(action, Err(RoomRefusal::Unknown));
    world.pass(Duration::from_secs(1));
    world.interrupt();
    world.event(Event::Deregistered { answered: true });
    assert_eq!(world.exit(), Some(Exit::Refused));
    world.seen();
    let named: Vec<_> = world
        .reports()
        .into_iter()
        .map(|report| report.split_once(':').unwrap().0.to_owned())
        .collect();
    assert_eq!(named, ["line 3", "line 4", "line 5", "line 6", "line 9", "line 10"]);
}

#[test]
fn a_script_that_ends_at_once_sees_the_mail_that_waited() {
    let mut world = script();
    world.end();
    world.registered(true);
    world.roster(&[("y", true)]);
    assert_eq!(world.asked(), [""; 0], "it stays");
    world.message("y", "hello", true);
    world.event(Event::MailboxEmpty);
    assert_eq!(world.asked(), ["deregister"]);
    assert!(world.seen().contains(&"02:40 y: hello".to_owned()));
}

#[test]
fn what_is_open_for_another_server_holds_nothing_up() {
    let mut world = script().online(&[]);
    world.chat.open = OpenMessages { unsaved: 2, may_be_saved: false, stored: false };
    world.end();
    world.event(Event::Deregistered { answered: true });
    assert_eq!(world.exit(), Some(Exit::Done));
    assert!(world.seen()[0].contains("2 messages to people whom this server does not know"));
}

#[test]
fn a_text_is_sent_whatever_it_looks_like_and_its_verdict_is_waited_for() {
    for (wait, verdict, ends) in [
        (Await::Stored, Verdict::Stored, true),
        (Await::Stored, Verdict::Delivered, true),
        (Await::Delivered, Verdict::Stored, false),
        (Await::Delivered, Verdict::Delivered, true),
    ] {
        let mut world = sending(wait).online(&[("y", true)]);
        world.line("# /quit");
        world.end();
        assert_eq!(world.asked(), ["say y # /quit"]);
        world.verdict("y", 1, verdict);
        assert_eq!(!world.asked().is_empty(), ends, "{wait:?} {verdict:?}");
    }
}

#[test]
fn at_the_timeout_it_is_said_what_stays_and_what_does_not() {
    // Taken into the outbox.
    let mut world = sending(Await::Stored).online(&[("y", true)]);
    world.line("one");
    world.accepted("y", 1);
    world.chat.open = OpenMessages { unsaved: 1, may_be_saved: true, stored: false };
    world.end();
    world.pass(TIMEOUT);
    assert_eq!(world.exit(), None, "it goes offline first");
    world.event(Event::Deregistered { answered: true });
    assert_eq!(world.exit(), Some(Exit::Unfinished));
    assert_eq!(world.seen(), [""; 0], "standard output is not for that");
    let said = world.reports();
    assert!(said.iter().any(|line| line.contains("stays in the outbox")), "{said:?}");

    // An input that goes on is not given up while there is nothing to say.
    let mut world = sending(Await::Stored).online(&[("y", true)]);
    for number in 1..4 {
        world.pass(TIMEOUT * 2);
        world.line("more");
        world.verdict("y", number, Verdict::Delivered);
    }
    world.line("last");
    world.pass(TIMEOUT);
    assert_eq!(world.asked().last().unwrap(), "deregister");

    // Never online.
    let mut world = sending(Await::Stored);
    world.line("one");
    world.end();
    world.event(Event::ServerSilent);
    world.pass(TIMEOUT.saturating_sub(Duration::from_secs(1)));
    assert_eq!(world.exit(), None, "it has the time that it was given");
    world.pass(Duration::from_secs(1));
    assert_eq!(world.exit(), Some(Exit::ServerSilent));
    let said = world.reports();
    assert!(said.contains(&"line 1: Not done, and not kept: it ended before.".to_owned()));
    assert!(!said.iter().any(|line| line.contains("outbox")), "{said:?}");
}

#[test]
fn each_command_has_one_answer_that_names_it() {
    let mut world = json().online(&[("y", true)]);
    let lines = [
        r#"{"id":"a","send":{"to":"y","text":"hello"}}"#,
        r##"{"id":"b","join":"#tea"}"##,
        r##"{"id":"c","send":{"to":"#cave","text":"hello"}}"##,
        "hello",
        r#"{"id":"d","rooms":{}}"#,
        r#"{"wait":0}"#,
    ];
    for line in lines {
        world.line(line);
    }
    assert_eq!(told(&mut world), ["done a 1"]);
    world.chat.refuse_say = Some(SendError::NotMember);
    world.outcome(RoomAction::Join(tea()), Ok(()));
    let answers = ["joined", "done b 2"];
    assert_eq!(told(&mut world), answers);
    // The server may still name rooms.
    world.pass(Duration::from_secs(10));
    assert_eq!(told(&mut world), ["error c 3 not_member", "error 4 no_command"]);
    world.verdict("y", 1, Verdict::Delivered);
    world.names(RoomAction::Rooms { from: proto_core::id::Room(0) }, "tea", true);
    let answers = ["verdict a 1 delivered", "rooms", "done d 5", "done 6"];
    assert_eq!(told(&mut world), answers);
    world.end();
    world.event(Event::Deregistered { answered: true });
    assert_eq!(told(&mut world), ["end"]);
    assert_eq!((world.exit(), world.reports().len()), (Some(Exit::Refused), 2));
}

#[test]
fn a_request_that_going_offline_ends_is_answered() {
    let mut world = json().online(&[]);
    world.line(r#"{"id":1,"rooms":{}}"#);
    world.event(Event::Displaced);
    assert_eq!(told(&mut world)[0], "error 1 1 offline");
}
