//! Marks: entries that clients do not see.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tool::{Bounds, Decision, ToolId};

use crate::agent::Compaction;
use crate::client_tool::DeclaredTool;
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
    /// What the turn is for.
    #[serde(default)]
    pub purpose: Purpose,
    /// How the conversation is compacted meanwhile, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compaction: Option<Compaction>,
    /// The model's window in tokens, for models that do not say it with each call; 0 where nobody knows.
    #[serde(default)]
    pub window: u64,
    /// The tools that the client declared with the input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared: Vec<DeclaredTool>,
    /// What the client has the model told beside the agent's instructions: its own words with this input, or
    /// the last it gave before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
}

/// What a turn is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "to")]
pub enum Purpose {
    /// To answer an input.
    #[default]
    Answer,
    /// To make a summary of what was said so far, because a client asked for it.
    Compact {
        /// Up to here, this one included; as the setting has it where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        up_to: Option<Seq>,
        /// Added to what the model is told when it summarises.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// To make one call of a tool that the agent need not bind, with these arguments alone: what the agent sets in its
    /// own bindings is not put over them. No model is asked.
    Call {
        /// The name under which the call stands in the events.
        name: String,
        /// Which tool.
        tool: ToolId,
        /// A JSON object, exact text.
        arguments: String,
    },
}

/// Mark: a reply was not of the form that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrected {
    /// What the model said.
    pub text: String,
    /// What is wrong with it, for the model.
    pub fault: String,
}

/// Mark: the conversation has to become shorter before the model is asked again, or cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overflowed {
    /// Whether a summary was tried and did not come about: then no other one is tried in this turn, and nothing else changes.
    pub hopeless: bool,
    /// What is wrong, for the client.
    pub why: String,
    /// The window in tokens, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The size that was refused, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<u64>,
}

/// A tool as a turn pins it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Which tool.
    pub tool: ToolId,
    /// Digest of its component; of a tool that the client runs, its own id.
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

/// What became of one tool call. Every `tool_output` has one, also where nothing
/// ran; what is not known of such a call is absent. Digests, rules and numbers,
/// never a value that a tool or a model wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Receipt {
    /// Our id of the call.
    pub call: String,
    /// Which tool, where the name was known.
    pub tool: Option<ToolId>,
    /// How it ended, by the word of the closed table, or [`Receipt::BROUGHT`].
    pub end: String,
    /// Digest of the component that ran, or would have.
    pub component: Option<String>,
    /// Digest of its descriptor.
    pub tools: Option<String>,
    /// Digest of the policy that decided.
    pub policy: Option<String>,
    /// The bounds that held.
    pub limits: Option<Bounds>,
    /// What was decided for the call, each distinct decision once.
    pub decisions: Vec<Decision>,
    /// SHA-256 of the arguments, in hex: of the text in the `tool_input` event unless a person changed them, with
    /// what the agent set put over it, secrets as `****`.
    pub input_hash: String,
    /// SHA-256 of the output as it stands in the `tool_output` event, in hex.
    pub output_hash: String,
    /// What it consumed.
    #[serde(flatten)]
    pub consumed: Consumed,
}

impl Receipt {
    /// How a call ended that was made elsewhere, as a client says.
    pub const BROUGHT: &str = "brought";
}

/// What one call consumed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Consumed {
    /// Wall clock, in microseconds.
    pub wall_us: u64,
    /// Guest code, in microseconds.
    pub cpu_us: u64,
    /// Peak memory, in bytes.
    pub memory_bytes: u64,
    /// Calls from the guest into the host.
    pub host_calls: u64,
    /// Fuel, where the operator set a budget of it; 0 otherwise.
    pub fuel: u64,
    /// Request bodies that left, in bytes.
    pub sent_bytes: u64,
    /// Response bodies that came back, in bytes.
    pub received_bytes: u64,
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
    /// The summary that a client asked for was made.
    Compacted,
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
            Self::Compacted => "compacted",
            Self::Interrupted => "interrupted",
            Self::Limit(_) => "limit",
            Self::ContextLimit => "context_limit",
            Self::Failed(_) => "failed",
            Self::RecoveryLimit => "recovery_limit",
            Self::Superseded => "superseded",
        }
    }
}
