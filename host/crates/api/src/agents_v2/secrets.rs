//! Secrets of agents and sessions: written by clients, shown to nobody. Each
//! value stands as `****` in every answer.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};

use agent::MASKED;
use policy::{Action, Secret};
use session::{Agent, Secrets};

use crate::body::JsonBody;
use crate::caller::{Caller, Segments};
use crate::errors::{Error, Result};
use crate::fields::{Fields, wrong};
use crate::operation::{Answer, Method, Operation};
use crate::{App, reply};

/// Secrets of one agent or session. Read whole with every turn.
const SECRETS: usize = 64;
/// Characters of a secret's name.
const NAME: usize = 64;

pub(crate) static GET: Operation = Operation {
    id: "getAgentSecrets",
    method: Method::Get,
    path: "/v2/agents/{agent_key}/secrets",
    summary: "Get the names of an agent's secrets; values are masked",
    action: Some(Action::ReadAgent),
    query: &[],
    body: None,
    answer: Answer::Ok("Secrets"),
};

pub(crate) async fn get(State(app): State<Arc<App>>, caller: Caller, Segments(key): Segments<String>) -> Result<Response> {
    Ok(shown(&*caller.agent(&app, &key)?))
}

pub(crate) static REPLACE: Operation = Operation {
    id: "replaceAgentSecrets",
    method: Method::Put,
    path: "/v2/agents/{agent_key}/secrets",
    summary: "Replace all secrets of an agent",
    action: Some(Action::AdministerAgents),
    query: &[],
    body: Some("Secrets"),
    answer: Answer::Ok("Secrets"),
};

pub(crate) async fn replace(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments(key): Segments<String>,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    let seen = caller.agent(&app, &key)?;
    let changes = changes(&body)?;
    let mut named = seen.secrets.clone();
    named.0.retain(|name, _| changes.contains_key(name));
    let secrets = merged(&named, changes)?;
    Ok(shown(&*app.engine.set_secrets(&seen, secrets).await?))
}

pub(crate) static UPDATE: Operation = Operation {
    id: "updateAgentSecrets",
    method: Method::Patch,
    path: "/v2/agents/{agent_key}/secrets",
    summary: "Change some secrets of an agent; null deletes one",
    action: Some(Action::AdministerAgents),
    query: &[],
    body: Some("UpdateSecrets"),
    answer: Answer::Ok("Secrets"),
};

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments(key): Segments<String>,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    let seen = caller.agent(&app, &key)?;
    let secrets = merged(&seen.secrets, changes(&body)?)?;
    Ok(shown(&*app.engine.set_secrets(&seen, secrets).await?))
}

fn shown(agent: &Agent) -> Response {
    reply::json(StatusCode::OK, &json!({ "secrets": masked(&agent.secrets) }))
}

fn changes(body: &Map<String, Value>) -> Result<&Map<String, Value>> {
    let fields = Fields::of_body(body);
    fields.required("secrets", fields.object("secrets")?)
}

/// The names, with what stands for every value.
pub(super) fn masked(secrets: &Secrets) -> Value {
    secrets.0.keys().map(|name| (name.clone(), json!(MASKED))).collect::<Map<String, Value>>().into()
}

/// Secrets with changes put over them: null deletes one. A value that is the mask itself leaves the
/// secret as it is, so that an answer can be sent back. No error shows a value.
pub(super) fn merged(seen: &Secrets, changes: &Map<String, Value>) -> Result<Secrets> {
    let mut secrets = seen.clone();
    for (name, value) in changes {
        let at = format!("secrets.{name}");
        match value {
            Value::Null => drop(secrets.0.remove(name)),
            Value::String(value) if value == MASKED && seen.0.contains_key(name) => {}
            Value::String(value) if value == MASKED => {
                return Err(Error::field(&at, format!("there is no secret `{name}` that `{MASKED}` could stand for; send its value")));
            }
            Value::String(value) => drop(secrets.0.insert(named(name, &at)?.to_owned(), fitting(value, &at)?)),
            other => return Err(wrong(&at, "a string or null", other)),
        }
    }
    if secrets.0.len() > SECRETS {
        return Err(Error::field("secrets", format!("there may be at most {SECRETS} secrets")));
    }
    Ok(secrets)
}

fn named<'a>(name: &'a str, at: &str) -> Result<&'a str> {
    let fits = (1..=NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if fits { Ok(name) } else { Err(Error::field(at, format!("a secret's name is 1 to {NAME} characters of a-z, A-Z, 0-9, _ and -"))) }
}

/// A value that fits into a header: the only place where it is ever sent.
fn fitting(value: &str, at: &str) -> Result<String> {
    let fits = Secret::new(value.to_owned()).is_ok();
    let why = "a secret's value is 1 to 8192 bytes without control characters, because it is sent in a header";
    if fits { Ok(value.to_owned()) } else { Err(Error::field(at, why)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(value: Value) -> Secrets {
        merged(&Secrets::default(), value.as_object().unwrap()).unwrap()
    }

    #[test]
    fn changes_merge_and_null_deletes_and_values_are_never_shown() {
        let seen = secrets(json!({"a": "one-one", "b": "two-two"}));
        let changes = json!({"a": null, "b": "****", "c": "three", "d": null});
        let got = merged(&seen, changes.as_object().unwrap()).unwrap();
        assert_eq!(got, secrets(json!({"b": "two-two", "c": "three"})));
        assert_eq!(masked(&got), json!({"b": "****", "c": "****"}));
        assert!(!format!("{got:?}").contains("two"));
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused_by_its_name_and_not_repeated() {
        for (changes, field) in [
            (json!({"a": ""}), "secrets.a"),
            (json!({"a": "line\nhush"}), "secrets.a"),
            (json!({"a": "hush".repeat(3_000)}), "secrets.a"),
            (json!({"a": 7}), "secrets.a"),
            (json!({"a.b": "hush"}), "secrets.a.b"),
            (json!({"": "hush"}), "secrets."),
        ] {
            let body = merged(&Secrets::default(), changes.as_object().unwrap()).unwrap_err().body("r");
            assert!(body["field_errors"][field].is_string() && !body.to_string().contains("hush"), "{body}");
        }
        let many: Map<String, Value> = (0..=SECRETS).map(|n| (format!("s{n}"), json!("v"))).collect();
        assert!(merged(&Secrets::default(), &many).is_err());
    }
}
