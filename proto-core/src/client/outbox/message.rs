//! A message of this client's user, on its way out.

use crate::client::headers::OutboxRecord;
use crate::{
    client::{
        event::{Event, MessageId, SubmitReason, To, Verdict},
        role::ClientLink,
        roster::id::PeerId,
    },
    host::Ask,
    id::Position,
    link::Units,
    storage::{Body, Id, Linked, Node},
    time::{Instant, UnixTime},
};

/// A message of this client's user.
#[derive(Debug)]
pub struct Outgoing {
    /// The other side.
    pub(super) peer: PeerId,
    pub(super) position: Position,
    pub(super) stage: Stage,
    pub(super) body: Body,
    /// Bytes of the body: as it was said, or sealed.
    pub(super) total: u16,
    /// When its author said it.
    pub(super) time: UnixTime,
    /// The pieces to send.
    pub(super) todo: Units,
    /// The link that credit was used on for it.
    pub(super) link: Option<Id<ClientLink>>,
    /// When the first datagram for it was sent.
    pub(super) since: Option<Instant>,
    /// Some of it was sent to its recipient, or to the server on an earlier link: its
    /// recipient may have it all, or get it, whatever a server says now.
    pub(super) maybe_delivered: bool,
    pub(super) news: News,
    pub(super) ask: Ask,
    pub(super) asking: Node<Self>,
    pub(super) telling: Node<Self>,
    pub(super) of_peer: Node<Self>,
    /// In the list of what a link has to send.
    pub(super) sending: Node<Self>,
}

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Said, and being made durable.
    Saving,
    /// Durable, and not in its turn: it leaves memory once its user was told so, and is read
    /// again from the outbox.
    Behind,
    /// Durable, and to be sent directly.
    Open,
    /// Sealed, and to be taken over by the server.
    Submitted,
    /// The server has it.
    Stored,
    /// What became of it is known.
    Done(Verdict),
}

impl Stage {
    /// It is neither delivered nor refused nor expired.
    pub(super) fn is_open(self) -> bool {
        self.is_unsaved() || self == Self::Stored
    }

    /// It is under way, or to be as soon as may be.
    pub(super) fn is_in_turn(self) -> bool {
        matches!(self, Self::Open | Self::Submitted)
    }

    /// It is open, and the server does not have it either.
    pub(super) fn is_unsaved(self) -> bool {
        matches!(self, Self::Saving | Self::Behind | Self::Open | Self::Submitted)
    }

    /// Its number is passed over.
    pub(super) fn is_given_up(self) -> bool {
        matches!(
            self,
            Self::Done(
                Verdict::Refused(_) | Verdict::Failed(_) | Verdict::Expired | Verdict::Unconfirmed
            )
        )
    }
}

/// What the host's user has not been told of a message yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct News {
    pub(super) accepted: bool,
    pub(super) submitted: Option<SubmitReason>,
    pub(super) stored: bool,
    pub(super) verdict: bool,
}

impl Outgoing {
    pub(super) fn new(
        peer: PeerId,
        position: Position,
        stage: Stage,
        body: Body,
        total: u16,
    ) -> Self {
        Self {
            peer,
            position,
            stage,
            body,
            total,
            time: UnixTime(0),
            todo: Units::NONE,
            link: None,
            since: None,
            maybe_delivered: false,
            news: News::default(),
            ask: Ask::Idle,
            asking: Node::UNLINKED,
            telling: Node::UNLINKED,
            of_peer: Node::UNLINKED,
            sending: Node::UNLINKED,
        }
    }

    /// Nobody waits for it: neither the store nor its user.
    pub(super) fn is_idle(&self) -> bool {
        !self.telling.is_linked() && !self.asking.is_linked() && self.ask == Ask::Idle
    }

    /// What the store is to have of it: what became of it, told in this `boot`, once that is known,
    /// and until then so many bytes of its body.
    pub(super) fn record(&self, boot: u64) -> (OutboxRecord, usize) {
        match self.stage {
            Stage::Saving => (OutboxRecord { verdict: None }, self.total.into()),
            Stage::Done(verdict) => (OutboxRecord { verdict: Some((verdict, boot)) }, 0),
            _ => (OutboxRecord { verdict: None }, 0),
        }
    }

    /// The next thing to tell of it; `None` when all is told.
    pub(super) fn next_event(&mut self, id: MessageId, to: To) -> Option<Event> {
        let news = &mut self.news;
        if core::mem::take(&mut news.accepted) {
            return Some(Event::Accepted { id, to });
        }
        if let Some(why) = news.submitted.take() {
            return Some(Event::Submitted { id, to, why });
        }
        if core::mem::take(&mut news.stored) {
            return Some(Event::Verdict { id, to, verdict: Verdict::Stored });
        }
        match self.stage {
            Stage::Done(verdict) if core::mem::take(&mut news.verdict) => {
                Some(Event::Verdict { id, to, verdict })
            }
            _ => None,
        }
    }

    /// It was given up, which is not durable yet: a crash would have it sent again.
    pub(super) fn is_undecided(&self) -> bool {
        self.stage.is_given_up() && self.is_being_recorded()
    }

    /// What became of it is known, and not durable yet.
    pub(super) fn is_being_recorded(&self) -> bool {
        matches!(self.stage, Stage::Done(_)) && (self.ask != Ask::Idle || self.asking.is_linked())
    }
}

/// The lists that they are in.
#[derive(Debug)]
pub(in crate::client) struct Asking;
#[derive(Debug)]
pub(super) struct Telling;
#[derive(Debug)]
pub(super) struct OfPeer;
#[derive(Debug)]
pub(in crate::client) struct Sending;

impl Linked<Asking> for Outgoing {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.asking
    }
}

impl Linked<Telling> for Outgoing {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.telling
    }
}

impl Linked<OfPeer> for Outgoing {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.of_peer
    }
}

impl Linked<Sending> for Outgoing {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.sending
    }
}
