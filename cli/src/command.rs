//! What a person can type: one line, one command.

use std::time::Duration;

use proto_core::id::{NameError, Nick, RoomName};

use crate::names::{WrongName, chosen_room};

/// What `/help` shows.
pub(crate) const HELP: [&str; 24] = [
    "send <nick> <text>   say something to someone          send bob are you there?",
    "/all <text>          say something to everyone         /all good morning",
    "/rooms               which rooms there are             /rooms",
    "/create <room>       make a room                       /create tea",
    "/join <room>         enter a room, or switch to it     /join tea",
    "/say <text>          say something in the room entered /say hi",
    "<text>               the same                          hi",
    "/members [room]      who is in it                      /members",
    "/leave [room]        be in it no longer                /leave",
    "/away [text]         be away from the keyboard         /away at lunch",
    "/back                be back                           /back",
    "dereg [nick]         go offline, stay here             dereg",
    "reg [nick]           come back online                  reg",
    "/who                 who is there, away or gone        /who",
    "/history [nick|room] what arrived, oldest first        /history #tea",
    "/wait <seconds>      in a script: keep listening       /wait 10",
    "/help                this list                         /help",
    "/quit                go offline and leave              /quit",
    "ctrl-C and ctrl-D    the same as /quit",
    "Other words, with or without a slash:",
    "DM = send; send_all = PM = /all; EX = /quit",
    "create_group = /create; list_groups = /rooms; join_group = /join",
    "leave_group = /leave; list_members = /members; send_group = /say",
    "Everyone is in the room `lobby`, which /all speaks to: /history lobby",
];

/// What someone is away with who does not say why.
const AWAY: &str = "away";

/// The longest wait: a day.
const MAX_WAIT: u64 = 24 * 60 * 60;

/// A line that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Say `text` to `to`.
    Send {
        /// The recipient, if the word can be a nick.
        to: Result<Nick, NameError>,
        /// The text, as it was typed.
        text: String,
    },
    /// Say it to everyone.
    SendAll(String),
    /// Say it in the room that is entered.
    SayHere(String),
    /// The same, if a room is entered; else it is nothing.
    Plain(String),
    /// Ask for what is missing.
    Ask(Missing),
    /// Make a room.
    Create(RoomWord),
    /// List the rooms.
    Rooms,
    /// Enter a room.
    Join(RoomWord),
    /// Be no longer in a room; without one, in the one that is entered.
    Leave(Option<RoomWord>),
    /// List who is in a room; without one, in the one that is entered.
    Members(Option<RoomWord>),
    /// Be away, with this to say of it.
    Away(String),
    /// Be back.
    Back,
    /// Go offline, stay in the program.
    Deregister(Whose),
    /// Go online again.
    Register(Whose),
    /// List who is there.
    Who,
    /// Show what arrived.
    History(Source),
    /// Keep listening before the next line.
    Wait(Duration),
    /// List the commands.
    Help,
    /// Go offline and leave.
    Quit,
}

/// A word where a room's name is due: the name, if it can be one.
pub(crate) type RoomWord = Result<RoomName, WrongName>;

/// What is missing of something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// All of a `DM`.
    Recipient,
    /// What to say to someone.
    Text(Nick),
    /// What to say to everyone.
    TextForAll,
}

/// From where the messages of a `/history` came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// From everywhere.
    All,
    /// From whoever has that nick; if nobody has, from the room of that name.
    Named(Nick),
    /// From a room.
    Room(RoomName),
    /// From the lobby.
    Lobby,
}

/// Whose nick a `reg` or `dereg` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// One's own, or none.
    Own,
    /// Somebody else's: only one's own can be (de)registered.
    Other,
}

/// A line that is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrongInput;

/// When a command waits until the client is online, or is offline, or the server has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// Whenever there is something to wait for.
    Always,
    /// But not for what was wished of the server, which whoever goes offline leaves behind.
    WhileRegistering,
    /// If a room is entered, or about to be.
    InsideRooms,
    /// It is carried out at once.
    Never,
}

impl Command {
    /// When it waits.
    pub(crate) fn waits(&self) -> Waits {
        match self {
            Self::Send { .. }
            | Self::SendAll(_)
            | Self::SayHere(_)
            | Self::Create(_)
            | Self::Rooms
            | Self::Join(_)
            | Self::Leave(_)
            | Self::Members(_)
            | Self::Away(_)
            | Self::Back
            | Self::Register(_) => Waits::Always,
            Self::Deregister(_) => Waits::WhileRegistering,
            Self::Plain(_) => Waits::InsideRooms,
            Self::Ask(_)
            | Self::Who
            | Self::History(_)
            | Self::Wait(_)
            | Self::Help
            | Self::Quit => Waits::Never,
        }
    }

    /// Reads a line typed by whoever goes by `own`; `None` if it is blank.
    pub(crate) fn parse(line: &str, own: &Nick) -> Result<Option<Self>, WrongInput> {
        let (word, rest) = split_word(line);
        let command = match word.strip_prefix('/') {
            _ if word.is_empty() => None,
            Some(word) => Some(Self::slashed(word, rest, own)?),
            None => match Self::bare(word, rest, own)? {
                None => Some(Self::Plain(line.trim().to_owned())),
                command => command,
            },
        };
        Ok(command)
    }

    /// The commands whose words need no slash; `None` for any other word.
    fn bare(word: &str, rest: &str, own: &Nick) -> Result<Option<Self>, WrongInput> {
        Ok(Some(match word {
            "send" => Self::send(rest)?,
            "DM" => Self::direct(rest)?,
            "PM" | "send_all" => Self::send_all(rest),
            "EX" => nothing_after(rest, Self::Quit)?,
            "create_group" => Self::Create(chosen(rest)?),
            "list_groups" => nothing_after(rest, Self::Rooms)?,
            "join_group" => Self::Join(chosen(rest)?),
            "leave_group" => Self::Leave(room_if_any(rest)?),
            "list_members" => Self::Members(room_if_any(rest)?),
            "send_group" => Self::say(rest)?,
            "dereg" => Self::Deregister(Whose::named(rest, own)?),
            "reg" => Self::Register(Whose::named(rest, own)?),
            _ => return Ok(None),
        }))
    }

    fn slashed(word: &str, rest: &str, own: &Nick) -> Result<Self, WrongInput> {
        Ok(match word {
            "all" | "pm" => Self::send_all(rest),
            "dm" => Self::direct(rest)?,
            "create" => Self::Create(chosen(rest)?),
            "rooms" => nothing_after(rest, Self::Rooms)?,
            "join" => Self::Join(chosen(rest)?),
            "leave" => Self::Leave(room_if_any(rest)?),
            "members" => Self::Members(room_if_any(rest)?),
            "say" => Self::say(rest)?,
            "away" if rest.trim().is_empty() => Self::Away(AWAY.to_owned()),
            "away" => Self::Away(rest.trim().to_owned()),
            "back" => nothing_after(rest, Self::Back)?,
            "history" => Self::History(Source::read(rest)?),
            "wait" => Self::Wait(seconds(rest)?),
            "who" => nothing_after(rest, Self::Who)?,
            "help" => nothing_after(rest, Self::Help)?,
            "quit" | "ex" => nothing_after(rest, Self::Quit)?,
            _ => Self::bare(word, rest, own)?.ok_or(WrongInput)?,
        })
    }

    fn send(rest: &str) -> Result<Self, WrongInput> {
        let (to, text) = split_word(rest);
        if to.is_empty() || text.is_empty() {
            return Err(WrongInput);
        }
        Ok(Self::Send { to: Nick::new(to), text: text.to_owned() })
    }

    fn direct(rest: &str) -> Result<Self, WrongInput> {
        match split_word(rest) {
            ("", _) => Ok(Self::Ask(Missing::Recipient)),
            (to, "") => {
                Nick::new(to).map(|nick| Self::Ask(Missing::Text(nick))).map_err(|_| WrongInput)
            }
            _ => Self::send(rest),
        }
    }

    fn send_all(rest: &str) -> Self {
        if rest.is_empty() {
            Self::Ask(Missing::TextForAll)
        } else {
            Self::SendAll(rest.to_owned())
        }
    }

    fn say(rest: &str) -> Result<Self, WrongInput> {
        if rest.is_empty() { Err(WrongInput) } else { Ok(Self::SayHere(rest.to_owned())) }
    }
}

impl Source {
    fn read(rest: &str) -> Result<Self, WrongInput> {
        let word = only_word(rest)?;
        let (is_room, name) = word.strip_prefix('#').map_or((false, word), |name| (true, name));
        let source = match name {
            "" if !is_room => Self::All,
            "lobby" => Self::Lobby,
            room if is_room => Self::Room(RoomName::new(room).map_err(|_| WrongInput)?),
            name => Self::Named(Nick::new(name).map_err(|_| WrongInput)?),
        };
        Ok(source)
    }
}

impl Whose {
    fn named(rest: &str, own: &Nick) -> Result<Self, WrongInput> {
        let word = only_word(rest)?;
        let is_own = word.is_empty() || Nick::new(word).is_ok_and(|nick| nick == *own);
        Ok(if is_own { Self::Own } else { Self::Other })
    }
}

/// The first word of a line, and what follows the blanks after it.
fn split_word(line: &str) -> (&str, &str) {
    let line = line.trim_start();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (word, rest.trim_start())
}

fn only_word(rest: &str) -> Result<&str, WrongInput> {
    let (word, more) = split_word(rest);
    nothing_after(more, word)
}

fn nothing_after<T>(rest: &str, command: T) -> Result<T, WrongInput> {
    if rest.trim().is_empty() { Ok(command) } else { Err(WrongInput) }
}

/// The name of a room to make or enter.
fn chosen(rest: &str) -> Result<RoomWord, WrongInput> {
    room_word(rest)?.map(chosen_room).ok_or(WrongInput)
}

fn room_if_any(rest: &str) -> Result<Option<RoomWord>, WrongInput> {
    Ok(room_word(rest)?.map(|name| Ok(RoomName::new(name)?)))
}

/// A room's name, as it is or as it is shown: with a `#`.
fn room_word(rest: &str) -> Result<Option<&str>, WrongInput> {
    let word = only_word(rest)?;
    Ok((!word.is_empty()).then(|| word.strip_prefix('#').unwrap_or(word)))
}

fn seconds(rest: &str) -> Result<Duration, WrongInput> {
    let seconds: f64 = only_word(rest)?.parse().map_err(|_| WrongInput)?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|wait| wait.as_secs() <= MAX_WAIT)
        .ok_or(WrongInput)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Command>, WrongInput> {
        Command::parse(line, &Nick::new("x").unwrap())
    }

    fn nick(text: &str) -> Nick {
        Nick::new(text).unwrap()
    }

    fn name(text: &str) -> RoomName {
        RoomName::new(text).unwrap()
    }

    #[test]
    fn commands_are_read() {
        let send =
            |to: &str, text: &str| Command::Send { to: Nick::new(to), text: text.to_owned() };
        for (line, command) in [
            ("send y hello", send("y", "hello")),
            ("  send\ty   hello  there ", send("y", "hello  there ")),
            ("send reg hello", send("reg", "hello")),
            ("dereg", Command::Deregister(Whose::Own)),
            ("dereg X", Command::Deregister(Whose::Own)),
            ("dereg y", Command::Deregister(Whose::Other)),
            ("reg x ", Command::Register(Whose::Own)),
            ("reg send", Command::Register(Whose::Other)),
            ("/who", Command::Who),
            ("/history", Command::History(Source::All)),
            ("/history y", Command::History(Source::Named(nick("y")))),
            ("/history #y", Command::History(Source::Room(name("y")))),
            ("/history lobby", Command::History(Source::Lobby)),
            ("/wait 1.5", Command::Wait(Duration::from_millis(1500))),
            ("/help", Command::Help),
            (" /quit ", Command::Quit),
        ] {
            assert_eq!(parse(line), Ok(Some(command)), "{line:?}");
        }
    }

    #[test]
    fn each_command_about_rooms_has_its_words() {
        let say = |text: &str| text.to_owned();
        for (lines, command) in [
            (
                &["send_all hi  you", "PM hi  you", "/all hi  you"][..],
                Command::SendAll(say("hi  you")),
            ),
            (&["send_group hi", "/say hi", "/send_group hi"], Command::SayHere(say("hi"))),
            (&["create_group g", "/create g", "/create #g"], Command::Create(Ok(name("g")))),
            (&["list_groups", "/rooms"], Command::Rooms),
            (&["join_group g", "/join g"], Command::Join(Ok(name("g")))),
            (&["leave_group", "/leave"], Command::Leave(None)),
            (&["/leave #g"], Command::Leave(Some(Ok(name("g"))))),
            (&["list_members", "/members"], Command::Members(None)),
            (&["list_members g", "/members g"], Command::Members(Some(Ok(name("g"))))),
            (&["/join who", "join_group #Who"], Command::Join(Err(WrongName::Reserved))),
            (&["/create all"], Command::Create(Err(WrongName::Reserved))),
            (&["/join a;b"], Command::Join(Err(WrongName::Syntax(NameError::Character)))),
            (&["EX", "/ex"], Command::Quit),
            (&["PM", "send_all ", "/all"], Command::Ask(Missing::TextForAll)),
            (&["DM", "/dm"], Command::Ask(Missing::Recipient)),
            (&["DM y "], Command::Ask(Missing::Text(nick("y")))),
            (&["DM y hi", "/send y hi"], Command::Send { to: Ok(nick("y")), text: say("hi") }),
            (&["/away"], Command::Away(say("away"))),
            (&["/away at lunch "], Command::Away(say("at lunch"))),
            (&["/back"], Command::Back),
            (&[" who is there? ", "who is there?"], Command::Plain(say("who is there?"))),
        ] {
            for line in lines {
                assert_eq!(parse(line), Ok(Some(command.clone())), "{line:?}");
            }
        }
    }

    #[test]
    fn a_command_is_one_whatever_others_are_named() {
        let say = |text: &str| text.to_owned();
        for (line, command) in [
            ("/all hi", Command::SendAll(say("hi"))),
            ("all hi", Command::Plain(say("all hi"))),
            ("send all hi", Command::Send { to: Ok(nick("all")), text: say("hi") }),
            ("DM PM hi", Command::Send { to: Ok(nick("PM")), text: say("hi") }),
            ("dereg dereg", Command::Deregister(Whose::Other)),
            ("/history who", Command::History(Source::Named(nick("who")))),
            ("/history #who", Command::History(Source::Room(name("who")))),
            ("/leave who", Command::Leave(Some(Ok(name("who"))))),
            ("/members #all", Command::Members(Some(Ok(name("all"))))),
        ] {
            assert_eq!(parse(line), Ok(Some(command)), "{line:?}");
        }
    }

    #[test]
    fn a_blank_line_is_nothing() {
        for line in ["", "  ", "\t"] {
            assert_eq!(parse(line), Ok(None));
        }
    }

    #[test]
    fn anything_else_is_wrong() {
        for line in [
            "send",
            "send y",
            "send y ",
            "dereg x y",
            "/who y",
            "/wait",
            "/wait -1",
            "/wait inf",
            "/wait NaN",
            "/wait 1e9",
            "/wait a",
            "/history a b",
            "/quit now",
            "EX now",
            "/join",
            "/join a b",
            "/say ",
            "/leave a b",
            "/history #",
            "/rooms a",
            "/hello",
            "/",
        ] {
            assert_eq!(parse(line), Err(WrongInput), "{line:?}");
        }
    }
}
