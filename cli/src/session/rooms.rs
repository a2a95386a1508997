//! Rooms: the one that is entered, and what is wished of the server's.

use std::time::Duration;

use proto_core::{
    client::{CommandError, RoomView, SayError, To},
    id::RoomName,
    time::Instant,
    wire::{GoneReason, Retention, RoomRefusal, Wish},
};

use crate::{
    command::RoomWord,
    names::WrongName,
    notice::{ListedRoom, Notice, RoomMessage, RoomNotice},
    safe_text::SafeText,
};

use super::{Chat, MAILBOX, Moment, Phase, Session, commands::Done};

/// How long the prompt waits for what came of a wish: it may be another one then.
const PROMPT: Duration = Duration::from_secs(1);

/// What a session knows of rooms.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    /// The one that is entered: what is typed is said there.
    pub(super) entered: Option<RoomName>,
    /// Since when a wish is under way.
    pub(super) wished: Option<Instant>,
    /// The prompt waits until then.
    pub(super) hold: Option<Instant>,
    /// The server may still name rooms that the user is in until then.
    pub(super) coming: Option<Instant>,
    /// The names that came so far.
    names: Vec<SafeText>,
    retention: Option<Retention>,
    told_retention: bool,
}

impl Rooms {
    /// The client is online: the server names the user's rooms next.
    pub(super) fn registered(&mut self, now: Instant, retention: Retention) {
        self.retention = Some(retention);
        self.coming = Some(now + MAILBOX);
    }

    /// The client is offline: what was wished is wished no more.
    pub(super) fn offline(&mut self) {
        self.wished = None;
        self.hold = None;
        self.coming = None;
        self.names.clear();
    }

    /// Does what is due.
    pub(super) fn advance(&mut self, now: Instant) {
        for until in [&mut self.hold, &mut self.coming] {
            *until = until.filter(|until| *until > now);
        }
    }

    fn answered(&mut self) {
        self.wished = None;
        self.hold = None;
    }
}

impl Session {
    /// The prompt for the next line; `None` while it is not known.
    pub(crate) fn prompt(&self) -> Option<String> {
        self.rooms.hold.is_none().then(|| self.face.prompt(self.rooms.entered.as_ref()))
    }

    /// Says something in a room that has been entered, and in none otherwise.
    pub(super) fn say_here(&mut self, chat: &mut impl Chat, at: Moment, text: &str) -> Done {
        match self.rooms.entered {
            Some(room) => self.say(chat, at, To::Room(room), text),
            None => self.refuse(at, RoomNotice::NotInside),
        }
    }

    pub(super) fn create(&mut self, chat: &mut impl Chat, at: Moment, room: RoomWord) -> Done {
        self.wish_of(chat, at, room, Wish::Create)
    }

    pub(super) fn join(&mut self, chat: &mut impl Chat, at: Moment, room: RoomWord) -> Done {
        self.wish_of(chat, at, room, Wish::Join)
    }

    pub(super) fn leave_room(
        &mut self,
        chat: &mut impl Chat,
        at: Moment,
        room: Option<RoomWord>,
    ) -> Done {
        let room = match (room, self.rooms.entered) {
            (None, None) => return self.refuse(at, RoomNotice::NotInside),
            (None, Some(room)) => room,
            (Some(Err(why)), _) => return self.bad_name(at, why),
            (Some(Ok(room)), entered) => {
                let is_member = entered == Some(room) || name_of(chat, &room).is_some();
                if self.phase != Phase::Offline && !is_member {
                    return self.refuse(at, RoomNotice::NotMember(room));
                }
                room
            }
        };
        // What was said there before is the room's first: who has left says nothing.
        if self.sent.values().any(|sent| sent.to == To::Room(room)) {
            return Done::NotYet;
        }
        self.wish(chat, at, Wish::Leave(room))
    }

    pub(super) fn members(
        &mut self,
        chat: &mut impl Chat,
        at: Moment,
        room: Option<RoomWord>,
    ) -> Done {
        let first = proto_core::id::Account(0);
        match room.or(self.rooms.entered.map(Ok)) {
            Some(room) => {
                self.wish_of(chat, at, room, |of| Wish::Members { of: Some(of), from: first })
            }
            None => self.refuse(at, RoomNotice::NotInside),
        }
    }

    pub(super) fn list_rooms(&mut self, chat: &mut impl Chat, at: Moment) -> Done {
        self.wish(chat, at, Wish::Rooms { from: proto_core::id::Room(0) })
    }

    /// Whether a message that was refused so may be taken when the server has named more
    /// of the user's rooms.
    pub(super) fn may_be_member_soon(&self, to: To, why: SayError) -> bool {
        why == SayError::NotMember && to.is_room() && self.rooms.coming.is_some()
    }

    /// A wish was answered.
    pub(super) fn outcome(
        &mut self,
        chat: &mut impl Chat,
        at: Moment,
        wish: Wish,
        result: Result<(), RoomRefusal>,
    ) {
        self.rooms.answered();
        match (wish, result) {
            (_, Err(why)) => {
                self.refuse(at, RoomNotice::Refused { wish, why });
            }
            (Wish::Create(room), Ok(())) => {
                self.tell(at, Notice::Room(RoomNotice::Created(room)));
            }
            (Wish::Join(room), Ok(())) => {
                // As its creator wrote it.
                let room = name_of(chat, &room).unwrap_or(room);
                self.rooms.entered = Some(room);
                let is_first = !std::mem::replace(&mut self.rooms.told_retention, true);
                let retention = self.rooms.retention.filter(|_| is_first);
                self.tell(at, Notice::Room(RoomNotice::Entered { room, retention }));
            }
            (Wish::Leave(room), Ok(())) => {
                self.rooms.entered = self.rooms.entered.filter(|entered| *entered != room);
                self.tell(at, Notice::Room(RoomNotice::Left(room)));
            }
            // These are answered by names.
            (Wish::Rooms { .. } | Wish::Members { .. }, Ok(())) => {}
        }
    }

    /// Names came, one in each line of `page`.
    pub(super) fn names(
        &mut self,
        chat: &mut impl Chat,
        at: Moment,
        (wish, last): (Wish, bool),
        page: &[u8],
    ) {
        let names = page.split(|byte| *byte == b'\n').filter(|name| !name.is_empty());
        self.rooms.names.extend(names.map(SafeText::new));
        if !last {
            return;
        }
        self.rooms.answered();
        let names = std::mem::take(&mut self.rooms.names);
        if let Wish::Members { of: Some(of), .. } = wish {
            self.tell(at, Notice::Room(RoomNotice::Members { of, nicks: &names }));
            return;
        }
        let joined = chat.rooms();
        let is_joined = |name: &SafeText| {
            let name = RoomName::new(name.as_str());
            name.is_ok_and(|name| joined.iter().any(|view| view.room == To::Room(name)))
        };
        let rooms: Vec<_> =
            names.into_iter().map(|name| ListedRoom { joined: is_joined(&name), name }).collect();
        self.tell(at, Notice::Room(RoomNotice::Rooms(&rooms)));
    }

    /// Tells the user in which rooms they are still.
    pub(super) fn tell_rooms(&mut self, chat: &mut impl Chat, at: Moment) {
        let name = |view: RoomView| match view.room {
            To::Room(name) => Some(name),
            To::Lobby | To::Peer(_) => None,
        };
        let rooms: Vec<_> = chat.rooms().into_iter().filter_map(name).collect();
        if !rooms.is_empty() {
            self.tell(at, Notice::Room(RoomNotice::StillIn(&rooms)));
        }
    }

    pub(super) fn room_message(&mut self, at: Moment, message: RoomMessage) {
        self.tell(at, Notice::Room(RoomNotice::Message(message)));
    }

    pub(super) fn room_gap(&mut self, at: Moment, room: To, missing: u64, why: GoneReason) {
        let retention = self.rooms.retention;
        self.tell(at, Notice::Room(RoomNotice::Gap { room, missing, why, retention }));
    }

    fn wish_of(
        &mut self,
        chat: &mut impl Chat,
        at: Moment,
        room: RoomWord,
        wish: impl FnOnce(RoomName) -> Wish,
    ) -> Done {
        match room {
            Ok(room) => self.wish(chat, at, wish(room)),
            Err(why) => self.bad_name(at, why),
        }
    }

    fn wish(&mut self, chat: &mut impl Chat, at: Moment, wish: Wish) -> Done {
        if self.phase == Phase::Offline {
            return self.cannot_offline(at);
        }
        match chat.wish(wish) {
            Ok(()) => {}
            Err(CommandError::Full) => return self.refuse(at, RoomNotice::Full),
            Err(_) => return self.cannot_offline(at),
        }
        self.rooms.wished = Some(at.now);
        self.rooms.hold = (!self.scripted).then(|| at.now + PROMPT);
        Done::Yes
    }

    fn bad_name(&mut self, at: Moment, why: WrongName) -> Done {
        self.refuse(at, RoomNotice::BadName(why))
    }

    fn refuse(&mut self, at: Moment, why: RoomNotice<'_>) -> Done {
        self.refused |= self.scripted;
        self.tell(at, Notice::Room(why));
        Done::Yes
    }
}

/// The name of a room that the user is in, as its creator wrote it.
fn name_of(chat: &mut impl Chat, room: &RoomName) -> Option<RoomName> {
    chat.rooms().into_iter().find_map(|view| match view.room {
        To::Room(name) if name == *room => Some(name),
        _ => None,
    })
}
