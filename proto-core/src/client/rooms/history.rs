//! What a member has read of a room's log, and of the logs that the room had before: a server
//! whose store was put back goes on with a log that is another than the one that was read.
//!
//! An entry is named by its index and by the server's run that appended it. A run appends in
//! order, so two logs that have one entry in common are the same up to there.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::id::{Epoch, Incarnation, Number, Position, RunTag};

/// How many spans are remembered, the newest ones.
pub(crate) const SPANS: usize = 8;

/// A log that is another than those that were read shows itself as such at most so often in a
/// session. What a server says that does so more often makes no sense.
const MOST_REWINDS: u32 = SPANS as u32 + 2;

/// Entries of one run that are in the inbox: all from `first` to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) run: Incarnation,
    /// How often an index had been read before when these were.
    pub(crate) branch: u32,
    pub(crate) first: u32,
    pub(crate) last: u32,
}

/// What is in the inbox, the newest span last. Entries are in the inbox at their branch and
/// index: a branch for each log that had other entries where this member had read before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct History {
    pub(crate) spans: Vec<Span, SPANS>,
}

/// Whose the entry before another one is, in the same log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// The same run's.
    Same,
    /// This run's.
    Other(RunTag),
    /// Nothing is said of it.
    Unknown,
}

impl Before {
    /// As it is on the wire.
    pub(crate) fn from_wire(previous: Option<RunTag>) -> Self {
        match previous {
            None => Self::Same,
            Some(RunTag::NONE) => Self::Unknown,
            Some(tag) => Self::Other(tag),
        }
    }
}

impl History {
    /// As the store has it, whose inbox has its last entry at `head`: what was asked for and
    /// is not there was not read.
    pub(crate) fn resume(mut self, head: Position) -> Self {
        let Position { epoch: Epoch(branch), number: Number(last) } = head;
        let last = u32::try_from(last).unwrap_or(u32::MAX);
        if let Some(open) = self.spans.last_mut().filter(|open| open.branch == branch) {
            // The newest is written when it begins, and goes on to where the inbox ends.
            open.last = last;
        }
        for span in &mut self.spans {
            match span.branch.cmp(&branch) {
                core::cmp::Ordering::Less => {}
                core::cmp::Ordering::Equal => span.last = span.last.min(last),
                core::cmp::Ordering::Greater => span.last = 0,
            }
        }
        self.spans.retain(|span| span.first <= span.last);
        self
    }

    /// The end of what was read last; 0 if nothing was.
    fn end(&self) -> u64 {
        self.spans.last().map_or(0, |span| span.last.into())
    }

    fn has(&self, index: u64, is: impl Fn(&Incarnation) -> bool) -> bool {
        self.spans.iter().any(|span| span.contains(index) && is(&span.run))
    }

    /// The last place ahead of `index` where the log that has something else there may
    /// still be one that was read, but not before `since`.
    fn back_from(&self, index: u64, since: u64) -> u64 {
        let begins = self.spans.iter().map(|span| u64::from(span.first).saturating_sub(1));
        begins.filter(|at| *at < index).max().unwrap_or(0).max(since)
    }

    /// How many places behind `from` up to `upto` have nothing that was read.
    fn lacks(&self, from: u64, upto: u64) -> u64 {
        let (mut at, mut lacks) = (from, 0);
        while at < upto {
            let next = at.saturating_add(1);
            let had = self.spans.iter().filter(|span| span.contains(next)).map(|span| span.last);
            if let Some(last) = had.max() {
                at = last.into();
                continue;
            }
            let begins = self.spans.iter().map(|span| u64::from(span.first));
            let end = begins.filter(|first| *first > next).min().map_or(upto, |first| first - 1);
            lacks += end.min(upto) - at;
            at = end;
        }
        lacks
    }

    /// Adds an entry that goes into the inbox: at which place, and whether a span begins.
    fn add(&mut self, index: u64, run: Incarnation) -> (Position, bool) {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let newest = self.spans.last_mut();
        let (branch, top) = newest.as_ref().map_or((0, 0), |span| (span.branch, span.last));
        let branch = if index > top { branch } else { branch.saturating_add(1) };
        let at = Position::new(Epoch(branch), Number(index.into()));
        if let Some(open) =
            newest.filter(|open| open.run == run && open.last.checked_add(1) == Some(index))
        {
            open.last = index;
            return (at, false);
        }
        if self.spans.is_full() {
            self.spans.remove(0);
        }
        // There is room: the oldest just gave way.
        let _ = self.spans.push(Span { run, branch, first: index, last: index });
        (at, true)
    }
}

impl Span {
    fn contains(&self, index: u64) -> bool {
        (self.first.into()..=self.last.into()).contains(&index)
    }
}

/// A member's way through a room's log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    history: History,
    /// All of the server's log up to here was read, or is not to be.
    cursor: u64,
    /// The last entry that came before this member joined.
    since: u64,
    /// How often the cursor has gone back in this session.
    rewinds: u32,
    /// The log is another than the one that was read behind the cursor: where they part was not
    /// found yet.
    astray: bool,
    /// What is before the cursor is gone from the server's log: whether it was the same that
    /// was read there is not known.
    adrift: bool,
    /// Up to here, the user was told of entries that are gone.
    missed: u64,
    /// The store has a history that says more than is so.
    stale: bool,
}

/// What is to be done with an entry that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It was read before, or is not to be.
    Had,
    /// It waits for those before it.
    Early,
    /// It is the next.
    Next,
    /// The log is another than the one that was read: the server is to send again what comes
    /// behind the cursor, which went back.
    Back,
}

/// An entry's place in the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) position: Position,
    /// The history is to be durable ahead of it.
    pub(crate) begins: bool,
    /// It is the first of a log that has other entries than the one that was read.
    pub(crate) reset: bool,
}

impl Reader {
    /// With a history from the store.
    pub(crate) fn of(history: History) -> Self {
        Self { history, ..Self::default() }
    }

    /// The store's inbox has its last entry at `head`.
    pub(crate) fn resume(self, head: Position) -> Self {
        let written = self.history.spans.len();
        let history = self.history.resume(head);
        let (cursor, stale) = (history.end(), history.spans.len() != written);
        Self { history, cursor, stale, ..self }
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    pub(crate) fn cursor(&self) -> u64 {
        self.cursor
    }

    pub(crate) fn rewinds(&self) -> u32 {
        self.rewinds
    }

    /// The server is in another run: what it had given up may be there again.
    pub(crate) fn meet_anew(&mut self) {
        self.go_on(self.history.end());
    }

    /// A session begins, in which the log ends with entry `last`, appended by `run`, which may
    /// not be known.
    pub(crate) fn begin(&mut self, since: u64, last: u64, run: Incarnation) {
        (self.since, self.adrift) = (since, false);
        let cursor = self.cursor.max(since);
        let had = self.history.has(last, |its| *its == run);
        let other = run != Incarnation::NONE && self.history.has(last, |_| true);
        self.cursor = if last > cursor || last == cursor && (had || !other) {
            cursor
        } else if had || run == Incarnation::NONE || last <= since {
            self.astray = false;
            last.max(since)
        } else {
            self.astray = true;
            self.history.back_from(last, since)
        };
        self.rewinds = u32::from(self.cursor < cursor);
    }

    /// Entry `index` of the log came, appended by `run`.
    pub(crate) fn turn(&mut self, index: u64, run: Incarnation, before: Before) -> Turn {
        if index <= self.since || self.history.has(index, |its| *its == run) {
            // All before it is the same as well.
            if index > self.cursor {
                self.go_on(index);
            }
            return Turn::Had;
        }
        let next = self.cursor.saturating_add(1);
        if index > next {
            return Turn::Early;
        }
        if index < next {
            // The server gave it up after it was sent.
            return Turn::Had;
        }
        if self.adrift || self.rewinds > MOST_REWINDS || self.follows(self.cursor, run, before) {
            return Turn::Next;
        }
        self.cursor = self.history.back_from(self.cursor, self.since);
        self.astray = true;
        self.rewinds += 1;
        Turn::Back
    }

    /// The next entry goes into the inbox.
    pub(crate) fn take(&mut self, index: u64, run: Incarnation) -> Place {
        let branch = self.history.spans.last().map_or(0, |span| span.branch);
        let (position, begins) = self.history.add(index, run);
        self.go_on(index);
        let reset = position.epoch > Epoch(branch);
        if reset {
            self.missed = 0;
        }
        let begins = core::mem::take(&mut self.stale) || begins;
        Place { position, begins, reset }
    }

    /// The server has nothing for this reader up to `upto`: how many entries ahead of `first`,
    /// and how many from there on, were not read.
    pub(crate) fn gone(&mut self, first: u64, upto: u64) -> (u64, u64) {
        if upto <= self.cursor {
            return (0, 0);
        }
        let from = self.cursor.max(self.missed).min(upto);
        let between = first.saturating_sub(1).clamp(from, upto);
        (self.cursor, self.adrift) = (upto, true);
        self.missed = self.missed.max(upto);
        (self.history.lacks(from, between), self.history.lacks(between, upto))
    }

    /// A log that has an entry of `run` behind `index` may be the one that was read up to there.
    /// Where nothing was read at `index`, it may, unless it is known to be another.
    fn follows(&self, index: u64, run: Incarnation, before: Before) -> bool {
        let had = match before {
            Before::Same => self.history.has(index, |its| *its == run),
            Before::Other(tag) => self.history.has(index, |its| its.tag() == tag),
            Before::Unknown => true,
        };
        had || index <= self.since || !self.astray && !self.history.has(index, |_| true)
    }

    fn go_on(&mut self, cursor: u64) {
        (self.cursor, self.adrift, self.astray) = (cursor, false, false);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        vec,
        vec::Vec as List,
    };

    use proptest::prelude::*;

    use super::*;

    /// An entry as its server has it: which run appended it, and what tells it from all others.
    #[derive(Clone, Copy, Debug)]
    struct Entry {
        run: u8,
        name: u32,
    }

    /// A server, its backups, and a reader with its store.
    struct World {
        log: List<Entry>,
        /// With how much of it was given up.
        backups: List<(List<Entry>, usize)>,
        /// How much of the log's beginning is given up.
        gone: usize,
        run: u8,
        names: u32,
        reader: Reader,
        /// What the server believes that the reader has.
        at: u64,
        /// The inbox by place, and how often each entry went into it.
        inbox: BTreeMap<u64, u32>,
        taken: BTreeMap<u32, u32>,
        /// Entries that a server gave up, whether or not they were there again later.
        given_up: BTreeSet<u32>,
        /// The history as it was written last, and how many entries are durable.
        written: History,
        resets: u32,
    }

    fn run(number: u8) -> Incarnation {
        Incarnation([number; 8])
    }

    impl World {
        fn new() -> Self {
            Self {
                log: vec![],
                backups: vec![(vec![], 0)],
                gone: 0,
                run: 1,
                names: 0,
                reader: Reader::default(),
                at: 0,
                inbox: BTreeMap::new(),
                taken: BTreeMap::new(),
                given_up: BTreeSet::new(),
                written: History::default(),
                resets: 0,
            }
        }

        fn say(&mut self, count: u8) {
            for _ in 0..count {
                self.names += 1;
                self.log.push(Entry { run: self.run, name: self.names });
            }
        }

        fn meet(&mut self) {
            let last = self.log.len() as u64;
            // What is given up is forgotten, and who said it with it.
            let known = self.log.last().filter(|_| self.gone < self.log.len());
            self.reader.begin(0, last, known.map_or(Incarnation::NONE, |entry| run(entry.run)));
            self.at = self.reader.cursor();
        }

        fn restart(&mut self, (log, gone): (List<Entry>, usize)) {
            (self.log, self.gone) = (log, gone);
            self.run += 1;
            self.reader.meet_anew();
            self.meet();
        }

        /// The server sends the entry `ahead` of the cursor, and hears what came of it unless
        /// that is lost.
        fn send(&mut self, ahead: u64, heard: bool) {
            if self.at < self.gone as u64 {
                self.reader.gone(1, self.gone as u64);
            } else if let Some(entry) = self.log.get((self.at + ahead) as usize) {
                let index = self.at + ahead + 1;
                let before = (index as usize).checked_sub(2).filter(|at| *at >= self.gone);
                let before = match before.and_then(|at| self.log.get(at)) {
                    None => Before::Unknown,
                    Some(before) if before.run == entry.run => Before::Same,
                    Some(before) => Before::Other(run(before.run).tag()),
                };
                if self.reader.turn(index, run(entry.run), before) == Turn::Next {
                    let place = self.reader.take(index, run(entry.run));
                    if place.begins {
                        self.written = self.reader.history().clone();
                    }
                    self.resets += u32::from(place.reset);
                    let number = place.position.to_record_number();
                    assert!(self.inbox.last_key_value().is_none_or(|(last, _)| *last < number));
                    self.inbox.insert(number, entry.name);
                    *self.taken.entry(entry.name).or_default() += 1;
                }
            }
            if heard {
                self.at = self.reader.cursor();
            }
        }

        fn live(&mut self, steps: &[(u8, u8, u8)]) {
            self.meet();
            for &(step, pick, count) in steps {
                match step {
                    0 | 1 => self.say(1 + count % 6),
                    2 => self.backups.push((self.log.clone(), self.gone)),
                    // What is remembered has an end.
                    3 if self.run < SPANS as u8 => {
                        let backup = self.backups[usize::from(pick) % self.backups.len()].clone();
                        self.restart(backup);
                    }
                    4 if self.run < SPANS as u8 => self.restart((self.log.clone(), self.gone)),
                    5 => self.crash(0),
                    6 => {
                        // Only the newest requests of one moment can be lost together.
                        self.crash(pick % 3);
                    }
                    7 => self.meet(),
                    8 if pick % 4 == 0 => {
                        self.gone = (self.gone + usize::from(count % 4)).min(self.log.len());
                        let lost = &self.log[..self.gone];
                        self.given_up.extend(lost.iter().map(|entry| entry.name));
                    }
                    _ => self.send((pick % 3).into(), count % 4 > 0),
                }
            }
        }

        /// The reader starts anew, from a store that has lost the last `lost` entries, and perhaps
        /// a history that was written ahead of them.
        fn crash(&mut self, lost: u8) {
            for _ in 0..lost {
                if let Some((_, name)) = self.inbox.pop_last() {
                    self.taken.remove(&name);
                }
            }
            let head = self.inbox.last_key_value().map_or(0, |(number, _)| *number);
            let head = Position::from_record_number(head);
            self.reader = Reader::of(self.written.clone()).resume(head);
            self.meet();
        }
    }

    proptest! {
        /// However often a server is put back, begun anew or cut at the beginning of its log, and
        /// whatever is lost of what it sends or of what its reader was about to keep: in the end
        /// the reader has each entry of the log, those that it read in another log included, and
        /// each once.
        #[test]
        fn every_entry_is_read_once(
            steps in prop::collection::vec((0..20u8, any::<u8>(), any::<u8>()), 0..150),
        ) {
            let mut world = World::new();
            world.live(&steps);
            world.meet();
            for _ in 0..2 * world.log.len() + 200 {
                world.send(0, true);
            }
            for entry in &world.log[world.gone..] {
                let read = world.taken.contains_key(&entry.name);
                prop_assert!(read || world.given_up.contains(&entry.name), "{entry:?}");
            }
            prop_assert!(world.taken.values().all(|times| *times == 1));
        }
    }

    #[test]
    fn a_log_that_ends_where_the_other_did_is_not_taken_for_it() {
        let mut world = World::new();
        world.meet();
        world.say(10);
        for _ in 0..10 {
            world.send(0, true);
        }
        (world.log, world.run) = (vec![], 2);
        world.say(10);
        world.reader.meet_anew();
        world.meet();
        assert_eq!((world.at, world.reader.rewinds()), (0, 1));
        for _ in 0..10 {
            world.send(0, true);
        }
        assert_eq!((world.inbox.len(), world.resets), (20, 1));
    }

    #[test]
    fn what_a_server_gave_up_is_counted_once() {
        let mut reader = Reader::default();
        reader.begin(0, 100, run(1));
        reader.take(1, run(1));
        assert_eq!(reader.gone(10, 11), (8, 2));
        assert_eq!(reader.gone(1, 11), (0, 0));
        reader.take(12, run(1));
        reader.meet_anew();
        reader.begin(0, 100, run(1));
        assert_eq!(reader.gone(1, 12), (0, 0));
        let last = u64::from(u32::MAX);
        assert_eq!(reader.gone(last + 1, last), (last - 12, 0));
    }
}
