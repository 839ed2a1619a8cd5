//! Calls that wait for a person, of every tenant, for the operator.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use serde_json::json;

use agent::{Decisions, Follow, OpenApprovals};
use policy::Action;
use session::Uid;
use session::json::push_string;

use crate::App;
use crate::agents_v2::approvals::{decision, event, hash, push_approval};
use crate::body::ExactBody;
use crate::caller::{Caller, Segments};
use crate::errors::{Error, Result};
use crate::fields::Fields;
use crate::operation::{Answer, Method, Operation, Query};
use crate::page::{Params, Place, metadata};
use crate::reply;

/// Approvals on a page when the operator does not say.
const PAGE: usize = 100;

pub(crate) static LIST: Operation = Operation {
    id: "listApprovals",
    method: Method::Get,
    path: "/operator/v1/approvals",
    summary: "List the tool calls that wait for a person, oldest session first; a page may be a little longer, sessions are not torn",
    action: Some(Action::Operate),
    query: &[Query::Limit(100), Query::PageKey, Query::Tenant],
    body: None,
    answer: Answer::Ok("ListApprovalsResponse"),
};

pub(crate) async fn list(State(app): State<Arc<App>>, _: Caller, uri: Uri) -> Result<Response> {
    let params = Params::of(&uri)?;
    let limit = params.limit(PAGE)?;
    let tenant = match params.get("tenant") {
        None => None,
        Some(name) => Some(tenant(&app, name)?),
    };
    let place = Place { tenant: app.keyring.home().id, list: "approvals", choice: format!("{tenant:?}") };
    let after = app.page_keys.read(&place, &params)?.map(Uid);
    let (sessions, more) = app.engine.all_approvals(tenant, after, limit)?;
    let key = more.map(|session| app.page_keys.write(&place, session.0));

    let mut body = "{\"approvals\":[".to_owned();
    for session in &sessions {
        push_session(&mut body, session);
    }
    body.push_str(&format!("],\"metadata\":{}}}", metadata(key)));
    Ok(reply::text(StatusCode::OK, body))
}

fn tenant(app: &App, name: &str) -> Result<Uid> {
    let tenants = app.keyring.tenants()?;
    let found = tenants.iter().find(|tenant| &*tenant.name == name).map(|tenant| tenant.id);
    found.ok_or_else(|| Error::field("tenant", format!("tenant `{name}` does not exist; GET /operator/v1/tenants lists those that do")))
}

fn push_session(out: &mut String, session: &OpenApprovals) {
    for approval in &session.approvals {
        out.push_str(if out.ends_with('[') { "{" } else { ",{" });
        for (name, value) in [("tenant", &*session.tenant), ("agent_key", &session.agent), ("session_key", &session.session)] {
            out.push_str(&format!("\"{name}\":"));
            push_string(out, value);
            out.push(',');
        }
        push_approval(out, approval);
        out.push('}');
    }
}

pub(crate) static DECIDE: Operation = Operation {
    id: "decideApproval",
    method: Method::Post,
    path: "/operator/v1/approvals/{event_id}",
    summary: "Approve or reject a tool call that waits; its turn goes on, and is not waited for",
    action: Some(Action::Operate),
    query: &[],
    body: Some("DecideApprovalRequest"),
    answer: Answer::Ok("DecidedApproval"),
};

pub(crate) async fn decide(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments(id): Segments<String>,
    body: ExactBody,
) -> Result<Response> {
    let decision = decision(event(&id)?, &Fields::of_body(&body.members), &body.text)?;
    let (agent, session) = app.engine.place_of(decision.event)?;
    let decisions = vec![decision];
    let input = Decisions { hash: hash(&decisions), decisions, repeat: None, follow: Follow::Entries, unless_left: false };
    // Whoever watches the session sees what comes of it; here it only has to be durable.
    drop(app.engine.decide(&agent, &session, &caller.0, caller.standing(&app), input).await?);
    let json = json!({ "event_id": id, "decision": body.members["decision"], "agent_key": agent.key, "session_key": session.key });
    Ok(reply::json(StatusCode::OK, &json))
}
