//! Every form in which a secret travels, and what is left of the text around it.

use super::*;

const VALUE: &str = "h u/s\"h-hüsh";

fn mask() -> Mask {
    Mask::new([("key".to_owned(), VALUE.to_owned())])
}

#[test]
fn a_secret_is_taken_out_in_every_form_in_which_it_travels() {
    let json = serde_json::json!({ "a": VALUE }).to_string();
    let forms = [
        VALUE.to_owned(),
        json,
        "?key=h%20u%2Fs%22h-h%C3%BCsh&x=1".into(),
        "?key=h+u%2fs%22h-h%c3%bcsh".into(),
        HEXLOWER.encode(VALUE.as_bytes()),
    ];
    for text in forms {
        let masked = mask().text(&text);
        assert!(masked.contains("recorded-secret-key") && mask().finds(masked.as_bytes()).is_none(), "{text}: {masked}");
        assert_eq!(mask().finds(text.as_bytes()), Some("key"), "{text}");
    }
}

#[test]
fn base64_is_found_wherever_the_secret_begins_in_it() {
    for before in ["", "u", "us", "user:"] {
        for after in ["", "!", "ab", ":rest"] {
            for encoding in [BASE64, BASE64URL] {
                let text = format!("Basic {} .", encoding.encode(format!("{before}{VALUE}{after}").as_bytes()));
                assert_eq!(mask().text(&text), "Basic recorded-secret-key .", "{before:?} {after:?}");
            }
        }
    }
}

#[test]
fn what_a_placeholder_was_made_into_reads_as_the_placeholder() {
    // What was recorded with the secret and what is played with the placeholder become the same text.
    let played = Mask::new([("key".to_owned(), placeholder("key"))]);
    let sent = |value: &str| format!("Basic {} {value}", BASE64.encode(format!("user:{value}").as_bytes()));
    assert_eq!(played.text(&sent(&placeholder("key"))), mask().text(&sent(VALUE)));
}

#[test]
fn other_text_stays_as_it_is() {
    let text = "nothing h u/s\"h of it aCB1L3M=";
    assert_eq!(mask().text(text), text);
    assert_eq!(Mask::new([("a".to_owned(), "short".to_owned())]).text("a short text"), "a short text");
    assert_eq!(Mask::default().bytes(&[0, 159, 146]), [0, 159, 146]);
}

/// A JSON string's text as the libraries of languages write it.
fn escaped(text: &str, style: usize) -> String {
    let json = serde_json::Value::from(text).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let every = |also: fn(char) -> bool, upper: bool| {
        let one = |char: char| match (char.is_ascii() && !also(char), upper) {
            (true, _) => char.to_string(),
            (false, true) => char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04X}")).collect(),
            (false, false) => char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        };
        text.chars().map(one).collect()
    };
    match style {
        0 => json,
        // Python.
        1 => ascii(&json),
        // Go, for HTML.
        2 => json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e"),
        // PHP.
        3 => ascii(&json).replace('/', "\\/"),
        // .NET.
        4 => every(|char| !char.is_ascii_alphanumeric(), true),
        _ => every(|_| true, false),
    }
}
const STYLES: usize = 6;

/// Numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn secret(&mut self) -> String {
        let signs: Vec<char> = "abnrtuxfAZ0189\"\\/%&<>'+=-_ .:{}éßΩ€\u{7f}\n\t😀𝄞".chars().collect();
        let mut value: String = (0..4 + self.below(24)).map(|_| signs[self.below(signs.len())]).collect();
        // Nothing that other text of the test holds.
        value.insert_str(self.below(2) * value.chars().next().map_or(0, char::len_utf8), "Qz7");
        value
    }
}

#[test]
fn a_random_secret_is_taken_out_of_every_pile_of_encodings() {
    let mut numbers = Numbers(7);
    for _ in 0..100 {
        let value = numbers.secret();
        let mask = Mask::new([("key".to_owned(), value.clone())]);
        let mut inner = vec![
            value.clone(),
            percent(&value, "0123456789ABCDEF"),
            percent(&value, "0123456789abcdef").replace("%20", "+"),
            HEXLOWER.encode(value.as_bytes()),
            HEXUPPER.encode(value.as_bytes()),
        ];
        for before in ["", "u", "us", "user:"] {
            for encoding in [BASE64, BASE64URL] {
                inner.push(encoding.encode(format!("{before}{value}:x").as_bytes()));
                inner.push(encoding.encode(format!("{before}{}", escaped(&value, 1)).as_bytes()));
            }
        }
        for text in inner {
            let mut text = format!(r#"{{"a": "{text} "#);
            for level in 0..=3 {
                assert_eq!(mask.finds(text.as_bytes()), Some("key"), "{level}, {value:?}: {text}");
                let masked = mask.text(&text);
                assert_eq!(mask.finds(masked.as_bytes()), None, "{level}, {value:?}: {text}: {masked}");
                assert_eq!(masked.matches("recorded-secret-key").count(), 1, "{level}, {value:?}: {text}: {masked}");
                text = match numbers.below(STYLES + 1) {
                    STYLES => percent(&text, "0123456789abcdef"),
                    style => format!("{{\"b\": \"\\n{} \\n", escaped(&text, style)),
                };
            }
        }
    }
}

#[test]
fn what_stands_around_an_escaped_secret_stays() {
    let value = "Sup3r\"S/cret+Key&Ωx\\99==ZZ";
    let mask = Mask::new([("key".to_owned(), value.to_owned())]);
    let (around, hidden) = (["\"ä\\n ", " \\ 100%25 \u{1f600}\""], "recorded-secret-key");
    for style in 0..STYLES {
        for levels in 0..=3 {
            let written = |value: &str| (0..levels).fold(format!("{}{value}{}", around[0], around[1]), |text, _| escaped(&text, style));
            // All but the place of the secret is as it was: what cannot be undone was not done.
            let word = (0..levels).fold(hidden.to_owned(), |text, _| escaped(&text, style));
            assert_eq!(mask.text(&written(value)), written(hidden).replace(&word, hidden), "style {style}, {levels} levels");
        }
    }
}

#[test]
fn a_line_break_before_base64_is_none_of_it() {
    let sent = BASE64.encode(format!("user:{VALUE}").as_bytes());
    for (before, after) in [("\\n", "\\n"), ("\\u000a", "\\u000A"), ("%0a", "%0A"), ("\\\\n", "\\\\n")] {
        assert_eq!(mask().text(&format!("{before}{sent}{after}")), format!("{before}recorded-secret-key{after}"));
    }
}

#[test]
fn json_without_its_secrets_is_still_json() {
    for style in 0..STYLES {
        let inner = format!("{{\"a\":\"\\t{}\\n\"}}", escaped(VALUE, style));
        let text = format!("{{\"b\":\"{}\",\"c\":1}}", escaped(&inner, style));
        let read: serde_json::Value = serde_json::from_str(&mask().text(&text)).expect("the outer one is JSON");
        let inner: serde_json::Value = serde_json::from_str(read["b"].as_str().expect("a text")).expect("the inner one is JSON");
        assert_eq!((&inner["a"], &read["c"]), (&"\trecorded-secret-key\n".into(), &1.into()), "style {style}");
    }
}

#[test]
fn a_quoted_value_is_found_and_what_is_no_escape_is_text() {
    // As languages quote bytes and texts in their errors.
    for text in [r#"b'h u/s"h-h\xc3\xbcsh'"#, r#""h u/s\"h-h\u00fcsh""#] {
        assert_eq!(mask().finds(text.as_bytes()), Some("key"), "{text}");
    }
    for text in [r"\", r"%", r"%4", r"%zz", r"\u12", r"\ud83d", r"\ud83d\u0041", r"\x4", r"\d+\", "\\u+041"] {
        assert_eq!(mask().text(text), text);
        assert_eq!(mask().text(&format!("{text}{VALUE}{text}")), format!("{text}recorded-secret-key{text}"));
    }
}

#[test]
fn places_that_overlap_are_one() {
    let mask = Mask::new([("key".to_owned(), "abcdefabc".to_owned())]);
    assert_eq!(mask.text("-abcdefabcdefabc-"), "-recorded-secret-key-");
    assert_eq!(mask.text("-abcdefabcabcdefabc-"), "-recorded-secret-keyrecorded-secret-key-");
}
