//! A call as a stream: how far it is, and then its answer. The connection itself
//! polls the call, so that nothing is left of it when the client goes away.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::response::Response;
use bytes::Bytes;
use http::header::CONNECTION;
use http::{StatusCode, Version};
use http_body::{Body, Frame};
use session::json::{push_json, push_string};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep};

use super::call::{self, Asked};
use super::message::{self, Fault};
use super::running::{Cancelled, Ticket};
use crate::App;
use crate::caller::Caller;
use crate::errors::{Code, Error};
use crate::limits::PING;
use crate::metrics::Open;
use crate::sse;

/// Signs of progress that wait for a slow reader; those that come meanwhile are left out, the next one says as much.
const SIGNS: usize = 64;

/// The least by which progress goes on where a tool says the same again: the protocol wants it to grow.
const LEAST: f64 = 1e-6;

/// The frames of a call.
struct Frames {
    call: Pin<Box<dyn Future<Output = Option<String>> + Send>>,
    signs: mpsc::Receiver<String>,
    /// Ready, and sent after the signs that came before it: the answer, if there is to be one.
    answer: Option<Option<String>>,
    ping: Pin<Box<Sleep>>,
    over: bool,
    _open: Open,
}

/// Makes a call, telling how far it is under this token.
pub(super) fn answer(app: Arc<App>, caller: Caller, ticket: Ticket, asked: Asked, id: String, token: String) -> Response {
    let (sender, signs) = mpsc::channel(SIGNS);
    let call = async move {
        let mut far = Far::default();
        let mut progress = |share: Option<f32>, note: &str| {
            // A reader that is too slow for this one gets the next.
            let _ = sender.try_send(notification(&token, far.further(share), note));
        };
        let stop = app.stop.clone();
        let result = tokio::select! {
            result = call::run(&app, &caller, &ticket, &asked, &mut progress) => result,
            () = stop.cancelled() => Ok(Err(Fault::from(Error::new(Code::ServerUnavailable, "the server is shutting down")))),
        };
        match result {
            Ok(result) => Some(message::answer(&id, &result)),
            Err(Cancelled) => None,
        }
    };
    let ping = Box::pin(sleep(PING));
    let frames = Frames { call: Box::pin(call), signs, answer: None, ping, over: false, _open: Open::stream() };
    let mut response = sse::answer(frames, Version::HTTP_11);
    *response.status_mut() = StatusCode::OK;
    // The last message ends the stream; the connection may go on.
    response.headers_mut().remove(CONNECTION);
    response
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        if this.answer.is_none()
            && let Poll::Ready(answer) = this.call.as_mut().poll(cx)
        {
            this.answer = Some(answer);
        }
        let bytes = match (this.signs.try_recv(), &mut this.answer) {
            (Ok(sign), _) => frame(&sign),
            (Err(_), Some(answer)) => {
                this.over = true;
                match answer.take() {
                    Some(answer) => frame(&answer),
                    None => return Poll::Ready(None),
                }
            }
            (Err(_), None) if this.ping.as_mut().poll(cx).is_ready() => Bytes::from_static(sse::PING),
            (Err(_), None) => return Poll::Pending,
        };
        this.ping.as_mut().reset(Instant::now() + PING);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.over
    }
}

fn frame(json: &str) -> Bytes {
    let mut out = String::with_capacity(json.len() + 32);
    sse::push(&mut out, "message", json);
    out.into()
}

/// How far a call is, as numbers that only grow.
#[derive(Default)]
struct Far {
    last: f64,
    shares: bool,
}

impl Far {
    /// How far now, and whether that is a share of 1.
    fn further(&mut self, share: Option<f32>) -> (f64, bool) {
        self.shares |= share.is_some();
        let said = share.map(f64::from).filter(|share| share.is_finite());
        let next = match said {
            Some(share) => share.min(1.0),
            None if self.shares => self.last,
            None => self.last + 1.0,
        };
        self.last = if next > self.last { next } else { self.last + LEAST };
        (self.last, self.shares)
    }
}

fn notification(token: &str, (far, shares): (f64, bool), note: &str) -> String {
    let mut out = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":".to_owned();
    push_json(&mut out, token);
    out.push_str(&format!(",\"progress\":{far}"));
    if shares {
        out.push_str(",\"total\":1");
    }
    if !note.is_empty() {
        out.push_str(",\"message\":");
        push_string(&mut out, note);
    }
    out.push_str("}}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_only_grows_whatever_a_tool_says() {
        let mut far = Far::default();
        let mut last = 0.0;
        for share in [Some(0.25), Some(0.25), None, Some(0.1), Some(f32::NAN), Some(0.5), Some(7.0), Some(1.0)] {
            let (now, shares) = far.further(share);
            assert!(now > last && shares, "{share:?}: {now} after {last}");
            last = now;
        }
        let mut counted = Far::default();
        assert_eq!([counted.further(None), counted.further(None)], [(1.0, false), (2.0, false)]);
    }

    #[test]
    fn a_sign_of_progress_carries_the_clients_token_as_it_was_sent() {
        let wanted = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t\"","progress":0.5,"total":1,"message":"half"}}"#;
        assert_eq!(notification(r#""t\"""#, (0.5, true), "half"), wanted);
        assert!(!notification("7", (1.0, false), "").contains("message\":"));
    }
}
