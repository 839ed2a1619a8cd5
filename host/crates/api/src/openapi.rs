//! The OpenAPI 3.1 document, made from the table of operations, the table of
//! errors and the schemas beside it.

mod samples;
mod schemas;

use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use policy::{Action, Role};

use crate::App;
use crate::docs::{self, Docs};
use crate::errors::{Code, Error, Shape};
use crate::limits::METADATA_FILTER_CHARACTERS;
use crate::operation::{Answer, Form, Method, Operation, Query};

pub(crate) static DOCUMENT: Operation = Operation {
    id: "getOpenapi",
    method: Method::Get,
    path: "/v2/openapi.json",
    summary: "This document",
    action: None,
    query: &[],
    body: None,
    answer: Answer::Ok("Object"),
};

pub(crate) async fn document(State(app): State<Arc<App>>) -> Response {
    (StatusCode::OK, [(CONTENT_TYPE, "application/json")], app.described.document()).into_response()
}

/// What is served about the operations. Made when somebody first asks for it: most servers are never asked, and it is
/// more than a megabyte of text.
pub(crate) struct Described {
    operations: Vec<&'static Operation>,
    made: OnceLock<(Bytes, Docs)>,
}

impl Described {
    /// Of these operations.
    pub(crate) fn new(operations: Vec<&'static Operation>) -> Self {
        Self { operations, made: OnceLock::new() }
    }

    /// The document as it is served.
    pub(crate) fn document(&self) -> Bytes {
        self.made().0.clone()
    }

    /// The same for people.
    pub(crate) fn page(&self) -> &Docs {
        &self.made().1
    }

    fn made(&self) -> &(Bytes, Docs) {
        self.made.get_or_init(|| {
            let document = describe(&self.operations);
            (Bytes::from(format!("{document:#}\n")), docs::render(&document))
        })
    }
}

/// The document of these operations.
fn describe(operations: &[&'static Operation]) -> Value {
    let schemas = schemas::all();
    let mut paths = Map::new();
    for operation in operations {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[method(operation.method)] = described(operation, &schemas);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Wardian",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Agents, sessions and events, with every tool a sandboxed WebAssembly component.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "bearer": {"type": "http", "scheme": "bearer", "description": "The same API key, or an access token."},
                "oauth": {
                    "type": "oauth2",
                    "description": "client_id is the id of an API key, client_secret the key itself.",
                    "flows": {"clientCredentials": {"tokenUrl": "/oauth2/token", "scopes": {}}},
                },
            },
        },
    })
}

fn described(operation: &Operation, schemas: &Map<String, Value>) -> Value {
    let mut json = json!({ "operationId": operation.id, "tags": [tag(operation.path)], "summary": operation.summary });
    match operation.action {
        None => json["security"] = json!([]),
        Some(action) => {
            let role = Role::needed(action).word();
            json["security"] = json!([{"apiKey": []}, {"bearer": []}, {"oauth": []}]);
            json["x-lowest-role"] = json!(role);
            json["description"] = json!(format!("Needs a key with the role `{role}` or higher."));
        }
    }
    let query = operation.query.iter().map(query_parameter);
    let parameters: Vec<Value> = path_parameters(operation.path).chain(query).chain(header_parameters(operation)).collect();
    if !parameters.is_empty() {
        json["parameters"] = json!(parameters);
    }
    if let Some(schema) = operation.body {
        let mut media = json!({ "schema": reference(schema) });
        if let Some(example) = schemas::example(schema) {
            media["example"] = example;
        }
        let contents: Map<String, Value> = media_types(operation).iter().map(|kind| ((*kind).to_owned(), media.clone())).collect();
        json["requestBody"] = json!({ "required": true, "content": contents });
    }
    json["responses"] = responses(operation, schemas).into();
    json
}

fn responses(operation: &Operation, schemas: &Map<String, Value>) -> Map<String, Value> {
    let mut responses = Map::new();
    let shape = Shape::of(operation.path);
    let (status, success) = success(operation.answer, schemas);
    responses.insert(status.to_owned(), success);
    if matches!(operation.answer, Answer::OkOrAccepted(_)) {
        responses.insert("202".to_owned(), json!({ "description": "Taken; no answer is due." }));
    }
    for status in statuses(operation) {
        let codes: Vec<Code> = codes(operation, status).collect();
        let mut words: Vec<&str> = codes.iter().map(|code| shape.word(*code)).collect();
        // Codes of one word stand beside each other.
        words.dedup();
        let example = shape.body(&Error::new(codes[0], "what is wrong, and what would help"), "4f2a0c1be0d94c1f9f0f6d1a2b3c4d5e");
        let body = json!({ "schema": reference(shape.schema()), "example": example });
        let mut described = json!({ "description": words.join(", "), "content": {"application/json": body} });
        if matches!(status, 429 | 503) {
            let seconds = json!({"type": "integer", "minimum": 1});
            described["headers"] = json!({ "Retry-After": {"description": "Seconds until it is worth trying again.", "schema": seconds} });
        }
        responses.insert(status.to_string(), described);
    }
    responses
}

fn success(answer: Answer, schemas: &Map<String, Value>) -> (&'static str, Value) {
    let of = |kind: &str, media: Value| json!({ "description": "Done.", "content": {kind: media} });
    let json_of = |schema| of("application/json", json!({ "schema": reference(schema), "example": samples::sample(schema, schemas) }));
    match answer {
        Answer::Ok(schema) | Answer::OkOrAccepted(schema) => ("200", json_of(schema)),
        Answer::Created(schema) => ("201", json_of(schema)),
        Answer::CreatedOrStream(schema) => {
            let mut json = json_of(schema);
            json["content"]["text/event-stream"] = json!({
                "schema": {"description": "Frames of AgentStreamedResponse, one a `data:` line, until `end`."},
            });
            ("201", json)
        }
        Answer::OkOrStream(schema) => {
            let mut json = json_of(schema);
            json["content"]["text/event-stream"] = json!({ "schema": {"description": "One chunk a `data:` line."} });
            ("200", json)
        }
        Answer::Stream(schema) => {
            let text = format!("Frames of {schema}, one a `data:` line.");
            ("200", of("text/event-stream", json!({ "schema": {"description": text} })))
        }
        Answer::Nothing => ("204", json!({ "description": "Done; no body." })),
        Answer::Text => ("200", of("text/plain", json!({ "schema": {"type": "string"} }))),
        Answer::Page => ("200", of("text/html", json!({ "schema": {"type": "string"} }))),
    }
}

/// The statuses of the errors that an operation may answer.
fn statuses(operation: &Operation) -> Vec<u16> {
    let all = [400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503, 504];
    all.into_iter().filter(|status| codes(operation, *status).next().is_some()).collect()
}

/// The codes under a status that an operation may answer.
fn codes(operation: &Operation, status: u16) -> impl Iterator<Item = Code> {
    let (path, action, body) = (operation.path, operation.action.is_some(), operation.body.is_some());
    let shape = Shape::of(path);
    let streams = matches!(operation.answer, Answer::OkOrStream(_) | Answer::Stream(_));
    let turn = streams || matches!(operation.answer, Answer::CreatedOrStream(_));
    let (writes, query) = (operation.method != Method::Get, !operation.query.is_empty());
    let agents = path.starts_with("/v2/agents");
    let approval = path.starts_with("/operator/v1/approvals");
    let token = path.starts_with("/oauth");
    let (session, event) = (path.contains("{session_key}"), path.contains("{event_id}"));
    let fork = operation.action == Some(Action::CreateSession) && agents;
    let (bots, openai) = (shape == Shape::Bots, shape == Shape::OpenAi);
    Code::ALL.iter().copied().filter(move |code| {
        code.status().as_u16() == status
            && match code {
                Code::InvalidRequest => body || query || path.contains('{'),
                Code::UnsupportedProtocol | Code::InterruptNotFound | Code::ToolCallNotFound => streams && bots,
                Code::ContextLimitExceeded | Code::ApprovalRequired => streams && openai,
                Code::InvalidMessageContent | Code::IdempotencyKeyReused | Code::RequestTimeout => turn && agents,
                Code::AgentProcessingFailed => (turn && !bots) || fork,
                Code::UnresolvedReference => turn,
                Code::InvalidMetadata => body && agents && !turn,
                Code::InvalidModelConfiguration
                | Code::InvalidToolReference
                | Code::InvalidInstructionReference
                | Code::InvalidTemplate => body && agents && !path.contains("/sessions"),
                Code::UnsupportedGrantType | Code::InvalidClient => token,
                Code::MissingCredentials | Code::Unauthorized | Code::Forbidden => action,
                Code::RateLimitExceeded | Code::InternalError => action || token,
                Code::InvalidToolType => body && path.starts_with("/v2/tools"),
                Code::ToolInUse => path.contains("{tool_id}") && operation.method == Method::Delete,
                Code::AgentDisabled => body && (path.contains("/sessions") || approval || turn),
                Code::SessionDisabled => (turn && !openai) || approval,
                Code::AgentNotFound => {
                    ((agents || openai) && path.contains("{agent_key}")) || path.contains("{agent_id}") || (turn && openai)
                }
                Code::SessionNotFound => session || fork,
                Code::ConversationNotFound => path.contains("{conversation_id}"),
                Code::EventNotFound => event || (turn && agents) || fork,
                Code::ToolNotFound => path.contains("{tool_id}"),
                Code::NotFound => path.starts_with("/operator") && (path.contains('{') || (body && path.ends_with("/keys"))),
                Code::MethodNotAllowed => false,
                Code::Conflict | Code::ConversationBusy | Code::InterruptResolved => {
                    (body && action && !path.ends_with("/keys")) || (event && writes)
                }
                Code::BodyTimeout | Code::RequestTooLarge | Code::UnsupportedMediaType => body,
                Code::ServerUnavailable => path == "/readyz" || (action && writes),
            }
    })
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

/// In which forms a body may be sent.
fn media_types(operation: &Operation) -> &'static [&'static str] {
    if operation.path.starts_with("/oauth") { &["application/x-www-form-urlencoded", "application/json"] } else { &["application/json"] }
}

fn path_parameters(path: &'static str) -> impl Iterator<Item = Value> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).map(|name| {
        let schema = match name {
            "agent_key" | "agent_id" | "session_key" => json!({"$ref": "#/components/schemas/Key"}),
            _ => json!({"type": "string"}),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    })
}

/// The parameters of a query that have to be there, each with an example.
const NEEDED: [(Query, &str); 2] = [(Query::Plugin, "web"), (Query::Ask, "http GET https://api.example.com/x")];

fn query_parameter(query: &Query) -> Value {
    let (name, schema, text) = match query {
        Query::Limit(default) => {
            ("limit", json!({"type": "integer", "minimum": 1, "maximum": 100, "default": default}), "How many items a page may have.")
        }
        Query::PageKey => ("page_key", json!({"type": "string"}), "Where to go on: the `metadata.page_key` of the page before."),
        Query::Filter => {
            ("filter", json!({"type": "string", "maxLength": 1000}), "A regular expression, searched in names and descriptions.")
        }
        Query::MetadataFilter => (
            "metadata_filter",
            json!({"type": "string", "maxLength": METADATA_FILTER_CHARACTERS}),
            "A condition over `metadata`, such as `plan = 'gold' AND owner.team IN ('a', 'b')`.",
        ),
        Query::Enabled => ("enabled", json!({"type": "boolean"}), "Only what is enabled, or only what is not."),
        Query::IncludeHidden => ("include_hidden", json!({"type": "boolean", "default": false}), "Whether hidden events are listed too."),
        Query::Type => (
            "type",
            json!({"type": "string"}),
            "Only tools shown with this type. `client` finds those that clients run, and shows them so, with or without `all_types`.",
        ),
        Query::Category => (
            "category",
            json!({"type": "array", "items": {"type": "string"}}),
            "Only tools of these categories: `plugin`, `client`. Repeated, or separated by commas.",
        ),
        Query::ToolServer => ("tool_server_id", json!({"type": "string"}), "Only tools of this tool server; this version has none."),
        Query::AllTypes => (
            "all_types",
            json!({"type": "boolean", "default": false}),
            "Whether the answer may hold the types `client` and `client_tool_pending`, which older clients refuse. Without it a tool that \
             the client runs is shown as `dynamic_vectara`, and pending calls by `outstanding_client_tool_calls` alone.",
        ),
        Query::Thinking => {
            ("thinking", json!({"type": "boolean", "default": false}), "Whether the model's reasoning is shown, as `thinking` events.")
        }
        Query::Tenant => ("tenant", json!({"type": "string"}), "Only what belongs to this tenant."),
        Query::Plugin => ("plugin", json!({"type": "string"}), "Which plugin."),
        Query::Ask => (
            "ask",
            json!({"type": "string"}),
            "What, in words: `http GET https://api.example.com/x`, `files read maps/x`, `secret NAME`, `config`, `store`, `cache`, `call TOOL`.",
        ),
        Query::ForTenant => ("tenant", json!({"type": "string", "default": "default"}), "For which tenant."),
        Query::Of(parameter) => (parameter.name, form(&parameter.form), parameter.text),
        Query::ForAgent => ("agent", json!({"type": "string", "default": "assistant"}), "For which agent."),
    };
    let mut json = json!({ "name": name, "in": "query", "required": false, "schema": schema, "description": text });
    if let Some((_, example)) = NEEDED.iter().find(|(needed, _)| needed == query) {
        (json["required"], json["example"]) = (json!(true), json!(example));
    }
    json
}

fn form(form: &Form) -> Value {
    match form {
        Form::Text => json!({"type": "string"}),
        Form::Whole => json!({"type": "integer", "minimum": 0}),
        Form::Number => json!({"type": "number"}),
        Form::Flag => json!({"type": "boolean"}),
        Form::Words(words) => json!({"type": "string", "enum": words}),
    }
}

/// The headers that an operation understands: those of a turn.
fn header_parameters(operation: &Operation) -> impl Iterator<Item = Value> {
    let whole = json!({"type": "integer", "minimum": 1, "maximum": u32::MAX});
    let headers = [
        (
            "Idempotency-Key",
            json!({"type": "string", "minLength": 1, "maxLength": 255}),
            "One turn for this key, body and path, for 24 hours, however often it is sent.",
        ),
        ("Request-Timeout", whole.clone(), "Seconds that the answer may take; the turn goes on. The smaller of both timeouts counts."),
        ("Request-Timeout-Millis", whole, "The same in milliseconds."),
    ];
    let turn = matches!(operation.answer, Answer::CreatedOrStream(_));
    let repeats = turn || matches!((operation.answer, operation.action), (Answer::Stream(_), Some(Action::PostEvent)));
    let headers = headers.into_iter().filter(move |(name, ..)| turn || (repeats && *name == "Idempotency-Key"));
    headers.map(|(name, schema, text)| json!({ "name": name, "in": "header", "required": false, "schema": schema, "description": text }))
}

fn tag(path: &str) -> &'static str {
    match path {
        path if path.starts_with("/operator") => "operator",
        path if path.contains("/events") => "events",
        path if path.contains("/sessions") => "sessions",
        path if path.starts_with("/v2/agents") => "agents",
        path if path.starts_with("/v2/tools") => "tools",
        path if path.starts_with("/v2/llms") => "models",
        path if path.starts_with("/oauth") => "tokens",
        "/mcp" => "mcp",
        path if path.starts_with("/v1/") => match Shape::of(path) {
            Shape::Bots => "bots",
            Shape::OpenAi | Shape::Agents | Shape::Mcp => "openai",
        },
        _ => "server",
    }
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Get => "get",
        Method::Post => "post",
        Method::Patch => "patch",
        Method::Put => "put",
        Method::Delete => "delete",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> std::path::PathBuf {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/openapi.json")
    }

    /// Run with `WARDIAN_BLESS=1` to write the golden file anew; it changes in the same commit as its cause.
    #[test]
    fn the_document_is_the_stored_one() {
        let got = crate::router::document();
        if std::env::var_os("WARDIAN_BLESS").is_some() {
            std::fs::create_dir_all(golden().parent().unwrap()).unwrap();
            std::fs::write(golden(), &got).unwrap();
        }
        let wanted = std::fs::read_to_string(golden()).unwrap_or_default();
        assert!(wanted.as_bytes() == got, "the document differs from {}; look at the change, then bless it", golden().display());
    }

    #[test]
    fn every_reference_in_the_document_leads_somewhere() {
        let document: Value = serde_json::from_slice(&crate::router::document()).unwrap();
        let text = document.to_string();
        for (at, _) in text.match_indices("\"$ref\":\"#") {
            let pointer = text[at + 9..].split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn each_operation_says_its_lowest_role_and_has_a_name_of_its_own() {
        let document: Value = serde_json::from_slice(&crate::router::document()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let all: Vec<&Value> = paths.values().flat_map(|path| path.as_object().unwrap().values()).collect();
        let mut names: Vec<&str> = all.iter().map(|operation| operation["operationId"].as_str().unwrap()).collect();
        let many = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), many);
        assert_eq!(document["paths"]["/v2/agents"]["post"]["x-lowest-role"], "agent_administrator");
        assert!(all.iter().all(|operation| operation["security"] == json!([]) || operation["x-lowest-role"].is_string()));
    }
}
