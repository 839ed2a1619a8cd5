//! Agents: stored definitions.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use serde_json::{Map, Value, json};

use agent::{Clock, NewAgent};
use policy::Action;
use session::{Agent, ToolRef, Uid};
use tool::Caller as ToolCaller;

use super::definition::{outlined, patched, read, wire};
use super::view::View;
use crate::App;
use crate::body::JsonBody;
use crate::caller::{Caller, Segments};
use crate::errors::{Code, Error, Result};
use crate::fields::Fields;
use crate::operation::{Answer, Method, Operation, Query};
use crate::page::{Params, Place, gather, metadata};
use crate::{naming, reply};

/// Agents on a page when the client does not say.
const PAGE: usize = 10;

/// Keys that are made up before giving up; each is taken with a chance of 1 in 65,536 per agent of a like name.
const ATTEMPTS: usize = 8;

/// Tools that the refusal of an unknown one lists.
const LISTED: usize = 30;

pub(crate) static CREATE: Operation = Operation {
    id: "createAgent",
    method: Method::Post,
    path: "/v2/agents",
    summary: "Create an agent",
    action: Some(Action::AdministerAgents),
    query: &[Query::AllTypes],
    body: Some("CreateAgentRequest"),
    answer: Answer::Created("Agent"),
};

pub(crate) async fn create(State(app): State<Arc<App>>, caller: Caller, view: View, JsonBody(body): JsonBody) -> Result<Response> {
    let key = new_key(&app, &caller, &body)?;
    if !caller.sees(&key) {
        return Err(Error::new(Code::Forbidden, format!("this key is limited to certain agents, and `{key}` is not among them")));
    }
    let new = read(&body, key)?;
    check_tools(&app, &caller, &new, None)?;
    let (key, name) = (new.key.clone(), new.name.clone());
    let made = app.engine.create_agent(caller.0.tenant, new).await;
    let agent = made.map_err(|error| taken(error, &key, &name, app.engine.agent(caller.0.tenant, &key).is_err()))?;
    Ok(reply::json(StatusCode::CREATED, &view.agent(&agent)))
}

/// The key that the client chose, or one made from the name.
fn new_key(app: &App, caller: &Caller, body: &Map<String, Value>) -> Result<String> {
    let fields = Fields::of_body(body);
    if let Some(key) = fields.text("key", 0..=usize::MAX)? {
        return Ok(naming::checked(key, "key")?.to_owned());
    }
    let name = fields.text("name", 0..=usize::MAX)?.unwrap_or_default();
    let mut made = (0..ATTEMPTS).map(|_| naming::agent_key(name, Clock.random()));
    let free = made.find(|key| app.engine.agent(caller.0.tenant, key).is_err());
    free.ok_or_else(|| Error::new(Code::Conflict, format!("too many agents are named like `{name}`; choose a `key`")))
}

/// Refuses tools that this agent may not use. Bindings that stay as they were are
/// not looked at: a plugin that is away for a while must not block other changes.
fn check_tools(app: &App, caller: &Caller, new: &NewAgent, seen: Option<&Agent>) -> Result<()> {
    let to = ToolCaller { tenant: caller.0.tenant_name.clone(), agent: new.key.as_str().into() };
    let toolbox = app.engine.toolbox();
    let changed = |name: &String| seen.is_none_or(|seen| seen.tools.get(name) != new.tools.get(name));
    for (name, binding) in new.tools.iter().filter(|(name, _)| changed(name)) {
        let is_there = match &binding.tool {
            ToolRef::Plugin(tool) => toolbox.find(&to, tool).is_some(),
            // The engine looks, where none can be deleted meanwhile.
            ToolRef::Client(_) => true,
        };
        if !is_there {
            let there: Vec<String> = toolbox.tools(&to).iter().take(LISTED).map(|spec| spec.id.wire()).collect();
            let id = wire(&binding.tool);
            let why = format!("tool `{id}` does not exist for agent `{}`; there are: {}", new.key, there.join(", "));
            return Err(Error::field(format!("tool_configurations.{name}.tool_id"), why).with(Code::InvalidToolReference));
        }
    }
    Ok(())
}

pub(crate) static LIST: Operation = Operation {
    id: "listAgents",
    method: Method::Get,
    path: "/v2/agents",
    summary: "List agents, oldest first",
    action: Some(Action::ListAgents),
    query: &[Query::Limit(10), Query::PageKey, Query::Filter, Query::Enabled, Query::AllTypes],
    body: None,
    answer: Answer::Ok("ListAgentsResponse"),
};

pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller, view: View, uri: Uri) -> Result<Response> {
    let params = Params::of(&uri)?;
    let (limit, filter, enabled) = (params.limit(PAGE)?, params.filter()?, params.flag("enabled")?);
    let choice = format!("{enabled:?} {:?} {:?}", params.get("filter"), caller.0.agents);
    let place = Place { tenant: caller.0.tenant, list: "agents", choice };
    let after = app.page_keys.read(&place, &params)?.map(Uid);
    let keep = |agent: &Agent| {
        caller.sees(&agent.key)
            && enabled.is_none_or(|enabled| agent.enabled == enabled)
            && filter.as_ref().is_none_or(|f| {
                // A name that reads as another pattern is found by itself all the same.
                params.get("filter") == Some(&agent.name)
                    || f.is_match(&agent.name)
                    || agent.description.as_deref().is_some_and(|d| f.is_match(d))
            })
    };
    let slice = |after, size| Ok(app.engine.agents(caller.0.tenant, after, size)?);
    let page = gather(limit, after, |agent: &Agent| agent.uid, slice, keep)?;
    let key = page.items.last().filter(|_| page.more).map(|last| app.page_keys.write(&place, last.uid.0));
    let whole = caller.check(Action::ReadAgent, true).is_ok();
    let agents: Vec<Value> = page.items.iter().map(|agent| if whole { view.agent(agent) } else { outlined(agent) }).collect();
    Ok(reply::json(StatusCode::OK, &json!({ "agents": agents, "metadata": metadata(key) })))
}

pub(crate) static GET: Operation = Operation {
    id: "getAgent",
    method: Method::Get,
    path: "/v2/agents/{agent_key}",
    summary: "Get an agent",
    action: Some(Action::ReadAgent),
    query: &[Query::AllTypes],
    body: None,
    answer: Answer::Ok("Agent"),
};

pub(crate) async fn get(State(app): State<Arc<App>>, caller: Caller, Segments(key): Segments<String>, view: View) -> Result<Response> {
    let agent = caller.agent(&app, &key)?;
    Ok(reply::json(StatusCode::OK, &view.agent(&agent)))
}

pub(crate) static UPDATE: Operation = Operation {
    id: "updateAgent",
    method: Method::Patch,
    path: "/v2/agents/{agent_key}",
    summary: "Change an agent; what is absent stays, null clears, null entries of maps are removed",
    action: Some(Action::UpdateAgent),
    query: &[Query::AllTypes],
    body: Some("UpdateAgentRequest"),
    answer: Answer::Ok("Agent"),
};

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments(key): Segments<String>,
    view: View,
    JsonBody(patch): JsonBody,
) -> Result<Response> {
    let seen = caller.agent(&app, &key)?;
    let whole = patched(&seen, &patch)?;
    let agent = changed(&app, &caller, &seen, &whole).await?;
    Ok(reply::json(StatusCode::OK, &view.agent(&agent)))
}

pub(crate) static REPLACE: Operation = Operation {
    id: "replaceAgent",
    method: Method::Put,
    path: "/v2/agents/{agent_key}",
    summary: "Replace an agent's definition; its sessions stay",
    action: Some(Action::AdministerAgents),
    query: &[Query::AllTypes],
    body: Some("CreateAgentRequest"),
    answer: Answer::Ok("Agent"),
};

pub(crate) async fn replace(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments(key): Segments<String>,
    view: View,
    JsonBody(whole): JsonBody,
) -> Result<Response> {
    let seen = caller.agent(&app, &key)?;
    let agent = changed(&app, &caller, &seen, &whole).await?;
    Ok(reply::json(StatusCode::OK, &view.agent(&agent)))
}

async fn changed(app: &App, caller: &Caller, seen: &Agent, whole: &Map<String, Value>) -> Result<Arc<Agent>> {
    let new = read(whole, seen.key.clone())?;
    check_tools(app, caller, &new, Some(seen))?;
    let name = new.name.clone();
    // The key stays, so only the name can be another agent's.
    app.engine.update_agent(seen, new).await.map_err(|error| taken(error, &seen.key, &name, true))
}

/// Says which of key and name is in use: the engine knows that one of them is.
fn taken(error: agent::Error, key: &str, name: &str, key_is_free: bool) -> Error {
    match error {
        agent::Error::Taken { .. } if key_is_free => {
            Error::new(Code::Conflict, format!("another agent has the name `{name}`; choose another `name`"))
        }
        agent::Error::Taken { .. } => Error::new(Code::Conflict, format!("agent `{key}` exists already; choose another `key`")),
        other => other.into(),
    }
}

pub(crate) static DELETE: Operation = Operation {
    id: "deleteAgent",
    method: Method::Delete,
    path: "/v2/agents/{agent_key}",
    summary: "Delete an agent with its sessions; running turns stop",
    action: Some(Action::AdministerAgents),
    query: &[],
    body: None,
    answer: Answer::Nothing,
};

pub(crate) async fn delete(State(app): State<Arc<App>>, caller: Caller, Segments(key): Segments<String>) -> Result<StatusCode> {
    let agent = caller.agent(&app, &key)?;
    app.engine.delete_agent(&agent).await?;
    Ok(StatusCode::NO_CONTENT)
}
