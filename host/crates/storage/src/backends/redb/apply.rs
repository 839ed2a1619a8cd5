//! One batch into one transaction: everything is checked before the first row
//! is written, so that a refused batch leaves nothing behind while the others
//! of its group go through.

use std::collections::HashMap;

use ::redb::ReadableTable;
use session::{Seq, Uid};

use super::codec;
use super::layout::{self, Rows, join};
use super::{begun, inbox, outbox, rewrite, row, waits};
use crate::batch::{Batch, Blob, Idempotency, IdempotencyKey, Rewrite, StateWrite, WaitChange};
use crate::journal::Error;
use crate::outbox::OutboxId;

/// Sessions whose place and head the writer remembers. Beyond that it forgets
/// all of them, which costs each a few look-ups.
const REMEMBERED_MAX: usize = 16_384;

/// What the writer remembers between transactions, so that a turn reads nothing.
pub(super) struct Memory {
    /// The lease epoch that it holds.
    pub(super) epoch: u64,
    /// The next place in the log; read again after a failure.
    log_next: Option<u64>,
    sessions: HashMap<Uid, Remembered>,
    /// The number of the next row of the outbox in this epoch; never taken back, not even after a failure.
    outbox_next: u64,
    /// Whether the outbox got rows since somebody was told.
    pub(super) put_out: bool,
}

#[derive(Clone, Copy)]
struct Remembered {
    tenant: Uid,
    last: Seq,
}

impl Memory {
    /// Nothing but the epoch.
    pub(super) fn new(epoch: u64) -> Self {
        Self { epoch, log_next: None, sessions: HashMap::new(), outbox_next: 0, put_out: false }
    }

    /// Forgets one session, or all of them where something above sessions was deleted.
    pub(super) fn forget(&mut self, session: Option<Uid>) {
        match session {
            Some(session) => drop(self.sessions.remove(&session)),
            None => self.sessions.clear(),
        }
    }

    /// The id of the next row of the outbox, taken.
    pub(super) fn outbox_id(&mut self) -> OutboxId {
        self.put_out = true;
        self.outbox_next += 1;
        OutboxId { epoch: self.epoch, number: self.outbox_next }
    }

    /// Forgets everything that a lost transaction may have taught.
    pub(super) fn forget_all(&mut self) {
        self.sessions.clear();
        self.log_next = None;
    }
}

/// Applies a batch or refuses it.
pub(super) fn apply(rows: &mut Rows<'_>, memory: &mut Memory, batch: &Batch) -> Result<(), Error> {
    check(rows, memory, batch)?;
    rewrite::apply(rows, batch)?;
    append(rows, memory, batch)?;
    rows.sessions()?.insert(&layout::head(batch.session), codec::head(&batch.head).as_slice())?;
    match batch.running {
        Some(Some(running)) => drop(rows.running()?.insert(&batch.session.0, &codec::running(batch.tenant, running))?),
        Some(None) => drop(rows.running()?.remove(&batch.session.0)?),
        None => {}
    }
    for change in &batch.inbox {
        inbox::change(rows, batch.session, change)?;
    }
    for change in &batch.waits {
        match change {
            WaitChange::Put(row) => waits::put(rows, batch.tenant, batch.session, row)?,
            WaitChange::Remove(call) => waits::remove(rows, &layout::wait(batch.session, *call))?,
        }
    }
    for (key, stands_for) in &batch.idempotency {
        accept(rows, key, stands_for)?;
    }
    for write in &batch.state {
        write_state(rows, batch.tenant, write)?;
    }
    for blob in &batch.blobs {
        hold(rows, batch, blob)?;
    }
    outbox::put(rows, memory, &batch.audit)?;
    if memory.sessions.len() >= REMEMBERED_MAX {
        memory.sessions.clear();
    }
    memory.sessions.insert(batch.session, Remembered { tenant: batch.tenant, last: batch.head.last });
    Ok(())
}

fn check(rows: &mut Rows<'_>, memory: &Memory, batch: &Batch) -> Result<(), Error> {
    let session = batch.session;
    if batch.epoch != memory.epoch {
        return Err(Error::StaleLease { session, held: batch.epoch, current: memory.epoch });
    }
    let Remembered { tenant, last } = match memory.sessions.get(&session) {
        Some(known) => *known,
        None => look_up(rows, session)?,
    };
    if tenant != batch.tenant {
        return Err(Error::Gone(session));
    }
    if last != batch.expect {
        return Err(Error::HeadMoved { session, expected: batch.expect, found: last });
    }
    let mut end = last;
    for entry in &batch.entries {
        if entry.seq != end.next() {
            return Err(Error::HeadMoved { session, expected: Seq(entry.seq.0.saturating_sub(1)), found: end });
        }
        end = entry.seq;
    }
    if batch.head.last != end {
        return Err(Error::HeadMoved { session, expected: batch.head.last, found: end });
    }
    // Positions have no gaps: whatever is not beyond the last one is there.
    match batch.rewrites.iter().find(|rewrite| rewrite.seq == Seq(0) || rewrite.seq > last) {
        Some(Rewrite { seq, .. }) => Err(Error::Missing { session, seq: *seq }),
        None => Ok(()),
    }
}

/// A session that is not remembered: it has to live or to be begun, and what it belongs to has to live.
fn look_up(rows: &mut Rows<'_>, session: Uid) -> Result<Remembered, Error> {
    let place = match rows.records()?.get(&session.0)? {
        Some(record) => Some(codec::record_place(record.value())?),
        None => None,
    };
    let (tenant, scope) = match place {
        Some(place) => place,
        // What it will belong to is looked at when its record comes.
        None => begun::tenant(rows, session)?.map(|tenant| (tenant, tenant)).ok_or(Error::Gone(session))?,
    };
    if layout::is_dead(rows.dead()?, scope)? || layout::is_dead(rows.dead()?, tenant)? {
        return Err(Error::Gone(session));
    }
    let last = match rows.sessions()?.get(&layout::head(session))? {
        Some(head) => codec::head_last(head.value())?,
        None => Seq(0),
    };
    Ok(Remembered { tenant, last })
}

fn append(rows: &mut Rows<'_>, memory: &mut Memory, batch: &Batch) -> Result<(), Error> {
    for chunk in batch.entries.chunks(row::ENTRIES_MAX) {
        let place = match memory.log_next {
            Some(next) => next,
            None => rows.log()?.last()?.map_or(0, |(place, _)| place.value() + 1),
        };
        rows.log()?.insert(place, row::encode(chunk).as_slice())?;
        let class = row::class(chunk);
        rows.sessions()?.insert(&layout::position(batch.session, class, chunk[0].seq), place.to_be_bytes().as_slice())?;
        memory.log_next = Some(place + 1);
    }
    Ok(())
}

fn accept(rows: &mut Rows<'_>, key: &IdempotencyKey, stands_for: &Idempotency) -> Result<(), Error> {
    let row = layout::idempotency_key(key);
    let before = match rows.idempotency()?.insert(&row, &codec::idempotency(stands_for))? {
        Some(before) => Some(codec::read_idempotency(before.value())?.at),
        None => None,
    };
    if let Some(at) = before {
        rows.idempotency_due()?.remove(&join(&[&codec::time_key(at), &row]))?;
    }
    rows.idempotency_due()?.insert(&join(&[&codec::time_key(stands_for.at), &row]), ())?;
    Ok(())
}

fn write_state(rows: &mut Rows<'_>, tenant: Uid, write: &StateWrite) -> Result<(), Error> {
    let key = layout::state_key(write.owner, tenant, &write.plugin, &write.key);
    match &write.value {
        Some(value) => drop(rows.state()?.insert(key.as_slice(), value.as_slice())?),
        None => drop(rows.state()?.remove(key.as_slice())?),
    }
    Ok(())
}

/// Keeps a blob for as long as a session that refers to it lives.
fn hold(rows: &mut Rows<'_>, batch: &Batch, blob: &Blob) -> Result<(), Error> {
    let key: [u8; 48] = join(&[&batch.tenant.0, &blob.digest]);
    if rows.blobs()?.get(&key)?.is_none() {
        rows.blobs()?.insert(&key, codec::blob(blob).as_slice())?;
    }
    rows.blob_holders()?.insert(&join(&[&key, &batch.session.0]), ())?;
    rows.held_blobs()?.insert(&join(&[&batch.session.0, &key]), ())?;
    Ok(())
}
