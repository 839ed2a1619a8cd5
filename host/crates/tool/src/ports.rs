//! The ports: what a running call may reach, as traits that the engine
//! implements, and the one trait through which the engine reaches tools.

use std::sync::Arc;

use async_trait::async_trait;

use crate::approval::Verdict;
use crate::call::{ToolCall, ToolReply};
use crate::end::End;
use crate::evidence::Evidence;
use crate::spec::{Caller, PluginStatus, ToolId, ToolSpec};
use crate::tape::Tape;

/// To whom a plugin's store belongs. Always inside one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreScope {
    /// One conversation.
    Session,
    /// All conversations with one agent.
    Agent,
    /// All agents of the tenant.
    Plugin,
}

/// One change to a plugin's store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Which plugin's store.
    pub plugin: String,
    /// In which scope.
    pub scope: StoreScope,
    /// The key, 1 to 256 bytes.
    pub key: String,
    /// The new value, or none to remove it.
    pub value: Option<Vec<u8>>,
}

/// Why the store did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the plugin store did not answer: {0}")]
pub struct StoreError(pub String);

/// A plugin's durable key-value store as it stood when the call began. Reading
/// only: the sandbox overlays the call's own writes, and hands them over with
/// the reply, where they are committed together with the result.
#[async_trait]
pub trait KeyValue: Send + Sync {
    /// One value. Called any number of times in a call.
    async fn get(&self, plugin: &str, scope: StoreScope, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// All keys with their value sizes in bytes, sorted. Called at most a few
    /// times in a call: for listings, and once for the quota. Bounded by the quota.
    async fn sizes(&self, plugin: &str, scope: StoreScope) -> Result<Vec<(String, u64)>, StoreError>;
}

/// Where a call's live signs go. Called from the guest's runtime thread; must
/// not block, and drops what nobody watches.
#[async_trait]
pub trait CallSink: Send + Sync {
    /// How far the tool is, a share between 0 and 1 where known.
    fn progress(&self, share: Option<f32>, note: &str);

    /// True once the caller has lost interest.
    fn cancelled(&self) -> bool;

    /// Resolves once the caller has lost interest. Waited for once, beside the
    /// running guest, which is ended then.
    async fn gone(&self);

    /// Whether signs are wanted; asked once, before the call begins. Servers want none: they have
    /// the log and the receipt; an author's terminal shows them as they come.
    fn listens(&self) -> bool {
        false
    }

    /// Tells what happens inside of the call, where [`CallSink::listens`] says so.
    fn sign(&self, _sign: Sign<'_>) {}
}

/// What happens inside of a call while it runs.
#[derive(Debug, Clone, Copy)]
pub enum Sign<'a> {
    /// The guest wrote a line: by `log`, or to a standard stream.
    Line {
        /// How much it matters, such as `info`.
        level: &'a str,
        /// The line, control characters escaped.
        text: &'a str,
    },
    /// Something was asked of the policy and decided.
    Decided {
        /// The noun, such as `http`.
        capability: &'a str,
        /// What was asked, without values.
        what: &'a str,
        /// The line that allowed it, or the layer that refused.
        rule: &'a str,
        /// Whether it was allowed.
        allowed: bool,
    },
    /// A refusal in the operator's words.
    Denied {
        /// What was refused, why, and what would help.
        why: &'a str,
        /// The lines that would allow it; empty where none would.
        toml: &'a str,
    },
    /// A request was answered, or failed.
    Request {
        /// Such as `GET`.
        method: &'a str,
        /// The whole address.
        url: &'a str,
        /// The status, or the code of the failure.
        outcome: Result<u16, &'a str>,
        /// Until the head of the answer, in microseconds.
        took_us: u64,
    },
}

/// What one call may reach through the engine.
#[derive(Clone)]
pub struct Ports {
    /// The durable store.
    pub store: Arc<dyn KeyValue>,
    /// Live signs.
    pub sink: Arc<dyn CallSink>,
    /// What the call is recorded on or played from; a server has none.
    pub tape: Option<Arc<dyn Tape>>,
}

/// The tools of this server. The engine's only view of the sandbox.
#[async_trait]
pub trait Toolbox: Send + Sync {
    /// The tools that this caller may see now, by the current grants. Called
    /// once a turn and for listings; cheap.
    fn tools(&self, caller: &Caller) -> Vec<Arc<ToolSpec>>;

    /// The tools that this caller would see if their plugins were in service, as
    /// they were last accepted. Called for listings only; cheap. None where
    /// whatever is installed is in service.
    fn resting(&self, _caller: &Caller) -> Vec<Arc<ToolSpec>> {
        Vec::new()
    }

    /// One tool for this caller, whether or not it is in service just now.
    fn find(&self, caller: &Caller, tool: &ToolId) -> Option<Arc<ToolSpec>>;

    /// Checks arguments against the tool's schema and decides by the current
    /// grants, before anything is journaled. `Ok` is not a promise: `call` decides again,
    /// and ends with [`End::AwaitingApproval`] where the call lacks the agreement that is needed by then.
    async fn check(&self, caller: &Caller, tool: &ToolId, input: &str) -> Result<Verdict, End>;

    /// What holds for a call of this tool at this moment: the policy, its bounds and what it says
    /// to the call. Called right after `check`, for the receipt of a call that goes no further; cheap.
    fn evidence(&self, caller: &Caller, tool: &ToolId) -> Evidence;

    /// Runs a call to its end. Never panics and always answers within the
    /// plugin's time limit; dropping the future ends the guest.
    async fn call(&self, call: ToolCall) -> ToolReply;

    /// Resolves once every plugin that was found at the start is in service or
    /// refused. Called when a session wakes; at once in all but a server's first seconds.
    async fn settled(&self);

    /// Every plugin in the directory, in service or not.
    fn plugins(&self) -> Vec<PluginStatus>;
}
