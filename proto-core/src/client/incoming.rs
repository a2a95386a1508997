//! A message that came, on its way into the inbox.

use crate::{
    host::Ask,
    id::{Incarnation, Nick, Position, PublicKey, RunTag},
    link::Units,
    storage::{Body, Id, Linked, Node},
    time::Instant,
};

use super::{ClientLink, Peer};

/// A message that came.
#[derive(Debug)]
pub struct Incoming {
    /// Its author, or the room that it was said in.
    pub(super) peer: Id<Peer>,
    pub(super) position: Position,
    pub(super) stage: Stage,
    pub(super) body: Body,
    /// Bytes of the body, sealed or not.
    pub(super) total: u16,
    /// The pieces that arrived.
    pub(super) have: Units,
    /// The link that it came through, on whose credit.
    pub(super) link: Option<Id<ClientLink>>,
    /// When its first piece came.
    pub(super) begun: Instant,
    pub(super) ask: Ask,
    /// It is in the inbox, and its user was not told so.
    pub(super) came: bool,
    /// Numbers right before it that do not count.
    pub(super) skip: u32,
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
    Unkept,
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
pub(super) struct Said {
    pub(super) author: Nick,
    pub(super) own: bool,
    pub(super) run: Incarnation,
    pub(super) previous: Option<RunTag>,
}

impl Incoming {
    pub(super) fn new(peer: Id<Peer>, position: Position, body: Body, total: u16) -> Self {
        Self {
            peer,
            position,
            stage: Stage::Arriving,
            begun: Instant::from_micros(0),
            body,
            total,
            have: Units::NONE,
            link: None,
            ask: Ask::Idle,
            came: false,
            skip: 0,
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

    /// The inbox was not asked to keep it yet.
    pub(super) fn is_unfinished(&self) -> bool {
        matches!(self.stage, Stage::Arriving | Stage::Whole)
    }
}

/// The lists that they are in.
#[derive(Debug)]
pub(super) struct Asking;
#[derive(Debug)]
pub(super) struct Telling;
#[derive(Debug)]
pub(super) struct OfPeer;
#[derive(Debug)]
pub(super) struct Acking;
#[derive(Debug)]
pub(super) struct Chained;

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
