//! An author as the inbox knows them.

use core::cmp::Ordering;

use crate::{
    id::{Number, Position},
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
    /// Of a person: the inbox was asked to keep all up to here, and has all up to here.
    pub(super) asked: Position,
    pub(super) kept: Position,
    /// How far the epoch before that of `asked` was taken in.
    before: Position,
    /// Something came of them, or is on its way.
    has_written: bool,
}

impl Author {
    /// The store's inbox has its last message at `head`.
    pub(in crate::client) fn resume(&mut self, head: Position) {
        (self.asked, self.kept) = (head, head);
    }

    /// Something came of them, or is on its way.
    pub(in crate::client) fn hear(&mut self) {
        self.has_written = true;
    }

    /// Nothing ever came of them.
    pub(in crate::client) fn is_unheard(&self) -> bool {
        !self.has_written && self.asked == Position::default()
    }

    /// The inbox has this message, or is asked to keep it.
    pub(super) fn has_asked(&self, position: Position) -> bool {
        self.has_passed(position, self.asked)
    }

    /// The inbox has this message.
    pub(super) fn has_kept(&self, position: Position) -> bool {
        self.has_passed(position, self.kept)
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

    /// Takes in the next message; how many numbers right before it are missing.
    pub(super) fn take(&mut self, position: Position) -> u64 {
        // Of an author first heard of there is no telling.
        let missing = if self.asked == Position::default() {
            0
        } else {
            let cursor = self.cursor(position);
            position.number.0.saturating_sub(1).saturating_sub(cursor.number.0)
        };
        if position.epoch < self.asked.epoch {
            self.before = position;
            return missing;
        }
        if position.epoch > self.asked.epoch {
            self.before = self.asked;
        }
        self.asked = position;
        missing
    }

    /// How far the epoch of `position` was taken in.
    fn cursor(&self, position: Position) -> Position {
        let fresh = Position::new(position.epoch, Number(0));
        [self.asked, self.before].into_iter().find(|c| c.epoch == position.epoch).unwrap_or(fresh)
    }
}

#[cfg(test)]
mod tests {
    use crate::id::Epoch;

    use super::*;

    fn at(epoch: u32, number: u64) -> Position {
        Position::new(Epoch(epoch), Number(number))
    }

    #[test]
    fn what_is_missing_is_counted_but_of_an_author_first_heard_of() {
        let mut author = Author::default();
        assert_eq!(author.take(at(1, 7)), 0);
        assert!(author.has_asked(at(1, 7)) && !author.has_kept(at(1, 7)));
        assert_eq!(author.take(at(1, 8)), 0);
        assert_eq!(author.take(at(1, 11)), 2);
        assert_eq!(author.take(at(2, 3)), 2, "an epoch begins at 1");
    }

    #[test]
    fn the_next_is_the_one_behind_those_that_count() {
        let mut author = Author::default();
        author.take(at(1, 1));
        assert!(author.is_next(at(1, 2), 0) && !author.is_next(at(1, 4), 1));
        assert!(author.is_next(at(1, 4), 2), "2 and 3 were given up by their author");
        author.take(at(2, 1));
        assert!(
            author.is_next(at(1, 2), 0),
            "of the epoch before, it is still known how far it is"
        );
        assert!(author.has_asked(at(1, 1)) && !author.has_asked(at(1, 2)));
    }
}
