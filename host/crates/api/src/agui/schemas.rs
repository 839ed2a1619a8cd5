//! The schemas of AG-UI for the document: what this server reads and sends of it.

use serde_json::{Value, json};

/// All of them by name.
pub(crate) fn all() -> Value {
    let text = || json!({"type": "string"});
    let object = |required: &[&str], properties: Value| json!({"type": "object", "required": required, "properties": properties});
    let roles = ["user", "assistant", "system", "developer", "tool", "reasoning", "activity"];
    let message = object(
        &["role"],
        json!({
            "id": text(),
            "role": {"enum": roles},
            "content": {"description": "A string, or a list of parts of the type `text`."},
            "toolCalls": {"type": "array", "items": {"type": "object"}},
            "toolCallId": text(),
            "error": {"type": "string", "description": "Of `tool`: the call failed, and why."},
        }),
    );
    let tool = object(&["name"], json!({"name": text(), "description": text(), "parameters": {"type": "object"}}));
    let resume = object(
        &["interruptId"],
        json!({"interruptId": text(), "status": {"enum": ["resolved", "cancelled"]}, "payload": {"description": "Any JSON."}}),
    );
    json!({
        "RunAgentInput": object(&[], json!({
            "threadId": {"type": "string", "maxLength": 256, "description": "The conversation; without it a new one."},
            "runId": {"type": "string", "maxLength": 256},
            "protocolVersion": {"type": "string", "description": "Sent by clients of 1.0; without it the events are those of 0.0.x."},
            "messages": {"type": "array", "items": message, "description": "All that was said."},
            "tools": {"type": "array", "items": tool, "description": "Tools that the client runs, for this run."},
            "context": {"type": "array", "items": object(&[], json!({"description": text(), "value": {}}))},
            "resume": {"type": "array", "items": resume},
            "forwardedProps": {"description": "`command.resume` is an answer to the interrupt, as clients before 1.0 give it."},
            "state": {"description": "Not kept."},
        })),
        "AguiEvent": object(&["type"], json!({"type": {"enum": TYPES}})),
    })
}

/// The types of events that are sent.
const TYPES: [&str; 21] = [
    "RUN_STARTED",
    "TEXT_MESSAGE_START",
    "TEXT_MESSAGE_CONTENT",
    "TEXT_MESSAGE_END",
    "TOOL_CALL_START",
    "TOOL_CALL_ARGS",
    "TOOL_CALL_END",
    "TOOL_CALL_RESULT",
    "REASONING_START",
    "REASONING_MESSAGE_START",
    "REASONING_MESSAGE_CONTENT",
    "REASONING_MESSAGE_END",
    "REASONING_END",
    "THINKING_START",
    "THINKING_TEXT_MESSAGE_START",
    "THINKING_TEXT_MESSAGE_CONTENT",
    "THINKING_TEXT_MESSAGE_END",
    "THINKING_END",
    "CUSTOM",
    "RUN_FINISHED",
    "RUN_ERROR",
];

/// The body of an example.
pub(crate) fn example() -> Value {
    json!({
        "threadId": "thread-7f",
        "runId": "run-1",
        "messages": [{"id": "m1", "role": "user", "content": "I'm having trouble with my widget installation."}],
        "tools": [],
        "context": [],
    })
}
