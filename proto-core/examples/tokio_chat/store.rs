//! A durable store in one file: everything that was put and trimmed, in the order asked for, and
//! answered when the disk has it.
//!
//! All of it is in memory as well, for reading. At each start the file is written anew, without
//! what was trimmed and without what a crash left half-written at its end. That is for a few
//! thousand records; it cannot tell a crash from a disk that damages the middle of the file.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, ErrorKind::NotFound, Write},
    mem,
    path::Path,
};

use crc::{CRC_32_ISCSI, Crc};
use proto_core::host::{Log, Records, Ticket};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// What a line of the file says.
const BOOT: u8 = 0;
const LAST: u8 = 1;
const PUT: u8 = 2;
const TRIM: u8 = 3;

type Name = [u8; Log::LENGTH];

#[derive(Default)]
struct Kept {
    last: u64,
    records: BTreeMap<u64, Vec<u8>>,
}

/// What is to be written, and what it answers.
pub(crate) type Batch = (Vec<u8>, Vec<Ticket>);

#[derive(Default)]
pub(crate) struct Store {
    boot: u64,
    logs: BTreeMap<Name, Kept>,
    batch: Batch,
}

impl Store {
    /// The store in a directory, and its file. The boot number is durable, and one more than
    /// the last time.
    pub(crate) fn open(directory: &Path) -> io::Result<(Self, File, u64)> {
        let [path, new] = ["store", "store.new"].map(|name| directory.join(name));
        let old = match fs::read(&path) {
            Err(error) if error.kind() == NotFound => Vec::new(),
            read => read?,
        };
        let (mut store, mut rest) = (Self::default(), &old[..]);
        while let Some(after) = store.replay(rest) {
            rest = after;
        }
        store.boot += 1;
        let mut lines = Vec::new();
        write_line(&mut lines, BOOT, &[0; Log::LENGTH], store.boot, &[]);
        for (log, kept) in &store.logs {
            write_line(&mut lines, LAST, log, kept.last, &[]);
            for (number, record) in &kept.records {
                write_line(&mut lines, PUT, log, *number, record);
            }
        }
        let mut file = File::create(&new)?;
        file.write_all(&lines)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        #[cfg(unix)]
        File::open(directory)?.sync_all()?;
        let boot = store.boot;
        Ok((store, file, boot))
    }

    /// Does what the first line says, and returns the rest; `None` if it is not whole.
    fn replay<'l>(&mut self, lines: &'l [u8]) -> Option<&'l [u8]> {
        let (&checksum, lines) = lines.split_first_chunk()?;
        let (&length, _) = lines.split_first_chunk()?;
        let (line, rest) = lines.split_at_checked(u32::from_le_bytes(length) as usize)?;
        if CHECKSUM.checksum(line) != u32::from_le_bytes(checksum) {
            return None;
        }
        let (&[kind], line) = line.get(4..)?.split_first_chunk()?;
        let (log, line) = line.split_first_chunk()?;
        let (&number, record) = line.split_first_chunk()?;
        self.apply(kind, log, u64::from_le_bytes(number), record);
        Some(rest)
    }

    fn apply(&mut self, kind: u8, log: &Name, number: u64, record: &[u8]) {
        if kind == BOOT {
            self.boot = number;
            return;
        }
        let kept = self.logs.entry(*log).or_default();
        if kind == TRIM {
            kept.records.retain(|at, _| *at > number);
            return;
        }
        kept.last = kept.last.max(number);
        if kind == PUT {
            kept.records.insert(number, record.to_vec());
        }
    }

    pub(crate) fn put(&mut self, ticket: Ticket, log: Log, number: u64, record: &[u8]) {
        self.ask(ticket, PUT, log, number, record);
    }

    pub(crate) fn trim(&mut self, ticket: Ticket, log: Log, upto: u64) {
        self.ask(ticket, TRIM, log, upto, &[]);
    }

    fn ask(&mut self, ticket: Ticket, kind: u8, log: Log, number: u64, record: &[u8]) {
        let log = log.to_bytes();
        self.apply(kind, &log, number, record);
        write_line(&mut self.batch.0, kind, &log, number, record);
        self.batch.1.push(ticket);
    }

    pub(crate) fn read(&self, log: Log, from: u64, most: usize, give: impl FnOnce(Records<'_>)) {
        let kept = self.logs.get(&log.to_bytes());
        let found = kept.into_iter().flat_map(|kept| kept.records.range(from..)).take(most);
        let records: Vec<_> = found.map(|(number, record)| (*number, &record[..])).collect();
        give(Records { records: &records, last: kept.map_or(0, |kept| kept.last) });
    }

    /// All that was asked for since the last time.
    pub(crate) fn take_batch(&mut self) -> Option<Batch> {
        (!self.batch.1.is_empty()).then(|| mem::take(&mut self.batch))
    }
}

fn write_line(lines: &mut Vec<u8>, kind: u8, log: &Name, number: u64, record: &[u8]) {
    let length = 4 + 1 + log.len() + 8 + record.len();
    let start = lines.len();
    lines.extend_from_slice(&[0; 4]);
    lines.extend_from_slice(&(length as u32).to_le_bytes());
    lines.push(kind);
    lines.extend_from_slice(log);
    lines.extend_from_slice(&number.to_le_bytes());
    lines.extend_from_slice(record);
    let checksum = CHECKSUM.checksum(&lines[start + 4..]);
    lines[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
}

/// Writes batches, and answers each when it is durable. After a failure nothing is: what the disk
/// has of it, only the next start finds out.
pub(crate) fn write(
    mut file: File,
    mut batches: UnboundedReceiver<Batch>,
    answers: UnboundedSender<Vec<Ticket>>,
) -> io::Result<()> {
    while let Some((lines, tickets)) = batches.blocking_recv() {
        file.write_all(&lines)?;
        file.sync_data()?;
        // Whoever does not wait for it any more is about to end.
        let _ = answers.send(tickets);
    }
    Ok(())
}
