//! One session and what makes it reliable.

use core::{net::SocketAddr, time::Duration};

use crate::{
    id::{PublicKey, SessionId},
    random::Random,
    session::{AcceptMemo, Keys, Offer},
    storage::{Linked, Node},
    time::Instant,
    wire::CloseReason,
};

use super::{
    LinkStatistics, Received, Recovery, config::LinkConfig, credit::Credit, prefixes::Use,
    rekeying::Rekeying, skips::Skips,
};

/// So long may what is under way go unacknowledged, whatever else is sent meanwhile: three times the
/// silence that ends a link, for a host whose store is slow to take things in.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// With fewer probes unanswered than this, the path is just slow, and it may take as long as silence.
const UNACKNOWLEDGED_PROBES: u32 = 2;

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
    /// A half of a rekey.
    Rekey,
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
    pub(super) rekeying: Rekeying,
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
    /// Of the handshake that the other side began: the ephemeral key.
    pub(super) ephemeral: Option<EphemeralName>,
    /// When it was accepted, or the handshake of this side's was through.
    pub(super) began: Instant,
    /// It gives way to another one.
    pub(super) evicted: bool,
    pub(super) ready: Node<Self>,
    pub(super) held: Node<Self>,
    pub(super) peers: Node<Self>,
    /// The place of the source prefix that it is charged to.
    pub(super) prefix: u32,
    /// It is on the list of those that wait for a record of a packet in flight.
    pub(super) starved: bool,
    /// What the role keeps here.
    pub(crate) role: R::State,
}

/// The first half of an ephemeral key: as unlikely to repeat as need be.
pub(super) type EphemeralName = [u8; 16];

/// A link's life.
#[allow(clippy::large_enum_variant)] // most links are live, and there is no heap to box in
pub(super) enum Phase<R: Role> {
    /// This side accepted; the other has not sent a packet yet.
    Unconfirmed {
        memo: AcceptMemo,
        expires: Instant,
        /// Bytes that may still go to its address.
        allowance: u32,
    },
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
    pub(super) skips: Skips,
}

impl<R: Role> Flow<R> {
    /// With nothing sent and nothing received.
    pub(super) fn new(initial_rtt: Duration, datagram: u16, random: &mut Random) -> Self {
        Self {
            recovery: Recovery::new(initial_rtt, datagram.into()),
            received: Received::NEW,
            packets_received: 0,
            skips: Skips::new(random),
        }
    }

    /// When it is given up if nothing is acknowledged until then.
    pub(super) fn give_up_at(&self, idle: Duration) -> Option<Instant> {
        let probed = self.recovery.pto_count() >= UNACKNOWLEDGED_PROBES;
        let span = if probed { UNACKNOWLEDGED.min(idle) } else { idle };
        self.recovery.unanswered_since().map(|since| since + span)
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
        (keys, rekey_at): (Keys, Instant),
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
            rekeying: Rekeying::new(rekey_at),
            phase,
            datagram,
            credit: Credit::new(ours.into(), theirs.into()),
            answered: false,
            heard: now,
            asked: now,
            alarm: None,
            ping: false,
            ephemeral: None,
            began: now,
            evicted: false,
            ready: Node::UNLINKED,
            held: Node::UNLINKED,
            peers: Node::UNLINKED,
            prefix: 0,
            starved: false,
            role: R::State::default(),
        }
    }

    /// What it is counted as.
    pub(super) fn kind(&self) -> Option<Use> {
        match self.phase {
            Phase::Unconfirmed { .. } => Some(Use::Unconfirmed),
            Phase::Live(_) => Some(Use::Live),
            Phase::Closing { .. } => None,
        }
    }

    /// When this link must be looked at again.
    pub(super) fn deadline(&self, config: &LinkConfig) -> Instant {
        let flow = match &self.phase {
            Phase::Unconfirmed { expires, .. } => return *expires,
            Phase::Closing { until, .. } => return *until,
            Phase::Live(flow) => flow,
        };
        if self.evicted {
            return self.began;
        }
        let keep_alive = config.keep_alive.filter(|_| !self.ping);
        let keep_alive = keep_alive.map(|span| self.asked + span);
        let rekeying = self.rekeying.deadline(self.is_initiator());
        let give_up = flow.give_up_at(config.idle);
        let deadlines = [flow.recovery.deadline(), keep_alive, give_up, rekeying];
        deadlines.into_iter().flatten().fold(self.heard + config.idle, Instant::min)
    }

    /// What is known of the path, while both sides use it.
    pub(crate) fn statistics(&self) -> Option<LinkStatistics> {
        let Phase::Live(flow) = &self.phase else { return None };
        Some(LinkStatistics {
            packets_sent: self.keys.seal.next().saturating_sub(flow.skips.count()),
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
