//! Events of the past: hide one, show it again, erase it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use agent::Edit;
use policy::Action;
use session::Entry;

use crate::App;
use crate::caller::{Caller, Segments};
use crate::errors::Result;
use crate::operation::{Answer, Method, Operation};
use crate::reply;

/// Agent, session and event of a path.
type Path = Segments<(String, String, String)>;

pub(crate) static HIDE: Operation = Operation {
    id: "hideAgentEvent",
    method: Method::Post,
    path: "/v2/agents/{agent_key}/sessions/{session_key}/events/{event_id}/hide",
    summary: "Hide an event: lists leave it out, and the model is not shown it",
    action: Some(Action::HideEvents),
    query: &[],
    body: None,
    answer: Answer::Ok("AgentEvent"),
};

pub(crate) async fn hide(State(app): State<Arc<App>>, caller: Caller, path: Path) -> Result<Response> {
    let entry = edit(&app, &caller, path, Edit::Hide, Action::HideEvents).await?;
    Ok(reply::text(StatusCode::OK, entry.body.to_string()))
}

pub(crate) static UNHIDE: Operation = Operation {
    id: "unhideAgentEvent",
    method: Method::Post,
    path: "/v2/agents/{agent_key}/sessions/{session_key}/events/{event_id}/unhide",
    summary: "Show a hidden event again",
    action: Some(Action::HideEvents),
    query: &[],
    body: None,
    answer: Answer::Ok("AgentEvent"),
};

pub(crate) async fn unhide(State(app): State<Arc<App>>, caller: Caller, path: Path) -> Result<Response> {
    let entry = edit(&app, &caller, path, Edit::Unhide, Action::HideEvents).await?;
    Ok(reply::text(StatusCode::OK, entry.body.to_string()))
}

pub(crate) static DELETE: Operation = Operation {
    id: "deleteAgentEvent",
    method: Method::Delete,
    path: "/v2/agents/{agent_key}/sessions/{session_key}/events/{event_id}",
    summary: "Erase an event",
    action: Some(Action::DeleteEvents),
    query: &[],
    body: None,
    answer: Answer::Nothing,
};

pub(crate) async fn delete(State(app): State<Arc<App>>, caller: Caller, path: Path) -> Result<StatusCode> {
    edit(&app, &caller, path, Edit::Delete, Action::DeleteEvents).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn edit(app: &App, caller: &Caller, path: Path, edit: Edit, action: Action) -> Result<Entry> {
    let Segments((agent_key, session_key, event_id)) = path;
    let agent = caller.agent(app, &agent_key)?;
    let session = caller.session(app, &agent, &session_key, action)?;
    Ok(app.engine.edit_event(&session, &event_id, edit).await?)
}
