//! The closed table of how a call can end. The same word stands in the event,
//! the log, the metric and the command line.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a tool itself reported a failure. Closed by the plugin contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The model should correct its arguments.
    InvalidInput,
    /// The thing named does not exist.
    NotFound,
    /// A credential is missing or stale.
    Unauthorized,
    /// Understood and refused.
    Refused,
    /// Passing trouble.
    Unavailable,
    /// Anything else.
    Failed,
}

/// A failure that the tool reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolError {
    /// What the caller should do.
    pub reason: Reason,
    /// For the model, bounded and scrubbed.
    pub message: String,
    /// The author's own code.
    pub code: Option<String>,
    /// Milliseconds.
    pub retry_after_ms: Option<u64>,
}

/// What the machine saw when guest code trapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrapKind {
    /// Such as `unreachable` or `memory out of bounds`.
    pub kind: String,
    /// The guest function, demangled, where it is known.
    pub function: Option<String>,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With an answer.
    Done,
    /// The tool said no.
    Tool(ToolError),
    /// The operator's policy does not allow the call; the text names the line that would.
    Denied(String),
    /// A person has to agree first, and nobody has; the text says who is asked.
    AwaitingApproval(String),
    /// A person was asked and did not agree; the text is theirs, or says that nobody answered in time.
    Rejected(String),
    /// The client was to run it, and nobody brought an output in time.
    Expired,
    /// The caller lost interest.
    Cancelled,
    /// Over the wall-clock limit, in milliseconds.
    Time(u64),
    /// Over the processor limit, in milliseconds.
    Cpu(u64),
    /// Over the budget of fuel.
    Fuel(u64),
    /// Over the memory limit, in bytes.
    Memory(u64),
    /// Over the output limit, in bytes.
    Output(u64),
    /// Over a limit on what the guest may ask of the host; the text names it.
    HostCalls(String),
    /// Guest code trapped.
    Trap(TrapKind),
    /// The guest ended itself with this status.
    Exit(i32),
    /// The plugin is not in service, or busy.
    Unavailable(String),
    /// The component does not fit the contract.
    Incompatible(String),
    /// There is no such tool for this agent.
    UnknownTool,
    /// The arguments do not satisfy the schema; the text says where and why.
    InvalidInput(String),
    /// The answer is not what the tool's own schema, or JSON, allows.
    InvalidOutput(String),
    /// The call had begun when the server went down; nobody knows whether it took effect.
    OutcomeUnknown,
    /// Our own failure; the text is for the operator.
    HostFault(String),
}

/// Makes the table and the function from one list, so that they cannot differ,
/// and so that an end without a line does not compile.
macro_rules! words {
    ($($end:pat => $word:literal, $meaning:literal;)*) => {
        /// Every word by which a call can end, with what it means.
        pub const WORDS: &[(&str, &str)] = &[$(($word, $meaning)),*];

        impl End {
            /// The stable word, one of [`WORDS`].
            pub fn word(&self) -> &'static str {
                match self {
                    $($end => $word,)*
                }
            }
        }
    };
}

words! {
    End::Done => "done", "the tool answered";
    End::Tool(ToolError { reason: Reason::InvalidInput, .. }) => "invalid_input", "the tool says that its arguments are wrong; the model should correct them";
    End::Tool(ToolError { reason: Reason::NotFound, .. }) => "not_found", "the tool says that the thing named does not exist";
    End::Tool(ToolError { reason: Reason::Unauthorized, .. }) => "unauthorized", "the tool says that a credential is missing or stale";
    End::Tool(ToolError { reason: Reason::Refused, .. }) => "refused", "the tool understood and will not do it";
    End::Tool(ToolError { reason: Reason::Unavailable, .. }) => "unavailable", "the tool met passing trouble; the same call may work later";
    End::Tool(ToolError { reason: Reason::Failed, .. }) => "failed", "the tool failed in another way";
    End::Denied(_) => "denied", "the operator's policy does not allow the call; the log names the lines that would";
    End::AwaitingApproval(_) => "awaiting_approval", "a person has to agree first, and nobody has yet";
    End::Rejected(_) => "rejected", "a person was asked and did not agree, or nobody answered in time";
    End::Expired => "expired", "the client was to run the call, and brought no output in time";
    End::Cancelled => "cancelled", "the caller lost interest while the call ran";
    End::Time(_) => "limit_time", "the call took longer than `time`, waiting in the host included";
    End::Cpu(_) => "limit_cpu", "guest code computed for longer than `cpu`";
    End::Fuel(_) => "limit_fuel", "guest code used up its `fuel`: the same call ends at the same place each time";
    End::Memory(_) => "limit_memory", "memories and tables together would have grown beyond `memory`";
    End::Output(_) => "limit_output", "the answer was larger than `output`";
    End::HostCalls(_) => "limit_host_calls", "more was asked of the host than `host-calls` or `handles` allow, or too much in one call; the log says which";
    End::Trap(_) => "trap", "guest code crashed; the log names the kind and the function";
    End::Exit(_) => "exit", "the guest ended itself";
    End::Unavailable(_) => "plugin_unavailable", "the plugin is not in service, runs as often as it may already, or is called too often";
    End::Incompatible(_) => "incompatible", "the component does not fit this server's contract";
    End::UnknownTool => "unknown_tool", "there is no such tool for this agent";
    End::InvalidInput(_) => "invalid_arguments", "the arguments do not satisfy the tool's schema; no guest code ran";
    End::InvalidOutput(_) => "invalid_output", "the answer is not valid JSON or does not satisfy the tool's own schema";
    End::OutcomeUnknown => "outcome_unknown", "the server went down while the call ran; nobody knows whether it took effect";
    End::HostFault(_) => "host_fault", "the server itself failed; the log says how";
}

impl End {
    /// What the model and the client read: short, useful, nothing about the host.
    pub fn message(&self) -> String {
        match self {
            Self::Done => String::new(),
            Self::Tool(error) => error.message.clone(),
            Self::Denied(_) => "the operator has not allowed this; do not retry, say what is missing".into(),
            Self::AwaitingApproval(who) => format!("the call waits for a person's approval: {who}"),
            Self::Rejected(why) => format!("a person did not allow this call ({why}); do not repeat it, ask what they would like instead"),
            Self::Expired => "the client was asked to run this call and did not answer in time; nobody knows whether it did".into(),
            Self::Cancelled => "the call was cancelled".into(),
            Self::Time(ms) => format!("the tool took longer than the {ms} ms it may take; try a smaller request"),
            Self::Cpu(ms) => format!("the tool computed for more than the {ms} ms it may use; try a smaller request"),
            Self::Fuel(units) => format!("the tool computed for more than the {units} units of fuel it may use; try a smaller request"),
            Self::Memory(bytes) => format!("the tool needed more than the {bytes} bytes of memory it may use; try a smaller request"),
            Self::Output(bytes) => format!("the tool's answer was larger than the {bytes} bytes it may return; ask for less"),
            Self::HostCalls(what) => format!("the tool asked too much of its host: {what}"),
            Self::Trap(_) | Self::Exit(_) => "the tool crashed on this input; the same call will crash again".into(),
            Self::Unavailable(why) => format!("the tool is not available now: {why}"),
            Self::Incompatible(_) => "the tool is not compatible with this server".into(),
            Self::UnknownTool => "there is no such tool; use only the tools that were listed".into(),
            Self::InvalidInput(why) => format!("the arguments do not fit the tool's schema: {why}"),
            Self::InvalidOutput(_) => "the tool answered with something that is not valid by its own schema".into(),
            Self::OutcomeUnknown => {
                "the server restarted while this call was running; it may or may not have taken effect, check before you repeat it".into()
            }
            Self::HostFault(_) => "the server could not run the tool".into(),
        }
    }

    /// Whether the call gave an answer.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// The object that stands for a failure in the API: `{"error": {"reason", "message", "code", "retry_after_ms"}}`.
    pub fn error_output(&self) -> String {
        let (code, retry) = match self {
            Self::Tool(error) => (error.code.as_deref(), error.retry_after_ms),
            _ => (None, None),
        };
        let mut error = serde_json::json!({ "reason": self.word(), "message": self.message() });
        if let Some(code) = code {
            error["code"] = code.into();
        }
        if let Some(ms) = retry {
            error["retry_after_ms"] = ms.into();
        }
        serde_json::json!({ "error": error }).to_string()
    }
}

/// The operator's line: the word and the whole cause.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(why) | Self::HostFault(why) | Self::Incompatible(why) | Self::InvalidOutput(why) => {
                write!(f, "{}: {why}", self.word())
            }
            Self::Trap(trap) => match &trap.function {
                Some(function) => write!(f, "trap: {} in {function}", trap.kind),
                None => write!(f, "trap: {}", trap.kind),
            },
            Self::Exit(status) => write!(f, "exit: the guest ended itself with status {status}"),
            Self::Done => f.write_str("done"),
            other => write!(f, "{}: {}", other.word(), other.message()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_there_once_and_is_plain() {
        let mut words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
        assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')), "{words:?}");
        assert!(WORDS.iter().all(|(_, meaning)| !meaning.is_empty() && !meaning.ends_with('.')));
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), WORDS.len());
    }
}
