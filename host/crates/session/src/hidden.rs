//! Which positions lists leave out: runs, in order, each with its count of
//! listed entries, so that a reader jumps over a run and a total needs no
//! counting. What stands between two runs is asked of the caller.

use crate::ids::Seq;
use crate::session::Hidden;

/// Runs of hidden positions that a session may have. Each costs a list a look-up and every batch
/// 24 bytes; somebody who hides every second event of a long session reaches it.
pub const RUNS_MAX: usize = 256;

/// What the runs are changed by: looks into the session, as it is before the change.
pub trait Look {
    /// Why it could not look.
    type Error;

    /// The first listed entry from here on that is not hidden.
    fn visible_from(&self, from: Seq) -> Result<Option<Seq>, Self::Error>;

    /// How many listed entries there are from `from` to `to`, both included, hidden ones too.
    fn listed_in(&self, from: Seq, to: Seq) -> Result<u64, Self::Error>;
}

/// Whether a position is hidden.
pub fn covers(runs: &[Hidden], seq: Seq) -> bool {
    runs.get(first_to(runs, seq)).is_some_and(|run| run.from <= seq)
}

/// How many listed entries are hidden.
pub fn listed(runs: &[Hidden]) -> u64 {
    runs.iter().map(|run| run.listed).sum()
}

/// Hides a listed entry that is visible. Runs with nothing visible between them become one.
pub fn hide<L: Look>(runs: &mut Vec<Hidden>, seq: Seq, look: &L) -> Result<(), L::Error> {
    let at = first_to(runs, seq);
    let joins_before = match at.checked_sub(1) {
        Some(before) => look.visible_from(runs[before].to.next())? == Some(seq),
        None => false,
    };
    let joins_after = match runs.get(at) {
        Some(after) => look.visible_from(seq.next())?.is_none_or(|next| next > after.to),
        None => false,
    };
    let mut run = Hidden { from: seq, to: seq, listed: 1 };
    let from = if joins_before { at - 1 } else { at };
    let to = if joins_after { at + 1 } else { at };
    for other in &runs[from..to] {
        run = Hidden { from: run.from.min(other.from), to: run.to.max(other.to), listed: run.listed + other.listed };
    }
    runs.splice(from..to, [run]);
    Ok(())
}

/// Shows a listed entry that is hidden; its run falls into two.
pub fn unhide<L: Look>(runs: &mut Vec<Hidden>, seq: Seq, look: &L) -> Result<(), L::Error> {
    let at = first_to(runs, seq);
    let Some(run) = runs.get(at).copied().filter(|run| run.from <= seq) else { return Ok(()) };
    let before = Seq(seq.0 - 1);
    let listed = if run.from <= before { look.listed_in(run.from, before)? } else { 0 };
    let halves = [
        Hidden { from: run.from, to: before, listed },
        Hidden { from: seq.next(), to: run.to, listed: run.listed.saturating_sub(listed + 1) },
    ];
    runs.splice(at..=at, halves.into_iter().filter(|half| half.listed > 0));
    Ok(())
}

/// A listed entry is listed no more, hidden or not.
pub fn erased(runs: &mut Vec<Hidden>, seq: Seq) {
    let at = first_to(runs, seq);
    let Some(run) = runs.get_mut(at).filter(|run| run.from <= seq) else { return };
    run.listed = run.listed.saturating_sub(1);
    if run.listed == 0 {
        runs.remove(at);
    }
}

/// Hides everything up to and with `up_to`.
pub fn hide_up_to<L: Look>(runs: &mut Vec<Hidden>, up_to: Seq, look: &L) -> Result<(), L::Error> {
    let mut whole = Hidden { from: Seq(1), to: up_to, listed: 0 };
    // What the first run covers from the beginning was counted when it was hidden.
    let counted = runs.first().copied().filter(|run| run.from == Seq(1) && run.to <= up_to);
    let from = counted.map_or(Seq(1), |run| run.to.next());
    whole.listed = counted.map_or(0, |run| run.listed);
    if from <= up_to {
        whole.listed += look.listed_in(from, up_to)?;
    }
    let mut gone = runs.partition_point(|run| run.to <= up_to);
    if let Some(run) = runs.get(gone).copied().filter(|run| run.from <= up_to) {
        whole.listed += look.listed_in(up_to.next(), run.to)?;
        whole.to = run.to;
        gone += 1;
    } else if let Some(run) = runs.get(gone).copied()
        && look.visible_from(up_to.next())?.is_none_or(|next| next > run.to)
    {
        (whole.to, whole.listed) = (run.to, whole.listed + run.listed);
        gone += 1;
    }
    runs.splice(..gone, [whole].into_iter().filter(|run| run.listed > 0));
    Ok(())
}

/// The first run that ends at or after a position.
fn first_to(runs: &[Hidden], seq: Seq) -> usize {
    runs.partition_point(|run| run.to < seq)
}
