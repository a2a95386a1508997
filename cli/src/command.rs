//! What a person can type: one line, one command.

use std::time::Duration;

use proto_core::id::{NameError, Nick};

/// What `/help` shows.
pub(crate) const HELP: [&str; 9] = [
    "send <nick> <text>   say something to someone      send bob are you there?",
    "dereg [nick]         go offline, stay here         dereg",
    "reg [nick]           come back online              reg",
    "/who                 who is online and who is not  /who",
    "/history [nick]      what arrived, oldest first    /history bob",
    "/wait <seconds>      in a script: keep listening   /wait 10",
    "/help                this list                     /help",
    "/quit                go offline and leave          /quit",
    "ctrl-C and ctrl-D    the same as /quit",
];

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
    /// Go offline, stay in the program.
    Deregister(Whose),
    /// Go online again.
    Register(Whose),
    /// List who is there.
    Who,
    /// Show what arrived, from everyone or from one.
    History(Option<Nick>),
    /// Keep listening before the next line.
    Wait(Duration),
    /// List the commands.
    Help,
    /// Go offline and leave.
    Quit,
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

impl Command {
    /// Reads a line typed by whoever goes by `own`; `None` if it is blank.
    pub(crate) fn parse(line: &str, own: &Nick) -> Result<Option<Self>, WrongInput> {
        let (word, rest) = split_word(line);
        let command = match word {
            "" => return Ok(None),
            "send" => Self::send(rest)?,
            "dereg" => Self::Deregister(Whose::named(rest, own)?),
            "reg" => Self::Register(Whose::named(rest, own)?),
            "/history" => Self::History(match only_word(rest)? {
                "" => None,
                nick => Some(Nick::new(nick).map_err(|_| WrongInput)?),
            }),
            "/wait" => Self::Wait(seconds(rest)?),
            "/who" => nothing_after(rest, Self::Who)?,
            "/help" => nothing_after(rest, Self::Help)?,
            "/quit" => nothing_after(rest, Self::Quit)?,
            _ => return Err(WrongInput),
        };
        Ok(Some(command))
    }

    fn send(rest: &str) -> Result<Self, WrongInput> {
        let (to, text) = split_word(rest);
        if to.is_empty() || text.is_empty() {
            return Err(WrongInput);
        }
        Ok(Self::Send { to: Nick::new(to), text: text.to_owned() })
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
            ("/history", Command::History(None)),
            ("/history y", Command::History(Some(Nick::new("y").unwrap()))),
            ("/wait 1.5", Command::Wait(Duration::from_millis(1500))),
            ("/help", Command::Help),
            (" /quit ", Command::Quit),
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
            "hello",
            "send",
            "send y",
            "send y ",
            "SEND y hi",
            "sendy hi",
            "dereg x y",
            "who",
            "/who y",
            "/wait",
            "/wait -1",
            "/wait inf",
            "/wait NaN",
            "/wait 1e9",
            "/wait a",
            "/history a b",
            "/quit now",
            "/",
            "\u{1b}[A",
        ] {
            assert_eq!(parse(line), Err(WrongInput), "{line:?}");
        }
    }
}
