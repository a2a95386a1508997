//! Deposits: what authors give the server to hand over in their stead. Each is
//! taken in its author's order, relayed at once to a recipient that is online, and
//! saved when that brings no receipt in time.

use crate::{
    host::Ask,
    id::{Account, Incarnation, Position, PublicKey, Recipient},
    link::{Piece, Units},
    record::{BODY_HEADER, Sentence, record_bound},
    role::overrun,
    session::MAIL_OVERHEAD,
    storage::{Body, Id, Node},
    violation::Violation,
    wire::{Deposit, EntryRefusal, MAX_BODY},
};

use core::time::Duration;

use super::{
    Event, ServerLink,
    engine::{Engine, FrameOutcome},
    entry::{Entry, Pair, Stage},
};

/// Deposits of one pair that may be under way at a time.
const PAIR_ENTRIES: u16 = 256;

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
    ) -> FrameOutcome {
        let Some(author) = self.author(link) else { return FrameOutcome::NoRoom };
        let position = Position::new(deposit.epoch, deposit.number);
        let least = match deposit.to {
            Recipient::Account(_) => MAIL_OVERHEAD + BODY_HEADER,
            Recipient::Room(_) => BODY_HEADER,
        };
        let bounds = least + 1..=self.longest_body();
        let piece = Piece::new(deposit.total, deposit.offset, deposit.piece);
        let piece = piece.filter(|piece| bounds.contains(&piece.total()) && position.is_sound());
        let Some(piece) = piece else {
            return FrameOutcome::Broken(Violation::BadPiece);
        };
        if let Err(reason) = self.may_deposit(author, deposit.to) {
            return self.refuse_of(link, None, deposit, reason);
        }
        if deposit.key != self.recipient_key(deposit.to) {
            return self.refuse_of(link, None, deposit, EntryRefusal::KeyChanged);
        }
        if piece.total() - least > self.text_limit() as usize {
            return self.refuse_of(link, None, deposit, EntryRefusal::TooLong);
        }
        let Some(pair_id) = self.pair(author, deposit.to) else { return FrameOutcome::NoRoom };
        let Some(pair) = self.pairs.get(pair_id) else { return FrameOutcome::NoRoom };
        if pair.loaded && position.epoch < pair.epoch() {
            return self.refuse_of(link, None, deposit, EntryRefusal::Superseded);
        }
        let taken = position.epoch == pair.epoch() && position.number <= pair.taken.number;
        if pair.loaded && taken {
            self.return_credit(link, deposit);
            self.owe_progress(pair_id);
            return FrameOutcome::Done;
        }
        let known = self.find_entry(pair_id, position);
        let unheard = pair.refused.is_some_and(|r| r.by == link && position <= r.upto);
        let heard = self.links.get(link).map_or(0, |link| link.role.heard);
        if known.is_none() && (unheard || packet < heard) {
            // It may have been sent before its author heard that it is not taken.
            self.return_credit(link, deposit);
            return FrameOutcome::Done;
        }
        if let Recipient::Room(room) = deposit.to
            && !self.may_say(author, room)
        {
            // What the log has already, or may have, is not refused when it comes again.
            let stage = known.and_then(|id| self.entries.get(id)).map(|entry| entry.stage);
            return match (known, stage) {
                _ if !self.is_loaded(pair_id) => FrameOutcome::NoRoom,
                (Some(id), Some(Stage::Arriving | Stage::Waiting)) => {
                    self.refuse(id, EntryRefusal::NotMember);
                    FrameOutcome::Done
                }
                (Some(_), _) => {
                    self.return_credit(link, deposit);
                    FrameOutcome::Done
                }
                (None, _) => self.refuse_of(link, Some(pair_id), deposit, EntryRefusal::NotMember),
            };
        }
        let source =
            known.and_then(|id| self.entries.get(id)).map(|entry| (entry.stage, entry.source));
        let begun = match source {
            None => true,
            Some((stage, source)) => stage == Stage::Arriving && source != Some(link),
        };
        let credit = self.links.get(link).map(|link| &link.credit).filter(|_| begun);
        if let Some(refused) = credit.and_then(|credit| overrun(credit, piece.total())) {
            return refused;
        }
        let Some(id) = known.or_else(|| self.add_entry(link, pair_id, position, deposit)) else {
            return FrameOutcome::NoRoom;
        };
        if let Some(found) = self.links.get_mut(link).filter(|_| begun) {
            found.credit.begin(piece.total());
        }
        if self.entries.get(id).is_some_and(|entry| entry.stage != Stage::Arriving) {
            self.return_credit(link, deposit);
        }
        let Some(entry) = self.entries.get_mut(id) else { return FrameOutcome::NoRoom };
        // What counts before it may have changed since it was sent the last time.
        entry.skip = entry.skip.max(deposit.skip);
        if entry.stage == Stage::Arriving {
            if entry.source != Some(link) {
                // An author that was started anew has sealed anew: the pieces do not fit.
                entry.have = Units::NONE;
                entry.source = Some(link);
            }
            match piece.put(&mut self.pool, &mut entry.body, &mut entry.have) {
                Some(true) => entry.stage = Stage::Waiting,
                Some(false) => {}
                None => return FrameOutcome::Broken(Violation::MixedPieces),
            }
            // No further piece gives it more time, until it is whole and waits for others.
            if begun || entry.stage == Stage::Waiting {
                self.entry_timers.set(id.slot(), Some(self.state.now + PATIENCE));
            }
        }
        self.take_next(pair_id);
        if self.is_held(pair_id) {
            self.ease(pair_id);
        }
        FrameOutcome::Done
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

    /// The longest body that may come: what was granted, and can be saved.
    pub(super) fn longest_body(&self) -> usize {
        MAX_BODY.min(self.state.config.credit as usize)
    }

    /// The longest text taken, in bytes: no longer than there is room to save.
    pub(super) fn text_limit(&self) -> u32 {
        let room = self.work.len().saturating_sub(record_bound(MAIL_OVERHEAD + BODY_HEADER));
        self.state.config.text.min(room as u32)
    }

    /// The number of the key that a recipient has now; 0 for a room.
    pub(super) fn recipient_key(&self, recipient: Recipient) -> u32 {
        match recipient {
            Recipient::Account(to) => self.accounts.get(to).map_or(0, |row| row.key_number),
            Recipient::Room(_) => 0,
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
            Some(Stage::Waiting)
                if self.entries.get(id).and_then(|e| e.pair).is_some_and(|p| self.is_held(p)) =>
            {
                self.entry_timers.set(id.slot(), Some(self.state.now + PATIENCE));
            }
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
                        && pair.epoch() == position.epoch
                    {
                        pair.online = false;
                    }
                    self.settle_stored(pair);
                    // After a crash, its author must not be told that less is saved than before.
                    self.save_pair(pair);
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
    pub(super) fn free_body(&mut self, id: Id<Entry>) {
        self.release(id);
        let Some(entry) = self.entries.get_mut(id) else { return };
        self.pool.free(core::mem::replace(&mut entry.body, Body::EMPTY));
    }

    /// Gives the length of an entry's body to its author as credit.
    pub(super) fn release(&mut self, id: Id<Entry>) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let (source, length) = (entry.source.take(), entry.body.len());
        // What is given up before its turn, or refused, may come again.
        let settled = !matches!(entry.stage, Stage::Arriving | Stage::Waiting | Stage::Refused(_));
        if let Some((source, link)) = source.and_then(|id| Some((id, self.links.get_mut(id)?))) {
            link.credit.release(length, settled);
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
        let limit = PAIR_ENTRIES - u16::from(early);
        let author = Some(pair.author).filter(|_| pair.count < limit)?;
        let bytes = deposit.total.into();
        let is_room = if self.is_waited_in(deposit.to) {
            self.has_room_to_wait(bytes)
        } else {
            self.make_room(bytes, early)
        };
        if !is_room {
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
    pub(super) fn take_next(&mut self, pair: Id<Pair>) {
        while let Some(next) = self.next_of(pair) {
            if self.holds_back(pair, next) {
                return;
            }
            self.take(pair, next);
        }
    }

    /// What is next of a pair, if it is whole.
    pub(super) fn next_of(&mut self, pair: Id<Pair>) -> Option<Id<Entry>> {
        let pair = self.pairs.get_mut(pair).filter(|pair| pair.loaded)?;
        let mut at = pair.entries.front();
        while let Some((id, entry)) = at.and_then(|id| Some((id, self.entries.get(id)?))) {
            if entry.stage == Stage::Waiting {
                pair.enter(entry.position);
                if pair.is_next(entry.position, entry.skip) {
                    return Some(id);
                }
            }
            at = entry.of_pair.next();
        }
        None
    }

    /// Takes in what is next of a pair.
    pub(super) fn take(&mut self, pair: Id<Pair>, next: Id<Entry>) {
        let (Some(pair), Some(entry)) = (self.pairs.get_mut(pair), self.entries.get_mut(next))
        else {
            return;
        };
        pair.taken = entry.position;
        entry.ventured |= entry.position <= pair.ventured;
        self.route(next);
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
            run: Incarnation::NONE,
            before: None,
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
