//! Paths: how often, when and as what a datagram arrives.

use std::collections::BTreeMap;

use crate::{
    clock::{Moment, SECOND},
    ctx::Ctx,
    dice::Dice,
    faults::Faults,
    place::Place,
};

/// Bytes of an IPv4 header and a UDP header.
const HEADERS: u64 = 28;

/// A datagram that arrives, and what was done to it.
#[derive(Debug)]
pub(super) struct Passage {
    /// How much later.
    pub(super) after: Moment,
    /// The bytes that arrive.
    pub(super) bytes: Vec<u8>,
    /// They are not those that were sent.
    pub(super) damaged: bool,
}

/// Where a datagram comes from, and where it goes.
type Ends = (Place, Place);

/// One direction between two nodes.
#[derive(Clone, Debug)]
struct Path {
    loss: u32,
    duplicates: u32,
    /// The largest datagram that passes.
    largest: usize,
    least: Moment,
    spread: Moment,
    /// Nothing passes until then.
    cut: Moment,
    /// Bytes per second that pass, if it is a slow one, and when the last of them has.
    rate: Option<u64>,
    busy: Moment,
}

/// How long the queue at the entry of a slow path is; what finds it full is lost.
const QUEUE: Moment = SECOND / 2;

/// The paths between the nodes of a world.
#[derive(Debug, Default)]
pub(super) struct Paths {
    paths: BTreeMap<Ends, Path>,
    last: Vec<u8>,
}

impl Paths {
    /// From now on, with these faults; cuts end.
    pub(super) fn heal(&mut self, faults: &Faults) {
        for path in self.paths.values_mut() {
            path.loss = path.loss.min(faults.loss);
            path.duplicates = path.duplicates.min(faults.duplicates);
            path.spread = path.spread.min(faults.delay);
            path.cut = 0;
        }
    }

    /// Nothing passes until then.
    pub(super) fn cut(&mut self, cx: &mut Ctx, ends: Ends, until: Moment) {
        let path = self.path(cx, ends);
        path.cut = path.cut.max(until);
    }

    /// From now on, so many bytes per second pass.
    pub(super) fn slow_down(&mut self, cx: &mut Ctx, ends: Ends, rate: u64) {
        self.path(cx, ends).rate = Some(rate);
    }

    /// No datagram of more than `largest` bytes passes any more.
    pub(super) fn narrow(&mut self, cx: &mut Ctx, ends: Ends, largest: usize) {
        self.path(cx, ends).largest = largest;
    }

    /// Sends a datagram on its way: how often, when and as what it arrives.
    pub(super) fn carry(&mut self, cx: &mut Ctx, ends: Ends, datagram: &[u8]) -> Vec<Passage> {
        let now = cx.now();
        let path = self.path(cx, ends);
        let mut passages = Vec::new();
        if now < path.cut || datagram.len() > path.largest {
            return passages;
        }
        let mut sent = now;
        if let Some(rate) = path.rate {
            let begins = path.busy.max(now);
            if begins > now + QUEUE {
                return passages;
            }
            path.busy = begins + (datagram.len() as u64 + HEADERS) * SECOND / rate;
            sent = path.busy;
        }
        let Path { loss, duplicates, least, spread, .. } = *path;
        let Ctx { dice, faults, .. } = cx;
        let mut copies = 1 + usize::from(dice.chance(duplicates));
        if faults.replays && dice.chance(5) {
            copies += 1;
        }
        for copy in 0..copies {
            // Each copy takes its own chances.
            if dice.chance(loss) {
                continue;
            }
            let mut after = sent - now + least + dice.below(spread + 1);
            if copy > 0 && faults.replays && dice.chance(200) {
                after += dice.below(3600 * SECOND);
            }
            let (bytes, damaged) = self.damage(datagram, faults, dice);
            passages.push(Passage { after, bytes, damaged });
        }
        if faults.damage > 0 {
            self.last = datagram.to_vec();
        }
        passages
    }

    fn damage(&self, datagram: &[u8], faults: &Faults, dice: &mut Dice) -> (Vec<u8>, bool) {
        let mut bytes = datagram.to_vec();
        if bytes.is_empty() || !dice.chance(faults.damage) {
            return (bytes, false);
        }
        match dice.below(4) {
            0 => bytes.truncate(dice.index(bytes.len())),
            1 => {
                // The front of one with the back of another.
                let at = dice.index(bytes.len());
                let tail = self.last.get(at..).unwrap_or_default();
                bytes.truncate(at);
                bytes.extend_from_slice(tail);
            }
            2 => bytes.extend_from_slice(&dice.bytes::<8>()),
            _ => {
                for _ in 0..=dice.below(3) {
                    let bit = dice.index(bytes.len() * 8);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
            }
        }
        // A splice may happen to be another whole datagram.
        let damaged = bytes != datagram && bytes != self.last;
        (bytes, damaged)
    }

    fn path(&mut self, cx: &mut Ctx, ends: Ends) -> &mut Path {
        let Ctx { dice, faults, .. } = cx;
        self.paths.entry(ends).or_insert_with(|| {
            let mut up_to = |most: u32| match most {
                0 => 0,
                _ if faults.even_loss => most,
                _ => dice.below(u64::from(most) + 1) as u32,
            };
            let (loss, duplicates) = (up_to(faults.loss), up_to(faults.duplicates));
            let largest = if faults.narrow { dice.between(576..1501) } else { 1500 };
            let least = dice.between(500..20_000).min(faults.delay);
            let spread = if faults.even_loss { faults.delay } else { dice.below(faults.delay + 1) };
            let (least, spread) = if faults.steady { (faults.delay, 0) } else { (least, spread) };
            let largest = (largest - HEADERS) as usize;
            Path { loss, duplicates, largest, least, spread, cut: 0, rate: None, busy: 0 }
        })
    }
}
