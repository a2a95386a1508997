//! The pairs in memory: read from the store when one is first needed, saved as it changes, and
//! given up for others when nothing refers to it.

use crate::{
    host::{Ask, Log, Records, Request, Ticket},
    id::{Account, Position, Recipient},
    record::{self, PairRecord, PlaceRecord},
    storage::{Bucket, Id, Index, List, Slab, SlabHead, Slot},
};

use super::{
    super::{ctx::Ctx, event::Event, store::Asker},
    pair::{Held, Pair, Unused},
};

/// The pairs in memory.
#[derive(Debug)]
pub(crate) struct Pairs<'a> {
    pub(super) rows: Slab<'a, Pair>,
    by_name: Index<'a>,
    unused: &'a mut List<Pair, Unused>,
}

/// What goes with the tables of pairs.
#[derive(Debug)]
pub(crate) struct PairsHead {
    rows: SlabHead,
    unused: List<Pair, Unused>,
}

impl PairsHead {
    pub(crate) const NEW: Self = Self { rows: SlabHead::NEW, unused: List::NEW };
}

/// What the store says of a pair.
#[derive(Debug)]
pub(crate) enum Loaded {
    /// It failed.
    Failed,
    /// The pair is as it says.
    Known(PairRecord),
}

impl<'a> Pairs<'a> {
    pub(crate) fn new(
        rows: &'a mut [Slot<Pair>],
        by_name: &'a mut [Bucket],
        head: &'a mut PairsHead,
        hash: [u8; 16],
    ) -> Self {
        Self {
            rows: Slab::new(rows, &mut head.rows),
            by_name: Index::new(by_name, hash),
            unused: &mut head.unused,
        }
    }

    pub(crate) fn get(&self, id: Id<Pair>) -> Option<&Pair> {
        self.rows.get(id)
    }

    /// Finds a pair or makes room for it; `None` if all are in use.
    pub(crate) fn open(
        &mut self,
        cx: &mut Ctx<'_>,
        author: Account,
        recipient: Recipient,
    ) -> Option<Id<Pair>> {
        let name = Pair::name(author, recipient);
        let found = self.by_name.find(&name, |slot| {
            let pair = self.rows.id_at(slot).and_then(|id| self.rows.get(id));
            pair.is_some_and(|pair| (pair.author, pair.recipient) == (author, recipient))
        });
        if let Some(id) = found.and_then(|slot| self.rows.id_at(slot)) {
            // What the store failed to say is asked again.
            self.load(cx, id);
            return Some(id);
        }
        if self.rows.is_full() {
            let unused = self.unused.pop_front(&mut self.rows)?;
            cx.requests.forgive(&mut self.rows, unused);
            let gone = self.rows.remove(unused)?;
            let rows = &self.rows;
            self.by_name.remove(&Pair::name(gone.author, gone.recipient), unused.slot(), |slot| {
                let pair = rows.get(rows.id_at(slot)?)?;
                Some(Pair::name(pair.author, pair.recipient))
            });
        }
        let id = self.rows.insert(Pair::new(author, recipient)).ok()?;
        let indexed = self.by_name.insert(&name, id.slot());
        debug_assert!(indexed, "the index has more buckets than there are pairs");
        cx.requests.ask(&mut self.rows, id);
        Some(id)
    }

    /// What the store has of a pair is known.
    pub(crate) fn is_loaded(&self, id: Id<Pair>) -> bool {
        self.rows.get(id).is_some_and(|pair| pair.loaded)
    }

    /// A pair's record is to be saved, behind what the store was asked before and ahead of
    /// what it is asked after: an answer to an earlier request for it counts no more.
    pub(super) fn save(&mut self, cx: &mut Ctx<'_>, id: Id<Pair>) {
        let Some(pair) = self.rows.get_mut(id) else { return };
        pair.dirty = true;
        if pair.loaded && pair.ask != Ask::Owed {
            self.ask(cx, id);
        }
    }

    /// The next request for a pair.
    pub(crate) fn request(&mut self, cx: &mut Ctx<'_>, id: Id<Pair>) -> Option<Request> {
        cx.requests.settle(&mut self.rows, id);
        let ticket = cx.ticket(Asker::Pair, id.slot());
        let pair = self.rows.get_mut(id)?;
        pair.ask = Ask::Asked(ticket.serial);
        let (log, number) = (Log::Pairs(pair.author), pair.number());
        if !pair.loaded {
            return Some(Request::Read { ticket, log, from: number, most: 1 });
        }
        pair.dirty = false;
        cx.put(ticket, log, number, &pair.record)
    }

    /// A pair's record is durable, or could not be made so.
    pub(crate) fn saved(&mut self, cx: &mut Ctx<'_>, ticket: Ticket, saved: bool) {
        let Some(id) = self.rows.id_at(ticket.slot) else { return };
        let Some(pair) = self.rows.get_mut(id) else { return };
        if pair.ask.answer(ticket.serial) {
            if !saved {
                pair.dirty = true;
                self.fail(cx, id);
            } else if pair.dirty {
                self.save(cx, id);
            }
            self.consider_unused(cx, id);
        }
    }

    /// What the store has of a pair; `last` says whose the last line of a room is, for whom
    /// the line itself speaks. `None` if the pair does not wait for this answer.
    pub(crate) fn read(
        &mut self,
        cx: &mut Ctx<'_>,
        ticket: Ticket,
        records: Option<Records<'_>>,
        last: impl FnOnce(Recipient) -> Option<(Account, Position)>,
    ) -> Option<(Id<Pair>, Loaded)> {
        let id = self.rows.id_at(ticket.slot)?;
        let pair = self.rows.get_mut(id)?;
        if !pair.ask.answer(ticket.serial) {
            return None;
        }
        let Some(records) = records else { return Some((id, Loaded::Failed)) };
        let bytes = records.at(pair.number());
        let record = match pair.recipient {
            Recipient::Room(_) => {
                let place = bytes.and_then(record::decode::<PlaceRecord>);
                let place = place.map(|(place, _)| Position::new(place.epoch, place.number));
                let last = last(pair.recipient).filter(|(author, _)| *author == pair.author);
                let stored = place.max(last.map(|(_, at)| at)).unwrap_or_default();
                PairRecord { stored, ..PairRecord::default() }
            }
            Recipient::Account(_) => {
                let record = bytes.and_then(record::decode::<PairRecord>);
                if bytes.is_some() && record.is_none() {
                    cx.tell(Event::Damaged);
                }
                record.map_or(PairRecord::default(), |(record, _)| record)
            }
        };
        Some((id, Loaded::Known(record)))
    }

    /// The store failed to read or save a pair's record: it is asked again later.
    pub(super) fn fail(&mut self, cx: &mut Ctx<'_>, id: Id<Pair>) {
        cx.requests.fail(&mut self.rows, id, cx.now);
    }

    /// What the store failed to do for pairs, it is asked for now.
    pub(crate) fn retry(&mut self, cx: &mut Ctx<'_>) {
        while let Some(pair) = cx.requests.retry(&mut self.rows) {
            if self.is_loaded(pair) {
                self.save(cx, pair);
            } else {
                self.load(cx, pair);
            }
        }
    }

    /// Something refers to a pair.
    pub(super) fn begin_use(&mut self, id: Id<Pair>) {
        self.unused.remove(&mut self.rows, id);
        if let Some(pair) = self.rows.get_mut(id) {
            pair.uses += 1;
        }
    }

    /// It does so no longer.
    pub(super) fn end_use(&mut self, cx: &mut Ctx<'_>, id: Id<Pair>) {
        if let Some(pair) = self.rows.get_mut(id) {
            pair.uses -= 1;
        }
        self.consider_unused(cx, id);
    }

    /// A pair is not to make room for others now.
    pub(super) fn is_needed(&mut self, id: Id<Pair>) {
        self.unused.remove(&mut self.rows, id);
    }

    /// A pair that nothing refers to may make room for another, once the store has what
    /// changed.
    pub(crate) fn consider_unused(&mut self, cx: &mut Ctx<'_>, id: Id<Pair>) {
        let Some(pair) = self.rows.get(id) else { return };
        if pair.uses > 0 || pair.ask != Ask::Idle || pair.owed.is_linked() {
            return;
        }
        if !pair.dirty {
            self.unused.push_back(&mut self.rows, id);
        } else if !pair.asking.is_linked() {
            // What failed is asked for again in its time.
            self.save(cx, id);
        }
    }

    /// An author's next submission waits, in its room's list `held`.
    pub(crate) fn hold(&mut self, held: &mut List<Pair, Held>, id: Id<Pair>) {
        if self.rows.get(id).is_some_and(|pair| !pair.is_held()) {
            held.push_back(&mut self.rows, id);
            self.begin_use(id);
        }
    }

    /// Nothing of an author waits in its room's list `held` any more.
    pub(crate) fn release(&mut self, cx: &mut Ctx<'_>, held: &mut List<Pair, Held>, id: Id<Pair>) {
        if self.rows.get(id).is_some_and(Pair::is_held) {
            held.remove(&mut self.rows, id);
            self.end_use(cx, id);
        }
    }

    /// Nothing of an author that waits in its room's list is there any more.
    pub(crate) fn is_held_in_vain(&self, id: Id<Pair>) -> bool {
        self.rows.get(id).is_some_and(|pair| pair.is_held() && pair.uses == 1)
    }

    /// Who waits behind an author in its room's list.
    pub(crate) fn held_after(&self, id: Id<Pair>) -> Option<Id<Pair>> {
        self.rows.get(id).and_then(|pair| pair.held.next())
    }

    /// How many pairs could not make room for another, and how many there can be.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let (mut count, mut at) = (self.rows.len(), self.unused.front());
        while let Some(pair) = at.and_then(|id| self.rows.get(id)) {
            at = pair.unused.next();
            count -= 1;
        }
        (count, self.rows.capacity())
    }

    /// A pair's record is to be read, unless it was or is being.
    fn load(&mut self, cx: &mut Ctx<'_>, id: Id<Pair>) {
        if self.rows.get(id).is_some_and(|pair| !pair.loaded && pair.ask == Ask::Idle) {
            self.ask(cx, id);
        }
    }

    fn ask(&mut self, cx: &mut Ctx<'_>, id: Id<Pair>) {
        if let Some(pair) = self.rows.get_mut(id) {
            pair.ask = Ask::Owed;
        }
        cx.requests.forgive(&mut self.rows, id);
        self.unused.remove(&mut self.rows, id);
        cx.requests.ask(&mut self.rows, id);
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::super::super::{
        config::Config,
        fixture::{Asked, Fixture},
    };
    use super::*;

    #[test]
    fn what_the_store_failed_to_say_is_asked_again_after_a_second() {
        let mut at = Fixture::new(Config::default());
        let (alice, bob) = (at.account("alice"), at.account("bob"));
        let pair = at.submissions.pairs.open(&mut at.cx, alice, Recipient::Account(bob));
        let read = Asked::Read(Log::Pairs(alice), u64::from(bob.0) + 1);
        let (asked, ticket) = at.next_request().unwrap();
        assert_eq!(asked, read);
        let Fixture { cx, accounts, submissions, .. } = &mut at;
        let (id, failed) = submissions.pairs.read(cx, ticket, None, |_| None).unwrap();
        submissions.loaded(cx, accounts, id, failed);
        assert!(Some(id) == pair && !submissions.pairs.is_loaded(id) && !cx.requests.is_owing());
        let due = cx.now + Duration::from_secs(1);
        assert!(cx.requests.deadline() == Some(due) && !cx.requests.is_time_to_retry(cx.now));
        assert!(cx.requests.is_time_to_retry(due));
        submissions.pairs.retry(cx);
        assert_eq!(at.next_request().map(|(asked, _)| asked), Some(read));
    }
}
