//! The bounds of the front door, each with its reason.

use std::num::NonZeroU32;
use std::time::Duration;

/// What one request may be, and how often requests may come.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a body; 413 above. Against bodies that eat the memory before they are understood.
    pub body_bytes: usize,
    /// Bytes of all message texts of one input; 400 `invalid_message_content` above.
    pub message_bytes: usize,
    /// Requests of one key in a minute; 429 above. Also the largest burst.
    pub requests_per_minute: NonZeroU32,
    /// Wrong keys from one address in a minute; 429 above.
    pub failures_per_minute: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            message_bytes: 256 << 10,
            requests_per_minute: NonZeroU32::new(600).unwrap_or(NonZeroU32::MIN),
            failures_per_minute: NonZeroU32::new(20).unwrap_or(NonZeroU32::MIN),
        }
    }
}

/// Nesting of a JSON body. Deeper ones have no use here and cost stack wherever they are walked.
pub(crate) const DEPTH: usize = 64;

/// Messages of one input. Each becomes part of one event.
pub(crate) const MESSAGES: usize = 256;

/// Messages that a client may post where it may post all that was said: what the session has of them is not recorded again.
pub(crate) const POSTED: usize = 4_000;

/// Decisions or outputs of one input: as many calls as one step may have by any configuration.
pub(crate) const DECISIONS: usize = 1_000;

/// Bytes of what a client says came of one call that it ran: as much as a plugin's tool may answer by default. It becomes
/// part of the conversation.
pub(crate) const CLIENT_OUTPUT_BYTES: usize = 256 << 10;

/// Characters of the reason for a rejection; it becomes part of the conversation.
pub(crate) const REASON: usize = 1_000;

/// Characters that the model is told in addition when it summarises; they are in the prompt once.
pub(crate) const COMPACTION_MESSAGE: usize = 10_000;

/// Instructions of a step; together they are one prompt.
pub(crate) const INSTRUCTIONS: usize = 64;

/// Tools bound into one agent: all of them are shown to the model on each call.
pub(crate) const TOOLS: usize = 128;

/// Bytes of a metadata object, kept with each record and read with it.
pub(crate) const METADATA_BYTES: usize = 64 << 10;

/// Bytes of a `filter`, and of the automaton compiled from it.
pub(crate) const FILTER_BYTES: usize = 1_000;
/// See [`FILTER_BYTES`].
pub(crate) const FILTER_PROGRAM_BYTES: usize = 256 << 10;

/// Characters of a `metadata_filter`, as the API has it.
pub(crate) const METADATA_FILTER_CHARACTERS: usize = 8_000;

/// Parentheses, `NOT`s and signs around each other in a `metadata_filter`; each costs stack.
pub(crate) const METADATA_FILTER_DEPTH: usize = 32;

/// Names, values and operators of a `metadata_filter`: all may be looked at for each session.
pub(crate) const METADATA_FILTER_NODES: usize = 500;

/// What a `metadata_filter` may do for one request: 200 parts for each of [`SCAN`] sessions. Texts
/// and lists count by their length, so that large metadata cannot keep the server busy.
pub(crate) const METADATA_FILTER_WORK: u64 = 4_000_000;

/// Records that one filtered list looks at before it gives up: a filter that
/// matches next to nothing must not read a million rows for one request.
pub(crate) const SCAN: usize = 20_000;

/// Items on a page.
pub(crate) const PAGE: usize = 100;

/// Characters of an API key; longer ones are not even hashed.
pub(crate) const KEY_TEXT: usize = 512;

/// Verified keys kept in memory, about 300 bytes each.
pub(crate) const KEYS_CACHED: usize = 10_000;

/// Silence on a stream until a comment is sent, so that no reader or proxy takes it for dead.
pub(crate) const PING: Duration = Duration::from_secs(15);
