//! When a conversation has to become shorter, and up to where: pure decisions.
//! Making the summary is the engine's work.

use crate::agent::Compaction;
use crate::ids::Seq;
use crate::state::{State, Turn};
use crate::transcript::ItemBody;

/// Where the summary would end that a running turn needs now, if it needs one and there is
/// something to make it from.
pub(crate) fn due(state: &State, turn: &Turn) -> Option<Seq> {
    let setting = turn.began.compaction.as_ref().filter(|setting| setting.enabled)?;
    if turn.overflow.is_some() || is_over(state, setting) { before_recent(state, setting.keep_recent_inputs) } else { None }
}

/// Where a summary that a client asked for ends: at the entry it names, or before the inputs that stay.
pub(crate) fn asked(state: &State, up_to: Option<Seq>) -> Option<Seq> {
    let setting = state.turn.as_ref().and_then(|turn| turn.began.compaction.clone()).unwrap_or_default();
    match up_to {
        Some(up_to) => state.transcript.placed().any(|(at, _)| Seq(0) < at && at <= up_to).then_some(up_to),
        None => before_recent(state, setting.keep_recent_inputs),
    }
}

/// Whether the last model call used more of its window than the setting allows.
fn is_over(state: &State, setting: &Compaction) -> bool {
    let used = state.usage.filter(|usage| usage.window > 0);
    used.is_some_and(|usage| (usage.input + usage.output) * 100 >= usage.window * u64::from(setting.threshold_percent))
}

/// The entry before the oldest of so many recent inputs, where anything stands before that.
fn before_recent(state: &State, keep: u32) -> Option<Seq> {
    let inputs = state.transcript.placed().filter(|(at, item)| Seq(0) < *at && matches!(item.body, ItemBody::User { .. }));
    let (oldest, _) = inputs.rev().nth(usize::try_from(keep.max(1)).unwrap_or(usize::MAX) - 1)?;
    let before = Seq(oldest.0 - 1);
    state.transcript.placed().any(|(at, _)| Seq(0) < at && at <= before).then_some(before)
}
