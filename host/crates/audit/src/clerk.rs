//! The clerk: one thread that carries records from the outbox into the book.
//! Records wait in the store until they are durable in the file, so that a crash
//! loses none and doubles none, and no turn waits for the file.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;
use session::Millis;
use storage::{Outbox, OutboxId};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::book::{self, Book, FILE_BYTES};
use crate::line::Head;

/// Rows that are carried at once: they are held in memory, and removed in one transaction that others wait for.
const SLICE: usize = 1_024;

/// How long rows gather before they are carried. A line is that much younger than
/// what it tells; in return a busy server syncs the file once a second.
const GATHER: Duration = Duration::from_secs(1);

/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How often a lasting failure is reported.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// How often the head is noted in a line and in the log, where lines were added.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(3_600);

/// Rows that may wait while the file cannot be written. Beyond that the server says
/// that it is not ready. Rows are never dropped: the disk is what bounds them.
pub const WAITING_MAX: u64 = 100_000;

/// What a clerk needs.
pub struct Options {
    /// The log's own directory.
    pub directory: PathBuf,
    /// Where records wait.
    pub outbox: Arc<dyn Outbox>,
}

/// The running clerk. Dropping it leaves what waits to the next one.
pub struct Clerk {
    thread: Mutex<Option<JoinHandle<()>>>,
    stop: CancellationToken,
    state: Arc<State>,
}

/// What the clerk tells others.
struct State {
    writes: AtomicBool,
    waiting: AtomicU64,
}

impl Clerk {
    /// Starts the clerk on a thread of its own; a log that cannot be opened is tried
    /// again. Called once a server, inside its runtime.
    pub fn start(options: Options) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let state = Arc::new(State { writes: AtomicBool::new(true), waiting: AtomicU64::new(0) });
        let desk = Desk { options, state: state.clone(), book: None, arrived: None, checkpoint: None };
        let (runtime, stopped) = (Handle::current(), stop.clone());
        let work = move || runtime.block_on(desk.work(stopped));
        let thread = std::thread::Builder::new().name("audit".into()).spawn(work)?;
        Ok(Self { thread: Mutex::new(Some(thread)), stop, state })
    }

    /// Whether records reach the log.
    pub fn ready(&self) -> bool {
        self.state.writes.load(Ordering::Relaxed) && self.state.waiting.load(Ordering::Relaxed) <= WAITING_MAX
    }

    /// Carries what still waits, if it can be carried, and ends. Blocks.
    pub fn finish(&self) {
        self.stop.cancel();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes the audit log has panicked; what it did not write waits in the store");
        }
    }
}

impl Drop for Clerk {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Why records were not carried.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Book(#[from] book::Error),
    #[error("the outbox cannot be read or emptied: {0}")]
    Store(#[from] storage::Error),
}

/// The clerk's own.
struct Desk {
    options: Options,
    state: Arc<State>,
    /// Opened when it is first needed, and again where that fails.
    book: Option<Book>,
    /// The last row that is safe in the file; it may still wait in the outbox.
    arrived: Option<OutboxId>,
    /// When the head is to be noted, and the line that was the head when it last was.
    checkpoint: Option<(Instant, Head)>,
}

impl Desk {
    async fn work(mut self, stop: CancellationToken) {
        let mut reported: Option<Instant> = None;
        loop {
            // Asked before the round: what was put into the outbox before the wish to stop is still carried.
            let stopping = stop.is_cancelled();
            match self.round().await {
                Ok(full) => {
                    if reported.take().is_some() {
                        tracing::info!("the audit log is written again");
                    }
                    self.state.writes.store(true, Ordering::Relaxed);
                    if full {
                        continue;
                    }
                    if stopping {
                        break;
                    }
                    self.rest(&stop).await;
                }
                Err(trouble) => {
                    self.state.writes.store(false, Ordering::Relaxed);
                    if reported.is_none_or(|at| at.elapsed() >= REPORT_EVERY) {
                        let waiting = self.state.waiting.load(Ordering::Relaxed);
                        tracing::error!(
                            waiting,
                            "the audit log cannot be written; its records wait in the store and the server is not ready: {trouble}"
                        );
                        reported = Some(Instant::now());
                    }
                    if stopping {
                        break;
                    }
                    let _ = tokio::time::timeout(RETRY, stop.cancelled()).await;
                }
            }
        }
        if let Some(book) = &self.book {
            tracing::info!(seq = book.head().seq, hash = book.head().hex(), "the audit log ends here for now");
        }
    }

    /// Waits until there is something to do: rows that have gathered for a while, a checkpoint, or the end.
    async fn rest(&self, stop: &CancellationToken) {
        let due = self.checkpoint.map_or(CHECKPOINT_EVERY, |(due, _)| due.saturating_duration_since(Instant::now()));
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(due) => {}
            () = self.options.outbox.filled() => {
                let _ = tokio::time::timeout(GATHER, stop.cancelled()).await;
            }
        }
    }

    /// Carries one slice, or notes the head where it is time. True where more may wait.
    async fn round(&mut self) -> Result<bool, Trouble> {
        let outbox = self.options.outbox.clone();
        let waiting = outbox.waiting()?;
        self.state.waiting.store(waiting, Ordering::Relaxed);
        metrics::gauge!("wardian_audit_waiting").set(waiting as f64);
        let book = match &mut self.book {
            Some(book) => book,
            None => {
                let mark = outbox.mark()?.and_then(|mark| Head::from_mark(&mark));
                let book = Book::open(&self.options.directory, FILE_BYTES, mark)?;
                tracing::info!(seq = book.head().seq, hash = book.head().hex(), "the audit log goes on from here");
                self.checkpoint = Some((Instant::now() + CHECKPOINT_EVERY, book.head()));
                self.book.insert(book)
            }
        };
        let rows = outbox.pending(SLICE)?;
        let Some((through, _)) = rows.last() else {
            book.caught_up();
            note_head(book, &mut self.checkpoint)?;
            return Ok(false);
        };
        let (through, full) = (*through, rows.len() == SLICE);
        let arrived = self.arrived;
        let fresh = rows.into_iter().filter(|(id, record)| arrived.is_none_or(|arrived| *id > arrived) && !book.holds(*id, record));
        let fresh: Vec<_> = fresh.map(|(id, record)| (Some(id), record)).collect();
        book.append(&fresh)?;
        book.sync()?;
        self.arrived = Some(through);
        metrics::counter!("wardian_audit_lines_total").increment(fresh.len() as u64);
        outbox.settle(Some(through), book.head().mark().into_bytes()).await?;
        Ok(full)
    }
}

/// Writes the head into a line of its own and into the log, once an hour. Whoever
/// keeps the log elsewhere can tell later whether the end of the chain was cut off.
fn note_head(book: &mut Book, checkpoint: &mut Option<(Instant, Head)>) -> Result<(), book::Error> {
    let now = Instant::now();
    let Some((due, noted)) = *checkpoint else { return Ok(()) };
    if due > now {
        return Ok(());
    }
    if noted != book.head() {
        let head = book.head();
        tracing::info!(seq = head.seq, hash = head.hex(), "audit checkpoint");
        let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let at = Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)).rfc3339();
        let line = json!({ "at": at, "kind": "checkpoint", "head": head.hex(), "count": head.seq - noted.seq });
        book.append(&[(None, line.to_string().into_bytes())])?;
        book.sync()?;
    }
    *checkpoint = Some((now + CHECKPOINT_EVERY, book.head()));
    Ok(())
}

#[cfg(test)]
mod tests;
