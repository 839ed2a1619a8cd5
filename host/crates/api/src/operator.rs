//! The operator's own door under `/operator/v1`: keys, tenants, plugins,
//! approvals, policy, grants for a time, status. For the role owner, and for
//! everything that comes through the server's own socket.

pub(crate) mod approvals;
pub(crate) mod grants;
pub(crate) mod keys;
pub(crate) mod plugins;
pub(crate) mod tenants;

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use agent::Clock;
use audit::Act;
use policy::Action;
use tool::{NotAccepted, PluginChanges, PluginDigests};

use crate::App;
use crate::caller::Caller;
use crate::errors::{Error, Result};
use crate::operation::{Answer, Method, Operation};
use crate::{auth, reply};

/// What the host tells about itself.
#[async_trait]
pub trait Operator: grants::Grants + Send + Sync {
    /// The configured models. Called for each listing; cheap.
    fn models(&self) -> Vec<ModelInfo>;

    /// The policy in force, without secrets. Called when the operator asks.
    fn policy(&self) -> Value;

    /// How the server runs. Called when the operator asks.
    fn status(&self) -> Status;

    /// What differs between the version of a plugin that was accepted and the one
    /// that lies there; none where there is no such plugin. Called when the operator asks.
    fn changes(&self, plugin: &str) -> Option<PluginChanges>;

    /// Takes the version of a plugin with these digests into service, by whom.
    /// Refuses when another one lies there by now. Waits for the disk.
    async fn accept(&self, plugin: &str, shown: PluginDigests, by: &str) -> Result<(), NotAccepted>;

    /// A word for each thing that wants the operator's eye while requests are
    /// served all the same; without details, because anybody may ask. Called by readiness probes; cheap.
    fn attention(&self) -> Vec<&'static str>;

    /// Whether the store takes a small write. Called by readiness probes, every few seconds; must answer within a second.
    async fn ready(&self) -> bool;
}

/// A configured model.
#[derive(Debug, Clone, Serialize)]
pub struct ModelInfo {
    /// The name that agents use.
    pub name: String,
    /// The wire, as the Agents API names it: `openai-compatible`, `anthropic`, …
    pub kind: String,
    /// For people.
    pub description: String,
    /// The provider's name for it.
    pub model: String,
    /// In tokens; 0 where nobody knows.
    pub context_window: u64,
    /// Whether agents that name no model get it.
    pub default: bool,
}

/// How the server runs.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Of the program.
    pub version: String,
    /// Where it listens.
    pub addresses: Vec<String>,
    /// The data directory.
    pub data: String,
    /// Since when, RFC 3339.
    pub started_at: String,
}

/// Does what an operator asked for to its end, also when whoever asked goes
/// away meanwhile: neither half of it may be missing.
pub(crate) async fn whole<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(Error::internal(format!("what the operator asked for broke off: {error}"))))
}

/// Records what an operator did. Durable when it answers; who hears of an error
/// does not know whether it was done, only that nobody will read of it.
pub(crate) async fn record(app: &App, caller: &Caller, act: Act, subject: &str, tenant: &str) -> Result<()> {
    let record = audit::Record::Operator { act, subject, tenant, by: caller.0.key };
    Ok(record.put(&*app.outbox, Clock.now()).await?)
}

pub(crate) static POLICY: Operation = Operation {
    id: "getPolicy",
    method: Method::Get,
    path: "/operator/v1/policy",
    summary: "The policy in force, without secrets",
    action: Some(Action::Operate),
    query: &[],
    body: None,
    answer: Answer::Ok("Object"),
};

pub(crate) async fn policy(State(app): State<Arc<App>>, _: Caller) -> Response {
    reply::json(StatusCode::OK, &app.operator.policy())
}

pub(crate) static STATUS: Operation = Operation {
    id: "getStatus",
    method: Method::Get,
    path: "/operator/v1/status",
    summary: "How the server runs",
    action: Some(Action::Operate),
    query: &[],
    body: None,
    answer: Answer::Ok("Object"),
};

pub(crate) async fn status(State(app): State<Arc<App>>, _: Caller) -> Response {
    let mut json = json!(app.operator.status());
    json["models"] = json!(app.operator.models());
    json["plugins"] = json!(app.engine.toolbox().plugins());
    json["stopping"] = json!(app.stop.is_cancelled());
    reply::json(StatusCode::OK, &json)
}

impl From<auth::Error> for Error {
    fn from(error: auth::Error) -> Self {
        use crate::errors::Code;
        let text = error.to_string();
        match error {
            auth::Error::NoTenant(_) => Self::field("tenant", text),
            auth::Error::TenantTaken(_) => Self::new(Code::Conflict, text),
            auth::Error::WeakOwnerKey => Self::new(Code::InvalidRequest, text),
            auth::Error::Store(cause) => cause.into(),
            auth::Error::Damaged(..) => Self::internal(text),
        }
    }
}
