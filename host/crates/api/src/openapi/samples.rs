//! Examples of answers, made from their schemas, so that no answer is without one and none says what its schema
//! does not. Requests have examples of their own, because those have to work.

use serde_json::{Map, Value, json};

/// References that are followed one below the other. Ours do not go in circles; a circle would end here.
const DEPTH: usize = 8;

/// An example of a schema among `all`.
pub(super) fn sample(name: &str, all: &Map<String, Value>) -> Value {
    all.get(name).map_or(Value::Null, |schema| value("", schema, all, DEPTH))
}

/// A value for a member of this name.
fn value(name: &str, schema: &Value, all: &Map<String, Value>, depth: usize) -> Value {
    if let Some(path) = schema["$ref"].as_str() {
        let target = path.rsplit('/').next().and_then(|target| all.get(target)).filter(|_| depth > 0);
        return target.map_or(Value::Null, |target| value(name, target, all, depth - 1));
    }
    let fixed = [&schema["const"], &schema["enum"][0], &schema["default"]];
    if let Some(fixed) = fixed.into_iter().find(|fixed| !fixed.is_null()) {
        return fixed.clone();
    }
    if let Some(variants) = schema["oneOf"].as_array() {
        return variants.first().map_or(Value::Null, |first| value(name, first, all, depth));
    }
    match kind(schema) {
        "object" => object(schema, all, depth),
        "array" => items(name, &schema["items"], all, depth),
        "boolean" => json!(true),
        "integer" | "number" => json!(schema["minimum"].as_i64().unwrap_or(0).max(12)),
        "string" => text(name, schema),
        _ => Value::Null,
    }
}

/// The type of a schema; the first of several.
fn kind(schema: &Value) -> &str {
    schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or("")
}

fn object(schema: &Value, all: &Map<String, Value>, depth: usize) -> Value {
    let members = schema["properties"].as_object().into_iter().flatten();
    // What has a key and belongs to an agent is a session.
    let of_an_agent = schema["properties"]["agent_key"].is_object();
    let known_as = |name: &str| if of_an_agent && name == "key" { "session_key".to_owned() } else { name.to_owned() };
    let made = members.map(|(name, member)| (name.clone(), value(&known_as(name), member, all, depth)));
    let mut made: Map<String, Value> = made.collect();
    if schema["additionalProperties"].is_object() {
        made.insert("knowledge_search".into(), value("knowledge_search", &schema["additionalProperties"], all, depth));
    }
    made.into()
}

/// One item, or one of each kind where there are several.
fn items(name: &str, item: &Value, all: &Map<String, Value>, depth: usize) -> Value {
    let target = item["$ref"].as_str().and_then(|path| all.get(path.rsplit('/').next()?)).unwrap_or(item);
    match target["oneOf"].as_array() {
        Some(variants) => variants.iter().map(|variant| value("", variant, all, depth)).collect(),
        None => json!([value(name, item, all, depth)]),
    }
}

fn text(name: &str, schema: &Value) -> Value {
    if schema["format"] == "date-time" {
        return json!("2026-05-28T22:17:09.627Z");
    }
    let known = match (schema["pattern"].as_str().unwrap_or_default(), name) {
        ("^aev_", _) | (_, "event_id") => "aev_06gkv3sy5ftz2cq1m8r7xw4n0d00000000002g",
        ("^tol_", _) => "tol_knowledge_knowledge_base_search",
        (pattern, _) if pattern.starts_with("^sha256:") => "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ("^[a-zA-Z0-9_-]{1,64}$", _) => "city",
        (_, "session_key") => "ase_widget_trouble_4627",
        (_, "key") if schema["pattern"].is_null() => "wrd_…",
        ("^[0-9a-zA-Z_-]+$", _) => "agt_customer_support",
        (_, "name" | "title") => "Customer support",
        (_, "content") => "The widget has to be mounted before it is wired.",
        (_, "tool_configuration" | "tool_configuration_name") => "knowledge_search",
        (_, "tool_name") => "knowledge_base_search",
        (_, "request_id") => "4f2a0c1be0d94c1f9f0f6d1a2b3c4d5e",
        (_, "access_token") => "wrt_…",
        _ => "…",
    };
    json!(known)
}
