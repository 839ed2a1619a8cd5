//! Tools that clients run: made, changed and deleted by them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use schema::Schema;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use agent::NewClientTool;
use policy::Action;
use session::ClientTool;

use super::tools::{CLIENT, visible};
use super::view::View;
use crate::App;
use crate::body::ExactBody;
use crate::caller::{Caller, Segments};
use crate::errors::{Code, Error, Result};
use crate::fields::Fields;
use crate::operation::{Answer, Method, Operation, Query};
use crate::reply;

/// Characters of a tool's name: as the API has them.
const NAME: usize = 50;
/// Characters of a title.
const TITLE: usize = 128;
/// Characters of a description.
const DESCRIPTION: usize = 5_000;
/// The arguments of a tool that says nothing about them.
const ANY_OBJECT: &str = r#"{"type":"object"}"#;

/// Members that only tools with code of their own have; plugins are the way here.
const LAMBDA: [&str; 4] = ["code", "language", "execution_configuration", "tool_configurations"];

pub(crate) static CREATE: Operation = Operation {
    id: "createTool",
    method: Method::Post,
    path: "/v2/tools",
    summary: "Create a tool that the client runs; tools that the server runs are plugins",
    action: Some(Action::UpdateTools),
    query: &[Query::AllTypes],
    body: Some("CreateToolRequest"),
    answer: Answer::Created("Tool"),
};

pub(crate) async fn create(State(app): State<Arc<App>>, caller: Caller, view: View, body: ExactBody) -> Result<Response> {
    whole_tenant(&caller)?;
    let fields = Fields::of_body(&body.members);
    check_new_type(&fields)?;
    fields.refuse(&LAMBDA).map_err(|error| error.with(Code::InvalidToolType))?;
    let name = fields.required("name", fields.text("name", 1..=NAME)?)?;
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return Err(Error::field("name", format!("`name` must be 1 to {NAME} characters of a-z, A-Z, 0-9, _ and -")));
    }
    let schemas = Schemas::read(&fields, &body.text).await?;
    let tool = NewClientTool {
        name: name.to_owned(),
        title: fields.text("title", 1..=TITLE)?.map(str::to_owned),
        description: fields.required("description", fields.text("description", 1..=DESCRIPTION)?)?.to_owned(),
        input: schemas.input.unwrap_or_else(|| ANY_OBJECT.to_owned()),
        output: schemas.output,
        enabled: fields.flag("enabled")?.unwrap_or(true),
    };
    let tool = app.engine.create_client_tool(caller.0.tenant, tool).await?;
    Ok(reply::json(StatusCode::CREATED, &written(&tool, view)))
}

pub(crate) static UPDATE: Operation = Operation {
    id: "updateTool",
    method: Method::Patch,
    path: "/v2/tools/{tool_id}",
    summary: "Change a tool that the client runs; what is absent stays, null clears title and output_schema",
    action: Some(Action::UpdateTools),
    query: &[Query::AllTypes],
    body: Some("UpdateToolRequest"),
    answer: Answer::Ok("Tool"),
};

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments(id): Segments<String>,
    view: View,
    body: ExactBody,
) -> Result<Response> {
    whole_tenant(&caller)?;
    let seen = own(&app, &caller, &id)?;
    let fields = Fields::of_body(&body.members);
    check_seen_type(&fields)?;
    if fields.text("name", 1..=NAME)?.is_some_and(|name| name != seen.name) {
        return Err(Error::field("name", format!("a tool keeps its name, here `{}`; make another tool for another name", seen.name)));
    }
    let schemas = Schemas::read(&fields, &body.text).await?;
    let title = fields.text("title", 1..=TITLE)?.map(str::to_owned);
    let new = NewClientTool {
        name: seen.name.clone(),
        title: kept(&body.members, "title", title, &seen.title),
        description: fields.text("description", 1..=DESCRIPTION)?.unwrap_or(&seen.description).to_owned(),
        input: schemas.input.unwrap_or_else(|| seen.input.clone()),
        output: kept(&body.members, "output_schema", schemas.output, &seen.output),
        enabled: fields.flag("enabled")?.unwrap_or(seen.enabled),
    };
    let tool = app.engine.update_client_tool(&seen, new).await?;
    Ok(reply::json(StatusCode::OK, &written(&tool, view)))
}

/// What is there was given anew; null clears, absent keeps.
fn kept(patch: &Map<String, Value>, member: &str, new: Option<String>, before: &Option<String>) -> Option<String> {
    if patch.contains_key(member) { new } else { before.clone() }
}

pub(crate) static DELETE: Operation = Operation {
    id: "deleteTool",
    method: Method::Delete,
    path: "/v2/tools/{tool_id}",
    summary: "Delete a tool that the client runs, unless an agent binds it",
    action: Some(Action::UpdateTools),
    query: &[],
    body: None,
    answer: Answer::Nothing,
};

pub(crate) async fn delete(State(app): State<Arc<App>>, caller: Caller, Segments(id): Segments<String>) -> Result<StatusCode> {
    whole_tenant(&caller)?;
    let tool = own(&app, &caller, &id)?;
    app.engine.delete_client_tool(&tool).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tools belong to the tenant: a key for some of its agents does not change what the others use.
fn whole_tenant(caller: &Caller) -> Result<()> {
    if caller.0.agents.is_none() {
        return Ok(());
    }
    Err(Error::new(
        Code::Forbidden,
        "this key is limited to certain agents, and tools are those of all agents; use a key without that limit",
    ))
}

/// The client tool of a path. One of a plugin is the operator's.
fn own(app: &App, caller: &Caller, id: &str) -> Result<ClientTool> {
    if visible(app, caller)?.contains_key(id) {
        let why = format!("tool `{id}` belongs to a plugin; only the server's operator changes it, by its files and `wardian.toml`");
        return Err(Error::new(Code::Forbidden, why));
    }
    Ok(app.engine.client_tool(caller.0.tenant, id)?)
}

/// Why tools of other types are not made.
const PLUGINS: &str = "this server runs tools as plugins, which its operator installs; over the API only tools of type `client` are made";

/// Whether a body makes a client tool; its type is told from its members where it is missing.
fn check_new_type(fields: &Fields<'_>) -> Result<()> {
    match fields.text("type", 1..=64)? {
        Some("client") => Ok(()),
        None if fields.value("code").is_none() => Ok(()),
        None => Err(wrong_type("lambda")),
        Some(other) => Err(wrong_type(other)),
    }
}

/// Whether a body may change a client tool. It is one, whatever its type is called: shown as `dynamic_vectara` it may come
/// back so, and the official SDK has no other words than `lambda` and `mcp`. What only those have is refused.
fn check_seen_type(fields: &Fields<'_>) -> Result<()> {
    let known = ["client", "dynamic_vectara", "lambda", "mcp"];
    if let Some(other) = fields.text("type", 1..=64)?.filter(|kind| !known.contains(kind)) {
        return Err(wrong_type(other));
    }
    fields.refuse(&LAMBDA).map_err(|error| error.with(Code::InvalidToolType))
}

fn wrong_type(kind: &str) -> Error {
    Error::field("type", format!("`type` must be client, not `{kind}`: {PLUGINS}")).with(Code::InvalidToolType)
}

/// The schemas of a body, found valid.
struct Schemas {
    input: Option<String>,
    output: Option<String>,
}

/// The same as they were written.
#[derive(Deserialize)]
struct Exact<'a> {
    #[serde(borrow, default)]
    input_schema: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output_schema: Option<&'a RawValue>,
}

impl Schemas {
    async fn read(fields: &Fields<'_>, text: &[u8]) -> Result<Self> {
        for member in ["input_schema", "output_schema"] {
            fields.object(member)?;
        }
        let unreadable = |e| Error::field("input_schema", format!("the body cannot be read as a tool: {e}"));
        let exact: Exact<'_> = serde_json::from_slice(text).map_err(unreadable)?;
        Ok(Self { input: valid("input_schema", exact.input_schema).await?, output: valid("output_schema", exact.output_schema).await? })
    }
}

/// A schema's text, if it is one. Its patterns take their time to compile, which is not spent where requests are served.
async fn valid(member: &str, schema: Option<&RawValue>) -> Result<Option<String>> {
    let Some(text) = schema.map(|schema| schema.get().to_owned()) else { return Ok(None) };
    let compiled = tokio::task::spawn_blocking(move || Schema::compile(&text).map(|_| text)).await.map_err(Error::internal)?;
    compiled.map(Some).map_err(|why| Error::field(member, format!("`{member}` is not a JSON Schema that this server takes: {why}")))
}

/// The answer's form of one.
pub(super) fn written(tool: &ClientTool, view: View) -> Value {
    let schema = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| json!({}));
    let mut json = json!({
        "type": view.client_type(),
        "id": tool.wire(),
        "name": tool.name,
        "description": tool.description,
        "enabled": tool.enabled,
        "category": CLIENT,
        "created_at": tool.created_at.rfc3339(),
        "updated_at": tool.updated_at.rfc3339(),
        "input_schema": schema(&tool.input),
    });
    if let Some(title) = &tool.title {
        json["title"] = json!(title);
    }
    if let Some(output) = &tool.output {
        json["output_schema"] = schema(output);
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_a_new_tool_is_told_from_its_members() {
        let check = |body: &Value| check_new_type(&Fields::of_body(body.as_object().unwrap()));
        assert!(check(&json!({"type": "client"})).is_ok() && check(&json!({})).is_ok());
        for (body, said) in [(json!({"type": "lambda"}), "plugins"), (json!({"code": "x"}), "plugins"), (json!({"type": "mcp"}), "`mcp`")] {
            let error = check(&body).unwrap_err();
            assert!(error.code() == Code::InvalidToolType && error.message().contains(said), "{error:?}");
        }
    }

    #[test]
    fn a_change_may_name_any_type_and_hold_nothing_that_a_client_tool_has_not() {
        let check = |body: &Value| check_seen_type(&Fields::of_body(body.as_object().unwrap()));
        for kind in [json!(null), json!("client"), json!("dynamic_vectara"), json!("lambda"), json!("mcp")] {
            assert!(check(&json!({"type": kind, "enabled": false})).is_ok(), "{kind}");
        }
        assert!(check(&json!({"type": "web_search"})).is_err());
        assert_eq!(check(&json!({"type": "lambda", "code": "def process(): ..."})).unwrap_err().code(), Code::InvalidToolType);
    }

    #[tokio::test]
    async fn a_schema_that_is_none_is_refused_at_its_member_and_a_valid_one_kept_to_the_letter() {
        let read = async |text: &str| {
            let members: Map<String, Value> = serde_json::from_str(text).unwrap();
            Schemas::read(&Fields::of_body(&members), text.as_bytes()).await
        };
        for (text, at) in [
            (r#"{"input_schema": {"type": "string"}}"#, "input_schema"),
            (r#"{"input_schema": 3}"#, "input_schema"),
            (r#"{"output_schema": {"type": "object", "properties": {"a": {"type": "text"}}}}"#, "output_schema"),
            (r#"{"output_schema": {"type": "object", "type": "object"}}"#, "output_schema"),
        ] {
            let error = read(text).await.err().expect("refused");
            assert!(error.body("r")["field_errors"][at].is_string(), "{text}: {error:?}");
        }
        let kept = read(r#"{"input_schema": {"type": "object", "x": 1.10}}"#).await.unwrap();
        assert_eq!((kept.input.as_deref(), kept.output), (Some(r#"{"type": "object", "x": 1.10}"#), None));
    }
}
