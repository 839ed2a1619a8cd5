//! Tools that the client runs: the server shows them to the model and waits for the answer.

use serde::{Deserialize, Serialize};

use crate::ids::{Millis, Uid};

/// A client tool of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientTool {
    /// Its identity.
    pub uid: Uid,
    /// The tenant it belongs to.
    pub tenant: Uid,
    /// Counts changes, from 1.
    pub revision: u64,
    /// 1 to 50 of `[a-zA-Z0-9_-]`, unique in the tenant.
    pub name: String,
    /// For people.
    pub title: Option<String>,
    /// What the model reads, 1 to 5,000 characters.
    pub description: String,
    /// JSON Schema of the arguments, exact text, found valid.
    pub input: String,
    /// JSON Schema of the answers, exact text, where the client gave one.
    pub output: Option<String>,
    /// Whether agents may call it.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last changed.
    pub updated_at: Millis,
}

/// A tool that a client declares with an input and runs itself: it is there for the turn of that input alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredTool {
    /// 1 to 64 of `[a-zA-Z0-9_-]`, unlike the names under which the agent binds tools.
    pub name: String,
    /// What the model reads; may be empty.
    pub description: String,
    /// JSON Schema of the arguments, exact text.
    pub input: String,
}

impl ClientTool {
    /// The id under which API clients know it: `tol_` and 32 hexadecimal digits. A plugin's
    /// tool has a second underscore in its id, so the two never meet.
    pub fn wire(&self) -> String {
        Self::id_of(self.uid)
    }

    /// The id of the client tool with this identity.
    pub fn id_of(uid: Uid) -> String {
        format!("tol_{}", uid.hex())
    }

    /// The identity behind an id of this form.
    pub fn uid_of(id: &str) -> Option<Uid> {
        let bytes = data_encoding::HEXLOWER.decode(id.strip_prefix("tol_")?.as_bytes()).ok()?;
        Some(Uid(bytes.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_client_tool_leads_back_to_it_and_is_never_that_of_a_plugin() {
        let uid = Uid([0xa5; 16]);
        let id = format!("tol_{}", uid.hex());
        assert_eq!(ClientTool::uid_of(&id), Some(uid));
        assert!(tool::ToolId::from_wire(&id).is_none());
        assert_eq!(ClientTool::uid_of("tol_weather_forecast"), None);
    }
}
