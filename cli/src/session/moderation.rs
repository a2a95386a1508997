//! What the creator of a room does in it.

use proto_core::wire::RoomAction;

use crate::{
    command::Command,
    notice::{Notice, RoomNotice},
};

use super::{Chat, Moment, Session, commands::Done};

/// Carries out a command about a room of one's own: the one that is entered, unless it names one.
pub(super) fn run(
    session: &mut Session,
    chat: &mut impl Chat,
    at: Moment,
    command: &Command,
) -> Done {
    let room = match command {
        Command::DeleteRoom(Some(Ok(room))) => *room,
        Command::DeleteRoom(Some(Err(why))) => {
            return session.refuse(at, Notice::Room(RoomNotice::BadName(*why)));
        }
        _ => match session.rooms.entered() {
            Some(room) => room,
            None => return session.refuse(at, Notice::Room(RoomNotice::NotInside)),
        },
    };
    let action = match command {
        Command::Kick(Ok(nick)) => RoomAction::Kick { room, nick: *nick },
        Command::Invite(Ok(nick)) => RoomAction::Invite { room, nick: *nick },
        Command::Kick(Err(why)) | Command::Invite(Err(why)) => {
            return session.refuse(at, Notice::NoNick(*why));
        }
        Command::InviteOnly(on) => RoomAction::InviteOnly { room, on: *on },
        _ => RoomAction::Delete(room),
    };
    session.request(chat, at, action)
}
