//! What an endpoint and its links have counted, by value.

use core::time::Duration;

use crate::violation::Violation;

/// What an endpoint has counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Datagrams that came in.
    pub datagrams_received: u64,
    /// Those of them that were dropped, by reason.
    pub dropped: Drops,
    /// Datagrams that went out.
    pub datagrams_sent: u64,
    /// Rules of the protocol that others broke.
    pub violations: Violations,
    /// Handshakes, in both directions.
    pub handshakes: Handshakes,
    /// Sessions that got new keys at this side's request.
    pub rekeys: u64,
    /// Links that gave way to others: to those of a source prefix that has fewer, or to a newer one
    /// of the same key.
    pub evicted: u64,
    /// Newcomers that a server had no nick for: few were left, and their source prefix had been
    /// given as many lately as it may have then.
    pub newcomers_refused: u64,
    /// Links, in whatever phase.
    pub links: Fill,
    /// Handshakes that this side has begun and that are not through.
    pub outgoing_handshakes: Fill,
    /// Records of packets in flight, of all links together.
    pub packets_in_flight: Fill,
}

/// How full a table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fill {
    /// Entries there are.
    pub used: usize,
    /// Entries there is room for.
    pub capacity: usize,
}

/// How many handshakes came how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handshakes {
    /// Begun by this side: first Hellos.
    pub begun: u64,
    /// Accepted by this side: sessions that wait, or waited, for their first packet.
    pub accepted: u64,
    /// Sessions that both sides were known to have, whoever began.
    pub completed: u64,
    /// Begun by others at a proven address and not accepted, by this side's will or for want of room.
    pub refused: u64,
}

/// Why datagrams were dropped, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drops {
    /// No datagram of this protocol.
    pub malformed: u64,
    /// A Hello, Retry or handshake that was not for this endpoint, or damaged.
    pub unfitting: u64,
    /// A proof of address that is wrong or old.
    pub unproven: u64,
    /// A packet for no session.
    pub no_session: u64,
    /// A packet that came before.
    pub replayed: u64,
    /// A packet or handshake that does not authenticate.
    pub unauthentic: u64,
    /// A handshake or entry that there was no room for.
    pub no_room: u64,
    /// A handshake from a source prefix that has begun too many lately.
    pub throttled: u64,
}

/// Why a datagram is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dropped {
    Malformed,
    Unfitting,
    Unproven,
    NoSession,
    Replayed,
    Unauthentic,
    NoRoom,
    Throttled,
}

impl Drops {
    pub(crate) fn count(&mut self, why: Dropped) {
        *match why {
            Dropped::Malformed => &mut self.malformed,
            Dropped::Unfitting => &mut self.unfitting,
            Dropped::Unproven => &mut self.unproven,
            Dropped::NoSession => &mut self.no_session,
            Dropped::Replayed => &mut self.replayed,
            Dropped::Unauthentic => &mut self.unauthentic,
            Dropped::NoRoom => &mut self.no_room,
            Dropped::Throttled => &mut self.throttled,
        } += 1;
    }
}

/// How often each rule was broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Violations([u64; Violation::ALL.len()]);

impl Violations {
    /// How often this one was.
    #[must_use]
    pub fn of(&self, rule: Violation) -> u64 {
        self.0.get(rule as usize).copied().unwrap_or(0)
    }

    /// All rules that were broken, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Violation, u64)> + '_ {
        Violation::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }

    pub(crate) fn count(&mut self, rule: Violation) {
        if let Some(count) = self.0.get_mut(rule as usize) {
            *count += 1;
        }
    }
}

/// What is known of one session's path, and what went over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStatistics {
    /// The smoothed round-trip time (RFC 9002 §5.3).
    pub smoothed_rtt: Duration,
    /// Its variation.
    pub rtt_variation: Duration,
    /// The congestion window in bytes (RFC 9002 §7).
    pub congestion_window: usize,
    /// Bytes of packets that are neither acknowledged nor lost.
    pub bytes_in_flight: usize,
    /// Packets that went out, those that only acknowledge among them.
    pub packets_sent: u64,
    /// Packets that were taken in.
    pub packets_received: u64,
    /// Packets that were given up as lost (RFC 9002 §6.1).
    pub packets_lost: u64,
    /// The largest datagram that is sent, in bytes.
    pub datagram_size: u16,
}
