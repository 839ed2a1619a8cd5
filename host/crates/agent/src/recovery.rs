//! Turns that were running when the server went down: taken up again, a few times.

use std::sync::Arc;

use session::{CallState, Event, HowEnded, Uid};
use storage::{Running, When};
use tool::{Caller, End};

use crate::error::Error;
use crate::prepared::Prepared;
use crate::task::{Draft, Stopped, Task};
use crate::{Engine, turn};

/// Unfinished turns that are looked up at once.
const PAGE: usize = 256;

impl Engine {
    /// Takes up every turn that had not ended. Answers how many there were.
    pub fn recover(self: &Arc<Self>) -> Result<usize, Error> {
        let (mut after, mut found) = (None, 0);
        loop {
            let page = self.journal.running(after, PAGE)?;
            for (_, session, running) in &page {
                found += 1;
                if let Err(error) = self.recover_one(*session, *running) {
                    tracing::error!(session.uid = %session, %error, "an unfinished turn could not be taken up");
                }
            }
            match page.last() {
                Some((_, session, _)) if page.len() == PAGE => after = Some(*session),
                _ => return Ok(found),
            }
        }
    }

    fn recover_one(self: &Arc<Self>, uid: Uid, running: Running) -> Result<(), Error> {
        match self.directory.get(uid)? {
            Some(record) => self.resume(&Arc::new(crate::sessions::decode(&record)?), running.attempt + 1),
            // Deleted since; its rows are reaped with it.
            None => Ok(()),
        }
    }
}

/// Goes on with the turn that the state holds, or ends it where that is hopeless.
pub(crate) async fn take_up(task: &mut Task) -> Result<(), Stopped> {
    tracing::info!(session.uid = %task.session.uid, attempt = task.attempt, "taking up an unfinished turn");
    if task.attempt > task.engine.limits.recoveries {
        let mut draft = Draft::default();
        turn::close_calls(task, &mut draft, &End::OutcomeUnknown);
        return turn::end_with(task, draft, 0, HowEnded::RecoveryLimit).await;
    }
    let prepared = match prepare(task) {
        Ok(prepared) => prepared,
        Err(error) => return turn::end(task, turn::failed(&error)).await,
    };
    let draft = unknown_calls(task, &prepared);
    task.prepared = Some(Arc::new(prepared));
    let step = task.state.turn.as_ref().map_or(0, |turn| turn.steps);
    task.append(draft, step, When::Now).await?;
    turn::run(task).await
}

fn prepare(task: &Task) -> Result<Prepared, Error> {
    let agent = task.engine.agent_of(task.session.agent)?;
    let agent = agent.ok_or_else(|| Error::Damaged(task.session.agent, "the agent of a running turn is gone".into()))?;
    let tenant_name = task.engine.tenant_name(task.session.tenant)?;
    Prepared::new(&task.engine, &agent, &tenant_name)
}

/// A call that had begun and left no result may have taken effect: it is run
/// again only where its tool is effectively idempotent, and unknown otherwise.
fn unknown_calls(task: &Task, prepared: &Prepared) -> Draft {
    let mut draft = Draft::default();
    let turn = task.state.turn.iter().flat_map(|turn| turn.calls.iter().map(move |call| (turn, call)));
    for (turn, call) in turn.filter(|(_, call)| call.state == CallState::Open) {
        let bound = turn.began.tools.get(&*call.name.configuration);
        let caller: &Caller = &prepared.caller;
        let again = bound.and_then(|bound| task.engine.toolbox.find(caller, &bound.tool)).is_some_and(|spec| {
            let same = bound.is_some_and(|bound| bound.component == *spec.component);
            same && (spec.traits.idempotent || spec.traits.read_only)
        });
        if !again {
            draft.event(Event::ToolOutput { call: call.name.clone(), output: End::OutcomeUnknown.error_output(), error: true });
        }
    }
    draft.running = Some(Some(Running { turn: task.state.turn_no, attempt: task.attempt }));
    draft
}
