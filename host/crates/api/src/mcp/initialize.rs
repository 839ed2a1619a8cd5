//! The handshake: which revision of the protocol is spoken, what there is, and,
//! where there is nothing, which line of the operator's file would change that.

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::json;

use agent::Clock;
use policy::MCP_AGENT;
use tool::Caller as ToolCaller;

use super::message::{self, Fault, Request};
use super::running::SESSION;
use crate::{App, reply};

/// The revisions that are spoken, newest first: in what is done here they are alike.
const REVISIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

/// By which a client says on later requests which one was agreed on.
const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// What the client says of itself. Its capabilities and its name are of no use here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hello {
    protocol_version: String,
}

/// Whether the revision that a request names is one of those.
pub(super) fn revision(headers: &HeaderMap) -> Result<(), Fault> {
    match headers.get(REVISION) {
        Some(named) if !REVISIONS.iter().any(|revision| named.as_bytes() == revision.as_bytes()) => {
            Err(Fault::invalid(&format!("the header MCP-Protocol-Version must be one of {}", REVISIONS.join(", "))))
        }
        Some(_) | None => Ok(()),
    }
}

/// Agrees on a revision: the client's, or the newest one where this server does not speak it.
pub(super) async fn answer(app: &App, whom: &ToolCaller, request: &Request<'_>) -> Response {
    let agreed = request.params::<Hello>().map(|hello| {
        let wanted = REVISIONS.into_iter().find(|revision| *revision == hello.protocol_version);
        wanted.unwrap_or(REVISIONS[0])
    });
    let revision = match agreed {
        Ok(revision) => revision,
        Err(fault) => return reply::text(StatusCode::OK, message::answer(request.id, &Err(fault))),
    };
    app.engine.toolbox().settled().await;
    let mut result = json!({
        "protocolVersion": revision,
        "capabilities": { "tools": { "listChanged": false } },
        "serverInfo": { "name": "wardian", "title": "Wardian", "version": env!("CARGO_PKG_VERSION") },
    });
    if app.engine.toolbox().tools(whom).is_empty() {
        result["instructions"] = instructions(whom).into();
    }
    let mut response = reply::text(StatusCode::OK, message::answer(request.id, &Ok(result.to_string())));
    // It opens nothing: it only tells one client's request ids from another's.
    let scope = data_encoding::HEXLOWER.encode(&Clock.random::<16>());
    if let Ok(scope) = HeaderValue::from_str(&scope) {
        response.headers_mut().insert(SESSION, scope);
    }
    response
}

/// What a client is told that would find no tools.
fn instructions(whom: &ToolCaller) -> String {
    let tenants = if &*whom.tenant == policy::OPERATOR_TENANT { String::new() } else { format!(", and tenants = [\"{}\"]", whom.tenant) };
    format!(
        "No tools are offered here yet. The operator offers those of a plugin by naming the agent `{MCP_AGENT}` in its entry in \
         wardian.toml: agents = [\"*\", \"{MCP_AGENT}\"] under [plugin.NAME]{tenants}."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_that_is_not_spoken_is_refused_by_name() {
        let headers = |text: &'static str| HeaderMap::from_iter([(REVISION, HeaderValue::from_static(text))]);
        for known in REVISIONS {
            assert_eq!(revision(&headers(known)), Ok(()));
        }
        assert_eq!(revision(&HeaderMap::new()), Ok(()));
        assert!(revision(&headers("2024-11-05")).is_err() && revision(&headers("")).is_err());
    }

    #[test]
    fn who_finds_no_tools_is_told_the_line_that_would_offer_some() {
        let of = |tenant: &str| instructions(&ToolCaller { tenant: tenant.into(), agent: MCP_AGENT.into() });
        assert!(of("default").ends_with("agents = [\"*\", \"mcp\"] under [plugin.NAME]."));
        assert!(of("acme").ends_with("under [plugin.NAME], and tenants = [\"acme\"]."));
    }
}
