//! A prompt as a chat completions request.

use serde_json::json;
use serde_json::value::RawValue;
use session::{AskedCall, ItemBody, OutputSchema};

use super::{ChatCompletions, Structured, WIRE};
use crate::prompt::{Prompt, ToolList};
use crate::wires::json::{legal_arguments, legal_name, push, push_member, push_parameters, push_piece, replay};
use crate::wires::order::{NO_RESULT, Piece, legal};
use crate::wires::structured::{format_of, in_words};

/// Parameters that are ours to set: an agent's own of that name is left out.
const OURS: &[&str] = &["model", "messages", "tools", "stream", "stream_options", "n", "max_tokens"];

/// What a request without its fragments takes.
const FRAME_BYTES: usize = 1 << 10;

/// What makes an answer structured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// The provider, by the schema.
    Schema,
    /// The provider sees to JSON, the model to its form.
    Json,
    /// The model alone.
    Words,
}

impl ChatCompletions {
    /// The body of a request: the frame is written, the history is copied.
    pub(super) fn render(&self, prompt: &Prompt<'_>, stream: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(FRAME_BYTES + prompt.system.len() + prompt.items.len() * 256);
        out.push(b'{');
        push_member(&mut out, "model", &self.origin.model);
        self.push_messages(&mut out, prompt);
        if !prompt.tools.is_empty() {
            out.extend_from_slice(b",\"tools\":");
            prompt.tools.on_wire(WIRE, tools, |bytes| out.extend_from_slice(bytes));
        }
        self.push_options(&mut out, prompt, stream);
        out.push(b'}');
        out
    }

    fn push_messages(&self, out: &mut Vec<u8>, prompt: &Prompt<'_>) {
        out.extend_from_slice(b",\"messages\":[");
        let system = in_words(prompt.system, prompt.output.filter(|_| self.hold(prompt) != Hold::Schema));
        if !system.is_empty() {
            out.extend_from_slice(b"{\"role\":\"system\",\"content\":");
            push(out, &*system);
            out.push(b'}');
        }
        for piece in legal(prompt.items) {
            match piece {
                Piece::User(item) | Piece::Assistant(item) | Piece::Result(item) => {
                    item.on_wire(self.key, |body| self.message(body), |bytes| push_piece(out, bytes));
                }
                Piece::Missing(call) => push_piece(out, &result(&call.id, NO_RESULT)),
            }
        }
        out.push(b']');
    }

    fn push_options(&self, out: &mut Vec<u8>, prompt: &Prompt<'_>, stream: bool) {
        match prompt.output {
            None => push_parameters(out, prompt.parameters, OURS),
            Some(output) => {
                push_parameters(out, prompt.parameters, &[OURS, &["response_format"]].concat());
                self.push_format(out, prompt, output);
            }
        }
        if let Some(most) = prompt.parameters.get("max_tokens").filter(|_| !prompt.parameters.contains_key("max_completion_tokens")) {
            push_member(out, if self.dialect.max_completion_tokens { "max_completion_tokens" } else { "max_tokens" }, most);
        }
        if stream {
            out.extend_from_slice(b",\"stream\":true");
            if self.dialect.stream_options {
                out.extend_from_slice(b",\"stream_options\":{\"include_usage\":true}");
            }
        }
    }

    fn push_format(&self, out: &mut Vec<u8>, prompt: &Prompt<'_>, output: &OutputSchema) {
        match self.hold(prompt) {
            Hold::Schema => {
                push_member(out, "response_format", &json!({ "type": "json_schema", "json_schema": format_of(output) }));
            }
            Hold::Json => push_member(out, "response_format", &json!({ "type": "json_object" })),
            Hold::Words => {}
        }
    }

    /// How a structured answer is asked for here.
    fn hold(&self, prompt: &Prompt<'_>) -> Hold {
        match self.dialect.structured {
            Structured::Always => Hold::Schema,
            Structured::WithoutTools | Structured::ToJson if !prompt.tools.is_empty() => Hold::Words,
            Structured::WithoutTools => Hold::Schema,
            Structured::ToJson => Hold::Json,
        }
    }

    /// What a call without the provider's own signature is sent with: the word by which Google lets
    /// pass a call that another model made. Only the first of a reply has one.
    fn unsigned(&self, calls: &[AskedCall]) -> Option<Box<RawValue>> {
        let name = self.dialect.signature.filter(|_| !calls.is_empty())?;
        RawValue::from_string(format!("{{\"{name}\":{{\"thought_signature\":\"skip_thought_signature_validator\"}}}}")).ok()
    }

    fn message(&self, body: &ItemBody) -> Vec<u8> {
        if let Some(raw) = replay(body, &self.origin) {
            return raw.as_bytes().to_vec();
        }
        match body {
            ItemBody::User { text } => {
                let mut out = b"{\"role\":\"user\",\"content\":".to_vec();
                push(&mut out, text);
                out.push(b'}');
                out
            }
            ItemBody::Assistant { text, calls, .. } => {
                let signature = self.unsigned(calls);
                assistant(text, calls.iter().enumerate().map(|(at, call)| (call, signature.as_deref().filter(|_| at == 0))))
            }
            ItemBody::ToolResult { call_id, output, .. } => result(call_id, output),
        }
    }
}

/// An assistant message; the calls with what their provider wants back with them.
pub(super) fn assistant<'a>(text: &str, calls: impl Iterator<Item = (&'a AskedCall, Option<&'a RawValue>)>) -> Vec<u8> {
    let mut out = b"{\"role\":\"assistant\",\"content\":".to_vec();
    let mut calls = calls.peekable();
    match text.is_empty() && calls.peek().is_some() {
        true => out.extend_from_slice(b"null"),
        false => push(&mut out, text),
    }
    if calls.peek().is_some() {
        out.extend_from_slice(b",\"tool_calls\":[");
        for (call, extra) in calls {
            push_piece(&mut out, &tool_call(call, extra));
        }
        out.push(b']');
    }
    out.push(b'}');
    out
}

fn tool_call(call: &AskedCall, extra: Option<&RawValue>) -> Vec<u8> {
    let mut out = b"{".to_vec();
    push_member(&mut out, "id", &call.id);
    out.extend_from_slice(b",\"type\":\"function\",\"function\":{");
    push_member(&mut out, "name", &legal_name(&call.name));
    push_member(&mut out, "arguments", legal_arguments(&call.arguments));
    out.push(b'}');
    if let Some(extra) = extra {
        push_member(&mut out, "extra_content", extra);
    }
    out.push(b'}');
    out
}

fn result(call_id: &str, output: &str) -> Vec<u8> {
    let mut out = b"{\"role\":\"tool\",\"tool_call_id\":".to_vec();
    push(&mut out, call_id);
    push_member(&mut out, "content", output);
    out.push(b'}');
    out
}

fn tools(list: &ToolList) -> Vec<u8> {
    let mut out = b"[".to_vec();
    for (name, spec) in list.iter() {
        let mut tool = b"{\"type\":\"function\",\"function\":{".to_vec();
        push_member(&mut tool, "name", name);
        push_member(&mut tool, "description", &spec.description);
        tool.extend_from_slice(b",\"parameters\":");
        tool.extend_from_slice(spec.input.as_bytes());
        tool.extend_from_slice(b"}}");
        push_piece(&mut out, &tool);
    }
    out.push(b']');
    out
}
