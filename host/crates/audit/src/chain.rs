//! The files of a log and the walk along them: every line has to follow the one before.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::line::{self, Head, LINE_BYTES_MAX, Line};

/// The file that grows. Full ones are `audit-<number of their first line>.jsonl`.
pub const CURRENT: &str = "audit.jsonl";

/// What begins the name of a file that was found damaged and is no longer part of the log.
pub const SET_ASIDE: &str = "audit.set-aside-";

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It ends in the middle.
    Torn,
    /// It is not of the form of a line.
    Unknown,
    /// Its bytes do not have the hash that it carries.
    Edited,
    /// Lines that should stand before it are not there.
    Missing {
        /// The first of them.
        from: u64,
        /// The last.
        to: u64,
    },
    /// It stands in another place than the one it was written in.
    Reordered {
        /// Its own number.
        found: u64,
        /// The number of its place.
        expected: u64,
    },
    /// It has the right number, and yet it does not follow the line before: one of both was written anew.
    Replaced,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torn => f.write_str("torn: the line ends in the middle"),
            Self::Unknown => f.write_str("unknown: this is not a line of an audit log"),
            Self::Edited => f.write_str("edited: the line does not have the hash that it carries"),
            Self::Missing { from, to } if from == to => write!(f, "removed: line number {from} should stand before this one"),
            Self::Missing { from, to } => write!(f, "removed: lines number {from} to {to} should stand before this one"),
            Self::Reordered { found, expected } => {
                write!(f, "reordered: line number {found} stands where line number {expected} belongs")
            }
            Self::Replaced => f.write_str("replaced: the line does not follow the one before it; one of both was written anew"),
        }
    }
}

/// The first place where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// The line of the file, from 1.
    pub line: u64,
    /// Where that line begins, in bytes.
    pub offset: u64,
    /// What is wrong with it.
    pub wrong: Wrong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.wrong)
    }
}

/// How far a walk came.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// The last good line.
    pub(crate) head: Option<Head>,
    /// Where it stopped, if not at the end.
    pub(crate) fault: Option<Fault>,
}

/// The files of the log in a directory, oldest first. None where there is no directory.
pub fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut full = Vec::new();
    let mut current = None;
    let listing = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing?,
    };
    for entry in listing {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name == CURRENT) {
            current = Some(path);
        } else if let Some(first) = first_of_full(&path) {
            full.push((first, path));
        }
    }
    full.sort();
    Ok(full.into_iter().map(|(_, path)| path).chain(current).collect())
}

/// The name of a full file.
pub(crate) fn full_name(first: u64) -> String {
    format!("audit-{first:016}.jsonl")
}

/// The number of a full file's first line, by its name.
pub(crate) fn first_of_full(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix("audit-")?.strip_suffix(".jsonl")?.parse().ok()
}

/// Walks along files, from the first line of the first one, and calls `each` for
/// every good line. Stops at the first bad one.
pub(crate) fn walk(files: &[PathBuf], mut each: impl FnMut(&Line<'_>)) -> io::Result<Walked> {
    let mut walked = Walked::default();
    for path in files {
        let mut lines = Lines::open(path)?;
        while let Some(end) = lines.next()? {
            let wrong = match line::read(&lines.bytes) {
                _ if end == End::Torn => Some(Wrong::Torn),
                _ if end == End::TooLong => Some(Wrong::Unknown),
                None => Some(Wrong::Unknown),
                Some(line) => match walked.head.map_or(Ok(()), |head| follows(head, &line)) {
                    Ok(()) if line.hash != line.claimed => Some(Wrong::Edited),
                    Ok(()) => {
                        each(&line);
                        walked.head = Some(Head { seq: line.seq, hash: line.hash });
                        None
                    }
                    Err(_) if line.hash != line.claimed => Some(Wrong::Edited),
                    Err(wrong) => Some(wrong),
                },
            };
            if let Some(wrong) = wrong {
                let (line, offset) = (lines.number, lines.begin);
                let wrong = lines.swapped(wrong)?;
                walked.fault = Some(Fault { file: path.clone(), line, offset, wrong });
                return Ok(walked);
            }
        }
    }
    Ok(walked)
}

fn follows(head: Head, line: &Line<'_>) -> Result<(), Wrong> {
    let expected = head.seq.saturating_add(1);
    match line.seq {
        seq if seq > expected => Err(Wrong::Missing { from: expected, to: seq - 1 }),
        seq if seq < expected => Err(Wrong::Reordered { found: seq, expected }),
        _ if line.prev != head.hash => Err(Wrong::Replaced),
        _ => Ok(()),
    }
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    Torn,
    TooLong,
}

/// The lines of one file.
struct Lines {
    file: BufReader<File>,
    /// The line, without its break.
    bytes: Vec<u8>,
    number: u64,
    begin: u64,
    end: u64,
}

impl Lines {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: BufReader::new(File::open(path)?), bytes: Vec::new(), number: 0, begin: 0, end: 0 })
    }

    fn next(&mut self) -> io::Result<Option<End>> {
        self.bytes.clear();
        let read = (&mut self.file).take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut self.bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        (self.begin, self.end) = (self.end, self.end + read as u64);
        if self.bytes.last() == Some(&b'\n') {
            self.bytes.pop();
            return Ok(Some(End::Whole));
        }
        Ok(Some(if read == LINE_BYTES_MAX { End::TooLong } else { End::Torn }))
    }

    /// A line that comes too early may have changed places with the next one.
    fn swapped(&mut self, wrong: Wrong) -> io::Result<Wrong> {
        let Wrong::Missing { from, to } = wrong else { return Ok(wrong) };
        while self.next()?.is_some() {
            if line::read(&self.bytes).is_some_and(|line| line.seq == from) {
                return Ok(Wrong::Reordered { found: to + 1, expected: from });
            }
        }
        Ok(wrong)
    }
}

/// Calls `each` with every line of these files as it stands, good or bad, until it answers false.
pub fn lines(files: &[PathBuf], mut each: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    for path in files {
        let mut lines = Lines::open(path)?;
        while lines.next()?.is_some() {
            if !each(&lines.bytes) {
                return Ok(());
            }
        }
    }
    Ok(())
}
