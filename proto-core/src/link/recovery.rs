//! What was sent and what became of it: loss recovery after RFC 9002, with one
//! packet number space and no handshake in it.

mod lost;
mod sent;
#[cfg(test)]
mod tests;

use core::{fmt, time::Duration};

use heapless::Vec;

pub(crate) use sent::Carried;
pub use sent::{Fate, Sent};

use self::sent::InFlight;
use super::{congestion::Congestion, rtt::Rtt, statistics::LinkStatistics};
use crate::{
    storage::{List, Node, Slab},
    time::Instant,
    wire::{Ack, MAX_ACK_RANGES},
};

/// So many packets may go beyond the window after a PTO (RFC 9002 §6.2.4, §7.5).
const PROBES: u8 = 2;

/// After so many PTOs without an Ack all but a few packets under way are given up, and nothing but
/// probes goes out, where others need the records. It is how many make persistent congestion
/// (RFC 9002 §7.6.1), which differs in that it takes an Ack to be found.
const SILENT: u8 = 3;

/// So many packets stay under way then: the newest probes, so that an Ack that is late counts.
const KEPT: u32 = 4;

/// More than half of the records are used: by more than one link, since one alone gets half.
fn is_crowded<T>(pool: &Slab<'_, Sent<T>>) -> bool {
    pool.len() * 2 > pool.capacity()
}

/// An Ack that tells of a packet that was never sent, or of numbers below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an Ack for a packet that was never sent")
    }
}

impl core::error::Error for Invalid {}

/// What a timeout came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Timeout {
    /// Nothing was due.
    Nothing,
    /// Packets were found lost.
    Lost,
    /// Too long without an Ack: see [`Recovery::is_probing`].
    Probe,
}

#[derive(Clone, Copy, Debug)]
enum Timer {
    Loss(Instant),
    Probe(Instant),
}

/// Loss recovery and congestion control of one link.
///
/// An Ack costs as many steps as packets are newly acknowledged or lost, plus a
/// few; everything else is O(1), but for a PTO, which passes over the packets that
/// earlier ones have given back.
#[derive(Debug)]
pub(crate) struct Recovery<T> {
    /// Lowest number first.
    in_flight: List<Sent<T>, InFlight>,
    packets: u32,
    /// Packets given up so far.
    lost: u64,
    congestion: Congestion,
    rtt: Rtt,
    largest_acked: Option<u64>,
    timer: Option<Timer>,
    /// When something was newly acknowledged last, or the first packet under way was sent.
    progress: Instant,
    /// When the last packet went or the last PTO passed.
    probe_from: Instant,
    pto_count: u8,
    probes: u8,
}

impl<T: Copy> Recovery<T> {
    /// Of a new path, taken to have this round trip until the first sample, with
    /// datagrams of up to `datagram` bytes.
    pub(crate) fn new(initial_rtt: Duration, datagram: usize) -> Self {
        Self {
            in_flight: List::NEW,
            packets: 0,
            lost: 0,
            congestion: Congestion::new(datagram),
            rtt: Rtt::new(initial_rtt),
            largest_acked: None,
            timer: None,
            progress: Instant::from_micros(0),
            probe_from: Instant::from_micros(0),
            pto_count: 0,
            probes: 0,
        }
    }

    /// The probe timeout, were no probe unanswered (RFC 9002 §6.2.1).
    pub(crate) fn pto(&self) -> Duration {
        self.rtt.pto()
    }

    /// An eliciting packet of `bytes` bytes may go now: it fits the congestion window
    /// and this link's share of the pool, or it is a probe and there is any room at all.
    ///
    /// The share is as much as is still free: one link alone gets half of the pool,
    /// and however many want more, some room stays for those that have nothing under way.
    /// A quarter of the pool is for links whose packets are acknowledged, and one that left
    /// [`SILENT`] PTOs unanswered has no share of a pool that others use too: who never
    /// acknowledges anything pins few records, and as many as there are probes when they are scarce.
    pub(crate) fn can_send(&self, pool: &Slab<'_, Sent<T>>, bytes: usize) -> bool {
        let free = pool.capacity().saturating_sub(pool.len());
        let reserved = match self.pto_count {
            0 => 0,
            1.. if !is_crowded(pool) => 0,
            1..SILENT => pool.capacity() / 4,
            SILENT.. => free,
        };
        let share = (self.packets as usize) < free.saturating_sub(reserved);
        let share = share && self.congestion.has_room(bytes);
        let few = self.packets < PROBES.into() && free > 0;
        share || (self.probes > 0 && (few || free > pool.capacity() / 8))
    }

    /// An eliciting packet goes, `bytes` bytes long as a datagram, its number higher
    /// than all before it. Packets that only ack are not told.
    ///
    /// # Errors
    /// Gives the tokens back, and knows nothing of the packet, if the pool is full;
    /// [`Self::can_send`] tells beforehand.
    pub(crate) fn sent(
        &mut self,
        pool: &mut Slab<'_, Sent<T>>,
        number: u64,
        now: Instant,
        bytes: usize,
        carried: Carried<T>,
    ) -> Result<(), Carried<T>> {
        let bytes = u16::try_from(bytes).unwrap_or(u16::MAX);
        let node = Node::UNLINKED;
        let id = pool
            .insert(Sent { number, at: now, bytes, given_back: false, carried, node })
            .map_err(|sent| sent.carried)?;
        self.in_flight.push_back(pool, id);
        if self.packets == 0 && self.pto_count == 0 {
            self.progress = now;
        }
        self.packets += 1;
        self.congestion.sent(bytes);
        self.probes = self.probes.saturating_sub(1);
        self.probe_from = now;
        if !matches!(self.timer, Some(Timer::Loss(_))) {
            self.arm_probe(now);
        }
        Ok(())
    }

    /// An Ack came; `next` is the number that the next packet will get. `true` if it
    /// told of anything new. Packets given up before are ignored: their fate is told.
    ///
    /// # Errors
    /// [`Invalid`], and nothing has changed, if the Ack cannot be true.
    pub(crate) fn ack(
        &mut self,
        pool: &mut Slab<'_, Sent<T>>,
        ack: &Ack,
        now: Instant,
        next: u64,
        visit: &mut dyn FnMut(T, Fate),
    ) -> Result<bool, Invalid> {
        let mut ranges: Vec<_, { MAX_ACK_RANGES + 1 }> = ack.ranges().collect();
        if ack.largest >= next || ranges.len() != ack.gaps.len() + 1 {
            return Err(Invalid);
        }
        // The numbers between what arrived last and what arrives now.
        let silence = match self.largest_acked {
            None => 0..0,
            Some(last) => {
                let news = ranges.iter().rev().find(|range| *range.end() > last);
                last.saturating_add(1)..news.map_or(0, |range| *range.start())
            }
        };
        let higher = self.largest_acked < Some(ack.largest);
        self.largest_acked = self.largest_acked.max(Some(ack.largest));

        let mut newest = None;
        let mut telling = 0_u32;
        let mut at = self.in_flight.front();
        while let Some(id) = at {
            let Some(sent) = pool.get(id).filter(|sent| sent.number <= ack.largest) else {
                break;
            };
            let number = sent.number;
            at = sent.node.next();
            while ranges.last().is_some_and(|range| *range.end() < number) {
                ranges.pop();
            }
            if !ranges.last().is_some_and(|range| range.contains(&number)) {
                continue;
            }
            let Some(sent) = self.take(pool, id) else {
                break;
            };
            newest = Some(sent.at);
            if !self.congestion.is_settled(sent.at) {
                telling = telling.saturating_add(sent.bytes.into());
            }
            if number == ack.largest {
                self.rtt.sample(now.since(sent.at), Duration::from_micros(ack.delay.into()));
            }
            sent.carried.iter().for_each(|token| visit(*token, Fate::Acked));
        }
        if newest.is_some() {
            self.pto_count = 0;
            self.probes = 0;
            self.progress = now;
        }
        // An Ack without news must not move the timer, or many of them could stop it.
        if newest.is_some() || higher {
            self.find_lost(pool, now, silence, visit);
        }
        if let Some(newest) = newest {
            self.congestion.acked(newest, telling);
        }
        Ok(newest.is_some())
    }

    /// When to call [`Self::timeout`]; `None` while nothing is under way. O(1).
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timer.map(|(Timer::Loss(at) | Timer::Probe(at))| at)
    }

    /// Time has passed. On a PTO the tokens of the oldest packet that still has them
    /// are visited as `Lost`, so that the probe carries something of use.
    ///
    /// That packet stays under way, and an Ack for it still counts, since a PTO is no
    /// proof of loss (RFC 9002 §6.2.4): on a path slower than the estimate it is what
    /// brings the first sample. A window that is full makes the oldest one go, because a
    /// probe must have room even where nothing is ever acknowledged. From [`SILENT`] PTOs on
    /// all go but the newest [`KEPT`] if others use the pool too; if it is three quarters full,
    /// all do.
    pub(crate) fn timeout(
        &mut self,
        pool: &mut Slab<'_, Sent<T>>,
        now: Instant,
        visit: &mut dyn FnMut(T, Fate),
    ) -> Timeout {
        match self.timer {
            Some(Timer::Loss(at)) if at <= now => {
                self.find_lost(pool, now, 0..0, visit);
                Timeout::Lost
            }
            Some(Timer::Probe(at)) if at <= now => {
                self.pto_count = self.pto_count.saturating_add(1);
                self.probes = PROBES;
                self.probe_from = now;
                self.give_back(pool, visit);
                self.arm_probe(now);
                Timeout::Probe
            }
            _ => Timeout::Nothing,
        }
    }

    /// Since when nothing has been acknowledged that is under way; `None` if nothing is.
    pub(crate) fn unanswered_since(&self) -> Option<Instant> {
        (self.packets > 0 || self.pto_count > 0).then_some(self.progress)
    }

    /// How many PTOs passed since anything was acknowledged last.
    pub(crate) fn pto_count(&self) -> u32 {
        self.pto_count.into()
    }

    /// A PTO has passed, and no eliciting packet went since: one must go now, whatever
    /// the window, with a Ping if there is nothing else.
    pub(crate) fn is_probing(&self) -> bool {
        self.probes == PROBES
    }

    /// What is known of the path; how many packets came or went, the link knows.
    pub(crate) fn statistics(&self) -> LinkStatistics {
        LinkStatistics {
            smoothed_rtt: self.rtt.smoothed(),
            rtt_variation: self.rtt.variation(),
            congestion_window: self.congestion.window(),
            bytes_in_flight: self.congestion.in_flight(),
            packets_sent: 0,
            packets_received: 0,
            packets_lost: self.lost,
            datagram_size: 0,
        }
    }

    /// The smoothed round trip (RFC 9002 §5.3).
    #[cfg(test)]
    pub(crate) fn smoothed(&self) -> Duration {
        self.rtt.smoothed()
    }

    /// Bytes under way.
    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> usize {
        self.congestion.in_flight()
    }

    /// The congestion window, in bytes (RFC 9002 §7).
    #[cfg(test)]
    pub(crate) fn window(&self) -> usize {
        self.congestion.window()
    }

    /// The path takes datagrams of up to `bytes` bytes from now on.
    pub(crate) fn set_datagram(&mut self, bytes: usize) {
        self.congestion.set_datagram(bytes);
    }

    /// The link ends, or its packet numbers begin anew: every packet is forgotten, its
    /// tokens visited as `Lost` unless a PTO has done so. What is known of the path stays.
    pub(crate) fn clear(&mut self, pool: &mut Slab<'_, Sent<T>>, visit: &mut dyn FnMut(T, Fate)) {
        while let Some(sent) = self.in_flight.front().and_then(|id| self.take(pool, id)) {
            sent.lose(visit);
        }
        self.largest_acked = None;
        self.timer = None;
        self.pto_count = 0;
        self.probes = 0;
    }
}
