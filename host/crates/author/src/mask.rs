//! Takes secrets out of whatever is shown or written: the value itself, and the
//! forms in which it commonly travels (percent, JSON, hexadecimal, base64). In its
//! place stands a word that says whose place it is. What was hashed, encrypted or
//! cut apart first is not recognised.

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

/// Shorter values cannot be told from other text.
pub const SECRET_BYTES_MIN: usize = 6;

/// What stands in the place of a secret: also what a tool gets as its value when a recording is played.
pub fn placeholder(name: &str) -> String {
    format!("recorded-secret-{name}")
}

/// The secrets of a call.
#[derive(Clone, Default)]
pub struct Mask(Vec<Secret>);

#[derive(Clone)]
struct Secret {
    name: String,
    /// The value, as it may stand anywhere.
    plain: Vec<Vec<u8>>,
    /// The part of its base64 form that does not depend on what stands around it.
    base64: Vec<Vec<u8>>,
}

impl Mask {
    /// A mask for these names and values.
    pub fn new(secrets: impl IntoIterator<Item = (String, String)>) -> Self {
        let fit = secrets.into_iter().filter(|(_, value)| value.len() >= SECRET_BYTES_MIN);
        let mut secrets: Vec<Secret> = fit.map(|(name, value)| Secret::new(name, &value)).collect();
        // One that holds another one is taken out first.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.plain.first().map_or(0, Vec::len)));
        Self(secrets)
    }

    /// The text without secrets.
    pub fn text(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// The bytes without secrets.
    pub fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for secret in &self.0 {
            let word = placeholder(&secret.name).into_bytes();
            for form in &secret.plain {
                bytes = replaced(&bytes, form, &word, |_, at| at);
            }
            for form in &secret.base64 {
                bytes = replaced(&bytes, form, &word, run);
            }
        }
        bytes
    }

    /// The name of a secret that stands in the bytes, in any of the forms.
    pub fn finds(&self, bytes: &[u8]) -> Option<&str> {
        let holds = |form: &Vec<u8>| find(bytes, form).is_some();
        self.0.iter().find(|secret| secret.plain.iter().chain(&secret.base64).any(holds)).map(|secret| &*secret.name)
    }
}

impl Secret {
    fn new(name: String, value: &str) -> Self {
        let json = serde_json::Value::from(value).to_string();
        let (upper, lower) = (percent(value, "0123456789ABCDEF"), percent(value, "0123456789abcdef"));
        let mut plain: Vec<Vec<u8>> = vec![value.into()];
        let forms = [
            json[1..json.len() - 1].to_owned(),
            upper.replace("%20", "+"),
            lower.replace("%20", "+"),
            upper,
            lower,
            HEXLOWER.encode(value.as_bytes()),
            HEXUPPER.encode(value.as_bytes()),
        ];
        for form in forms {
            if !plain.contains(&form.clone().into_bytes()) {
                plain.push(form.into_bytes());
            }
        }
        let base64 = (0..3).flat_map(|before| [BASE64, BASE64URL].map(|encoding| core(&encoding, before, value.as_bytes()))).collect();
        Self { name, plain, base64 }
    }
}

/// Everything but unreserved characters as `%XX`.
fn percent(value: &str, digits: &str) -> String {
    let digits: Vec<char> = digits.chars().collect();
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => vec![char::from(byte)],
        byte => vec!['%', digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]],
    };
    value.bytes().flat_map(one).collect()
}

/// The characters of the base64 form that only the value decides, where so many bytes stand before it.
fn core(encoding: &data_encoding::Encoding, before: usize, value: &[u8]) -> Vec<u8> {
    let text = encoding.encode(&[&vec![0; before][..], value].concat());
    let bits = (before + value.len()) * 8;
    // The first character that holds no bit of what stands before, and the last that holds none of what follows.
    text.as_bytes()[(before * 8).div_ceil(6)..bits / 6].to_vec()
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

/// The whole run of base64 around what was found: its other characters tell of the same text.
fn run(bytes: &[u8], (from, to): (usize, usize)) -> (usize, usize) {
    let from = bytes[..from].iter().rposition(|byte| !is_base64(*byte)).map_or(0, |at| at + 1);
    let to = bytes[to..].iter().position(|byte| !is_base64(*byte)).map_or(bytes.len(), |more| to + more);
    (from, to)
}

fn replaced(bytes: &[u8], form: &[u8], word: &[u8], widen: impl Fn(&[u8], (usize, usize)) -> (usize, usize)) -> Vec<u8> {
    let (mut kept, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let Some(at) = find(rest, form) {
        let (from, to) = widen(rest, (at, at + form.len()));
        kept.extend_from_slice(&rest[..from]);
        kept.extend_from_slice(word);
        rest = &rest[to..];
    }
    kept.extend_from_slice(rest);
    kept
}

fn find(bytes: &[u8], form: &[u8]) -> Option<usize> {
    if form.is_empty() {
        return None;
    }
    bytes.windows(form.len()).position(|window| window == form)
}

#[cfg(test)]
mod tests {
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
}
