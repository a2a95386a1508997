//! What there is to tell, as objects.

use std::fmt::Debug;

use proto_core::{
    client::{AccountChange, MessageId},
    id::Position,
    time::UnixTime,
    wire::Retention,
};
use serde::Serialize;
use serde_json::Value;
use transport_mio::key_text;

use crate::{
    command::Origin,
    names::conversation_text,
    notice::{AskedPassword, Change, Notice, Outcome, Registering, RoomNotice, Someone},
    safe_text::SafeText,
    words::rfc3339,
};

/// What happened.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event<'a> {
    Online {
        server: String,
        returning: bool,
        reconnected: bool,
        mail: bool,
    },
    Offline {
        answered: bool,
    },
    NickRefused {
        reason: String,
        text: String,
    },
    Roster {
        people: Vec<Person<'a>>,
    },
    Presence {
        #[serde(flatten)]
        person: Person<'a>,
        new: bool,
    },
    Whois {
        #[serde(flatten)]
        person: Person<'a>,
        key: &'a str,
        address: Option<String>,
    },
    KeyChanged {
        nick: String,
        key: String,
        verified: bool,
        text: String,
    },
    Message {
        conversation: String,
        number: String,
        from: String,
        time: Option<String>,
        waited: bool,
        text: &'a str,
    },
    MailboxEmpty {},
    Gap {
        conversation: String,
        missing: u64,
        reason: Option<String>,
    },
    LogReset {
        conversation: String,
    },
    Kept {
        message: String,
        conversation: String,
    },
    ByServer {
        conversation: String,
        reason: String,
    },
    Verdict {
        message: String,
        conversation: String,
        #[serde(flatten)]
        origin: OriginOf<'a>,
        verdict: &'static str,
        reason: Option<String>,
        text: String,
    },
    Done {
        #[serde(flatten)]
        origin: OriginOf<'a>,
        message: Option<String>,
    },
    Error {
        #[serde(flatten)]
        origin: OriginOf<'a>,
        reason: String,
        text: String,
    },
    InRooms {
        rooms: Vec<String>,
    },
    Rooms {
        rooms: Vec<ListedRoom>,
    },
    Members {
        room: String,
        nicks: Vec<&'a str>,
    },
    Created {
        room: String,
    },
    Joined {
        room: String,
        kept: Option<Kept>,
    },
    Left {
        room: String,
    },
    Moderated {
        action: String,
        text: String,
    },
    PutOut {
        room: String,
        reason: String,
        text: String,
    },
    Away {
        text: Option<&'a str>,
    },
    Account {
        request: &'static str,
        done: bool,
        reason: Option<String>,
        text: String,
    },
    Server {
        state: &'static str,
        reason: Option<String>,
        unsaved: Option<usize>,
        text: String,
    },
    Violation {
        by: Option<String>,
        text: String,
    },
    Disk {
        state: &'static str,
        text: String,
    },
    Crowded {
        unsaved: usize,
    },
    Hint {
        text: String,
    },
    End {
        exit: u8,
        kept: usize,
        kept_for_another_server: bool,
        lost: usize,
        not_done: &'a [u64],
    },
}

/// By what the author of a command knows it again.
#[derive(Debug, Serialize)]
pub(super) struct OriginOf<'a> {
    id: Option<&'a Value>,
    line: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Person<'a> {
    nick: String,
    presence: String,
    /// When they were last online.
    seen: Option<String>,
    away: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub(super) struct ListedRoom {
    room: String,
    joined: bool,
}

/// How much of a room is kept.
#[derive(Debug, Serialize)]
pub(super) struct Kept {
    messages: u32,
    bytes: u64,
    seconds: u32,
}

impl Event<'_> {
    /// The conversation of what comes.
    pub(super) fn conversation(&self) -> Option<&str> {
        match self {
            Self::Message { conversation, .. }
            | Self::Gap { conversation, .. }
            | Self::LogReset { conversation } => Some(conversation),
            _ => None,
        }
    }
}

/// What `notice` tells, which is `text` in words.
#[allow(clippy::too_many_lines)] // one arm a notice
pub(super) fn of<'a>(notice: &'a Notice<'a>, text: String) -> Vec<Event<'a>> {
    let server = |state, reason| Event::Server { state, reason, unsaved: None, text: text.clone() };
    let event = match notice {
        Notice::Registered { why, server, returning, mail } => Event::Online {
            server: key_text::encode(server),
            returning: *returning,
            reconnected: *why == Registering::Asked,
            mail: *mail,
        },
        Notice::Offline { answered } => Event::Offline { answered: *answered },
        Notice::RegisterRefused(why) => Event::NickRefused { reason: code(why), text },
        Notice::Password(asked) => {
            let reason = match asked {
                AskedPassword::Unproven(_) => "server_unproven",
                AskedPassword::Unavailable { given: false, .. } | AskedPassword::Spent => {
                    "password_needed"
                }
                _ => "password_wrong",
            };
            Event::NickRefused { reason: reason.to_owned(), text }
        }
        Notice::Account { change, result } => Event::Account {
            request: match change {
                AccountChange::Password => "password",
                AccountChange::Endorsement { .. } => "endorsement",
            },
            done: result.is_ok(),
            reason: result.err().map(|why| code(&why)),
            text,
        },
        Notice::Table { first: false, changes, .. } => {
            return changes.iter().map(presence).collect();
        }
        Notice::Table { everyone, .. } | Notice::Who(everyone) => {
            Event::Roster { people: everyone.iter().map(person).collect() }
        }
        Notice::Whois(one) => Event::Whois {
            person: person(&one.someone),
            key: &one.key,
            address: one.address.map(|address| address.to_string()),
        },
        Notice::KeyChanged { nick, key, verified } => Event::KeyChanged {
            nick: nick.to_string(),
            key: key_text::encode(key),
            verified: *verified,
            text,
        },
        Notice::Message(said, position) => Event::Message {
            conversation: said.from.to_string(),
            number: number(position),
            from: said.from.to_string(),
            time: rfc3339(said.time),
            waited: said.waited,
            text: said.text.exact(),
        },
        Notice::Room(notice) => return room(notice, text).into_iter().collect(),
        Notice::MailboxEmpty => Event::MailboxEmpty {},
        Notice::Gap { from, missing } => {
            Event::Gap { conversation: from.to_string(), missing: *missing, reason: None }
        }
        Notice::Kept { id, to } => {
            Event::Kept { message: message(id), conversation: conversation_text(to) }
        }
        Notice::Submitted { to, why, .. } => {
            Event::ByServer { conversation: to.to_string(), reason: code(why) }
        }
        Notice::Outcome { id, to, origin, outcome, .. } => {
            let (verdict, reason) = verdict(*outcome);
            let (message, conversation) = (message(id), conversation_text(to));
            let origin = origin_of(*origin);
            Event::Verdict { message, conversation, origin, verdict, reason, text }
        }
        Notice::Done { origin, message: id } => {
            Event::Done { origin: origin_of(Some(origin)), message: id.as_ref().map(message) }
        }
        Notice::NotDone { origin, why } => {
            Event::Error { origin: origin_of(Some(origin)), reason: reason(why), text }
        }
        Notice::Away(away) => Event::Away { text: away.as_ref().map(SafeText::exact) },
        Notice::ServerSilent { unsaved, .. } => {
            Event::Server { state: "silent", reason: None, unsaved: Some(*unsaved), text }
        }
        Notice::ServerBack => server("back", None),
        Notice::ServerClosed { why, .. } => server("closed", Some(code(why))),
        Notice::WrongServerKey { .. } => server("wrong_key", None),
        Notice::Displaced => server("displaced", None),
        Notice::Violation { by, .. } => {
            Event::Violation { by: by.map(|nick| nick.to_string()), text }
        }
        Notice::StoreFailed { .. } => Event::Disk { state: "failing", text },
        Notice::Damaged => Event::Disk { state: "damaged", text },
        Notice::Crowded { unsaved } => Event::Crowded { unsaved: *unsaved },
        Notice::Hint(_) | Notice::YouAreOnline => Event::Hint { text },
        Notice::Left { kept, elsewhere, unkept, undone, exit, .. } => Event::End {
            exit: *exit,
            kept: *kept,
            kept_for_another_server: *elsewhere && *kept > 0,
            lost: *unkept,
            not_done: undone,
        },
        // What is said of a line that was not carried out is said in an error.
        _ => return Vec::new(),
    };
    vec![event]
}

fn room<'a>(notice: &'a RoomNotice<'a>, text: String) -> Option<Event<'a>> {
    let named = |name: &dyn ToString| format!("#{}", name.to_string());
    Some(match notice {
        RoomNotice::Message(said, index) => Event::Message {
            conversation: conversation_text(&said.room),
            number: index.to_string(),
            from: said.from.to_string(),
            time: rfc3339(said.time),
            waited: false,
            text: said.text.exact(),
        },
        RoomNotice::Gap { room, missing, why, .. } => Event::Gap {
            conversation: conversation_text(room),
            missing: *missing,
            reason: Some(code(why)),
        },
        RoomNotice::Reset(room) => Event::LogReset { conversation: conversation_text(room) },
        RoomNotice::StillIn(rooms) => {
            Event::InRooms { rooms: rooms.iter().map(|room| named(room)).collect() }
        }
        RoomNotice::Rooms(rooms) => {
            let listed = |room: &crate::notice::ListedRoom| ListedRoom {
                room: named(&room.name.exact()),
                joined: room.joined,
            };
            Event::Rooms { rooms: rooms.iter().map(listed).collect() }
        }
        RoomNotice::Members { of, nicks } => {
            Event::Members { room: named(of), nicks: nicks.iter().map(SafeText::exact).collect() }
        }
        RoomNotice::Created(room) => Event::Created { room: named(room) },
        RoomNotice::Entered { room, retention } => Event::Joined {
            room: named(room),
            kept: retention.map(|Retention { entries, bytes, age }| Kept {
                messages: entries,
                bytes,
                seconds: age,
            }),
        },
        RoomNotice::Left(room) => Event::Left { room: named(room) },
        RoomNotice::Moderated(action) => Event::Moderated { action: code(action), text },
        RoomNotice::PutOut { room, why } => {
            Event::PutOut { room: conversation_text(room), reason: code(why), text }
        }
        RoomNotice::Refused { why, .. } => {
            Event::Error { origin: origin_of(None), reason: code(why), text }
        }
        RoomNotice::NotInside
        | RoomNotice::NotMember(_)
        | RoomNotice::Full
        | RoomNotice::BadName(_) => return None,
    })
}

/// Why a line was not carried out, in a word.
fn reason(why: &Notice<'_>) -> String {
    match why {
        Notice::NotSent { why, .. } => code(why),
        Notice::Room(RoomNotice::Refused { why, .. }) => code(why),
        Notice::Room(RoomNotice::BadName(_)) | Notice::NoNick(_) => "bad_name".to_owned(),
        Notice::Room(other) => code(other),
        Notice::WrongInput(_) => "no_command".to_owned(),
        Notice::YouAreOffline => "offline".to_owned(),
        Notice::AwayTooLong { .. } => "too_long".to_owned(),
        other => code(other),
    }
}

fn verdict(outcome: Outcome) -> (&'static str, Option<String>) {
    match outcome {
        Outcome::Delivered => ("delivered", None),
        Outcome::Stored => ("stored", None),
        Outcome::Expired => ("expired", None),
        Outcome::Unconfirmed => ("unconfirmed", None),
        Outcome::Refused(why) => ("refused", Some(code(&why))),
        Outcome::Failed(why) => ("failed", Some(code(&why))),
    }
}

fn presence(change: &Change) -> Event<'_> {
    Event::Presence { person: person(&change.someone), new: change.new }
}

fn person(someone: &Someone) -> Person<'_> {
    let Someone { nick, presence, seen, away } = someone;
    Person {
        nick: nick.to_string(),
        presence: code(presence),
        seen: rfc3339(*seen).filter(|_| *seen != UnixTime(0)),
        away: (!away.is_empty()).then(|| away.exact()),
    }
}

fn origin_of(origin: Option<&Origin>) -> OriginOf<'_> {
    OriginOf {
        id: origin.and_then(|origin| origin.id.as_ref()),
        line: origin.map(|origin| origin.line),
    }
}

/// A message of one's own.
fn message(id: &MessageId) -> String {
    format!("{}/{}", key_text::encode(&id.recipient), number(&id.position))
}

fn number(position: &Position) -> String {
    format!("{}.{}", position.epoch.0, position.number.0)
}

/// The name of what an enumeration says, in small letters.
pub(super) fn code(what: &impl Debug) -> String {
    let debug = format!("{what:?}");
    let mut code = String::new();
    for c in debug.trim_start_matches('"').chars().take_while(char::is_ascii_alphanumeric) {
        if c.is_ascii_uppercase() && !code.is_empty() {
            code.push('_');
        }
        code.push(c.to_ascii_lowercase());
    }
    code
}
