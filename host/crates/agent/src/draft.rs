//! A batch in the making: what happens to a session at once, before it has
//! positions and times.

use session::{Event, Kind, Resolved, TurnNo, Waiting};
use storage::{Blob, Idempotency, IdempotencyKey, InboxChange, Rewrite, Running, StateWrite, WaitChange};

/// Entries of one batch in the making.
#[derive(Default)]
pub(crate) struct Draft {
    /// What stands in the same batch before the lines: said elsewhere, in earlier turns and steps.
    pub(crate) before: Vec<Passage>,
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

/// Lines of another turn or step than the batch they come in.
pub(crate) struct Passage {
    pub(crate) turn: TurnNo,
    pub(crate) step: u32,
    pub(crate) lines: Vec<Line>,
    /// Whether it is told to those who watch: what the client itself brought it knows.
    pub(crate) shown: bool,
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

impl Line {
    /// How many entries it becomes.
    pub(crate) fn entries(&self) -> u64 {
        match self {
            Self::Event(Event::ToolOutput { .. }) => 2,
            Self::Event(_) | Self::Waiting(_) | Self::Resolved(_) | Self::Mark(..) => 1,
        }
    }

    /// The lines that become entries: an output has its receipt right behind it.
    pub(crate) fn with_receipt(self) -> impl Iterator<Item = Self> {
        let receipt = match &self {
            Self::Event(Event::ToolOutput { receipt, .. }) => Some(Self::Mark(Kind::Receipt, json(receipt))),
            Self::Event(_) | Self::Waiting(_) | Self::Resolved(_) | Self::Mark(..) => None,
        };
        [Some(self), receipt].into_iter().flatten()
    }
}

/// A mark's body.
pub(crate) fn json(content: &impl serde::Serialize) -> String {
    serde_json::to_string(content).expect("a mark is made of JSON values")
}
