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
    previous: Option<Id<T>>,
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

    /// The entry before this one.
    pub fn previous(&self) -> Option<Id<T>> {
        self.place.as_ref().and_then(|place| place.previous)
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

/// A list of kind `L` through the entries of a `Slab<T>`.
#[derive(Debug)]
pub struct List<T, L> {
    ends: Option<(Id<T>, Id<T>)>,
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
    pub const NEW: Self = Self { ends: None, kind: PhantomData };

    /// The first entry.
    pub fn front(&self) -> Option<Id<T>> {
        self.ends.map(|(front, _)| front)
    }

    /// The last entry.
    pub fn back(&self) -> Option<Id<T>> {
        self.ends.map(|(_, back)| back)
    }

    /// It has no entry.
    pub fn is_empty(&self) -> bool {
        self.ends.is_none()
    }
}

impl<T: Linked<L>, L> List<T, L> {
    /// Appends an entry; nothing happens if it is in such a list already.
    pub fn push_back(&mut self, slab: &mut Slab<'_, T>, id: Id<T>) {
        let back = self.back();
        let Some(node) = slab.get_mut(id).map(Linked::node) else { return };
        if node.is_linked() {
            return;
        }
        node.place = Some(Place { previous: back, next: None });
        if let Some(back) = back {
            link_next(slab, back, Some(id));
        }
        self.ends = Some((self.front().unwrap_or(id), id));
    }

    /// Takes the first entry out of the list.
    pub fn pop_front(&mut self, slab: &mut Slab<'_, T>) -> Option<Id<T>> {
        let front = self.front()?;
        self.remove(slab, front);
        Some(front)
    }

    /// Takes an entry out of the list, in which it must be if in any.
    pub fn remove(&mut self, slab: &mut Slab<'_, T>, id: Id<T>) {
        let Some(place) = slab.get_mut(id).and_then(|entry| entry.node().place.take()) else {
            return;
        };
        match place.previous {
            Some(previous) => link_next(slab, previous, place.next),
            None => self.ends = place.next.zip(self.back()),
        }
        match place.next {
            Some(next) => {
                if let Some(Node { place: Some(next) }) = slab.get_mut(next).map(Linked::node) {
                    next.previous = place.previous;
                }
            }
            None => self.ends = self.front().zip(place.previous),
        }
    }

    /// Takes an entry out of whichever of two lists it is in.
    pub fn remove_from_either(lists: [&mut Self; 2], slab: &mut Slab<'_, T>, id: Id<T>) {
        let [first, second] = lists;
        let ends_first = first.front() == Some(id) || first.back() == Some(id);
        if ends_first { first.remove(slab, id) } else { second.remove(slab, id) }
    }

    /// Moves all of `other` behind this list's last entry.
    pub fn append(&mut self, slab: &mut Slab<'_, T>, other: &mut Self) {
        let Some((front, back)) = other.ends.take() else { return };
        match self.ends {
            None => self.ends = Some((front, back)),
            Some((first, last)) => {
                link_next(slab, last, Some(front));
                if let Some(Node { place: Some(place) }) = slab.get_mut(front).map(Linked::node) {
                    place.previous = Some(last);
                }
                self.ends = Some((first, back));
            }
        }
    }
}

fn link_next<T: Linked<L>, L>(slab: &mut Slab<'_, T>, id: Id<T>, next: Option<Id<T>>) {
    if let Some(Node { place: Some(place) }) = slab.get_mut(id).map(Linked::node) {
        place.next = next;
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, vec::Vec};

    use proptest::prelude::*;

    use super::*;
    use crate::storage::{SlabHead, Slot};

    struct Entry(Node<Entry>);
    struct Kind;

    impl Linked<Kind> for Entry {
        fn node(&mut self) -> &mut Node<Self> {
            &mut self.0
        }
    }

    proptest! {
        #[test]
        fn two_lists_behave_as_two_queues(steps in prop::collection::vec((0..4u8, any::<bool>(), 0..8usize), 0..200)) {
            let mut slots = [const { Slot::EMPTY }; 8];
            let mut head = SlabHead::NEW;
            let mut slab = Slab::new(&mut slots, &mut head);
            let ids: Vec<_> = (0..8).map(|_| slab.insert(Entry(Node::UNLINKED)).ok().unwrap()).collect();
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
                    3 => {
                        let mut other = core::mem::take(&mut lists[1 - at]);
                        lists[at].append(&mut slab, &mut other);
                        let moved = core::mem::take(&mut models[1 - at]);
                        models[at].extend(moved);
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
                    prop_assert_eq!(list.back(), expected.last().copied());
                }
            }
        }
    }
}
