//! The file: opening it, and committing batches to it.

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableHandle, WriteTransaction};

use super::{
    Failure, OpenError,
    request::{Ask, Look, Outcome},
    tables::{self, META, SCHEMA},
};
use crate::files;

/// What the store may keep of the file in memory.
const CACHE_BYTES: usize = 32 << 20;

/// Opens the database, now and again after each failure.
pub(super) type Opener = Box<dyn FnMut() -> Result<Database, redb::Error> + Send>;

/// The database, with the means to go on after a failure.
pub(super) struct Engine {
    path: PathBuf,
    opener: Opener,
    database: Option<Database>,
    /// After an error redb wants the file closed and opened again.
    broken: bool,
    boot: u64,
}

impl Engine {
    /// Opens the file at `path`, creating it if there is none.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let is_there = path.try_exists().map_err(|cause| OpenError::system(path, &cause))?;
        if !is_there {
            create(path).map_err(|error| OpenError::new(path, &error))?;
        }
        let metadata = path.metadata().map_err(|cause| OpenError::system(path, &cause))?;
        if files::exposure(&metadata).is_some() {
            return Err(OpenError::Exposed { path: path.to_owned() });
        }
        let file = path.to_owned();
        Self::start(path, Box::new(move || Ok(builder().open(&file)?)))
    }

    /// Opens what `opener` opens; `path` is for messages.
    pub(super) fn start(path: &Path, mut opener: Opener) -> Result<Self, OpenError> {
        let started = contained(|| {
            let database = opener()?;
            let begun = begin_boot(&database)?;
            Ok((database, begun))
        });
        match started {
            Ok((database, Begun::Boot(boot))) => Ok(Self {
                path: path.to_owned(),
                opener,
                database: Some(database),
                broken: false,
                boot,
            }),
            Ok((_, Begun::OtherVersion(found))) => {
                Err(OpenError::Version { path: path.to_owned(), found })
            }
            Ok((_, Begun::NoStore)) => Err(OpenError::Damaged {
                path: path.to_owned(),
                cause: "it holds something else".to_owned(),
            }),
            Err(error) => Err(OpenError::new(path, &error)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn boot(&self) -> u64 {
        self.boot
    }

    /// Does everything asked and makes it durable, or nothing of it.
    ///
    /// One exception nobody can rule out: when the very last write fails, the
    /// batch may turn out to be durable after all.
    pub(super) fn run<'a>(
        &mut self,
        asked: impl Iterator<Item = &'a Ask> + Clone,
    ) -> Result<Vec<Outcome>, Failure> {
        if self.broken {
            self.reopen()?;
        }
        let Some(database) = &self.database else {
            return Err(Failure::Reopen(format!("{} is closed", self.path.display())));
        };
        let done = contained(|| {
            let only_looks: Option<Vec<&Look>> = asked.clone().map(Ask::as_look).collect();
            if let Some(looks) = only_looks {
                return tables::read(&database.begin_read()?, &looks);
            }
            let transaction = begin_write(database)?;
            let outcomes = tables::change(&transaction, asked)?;
            transaction.commit()?;
            Ok(outcomes)
        });
        done.map_err(|error| {
            self.broken = true;
            Failure::new(&self.path, &error)
        })
    }

    fn reopen(&mut self) -> Result<(), Failure> {
        let (opener, database) = (&mut self.opener, &mut self.database);
        let reopened = contained(|| {
            // The file's lock goes with the old one.
            drop(database.take());
            let database = opener()?;
            let boot = last_boot(&database)?;
            Ok((database, boot))
        });
        let (database, boot) = reopened
            .map_err(|error| Failure::Reopen(OpenError::new(&self.path, &error).to_string()))?;
        // The lock was let go for a moment, and a process that took it then
        // has given out numbers that this one knows nothing of.
        if boot != Some(self.boot) {
            return Err(Failure::Overtaken { path: self.path.clone() });
        }
        self.database = Some(database);
        self.broken = false;
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let database = self.database.take();
        let closed = contained(|| {
            drop(database);
            Ok(())
        });
        // What was answered is durable, however closing went.
        drop(closed);
    }
}

enum Begun {
    Boot(u64),
    OtherVersion(u64),
    NoStore,
}

/// Counts a start of the program, durably.
fn begin_boot(database: &Database) -> Result<Begun, redb::Error> {
    let transaction = begin_write(database)?;
    let is_new = transaction.list_tables()?.next().is_none();
    if !is_new && !transaction.list_tables()?.any(|table| table.name() == META.name()) {
        return Ok(Begun::NoStore);
    }
    let boot = {
        let mut meta = transaction.open_table(META)?;
        if is_new {
            meta.insert("schema", SCHEMA)?;
        }
        let schema = meta.get("schema")?.map_or(0, |found| found.value());
        if schema != SCHEMA {
            return Ok(Begun::OtherVersion(schema));
        }
        let boot = meta.get("boots")?.map_or(0, |boots| boots.value()).saturating_add(1);
        meta.insert("boots", boot)?;
        boot
    };
    tables::create(&transaction)?;
    transaction.commit()?;
    Ok(Begun::Boot(boot))
}

fn last_boot(database: &Database) -> Result<Option<u64>, redb::Error> {
    let meta = database.begin_read()?.open_table(META)?;
    Ok(meta.get("boots")?.map(|boots| boots.value()))
}

fn begin_write(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    // Others choose the content, and might choose it so that half a commit looks whole.
    transaction.set_two_phase_commit(true);
    transaction.set_quick_repair(true);
    Ok(transaction)
}

pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Makes an empty database. It gets its name when it is whole: redb refuses a
/// file that a crash left half made.
fn create(path: &Path) -> Result<(), redb::Error> {
    let (beside, file) = files::create_beside(path)?;
    contained(|| initialise(file)).and_then(|()| Ok(files::publish(&beside, path)?)).inspect_err(
        |_| {
            // The error that counts is the first one.
            let _ = std::fs::remove_file(&beside);
        },
    )
}

fn initialise(file: File) -> Result<(), redb::Error> {
    let handle = file.try_clone()?;
    drop(builder().create_file(file)?);
    Ok(handle.sync_all()?)
}

/// Calls into redb, which panics on some files that were damaged beneath it.
fn contained<R>(call: impl FnOnce() -> Result<R, redb::Error>) -> Result<R, redb::Error> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err(redb::Error::Corrupted("reading it went wrong".to_owned())))
}
