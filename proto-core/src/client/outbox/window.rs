//! Which part of an outbox is in memory: the messages whose turn it is. Those that the server
//! has wait in the store for their last word, and so do those that are not in turn yet, so a
//! hundred thousand cost no more memory than one.
//!
//! ```text
//!   done          shelved           loaded            last
//!    │ the server has │   in memory    │  not in turn   │
//!    └────────────────┴────────────────┴────────────────┘
//!      settled by       settled one by   read when those
//!      a cursor         one              before are gone
//! ```

use crate::client::headers::Settled;
use crate::{
    client::{event::Verdict, role::ClientLink},
    host::Ask,
    id::{Epoch, Position},
    storage::Id,
};

/// How an outbox is divided between memory and store.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// What the server does not have up to here is in memory, or was settled there.
    pub(super) loaded: Position,
    /// How many are known to come behind that.
    behind: u32,
    /// There may be more behind than that: one counts as unsaved until it is known.
    uncertain: bool,
    /// The last that left memory on its way to be settled.
    pub(super) shelved: Position,
    /// All up to here may have been sent.
    pub(super) maybe_sent: Position,
    /// The epoch ahead of that of the last message.
    pub(super) former: Epoch,
    /// The session in which the server last said how far it has this conversation.
    pub(super) confirmed: Option<Id<ClientLink>>,
    /// What became of those that are shelved.
    pub(super) settled: Settled,
    pub(super) fetch: Ask,
    /// What became of the first that are shelved, to be told.
    telling: Option<Verdicts>,
    /// The store failed at its last request, or there was no room for the answer: it is asked
    /// again later.
    pub(super) failed: bool,
    /// Behind which message the outbox is being read.
    pub(super) from: Position,
    /// What became of the first that is shelved is not known.
    pub(super) blocked: bool,
}

/// The same became of all messages from one to another of one epoch.
#[derive(Clone, Copy, Debug)]
struct Verdicts {
    next: Position,
    last: Position,
    verdict: Verdict,
}

impl Window {
    /// The same became of all shelved messages from one to another, which is to be told.
    pub(super) fn tell(&mut self, next: Position, last: Position, verdict: Verdict) {
        self.telling = Some(Verdicts { next, last, verdict });
    }

    /// What became of shelved messages is being told.
    pub(super) fn is_telling(&self) -> bool {
        self.telling.is_some()
    }

    /// The next that is to be told of what became of shelved messages.
    pub(super) fn next_verdict(&mut self) -> Option<(Position, Verdict)> {
        let told = self.telling.take()?;
        if told.next < told.last {
            self.telling = Some(Verdicts { next: after(told.next), ..told });
        }
        Some((told.next, told.verdict))
    }

    /// The store is asked for what is behind `from`.
    pub(super) fn asked(&mut self, serial: u32, from: Position) {
        (self.fetch, self.from) = (Ask::Asked(serial), from);
    }

    /// There are messages behind those in memory.
    pub(super) fn has_behind(&self) -> bool {
        self.behind > 0 || self.uncertain
    }

    /// One more is behind.
    pub(super) fn fall_behind(&mut self) {
        self.behind += 1;
    }

    /// There may be more behind than is known; `true` if that is new, and one more counts as
    /// unsaved.
    #[must_use]
    pub(super) fn doubt(&mut self) -> bool {
        !core::mem::replace(&mut self.uncertain, true)
    }

    /// One that was behind is so no longer; `false` if it was not counted.
    #[must_use]
    pub(super) fn come_forward(&mut self) -> bool {
        let counted = self.behind.checked_sub(1);
        self.behind = counted.unwrap_or(0);
        counted.is_some()
    }

    /// None is behind; how many were counted.
    pub(super) fn nothing_behind(&mut self) -> usize {
        let certain = core::mem::take(&mut self.behind) as usize;
        certain + usize::from(core::mem::take(&mut self.uncertain))
    }

    /// What is not in memory is behind `position`.
    pub(super) fn loaded_upto(&mut self, position: Position) {
        self.loaded = self.loaded.max(position);
    }

    /// What is beyond `from` leaves memory.
    pub(super) fn unload(&mut self, from: Position) {
        self.maybe_sent = self.maybe_sent.max(self.loaded);
        // What is being read may be none of those that come next.
        self.fetch = Ask::Idle;
        self.loaded = self.loaded.min(from);
    }
}

/// The next place in the same epoch.
pub(super) fn after(position: Position) -> Position {
    Position { number: position.number.next(), ..position }
}

/// The last place before another.
pub(super) fn before(position: Position) -> Position {
    Position::from_record_number(position.to_record_number().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use crate::id::Number;

    use super::*;

    fn at(number: u64) -> Position {
        Position::new(Epoch(1), Number(number))
    }

    #[test]
    fn each_shelved_message_has_its_verdict_told() {
        let mut window = Window::default();
        window.tell(at(3), at(5), Verdict::Delivered);
        let told: std::vec::Vec<_> = core::iter::from_fn(|| window.next_verdict()).collect();
        let delivered = |number| (at(number), Verdict::Delivered);
        assert_eq!(told, [delivered(3), delivered(4), delivered(5)]);
        assert!(!window.is_telling());
    }

    #[test]
    fn what_may_be_behind_counts_as_one_until_it_is_known() {
        let mut window = Window::default();
        window.fall_behind();
        assert!(window.doubt() && !window.doubt());
        assert!(window.come_forward() && !window.come_forward() && window.has_behind());
        assert_eq!((window.nothing_behind(), window.has_behind()), (1, false));
    }
}
