//! The messages in memory, and the rule for who gets room: what is on its way comes first, and the
//! newest lines of rooms, which the store has too, are kept in what is left for their readers.

use crate::{
    id::{Recipient, Room},
    link::Links,
    role::is_room_to_wait,
    storage::{Body, Bucket, Id, Index, List, Pool, Slab, SlabHead, Slot},
    time::Instant,
    timers::{TimerCell, Timers},
};

use super::{
    super::role::ServerRole,
    entry::{Entry, Queued, Stage},
    pair::Pair,
};

/// The messages in memory.
#[derive(Debug)]
pub(crate) struct Messages<'a> {
    rows: Slab<'a, Entry>,
    timers: Timers<'a>,
    /// Lines of rooms, by room and index.
    by_place: Index<'a>,
    /// Lines of rooms, the oldest there first.
    recent: &'a mut Recent,
}

/// Lines of rooms in memory, and what they take.
#[derive(Debug)]
struct Recent {
    lines: List<Entry, Queued>,
    count: usize,
    blocks: usize,
}

/// What goes with the tables of messages.
#[derive(Debug)]
pub(crate) struct MessagesHead {
    rows: SlabHead,
    timers: u32,
    recent: Recent,
}

impl MessagesHead {
    pub(crate) const NEW: Self = Self {
        rows: SlabHead::NEW,
        timers: 0,
        recent: Recent { lines: List::NEW, count: 0, blocks: 0 },
    };
}

impl<'a> Messages<'a> {
    pub(crate) fn new(
        rows: &'a mut [Slot<Entry>],
        timers: &'a mut [TimerCell],
        by_place: &'a mut [Bucket],
        head: &'a mut MessagesHead,
        hash: [u8; 16],
    ) -> Self {
        Self {
            rows: Slab::new(rows, &mut head.rows),
            timers: Timers::new(timers, &mut head.timers),
            by_place: Index::new(by_place, hash),
            recent: &mut head.recent,
        }
    }

    /// The table, for lists of messages.
    pub(crate) fn rows(&mut self) -> &mut Slab<'a, Entry> {
        &mut self.rows
    }

    pub(crate) fn get(&self, id: Id<Entry>) -> Option<&Entry> {
        self.rows.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: Id<Entry>) -> Option<&mut Entry> {
        self.rows.get_mut(id)
    }

    /// The message in a slot.
    pub(crate) fn at(&self, slot: u32) -> Option<Id<Entry>> {
        self.rows.id_at(slot)
    }

    /// How many there are, and how many there can be.
    pub(crate) fn usage(&self) -> (usize, usize) {
        (self.rows.len(), self.rows.capacity())
    }

    pub(crate) fn insert(&mut self, entry: Entry) -> Option<Id<Entry>> {
        self.rows.insert(entry).ok()
    }

    /// When something is to be done about a message.
    pub(crate) fn set_timer(&mut self, id: Id<Entry>, at: Option<Instant>) {
        self.timers.set(id.slot(), at);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timers.deadline()
    }

    /// The next message that something is to be done about.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<Id<Entry>> {
        let rows = &self.rows;
        let timers = &mut self.timers;
        core::iter::from_fn(|| timers.pop_due(now)).find_map(|slot| rows.id_at(slot))
    }

    /// Makes room for one more message with a body of `bytes` bytes. `early` is one that waits for
    /// others of up to so many bytes, and leaves the last of the room to them. `false` if there is
    /// no room.
    pub(crate) fn make_room(
        &mut self,
        pool: &mut Pool<'_>,
        bytes: usize,
        early: Option<usize>,
    ) -> bool {
        loop {
            let is_room = if let Some(longest) = early {
                is_room_to_wait(&self.rows, pool, bytes, longest)
            } else {
                let blocks = pool.capacity() - pool.used();
                !self.rows.is_full() && blocks >= Pool::blocks(bytes)
            };
            if is_room {
                return true;
            }
            if !self.forget_oldest(pool) {
                return false;
            }
        }
    }

    /// Whether one more submission leaves an eighth of all memory free, for what is read from the
    /// store, and eight times as much as it takes, up to another eighth: what is long and was begun
    /// must not keep out what is short. It leaves a sixteenth of the places. A body of `longest`
    /// bytes fits all the same.
    pub(crate) fn leaves_room(&self, pool: &Pool<'_>, bytes: usize, longest: usize) -> bool {
        let (capacity, needed) = (pool.capacity(), Pool::blocks(bytes));
        let free = capacity / 8 + (needed * 8).min(capacity / 8);
        let most = capacity.saturating_sub(Pool::blocks(longest));
        let rows = self.rows.len() - self.recent.count;
        let blocks = pool.used() - self.recent.blocks;
        rows < self.rows.capacity() - self.rows.capacity() / 16
            && blocks + needed + free.min(most) <= capacity
    }

    /// Whether there is memory for one more submission that waits for readers. The last quarter is
    /// for all others, and nothing that is to be read is driven out for it.
    pub(super) fn is_room_behind_readers(&self, pool: &Pool<'_>, bytes: usize) -> bool {
        self.rows.len() * 4 < self.rows.capacity() * 3
            && (pool.used() + Pool::blocks(bytes)) * 4 <= pool.capacity() * 3
    }

    /// No more than so many eighths of all memory are in use.
    pub(crate) fn is_plenty(&self, pool: &Pool<'_>, eighths: usize) -> bool {
        self.rows.len() * 8 < self.rows.capacity() * eighths
            && pool.used() * 8 < pool.capacity() * eighths
    }

    /// Gives the length of a message's body to its author as credit.
    pub(crate) fn release(&mut self, links: &mut Links<'_, ServerRole>, id: Id<Entry>) {
        let Some(entry) = self.rows.get_mut(id) else { return };
        let (source, length) = (entry.submitted.source.take(), entry.body.len());
        // What is given up before its turn, or refused, may come again.
        let settled = !matches!(entry.stage, Stage::Arriving | Stage::Waiting | Stage::Refused);
        if let Some((source, link)) = source.and_then(|id| Some((id, links.get_mut(id)?))) {
            link.credit.release(length, settled);
            if link.credit.is_owed() {
                links.wake(source);
            }
        }
    }

    /// Gives a message's body back to the pool, and its length to its author.
    pub(super) fn free_body(
        &mut self,
        links: &mut Links<'_, ServerRole>,
        pool: &mut Pool<'_>,
        id: Id<Entry>,
    ) {
        self.release(links, id);
        if let Some(entry) = self.rows.get_mut(id) {
            pool.free(core::mem::replace(&mut entry.body, Body::EMPTY));
        }
    }

    /// Gives a message's memory back; the pair that it was of.
    pub(super) fn remove(&mut self, pool: &mut Pool<'_>, id: Id<Entry>) -> Option<Id<Pair>> {
        self.timers.set(id.slot(), None);
        let entry = self.rows.remove(id)?;
        pool.free(entry.body);
        entry.submitted.pair
    }

    /// A line of a room, if it is in memory.
    pub(crate) fn recall(&self, room: Room, index: u64) -> Option<&Entry> {
        let at = |slot| self.rows.id_at(slot).and_then(|id| self.rows.get(id));
        let slot = self.by_place.find(&place(room, index), |slot| {
            at(slot).is_some_and(|e| e.index == index && e.to == Recipient::Room(room))
        });
        slot.and_then(at)
    }

    /// Keeps a line of a room in memory for its readers, within half of what memory there is.
    pub(crate) fn remember(&mut self, pool: &mut Pool<'_>, id: Id<Entry>, room: Room) {
        let Some(index) = self.rows.get(id).map(|entry| entry.index) else {
            debug_assert!(false, "it is in memory");
            return;
        };
        let indexed = self.by_place.insert(&place(room, index), id.slot());
        debug_assert!(indexed, "the index has more buckets than there are messages");
        self.recent.lines.push_back(&mut self.rows, id);
        self.recent.count += 1;
        self.recent.blocks += self.blocks_of(id);
        while self.is_crowded(pool)
            && self.recent.lines.front() != Some(id)
            && self.forget_oldest(pool)
        {}
    }

    /// How many lines of rooms are in memory for their readers, and in how many blocks.
    pub(crate) fn recent(&self) -> (usize, usize) {
        (self.recent.count, self.recent.blocks)
    }

    fn blocks_of(&self, id: Id<Entry>) -> usize {
        self.rows.get(id).map_or(0, |entry| Pool::blocks(entry.body.len()))
    }

    fn is_crowded(&self, pool: &Pool<'_>) -> bool {
        self.rows.len() * 2 > self.rows.capacity() || pool.used() * 2 > pool.capacity()
    }

    /// Forgets the line of a room that has been in memory for longest; `false` if there is none.
    fn forget_oldest(&mut self, pool: &mut Pool<'_>) -> bool {
        let Some(id) = self.recent.lines.pop_front(&mut self.rows) else { return false };
        self.recent.count -= 1;
        self.recent.blocks -= self.blocks_of(id);
        let rows = &self.rows;
        let name = |id| {
            let entry: &Entry = rows.get(id)?;
            match entry.to {
                Recipient::Room(room) => Some(place(room, entry.index)),
                Recipient::Account(_) => None,
            }
        };
        if let Some(gone) = name(id) {
            self.by_place.remove(&gone, id.slot(), |slot| name(rows.id_at(slot)?));
        }
        let pair = self.remove(pool, id);
        debug_assert!(pair.is_none(), "the author of what the store has waits for nothing");
        true
    }
}

/// What a line of a room is found by.
fn place(room: Room, index: u64) -> [u8; 12] {
    let mut name = [0; 12];
    let (front, back) = name.split_at_mut(4);
    front.copy_from_slice(&room.0.to_le_bytes());
    back.copy_from_slice(&index.to_le_bytes());
    name
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use crate::{
        storage::{Block, PoolHead},
        wire::MAX_BODY,
    };

    use super::*;

    const BLOCKS: usize = 2_110;
    const ENTRIES: usize = 1_086;

    /// Submissions of so many bytes take what they may; how many there are.
    fn fill(messages: &Messages<'_>, pool: &mut Pool<'_>, bytes: usize) -> usize {
        let mut count = 0;
        while messages.leaves_room(pool, bytes, MAX_BODY) {
            pool.allocate(bytes).expect("it leaves room");
            count += 1;
        }
        count
    }

    #[test]
    fn what_is_submitted_leaves_room_for_what_is_short_and_what_is_read() {
        let mut blocks: Vec<_> = (0..BLOCKS).map(|_| Block::EMPTY).collect();
        let mut rows: Vec<_> = (0..ENTRIES).map(|_| Slot::EMPTY).collect();
        let mut timers = std::vec![TimerCell::EMPTY; ENTRIES];
        let mut by_place = std::vec![None; Index::buckets(ENTRIES)];
        for long in [1_200, 5_000, 16_001, MAX_BODY] {
            let (mut head, mut pool) = (MessagesHead::NEW, PoolHead::NEW);
            let messages = Messages::new(&mut rows, &mut timers, &mut by_place, &mut head, [1; 16]);
            let mut pool = Pool::new(&mut blocks, &mut pool);
            assert!(fill(&messages, &mut pool, long) > 0);
            assert!(fill(&messages, &mut pool, 100) >= 30, "beside those of {long}");
            for _ in 0..3 {
                assert!(pool.allocate(MAX_BODY).is_some(), "beside those of {long}");
            }
        }
    }
}
