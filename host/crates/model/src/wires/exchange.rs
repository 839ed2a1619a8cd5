//! One question over HTTP: send, read what comes, and ask again where that may
//! help. The same for every wire; what the bytes mean is the wire's.

use std::time::Duration;

use bytes::Bytes;
use egress::trusted::Client;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use session::Retry;
use tokio::time::timeout;

use super::REPLY_BYTES_MAX;
use super::trouble::{Fault, from_status};
use crate::Sink;
use crate::error::Error;
use crate::reply::Delta;
use crate::retry::{Backoff, chance};
use crate::sse::Parser;

/// The most bytes of an error's body that are read: it is only for a person and for a few telling words.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// How long a finished reply is waited on for its token counts and the end of its stream; then it is taken as it is.
const TAIL: Duration = Duration::from_secs(2);

/// How long a provider may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until the first byte of a streamed reply; a local model reads its whole prompt in this time.
    pub first_byte: Duration,
    /// Between two pieces of a reply. A stream has no limit as a whole.
    pub between_reads: Duration,
    /// Until the answer begins where nothing is streamed: the provider writes all of it first.
    pub whole: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(120),
            between_reads: Duration::from_secs(60),
            whole: Duration::from_secs(600),
        }
    }
}

/// What a wire needs to know of a provider.
pub struct Settings {
    /// The address under which the wire's paths lie; a query is kept.
    pub base_url: Uri,
    /// The model's name there.
    pub model: String,
    /// Headers of every request: the key, where there is one, and the operator's own.
    pub headers: HeaderMap,
    /// The window in tokens, 0 where nobody knows.
    pub context_window: u64,
    /// Whether to stream even when nobody watches.
    pub stream_always: bool,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// The way to one provider.
pub(crate) struct Link {
    client: Client,
    url: Uri,
    headers: HeaderMap,
    timeouts: Timeouts,
    /// The provider in messages for the operator: host and port.
    pub(crate) who: String,
}

/// How far a reply has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// There is more to come; if it does not, the reply was cut.
    No,
    /// It is whole, but counts may follow.
    Whole,
    /// Nothing follows.
    Over,
}

/// A reply in the making.
pub(crate) trait Reading: Send {
    /// One event of a stream.
    fn event(&mut self, name: &str, data: &[u8], sink: Sink<'_>) -> Result<(), Fault>;

    /// A whole answer in one piece.
    fn whole(&mut self, body: &[u8], sink: Sink<'_>) -> Result<(), Fault>;

    /// How far it has come.
    fn ended(&self) -> Ended;

    /// The sink forgot everything: tells it what this reading began with.
    fn again(&self, _sink: Sink<'_>) {}
}

impl Link {
    /// A way to `path` under the provider's base address.
    pub(crate) fn new(settings: &Settings, client: Client, path: &str) -> Self {
        let base = &settings.base_url;
        let who = base.authority().map_or_else(|| base.to_string(), |authority| authority.to_string());
        let mut parts = base.clone().into_parts();
        let query = base.query().map_or_else(String::new, |query| format!("?{query}"));
        parts.path_and_query = format!("{}{path}{query}", base.path().trim_end_matches('/')).parse().ok();
        let url = Uri::from_parts(parts).unwrap_or_else(|_| base.clone());
        Self { client, url, headers: settings.headers.clone(), timeouts: settings.timeouts, who }
    }

    /// Asks until an answer is whole or the retries are used up. Before a repetition the sink learns that what it saw is void.
    pub(crate) async fn ask<R: Reading>(&self, question: Question, fresh: impl Fn() -> R + Send, sink: Sink<'_>) -> Result<R, Error> {
        let mut backoff = Backoff::new(question.retry);
        let mut shown = false;
        loop {
            let mut reading = fresh();
            if std::mem::take(&mut shown) {
                sink(Delta::Restarted);
                reading.again(&mut *sink);
            }
            let mut watched = |delta| {
                shown = true;
                sink(delta);
            };
            let Err(fault) = self.once(&question, &mut reading, &mut watched).await else {
                return Ok(reading);
            };
            let wait = if fault.passing { backoff.next(fault.wait, chance()) } else { None };
            let Some(wait) = wait else { return Err(fault.error) };
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(provider = %self.who, wait_ms, "{}; asking again", fault.error);
            tokio::time::sleep(wait).await;
        }
    }

    async fn once<R: Reading>(&self, question: &Question, reading: &mut R, sink: Sink<'_>) -> Result<(), Fault> {
        let patience = if question.stream { self.timeouts.first_byte } else { self.timeouts.whole };
        let sent = timeout(patience, self.client.send(self.request(question)));
        let answer = match sent.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(Fault::cut(format!("{} cannot be asked: {error}", self.who))),
            Err(_) => return Err(Fault::cut(format!("{} did not begin to answer within {} s", self.who, patience.as_secs()))),
        };
        let (head, body) = answer.into_parts();
        let status = head.status.as_u16();
        if !head.status.is_success() {
            let body = self.collect(body, ERROR_BYTES_MAX).await.unwrap_or_default();
            return Err(from_status(&self.who, status, &head.headers, &body));
        }
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        if content_type.contains("event-stream") {
            return self.stream(Response::from_parts(head, body).into_body(), reading, sink).await;
        }
        let body = self.collect(body, REPLY_BYTES_MAX).await?;
        self.whole(&body, &content_type, reading, sink)
    }

    fn request(&self, question: &Question) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(question.body.clone()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        let accept = if question.stream { "text/event-stream, application/json" } else { "application/json" };
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accept));
        request
    }

    async fn stream<R: Reading>(&self, mut body: Incoming, reading: &mut R, sink: Sink<'_>) -> Result<(), Fault> {
        let mut parser = Parser::new();
        let mut patience = self.timeouts.first_byte;
        let mut taken = 0;
        loop {
            let next = match timeout(patience, body.frame()).await {
                Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
                Ok(None) => break,
                _ if reading.ended() != Ended::No => return Ok(()),
                Ok(Some(Err(error))) => return Err(Fault::cut(format!("the answer of {} broke off: {error}", self.who))),
                Err(_) => return Err(Fault::cut(format!("{} fell silent for {} s", self.who, patience.as_secs()))),
            };
            taken += next.len();
            if taken > REPLY_BYTES_MAX {
                return Err(self.too_long(REPLY_BYTES_MAX));
            }
            parser.push(&next, &mut |name: &str, data: &[u8]| reading.event(name, data, &mut *sink))?;
            patience = match reading.ended() {
                Ended::No => self.timeouts.between_reads,
                Ended::Whole => TAIL,
                Ended::Over => {
                    drain(body);
                    return Ok(());
                }
            };
        }
        let last = parser.finish(&mut |name: &str, data: &[u8]| reading.event(name, data, &mut *sink));
        match last {
            Err(fault) if !fault.is_garbled() => Err(fault),
            _ if reading.ended() == Ended::No => Err(Fault::cut(format!("the answer of {} ended before it was whole", self.who))),
            _ => Ok(()),
        }
    }

    fn whole<R: Reading>(&self, body: &[u8], content_type: &str, reading: &mut R, sink: Sink<'_>) -> Result<(), Fault> {
        let text = body.trim_ascii_start();
        if !text.starts_with(b"{") && [&b"data:"[..], b"event:", b":"].iter().any(|begin| text.starts_with(begin)) {
            let mut parser = Parser::new();
            parser.push(body, &mut |name: &str, data: &[u8]| reading.event(name, data, &mut *sink))?;
            parser.finish(&mut |name: &str, data: &[u8]| reading.event(name, data, &mut *sink))?;
        } else if text.starts_with(b"{") {
            reading.whole(body, sink)?;
        } else {
            let what = if content_type.is_empty() { "something" } else { content_type };
            return Err(Fault::garbled(format!("{} answered with {what} that is no reply; check the model's base_url", self.who)));
        }
        match reading.ended() {
            Ended::No => Err(Fault::cut(format!("the answer of {} ended before it was whole", self.who))),
            Ended::Whole | Ended::Over => Ok(()),
        }
    }

    async fn collect(&self, mut body: Incoming, most: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        loop {
            match timeout(self.timeouts.between_reads, body.frame()).await {
                Ok(Some(Ok(frame))) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Ok(None) => return Ok(bytes),
                Ok(Some(Err(error))) => return Err(Fault::cut(format!("the answer of {} broke off: {error}", self.who))),
                Err(_) => return Err(Fault::cut(format!("{} fell silent", self.who))),
            }
            if bytes.len() > most {
                return Err(self.too_long(most));
            }
        }
    }

    fn too_long(&self, most: usize) -> Fault {
        Fault::beyond(format!("{} answered with more than {most} bytes", self.who))
    }
}

/// A rendered prompt.
pub(crate) struct Question {
    /// The request's body.
    pub(crate) body: Bytes,
    /// Whether it asks for a stream.
    pub(crate) stream: bool,
    /// How to ask again.
    pub(crate) retry: Retry,
}

/// Reads the few bytes that end a stream, so that its connection serves the next question. Nobody waits for it.
fn drain(mut body: Incoming) {
    if body.is_end_stream() {
        return;
    }
    tokio::spawn(timeout(TAIL, async move { while let Some(Ok(_)) = body.frame().await {} }));
}
