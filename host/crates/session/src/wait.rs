//! Waits: calls that somebody outside has to settle before the turn can go on,
//! and the marks that say what became of them. A wait is asked in the batch of
//! the step that it belongs to, and settled once.

use serde::{Deserialize, Serialize};
use tool::{Approval, Approver};

use crate::ids::{Millis, Seq, Uid};
use crate::principal::Principal;

/// One call that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The position of its `tool_input`.
    pub call: Seq,
    /// SHA-256 of the arguments, exact text, in hex: whoever answers speaks of these and no others.
    pub input_hash: String,
    /// What the agent sets over them, by key, secrets masked: JSON, exact text. Whoever agrees sees it, and to this alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<String>,
    /// What it waits for.
    #[serde(rename = "for")]
    pub awaited: Awaited,
    /// Since when.
    pub asked_at: Millis,
    /// From this moment on nobody can answer any more.
    pub expires: Millis,
}

/// What a call can wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Awaited {
    /// A person's agreement that it may run.
    Approval {
        /// Whose.
        approver: Approver,
        /// Digest of the component that is to run.
        component: String,
        /// Digest of the descriptor by which the model asked for it.
        tools: String,
    },
    /// The client's answer: it runs the tool.
    Client,
}

impl Wait {
    /// The agreement to this very call, given by somebody of this standing; none where no agreement is asked for.
    pub fn approved(&self, by: Approver) -> Option<Approval> {
        match &self.awaited {
            Awaited::Approval { component, tools, .. } => Some(Approval { by, component: component.clone(), tools: tools.clone() }),
            Awaited::Client => None,
        }
    }

    /// Whose agreement it needs, if any.
    pub fn approver(&self) -> Option<Approver> {
        match &self.awaited {
            Awaited::Approval { approver, .. } => Some(*approver),
            Awaited::Client => None,
        }
    }
}

/// Mark: these calls of the step wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// In the order of the calls.
    pub waits: Vec<Wait>,
}

/// Mark: nothing is left to do but wait, and whoever watched was let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// For these calls.
    pub calls: Vec<Seq>,
}

/// Mark: the turn goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// Whose input let it go on; none where time did.
    pub asker: Option<Asker>,
}

/// Whose input it is that a turn, or its part since a pause, answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// The uid of the key that posted it.
    pub key: Uid,
    /// The end user, where one is named.
    pub subject: Option<String>,
    /// SHA-256 of the input as posted, in hex: by it a repeat is recognised.
    pub input_hash: String,
}

/// Mark: a wait is over. The one place that says who decided what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// Which call waited.
    pub call: Seq,
    /// What became of it.
    pub resolution: Resolution,
    /// By whom.
    pub by: Decider,
}

/// What became of a wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "as")]
pub enum Resolution {
    /// Somebody agreed.
    Approved {
        /// The standing in which they did.
        standing: Approver,
        /// The arguments that they put in the place of the model's, exact text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
        /// SHA-256 of the arguments that may run, in hex.
        input_hash: String,
    },
    /// Somebody did not agree.
    Rejected {
        /// In their words, or in ours where they gave none.
        reason: String,
    },
    /// The client ran it and brought what came of it.
    Answered,
    /// Nobody answered in time.
    Expired,
    /// The turn ended before anybody answered: it was stopped, or the user said something else.
    Cancelled,
}

impl Resolution {
    /// The stable word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Approved { input: None, .. } => "approved",
            Self::Approved { input: Some(_), .. } => "edited",
            Self::Rejected { .. } => "rejected",
            Self::Answered => "answered",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Who ended a wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "who")]
pub enum Decider {
    /// Whoever holds an API key.
    Key {
        /// The key's uid.
        key: Uid,
        /// The end user, where one is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
    },
    /// Somebody on the machine, through the server's own socket.
    Socket,
    /// The server: time went by, or the turn could not go on.
    Server,
}

impl From<&Principal> for Decider {
    fn from(principal: &Principal) -> Self {
        match principal.key {
            Principal::SOCKET => Self::Socket,
            key => Self::Key { key, subject: principal.subject.clone() },
        }
    }
}
