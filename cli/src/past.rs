//! The words of `host` and `join` for what was said: day by day, and wrapped so that nothing in a
//! text can pass for another line.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use proto_core::client::To;
use textwrap::Options;

use crate::{
    notice::{Fate, HistoryPart, Outcome, PastLine, UnreadIn},
    words,
};

/// What stands under the time in the further rows of a line.
const INDENT: &str = "      ";

/// The fewest columns that are wrapped for: a terminal may claim to have none.
const LEAST_COLUMNS: usize = 20;

/// The most conversations in one line.
const LISTED: usize = 20;

/// Adds the lines that answer a `/history` or a `/search`.
pub(crate) fn show(
    part: HistoryPart<'_>,
    zone: &TimeZone,
    columns: Option<usize>,
    lines: &mut Vec<String>,
) {
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
                wrap(format!("{time} {}", said(line, from_all)), columns, lines);
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

/// Adds a line that begins with a time, in as many rows as it needs.
pub(crate) fn wrap(line: String, columns: Option<usize>, lines: &mut Vec<String>) {
    let Some(columns) = columns else { return lines.push(line) };
    let options = Options::new(columns.max(LEAST_COLUMNS)).subsequent_indent(INDENT);
    lines.extend(textwrap::wrap(&line, options).into_iter().map(Cow::into_owned));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr as _;

    use crate::safe_text::SafeText;

    use super::*;

    fn wrapped(text: &str, columns: usize) -> Vec<String> {
        let mut lines = Vec::new();
        wrap(format!("14:03 bob: {text}"), Some(columns), &mut lines);
        lines
    }

    #[test]
    fn long_text_is_wrapped_between_words_under_itself() {
        let rows = ["14:03 bob: one two", "      three"];
        assert_eq!(wrapped("one two three", 20), rows);
    }

    proptest! {
        #[test]
        fn no_row_passes_for_another_line(text in ".*", columns in 0..100_usize) {
            let text = SafeText::new(text.as_bytes()).to_string();
            let rows = wrapped(&text, columns);
            prop_assert!(rows[0].starts_with("14:03 bob:"));
            for row in &rows[1..] {
                prop_assert!(row.starts_with(INDENT), "{row:?}");
            }
            for row in &rows {
                prop_assert!(row.width() <= columns.max(LEAST_COLUMNS) + 1, "{row:?}");
            }
        }
    }
}
