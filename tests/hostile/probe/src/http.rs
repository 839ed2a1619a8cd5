//! Requests, as raw as `wasi:http` lets them be.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme, http_error_code,
};
use wasip2::io::streams::{InputStream, StreamError};

use crate::{Outcome, word};

/// How much of an answer's text is handed on.
const TEXT_BYTES_MAX: usize = 2 << 10;
/// How much of a body is written at a time; a stream takes at least this much.
const PIECE_BYTES: u64 = 4096;

/// One request.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    #[serde(default = "get")]
    method: String,
    #[serde(default = "http")]
    scheme: String,
    authority: Option<String>,
    path: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// The body's text, or that many bytes of `x`.
    body: Option<String>,
    body_size: Option<u64>,
    /// Keeps the answer open and its body unread.
    #[serde(default)]
    hold: bool,
}

fn get() -> String {
    "GET".into()
}

fn http() -> String {
    "http".into()
}

/// An answer that stays open.
#[expect(dead_code, reason = "it is held, not used")]
pub(crate) struct Open(IncomingResponse);

impl Http {
    pub(crate) fn run(self, held: &mut Vec<Open>) -> Outcome {
        let response = self.send().and_then(|waiting| answer(&waiting))?;
        if self.hold {
            held.push(Open(response));
            return Ok(Value::Null);
        }
        read(&response)
    }

    fn send(&self) -> Result<FutureIncomingResponse, String> {
        let headers = Fields::new();
        for (name, value) in &self.headers {
            headers.append(name, value.as_bytes()).map_err(|error| format!("header {name}: {error:?}"))?;
        }
        let request = OutgoingRequest::new(headers);
        request.set_method(&method(&self.method)).map_err(|()| "method")?;
        request.set_scheme(Some(&scheme(&self.scheme))).map_err(|()| "scheme")?;
        request.set_authority(self.authority.as_deref()).map_err(|()| "authority")?;
        request.set_path_with_query(self.path.as_deref()).map_err(|()| "path")?;
        let body = request.body().map_err(|()| "body")?;
        let waiting = outgoing_handler::handle(request, None).map_err(word)?;
        // What stops a body is told by the answer.
        let _ = self.write(&body);
        let _ = OutgoingBody::finish(body, None);
        Ok(waiting)
    }

    fn write(&self, body: &OutgoingBody) -> Result<(), StreamError> {
        let Ok(stream) = body.write() else { return Ok(()) };
        if let Some(text) = &self.body {
            return stream.blocking_write_and_flush(text.as_bytes());
        }
        let mut left = self.body_size.unwrap_or(0);
        while left > 0 {
            let piece = left.min(PIECE_BYTES);
            stream.blocking_write_and_flush(&vec![b'x'; piece as usize])?;
            left -= piece;
        }
        Ok(())
    }
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "TRACE" => Method::Trace,
        other => Method::Other(other.to_owned()),
    }
}

fn scheme(name: &str) -> Scheme {
    match name {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    }
}

fn answer(waiting: &FutureIncomingResponse) -> Result<IncomingResponse, String> {
    waiting.subscribe().block();
    match waiting.get() {
        Some(Ok(answer)) => answer.map_err(word),
        Some(Err(())) | None => Err("the answer was taken".into()),
    }
}

fn read(response: &IncomingResponse) -> Outcome {
    let headers: Vec<(String, String)> =
        response.headers().entries().into_iter().map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned())).collect();
    let body = response.consume().map_err(|()| "body")?;
    let stream = body.stream().map_err(|()| "body")?;
    let (mut text, mut bytes) = (Vec::new(), 0);
    let broken = loop {
        match piece(&stream) {
            Ok(Some(piece)) => {
                bytes += piece.len();
                text.extend_from_slice(&piece[..piece.len().min(TEXT_BYTES_MAX.saturating_sub(text.len()))]);
            }
            Ok(None) => break None,
            Err(code) => break Some(word(code)),
        }
    };
    Ok(json!({"status": response.status(), "headers": headers, "bytes": bytes, "text": String::from_utf8_lossy(&text), "broken": broken}))
}

fn piece(stream: &InputStream) -> Result<Option<Vec<u8>>, ErrorCode> {
    match stream.blocking_read(64 << 10) {
        Ok(piece) => Ok(Some(piece)),
        Err(StreamError::Closed) => Ok(None),
        Err(StreamError::LastOperationFailed(error)) => Err(http_error_code(&error).unwrap_or(ErrorCode::InternalError(None))),
    }
}

/// Sends all of them before it looks at any answer; says how often each thing came of it.
pub(crate) fn many(count: usize, request: &Http) -> Value {
    let waiting: Vec<_> = (0..count).map(|_| request.send()).collect();
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    let mut open = Vec::new();
    for sent in waiting {
        let answered = sent.and_then(|waiting| answer(&waiting));
        let outcome = match &answered {
            Ok(response) => response.status().to_string(),
            Err(why) => why.clone(),
        };
        *outcomes.entry(outcome).or_default() += 1;
        open.extend(answered.ok());
    }
    json!(outcomes)
}
