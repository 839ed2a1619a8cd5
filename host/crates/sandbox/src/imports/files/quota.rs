//! What a directory holds, and whether more fits. A directory is counted when a
//! call first writes below it; from then on every byte that is written and every
//! entry that is made is added before it is there. Nothing is subtracted: when
//! the sum comes to the quota and something was written or removed since, the
//! directory is counted again. So the count may be above what is there, and
//! never below it; calls at the same time share it.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use rustix::fs::{AtFlags, Dir, FileType, OFlags};
use tokio::task::spawn_blocking;
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

/// What a name in a directory counts for, beside the bytes of its file: without
/// it a million empty files would be free.
pub(super) const ENTRY_BYTES: u64 = 512;

/// Entries that are looked at when a directory is counted; one that holds more
/// counts as full. At some microseconds each this is a fraction of a second.
const COUNTED_MAX: usize = 100_000;

/// Directories within directories that are looked into; what lies deeper counts as full.
const DEPTH_MAX: usize = 64;

/// How a directory is opened to be listed.
const LISTING: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What a directory holds that could not be counted to the end.
const FULL: u64 = u64::MAX / 2;

/// How a refusal reads in the operator's log.
pub(super) fn over(bytes_max: u64) -> String {
    format!("it holds, or would hold, more than its quota of {bytes_max} bytes; raise `quota` in that entry if it is meant")
}

/// The count of one directory, shared by all calls that write below it now.
pub(super) struct Ledger {
    directory: PathBuf,
    count: Mutex<Count>,
    /// One at a time counts.
    counting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Count {
    /// What was found, and what was written since; none before the first time.
    held: Option<u64>,
    /// What is on its way to the file.
    pending: u64,
    /// What has arrived while it was being counted.
    meanwhile: u64,
    /// Whether counting again could find something else.
    stale: bool,
}

/// Leave to write some bytes. They are on their way until it is dropped.
pub(super) struct Charge {
    ledger: Arc<Ledger>,
    bytes: u64,
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut count = self.ledger.count();
        count.pending = count.pending.saturating_sub(self.bytes);
        count.held = count.held.map(|held| held.saturating_add(self.bytes));
        count.meanwhile = count.meanwhile.saturating_add(self.bytes);
        count.stale |= self.bytes > 0;
    }
}

/// A directory belongs to the machine, so whoever opens it finds the same ledger.
static LEDGERS: LazyLock<Mutex<HashMap<PathBuf, Weak<Ledger>>>> = LazyLock::new(Mutex::default);

impl Ledger {
    /// The ledger of a directory; a new one where no call holds any.
    pub(super) fn of(directory: &Path) -> Arc<Self> {
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        let mut all = LEDGERS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ledger) = all.get(&directory).and_then(Weak::upgrade) {
            return ledger;
        }
        all.retain(|_, ledger| ledger.strong_count() > 0);
        let ledger = Arc::new(Self { directory: directory.clone(), count: Mutex::default(), counting: tokio::sync::Mutex::default() });
        all.insert(directory, Arc::downgrade(&ledger));
        ledger
    }

    /// Takes room for some bytes, counting the directory where that may help. None where there is none.
    pub(super) async fn charge(self: &Arc<Self>, bytes: u64, bytes_max: u64) -> Option<Charge> {
        if let Some(charge) = self.take(bytes, bytes_max) {
            return Some(charge);
        }
        let _alone = self.counting.lock().await;
        if self.begin_counting() {
            let directory = self.directory.clone();
            let unfinished = Unfinished(self);
            let found = spawn_blocking(move || count(&directory)).await;
            std::mem::forget(unfinished);
            let mut count = self.count();
            count.held = Some(found.unwrap_or(FULL).saturating_add(count.meanwhile));
        }
        self.take(bytes, bytes_max)
    }

    /// Takes room as far as the count says that there is some.
    fn take(self: &Arc<Self>, bytes: u64, bytes_max: u64) -> Option<Charge> {
        let mut count = self.count();
        let after = count.held?.saturating_add(count.pending).saturating_add(bytes);
        if after > bytes_max && bytes > 0 {
            return None;
        }
        count.pending = count.pending.saturating_add(bytes);
        Some(Charge { ledger: self.clone(), bytes })
    }

    /// Whether counting could help; from then on what arrives is added to what is found.
    fn begin_counting(&self) -> bool {
        let mut count = self.count();
        let counts = count.held.is_none() || count.stale;
        count.meanwhile = 0;
        count.stale = false;
        counts
    }

    /// Something was removed or cut short.
    pub(super) fn freed(&self) {
        self.count().stale = true;
    }

    /// Nothing that holds the lock can leave it half written.
    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A count that is not at its end. A call that ends meanwhile leaves it to the next one.
struct Unfinished<'a>(&'a Ledger);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.0.freed();
    }
}

/// All that lies below a directory.
fn count(directory: &Path) -> u64 {
    let mut left = COUNTED_MAX;
    let counted = File::open(directory).and_then(|directory| below(&directory, DEPTH_MAX, &mut left));
    counted.unwrap_or_else(|error| {
        tracing::warn!("cannot count what {} holds: {error}", directory.display());
        FULL
    })
}

/// Follows no links. What vanishes meanwhile holds nothing.
fn below(directory: &File, depth: usize, left: &mut usize) -> io::Result<u64> {
    let mut held = 0_u64;
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        if *left == 0 || depth == 0 {
            return Ok(FULL);
        }
        *left -= 1;
        let Ok(stat) = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        held = held.saturating_add(ENTRY_BYTES);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => held = held.saturating_add(u64::try_from(stat.st_size).unwrap_or(0)),
            FileType::Directory => {
                if let Ok(inner) = rustix::fs::openat(directory, name, LISTING, rustix::fs::Mode::empty()) {
                    held = held.saturating_add(below(&File::from(inner), depth - 1, left)?);
                }
            }
            FileType::Symlink
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => {}
        }
        if held >= FULL {
            return Ok(FULL);
        }
    }
    Ok(held)
}

/// How many entries a directory has, but not more than one above the limit.
pub(super) async fn entries(directory: Arc<File>, max: usize) -> io::Result<usize> {
    let counting = spawn_blocking(move || {
        // What a guest holds may be open for nothing but its paths, so it is opened once more.
        let names = Dir::new(rustix::fs::openat(&*directory, ".", LISTING, rustix::fs::Mode::empty())?)?;
        names.take(max.saturating_add(3)).try_fold(0, |count, entry| entry.map(|_| count + 1))
    });
    let count: usize = counting.await.map_err(io::Error::other)??;
    // `.` and `..` are among them.
    Ok(count.saturating_sub(2))
}

/// A stream into a file. Asks for room before every piece.
pub(super) struct Metered {
    inner: DynOutputStream,
    ledger: Arc<Ledger>,
    bytes_max: u64,
    /// For the piece that is on its way.
    charge: Option<Charge>,
    /// What lies before the first piece and is not there yet; counts with it.
    hole: u64,
}

impl Metered {
    pub(super) fn new(inner: DynOutputStream, ledger: Arc<Ledger>, bytes_max: u64, hole: u64) -> Self {
        Self { inner, ledger, bytes_max, charge: None, hole }
    }

    fn full(&self) -> StreamError {
        StreamError::LastOperationFailed(io::Error::from(rustix::io::Errno::NOSPC).into())
    }
}

#[async_trait::async_trait]
impl OutputStream for Metered {
    /// Cannot wait, so it goes by the count as it stands: the file was opened for
    /// writing, which made sure that there is one.
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let room = self.hole.saturating_add(bytes.len() as u64);
        let charge = self.ledger.take(room, self.bytes_max).ok_or_else(|| self.full())?;
        self.inner.write(bytes)?;
        self.hole = 0;
        self.charge = Some(charge);
        Ok(())
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        let room = self.hole.saturating_add(bytes.len() as u64);
        let charge = self.ledger.charge(room, self.bytes_max).await;
        let _charge = charge.ok_or_else(|| self.full())?;
        self.hole = 0;
        self.inner.blocking_write_and_flush(bytes).await?;
        self.charge = None;
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let room = self.inner.check_write()?;
        if room > 0 {
            self.charge = None;
        }
        Ok(room)
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
        self.charge = None;
    }
}

#[async_trait::async_trait]
impl Pollable for Metered {
    async fn ready(&mut self) {
        self.inner.ready().await;
        self.charge = None;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn what_is_there_counts_and_what_is_removed_makes_room() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("a"), [0; 1000]).unwrap();
        let ledger = Ledger::of(place.path());
        let quota = 1000 + ENTRY_BYTES + 100;
        assert!(ledger.charge(101, quota).await.is_none());
        drop(ledger.charge(100, quota).await.expect("it fits"));
        assert!(ledger.charge(100, quota).await.is_some(), "nothing was written in the end, which counting again finds");
        fs::remove_file(place.path().join("a")).unwrap();
        ledger.freed();
        assert!(ledger.charge(1000, quota).await.is_some());
    }

    #[tokio::test]
    async fn calls_at_the_same_time_share_the_count() {
        let place = tempfile::tempdir().unwrap();
        let (one, other) = (Ledger::of(place.path()), Ledger::of(&place.path().join(".")));
        let held = one.charge(60, 100).await.expect("it fits");
        assert!(other.charge(60, 100).await.is_none());
        drop(held);
    }

    #[test]
    fn a_directory_is_counted_with_all_below_it_and_without_what_links_lead_to() {
        let place = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("large"), [0; 100_000]).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), place.path().join("link")).unwrap();
        fs::create_dir(place.path().join("b")).unwrap();
        fs::write(place.path().join("b/c"), [0; 10]).unwrap();
        assert_eq!(count(place.path()), 3 * ENTRY_BYTES + 10);
        assert_eq!(count(&place.path().join("nothing")), FULL);
    }

    #[test]
    fn a_directory_too_deep_to_count_is_full() {
        let place = tempfile::tempdir().unwrap();
        let deep = "d/".repeat(DEPTH_MAX + 1);
        fs::create_dir_all(place.path().join(deep)).unwrap();
        assert_eq!(count(place.path()), FULL);
    }
}
