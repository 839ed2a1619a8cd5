//! An agent's identity: which roles it has in the API. Kept for clients that
//! manage it; no tool of this server acts under it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};

use policy::Action;
use session::{Agent, Identity, ScopedRole};

use crate::body::JsonBody;
use crate::caller::{Caller, Segments};
use crate::errors::{Error, Result};
use crate::fields::Fields;
use crate::operation::{Answer, Method, Operation};
use crate::{App, naming, reply};

/// Roles of one kind. More than there are words and things to have them for in practice.
const ROLES: usize = 100;
/// Characters of the key of a corpus: this server has none, so the key is only kept.
const CORPUS_KEY: usize = 255;

/// Roles in the account.
const API_ROLES: [&str; 13] = [
    "owner",
    "administrator",
    "billing_administrator",
    "corpus_administrator",
    "corpus_developer",
    "corpus_viewer",
    "agent_administrator",
    "agent_developer",
    "agent_viewer",
    "agent_user",
    "pipeline_administrator",
    "pipeline_viewer",
    "viewer",
];
/// Roles for one corpus.
const CORPUS_ROLES: [&str; 4] = ["owner", "administrator", "viewer", "editor"];
/// Roles for one agent.
const AGENT_ROLES: [&str; 7] = ["owner", "administrator", "viewer", "agent_administrator", "agent_developer", "agent_viewer", "agent_user"];

pub(crate) static GET: Operation = Operation {
    id: "getAgentIdentity",
    method: Method::Get,
    path: "/v2/agents/{agent_key}/identity",
    summary: "Get an agent's identity",
    action: Some(Action::ReadAgent),
    query: &[],
    body: None,
    answer: Answer::Ok("AgentIdentity"),
};

pub(crate) async fn get(State(app): State<Arc<App>>, caller: Caller, Segments(key): Segments<String>) -> Result<Response> {
    Ok(reply::json(StatusCode::OK, &written(&*caller.agent(&app, &key)?)))
}

pub(crate) static UPDATE: Operation = Operation {
    id: "updateAgentIdentity",
    method: Method::Patch,
    path: "/v2/agents/{agent_key}/identity",
    summary: "Change an agent's identity; in the mode `auto` roles are left as they are",
    action: Some(Action::AdministerAgents),
    query: &[],
    body: Some("UpdateAgentIdentityRequest"),
    answer: Answer::Ok("AgentIdentity"),
};

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments(key): Segments<String>,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    let seen = caller.agent(&app, &key)?;
    let identity = patched(&seen.identity, &body)?;
    Ok(reply::json(StatusCode::OK, &written(&*app.engine.set_identity(&seen, identity).await?)))
}

/// An identity with a patch put over it. Roles are read in either mode, so that a bad one is told, and kept in `manual` alone.
fn patched(seen: &Identity, patch: &Map<String, Value>) -> Result<Identity> {
    let fields = Fields::of_body(patch);
    let manual = match fields.text("mode", 1..=64)? {
        None => seen.manual,
        Some("auto") => false,
        Some("manual") => true,
        Some(other) => return Err(Error::field("mode", format!("`mode` must be auto or manual, not `{other}`"))),
    };
    let api_roles = fields.texts("api_roles", ROLES)?;
    for role in api_roles.iter().flatten() {
        known(role, &API_ROLES, "api_roles")?;
    }
    let corpus_roles = scoped(&fields, "corpus_roles", "corpus_key", &CORPUS_ROLES)?;
    let agent_roles = scoped(&fields, "agent_roles", "agent_key", &AGENT_ROLES)?;
    if !manual {
        return Ok(Identity { manual, ..seen.clone() });
    }
    Ok(Identity {
        manual,
        api_roles: api_roles.unwrap_or_else(|| seen.api_roles.clone()),
        corpus_roles: corpus_roles.unwrap_or_else(|| seen.corpus_roles.clone()),
        agent_roles: agent_roles.unwrap_or_else(|| seen.agent_roles.clone()),
    })
}

fn scoped(fields: &Fields<'_>, member: &str, key: &str, words: &[&str]) -> Result<Option<Vec<ScopedRole>>> {
    let Some(items) = fields.list(member, ROLES)? else { return Ok(None) };
    let one = |(i, value): (usize, &Value)| {
        let item = Fields::of(value, format!("{member}[{i}]"))?;
        let name = item.required(key, item.text(key, 1..=CORPUS_KEY)?)?;
        if key == "agent_key" {
            naming::checked(name, &item.path(key))?;
        }
        let role = item.required("role", item.text("role", 1..=64)?)?;
        known(role, words, &item.path("role"))?;
        Ok(ScopedRole { key: name.to_owned(), role: role.to_owned() })
    };
    items.iter().enumerate().map(one).collect::<Result<_>>().map(Some)
}

fn known(role: &str, words: &[&str], at: &str) -> Result<()> {
    if words.contains(&role) {
        return Ok(());
    }
    Err(Error::field(at, format!("`{role}` is not a role here; there are: {}", words.join(", "))))
}

/// The answer's form, with every member.
fn written(agent: &Agent) -> Value {
    let scoped =
        |roles: &[ScopedRole], key: &str| -> Vec<Value> { roles.iter().map(|role| json!({ key: role.key, "role": role.role })).collect() };
    let identity = &agent.identity;
    json!({
        "mode": if identity.manual { "manual" } else { "auto" },
        "client_id": format!("agent_{}", agent.uid),
        "api_roles": identity.api_roles,
        "corpus_roles": scoped(&identity.corpus_roles, "corpus_key"),
        "agent_roles": scoped(&identity.agent_roles, "agent_key"),
    })
}

/// What the served document says of a role.
pub(crate) fn schemas() -> Value {
    let scoped = |key: &str, words: &[&str]| {
        json!({"type": "array", "maxItems": ROLES, "items": {
            "type": "object", "required": [key, "role"], "properties": {key: {"type": "string", "minLength": 1}, "role": {"enum": words}},
        }})
    };
    let request = json!({
        "mode": {"enum": ["auto", "manual"], "description": "In auto, role members of a change are ignored."},
        "api_roles": {"type": "array", "maxItems": ROLES, "items": {"enum": API_ROLES}},
        "corpus_roles": scoped("corpus_key", &CORPUS_ROLES),
        "agent_roles": scoped("agent_key", &AGENT_ROLES),
    });
    let mut answer = request.clone();
    answer["client_id"] = json!({"type": "string", "readOnly": true});
    json!({
        "UpdateAgentIdentityRequest": {"type": "object", "properties": request},
        "AgentIdentity": {"type": "object", "required": ["mode", "api_roles", "corpus_roles", "agent_roles"], "properties": answer},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(seen: &Identity, change: Value) -> Result<Identity> {
        patched(seen, change.as_object().unwrap())
    }

    #[test]
    fn roles_are_kept_in_manual_and_ignored_in_auto() {
        let roles = json!({"api_roles": ["viewer"], "agent_roles": [{"agent_key": "a", "role": "agent_user"}],
            "corpus_roles": [{"corpus_key": "c", "role": "editor"}]});
        assert_eq!(patch(&Identity::default(), roles.clone()).unwrap(), Identity::default());
        let mut manual = roles;
        manual["mode"] = "manual".into();
        let set = patch(&Identity::default(), manual).unwrap();
        assert_eq!((set.api_roles.as_slice(), set.agent_roles.len(), set.corpus_roles.len()), (&["viewer".to_owned()][..], 1, 1));
        assert_eq!(patch(&set, json!({"api_roles": []})).unwrap().api_roles, Vec::<String>::new());
        let auto = patch(&set, json!({"mode": "auto", "api_roles": []})).unwrap();
        assert_eq!((auto.manual, auto.api_roles.len()), (false, 1));
    }

    #[test]
    fn a_word_that_is_no_role_is_refused_in_either_mode() {
        for (change, field) in [
            (json!({"mode": "other"}), "mode"),
            (json!({"api_roles": ["king"]}), "api_roles"),
            (json!({"agent_roles": [{"agent_key": "a", "role": "editor"}]}), "agent_roles[0].role"),
            (json!({"agent_roles": [{"agent_key": "a b", "role": "agent_user"}]}), "agent_roles[0].agent_key"),
            (json!({"corpus_roles": [{"role": "owner"}]}), "corpus_roles[0].corpus_key"),
        ] {
            let error = patch(&Identity::default(), change).unwrap_err();
            assert!(error.body("r")["field_errors"][field].is_string(), "{field}: {error:?}");
        }
    }
}
