//! Making a conversation shorter: a summary in the place of what was said so far, in
//! the same batch with the head that says so.

use std::collections::BTreeSet;

use session::{Event, EventId, Hidden, Kind, Overflowed, Purpose, Seq, hidden};
use storage::When;

use crate::Clock;
use crate::fold::{Stored, end_of_step};
use crate::steps::{Worked, beside, show_usage};
use crate::summary::{Made, Wish};
use crate::task::{Draft, Stopped, Task};

/// Listed events that are looked at in one go.
const PAGE: usize = 512;

/// Makes a summary of the conversation up to an entry. The mailbox is served meanwhile.
pub(crate) async fn compact(task: &mut Task, up_to: Seq) -> Result<(), Stopped> {
    // What is summarised is read from the store: all of it has to be there.
    while task.desk.unsettled.settle().await? {}
    let (Some(prepared), Some(turn)) = (task.prepared.clone(), &task.state.turn) else { return Err(Stopped::Store) };
    let scope = match Scope::of(task, up_to) {
        Ok(scope) => scope,
        Err(error) => {
            tracing::error!(session.uid = %task.session.uid, %error, "what is to be summarised could not be read");
            return Err(Stopped::Store);
        }
    };
    let setting = turn.began.compaction.clone().unwrap_or_default();
    let message = match &turn.began.purpose {
        Purpose::Answer | Purpose::Call { .. } => None,
        Purpose::Compact { message, .. } => message.clone(),
    };
    let wish = Wish { agent: &prepared.agent, model: &*prepared.model, setting: &setting, message: message.as_deref() };
    let transcript = &task.state.transcript;
    let made = beside(&mut task.desk, &mut task.state.inbox, wish.make(transcript.summary(), transcript.up_to(scope.up_to))).await?;
    match made {
        Worked::Done(Ok(made)) => keep(task, scope, made).await,
        Worked::Done(Err(why)) => give_up(task, why).await,
        Worked::Interrupted(by) => {
            task.interrupt(by);
            Ok(())
        }
    }
}

/// What a summary stands for, and how lists look with it.
struct Scope {
    up_to: Seq,
    events: u64,
    turns: u64,
    hidden: Vec<Hidden>,
}

impl Scope {
    /// Whole steps up to at least `up_to`.
    fn of(task: &Task, up_to: Seq) -> Result<Self, storage::Error> {
        let (journal, session) = (&*task.engine.journal, task.session.uid);
        let up_to = end_of_step(journal, session, up_to)?;
        let head = journal.head(session)?.unwrap_or_default();
        let mut hidden = head.hidden;
        hidden::hide_up_to(&mut hidden, up_to, &Stored { journal, session })?;
        let (mut events, mut turns, mut from) = (0, BTreeSet::new(), head.fold_from);
        loop {
            let page = journal.listed(session, from, PAGE, false)?;
            for entry in page.entries.iter().filter(|entry| entry.seq <= up_to && entry.kind != Kind::Compaction) {
                events += 1;
                turns.insert(entry.turn);
            }
            match page.entries.last() {
                Some(last) if page.more && last.seq < up_to => from = last.seq.next(),
                _ => break,
            }
        }
        Ok(Self { up_to, events, turns: turns.len() as u64, hidden })
    }
}

/// The summary, and that it stands for what was before, in one batch.
async fn keep(task: &mut Task, scope: Scope, made: Made) -> Result<(), Stopped> {
    let Scope { up_to, events, turns, hidden } = scope;
    tracing::info!(session.uid = %task.session.uid, turns, events, bytes = made.text.len(), "conversation compacted");
    metrics::counter!("wardian_compactions_total").increment(1);
    let head = task.head();
    (head.hidden, head.fold_from) = (hidden, up_to.next());
    let mut draft = Draft::default();
    let up_to = Some(EventId { session: task.session.uid, seq: up_to });
    draft.event(Event::Compaction { turns, events, key: new_key(task.engine.clock), text: made.text, up_to });
    show_usage(task, made.usage);
    let when = if task.desk.hub.watched() { When::Now } else { When::WithNext };
    append(task, draft, when).await
}

/// A key that no other summary has.
pub(crate) fn new_key(clock: Clock) -> String {
    format!("sum_{}", data_encoding::HEXLOWER.encode(&clock.random::<10>()))
}

/// No summary: the turn goes on without, or ends where it cannot.
async fn give_up(task: &mut Task, why: String) -> Result<(), Stopped> {
    tracing::warn!(session.uid = %task.session.uid, why, "the conversation was not compacted");
    let mut draft = Draft::default();
    draft.mark(Kind::Overflowed, &Overflowed { hopeless: true, why, limit: None, actual: None });
    append(task, draft, When::WithNext).await
}

async fn append(task: &mut Task, draft: Draft, when: When) -> Result<(), Stopped> {
    let step = task.state.turn.as_ref().map_or(0, |turn| turn.steps);
    task.append(draft, step, when).await
}

/// That the conversation no longer fits the model's window, as clients are told.
pub(crate) fn limit_exceeded(task: &Task) -> Event {
    let overflow = task.state.turn.as_ref().and_then(|turn| turn.overflow.as_ref());
    let message = "The conversation no longer fits the model's context window; start a new session or shorten the input.";
    Event::ContextLimitExceeded {
        message: message.into(),
        limit: overflow.and_then(|overflow| overflow.limit),
        actual: overflow.and_then(|overflow| overflow.actual),
    }
}
