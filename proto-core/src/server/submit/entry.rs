//! A message on its way through the server: a submission on its way in, mail or a line of a room
//! on its way out.

use crate::{
    host::{Ask, Ticket},
    id::{Account, Position, Recipient},
    storage::{Body, Id, Linked, Node},
    time::UnixTime,
};

use super::{
    super::{mailboxes::Mail, rooms::Line, store::Asking},
    pair::Pair,
    submitted::Submitted,
};

/// A message in memory.
#[derive(Debug)]
pub struct Entry {
    pub(super) from: Account,
    pub(super) to: Recipient,
    pub(super) position: Position,
    /// Its place in the mailbox or the room's log; 0 for none yet.
    pub(super) index: u64,
    /// When it came.
    pub(super) received: UnixTime,
    pub(super) body: Body,
    pub(super) stage: Stage,
    pub(super) submitted: Submitted,
    /// What it is to its recipient.
    pub(super) kind: Kind,
    ask: Ask,
    asking: Node<Self>,
    /// In its pair's list, while it is neither durable nor delivered.
    pub(super) of_pair: Node<Self>,
    /// In its recipient's mailbox queue, or among the lines of rooms in memory.
    queued: Node<Self>,
    /// In the list of what its recipient's link has to send.
    sending: Node<Self>,
}

/// What a message is to its recipient.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Of a person.
    Mail(Mail),
    /// Of a room.
    Line(Line),
}

/// How far the server is with a message.
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
    /// It is not taken.
    Refused,
}

impl Entry {
    /// Without anything about its author's submitting it.
    pub(crate) fn new(
        (from, position): (Account, Position),
        to: Recipient,
        received: UnixTime,
        body: Body,
        kind: Kind,
        stage: Stage,
    ) -> Self {
        Self {
            from,
            to,
            position,
            index: 0,
            received,
            body,
            stage,
            submitted: Submitted::NEW,
            kind,
            ask: Ask::Idle,
            asking: Node::UNLINKED,
            of_pair: Node::UNLINKED,
            queued: Node::UNLINKED,
            sending: Node::UNLINKED,
        }
    }

    /// At a place in a log.
    pub(crate) fn at(self, index: u64) -> Self {
        Self { index, ..self }
    }

    /// Its author.
    pub(crate) fn from(&self) -> Account {
        self.from
    }

    pub(crate) fn to(&self) -> Recipient {
        self.to
    }

    /// Its author's number for it.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    pub(crate) fn index(&self) -> u64 {
        self.index
    }

    pub(crate) fn received(&self) -> UnixTime {
        self.received
    }

    pub(crate) fn body(&self) -> &Body {
        &self.body
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    pub(crate) fn pair(&self) -> Option<Id<Pair>> {
        self.submitted.pair
    }

    /// It is in its recipient's queue, or among the lines of rooms in memory.
    pub(crate) fn is_queued(&self) -> bool {
        self.queued.is_linked()
    }

    /// The one behind it there.
    pub(crate) fn next_queued(&self) -> Option<Id<Self>> {
        self.queued.next()
    }

    /// What it is as mail.
    pub(crate) fn mail(&self) -> Option<&Mail> {
        match &self.kind {
            Kind::Mail(mail) => Some(mail),
            Kind::Line(_) => None,
        }
    }

    pub(crate) fn mail_mut(&mut self) -> Option<&mut Mail> {
        match &mut self.kind {
            Kind::Mail(mail) => Some(mail),
            Kind::Line(_) => None,
        }
    }

    /// What it is as a line of a room.
    pub(crate) fn line(&self) -> Option<&Line> {
        match &self.kind {
            Kind::Line(line) => Some(line),
            Kind::Mail(_) => None,
        }
    }

    pub(crate) fn line_mut(&mut self) -> Option<&mut Line> {
        match &mut self.kind {
            Kind::Line(line) => Some(line),
            Kind::Mail(_) => None,
        }
    }

    pub(crate) fn set_stage(&mut self, stage: Stage) {
        self.stage = stage;
    }

    pub(crate) fn set_index(&mut self, index: u64) {
        self.index = index;
    }

    /// The store is to save it.
    pub(crate) fn store(&mut self) {
        (self.stage, self.ask) = (Stage::Storing, Ask::Owed);
    }

    /// The store is to be asked to save it.
    pub(super) fn is_owed(&self) -> bool {
        self.ask == Ask::Owed
    }

    /// The store was asked to save it.
    pub(crate) fn asked(&mut self, ticket: Ticket) {
        self.ask = Ask::Asked(ticket.serial);
    }

    /// Takes the store's answer; `false` if it does not wait for this one.
    pub(crate) fn answered(&mut self, ticket: Ticket) -> bool {
        self.ask.answer(ticket.serial)
    }

    /// It waits for the store no longer.
    pub(crate) fn give_up(&mut self) {
        self.ask = Ask::Idle;
    }
}

/// The lists that messages are in.
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
