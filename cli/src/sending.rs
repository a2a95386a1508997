//! The words of `udpchat send`: what became of what, and why.

use proto_core::{client::To, time::UnixTime};

use crate::{
    command::{Grammar, Origin},
    modern::Modern,
    notice::{Face, Notice, Outcome},
};

/// The words of `udpchat send`, all of them for standard error.
#[derive(Debug)]
pub(crate) struct Sending {
    words: Modern,
    to: To,
    /// The texts are lines of an input.
    lines: bool,
    /// Messages that came meanwhile.
    came: u64,
}

impl Sending {
    /// For what is said to `to`: one text, or each of the `lines` of an input.
    pub(crate) fn new(words: Modern, to: To, lines: bool) -> Self {
        Self { words, to, lines, came: 0 }
    }
}

impl Face for Sending {
    fn show(&mut self, now: UnixTime, notice: Notice<'_>, lines: &mut Vec<String>) {
        match notice {
            Notice::Message(..) => self.came += 1,
            // It was explained.
            Notice::Outcome {
                origin: Some(_),
                outcome:
                    Outcome::Expired | Outcome::Unconfirmed | Outcome::Refused(_) | Outcome::Failed(_),
                ..
            }
            | Notice::NotDone { .. }
            | Notice::Registered { .. }
            | Notice::Table { .. }
            | Notice::Room(_) => {}
            Notice::Left { kept, elsewhere, unkept, directory, exit, silent, .. } => {
                // What was not done was explained.
                let undone = &[];
                let left =
                    Notice::Left { kept, elsewhere, unkept, directory, undone, exit, silent };
                self.words.left(&left, lines);
                if self.came > 0 {
                    let came = self.came;
                    lines.push(format!(
                        "Messages that came meanwhile: {came}; /history shows them."
                    ));
                }
            }
            notice => self.words.show(now, notice, lines),
        }
    }

    fn is_report(&self, _: &Notice<'_>) -> bool {
        true
    }

    fn explain(&mut self, now: UnixTime, origin: &Origin, why: &Notice<'_>) -> Option<String> {
        if self.lines {
            return self.words.explain(now, origin, why);
        }
        let mut words = Vec::new();
        self.words.show(now, why.clone(), &mut words);
        Some(words.join(" "))
    }

    fn prompt(&self, _: Option<&To>) -> String {
        String::new()
    }

    fn grammar(&self) -> Grammar {
        Grammar::Text(self.to)
    }

    fn ends_with_the_server(&self) -> bool {
        false
    }
}
