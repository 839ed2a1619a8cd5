//! The vocabulary of tools: what a tool is, what a call is, how a call can end,
//! and the ports through which a running call reaches the world. It knows
//! nothing of WebAssembly, HTTP or storage; those lean on it.

pub mod acceptance;
pub mod approval;
pub mod call;
pub mod content;
pub mod end;
pub mod evidence;
pub mod ports;
pub mod spec;
pub mod tape;
pub mod veil;

pub use acceptance::{AcceptedPlugin, Change, FoundPlugin, NotAccepted, PluginChanges, PluginDigests};
pub use approval::{Approval, Approver, Verdict};
pub use call::{CallContext, ToolCall, ToolReply, Usage};
pub use content::Content;
pub use end::{End, Reason, ToolError, TrapKind, WORDS};
pub use evidence::{Bounds, Decision, Evidence};
pub use ports::{CallSink, KeyValue, Ports, Sign, StoreError, StoreScope, Toolbox, Write};
pub use spec::{Caller, PluginState, PluginStatus, ToolId, ToolSpec, Traits};
pub use veil::Veil;
