//! Readers that are not outrun: an entry that would push another out of a room's log waits
//! until every member that is online, and reads, has read that one. So its author's deposits
//! pile up, and its client slows down.
//!
//! The slowest reader is found without looking at all of them. A room has a **mark** in its
//! log, and a list of those that were behind it when they were looked at last; once that is
//! empty, all are past the mark, and the next one is set further on.

use core::time::Duration;

use crate::{
    id::Recipient,
    storage::{Id, Linked, List, Node, Pool},
    time::Instant,
    wire::EntryRefusal,
};

use super::{
    engine::Engine,
    entry::{Entry, Held, Pair, Stage},
    room::{Membership, RoomRow},
};

/// The longest pause between two looks at whom a room waits for. With each, the authors that
/// wait are told so, or they would send their deposits again.
const LOOK: Duration = Duration::from_secs(2);

/// The shortest.
const LEAST: Duration = Duration::from_millis(50);

/// How many entries a mark is ahead of the one before it at most, and at most an eighth of what
/// is kept: a room stands still until all are past it.
const STEP: u32 = 16;

/// Those who read a room's log, and the authors that wait for them.
#[derive(Debug)]
pub(super) struct Readers {
    /// All readers that are waited for have read all up to here.
    floor: u64,
    /// Those in `past` have read all up to here as well; those in `behind` may have, too.
    mark: u64,
    behind: List<Membership, Reading>,
    past: List<Membership, Reading>,
    /// Authors whose next deposit waits, in turn.
    pub(super) held: List<Pair, Held>,
    /// When it is looked at whom they wait for.
    look: Option<Instant>,
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

/// The lists of those that a room waits for, and of rooms with deposits that wait.
#[derive(Debug)]
pub(super) struct Reading;
#[derive(Debug)]
pub(super) struct Waiting;

impl Linked<Reading> for Membership {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.reading
    }
}

impl Linked<Waiting> for RoomRow {
    fn node(&mut self) -> &mut Node<Self> {
        &mut self.readers.waiting
    }
}

impl Engine<'_> {
    /// A member that is online is waited for from now on.
    pub(super) fn wait_for(&mut self, id: Id<Membership>) {
        let now = self.state.now;
        let (wait, kept) = (self.state.config.reader_wait, self.state.config.room.entries);
        let Some(membership) = self.rooms.members.get_mut(id).filter(|_| !wait.is_zero()) else {
            return;
        };
        membership.got_on = now;
        let Some(row) = self.rooms.slab.get_mut(membership.room) else { return };
        let (at, readers) = (membership.has_read(row.first), &mut row.readers);
        if readers.behind.is_empty() && readers.past.is_empty() {
            (readers.floor, readers.mark) = (at, at);
        }
        readers.floor = readers.floor.min(at);
        readers.mark = readers.mark.min(readers.floor.saturating_add(step(kept)));
        readers.behind.push_back(&mut self.rooms.members, id);
    }

    /// A member is not waited for any more.
    pub(super) fn wait_no_more(&mut self, id: Id<Membership>) {
        let Some(membership) = self.rooms.members.get(id) else { return };
        let room = membership.room;
        if let Some(row) = self.rooms.slab.get_mut(room).filter(|_| membership.reading.is_linked())
        {
            let lists = [&mut row.readers.behind, &mut row.readers.past];
            List::remove_from_either(lists, &mut self.rooms.members, id);
        }
    }

    /// A member has read some more of a room's log.
    pub(super) fn got_on(&mut self, id: Id<Membership>) {
        let Some(membership) = self.rooms.members.get_mut(id) else { return };
        membership.got_on = self.state.now;
        let room = membership.room;
        if !membership.reading.is_linked() {
            self.wait_for(id);
        }
        self.go_on(room);
    }

    /// Whether a deposit must wait, since one more entry in its room would outrun a reader;
    /// its author takes its turn then.
    pub(super) fn holds_back(&mut self, pair: Id<Pair>, next: Id<Entry>) -> bool {
        let Some(room) = self.room_of(pair) else { return false };
        let waits = self.rooms.get(room).is_some_and(|row| !row.readers.held.is_empty());
        if !waits && self.has_place(room, next) {
            return false;
        }
        let at = self.state.now + self.readers_pause();
        if let Some(row) = self.rooms.get_mut(room) {
            row.readers.held.push_back(&mut self.pairs, pair);
            row.readers.look.get_or_insert(at);
            self.state.waiting_rooms.push_back(&mut self.rooms.slab, room);
        }
        true
    }

    /// A room's readers or its log got on: what is beyond what is kept goes, and what waits is
    /// taken in, an entry of each author in turn, as far as no reader is outrun.
    pub(super) fn go_on(&mut self, room: Id<RoomRow>) {
        self.trim(room);
        while let Some(pair) = self.rooms.get(room).and_then(|row| row.readers.held.front()) {
            let next = self.next_of(pair);
            if next.is_some_and(|next| !self.has_place(room, next)) {
                return;
            }
            self.hold_no_more(pair);
            let Some(next) = next else { continue };
            let author = self.pairs.get(pair).map(|pair| pair.author);
            let number = self.rooms.get(room).map(|row| row.number);
            if author.zip(number).is_some_and(|(author, room)| self.may_say(author, room)) {
                self.take(pair, next);
            } else {
                self.refuse(next, EntryRefusal::NotMember);
            }
            if self.next_of(pair).is_some()
                && let Some(row) = self.rooms.get_mut(room)
            {
                row.readers.held.push_back(&mut self.pairs, pair);
            }
        }
    }

    /// Nothing of an author waits any more.
    pub(super) fn hold_no_more(&mut self, pair: Id<Pair>) {
        let Some(room) = self.room_of(pair) else { return };
        if let Some(row) = self.rooms.slab.get_mut(room) {
            row.readers.held.remove(&mut self.pairs, pair);
        }
    }

    /// Whether an author's deposits wait for readers.
    pub(super) fn is_held(&self, pair: Id<Pair>) -> bool {
        self.pairs.get(pair).is_some_and(|pair| pair.held.is_linked())
    }

    /// Whether deposits for a recipient wait for readers.
    pub(super) fn is_waited_in(&self, to: Recipient) -> bool {
        let Recipient::Room(room) = to else { return false };
        let row = self.rooms.by_number(room).and_then(|id| self.rooms.get(id));
        row.is_some_and(|row| !row.readers.held.is_empty())
    }

    /// Whether there is memory for one more deposit that waits for readers. The last quarter is
    /// for all others, and nothing that is to be read is driven out for it.
    pub(super) fn has_room_to_wait(&self, bytes: usize) -> bool {
        self.entries.len() * 4 < self.entries.capacity() * 3
            && (self.pool.used() + Pool::blocks(bytes)) * 4 <= self.pool.capacity() * 3
    }

    /// Gives the credit of what an author has waiting back early, while there is plenty of
    /// memory: it may have other things to say, elsewhere.
    pub(super) fn ease(&mut self, pair: Id<Pair>) {
        let mut at = self.pairs.get(pair).and_then(|pair| pair.entries.front());
        while let Some((id, entry)) = at.and_then(|id| Some((id, self.entries.get(id)?))) {
            at = entry.of_pair.next();
            let is_plenty = self.entries.len() * 8 < self.entries.capacity() * 5
                && self.pool.used() * 8 < self.pool.capacity() * 5;
            if entry.stage == Stage::Waiting && is_plenty {
                self.release(id);
            }
        }
    }

    /// The earliest look at a room that waits.
    pub(super) fn readers_deadline(&self) -> Option<Instant> {
        let first = self.state.waiting_rooms.front();
        first.and_then(|room| self.rooms.get(room)).and_then(|row| row.readers.look)
    }

    /// Looks at whom rooms wait for, where it is time.
    pub(super) fn readers_timeout(&mut self) {
        while self.readers_deadline().is_some_and(|at| at <= self.state.now)
            && let Some(room) = self.state.waiting_rooms.pop_front(&mut self.rooms.slab)
        {
            self.give_up_idle(room);
            let at = self.state.now + self.readers_pause();
            let Some(row) = self.rooms.get_mut(room) else { continue };
            row.readers.look = None;
            if row.readers.held.is_empty() {
                continue;
            }
            row.readers.look = Some(at);
            let mut pair = row.readers.held.front();
            self.state.waiting_rooms.push_back(&mut self.rooms.slab, room);
            while let Some(id) = pair {
                pair = self.pairs.get(id).and_then(|pair| pair.held.next());
                self.owe_progress(id);
            }
        }
    }

    /// Up to where a room's first entries may go: `upto`, if nobody is outrun.
    pub(super) fn may_go(&mut self, room: Id<RoomRow>, upto: u64) -> u64 {
        let step = step(self.state.config.room.entries);
        let Some(row) = self.rooms.slab.get_mut(room) else { return upto };
        let (first, head, readers) = (row.first, row.head, &mut row.readers);
        loop {
            if readers.behind.is_empty() && readers.past.is_empty() {
                return upto;
            }
            if upto <= readers.floor {
                return upto;
            }
            while let Some(reader) = readers.behind.front() {
                let membership = self.rooms.members.get(reader);
                if membership.is_some_and(|reader| reader.has_read(first) < readers.mark) {
                    return readers.floor;
                }
                readers.behind.remove(&mut self.rooms.members, reader);
                readers.past.push_back(&mut self.rooms.members, reader);
            }
            readers.floor = readers.mark;
            let next = readers.floor.saturating_add(step).max(upto).min(head);
            if next <= readers.floor {
                return upto.min(readers.floor);
            }
            readers.mark = next;
            readers.behind = core::mem::take(&mut readers.past);
        }
    }

    /// A room's log has place for one more entry, now or once entries are gone that everyone
    /// has read.
    fn has_place(&mut self, room: Id<RoomRow>, next: Id<Entry>) -> bool {
        let kept = self.state.config.room;
        let Some(length) = self.entries.get(next).map(|entry| entry.body.len()) else {
            return true;
        };
        let Some(row) = self.rooms.get(room) else { return true };
        let mut gone = row.asked.saturating_add(1).saturating_sub(kept.entries.max(1).into());
        if row.bytes.saturating_add(length as u64).saturating_sub(row.oldest.bytes) > kept.bytes {
            // With nothing left that could go, even the longest is taken.
            let first = if row.asked == row.head { row.first.min(row.head) } else { row.first };
            gone = gone.max(first);
            if row.oldest.index != row.first {
                self.look_at_oldest(room);
            }
        }
        self.may_go(room, gone) >= gone
    }

    /// Who is behind and has not moved for too long is not waited for any more.
    fn give_up_idle(&mut self, room: Id<RoomRow>) {
        let (now, wait) = (self.state.now, self.state.config.reader_wait);
        loop {
            self.go_on(room);
            let Some(row) = self.rooms.get(room).filter(|row| !row.readers.held.is_empty()) else {
                return;
            };
            let Some(id) = row.readers.behind.front() else { return };
            let reader = self.rooms.members.get(id);
            if reader.is_none_or(|reader| now.since(reader.got_on) < wait) {
                return;
            }
            self.wait_no_more(id);
        }
    }

    fn room_of(&self, pair: Id<Pair>) -> Option<Id<RoomRow>> {
        match self.pairs.get(pair)?.recipient {
            Recipient::Room(room) => self.rooms.by_number(room),
            Recipient::Account(_) => None,
        }
    }

    /// How long until it is looked again at whom a room waits for.
    fn readers_pause(&self) -> Duration {
        (self.state.config.reader_wait / 4).clamp(LEAST, LOOK)
    }
}

fn step(kept: u32) -> u64 {
    u64::from((kept / 8).clamp(1, STEP))
}
