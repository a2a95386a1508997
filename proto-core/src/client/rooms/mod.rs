//! Rooms as a member sees them: entries of their logs, read in order into the inbox, and
//! what the user asks of the server's rooms.

pub(crate) mod history;
pub(super) mod link;
pub(super) mod membership;

use crate::{
    id::{Account, Epoch, Incarnation, Number, Position, PublicKey, Recipient, Room, RunTag},
    link::{Packet, Piece},
    record::BODY_HEADER,
    role::FrameOutcome,
    storage::{Body, Id},
    violation::Violation,
    wire::{
        Away, Frame, Joined as JoinedFrame, Left, MAX_AWAY, Names, Read, RoomAction, RoomEntry,
        RoomRefusal, RoomRequest, RoomResponse, TrimReason, Trimmed,
    },
};

use super::{
    contact::Contact,
    ctx::Ctx,
    error::CommandError,
    event::{Event, To},
    inbox::{Inbox, message::Said},
    outbox::{Outbox, status_queries},
    role::{ClientLink, ClientRole},
    roster::{
        id::PeerId,
        list::PeerList,
        peer::{Joined, Peer},
        peers::Peers,
    },
    sent::SentFrame,
    view::RoomView,
};
use history::{Before, Turn};
use membership::Membership;

/// The rooms that the client is a member of, and what its user asks of the server's rooms.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    joined: PeerList<Joined>,
    command: Option<RoomRequest>,
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
    action: RoomAction,
    /// The names, each with a line feed behind it, and how many bytes of them were told.
    names: Body,
    told: usize,
    /// What to ask for next.
    next: Option<u32>,
}

impl Rooms {
    /// There are names to be told.
    pub(super) fn is_owing(&self) -> bool {
        self.page.is_some()
    }

    /// The user asks for something of the server's rooms.
    pub(super) fn request(
        &mut self,
        cx: &mut Ctx<'_>,
        action: RoomAction,
    ) -> Result<(), CommandError> {
        // While the server is being reached again, it waits: `begin` tells it.
        if !cx.server.was_online() || cx.server.is_leaving() {
            return Err(CommandError::Offline);
        }
        if self.command.is_some() || self.page.is_some() {
            return Err(CommandError::Busy);
        }
        if To::of_join(&action).is_some_and(|room| !has_place_for(cx, &room)) {
            return Err(CommandError::Full);
        }
        self.begin_wish(cx, action);
        Ok(())
    }

    /// The user is away from the keyboard, or, without a text, back.
    pub(super) fn set_away(&mut self, cx: &mut Ctx<'_>, text: &str) -> Result<(), CommandError> {
        if !cx.server.was_online() {
            return Err(CommandError::Offline);
        }
        let text = heapless::String::try_from(text);
        self.away = text.map_err(|_| CommandError::TooLong { limit: MAX_AWAY as u32 })?;
        tell_server(cx, |contact| contact.rooms.away = true);
        Ok(())
    }

    /// The server has this client down for `rooms` rooms, and names them now.
    pub(super) fn begin(&mut self, cx: &mut Ctx<'_>, rooms: u32) {
        self.joined.clear(&mut cx.peers);
        (self.rooms, self.named) = (rooms, 0);
        let (away, wishes) = (!self.away.is_empty(), self.command.is_some());
        tell_server(cx, |contact| {
            contact.rooms.away |= away;
            contact.rooms.command |= wishes;
        });
    }

    /// The user goes offline: what was wished is wished no more.
    pub(super) fn end_wishes(&mut self, cx: &mut Ctx<'_>) {
        let page = self.page.take();
        (self.command, self.joins, self.away) = (None, false, heapless::String::new());
        (self.rooms, self.named) = (0, 0);
        if let Some(page) = page {
            cx.bodies.free(page.names);
        }
    }

    /// This client is a member of a room, says the packet `packet` of its server.
    pub(super) fn joined(
        &mut self,
        cx: &mut Ctx<'_>,
        outbox: &mut Outbox<'_>,
        (link, packet): (Id<ClientLink>, u64),
        joined: &JoinedFrame,
    ) -> FrameOutcome {
        let with = match (joined.room, joined.name) {
            (Room::LOBBY, _) => To::Lobby,
            (_, Some(name)) => To::Room(name),
            (_, None) => return FrameOutcome::Broken(Violation::NamelessRoom),
        };
        if cx.server.online().is_none() {
            // The rooms are counted from the Registered on, which is on its way.
            return FrameOutcome::NoRoom;
        }
        let Some(server) = cx.links.get(link).map(|link| link.peer) else {
            return FrameOutcome::Done;
        };
        let suite = cx.links.identity().suite();
        let key = crate::session::room_key(suite, &server, joined.room, with.room_name());
        let recipient = Recipient::Room(joined.room);
        // If the table is full, the room is not read.
        let Some(id) = place(cx, key, with) else {
            self.join_awaited(cx, with);
            return FrameOutcome::Done;
        };
        let Some(peer) = cx.peers.get_mut(id) else { return FrameOutcome::Done };
        let (fresh, is_new) = (!peer.is_joined(), peer.recipient() != Some(recipient));
        let Some(room) = peer.room_mut() else { return FrameOutcome::Done };
        if room.left.is_some_and(|(by, left)| by == link && packet < left) {
            // It was one, before it left.
            return FrameOutcome::Done;
        }
        room.room = Some(joined.room);
        room.named = Some((link, packet));
        if is_new {
            cx.peers.set_recipient(id, recipient);
            status_queries::query_status(cx, id);
        }
        self.joined.push_back(&mut cx.peers, id);
        self.named += u32::from(fresh);
        cx.begin_record(id);
        if let Some(room) = room_mut(cx, id).filter(|_| fresh) {
            room.reader.begin(joined.since.into(), joined.last.into(), joined.run);
        }
        owe_read(cx, id);
        outbox.pump(cx, id);
        self.join_awaited(cx, with);
        FrameOutcome::Done
    }

    /// This client is a member of a room no longer, says the packet `packet` of its server.
    pub(super) fn left(
        &mut self,
        cx: &mut Ctx<'_>,
        inbox: &mut Inbox<'_>,
        (link, packet): (Id<ClientLink>, u64),
        left: Left,
    ) -> FrameOutcome {
        let Some(id) = joined_room(cx, left.room) else { return FrameOutcome::Done };
        let named = room_mut(cx, id).and_then(|room| room.named);
        if named.is_some_and(|(by, named)| by == link && packet < named) {
            // It is one again.
            return FrameOutcome::Done;
        }
        let Some(room) = cx.peers.get(id).map(Peer::with) else {
            return FrameOutcome::Done;
        };
        self.leave_room(cx, inbox, id, (link, packet));
        cx.news.tell(Event::RoomLeft { room, why: left.reason });
        FrameOutcome::Done
    }

    /// A piece of an entry of a room's log.
    pub(super) fn entry(
        cx: &mut Ctx<'_>,
        inbox: &mut Inbox<'_>,
        link: Id<ClientLink>,
        entry: &RoomEntry<'_>,
    ) -> FrameOutcome {
        let bounds = BODY_HEADER + 1..=cx.longest_body();
        let piece = Piece::new(entry.total, entry.offset, entry.piece);
        let Some(piece) = piece.filter(|piece| bounds.contains(&piece.total())) else {
            return FrameOutcome::Broken(Violation::BadPiece);
        };
        // That this client is a member is on its way.
        let Some(id) = joined_room(cx, entry.room) else {
            return FrameOutcome::NoRoom;
        };
        let early = match turn(cx, inbox, id, entry.index.into(), entry.run, entry.previous) {
            Turn::Had | Turn::Back => return FrameOutcome::Done,
            Turn::Early => true,
            Turn::Next => false,
        };
        let position = Position::new(Epoch(0), Number(entry.index.into()));
        let Some((_, message)) = inbox.entry(cx, link, id, position, (entry.total, early)) else {
            return FrameOutcome::NoRoom;
        };
        let own = entry.from == cx.config.nick;
        let said = Said { author: entry.from, own, run: entry.run, previous: entry.previous };
        if !message.put_entry(&piece, said, &mut cx.bodies) {
            return FrameOutcome::Broken(Violation::MixedPieces);
        }
        take_in(cx, inbox, id);
        FrameOutcome::Done
    }

    /// Entries of a room's log were given up by the server.
    pub(super) fn gone(cx: &mut Ctx<'_>, inbox: &mut Inbox<'_>, trimmed: Trimmed) -> FrameOutcome {
        let upto = trimmed.upto.into();
        let Some(id) = joined_room(cx, trimmed.room) else { return FrameOutcome::NoRoom };
        let Some(room) = room_mut(cx, id) else { return FrameOutcome::NoRoom };
        if upto > room.reader.cursor() {
            let (expired, others) = room.reader.gone(trimmed.first.into(), upto);
            room.gone(TrimReason::NotKept, expired);
            room.gone(trimmed.reason, others);
            cx.news.tell_of(&mut cx.peers, id);
            discard_passed(cx, inbox, id);
            take_in(cx, inbox, id);
        }
        owe_read(cx, id);
        FrameOutcome::Done
    }

    /// What came of a request, says the packet `packet` of the server.
    pub(super) fn outcome(
        &mut self,
        cx: &mut Ctx<'_>,
        inbox: &mut Inbox<'_>,
        (link, packet): (Id<ClientLink>, u64),
        outcome: RoomResponse,
    ) -> FrameOutcome {
        let Some(command) = self.command.filter(|c| c.serial == outcome.serial) else {
            return FrameOutcome::Done;
        };
        match (command.action, outcome.result) {
            (RoomAction::Join(name), Ok(()))
                if member_of(cx, &To::Room(name)).is_none()
                    && has_place_for(cx, &To::Room(name)) =>
            {
                self.joins = true;
                return FrameOutcome::Done;
            }
            (RoomAction::Leave(name), Ok(())) => {
                if let Some(id) = cx.peers.by_name(&To::Room(name)) {
                    self.leave_room(cx, inbox, id, (link, packet));
                }
            }
            _ => {}
        }
        self.finish_wish(cx, outcome.result);
        FrameOutcome::Done
    }

    /// A page of the names that were asked for.
    pub(super) fn names(&mut self, cx: &mut Ctx<'_>, names: &Names<'_>) -> FrameOutcome {
        let Some(command) = self.command.filter(|c| c.serial == names.serial) else {
            return FrameOutcome::Done;
        };
        let length = names.names().map(|name| name.len() + 1).sum();
        let Some(mut page) = cx.bodies.allocate(length) else { return FrameOutcome::NoRoom };
        let mut written = 0;
        for name in names.names() {
            cx.bodies.write(&mut page, written, name.as_bytes());
            cx.bodies.write(&mut page, written + name.len(), b"\n");
            written += name.len() + 1;
        }
        self.command = None;
        let (action, next) = (command.action, names.next);
        self.page = Some(Page { action, names: page, told: 0, next });
        FrameOutcome::Done
    }

    /// The names to be told next, lent: as many of a page as there is room to lend, and how much
    /// of the working memory they take.
    pub(super) fn next_event(&mut self, cx: &mut Ctx<'_>) -> Option<(Event, usize)> {
        let mut page = self.page.take()?;
        let read = cx.bodies.read(&page.names, page.told, cx.work);
        let lines = cx.work.get(..read).unwrap_or_default();
        let whole = lines.iter().rposition(|byte| *byte == b'\n').map_or(read, |at| at + 1);
        // Without the line feed at its end.
        let lent = whole.saturating_sub(1);
        page.told += whole;
        let action = page.action;
        if whole > 0 && page.told < page.names.len() {
            self.page = Some(page);
            return Some((Event::Names { action, last: false }, lent));
        }
        cx.bodies.free(page.names);
        if let Some(next) = page.next {
            let more = match action {
                RoomAction::Members { of, .. } => RoomAction::Members { of, from: Account(next) },
                _ => RoomAction::Rooms { from: Room(next) },
            };
            self.begin_wish(cx, more);
        }
        Some((Event::Names { action, last: page.next.is_none() }, lent))
    }

    /// Drops what was arriving of rooms through a link that ends: it comes again.
    pub(super) fn leave(&self, cx: &mut Ctx<'_>, inbox: &mut Inbox<'_>, link: Id<ClientLink>) {
        let mut at = self.joined.front();
        while let Some(id) = at {
            at = PeerList::<Joined>::after(&mut cx.peers, id);
            inbox.discard_where(cx, id, |message| message.link() == Some(link));
        }
    }

    /// What a link that ends has for the server is forgotten.
    pub(super) fn forget(cx: &mut Ctx<'_>, contact: &mut Contact) {
        contact.rooms.reads.clear(&mut cx.peers);
    }

    /// What a lost packet said is to be said again.
    pub(super) fn lost(contact: &mut Contact, peers: &mut Peers<'_>, sent: SentFrame) {
        match sent {
            SentFrame::Read(id) => contact.rooms.reads.push_back(peers, id),
            SentFrame::RoomRequest => contact.rooms.command = true,
            SentFrame::Away => contact.rooms.away = true,
            _ => debug_assert!(false, "not about rooms"),
        }
    }

    /// Writes what the server is to be told of rooms, and of the user, into a packet for it.
    pub(super) fn write(
        &self,
        cx: &mut Ctx<'_>,
        inbox: &Inbox<'_>,
        link: Id<ClientLink>,
        packet: &mut Packet<'_, ClientRole>,
    ) {
        while let Some(found) = cx.links.get(link) {
            let Some(id) = found.role.rooms.reads.front() else { break };
            if let Some(peer) = cx.peers.get(id)
                && let (Some(Recipient::Room(number)), Some(room)) = (peer.recipient(), peer.room())
            {
                let waits = inbox.first_unsaved(cx, id).map(|first| first.saturating_sub(1));
                let upto =
                    waits.map_or(room.reader.cursor(), |upto| upto.min(room.reader.cursor()));
                let upto = u32::try_from(upto).unwrap_or(u32::MAX);
                let read = Read { room: number, upto, rewinds: room.reader.rewinds() };
                if !packet.push(&Frame::Read(read), SentFrame::Read(id)) {
                    return;
                }
            }
            if let Some(found) = cx.links.get_mut(link) {
                found.role.rooms.reads.pop_front(&mut cx.peers);
            }
        }
        let Some(found) = cx.links.get_mut(link) else { return };
        let owed = &mut found.role.rooms;
        if owed.command
            && let Some(command) = self.command
        {
            owed.command = !packet.push(&Frame::RoomRequest(command), SentFrame::RoomRequest);
        }
        if owed.away {
            let text = Some(self.away.as_str()).filter(|text| !text.is_empty());
            owed.away = !packet.push(&Frame::Away(Away { text }), SentFrame::Away);
        }
    }

    /// The room of this name, if this client may be a member: until the server has named
    /// every room, none is ruled out, and the server has the last word.
    pub(super) fn may_be_member_of(&self, cx: &Ctx<'_>, with: &To) -> Option<PeerId> {
        if self.named >= self.rooms { member_of(cx, with) } else { cx.peers.by_name(with) }
    }

    /// Every room that this client is a member of, the lobby among them.
    pub(super) fn for_each(&self, cx: &mut Ctx<'_>, mut visit: impl FnMut(RoomView)) {
        let mut at = self.joined.front();
        while let Some(id) = at {
            at = PeerList::<Joined>::after(&mut cx.peers, id);
            if let Some(peer) = cx.peers.get(id) {
                visit(RoomView { room: peer.with(), key: peer.key() });
            }
        }
    }

    /// The request to be a member of a room came true, and it is told now.
    fn join_awaited(&mut self, cx: &mut Ctx<'_>, room: To) {
        let awaited = self.command.and_then(|command| To::of_join(&command.action));
        if awaited == Some(room) && core::mem::take(&mut self.joins) {
            self.finish_wish(cx, Ok(()));
        }
    }

    fn begin_wish(&mut self, cx: &mut Ctx<'_>, action: RoomAction) {
        let serial = u64::from_le_bytes(cx.links.identity_and_random().1.bytes());
        self.command = Some(RoomRequest { serial, action });
        tell_server(cx, |contact| contact.rooms.command = true);
        cx.expect_answer();
    }

    fn finish_wish(&mut self, cx: &mut Ctx<'_>, result: Result<(), RoomRefusal>) {
        if let Some(command) = self.command.take() {
            cx.news.tell(Event::RoomResponse { action: command.action, result });
        }
    }

    /// What is open of a room that was left gets its answer from the server, which has the
    /// last word.
    fn leave_room(
        &mut self,
        cx: &mut Ctx<'_>,
        inbox: &mut Inbox<'_>,
        id: PeerId,
        by: (Id<ClientLink>, u64),
    ) {
        self.joined.remove(&mut cx.peers, id);
        inbox.discard_where(cx, id, |_| true);
        if let Some(room) = room_mut(cx, id) {
            room.left = Some(by);
        }
    }
}

/// How far a room is in the inbox is to be told to the server.
pub(super) fn owe_read(cx: &mut Ctx<'_>, id: PeerId) {
    let Some(link) = cx.server.online() else { return };
    if let Some(found) = cx.links.get_mut(link) {
        found.role.rooms.reads.push_back(&mut cx.peers, id);
        cx.links.wake(link);
    }
}

/// What is to be done with an entry of a room's log. Where the log is found to be another
/// than the one that was read, what came behind the cursor comes again.
fn turn(
    cx: &mut Ctx<'_>,
    inbox: &mut Inbox<'_>,
    id: PeerId,
    index: u64,
    run: Incarnation,
    previous: Option<RunTag>,
) -> Turn {
    let Some(room) = room_mut(cx, id) else { return Turn::Early };
    let before = (room.reader.rewinds(), room.reader.cursor());
    let turn = room.reader.turn(index, run, Before::from_wire(previous));
    let (rewinds, cursor) = (room.reader.rewinds(), room.reader.cursor());
    if rewinds != before.0 {
        inbox.discard_where(cx, id, |_| true);
        owe_read(cx, id);
    } else if turn == Turn::Had {
        owe_read(cx, id);
        if cursor != before.1 {
            discard_passed(cx, inbox, id);
            take_in(cx, inbox, id);
        }
    }
    turn
}

/// Takes in what came of a room, as far as nothing is missing before it.
fn take_in(cx: &mut Ctx<'_>, inbox: &mut Inbox<'_>, id: PeerId) {
    while let Some(next) = room_mut(cx, id).map(|room| room.reader.cursor() + 1) {
        let Some((entry, message)) = inbox.whole_entry(cx, id, next) else { return };
        let Some(Said { run, previous, .. }) = message.said() else { return };
        if turn(cx, inbox, id, next, run, previous) != Turn::Next {
            return;
        }
        let Some(room) = room_mut(cx, id) else { return };
        let place = room.reader.take(next, run);
        room.reset |= place.reset;
        if place.begins {
            // Ahead of the entry, which is requested behind it.
            cx.begin_record(id);
            cx.save_record(id);
        }
        if place.reset {
            cx.news.tell_of(&mut cx.peers, id);
        }
        inbox.keep_entry(cx, entry, place.position);
    }
}

/// Drops what came of a room that its cursor has passed.
fn discard_passed(cx: &mut Ctx<'_>, inbox: &mut Inbox<'_>, id: PeerId) {
    let Some(cursor) = room_mut(cx, id).map(|room| room.reader.cursor()) else { return };
    inbox.discard_where(cx, id, |message| message.number() <= cursor);
}

fn room_mut<'c>(cx: &'c mut Ctx<'_>, id: PeerId) -> Option<&'c mut Membership> {
    cx.peers.get_mut(id)?.room_mut()
}

/// The room of this name, if this client is a member.
fn member_of(cx: &Ctx<'_>, with: &To) -> Option<PeerId> {
    let id = cx.peers.by_name(with)?;
    cx.peers.get(id).filter(|peer| peer.is_joined()).map(|_| id)
}

/// The room with this number, if this client is a member.
fn joined_room(cx: &Ctx<'_>, room: Room) -> Option<PeerId> {
    let id = cx.peers.by_recipient(Recipient::Room(room))?;
    cx.peers.get(id).filter(|peer| peer.is_joined()).map(|_| id)
}

fn has_place_for(cx: &Ctx<'_>, room: &To) -> bool {
    !cx.peers.is_full() || cx.peers.by_name(room).is_some() || cx.peers.has_stranger()
}

/// The place of a room in the table, where a stranger gives way to it; `None` if there is none, or
/// someone's key is what stands for the room's.
fn place(cx: &mut Ctx<'_>, key: PublicKey, with: To) -> Option<PeerId> {
    match cx.peers.by_key(&key) {
        Some(id) => cx.peers.get(id).filter(|peer| peer.is_room()).map(|_| id),
        // Another server's may have had the name.
        None => {
            cx.make_place();
            cx.peers.add_instead(key, with)
        }
    }
}

fn tell_server(cx: &mut Ctx<'_>, set: impl FnOnce(&mut Contact)) {
    let Some(link) = cx.server.online() else { return };
    if let Some(contact) = cx.contact(link) {
        set(contact);
        cx.links.wake(link);
    }
}

#[cfg(test)]
mod tests {
    use crate::{client::fixture::Fixture, id::RoomName};

    use super::*;

    #[test]
    fn one_wish_at_a_time_and_each_is_answered() {
        let mut fixture = Fixture::new();
        let mut cx = fixture.cx();
        let mut rooms = Rooms::default();
        let action = RoomAction::Create(RoomName::new("den").unwrap());
        assert_eq!(rooms.request(&mut cx, action), Ok(()));
        assert_eq!(rooms.request(&mut cx, action), Err(CommandError::Busy));
        rooms.finish_wish(&mut cx, Err(RoomRefusal::ServerFull));
        let result = Err(RoomRefusal::ServerFull);
        assert_eq!(cx.news.next_event(), Some(Event::RoomResponse { action, result }));
        assert_eq!(rooms.request(&mut cx, action), Ok(()));
        rooms.end_wishes(&mut cx);
        assert_eq!(rooms.request(&mut cx, action), Ok(()), "offline, nothing is wished any more");
    }

    #[test]
    fn until_all_rooms_are_named_none_is_ruled_out() {
        let mut fixture = Fixture::new();
        let mut cx = fixture.cx();
        let mut rooms = Rooms::default();
        let id = cx.peers.add(PublicKey([9; 32]), To::Lobby).unwrap();
        rooms.begin(&mut cx, 1);
        assert_eq!(rooms.may_be_member_of(&cx, &To::Lobby), Some(id));
        rooms.begin(&mut cx, 0);
        assert_eq!(rooms.may_be_member_of(&cx, &To::Lobby), None);
    }
}
