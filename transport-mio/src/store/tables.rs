//! Logs as tables: what each request reads and writes.

use proto_core::host::Log;
use redb::{
    AccessGuard, ReadTransaction, ReadableTable, StorageError, Table, TableDefinition,
    WriteTransaction,
};

use super::{
    Found, Record,
    lines::{self, Lines},
    request::{Ask, LogName, Look, Outcome, Read, Wanted},
};

/// The meaning of the bytes in these tables; [`META`] says which one a file has.
pub(super) const SCHEMA: u64 = 2;
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

pub(super) const RECORDS: TableDefinition<'_, &RecordName, &[u8]> = TableDefinition::new("records");
const LASTS: TableDefinition<'_, &LogName, u64> = TableDefinition::new("lasts");

/// A log's name and a number, so that a log's records stand together and in order.
pub(super) type RecordName = [u8; Log::LENGTH + 8];

/// Makes the tables, so that whoever reads finds them.
pub(super) fn create(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(RECORDS)?;
    transaction.open_table(LASTS)?;
    Lines::open(transaction)?;
    Ok(())
}

/// Does everything asked, in order; what was put is seen by what comes after it.
pub(super) fn change<'a>(
    transaction: &WriteTransaction,
    asked: impl Iterator<Item = &'a Ask>,
) -> Result<Vec<Outcome>, redb::Error> {
    let mut records = transaction.open_table(RECORDS)?;
    let mut lasts = transaction.open_table(LASTS)?;
    // A server has none.
    let mut lines = None;
    let mut outcomes = Vec::new();
    for ask in asked {
        outcomes.push(match ask {
            Ask::Put { log, number, record, note } => {
                let is_new = put(&mut records, &mut lasts, log, *number, record)?;
                if let Some(note) = note.as_ref().filter(|_| is_new) {
                    opened(&mut lines, transaction)?.take(note)?;
                }
                Outcome::Done
            }
            Ask::Note(note) => {
                opened(&mut lines, transaction)?.take(note)?;
                Outcome::Done
            }
            Ask::Trim { log, upto } => {
                trim(&mut records, log, *upto)?;
                Outcome::Done
            }
            Ask::Look(Look::Read(read)) => answer(&records, &lasts, read)?,
            Ask::Look(Look::Lines(of)) => {
                Outcome::Lines(opened(&mut lines, transaction)?.read(&records, of)?)
            }
            Ask::Look(Look::Named) => Outcome::Named(opened(&mut lines, transaction)?.named()?),
            Ask::Look(Look::Unread) => {
                Outcome::Unread(opened(&mut lines, transaction)?.count_unread()?)
            }
        });
    }
    Ok(outcomes)
}

/// Answers what only reads.
pub(super) fn read(
    transaction: &ReadTransaction,
    asked: &[&Look],
) -> Result<Vec<Outcome>, redb::Error> {
    let records = transaction.open_table(RECORDS)?;
    let lasts = transaction.open_table(LASTS)?;
    let answers = asked.iter().map(|look| match look {
        Look::Read(read) => Ok(answer(&records, &lasts, read)?),
        Look::Lines(of) => Ok(Outcome::Lines(lines::read(transaction, &records, of)?)),
        Look::Named => Ok(Outcome::Named(lines::named(transaction)?)),
        Look::Unread => Ok(Outcome::Unread(lines::count_unread(transaction)?)),
    });
    answers.collect()
}

fn opened<'l, 't>(
    lines: &'l mut Option<Lines<'t>>,
    transaction: &'t WriteTransaction,
) -> Result<&'l mut Lines<'t>, redb::Error> {
    match lines {
        Some(lines) => Ok(lines),
        None => Ok(lines.insert(Lines::open(transaction)?)),
    }
}

/// Whether there was no such record before.
fn put(
    records: &mut Table<'_, &'static RecordName, &'static [u8]>,
    lasts: &mut Table<'_, &'static LogName, u64>,
    log: &LogName,
    number: u64,
    record: &[u8],
) -> Result<bool, StorageError> {
    let is_new = records.insert(&record_name(log, number), record)?.is_none();
    let last = lasts.get(log)?.map(|last| last.value());
    if last.is_none_or(|last| last < number) {
        lasts.insert(log, number)?;
    }
    Ok(is_new)
}

fn trim(
    records: &mut Table<'_, &'static RecordName, &'static [u8]>,
    log: &LogName,
    upto: u64,
) -> Result<(), StorageError> {
    let (first, last) = (record_name(log, 0), record_name(log, upto));
    records.retain_in::<&RecordName, _>(&first..=&last, |_, _| false)
}

fn answer(
    records: &impl ReadableTable<&'static RecordName, &'static [u8]>,
    lasts: &impl ReadableTable<&'static LogName, u64>,
    read: &Read,
) -> Result<Outcome, StorageError> {
    let end = record_name(&read.log, u64::MAX);
    let found = records.range::<&RecordName>(&record_name(&read.log, read.from)..=&end)?;
    let records = match read.wanted {
        Wanted::Oldest(limit) => found.take(limit).map(|r| r.map(own)).collect::<Result<_, _>>()?,
        Wanted::Newest(limit) => {
            let newest = found.rev().take(limit).map(|r| r.map(own));
            let mut newest = newest.collect::<Result<Vec<_>, _>>()?;
            newest.reverse();
            newest
        }
    };
    let last = lasts.get(&read.log)?.map_or(0, |last| last.value());
    Ok(Outcome::Read(Found { records, last }))
}

pub(super) fn record_name(log: &LogName, number: u64) -> RecordName {
    let mut name = [0; size_of::<RecordName>()];
    let (front, back) = name.split_at_mut(Log::LENGTH);
    front.copy_from_slice(log);
    back.copy_from_slice(&number.to_be_bytes());
    name
}

fn own(
    (name, record): (AccessGuard<'_, &'static RecordName>, AccessGuard<'_, &'static [u8]>),
) -> Record {
    let number = name.value().last_chunk().copied().unwrap_or_default();
    (u64::from_be_bytes(number), record.value().to_vec())
}
