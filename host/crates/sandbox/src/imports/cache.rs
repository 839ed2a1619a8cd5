//! `cache`: files that can be made again, on this machine only. One directory
//! for each tenant and plugin; a file is replaced as a whole by renaming.
//! Reads and writes are short and local, so they run on the guest's own thread.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::bindings::wardian::plugin::cache::{Error, Host};
use crate::guest::Guest;

/// One read; a longer file is read in pieces.
const READ_BYTES_MAX: u64 = 4 << 20;

/// A file's name.
const NAME_BYTES_MAX: usize = 64;

/// Files of one plugin in one tenant.
const FILES_MAX: usize = 1_000;

/// How a file is called while it is written. No valid name begins like this.
const PARTIAL: &str = ".partial-";

impl Guest {
    /// The directory and the quota.
    fn cache(&mut self) -> Result<(PathBuf, u64), Error> {
        let reach = self.reach.as_ref().ok_or(Error::Denied)?;
        let permit = reach.scope.cache().ok_or(Error::Denied)?;
        Ok((reach.cache.clone(), permit.quota_bytes))
    }

    /// The path of a file, where the name is one.
    fn cached(&mut self, name: &str) -> Result<PathBuf, Error> {
        let (directory, _) = self.cache()?;
        valid(name)?;
        Ok(directory.join(name))
    }
}

impl Host for Guest {
    fn size(&mut self, name: String) -> wasmtime::Result<Result<Option<u64>, Error>> {
        Ok(self.cached(&name).and_then(|path| found(fs::symlink_metadata(path)).map(|it| it.map(|it| it.len()))))
    }

    fn read(&mut self, name: String, offset: u64, len: u32) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(self.cached(&name).and_then(|path| found(read(&path, offset, u64::from(len)))))
    }

    fn write(&mut self, name: String, bytes: Vec<u8>) -> wasmtime::Result<Result<(), Error>> {
        let write = self.cache().and_then(|(directory, quota)| {
            valid(&name)?;
            let files = list(&directory)?;
            let others: u64 = files.iter().filter(|(other, _)| *other != name).map(|(_, bytes)| bytes).sum();
            let too_many = files.len() >= FILES_MAX && !files.iter().any(|(other, _)| *other == name);
            if too_many || others.saturating_add(bytes.len() as u64) > quota {
                return Err(Error::Quota(quota));
            }
            replace(&directory, &name, &bytes).map_err(failed)
        });
        Ok(write)
    }

    fn delete(&mut self, name: String) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.cached(&name).and_then(|path| found(fs::remove_file(path)).map(|_| ())))
    }

    fn names(&mut self) -> wasmtime::Result<Result<Vec<String>, Error>> {
        let names = self.cache().and_then(|(directory, _)| {
            let mut names: Vec<String> = list(&directory)?.into_iter().map(|(name, _)| name).collect();
            names.sort_unstable();
            Ok(names)
        });
        Ok(names)
    }
}

fn read(path: &Path, offset: u64, len: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let len = len.min(READ_BYTES_MAX).min(size.saturating_sub(offset));
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

/// Writes beside the file and renames: a reader sees the old or the new one.
fn replace(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    fs::create_dir_all(directory)?;
    let partial = directory.join(format!("{PARTIAL}{}-{}", std::process::id(), WRITES.fetch_add(1, Ordering::Relaxed)));
    let written =
        File::create_new(&partial).and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&partial, directory.join(name)));
    written.inspect_err(|_| {
        let _ = fs::remove_file(&partial);
    })
}

/// Names and sizes of the files. What a crash left half written is not among them.
fn list(directory: &Path) -> Result<Vec<(String, u64)>, Error> {
    let Some(entries) = found(fs::read_dir(directory))? else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if valid(&name).is_ok()
            && let Some(metadata) = found(entry.metadata())?
        {
            files.push((name, metadata.len()));
        }
    }
    Ok(files)
}

/// `[a-z0-9][a-z0-9._-]{0,63}`
fn valid(name: &str) -> Result<(), Error> {
    let bytes = name.as_bytes();
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let fine = bytes.len() <= NAME_BYTES_MAX
        && bytes.first().is_some_and(|b| plain(*b))
        && bytes.iter().all(|b| plain(*b) || matches!(b, b'.' | b'_' | b'-'));
    if fine { Ok(()) } else { Err(Error::InvalidName) }
}

/// None where there is no such file.
fn found<T>(result: io::Result<T>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn failed(error: io::Error) -> Error {
    tracing::warn!("a plugin's cache did not answer: {error}");
    Error::Unavailable
}
