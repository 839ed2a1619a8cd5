//! What is posted for a run, read as leniently as the protocol's own servers do: ids may be missing, members of later
//! versions are passed over, and of a message only its text counts.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use agent::Outcome;
use session::DeclaredTool;
use session::json::push_string;

use crate::conversations::{self, ExactTool, Resume, Said, Word, asked_call, declared, outcome};
use crate::errors::{Error, Result};
use crate::fields::{Fields, wrong};
use crate::limits::{DECISIONS, POSTED, TOOLS};

/// Characters of a run's id; it is sent back with the first and the last event.
const RUN_ID: usize = 256;

/// Pieces of context that a client may bring along; each is a line of what the model is told.
const CONTEXT: usize = 64;

/// Which of the protocol's versions a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// 0.0.x: its clients stop at what they do not know.
    Before,
    /// 1.0, which says so.
    One,
}

/// A body as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Input {
    /// The thread, where the client names one.
    pub(super) thread: Option<String>,
    /// The run, where the client names one.
    pub(super) run: Option<String>,
    /// The version.
    pub(super) protocol: Protocol,
    /// What was said.
    pub(super) messages: Vec<Said>,
    /// The tools that the client runs.
    pub(super) tools: Vec<DeclaredTool>,
    /// What the client knows and the model is to know.
    pub(super) instructions: Option<String>,
    /// Answers to interrupts.
    pub(super) answers: Answers,
}

/// Answers to interrupts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answers {
    /// Those that name their interrupt.
    pub(super) named: Vec<Resume>,
    /// One that does not, as clients before 1.0 give it: JSON, exact text.
    pub(super) bare: Option<String>,
}

/// The members whose text is kept as it was written.
#[derive(Deserialize)]
struct Exact<'a> {
    #[serde(borrow, default)]
    resume: Option<Vec<ExactResume<'a>>>,
    #[serde(borrow, default)]
    tools: Option<Vec<ExactTool<'a>>>,
    #[serde(borrow, default, rename = "forwardedProps")]
    forwarded: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ExactResume<'a> {
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

/// What front ends pass along; anything else in it is for others.
#[derive(Deserialize)]
struct Forwarded<'a> {
    #[serde(borrow, default)]
    command: Option<Command<'a>>,
}

#[derive(Deserialize)]
struct Command<'a> {
    #[serde(borrow, default)]
    resume: Option<&'a RawValue>,
}

impl Input {
    /// Reads a body, which has this text.
    pub(super) fn read(members: &Map<String, Value>, text: &[u8]) -> Result<Self> {
        let fields = Fields::of_body(members);
        let thread = fields.text("threadId", 0..=usize::MAX)?.filter(|id| !id.is_empty());
        let run = fields.text("runId", 0..=RUN_ID)?.filter(|id| !id.is_empty());
        let protocol = match fields.text("protocolVersion", 0..=usize::MAX)? {
            Some(_) => Protocol::One,
            None => Protocol::Before,
        };
        let messages = messages(&fields)?;
        // Only when these have the form that is expected, their exact text can be read.
        let tools = objects(&fields, "tools", TOOLS)?;
        let resume = objects(&fields, "resume", DECISIONS)?;
        let exact: Exact<'_> = serde_json::from_slice(text).map_err(|e| Error::field("body", format!("the body cannot be read: {e}")))?;
        let parameters = exact.tools.unwrap_or_default().into_iter().map(|tool| tool.parameters);
        let tools = tools.iter().zip(parameters).map(|(tool, parameters)| declared(tool, parameters));
        let payloads = exact.resume.unwrap_or_default().into_iter().map(|resume| resume.payload);
        let named = resume.iter().zip(payloads).map(|(fields, payload)| resumed(fields, payload));
        let forwarded = exact.forwarded.and_then(|props| serde_json::from_str::<Forwarded<'_>>(props.get()).ok());
        let bare = forwarded.and_then(|props| props.command?.resume).map(|resume| resume.get().to_owned());
        Ok(Self {
            thread: thread.map(|id| conversations::checked(id, "threadId").map(str::to_owned)).transpose()?,
            run: run.map(str::to_owned),
            protocol,
            messages,
            tools: tools.collect::<Result<_>>()?,
            instructions: context(&fields)?,
            answers: Answers { named: named.collect::<Result<_>>()?, bare },
        })
    }
}

/// The objects of a list.
fn objects<'a>(fields: &Fields<'a>, member: &str, most: usize) -> Result<Vec<Fields<'a>>> {
    let items = fields.list(member, most)?.unwrap_or_default();
    items.iter().enumerate().map(|(at, item)| Fields::of(item, format!("{member}[{at}]"))).collect()
}

fn messages(fields: &Fields<'_>) -> Result<Vec<Said>> {
    let mut messages = Vec::new();
    for message in objects(fields, "messages", POSTED)? {
        messages.extend(said(&message)?);
    }
    Ok(messages)
}

/// A message; none where nothing is said, or nothing that concerns the model.
fn said(fields: &Fields<'_>) -> Result<Option<Said>> {
    let role = fields.required("role", fields.text("role", 0..=usize::MAX)?)?;
    Ok(match role {
        "system" | "developer" => Some(Said::System(content(fields)?)),
        "user" => Some(content(fields)?).filter(|text| !text.trim().is_empty()).map(Said::User),
        "assistant" => {
            let text = content(fields)?;
            let calls = objects_of(fields, "toolCalls")?.iter().map(asked_call).collect::<Result<Vec<_>>>()?;
            (!text.is_empty() || !calls.is_empty()).then_some(Said::Agent { text, calls })
        }
        "tool" => {
            let call = fields.required("toolCallId", fields.text("toolCallId", 1..=usize::MAX)?)?.to_owned();
            let failure = fields.text("error", 0..=usize::MAX)?.filter(|error| !error.is_empty());
            let outcome = match failure {
                Some(error) => Outcome::Failure(quoted(error)),
                None => outcome(&content(fields)?).map_err(|error| error.at(fields.path("content")))?,
            };
            Some(Said::Tool { call, outcome })
        }
        // What the model thought, and what a front end shows of itself.
        "reasoning" | "activity" => None,
        other => {
            let at = fields.path("role");
            let roles = "user, assistant, system, developer, tool, reasoning or activity";
            return Err(Error::field(&at, format!("`{at}` must be {roles}, not `{other}`")));
        }
    })
}

fn objects_of<'a>(fields: &Fields<'a>, member: &str) -> Result<Vec<Fields<'a>>> {
    let items = fields.list(member, TOOLS)?.unwrap_or_default();
    items.iter().enumerate().map(|(at, item)| Fields::of(item, format!("{}[{at}]", fields.path(member)))).collect()
}

fn quoted(text: &str) -> String {
    let mut json = String::new();
    push_string(&mut json, text);
    json
}

/// The text of a message; empty where there is none. Parts that are no text cannot be shown to a model here.
fn content(fields: &Fields<'_>) -> Result<String> {
    let at = fields.path("content");
    match fields.value("content") {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => {
            let mut whole = String::new();
            for (number, part) in parts.iter().enumerate() {
                let part = Fields::of(part, format!("{at}[{number}]"))?;
                match part.required("type", part.text("type", 0..=usize::MAX)?)? {
                    "text" => whole.push_str(part.text("text", 0..=usize::MAX)?.unwrap_or_default()),
                    kind => {
                        let why = format!("parts of the type `{kind}` are not supported; send text");
                        return Err(Error::field(part.path("type"), why));
                    }
                }
            }
            Ok(whole)
        }
        Some(other) => Err(wrong(&at, "a string or a list of parts", other)),
    }
}

/// An answer to an interrupt.
fn resumed(fields: &Fields<'_>, payload: Option<&RawValue>) -> Result<Resume> {
    let interrupt = fields.required("interruptId", fields.text("interruptId", 1..=usize::MAX)?)?.to_owned();
    let word = match fields.text("status", 0..=usize::MAX)? {
        Some("cancelled") => Word::Cancelled,
        Some("resolved") | None => Word::Payload(payload.map_or("null", RawValue::get).to_owned()),
        Some(other) => {
            let at = fields.path("status");
            return Err(Error::field(&at, format!("`{at}` must be resolved or cancelled, not `{other}`")));
        }
    };
    Ok(Resume { interrupt, word })
}

/// What the model is told of what the client knows.
fn context(fields: &Fields<'_>) -> Result<Option<String>> {
    let mut told = "What the user's application says about the situation:".to_owned();
    let pieces = objects(fields, "context", CONTEXT)?;
    for piece in &pieces {
        let description = piece.text("description", 0..=usize::MAX)?.unwrap_or_default();
        let value = match piece.value("value") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        told.push_str(&format!("\n- {description}: {value}"));
    }
    Ok((!pieces.is_empty()).then_some(told))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use session::AskedCall;

    fn read(body: &Value) -> Result<Input> {
        Input::read(body.as_object().unwrap(), body.to_string().as_bytes())
    }

    #[test]
    fn ids_may_be_missing_and_what_later_versions_add_is_passed_over() {
        let input = read(&json!({"messages": [{"role": "user", "content": "hi"}], "state": {"a": 1}, "x": 1})).unwrap();
        assert_eq!((input.thread, input.run, input.protocol), (None, None, Protocol::Before));
        assert_eq!((input.messages, input.answers), (vec![Said::User("hi".into())], Answers::default()));
        let input = read(&json!({"threadId": "t 1", "runId": "", "protocolVersion": "1.0", "forwardedProps": 3, "context": []})).unwrap();
        assert_eq!((input.thread.as_deref(), input.run, input.protocol), (Some("t 1"), None, Protocol::One));
        assert_eq!(input.instructions, None);
    }

    #[test]
    fn a_whole_history_is_read_and_of_each_message_only_what_concerns_the_model() {
        let call = json!({"id": "c", "type": "function", "function": {"name": "alert", "arguments": "{\"n\": 1.10}"}});
        let input = read(&json!({"messages": [
            {"id": "1", "role": "developer", "content": "be kind"},
            {"id": "2", "role": "user", "content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]},
            {"id": "3", "role": "reasoning", "content": "hm"},
            {"id": "4", "role": "assistant", "toolCalls": [call]},
            {"id": "5", "role": "tool", "toolCallId": "c", "content": "", "error": "no \"screen\""},
            {"id": "6", "role": "activity", "activityType": "plan", "content": {"steps": []}},
            {"id": "7", "role": "user", "content": "  "},
        ]}));
        let calls = vec![AskedCall { id: "c".into(), name: "alert".into(), arguments: "{\"n\": 1.10}".into() }];
        let wanted = [
            Said::System("be kind".into()),
            Said::User("hello".into()),
            Said::Agent { text: String::new(), calls },
            Said::Tool { call: "c".into(), outcome: Outcome::Failure("\"no \\\"screen\\\"\"".into()) },
        ];
        assert_eq!(input.unwrap().messages, wanted);
    }

    #[test]
    fn answers_to_interrupts_are_kept_as_they_were_written_in_either_form() {
        let text = r#"{"resume":[{"interruptId":"i","status":"resolved","payload":{"n": 1.10}},{"interruptId":"j","status":"cancelled"}],
            "forwardedProps":{"command":{"resume":{"approved": true}},"other":[1]}}"#;
        let members: Map<String, Value> = serde_json::from_str(text).unwrap();
        let answers = Input::read(&members, text.as_bytes()).unwrap().answers;
        let resume = |interrupt: &str, word| Resume { interrupt: interrupt.into(), word };
        assert_eq!(answers.named, [resume("i", Word::Payload(r#"{"n": 1.10}"#.into())), resume("j", Word::Cancelled)]);
        assert_eq!(answers.bare.as_deref(), Some(r#"{"approved": true}"#));
    }

    #[test]
    fn context_is_told_line_by_line() {
        let input = read(&json!({"context": [{"description": "page", "value": "cart"}, {"description": "items", "value": [1]}]})).unwrap();
        assert_eq!(input.instructions.unwrap(), "What the user's application says about the situation:\n- page: cart\n- items: [1]");
    }

    #[test]
    fn what_is_wrong_is_named_where_it_stands() {
        for (body, at) in [
            (json!({"threadId": 1}), "threadId"),
            (json!({"threadId": "a\nb"}), "threadId"),
            (json!({"messages": {}}), "messages"),
            (json!({"messages": [{"role": "wizard"}]}), "messages[0].role"),
            (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages[0].toolCallId"),
            (json!({"messages": [{"role": "user", "content": 7}]}), "messages[0].content"),
            (json!({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}), "messages[0].content[0].type"),
            (json!({"messages": [{"role": "assistant", "toolCalls": [{"id": "c"}]}]}), "messages[0].toolCalls[0].function"),
            (json!({"tools": ["a"]}), "tools[0]"),
            (json!({"tools": [{"name": "a", "parameters": []}]}), "tools[0].parameters"),
            (json!({"resume": {}}), "resume"),
            (json!({"resume": [{"status": "resolved"}]}), "resume[0].interruptId"),
            (json!({"resume": [{"interruptId": "i", "status": "maybe"}]}), "resume[0].status"),
            (json!({"context": [1]}), "context[0]"),
        ] {
            let error = read(&body).unwrap_err();
            assert!(error.body("r")["field_errors"][at].is_string(), "{body}: {error:?}");
        }
    }
}
