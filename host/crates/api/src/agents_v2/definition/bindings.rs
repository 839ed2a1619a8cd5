//! The tools that an agent binds, by the names under which the model sees them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use agent::Overrides;
use session::{ClientTool, ToolBinding, ToolRef};
use tool::ToolId;

use crate::errors::{Code, Error, Result};
use crate::fields::Fields;
use crate::limits::TOOLS;

/// Characters of the name under which a model sees a tool: the shortest bound among providers.
const TOOL_NAME: usize = 64;

/// Reads `tool_configurations`.
pub(super) fn read(fields: &Fields<'_>) -> Result<BTreeMap<String, ToolBinding>> {
    let Some(configurations) = fields.object("tool_configurations")? else { return Ok(BTreeMap::new()) };
    if configurations.len() > TOOLS {
        return Err(Error::field("tool_configurations", format!("an agent may bind at most {TOOLS} tools")));
    }
    let tools = configurations.iter().map(|(name, value)| Ok((tool_name(name)?.to_owned(), binding(name, value)?)));
    let tools = tools.collect::<Result<_>>()?;
    check_outputs(&tools)?;
    Ok(tools)
}

fn tool_name(name: &str) -> Result<&str> {
    let fits = (1..=TOOL_NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let why = || format!("models take tool names of 1 to {TOOL_NAME} characters of a-z, A-Z, 0-9, _ and -; `{name}` is not one");
    if fits { Ok(name) } else { Err(Error::field(format!("tool_configurations.{name}"), why())) }
}

fn binding(name: &str, value: &Value) -> Result<ToolBinding> {
    let bad = |error: Error| error.with(Code::InvalidToolReference);
    let fields = Fields::of(value, format!("tool_configurations.{name}"))?;
    let kind = fields.text("type", 1..=64)?;
    if let Some(other) = kind.filter(|kind| !["dynamic_vectara", "client"].contains(kind)) {
        let why = format!("tools of type `{other}` are not supported in this version; bind a tool of GET /v2/tools as dynamic_vectara");
        return Err(bad(Error::field(fields.path("type"), why)));
    }
    fields.refuse(&["description_template", "input_transform", "output_transform"])?;
    let id = fields.required("tool_id", fields.text("tool_id", 1..=128)?).map_err(bad)?;
    // A client tool may come back in the form in which it was shown.
    let tool = match (ClientTool::uid_of(id), ToolId::from_wire(id)) {
        (Some(uid), _) => ToolRef::Client(uid),
        (None, Some(tool)) if kind != Some("client") => ToolRef::Plugin(tool),
        (None, Some(_)) => {
            let why = format!("`{id}` is a tool that the server runs; bind it as dynamic_vectara");
            return Err(bad(Error::field(fields.path("type"), why)));
        }
        (None, None) => {
            let why = format!("`{id}` is not the id of a tool; GET /v2/tools lists them, such as tol_<plugin>_<tool>");
            return Err(bad(Error::field(fields.path("tool_id"), why)));
        }
    };
    let argument_override = argument_override(&fields, &tool)?;
    Ok(ToolBinding { tool, argument_override })
}

/// What the agent sets itself of the tool's arguments: kept as it was written, once it is found to make sense.
fn argument_override(fields: &Fields<'_>, tool: &ToolRef) -> Result<Map<String, Value>> {
    let Some(members) = fields.object("argument_override")? else { return Ok(Map::new()) };
    let at = fields.path("argument_override");
    let overrides = Overrides::parse(members).map_err(|wrong| {
        let at = if wrong.key.is_empty() { at.clone() } else { format!("{at}.{}", wrong.key) };
        Error::field(&at, format!("`{at}` cannot be used: {}", wrong.why))
    })?;
    match tool {
        ToolRef::Client(_) if overrides.has_secrets() => {
            Err(Error::field(&at, format!("`{at}` names a secret, and the client runs this tool: it would get the value to see")))
        }
        ToolRef::Plugin(_) | ToolRef::Client(_) => Ok(members.clone()),
    }
}

/// Whether every tool whose output is used is one of this agent's.
fn check_outputs(tools: &BTreeMap<String, ToolBinding>) -> Result<()> {
    for (name, binding) in tools {
        let overrides = Overrides::parse(&binding.argument_override).unwrap_or_default();
        if let Some(unknown) = overrides.outputs().find(|output| !tools.contains_key(output)) {
            let at = format!("tool_configurations.{name}.argument_override");
            let why = format!("`{at}` uses the output of `{unknown}`, which is not among this agent's `tool_configurations`");
            return Err(Error::field(at, why));
        }
    }
    Ok(())
}

/// The answer's form of one, with its type as it is.
pub(super) fn written(binding: &ToolBinding) -> Value {
    let kind = match binding.tool {
        ToolRef::Plugin(_) => "dynamic_vectara",
        ToolRef::Client(_) => "client",
    };
    let mut json = json!({ "type": kind, "tool_id": wire(&binding.tool) });
    if !binding.argument_override.is_empty() {
        json["argument_override"] = binding.argument_override.clone().into();
    }
    json
}

/// The id under which API clients know a tool.
pub(in crate::agents_v2) fn wire(tool: &ToolRef) -> String {
    match tool {
        ToolRef::Plugin(tool) => tool.wire(),
        ToolRef::Client(uid) => ClientTool::id_of(*uid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use session::Uid;

    #[test]
    fn a_client_tool_is_bound_in_either_form_and_a_plugins_in_one() {
        let (client, plugin) = (ClientTool::id_of(Uid([7; 16])), "tol_calculator_calculate");
        for kind in [json!(null), json!("client"), json!("dynamic_vectara")] {
            let bound = binding("find", &json!({"type": kind, "tool_id": client})).unwrap();
            assert_eq!(written(&bound), json!({"type": "client", "tool_id": client}));
        }
        assert_eq!(written(&binding("sum", &json!({"tool_id": plugin})).unwrap())["type"], "dynamic_vectara");
        let refused = binding("sum", &json!({"type": "client", "tool_id": plugin})).unwrap_err();
        assert!(refused.code() == Code::InvalidToolReference && refused.message().contains("dynamic_vectara"), "{refused:?}");
    }
}
