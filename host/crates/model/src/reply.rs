//! What a model answers.

use std::sync::Arc;

use serde_json::value::RawValue;
use session::{AskedCall, TokenUsage};

/// A whole reply.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Readable reasoning; empty where there is none.
    pub thinking: String,
    /// The text; may be empty beside calls.
    pub text: String,
    /// The tools it asks for, ids made unique; arguments exact text, `{}` where they were empty.
    pub calls: Vec<AskedCall>,
    /// Why it stopped.
    pub finish: Finish,
    /// Tokens, where the provider counted them.
    pub usage: Option<TokenUsage>,
    /// The provider's own JSON of the assistant message, for exact replay.
    pub raw: Option<Arc<RawValue>>,
}

/// Why a reply stopped. The presence of calls decides whether tools run, not this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It was done.
    Stop,
    /// It asks for tools.
    Tools,
    /// It reached the length that it may have; calls with broken arguments are refused one by one.
    Length,
    /// The provider held something back.
    Filtered,
}

/// A live piece of a reply. Never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    /// Reasoning.
    Thinking(String),
    /// Text of the answer.
    Text(String),
    /// A tool call begins: its place among the calls of this reply, its id and name.
    CallBegan {
        /// From 0.
        index: usize,
        /// The provider's id.
        id: Arc<str>,
        /// The name that the model used.
        name: Arc<str>,
    },
    /// A piece of a call's arguments.
    CallArguments {
        /// From 0.
        index: usize,
        /// Text, anywhere cut.
        piece: String,
    },
    /// What came so far is void: the request is being repeated.
    Restarted,
}
