//! Bodies that count what passes: the request's on its way out, the answer's on
//! its way in.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use super::connect::Connection;
use super::mask::Mask;
use super::meter::Meter;
use super::{BoxError, RequestBody};
use crate::error::{self, Error, Part, Wait};

/// A request's body. Trailers are dropped: nothing between us and the server
/// agrees on what they mean.
pub(super) struct Counted {
    inner: RequestBody,
    /// What the guest said is still to come.
    left: Option<u64>,
    meter: Arc<Meter>,
}

impl Counted {
    pub(super) fn new(inner: RequestBody, declared: Option<u64>, meter: Arc<Meter>) -> Self {
        Self { inner, left: declared, meter }
    }

    fn count(&mut self, bytes: &Bytes) -> Result<(), Error> {
        self.meter.send(bytes.len())?;
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(bytes.len() as u64).ok_or(Error::Request("the body is longer than its declared length"))?;
        }
        Ok(())
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            let Some(frame) = ready!(Pin::new(&mut self.inner).poll_frame(cx)) else {
                let short = self.left.is_some_and(|left| left > 0);
                return Poll::Ready(short.then(|| Err(Error::Request("the body is shorter than its declared length").into())));
            };
            if let Ok(bytes) = frame?.into_data() {
                self.count(&bytes)?;
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream() && self.left.is_none_or(|left| left == 0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(|| self.inner.size_hint(), SizeHint::with_exact)
    }
}

/// How much of an answer is taken, and how long the next piece is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) bytes_max: u64,
    pub(super) gap: Duration,
}

/// An answer's body. Holds its connection, which ends with it.
pub struct ResponseBody {
    inner: Incoming,
    bounds: Bounds,
    taken: u64,
    timer: Pin<Box<Sleep>>,
    waiting: bool,
    ended: bool,
    mask: Mask,
    meter: Option<Arc<Meter>>,
    held: Option<(Connection, OwnedSemaphorePermit)>,
}

impl ResponseBody {
    pub(super) fn new(inner: Incoming, bounds: Bounds) -> Self {
        let timer = Box::pin(tokio::time::sleep(bounds.gap));
        Self { inner, bounds, taken: 0, timer, waiting: false, ended: false, mask: Mask::default(), meter: None, held: None }
    }

    pub(super) fn holding(mut self, connection: Connection, slot: OwnedSemaphorePermit) -> Self {
        self.held = Some((connection, slot));
        self
    }

    pub(super) fn counted(mut self, meter: Arc<Meter>) -> Self {
        self.meter = Some(meter);
        self
    }

    pub(super) fn masked(mut self, mask: Mask) -> Self {
        self.mask = mask;
        self
    }

    /// The next piece that there is something in; the connection is let go at the end.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        while !self.ended {
            let Some(frame) = ready!(self.poll_inner(cx)) else {
                self.end();
                break;
            };
            let piece = frame.and_then(|frame| self.take(frame));
            match piece {
                Ok(piece) if piece.is_empty() => {}
                Ok(piece) => return Poll::Ready(Some(Ok(piece))),
                Err(error) => {
                    self.end();
                    self.mask = Mask::default();
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        let rest = self.mask.rest();
        Poll::Ready((!rest.is_empty()).then_some(Ok(rest)))
    }

    /// The clock runs only while a piece is wanted and none is there, so that a
    /// slow reader is not taken for a slow server.
    fn poll_inner(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            self.waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| Error::Protocol(error::chain(&error)))));
        }
        if !self.waiting {
            self.waiting = true;
            self.timer.as_mut().reset(Instant::now() + self.bounds.gap);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(Some(Err(Error::Timeout { what: Wait::NextBytes, after: self.bounds.gap })))
    }

    fn take(&mut self, frame: Frame<Bytes>) -> Result<Bytes, Error> {
        let Ok(piece) = frame.into_data() else {
            return Ok(Bytes::new());
        };
        self.taken = self.taken.saturating_add(piece.len() as u64);
        if self.taken > self.bounds.bytes_max {
            return Err(Error::TooLarge { what: Part::ResponseBody, bytes_max: self.bounds.bytes_max });
        }
        if let Some(meter) = &self.meter {
            meter.receive(piece.len())?;
        }
        Ok(self.mask.next(piece))
    }

    fn end(&mut self) {
        self.ended = true;
        self.held = None;
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.get_mut().poll_piece(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
