//! The conversation as a model needs it: a projection of the entries. Items are
//! shared and remember their wire form, so that history is rendered once.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ids::Seq;

/// The conversation in order.
#[derive(Debug, Clone, Default)]
pub struct Transcript {
    /// Oldest first.
    pub items: Vec<Arc<Item>>,
    /// The entry that each item was made by; a summary stands at 0.
    at: Vec<Seq>,
}

/// How a summary is introduced to the model, as the user's words: it is made from what users
/// and tools said, and must not speak with the authority of instructions.
const SUMMARY: &str = "Summary of the conversation so far:";

impl Transcript {
    /// One more item.
    pub(crate) fn push(&mut self, at: Seq, body: ItemBody) {
        self.items.push(Item::new(body));
        self.at.push(at);
    }

    /// The items with the entries that they were made by; a summary stands at 0.
    pub fn placed(&self) -> impl DoubleEndedIterator<Item = (Seq, &Arc<Item>)> {
        self.at.iter().copied().zip(&self.items)
    }

    /// Puts a summary in the place of everything up to `up_to`, an earlier summary included.
    pub(crate) fn compact(&mut self, up_to: Seq, summary: &str) {
        let kept = self.at.iter().position(|at| *at > up_to && *at > Seq(0)).unwrap_or(self.at.len());
        self.items.splice(..kept, [Item::new(ItemBody::User { text: format!("{SUMMARY}\n\n{summary}") })]);
        self.at.splice(..kept, [Seq(0)]);
    }

    /// Takes out, from `from` on, calls without a result and results without a call: providers
    /// refuse a history that holds one. A reply that lost a call is not replayed in its own form.
    pub(crate) fn mend(&mut self, from: Seq) {
        let first = self.at.iter().position(|at| *at >= from).unwrap_or(self.at.len());
        let answered: BTreeSet<Arc<str>> = self.items[first..].iter().filter_map(|item| item.result_of()).collect();
        let mut asked: BTreeSet<Arc<str>> = BTreeSet::new();
        let (items, at) = (self.items.split_off(first), self.at.split_off(first));
        for (at, item) in at.into_iter().zip(items) {
            match &item.body {
                ItemBody::ToolResult { call_id, .. } if !asked.contains(call_id) => continue,
                ItemBody::Assistant { thinking, text, calls, .. } if calls.iter().any(|call| !answered.contains(&call.id)) => {
                    let calls: Vec<AskedCall> = calls.iter().filter(|call| answered.contains(&call.id)).cloned().collect();
                    asked.extend(calls.iter().map(|call| call.id.clone()));
                    if !(thinking.is_empty() && text.is_empty() && calls.is_empty()) {
                        let (thinking, text) = (thinking.clone(), text.clone());
                        self.push(at, ItemBody::Assistant { thinking, text, calls, raw: None });
                    }
                    continue;
                }
                ItemBody::Assistant { calls, .. } => asked.extend(calls.iter().map(|call| call.id.clone())),
                ItemBody::User { .. } | ItemBody::ToolResult { .. } => {}
            }
            self.items.push(item);
            self.at.push(at);
        }
    }
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
    fn result_of(&self) -> Option<Arc<str>> {
        match &self.body {
            ItemBody::ToolResult { call_id, .. } => Some(call_id.clone()),
            ItemBody::User { .. } | ItemBody::Assistant { .. } => None,
        }
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

/// A tool call as the model wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedCall {
    /// The provider's id, made unique in its step.
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

/// A provider's own JSON of an assistant message.
#[derive(Debug, Clone)]
pub struct RawReply {
    /// Where it came from.
    pub origin: Origin,
    /// Its text, shared with the journal.
    pub json: Arc<RawValue>,
}
