//! What a person can type: one line, one command.

mod classic;
mod json;
mod slash;
#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use proto_core::{
    client::To,
    id::{NameError, Nick, PublicKey, RoomName},
    time::Instant,
};
use serde_json::Value;
use transport_mio::key_text;

use crate::names::{WrongName, chosen_room};

pub(crate) use {classic::HELP as CLASSIC_HELP, json::read as read_json, slash::HELP};

/// The longest wait: a day.
const MAX_WAIT: u64 = 24 * 60 * 60;

/// How lines are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grammar {
    /// Commands begin with a slash; any other line is said in the current conversation.
    Slash,
    /// Some words are commands without a slash; only in a room is any other line said.
    Classic,
    /// Each line is one JSON object, a command.
    Json,
    /// Each line is said there, whatever it is.
    Text(To),
}

/// Where a command of a script stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// In which line, counted from 1.
    pub(crate) line: u64,
    /// By what its author knows it again.
    pub(crate) id: Option<Value>,
    /// When it was read.
    pub(crate) read: Instant,
}

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
    /// Say it in a room.
    SendIn(RoomName, String),
    /// Say it to whoever wrote last.
    Reply(String),
    /// Say it in the room that is entered.
    SayHere(String),
    /// Say it in the current conversation, if there is one.
    Plain(String),
    /// Have what is typed said there from now on.
    Talk(Partner),
    /// Ask for what is missing.
    Ask(Missing),
    /// Make a room.
    Create(RoomWord),
    /// List the rooms.
    Rooms,
    /// Enter a room.
    Join(RoomWord),
    /// Be no longer in a room; without one, leave the current conversation.
    Leave(Option<RoomWord>),
    /// List who is in a room; without one, in the one that is entered.
    Members(Option<RoomWord>),
    /// Put someone out of the room that is entered.
    Kick(Result<Nick, NameError>),
    /// Let someone into it.
    Invite(Result<Nick, NameError>),
    /// Let only those into it who are invited; or anyone.
    InviteOnly(bool),
    /// End a room; without one, the one that is entered.
    DeleteRoom(Option<RoomWord>),
    /// Be away, with this to say of it.
    Away(String),
    /// Be back.
    Back,
    /// Have another password, which is asked for.
    ChangePassword,
    /// Have the device with that key let in.
    Endorse(PublicKey),
    /// Take the key that someone has now for theirs.
    Trust(Result<Nick, NameError>),
    /// Compare keys with someone, or say that they were compared.
    Verify {
        /// With whom.
        nick: Result<Nick, NameError>,
        /// They are the same.
        compared: bool,
    },
    /// Go offline, stay in the program.
    Deregister(Whose),
    /// Go online again.
    Register(Whose),
    /// List who is there.
    Who,
    /// Show what is known of someone.
    Whois(Result<Nick, NameError>),
    /// Show what was said.
    History {
        /// Where.
        of: Source,
        /// The most lines, if that is asked for.
        most: Option<usize>,
    },
    /// Show where a text was said.
    Search(String),
    /// Keep listening before the next line.
    Wait(Duration),
    /// List the commands.
    Help,
    /// Go offline and leave.
    Quit,
}

/// A word where a room's name is due: the name, if it can be one.
pub(crate) type RoomWord = Result<RoomName, WrongName>;

/// With whom a conversation is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partner {
    /// One person.
    One(Result<Nick, NameError>),
    /// Everyone.
    Everyone,
}

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

/// Where the messages of a `/history` were said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Everywhere.
    All,
    /// With whoever has that nick; if nobody has, in the room of that name.
    Named(Nick),
    /// With whoever has that key.
    Key(PublicKey),
    /// In a room.
    Room(RoomName),
    /// In the lobby.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WrongInput {
    /// No command has this name.
    Unknown {
        /// The word that was typed.
        word: String,
        /// The command that is most like it.
        nearest: Option<&'static str>,
    },
    /// The command wants something else after it.
    Usage(&'static str),
    /// It is no object that is a command: why.
    Json(String),
}

impl fmt::Display for WrongInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { word, nearest: Some(nearest) } => {
                write!(f, "there is no command {word}; did you mean {nearest}? /help lists all")
            }
            Self::Unknown { word, nearest: None } => {
                write!(f, "there is no command {word}; /help lists all")
            }
            Self::Usage(usage) => write!(f, "it is: {usage}"),
            Self::Json(why) => write!(f, "the line is no command: {why}"),
        }
    }
}

/// When a command waits until the client is online, or is offline, or the server has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// Whenever there is something to wait for.
    Always,
    /// But not for what was asked of the server, which whoever goes offline leaves behind.
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
            | Self::SendIn(..)
            | Self::Reply(_)
            | Self::SayHere(_)
            | Self::Talk(_)
            | Self::Create(_)
            | Self::Rooms
            | Self::Join(_)
            | Self::Leave(_)
            | Self::Members(_)
            | Self::Kick(_)
            | Self::Invite(_)
            | Self::InviteOnly(_)
            | Self::DeleteRoom(_)
            | Self::Away(_)
            | Self::Back
            | Self::ChangePassword
            | Self::Endorse(_)
            | Self::Trust(_)
            | Self::Verify { .. }
            | Self::Register(_) => Waits::Always,
            Self::Deregister(_) => Waits::WhileRegistering,
            Self::Plain(_) => Waits::InsideRooms,
            Self::Ask(_)
            | Self::Who
            | Self::Whois(_)
            | Self::History { .. }
            | Self::Search(_)
            | Self::Wait(_)
            | Self::Help
            | Self::Quit => Waits::Never,
        }
    }

    /// Reads a line typed by whoever goes by `own`; `None` if it is blank.
    pub(crate) fn parse(
        line: &str,
        own: &Nick,
        grammar: Grammar,
    ) -> Result<Option<Self>, WrongInput> {
        if line.trim().is_empty() {
            return Ok(None);
        }
        match grammar {
            Grammar::Slash => slash::read(line, own),
            Grammar::Classic => classic::read(line, own),
            Grammar::Json => json::read(line).command,
            Grammar::Text(to) => Ok(said(to, line)),
        }
        .map(Some)
    }
}

/// The command to say something there.
fn said(to: To, text: &str) -> Command {
    let text = text.to_owned();
    match to {
        To::Peer(nick) => Command::Send { to: Ok(nick), text },
        To::Lobby => Command::SendAll(text),
        To::Room(room) => Command::SendIn(room, text),
    }
}

/// What follows a command's name does not fit it.
#[derive(Debug)]
struct Misfit;

impl Source {
    /// What follows a `/history`: where, and the most lines.
    fn read_with_most(rest: &str) -> Result<(Self, Option<usize>), Misfit> {
        let (first, second) = split_word(rest);
        let second = only_word(second)?;
        match (most(first), second) {
            (found @ Some(_), "") => Ok((Self::All, found)),
            (_, "") => Ok((Self::read(first)?, None)),
            (_, second) => Ok((Self::read(first)?, Some(most(second).ok_or(Misfit)?))),
        }
    }

    /// What follows a `/history` that has no other limit than there is.
    fn read(rest: &str) -> Result<Self, Misfit> {
        let word = only_word(rest)?;
        if let Ok(key) = key_text::parse(word) {
            return Ok(Self::Key(key));
        }
        let (is_room, name) = word.strip_prefix('#').map_or((false, word), |name| (true, name));
        Ok(match name {
            "" if !is_room => Self::All,
            "lobby" => Self::Lobby,
            room if is_room => Self::Room(RoomName::new(room).map_err(|_| Misfit)?),
            name => Self::Named(Nick::new(name).map_err(|_| Misfit)?),
        })
    }
}

/// How many lines, or all.
fn most(word: &str) -> Option<usize> {
    if word == "all" { Some(usize::MAX) } else { word.parse().ok().filter(|most| *most > 0) }
}

impl Whose {
    fn named(rest: &str, own: &Nick) -> Result<Self, Misfit> {
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

fn only_word(rest: &str) -> Result<&str, Misfit> {
    let (word, more) = split_word(rest);
    nothing_after(more, word)
}

fn nothing_after<T>(rest: &str, command: T) -> Result<T, Misfit> {
    if rest.trim().is_empty() { Ok(command) } else { Err(Misfit) }
}

/// The name of a room to make or enter.
fn chosen(rest: &str) -> Result<RoomWord, Misfit> {
    room_word(rest)?.map(chosen_room).ok_or(Misfit)
}

fn room_if_any(rest: &str) -> Result<Option<RoomWord>, Misfit> {
    Ok(room_word(rest)?.map(|name| Ok(RoomName::new(name)?)))
}

/// A room's name, as it is or as it is shown: with a `#`.
fn room_word(rest: &str) -> Result<Option<&str>, Misfit> {
    let word = only_word(rest)?;
    Ok((!word.is_empty()).then(|| word.strip_prefix('#').unwrap_or(word)))
}

/// A key as text.
fn key(rest: &str) -> Result<PublicKey, Misfit> {
    key_text::parse(only_word(rest)?).map_err(|_| Misfit)
}

fn seconds(rest: &str) -> Result<Duration, Misfit> {
    let seconds: f64 = only_word(rest)?.parse().map_err(|_| Misfit)?;
    let wait = Duration::try_from_secs_f64(seconds).ok();
    wait.filter(|wait| wait.as_secs() <= MAX_WAIT).ok_or(Misfit)
}
