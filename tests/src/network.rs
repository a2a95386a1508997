//! The network: what becomes of a datagram on its way.

use std::collections::BTreeMap;

use crate::{
    clock::{Moment, SECOND},
    dice::Dice,
    faults::Faults,
    place::Place,
};

/// Bytes of an IPv4 header and a UDP header.
const HEADERS: u64 = 28;

/// A datagram that arrives, and what was done to it.
#[derive(Debug)]
pub struct Passage {
    /// When.
    pub at: Moment,
    /// The bytes that arrive.
    pub bytes: Vec<u8>,
    /// They are not those that were sent.
    pub damaged: bool,
}

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
pub struct Network {
    faults: Faults,
    paths: BTreeMap<(Place, Place), Path>,
    last: Vec<u8>,
}

impl Network {
    /// A network with these faults.
    pub fn new(faults: Faults) -> Self {
        Self { faults, ..Self::default() }
    }

    /// From now on, with these faults; cuts end.
    pub fn change(&mut self, faults: &Faults) {
        self.faults = faults.clone();
        for path in self.paths.values_mut() {
            path.loss = path.loss.min(faults.loss);
            path.duplicates = path.duplicates.min(faults.duplicates);
            path.spread = path.spread.min(faults.delay);
            path.cut = 0;
        }
    }

    /// Nothing passes from one node to another until then.
    pub fn cut(&mut self, from: Place, to: Place, until: Moment, dice: &mut Dice) {
        let path = self.path(from, to, dice);
        path.cut = path.cut.max(until);
    }

    /// From now on, so many bytes per second pass from one node to another.
    pub fn slow_down(&mut self, from: Place, to: Place, rate: u64, dice: &mut Dice) {
        self.path(from, to, dice).rate = Some(rate);
    }

    /// No datagram of more than `largest` bytes passes from one node to another any more.
    pub fn narrow(&mut self, from: Place, to: Place, largest: usize, dice: &mut Dice) {
        self.path(from, to, dice).largest = largest;
    }

    /// Sends a datagram on its way: how often, when and as what it arrives.
    pub fn carry(
        &mut self,
        now: Moment,
        (from, to): (Place, Place),
        datagram: &[u8],
        dice: &mut Dice,
    ) -> Vec<Passage> {
        let path = self.path(from, to, dice);
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
        let path = path.clone();
        let mut copies = 1 + usize::from(dice.chance(path.duplicates));
        if self.faults.replays && dice.chance(5) {
            copies += 1;
        }
        for copy in 0..copies {
            // Each copy takes its own chances.
            if dice.chance(path.loss) {
                continue;
            }
            let mut at = sent + path.least + dice.below(path.spread + 1);
            if copy > 0 && self.faults.replays && dice.chance(200) {
                at += dice.below(3600 * SECOND);
            }
            let (bytes, damaged) = self.damage(datagram, dice);
            passages.push(Passage { at, bytes, damaged });
        }
        if self.faults.damage > 0 {
            self.last = datagram.to_vec();
        }
        passages
    }

    fn damage(&self, datagram: &[u8], dice: &mut Dice) -> (Vec<u8>, bool) {
        let mut bytes = datagram.to_vec();
        if bytes.is_empty() || !dice.chance(self.faults.damage) {
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

    fn path(&mut self, from: Place, to: Place, dice: &mut Dice) -> &mut Path {
        let faults = &self.faults;
        self.paths.entry((from, to)).or_insert_with(|| {
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
