//! A turn's answer in one piece: the events' ready bodies, put together.

use axum::response::Response;
use http::StatusCode;

use agent::{News, Watcher};
use session::Session;
use session::json::push_string;
use tokio::time::Instant;

use super::view::View;
use crate::App;
use crate::errors::Result;
use crate::following::{failure, next};
use crate::reply;

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
