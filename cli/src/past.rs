//! The words of `host` and `join` for what was said: day by day.

use jiff::tz::TimeZone;
use proto_core::client::To;

use crate::{
    notice::{Fate, HistoryPart, Outcome, PastLine, UnreadIn},
    words,
};

/// The most conversations in one line.
const LISTED: usize = 20;

/// Adds the lines that answer a `/history` or a `/search`.
pub(crate) fn show(part: HistoryPart<'_>, zone: &TimeZone, lines: &mut Vec<String>) {
    match part {
        HistoryPart::Lines { lines: said_before, from_all } => {
            let mut day = String::new();
            let mut has_mark = false;
            for line in said_before {
                let its_day = words::day(line.time, zone);
                if day != its_day {
                    lines.push(format!("---- {its_day} ----"));
                    day = its_day;
                }
                if line.unread && !std::mem::replace(&mut has_mark, true) {
                    lines.push("---- unread ----".to_owned());
                }
                let time = words::hour(line.time, zone);
                lines.push(format!("{time} {}", said(line, from_all)));
            }
        }
        HistoryPart::Ahead { unread } => {
            lines.push(format!("(unread ahead of these: {unread}; ask for more lines)"));
        }
        HistoryPart::Former { keys } => lines.extend(keys.iter().map(|key| {
            format!("(somebody else had that nick before; /history {key} shows what was said)")
        })),
        HistoryPart::NewestOnly { shown } => {
            lines.push(format!("(the newest {shown}; more words find fewer)"));
        }
        HistoryPart::TooLong { shown } => {
            lines.push(format!("(the newest {shown}; what is older is too long for one answer)"));
        }
        HistoryPart::Nothing => lines.push("Nothing was said yet.".to_owned()),
        HistoryPart::NotFound => lines.push("Nobody said that.".to_owned()),
        HistoryPart::Failed(why) => lines.push(why),
    }
}

/// What an earlier run left unread.
pub(crate) fn unread(all: &[UnreadIn]) -> String {
    let one = |it: &UnreadIn| {
        let UnreadIn { with, former, lines } = it;
        let from = match with {
            To::Peer(nick) => format!("from {nick}"),
            To::Lobby => "to everyone".to_owned(),
            To::Room(room) => format!("in #{room}"),
        };
        format!("{lines} unread {from}{}", before(*former))
    };
    let listed: Vec<_> = all.iter().take(LISTED).map(one).collect();
    let more = match all.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and more in {more} others"),
    };
    format!("{}{more}; /history <nick or #room> shows them.", listed.join(", "))
}

fn said(line: &PastLine, from_all: bool) -> String {
    let PastLine { with, former, from, text, own, .. } = line;
    let before = before(*former);
    let fate = own.map(|fate| format!(" ({})", fate_of(fate, with))).unwrap_or_default();
    match with {
        To::Peer(nick) if own.is_some() && from_all => {
            format!("{from} to {nick}{before}: {text}{fate}")
        }
        To::Peer(_) if own.is_some() => format!("{from}: {text}{fate}"),
        To::Peer(_) => format!("{from}{before}: {text}"),
        To::Lobby => format!("{from} to everyone: {text}{fate}"),
        To::Room(room) => format!("#{room}{before} {from}: {text}{fate}"),
    }
}

/// Tells whoever had a name from whoever has it.
fn before(former: bool) -> &'static str {
    if former { " (before)" } else { "" }
}

fn fate_of(fate: Fate, with: &To) -> &'static str {
    match fate {
        None => "on its way",
        Some(Outcome::Delivered) => "delivered",
        Some(Outcome::Stored) if with.is_room() => "said",
        Some(Outcome::Stored) => "saved for them",
        Some(Outcome::Expired) => "NOT DELIVERED",
        Some(Outcome::Unconfirmed) => "NOT CONFIRMED",
        Some(Outcome::Refused(_)) => "REFUSED",
        Some(Outcome::Failed(_)) => "NOT SENT",
    }
}
