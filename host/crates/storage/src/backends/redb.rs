//! The journal, the directory, the blobs and the outbox in one redb file of one process.
//!
//! One thread writes and everybody reads. What waits for the disk shares one
//! sync; a commit has one phase with checksums, and when writing pauses, at the
//! end and about every ten seconds one in two phases saves what a start after a
//! crash would otherwise have to find out by walking the whole file.

mod apply;
mod begun;
mod codec;
mod failure;
mod file;
mod inbox;
mod layout;
mod names;
mod outbox;
mod read;
mod reap;
mod rewrite;
mod row;
#[cfg(test)]
mod tests;
mod timers;
mod waits;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use session::{Entry, Head, Millis, Seq, Uid};
use tokio::sync::{Notify, oneshot};

pub use file::{CACHE_BYTES_DEFAULT, OpenError, Options};

use crate::batch::{Batch, Blob, DueWait, Idempotency, IdempotencyKey, InboxChange, InboxRow, OpenWait, Running, WaitRow};
use crate::directory::{Directory, Kind, ListKey, Record, Rename};
use crate::journal::{Blobs, Error, Journal, Page, Ticket, When};
use crate::outbox::{Outbox, OutboxId};
use apply::Memory;
use file::{Medium, OnDisk, Opened};
use names::Change;
use read::{Slot, View};
use writer::{Job, Writer};

/// Calls that wait for the writer; one more is answered with [`Error::Busy`].
const QUEUE_JOBS_MAX: usize = 4_096;

/// Bytes that wait for the writer, the same: a stalled disk must not fill the memory.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// A store in one file. Closed when dropped.
pub struct Redb {
    slot: Arc<Slot>,
    queue: SyncSender<Job>,
    queued_bytes: Arc<AtomicUsize>,
    epoch: u64,
    filled: Arc<Notify>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Redb {
    /// Opens the store in `path`, making it in one piece where there is none.
    /// Blocks; after an unclean stop it may check the whole file.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        Self::open_on(Box::new(OnDisk::prepare(path.as_ref())?), options)
    }

    fn open_on(medium: Box<dyn Medium>, options: Options) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { path: medium.path().to_owned(), source };
        let Opened { database, epoch } = file::open(&*medium, &options)?;
        let epoch = writer::take_epoch(&database, epoch).map_err(|error| io(std::io::Error::other(error)))?;
        let slot = Arc::new(Slot::new(Some(database)));
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let filled = Arc::new(Notify::new());
        let (queue, waiting) = sync_channel(QUEUE_JOBS_MAX);
        let failed_path = medium.path().to_owned();
        let writer = Writer {
            queue: waiting,
            queued_bytes: Arc::clone(&queued_bytes),
            slot: Arc::clone(&slot),
            medium,
            options,
            memory: Memory::new(epoch),
            checkpoint_at: None,
            filled: Arc::clone(&filled),
            broken: None,
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(|| writer.run())
            .map_err(|source| OpenError::Io { path: failed_path, source })?;
        Ok(Self { slot, queue, queued_bytes, epoch, filled, writer: Mutex::new(Some(thread)) })
    }

    /// Writes what waits, makes the file ready for a quick start and closes it.
    /// Whatever comes later is answered with [`Error::Broken`]. Blocks.
    pub fn close(&self) {
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The writer may have ended by itself; then there is nobody to tell.
            let _ = self.queue.send(Job::Close);
            let _ = thread.join();
        }
    }

    /// Hands a job to the writer, or the reason why not.
    fn hand(&self, bytes: usize, job: Job) -> Result<(), Box<(Job, Error)>> {
        if self.queued_bytes.fetch_add(bytes, Ordering::Relaxed) > QUEUE_BYTES_MAX {
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Box::new((job, Error::Busy)));
        }
        self.queue.try_send(job).map_err(|refused| {
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            Box::new(match refused {
                TrySendError::Full(job) => (job, Error::Busy),
                TrySendError::Disconnected(job) => (job, Error::Broken("the store is closed".into())),
            })
        })
    }

    async fn change(&self, change: Change) -> Result<usize, Error> {
        let (answer, ticket) = oneshot::channel();
        let bytes = change.bytes();
        if let Err(refused) = self.hand(bytes, Job::Change { change, bytes, answer }) {
            refuse(*refused);
        }
        ticket.await.unwrap_or_else(|_| Err(Error::Broken("the writer has stopped".into())))
    }

    fn view(&self) -> Result<View<'_>, Error> {
        View::of(&self.slot)
    }
}

impl Drop for Redb {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Redb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redb").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// Answers a job that the queue did not take. Whoever dropped the ticket does not want to know.
fn refuse((job, error): (Job, Error)) {
    match job {
        Job::Commit { batches, answer, .. } => drop(answer.send(batches.iter().map(|_| Err(error.clone())).collect())),
        Job::Change { answer, .. } => drop(answer.send(Err(error))),
        Job::Probe(answer) => drop(answer.send(vec![Err(error)])),
        Job::Close => {}
    }
}

/// Roughly the memory that a batch takes while it waits.
fn weight(batch: &Batch) -> usize {
    let queued = |change: &InboxChange| match change {
        InboxChange::Put(row) => row.body.len(),
        InboxChange::Remove(_) => 0,
    };
    batch.entries.iter().map(|entry| entry.body.len()).sum::<usize>()
        + batch.rewrites.iter().map(|rewrite| rewrite.body.len()).sum::<usize>()
        + batch.inbox.iter().map(queued).sum::<usize>()
        + batch.state.iter().map(|write| write.value.as_ref().map_or(0, Vec::len)).sum::<usize>()
        + batch.blobs.iter().map(|blob| blob.bytes.len()).sum::<usize>()
        + batch.audit.iter().map(Vec::len).sum::<usize>()
}

impl Journal for Redb {
    fn commit(&self, batches: Vec<Batch>, when: When) -> Ticket {
        let (answer, ticket) = Ticket::new();
        let bytes = batches.iter().map(weight).sum();
        if let Err(refused) = self.hand(bytes, Job::Commit { batches, when, bytes, answer }) {
            refuse(*refused);
        }
        ticket
    }

    fn lease(&self, _session: Uid) -> Result<u64, Error> {
        Ok(self.epoch)
    }

    fn head(&self, session: Uid) -> Result<Option<Head>, Error> {
        self.view()?.head(session)
    }

    fn read(&self, session: Uid, from: Seq, limit: usize) -> Result<Page, Error> {
        self.view()?.entries(session, from, limit)
    }

    fn listed(&self, session: Uid, from: Seq, limit: usize, include_hidden: bool) -> Result<Page, Error> {
        self.view()?.listed(session, from, limit, include_hidden)
    }

    fn entry(&self, session: Uid, seq: Seq) -> Result<Option<Entry>, Error> {
        self.view()?.entry(session, seq)
    }

    fn running(&self, after: Option<Uid>, limit: usize) -> Result<Vec<(Uid, Uid, Running)>, Error> {
        self.view()?.running(after, limit)
    }

    fn running_turn(&self, session: Uid) -> Result<Option<Running>, Error> {
        self.view()?.running_turn(session)
    }

    fn inbox(&self, session: Uid) -> Result<Vec<InboxRow>, Error> {
        self.view()?.inbox(session)
    }

    fn waits(&self, session: Uid) -> Result<Vec<WaitRow>, Error> {
        self.view()?.waits(session)
    }

    fn open_waits(&self, tenant: Option<Uid>, after: Option<Uid>, limit: usize) -> Result<Vec<OpenWait>, Error> {
        self.view()?.open_waits(tenant, after, limit)
    }

    fn due_waits(&self, until: Millis, after: Option<DueWait>, limit: usize) -> Result<Vec<DueWait>, Error> {
        self.view()?.due_waits(until, after, limit)
    }

    fn idempotency(&self, key: &IdempotencyKey) -> Result<Option<Idempotency>, Error> {
        self.view()?.idempotency(key)
    }

    fn state(&self, tenant: Uid, plugin: &str, owner: Uid, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.view()?.state(tenant, plugin, owner, key)
    }

    fn state_sizes(&self, tenant: Uid, plugin: &str, owner: Uid) -> Result<Vec<(String, u64)>, Error> {
        self.view()?.state_sizes(tenant, plugin, owner)
    }

    fn probe(&self) -> Ticket {
        let (answer, ticket) = Ticket::new();
        if let Err(refused) = self.hand(0, Job::Probe(answer)) {
            refuse(*refused);
        }
        ticket
    }
}

#[async_trait]
impl Directory for Redb {
    async fn begin(&self, session: Uid, tenant: Uid) -> Result<(), Error> {
        self.change(Change::Begin { session, tenant }).await.map(drop)
    }

    async fn create(&self, record: Record) -> Result<(), Error> {
        self.change(Change::Create(record)).await.map(drop)
    }

    async fn update(&self, uid: Uid, version: u64, body: Vec<u8>, alias: Rename) -> Result<(), Error> {
        self.change(Change::Update { uid, version, body, alias }).await.map(drop)
    }

    async fn delete(&self, uid: Uid) -> Result<bool, Error> {
        Ok(self.change(Change::Delete(uid)).await? == 1)
    }

    fn get(&self, uid: Uid) -> Result<Option<Record>, Error> {
        self.view()?.record(uid)
    }

    fn find(&self, tenant: Uid, kind: Kind, scope: Uid, name: &str) -> Result<Option<Record>, Error> {
        self.view()?.named(tenant, kind, scope, name)
    }

    fn list(&self, tenant: Uid, kind: Kind, scope: Uid, after: Option<ListKey>, limit: usize) -> Result<Vec<Record>, Error> {
        self.view()?.records(tenant, kind, scope, after, limit)
    }

    fn latest(&self, tenant: Uid, kind: Kind, scope: Uid, before: Option<ListKey>, limit: usize) -> Result<Vec<Record>, Error> {
        self.view()?.latest(tenant, kind, scope, before, limit)
    }

    async fn expire_at(&self, uid: Uid, at: Option<Millis>) -> Result<(), Error> {
        self.change(Change::ExpireAt { uid, at }).await.map(drop)
    }

    fn expiring(&self, until: Millis, after: Option<(Millis, Uid)>, limit: usize) -> Result<Vec<(Millis, Uid)>, Error> {
        self.view()?.expiring(until, after, limit)
    }

    async fn reap(&self, rows: usize) -> Result<usize, Error> {
        self.change(Change::Reap(rows)).await
    }
}

impl Blobs for Redb {
    fn blob(&self, tenant: Uid, digest: [u8; 32]) -> Result<Option<Blob>, Error> {
        self.view()?.blob(tenant, digest)
    }

    fn holds(&self, session: Uid, tenant: Uid, digest: [u8; 32]) -> Result<bool, Error> {
        self.view()?.holds(session, tenant, digest)
    }
}

#[async_trait]
impl Outbox for Redb {
    async fn put(&self, rows: Vec<Vec<u8>>) -> Result<(), Error> {
        self.change(Change::Put(rows)).await.map(drop)
    }

    fn pending(&self, limit: usize) -> Result<Vec<(OutboxId, Vec<u8>)>, Error> {
        self.view()?.outbox(limit)
    }

    fn waiting(&self) -> Result<u64, Error> {
        self.view()?.outbox_waiting()
    }

    async fn settle(&self, through: Option<OutboxId>, mark: Vec<u8>) -> Result<(), Error> {
        self.change(Change::Settle { through, mark }).await.map(drop)
    }

    fn mark(&self) -> Result<Option<Vec<u8>>, Error> {
        self.view()?.outbox_mark()
    }

    async fn filled(&self) {
        self.filled.notified().await;
    }
}
