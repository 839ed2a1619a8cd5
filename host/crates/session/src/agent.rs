//! An agent: the definition that a turn runs by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tool::ToolId;

use crate::ids::{Millis, Uid};

/// A stored definition. Immutable per revision; a turn pins the one it began with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Its identity.
    pub uid: Uid,
    /// The tenant it belongs to.
    pub tenant: Uid,
    /// What clients call it: 1 to 50 of `[0-9a-zA-Z_-]`, unique in the tenant.
    pub key: String,
    /// Counts changes, from 1.
    pub revision: u64,
    /// For people, 1 to 50 characters, unique in the tenant.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Which model answers.
    pub model: ModelChoice,
    /// The tools by the names under which the model sees them.
    pub tools: BTreeMap<String, ToolBinding>,
    /// When and how a conversation that grows is summarised; absent means by the defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compaction: Option<Compaction>,
    /// Values that templates never show and models never see.
    #[serde(default, skip_serializing_if = "Secrets::is_empty")]
    pub secrets: Secrets,
    /// What it may do in the API, as clients set it.
    #[serde(default)]
    pub identity: Identity,
    /// The name of the step that a turn begins with.
    pub first_step: String,
    /// The steps by name; holds at least `first_step`.
    pub steps: BTreeMap<String, Step>,
    /// The client's own.
    pub metadata: Map<String, Value>,
    /// Whether it takes new sessions and inputs.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
}

impl Agent {
    /// The step that a turn runs.
    pub fn entry_step(&self) -> Option<&Step> {
        self.steps.get(&self.first_step)
    }
}

/// A model by the operator's name for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelChoice {
    /// A key of the operator's `[models]`.
    pub name: String,
    /// Passed on to the provider: `temperature`, `max_tokens`, …
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// How to retry; absent means the server's own way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// How a failed model call is repeated. Bounds and defaults are those of the Agents API.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Whether at all.
    pub enabled: bool,
    /// After the first call, 0 to 10.
    pub max_retries: u32,
    /// 100 to 60,000.
    pub initial_backoff_ms: u64,
    /// 1,000 to 300,000.
    pub max_backoff_ms: u64,
    /// 1 to 10.
    pub backoff_factor: f64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { enabled: true, max_retries: 3, initial_backoff_ms: 1_000, max_backoff_ms: 30_000, backoff_factor: 2.0 }
    }
}

/// A tool bound into an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolBinding {
    /// Which tool.
    pub tool: ToolRef,
    /// Arguments that the model neither sees nor chooses: literal values, and `{"$ref": "<path>"}`
    /// where a value is looked up. Keys may be paths with dots.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub argument_override: Map<String, Value>,
}

/// Which tool a binding means.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ToolRef {
    /// One of a plugin: it runs here.
    Plugin(ToolId),
    /// One that the client runs.
    Client(Uid),
}

/// When and how a conversation is summarised. Bounds and defaults are those of the Agents API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compaction {
    /// Whether it happens by itself.
    pub enabled: bool,
    /// Share of the model's window from which on it happens, 50 to 95.
    pub threshold_percent: u32,
    /// Inputs that stay word for word, with all that followed each; at least 1.
    pub keep_recent_inputs: u32,
    /// Added to what the model is told when it summarises.
    pub message: Option<String>,
    /// What of tool calls the summary is made from.
    pub tool_events: ToolEventPolicy,
}

impl Default for Compaction {
    fn default() -> Self {
        Self { enabled: true, threshold_percent: 80, keep_recent_inputs: 1, message: None, tool_events: ToolEventPolicy::default() }
    }
}

/// What of tool calls a summary is made from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolEventPolicy {
    /// Nothing.
    Exclude,
    /// What the tools answered.
    #[default]
    IncludeOutputs,
    /// What they were asked, too.
    IncludeAll,
}

/// Secrets by name. They are kept with their agent or session and shown to nobody:
/// neither the API nor a log gives them back.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secrets(pub BTreeMap<String, String>);

impl Secrets {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What an agent may do in the API, as clients set it. No tool of this server acts under it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Whether the roles follow the tools, or are as they were set.
    pub manual: bool,
    /// Roles in the account.
    pub api_roles: Vec<String>,
    /// Roles per corpus, as clients wrote them.
    pub corpus_roles: Vec<ScopedRole>,
    /// Roles per agent.
    pub agent_roles: Vec<ScopedRole>,
}

/// A role that holds for one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopedRole {
    /// The key of the corpus or agent.
    pub key: String,
    /// The role's word.
    pub role: String,
}

/// A step's instructions. A turn of this version runs the entry step alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// In order; together they are the system prompt.
    pub instructions: Vec<Instruction>,
    /// The names of the tools it may use; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_tools: Option<Vec<String>>,
    /// The form that answers must have; absent means any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputSchema>,
}

/// One instruction, inline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instruction {
    /// For people, 1 to 50 characters.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The text.
    pub template: String,
    /// How the text is read.
    pub template_type: TemplateType,
    /// The client's own.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Whether it is part of the prompt.
    pub enabled: bool,
}

/// How an instruction's text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TemplateType {
    /// As it stands.
    Text,
    /// With variables.
    Velocity,
}

/// What a structured answer has to look like. A model is told so with every
/// question; whoever asks checks the reply, because not every provider obeys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputSchema {
    /// What the answer is called: letters, digits, `_` and `-`. Clients see it, and some providers want it.
    pub name: String,
    /// For the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether the provider has to hold the model to the schema while it writes, where it can.
    pub strict: bool,
    /// JSON Schema, members in the author's order.
    pub schema: Value,
}
