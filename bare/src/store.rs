//! A store of a few records that lasts as long as the power does.

use heapless::{LinearMap, Vec};
use proto_core::action::{Loaded, Log, StoreError};

use crate::conversation::WORK;

pub struct Store {
    records: Vec<(Log, u64, Vec<u8, WORK>), 8>,
    /// The highest number ever put into each log.
    heads: LinearMap<Log, u64, 8>,
}

impl Store {
    pub const fn new() -> Self {
        Self { records: Vec::new(), heads: LinearMap::new() }
    }

    pub fn put(&mut self, log: Log, number: u64, record: &[u8]) -> Result<(), StoreError> {
        let record = Vec::from_slice(record).map_err(|_| StoreError)?;
        let head = self.head(log).max(number);
        self.heads.insert(log, head).map_err(|_| StoreError)?;
        self.records.retain(|(of, at, _)| (*of, *at) != (log, number));
        self.records.push((log, number, record)).map_err(|_| StoreError)
    }

    pub fn forget(&mut self, log: Log, upto: u64) {
        self.records.retain(|(of, at, _)| *of != log || *at > upto);
    }

    pub fn load(&self, log: Log, from: u64) -> Loaded<'_> {
        let found = self.records.iter().filter(|(of, at, _)| *of == log && *at >= from);
        let record = found.min_by_key(|(_, at, _)| *at).map(|(_, at, record)| (*at, &record[..]));
        Loaded { record, head: self.head(log) }
    }

    fn head(&self, log: Log) -> u64 {
        self.heads.get(&log).copied().unwrap_or(0)
    }
}
