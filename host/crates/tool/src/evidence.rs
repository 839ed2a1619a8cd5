//! What held when a call was decided and run, for receipts and the audit log.
//! Digests, rules and bounds; never a value that a tool or a model wrote.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What a reply says about how its call came about. Members are empty where
/// the call did not come that far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Digest of the component that ran, `sha256:<hex>`.
    pub component: Option<Arc<str>>,
    /// Digest of its descriptor, `sha256:<hex>`.
    pub tools: Option<Arc<str>>,
    /// Digest of the policy that decided, `sha256:<hex>`.
    pub policy: Option<Arc<str>>,
    /// The bounds that held.
    pub limits: Option<Bounds>,
    /// What was decided for the call, in the order in which it was first asked.
    pub decisions: Vec<Decision>,
}

/// The bounds of one call that its receipt names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Wall clock, in milliseconds.
    pub time_ms: u64,
    /// Guest code, in milliseconds.
    pub cpu_ms: u64,
    /// All memories and tables together, in bytes.
    pub memory_bytes: u64,
    /// The whole answer, in bytes.
    pub output_bytes: u64,
    /// Fuel, where the operator set a deterministic budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
}

/// One thing that was asked of the policy for a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The noun: `call`, `http`, `files`, `secrets`, `config`, `store`, `cache`.
    pub capability: String,
    /// What was asked, without values: a request has its method, host and path, never its query.
    pub what: String,
    /// The line that allowed it, such as `plugin.weather.http[0]`, or the layer that refused, such as `grant`.
    pub rule: String,
    /// Whether it was allowed.
    pub allowed: bool,
    /// How often the same was asked.
    pub times: u32,
}
