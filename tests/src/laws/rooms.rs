//! The laws of rooms: one log each, in one order for all, and in every member's inbox
//! just what the log has there.

use std::collections::{BTreeMap, BTreeSet};

use proto_core::{
    client::To,
    id::{Account, Nick, PublicKey, Room, RoomName},
    record::Said,
    session::{self, Suite},
    time::UnixTime,
    wire::{Retention, RoomAction, RoomRefusal},
};

use crate::{
    judgement::{Judgement, law, show},
    records::{self, EntryRecord, MemberRecord, RoomRecord, Standing},
};

/// What was ever durable in any room, and in any inbox of one.
#[derive(Debug, Default)]
pub struct Rooms {
    /// The server's suite and key: from those come the keys of its rooms.
    server: Option<(&'static dyn Suite, PublicKey)>,
    keys: BTreeMap<PublicKey, Room>,
    logs: BTreeMap<Room, RoomLog>,
    names: BTreeMap<[u8; 32], Room>,
    members: BTreeMap<(Room, Account), Member>,
    inboxes: BTreeMap<(PublicKey, Room), BTreeSet<u64>>,
    /// Entries that the store has spoiled.
    spoiled: BTreeSet<(Room, u64)>,
    /// Who was told that they have left, and has not wished to be back since.
    gone: BTreeSet<(PublicKey, [u8; 32])>,
    /// Rooms that somebody wished to be no more.
    deleted: BTreeSet<[u8; 32]>,
    /// Rooms that are no more.
    ended: BTreeSet<Room>,
    /// How much of a log the server keeps.
    retention: Option<Retention>,
    /// The server's clock now.
    time: UnixTime,
}

/// A room's log, from its first entry on, whatever of it is still kept.
#[derive(Debug, Default)]
struct RoomLog {
    lines: Vec<Line>,
    /// Where each author is, and what was ever there of each.
    last: BTreeMap<Account, u64>,
    places: BTreeSet<(Account, u64)>,
    bytes: u64,
    /// All before this one is forgotten.
    first: u64,
}

/// An entry of a room's log.
#[derive(Debug)]
struct Line {
    nick: Nick,
    body: Vec<u8>,
    received: UnixTime,
    /// Bytes of all bodies before it, and what its record says of that: it may count from
    /// any entry that was the first one kept.
    before: u64,
    says: u64,
}

/// A member as it was saved last.
#[derive(Debug)]
struct Member {
    standing: Standing,
    /// The last entry before it joined, and before it did so for the first time.
    since: u64,
    ever: u64,
}

/// An entry that is about to be in a room's log.
#[derive(Debug)]
pub(super) struct Appended<'a> {
    /// Its author.
    pub(super) from: Account,
    /// Its place in the author's outbox.
    pub(super) position: u64,
    /// Its text.
    pub(super) text: &'a [u8],
}

impl Rooms {
    /// There is a server with this key.
    pub(super) fn introduce(&mut self, suite: &'static dyn Suite, server: &PublicKey) {
        self.server = Some((suite, *server));
        self.open(Room::LOBBY, None);
    }

    fn open(&mut self, room: Room, name: Option<&RoomName>) {
        if let Some((suite, server)) = self.server {
            self.keys.insert(session::room_key(suite, &server, room, name), room);
        }
    }

    /// How much of a log the server keeps.
    pub(super) fn server_keeps(&mut self, retention: Retention) {
        self.retention = Some(retention);
    }

    /// What the server's clock shows now.
    pub(super) fn set_time(&mut self, time: UnixTime) {
        self.time = time;
    }

    /// The room that a key stands for.
    pub fn room(&self, key: &PublicKey) -> Option<Room> {
        self.keys.get(key).copied()
    }

    /// Whether the log of a room ever had a message.
    pub(super) fn had(&self, room: Room, author: Account, position: u64) -> bool {
        self.logs.get(&room).is_some_and(|log| log.places.contains(&(author, position)))
    }

    /// The number of a room.
    pub fn number(&self, room: &To) -> Option<Room> {
        match room {
            To::Lobby => Some(Room::LOBBY),
            To::Room(name) => self.names.get(&name.folded()).copied(),
            To::Peer(_) => None,
        }
    }

    /// Every room that is durable but the lobby: its name, in lower case, and its number.
    pub fn named(&self) -> impl Iterator<Item = (String, Room)> + '_ {
        self.names.iter().map(|(name, room)| {
            let name: Vec<u8> = name.iter().copied().take_while(|byte| *byte != 0).collect();
            (String::from_utf8_lossy(&name).into_owned(), *room)
        })
    }

    /// All that a room's log ever had, in order.
    pub fn log(&self, room: Room) -> Vec<String> {
        let lines = self.logs.get(&room).map_or(&[][..], |log| &log.lines);
        let text = |line: &Line| {
            let text = records::text(&line.body).unwrap_or_default();
            format!("{}: {}", line.nick, String::from_utf8_lossy(text))
        };
        lines.iter().map(text).collect()
    }

    /// The accounts that are in a room.
    pub fn members(&self, room: Room) -> impl Iterator<Item = Account> + '_ {
        let members = self.members.iter();
        members
            .filter(move |((of, _), member)| *of == room && member.standing == Standing::Member)
            .map(|((_, who), _)| *who)
    }

    /// Entries that all rooms ever had.
    pub fn entries(&self, room: Room) -> usize {
        self.logs.get(&room).map_or(0, |log| log.lines.len())
    }

    /// What an inbox has of a room, in order.
    pub fn inbox(&self, recipient: PublicKey, room: Room) -> Vec<String> {
        let (Some(has), Some(log)) = (self.inboxes.get(&(recipient, room)), self.logs.get(&room))
        else {
            return Vec::new();
        };
        let lines = has.iter().filter_map(|index| log.line(*index));
        lines
            .filter_map(|line| records::text(&line.body))
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect()
    }

    /// A room's record was saved.
    ///
    /// # Errors
    /// Its name is another's, or was another; or it is gone, which nobody wished.
    pub(super) fn saved(&mut self, number: u64, record: &[u8]) -> Judgement {
        let Some((RoomRecord { name, removed, .. }, _)) = records::read(record) else {
            return Err("a room's record is damaged".into());
        };
        let room = Room((number - 1) as u32);
        if removed {
            self.names.retain(|_, other| *other != room);
            let members = self.members(room).count();
            let is_wished = self.deleted.contains(&name.folded());
            law(members == 0 || is_wished, || {
                format!("room {name} is gone, and has {members} members")
            })?;
            self.members.retain(|(of, _), _| *of != room);
            self.ended.insert(room);
            return Ok(());
        }
        self.open(room, Some(&name));
        let held = *self.names.entry(name.folded()).or_insert(room);
        let names = self.names.values().filter(|other| **other == room).count();
        law(held == room && names == 1, || format!("room {name} is {room:?} and {held:?}"))
    }

    /// A membership was saved.
    ///
    /// # Errors
    /// Nobody asked for it.
    pub(super) fn member(
        &mut self,
        room: Room,
        number: u64,
        key: Option<PublicKey>,
        record: &[u8],
    ) -> Judgement {
        let Some((MemberRecord { since, standing }, _)) = records::read(record) else {
            return Err("a member's record is damaged".into());
        };
        let account = Account((number - 1) as u32);
        let before = self.members.get(&(room, account)).map(|member| member.standing);
        let sneaks_in = before == Some(Standing::Barred) && standing == Standing::Member;
        law(!sneaks_in, || format!("{account:?} is in {room:?} again, and was put out"))?;
        let names = self.names.iter().filter(|(_, other)| **other == room);
        let gone = names.map(|(name, _)| *name).any(|name| {
            let key = key.unwrap_or(PublicKey([0; 32]));
            standing == Standing::Member && self.gone.contains(&(key, name))
        });
        law(!gone, || format!("{account:?} is in {room:?} again, which nobody wished"))?;
        self.join(room, account, since, standing)
    }

    /// An account was saved: it is in the lobby.
    ///
    /// # Errors
    /// It has a place there from before.
    pub(super) fn account(&mut self, account: Account, since: u64) -> Judgement {
        let before = self.members.get(&(Room::LOBBY, account)).map(|member| member.since);
        law(before.is_none_or(|before| before == since), || {
            format!("{account:?} is in the lobby since {since}, and since {before:?}")
        })?;
        self.join(Room::LOBBY, account, since, Standing::Member)
    }

    fn join(&mut self, room: Room, account: Account, since: u64, standing: Standing) -> Judgement {
        let head = self.entries(room) as u64;
        law(since <= head, || format!("{account:?} is in {room:?} since {since} of {head}"))?;
        let ever = self.members.get(&(room, account)).map_or(since, |member| member.ever);
        self.members.insert((room, account), Member { standing, since, ever });
        Ok(())
    }

    /// Something was saved in a room's log; what of it is new.
    ///
    /// # Errors
    /// It is not the next entry, or it was there before.
    pub(super) fn entry<'a>(
        &mut self,
        room: Room,
        index: u64,
        record: &'a [u8],
    ) -> Result<Option<Appended<'a>>, String> {
        let Some((entry, body)) = records::read::<EntryRecord>(record) else {
            return Err("an entry of a room is damaged".into());
        };
        let text = records::text(body).unwrap_or_default();
        let log = self.logs.entry(room).or_default();
        if let Some(line) = log.line(index) {
            let same = line.body == body && line.nick == entry.nick;
            return law(same, || {
                let (old, new) = (show(&line.body), show(text));
                format!("entry {index} of {room:?} was {old} and is {new} now")
            })
            .map(|()| None);
        }
        let next = log.lines.len() as u64 + 1;
        law(index == next, || format!("entry {index} of {room:?} came where {next} belongs"))?;
        let (position, from) = (entry.position(), entry.from);
        law(log.places.insert((from, position)), || {
            format!("S2: {room:?} has {} of {from:?} twice", show(text))
        })?;
        let last = log.last.insert(from, position).unwrap_or(0);
        law(last < position, || {
            format!("S3: {room:?} has {position:#x} of {from:?} after {last:#x}")
        })?;
        let before = log.lines.last().filter(|_| log.first < index);
        let bytes = before.map_or(entry.bytes, |line| line.says + line.body.len() as u64);
        law(entry.bytes == bytes, || {
            let says = entry.bytes;
            format!("entry {index} of {room:?} says that {says} bytes come before it, not {bytes}")
        })?;
        let (body, received) = (body.to_vec(), entry.received);
        let (nick, says) = (entry.nick, entry.bytes);
        let line = Line { nick, body, received, before: log.bytes, says };
        log.bytes += line.body.len() as u64;
        log.lines.push(line);
        Ok(Some(Appended { from, position, text }))
    }

    /// It is no more.
    pub(super) fn is_ended(&self, room: Room) -> bool {
        self.ended.contains(&room)
    }

    /// The store forgot entries of a room.
    ///
    /// # Errors
    /// They were to be kept.
    pub(super) fn forgotten(&mut self, room: Room, records: &[(u64, Vec<u8>)]) -> Judgement {
        for (index, _) in records {
            law(self.is_given_up(room, *index), || {
                format!("entry {index} of {room:?} was forgotten before its time")
            })?;
            self.logs.entry(room).or_default().first = index + 1;
        }
        Ok(())
    }

    /// A member's inbox has an entry.
    ///
    /// # Errors
    /// The log has another one there, or the inbox lacks one before it.
    pub(super) fn read(
        &mut self,
        recipient: PublicKey,
        account: Option<Account>,
        room: Room,
        index: u64,
        said: &Said<'_>,
        head: u64,
    ) -> Judgement {
        let log = self.logs.get(&room);
        let Some(line) = log.and_then(|log| log.line(index)) else {
            return Err(format!("S4: entry {index} of {room:?} came, which there is not"));
        };
        let same = records::text(&line.body) == Some(said.text)
            && line.body.starts_with(&said.time.0.to_le_bytes())
            && said.author == Some(line.nick);
        law(same, || format!("S4: entry {index} of {room:?} is not {}", show(said.text)))?;
        let member = account.and_then(|account| self.members.get(&(room, account)));
        let Some(Member { since, ever, .. }) = member else {
            return Err(format!("an entry of {room:?} came to who never was a member"));
        };
        law(index > *ever, || format!("entry {index} of {room:?} came to a member since {ever}"))?;
        law(index > head, || format!("S3: entry {index} of {room:?} came after {head}"))?;
        for skipped in (head.max(*since) + 1)..index {
            law(self.is_given_up(room, skipped), || {
                format!("S3: entry {index} of {room:?} came after {head}, without {skipped}")
            })?;
        }
        self.inboxes.entry((recipient, room)).or_default().insert(index);
        Ok(())
    }

    /// An entry is shown to a member.
    ///
    /// # Errors
    /// It is not in the inbox, or it is the member's own.
    pub(super) fn shown(
        &self,
        recipient: PublicKey,
        nick: &Nick,
        room: Room,
        index: u64,
        from: &Nick,
        text: &[u8],
    ) -> Judgement {
        let has = self.inboxes.get(&(recipient, room)).is_some_and(|has| has.contains(&index));
        let line = self.logs.get(&room).and_then(|log| log.line(index));
        let same =
            line.is_some_and(|line| line.nick == *from && records::text(&line.body) == Some(text));
        law(has && same, || {
            format!("shown, but not so in the durable inbox of {room:?}: {} by {from}", show(text))
        })?;
        law(from != nick, || format!("shown to its own author: {}", show(text)))
    }

    /// The user asks for something.
    pub(super) fn wished(&mut self, key: PublicKey, action: &RoomAction) {
        match action {
            RoomAction::Join(name) => drop(self.gone.remove(&(key, name.folded()))),
            RoomAction::Delete(name) => drop(self.deleted.insert(name.folded())),
            _ => {}
        }
    }

    /// The user is told what came of a request.
    ///
    /// # Errors
    /// It is not durable.
    pub(super) fn outcome(
        &mut self,
        key: PublicKey,
        account: Option<Account>,
        action: &RoomAction,
        result: Result<(), RoomRefusal>,
    ) -> Judgement {
        let is_member = |name: &RoomName| {
            let room = self.names.get(&name.folded())?;
            self.members.get(&(*room, account?)).map(|member| member.standing == Standing::Member)
        };
        match (action, result) {
            (RoomAction::Create(name), Ok(())) => {
                law(self.names.contains_key(&name.folded()), || {
                    format!("S5: {name} is created, but no room of the store")
                })
            }
            (RoomAction::Join(name), Ok(())) => law(is_member(name) == Some(true), || {
                format!("S5: joined {name}, but the store does not say so")
            }),
            (RoomAction::Leave(name), Ok(())) => {
                law(is_member(name) != Some(true), || {
                    format!("S5: left {name}, but the store does not say so")
                })?;
                self.gone.insert((key, name.folded()));
                Ok(())
            }
            (RoomAction::Delete(name), Ok(())) => {
                law(!self.names.contains_key(&name.folded()), || {
                    format!("S5: {name} is deleted, but a room of the store")
                })
            }
            _ => Ok(()),
        }
    }

    /// A member has all that its rooms keep.
    ///
    /// # Errors
    /// An entry is missing.
    pub(super) fn complete(&self, recipient: PublicKey, account: Option<Account>) -> Judgement {
        let mine = |of: &Account| Some(*of) == account;
        for ((room, _), member) in self.members.iter().filter(|((_, of), _)| mine(of)) {
            if member.standing != Standing::Member {
                continue;
            }
            let has = self.inboxes.get(&(recipient, *room));
            for index in member.since + 1..=self.entries(*room) as u64 {
                let has = has.is_some_and(|has| has.contains(&index));
                law(has || self.is_given_up(*room, index), || {
                    format!("L1: entry {index} of {room:?} never came to {recipient:?}")
                })?;
            }
        }
        Ok(())
    }

    /// An entry is spoiled from now on.
    pub(super) fn spoil(&mut self, room: Room, index: u64) {
        self.spoiled.insert((room, index));
    }

    /// An entry was spoiled.
    pub(super) fn is_spoiled(&self, room: Room, index: u64) -> bool {
        self.spoiled.contains(&(room, index))
    }

    /// An entry goes beyond what is kept of its room, or cannot be read any more.
    fn is_given_up(&self, room: Room, index: u64) -> bool {
        if self.is_spoiled(room, index) || self.ended.contains(&room) {
            return true;
        }
        let (Some(log), Some(kept)) = (self.logs.get(&room), self.retention) else { return false };
        let Some(line) = log.line(index) else { return false };
        let after = log.lines.len() as u64 + 1 - index;
        index < log.first
            || after > kept.entries.into()
            || log.bytes - line.before > kept.bytes
            || self.time.since(line.received).as_secs() >= kept.age.into()
    }
}

impl RoomLog {
    fn line(&self, index: u64) -> Option<&Line> {
        self.lines.get(usize::try_from(index.checked_sub(1)?).ok()?)
    }
}
