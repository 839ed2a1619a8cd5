//! Tools of the installed plugins, as the Agents API shows them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use policy::Action;
use tool::{Caller as ToolCaller, ToolSpec};

use crate::App;
use crate::caller::{Caller, Segments};
use crate::errors::{Code, Error, Result};
use crate::limits::PAGE as AGENTS;
use crate::operation::{Answer, Method, Operation, Query};
use crate::page::{Params, Place, metadata};
use crate::reply;

/// Tools on a page when the client does not say.
const PAGE: usize = 50;

pub(crate) static LIST: Operation = Operation {
    id: "listTools",
    method: Method::Get,
    path: "/v2/tools",
    summary: "List the tools that agents of this tenant may bind",
    action: Some(Action::ReadTools),
    query: &[Query::Limit(50), Query::PageKey, Query::Filter, Query::Enabled, Query::Type],
    body: None,
    answer: Answer::Ok("ListToolsResponse"),
};

pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller, uri: Uri) -> Result<Response> {
    let params = Params::of(&uri)?;
    params.refuse(&["category", "tool_server_id"])?;
    let (limit, filter, enabled) = (params.limit(PAGE)?, params.filter()?, params.flag("enabled")?);
    // Each tool is of this type; a list of others is empty, not an error.
    let any = params.get("type").is_none_or(|kind| kind == "dynamic_vectara");
    let place = Place { tenant: caller.0.tenant, list: "tools", choice: format!("{any} {enabled:?} {:?}", params.get("filter")) };
    let matches = |shown: &Shown| {
        let spec = &shown.spec;
        any && enabled.is_none_or(|enabled| enabled == shown.enabled)
            && filter.as_ref().is_none_or(|f| f.is_match(&spec.id.name) || f.is_match(&spec.description))
    };
    let all: Vec<Shown> = visible(&app, &caller)?.into_values().filter(matches).collect();

    let from = match app.page_keys.read(&place, &params)? {
        None => 0,
        Some(last) => {
            let gone = || Error::field("page_key", "the tool that `page_key` goes on after is gone; begin without it");
            all.iter().position(|shown| mark(&shown.spec) == last).ok_or_else(gone)? + 1
        }
    };
    let rest = &all[from..];
    let page = &rest[..limit.min(rest.len())];
    let key = page.last().filter(|_| rest.len() > limit).map(|last| app.page_keys.write(&place, mark(&last.spec)));
    let tools: Vec<Value> = page.iter().map(written).collect();
    Ok(reply::json(StatusCode::OK, &json!({ "tools": tools, "metadata": metadata(key) })))
}

pub(crate) static GET: Operation = Operation {
    id: "getTool",
    method: Method::Get,
    path: "/v2/tools/{tool_id}",
    summary: "Get a tool",
    action: Some(Action::ReadTools),
    query: &[],
    body: None,
    answer: Answer::Ok("Tool"),
};

pub(crate) async fn get(State(app): State<Arc<App>>, caller: Caller, Segments(id): Segments<String>) -> Result<Response> {
    let shown = visible(&app, &caller)?.remove(&id).ok_or_else(|| Error::missing(Code::ToolNotFound, "tool", &id))?;
    Ok(reply::json(StatusCode::OK, &written(&shown)))
}

/// A tool in a list.
struct Shown {
    spec: Arc<ToolSpec>,
    /// False while its plugin is not in service; it is shown as it was last accepted then.
    enabled: bool,
}

/// What any agent of the tenant may use, by id: plugins granted to all agents, and those
/// granted only to agents that exist (the oldest ones, where there are very many).
fn visible(app: &App, caller: &Caller) -> Result<BTreeMap<String, Shown>> {
    let agents = app.engine.agents(caller.0.tenant, None, AGENTS)?;
    let keys = agents.into_iter().map(|agent| agent.key).filter(|key| caller.sees(key)).chain([String::new()]);
    let callers: Vec<_> = keys.map(|key| ToolCaller { tenant: caller.0.tenant_name.clone(), agent: key.into() }).collect();
    let toolbox = app.engine.toolbox();
    let shown = |enabled| move |spec: Arc<ToolSpec>| (spec.id.wire(), Shown { spec, enabled });
    let mut tools: BTreeMap<_, _> = callers.iter().flat_map(|to| toolbox.resting(to)).map(shown(false)).collect();
    tools.extend(callers.iter().flat_map(|to| toolbox.tools(to)).map(shown(true)));
    Ok(tools)
}

/// Names a tool in a page key.
fn mark(spec: &ToolSpec) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(spec.id.wire().as_bytes()).into();
    let mut mark = [0; 16];
    mark.copy_from_slice(&digest[..16]);
    mark
}

fn written(Shown { spec, enabled }: &Shown) -> Value {
    let schema = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| json!({}));
    let mut json = json!({
        "type": "dynamic_vectara",
        "id": spec.id.wire(),
        "name": spec.id.name,
        "description": spec.description,
        "enabled": enabled,
        "input_schema": schema(&spec.input),
        "annotations": {
            "read_only_hint": spec.traits.read_only,
            "destructive_hint": !spec.traits.additive && !spec.traits.read_only,
            "idempotent_hint": spec.traits.idempotent,
            "open_world_hint": !spec.traits.closed_world,
        },
    });
    if let Some(title) = &spec.title {
        json["title"] = json!(title);
    }
    if let Some(output) = &spec.output {
        json["output_schema"] = schema(output);
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use tool::{ToolId, Traits};

    #[test]
    fn a_tool_is_shown_with_everything_that_clients_insist_on() {
        let spec = ToolSpec {
            id: ToolId { plugin: "knowledge".into(), name: "knowledge_base_search".into() },
            description: "Search.".into(),
            input: r#"{"type":"object"}"#.into(),
            output: None,
            traits: Traits { read_only: true, ..Traits::default() },
            title: None,
            component: "sha256:0".into(),
            tools: "sha256:0".into(),
            version: "0.1.0".into(),
        };
        let json = written(&Shown { spec: spec.into(), enabled: true });
        assert_eq!(json["id"], "tol_knowledge_knowledge_base_search");
        assert_eq!((&json["type"], &json["name"]), (&json!("dynamic_vectara"), &json!("knowledge_base_search")));
        assert_eq!(json["input_schema"]["type"], "object");
        assert_eq!(json["annotations"]["destructive_hint"], false);
        assert!(json.get("output_schema").is_none());
    }
}
