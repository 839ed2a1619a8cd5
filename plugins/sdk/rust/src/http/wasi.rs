//! One request and its answer over `wasi:http`, waited for no longer than the call has time.

use std::time::Duration;

use wasip2::{
    clocks::monotonic_clock,
    http::{
        outgoing_handler,
        types::{ErrorCode, Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme, http_error_code},
    },
    io::{
        poll::{Pollable, poll},
        streams::StreamError,
    },
};

use super::{BODY_BYTES_MAX, Request, Response, url::Url};
use crate::context;

/// The most that is read or written at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Kept of the call's time, for the tool to answer that there was none.
const RESERVE: Duration = Duration::from_millis(500);

pub(super) fn exchange(request: &Request, url: &Url) -> Result<Response, ErrorCode> {
    let outgoing = outgoing(request, url)?;
    let body = outgoing.body().map_err(|()| ErrorCode::InternalError(None))?;
    let future = outgoing_handler::handle(outgoing, Some(options()))?;
    // A request that is refused takes no body: the reason comes as its answer, and so does that of a server
    // which answers before it has read everything.
    let written = write(body, &request.body);
    if !wait(&future.subscribe()) {
        return Err(written.err().unwrap_or(ErrorCode::HttpResponseTimeout));
    }
    // Ready, and taken only here.
    let response = future.get().and_then(Result::ok).unwrap_or(Err(ErrorCode::InternalError(None)))?;
    let headers = response.headers().entries().into_iter();
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), String::from_utf8_lossy(&value).into_owned())).collect();
    Ok(Response { status: response.status(), headers, body: read(&response)? })
}

fn outgoing(request: &Request, url: &Url) -> Result<OutgoingRequest, ErrorCode> {
    let mut headers: Vec<(String, Vec<u8>)> =
        request.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
    if !request.body.is_empty() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        headers.push(("content-length".into(), request.body.len().to_string().into_bytes()));
    }
    let headers = Fields::from_list(&headers).map_err(|_| ErrorCode::HttpRequestHeaderSize(None))?;
    let outgoing = OutgoingRequest::new(headers);
    outgoing.set_method(&method(&request.method)).map_err(|()| ErrorCode::HttpRequestMethodInvalid)?;
    let scheme = if url.is_secure { Scheme::Https } else { Scheme::Http };
    let described = outgoing
        .set_scheme(Some(&scheme))
        .and_then(|()| outgoing.set_authority(Some(&url.authority)))
        .and_then(|()| outgoing.set_path_with_query(Some(&url.path_and_query)));
    described.map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    Ok(outgoing)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Result<(), ErrorCode> {
    let cut = |_: StreamError| ErrorCode::ConnectionTerminated;
    let stream = body.write().map_err(|()| ErrorCode::InternalError(None))?;
    let mut rest = bytes;
    while !rest.is_empty() {
        if !wait(&stream.subscribe()) {
            return Err(ErrorCode::ConnectionWriteTimeout);
        }
        let room = usize::try_from(stream.check_write().map_err(cut)?).unwrap_or(CHUNK_BYTES);
        let (now, later) = rest.split_at(rest.len().min(room).min(CHUNK_BYTES));
        stream.write(now).map_err(cut)?;
        rest = later;
    }
    stream.flush().map_err(cut)?;
    drop(stream);
    OutgoingBody::finish(body, None)
}

fn read(response: &IncomingResponse) -> Result<Vec<u8>, ErrorCode> {
    let internal = |()| ErrorCode::InternalError(None);
    let body = response.consume().map_err(internal)?;
    let stream = body.stream().map_err(internal)?;
    let mut bytes = Vec::new();
    while wait(&stream.subscribe()) {
        match stream.read(CHUNK_BYTES as u64) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(failure)) => {
                return Err(http_error_code(&failure).unwrap_or(ErrorCode::HttpResponseIncomplete));
            }
        }
        if bytes.len() > BODY_BYTES_MAX {
            return Err(ErrorCode::HttpResponseBodySize(None));
        }
    }
    Err(ErrorCode::ConnectionReadTimeout)
}

/// Waits until something is ready, but not longer than the call has time.
fn wait(what: &Pollable) -> bool {
    let deadline = monotonic_clock::subscribe_duration(nanos(time_left()));
    poll(&[what, &deadline]).contains(&0)
}

fn options() -> RequestOptions {
    let options = RequestOptions::new();
    let most = Some(nanos(time_left()));
    // A host that does not know one of them keeps to its own.
    let _ = options.set_connect_timeout(most);
    let _ = options.set_first_byte_timeout(most);
    let _ = options.set_between_bytes_timeout(most);
    options
}

fn time_left() -> Duration {
    Duration::from_millis(context::time_left()).saturating_sub(RESERVE).max(Duration::from_millis(1))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
