//! Inputs that wait for their turn: taken in durably while one runs, and entering it or following it.

use std::collections::VecDeque;
use std::sync::Arc;

use session::{Behavior, Event, Kind, Principal, Purpose, Queued, Session, Uid};
use storage::{InboxChange, InboxRow, Journal, Running, When};

use crate::desk::Desk;
use crate::error::{Error, Thing};
use crate::hub::Of;
use crate::live::{Post, Queue, takes_input};
use crate::prepared::{For, Prepared};
use crate::repeats::Taken;
use crate::since::Reading;
use crate::task::{Draft, Stopped, Task, refuse};
use crate::turn;

/// Inputs that wait for one session. Against a client that posts faster than turns end; it is told to come again.
pub(crate) const WAITING: usize = 8;

/// What waits for a session, from the store.
pub(crate) fn waiting(journal: &dyn Journal, session: Uid) -> Result<VecDeque<Queued>, Error> {
    let read = |row: InboxRow| serde_json::from_slice(&row.body).map_err(|e| Error::Damaged(session, e.to_string()));
    journal.inbox(session)?.into_iter().map(read).collect()
}

/// A queued input as the store keeps it.
fn row(queued: &Queued) -> InboxChange {
    let body = serde_json::to_vec(queued).expect("a queued input is made of JSON values");
    InboxChange::Put(InboxRow { no: queued.no, body })
}

/// An input while a turn runs: a repeat joins what it repeats, others wait if they may. That
/// one waits is said when it is durable.
pub(crate) fn post(desk: &mut Desk, inbox: &mut VecDeque<Queued>, post: Post) {
    let taken = Taken::new(&post.principal, post.input.hash, post.input.repeat);
    let reading = post.input.reading();
    if let Some(answer) = desk.repeated(inbox, &taken, reading) {
        let _ = post.answer.send(answer);
        return;
    }
    let Some(Queue { behavior, .. }) = post.input.queue.filter(|_| post.input.purpose == Purpose::Answer) else {
        return refuse(post.answer, desk.busy());
    };
    if inbox.len() >= WAITING {
        return refuse(post.answer, Error::InboxFull(desk.tail.key.clone(), WAITING));
    }
    let queued = Queued {
        no: inbox.back().map_or(1, |last| last.no + 1),
        behavior,
        messages: post.input.messages,
        principal: post.principal,
        input_hash: taken.asked.asker().input_hash,
        repeat: taken.repeat.map(|key| data_encoding::HEXLOWER.encode(&key)),
    };
    let mut batch = desk.tail.batch(desk.tail.head.last);
    batch.inbox.push(row(&queued));
    let ticket = desk.tail.journal.commit(vec![batch], When::Now);
    let watcher = desk.watch(reading, Of { asked: Some(taken.asked), queued: Some(queued.no) });
    desk.unsettled.answer(ticket, post.answer, watcher);
    inbox.push_back(queued);
}

/// A queued input enters the turn that runs: the model sees it with its next call.
pub(crate) fn steer(task: &mut Task, no: u64) -> Result<(), Stopped> {
    let Some(at) = task.state.inbox.iter().position(|queued| queued.no == no) else { return Ok(()) };
    let Some(queued) = task.state.inbox.remove(at) else { return Ok(()) };
    let mut draft = Draft { inbox: vec![InboxChange::Remove(no)], ..Draft::default() };
    let taken = Taken::queued(&queued);
    draft.event(Event::InputMessage { messages: queued.messages });
    if let Some(taken) = taken {
        draft.mark(Kind::Steered, &taken.asked.asker());
        draft.idempotency.extend(turn::idempotency(task, &taken, task.state.turn_no));
        task.desk.taken.push(taken);
    }
    task.desk.hub.taken(no);
    let step = task.state.turn.as_ref().map_or(0, |turn| turn.steps);
    let when = if task.desk.hub.watched() { When::Now } else { When::WithNext };
    task.submit(draft, step, when)
}

/// What entered no turn although it was to enter the one that ends becomes a turn of its own.
pub(crate) fn left_over(task: &mut Task, draft: &mut Draft) {
    for queued in task.state.inbox.iter_mut().filter(|queued| queued.behavior == Behavior::Steer) {
        queued.behavior = Behavior::FollowUp;
        draft.inbox.push(row(queued));
    }
}

/// Whether the session stays in the list of those that recovery wakes, once its turn is over: while inputs wait.
pub(crate) fn running(task: &Task) -> Option<Running> {
    (!task.state.inbox.is_empty()).then_some(Running { turn: task.state.turn_no, attempt: 0 })
}

/// Runs what waits, one turn after the other, until nothing waits or a turn pauses.
pub(crate) async fn run_waiting(task: &mut Task) -> Result<(), Stopped> {
    while !task.desk.retiring
        && task.state.turn.is_none()
        && let Some(queued) = task.state.inbox.pop_front()
    {
        match means(task, &queued.principal) {
            Ok((session, prepared, system)) => {
                task.session = session;
                follow_up(task, prepared, system, queued)?;
                turn::run(task).await?;
            }
            Err(Error::Store(error)) => {
                tracing::error!(session.uid = %task.session.uid, %error, "the agent of a queued input could not be read");
                return Err(Stopped::Store);
            }
            Err(error) => give_up(task, &queued, &error).await?,
        }
    }
    Ok(())
}

/// The session as it is now, what a turn in it is made with, and what its model is told first, if it takes input.
fn means(task: &Task, principal: &Principal) -> Result<(Arc<Session>, Prepared, String), Error> {
    let engine = &task.engine;
    let missing = |what, name: &str| Error::NotFound { what, name: name.to_owned() };
    let record = engine.directory.get(task.session.uid)?.ok_or_else(|| missing(Thing::Session, &task.session.key))?;
    let session = Arc::new(crate::sessions::decode(&record)?);
    let agent = engine.agent_of(session.agent)?.ok_or_else(|| missing(Thing::Agent, &session.agent.hex()))?;
    takes_input(&agent, &session)?;
    let prepared = Prepared::new(engine, &agent, &principal.tenant_name, For::ANSWER)?;
    let system = turn::ready(task, &session, &prepared, task.state.instructions.as_deref())?;
    Ok((session, prepared, system))
}

/// An input that waited begins its turn.
fn follow_up(task: &mut Task, prepared: Prepared, system: String, queued: Queued) -> Result<(), Stopped> {
    let Some(taken) = Taken::queued(&queued) else {
        tracing::error!(session.uid = %task.session.uid, no = queued.no, "a queued input cannot be read");
        return Err(Stopped::Store);
    };
    task.desk.hub.taken(queued.no);
    let mut draft = Draft { inbox: vec![InboxChange::Remove(queued.no)], ..Draft::default() };
    draft.event(Event::InputMessage { messages: queued.messages });
    let (purpose, declared, instructions) = (Purpose::Answer, Vec::new(), task.state.instructions.clone());
    turn::begin(task, draft, prepared, turn::Start { taken, purpose, system, declared, instructions })
}

/// An input that waited cannot begin its turn: it is dropped, and whoever reads is told why.
async fn give_up(task: &mut Task, queued: &Queued, error: &Error) -> Result<(), Stopped> {
    tracing::warn!(session.uid = %task.session.uid, no = queued.no, %error, "a queued input was dropped");
    let mut draft = Draft { inbox: vec![InboxChange::Remove(queued.no)], ..Draft::default() };
    draft.running = Some(running(task));
    task.append(draft, 0, When::Now).await?;
    task.desk.hub.refuse(queued.no, error);
    Ok(())
}

impl crate::live::Input {
    /// How its answer is read.
    pub(crate) fn reading(&self) -> Reading {
        Reading { follow: self.follow, since: self.queue.map(|queue| queue.since) }
    }
}
