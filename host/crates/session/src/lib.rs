//! Sessions as data: agents, entries, events, the state that a session's
//! entries fold into, and the pure decision of what comes next. No I/O, no
//! clock, no randomness: time and ids come in as values.

pub mod agent;
pub mod call_ids;
pub mod client_tool;
pub mod compaction;
pub mod entry;
pub mod event;
pub mod fork;
pub mod hidden;
pub mod ids;
pub mod inbox;
pub mod json;
pub mod mark;
pub mod next;
pub mod principal;
pub mod session;
pub mod state;
pub mod transcript;
pub mod wait;

pub use agent::{
    Agent, Compaction, Identity, Instruction, ModelChoice, OutputSchema, Retry, ScopedRole, Secrets, Step, TemplateType, ToolBinding,
    ToolEventPolicy, ToolRef,
};
pub use call_ids::CallIds;
pub use client_tool::{ClientTool, DeclaredTool};
pub use entry::{Audience, Entry, Kind};
pub use event::{CallName, Event, Message, PendingCall, StoredCall, StoredEvent};
pub use fork::Fork;
pub use ids::{EventId, Millis, Seq, TurnNo, Uid};
pub use inbox::{Behavior, Queued};
pub use mark::{Began, Bound, Consumed, Corrected, Ended, HowEnded, Overflowed, Purpose, Receipt, ReplyMark, TokenUsage};
pub use next::{Next, TurnLimits, next};
pub use principal::Principal;
pub use session::{Head, Hidden, Session, Status};
pub use state::{Call, CallState, State, Turn};
pub use transcript::{AskedCall, Item, ItemBody, Origin, RawReply, Transcript};
pub use wait::{Asker, Awaited, Decider, Paused, Resolution, Resolved, Resumed, Wait, Waiting};
