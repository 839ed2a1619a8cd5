//! The durable key-value store: `[plugin.NAME.store]`.

use serde::{Deserialize, Serialize};

use crate::denied::Denied;
use crate::file::StoreFile;
use crate::grant::Granted;
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

impl StoreScope {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Agent => "agent",
            Self::Plugin => "plugin",
        }
    }
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

/// The first store that was granted says whose it is; a further one of the same scope may be larger.
pub(crate) fn decide(granted: &Granted<'_>) -> Result<StorePermit, Denied> {
    let entry = granted.entry.entry("store");
    let stores = granted.all().filter_map(|grant| Some((grant.store?, grant)));
    let larger = |one: &Store, other: &Store| other.scope == one.scope && other.quota_bytes > one.quota_bytes;
    match stores.reduce(|one, other| if larger(&one.0, &other.0) { other } else { one }) {
        Some((Store { scope, quota_bytes }, grant)) => Ok(StorePermit { scope, quota_bytes, rule: grant.rule(entry) }),
        None => {
            let toml = format!("{entry}\nscope = \"session\"\nquota = \"{QUOTA}\"\n");
            Err(granted.entry.not_granted("the store", format!("add {entry}"), toml))
        }
    }
}
