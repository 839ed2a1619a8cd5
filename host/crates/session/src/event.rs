//! Events: the entries that clients see, with the names and the JSON of the
//! Agents API. An event is rendered once, when it is appended; lists copy it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::entry::Kind;
use crate::ids::{EventId, Millis};
use crate::json::{push_json, push_string};
use crate::mark::Receipt;

/// What happened, before it has a place in a session.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The client said something.
    InputMessage {
        /// At least one.
        messages: Vec<Message>,
    },
    /// The model reasoned.
    Thinking {
        /// The readable part of it.
        content: String,
    },
    /// A tool is to be called.
    ToolInput {
        /// Which call of which tool.
        call: CallName,
        /// A JSON object, exact text; `{}` where the model's was none.
        input: String,
        /// The paths of the arguments that the agent sets itself; what `input` has at one of them is overruled.
        overrides: Vec<String>,
    },
    /// A call ended.
    ToolOutput {
        /// Which call of which tool.
        call: CallName,
        /// A JSON object, exact text.
        output: String,
        /// Whether it stands for a failure.
        error: bool,
        /// The arguments that the agent set itself, as they were sent: a JSON object, exact text, secrets masked.
        overrides: Option<String>,
        /// What became of the call. Its essence is shown with the event; the whole of it is a mark of its own.
        receipt: Box<Receipt>,
    },
    /// The agent answered.
    AgentOutput {
        /// The text.
        content: String,
    },
    /// The agent answered in the form that was asked for.
    StructuredOutput {
        /// The name of the form.
        schema_name: String,
        /// JSON, exact text, found valid.
        content: String,
    },
    /// What was said so far became a summary: the model sees that in the place of it.
    Compaction {
        /// Turns that went into it.
        turns: u64,
        /// Listed events that went into it.
        events: u64,
        /// The summary's own key, `sum_…`.
        key: String,
        /// The summary.
        text: String,
        /// The last event that it stands for; none where what it stands for lies in another session.
        up_to: Option<EventId>,
    },
    /// Calls wait for the client to run them.
    ClientToolPending {
        /// In the order of the calls.
        calls: Vec<PendingCall>,
    },
    /// The conversation no longer fits the model's window.
    ContextLimitExceeded {
        /// For people.
        message: String,
        /// The window in tokens, where it is known.
        limit: Option<u64>,
        /// The size that was refused, where it is known.
        actual: Option<u64>,
    },
    /// The turn was stopped on request.
    SessionInterrupted,
}

/// A call that the client is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingCall {
    /// Its `tool_input`.
    pub event: EventId,
    /// The names it carries.
    pub name: CallName,
    /// A JSON object, exact text.
    pub arguments: String,
}

/// One message of an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The text.
    pub content: String,
}

/// The names that a tool event carries.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallName {
    /// The provider's id of the call, made unlike that of every other call that the conversation held when it was recorded:
    /// what a summary has replaced by then does not count. Our own id is the idempotency key.
    pub id: Arc<str>,
    /// The name under which the agent binds the tool and the model sees it.
    pub configuration: Arc<str>,
    /// The tool's own name.
    pub tool: Arc<str>,
}

impl Event {
    /// What kind of entry it becomes.
    pub fn kind(&self) -> Kind {
        match self {
            Self::InputMessage { .. } => Kind::InputMessage,
            Self::Thinking { .. } => Kind::Thinking,
            Self::ToolInput { .. } => Kind::ToolInput,
            Self::ToolOutput { .. } => Kind::ToolOutput,
            Self::AgentOutput { .. } => Kind::AgentOutput,
            Self::StructuredOutput { .. } => Kind::StructuredOutput,
            Self::Compaction { .. } => Kind::Compaction,
            Self::ClientToolPending { .. } => Kind::ClientToolPending,
            Self::ContextLimitExceeded { .. } => Kind::ContextLimitExceeded,
            Self::SessionInterrupted => Kind::SessionInterrupted,
        }
    }

    /// The JSON that clients get: `id`, `session_key`, `created_at`, `type`, then the event's own fields.
    pub fn render(&self, id: EventId, session_key: &str, at: Millis) -> Arc<str> {
        let mut out = String::with_capacity(256);
        out.push_str("{\"id\":\"");
        out.push_str(&id.to_string());
        out.push_str("\",\"session_key\":");
        push_string(&mut out, session_key);
        out.push_str(",\"created_at\":\"");
        out.push_str(&at.rfc3339());
        out.push_str("\",\"type\":\"");
        out.push_str(self.kind().word());
        out.push('"');
        self.push_fields(&mut out);
        out.push('}');
        out.into()
    }

    fn push_fields(&self, out: &mut String) {
        match self {
            Self::InputMessage { messages } => {
                out.push_str(",\"messages\":[");
                for (i, message) in messages.iter().enumerate() {
                    out.push_str(if i == 0 { "" } else { "," });
                    out.push_str("{\"type\":\"text\",\"content\":");
                    push_string(out, &message.content);
                    out.push('}');
                }
                out.push(']');
            }
            Self::Thinking { content } | Self::AgentOutput { content } => push_member(out, "content", content),
            Self::ToolInput { call, input, overrides } => {
                call.push(out);
                out.push_str(",\"tool_input\":");
                push_json(out, input);
                push_paths(out, overrides);
            }
            Self::ToolOutput { call, output, error, overrides, receipt } => {
                call.push(out);
                out.push_str(",\"tool_output\":");
                push_json(out, output);
                out.push_str(if *error { ",\"error\":true" } else { ",\"error\":false" });
                if let Some(overrides) = overrides {
                    out.push_str(",\"resolved_argument_overrides\":");
                    push_json(out, overrides);
                }
                push_receipt(out, receipt);
            }
            Self::StructuredOutput { schema_name, content } => {
                push_member(out, "schema_name", schema_name);
                out.push_str(",\"content\":");
                push_json(out, content);
            }
            Self::Compaction { turns, events, key, text, up_to } => {
                out.push_str(&format!(",\"turns_compacted\":{turns},\"events_compacted\":{events}"));
                push_member(out, "summary_key", key);
                push_member(out, "summary_text", text);
                if let Some(up_to) = up_to {
                    push_member(out, "compacted_up_to_event_id", &up_to.to_string());
                }
            }
            Self::ClientToolPending { calls } => push_pending(out, calls),
            Self::ContextLimitExceeded { message, limit, actual } => {
                push_member(out, "message", message);
                for (name, value) in [("context_limit", limit), ("actual_tokens", actual)] {
                    if let Some(value) = value {
                        out.push_str(&format!(",\"{name}\":{value}"));
                    }
                }
            }
            Self::SessionInterrupted => {}
        }
    }
}

impl CallName {
    fn push(&self, out: &mut String) {
        push_member(out, "tool_call_id", &self.id);
        push_member(out, "tool_configuration", &self.configuration);
        push_member(out, "tool_configuration_name", &self.configuration);
        push_member(out, "tool_name", &self.tool);
    }
}

fn push_paths(out: &mut String, paths: &[String]) {
    if paths.is_empty() {
        return;
    }
    out.push_str(",\"argument_override_paths\":[");
    for (at, path) in paths.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "," });
        push_string(out, path);
    }
    out.push(']');
}

fn push_pending(out: &mut String, calls: &[PendingCall]) {
    out.push_str(",\"pending_calls\":[");
    for (at, pending) in calls.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "," });
        pending.push(out);
    }
    out.push(']');
}

impl PendingCall {
    /// As clients get it.
    pub fn push(&self, out: &mut String) {
        out.push_str("{\"event_id\":\"");
        out.push_str(&self.event.to_string());
        out.push('"');
        self.name.push(out);
        out.push_str(",\"arguments\":");
        push_json(out, &self.arguments);
        out.push('}');
    }
}

/// The essence of a receipt, beside the members that every client knows.
fn push_receipt(out: &mut String, receipt: &Receipt) {
    out.push_str(",\"receipt\":{\"end\":");
    push_string(out, &receipt.end);
    for (name, digest) in [("component", &receipt.component), ("policy", &receipt.policy)] {
        if let Some(digest) = digest {
            push_member(out, name, digest);
        }
    }
    let used = &receipt.consumed;
    for (name, us) in [("duration_ms", used.wall_us), ("cpu_ms", used.cpu_us)] {
        out.push_str(&format!(",\"{name}\":{}.{:03}", us / 1_000, us % 1_000));
    }
    out.push_str(&format!(",\"peak_memory_bytes\":{}", used.memory_bytes));
    if used.fuel > 0 {
        out.push_str(&format!(",\"fuel\":{}", used.fuel));
    }
    out.push('}');
}

fn push_member(out: &mut String, name: &str, value: &str) {
    out.push_str(",\"");
    out.push_str(name);
    out.push_str("\":");
    push_string(out, value);
}

/// An event's body, read back from the journal.
#[derive(Debug, Deserialize)]
pub struct StoredEvent<'a> {
    /// Of an input.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// Of thinking and answers: a string, or any JSON where the answer had to have a form.
    #[serde(default, borrow)]
    pub content: Option<&'a RawValue>,
    /// Of tool events.
    #[serde(default)]
    pub tool_call_id: Option<String>,
    /// Of tool events.
    #[serde(default)]
    pub tool_configuration_name: Option<String>,
    /// Of tool events.
    #[serde(default)]
    pub tool_name: Option<String>,
    /// Of tool events, exact text.
    #[serde(default, borrow)]
    pub tool_input: Option<&'a RawValue>,
    /// Of tool events, exact text.
    #[serde(default, borrow)]
    pub tool_output: Option<&'a RawValue>,
    /// Of tool outputs.
    #[serde(default)]
    pub error: bool,
    /// Of compactions.
    #[serde(default)]
    pub turns_compacted: u64,
    /// Of compactions.
    #[serde(default)]
    pub events_compacted: u64,
    /// Of compactions.
    #[serde(default)]
    pub summary_key: Option<String>,
    /// Of compactions.
    #[serde(default)]
    pub summary_text: Option<String>,
    /// Of compactions.
    #[serde(default)]
    pub compacted_up_to_event_id: Option<String>,
    /// Of what waits for the client.
    #[serde(default, borrow)]
    pub pending_calls: Vec<StoredCall<'a>>,
}

/// A call that waits for the client, as a stored event names it.
#[derive(Debug, Deserialize)]
pub struct StoredCall<'a> {
    /// The id that the client knows it by.
    pub tool_call_id: String,
    /// What the model calls the tool.
    pub tool_configuration_name: String,
    /// What it is to be run with, exact text.
    #[serde(borrow)]
    pub arguments: &'a RawValue,
}

/// An event's body under another id in another session; all else stays to the letter. None where it is no body of ours.
pub(crate) fn moved(body: &str, id: EventId, session_key: &str) -> Option<Arc<str>> {
    // Ids and keys hold no quotes, so this is the first place where the two are over.
    let at = body.find(",\"created_at\":")?;
    let mut out = format!("{{\"id\":\"{id}\",\"session_key\":");
    push_string(&mut out, session_key);
    out.push_str(&body[at..]);
    Some(out.into())
}

impl StoredEvent<'_> {
    /// What was thought or answered: a string's text, or the JSON of an answer that had to have a form.
    pub fn text(&self) -> String {
        let Some(content) = self.content else { return String::new() };
        serde_json::from_str(content.get()).unwrap_or_else(|_| content.get().to_owned())
    }

    /// The names that a tool event carries; empty where the body is no tool event.
    pub fn call_name(&self) -> CallName {
        let part = |value: &Option<String>| Arc::from(value.as_deref().unwrap_or_default());
        CallName { id: part(&self.tool_call_id), configuration: part(&self.tool_configuration_name), tool: part(&self.tool_name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Seq, Uid};
    use crate::mark::Consumed;

    fn body(event: &Event) -> serde_json::Value {
        let id = EventId { session: Uid([1; 16]), seq: Seq(3) };
        let text = event.render(id, "ase_x", Millis(0));
        assert!(text.is_ascii());
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn every_event_begins_with_the_common_members_in_order() {
        let got = body(&Event::AgentOutput { content: "é".into() });
        let keys: Vec<&str> = got.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["id", "session_key", "created_at", "type", "content"]);
        assert_eq!(got["content"], "é");
    }

    #[test]
    fn a_tool_event_carries_both_names_of_its_configuration() {
        let call = CallName { id: "call_1".into(), configuration: "knowledge_search".into(), tool: "knowledge_base_search".into() };
        let got =
            body(&Event::ToolOutput { call, output: r#"{"results": []}"#.into(), error: false, overrides: None, receipt: Box::default() });
        assert_eq!(got["tool_configuration"], "knowledge_search");
        assert_eq!(got["tool_configuration_name"], "knowledge_search");
        assert_eq!(got["tool_name"], "knowledge_base_search");
        assert_eq!(got["error"], false);
    }

    #[test]
    fn a_tool_output_shows_the_essence_of_its_receipt_and_nothing_that_is_not_known() {
        let call = CallName { id: "c".into(), configuration: "t".into(), tool: "t".into() };
        let consumed = Consumed { wall_us: 12_034, cpu_us: 7, memory_bytes: 65_536, ..Consumed::default() };
        let receipt = Receipt { end: "done".into(), component: Some("sha256:aa".into()), consumed, ..Receipt::default() };
        let event = Event::ToolOutput { call, output: "{}".into(), error: false, overrides: None, receipt: Box::new(receipt) };
        let shown = r#"{"end":"done","component":"sha256:aa","duration_ms":12.034,"cpu_ms":0.007,"peak_memory_bytes":65536}"#;
        assert_eq!(body(&event)["receipt"], serde_json::from_str::<serde_json::Value>(shown).unwrap());
    }

    #[test]
    fn a_number_in_tool_input_is_stored_as_the_model_wrote_it() {
        let call = CallName { id: "c".into(), configuration: "t".into(), tool: "t".into() };
        let event = Event::ToolInput { call, input: r#"{"n": 1.10, "big": 123456789012345678901}"#.into(), overrides: Vec::new() };
        let text = event.render(EventId { session: Uid([1; 16]), seq: Seq(1) }, "s", Millis(0));
        assert!(text.contains(r#""tool_input":{"n":1.10,"big":123456789012345678901}"#), "{text}");
        let back: StoredEvent<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(back.tool_input.unwrap().get(), r#"{"n":1.10,"big":123456789012345678901}"#);
    }
}
