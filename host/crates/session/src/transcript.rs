//! The conversation as a model needs it: a projection of the entries. Items are
//! shared and remember their wire form, so that history is rendered once.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::compaction::{json_tokens, text_tokens};
use crate::ids::Seq;

/// The conversation in order.
#[derive(Debug, Clone, Default)]
pub struct Transcript {
    /// Oldest first.
    pub items: Vec<Arc<Item>>,
    places: Vec<Place>,
    /// The ids of all calls.
    calls: HashSet<Arc<str>>,
    /// The size of all items, in tokens, estimated.
    tokens: u64,
}

/// Which entry an item was made by, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The summary of everything before.
    Summary,
    /// An input.
    Input(Seq),
    /// A reply, or what the model was told about its form.
    Reply(Seq),
    /// A tool's output.
    Output(Seq),
    /// What a client says that a tool answered elsewhere.
    Told(Seq),
}

/// How a summary is introduced to the model, as the user's words: it is made from what users
/// and tools said, and must not speak with the authority of instructions.
const SUMMARY: &str = "Summary of the conversation so far:";

/// Tokens that a provider spends on an item beside its text: role, ids, punctuation.
const ITEM_TOKENS: u64 = 4;

impl Place {
    /// The entry; none for a summary, which stands for many.
    pub(crate) fn entry(self) -> Option<Seq> {
        match self {
            Self::Summary => None,
            Self::Input(at) | Self::Reply(at) | Self::Output(at) | Self::Told(at) => Some(at),
        }
    }
}

impl Transcript {
    /// One more item.
    pub(crate) fn push(&mut self, place: Place, body: ItemBody) {
        self.put(place, Item::new(body));
    }

    fn put(&mut self, place: Place, item: Arc<Item>) {
        self.tokens += item.tokens();
        self.calls.extend(item.body.calls().iter().map(|call| call.id.clone()));
        self.items.push(item);
        self.places.push(place);
    }

    /// The size of the whole in tokens, estimated.
    pub(crate) fn tokens(&self) -> u64 {
        self.tokens
    }

    /// The ids of all calls.
    pub(crate) fn calls(&self) -> &HashSet<Arc<str>> {
        &self.calls
    }

    /// Items were taken out: what is known of all of them is gathered anew.
    fn gather(&mut self) {
        self.tokens = self.items.iter().map(|item| item.tokens()).sum();
        self.calls = self.items.iter().flat_map(|item| item.body.calls()).map(|call| call.id.clone()).collect();
    }

    /// Where the items stand that come from entries, oldest first.
    pub(crate) fn placed(&self) -> impl DoubleEndedIterator<Item = (Place, Seq)> {
        self.places.iter().filter_map(|place| Some((*place, place.entry()?)))
    }

    /// The last answer of a tool that the model was shown under this name. What a client says that one answered
    /// elsewhere is none, and neither is a failure.
    pub(crate) fn latest_output(&self, configuration: &str) -> Option<&str> {
        let here = self.items.iter().zip(&self.places).rev().filter(|(_, place)| matches!(place, Place::Output(_)));
        here.map(|(item, _)| &item.body).find_map(|body| match body {
            ItemBody::ToolResult { name, output, error: false, .. } if **name == *configuration => Some(output.as_str()),
            ItemBody::ToolResult { .. } | ItemBody::User { .. } | ItemBody::Assistant { .. } => None,
        })
    }

    /// The summary that stands in the place of what was before it.
    pub fn summary(&self) -> Option<&str> {
        let (Place::Summary, ItemBody::User { text }) = (self.places.first()?, &self.items.first()?.body) else { return None };
        text.strip_prefix(SUMMARY).map(str::trim_start)
    }

    /// The items up to this entry; a summary of what was before them is none of them.
    pub fn up_to(&self, up_to: Seq) -> &[Arc<Item>] {
        &self.items[usize::from(self.summary().is_some())..self.first_after(up_to)]
    }

    fn first_after(&self, up_to: Seq) -> usize {
        self.places.iter().position(|place| place.entry().is_some_and(|at| at > up_to)).unwrap_or(self.places.len())
    }

    /// Puts a summary in the place of everything up to `up_to`, an earlier summary included.
    pub(crate) fn compact(&mut self, up_to: Seq, summary: &str) {
        let kept = self.first_after(up_to);
        let summary = Item::new(ItemBody::User { text: format!("{SUMMARY}\n\n{summary}") });
        self.items.splice(..kept, [summary]);
        self.places.splice(..kept, [Place::Summary]);
        self.gather();
    }

    /// Takes out, from `from` on, calls without a result and results without a call: providers
    /// refuse a history that holds one. A reply that lost a call is not replayed in its own form.
    pub(crate) fn mend(&mut self, from: Seq) {
        let first = self.places.iter().position(|place| place.entry().is_some_and(|at| at >= from)).unwrap_or(self.places.len());
        if is_whole(&self.items[first..]) {
            return;
        }
        let (items, places) = (self.items.split_off(first), self.places.split_off(first));
        self.gather();
        // Providers number calls anew with each reply: a result belongs to the reply right before it.
        let mut asked: Vec<Arc<str>> = Vec::new();
        for (at, (item, place)) in items.iter().zip(places).enumerate() {
            match &item.body {
                ItemBody::User { .. } => self.put(place, item.clone()),
                ItemBody::ToolResult { call_id, .. } => {
                    if let Some(call) = asked.iter().position(|id| id == call_id) {
                        asked.swap_remove(call);
                        self.put(place, item.clone());
                    }
                }
                ItemBody::Assistant { .. } => {
                    let (answered, left) = answered(item, &items[at + 1..]);
                    asked = answered;
                    if let Some(left) = left {
                        self.put(place, left);
                    }
                }
            }
        }
    }
}

/// Whether every call has its result after it, and every result its call before.
fn is_whole(items: &[Arc<Item>]) -> bool {
    let mut open: Vec<&Arc<str>> = Vec::new();
    for item in items {
        match &item.body {
            ItemBody::User { .. } => {}
            ItemBody::ToolResult { call_id, .. } => match open.iter().position(|id| *id == call_id) {
                Some(call) => drop(open.swap_remove(call)),
                None => return false,
            },
            ItemBody::Assistant { .. } if !open.is_empty() => return false,
            ItemBody::Assistant { calls, .. } => open.extend(calls.iter().map(|call| &call.id)),
        }
    }
    open.is_empty()
}

/// The calls of a reply that have a result among what follows it, and what is left of the reply, if anything.
fn answered(item: &Arc<Item>, after: &[Arc<Item>]) -> (Vec<Arc<str>>, Option<Arc<Item>>) {
    let ItemBody::Assistant { thinking, text, calls, .. } = &item.body else { return (Vec::new(), Some(item.clone())) };
    let meanwhile = after.iter().take_while(|item| !matches!(item.body, ItemBody::Assistant { .. }));
    let results: Vec<&Arc<str>> = meanwhile.filter_map(|item| item.result_of()).collect();
    let kept: Vec<AskedCall> = calls.iter().filter(|call| results.contains(&&call.id)).cloned().collect();
    let ids = kept.iter().map(|call| call.id.clone()).collect();
    if kept.len() == calls.len() {
        return (ids, Some(item.clone()));
    }
    let says_something = !(thinking.is_empty() && text.is_empty() && kept.is_empty());
    let left =
        says_something.then(|| Item::new(ItemBody::Assistant { thinking: thinking.clone(), text: text.clone(), calls: kept, raw: None }));
    (ids, left)
}

/// One piece of the conversation, with the bytes that one wire made of it.
#[derive(Debug)]
pub struct Item {
    /// What it says.
    pub body: ItemBody,
    wire: OnceLock<(&'static str, Box<[u8]>)>,
}

impl Item {
    /// An item that no wire has rendered yet.
    pub fn new(body: ItemBody) -> Arc<Self> {
        Arc::new(Self { body, wire: OnceLock::new() })
    }

    /// The call that this is the result of, if it is one.
    fn result_of(&self) -> Option<&Arc<str>> {
        match &self.body {
            ItemBody::ToolResult { call_id, .. } => Some(call_id),
            ItemBody::User { .. } | ItemBody::Assistant { .. } => None,
        }
    }

    /// Its size in tokens, estimated.
    fn tokens(&self) -> u64 {
        let of_body = match &self.body {
            ItemBody::User { text } => text_tokens(text),
            ItemBody::Assistant { thinking, text, calls, .. } => {
                let calls: u64 = calls.iter().map(|call| ITEM_TOKENS + text_tokens(&call.name) + json_tokens(&call.arguments)).sum();
                text_tokens(thinking) + text_tokens(text) + calls
            }
            ItemBody::ToolResult { output, .. } => json_tokens(output),
        };
        ITEM_TOKENS + of_body
    }

    /// The item in the form of the wire named `wire`: rendered now, or taken from
    /// an earlier time. Only the first wire's form is kept; `use_bytes` gets either.
    pub fn on_wire<T>(&self, wire: &'static str, render: impl FnOnce(&ItemBody) -> Vec<u8>, use_bytes: impl FnOnce(&[u8]) -> T) -> T {
        if let Some((kept, bytes)) = self.wire.get() {
            return if *kept == wire { use_bytes(bytes) } else { use_bytes(&render(&self.body)) };
        }
        let (_, bytes) = self.wire.get_or_init(|| (wire, render(&self.body).into()));
        use_bytes(bytes)
    }
}

/// What an item says.
#[derive(Debug, Clone)]
pub enum ItemBody {
    /// The user's words.
    User {
        /// All texts of one input, joined by blank lines.
        text: String,
    },
    /// One reply of a model.
    Assistant {
        /// Readable reasoning, for wires that take it back as text.
        thinking: String,
        /// What it said.
        text: String,
        /// The tools it asked for.
        calls: Vec<AskedCall>,
        /// The provider's own form, for exact replay to the same provider.
        raw: Option<RawReply>,
    },
    /// What a tool answered.
    ToolResult {
        /// The provider's id of the call.
        call_id: Arc<str>,
        /// The name under which the model asked.
        name: Arc<str>,
        /// A JSON object, exact text.
        output: String,
        /// Whether it stands for a failure.
        error: bool,
    },
}

impl ItemBody {
    /// The tools that it asks for.
    fn calls(&self) -> &[AskedCall] {
        match self {
            Self::Assistant { calls, .. } => calls,
            Self::User { .. } | Self::ToolResult { .. } => &[],
        }
    }
}

/// A tool call as the model wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedCall {
    /// The provider's id; made unique in its reply by the wire, and in what the conversation holds when it is recorded.
    pub id: Arc<str>,
    /// The name that the model used.
    pub name: Arc<str>,
    /// The arguments, exact text; not checked to be JSON.
    pub arguments: String,
}

/// Where a reply came from: only there may it be replayed in its own form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The wire: `chat-completions`, `anthropic-messages`, …
    pub wire: String,
    /// The provider's address.
    pub provider: String,
    /// The model's name there.
    pub model: String,
    /// The version of the form in which the raw reply is kept.
    pub format: u32,
}

impl Origin {
    /// The wire of what no provider sent to this server: a client says that it was said elsewhere.
    const BROUGHT: &str = "brought";

    /// Of a reply that a client says was given elsewhere.
    pub fn brought() -> Self {
        Self::nobody(Self::BROUGHT)
    }

    /// Of a call that a client asked for itself.
    pub fn direct() -> Self {
        Self::nobody("direct")
    }

    /// Whether a client says that it was given elsewhere.
    pub fn is_brought(&self) -> bool {
        self.wire == Self::BROUGHT
    }

    fn nobody(wire: &str) -> Self {
        Self { wire: wire.to_owned(), provider: String::new(), model: String::new(), format: 0 }
    }
}

/// A provider's own JSON of an assistant message.
#[derive(Debug, Clone)]
pub struct RawReply {
    /// Where it came from.
    pub origin: Origin,
    /// Its text, shared with the journal.
    pub json: Arc<RawValue>,
}
