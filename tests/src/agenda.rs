//! What is going to happen in a world, and when: one queue, and with it the world's clock.

use std::collections::BTreeMap;

use proto_core::{
    host::Ticket,
    id::{Nick, PublicKey},
};

use crate::{clock::Moment, letter::Letter, place::Place, role::Judged, store::Answer};

/// The most events in one moment: more are someone who is never done.
const HURRY: u32 = 50_000;

/// Something that is going to happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// A datagram arrives; it was changed on the way, or forged.
    Arrive { letter: Letter, damaged: bool },
    /// What waited to be overtaken waits no longer.
    Release,
    /// A node's deadline is due.
    Wake(Place),
    /// Something of this life of a node only.
    Of(Place, u64, Task),
    /// It is the turn of one of those who take what they can get.
    Turn(usize),
    /// What whoever drives the world asked to be told.
    Alarm(Alarm),
}

/// Something that a host does.
#[derive(Debug)]
pub(crate) enum Task {
    /// Its store carries out a request.
    Commit,
    /// Its store answers.
    Answer(Answer),
    /// It has judged a password.
    Judged(Ticket, Judged),
    /// Its user types a password.
    Type,
    /// The user accepts the key that a nick has now.
    Trust(Nick, PublicKey),
    /// It stands still no longer.
    Resume,
    /// It starts again.
    Boot,
}

/// What befalls a world from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Alarm {
    /// The users take their next step.
    Step,
    /// Something goes wrong.
    Incident,
    /// Someone forges.
    Attack,
}

/// Where an event is in the queue.
pub(crate) type Entry = (Moment, u64);

/// The queue of what is going to happen, and the time.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    now: Moment,
    queue: BTreeMap<Entry, Event>,
    serial: u64,
    /// Events that happened at this very moment.
    hurry: u32,
}

impl Agenda {
    /// Microseconds since the world began.
    pub(crate) fn now(&self) -> Moment {
        self.now
    }

    /// Something will happen so much later, after all else that happens then as yet.
    pub(crate) fn after(&mut self, span: Moment, event: Event) -> Entry {
        self.serial += 1;
        let entry = (self.now + span, self.serial);
        self.queue.insert(entry, event);
        entry
    }

    /// It will not happen.
    pub(crate) fn cancel(&mut self, entry: Entry) {
        self.queue.remove(&entry);
    }

    /// What happens next, if it does up to a moment: it is then.
    pub(crate) fn next(&mut self, end: Moment) -> Option<Event> {
        let entry = self.queue.first_entry().filter(|entry| entry.key().0 <= end)?;
        let ((at, _), event) = entry.remove_entry();
        self.hurry = if at == self.now { self.hurry + 1 } else { 0 };
        self.now = at;
        Some(event)
    }

    /// Nothing else happens up to a moment: it is then.
    pub(crate) fn pass(&mut self, end: Moment) {
        self.now = end;
    }

    /// There is no end to what happens at this moment.
    pub(crate) fn stands_still(&self) -> bool {
        self.hurry >= HURRY
    }
}
