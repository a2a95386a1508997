//! Requests and replies as lines of text.

use proto_core::{
    id::{Nick, RoomName},
    server::{OperateError, Operation, RoomOperation, RoomView},
    time::UnixTime,
};

use super::{Account, ControlError, Reply, Request};
use crate::key_text;

/// The longest request, in bytes.
pub(super) const LONGEST: u64 = 128;

/// What says that it is done.
const DONE: &str = "done\n";

/// What stands after the last account.
const END: &str = "end\n";

/// What stands after the last room.
const END_OF_ROOMS: &str = "end of rooms\n";

/// What stands for the creator of a room whose account is gone.
const NOBODY: &str = "-";

/// What stands before what went wrong.
const WRONG: &str = "error ";

impl Request {
    /// As a line.
    pub(super) fn to_line(self) -> String {
        match self {
            Self::List => "list\n".to_owned(),
            Self::Operate(operation, nick) => format!("{} {nick}\n", word(operation)),
            Self::Rooms => "rooms\n".to_owned(),
            Self::OperateRoom(RoomOperation::Delete, room) => format!("delete-room {room}\n"),
            Self::OperateRoom(RoomOperation::Kick(nick), room) => format!("kick {room} {nick}\n"),
        }
    }

    /// The inverse of [`Self::to_line`].
    pub(super) fn parse(line: &str) -> Option<Self> {
        match line.trim_end().split_once(' ') {
            None => match line.trim_end() {
                "list" => Some(Self::List),
                "rooms" => Some(Self::Rooms),
                _ => None,
            },
            Some(("delete-room", room)) => {
                Some(Self::OperateRoom(RoomOperation::Delete, RoomName::new(room).ok()?))
            }
            Some(("kick", rest)) => {
                let (room, nick) = rest.split_once(' ')?;
                let operation = RoomOperation::Kick(Nick::new(nick).ok()?);
                Some(Self::OperateRoom(operation, RoomName::new(room).ok()?))
            }
            Some((what, nick)) => {
                let all = [Operation::Reset, Operation::Remove, Operation::Ban, Operation::Unban];
                let operation = all.into_iter().find(|operation| word(*operation) == what)?;
                Some(Self::Operate(operation, Nick::new(nick).ok()?))
            }
        }
    }
}

fn word(operation: Operation) -> &'static str {
    match operation {
        Operation::Reset => "reset",
        Operation::Remove => "remove",
        Operation::Ban => "ban",
        Operation::Unban => "unban",
    }
}

/// Of what became of a request.
pub(super) fn write(result: &Result<Reply, ControlError>) -> String {
    match result {
        Ok(Reply::Done) => DONE.to_owned(),
        Ok(Reply::Accounts(accounts)) => {
            let rows = accounts.iter().map(row);
            rows.chain([END.to_owned()]).collect()
        }
        Ok(Reply::Rooms(rooms)) => {
            let rows = rooms.iter().map(room_row);
            rows.chain([END_OF_ROOMS.to_owned()]).collect()
        }
        Err(error) => {
            let what = match error {
                ControlError::Account(OperateError::Unknown) => "unknown",
                ControlError::Account(OperateError::UnknownRoom) => "unknown-room",
                ControlError::Account(OperateError::Starting) => "starting",
                ControlError::Account(OperateError::Busy) => "busy",
                ControlError::Store => "store",
                _ => "other",
            };
            format!("{WRONG}{what}\n")
        }
    }
}

/// The inverse of [`write`]; `None` for anything else, such as half an answer.
pub(super) fn read(text: &str) -> Option<Result<Reply, ControlError>> {
    if let Some(what) = text.strip_prefix(WRONG) {
        return Some(Err(match what.trim_end() {
            "unknown" => OperateError::Unknown.into(),
            "unknown-room" => OperateError::UnknownRoom.into(),
            "starting" => OperateError::Starting.into(),
            "busy" => OperateError::Busy.into(),
            "store" => ControlError::Store,
            _ => return None,
        }));
    }
    if text == DONE {
        return Some(Ok(Reply::Done));
    }
    if let Some(rows) = text.strip_suffix(END_OF_ROOMS) {
        return rows
            .lines()
            .map(parse_room)
            .collect::<Option<_>>()
            .map(|all| Ok(Reply::Rooms(all)));
    }
    let rows = text.strip_suffix(END)?;
    rows.lines().map(parse_row).collect::<Option<_>>().map(|all| Ok(Reply::Accounts(all)))
}

fn row(account: &Account) -> String {
    let Account { nick, key, online, seen, password, banned } = *account;
    let seen = seen.map_or(0, |seen| seen.0);
    let key = key_text::encode(&key);
    format!("{nick} {key} {seen} {online} {password} {banned}\n")
}

fn room_row(room: &RoomView) -> String {
    let creator = room.creator.map_or(NOBODY.to_owned(), |nick| nick.to_string());
    format!("{} {creator} {} {}\n", room.name, room.members, room.invite_only)
}

fn parse_room(line: &str) -> Option<RoomView> {
    let [name, creator, members, invite_only] =
        *line.split(' ').collect::<Vec<_>>().first_chunk::<4>()?;
    let creator = if creator == NOBODY { None } else { Some(Nick::new(creator).ok()?) };
    Some(RoomView {
        name: RoomName::new(name).ok()?,
        creator,
        members: members.parse().ok()?,
        invite_only: invite_only.parse().ok()?,
    })
}

fn parse_row(line: &str) -> Option<Account> {
    let mut words = line.split(' ');
    let mut next = || words.next();
    let account = Account {
        nick: Nick::new(next()?).ok()?,
        key: key_text::parse(next()?).ok()?,
        seen: Some(UnixTime(next()?.parse().ok()?)).filter(|seen| *seen != UnixTime(0)),
        online: next()?.parse().ok()?,
        password: next()?.parse().ok()?,
        banned: next()?.parse().ok()?,
    };
    words.next().is_none().then_some(account)
}

#[cfg(test)]
mod tests {
    use proto_core::id::PublicKey;

    use super::*;

    #[test]
    fn requests_and_replies_come_back() {
        let nick = Nick::new("alice").unwrap();
        let room = RoomName::new("tea").unwrap();
        for request in [
            Request::List,
            Request::Operate(Operation::Unban, nick),
            Request::Rooms,
            Request::OperateRoom(RoomOperation::Delete, room),
            Request::OperateRoom(RoomOperation::Kick(nick), room),
        ] {
            assert_eq!(Request::parse(&request.to_line()), Some(request));
        }
        for wrong in ["", "list alice", "ban", "ban -", "bann alice", "ban alice bob"] {
            assert_eq!(Request::parse(wrong), None, "{wrong}");
        }
        let account = Account {
            nick,
            key: PublicKey([7; 32]),
            online: true,
            seen: Some(UnixTime(5)),
            password: false,
            banned: true,
        };
        let unseen = Account { seen: None, ..account };
        let view = RoomView { name: room, creator: Some(nick), members: 3, invite_only: true };
        let orphan = RoomView { creator: None, ..view };
        for reply in [
            Reply::Done,
            Reply::Accounts(Vec::new()),
            Reply::Accounts(vec![account, unseen]),
            Reply::Rooms(Vec::new()),
            Reply::Rooms(vec![view, orphan]),
        ] {
            let text = write(&Ok(reply.clone()));
            assert_eq!(read(&text).unwrap().unwrap(), reply);
            assert!(read(&text[..text.len() - 1]).is_none(), "half an answer is none");
        }
        let unknown = read(&write(&Err(OperateError::Unknown.into()))).unwrap();
        assert!(matches!(unknown, Err(ControlError::Account(OperateError::Unknown))));
    }
}
