//! Requests on their way to the store's thread, and what became of them.

use std::sync::mpsc::SyncSender;

use proto_core::{
    client::Correspondent,
    host::{Log, StoreError},
};

use super::{
    Answer, Failure, Found,
    lines::{Line, LinesOf, Note, Unread},
};

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
    Caller(SyncSender<Result<Outcome, Failure>>),
    /// Nobody: it is done with the next that succeeds, if not at once.
    Nobody,
}

pub(super) enum Ask {
    /// With the note that goes with it, if the record is new.
    Put {
        log: LogName,
        number: u64,
        record: Vec<u8>,
        note: Option<Note>,
    },
    Trim {
        log: LogName,
        upto: u64,
    },
    Note(Note),
    Look(Look),
}

/// What only reads.
pub(super) enum Look {
    Read(Read),
    Lines(LinesOf),
    Unread,
    Named,
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
    Lines(Vec<Line>),
    Unread(Vec<Unread>),
    Named(Vec<Correspondent>),
}

impl Ask {
    pub(super) fn as_look(&self) -> Option<&Look> {
        match self {
            Self::Look(look) => Some(look),
            Self::Put { .. } | Self::Trim { .. } | Self::Note(_) => None,
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
                tell(&caller, Ok(outcome));
                None
            }
            (Asker::Nobody, _) => None,
        }
    }

    /// As [`Self::succeed`], when it could not be done.
    pub(super) fn fail(self, why: &Failure) -> Option<Answer<T>> {
        match (self.asker, self.ask) {
            (Asker::Loop(ticket), Ask::Look(_)) => {
                Some(Answer::Read { ticket, result: Err(StoreError) })
            }
            (Asker::Loop(ticket), _) => Some(Answer::Stored { ticket, result: Err(StoreError) }),
            (Asker::Caller(caller), _) => {
                tell(&caller, Err(why.clone()));
                None
            }
            (Asker::Nobody, _) => None,
        }
    }
}

fn tell(caller: &SyncSender<Result<Outcome, Failure>>, result: Result<Outcome, Failure>) {
    // A caller who is gone need not be told.
    let _ = caller.send(result);
}
