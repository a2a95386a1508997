//! How much may be under way at once: `NewReno` (RFC 9002 §7, appendix B).

use crate::{time::Instant, wire::MAX_DATAGRAM};

/// The congestion window of one path, in bytes of whole datagrams.
#[derive(Debug)]
pub(super) struct Congestion {
    window: u32,
    /// Slow start below it.
    threshold: u32,
    /// Bytes acknowledged towards the next step up, once slow start is over.
    credit: u32,
    in_flight: u32,
    /// What was sent up to then was sent into the congestion that is dealt with already.
    recovery: Option<Instant>,
    datagram: u16,
    /// The window, not a lack of things to send, ended the last burst.
    limited: bool,
}

impl Congestion {
    /// With the initial window for datagrams of this many bytes (§7.2).
    pub(super) fn new(datagram: usize) -> Self {
        let mut new = Self {
            window: 0,
            threshold: u32::MAX,
            credit: 0,
            in_flight: 0,
            recovery: None,
            datagram: 0,
            limited: false,
        };
        new.set_datagram(datagram);
        let datagram = u32::from(new.datagram);
        new.window = (10 * datagram).min(14_720.max(2 * datagram));
        new
    }

    /// The window holds at least two of the new datagrams (§7.2).
    pub(super) fn set_datagram(&mut self, datagram: usize) {
        self.datagram = datagram.min(MAX_DATAGRAM) as u16;
        self.window = self.window.max(self.least());
    }

    fn least(&self) -> u32 {
        2 * u32::from(self.datagram)
    }

    pub(super) fn window(&self) -> usize {
        self.window as usize
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight as usize
    }

    /// So many bytes more stay within the window.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.in_flight().saturating_add(bytes) <= self.window()
    }

    /// A packet is under way.
    pub(super) fn sent(&mut self, bytes: u16) {
        self.in_flight = self.in_flight.saturating_add(bytes.into());
        self.limited = !self.has_room(self.datagram.into());
    }

    /// A packet is no longer under way, whatever became of it.
    pub(super) fn left(&mut self, bytes: u16) {
        self.in_flight = self.in_flight.saturating_sub(bytes.into());
    }

    /// A packet sent at `at` tells nothing new (§7.3.2).
    pub(super) fn is_settled(&self, at: Instant) -> bool {
        self.recovery.is_some_and(|start| at <= start)
    }

    /// Packets arrived, `bytes` in all, the newest of them sent at `newest` (§7.3.1,
    /// §7.3.3). A window that was not used up proved nothing and does not grow (§7.8).
    pub(super) fn acked(&mut self, newest: Instant, bytes: u32) {
        if !self.limited || self.is_settled(newest) {
            return;
        }
        if self.window < self.threshold {
            self.window = self.window.saturating_add(bytes);
            return;
        }
        self.credit = self.credit.saturating_add(bytes);
        if let Some(rest) = self.credit.checked_sub(self.window) {
            self.credit = rest.min(self.window);
            self.window = self.window.saturating_add(self.datagram.into());
        }
    }

    /// A packet sent at `at` was lost: half the window, once per round trip (§7.3.2).
    pub(super) fn lost(&mut self, at: Instant, now: Instant) {
        if !self.is_settled(at) {
            self.recovery = Some(now);
            self.threshold = self.window / 2;
            self.shrink(self.threshold);
        }
    }

    /// Nothing got through for long: back to the least (§7.6).
    pub(super) fn collapse(&mut self) {
        self.recovery = None;
        self.shrink(0);
    }

    fn shrink(&mut self, window: u32) {
        self.window = window.max(self.least());
        self.credit = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Instant = Instant::from_micros;

    /// Fills the window, so that what is acknowledged next counts.
    fn fill(congestion: &mut Congestion) {
        while congestion.has_room(1_200) {
            congestion.sent(1_200);
        }
    }

    /// RFC 9002 §7.2: ten datagrams, at most the larger of 14,720 bytes and two of them.
    #[test]
    fn begins_with_ten_datagrams_or_less() {
        for (datagram, window) in [(256, 2_560), (1_200, 12_000), (1_472, 14_720), (9_000, 14_720)]
        {
            assert_eq!(Congestion::new(datagram).window(), window);
        }
    }

    /// RFC 9002 §7.3.1, §7.3.3.
    #[test]
    fn doubles_in_slow_start_then_adds_one_datagram_a_window() {
        let mut c = Congestion::new(1_200);
        fill(&mut c);
        assert!(!c.has_room(1));
        c.acked(AT(1), 12_000);
        assert_eq!(c.window(), 24_000);

        c.lost(AT(1), AT(2));
        assert_eq!((c.window(), c.threshold), (12_000, 12_000));
        fill(&mut c);
        c.acked(AT(3), 11_999);
        assert_eq!(c.window(), 12_000);
        c.acked(AT(3), 1);
        assert_eq!(c.window(), 13_200);
        c.acked(AT(3), 13_199);
        assert_eq!(c.window(), 13_200);
        c.lost(AT(3), AT(4));
        c.acked(AT(5), 1);
        assert_eq!(c.window(), 6_600, "what was gained before counts no more");
    }

    /// RFC 9002 §7.3.2: what was sent before the recovery period began does not begin another.
    #[test]
    fn one_round_trip_is_one_congestion_event() {
        let mut c = Congestion::new(1_200);
        fill(&mut c);
        c.lost(AT(5), AT(10));
        c.lost(AT(6), AT(11));
        c.lost(AT(10), AT(12));
        c.acked(AT(10), 12_000);
        assert_eq!(c.window(), 6_000);
        c.lost(AT(11), AT(20));
        assert_eq!(c.window(), 3_000);
        c.lost(AT(21), AT(30));
        c.lost(AT(31), AT(40));
        assert_eq!(c.window(), 2_400, "no less than two datagrams");
    }

    /// RFC 9002 §7.8.
    #[test]
    fn an_unused_window_does_not_grow() {
        let mut c = Congestion::new(1_200);
        c.sent(1_200);
        c.acked(AT(1), 1_200);
        assert_eq!(c.window(), 12_000);
    }

    /// RFC 9002 §7.6.2: the minimum window is two datagrams.
    #[test]
    fn collapses_to_two_datagrams_and_starts_slowly_again() {
        let mut c = Congestion::new(1_200);
        fill(&mut c);
        c.lost(AT(5), AT(10));
        c.collapse();
        assert_eq!((c.window(), c.in_flight()), (2_400, 12_000));
        assert!(!c.has_room(1));
        (0..10).for_each(|_| c.left(1_200));
        fill(&mut c);
        c.acked(AT(6), 1_200);
        assert_eq!(c.window(), 3_600);
        c.set_datagram(576);
        assert_eq!(c.window(), 3_600);
        c.collapse();
        c.set_datagram(1_472);
        assert_eq!(c.window(), 2 * 1_472);
    }
}
