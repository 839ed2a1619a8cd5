//! One call of one tool, and what comes of it.

use std::sync::Arc;

use crate::approval::Approval;
use crate::content::Content;
use crate::end::End;
use crate::evidence::Evidence;
use crate::ports::{Ports, Write};
use crate::spec::{Caller, ToolId};
use crate::veil::Veil;

/// What a tool may know about the call it serves. Opaque names; they give no rights.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// Our id of the call, unique in the tenant: the idempotency key.
    pub call: String,
    /// For whom.
    pub caller: Caller,
    /// The tenant's uid in hex: the partition of caches and stores.
    pub tenant_uid: Arc<str>,
    /// The session's key.
    pub session: Arc<str>,
    /// The end user, where the client named one.
    pub user: Option<String>,
    /// The W3C `traceparent`.
    pub trace: Option<String>,
}

/// A call that has been decided: validated, allowed, its intent durable.
pub struct ToolCall {
    /// Which tool.
    pub tool: ToolId,
    /// The arguments: a JSON object, exact text. Secrets among them are placeholders.
    pub input: String,
    /// What those placeholders stand for.
    pub veil: Veil,
    /// The agreement of a person to exactly this call, where one was given.
    pub approval: Option<Approval>,
    /// What the guest may know.
    pub context: CallContext,
    /// What the guest may reach through us.
    pub ports: Ports,
}

/// What a call consumed. Kept also when it failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// From the start of instantiation, host calls included, in microseconds.
    pub wall_us: u64,
    /// Guest code only, in microseconds.
    pub cpu_us: u64,
    /// The largest sum of all memories and tables, in bytes.
    pub memory_bytes: u64,
    /// Calls from the guest into the host.
    pub host_calls: u64,
    /// Fuel, where the operator set a budget of it; 0 otherwise.
    pub fuel: u64,
    /// Request bodies that left for other servers, in bytes.
    pub sent_bytes: u64,
    /// Response bodies that came back, in bytes.
    pub received_bytes: u64,
}

/// What came of a call.
#[derive(Debug)]
pub struct ToolReply {
    /// How it ended.
    pub end: End,
    /// The answer's parts; with a failure, those emitted before it.
    pub parts: Vec<Content>,
    /// Writes to the session-scoped store, to be committed with the result. Empty unless `end` is `Done`.
    pub writes: Vec<Write>,
    /// What it consumed.
    pub usage: Usage,
    /// What held when it ran.
    pub evidence: Evidence,
}

impl ToolReply {
    /// A reply without an answer, for calls that never reached a guest.
    pub fn without_answer(end: End) -> Self {
        Self { end, parts: Vec::new(), writes: Vec::new(), usage: Usage::default(), evidence: Evidence::default() }
    }
}
