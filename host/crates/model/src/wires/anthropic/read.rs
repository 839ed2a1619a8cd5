//! A Messages answer, streamed or whole, as a reply. Blocks are kept as they
//! came: thinking that is changed or lost makes the provider refuse the
//! conversation from then on.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use session::{AskedCall, TokenUsage};

use crate::Sink;
use crate::reply::{Delta, Finish, Reply};
use crate::wires::exchange::{Ended, Reading};
use crate::wires::json::{legal_arguments, push, push_member, push_piece};
use crate::wires::trouble::{Fault, from_event};
use crate::wires::{ARGUMENTS_BYTES_MAX, CALLS_MAX, unique_id};

/// The most blocks of one reply; a model writes a few.
const BLOCKS_MAX: usize = 1_024;

/// A reply in the making.
#[derive(Debug, Clone)]
pub(super) struct Message {
    who: String,
    place: usize,
    window: u64,
    blocks: Vec<Block>,
    /// The blocks before this one belong to an earlier, paused answer.
    begun_at: usize,
    usage: Option<Usage>,
    stop: Option<Stop>,
    over: bool,
}

#[derive(Debug, Clone)]
struct Block {
    index: Option<u64>,
    kind: Kind,
    /// As the provider began it.
    members: Map<String, Value>,
    /// What was added since, by the kind: text, thinking, or arguments.
    words: String,
    signature: String,
    stopped: bool,
}

#[derive(Debug, Clone)]
enum Kind {
    Text,
    Thinking,
    /// A call, by its place among the calls and its id.
    ToolUse(usize, Arc<str>),
    /// Anything that is only kept.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Done,
    Length,
    Refused,
    Paused,
    WindowFull,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    index: Option<u64>,
    #[serde(default)]
    message: Option<Begin>,
    #[serde(borrow, default)]
    content_block: Option<&'a RawValue>,
    #[serde(borrow, default)]
    delta: Option<Piece<'a>>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Begin {
    #[serde(default)]
    usage: Option<Usage>,
}

/// The delta of a block or of the message; fields of either.
#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    text: Cow<'a, str>,
    #[serde(borrow, default)]
    thinking: Cow<'a, str>,
    #[serde(borrow, default)]
    signature: Cow<'a, str>,
    #[serde(borrow, default)]
    partial_json: Cow<'a, str>,
    #[serde(default)]
    citation: Option<Value>,
    #[serde(default)]
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    usage: Option<Usage>,
}

/// What a call was begun with.
#[derive(Deserialize)]
struct Input<'a> {
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
struct Usage {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
}

impl Usage {
    /// Counts are cumulative: a later one replaces an earlier one.
    fn then(self, later: Self) -> Self {
        Self {
            input_tokens: later.input_tokens.or(self.input_tokens),
            cache_read_input_tokens: later.cache_read_input_tokens.or(self.cache_read_input_tokens),
            cache_creation_input_tokens: later.cache_creation_input_tokens.or(self.cache_creation_input_tokens),
            output_tokens: later.output_tokens.or(self.output_tokens),
        }
    }

    fn counted(self, window: u64) -> TokenUsage {
        let count = Option::unwrap_or_default;
        let cached: u64 = count(self.cache_read_input_tokens);
        let input = count(self.input_tokens).saturating_add(cached).saturating_add(count(self.cache_creation_input_tokens));
        TokenUsage { input, cached, output: count(self.output_tokens), reasoning: 0, window }
    }
}

impl Message {
    /// Nothing yet, in answer to `place` items.
    pub(super) fn new(who: &str, place: usize, window: u64) -> Self {
        let blocks = Vec::new();
        Self { who: who.to_owned(), place, window, blocks, begun_at: 0, usage: None, stop: None, over: false }
    }

    /// Whether the provider wants its blocks back to go on.
    pub(super) fn is_paused(&self) -> bool {
        self.stop == Some(Stop::Paused)
    }

    /// The same message, ready for what follows a pause.
    pub(super) fn taken_up(&self) -> Self {
        Self { begun_at: self.blocks.len(), stop: None, over: false, ..self.clone() }
    }

    /// The blocks, parted by commas, as they are sent back.
    pub(super) fn blocks_so_far(&self) -> Vec<u8> {
        let mut out = b"[".to_vec();
        for block in self.blocks.iter().filter(|block| block.is_kept(self.stop)) {
            push_piece(&mut out, &block.render());
        }
        out.split_off(1)
    }

    /// The whole reply.
    pub(super) fn into_reply(self) -> Result<Reply, Fault> {
        let usage = self.usage.map(|usage| usage.counted(self.window));
        if self.stop == Some(Stop::WindowFull) {
            let limit = (self.window > 0).then_some(self.window);
            let message = format!("{} filled the model's window while it answered", self.who);
            return Err(Fault::overflow(limit, usage.map(|usage| usage.input + usage.output), message));
        }
        let calls: Vec<AskedCall> = self.blocks.iter().filter_map(Block::call).collect();
        let finish = match self.stop {
            Some(Stop::Length) => Finish::Length,
            Some(Stop::Refused) => Finish::Filtered,
            _ if calls.is_empty() => Finish::Stop,
            _ => Finish::Tools,
        };
        let raw = [&b"["[..], &self.blocks_so_far(), b"]"].concat();
        let raw = String::from_utf8(raw).ok().and_then(|json| RawValue::from_string(json).ok()).map(Into::into);
        let (thinking, text) = (self.words(true), self.words(false));
        Ok(Reply { thinking, text, calls, finish, usage, raw })
    }

    fn words(&self, thinking: bool) -> String {
        let wanted = |block: &&Block| match block.kind {
            Kind::Thinking => thinking,
            Kind::Text => !thinking,
            Kind::ToolUse(..) | Kind::Other => false,
        };
        let words: Vec<&str> =
            self.blocks.iter().filter(wanted).map(|block| block.words.as_str()).filter(|words| !words.is_empty()).collect();
        // Paragraphs of thinking are blocks; the text is one, cut only by citations.
        words.join(if thinking { "\n\n" } else { "" })
    }

    fn begin(&mut self, index: Option<u64>, json: &RawValue, sink: Sink<'_>) -> Result<(), Fault> {
        let members: Map<String, Value> =
            serde_json::from_str(json.get()).map_err(|e| Fault::garbled(format!("{} sent a block that cannot be read: {e}", self.who)))?;
        if self.blocks.len() == BLOCKS_MAX {
            return Err(Fault::beyond(format!("{} sent more than {BLOCKS_MAX} blocks in one reply", self.who)));
        }
        let member = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, words) = match member("type").as_str() {
            "text" => (Kind::Text, member("text")),
            "thinking" => (Kind::Thinking, member("thinking")),
            "tool_use" => {
                let (at, id) = self.call_id(&member("id"))?;
                sink(Delta::CallBegan { index: at, id: id.clone(), name: member("name").into() });
                let input = serde_json::from_str::<Input<'_>>(json.get()).ok().and_then(|block| block.input);
                let input = input.map(RawValue::get).filter(|input| !matches!(*input, "{}" | "null")).unwrap_or_default();
                (Kind::ToolUse(at, id), input.to_owned())
            }
            _ => (Kind::Other, String::new()),
        };
        let signature = member("signature");
        let words = self.bounded(&kind, 0, words)?;
        show(&kind, &words, sink);
        self.blocks.push(Block { index, kind, members, words, signature, stopped: false });
        Ok(())
    }

    fn call_id(&self, given: &str) -> Result<(usize, Arc<str>), Fault> {
        let ids = || self.blocks.iter().filter_map(|block| if let Kind::ToolUse(_, id) = &block.kind { Some(id) } else { None });
        let at = ids().count();
        if at == CALLS_MAX {
            return Err(Fault::beyond(format!("the model asked for more than {CALLS_MAX} tools in one reply")));
        }
        Ok((at, unique_id(given, self.place, at, |id| ids().any(|taken| &**taken == id))))
    }

    /// Words as they are, unless they are arguments beyond their limit.
    fn bounded<T: AsRef<str>>(&self, kind: &Kind, before: usize, words: T) -> Result<T, Fault> {
        if matches!(kind, Kind::ToolUse(..)) && before + words.as_ref().len() > ARGUMENTS_BYTES_MAX {
            return Err(Fault::beyond(format!("the model wrote more than {ARGUMENTS_BYTES_MAX} bytes of arguments for one call")));
        }
        Ok(words)
    }

    /// The block of an index; without one, the last.
    fn block(&self, index: Option<u64>) -> Option<usize> {
        let fits = |block: &Block| index.is_none() || block.index == index;
        self.blocks[self.begun_at..].iter().rposition(fits).map(|at| at + self.begun_at)
    }

    fn add(&mut self, index: Option<u64>, piece: Piece<'_>, sink: Sink<'_>) -> Result<(), Fault> {
        let Some(at) = self.block(index) else { return Ok(()) };
        let words = match (piece.kind.as_ref(), &self.blocks[at].kind) {
            ("text_delta", Kind::Text) => piece.text,
            ("thinking_delta", Kind::Thinking) => piece.thinking,
            ("input_json_delta", Kind::ToolUse(..)) => piece.partial_json,
            ("signature_delta", Kind::Thinking) => {
                self.blocks[at].signature.push_str(&piece.signature);
                return Ok(());
            }
            ("citations_delta", Kind::Text) => {
                self.blocks[at].cite(piece.citation);
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.bounded(&self.blocks[at].kind, self.blocks[at].words.len(), &words)?;
        self.blocks[at].words.push_str(&words);
        show(&self.blocks[at].kind, &words, sink);
        Ok(())
    }

    fn count(&mut self, usage: Option<Usage>) {
        if let Some(usage) = usage {
            self.usage = Some(self.usage.unwrap_or_default().then(usage));
        }
    }

    fn stopped(&mut self, reason: Option<&str>) {
        let Some(reason) = reason else { return };
        self.stop = Some(match reason {
            "max_tokens" => Stop::Length,
            "refusal" => Stop::Refused,
            "pause_turn" => Stop::Paused,
            "model_context_window_exceeded" => Stop::WindowFull,
            "end_turn" | "tool_use" | "stop_sequence" => Stop::Done,
            other => {
                tracing::debug!(provider = %self.who, stop_reason = other, "an unknown reason to stop is taken for the usual one");
                Stop::Done
            }
        });
    }
}

impl Reading for Message {
    fn event(&mut self, _name: &str, data: &[u8], sink: Sink<'_>) -> Result<(), Fault> {
        let data = data.trim_ascii();
        if data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        let event: Event<'_> = match serde_json::from_slice(data) {
            Ok(event) => event,
            Err(_) if is_unknown(data) => return Ok(()),
            Err(e) => return Err(Fault::garbled(format!("{} sent what cannot be read: {e}", self.who))),
        };
        match event.kind.as_ref() {
            "message_start" => self.count(event.message.and_then(|message| message.usage)),
            "content_block_start" => {
                if let Some(block) = event.content_block {
                    self.begin(event.index, block, sink)?;
                }
            }
            "content_block_delta" => {
                if let Some(piece) = event.delta {
                    self.add(event.index, piece, sink)?;
                }
            }
            "content_block_stop" => {
                if let Some(at) = self.block(event.index) {
                    self.blocks[at].stopped = true;
                }
            }
            "message_delta" => {
                self.count(event.usage);
                self.stopped(event.delta.as_ref().and_then(|delta| delta.stop_reason.as_deref()));
            }
            "message_stop" => self.over = true,
            "error" => return Err(from_event(&self.who, data)),
            // Pings, and whatever comes to be.
            _ => {}
        }
        Ok(())
    }

    fn whole(&mut self, body: &[u8], sink: Sink<'_>) -> Result<(), Fault> {
        let whole: Whole<'_> =
            serde_json::from_slice(body).map_err(|e| Fault::garbled(format!("{} answered what cannot be read: {e}", self.who)))?;
        if whole.kind == "error" {
            return Err(from_event(&self.who, body));
        }
        let Some(content) = whole.content else {
            return Err(Fault::garbled(format!("{} answered without content", self.who)));
        };
        for block in content {
            self.begin(None, block, &mut *sink)?;
        }
        self.blocks.iter_mut().for_each(|block| block.stopped = true);
        self.count(whole.usage);
        self.stopped(whole.stop_reason.as_deref());
        self.over = true;
        Ok(())
    }

    fn ended(&self) -> Ended {
        match self.stop {
            _ if self.over => Ended::Over,
            Some(_) => Ended::Whole,
            None => Ended::No,
        }
    }

    fn again(&self, sink: Sink<'_>) {
        for block in &self.blocks {
            if let (Kind::ToolUse(index, id), name) = (&block.kind, block.members.get("name").and_then(Value::as_str)) {
                sink(Delta::CallBegan { index: *index, id: id.clone(), name: name.unwrap_or_default().into() });
            }
            show(&block.kind, &block.words, &mut *sink);
        }
    }
}

impl Block {
    fn call(&self) -> Option<AskedCall> {
        let Kind::ToolUse(_, id) = &self.kind else { return None };
        let name = self.members.get("name").and_then(Value::as_str).unwrap_or_default();
        let arguments = if self.words.trim().is_empty() { "{}" } else { &self.words };
        Some(AskedCall { id: id.clone(), name: name.into(), arguments: arguments.to_owned() })
    }

    fn cite(&mut self, citation: Option<Value>) {
        let citations = self.members.entry("citations").or_insert(Value::Null);
        if !citations.is_array() {
            *citations = Value::Array(Vec::new());
        }
        if let (Some(list), Some(citation)) = (citations.as_array_mut(), citation) {
            list.push(citation);
        }
    }

    /// Whether it may be sent back: not a blank text, and no thinking that was cut before its signature.
    fn is_kept(&self, stop: Option<Stop>) -> bool {
        match self.kind {
            Kind::Text => !self.words.trim().is_empty(),
            Kind::Thinking => !self.signature.is_empty() || (self.stopped && stop != Some(Stop::Length)),
            Kind::ToolUse(..) | Kind::Other => true,
        }
    }

    /// The block as it came, with what was added to it.
    fn render(&self) -> Vec<u8> {
        let mut out = b"{".to_vec();
        for (name, value) in &self.members {
            match (&self.kind, name.as_str()) {
                (Kind::Text, "text") | (Kind::Thinking, "thinking" | "signature") | (Kind::ToolUse(..), "input" | "id" | "name") => {}
                _ => push_member(&mut out, name, value),
            }
        }
        match &self.kind {
            Kind::Text => push_member(&mut out, "text", &self.words),
            Kind::Thinking => {
                push_member(&mut out, "thinking", &self.words);
                push_member(&mut out, "signature", &self.signature);
            }
            Kind::ToolUse(_, id) => {
                push_member(&mut out, "id", id);
                let name = self.members.get("name").and_then(Value::as_str).unwrap_or_default();
                push_member(&mut out, "name", &crate::wires::json::legal_name(name));
                out.push(b',');
                push(&mut out, "input");
                out.push(b':');
                out.extend_from_slice(legal_arguments(&self.words).as_bytes());
            }
            Kind::Other => {}
        }
        out.push(b'}');
        out
    }
}

/// Whether it is an event, or a delta, of a kind that is not ours to read; such may have any form.
fn is_unknown(data: &[u8]) -> bool {
    const DELTAS: [&str; 5] = ["text_delta", "thinking_delta", "signature_delta", "input_json_delta", "citations_delta"];
    const EVENTS: [&str; 5] = ["message_start", "content_block_start", "content_block_stop", "message_delta", "error"];
    let Ok(event) = serde_json::from_slice::<Value>(data) else { return false };
    match event["type"].as_str() {
        Some("content_block_delta") => event["delta"]["type"].as_str().is_some_and(|kind| !DELTAS.contains(&kind)),
        Some(kind) => !EVENTS.contains(&kind),
        None => false,
    }
}

fn show(kind: &Kind, words: &str, sink: Sink<'_>) {
    if words.is_empty() {
        return;
    }
    match kind {
        Kind::Text => sink(Delta::Text(words.to_owned())),
        Kind::Thinking => sink(Delta::Thinking(words.to_owned())),
        Kind::ToolUse(index, _) => sink(Delta::CallArguments { index: *index, piece: words.to_owned() }),
        Kind::Other => {}
    }
}
