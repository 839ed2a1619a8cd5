//! The directory: named things with a uid that is never reused.

use async_trait::async_trait;
use session::{Millis, Uid};

use crate::journal::Error;

/// What a record is. The name is looked up within tenant, kind and scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A tenant; all tenants live in the tenant of all zeros.
    Tenant,
    /// An API key; named by the hash of its text, in the tenant of all zeros, so that it is found before its tenant is known.
    Key,
    /// An agent; scope: none.
    Agent,
    /// A session; scope: its agent.
    Session,
    /// A grant for a time, in the tenant of all zeros: it is the operator's.
    Lease,
    /// A tool that a client runs; scope: none.
    Tool,
    /// What somebody thinks of an answer; scope: the agent that gave it.
    Feedback,
}

/// A named thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its identity.
    pub uid: Uid,
    /// The tenant it belongs to.
    pub tenant: Uid,
    /// What it is.
    pub kind: Kind,
    /// Within what its name is unique, beside the tenant; all zeros for none.
    pub scope: Uid,
    /// The name.
    pub name: String,
    /// A second name, unique among second names of the same kind and scope: an agent's display name.
    pub alias: Option<String>,
    /// Counts changes, from 1; an update names the version it saw.
    pub version: u64,
    /// The content, opaque here.
    pub body: Vec<u8>,
}

/// Whether an update gives a new second name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rename {
    /// The second name stays.
    Keep,
    /// This one from now on.
    To(Option<String>),
}

/// Where a list goes on: at the uid that was last on it.
pub type ListKey = Uid;

/// Named things. Each method is one atomic change, durable when it answers.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Announces a session whose entries are written before its record: from now on it takes
    /// batches, and nobody reads any of it. `create` brings it to life, with all that was written;
    /// `delete` gives it up. One that was neither created nor deleted when its process ended is
    /// given up at the next opening. `Taken` where the uid is or was in use, `Gone` where the tenant is dead.
    async fn begin(&self, session: Uid, tenant: Uid) -> Result<(), Error>;

    /// Adds a record; `Taken` where its name or second name is in use. `version` is stored as given.
    async fn create(&self, record: Record) -> Result<(), Error>;

    /// Replaces a record's content, if it is still at `version`; `Conflict` otherwise, `Gone` where it is dead.
    async fn update(&self, uid: Uid, version: u64, body: Vec<u8>, alias: Rename) -> Result<(), Error>;

    /// Frees the names and kills the uid; whatever is scoped under it is dead from
    /// the same moment and reaped in slices later. The same for a session that was only begun.
    /// False where it was dead already.
    async fn delete(&self, uid: Uid) -> Result<bool, Error>;

    /// The record of a uid, or none where it is dead.
    fn get(&self, uid: Uid) -> Result<Option<Record>, Error>;

    /// The record of a name.
    fn find(&self, tenant: Uid, kind: Kind, scope: Uid, name: &str) -> Result<Option<Record>, Error>;

    /// Records in the order of their uids, that is of their age, after `after`, at most `limit`.
    fn list(&self, tenant: Uid, kind: Kind, scope: Uid, after: Option<ListKey>, limit: usize) -> Result<Vec<Record>, Error>;

    /// The same from the newest on: records before `before`, the newest first, at most `limit`.
    fn latest(&self, tenant: Uid, kind: Kind, scope: Uid, before: Option<ListKey>, limit: usize) -> Result<Vec<Record>, Error>;

    /// Sets when a uid is to be looked at, instead of the time that was set before; none for
    /// never. It may come before the record, which takes its time along when it is deleted.
    async fn expire_at(&self, uid: Uid, at: Option<Millis>) -> Result<(), Error>;

    /// Living records whose time has come at `until`, the first due first, after `after`, at most `limit`.
    fn expiring(&self, until: Millis, after: Option<(Millis, Uid)>, limit: usize) -> Result<Vec<(Millis, Uid)>, Error>;

    /// Removes rows that belong to dead uids, at most `rows` of them; answers how many were removed.
    async fn reap(&self, rows: usize) -> Result<usize, Error>;
}
