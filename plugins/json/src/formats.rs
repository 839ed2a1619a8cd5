//! What `@html`, `@uri` and `@base64` stand on.

use base64::{Engine, engine::general_purpose::STANDARD};
use jaq_core::{
    Error,
    native::{bome, v},
};
use jaq_json::Val;

use crate::functions::{Native, text};

pub(crate) fn filters() -> Vec<Native> {
    vec![
        ("escape_html", v(0), |cv| bome(text(&cv.1).map(|text| Val::utf8_str(escape_html(text))))),
        ("encode_uri", v(0), |cv| bome(text(&cv.1).map(|text| Val::utf8_str(encode_uri(text))))),
        ("decode_uri", v(0), |cv| bome(text(&cv.1).map(|text| Val::utf8_str(decode_uri(text))))),
        ("encode_base64", v(0), |cv| bome(text(&cv.1).map(|text| Val::utf8_str(STANDARD.encode(text))))),
        ("decode_base64", v(0), |cv| bome(text(&cv.1).and_then(|text| STANDARD.decode(text).map(Val::utf8_str).map_err(Error::str)))),
    ]
}

fn escape_html(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            other => out.push(*other),
        }
    }
    out
}

/// All but letters, digits and `-_.~` as `%XX`.
fn encode_uri(text: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) {
            out.push(*byte);
        } else {
            out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
    out
}

/// What is no `%XX` stays as it is.
fn decode_uri(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let decoded = match (first, after) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match decoded {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = &after[2..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
