//! The laws that hold in every world, judged from outside: by what is
//! durable, what was said to users, and what was sent.

use std::collections::{BTreeMap, BTreeSet};

use proto_core::{
    client::{Event, MessageId, Refusal, To, Verdict},
    host::Log,
    id::{Account, Nick, Position, PublicKey, Room},
    record::{AccountState, Said},
    time::UnixTime,
    wire::Retention,
};

use crate::{
    judgement::{Judgement, Party, law, show},
    records::{self, AccountRecord, MailRecord, OutboxRecord, PairRecord},
    store::Change,
};

use super::rooms::Rooms;

/// A message as its author's durable outbox has or had it.
#[derive(Clone, Debug)]
struct Written {
    text: Vec<u8>,
    /// The last word on it, if there was one in any run of its author's.
    verdict: Option<Verdict>,
    /// The run in which that was said.
    run: u64,
    /// Its author was told that the server has it.
    stored: bool,
}

/// A conversation's messages, by position.
type Letters<T> = BTreeMap<u64, T>;

/// What was ever durable and ever said, in all nodes of a world.
#[derive(Debug, Default)]
pub struct Laws {
    /// Of each further device, the key of its user's first one. Outboxes and authors go by that.
    kin: BTreeMap<PublicKey, PublicKey>,
    outboxes: BTreeMap<(PublicKey, PublicKey), Letters<Written>>,
    inboxes: BTreeMap<(PublicKey, PublicKey), Letters<Vec<u8>>>,
    mail: BTreeSet<(Account, Account, u64)>,
    accounts: BTreeMap<Account, (PublicKey, Nick)>,
    by_nick: BTreeMap<[u8; 32], Account>,
    by_key: BTreeMap<PublicKey, Account>,
    /// Whom the operator removed: their mail is forgotten.
    removed: BTreeSet<Account>,
    /// Of rooms.
    rooms: Rooms,
    /// Messages expire in this world, so what is missing may be explained later.
    expiry: bool,
    key_numbers: BTreeMap<Account, u32>,
    /// An account may go to another key.
    passwords: bool,
    /// How long the server keeps mail; nothing, if that is not to be said.
    mail_kept: u64,
    /// Keys of people who take what they can get: what they say and confirm is not written down.
    strangers: BTreeSet<PublicKey>,
}

/// A user's own memory of one run of its client.
#[derive(Debug, Default)]
pub(super) struct Run {
    number: u64,
    said: BTreeMap<(PublicKey, u64), Mine>,
    /// The last message of each author that was shown; of one with two devices, in each epoch.
    shown: BTreeMap<(PublicKey, u64), u64>,
    /// The last entry of each room that was shown.
    read: BTreeMap<Room, u64>,
}

/// A message of this run, as its user knows it.
#[derive(Debug)]
struct Mine {
    text: Vec<u8>,
    accepted: bool,
    settled: bool,
}

fn place(id: &MessageId) -> (PublicKey, u64) {
    (id.recipient, id.position.to_record_number())
}

impl Run {
    /// Of the run with this number.
    pub(super) fn new(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    /// The user said something, and the client took it.
    ///
    /// # Errors
    /// A number was given twice in one run.
    pub(super) fn said(&mut self, id: &MessageId, text: &str) -> Judgement {
        let mine = Mine { text: text.as_bytes().to_vec(), accepted: false, settled: false };
        let twice = self.said.insert(place(id), mine).is_some();
        law(!twice, || format!("number {:?} was given to two messages of one run", id.position))
    }

    /// A message was passed on to the server.
    fn submitted(&self, id: &MessageId) -> Judgement {
        let settled = self.said.get(&place(id)).is_some_and(|mine| mine.settled);
        law(!settled, || format!("submitted after the last word: {id:?}"))
    }

    /// Messages that the client took and said nothing about yet.
    pub(super) fn unanswered(&self) -> usize {
        self.said.values().filter(|mine| !mine.accepted && !mine.settled).count()
    }
}

impl Laws {
    /// Where messages expire or do not, and accounts may go to other keys or may not.
    pub(crate) fn new(expiry: bool, passwords: bool) -> Self {
        Self { expiry, passwords, ..Self::default() }
    }

    /// Those of rooms.
    pub fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// Those of rooms.
    pub(super) fn rooms_mut(&mut self) -> &mut Rooms {
        &mut self.rooms
    }

    /// How long the server keeps mail, nothing if that is not to be said, and how much of a room.
    pub(super) fn server_keeps(&mut self, mail: u64, room: Retention) {
        self.mail_kept = mail;
        self.rooms.server_keeps(room);
    }

    /// How long the server keeps mail; nothing, if that is not to be said.
    pub(crate) fn mail_kept(&self) -> u64 {
        self.mail_kept
    }

    /// A key is that of another device of someone.
    pub(super) fn relate(&mut self, key: PublicKey, first: PublicKey) {
        self.kin.insert(key, first);
    }

    /// These keys belong to people who take what they can get.
    pub(super) fn introduce_strangers(&mut self, keys: BTreeSet<PublicKey>) {
        self.strangers.extend(keys);
    }

    fn first(&self, key: PublicKey) -> PublicKey {
        self.kin.get(&key).copied().unwrap_or(key)
    }

    /// What an inbox has of an author, on whichever device of its owner.
    fn kept(&self, recipient: PublicKey, author: PublicKey, position: u64) -> Option<&Vec<u8>> {
        let (recipient, author) = (self.first(recipient), self.first(author));
        let devices = self
            .inboxes
            .iter()
            .filter(|((of, from), _)| self.first(*of) == recipient && *from == author);
        devices.into_iter().find_map(|(_, inbox)| inbox.get(&position))
    }

    /// The server's store is lost: who has which account is decided anew.
    pub(super) fn server_begins_anew(&mut self) {
        self.accounts.clear();
        self.by_nick.clear();
        self.by_key.clear();
        self.removed.clear();
        self.key_numbers.clear();
    }

    /// Something became durable at someone's node, and is in its store now.
    ///
    /// # Errors
    /// A law was broken.
    pub(super) fn changed(
        &mut self,
        at: &Party<'_>,
        run: &Run,
        now: UnixTime,
        change: &Change,
    ) -> Judgement {
        let Party { key: at, store, .. } = *at;
        match change {
            Change::Put { log, number, last: head, before } => {
                let (number, head, before) = (*number, *head, before.as_deref());
                let record = store.record(*log, number);
                match log {
                    Log::Outbox(to) => self.outbox_put(at, *to, run, number, record, head, before),
                    Log::Inbox(from) => self.inbox_put(at, *from, number, record, head, before),
                    Log::Accounts => self.account_put(number, record),
                    Log::Mailbox(to) => self.mail_put(*to, record),
                    Log::Rooms => self.rooms.saved(number, record),
                    Log::Members(room) => {
                        let account = Account((number - 1) as u32);
                        let key = self.accounts.get(&account).map(|(key, _)| *key);
                        self.rooms.member(*room, number, key, record)
                    }
                    Log::Room(room) => self.room_put(*room, number, record),
                    Log::Pairs(author) => self.pair_put(*author, number, record),
                    Log::Conversations | Log::Passwords => Ok(()),
                }
            }
            Change::Forgotten { log, records } => match log {
                Log::Outbox(to) => self.outbox_forgotten(at, *to, records),
                Log::Mailbox(to) => self.mail_forgotten(*to, now, records),
                Log::Inbox(_) => law(records.is_empty(), || "an inbox was forgotten".into()),
                Log::Room(room) => self.rooms.forgotten(*room, records),
                Log::Members(room) if self.rooms.is_ended(*room) => Ok(()),
                Log::Accounts | Log::Rooms | Log::Members(_) => {
                    law(records.is_empty(), || format!("{log:?} was forgotten"))
                }
                Log::Pairs(_) | Log::Conversations | Log::Passwords => Ok(()),
            },
        }
    }

    /// A user is told something, with a text.
    ///
    /// # Errors
    /// It is not so.
    pub(super) fn told(
        &mut self,
        at: &Party<'_>,
        run: &mut Run,
        event: &Event,
        text: &[u8],
    ) -> Judgement {
        match *event {
            Event::Accepted { id, .. } => self.accepted(at.key, run, &id),
            Event::Verdict { id, verdict, .. } => self.verdict(at.key, run, &id, verdict),
            Event::Message { from, position, .. } => {
                self.shown(at.key, run, &from, position.to_record_number(), text)
            }
            Event::RoomMessage { room, index, from, .. } => {
                self.room_shown((at.key, at.nick), run, &room, index, &from, text)
            }
            Event::RoomReset { room } => {
                Err(format!("the log of {room:?} is said to be another, and none was put back"))
            }
            Event::RoomResponse { action, result } => {
                let account = self.by_key.get(&at.key).copied();
                self.rooms.outcome(at.key, account, &action, result)
            }
            Event::Submitted { id, .. } => run.submitted(&id),
            _ => Ok(()),
        }
    }

    /// The client says that a message is durable.
    fn accepted(&mut self, author: PublicKey, run: &mut Run, id: &MessageId) -> Judgement {
        let durable = self.written(author, id);
        let Some(mine) = run.said.get_mut(&place(id)) else {
            return Err(format!("a message was accepted that was not said: {id:?}"));
        };
        law(!mine.accepted, || format!("a message was accepted twice: {id:?}"))?;
        mine.accepted = true;
        let same = durable.is_some_and(|written| written.text == mine.text);
        law(same, || format!("S1: accepted, but not durable in the outbox: {id:?}"))
    }

    /// The client tells what became of a message.
    fn verdict(
        &mut self,
        author: PublicKey,
        run: &mut Run,
        id: &MessageId,
        verdict: Verdict,
    ) -> Judgement {
        let room = self.rooms.room(&id.recipient);
        let last = verdict != Verdict::Stored || room.is_some();
        if let Some(mine) = run.said.get_mut(&place(id)) {
            law(!mine.settled, || format!("a word after the last one: {verdict:?} on {id:?}"))?;
            mine.settled = last;
        }
        let position = id.position.to_record_number();
        let arrived = self.kept(id.recipient, author, position).map(|text| show(text));
        let (author, recipient) = (self.first(author), self.first(id.recipient));
        let accounts = (self.by_key.get(&author), self.by_key.get(&recipient));
        let held = match accounts {
            (Some(from), None) => room.is_some_and(|room| self.rooms.had(room, *from, position)),
            (Some(from), Some(to)) => self.mail.contains(&(*from, *to, position)),
            _ => false,
        };
        let Some(written) = self
            .outboxes
            .get_mut(&(author, recipient))
            .and_then(|letters| letters.get_mut(&position))
        else {
            // It could not be made durable.
            let told = matches!(verdict, Verdict::Refused(_) | Verdict::Failed(_));
            return law(told, || {
                format!("{verdict:?} on a message that was never durable: {id:?}")
            });
        };
        if let Some(before) = written.verdict {
            law(written.run != run.number, || {
                format!("a word after the last one: {before:?}, then {verdict:?} on {id:?}")
            })?;
            law(before == verdict || !last, || {
                format!("{verdict:?} after {before:?} in an earlier run, on {id:?}")
            })?;
        }
        if !last {
            written.stored = true;
            return law(held || arrived.is_some(), || {
                format!("S5: stored, but neither the mailbox nor the inbox has it: {id:?}")
            });
        }
        written.verdict = Some(verdict);
        written.run = run.number;
        if let Some(room) = room {
            return match verdict {
                Verdict::Stored => law(held, || format!("S5: stored, but not in {room:?}: {id:?}")),
                Verdict::Refused(_) | Verdict::Failed(_) => {
                    law(!held, || format!("{verdict:?}, but in {room:?}: {id:?}"))
                }
                Verdict::Delivered => Err(format!("delivered to {room:?}: {id:?}")),
                Verdict::Expired => Ok(()),
                Verdict::Unconfirmed => Err(format!("unconfirmed in {room:?}: {id:?}")),
            };
        }
        match verdict {
            Verdict::Delivered => law(arrived.is_some(), || {
                format!("S1: delivered, but not in the recipient's durable inbox: {id:?}")
            }),
            Verdict::Unconfirmed => law(arrived.is_none(), || {
                format!("unconfirmed, but in the recipient's inbox: {id:?}")
            }),
            // What one device had under way when another took over it may have to say again.
            Verdict::Refused(Refusal::Superseded) if self.passwords => Ok(()),
            Verdict::Refused(_) | Verdict::Failed(_) => law(arrived.is_none(), || {
                format!("{verdict:?}, but in the recipient's inbox: {id:?}")
            }),
            Verdict::Stored | Verdict::Expired => Ok(()),
        }
    }

    /// A message is shown to its recipient.
    fn shown(
        &mut self,
        recipient: PublicKey,
        run: &mut Run,
        from: &Nick,
        position: u64,
        text: &[u8],
    ) -> Judgement {
        // One who was removed may have written it, and another hold the nick now.
        let holders = self.accounts.values().filter(|(_, nick)| nick == from);
        let mut holders = holders.map(|(key, _)| self.first(*key)).peekable();
        if holders.peek().is_none() {
            return Err(format!("S4: a message came from {from}, a nick nobody ever held"));
        }
        let author = holders.find(|author| {
            let inbox = self.inboxes.get(&(recipient, *author));
            inbox.and_then(|inbox| inbox.get(&position)).is_some_and(|kept| kept == text)
        });
        let Some(author) = author else {
            return Err(format!(
                "shown, but not so in the durable inbox: {} from {from}",
                show(text)
            ));
        };
        let epoch = if self.passwords { position >> 32 } else { 0 };
        let before = run.shown.insert((author, epoch), position).unwrap_or(0);
        law(before < position, || {
            format!("S2/S3: shown {position} of {from} after {before}: {}", show(text))
        })
    }

    /// An entry of a room is shown to a member.
    fn room_shown(
        &self,
        (recipient, nick): (PublicKey, Nick),
        run: &mut Run,
        room: &To,
        index: u64,
        from: &Nick,
        text: &[u8],
    ) -> Judgement {
        let Some(room) = self.rooms.number(room) else {
            return Err(format!("a message came from {room:?}, which there is not"));
        };
        self.rooms.shown(recipient, &nick, room, index, from, text)?;
        let before = run.read.insert(room, index).unwrap_or(0);
        law(before < index, || format!("S2/S3: shown {index} of {room:?} after {before}"))
    }

    /// Messages without a last word: author, recipient, position, and whether the server has it.
    pub fn open(&self) -> impl Iterator<Item = (PublicKey, PublicKey, u64, bool)> + '_ {
        self.outboxes.iter().flat_map(|((author, recipient), letters)| {
            letters
                .iter()
                .filter(|(_, written)| written.verdict.is_none())
                .map(|(position, written)| (*author, *recipient, *position, written.stored))
        })
    }

    /// Every message that was ever durable in an outbox: author, recipient, text, and the last
    /// thing that its author was told of it.
    pub fn letters(
        &self,
    ) -> impl Iterator<Item = (PublicKey, PublicKey, String, Option<Verdict>)> + '_ {
        self.outboxes.iter().flat_map(|((author, recipient), letters)| {
            letters.values().map(|written| {
                let text = String::from_utf8_lossy(&written.text).into_owned();
                let stored = written.stored.then_some(Verdict::Stored);
                (*author, *recipient, text, written.verdict.or(stored))
            })
        })
    }

    /// Every account that is durable: its nick, and the key that holds it.
    pub fn accounts(&self) -> impl Iterator<Item = (Nick, PublicKey)> + '_ {
        self.accounts.values().map(|(key, nick)| (*nick, *key))
    }

    /// The nick of an account that is durable.
    pub fn nick(&self, account: Account) -> String {
        self.accounts.get(&account).map_or_else(String::new, |(_, nick)| nick.to_string())
    }

    /// Whether an inbox has a message.
    pub fn arrived(&self, recipient: PublicKey, author: PublicKey, position: u64) -> bool {
        self.kept(recipient, author, position).is_some()
    }

    /// The texts of one author in an inbox, in order.
    pub fn inbox(&self, recipient: PublicKey, author: PublicKey) -> Vec<String> {
        let inbox = self.inboxes.get(&(recipient, self.first(author)));
        let texts = inbox.into_iter().flat_map(BTreeMap::values);
        texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    /// Every message that should have arrived at this recipient did. Authors who are
    /// `absent` may still have some to send.
    ///
    /// # Errors
    /// One is missing without its author having been told.
    pub(crate) fn complete(
        &self,
        recipient: PublicKey,
        absent: impl Fn(PublicKey) -> bool,
    ) -> Judgement {
        self.rooms_complete(recipient)?;
        for ((author, _), letters) in self.outboxes.iter().filter(|((_, to), _)| *to == recipient) {
            for (position, written) in letters {
                let explained = match written.verdict {
                    Some(
                        Verdict::Expired
                        | Verdict::Unconfirmed
                        | Verdict::Refused(_)
                        | Verdict::Failed(_),
                    ) => true,
                    // Its author is not there to send it.
                    None => !written.stored && absent(*author),
                    Some(_) => false,
                };
                // Mail that expired may not have been told to an author who is away.
                let explained = explained || (self.expiry && absent(*author));
                law(explained || self.arrived(recipient, *author, *position), || {
                    format!(
                        "S1: {} of {author:?} never came to {recipient:?}; its author was told {:?}",
                        show(&written.text),
                        written.verdict
                    )
                })?;
            }
        }
        Ok(())
    }

    /// A member has all that its rooms keep.
    ///
    /// # Errors
    /// An entry is missing.
    pub(crate) fn rooms_complete(&self, recipient: PublicKey) -> Judgement {
        self.rooms.complete(recipient, self.by_key.get(&recipient).copied())
    }

    /// The key that holds a nick, durably.
    pub fn holder(&self, nick: &Nick) -> Option<PublicKey> {
        self.by_nick.get(&nick.folded()).and_then(|a| self.accounts.get(a)).map(|(key, _)| *key)
    }

    fn written(&self, author: PublicKey, id: &MessageId) -> Option<&Written> {
        let names = (self.first(author), self.first(id.recipient));
        self.outboxes.get(&names)?.get(&id.position.to_record_number())
    }

    #[allow(clippy::too_many_arguments)] // a change has that many sides
    fn outbox_put(
        &mut self,
        author: PublicKey,
        to: PublicKey,
        run: &Run,
        number: u64,
        record: &[u8],
        head: u64,
        before: Option<&[u8]>,
    ) -> Judgement {
        let Some((OutboxRecord { given_up }, body)) = records::read(record) else {
            return Err("an outbox record is damaged".into());
        };
        let names = (self.first(author), self.first(to));
        let letters = self.outboxes.entry(names).or_default();
        if given_up {
            return law(letters.contains_key(&number), || {
                format!("{number} is given up, but was never durable")
            });
        }
        let text = records::text(body).unwrap_or_default().to_vec();
        if before.is_some() || letters.contains_key(&number) {
            let same = letters.get(&number).is_some_and(|written| written.text == text);
            return law(same, || format!("outbox number {number} was used for two messages"));
        }
        law(number > head, || format!("outbox number {number} came after {head}"))?;
        let said = run.said.get(&(to, number)).is_some_and(|mine| mine.text == text);
        law(said, || format!("the outbox has {} that nobody said", show(&text)))?;
        letters.insert(number, Written { text, verdict: None, run: 0, stored: false });
        Ok(())
    }

    fn inbox_put(
        &mut self,
        recipient: PublicKey,
        author: PublicKey,
        number: u64,
        record: &[u8],
        head: u64,
        before: Option<&[u8]>,
    ) -> Judgement {
        let Some(said) = Said::from_inbox(record) else {
            return Err("an inbox record is damaged".into());
        };
        let text = said.text;
        if let Some(before) = before {
            let same = Said::from_inbox(before).is_some_and(|said| said.text == text);
            return law(same, || format!("S2: inbox number {number} holds another text now"));
        }
        if let Some(room) = self.rooms.room(&author) {
            let account = self.by_key.get(&self.first(recipient)).copied();
            return self.rooms.read(recipient, account, room, number, &said, head);
        }
        // Of an author with two devices, each has epochs of its own.
        let behind = self.passwords && number >> 32 < head >> 32;
        law(number > head || behind, || format!("S3: inbox number {number} came after {head}"))?;
        let author = self.first(author);
        if self.strangers.contains(&author) {
            self.inboxes.entry((recipient, author)).or_default().insert(number, text.to_vec());
            return Ok(());
        }
        let letters = self.outboxes.get(&(author, self.first(recipient)));
        let written = letters.and_then(|letters| letters.get(&number));
        law(written.is_some_and(|written| written.text == text), || {
            format!("S4: {} came, which {author:?} did not write", show(text))
        })?;
        if let Some(Written { verdict: Some(Verdict::Refused(why)), .. }) = written
            && !(self.passwords && *why == Refusal::Superseded)
        {
            return Err(format!("{} came after it was refused ({why:?})", show(text)));
        }
        for (skipped, written) in
            letters.into_iter().flat_map(|l| l.range(head.min(number - 1) + 1..number))
        {
            let explained = matches!(
                written.verdict,
                Some(Verdict::Expired | Verdict::Refused(_) | Verdict::Failed(_))
            );
            // Another device may have it.
            let elsewhere = self.kept(recipient, author, *skipped).is_some();
            let elsewhere = elsewhere || self.passwords && *skipped >> 32 < number >> 32;
            law(explained || elsewhere || self.expiry, || {
                format!("S3: {number} came after {head}, but {skipped} was not given up")
            })?;
        }
        self.inboxes.entry((recipient, author)).or_default().insert(number, text.to_vec());
        Ok(())
    }

    fn outbox_forgotten(
        &self,
        author: PublicKey,
        to: PublicKey,
        records: &[(u64, Vec<u8>)],
    ) -> Judgement {
        let letters = self.outboxes.get(&(self.first(author), self.first(to)));
        for (number, _) in records {
            let written = letters.and_then(|letters| letters.get(number));
            law(written.is_some_and(|written| written.verdict.is_some()), || {
                format!("S1: message {number} of {author:?} was forgotten before its last word")
            })?;
        }
        Ok(())
    }

    /// Only what its author wrote, and was not told is refused, is in a room's log.
    fn room_put(&mut self, room: Room, index: u64, record: &[u8]) -> Judgement {
        let Some(entry) = self.rooms.entry(room, index, record)? else { return Ok(()) };
        let author = self.accounts.get(&entry.from).map(|(key, _)| *key);
        if author.is_some_and(|author| self.strangers.contains(&author)) {
            return Ok(());
        }
        let written = author.and_then(|author| {
            let mut outboxes = self.outboxes.iter();
            let (_, letters) = outboxes
                .find(|((from, to), _)| *from == author && self.rooms.room(to) == Some(room))?;
            letters.get(&entry.position)
        });
        let text = show(entry.text);
        law(written.is_some_and(|written| written.text == entry.text), || {
            format!("S4: {room:?} has {text}, which {:?} did not write", entry.from)
        })?;
        match written {
            Some(Written { verdict: Some(Verdict::Refused(why)), .. }) => {
                Err(format!("{room:?} has {text} after it was refused ({why:?})"))
            }
            _ => Ok(()),
        }
    }

    fn account_put(&mut self, number: u64, record: &[u8]) -> Judgement {
        let decoded = records::read::<AccountRecord>(record);
        let Some((AccountRecord { key, nick, since, key_number, state, .. }, _)) = decoded else {
            return Err("an account's record is damaged".into());
        };
        let account = Account((number - 1) as u32);
        if state == AccountState::Removed {
            // Its nick and its key are free from now on.
            self.by_nick.retain(|_, of| *of != account);
            self.by_key.retain(|_, of| *of != account);
            self.removed.insert(account);
            return Ok(());
        }
        self.rooms.account(account, since)?;
        self.key_numbers.insert(account, key_number);
        if let Some(before) = self.accounts.get_mut(&account).filter(|_| self.passwords) {
            before.0 = key;
        }
        let before = *self.accounts.entry(account).or_insert((key, nick));
        let by_nick = *self.by_nick.entry(nick.folded()).or_insert(account);
        let by_key = *self.by_key.entry(self.first(key)).or_insert(account);
        law(before == (key, nick) && by_nick == account && by_key == account, || {
            format!(
                "S10: {nick} and {key:?} as {account:?}, but the nick is {by_nick:?}, the key {by_key:?}"
            )
        })
    }

    /// S1: what the server is going to call delivered is in the recipient's inbox.
    fn pair_put(&self, author: Account, number: u64, record: &[u8]) -> Judgement {
        // What is said in rooms has a record of another kind, under higher numbers.
        let recipient = u32::try_from(number - 1).ok().map(Account);
        let key = |account: Account| self.accounts.get(&account).map(|(key, _)| *key);
        let (Some(from), Some(to)) = (key(author), recipient.and_then(key)) else {
            return Ok(());
        };
        let Some((pair, _)) = records::read::<PairRecord>(record) else {
            return Err("a pair's record is damaged".into());
        };
        let letters = self.outboxes.get(&(self.first(from), self.first(to)));
        for position in letters.into_iter().flat_map(BTreeMap::keys) {
            let claimed = pair.received.covers(Position::from_record_number(*position));
            law(!claimed || self.kept(to, from, *position).is_some(), || {
                format!("M3: the server has the word of {to:?} for {position:#x}, which it has not")
            })?;
        }
        Ok(())
    }

    fn mail_put(&mut self, to: Account, record: &[u8]) -> Judgement {
        let Some((mail, _)) = records::read::<MailRecord>(record) else {
            return Err("a mailbox record is damaged".into());
        };
        self.mail.insert((mail.from, to, mail.position()));
        Ok(())
    }

    fn mail_forgotten(&self, to: Account, now: UnixTime, records: &[(u64, Vec<u8>)]) -> Judgement {
        if self.removed.contains(&to) {
            return Ok(());
        }
        let key = |account: Account| self.accounts.get(&account).map(|(key, _)| *key);
        for (index, record) in records {
            let Some((mail, _)) = records::read::<MailRecord>(record) else { continue };
            let (Some(author), Some(recipient)) = (key(mail.from), key(to)) else {
                return Err(format!("mail {index} belongs to nobody"));
            };
            if [author, recipient].iter().any(|key| self.strangers.contains(key)) {
                continue;
            }
            let inbox = self.inboxes.get(&(recipient, self.first(author)));
            let had = inbox.is_some_and(|inbox| inbox.range(mail.position()..).next().is_some());
            // What is sealed to a key that the account has no more goes back to its author.
            let had = had || Some(&mail.key) != self.key_numbers.get(&to);
            let expired = now.since(mail.received).as_micros() >= u128::from(self.mail_kept);
            law(had || expired, || {
                format!(
                    "S1: mail {index} from {author:?} was forgotten before {recipient:?} had it"
                )
            })?;
        }
        Ok(())
    }
}
