//! Whether the server lives, is ready, and how it fares.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::json;

use policy::Action;

use crate::App;
use crate::caller::Caller;
use crate::errors::{Code, Error, Result};
use crate::operation::{Answer, Method, Operation};
use crate::reply;

pub(crate) static LIVE: Operation = Operation {
    id: "live",
    method: Method::Get,
    path: "/livez",
    summary: "Whether the process runs; touches nothing",
    action: None,
    query: &[],
    body: None,
    answer: Answer::Text,
};

pub(crate) async fn live() -> &'static str {
    "ok\n"
}

pub(crate) static READY: Operation = Operation {
    id: "ready",
    method: Method::Get,
    path: "/readyz",
    summary: "Whether new requests should be sent here; 503 while shutting down or when the store does not answer. Further lines name what wants the operator's eye, such as policy_stale",
    action: None,
    query: &[],
    body: None,
    answer: Answer::Text,
};

pub(crate) async fn ready(State(app): State<Arc<App>>) -> Result<String> {
    if app.stop.is_cancelled() || !app.operator.ready().await {
        return Err(Error::new(Code::ServerUnavailable, "not ready").retry_after(1));
    }
    Ok(["ok"].into_iter().chain(app.operator.attention()).map(|line| format!("{line}\n")).collect())
}

pub(crate) static OF_ALL: Operation = Operation {
    id: "health",
    method: Method::Get,
    path: "/healthz",
    summary: "Whether the process runs, in the form that clients of bots know",
    action: None,
    query: &[],
    body: None,
    answer: Answer::Ok("Health"),
};

pub(crate) static OF_BOTS: Operation = Operation { id: "healthOfBots", path: "/v1/aibot/healthz", ..OF_ALL };

pub(crate) static OF_ALL_BOTS: Operation = Operation { id: "healthOfAllBots", path: "/v1/aibot/bots/healthz", ..OF_ALL };

pub(crate) async fn of_bots() -> Response {
    let body = json!({
        "status": "healthy",
        "timestamp": agent::Clock.now().rfc3339(),
        "service": "wardian",
        "version": env!("CARGO_PKG_VERSION"),
    });
    reply::json(StatusCode::OK, &body)
}

pub(crate) static METRICS: Operation = Operation {
    id: "metrics",
    method: Method::Get,
    path: "/metrics",
    summary: "Everything that is counted, in the text format of Prometheus",
    action: Some(Action::Operate),
    query: &[],
    body: None,
    answer: Answer::Text,
};

pub(crate) async fn metrics(State(app): State<Arc<App>>, _: Caller) -> Response {
    (StatusCode::OK, [(CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.render()).into_response()
}
