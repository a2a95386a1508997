//! What the server asks its host, and what it does with the answers.

use core::time::Duration;

use crate::{
    action::{Action, Ask, Loaded, Log, Ticket},
    id::Account,
    record::{self, AccountRecord, MailRecord, PairRecord},
    storage::{Body, Id},
    time::Instant,
    wire::Presence,
};

use super::{
    Event, ServerLink,
    accounts::Row,
    engine::Engine,
    entry::{Entry, Pair},
};

/// Who asked: the part of a ticket that says which table its slot is in.
mod asker {
    pub(super) const SAVE: u8 = 1;
    pub(super) const LOAD: u8 = 2;
    pub(super) const FORGET: u8 = 3;
    pub(super) const ENTRY: u8 = 4;
    pub(super) const PAIR: u8 = 5;
    pub(super) const READING: u8 = 6;
}

/// How long to wait before the store is asked again for what it failed to read.
const AGAIN: Duration = Duration::from_secs(1);

/// The shortest and the longest pause between two looks for expired mail.
const SWEEP: (Duration, Duration) = (Duration::from_millis(100), Duration::from_hours(1));

/// A reading of the store from one end to the other: first of the accounts, then,
/// over and over, of the first entry of each mailbox, for those that expired.
#[derive(Debug)]
pub(super) struct Reading {
    what: What,
    ask: Ask,
    again: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Accounts {
        from: u64,
    },
    Mail {
        of: Account,
    },
    /// An expired entry is being forgotten.
    Expired {
        of: Account,
        upto: u64,
    },
}

impl Reading {
    /// Of the accounts, from the first.
    pub(super) fn start() -> Self {
        Self { what: What::Accounts { from: 1 }, ask: Ask::Owed, again: None }
    }

    /// The accounts are read.
    pub(super) fn is_done(&self) -> bool {
        !matches!(self.what, What::Accounts { .. })
    }

    pub(super) fn is_owed(&self) -> bool {
        self.ask == Ask::Owed
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.again
    }
}

impl Engine<'_> {
    /// The next request to the host.
    pub(super) fn next_request<E>(&mut self) -> Option<Action<'static, E>> {
        if let Some(pair) = self.state.asking_pairs.pop_front(&mut self.pairs) {
            return self.request_pair(pair);
        }
        if let Some(entry) = self.state.asking_entries.pop_front(&mut self.entries) {
            return self.request_entry(entry);
        }
        while let Some(link) = self.state.asking_links.front() {
            if let Some(request) = self.request_link(link) {
                return Some(request);
            }
            self.state.asking_links.pop_front(&mut self.links.links);
        }
        (self.state.reading.ask == Ask::Owed).then(|| self.request_reading())
    }

    pub(super) fn handle_stored(&mut self, ticket: Ticket, stored: bool) {
        let Ticket { asker, slot, serial } = ticket;
        match asker {
            asker::SAVE | asker::FORGET => {
                let Some(link) = self.links.links.id_at(slot) else { return };
                let Some(member) = self.member(link) else { return };
                if asker == asker::SAVE && member.save.answer(serial) {
                    self.account_saved(link, stored);
                } else if asker == asker::FORGET {
                    // What is not forgotten comes again, and is recognised.
                    member.forget.answer(serial);
                }
            }
            asker::ENTRY => {
                let entry = self.entries.id_at(slot);
                let answered = |entry: &mut Entry| entry.ask.answer(serial);
                if let Some(id) = entry
                    && self.entries.get_mut(id).is_some_and(answered)
                {
                    self.saved(id, stored);
                }
            }
            asker::PAIR => {
                let Some(id) = self.pairs.id_at(slot) else { return };
                let Some(pair) = self.pairs.get_mut(id) else { return };
                if pair.ask.answer(serial) {
                    if !stored {
                        pair.dirty = true;
                        self.pair_failed(id);
                    } else if pair.dirty {
                        self.save_pair(id);
                    }
                    self.consider_unused(id);
                }
            }
            asker::READING if self.state.reading.ask.answer(serial) => {
                if let What::Expired { of, .. } = self.state.reading.what {
                    self.state.reading.what = What::Mail { of };
                    self.state.reading.ask = Ask::Owed;
                }
            }
            _ => {}
        }
    }

    pub(super) fn handle_loaded(&mut self, ticket: Ticket, loaded: Option<Loaded<'_>>) {
        let Ticket { asker, slot, serial } = ticket;
        match asker {
            asker::LOAD => {
                let Some(link) = self.links.links.id_at(slot) else { return };
                if self.member(link).is_some_and(|member| member.load.answer(serial)) {
                    self.mail_loaded(link, loaded);
                }
            }
            asker::PAIR => {
                let Some(id) = self.pairs.id_at(slot) else { return };
                let Some(pair) = self.pairs.get_mut(id) else { return };
                if !pair.ask.answer(serial) {
                    return;
                }
                let number = u64::from(pair.recipient.0) + 1;
                match loaded {
                    None => self.pair_unread(id),
                    Some(Loaded { record: Some((found, bytes)), .. }) if found == number => {
                        let record = record::decode::<PairRecord>(bytes);
                        if record.is_none() {
                            self.tell(Event::Damaged);
                        }
                        self.pair_loaded(id, record.map_or(PairRecord::default(), |(r, _)| r));
                    }
                    Some(_) => self.pair_loaded(id, PairRecord::default()),
                }
                self.consider_unused(id);
            }
            asker::READING if self.state.reading.ask.answer(serial) => self.read(loaded),
            _ => {}
        }
    }

    /// Goes on reading when its pause is over.
    pub(super) fn read_on(&mut self) {
        let reading = &mut self.state.reading;
        if reading.again.is_some_and(|at| at <= self.state.now) {
            reading.again = None;
            reading.ask = Ask::Owed;
        }
    }

    fn request_pair<E>(&mut self, id: Id<Pair>) -> Option<Action<'static, E>> {
        let ticket = self.ticket(asker::PAIR, id.slot());
        let pair = self.pairs.get_mut(id)?;
        pair.ask = Ask::Asked(ticket.serial);
        let log = Log::Pairs(pair.author);
        let number = u64::from(pair.recipient.0) + 1;
        if !pair.loaded {
            return Some(Action::Load { ticket, log, from: number });
        }
        pair.dirty = false;
        self.state.record = record::encode(self.work, &pair.record, &self.pool, &Body::EMPTY, 0)?;
        Some(Action::Put { ticket, log, number })
    }

    fn request_entry<E>(&mut self, id: Id<Entry>) -> Option<Action<'static, E>> {
        let ticket = self.ticket(asker::ENTRY, id.slot());
        let entry = self.entries.get_mut(id)?;
        entry.ask = Ask::Asked(ticket.serial);
        let header = MailRecord {
            from: entry.from,
            epoch: entry.position.epoch,
            number: entry.position.number,
            received: entry.received,
        };
        self.state.record =
            record::encode(self.work, &header, &self.pool, &entry.body, entry.body.len())?;
        Some(Action::Put { ticket, log: Log::Mailbox(entry.to), number: entry.index })
    }

    fn request_link<E>(&mut self, id: Id<ServerLink>) -> Option<Action<'static, E>> {
        let member = &self.links.get(id)?.role;
        let account = member.registration.account()?;
        let (asker, from, upto) = if member.save == Ask::Owed {
            (asker::SAVE, 0, 0)
        } else if member.forget == Ask::Owed {
            (asker::FORGET, 0, member.mailbox.forget)
        } else if member.load == Ask::Owed {
            (asker::LOAD, member.mailbox.next, 0)
        } else {
            return None;
        };
        let ticket = self.ticket(asker, id.slot());
        let member = self.member(id)?;
        let ask = match asker {
            asker::SAVE => &mut member.save,
            asker::FORGET => &mut member.forget,
            _ => {
                member.mailbox.fell_behind = false;
                &mut member.load
            }
        };
        *ask = Ask::Asked(ticket.serial);
        let log = Log::Mailbox(account);
        Some(match asker {
            asker::FORGET => Action::Forget { ticket, log, upto },
            asker::LOAD => Action::Load { ticket, log, from },
            _ => {
                let row = self.accounts.get(account)?;
                let header = AccountRecord {
                    key: row.key,
                    nick: row.nick,
                    epoch: row.epoch,
                    boot: row.boot,
                };
                self.state.record =
                    record::encode(self.work, &header, &self.pool, &Body::EMPTY, 0)?;
                Action::Put { ticket, log: Log::Accounts, number: u64::from(account.0) + 1 }
            }
        })
    }

    fn request_reading<E>(&mut self) -> Action<'static, E> {
        let ticket = self.ticket(asker::READING, 0);
        self.state.reading.ask = Ask::Asked(ticket.serial);
        match self.state.reading.what {
            What::Accounts { from } => Action::Load { ticket, log: Log::Accounts, from },
            What::Mail { of } => Action::Load { ticket, log: Log::Mailbox(of), from: 0 },
            What::Expired { of, upto } => Action::Forget { ticket, log: Log::Mailbox(of), upto },
        }
    }

    fn ticket(&mut self, asker: u8, slot: u32) -> Ticket {
        self.state.serial = self.state.serial.wrapping_add(1);
        Ticket { asker, slot, serial: self.state.serial }
    }

    fn read(&mut self, loaded: Option<Loaded<'_>>) {
        let Some(Loaded { record, .. }) = loaded else {
            self.tell(Event::StoreFailed);
            self.state.reading.again = Some(self.state.now + AGAIN);
            return;
        };
        match (self.state.reading.what, record) {
            (What::Accounts { .. }, Some((number, bytes))) => {
                self.read_account(number, bytes);
                self.state.reading.what = What::Accounts { from: number + 1 };
                self.state.reading.ask = Ask::Owed;
            }
            (What::Accounts { .. }, None) => {
                self.tell(Event::Ready);
                self.sweep_later(Account(0));
            }
            (What::Mail { of }, Some((index, bytes))) => {
                // Those who are online are read to by their own cursor.
                let offline = self.accounts.get(of).is_some_and(|row| row.link.is_none());
                match record::decode::<MailRecord>(bytes) {
                    Some((mail, _)) if offline && self.is_expired(mail.received) => {
                        if self.expire(of, &mail) {
                            self.state.reading.what = What::Expired { of, upto: index };
                            self.state.reading.ask = Ask::Owed;
                        } else {
                            self.state.reading.again = Some(self.state.now + AGAIN);
                        }
                    }
                    _ => self.sweep_later(Account(of.0 + 1)),
                }
            }
            (What::Mail { of }, None) => self.sweep_later(Account(of.0 + 1)),
            (What::Expired { .. }, _) => {}
        }
    }

    fn read_account(&mut self, number: u64, bytes: &[u8]) {
        let account = number.checked_sub(1).and_then(|n| u32::try_from(n).ok()).map(Account);
        let decoded = record::decode::<AccountRecord>(bytes);
        let (Some(account), Some((record, _))) = (account, decoded) else {
            self.tell(Event::Damaged);
            return;
        };
        let taken = self.accounts.by_nick(&record.nick).is_some()
            || self.accounts.by_key(&record.key).is_some();
        let row = Row {
            key: record.key,
            nick: record.nick,
            epoch: record.epoch,
            boot: record.boot,
            presence: Presence::Offline,
            link: None,
            seen: crate::time::UnixTime(0),
            durable: true,
            ventured: false,
        };
        if taken || self.accounts.put(account, row).is_none() {
            self.tell(Event::Damaged);
            return;
        }
        self.change(account);
    }

    /// Looks for expired mail again after a pause, in the mailbox `of`.
    fn sweep_later(&mut self, of: Account) {
        let count = self.accounts.count();
        let of = if of.0 < count { of } else { Account(0) };
        self.state.reading.what = What::Mail { of };
        let pause = self.state.config.mail / (count + 1) / 8;
        self.state.reading.again = Some(self.state.now + pause.clamp(SWEEP.0, SWEEP.1));
    }

    /// The store failed to say how far a pair is: the first of its deposits is refused, and
    /// it is asked again.
    fn pair_unread(&mut self, id: Id<Pair>) {
        self.tell(Event::StoreFailed);
        if let Some(first) = self.pairs.get(id).and_then(|pair| pair.entries.front()) {
            self.refuse(first, crate::wire::EntryRefusal::Store);
        }
        self.pair_failed(id);
    }
}
