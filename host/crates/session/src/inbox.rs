//! Inputs that wait for their turn: accepted and durable, not yet part of the conversation.

use serde::{Deserialize, Serialize};

use crate::event::Message;
use crate::principal::Principal;

/// When a queued input enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behavior {
    /// Into the turn that runs, before the model is asked again.
    Steer,
    /// As a turn of its own, after the one that runs.
    FollowUp,
}

/// A queued input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Queued {
    /// Its place: behind every input that waits when it comes.
    pub no: u64,
    /// When it enters.
    pub behavior: Behavior,
    /// What it says; at least one.
    pub messages: Vec<Message>,
    /// Who posted it.
    pub principal: Principal,
    /// SHA-256 of the input as posted, in hex.
    pub input_hash: String,
    /// The digest of its idempotency key, in hex, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<String>,
}
