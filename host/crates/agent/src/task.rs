//! One live session: its state, its mailbox, and the one place where its
//! entries are appended.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use session::{Agent, Decider, Head, Millis, Session, State, Status, TurnNo, Uid};
use storage::{Batch, When};
use tokio::sync::{mpsc, oneshot};

use crate::Engine;
use crate::desk::{Desk, Unsettled};
use crate::draft::Passage;
use crate::error::Error;
use crate::expiry::Rest;
use crate::hub::{Hub, Of};
use crate::live::{Command, Post};
use crate::prepared::Prepared;
use crate::references::Sources;
use crate::repeats::Taken;
use crate::since::Reading;
use crate::tail::Tail;
use crate::watcher::{Closing, Shown, Watcher};
use crate::{audited, edits, expiry, fold, inbox, recovery, turn, waits};

pub(crate) use crate::draft::{Draft, Line};

/// How long a session waits for the plugins of a server that has just started.
const TOOLS_WAIT: Duration = Duration::from_secs(60);

/// A live session. Owned by its own task; nothing else writes the session.
pub(crate) struct Task {
    pub(crate) engine: Arc<Engine>,
    pub(crate) session: Arc<Session>,
    pub(crate) state: State,
    pub(crate) desk: Desk,
    /// What the running turn is made with.
    pub(crate) prepared: Option<Arc<Prepared>>,
    /// How often the running turn was taken up, this time included.
    pub(crate) attempt: u32,
    /// Told to the registry: whether it may stop this task to make room.
    idle: Arc<AtomicBool>,
}

/// Why a turn does not go on here. The journal still says that it runs: it is
/// taken up when the session wakes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The session, its agent or the server goes away.
    Leaving,
    /// The store did not take what happened, or holds what cannot be read.
    Store,
}

impl Task {
    /// The life of a session in memory: wake, take commands, run turns, go to sleep.
    pub(crate) async fn run(engine: Arc<Engine>, session: Arc<Session>, mut commands: mpsc::Receiver<Command>, idle: Arc<AtomicBool>) {
        let _forget = Forget { engine: engine.clone(), uid: session.uid };
        if tokio::time::timeout(TOOLS_WAIT, engine.toolbox.settled()).await.is_err() {
            tracing::warn!("some plugins are still being prepared; turns that begin now do without their tools");
        }
        match Self::wake(engine.clone(), session.clone(), idle) {
            Ok(start) => {
                let mut task = start(commands);
                if let Err(stopped) = task.live().await {
                    task.desk.let_go(stopped);
                    if stopped == Stopped::Store {
                        engine.resume_later(session);
                    }
                }
            }
            Err(error) => {
                tracing::error!(session.uid = %session.uid, %error, "a session could not be read");
                // Whoever is refused with these commands finds the session as it is from then on, not as it was here.
                commands.close();
                engine.live.forget(session.uid);
            }
        }
    }

    fn wake(
        engine: Arc<Engine>,
        session: Arc<Session>,
        idle: Arc<AtomicBool>,
    ) -> Result<impl FnOnce(mpsc::Receiver<Command>) -> Self, Error> {
        // What the caller read may have changed before this task was there to hear of it.
        let record = engine.directory.get(session.uid)?.ok_or(storage::Error::Gone(session.uid))?;
        let session = Arc::new(crate::sessions::decode(&record)?);
        engine.live.changed(session.clone());
        let epoch = engine.journal.lease(session.uid)?;
        let head = engine.journal.head(session.uid)?.unwrap_or_default();
        let mut state = fold::folded(&*engine.journal, session.uid, &head)?;
        state.inbox = inbox::waiting(&*engine.journal, session.uid)?;
        let hub = Arc::new(Hub::new(engine.limits.watcher_bytes));
        let unsettled = Unsettled::new(hub.clone(), session.key.clone(), head.last);
        let (journal, clock) = (engine.journal.clone(), engine.clock);
        let tail = Tail { journal, clock, session: session.uid, tenant: session.tenant, key: session.key.clone(), epoch, head };
        let attempt = engine.journal.running_turn(session.uid)?.map_or(1, |running| running.attempt + 1);
        Ok(move |commands| {
            let (taken, past) = (Vec::new(), VecDeque::new());
            let desk = Desk { commands, hub, tail, unsettled, turn: None, taken, past, retiring: false };
            Self { engine, session, state, desk, prepared: None, attempt, idle }
        })
    }

    async fn live(&mut self) -> Result<(), Stopped> {
        match self.state.turn.as_ref().map(|turn| turn.paused) {
            Some(None) => recovery::take_up(self).await?,
            Some(Some(at)) => self.remember_pause(at),
            None => {}
        }
        inbox::run_waiting(self).await?;
        while !self.desk.retiring {
            self.idle.store(true, Ordering::Relaxed);
            let command = tokio::time::timeout(self.engine.limits.idle, self.desk.commands.recv()).await;
            self.idle.store(false, Ordering::Relaxed);
            match command {
                Ok(Some(Command::Post(post))) => self.take(*post).await?,
                Ok(Some(Command::Decide(decide))) => waits::decide(self, *decide).await?,
                Ok(Some(Command::Expire)) => waits::expire(self).await?,
                Ok(Some(Command::Edit(change))) => edits::edit(self, change).await?,
                Ok(Some(Command::Idle { looked })) => {
                    let gone = expiry::end(self).await;
                    let _ = looked.send(());
                    if gone {
                        return Ok(());
                    }
                }
                Ok(Some(Command::TakeBack { looked })) => {
                    let gone = self.take_back().await;
                    let _ = looked.send(());
                    if gone {
                        return Ok(());
                    }
                }
                // Between commands a turn is there only if it is paused.
                Ok(Some(Command::Interrupt { by, follow, answer })) if self.state.turn.is_some() => {
                    let _ = answer.send(Ok(self.desk.watch(Reading { follow, since: None }, Of::default())));
                    self.interrupt(by);
                    turn::run(self).await?;
                }
                // The turn that is left is over, or pauses; what comes later is not meant.
                Ok(Some(Command::Leave { .. })) => {}
                Ok(Some(Command::Interrupt { answer, .. })) => drop(answer.send(Err(Error::Idle))),
                Ok(Some(Command::Rejoin { reading, answer })) => drop(answer.send(Ok(self.look_back(reading)))),
                Ok(Some(Command::Stop | Command::Retire) | None) => return Ok(()),
                Err(_) if self.engine.live.passivate(self.session.uid, &self.desk.commands) => return Ok(()),
                Err(_) => {}
            }
            inbox::run_waiting(self).await?;
        }
        Ok(())
    }

    /// Deletes the session if nothing was ever said in it. True where it is gone.
    async fn take_back(&self) -> bool {
        if self.desk.tail.head.turn > TurnNo(0) || !self.state.inbox.is_empty() {
            return false;
        }
        let deleted = self.engine.delete_session(&self.session).await;
        deleted.inspect_err(|error| tracing::warn!(session.uid = %self.session.uid, %error, "the session of a refused input stays")).is_ok()
    }

    /// An input while no turn runs.
    async fn take(&mut self, post: Post) -> Result<(), Stopped> {
        let taken = Taken::new(&post.principal, post.input.hash, post.input.repeat);
        if let Some(answer) = self.desk.repeated(&self.state.inbox, &taken, post.input.reading()) {
            let _ = post.answer.send(answer);
            return Ok(());
        }
        turn::take(self, post, taken).await?;
        turn::run(self).await
    }

    /// What happened so far, for a reader who comes while no turn runs.
    fn look_back(&self, reading: Reading) -> Watcher {
        let closing = if self.state.turn.is_some() { Closing::Paused } else { Closing::Idle };
        let before = reading.since.map(|since| self.desk.tail.replay(since, self.desk.unsettled.durable, reading.follow));
        Watcher::of_past(before, &Shown::default(), reading.follow, closing)
    }

    /// Everybody who watches is told that nothing follows and let go; the answer is kept for who repeats the input.
    pub(crate) fn put_down(&mut self, closing: Closing) {
        let now = self.engine.clock.now();
        self.desk.put_down(&closing, now);
        self.prepared = None;
    }

    /// The head as it will be with the next batch.
    pub(crate) fn head(&mut self) -> &mut Head {
        &mut self.desk.tail.head
    }

    /// Reads the session anew, after what it holds was changed.
    pub(crate) fn refold(&mut self) -> Result<(), Error> {
        let inbox = std::mem::take(&mut self.state.inbox);
        self.state = fold::folded(&*self.engine.journal, self.session.uid, &self.desk.tail.head)?;
        self.state.inbox = inbox;
        Ok(())
    }

    /// The time of the next entry: never before the last.
    pub(crate) fn now(&self) -> Millis {
        self.desk.tail.now()
    }

    /// What goes on, as far as idling goes.
    pub(crate) fn rest(&self) -> Rest {
        let busy = self.state.turn.is_some() || !self.state.inbox.is_empty() || self.desk.unsettled.is_some();
        Rest { last_at: self.desk.tail.head.last_at, busy }
    }

    /// A client asked the turn to stop.
    pub(crate) fn interrupt(&mut self, by: Decider) {
        if let Some(turn) = &mut self.state.turn {
            turn.interrupted = Some(by);
        }
    }

    /// What the last model call consumed, for the head.
    pub(crate) fn note_usage(&mut self, usage: session::TokenUsage) {
        self.desk.tail.head.usage = Some(usage);
    }

    /// Appends a draft: the state has it at once, readers when it is durable.
    /// `Now` waits for that; `WithNext` goes on, and a later failure stops the turn.
    pub(crate) async fn append(&mut self, draft: Draft, step: u32, when: When) -> Result<(), Stopped> {
        let wait = when == When::Now;
        self.submit(draft, step, when)?;
        while wait && self.desk.unsettled.settle().await? {}
        Ok(())
    }

    /// Appends without waiting, whatever the urgency.
    pub(crate) fn submit(&mut self, draft: Draft, step: u32, when: When) -> Result<(), Stopped> {
        let (expect, turn) = (self.desk.tail.head.last, self.state.turn_no.max(self.desk.tail.head.turn));
        let at = self.now();
        let (mut entries, mut shown) = (Vec::with_capacity(draft.lines.len()), Vec::new());
        let mut audit = Vec::new();
        for Passage { turn, step, lines, shown: told } in draft.before {
            // Nothing of it was called or decided here: the audit log has no word of it.
            for line in lines.into_iter().flat_map(Line::with_receipt) {
                let entry = Arc::new(self.desk.tail.entry(line, at, turn, step));
                shown.extend(told.then(|| entry.clone()));
                entries.push(entry);
            }
        }
        let own = entries.len();
        for line in draft.lines {
            audit.extend(audited::rows(self, &line, turn, at));
            entries.extend(line.with_receipt().map(|line| Arc::new(self.desk.tail.entry(line, at, turn, step))));
        }
        for entry in &entries {
            if let Err(error) = self.state.apply(entry) {
                tracing::error!(session.uid = %self.session.uid, %error, "an entry of our own could not be read back");
                return Err(Stopped::Store);
            }
        }
        if let Some(running) = &draft.running {
            self.desk.tail.head.status = if running.is_some() { Status::Running } else { Status::Stopped };
        }
        let batch = Batch {
            entries: entries.iter().map(|entry| (**entry).clone()).collect(),
            rewrites: draft.rewrites,
            running: draft.running,
            inbox: draft.inbox,
            waits: draft.waits,
            idempotency: draft.idempotency,
            state: draft.writes,
            blobs: draft.blobs,
            audit,
            ..self.desk.tail.batch(expect)
        };
        let ticket = self.engine.journal.commit(vec![batch], when);
        shown.extend(entries.drain(own..));
        self.desk.unsettled.show(ticket, shown);
        Ok(())
    }

    /// Where arguments that the agent sets itself are looked up.
    pub(crate) fn sources<'a>(&'a self, agent: &'a Agent, now: Millis) -> Sources<'a> {
        Sources { agent, session: &self.session, now, state: &self.state }
    }

    /// The number of the turn that is about to begin, taken.
    pub(crate) fn next_turn(&mut self) -> TurnNo {
        let head = &mut self.desk.tail.head;
        head.turn = TurnNo(head.turn.0 + 1);
        self.state.turn_no = head.turn;
        head.turn
    }
}

/// Takes a task's handle out of the registry, however the task ends. The
/// task's own end of the mailbox is gone by then.
struct Forget {
    engine: Arc<Engine>,
    uid: Uid,
}

impl Drop for Forget {
    fn drop(&mut self) {
        self.engine.live.forget(self.uid);
    }
}

/// Answers a post that could not be taken.
pub(crate) fn refuse(answer: oneshot::Sender<Result<Watcher, Error>>, error: Error) {
    let _ = answer.send(Err(error));
}
