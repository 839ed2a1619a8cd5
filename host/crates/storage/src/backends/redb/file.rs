//! The file: how it is made in one piece, opened, checked and refused.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::redb::backends::FileBackend;
use ::redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageError, TableError};

use super::layout::{FORMAT, META, META_EPOCH, META_FORMAT, Rows};
use crate::journal::Error;

/// Memory for pages of the file, unless the operator says otherwise.
pub const CACHE_BYTES_DEFAULT: usize = 32 << 20;

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Memory for pages of the file.
    pub cache_bytes: usize,
    /// Called with a share from 0 to 1 while the file is checked after an unclean stop.
    pub progress: Option<Arc<dyn Fn(f64) + Send + Sync>>,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: CACHE_BYTES_DEFAULT, progress: None }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("cache_bytes", &self.cache_bytes).finish_non_exhaustive()
    }
}

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the data directory {} is in use by another server; stop that one, or start this one with another data directory",
        directory.display()
    )]
    InUse {
        /// The data directory.
        directory: PathBuf,
    },
    /// A newer program wrote it.
    #[error("{} has format {found} and this program reads up to {known}; start the newer program that wrote it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: u32,
        /// The newest that this program reads.
        known: u32,
    },
    /// The file is not one of ours, or no longer.
    #[error("{} is damaged or is not a store: {reason}; it was left as it is: restore a backup, or move it away to begin anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The file system refused.
    #[error("cannot open the store {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What the bytes lie on. The writer opens it again after a failure.
pub(super) trait Medium: Send + Sync + 'static {
    /// Opens the database that lies there; never makes one.
    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError>;
    /// Bytes that can still be written, where that is known.
    fn free_bytes(&self) -> Option<u64>;
    /// What to call it in messages.
    fn path(&self) -> &Path;
}

/// A file in a data directory.
pub(super) struct OnDisk {
    path: PathBuf,
}

impl OnDisk {
    /// The file at `path`, made if it is not there.
    pub(super) fn prepare(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Io { path: path.to_owned(), source };
        if !path.try_exists().map_err(failed)? {
            create(path)?;
        }
        Ok(Self { path: path.to_owned() })
    }
}

impl Medium for OnDisk {
    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError> {
        builder.open(&self.path)
    }

    fn free_bytes(&self) -> Option<u64> {
        let stat = rustix::fs::statvfs(directory(&self.path)).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// The directory that a file lies in.
fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the file in one piece: whole and durable under another name, then
/// linked to its own. Whatever happens in between, there is either no store or
/// an empty one, and never the store of a process that was faster is replaced.
fn create(path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    fs::create_dir_all(directory(path)).map_err(failed)?;
    let draft = tempfile_beside(path);
    // Conversations are in it: whatever the directory lets others do, the file is for the server's own user.
    let file = fs::OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&draft).map_err(failed)?;
    let made = FileBackend::new(file)
        .and_then(|file| Builder::new().create_with_backend(file))
        .map_err(|error| refused(path, error))
        .and_then(|database| initialise(database).map_err(|error| OpenError::Io { path: path.to_owned(), source: io::Error::other(error) }))
        .and_then(|()| fs::File::open(&draft).and_then(|file| file.sync_all()).map_err(failed))
        .and_then(|()| publish(&draft, path).map_err(failed));
    // The draft is nobody's by now; where it stays behind it only takes space.
    let _ = fs::remove_file(&draft);
    made?;
    fs::File::open(directory(path)).and_then(|directory| directory.sync_all()).map_err(failed)
}

/// A name that no other process uses: the process and the moment.
fn tempfile_beside(path: &Path) -> PathBuf {
    let moment = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}-{moment}", std::process::id()));
    path.with_file_name(name)
}

/// Gives a finished draft its name. A link fails where the name is taken, which
/// a rename does not; file systems without links get the rename.
fn publish(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) if path.try_exists()? => Ok(()),
        Err(_) => fs::rename(draft, path),
    }
}

/// Fills a new database with all tables and closes it, durable.
pub(super) fn initialise(database: Database) -> Result<(), Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    let mut rows = Rows::new(&transaction);
    rows.create_all()?;
    rows.meta()?.insert(META_FORMAT, FORMAT.to_be_bytes().as_slice())?;
    rows.meta()?.insert(META_EPOCH, 0_u64.to_be_bytes().as_slice())?;
    drop(rows);
    transaction.commit()?;
    database.close().map_err(Error::from)
}

/// A store that was opened.
pub(super) struct Opened {
    /// The database.
    pub(super) database: Database,
    /// The lease epoch that it holds.
    pub(super) epoch: u64,
}

/// Opens the medium, repairs it if it was not closed, and checks that it is ours.
pub(super) fn open(medium: &dyn Medium, options: &Options) -> Result<Opened, OpenError> {
    let path = medium.path();
    let mut builder = Builder::new();
    builder.set_cache_size(options.cache_bytes);
    let progress = options.progress.clone();
    builder.set_repair_callback(move |repair| {
        if let Some(progress) = &progress {
            progress(repair.progress());
        }
    });
    let damaged = |reason: String| OpenError::Damaged { path: path.to_owned(), reason };
    // A file that somebody altered can trip assertions of the database.
    let database = catch_unwind(AssertUnwindSafe(|| medium.open(&builder)))
        .map_err(|_| damaged("the database cannot make sense of it".into()))?
        .map_err(|error| refused(path, error))?;
    let epoch =
        catch_unwind(AssertUnwindSafe(|| check(path, &database))).map_err(|_| damaged("the database cannot make sense of it".into()))??;
    Ok(Opened { database, epoch })
}

/// Whether the file is a store that this program reads; answers its epoch.
fn check(path: &Path, database: &Database) -> Result<u64, OpenError> {
    let damaged = |reason: String| OpenError::Damaged { path: path.to_owned(), reason };
    let strange = |error: ::redb::Error| damaged(error.to_string());
    let view = database.begin_read().map_err(|error| strange(error.into()))?;
    let meta = match view.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => return Err(damaged("it is a database of another program".into())),
        Err(error) => return Err(strange(error.into())),
    };
    let number = |name: &str| -> Result<Vec<u8>, OpenError> {
        let row = meta.get(name).map_err(|error| strange(error.into()))?;
        Ok(row.ok_or_else(|| damaged(format!("it holds no {name}")))?.value().to_vec())
    };
    let format = number(META_FORMAT)?.try_into().map(u32::from_be_bytes).map_err(|_| damaged("its format is no number".into()))?;
    if format > FORMAT {
        return Err(OpenError::Newer { path: path.to_owned(), found: format, known: FORMAT });
    }
    number(META_EPOCH)?.try_into().map(u64::from_be_bytes).map_err(|_| damaged("its epoch is no number".into()))
}

/// What a refusal of the database means for the operator.
fn refused(path: &Path, error: DatabaseError) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            OpenError::InUse { directory: directory(path).to_owned() }
        }
        // The database reports a file that it does not know as invalid data, and one that ends too early as such.
        DatabaseError::Storage(StorageError::Io(source))
            if !matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            OpenError::Io { path: path.to_owned(), source }
        }
        other => OpenError::Damaged { path: path.to_owned(), reason: other.to_string() },
    }
}
