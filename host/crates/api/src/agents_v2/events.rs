//! Events of a session: post input, list, get.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri, Version};

use agent::{Brought, Decisions, Follow, Input, Queue, Watcher};
use policy::Action;
use session::{Agent, Purpose, Seq, Session};

use super::answer::whole;
use super::approvals;
use super::input::{Asked, Compact, Later, Posted, compact_hash, hash, timeout};
use super::stream::{Frames, Named};
use super::view::View;
use crate::App;
use crate::body::ExactBody;
use crate::caller::{Caller, Segments};
use crate::errors::{Code, Error, Result};
use crate::following::{Following, cut, deadline};
use crate::operation::{Answer, Method, Operation, Query};
use crate::page::{Params, Place};
use crate::{repeats, reply, sse};

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

    let waits = matches!(posted.asked, Asked::Turn(_, Some(_)) | Asked::Rejoin(_));
    let stream = posted.stream;
    let watcher = ask(&app, &caller, &headers, &agent, &session, posted).await?;
    if !stream {
        let revoked = app.keyring.clone().until_revoked(caller.0.key);
        return tokio::select! {
            answer = whole(&app, &session, watcher, until, view) => answer,
            () = revoked => Err(Error::new(Code::Unauthorized, "the API key of this request was revoked meanwhile; the turn goes on without it")),
        };
    }
    // What fails before the first frame is an ordinary error, not a stream. Who waits for a turn to come is not kept waiting for that.
    let cut = cut(&app, caller.0.key, timeout.map(|_| until));
    let named = Named { uid: session.uid, key: session.key.as_str().into() };
    let following = Following::new(watcher, Frames::new(named, view), cut);
    Ok(sse::answer(if waits { following } else { following.begun(&app, &session, until).await? }, version))
}

/// Hands to the engine what was posted; the watcher shows what comes of it.
async fn ask(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    agent: &Arc<Agent>,
    session: &Arc<Session>,
    Posted { asked, stream }: Posted,
) -> Result<Watcher> {
    let (engine, principal) = (&app.engine, &caller.0);
    let repeat = || repeats::named(headers, principal, &agent.key, &session.key);
    let follow = if stream { Follow::Text } else { Follow::Entries };
    let input = match asked {
        Asked::Interrupt => return Ok(engine.interrupt(session, principal, follow).await?),
        Asked::Rejoin(since) => return Ok(engine.rejoin(session, principal, engine.since(session, &since)?, follow).await?),
        Asked::Decide(decisions) => {
            let input = Decisions { hash: approvals::hash(&decisions), decisions, repeat: repeat()?, follow, unless_left: false };
            return Ok(engine.decide(agent, session, principal, caller.standing(app), input).await?);
        }
        Asked::Turn(messages, place) => {
            let queue = |Later { since, behavior }| Ok::<_, agent::Error>(Queue { since: engine.since(session, &since)?, behavior });
            let queue = place.map(queue).transpose()?;
            Input {
                hash: hash(&messages, queue.as_ref()),
                messages,
                purpose: Purpose::Answer,
                repeat: repeat()?,
                follow,
                queue,
                brought: Brought::default(),
                unless_left: false,
            }
        }
        Asked::Compact(Compact { up_to, message }) => {
            let up_to = up_to.map(|id| listed(app, session, &id)).transpose()?;
            let hash = compact_hash(up_to, message.as_deref());
            let purpose = Purpose::Compact { up_to, message };
            let (messages, brought) = (Vec::new(), Brought::default());
            let input = Input { messages, purpose, hash, repeat: repeat()?, follow, queue: None, brought, unless_left: false };
            let watcher = engine.post(agent.clone(), session.clone(), principal, input).await;
            return watcher.map_err(|error| match error {
                agent::Error::NothingToCompact if up_to.is_some() => Error::from(error).at("compact_up_to_event_id"),
                other => other.into(),
            });
        }
    };
    Ok(engine.post(agent.clone(), session.clone(), principal, input).await?)
}

/// The position of a listed event, up to which a summary is to go.
fn listed(app: &App, session: &Session, id: &str) -> Result<Seq> {
    match app.engine.event(session, id) {
        Ok(entry) => Ok(entry.seq),
        Err(agent::Error::NotFound { .. }) => {
            let why = format!("`compact_up_to_event_id` must be the id of an event of this session, not `{id}`");
            Err(Error::field("compact_up_to_event_id", why))
        }
        Err(error) => Err(error.into()),
    }
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
