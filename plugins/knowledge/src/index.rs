//! The index: which passages hold which terms, laid out so that a search reads
//! only what it needs.
//!
//! ```text
//! header | postings | dictionary blocks | directory | passages | texts
//! ```
//!
//! The directory has the first term of each block and is read whole (some tens
//! of kilobytes). A term leads to one block, the block to the term's postings:
//! pairs of a passage and its BM25 weight, computed when the index is built, so
//! that neither lengths nor counts are needed later. Passages and texts (paths and
//! titles) are read for the few results only; what a passage says stays in its file.

mod build;
mod bytes;
mod dictionary;
mod pages;
mod rank;
mod strings;

use self::bytes::Cursor;
pub(crate) use self::{
    build::Builder,
    pages::{Pages, Source},
};

/// Changes with the layout: an index of another form is unreadable, hence built anew.
const FORM: u64 = 1;

/// The index is not there, not of these files, or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// A passage that was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hit {
    /// The file's path inside the folder.
    pub(crate) path: String,
    /// The document's title and the headings above the passage.
    pub(crate) title: String,
    /// Where the passage begins in the file.
    pub(crate) start: u64,
    /// Its length in bytes.
    pub(crate) bytes: usize,
    /// How well it fits.
    pub(crate) score: f32,
}

/// An index that can be searched.
#[derive(Debug)]
pub(crate) struct Index {
    pages: Pages,
    header: Header,
}

/// How many passages there are, and where each part begins.
#[derive(Debug, Default)]
struct Header {
    passages: u64,
    dictionary: u64,
    directory: u64,
    directory_bytes: u64,
    rows: u64,
    texts: u64,
    /// 1 if there was more than an index holds.
    incomplete: u64,
}

/// What is known about one passage.
#[derive(Debug)]
struct Row {
    start: u32,
    bytes: u32,
    /// Among the texts: the path, and right after it the title.
    about: u32,
    path_bytes: u32,
    title_bytes: u32,
}

impl Index {
    /// Reads the header.
    pub(crate) fn open(pages: Pages) -> Result<Self, Unreadable> {
        let header = Header::decode(&pages.read(0, Header::BYTES)?)?;
        Ok(Self { pages, header })
    }

    /// Whether there was more than an index holds.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.header.incomplete != 0
    }

    /// The passages that fit the query best, best first.
    pub(crate) fn find(&self, query: &str, hits_max: usize) -> Result<Vec<Hit>, Unreadable> {
        let best = rank::best(self, query, hits_max)?;
        best.into_iter().map(|(passage, score)| self.hit(passage, score)).collect()
    }

    fn hit(&self, passage: u32, score: f32) -> Result<Hit, Unreadable> {
        let at = self.header.rows + u64::from(passage) * Row::BYTES as u64;
        let row = Row::decode(&self.pages.read(at, Row::BYTES)?)?;
        let (path_bytes, title_bytes) = (row.path_bytes as usize, row.title_bytes as usize);
        let at = self.header.texts + u64::from(row.about);
        let mut path = self.pages.read(at, path_bytes.saturating_add(title_bytes))?;
        let title = path.split_off(path_bytes);
        Ok(Hit {
            path: String::from_utf8(path).map_err(|_| Unreadable)?,
            title: String::from_utf8(title).map_err(|_| Unreadable)?,
            start: row.start.into(),
            bytes: row.bytes as usize,
            score,
        })
    }
}

impl Header {
    const FIELDS: usize = 7;
    const BYTES: usize = Self::FIELDS * size_of::<u64>();

    fn encode(&self) -> Vec<u8> {
        let Self { passages, dictionary, directory, directory_bytes, rows, texts, incomplete } = *self;
        let fields = [passages, dictionary, directory, directory_bytes, rows, texts, incomplete];
        fields.into_iter().flat_map(u64::to_le_bytes).collect()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut cursor = Cursor::new(bytes);
        Ok(Self {
            passages: cursor.u64()?,
            dictionary: cursor.u64()?,
            directory: cursor.u64()?,
            directory_bytes: cursor.u64()?,
            rows: cursor.u64()?,
            texts: cursor.u64()?,
            incomplete: cursor.u64()?,
        })
    }
}

impl Row {
    const FIELDS: usize = 5;
    const BYTES: usize = Self::FIELDS * size_of::<u32>();

    fn encode(&self) -> [u8; Self::BYTES] {
        let Self { start, bytes, about, path_bytes, title_bytes } = *self;
        let mut encoded = [0; Self::BYTES];
        for (to, field) in encoded.chunks_mut(size_of::<u32>()).zip([start, bytes, about, path_bytes, title_bytes]) {
            to.copy_from_slice(&field.to_le_bytes());
        }
        encoded
    }

    fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut cursor = Cursor::new(bytes);
        Ok(Self { start: cursor.u32()?, bytes: cursor.u32()?, about: cursor.u32()?, path_bytes: cursor.u32()?, title_bytes: cursor.u32()? })
    }
}
