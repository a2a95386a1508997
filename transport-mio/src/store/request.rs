//! Requests on their way to the store's thread, and what became of them.

use std::sync::mpsc::SyncSender;

use proto_core::host::{Log, StoreError};

use super::{Answer, Failure, Found, Record};

pub(super) type LogName = [u8; Log::LENGTH];

/// What is asked, and who is to be told.
pub(super) struct Request<T> {
    pub(super) ask: Ask,
    pub(super) asker: Asker<T>,
}

pub(super) enum Asker<T> {
    /// The event loop, by an answer that names the ticket.
    Loop(T),
    /// A caller who waits.
    Caller(SyncSender<Result<Vec<Record>, Failure>>),
}

pub(super) enum Ask {
    Put { log: LogName, number: u64, record: Vec<u8> },
    Trim { log: LogName, upto: u64 },
    Read(Read),
}

pub(super) struct Read {
    pub(super) log: LogName,
    pub(super) from: u64,
    pub(super) wanted: Wanted,
}

pub(super) enum Wanted {
    /// So many of the oldest.
    Oldest(usize),
    /// So many of the newest.
    Newest(usize),
}

pub(super) enum Outcome {
    Done,
    Read(Found),
}

impl Ask {
    pub(super) fn as_read(&self) -> Option<&Read> {
        match self {
            Self::Read(read) => Some(read),
            Self::Put { .. } | Self::Trim { .. } => None,
        }
    }
}

impl<T> Request<T> {
    /// Tells a waiting caller, or gives the answer that tells the event loop.
    pub(super) fn succeed(self, outcome: Outcome) -> Option<Answer<T>> {
        match (self.asker, outcome) {
            (Asker::Loop(ticket), Outcome::Read(found)) => {
                Some(Answer::Read { ticket, result: Ok(found) })
            }
            (Asker::Loop(ticket), _) => Some(Answer::Stored { ticket, result: Ok(()) }),
            (Asker::Caller(caller), outcome) => {
                let records = match outcome {
                    Outcome::Read(found) => found.records,
                    Outcome::Done => Vec::new(),
                };
                tell(&caller, Ok(records));
                None
            }
        }
    }

    /// As [`Self::succeed`], when it could not be done.
    pub(super) fn fail(self, why: &Failure) -> Option<Answer<T>> {
        match (self.asker, self.ask) {
            (Asker::Loop(ticket), Ask::Read(_)) => {
                Some(Answer::Read { ticket, result: Err(StoreError) })
            }
            (Asker::Loop(ticket), _) => Some(Answer::Stored { ticket, result: Err(StoreError) }),
            (Asker::Caller(caller), _) => {
                tell(&caller, Err(why.clone()));
                None
            }
        }
    }
}

fn tell(caller: &SyncSender<Result<Vec<Record>, Failure>>, result: Result<Vec<Record>, Failure>) {
    // A caller who is gone need not be told.
    let _ = caller.send(result);
}
