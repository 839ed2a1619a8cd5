//! A chat completions answer, streamed or whole, as a reply.

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use session::{AskedCall, TokenUsage};

use super::calls::Calls;
use super::request::assistant;
use super::shapes::{Choice, Chunk, Delta, Words};
use crate::Sink;
use crate::reply::{self, Finish};
use crate::wires::exchange::{Ended, Reading};
use crate::wires::json::push_member;
use crate::wires::overflow::without_room;
use crate::wires::trouble::{Fault, from_event};

/// The longest list of reasoning details that is kept for the echo.
const DETAILS_MAX: usize = 1_024;

/// A reply in the making.
pub(super) struct Reply {
    who: String,
    window: u64,
    thinking: String,
    text: String,
    calls: Calls,
    /// OpenRouter's list, to be sent back as it came.
    details: Vec<Value>,
    /// Whether the thinking came as `reasoning_content`, whose providers want it back beside calls.
    as_content: bool,
    extra: Option<Box<RawValue>>,
    refused: bool,
    finish: Option<Finish>,
    usage: Option<TokenUsage>,
    seen: bool,
    over: bool,
}

impl Reply {
    /// Nothing yet, in answer to `place` items.
    pub(super) fn new(who: &str, place: usize, window: u64) -> Self {
        Self {
            who: who.to_owned(),
            window,
            thinking: String::new(),
            text: String::new(),
            calls: Calls::new(place),
            details: Vec::new(),
            as_content: false,
            extra: None,
            refused: false,
            finish: None,
            usage: None,
            seen: false,
            over: false,
        }
    }

    /// The whole reply; some overflows show only now.
    pub(super) fn into_reply(self) -> Result<reply::Reply, Fault> {
        let said_nothing = self.text.is_empty() && self.calls.is_empty();
        let silent = said_nothing && self.thinking.is_empty();
        let cut = self.finish == Some(Finish::Length);
        if let Some(fault) = self.usage.and_then(|usage| without_room(&self.who, usage, cut, silent)) {
            return Err(fault);
        }
        let (details, extra, refused) = (self.details, self.extra, self.refused);
        let calls = self.calls.close();
        let echo = (self.as_content && !calls.is_empty()).then_some(self.thinking.as_str());
        let raw = raw(&self.text, &calls, &details, echo, extra.as_deref());
        let finish = match self.finish.unwrap_or(Finish::Stop) {
            _ if refused => Finish::Filtered,
            Finish::Stop | Finish::Tools if calls.is_empty() => Finish::Stop,
            Finish::Stop | Finish::Tools => Finish::Tools,
            other @ (Finish::Length | Finish::Filtered) => other,
        };
        let calls = calls.into_iter().map(|(call, _)| call).collect();
        Ok(reply::Reply { thinking: self.thinking, text: self.text, calls, finish, usage: self.usage, raw })
    }

    fn take(&mut self, json: &[u8], sink: Sink<'_>) -> Result<(), Fault> {
        let chunk: Chunk<'_> =
            serde_json::from_slice(json).map_err(|e| Fault::garbled(format!("{} sent what cannot be read: {e}", self.who)))?;
        if chunk.error.is_some() {
            return Err(from_event(&self.who, json));
        }
        let Chunk { choices, usage, x_groq, .. } = chunk;
        let choice = choices.0;
        // Counts are cumulative wherever they come, so the last ones are the ones.
        let usage = usage.or(x_groq.and_then(|groq| groq.usage)).or(choice.as_ref().and_then(|choice| choice.usage));
        if let Some(usage) = usage {
            self.usage = Some(usage.counted(self.window));
        }
        match choice {
            Some(choice) => self.choice(choice, json, sink),
            None => Ok(()),
        }
    }

    fn choice(&mut self, choice: Choice<'_>, json: &[u8], sink: Sink<'_>) -> Result<(), Fault> {
        self.seen = true;
        if let Some(error) = choice.error {
            return Err(from_event(&self.who, format!("{{\"error\":{}}}", error.get()).as_bytes()));
        }
        if let Some(delta) = &choice.delta {
            self.delta(delta, &mut *sink)?;
        }
        if let Some(word) = choice.finish_reason.text().filter(|_| self.finish.is_none()) {
            self.finish = Some(self.finished(word, json)?);
            self.calls.announce_all(sink);
        }
        Ok(())
    }

    fn delta(&mut self, delta: &Delta<'_>, sink: Sink<'_>) -> Result<(), Fault> {
        self.reason(delta, sink);
        self.refused |= delta.refusal.text().is_some();
        for words in [&delta.content, &delta.refusal] {
            words.each(false, &mut |thinks, piece| self.say(thinks, piece, &mut *sink));
        }
        for fragment in delta.tool_calls.iter().flatten() {
            self.calls.add(fragment, &mut *sink)?;
        }
        if let Some(function) = &delta.function_call {
            self.calls.add_function(function, sink)?;
        }
        if let Some(extra) = delta.extra_content {
            self.extra = Some(extra.to_owned());
        }
        Ok(())
    }

    /// Thinking comes under several names, sometimes under two at once: one of them is taken.
    fn reason(&mut self, delta: &Delta<'_>, sink: Sink<'_>) {
        let mut say = |words: &Words<'_>| {
            let mut said = false;
            words.each(true, &mut |_, piece| {
                said = true;
                self.say(true, piece, &mut *sink);
            });
            said
        };
        let as_content = say(&delta.reasoning_content);
        let said = as_content || say(&delta.reasoning);
        self.as_content |= as_content;
        for detail in delta.reasoning_details.iter().flatten() {
            let Ok(detail) = serde_json::from_str::<Value>(detail.get()) else { continue };
            if let Some(text) = detail["text"].as_str().or(detail["summary"].as_str()).filter(|text| !said && !text.is_empty()) {
                self.say(true, text, &mut *sink);
            }
            push_detail(&mut self.details, detail);
        }
    }

    fn say(&mut self, thinks: bool, piece: &str, sink: Sink<'_>) {
        if thinks {
            self.thinking.push_str(piece);
            sink(reply::Delta::Thinking(piece.to_owned()));
        } else {
            self.text.push_str(piece);
            sink(reply::Delta::Text(piece.to_owned()));
        }
    }

    fn finished(&self, word: &str, json: &[u8]) -> Result<Finish, Fault> {
        match word {
            "length" | "max_tokens" => Ok(Finish::Length),
            "tool_calls" | "function_call" => Ok(Finish::Tools),
            "content_filter" | "safety" => Ok(Finish::Filtered),
            "model_context_window_exceeded" => {
                let limit = (self.window > 0).then_some(self.window);
                let message = format!("{} filled the model's window while it answered", self.who);
                Err(Fault::overflow(limit, self.usage.map(|usage| usage.input + usage.output), message))
            }
            "error" => Err(from_event(&self.who, json)),
            "stop" => Ok(Finish::Stop),
            other => {
                tracing::debug!(provider = %self.who, finish = other, "an unknown reason to stop is taken for the usual one");
                Ok(Finish::Stop)
            }
        }
    }
}

impl Reading for Reply {
    fn event(&mut self, name: &str, data: &[u8], sink: Sink<'_>) -> Result<(), Fault> {
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            self.over = true;
            self.calls.announce_all(sink);
            return if self.seen { Ok(()) } else { Err(Fault::cut(format!("{} ended its stream without an answer", self.who))) };
        }
        if data.is_empty() || self.over {
            return Ok(());
        }
        if name == "error" {
            return Err(from_event(&self.who, data));
        }
        self.take(data, sink)
    }

    fn whole(&mut self, body: &[u8], sink: Sink<'_>) -> Result<(), Fault> {
        self.take(body, &mut *sink)?;
        self.calls.announce_all(sink);
        if !self.seen {
            return Err(Fault::garbled(format!("{} answered without a choice", self.who)));
        }
        self.over = true;
        Ok(())
    }

    fn ended(&self) -> Ended {
        match self.finish {
            _ if self.over => Ended::Over,
            Some(_) => Ended::Whole,
            None => Ended::No,
        }
    }
}

/// Appends a detail, or joins it to the last one where both are pieces of one text.
fn push_detail(details: &mut Vec<Value>, detail: Value) {
    let count = details.len();
    if let (Some(Value::Object(last)), Value::Object(piece)) = (details.last_mut(), &detail) {
        let same =
            ["type", "index", "id"].iter().all(|key| last.get(*key).unwrap_or(&Value::Null) == piece.get(*key).unwrap_or(&Value::Null));
        if same && ["text", "summary"].iter().any(|key| piece.contains_key(*key)) {
            return join(last, piece);
        }
    }
    if count < DETAILS_MAX {
        details.push(detail);
    }
}

fn join(last: &mut Map<String, Value>, piece: &Map<String, Value>) {
    for (key, value) in piece.iter().filter(|(_, value)| !value.is_null()) {
        match (last.get_mut(key), value) {
            (Some(Value::String(text)), Value::String(more)) if key == "text" || key == "summary" => text.push_str(more),
            _ => {
                last.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The message as this provider wants it back.
fn raw(
    text: &str,
    calls: &[(AskedCall, Option<Box<RawValue>>)],
    details: &[Value],
    thinking: Option<&str>,
    extra: Option<&RawValue>,
) -> Option<std::sync::Arc<RawValue>> {
    let mut out = assistant(text, calls.iter().map(|(call, extra)| (call, extra.as_deref())));
    out.pop();
    if !details.is_empty() {
        push_member(&mut out, "reasoning_details", details);
    }
    if let Some(thinking) = thinking {
        push_member(&mut out, "reasoning_content", thinking);
    }
    if let Some(extra) = extra {
        push_member(&mut out, "extra_content", extra);
    }
    out.push(b'}');
    let json = String::from_utf8(out).ok()?;
    RawValue::from_string(json).ok().map(Into::into)
}
