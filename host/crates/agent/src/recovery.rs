//! Turns that were running when the server went down: taken up again, a few times.

use std::sync::Arc;
use std::time::Duration;

use session::{CallState, Decider, HowEnded, Session, Uid};
use storage::{Running, When};
use tool::{Caller, End};

use crate::error::Error;
use crate::prepared::{For, Prepared};
use crate::task::{Draft, Stopped, Task};
use crate::{Engine, turn};

/// Unfinished turns that are looked up at once.
const PAGE: usize = 256;

/// How long a turn that the store refused is left alone before it is taken up again.
const RETRY: Duration = Duration::from_secs(5);

impl Engine {
    /// Takes up the turn of a session whose task stopped because of the store, after a while.
    pub(crate) fn resume_later(self: &Arc<Self>, session: Arc<Session>) {
        let engine = self.clone();
        // Not tracked: a server that stops does not wait for it, and takes the turn up at its next start.
        tokio::spawn(async move {
            tokio::time::sleep(RETRY).await;
            if let Err(error) = engine.resume(&session) {
                tracing::warn!(session.uid = %session.uid, %error, "an unfinished turn stays for the next start");
            }
        });
    }

    /// Takes up every turn that had not ended. Answers how many there were.
    pub fn recover(self: &Arc<Self>) -> Result<usize, Error> {
        let (mut after, mut found) = (None, 0);
        loop {
            let page = self.journal.running(after, PAGE)?;
            for (_, session, _) in &page {
                found += 1;
                if let Err(error) = self.recover_one(*session) {
                    tracing::error!(session.uid = %session, %error, "an unfinished turn could not be taken up");
                }
            }
            match page.last() {
                Some((_, session, _)) if page.len() == PAGE => after = Some(*session),
                _ => return Ok(found),
            }
        }
    }

    fn recover_one(self: &Arc<Self>, uid: Uid) -> Result<(), Error> {
        match self.directory.get(uid)? {
            Some(record) => self.resume(&Arc::new(crate::sessions::decode(&record)?)),
            // Deleted since; its rows are reaped with it.
            None => Ok(()),
        }
    }
}

/// Goes on with the turn that the state holds, or ends it where that is hopeless.
pub(crate) async fn take_up(task: &mut Task) -> Result<(), Stopped> {
    tracing::info!(session.uid = %task.session.uid, attempt = task.attempt, "taking up an unfinished turn");
    task.remember();
    if task.attempt > task.engine.limits.recoveries + 1 {
        return give_up(task, HowEnded::RecoveryLimit).await;
    }
    let prepared = match prepare(task) {
        Ok(prepared) => prepared,
        Err(error) => return give_up(task, HowEnded::Failed(error.to_string())).await,
    };
    let draft = unknown_calls(task, &prepared);
    task.prepared = Some(Arc::new(prepared));
    let step = task.state.turn.as_ref().map_or(0, |turn| turn.steps);
    task.append(draft, step, When::Now).await?;
    turn::run(task).await
}

/// Ends a turn that cannot go on. What its open calls did nobody knows.
pub(crate) async fn give_up(task: &mut Task, how: HowEnded) -> Result<(), Stopped> {
    let mut draft = Draft::default();
    turn::close_calls(task, &mut draft, &End::OutcomeUnknown, &Decider::Server);
    let step = task.state.turn.as_ref().map_or(0, |turn| turn.steps);
    turn::end_with(task, draft, step, how).await
}

/// What the turn is made with, as things are now.
pub(crate) fn prepare(task: &Task) -> Result<Prepared, Error> {
    let agent = task.engine.agent_of(task.session.agent)?;
    let agent = agent.ok_or_else(|| Error::Damaged(task.session.agent, "the agent of a running turn is gone".into()))?;
    let tenant_name = task.engine.tenant_name(task.session.tenant)?;
    let turn = task.state.turn.as_ref().map(|turn| For { purpose: &turn.began.purpose, declared: &turn.began.declared });
    Prepared::new(&task.engine, &agent, &tenant_name, turn.unwrap_or(For::ANSWER))
}

/// A call that had begun and left no result may have taken effect: it is run
/// again only where its tool is effectively idempotent, and unknown otherwise.
fn unknown_calls(task: &Task, prepared: &Prepared) -> Draft {
    let mut draft = Draft::default();
    let calls = task.state.turn.iter().flat_map(|turn| turn.calls.iter().map(move |call| (turn, call)));
    for (turn, call) in calls.filter(|(_, call)| call.state == CallState::Open) {
        let bound = turn.began.tools.get(&*call.name.configuration);
        let caller: &Caller = &prepared.caller;
        let again = bound.and_then(|bound| task.engine.toolbox.find(caller, &bound.tool)).is_some_and(|spec| {
            let same = bound.is_some_and(|bound| bound.component == *spec.component);
            same && (spec.traits.idempotent || spec.traits.read_only)
        });
        if !again {
            draft.event(turn::closed(task, call, &End::OutcomeUnknown));
        }
    }
    draft.running = Some(Some(Running { turn: task.state.turn_no, attempt: task.attempt }));
    draft
}
