//! An entry: a durable fact of a session.

use std::sync::Arc;

use crate::ids::{Millis, Seq, TurnNo};

/// A durable fact. One sequence per session, append only but for one thing: what is erased is written over in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its position.
    pub seq: Seq,
    /// When it was appended; never before the entry in front of it.
    pub at: Millis,
    /// The turn it belongs to.
    pub turn: TurnNo,
    /// The step within the turn, from 1; 0 before the first model call.
    pub step: u32,
    /// What it is.
    pub kind: Kind,
    /// JSON text. For an event the body that clients get, plain ASCII.
    pub body: Arc<str>,
}

impl Entry {
    /// Who may see it.
    pub fn audience(&self) -> Audience {
        self.kind.audience()
    }
}

/// Who may see an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Lists and answers.
    Listed,
    /// The answer of its turn alone.
    Answer,
    /// Nobody outside.
    Internal,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal $word:literal $audience:ident),+ $(,)?) => {
        /// What an entry is. The code stands in the store, the word in the API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])* $name),+ }

        impl Kind {
            /// The byte that stands for it in the store.
            pub fn code(self) -> u8 {
                match self { $(Self::$name => $code),+ }
            }

            /// The kind behind a byte, or none where a newer version wrote it.
            pub fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }

            /// Its name: for events the API's `type`.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }

            /// Who may see it.
            pub fn audience(self) -> Audience {
                match self { $(Self::$name => Audience::$audience),+ }
            }
        }
    };
}

kinds! {
    /// What the client said.
    InputMessage = 1 "input_message" Listed,
    /// The model's reasoning.
    Thinking = 2 "thinking" Listed,
    /// A tool is about to be called: the intent, durable before the call.
    ToolInput = 3 "tool_input" Listed,
    /// What came of it.
    ToolOutput = 4 "tool_output" Listed,
    /// What the agent answered.
    AgentOutput = 5 "agent_output" Listed,
    /// The conversation no longer fits the model's window.
    ContextLimitExceeded = 6 "context_limit_exceeded" Answer,
    /// The turn was stopped on request.
    SessionInterrupted = 7 "session_interrupted" Answer,
    /// What the agent answered, in the form that was asked for.
    StructuredOutput = 8 "structured_output" Listed,
    /// What was said so far became a summary.
    Compaction = 9 "compaction" Listed,
    /// Calls wait for the client to run them.
    ClientToolPending = 10 "client_tool_pending" Answer,
    /// An event that was erased; keeps the position.
    Tombstone = 32 "tombstone" Internal,
    /// A turn began.
    Began = 64 "began" Internal,
    /// A model's reply as the provider sent it.
    Reply = 65 "reply" Internal,
    /// What a tool call consumed and how it ended.
    Receipt = 66 "receipt" Internal,
    /// A turn ended.
    Ended = 67 "ended" Internal,
    /// Calls of a step wait for somebody.
    Waiting = 68 "waiting" Internal,
    /// A turn has nothing left to do but wait.
    Paused = 69 "paused" Internal,
    /// A turn goes on.
    Resumed = 70 "resumed" Internal,
    /// A wait is over.
    Resolved = 71 "resolved" Internal,
    /// A reply was not of the form that was asked for; the model is asked once more.
    Corrected = 72 "corrected" Internal,
    /// The model's window was too small for the conversation, or summarising it failed.
    Overflowed = 73 "overflowed" Internal,
    /// An input entered the turn that was running.
    Steered = 74 "steered" Internal,
}
