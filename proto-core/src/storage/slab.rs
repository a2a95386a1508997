//! A table of slots with O(1) insertion and removal, and names for what is in
//! it that do not outlive it.

use core::{fmt, marker::PhantomData, num::NonZeroU32};

/// Names an entry of a [`Slab`]; stale once the entry was removed, even after
/// its slot was taken again.
pub struct Id<T> {
    slot: u32,
    // Never 0, so that an `Option` of a name takes no more than a name.
    generation: NonZeroU32,
    of: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// The entry's place in the slab.
    pub const fn slot(self) -> u32 {
        self.slot
    }

    /// Which of the slot's entries, one after the other, it is.
    pub const fn generation(self) -> NonZeroU32 {
        self.generation
    }

    /// The name with these parts; it finds something only if it was once given.
    pub const fn from_parts(slot: u32, generation: NonZeroU32) -> Self {
        Self { slot, generation, of: PhantomData }
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.slot, self.generation) == (other.slot, other.generation)
    }
}

impl<T> Eq for Id<T> {}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}.{}", self.slot, self.generation)
    }
}

/// One slot of a [`Slab`].
#[derive(Debug)]
pub struct Slot<T>(Content<T>);

// With a tag of its own, 0 for vacant, rather than one hidden in `T`.
#[derive(Debug)]
#[repr(u8)]
enum Content<T> {
    /// `last` is the generation of what was there; 0 if nothing ever was.
    Vacant {
        last: u32,
        next: u32,
    },
    Occupied {
        generation: NonZeroU32,
        value: T,
    },
}

impl<T> Slot<T> {
    /// A slot that was never used. All zeros, so that a static of them takes no room in a
    /// program's image.
    pub const EMPTY: Self = Self(Content::Vacant { last: 0, next: 0 });
}

const NONE: u32 = u32::MAX;

/// What a [`Slab`] remembers beside its slots.
#[derive(Debug)]
pub struct SlabHead {
    free: u32,
    untouched: u32,
    used: u32,
}

impl SlabHead {
    /// Of an empty slab.
    pub const NEW: Self = Self { free: NONE, untouched: 0, used: 0 };
}

/// A table of at most `slots.len()` entries.
#[derive(Debug)]
pub struct Slab<'a, T> {
    slots: &'a mut [Slot<T>],
    head: &'a mut SlabHead,
}

impl<'a, T> Slab<'a, T> {
    /// Over lent memory. `head` must be the one that has gone with `slots` from the start.
    pub fn new(slots: &'a mut [Slot<T>], head: &'a mut SlabHead) -> Self {
        Self { slots, head }
    }

    /// Nothing was ever inserted into a slab over these slots: the first of them is taken first.
    pub(crate) fn is_untouched(slots: &[Slot<T>]) -> bool {
        matches!(slots.first(), None | Some(Slot(Content::Vacant { last: 0, .. })))
    }

    /// The same slab, lent on.
    pub fn reborrow(&mut self) -> Slab<'_, T> {
        Slab { slots: self.slots, head: self.head }
    }

    /// How many entries it can have.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.head.used as usize
    }

    /// It has none.
    pub fn is_empty(&self) -> bool {
        self.head.used == 0
    }

    /// It takes no more.
    pub fn is_full(&self) -> bool {
        self.len() >= self.capacity()
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// Gives the entry back when the slab is full.
    pub fn insert(&mut self, value: T) -> Result<Id<T>, T> {
        let at = if self.head.free == NONE { self.head.untouched } else { self.head.free };
        let Some(slot) = self.slots.get_mut(at as usize) else { return Err(value) };
        let Content::Vacant { last, next } = slot.0 else { return Err(value) };
        let generation = NonZeroU32::new(last.wrapping_add(1)).unwrap_or(NonZeroU32::MIN);
        if at == self.head.free {
            self.head.free = next;
        } else {
            self.head.untouched += 1;
        }
        slot.0 = Content::Occupied { generation, value };
        self.head.used += 1;
        Ok(Id::from_parts(at, generation))
    }

    /// Takes an entry out.
    pub fn remove(&mut self, id: Id<T>) -> Option<T> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if !matches!(slot.0, Content::Occupied { generation, .. } if generation == id.generation) {
            return None;
        }
        let vacant = Content::Vacant { last: id.generation.get(), next: self.head.free };
        self.head.free = id.slot;
        self.head.used -= 1;
        match core::mem::replace(&mut slot.0, vacant) {
            Content::Occupied { value, .. } => Some(value),
            Content::Vacant { .. } => None,
        }
    }

    /// The entry, unless it was removed.
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        let slot = self.slots.get(id.slot as usize)?;
        match &slot.0 {
            Content::Occupied { generation, value } if *generation == id.generation => Some(value),
            _ => None,
        }
    }

    /// The entry, unless it was removed.
    pub fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        match &mut slot.0 {
            Content::Occupied { generation, value } if *generation == id.generation => Some(value),
            _ => None,
        }
    }

    /// Two different entries, unless one of them was removed.
    pub fn get_two_mut(&mut self, one: Id<T>, other: Id<T>) -> Option<[&mut T; 2]> {
        let at = [one.slot as usize, other.slot as usize];
        let [first, second] = self.slots.get_disjoint_mut(at).ok()?;
        match (&mut first.0, &mut second.0) {
            (
                Content::Occupied { generation: this, value: first },
                Content::Occupied { generation: that, value: second },
            ) if (*this, *that) == (one.generation, other.generation) => Some([first, second]),
            _ => None,
        }
    }

    /// The name of whatever is in `slot` now.
    pub fn id_at(&self, slot: u32) -> Option<Id<T>> {
        match self.slots.get(slot as usize)?.0 {
            Content::Occupied { generation, .. } => Some(Id::from_parts(slot, generation)),
            Content::Vacant { .. } => None,
        }
    }

    /// All entries, by slot: for queries by people and for tests, never per datagram.
    pub fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        (0..).zip(self.slots.iter()).filter_map(|(at, slot)| match &slot.0 {
            Content::Occupied { generation, value } => {
                Some((Id::from_parts(at, *generation), value))
            }
            Content::Vacant { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, vec::Vec};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_a_map_with_room_for_five(steps in prop::collection::vec((any::<bool>(), 0..8usize), 0..200)) {
            let mut slots = [const { Slot::EMPTY }; 5];
            let mut head = SlabHead::NEW;
            let mut slab = Slab::new(&mut slots, &mut head);
            let mut model = HashMap::new();
            let mut ids = Vec::new();
            for (serial, (insert, pick)) in steps.into_iter().enumerate() {
                if insert {
                    match slab.insert(serial) {
                        Ok(id) => {
                            model.insert(serial, id);
                            ids.push((serial, id));
                        }
                        Err(back) => prop_assert_eq!((back, model.len()), (serial, 5)),
                    }
                } else if let Some(&(key, id)) = ids.get(pick) {
                    prop_assert_eq!(slab.remove(id), model.remove(&key).map(|_| key));
                }
                prop_assert_eq!(slab.len(), model.len());
                prop_assert_eq!(Slab::is_untouched(slab.slots), ids.is_empty());
                for (key, id) in &ids {
                    prop_assert_eq!(slab.get(*id), model.contains_key(key).then_some(key));
                }
            }
        }
    }
}
