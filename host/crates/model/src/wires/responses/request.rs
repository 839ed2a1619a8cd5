//! A prompt as a Responses request. Nothing is left to the provider's memory:
//! every request holds the whole conversation, reasoning included.

use serde_json::{Map, Value};
use session::{AskedCall, ItemBody};

use super::{Responses, WIRE};
use crate::prompt::{Prompt, ToolList};
use crate::wires::json::{legal_arguments, legal_name, push, push_member, push_parameters, push_piece, replay};
use crate::wires::order::{NO_RESULT, Piece, legal};
use crate::wires::structured::{format_of, in_words, own_object};

/// Parameters that are ours to set, or that we set from the agent's own: as they stand they are left out.
const OURS: &[&str] = &[
    "model",
    "instructions",
    "input",
    "tools",
    "stream",
    "stream_options",
    "store",
    "include",
    "background",
    "conversation",
    "previous_response_id",
    "n",
    "text",
    "reasoning",
    "reasoning_effort",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
];

/// What makes a reply's reasoning come in a form that can be sent back.
const ENCRYPTED: &str = "reasoning.encrypted_content";

/// What a request without its fragments takes.
const FRAME_BYTES: usize = 1 << 10;

impl Responses {
    /// The body of a request: the frame is written, the history is copied.
    pub(super) fn render(&self, prompt: &Prompt<'_>, encrypted: bool, stream: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(FRAME_BYTES + prompt.system.len() + prompt.items.len() * 256);
        out.push(b'{');
        push_member(&mut out, "model", &self.origin.model);
        let instructions = in_words(prompt.system, prompt.output.filter(|_| !self.heeds_schema));
        if !instructions.is_empty() {
            push_member(&mut out, "instructions", &*instructions);
        }
        self.push_input(&mut out, prompt);
        if !prompt.tools.is_empty() {
            out.extend_from_slice(b",\"tools\":");
            prompt.tools.on_wire(WIRE, tools, |bytes| out.extend_from_slice(bytes));
        }
        push_options(&mut out, prompt.parameters, encrypted);
        push_text(&mut out, prompt);
        if stream {
            out.extend_from_slice(b",\"stream\":true");
        }
        out.push(b'}');
        out
    }

    fn push_input(&self, out: &mut Vec<u8>, prompt: &Prompt<'_>) {
        out.extend_from_slice(b",\"input\":[");
        for piece in legal(prompt.items) {
            match piece {
                Piece::User(item) | Piece::Assistant(item) | Piece::Result(item) => {
                    item.on_wire(self.key, |body| self.input_items(body), |bytes| push_piece(out, bytes));
                }
                Piece::Missing(call) => push_piece(out, &result(&call.id, NO_RESULT)),
            }
        }
        out.push(b']');
    }

    /// The input items of an item, parted by commas; none where it says nothing.
    fn input_items(&self, body: &ItemBody) -> Vec<u8> {
        if let Some(raw) = replay(body, &self.origin) {
            let raw = raw.trim();
            return raw.strip_prefix('[').and_then(|raw| raw.strip_suffix(']')).unwrap_or(raw).as_bytes().to_vec();
        }
        match body {
            ItemBody::User { text } => {
                let mut out = b"{\"role\":\"user\",\"content\":".to_vec();
                push(&mut out, text);
                out.push(b'}');
                out
            }
            ItemBody::Assistant { text, calls, .. } => {
                let mut out = message(text);
                for call in calls {
                    if !out.is_empty() {
                        out.push(b',');
                    }
                    push_call(&mut out, call);
                }
                out
            }
            ItemBody::ToolResult { call_id, output, .. } => result(call_id, output),
        }
    }
}

/// The agent's parameters, also those that go by another name on the chat wire, and ours.
fn push_options(out: &mut Vec<u8>, parameters: &Map<String, Value>, encrypted: bool) {
    push_parameters(out, parameters, OURS);
    let most = ["max_output_tokens", "max_completion_tokens", "max_tokens"].iter().find_map(|name| parameters.get(*name));
    if let Some(most) = most {
        push_member(out, "max_output_tokens", most);
    }
    let mut reasoning = own_object(parameters, "reasoning");
    if let Some(effort) = parameters.get("reasoning_effort") {
        reasoning.entry("effort").or_insert_with(|| effort.clone());
    }
    if !reasoning.is_empty() {
        push_member(out, "reasoning", &reasoning);
    }
    let mut include: Vec<&Value> = parameters.get("include").and_then(Value::as_array).into_iter().flatten().collect();
    let wish = Value::from(ENCRYPTED);
    include.retain(|own| **own != wish);
    if encrypted {
        include.push(&wish);
    }
    if !include.is_empty() {
        push_member(out, "include", &include);
    }
    push_member(out, "store", &false);
}

/// The agent's own `text`, which may hold more than the format, and the format.
fn push_text(out: &mut Vec<u8>, prompt: &Prompt<'_>) {
    let mut text = own_object(prompt.parameters, "text");
    if let Some(output) = prompt.output {
        let mut format = format_of(output);
        format.insert("type".into(), "json_schema".into());
        text.insert("format".into(), format.into());
    }
    if !text.is_empty() {
        push_member(out, "text", &text);
    }
}

/// What the model said; nothing where it said nothing.
fn message(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    if !text.is_empty() {
        out.extend_from_slice(b"{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":");
        push(&mut out, text);
        out.extend_from_slice(b"}]}");
    }
    out
}

fn push_call(out: &mut Vec<u8>, call: &AskedCall) {
    out.extend_from_slice(b"{\"type\":\"function_call\",\"call_id\":");
    push(out, &call.id);
    push_member(out, "name", &legal_name(&call.name));
    push_member(out, "arguments", legal_arguments(&call.arguments));
    out.push(b'}');
}

fn result(call_id: &str, output: &str) -> Vec<u8> {
    let mut out = b"{\"type\":\"function_call_output\",\"call_id\":".to_vec();
    push(&mut out, call_id);
    push_member(&mut out, "output", output);
    out.push(b'}');
    out
}

/// Tools are strict here unless it is said otherwise, and then only a small part of JSON Schema is taken.
fn tools(list: &ToolList) -> Vec<u8> {
    let mut out = b"[".to_vec();
    for (name, spec) in list.iter() {
        let mut tool = b"{\"type\":\"function\"".to_vec();
        push_member(&mut tool, "name", name);
        push_member(&mut tool, "description", &spec.description);
        tool.extend_from_slice(b",\"parameters\":");
        tool.extend_from_slice(spec.input.as_bytes());
        tool.extend_from_slice(b",\"strict\":false}");
        push_piece(&mut out, &tool);
    }
    out.push(b']');
    out
}
