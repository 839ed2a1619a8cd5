//! The installed plugins: where they stand, what they ask for, what they were granted.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use policy::Action;

use crate::App;
use crate::caller::{Caller, Segments};
use crate::errors::{Code, Error, Result};
use crate::operation::{Answer, Method, Operation};
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
