//! Grants for a time, and why something is allowed or not.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use serde::Serialize;
use serde_json::{Value, json};

use audit::Act;
use policy::{Action, Explanation, LEASE_BYTES_MAX, LEASE_MAX, LeaseFile, Question, Span};
use session::Principal;

use crate::App;
use crate::body::JsonBody;
use crate::caller::{Caller, Segments};
use crate::errors::{Code, Error, Result};
use crate::fields::Fields;
use crate::operation::{Answer, Method, Operation, Query};
use crate::operator::{record, whole};
use crate::page::Params;
use crate::{naming, reply};

/// Characters of a plugin's name.
const PLUGIN: usize = 32;
/// Words of one question.
const WORDS: usize = 16;

/// What the host does about grants.
#[async_trait]
pub trait Grants: Send + Sync {
    /// Keeps a lease and puts it in force. Durable when it answers.
    async fn lend(&self, wanted: NewLease) -> Result<Lent, NotLent>;

    /// The leases that have not ended, oldest first. Called for each listing; cheap.
    fn leases(&self) -> Vec<LeaseInfo>;

    /// Ends the lease of this id, or all leases of the plugin of this name; answers how many.
    async fn revoke(&self, id_or_plugin: &str) -> Result<usize, NotLent>;

    /// Decides a question as a call would meet it. Called when the operator asks; reads nothing but small files.
    fn explain(&self, ask: &Ask) -> Answered;
}

/// A lease that is wanted.
#[derive(Debug, Clone)]
pub struct NewLease {
    /// To which plugin.
    pub plugin: String,
    /// Only for this tenant.
    pub tenant: Option<String>,
    /// Only for this agent.
    pub agent: Option<String>,
    /// What is lent.
    pub grant: LeaseFile,
    /// For how long.
    pub lasts: Duration,
    /// Who lends it.
    pub by: String,
}

/// A lease as the operator sees it.
#[derive(Debug, Clone, Serialize)]
pub struct LeaseInfo {
    /// By which it is revoked.
    pub id: String,
    /// To which plugin.
    pub plugin: String,
    /// Only for this tenant.
    pub tenant: Option<String>,
    /// Only for this agent.
    pub agent: Option<String>,
    /// What is lent.
    pub grant: LeaseFile,
    /// Since when, RFC 3339.
    pub since: String,
    /// Until when, RFC 3339.
    pub until: String,
    /// Who lent it.
    pub by: String,
}

/// A new lease, and what is odd about it.
#[derive(Debug, Clone, Serialize)]
pub struct Lent {
    /// The lease.
    #[serde(flatten)]
    pub lease: LeaseInfo,
    /// What works, but likely not as meant.
    pub warnings: Vec<String>,
}

/// Why a lease was not made or ended.
#[derive(Debug, thiserror::Error)]
pub enum NotLent {
    /// It does not fit; each finding is a sentence.
    #[error("{}", .0.join("; "))]
    Refused(Vec<String>),
    /// There are too many.
    #[error("there are {0} leases already; revoke some with `wardian revoke`, or write what lasts into wardian.toml")]
    TooMany(usize),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] storage::Error),
}

/// A question about a plugin.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which plugin.
    pub plugin: String,
    /// For which tenant.
    pub tenant: String,
    /// For which agent.
    pub agent: String,
    /// What.
    pub question: Question,
}

/// The answer to a question, with where its line stands.
#[derive(Debug, Clone, Serialize)]
pub struct Answered {
    /// Which plugin.
    pub plugin: String,
    /// For which tenant.
    pub tenant: String,
    /// For which agent.
    pub agent: String,
    /// File and line of the rule, or what else it is a part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The decision.
    #[serde(flatten)]
    pub explanation: Explanation,
}

impl From<NotLent> for Error {
    fn from(error: NotLent) -> Self {
        let text = error.to_string();
        match error {
            NotLent::Refused(_) => Self::field("grant", text),
            NotLent::TooMany(_) => Self::new(Code::Conflict, text),
            NotLent::Store(cause) => cause.into(),
        }
    }
}

pub(crate) static LEND: Operation = Operation {
    id: "createGrant",
    method: Method::Post,
    path: "/operator/v1/grants",
    summary: "Grant something to a plugin for a time; it is never written into the configuration file",
    action: Some(Action::Operate),
    query: &[],
    body: Some("CreateGrantRequest"),
    answer: Answer::Created("CreatedGrant"),
};

pub(crate) async fn lend(State(app): State<Arc<App>>, caller: Caller, JsonBody(body): JsonBody) -> Result<Response> {
    let fields = Fields::of_body(&body);
    let plugin = fields.required("plugin", fields.text("plugin", 1..=PLUGIN)?)?.to_owned();
    let lasts = lasts(fields.required("for", fields.text("for", 1..=64)?)?)?;
    let grant = grant(fields.required("grant", fields.value("grant"))?)?;
    let name = |member: &str| fields.text(member, 1..=64)?.map(|name| naming::checked(name, member).map(str::to_owned)).transpose();
    let (tenant, agent) = (name("tenant")?, name("agent")?);
    let wanted = NewLease { plugin, tenant, agent, grant, lasts, by: by(&caller.0) };
    whole(async move {
        let lent = app.operator.lend(wanted).await?;
        let (subject, tenant) = (format!("{}/{}", lent.lease.plugin, lent.lease.id), lent.lease.tenant.as_deref().unwrap_or_default());
        record(&app, &caller, Act::GrantLent, &subject, tenant).await?;
        Ok(reply::json(StatusCode::CREATED, &json!(lent)))
    })
    .await
}

fn lasts(text: &str) -> Result<Duration> {
    let refused = || {
        let hours = LEASE_MAX.as_secs() / 3_600;
        Error::field(
            "for",
            format!(
                "`for` must be a span of time such as 10m, at least 1s and at most {hours}h; what is needed for longer belongs into wardian.toml"
            ),
        )
    };
    let Span(lasts) = text.parse().map_err(|_| refused())?;
    if (Duration::from_secs(1)..=LEASE_MAX).contains(&lasts) { Ok(lasts) } else { Err(refused()) }
}

fn grant(value: &Value) -> Result<LeaseFile> {
    if value.to_string().len() > LEASE_BYTES_MAX {
        return Err(Error::field(
            "grant",
            format!("`grant` may have at most {LEASE_BYTES_MAX} bytes of JSON; a lease is a handful of rules"),
        ));
    }
    serde_json::from_value(value.clone()).map_err(|error| {
        let help = "it has the form of a [plugin.NAME] entry, with http, files, secrets, config, store and cache only";
        Error::field("grant", format!("`grant` cannot be read: {error}; {help}"))
    })
}

/// How a grant names whoever gave it.
fn by(principal: &Principal) -> String {
    let key = if principal.key.0 == [0; 16] { "the operator's socket".to_owned() } else { format!("key {}", principal.key.hex()) };
    match &principal.subject {
        Some(subject) => format!("{key}, {subject}"),
        None => key,
    }
}

pub(crate) static LIST: Operation = Operation {
    id: "listGrants",
    method: Method::Get,
    path: "/operator/v1/grants",
    summary: "List what is granted for a time; all on one page",
    action: Some(Action::Operate),
    query: &[],
    body: None,
    answer: Answer::Ok("ListGrantsResponse"),
};

pub(crate) async fn list(State(app): State<Arc<App>>, _: Caller) -> Response {
    reply::json(StatusCode::OK, &json!({ "grants": app.operator.leases() }))
}

pub(crate) static REVOKE: Operation = Operation {
    id: "revokeGrant",
    method: Method::Delete,
    path: "/operator/v1/grants/{grant}",
    summary: "End one grant for a time by its id, or all those of a plugin by its name",
    action: Some(Action::Operate),
    query: &[],
    body: None,
    answer: Answer::Nothing,
};

pub(crate) async fn revoke(State(app): State<Arc<App>>, caller: Caller, Segments(name): Segments<String>) -> Result<StatusCode> {
    whole(async move {
        if app.operator.revoke(&name).await? == 0 {
            return Err(Error::missing(Code::NotFound, "a grant for a time of this id or plugin", &name));
        }
        record(&app, &caller, Act::GrantRevoked, &name, "").await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

pub(crate) static EXPLAIN: Operation = Operation {
    id: "explainPolicy",
    method: Method::Get,
    path: "/operator/v1/policy/explain",
    summary: "Why something is allowed to a plugin or not: by which line, or what would allow it",
    action: Some(Action::Operate),
    query: &[Query::Plugin, Query::Ask, Query::ForTenant, Query::ForAgent],
    body: None,
    answer: Answer::Ok("Object"),
};

pub(crate) async fn explain(State(app): State<Arc<App>>, _: Caller, uri: Uri) -> Result<Response> {
    let params = Params::of(&uri)?;
    let required = |name: &str| params.get(name).ok_or_else(|| Error::field(name, format!("`{name}` is required")));
    let words: Vec<&str> = required("ask")?.split_whitespace().take(WORDS).collect();
    let question = Question::parse(&words).map_err(|error| Error::field("ask", error.to_string()))?;
    let tenant = params.get("tenant").unwrap_or(&app.keyring.home().name).to_owned();
    let agent = params.get("agent").unwrap_or("assistant").to_owned();
    let ask = Ask { plugin: required("plugin")?.to_owned(), tenant, agent, question };
    Ok(reply::json(StatusCode::OK, &json!(app.operator.explain(&ask))))
}
