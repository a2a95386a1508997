//! What the server asks its host, and what it does with the answers.

use crate::{
    host::{Ask, Log, Records, Request, Ticket},
    id::{Account, Position, Recipient, Room},
    record::{
        self, Access, AccountRecord, EntryRecord, MailRecord, MemberRecord, PairRecord,
        PlaceRecord, RoomRecord,
    },
    storage::{Body, Id},
};

use super::{
    Event, ServerLink,
    engine::Engine,
    entry::{Entry, Pair},
    member::Registration,
    room::{Membership, Queue, RoomRow, Standing},
};

/// Who asked: the part of a ticket that says which table its slot is in.
pub(super) mod asker {
    pub(in super::super) const SAVE: u8 = 1;
    pub(in super::super) const LOAD: u8 = 2;
    pub(in super::super) const FORGET: u8 = 3;
    pub(in super::super) const ENTRY: u8 = 4;
    pub(in super::super) const PAIR: u8 = 5;
    pub(in super::super) const READING: u8 = 6;
    pub(in super::super) const PLACE: u8 = 7;
    pub(in super::super) const ROOM: u8 = 8;
    pub(in super::super) const OLDEST: u8 = 9;
    pub(in super::super) const GONE: u8 = 10;
    pub(in super::super) const MEMBERSHIP: u8 = 11;
    pub(in super::super) const READER: u8 = 12;
    pub(in super::super) const HASH: u8 = 13;
    pub(in super::super) const JUDGE: u8 = 14;
    pub(in super::super) const PASSWORD: u8 = 15;
    pub(in super::super) const OPERATOR: u8 = 16;
}

/// How many records of a log are read at once: for a reader that is behind, and at the start.
pub(super) const READ_AHEAD: usize = 32;

impl Engine<'_> {
    /// The next request to the host.
    pub(super) fn next_request(&mut self) -> Option<Request> {
        if let Some(request) = self.next_password_request() {
            return Some(request);
        }
        if let Some(request) = self.next_operator_request() {
            return Some(request);
        }
        if let Some(pair) = self.state.asking_pairs.pop_front(&mut self.pairs) {
            return self.request_pair(pair);
        }
        if let Some(entry) = self.state.asking_entries.front() {
            return self.request_place_ahead(entry).or_else(|| {
                self.state.asking_entries.remove(&mut self.entries, entry);
                self.request_entry(entry)
            });
        }
        while let Some(room) = self.state.asking_rooms.front() {
            if let Some(request) = self.request_room(room) {
                return Some(request);
            }
            self.state.asking_rooms.pop_front(&mut self.rooms.slab);
        }
        while let Some(membership) = self.state.asking_members.pop_front(&mut self.rooms.members) {
            if let Some(request) = self.request_membership(membership) {
                return Some(request);
            }
        }
        while let Some(link) = self.state.asking_links.front() {
            if let Some(request) = self.request_link(link) {
                return Some(request);
            }
            self.state.asking_links.pop_front(self.links.slab_mut());
        }
        (self.state.reading.ask == Ask::Owed).then(|| self.request_reading())
    }

    pub(super) fn handle_stored(&mut self, ticket: Ticket, stored: bool) {
        let Ticket { asker, slot, serial } = ticket;
        match asker {
            asker::SAVE | asker::FORGET => {
                let Some(link) = self.links.slab_mut().id_at(slot) else { return };
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
            asker::PLACE => {
                let row = self.rooms.slab.id_at(slot).and_then(|id| self.rooms.get_mut(id));
                // What was not saved is asked for again, ahead of the next entry.
                if let Some(row) = row
                    && row.place.answer(serial)
                    && stored
                {
                    row.unplaced = None;
                }
            }
            asker::ROOM | asker::GONE => {
                let Some(id) = self.rooms.slab.id_at(slot) else { return };
                let Some(row) = self.rooms.get_mut(id) else { return };
                if asker == asker::ROOM && row.save.answer(serial) {
                    self.room_saved(id, stored);
                } else if asker == asker::GONE && row.forget.answer(serial) {
                    if stored {
                        self.trim(id);
                    } else {
                        // With the next look at the room it is asked again.
                        row.forgotten = 0;
                    }
                }
            }
            asker::MEMBERSHIP => {
                let Some(id) = self.rooms.members.id_at(slot) else { return };
                if self.rooms.members.get_mut(id).is_some_and(|m| m.ask.answer(serial)) {
                    self.membership_saved(id, stored);
                }
            }
            asker::READING if self.state.reading.ask.answer(serial) => {
                self.expired_forgotten();
            }
            asker::OPERATOR => self.operation_stored(ticket, stored),
            _ => {}
        }
    }

    pub(super) fn handle_read(&mut self, ticket: Ticket, loaded: Option<Records<'_>>) {
        let Ticket { asker, slot, serial } = ticket;
        match asker {
            asker::LOAD => {
                let Some(link) = self.links.slab_mut().id_at(slot) else { return };
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
                let (number, room) = (pair.number(), pair.recipient);
                match loaded {
                    None => self.pair_unread(id),
                    Some(loaded) if matches!(room, Recipient::Room(_)) => {
                        self.place_loaded(id, loaded);
                    }
                    Some(loaded) => {
                        let bytes = loaded.at(number);
                        let record = bytes.and_then(record::decode::<PairRecord>);
                        if bytes.is_some() && record.is_none() {
                            self.tell(Event::Damaged);
                        }
                        self.pair_loaded(id, record.map_or(PairRecord::default(), |(r, _)| r));
                    }
                }
                self.consider_unused(id);
            }
            asker::OLDEST => {
                let Some(id) = self.rooms.slab.id_at(slot) else { return };
                if self.rooms.get_mut(id).is_some_and(|row| row.look.answer(serial)) {
                    self.oldest_loaded(id, loaded);
                }
            }
            asker::READER => {
                let Some(id) = self.rooms.members.id_at(slot) else { return };
                if self.rooms.members.get_mut(id).is_some_and(|m| m.ask.answer(serial)) {
                    self.entry_loaded(id, loaded);
                }
            }
            asker::READING if self.state.reading.ask.answer(serial) => self.read(loaded),
            asker::HASH => self.hash_loaded(ticket, loaded),
            _ => {}
        }
    }

    fn request_pair(&mut self, id: Id<Pair>) -> Option<Request> {
        let ticket = self.ticket(asker::PAIR, id.slot());
        let pair = self.pairs.get_mut(id)?;
        pair.ask = Ask::Asked(ticket.serial);
        let log = Log::Pairs(pair.author);
        let number = pair.number();
        if !pair.loaded {
            return Some(Request::Read { ticket, log, from: number, most: 1 });
        }
        pair.dirty = false;
        let length = record::encode(self.work, &pair.record, &self.pool, &Body::EMPTY, 0)?;
        Some(Request::Put { ticket, log, number, length })
    }

    fn request_entry(&mut self, id: Id<Entry>) -> Option<Request> {
        let ticket = self.ticket(asker::ENTRY, id.slot());
        let entry = self.entries.get_mut(id)?;
        entry.ask = Ask::Asked(ticket.serial);
        let to = match entry.to {
            Recipient::Account(to) => to,
            Recipient::Room(room) => return self.request_append(id, ticket, room),
        };
        let header = MailRecord {
            from: entry.from,
            epoch: entry.position.epoch,
            number: entry.position.number,
            received: entry.received,
            author: entry.by,
            key: entry.key,
        };
        let length = record::encode(self.work, &header, &self.pool, &entry.body, entry.body.len())?;
        Some(Request::Put { ticket, log: Log::Mailbox(to), number: entry.index, length })
    }

    /// Ahead of an entry of a room goes where the author of the one before it is.
    fn request_place_ahead(&mut self, id: Id<Entry>) -> Option<Request> {
        let Recipient::Room(room) = self.entries.get(id)?.to else { return None };
        self.request_place(self.rooms.by_number(room)?)
    }

    fn request_place(&mut self, id: Id<RoomRow>) -> Option<Request> {
        let row = self.rooms.get(id).filter(|row| row.place == Ask::Idle)?;
        let (author, Position { epoch, number }) = row.unplaced?;
        let at = Pair::number_of(Recipient::Room(row.number));
        let ticket = self.ticket(asker::PLACE, id.slot());
        self.rooms.get_mut(id)?.place = Ask::Asked(ticket.serial);
        let header = PlaceRecord { epoch, number };
        let length = record::encode(self.work, &header, &self.pool, &Body::EMPTY, 0)?;
        Some(Request::Put { ticket, log: Log::Pairs(author), number: at, length })
    }

    fn request_append(&mut self, id: Id<Entry>, ticket: Ticket, room: Room) -> Option<Request> {
        let entry = self.entries.get(id)?;
        let header = EntryRecord {
            from: entry.from,
            nick: entry.author?,
            epoch: entry.position.epoch,
            number: entry.position.number,
            received: entry.received,
            bytes: entry.bytes,
            run: entry.run,
            previous: entry.before,
        };
        let length = record::encode(self.work, &header, &self.pool, &entry.body, entry.body.len())?;
        let (number, of) = (entry.index, (entry.from, entry.position));
        if let Some(row) = self.rooms.by_number(room).and_then(|id| self.rooms.get_mut(id)) {
            (row.unplaced, row.place) = (Some(of), Ask::Idle);
        }
        Some(Request::Put { ticket, log: Log::Room(room), number, length })
    }

    fn request_room(&mut self, id: Id<RoomRow>) -> Option<Request> {
        let row = self.rooms.get(id)?;
        let asker = match (row.save, row.look, row.forget) {
            (Ask::Owed, ..) => asker::ROOM,
            (_, Ask::Owed, _) => asker::OLDEST,
            (.., Ask::Owed) => asker::GONE,
            _ => return None,
        };
        if asker == asker::GONE && row.first > row.head {
            // Nothing would say any more whose the last entry was.
            if let Some(place) = self.request_place(id) {
                return Some(place);
            }
        }
        let ticket = self.ticket(asker, id.slot());
        let row = self.rooms.get_mut(id)?;
        let log = Log::Room(row.number);
        match asker {
            asker::OLDEST => {
                row.look = Ask::Asked(ticket.serial);
                Some(Request::Read { ticket, log, from: row.first, most: 1 })
            }
            asker::GONE => {
                row.forget = Ask::Asked(ticket.serial);
                row.forgotten = row.first - 1;
                Some(Request::Trim { ticket, log, upto: row.forgotten })
            }
            _ => {
                row.save = Ask::Asked(ticket.serial);
                let header =
                    RoomRecord { name: row.name?, creator: row.creator, serial: row.serial };
                let number = u64::from(row.number.0) + 1;
                let length = record::encode(self.work, &header, &self.pool, &Body::EMPTY, 0)?;
                Some(Request::Put { ticket, log: Log::Rooms, number, length })
            }
        }
    }

    fn request_membership(&mut self, id: Id<Membership>) -> Option<Request> {
        let membership = self.rooms.members.get_mut(id)?;
        membership.queue = Queue::None;
        let (room, reads) = (membership.room, membership.standing == Standing::Member);
        let room = self.rooms.get(room)?.number;
        let ticket = self.ticket(if reads { asker::READER } else { asker::MEMBERSHIP }, id.slot());
        let membership = self.rooms.members.get_mut(id)?;
        membership.ask = Ask::Asked(ticket.serial);
        if reads {
            let from = membership.loading;
            return Some(Request::Read { ticket, log: Log::Room(room), from, most: READ_AHEAD });
        }
        let left = membership.standing == Standing::Leaving;
        let header = MemberRecord { since: membership.since, left };
        let number = u64::from(membership.account.0) + 1;
        let length = record::encode(self.work, &header, &self.pool, &Body::EMPTY, 0)?;
        Some(Request::Put { ticket, log: Log::Members(room), number, length })
    }

    /// How far an author is in a room, as the store says or the last entry of its log.
    fn place_loaded(&mut self, id: Id<Pair>, loaded: Records<'_>) {
        let Some(pair) = self.pairs.get(id) else { return };
        let Recipient::Room(room) = pair.recipient else { return };
        let place = loaded.at(pair.number()).and_then(record::decode::<PlaceRecord>);
        let place = place.map(|(place, _)| Position::new(place.epoch, place.number));
        let row = self.rooms.by_number(room).and_then(|id| self.rooms.get(id));
        let last = row.and_then(|row| row.head_of).filter(|(author, _)| *author == pair.author);
        let stored = place.max(last.map(|(_, at)| at)).unwrap_or_default();
        self.pair_loaded(id, PairRecord { stored, ..PairRecord::default() });
    }

    fn request_link(&mut self, id: Id<ServerLink>) -> Option<Request> {
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
            asker::FORGET => Request::Trim { ticket, log, upto },
            asker::LOAD => Request::Read { ticket, log, from, most: READ_AHEAD },
            _ => {
                let found = self.links.get(id)?;
                let sets =
                    matches!(found.role.registration, Registration::Saving { sets, .. } if sets);
                let row = self.accounts.get(account)?;
                let header = AccountRecord {
                    // It may be about to become the account's.
                    key: found.peer,
                    access: if sets { Access::Password } else { row.access },
                    key_number: row.key_number.saturating_add(u32::from(row.key != found.peer)),
                    ..row.record(self.lobby_since(account))
                };
                let length = record::encode(self.work, &header, &self.pool, &Body::EMPTY, 0)?;
                Request::Put {
                    ticket,
                    log: Log::Accounts,
                    number: u64::from(account.0) + 1,
                    length,
                }
            }
        })
    }

    pub(super) fn ticket(&mut self, asker: u8, slot: u32) -> Ticket {
        self.state.serial = self.state.serial.wrapping_add(1);
        Ticket { asker, slot, serial: self.state.serial }
    }

    pub(super) fn lobby_since(&self, account: Account) -> u64 {
        let lobby = self.rooms.by_number(Room::LOBBY);
        let place = lobby.and_then(|lobby| self.rooms.member(lobby, account));
        place.and_then(|id| self.rooms.members.get(id)).map_or(0, |place| place.since)
    }

    /// The store failed to say how far a pair is: its deposits are not taken, and
    /// it is asked again.
    fn pair_unread(&mut self, id: Id<Pair>) {
        self.tell(Event::StoreFailed);
        let Some(pair) = self.pairs.get(id) else { return };
        if matches!(pair.recipient, Recipient::Room(_)) {
            // To call them refused might be untrue. Their author, told nothing, sends them again.
            while let Some(entry) = self.pairs.get(id).and_then(|pair| pair.entries.front()) {
                self.free_entry(entry);
            }
        } else if let Some(first) = pair.entries.front() {
            self.refuse(first, crate::wire::EntryRefusal::Store);
        }
        self.pair_failed(id);
    }
}
