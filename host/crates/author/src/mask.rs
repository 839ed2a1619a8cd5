//! Takes secrets out of whatever is shown or written: the value itself, and the
//! forms in which it commonly travels (hexadecimal, base64), under the escapes of
//! JSON and of addresses. In its place stands a word that says whose place it is.
//! What was hashed, encrypted or cut apart first is not recognised.

mod view;

use std::collections::BTreeMap;
use std::ops::Range;

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

use view::View;

/// Shorter values cannot be told from other text: they are shown as they are, and with one of them nothing is recorded.
pub const SECRET_BYTES_MIN: usize = 6;

/// How many escapes are read one under the other. Three are JSON in JSON in JSON, such as a posted body
/// that an error quotes in an answer; a recording, or an address around it, adds one.
const LEVELS: u32 = 4;

/// What stands in the place of a secret: also what a tool gets as its value when a recording is played.
pub fn placeholder(name: &str) -> String {
    format!("recorded-secret-{name}")
}

/// The secrets of a call.
#[derive(Clone, Default)]
pub struct Mask {
    secrets: Vec<Secret>,
    /// The name of one that is too short to be recognised.
    overlooked: Option<String>,
}

#[derive(Clone)]
struct Secret {
    name: String,
    /// The value, as it may stand anywhere.
    plain: Vec<Vec<u8>>,
    /// The part of its base64 form that does not depend on what stands around it.
    base64: Vec<Vec<u8>>,
    /// Whether a form begins with this byte.
    begins: [bool; 256],
}

/// Where something stands, from and to: no two overlap.
#[derive(Default)]
struct Places(BTreeMap<usize, usize>);

impl Mask {
    /// A mask for these names and values.
    pub fn new(secrets: impl IntoIterator<Item = (String, String)>) -> Self {
        let (fit, short): (Vec<_>, Vec<_>) = secrets.into_iter().partition(|(_, value)| value.len() >= SECRET_BYTES_MIN);
        let mut secrets: Vec<Secret> = fit.into_iter().map(|(name, value)| Secret::new(name, &value)).collect();
        // One that holds another one is taken out first.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.plain.first().map_or(0, Vec::len)));
        Self { secrets, overlooked: short.into_iter().next().map(|(name, _)| name) }
    }

    /// Why nothing may be kept that was seen through it: it has a secret that it cannot recognise.
    pub fn overlooks(&self) -> Option<String> {
        let name = self.overlooked.as_ref()?;
        Some(format!("the value of secret {name} is shorter than {SECRET_BYTES_MIN} bytes and would not be recognised"))
    }

    /// The text without secrets.
    pub fn text(&self, text: &str) -> String {
        if self.secrets.is_empty() {
            return text.to_owned();
        }
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// The bytes without secrets.
    pub fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        self.secrets.iter().fold(bytes.to_vec(), |bytes, secret| {
            let places = secret.places(&bytes, LEVELS);
            places.replaced(&bytes, placeholder(&secret.name).as_bytes())
        })
    }

    /// The name of a secret that stands in the bytes, in any of the forms.
    pub fn finds(&self, bytes: &[u8]) -> Option<&str> {
        self.secrets.iter().find(|secret| !secret.places(bytes, LEVELS).0.is_empty()).map(|secret| &*secret.name)
    }
}

impl Secret {
    fn new(name: String, value: &str) -> Self {
        let json = serde_json::Value::from(value).to_string();
        let json = &json[1..json.len() - 1];
        let (upper, lower) = (percent(value, "0123456789ABCDEF"), percent(value, "0123456789abcdef"));
        let mut plain: Vec<Vec<u8>> = vec![value.into()];
        let mut base64 = Vec::new();
        let mut add = |form: String| {
            if !plain.contains(&form.clone().into_bytes()) {
                plain.push(form.into_bytes());
            }
        };
        for form in [json.to_owned(), value.replace(' ', "+"), upper.replace("%20", "+"), lower.replace("%20", "+"), upper, lower] {
            add(form);
        }
        // A text that holds the value, such as a JSON object, is encoded as a whole.
        for written in [value, json, &ascii(json)] {
            add(HEXLOWER.encode(written.as_bytes()));
            add(HEXUPPER.encode(written.as_bytes()));
            for before in 0..3 {
                base64.extend([BASE64, BASE64URL].map(|encoding| core(&encoding, before, written.as_bytes())));
            }
        }
        base64.sort();
        base64.dedup();
        let mut begins = [false; 256];
        plain.iter().chain(&base64).filter_map(|form| form.first()).for_each(|byte| begins[usize::from(*byte)] = true);
        Self { name, plain, base64, begins }
    }

    /// Where it stands in the bytes, as they are and with so many levels of escapes read.
    fn places(&self, bytes: &[u8], levels: u32) -> Places {
        let mut places = Places::default();
        // What was read tells better than what was not where a run of base64 begins: the `n` of `\n` is none of it.
        if let Some(levels) = levels.checked_sub(1) {
            for read in [View::of_escaped, View::of_percent] {
                let Some(view) = read(bytes) else { continue };
                for (from, to) in self.places(&view.bytes, levels).0 {
                    places.take(view.source(from)..view.source(to));
                }
            }
        }
        for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| self.begins[usize::from(**byte)]) {
            let stands = |form: &&Vec<u8>| bytes[at..].starts_with(form);
            for form in self.plain.iter().filter(stands) {
                places.take(at..at + form.len());
            }
            for form in self.base64.iter().filter(stands) {
                let found = at..at + form.len();
                if !places.cover(&found) {
                    places.take(run(bytes, found));
                }
            }
        }
        places
    }
}

impl Places {
    fn cover(&self, range: &Range<usize>) -> bool {
        self.0.range(..=range.start).next_back().is_some_and(|(_, to)| *to >= range.end)
    }

    /// Adds one; with those that it overlaps, it becomes one.
    fn take(&mut self, mut range: Range<usize>) {
        while let Some((&from, &to)) = self.0.range(..range.end).next_back()
            && to > range.start
        {
            self.0.remove(&from);
            range = range.start.min(from)..range.end.max(to);
        }
        self.0.insert(range.start, range.end);
    }

    /// The bytes with the word in each of the places.
    fn replaced(&self, bytes: &[u8], word: &[u8]) -> Vec<u8> {
        let (mut kept, mut done) = (Vec::with_capacity(bytes.len()), 0);
        for (from, to) in &self.0 {
            kept.extend_from_slice(&bytes[done..*from]);
            kept.extend_from_slice(word);
            done = *to;
        }
        kept.extend_from_slice(&bytes[done..]);
        kept
    }
}

/// The text of a JSON string with nothing in it but ASCII.
fn ascii(json: &str) -> String {
    let mut units = [0; 2];
    let mut one = |char: char| match char.is_ascii() {
        true => char.to_string(),
        false => char.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    };
    json.chars().map(&mut one).collect()
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
fn run(bytes: &[u8], found: Range<usize>) -> Range<usize> {
    let from = bytes[..found.start].iter().rposition(|byte| !is_base64(*byte)).map_or(0, |at| at + 1);
    let to = bytes[found.end..].iter().position(|byte| !is_base64(*byte)).map_or(bytes.len(), |more| found.end + more);
    from..to
}

#[cfg(test)]
mod tests;
