//! What is posted to `send-message` in AG-Kit's protocol and in the older bots', read leniently: clients add members of
//! their own, and their versions differ in what they leave out.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use session::DeclaredTool;

use crate::conversations::{self, ExactTool, Resume, Said, Word, asked_call, declared, outcome};
use crate::errors::{Code, Error, Result};
use crate::fields::{Fields, wrong};
use crate::limits::{POSTED, TOOLS};

/// A body as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// The conversation, where the client names one.
    pub(super) conversation: Option<String>,
    /// What was said.
    pub(super) messages: Vec<Said>,
    /// The tools that the client runs.
    pub(super) tools: Vec<DeclaredTool>,
    /// The answer to an interrupt.
    pub(super) resume: Option<Resume>,
    /// Whether the model's reasoning is shown.
    pub(super) thinking: bool,
}

/// The members whose text is kept as it was written.
#[derive(Deserialize)]
struct Exact<'a> {
    #[serde(borrow, default)]
    resume: Option<ExactResume<'a>>,
    #[serde(borrow, default)]
    tools: Option<Vec<ExactTool<'a>>>,
}

#[derive(Deserialize)]
struct ExactResume<'a> {
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

impl Sent {
    /// Reads a body of AG-Kit's, which has this text.
    pub(super) fn read(members: &Map<String, Value>, text: &[u8]) -> Result<Self> {
        let fields = Fields::of_body(members);
        let messages = messages(&fields, "messages")?;
        let tools = fields.list("tools", TOOLS)?.unwrap_or_default();
        fields.object("resume")?;
        // Only now is it certain that what is kept has the form that it is read in.
        tools.iter().enumerate().try_for_each(|(at, tool)| Fields::of(tool, format!("tools[{at}]")).map(drop))?;
        let exact: Exact<'_> = serde_json::from_slice(text).map_err(|e| Error::field("body", format!("the body cannot be read: {e}")))?;
        let parameters = exact.tools.unwrap_or_default().into_iter().map(|tool| tool.parameters);
        let tools = tools.iter().zip(parameters).enumerate();
        let tools = tools.map(|(at, (tool, exact))| declared(&Fields::of(tool, format!("tools[{at}]"))?, exact));
        Ok(Self {
            conversation: conversation(&fields)?,
            messages,
            tools: tools.collect::<Result<_>>()?,
            resume: resume(&fields, exact.resume.and_then(|resume| resume.payload))?,
            thinking: fields.flag("thinking")?.unwrap_or(false),
        })
    }

    /// Reads a body of the older bots'.
    pub(super) fn read_legacy(members: &Map<String, Value>) -> Result<Self> {
        let fields = Fields::of_body(members);
        let mut messages = messages(&fields, "history")?;
        messages.push(Said::User(said(&fields, "msg")?));
        let (conversation, thinking) = (conversation(&fields)?, fields.flag("thinking")?.unwrap_or(false));
        Ok(Self { conversation, messages, tools: Vec::new(), resume: None, thinking })
    }
}

/// The conversation's id. Some clients send an empty text where they have none.
fn conversation(fields: &Fields<'_>) -> Result<Option<String>> {
    let id = fields.text("conversationId", 0..=usize::MAX)?.filter(|id| !id.is_empty());
    id.map(|id| conversations::checked(id, "conversationId").map(str::to_owned)).transpose()
}

fn messages(fields: &Fields<'_>, member: &str) -> Result<Vec<Said>> {
    let list = fields.list(member, POSTED)?.unwrap_or_default();
    let mut messages = Vec::with_capacity(list.len() + 1);
    for (at, value) in list.iter().enumerate() {
        messages.extend(message(&Fields::of(value, format!("{member}[{at}]"))?)?);
    }
    Ok(messages)
}

/// A message; none where the agent is said to have said nothing.
fn message(fields: &Fields<'_>) -> Result<Option<Said>> {
    let role = fields.required("role", fields.text("role", 0..=usize::MAX)?)?;
    match role {
        "system" => Ok(Some(Said::System(content(fields)?.to_owned()))),
        "user" => Ok(Some(Said::User(said(fields, "content")?))),
        "assistant" => {
            let text = fields.text("content", 0..=usize::MAX)?.unwrap_or_default().to_owned();
            let calls = fields.list("toolCalls", TOOLS)?.unwrap_or_default();
            let calls =
                calls.iter().enumerate().map(|(at, value)| asked_call(&Fields::of(value, format!("{}[{at}]", fields.path("toolCalls")))?));
            let calls = calls.collect::<Result<Vec<_>>>()?;
            Ok((!text.is_empty() || !calls.is_empty()).then_some(Said::Agent { text, calls }))
        }
        "tool" => {
            let call = fields.required("toolCallId", fields.text("toolCallId", 1..=usize::MAX)?)?.to_owned();
            Ok(Some(Said::Tool { call, outcome: outcome(content(fields)?).map_err(|error| error.at(fields.path("content")))? }))
        }
        other => {
            let at = fields.path("role");
            Err(Error::field(&at, format!("`{at}` must be system, user, assistant or tool, not `{other}`")))
        }
    }
}

fn content<'a>(fields: &Fields<'a>) -> Result<&'a str> {
    fields.required("content", fields.text("content", 0..=usize::MAX)?)
}

/// Words of the user: not blank, because there is nothing to answer to those.
fn said(fields: &Fields<'_>, member: &str) -> Result<String> {
    let text = fields.required(member, fields.text(member, 0..=usize::MAX)?)?;
    if text.trim().is_empty() {
        let at = fields.path(member);
        return Err(Error::field(&at, format!("`{at}` is empty; say something")).with(Code::InvalidMessageContent));
    }
    Ok(text.to_owned())
}

fn resume(fields: &Fields<'_>, payload: Option<&RawValue>) -> Result<Option<Resume>> {
    let Some(value) = fields.value("resume") else { return Ok(None) };
    let fields = Fields::of(value, "resume")?;
    let interrupt = match fields.value("interruptId") {
        Some(Value::String(id)) if !id.is_empty() => id.clone(),
        Some(Value::String(_)) | None => return fields.required("interruptId", None),
        Some(other) => return Err(wrong(&fields.path("interruptId"), "a string", other)),
    };
    let payload = payload.map_or("null", RawValue::get).to_owned();
    Ok(Some(Resume { interrupt, word: Word::Payload(payload) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent::Outcome;
    use serde_json::json;
    use session::AskedCall;

    fn read(body: &Value) -> Result<Sent> {
        Sent::read(body.as_object().unwrap(), body.to_string().as_bytes())
    }

    fn user(text: &str) -> Said {
        Said::User(text.into())
    }

    #[test]
    fn what_the_official_client_adds_is_passed_over_and_what_it_leaves_out_is_not_missed() {
        let sent = read(&json!({"botId": "agent-1", "messages": [{"role": "user", "content": "Hi", "id": "m1"}], "x": {}})).unwrap();
        assert_eq!((sent.messages, sent.conversation, sent.tools.len(), sent.resume), (vec![user("Hi")], None, 0, None));
        let sent = read(&json!({"conversationId": "", "messages": null, "tools": null, "resume": null})).unwrap();
        assert_eq!((sent.messages.len(), sent.conversation), (0, None));
    }

    #[test]
    fn a_replayed_history_is_read_with_its_calls() {
        let calls = json!([{"id": "call_1", "type": "function", "function": {"name": "search", "arguments": "{\"q\": 1.10}"}}]);
        let sent = read(&json!({"messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "assistant", "content": null, "toolCalls": calls},
            {"role": "tool", "toolCallId": "call_1", "content": "{\"n\": 1.10}"},
            {"role": "assistant", "id": "a", "content": "one"},
            {"role": "assistant", "content": ""},
        ]}));
        let call = AskedCall { id: "call_1".into(), name: "search".into(), arguments: "{\"q\": 1.10}".into() };
        let wanted = [
            Said::System("Be kind.".into()),
            Said::Agent { text: String::new(), calls: vec![call] },
            Said::Tool { call: "call_1".into(), outcome: Outcome::Success("{\"n\": 1.10}".into()) },
            Said::Agent { text: "one".into(), calls: Vec::new() },
        ];
        assert_eq!(sent.unwrap().messages, wanted);
    }

    #[test]
    fn parameters_and_payloads_are_kept_as_they_were_written() {
        let text = r#"{"tools":[{"name":"alert","parameters":{"b": 1.10, "a": 1}},{"name":"bare"}],"resume":{"interruptId":"i","payload":{"n": 1.10}}}"#;
        let members: Map<String, Value> = serde_json::from_str(text).unwrap();
        let sent = Sent::read(&members, text.as_bytes()).unwrap();
        assert_eq!(sent.tools[0].input, r#"{"b": 1.10, "a": 1}"#);
        assert_eq!((sent.tools[1].input.as_str(), sent.tools[1].description.as_str()), ("{}", ""));
        assert_eq!(sent.resume, Some(Resume { interrupt: "i".into(), word: Word::Payload(r#"{"n": 1.10}"#.into()) }));
    }

    #[test]
    fn the_older_bots_message_comes_after_their_history() {
        let body = json!({"botId": "b", "msg": "and now?", "history": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "x"}],
            "files": [], "searchEnable": false});
        let sent = Sent::read_legacy(body.as_object().unwrap()).unwrap();
        assert_eq!(sent.messages, [user("a"), Said::Agent { text: "x".into(), calls: Vec::new() }, user("and now?")]);
    }

    #[test]
    fn what_is_wrong_is_named_where_it_stands() {
        for (body, at) in [
            (json!({"messages": {}}), "messages"),
            (json!({"messages": ["hi"]}), "messages[0]"),
            (json!({"messages": [{"content": "hi"}]}), "messages[0].role"),
            (json!({"messages": [{"role": "wizard", "content": "hi"}]}), "messages[0].role"),
            (json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}), "messages[0].content"),
            (json!({"messages": [{"role": "user", "content": " "}]}), "messages[0].content"),
            (json!({"messages": [{"role": "tool", "content": "done"}]}), "messages[0].toolCallId"),
            (json!({"messages": [{"role": "tool", "toolCallId": "c"}]}), "messages[0].content"),
            (json!({"messages": [{"role": "assistant", "toolCalls": [{"id": "c"}]}]}), "messages[0].toolCalls[0].function"),
            (json!({"tools": [{"description": "no name"}]}), "tools[0].name"),
            (json!({"tools": ["alert"]}), "tools[0]"),
            (json!({"tools": [{"name": "a", "parameters": "{}"}]}), "tools[0].parameters"),
            (json!({"resume": []}), "resume"),
            (json!({"resume": {"payload": true}}), "resume.interruptId"),
            (json!({"conversationId": 7}), "conversationId"),
            (json!({"conversationId": "a\nb"}), "conversationId"),
        ] {
            let error = read(&body).unwrap_err();
            assert!(error.body("r")["field_errors"][at].is_string(), "{body}: {error:?}");
        }
        let twice = r#"{"resume":{"interruptId":"a","payload":1,"payload":2}}"#;
        let members: Map<String, Value> = serde_json::from_str(twice).unwrap();
        assert!(Sent::read(&members, twice.as_bytes()).is_err());
    }
}
