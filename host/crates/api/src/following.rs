//! A turn's news as the body of an answer, for every door: the connection itself polls it, without a task or a queue of
//! its own. What a frame looks like is the door's; when one is due, when a comment is, and what ends the stream is the
//! same for all.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use session::{HowEnded, Principal, Session, TurnNo, Uid};
use tokio::time::{Instant, Sleep, sleep, timeout_at};

use agent::{Closing, Engine, News, Watcher};

use crate::errors::{Code, Error, Result};
use crate::limits::PING;
use crate::metrics::Open;
use crate::{App, sse};

/// Longest that a turn is waited for when the client names no time; the turn's own limits end it long before.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// Why a stream ends without the end of its turn.
const BROKE_OFF: &str = "the stream broke off: it was read too slowly, or the session went away; read the session's events";

/// When a request that may take this long has to be answered.
pub(crate) fn deadline(timeout: Option<std::time::Duration>) -> Instant {
    Instant::now() + timeout.unwrap_or(PATIENCE).min(PATIENCE)
}

/// The next piece of news before `until`; the error says why there is none.
pub(crate) async fn next(app: &App, session: &Session, watcher: &mut Watcher, until: Instant) -> Result<News> {
    match timeout_at(until, watcher.next()).await {
        Ok(Some(news)) => Ok(news),
        Ok(None) if app.stop.is_cancelled() => Err(Error::from(agent::Error::Draining)),
        Ok(None) if matches!(app.engine.directory().get(session.uid), Ok(None)) => {
            Err(Error::missing(Code::SessionNotFound, "session", &session.key))
        }
        Ok(None) => Err(Error::new(Code::AgentProcessingFailed, "the answer broke off; read the session's events")),
        Err(_) => {
            Err(Error::new(Code::RequestTimeout, "the turn takes longer than this request may; it goes on, read the session's events"))
        }
    }
}

/// What to tell the client where a turn ended without being of use. One that waits has come as far as it can.
pub(crate) fn failure(closing: &Closing) -> Option<Error> {
    let why = match closing {
        Closing::Paused | Closing::Idle => return None,
        Closing::Refused(error) => return Some(error.clone().into()),
        Closing::Ended(how) => match how {
            HowEnded::Answered | HowEnded::Compacted | HowEnded::Interrupted | HowEnded::Superseded => return None,
            HowEnded::Limit(_) | HowEnded::ContextLimit => return None,
            HowEnded::Failed(why) => why,
            HowEnded::RecoveryLimit => "the turn was given up after the server was restarted several times; post the input again",
        },
    };
    Some(Error::new(Code::AgentProcessingFailed, why))
}

/// Resolves with a sentence for the client when the stream has to end before its turn does.
pub(crate) type Cut = Pin<Box<dyn Future<Output = &'static str> + Send>>;

/// What ends a stream before its turn: the server stops, the key is revoked, or the client's time is over.
pub(crate) fn cut(app: &App, key: Uid, until: Option<Instant>) -> Cut {
    let (stop, revoked) = (app.stop.clone(), app.keyring.clone().until_revoked(key));
    Box::pin(async move {
        let over = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => "the server is shutting down; the turn is kept, read the session's events later",
            () = revoked => "the API key of this stream was revoked",
            () = over => "the turn takes longer than this request may; it goes on, read the session's events",
        }
    })
}

/// What stops a turn whose only reader goes away, for doors whose clients have no other way to stop one.
pub(crate) struct Leaving {
    engine: Arc<Engine>,
    session: Arc<Session>,
    principal: Arc<Principal>,
    left: Option<Left>,
}

/// What is left when a client goes away.
enum Left {
    /// This turn, while it runs; one that pauses is answered by another request.
    Turn(TurnNo),
    /// Whatever turn the session has: it is there for this request alone.
    Session,
}

impl Leaving {
    /// Stops the turn of this watcher when it is dropped before [`Leaving::arrived`]; none where the operator wants turns to go on.
    pub(crate) fn of(app: &App, session: &Arc<Session>, principal: &Arc<Principal>, watcher: &Watcher) -> Option<Self> {
        Self::new(app, session, principal, Left::Turn(watcher.turn()?))
    }

    /// The same of whatever turn the session has, one that is posted later or pauses too.
    pub(crate) fn of_session(app: &App, session: &Arc<Session>, principal: &Arc<Principal>) -> Option<Self> {
        Self::new(app, session, principal, Left::Session)
    }

    fn new(app: &App, session: &Arc<Session>, principal: &Arc<Principal>, left: Left) -> Option<Self> {
        let (session, principal, left) = (session.clone(), principal.clone(), Some(left));
        app.on_disconnect.stops().then(|| Self { engine: app.engine.clone(), session, principal, left })
    }

    /// The client has got all that it will get.
    pub(crate) fn arrived(&mut self) {
        self.left = None;
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        match self.left.take() {
            Some(Left::Turn(turn)) => self.engine.leave(&self.session, &self.principal, turn),
            Some(Left::Session) => self.engine.abandon(&self.session, &self.principal),
            None => {}
        }
    }
}

/// How a door writes what happens. Each method appends whole frames, or nothing.
pub(crate) trait Dialect {
    /// Something happened; never the end.
    fn news(&mut self, news: News, out: &mut String);

    /// Whether the client is not to hear of it, so that what fails after it may still be an ordinary error.
    fn passes_over(&self, _news: &News) -> bool {
        false
    }

    /// Nothing follows: the last frames.
    fn closed(&mut self, closing: &Closing, out: &mut String);

    /// The same where nothing was sent yet: what failed is an ordinary error.
    fn closed_at_once(&mut self, closing: &Closing, out: &mut String) -> Result<()> {
        if let Some(error) = failure(closing) {
            return Err(error);
        }
        self.closed(closing, out);
        Ok(())
    }

    /// Nothing follows although the turn has not ended: why, and the last frames.
    fn broken(&mut self, why: &str, out: &mut String);
}

/// The body.
pub(crate) struct Following<D> {
    // Dropped before what stops the turn: a turn that somebody reads is not left.
    watcher: Watcher,
    /// Frames that are due before anything else.
    first: String,
    dialect: D,
    leaving: Option<Leaving>,
    cut: Cut,
    ping: Pin<Box<Sleep>>,
    last_frame: Instant,
    over: bool,
    _open: Open,
}

impl<D> Following<D> {
    /// What this watcher learns.
    pub(crate) fn new(watcher: Watcher, dialect: D, cut: Cut) -> Self {
        let (ping, last_frame) = (Box::pin(sleep(PING)), Instant::now());
        Self { watcher, first: String::new(), dialect, leaving: None, cut, ping, last_frame, over: false, _open: Open::stream() }
    }

    /// The same, where the client's going away means something.
    pub(crate) fn leaving(self, leaving: Option<Leaving>) -> Self {
        Self { leaving, ..self }
    }

    /// Whether the stream was silent for so long that a reader may think it dead.
    fn poll_ping(&mut self, cx: &mut Context<'_>) -> bool {
        while self.ping.as_mut().poll(cx).is_ready() {
            let due = self.last_frame + PING;
            let now = Instant::now();
            let silent = due <= now;
            self.ping.as_mut().reset(if silent { now + PING } else { due });
            if silent {
                return true;
            }
        }
        false
    }
}

impl<D: Dialect> Following<D> {
    /// Waits for the first piece of news: what fails before it is an ordinary error and no stream. But not so long that a
    /// reader may take the connection for dead: an approved call may work for minutes before there is any.
    pub(crate) async fn begun(mut self, app: &App, session: &Session, until: Instant) -> Result<Self> {
        let silent = Instant::now() + PING;
        loop {
            let Ok(news) = timeout_at(silent, next(app, session, &mut self.watcher, until)).await else { return Ok(self) };
            match news? {
                News::Closed(closing) => {
                    self.end();
                    self.dialect.closed_at_once(&closing, &mut self.first)?;
                    return Ok(self);
                }
                news => {
                    let passed_over = self.dialect.passes_over(&news);
                    self.dialect.news(news, &mut self.first);
                    if !passed_over {
                        return Ok(self);
                    }
                }
            }
        }
    }

    /// What is to be sent next.
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        let mut out = std::mem::take(&mut self.first);
        while out.is_empty() && !self.over {
            match self.watcher.poll_next(cx) {
                Poll::Ready(Some(News::Closed(closing))) => {
                    self.dialect.closed(&closing, &mut out);
                    self.end();
                }
                Poll::Ready(Some(news)) => self.dialect.news(news, &mut out),
                Poll::Ready(None) => self.break_off(BROKE_OFF, &mut out),
                Poll::Pending => match self.cut.as_mut().poll(cx) {
                    Poll::Ready(why) => self.break_off(why, &mut out),
                    Poll::Pending if self.poll_ping(cx) => return Poll::Ready(Bytes::from_static(sse::PING)),
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
        Poll::Ready(out.into())
    }

    fn break_off(&mut self, why: &str, out: &mut String) {
        self.dialect.broken(why, out);
        self.end();
    }

    /// Nothing follows: the client has got, or is just getting, all that it will get.
    fn end(&mut self) {
        self.over = true;
        self.leaving.iter_mut().for_each(Leaving::arrived);
    }
}

impl<D: Dialect + Unpin> Body for Following<D> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        if this.is_end_stream() {
            return Poll::Ready(None);
        }
        let Poll::Ready(bytes) = this.poll_bytes(cx) else { return Poll::Pending };
        this.last_frame = Instant::now();
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.over && self.first.is_empty()
    }
}
