//! The tables of the file and their keys. Keys are of fixed width and big-endian
//! wherever a client's text is not part of them, so that ranges follow the order
//! of positions and of age. A changed layout needs a new [`FORMAT`]; tables that an
//! older file does not have are made when it is opened.

use ::redb::{ReadableTable, Table, TableDefinition, WriteTransaction};
use session::{Seq, Uid};

use crate::batch::IdempotencyKey;
use crate::directory::Kind;
use crate::journal::Error;
use crate::outbox::OutboxId;

/// The version of everything below, and of what is written into it; a file with a greater one is refused. 2 brought waits
/// and the outbox, 3 inputs that wait and timers, 4 the records of feedback and turns that make one call.
pub(super) const FORMAT: u32 = 4;

/// Row of `meta`: [`FORMAT`] as four bytes.
pub(super) const META_FORMAT: &str = "format";
/// Row of `meta`: the lease epoch as eight bytes.
pub(super) const META_EPOCH: &str = "epoch";
/// Row of `meta`: written by probes and checkpoints, so that they have something to commit.
pub(super) const META_PULSE: &str = "pulse";

/// Row of `meta`: the mark of the last settling of the outbox.
pub(super) const META_OUTBOX: &str = "outbox";

/// The key of everything that a uid names.
pub(super) type UidKey = &'static [u8; 16];

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident $definition:ident: $key:ty => $value:ty;)+) => {
        $($(#[$doc])* pub(super) const $definition: TableDefinition<$key, $value> = TableDefinition::new(stringify!($name));)+

        /// The tables of one write transaction, each opened when it is first asked for.
        pub(super) struct Rows<'t> {
            transaction: &'t WriteTransaction,
            $($name: Option<Table<'t, $key, $value>>,)+
        }

        impl<'t> Rows<'t> {
            /// None open yet.
            pub(super) fn new(transaction: &'t WriteTransaction) -> Self {
                Self { transaction, $($name: None,)+ }
            }

            $($(#[$doc])* pub(super) fn $name(&mut self) -> Result<&mut Table<'t, $key, $value>, Error> {
                if self.$name.is_none() {
                    self.$name = Some(self.transaction.open_table($definition)?);
                }
                self.$name.as_mut().ok_or_else(|| Error::Broken("a table closed by itself".into()))
            })+

            /// Makes every table, so that readers find them all.
            pub(super) fn create_all(&mut self) -> Result<(), Error> {
                $(self.$name()?;)+
                Ok(())
            }
        }
    };
}

tables! {
    /// Facts about the file.
    meta META: &'static str => &'static [u8];
    /// Rows of entries in the order in which they were written: appending touches the last page only.
    log LOG: u64 => &'static [u8];
    /// Session, class and first position of a row → its place in `log`; and, in
    /// the same few pages, so that a commit touches one tree less, the session's head.
    sessions SESSIONS: &'static [u8; 25] => &'static [u8];
    /// Session → the turn that runs.
    running RUNNING: UidKey => &'static [u8; 28];
    /// Session and call → a wait, with its tenant and when it is due.
    waits WAITS: &'static [u8; 24] => &'static [u8];
    /// Tenant, session and call: the waits of one tenant.
    tenant_waits TENANT_WAITS: &'static [u8; 40] => ();
    /// Time, session and call: the waits by when they are due.
    due_waits DUE_WAITS: &'static [u8; 32] => ();
    /// Session and number → an input that waits.
    inbox INBOX: &'static [u8; 24] => &'static [u8];
    /// Uid → when it is to be looked at.
    timers TIMERS: UidKey => &'static [u8; 8];
    /// Time and uid: the same by time.
    due_timers DUE_TIMERS: &'static [u8; 24] => ();
    /// Sessions that were begun by this opening of the store and have no record yet → tenant.
    begun BEGUN: UidKey => UidKey;
    /// Tenant and digest → what a client's key stands for.
    idempotency IDEMPOTENCY: &'static [u8; 48] => &'static [u8; 64];
    /// Time, tenant and digest: idempotency rows by age, for reaping.
    idempotency_due IDEMPOTENCY_DUE: &'static [u8; 56] => ();
    /// Owner, tenant, plugin and key → a value of a plugin's store. The owner comes first, so that its rows are reaped in one range.
    state STATE: &'static [u8] => &'static [u8];
    /// Tenant and digest → media type and bytes.
    blobs BLOBS: &'static [u8; 48] => &'static [u8];
    /// Tenant, digest and session: who still refers to a blob.
    blob_holders BLOB_HOLDERS: &'static [u8; 64] => ();
    /// Session, tenant and digest: the same the other way round.
    held_blobs HELD_BLOBS: &'static [u8; 64] => ();
    /// Uid → record. Only living ones, except below a dead scope.
    records RECORDS: UidKey => &'static [u8];
    /// Tenant, kind, first or second name, scope and text → uid.
    names NAMES: &'static [u8] => UidKey;
    /// Tenant, kind, scope and uid: lists in the order of age.
    members MEMBERS: &'static [u8; 49] => ();
    /// Deleted agents and tenants, for ever: nothing below them lives, however late it was written.
    dead DEAD: UidKey => ();
    /// Deleted uids whose rows are still there: tenant and kind.
    graves GRAVES: UidKey => &'static [u8; 17];
    /// Epoch and number → what waits to leave the store.
    outbox OUTBOX: &'static [u8; 16] => &'static [u8];
}

/// Rows of entries lie in two classes, so that a list never walks over rows without listed entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// At least one entry is listed.
    Listed = 0,
    /// None is.
    Other = 1,
    /// Not entries but the session's head, at position 0.
    Head = 2,
}

/// The key of a row whose first entry is at `first`.
pub(super) fn position(session: Uid, class: Class, first: Seq) -> [u8; 25] {
    let mut key = [0; 25];
    key[..16].copy_from_slice(&session.0);
    key[16] = class as u8;
    key[17..].copy_from_slice(&first.0.to_be_bytes());
    key
}

/// The key of a session's head.
pub(super) fn head(session: Uid) -> [u8; 25] {
    position(session, Class::Head, Seq(0))
}

/// A place in the log, as it stands behind the key of a row.
pub(super) fn read_place(bytes: &[u8]) -> Result<u64, Error> {
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| Error::Damaged("a place in the log that is no number".into()))
}

/// The first position of the row behind a key.
pub(super) fn first_of(key: &[u8; 25]) -> Seq {
    let mut first = [0; 8];
    first.copy_from_slice(&key[17..]);
    Seq(u64::from_be_bytes(first))
}

/// Joins parts of fixed width.
pub(super) fn join<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut key = [0; N];
    let mut at = 0;
    for part in parts {
        key[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    debug_assert_eq!(at, N, "the parts fill the key");
    key
}

/// The key of an idempotency row.
pub(super) fn idempotency_key(key: &IdempotencyKey) -> [u8; 48] {
    join(&[&key.tenant.0, &key.digest])
}

/// The key of a wait.
pub(super) fn wait(session: Uid, call: Seq) -> [u8; 24] {
    join(&[&session.0, &call.0.to_be_bytes()])
}

/// The key of an input that waits.
pub(super) fn inbox(session: Uid, no: u64) -> [u8; 24] {
    join(&[&session.0, &no.to_be_bytes()])
}

/// What all keys of one owner's stores begin with: everything, one plugin of one tenant, or one value.
pub(super) fn state_key(owner: Uid, tenant: Uid, plugin: &str, key: &str) -> Vec<u8> {
    let length = u32::try_from(plugin.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(36 + plugin.len() + key.len());
    bytes.extend_from_slice(&owner.0);
    bytes.extend_from_slice(&tenant.0);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(plugin.as_bytes());
    bytes.extend_from_slice(key.as_bytes());
    bytes
}

/// The key of a row of the outbox.
pub(super) fn outbox_key(id: OutboxId) -> [u8; 16] {
    join(&[&id.epoch.to_be_bytes(), &id.number.to_be_bytes()])
}

/// The row of the outbox behind a key.
pub(super) fn outbox_id(key: &[u8; 16]) -> OutboxId {
    let both = u128::from_be_bytes(*key);
    OutboxId { epoch: (both >> 64) as u64, number: both as u64 }
}

/// Which of a record's two names.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    /// The name.
    Name = 0,
    /// The second name.
    Alias = 1,
}

/// The key of a name.
pub(super) fn name_key(tenant: Uid, kind: Kind, which: Which, scope: Uid, name: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(34 + name.len());
    bytes.extend_from_slice(&tenant.0);
    bytes.extend_from_slice(&[kind_code(kind), which as u8]);
    bytes.extend_from_slice(&scope.0);
    bytes.extend_from_slice(name.as_bytes());
    bytes
}

/// The key of a member row.
pub(super) fn member_key(tenant: Uid, kind: Kind, scope: Uid, uid: Uid) -> [u8; 49] {
    join(&[&tenant.0, &[kind_code(kind)], &scope.0, &uid.0])
}

/// The byte that stands for a kind.
pub(super) fn kind_code(kind: Kind) -> u8 {
    match kind {
        Kind::Tenant => 1,
        Kind::Key => 2,
        Kind::Agent => 3,
        Kind::Session => 4,
        Kind::Lease => 5,
        Kind::Tool => 6,
        Kind::Feedback => 7,
    }
}

/// The kind behind a byte.
pub(super) fn kind_of(code: u8) -> Result<Kind, Error> {
    match code {
        1 => Ok(Kind::Tenant),
        2 => Ok(Kind::Key),
        3 => Ok(Kind::Agent),
        4 => Ok(Kind::Session),
        5 => Ok(Kind::Lease),
        6 => Ok(Kind::Tool),
        7 => Ok(Kind::Feedback),
        other => Err(Error::Damaged(format!("a record of the unknown kind {other}"))),
    }
}

/// The last sixteen bytes of a key as a uid.
pub(super) fn last_uid(key: &[u8]) -> Uid {
    let mut uid = [0; 16];
    uid.copy_from_slice(&key[key.len() - 16..]);
    Uid(uid)
}

/// Whether an agent or tenant was deleted. The uid of all zeros is nobody and never dead.
pub(super) fn is_dead(dead: &impl ReadableTable<UidKey, ()>, uid: Uid) -> Result<bool, Error> {
    Ok(uid.0 != [0; 16] && dead.get(&uid.0)?.is_some())
}
