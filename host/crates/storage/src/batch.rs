//! One write: everything that happens to a session at once.

use std::sync::Arc;

use session::{Entry, Head, Kind, Millis, Seq, TurnNo, Uid};

/// One atomic change of one session. All its rows share one partition.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The session.
    pub session: Uid,
    /// Its tenant.
    pub tenant: Uid,
    /// The writer's lease epoch; a stale one is refused.
    pub epoch: u64,
    /// The last position that the writer knows; another one in the store refuses the batch.
    pub expect: Seq,
    /// New entries, in order, beginning at `expect + 1`. May be empty.
    pub entries: Vec<Entry>,
    /// Entries at or before `expect` that get another content; of two for one position the later counts.
    pub rewrites: Vec<Rewrite>,
    /// The head after the entries.
    pub head: Head,
    /// Whether a turn runs after this batch: `Some(None)` removes the mark, `None` leaves it.
    pub running: Option<Option<Running>>,
    /// Inputs that begin or end to wait, in this order.
    pub inbox: Vec<InboxChange>,
    /// Waits that begin or end with this batch.
    pub waits: Vec<WaitChange>,
    /// Idempotency keys accepted with this batch.
    pub idempotency: Vec<(IdempotencyKey, Idempotency)>,
    /// Changes to plugin stores.
    pub state: Vec<StateWrite>,
    /// Blobs that entries of this batch refer to.
    pub blobs: Vec<Blob>,
    /// Rows for the outbox; they outlive the session.
    pub audit: Vec<Vec<u8>>,
}

/// A stored entry's new content: an event becomes a tombstone, a raw reply is scrubbed. Position,
/// time, turn and step stay. No read shows the old content again once the batch is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// Which entry. One that is not stored refuses the batch.
    pub seq: Seq,
    /// What it is from now on.
    pub kind: Kind,
    /// What it says from now on.
    pub body: Arc<str>,
}

/// A change to the inputs that wait for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboxChange {
    /// An input waits; it replaces one of the same number.
    Put(InboxRow),
    /// The input of this number waits no longer, if it did.
    Remove(u64),
}

/// An input that was accepted and that no turn has taken yet. It goes with its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxRow {
    /// Its number in the session; the first waits the longest.
    pub no: u64,
    /// What was said, opaque here.
    pub body: Vec<u8>,
}

/// A turn that has begun and not ended; what recovery scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// Which turn.
    pub turn: TurnNo,
    /// How often it was taken up, from 1.
    pub attempt: u32,
}

/// A change to what a session waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitChange {
    /// A wait begins; it replaces one of the same call.
    Put(WaitRow),
    /// The wait of this call is over.
    Remove(Seq),
}

/// A call that waits for somebody outside. Found by its session, and by when it is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitRow {
    /// The position of the call's `tool_input`.
    pub call: Seq,
    /// When nobody can answer any more.
    pub due: Millis,
    /// What is asked, opaque here.
    pub body: Vec<u8>,
}

/// A wait and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenWait {
    /// The tenant.
    pub tenant: Uid,
    /// The session.
    pub session: Uid,
    /// The wait.
    pub row: WaitRow,
}

/// When a wait is due, without its content. Sorts by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueWait {
    /// When.
    pub due: Millis,
    /// The session.
    pub session: Uid,
    /// The call.
    pub call: Seq,
}

/// Under what a repeat is recognised: scoped to tenant, principal and path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// The tenant.
    pub tenant: Uid,
    /// SHA-256 over principal, path and the client's key.
    pub digest: [u8; 32],
}

/// What an idempotency key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// SHA-256 of the body.
    pub body: [u8; 32],
    /// The session that took it.
    pub session: Uid,
    /// The turn that it began.
    pub turn: TurnNo,
    /// When; kept for 24 hours from then.
    pub at: Millis,
}

/// One change to a plugin's durable store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateWrite {
    /// The plugin.
    pub plugin: String,
    /// Whose store: a session's, an agent's or, as the tenant's uid, the whole tenant's.
    pub owner: Uid,
    /// The key.
    pub key: String,
    /// The new value, or none to remove it.
    pub value: Option<Vec<u8>>,
}

/// Bytes by their digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// SHA-256.
    pub digest: [u8; 32],
    /// For example `image/png`.
    pub media_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}
