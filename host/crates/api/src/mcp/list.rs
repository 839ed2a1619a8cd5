//! The tools as the protocol shows them, and the names under which they are
//! called there: `<plugin>__<tool>`, which nothing else reads as, because a
//! plugin's name holds no underscore.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use tool::{Caller as ToolCaller, ToolId, ToolSpec, Traits};

use super::message::{Fault, Request};
use crate::App;
use crate::errors::Error;

/// Tools on a page: with descriptions and schemas as long as they may be, some megabytes.
const PAGE: usize = 100;

/// What stands between plugin and tool.
const BETWEEN: &str = "__";

/// Which page is wanted.
#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    cursor: Option<String>,
}

/// A page of tools.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    tools: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A tool.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    description: String,
    input_schema: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<Box<RawValue>>,
    annotations: Annotations,
}

/// What a client may go by when it decides whether to ask its user.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Annotations {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    read_only_hint: bool,
    destructive_hint: bool,
    idempotent_hint: bool,
    open_world_hint: bool,
}

/// A page of the tools that this caller may call now, by name.
pub(super) async fn tools(app: &App, whom: &ToolCaller, request: &Request<'_>) -> Result<String, Fault> {
    let Wanted { cursor } = request.params()?;
    let after = cursor.as_deref().map(|cursor| read_cursor(cursor).ok_or_else(foreign)).transpose()?;
    let toolbox = app.engine.toolbox();
    toolbox.settled().await;
    let mut tools: Vec<(String, Arc<ToolSpec>)> = toolbox.tools(whom).into_iter().map(|spec| (name(&spec.id), spec)).collect();
    tools.sort_by(|(one, _), (other, _)| one.cmp(other));
    let from = after.map_or(0, |after| tools.partition_point(|(name, _)| *name <= after));
    let next_cursor = tools.get(from + PAGE).map(|_| cursor_after(&tools[from + PAGE - 1].0));
    let tools = tools.drain(from..).take(PAGE).map(|(name, spec)| shown(name, &spec)).collect::<Result<_, _>>();
    let page = Page { tools: tools.map_err(Error::internal)?, next_cursor };
    Ok(serde_json::to_string(&page).map_err(Error::internal)?)
}

/// What a tool is called here.
pub(super) fn name(tool: &ToolId) -> String {
    format!("{}{BETWEEN}{}", tool.plugin, tool.name)
}

/// The tool of a name, if it can be one.
pub(super) fn tool(name: &str) -> Option<ToolId> {
    let (plugin, name) = name.split_once(BETWEEN)?;
    (ToolId::is_plugin_name(plugin) && ToolId::is_tool_name(name)).then(|| ToolId { plugin: plugin.to_owned(), name: name.to_owned() })
}

fn shown(name: String, spec: &ToolSpec) -> serde_json::Result<Shown> {
    Ok(Shown {
        name,
        title: spec.title.clone(),
        description: spec.description.clone(),
        input_schema: of_objects(&spec.input)?,
        output_schema: spec.output.as_deref().filter(|schema| is_of_objects(schema)).map(raw).transpose()?,
        annotations: annotations(spec.title.clone(), spec.traits),
    })
}

fn annotations(title: Option<String>, traits: Traits) -> Annotations {
    Annotations {
        title,
        read_only_hint: traits.read_only,
        destructive_hint: !traits.read_only && !traits.additive,
        idempotent_hint: traits.idempotent,
        open_world_hint: !traits.closed_world,
    }
}

/// A schema of arguments as clients insist on it, with `"type": "object"` at its root. Arguments are objects anyway.
fn of_objects(schema: &str) -> serde_json::Result<Box<RawValue>> {
    if is_of_objects(schema) {
        return raw(schema);
    }
    let mut root = serde_json::from_str::<Map<String, Value>>(schema).unwrap_or_default();
    root.insert("type".into(), "object".into());
    to_raw_value(&root)
}

/// Whether a schema says at its root that it is one of objects. The protocol knows no others.
pub(super) fn is_of_objects(schema: &str) -> bool {
    serde_json::from_str::<Map<String, Value>>(schema).is_ok_and(|root| root.get("type").is_some_and(|kind| kind == "object"))
}

fn raw(json: &str) -> serde_json::Result<Box<RawValue>> {
    RawValue::from_string(json.trim().to_owned())
}

/// Where a list goes on: after the tool of this name.
fn cursor_after(name: &str) -> String {
    data_encoding::BASE64URL_NOPAD.encode(name.as_bytes())
}

fn read_cursor(cursor: &str) -> Option<String> {
    let name = String::from_utf8(data_encoding::BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?).ok()?;
    tool(&name).map(|_| name)
}

fn foreign() -> Fault {
    Fault::params("`cursor` is none that this list gave; begin without it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_as_the_tool_it_was_made_from() {
        let id = ToolId { plugin: "my-notes".into(), name: "note__write_".into() };
        assert_eq!(name(&id), "my-notes__note__write_");
        assert_eq!(tool(&name(&id)), Some(id));
        for none in ["", "notes", "notes_write", "__write", "notes__", "Notes__write", "notes__Write", "@client__x", "a__b c"] {
            assert_eq!(tool(none), None, "{none}");
        }
    }

    #[test]
    fn a_cursor_is_one_that_the_list_gave() {
        assert_eq!(read_cursor(&cursor_after("notes__write")).as_deref(), Some("notes__write"));
        for none in ["", "%", "notes__write", &data_encoding::BASE64URL_NOPAD.encode(b"x")] {
            assert_eq!(read_cursor(none), None, "{none}");
        }
    }

    #[test]
    fn what_a_tool_does_not_promise_is_hinted_at_as_the_worst() {
        let worst = annotations(None, Traits::default());
        let wanted =
            Annotations { title: None, read_only_hint: false, destructive_hint: true, idempotent_hint: false, open_world_hint: true };
        assert_eq!(worst, wanted);
        let best = annotations(None, Traits { read_only: true, idempotent: true, additive: false, closed_world: true });
        assert!(best.read_only_hint && !best.destructive_hint && best.idempotent_hint && !best.open_world_hint);
    }

    #[test]
    fn every_schema_of_arguments_is_one_of_objects_and_the_authors_stay_as_they_are() {
        assert_eq!(of_objects(" {\"type\": \"object\", \"x\": 1.10}").unwrap().get(), "{\"type\": \"object\", \"x\": 1.10}");
        for odd in ["{}", "true", "{\"type\": [\"object\", \"null\"]}"] {
            assert!(is_of_objects(of_objects(odd).unwrap().get()), "{odd}");
        }
        assert!(!is_of_objects("{\"type\": \"array\"}") && !is_of_objects("true"));
    }
}
