//! The schemas of this door, for the document.

use serde_json::{Value, json};

/// All of them by name.
pub(crate) fn schemas() -> Value {
    let text = json!({"type": "string"});
    let whole = json!({"type": "integer"});
    let list = |items: Value| json!({"type": "array", "items": items});
    let refer = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let object = |required: &[&str], properties: Value| json!({ "type": "object", "required": required, "properties": properties });
    json!({
        "CreateChatCompletionRequest": object(&["messages"], json!({
            "model": {"type": "string", "description": "The key of an agent. Counts for nothing where the path names one."},
            "messages": {"type": "array", "minItems": 1, "maxItems": 1000, "items": refer("ChatMessage")},
            "tools": list(refer("ChatTool")),
            "tool_choice": {"enum": ["auto", "none"]},
            "stream": {"type": "boolean", "default": false},
            "stream_options": object(&[], json!({"include_usage": {"type": "boolean", "default": false}})),
        })),
        "ChatMessage": object(&["role"], json!({
            "role": {"enum": ["user", "system", "developer", "assistant", "tool"]},
            "content": {
                "type": ["string", "array", "null"],
                "items": object(&["type"], json!({"type": {"const": "text"}, "text": text})),
                "description": "Text, or parts of text.",
            },
            "tool_calls": list(refer("ChatToolCall")),
            "tool_call_id": {"type": "string", "description": "Of a tool's output: of which call."},
        })),
        "ChatTool": object(&["function"], json!({
            "type": {"const": "function"},
            "function": object(&["name"], json!({
                "name": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$"}, "description": text, "parameters": {"type": "object"},
            })),
        })),
        "ChatToolCall": object(&["id", "type", "function"], json!({
            "id": text, "type": {"const": "function"}, "function": object(&["name", "arguments"], json!({"name": text, "arguments": text})),
        })),
        "ChatCompletion": object(&["id", "object", "created", "model", "choices"], json!({
            "id": text,
            "object": {"const": "chat.completion"},
            "created": whole,
            "model": text,
            "choices": list(object(&["index", "message", "finish_reason"], json!({
                "index": whole,
                "message": object(&["role", "content"], json!({
                    "role": {"const": "assistant"},
                    "content": {"type": ["string", "null"]},
                    "refusal": {"type": "null"},
                    "tool_calls": list(refer("ChatToolCall")),
                })),
                "logprobs": {"type": "null"},
                "finish_reason": {"enum": ["stop", "length", "tool_calls"]},
            }))),
            "usage": object(&["prompt_tokens", "completion_tokens", "total_tokens"], json!({
                "prompt_tokens": whole, "completion_tokens": whole, "total_tokens": whole,
                "prompt_tokens_details": object(&[], json!({"cached_tokens": whole})),
                "completion_tokens_details": object(&[], json!({"reasoning_tokens": whole})),
            })),
        })),
        "Model": object(&["id", "object", "created", "owned_by"], json!({
            "id": refer("Key"), "object": {"const": "model"}, "created": whole, "owned_by": {"const": "wardian"},
        })),
        "ListModelsResponse": object(&["object", "data"], json!({"object": {"const": "list"}, "data": list(refer("Model"))})),
    })
}

/// A whole example of a schema, where it is the body of a request.
pub(crate) fn example(schema: &str) -> Option<Value> {
    (schema == "CreateChatCompletionRequest").then(|| {
        json!({
            "model": "agt_customer_support",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "I'm having trouble with my widget installation."},
            ],
            "stream": false,
        })
    })
}
