//! What the engine is built from, and its bounds.

use std::sync::Arc;
use std::time::Duration;

use session::TurnLimits;
use storage::{Directory, Journal};
use tool::Toolbox;

/// What the engine is built from.
pub struct Options {
    /// Where sessions last.
    pub journal: Arc<dyn Journal>,
    /// Where names last.
    pub directory: Arc<dyn Directory>,
    /// The tools.
    pub toolbox: Arc<dyn Toolbox>,
    /// The models.
    pub models: Arc<model::Models>,
    /// The bounds.
    pub limits: Limits,
}

/// The engine's bounds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of one turn.
    pub turn: TurnLimits,
    /// Live sessions at once. Against many idle conversations eating the memory; the idle ones are passivated first.
    pub sessions: usize,
    /// How long an idle session stays in memory: longer than a lost answer is kept for its client.
    pub idle: Duration,
    /// Bytes of entries that wait for one slow reader. One for whom more waits as further entries come is cut off and can
    /// read the journal. Text and arguments that are being written do not count: they merge into one piece while they
    /// wait, their reply has bounds of its own, and they count as the entries that they become.
    pub watcher_bytes: usize,
    /// How long a call waits for a person before it counts as rejected. Against turns that wait for ever.
    pub approvals: Duration,
    /// How long a call waits for the client that is to run it before it counts as expired. Against turns that wait for ever.
    pub client_tools: Duration,
    /// How often a turn is taken up again after a crash before it is given up.
    pub recoveries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            turn: TurnLimits::default(),
            sessions: 10_000,
            idle: Duration::from_secs(150),
            watcher_bytes: 256 << 10,
            approvals: Duration::from_secs(24 * 3_600),
            client_tools: Duration::from_secs(24 * 3_600),
            recoveries: 3,
        }
    }
}
