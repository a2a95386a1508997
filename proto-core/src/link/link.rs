//! One session and what makes it reliable.

use core::{net::SocketAddr, time::Duration};

use crate::{
    id::{PublicKey, SessionId},
    session::{AcceptMemo, Keys, Offer},
    storage::{Linked, Node},
    time::Instant,
    wire::CloseReason,
};

use super::{LinkStatistics, Received, Recovery, config::LinkConfig, credit::Credit};

/// What a role adds to the links it uses.
pub trait Role {
    /// Names a frame that was sent, to be told when it is acknowledged or lost.
    type Token: Copy + core::fmt::Debug;
    /// What the role keeps for each link.
    type State: core::fmt::Debug + Default;
}

/// A frame in a packet under way: of the link's own, or of its role's.
#[derive(Clone, Copy, Debug)]
pub enum SentFrame<T> {
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
    pub(super) recovery: Recovery<SentFrame<R::Token>>,
    pub(super) received: Received,
    /// Packets that were taken in.
    pub(super) packets_received: u64,
}

impl<R: Role> Flow<R> {
    /// With nothing sent and nothing received.
    pub(super) fn new(initial_rtt: Duration, datagram: u16) -> Self {
        let recovery = Recovery::new(initial_rtt, datagram.into());
        Self { recovery, received: Received::NEW, packets_received: 0 }
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
    /// A session with a peer at an address, by what both sides offered, this one first.
    pub(super) fn new(
        [ours, theirs]: [Offer; 2],
        (peer, address): (PublicKey, SocketAddr),
        keys: Keys,
        phase: Phase<R>,
        datagram: u16,
        now: Instant,
    ) -> Self {
        Self {
            ours: ours.session,
            theirs: theirs.session,
            peer,
            address,
            keys,
            phase,
            datagram,
            credit: Credit::new(ours.credit, theirs.credit),
            answered: false,
            heard: now,
            asked: now,
            alarm: None,
            ping: false,
            ready: Node::UNLINKED,
            held: Node::UNLINKED,
            starved: false,
            role: R::State::default(),
        }
    }

    /// When this link must be looked at again.
    pub(super) fn deadline(&self, config: &LinkConfig) -> Instant {
        let flow = match &self.phase {
            Phase::Unconfirmed { expires, .. } => return *expires,
            Phase::Closing { until, .. } => return *until,
            Phase::Live(flow) => flow,
        };
        let keep_alive = config.keep_alive.filter(|_| !self.ping);
        let keep_alive = keep_alive.map(|span| self.asked + span);
        let deadlines = [flow.recovery.deadline(), keep_alive];
        deadlines.into_iter().flatten().fold(self.heard + config.idle, Instant::min)
    }

    /// What is known of the path, while both sides use it.
    pub(crate) fn statistics(&self) -> Option<LinkStatistics> {
        let Phase::Live(flow) = &self.phase else { return None };
        Some(LinkStatistics {
            packets_sent: self.keys.seal.next(),
            packets_received: flow.packets_received,
            datagram_size: self.datagram,
            ..flow.recovery.statistics()
        })
    }

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
