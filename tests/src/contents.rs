//! What a store has at this moment, read by an outsider.

use std::collections::BTreeMap;

use proto_core::{
    client::To,
    host::Log,
    id::{Account, PublicKey, Room},
    record::Said,
};

use crate::{
    records::{self, AccountRecord, EntryRecord, MailRecord, RoomRecord},
    store::Store,
};

/// The records of a log.
pub(crate) fn log(store: &Store, log: Log) -> impl DoubleEndedIterator<Item = (u64, &[u8])> {
    let records = store.log(log).into_iter().flat_map(|log| &log.records);
    records.map(|(number, record)| (*number, record.as_slice()))
}

/// The accounts that a server's store has.
pub(crate) fn accounts(store: &Store) -> BTreeMap<Account, AccountRecord> {
    let decoded = log(store, Log::Accounts).filter_map(|(number, record)| {
        Some((Account((number - 1) as u32), records::read::<AccountRecord>(record)?.0))
    });
    decoded.collect()
}

/// The rooms that a server's store has.
pub(crate) fn rooms(store: &Store) -> BTreeMap<Room, To> {
    let named = log(store, Log::Rooms).filter_map(|(number, record)| {
        let (RoomRecord { name, .. }, _) = records::read(record)?;
        Some((Room((number - 1) as u32), To::Room(name)))
    });
    named.chain([(Room::LOBBY, To::Lobby)]).collect()
}

/// The entries of a room's log: index, header and text.
pub(crate) fn entries(
    store: &Store,
    room: Room,
) -> impl Iterator<Item = (u64, EntryRecord, &[u8])> {
    log(store, Log::Room(room)).filter_map(|(index, record)| {
        let (entry, body) = records::read::<EntryRecord>(record)?;
        Some((index, entry, records::text(body).unwrap_or_default()))
    })
}

/// All texts in a client's inbox, those of rooms or those of people.
pub(crate) fn inbox(store: &Store, of_rooms: bool) -> impl Iterator<Item = &[u8]> {
    let logs = store.logs().filter(|(log, _)| matches!(log, Log::Inbox(_)));
    let said = logs.flat_map(|(_, log)| log.records.values());
    said.filter_map(|record| Said::from_inbox(record))
        .filter(move |said| said.author.is_some() == of_rooms)
        .map(|said| said.text)
}

/// Whether a server's mailbox has a message.
pub(crate) fn keeps(
    server: &Store,
    author: PublicKey,
    recipient: PublicKey,
    position: u64,
) -> bool {
    let accounts = accounts(server);
    let number = |key: PublicKey| accounts.iter().find(|(_, of)| of.key == key).map(|(a, _)| *a);
    let (Some(from), Some(to)) = (number(author), number(recipient)) else { return false };
    let mut mail = log(server, Log::Mailbox(to))
        .filter_map(|(_, record)| Some(records::read::<MailRecord>(record)?.0));
    mail.any(|mail| mail.from == from && mail.position() == position)
}
