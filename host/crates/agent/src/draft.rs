//! A batch in the making: what happens to a session at once, before it has
//! positions and times.

use session::{Event, Kind, Resolved, Waiting};
use storage::{Blob, Idempotency, IdempotencyKey, InboxChange, Rewrite, Running, StateWrite, WaitChange};

/// Entries of one batch in the making.
#[derive(Default)]
pub(crate) struct Draft {
    /// Events and marks, in order.
    pub(crate) lines: Vec<Line>,
    /// Whether a turn runs afterwards, where that changes.
    pub(crate) running: Option<Option<Running>>,
    /// Stored entries that get another content.
    pub(crate) rewrites: Vec<Rewrite>,
    /// Inputs that begin or end to wait.
    pub(crate) inbox: Vec<InboxChange>,
    pub(crate) waits: Vec<WaitChange>,
    pub(crate) idempotency: Vec<(IdempotencyKey, Idempotency)>,
    pub(crate) writes: Vec<StateWrite>,
    pub(crate) blobs: Vec<Blob>,
}

/// One entry in the making.
pub(crate) enum Line {
    /// A `tool_output` brings its receipt along, as a mark right behind it.
    Event(Event),
    /// Calls begin to wait.
    Waiting(Waiting),
    /// A wait is over.
    Resolved(Resolved),
    /// Any other mark, as JSON.
    Mark(Kind, String),
}

impl Draft {
    pub(crate) fn event(&mut self, event: Event) {
        self.lines.push(Line::Event(event));
    }

    /// A mark whose content is plain data.
    pub(crate) fn mark(&mut self, kind: Kind, content: &impl serde::Serialize) {
        self.lines.push(Line::Mark(kind, json(content)));
    }
}

/// A mark's body.
pub(crate) fn json(content: &impl serde::Serialize) -> String {
    serde_json::to_string(content).expect("a mark is made of JSON values")
}
