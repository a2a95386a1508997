//! What the server reads of its own accord: at its start, who and what there is; then,
//! over and over, what has expired.

use core::time::Duration;

use crate::{
    host::{Ask, Log, Records, Request},
    id::{Account, MAX_INDEX, Position, Room},
    record::{self, AccountRecord, EntryRecord, MailRecord, MemberRecord, RoomRecord, Sentence},
    storage::{Body, Id, List},
    time::{Instant, UnixTime},
    wire::Presence,
};

use super::{
    Event,
    accounts::Row,
    engine::Engine,
    host::{READ_AHEAD, asker},
    passwords::Penalty,
    room::{Membership, Oldest, RoomRow, Standing},
};

/// How long to wait before the store is asked again for what it failed to read.
const AGAIN: Duration = Duration::from_secs(1);

/// The shortest and the longest pause between two looks for what expired.
const SWEEP: (Duration, Duration) = (Duration::from_millis(100), Duration::from_hours(1));

/// A reading of the store from one end to the other.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) what: What,
    pub(super) ask: Ask,
    again: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The next account.
    Accounts { from: u64 },
    /// The next room.
    Rooms { from: u64 },
    /// The beginning of a room's log.
    Beginning { of: Id<RoomRow> },
    /// The last entry of a room's log.
    End { of: Id<RoomRow> },
    /// The next member of a room.
    Members { of: Id<RoomRow>, from: u64 },
    /// The first entry of a mailbox.
    Mail { of: Account },
    /// An expired entry is being forgotten.
    Expired { of: Account, upto: u64 },
}

impl Reading {
    /// Of all there is, from the first account on.
    pub(super) fn start() -> Self {
        Self { what: What::Accounts { from: 1 }, ask: Ask::Owed, again: None }
    }

    /// All there is was read.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.what, What::Mail { .. } | What::Expired { .. })
    }

    pub(super) fn is_owed(&self) -> bool {
        self.ask == Ask::Owed
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.again
    }
}

impl Engine<'_> {
    /// Goes on reading when its pause is over.
    pub(super) fn read_on(&mut self) {
        let reading = &mut self.state.reading;
        if reading.again.is_some_and(|at| at <= self.state.now) {
            reading.again = None;
            reading.ask = Ask::Owed;
        }
    }

    pub(super) fn request_reading(&mut self) -> Request {
        let ticket = self.ticket(asker::READING, 0);
        self.state.reading.ask = Ask::Asked(ticket.serial);
        let number = |of| self.rooms.get(of).map_or(Room::LOBBY, |row| row.number);
        let (log, from) = match self.state.reading.what {
            What::Accounts { from } => (Log::Accounts, from),
            What::Rooms { from } => (Log::Rooms, from),
            What::Beginning { of } => (Log::Room(number(of)), 1),
            What::End { of } => {
                (Log::Room(number(of)), self.rooms.get(of).map_or(0, |row| row.head))
            }
            What::Members { of, from } => (Log::Members(number(of)), from),
            What::Mail { of } => (Log::Mailbox(of), 0),
            What::Expired { of, upto } => {
                return Request::Trim { ticket, log: Log::Mailbox(of), upto };
            }
        };
        let is_many =
            matches!(self.state.reading.what, What::Accounts { .. } | What::Members { .. });
        let most = if is_many { READ_AHEAD } else { 1 };
        Request::Read { ticket, log, from, most }
    }

    pub(super) fn read(&mut self, loaded: Option<Records<'_>>) {
        let from = match self.state.reading.what {
            What::Accounts { from } | What::Rooms { from } | What::Members { from, .. } => from,
            What::Beginning { .. } => 1,
            What::End { .. } | What::Mail { .. } | What::Expired { .. } => 0,
        };
        let Some(loaded) = loaded.and_then(|loaded| loaded.checked(from)) else {
            self.tell(Event::StoreFailed);
            self.state.reading.again = Some(self.state.now + AGAIN);
            return;
        };
        let (record, head) = (loaded.first(), loaded.last);
        match (self.state.reading.what, record) {
            (What::Accounts { .. }, Some(_)) => {
                for (number, bytes) in loaded.records {
                    self.read_account(*number, bytes);
                    self.read_next(What::Accounts { from: number + 1 });
                }
            }
            (What::Accounts { .. }, None) => match self.lobby() {
                Some(of) => self.read_next(What::Beginning { of }),
                None => self.read_next(What::Rooms { from: 1 }),
            },
            (What::Rooms { .. }, Some((number, bytes))) => match self.read_room(number, bytes) {
                Some(of) => self.read_next(What::Beginning { of }),
                None => self.read_next(What::Rooms { from: number + 1 }),
            },
            (What::Rooms { .. }, None) => {
                self.tell(Event::Ready);
                self.sweep_later(Account(0));
            }
            (What::Beginning { of }, record) => {
                self.read_beginning(of, record, head);
                match record {
                    Some(_) => self.read_next(What::End { of }),
                    None => self.read_next(What::Members { of, from: 1 }),
                }
            }
            (What::End { of }, record) => {
                if let (Some(row), Some((_, bytes))) = (self.rooms.get_mut(of), record)
                    && let Some((last, body)) = record::decode::<EntryRecord>(bytes)
                {
                    row.bytes = last.bytes.saturating_add(body.len() as u64);
                    let position = Position::new(last.epoch, last.number);
                    row.head_of = Some((last.from, position));
                    (row.head_run, row.asked_run) = (last.run, last.run);
                    row.unplaced = row.head_of;
                }
                self.read_next(What::Members { of, from: 1 });
            }
            (What::Members { of, .. }, Some(_)) => {
                for (number, bytes) in loaded.records {
                    self.read_member(of, *number, bytes);
                    self.read_next(What::Members { of, from: number + 1 });
                }
            }
            (What::Members { of, .. }, None) => {
                let room = self.rooms.get(of).map_or(Room::LOBBY, |row| row.number);
                self.read_next(What::Rooms { from: u64::from(room.0) + 2 });
            }
            (What::Mail { of }, Some((index, bytes))) => {
                // Those who are online are read to by their own cursor.
                let offline = self.accounts.get(of).is_some_and(|row| row.link.is_none());
                match record::decode::<MailRecord>(bytes) {
                    // Its author has it back.
                    Some((mail, _)) if offline && !self.is_readable(of, &mail) => {
                        self.read_next(What::Expired { of, upto: index });
                    }
                    Some((mail, _)) if offline && self.is_expired(mail.received) => {
                        if self.expire(of, &mail) {
                            self.read_next(What::Expired { of, upto: index });
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

    /// What was expired is forgotten by the store.
    pub(super) fn expired_forgotten(&mut self) {
        if let What::Expired { of, .. } = self.state.reading.what {
            self.read_next(What::Mail { of });
        }
    }

    fn read_next(&mut self, what: What) {
        self.state.reading.what = what;
        self.state.reading.ask = Ask::Owed;
    }

    fn read_account(&mut self, number: u64, bytes: &[u8]) {
        let account = number.checked_sub(1).and_then(|n| u32::try_from(n).ok()).map(Account);
        let decoded = record::decode::<AccountRecord>(bytes);
        let (Some(account), Some((record, _))) = (account, decoded) else {
            self.tell(Event::Damaged);
            return;
        };
        let is_gone = record.sentence == Sentence::Removed;
        let taken = !is_gone
            && (self.accounts.by_nick(&record.nick).is_some()
                || self.accounts.by_key(&record.key).is_some());
        let row = Row {
            key: record.key,
            nick: record.nick,
            epoch: record.epoch,
            run: record.run,
            presence: if is_gone { Presence::Gone } else { Presence::Offline },
            link: None,
            seen: UnixTime(0),
            away: Body::EMPTY,
            rooms: List::NEW,
            durable: true,
            ventured: false,
            access: record.access,
            sentence: record.sentence,
            key_number: record.key_number,
            penalty: Penalty::default(),
        };
        if taken || self.accounts.put(account, row).is_none() {
            self.tell(Event::Damaged);
            return;
        }
        if !is_gone && !self.admit_to_lobby(account, record.since.min(MAX_INDEX)) {
            self.tell(Event::Damaged);
        }
        self.change(account);
    }

    /// Gives an account its place in the lobby; `false` if there is no room.
    pub(super) fn admit_to_lobby(&mut self, account: Account, since: u64) -> bool {
        let Some(lobby) = self.lobby() else { return false };
        self.add_membership(Membership::new(lobby, account, since, Standing::Member)).is_some()
    }

    /// The room that everyone is in, and that is always there.
    fn lobby(&mut self) -> Option<Id<RoomRow>> {
        self.rooms.by_number(Room::LOBBY).or_else(|| {
            let lobby = RoomRow::new(Room::LOBBY, None, Account(0), 0);
            self.rooms.put(RoomRow { durable: true, ..lobby })
        })
    }

    fn read_room(&mut self, number: u64, bytes: &[u8]) -> Option<Id<RoomRow>> {
        let room = number.checked_sub(1).and_then(|n| u32::try_from(n).ok()).map(Room);
        let decoded = record::decode::<RoomRecord>(bytes);
        let added = room.zip(decoded).and_then(|(room, (record, _))| {
            if self.rooms.by_name(&record.name).is_some() {
                return None;
            }
            let row = RoomRow::new(room, Some(record.name), record.creator, record.serial);
            self.rooms.put(RoomRow { durable: true, ..row })
        });
        if added.is_none() {
            self.tell(Event::Damaged);
        }
        added
    }

    /// What a room's log keeps: `record` is its first entry, `head` the number of its last.
    fn read_beginning(&mut self, of: Id<RoomRow>, record: Option<(u64, &[u8])>, head: u64) {
        let Some(row) = self.rooms.get_mut(of) else { return };
        let last = head.min(MAX_INDEX);
        (row.head, row.asked) = (last, last);
        row.first = record.map_or(last + 1, |(index, _)| index.min(last + 1));
        row.forgotten = row.first - 1;
        if let Some((index, bytes)) = record
            && let Some((oldest, _)) = record::decode::<EntryRecord>(bytes)
        {
            row.oldest = Oldest { index, received: oldest.received, bytes: oldest.bytes };
        }
        if head > last {
            self.tell(Event::Damaged);
        }
    }

    fn read_member(&mut self, of: Id<RoomRow>, number: u64, bytes: &[u8]) {
        let account = number.checked_sub(1).and_then(|n| u32::try_from(n).ok()).map(Account);
        let decoded = record::decode::<MemberRecord>(bytes);
        let (Some(account), Some((record, _))) = (account, decoded) else {
            self.tell(Event::Damaged);
            return;
        };
        if record.left || self.accounts.get(account).is_none() {
            return;
        }
        let since = record.since.min(MAX_INDEX);
        let membership = Membership::new(of, account, since, Standing::Member);
        if self.add_membership(membership).is_none() {
            self.tell(Event::Damaged);
        }
    }

    /// Looks for what expired again after a pause, in the mailbox `of`; between the last
    /// and the first, in all rooms.
    fn sweep_later(&mut self, of: Account) {
        let count = self.accounts.count();
        let again = of.0 >= count;
        if again {
            for slot in 0..self.rooms.slab.capacity() as u32 {
                let room = self.rooms.slab.id_at(slot);
                if let Some(id) = room {
                    self.look_at_oldest(id);
                    // What the store failed to forget is asked for again.
                    self.trim(id);
                }
            }
        }
        self.state.reading.what = What::Mail { of: if again { Account(0) } else { of } };
        let pause = self.state.config.mail / (count + 1) / 8;
        self.state.reading.again = Some(self.state.now + pause.clamp(SWEEP.0, SWEEP.1));
    }
}
