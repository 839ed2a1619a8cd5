//! The files of the log, as their one writer sees them. They only grow. What a
//! crash left half written is cut off before the first new line; what somebody
//! else did to them is left for [`verify`](crate::verify()) to find.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};
use storage::OutboxId;

use crate::chain::{self, CURRENT, SET_ASIDE, Walked, Wrong};
use crate::line::{self, Head, LINE_BYTES_MAX};

/// Bytes after which a file is full and the next one begins: small enough to be
/// moved about and read by people, some 80,000 calls.
pub const FILE_BYTES: u64 = 64 << 20;

/// What a line adds to its record, at most.
const FRAME_BYTES: usize = 300;

/// The log cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}: {source}", path.display())]
pub struct Error {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl Error {
    fn of(what: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { what, path: path.clone(), source }
    }
}

/// The log. One process at a time writes it: the one that holds the store.
#[derive(Debug)]
pub struct Book {
    directory: PathBuf,
    file_bytes_max: u64,
    current: Option<Current>,
    head: Head,
    /// Rows that were found in the file and may still wait in the outbox: id and digest of the record.
    found: HashMap<String, [u8; 32]>,
    /// The last line that is durable.
    synced: Head,
}

/// The file that grows.
#[derive(Debug)]
struct Current {
    file: File,
    /// The number of its first line.
    first: u64,
    /// What of it is good. A write that failed may have left more.
    good_bytes: u64,
    /// What of it is durable.
    synced_bytes: u64,
}

impl Book {
    /// Opens the log in a directory, making it where there is none. `mark` is the head
    /// when rows last left the outbox: everything up to it must be there, and what is
    /// broken after it was never finished, and is cut off and written again.
    pub fn open(directory: &Path, file_bytes_max: u64, mark: Option<Head>) -> Result<Self, Error> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(Error::of("make the directory", directory))?;
        let files = chain::files(directory).map_err(Error::of("list", directory))?;
        let files = &files[beginning(&files, mark).map_err(Error::of("read", directory))?..];
        let mut found = HashMap::new();
        let mut passed = mark.is_none_or(|mark| mark == Head::default());
        let walked = chain::walk(files, |line| {
            if let Some(row) = line.row.filter(|_| passed) {
                found.insert(row.to_owned(), Sha256::digest(line.members).into());
            }
            passed |= mark == Some(Head { seq: line.seq, hash: line.hash });
        });
        let walked = walked.map_err(Error::of("read", directory))?;
        let head = if passed { walked.head.unwrap_or_default() } else { mark.unwrap_or_default() };
        let mut book = Self { directory: directory.to_owned(), file_bytes_max, current: None, head, found, synced: head };
        book.repair(&walked, passed, mark)?;
        Ok(book)
    }

    /// The last line.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Whether this row was written before a crash and is in the file already.
    pub(crate) fn holds(&self, row: OutboxId, record: &[u8]) -> bool {
        let members = record.get(1..record.len().saturating_sub(1)).unwrap_or_default();
        self.found.get(&row.to_string()).is_some_and(|digest| *digest == <[u8; 32]>::from(Sha256::digest(members)))
    }

    /// Writes records behind each other. All of them or, after an error, none.
    pub fn append(&mut self, records: &[(Option<OutboxId>, Vec<u8>)]) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        self.prepare()?;
        let mut head = self.head;
        let mut bytes = Vec::with_capacity(records.iter().map(|(_, record)| record.len() + FRAME_BYTES).sum());
        for (row, record) in records {
            let row = row.map(|row| row.to_string());
            head = line::write(&mut bytes, head, row.as_deref(), &sound(record));
        }
        let path = self.directory.join(CURRENT);
        let Some(current) = &mut self.current else { return Ok(()) };
        current.file.write_all(&bytes).map_err(Error::of("write to", &path))?;
        current.good_bytes += bytes.len() as u64;
        self.head = head;
        Ok(())
    }

    /// Makes durable what was written. After an error it counts as not written: the
    /// system may have dropped it, and would not say so a second time.
    pub fn sync(&mut self) -> Result<(), Error> {
        let Some(current) = self.current.as_mut().filter(|_| self.head != self.synced) else { return Ok(()) };
        match current.file.sync_data() {
            Ok(()) => {
                (self.synced, current.synced_bytes) = (self.head, current.good_bytes);
                Ok(())
            }
            Err(error) => {
                (self.head, current.good_bytes) = (self.synced, current.synced_bytes);
                Err(Error::of("sync", &self.directory.join(CURRENT))(error))
            }
        }
    }

    /// Nothing that was found at the start waits in the outbox any more.
    pub(crate) fn caught_up(&mut self) {
        self.found = HashMap::new();
    }

    /// Puts what was found in order, and says in the log what was done.
    fn repair(&mut self, walked: &Walked, passed: bool, mark: Option<Head>) -> Result<(), Error> {
        let path = self.directory.join(CURRENT);
        let torn = walked.fault.as_ref().filter(|fault| {
            // Without a mark nobody knows whose lines these are: only what is no line at all is cut.
            passed && fault.file == path && (mark.is_some() || fault.wrong == Wrong::Torn)
        });
        let note = if let Some(fault) = torn {
            let size = fs::metadata(&path).map_err(Error::of("read", &path))?.len();
            let file = OpenOptions::new().write(true).open(&path).map_err(Error::of("open", &path))?;
            file.set_len(fault.offset).and_then(|()| file.sync_all()).map_err(Error::of("shorten", &path))?;
            tracing::warn!("{}: a crash left {} unfinished bytes, which were cut off", path.display(), size - fault.offset);
            json!({ "kind": "repair", "why": "torn", "cut_bytes": size - fault.offset })
        } else if walked.fault.is_some() || !passed {
            self.set_aside(&path)?
        } else {
            return Ok(());
        };
        self.append(&[(None, note.to_string().into_bytes())])
    }

    /// The log is not what it was when this server last wrote it. It goes on in a
    /// new file from where the store knows it ended, so that `verify` finds the gap.
    fn set_aside(&mut self, path: &Path) -> Result<serde_json::Value, Error> {
        let mut note = json!({ "kind": "repair", "why": "changed" });
        if path.try_exists().map_err(Error::of("look for", path))? {
            let moment = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis());
            let name = format!("{SET_ASIDE}{moment}.jsonl");
            fs::rename(path, self.directory.join(&name)).map_err(Error::of("rename", path))?;
            note["set_aside"] = name.into();
        }
        let (directory, seq) = (self.directory.display(), self.head.seq);
        tracing::error!(
            "the audit log in {directory} was changed since line {seq} was written; it goes on in a new file, and `wardian audit verify` says what is missing"
        );
        Ok(note)
    }

    /// The file that grows, open, not full, and without what a failed write left.
    fn prepare(&mut self) -> Result<(), Error> {
        let path = self.directory.join(CURRENT);
        if let Some(current) = &self.current {
            let is_ours =
                |there: fs::Metadata| current.file.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (there.dev(), there.ino()));
            if !fs::metadata(&path).is_ok_and(is_ours) {
                tracing::warn!("{} was moved away while the server runs; the log goes on in a new file of that name", path.display());
                self.current = None;
            }
        }
        if self.current.as_ref().is_some_and(|current| current.good_bytes >= self.file_bytes_max) {
            self.turn_over(&path)?;
        }
        match &mut self.current {
            Some(current) => {
                let size = current.file.metadata().map_err(Error::of("read", &path))?.len();
                if size > current.good_bytes {
                    current.file.set_len(current.good_bytes).map_err(Error::of("shorten", &path))?;
                }
            }
            None => self.current = Some(self.grow(&path)?),
        }
        Ok(())
    }

    fn grow(&self, path: &Path) -> Result<Current, Error> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(Error::of("open", path))?;
        let good_bytes = file.metadata().map_err(Error::of("read", path))?.len();
        let first = match good_bytes {
            0 => None,
            _ => first_line(path).map_err(Error::of("read", path))?,
        };
        sync_directory(&self.directory)?;
        Ok(Current { file, first: first.unwrap_or(self.head.seq + 1), good_bytes, synced_bytes: good_bytes })
    }

    /// A full file gets a name of its own; nobody writes to it any more.
    fn turn_over(&mut self, path: &Path) -> Result<(), Error> {
        self.sync()?;
        if let Some(current) = self.current.take() {
            fs::rename(path, self.directory.join(chain::full_name(current.first))).map_err(Error::of("rename", path))?;
        }
        sync_directory(&self.directory)
    }
}

/// Which file to walk from: the one that holds the line of the mark; without a mark the newest.
fn beginning(files: &[PathBuf], mark: Option<Head>) -> io::Result<usize> {
    let newest = files.len().saturating_sub(1);
    let Some(mark) = mark else { return Ok(newest) };
    for (i, path) in files.iter().enumerate().rev() {
        let first = match chain::first_of_full(path) {
            Some(first) => Some(first),
            None => first_line(path)?,
        };
        if first.is_some_and(|first| first <= mark.seq) {
            return Ok(i);
        }
    }
    Ok(newest)
}

/// The number of a file's first line, if that is a line.
fn first_line(path: &Path) -> io::Result<Option<u64>> {
    let mut first = None;
    chain::lines(&[path.to_owned()], |bytes| {
        first = line::read(bytes).map(|line| line.seq);
        false
    })?;
    Ok(first)
}

/// The record, if it can be a line; otherwise one that says what came instead.
fn sound(record: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    let is_object = record.len() > 2 && record.first() == Some(&b'{') && record.last() == Some(&b'}');
    let fits = record.len() + FRAME_BYTES <= LINE_BYTES_MAX && !record.contains(&b'\n');
    if is_object && fits && serde_json::from_slice::<serde::de::IgnoredAny>(record).is_ok() {
        return record.into();
    }
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(record));
    json!({ "kind": "unreadable", "bytes": record.len(), "sha256": digest }).to_string().into_bytes().into()
}

fn sync_directory(directory: &Path) -> Result<(), Error> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(Error::of("sync", directory))
}

#[cfg(test)]
mod tests;
