//! Receiver credit: how many messages, and how many bytes of them, may be under way in one session,
//! so that a slow reader bounds its writer. Counted in whole bodies, each once, however often its
//! pieces are sent. The reader gives it back with a new limit; of entries of rooms, which may be
//! given up on their way, its cursor does.
//!
//! The reader counts what it holds against what it granted. It may have given back more than was
//! used: for a body of which nothing was kept, or that was given up and may come again without
//! being charged again. Nobody is closed for using that.

use core::ops::Add;

use crate::{session::Offer, violation::Violation, wire::CreditLimit};

/// Bodies, and bytes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    bytes: u64,
    messages: u64,
}

impl Amount {
    fn one(bytes: usize) -> Self {
        Self { bytes: bytes as u64, messages: 1 }
    }

    fn fits(self, room: Self) -> bool {
        self.bytes <= room.bytes && self.messages <= room.messages
    }

    fn minus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(other.bytes),
            messages: self.messages.saturating_sub(other.messages),
        }
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            messages: self.messages.saturating_add(other.messages),
        }
    }
}

/// What one side grants at the beginning of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Bytes of bodies.
    pub(crate) bytes: u32,
    /// Bodies.
    pub(crate) messages: u16,
}

impl From<Grant> for Amount {
    fn from(grant: Grant) -> Self {
        Self { bytes: grant.bytes.into(), messages: grant.messages.into() }
    }
}

impl From<Offer> for Grant {
    fn from(offer: Offer) -> Self {
        Self { bytes: offer.credit, messages: offer.messages }
    }
}

/// What becomes of a body that is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// It is within what was granted.
    Granted,
    /// It is beyond what is kept room for, and may be sent all the same: more was given back than
    /// was used.
    NoRoom,
    /// It is beyond all that was ever granted.
    Overrun(Violation),
}

/// Both directions of one session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credit {
    /// What the other side has granted since the session began, and what of it was used.
    limit: Amount,
    used: Amount,
    /// What was granted to the other side, and what of it the other side was told of.
    granted: Amount,
    announced: Amount,
    /// What is held of bodies that the other side began.
    held: Amount,
    /// What was given back of bodies that may come again.
    unsettled: Amount,
    ours: Grant,
    /// The other side's grant: no longer body can ever be sent to it.
    theirs: Grant,
}

impl Credit {
    /// With `ours` granted in the handshake, and `theirs` by the other side.
    pub(crate) fn new(ours: Grant, theirs: Grant) -> Self {
        Self {
            limit: theirs.into(),
            used: Amount::default(),
            granted: ours.into(),
            announced: ours.into(),
            held: Amount::default(),
            unsettled: Amount::default(),
            ours,
            theirs,
        }
    }

    /// The longest body that the other side can ever take, in bytes.
    pub(crate) fn longest(&self) -> usize {
        self.theirs.bytes as usize
    }

    /// There is enough now for a room's entry of `bytes` bytes.
    pub(crate) fn suffices(&self, bytes: usize) -> bool {
        self.used.bytes.saturating_add(bytes as u64) <= self.limit.bytes
    }

    /// Uses credit for a message of `bytes` bytes; `false` if there is not enough now.
    pub(crate) fn spend(&mut self, bytes: usize) -> bool {
        let used = self.used + Amount::one(bytes);
        let enough = used.fits(self.limit);
        if enough {
            self.used = used;
        }
        enough
    }

    /// Uses credit for a room's entry, which counts in bytes only: how many of them may be under
    /// way, the room's reader bounds.
    pub(crate) fn spend_on_entry(&mut self, bytes: usize) -> bool {
        let enough = self.suffices(bytes);
        if enough {
            self.used.bytes = self.used.bytes.saturating_add(bytes as u64);
        }
        enough
    }

    /// So many bytes of what entries of rooms used are free again, by other word than the other
    /// side's limit.
    pub(crate) fn refund(&mut self, bytes: u32) {
        self.used.bytes = self.used.bytes.saturating_sub(bytes.into());
    }

    /// The other side may now send up to `limit` in all.
    pub(crate) fn raise(&mut self, limit: CreditLimit) {
        self.limit.bytes = self.limit.bytes.max(limit.bytes);
        self.limit.messages = self.limit.messages.max(limit.messages);
    }

    /// What becomes of a body of `bytes` bytes that the other side begins; see [`Self::begin`].
    pub(crate) fn check(&self, bytes: usize) -> Begun {
        let held = self.held + Amount::one(bytes);
        if held.fits(self.ours.into()) {
            Begun::Granted
        } else if held.fits(self.unsettled + self.ours.into()) {
            Begun::NoRoom
        } else {
            Begun::Overrun(Violation::CreditOverrun)
        }
    }

    /// A body of `bytes` bytes that the other side began is held from now on.
    pub(crate) fn begin(&mut self, bytes: usize) {
        self.held = self.held + Amount::one(bytes);
    }

    /// A body of `bytes` bytes is held no longer: as many may follow. Unless it is `settled`, it
    /// may come again.
    pub(crate) fn release(&mut self, bytes: usize, settled: bool) {
        let one = Amount::one(bytes);
        debug_assert!(one.fits(self.held), "it was begun");
        self.held = self.held.minus(one);
        self.granted = self.granted + one;
        if !settled {
            self.unsettled = self.unsettled + one;
        }
    }

    /// A body of `bytes` bytes was begun of which nothing is kept.
    pub(crate) fn pass(&mut self, bytes: usize) {
        let one = Amount::one(bytes);
        self.granted = self.granted + one;
        self.unsettled = self.unsettled + one;
    }

    /// Half of the grant is free that the other side does not know of.
    pub(crate) fn is_owed(&self) -> bool {
        let news = self.granted.minus(self.announced);
        news.bytes * 2 >= u64::from(self.ours.bytes.max(1))
            || news.messages * 2 >= u64::from(self.ours.messages.max(1))
    }

    /// The limit to tell; it counts as told.
    pub(crate) fn announce(&mut self) -> CreditLimit {
        self.announced = self.granted;
        CreditLimit { bytes: self.granted.bytes, messages: self.granted.messages }
    }

    /// What was told got lost.
    pub(crate) fn forget_announcement(&mut self) {
        self.announced = Amount::default();
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    const fn grant(bytes: u32, messages: u16) -> Grant {
        Grant { bytes, messages }
    }

    /// A body that is held if it may be.
    fn begin(reader: &mut Credit, bytes: usize) -> Begun {
        let begun = reader.check(bytes);
        if begun == Begun::Granted {
            reader.begin(bytes);
        }
        begun
    }

    #[test]
    fn no_more_is_used_than_was_granted() {
        let [none, some] = [grant(0, 0), grant(100, 3)];
        let (mut author, mut reader) = (Credit::new(none, some), Credit::new(some, none));
        assert!(author.spend(60) && !author.spend(41) && author.spend(40) && !author.spend(1));
        assert_eq!([60, 40].map(|bytes| begin(&mut reader, bytes)), [Begun::Granted; 2]);
        reader.release(40, true);
        assert!(!reader.is_owed(), "it is not worth a word");
        reader.release(60, true);
        assert!(reader.is_owed());
        author.raise(reader.announce());
        assert!(!reader.is_owed());
        assert!(!author.spend(101) && author.spend(1) && author.spend(1) && author.spend(1));
        assert!(!author.spend(1), "three at a time");
        // The word got lost, or came late.
        reader.forget_announcement();
        assert!(reader.is_owed());
        author.raise(CreditLimit { bytes: 120, messages: 3 });
        assert!(!author.spend(1));
        assert!(author.spend_on_entry(97) && !author.spend_on_entry(1));
        author.refund(30);
        assert!(!author.spend_on_entry(31) && author.spend_on_entry(30));
    }

    #[test]
    fn who_oversteps_is_found_out() {
        let overrun = Begun::Overrun(Violation::CreditOverrun);
        let mut reader = Credit::new(grant(100, 3), grant(0, 0));
        assert_eq!(
            [60, 41, 40].map(|bytes| begin(&mut reader, bytes)),
            [Begun::Granted, overrun, Begun::Granted]
        );
        let mut reader = Credit::new(grant(100, 3), grant(0, 0));
        let begun = [1; 4].map(|bytes| begin(&mut reader, bytes));
        assert_eq!(begun, [Begun::Granted, Begun::Granted, Begun::Granted, overrun]);
        // What was given back for nothing may be used, and takes no room.
        reader.pass(1);
        assert_eq!(begin(&mut reader, 1), Begun::NoRoom);
        assert_eq!(begin(&mut reader, 99), overrun);
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// The author begins a message of so many bytes.
        Send(usize),
        /// The first piece of one that it has charged comes, perhaps not for the first time.
        Arrive(usize),
        /// The reader is done with one that it holds, or gives it up.
        Release { which: usize, settled: bool },
        /// A limit reaches the author.
        Announce,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1..60_usize).prop_map(Step::Send),
            (0..20_usize).prop_map(Step::Arrive),
            ((0..20_usize), any::<bool>())
                .prop_map(|(which, settled)| Step::Release { which, settled }),
            Just(Step::Announce),
        ]
    }

    proptest! {
        /// However its pieces come and come again, an author that keeps to its credit is never
        /// closed, and no more is held than was granted at the beginning.
        #[test]
        fn who_keeps_to_it_is_never_closed(steps in prop::collection::vec(step(), 0..200)) {
            let window = grant(100, 4);
            let mut author = Credit::new(grant(0, 0), window);
            let mut reader = Credit::new(window, grant(0, 0));
            // What was charged and is not settled, and whether the reader holds it.
            let mut sent: Vec<(usize, bool)> = Vec::new();
            let mut settled_bytes = Vec::new();
            for step in steps {
                match step {
                    Step::Send(bytes) => if author.spend(bytes) {
                        sent.push((bytes, false));
                    },
                    Step::Arrive(which) => {
                        let total = sent.len() + settled_bytes.len();
                        if total == 0 { continue; }
                        let which = which % total;
                        if let Some((bytes, held)) = sent.get_mut(which) {
                            if !*held {
                                let begun = begin(&mut reader, *bytes);
                                prop_assert!(!matches!(begun, Begun::Overrun(_)));
                                *held = begun == Begun::Granted;
                            }
                        } else {
                            // It was had before.
                            reader.pass(settled_bytes[which - sent.len()]);
                        }
                    }
                    Step::Release { which, settled } => {
                        let held: Vec<_> = (0..sent.len()).filter(|at| sent[*at].1).collect();
                        let Some(at) = held.get(which % held.len().max(1)).copied() else { continue };
                        reader.release(sent[at].0, settled);
                        sent[at].1 = false;
                        if settled {
                            settled_bytes.push(sent.remove(at).0);
                        }
                    }
                    Step::Announce => author.raise(reader.announce()),
                }
                let held: Vec<_> = sent.iter().filter(|(_, held)| *held).collect();
                prop_assert!(held.len() <= 4);
                prop_assert!(held.iter().map(|(bytes, _)| bytes).sum::<usize>() <= 100);
            }
            // Nothing leaks: once all is settled, the whole grant can be used again.
            sent.sort_by_key(|(_, held)| !held);
            for (bytes, held) in core::mem::take(&mut sent) {
                if !held {
                    prop_assert_eq!(begin(&mut reader, bytes), Begun::Granted);
                }
                reader.release(bytes, true);
            }
            author.raise(reader.announce());
            prop_assert!((0..4).all(|_| author.spend(25)));
        }
    }
}
