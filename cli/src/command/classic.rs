//! The words of the classic client: some need no slash.

use proto_core::id::Nick;

use super::{
    Command, Misfit, Missing, Source, Whose, WrongInput, chosen, nothing_after, room_if_any,
    seconds, split_word,
};

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

pub(super) fn read(line: &str, own: &Nick) -> Result<Command, WrongInput> {
    let (word, rest) = split_word(line);
    let wrong = || WrongInput::Unknown { word: word.to_owned(), nearest: None };
    if let Some(word) = word.strip_prefix('/') {
        return slashed(word, rest, own).map_err(|Misfit| wrong());
    }
    match bare(word, rest, own) {
        None => Ok(Command::Plain(line.trim().to_owned())),
        Some(command) => command.map_err(|Misfit| wrong()),
    }
}

/// The commands whose words need no slash; `None` for any other word.
fn bare(word: &str, rest: &str, own: &Nick) -> Option<Result<Command, Misfit>> {
    Some(match word {
        "send" => send(rest),
        "DM" => direct(rest),
        "PM" | "send_all" => Ok(send_all(rest)),
        "EX" => nothing_after(rest, Command::Quit),
        "create_group" => chosen(rest).map(Command::Create),
        "list_groups" => nothing_after(rest, Command::Rooms),
        "join_group" => chosen(rest).map(Command::Join),
        "leave_group" => room_if_any(rest).map(Command::Leave),
        "list_members" => room_if_any(rest).map(Command::Members),
        "send_group" => say(rest),
        "dereg" => Whose::named(rest, own).map(Command::Deregister),
        "reg" => Whose::named(rest, own).map(Command::Register),
        _ => return None,
    })
}

fn slashed(word: &str, rest: &str, own: &Nick) -> Result<Command, Misfit> {
    Ok(match word {
        "all" | "pm" => send_all(rest),
        "dm" => direct(rest)?,
        "create" => Command::Create(chosen(rest)?),
        "rooms" => nothing_after(rest, Command::Rooms)?,
        "join" => Command::Join(chosen(rest)?),
        "leave" => Command::Leave(room_if_any(rest)?),
        "members" => Command::Members(room_if_any(rest)?),
        "say" => say(rest)?,
        "away" if rest.trim().is_empty() => Command::Away(AWAY.to_owned()),
        "away" => Command::Away(rest.trim().to_owned()),
        "back" => nothing_after(rest, Command::Back)?,
        "history" => Command::History { of: Source::read(rest)?, most: Some(usize::MAX) },
        "wait" => Command::Wait(seconds(rest)?),
        "who" => nothing_after(rest, Command::Who)?,
        "help" => nothing_after(rest, Command::Help)?,
        "quit" | "ex" => nothing_after(rest, Command::Quit)?,
        _ => return bare(word, rest, own).ok_or(Misfit)?,
    })
}

fn send(rest: &str) -> Result<Command, Misfit> {
    match split_word(rest) {
        ("", _) | (_, "") => Err(Misfit),
        (to, text) => Ok(Command::Send { to: Nick::new(to), text: text.to_owned() }),
    }
}

fn direct(rest: &str) -> Result<Command, Misfit> {
    match split_word(rest) {
        ("", _) => Ok(Command::Ask(Missing::Recipient)),
        (to, "") => Nick::new(to).map(|nick| Command::Ask(Missing::Text(nick))).map_err(|_| Misfit),
        _ => send(rest),
    }
}

fn send_all(rest: &str) -> Command {
    if rest.is_empty() {
        Command::Ask(Missing::TextForAll)
    } else {
        Command::SendAll(rest.to_owned())
    }
}

fn say(rest: &str) -> Result<Command, Misfit> {
    if rest.is_empty() { Err(Misfit) } else { Ok(Command::SayHere(rest.to_owned())) }
}
