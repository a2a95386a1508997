//! A store of a few records that lasts as long as the power does.

use heapless::{LinearMap, Vec};
use proto_core::host::{Log, StoreError};

use crate::conversation::WORK;

pub struct Store {
    records: Vec<(Log, u64, Vec<u8, WORK>), 8>,
    /// The highest number ever put into each log.
    lasts: LinearMap<Log, u64, 8>,
}

impl Store {
    pub const fn new() -> Self {
        Self { records: Vec::new(), lasts: LinearMap::new() }
    }

    pub fn put(&mut self, log: Log, number: u64, record: &[u8]) -> Result<(), StoreError> {
        let record = Vec::from_slice(record).map_err(|_| StoreError)?;
        let last = self.last(log).max(number);
        self.lasts.insert(log, last).map_err(|_| StoreError)?;
        self.records.retain(|(of, at, _)| (*of, *at) != (log, number));
        self.records.push((log, number, record)).map_err(|_| StoreError)
    }

    pub fn trim(&mut self, log: Log, upto: u64) {
        self.records.retain(|(of, at, _)| *of != log || *at > upto);
    }

    /// The first record at or after a number.
    pub fn first(&self, log: Log, from: u64) -> Option<(u64, &[u8])> {
        let found = self.records.iter().filter(|(of, at, _)| *of == log && *at >= from);
        found.min_by_key(|(_, at, _)| *at).map(|(_, at, record)| (*at, &record[..]))
    }

    pub fn last(&self, log: Log) -> u64 {
        self.lasts.get(&log).copied().unwrap_or(0)
    }
}
