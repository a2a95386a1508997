//! What is given up, and when.

use core::{ops::Range, time::Duration};

use super::{Fate, KEPT, Recovery, SILENT, Sent, Timer, is_crowded};
use crate::{
    link::rtt::GRANULARITY,
    storage::{Id, Slab},
    time::Instant,
};

/// A packet that far below one that arrived is lost (RFC 9002 §6.1.1).
const PACKET_THRESHOLD: u64 = 3;

/// Probes are no further apart than this.
const MAX_PTO: Duration = Duration::from_mins(1);

/// The unit of persistent congestion, in PTOs (RFC 9002 §7.6.1).
const PERSISTENT: u32 = 3;

impl<T: Copy> Recovery<T> {
    /// Forgets a packet under way.
    pub(super) fn take(
        &mut self,
        pool: &mut Slab<'_, Sent<T>>,
        id: Id<Sent<T>>,
    ) -> Option<Sent<T>> {
        self.in_flight.remove(pool, id);
        let sent = pool.remove(id)?;
        self.packets = self.packets.saturating_sub(1);
        self.congestion.left(sent.bytes);
        Some(sent)
    }

    /// Gives up what is lost by number or by time (RFC 9002 §6.1), and sets the timer.
    /// Of the numbers in `silence` none has arrived, but the ones around them have.
    pub(super) fn find_lost(
        &mut self,
        pool: &mut Slab<'_, Sent<T>>,
        now: Instant,
        silence: Range<u64>,
        visit: &mut dyn FnMut(T, Fate),
    ) {
        let largest = self.largest_acked.unwrap_or(0);
        let delay = self.rtt.loss_delay();
        let mut newest = None;
        let mut silent: Option<(Instant, Instant)> = None;
        self.timer = None;
        while let Some(id) = self.in_flight.front() {
            let Some(sent) = pool.get(id).filter(|sent| sent.number < largest) else {
                break;
            };
            let by_time = sent.at + delay;
            if largest - sent.number < PACKET_THRESHOLD && by_time > now {
                // Those behind it are higher and were sent later.
                self.timer = Some(Timer::Loss(by_time));
                break;
            }
            let Some(sent) = self.take(pool, id) else {
                break;
            };
            newest = Some(sent.at);
            self.lost = self.lost.saturating_add(1);
            if silence.contains(&sent.number) {
                silent = Some((silent.map_or(sent.at, |(from, _)| from), sent.at));
            }
            sent.lose(visit);
        }
        if let Some(newest) = newest {
            self.congestion.lost(newest, now);
        }
        // RFC 9002 §7.6.2; what was lost before anything was acknowledged does not count.
        if silent.is_some_and(|(from, to)| to.since(from) > self.rtt.pto() * PERSISTENT) {
            self.congestion.collapse();
            self.rtt.forget_min();
        }
        if self.timer.is_none() {
            self.arm_probe(now);
        }
    }

    /// The next PTO is due later than `now`, even where an Ack shortened it.
    pub(super) fn arm_probe(&mut self, now: Instant) {
        let back_off = 1 << self.pto_count.min(16);
        let pto = self.rtt.pto().saturating_mul(back_off).min(MAX_PTO);
        let at = (self.probe_from + pto).max(now + GRANULARITY);
        self.timer = (!self.in_flight.is_empty()).then_some(Timer::Probe(at));
    }

    /// Visits the tokens of the oldest packet that still has them as `Lost`, for a probe.
    pub(super) fn give_back(
        &mut self,
        pool: &mut Slab<'_, Sent<T>>,
        visit: &mut dyn FnMut(T, Fate),
    ) {
        let mut at = self.in_flight.front();
        while let Some(sent) = at.and_then(|id| pool.get_mut(id)) {
            at = sent.node.next();
            if !sent.given_back {
                sent.lose(visit);
                sent.given_back = true;
                break;
            }
        }
        let scarce = pool.capacity() - pool.len() <= pool.capacity() / 4;
        let silent = self.pto_count >= SILENT && is_crowded(pool);
        let kept = match self.packets {
            _ if scarce => 0,
            packets if silent => packets.min(KEPT),
            packets if !self.congestion.has_room(0) => packets.saturating_sub(1),
            packets => packets,
        };
        while self.packets > kept
            && let Some(sent) = self.in_flight.front().and_then(|id| self.take(pool, id))
        {
            sent.lose(visit);
        }
        if scarce || silent {
            self.congestion.collapse();
        }
    }
}
