//! Rows on their way out, in the writer's transaction. They lie in the order of
//! their arrival: adding touches the last page, removing the first ones.

use super::apply::Memory;
use super::layout::{self, META_OUTBOX, Rows};
use crate::journal::Error;
use crate::outbox::OutboxId;

/// Adds rows; answers how many.
pub(super) fn put(rows: &mut Rows<'_>, memory: &mut Memory, added: &[Vec<u8>]) -> Result<usize, Error> {
    for row in added {
        rows.outbox()?.insert(&layout::outbox_key(memory.outbox_id()), row.as_slice())?;
    }
    Ok(added.len())
}

/// Removes rows up to and with `through` and keeps the mark; answers how many rows changed.
pub(super) fn settle(rows: &mut Rows<'_>, through: Option<OutboxId>, mark: &[u8]) -> Result<usize, Error> {
    let mut removed = 0;
    if let Some(through) = through {
        let count_and_drop = |_: &[u8; 16], _: &[u8]| {
            removed += 1;
            false
        };
        rows.outbox()?.retain_in::<&[u8; 16], _>(..=&layout::outbox_key(through), count_and_drop)?;
    }
    rows.meta()?.insert(META_OUTBOX, mark)?;
    Ok(removed + 1)
}
