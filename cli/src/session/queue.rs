//! Commands that wait for their turn: those of a script, and what was typed ahead.

use std::{collections::VecDeque, time::Duration};

use proto_core::{id::Nick, time::Instant};

use crate::command::{self, Command, Grammar, Origin, WrongInput};

use super::PATIENCE;

/// How many lines are read ahead.
const READ_AHEAD: usize = 4096;

/// A line that was read.
#[derive(Debug)]
pub(super) struct Line {
    /// Where it stands.
    pub(super) origin: Origin,
    /// A command, or why it is none.
    pub(super) command: Result<Command, WrongInput>,
}

impl Line {
    /// Reads line `number`, which was typed by whoever goes by `own`; `None` if it is blank, or
    /// a remark in a script.
    pub(super) fn read(
        line: &str,
        (number, now): (u64, Instant),
        (own, grammar): (&Nick, Grammar),
        is_script: bool,
    ) -> Option<Self> {
        let is_remark =
            is_script && grammar == Grammar::Slash && line.trim_start().starts_with('#');
        if line.trim().is_empty() || is_remark {
            return None;
        }
        let (id, command) = if grammar == Grammar::Json {
            let read = command::read_json(line);
            (read.id, read.command)
        } else {
            (None, Command::parse(line, own, grammar).transpose()?)
        };
        Some(Self { origin: Origin { line: number, id, read: now }, command })
    }
}

/// The lines that wait, and how the input stands.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lines: VecDeque<Line>,
    /// Lines that an interruption has left undone.
    undone: Vec<u64>,
    /// `/wait` holds the script up until then.
    waiting: Option<Instant>,
    crowded: Option<Crowded>,
    /// When the input ended.
    ended: Option<Instant>,
}

/// A script's next message finds no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crowded {
    /// Since then.
    Since(Instant),
    /// Its reader knows.
    Told,
}

impl Queue {
    /// Whether another line can be taken.
    pub(super) fn has_room(&self) -> bool {
        self.ended.is_none() && self.lines.len() < READ_AHEAD
    }

    pub(super) fn push(&mut self, line: Line) {
        self.lines.push_back(line);
    }

    pub(super) fn pop(&mut self) -> Option<Line> {
        self.lines.pop_front()
    }

    /// A line could not be carried out yet.
    pub(super) fn put_back(&mut self, line: Line) {
        self.lines.push_front(line);
    }

    /// When the first that waits was read.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        self.lines.front().map(|line| line.origin.read)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// There will be no further line; `false` if that was known.
    pub(super) fn end(&mut self, now: Instant) -> bool {
        let is_news = self.ended.is_none();
        self.ended.get_or_insert(now);
        is_news
    }

    /// When the input ended, if it did.
    pub(super) fn ended(&self) -> Option<Instant> {
        self.ended
    }

    /// Nothing that waits is carried out any more, since its author wished so.
    pub(super) fn clear(&mut self) {
        self.lines.clear();
    }

    /// The same, since something broke in.
    pub(super) fn interrupt(&mut self) {
        let lines = self.lines.drain(..).map(|line| line.origin.line);
        self.undone.extend(lines);
    }

    /// Which lines were never carried out.
    pub(super) fn undone(&self) -> Vec<u64> {
        let waiting = self.lines.iter().map(|line| line.origin.line);
        self.undone.iter().copied().chain(waiting).collect()
    }

    /// Nothing is carried out for so long.
    pub(super) fn wait(&mut self, now: Instant, span: Duration) {
        self.waiting = Some(now + span);
    }

    /// Whether it waits.
    pub(super) fn waits(&self, now: Instant) -> bool {
        self.waiting.is_some_and(|until| until > now)
    }

    /// There is no room for the next message.
    pub(super) fn is_crowded(&mut self, now: Instant) {
        self.crowded.get_or_insert(Crowded::Since(now));
    }

    /// There was room for a message.
    pub(super) fn is_crowded_no_more(&mut self) {
        self.crowded = None;
    }

    /// Whether the user is to be told now that the script waits for room, which may be soon enough
    /// to tell nothing.
    pub(super) fn crowding_is_news(&mut self, now: Instant) -> bool {
        let is_due = self.crowding().is_some_and(|due| due <= now);
        if is_due {
            self.crowded = Some(Crowded::Told);
        }
        is_due
    }

    /// When something of this is to be looked at again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.into_iter().chain(self.crowding()).min()
    }

    /// Forgets a wait that is over.
    pub(super) fn advance(&mut self, now: Instant) {
        self.waiting = self.waiting.filter(|until| *until > now);
    }

    fn crowding(&self) -> Option<Instant> {
        match self.crowded {
            Some(Crowded::Since(since)) => Some(since + PATIENCE),
            Some(Crowded::Told) | None => None,
        }
    }
}
