//! Mailboxes: what waits for an account, in the store, and for those online a
//! window of it in memory, sent in order and forgotten once acknowledged.

use crate::{
    host::{Ask, Records},
    id::{Account, Position, Recipient},
    link::{Packet, Units},
    record::{self, MailRecord},
    storage::Id,
    time::UnixTime,
    wire::{Former, Frame, Mail, MailAck, RegisterRefusal},
};

use super::{
    Event, ServerLink,
    engine::{Engine, FrameOutcome, STALL},
    entry::{Entry, Stage},
    member::{Empty, Registration, ServerRole, Token},
};

/// Entries of one mailbox in memory at a time.
const WINDOW: u16 = 256;

/// Bytes of a `Mail` frame's body that are not the piece.
const MAIL_HEADER: usize = 3 * 10 + 3 * 5 + 3 * 3;

impl Engine<'_> {
    /// The link of a recipient that can be sent a new entry of `length` bytes right
    /// away: it is online, and nothing older waits for it in the store.
    pub(super) fn open_mailbox(&self, to: Recipient, length: usize) -> Option<Id<ServerLink>> {
        let Recipient::Account(to) = to else { return None };
        let id = self.accounts.get(to)?.link?;
        let link = self.links.get(id).filter(|link| link.is_live())?;
        let mailbox = &link.role.mailbox;
        let open = link.role.registration.online().is_some()
            && !mailbox.backlog
            && mailbox.queued < WINDOW
            && length <= link.credit.longest();
        open.then_some(id)
    }

    /// Sends an entry to its recipient, from memory.
    pub(super) fn relay(&mut self, id: Id<Entry>, link: Id<ServerLink>) {
        self.state.index += 1;
        let index = self.state.index;
        if let Some(entry) = self.entries.get_mut(id) {
            entry.stage = Stage::Relaying;
            entry.ventured = true;
            entry.index = index;
        }
        self.entry_timers.set(id.slot(), Some(self.state.now + self.state.config.relay));
        self.enqueue(id, link);
    }

    /// An entry goes into the store that its recipient, if online, does not have in
    /// its queue: nothing newer is relayed before it was read back.
    pub(super) fn fall_behind(&mut self, to: Recipient, index: u64) {
        let Recipient::Account(to) = to else { return };
        let Some(link) = self.accounts.get(to).and_then(|row| row.link) else { return };
        if let Some(member) = self.member(link) {
            member.mailbox.backlog = true;
            member.mailbox.fell_behind = true;
            member.mailbox.next = member.mailbox.next.min(index);
        }
    }

    /// An entry was saved that its recipient, if online, is to read back.
    pub(super) fn more_mail(&mut self, to: Recipient, index: u64) {
        let Recipient::Account(account) = to else { return };
        self.fall_behind(to, index);
        let Some(link) = self.accounts.get(account).and_then(|row| row.link) else { return };
        if self.author(link).is_some() {
            self.read_mailbox(link);
        }
    }

    /// An entry was handed over that the store has: it is forgotten once all
    /// before it were handed over too.
    pub(super) fn handed_over(&mut self, to: Recipient, index: u64) {
        let Recipient::Account(to) = to else { return };
        let Some(link) = self.accounts.get(to).and_then(|row| row.link) else { return };
        if let Some(member) = self.member(link) {
            member.mailbox.done = member.mailbox.done.max(index);
        }
        self.forget_done(link);
    }

    /// Reads on in the mailbox of a recipient that has room for more.
    pub(super) fn read_mailbox(&mut self, link: Id<ServerLink>) {
        let Some(member) = self.member(link) else { return };
        let mailbox = &member.mailbox;
        if mailbox.backlog && mailbox.queued < WINDOW && member.load == Ask::Idle {
            self.ask_link(link, |member| &mut member.load);
        }
    }

    /// What the store has of a mailbox; `None` if it failed.
    pub(super) fn mail_loaded(&mut self, link: Id<ServerLink>, loaded: Option<Records<'_>>) {
        let Some(member) = self.member(link) else { return };
        let registration = member.registration;
        let Some(account) = registration.account() else { return };
        let Some(loaded) = loaded else {
            self.tell(Event::StoreFailed);
            self.mail_unread(link);
            return;
        };
        if loaded.records.is_empty() {
            // Unless more went there since it was asked.
            member.mailbox.backlog = member.mailbox.fell_behind;
        }
        let mut records = loaded.records.iter();
        let taken = records.all(|(index, bytes)| self.take_mail(link, account, *index, bytes));
        if !taken {
            self.wait_for_room(link);
        }
        if let Registration::Looking { account, returning } = registration {
            let waiting = if loaded.records.is_empty() { 0 } else { loaded.last };
            if let Some(member) = self.member(link).filter(|_| waiting != 0) {
                member.mailbox.empty = Empty::NotYet;
            }
            self.enter(link, account, returning, waiting);
        }
        self.consider_empty(link);
        if taken {
            self.read_mailbox(link);
        }
    }

    /// The recipient has an entry, durably.
    pub(super) fn mail_acknowledged(
        &mut self,
        link: Id<ServerLink>,
        ack: &MailAck,
    ) -> FrameOutcome {
        let Some(account) = self.author(link) else { return FrameOutcome::Done };
        let mut at = self.links.get(link).and_then(|link| link.role.mailbox.queue.front());
        let id = loop {
            let Some(id) = at else { return FrameOutcome::Done };
            let Some(entry) = self.entries.get(id) else { return FrameOutcome::Done };
            if entry.index == ack.index {
                break id;
            }
            at = entry.queued.next();
        };
        let from = self.entries.get(id).map_or(account, |entry| entry.from);
        if !self.pair(from, Recipient::Account(account)).is_some_and(|pair| self.is_loaded(pair)) {
            // The mail must not be forgotten before the pair can be saved.
            return FrameOutcome::NoRoom;
        }
        let Some(member) = self.links.get_mut(link).map(|link| &mut link.role) else {
            return FrameOutcome::Done;
        };
        member.mailbox.queue.remove(&mut self.entries, id);
        member.mailbox.queued -= 1;
        member.sending.remove(&mut self.entries, id);
        let Some(entry) = self.entries.get_mut(id) else { return FrameOutcome::Done };
        let (pair, position, stage) = (entry.pair, entry.position, entry.stage);
        if let Some(pair_id) = pair {
            if let Some(pair) = self.pairs.get_mut(pair_id) {
                // Of a message that was saved in an earlier run, the pair may know nothing.
                pair.enter(position);
                if pair.record.delivered < position {
                    pair.record.delivered = position;
                    pair.record.receipt = ack.receipt;
                    pair.taken = pair.taken.max(position);
                    pair.online = false;
                    pair.dirty = true;
                }
                // Before the mail is forgotten, whatever failed before.
                if pair.dirty {
                    self.save_pair(pair_id);
                }
            }
            if stage != Stage::Storing {
                self.unlist(id);
            }
            self.settle_stored(pair_id);
            self.owe_progress(pair_id);
        }
        match stage {
            // The store is still busy with it.
            Stage::Storing => {
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.stage = Stage::Delivered;
                }
            }
            Stage::Stored => {
                self.free_entry(id);
                self.handed_over(Recipient::Account(account), ack.index);
            }
            _ => self.free_entry(id),
        }
        self.forget_done(link);
        self.read_mailbox(link);
        self.consider_empty(link);
        FrameOutcome::Done
    }

    pub(super) fn write_mail(&mut self, link: Id<ServerLink>, packet: &mut Packet<'_, ServerRole>) {
        let Some(member) = self.member(link) else { return };
        if member.mailbox.empty == Empty::Owed
            && packet.push(&Frame::MailboxEmpty(()), Token::Empty)
        {
            member.mailbox.empty = Empty::Known;
        }
        while let Some(found) = self.links.get_mut(link) {
            let Some(id) = found.role.sending.front() else { return };
            let Some(entry) = self.entries.get_mut(id) else { return };
            if self.versions.get(entry.from.0) > found.role.reader.base {
                // Its reader cannot take it in before it knows who wrote it.
                return;
            }
            if entry.former {
                // One such entry at a time, so that its reader keeps one such key at a time.
                if found.role.mailbox.queue.front() != Some(id) {
                    return;
                }
                let Some(row) = self.accounts.known(entry.from) else { return };
                let former = Former { account: entry.from, key: entry.by, nick: row.nick };
                if !packet.push(&Frame::Former(former), Token::Former(id)) {
                    return;
                }
                entry.former = false;
            }
            let total = entry.body.len();
            let Some(run) = packet.next_run(entry.todo, total, MAIL_HEADER) else {
                if !entry.todo.is_empty() {
                    return;
                }
                found.role.sending.pop_front(&mut self.entries);
                continue;
            };
            if !entry.credited {
                if !found.credit.spend(total) {
                    return;
                }
                entry.credited = true;
            }
            let head = &*entry;
            let frame = Mail {
                index: head.index,
                previous: head.previous,
                from: head.from,
                key: head.by.tag(),
                epoch: head.position.epoch,
                number: head.position.number,
                total: total as u16,
                offset: 0,
                piece: &[],
            };
            let body = (&self.pool, &head.body);
            let token = Token::Piece(id, run);
            let written = packet.push_piece(
                body,
                (total, run),
                |offset, piece| Frame::Mail(Mail { offset, piece, ..frame }),
                token,
            );
            if !written {
                return;
            }
            entry.todo.remove(run);
        }
    }

    /// Puts an entry at the end of what its recipient is sent in this session.
    pub(super) fn enqueue(&mut self, id: Id<Entry>, link: Id<ServerLink>) {
        let Some(found) = self.links.get_mut(link) else { return };
        let member = &mut found.role;
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.previous = core::mem::replace(&mut member.mailbox.previous, entry.index);
        entry.todo = Units::all(entry.body.len());
        // Of an account that is gone, the reader may know nothing.
        entry.former = self.accounts.get(entry.from).is_none_or(|row| row.key != entry.by);
        member.mailbox.next = entry.index + 1;
        member.mailbox.queued += 1;
        member.mailbox.queue.push_back(&mut self.entries, id);
        member.sending.push_back(&mut self.entries, id);
        self.links.wake(link);
    }

    /// Takes a record into the queue; `false` if there is no room in memory now.
    fn take_mail(
        &mut self,
        link: Id<ServerLink>,
        account: Account,
        index: u64,
        bytes: &[u8],
    ) -> bool {
        let decoded = record::decode::<MailRecord>(bytes);
        let longest = self.links.get(link).map_or(0, |link| link.credit.longest());
        let pass_over = match decoded {
            None => {
                self.tell(Event::Damaged);
                true
            }
            Some((record, sealed)) => {
                !self.is_readable(account, &record)
                    || self.is_expired(record.received)
                    || sealed.len() > longest
            }
        };
        if pass_over {
            if let Some((record, _)) = decoded
                && self.is_readable(account, &record)
                && !self.expire(account, &record)
            {
                return false;
            }
            if let Some(member) = self.member(link) {
                member.mailbox.next = index + 1;
                member.mailbox.backlog = true;
                member.mailbox.done = member.mailbox.done.max(index);
            }
            self.forget_done(link);
            return true;
        }
        let Some((record, sealed)) = decoded else { return true };
        if !self.make_room(sealed.len(), false) {
            return false;
        }
        let to = Recipient::Account(account);
        let Some(pair) = self.pair(record.from, to) else { return false };
        let Some(body) = self.pool.store(sealed) else { return false };
        let position = Position::new(record.epoch, record.number);
        let entry = Entry {
            index,
            received: record.received,
            by: record.author,
            key: record.key,
            pair: Some(pair),
            ..Entry::new(record.from, to, position, body, Stage::Stored)
        };
        let Ok(id) = self.entries.insert(entry) else { return false };
        self.state.unused.remove(&mut self.pairs, pair);
        if let Some(pair) = self.pairs.get_mut(pair) {
            pair.uses += 1;
        }
        if let Some(member) = self.member(link) {
            member.mailbox.backlog = true;
        }
        self.enqueue(id, link);
        true
    }

    /// Mail that is kept no longer: its author is told. `false` if that cannot be made
    /// durable now, ahead of the mail's being forgotten.
    pub(super) fn expire(&mut self, to: Account, record: &MailRecord) -> bool {
        let pair = self.pair(record.from, Recipient::Account(to));
        let Some(id) = pair.filter(|id| self.is_loaded(*id)) else { return false };
        if let Some(pair) = self.pairs.get_mut(id) {
            let position = Position::new(record.epoch, record.number);
            pair.enter(position);
            pair.expire(position);
            self.save_pair(id);
        }
        self.owe_progress(id);
        true
    }

    /// An entry is sealed to the key that its reader has now.
    pub(super) fn is_readable(&self, reader: Account, record: &MailRecord) -> bool {
        self.accounts.get(reader).is_some_and(|row| row.key_number == record.key)
    }

    pub(super) fn is_expired(&self, received: UnixTime) -> bool {
        self.unix().since(received) >= self.state.config.mail
    }

    /// The store forgets what was handed over, up to the first that was not.
    fn forget_done(&mut self, link: Id<ServerLink>) {
        let Some(found) = self.links.get_mut(link) else { return };
        let mailbox = &mut found.role.mailbox;
        let front = mailbox.queue.front().and_then(|id| self.entries.get(id));
        let upto = front.map_or(mailbox.next, |entry| entry.index).saturating_sub(1);
        if mailbox.done != 0 && mailbox.done <= upto {
            mailbox.forget = mailbox.done;
            mailbox.done = 0;
            // That it was handed over is durable first.
            self.ask_for_failed();
            self.ask_link(link, |member| &mut member.forget);
        }
    }

    /// The store failed: a client that was coming online is refused, one that is
    /// online waits a little.
    fn mail_unread(&mut self, link: Id<ServerLink>) {
        let registration = self.member(link).map(|member| member.registration);
        if matches!(registration, Some(Registration::Looking { .. })) {
            self.leave(link);
            self.answer(link, Registration::Refused(RegisterRefusal::Store));
        } else {
            self.stall(link);
        }
    }

    /// The mailbox was read to its end, and all of it is acknowledged.
    fn consider_empty(&mut self, link: Id<ServerLink>) {
        let Some(member) = self.member(link) else { return };
        let mailbox = &mut member.mailbox;
        if mailbox.empty == Empty::NotYet && !mailbox.backlog && mailbox.queue.is_empty() {
            mailbox.empty = Empty::Owed;
            self.links.wake(link);
        }
    }

    /// There was no room for all of what was read: the rest is read again when something of it is
    /// acknowledged, or a little later.
    fn wait_for_room(&mut self, link: Id<ServerLink>) {
        match self.member(link) {
            Some(member) if member.mailbox.queued > 0 => member.mailbox.backlog = true,
            _ => self.stall(link),
        }
    }

    fn stall(&mut self, link: Id<ServerLink>) {
        if let Some(member) = self.member(link) {
            member.mailbox.backlog = true;
        }
        self.state.stalled.push_back(self.links.slab_mut(), link);
        let at = self.state.now + STALL;
        self.state.stalled_at.get_or_insert(at);
    }
}
