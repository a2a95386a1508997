//! The durable store: logs of numbered records in one file.
//!
//! It keeps the contract of [`proto_core::host`]. Requests go to a thread of
//! their own, which makes all that wait durable in one commit and then answers,
//! so that the event loop never waits for a disk. After a failure everything
//! fails that was asked before the loop was told, because it may rely on what
//! failed; what is asked later is tried again.

mod engine;
mod error;
mod request;
mod tables;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use proto_core::{
    host::{Log, Machine, Records, StoreError, Ticket},
    time::Instant,
};

pub use error::{Failure, OpenError};

use engine::Engine;
use request::{Ask, Asker, Read, Request, Wanted};
use tables::SCHEMA;
use worker::Shared;

/// A record and its number.
pub type Record = (u64, Vec<u8>);

/// How many requests may wait for the disk; a further one fails at once.
pub const QUEUE_CAPACITY: usize = 4096;

/// The durable store. Dropping it makes durable what still waits.
///
/// `T` names a request in its answer.
pub struct Store<T = Ticket> {
    shared: Arc<Shared<T>>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
    boot: u64,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T = Ticket> {
    /// A record is durable, or durably forgotten.
    Stored {
        /// Names the request.
        ticket: T,
        /// [`Store::last_error`] has the reason.
        result: Result<(), StoreError>,
    },
    /// A log was read.
    Read {
        /// Names the request.
        ticket: T,
        /// What was found; [`Store::last_error`] has the reason if nothing could be read.
        result: Result<Found, StoreError>,
    },
}

/// What was read from a log; the owner of [`Records`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The first records at or after the number asked for.
    pub records: Vec<Record>,
    /// The highest number ever put into the log, 0 for an untouched one.
    pub last: u64,
}

impl Found {
    fn lend(&self) -> Vec<(u64, &[u8])> {
        self.records.iter().map(|(number, record)| (*number, record.as_slice())).collect()
    }
}

impl Answer {
    /// Hands the answer to the role that asked.
    pub fn give_to<M: Machine>(&self, machine: &mut M, now: Instant) {
        match self {
            Self::Stored { ticket, result } => machine.handle_stored(now, *ticket, *result),
            Self::Read { ticket, result: Err(why) } => machine.handle_read(now, *ticket, Err(*why)),
            Self::Read { ticket, result: Ok(found) } => {
                let records = found.lend();
                let records = Records { records: &records, last: found.last };
                machine.handle_read(now, *ticket, Ok(records));
            }
        }
    }
}

impl<T: Send + 'static> Store<T> {
    /// Opens the store in the file at `path`, creating it if there is none.
    ///
    /// `wake` is called whenever there are new [`Self::answers`], mostly from the store's thread.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong with the file and what to do.
    pub fn open(path: &Path, wake: impl Fn() + Send + Sync + 'static) -> Result<Self, OpenError> {
        Self::run(Engine::open(path)?, QUEUE_CAPACITY, wake)
    }

    fn run(
        engine: Engine,
        capacity: usize,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        let (path, boot) = (engine.path().to_owned(), engine.boot());
        let shared = Arc::new(Shared::new(path.clone(), capacity, Box::new(wake)));
        let worker = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("udpchat-store".to_owned())
            .spawn(move || worker.run(engine))
            .map_err(|cause| OpenError::system(&path, &cause))?;
        Ok(Self { shared, thread: Some(thread), path, boot })
    }

    /// How often this store was opened, this time included: durable, and never
    /// the same twice.
    pub fn boot(&self) -> u64 {
        self.boot
    }

    /// To ask for something: the store sets to work when what this gives is dropped, so that
    /// what is asked for together is made durable together.
    pub fn requests(&self) -> Requests<'_, T> {
        Requests { store: self, is_empty: true }
    }

    /// Takes the answers that are there. To be called on every wake.
    pub fn answers(&self) -> impl Iterator<Item = Answer<T>> + use<T> {
        self.shared.take_answers().into_iter()
    }

    /// Why the newest failed request failed.
    pub fn last_error(&self) -> Option<Failure> {
        self.shared.failure()
    }

    /// Up to `limit` records from the number `from` upwards, for people to
    /// read. It waits for the disk.
    ///
    /// # Errors
    /// [`Failure`] says why the log cannot be read.
    pub fn history(&self, log: Log, from: u64, limit: usize) -> Result<Vec<Record>, Failure> {
        self.wait_for(read(log, from, Wanted::Oldest(limit)))
    }

    /// The newest `limit` records, oldest first, for people to read. It waits
    /// for the disk.
    ///
    /// # Errors
    /// [`Failure`] says why the log cannot be read.
    pub fn newest(&self, log: Log, limit: usize) -> Result<Vec<Record>, Failure> {
        self.wait_for(read(log, 0, Wanted::Newest(limit)))
    }

    fn wait_for(&self, ask: Ask) -> Result<Vec<Record>, Failure> {
        let (caller, answer) = mpsc::sync_channel(1);
        self.shared.ask(Request { ask, asker: Asker::Caller(caller) });
        self.shared.work();
        answer.recv().unwrap_or_else(|_| Err(Failure::Ended { path: self.path.clone() }))
    }
}

/// Requests to a store, on their way.
#[derive(Debug)]
pub struct Requests<'s, T: Send + 'static = Ticket> {
    store: &'s Store<T>,
    is_empty: bool,
}

impl<T: Send + 'static> Requests<'_, T> {
    /// Puts a record; [`Answer::Stored`] follows when it is durable. A record
    /// that has the number already is replaced.
    pub fn put(&mut self, ticket: T, log: Log, number: u64, record: &[u8]) {
        let ask = Ask::Put { log: log.to_bytes(), number, record: record.to_vec() };
        self.ask(ask, ticket);
    }

    /// Forgets the records up to and including `upto`; [`Answer::Stored`]
    /// follows when that is durable.
    pub fn trim(&mut self, ticket: T, log: Log, upto: u64) {
        self.ask(Ask::Trim { log: log.to_bytes(), upto }, ticket);
    }

    /// Reads up to `most` records from the number `from` upwards; [`Answer::Read`] follows.
    /// It sees what was put before.
    pub fn read(&mut self, ticket: T, log: Log, from: u64, most: usize) {
        self.ask(read(log, from, Wanted::Oldest(most)), ticket);
    }

    fn ask(&mut self, ask: Ask, ticket: T) {
        self.store.shared.ask(Request { ask, asker: Asker::Loop(ticket) });
        self.is_empty = false;
    }
}

impl<T: Send + 'static> Drop for Requests<'_, T> {
    fn drop(&mut self) {
        if !self.is_empty {
            self.store.shared.work();
        }
    }
}

impl<T> Drop for Store<T> {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has answered nothing wrong, and has nothing to flush.
            let _ = thread.join();
        }
    }
}

impl<T> fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .field("boot", &self.boot)
            .finish_non_exhaustive()
    }
}

fn read(log: Log, from: u64, wanted: Wanted) -> Ask {
    Ask::Read(Read { log: log.to_bytes(), from, wanted })
}
