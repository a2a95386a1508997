//! What all parts of a world share: its time, its dice, what goes wrong in it, and what is written
//! down of it.

use crate::{
    agenda::{Agenda, Alarm, Entry, Event, Task},
    clock::{Moment, SECOND},
    counts::Counts,
    dice::Dice,
    faults::Faults,
    judgement::Judgement,
    place::{Place, SERVER},
    trace::{Mark, Telling, Trace},
};

/// What all parts of a world share.
#[derive(Debug)]
pub(crate) struct Ctx {
    /// Decides everything.
    pub(crate) dice: Dice,
    /// What goes wrong at this time.
    pub(crate) faults: Faults,
    /// What happened so far.
    pub(crate) counts: Counts,
    agenda: Agenda,
    trace: Trace,
    /// What each node is called.
    names: Vec<String>,
}

impl Ctx {
    pub(crate) fn new(seed: u64, faults: Faults, telling: Telling) -> Self {
        Self {
            dice: Dice::new(seed),
            faults,
            counts: Counts { worlds: 1, ..Counts::default() },
            agenda: Agenda::default(),
            trace: Trace::new(telling),
            names: Vec::new(),
        }
    }

    /// The next node is called so.
    pub(crate) fn introduce(&mut self, name: &str) {
        self.names.push(name.into());
    }

    /// What a node is called.
    pub(crate) fn name(&self, place: Place) -> &str {
        &self.names[place]
    }

    // ---- time

    /// Microseconds since the world began.
    pub(crate) fn now(&self) -> Moment {
        self.agenda.now()
    }

    /// Something will happen so much later.
    pub(crate) fn after(&mut self, span: Moment, event: Event) -> Entry {
        self.agenda.after(span, event)
    }

    /// A host will do something so much later, if it still lives this life then.
    pub(crate) fn task(&mut self, span: Moment, (place, life): (Place, u64), task: Task) {
        self.agenda.after(span, Event::Of(place, life, task));
    }

    /// Whoever drives the world will be told so much later.
    pub(crate) fn alarm(&mut self, span: Moment, alarm: Alarm) {
        self.agenda.after(span, Event::Alarm(alarm));
    }

    /// It will not happen.
    pub(crate) fn cancel(&mut self, entry: Entry) {
        self.agenda.cancel(entry);
    }

    /// What happens next, if it does up to a moment: it is then.
    pub(crate) fn next(&mut self, end: Moment) -> Option<Event> {
        let event = self.agenda.next(end)?;
        self.demand(SERVER, !self.agenda.stands_still(), || "time stands still".into());
        Some(event)
    }

    /// Nothing else happens up to a moment: it is then.
    pub(crate) fn pass(&mut self, end: Moment) {
        self.agenda.pass(end);
    }

    // ---- what is written down

    /// A line, made only if it is wanted, of what the nodes are called.
    pub(crate) fn line(&self, line: impl FnOnce(&[String]) -> String) {
        self.trace.line(self.now(), || line(&self.names));
    }

    /// Something happened at a node.
    pub(crate) fn mark(&mut self, place: Place, what: Mark<'_>) {
        self.trace.mark(self.agenda.now(), place, what);
    }

    /// The fingerprint of all that happened so far.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.trace.hash()
    }

    // ---- what must hold

    /// What happened at a node was judged.
    ///
    /// # Panics
    /// When a law was broken.
    pub(crate) fn judge(&self, place: Place, judgement: Judgement) {
        if let Err(broken) = judgement {
            let (now, name) = (self.now(), self.name(place));
            panic!("after {}.{:06} s, at {name}: {broken}", now / SECOND, now % SECOND)
        }
    }

    /// Something must hold at a node.
    ///
    /// # Panics
    /// When it does not.
    pub(crate) fn demand(&self, place: Place, holds: bool, broken: impl FnOnce() -> String) {
        self.judge(place, if holds { Ok(()) } else { Err(broken()) });
    }
}
