//! From text to the terms that are indexed and looked up: words in lower case,
//! without accents, English ones without their endings. Chinese, Japanese and
//! Korean text, which has no spaces, becomes overlapping pairs of characters.

use crate::stem::stem;

/// Longer runs of letters are cut here: they are hashes and encoded data, which
/// would fill the dictionary.
const WORD_BYTES_MAX: usize = 48;

/// Words that say nothing about a passage. They are neither indexed nor searched.
const STOP_WORDS: &[&str] = &[
    "a", "about", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "could", "did", "do", "does", "doesn",
    "don", "for", "from", "get", "had", "has", "have", "having", "he", "her", "his", "how", "i", "if", "in", "into", "is", "isn", "it",
    "its", "just", "me", "my", "no", "not", "of", "on", "or", "our", "please", "she", "should", "so", "some", "that", "the", "their",
    "them", "then", "there", "these", "they", "this", "to", "us", "was", "we", "were", "what", "when", "where", "which", "who", "why",
    "will", "with", "would", "you", "your",
];

/// The base letters of U+00E0 to U+00FF and of U+0100 to U+017F.
const LATIN_1_LETTERS: &[u8; 32] = b"aaaaaaaceeeeiiiidnooooo ouuuuyty";
const LATIN_A_LETTERS: &[u8; 128] = b"aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklll\
lllllllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

/// Calls `each` with every term of `text`, in order.
pub(crate) fn terms(text: &str, mut each: impl FnMut(&str)) {
    let mut term = String::new();
    split(text, |word| {
        term.clear();
        term.push_str(word);
        if normalise(&mut term) {
            each(&term);
        }
    });
}

/// Makes the term of a word that [`split`] gave. False if the word says nothing.
pub(crate) fn normalise(word: &mut String) -> bool {
    if STOP_WORDS.binary_search(&word.as_str()).is_ok() {
        return false;
    }
    if word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        stem(word);
    }
    true
}

/// Calls `each` with every word of `text` as it stands there, but in lower case and without accents.
pub(crate) fn split(text: &str, mut each: impl FnMut(&str)) {
    let mut words = Words::default();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let ascii = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        if ascii > 0 {
            words.end_pairs(&mut each);
            words.letters(&rest[..ascii]);
            rest = &rest[ascii..];
            continue;
        }
        rest = &rest[character.len_utf8()..];
        if character.is_ascii_whitespace() {
            words.end_word(&mut each);
            words.end_pairs(&mut each);
        } else if is_unspaced(character) {
            words.end_word(&mut each);
            words.pair(character, &mut each);
        } else if character.is_alphanumeric() {
            words.end_pairs(&mut each);
            words.letter(character);
        } else if matches!(character, '\'' | '’') && !words.word.is_empty() {
            // What follows an apostrophe is an ending: "widget's", "don't".
            words.in_ending = true;
        } else if !is_combining(character) {
            words.end_word(&mut each);
            words.end_pairs(&mut each);
        }
    }
    words.end_word(&mut each);
    words.end_pairs(&mut each);
}

/// What has been read and not yet handed over.
#[derive(Default)]
struct Words {
    word: String,
    in_ending: bool,
    /// The last character of unspaced text, and whether it is part of a pair already.
    unspaced: Option<(char, bool)>,
    pair: String,
}

impl Words {
    /// Adds ASCII letters and digits.
    fn letters(&mut self, letters: &str) {
        if !self.in_ending {
            let room = WORD_BYTES_MAX.saturating_sub(self.word.len());
            let begin = self.word.len();
            self.word.push_str(&letters[..letters.len().min(room)]);
            self.word[begin..].make_ascii_lowercase();
        }
    }

    /// Adds any letter or digit.
    fn letter(&mut self, character: char) {
        if !self.in_ending && self.word.len() < WORD_BYTES_MAX {
            self.word.extend(character.to_lowercase().filter(|&c| !is_combining(c)).map(without_accent));
        }
    }

    fn end_word(&mut self, each: &mut impl FnMut(&str)) {
        self.in_ending = false;
        if self.word.is_empty() {
            return;
        }
        each(&self.word);
        self.word.clear();
    }

    fn pair(&mut self, character: char, each: &mut impl FnMut(&str)) {
        if let Some((before, _)) = self.unspaced {
            self.pair.clear();
            self.pair.extend([before, character]);
            each(&self.pair);
        }
        self.unspaced = Some((character, self.unspaced.is_some()));
    }

    /// A character that stood alone is a term of its own.
    fn end_pairs(&mut self, each: &mut impl FnMut(&str)) {
        if let Some((character, false)) = self.unspaced.take() {
            each(character.encode_utf8(&mut [0; 4]));
        }
    }
}

fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

fn is_combining(character: char) -> bool {
    matches!(character, '\u{0300}'..='\u{036F}')
}

fn without_accent(character: char) -> char {
    match u32::from(character) {
        code @ 0xE0..=0xFF if code != 0xF7 => LATIN_1_LETTERS[(code - 0xE0) as usize].into(),
        code @ 0x100..=0x17F => LATIN_A_LETTERS[(code - 0x100) as usize].into(),
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        terms(text, |term| found.push(term.to_owned()));
        found
    }

    #[test]
    fn keeps_the_words_that_carry_the_question() {
        assert_eq!(all("I'm having trouble with my widget installation."), ["troubl", "widget", "instal"]);
    }

    #[test]
    fn drops_what_follows_an_apostrophe() {
        assert_eq!(all("The widget's hub doesn’t blink"), ["widget", "hub", "blink"]);
    }

    #[test]
    fn keeps_digits_and_codes() {
        assert_eq!(all("Error E17 on WX-200"), ["error", "e17", "wx", "200"]);
    }

    #[test]
    fn ignores_case_and_accents() {
        assert_eq!(all("Café ÜBER cafe\u{301} Žižka"), ["cafe", "uber", "cafe", "zizka"]);
    }

    #[test]
    fn keeps_other_alphabets_whole() {
        assert_eq!(all("Гарантия Ελλάδα"), ["гарантия", "ελλάδα"]);
    }

    #[test]
    fn pairs_the_characters_of_unspaced_text() {
        assert_eq!(all("安装指南 widget 水"), ["安装", "装指", "指南", "widget", "水"]);
    }

    #[test]
    fn cuts_endless_words() {
        assert_eq!(all(&"1".repeat(10_000))[0].len(), WORD_BYTES_MAX);
    }

    #[test]
    fn the_stop_words_are_sorted_for_the_search_among_them() {
        assert!(STOP_WORDS.is_sorted());
    }
}
