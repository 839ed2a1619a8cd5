//! The conversation as a model needs it: a projection of the entries. Items are
//! shared and remember their wire form, so that history is rendered once.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The conversation in order.
#[derive(Debug, Clone, Default)]
pub struct Transcript {
    /// Oldest first.
    pub items: Vec<Arc<Item>>,
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
