//! A row of entries: what one batch appended. Headers of fixed width stand
//! together in front, the bodies behind them as they go to clients, so that a
//! list looks at headers and copies bytes.
//!
//! ```text
//! version u8 | count u16 | first seq u64 | count × (kind u8, at i64, turn u64, step u32, length u32) | bodies
//! ```

use std::sync::Arc;

use session::{Audience, Entry, Kind, Millis, Seq, TurnNo};

use super::codec::Fields;
use super::layout::Class;
use crate::journal::Error;

/// Entries in one row at most; a longer batch becomes several rows. It bounds
/// what a list looks through before it finds the entry that it begins with.
pub(super) const ENTRIES_MAX: usize = 256;

const VERSION: u8 = 1;
const FRONT: usize = 11;
const HEADER: usize = 25;

/// Writes entries, whose positions follow each other, as one row.
pub(super) fn encode(entries: &[Entry]) -> Vec<u8> {
    debug_assert!(entries.len() <= ENTRIES_MAX, "the caller cuts batches into rows");
    let bodies: usize = entries.iter().map(|entry| entry.body.len()).sum();
    let mut row = Vec::with_capacity(FRONT + HEADER * entries.len() + bodies);
    row.push(VERSION);
    row.extend_from_slice(&u16::try_from(entries.len()).unwrap_or(u16::MAX).to_be_bytes());
    row.extend_from_slice(&entries.first().map_or(0, |entry| entry.seq.0).to_be_bytes());
    for Entry { seq: _, at, turn, step, kind, body } in entries {
        row.push(kind.code());
        row.extend_from_slice(&at.0.to_be_bytes());
        row.extend_from_slice(&turn.0.to_be_bytes());
        row.extend_from_slice(&step.to_be_bytes());
        row.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    }
    for entry in entries {
        row.extend_from_slice(entry.body.as_bytes());
    }
    row
}

/// The class of a row with these entries.
pub(super) fn class(entries: &[Entry]) -> Class {
    if entries.iter().any(|entry| entry.audience() == Audience::Listed) { Class::Listed } else { Class::Other }
}

/// A row that is read entry by entry; bodies are copied only for those that are wanted.
pub(super) struct Row<'a> {
    first: Seq,
    headers: Fields<'a>,
    bodies: Fields<'a>,
    count: u64,
    next: u64,
}

/// An entry whose body was not looked at yet.
pub(super) struct Peeked<'a> {
    /// Its position.
    pub(super) seq: Seq,
    /// What it is.
    pub(super) kind: Kind,
    at: Millis,
    turn: TurnNo,
    step: u32,
    body: &'a [u8],
}

impl<'a> Row<'a> {
    /// Checks the front of a row.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut headers = Fields::of("row of entries", bytes, VERSION)?;
        let count = u16::from_be_bytes(headers.array()?);
        let first = Seq(headers.u64()?);
        let mut bodies = Fields::of("row of entries", bytes, VERSION)?;
        bodies.take(FRONT - 1 + HEADER * usize::from(count))?;
        Ok(Self { first, headers, bodies, count: u64::from(count), next: 0 })
    }

    /// The position after the last of the row.
    pub(super) fn end(&self) -> Seq {
        Seq(self.first.0.saturating_add(self.count))
    }

    /// The next entry.
    pub(super) fn peek(&mut self) -> Result<Option<Peeked<'a>>, Error> {
        if self.next == self.count {
            return Ok(None);
        }
        let seq = Seq(self.first.0.saturating_add(self.next));
        self.next += 1;
        let code = self.headers.byte()?;
        let kind = Kind::from_code(code).ok_or_else(|| Error::Damaged(format!("an entry of the unknown kind {code}")))?;
        let (at, turn, step) = (Millis(self.headers.i64()?), TurnNo(self.headers.u64()?), self.headers.u32()?);
        let length = self.headers.u32()? as usize;
        Ok(Some(Peeked { seq, kind, at, turn, step, body: self.bodies.take(length)? }))
    }
}

impl Peeked<'_> {
    /// The whole entry.
    pub(super) fn entry(&self) -> Result<Entry, Error> {
        let body: Arc<str> = std::str::from_utf8(self.body).map_err(|_| Error::Damaged("an entry whose body is not UTF-8".into()))?.into();
        Ok(Entry { seq: self.seq, at: self.at, turn: self.turn, step: self.step, kind: self.kind, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        let entry = |seq, kind, body: &str| Entry { seq: Seq(seq), at: Millis(-5), turn: TurnNo(3), step: 2, kind, body: body.into() };
        vec![entry(7, Kind::Began, "{}"), entry(8, Kind::AgentOutput, ""), entry(9, Kind::Ended, "{\"how\":\"answered\"}")]
    }

    #[test]
    fn a_row_reads_back_entry_by_entry() {
        let bytes = encode(&entries());
        let mut row = Row::open(&bytes).unwrap();
        assert_eq!(row.end(), Seq(10));
        let mut read = Vec::new();
        while let Some(peeked) = row.peek().unwrap() {
            read.push(peeked.entry().unwrap());
        }
        assert_eq!(read, entries());
    }

    #[test]
    fn a_row_that_was_cut_is_an_error_and_never_a_panic() {
        let bytes = encode(&entries());
        for cut in 0..bytes.len() {
            let outcome = Row::open(&bytes[..cut]).and_then(|mut row| {
                while let Some(peeked) = row.peek()? {
                    peeked.entry()?;
                }
                Ok(())
            });
            assert!(matches!(outcome, Err(Error::Damaged(_))), "cut at {cut}");
        }
    }
}
