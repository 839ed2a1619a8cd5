//! The messages as the document describes them: as far as all are alike. The protocol describes the rest itself.

use serde_json::{Value, json};

/// The schemas by name.
pub(crate) fn schemas() -> Value {
    let text = json!({"type": "string"});
    let object = |required: &[&str], properties: Value| json!({ "type": "object", "required": required, "properties": properties });
    json!({
        "McpMessage": object(&["jsonrpc", "id", "method"], json!({
            "jsonrpc": {"const": "2.0"},
            "id": {"type": ["string", "integer"], "maxLength": 40, "description": "A message without one wants no answer: 202, no body."},
            "method": {"type": "string", "examples": ["initialize", "ping", "tools/list", "tools/call"]},
            "params": {"type": "object"},
        })),
        "McpAnswer": object(&["jsonrpc", "id"], json!({
            "jsonrpc": {"const": "2.0"},
            "id": {"type": ["string", "integer", "null"], "description": "Of the request; null where none was read."},
            "result": {"type": "object"},
            "error": object(&["code", "message"], json!({"code": {"type": "integer"}, "message": text, "data": {"type": "object"}})),
        })),
    })
}

/// A whole example of a schema, where it is the body of a request.
pub(crate) fn example(schema: &str) -> Option<Value> {
    (schema == "McpMessage").then(|| json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}))
}
