//! JSON text as clients get it: non-ASCII escaped, exact text inside kept.

use std::fmt::Write;

/// Appends a JSON string with everything outside printable ASCII escaped, so
/// that no reader can cut a character in two.
pub fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            c => push_escape(out, c),
        }
    }
    out.push('"');
}

/// Appends JSON text, valid by the caller's word, with white space between
/// tokens dropped and non-ASCII escaped; numbers, keys and order stay as written.
pub fn push_json(out: &mut String, json: &str) {
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        match c {
            ' ' | '\t' | '\n' | '\r' if !in_string => continue,
            ' '..='~' => out.push(c),
            c => push_escape(out, c),
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
    }
}

fn push_escape(out: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        write!(out, "\\u{unit:04x}").expect("writing to a String cannot fail");
    }
}

/// Whether JSON text or plain text holds the one character that not every store
/// keeps: NUL, as itself or as the escape `\u0000`.
pub fn has_nul(json: &str) -> bool {
    if json.contains('\0') {
        return true;
    }
    json.match_indices("\\u0000").any(|(at, _)| {
        let backslashes = json[..at].bytes().rev().take_while(|b| *b == b'\\').count();
        backslashes % 2 == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_plain_ascii_and_reads_back() {
        let text = "a\"b\\c\n\u{1}é\u{2028}😀";
        let mut out = String::new();
        push_string(&mut out, text);
        assert!(out.is_ascii());
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
    }

    #[test]
    fn json_text_keeps_numbers_and_equal_keys_and_loses_only_white_space() {
        let mut out = String::new();
        push_json(&mut out, "{ \"a\" : 123456789012345678901234567890,\n \"a\": \"x \\\" y é\" }");
        assert_eq!(out, r#"{"a":123456789012345678901234567890,"a":"x \" y \u00e9"}"#);
    }

    #[test]
    fn an_escaped_nul_is_found_but_not_an_escaped_backslash_before_digits() {
        assert!(has_nul(r#""a\u0000""#));
        assert!(has_nul("a\0"));
        assert!(!has_nul(r#""a\\u0000""#));
        assert!(!has_nul(r#""u0000""#));
    }
}
