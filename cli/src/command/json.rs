//! Commands as JSON objects, one in a line: `docs/SCRIPTS.md` describes each.

use std::time::Duration;

use proto_core::id::{Nick, RoomName};
use serde::Deserialize;
use serde_json::Value;

use crate::names::{self, chosen_room};

use super::{Command, MAX_WAIT, Whose, WrongInput, said};

/// The version of the objects, in both directions.
const VERSION: u64 = 1;

/// A line: a command, or why it is none, and by what its author knows it again.
#[derive(Debug)]
pub(crate) struct Tagged {
    pub(crate) id: Option<Value>,
    pub(crate) command: Result<Command, WrongInput>,
}

/// An object: of the commands, exactly one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    v: Option<u64>,
    send: Option<Send>,
    create: Option<String>,
    join: Option<String>,
    leave: Option<String>,
    members: Option<String>,
    whois: Option<String>,
    away: Option<String>,
    wait: Option<f64>,
    rooms: Option<Nothing>,
    who: Option<Nothing>,
    back: Option<Nothing>,
    offline: Option<Nothing>,
    online: Option<Nothing>,
    quit: Option<Nothing>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    to: String,
    text: String,
}

/// An empty object.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Reads a line that is not blank.
pub(crate) fn read(line: &str) -> Tagged {
    let mut value = match serde_json::from_str::<Value>(line) {
        Ok(value) => value,
        Err(why) => return Tagged { id: None, command: Err(wrong(why)) },
    };
    let is_tag = |id: &&Value| id.is_number() || id.is_string();
    let given = value.as_object_mut().and_then(|object| object.remove("id"));
    let id = given.as_ref().filter(is_tag).cloned();
    let command = match given {
        Some(_) if id.is_none() => Err(wrong("its id is neither a number nor a string")),
        _ => serde_json::from_value(value).map_err(wrong).and_then(command),
    };
    Tagged { id, command }
}

fn wrong(why: impl ToString) -> WrongInput {
    WrongInput::Json(why.to_string())
}

fn command(object: Object) -> Result<Command, WrongInput> {
    let Object { v, send, create, join, leave, members, whois, away, wait, .. } = object;
    if v.is_some_and(|v| v != VERSION) {
        return Err(wrong("this program speaks version 1 only"));
    }
    let Object { rooms, who, back, offline, online, quit, .. } = object;
    let said = send.map(|Send { to, text }| match names::conversation(&to) {
        Ok(to) => Ok(said(to, &text)),
        Err(why) => Err(wrong(format!("{to:?} is neither a nick nor a room: {why}"))),
    });
    let nick = |text: String| Nick::new(&text).map_err(|why| wrong(format!("{text:?}: {why}")));
    let name = |text: &str| {
        let name = text.strip_prefix('#');
        name.map(str::to_owned)
            .ok_or_else(|| wrong(format!("{text:?} is no room: #tea is like one")))
    };
    let known =
        |text: String| name(&text).map(|name| Some(RoomName::new(&name).map_err(Into::into)));
    let chosen = |text: String| name(&text).map(|name| chosen_room(&name));
    let seconds = |seconds| {
        let span = Duration::try_from_secs_f64(seconds).ok();
        let span = span.filter(|span| span.as_secs() <= MAX_WAIT);
        span.ok_or_else(|| wrong(format!("a wait is from 0 to {MAX_WAIT} seconds")))
    };
    let commands = [
        said,
        create.map(|room| chosen(room).map(Command::Create)),
        join.map(|room| chosen(room).map(Command::Join)),
        leave.map(|room| known(room).map(Command::Leave)),
        members.map(|room| known(room).map(Command::Members)),
        whois.map(|one| nick(one).map(|nick| Command::Whois(Ok(nick)))),
        away.map(|text| Ok(Command::Away(text))),
        wait.map(|span| seconds(span).map(Command::Wait)),
        rooms.map(|Nothing {}| Ok(Command::Rooms)),
        who.map(|Nothing {}| Ok(Command::Who)),
        back.map(|Nothing {}| Ok(Command::Back)),
        offline.map(|Nothing {}| Ok(Command::Deregister(Whose::Own))),
        online.map(|Nothing {}| Ok(Command::Register(Whose::Own))),
        quit.map(|Nothing {}| Ok(Command::Quit)),
    ];
    let mut given = commands.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(command), None) => command,
        (None, _) => Err(wrong("there is none in the object")),
        (Some(_), Some(_)) => Err(wrong("there are several in the object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_command_is_told_with_its_id() {
        for (line, id, said) in [
            ("", None, "EOF"),
            ("hello", None, "expected"),
            ("[1]", None, "struct"),
            (r#"{"id":{},"who":{}}"#, None, "neither a number nor a string"),
            (r#"{"id":1}"#, Some(1), "none in the object"),
            (r#"{"id":1,"who":{},"quit":{}}"#, Some(1), "several"),
            (r#"{"id":1,"v":2,"who":{}}"#, Some(1), "version 1"),
            (r#"{"id":1,"shout":"hi"}"#, Some(1), "shout"),
            (r#"{"id":1,"who":{"all":true}}"#, Some(1), "all"),
            (r#"{"id":1,"send":{"to":"a b","text":"hi"}}"#, Some(1), "neither a nick nor a room"),
            (r#"{"id":1,"send":{"to":"bob"}}"#, Some(1), "text"),
            (r#"{"id":1,"join":"tea"}"#, Some(1), "no room"),
            (r#"{"id":1,"wait":-1}"#, Some(1), "a wait is"),
            (r#"{"id":1,"wait":90000}"#, Some(1), "a wait is"),
        ] {
            let Tagged { id: found, command } = read(line);
            let why = command.unwrap_err().to_string();
            assert!(why.contains(said), "{line}: {why}");
            assert_eq!(found, id.map(Value::from), "{line}");
        }
    }

    #[test]
    fn a_text_is_said_as_it_is() {
        let Tagged { id, command } = read(r##"{"id":"a","send":{"to":"#tea","text":" /quit\n"}}"##);
        assert_eq!(id, Some(Value::from("a")));
        let room = RoomName::new("tea").unwrap();
        assert_eq!(command, Ok(Command::SendIn(room, " /quit\n".to_owned())));
    }
}
