//! A prompt as a Messages request. Items are remembered as content blocks; the
//! messages around them are made here, so that neighbours of one role become one.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use session::{AskedCall, Item, ItemBody, OutputSchema};

use super::{Anthropic, WIRE};
use crate::prompt::{Prompt, ToolList};
use crate::wires::json::{legal_arguments, legal_name, push, push_member, push_parameters, push_piece, replay};
use crate::wires::order::{NO_RESULT, Piece, legal};
use crate::wires::structured::{in_words, own_object};

/// Parameters that are ours to set: an agent's own of that name is left out.
const OURS: &[&str] = &["model", "messages", "system", "tools", "stream", "max_tokens", "thinking", "output_config"];

/// The length of a reply where the agent sets none; this wire must have one.
const MAX_TOKENS: u64 = 4_096;

/// What stands before a conversation whose begin is gone: the first message must be the user's.
const BEGAN_EARLIER: &[u8] = br#"{"type":"text","text":"(The conversation began earlier.)"}"#;

/// Whose message is being written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    User,
    Assistant,
}

impl Anthropic {
    /// The body of a request; `so_far` are blocks of a reply that the provider paused.
    pub(super) fn render(&self, prompt: &Prompt<'_>, so_far: &[u8], stream: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024 + prompt.system.len() + prompt.items.len() * 256);
        out.push(b'{');
        push_member(&mut out, "model", &self.origin.model);
        let thinking = prompt.parameters.get("thinking").filter(|_| self.may_think(prompt));
        push_member(&mut out, "max_tokens", &max_tokens(prompt, thinking));
        if let Some(thinking) = thinking {
            push_member(&mut out, "thinking", thinking);
        }
        let held = prompt.output.filter(|output| self.takes_schema && output.strict);
        let system = in_words(prompt.system, prompt.output.filter(|_| held.is_none()));
        if !system.is_empty() {
            push_member(&mut out, "system", &*system);
        }
        self.push_messages(&mut out, prompt, so_far);
        if prompt.tools.is_empty() {
            push_tools_of_the_past(&mut out, prompt.items);
        } else {
            out.extend_from_slice(b",\"tools\":");
            prompt.tools.on_wire(WIRE, tools, |bytes| out.extend_from_slice(bytes));
        }
        push_output_config(&mut out, prompt, held);
        match prompt.tools.is_empty() {
            true => push_parameters(&mut out, prompt.parameters, &[OURS, &["tool_choice"]].concat()),
            false => push_parameters(&mut out, prompt.parameters, OURS),
        }
        if stream {
            out.extend_from_slice(b",\"stream\":true");
        }
        out.push(b'}');
        out
    }

    /// Whether thinking may be on: not in the middle of tool calls that another model asked for, as their
    /// signed thinking is not there. A reply without calls ended what came before it.
    fn may_think(&self, prompt: &Prompt<'_>) -> bool {
        for item in prompt.items.iter().rev() {
            match &item.body {
                ItemBody::Assistant { calls, .. } if calls.is_empty() => return true,
                ItemBody::Assistant { .. } if replay(&item.body, &self.origin).is_none() => return false,
                ItemBody::Assistant { .. } | ItemBody::User { .. } | ItemBody::ToolResult { .. } => {}
            }
        }
        true
    }

    fn push_messages(&self, out: &mut Vec<u8>, prompt: &Prompt<'_>, so_far: &[u8]) {
        out.extend_from_slice(b",\"messages\":[");
        let mut writing = None;
        for piece in legal(prompt.items) {
            let role = if matches!(piece, Piece::Assistant(_)) { Role::Assistant } else { Role::User };
            match piece {
                Piece::User(item) | Piece::Assistant(item) | Piece::Result(item) => {
                    item.on_wire(self.key, |body| self.blocks(body), |blocks| push_blocks(out, &mut writing, role, blocks));
                }
                Piece::Missing(call) => push_blocks(out, &mut writing, role, &result(&call.id, NO_RESULT, true)),
            }
        }
        push_blocks(out, &mut writing, Role::Assistant, so_far);
        if writing.is_some() {
            out.extend_from_slice(b"]}");
        }
        out.push(b']');
    }

    /// The blocks of an item, parted by commas; none where it says nothing.
    fn blocks(&self, body: &ItemBody) -> Vec<u8> {
        if let Some(raw) = replay(body, &self.origin) {
            let raw = raw.trim();
            return raw.strip_prefix('[').and_then(|raw| raw.strip_suffix(']')).unwrap_or(raw).as_bytes().to_vec();
        }
        match body {
            ItemBody::User { text } => text_block(text),
            ItemBody::Assistant { text, calls, .. } => {
                let mut out = text_block(text);
                for call in calls {
                    if !out.is_empty() {
                        out.push(b',');
                    }
                    push_tool_use(&mut out, call);
                }
                out
            }
            ItemBody::ToolResult { call_id, output, error, .. } => result(call_id, output, *error),
        }
    }
}

/// The agent's own `output_config`, which may hold more than the format, and the schema in it.
/// Only a strict one: the provider takes no others.
fn push_output_config(out: &mut Vec<u8>, prompt: &Prompt<'_>, held: Option<&OutputSchema>) {
    let mut config = own_object(prompt.parameters, "output_config");
    if prompt.output.is_some() {
        config.remove("format");
    }
    if let Some(output) = held {
        config.insert("format".into(), json!({ "type": "json_schema", "schema": output.schema }));
    }
    if !config.is_empty() {
        push_member(out, "output_config", &config);
    }
}

/// A conversation with calls is refused where no tool is declared, as when a history is summarised: so the
/// tools that were called are, by name, and none may be called.
fn push_tools_of_the_past(out: &mut Vec<u8>, items: &[Arc<Item>]) {
    let calls = items.iter().flat_map(|item| match &item.body {
        ItemBody::Assistant { calls, .. } => calls.as_slice(),
        ItemBody::User { .. } | ItemBody::ToolResult { .. } => &[],
    });
    let names: BTreeSet<_> = calls.map(|call| legal_name(&call.name)).collect();
    if names.is_empty() {
        return;
    }
    let tool = |name| json!({ "name": name, "description": "Not there any more.", "input_schema": { "type": "object" } });
    push_member(out, "tools", &names.into_iter().map(tool).collect::<Vec<_>>());
    push_member(out, "tool_choice", &json!({ "type": "none" }));
}

fn max_tokens(prompt: &Prompt<'_>, thinking: Option<&Value>) -> Value {
    if let Some(most) = prompt.parameters.get("max_tokens") {
        return most.clone();
    }
    // The budget of thinking is part of the length, and must be less.
    let budget = thinking.and_then(|thinking| thinking["budget_tokens"].as_u64()).unwrap_or(0);
    Value::from(MAX_TOKENS.saturating_add(budget))
}

/// Appends blocks to the message of their role, which is begun where the last one was another's.
fn push_blocks(out: &mut Vec<u8>, writing: &mut Option<Role>, role: Role, blocks: &[u8]) {
    if blocks.is_empty() {
        return;
    }
    if writing.is_none() && role == Role::Assistant {
        push_blocks(out, writing, Role::User, BEGAN_EARLIER);
    }
    if *writing != Some(role) {
        if writing.is_some() {
            out.extend_from_slice(b"]},");
        }
        *writing = Some(role);
        out.extend_from_slice(match role {
            Role::User => b"{\"role\":\"user\",\"content\":[",
            Role::Assistant => b"{\"role\":\"assistant\",\"content\":[",
        });
    }
    push_piece(out, blocks);
}

/// A text; a blank one is refused by the provider, so it is left out.
fn text_block(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    if !text.trim().is_empty() {
        out.extend_from_slice(b"{\"type\":\"text\",\"text\":");
        push(&mut out, text);
        out.push(b'}');
    }
    out
}

fn push_tool_use(out: &mut Vec<u8>, call: &AskedCall) {
    out.extend_from_slice(b"{\"type\":\"tool_use\",\"id\":");
    push(out, &legal_id(&call.id));
    push_member(out, "name", &legal_name(&call.name));
    out.extend_from_slice(b",\"input\":");
    out.extend_from_slice(legal_arguments(&call.arguments).as_bytes());
    out.push(b'}');
}

fn result(call_id: &str, output: &str, error: bool) -> Vec<u8> {
    let mut out = b"{\"type\":\"tool_result\",\"tool_use_id\":".to_vec();
    push(&mut out, &legal_id(call_id));
    push_member(&mut out, "content", output);
    if error {
        out.extend_from_slice(b",\"is_error\":true");
    }
    out.push(b'}');
    out
}

/// An id in the letters that this wire takes; another provider's may hold more.
fn legal_id(id: &str) -> Cow<'_, str> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match id.chars().all(legal) {
        true => id.into(),
        false => id.chars().map(|c| if legal(c) { c } else { '_' }).collect::<String>().into(),
    }
}

fn tools(list: &ToolList) -> Vec<u8> {
    let mut out = b"[".to_vec();
    for (name, spec) in list.iter() {
        let mut tool = b"{".to_vec();
        push_member(&mut tool, "name", name);
        push_member(&mut tool, "description", &spec.description);
        tool.extend_from_slice(b",\"input_schema\":");
        tool.extend_from_slice(spec.input.as_bytes());
        tool.push(b'}');
        push_piece(&mut out, &tool);
    }
    out.push(b']');
    out
}
