//! `wardian audit`: the log of every tool call and every decision. Reads the files
//! by themselves, so that it works wherever they were copied to.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use audit::{Report, chain};
use serde_json::Value;

use super::table;
use crate::config::Settings;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Walk along the whole chain and say where it is broken
    #[command(after_help = "\
Every line carries the hash of the line before, so that a line that was edited, removed,
put elsewhere or written anew is found. What the chain alone cannot show is that its end
was cut off, or that all of it was written anew: note the head that this command prints,
or the ones that the server writes to its ordinary log every hour, where nobody who can
write the audit log can change them, and pass one with --head.

Exit codes: 0 whole   1 broken, without a line, found changed by a server, or without the noted head

Examples:
  wardian audit verify
  wardian audit verify /backup/audit --head 5f1c…")]
    Verify {
        /// The directory of a log, or one file of it [default: audit in the data directory]
        path: Option<PathBuf>,
        /// A head that was noted earlier: it has to be in the log
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
    /// Show the last lines, of one session or call if asked for
    Show {
        /// The directory of a log, or one file of it [default: audit in the data directory]
        path: Option<PathBuf>,
        /// Of the calls of this session
        #[arg(long, value_name = "KEY")]
        session: Option<String>,
        /// Of this call: the id of its tool_input event
        #[arg(long, value_name = "ID")]
        call: Option<String>,
        /// How many lines
        #[arg(long, default_value_t = 20)]
        last: usize,
        /// The lines as they stand in the file
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: Command, settings: &Settings) -> anyhow::Result<()> {
    let place = |path: Option<PathBuf>| path.unwrap_or_else(|| settings.audit());
    match command {
        Command::Verify { path, head } => verify(&place(path), head.as_deref()),
        Command::Show { path, session, call, last, json } => show(&place(path), Wanted { session, call, of_session: None }, last, json),
    }
}

fn verify(path: &Path, head: Option<&str>) -> anyhow::Result<()> {
    let noted = head.map(hash).transpose()?;
    let report = audit::verify_noted(path, noted).with_context(|| format!("cannot read the audit log in {}", path.display()))?;
    for file in &report.set_aside {
        println!("note: {} is no part of the log: a server found the log changed there and went on in a new file", file.display());
    }
    if let Some(first) = report.first.filter(|first| *first > 1) {
        println!("note: the log begins with line number {first}; the lines before it are elsewhere or gone");
    }
    say(&report);
    if let Some(fault) = &report.fault {
        bail!("the log is broken: {fault}");
    }
    if let Some(gap) = report.gaps.first() {
        bail!("lines are missing before line number {gap}: a server found there that the log had been changed, cut off or removed");
    }
    if report.lines == 0 {
        bail!("there is no line in {}; a server writes one when it starts", path.display());
    }
    match (head, report.noted) {
        (Some(_), Some(seq)) => println!("the noted head is line number {seq}"),
        (Some(head), None) => bail!("no line has the hash {head}: the end of the log was cut off, or it was written anew"),
        (None, _) => {}
    }
    Ok(())
}

fn say(report: &Report) {
    let whole = if report.fault.is_none() { "whole" } else { "good up to the fault" };
    println!("{} lines in {} files, {whole}", report.lines, report.files.len());
    for (kind, count) in &report.kinds {
        println!("  {count:>8} {}", table::plain(kind));
    }
    if let Some(head) = report.head {
        println!("head {} (line number {})", head.hex(), head.seq);
    }
}

fn hash(text: &str) -> anyhow::Result<[u8; 32]> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.with_context(|| format!("{text:?} is not a hash; it is the 64 digits behind \"head\" that verify prints"))
}

fn show(path: &Path, mut wanted: Wanted, last: usize, as_json: bool) -> anyhow::Result<()> {
    let files = if path.is_dir() { chain::files(path)? } else { vec![path.to_owned()] };
    let mut kept: VecDeque<(Value, String)> = VecDeque::new();
    let read = chain::lines(&files, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        // What is no JSON is for `verify` to speak of.
        let line: Value = serde_json::from_str(&text).unwrap_or_default();
        if wanted.has(&line) {
            kept.push_back((line, text.into_owned()));
            if kept.len() > last {
                kept.pop_front();
            }
        }
        true
    });
    read.with_context(|| format!("cannot read the audit log in {}", path.display()))?;
    for (line, text) in &kept {
        println!("{}", if as_json { table::plain(text) } else { table::plain(&told(line)) });
    }
    Ok(())
}

/// Which lines are shown.
struct Wanted {
    session: Option<String>,
    call: Option<String>,
    /// The last call of the session: what was decided for it stands right behind it.
    of_session: Option<String>,
}

impl Wanted {
    fn has(&mut self, line: &Value) -> bool {
        let text = |member: &str| line[member].as_str();
        if let Some(session) = self.session.as_deref() {
            if text("kind") == Some("call") {
                self.of_session = text("call").filter(|_| text("session") == Some(session)).map(str::to_owned);
            }
            if self.of_session.is_none() || text("call") != self.of_session.as_deref() {
                return false;
            }
        }
        self.call.as_deref().is_none_or(|call| text("call") == Some(call))
    }
}

/// A line for people: when, what, and the rest of it but what belongs to the chain.
fn told(line: &Value) -> String {
    const LEFT_OUT: [&str; 7] = ["seq", "prev", "row", "hash", "at", "kind", "limits"];
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut out = format!("{}  {:<10}", text(&line["at"]), text(&line["kind"]));
    for (name, value) in line.as_object().into_iter().flatten().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str())) {
        out.push_str(&format!(" {name}={}", text(value)));
    }
    out
}
