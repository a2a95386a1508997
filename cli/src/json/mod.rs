//! What happens as JSON objects, one in a line: `docs/SCRIPTS.md` describes each.

mod event;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use proto_core::{client::To, time::UnixTime};
use serde::Serialize;

use crate::{
    command::{Grammar, Origin},
    modern::Modern,
    names::conversation,
    notice::{Face, Notice},
    safe_text::is_hidden,
    words,
};

use event::Event;

/// The version of the objects. Another one is another meaning of what is there; fields and events
/// may be added without.
const VERSION: u32 = 1;

/// One line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    v: u32,
    /// When it is told.
    at: Option<String>,
    #[serde(flatten)]
    event: Event<'a>,
}

/// Tells in objects.
#[derive(Debug)]
pub(crate) struct Json {
    words: Modern,
    from: Vec<To>,
}

impl Json {
    /// With messages `from` these conversations; without any, from all.
    pub(crate) fn new(words: Modern, from: Vec<To>) -> Self {
        Self { words, from }
    }

    fn is_wanted(&self, event: &Event<'_>) -> bool {
        let with = event.conversation().and_then(|text| conversation(text).ok());
        self.from.is_empty() || with.is_none_or(|with| self.from.contains(&with))
    }
}

impl Face for Json {
    fn show(&mut self, now: UnixTime, notice: Notice<'_>, lines: &mut Vec<String>) {
        let mut text = Vec::new();
        // What is in words is the same as a person reads.
        self.words.show(now, notice.clone(), &mut text);
        for event in event::of(&notice, text.join(" ")) {
            if self.is_wanted(&event) {
                lines.push(line(now, event));
            }
        }
    }

    fn explain(&mut self, now: UnixTime, origin: &Origin, why: &Notice<'_>) -> Option<String> {
        self.words.explain(now, origin, why)
    }

    fn prompt(&self, _: Option<&To>) -> String {
        String::new()
    }

    fn grammar(&self) -> Grammar {
        Grammar::Json
    }

    fn ends_with_the_server(&self) -> bool {
        false
    }
}

fn line(now: UnixTime, event: Event<'_>) -> String {
    let line = Line { v: VERSION, at: words::rfc3339(now), event };
    // Maps have texts for keys, and nothing else can fail.
    let plain = serde_json::to_string(&line).unwrap_or_default();
    // A terminal shows it, too: what would act there is escaped, which changes no value.
    let mut safe = String::with_capacity(plain.len());
    for c in plain.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // A string takes all.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe
}
