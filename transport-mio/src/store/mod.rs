//! The durable store: logs of numbered records in one file.
//!
//! It keeps the contract of [`proto_core::host`]. Requests go to a thread of
//! their own, which makes all that wait durable in one commit and then answers,
//! so that the event loop never waits for a disk. After a failure everything
//! fails that was asked before the loop was told, because it may rely on what
//! failed; what is asked later is tried again.

mod engine;
mod error;
mod lines;
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
    client::{Correspondent, To},
    host::{Log, Machine, Records, StoreError, Ticket},
    id::PublicKey,
    time::Instant,
};

pub use error::{Failure, OpenError};
pub use lines::{Line, Place, Spoken, Unread};

pub(crate) use lines::{Came, Note};

use engine::Engine;
use lines::LinesOf;
use request::{Ask, Asker, Look, Outcome, Read, Request, Wanted};
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

    /// The newest `limit` lines ahead of a place, or of all, in the order of time: of one
    /// conversation, or of all of them. It waits for the disk.
    ///
    /// # Errors
    /// [`Failure`] says why they cannot be read.
    pub fn lines(
        &self,
        conversation: Option<PublicKey>,
        before: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Line>, Failure> {
        match self.wait(Look::Lines(LinesOf { conversation, before, limit }))? {
            Outcome::Lines(lines) => Ok(lines),
            _ => Ok(Vec::new()),
        }
    }

    /// How many lines of each conversation came and were not [shown](Self::shown). It waits for
    /// the disk.
    ///
    /// # Errors
    /// [`Failure`] says why they cannot be counted.
    pub fn unread(&self) -> Result<Vec<Unread>, Failure> {
        match self.wait(Look::Unread)? {
            Outcome::Unread(unread) => Ok(unread),
            _ => Ok(Vec::new()),
        }
    }

    /// Notes with whom a conversation is, soon.
    pub fn name(&self, conversation: PublicKey, with: To) {
        self.requests().note(Note::Named { of: conversation, with });
    }

    /// The conversations that were [named](Self::name). It waits for the disk.
    ///
    /// # Errors
    /// [`Failure`] says why they cannot be read.
    pub fn named(&self) -> Result<Vec<Correspondent>, Failure> {
        match self.wait(Look::Named)? {
            Outcome::Named(named) => Ok(named),
            _ => Ok(Vec::new()),
        }
    }

    /// The user has seen what has these numbers in the conversations' inboxes; of a room's entry,
    /// the number may be its index in the room's log. It becomes durable soon.
    pub fn shown(&self, seen: impl IntoIterator<Item = (PublicKey, u64)>) {
        let mut requests = self.requests();
        for (of, number) in seen {
            requests.note(Note::Shown { of, number });
        }
    }

    fn wait_for(&self, look: Look) -> Result<Vec<Record>, Failure> {
        match self.wait(look)? {
            Outcome::Read(found) => Ok(found.records),
            _ => Ok(Vec::new()),
        }
    }

    fn wait(&self, look: Look) -> Result<Outcome, Failure> {
        let (caller, answer) = mpsc::sync_channel(1);
        self.shared.ask(Request { ask: Ask::Look(look), asker: Asker::Caller(caller) });
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
        self.put_noted(ticket, (log, number, record), None);
    }

    /// The same; if the log has no record of that number yet, what is to be noted becomes durable
    /// with it.
    pub(crate) fn put_noted(
        &mut self,
        ticket: T,
        (log, number, record): (Log, u64, &[u8]),
        note: Option<Note>,
    ) {
        let ask = Ask::Put { log: log.to_bytes(), number, record: record.to_vec(), note };
        self.ask(ask, Asker::Loop(ticket));
    }

    /// Notes something: without an answer, ahead of what is asked for later, and again if it
    /// fails.
    pub(crate) fn note(&mut self, note: Note) {
        self.ask(Ask::Note(note), Asker::Nobody);
    }

    /// Forgets the records up to and including `upto`; [`Answer::Stored`]
    /// follows when that is durable.
    pub fn trim(&mut self, ticket: T, log: Log, upto: u64) {
        self.ask(Ask::Trim { log: log.to_bytes(), upto }, Asker::Loop(ticket));
    }

    /// Reads up to `most` records from the number `from` upwards; [`Answer::Read`] follows.
    /// It sees what was put before.
    pub fn read(&mut self, ticket: T, log: Log, from: u64, most: usize) {
        let look = read(log, from, Wanted::Oldest(most));
        self.ask(Ask::Look(look), Asker::Loop(ticket));
    }

    fn ask(&mut self, ask: Ask, asker: Asker<T>) {
        self.store.shared.ask(Request { ask, asker });
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

fn read(log: Log, from: u64, wanted: Wanted) -> Look {
    Look::Read(Read { log: log.to_bytes(), from, wanted })
}
