//! Words as the offline model compares them: lower case, without endings and filler.

use std::collections::BTreeSet;

/// Words that say nothing about a subject.
const FILLER: &[&str] = &[
    "a",
    "about",
    "all",
    "am",
    "an",
    "and",
    "any",
    "are",
    "as",
    "at",
    "be",
    "been",
    "but",
    "by",
    "can",
    "could",
    "did",
    "do",
    "does",
    "doing",
    "for",
    "from",
    "get",
    "give",
    "good",
    "had",
    "has",
    "have",
    "having",
    "hello",
    "hey",
    "hi",
    "how",
    "i",
    "if",
    "in",
    "into",
    "is",
    "it",
    "its",
    "just",
    "know",
    "let",
    "ll",
    "m",
    "may",
    "me",
    "much",
    "my",
    "need",
    "no",
    "not",
    "of",
    "on",
    "or",
    "our",
    "out",
    "please",
    "re",
    "s",
    "say",
    "should",
    "show",
    "so",
    "some",
    "t",
    "tell",
    "thank",
    "thanks",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "to",
    "too",
    "us",
    "use",
    "ve",
    "very",
    "want",
    "was",
    "we",
    "were",
    "what",
    "when",
    "where",
    "which",
    "who",
    "why",
    "will",
    "with",
    "would",
    "you",
    "your",
    "d",
    "morning",
    "afternoon",
    "evening",
];

/// Words with which people say that something does not work.
const TROUBLE: &[&str] = &[
    "trouble",
    "troubles",
    "problem",
    "problems",
    "issue",
    "issues",
    "broken",
    "fails",
    "failing",
    "failed",
    "stuck",
    "troubleshoot",
    "troubleshooting",
];

/// Endings, longest first, that are taken off where at least four letters stay.
const ENDINGS: &[&str] = &[
    "ations", "ation", "ators", "ating", "ator", "ates", "ated", "ings", "ions", "ate", "ies", "ing", "ion", "ers", "er", "es", "ed", "s",
    "e",
];

/// How many telling words of a text are looked at: more tell nothing more, and a book must not take a minute.
const TELLING_MAX: usize = 256;

/// A word of a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// As it was written, in lower case.
    pub(super) written: String,
    /// What is compared.
    pub(super) stem: String,
}

/// The first words of a text that say something, in order, each once.
pub(super) fn telling(text: &str) -> Vec<Word> {
    let mut seen = BTreeSet::new();
    let mut words = Vec::new();
    for written in split(text).filter(|word| !FILLER.contains(&word.as_str())) {
        let stem = stem(&written);
        if seen.insert(stem.clone()) {
            words.push(Word { written, stem });
        }
        if words.len() == TELLING_MAX {
            break;
        }
    }
    words
}

/// The stems of all words of a text.
pub(super) fn stems(text: &str) -> BTreeSet<String> {
    split(text).map(|word| stem(&word)).collect()
}

/// Key words for a search: the telling words, with every way of saying "it does
/// not work" gathered into one `troubleshooting` at the end.
pub(super) fn search_words(text: &str) -> String {
    let trouble = stem("trouble");
    let words = telling(text);
    let mut kept: Vec<&str> = words.iter().filter(|word| word.stem != trouble).map(|word| word.written.as_str()).collect();
    if kept.len() < words.len() {
        kept.push("troubleshooting");
    }
    kept.join(" ")
}

/// The first sentence of a description.
pub(super) fn first_sentence(text: &str) -> &str {
    let text = text.trim();
    let end = text.find(". ").or_else(|| text.find(".\n")).map_or(text.len(), |at| at + 1);
    &text[..end]
}

fn split(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

fn stem(word: &str) -> String {
    if TROUBLE.contains(&word) {
        return "troubleshoot".into();
    }
    let shorter = ENDINGS.iter().find_map(|ending| word.strip_suffix(ending).filter(|rest| rest.chars().count() >= 4));
    match shorter {
        Some(rest) => rest.to_owned(),
        None => word.strip_suffix('s').filter(|rest| rest.len() >= 3).unwrap_or(word).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_becomes_key_words() {
        assert_eq!(search_words("I'm having trouble with my widget installation."), "widget installation troubleshooting");
        assert_eq!(search_words("How do I return a widget?"), "return widget");
        assert_eq!(search_words("hello there"), "");
    }

    #[test]
    fn forms_of_a_word_are_the_same() {
        for (a, b) in [("install", "installation"), ("calculate", "calculator"), ("note", "notes"), ("search", "searches")] {
            assert_eq!(stem(a), stem(b), "{a} {b}");
        }
    }

    #[test]
    fn of_a_book_only_the_first_words_are_looked_at() {
        let book: String = (0..10_000).map(|n| format!("word{n} ")).collect();
        assert_eq!(telling(&book).len(), TELLING_MAX);
    }
}
