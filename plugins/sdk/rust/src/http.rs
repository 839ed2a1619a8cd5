//! HTTP requests in one call, through `wasi:http`. Whether a request may leave, which
//! redirects are followed and which secrets are put into it is the host's business.
//! Outside of a component nothing is granted, so that every request is refused.
//!
//! ```no_run
//! # fn main() -> Result<(), wardian_plugin::Error> {
//! use wardian_plugin::http::{self, Request};
//!
//! let page = http::get("https://example.com/")?.text();
//! let made = Request::new("PUT", "https://api.example.com/v1/names").json(&["Ada"])?.header("x-reason", "test").send()?;
//! assert_eq!(made.status, 201);
//! # Ok(())
//! # }
//! ```

mod url;
#[cfg(target_family = "wasm")]
mod wasi;

use serde::{Serialize, de::DeserializeOwned};
use wasip2::http::types::ErrorCode;

use crate::Error;
use url::Url;

/// What of an answer is read. More is refused: a tool's memory is bounded, and a page of this size is no page.
pub const BODY_BYTES_MAX: usize = 8 << 20;

/// A request, before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The whole address, with `https://` or `http://`.
    pub url: String,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// What is sent along.
    pub body: Vec<u8>,
}

/// What a server answered. Any status is an answer, 404 and 500 too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// 200, 404, …
    pub status: u16,
    /// Names in lower case, and values, in order.
    pub headers: Vec<(String, String)>,
    /// What came along.
    pub body: Vec<u8>,
}

/// Asks for what is at an address.
pub fn get(url: impl Into<String>) -> Result<Response, Error> {
    Request::new("GET", url).send()
}

/// Posts to an address.
pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Result<Response, Error> {
    Request::new("POST", url).body(body).send()
}

/// Sends a request; the same as [`Request::send`].
pub fn request(request: &Request) -> Result<Response, Error> {
    request.send()
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { method: method.into(), url: url.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets what is sent along.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends a value along as JSON, and says so.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, Error> {
        let body = serde_json::to_vec(value).map_err(|error| Error::failed(format!("cannot write the request as JSON: {error}")))?;
        Ok(self.header("content-type", "application/json").body(body))
    }

    /// Sends it and waits for the whole answer. A request that the operator has not granted fails as
    /// `unauthorized`, one that does not get through as `unavailable`.
    pub fn send(&self) -> Result<Response, Error> {
        let url = Url::parse(&self.url).ok_or_else(|| {
            Error::invalid_input(format!("{:?} is no address that can be requested: it begins with https:// or http://", self.url))
        })?;
        self.exchange(&url).map_err(|code| failure(&url, &code))
    }

    #[cfg(target_family = "wasm")]
    fn exchange(&self, url: &Url) -> Result<Response, ErrorCode> {
        wasi::exchange(self, url)
    }

    #[cfg(not(target_family = "wasm"))]
    fn exchange(&self, _url: &Url) -> Result<Response, ErrorCode> {
        Err(ErrorCode::HttpRequestDenied)
    }
}

impl Response {
    /// The first header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body read as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::failed(format!("the answer is not the JSON that was expected: {error}")))
    }

    /// Itself if the status is one of success, and otherwise the error that the status stands for.
    pub fn ok(self) -> Result<Self, Error> {
        let said = format!("the server answered {}", self.status);
        match self.status {
            200..=299 => Ok(self),
            401 | 403 => Err(Error::unauthorized(said)),
            404 | 410 => Err(Error::not_found(said)),
            408 | 429 | 500..=599 => Err(Error::unavailable(said)),
            _ => Err(Error::refused(said)),
        }
    }
}

/// What the caller should know and do about a request that failed.
fn failure(url: &Url, code: &ErrorCode) -> Error {
    let host = &url.authority;
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            Error::unauthorized(format!("the operator has not granted requests to {host}; an http entry for this plugin would allow them"))
                .code("not_granted")
        }
        ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => {
            Error::unavailable(format!("there is no host {host}; check the address")).code("no_such_host")
        }
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => Error::unavailable(format!("{host} did not answer in time")).code("timeout"),
        ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTerminated
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::HttpResponseIncomplete => Error::unavailable(format!("{host} cannot be reached just now")).code("connection"),
        ErrorCode::TlsProtocolError | ErrorCode::TlsCertificateError | ErrorCode::TlsAlertReceived(_) => {
            Error::unavailable(format!("no secure connection to {host} could be made")).code("tls")
        }
        ErrorCode::HttpRequestUriInvalid | ErrorCode::HttpRequestUriTooLong | ErrorCode::HttpRequestMethodInvalid => {
            Error::invalid_input(format!("the request to {host} is none that can be sent; check method and address"))
                .code("invalid_request")
        }
        ErrorCode::LoopDetected => Error::unavailable(format!("{host} redirects too often")).code("redirects"),
        ErrorCode::HttpResponseBodySize(_)
        | ErrorCode::HttpResponseHeaderSectionSize(_)
        | ErrorCode::HttpResponseHeaderSize(_)
        | ErrorCode::HttpResponseTrailerSectionSize(_)
        | ErrorCode::HttpResponseTrailerSize(_) => {
            Error::refused(format!("the answer of {host} is larger than is permitted")).code("too_large")
        }
        ErrorCode::HttpResponseTransferCoding(_)
        | ErrorCode::HttpResponseContentCoding(_)
        | ErrorCode::HttpUpgradeFailed
        | ErrorCode::HttpProtocolError
        | ErrorCode::HttpRequestLengthRequired
        | ErrorCode::HttpRequestBodySize(_)
        | ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_)
        | ErrorCode::ConfigurationError
        | ErrorCode::InternalError(_) => Error::failed(format!("the request to {host} failed")).code("protocol"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reason;

    #[test]
    fn each_failure_asks_for_its_own_reaction_and_tells_nothing_of_the_host() {
        let url = Url::parse("https://example.com:8443/x?key=secret").unwrap();
        for (code, reason, word) in [
            (ErrorCode::HttpRequestDenied, Reason::Unauthorized, "not_granted"),
            (ErrorCode::DestinationIpProhibited, Reason::Unauthorized, "not_granted"),
            (ErrorCode::ConnectionTimeout, Reason::Unavailable, "timeout"),
            (ErrorCode::ConnectionRefused, Reason::Unavailable, "connection"),
            (ErrorCode::TlsCertificateError, Reason::Unavailable, "tls"),
            (ErrorCode::HttpResponseBodySize(None), Reason::Refused, "too_large"),
            (ErrorCode::InternalError(Some("secret".into())), Reason::Failed, "protocol"),
        ] {
            let error = failure(&url, &code);
            assert_eq!((error.reason, error.code.as_deref()), (reason, Some(word)), "{code:?}");
            assert!(!error.message.contains("secret"), "{error}");
        }
    }

    #[test]
    fn outside_of_a_component_nothing_is_granted() {
        let error = get("https://example.com/").unwrap_err();
        assert_eq!(error.reason, Reason::Unauthorized);
        assert_eq!(post("ftp://example.com", "x").unwrap_err().reason, Reason::InvalidInput);
    }

    #[test]
    fn a_request_is_built_up_and_an_answer_is_read() {
        let built = Request::new("PUT", "https://example.com/").header("x-a", "1").json(&["Ada"]).unwrap();
        assert_eq!(built.body, br#"["Ada"]"#);
        assert_eq!(built.headers[1], ("content-type".into(), "application/json".into()));
        let answer = |status| Response { status, headers: vec![("etag".into(), "7".into())], body: b"[1, 2]".to_vec() };
        assert_eq!((answer(200).header("ETag"), answer(200).header("date")), (Some("7"), None));
        assert_eq!(answer(200).json::<Vec<u8>>().unwrap(), [1, 2]);
        assert_eq!(answer(200).json::<String>().unwrap_err().reason, Reason::Failed);
        for (status, reason) in [(403, Reason::Unauthorized), (404, Reason::NotFound), (503, Reason::Unavailable), (400, Reason::Refused)] {
            assert_eq!(answer(status).ok().unwrap_err().reason, reason);
        }
        assert!(answer(204).ok().is_ok());
    }
}
