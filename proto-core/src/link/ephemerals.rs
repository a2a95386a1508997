//! The ephemeral keys of handshakes that were begun lately, so that a copied
//! message 1 begins nothing twice. They are remembered as long as a cookie
//! lives; when there is no room for another, new handshakes wait.

use core::{num::NonZeroU32, time::Duration};

use crate::{
    storage::{Id, Index},
    time::Instant,
};

use super::{Link, Role};

/// The first half of a key: as unlikely to repeat as need be.
type Name = [u8; 16];

/// One remembered key.
#[derive(Debug)]
pub struct Remembered {
    /// Enough of the key to tell it from others.
    ephemeral: Name,
    until: Option<Instant>,
    link: Option<(u32, NonZeroU32)>,
}

impl Remembered {
    /// Never used. All zeros, so that a static of them takes no room in a program's image.
    pub const EMPTY: Self = Self { ephemeral: [0; 16], until: None, link: None };

    /// A key was remembered here.
    pub(crate) fn is_used(&self) -> bool {
        self.until.is_some()
    }
}

/// Where the oldest is, and how many there are.
#[derive(Debug, Default)]
pub(crate) struct EphemeralsHead {
    oldest: u32,
    count: u32,
}

/// The remembered keys, oldest first in a ring.
#[derive(Debug)]
pub(crate) struct Ephemerals<'a> {
    pub(super) ring: &'a mut [Remembered],
    pub(super) index: Index<'a>,
    pub(super) head: &'a mut EphemeralsHead,
}

impl Ephemerals<'_> {
    /// The link that the handshake with this key led to, if it was seen.
    pub(super) fn find<R: Role>(&self, ephemeral: &[u8; 32]) -> Option<Id<Link<R>>> {
        let ephemeral = &name(ephemeral);
        let at = self.index.find(ephemeral, |at| {
            self.ring.get(at as usize).is_some_and(|one| one.ephemeral == *ephemeral)
        })?;
        let (slot, generation) = self.ring.get(at as usize)?.link?;
        Some(Id::from_parts(slot, generation))
    }

    /// Forgets what is old, and tells whether there is room for one more.
    pub(super) fn make_room(&mut self, now: Instant) -> bool {
        while let Some(oldest) = self.ring.get(self.head.oldest as usize) {
            if self.head.count == 0 || oldest.until.is_some_and(|until| until > now) {
                break;
            }
            let name = oldest.ephemeral;
            let ring = &*self.ring;
            let name_of = |at: u32| ring.get(at as usize).map(|one| one.ephemeral);
            self.index.remove(&name, self.head.oldest, name_of);
            self.head.oldest = self.after(self.head.oldest, 1);
            self.head.count -= 1;
        }
        (self.head.count as usize) < self.ring.len()
    }

    /// Remembers a key for `span`; [`Self::make_room`] said that there is room.
    pub(super) fn remember<R: Role>(
        &mut self,
        ephemeral: &[u8; 32],
        link: Id<Link<R>>,
        now: Instant,
        span: Duration,
    ) {
        let at = self.after(self.head.oldest, self.head.count);
        let until = now + span;
        let ephemeral = name(ephemeral);
        let Some(place) = self.ring.get_mut(at as usize) else { return };
        if self.index.insert(&ephemeral, at) {
            let link = Some((link.slot(), link.generation()));
            *place = Remembered { ephemeral, until: Some(until), link };
            self.head.count += 1;
        }
    }

    fn after(&self, at: u32, steps: u32) -> u32 {
        let length = self.ring.len().max(1) as u64;
        ((u64::from(at) + u64::from(steps)) % length) as u32
    }
}

fn name(ephemeral: &[u8; 32]) -> Name {
    let [name, _] = ephemeral.as_chunks().0 else { return [0; 16] };
    *name
}
