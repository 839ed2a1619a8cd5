//! Changes that belong to no session, those of the directory among them, in the writer's transaction.

use ::redb::ReadableTable;
use session::{Millis, Uid};

use super::apply::Memory;
use super::layout::{self, Rows, Which};
use super::{begun, codec, timers};
use crate::directory::{Kind, Record, Rename};
use crate::journal::Error;
use crate::outbox::OutboxId;

/// A wish to change something; answered with how much was changed.
pub(super) enum Change {
    /// Let a session be written before its record.
    Begin {
        /// Which.
        session: Uid,
        /// Its tenant.
        tenant: Uid,
    },
    /// Add a record.
    Create(Record),
    /// Replace a record's content.
    Update {
        /// Which.
        uid: Uid,
        /// The version that was seen.
        version: u64,
        /// The new content.
        body: Vec<u8>,
        /// The second name.
        alias: Rename,
    },
    /// Free the names, kill the uid.
    Delete(Uid),
    /// Look at a uid at a time.
    ExpireAt {
        /// Which.
        uid: Uid,
        /// When; never for none.
        at: Option<Millis>,
    },
    /// Remove rows of the dead, at most so many.
    Reap(usize),
    /// Add rows to the outbox.
    Put(Vec<Vec<u8>>),
    /// Remove rows of the outbox, and keep the mark.
    Settle {
        /// The last one to go.
        through: Option<OutboxId>,
        /// What to keep.
        mark: Vec<u8>,
    },
}

impl Change {
    /// Roughly the memory that it takes while it waits.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Create(record) => record.body.len() + record.name.len(),
            Self::Update { body, .. } => body.len(),
            Self::Put(added) => added.iter().map(Vec::len).sum(),
            Self::Settle { mark, .. } => mark.len(),
            Self::Begin { .. } | Self::Delete(_) | Self::ExpireAt { .. } | Self::Reap(_) => 0,
        }
    }
}

pub(super) fn create(rows: &mut Rows<'_>, record: &Record) -> Result<usize, Error> {
    let Record { uid, tenant, kind, scope, ref name, ref alias, .. } = *record;
    for above in [scope, tenant] {
        if layout::is_dead(rows.dead()?, above)? {
            return Err(Error::Gone(above));
        }
    }
    let name = layout::name_key(tenant, kind, Which::Name, scope, name);
    let alias = alias.as_ref().map(|alias| layout::name_key(tenant, kind, Which::Alias, scope, alias));
    if is_used(rows, uid)? || is_taken(rows, &name)? {
        return Err(Error::Taken);
    }
    if let Some(alias) = &alias
        && is_taken(rows, alias)?
    {
        return Err(Error::Taken);
    }
    if let Some(owner) = begun::tenant(rows, uid)? {
        if kind != Kind::Session || owner != tenant {
            return Err(Error::Taken);
        }
        rows.begun()?.remove(&uid.0)?;
    }
    for name in [Some(name), alias].into_iter().flatten() {
        rows.names()?.insert(name.as_slice(), &uid.0)?;
    }
    rows.members()?.insert(&layout::member_key(tenant, kind, scope, uid), ())?;
    rows.records()?.insert(&uid.0, codec::record(record).as_slice())?;
    Ok(1)
}

/// Whether a uid names something, or did and rows of that may be left.
pub(super) fn is_used(rows: &mut Rows<'_>, uid: Uid) -> Result<bool, Error> {
    Ok(rows.records()?.get(&uid.0)?.is_some() || rows.graves()?.get(&uid.0)?.is_some() || layout::is_dead(rows.dead()?, uid)?)
}

fn is_taken(rows: &mut Rows<'_>, name: &[u8]) -> Result<bool, Error> {
    Ok(rows.names()?.get(name)?.is_some())
}

pub(super) fn update(rows: &mut Rows<'_>, uid: Uid, version: u64, body: &[u8], alias: &Rename) -> Result<usize, Error> {
    let mut record = living(rows, uid)?.ok_or(Error::Gone(uid))?;
    if record.version != version {
        return Err(Error::Conflict);
    }
    if let Rename::To(alias) = alias
        && *alias != record.alias
    {
        let key = |name: &String| layout::name_key(record.tenant, record.kind, Which::Alias, record.scope, name);
        let (old, new) = (record.alias.as_ref().map(key), alias.as_ref().map(key));
        if let Some(new) = &new
            && is_taken(rows, new)?
        {
            return Err(Error::Taken);
        }
        if let Some(old) = old {
            rows.names()?.remove(old.as_slice())?;
        }
        if let Some(new) = new {
            rows.names()?.insert(new.as_slice(), &uid.0)?;
        }
        record.alias.clone_from(alias);
    }
    record.version += 1;
    record.body = body.to_vec();
    rows.records()?.insert(&uid.0, codec::record(&record).as_slice())?;
    Ok(1)
}

/// Kills a uid. What is scoped under it dies with the one row in `dead`.
pub(super) fn delete(rows: &mut Rows<'_>, memory: &mut Memory, uid: Uid) -> Result<usize, Error> {
    let Some(record) = living(rows, uid)? else {
        memory.forget(Some(uid));
        return begun::give_up(rows, uid);
    };
    bury(rows, &record)?;
    match record.kind {
        Kind::Session => {
            rows.running()?.remove(&uid.0)?;
            memory.forget(Some(uid));
        }
        Kind::Agent | Kind::Tenant => {
            rows.dead()?.insert(&uid.0, ())?;
            memory.forget(None);
        }
        Kind::Key | Kind::Lease | Kind::Tool | Kind::Feedback => {}
    }
    Ok(1)
}

/// Takes a record out of the directory and remembers that rows of it may be left.
pub(super) fn bury(rows: &mut Rows<'_>, record: &Record) -> Result<(), Error> {
    let Record { uid, tenant, kind, scope, name, alias, .. } = record;
    let (uid, tenant, kind, scope) = (*uid, *tenant, *kind, *scope);
    rows.names()?.remove(layout::name_key(tenant, kind, Which::Name, scope, name).as_slice())?;
    if let Some(alias) = alias {
        rows.names()?.remove(layout::name_key(tenant, kind, Which::Alias, scope, alias).as_slice())?;
    }
    rows.members()?.remove(&layout::member_key(tenant, kind, scope, uid))?;
    rows.records()?.remove(&uid.0)?;
    timers::remove(rows, uid)?;
    match kind {
        Kind::Tenant | Kind::Agent | Kind::Session => dig(rows, uid, tenant, kind),
        // Nothing is scoped under them.
        Kind::Key | Kind::Lease | Kind::Tool | Kind::Feedback => Ok(()),
    }
}

/// Leaves rows of a uid to be reaped.
pub(super) fn dig(rows: &mut Rows<'_>, uid: Uid, tenant: Uid, kind: Kind) -> Result<(), Error> {
    rows.graves()?.insert(&uid.0, &layout::join(&[&tenant.0, &[layout::kind_code(kind)]]))?;
    Ok(())
}

fn living(rows: &mut Rows<'_>, uid: Uid) -> Result<Option<Record>, Error> {
    let record = match rows.records()?.get(&uid.0)? {
        Some(record) => codec::read_record(uid, record.value())?,
        None => return Ok(None),
    };
    let dead = layout::is_dead(rows.dead()?, record.scope)? || layout::is_dead(rows.dead()?, record.tenant)?;
    Ok((!dead).then_some(record))
}
