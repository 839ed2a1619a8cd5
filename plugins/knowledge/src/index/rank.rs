//! The order of the results: BM25 over passages, with a share for terms that
//! only begin with a query's term ("trouble", "troubleshooting"), and for terms
//! one slip away from one that nothing else fits ("wigdet").

use std::cmp::Ordering;

use crate::words;

use super::{
    Index, Unreadable,
    bytes::Cursor,
    dictionary::{Dictionary, Entry},
};

/// How fast the repetition of a term stops to count.
const K1: f32 = 1.2;
/// How much a long passage is held against it.
const B: f32 = 0.75;

/// Further terms of a query are ignored.
const QUERY_TERMS_MAX: usize = 32;

/// Query terms of fewer bytes are not completed, and not corrected.
const COMPLETED_BYTES_MIN: usize = 5;
/// How many completions or corrections are looked at, and how many of the most frequent are used.
const COMPLETIONS_SEEN_MAX: usize = 128;
const COMPLETIONS_MAX: usize = 8;

/// What a completion or a correction counts compared with the term itself.
const COMPLETION_SHARE: f32 = 0.4;
const CORRECTION_SHARE: f32 = 0.6;

/// The greatest weight that BM25 gives before rarity counts, which a byte stands for.
const WEIGHT_MAX: f32 = K1 + 1.0;

/// The weight of a term that occurs `count` times in a passage of `length` terms.
pub(super) fn weight(count: u32, length: u32, average: f32) -> u8 {
    let count = count as f32;
    let norm = K1 * (1.0 - B + B * length as f32 / average);
    let weight = count * WEIGHT_MAX / (count + norm);
    (weight / WEIGHT_MAX * 255.0).round().clamp(1.0, 255.0) as u8
}

/// The passages with the highest scores, highest first.
pub(super) fn best(index: &Index, query: &str, hits_max: usize) -> Result<Vec<(u32, f32)>, Unreadable> {
    let dictionary = Dictionary::open(index)?;
    let passages = usize::try_from(index.header.passages).map_err(|_| Unreadable)?;
    let mut scores = vec![0.0; passages];
    for term in query_terms(query) {
        for (entry, factor) in meant(&dictionary, &term, index.header.passages as f32)? {
            add_postings(index, &entry, factor, &mut scores)?;
        }
    }
    Ok(highest(&scores, hits_max))
}

fn query_terms(query: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    words::terms(query, |term| {
        if found.len() < QUERY_TERMS_MAX && !found.iter().any(|known| known == term) {
            found.push(term.to_owned());
        }
    });
    found
}

/// The indexed terms that a query's term stands for, each with what it counts.
fn meant(dictionary: &Dictionary<'_>, term: &str, passages: f32) -> Result<Vec<(Entry, f32)>, Unreadable> {
    let is_word = term.len() >= COMPLETED_BYTES_MIN && term.chars().all(char::is_alphabetic);
    let seen_max = if is_word { COMPLETIONS_SEEN_MAX } else { 1 };
    let mut entries = dictionary.beginning_with(term, seen_max)?;
    let exact = entries.first().is_some_and(|entry| entry.term == term).then(|| entries.remove(0));
    let rarity_max = exact.as_ref().map_or(f32::MAX, |entry| rarity(entry, passages));
    let mut share = COMPLETION_SHARE;
    if !is_word {
        entries.clear();
    } else if exact.is_none() && entries.is_empty() {
        share = CORRECTION_SHARE;
        let letter = term.chars().next().map_or(0, char::len_utf8);
        entries = dictionary.similar(&term[..letter], |other| one_slip_apart(term, other))?;
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.passages));
    entries.truncate(COMPLETIONS_MAX);
    let others = entries.into_iter().map(|entry| {
        let factor = share * rarity(&entry, passages).min(rarity_max);
        (entry, factor)
    });
    Ok(exact.map(|entry| (entry, rarity_max)).into_iter().chain(others).collect())
}

/// How much the occurrence of a term says: the rarer, the more.
fn rarity(entry: &Entry, passages: f32) -> f32 {
    let with = entry.passages as f32;
    (1.0 + (passages - with + 0.5) / (with + 0.5)).ln()
}

fn add_postings(index: &Index, entry: &Entry, factor: f32, scores: &mut [f32]) -> Result<(), Unreadable> {
    let postings = index.pages.read(entry.postings, entry.postings_bytes as usize)?;
    let unit = factor * WEIGHT_MAX / 255.0;
    let mut cursor = Cursor::new(&postings);
    let mut passage = 0_usize;
    while !cursor.is_empty() {
        passage += cursor.number()? as usize;
        let score = scores.get_mut(passage).ok_or(Unreadable)?;
        *score += unit * f32::from(cursor.byte()?);
    }
    Ok(())
}

fn highest(scores: &[f32], hits_max: usize) -> Vec<(u32, f32)> {
    let by_score = |a: &(u32, f32), b: &(u32, f32)| -> Ordering { b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)) };
    let mut found: Vec<(u32, f32)> = (0..).zip(scores.iter().copied()).filter(|(_, score)| *score > 0.0).collect();
    if found.len() > hits_max {
        found.select_nth_unstable_by(hits_max, by_score);
        found.truncate(hits_max);
    }
    found.sort_unstable_by(by_score);
    found
}

/// Whether one letter was added, left out, replaced, or swapped with its neighbour.
fn one_slip_apart(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[same..], &b[same..]);
    match (a, b) {
        ([a1, a2, a_rest @ ..], [b1, b2, b_rest @ ..]) if a1 == b2 && a2 == b1 && a_rest == b_rest => true,
        ([_, a_rest @ ..], [_, b_rest @ ..]) if a_rest == b_rest => true,
        ([_, a_rest @ ..], b) if a_rest == b => true,
        (a, [_, b_rest @ ..]) => a == b_rest,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_grows_with_the_count_and_shrinks_with_the_length() {
        assert!(weight(2, 100, 100.0) > weight(1, 100, 100.0));
        assert!(weight(1, 50, 100.0) > weight(1, 100, 100.0));
        assert!(weight(255, 1, 100.0) > 250);
        assert_eq!(weight(1, u32::MAX, 1.0), 1);
    }

    #[test]
    fn one_slip_is_a_letter_more_less_other_or_swapped() {
        for other in ["widgets", "widgt", "widgat", "wigdet", "widdget"] {
            assert!(one_slip_apart("widget", other), "{other}");
        }
        for other in ["wget", "widgetss", "gadget", "wigetd"] {
            assert!(!one_slip_apart("widget", other), "{other}");
        }
    }

    #[test]
    fn equal_scores_keep_the_order_of_the_files() {
        assert_eq!(highest(&[1.0, 0.0, 2.0, 1.0, 1.0], 3), [(2, 2.0), (0, 1.0), (3, 1.0)]);
        assert_eq!(highest(&[], 3), []);
    }
}
