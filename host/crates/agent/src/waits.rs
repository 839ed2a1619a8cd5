//! A turn that waits for people and clients: what it asks, how it pauses, and how
//! a decision, an output, the clock or another input lets it go on. The journal has all of
//! it; a paused session sleeps like any other.

use session::{
    Awaited, Call, CallState, Decider, EventId, HowEnded, Kind, Millis, Paused, Resolution, Resolved, Resumed, Seq, Wait, Waiting,
};
use storage::{Running, WaitChange, WaitRow, When};
use tool::{Approver, End};

use crate::approvals::{Decide, Decision, Verdict};
use crate::call::{self, exact, hex_digest};
use crate::client_calls::{self, Outcome};
use crate::error::{Error, Thing};
use crate::hub::Of;
use crate::prepared::Prepared;
use crate::repeats::Taken;
use crate::since::Reading;
use crate::task::{Draft, Line, Stopped, Task, refuse};
use crate::watcher::Closing;
use crate::{recovery, turn};

/// Entries that are looked at in one go for what became of a call.
const PAGE: usize = 256;

/// The waits of a step's calls; the first call's `tool_input` will be at `first`. `now` is when they were checked.
pub(crate) fn asked(task: &Task, calls: &[call::Checked], first: Seq, now: Millis) -> Vec<Wait> {
    let limits = &task.engine.limits;
    let wait = |(at, checked): (u64, &call::Checked)| {
        let awaited = checked.awaited.clone()?;
        let patience = match awaited {
            Awaited::Approval { .. } => limits.approvals,
            Awaited::Client => limits.client_tools,
        };
        Some(Wait {
            call: Seq(first.0 + at),
            input_hash: hex_digest(exact(&checked.input).as_bytes()),
            overrides: checked.set.as_ref().map(|set| set.shown.clone()),
            awaited,
            asked_at: now,
            expires: Millis(now.0.saturating_add(i64::try_from(patience.as_millis()).unwrap_or(i64::MAX))),
        })
    };
    (0..).zip(calls).filter_map(wait).collect()
}

/// As of when a call's arguments are looked up: as of the moment when somebody was asked about them, where somebody was.
pub(crate) fn asked_at(call: &Call, now: Millis) -> Millis {
    call.wait.as_ref().map_or(now, |wait| wait.asked_at)
}

/// What the agent sets of a call that waits or waited, as it was shown then.
pub(crate) fn overrides(call: &Call) -> Option<String> {
    call.wait.as_ref()?.overrides.clone()
}

/// What the agent sets of a call, if it is what a person agreed to, where the call needed one.
pub(crate) fn as_agreed(call: &Call, set: call::Set) -> call::Set {
    let set = set?;
    match &call.wait {
        Some(wait) if wait.overrides.as_deref() != set.as_ref().map(|set| set.shown.as_str()) => {
            Err(Error::Changed { configuration: call.name.configuration.to_string() })
        }
        Some(_) | None => Ok(set),
    }
}

/// Asks for them with the batch of their step.
pub(crate) fn ask(draft: &mut Draft, waits: Vec<Wait>) {
    if waits.is_empty() {
        return;
    }
    for wait in &waits {
        let body = serde_json::to_vec(wait).expect("a wait is made of JSON values");
        draft.waits.push(WaitChange::Put(WaitRow { call: wait.call, due: wait.expires, body }));
        match &wait.awaited {
            Awaited::Approval { approver, .. } => {
                metrics::counter!("wardian_approvals_asked_total", "approver" => approver.word()).increment(1);
            }
            Awaited::Client => metrics::counter!("wardian_client_calls_asked_total").increment(1),
        }
    }
    draft.lines.push(Line::Waiting(Waiting { waits }));
}

/// Nothing is left to do but wait: those who watch are let go, and the turn rests in the journal.
pub(crate) async fn pause(task: &mut Task, calls: Vec<Seq>) -> Result<(), Stopped> {
    tracing::info!(session.uid = %task.session.uid, turn = task.state.turn_no.0, calls = calls.len(), "turn waits");
    let mut draft = Draft { running: Some(None), ..Draft::default() };
    draft.lines.extend(client_calls::pending(task).map(Line::Event));
    draft.mark(Kind::Paused, &Paused { calls });
    task.append(draft, step(task), When::Now).await?;
    task.put_down(Closing::Paused);
    task.engine.asked.notify_one();
    Ok(())
}

/// A wait is over. A call that will not run gets its output with it; one that the client answered has its own.
pub(crate) fn settle(task: &Task, draft: &mut Draft, call: &Call, resolution: Resolution, by: Decider) {
    let event = EventId { session: task.session.uid, seq: call.seq };
    tracing::info!(session.uid = %task.session.uid, event.id = %event, tool = %call.name.tool, resolution = resolution.word(), ?by, "wait settled");
    let client = call.wait.as_ref().is_some_and(|wait| wait.awaited == Awaited::Client);
    let counted = if client { "wardian_client_calls_settled_total" } else { "wardian_approvals_settled_total" };
    metrics::counter!(counted, "resolution" => resolution.word()).increment(1);
    let end = match &resolution {
        // An approved call runs, and an answered one has its output with the answer.
        Resolution::Approved { .. } | Resolution::Answered => None,
        Resolution::Rejected { reason } => Some(End::Rejected(reason.clone())),
        Resolution::Expired if client => Some(End::Expired),
        Resolution::Expired => Some(End::Rejected("nobody answered in time".into())),
        Resolution::Cancelled => Some(End::Cancelled),
    };
    draft.lines.push(Line::Resolved(Resolved { call: call.seq, resolution, by }));
    draft.waits.push(WaitChange::Remove(call.seq));
    if let Some(end) = end {
        draft.event(turn::closed(task, call, &end));
    }
}

/// Takes what somebody says about calls that wait, all of it or nothing, and lets the turn go on.
pub(crate) async fn decide(task: &mut Task, decide: Decide) -> Result<(), Stopped> {
    let taken = Taken::new(&decide.principal, decide.input.hash, decide.input.repeat);
    let reading = Reading { follow: decide.input.follow, since: None };
    if let Some(answer) = task.desk.repeated(&task.state.inbox, &taken, reading) {
        let _ = decide.answer.send(answer);
        return Ok(());
    }
    task.session = decide.session.clone();
    let (prepared, decided) = match decided(task, &decide).await {
        Ok(decided) => decided,
        Err(error) => {
            refuse(decide.answer, error);
            return Ok(());
        }
    };
    let mut draft = resumed(task, Some(&taken));
    for (call, settled) in decided {
        let (resolution, answer) = match settled {
            Settled::Approval(resolution) => (resolution, None),
            Settled::Answer(outcome) => (Resolution::Answered, Some(client_calls::output(task, &call, &outcome))),
        };
        settle(task, &mut draft, &call, resolution, Decider::from(&decide.principal));
        draft.lines.extend(answer.map(Line::Event));
    }
    draft.idempotency.extend(turn::idempotency(task, &taken, task.state.turn_no));
    task.prepared = Some(prepared.into());
    let watcher = task.desk.watch(reading, Of { asked: Some(taken.asked), queued: None });
    // A decision is acknowledged when it is durable, not before.
    task.append(draft, step(task), When::Now).await?;
    let left = decide.input.unless_left.then(|| Decider::from(&decide.principal));
    task.hand_over(decide.answer, watcher, left);
    turn::run(task).await
}

/// Ends what nobody answered in time; the turn goes on without those calls.
pub(crate) async fn expire(task: &mut Task) -> Result<(), Stopped> {
    let now = task.now();
    let due: Vec<Call> = waiting(task).filter(|(_, wait)| wait.expires <= now).map(|(call, _)| call.clone()).collect();
    if due.is_empty() {
        return Ok(());
    }
    let mut draft = resumed(task, None);
    for call in &due {
        settle(task, &mut draft, call, Resolution::Expired, Decider::Server);
    }
    task.append(draft, step(task), When::WithNext).await?;
    task.session = task.engine.live.record(task.session.uid).unwrap_or_else(|| task.session.clone());
    match recovery::prepare(task) {
        Ok(prepared) => task.prepared = Some(prepared.into()),
        Err(error) => return recovery::give_up(task, HowEnded::Failed(error.to_string())).await,
    }
    turn::run(task).await
}

/// The user says something else while the turn waits: nothing of it runs any more. Of its calls those have outputs that came
/// along.
pub(crate) async fn supersede(task: &mut Task, outputs: Vec<(Call, Outcome)>, by: Decider) -> Result<(), Stopped> {
    let mut draft = Draft::default();
    for call in task.state.turn.iter().flat_map(|turn| &turn.calls) {
        match outputs.iter().find(|(answered, _)| answered.seq == call.seq) {
            Some((_, outcome)) => {
                settle(task, &mut draft, call, Resolution::Answered, by.clone());
                draft.event(client_calls::output(task, call, outcome));
            }
            None => turn::close_call(task, &mut draft, call, &End::Cancelled, &by),
        }
    }
    turn::end_with(task, draft, step(task), HowEnded::Superseded).await
}

/// The calls that these outputs are for, if all of them wait for the client and each output may be its call's.
pub(crate) async fn outputs(task: &Task, outputs: Vec<(EventId, Outcome)>) -> Result<Vec<(Call, Outcome)>, Error> {
    let mut calls = Vec::with_capacity(outputs.len());
    for (event, outcome) in outputs {
        let decision = Decision { event, verdict: Verdict::Ran(outcome.clone()) };
        let call = undecided(task, &decision, Approver::Client)?;
        client_calls::fits(task, &call, &outcome).await?;
        calls.push((call, outcome));
    }
    Ok(calls)
}

/// The beginning of a batch with which the turn goes on.
fn resumed(task: &mut Task, taken: Option<&Taken>) -> Draft {
    task.attempt = 1;
    let running = Running { turn: task.state.turn_no, attempt: 1 };
    let mut draft = Draft { running: Some(Some(running)), ..Draft::default() };
    draft.mark(Kind::Resumed, &Resumed { asker: taken.map(|taken| taken.asked.asker()) });
    task.desk.take_on(task.state.turn_no, taken.into_iter().cloned().collect());
    draft
}

fn step(task: &Task) -> u32 {
    task.state.turn.as_ref().map_or(0, |turn| turn.steps)
}

/// The calls that wait, and what for.
pub(crate) fn waiting(task: &Task) -> impl Iterator<Item = (&Call, &Wait)> {
    let calls = task.state.turn.iter().flat_map(|turn| &turn.calls);
    calls.filter(|call| call.state == CallState::Waiting).filter_map(|call| Some((call, call.wait.as_ref()?)))
}

/// How a wait ends because somebody said so.
enum Settled {
    /// They agreed, or did not.
    Approval(Resolution),
    /// They ran the call.
    Answer(Outcome),
}

/// What was decided about which call, if all of it may be.
async fn decided(task: &Task, decide: &Decide) -> Result<(Prepared, Vec<(Call, Settled)>), Error> {
    let mut calls = Vec::with_capacity(decide.input.decisions.len());
    for decision in &decide.input.decisions {
        calls.push((undecided(task, decision, decide.standing)?, decision));
    }
    let prepared = recovery::prepare(task)?;
    let mut decided = Vec::with_capacity(calls.len());
    for (call, decision) in calls {
        let settled = match &decision.verdict {
            Verdict::Approve { input } => Settled::Approval(approved(task, &prepared, decide.standing, &call, input.as_deref()).await?),
            Verdict::Reject { reason } => {
                let reason = reason.clone().unwrap_or_else(|| "no reason was given".into());
                Settled::Approval(Resolution::Rejected { reason })
            }
            Verdict::Ran(outcome) => {
                client_calls::fits(task, &call, outcome).await?;
                Settled::Answer(outcome.clone())
            }
        };
        decided.push((call, settled));
    }
    Ok((prepared, decided))
}

/// The call that a decision is about, if it still waits for one of its kind and somebody of this standing may answer for it.
fn undecided(task: &Task, decision: &Decision, standing: Approver) -> Result<Call, Error> {
    let event = || decision.event.to_string();
    let found = waiting(task).find(|(call, _)| call.seq == decision.event.seq && decision.event.session == task.session.uid);
    let Some((call, wait)) = found else { return Err(outcome(task, decision)?) };
    if wait.expires <= task.now() {
        return Err(Error::Decided { event: event(), how: Resolution::Expired.word() });
    }
    match (&wait.awaited, &decision.verdict) {
        (Awaited::Client, Verdict::Ran(_)) => {}
        (Awaited::Client, Verdict::Approve { .. } | Verdict::Reject { .. }) | (Awaited::Approval { .. }, Verdict::Ran(_)) => {
            return Err(never_asked(decision));
        }
        (Awaited::Approval { approver, .. }, Verdict::Approve { .. } | Verdict::Reject { .. }) if standing < *approver => {
            return Err(Error::ForOperator(event()));
        }
        (Awaited::Approval { .. }, Verdict::Approve { .. } | Verdict::Reject { .. }) => {}
    }
    if hex_digest(call.input.as_bytes()) != wait.input_hash {
        return Err(Error::Damaged(task.session.uid, format!("the arguments of event {} are not those that were asked about", event())));
    }
    Ok(call.clone())
}

/// The agreement to a call, with the arguments that were put in the place of its own, if they may be.
async fn approved(task: &Task, prepared: &Prepared, standing: Approver, call: &Call, input: Option<&str>) -> Result<Resolution, Error> {
    let Some(input) = input.map(exact) else {
        return Ok(Resolution::Approved { standing, input: None, input_hash: hex_digest(call.input.as_bytes()) });
    };
    let event = || EventId { session: task.session.uid, seq: call.seq }.to_string();
    let wrong = |why: String| Error::WrongEdit { event: event(), why };
    call::object(&input).map_err(wrong)?;
    let bound = task.state.turn.as_ref().and_then(|turn| turn.began.tools.get(&*call.name.configuration));
    let bound = bound.ok_or_else(|| wrong(End::UnknownTool.message()))?;
    let set = prepared.set(&call.name.configuration, &task.sources(&prepared.agent, asked_at(call, task.now())));
    let all = call::with(&set, &input).map_err(wrong)?;
    match task.engine.toolbox.check(&prepared.caller, &bound.tool, &all).await {
        Ok(tool::Verdict::Ask(needed)) if needed > standing => Err(Error::ForOperator(event())),
        Ok(tool::Verdict::Run | tool::Verdict::Ask(_)) => {
            let input_hash = hex_digest(input.as_bytes());
            Ok(Resolution::Approved { standing, input: Some(input), input_hash })
        }
        Err(end) => Err(wrong(end.message())),
    }
}

/// That a call does not wait for a word of this kind.
fn never_asked(decision: &Decision) -> Error {
    let event = decision.event.to_string();
    match decision.verdict {
        Verdict::Approve { .. } | Verdict::Reject { .. } => Error::NotAsked(event),
        Verdict::Ran(_) => Error::NotPending(event),
    }
}

/// Why nobody can decide about an event: what became of its call, or that it never waited.
fn outcome(task: &Task, decision: &Decision) -> Result<Error, Error> {
    let event = decision.event;
    let missing = || Error::NotFound { what: Thing::Event, name: event.to_string() };
    if event.session != task.session.uid {
        return Ok(missing());
    }
    let journal = &task.engine.journal;
    let Some(asked) = journal.entry(event.session, event.seq)? else { return Ok(missing()) };
    if asked.audience() != session::Audience::Listed {
        return Ok(missing());
    }
    let mut from = event.seq;
    loop {
        let page = journal.read(event.session, from, PAGE)?;
        for entry in &page.entries {
            if entry.kind == Kind::Resolved {
                let mark: Resolved = serde_json::from_str(&entry.body).map_err(|e| Error::Damaged(event.session, e.to_string()))?;
                if mark.call == event.seq {
                    return Ok(Error::Decided { event: event.to_string(), how: mark.resolution.word() });
                }
            }
            if entry.turn != asked.turn || entry.kind == Kind::Ended {
                return Ok(never_asked(decision));
            }
        }
        match page.entries.last() {
            Some(last) if page.more => from = last.seq.next(),
            _ => return Ok(never_asked(decision)),
        }
    }
}
