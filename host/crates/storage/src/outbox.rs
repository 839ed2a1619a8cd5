//! The outbox: rows that are to leave the store for another place. They become
//! durable with the batch that caused them, stay when its session is deleted,
//! and go when whoever carries them says that they have arrived.

use std::fmt;

use async_trait::async_trait;

use crate::journal::Error;

/// Names one row for ever. Sorts by arrival in this store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OutboxId {
    /// The lease epoch in which it arrived.
    pub epoch: u64,
    /// Its number in that epoch.
    pub number: u64,
}

impl fmt::Display for OutboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.number)
    }
}

/// What waits to leave the store. One carrier at a time takes rows out, oldest first.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Adds rows that belong to no session, in this order; durable when it answers.
    async fn put(&self, rows: Vec<Vec<u8>>) -> Result<(), Error>;

    /// The oldest rows, at most `limit`, sorted by id. No row ever appears in front of one that was seen.
    fn pending(&self, limit: usize) -> Result<Vec<(OutboxId, Vec<u8>)>, Error>;

    /// How many rows wait. Cheap.
    fn waiting(&self) -> Result<u64, Error>;

    /// Removes every row up to and with `through`, none for `None`, and keeps `mark`
    /// in the place of the last one: what the other place was like when they had
    /// arrived. Called once a slice; the rows must be safe there before.
    async fn settle(&self, through: Option<OutboxId>, mark: Vec<u8>) -> Result<(), Error>;

    /// The mark of the last settling.
    fn mark(&self) -> Result<Option<Vec<u8>>, Error>;

    /// Resolves once rows were added since it last did. Meant for one waiter; may resolve too often, never too seldom.
    async fn filled(&self);
}
