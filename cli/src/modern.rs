//! The words of `host` and `join`: short, and each says what to do where there is
//! something to do.

use jiff::tz::TimeZone;
use proto_core::{
    client::{Refusal, To},
    id::Nick,
    time::UnixTime,
    wire::Presence,
};

use crate::{
    command::{self, Grammar, Origin},
    notice::{
        Change, Face, Message, Notice, Outcome, Person, Registering, RoomMessage, RoomNotice,
        Someone,
    },
    past, rows,
    safe_text::SafeText,
    words,
};

/// The most nicks in one line; `/who` has all.
const LISTED: usize = 20;

/// The words of `host` and `join`.
#[derive(Debug)]
pub(crate) struct Modern {
    own: Nick,
    zone: TimeZone,
    /// The next saved message is the first since the registration.
    announce: bool,
    wrap: fn() -> Option<usize>,
}

impl Modern {
    /// For whoever goes by `own`, with times in `zone`. `wrap` gives the columns of the screen, if
    /// lines are to be wrapped, so that nothing in one can pass for another.
    pub(crate) fn new(own: Nick, zone: TimeZone, wrap: fn() -> Option<usize>) -> Self {
        Self { own, zone, announce: false, wrap }
    }

    /// Adds the lines that tell of something, as long as they are.
    fn tell(&mut self, now: UnixTime, notice: Notice<'_>, lines: &mut Vec<String>) {
        match notice {
            Notice::Registered { why, returning, .. } => {
                self.announce = true;
                lines.push(self.registered(why, returning));
            }
            Notice::Table { first: true, everyone, .. } => lines.extend(present(everyone)),
            Notice::Table { changes, .. } => lines.extend(changed(changes)),
            Notice::Message(message, _) => {
                if message.waited && std::mem::take(&mut self.announce) {
                    lines.push("Messages waited for you:".to_owned());
                }
                lines.push(self.said(&message, now));
            }
            Notice::Submitted { to, first: true, .. } => lines.push(format!(
                "({to} cannot be reached directly; the server passes on what you say)"
            )),
            Notice::Relayed { to, first: true } => {
                lines.push(format!("({to} is online; the server relays)"));
            }
            Notice::NotDone { why, .. } => self.tell(now, why.clone(), lines),
            Notice::Undone => lines.push("Not done, and not kept: it ended before.".to_owned()),
            Notice::Hint(text) => lines.push(text.to_owned()),
            Notice::Outcome { to, text, outcome, .. } => lines.push(outcome_of(&to, text, outcome)),
            Notice::Offline { answered: true } => {
                lines.push(
                    "You are offline; nothing reaches you. /online brings you back.".to_owned(),
                );
            }
            Notice::Offline { answered: false } => lines.push(
                "You are offline; the server did not answer. /online brings you back.".to_owned(),
            ),
            Notice::ServerSilent { unsaved, .. } => {
                let waiting = match unsaved {
                    0 => String::new(),
                    _ => format!(" In the outbox, not delivered yet: {unsaved}."),
                };
                lines.push(format!("The server does not answer; trying on.{waiting}"));
            }
            Notice::ServerBack => lines.push("The server is back.".to_owned()),
            Notice::WrongInput(wrong) => lines.push(format!("Nothing was done: {wrong}")),
            Notice::Nowhere => lines.push(
                "Nothing was sent: to whom? /msg <nick> <text> says it to one person, /all <text> \
                 to everyone; /msg <nick> or /join <room> has all you type said there."
                    .to_owned(),
            ),
            Notice::Here(Some(to)) => lines.push(match to {
                To::Lobby => "What you type is said to everyone; /leave ends that.".to_owned(),
                to => format!("What you type is said to {}; /leave ends that.", words::whom(&to)),
            }),
            Notice::Here(None) => lines.push("What you type is said to nobody.".to_owned()),
            Notice::NobodyWrote => {
                lines.push("Nothing was sent: nobody has written to you yet.".to_owned());
            }
            Notice::Whois(person) => self.person(person, now, lines),
            Notice::Who(everyone) => {
                lines.push(format!("{} online (you)", self.own));
                lines.extend(everyone.iter().map(|one| self.someone(one, now)));
            }
            Notice::Away(Some(text)) => {
                lines.push(format!("Everyone sees that you are away ({text}); /back ends that."));
            }
            Notice::Away(None) => lines.push("You are back.".to_owned()),
            Notice::Room(notice) => self.room(notice, now, lines),
            Notice::Help => lines.extend(command::HELP.map(str::to_owned)),
            Notice::History(part) => past::show(part, &self.zone, lines),
            Notice::Unread(unread) => lines.push(past::unread(unread)),
            Notice::Waiting => {
                lines.push("(not connected yet; this is done as soon as you are)".to_owned());
            }
            left @ Notice::Left { .. } => {
                self.left(&left, lines);
                lines.push("Bye.".to_owned());
            }
            // What is missing is asked for in the classic form only.
            Notice::Missing(_)
            | Notice::MailboxEmpty
            | Notice::Submitted { .. }
            | Notice::Relayed { .. } => {}
            other => lines.extend(words::plain(&other, Grammar::Slash).map(|text| sentence(&text))),
        }
    }
}

impl Face for Modern {
    fn show(&mut self, now: UnixTime, notice: Notice<'_>, lines: &mut Vec<String>) {
        let mut told = Vec::new();
        self.tell(now, notice, &mut told);
        let columns = (self.wrap)();
        for line in told {
            rows::wrap(line, columns, lines);
        }
    }

    fn explain(&mut self, now: UnixTime, origin: &Origin, why: &Notice<'_>) -> Option<String> {
        let mut words = Vec::new();
        self.tell(now, why.clone(), &mut words);
        Some(format!("line {}: {}", origin.line, words.join(" ")))
    }

    fn prompt(&self, here: Option<&To>) -> String {
        here.map_or_else(String::new, words::whom) + "> "
    }

    fn grammar(&self) -> Grammar {
        Grammar::Slash
    }

    fn ends_with_the_server(&self) -> bool {
        false
    }
}

impl Modern {
    fn registered(&self, why: Registering, returning: bool) -> String {
        let own = self.own;
        if why == Registering::Start && !returning {
            format!(
                "Welcome, {own}: the nick is yours. Say something with: /msg <nick> <text>; /help \
                 lists the rest."
            )
        } else {
            format!("Welcome back, {own}. You are online.")
        }
    }

    /// What is not done at the end, and what becomes of it.
    pub(crate) fn left(&self, notice: &Notice<'_>, lines: &mut Vec<String>) {
        let own = self.own;
        let Notice::Left { kept, elsewhere, unkept, directory, undone, silent, .. } = *notice
        else {
            return;
        };
        if silent {
            lines.push("Given up: the server does not answer.".to_owned());
        }
        let (messages, they_stay, go) = match kept {
            1 => ("message", "It stays", "goes"),
            _ => ("messages", "They stay", "go"),
        };
        if kept > 0 && elsewhere {
            lines.push(format!(
                "In the outbox in {directory}: {kept} {messages} to people whom this server does not \
                 know; {they_wait} for the server that does.",
                they_wait = if kept == 1 { "it waits" } else { "they wait" }
            ));
        } else if kept > 0 {
            lines.push(format!(
                "NOT DELIVERED yet, nor saved at the server: {kept} {messages}. {they_stay} in the \
                 outbox in {directory} and {go} out the next time {own} is online."
            ));
        }
        if unkept > 0 {
            let messages = if unkept == 1 { "message" } else { "messages" };
            lines.push(format!("NOT KEPT: {unkept} {messages} that your disk had not taken yet."));
        }
        match undone.len() {
            0 => {}
            1 => lines.push("NOT DONE, and not kept: the last line of the input.".to_owned()),
            more => {
                lines.push(format!("NOT DONE, and not kept: the last {more} lines of the input."));
            }
        }
    }

    fn said(&self, message: &Message, now: UnixTime) -> String {
        format!(
            "{} {}: {}",
            words::clock(message.time, now, &self.zone),
            message.from,
            message.text
        )
    }

    fn said_in(&self, message: &RoomMessage, now: UnixTime) -> String {
        let RoomMessage { room, from, time, text } = message;
        let time = words::clock(*time, now, &self.zone);
        match room {
            To::Room(room) => format!("{time} #{room} {from}: {text}"),
            To::Lobby | To::Peer(_) => format!("{time} {from} to everyone: {text}"),
        }
    }

    fn someone(&self, someone: &Someone, now: UnixTime) -> String {
        words::someone(someone, |time| words::clock(time, now, &self.zone))
    }

    fn person(&self, person: &Person, now: UnixTime, lines: &mut Vec<String>) {
        let Person { someone, key, address } = person;
        lines.push(self.someone(someone, now));
        lines.push(format!("    key {key}"));
        if let Some(address) = address {
            lines.push(format!("    at {address}"));
        }
    }

    fn room(&self, notice: RoomNotice<'_>, now: UnixTime, lines: &mut Vec<String>) {
        match notice {
            RoomNotice::Created(room) => {
                lines.push(format!("There is a room #{room} now; /join {room} enters it."));
            }
            RoomNotice::Entered { room, retention } => {
                lines.push(format!(
                    "You are in #{room}: what you type is said there, unless it is a command; \
                     /leave ends that."
                ));
                lines.extend(retention.map(|kept| sentence(&words::retention(kept))));
            }
            RoomNotice::StillIn(rooms) => {
                let rooms: Vec<_> = rooms.iter().map(|room| format!("#{room}")).collect();
                lines.push(format!(
                    "You are still in {}; /join <room> enters one.",
                    rooms.join(", ")
                ));
            }
            RoomNotice::Left(room) => lines.push(format!("You have left #{room}.")),
            RoomNotice::Rooms([]) => {
                lines.push("There are no rooms yet; /create <room> makes one.".to_owned());
            }
            RoomNotice::Rooms(rooms) => lines.extend(rooms.iter().map(|room| {
                let joined = if room.joined { " (you are in it)" } else { "" };
                format!("#{}{joined}", room.name)
            })),
            RoomNotice::Members { of, nicks } => {
                let nicks: Vec<_> = nicks.iter().map(ToString::to_string).collect();
                lines.push(format!("In #{of}: {}", nicks.join(", ")));
            }
            RoomNotice::Message(message, _) => lines.push(self.said_in(&message, now)),
            other => {
                let text = words::plain(&Notice::Room(other), Grammar::Slash);
                lines.extend(text.map(|text| sentence(&text)));
            }
        }
    }
}

/// Makes a sentence of a text without a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).chain(['.']).collect()
}

fn present(everyone: &[Someone]) -> [String; 1] {
    let nicks = |online| names(everyone.iter().filter(|one| one.is_online() == online));
    [match (nicks(true), nicks(false)) {
        (None, None) => "Nobody else is here yet.".to_owned(),
        (Some(online), None) => format!("Online: {online}."),
        (None, Some(offline)) => format!("Nobody else is online. Offline: {offline}."),
        (Some(online), Some(offline)) => format!("Online: {online}. Offline: {offline}."),
    }]
}

fn names<'a>(mut whom: impl Iterator<Item = &'a Someone>) -> Option<String> {
    let listed: Vec<_> =
        whom.by_ref().take(LISTED).map(|one| one.nick.as_str().to_owned()).collect();
    let more = match whom.count() {
        0 => String::new(),
        more => format!(" and {more} more (/who lists them)"),
    };
    (!listed.is_empty()).then(|| listed.join(", ") + &more)
}

fn changed(changes: &[Change]) -> Vec<String> {
    if changes.len() > LISTED {
        return vec![format!("{} others came or left; /who lists them.", changes.len())];
    }
    let line = |change: &Change| {
        let nick = change.someone.nick;
        match (change.someone.presence, change.new) {
            (Presence::Online, _) => format!("{nick} is here."),
            (Presence::Offline, false) => format!("{nick} has left."),
            (Presence::Lost, false) => format!("{nick} fell silent."),
            (Presence::Removed, _) => format!("{nick} is no more."),
            (Presence::Offline | Presence::Lost, true) => format!("{nick} is new, and offline."),
        }
    };
    changes.iter().map(line).collect()
}

fn outcome_of(to: &To, text: Option<&SafeText>, outcome: Outcome) -> String {
    let what = text.map_or_else(|| "an earlier message".to_owned(), |text| format!("\"{text}\""));
    let whom = words::whom(to);
    match outcome {
        Outcome::Delivered => format!("({whom} has {what})"),
        Outcome::Stored if *to == To::Lobby => format!("(said to everyone: {what})"),
        Outcome::Stored if to.is_room() => format!("(said in {whom}: {what})"),
        Outcome::Stored => format!("(saved for {whom}, who gets it on return: {what})"),
        Outcome::Expired => format!("NOT DELIVERED to {whom} in the time it had, given up: {what}"),
        Outcome::Unconfirmed => format!(
            "NOT CONFIRMED by {whom}, who has later messages of yours: the server may have lost it; ask, or write it again: {what}"
        ),
        Outcome::Refused(why @ Refusal::Superseded) => {
            format!("NOT SENT AGAIN to {whom}, {what}: {}", words::refusal(why))
        }
        Outcome::Refused(why) => {
            format!("REFUSED, {whom} does not get {what}: {}", words::refusal(why))
        }
        Outcome::Failed(why) => {
            format!("NOT SENT, {whom} does not get {what}: {}", words::failure(why))
        }
    }
}
