//! What an author who is online is to be told of its submissions.

use heapless::Vec;

use crate::{
    id::{Position, Recipient},
    link::Fate,
    storage::List,
    wire::SubmitRefusal,
};

use super::pair::{Owed, Pair};

/// Refusals that a session's client has not acknowledged at most. While there are as many, what
/// would be refused counts as not received.
const REFUSALS: usize = 8;

/// A session's part that is about what its client submitted.
#[derive(Debug, Default)]
pub(crate) struct Author {
    /// Pairs whose progress it is to be told of.
    pub(super) progress: List<Pair, Owed>,
    /// Submissions whose refusal it may not have heard of.
    refusals: Vec<Refusal, REFUSALS>,
    /// Names the next one of them to be sent.
    serial: u32,
    /// The packet that brought word that the last of them was heard of. What came in an
    /// earlier one may have been sent before.
    heard: u64,
}

/// A submission that was refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) to: Recipient,
    pub(super) position: Position,
    pub(super) reason: SubmitRefusal,
    /// No piece of it is taken for another try before its author has heard of it.
    pub(super) bars: bool,
    told: Told,
}

/// Whether an author knows of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// It is to be told.
    Not,
    /// It was sent under this number.
    Sent(u32),
    /// It has heard.
    Heard,
}

impl Author {
    /// What stays with the link when its client is someone no longer.
    pub(crate) fn keep_heard(&self) -> Self {
        Self { heard: self.heard, ..Self::default() }
    }

    /// Word of a refusal arrived or was lost.
    pub(crate) fn refusal_fate(&mut self, serial: u32, fate: Fate) {
        let sent = self.refusals.iter_mut().find(|refusal| refusal.told == Told::Sent(serial));
        if let Some(refusal) = sent {
            refusal.told = if fate == Fate::Acked { Told::Heard } else { Told::Not };
        }
    }

    /// Refusals that it has heard of, by word in the packet `packet`, are forgotten.
    pub(crate) fn forget_heard(&mut self, packet: u64) {
        let before = self.refusals.len();
        self.refusals.retain(|refusal| refusal.told != Told::Heard);
        if self.refusals.len() < before {
            self.heard = self.heard.max(packet);
        }
    }

    /// What comes under `position` in the packet `packet` may have been sent before it heard that
    /// this is not taken.
    pub(super) fn is_late(&self, to: Recipient, position: Position, packet: u64) -> bool {
        let bars =
            |refusal: &Refusal| refusal.bars && refusal.to == to && position <= refusal.position;
        packet < self.heard || self.refusals.iter().any(bars)
    }

    /// It is to be told that a submission is not taken; `false` if there are too many that it has
    /// not heard of.
    pub(super) fn refuse(
        &mut self,
        to: Recipient,
        position: Position,
        reason: SubmitRefusal,
        bars: bool,
    ) -> bool {
        let same = |refusal: &&mut Refusal| (refusal.to, refusal.position) == (to, position);
        if let Some(refusal) = self.refusals.iter_mut().find(same) {
            // Another piece of it, or another try.
            (refusal.reason, refusal.told) = (reason, Told::Not);
            refusal.bars |= bars;
            return true;
        }
        self.refusals.push(Refusal { to, position, reason, bars, told: Told::Not }).is_ok()
    }

    /// What is submitted to `to` is judged anew.
    pub(super) fn reconsider(&mut self, to: Recipient) {
        for refusal in self.refusals.iter_mut().filter(|refusal| refusal.to == to) {
            refusal.bars = false;
        }
    }

    /// The next refusal that it is to be told of, and the number to send it under.
    pub(super) fn next_refusal(&self) -> Option<(&Refusal, u32)> {
        let refusal = self.refusals.iter().find(|refusal| refusal.told == Told::Not)?;
        Some((refusal, self.serial))
    }

    /// The next refusal was sent.
    pub(super) fn refusal_sent(&mut self) {
        let next = self.refusals.iter_mut().find(|refusal| refusal.told == Told::Not);
        if let Some(refusal) = next {
            refusal.told = Told::Sent(self.serial);
            self.serial = self.serial.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::id::{Account, Epoch, Number};

    use super::*;

    const BOB: Recipient = Recipient::Account(Account(1));

    fn at(number: u32) -> Position {
        Position::new(Epoch(1), Number(number.into()))
    }

    fn refuse(author: &mut Author, number: u32) -> bool {
        author.refuse(BOB, at(number), SubmitRefusal::NotMember, true)
    }

    fn send(author: &mut Author) -> Option<(Position, u32)> {
        let sent = author.next_refusal().map(|(refusal, serial)| (refusal.position, serial));
        author.refusal_sent();
        sent
    }

    #[test]
    fn a_refusal_is_told_until_it_was_heard_of_and_bars_late_pieces_until_then() {
        let mut author = Author::default();
        assert!(refuse(&mut author, 3) && refuse(&mut author, 3));
        assert_eq!((send(&mut author), send(&mut author)), (Some((at(3), 0)), None));
        author.refusal_fate(0, Fate::Lost);
        assert_eq!((send(&mut author), send(&mut author)), (Some((at(3), 1)), None));
        author.forget_heard(8);
        assert!(author.is_late(BOB, at(2), 9) && !author.is_late(BOB, at(4), 9));
        author.refusal_fate(0, Fate::Acked);
        author.refusal_fate(1, Fate::Acked);
        author.forget_heard(9);
        assert!(author.is_late(BOB, at(3), 8) && !author.is_late(BOB, at(3), 9));
    }

    #[test]
    fn there_are_no_more_than_a_few_until_one_was_heard_of() {
        let mut author = Author::default();
        let taken = (1..100).filter(|number| refuse(&mut author, *number)).count();
        assert_eq!(taken, REFUSALS);
        while send(&mut author).is_some() {}
        assert!(!refuse(&mut author, 100));
        author.refusal_fate(5, Fate::Acked);
        author.forget_heard(1);
        assert!(refuse(&mut author, 100) && !refuse(&mut author, 101));
    }
}
