//! Whether a log is whole: the chain from its first line to its last.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::chain::{self, Fault, SET_ASIDE, Wrong};
use crate::line::Head;

/// How often a log that seems torn is looked at: a server may be writing that very line.
const LOOKS: u32 = 4;

/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(150);

/// What a walk along the whole chain found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The files that were read.
    pub files: Vec<PathBuf>,
    /// How many lines are good.
    pub lines: u64,
    /// The number of the first line; above 1 where older files were moved away.
    pub first: Option<u64>,
    /// The last good line.
    pub head: Option<Head>,
    /// How many lines there are of each kind.
    pub kinds: BTreeMap<String, u64>,
    /// The hash of every good line that was asked for, with its number.
    pub noted: Option<u64>,
    /// The number of each line before which a server found the log changed or cut.
    pub gaps: Vec<u64>,
    /// Files that a server found damaged and did not go on with.
    pub set_aside: Vec<PathBuf>,
    /// Where the chain is broken.
    pub fault: Option<Fault>,
}

/// Walks along the log in a directory, or along one file of it.
pub fn verify(path: &Path) -> io::Result<Report> {
    verify_noted(path, None)
}

/// The same, and looks for the line that has this hash.
pub fn verify_noted(path: &Path, noted: Option<[u8; 32]>) -> io::Result<Report> {
    for _ in 1..LOOKS {
        match look(path, noted) {
            Ok(report) if report.fault.as_ref().is_none_or(|fault| fault.wrong != Wrong::Torn) => return Ok(report),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            // A torn line may be finished, and a file that was just renamed found, a moment later.
            Ok(_) | Err(_) => std::thread::sleep(PAUSE),
        }
    }
    look(path, noted)
}

/// One look, without waiting for a server that may be writing.
pub(crate) fn look(path: &Path, noted: Option<[u8; 32]>) -> io::Result<Report> {
    let mut report = Report::default();
    if std::fs::metadata(path)?.is_dir() {
        report.files = chain::files(path)?;
        report.set_aside = set_aside(path)?;
    } else {
        report.files.push(path.to_owned());
    }
    let walked = chain::walk(&report.files, |line| {
        report.lines += 1;
        report.first.get_or_insert(line.seq);
        let told = Told::read(line.members);
        if told.kind == "repair" && told.why.as_deref() == Some("changed") {
            report.gaps.push(line.seq);
        }
        *report.kinds.entry(told.kind).or_default() += 1;
        if noted == Some(line.hash) {
            report.noted = Some(line.seq);
        }
    })?;
    (report.head, report.fault) = (walked.head, walked.fault);
    Ok(report)
}

/// What a line says of itself.
#[derive(Deserialize)]
struct Told {
    kind: String,
    why: Option<String>,
}

impl Told {
    fn read(members: &[u8]) -> Self {
        let object = [b"{", members, b"}"].concat();
        serde_json::from_slice(&object).unwrap_or_else(|_| Self { kind: "without a kind".to_owned(), why: None })
    }
}

fn set_aside(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(SET_ASIDE) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
