//! Marks: entries that clients do not see.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tool::ToolId;

use crate::ids::{Millis, Seq, Uid};
use crate::transcript::Origin;

/// A turn began. Pins what the turn runs by; permissions are never pinned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Began {
    /// The agent's revision.
    pub agent_revision: u64,
    /// The model's name in the operator's file.
    pub model: String,
    /// The tools the model is shown, by the names it sees.
    pub tools: BTreeMap<String, Bound>,
    /// The uid of the key that posted the input.
    pub key: Uid,
    /// The end user, where one is named.
    pub subject: Option<String>,
    /// SHA-256 of the input as posted, in hex: by it a repeat is recognised.
    pub input_hash: String,
    /// SHA-256 of the system prompt as it was rendered, in hex.
    pub system_hash: String,
}

/// A tool as a turn pins it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Which tool.
    pub tool: ToolId,
    /// Digest of its component.
    pub component: String,
    /// Digest of its descriptor.
    pub tools: String,
}

/// A reply as the provider sent it, in the same batch as the events made from it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReplyMark {
    /// Who sent it, in which form.
    pub origin: Origin,
    /// The provider's own JSON for the assistant's message, for exact replay.
    pub raw: Option<Box<RawValue>>,
    /// The first event made from it.
    pub first: Seq,
    /// The last.
    pub last: Seq,
    /// What it consumed.
    pub usage: Option<TokenUsage>,
}

/// Tokens of one model call, as the provider counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsage {
    /// Of the prompt, those from a cache included.
    pub input: u64,
    /// Of the prompt, read from a cache.
    pub cached: u64,
    /// Of the reply, reasoning included.
    pub output: u64,
    /// Of the reply, reasoning.
    pub reasoning: u64,
    /// The model's window, where it is known; 0 otherwise.
    pub window: u64,
}

/// What became of one tool call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Our id of the call.
    pub call: String,
    /// Which tool, where the name was known.
    pub tool: Option<ToolId>,
    /// How it ended, by the word of the closed table.
    pub end: String,
    /// Digest of the component that ran.
    pub component: Option<String>,
    /// SHA-256 of the arguments, in hex.
    pub input_hash: String,
    /// SHA-256 of the output, in hex.
    pub output_hash: String,
    /// Wall clock, in microseconds.
    pub wall_us: u64,
    /// Guest code, in microseconds.
    pub cpu_us: u64,
    /// Peak memory, in bytes.
    pub memory_bytes: u64,
}

/// A turn ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub how: HowEnded,
    /// When it began.
    pub began_at: Millis,
}

/// How a turn can end. Exactly one of these, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "as", content = "why")]
pub enum HowEnded {
    /// The agent answered.
    Answered,
    /// A client stopped it.
    Interrupted,
    /// A named limit of the turn was reached.
    Limit(String),
    /// The conversation no longer fits.
    ContextLimit,
    /// The model could not be asked; the text is for the client.
    Failed(String),
    /// Recovery was tried as often as it may be.
    RecoveryLimit,
    /// It waited, and the user said something else instead.
    Superseded,
}

impl HowEnded {
    /// The word for logs and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Interrupted => "interrupted",
            Self::Limit(_) => "limit",
            Self::ContextLimit => "context_limit",
            Self::Failed(_) => "failed",
            Self::RecoveryLimit => "recovery_limit",
            Self::Superseded => "superseded",
        }
    }
}
