//! The installed plugins: where they stand, what they ask for, what they were granted.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use audit::Act;
use policy::Action;
use session::Millis;
use tool::{AcceptedPlugin, FoundPlugin, NotAccepted, PluginChanges, PluginDigests};

use crate::App;
use crate::body::JsonBody;
use crate::caller::{Caller, Segments};
use crate::errors::{Code, Error, Result};
use crate::fields::Fields;
use crate::operation::{Answer, Method, Operation};
use crate::operator::{record, whole};
use crate::reply;

pub(crate) static LIST: Operation = Operation {
    id: "listPlugins",
    method: Method::Get,
    path: "/operator/v1/plugins",
    summary: "List the plugins in the plugin directory, in service or not; all on one page",
    action: Some(Action::Operate),
    query: &[],
    body: None,
    answer: Answer::Ok("ListPluginsResponse"),
};

pub(crate) async fn list(State(app): State<Arc<App>>, _: Caller) -> Response {
    reply::json(StatusCode::OK, &json!({ "plugins": app.engine.toolbox().plugins() }))
}

pub(crate) static GET: Operation = Operation {
    id: "getPlugin",
    method: Method::Get,
    path: "/operator/v1/plugins/{plugin}",
    summary: "Get one plugin",
    action: Some(Action::Operate),
    query: &[],
    body: None,
    answer: Answer::Ok("Plugin"),
};

pub(crate) async fn get(State(app): State<Arc<App>>, _: Caller, Segments(name): Segments<String>) -> Result<Response> {
    let plugin = app.engine.toolbox().plugins().into_iter().find(|plugin| plugin.name == name);
    let plugin = plugin.ok_or_else(|| Error::missing(Code::NotFound, "plugin", &name))?;
    Ok(reply::json(StatusCode::OK, &json!(plugin)))
}

pub(crate) static CHANGES: Operation = Operation {
    id: "getPluginChanges",
    method: Method::Get,
    path: "/operator/v1/plugins/{plugin}/changes",
    summary: "What differs between the version of a plugin that was accepted and the one that was found",
    action: Some(Action::Operate),
    query: &[],
    body: None,
    answer: Answer::Ok("PluginChanges"),
};

pub(crate) async fn changes(State(app): State<Arc<App>>, _: Caller, Segments(name): Segments<String>) -> Result<Response> {
    let changes = app.operator.changes(&name).ok_or_else(|| Error::missing(Code::NotFound, "plugin", &name))?;
    Ok(reply::json(StatusCode::OK, &written(&changes)))
}

pub(crate) static ACCEPT: Operation = Operation {
    id: "acceptPlugin",
    method: Method::Post,
    path: "/operator/v1/plugins/{plugin}/accept",
    summary: "Take the found version of a plugin into service; 409 where it is not the one that the body names",
    action: Some(Action::Operate),
    query: &[],
    body: Some("PluginDigests"),
    answer: Answer::Ok("PluginChanges"),
};

pub(crate) async fn accept(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments(name): Segments<String>,
    JsonBody(body): JsonBody,
) -> Result<Response> {
    let fields = Fields::of_body(&body);
    let digest = |member| fields.required(member, fields.text(member, DIGEST..=DIGEST)?).map(str::to_owned);
    let shown = PluginDigests {
        component: digest("component")?,
        tools_digest: digest("tools_digest")?,
        requests_digest: digest("requests_digest")?,
    };
    let by = match &caller.0.subject {
        Some(subject) => subject.clone(),
        None if caller.0.key == app.keyring.operator().key => "the operator".to_owned(),
        None => format!("key {}", caller.0.key),
    };
    whole(async move {
        let subject = format!("{name}/{}", shown.component);
        app.operator.accept(&name, shown, &by).await?;
        record(&app, &caller, Act::PluginAccepted, &subject, "").await?;
        let changes = app.operator.changes(&name).ok_or_else(|| Error::missing(Code::NotFound, "plugin", &name))?;
        Ok(reply::json(StatusCode::OK, &written(&changes)))
    })
    .await
}

/// `sha256:` and 64 hexadecimal digits.
const DIGEST: usize = 71;

fn written(changes: &PluginChanges) -> Value {
    let accepted = changes.accepted.as_ref().map(|AcceptedPlugin { digests, version, at_ms, by }| {
        let mut json = json!(digests);
        (json["version"], json["at"], json["by"]) = (json!(version), json!(Millis(*at_ms).rfc3339()), json!(by));
        json
    });
    let found = changes.found.as_ref().map(|FoundPlugin { digests, version }| {
        let mut json = json!(digests);
        json["version"] = json!(version);
        json
    });
    let mut json = json!(changes.state);
    (json["name"], json["accepted"], json["found"], json["changes"]) =
        (json!(changes.name), json!(accepted), json!(found), json!(changes.changes));
    json
}

impl From<NotAccepted> for Error {
    fn from(error: NotAccepted) -> Self {
        let text = error.to_string();
        match error {
            NotAccepted::Unknown(plugin) => Self::missing(Code::NotFound, "plugin", &plugin),
            NotAccepted::Unusable(_) | NotAccepted::Moved(_) | NotAccepted::Pinned(_) => Self::new(Code::Conflict, text),
            NotAccepted::NotKept(..) => Self::internal(text),
        }
    }
}
