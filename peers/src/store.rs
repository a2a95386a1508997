//! A store that lasts as long as the program.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    time::Duration,
};

use proto_core::{
    host::{Log, Machine, Records, Ticket},
    time::Instant,
};

/// What a role is to keep, in memory. It answers at once, or as a disk does: everything that is
/// asked for while a commit is under way goes into the next one, and a commit takes its time.
#[derive(Debug, Default)]
pub struct Store {
    logs: BTreeMap<Log, Numbered>,
    commit: Option<Duration>,
    /// What was asked for since the commit under way began, and what that one has.
    collected: Vec<(Ticket, Answer)>,
    committing: Vec<(Ticket, Answer)>,
    due: Option<Instant>,
}

/// The records of one log, in order.
#[derive(Clone, Debug, Default)]
struct Numbered {
    records: VecDeque<(u64, Vec<u8>)>,
    last: u64,
}

#[derive(Debug)]
enum Answer {
    Stored,
    Read { records: Vec<(u64, Vec<u8>)>, last: u64 },
}

impl Store {
    /// A store whose commits take so long; without a time, it answers at once.
    pub fn new(commit: Option<Duration>) -> Self {
        Self { commit, ..Self::default() }
    }

    /// Has a log that another store has.
    pub(crate) fn copy(&mut self, log: Log, other: &Self) {
        self.logs.insert(log, other.logs.get(&log).cloned().unwrap_or_default());
    }

    pub(crate) fn put(
        &mut self,
        role: &mut impl Machine,
        now: Instant,
        (ticket, log, number): (Ticket, Log, u64),
        record: Vec<u8>,
    ) {
        let log = self.logs.entry(log).or_default();
        log.last = log.last.max(number);
        match log.records.back() {
            Some((back, _)) if *back >= number => {
                match log.records.binary_search_by_key(&number, |(number, _)| *number) {
                    Ok(at) => log.records[at].1 = record,
                    Err(at) => log.records.insert(at, (number, record)),
                }
            }
            _ => log.records.push_back((number, record)),
        }
        self.stored(role, now, ticket);
    }

    pub(crate) fn trim(
        &mut self,
        role: &mut impl Machine,
        now: Instant,
        (ticket, log, upto): (Ticket, Log, u64),
    ) {
        let log = self.logs.entry(log).or_default();
        while log.records.front().is_some_and(|(number, _)| *number <= upto) {
            log.records.pop_front();
        }
        self.stored(role, now, ticket);
    }

    pub(crate) fn read(
        &mut self,
        role: &mut impl Machine,
        now: Instant,
        (ticket, log, from): (Ticket, Log, u64),
        most: usize,
    ) {
        let log = self.logs.entry(log).or_default();
        let first = log.records.partition_point(|(number, _)| *number < from);
        let found = log.records.range(first..).take(most);
        if self.commit.is_some() {
            let records = found.cloned().collect();
            self.collected.push((ticket, Answer::Read { records, last: log.last }));
            return;
        }
        let found: Vec<_> = found.map(|(number, record)| (*number, &record[..])).collect();
        role.handle_read(now, ticket, Ok(Records { records: &found, last: log.last }));
    }

    fn stored(&mut self, role: &mut impl Machine, now: Instant, ticket: Ticket) {
        match self.commit {
            Some(_) => self.collected.push((ticket, Answer::Stored)),
            None => role.handle_stored(now, ticket, Ok(())),
        }
    }

    /// When a commit is through.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Gives the answers of the commit that is through.
    pub(crate) fn answer(&mut self, role: &mut impl Machine, now: Instant) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.due = None;
        for (ticket, answer) in self.committing.drain(..) {
            match answer {
                Answer::Stored => role.handle_stored(now, ticket, Ok(())),
                Answer::Read { records, last } => {
                    let found: Vec<_> =
                        records.iter().map(|(number, record)| (*number, &record[..])).collect();
                    role.handle_read(now, ticket, Ok(Records { records: &found, last }));
                }
            }
        }
    }

    /// Begins the next commit, if there is something for it and none is under way.
    pub(crate) fn begin(&mut self, now: Instant) {
        if let (Some(commit), None, false) = (self.commit, self.due, self.collected.is_empty()) {
            mem::swap(&mut self.collected, &mut self.committing);
            self.due = Some(now + commit);
        }
    }
}
