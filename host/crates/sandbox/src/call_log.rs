//! The lines of one call: what the guest wrote by `log`, to standard output and
//! to standard error. All three share one limit; what exceeds it is dropped
//! with one note. Control characters are escaped, so that no line can pose as another.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use schema::text::escaped;
use tool::{CallSink, Sign};

/// What a line counts for beside its text: its stamp and fields, which the
/// operator's disk has to hold for an empty line as well.
const LINE_OVERHEAD_BYTES: u64 = 128;

/// One line longer than this is broken.
const LINE_BYTES_MAX: usize = 4 << 10;

/// How much of the end of standard error is kept for the message of a trap:
/// that is where a panic says why.
const LAST_WORDS_BYTES_MAX: usize = 512;

/// How much a guest may write to a standard stream in one go.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// The log of one call, shared by the ways into it.
#[derive(Clone)]
pub(crate) struct CallLog(Arc<Mutex<Lines>>);

struct Lines {
    left: u64,
    dropped: bool,
    out: Vec<u8>,
    err: Vec<u8>,
    last_words: String,
    plugin: Arc<str>,
    call: String,
    /// Who hears the lines beside the log.
    sink: Option<Arc<dyn CallSink>>,
}

/// Which standard stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

impl CallLog {
    /// An empty log of at most `bytes` bytes.
    pub(crate) fn new(plugin: Arc<str>, call: String, bytes: u64) -> Self {
        let (out, err, last_words) = (Vec::new(), Vec::new(), String::new());
        Self(Arc::new(Mutex::new(Lines { left: bytes, dropped: false, out, err, last_words, plugin, call, sink: None })))
    }

    /// The same, heard by a sink as well, where it listens.
    pub(crate) fn heard_by(self, sink: Arc<dyn CallSink>) -> Self {
        self.lines().sink = Some(sink).filter(|sink| sink.listens());
        self
    }

    /// Writes one line, as far as the limit allows.
    pub(crate) fn line(&self, level: tracing::Level, text: &str) {
        self.lines().line(level, text);
    }

    /// A standard stream that ends in this log.
    pub(crate) fn stream(&self, stream: Stream) -> Standard {
        Standard { log: self.clone(), stream }
    }

    /// Writes what stands in the streams without an end of line, and answers
    /// the end of what went to standard error.
    pub(crate) fn finish(&self) -> String {
        let mut lines = self.lines();
        for stream in [Stream::Out, Stream::Err] {
            lines.flush(stream);
        }
        std::mem::take(&mut lines.last_words)
    }

    /// Nothing that holds the lock can leave it half written, so a poisoned one is as good as any.
    fn lines(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn line(&mut self, level: tracing::Level, text: &str) {
        let text = escaped(text);
        let bytes = text.len() as u64 + LINE_OVERHEAD_BYTES;
        if self.left < bytes {
            if !std::mem::replace(&mut self.dropped, true) {
                tracing::warn!(plugin.id = %self.plugin, call.id = %self.call, "plugin {}: over its log limit, the rest of this call's lines is dropped", self.plugin);
            }
            self.left = 0;
            return;
        }
        self.left -= bytes;
        if let Some(sink) = &self.sink {
            sink.sign(Sign::Line { level: word(level), text: &text });
        }
        let (plugin, call) = (&self.plugin, &self.call);
        match level {
            tracing::Level::ERROR => tracing::error!(target: "guest", { plugin.id = %plugin, call.id = %call }, "{text}"),
            tracing::Level::WARN => tracing::warn!(target: "guest", { plugin.id = %plugin, call.id = %call }, "{text}"),
            tracing::Level::INFO => tracing::info!(target: "guest", { plugin.id = %plugin, call.id = %call }, "{text}"),
            tracing::Level::DEBUG => tracing::debug!(target: "guest", { plugin.id = %plugin, call.id = %call }, "{text}"),
            tracing::Level::TRACE => tracing::trace!(target: "guest", { plugin.id = %plugin, call.id = %call }, "{text}"),
        }
    }

    fn append(&mut self, stream: Stream, bytes: &[u8]) {
        if self.left == 0 && self.dropped {
            return;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let pending = self.pending(stream);
            let room = LINE_BYTES_MAX.saturating_sub(pending.len());
            pending.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") || piece.len() >= room {
                self.flush(stream);
            }
        }
    }

    fn flush(&mut self, stream: Stream) {
        let bytes = std::mem::take(self.pending(stream));
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end();
        if text.is_empty() {
            return;
        }
        if stream == Stream::Err {
            self.last_words = escaped(text).chars().take(LAST_WORDS_BYTES_MAX / 4).collect();
        }
        self.line(if stream == Stream::Err { tracing::Level::INFO } else { tracing::Level::DEBUG }, text);
    }

    fn pending(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        }
    }
}

fn word(level: tracing::Level) -> &'static str {
    match level {
        tracing::Level::ERROR => "error",
        tracing::Level::WARN => "warn",
        tracing::Level::INFO => "info",
        tracing::Level::DEBUG => "debug",
        tracing::Level::TRACE => "trace",
    }
}

/// A guest's standard stream. Never fails and never waits: what is over the limit is dropped.
pub(crate) struct Standard {
    log: CallLog,
    stream: Stream,
}

impl IsTerminal for Standard {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Standard {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.log.stream(self.stream))
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.log.stream(self.stream))
    }
}

#[async_trait::async_trait]
impl Pollable for Standard {
    async fn ready(&mut self) {}
}

#[async_trait::async_trait]
impl OutputStream for Standard {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.log.lines().append(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for Standard {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.log.lines().append(self.stream, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_cannot_forge_a_line() {
        assert_eq!(escaped("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
    }

    #[test]
    fn the_last_line_of_standard_error_is_kept_for_the_message() {
        let log = CallLog::new("p".into(), "c".into(), 1_000);
        log.lines().append(Stream::Err, b"thread panicked\nbecause of x");
        assert_eq!(log.finish(), "because of x");
    }

    #[test]
    fn last_words_are_escaped_as_every_line_is() {
        let log = CallLog::new("p".into(), "c".into(), 1_000);
        log.lines().append(Stream::Err, "a\r2099 ERROR forged\u{202e}\u{2028}\u{9b}2J".as_bytes());
        assert_eq!(log.finish(), "a\\r2099 ERROR forged\\u{202e}\\u{2028}\\u{9b}2J");
    }

    #[test]
    fn a_flood_is_dropped_and_keeps_no_memory() {
        let log = CallLog::new("p".into(), "c".into(), 100);
        for _ in 0..1_000 {
            log.lines().append(Stream::Out, &[b'x'; 10_000]);
        }
        let lines = log.lines();
        assert!(lines.dropped && lines.out.len() <= LINE_BYTES_MAX);
    }
}
