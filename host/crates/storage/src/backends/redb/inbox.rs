//! Inputs that wait for a session: one row each, in the order of their numbers.

use ::redb::ReadableTable;
use session::Uid;

use super::layout::{self, Rows};
use super::read::View;
use super::{codec, layout as at};
use crate::batch::{InboxChange, InboxRow};
use crate::journal::Error;

/// An input begins or ends to wait.
pub(super) fn change(rows: &mut Rows<'_>, session: Uid, change: &InboxChange) -> Result<(), Error> {
    match change {
        InboxChange::Put(row) => drop(rows.inbox()?.insert(&layout::inbox(session, row.no), row.body.as_slice())?),
        InboxChange::Remove(no) => drop(rows.inbox()?.remove(&layout::inbox(session, *no))?),
    }
    Ok(())
}

/// Removes the inputs of a session, at most `room`; answers how many.
pub(super) fn clear(rows: &mut Rows<'_>, session: Uid, room: usize) -> Result<usize, Error> {
    let (from, to) = (layout::inbox(session, 0), layout::inbox(session, u64::MAX));
    let keys: Vec<[u8; 24]> =
        rows.inbox()?.range::<&[u8; 24]>(&from..=&to)?.take(room).map(|row| row.map(|(key, _)| *key.value())).collect::<Result<_, _>>()?;
    for key in &keys {
        rows.inbox()?.remove(key)?;
    }
    Ok(keys.len())
}

impl View<'_> {
    /// Inputs that wait for a session.
    pub(super) fn inbox(&self, session: Uid) -> Result<Vec<InboxRow>, Error> {
        if self.tenant_of(session)?.is_none() {
            return Ok(Vec::new());
        }
        let (from, to) = (layout::inbox(session, 0), layout::inbox(session, u64::MAX));
        let mut found = Vec::new();
        for row in self.transaction.open_table(at::INBOX)?.range::<&[u8; 24]>(&from..=&to)? {
            let (key, body) = row?;
            let mut fields = codec::Fields::bare("key of an input", key.value());
            fields.uid()?;
            found.push(InboxRow { no: fields.u64()?, body: body.value().to_vec() });
        }
        Ok(found)
    }
}
