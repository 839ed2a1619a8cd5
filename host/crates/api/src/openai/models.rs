//! The agents as models: those that the caller may see and that take input.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use policy::Action;
use session::Agent;

use crate::App;
use crate::caller::{Caller, Segments};
use crate::errors::{Code, Error, Result};
use crate::limits::{PAGE, SCAN};
use crate::operation::{Answer, Method, Operation};
use crate::reply;

/// Agents that are listed: the list has no pages, and no client shows more to choose from.
const LISTED: usize = 1_000;

pub(crate) static LIST: Operation = Operation {
    id: "listModels",
    method: Method::Get,
    path: "/v1/models",
    summary: "List the agents as models, oldest first",
    action: Some(Action::ListAgents),
    query: &[],
    body: None,
    answer: Answer::Ok("ListModelsResponse"),
};

pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Response> {
    let (mut shown, mut after, mut seen) = (Vec::new(), None, 0);
    while seen < SCAN && shown.len() < LISTED {
        let page = app.engine.agents(caller.0.tenant, after, PAGE)?;
        let room = LISTED - shown.len();
        shown.extend(page.iter().filter(|agent| agent.enabled && caller.sees(&agent.key)).take(room).map(written));
        after = page.last().map(|agent| agent.uid);
        seen += page.len();
        if page.len() < PAGE {
            break;
        }
        tokio::task::yield_now().await;
    }
    Ok(reply::json(StatusCode::OK, &json!({ "object": "list", "data": shown })))
}

pub(crate) static GET: Operation = Operation {
    id: "getModel",
    method: Method::Get,
    path: "/v1/models/{agent_key}",
    summary: "Get an agent as a model",
    action: Some(Action::ListAgents),
    query: &[],
    body: None,
    answer: Answer::Ok("Model"),
};

pub(crate) async fn get(State(app): State<Arc<App>>, caller: Caller, Segments(name): Segments<String>) -> Result<Response> {
    let agent = named(&app, &caller, &name)?;
    if !agent.enabled {
        return Err(missing(&name));
    }
    Ok(reply::json(StatusCode::OK, &written(&agent)))
}

/// The agent that a client calls by this name of a model.
pub(super) fn named(app: &App, caller: &Caller, name: &str) -> Result<Arc<Agent>> {
    // Names of other servers' models, such as `gpt-4.1`, are no keys, and as unknown as any other.
    caller.agent(app, name).map_err(|error| if error.code() == Code::InvalidRequest { missing(name) } else { error })
}

fn missing(name: &str) -> Error {
    Error::missing(Code::AgentNotFound, "model", name).at("model")
}

fn written(agent: &Agent) -> Value {
    json!({ "id": agent.key, "object": "model", "created": agent.created_at.0 / 1_000, "owned_by": "wardian" })
}
