//! A refusal, for the operator: what was asked, why it is not allowed, and the
//! lines that would allow it.

use serde::Serialize;

/// Which layer refused. Each one only takes away from what the others leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// The operation itself: it has a form that no line would allow.
    Request,
    /// The entry pins other bytes.
    Component,
    /// The entry is for other tenants.
    Tenant,
    /// The entry is for other agents.
    Agent,
    /// The entry hides the tool.
    Tool,
    /// No line grants it.
    Grant,
    /// `[network]` closes the address, whatever is granted.
    Floor,
}

impl Layer {
    /// The word in logs, answers and documents.
    pub fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Component => "component",
            Self::Tenant => "tenant",
            Self::Agent => "agent",
            Self::Tool => "tool",
            Self::Grant => "grant",
            Self::Floor => "floor",
        }
    }
}

/// Why an operation is not allowed. Names hosts, paths and rules, so it is for
/// logs and the operator; neither the guest nor the model reads it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {why}; {help}")]
pub struct Denied {
    /// Which layer refused.
    pub layer: Layer,
    /// What was asked, such as `host api.example.com`.
    pub what: String,
    /// Why not, such as `is not granted to plugin fetch`.
    pub why: String,
    /// What to do, in a sentence.
    pub help: String,
    /// The exact lines for the operator's file. Empty where no line would allow it.
    pub toml: String,
}

/// A name as a key of the file, quoted where it has to be.
pub(crate) fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if bare { name.to_owned() } else { text(name) }
}

/// A text as a value of the file.
pub(crate) fn text(value: &str) -> String {
    let mut quoted = String::from('"');
    for c in value.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
