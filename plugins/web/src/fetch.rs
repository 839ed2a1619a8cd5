//! The request itself, through `wasi:http`. Whether it may leave, and which
//! redirects are followed, is the host's business.

use std::time::Duration;

use wardian_plugin::Error;
use wasip2::http::types::ErrorCode;

use crate::url::Url;

#[cfg(target_family = "wasm")]
pub(crate) use self::wasi::get;

/// Says to servers who asks.
#[cfg(target_family = "wasm")]
const USER_AGENT: &str = concat!("wardian-web/", env!("CARGO_PKG_VERSION"));

/// What we can read, best first. Nothing compressed: it could not be unpacked.
#[cfg(target_family = "wasm")]
const ACCEPT: &str = "text/html, application/xhtml+xml, application/json, text/*;q=0.9, */*;q=0.1";

/// More of a page is not read. Long before that a model has lost interest.
#[cfg(target_family = "wasm")]
const BODY_BYTES_MAX: usize = 2 << 20;

/// The most that is read at a time.
#[cfg(target_family = "wasm")]
const READ_BYTES: u64 = 64 << 10;

/// How long each part may take at most; less where the call has less time left.
#[cfg(target_family = "wasm")]
const CONNECT_MAX: Duration = Duration::from_secs(5);
#[cfg(target_family = "wasm")]
const FIRST_BYTE_MAX: Duration = Duration::from_secs(10);
#[cfg(target_family = "wasm")]
const BETWEEN_BYTES_MAX: Duration = Duration::from_secs(5);

/// Kept of the call's time for making text of what was read.
#[cfg(target_family = "wasm")]
const RESERVE: Duration = Duration::from_secs(1);

/// A passing failure may have passed after this.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Outside a component nothing is granted.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn get(url: &Url) -> Result<crate::response::Response, Error> {
    Err(error(url, &ErrorCode::HttpRequestDenied))
}

/// What the model should know and do about a request that failed.
fn error(url: &Url, code: &ErrorCode) -> Error {
    let host = &url.authority;
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => Error::refused(format!(
            "the operator has not granted access to {url}: ask for a `[[plugin.web.http]]` entry with host = \"{}\", \
             or use another source",
            url.host()
        ))
        .code("not_granted"),
        ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => {
            Error::not_found(format!("there is no host {host}; check the address")).code("no_such_host")
        }
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => {
            Error::unavailable(format!("{host} did not answer in time")).code("timeout").retry_after(RETRY_AFTER)
        }
        ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTerminated
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::HttpResponseIncomplete => {
            Error::unavailable(format!("{host} cannot be reached just now")).code("connection").retry_after(RETRY_AFTER)
        }
        ErrorCode::TlsProtocolError | ErrorCode::TlsCertificateError | ErrorCode::TlsAlertReceived(_) => {
            Error::failed(format!("no secure connection to {host} could be made; its certificate may be wrong")).code("tls")
        }
        ErrorCode::HttpRequestUriInvalid | ErrorCode::HttpRequestUriTooLong => {
            Error::invalid_input(format!("{url} cannot be requested; check the address")).code("invalid_url")
        }
        ErrorCode::LoopDetected => Error::failed(format!("{url} was redirected too often")).code("redirects"),
        ErrorCode::HttpResponseBodySize(_)
        | ErrorCode::HttpResponseHeaderSectionSize(_)
        | ErrorCode::HttpResponseHeaderSize(_)
        | ErrorCode::HttpResponseTrailerSectionSize(_)
        | ErrorCode::HttpResponseTrailerSize(_) => {
            Error::refused(format!("the answer of {url} is larger than the operator permits")).code("too_large")
        }
        ErrorCode::HttpResponseTransferCoding(_)
        | ErrorCode::HttpResponseContentCoding(_)
        | ErrorCode::HttpUpgradeFailed
        | ErrorCode::HttpProtocolError
        | ErrorCode::HttpRequestLengthRequired
        | ErrorCode::HttpRequestBodySize(_)
        | ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_)
        | ErrorCode::ConfigurationError
        | ErrorCode::InternalError(_) => Error::failed(format!("the request for {url} failed")).code("protocol"),
    }
}

#[cfg(target_family = "wasm")]
mod wasi {
    use std::time::Duration;

    use wardian_plugin::{Error, context, log};
    use wasip2::{
        clocks::monotonic_clock,
        http::{
            outgoing_handler,
            types::{ErrorCode, Fields, IncomingResponse, OutgoingRequest, RequestOptions, Scheme, http_error_code},
        },
        io::{
            poll::{Pollable, poll},
            streams::StreamError,
        },
    };

    use super::{ACCEPT, BETWEEN_BYTES_MAX, BODY_BYTES_MAX, CONNECT_MAX, FIRST_BYTE_MAX, READ_BYTES, RESERVE, USER_AGENT, error};
    use crate::{response::Response, url::Url};

    /// Sends the request and reads the answer.
    pub(crate) fn get(url: &Url) -> Result<Response, Error> {
        let response = send(url).map_err(|code| {
            log::debug(format!("the request to {} failed: {code:?}", url.authority));
            error(url, &code)
        })?;
        let mut read = Response {
            status: response.status(),
            content_type: header(&response, "content-type"),
            content_encoding: header(&response, "content-encoding"),
            location: header(&response, "location"),
            retry_after: header(&response, "retry-after"),
            ..Response::default()
        };
        if (200..300).contains(&read.status) {
            (read.body, read.body_cut) = body(&response).map_err(|code| error(url, &code))?;
        }
        Ok(read)
    }

    fn send(url: &Url) -> Result<IncomingResponse, ErrorCode> {
        let headers = [("accept", ACCEPT), ("accept-encoding", "identity"), ("user-agent", USER_AGENT)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        let headers = Fields::from_list(&headers).map_err(|_| ErrorCode::InternalError(None))?;
        let request = OutgoingRequest::new(headers);
        let scheme = if url.is_secure { Scheme::Https } else { Scheme::Http };
        let described = request
            .set_scheme(Some(&scheme))
            .and_then(|()| request.set_authority(Some(&url.authority)))
            .and_then(|()| request.set_path_with_query(Some(&url.path_and_query)));
        described.map_err(|()| ErrorCode::HttpRequestUriInvalid)?;

        let future = outgoing_handler::handle(request, Some(options()))?;
        if !wait(&future.subscribe(), CONNECT_MAX + FIRST_BYTE_MAX) {
            return Err(ErrorCode::HttpResponseTimeout);
        }
        // Ready, and taken only here.
        future.get().and_then(Result::ok).unwrap_or(Err(ErrorCode::InternalError(None)))
    }

    /// Waits until something is ready, but not longer than `max` nor than the call has time.
    fn wait(what: &Pollable, max: Duration) -> bool {
        let alarm = monotonic_clock::subscribe_duration(nanos(max.min(time_left())));
        poll(&[what, &alarm]);
        what.ready()
    }

    fn nanos(duration: Duration) -> u64 {
        u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
    }

    /// A host that does not support one of them has its own limits.
    fn options() -> RequestOptions {
        let left = time_left();
        let options = RequestOptions::new();
        let _ = options.set_connect_timeout(Some(nanos(CONNECT_MAX.min(left))));
        let _ = options.set_first_byte_timeout(Some(nanos(FIRST_BYTE_MAX.min(left))));
        let _ = options.set_between_bytes_timeout(Some(nanos(BETWEEN_BYTES_MAX.min(left))));
        options
    }

    fn time_left() -> Duration {
        Duration::from_millis(context::time_left()).saturating_sub(RESERVE).max(Duration::from_millis(1))
    }

    fn header(response: &IncomingResponse, name: &str) -> Option<String> {
        let values = response.headers().get(name);
        values.first().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The body, and whether there was more than is wanted or came in time.
    fn body(response: &IncomingResponse) -> Result<(Vec<u8>, bool), ErrorCode> {
        let internal = |()| ErrorCode::InternalError(None);
        let body = response.consume().map_err(internal)?;
        let stream = body.stream().map_err(internal)?;
        let mut bytes = Vec::new();
        while bytes.len() <= BODY_BYTES_MAX && wait(&stream.subscribe(), BETWEEN_BYTES_MAX) {
            match stream.read(READ_BYTES) {
                Ok(chunk) => bytes.extend_from_slice(&chunk),
                Err(StreamError::Closed) => return Ok((bytes, false)),
                Err(StreamError::LastOperationFailed(failure)) => {
                    return Err(http_error_code(&failure).unwrap_or(ErrorCode::HttpResponseIncomplete));
                }
            }
        }
        bytes.truncate(BODY_BYTES_MAX);
        Ok((bytes, true))
    }
}

#[cfg(test)]
mod tests {
    use wardian_plugin::Reason;
    use wasip2::http::types::DnsErrorPayload;

    use super::*;

    #[test]
    fn each_failure_asks_for_its_own_reaction() {
        let url = Url::parse("https://example.com:8443/x").unwrap();
        for (failure, reason, code) in [
            (ErrorCode::HttpRequestDenied, Reason::Refused, "not_granted"),
            (ErrorCode::DestinationIpProhibited, Reason::Refused, "not_granted"),
            (ErrorCode::DnsError(DnsErrorPayload { rcode: None, info_code: None }), Reason::NotFound, "no_such_host"),
            (ErrorCode::ConnectionTimeout, Reason::Unavailable, "timeout"),
            (ErrorCode::ConnectionRefused, Reason::Unavailable, "connection"),
            (ErrorCode::TlsCertificateError, Reason::Failed, "tls"),
            (ErrorCode::LoopDetected, Reason::Failed, "redirects"),
            (ErrorCode::HttpResponseBodySize(None), Reason::Refused, "too_large"),
            (ErrorCode::InternalError(Some("secret".into())), Reason::Failed, "protocol"),
        ] {
            let error = error(&url, &failure);
            assert_eq!((error.reason, error.code.as_deref()), (reason, Some(code)), "{failure:?}");
            assert!(!error.message.contains("secret"));
        }
    }

    #[test]
    fn a_denied_request_names_the_entry_that_would_allow_it() {
        let url = Url::parse("https://example.com:8443/x").unwrap();
        let error = get(&url).unwrap_err();
        assert!(error.message.contains("`[[plugin.web.http]]` entry with host = \"example.com\""), "{}", error.message);
    }
}
