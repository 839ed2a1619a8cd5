//! A disk that keeps only what was synced. Whatever was written since then is,
//! at a power cut, there or not sector by sector and in any order, as real
//! disks and page caches do it.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::redb::{Builder, Database, DatabaseError, StorageBackend};

use crate::backends::redb::file::Medium;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// A repeatable source of chance (xorshift).
#[derive(Debug, Clone)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Debug, Default)]
struct State {
    durable: Vec<u8>,
    seen: Vec<u8>,
    pending: Vec<Change>,
    /// Operations until every further one fails with an I/O error.
    fuse: Option<u64>,
    /// Growing beyond so many bytes fails for want of space.
    space: Option<usize>,
    free_bytes: Option<u64>,
}

/// The disk; clones are the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets so many changes through and fails everything after them.
    pub(super) fn fail_after(&self, changes: Option<u64>) {
        self.state().fuse = changes;
    }

    /// Lets the file grow by so many bytes and no further.
    pub(super) fn limit_growth(&self, bytes: Option<usize>) {
        let mut state = self.state();
        state.space = bytes.map(|bytes| state.seen.len() + bytes);
    }

    /// What the file system says about its free space.
    pub(super) fn say_free(&self, bytes: Option<u64>) {
        self.state().free_bytes = bytes;
    }

    /// The disk as it may be found after the power went away now.
    pub(super) fn cut(&self, chance: &mut Chance) -> Self {
        let state = self.state();
        let mut found = state.durable.clone();
        let mut pieces: Vec<Change> = Vec::new();
        for change in &state.pending {
            match change {
                Change::Length(_) => pieces.push(change.clone()),
                Change::Write(at, bytes) => {
                    let mut from = 0;
                    while from < bytes.len() {
                        let to = bytes.len().min(from + SECTOR - (at + from) % SECTOR);
                        pieces.push(Change::Write(at + from, bytes[from..to].to_vec()));
                        from = to;
                    }
                }
            }
        }
        let (lost_in_16, shuffled) = (chance.below(17), chance.below(2) == 0);
        pieces.retain(|_| chance.below(16) >= lost_in_16);
        if shuffled {
            for at in (1..pieces.len()).rev() {
                let with = usize::try_from(chance.below(at as u64 + 1)).unwrap();
                pieces.swap(at, with);
            }
        }
        for piece in pieces {
            change(&mut found, piece);
        }
        Self(Arc::new(Mutex::new(State { seen: found.clone(), durable: found, ..State::default() })))
    }

    fn spend(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        match &mut state.fuse {
            Some(0) => return Err(io::Error::other("the disk failed")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(state)
    }
}

fn change(bytes: &mut Vec<u8>, change: Change) {
    match change {
        Change::Length(length) => bytes.resize(length, 0),
        Change::Write(at, written) => {
            if bytes.len() < at + written.len() {
                bytes.resize(at + written.len(), 0);
            }
            bytes[at..at + written.len()].copy_from_slice(&written);
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let at = usize::try_from(offset).unwrap();
        out.copy_from_slice(state.seen.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.spend()?;
        let length = usize::try_from(length).unwrap();
        if state.space.is_some_and(|space| length > space) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        change(&mut state.seen, Change::Length(length));
        state.pending.push(Change::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.spend()?;
        state.durable = state.seen.clone();
        state.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.spend()?;
        let written = Change::Write(usize::try_from(offset).unwrap(), bytes.to_vec());
        change(&mut state.seen, written.clone());
        state.pending.push(written);
        Ok(())
    }
}

impl Medium for Disk {
    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError> {
        builder.create_with_backend(self.clone())
    }

    fn free_bytes(&self) -> Option<u64> {
        self.state().free_bytes
    }

    fn path(&self) -> &Path {
        Path::new("a simulated disk")
    }
}
