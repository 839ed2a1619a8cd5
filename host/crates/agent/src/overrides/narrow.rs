//! The schema that a model is shown: a tool's own without what the agent sets.

use std::sync::Arc;

use serde_json::{Map, Value};
use tool::ToolSpec;

use super::Overrides;

/// The tool as the model sees it. What lies behind a reference inside the schema stays: a model that sends it is overruled.
pub(crate) fn narrowed(spec: &Arc<ToolSpec>, overrides: &Overrides) -> Arc<ToolSpec> {
    let Ok(Value::Object(mut schema)) = serde_json::from_str(&spec.input) else { return spec.clone() };
    for entry in &overrides.0 {
        hide(&mut schema, &entry.path);
    }
    Arc::new(ToolSpec { input: Value::Object(schema).to_string().into(), ..ToolSpec::clone(spec) })
}

fn hide(schema: &mut Map<String, Value>, path: &[String]) {
    let Some((name, rest)) = path.split_first() else { return };
    let inner = schema.get_mut("properties").and_then(Value::as_object_mut);
    if rest.is_empty() {
        if let Some(properties) = inner {
            properties.shift_remove(name);
        }
        if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|listed| listed != name.as_str());
        }
        return;
    }
    let inner = inner.and_then(|properties| properties.get_mut(name)).and_then(Value::as_object_mut);
    let Some(inner) = inner else { return };
    hide(inner, rest);
    // Where the agent sets all that has to be in it, the model need not send it.
    let needs_more = inner.get("required").and_then(Value::as_array).is_some_and(|required| !required.is_empty());
    if !needs_more && let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|listed| listed != name.as_str());
    }
}
