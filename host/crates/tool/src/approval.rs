//! When a call needs a person: what the check finds, and the agreement that a
//! call carries once somebody gave it.

use serde::{Deserialize, Serialize};

/// Whose agreement counts. An operator's also counts where a client's is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approver {
    /// Whoever holds the conversation.
    Client,
    /// Somebody who runs the server.
    Operator,
}

impl Approver {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Operator => "operator",
        }
    }
}

/// What a check found about a call that is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may run.
    Run,
    /// It may run once this person has agreed to it.
    Ask(Approver),
}

/// A person's agreement to one call, bound to what they saw: it is void for
/// another build of the plugin or another description of its tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Who agreed.
    pub by: Approver,
    /// Digest of the component that was to run, `sha256:<hex>`.
    pub component: String,
    /// Digest of the descriptor by which it was asked for, `sha256:<hex>`.
    pub tools: String,
}
