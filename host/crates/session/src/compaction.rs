//! When a conversation has to become shorter, and up to where: pure decisions.
//! Making the summary is the engine's work.

use crate::agent::Compaction;
use crate::ids::Seq;
use crate::state::{State, Turn};
use crate::transcript::Place;

/// The size of words in tokens, estimated: no tokenizer fits every model, four bytes a token is close for most.
pub fn text_tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

/// The size of JSON in tokens, estimated: it is denser than words.
pub fn json_tokens(json: &str) -> u64 {
    (json.len() as u64).div_ceil(3)
}

/// Where the summary would end that a running turn needs now, if it needs one and there is
/// something to make it from.
pub(crate) fn due(state: &State, turn: &Turn) -> Option<Seq> {
    let setting = turn.began.compaction.as_ref().filter(|setting| setting.enabled)?;
    let needed = turn.summary_failed.is_none() && (turn.overflow.is_some() || is_over(state, turn, setting));
    if needed { before_recent(state, setting.keep_recent_inputs) } else { None }
}

/// Where a summary that a client asked for ends: at the entry it names, or before the inputs
/// that stay. None where that would be a summary of nothing.
pub fn asked(state: &State, setting: &Compaction, up_to: Option<Seq>) -> Option<Seq> {
    match up_to {
        Some(up_to) => something(state, up_to.min(before_turn(state))),
        None => before_recent(state, setting.keep_recent_inputs),
    }
}

/// Whether the next question would use more of the model's window than the setting allows.
fn is_over(state: &State, turn: &Turn, setting: &Compaction) -> bool {
    let window = state.usage.map(|usage| usage.window).filter(|window| *window > 0).unwrap_or(turn.began.window);
    window > 0 && state.tokens().saturating_mul(100) >= window.saturating_mul(u64::from(setting.threshold_percent))
}

/// The entry before the oldest of so many recent inputs, where anything stands before that.
fn before_recent(state: &State, keep: u32) -> Option<Seq> {
    let inputs = state.transcript.placed().filter(|(place, _)| matches!(place, Place::Input(_)));
    let (_, oldest) = inputs.rev().nth(usize::try_from(keep.max(1)).unwrap_or(usize::MAX) - 1)?;
    something(state, Seq(oldest.0 - 1).min(before_turn(state)))
}

/// The last entry before the turn that is not over: that one always stays whole, or a woken
/// session could not go on with it.
fn before_turn(state: &State) -> Seq {
    let start = state.turn.as_ref().and_then(|turn| state.starts.get(&turn.no));
    start.map_or(state.last, |start| Seq(start.0 - 1))
}

/// This position, if the model is shown anything of what happened up to there.
fn something(state: &State, up_to: Seq) -> Option<Seq> {
    state.transcript.placed().any(|(_, at)| at <= up_to).then_some(up_to)
}
