//! Deposits: what authors give the server to hand over in their stead. Each is
//! taken in its author's order, relayed at once to a recipient that is online, and
//! saved when that brings no receipt in time.

use crate::{
    action::Ask,
    id::{Account, Number, Position, PublicKey, Recipient},
    link::{Packet, Units},
    record::{BODY_HEADER, Sentence, record_bound},
    session::MAIL_OVERHEAD,
    storage::{Body, Id, Node},
    wire::{Deposit, EntryRefusal, EntryRefused, Frame, Inquire, Progress},
};

use core::time::Duration;

use super::{
    Event, ServerLink,
    engine::{Engine, STALL, Taken},
    entry::{Entry, Pair, Refused, Stage},
    member::{ServerRole, Token},
};

/// Deposits of one pair that may be under way at a time.
const PAIR_ENTRIES: u16 = 64;

/// How long a deposit waits for its missing pieces or predecessors. Its author,
/// told nothing, sends it again.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the store may take before it counts as failed.
const STORE: Duration = Duration::from_secs(10);

impl Engine<'_> {
    /// A piece of a deposit, in the packet `packet` of its link.
    pub(super) fn deposit(
        &mut self,
        link: Id<ServerLink>,
        packet: u64,
        deposit: &Deposit<'_>,
    ) -> Taken {
        let Some(author) = self.author(link) else { return Taken::NoRoom };
        let total = usize::from(deposit.total);
        let position = Position::new(deposit.epoch, deposit.number);
        let run = Units::run(usize::from(deposit.offset), deposit.piece.len(), total);
        let least = match deposit.to {
            Recipient::Account(_) => MAIL_OVERHEAD + BODY_HEADER,
            Recipient::Room(_) => BODY_HEADER,
        };
        let sound = total > least && position.is_sound();
        let Some(run) = run.filter(|_| sound) else {
            return Taken::Close(crate::wire::CloseReason::Malformed);
        };
        if let Err(reason) = self.may_deposit(author, deposit.to) {
            return self.refuse_of(link, None, deposit, reason);
        }
        if deposit.key != self.recipient_key(deposit.to) {
            return self.refuse_of(link, None, deposit, EntryRefusal::KeyChanged);
        }
        if total - least > self.text_limit() as usize {
            return self.refuse_of(link, None, deposit, EntryRefusal::TooLong);
        }
        let Some(pair_id) = self.pair(author, deposit.to) else { return Taken::NoRoom };
        let Some(pair) = self.pairs.get(pair_id) else { return Taken::NoRoom };
        if pair.loaded && position.epoch < pair.record.epoch {
            return self.refuse_of(link, None, deposit, EntryRefusal::Superseded);
        }
        let taken = position.epoch == pair.record.epoch && position.number <= pair.taken.number;
        if pair.loaded && taken {
            self.return_credit(link, deposit);
            self.owe_progress(pair_id);
            return Taken::Done;
        }
        let known = self.find_entry(pair_id, position);
        let unheard = pair.refused.is_some_and(|r| r.by == link && position <= r.upto);
        let heard = self.links.get(link).map_or(0, |link| link.role.heard);
        if known.is_none() && (unheard || packet < heard) {
            // It may have been sent before its author heard that it is not taken.
            self.return_credit(link, deposit);
            return Taken::Done;
        }
        if let Recipient::Room(room) = deposit.to
            && !self.may_say(author, room)
        {
            // What the log has already, or may have, is not refused when it comes again.
            let stage = known.and_then(|id| self.entries.get(id)).map(|entry| entry.stage);
            return match (known, stage) {
                _ if !self.is_loaded(pair_id) => Taken::NoRoom,
                (Some(id), Some(Stage::Arriving | Stage::Waiting)) => {
                    self.refuse(id, EntryRefusal::NotMember);
                    Taken::Done
                }
                (Some(_), _) => {
                    self.return_credit(link, deposit);
                    Taken::Done
                }
                (None, _) => self.refuse_of(link, Some(pair_id), deposit, EntryRefusal::NotMember),
            };
        }
        let Some(id) = known.or_else(|| self.add_entry(link, pair_id, position, deposit)) else {
            return Taken::NoRoom;
        };
        if self.entries.get(id).is_some_and(|entry| entry.stage != Stage::Arriving) {
            self.return_credit(link, deposit);
        }
        let Some(entry) = self.entries.get_mut(id) else { return Taken::NoRoom };
        // What counts before it may have changed since it was sent the last time.
        entry.skip = entry.skip.max(deposit.skip);
        if entry.stage == Stage::Arriving {
            if entry.source != Some(link) {
                // An author that was started anew has sealed anew: the pieces do not fit.
                entry.have = Units::NONE;
                entry.source = Some(link);
            }
            if entry.body.len() != total {
                return Taken::Close(crate::wire::CloseReason::Malformed);
            }
            self.pool.write(&mut entry.body, run.offset(), deposit.piece);
            entry.have.insert(run);
            self.entry_timers.set(id.slot(), Some(self.state.now + PATIENCE));
            if entry.have == Units::all(total) {
                entry.stage = Stage::Waiting;
            }
        }
        self.take_next(pair_id);
        Taken::Done
    }

    fn may_deposit(&self, author: Account, to: Recipient) -> Result<(), EntryRefusal> {
        match to {
            Recipient::Account(to) if to == author || !self.takes_mail(to) => {
                Err(EntryRefusal::NoRecipient)
            }
            Recipient::Account(_) => Ok(()),
            Recipient::Room(room) => {
                self.rooms.by_number(room).map(|_| ()).ok_or(EntryRefusal::NoRecipient)
            }
        }
    }

    /// An account that can be written to: it is there, and not banned.
    fn takes_mail(&self, to: Account) -> bool {
        self.accounts.get(to).is_some_and(|row| row.sentence == Sentence::None)
    }

    /// The longest text taken, in bytes: no longer than there is room to save.
    pub(super) fn text_limit(&self) -> u32 {
        let room = self.work.len().saturating_sub(record_bound(MAIL_OVERHEAD + BODY_HEADER));
        self.state.config.text.min(room as u32)
    }

    /// An author asks how its deposits are doing.
    pub(super) fn inquire(&mut self, link: Id<ServerLink>, inquire: Inquire) -> Taken {
        let Some(author) = self.author(link) else { return Taken::NoRoom };
        let known = match inquire.to {
            Recipient::Account(to) => self.accounts.get(to).is_some(),
            Recipient::Room(room) => self.rooms.by_number(room).is_some(),
        };
        if !known {
            return Taken::Done;
        }
        let Some(pair) = self.pair(author, inquire.to) else { return Taken::NoRoom };
        self.owe_progress(pair);
        Taken::Done
    }

    /// The pair's record came from the store.
    pub(super) fn pair_loaded(&mut self, id: Id<Pair>, record: crate::record::PairRecord) {
        let Some(key) = self.pairs.get(id).map(|pair| self.recipient_key(pair.recipient)) else {
            return;
        };
        let mut record = record;
        if record.key != key {
            // What is sealed to the key before nobody can read: it is not saved any more.
            (record.key, record.stored) = (key, Number(0));
        }
        let Some(pair) = self.pairs.get_mut(id) else { return };
        pair.loaded = true;
        pair.record.key = key;
        let now = &mut pair.record;
        if record.epoch > now.epoch {
            *now = record;
        } else if record.epoch == now.epoch {
            now.stored = now.stored.max(record.stored);
            if record.delivered > now.delivered {
                (now.delivered, now.receipt) = (record.delivered, record.receipt);
            }
            if now.expired.1 < record.expired.1 {
                now.expired = record.expired;
            }
        }
        pair.taken = pair.taken.max(Position::new(pair.record.epoch, pair.safe()));
        if pair.dirty {
            self.save_pair(id);
        }
        self.owe_progress(id);
        self.take_next(id);
    }

    /// The number of the key that a recipient has now; 0 for a room.
    fn recipient_key(&self, recipient: Recipient) -> u32 {
        match recipient {
            Recipient::Account(to) => self.accounts.get(to).map_or(0, |row| row.key_number),
            Recipient::Room(_) => 0,
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
            (pair.record.key, pair.record.stored) = (key, Number(0));
            pair.taken = Position::new(pair.record.epoch, pair.safe());
            self.save_pair(id);
            self.owe_progress(id);
        }
    }

    /// An account has another key: those who are being sent its mail are to be told of the
    /// one that it was written with.
    pub(super) fn renew_entries(&mut self, account: Account) {
        for slot in 0..self.entries.capacity() as u32 {
            let Some(id) = self.entries.id_at(slot) else { continue };
            let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.from == account) else {
                continue;
            };
            let Recipient::Account(to) = entry.to else { continue };
            let link = self.accounts.get(to).and_then(|row| row.link);
            if !entry.queued.is_linked() {
                continue;
            }
            entry.former = true;
            if let Some((link, found)) = link.and_then(|l| Some((l, self.links.get_mut(l)?))) {
                found.role.sending.push_back(&mut self.entries, id);
                self.links.wake(link);
            }
        }
    }

    pub(super) fn handle_entry_timeout(&mut self, id: Id<Entry>) {
        match self.entries.get(id).map(|entry| entry.stage) {
            Some(Stage::Relaying) => self.store(id),
            Some(Stage::Storing) => self.unanswered(id),
            Some(Stage::Arriving | Stage::Waiting) => self.free_entry(id),
            Some(Stage::Stored | Stage::Delivered | Stage::Refused(_)) | None => {}
        }
    }

    /// Asks the store to save an entry. It keeps its place in the queue of a
    /// recipient that is online.
    pub(super) fn store(&mut self, id: Id<Entry>) {
        let index = self.state.index + 1;
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.stage = Stage::Storing;
        entry.ask = Ask::Owed;
        if entry.index == 0 {
            entry.index = index;
            self.state.index = index;
        }
        let behind = (!entry.queued.is_linked()).then_some((entry.to, entry.index));
        self.state.asking_entries.push_back(&mut self.entries, id);
        self.entry_timers.set(id.slot(), Some(self.state.now + STORE));
        if let Some((to, index)) = behind {
            self.fall_behind(to, index);
        }
    }

    /// The store has not answered in time, and may yet do what it was asked.
    fn unanswered(&mut self, id: Id<Entry>) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        // To call it refused might be untrue. Its author, told nothing, sends it again.
        entry.ventured = true;
        let position = entry.position;
        if let Some(pair) = entry.pair.and_then(|pair| self.pairs.get_mut(pair)) {
            pair.ventured = pair.ventured.max(position);
        }
        self.saved(id, false);
    }

    /// The store has an entry, or could not take it.
    pub(super) fn saved(&mut self, id: Id<Entry>, saved: bool) {
        let now = self.state.now;
        let Some(entry) = self.entries.get_mut(id) else { return };
        let (stage, queued) = (entry.stage, entry.queued.is_linked());
        let (to, position, index, pair) = (entry.to, entry.position, entry.index, entry.pair);
        entry.ask = Ask::Idle;
        self.entry_timers.set(id.slot(), None);
        if let Recipient::Room(room) = to {
            self.appended(id, room, saved);
            return;
        }
        match (stage, saved) {
            (Stage::Delivered, _) => {
                self.free_entry(id);
                if saved {
                    self.handed_over(to, index);
                }
            }
            (_, true) => {
                if let Some(pair) = pair {
                    self.unlist(id);
                    if let Some(pair) = self.pairs.get_mut(pair)
                        && pair.record.epoch == position.epoch
                    {
                        pair.online = false;
                    }
                    self.settle_stored(pair);
                    self.owe_progress(pair);
                }
                if queued {
                    if let Some(entry) = self.entries.get_mut(id) {
                        entry.stage = Stage::Stored;
                    }
                } else {
                    self.free_entry(id);
                    self.more_mail(to, index);
                }
            }
            (_, false) => {
                self.tell(Event::StoreFailed);
                if queued {
                    // Its recipient may still take it.
                    if let Some(entry) = self.entries.get_mut(id) {
                        entry.stage = Stage::Relaying;
                    }
                    self.entry_timers.set(id.slot(), Some(now + self.state.config.relay));
                } else if self.entries.get(id).is_some_and(|entry| entry.ventured) {
                    // To call it refused might be untrue. Its author, told nothing, sends it again.
                    self.forget_taken(id);
                    self.free_entry(id);
                } else {
                    self.refuse(id, EntryRefusal::Store);
                }
            }
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
        if upto.epoch == pair.record.epoch {
            pair.record.stored = pair.record.stored.max(upto.number);
        }
    }

    /// Gives an entry's memory back, and the credit it was sent on.
    pub(super) fn free_entry(&mut self, id: Id<Entry>) {
        self.unlist(id);
        self.free_body(id);
        self.state.asking_entries.remove(&mut self.entries, id);
        self.entry_timers.set(id.slot(), None);
        if let Some(pair_id) = self.entries.remove(id).and_then(|entry| entry.pair) {
            if let Some(pair) = self.pairs.get_mut(pair_id) {
                pair.uses -= 1;
            }
            self.consider_unused(pair_id);
        }
    }

    /// Gives an entry's body back to the pool.
    fn free_body(&mut self, id: Id<Entry>) {
        self.release(id);
        let Some(entry) = self.entries.get_mut(id) else { return };
        self.pool.free(core::mem::replace(&mut entry.body, Body::EMPTY));
    }

    /// Gives the length of an entry's body to its author as credit.
    pub(super) fn release(&mut self, id: Id<Entry>) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let (source, length) = (entry.source.take(), entry.body.len());
        if let Some((source, link)) = source.and_then(|id| Some((id, self.links.get_mut(id)?))) {
            link.credit.release(length);
            if link.credit.is_owed() {
                self.links.wake(source);
            }
        }
    }

    /// Takes an entry out of its pair's list of what is neither durable nor delivered.
    pub(super) fn unlist(&mut self, id: Id<Entry>) {
        let Some(entry) = self.entries.get(id).filter(|entry| entry.of_pair.is_linked()) else {
            return;
        };
        if let Some(pair) = entry.pair.and_then(|pair| self.pairs.get_mut(pair)) {
            pair.count -= 1;
            pair.entries.remove(&mut self.entries, id);
        }
    }

    /// Refusals that their author has heard of, by word in the packet `packet`, are forgotten.
    pub(super) fn free_refusals(&mut self, link: Id<ServerLink>, packet: u64) {
        while let Some(found) = self.links.get_mut(link) {
            let Some(id) = found.role.told.pop_front(&mut self.entries) else { return };
            found.role.heard = found.role.heard.max(packet);
            let pair = self.entries.get(id).and_then(|entry| entry.pair);
            if let Some(pair) = pair.and_then(|pair| self.pairs.get_mut(pair)) {
                let others =
                    pair.refused.map(|r| Refused { count: r.count.saturating_sub(1), ..r });
                pair.refused = others.filter(|refused| refused.count > 0);
            }
            self.free_entry(id);
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
                    epoch: pair.record.epoch,
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

    pub(super) fn write_refusals(
        &mut self,
        link: Id<ServerLink>,
        packet: &mut Packet<'_, ServerRole>,
    ) {
        while let Some(found) = self.links.get_mut(link) {
            let list = &mut found.role.refused;
            let Some(id) = list.front() else { return };
            if let Some(Entry { to, position, stage: Stage::Refused(reason), .. }) =
                self.entries.get(id)
            {
                let refused = EntryRefused {
                    to: *to,
                    epoch: position.epoch,
                    number: position.number,
                    reason: *reason,
                };
                if !packet.push(&Frame::EntryRefused(refused), Token::Refusal(id)) {
                    return;
                }
            }
            list.pop_front(&mut self.entries);
            found.role.said.push_back(&mut self.entries, id);
        }
    }

    /// A deposit of a pair that is neither durable nor delivered.
    fn find_entry(&self, pair: Id<Pair>, position: Position) -> Option<Id<Entry>> {
        let mut at = self.pairs.get(pair)?.entries.front();
        while let Some(id) = at {
            let entry = self.entries.get(id)?;
            if entry.position == position {
                return Some(id);
            }
            at = entry.of_pair.next();
        }
        None
    }

    fn add_entry(
        &mut self,
        link: Id<ServerLink>,
        pair_id: Id<Pair>,
        position: Position,
        deposit: &Deposit<'_>,
    ) -> Option<Id<Entry>> {
        let pair = self.pairs.get(pair_id)?;
        let early = !pair.comes_next(position, deposit.skip);
        let author = Some(pair.author).filter(|_| pair.count < PAIR_ENTRIES)?;
        if !self.make_room(deposit.total.into(), early) {
            return None;
        }
        let body = self.pool.allocate(deposit.total.into())?;
        let entry = Entry {
            skip: deposit.skip,
            source: Some(link),
            pair: Some(pair_id),
            received: self.unix(),
            by: self.accounts.get(author)?.key,
            key: deposit.key,
            ..Entry::new(author, deposit.to, position, body, Stage::Arriving)
        };
        let id = self.entries.insert(entry).ok()?;
        self.state.unused.remove(&mut self.pairs, pair_id);
        let pair = self.pairs.get_mut(pair_id)?;
        pair.entries.push_back(&mut self.entries, id);
        pair.count += 1;
        pair.uses += 1;
        self.entry_timers.set(id.slot(), Some(self.state.now + PATIENCE));
        Some(id)
    }

    /// Takes in what is next of a pair, as far as it arrived.
    fn take_next(&mut self, pair_id: Id<Pair>) {
        loop {
            let Some(pair) = self.pairs.get_mut(pair_id).filter(|pair| pair.loaded) else { return };
            let mut at = pair.entries.front();
            let next = loop {
                let Some(id) = at else { return };
                let Some(entry) = self.entries.get(id) else { return };
                if entry.stage == Stage::Waiting {
                    pair.enter(entry.position);
                    if pair.is_next(entry.position, entry.skip) {
                        break id;
                    }
                }
                at = entry.of_pair.next();
            };
            let Some(entry) = self.entries.get(next) else { return };
            pair.taken = entry.position;
            let ventured = entry.position <= pair.ventured;
            if let Some(entry) = self.entries.get_mut(next) {
                entry.ventured |= ventured;
            }
            self.route(next);
        }
    }

    /// Relays, saves or appends an entry that was just taken in.
    fn route(&mut self, id: Id<Entry>) {
        let Some(entry) = self.entries.get(id) else { return };
        if let Recipient::Room(room) = entry.to {
            self.append(id, room);
            return;
        }
        if let Recipient::Account(to) = entry.to
            && !self.takes_mail(to)
        {
            self.refuse(id, EntryRefusal::NoRecipient);
            return;
        }
        match self.open_mailbox(entry.to, entry.body.len()) {
            Some(link) => {
                let pair = entry.pair;
                self.relay(id, link);
                if let Some(pair_id) = pair {
                    if let Some(pair) = self.pairs.get_mut(pair_id) {
                        pair.online = true;
                        pair.ventured = pair.ventured.max(pair.taken);
                    }
                    self.owe_progress(pair_id);
                }
                // The author learns where the recipient is now.
                if self.state.push_at.is_some() {
                    self.push_roster();
                }
            }
            None => self.store(id),
        }
    }

    /// An entry is not taken after all. Its author is told if it is there; if not, it
    /// will send the entry again and be told then.
    pub(super) fn refuse(&mut self, id: Id<Entry>, reason: EntryRefusal) {
        self.forget_taken(id);
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.stage = Stage::Refused(reason);
        let (author, position, pair) = (entry.from, entry.position, entry.pair);
        self.unlist(id);
        self.free_body(id);
        let link = self.accounts.get(author).and_then(|row| row.link);
        let link = link.filter(|link| self.author(*link).is_some());
        self.note_refused(pair, position, link);
        self.owe_refusal(id, author);
    }

    /// An entry could not be saved: it and those after it of the same pair count as not
    /// taken in, or they would get ahead of it. Their author sends them again.
    fn forget_taken(&mut self, id: Id<Entry>) {
        let Some(entry) = self.entries.get(id) else { return };
        let (position, Some(pair_id)) = (entry.position, entry.pair) else { return };
        let Some(pair) = self.pairs.get_mut(pair_id) else { return };
        if pair.taken.epoch == position.epoch && pair.taken.number >= position.number {
            pair.taken.number.0 = position.number.0.saturating_sub(1);
        }
        let mut at = pair.entries.front();
        while let Some(later) = at {
            let Some(entry) = self.entries.get(later) else { return };
            at = entry.of_pair.next();
            if entry.position > position && !entry.queued.is_linked() {
                self.free_entry(later);
            }
        }
    }

    /// Until its author has heard of it, no late piece of a refused deposit is taken for
    /// another try.
    fn note_refused(
        &mut self,
        pair: Option<Id<Pair>>,
        position: Position,
        link: Option<Id<ServerLink>>,
    ) {
        let Some(pair) = pair.and_then(|pair| self.pairs.get_mut(pair)) else { return };
        let before = pair.refused.filter(|refused| Some(refused.by) == link);
        pair.refused = link.map(|by| Refused {
            upto: before.map_or(position, |refused| refused.upto.max(position)),
            by,
            count: before.map_or(0, |refused| refused.count).saturating_add(1),
        });
    }

    /// A deposit that is refused before any of it is kept.
    fn refuse_of(
        &mut self,
        link: Id<ServerLink>,
        pair: Option<Id<Pair>>,
        deposit: &Deposit<'_>,
        reason: EntryRefusal,
    ) -> Taken {
        let Some(author) = self.author(link) else { return Taken::NoRoom };
        let position = Position::new(deposit.epoch, deposit.number);
        let refused = self.links.get(link).map(|link| link.role.refused);
        let last = refused.and_then(|refused| refused.back(&mut self.entries));
        let told = last.and_then(|id| self.entries.get(id));
        if told.is_some_and(|entry| (entry.to, entry.position) == (deposit.to, position)) {
            return Taken::Done;
        }
        let stage = Stage::Refused(reason);
        let entry = Entry { pair, ..Entry::new(author, deposit.to, position, Body::EMPTY, stage) };
        let Ok(id) = self.entries.insert(entry) else { return Taken::NoRoom };
        if let Some((id, pair)) = pair.and_then(|id| Some((id, self.pairs.get_mut(id)?))) {
            pair.uses += 1;
            self.state.unused.remove(&mut self.pairs, id);
        }
        self.note_refused(pair, position, Some(link));
        self.return_credit(link, deposit);
        self.owe_refusal(id, author);
        Taken::Done
    }

    /// Nothing of a deposit is kept: the credit it was sent on is free again.
    fn return_credit(&mut self, link: Id<ServerLink>, deposit: &Deposit<'_>) {
        if let Some(found) = self.links.get_mut(link).filter(|_| deposit.offset == 0) {
            found.credit.release(deposit.total.into());
            self.links.wake(link);
        }
    }

    fn owe_refusal(&mut self, id: Id<Entry>, author: Account) {
        let link = self.accounts.get(author).and_then(|row| row.link);
        match link.and_then(|link| self.links.get_mut(link)) {
            Some(found) if found.role.registration.online().is_some() => {
                found.role.refused.push_back(&mut self.entries, id);
                if let Some(link) = link {
                    self.links.wake(link);
                }
            }
            _ => self.free_entry(id),
        }
    }
}

impl Entry {
    /// With nothing but its name and body.
    pub(super) fn new(
        from: Account,
        to: Recipient,
        position: Position,
        body: Body,
        stage: Stage,
    ) -> Self {
        Self {
            from,
            to,
            author: None,
            position,
            by: PublicKey([0; 32]),
            key: 0,
            former: false,
            skip: 0,
            body,
            stage,
            have: Units::NONE,
            todo: Units::NONE,
            credited: false,
            index: 0,
            previous: 0,
            bytes: 0,
            told: false,
            ventured: false,
            received: crate::time::UnixTime(0),
            source: None,
            pair: None,
            ask: Ask::Idle,
            asking: Node::UNLINKED,
            of_pair: Node::UNLINKED,
            queued: Node::UNLINKED,
            sending: Node::UNLINKED,
        }
    }
}
