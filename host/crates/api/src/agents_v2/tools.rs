//! Tools as the Agents API shows them: those of the installed plugins, and those
//! that clients run.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use regex::Regex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use policy::Action;
use session::{ClientTool, Uid};
use tool::{Caller as ToolCaller, ToolSpec};

use super::client_tools;
use super::view::View;
use crate::App;
use crate::caller::{Caller, Segments};
use crate::errors::{Code, Error, Result};
use crate::limits::PAGE as AGENTS;
use crate::operation::{Answer, Method, Operation, Query};
use crate::page::{Params, Place, gather, metadata};
use crate::reply;

/// Tools on a page when the client does not say.
const PAGE: usize = 50;

/// The category of a tool that a plugin brings.
const PLUGIN: &str = "plugin";

/// The category of a tool that the client runs.
pub(super) const CLIENT: &str = "client";

pub(crate) static LIST: Operation = Operation {
    id: "listTools",
    method: Method::Get,
    path: "/v2/tools",
    summary: "List the tools that agents of this tenant may bind: those of plugins, then those that clients run, oldest first",
    action: Some(Action::ReadTools),
    query: &[
        Query::Limit(50),
        Query::PageKey,
        Query::Filter,
        Query::Enabled,
        Query::Type,
        Query::Category,
        Query::ToolServer,
        Query::AllTypes,
    ],
    body: None,
    answer: Answer::Ok("ListToolsResponse"),
};

pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller, view: View, uri: Uri) -> Result<Response> {
    let params = Params::of(&uri)?;
    let limit = params.limit(PAGE)?;
    let wanted = Wanted::read(&params, view)?;
    let place = Place { tenant: caller.0.tenant, list: "tools", choice: wanted.choice.clone() };
    let after = app.page_keys.read(&place, &params)?.map(After::of);

    let plugins = plugins(&app, &caller, &wanted, &after)?;
    let mut last = None;
    let mut tools: Vec<Value> = Vec::with_capacity(limit);
    for shown in plugins.iter().take(limit) {
        last = Some(mark(&shown.spec));
        tools.push(written(shown));
    }
    let slice = |after, size| match wanted.clients {
        true => Ok(app.engine.client_tools(caller.0.tenant, after, size)?),
        false => Ok(Vec::new()),
    };
    // With no room left this only looks whether one follows.
    let clients = gather(limit - tools.len(), After::client(&after), |tool| tool.uid, slice, |tool| wanted.client(tool))?;
    for tool in &clients.items {
        last = Some(tool.uid.0);
        tools.push(client_tools::written(tool, wanted.view));
    }
    let more = plugins.len() > limit || clients.more;
    let key = last.filter(|_| more).map(|last| app.page_keys.write(&place, last));
    Ok(reply::json(StatusCode::OK, &json!({ "tools": tools, "metadata": metadata(key) })))
}

/// Which tools a list holds.
struct Wanted {
    filter: Option<Regex>,
    enabled: Option<bool>,
    /// Those of plugins.
    plugins: bool,
    /// Those that clients run.
    clients: bool,
    view: View,
    /// What was asked for, for page keys.
    choice: String,
}

impl Wanted {
    fn read(params: &Params, view: View) -> Result<Self> {
        let (filter, enabled, kind) = (params.filter()?, params.flag("enabled")?, params.get("type"));
        let mut categories: Vec<&str> = params.all("category").collect();
        categories.sort_unstable();
        let server = params.get("tool_server_id");
        let choice = format!("{kind:?} {enabled:?} {categories:?} {server:?} {:?} {view:?}", params.get("filter"));
        let within = |category| server.is_none() && (categories.is_empty() || categories.contains(&category));
        Ok(Self {
            plugins: within(PLUGIN) && kind.is_none_or(|kind| kind == "dynamic_vectara"),
            clients: within(CLIENT) && kind.is_none_or(|kind| kind == "client" || kind == view.client_type()),
            // Who asks for the type knows it.
            view: if kind == Some("client") { View::ALL } else { view },
            filter,
            enabled,
            choice,
        })
    }

    fn matches(&self, enabled: bool, texts: [Option<&str>; 3]) -> bool {
        let found = |filter: &Regex| texts.into_iter().flatten().any(|text| filter.is_match(text));
        self.enabled.is_none_or(|wanted| wanted == enabled) && self.filter.as_ref().is_none_or(found)
    }

    fn plugin(&self, Shown { spec, enabled }: &Shown) -> bool {
        self.matches(*enabled, [Some(&spec.id.name), Some(&spec.description), spec.title.as_deref()])
    }

    fn client(&self, tool: &ClientTool) -> bool {
        self.matches(tool.enabled, [Some(&tool.name), Some(&tool.description), tool.title.as_deref()])
    }
}

/// What a page goes on after.
enum After {
    /// A plugin's tool, by its mark.
    Plugin([u8; 16]),
    /// A client tool.
    Client(Uid),
}

impl After {
    fn of(last: [u8; 16]) -> Self {
        if last[0] == MARKED { Self::Plugin(last) } else { Self::Client(Uid(last)) }
    }

    fn client(after: &Option<Self>) -> Option<Uid> {
        match after {
            Some(Self::Client(uid)) => Some(*uid),
            Some(Self::Plugin(_)) | None => None,
        }
    }
}

/// The plugins' tools that are still to be listed.
fn plugins(app: &App, caller: &Caller, wanted: &Wanted, after: &Option<After>) -> Result<Vec<Shown>> {
    let last = match after {
        Some(After::Client(_)) => return Ok(Vec::new()),
        Some(After::Plugin(last)) => Some(*last),
        None => None,
    };
    if !wanted.plugins {
        return Ok(Vec::new());
    }
    let mut all: Vec<Shown> = visible(app, caller)?.into_values().collect();
    if let Some(last) = last {
        let gone = || Error::field("page_key", "the tool that `page_key` goes on after is gone; begin without it");
        let at = all.iter().position(|shown| mark(&shown.spec) == last).ok_or_else(gone)?;
        all.drain(..=at);
    }
    all.retain(|shown| wanted.plugin(shown));
    Ok(all)
}

pub(crate) static GET: Operation = Operation {
    id: "getTool",
    method: Method::Get,
    path: "/v2/tools/{tool_id}",
    summary: "Get a tool",
    action: Some(Action::ReadTools),
    query: &[Query::AllTypes],
    body: None,
    answer: Answer::Ok("Tool"),
};

pub(crate) async fn get(State(app): State<Arc<App>>, caller: Caller, Segments(id): Segments<String>, view: View) -> Result<Response> {
    if ClientTool::uid_of(&id).is_some() {
        let tool = app.engine.client_tool(caller.0.tenant, &id)?;
        return Ok(reply::json(StatusCode::OK, &client_tools::written(&tool, view)));
    }
    let shown = visible(&app, &caller)?.remove(&id).ok_or_else(|| Error::missing(Code::ToolNotFound, "tool", &id))?;
    Ok(reply::json(StatusCode::OK, &written(&shown)))
}

/// A plugin's tool in a list.
pub(super) struct Shown {
    spec: Arc<ToolSpec>,
    /// False while its plugin is not in service; it is shown as it was last accepted then.
    enabled: bool,
}

/// What any agent of the tenant may use, by id: plugins granted to all agents, and those
/// granted only to agents that exist (the oldest ones, where there are very many).
pub(super) fn visible(app: &App, caller: &Caller) -> Result<BTreeMap<String, Shown>> {
    let agents = app.engine.agents(caller.0.tenant, None, AGENTS)?;
    let keys = agents.into_iter().map(|agent| agent.key).filter(|key| caller.sees(key)).chain([String::new()]);
    let callers: Vec<_> = keys.map(|key| ToolCaller { tenant: caller.0.tenant_name.clone(), agent: key.into() }).collect();
    let toolbox = app.engine.toolbox();
    let shown = |enabled| move |spec: Arc<ToolSpec>| (spec.id.wire(), Shown { spec, enabled });
    let mut tools: BTreeMap<_, _> = callers.iter().flat_map(|to| toolbox.resting(to)).map(shown(false)).collect();
    tools.extend(callers.iter().flat_map(|to| toolbox.tools(to)).map(shown(true)));
    Ok(tools)
}

/// How the mark of a plugin's tool begins. A uid begins with its time, and none does so in the next thousands of years.
const MARKED: u8 = 0xff;

/// Names a plugin's tool in a page key.
fn mark(spec: &ToolSpec) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(spec.id.wire().as_bytes()).into();
    let mut mark = [MARKED; 16];
    mark[1..].copy_from_slice(&digest[..15]);
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
        "category": PLUGIN,
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
