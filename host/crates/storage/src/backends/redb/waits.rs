//! What sessions wait for: one row for each wait, and two indices that follow it.

use std::ops::Bound::{Excluded, Included};

use ::redb::ReadableTable;
use session::{Millis, Seq, Uid};

use super::layout::{self, Rows, join};
use super::read::View;
use super::{codec, layout as at};
use crate::batch::{DueWait, OpenWait, WaitRow};
use crate::journal::Error;

/// A wait begins.
pub(super) fn put(rows: &mut Rows<'_>, tenant: Uid, session: Uid, row: &WaitRow) -> Result<(), Error> {
    let key = layout::wait(session, row.call);
    remove(rows, &key)?;
    rows.waits()?.insert(&key, codec::wait(tenant, row).as_slice())?;
    rows.tenant_waits()?.insert(&join(&[&tenant.0, &key]), ())?;
    rows.due_waits()?.insert(&join(&[&codec::time_key(row.due), &key]), ())?;
    Ok(())
}

/// A wait is over, if it was one.
pub(super) fn remove(rows: &mut Rows<'_>, key: &[u8; 24]) -> Result<(), Error> {
    let wait = match rows.waits()?.remove(key)? {
        Some(bytes) => codec::read_wait(key, bytes.value())?,
        None => return Ok(()),
    };
    rows.tenant_waits()?.remove(&join::<40>(&[&wait.tenant.0, key]))?;
    rows.due_waits()?.remove(&join::<32>(&[&codec::time_key(wait.row.due), key]))?;
    Ok(())
}

/// Removes the waits of a session, at most `room`; answers how many.
pub(super) fn clear(rows: &mut Rows<'_>, session: Uid, room: usize) -> Result<usize, Error> {
    let (from, to) = (layout::wait(session, Seq(0)), layout::wait(session, Seq(u64::MAX)));
    let keys: Vec<[u8; 24]> =
        rows.waits()?.range::<&[u8; 24]>(&from..=&to)?.take(room).map(|row| row.map(|(key, _)| *key.value())).collect::<Result<_, _>>()?;
    for key in &keys {
        remove(rows, key)?;
    }
    Ok(keys.len())
}

impl View<'_> {
    /// What a session waits for.
    pub(super) fn waits(&self, session: Uid) -> Result<Vec<WaitRow>, Error> {
        if self.tenant_of(session)?.is_none() {
            return Ok(Vec::new());
        }
        let (from, to) = (layout::wait(session, Seq(0)), layout::wait(session, Seq(u64::MAX)));
        let table = self.transaction.open_table(at::WAITS)?;
        let rows = table.range::<&[u8; 24]>(&from..=&to)?;
        rows.map(|row| row.map_err(Error::from).and_then(|(key, wait)| Ok(codec::read_wait(key.value(), wait.value())?.row))).collect()
    }

    /// What the sessions of one tenant, or of all, wait for.
    pub(super) fn open_waits(&self, tenant: Option<Uid>, after: Option<Uid>, limit: usize) -> Result<Vec<OpenWait>, Error> {
        let first = after.map_or([0; 24], |session| layout::wait(session, Seq(u64::MAX)));
        let mut page = Page { found: Vec::new(), limit };
        let waits = self.transaction.open_table(at::WAITS)?;
        match tenant {
            None => {
                for row in waits.range::<&[u8; 24]>((Excluded(&first), Included(&[0xff; 24])))? {
                    let (key, wait) = row?;
                    if !page.take(self, codec::read_wait(key.value(), wait.value())?)? {
                        break;
                    }
                }
            }
            Some(tenant) => {
                let (from, to): ([u8; 40], [u8; 40]) = (join(&[&tenant.0, &first]), join(&[&tenant.0, &[0xff; 24]]));
                let index = self.transaction.open_table(at::TENANT_WAITS)?;
                for row in index.range::<&[u8; 40]>((Excluded(&from), Included(&to)))? {
                    let mut key = [0; 24];
                    key.copy_from_slice(&row?.0.value()[16..]);
                    let Some(wait) = waits.get(&key)? else { continue };
                    if !page.take(self, codec::read_wait(&key, wait.value())?)? {
                        break;
                    }
                }
            }
        }
        Ok(page.found)
    }

    /// Waits by when they are due.
    pub(super) fn due_waits(&self, until: Millis, after: Option<DueWait>, limit: usize) -> Result<Vec<DueWait>, Error> {
        let key = |wait: &DueWait| -> [u8; 32] { join(&[&codec::time_key(wait.due), &layout::wait(wait.session, wait.call)]) };
        let first = after.as_ref().map_or([0; 32], key);
        let last: [u8; 32] = join(&[&codec::time_key(until), &[0xff; 24]]);
        let mut found = Vec::new();
        if first >= last {
            return Ok(found);
        }
        let table = self.transaction.open_table(at::DUE_WAITS)?;
        for row in table.range::<&[u8; 32]>((Excluded(&first), Included(&last)))? {
            if found.len() >= limit {
                break;
            }
            let due = read_due(row?.0.value())?;
            if self.tenant_of(due.session)?.is_some() {
                found.push(due);
            }
        }
        Ok(found)
    }
}

fn read_due(key: &[u8; 32]) -> Result<DueWait, Error> {
    let mut fields = codec::Fields::bare("key of a due wait", key);
    Ok(DueWait { due: codec::read_time_key(fields.array()?), session: fields.uid()?, call: Seq(fields.u64()?) })
}

/// A page of waits that ends between two sessions.
struct Page {
    found: Vec<OpenWait>,
    limit: usize,
}

impl Page {
    /// Takes one more, if its session lives; false where the page is full.
    fn take(&mut self, view: &View<'_>, wait: OpenWait) -> Result<bool, Error> {
        let same = self.found.last().is_some_and(|last| last.session == wait.session);
        if self.found.len() >= self.limit && !same {
            return Ok(false);
        }
        if same || view.tenant_of(wait.session)?.is_some() {
            self.found.push(wait);
        }
        Ok(true)
    }
}
