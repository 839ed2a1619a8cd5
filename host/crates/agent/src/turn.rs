//! The turn: begin, then one decision after the other until it has ended.

use session::{
    Began, Behavior, Call, CallState, Decider, DeclaredTool, Ended, Event, HowEnded, Kind, Message, Millis, Next, Purpose, Resolution,
    Session, TurnNo, next,
};
use storage::{Idempotency, IdempotencyKey, Running, When};
use tool::{End, Evidence};

use crate::brought::Brought;
use crate::error::Error;
use crate::hub::Of;
use crate::live::{Input, Post};
use crate::past::Story;
use crate::prepared::{For, Prepared};
use crate::references::Sources;
use crate::repeats::{Retried, Taken};
use crate::task::{Draft, Stopped, Task, refuse};
use crate::watcher::{Closing, Shown};
use crate::{call, compaction, inbox, past, steps, waits};

/// Runs the turn to its end, or to where it has to wait.
pub(crate) async fn run(task: &mut Task) -> Result<(), Stopped> {
    loop {
        match next(&task.state, &task.engine.limits.turn) {
            Next::Idle => return Ok(()),
            Next::AskModel => steps::ask(task).await?,
            Next::CallTools(open) => steps::call_tools(task, open).await?,
            Next::Steer(no) => inbox::steer(task, no)?,
            Next::Compact(up_to) => {
                task.desk.hub.compacting(task.engine.clock.now());
                compaction::compact(task, up_to).await?;
            }
            Next::Wait(calls) => return waits::pause(task, calls).await,
            Next::End(how) => end(task, how).await?,
        }
    }
}

/// A turn that is about to begin.
pub(crate) struct Start {
    /// The input that begins it.
    pub(crate) taken: Taken,
    /// What it is for.
    pub(crate) purpose: Purpose,
    /// What the model is told first, as `ready` rendered it.
    pub(crate) system: String,
    /// Tools that the client declared with the input.
    pub(crate) declared: Vec<DeclaredTool>,
    /// What the client has the model told from now on.
    pub(crate) instructions: Option<String>,
}

/// What the model is told first in a turn that would begin now in this session, if all is there that the agent
/// sets and refers to.
pub(crate) fn ready(task: &Task, session: &Session, prepared: &Prepared, added: Option<&str>) -> Result<String, Error> {
    let now = task.now();
    prepared.check_early(&Sources { agent: &prepared.agent, session, now, state: &task.state })?;
    prepared.system(session, now, added)
}

/// Takes an input while no turn runs; one that pauses is over with it.
pub(crate) async fn take(task: &mut Task, post: Post, taken: Taken) -> Result<(), Stopped> {
    let reading = post.input.reading();
    if task.state.turn.is_some() && post.input.purpose != Purpose::Answer {
        refuse(post.answer, task.desk.busy());
        return Ok(());
    }
    if let Purpose::Compact { up_to, .. } = &post.input.purpose
        && session::compaction::asked(&task.state, &task.session.compaction, *up_to).is_none()
    {
        refuse(post.answer, Error::NothingToCompact);
        return Ok(());
    }
    let (story, Input { messages, purpose, brought, unless_left, .. }) = (post.story, post.input);
    let Brought { tools: declared, instructions, outputs, .. } = brought;
    let instructions = instructions.or_else(|| task.state.instructions.clone()).filter(|text| !text.is_empty());
    let turn = For { purpose: &purpose, declared: &declared };
    let means = Prepared::new(&task.engine, &post.agent, &post.principal.tenant_name, turn)
        .and_then(|prepared| Ok((ready(task, &post.session, &prepared, instructions.as_deref())?, prepared)));
    let (system, prepared) = match means {
        Ok(means) => means,
        Err(error) => {
            refuse(post.answer, error);
            return Ok(());
        }
    };
    let outputs = match waits::outputs(task, outputs).await {
        Ok(outputs) => outputs,
        Err(error) => {
            refuse(post.answer, error);
            return Ok(());
        }
    };
    task.session = post.session.clone();
    if task.state.turn.is_some() {
        waits::supersede(task, outputs, Decider::from(&post.principal)).await?;
    }
    let draft = said(task, &taken, messages, story);
    // The reader is there before the first entry, so that it misses nothing.
    let watcher = task.desk.watch(reading, Of { asked: Some(taken.asked.clone()), queued: None });
    begin(task, draft, prepared, Start { taken, purpose, system, declared, instructions })?;
    let watcher = watcher.of_turn(task.desk.turn);
    task.hand_over(post.answer, watcher, unless_left.then(|| Decider::from(&post.principal)));
    Ok(())
}

/// What an input says, with what it brings of the past; nothing of it where it was recorded with the turn that failed on it.
fn said(task: &mut Task, taken: &Taken, messages: Vec<Message>, story: Story) -> Draft {
    let retried = task.desk.retried(&taken.asked).unwrap_or_else(|error| {
        tracing::warn!(session.uid = %task.session.uid, %error, "the input of the turn before could not be read; it is recorded again");
        None
    });
    let mut draft = Draft::default();
    if let Some(Retried { message }) = retried {
        task.desk.hub.preface(Shown { entries: message.into_iter().collect(), ..Shown::default() });
        return draft;
    }
    draft.before = past::passages(task, &taken.asked, story);
    if !messages.is_empty() {
        draft.event(Event::InputMessage { messages });
    }
    draft
}

/// Begins a turn: its input, which the draft holds, and the mark that it began, in one batch.
/// Nobody waits for it unless somebody watches; the turn's own end does.
pub(crate) fn begin(task: &mut Task, mut draft: Draft, prepared: Prepared, start: Start) -> Result<(), Stopped> {
    let Start { taken, purpose, system, declared, instructions } = start;
    let turn = task.next_turn();
    let began = Began {
        agent_revision: prepared.agent.revision,
        model: prepared.agent.model.name.clone(),
        tools: prepared.bound(),
        key: taken.asked.key,
        subject: taken.asked.subject.clone(),
        input_hash: taken.asked.asker().input_hash,
        system_hash: call::hex_digest(system.as_bytes()),
        purpose,
        compaction: Some(task.session.compaction.clone()),
        window: prepared.model.context_window(),
        declared,
        instructions,
    };
    draft.mark(Kind::Began, &began);
    task.attempt = 1;
    draft.running = Some(Some(Running { turn, attempt: 1 }));
    draft.idempotency.extend(idempotency(task, &taken, turn));
    task.prepared = Some(prepared.into());
    task.desk.take_on(turn, vec![taken]);
    let when = if task.desk.hub.watched() { When::Now } else { When::WithNext };
    task.submit(draft, 0, when)
}

/// The row by which an input with an idempotency key is known as this turn's.
pub(crate) fn idempotency(task: &Task, taken: &Taken, turn: TurnNo) -> Option<(IdempotencyKey, Idempotency)> {
    let key = IdempotencyKey { tenant: task.session.tenant, digest: taken.repeat? };
    Some((key, Idempotency { body: taken.asked.hash, session: task.session.uid, turn, at: task.now() }))
}

/// A reply asked for no tool: that is the turn's end, unless an input is to enter first.
pub(crate) async fn answered(task: &mut Task, draft: Draft, step: u32) -> Result<(), Stopped> {
    if task.state.inbox.iter().any(|queued| queued.behavior == Behavior::Steer) {
        let when = if task.desk.hub.watched() { When::Now } else { When::WithNext };
        return task.submit(draft, step, when);
    }
    end_with(task, draft, step, HowEnded::Answered).await
}

/// The last batch of a turn: what is still open is closed, and the mark.
pub(crate) async fn end(task: &mut Task, how: HowEnded) -> Result<(), Stopped> {
    let mut draft = Draft::default();
    let by = task.state.turn.as_ref().and_then(|turn| turn.interrupted.clone()).unwrap_or(Decider::Server);
    close_calls(task, &mut draft, &End::Cancelled, &by);
    match &how {
        HowEnded::Interrupted => draft.event(Event::SessionInterrupted),
        // Silence would leave the client without an answer; the text says which limit was reached.
        HowEnded::ContextLimit => draft.event(compaction::limit_exceeded(task)),
        HowEnded::Limit(why) => draft.event(Event::AgentOutput { content: format!("I stopped before I was done: {why}.") }),
        HowEnded::Answered | HowEnded::Compacted | HowEnded::Failed(_) | HowEnded::RecoveryLimit | HowEnded::Superseded => {}
    }
    let step = task.state.turn.as_ref().map_or(0, |turn| turn.steps);
    end_with(task, draft, step, how).await
}

/// Ends the turn with these last entries before the mark.
pub(crate) async fn end_with(task: &mut Task, mut draft: Draft, step: u32, how: HowEnded) -> Result<(), Stopped> {
    let began_at = task.state.turn.as_ref().map_or(Millis(0), |turn| turn.began_at);
    draft.mark(Kind::Ended, &Ended { how: how.clone(), began_at });
    inbox::left_over(task, &mut draft);
    draft.running = Some(inbox::running(task));
    task.append(draft, step, When::Now).await?;
    // Whoever has the answer finds the turn in the log and in the metrics.
    let ms = task.engine.clock.now().0 - began_at.0;
    tracing::info!(session.uid = %task.session.uid, turn = task.state.turn_no.0, how = how.word(), duration_ms = ms, "turn ended");
    metrics::counter!("wardian_turns_total", "how" => how.word()).increment(1);
    metrics::histogram!("wardian_turn_seconds").record(ms as f64 / 1e3);
    task.put_down(Closing::Ended(how));
    Ok(())
}

/// Gives every open call of the turn this end. Those that wait are cancelled: nothing was done of them.
pub(crate) fn close_calls(task: &Task, draft: &mut Draft, as_end: &End, by: &Decider) {
    let Some(turn) = &task.state.turn else { return };
    turn.calls.iter().for_each(|call| close_call(task, draft, call, as_end, by));
}

/// The same of one call.
pub(crate) fn close_call(task: &Task, draft: &mut Draft, call: &Call, as_end: &End, by: &Decider) {
    match call.state {
        CallState::Open => draft.event(closed(task, call, as_end)),
        CallState::Waiting => waits::settle(task, draft, call, Resolution::Cancelled, by.clone()),
        CallState::Done | CallState::Wrong => {}
    }
}

/// The end of a call that left no reply: of what held for it, only what the turn pinned is known.
pub(crate) fn closed(task: &Task, open: &Call, as_end: &End) -> Event {
    let bound = task.state.turn.as_ref().and_then(|turn| turn.began.tools.get(&*open.name.configuration)).cloned();
    let ended = call::Ended {
        id: call::id(task.session.uid, open.seq),
        bound,
        name: open.name.clone(),
        input: open.input.clone(),
        overrides: waits::overrides(open),
    };
    ended.without_answer(as_end, Evidence::default())
}
