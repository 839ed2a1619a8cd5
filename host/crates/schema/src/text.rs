//! Text that came with a plugin: what in it a reader would not see, and how it
//! is shown where it may hold anything.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// Characters that a reader does not see, that change the order of those around
/// them, or that stand for nothing: they could hide instructions in metadata.
/// Controls but line breaks and tabs, formats (bidi, zero width, tags), private
/// and unassigned ones, separators of lines, everything that may be left out
/// when shown (fillers, variation selectors), and the blank braille pattern.
static HIDDEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\x{2800}]--[\n\r\t]]")
        .expect("the pattern is a constant, and a test uses it")
});

/// The first character that a reader would not see.
pub fn hidden(text: &str) -> Option<char> {
    let plain = |byte: u8| (b' '..=b'~').contains(&byte) || matches!(byte, b'\n' | b'\r' | b'\t');
    if text.bytes().all(plain) {
        return None;
    }
    HIDDEN.find(text)?.as_str().chars().next()
}

/// The first hidden character in any name or text of a JSON value.
pub fn hidden_in(value: &Value) -> Option<char> {
    match value {
        Value::String(text) => hidden(text),
        Value::Array(items) => items.iter().find_map(hidden_in),
        Value::Object(members) => members.iter().find_map(|(name, item)| hidden(name).or_else(|| hidden_in(item))),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The text on one line, with an escape for everything that a reader would not see.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\n' | '\r' | '\t') || hidden(c.encode_utf8(&mut [0; 4])).is_some() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_does_not_see_is_found() {
        for (name, c) in [
            ("a control", '\u{7}'),
            ("escape", '\u{1b}'),
            ("a C1 control", '\u{9b}'),
            ("delete", '\u{7f}'),
            ("soft hyphen", '\u{ad}'),
            ("grapheme joiner", '\u{34f}'),
            ("arabic letter mark", '\u{61c}'),
            ("hangul filler", '\u{115f}'),
            ("mongolian separator", '\u{180e}'),
            ("zero-width space", '\u{200b}'),
            ("zero-width joiner", '\u{200d}'),
            ("right-to-left mark", '\u{200f}'),
            ("line separator", '\u{2028}'),
            ("bidi override", '\u{202e}'),
            ("word joiner", '\u{2060}'),
            ("bidi isolate", '\u{2066}'),
            ("unassigned", '\u{378}'),
            ("blank braille", '\u{2800}'),
            ("halfwidth filler", '\u{ffa0}'),
            ("private use", '\u{e000}'),
            ("variation selector", '\u{fe0f}'),
            ("byte order mark", '\u{feff}'),
            ("annotation", '\u{fff9}'),
            ("noncharacter", '\u{fdd0}'),
            ("musical format", '\u{1d173}'),
            ("tag", '\u{e0041}'),
            ("variation selector 17", '\u{e0100}'),
            ("private plane", '\u{10fffd}'),
        ] {
            assert_eq!(hidden(&format!("a{c}b")), Some(c), "{name}");
        }
    }

    #[test]
    fn what_people_write_is_not() {
        for text in ["plain\n\ttext\r\n", "Größe, naïve, Ελλάδα", "東京の天気", "حالة الطقس", "résumé → 5 µs ≤ 1 €", "\u{1f327} 12 °C", ""]
        {
            assert_eq!(hidden(text), None, "{text}");
        }
    }

    #[test]
    fn escaped_text_is_one_line_without_anything_hidden() {
        assert_eq!(escaped("a\u{1b}[2J\nb\u{202e}é"), "a\\u{1b}[2J\\nb\\u{202e}é");
    }
}
