//! Rooms as a member sees them: entries of their logs, read in order into the inbox, and
//! what the user wishes of the server's rooms.

use crate::{
    id::{Account, Epoch, Incarnation, Number, Position, PublicKey, Recipient, Room, RunTag},
    link::{Packet, Piece},
    record::BODY_HEADER,
    session,
    storage::{Body, Id},
    violation::Violation,
    wire::{
        Away, Command, Frame, Gone, GoneReason, Joined, MAX_AWAY, Names, Outcome, Read, RoomEntry,
        RoomRefusal, Wish,
    },
};

use super::{
    ClientLink, CommandError, Event, Incoming, Peer, RoomView, To,
    conversation::{ClientRole, Token},
    engine::{Engine, FrameOutcome},
    history::{Before, Turn},
    incoming::{Said, Stage},
};

/// What the user wishes of the server's rooms.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    command: Option<Command>,
    /// It came true, and is told once the room is there.
    joins: bool,
    page: Option<Page>,
    away: heapless::String<MAX_AWAY>,
    /// Rooms that the server has this client down for, and those it has named since.
    rooms: u32,
    named: u32,
}

/// A page of names to be told.
#[derive(Debug)]
struct Page {
    wish: Wish,
    /// The names, each with a line feed behind it, and how many bytes of them were told.
    names: Body,
    told: usize,
    /// What to ask for next.
    next: Option<u32>,
}

impl Wishes {
    pub(super) fn is_owing(&self) -> bool {
        self.page.is_some()
    }
}

impl Engine<'_> {
    /// The user wishes something of the server's rooms.
    pub(super) fn wish(&mut self, wish: Wish) -> Result<(), CommandError> {
        // While the server is being reached again, it waits: `begin_rooms` tells it.
        if !self.state.home.was_online() || self.state.home.is_leaving() {
            return Err(CommandError::Offline);
        }
        if self.state.wishes.command.is_some() || self.state.wishes.page.is_some() {
            return Err(CommandError::Busy);
        }
        if To::of_join(&wish).is_some_and(|room| !self.has_place_for(&room)) {
            return Err(CommandError::Full);
        }
        self.begin_wish(wish);
        Ok(())
    }

    /// The user is away from the keyboard, or, without a text, back.
    pub(super) fn set_away(&mut self, text: &str) -> Result<(), CommandError> {
        if !self.state.home.was_online() {
            return Err(CommandError::Offline);
        }
        let text = heapless::String::try_from(text);
        self.state.wishes.away =
            text.map_err(|_| CommandError::TooLong { limit: MAX_AWAY as u32 })?;
        self.tell_server(|contact| contact.away = true);
        Ok(())
    }

    /// The server has this client down for `rooms` rooms, and names them now.
    pub(super) fn begin_rooms(&mut self, rooms: u32) {
        while self.state.joined.pop_front(&mut self.peers.slab).is_some() {}
        (self.state.wishes.rooms, self.state.wishes.named) = (rooms, 0);
        let away = !self.state.wishes.away.is_empty();
        let wishes = self.state.wishes.command.is_some();
        self.tell_server(|contact| {
            contact.away |= away;
            contact.command |= wishes;
        });
    }

    /// The user goes offline: what was wished is wished no more.
    pub(super) fn end_wishes(&mut self) {
        let wishes = core::mem::take(&mut self.state.wishes);
        if let Some(page) = wishes.page {
            self.pool.free(page.names);
        }
    }

    /// This client is a member of a room, says the packet `packet` of its server.
    pub(super) fn joined(
        &mut self,
        link: Id<ClientLink>,
        packet: u64,
        joined: &Joined,
    ) -> FrameOutcome {
        let with = match (joined.room, joined.name) {
            (Room::LOBBY, _) => To::Lobby,
            (_, Some(name)) => To::Room(name),
            (_, None) => return FrameOutcome::Broken(Violation::NamelessRoom),
        };
        if self.state.home.online().is_none() {
            // The rooms are counted from the Registered on, which is on its way.
            return FrameOutcome::NoRoom;
        }
        let Some(server) = self.links.get(link).map(|link| link.peer) else {
            return FrameOutcome::Done;
        };
        let suite = self.links.identity().suite();
        let key = session::room_key(suite, &server, joined.room, with.room_name());
        let recipient = Recipient::Room(joined.room);
        // Which finds no room here is not read.
        let Some(id) = self.room_peer(key, with) else {
            self.join_awaited(with);
            return FrameOutcome::Done;
        };
        let Some(peer) = self.peers.get_mut(id) else { return FrameOutcome::Done };
        if peer.left.is_some_and(|(by, left)| by == link && packet < left) {
            // It was one, before it left.
            return FrameOutcome::Done;
        }
        let fresh = !peer.joined.is_linked();
        peer.room = Some(joined.room);
        if peer.recipient != Some(recipient) {
            self.peers.set_recipient(id, recipient);
            self.inquire(id);
        }
        self.state.joined.push_back(&mut self.peers.slab, id);
        self.state.wishes.named += u32::from(fresh);
        self.begin_conversation(id);
        let Some(peer) = self.peers.get_mut(id) else { return FrameOutcome::Done };
        if fresh {
            peer.reader.begin(joined.since.into(), joined.last.into(), joined.run);
        }
        self.owe_read(id);
        self.pump(id);
        self.join_awaited(with);
        FrameOutcome::Done
    }

    /// The wish to be a member of a room came true, and it is told now.
    fn join_awaited(&mut self, room: To) {
        let awaited = self.state.wishes.command.and_then(|command| To::of_join(&command.wish));
        if awaited == Some(room) && core::mem::take(&mut self.state.wishes.joins) {
            self.finish_wish(Ok(()));
        }
    }

    fn has_place_for(&self, room: &To) -> bool {
        !self.peers.slab.is_full() || self.peers.by_name(room).is_some()
    }

    /// A piece of an entry of a room's log.
    pub(super) fn room_entry(
        &mut self,
        link: Id<ClientLink>,
        entry: &RoomEntry<'_>,
    ) -> FrameOutcome {
        let bounds = BODY_HEADER + 1..=self.longest_body();
        let piece = Piece::new(entry.total, entry.offset, entry.piece);
        let Some(piece) = piece.filter(|piece| bounds.contains(&piece.total())) else {
            return FrameOutcome::Broken(Violation::BadPiece);
        };
        // That this client is a member is on its way.
        let Some(id) = self.joined_room(entry.room) else {
            return FrameOutcome::NoRoom;
        };
        let early = match self.room_turn(id, entry.index.into(), entry.run, entry.previous) {
            Turn::Had | Turn::Back => return FrameOutcome::Done,
            Turn::Early => true,
            Turn::Next => false,
        };
        let position = Position::new(Epoch(0), Number(entry.index.into()));
        let known =
            self.arriving(id, |message| message.is_unfinished() && message.position == position);
        let added = || self.add_arriving(link, id, position, (entry.total, early));
        let Some(message_id) = known.or_else(added) else { return FrameOutcome::NoRoom };
        let own = entry.from == self.state.config.nick;
        let Some(message) = self.incoming.get_mut(message_id) else { return FrameOutcome::NoRoom };
        if message.said.is_some_and(|said| said.run != entry.run) {
            return FrameOutcome::Broken(Violation::MixedPieces);
        }
        message.by_server = true;
        message.said =
            Some(Said { author: entry.from, own, run: entry.run, previous: entry.previous });
        match piece.put(&mut self.pool, &mut message.body, &mut message.have) {
            Some(true) if message.stage == Stage::Arriving => message.stage = Stage::Whole,
            Some(_) => {}
            None => return FrameOutcome::Broken(Violation::MixedPieces),
        }
        self.take_in_room(id);
        FrameOutcome::Done
    }

    /// What is to be done with an entry of a room's log. Where the log is found to be another
    /// than the one that was read, what came behind the cursor comes again.
    fn room_turn(
        &mut self,
        id: Id<Peer>,
        index: u64,
        run: Incarnation,
        previous: Option<RunTag>,
    ) -> Turn {
        let Some(peer) = self.peers.get_mut(id) else { return Turn::Early };
        let before = (peer.reader.rewinds(), peer.reader.cursor());
        let turn = peer.reader.turn(index, run, Before::from_wire(previous));
        let (rewinds, cursor) = (peer.reader.rewinds(), peer.reader.cursor());
        if rewinds != before.0 {
            self.discard_arriving(id, |_| true);
            self.owe_read(id);
        } else if turn == Turn::Had {
            self.owe_read(id);
            if cursor != before.1 {
                self.discard_passed(id);
                self.take_in_room(id);
            }
        }
        turn
    }

    /// Takes in what came of a room, as far as nothing is missing before it.
    fn take_in_room(&mut self, id: Id<Peer>) {
        loop {
            let Some(next) = self.peers.get(id).map(|peer| peer.reader.cursor() + 1) else {
                return;
            };
            let whole = |message: &Incoming| {
                message.stage == Stage::Whole && message.position.number.0 == next
            };
            let Some(message_id) = self.arriving(id, whole) else { return };
            let said = self.incoming.get(message_id).and_then(|message| message.said);
            let Some(Said { run, previous, .. }) = said else { return };
            if self.room_turn(id, next, run, previous) != Turn::Next {
                return;
            }
            let Some(peer) = self.peers.get_mut(id) else { return };
            let place = peer.reader.take(next, run);
            peer.news.reset |= place.reset;
            if let Some(message) = self.incoming.get_mut(message_id) {
                message.position = place.position;
            }
            if place.begins {
                // Ahead of the entry, which is requested behind it.
                self.begin_conversation(id);
                self.save_conversation(id);
            }
            if place.reset {
                self.state.telling_peers.push_back(&mut self.peers.slab, id);
            }
            self.keep(message_id);
        }
    }

    /// Entries of a room's log were given up by the server.
    pub(super) fn gone(&mut self, gone: Gone) -> FrameOutcome {
        let upto = gone.upto.into();
        let Some(id) = self.joined_room(gone.room) else {
            return FrameOutcome::NoRoom;
        };
        let Some(peer) = self.peers.get_mut(id) else { return FrameOutcome::NoRoom };
        if upto > peer.reader.cursor() {
            let (unkept, others) = peer.reader.gone(gone.first.into(), upto);
            peer.news.gone(GoneReason::NotKept, unkept);
            peer.news.gone(gone.reason, others);
            self.state.telling_peers.push_back(&mut self.peers.slab, id);
            self.discard_passed(id);
            self.take_in_room(id);
        }
        self.owe_read(id);
        FrameOutcome::Done
    }

    /// What came of a wish, says the packet `packet` of the server.
    pub(super) fn outcome(
        &mut self,
        link: Id<ClientLink>,
        packet: u64,
        outcome: Outcome,
    ) -> FrameOutcome {
        let Some(command) = self.state.wishes.command.filter(|c| c.serial == outcome.serial) else {
            return FrameOutcome::Done;
        };
        match (command.wish, outcome.result) {
            (Wish::Join(name), Ok(()))
                if self.member_of(&To::Room(name)).is_none()
                    && self.has_place_for(&To::Room(name)) =>
            {
                self.state.wishes.joins = true;
                return FrameOutcome::Done;
            }
            (Wish::Leave(name), Ok(())) => {
                if let Some(id) = self.peers.by_name(&To::Room(name)) {
                    self.leave_room(id, (link, packet));
                }
            }
            _ => {}
        }
        self.finish_wish(outcome.result);
        FrameOutcome::Done
    }

    /// A page of the names that were wished for.
    pub(super) fn names(&mut self, names: &Names<'_>) -> FrameOutcome {
        let Some(command) = self.state.wishes.command.filter(|c| c.serial == names.serial) else {
            return FrameOutcome::Done;
        };
        let length = names.names().map(|name| name.len() + 1).sum();
        let Some(mut page) = self.pool.allocate(length) else { return FrameOutcome::NoRoom };
        let mut written = 0;
        for name in names.names() {
            self.pool.write(&mut page, written, name.as_bytes());
            self.pool.write(&mut page, written + name.len(), b"\n");
            written += name.len() + 1;
        }
        self.state.wishes.command = None;
        let (wish, next) = (command.wish, names.next);
        self.state.wishes.page = Some(Page { wish, names: page, told: 0, next });
        FrameOutcome::Done
    }

    /// The names to be told next, lent: as many of a page as there is room to lend.
    pub(super) fn names_event(&mut self) -> Option<Event> {
        let mut page = self.state.wishes.page.take()?;
        let read = self.pool.read(&page.names, page.told, self.work);
        let lines = self.work.get(..read).unwrap_or_default();
        let whole = lines.iter().rposition(|byte| *byte == b'\n').map_or(read, |at| at + 1);
        // Without the line feed at its end.
        self.state.lent = whole.saturating_sub(1);
        page.told += whole;
        let wish = page.wish;
        if whole > 0 && page.told < page.names.len() {
            self.state.wishes.page = Some(page);
            return Some(Event::Names { wish, last: false });
        }
        self.pool.free(page.names);
        if let Some(next) = page.next {
            self.begin_wish(match wish {
                Wish::Members { of, .. } => Wish::Members { of, from: Account(next) },
                _ => Wish::Rooms { from: Room(next) },
            });
        }
        Some(Event::Names { wish, last: page.next.is_none() })
    }

    /// How far a room is in the inbox is to be told to the server.
    pub(super) fn owe_read(&mut self, id: Id<Peer>) {
        let Some(link) = self.state.home.online() else { return };
        if let Some(found) = self.links.get_mut(link) {
            found.role.reads.push_back(&mut self.peers.slab, id);
            self.links.wake(link);
        }
    }

    /// Drops what was arriving of rooms through a link that ends: it comes again.
    pub(super) fn leave_rooms(&mut self, link: Id<ClientLink>) {
        let mut at = self.state.joined.front();
        while let Some(id) = at {
            at = self.peers.get(id).and_then(|peer| peer.joined.next());
            self.discard_arriving(id, |message| message.link == Some(link));
        }
    }

    pub(super) fn write_rooms(
        &mut self,
        link: Id<ClientLink>,
        packet: &mut Packet<'_, ClientRole>,
    ) {
        while let Some(found) = self.links.get(link) {
            let Some(id) = found.role.reads.front() else { break };
            if let Some(peer) = self.peers.get(id)
                && let Some(Recipient::Room(room)) = peer.recipient
            {
                let upto = u32::try_from(self.read_upto(peer)).unwrap_or(u32::MAX);
                let read = Read { room, upto, rewinds: peer.reader.rewinds() };
                if !packet.push(&Frame::Read(read), Token::Read(id)) {
                    return;
                }
            }
            if let Some(found) = self.links.get_mut(link) {
                found.role.reads.pop_front(&mut self.peers.slab);
            }
        }
        let Some(found) = self.links.get_mut(link) else { return };
        if found.role.command
            && let Some(command) = self.state.wishes.command
        {
            found.role.command = !packet.push(&Frame::Command(command), Token::Command);
        }
        if found.role.away {
            let text = Some(self.state.wishes.away.as_str()).filter(|text| !text.is_empty());
            found.role.away = !packet.push(&Frame::Away(Away { text }), Token::Away);
        }
    }

    /// How far a room is in the inbox, durably.
    fn read_upto(&self, peer: &Peer) -> u64 {
        let (mut upto, mut at) = (peer.reader.cursor(), peer.inbox.front());
        while let Some(message) = at.and_then(|id| self.incoming.get(id)) {
            at = message.of_peer.next();
            if !message.is_unfinished() {
                upto = upto.min(message.position.number.0.saturating_sub(1));
            }
        }
        upto
    }

    /// The room of this name, if this client is a member.
    pub(super) fn member_of(&self, with: &To) -> Option<Id<Peer>> {
        let id = self.peers.by_name(with)?;
        self.peers.get(id).filter(|peer| peer.joined.is_linked()).map(|_| id)
    }

    /// The room with this number, if this client is a member.
    fn joined_room(&self, room: Room) -> Option<Id<Peer>> {
        let id = self.peers.by_recipient(Recipient::Room(room))?;
        self.peers.get(id).filter(|peer| peer.joined.is_linked()).map(|_| id)
    }

    /// The room of this name, if this client may be a member: until the server has named
    /// every room, none is ruled out, and the server has the last word.
    pub(super) fn may_be_member_of(&self, with: &To) -> Option<Id<Peer>> {
        let is_named = self.state.wishes.named >= self.state.wishes.rooms;
        if is_named { self.member_of(with) } else { self.peers.by_name(with) }
    }

    /// What is said in a room goes to its server, also if this client is a member no longer:
    /// the server alone knows whether it had come before.
    pub(super) fn reach_room(&mut self, id: Id<Peer>) {
        let Some(peer) = self.peers.get(id).filter(|peer| peer.recipient.is_none()) else { return };
        let (Some(room), Some(server)) = (peer.room, self.state.config.server_key) else { return };
        let suite = self.links.identity().suite();
        if peer.key == session::room_key(suite, &server, room, peer.with.room_name()) {
            self.peers.set_recipient(id, Recipient::Room(room));
        }
    }

    /// Every room that this client is a member of, the lobby among them.
    pub(super) fn for_each_room(&self, mut visit: impl FnMut(RoomView)) {
        let mut at = self.state.joined.front();
        while let Some(peer) = at.and_then(|id| self.peers.get(id)) {
            at = peer.joined.next();
            visit(RoomView { room: peer.with, key: peer.key });
        }
    }

    fn begin_wish(&mut self, wish: Wish) {
        let serial = u64::from_le_bytes(self.links.identity_and_random().1.bytes());
        self.state.wishes.command = Some(Command { serial, wish });
        self.tell_server(|contact| contact.command = true);
        self.expect_answer();
    }

    fn finish_wish(&mut self, result: Result<(), RoomRefusal>) {
        if let Some(command) = self.state.wishes.command.take() {
            self.state.home.tell(Event::Outcome { wish: command.wish, result });
        }
    }

    fn tell_server(&mut self, set: impl FnOnce(&mut super::conversation::Contact)) {
        let Some(link) = self.state.home.online() else { return };
        if let Some(contact) = self.contact(link) {
            set(contact);
            self.links.wake(link);
        }
    }

    /// The place of a room among the peers; `None` if there is no room.
    fn room_peer(&mut self, key: PublicKey, with: To) -> Option<Id<Peer>> {
        if let Some(id) = self.peers.by_key(&key) {
            return Some(id);
        }
        if let Some(former) = self.peers.by_name(&with) {
            // Another server's.
            self.peers.forget_name(former);
            self.peers.clear_recipient(former);
        }
        self.peers.add(key, with)
    }

    /// What is open of a room that was left gets its answer from the server, which has the
    /// last word.
    fn leave_room(&mut self, id: Id<Peer>, by: (Id<ClientLink>, u64)) {
        self.state.joined.remove(&mut self.peers.slab, id);
        self.discard_arriving(id, |_| true);
        if let Some(peer) = self.peers.get_mut(id) {
            peer.left = Some(by);
        }
    }

    /// Drops what came of a room that its cursor has passed.
    fn discard_passed(&mut self, id: Id<Peer>) {
        let Some(cursor) = self.peers.get(id).map(|peer| peer.reader.cursor()) else { return };
        self.discard_arriving(id, |message| message.position.number.0 <= cursor);
    }

    fn discard_arriving(&mut self, id: Id<Peer>, is: impl Fn(&Incoming) -> bool) {
        let mut at = self.peers.get(id).and_then(|peer| peer.inbox.front());
        while let Some((id, message)) = at.and_then(|id| Some((id, self.incoming.get(id)?))) {
            at = message.of_peer.next();
            if message.is_unfinished() && is(message) {
                self.forget_arriving(id);
                self.discard(id);
            }
        }
    }
}
