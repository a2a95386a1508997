//! Whom a room waits for, and who waits in it.
//!
//! The slowest reader is found without looking at all of them. A room has a **mark** in its
//! log, and a list of those that were behind it when they were looked at last; once that is
//! empty, all are past the mark, and the next one is set further on.

use crate::{
    storage::{Id, Linked, List, Node, Slab},
    time::Instant,
};

use super::{
    super::submit::{Held, Pair},
    member::Member,
    row::RoomRow,
};

/// How many lines a mark is ahead of the one before it at most, and at most an eighth of what
/// is kept: a room stands still until all are past it.
const STEP: u32 = 16;

/// Those who read a room's log, and the authors that wait for them.
#[derive(Debug)]
pub(super) struct Readers {
    /// All readers that are waited for have read all up to here.
    floor: u64,
    /// Those in `past` have read all up to here as well; those in `behind` may have, too.
    mark: u64,
    pub(super) behind: List<Member, Reading>,
    past: List<Member, Reading>,
    /// Authors whose next submission waits, in turn.
    pub(super) held: List<Pair, Held>,
    /// When it is looked at whom they wait for.
    pub(super) look: Option<Instant>,
    pub(super) waiting: Node<RoomRow>,
}

impl Readers {
    pub(super) const NEW: Self = Self {
        floor: 0,
        mark: 0,
        behind: List::NEW,
        past: List::NEW,
        held: List::NEW,
        look: None,
        waiting: Node::UNLINKED,
    };
}

/// The lists of those that a room waits for, and of rooms with submissions that wait.
#[derive(Debug)]
pub(super) struct Reading;
#[derive(Debug)]
pub(super) struct Waiting;

impl Linked<Reading> for Member {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.reading
    }
}

impl Linked<Waiting> for RoomRow {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.readers.waiting
    }
}

impl Readers {
    /// A member that has read all up to `at` is waited for from now on. The mark is no more than a
    /// step of a log that keeps `kept` lines ahead of it.
    pub(super) fn wait_for(
        &mut self,
        members: &mut Slab<'_, Member>,
        id: Id<Member>,
        at: u64,
        kept: u32,
    ) {
        if self.behind.is_empty() && self.past.is_empty() {
            (self.floor, self.mark) = (at, at);
        }
        self.floor = self.floor.min(at);
        self.mark = self.mark.min(self.floor.saturating_add(step(kept)));
        self.behind.push_back(members, id);
    }

    /// A member is not waited for any more.
    pub(super) fn wait_no_more(&mut self, members: &mut Slab<'_, Member>, id: Id<Member>) {
        List::remove_from_either([&mut self.behind, &mut self.past], members, id);
    }

    /// Up to where the first of the lines from `first` to `head` may go: `upto`, if nobody is
    /// outrun. The log keeps `kept` lines.
    pub(super) fn may_go(
        &mut self,
        members: &mut Slab<'_, Member>,
        (first, head): (u64, u64),
        upto: u64,
        kept: u32,
    ) -> u64 {
        loop {
            if self.behind.is_empty() && self.past.is_empty() || upto <= self.floor {
                return upto;
            }
            while let Some(reader) = self.behind.front() {
                let member = members.get(reader);
                if member.is_some_and(|member| member.has_read(first) < self.mark) {
                    return self.floor;
                }
                self.behind.remove(members, reader);
                self.past.push_back(members, reader);
            }
            self.floor = self.mark;
            let next = self.floor.saturating_add(step(kept)).max(upto).min(head);
            if next <= self.floor {
                return upto.min(self.floor);
            }
            self.mark = next;
            self.behind = core::mem::take(&mut self.past);
        }
    }
}

fn step(kept: u32) -> u64 {
    u64::from((kept / 8).clamp(1, STEP))
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU32;

    use proptest::prelude::*;
    use std::vec::Vec;

    use super::*;
    use crate::{
        id::Account,
        record::Standing,
        storage::{SlabHead, Slot},
    };

    proptest! {
        /// No line goes that somebody who is waited for has not read, and any may go once everybody
        /// has read them all.
        #[test]
        fn nobody_is_outrun_and_nobody_waits_for_nothing(
            kept in 1..100u32,
            steps in prop::collection::vec((0..4u8, 0..5usize, 0..40u64), 1..200),
        ) {
            let mut slots = [const { Slot::EMPTY }; 5];
            let mut slab_head = SlabHead::NEW;
            let mut members = Slab::new(&mut slots, &mut slab_head);
            let room = Id::from_parts(0, NonZeroU32::MIN);
            let mut readers = Readers::NEW;
            let ids: Vec<_> = (0..5)
                .filter_map(|at| {
                    members.insert(Member::new(room, Account(at), 0, Standing::Member)).ok()
                })
                .collect();
            let mut waited = [false; 5];
            let mut head = 0;
            for (step, pick, by) in steps {
                let id = ids[pick];
                let Some(member) = members.get_mut(id) else { break };
                let read = member.has_read(1);
                match step {
                    0 => head += by,
                    1 => {
                        member.cursor.read((read + by).min(head));
                    }
                    2 if !waited[pick] => {
                        readers.wait_for(&mut members, id, read, kept);
                        waited[pick] = true;
                    }
                    _ if waited[pick] => {
                        readers.wait_no_more(&mut members, id);
                        waited[pick] = false;
                    }
                    _ => {}
                }
                let slowest = (0..5).filter(|at| waited[*at]).filter_map(|at| {
                    members.get(ids[at]).map(|member| member.has_read(1))
                });
                let slowest = slowest.min();
                for upto in [head / 2, head] {
                    let may = readers.may_go(&mut members, (1, head), upto, kept);
                    prop_assert!(may <= upto.max(slowest.unwrap_or(upto)));
                    prop_assert!(slowest.is_none_or(|slowest| may >= upto || may <= slowest));
                    prop_assert!(slowest.is_some_and(|slowest| slowest < head) || may >= upto);
                }
            }
        }
    }
}
