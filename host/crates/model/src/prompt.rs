//! What a model is asked: ordered fragments that remember their wire form.

use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};
use session::{Item, OutputSchema, Retry};
use tool::ToolSpec;

/// One question to a model. Borrowed: nothing of the history is copied.
pub struct Prompt<'a> {
    /// The system text; may be empty.
    pub system: &'a str,
    /// The tools that the model may ask for.
    pub tools: &'a ToolList,
    /// The conversation, oldest first.
    pub items: &'a [Arc<Item>],
    /// The agent's own parameters: `temperature`, `max_tokens`, …
    pub parameters: &'a Map<String, Value>,
    /// The agent's own way to retry, where it has one.
    pub retry: Option<&'a Retry>,
    /// Whether somebody watches: then the reply is streamed, and pieces reach the sink.
    pub stream: bool,
    /// What the reply's text has to be; absent means words.
    pub output: Option<&'a OutputSchema>,
}

/// The tools of an agent under the names that the model sees, in one order, with the wire form kept.
#[derive(Debug, Default)]
pub struct ToolList {
    tools: Vec<(String, Arc<ToolSpec>)>,
    wire: OnceLock<(&'static str, Box<[u8]>)>,
}

impl ToolList {
    /// A list of these tools.
    pub fn new(tools: Vec<(String, Arc<ToolSpec>)>) -> Self {
        Self { tools, wire: OnceLock::new() }
    }

    /// The tools by name, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<ToolSpec>)> {
        self.tools.iter().map(|(name, spec)| (name.as_str(), spec))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// The tool of a name.
    pub fn find(&self, name: &str) -> Option<&Arc<ToolSpec>> {
        self.tools.iter().find(|(n, _)| n == name).map(|(_, spec)| spec)
    }

    /// The list in the form of a wire: rendered now, or taken from an earlier time.
    pub fn on_wire<T>(&self, wire: &'static str, render: impl FnOnce(&Self) -> Vec<u8>, use_bytes: impl FnOnce(&[u8]) -> T) -> T {
        if let Some((kept, bytes)) = self.wire.get() {
            return if *kept == wire { use_bytes(bytes) } else { use_bytes(&render(self)) };
        }
        let (_, bytes) = self.wire.get_or_init(|| (wire, render(self).into()));
        use_bytes(bytes)
    }
}
