//! Bodies of requests with a limit on silence, what becomes of those that nobody
//! reads, and the count of requests that a connection has open.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use bytes::Bytes;
use http::Version;
use http::header::EXPECT;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep, timeout};

/// The body stopped coming.
#[derive(Debug, thiserror::Error)]
#[error("no piece of the body came for {0:?}")]
pub(crate) struct BodyStalled(Duration);

/// What is still taken of a body after its request was refused. A client that is cut off while it writes may lose the
/// answer that says why (RFC 9112 §9.6); one that goes on beyond this is cut off.
const LINGER_BYTES: usize = 32 << 20;

/// How long that goes on.
const LINGER: Duration = Duration::from_secs(5);

/// A request's body; an error when nothing comes for too long.
pub(super) struct Timed {
    /// There until this is dropped.
    inner: Option<Incoming>,
    patience: Duration,
    until: Option<Pin<Box<Sleep>>>,
    /// Whether the client sends all of it before it reads the answer, for all that is known.
    lingers: bool,
}

impl Timed {
    /// The body of a request. HTTP/2 has its own way to stop a client, and one that waits for `100 Continue` has not begun.
    pub(super) fn new(request: &http::request::Parts, inner: Incoming, patience: Duration) -> Self {
        let lingers = request.version <= Version::HTTP_11 && !request.headers.contains_key(EXPECT);
        Self { inner: Some(inner), patience, until: None, lingers }
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        let rest = self.inner.take().filter(|inner| self.lingers && !inner.is_end_stream());
        if let (Some(rest), Ok(runtime)) = (rest, Handle::try_current()) {
            runtime.spawn(timeout(LINGER, discard(rest)));
        }
    }
}

/// Takes what comes and forgets it.
async fn discard(mut rest: Incoming) {
    let mut left = LINGER_BYTES;
    while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut rest).poll_frame(cx)).await {
        let Some(fewer) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
        left = fewer;
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(inner).poll_frame(cx) {
            this.until = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let patience = this.patience;
        let until = this.until.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(until.as_mut().poll(cx));
        until.as_mut().reset(Instant::now() + patience);
        Poll::Ready(Some(Err(BodyStalled(patience).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// How many requests of a connection are being read or answered.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    /// A request began.
    pub(super) fn begin(&self) -> Busy {
        self.0.fetch_add(1, Ordering::Relaxed);
        Busy(self.0.clone())
    }

    /// Whether there is none.
    pub(super) fn none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// One request; it ends when this is dropped.
pub(super) struct Busy(Arc<AtomicUsize>);

impl Busy {
    /// Counts until the body has been sent or given up.
    pub(super) fn until_end_of<B>(self, body: B) -> Answering<B> {
        Answering { body, _busy: self }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A body on its way out.
pub(super) struct Answering<B> {
    body: B,
    _busy: Busy,
}

impl<B: Body + Unpin> Body for Answering<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
