//! Where one speaks, and what is asked of the server's rooms.

use std::time::Duration;

use proto_core::{
    client::{RoomView, SendError, To},
    id::RoomName,
    time::Instant,
    wire::{LeftReason, Retention, RoomAction, RoomRefusal, TrimReason},
};

use crate::{
    notice::{ListedRoom, Notice, RoomNotice},
    safe_text::SafeText,
};

use super::{Chat, MAILBOX, Moment, display::Display};

/// How long the prompt waits for what came of a request: it may be another one then.
const PROMPT: Duration = Duration::from_secs(1);

/// What a session knows of rooms.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    /// What is typed is said there.
    here: Option<To>,
    /// Since when a request is under way.
    wished: Option<Instant>,
    /// The prompt waits until then.
    hold: Option<Instant>,
    /// The server may still name rooms that the user is in until then.
    coming: Option<Instant>,
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

    /// Where what is typed is said.
    pub(super) fn here(&self) -> Option<To> {
        self.here
    }

    /// The room that is entered.
    pub(super) fn entered(&self) -> Option<RoomName> {
        if let Some(To::Room(room)) = self.here { Some(room) } else { None }
    }

    /// What is typed is said there from now on.
    pub(super) fn turn_to(&mut self, (display, at): (&mut Display, Moment), here: Option<To>) {
        self.here = here;
        display.show(at, Notice::Here(here));
    }

    /// Since when a request is under way.
    pub(super) fn wished_since(&self) -> Option<Instant> {
        self.wished
    }

    /// Whether the prompt waits: another room may be entered soon.
    pub(super) fn hold_the_prompt(&self) -> bool {
        self.hold.is_some()
    }

    /// When something of this is to be looked at again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.hold.into_iter().chain(self.coming).min()
    }

    /// Something is asked of the server, and maybe waited for at the prompt.
    pub(super) fn request(&mut self, now: Instant, is_waited_for: bool) {
        self.wished = Some(now);
        self.hold = is_waited_for.then(|| now + PROMPT);
    }

    /// Whether a message that was refused so may be taken when the server has named more
    /// of the user's rooms.
    pub(super) fn may_be_member_soon(&self, to: &To, why: SendError) -> bool {
        why == SendError::NotMember && to.is_room() && self.coming.is_some()
    }

    /// A request was answered: it was refused, or done. Without a display, that is told otherwise.
    pub(super) fn outcome(
        &mut self,
        chat: &mut impl Chat,
        display: Option<(&mut Display, Moment)>,
        action: RoomAction,
        result: Result<(), RoomRefusal>,
    ) {
        self.answered();
        let notice = match (action, result) {
            (action, Err(why)) => RoomNotice::Refused { action, why },
            (RoomAction::Create(room), Ok(())) => RoomNotice::Created(room),
            (RoomAction::Join(room), Ok(())) => {
                // As its creator wrote it.
                let room = name_of(chat, &room).unwrap_or(room);
                self.here = Some(To::Room(room));
                let is_first = !std::mem::replace(&mut self.told_retention, true);
                let retention = self.retention.filter(|_| is_first);
                RoomNotice::Entered { room, retention }
            }
            (RoomAction::Leave(room), Ok(())) => {
                self.here = self.here.filter(|here| *here != To::Room(room));
                RoomNotice::Left(room)
            }
            (
                action @ (RoomAction::Kick { .. }
                | RoomAction::Invite { .. }
                | RoomAction::InviteOnly { .. }
                | RoomAction::Delete(_)),
                Ok(()),
            ) => RoomNotice::Moderated(action),
            // These are answered by names.
            (RoomAction::Rooms { .. } | RoomAction::Members { .. }, Ok(())) => return,
        };
        if let Some((display, at)) = display {
            display.show(at, Notice::Room(notice));
        }
    }

    /// The user was put out of a room.
    pub(super) fn left(
        &mut self,
        (display, at): (&mut Display, Moment),
        room: To,
        why: LeftReason,
    ) {
        self.here = self.here.filter(|here| *here != room);
        display.show(at, Notice::Room(RoomNotice::PutOut { room, why }));
    }

    /// Names came, one in each line of `page`.
    pub(super) fn names(
        &mut self,
        chat: &mut impl Chat,
        (display, at): (&mut Display, Moment),
        (action, last): (RoomAction, bool),
        page: &[u8],
    ) {
        let names = page.split(|byte| *byte == b'\n').filter(|name| !name.is_empty());
        self.names.extend(names.map(SafeText::new));
        if !last {
            return;
        }
        self.answered();
        let names = std::mem::take(&mut self.names);
        if let RoomAction::Members { of: Some(of), .. } = action {
            display.show(at, Notice::Room(RoomNotice::Members { of, nicks: &names }));
            return;
        }
        let joined = chat.rooms();
        let is_joined = |name: &SafeText| {
            let name = RoomName::new(name.as_str());
            name.is_ok_and(|name| joined.iter().any(|view| view.room == To::Room(name)))
        };
        let rooms: Vec<_> =
            names.into_iter().map(|name| ListedRoom { joined: is_joined(&name), name }).collect();
        display.show(at, Notice::Room(RoomNotice::Rooms(&rooms)));
    }

    /// Entries of a room are missing.
    pub(super) fn gap(
        &self,
        (display, at): (&mut Display, Moment),
        room: To,
        missing: u64,
        why: TrimReason,
    ) {
        let retention = self.retention;
        display.show(at, Notice::Room(RoomNotice::Gap { room, missing, why, retention }));
    }

    fn answered(&mut self) {
        self.wished = None;
        self.hold = None;
    }
}

/// Tells the user in which rooms they are still.
pub(super) fn tell_rooms(chat: &mut impl Chat, (display, at): (&mut Display, Moment)) {
    let name = |view: RoomView| match view.room {
        To::Room(name) => Some(name),
        To::Lobby | To::Peer(_) => None,
    };
    let rooms: Vec<_> = chat.rooms().into_iter().filter_map(name).collect();
    if !rooms.is_empty() {
        display.show(at, Notice::Room(RoomNotice::StillIn(&rooms)));
    }
}

/// The name of a room that the user is in, as its creator wrote it.
pub(super) fn name_of(chat: &mut impl Chat, room: &RoomName) -> Option<RoomName> {
    chat.rooms().into_iter().find_map(|view| match view.room {
        To::Room(name) if name == *room => Some(name),
        _ => None,
    })
}
