//! The places of passwords that are being checked: who gets one, and who is next.

use core::ops::Range;

use crate::{password::Password, time::Instant};

use super::{
    check::{PasswordCheck, Rank, Step},
    source::Source,
};

/// Passwords that are being checked at a time, whoever sent them.
pub(super) const CHECKS: usize = 8;

/// Ranks, in the order in which they take turns.
const RANKS: [Rank; 3] = [Rank::Trusted, Rank::Known, Rank::Stranger];

impl Rank {
    /// Its places. Nobody takes those of another rank.
    fn places(self) -> Range<usize> {
        match self {
            Self::Trusted => 0..2,
            Self::Known => 2..4,
            Self::Stranger => 4..CHECKS,
        }
    }
}

/// The places of passwords that are being checked.
#[derive(Debug)]
pub(super) struct Places {
    checks: [Option<PasswordCheck>; CHECKS],
    /// The password of each, and the one that it is to become, if that is another.
    texts: [[Password; 2]; CHECKS],
    /// The one that the host judges: one at a time.
    judged: Option<usize>,
    /// Where in [`RANKS`] the next turn begins.
    turn: usize,
    serial: u32,
}

impl Places {
    pub(super) const NEW: Self = Self {
        checks: [const { None }; CHECKS],
        texts: [const { [Password::EMPTY, Password::EMPTY] }; CHECKS],
        judged: None,
        turn: 0,
        serial: 0,
    };

    pub(super) fn iter(&self) -> impl Iterator<Item = &PasswordCheck> {
        self.checks.iter().flatten()
    }

    pub(super) fn get(&self, slot: usize) -> Option<&PasswordCheck> {
        self.checks.get(slot)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut PasswordCheck> {
        self.checks.get_mut(slot)?.as_mut()
    }

    /// The password in `slot` that is judged next, or last: the new one, once the old one is gone.
    pub(super) fn text(&self, slot: usize) -> &[u8] {
        let texts = self.texts.get(slot).into_iter().flatten();
        texts.map(Password::as_bytes).find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// That one is wiped.
    pub(super) fn wipe(&mut self, slot: usize) {
        let texts = self.texts.get_mut(slot).into_iter().flatten();
        if let Some(text) = texts.into_iter().find(|text| !text.as_bytes().is_empty()) {
            text.wipe();
        }
    }

    /// A place for a password of this rank from there, and whether its check gives way for that: the
    /// newest of the network that has the most, if that has more than the other's would have.
    pub(super) fn place_for(&self, rank: Rank, source: Source) -> Option<(usize, bool)> {
        let places = rank.places();
        if let Some(free) = places.clone().find(|slot| self.get(*slot).is_none()) {
            return Some((free, false));
        }
        let own = self.near(rank, source);
        let can_go = |slot: &usize| self.get(*slot).is_some_and(PasswordCheck::can_give_way);
        let weight = |slot: &usize| {
            let check = self.get(*slot)?;
            Some((self.near(rank, check.source), check.serial))
        };
        let slot = places.filter(can_go).max_by_key(weight)?;
        (weight(&slot)?.0 > own + 1).then_some((slot, true))
    }

    /// Takes a password in at a place that is free.
    pub(super) fn put(&mut self, slot: usize, check: PasswordCheck, texts: [&[u8]; 2]) {
        self.serial = self.serial.wrapping_add(1);
        let serial = self.serial;
        if let Some(place) = self.checks.get_mut(slot) {
            debug_assert!(place.is_none(), "the place is free");
            *place = Some(PasswordCheck { serial, ..check });
        }
        for (place, text) in self.texts.get_mut(slot).into_iter().flatten().zip(texts) {
            let set = text.is_empty() || place.set(text).is_ok();
            debug_assert!(set, "its length was looked at");
        }
    }

    /// Takes a password out, and wipes it.
    pub(super) fn take(&mut self, slot: usize) -> Option<PasswordCheck> {
        self.texts.get_mut(slot).into_iter().flatten().for_each(Password::wipe);
        self.judged.take_if(|judged| *judged == slot);
        self.checks.get_mut(slot)?.take()
    }

    /// The host has judged the password in `slot`.
    pub(super) fn judged(&mut self, slot: usize) {
        self.judged.take_if(|judged| *judged == slot);
    }

    /// Whose turn it is to be judged: rank after rank, and of one the network that has the fewest
    /// waiting; `None` while another is, or nobody waits. It is given up at `until`.
    pub(super) fn next_turn(&mut self, until: Instant) -> Option<usize> {
        if self.judged.is_some() {
            return None;
        }
        for step in 0..RANKS.len() {
            let at = (self.turn + step) % RANKS.len();
            let rank = *RANKS.get(at)?;
            let waits = |slot: &usize| self.get(*slot).is_some_and(|one| one.step == Step::Wait);
            let weight =
                |slot: &usize| self.get(*slot).map(|one| (self.near(rank, one.source), one.serial));
            let Some(slot) = rank.places().filter(waits).min_by_key(weight) else { continue };
            self.turn = at + 1;
            self.judged = Some(slot);
            let check = self.get_mut(slot)?;
            (check.step, check.until) = (Step::Judge, Some(until));
            return Some(slot);
        }
        None
    }

    /// How many of a rank come from the network of a source.
    fn near(&self, rank: Rank, source: Source) -> usize {
        let of = rank.places().filter_map(|slot| self.get(slot));
        of.filter(|one| one.source.is_near(source)).count()
    }
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU32;

    use std::vec::Vec;

    use crate::{host::Ask, storage::Id};

    use super::{super::check::Purpose, *};

    fn source(text: &str) -> Source {
        Source::of(text.parse().expect("an address"))
    }

    fn check(rank: Rank, from: &str) -> PasswordCheck {
        PasswordCheck {
            link: Id::from_parts(0, NonZeroU32::MIN),
            source: source(from),
            rank,
            purpose: Purpose::Change { serial: 0 },
            account: None,
            is_known: false,
            hash: heapless::Vec::new(),
            step: Step::Wait,
            ask: Ask::Idle,
            until: None,
            serial: 0,
        }
    }

    fn add(places: &mut Places, rank: Rank, from: &str) -> Option<(usize, bool)> {
        let (slot, gives_way) = places.place_for(rank, source(from))?;
        if gives_way {
            places.take(slot);
        }
        places.put(slot, check(rank, from), [b"old", b"new"]);
        Some((slot, gives_way))
    }

    #[test]
    fn who_has_most_gives_way_and_no_rank_takes_anothers_places() {
        let mut places = Places::NEW;
        for at in 0..4 {
            assert!(add(&mut places, Rank::Stranger, &std::format!("10.0.0.{at}")).is_some());
        }
        assert_eq!(add(&mut places, Rank::Stranger, "10.0.0.9"), None);
        for (from, more) in [
            ("10.0.1.1", Some(7)),
            ("10.0.2.1", Some(6)),
            ("10.0.3.1", Some(5)),
            ("10.0.4.1", None),
        ] {
            let given = add(&mut places, Rank::Stranger, from);
            assert_eq!(given, more.map(|slot| (slot, true)), "{from}");
        }
        assert!(add(&mut places, Rank::Trusted, "10.0.0.5").is_some());
        assert!(add(&mut places, Rank::Known, "10.0.0.5").is_some());
        assert!(add(&mut places, Rank::Known, "10.0.0.6").is_some());
        assert_eq!(add(&mut places, Rank::Known, "10.0.0.7"), None);
    }

    #[test]
    fn ranks_take_turns_and_of_one_the_lightest_network_is_first() {
        let mut places = Places::NEW;
        for from in ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.1"] {
            add(&mut places, Rank::Stranger, from);
        }
        add(&mut places, Rank::Trusted, "10.0.0.1");
        add(&mut places, Rank::Trusted, "10.0.0.2");
        let until = Instant::from_micros(1);
        let turns = core::iter::from_fn(|| {
            let slot = places.next_turn(until)?;
            assert_eq!(places.next_turn(until), None, "one at a time");
            places.take(slot);
            Some(slot)
        });
        assert_eq!(turns.collect::<Vec<_>>(), [0, 7, 1, 4, 5, 6]);
    }

    #[test]
    fn passwords_are_wiped_where_they_are() {
        let mut places = Places::NEW;
        let (slot, _) = add(&mut places, Rank::Trusted, "10.0.0.1").unwrap();
        assert_eq!(places.text(slot), b"old");
        places.wipe(slot);
        assert_eq!(places.text(slot), b"new");
        places.take(slot);
        assert_eq!((places.text(slot), places.get(slot).is_none()), (&b""[..], true));
        assert!(places.texts[slot].iter().all(|text| text.as_bytes().is_empty()));
    }
}
