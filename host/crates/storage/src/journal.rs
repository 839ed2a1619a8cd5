//! The journal: appending to sessions and reading them back.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use session::{Entry, Head, Millis, Seq, Uid};
use tokio::sync::oneshot;

use crate::batch::{Batch, Blob, DueWait, Idempotency, IdempotencyKey, InboxRow, OpenWait, Running, WaitRow};

/// Why the store did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Another writer holds the session.
    #[error("the lease of session {session} is stale: epoch {held} against {current}")]
    StaleLease {
        /// Which session.
        session: Uid,
        /// The epoch of the batch.
        held: u64,
        /// The store's.
        current: u64,
    },
    /// The head moved: somebody wrote, or an earlier batch was lost.
    #[error("session {session} is at {found:?}, not at {expected:?}")]
    HeadMoved {
        /// Which session.
        session: Uid,
        /// What the batch expected.
        expected: Seq,
        /// What the store holds.
        found: Seq,
    },
    /// A rewrite of an entry that is not stored.
    #[error("session {session} holds no entry {} that could be rewritten; nothing of the batch was stored", seq.0)]
    Missing {
        /// Which session.
        session: Uid,
        /// The position that the rewrite named.
        seq: Seq,
    },
    /// The session was deleted.
    #[error("session {0} is gone")]
    Gone(Uid),
    /// A name that is taken.
    #[error("the name is taken")]
    Taken,
    /// A record that changed since it was read.
    #[error("the record was changed by somebody else")]
    Conflict,
    /// More is waiting to be written than the store holds; nothing was changed.
    #[error("too much is waiting to be written; try again in a moment")]
    Busy,
    /// No space left. Reading goes on.
    #[error("the disk is full")]
    Full,
    /// The store cannot go on; the process should end.
    #[error("the store failed: {0}")]
    Broken(String),
    /// What is stored is not what it should be.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// How soon a batch has to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Somebody waits: a frame to a client, the start of a tool.
    Now,
    /// In order, with the next commit, at the latest after 5 ms.
    WithNext,
}

/// The promise of an answer once the batches are durable, in their order.
/// Dropping it does not undo anything.
#[derive(Debug)]
pub struct Ticket(oneshot::Receiver<Vec<Result<(), Error>>>);

impl Ticket {
    /// A ticket and the end that answers it.
    pub fn new() -> (oneshot::Sender<Vec<Result<(), Error>>>, Self) {
        let (answer, ticket) = oneshot::channel();
        (answer, Self(ticket))
    }
}

impl Future for Ticket {
    type Output = Vec<Result<(), Error>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.unwrap_or_else(|_| vec![Err(Error::Broken("the writer has stopped".into()))]))
    }
}

/// A page of entries.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// In order.
    pub entries: Vec<Entry>,
    /// Whether the session holds more after them.
    pub more: bool,
}

/// The sessions' entries. Reading blocks for a few microseconds when the page is cached.
pub trait Journal: Send + Sync {
    /// Makes batches durable. Each is atomic, the group is not; batches of one
    /// session are applied in the order in which they were handed over, also
    /// across calls. Never blocks; a full queue answers through the ticket.
    fn commit(&self, batches: Vec<Batch>, when: When) -> Ticket;

    /// The right to write a session: a new epoch if another holder may exist.
    fn lease(&self, session: Uid) -> Result<u64, Error>;

    /// The session's head, or none where it was never written or is gone.
    fn head(&self, session: Uid) -> Result<Option<Head>, Error>;

    /// Entries of all audiences from `from` on, at most `limit`.
    fn read(&self, session: Uid, from: Seq, limit: usize) -> Result<Page, Error>;

    /// Listed entries only, from `from` on, hidden ones left out unless asked for, at most
    /// `limit`. The cost depends on `limit`, not on the session's length, nor on how many entries
    /// became tombstones or how long hidden runs are; each hidden run on the way costs a look-up,
    /// so runs with nothing listed between them should be written as one.
    fn listed(&self, session: Uid, from: Seq, limit: usize, include_hidden: bool) -> Result<Page, Error>;

    /// One entry, whatever its audience.
    fn entry(&self, session: Uid, seq: Seq) -> Result<Option<Entry>, Error>;

    /// Tenant, session and mark of living sessions with a turn that has not ended, oldest
    /// session first, at most `limit`, after the session `after`.
    fn running(&self, after: Option<Uid>, limit: usize) -> Result<Vec<(Uid, Uid, Running)>, Error>;

    /// The mark of one session's turn that has not ended.
    fn running_turn(&self, session: Uid) -> Result<Option<Running>, Error>;

    /// Inputs that wait for a living session, by their numbers. All of them: whoever accepts
    /// inputs bounds how many may wait.
    fn inbox(&self, session: Uid) -> Result<Vec<InboxRow>, Error>;

    /// What a living session waits for, in the order of its calls.
    fn waits(&self, session: Uid) -> Result<Vec<WaitRow>, Error>;

    /// What living sessions wait for, of one tenant or of all: oldest session first, after the
    /// session `after`. Sessions are never torn: the page ends with the first that reaches `limit`.
    fn open_waits(&self, tenant: Option<Uid>, after: Option<Uid>, limit: usize) -> Result<Vec<OpenWait>, Error>;

    /// Waits of living sessions that are due at `until` or before, the first due first, after
    /// `after`, at most `limit`.
    fn due_waits(&self, until: Millis, after: Option<DueWait>, limit: usize) -> Result<Vec<DueWait>, Error>;

    /// What a client's key stands for, if it was accepted before and its session lives. A row
    /// that is older than 24 hours may still be found until it is reaped.
    fn idempotency(&self, key: &IdempotencyKey) -> Result<Option<Idempotency>, Error>;

    /// One value of a plugin's store.
    fn state(&self, tenant: Uid, plugin: &str, owner: Uid, key: &str) -> Result<Option<Vec<u8>>, Error>;

    /// The keys of a plugin's store with the sizes of their values in bytes, sorted.
    fn state_sizes(&self, tenant: Uid, plugin: &str, owner: Uid) -> Result<Vec<(String, u64)>, Error>;

    /// Whether a small write can be made durable just now; for readiness.
    fn probe(&self) -> Ticket;
}

/// Bytes by digest, within one tenant.
pub trait Blobs: Send + Sync {
    /// One blob.
    fn blob(&self, tenant: Uid, digest: [u8; 32]) -> Result<Option<Blob>, Error>;

    /// Whether an entry of this session brought the blob. A digest that something in a session merely names proves nothing.
    fn holds(&self, session: Uid, tenant: Uid, digest: [u8; 32]) -> Result<bool, Error>;
}
