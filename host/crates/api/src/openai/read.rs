//! A chat completion as a client asks for it.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use agent::{Brought, Past};
use session::{AskedCall, DeclaredTool, Message};

use crate::body::ExactBody;
use crate::conversations::{asked_call, outcome};
use crate::errors::{Code, Error, Result};
use crate::fields::{Fields, unsupported, unsupported_value, wrong};

/// Messages of one request: its body is bounded anyway, and each becomes an entry.
const MESSAGES: usize = 1_000;

/// Parts of one message, and calls of one.
const PARTS: usize = 256;

/// Tools that a client may bring; the engine takes fewer and says so.
const TOOLS: usize = 1_000;

/// Characters of a model's name; agents' keys are shorter.
const MODEL: usize = 256;

/// Characters of the ids and names in a history.
const NAME: usize = 256;

/// What is asked for.
#[derive(Debug)]
pub(super) struct Posted {
    /// The model, if one is named.
    pub(super) model: Option<String>,
    /// What is to be answered; nothing where the history ends with tools' outputs.
    pub(super) messages: Vec<Message>,
    /// What comes before it, and the client's own tools and instructions.
    pub(super) brought: Brought,
    /// How it is to be answered.
    pub(super) form: Form,
}

/// How an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// In one piece.
    Whole,
    /// As a stream.
    Stream {
        /// With what it consumed at its end.
        usage: bool,
    },
}

impl Posted {
    /// Reads a body; `bytes_max` are those of what is to be answered.
    pub(super) fn read(body: &ExactBody, bytes_max: usize) -> Result<Self> {
        let fields = Fields::of_body(&body.members);
        let model = fields.text("model", 1..=MODEL)?.map(str::to_owned);
        settings(&fields)?;
        let (instructions, mut past) = said(&fields)?;
        let asked = past.iter().rposition(|past| !matches!(past, Past::User(_))).map_or(0, |last| last + 1);
        let messages: Vec<Message> = past.drain(asked..).filter_map(message).collect();
        if messages.is_empty() && !matches!(past.last(), Some(Past::Output { .. })) {
            let why = "`messages` must end with what is to be answered: a message of the user, or outputs of tools";
            return Err(Error::field("messages", why));
        }
        let bytes: usize = messages.iter().map(|message| message.content.len()).sum();
        if bytes > bytes_max {
            let why = format!("the user's last messages have {bytes} bytes of text; this server takes at most {bytes_max}");
            return Err(Error::field("messages", why).with(Code::InvalidMessageContent));
        }
        let tools = if may_call(&fields)? { tools(&fields, &body.text)? } else { Vec::new() };
        Ok(Self { model, messages, brought: Brought { past, tools, instructions, ..Brought::default() }, form: form(&fields)? })
    }
}

fn message(past: Past) -> Option<Message> {
    match past {
        Past::User(content) => Some(Message { content }),
        Past::Agent { .. } | Past::Output { .. } => None,
    }
}

fn form(fields: &Fields<'_>) -> Result<Form> {
    let options = fields.value("stream_options").map(|options| Fields::of(options, "stream_options")).transpose()?;
    let usage = options.map(|options| options.flag("include_usage")).transpose()?.flatten().unwrap_or(false);
    Ok(if fields.flag("stream")?.unwrap_or(false) { Form::Stream { usage } } else { Form::Whole })
}

/// Checks what clients set of the model. The agent's own settings count; what would change the answer's form is refused.
fn settings(fields: &Fields<'_>) -> Result<()> {
    for (name, bounds) in
        [("temperature", 0.0..=2.0), ("top_p", 0.0..=1.0), ("presence_penalty", -2.0..=2.0), ("frequency_penalty", -2.0..=2.0)]
    {
        fields.number(name, bounds)?;
    }
    fields.number("seed", i64::MIN as f64..=i64::MAX as f64)?;
    fields.count("max_tokens", 1..=u64::MAX)?;
    fields.count("max_completion_tokens", 1..=u64::MAX)?;
    fields.flag("parallel_tool_calls")?;
    fields.text("user", 0..=usize::MAX)?;
    if let Some(stop) = fields.value("stop").filter(|stop| !stop.is_string()) {
        stop.as_array().ok_or_else(|| wrong("stop", "a string or a list of strings", stop))?;
        fields.texts("stop", PARTS)?;
    }
    if let Some(choices) = fields.count("n", 1..=128)?.filter(|n| *n > 1) {
        return Err(unsupported_value("n", &choices.to_string(), "1"));
    }
    if fields.flag("logprobs")?.unwrap_or(false) {
        return Err(unsupported("logprobs"));
    }
    if let Some(format) = fields.value("response_format") {
        let kind = Fields::of(format, "response_format")?;
        match kind.text("type", 1..=NAME)? {
            None | Some("text") => {}
            Some(other) => {
                return Err(unsupported_value("response_format.type", other, "`text`; the agent decides what form its answers have"));
            }
        }
    }
    if let Some(other) = fields.texts("modalities", PARTS)?.into_iter().flatten().find(|kind| kind != "text") {
        return Err(unsupported_value("modalities", &other, "`text`"));
    }
    fields.refuse(&["audio", "functions", "function_call"])
}

/// Whether the client's tools may be called.
fn may_call(fields: &Fields<'_>) -> Result<bool> {
    match fields.value("tool_choice") {
        None => Ok(true),
        Some(Value::String(choice)) if choice == "auto" => Ok(true),
        Some(Value::String(choice)) if choice == "none" => Ok(false),
        Some(Value::String(choice)) => Err(unsupported_value("tool_choice", choice, "`auto` or `none`")),
        Some(Value::Object(_)) => Err(unsupported_value("tool_choice", "of one tool", "`auto` or `none`")),
        Some(other) => Err(wrong("tool_choice", "a string or an object", other)),
    }
}

/// The members whose text is kept as it was written.
#[derive(Deserialize)]
struct Exact<'a> {
    #[serde(borrow, default)]
    tools: Option<Vec<ExactTool<'a>>>,
}

#[derive(Deserialize)]
struct ExactTool<'a> {
    #[serde(borrow)]
    function: ExactFunction<'a>,
}

#[derive(Deserialize)]
struct ExactFunction<'a> {
    #[serde(borrow, default)]
    parameters: Option<&'a RawValue>,
}

fn tools(fields: &Fields<'_>, text: &[u8]) -> Result<Vec<DeclaredTool>> {
    let list = fields.list("tools", TOOLS)?.unwrap_or_default();
    let tools = list.iter().enumerate().map(|(at, value)| tool(&Fields::of(value, format!("tools[{at}]"))?));
    let mut tools = tools.collect::<Result<Vec<_>>>()?;
    // Only now is it certain that what is kept has the form that it is read in.
    let exact: Exact<'_> = serde_json::from_slice(text).map_err(|e| Error::field("body", format!("the body cannot be read: {e}")))?;
    for (tool, exact) in tools.iter_mut().zip(exact.tools.unwrap_or_default()) {
        tool.input = exact.function.parameters.map_or(r#"{"type":"object"}"#, RawValue::get).to_owned();
    }
    Ok(tools)
}

/// A tool without what it is called with.
fn tool(fields: &Fields<'_>) -> Result<DeclaredTool> {
    is_function(fields)?;
    let function = fields.required("function", fields.value("function"))?;
    let function = Fields::of(function, fields.path("function"))?;
    let name = function.required("name", function.text("name", 1..=NAME)?)?.to_owned();
    let description = function.text("description", 0..=usize::MAX)?.unwrap_or_default().to_owned();
    function.object("parameters")?;
    Ok(DeclaredTool { name, description, input: String::new() })
}

fn is_function(fields: &Fields<'_>) -> Result<()> {
    match fields.text("type", 1..=NAME)? {
        None | Some("function") => Ok(()),
        Some(other) => Err(unsupported_value(&fields.path("type"), other, "`function`")),
    }
}

/// What was said, in order, and what the model is told beside it.
fn said(fields: &Fields<'_>) -> Result<(Option<String>, Vec<Past>)> {
    let list = fields.required("messages", fields.list("messages", MESSAGES)?)?;
    let (mut told, mut past) = (Vec::new(), Vec::with_capacity(list.len()));
    for (at, value) in list.iter().enumerate() {
        let fields = Fields::of(value, format!("messages[{at}]"))?;
        match fields.required("role", fields.text("role", 1..=NAME)?)? {
            "system" | "developer" => told.push(text(&fields)?),
            "user" => past.push(Past::User(words(&fields)?)),
            "assistant" => past.extend(assistant(&fields)?),
            "tool" => past.push(output(&fields)?),
            other => {
                let wanted = "`system`, `developer`, `user`, `assistant` or `tool`";
                return Err(unsupported_value(&fields.path("role"), other, wanted));
            }
        }
    }
    told.retain(|text| !text.is_empty());
    Ok(((!told.is_empty()).then(|| told.join("\n\n")), past))
}

/// What the agent said; nothing where it said nothing.
fn assistant(fields: &Fields<'_>) -> Result<Option<Past>> {
    fields.refuse(&["function_call"])?;
    let calls = fields.list("tool_calls", PARTS)?.unwrap_or_default().iter().enumerate();
    let calls = calls.map(|(at, value)| call(&Fields::of(value, fields.path(&format!("tool_calls[{at}]")))?));
    let calls = calls.collect::<Result<Vec<_>>>()?;
    let text = text(fields)?;
    Ok((!text.is_empty() || !calls.is_empty()).then_some(Past::Agent { text, calls }))
}

fn call(fields: &Fields<'_>) -> Result<AskedCall> {
    is_function(fields)?;
    asked_call(fields)
}

/// What came of a call: an object as it is, anything else as text.
fn output(fields: &Fields<'_>) -> Result<Past> {
    let call = fields.required("tool_call_id", fields.text("tool_call_id", 1..=NAME)?)?.to_owned();
    let outcome = outcome(&text(fields)?).map_err(|error| error.at(fields.path("content")))?;
    Ok(Past::Output { call, outcome })
}

/// A message's text, which has to be there.
fn words(fields: &Fields<'_>) -> Result<String> {
    let text = text(fields)?;
    if text.trim().is_empty() {
        let at = fields.path("content");
        return Err(Error::field(&at, format!("`{at}` must not be empty")).with(Code::InvalidMessageContent));
    }
    Ok(text)
}

/// A message's text: as it is, or in parts.
fn text(fields: &Fields<'_>) -> Result<String> {
    match fields.value("content") {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(_)) => {
            let parts = fields.list("content", PARTS)?.unwrap_or_default().iter().enumerate();
            let parts = parts.map(|(at, value)| part(&Fields::of(value, fields.path(&format!("content[{at}]")))?));
            Ok(parts.collect::<Result<Vec<_>>>()?.join("\n"))
        }
        Some(other) => Err(wrong(&fields.path("content"), "a string or a list of parts", other)),
    }
}

fn part(fields: &Fields<'_>) -> Result<String> {
    let member = match fields.required("type", fields.text("type", 1..=NAME)?)? {
        "text" => "text",
        "refusal" => "refusal",
        other => return Err(unsupported_value(&fields.path("type"), other, "`text`: images, audio and files are not read")),
    };
    Ok(fields.required(member, fields.text(member, 0..=usize::MAX)?)?.to_owned())
}

#[cfg(test)]
mod tests;
