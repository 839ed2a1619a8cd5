//! Server-sent events as the strictest of the known clients reads them: one
//! `event:` line, one `data:` line of plain ASCII JSON, a blank line; no `id:`,
//! no `retry:`; a comment where nothing else is to say.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{StatusCode, Version};

use session::json::push_string;

/// What keeps a silent stream alive.
pub(crate) const PING: &[u8] = b": ping\n\n";

/// Appends a frame; `json` is ready, plain ASCII, without line breaks.
pub(crate) fn push(out: &mut String, event: &str, json: &str) {
    for part in ["event: ", event, "\ndata: ", json, "\n\n"] {
        out.push_str(part);
    }
}

/// The frames that close a stream; with a sentence where it did not end well.
pub(crate) fn push_end(out: &mut String, failure: Option<&str>) {
    if let Some(why) = failure {
        let mut json = "{\"type\":\"error\",\"messages\":[".to_owned();
        push_string(&mut json, why);
        json.push_str("]}");
        push(out, "error", &json);
    }
    push(out, "end", "{\"type\":\"end\"}");
}

/// The answer that carries a stream of the Agents API.
pub(crate) fn answer<B>(body: B, version: Version) -> Response
where
    B: http_body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + 'static,
{
    let mut response = carrying(body, version, "text/event-stream", "no-cache");
    *response.status_mut() = StatusCode::CREATED;
    response
}

/// The answer that carries a stream of one of the other doors.
pub(crate) fn frames<B>(body: B, version: Version) -> Response
where
    B: http_body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + 'static,
{
    carrying(body, version, "text/event-stream; charset=utf-8", "no-cache, no-transform")
}

/// Clients read until the connection closes, so on HTTP/1 it closes after the last frame.
fn carrying<B>(body: B, version: Version, kind: &'static str, cache: &'static str) -> Response
where
    B: http_body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + 'static,
{
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    if version <= Version::HTTP_11 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_two_lines_and_a_blank_one() {
        let mut out = String::new();
        push(&mut out, "streaming_thinking", "{\"type\":\"streaming_thinking\"}");
        assert_eq!(out, "event: streaming_thinking\ndata: {\"type\":\"streaming_thinking\"}\n\n");
    }

    #[test]
    fn a_failed_stream_says_why_and_then_ends() {
        let mut out = String::new();
        push_end(&mut out, Some("caf\u{e9}\n"));
        assert_eq!(
            out,
            "event: error\ndata: {\"type\":\"error\",\"messages\":[\"caf\\u00e9\\n\"]}\n\nevent: end\ndata: {\"type\":\"end\"}\n\n"
        );
    }

    #[test]
    fn only_http_1_is_told_to_close() {
        let empty = || http_body_util::Empty::<Bytes>::new();
        assert_eq!(answer(empty(), Version::HTTP_11).headers()[CONNECTION], "close");
        assert!(!answer(empty(), Version::HTTP_2).headers().contains_key(CONNECTION));
        assert_eq!(answer(empty(), Version::HTTP_2).status(), StatusCode::CREATED);
    }
}
