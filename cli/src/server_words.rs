//! What a server's operator is told.

use std::{collections::HashMap, net::SocketAddr};

use jiff::tz::TimeZone;
use proto_core::{
    client::To,
    id::{Account, Nick},
    server::{Event, Operation},
    time::UnixTime,
};

use crate::words;

/// An account as the operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its number.
    pub(crate) account: Account,
    /// Its nick.
    pub(crate) nick: Nick,
    /// Whether its holder is online.
    pub(crate) online: bool,
}

/// The classic server's words.
#[derive(Debug, Default)]
pub(crate) struct ClassicServer {
    /// Where each was last: the table shows it of those who left, too.
    addresses: HashMap<Account, SocketAddr>,
}

impl ClassicServer {
    /// What it says first.
    pub(crate) fn start(port: u16) -> String {
        format!("server port number:  {port}")
    }

    /// The lines for an event, with the table as it is after it.
    pub(crate) fn lines(&mut self, event: &Event, table: &[Row]) -> Vec<String> {
        let (data, account, nick, address) = match *event {
            Event::Registered { account, nick, address, .. } => ("REG", account, nick, address),
            Event::Deregistered { account, nick, address } => ("DEREG", account, nick, address),
            _ => return trouble(event).into_iter().collect(),
        };
        self.addresses.insert(account, address);
        let mut lines =
            vec![format!("client:  {}", pair(address)), format!("data:  {data};{nick}")];
        lines.extend(table.iter().map(|row| self.row(row)));
        lines
    }

    fn row(&self, Row { account, nick, online }: &Row) -> String {
        let address = self.addresses.get(account).map(|address| format!(" {}", pair(*address)));
        let presence = if *online { "online" } else { "offline" };
        format!("{nick}:{} {presence}", address.unwrap_or_default())
    }
}

/// An address as Python writes a pair.
fn pair(address: SocketAddr) -> String {
    format!("('{}', {})", address.ip().to_canonical(), address.port())
}

/// The words of `server`.
pub(crate) fn line(event: &Event, now: UnixTime, zone: &TimeZone) -> Option<String> {
    let text = match event {
        Event::Registered { nick, address, returning: true, .. } => {
            format!("{nick} is online, at {address}")
        }
        Event::Registered { nick, address, returning: false, .. } => {
            format!("{nick} is new, at {address}")
        }
        Event::Deregistered { nick, .. } => format!("{nick} has left"),
        Event::Lost { nick, .. } => format!("{nick} is silent, and offline"),
        Event::Operated { nick, operation, done: true } => match operation {
            Operation::Reset => format!("{nick} has no password any more"),
            Operation::Remove => format!("{nick} is removed"),
            Operation::Ban => format!("{nick} is banned"),
            Operation::Unban => format!("{nick} is banned no longer"),
        },
        Event::Violation { nick, address, rule } => {
            let who = nick.map_or_else(|| "someone".to_owned(), |nick| nick.to_string());
            format!("{who} at {address} broke the protocol and was cut off: {rule}")
        }
        Event::RoomCreated { room, .. } => format!("there is a room #{room} now"),
        _ => return trouble(event),
    };
    Some(format!("{} {text}", words::stamp(now, zone)))
}

/// What the operator must see to.
pub(crate) fn trouble(event: &Event) -> Option<String> {
    let text = match event {
        Event::PutBack => {
            "THIS DATA DIRECTORY IS OLDER than what clients have seen of this server: an older copy \
             was put back, the store was moved away, or another server runs with this identity. \
             Clients send again what they still have; what was said in rooms in the lost time is \
             gone for whoever had not read it. Run one server only with an identity, and keep \
             identity and store together."
        }
        Event::StoreFailed => {
            "THE SERVER COULD NOT SAVE to its disk; what depended on it was refused. Check that the \
             disk has room."
        }
        Event::Damaged => {
            "A record in the server's data directory is damaged and was passed over; check the disk."
        }
        Event::EntryDamaged { name, index, .. } => {
            let whom = words::whom(&name.map_or(To::Lobby, To::Room));
            return Some(format!(
                "Message {index} to {whom} is damaged in the server's data directory: whoever has \
                 not read it yet is told that it cannot be read. Check the disk."
            ));
        }
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classic_server_says_exactly_this() {
        let nick = |text| Nick::new(text).unwrap();
        let row = |number, name, online| Row { account: Account(number), nick: nick(name), online };
        let mut classic = ClassicServer::default();
        assert_eq!(ClassicServer::start(6000), "server port number:  6000");
        let c1 = Event::Registered {
            account: Account(1),
            nick: nick("c1"),
            address: "127.0.0.1:6061".parse().unwrap(),
            returning: false,
        };
        let table = [row(0, "y", false), row(1, "c1", true)];
        assert_eq!(
            classic.lines(&c1, &table),
            [
                "client:  ('127.0.0.1', 6061)",
                "data:  REG;c1",
                "y: offline",
                "c1: ('127.0.0.1', 6061) online"
            ]
        );
        let y = Event::Deregistered {
            account: Account(0),
            nick: nick("y"),
            address: "[::ffff:127.0.0.1]:6062".parse().unwrap(),
        };
        assert_eq!(
            classic.lines(&y, &table[..1]),
            ["client:  ('127.0.0.1', 6062)", "data:  DEREG;y", "y: ('127.0.0.1', 6062) offline"]
        );
        assert!(classic.lines(&Event::Ready, &table).is_empty());
    }
}
