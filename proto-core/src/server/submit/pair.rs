//! Pairs: how far one recipient, a person or a room, has one author's submissions.

use crate::{
    host::Ask,
    id::{Account, Epoch, Number, Position, Recipient},
    record::PairRecord,
    storage::{Linked, List, Node},
};

use super::{
    super::store::Asking,
    entry::{Entry, OfPair},
};

/// How far one recipient has one author's submissions.
#[derive(Debug)]
pub struct Pair {
    pub(super) author: Account,
    pub(super) recipient: Recipient,
    /// The last one that was taken in, whatever became of it.
    pub(super) taken: Position,
    pub(super) record: PairRecord,
    /// The record was read from the store.
    pub(super) loaded: bool,
    /// The record has changed since it was last asked to be saved.
    pub(super) dirty: bool,
    /// A submission is being relayed.
    pub(super) online: bool,
    /// Its next submission waits until its author may say more in rooms.
    pub(super) early: bool,
    /// Up to here, entries were ventured at least once.
    pub(super) ventured: Position,
    /// What is neither durable nor delivered, in the order of arrival.
    pub(super) entries: List<Entry, OfPair>,
    /// How many those are, and how many entries of any kind refer to the pair.
    pub(super) count: u16,
    pub(super) uses: u32,
    pub(super) ask: Ask,
    pub(super) asking: Node<Self>,
    /// In the list of pairs whose author is to be told of progress.
    pub(super) owed: Node<Self>,
    /// In the list of those that could make room for others.
    pub(super) unused: Node<Self>,
    /// In its room's list of authors whose next submission waits for readers.
    pub(super) held: Node<Self>,
}

/// The lists that pairs are in.
#[derive(Debug)]
pub(super) struct Owed;
#[derive(Debug)]
pub(super) struct Unused;
#[derive(Debug)]
pub(crate) struct Held;

impl Linked<Asking> for Pair {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.asking
    }
}

impl Linked<Owed> for Pair {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.owed
    }
}

impl Linked<Unused> for Pair {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.unused
    }
}

impl Linked<Held> for Pair {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.held
    }
}

impl Pair {
    pub(super) fn new(author: Account, recipient: Recipient) -> Self {
        Self {
            author,
            recipient,
            taken: Position::default(),
            record: PairRecord::default(),
            loaded: false,
            dirty: false,
            online: false,
            early: false,
            ventured: Position::default(),
            entries: List::NEW,
            count: 0,
            uses: 0,
            ask: Ask::Owed,
            asking: Node::UNLINKED,
            owed: Node::UNLINKED,
            unused: Node::UNLINKED,
            held: Node::UNLINKED,
        }
    }

    /// What a pair is found by.
    pub(super) fn name(author: Account, recipient: Recipient) -> [u8; 16] {
        (u128::from(author.0) << 64 | u128::from(recipient.to_u64())).to_le_bytes()
    }

    /// Who submits.
    pub(crate) fn author(&self) -> Account {
        self.author
    }

    /// To whom.
    pub(crate) fn recipient(&self) -> Recipient {
        self.recipient
    }

    /// What of it is durable.
    #[cfg(test)]
    pub(crate) fn stored(&self) -> Position {
        self.record.stored
    }

    /// Its next submission waits for readers of its room.
    pub(crate) fn is_held(&self) -> bool {
        self.held.is_linked()
    }

    /// Its next submission waits until its author may say more in rooms.
    pub(crate) fn is_early(&self) -> bool {
        self.early
    }

    /// The number of its record among its author's.
    pub(super) fn number(&self) -> u64 {
        Self::number_of(self.recipient)
    }

    /// The number of an author's record of a recipient.
    pub(crate) fn number_of(recipient: Recipient) -> u64 {
        recipient.to_u64() + 1
    }

    /// Moves on to the epoch of `position`: its author began a new outbox.
    pub(super) fn enter(&mut self, position: Position) {
        if position.epoch > self.epoch() {
            // What is handed over or expires of the epochs before is still counted.
            self.record.stored = Position::new(position.epoch, Number(0));
            self.taken = self.record.stored;
            // How far an author is in a room is saved with each of its messages.
            self.dirty = matches!(self.recipient, Recipient::Account(_));
        }
    }

    /// What comes is the next entry to take in, as far as is known.
    pub(super) fn comes_next(&self, position: Position, skip: u32) -> bool {
        let anew =
            position.epoch > self.epoch() && position.number.0.saturating_sub(1) <= skip.into();
        self.loaded && (anew || self.is_next(position, skip))
    }

    /// The next entry to take in: no number that counts is missing before it.
    pub(super) fn is_next(&self, position: Position, skip: u32) -> bool {
        let before = position.number.0.saturating_sub(1).saturating_sub(skip.into());
        position.epoch == self.epoch()
            && position.number > self.taken.number
            && before <= self.taken.number.0
    }

    /// Learns what the store has of it. What is known already may be newer.
    pub(super) fn learn(&mut self, key: u32, record: &PairRecord) {
        self.loaded = true;
        self.record.key = key;
        let now = &mut self.record;
        now.stored = now.stored.max(record.stored);
        if record.delivered > now.delivered {
            now.delivered = record.delivered;
            (now.received, now.receipt) = (record.received, record.receipt);
        }
        if now.expired.1 < record.expired.1 {
            now.expired = record.expired;
        }
        self.taken = self.taken.max(self.safe());
    }

    /// Everything up to `upto` is durable or delivered.
    pub(super) fn store(&mut self, upto: Position) {
        if upto.epoch == self.epoch() && self.record.stored < upto {
            self.record.stored = upto;
            // How far a room has its author is saved with each of its lines.
            self.dirty |= matches!(self.recipient, Recipient::Account(_));
        }
    }

    /// The newest epoch that was taken in.
    pub(super) fn epoch(&self) -> Epoch {
        self.record.stored.epoch
    }

    /// Durable or delivered up to here.
    pub(super) fn safe(&self) -> Position {
        self.record.stored.max(self.record.delivered).max(self.record.expired.1)
    }

    /// One more expired at the server. Ranges that do not meet become one: that
    /// claims less than was delivered, never more.
    pub(super) fn expire(&mut self, position: Position) {
        let (first, last) = self.record.expired;
        let begin = if last <= self.record.delivered { position } else { first };
        self.record.expired = (begin.min(position), last.max(position));
        self.dirty = true;
    }
}
