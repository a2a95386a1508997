//! One session and what makes it reliable.

use core::{net::SocketAddr, time::Duration};

use crate::{
    id::{PublicKey, SessionId},
    session::{AcceptMemo, Keys},
    storage::{Linked, Node},
    time::Instant,
    wire::CloseReason,
};

use super::{Carried, Received, Recovery, credit::Credit};

/// What a role adds to the links it uses.
pub trait Role {
    /// Tells, when a packet is acknowledged or lost, what was in it.
    type Token: Copy + core::fmt::Debug;
    /// What the role keeps for each link.
    type State: core::fmt::Debug + Default;
}

/// What a packet carried: something of the link's own, or of its role's.
#[derive(Clone, Copy, Debug)]
pub enum Carry<T> {
    /// The receiver's credit.
    Credit,
    /// Something of the role's.
    Role(T),
}

/// A session with its keys, packets in flight and credit.
pub struct Link<R: Role> {
    pub(super) ours: SessionId,
    pub(super) theirs: SessionId,
    /// Who is at the other end.
    pub(crate) peer: PublicKey,
    /// Where packets go.
    pub(crate) address: SocketAddr,
    pub(super) keys: Keys,
    pub(super) phase: Phase<R>,
    /// The largest datagram that gets through, as far as known.
    pub(super) datagram: u16,
    pub(crate) credit: Credit,
    /// Something came in it: both sides have it.
    pub(super) answered: bool,
    /// When something authentic last came, and when something was last sent
    /// that asks for an answer.
    pub(crate) heard: Instant,
    pub(super) asked: Instant,
    /// What its timer is set to. It may be too early, never too late: a deadline that
    /// keeps moving away costs nothing until it is due.
    pub(super) alarm: Option<Instant>,
    /// A packet that asks for an answer is to go out, even with nothing to say.
    pub(super) ping: bool,
    pub(super) ready: Node<Self>,
    pub(super) held: Node<Self>,
    /// It is on the list of those that wait for a record of a packet in flight.
    pub(super) starved: bool,
    /// What the role keeps here.
    pub(crate) role: R::State,
}

/// A link's life.
#[allow(clippy::large_enum_variant)] // most links are live, and there is no heap to box in
pub(super) enum Phase<R: Role> {
    /// This side accepted; the other has not sent a packet yet.
    Unconfirmed { memo: AcceptMemo, expires: Instant },
    /// Both sides use it.
    Live(Flow<R>),
    /// It is over. Whatever still comes is answered by the reason.
    Closing { reason: CloseReason, owed: bool, until: Instant },
}

/// The packets of a link that is live, both ways.
pub(super) struct Flow<R: Role> {
    pub(super) recovery: Recovery<Carry<R::Token>>,
    pub(super) received: Received,
}

impl<R: Role> Flow<R> {
    /// With nothing sent and nothing received.
    pub(super) fn new(initial_rtt: Duration, datagram: u16) -> Self {
        Self { recovery: Recovery::new(initial_rtt, datagram.into()), received: Received::NEW }
    }
}

/// The list of links that have something to send.
#[derive(Debug)]
pub(crate) struct Ready;

impl<R: Role> Linked<Ready> for Link<R> {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.ready
    }
}

/// The list of links whose Ack waits for something to ride along with.
#[derive(Debug)]
pub(super) struct Held;

impl<R: Role> Linked<Held> for Link<R> {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.held
    }
}

impl<R: Role> core::fmt::Debug for Link<R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Link").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl<R: Role> Link<R> {
    /// Both sides use it.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live(_))
    }

    /// This side accepted; the other has not sent a packet yet.
    pub(super) fn is_unconfirmed(&self) -> bool {
        matches!(self.phase, Phase::Unconfirmed { .. })
    }

    /// How many probes in a row nothing but silence answered.
    pub(crate) fn probes(&self) -> u32 {
        match &self.phase {
            Phase::Live(flow) => flow.recovery.pto_count(),
            Phase::Unconfirmed { .. } | Phase::Closing { .. } => 0,
        }
    }
}

/// What a packet that is being written carries.
pub(super) type Freight<R> = Carried<Carry<<R as Role>::Token>>;
