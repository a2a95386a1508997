//! The document and the program say the same.

use std::{collections::BTreeSet, time::Duration};

use jiff::tz::TimeZone;
use proto_core::client::MessageId;
use proto_core::{
    Violation,
    client::{AccountChange, Refusal, SendError, SubmitReason},
    id::{Epoch, Nick, Number, Position, PublicKey, RoomName},
    wire::{
        AccountRefusal, CloseReason, LeftReason, Presence, RegisterRefusal, Retention, RoomAction,
        RoomRefusal, TrimReason,
    },
};
use serde_json::Value;

use crate::{
    command::{self, WrongInput},
    notice::{
        AskedPassword, Change, ListedRoom, Message, Outcome, Person, Registering, RoomMessage,
        RoomNotice, Someone,
    },
    safe_text::SafeText,
};

use super::*;

const DOCUMENT: &str = include_str!("../../../docs/SCRIPTS.md");

/// 2026-11-22T01:30:00.25Z.
const TIME: UnixTime = UnixTime(1_795_311_000_250_000);

/// The lines of the document's examples: those of commands have no version.
fn examples(of_commands: bool) -> BTreeSet<&'static str> {
    let blocks = DOCUMENT.split("```json\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines());
    lines.filter(|line| line.contains(r#""event":"#) != of_commands).collect()
}

fn safe(text: &str) -> SafeText {
    SafeText::new(text.as_bytes())
}

fn nick(text: &str) -> Nick {
    Nick::new(text).unwrap()
}

fn room(text: &str) -> RoomName {
    RoomName::new(text).unwrap()
}

fn someone(text: &str, presence: Presence, away: &str) -> Someone {
    Someone { nick: nick(text), presence, seen: TIME, away: safe(away) }
}

fn shown(face: &mut Json, notice: Notice<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    face.show(TIME, notice, &mut lines);
    lines
}

/// One of each.
#[expect(clippy::too_many_lines, reason = "it is a list")]
fn told() -> BTreeSet<String> {
    let mut face = Json::new(Modern::new(nick("ci"), TimeZone::UTC, || None), Vec::new());
    let id =
        MessageId { recipient: PublicKey([7; 32]), position: Position::new(Epoch(3), Number(17)) };
    let (bob, tea) = (To::Peer(nick("bob")), room("tea"));
    let origin = &Origin { line: 4, id: Some(Value::from(7)), ..Origin::default() };
    let nameless = &Origin { line: 5, ..Origin::default() };
    let text = safe("hi");
    let text = Some(&text);
    let said = |from, text| Message { from, time: TIME, text: safe(text), waited: true };
    let in_room = RoomMessage {
        room: To::Room(tea),
        from: nick("bob"),
        time: UnixTime::UNKNOWN,
        text: safe("the kettle is on"),
    };
    let people = [someone("bob", Presence::Online, "at lunch"), someone("eve", Presence::Lost, "")];
    let change = Change { someone: someone("bob", Presence::Offline, ""), new: false };
    let person = Person {
        someone: someone("bob", Presence::Online, ""),
        key: key_text(7),
        address: Some("192.168.1.7:41234".parse().unwrap()),
    };
    let outcome =
        |origin, outcome| Notice::Outcome { id, to: bob, text, origin: Some(origin), outcome };
    let unknown = Notice::NotSent { to: To::Peer(nick("eve")), why: SendError::Unknown };
    let refused = Notice::Room(RoomNotice::Refused {
        action: RoomAction::Join(tea),
        why: RoomRefusal::Unknown,
    });
    let wrong = WrongInput::Json("expected value at line 1 column 1".to_owned());
    let wrong = Notice::WrongInput(&wrong);
    let notices = vec![
        Notice::Registered {
            why: Registering::Start,
            server: PublicKey([9; 32]),
            returning: true,
            mail: true,
        },
        Notice::Offline { answered: true },
        Notice::RegisterRefused(RegisterRefusal::Taken),
        Notice::Password(AskedPassword::Unavailable { given: false, wait: Duration::ZERO }),
        Notice::Table { first: true, everyone: &people, changes: &[] },
        Notice::Table { first: false, everyone: &[], changes: std::slice::from_ref(&change) },
        Notice::Whois(&person),
        Notice::KeyChanged { nick: nick("bob"), key: PublicKey([7; 32]), verified: false },
        Notice::Message(said(nick("bob"), "two\nlines"), id.position),
        Notice::Room(RoomNotice::Message(in_room, 42)),
        Notice::MailboxEmpty,
        Notice::Gap { from: nick("bob"), missing: 2 },
        Notice::Room(RoomNotice::Gap {
            room: To::Lobby,
            missing: 3,
            why: TrimReason::NotKept,
            retention: None,
        }),
        Notice::Room(RoomNotice::Reset(To::Room(tea))),
        Notice::Kept { id, to: bob },
        Notice::Submitted {
            to: nick("bob"),
            why: SubmitReason::Offline,
            is_offline: true,
            first: false,
        },
        outcome(origin, Outcome::Delivered),
        outcome(nameless, Outcome::Refused(Refusal::TooLong)),
        Notice::Done { origin, message: Some(id) },
        Notice::Done { origin: nameless, message: None },
        Notice::NotDone { origin, why: &unknown },
        Notice::NotDone { origin, why: &refused },
        Notice::NotDone { origin: nameless, why: &wrong },
        Notice::Room(RoomNotice::StillIn(std::slice::from_ref(&tea))),
        Notice::Room(RoomNotice::Created(tea)),
        Notice::Room(RoomNotice::Entered {
            room: tea,
            retention: Some(Retention { entries: 10_000, bytes: 16_777_216, age: 2_592_000 }),
        }),
        Notice::Room(RoomNotice::Left(tea)),
        Notice::Room(RoomNotice::Moderated(RoomAction::Kick { room: tea, nick: nick("bob") })),
        Notice::Room(RoomNotice::PutOut { room: To::Room(tea), why: LeftReason::Removed }),
        Notice::Account { change: AccountChange::Password, result: Ok(()) },
        Notice::Account {
            change: AccountChange::Password,
            result: Err(AccountRefusal::Wrong { wait: 2000 }),
        },
        Notice::Away(Some(safe("at lunch"))),
        Notice::Away(None),
        Notice::ServerSilent { fatal: false, unsaved: 1 },
        Notice::ServerBack,
        Notice::ServerClosed { why: CloseReason::Leaving, offline: false },
        Notice::WrongServerKey { advice: "Ask its operator." },
        Notice::Displaced,
        Notice::Violation { by: None, rule: Violation::BadFrame },
        Notice::StoreFailed { why: "cannot write: the disk is full" },
        Notice::Damaged,
        Notice::Crowded { unsaved: 768 },
        Notice::Hint("First time at 192.168.1.5:12345: its key is trusted and remembered."),
    ];
    let mut lines: BTreeSet<_> =
        notices.into_iter().flat_map(|notice| shown(&mut face, notice)).collect();
    let rooms = [ListedRoom { name: safe("tea"), joined: true }];
    lines.extend(shown(&mut face, Notice::Room(RoomNotice::Rooms(&rooms))));
    let nicks = [safe("bob"), safe("ci")];
    lines.extend(shown(&mut face, Notice::Room(RoomNotice::Members { of: tea, nicks: &nicks })));
    lines.extend(shown(
        &mut face,
        Notice::Left {
            kept: 1,
            elsewhere: false,
            unkept: 0,
            directory: "",
            undone: &[8, 9],
            exit: 5,
            silent: true,
        },
    ));
    lines
}

fn key_text(byte: u8) -> String {
    transport_mio::key_text::encode(&PublicKey([byte; 32]))
}

/// The kinds of events, from their definition.
fn kinds() -> BTreeSet<String> {
    let source = include_str!("event.rs");
    let (_, rest) = source.split_once("pub(super) enum Event<'a> {\n").unwrap();
    let (body, _) = rest.split_once("\n}\n").unwrap();
    let variants = body.lines().filter_map(|line| {
        let name = line.strip_prefix("    ").filter(|name| !name.starts_with(' '))?;
        name.split_once(" {").map(|(name, _)| name)
    });
    variants.map(|name| event::code(&name.to_owned())).collect()
}

#[test]
fn the_document_has_each_event_as_it_is() {
    let told = told();
    let documented: BTreeSet<_> = examples(false).into_iter().map(str::to_owned).collect();
    let missing: Vec<_> = told.difference(&documented).collect();
    let wrong: Vec<_> = documented.difference(&told).collect();
    assert!(missing.is_empty() && wrong.is_empty(), "missing: {missing:#?}, wrong: {wrong:#?}");
    let kind = |line: &String| {
        let value: Value = serde_json::from_str(line).unwrap();
        value["event"].as_str().unwrap().to_owned()
    };
    assert_eq!(told.iter().map(kind).collect::<BTreeSet<_>>(), kinds());
}

#[test]
fn the_document_has_each_command_and_each_is_one() {
    let names: BTreeSet<_> = examples(true)
        .into_iter()
        .map(|line| {
            let read = command::read_json(line);
            assert!(read.command.is_ok(), "{line}: {read:?}");
            let value: Value = serde_json::from_str(line).unwrap();
            let is_command = |name: &&String| !["v", "id"].contains(&name.as_str());
            value.as_object().unwrap().keys().find(is_command).unwrap().clone()
        })
        .collect();
    // What is no command is told all that are.
    let WrongInput::Json(why) = command::read_json(r#"{"shout":{}}"#).command.unwrap_err() else {
        panic!("it is an object")
    };
    let (_, all) = why.split_once("expected one of ").unwrap();
    let all = all.split('`').skip(1).step_by(2).filter(|name| !["v", "id"].contains(name));
    assert_eq!(names, all.map(str::to_owned).collect());
}

#[test]
fn the_document_has_each_reason_of_a_refusal() {
    let mut reasons: Vec<String> = Vec::new();
    for why in [
        SendError::Offline,
        SendError::Unknown,
        SendError::NotMember,
        SendError::Oneself,
        SendError::Empty,
        SendError::TooLong { limit: 1 },
        SendError::Full,
    ] {
        reasons.push(event::code(&why));
    }
    for why in [Refusal::NoRecipient, Refusal::KeyChanged, Refusal::Store, Refusal::Superseded] {
        reasons.push(event::code(&why));
    }
    for why in [RoomRefusal::Exists, RoomRefusal::RoomFull, RoomRefusal::ServerFull] {
        reasons.push(event::code(&why));
    }
    for reason in reasons {
        assert!(DOCUMENT.contains(&format!("`{reason}`")), "{reason}");
    }
}

#[test]
fn a_line_does_nothing_to_a_terminal_and_says_exactly_what_was_said() {
    let mut face = Json::new(Modern::new(nick("ci"), TimeZone::UTC, || None), Vec::new());
    let text = "\u{1b}[2J\u{9b}2J\u{202e}evil \u{e0041}\n";
    let said = Message { from: nick("bob"), time: TIME, text: safe(text), waited: false };
    let position = Position::new(Epoch(1), Number(1));
    let lines = shown(&mut face, Notice::Message(said, position));
    assert!(!lines[0].chars().any(is_hidden), "{lines:?}");
    let value: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(value["text"], text);
}

#[test]
fn only_what_is_wanted_comes() {
    let from = vec![To::Peer(nick("Bob"))];
    let mut face = Json::new(Modern::new(nick("ci"), TimeZone::UTC, || None), from);
    let position = Position::new(Epoch(1), Number(1));
    let mut comes = |from| {
        let said = Message { from: nick(from), time: TIME, text: safe("hi"), waited: false };
        !shown(&mut face, Notice::Message(said, position)).is_empty()
    };
    assert!(comes("bob") && !comes("eve"));
    assert_eq!(shown(&mut face, Notice::ServerBack).len(), 1);
}
