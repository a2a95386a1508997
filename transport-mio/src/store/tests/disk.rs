//! A disk that fails, fills up, stands still and loses power.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Duration,
};

use redb::StorageBackend;

use crate::store::engine::{Opener, builder};

const SECTOR: usize = 512;
/// What the system's cache reads and writes at a time.
const PAGE: usize = 4096;
/// How long to wait before something else is looked at.
const MOMENT: Duration = Duration::from_millis(10);

#[derive(Clone, Debug)]
pub(super) struct Disk(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug)]
struct State {
    /// What is read back.
    cached: Vec<u8>,
    /// What a power cut leaves.
    durable: Vec<u8>,
    /// Sectors that may differ between the two.
    dirty: BTreeSet<usize>,
    random: u64,
    syncs: usize,
    fault: Option<Fault>,
    is_held: bool,
    is_waited_for: bool,
    /// Whoever opened the disk before the last power cut has lost it.
    generation: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    /// Operations that still succeed.
    pub(super) after: usize,
    /// Operations that then fail.
    pub(super) times: usize,
    pub(super) kind: io::ErrorKind,
}

impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        let state = State {
            cached: Vec::new(),
            durable: Vec::new(),
            dirty: BTreeSet::new(),
            random: seed | 1,
            syncs: 0,
            fault: None,
            is_held: false,
            is_waited_for: false,
            generation: 0,
        };
        Self(Arc::new((Mutex::new(state), Condvar::new())))
    }

    pub(super) fn opener(&self) -> Opener {
        let disk = self.clone();
        let generation = self.state().generation;
        Box::new(move || {
            let backend = Backend { disk: disk.clone(), generation };
            Ok(builder().create_with_backend(backend)?)
        })
    }

    pub(super) fn fail(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    pub(super) fn heal(&self) {
        self.state().fault = None;
    }

    /// Of what was not synced, any part may be lost.
    pub(super) fn cut_power(&self) {
        let mut state = self.state();
        state.write_back();
        state.cached = state.durable.clone();
        state.generation += 1;
        state.fault = None;
    }

    /// Makes syncs wait until [`Self::release`].
    pub(super) fn hold(&self) {
        self.state().is_held = true;
    }

    /// Waits until a sync is held, or a moment; whether one is.
    pub(super) fn is_held_soon(&self) -> bool {
        let state = self.state();
        let waited = self.0.1.wait_timeout_while(state, MOMENT, |state| !state.is_waited_for);
        waited.unwrap().0.is_waited_for
    }

    pub(super) fn release(&self) {
        let mut state = self.state();
        (state.is_held, state.is_waited_for) = (false, false);
        self.0.1.notify_all();
    }

    pub(super) fn syncs(&self) -> usize {
        self.state().syncs
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }
}

impl State {
    /// Writes a random part of what is dirty, and forgets which part.
    fn write_back(&mut self) {
        if self.flip() {
            self.durable.resize(self.cached.len(), 0);
        }
        for sector in std::mem::take(&mut self.dirty) {
            if self.flip() {
                self.write_sector(sector);
            }
        }
    }

    fn write_sector(&mut self, sector: usize) {
        let range = sector * SECTOR..(sector + 1) * SECTOR;
        if let (Some(to), Some(from)) =
            (self.durable.get_mut(range.clone()), self.cached.get(range))
        {
            to.copy_from_slice(from);
        }
    }

    fn flip(&mut self) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random >> 40 & 1 == 1
    }

    fn check(&mut self) -> io::Result<()> {
        match &mut self.fault {
            Some(Fault { after: 0, times: 0, .. }) | None => Ok(()),
            Some(Fault { after: 0, times, kind }) => {
                *times -= 1;
                Err((*kind).into())
            }
            Some(Fault { after, .. }) => {
                *after -= 1;
                Ok(())
            }
        }
    }
}

#[derive(Debug)]
struct Backend {
    disk: Disk,
    generation: u32,
}

impl Backend {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.generation == self.generation {
            Ok(state)
        } else {
            Err(io::Error::other("no power"))
        }
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state()?.cached.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state()?;
        let offset = usize::try_from(offset).unwrap();
        let found = state.cached.get(offset..offset + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.state()?;
        state.check()?;
        state.cached.resize(usize::try_from(length).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state()?;
        if state.is_held {
            state.is_waited_for = true;
            self.disk.0.1.notify_all();
            state = self.disk.0.1.wait_while(state, |state| state.is_held).unwrap();
        }
        // Linux forgets what a failed sync could not write, but reads it back still.
        state.check().inspect_err(|_| state.write_back())?;
        state.syncs += 1;
        let length = state.cached.len();
        state.durable.resize(length, 0);
        for sector in std::mem::take(&mut state.dirty) {
            state.write_sector(sector);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state()?;
        state.check()?;
        let offset = usize::try_from(offset).unwrap();
        let end = offset + data.len();
        state
            .cached
            .get_mut(offset..end)
            .ok_or(io::ErrorKind::UnexpectedEof)?
            .copy_from_slice(data);
        state.dirty.extend(offset / PAGE * PAGE / SECTOR..end.next_multiple_of(PAGE) / SECTOR);
        Ok(())
    }
}
