//! A message that came, on its way into the inbox.

use crate::{
    client::{role::ClientLink, roster::id::PeerId},
    host::Ask,
    id::{Incarnation, Nick, Position, PublicKey, RunTag},
    link::{Piece, Units},
    received::Received,
    storage::{Body, Id, Linked, Node, Pool},
    time::Instant,
};

/// A message that came.
#[derive(Debug)]
pub struct Incoming {
    /// Its author, or the room that it was said in.
    pub(super) peer: PeerId,
    pub(super) position: Position,
    pub(super) stage: Stage,
    pub(super) body: Body,
    /// Bytes of the body, sealed or not.
    pub(super) total: u16,
    /// The pieces that arrived.
    pub(super) have: Units,
    /// When its first piece came.
    pub(super) begun: Instant,
    /// The link that it came through, on whose credit.
    pub(super) link: Option<Id<ClientLink>>,
    pub(super) ask: Ask,
    /// It is in the inbox, and its user was not told so.
    pub(super) came: bool,
    /// Numbers right before it that do not count.
    pub(super) skip: u32,
    /// What the inbox has of its author once it has this one.
    pub(super) received: Received,
    /// Numbers right before it that are missing.
    pub(super) missing: u64,
    pub(super) mail: Option<Mail>,
    /// It came by way of the server, and waited there when this client registered.
    pub(super) by_server: bool,
    pub(super) waited: bool,
    /// The key that its author sealed it with.
    pub(super) by: Option<PublicKey>,
    /// It could not be opened.
    pub(super) unreadable: bool,
    pub(super) said: Option<Said>,
    pub(super) asking: Node<Self>,
    pub(super) telling: Node<Self>,
    pub(super) of_peer: Node<Self>,
    /// In the list of acknowledgements of a link.
    pub(super) acking: Node<Self>,
    /// In the list of mail that waits for those before it, or of what came directly and waits.
    pub(super) chained: Node<Self>,
}

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Some of its pieces are missing.
    Arriving,
    /// It is whole, and waits for those before it.
    Whole,
    /// It is whole and in turn, in an epoch that is over: whether the inbox has it is being read.
    Looking,
    /// It is being made durable in the inbox.
    Keeping,
    /// The inbox could not take it; it is asked to again.
    Unsaved,
    /// In the inbox.
    Kept,
}

/// Of one that came by way of a mailbox: its place there, and that of the one before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mail {
    pub(super) index: u64,
    pub(super) previous: u64,
}

/// Of an entry of a room: who said it, whether that is this client's user, which run of the
/// server appended it, and, if it was another, the one before it.
#[derive(Clone, Copy, Debug)]
pub(in crate::client) struct Said {
    pub(in crate::client) author: Nick,
    pub(in crate::client) own: bool,
    pub(in crate::client) run: Incarnation,
    pub(in crate::client) previous: Option<RunTag>,
}

impl Incoming {
    pub(super) fn new(peer: PeerId, position: Position, body: Body, total: u16) -> Self {
        Self {
            peer,
            position,
            stage: Stage::Arriving,
            body,
            total,
            have: Units::NONE,
            begun: Instant::from_micros(0),
            link: None,
            ask: Ask::Idle,
            came: false,
            skip: 0,
            received: Received::default(),
            missing: 0,
            mail: None,
            by_server: false,
            waited: false,
            by: None,
            unreadable: false,
            said: None,
            asking: Node::UNLINKED,
            telling: Node::UNLINKED,
            of_peer: Node::UNLINKED,
            acking: Node::UNLINKED,
            chained: Node::UNLINKED,
        }
    }

    /// Takes a piece of it in; `false` if it does not belong to the others.
    pub(super) fn put(&mut self, piece: &Piece<'_>, pool: &mut Pool<'_>) -> bool {
        match piece.put(pool, &mut self.body, &mut self.have) {
            Some(true) if self.stage == Stage::Arriving => self.stage = Stage::Whole,
            Some(_) => {}
            None => return false,
        }
        true
    }

    /// A piece of an entry of a room is taken in: who `said` it goes with each. `false` if it does
    /// not belong to the others.
    pub(in crate::client) fn put_entry(
        &mut self,
        piece: &Piece<'_>,
        said: Said,
        pool: &mut Pool<'_>,
    ) -> bool {
        if self.said.is_some_and(|before| before.run != said.run) {
            return false;
        }
        self.by_server = true;
        self.said = Some(said);
        self.put(piece, pool)
    }

    /// Of an entry of a room, who said it.
    pub(in crate::client) fn said(&self) -> Option<Said> {
        self.said
    }

    /// Its number, in its author's epoch or in the room's log.
    pub(in crate::client) fn number(&self) -> u64 {
        self.position.number.0
    }

    /// The link that it came through, until its text is told.
    pub(in crate::client) fn link(&self) -> Option<Id<ClientLink>> {
        self.link
    }

    /// The inbox was not asked to keep it yet.
    pub(super) fn is_unfinished(&self) -> bool {
        matches!(self.stage, Stage::Arriving | Stage::Whole)
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
pub(in crate::client) struct Acking;
#[derive(Debug)]
pub(in crate::client) struct Chained;

impl Linked<Asking> for Incoming {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.asking
    }
}

impl Linked<Telling> for Incoming {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.telling
    }
}

impl Linked<OfPeer> for Incoming {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.of_peer
    }
}

impl Linked<Acking> for Incoming {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.acking
    }
}

impl Linked<Chained> for Incoming {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.chained
    }
}
