//! A host's store, as [`proto_core::host`] asks for it: requests become durable
//! one after the other; when one fails, so does every later one that was made
//! before the failure was answered. A crash loses what is not yet durable.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

use proto_core::host::{Log, Ticket};

use crate::{clock::Moment, dice::Dice};

/// A log's records, and the highest number ever put.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// The highest number ever put, 0 for an untouched log.
    pub last: u64,
    /// What is in it.
    pub records: BTreeMap<u64, Vec<u8>>,
}

/// All logs of a store.
pub type Logs = BTreeMap<Log, Records>;

/// What a role asks of its store.
#[derive(Clone, Debug)]
pub enum Request {
    /// Put a record.
    Put {
        /// The log.
        log: Log,
        /// The record's number.
        number: u64,
        /// The record.
        record: Vec<u8>,
    },
    /// Forget records.
    Trim {
        /// The log.
        log: Log,
        /// The last to forget.
        upto: u64,
    },
    /// Read records.
    Read {
        /// The log.
        log: Log,
        /// The least number wanted.
        from: u64,
        /// So many of them.
        most: usize,
    },
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { log, number, record } => {
                write!(f, "put {log:?} {number} ({} B)", record.len())
            }
            Self::Trim { log, upto } => write!(f, "trim {log:?} up to {upto}"),
            Self::Read { log, from, most } => write!(f, "read {log:?} from {from}, {most} at most"),
        }
    }
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Records with their numbers, in order.
    pub records: Vec<(u64, Vec<u8>)>,
    /// The highest number ever put.
    pub last: u64,
}

/// The store's answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To a put or a forget.
    Stored {
        /// Which request.
        ticket: Ticket,
        /// It is durable.
        done: bool,
    },
    /// To a read.
    Read {
        /// Which request.
        ticket: Ticket,
        /// What was found, unless the store failed.
        found: Option<Found>,
    },
}

/// How a store misbehaves. All zero is one that answers at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manners {
    /// The longest that a request takes, in microseconds.
    pub slow: Moment,
    /// So many of a thousand requests fail.
    pub fails: u32,
    /// It has no room: every put fails.
    pub full: bool,
}

/// A durable change, for the laws to look at.
#[derive(Debug)]
pub enum Change {
    /// A record was put; what stood there before, if anything.
    Put {
        /// The log.
        log: Log,
        /// The number.
        number: u64,
        /// The log's last number before.
        last: u64,
        /// What stood there before.
        before: Option<Vec<u8>>,
    },
    /// These records were forgotten.
    Forgotten {
        /// The log.
        log: Log,
        /// Number and record.
        records: Vec<(u64, Vec<u8>)>,
    },
}

/// What came of a request.
#[derive(Debug)]
pub struct Committed {
    /// The answer.
    pub answer: Answer,
    /// When it arrives.
    pub at: Moment,
    /// What is another now.
    pub change: Option<Change>,
}

/// All that is durable at a host at some moment, but its identity, which never changes.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// How often its role was started.
    boots: u64,
    logs: Logs,
}

/// A host's store.
#[derive(Debug, Default)]
pub struct Store {
    durable: Snapshot,
    /// Each with the moment it was asked for.
    waiting: VecDeque<(Moment, Ticket, Request)>,
    manners: Manners,
    /// When the last request is durable, and when its answer comes.
    busy: Moment,
    answered: Moment,
    /// All that was asked for until this moment fails: it was made before a failure was
    /// answered, and would become durable ahead of what failed.
    broken: Option<Moment>,
}

impl Store {
    /// Sets how it misbehaves from now on.
    pub fn behave(&mut self, manners: Manners) {
        self.manners = manners;
    }

    /// Takes a request in; when to call [`Self::commit`] for it.
    pub(crate) fn ask(
        &mut self,
        now: Moment,
        ticket: Ticket,
        request: Request,
        dice: &mut Dice,
    ) -> Moment {
        let takes = match self.manners.slow {
            0 => 50,
            // Most are quick, some take their time.
            slow if dice.chance(100) => dice.below(slow),
            slow => dice.below(slow / 20 + 1),
        };
        self.busy = self.busy.max(now + takes);
        self.waiting.push_back((now, ticket, request));
        self.busy
    }

    /// Carries the oldest request out.
    pub(crate) fn commit(&mut self, now: Moment, dice: &mut Dice) -> Option<Committed> {
        let (asked, ticket, request) = self.waiting.pop_front()?;
        let delay =
            if self.manners.slow == 0 { 10 } else { dice.below(self.manners.slow / 50 + 1) };
        self.answered = self.answered.max(now + delay);
        let full = self.manners.full && matches!(request, Request::Put { .. });
        let untold = self.broken.is_some_and(|told| asked <= told);
        let fails = untold || full || dice.chance(self.manners.fails);
        if fails {
            self.broken = Some(self.answered);
        }
        let stored = Answer::Stored { ticket, done: !fails };
        let (answer, change) = match request {
            Request::Read { log, from, most } => {
                // Fewer than asked for are no error.
                let most = if dice.chance(250) { 1 } else { most };
                let found = (!fails).then(|| self.read(log, from, most));
                (Answer::Read { ticket, found }, None)
            }
            Request::Put { .. } | Request::Trim { .. } if fails => (stored, None),
            Request::Put { log, number, record } => (stored, Some(self.put(log, number, record))),
            Request::Trim { log, upto } => (stored, self.trim(log, upto)),
        };
        Some(Committed { answer, at: self.answered, change })
    }

    /// A record of a log is damaged.
    pub fn damage(&mut self, log: Log, number: u64) {
        let log = self.durable.logs.get_mut(&log);
        if let Some(record) = log.and_then(|log| log.records.get_mut(&number)) {
            record.clear();
        }
    }

    /// What is not durable is lost.
    pub(crate) fn crash(&mut self) {
        self.waiting.clear();
        (self.busy, self.answered, self.broken) = (0, 0, None);
    }

    /// All that is durable.
    pub fn snapshot(&self) -> Snapshot {
        self.durable.clone()
    }

    /// From now on, this is what is durable. Nothing may be under way.
    pub(crate) fn put_back(&mut self, durable: Snapshot) {
        self.durable = durable;
    }

    /// Nothing is durable any more, and nothing goes wrong. Nothing may be under way.
    pub fn wipe(&mut self) {
        *self = Self::default();
    }

    /// The role starts, so many times with this one.
    pub(crate) fn boot(&mut self) -> u64 {
        self.durable.boots += 1;
        self.durable.boots
    }

    /// How often the role was started.
    pub fn boots(&self) -> u64 {
        self.durable.boots
    }

    /// Every log that was ever put to.
    pub fn logs(&self) -> impl Iterator<Item = (&Log, &Records)> {
        self.durable.logs.iter()
    }

    /// A record, of no bytes if there is none.
    pub fn record(&self, log: Log, number: u64) -> &[u8] {
        let record = self.durable.logs.get(&log).and_then(|log| log.records.get(&number));
        record.map_or(&[], Vec::as_slice)
    }

    /// One log's records.
    pub fn log(&self, log: Log) -> Option<&Records> {
        self.durable.logs.get(&log)
    }

    /// Requests that are not durable yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn read(&self, log: Log, from: u64, most: usize) -> Found {
        let Some(log) = self.durable.logs.get(&log) else { return Found::default() };
        let found = log.records.range(from..).take(most.max(1));
        let records = found.map(|(number, record)| (*number, record.clone())).collect();
        Found { records, last: log.last }
    }

    fn put(&mut self, log: Log, number: u64, record: Vec<u8>) -> Change {
        let records = self.durable.logs.entry(log).or_default();
        let last = records.last;
        records.last = last.max(number);
        let before = records.records.insert(number, record);
        Change::Put { log, number, last, before }
    }

    fn trim(&mut self, log: Log, upto: u64) -> Option<Change> {
        let records = self.durable.logs.get_mut(&log)?;
        let kept = match upto.checked_add(1) {
            Some(first) => records.records.split_off(&first),
            None => BTreeMap::new(),
        };
        let gone = std::mem::replace(&mut records.records, kept);
        Some(Change::Forgotten { log, records: gone.into_iter().collect() })
    }
}
