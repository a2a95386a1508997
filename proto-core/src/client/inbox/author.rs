//! An author as the inbox knows them.

use core::cmp::Ordering;

use crate::{
    id::{Epoch, Number, Position},
    received::Received,
    storage::List,
};

use super::message::{Incoming, OfPeer};

/// How far an author, or a room, is in the inbox.
#[derive(Debug, Default)]
pub(in crate::client) struct Author {
    /// What they said that is not in the inbox yet.
    pub(super) arriving: List<Incoming, OfPeer>,
    /// How many those are.
    pub(super) count: u16,
    /// Some of them may be mail that came directly too.
    pub(super) has_copies: bool,
    /// Of a person: what the inbox was asked to keep, and what it has.
    asked: Received,
    kept: Received,
    /// How far the epoch before that of `asked` was taken in.
    before: Position,
    /// Something came of them, or is on its way.
    has_written: bool,
}

impl Author {
    /// What the store's inbox has.
    pub(in crate::client) fn resume(&mut self, received: Received) {
        (self.asked, self.kept) = (received, received);
    }

    /// What the inbox has.
    pub(super) fn kept(&self) -> Received {
        self.kept
    }

    /// The newest epoch that something was taken of.
    pub(super) fn epoch(&self) -> Epoch {
        self.asked.last.epoch
    }

    /// Something came of them, or is on its way.
    pub(in crate::client) fn hear(&mut self) {
        self.has_written = true;
    }

    /// Nothing ever came of them.
    pub(in crate::client) fn is_unheard(&self) -> bool {
        !self.has_written && self.asked.is_none()
    }

    /// The inbox has this message, or is asked to keep it.
    pub(super) fn has_asked(&self, position: Position) -> bool {
        self.has_passed(position, self.asked.last)
    }

    /// The inbox has this message.
    pub(super) fn has_kept(&self, position: Position) -> bool {
        self.has_passed(position, self.kept.last)
    }

    /// `cursor` has passed this message. Of an older epoch than the one before, nothing is known:
    /// the inbox recognises it.
    fn has_passed(&self, position: Position, cursor: Position) -> bool {
        match position.epoch.cmp(&cursor.epoch) {
            Ordering::Less if position.epoch == self.before.epoch => position <= self.before,
            Ordering::Less | Ordering::Greater => false,
            Ordering::Equal => position <= cursor,
        }
    }

    /// Whether a message that came is the next of its author, no number that
    /// counts being missing before it.
    pub(super) fn is_next(&self, position: Position, skip: u32) -> bool {
        let before = position.number.0.saturating_sub(1).saturating_sub(skip.into());
        before <= self.cursor(position).number.0
    }

    /// Takes in the next message; `previous` is what its author called open before it. What the inbox
    /// has once it has this one, and how many are missing before it.
    pub(super) fn take(&mut self, position: Position, previous: Position) -> (Received, u64) {
        if position.epoch < self.epoch() {
            self.before = position;
            return (Received::only(position), 0);
        }
        let missing = self.asked.missing(previous);
        if position.epoch > self.epoch() {
            self.before = self.asked.last;
        }
        self.asked = self.asked.and(position, previous);
        (self.asked, missing)
    }

    /// The inbox has a message, and with it what [`Self::take`] said.
    pub(super) fn keep(&mut self, received: Received) {
        if self.kept.last < received.last {
            self.kept = received;
        }
    }

    /// How far the epoch of `position` was taken in.
    fn cursor(&self, position: Position) -> Position {
        let fresh = Position::new(position.epoch, Number(0));
        [self.asked.last, self.before]
            .into_iter()
            .find(|c| c.epoch == position.epoch)
            .unwrap_or(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u32, number: u64) -> Position {
        Position::new(Epoch(epoch), Number(number))
    }

    #[test]
    fn what_is_missing_is_counted_and_is_not_in_the_inbox() {
        let mut author = Author::default();
        assert_eq!(author.take(at(1, 7), Position::NONE), (Received::only(at(1, 7)), 0));
        assert!(author.has_asked(at(1, 7)) && !author.has_kept(at(1, 7)));
        assert_eq!(author.take(at(1, 8), at(1, 7)).1, 0);
        let (received, missing) = author.take(at(1, 11), at(1, 10));
        assert_eq!((missing, received.passed_over(at(1, 9))), (2, true));
        author.keep(received);
        assert!(author.kept().covers(at(1, 8)) && author.has_kept(at(1, 11)));
        assert_eq!(author.take(at(2, 3), at(2, 2)).1, 2, "an epoch begins at 1");
    }

    #[test]
    fn what_is_late_of_an_epoch_before_speaks_for_itself_only() {
        let mut author = Author::default();
        author.take(at(1, 1), Position::NONE);
        let (received, _) = author.take(at(2, 1), Position::NONE);
        author.keep(received);
        let (late, missing) = author.take(at(1, 2), at(1, 1));
        assert_eq!((late, missing), (Received::only(at(1, 2)), 0));
        author.keep(late);
        assert_eq!(author.kept(), received);
    }

    #[test]
    fn the_next_is_the_one_behind_those_that_count() {
        let mut author = Author::default();
        author.take(at(1, 1), Position::NONE);
        assert!(author.is_next(at(1, 2), 0) && !author.is_next(at(1, 4), 1));
        assert!(author.is_next(at(1, 4), 2), "2 and 3 were given up by their author");
        author.take(at(2, 1), at(1, 1));
        assert!(
            author.is_next(at(1, 2), 0),
            "of the epoch before, it is still known how far it is"
        );
        assert!(author.has_asked(at(1, 1)) && !author.has_asked(at(1, 2)));
    }
}
