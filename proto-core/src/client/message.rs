//! A message in a client's memory, on its way out or in.

use crate::{
    host::Ask,
    id::{Incarnation, Nick, Position, PublicKey, RunTag},
    link::Units,
    storage::{Body, Id, Linked, Node},
    time::{Instant, UnixTime},
};

use super::{ClientLink, Deposit, Peer, Verdict};

/// A message of this client's user, or one that came.
#[derive(Debug)]
pub struct Message {
    /// The other side.
    pub(super) peer: Id<Peer>,
    pub(super) position: Position,
    /// Of mail: the key that its author sealed it with.
    pub(super) by: Option<PublicKey>,
    pub(super) stage: Stage,
    pub(super) body: Body,
    /// Bytes of the body: as it was said, or sealed.
    pub(super) total: u16,
    /// When its author said it.
    pub(super) time: UnixTime,
    /// The pieces to send, or those that arrived.
    pub(super) units: Units,
    /// The link that credit was used on for it, or that it came through.
    pub(super) link: Option<Id<ClientLink>>,
    /// When the first datagram for it was sent.
    pub(super) since: Option<Instant>,
    /// Some of it was sent to its recipient, or to the server on an earlier link: its
    /// recipient may have it all, or get it, whatever a server says now.
    pub(super) ventured: bool,
    pub(super) news: News,
    pub(super) ask: Ask,
    /// Of one that came by way of the server: its place in the mailbox, and that
    /// of the one before it.
    pub(super) mail: Option<MailPlace>,
    /// Of one that came: numbers right before it that do not count.
    pub(super) skip: u32,
    /// Of one that came: numbers right before it that are missing.
    pub(super) missing: u64,
    /// It could not be opened.
    pub(super) unreadable: bool,
    /// Of an entry of a room: which run of the server appended it, and, if it was another, the
    /// one before it.
    pub(super) run: Incarnation,
    pub(super) previous: Option<RunTag>,
    /// Of an entry of a room: who said it, and whether that is this client's user.
    pub(super) author: Option<Nick>,
    pub(super) own: bool,
    /// It came by way of the server, and waited there when this client registered.
    pub(super) by_server: bool,
    pub(super) waited: bool,
    pub(super) asking: Node<Self>,
    pub(super) telling: Node<Self>,
    pub(super) of_peer: Node<Self>,
    /// In the list of what a link has to send: pieces of it, or its acknowledgement.
    pub(super) sending: Node<Self>,
    /// In the list of mail that waits for those before it, or of what came directly and waits.
    pub(super) chained: Node<Self>,
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
    Deposited,
    /// The server has it.
    Stored,
    /// What became of it is known.
    Done(Verdict),
    /// Came; some of its pieces are missing.
    Arriving,
    /// Came whole, and waits for those before it.
    Whole,
    /// Came whole and in turn, in an epoch that is over: whether the inbox has it is being read.
    Looking,
    /// Is being made durable in the inbox.
    Keeping,
    /// The inbox could not take it; it is asked to again.
    Unkept,
    /// In the inbox.
    Kept,
}

impl Stage {
    /// It is neither delivered nor refused nor expired.
    pub(super) fn is_open(self) -> bool {
        self.is_unsaved() || self == Self::Stored
    }

    /// It is under way, or to be as soon as may be.
    pub(super) fn is_in_turn(self) -> bool {
        matches!(self, Self::Open | Self::Deposited)
    }

    /// It is open, and the server does not have it either.
    pub(super) fn is_unsaved(self) -> bool {
        matches!(self, Self::Saving | Self::Behind | Self::Open | Self::Deposited)
    }

    /// Its number is passed over.
    pub(super) fn is_given_up(self) -> bool {
        matches!(self, Self::Done(Verdict::Refused(_) | Verdict::Failed(_) | Verdict::Expired))
    }
}

/// A place in the mailbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct MailPlace {
    pub(super) index: u64,
    pub(super) previous: u64,
}

/// What the host's user has not been told of a message yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct News {
    pub(super) accepted: bool,
    pub(super) deposited: Option<Deposit>,
    pub(super) stored: bool,
    pub(super) verdict: bool,
    /// It came, and is in the inbox.
    pub(super) came: bool,
}

impl Message {
    /// It was given up, which is not durable yet: a crash would have it sent again.
    pub(super) fn is_undecided(&self) -> bool {
        self.stage.is_given_up() && (self.ask != Ask::Idle || self.asking.is_linked())
    }

    /// It came, and the inbox was not asked to keep it yet.
    pub(super) fn is_unfinished(&self) -> bool {
        matches!(self.stage, Stage::Arriving | Stage::Whole)
    }

    pub(super) fn new(
        peer: Id<Peer>,
        position: Position,
        stage: Stage,
        body: Body,
        total: u16,
    ) -> Self {
        Self {
            peer,
            position,
            by: None,
            stage,
            body,
            total,
            time: UnixTime(0),
            units: Units::NONE,
            link: None,
            since: None,
            ventured: false,
            news: News::default(),
            ask: Ask::Idle,
            mail: None,
            skip: 0,
            missing: 0,
            unreadable: false,
            run: Incarnation::NONE,
            previous: None,
            author: None,
            own: false,
            by_server: false,
            waited: false,
            asking: Node::UNLINKED,
            telling: Node::UNLINKED,
            of_peer: Node::UNLINKED,
            sending: Node::UNLINKED,
            chained: Node::UNLINKED,
        }
    }
}

/// The lists that messages are in.
#[derive(Debug)]
pub(super) struct Asking;
#[derive(Debug)]
pub(super) struct Telling;
#[derive(Debug)]
pub(super) struct OfPeer;
#[derive(Debug)]
pub(super) struct Sending;
#[derive(Debug)]
pub(super) struct Chained;

impl Linked<Asking> for Message {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.asking
    }
}

impl Linked<Telling> for Message {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.telling
    }
}

impl Linked<OfPeer> for Message {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.of_peer
    }
}

impl Linked<Sending> for Message {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.sending
    }
}

impl Linked<Chained> for Message {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.chained
    }
}
