//! What a tool is: its identity, its description and what its author promises.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A tool's identity: the plugin it belongs to and its name there. Two plugins
/// may have a tool of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ToolId {
    /// The plugin's name, `[a-z][a-z0-9-]{0,31}`; of a tool that the client runs, [`ToolId::client`] knows what.
    pub plugin: String,
    /// The tool's name in that plugin, `[a-z][a-z0-9_]{0,47}`.
    pub name: String,
}

impl ToolId {
    /// What stands in a plugin's place where the client runs the tool: no plugin can have this name.
    const CLIENT: &str = "@client";

    /// The identity of a tool that the client runs. It meets no plugin, and no toolbox knows it.
    pub fn client(name: impl Into<String>) -> Self {
        Self { plugin: Self::CLIENT.to_owned(), name: name.into() }
    }

    /// Whether the client runs it.
    pub fn is_client(&self) -> bool {
        self.plugin == Self::CLIENT
    }

    /// The id under which API clients know the tool: `tol_<plugin>_<name>`.
    /// Unambiguous, because a plugin's name holds no underscore.
    pub fn wire(&self) -> String {
        format!("tol_{}_{}", self.plugin, self.name)
    }

    /// Whether a plugin can have this name: `[a-z][a-z0-9-]{0,31}`.
    pub fn is_plugin_name(name: &str) -> bool {
        name.len() <= 32
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }

    /// Whether a tool can have this name: `[a-z][a-z0-9_]{0,47}`.
    pub fn is_tool_name(name: &str) -> bool {
        name.len() <= 48
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    }

    /// The identity behind a `tol_…` id, or none where it has another form.
    pub fn from_wire(id: &str) -> Option<Self> {
        let (plugin, name) = id.strip_prefix("tol_")?.split_once('_')?;
        if plugin.is_empty() || name.is_empty() || plugin == Self::CLIENT {
            return None;
        }
        Some(Self { plugin: plugin.to_owned(), name: name.to_owned() })
    }
}

impl fmt::Display for ToolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.plugin, self.name)
    }
}

/// Behaviour flags, each a relaxation: silence means a tool that destroys and
/// reaches the open world.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traits {
    /// Changes nothing outside the call.
    pub read_only: bool,
    /// Twice with the same call id is the same as once.
    pub idempotent: bool,
    /// Only adds, never overwrites or removes.
    pub additive: bool,
    /// Touches only what the operator granted.
    pub closed_world: bool,
}

impl Traits {
    /// The flags that both sides carry.
    pub fn and(self, other: Self) -> Self {
        Self {
            read_only: self.read_only && other.read_only,
            idempotent: self.idempotent && other.idempotent,
            additive: self.additive && other.additive,
            closed_world: self.closed_world && other.closed_world,
        }
    }
}

/// A tool as the model, the client and the operator see it.
#[derive(Debug, Clone)]
pub struct ToolSpec {
    /// Who it is.
    pub id: ToolId,
    /// Written for the model.
    pub description: String,
    /// JSON Schema of the arguments, the exact text, already found valid.
    pub input: Arc<str>,
    /// JSON Schema of the answer's data, where the author gave one.
    pub output: Option<Arc<str>>,
    /// Effective traits: the author's claim as far as the grants bear it out.
    pub traits: Traits,
    /// A human title, from the annotations.
    pub title: Option<String>,
    /// Digest of the component, `sha256:<hex>`; of a tool that the client runs, its own id.
    pub component: Arc<str>,
    /// Digest of what `describe` said, `sha256:<hex>`.
    pub tools: Arc<str>,
    /// The plugin's version from its manifest, or `0.0.0`.
    pub version: String,
}

/// For whom tools are listed and called: grants are given to tenants and agents.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The tenant's name.
    pub tenant: Arc<str>,
    /// The agent's key.
    pub agent: Arc<str>,
}

/// Where a plugin stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "reason")]
pub enum PluginState {
    /// Found, being compiled and described.
    Preparing,
    /// In service.
    Ready,
    /// In service on an earlier version; the newest file was refused.
    Stale(String),
    /// Not in service.
    Refused(String),
    /// Not in service: its bytes or its descriptor changed since the operator accepted them; the text says what changed.
    Changed(String),
}

/// A plugin as the operator sees it.
#[derive(Debug, Clone, Serialize)]
pub struct PluginStatus {
    /// The plugin's name: the stem of its file.
    pub name: String,
    /// The component's file.
    pub file: String,
    /// When the file of which `state` speaks was last modified, in milliseconds since 1970; none while nothing is known of it.
    pub file_modified_ms: Option<i64>,
    /// Its version, where the manifest gives one.
    pub version: Option<String>,
    /// Digest of the component, `sha256:<hex>`.
    pub component: Option<String>,
    /// Digest of its descriptor, `sha256:<hex>`.
    pub tools_digest: Option<String>,
    /// What kind of component it is taken for: `native`, `functions` or `command`.
    pub shape: String,
    /// Where it stands.
    #[serde(flatten)]
    pub state: PluginState,
    /// The names of its tools.
    pub tools: Vec<String>,
    /// What it exports that is no tool, each with the reason, and how much more of it there is.
    pub skipped: Vec<String>,
    /// What the operator granted, one phrase a grant.
    pub grants: Vec<String>,
    /// What its manifest asks for, one phrase a request.
    pub requests: Vec<String>,
    /// The same requests as words of `wardian grant`, without what only the operator can know.
    pub asks: Vec<Vec<String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wire_id_reads_back_as_the_tool_it_was_made_from() {
        let id = ToolId { plugin: "my-notes".into(), name: "note_write".into() };
        assert_eq!(id.wire(), "tol_my-notes_note_write");
        assert_eq!(ToolId::from_wire(&id.wire()), Some(id));
        assert_eq!(ToolId::from_wire("tol_x"), None);
        assert_eq!(ToolId::from_wire("notes_x"), None);
    }

    #[test]
    fn a_tool_that_the_client_runs_is_never_one_of_a_plugin() {
        let id = ToolId::client("find_me");
        assert!(id.is_client() && !ToolId::is_plugin_name(&id.plugin));
        assert!(!ToolId { plugin: "client".into(), name: "find_me".into() }.is_client());
    }

    #[test]
    fn no_two_tools_share_a_wire_id_because_no_plugin_name_holds_an_underscore() {
        let texts = ["a", "b", "a-b", "a_b", "b_a", "a-", "a_", "a_a_b", "a-b-a", "ab", "a1", "_a", "-a", "A", ""];
        let mut ids = std::collections::BTreeMap::new();
        for plugin in texts.iter().filter(|name| ToolId::is_plugin_name(name)) {
            for name in texts.iter().filter(|name| ToolId::is_tool_name(name)) {
                let id = ToolId { plugin: (*plugin).to_owned(), name: (*name).to_owned() };
                assert_eq!(ToolId::from_wire(&id.wire()), Some(id.clone()));
                assert_eq!(ids.insert(id.wire(), id), None);
            }
        }
        assert!(ids.len() >= 35, "{}", ids.len());
    }
}
