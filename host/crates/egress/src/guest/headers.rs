//! Headers on both ways: which of the guest's own are sent, which are ours, and
//! which of the answer's are shown.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::response;
use http_body::Body;
use policy::{HttpPermit, Secret};

use super::mask::Mask;
use super::{Gate, Hidden, RequestBody, placeholders};
use crate::error::{Error, Part};

/// Headers that frame messages or steer the connection. They are ours on both
/// ways: a guest that set them could say one thing to us and another to the server.
const OF_THE_CONNECTION: [HeaderName; 9] = [
    header::CONNECTION,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// A secret on its way into a header.
pub(super) struct Injected {
    name: HeaderName,
    value: HeaderValue,
    pub(super) secret: Secret,
}

/// The secrets that a permit injects, with their values.
pub(super) fn injected(permit: &HttpPermit, gate: &dyn Gate) -> Result<Vec<Injected>, Error> {
    let each = permit.inject.iter().map(|inject| {
        let failed = |error| Error::Secret { name: inject.secret.to_string(), error };
        let secret = gate.secret(inject).map_err(failed)?;
        let name = HeaderName::from_bytes(inject.header.as_bytes()).map_err(|_| Error::Request("a secret goes into no valid header"))?;
        let mut value = HeaderValue::from_str(&inject.value(&secret)).map_err(|_| Error::Request("a secret is no valid header value"))?;
        value.set_sensitive(true);
        Ok(Injected { name, value, secret })
    });
    each.collect()
}

/// The length that a guest declared, where the body does not know its own.
pub(super) fn declared_length(headers: &HeaderMap, body: &RequestBody) -> Result<Option<u64>, Error> {
    let mut declared = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = declared.next() else {
        return Ok(None);
    };
    let digits = first.to_str().ok().filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    let length: u64 = digits.and_then(|text| text.parse().ok()).ok_or(Error::Request("content-length is not a number"))?;
    if declared.next().is_some() || body.size_hint().exact().is_some_and(|exact| exact != length) {
        return Err(Error::Request("content-length is ambiguous"));
    }
    Ok(Some(length))
}

/// Takes out what is ours.
pub(super) fn clean(headers: &mut HeaderMap) {
    // What a `connection` header names is meant for the next hop only.
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&OF_THE_CONNECTION).chain([&header::HOST, &header::CONTENT_LENGTH]) {
        headers.remove(name);
    }
}

/// Takes out the guest's own credentials, before a redirect leads elsewhere.
pub(super) fn drop_credentials(headers: &mut HeaderMap) {
    headers.remove(header::AUTHORIZATION);
    headers.remove(header::COOKIE);
}

/// The headers of one hop.
pub(super) fn outgoing(own: &HeaderMap, permit: &HttpPermit, declared: Option<u64>, hidden: Hidden<'_>) -> Result<HeaderMap, Error> {
    let Hidden { injected, placeholders } = hidden;
    let mut headers = own.clone();
    placeholders::reveal(&mut headers, placeholders)?;
    let host = if permit.port == permit.scheme.port() { permit.host.to_string() } else { format!("{}:{}", permit.host, permit.port) };
    headers.insert(header::HOST, HeaderValue::from_str(&host).map_err(|_| Error::Request("the host is no valid header value"))?);
    if let Some(length) = declared {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    for inject in injected {
        headers.insert(inject.name.clone(), inject.value.clone());
    }
    if !injected.is_empty() || !placeholders.is_empty() {
        // A compressed answer would hide an echoed secret from the mask.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    Ok(headers)
}

/// The bytes of all names and values.
pub(super) fn size(headers: &HeaderMap) -> u64 {
    headers.iter().map(|(name, value)| (name.as_str().len() + value.len()) as u64).sum()
}

/// Checks an answer's head and takes out what is not for the guest.
pub(super) fn check_answer(answer: &mut response::Parts, bytes_max: u64, mask: &Mask) -> Result<(), Error> {
    if size(&answer.headers) > bytes_max {
        return Err(Error::TooLarge { what: Part::ResponseHeaders, bytes_max });
    }
    if answer.status.is_informational() {
        return Err(Error::Protocol("the server changed the protocol without being asked".into()));
    }
    for name in &OF_THE_CONNECTION {
        answer.headers.remove(name);
    }
    if mask.is_empty() {
        return Ok(());
    }
    let plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !answer.headers.get_all(header::CONTENT_ENCODING).iter().all(plain) {
        return Err(Error::Protocol("the answer is compressed although it may hold an injected secret".into()));
    }
    for value in answer.headers.values_mut() {
        let mut bytes = value.as_bytes().to_vec();
        if mask.apply(&mut bytes) {
            *value = HeaderValue::from_bytes(&bytes).unwrap_or_else(|_| HeaderValue::from_static("*"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn what_steers_the_connection_is_taken_out() {
        let mut headers = map(&[
            ("host", "evil.example"),
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("te", "trailers"),
            ("content-length", "3"),
            ("expect", "100-continue"),
            ("accept", "*/*"),
        ]);
        clean(&mut headers);
        assert_eq!(headers, map(&[("accept", "*/*")]));
    }

    #[test]
    fn a_declared_length_is_one_plain_number() {
        use http_body_util::{BodyExt, Full};
        let body = || Full::new(bytes::Bytes::from_static(b"abc")).map_err(|never| match never {}).boxed_unsync();
        assert_eq!(declared_length(&map(&[("content-length", "3")]), &body()).unwrap(), Some(3));
        assert_eq!(declared_length(&map(&[]), &body()).unwrap(), None);
        let twice: HeaderMap = ["3", "3"].map(|value| (header::CONTENT_LENGTH, HeaderValue::from_static(value))).into_iter().fold(
            HeaderMap::new(),
            |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            },
        );
        assert!(declared_length(&twice, &body()).is_err());
        for value in ["", "+3", "3, 3", "4", "0x3", "99999999999999999999"] {
            let headers = map(&[("content-length", value)]);
            assert!(declared_length(&headers, &body()).is_err(), "{value}");
        }
    }
}
