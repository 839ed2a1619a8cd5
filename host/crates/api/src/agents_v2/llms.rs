//! The configured models, read-only: what an agent's `model.name` may say.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use serde_json::{Value, json};

use policy::Action;

use crate::App;
use crate::caller::Caller;
use crate::errors::Result;
use crate::operation::{Answer, Method, Operation, Query};
use crate::operator::ModelInfo;
use crate::page::{Params, metadata};
use crate::reply;

/// The smallest window that clients of the API take for one.
const CONTEXT_LIMIT_MIN: u64 = 4_096;

pub(crate) static LIST: Operation = Operation {
    id: "listLlms",
    method: Method::Get,
    path: "/v2/llms",
    summary: "List the models that agents may name; all on one page",
    action: Some(Action::ReadTools),
    query: &[Query::Filter],
    body: None,
    answer: Answer::Ok("ListLlmsResponse"),
};

pub(crate) async fn list(State(app): State<Arc<App>>, _: Caller, uri: Uri) -> Result<Response> {
    let filter = Params::of(&uri)?.filter()?;
    let models = app.operator.models();
    let shown = models.iter().filter(|model| filter.as_ref().is_none_or(|f| f.is_match(&model.name) || f.is_match(&model.model)));
    let llms: Vec<Value> = shown.map(written).collect();
    Ok(reply::json(StatusCode::OK, &json!({ "llms": llms, "metadata": metadata(None) })))
}

fn written(model: &ModelInfo) -> Value {
    let mut json = json!({
        "id": format!("llm_{}", model.name),
        "name": model.name,
        "type": model.kind,
        "description": model.description,
        "model": model.model,
        "enabled": true,
        "default": model.default,
        "ownership": "platform",
    });
    // Structured answers are checked here, whatever the model's provider does about them.
    let mut capabilities =
        json!({ "image_support": false, "tool_calling": true, "structured_outputs": true, "requires_role_alternation": false });
    if model.context_window >= CONTEXT_LIMIT_MIN {
        capabilities["context_limit"] = model.context_window.into();
    }
    json["capabilities"] = capabilities;
    json
}
