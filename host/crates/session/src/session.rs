//! A session: what clients set about it, and the head that the journal keeps.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::agent::{Compaction, Secrets};
use crate::ids::{Millis, Seq, TurnNo, Uid};
use crate::mark::TokenUsage;

/// One conversation with one agent, as clients describe it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its identity.
    pub uid: Uid,
    /// The tenant it belongs to.
    pub tenant: Uid,
    /// The agent it talks to.
    pub agent: Uid,
    /// What clients call it: 1 to 50 of `[0-9a-zA-Z_-]`, unique with its agent.
    pub key: String,
    /// Counts changes, from 1.
    pub revision: u64,
    /// For people, never empty.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// The client's own.
    pub metadata: Map<String, Value>,
    /// Whether it takes new input.
    pub enabled: bool,
    /// Minutes without events after which it is deleted; 0 means never.
    pub tti_minutes: u64,
    /// How it is compacted: the agent's setting when it was opened, or the default.
    #[serde(default)]
    pub compaction: Compaction,
    /// Values that templates never show and models never see.
    #[serde(default, skip_serializing_if = "Secrets::is_empty")]
    pub secrets: Secrets,
    /// The uid of the key that opened it.
    pub owner_key: Uid,
    /// The end user that it was opened for.
    pub owner_subject: Option<String>,
    /// When it was made.
    pub created_at: Millis,
    /// What its client calls it where that is another name than the key: 1 to 256 characters of any kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// Whether lists leave it out: it stands for one request, and nobody comes back to it by name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlisted: bool,
}

/// What the journal keeps about a session beside its entries; written with every batch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The last position in use; 0 before the first entry.
    pub last: Seq,
    /// The first entry that the state folds from: 1, or what the last compaction left.
    pub fold_from: Seq,
    /// Entries with audience `listed`, tombstones not counted.
    pub listed: u64,
    /// Runs of positions that lists leave out, in order, not touching.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<Hidden>,
    /// The last turn's number; 0 before the first.
    pub turn: TurnNo,
    /// Whether a turn is running.
    pub status: Status,
    /// The time of the last entry: `created_at` never falls within a session.
    pub last_at: Millis,
    /// What the last model call consumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<TokenUsage>,
}

/// A run of hidden positions, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hidden {
    /// The first.
    pub from: Seq,
    /// The last.
    pub to: Seq,
    /// How many listed entries it covers.
    pub listed: u64,
}

/// A session's life as clients see it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// No turn yet.
    #[default]
    Unstarted,
    /// A turn runs.
    Running,
    /// Idle.
    Stopped,
}
