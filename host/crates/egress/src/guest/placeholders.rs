//! Secrets that a guest knows by a placeholder only: it puts the placeholder
//! into a header, and the value goes in its place when the request leaves.
//! Anywhere else, in an address or a body, a placeholder goes out as it is and
//! says nothing to anybody.

use http::header::{HeaderMap, HeaderValue};
use policy::Secret;

use crate::error::Error;

/// A secret and what stands for it in front of the guest.
#[derive(Debug, Clone)]
pub struct Placeholder {
    /// Random, ASCII, never empty, and of one call only.
    pub text: String,
    /// What it stands for.
    pub secret: Secret,
}

/// Puts values in the places of their placeholders.
pub(super) fn reveal(headers: &mut HeaderMap, placeholders: &[Placeholder]) -> Result<(), Error> {
    for value in headers.values_mut() {
        let mut bytes = value.as_bytes().to_vec();
        let found = placeholders.iter().filter(|it| replace(&mut bytes, it)).count();
        if found > 0 {
            *value = HeaderValue::from_bytes(&bytes).map_err(|_| Error::Request("a secret is no valid header value"))?;
            value.set_sensitive(true);
        }
    }
    Ok(())
}

/// Takes out the headers that hold one, before a redirect leads elsewhere: a
/// secret is meant for the place that the guest named.
pub(super) fn drop_from(headers: &mut HeaderMap, placeholders: &[Placeholder]) {
    let holds = |value: &HeaderValue| placeholders.iter().any(|it| position(value.as_bytes(), it.text.as_bytes()).is_some());
    let named: Vec<_> = headers.iter().filter(|(_, value)| holds(value)).map(|(name, _)| name.clone()).collect();
    for name in named {
        headers.remove(name);
    }
}

/// Replaces a placeholder wherever it stands; says whether it did anywhere.
fn replace(bytes: &mut Vec<u8>, placeholder: &Placeholder) -> bool {
    let (needle, value) = (placeholder.text.as_bytes(), placeholder.secret.expose().as_bytes());
    let mut from = 0;
    while let Some(at) = bytes.get(from..).and_then(|rest| position(rest, needle)) {
        bytes.splice(from + at..from + at + needle.len(), value.iter().copied());
        from += at + value.len();
    }
    from > 0
}

fn position(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len().max(1)).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholder(text: &str, value: &str) -> Placeholder {
        Placeholder { text: text.into(), secret: Secret::new(value.into()).unwrap() }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn every_placeholder_in_a_header_gives_way_to_its_value() {
        let mut got = headers(&[("authorization", "Bearer wsec_a"), ("x-both", "wsec_b,wsec_a,wsec_b"), ("x-other", "wsec_c")]);
        reveal(&mut got, &[placeholder("wsec_a", "one"), placeholder("wsec_b", "two-wsec_b")]).unwrap();
        let want = headers(&[("authorization", "Bearer one"), ("x-both", "two-wsec_b,one,two-wsec_b"), ("x-other", "wsec_c")]);
        assert_eq!(got, want);
        assert!(got["authorization"].is_sensitive() && !got["x-other"].is_sensitive());
    }

    #[test]
    fn a_redirect_takes_the_headers_with_placeholders_away() {
        let mut got = headers(&[("authorization", "Bearer wsec_a"), ("x-key", "k wsec_a"), ("accept", "*/*")]);
        drop_from(&mut got, &[placeholder("wsec_a", "one")]);
        assert_eq!(got, headers(&[("accept", "*/*")]));
    }
}
