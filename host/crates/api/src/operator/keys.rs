//! API keys.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use serde_json::json;

use audit::Act;
use policy::{Action, Role};
use session::Uid;

use crate::App;
use crate::auth::NewKey;
use crate::body::JsonBody;
use crate::caller::{Caller, Segments};
use crate::errors::{Error, Result, missing_key};
use crate::fields::Fields;
use crate::operation::{Answer, Method, Operation, Query};
use crate::operator::record;
use crate::page::Params;
use crate::{naming, reply};

/// Agents that one key may be limited to.
const AGENTS: usize = 100;
/// Characters of a label and of a subject.
const LABEL: usize = 200;

pub(crate) static CREATE: Operation = Operation {
    id: "createKey",
    method: Method::Post,
    path: "/operator/v1/keys",
    summary: "Make an API key; its text is in this answer and nowhere else",
    action: Some(Action::Operate),
    query: &[],
    body: Some("CreateKeyRequest"),
    answer: Answer::Created("CreatedKey"),
};

pub(crate) async fn create(State(app): State<Arc<App>>, caller: Caller, JsonBody(body): JsonBody) -> Result<Response> {
    let fields = Fields::of_body(&body);
    let role = fields.required("role", fields.text("role", 1..=64)?)?;
    let role = Role::from_word(role)
        .ok_or_else(|| Error::field("role", "`role` must be agent_user, agent_viewer, agent_developer, agent_administrator or owner"))?;
    let agents = fields.texts("agents", AGENTS)?;
    for agent in agents.iter().flatten() {
        naming::checked(agent, "agents")?;
    }
    let home = &*app.keyring.home().name;
    let tenant = fields.text("tenant", 1..=64)?.unwrap_or(home).to_owned();
    if role == Role::Owner {
        check_owner(tenant == home, agents.as_deref())?;
    }
    let subject = fields.text("subject", 1..=LABEL)?.map(str::to_owned);
    let label = fields.text("label", 1..=LABEL)?.map(str::to_owned);
    let (text, key) = app.keyring.create(NewKey { tenant, role, agents, subject, label }).await?;
    record(&app, &caller, Act::KeyCreated, &key.id.hex(), &key.tenant).await?;
    let mut json = json!(key);
    json["key"] = json!(text);
    Ok(reply::json(StatusCode::CREATED, &json))
}

/// An owner runs the whole server: a narrower one would be an administrator under the wrong name.
fn check_owner(of_home: bool, agents: Option<&[String]>) -> Result<()> {
    if !of_home {
        let why = "an owner key belongs to the operator's own tenant; for another one make a key with the role agent_administrator";
        return Err(Error::field("tenant", why));
    }
    if agents.is_some() {
        return Err(Error::field("agents", "an owner key cannot be limited to agents; leave `agents` out, or choose another role"));
    }
    Ok(())
}

pub(crate) static LIST: Operation = Operation {
    id: "listKeys",
    method: Method::Get,
    path: "/operator/v1/keys",
    summary: "List API keys, without their texts; all on one page",
    action: Some(Action::Operate),
    query: &[Query::Tenant],
    body: None,
    answer: Answer::Ok("ListKeysResponse"),
};

pub(crate) async fn list(State(app): State<Arc<App>>, _: Caller, uri: Uri) -> Result<Response> {
    let params = Params::of(&uri)?;
    Ok(reply::json(StatusCode::OK, &json!({ "keys": app.keyring.list(params.get("tenant"))? })))
}

pub(crate) static REVOKE: Operation = Operation {
    id: "revokeKey",
    method: Method::Delete,
    path: "/operator/v1/keys/{key_id}",
    summary: "Revoke an API key: requests at once, open streams too",
    action: Some(Action::Operate),
    query: &[],
    body: None,
    answer: Answer::Nothing,
};

pub(crate) async fn revoke(State(app): State<Arc<App>>, caller: Caller, Segments(id): Segments<String>) -> Result<StatusCode> {
    let uid = Uid::from_hex(&id).ok_or_else(|| Error::field("key_id", "`key_id` must be the id of a key as the list shows it"))?;
    let known = app.keyring.list(None)?.into_iter().find(|key| key.id == uid);
    match known {
        Some(key) if app.keyring.revoke(uid).await? => {
            record(&app, &caller, Act::KeyRevoked, &id, &key.tenant).await?;
            Ok(StatusCode::NO_CONTENT)
        }
        _ => Err(missing_key(uid)),
    }
}
