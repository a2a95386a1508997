//! First-in-first-out lists threaded through the entries of a slab: O(1) to
//! append, take, remove and splice, and no memory of their own.

use core::marker::PhantomData;

use super::{Id, Slab};

/// An entry's place in one kind of list.
#[derive(Clone, Copy, Debug)]
pub struct Node<T> {
    place: Option<Place<T>>,
}

#[derive(Debug)]
struct Place<T> {
    /// The entry before this one; the list's last before its first.
    previous: Id<T>,
    next: Option<Id<T>>,
}

impl<T> Clone for Place<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Place<T> {}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self::UNLINKED
    }
}

impl<T> Node<T> {
    /// In no list.
    pub const UNLINKED: Self = Self { place: None };

    /// It is in a list.
    pub fn is_linked(&self) -> bool {
        self.place.is_some()
    }

    /// The entry after this one.
    pub fn next(&self) -> Option<Id<T>> {
        self.place.as_ref().and_then(|place| place.next)
    }
}

/// An entry that can be in a list of kind `L`, and in one of that kind at a time.
pub trait Linked<L>: Sized {
    /// Its place in that list.
    fn node(&mut self) -> &mut Node<Self>;
}

/// A list of kind `L` through the entries of a `Slab<T>`. It knows its first entry,
/// which knows the last.
#[derive(Debug)]
pub struct List<T, L> {
    front: Option<Id<T>>,
    kind: PhantomData<fn() -> L>,
}

impl<T, L> Clone for List<T, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, L> Copy for List<T, L> {}

impl<T, L> Default for List<T, L> {
    fn default() -> Self {
        Self::NEW
    }
}

impl<T, L> List<T, L> {
    /// The empty list.
    pub const NEW: Self = Self { front: None, kind: PhantomData };

    /// The first entry.
    pub fn front(&self) -> Option<Id<T>> {
        self.front
    }

    /// It has no entry.
    pub fn is_empty(&self) -> bool {
        self.front.is_none()
    }

    /// The entry before `id`, which is in this list, at `node`.
    pub fn before(&self, id: Id<T>, node: &Node<T>) -> Option<Id<T>> {
        node.place.as_ref().filter(|_| self.front != Some(id)).map(|place| place.previous)
    }

    /// The last entry, which the first, at `node`, knows.
    pub fn last(&self, node: &Node<T>) -> Option<Id<T>> {
        node.place.as_ref().filter(|_| self.front.is_some()).map(|place| place.previous)
    }
}

impl<T: Linked<L>, L> List<T, L> {
    /// The last entry.
    pub fn back(&self, slab: &mut Slab<'_, T>) -> Option<Id<T>> {
        place(slab, self.front?).map(|front| front.previous)
    }

    /// Appends an entry; nothing happens if it is in such a list already.
    pub fn push_back(&mut self, slab: &mut Slab<'_, T>, id: Id<T>) {
        let Some(node) = slab.get_mut(id).map(Linked::node) else { return };
        if node.is_linked() {
            return;
        }
        // An entry alone comes before itself.
        node.place = Some(Place { previous: id, next: None });
        self.append(slab, &mut Self { front: Some(id), kind: PhantomData });
    }

    /// Puts an entry before all others; nothing happens if it is in such a list already.
    pub fn push_front(&mut self, slab: &mut Slab<'_, T>, id: Id<T>) {
        self.insert_where(slab, id, |_| true);
    }

    /// Puts an entry ahead of the first one that `is_behind` it, or else at the end; nothing
    /// happens if it is in such a list already.
    pub fn insert_where(
        &mut self,
        slab: &mut Slab<'_, T>,
        id: Id<T>,
        is_behind: impl Fn(&T) -> bool,
    ) {
        if slab.get_mut(id).is_none_or(|entry| entry.node().is_linked()) {
            return;
        }
        let mut at = self.front;
        while let Some(entry) = at.and_then(|at| slab.get_mut(at)) {
            if is_behind(entry) {
                break;
            }
            at = entry.node().next();
        }
        self.insert_before(slab, at, id);
    }

    /// Puts an entry, which is in no such list, ahead of `next`, which is in this one; at the
    /// end without one.
    pub fn insert_before(&mut self, slab: &mut Slab<'_, T>, next: Option<Id<T>>, id: Id<T>) {
        let Some(next) = next else { return self.push_back(slab, id) };
        let Some(behind) = place(slab, next) else { return };
        let previous = core::mem::replace(&mut behind.previous, id);
        if let Some(entry) = slab.get_mut(id) {
            entry.node().place = Some(Place { previous, next: Some(next) });
        }
        if self.front == Some(next) {
            self.front = Some(id);
        } else if let Some(previous) = place(slab, previous) {
            previous.next = Some(id);
        }
    }

    /// Takes the first entry out of the list.
    pub fn pop_front(&mut self, slab: &mut Slab<'_, T>) -> Option<Id<T>> {
        let front = self.front?;
        self.remove(slab, front);
        Some(front)
    }

    /// Takes an entry out of the list, in which it must be if in any.
    pub fn remove(&mut self, slab: &mut Slab<'_, T>, id: Id<T>) {
        let Some(Place { previous, next }) =
            slab.get_mut(id).and_then(|entry| entry.node().place.take())
        else {
            return;
        };
        if self.front == Some(id) {
            self.front = next;
        } else if let Some(previous) = place(slab, previous) {
            previous.next = next;
        }
        // What is behind it, or else the first, which knows the last.
        if let Some(after) = next.or(self.front).and_then(|after| place(slab, after)) {
            after.previous = previous;
        }
    }

    /// Takes an entry out of whichever of two lists it is in.
    pub fn remove_from_either(lists: [&mut Self; 2], slab: &mut Slab<'_, T>, id: Id<T>) {
        let [first, second] = lists;
        let ends_first = first.front == Some(id) || first.back(slab) == Some(id);
        if ends_first { first.remove(slab, id) } else { second.remove(slab, id) }
    }

    /// Moves all of `other` behind this list's last entry.
    pub fn append(&mut self, slab: &mut Slab<'_, T>, other: &mut Self) {
        let Some(other) = other.front.take() else { return };
        let Some(front) = self.front else {
            self.front = Some(other);
            return;
        };
        let Some(last) = place(slab, other).map(|other| other.previous) else { return };
        let Some(front) = place(slab, front) else { return };
        let back = core::mem::replace(&mut front.previous, last);
        if let Some(back) = place(slab, back) {
            back.next = Some(other);
        }
        if let Some(other) = place(slab, other) {
            other.previous = back;
        }
    }
}

fn place<'s, T: Linked<L>, L>(slab: &'s mut Slab<'_, T>, id: Id<T>) -> Option<&'s mut Place<T>> {
    slab.get_mut(id).and_then(|entry| entry.node().place.as_mut())
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, vec::Vec};

    use proptest::prelude::*;

    use super::*;
    use crate::storage::{SlabHead, Slot};

    struct Entry(Node<Entry>, usize);
    struct Kind;

    impl Linked<Kind> for Entry {
        fn node(&mut self) -> &mut Node<Self> {
            &mut self.0
        }
    }

    #[test]
    fn is_small() {
        assert_eq!((size_of::<Node<Entry>>(), size_of::<List<Entry, Kind>>()), (16, 8));
    }

    proptest! {
        #[test]
        fn two_lists_behave_as_two_queues(steps in prop::collection::vec((0..6u8, any::<bool>(), 0..8usize), 0..200)) {
            let mut slots = [const { Slot::EMPTY }; 8];
            let mut head = SlabHead::NEW;
            let mut slab = Slab::new(&mut slots, &mut head);
            let ids: Vec<_> = (0..8).map(|at| slab.insert(Entry(Node::UNLINKED, at)).ok().unwrap()).collect();
            let mut lists = [List::<Entry, Kind>::NEW; 2];
            let mut models = [VecDeque::new(), VecDeque::new()];
            for (step, which, pick) in steps {
                let at = usize::from(which);
                match step {
                    0 => {
                        lists[at].push_back(&mut slab, ids[pick]);
                        if !models.iter().any(|m| m.contains(&pick)) {
                            models[at].push_back(pick);
                        }
                    }
                    1 => {
                        let popped = lists[at].pop_front(&mut slab);
                        prop_assert_eq!(popped, models[at].pop_front().map(|i| ids[i]));
                    }
                    2 if models[at].contains(&pick) => {
                        lists[at].remove(&mut slab, ids[pick]);
                        models[at].retain(|i| *i != pick);
                    }
                    4 => {
                        lists[at].insert_where(&mut slab, ids[pick], |entry| entry.1 > pick);
                        if !models.iter().any(|m| m.contains(&pick)) {
                            let behind = models[at].iter().position(|other| *other > pick);
                            models[at].insert(behind.unwrap_or(models[at].len()), pick);
                        }
                    }
                    3 => {
                        let mut other = core::mem::take(&mut lists[1 - at]);
                        lists[at].append(&mut slab, &mut other);
                        let moved = core::mem::take(&mut models[1 - at]);
                        models[at].extend(moved);
                    }
                    5 => {
                        lists[at].push_front(&mut slab, ids[pick]);
                        if !models.iter().any(|m| m.contains(&pick)) {
                            models[at].push_front(pick);
                        }
                    }
                    _ => {}
                }
                for (list, model) in lists.iter().zip(&models) {
                    let mut walked = Vec::new();
                    let mut at = list.front();
                    while let Some(id) = at {
                        walked.push(id);
                        at = slab.get(id).unwrap().0.next();
                    }
                    let expected: Vec<_> = model.iter().map(|i| ids[*i]).collect();
                    prop_assert_eq!(&walked, &expected);
                    prop_assert_eq!(list.back(&mut slab), expected.last().copied());
                    let before = |id| list.before(id, &slab.get(id).unwrap().0);
                    walked.clear();
                    walked.extend(core::iter::successors(expected.last().copied(), |id| before(*id)));
                    prop_assert_eq!(walked, expected.into_iter().rev().collect::<Vec<_>>());
                }
            }
        }
    }
}
