//! What was said in each conversation, by either side, in the order of time.
//!
//! A line becomes durable together with the record that it is about, so that a crash neither
//! loses nor doubles one. What came stays in the inbox, which is never trimmed; what the user
//! said is kept here, because the outbox forgets it.

use proto_core::{
    client::{Correspondent, To, Verdict},
    host::Log,
    id::{Nick, Position, PublicKey},
    record::Said,
    time::UnixTime,
};
use redb::{
    ReadTransaction, ReadableTable, StorageError, Table, TableDefinition, WriteTransaction,
};
use serde::{Deserialize, Serialize};

use super::tables::{META, RecordName, record_name};

/// Each line: its conversation and its place.
const LINES: TableDefinition<'_, &LineName, &[u8]> = TableDefinition::new("lines");
/// The conversation of each line.
const TIMES: TableDefinition<'_, &PlaceName, &Key> = TableDefinition::new("line-times");
/// What the user said and something is still to be heard of: where it stands.
const OPEN: TableDefinition<'_, &Entry, &PlaceName> = TableDefinition::new("lines-open");
/// What came and was not shown.
const UNREAD: TableDefinition<'_, &Entry, ()> = TableDefinition::new("lines-unread");

/// The time of the last line that came in each conversation.
const LAST: TableDefinition<'_, &Key, u64> = TableDefinition::new("lines-last");

/// With whom a conversation is.
const NAMES: TableDefinition<'_, &Key, &[u8]> = TableDefinition::new("line-names");

/// How many lines there ever were, in [`META`].
const COUNT: &str = "lines";

/// The most bytes of a [`Head`].
const HEAD_BOUND: usize = 32;

/// The most bytes of a name.
const NAME_BOUND: usize = 64;

type Key = [u8; 32];
type PlaceName = [u8; 16];
/// A conversation and a place in time.
type LineName = [u8; 48];
/// A conversation and the number of a record of its inbox or outbox.
type Entry = [u8; 40];

/// A line of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The conversation.
    pub conversation: PublicKey,
    /// Where it stands.
    pub place: Place,
    /// What was said, and by which side.
    pub spoken: Spoken,
}

/// Where a line stands: in the order of time, and of what is of the same time, as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When its author wrote it, but not later than it came, nor earlier than what came before it.
    pub time: UnixTime,
    /// Which of all lines it was.
    pub line: u64,
}

/// One side's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// It came.
    Came {
        /// Its number in the conversation's inbox.
        number: u64,
        /// Who said it, in a room; else whoever the conversation is with.
        author: Option<Nick>,
        /// When, by their clock.
        time: UnixTime,
        /// The text, as it came.
        text: Vec<u8>,
        /// The user was not shown it.
        unread: bool,
    },
    /// The user said it.
    Said {
        /// What became of it, as far as that was told.
        verdict: Option<Verdict>,
        /// The text.
        text: Vec<u8>,
    },
}

/// Something that came and was not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The conversation.
    pub conversation: PublicKey,
    /// How many lines.
    pub lines: u64,
}

/// Something to note of a conversation.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    /// Something came.
    Came(Came),
    /// The same of what was in the inbox before there were lines: all of it was shown.
    Old(Vec<Came>),
    /// The user said something.
    Said { of: PublicKey, number: u64, time: UnixTime, text: Vec<u8> },
    /// The user was told what became of that.
    Verdict { of: PublicKey, number: u64, verdict: Verdict },
    /// The user saw what came, by its number in the inbox or in a room's log.
    Shown { of: PublicKey, number: u64 },
    /// With whom a conversation is: the core keeps no record of who was never written to.
    Named { of: PublicKey, with: To },
}

/// A new record of an inbox.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) of: PublicKey,
    pub(crate) number: u64,
    /// When its author says to have written it.
    pub(crate) time: UnixTime,
    pub(crate) arrived: UnixTime,
    /// The text, of what the user said in a room: maybe on this device.
    pub(crate) own: Option<Vec<u8>>,
}

/// Which lines to read: the newest ahead of a place.
pub(super) struct LinesOf {
    pub(super) conversation: Option<PublicKey>,
    pub(super) before: Option<Place>,
    pub(super) limit: usize,
}

/// What a line's record begins with. What the user said follows.
#[derive(Serialize, Deserialize)]
enum Head {
    Came { number: u64 },
    Said { verdict: Option<Verdict> },
}

/// The tables, while they change.
pub(super) struct Lines<'t> {
    meta: Table<'t, &'static str, u64>,
    lines: Table<'t, &'static LineName, &'static [u8]>,
    times: Table<'t, &'static PlaceName, &'static Key>,
    open: Table<'t, &'static Entry, &'static PlaceName>,
    unread: Table<'t, &'static Entry, ()>,
    last: Table<'t, &'static Key, u64>,
    names: Table<'t, &'static Key, &'static [u8]>,
}

impl<'t> Lines<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            lines: transaction.open_table(LINES)?,
            times: transaction.open_table(TIMES)?,
            open: transaction.open_table(OPEN)?,
            unread: transaction.open_table(UNREAD)?,
            last: transaction.open_table(LAST)?,
            names: transaction.open_table(NAMES)?,
        })
    }

    pub(super) fn take(&mut self, note: &Note) -> Result<(), StorageError> {
        match note {
            Note::Came(came) => self.came(came),
            Note::Old(all) => {
                for came in all {
                    self.came(came)?;
                    self.unread.remove(&entry(&came.of, came.number))?;
                }
                Ok(())
            }
            Note::Said { of, number, time, text } => {
                let place = self.append(of, *time, &Head::Said { verdict: None }, text)?;
                self.open.insert(&entry(of, *number), &place.to_bytes())?;
                Ok(())
            }
            Note::Verdict { of, number, verdict } => self.verdict(of, *number, *verdict),
            Note::Shown { of, number } => self.shown(of, *number),
            Note::Named { of, with } => {
                let mut buffer = [0; NAME_BOUND];
                let name = postcard::to_slice(with, &mut buffer);
                let name = name.map_err(|_| StorageError::ValueTooLarge(NAME_BOUND))?;
                self.names.insert(&of.0, &*name)?;
                Ok(())
            }
        }
    }

    pub(super) fn read(
        &self,
        records: &impl ReadableTable<&'static RecordName, &'static [u8]>,
        of: &LinesOf,
    ) -> Result<Vec<Line>, redb::Error> {
        Ok(find(&self.lines, &self.times, &self.unread, records, of)?)
    }

    pub(super) fn named(&self) -> Result<Vec<Correspondent>, redb::Error> {
        Ok(all_names(&self.names)?)
    }

    pub(super) fn count_unread(&self) -> Result<Vec<Unread>, redb::Error> {
        Ok(count(&self.unread)?)
    }

    fn came(&mut self, came: &Came) -> Result<(), StorageError> {
        let Came { of, number, time, arrived, own } = came;
        if let Some(text) = own
            && self.is_heard_again(of, *time, text)?
        {
            return Ok(());
        }
        let last = self.last.get(&of.0)?.map_or(UnixTime::UNKNOWN, |last| UnixTime(last.value()));
        let time = time_of_line(*time, *arrived, last);
        self.last.insert(&of.0, time.0)?;
        self.append(of, time, &Head::Came { number: *number }, &[])?;
        if own.is_none() {
            self.unread.insert(&entry(of, *number), ())?;
        }
        Ok(())
    }

    /// A room's log has what this user said here: it is a line already. What is said elsewhere
    /// under the same name is not.
    fn is_heard_again(
        &mut self,
        of: &PublicKey,
        time: UnixTime,
        text: &[u8],
    ) -> Result<bool, StorageError> {
        let mut heard = None;
        for found in self.open.range::<&Entry>(&entry(of, 0)..=&entry(of, u64::MAX))? {
            let (name, place) = found?;
            let place = Place::from_bytes(place.value());
            if place.time != time {
                continue;
            }
            let line = self.lines.get(&line_name(of, place))?;
            let said = line.as_ref().and_then(|line| decode(line.value()));
            if let Some((Head::Said { verdict }, said)) = said
                && said == text
            {
                heard = Some((*name.value(), place, verdict));
                break;
            }
        }
        let Some((name, place, verdict)) = heard else { return Ok(false) };
        self.open.remove(&name)?;
        let verdict = Some(verdict.unwrap_or(Verdict::Stored));
        self.write(of, place, &Head::Said { verdict }, text)?;
        Ok(true)
    }

    fn verdict(
        &mut self,
        of: &PublicKey,
        number: u64,
        verdict: Verdict,
    ) -> Result<(), StorageError> {
        let name = entry(of, number);
        let Some(place) = self.open.get(&name)?.map(|place| Place::from_bytes(place.value()))
        else {
            return Ok(());
        };
        let line = self.lines.get(&line_name(of, place))?.map(|line| line.value().to_vec());
        if let Some((Head::Said { .. }, text)) = line.as_deref().and_then(decode) {
            self.write(of, place, &Head::Said { verdict: Some(verdict) }, text)?;
        }
        // After this one, another may follow, or the room's own word.
        if verdict != Verdict::Stored {
            self.open.remove(&name)?;
        }
        Ok(())
    }

    fn shown(&mut self, of: &PublicKey, number: u64) -> Result<(), StorageError> {
        if self.unread.remove(&entry(of, number))?.is_some() {
            return Ok(());
        }
        // Where a room's log was begun anew, the inbox has its entries in another epoch.
        let is_it = |entry: &Entry| {
            let at = Position::from_record_number(number_of(entry));
            at.number.0 == number
        };
        let range = self.unread.range::<&Entry>(&entry(of, 0)..=&entry(of, u64::MAX))?;
        let names = range.rev().map(|found| found.map(|(name, _)| *name.value()));
        let found = names.into_iter().find(|name| name.as_ref().map_or(true, is_it));
        if let Some(name) = found.transpose()? {
            self.unread.remove(&name)?;
        }
        Ok(())
    }

    fn append(
        &mut self,
        of: &PublicKey,
        time: UnixTime,
        head: &Head,
        text: &[u8],
    ) -> Result<Place, StorageError> {
        let line = self.meta.get(COUNT)?.map_or(0, |count| count.value()).saturating_add(1);
        self.meta.insert(COUNT, line)?;
        let place = Place { time, line };
        self.write(of, place, head, text)?;
        self.times.insert(&place.to_bytes(), &of.0)?;
        Ok(place)
    }

    fn write(
        &mut self,
        of: &PublicKey,
        place: Place,
        head: &Head,
        text: &[u8],
    ) -> Result<(), StorageError> {
        let mut buffer = [0; HEAD_BOUND];
        let head = postcard::to_slice(head, &mut buffer);
        let head = head.map_err(|_| StorageError::ValueTooLarge(HEAD_BOUND))?;
        let record = [head, text].concat();
        self.lines.insert(&line_name(of, place), &record[..])?;
        Ok(())
    }
}

/// Where what came stands in time: at its author's word, but not later than it arrived, and behind
/// what came before it in the conversation, whose order all its readers share.
fn time_of_line(written: UnixTime, arrived: UnixTime, last: UnixTime) -> UnixTime {
    match (written, arrived) {
        (UnixTime::UNKNOWN, arrived) => arrived.max(last),
        (written, UnixTime::UNKNOWN) => written.max(last),
        (written, arrived) if last <= arrived => written.clamp(last, arrived),
        // This host's own clock was ahead then.
        (written, arrived) => written.min(arrived),
    }
}

/// As [`Lines::read`], while nothing changes.
pub(super) fn read(
    transaction: &ReadTransaction,
    records: &impl ReadableTable<&'static RecordName, &'static [u8]>,
    of: &LinesOf,
) -> Result<Vec<Line>, redb::Error> {
    let lines = transaction.open_table(LINES)?;
    let times = transaction.open_table(TIMES)?;
    let unread = transaction.open_table(UNREAD)?;
    Ok(find(&lines, &times, &unread, records, of)?)
}

/// As [`Lines::count_unread`], while nothing changes.
pub(super) fn count_unread(transaction: &ReadTransaction) -> Result<Vec<Unread>, redb::Error> {
    Ok(count(&transaction.open_table(UNREAD)?)?)
}

/// As [`Lines::named`], while nothing changes.
pub(super) fn named(transaction: &ReadTransaction) -> Result<Vec<Correspondent>, redb::Error> {
    Ok(all_names(&transaction.open_table(NAMES)?)?)
}

fn all_names(
    names: &impl ReadableTable<&'static Key, &'static [u8]>,
) -> Result<Vec<Correspondent>, StorageError> {
    let mut all = Vec::new();
    for found in names.iter()? {
        let (key, name) = found?;
        let log = PublicKey(*key.value());
        all.extend(postcard::from_bytes(name.value()).ok().map(|with| Correspondent {
            log,
            key: log,
            with,
        }));
    }
    Ok(all)
}

fn find(
    lines: &impl ReadableTable<&'static LineName, &'static [u8]>,
    times: &impl ReadableTable<&'static PlaceName, &'static Key>,
    unread: &impl ReadableTable<&'static Entry, ()>,
    records: &impl ReadableTable<&'static RecordName, &'static [u8]>,
    of: &LinesOf,
) -> Result<Vec<Line>, StorageError> {
    let first = Place { time: UnixTime(0), line: 0 };
    // No line has the last place there is.
    let end = of.before.unwrap_or(Place { time: UnixTime(u64::MAX), line: u64::MAX });
    let mut places = Vec::new();
    match of.conversation {
        Some(key) => {
            let (first, end) = (line_name(&key, first), line_name(&key, end));
            for found in lines.range::<&LineName>(&first..&end)?.rev().take(of.limit) {
                let (name, _) = found?;
                places.push((key, place_of(name.value())));
            }
        }
        None => {
            let (first, end) = (first.to_bytes(), end.to_bytes());
            for found in times.range::<&PlaceName>(&first..&end)?.rev().take(of.limit) {
                let (place, key) = found?;
                places.push((PublicKey(*key.value()), Place::from_bytes(place.value())));
            }
        }
    }
    let mut found = Vec::new();
    for (conversation, place) in places.into_iter().rev() {
        let line = lines.get(&line_name(&conversation, place))?;
        let spoken = match line.as_ref().and_then(|line| decode(line.value())) {
            Some((Head::Came { number }, _)) => {
                let name = record_name(&Log::Inbox(conversation).to_bytes(), number);
                let record = records.get(&name)?;
                // What is damaged was told of when it was read at the start.
                let said = record.as_ref().and_then(|record| Said::from_inbox(record.value()));
                let Some(Said { author, time, text }) = said else { continue };
                let unread = unread.get(&entry(&conversation, number))?.is_some();
                Spoken::Came { number, author, time, text: text.to_vec(), unread }
            }
            Some((Head::Said { verdict }, text)) => Spoken::Said { verdict, text: text.to_vec() },
            None => continue,
        };
        found.push(Line { conversation, place, spoken });
    }
    Ok(found)
}

fn count(unread: &impl ReadableTable<&'static Entry, ()>) -> Result<Vec<Unread>, StorageError> {
    let mut counts: Vec<Unread> = Vec::new();
    for found in unread.iter()? {
        let (name, _) = found?;
        let conversation = PublicKey(name.value().first_chunk().copied().unwrap_or_default());
        match counts.last_mut() {
            Some(last) if last.conversation == conversation => last.lines += 1,
            _ => counts.push(Unread { conversation, lines: 1 }),
        }
    }
    Ok(counts)
}

/// `None` for one that is damaged.
fn decode(record: &[u8]) -> Option<(Head, &[u8])> {
    postcard::take_from_bytes(record).ok()
}

impl Place {
    fn to_bytes(self) -> PlaceName {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.time.0.to_be_bytes());
        bytes[8..].copy_from_slice(&self.line.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &PlaceName) -> Self {
        let whole = u128::from_be_bytes(*bytes);
        Self { time: UnixTime((whole >> 64) as u64), line: whole as u64 }
    }
}

fn line_name(of: &PublicKey, place: Place) -> LineName {
    let mut name = [0; 48];
    name[..32].copy_from_slice(&of.0);
    name[32..].copy_from_slice(&place.to_bytes());
    name
}

fn place_of(name: &LineName) -> Place {
    Place::from_bytes(&name.last_chunk().copied().unwrap_or_default())
}

fn entry(of: &PublicKey, number: u64) -> Entry {
    let mut name = [0; 40];
    name[..32].copy_from_slice(&of.0);
    name[32..].copy_from_slice(&number.to_be_bytes());
    name
}

fn number_of(entry: &Entry) -> u64 {
    u64::from_be_bytes(entry.last_chunk().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_keeps_its_order_and_is_dated_by_nobody_into_the_future() {
        let at = |written, arrived, last| {
            time_of_line(UnixTime(written), UnixTime(arrived), UnixTime(last)).0
        };
        assert_eq!(at(50, 100, 0), 50, "it waited");
        assert_eq!(at(5000, 100, 50), 100, "its author's clock is ahead");
        assert_eq!(at(3, 100, 50), 50, "its author's clock went back");
        assert_eq!(at(0, 100, 50), 100, "its author has no clock");
        assert_eq!(at(60, 0, 50), 60, "this host has no clock");
        assert_eq!(at(60, 100, 5000), 60, "this host's clock went back");
    }
}
