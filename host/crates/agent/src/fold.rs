//! A session's state from what the store holds, and looks into that for whoever changes it.

use session::hidden::Look;
use session::{Head, Kind, Seq, State, Uid};
use storage::Journal;

use crate::error::Error;

/// Entries that are read at once.
const PAGE: usize = 512;

/// The state of a session, folded from where its last summary left it. What waits in its inbox is not part of it.
pub(crate) fn folded(journal: &dyn Journal, session: Uid, head: &Head) -> Result<State, Error> {
    folded_up_to(journal, session, head, head.last)
}

/// The same as of an earlier entry.
pub(crate) fn folded_up_to(journal: &dyn Journal, session: Uid, head: &Head, last: Seq) -> Result<State, Error> {
    let mut state = State::hiding(head.hidden.clone());
    let mut from = head.fold_from.max(Seq(1));
    while from <= last {
        let page = journal.read(session, from, PAGE)?;
        for entry in page.entries.iter().take_while(|entry| entry.seq <= last) {
            state.apply(entry).map_err(|e| Error::Damaged(session, e.to_string()))?;
        }
        let Some(last) = page.entries.last() else { break };
        from = last.seq.next();
    }
    state.turn_no = state.turn_no.max(head.turn);
    Ok(state)
}

/// The last entry of the step that an entry belongs to: its reply and what its calls gave. What
/// stands before a turn's first step, and every input, stands for itself.
pub(crate) fn end_of_step(journal: &dyn Journal, session: Uid, seq: Seq) -> Result<Seq, storage::Error> {
    let (mut end, mut from) = (seq, seq);
    let mut step = None;
    loop {
        let page = journal.read(session, from, PAGE)?;
        for entry in &page.entries {
            let (turn, number) = *step.get_or_insert((entry.turn, entry.step));
            if (entry.turn, entry.step) != (turn, number) || number == 0 || entry.kind == Kind::InputMessage {
                return Ok(end);
            }
            end = entry.seq;
        }
        match page.entries.last() {
            Some(last) if page.more => from = last.seq.next(),
            _ => return Ok(end),
        }
    }
}

/// A session as it is stored now.
pub(crate) struct Stored<'a> {
    pub(crate) journal: &'a dyn Journal,
    pub(crate) session: Uid,
}

impl Look for Stored<'_> {
    type Error = storage::Error;

    fn visible_from(&self, from: Seq) -> Result<Option<Seq>, storage::Error> {
        Ok(self.journal.listed(self.session, from, 1, false)?.entries.first().map(|entry| entry.seq))
    }

    fn listed_in(&self, mut from: Seq, to: Seq) -> Result<u64, storage::Error> {
        let mut count = 0;
        loop {
            let page = self.journal.listed(self.session, from, PAGE, true)?;
            count += page.entries.iter().filter(|entry| entry.seq <= to).count() as u64;
            match page.entries.last() {
                Some(last) if page.more && last.seq < to => from = last.seq.next(),
                _ => return Ok(count),
            }
        }
    }
}
