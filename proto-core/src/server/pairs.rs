//! Pairs: how far each recipient has each author's deposits, read from the store when one
//! is first needed, saved as it changes, and told to the author.

use crate::{
    host::Ask,
    id::{Account, Recipient},
    link::Packet,
    storage::Id,
    wire::{Frame, Inquire, Progress},
};

use super::{
    ServerLink,
    engine::{Engine, FrameOutcome, STALL},
    entry::{Pair, Stage},
    member::{ServerRole, Token},
};

impl Engine<'_> {
    /// An author asks how its deposits are doing.
    pub(super) fn inquire(&mut self, link: Id<ServerLink>, inquire: Inquire) -> FrameOutcome {
        let Some(author) = self.author(link) else { return FrameOutcome::NoRoom };
        let known = match inquire.to {
            Recipient::Account(to) => self.accounts.get(to).is_some(),
            Recipient::Room(room) => self.rooms.by_number(room).is_some(),
        };
        if !known {
            return FrameOutcome::Done;
        }
        let Some(pair) = self.pair(author, inquire.to) else { return FrameOutcome::NoRoom };
        self.owe_progress(pair);
        FrameOutcome::Done
    }

    /// The pair's record came from the store.
    pub(super) fn pair_loaded(&mut self, id: Id<Pair>, record: crate::record::PairRecord) {
        let Some(key) = self.pairs.get(id).map(|pair| self.recipient_key(pair.recipient)) else {
            return;
        };
        let mut record = record;
        if record.key != key {
            record.renew(key);
        }
        let Some(pair) = self.pairs.get_mut(id) else { return };
        pair.loaded = true;
        pair.record.key = key;
        let now = &mut pair.record;
        now.stored = now.stored.max(record.stored);
        if record.delivered > now.delivered {
            (now.delivered, now.receipt) = (record.delivered, record.receipt);
        }
        if now.expired.1 < record.expired.1 {
            now.expired = record.expired;
        }
        pair.taken = pair.taken.max(pair.safe());
        if pair.dirty {
            self.save_pair(id);
        }
        self.owe_progress(id);
        self.free_repeated(id);
        self.take_next(id);
    }

    /// What came before the pair was read, and turns out to have been had, gives its credit
    /// and its memory back.
    fn free_repeated(&mut self, id: Id<Pair>) {
        let Some(pair) = self.pairs.get(id) else { return };
        let (taken, mut at) = (pair.taken, pair.entries.front());
        while let Some((id, entry)) = at.and_then(|id| Some((id, self.entries.get(id)?))) {
            at = entry.of_pair.next();
            let is_arriving = matches!(entry.stage, Stage::Arriving | Stage::Waiting);
            if is_arriving && taken.covers(entry.position) {
                self.free_entry(id);
            }
        }
    }

    /// An account has another key: what was sealed to the one before goes back to its
    /// authors. Those who are online are told now, the others when they ask.
    pub(super) fn renew_pairs(&mut self, account: Account) {
        let recipient = Recipient::Account(account);
        let key = self.recipient_key(recipient);
        for slot in 0..self.pairs.capacity() as u32 {
            let Some(id) = self.pairs.id_at(slot) else { continue };
            let Some(pair) = self.pairs.get_mut(id).filter(|pair| pair.recipient == recipient)
            else {
                continue;
            };
            (pair.online, pair.refused) = (false, None);
            let mut at = pair.entries.front();
            while let Some(entry_id) = at {
                let Some(entry) = self.entries.get_mut(entry_id) else { break };
                at = entry.of_pair.next();
                if entry.stage == Stage::Storing {
                    // The store is still busy with it, and then forgets it.
                    entry.stage = Stage::Delivered;
                    self.unlist(entry_id);
                } else {
                    self.free_entry(entry_id);
                }
            }
            let Some(pair) = self.pairs.get_mut(id).filter(|pair| pair.loaded) else { continue };
            pair.record.renew(key);
            pair.taken = pair.safe();
            self.save_pair(id);
            self.owe_progress(id);
        }
    }

    /// Moves a pair's stored cursor up to the first entry that is neither durable nor
    /// delivered: what is behind it may be saved already, and is not told.
    pub(super) fn settle_stored(&mut self, id: Id<Pair>) {
        let Some(pair) = self.pairs.get_mut(id) else { return };
        let mut upto = pair.taken;
        let mut at = pair.entries.front();
        while let Some(entry) = at.and_then(|id| self.entries.get(id)) {
            at = entry.of_pair.next();
            if matches!(entry.stage, Stage::Relaying | Stage::Storing) && entry.position <= upto {
                upto = entry.position;
                upto.number.0 = upto.number.0.saturating_sub(1);
            }
        }
        if upto.epoch == pair.epoch() && pair.record.stored < upto {
            pair.record.stored = upto;
            // How far a room has its author is saved with each of its entries.
            pair.dirty |= matches!(pair.recipient, Recipient::Account(_));
        }
    }

    /// The author of a pair is to be told how far its deposits are.
    pub(super) fn owe_progress(&mut self, id: Id<Pair>) {
        let Some(pair) = self.pairs.get(id).filter(|pair| pair.loaded) else { return };
        let Some(link) = self.accounts.get(pair.author).and_then(|row| row.link) else { return };
        if let Some(member) = self.links.get_mut(link).map(|link| &mut link.role)
            && member.registration.online().is_some()
        {
            self.state.unused.remove(&mut self.pairs, id);
            member.progress.push_back(&mut self.pairs, id);
            self.links.wake(link);
        }
    }

    /// A pair's record is to be saved, behind what the store was asked before and ahead of
    /// what it is asked after: an answer to an earlier request for it counts no more.
    pub(super) fn save_pair(&mut self, id: Id<Pair>) {
        if let Some(pair) = self.pairs.get_mut(id) {
            pair.dirty = true;
            if pair.loaded && pair.ask != Ask::Owed {
                pair.ask = Ask::Owed;
                self.state.failed_pairs.remove(&mut self.pairs, id);
                self.state.unused.remove(&mut self.pairs, id);
                self.state.asking_pairs.push_back(&mut self.pairs, id);
            }
        }
    }

    /// The store failed to read or save a pair's record: it is asked again.
    pub(super) fn pair_failed(&mut self, id: Id<Pair>) {
        self.state.failed_pairs.push_back(&mut self.pairs, id);
        let at = self.state.now + STALL;
        self.state.stalled_at.get_or_insert(at);
    }

    /// What the store failed to do for pairs, it is asked for now.
    pub(super) fn ask_for_failed(&mut self) {
        while let Some(pair) = self.state.failed_pairs.pop_front(&mut self.pairs) {
            if self.is_loaded(pair) {
                self.save_pair(pair);
            } else {
                self.load_pair(pair);
            }
        }
    }

    /// A pair's record is to be read, unless it was or is being.
    fn load_pair(&mut self, id: Id<Pair>) {
        if let Some(pair) = self.pairs.get_mut(id).filter(|p| !p.loaded && p.ask == Ask::Idle) {
            pair.ask = Ask::Owed;
            self.state.failed_pairs.remove(&mut self.pairs, id);
            self.state.unused.remove(&mut self.pairs, id);
            self.state.asking_pairs.push_back(&mut self.pairs, id);
        }
    }

    /// What the store has of a pair is known.
    pub(super) fn is_loaded(&self, id: Id<Pair>) -> bool {
        self.pairs.get(id).is_some_and(|pair| pair.loaded)
    }

    /// Finds a pair or makes room for it; `None` if all are in use.
    pub(super) fn pair(&mut self, author: Account, recipient: Recipient) -> Option<Id<Pair>> {
        let name = Pair::name(author, recipient);
        let found = self.by_pair.find(&name, |slot| {
            let pair = self.pairs.id_at(slot).and_then(|id| self.pairs.get(id));
            pair.is_some_and(|pair| (pair.author, pair.recipient) == (author, recipient))
        });
        if let Some(id) = found.and_then(|slot| self.pairs.id_at(slot)) {
            // What the store failed to say is asked again.
            self.load_pair(id);
            return Some(id);
        }
        if self.pairs.is_full() {
            let unused = self.state.unused.pop_front(&mut self.pairs)?;
            self.state.failed_pairs.remove(&mut self.pairs, unused);
            let gone = self.pairs.remove(unused)?;
            let pairs = &self.pairs;
            self.by_pair.remove(&Pair::name(gone.author, gone.recipient), unused.slot(), |slot| {
                let pair = pairs.get(pairs.id_at(slot)?)?;
                Some(Pair::name(pair.author, pair.recipient))
            });
        }
        let id = self.pairs.insert(Pair::new(author, recipient)).ok()?;
        let indexed = self.by_pair.insert(&name, id.slot());
        debug_assert!(indexed, "the index has more buckets than there are pairs");
        self.state.asking_pairs.push_back(&mut self.pairs, id);
        Some(id)
    }

    /// A pair that nothing refers to may make room for another, once the store has what
    /// changed.
    pub(super) fn consider_unused(&mut self, id: Id<Pair>) {
        let Some(pair) = self.pairs.get(id) else { return };
        if pair.uses == 0 && pair.held.is_linked() {
            self.hold_no_more(id);
        }
        let Some(pair) = self.pairs.get(id) else { return };
        if pair.uses > 0 || pair.ask != Ask::Idle || pair.owed.is_linked() {
            return;
        }
        if !pair.dirty {
            self.state.unused.push_back(&mut self.pairs, id);
        } else if !pair.asking.is_linked() {
            // What failed is asked for again in its time.
            self.save_pair(id);
        }
    }

    /// How many pairs could not make room for another.
    pub(super) fn pairs_in_use(&self) -> usize {
        let (mut count, mut at) = (self.pairs.len(), self.state.unused.front());
        while let Some(pair) = at.and_then(|id| self.pairs.get(id)) {
            at = pair.unused.next();
            count -= 1;
        }
        count
    }

    pub(super) fn write_progress(
        &mut self,
        link: Id<ServerLink>,
        packet: &mut Packet<'_, ServerRole>,
    ) {
        while let Some(found) = self.links.get_mut(link) {
            let list = &mut found.role.progress;
            let Some(id) = list.front() else { return };
            if let Some(pair) = self.pairs.get(id) {
                let progress = Progress {
                    to: pair.recipient,
                    key: pair.record.key,
                    stored: pair.record.stored,
                    delivered: pair.record.delivered,
                    expired: pair.record.expired,
                    online: pair.online,
                    receipt: pair.record.receipt,
                };
                if !packet.push(&Frame::Progress(progress), Token::Progress(id)) {
                    return;
                }
            }
            list.pop_front(&mut self.pairs);
            self.consider_unused(id);
        }
    }
}
