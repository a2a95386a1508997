//! What each author has submitted to each recipient, in order: what is missing, what is whole, and
//! up to where the author is told that it is safe.

use core::time::Duration;

use crate::{
    id::{Account, Position, Recipient},
    link::{Packet, Piece, Units},
    storage::Id,
    wire::{DeliveryStatus, Frame, MailAck, Submit, SubmitRefusal},
};

use super::{
    super::{
        accounts::Accounts,
        ctx::Ctx,
        event::Event,
        role::{SentFrame, ServerLink, ServerRole},
    },
    author::Author,
    entry::{Entry, Kind, Stage},
    pair::Pair,
    pairs::{Loaded, Pairs},
    submitted::Submitted,
};

/// Submissions of one pair that may be under way at a time.
const PAIR_ENTRIES: u16 = 256;

/// How long a submission waits for its missing pieces or predecessors. Its author,
/// told nothing, sends it again.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest pause between two looks at what comes too early. With each, its author is told where
/// it stands, or it would send its submissions again.
const LOOK: Duration = Duration::from_secs(2);

/// What authors have submitted.
#[derive(Debug)]
pub(crate) struct Submissions<'a> {
    pub(crate) pairs: Pairs<'a>,
}

/// How a submission that came in is known already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Not at all.
    New,
    /// It was sent before its author went on to another epoch.
    Superseded,
    /// It was taken in, whatever became of it.
    Taken,
    /// It may have been sent before its author heard that it is not taken.
    Late,
    /// Some of it is in memory.
    InMemory(Id<Entry>, Stage),
}

impl Submissions<'_> {
    /// How the server knows what comes under `position` in the packet `packet`.
    pub(crate) fn know(
        &self,
        cx: &Ctx<'_>,
        link: Id<ServerLink>,
        packet: u64,
        id: Id<Pair>,
        position: Position,
    ) -> Known {
        let Some(pair) = self.pairs.get(id) else { return Known::New };
        if pair.loaded && position.epoch < pair.epoch() {
            return Known::Superseded;
        }
        let taken = position.epoch == pair.epoch() && position.number <= pair.taken.number;
        if pair.loaded && taken {
            return Known::Taken;
        }
        if let Some((id, entry)) = self.find(cx, id, position) {
            return Known::InMemory(id, entry.stage);
        }
        let is_late =
            |link: &ServerLink| link.role.author.is_late(pair.recipient, position, packet);
        if cx.links.get(link).is_some_and(is_late) { Known::Late } else { Known::New }
    }

    /// Makes room for a submission of which a piece came; `None` if there is none.
    pub(crate) fn add(
        &mut self,
        cx: &mut Ctx<'_>,
        (link, pair_id): (Id<ServerLink>, Id<Pair>),
        submit: &Submit<'_>,
        kind: Kind,
        behind_readers: bool,
    ) -> Option<Id<Entry>> {
        let pair = self.pairs.get(pair_id)?;
        let position = Position::new(submit.epoch, submit.number);
        let early = !pair.comes_next(position, submit.skip);
        let limit = PAIR_ENTRIES - u16::from(early);
        let author = Some(pair.author).filter(|_| pair.count < limit)?;
        let bytes = submit.total.into();
        let is_room = if behind_readers {
            cx.messages.is_room_behind_readers(&cx.pool, bytes)
        } else {
            cx.make_room_to_submit(bytes, early)
        };
        if !is_room {
            return None;
        }
        let body = cx.pool.allocate(bytes)?;
        let of = (author, position);
        let mut entry = Entry::new(of, submit.to, cx.unix(), body, kind, Stage::Arriving);
        entry.submitted = Submitted {
            skip: submit.skip,
            source: Some(link),
            pair: Some(pair_id),
            ..Submitted::NEW
        };
        let id = cx.messages.insert(entry)?;
        self.pairs.begin_use(pair_id);
        if let Some(pair) = self.pairs.rows.get_mut(pair_id) {
            pair.entries.push_back(cx.messages.rows(), id);
            pair.count += 1;
        }
        wait(cx, id);
        Some(id)
    }

    /// What is next of a pair, if it is whole.
    pub(crate) fn next_of(&mut self, cx: &Ctx<'_>, pair: Id<Pair>) -> Option<Id<Entry>> {
        let pair = self.pairs.rows.get_mut(pair).filter(|pair| pair.loaded)?;
        let mut at = pair.entries.front();
        while let Some((id, entry)) = at.and_then(|id| Some((id, cx.messages.get(id)?))) {
            if entry.stage == Stage::Waiting {
                pair.enter(entry.position);
                if pair.is_next(entry.position, entry.submitted.skip) {
                    return Some(id);
                }
            }
            at = entry.of_pair.next();
        }
        None
    }

    /// Whether what is next of a pair must wait, since its author said a lot in rooms lately. It
    /// is looked at again once its time is over.
    pub(crate) fn comes_early(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &mut Accounts<'_>,
        pair_id: Id<Pair>,
        next: Id<Entry>,
    ) -> bool {
        let (Some(pair), Some(entry)) =
            (self.pairs.rows.get_mut(pair_id), cx.messages.get_mut(next))
        else {
            debug_assert!(false, "a pair has entries that are there");
            return false;
        };
        pair.early = false;
        if entry.submitted.counted || matches!(entry.to, Recipient::Account(_)) {
            return false;
        }
        let bytes = entry.body.len() as u32;
        let said = accounts.said_mut(pair.author).map(|said| said.add(cx.now, cx.config, bytes));
        if let Some(Err(later)) = said {
            pair.early = true;
            cx.messages.set_timer(next, Some(later.min(cx.now + LOOK)));
            return true;
        }
        entry.submitted.counted = true;
        false
    }

    /// It is looked again whether what is next of a pair comes too early, if there is anything.
    pub(crate) fn look_again(&mut self, pair: Id<Pair>) {
        if let Some(pair) = self.pairs.rows.get_mut(pair) {
            pair.early = false;
        }
    }

    /// Takes in what is next of a pair.
    pub(crate) fn take(&mut self, cx: &mut Ctx<'_>, pair: Id<Pair>, next: Id<Entry>) {
        let (Some(pair), Some(entry)) = (self.pairs.rows.get_mut(pair), cx.messages.get_mut(next))
        else {
            debug_assert!(false, "a pair has entries that are there");
            return;
        };
        pair.taken = entry.position;
        entry.submitted.ventured |= entry.position <= pair.ventured;
    }

    /// A submission is sent to its recipient, from memory.
    pub(crate) fn relayed(&mut self, cx: &mut Ctx<'_>, accounts: &Accounts<'_>, id: Id<Entry>) {
        let Some(entry) = cx.messages.get_mut(id) else { return };
        entry.submitted.ventured = true;
        let Some(pair_id) = entry.submitted.pair else { return };
        if let Some(pair) = self.pairs.rows.get_mut(pair_id) {
            pair.online = true;
            pair.ventured = pair.ventured.max(pair.taken);
        }
        self.owe_progress(cx, accounts, pair_id);
    }

    /// The first submission of a pair that was sent to its recipient and is not being saved.
    pub(crate) fn first_relayed(&self, cx: &Ctx<'_>, pair: Id<Pair>) -> Option<Id<Entry>> {
        let mut at = self.pairs.get(pair)?.entries.front();
        while let Some(id) = at {
            let entry = cx.messages.get(id)?;
            if entry.stage == Stage::Relaying {
                return Some(id);
            }
            at = entry.of_pair.next();
        }
        None
    }

    /// The store may yet do what it was asked for a submission: that it is not taken might be
    /// untrue.
    pub(crate) fn venture(&mut self, cx: &mut Ctx<'_>, id: Id<Entry>) {
        let Some(entry) = cx.messages.get_mut(id) else { return };
        entry.submitted.ventured = true;
        let position = entry.position;
        if let Some(pair) = entry.submitted.pair.and_then(|pair| self.pairs.rows.get_mut(pair)) {
            pair.ventured = pair.ventured.max(position);
        }
    }

    /// A submission is durable in its recipient's mailbox.
    pub(crate) fn stored(&mut self, cx: &mut Ctx<'_>, accounts: &Accounts<'_>, id: Id<Entry>) {
        let Some(entry) = cx.messages.get(id) else {
            debug_assert!(false, "it was just looked up");
            return;
        };
        let (position, Some(pair_id)) = (entry.position, entry.submitted.pair) else { return };
        self.unlist(cx, id);
        if let Some(pair) = self.pairs.rows.get_mut(pair_id)
            && pair.epoch() == position.epoch
        {
            pair.online = false;
        }
        self.settle_stored(cx, pair_id);
        // After a crash, its author must not be told that less is saved than before.
        self.pairs.save(cx, pair_id);
        self.owe_progress(cx, accounts, pair_id);
    }

    /// A submission is durable in its room's log, and its author waits for nothing more.
    pub(crate) fn appended(&mut self, cx: &mut Ctx<'_>, accounts: &Accounts<'_>, id: Id<Entry>) {
        self.unlist(cx, id);
        cx.messages.release(&mut cx.links, id);
        let entry = cx.messages.get_mut(id);
        if let Some(pair) = entry.and_then(|entry| entry.submitted.pair.take()) {
            self.settle_stored(cx, pair);
            self.owe_progress(cx, accounts, pair);
            self.pairs.end_use(cx, pair);
        }
    }

    /// A message's recipient has it, durably, or cannot read it: that is to be saved before the mail is
    /// forgotten, with what the recipient says that it has.
    pub(crate) fn delivered(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &Accounts<'_>,
        id: Id<Entry>,
        ack: &MailAck,
    ) {
        let Some(entry) = cx.messages.get(id) else { return };
        let (position, stage) = (entry.position, entry.stage);
        let Some(pair_id) = entry.submitted.pair else { return };
        if let Some(pair) = self.pairs.rows.get_mut(pair_id) {
            // Of a message that was saved in an earlier run, the pair may know nothing.
            pair.enter(position);
            if pair.record.delivered < position {
                pair.record.delivered = position;
                (pair.record.received, pair.record.receipt) = (ack.received, ack.receipt);
                pair.taken = pair.taken.max(position);
                pair.online = false;
                pair.dirty = true;
            }
            // Before the mail is forgotten, whatever failed before.
            if pair.dirty {
                self.pairs.save(cx, pair_id);
            }
        }
        if stage != Stage::Storing {
            self.unlist(cx, id);
        }
        self.settle_stored(cx, pair_id);
        self.owe_progress(cx, accounts, pair_id);
    }

    /// Mail that is kept no longer: its author is told. `false` if that cannot be made
    /// durable now, ahead of the mail's being forgotten.
    pub(crate) fn expired(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &Accounts<'_>,
        (from, to): (Account, Account),
        position: Position,
    ) -> bool {
        let pair = self.pairs.open(cx, from, Recipient::Account(to));
        let Some(id) = pair.filter(|id| self.pairs.is_loaded(*id)) else { return false };
        if let Some(pair) = self.pairs.rows.get_mut(id) {
            pair.enter(position);
            pair.expire(position);
            self.pairs.save(cx, id);
        }
        self.owe_progress(cx, accounts, id);
        true
    }

    /// Takes a message that the store has into memory, as one of its pair; `None` if there is no
    /// room.
    pub(crate) fn recall(
        &mut self,
        cx: &mut Ctx<'_>,
        pair: Id<Pair>,
        mut entry: Entry,
    ) -> Option<Id<Entry>> {
        entry.submitted.pair = Some(pair);
        let id = cx.messages.insert(entry)?;
        self.pairs.begin_use(pair);
        Some(id)
    }

    /// What the store has of a pair is known, or it failed to say so.
    pub(crate) fn loaded(
        &mut self,
        cx: &mut Ctx<'_>,
        accounts: &Accounts<'_>,
        id: Id<Pair>,
        loaded: Loaded,
    ) {
        let Loaded::Known(mut record) = loaded else { return self.unread(cx, accounts, id) };
        let Some(pair) = self.pairs.rows.get_mut(id) else { return };
        let key = accounts.recipient_key(pair.recipient);
        if record.key != key {
            record.renew(key);
        }
        pair.learn(key, &record);
        if pair.dirty {
            self.pairs.save(cx, id);
        }
        self.owe_progress(cx, accounts, id);
        self.free_repeated(cx, id);
    }

    /// An account has another key: what was sealed to the one before goes back to its
    /// authors. Those who are online are told now, the others when they ask.
    pub(crate) fn renew(&mut self, cx: &mut Ctx<'_>, accounts: &Accounts<'_>, account: Account) {
        let recipient = Recipient::Account(account);
        let key = accounts.recipient_key(recipient);
        for slot in 0..self.pairs.rows.capacity() as u32 {
            let Some(id) = self.pairs.rows.id_at(slot) else { continue };
            let Some(pair) = self.pairs.rows.get_mut(id).filter(|pair| pair.recipient == recipient)
            else {
                continue;
            };
            pair.online = false;
            if let Some(session) = accounts.link(pair.author).and_then(|link| cx.session(link)) {
                session.author.reconsider(recipient);
            }
            let mut at = pair.entries.front();
            while let Some(entry_id) = at {
                let Some(entry) = cx.messages.get_mut(entry_id) else { break };
                at = entry.of_pair.next();
                if entry.stage == Stage::Storing {
                    // The store is still busy with it, and then forgets it.
                    entry.stage = Stage::Delivered;
                    self.unlist(cx, entry_id);
                } else {
                    self.free(cx, entry_id);
                }
            }
            let Some(pair) = self.pairs.rows.get_mut(id).filter(|pair| pair.loaded) else {
                continue;
            };
            pair.record.renew(key);
            pair.taken = pair.safe();
            self.pairs.save(cx, id);
            self.owe_progress(cx, accounts, id);
        }
    }

    /// The author of a pair is to be told how far its submissions are.
    pub(crate) fn owe_progress(&mut self, cx: &mut Ctx<'_>, accounts: &Accounts<'_>, id: Id<Pair>) {
        let Some(pair) = self.pairs.get(id).filter(|pair| pair.loaded) else { return };
        let Some(link) = accounts.link(pair.author) else { return };
        if let Some(session) = cx.links.get_mut(link).map(|link| &mut link.role)
            && session.seat.online().is_some()
        {
            self.pairs.is_needed(id);
            session.author.progress.push_back(&mut self.pairs.rows, id);
            cx.links.wake(link);
        }
    }

    /// Word of a pair's progress was lost: its author is told again, if it is there. Who is no
    /// longer online asks when it returns.
    pub(crate) fn progress_lost(&mut self, author: &mut Author, id: Id<Pair>) {
        // What is owed must not make room for another pair.
        self.pairs.is_needed(id);
        author.progress.push_back(&mut self.pairs.rows, id);
    }

    pub(crate) fn write_progress(
        &mut self,
        cx: &mut Ctx<'_>,
        link: Id<ServerLink>,
        packet: &mut Packet<'_, ServerRole>,
    ) {
        while let Some(found) = cx.links.get_mut(link) {
            let list = &mut found.role.author.progress;
            let Some(id) = list.front() else { return };
            if let Some(pair) = self.pairs.get(id) {
                let progress = DeliveryStatus {
                    to: pair.recipient,
                    key: pair.record.key,
                    stored: pair.record.stored,
                    received: pair.record.received,
                    expired: pair.record.expired,
                    online: pair.online,
                    receipt: pair.record.receipt,
                };
                if !packet.push(&Frame::DeliveryStatus(progress), SentFrame::DeliveryStatus(id)) {
                    return;
                }
            }
            list.pop_front(&mut self.pairs.rows);
            self.pairs.consider_unused(cx, id);
        }
    }

    /// Gives a message's memory back, and the credit it was sent on.
    pub(crate) fn free(&mut self, cx: &mut Ctx<'_>, id: Id<Entry>) {
        self.unlist(cx, id);
        cx.messages.free_body(&mut cx.links, &mut cx.pool, id);
        cx.requests.settle(cx.messages.rows(), id);
        if let Some(pair) = cx.messages.remove(&mut cx.pool, id) {
            self.pairs.end_use(cx, pair);
        }
    }

    /// Gives the credit of what an author has waiting back early, while there is plenty of
    /// memory: it may have other things to say, elsewhere.
    pub(crate) fn ease(&mut self, cx: &mut Ctx<'_>, pair: Id<Pair>) {
        let mut at = self.pairs.get(pair).and_then(|pair| pair.entries.front());
        while let Some((id, entry)) = at.and_then(|id| Some((id, cx.messages.get(id)?))) {
            at = entry.of_pair.next();
            if entry.stage == Stage::Waiting && cx.messages.is_plenty(&cx.pool, 5) {
                cx.messages.release(&mut cx.links, id);
            }
        }
    }

    /// An author is there no longer.
    pub(crate) fn leave(&mut self, cx: &mut Ctx<'_>, mut author: Author) {
        while let Some(pair) = author.progress.pop_front(&mut self.pairs.rows) {
            self.pairs.consider_unused(cx, pair);
        }
    }

    /// Takes a message out of its pair's list of what is neither durable nor delivered.
    pub(super) fn unlist(&mut self, cx: &mut Ctx<'_>, id: Id<Entry>) {
        let Some(entry) = cx.messages.get(id).filter(|entry| entry.of_pair.is_linked()) else {
            return;
        };
        if let Some(pair) = entry.submitted.pair.and_then(|pair| self.pairs.rows.get_mut(pair)) {
            pair.count -= 1;
            pair.entries.remove(cx.messages.rows(), id);
        }
    }

    /// What came before the pair was read, and turns out to have been had, gives its credit
    /// and its memory back.
    fn free_repeated(&mut self, cx: &mut Ctx<'_>, id: Id<Pair>) {
        let Some(pair) = self.pairs.get(id) else { return };
        let (taken, mut at) = (pair.taken, pair.entries.front());
        while let Some((id, entry)) = at.and_then(|id| Some((id, cx.messages.get(id)?))) {
            at = entry.of_pair.next();
            let is_arriving = matches!(entry.stage, Stage::Arriving | Stage::Waiting);
            if is_arriving && taken.covers(entry.position) {
                self.free(cx, id);
            }
        }
    }

    /// The store failed to say how far a pair is: its submissions are not taken, and
    /// it is asked again.
    fn unread(&mut self, cx: &mut Ctx<'_>, accounts: &Accounts<'_>, id: Id<Pair>) {
        cx.tell(Event::StoreFailed);
        let Some(pair) = self.pairs.get(id) else { return };
        if matches!(pair.recipient, Recipient::Room(_)) {
            // To call them refused might be untrue. Their author, told nothing, sends them again.
            while let Some(entry) = self.pairs.get(id).and_then(|pair| pair.entries.front()) {
                self.free(cx, entry);
            }
        } else if let Some(first) = pair.entries.front() {
            self.refuse(cx, accounts, first, SubmitRefusal::Store);
        }
        self.pairs.fail(cx, id);
    }

    /// Moves a pair's stored cursor up to the first message that is neither durable nor
    /// delivered: what is behind it may be saved already, and is not told.
    fn settle_stored(&mut self, cx: &Ctx<'_>, id: Id<Pair>) {
        let Some(pair) = self.pairs.rows.get_mut(id) else { return };
        let mut upto = pair.taken;
        let mut at = pair.entries.front();
        while let Some(entry) = at.and_then(|id| cx.messages.get(id)) {
            at = entry.of_pair.next();
            if matches!(entry.stage, Stage::Relaying | Stage::Storing) && entry.position <= upto {
                upto = entry.position;
                upto.number.0 = upto.number.0.saturating_sub(1);
            }
        }
        pair.store(upto);
    }

    /// A submission of a pair that is neither durable nor delivered.
    fn find<'e>(
        &self,
        cx: &'e Ctx<'_>,
        pair: Id<Pair>,
        position: Position,
    ) -> Option<(Id<Entry>, &'e Entry)> {
        let mut at = self.pairs.get(pair)?.entries.front();
        while let Some(id) = at {
            let entry = cx.messages.get(id)?;
            if entry.position == position {
                return Some((id, entry));
            }
            at = entry.of_pair.next();
        }
        None
    }
}

/// A submission waits for the rest of it, or for those before it.
pub(crate) fn wait(cx: &mut Ctx<'_>, id: Id<Entry>) {
    cx.messages.set_timer(id, Some(cx.now + PATIENCE));
}

/// Whether the pieces of a submission came by this link.
pub(crate) fn came_by(cx: &Ctx<'_>, id: Id<Entry>, link: Id<ServerLink>) -> bool {
    cx.messages.get(id).is_some_and(|entry| entry.submitted.source == Some(link))
}

/// A piece of a submission; `false` if it is a piece of another one.
pub(crate) fn put(
    cx: &mut Ctx<'_>,
    link: Id<ServerLink>,
    id: Id<Entry>,
    skip: u32,
    piece: &Piece<'_>,
    begins: bool,
) -> bool {
    let Some(entry) = cx.messages.get_mut(id) else { return true };
    // What counts before it may have changed since it was sent the last time.
    entry.submitted.skip = entry.submitted.skip.max(skip);
    if entry.stage != Stage::Arriving {
        return true;
    }
    if entry.submitted.source != Some(link) {
        // An author that was started anew has sealed anew: the pieces do not fit.
        entry.submitted.have = Units::NONE;
        entry.submitted.source = Some(link);
    }
    match piece.put(&mut cx.pool, &mut entry.body, &mut entry.submitted.have) {
        Some(true) => entry.stage = Stage::Waiting,
        Some(false) => {}
        None => return false,
    }
    // No further piece gives it more time, until it is whole and waits for others.
    if begins || entry.stage == Stage::Waiting {
        wait(cx, id);
    }
    true
}

/// The store failed at a submission: those after it of the same pair, which it was not asked
/// to save yet, are not to be saved ahead of it.
pub(crate) fn withdraw_after(cx: &mut Ctx<'_>, id: Id<Entry>) {
    let Some(mut at) = cx.messages.get(id).map(|entry| entry.of_pair.next()) else { return };
    while let Some((id, entry)) = at.and_then(|id| Some((id, cx.messages.get_mut(id)?))) {
        at = entry.of_pair.next();
        if !(entry.stage == Stage::Storing && entry.is_owed() && entry.is_queued()) {
            continue;
        }
        entry.give_up();
        entry.stage = Stage::Relaying;
        cx.requests.settle(cx.messages.rows(), id);
        cx.messages.set_timer(id, Some(cx.now + cx.config.relay));
    }
}
