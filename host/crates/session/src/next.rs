//! What comes next: one pure function of the state.

use crate::ids::Seq;
use crate::mark::HowEnded;
use crate::state::{CallState, State, Turn};

/// Bounds of one turn.
#[derive(Debug, Clone, Copy)]
pub struct TurnLimits {
    /// Model calls. Against a model that never stops asking for tools.
    pub steps: u32,
    /// Tool calls of one step. Against a model that asks for everything at once.
    pub calls: usize,
    /// Steps in a row in which no call could run. Against a model that cannot get its arguments right.
    pub wrong_steps: u32,
    /// The same call, word for word, in a row. Against a model that is stuck.
    pub repeats: u32,
}

impl Default for TurnLimits {
    fn default() -> Self {
        Self { steps: 25, calls: 16, wrong_steps: 3, repeats: 3 }
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// No turn runs.
    Idle,
    /// Send the transcript to the model.
    AskModel,
    /// Run the calls at these positions, all at the same time.
    CallTools(Vec<Seq>),
    /// The turn is over.
    End(HowEnded),
}

/// Decides from the state alone. Never asks for a model call after the turn
/// was answered, nor while a call is open.
pub fn next(state: &State, limits: &TurnLimits) -> Next {
    let Some(turn) = &state.turn else {
        return Next::Idle;
    };
    if turn.interrupted {
        return Next::End(HowEnded::Interrupted);
    }
    let open: Vec<Seq> = turn.calls.iter().filter(|c| c.state == CallState::Open).map(|c| c.seq).collect();
    if !open.is_empty() {
        return Next::CallTools(open);
    }
    if turn.steps > 0 && turn.answered {
        return Next::End(HowEnded::Answered);
    }
    match limit(turn, limits) {
        Some(reached) => Next::End(HowEnded::Limit(reached)),
        None => Next::AskModel,
    }
}

fn limit(turn: &Turn, limits: &TurnLimits) -> Option<String> {
    if turn.steps >= limits.steps {
        return Some(format!("the turn reached its limit of {} model calls", limits.steps));
    }
    if turn.wrong_steps >= limits.wrong_steps {
        return Some(format!("every tool call of {} steps in a row failed", limits.wrong_steps));
    }
    if turn.repeats >= limits.repeats {
        return Some(format!("the model asked for the same call {} times in a row", limits.repeats));
    }
    None
}
