//! A turn's answer in one piece: the events' ready bodies, put together.

use axum::response::Response;
use http::StatusCode;

use agent::{Closing, News, Watcher};
use session::json::push_string;
use session::{HowEnded, Session};
use tokio::time::{Instant, timeout_at};

use super::view::View;
use crate::App;
use crate::errors::{Code, Error, Result};
use crate::reply;

/// Longest that a turn is waited for when the client names no time; the turn's own limits end it long before.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// When a request that may take this long has to be answered.
pub(super) fn deadline(timeout: Option<std::time::Duration>) -> Instant {
    Instant::now() + timeout.unwrap_or(PATIENCE).min(PATIENCE)
}

/// The next piece of news before `until`; the error says why there is none.
pub(super) async fn next(app: &App, session: &Session, watcher: &mut Watcher, until: Instant) -> Result<News> {
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

/// Waits until the turn ends, or waits for somebody, and answers with its events.
pub(super) async fn whole(app: &App, session: &Session, mut watcher: Watcher, until: Instant, view: View) -> Result<Response> {
    let mut body = "{\"events\":[".to_owned();
    let mut first = true;
    loop {
        match next(app, session, &mut watcher, until).await? {
            news if !view.shows(&news) => {}
            News::Entry(entry) => {
                body.push_str(if first { "" } else { "," });
                body.push_str(&entry.body);
                first = false;
            }
            News::Closed(closing) => match failure(&closing) {
                Some(error) => return Err(error),
                None => break,
            },
            News::Delta { .. } | News::Call { .. } | News::Void { .. } | News::Usage { .. } | News::CompactionStarted { .. } => {}
        }
    }
    body.push_str("],\"session_key\":");
    push_string(&mut body, &session.key);
    body.push('}');
    Ok(reply::text(StatusCode::CREATED, body))
}

/// What to tell the client where a turn ended without being of use. One that waits has come as far as it can.
pub(super) fn failure(closing: &Closing) -> Option<Error> {
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
