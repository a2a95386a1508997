//! The laws of worlds in which stores go back in time: put back from a backup, begun anew, or
//! copied together with their identity.
//!
//! They judge by texts, each of which is said once in a world, since a number says nothing of
//! what was lost: it may have been given away in the lost time.
//!
//! **What is promised,** whichever stores went back and how often:
//! - No number is given to two texts, by a client, its copies and its former selves together.
//! - Nothing is called delivered unless the recipient's durable inbox had that very text.
//! - Nothing is called saved, or said, unless the server's durable store had it; and what is
//!   called so once the loss is over, is in the store as it is now. An author who went back may be
//!   told again what was true when it was told first: the readers of that time have the message.
//! - What an author was told is saved, and nothing more, is still the author's to deliver: if the
//!   server lost it, it is submitted again, so it has a last word when all are back.
//! - Whoever is there in the end has all that the server has for them: mail, and every entry of
//!   their rooms, whichever entries they had read of a log that was lost.
//! - An inbox has each text once, each entry of a room once, and is in its authors' order.
//! - No log is called another one but once for each time that the server's store went back, nor
//!   does the server say that of its store without reason.
//! - Nothing is called missing unless its author or its reader went back, or it was refused.
//! - Nothing that was called refused arrives, but what was `Superseded`: that word is for whom went
//!   back themselves, or whose server went back and forth, and says that it is not known.
//!
//! **What is not promised:** whoever's store went back has lost what it had, whether it was
//! written, received or kept for others, and nobody else is held to it. Entries of a room that
//! were lost are gone for those who had not read them. A text that is open in two copies of an
//! outbox may be refused in one and arrive from the other.

use std::collections::{BTreeMap, BTreeSet};

use proto_core::{
    client::{Event, MessageId, Refusal, To, Verdict},
    host::Log,
    id::{Account, Epoch, Nick, Position, PublicKey, Room},
    record::Said,
};

use crate::{
    clock::{Moment, SECOND},
    contents,
    judgement::{Judgement, Party, law, show},
    place::{Place, SERVER},
    records::{self, EntryRecord, MailRecord, MemberRecord, OutboxRecord, Standing},
    store::{Change, Store},
};

/// How long words may still come that were true before a loss: the longest that a server stays
/// down, and a slow store on the way.
const AFTERMATH: Moment = 90 * SECOND;

/// Names a message of one author: its recipient, and its number.
type MessageKey = (PublicKey, u64);

/// What was ever durable and ever said, in all the pasts of a world.
#[derive(Debug, Default)]
pub(crate) struct RestoredLaws {
    said: BTreeMap<Vec<u8>, Spoken>,
    /// The text that each number stands for: of author, to recipient.
    numbers: BTreeMap<(PublicKey, PublicKey, u64), Vec<u8>>,
    /// Texts that were ever in somebody's durable inbox.
    had: BTreeSet<(PublicKey, Vec<u8>)>,
    /// Texts that somebody lost, and got again.
    late: BTreeSet<(PublicKey, Vec<u8>)>,
    /// How often a text came into a room's log.
    appended: BTreeMap<Vec<u8>, usize>,
    /// Mail that the server ever had: of author, to recipient.
    mailed: BTreeSet<(PublicKey, PublicKey, u64)>,
    /// Texts of which an author was told that they are refused.
    refused: BTreeSet<Vec<u8>>,
    /// Texts of which an author was told that a room has them.
    told: BTreeSet<Vec<u8>>,
    /// Whose store ever went back, or was copied.
    rewound: BTreeSet<PublicKey>,
    /// When the server's store went back last, and how often it did.
    lost: Option<Moment>,
    losses: usize,
    letters: BTreeMap<Place, Letters>,
    runs: BTreeMap<Place, Run>,
}

/// What a user said.
#[derive(Debug)]
struct Spoken {
    author: PublicKey,
    nick: Nick,
    to: To,
}

/// The messages that a store had in its outbox: they go back with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Letters(BTreeMap<MessageKey, Letter>);

/// A message in an outbox, and what its user was told of it.
#[derive(Clone, Debug)]
struct Letter {
    text: Vec<u8>,
    stored: bool,
    verdict: Option<Verdict>,
}

/// A user's memory of one run.
#[derive(Debug, Default)]
struct Run {
    said: BTreeMap<MessageKey, Mine>,
    /// The last message of each author that was shown, in each epoch.
    last: BTreeMap<([u8; 32], Epoch), u64>,
    /// How often the log of a room was called another one.
    resets: BTreeMap<String, usize>,
    /// How often a text was shown.
    shown: BTreeMap<Vec<u8>, usize>,
}

/// A message of this run.
#[derive(Debug)]
struct Mine {
    text: Vec<u8>,
    accepted: bool,
    settled: bool,
}

fn key_of(id: &MessageId) -> MessageKey {
    (id.recipient, id.position.to_record_number())
}

/// The epoch of a message's number in a log.
fn epoch(number: u64) -> Epoch {
    Position::from_record_number(number).epoch
}

/// A log's records come in the order of their numbers.
fn is_ordered(log: Log) -> bool {
    matches!(log, Log::Outbox(_) | Log::Inbox(_) | Log::Room(_))
}

fn same(one: &To, other: &To) -> bool {
    match (one, other) {
        (To::Peer(one), To::Peer(other)) => one.folded() == other.folded(),
        (To::Room(one), To::Room(other)) => one.folded() == other.folded(),
        (one, other) => one == other,
    }
}

impl RestoredLaws {
    /// What a store has in its outbox, to be kept with a copy of it.
    pub(super) fn letters(&self, at: Place) -> Letters {
        self.letters.get(&at).cloned().unwrap_or_default()
    }

    /// A store is another from now on.
    pub(super) fn went_back(&mut self, at: &Party<'_>, letters: Letters, now: Moment) {
        self.letters.insert(at.place, letters);
        if at.place == SERVER {
            (self.lost, self.losses) = (Some(now), self.losses + 1);
        } else {
            self.rewound.insert(at.key);
        }
    }

    /// The server's store ever went back.
    pub(super) fn server_went_back(&self) -> bool {
        self.losses > 0
    }

    /// A node starts again.
    pub(super) fn started(&mut self, at: Place) {
        self.runs.insert(at, Run::default());
    }

    /// A user said something, and the client took it.
    ///
    /// # Errors
    /// A number was given twice in one run.
    pub(super) fn said(&mut self, at: &Party<'_>, id: &MessageId, to: To, text: &str) -> Judgement {
        let text = text.as_bytes().to_vec();
        self.said.insert(text.clone(), Spoken { author: at.key, nick: at.nick, to });
        let mine = Mine { text, accepted: false, settled: false };
        let run = self.runs.entry(at.place).or_default();
        let twice = run.said.insert(key_of(id), mine).is_some();
        law(!twice, || format!("number {:?} was given to two messages of one run", id.position))
    }

    /// Messages that a client took and said nothing about yet.
    pub(super) fn unanswered(&self, at: Place) -> usize {
        let said = self.runs.get(&at).into_iter().flat_map(|run| run.said.values());
        said.filter(|mine| !mine.accepted && !mine.settled).count()
    }

    /// Messages of a store's outbox without a last word: to whom, and whether the server has it.
    pub(crate) fn open(&self, at: Place) -> impl Iterator<Item = (&To, &[u8], bool)> {
        let letters = self.letters.get(&at).into_iter().flat_map(|letters| letters.0.values());
        letters.filter(|letter| letter.verdict.is_none()).filter_map(|letter| {
            Some((&self.said.get(&letter.text)?.to, letter.text.as_slice(), letter.stored))
        })
    }

    // ---- what is durable

    /// Something became durable at a node: it is in its store now.
    ///
    /// # Errors
    /// A law was broken.
    pub(super) fn changed(&mut self, at: &Party<'_>, change: &Change) -> Judgement {
        match change {
            Change::Put { log, number, last: head, before } => {
                let (number, is_new) = (*number, before.is_none());
                let record = at.store.record(*log, number);
                let appends = is_new && is_ordered(*log);
                let in_order = !appends || number > *head || self.may_be_late(at, *log, record);
                law(in_order, || format!("S3: {number:#x} of {log:?} came after {head:#x}"))?;
                match log {
                    Log::Outbox(to) => self.outbox_put(at, *to, number, record),
                    Log::Inbox(from) if is_new => self.inbox_put(at, *from, number, record),
                    Log::Mailbox(to) => self.mail_put(at, *to, record),
                    Log::Room(room) if is_new => self.room_put(at, *room, number, record),
                    _ => Ok(()),
                }
            }
            Change::Forgotten { log, records } => match log {
                Log::Outbox(to) => {
                    let letters = self.letters.entry(at.place).or_default();
                    let mut told = records.iter().map(|(number, _)| letters.0.get(&(*to, *number)));
                    law(told.all(|letter| letter.is_some_and(|l| l.verdict.is_some())), || {
                        format!("S1: messages {records:?} were forgotten before their last word")
                    })
                }
                Log::Mailbox(to) => self.mail_forgotten(at, *to, records),
                Log::Inbox(_) | Log::Room(_) | Log::Accounts | Log::Rooms => {
                    law(records.is_empty(), || format!("{log:?} was forgotten"))
                }
                // Of members, those of a room that is no more.
                Log::Members(_) | Log::Pairs(_) | Log::Conversations | Log::Passwords => Ok(()),
            },
        }
    }

    /// What an older copy of an author said may come behind what a later one did: each has
    /// epochs of its own. And what a reader has lost, and gets again, may come behind the rest.
    fn may_be_late(&self, at: &Party<'_>, log: Log, record: &[u8]) -> bool {
        let (Log::Inbox(author), Some(said)) = (log, Said::from_inbox(record)) else {
            return false;
        };
        said.author.is_none() && (self.rewound.contains(&author) || self.comes_again(at, said.text))
    }

    /// A reader had this, and lost it.
    fn comes_again(&self, at: &Party<'_>, text: &[u8]) -> bool {
        self.had.contains(&(at.key, text.to_vec()))
    }

    fn outbox_put(
        &mut self,
        at: &Party<'_>,
        to: PublicKey,
        number: u64,
        record: &[u8],
    ) -> Judgement {
        let Some((OutboxRecord { given_up }, body)) = records::read(record) else {
            return Err("an outbox record is damaged".into());
        };
        let letters = self.letters.entry(at.place).or_default();
        if given_up {
            return law(letters.0.contains_key(&(to, number)), || {
                format!("{number:#x} is given up, but was never durable")
            });
        }
        let text = records::text(body).unwrap_or_default().to_vec();
        let author = self.said.get(&text).map(|spoken| spoken.author);
        law(author == Some(at.key), || format!("the outbox has {} that nobody said", show(&text)))?;
        let before = self.numbers.entry((at.key, to, number)).or_insert_with(|| text.clone());
        law(*before == text, || {
            format!(
                "{number:#x} was {} in a time that was lost, and is {} now",
                show(before),
                show(&text)
            )
        })?;
        letters.0.entry((to, number)).or_insert(Letter { text, stored: false, verdict: None });
        Ok(())
    }

    fn inbox_put(
        &mut self,
        at: &Party<'_>,
        from: PublicKey,
        number: u64,
        record: &[u8],
    ) -> Judgement {
        let Some(Said { author, text, .. }) = Said::from_inbox(record) else {
            return Err("an inbox record is damaged".into());
        };
        let Some(spoken) = self.said.get(text) else {
            return Err(format!("S4: {} came, which nobody said", show(text)));
        };
        let times =
            contents::inbox(at.store, author.is_some()).filter(|other| *other == text).count();
        match author {
            Some(nick) => {
                let same = spoken.to.is_room() && nick == spoken.nick;
                law(same, || format!("S4: {nick} did not say {} in a room", show(text)))?;
                let most = self.appended.get(text).copied().unwrap_or(0);
                law(times <= most, || {
                    format!(
                        "S2: {} is there {times} times, and was appended {most} times",
                        show(text)
                    )
                })
            }
            None => {
                let meant = same(&spoken.to, &To::Peer(at.nick)) && spoken.author == from;
                law(meant, || format!("S4: {} is not from {from:?} to here", show(text)))?;
                law(times == 1, || format!("S2: {} is there {times} times", show(text)))?;
                let last = contents::log(at.store, Log::Inbox(from))
                    .map(|(other, _)| other)
                    .rfind(|other| epoch(*other) == epoch(number));
                if self.comes_again(at, text) {
                    self.late.insert((at.key, text.to_vec()));
                }
                let late = self.late.contains(&(at.key, text.to_vec()));
                law(last == Some(number) || late, || {
                    format!("S3: {} came after another of its epoch", show(text))
                })?;
                let refused = self.refused.contains(text) && !self.rewound.contains(&from);
                law(!refused, || format!("{} came after it was refused", show(text)))?;
                self.had.insert((at.key, text.to_vec()));
                Ok(())
            }
        }
    }

    fn room_put(&mut self, at: &Party<'_>, room: Room, index: u64, record: &[u8]) -> Judgement {
        let Some((entry, body)) = records::read::<EntryRecord>(record) else {
            return Err("an entry of a room is damaged".into());
        };
        let text = records::text(body).unwrap_or_default();
        let author = contents::accounts(at.store).get(&entry.from).map(|account| account.key);
        let known = self.said.get(text).zip(contents::rooms(at.store).remove(&room));
        let Some((spoken, to)) = known.filter(|(spoken, _)| Some(spoken.author) == author) else {
            return Err(format!("S4: {room:?} has {}, which {author:?} did not say", show(text)));
        };
        law(same(&spoken.to, &to), || format!("S4: {} was not said in {to:?}", show(text)))?;
        for (other, before, _) in contents::entries(at.store, room) {
            let in_order =
                other >= index || before.from != entry.from || before.position() < entry.position();
            law(in_order, || format!("S2/S3: {room:?} has {} again, or too late", show(text)))?;
        }
        let refused = self.refused.contains(text) && !self.rewound.contains(&spoken.author);
        law(!refused, || format!("{room:?} has {} after it was refused", show(text)))?;
        *self.appended.entry(text.to_vec()).or_default() += 1;
        Ok(())
    }

    fn mail_put(&mut self, at: &Party<'_>, to: Account, record: &[u8]) -> Judgement {
        let Some((mail, _)) = records::read::<MailRecord>(record) else {
            return Err("a mailbox record is damaged".into());
        };
        let accounts = contents::accounts(at.store);
        let key = |account| accounts.get(&account).map(|account| account.key);
        let (Some(author), Some(recipient)) = (key(mail.from), key(to)) else {
            return Err("mail belongs to nobody".into());
        };
        let name = (author, recipient, mail.position());
        law(self.numbers.contains_key(&name), || {
            format!("S4: mail {:#x} of {author:?} was never written", mail.position())
        })?;
        self.mailed.insert(name);
        Ok(())
    }

    fn mail_forgotten(&self, at: &Party<'_>, to: Account, records: &[(u64, Vec<u8>)]) -> Judgement {
        let accounts = contents::accounts(at.store);
        let key = |account| accounts.get(&account).map(|account| account.key);
        for (index, record) in records {
            let Some((mail, _)) = records::read::<MailRecord>(record) else { continue };
            let (Some(author), Some(recipient)) = (key(mail.from), key(to)) else {
                return Err(format!("mail {index} belongs to nobody"));
            };
            let text = self.numbers.get(&(author, recipient, mail.position()));
            let had = text.is_some_and(|text| self.had.contains(&(recipient, text.clone())));
            law(had, || {
                let text = show(text.map(Vec::as_slice).unwrap_or_default());
                format!("S1: mail {index}, {text}, was forgotten before its recipient had it")
            })?;
        }
        Ok(())
    }

    // ---- what users are told

    /// A user is told something, with a text.
    ///
    /// # Errors
    /// It is not so.
    pub(super) fn told(
        &mut self,
        at: &Party<'_>,
        server: &Store,
        event: &Event,
        text: &[u8],
        now: Moment,
    ) -> Judgement {
        match event {
            Event::Accepted { id, .. } => self.accepted(at.place, id),
            Event::Verdict { id, verdict, .. } => self.verdict(at, server, id, *verdict, now),
            Event::Message { from, position, .. } => {
                let times = contents::inbox(at.store, false).filter(|other| *other == text).count();
                self.shown(at.place, from, text, times)?;
                let (epoch, position) = (position.epoch, position.to_record_number());
                let late = self.late.contains(&(at.key, text.to_vec()));
                let run = self.runs.entry(at.place).or_default();
                let last = run.last.entry((from.folded(), epoch)).or_default();
                let before = *last;
                *last = before.max(position);
                law(before < position || late, || {
                    format!("S3: shown {position:#x} of {from} after {before:#x}: {}", show(text))
                })
            }
            Event::RoomMessage { room, from, .. } => {
                let meant = self.said.get(text).is_some_and(|spoken| same(&spoken.to, room));
                law(meant, || format!("S4: {} was not said in {room:?}", show(text)))?;
                law(*from != at.nick, || format!("shown to its own author: {}", show(text)))?;
                let times = contents::inbox(at.store, true).filter(|other| *other == text).count();
                self.shown(at.place, from, text, times)
            }
            Event::Gap { from, missing } => {
                let mut said = self.said.values();
                let author = said.find(|spoken| spoken.nick == *from).map(|spoken| spoken.author);
                let of_author =
                    |text| self.said.get(text).is_some_and(|spoken: &Spoken| spoken.nick == *from);
                let explained = self.refused.iter().any(of_author)
                    || self.rewound.contains(&at.key)
                    || author.is_some_and(|author| self.rewound.contains(&author));
                law(explained, || format!("{missing} of {from} are missing, and nobody went back"))
            }
            Event::RoomReset { room } => {
                let run = self.runs.entry(at.place).or_default();
                let times = run.resets.entry(format!("{room:?}")).or_default();
                *times += 1;
                law(*times <= self.losses, || {
                    let losses = self.losses;
                    format!("the log of {room:?} is another {times} times, after {losses} losses")
                })
            }
            // All of every room's log is kept.
            Event::RoomGap { room, missing, .. } => {
                Err(format!("{missing} entries of {room:?} are called gone"))
            }
            _ => Ok(()),
        }
    }

    /// A message is shown, which the inbox has so many times.
    fn shown(&mut self, place: Place, from: &Nick, text: &[u8], times: usize) -> Judgement {
        let nick = self.said.get(text).map(|spoken| spoken.nick);
        law(nick == Some(*from), || format!("S4: shown as from {from}: {}", show(text)))?;
        let shown = self.runs.entry(place).or_default().shown.entry(text.to_vec()).or_default();
        *shown += 1;
        law(*shown <= times, || {
            format!("S2: shown {shown} times, {times} times in the inbox: {}", show(text))
        })
    }

    fn accepted(&mut self, place: Place, id: &MessageId) -> Judgement {
        let run = self.runs.entry(place).or_default();
        let Some(mine) = run.said.get_mut(&key_of(id)) else {
            return Err(format!("a message was accepted that was not said: {id:?}"));
        };
        law(!mine.accepted, || format!("a message was accepted twice: {id:?}"))?;
        mine.accepted = true;
        let letter = self.letters.get(&place).and_then(|letters| letters.0.get(&key_of(id)));
        law(letter.is_some_and(|letter| letter.text == mine.text), || {
            format!("S1: accepted, but not durable in the outbox: {id:?}")
        })
    }

    fn verdict(
        &mut self,
        at: &Party<'_>,
        server: &Store,
        id: &MessageId,
        verdict: Verdict,
        now: Moment,
    ) -> Judgement {
        let mine = self.runs.entry(at.place).or_default().said.get_mut(&key_of(id));
        let letter =
            self.letters.get_mut(&at.place).and_then(|letters| letters.0.get_mut(&key_of(id)));
        let text = letter.as_ref().map(|letter| letter.text.clone());
        let room = text.as_ref().and_then(|text| self.said.get(text)).map(|spoken| spoken.to);
        let room = room.filter(To::is_room);
        let last = verdict != Verdict::Stored || room.is_some();
        if let Some(mine) = mine {
            law(!mine.settled, || format!("a word after the last one: {verdict:?} on {id:?}"))?;
            mine.settled = last;
        }
        let (Some(letter), Some(text)) = (letter, text) else {
            // It could not be made durable.
            return law(matches!(verdict, Verdict::Refused(_) | Verdict::Failed(_)), || {
                format!("{verdict:?} on a message that was never durable: {id:?}")
            });
        };
        let before = letter.verdict;
        law(before.is_none_or(|before| before == verdict || !last), || {
            format!("{verdict:?} after {before:?}, on {}", show(&text))
        })?;
        letter.stored |= verdict == Verdict::Stored;
        if last {
            letter.verdict = Some(verdict);
        }
        let had = self.had.contains(&(id.recipient, text.clone()));
        let recent = self.lost.is_some_and(|lost| now - lost < AFTERMATH);
        let in_log = || {
            let rooms = contents::rooms(server);
            let room = rooms.iter().find(|(_, to)| room.is_some_and(|room| same(to, &room)));
            room.is_some_and(|(room, _)| {
                contents::entries(server, *room).any(|(_, _, said)| said == text)
            })
        };
        match (verdict, room) {
            (Verdict::Delivered, Some(room)) => Err(format!("delivered to {room:?}: {id:?}")),
            (Verdict::Delivered, None) => law(had, || {
                format!("S1: delivered, but never in the recipient's inbox: {}", show(&text))
            }),
            (Verdict::Stored, Some(room)) => {
                let ever = recent && self.appended.contains_key(&text);
                let again = self.told.contains(&text) && self.rewound.contains(&at.key);
                law(ever || again || in_log(), || {
                    format!("S5: said, but not in {room:?}: {}", show(&text))
                })?;
                self.told.insert(text);
                Ok(())
            }
            (Verdict::Stored, None) => {
                let (to, number) = key_of(id);
                let ever = recent && self.mailed.contains(&(at.key, to, number));
                law(had || ever || contents::keeps(server, at.key, to, number), || {
                    format!("S5: saved, but nobody has it: {}", show(&text))
                })
            }
            // It may have been taken in the time that was lost, or by a server that went back
            // and then to where it had been.
            (Verdict::Refused(Refusal::Superseded), _) => {
                law(self.rewound.contains(&at.key) || self.losses > 1, || {
                    format!("superseded, but its author never went back: {}", show(&text))
                })
            }
            (Verdict::Refused(_) | Verdict::Failed(_), room) => {
                let held = if room.is_some() { in_log() } else { had };
                law(!held, || format!("{verdict:?}, but it is there: {}", show(&text)))?;
                self.refused.insert(text);
                Ok(())
            }
            // Its recipient had it once, or its server lost it.
            (Verdict::Unconfirmed, room) => law(room.is_none() && !self.rewound.is_empty(), || {
                format!("unconfirmed, and nobody went back: {}", show(&text))
            }),
            (Verdict::Expired, _) => Ok(()),
        }
    }

    // ---- how it ends

    /// What a client that is there still lacks of what the server has for it.
    ///
    /// # Errors
    /// It is this.
    pub(crate) fn complete(of: &Party<'_>, server: &Store) -> Judgement {
        let accounts = contents::accounts(server);
        let Some((account, record)) = accounts.iter().find(|(_, has)| has.key == of.key) else {
            return Err("the server has no account for it".into());
        };
        let mail = contents::log(server, Log::Mailbox(*account)).count();
        law(mail == 0, || format!("{mail} messages wait for it"))?;
        let has: BTreeSet<_> = contents::inbox(of.store, true).collect();
        for (room, to) in contents::rooms(server) {
            let member = contents::log(server, Log::Members(room))
                .find(|(number, _)| *number == u64::from(account.0) + 1)
                .and_then(|(_, record)| Some(records::read::<MemberRecord>(record)?.0));
            let since = match member {
                _ if room == Room::LOBBY => record.since,
                Some(MemberRecord { since, standing: Standing::Member }) => since,
                _ => continue,
            };
            for (index, entry, text) in
                contents::entries(server, room).filter(|(index, ..)| *index > since)
            {
                law(has.contains(text), || {
                    format!("entry {index} of {to:?}, {} by {}, never came", show(text), entry.nick)
                })?;
            }
        }
        Ok(())
    }

    /// Whether a server has an account for who goes by a nick.
    pub(crate) fn knows(server: &Store, nick: &Nick) -> bool {
        contents::accounts(server).values().any(|account| account.nick.folded() == nick.folded())
    }
}
