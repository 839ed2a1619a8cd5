//! One step of a turn: ask the model and record what it said, or run the tools
//! that it asked for. While either goes on, the mailbox is served and durable
//! entries are shown.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use model::{Prompt, Reply, Trouble};
use session::{CallIds, Corrected, Decider, Event, HowEnded, Kind, OutputSchema, Overflowed, Queued, ReplyMark, Seq, TokenUsage};
use storage::When;

use crate::call::{self, Bench, Checked, Ended, Ran};
use crate::desk::Desk;
use crate::prepared::Prepared;
use crate::streamed::Streamed;
use crate::task::{Draft, Stopped, Task};
use crate::{structured, turn, waits};

/// How long the calls of an interrupted turn have to say what they did. A client
/// that interrupts waits for it.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// How work beside the mailbox ended.
pub(crate) enum Worked<T> {
    Done(T),
    Interrupted(Decider),
}

/// Polls `work` while commands are served and entries become durable.
pub(crate) async fn beside<T>(desk: &mut Desk, inbox: &mut VecDeque<Queued>, work: impl Future<Output = T>) -> Result<Worked<T>, Stopped> {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            command = desk.commands.recv() => {
                if let Some(by) = desk.while_running(inbox, command)? {
                    return Ok(Worked::Interrupted(by));
                }
            }
            settled = desk.unsettled.settle(), if desk.unsettled.is_some() => drop(settled?),
            done = &mut work => return Ok(Worked::Done(done)),
        }
    }
}

/// Asks the model once, or what stands in its place.
pub(crate) async fn ask(task: &mut Task) -> Result<(), Stopped> {
    let Some(prepared) = task.prepared.clone() else { return Err(Stopped::Store) };
    // As of the turn's beginning: the prompt stays the same from step to step.
    let at = task.state.turn.as_ref().map_or_else(|| task.now(), |turn| turn.began_at);
    let system = match prepared.system(&task.session, at, task.state.instructions.as_deref()) {
        Ok(system) => system,
        Err(error) => return turn::end_with(task, Draft::default(), steps_taken(task) + 1, HowEnded::Failed(error.to_string())).await,
    };
    let stream = task.desk.hub.watched();
    let form = form_of(&prepared);
    let prompt = Prompt {
        system: &system,
        tools: &prepared.tools,
        items: &task.state.transcript.items,
        parameters: &prepared.agent.model.parameters,
        retry: prepared.agent.model.retry.as_ref(),
        stream,
        output: form,
    };
    let asked = {
        // The desk is lent to two: the select serves its mailbox, the sink writes to its hub.
        let hub = task.desk.hub.clone();
        let clock = task.engine.clock;
        let mut streamed = Streamed::new(form.is_some(), &prepared, CallIds::new(&task.state.transcript));
        let mut sink = |delta| streamed.pass(delta, &hub, clock);
        let work = prepared.model.ask(&prompt, &mut sink);
        let began = std::time::Instant::now();
        let mut asked = beside(&mut task.desk, &mut task.state.inbox, work).await?;
        if prepared.asks {
            let seconds = began.elapsed().as_secs_f64();
            metrics::histogram!("wardian_model_call_seconds", "model" => prepared.agent.model.name.clone()).record(seconds);
        }
        if let Worked::Done(Ok(reply)) = &mut asked {
            streamed.rename(reply);
            if hub.watched() {
                streamed.complete(reply, &hub, clock);
            }
        }
        asked
    };
    match asked {
        Worked::Done(Ok(reply)) => record(task, reply).await,
        Worked::Done(Err(error)) => give_up(task, &error).await,
        Worked::Interrupted(by) => {
            // What was streamed of the reply becomes no entry.
            task.desk.hub.void(task.engine.clock.now());
            task.interrupt(by);
            Ok(())
        }
    }
}

/// Records a reply: its events, the raw form, and what cannot be called, in one
/// batch; with no call left to run the turn ends in that batch too.
async fn record(task: &mut Task, reply: Reply) -> Result<(), Stopped> {
    let Some(prepared) = task.prepared.clone() else { return Err(Stopped::Store) };
    let step = steps_taken(task) + 1;
    let corrections = task.state.turn.as_ref().map_or(0, |turn| turn.corrections);
    let calls_max = task.engine.limits.turn.calls;
    let first = task.state.last.next();
    let mut draft = Draft::default();
    if !reply.thinking.is_empty() {
        draft.event(Event::Thinking { content: reply.thinking.clone() });
    }
    let fault = say(&mut draft, form_of(&prepared).filter(|_| reply.calls.is_empty()), &reply).await;
    let now = task.now();
    let mut checked: Vec<Checked> = Vec::with_capacity(reply.calls.len());
    for asked in &reply.calls {
        let set = prepared.set(&asked.name, &task.sources(&prepared.agent, now));
        checked.push(call::check(&*task.engine.toolbox, &prepared, asked, set).await);
    }
    for asked in reply.calls.iter().filter(|asked| prepared.withholds(&asked.name)) {
        task.desk.hub.withhold(asked.id.clone());
    }
    let first_call = Seq(first.0 + draft.lines.len() as u64);
    let asked = waits::asked(task, &checked[..checked.len().min(calls_max)], first_call, now);
    for checked in &checked {
        let overrides = checked.overrides.clone();
        draft.event(Event::ToolInput { call: checked.name.clone(), input: checked.input.clone(), overrides });
    }
    // A reply whose call was not even JSON is never sent back as it came: providers refuse such a history for ever.
    let whole = reply.calls.iter().zip(&checked).all(|(asked, checked)| asked.arguments == checked.input);
    let mark = ReplyMark {
        origin: prepared.model.origin().clone(),
        raw: reply.raw.filter(|_| whole).map(|raw| (*raw).to_owned()),
        first,
        last: Seq(first.0 + draft.lines.len() as u64 - 1),
        usage: reply.usage,
    };
    draft.mark(Kind::Reply, &mark);
    waits::ask(&mut draft, asked);
    refuse_calls(task, &mut draft, &checked, first_call);
    show_usage(task, reply.usage);
    if checked.is_empty() {
        return match fault {
            None => turn::answered(task, draft, step).await,
            Some(_) if corrections < structured::CORRECTIONS => task.append(draft, step, When::WithNext).await,
            Some(why) => turn::end_with(task, draft, step, HowEnded::Failed(why)).await,
        };
    }
    // The intents must be durable before any call; with none to run now nobody waits.
    let runs = checked.iter().take(calls_max).any(|checked| checked.refused.is_none() && checked.awaited.is_none());
    task.append(draft, step, if runs { When::Now } else { When::WithNext }).await
}

fn steps_taken(task: &Task) -> u32 {
    task.state.turn.as_ref().map_or(0, |turn| turn.steps)
}

/// The form that final answers of this turn must have.
fn form_of(prepared: &Prepared) -> Option<&OutputSchema> {
    prepared.agent.entry_step()?.output.as_ref()
}

/// Records what was said beside the calls: words, or the answer in the form that it has to have. Answers what
/// is wrong with one that does not have it, for the client.
async fn say(draft: &mut Draft, form: Option<&OutputSchema>, reply: &Reply) -> Option<String> {
    let Some(form) = form else {
        if !reply.text.is_empty() || reply.calls.is_empty() {
            draft.event(Event::AgentOutput { content: reply.text.clone() });
        }
        return None;
    };
    match structured::read(form, &reply.text).await {
        structured::Answer::Fits(content) => {
            draft.event(Event::StructuredOutput { schema_name: form.name.clone(), content });
            None
        }
        structured::Answer::Wrong(why) => {
            let fault = structured::correction(form, &why);
            draft.mark(Kind::Corrected, &Corrected { text: reply.text.clone(), fault });
            Some(structured::failure(form, &why))
        }
    }
}

/// Answers the calls that will not run. The first one is asked for at `first`, the others follow it.
fn refuse_calls(task: &Task, draft: &mut Draft, checked: &[Checked], first: Seq) {
    let calls_max = task.engine.limits.turn.calls;
    for (i, checked) in checked.iter().enumerate() {
        let too_many = || tool::End::HostCalls(format!("at most {calls_max} tools may be called in one step; ask again for this one"));
        let refused = checked.refused.clone().or_else(|| (i >= calls_max).then(too_many));
        if let Some(end) = refused {
            tracing::info!(tool = %checked.name.tool, end = end.word(), "tool call refused: {end}");
            metrics::counter!("wardian_tool_calls_refused_total", "end" => end.word()).increment(1);
            let id = call::id(task.session.uid, Seq(first.0 + i as u64));
            let (bound, name, input) = (checked.bound.clone(), checked.name.clone(), checked.input.clone());
            let overrides = checked.set.as_ref().map(|set| set.shown.clone());
            let ended = Ended { id, bound, name, input, overrides };
            draft.event(ended.without_answer(&end, checked.evidence.clone()));
        }
    }
}

/// What a model call consumed: for the head, for readers, for the metrics.
pub(crate) fn show_usage(task: &mut Task, usage: Option<TokenUsage>) {
    let Some(usage) = usage else { return };
    task.note_usage(usage);
    task.desk.hub.usage(usage, task.engine.clock.now());
    count(Some(usage));
}

/// What a model call consumed, for the metrics.
pub(crate) fn count(usage: Option<TokenUsage>) {
    let Some(usage) = usage else { return };
    metrics::counter!("wardian_model_tokens_total", "kind" => "input").increment(usage.input);
    metrics::counter!("wardian_model_tokens_total", "kind" => "output").increment(usage.output);
}

/// The model could not be asked: the input stays, the turn ends.
async fn give_up(task: &mut Task, error: &model::Error) -> Result<(), Stopped> {
    tracing::warn!(session.uid = %task.session.uid, %error, "the model did not answer");
    let step = steps_taken(task) + 1;
    let how = match &error.trouble {
        Trouble::Overflow { limit, actual } => {
            // Whether a summary helps, and is there something to make it from, the next decision says.
            task.desk.hub.void(task.engine.clock.now());
            let mut draft = Draft::default();
            draft.mark(Kind::Overflowed, &Overflowed { hopeless: false, why: error.to_string(), limit: *limit, actual: *actual });
            return task.append(draft, step, When::WithNext).await;
        }
        Trouble::Refused => HowEnded::Failed("the model provider refused the request; the operator's log has its words".into()),
        Trouble::Unavailable { .. } => HowEnded::Failed("the model is not available now; try again in a moment".into()),
        Trouble::Nonsense => HowEnded::Failed("the model's answer could not be understood; try again".into()),
    };
    // What was streamed of the failed reply is not part of the answer.
    task.desk.hub.void(task.engine.clock.now());
    turn::end_with(task, Draft::default(), step, how).await
}

/// Runs the open calls at these positions, all at the same time.
pub(crate) async fn call_tools(task: &mut Task, open: Vec<Seq>) -> Result<(), Stopped> {
    let (Some(prepared), Some(turn)) = (task.prepared.clone(), task.state.turn.clone()) else { return Err(Stopped::Store) };
    let bench = Bench::new(&task.engine, &prepared, &task.session, task.desk.hub.clone(), turn.began.subject.clone());
    let mut running: FuturesUnordered<_> = turn
        .calls
        .iter()
        .filter(|call| open.contains(&call.seq))
        .map(|call| {
            let id = call::id(task.session.uid, call.seq);
            let configuration = &*call.name.configuration;
            let set =
                waits::as_agreed(call, prepared.set(configuration, &task.sources(&prepared.agent, waits::asked_at(call, task.now()))));
            bench.run(id, turn.began.tools.get(configuration).cloned(), call.clone(), set)
        })
        .collect();
    loop {
        match beside(&mut task.desk, &mut task.state.inbox, running.next()).await? {
            Worked::Done(Some(ran)) => ended(task, ran, turn.steps)?,
            Worked::Done(None) => return Ok(()),
            Worked::Interrupted(by) => {
                bench.cancel();
                // Each says at once what it had done by then; one that does not is closed with the turn.
                let until = tokio::time::Instant::now() + LAST_WORDS;
                while let Ok(Some(ran)) = tokio::time::timeout_at(until, running.next()).await {
                    ended(task, ran, turn.steps)?;
                }
                drop(running);
                task.interrupt(by);
                return Ok(());
            }
        }
    }
}

/// A call has ended: its output with its receipt, and its writes, in one batch. It
/// rides with the next commit unless somebody watches.
fn ended(task: &mut Task, ran: Ran, step: u32) -> Result<(), Stopped> {
    let mut draft = Draft::default();
    draft.event(ran.event);
    (draft.writes, draft.blobs) = (ran.writes, ran.blobs);
    let when = if task.desk.hub.watched() { When::Now } else { When::WithNext };
    task.submit(draft, step, when)
}
