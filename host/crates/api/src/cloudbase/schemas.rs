//! The schemas of `send-message` for the document; those of its neighbours are in a file of their own.

pub(crate) mod bots;

use serde_json::{Value, json};

/// All of them by name.
pub(crate) fn all() -> Value {
    let text = || json!({"type": "string"});
    let object = |required: &[&str], properties: Value| json!({"type": "object", "required": required, "properties": properties});
    let call = object(
        &["id", "function"],
        json!({
            "id": text(), "type": {"const": "function"},
            "function": object(&["name"], json!({"name": text(), "arguments": {"type": "string", "description": "JSON."}})),
        }),
    );
    let message = object(
        &["role"],
        json!({
            "role": {"enum": ["user", "assistant", "tool", "system"]},
            "content": {"type": ["string", "null"]},
            "toolCallId": {"type": "string", "description": "Of `tool`: the call whose output `content` is."},
            "toolCalls": {"type": "array", "items": call},
        }),
    );
    let tool = object(&["name"], json!({"name": text(), "description": text(), "parameters": {"type": "object"}}));
    let resume = object(&["interruptId"], json!({"interruptId": text(), "payload": {"description": "Any JSON, or JSON in a string."}}));
    json!({
        "SendMessageRequest": object(&[], json!({
            "messages": {"type": "array", "items": message, "description": "What is new, or all that was said."},
            "tools": {"type": "array", "items": tool, "description": "Tools that the client runs, for this turn."},
            "resume": resume,
            "conversationId": {"type": "string", "maxLength": 256},
            "thinking": {"type": "boolean", "default": false},
            "msg": {"type": "string", "description": "The older bots' single message; `history` goes with it."},
            "history": {"type": "array", "items": message},
        })),
        "BotEvent": {"oneOf": events()},
    })
}

/// The body of an example.
pub(crate) fn example() -> Value {
    json!({
        "conversationId": "conversation-7f",
        "messages": [{"role": "user", "content": "I'm having trouble with my widget installation."}],
        "tools": [],
    })
}

fn events() -> Vec<Value> {
    let kinds: [(&str, &[&str]); 8] = [
        ("text", &["content"]),
        ("tool-call-start", &["toolCallId", "toolCallName"]),
        ("tool-call-args", &["toolCallId", "delta"]),
        ("tool-call-end", &["toolCallId"]),
        ("tool-result", &["toolCallId", "result"]),
        ("interrupt", &["id", "reason", "payload"]),
        ("error", &["error", "code", "requestId"]),
        ("thinking", &["reasoning_content"]),
    ];
    let event = |(kind, members): &(&str, &[&str])| {
        let mut properties = json!({"type": {"const": kind}});
        for member in *members {
            properties[member] = json!({"type": if *member == "payload" { "object" } else { "string" }});
        }
        let required: Vec<&str> = [&"type"].into_iter().chain(*members).copied().collect();
        json!({"type": "object", "required": required, "properties": properties})
    };
    kinds.iter().map(event).collect()
}
