//! The words of `udpchat listen`: a message a line, its parts set apart by tabs.

use proto_core::{client::To, time::UnixTime};

use crate::{
    command::{Grammar, Origin},
    modern::Modern,
    names::conversation_text,
    notice::{Face, Notice, RoomNotice},
    rows,
    safe_text::SafeText,
    words,
};

/// What stands for the time of who has no clock.
const NO_TIME: &str = "-";

/// The words of `udpchat listen`: messages, and on standard error what keeps them from coming.
#[derive(Debug)]
pub(crate) struct Listening {
    words: Modern,
    from: Vec<To>,
    wrap: fn() -> Option<usize>,
}

impl Listening {
    /// For what comes `from` these conversations; without any, from all. `wrap` gives the columns
    /// of the screen, if lines are to be wrapped.
    pub(crate) fn new(words: Modern, from: Vec<To>, wrap: fn() -> Option<usize>) -> Self {
        Self { words, from, wrap }
    }

    fn wrapped(&self, line: Option<String>, lines: &mut Vec<String>) {
        if let Some(line) = line {
            rows::wrap(line, (self.wrap)(), lines);
        }
    }

    fn said(
        &self,
        with: To,
        from: impl ToString,
        time: UnixTime,
        text: &SafeText,
    ) -> Option<String> {
        let is_wanted = self.from.is_empty() || self.from.contains(&with);
        is_wanted.then(|| {
            let time = words::rfc3339(time).unwrap_or_else(|| NO_TIME.to_owned());
            [&*time, &conversation_text(&with), &from.to_string(), text.as_str()].join("\t")
        })
    }
}

impl Face for Listening {
    fn show(&mut self, now: UnixTime, notice: Notice<'_>, lines: &mut Vec<String>) {
        match notice {
            Notice::Message(said, _) => {
                let line = self.said(To::Peer(said.from), said.from, said.time, &said.text);
                self.wrapped(line, lines);
            }
            Notice::Room(RoomNotice::Message(said, _)) => {
                let line = self.said(said.room, said.from, said.time, &said.text);
                self.wrapped(line, lines);
            }
            Notice::Registered { .. }
            | Notice::Table { .. }
            | Notice::Room(RoomNotice::StillIn(_)) => {}
            left @ Notice::Left { .. } => self.words.left(&left, lines),
            notice => self.words.show(now, notice, lines),
        }
    }

    fn is_report(&self, notice: &Notice<'_>) -> bool {
        !matches!(notice, Notice::Message(..) | Notice::Room(RoomNotice::Message(..)))
    }

    fn explain(&mut self, _: UnixTime, _: &Origin, _: &Notice<'_>) -> Option<String> {
        None
    }

    fn prompt(&self, _: Option<&To>) -> String {
        String::new()
    }

    fn grammar(&self) -> Grammar {
        Grammar::Slash
    }

    fn ends_with_the_server(&self) -> bool {
        false
    }
}
