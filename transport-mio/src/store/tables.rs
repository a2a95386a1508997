//! Logs as tables: what each request reads and writes.

use proto_core::action::Log;
use redb::{
    AccessGuard, ReadTransaction, ReadableTable, StorageError, Table, TableDefinition,
    WriteTransaction,
};

use super::{
    LoadedRecord, Record,
    request::{Ask, LogName, Outcome, Read, Wanted},
};

/// The meaning of the bytes in these tables; [`META`] says which one a file has.
pub(super) const SCHEMA: u64 = 1;
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

const RECORDS: TableDefinition<'_, &RecordName, &[u8]> = TableDefinition::new("records");
const HEADS: TableDefinition<'_, &LogName, u64> = TableDefinition::new("heads");

/// A log's name and a number, so that a log's records stand together and in order.
type RecordName = [u8; Log::LENGTH + 8];

/// Makes the tables, so that whoever reads finds them.
pub(super) fn create(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(RECORDS)?;
    transaction.open_table(HEADS)?;
    Ok(())
}

/// Does everything asked, in order; what was put is seen by what comes after it.
pub(super) fn change<'a>(
    transaction: &WriteTransaction,
    asked: impl Iterator<Item = &'a Ask>,
) -> Result<Vec<Outcome>, redb::Error> {
    let mut records = transaction.open_table(RECORDS)?;
    let mut heads = transaction.open_table(HEADS)?;
    let mut outcomes = Vec::new();
    for ask in asked {
        outcomes.push(match ask {
            Ask::Put { log, number, record } => {
                put(&mut records, &mut heads, log, *number, record)?;
                Outcome::Done
            }
            Ask::Forget { log, upto } => {
                forget(&mut records, log, *upto)?;
                Outcome::Done
            }
            Ask::Read(read) => answer(&records, &heads, read)?,
        });
    }
    Ok(outcomes)
}

/// Answers what only reads.
pub(super) fn read(
    transaction: &ReadTransaction,
    asked: &[&Read],
) -> Result<Vec<Outcome>, redb::Error> {
    let records = transaction.open_table(RECORDS)?;
    let heads = transaction.open_table(HEADS)?;
    let answers = asked.iter().map(|read| answer(&records, &heads, read));
    Ok(answers.collect::<Result<_, _>>()?)
}

fn put(
    records: &mut Table<'_, &'static RecordName, &'static [u8]>,
    heads: &mut Table<'_, &'static LogName, u64>,
    log: &LogName,
    number: u64,
    record: &[u8],
) -> Result<(), StorageError> {
    records.insert(&record_name(log, number), record)?;
    let head = heads.get(log)?.map(|head| head.value());
    if head.is_none_or(|head| head < number) {
        heads.insert(log, number)?;
    }
    Ok(())
}

fn forget(
    records: &mut Table<'_, &'static RecordName, &'static [u8]>,
    log: &LogName,
    upto: u64,
) -> Result<(), StorageError> {
    let (first, last) = (record_name(log, 0), record_name(log, upto));
    records.retain_in::<&RecordName, _>(&first..=&last, |_, _| false)
}

fn answer(
    records: &impl ReadableTable<&'static RecordName, &'static [u8]>,
    heads: &impl ReadableTable<&'static LogName, u64>,
    read: &Read,
) -> Result<Outcome, StorageError> {
    let last = record_name(&read.log, u64::MAX);
    let mut found = records.range::<&RecordName>(&record_name(&read.log, read.from)..=&last)?;
    Ok(match read.wanted {
        Wanted::First => Outcome::Loaded(LoadedRecord {
            record: found.next().transpose()?.map(own),
            head: heads.get(&read.log)?.map_or(0, |head| head.value()),
        }),
        Wanted::Oldest(limit) => {
            Outcome::Records(found.take(limit).map(|r| r.map(own)).collect::<Result<_, _>>()?)
        }
        Wanted::Newest(limit) => {
            let newest = found.rev().take(limit).map(|r| r.map(own));
            let mut newest = newest.collect::<Result<Vec<_>, _>>()?;
            newest.reverse();
            Outcome::Records(newest)
        }
    })
}

fn record_name(log: &LogName, number: u64) -> RecordName {
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
