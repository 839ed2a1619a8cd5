//! The one thread that writes. It drains what waits into one transaction, so
//! that everybody who waits shares one sync of the disk, and answers after it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use ::redb::{Database, WriteTransaction};
use session::Millis;
use tokio::sync::{Notify, oneshot};

use super::apply::{self, Memory};
use super::begun;
use super::file::{self, Medium, Options};
use super::layout::{FORMAT, META_EPOCH, META_FORMAT, META_PULSE, Rows};
use super::names::{self, Change};
use super::outbox;
use super::read::Slot;
use super::reap;
use super::timers;
use crate::batch::Batch;
use crate::journal::{Error, When};

/// Batches in one transaction. More would make the first wait for the last
/// without a gain: here the sync costs a few per cent of the rows.
const GROUP_BATCHES_MAX: usize = 512;

/// How long a `WithNext` batch waits for company.
const COMPANY_WAIT: Duration = Duration::from_millis(5);

/// How long after a write the file is made ready for a quick start.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(10);

/// Below this much free space nothing is written: the database is never driven
/// into a failing write, and deleting something else brings the store back.
pub(super) const FREE_BYTES_MIN: u64 = 16 << 20;

/// One thing to write.
pub(super) enum Job {
    /// Batches, answered one by one.
    Commit {
        /// In order.
        batches: Vec<Batch>,
        /// How soon.
        when: When,
        /// What the queue counted for them.
        bytes: usize,
        /// Who waits.
        answer: oneshot::Sender<Vec<Result<(), Error>>>,
    },
    /// A change of the directory.
    Change {
        /// Which.
        change: Change,
        /// What the queue counted for it.
        bytes: usize,
        /// Who waits.
        answer: oneshot::Sender<Result<usize, Error>>,
    },
    /// A write that changes nothing.
    Probe(oneshot::Sender<Vec<Result<(), Error>>>),
    /// The end.
    Close,
}

impl Job {
    fn batches(&self) -> usize {
        match self {
            Self::Commit { batches, .. } => batches.len(),
            Self::Change { .. } | Self::Probe(_) | Self::Close => 1,
        }
    }

    fn waits(&self) -> bool {
        matches!(self, Self::Commit { when: When::WithNext, .. } | Self::Change { change: Change::Settle { .. }, .. })
    }
}

/// An answer that is held back until the commit.
enum Answer {
    Commit(oneshot::Sender<Vec<Result<(), Error>>>, Vec<Result<(), Error>>),
    Change(oneshot::Sender<Result<usize, Error>>, Result<usize, Error>),
}

impl Answer {
    /// Answers. Whoever dropped the ticket does not want to know.
    fn send(self, failure: Option<&Error>) {
        match (self, failure) {
            (Self::Commit(to, results), None) => drop(to.send(results)),
            (Self::Commit(to, results), Some(error)) => drop(to.send(results.iter().map(|_| Err(error.clone())).collect())),
            (Self::Change(to, result), None) => drop(to.send(result)),
            (Self::Change(to, _), Some(error)) => drop(to.send(Err(error.clone()))),
        }
    }
}

/// The writer's own.
pub(super) struct Writer {
    /// What waits.
    pub(super) queue: Receiver<Job>,
    /// What the queue holds.
    pub(super) queued_bytes: Arc<AtomicUsize>,
    /// The database, shared with readers.
    pub(super) slot: Arc<Slot>,
    /// Where it lies.
    pub(super) medium: Box<dyn Medium>,
    /// How to open it again.
    pub(super) options: Options,
    /// What is remembered.
    pub(super) memory: Memory,
    /// When the file is to be made ready for a quick start.
    pub(super) checkpoint_at: Option<Instant>,
    /// Whoever carries the outbox is told here.
    pub(super) filled: Arc<Notify>,
    /// Why nothing is written any more.
    pub(super) broken: Option<Error>,
}

impl Writer {
    /// Writes until it is closed or every handle is gone.
    pub(super) fn run(mut self) {
        loop {
            let first = match self.checkpoint_at {
                Some(due) => match self.queue.recv_timeout(due.saturating_duration_since(Instant::now())) {
                    Ok(job) => job,
                    Err(RecvTimeoutError::Timeout) => {
                        self.checkpoint();
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                },
                None => match self.queue.recv() {
                    Ok(job) => job,
                    Err(_) => break,
                },
            };
            let (jobs, closing) = self.gather(first);
            self.commit(jobs);
            if closing {
                break;
            }
        }
        self.close();
    }

    /// What goes into the next transaction, and whether it is the last one.
    fn gather(&self, first: Job) -> (Vec<Job>, bool) {
        let company_until = Instant::now() + COMPANY_WAIT;
        let (mut jobs, mut batches, mut urgent) = (Vec::new(), 0, false);
        let mut next = Some(first);
        while let Some(job) = next.take() {
            if matches!(job, Job::Close) {
                return (jobs, true);
            }
            urgent |= !job.waits();
            batches += job.batches();
            jobs.push(job);
            if batches >= GROUP_BATCHES_MAX {
                break;
            }
            next = match self.queue.try_recv() {
                Ok(job) => Some(job),
                Err(TryRecvError::Empty) if !urgent => {
                    self.queue.recv_timeout(company_until.saturating_duration_since(Instant::now())).ok()
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
            };
        }
        (jobs, false)
    }

    /// One transaction for all of them.
    fn commit(&mut self, jobs: Vec<Job>) {
        let mut answers = Vec::with_capacity(jobs.len());
        let outcome = match self.may_write() {
            Ok(()) => self.transact(jobs, &mut answers),
            Err(error) => {
                answers.extend(jobs.into_iter().filter_map(|job| self.refuse(job)));
                Err(error)
            }
        };
        if let Err(error) = &outcome {
            self.recover(error);
        }
        for answer in answers {
            answer.send(outcome.as_ref().err());
        }
    }

    fn may_write(&mut self) -> Result<(), Error> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        if self.medium.free_bytes().is_some_and(|free| free < FREE_BYTES_MIN) {
            return Err(Error::Full);
        }
        if self.slot.read().unwrap_or_else(PoisonError::into_inner).is_none() {
            self.reopen()?;
        }
        Ok(())
    }

    fn refuse(&self, job: Job) -> Option<Answer> {
        match job {
            Job::Commit { batches, bytes, answer, .. } => {
                self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
                Some(Answer::Commit(answer, batches.iter().map(|_| Ok(())).collect()))
            }
            Job::Change { bytes, answer, .. } => {
                self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
                Some(Answer::Change(answer, Ok(0)))
            }
            Job::Probe(answer) => Some(Answer::Commit(answer, vec![Ok(())])),
            Job::Close => None,
        }
    }

    fn transact(&mut self, jobs: Vec<Job>, answers: &mut Vec<Answer>) -> Result<(), Error> {
        let slot = Arc::clone(&self.slot);
        let open = slot.read().unwrap_or_else(PoisonError::into_inner);
        let begun = open.as_ref().ok_or_else(|| Error::Broken("the store is closed".into())).and_then(|database| self.begin(database));
        let mut jobs = jobs.into_iter();
        let outcome = begun.and_then(|(transaction, checkpoint)| {
            let mut rows = Rows::new(&transaction);
            let mut changed = false;
            for job in jobs.by_ref() {
                changed |= self.apply(&mut rows, job, answers)?;
            }
            drop(rows);
            if changed {
                transaction.commit()?;
                if std::mem::take(&mut self.memory.put_out) {
                    self.filled.notify_one();
                }
                self.checkpoint_at = if checkpoint { None } else { self.checkpoint_at.or(Some(Instant::now() + CHECKPOINT_AFTER)) };
            }
            Ok(())
        });
        // After a failure the jobs behind it were not looked at; they fail with it.
        answers.extend(jobs.filter_map(|job| self.refuse(job)));
        outcome
    }

    /// A transaction, and whether it makes the file ready for a quick start because it is time.
    fn begin(&self, database: &Database) -> Result<(WriteTransaction, bool), Error> {
        let mut transaction = database.begin_write()?;
        let checkpoint = self.checkpoint_at.is_some_and(|due| due <= Instant::now());
        transaction.set_quick_repair(checkpoint);
        Ok((transaction, checkpoint))
    }

    /// One job's rows; answers whether there were any. An error is the store's own, refusals are answers.
    fn apply(&mut self, rows: &mut Rows<'_>, job: Job, answers: &mut Vec<Answer>) -> Result<bool, Error> {
        let mut failure = None;
        let mut keep = |error: &Error| {
            if error.is_failure() {
                failure.get_or_insert_with(|| error.clone());
            }
        };
        let mut changed = false;
        match job {
            Job::Commit { batches, bytes, answer, .. } => {
                self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
                let results =
                    batches.iter().map(|batch| apply::apply(rows, &mut self.memory, batch).inspect_err(&mut keep)).collect::<Vec<_>>();
                changed = results.iter().any(Result::is_ok);
                answers.push(Answer::Commit(answer, results));
            }
            Job::Change { change, bytes, answer } => {
                self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
                let result = self.change(rows, &change).inspect_err(&mut keep);
                changed = matches!(result, Ok(1..));
                answers.push(Answer::Change(answer, result));
            }
            Job::Probe(answer) => {
                let result = rows.meta()?.insert(META_PULSE, [].as_slice()).map(drop).map_err(Error::from).inspect_err(&mut keep);
                changed = result.is_ok();
                answers.push(Answer::Commit(answer, vec![result]));
            }
            Job::Close => {}
        }
        failure.map_or(Ok(changed), Err)
    }

    fn change(&mut self, rows: &mut Rows<'_>, change: &Change) -> Result<usize, Error> {
        match change {
            Change::Begin { session, tenant } => begun::begin(rows, *session, *tenant),
            Change::Create(record) => names::create(rows, record),
            Change::Update { uid, version, body, alias } => names::update(rows, *uid, *version, body, alias),
            Change::Delete(uid) => names::delete(rows, &mut self.memory, *uid),
            Change::ExpireAt { uid, at } => timers::set(rows, *uid, *at),
            Change::Reap(rows_max) => reap::reap(rows, *rows_max, now()),
            Change::Put(added) => outbox::put(rows, &mut self.memory, added),
            Change::Settle { through, mark } => outbox::settle(rows, *through, mark),
        }
    }

    /// After a failure: nothing remembered counts. A full disk is survived by
    /// opening the file again, which also tells what of it was durable; after
    /// anything else no write can be trusted, and none is tried.
    fn recover(&mut self, error: &Error) {
        self.memory.forget_all();
        let was_driven_into = !matches!(self.medium.free_bytes(), Some(free) if free < FREE_BYTES_MIN);
        match error {
            Error::Full if !was_driven_into => {}
            Error::Full => drop(self.reopen()),
            other => {
                if self.broken.is_none() {
                    tracing::error!(error = %other, "the store failed and takes no more writes; end this process and look at the disk");
                    self.broken = Some(other.clone());
                }
            }
        }
    }

    /// Closes the database and opens it again. Where that fails for want of space it is tried again at the next write.
    fn reopen(&mut self) -> Result<(), Error> {
        let mut slot = self.slot.write().unwrap_or_else(PoisonError::into_inner);
        drop(slot.take());
        match file::open(&*self.medium, &self.options) {
            Ok(opened) if opened.epoch == self.memory.epoch => {
                *slot = Some(opened.database);
                Ok(())
            }
            Ok(_) => {
                let error = Error::Broken("another server took the store over".into());
                self.broken = Some(error.clone());
                Err(error)
            }
            Err(file::OpenError::Io { source, .. }) => Err(::redb::Error::Io(source).into()),
            Err(other) => Err(Error::Broken(other.to_string())),
        }
    }

    /// An empty commit in two phases that saves what a repair would have to find out.
    fn checkpoint(&mut self) {
        self.checkpoint_at = Some(Instant::now());
        let (answer, _nobody) = oneshot::channel();
        self.commit(vec![Job::Probe(answer)]);
        if self.checkpoint_at.is_some_and(|due| due <= Instant::now()) {
            // It did not go through; there is no hurry to try again.
            self.checkpoint_at = Some(Instant::now() + CHECKPOINT_AFTER);
        }
    }

    /// The last act. Jobs that came after the end are answered by their dropped tickets.
    fn close(mut self) {
        if self.checkpoint_at.is_some() && self.broken.is_none() {
            self.checkpoint();
        }
        let database = self.slot.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(database) = database
            && self.broken.is_none()
            && let Ok(Err(error)) = catch_unwind(AssertUnwindSafe(|| database.close()))
        {
            tracing::warn!(%error, "the store was not closed cleanly; the next start checks the whole file");
        }
    }
}

/// Takes the next epoch, so that whoever held the store before is refused, and gives up what it
/// had only begun. It also makes the file ready for a quick start.
pub(super) fn take_epoch(database: &Database, before: u64) -> Result<u64, Error> {
    let epoch = before + 1;
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    let mut rows = Rows::new(&transaction);
    // A file of an older format becomes one of this: tables that are new are made, nothing else differs.
    rows.create_all()?;
    begun::give_up_all(&mut rows)?;
    rows.meta()?.insert(META_FORMAT, FORMAT.to_be_bytes().as_slice())?;
    rows.meta()?.insert(META_EPOCH, epoch.to_be_bytes().as_slice())?;
    drop(rows);
    transaction.commit()?;
    Ok(epoch)
}

fn now() -> Millis {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
