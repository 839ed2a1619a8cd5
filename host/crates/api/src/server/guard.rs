//! A connection that gives up by itself: when nothing is asked on it for too
//! long, and when the peer takes nothing of what is being sent.

use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::body::InFlight;

/// A stream of bytes with two timers.
pub(super) struct Guarded<S> {
    inner: S,
    in_flight: InFlight,
    idle: Timer,
    stalled: Timer,
}

impl<S> Guarded<S> {
    /// `idle` counts while no request is open and nothing arrives, `stalled` while nothing leaves.
    pub(super) fn new(inner: S, in_flight: InFlight, idle: Duration, stalled: Duration) -> Self {
        Self { inner, in_flight, idle: Timer::new(idle), stalled: Timer::new(stalled) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_read(cx, buf) {
            Poll::Pending if this.in_flight.none() => this.idle.poll(cx, "nothing was asked for too long"),
            other => {
                this.idle.rest();
                other
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> Guarded<S> {
    fn sending<T>(&mut self, cx: &mut Context<'_>, sent: Poll<Result<T>>) -> Poll<Result<T>> {
        if sent.is_pending() {
            return self.stalled.poll(cx, "the peer takes nothing of the answer");
        }
        self.stalled.rest();
        sent
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let sent = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.sending(cx, sent)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let sent = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.sending(cx, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let sent = Pin::new(&mut self.inner).poll_flush(cx);
        self.sending(cx, sent)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let sent = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.sending(cx, sent)
    }
}

/// Counts only while it is polled; at rest it costs nothing.
struct Timer {
    patience: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    running: bool,
}

impl Timer {
    fn new(patience: Duration) -> Self {
        Self { patience, sleep: None, running: false }
    }

    fn rest(&mut self) {
        self.running = false;
    }

    fn poll<T>(&mut self, cx: &mut Context<'_>, why: &'static str) -> Poll<Result<T>> {
        let patience = self.patience;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(patience)));
        if !self.running {
            sleep.as_mut().reset(Instant::now() + patience);
            self.running = true;
        }
        sleep.as_mut().poll(cx).map(|()| Err(Error::new(ErrorKind::TimedOut, why)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn silence_without_an_open_request_ends_the_connection() {
        let (_peer, ours) = duplex(8);
        let mut guarded = Guarded::new(ours, InFlight::default(), SHORT, LONG);
        assert_eq!(guarded.read_u8().await.unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn silence_while_a_request_is_answered_is_nothing() {
        let (mut peer, ours) = duplex(8);
        let in_flight = InFlight::default();
        let mut guarded = Guarded::new(ours, in_flight.clone(), SHORT, LONG);
        let _busy = in_flight.begin();
        assert!(tokio::time::timeout(SHORT * 3, guarded.read_u8()).await.is_err());
        peer.write_u8(7).await.unwrap();
        assert_eq!(guarded.read_u8().await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_peer_that_never_reads_is_given_up() {
        let (_peer, ours) = duplex(8);
        let mut guarded = Guarded::new(ours, InFlight::default(), LONG, SHORT);
        assert_eq!(guarded.write_all(&[0; 64]).await.unwrap_err().kind(), ErrorKind::TimedOut);
    }
}
