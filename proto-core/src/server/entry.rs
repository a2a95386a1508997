//! What the server holds in memory of messages and of the pairs of authors and
//! recipients that they go between.

use crate::{
    host::Ask,
    id::{Account, Epoch, Incarnation, Nick, Number, Position, PublicKey, Recipient},
    link::Units,
    record::PairRecord,
    storage::{Body, Id, Linked, List, Node},
    time::UnixTime,
    wire::EntryRefusal,
};

use super::ServerLink;

/// A deposit on its way in, or an entry of a mailbox or a room on its way out.
#[derive(Debug)]
pub struct Entry {
    pub(crate) from: Account,
    pub(crate) to: Recipient,
    /// The author's nick, of an entry of a room.
    pub(crate) author: Option<Nick>,
    pub(crate) position: Position,
    /// The key that its author sealed it with, and the number of the one that it is sealed to.
    pub(crate) by: PublicKey,
    pub(crate) key: u32,
    /// Its reader is to be told of the author's key first: the author has another one now.
    pub(crate) former: bool,
    /// Numbers right before it that the server has nothing to do with.
    pub(crate) skip: u32,
    pub(crate) body: Body,
    pub(crate) stage: Stage,
    /// The pieces that arrived.
    pub(crate) have: Units,
    /// The pieces still to send to the recipient.
    pub(crate) todo: Units,
    /// Credit on the recipient's link was used for it.
    pub(crate) credited: bool,
    /// Its place in the mailbox or the room's log.
    pub(crate) index: u64,
    /// In a mailbox, the place of the entry sent before it; 0 for none.
    pub(crate) previous: u64,
    /// Bytes of all bodies before it in a room's log.
    pub(crate) bytes: u64,
    /// The run that appended it there, and, if it was another, the one before it.
    pub(crate) run: Incarnation,
    pub(crate) before: Option<Incarnation>,
    /// Its author has heard that it was refused.
    pub(crate) told: bool,
    /// It was sent to its recipient from memory, or the store may yet save it: that it is
    /// not taken might be untrue.
    pub(crate) ventured: bool,
    pub(crate) received: UnixTime,
    /// Where it came in: there its credit is given back.
    pub(crate) source: Option<Id<ServerLink>>,
    pub(crate) pair: Option<Id<Pair>>,
    pub(crate) ask: Ask,
    pub(crate) asking: Node<Self>,
    /// In its pair's list, while it is neither durable nor delivered.
    pub(crate) of_pair: Node<Self>,
    /// In its recipient's mailbox queue, or among the entries of rooms in memory.
    pub(crate) queued: Node<Self>,
    /// In the list of what its recipient's link has to send, or, refused, its author's.
    pub(crate) sending: Node<Self>,
}

/// How far the server is with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Some of its pieces are missing.
    Arriving,
    /// It is whole, but not the next of its author.
    Waiting,
    /// It is being sent to its recipient and is in memory only.
    Relaying,
    /// The store was asked to save it.
    Storing,
    /// The store has it.
    Stored,
    /// The recipient has it, while the store was still busy with it.
    Delivered,
    /// The author is to be told that it is not taken.
    Refused(EntryRefusal),
}

/// The lists that entries are in.
#[derive(Debug)]
pub(crate) struct Asking;
#[derive(Debug)]
pub(crate) struct OfPair;
#[derive(Debug)]
pub(crate) struct Queued;
#[derive(Debug)]
pub(crate) struct Sending;

impl Linked<Asking> for Entry {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.asking
    }
}

impl Linked<OfPair> for Entry {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.of_pair
    }
}

impl Linked<Queued> for Entry {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.queued
    }
}

impl Linked<Sending> for Entry {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.sending
    }
}

/// How far one recipient has one author's deposits.
#[derive(Debug)]
pub struct Pair {
    pub(crate) author: Account,
    pub(crate) recipient: Recipient,
    /// The last one that was taken in, whatever became of it.
    pub(crate) taken: Position,
    pub(crate) record: PairRecord,
    /// The record was read from the store.
    pub(crate) loaded: bool,
    /// The record has changed since it was last asked to be saved.
    pub(crate) dirty: bool,
    /// A deposit is being relayed.
    pub(crate) online: bool,
    /// Up to here, entries were ventured at least once.
    pub(crate) ventured: Position,
    pub(crate) refused: Option<Refused>,
    /// What is neither durable nor delivered, in the order of arrival.
    pub(crate) entries: List<Entry, OfPair>,
    /// How many those are, and how many entries of any kind refer to the pair.
    pub(crate) count: u16,
    pub(crate) uses: u32,
    pub(crate) ask: Ask,
    pub(crate) asking: Node<Self>,
    /// In the list of pairs whose author is to be told of progress.
    pub(crate) owed: Node<Self>,
    /// In the list of those that could make room for others.
    pub(crate) unused: Node<Self>,
    /// In its room's list of authors whose next deposit waits for readers.
    pub(crate) held: Node<Self>,
}

/// Deposits whose refusal their author may not have heard of: pieces of them are not taken
/// for another try.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused {
    /// The last of them, and the link that they came through.
    pub(crate) upto: Position,
    pub(crate) by: Id<ServerLink>,
    /// How many they are.
    pub(crate) count: u16,
}

/// The lists that pairs are in.
#[derive(Debug)]
pub(crate) struct Owed;
#[derive(Debug)]
pub(crate) struct Unused;
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
    pub(crate) fn new(author: Account, recipient: Recipient) -> Self {
        Self {
            author,
            recipient,
            taken: Position::default(),
            record: PairRecord::default(),
            loaded: false,
            dirty: false,
            online: false,
            ventured: Position::default(),
            refused: None,
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
    pub(crate) fn name(author: Account, recipient: Recipient) -> [u8; 16] {
        (u128::from(author.0) << 64 | u128::from(recipient.to_u64())).to_le_bytes()
    }

    /// The number of its record among its author's.
    pub(crate) fn number(&self) -> u64 {
        Self::number_of(self.recipient)
    }

    /// The number of an author's record of a recipient.
    pub(crate) fn number_of(recipient: Recipient) -> u64 {
        recipient.to_u64() + 1
    }

    /// Moves on to the epoch of `position`: its author began a new outbox.
    pub(crate) fn enter(&mut self, position: Position) {
        if position.epoch > self.epoch() {
            // What is handed over or expires of the epochs before is still counted.
            self.record.stored = Position::new(position.epoch, Number(0));
            self.taken = self.record.stored;
            // How far an author is in a room is saved with each of its messages.
            self.dirty = matches!(self.recipient, Recipient::Account(_));
        }
    }

    /// What comes is the next entry to take in, as far as is known.
    pub(crate) fn comes_next(&self, position: Position, skip: u32) -> bool {
        let anew =
            position.epoch > self.epoch() && position.number.0.saturating_sub(1) <= skip.into();
        self.loaded && (anew || self.is_next(position, skip))
    }

    /// The next entry to take in: no number that counts is missing before it.
    pub(crate) fn is_next(&self, position: Position, skip: u32) -> bool {
        let before = position.number.0.saturating_sub(1).saturating_sub(skip.into());
        position.epoch == self.epoch()
            && position.number > self.taken.number
            && before <= self.taken.number.0
    }

    /// The newest epoch that was taken in.
    pub(crate) fn epoch(&self) -> Epoch {
        self.record.stored.epoch
    }

    /// Durable or delivered up to here.
    pub(crate) fn safe(&self) -> Position {
        self.record.stored.max(self.record.delivered).max(self.record.expired.1)
    }

    /// One more expired at the server. Ranges that do not meet become one: that
    /// claims less than was delivered, never more.
    pub(crate) fn expire(&mut self, position: Position) {
        let (first, last) = self.record.expired;
        let begin = if last <= self.record.delivered { position } else { first };
        self.record.expired = (begin.min(position), last.max(position));
        self.dirty = true;
    }
}
