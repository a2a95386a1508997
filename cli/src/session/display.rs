//! What the user sees.

use proto_core::{client::To, id::PublicKey};

use crate::{
    command::{Grammar, Origin},
    notice::{Face, Notice},
};

use super::Moment;

/// Puts notices into the words of one face, and keeps the lines until they are taken.
pub(super) struct Display {
    face: Box<dyn Face>,
    lines: Vec<String>,
    seen: Vec<Seen>,
    /// For standard error.
    reports: Vec<String>,
}

/// Something that came: the conversation, and its number there.
pub(crate) type Seen = (PublicKey, u64);

impl Display {
    pub(super) fn new(face: Box<dyn Face>) -> Self {
        Self { face, lines: Vec::new(), seen: Vec::new(), reports: Vec::new() }
    }

    pub(super) fn show(&mut self, at: Moment, notice: Notice<'_>) {
        let is_report = self.face.is_report(&notice);
        let lines = if is_report { &mut self.reports } else { &mut self.lines };
        self.face.show(at.unix, notice, lines);
    }

    /// A line of a script was not carried out, as is shown or told already.
    pub(super) fn report(&mut self, at: Moment, origin: &Origin, why: &Notice<'_>) {
        self.reports.extend(self.face.explain(at.unix, origin, why));
    }

    /// Takes the lines to show, and those for standard error.
    pub(super) fn take_lines(&mut self) -> (Vec<String>, Vec<String>) {
        (std::mem::take(&mut self.lines), std::mem::take(&mut self.reports))
    }

    /// The lines show something that came.
    pub(super) fn seen(&mut self, conversation: PublicKey, number: u64) {
        self.seen.push((conversation, number));
    }

    /// Takes what has been seen once the lines are shown.
    pub(super) fn take_seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// The prompt of someone whose lines are said there.
    pub(super) fn prompt(&self, here: Option<&To>) -> String {
        self.face.prompt(here)
    }

    /// How lines are read.
    pub(super) fn grammar(&self) -> Grammar {
        self.face.grammar()
    }

    /// Whether the program ends when the server does not answer.
    pub(super) fn ends_with_the_server(&self) -> bool {
        self.face.ends_with_the_server()
    }
}
