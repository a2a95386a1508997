//! The words of `host` and `join`: short, and each says what to do where there is
//! something to do.

use jiff::tz::TimeZone;
use proto_core::{client::Deposit, id::Nick, time::UnixTime};

use crate::{
    command,
    notice::{Change, Face, HistoryPart, Message, Notice, Outcome, Registering, Someone},
    safe_text::SafeText,
    words,
};

/// The prompt.
pub(crate) const PROMPT: &str = "> ";

/// The most nicks in one line; `/who` has all.
const LISTED: usize = 20;

/// The words of `host` and `join`.
#[derive(Debug)]
pub(crate) struct Modern {
    own: Nick,
    zone: TimeZone,
    /// The next saved message is the first since the registration.
    announce: bool,
}

impl Modern {
    /// For whoever goes by `own`, with times in `zone`.
    pub(crate) fn new(own: Nick, zone: TimeZone) -> Self {
        Self { own, zone, announce: false }
    }
}

impl Face for Modern {
    fn show(&mut self, now: UnixTime, notice: Notice<'_>, lines: &mut Vec<String>) {
        match notice {
            Notice::Registered { why, returning, .. } => {
                self.announce = true;
                lines.push(self.registered(why, returning));
            }
            Notice::Table { first: true, everyone, .. } => lines.extend(present(everyone)),
            Notice::Table { changes, .. } => lines.extend(changed(changes)),
            Notice::Message(message) => {
                if message.waited && std::mem::take(&mut self.announce) {
                    lines.push("Messages waited for you:".to_owned());
                }
                lines.push(self.said(&message, now));
            }
            Notice::Deposited { to, why, .. } => match why {
                Deposit::NoReceipt | Deposit::Unreachable => {
                    lines.push(format!(
                        "({to} cannot be reached directly; the server passes it on)"
                    ));
                }
                Deposit::Offline | Deposit::InTurn | Deposit::Leaving => {}
            },
            Notice::Relayed { to } => lines.push(format!("({to} is online; the server relays)")),
            Notice::Outcome { to, text, outcome } => lines.push(outcome_of(to, text, outcome)),
            Notice::Offline { answered: true } => {
                lines.push(
                    "You are offline; nothing reaches you. `reg` brings you back.".to_owned(),
                );
            }
            Notice::Offline { answered: false } => lines.push(
                "You are offline; the server did not answer. `reg` brings you back.".to_owned(),
            ),
            Notice::ServerSilent { .. } => lines.push(
                "The server does not answer; trying on. What is not delivered yet is kept."
                    .to_owned(),
            ),
            Notice::ServerBack => lines.push("The server is back.".to_owned()),
            Notice::WrongInput => {
                lines.push("Wrong input (/help lists what can be typed)".to_owned());
            }
            Notice::Who(everyone) => {
                lines.push(format!("{} online (you)", self.own));
                lines.extend(everyone.iter().map(words::someone));
            }
            Notice::Help => lines.extend(command::HELP.map(str::to_owned)),
            Notice::History(HistoryPart::Said(message)) => lines.push(self.said(&message, now)),
            Notice::History(HistoryPart::Nothing) => lines.push("Nothing arrived yet.".to_owned()),
            Notice::History(HistoryPart::Failed(why)) => lines.push(sentence(&why)),
            Notice::Waiting => {
                lines.push("(not connected yet; this is done as soon as you are)".to_owned());
            }
            Notice::Left { unsaved, undone, silent } => left(unsaved, undone, silent, lines),
            Notice::MailboxEmpty => {}
            other => lines.extend(words::plain(&other).map(|text| sentence(&text))),
        }
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
                "Welcome, {own}: the nick is yours. Say something with: send <nick> <text>; /help \
                 lists the rest."
            )
        } else {
            format!("Welcome back, {own}. You are online.")
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
}

/// Makes a sentence of a text without a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).chain(['.']).collect()
}

fn present(everyone: &[Someone]) -> [String; 1] {
    let nicks = |online| names(everyone.iter().filter(|one| one.online == online));
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
        let Someone { nick, online } = change.someone;
        match (online, change.new) {
            (true, _) => format!("{nick} is here."),
            (false, false) => format!("{nick} has left."),
            (false, true) => format!("{nick} is new, and offline."),
        }
    };
    changes.iter().map(line).collect()
}

fn outcome_of(to: Nick, text: Option<&SafeText>, outcome: Outcome) -> String {
    let what = text.map_or_else(|| "an earlier message".to_owned(), |text| format!("\"{text}\""));
    match outcome {
        Outcome::Delivered => format!("({to} has {what})"),
        Outcome::Stored => format!("(saved for {to}, who gets it on return: {what})"),
        Outcome::Expired => format!("NOT DELIVERED to {to} in the time it had, given up: {what}"),
        Outcome::Refused(why) => {
            format!("REFUSED, {to} does not get {what}: {}", words::refusal(why))
        }
    }
}

fn left(unsaved: usize, undone: usize, silent: bool, lines: &mut Vec<String>) {
    if silent {
        lines.push("Given up: the server does not answer.".to_owned());
    }
    if unsaved > 0 {
        lines.push(format!(
            "Not delivered yet: {unsaved}. They stay in the outbox and go out the next time you are \
             online."
        ));
    }
    if undone > 0 {
        lines.push(format!("The end of the input was not carried out ({undone} of its commands)."));
    }
    lines.push("Bye.".to_owned());
}
