//! English words without their endings, after Porter (1980): "installation",
//! "installing" and "installed" become "instal". The result is a key for
//! comparing words, not a word. Only for words of lower-case ASCII letters.

/// Shorter words are kept whole: nothing is left to compare after cutting them.
const STEMMED_BYTES_MIN: usize = 3;

/// Endings replaced where something pronounceable precedes them.
const DOUBLE_SUFFIXES: &[(&str, &str)] = &[
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("abli", "able"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
];

/// Endings shortened or dropped after that.
const SINGLE_SUFFIXES: &[(&str, &str)] =
    &[("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", "")];

/// Endings dropped from words that stay long enough without them.
const LONG_WORD_SUFFIXES: &[&str] = &[
    "ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ion", "ism", "ate", "iti", "ous", "ive", "ize", "al", "er", "ic", "ou",
];

/// Cuts the endings off `word`, in place.
pub(crate) fn stem(word: &mut String) {
    if word.len() < STEMMED_BYTES_MIN {
        return;
    }
    plural(word);
    past_and_progressive(word);
    if word.ends_with('y') && has_vowel(&word[..word.len() - 1]) {
        replace_end(word, 1, "i");
    }
    replace_first(word, DOUBLE_SUFFIXES);
    replace_first(word, SINGLE_SUFFIXES);
    drop_long_word_suffix(word);
    final_e(word);
}

fn plural(word: &mut String) {
    if word.ends_with("sses") || word.ends_with("ies") {
        replace_end(word, 2, "");
    } else if word.ends_with('s') && !word.ends_with("ss") {
        replace_end(word, 1, "");
    }
}

fn past_and_progressive(word: &mut String) {
    if let Some(head) = word.strip_suffix("eed") {
        if measure(head) > 0 {
            replace_end(word, 1, "");
        }
        return;
    }
    let Some(head) = word.strip_suffix("ed").or_else(|| word.strip_suffix("ing")) else {
        return;
    };
    if !has_vowel(head) {
        return;
    }
    word.truncate(head.len());
    if word.ends_with("at") || word.ends_with("bl") || word.ends_with("iz") {
        word.push('e');
    } else if ends_in_double_consonant(word) && !word.ends_with(['l', 's', 'z']) {
        word.pop();
    } else if measure(word) == 1 && ends_short(word) {
        word.push('e');
    }
}

/// Of the suffixes that fit, only the longest counts, and it may be kept.
fn replace_first(word: &mut String, suffixes: &[(&str, &str)]) {
    let fitting = suffixes.iter().filter(|(suffix, _)| word.ends_with(suffix));
    let Some((suffix, replacement)) = fitting.max_by_key(|(suffix, _)| suffix.len()) else {
        return;
    };
    if measure(&word[..word.len() - suffix.len()]) > 0 {
        replace_end(word, suffix.len(), replacement);
    }
}

fn drop_long_word_suffix(word: &mut String) {
    let Some(head) = LONG_WORD_SUFFIXES.iter().find_map(|suffix| word.strip_suffix(suffix)) else {
        return;
    };
    let is_ion = word.len() - head.len() == 3 && word.ends_with("ion");
    if measure(head) > 1 && (!is_ion || head.ends_with(['s', 't'])) {
        word.truncate(head.len());
    }
}

fn final_e(word: &mut String) {
    if let Some(head) = word.strip_suffix('e') {
        let sounds = measure(head);
        if sounds > 1 || (sounds == 1 && !ends_short(head)) {
            word.pop();
        }
    }
    if word.ends_with("ll") && measure(word) > 1 {
        word.pop();
    }
}

fn replace_end(word: &mut String, bytes: usize, replacement: &str) {
    word.truncate(word.len() - bytes);
    word.push_str(replacement);
}

/// Whether the letter at `at` is a consonant; `y` is one at the start and after a vowel.
fn is_consonant(word: &[u8], at: usize) -> bool {
    match word[at] {
        b'a' | b'e' | b'i' | b'o' | b'u' => false,
        b'y' => {
            let run = word[..at].iter().rev().take_while(|&&letter| letter == b'y').count();
            let vowel_before = at > run && matches!(word[at - run - 1], b'a' | b'e' | b'i' | b'o' | b'u');
            let first_is_consonant = at == run || vowel_before;
            first_is_consonant == (run % 2 == 0)
        }
        _ => true,
    }
}

/// How often a vowel is followed by a consonant: a rough count of syllables.
fn measure(word: &str) -> usize {
    let word = word.as_bytes();
    (1..word.len()).filter(|&at| is_consonant(word, at) && !is_consonant(word, at - 1)).count()
}

fn has_vowel(word: &str) -> bool {
    (0..word.len()).any(|at| !is_consonant(word.as_bytes(), at))
}

fn ends_in_double_consonant(word: &str) -> bool {
    let bytes = word.as_bytes();
    matches!(bytes, [.., a, b] if a == b) && is_consonant(bytes, bytes.len() - 1)
}

/// Whether the word ends consonant, vowel, consonant, like "hop" but not "show".
fn ends_short(word: &str) -> bool {
    let bytes = word.as_bytes();
    let len = bytes.len();
    len >= 3
        && is_consonant(bytes, len - 3)
        && !is_consonant(bytes, len - 2)
        && is_consonant(bytes, len - 1)
        && !word.ends_with(['w', 'x', 'y'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stemmed(word: &str) -> String {
        let mut word = word.to_owned();
        stem(&mut word);
        word
    }

    #[test]
    fn brings_the_forms_of_a_word_together() {
        for forms in [
            &["install", "installs", "installed", "installing", "installation", "installations"][..],
            &["troubleshoot", "troubleshooting", "troubleshoots"],
            &["trouble", "troubles", "troubled", "troubling"],
            &["warranty", "warranties"],
            &["connect", "connected", "connection", "connections", "connecting"],
            &["ship", "shipped", "shipping"],
        ] {
            let stems: Vec<_> = forms.iter().map(|form| stemmed(form)).collect();
            assert!(stems.iter().all(|stem| *stem == stems[0]), "{forms:?} became {stems:?}");
        }
    }

    #[test]
    fn agrees_with_the_published_examples() {
        for (word, stem) in [
            ("caresses", "caress"),
            ("ponies", "poni"),
            ("cats", "cat"),
            ("feed", "feed"),
            ("agreed", "agre"),
            ("plastered", "plaster"),
            ("sing", "sing"),
            ("conflated", "conflat"),
            ("hopping", "hop"),
            ("falling", "fall"),
            ("filing", "file"),
            ("happy", "happi"),
            ("sky", "sky"),
            ("relational", "relat"),
            ("vietnamization", "vietnam"),
            ("hopefulness", "hope"),
            ("electrical", "electr"),
            ("adjustment", "adjust"),
            ("adoption", "adopt"),
            ("replacement", "replac"),
            ("probate", "probat"),
            ("rate", "rate"),
            ("controlling", "control"),
        ] {
            assert_eq!(stemmed(word), stem, "{word}");
        }
    }

    #[test]
    fn leaves_short_words_alone() {
        assert_eq!(stemmed("is"), "is");
        assert_eq!(stemmed("s"), "s");
        assert_eq!(stemmed(""), "");
    }

    #[test]
    fn survives_words_of_one_letter_repeated() {
        for letter in ["y", "s", "e", "l"] {
            stem(&mut letter.repeat(64));
        }
    }
}
