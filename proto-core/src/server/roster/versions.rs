//! The roster's log, compacted to the newest change per account: a tree of
//! version numbers over the accounts, in which the next account that changed
//! after a given version is found in O(log n), whoever asks and however far
//! behind they are.

/// The versions of `accounts` accounts, and over them the maximum of each
/// subtree, in one slice: a binary tree with its root at 1.
#[derive(Debug)]
pub(crate) struct Versions<'a> {
    tree: &'a mut [u64],
}

impl<'a> Versions<'a> {
    /// Places of the tree for `accounts` accounts.
    pub(crate) const fn places(accounts: usize) -> usize {
        2 * accounts.next_power_of_two()
    }

    /// No account ever changed: each change is at the root, too.
    pub(crate) fn is_untouched(tree: &[u64]) -> bool {
        tree.get(1).is_none_or(|newest| *newest == 0)
    }

    /// Over a lent slice, whose length is a power of two.
    pub(crate) fn new(tree: &'a mut [u64]) -> Self {
        Self { tree }
    }

    /// The version of `account`'s newest change; 0 for none.
    pub(crate) fn get(&self, account: u32) -> u64 {
        self.at(self.leaves() + account as usize)
    }

    /// `account` changed: `version` is higher than all before.
    pub(crate) fn set(&mut self, account: u32, version: u64) {
        let mut at = self.leaves() + account as usize;
        while at >= 1 {
            if let Some(place) = self.tree.get_mut(at) {
                *place = version;
            }
            at /= 2;
        }
    }

    /// The first account from `from` on that changed after `version`.
    pub(crate) fn next_after(&self, from: u32, version: u64) -> Option<u32> {
        let leaves = self.leaves();
        let mut at = leaves.checked_add(from as usize).filter(|at| *at < self.tree.len())?;
        // Up, until a subtree to the right has a change, then down to its first.
        while self.at(at) <= version {
            while at % 2 == 1 {
                at /= 2;
            }
            if at == 0 {
                return None;
            }
            at += 1;
        }
        while at < leaves {
            at *= 2;
            if self.at(at) <= version {
                at += 1;
            }
        }
        Some((at - leaves) as u32)
    }

    fn leaves(&self) -> usize {
        self.tree.len() / 2
    }

    fn at(&self, place: usize) -> u64 {
        self.tree.get(place).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::vec;

    use super::*;

    proptest! {
        #[test]
        fn finds_what_a_scan_finds(accounts in 1..40usize, steps in prop::collection::vec((0..40u32, 0..42u32, 0..60u64), 0..60)) {
            let mut tree = vec![0; Versions::places(accounts)];
            let mut versions = Versions::new(&mut tree);
            let mut model = vec![0; accounts];
            for (now, (changed, from, after)) in (1..).zip(steps) {
                let changed = changed % accounts as u32;
                versions.set(changed, now);
                model[changed as usize] = now;
                let found = (from..accounts as u32).find(|at| model[*at as usize] > after);
                prop_assert_eq!(versions.next_after(from, after), found);
                prop_assert_eq!(versions.get(changed), now);
            }
        }
    }
}
