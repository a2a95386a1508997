//! The classic client says exactly what it must.

use std::time::Duration;

use proto_core::{
    client::{Event, Failure, Refusal, SendError, SubmitReason, To, Verdict},
    wire::RegisterRefusal,
};

use crate::classic::Classic;

use super::{
    super::{Exit, PATIENCE, SETTLE},
    world::{World, came, nick, said},
};

fn world() -> World {
    World::new(Box::new(Classic::new(|| None)), false)
}

fn script() -> World {
    World::new(Box::new(Classic::new(|| None)), true)
}

const SAVED: &str = ">>> y: <2017-06-14 02:40:17.501063> offline?";

#[test]
fn at_the_start_welcome_comes_before_table_and_messages() {
    let mut world = world();
    world.event(Event::Ready);
    world.registered(true);
    assert_eq!(world.seen(), [">>> [Welcome, You are registered.]"]);
    world.message("y", "offline?", true);
    assert!(world.seen().is_empty());
    world.roster(&[("x", true), ("y", true)]);
    world.message("z", "\u{1b}[2J", true);
    world.event(Event::MailboxEmpty);
    world.message("y", "hello", false);
    assert_eq!(
        world.seen(),
        [
            ">>> [Client table updated.]",
            ">>> [You have messages.]",
            SAVED,
            ">>> z: <2017-06-14 02:40:17.501063> \\u{1b}[2J",
            ">>> y: hello",
        ]
    );
}

#[test]
fn a_table_that_does_not_come_is_shown_all_the_same() {
    let mut world = world();
    world.registered(false);
    world.seen();
    world.pass(SETTLE);
    assert_eq!(world.seen(), [">>> [Client table updated.]"]);
}

#[test]
fn the_table_is_told_of_when_nicks_or_presence_change() {
    let mut world = world().online(&[("y", true)]);
    world.roster(&[("y", true), ("x", true)]);
    assert!(world.seen().is_empty(), "addresses and oneself do not count");
    for change in [&[("y", true), ("z", true)][..], &[("y", false), ("z", true)]] {
        world.roster(change);
        assert_eq!(world.seen(), [">>> [Client table updated.]"]);
    }
}

#[test]
fn a_message_is_received() {
    let mut world = world().online(&[("y", true)]);
    world.line("send y hello");
    assert_eq!(world.asked(), ["say y hello"]);
    world.verdict("y", 1, Verdict::Delivered);
    assert_eq!(world.seen(), [">>> [Message received by <y>.]"]);
}

#[test]
fn a_message_to_someone_offline_is_saved() {
    let mut world = world().online(&[("y", false)]);
    world.line("send y offline?");
    world.submitted("y", 1, SubmitReason::Offline);
    world.verdict("y", 1, Verdict::Stored);
    let offline = ">>> <y> is offline, message sent to server.";
    let saved = ">>> [Messages received by the server and saved.]";
    assert_eq!(world.seen(), [offline, saved]);
    world.line("send y more");
    world.submitted("y", 2, SubmitReason::InTurn);
    assert_eq!(world.seen(), [offline]);
}

#[test]
fn a_message_without_receipt_is_saved_or_relayed() {
    let mut world = world().online(&[("y", true)]);
    world.line("send y there?");
    world.submitted("y", 1, SubmitReason::NoReceipt);
    world.event(Event::Relayed { to: nick("y") });
    world.verdict("y", 1, Verdict::Delivered);
    assert_eq!(
        world.seen(),
        [
            ">>> [No ACK from <y>, message sent to server.]",
            ">>> [Client <y> exists!!]",
            ">>> [Message received by <y>.]"
        ]
    );
}

#[test]
fn leaving_and_coming_back() {
    let mut world = world().online(&[("y", true)]);
    world.line("dereg x");
    assert_eq!(world.asked(), ["deregister"]);
    world.event(Event::Deregistered { answered: true });
    assert_eq!(world.seen(), [">>> [You are Offline. Bye.]"]);
    assert_eq!(world.asked(), ["release"]);
    for line in ["send y hi", "dereg"] {
        world.line(line);
        assert_eq!(world.seen().len(), 1, "{line}");
        assert!(world.asked().is_empty());
    }
    world.line("reg x");
    assert_eq!(world.asked(), ["register"]);
    world.registered(true);
    world.message("y", "offline?", true);
    world.roster(&[("y", true)]);
    world.event(Event::MailboxEmpty);
    assert_eq!(
        world.seen(),
        [
            ">>> [Client table updated.]",
            ">>> [You have messages.]",
            SAVED,
            ">>> [Welcome back, you are re-registered.]"
        ]
    );
}

#[test]
fn coming_back_to_an_empty_mailbox() {
    let mut world = world().online(&[("y", true)]);
    world.line("dereg");
    world.event(Event::Deregistered { answered: true });
    world.line("reg");
    world.seen();
    world.registered(false);
    world.roster(&[("y", true)]);
    assert_eq!(
        world.seen(),
        [">>> [Client table updated.]", ">>> [Welcome back, you are re-registered.]"]
    );
}

#[test]
fn a_taken_port_keeps_the_client_offline() {
    let mut world = world().online(&[]);
    world.line("dereg");
    world.event(Event::Deregistered { answered: true });
    world.chat.refuse_bind = true;
    world.seen();
    world.line("reg");
    assert_eq!(world.seen(), [">>> [you are still offline: UDP port 6061 is in use]"]);
    world.line("send y hi");
    assert_eq!(world.seen().len(), 1);
}

const GONE: [&str; 2] = [">>> [Server not responding]", ">>> [Exiting]"];

#[test]
fn a_silent_server_ends_it_at_the_start() {
    let mut world = world();
    world.pass(PATIENCE);
    world.event(Event::ServerSilent);
    assert_eq!(world.seen(), GONE);
    assert_eq!(world.exit(), Some(Exit::ServerSilent));
}

#[test]
fn a_silent_server_ends_it_on_dereg() {
    let mut world = world().online(&[]);
    world.line("dereg");
    world.pass(PATIENCE);
    world.event(Event::Deregistered { answered: false });
    assert_eq!(world.seen(), GONE);
    assert_eq!(world.exit(), Some(Exit::ServerSilent));
}

#[test]
fn a_silent_server_ends_it_when_it_is_needed() {
    let mut world = world().online(&[("y", false)]);
    world.event(Event::ServerSilent);
    world.pass(Duration::from_mins(1));
    assert!(world.seen().is_empty() && world.exit().is_none());
    world.line("send y hello?");
    world.submitted("y", 1, SubmitReason::Offline);
    assert_eq!(world.seen(), [">>> <y> is offline, message sent to server."]);
    world.pass(PATIENCE / 2);
    assert_eq!(world.exit(), None);
    world.pass(PATIENCE / 2);
    assert_eq!(world.seen(), GONE);
    assert_eq!(world.exit(), Some(Exit::ServerSilent));
}

#[test]
fn a_server_that_comes_back_in_time_ends_nothing() {
    let mut world = world().online(&[("y", false)]);
    world.line("send y hello?");
    world.submitted("y", 1, SubmitReason::Offline);
    world.event(Event::ServerSilent);
    world.event(Event::ServerBack);
    world.pass(Duration::from_mins(1));
    world.verdict("y", 1, Verdict::Stored);
    assert_eq!(world.exit(), None);
}

#[test]
fn control_c_deregisters_first() {
    let mut world = world().online(&[]);
    world.interrupt();
    assert_eq!((world.asked(), world.exit()), (vec!["deregister".to_owned()], None));
    world.event(Event::Deregistered { answered: true });
    assert_eq!(world.seen(), ["[exiting]"]);
    assert_eq!(world.exit(), Some(Exit::Done));
}

#[test]
fn a_second_control_c_ends_it_at_once() {
    let mut world = world().online(&[]);
    world.interrupt();
    world.interrupt();
    assert_eq!(world.exit(), Some(Exit::Done));
}

#[test]
fn what_is_no_command_is_wrong() {
    let mut world = world().online(&[("y", true)]);
    for line in ["hello", "send y", "/who is there"] {
        world.line(line);
        assert_eq!(world.seen(), [">>> Wrong input"]);
    }
    world.line("dereg y");
    assert_eq!(world.seen(), [">>> [only your own nick can be registered or deregistered]"]);
    world.line("/who");
    assert_eq!(world.seen(), [">>> y online"]);
    world.chat.past = vec![
        (To::Peer(nick("y")), came(None, "old\u{1b}[2J", false)),
        (To::Peer(nick("y")), said(Some(Verdict::Delivered), "an answer")),
    ];
    world.line("/history y");
    assert_eq!(world.seen(), [">>> y: <2017-06-14 02:40:17.501063> old\\u{1b}[2J"]);
    assert!(world.asked().is_empty());
}

#[test]
fn a_refused_nick_ends_it() {
    let mut world = world();
    world.event(Event::RegisterRefused(RegisterRefusal::Taken));
    assert_eq!(world.exit(), Some(Exit::NickRefused));
    assert!(world.seen()[0].starts_with(">>> [that nick belongs to somebody else"));
}

#[test]
fn a_script_waits_for_each_of_its_steps() {
    let mut world = script();
    for line in ["send y one", "what?", "dereg", "reg", "/wait 3", "send y two"] {
        world.line(line);
    }
    world.end();
    assert!(world.asked().is_empty());
    world.registered(false);
    assert!(world.asked().is_empty(), "the table may still bring y");
    assert_eq!(world.seen(), [">>> [Welcome, You are registered.]"]);
    world.roster(&[("y", true)]);
    assert_eq!(world.seen(), [">>> [Client table updated.]", ">>> Wrong input"]);
    assert_eq!(world.asked(), ["say y one", "deregister"]);
    world.submitted("y", 1, SubmitReason::Leaving);
    world.verdict("y", 1, Verdict::Stored);
    world.event(Event::Deregistered { answered: true });
    assert_eq!(world.asked(), ["release", "register"]);
    world.chat.online = true;
    world.registered(false);
    world.roster(&[("y", true)]);
    world.pass(Duration::from_millis(2900));
    assert!(world.asked().is_empty());
    world.pass(Duration::from_millis(100));
    assert_eq!(world.asked(), ["say y two"]);
    world.verdict("y", 2, Verdict::Delivered);
    assert_eq!(world.asked(), ["deregister"]);
    world.event(Event::Deregistered { answered: true });
    assert_eq!(world.exit(), Some(Exit::Done));
}

#[test]
fn a_refused_message_shows_in_the_exit_code() {
    for how in 0..4 {
        let mut world = script().online(&[("y", true)]);
        if how == 0 {
            world.chat.refuse_say = Some(SendError::Unknown);
        }
        world.line("send y hi");
        match how {
            0 => {}
            1 => world.verdict("y", 1, Verdict::Expired),
            2 => world.verdict("y", 1, Verdict::Failed(Failure::Unsaved)),
            _ => world.verdict("y", 1, Verdict::Refused(Refusal::TooLong)),
        }
        world.end();
        world.event(Event::Deregistered { answered: true });
        assert_eq!(world.exit(), Some(Exit::Refused));
    }
}

#[test]
fn a_text_that_needs_rows_cannot_pass_for_another_line() {
    let mut world = World::new(Box::new(Classic::new(|| Some(40))), false);
    world.registered(false);
    world.pass(SETTLE);
    world.seen();
    world.message("y", "short", false);
    world.message("y", &format!("{} z: pay me", "x".repeat(32)), false);
    let seen = world.seen();
    assert_eq!(seen[0], ">>> y: short", "what fits a row is as ever");
    assert!(seen[1].starts_with(">>> y: xxx"));
    assert_eq!(seen[2..], ["      z: pay me"]);
}

#[test]
fn a_room_keeps_back_no_flood() {
    let mut world = world().online(&[("y", true)]);
    let tea = proto_core::id::RoomName::new("tea").unwrap();
    world.line("join_group tea");
    world.outcome(proto_core::wire::RoomAction::Join(tea), Ok(()));
    world.seen();
    for _ in 0..3_000 {
        world.message("y", "flood", false);
    }
    assert_eq!(world.seen().len(), 2_000, "what is too much to keep is shown at once");
}
