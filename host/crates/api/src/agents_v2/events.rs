//! Events of a session: post input, list, get.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri, Version};

use agent::{Decisions, Input, News};
use policy::Action;
use session::Seq;

use super::answer::{deadline, failure, next, whole};
use super::approvals;
use super::input::{Asked, Posted, hash, repeat, timeout};
use super::stream::{Cut, Frames};
use super::view::View;
use crate::App;
use crate::body::ExactBody;
use crate::caller::{Caller, Segments};
use crate::errors::{Code, Error, Result};
use crate::operation::{Answer, Method, Operation, Query};
use crate::page::{Params, Place};
use crate::{reply, sse};

/// Events on a page when the client does not say.
const PAGE: usize = 20;

pub(crate) static CREATE: Operation = Operation {
    id: "createAgentEvent",
    method: Method::Post,
    path: "/v2/agents/{agent_key}/sessions/{session_key}/events",
    summary: "Post input to a session and get the events of its turn, in one piece or as a stream",
    action: Some(Action::PostEvent),
    query: &[Query::AllTypes],
    body: Some("CreateInputRequest"),
    answer: Answer::CreatedOrStream("AgentResponse"),
};

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments((agent_key, session_key)): Segments<(String, String)>,
    view: View,
    version: Version,
    headers: HeaderMap,
    body: ExactBody,
) -> Result<Response> {
    let agent = caller.agent(&app, &agent_key)?;
    let session = caller.session(&app, &agent, &session_key, Action::PostEvent)?;
    let posted = Posted::read(&body.members, &body.text, app.limits.message_bytes)?;
    let timeout = timeout(&headers)?;
    let until = deadline(timeout);

    let mut watcher = match posted.asked {
        Asked::Interrupt => app.engine.interrupt(&session, &caller.0, posted.stream).await?,
        Asked::Decide(decisions) => {
            let repeat = repeat(&headers, &caller.0, &agent.key, &session.key)?;
            let input = Decisions { hash: approvals::hash(&decisions), decisions, repeat, stream: posted.stream };
            app.engine.decide(&agent, &session, &caller.0, caller.standing(&app), input).await?
        }
        Asked::Turn(messages) => {
            let repeat = repeat(&headers, &caller.0, &agent.key, &session.key)?;
            let input = Input { hash: hash(&messages), messages, repeat, stream: posted.stream };
            app.engine.post(agent, session.clone(), &caller.0, input).await?
        }
    };
    if !posted.stream {
        return whole(&app, &session, watcher, until, view).await;
    }
    // What fails before the first frame is an ordinary error, not a stream.
    let first = next(&app, &session, &mut watcher, until).await?;
    if let News::Closed(how) = &first
        && let Some(why) = failure(how)
    {
        return Err(Error::new(Code::AgentProcessingFailed, why));
    }
    let cut = cut(&app, caller.0.key, timeout.map(|_| until));
    Ok(sse::answer(Frames::new(watcher, first, session.uid, view, cut), version))
}

/// What ends a stream before its turn: the server stops, the key is revoked, or the client's time is over.
fn cut(app: &App, key: session::Uid, until: Option<tokio::time::Instant>) -> Cut {
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

pub(crate) static LIST: Operation = Operation {
    id: "listAgentEvents",
    method: Method::Get,
    path: "/v2/agents/{agent_key}/sessions/{session_key}/events",
    summary: "List the events of a session in chronological order",
    action: Some(Action::ReadEvents),
    query: &[Query::Limit(20), Query::PageKey, Query::IncludeHidden],
    body: None,
    answer: Answer::Ok("ListAgentEventsResponse"),
};

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments((agent_key, session_key)): Segments<(String, String)>,
    uri: Uri,
) -> Result<Response> {
    let agent = caller.agent(&app, &agent_key)?;
    let session = caller.session(&app, &agent, &session_key, Action::ReadEvents)?;
    let params = Params::of(&uri)?;
    let (limit, hidden) = (params.limit(PAGE)?, params.flag("include_hidden")?.unwrap_or(false));
    let list = format!("events of {}", session.uid);
    let place = Place { tenant: session.tenant, list: &list, choice: hidden.to_string() };
    let last = app.page_keys.read(&place, &params)?.map_or(0, u128::from_be_bytes);
    let from = Seq(u64::try_from(last).unwrap_or(u64::MAX - 1)).next();

    let listed = app.engine.events(&session, from, limit, hidden)?;
    let mut body = String::with_capacity(64 + listed.page.entries.iter().map(|entry| entry.body.len() + 1).sum::<usize>());
    body.push_str("{\"events\":[");
    for (at, entry) in listed.page.entries.iter().enumerate() {
        body.push_str(if at == 0 { "" } else { "," });
        body.push_str(&entry.body);
    }
    body.push_str("],\"metadata\":{");
    if let Some(last) = listed.page.entries.last().filter(|_| listed.page.more) {
        let key = app.page_keys.write(&place, u128::from(last.seq.0).to_be_bytes());
        body.push_str(&format!("\"page_key\":\"{key}\","));
    }
    body.push_str(&format!("\"total_count\":{}}}}}", listed.total));
    Ok(reply::text(StatusCode::OK, body))
}

pub(crate) static GET: Operation = Operation {
    id: "getAgentEvent",
    method: Method::Get,
    path: "/v2/agents/{agent_key}/sessions/{session_key}/events/{event_id}",
    summary: "Get one event",
    action: Some(Action::ReadEvents),
    query: &[],
    body: None,
    answer: Answer::Ok("AgentEvent"),
};

pub(crate) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments((agent_key, session_key, event_id)): Segments<(String, String, String)>,
) -> Result<Response> {
    let agent = caller.agent(&app, &agent_key)?;
    let session = caller.session(&app, &agent, &session_key, Action::ReadEvents)?;
    let entry = app.engine.event(&session, &event_id)?;
    Ok(reply::text(StatusCode::OK, entry.body.to_string()))
}
