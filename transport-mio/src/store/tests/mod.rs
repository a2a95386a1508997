mod disk;
mod faults;
mod lines;
mod opening;
mod semantics;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::mpsc::{self, Receiver},
};

use proptest::prelude::*;
use proto_core::{
    host::Log,
    id::{Account, PublicKey},
};

use super::*;
use disk::Disk;

/// A store together with the event loop's end of its wakes.
struct Opened {
    store: Store<usize>,
    wakes: Receiver<()>,
}

impl Opened {
    fn on(disk: &Disk) -> Self {
        Self::with_capacity(disk, QUEUE_CAPACITY)
    }

    fn with_capacity(disk: &Disk, capacity: usize) -> Self {
        let (wake, wakes) = mpsc::channel();
        let engine = Engine::start(Path::new("simulated/store"), disk.opener()).unwrap();
        let wake = move || wake.send(()).unwrap_or_default();
        Self { store: Store::run(engine, capacity, wake).unwrap(), wakes }
    }

    fn at(path: &Path) -> Result<Self, OpenError> {
        let (wake, wakes) = mpsc::channel();
        let store = Store::open(path, move || wake.send(()).unwrap_or_default())?;
        Ok(Self { store, wakes })
    }

    fn ask(&self, ticket: usize, change: &Change) {
        match change {
            Change::Put(log, number, record) => {
                self.store.requests().put(ticket, logs()[*log], *number, record);
            }
            Change::Trim(log, upto) => self.store.requests().trim(ticket, logs()[*log], *upto),
        }
    }

    /// Waits until the store waits for its disk, which is held, as it must before it answers.
    fn wait_until_held(&self, disk: &Disk) {
        while !disk.is_held_soon() {
            let early: Vec<_> = self.store.answers().collect();
            assert_eq!(early, [], "it was answered before it was durable");
        }
    }

    fn wait_for(&self, count: usize) -> Vec<Answer<usize>> {
        let mut answers: Vec<_> = self.store.answers().collect();
        while answers.len() < count {
            self.wakes.recv().unwrap();
            answers.extend(self.store.answers());
        }
        assert_eq!(answers.len(), count);
        answers
    }

    fn read(&self, log: Log, from: u64) -> Found {
        self.store.requests().read(usize::MAX, log, from, 1);
        match self.wait_for(1).remove(0) {
            Answer::Read { ticket: usize::MAX, result } => result.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// All there is, read by way of the store.
    fn content(&self) -> Model {
        let mut model = Model::default();
        for (index, log) in logs().into_iter().enumerate() {
            let last = self.read(log, 0).last;
            if last > 0 {
                model.lasts.insert(index, last);
            }
            for (number, record) in self.store.history(log, 0, usize::MAX).unwrap() {
                model.records.insert((index, number), record);
            }
        }
        model
    }
}

#[derive(Clone, Debug)]
enum Change {
    Put(usize, u64, Vec<u8>),
    Trim(usize, u64),
}

/// What a store should hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    records: BTreeMap<(usize, u64), Vec<u8>>,
    lasts: BTreeMap<usize, u64>,
}

impl Model {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Put(log, number, record) => {
                self.records.insert((*log, *number), record.clone());
                let last = self.lasts.entry(*log).or_default();
                *last = (*last).max(*number);
            }
            Change::Trim(log, upto) => {
                self.records.retain(|(l, number), _| l != log || number > upto);
            }
        }
    }

    fn read(&self, log: usize, from: u64) -> Found {
        let first = self.records.range((log, from)..=(log, u64::MAX)).next();
        Found {
            records: first
                .map(|((_, number), record)| (*number, record.clone()))
                .into_iter()
                .collect(),
            last: self.lasts.get(&log).copied().unwrap_or_default(),
        }
    }
}

/// Neighbours in the order of their bytes, so that a range that is too wide shows.
fn logs() -> [Log; 4] {
    [
        Log::Mailbox(Account(1)),
        Log::Mailbox(Account(2)),
        Log::Outbox(PublicKey([0xff; 32])),
        Log::Inbox(PublicKey([0; 32])),
    ]
}

fn log() -> impl Strategy<Value = usize> {
    0..logs().len()
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 1..20_u64, 1 => Just(1 << 40), 1 => Just(u64::MAX)]
}

fn change() -> impl Strategy<Value = Change> {
    let record = prop_oneof![9 => 0..300_usize, 1 => Just(20_000)]
        .prop_flat_map(|length| prop::collection::vec(any::<u8>(), length));
    prop_oneof![
        4 => (log(), number(), record).prop_map(|(l, n, r)| Change::Put(l, n, r)),
        1 => (log(), number()).prop_map(|(l, n)| Change::Trim(l, n)),
    ]
}

fn stored(ticket: usize) -> Answer<usize> {
    Answer::Stored { ticket, result: Ok(()) }
}

fn failed(ticket: usize) -> Answer<usize> {
    Answer::Stored { ticket, result: Err(StoreError) }
}
