//! `accounts` and `rooms`: what an operator sees of a server's accounts and rooms.

use jiff::tz::TimeZone;
use proto_core::server::{Operation, RoomOperation};
use proto_core::time::UnixTime;
use transport_mio::{
    control::{Account, Reply, Request},
    key_text,
};

use crate::words;

/// Characters of a key that are shown: 80 bits, enough to compare it by.
const SHOWN: usize = 16;

/// The lines that tell of what came of a request.
pub(crate) fn lines(
    request: &Request,
    reply: &Reply,
    now: UnixTime,
    zone: &TimeZone,
) -> Vec<String> {
    match (request, reply) {
        (_, Reply::Accounts(accounts)) if accounts.is_empty() => {
            vec!["There are no accounts yet.".to_owned()]
        }
        (_, Reply::Accounts(accounts)) => {
            let head = row("NICK", "KEY", "LAST SEEN", "");
            let rows = accounts.iter().map(|account| account_row(account, now, zone));
            std::iter::once(head).chain(rows).collect()
        }
        (_, Reply::Rooms(rooms)) if rooms.is_empty() => vec!["There are no rooms yet.".to_owned()],
        (_, Reply::Rooms(rooms)) => {
            let head = row("ROOM", "CREATOR", "MEMBERS", "");
            let rows = rooms.iter().map(|room| {
                let creator = room.creator.map_or("-".to_owned(), |nick| nick.to_string());
                let note = if room.invite_only { "invite-only" } else { "" };
                row(room.name.as_str(), &creator, &room.members.to_string(), note)
            });
            std::iter::once(head).chain(rows).collect()
        }
        (Request::List | Request::Rooms, Reply::Done) => Vec::new(),
        (Request::OperateRoom(RoomOperation::Kick(nick), room), Reply::Done) => {
            vec![format!("{nick} is out of #{room}, and stays out until its creator invites them.")]
        }
        (Request::OperateRoom(RoomOperation::Delete, room), Reply::Done) => {
            vec![format!("#{room} is gone, and what was said there. The name is free.")]
        }
        (Request::Operate(operation, nick), Reply::Done) => vec![match operation {
            Operation::Reset => format!(
                "The password of {nick} is forgotten. The next login of {nick} sets it, whoever \
                 that is: have it done soon."
            ),
            Operation::Remove => {
                format!("{nick} is gone, and all mail for {nick}. The nick is free.")
            }
            Operation::Ban => {
                format!("{nick} and the key of {nick} are refused from now on.")
            }
            Operation::Unban => format!("{nick} can log in again."),
        }],
    }
}

fn account_row(account: &Account, now: UnixTime, zone: &TimeZone) -> String {
    let key: String = key_text::encode(&account.key).chars().take(SHOWN).collect();
    let seen = match account.seen {
        _ if account.online => "online".to_owned(),
        Some(seen) => words::clock(seen, now, zone),
        None => "-".to_owned(),
    };
    let notes = [(account.password, "password"), (account.banned, "BANNED")];
    let notes: Vec<_> = notes.into_iter().filter_map(|(is, note)| is.then_some(note)).collect();
    row(account.nick.as_str(), &key, &seen, &notes.join(", "))
}

fn row(nick: &str, key: &str, seen: &str, notes: &str) -> String {
    format!("{nick:<32}  {key:<SHOWN$}  {seen:<16}  {notes}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use proto_core::id::{Nick, PublicKey};

    use super::*;

    #[test]
    fn accounts_are_listed_in_columns() {
        let now = UnixTime(1_497_408_017_501_063);
        let nick = |text| Nick::new(text).unwrap();
        let key = PublicKey([7; 32]);
        let offline = Account {
            nick: nick("alice"),
            key,
            online: false,
            seen: Some(now),
            password: true,
            banned: false,
        };
        let banned = Account { nick: nick("bob"), seen: None, banned: true, ..offline };
        let reply = Reply::Accounts(vec![offline, banned]);
        let lines = lines(&Request::List, &reply, now, &TimeZone::UTC);
        let lines: Vec<Vec<_>> =
            lines.iter().map(|line| line.split_whitespace().collect()).collect();
        let shown = &key_text::encode(&key)[..SHOWN];
        assert_eq!(lines[1], ["alice", shown, "02:40", "password"]);
        assert_eq!(lines[2], ["bob", shown, "-", "password,", "BANNED"]);
    }
}
