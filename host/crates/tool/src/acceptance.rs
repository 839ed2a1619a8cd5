//! What the operator accepts when a plugin was changed: the three digests that
//! say what it is, and the differences that are shown before.

use serde::{Deserialize, Serialize};

use crate::spec::PluginState;

/// What a plugin is, each as `sha256:<hex>`. Two plugins that agree in all three
/// are the same to those who use them and to those who grant them something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginDigests {
    /// Of the component's bytes.
    pub component: String,
    /// Of what `describe` said.
    pub tools_digest: String,
    /// Of what the manifest asks for.
    pub requests_digest: String,
}

/// The version of a plugin that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedPlugin {
    /// What it is.
    pub digests: PluginDigests,
    /// What its manifest calls it.
    pub version: String,
    /// When it was accepted, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who accepted it; `first load` where that was the first load with a grant.
    pub by: String,
}

/// The version of a plugin that lies in the plugin directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPlugin {
    /// What it is.
    pub digests: PluginDigests,
    /// What its manifest calls it.
    pub version: String,
}

/// One difference between what was accepted and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What differs, such as `tool forecast: description`.
    pub what: String,
    /// The accepted text; none where it is new.
    pub before: Option<String>,
    /// The found text; none where it is gone.
    pub after: Option<String>,
}

/// What an operator decides upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginChanges {
    /// The plugin's name.
    pub name: String,
    /// Where it stands.
    pub state: PluginState,
    /// What was accepted last, if anything was.
    pub accepted: Option<AcceptedPlugin>,
    /// What lies there, if it can be used at all.
    pub found: Option<FoundPlugin>,
    /// The differences. Everything that was found is one where nothing was accepted.
    pub changes: Vec<Change>,
}

/// Why a version was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// There is no such plugin.
    #[error("there is no plugin {0}")]
    Unknown(String),
    /// Nothing that could be accepted was found.
    #[error("no version of plugin {0} can be used, so there is none to accept; repair its file first")]
    Unusable(String),
    /// What was shown is not what lies there now.
    #[error("plugin {0} was changed again after these differences were shown; look at them again")]
    Moved(String),
    /// The operator's file says which version it has to be.
    #[error("{0}")]
    Pinned(String),
    /// It could not be written down.
    #[error("it cannot be kept which version of plugin {0} was accepted: {1}")]
    NotKept(String, String),
}
