//! Where passwords come from, and what wrong ones from there cost.

use core::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use heapless::Vec;

use crate::time::Instant;

use super::penalty::Penalty;

/// Addresses that sent a wrong one and are remembered; the one whose wait ends first
/// makes room.
const WRONG: usize = 32;

/// Addresses that had a right one and are remembered; the oldest makes room.
const RIGHT: usize = 32;

/// Where passwords come from: an address, or what one holder of IPv6 addresses has of
/// them at the least, a /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source(IpAddr);

impl Source {
    pub(super) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }

    /// Both are of one network, as one holder has it of either kind of address: a /24, or a /48.
    pub(super) fn is_near(self, other: Self) -> bool {
        match (self.0, other.0) {
            (IpAddr::V4(one), IpAddr::V4(other)) => one.octets()[..3] == other.octets()[..3],
            (IpAddr::V6(one), IpAddr::V6(other)) => one.segments()[..3] == other.segments()[..3],
            _ => false,
        }
    }
}

/// The addresses that sent wrong passwords, and those that sent right ones.
#[derive(Debug)]
pub(super) struct Sources {
    wrong: Vec<(Source, Penalty), WRONG>,
    right: Vec<Source, RIGHT>,
}

impl Sources {
    pub(super) const NEW: Self = Self { wrong: Vec::new(), right: Vec::new() };

    /// How long until a password from there is looked at.
    pub(super) fn wait(&self, source: Source, now: Instant) -> Duration {
        let found = self.wrong.iter().find(|(of, _)| *of == source);
        found.map_or(Duration::ZERO, |(_, penalty)| penalty.wait(now))
    }

    /// One from there was wrong.
    pub(super) fn punish(&mut self, source: Source, now: Instant) {
        if !self.wrong.iter().any(|(of, _)| *of == source) {
            if self.wrong.is_full() {
                let ends = |at: &usize| self.wrong.get(*at).map(|(_, penalty)| penalty.wait(now));
                if let Some(first) = (0..self.wrong.len()).min_by_key(ends) {
                    self.wrong.swap_remove(first);
                }
            }
            let pushed = self.wrong.push((source, Penalty::default()));
            debug_assert!(pushed.is_ok(), "one just gave way");
        }
        if let Some((_, penalty)) = self.wrong.iter_mut().find(|(of, _)| *of == source) {
            penalty.add(now);
        }
    }

    /// One from there was right.
    pub(super) fn trust(&mut self, source: Source) {
        self.right.retain(|of| *of != source);
        if self.right.is_full() {
            self.right.remove(0);
        }
        let pushed = self.right.push(source);
        debug_assert!(pushed.is_ok(), "one just gave way");
    }

    /// One from there was right, not long ago.
    pub(super) fn is_trusted(&self, source: Source) -> bool {
        self.right.contains(&source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::of(text.parse().expect("an address"))
    }

    #[test]
    fn one_holder_has_one_source_and_many_in_one_network() {
        assert_eq!(source("::ffff:192.0.2.7"), source("192.0.2.7"));
        assert_eq!(source("2001:db8:1:2::3"), source("2001:db8:1:2:3::"));
        assert_ne!(source("2001:db8:1:2::3"), source("2001:db8:1:3::3"));
        assert!(source("2001:db8:1:2::3").is_near(source("2001:db8:1:3::3")));
        assert!(!source("2001:db8:1::3").is_near(source("2001:db8:2::3")));
        assert!(source("192.0.2.7").is_near(source("192.0.2.8")));
        assert!(!source("192.0.2.7").is_near(source("192.0.3.7")));
    }

    #[test]
    fn the_newest_that_were_right_are_remembered() {
        let mut sources = Sources::NEW;
        let nth = |n: usize| source(&std::format!("10.0.0.{n}"));
        for n in 0..=RIGHT {
            sources.trust(nth(n));
            sources.trust(nth(1));
        }
        assert!(!sources.is_trusted(nth(0)) && sources.is_trusted(nth(1)));
        assert!(sources.is_trusted(nth(RIGHT)));
    }
}
