//! The index as a file: pages with a checksum each, so that a search can trust
//! the little it reads. The checksums are seeded with the fingerprint of the
//! indexed files: an index of other files, a torn one, and one that is being
//! replaced while it is read are all simply unreadable.

use wardian_plugin::cache;

use crate::hash::Hash;

use super::{FORM, Unreadable};

/// The name in the plugin's cache.
const CACHE_NAME: &str = "index";

const PAGE_BYTES: usize = 4096;
const CHECK_BYTES: usize = size_of::<u32>();
const CONTENT_BYTES: usize = PAGE_BYTES - CHECK_BYTES;

/// One call to the host reads at most this much, however much is wanted.
const READ_BYTES_MAX: usize = 64 * PAGE_BYTES;

/// Where the pages are.
#[derive(Debug)]
pub(crate) enum Source {
    /// In the plugin's cache.
    Cache,
    /// In this call's memory.
    Memory(Vec<u8>),
}

/// Pages to read from.
#[derive(Debug)]
pub(crate) struct Pages {
    source: Source,
    fingerprint: u64,
}

impl Pages {
    /// The pages of the index of the files with this fingerprint.
    pub(crate) fn of(source: Source, fingerprint: u64) -> Self {
        Self { source, fingerprint }
    }

    /// Puts finished pages in the cache.
    pub(crate) fn store(pages: &[u8]) -> Result<(), cache::Error> {
        cache::write(CACHE_NAME, pages)
    }

    /// Exactly `bytes` bytes from `offset`.
    pub(super) fn read(&self, offset: u64, bytes: usize) -> Result<Vec<u8>, Unreadable> {
        let first = offset / CONTENT_BYTES as u64;
        let skipped = (offset % CONTENT_BYTES as u64) as usize;
        let wanted = skipped.checked_add(bytes).ok_or(Unreadable)?;
        let mut content = Vec::new();
        for page in (first..).take(wanted.div_ceil(CONTENT_BYTES)).step_by(READ_BYTES_MAX / PAGE_BYTES) {
            let missing = (wanted - content.len()).div_ceil(CONTENT_BYTES) * PAGE_BYTES;
            let chunk = self.chunk(page, missing.min(READ_BYTES_MAX))?;
            for (number, page) in (page..).zip(chunk.chunks(PAGE_BYTES)) {
                content.extend_from_slice(checked(page, number, self.fingerprint)?);
            }
        }
        content.truncate(wanted);
        if content.len() < wanted {
            return Err(Unreadable);
        }
        Ok(content.split_off(skipped))
    }

    fn chunk(&self, page: u64, bytes: usize) -> Result<Vec<u8>, Unreadable> {
        let offset = page.checked_mul(PAGE_BYTES as u64).ok_or(Unreadable)?;
        match &self.source {
            Source::Cache => cache::read(CACHE_NAME, offset, bytes as u32).ok().flatten().ok_or(Unreadable),
            Source::Memory(pages) => {
                let start = pages.len().min(usize::try_from(offset).map_err(|_| Unreadable)?);
                let end = pages.len().min(start + bytes);
                Ok(pages[start..end].to_vec())
            }
        }
    }
}

fn checked(page: &[u8], number: u64, fingerprint: u64) -> Result<&[u8], Unreadable> {
    let (content, check) = page.split_last_chunk::<CHECK_BYTES>().ok_or(Unreadable)?;
    (check_of(content, number, fingerprint) == *check).then_some(content).ok_or(Unreadable)
}

fn check_of(content: &[u8], number: u64, fingerprint: u64) -> [u8; CHECK_BYTES] {
    let mut hash = Hash::default();
    hash.add(&FORM.to_le_bytes());
    hash.add(&fingerprint.to_le_bytes());
    hash.add(&number.to_le_bytes());
    hash.add(content);
    let value = hash.value();
    ((value >> 32) as u32 ^ value as u32).to_le_bytes()
}

/// Pages being written.
pub(super) struct Writer {
    pages: Vec<u8>,
    written: u64,
}

impl Writer {
    /// Begins with room for a header of this size, and is ready for so many bytes after it.
    pub(super) fn after_header(header_bytes: usize, bytes_expected: usize) -> Self {
        let mut writer = Self { pages: Vec::with_capacity(bytes_expected), written: 0 };
        writer.push(&vec![0; header_bytes]);
        writer
    }

    /// The offset that the next byte gets.
    pub(super) fn position(&self) -> u64 {
        self.written
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.pages.len() % PAGE_BYTES == CONTENT_BYTES {
                self.pages.extend_from_slice(&[0; CHECK_BYTES]);
            }
            let room = CONTENT_BYTES - self.pages.len() % PAGE_BYTES;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.pages.extend_from_slice(now);
            self.written += now.len() as u64;
            bytes = later;
        }
    }

    /// Fills in the header and the checksums.
    pub(super) fn finish(mut self, header: &[u8], fingerprint: u64) -> Vec<u8> {
        self.pages.extend_from_slice(&[0; CHECK_BYTES]);
        self.pages[..header.len()].copy_from_slice(header);
        for (number, page) in (0..).zip(self.pages.chunks_mut(PAGE_BYTES)) {
            if let Some((content, check)) = page.split_last_chunk_mut::<CHECK_BYTES>() {
                *check = check_of(content, number, fingerprint);
            }
        }
        self.pages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Vec<u8> {
        (0..600_000_u32).map(|number| (number % 251) as u8).collect()
    }

    fn written() -> Vec<u8> {
        let mut writer = Writer::after_header(8, 100);
        content().chunks(777).for_each(|chunk| writer.push(chunk));
        assert_eq!(writer.position(), 600_008);
        writer.finish(b"HEADER!!", 42)
    }

    #[test]
    fn any_stretch_can_be_read_back() {
        let pages = Pages::of(Source::Memory(written()), 42);
        assert_eq!(pages.read(0, 8).unwrap(), b"HEADER!!");
        for (offset, bytes) in [(0, 0), (0, 1), (4_080, 20), (5_000, 500_000), (599_990, 10)] {
            let expected = &content()[offset..offset + bytes];
            assert_eq!(pages.read(8 + offset as u64, bytes).unwrap(), expected);
        }
        assert_eq!(pages.read(599_999, 10), Err(Unreadable));
        assert_eq!(pages.read(u64::MAX, 1), Err(Unreadable));
    }

    #[test]
    fn an_index_of_other_files_is_unreadable() {
        assert_eq!(Pages::of(Source::Memory(written()), 43).read(0, 8), Err(Unreadable));
    }

    #[test]
    fn a_flipped_bit_and_a_missing_end_are_noticed() {
        let mut flipped = written();
        flipped[50_000] ^= 1;
        let pages = Pages::of(Source::Memory(flipped), 42);
        assert!(pages.read(0, 10_000).is_ok());
        assert_eq!(pages.read(49_000, 2_000), Err(Unreadable));

        let mut torn = written();
        torn.truncate(100_000);
        assert_eq!(Pages::of(Source::Memory(torn), 42).read(90_000, 100_000), Err(Unreadable));
    }
}
