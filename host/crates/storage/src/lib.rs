//! What lasts: the journal of sessions, the directory of named things, leases,
//! blobs and an outbox, as traits, and the suite of promises that every backend passes.
//! Payloads are bytes to a backend; no trait shows an order across sessions.

pub mod backends;
pub mod batch;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod directory;
pub mod journal;
pub mod outbox;

pub use batch::{
    Batch, Blob, DueWait, Idempotency, IdempotencyKey, InboxChange, InboxRow, OpenWait, Rewrite, Running, StateWrite, WaitChange, WaitRow,
};
pub use directory::{Directory, Kind, ListKey, Record, Rename};
pub use journal::{Blobs, Error, Journal, Page, Ticket, When};
pub use outbox::{Outbox, OutboxId};
