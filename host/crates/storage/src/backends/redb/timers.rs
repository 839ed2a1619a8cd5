//! When uids are to be looked at: one row for each uid, and an index by time.

use std::ops::Bound::{Excluded, Included};

use ::redb::ReadableTable;
use session::{Millis, Uid};

use super::layout::{self, Rows, join};
use super::read::View;
use super::{begun, codec, layout as at};
use crate::journal::Error;

/// Sets a uid's time, or takes it away.
pub(super) fn set(rows: &mut Rows<'_>, uid: Uid, at: Option<Millis>) -> Result<usize, Error> {
    let before = remove(rows, uid)?;
    let Some(at) = at else { return Ok(usize::from(before)) };
    rows.timers()?.insert(&uid.0, &codec::time_key(at))?;
    rows.due_timers()?.insert(&key(at, uid), ())?;
    Ok(1)
}

/// Takes a uid's time away; answers whether it had one.
pub(super) fn remove(rows: &mut Rows<'_>, uid: Uid) -> Result<bool, Error> {
    let before = rows.timers()?.remove(&uid.0)?.map(|at| *at.value());
    if let Some(at) = before {
        rows.due_timers()?.remove(&join::<24>(&[&at, &uid.0]))?;
    }
    Ok(before.is_some())
}

/// Removes times that have come and that no record has, at most `room`; answers how many: a
/// time may be set before its record, and then the record may never come.
pub(super) fn clear(rows: &mut Rows<'_>, room: usize, now: Millis) -> Result<usize, Error> {
    let last = key(now, Uid([0xff; 16]));
    let due: Vec<Uid> = rows
        .due_timers()?
        .range::<&[u8; 24]>(..=&last)?
        .take(room)
        .map(|row| row.map(|(key, _)| layout::last_uid(key.value())))
        .collect::<Result<_, _>>()?;
    let mut removed = 0;
    for uid in due {
        let awaited = rows.records()?.get(&uid.0)?.is_some() || begun::tenant(rows, uid)?.is_some();
        if !awaited && remove(rows, uid)? {
            removed += 1;
        }
    }
    Ok(removed)
}

fn key(at: Millis, uid: Uid) -> [u8; 24] {
    join(&[&codec::time_key(at), &uid.0])
}

impl View<'_> {
    /// Living uids by when they are to be looked at.
    pub(super) fn expiring(&self, until: Millis, after: Option<(Millis, Uid)>, limit: usize) -> Result<Vec<(Millis, Uid)>, Error> {
        let first = after.map_or([0; 24], |(at, uid)| key(at, uid));
        let last = key(until, Uid([0xff; 16]));
        let mut found = Vec::new();
        if first >= last {
            return Ok(found);
        }
        for row in self.transaction.open_table(at::DUE_TIMERS)?.range::<&[u8; 24]>((Excluded(&first), Included(&last)))? {
            if found.len() >= limit {
                break;
            }
            let row = row?;
            let mut fields = codec::Fields::bare("key of a time", row.0.value());
            let (at, uid) = (codec::read_time_key(fields.array()?), fields.uid()?);
            if self.tenant_of(uid)?.is_some() {
                found.push((at, uid));
            }
        }
        Ok(found)
    }
}
