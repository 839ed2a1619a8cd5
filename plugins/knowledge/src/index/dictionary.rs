//! The terms, sorted, in blocks: each term is written as what differs from the
//! one before it. The directory names each block's first term and says where
//! the block and its postings lie.

use std::ops::Range;

use super::{
    Index, Unreadable,
    bytes::{Cursor, push_number},
};

const BLOCK_TERMS: usize = 64;

/// A search among similar terms reads at most this much of the dictionary.
const SCAN_BYTES_MAX: usize = 256 << 10;

/// A term and where its postings lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) term: String,
    /// In how many passages it occurs.
    pub(super) passages: u32,
    pub(super) postings: u64,
    pub(super) postings_bytes: u32,
}

/// Collects the terms while their postings are being written.
pub(super) struct Writer {
    blocks: Vec<u8>,
    directory: Vec<u8>,
    terms: usize,
    before: Vec<u8>,
    /// Where the current block begins, and where its postings and the next ones do.
    block: usize,
    first_term: Vec<u8>,
    block_postings: u64,
    postings: u64,
}

impl Writer {
    /// The first postings lie at `postings`.
    pub(super) fn after(postings: u64) -> Self {
        Self {
            blocks: Vec::new(),
            directory: Vec::new(),
            terms: 0,
            before: Vec::new(),
            block: 0,
            first_term: Vec::new(),
            block_postings: postings,
            postings,
        }
    }

    /// Adds a term that sorts after the ones before.
    pub(super) fn push(&mut self, term: &[u8], passages: u32, postings_bytes: u32) {
        if self.terms.is_multiple_of(BLOCK_TERMS) {
            self.end_block();
            self.before.clear();
            self.first_term = term.to_owned();
        }
        let shared = self.before.iter().zip(term).take_while(|(a, b)| a == b).count();
        push_number(&mut self.blocks, shared as u32);
        push_number(&mut self.blocks, (term.len() - shared) as u32);
        self.blocks.extend_from_slice(&term[shared..]);
        push_number(&mut self.blocks, passages);
        push_number(&mut self.blocks, postings_bytes);
        self.before.clear();
        self.before.extend_from_slice(term);
        self.terms += 1;
        self.postings += u64::from(postings_bytes);
    }

    /// The blocks, and the directory of them.
    pub(super) fn finish(mut self) -> (Vec<u8>, Vec<u8>) {
        self.end_block();
        (self.blocks, self.directory)
    }

    fn end_block(&mut self) {
        if self.blocks.len() > self.block {
            push_number(&mut self.directory, self.first_term.len() as u32);
            self.directory.extend_from_slice(&self.first_term);
            self.directory.extend_from_slice(&(self.block as u64).to_le_bytes());
            self.directory.extend_from_slice(&self.block_postings.to_le_bytes());
        }
        self.block = self.blocks.len();
        self.block_postings = self.postings;
    }
}

/// The dictionary of an index, ready to look terms up.
pub(super) struct Dictionary<'a> {
    index: &'a Index,
    directory: Vec<u8>,
    blocks: Vec<Block>,
}

struct Block {
    /// Where the directory has its first term.
    first_term: Range<usize>,
    /// Where it lies among the blocks.
    bytes: Range<u64>,
    postings: u64,
}

impl<'a> Dictionary<'a> {
    pub(super) fn open(index: &'a Index) -> Result<Self, Unreadable> {
        let header = &index.header;
        let bytes = usize::try_from(header.directory_bytes).map_err(|_| Unreadable)?;
        let directory = index.pages.read(header.directory, bytes)?;
        let mut blocks: Vec<Block> = Vec::new();
        let mut cursor = Cursor::new(&directory);
        while !cursor.is_empty() {
            let len = cursor.number()? as usize;
            let start = directory.len() - cursor.left();
            cursor.take(len)?;
            let at = cursor.u64()?;
            if let Some(before) = blocks.last_mut() {
                before.bytes.end = at;
            }
            blocks.push(Block { first_term: start..start + len, bytes: at..0, postings: cursor.u64()? });
        }
        if let Some(last) = blocks.last_mut() {
            last.bytes.end = header.directory.checked_sub(header.dictionary).ok_or(Unreadable)?;
        }
        Ok(Self { index, directory, blocks })
    }

    /// The terms that begin with `prefix`, in order, at most `entries_max` of them.
    pub(super) fn beginning_with(&self, prefix: &str, entries_max: usize) -> Result<Vec<Entry>, Unreadable> {
        let mut found = Vec::new();
        let from = self.block_of(prefix);
        for block in from..self.blocks.len() {
            if block > from && !self.first_term(block).starts_with(prefix.as_bytes()) {
                break;
            }
            found.extend(self.entries(block..block + 1)?.into_iter().filter(|entry| entry.term.starts_with(prefix)));
            if found.len() >= entries_max {
                break;
            }
        }
        found.truncate(entries_max);
        Ok(found)
    }

    /// The terms for which `wanted` holds among those with this first letter.
    pub(super) fn similar(&self, letter: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<Entry>, Unreadable> {
        let from = self.block_of(letter);
        let mut to = from;
        let mut bytes = 0;
        while to < self.blocks.len() && (to == from || self.first_term(to).starts_with(letter.as_bytes())) {
            bytes += self.blocks[to].bytes.end.saturating_sub(self.blocks[to].bytes.start) as usize;
            if bytes > SCAN_BYTES_MAX {
                break;
            }
            to += 1;
        }
        let mut entries = self.entries(from..to)?;
        entries.retain(|entry| entry.term.starts_with(letter) && wanted(&entry.term));
        Ok(entries)
    }

    /// The block in which `term` would be.
    fn block_of(&self, term: &str) -> usize {
        let after = self.blocks.partition_point(|block| &self.directory[block.first_term.clone()] <= term.as_bytes());
        after.saturating_sub(1)
    }

    fn first_term(&self, block: usize) -> &[u8] {
        &self.directory[self.blocks[block].first_term.clone()]
    }

    /// The entries of neighbouring blocks, read at once.
    fn entries(&self, range: Range<usize>) -> Result<Vec<Entry>, Unreadable> {
        let mut entries = Vec::new();
        let blocks = &self.blocks[range];
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return Ok(entries) };
        let bytes = last.bytes.end.checked_sub(first.bytes.start).ok_or(Unreadable)?;
        let bytes = usize::try_from(bytes).map_err(|_| Unreadable)?;
        let read = self.index.pages.read(self.index.header.dictionary + first.bytes.start, bytes)?;
        let mut cursor = Cursor::new(&read);
        for block in blocks {
            let len = block.bytes.end.checked_sub(block.bytes.start).ok_or(Unreadable)?;
            decode_block(cursor.take(len as usize)?, block.postings, &mut entries)?;
        }
        Ok(entries)
    }
}

fn decode_block(bytes: &[u8], mut postings: u64, entries: &mut Vec<Entry>) -> Result<(), Unreadable> {
    let mut cursor = Cursor::new(bytes);
    let mut term = Vec::new();
    while !cursor.is_empty() {
        term.truncate(cursor.number()? as usize);
        let rest = cursor.number()? as usize;
        term.extend_from_slice(cursor.take(rest)?);
        let passages = cursor.number()?;
        let postings_bytes = cursor.number()?;
        let term = String::from_utf8(term.clone()).map_err(|_| Unreadable)?;
        entries.push(Entry { term, passages, postings, postings_bytes });
        postings += u64::from(postings_bytes);
    }
    Ok(())
}
