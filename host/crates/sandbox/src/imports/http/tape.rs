//! Requests of a call that is on a tape: each is taken whole, so that it can be
//! compared, and answered by the tape or by the world. Failures are written down
//! by their names in `wasi:http`.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tool::tape::{Answer, Request};
use wasmtime_wasi_http::{Error, WasiBody};

/// The codes that requests of guests end with, by their names in `wasi:http`.
const CODES: [(&str, Error); 16] = [
    ("HTTP-request-denied", Error::HttpRequestDenied),
    ("destination-IP-prohibited", Error::DestinationIpProhibited),
    ("destination-not-found", Error::DestinationNotFound),
    ("connection-refused", Error::ConnectionRefused),
    ("connection-timeout", Error::ConnectionTimeout),
    ("connection-limit-reached", Error::ConnectionLimitReached),
    ("TLS-certificate-error", Error::TlsCertificateError),
    ("TLS-protocol-error", Error::TlsProtocolError),
    ("HTTP-response-timeout", Error::HttpResponseTimeout),
    ("HTTP-request-URI-invalid", Error::HttpRequestUriInvalid),
    ("HTTP-request-header-section-size", Error::HttpRequestHeaderSectionSize(None)),
    ("HTTP-request-body-size", Error::HttpRequestBodySize(None)),
    ("HTTP-response-header-section-size", Error::HttpResponseHeaderSectionSize(None)),
    ("HTTP-response-body-size", Error::HttpResponseBodySize(None)),
    ("HTTP-protocol-error", Error::HttpProtocolError),
    ("loop-detected", Error::LoopDetected),
];

/// Every other failure; the sentence goes with it.
const INTERNAL: &str = "internal-error";

/// A failure as it is written down.
pub(super) fn code(error: &Error) -> String {
    let same = |known: &Error| std::mem::discriminant(known) == std::mem::discriminant(error);
    let name = CODES.iter().find(|(_, known)| same(known)).map_or(INTERNAL, |(name, _)| name);
    match error {
        Error::HttpRequestBodySize(Some(bytes)) | Error::HttpResponseBodySize(Some(bytes)) => format!("{name}: {bytes}"),
        Error::InternalError(Some(why)) => format!("{name}: {why}"),
        _ => name.to_owned(),
    }
}

/// The failure that was written down so.
fn error(code: &str) -> Error {
    let (name, detail) = code.split_once(": ").map_or((code, None), |(name, detail)| (name, Some(detail)));
    let bytes = detail.and_then(|detail| detail.parse().ok());
    match name {
        "HTTP-request-body-size" => return Error::HttpRequestBodySize(bytes),
        "HTTP-response-body-size" => return Error::HttpResponseBodySize(bytes),
        _ => {}
    }
    let known = CODES.into_iter().find(|(known, _)| *known == name).map(|(_, error)| error);
    known.unwrap_or_else(|| Error::InternalError(detail.map(str::to_owned)))
}

/// Takes a request whole, as far as the call may send so much.
pub(super) async fn request(request: http::Request<WasiBody>, bytes_max: u64) -> Result<(http::request::Parts, Request), Error> {
    let (head, body) = request.into_parts();
    let body = body_of(body, bytes_max).await?;
    let taken = Request { method: head.method.to_string(), url: head.uri.to_string(), headers: headers(&head.headers), body };
    Ok((head, taken))
}

/// Takes a response whole, or as far as it came.
pub(super) async fn response(response: http::Response<WasiBody>) -> Answer {
    let (head, mut incoming) = response.into_parts();
    let (mut body, mut broken) = (Vec::new(), None);
    // Bounded: egress breaks an answer off at the limits of the call.
    while let Some(frame) = incoming.frame().await {
        match frame {
            Ok(frame) => body.extend_from_slice(frame.data_ref().map_or(&[][..], |bytes| bytes)),
            Err(error) => {
                broken = Some(code(&error));
                break;
            }
        }
    }
    Answer::Response { status: head.status.as_u16(), headers: headers(&head.headers), body, broken }
}

/// What the guest hears.
pub(super) fn told(answer: Answer) -> Result<http::Response<WasiBody>, Error> {
    let (status, headers, body, broken) = match answer {
        Answer::Failure(code) => return Err(error(&code)),
        Answer::Response { status, headers, body, broken } => (status, headers, body, broken),
    };
    let mut builder = http::Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    let whole = Full::new(Bytes::from(body)).map_err(|never| match never {});
    let body = match broken {
        None => whole.boxed_unsync(),
        Some(code) => whole.with_trailers(async move { Some(Err(error(&code))) }).boxed_unsync(),
    };
    builder.body(body).map_err(|_| Error::HttpProtocolError)
}

/// The request again, to be sent.
pub(super) fn outgoing(head: http::request::Parts, body: &[u8]) -> http::Request<WasiBody> {
    let body = Full::new(Bytes::copy_from_slice(body)).map_err(|never| match never {});
    http::Request::from_parts(head, body.boxed_unsync())
}

/// A request's body, whole.
async fn body_of(mut incoming: WasiBody, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        body.extend_from_slice(frame?.data_ref().map_or(&[][..], |bytes| bytes));
        if body.len() as u64 > bytes_max {
            return Err(Error::HttpRequestBodySize(Some(bytes_max)));
        }
    }
    Ok(body)
}

fn headers(headers: &http::HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_back_as_the_one_that_was_written_down() {
        let more = [Error::HttpResponseBodySize(Some(5)), Error::InternalError(Some("the call has sent: 3".into()))];
        for known in CODES.into_iter().map(|(_, error)| error).chain(more) {
            assert_eq!(format!("{:?}", error(&code(&known))), format!("{known:?}"));
        }
        assert!(matches!(error("of a later version"), Error::InternalError(None)));
    }
}
