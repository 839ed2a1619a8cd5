//! One write: everything that happens to a session at once.

use session::{Entry, Head, Millis, Seq, TurnNo, Uid};

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
    /// The head after the entries.
    pub head: Head,
    /// Whether a turn runs after this batch: `Some(None)` removes the mark, `None` leaves it.
    pub running: Option<Option<Running>>,
    /// Idempotency keys accepted with this batch.
    pub idempotency: Vec<(IdempotencyKey, Idempotency)>,
    /// Changes to plugin stores.
    pub state: Vec<StateWrite>,
    /// Blobs that entries of this batch refer to.
    pub blobs: Vec<Blob>,
}

/// A turn that has begun and not ended; what recovery scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// Which turn.
    pub turn: TurnNo,
    /// How often it was taken up, from 1.
    pub attempt: u32,
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
