//! What `host` and `join` do where they differ from the classic client.

use std::time::Duration;

use jiff::tz::TimeZone;
use proto_core::{
    client::{Event, Failure, OpenMessages, Refusal, SendError, SubmitReason, Verdict},
    wire::CloseReason,
};

use crate::modern::Modern;

use super::{
    super::{Exit, PATIENCE, SCRIPTS_PATIENCE},
    world::{World, nick},
};

fn world() -> World {
    World::new(Box::new(Modern::new(nick("x"), TimeZone::UTC, || None)), false)
}

fn script() -> World {
    World::new(Box::new(Modern::new(nick("x"), TimeZone::UTC, || None)), true)
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
    world.line("/msg y hello");
    world.verdict("y", 1, Verdict::Delivered);
    world.line("/msg z later");
    world.submitted("z", 2, SubmitReason::Offline);
    world.verdict("z", 2, Verdict::Stored);
    world.roster(&[("x", true), ("y", false), ("w", true)]);
    world.verdict("z", 2, Verdict::Delivered);
    assert_eq!(
        world.seen(),
        [
            "Welcome, x: the nick is yours. Say something with: /msg <nick> <text>; /help lists the \
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
fn who_cannot_be_reached_directly_is_told_once_per_change() {
    let unreachable = "(y cannot be reached directly; the server passes on what you say)";
    let relays = "(y is online; the server relays)";
    let mut world = world().online(&[("y", true)]);
    let by_server = |world: &mut World, numbers: std::ops::Range<u64>| {
        for number in numbers.clone() {
            world.line("/msg y hello");
            world.submitted("y", number, SubmitReason::NoReceipt);
            world.event(Event::Relayed { to: nick("y") });
        }
        for number in numbers {
            world.verdict("y", number, Verdict::Delivered);
        }
        let lines = world.seen();
        lines.into_iter().filter(|line| !line.contains("has \"hello\"")).collect::<Vec<_>>()
    };
    assert_eq!(by_server(&mut world, 1..21), [unreachable, relays]);
    // It may be tried directly in between, as long as that does not work.
    assert_eq!(by_server(&mut world, 21..22), [""; 0]);
    world.line("/msg y hello");
    world.verdict("y", 22, Verdict::Delivered);
    world.seen();
    assert_eq!(by_server(&mut world, 23..25), [unreachable, relays]);
    // Who comes back may be somewhere else.
    world.roster(&[("y", false)]);
    world.roster(&[("y", true)]);
    world.seen();
    assert_eq!(by_server(&mut world, 25..26), [unreachable, relays]);
}

#[test]
fn a_silent_server_ends_nothing() {
    let mut world = world();
    world.pass(PATIENCE);
    world.event(Event::ServerSilent);
    world.line("/msg y hello");
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
    world.line("/msg y hello");
    world.pass(PATIENCE);
    world.event(Event::ServerSilent);
    world.pass(Duration::from_mins(1));
    assert_eq!(world.exit(), None);
    world.end();
    world.pass(SCRIPTS_PATIENCE);
    assert_eq!(world.exit(), Some(Exit::ServerSilent));
    assert_eq!(
        world.seen(),
        [
            "The server does not answer; trying on.",
            "Given up: the server does not answer.",
            "NOT DONE, and not kept: the last line of the input.",
            "Bye.",
        ]
    );
}

#[test]
fn what_the_server_did_not_take_stays_and_is_told_of() {
    let mut world = script().online(&[("y", false)]);
    world.chat.open = OpenMessages { unsaved: 3, may_be_saved: true, stored: false };
    for number in 1..4 {
        world.line("/msg y hello");
        if number < 3 {
            world.accepted("y", number);
        }
    }
    world.end();
    world.submitted("y", 1, SubmitReason::Offline);
    world.pass(Duration::from_mins(10));
    assert_eq!(world.exit(), None, "a server that answers is waited for");
    world.event(Event::ServerSilent);
    world.pass(SCRIPTS_PATIENCE);
    assert_eq!(world.exit(), Some(Exit::ServerSilent));
    assert_eq!(
        world.seen(),
        [
            "The server does not answer; trying on. In the outbox, not delivered yet: 3.",
            "Given up: the server does not answer.",
            "NOT DELIVERED yet, nor saved at the server: 2 messages. They stay in the outbox in \
             /data/x and go out the next time x is online.",
            "NOT KEPT: 1 message that your disk had not taken yet.",
            "Bye.",
        ]
    );
}

#[test]
fn whoever_ends_it_with_messages_unsent_is_told_and_so_is_who_called_it() {
    // Interrupted twice at a terminal.
    let mut world = world().online(&[("y", true)]);
    world.line("/msg y hello");
    world.accepted("y", 1);
    world.chat.open = OpenMessages { unsaved: 1, may_be_saved: true, stored: false };
    world.interrupt();
    assert_eq!(world.exit(), None);
    world.interrupt();
    assert_eq!(world.exit(), Some(Exit::Unfinished));
    let kept = "NOT DELIVERED yet, nor saved at the server: 1 message. It stays in the outbox in \
                /data/x and goes out the next time x is online.";
    assert_eq!(world.seen(), [kept, "Bye."]);

    // Interrupted in the middle of a script.
    let mut world = script().online(&[("y", true)]);
    for line in ["/wait 60", "/msg y one", "/msg y two"] {
        world.line(line);
    }
    world.interrupt();
    world.event(Event::Deregistered { answered: true });
    assert_eq!(world.exit(), Some(Exit::Unfinished));
    assert_eq!(world.seen(), ["NOT DONE, and not kept: the last 2 lines of the input.", "Bye."]);
}

#[test]
fn a_script_waits_for_room() {
    let mut world = script().online(&[("y", true)]);
    world.chat.refuse_say = Some(SendError::Full);
    world.line("/msg y hello");
    world.end();
    assert_eq!(world.exit(), None);
    world.chat.refuse_say = None;
    world.verdict("y", 77, Verdict::Delivered);
    assert_eq!(world.asked(), ["say y hello"]);
}

#[test]
fn a_script_that_waits_for_room_says_so() {
    let mut world = script().online(&[("y", true)]);
    world.chat.refuse_say = Some(SendError::Full);
    world.chat.open = OpenMessages { unsaved: 768, may_be_saved: true, stored: false };
    world.line("/msg y hello");
    world.pass(Duration::from_mins(1));
    assert_eq!(
        world.seen(),
        [
            "The outbox has no room for more just now (neither delivered nor saved yet: 768); going on \
          once it has."
        ]
    );
    world.chat.refuse_say = None;
    world.verdict("y", 77, Verdict::Delivered);
    assert_eq!(world.asked(), ["say y hello"]);
}

#[test]
fn a_person_is_told_that_there_is_no_room() {
    let mut world = world().online(&[("y", true)]);
    world.chat.refuse_say = Some(SendError::Full);
    world.line("/msg y hello");
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
    assert!(any(&world.seen(), "/online takes it back"));
    assert_eq!((world.exit(), world.asked()), (None, vec!["release".to_owned()]));
    world.line("/online");
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
fn an_own_full_disk_is_not_called_the_servers() {
    let mut world = world().online(&[("y", true)]);
    world.line("/msg y hello");
    world.event(Event::StoreFailed);
    world.verdict("y", 1, Verdict::Failed(Failure::Unsaved));
    world.line("/msg y hello");
    world.verdict("y", 2, Verdict::Refused(Refusal::Store));
    assert_eq!(
        world.seen(),
        [
            "The disk is full.",
            "NOT SENT, y does not get \"hello\": it could not be saved on your own disk first; see \
             to that, and send it again",
            "REFUSED, y does not get \"hello\": the server could not save it; tell its operator, \
             and send it again",
        ]
    );
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

#[test]
fn whoever_has_a_command_for_a_nick_is_spoken_to_all_the_same() {
    let mut world = world().online(&[("all", true)]);
    world.line("/msg all psst");
    world.line("/all hi");
    assert_eq!(world.asked(), ["say all psst", "say everyone hi"]);
}
