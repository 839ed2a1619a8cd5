//! The durable key-value store: `[plugin.NAME.store]`.

use serde::{Deserialize, Serialize};

use crate::denied::Denied;
use crate::file::StoreFile;
use crate::grant::Grant;
use crate::units::Bytes;

/// Keys and values together, where the entry says nothing.
const QUOTA: Bytes = Bytes(1 << 20);

/// To whom a store belongs, always inside one tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreScope {
    /// One conversation.
    #[default]
    Session,
    /// All conversations with one agent.
    Agent,
    /// All agents of the tenant.
    Plugin,
}

/// Leave to use the durable store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorePermit {
    /// Whose store.
    pub scope: StoreScope,
    /// Keys and values together.
    pub quota_bytes: u64,
    /// The line that allowed it.
    pub rule: String,
}

/// `[plugin.NAME.store]`, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Store {
    /// Whose store.
    pub scope: StoreScope,
    /// Keys and values together.
    pub quota_bytes: u64,
}

impl From<&StoreFile> for Store {
    fn from(file: &StoreFile) -> Self {
        Self { scope: file.scope, quota_bytes: file.quota.unwrap_or(QUOTA).0 }
    }
}

pub(crate) fn decide(grant: &Grant) -> Result<StorePermit, Denied> {
    let entry = grant.entry("store");
    match grant.store {
        Some(Store { scope, quota_bytes }) => Ok(StorePermit { scope, quota_bytes, rule: entry }),
        None => {
            let toml = format!("{entry}\nscope = \"session\"\nquota = \"{QUOTA}\"\n");
            Err(grant.not_granted("the store", format!("add {entry}"), toml))
        }
    }
}
