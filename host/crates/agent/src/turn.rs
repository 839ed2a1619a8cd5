//! The turn: begin, then one decision after the other until it has ended.

use session::{Began, Call, CallState, Decider, Ended, Event, HowEnded, Kind, Millis, Next, Purpose, Resolution, next};
use storage::{Idempotency, IdempotencyKey, Running, When};
use tool::{End, Evidence};

use crate::hub::{Closing, Past};
use crate::live::Post;
use crate::prepared::Prepared;
use crate::task::{Asked, Draft, Stopped, Task, refuse};
use crate::{call, compaction, inbox, steps, template, waits};

/// How long the answer of a finished turn is kept for a client that never got it.
/// The official SDK repeats a lost POST within seconds.
const REPEAT_WINDOW_MS: i64 = 120_000;

/// Runs the turn to its end, or to where it has to wait.
pub(crate) async fn run(task: &mut Task) -> Result<(), Stopped> {
    loop {
        match next(&task.state, &task.engine.limits.turn) {
            Next::Idle => return Ok(()),
            Next::AskModel => steps::ask(task).await?,
            Next::CallTools(open) => steps::call_tools(task, open).await?,
            Next::Steer(no) => inbox::steer(task, no)?,
            Next::Compact(up_to) => compaction::compact(task, up_to).await?,
            Next::Wait(calls) => return waits::pause(task, calls).await,
            Next::End(how) => end(task, how).await?,
        }
    }
}

/// Takes an input: the message and the mark that a turn began, in one batch.
/// Nobody waits for it unless somebody watches; the turn's own end does.
pub(crate) async fn begin(task: &mut Task, post: Post, asked: Asked) -> Result<(), Stopped> {
    task.session = post.session.clone();
    let prepared = match Prepared::new(&task.engine, &post.agent, &post.principal.tenant_name) {
        Ok(prepared) => prepared,
        Err(error) => {
            refuse(post.answer, error);
            return Ok(());
        }
    };
    let resolved = prepared.check_early(&task.sources(&post.agent, task.now()));
    let system = match resolved.and_then(|()| template::system(&prepared, &task.session, task.now())) {
        Ok(system) => system,
        Err(error) => {
            refuse(post.answer, error);
            return Ok(());
        }
    };
    if task.state.turn.is_some() {
        waits::supersede(task, Decider::from(&post.principal)).await?;
    }
    let retried = retried(task, &asked);
    let turn = task.next_turn();
    let mut draft = Draft::default();
    if let Some(past) = retried {
        let input = past.shown().iter().find(|entry| entry.kind == Kind::InputMessage).cloned();
        task.desk.hub.preface(input);
    } else {
        draft.event(Event::InputMessage { messages: post.input.messages });
    }
    let began = Began {
        agent_revision: post.agent.revision,
        model: post.agent.model.name.clone(),
        tools: prepared.bound(),
        key: asked.key,
        subject: asked.subject.clone(),
        input_hash: data_encoding::HEXLOWER.encode(&asked.hash),
        system_hash: call::hex_digest(system.as_bytes()),
        purpose: Purpose::Answer,
        compaction: Some(task.session.compaction.clone()),
        window: prepared.model.context_window(),
    };
    draft.mark(Kind::Began, &began);
    task.attempt = 1;
    draft.running = Some(Some(Running { turn, attempt: 1 }));
    if let Some(repeat) = post.input.repeat {
        let key = IdempotencyKey { tenant: task.session.tenant, digest: repeat.digest };
        let value = Idempotency { body: asked.hash, session: task.session.uid, turn, at: task.now() };
        draft.idempotency.push((key, value));
    }
    task.prepared = Some(prepared.into());
    task.desk.asked = Some(asked);
    task.desk.repeat = post.input.repeat.map(|repeat| repeat.digest);
    // The reader is there before the first entry, so that it misses nothing.
    let watcher = task.desk.hub.watch(post.input.stream);
    task.submit(draft, 0, if post.input.stream { When::Now } else { When::WithNext })?;
    if post.answer.send(Ok(watcher)).is_err() {
        tracing::debug!(session.uid = %task.session.uid, "the client left before its turn began");
    }
    Ok(())
}

/// The turn before, if it failed on this very input: the client repeats it, and
/// the message is not recorded a second time.
fn retried(task: &mut Task, asked: &Asked) -> Option<Past> {
    let failed = matches!(&task.desk.past, Some((before, past, at))
        if before == asked && past.failed() && task.engine.clock.now().0 - at.0 <= REPEAT_WINDOW_MS);
    if failed { task.desk.past.take().map(|(_, past, _)| past) } else { None }
}

/// The turn before, if it answered this very input and nobody got the answer.
pub(crate) fn undelivered<'a>(task: &'a mut Task, asked: &Asked) -> Option<&'a mut Past> {
    let now = task.engine.clock.now();
    let (before, past, at) = task.desk.past.as_mut()?;
    (before == asked && !past.failed() && !past.delivered() && now.0 - at.0 <= REPEAT_WINDOW_MS).then_some(past)
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
    draft.running = Some(None);
    task.append(draft, step, When::Now).await?;
    task.put_down(Closing::Ended(how.clone()));
    let ms = task.engine.clock.now().0 - began_at.0;
    tracing::info!(session.uid = %task.session.uid, turn = task.state.turn_no.0, how = how.word(), duration_ms = ms, "turn ended");
    metrics::counter!("wardian_turns_total", "how" => how.word()).increment(1);
    metrics::histogram!("wardian_turn_seconds").record(ms as f64 / 1e3);
    Ok(())
}

/// Gives every open call of the turn this end. Those that wait are cancelled: nothing was done of them.
pub(crate) fn close_calls(task: &Task, draft: &mut Draft, as_end: &End, by: &Decider) {
    let Some(turn) = &task.state.turn else { return };
    for call in &turn.calls {
        match call.state {
            CallState::Open => draft.event(closed(task, call, as_end)),
            CallState::Waiting => waits::settle(task, draft, call, Resolution::Cancelled, by.clone()),
            CallState::Done | CallState::Wrong => {}
        }
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
