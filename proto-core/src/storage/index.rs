//! Finds a slot by what is in it: open addressing under a keyed hash, so that
//! nobody outside can make its chains long.

use core::{hash::Hasher, num::NonZeroU32};

use siphasher::sip::SipHasher13;

/// One bucket of an [`Index`]: a slot's number, and some bits of its name's hash above
/// it, or none.
pub type Bucket = Option<NonZeroU32>;

/// An index over lent buckets, of slots whose numbers are below the number of buckets.
/// What they hold is looked up through the closures that its methods take, as good as
/// never for a slot whose name is another: that would cost more than all the rest.
#[derive(Debug)]
pub struct Index<'a> {
    buckets: &'a mut [Bucket],
    key: [u8; 16],
}

impl<'a> Index<'a> {
    /// Buckets for `entries` entries: a third more, so that chains stay short, and one to spare.
    pub const fn buckets(entries: usize) -> usize {
        if entries == 0 { 0 } else { entries + entries / 3 + 1 }
    }

    /// Over lent buckets, hashing under `key`, the same as long as they live.
    pub fn new(buckets: &'a mut [Bucket], key: [u8; 16]) -> Self {
        Self { buckets, key }
    }

    /// The slot under `name` for which `is` holds.
    pub fn find(&self, name: &[u8], mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let hash = self.hash(name);
        let mut at = self.home(hash);
        for _ in 0..self.buckets.len() {
            let bucket = (*self.buckets.get(at)?)?;
            let slot = self.slot(bucket);
            if self.bucket(hash, slot) == Some(bucket) && is(slot) {
                return Some(slot);
            }
            at = self.after(at);
        }
        None
    }

    /// Puts `slot` under `name`; `false` if there is no room.
    #[must_use]
    pub fn insert(&mut self, name: &[u8], slot: u32) -> bool {
        let hash = self.hash(name);
        let Some(new) = self.bucket(hash, slot) else { return false };
        let mut at = self.home(hash);
        for _ in 0..self.buckets.len() {
            match self.buckets.get_mut(at) {
                Some(bucket @ None) => {
                    *bucket = Some(new);
                    return true;
                }
                Some(Some(_)) => at = self.after(at),
                None => return false,
            }
        }
        false
    }

    /// Takes `slot` out from under `name`. `name_of` tells the names of the others,
    /// which close the gap (Knuth, TAOCP vol. 3, 6.4, algorithm R).
    pub fn remove<N: AsRef<[u8]>>(
        &mut self,
        name: &[u8],
        slot: u32,
        mut name_of: impl FnMut(u32) -> Option<N>,
    ) {
        let mut gap = self.home(self.hash(name));
        for _ in 0..self.buckets.len() {
            match self.slot_at(gap) {
                None => return,
                Some(found) if found == slot => break,
                Some(_) => gap = self.after(gap),
            }
        }
        let mut at = gap;
        for _ in 1..self.buckets.len() {
            at = self.after(at);
            let Some(found) = self.slot_at(at) else { break };
            let Some(name) = name_of(found) else { continue };
            let home = self.home(self.hash(name.as_ref()));
            // It may move back to the gap if its home is not between gap and here.
            let stays = if gap <= at { gap < home && home <= at } else { gap < home || home <= at };
            if !stays {
                self.buckets.swap(gap, at);
                gap = at;
            }
        }
        if let Some(bucket) = self.buckets.get_mut(gap) {
            *bucket = None;
        }
    }

    fn hash(&self, name: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(name);
        hasher.finish()
    }

    /// Where a name belongs: by the upper bits of its hash.
    fn home(&self, hash: u64) -> usize {
        let wide = u128::from(hash) * self.buckets.len() as u128;
        (wide >> 64) as usize
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 < self.buckets.len() { at + 1 } else { 0 }
    }

    /// The bits in which any slot's number, and one more, finds room.
    fn mask(&self) -> u32 {
        let bits = usize::BITS - self.buckets.len().leading_zeros();
        u32::MAX.checked_shr(u32::BITS.saturating_sub(bits)).unwrap_or(0)
    }

    /// A slot's number, from 1 upwards, below as much of the lower bits of the hash as fits.
    fn bucket(&self, hash: u64, slot: u32) -> Option<NonZeroU32> {
        let number = NonZeroU32::new(slot.wrapping_add(1))?;
        (number.get() <= self.mask()).then_some(number | (hash as u32 & !self.mask()))
    }

    fn slot(&self, bucket: NonZeroU32) -> u32 {
        (bucket.get() & self.mask()).saturating_sub(1)
    }

    fn slot_at(&self, at: usize) -> Option<u32> {
        Some(self.slot((*self.buckets.get(at)?)?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_what_was_put_and_not_removed(steps in prop::collection::vec((any::<bool>(), 0..9u32), 0..300)) {
            // One bucket too few for all names, and yet room for all slots' numbers.
            let mut buckets = [None; 8];
            let mut index = Index::new(&mut buckets, [7; 16]);
            let mut model = HashSet::new();
            for (insert, slot) in steps {
                let name = slot.to_le_bytes();
                if insert && !model.contains(&slot) {
                    prop_assert_eq!(index.insert(&name, slot), model.len() < 8);
                    if model.len() < 8 {
                        model.insert(slot);
                    }
                } else if model.remove(&slot) {
                    index.remove(&name, slot, |other| Some(other.to_le_bytes()));
                }
                for slot in 0..9u32 {
                    let found = index.find(&slot.to_le_bytes(), |s| s == slot);
                    prop_assert_eq!(found, model.contains(&slot).then_some(slot));
                }
            }
        }
    }
}
