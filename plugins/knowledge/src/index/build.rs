//! Makes an index of documents. One document is in memory at a time; what stays
//! is a few bytes for each word of each passage. The limits keep the whole within
//! the memory that a call usually has, whatever the documents look like.

use crate::{markdown, words};

use super::{Header, Row, bytes::push_number, dictionary, pages::Writer, rank, strings::Strings};

/// A word of a title or heading counts as often as this many in the text.
const TITLE_WEIGHT: u32 = 3;

/// The lower bits of a posting hold how often the term occurs, the others the passage.
const COUNT_BITS: u32 = 8;
const COUNT_MAX: u32 = (1 << COUNT_BITS) - 1;

/// What an index holds at most. What comes later is left out, and the index says so.
const PASSAGES_MAX: usize = 1 << 17;
const TERMS_MAX: usize = 300_000;
const POSTINGS_MAX: usize = 3_000_000;

/// So many words are remembered with their terms; others are cut to their stem each time.
const REMEMBERED_WORDS_MAX: usize = 1 << 17;

/// An index being made.
#[derive(Default)]
pub(crate) struct Builder {
    words: Strings,
    /// The term of each remembered word; none for those that say nothing.
    terms_of_words: Vec<Option<u32>>,
    vocabulary: Strings,
    terms: Vec<Term>,
    postings: Postings,
    /// How many terms each passage has.
    lengths: Vec<u32>,
    rows: Vec<Row>,
    /// For each section its file's path and its title.
    texts: Vec<u8>,
    incomplete: bool,
}

/// What is known about one term.
#[derive(Clone, Copy)]
struct Term {
    /// The number of its newest posting.
    last: u32,
    /// In how many passages it occurs.
    passages: u32,
}

/// One term in one passage.
#[derive(Clone, Copy)]
struct Posting {
    passage_and_count: u32,
    /// The posting before this one of the same term.
    before: u32,
}

impl Builder {
    /// Indexes the document at `path`.
    pub(crate) fn add(&mut self, path: &str, text: &str) {
        let document = markdown::cut(path, text);
        self.incomplete |= document.cut_short;
        let mut title = None;
        let mut about = 0;
        for passage in document.passages {
            if self.rows.len() == PASSAGES_MAX {
                self.incomplete = true;
                return;
            }
            let shown = shown_title(&document.title, &passage.headings);
            let title_bytes = shown.len() as u32;
            if title.as_ref() != Some(&shown) {
                about = self.texts.len() as u32;
                self.texts.extend_from_slice(path.as_bytes());
                self.texts.extend_from_slice(shown.as_bytes());
                title = Some(shown);
            }
            self.lengths.push(0);
            self.count(&document.title, TITLE_WEIGHT);
            self.count(&passage.headings, TITLE_WEIGHT);
            self.count(&text[passage.range.clone()], 1);
            self.rows.push(Row {
                start: passage.range.start as u32,
                bytes: passage.range.len() as u32,
                about,
                path_bytes: path.len() as u32,
                title_bytes,
            });
        }
    }

    /// Counts the terms of `text` towards the passage that is being added.
    fn count(&mut self, text: &str, weight: u32) {
        let passage = self.rows.len() as u32;
        let mut length = 0;
        words::split(text, |word| {
            if let Some(term) = self.term_of(word) {
                length += 1;
                self.count_term(term, passage, weight);
            }
        });
        if let Some(sum) = self.lengths.last_mut() {
            *sum += length;
        }
    }

    /// The number of a word's term. None if the word says nothing, or the index has no room for it.
    fn term_of(&mut self, word: &str) -> Option<u32> {
        if let Some(known) = self.words.find(word) {
            return self.terms_of_words[known as usize];
        }
        let mut term = word.to_owned();
        let number = words::normalise(&mut term).then(|| self.number_of(&term)).flatten();
        if self.words.len() < REMEMBERED_WORDS_MAX {
            self.words.add(word);
            self.terms_of_words.push(number);
        }
        number
    }

    fn number_of(&mut self, term: &str) -> Option<u32> {
        if let Some(known) = self.vocabulary.find(term) {
            return Some(known);
        }
        if self.vocabulary.len() == TERMS_MAX {
            self.incomplete = true;
            return None;
        }
        self.terms.push(Term { last: 0, passages: 0 });
        Some(self.vocabulary.add(term))
    }

    fn count_term(&mut self, term: u32, passage: u32, weight: u32) {
        let term = &mut self.terms[term as usize];
        if term.passages > 0 {
            let newest = self.postings.get_mut(term.last);
            if newest.passage() == passage {
                newest.add(weight);
                return;
            }
        }
        if self.postings.len == POSTINGS_MAX {
            self.incomplete = true;
            return;
        }
        let passage_and_count = passage << COUNT_BITS | weight;
        let last = self.postings.push(Posting { passage_and_count, before: term.last });
        *term = Term { last, passages: term.passages + 1 };
    }

    /// The pages of the index.
    pub(crate) fn finish(mut self, fingerprint: u64) -> Vec<u8> {
        self.words = Strings::default();
        let average = average(&self.lengths);
        let mut out = Writer::after_header(Header::BYTES, self.bytes_expected());
        let mut dictionary = dictionary::Writer::after(out.position());
        let mut newest_first = Vec::new();
        let mut encoded = Vec::new();
        for number in self.vocabulary.sorted() {
            let term = self.terms[number as usize];
            if term.passages > 0 {
                self.encode(term, average, &mut newest_first, &mut encoded);
                out.push(&encoded);
                dictionary.push(self.vocabulary.get(number), term.passages, encoded.len() as u32);
            }
        }

        let mut header = Header { passages: self.rows.len() as u64, ..Header::default() };
        header.incomplete = self.incomplete.into();
        let (blocks, directory) = dictionary.finish();
        header.dictionary = out.position();
        out.push(&blocks);
        header.directory = out.position();
        header.directory_bytes = directory.len() as u64;
        out.push(&directory);
        header.rows = out.position();
        self.rows.iter().for_each(|row| out.push(&row.encode()));
        header.texts = out.position();
        out.push(&self.texts);
        out.finish(&header.encode(), fingerprint)
    }

    /// A little more than the index will have, as a rule.
    fn bytes_expected(&self) -> usize {
        self.postings.len * 3 + self.terms.len() * 12 + self.rows.len() * (Row::BYTES + 1) + self.texts.len()
    }

    /// The postings of a term, oldest first: the distance to the passage before, and the weight.
    fn encode(&self, term: Term, average: f32, newest_first: &mut Vec<Posting>, out: &mut Vec<u8>) {
        newest_first.clear();
        let mut number = term.last;
        for _ in 0..term.passages {
            let posting = self.postings.get(number);
            newest_first.push(posting);
            number = posting.before;
        }
        out.clear();
        let mut before = 0;
        for posting in newest_first.iter().rev() {
            let passage = posting.passage();
            push_number(out, passage - before);
            out.push(rank::weight(posting.count(), self.lengths[passage as usize], average));
            before = passage;
        }
    }
}

impl Posting {
    fn passage(self) -> u32 {
        self.passage_and_count >> COUNT_BITS
    }

    fn count(self) -> u32 {
        self.passage_and_count & COUNT_MAX
    }

    fn add(&mut self, weight: u32) {
        let count = (self.count() + weight).min(COUNT_MAX);
        self.passage_and_count = self.passage() << COUNT_BITS | count;
    }
}

/// All postings, in pieces: one long vector would be copied whenever it grows,
/// and be there twice meanwhile.
#[derive(Default)]
struct Postings {
    pieces: Vec<Vec<Posting>>,
    len: usize,
}

impl Postings {
    const PIECE_BITS: u32 = 15;
    const PIECE_LEN: usize = 1 << Self::PIECE_BITS;

    fn get(&self, number: u32) -> Posting {
        self.pieces[(number >> Self::PIECE_BITS) as usize][number as usize % Self::PIECE_LEN]
    }

    fn get_mut(&mut self, number: u32) -> &mut Posting {
        &mut self.pieces[(number >> Self::PIECE_BITS) as usize][number as usize % Self::PIECE_LEN]
    }

    /// Appends a posting, and gives its number.
    fn push(&mut self, posting: Posting) -> u32 {
        if self.len.is_multiple_of(Self::PIECE_LEN) {
            self.pieces.push(Vec::with_capacity(Self::PIECE_LEN));
        }
        self.pieces[self.len / Self::PIECE_LEN].push(posting);
        self.len += 1;
        (self.len - 1) as u32
    }
}

fn average(lengths: &[u32]) -> f32 {
    let sum: u64 = lengths.iter().map(|&length| u64::from(length)).sum();
    (sum as f32 / lengths.len().max(1) as f32).max(1.0)
}

fn shown_title(title: &str, headings: &str) -> String {
    if headings.is_empty() { title.to_owned() } else { format!("{title} > {headings}") }
}
