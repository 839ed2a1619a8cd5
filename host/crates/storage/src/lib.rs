//! What lasts: the journal of sessions, the directory of named things, leases
//! and blobs, as traits, and the suite of promises that every backend passes.
//! Payloads are bytes to a backend; no trait shows an order across sessions.

pub mod backends;
pub mod batch;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod directory;
pub mod journal;

pub use batch::{Batch, Blob, Idempotency, IdempotencyKey, Running, StateWrite};
pub use directory::{Directory, Kind, ListKey, Record, Rename};
pub use journal::{Blobs, Error, Journal, Page, Ticket, When};
