//! Sessions: conversations with an agent.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use serde_json::{Map, Value, json};

use agent::{Clock, ForkOf, NewSession};
use policy::Action;
use session::{Agent, Session, Uid};

use super::definition::context;
use super::secrets;
use super::stream::context_usage;
use crate::App;
use crate::body::JsonBody;
use crate::caller::{Caller, Segments};
use crate::errors::{Error, Result};
use crate::fields::Fields;
use crate::metadata_filter::MetadataFilter;
use crate::operation::{Answer, Method, Operation, Query};
use crate::page::{Params, Place, gather, metadata};
use crate::{naming, reply};

/// Sessions on a page when the client does not say.
const PAGE: usize = 10;
/// Characters of a session's name.
const NAME: usize = 255;
/// Minutes that a session may idle: the API's own type of integer, 4,085 years.
pub(crate) const TTI_MINUTES: u64 = i32::MAX as u64;
/// Characters of a description.
const DESCRIPTION: usize = 5_000;
/// Characters of an event's id; ours are shorter.
const EVENT_ID: usize = 255;

pub(crate) static CREATE: Operation = Operation {
    id: "createAgentSession",
    method: Method::Post,
    path: "/v2/agents/{agent_key}/sessions",
    summary: "Open a session with an agent",
    action: Some(Action::CreateSession),
    query: &[],
    body: Some("CreateAgentSessionRequest"),
    answer: Answer::Created("AgentSession"),
};

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments(agent_key): Segments<String>,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    let agent = caller.agent(&app, &agent_key)?;
    let new = read(&body, None)?;
    let session = match fork_of(&app, &caller, &agent, &body)? {
        Some(of) => app.engine.fork_session(&agent, &caller.0, new, of).await.map_err(|error| match error {
            agent::Error::NothingToCompact => Error::from(error).at("from_session.compact_up_to_event_id"),
            other => other.into(),
        })?,
        None => app.engine.create_session(&agent, &caller.0, new).await?,
    };
    Ok(reply::json(StatusCode::CREATED, &written(&app, &agent, &session)?))
}

/// Whose past the new session begins with, if it asks for one: a session that the caller may read.
fn fork_of(app: &App, caller: &Caller, agent: &Arc<Agent>, body: &Map<String, Value>) -> Result<Option<ForkOf>> {
    let body = Fields::of_body(body);
    let Some(from) = body.value("from_session") else { return Ok(None) };
    let fields = Fields::of(from, "from_session")?;
    let text = |member| Ok::<_, Error>(fields.text(member, 1..=EVENT_ID)?.map(str::to_owned));
    let (include_up_to, compact_up_to) = (text("include_up_to_event_id")?, text("compact_up_to_event_id")?);
    if include_up_to.is_some() && compact_up_to.is_some() {
        let both = "`include_up_to_event_id` and `compact_up_to_event_id` cannot both be given; choose one";
        return Err(Error::field(fields.path("compact_up_to_event_id"), both));
    }
    let session_key = fields.required("session_key", fields.text("session_key", 0..=usize::MAX)?)?;
    let agent = match fields.text("agent_key", 0..=usize::MAX)? {
        Some(key) => caller.agent(app, key)?,
        None => agent.clone(),
    };
    let session = caller.session(app, &agent, session_key, Action::ReadSession)?;
    Ok(Some(ForkOf { session, include_up_to, compact_up_to }))
}

pub(crate) static LIST: Operation = Operation {
    id: "listAgentSessions",
    method: Method::Get,
    path: "/v2/agents/{agent_key}/sessions",
    summary: "List the sessions of an agent, oldest first",
    action: Some(Action::ListSessions),
    query: &[Query::Limit(10), Query::PageKey, Query::Filter, Query::MetadataFilter, Query::Enabled],
    body: None,
    answer: Answer::Ok("ListAgentSessionsResponse"),
};

pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller, Segments(agent_key): Segments<String>, uri: Uri) -> Result<Response> {
    let agent = caller.agent(&app, &agent_key)?;
    let params = Params::of(&uri)?;
    let (limit, filter, enabled) = (params.limit(PAGE)?, params.filter()?, params.flag("enabled")?);
    let metadata_filter = MetadataFilter::of(&params)?;
    let list = format!("sessions of {}", agent.uid);
    let choice = format!("{enabled:?} {:?} {:?}", params.get("filter"), metadata_filter.as_ref().map(MetadataFilter::to_string));
    let place = Place { tenant: agent.tenant, list: &list, choice };
    let after = app.page_keys.read(&place, &params)?.map(Uid);
    let keep = |session: &Session| {
        !session.unlisted
            && enabled.is_none_or(|enabled| session.enabled == enabled)
            && filter.as_ref().is_none_or(|f| f.is_match(&session.name) || session.description.as_deref().is_some_and(|d| f.is_match(d)))
            && metadata_filter.as_ref().is_none_or(|condition| condition.matches(&session.metadata))
    };
    let slice = |after, size| Ok(app.engine.sessions(&agent, after, size)?);
    let page = gather(limit, after, |session: &Session| session.uid, slice, keep);
    // A condition that gave up keeps nothing: that is the reason to tell, not how little there was.
    metadata_filter.as_ref().map_or(Ok(()), MetadataFilter::came_to_its_end)?;
    let page = page?;
    let key = page.items.last().filter(|_| page.more).map(|last| app.page_keys.write(&place, last.uid.0));
    let sessions = page.items.iter().map(|session| written(&app, &agent, session)).collect::<Result<Vec<_>>>()?;
    Ok(reply::json(StatusCode::OK, &json!({ "sessions": sessions, "metadata": metadata(key) })))
}

pub(crate) static GET: Operation = Operation {
    id: "getAgentSession",
    method: Method::Get,
    path: "/v2/agents/{agent_key}/sessions/{session_key}",
    summary: "Get a session",
    action: Some(Action::ReadSession),
    query: &[],
    body: None,
    answer: Answer::Ok("AgentSession"),
};

pub(crate) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments((agent_key, session_key)): Segments<(String, String)>,
) -> Result<Response> {
    let agent = caller.agent(&app, &agent_key)?;
    let session = caller.session(&app, &agent, &session_key, Action::ReadSession)?;
    Ok(reply::json(StatusCode::OK, &written(&app, &agent, &session)?))
}

pub(crate) static UPDATE: Operation = Operation {
    id: "updateAgentSession",
    method: Method::Patch,
    path: "/v2/agents/{agent_key}/sessions/{session_key}",
    summary: "Change a session; what is absent stays",
    action: Some(Action::UpdateSession),
    query: &[],
    body: Some("UpdateAgentSessionRequest"),
    answer: Answer::Ok("AgentSession"),
};

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments((agent_key, session_key)): Segments<(String, String)>,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    let agent = caller.agent(&app, &agent_key)?;
    let seen = caller.session(&app, &agent, &session_key, Action::UpdateSession)?;
    let new = read(&body, Some(&seen))?;
    let session = app.engine.update_session(&agent, &seen, new).await?;
    Ok(reply::json(StatusCode::OK, &written(&app, &agent, &session)?))
}

pub(crate) static DELETE: Operation = Operation {
    id: "deleteAgentSession",
    method: Method::Delete,
    path: "/v2/agents/{agent_key}/sessions/{session_key}",
    summary: "Delete a session with its events; a running turn stops",
    action: Some(Action::UpdateSession),
    query: &[],
    body: None,
    answer: Answer::Nothing,
};

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments((agent_key, session_key)): Segments<(String, String)>,
) -> Result<StatusCode> {
    let agent = caller.agent(&app, &agent_key)?;
    let session = caller.session(&app, &agent, &session_key, Action::UpdateSession)?;
    app.engine.delete_session(&session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads a body. What is absent comes from `seen`, where there is one; null clears.
fn read(body: &Map<String, Value>, seen: Option<&Session>) -> Result<NewSession> {
    let fields = Fields::of_body(body);
    let kept_secrets = seen.map(|seen| seen.secrets.clone()).unwrap_or_default();
    let kept = |member: &str| seen.filter(|_| !body.contains_key(member));
    let name = match (fields.text("name", 1..=NAME)?, kept("name")) {
        (Some(name), _) => name.to_owned(),
        (None, Some(seen)) => seen.name.clone(),
        (None, None) => made_up_name(),
    };
    let key = match (seen, fields.text("key", 0..=usize::MAX)?) {
        (Some(seen), _) => seen.key.clone(),
        (None, Some(key)) => naming::chosen_session_key(key, "key")?.to_owned(),
        (None, None) => naming::session_key(&name, Clock.random()),
    };
    let description = fields.text("description", 0..=DESCRIPTION)?.map(str::to_owned);
    Ok(NewSession {
        key,
        name,
        description: kept("description").map_or(description, |seen| seen.description.clone()),
        metadata: kept("metadata").map_or_else(|| fields.metadata(), |seen| Ok(seen.metadata.clone()))?,
        enabled: fields.flag("enabled")?.or(kept("enabled").map(|seen| seen.enabled)).unwrap_or(true),
        tti_minutes: fields.count("tti_minutes", 0..=TTI_MINUTES)?.or(kept("tti_minutes").map(|seen| seen.tti_minutes)).unwrap_or(0),
        secrets: match fields.object("secrets")? {
            Some(changes) => secrets::merged(&kept_secrets, changes)?,
            None => kept_secrets,
        },
        conversation: seen.and_then(|seen| seen.conversation.clone()),
        unlisted: seen.is_some_and(|seen| seen.unlisted),
    })
}

/// `Session of 2026-05-28 22:17`.
fn made_up_name() -> String {
    let now = Clock.now().rfc3339();
    format!("Session of {}", now[..16].replace('T', " "))
}

fn written(app: &App, agent: &Agent, session: &Session) -> Result<Value> {
    let head = app.engine.head(session)?;
    let mut json = json!({
        "key": session.key,
        "agent_key": agent.key,
        "name": session.name,
        "metadata": session.metadata,
        "current_step_name": null,
        "enabled": session.enabled,
        "status": head.status,
        "tti_minutes": session.tti_minutes,
        "effective_compaction": context::written(&session.compaction),
        "created_at": session.created_at.rfc3339(),
    });
    if let Some(description) = &session.description {
        json["description"] = json!(description);
    }
    if !session.secrets.is_empty() {
        json["secrets"] = secrets::masked(&session.secrets);
    }
    if let Some(usage) = &head.usage {
        json["session_context_usage"] = context_usage(usage);
    }
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use session::{Compaction, Millis, Secrets};

    fn seen() -> Session {
        Session {
            uid: Uid([1; 16]),
            tenant: Uid([2; 16]),
            agent: Uid([3; 16]),
            key: "ase_x".into(),
            revision: 1,
            name: "Old".into(),
            description: Some("d".into()),
            metadata: json!({"a": 1}).as_object().unwrap().clone(),
            enabled: false,
            tti_minutes: 5,
            compaction: Compaction::default(),
            secrets: Secrets::default(),
            owner_key: Uid([4; 16]),
            owner_subject: None,
            created_at: Millis(0),
            conversation: None,
            unlisted: false,
        }
    }

    fn patched(patch: Value) -> NewSession {
        read(patch.as_object().unwrap(), Some(&seen())).unwrap()
    }

    #[test]
    fn an_empty_body_makes_a_session_with_a_name_and_a_key() {
        let new = read(&Map::new(), None).unwrap();
        assert!(new.name.starts_with("Session of 20"));
        assert!(new.key.starts_with("ase_session_of_20") && new.key.len() <= 50, "{}", new.key);
        assert!(new.enabled && new.metadata.is_empty());
    }

    #[test]
    fn a_patch_keeps_what_is_absent_and_null_clears() {
        let same = patched(json!({}));
        assert_eq!((same.name.as_str(), same.description.as_deref(), same.enabled, same.tti_minutes), ("Old", Some("d"), false, 5));
        let cleared = patched(json!({"description": null, "metadata": null, "enabled": null, "tti_minutes": null}));
        assert_eq!((cleared.description, cleared.metadata.len(), cleared.enabled, cleared.tti_minutes), (None, 0, true, 0));
        let other = patched(json!({"metadata": {"b": 2}, "key": "other"}));
        assert_eq!((Value::from(other.metadata), other.key.as_str()), (json!({"b": 2}), "ase_x"));
    }

    #[test]
    fn secrets_merge_with_those_that_are_there() {
        let mut seen = seen();
        seen.secrets.0.insert("a".into(), "one".into());
        let patch = |change: Value| read(change.as_object().unwrap(), Some(&seen)).unwrap().secrets.0;
        assert_eq!(patch(json!({})), seen.secrets.0);
        assert_eq!(patch(json!({"secrets": {"b": "two"}})).len(), 2);
        assert!(patch(json!({"secrets": {"a": null}})).is_empty());
    }

    #[test]
    fn the_time_to_idle_is_a_whole_number_of_minutes() {
        for (wanted, kept) in [(json!({}), 0), (json!({"tti_minutes": 0}), 0), (json!({"tti_minutes": TTI_MINUTES}), TTI_MINUTES)] {
            assert_eq!(read(wanted.as_object().unwrap(), None).unwrap().tti_minutes, kept);
        }
        for wrong in [json!(-1), json!(1.5), json!("5"), json!(TTI_MINUTES + 1)] {
            let error = read(json!({"tti_minutes": wrong}).as_object().unwrap(), None).unwrap_err();
            assert!(error.body("r")["field_errors"]["tti_minutes"].is_string(), "{error:?}");
        }
        assert_eq!(patched(json!({"tti_minutes": 7})).tti_minutes, 7);
    }
}
