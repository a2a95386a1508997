//! Commands that begin with a slash.

use proto_core::id::{NameError, Nick};

use super::{
    Command, Misfit, Partner, Source, Whose, WrongInput, chosen, key, nothing_after, only_word,
    room_if_any, seconds, split_word,
};

/// What `/help` shows.
pub(crate) const HELP: [&str; 35] = [
    "<text>               say it in the current conversation  hi",
    "/msg <nick> [text]   say it to one person; without a     /msg bob are you there?",
    "                     text, make that the conversation",
    "/r <text>            answer whoever wrote to you last    /r yes, I am",
    "/all [text]          say it to everyone                  /all good morning",
    "/join <room>         enter a room, or switch to it       /join tea",
    "/create <room>       make a room                         /create tea",
    "/leave [room]        leave a room, or the conversation   /leave",
    "/rooms               which rooms there are               /rooms",
    "/members [room]      who is in one                       /members",
    "/kick <nick>         put someone out of a room of yours  /kick mallory",
    "/invite <nick>       let them in, also after a /kick     /invite bob",
    "/invite-only on|off  let nobody else in, or anyone       /invite-only on",
    "/delete-room [room]  end a room of yours                 /delete-room tea",
    "/who                 who is there, away or gone          /who",
    "/whois <nick>        what is known of someone            /whois bob",
    "/verify <nick>       the number to compare with them;    /verify bob yes",
    "                     with yes, it was the same",
    "/trust <nick>        take the key that they have now for /trust bob",
    "                     theirs, and send what waits",
    "/history [who] [n]   the last 20 lines there, the last n /history #tea 50",
    "                     or all, newest last",
    "/search <text>       where that was said, newest last    /search key",
    "/away [text]         be away from the keyboard           /away at lunch",
    "/back                be back                             /back",
    "/passwd              change your password; it is asked   /passwd",
    "/endorse <key>       let your next device in, whose key  /endorse gwahfvr…",
    "                     it shows where it asks for the password",
    "/offline             go offline, stay here               /offline",
    "/online              come back online                    /online",
    "/wait <seconds>      in a script: keep listening         /wait 10",
    "/help                this list                           /help",
    "/quit                go offline and leave; so do ctrl-C and ctrl-D",
    "A line that begins with two slashes is text that begins with one.",
    "Everyone is in the room `lobby`, which /all speaks to: /history lobby",
];

/// What someone is away with who does not say why.
const AWAY: &str = "away";

/// How a line can go on after its command's name. Each command that can be meant by a word has its
/// other names here, too.
const COMMANDS: [(&[&str], &str); 28] = [
    (&["msg", "dm", "pm", "query", "send", "tell", "w"], "/msg <nick> [text]"),
    (&["r", "reply"], "/r <text>"),
    (&["all", "send_all"], "/all [text]"),
    (&["say", "send_group"], "/say <text>"),
    (&["join", "join_group"], "/join <room>"),
    (&["create", "create_group"], "/create <room>"),
    (&["leave", "leave_group", "part"], "/leave [room]"),
    (&["rooms", "list_groups"], "/rooms"),
    (&["members", "list_members"], "/members [room]"),
    (&["kick"], "/kick <nick>"),
    (&["invite"], "/invite <nick>"),
    (&["invite-only"], "/invite-only on|off"),
    (&["delete-room"], "/delete-room [room]"),
    (&["who", "list"], "/who"),
    (&["whois"], "/whois <nick>"),
    (&["verify"], "/verify <nick> [yes]"),
    (&["trust"], "/trust <nick>"),
    (&["history"], "/history [nick, #room or key] [number or all]"),
    (&["search", "grep"], "/search <text>"),
    (&["away"], "/away [text]"),
    (&["back"], "/back"),
    (&["passwd"], "/passwd"),
    (&["endorse"], "/endorse <key>"),
    (&["offline", "dereg"], "/offline"),
    (&["online", "reg"], "/online"),
    (&["wait"], "/wait <seconds>"),
    (&["help", "?"], "/help"),
    (&["quit", "exit", "ex", "q"], "/quit"),
];

/// How much a word must be like a command to be taken for a slip of the finger: of 1.
const LIKENESS: f64 = 0.6;

pub(super) fn read(line: &str, own: &Nick) -> Result<Command, WrongInput> {
    let text = line.trim();
    let Some(command) = text.strip_prefix('/') else {
        return Ok(Command::Plain(text.to_owned()));
    };
    if command.starts_with('/') {
        return Ok(Command::Plain(command.to_owned()));
    }
    let (word, rest) = split_word(command);
    let Some((names, usage)) = COMMANDS.iter().find(|(names, _)| names.contains(&word)) else {
        return Err(WrongInput::Unknown { word: format!("/{word}"), nearest: nearest(word) });
    };
    arguments(names[0], rest, own).map_err(|Misfit| WrongInput::Usage(usage))
}

/// The command of this name, with what follows.
fn arguments(name: &str, rest: &str, own: &Nick) -> Result<Command, Misfit> {
    let text = (!rest.is_empty()).then(|| rest.to_owned());
    Ok(match name {
        "msg" => match split_word(rest) {
            ("", _) => return Err(Misfit),
            (to, "") => Command::Talk(Partner::One(Nick::new(to))),
            (to, text) => Command::Send { to: Nick::new(to), text: text.to_owned() },
        },
        "r" => Command::Reply(text.ok_or(Misfit)?),
        "all" => text.map_or(Command::Talk(Partner::Everyone), Command::SendAll),
        "say" => Command::Plain(text.ok_or(Misfit)?),
        "join" => Command::Join(chosen(rest)?),
        "create" => Command::Create(chosen(rest)?),
        "leave" => Command::Leave(room_if_any(rest)?),
        "rooms" => nothing_after(rest, Command::Rooms)?,
        "members" => Command::Members(room_if_any(rest)?),
        "kick" => Command::Kick(someone(rest)?),
        "invite" => Command::Invite(someone(rest)?),
        "invite-only" => match only_word(rest)? {
            "on" => Command::InviteOnly(true),
            "off" => Command::InviteOnly(false),
            _ => return Err(Misfit),
        },
        "delete-room" => Command::DeleteRoom(room_if_any(rest)?),
        "who" => nothing_after(rest, Command::Who)?,
        "whois" => Command::Whois(someone(rest)?),
        "trust" => Command::Trust(someone(rest)?),
        "verify" => match split_word(rest) {
            ("", _) => return Err(Misfit),
            (nick, "") => Command::Verify { nick: Nick::new(nick), compared: false },
            (nick, "yes") => Command::Verify { nick: Nick::new(nick), compared: true },
            _ => return Err(Misfit),
        },
        "history" => {
            let (of, most) = Source::read_with_most(rest)?;
            Command::History { of, most }
        }
        "search" => Command::Search(text.ok_or(Misfit)?),
        "away" => Command::Away(text.unwrap_or_else(|| AWAY.to_owned())),
        "back" => nothing_after(rest, Command::Back)?,
        "passwd" => nothing_after(rest, Command::ChangePassword)?,
        "endorse" => Command::Endorse(key(rest)?),
        "offline" => Command::Deregister(Whose::named(rest, own)?),
        "online" => Command::Register(Whose::named(rest, own)?),
        "wait" => Command::Wait(seconds(rest)?),
        "help" => nothing_after(rest, Command::Help)?,
        "quit" => nothing_after(rest, Command::Quit)?,
        _ => return Err(Misfit),
    })
}

/// The nick of someone.
fn someone(rest: &str) -> Result<Result<Nick, NameError>, Misfit> {
    match only_word(rest)? {
        "" => Err(Misfit),
        nick => Ok(Nick::new(nick)),
    }
}

/// The command that a word is most like.
fn nearest(word: &str) -> Option<&'static str> {
    let likeness = |name: &&str| strsim::normalized_damerau_levenshtein(word, name);
    let of_command = |(names, usage): &(&[&str], &'static str)| {
        let likeness = names.iter().map(likeness).fold(0.0, f64::max);
        (likeness, *usage)
    };
    let (likeness, usage) = COMMANDS.iter().map(of_command).max_by(|a, b| a.0.total_cmp(&b.0))?;
    let name = usage.split_whitespace().next();
    name.filter(|_| likeness >= LIKENESS)
}
