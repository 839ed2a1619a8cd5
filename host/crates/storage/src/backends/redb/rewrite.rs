//! Entries that get another content: the row that holds them is written again in
//! its place in the log. A row that lost its last listed entry changes its
//! class, so that lists never touch it again, however many there are.

use std::collections::BTreeMap;

use ::redb::ReadableTable;
use session::{Entry, Seq, Uid};

use super::layout::{self, Class, Rows};
use super::row::{self, Row};
use crate::batch::{Batch, Rewrite};
use crate::journal::Error;

/// Applies the rewrites of a batch, whose positions were checked; each row is written once.
pub(super) fn apply(rows: &mut Rows<'_>, batch: &Batch) -> Result<(), Error> {
    let mut left: BTreeMap<Seq, &Rewrite> = batch.rewrites.iter().map(|rewrite| (rewrite.seq, rewrite)).collect();
    while let Some((&seq, _)) = left.first_key_value() {
        let found = Found::holding(rows, batch.session, seq)?;
        let mut entries = found.entries(rows)?;
        for entry in &mut entries {
            if let Some(Rewrite { kind, body, .. }) = left.remove(&entry.seq) {
                (entry.kind, entry.body) = (*kind, body.clone());
            }
        }
        if left.contains_key(&seq) {
            return Err(missing(batch.session, seq));
        }
        found.replace(rows, &entries)?;
    }
    Ok(())
}

fn missing(session: Uid, seq: Seq) -> Error {
    Error::Damaged(format!("session {session} has no entry {}", seq.0))
}

/// A row of a session.
struct Found {
    session: Uid,
    class: Class,
    first: Seq,
    place: u64,
}

impl Found {
    /// The row that holds a position: of both classes the one that begins most closely before it.
    fn holding(rows: &mut Rows<'_>, session: Uid, seq: Seq) -> Result<Self, Error> {
        let mut found: Option<Self> = None;
        for class in [Class::Listed, Class::Other] {
            let (from, to) = (layout::position(session, class, Seq(0)), layout::position(session, class, seq));
            if let Some((key, place)) = rows.sessions()?.range::<&[u8; 25]>(&from..=&to)?.next_back().transpose()? {
                let first = layout::first_of(key.value());
                if found.as_ref().is_none_or(|other| other.first < first) {
                    found = Some(Self { session, class, first, place: layout::read_place(place.value())? });
                }
            }
        }
        found.ok_or_else(|| missing(session, seq))
    }

    fn entries(&self, rows: &mut Rows<'_>) -> Result<Vec<Entry>, Error> {
        let bytes = rows.log()?.get(self.place)?.ok_or_else(|| missing(self.session, self.first))?;
        let mut row = Row::open(bytes.value())?;
        let mut entries = Vec::new();
        while let Some(entry) = row.peek()? {
            entries.push(entry.entry()?);
        }
        Ok(entries)
    }

    fn replace(&self, rows: &mut Rows<'_>, entries: &[Entry]) -> Result<(), Error> {
        rows.log()?.insert(self.place, row::encode(entries).as_slice())?;
        let class = row::class(entries);
        if class != self.class {
            rows.sessions()?.remove(&layout::position(self.session, self.class, self.first))?;
            rows.sessions()?.insert(&layout::position(self.session, class, self.first), self.place.to_be_bytes().as_slice())?;
        }
        Ok(())
    }
}
