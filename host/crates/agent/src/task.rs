//! One live session: its state, its mailbox, and the one place where its
//! entries are appended.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use session::{
    Agent, Asker, Decider, Entry, Event, EventId, Head, HowEnded, Kind, Millis, Principal, Resolved, Session, State, Status, TurnNo, Uid,
    Waiting,
};
use storage::{Batch, Blob, Idempotency, IdempotencyKey, InboxChange, Rewrite, Running, StateWrite, Ticket, WaitChange, When};
use tokio::sync::{mpsc, oneshot};

use crate::Engine;
use crate::error::Error;
use crate::expiry::Rest;
use crate::hub::{Closing, Hub, Past, Watcher};
use crate::live::{Command, Post, Repeat};
use crate::prepared::Prepared;
use crate::references::Sources;
use crate::{audited, edits, expiry, fold, inbox, recovery, turn, waits};

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
    head: Head,
    epoch: u64,
    /// How often the running turn was taken up, this time included.
    pub(crate) attempt: u32,
    /// Told to the registry: whether it may stop this task to make room.
    idle: Arc<AtomicBool>,
}

/// What stays at hand while a future of the turn borrows the state.
pub(crate) struct Desk {
    pub(crate) commands: mpsc::Receiver<Command>,
    /// Shared with the sink of the model call that runs.
    pub(crate) hub: Arc<Hub>,
    /// What the running turn answers, by principal and input: a repeat joins it.
    pub(crate) asked: Option<Asked>,
    /// The idempotency key that the running turn was posted with.
    pub(crate) repeat: Option<[u8; 32]>,
    /// The turn before, for a repeat of its input.
    pub(crate) past: Option<(Asked, Past, Millis)>,
    pub(crate) unsettled: Unsettled,
    /// The server wants to stop: end after this turn.
    pub(crate) retiring: bool,
}

/// Batches on their way to the store, oldest first, with the entries to show then.
pub(crate) struct Unsettled {
    waiting: VecDeque<(Ticket, Vec<Arc<Entry>>)>,
    hub: Arc<Hub>,
    key: String,
}

/// Whose input of which content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) key: Uid,
    pub(crate) subject: Option<String>,
    pub(crate) hash: [u8; 32],
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

/// Entries of one batch in the making.
#[derive(Default)]
pub(crate) struct Draft {
    /// Events and marks, in order.
    pub(crate) lines: Vec<Line>,
    /// Whether a turn runs afterwards, where that changes.
    pub(crate) running: Option<Option<Running>>,
    /// Stored entries that get another content.
    pub(crate) rewrites: Vec<Rewrite>,
    /// Inputs that begin or end to wait.
    pub(crate) inbox: Vec<InboxChange>,
    pub(crate) waits: Vec<WaitChange>,
    pub(crate) idempotency: Vec<(IdempotencyKey, Idempotency)>,
    pub(crate) writes: Vec<StateWrite>,
    pub(crate) blobs: Vec<Blob>,
}

/// One entry in the making.
pub(crate) enum Line {
    /// A `tool_output` brings its receipt along, as a mark right behind it.
    Event(Event),
    /// Calls begin to wait.
    Waiting(Waiting),
    /// A wait is over.
    Resolved(Resolved),
    /// Any other mark, as JSON.
    Mark(Kind, String),
}

impl Draft {
    pub(crate) fn event(&mut self, event: Event) {
        self.lines.push(Line::Event(event));
    }

    /// A mark whose content is plain data.
    pub(crate) fn mark(&mut self, kind: Kind, content: &impl serde::Serialize) {
        self.lines.push(Line::Mark(kind, json(content)));
    }
}

/// A mark's body.
fn json(content: &impl serde::Serialize) -> String {
    serde_json::to_string(content).expect("a mark is made of JSON values")
}

impl Task {
    /// The life of a session in memory: wake, take commands, run turns, go to sleep.
    pub(crate) async fn run(engine: Arc<Engine>, session: Arc<Session>, commands: mpsc::Receiver<Command>, idle: Arc<AtomicBool>) {
        let _forget = Forget { engine: engine.clone(), uid: session.uid };
        if tokio::time::timeout(TOOLS_WAIT, engine.toolbox.settled()).await.is_err() {
            tracing::warn!("some plugins are still being prepared; turns that begin now do without their tools");
        }
        match Self::wake(engine.clone(), session.clone(), commands, idle) {
            Ok(mut task) => {
                if let Err(stopped) = task.live().await {
                    task.desk.let_go(stopped);
                    if stopped == Stopped::Store {
                        engine.resume_later(session);
                    }
                }
            }
            Err(error) => tracing::error!(session.uid = %session.uid, %error, "a session could not be read"),
        }
    }

    fn wake(engine: Arc<Engine>, session: Arc<Session>, commands: mpsc::Receiver<Command>, idle: Arc<AtomicBool>) -> Result<Self, Error> {
        // What the caller read may have changed before this task was there to hear of it.
        let record = engine.directory.get(session.uid)?.ok_or(storage::Error::Gone(session.uid))?;
        let session = Arc::new(crate::sessions::decode(&record)?);
        engine.live.changed(session.clone());
        let epoch = engine.journal.lease(session.uid)?;
        let head = engine.journal.head(session.uid)?.unwrap_or_default();
        let mut state = fold::folded(&*engine.journal, session.uid, &head)?;
        state.inbox = inbox::waiting(&*engine.journal, session.uid)?;
        let hub = Arc::new(Hub::new(engine.limits.watcher_bytes));
        let unsettled = Unsettled { waiting: VecDeque::new(), hub: hub.clone(), key: session.key.clone() };
        let desk = Desk { commands, hub, asked: None, repeat: None, past: None, unsettled, retiring: false };
        let attempt = engine.journal.running_turn(session.uid)?.map_or(1, |running| running.attempt + 1);
        Ok(Self { engine, session, state, desk, prepared: None, head, epoch, attempt, idle })
    }

    async fn live(&mut self) -> Result<(), Stopped> {
        match self.state.turn.as_ref().map(|turn| turn.paused) {
            Some(None) => recovery::take_up(self).await?,
            Some(Some(at)) => self.remember_pause(at),
            None => {}
        }
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
                // Between commands a turn is there only if it is paused.
                Ok(Some(Command::Interrupt { by, stream, answer })) if self.state.turn.is_some() => {
                    let _ = answer.send(Ok(self.desk.hub.watch(stream)));
                    self.interrupt(by);
                    turn::run(self).await?;
                }
                Ok(Some(Command::Interrupt { answer, .. })) => drop(answer.send(Err(Error::Idle))),
                Ok(Some(Command::Stop | Command::Retire) | None) => return Ok(()),
                Err(_) if self.engine.live.passivate(self.session.uid, &self.desk.commands) => return Ok(()),
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// An input while no turn runs.
    async fn take(&mut self, post: Post) -> Result<(), Stopped> {
        let asked = Asked::new(&post.principal, post.input.hash);
        if let Some(watcher) = self.repeated(&asked, post.input.repeat, post.input.stream) {
            let _ = post.answer.send(watcher);
            return Ok(());
        }
        turn::begin(self, post, asked).await?;
        turn::run(self).await
    }

    /// Everybody who watches is told that nothing follows and let go; the answer is kept for who repeats the input.
    pub(crate) fn put_down(&mut self, closing: Closing) {
        let past = self.desk.hub.close(closing);
        let now = self.engine.clock.now();
        self.desk.past = self.desk.asked.take().map(|asked| (asked, past, now));
        (self.prepared, self.desk.repeat) = (None, None);
    }

    /// The head as it will be with the next batch.
    pub(crate) fn head(&mut self) -> &mut Head {
        &mut self.head
    }

    /// Reads the session anew, after what it holds was changed. Whoever repeats an input gets no answer from memory any more.
    pub(crate) fn refold(&mut self) -> Result<(), Error> {
        let inbox = std::mem::take(&mut self.state.inbox);
        self.state = fold::folded(&*self.engine.journal, self.session.uid, &self.head)?;
        self.state.inbox = inbox;
        self.desk.past = None;
        Ok(())
    }

    /// The time of the next entry: never before the last.
    pub(crate) fn now(&self) -> Millis {
        self.engine.clock.now().max(self.head.last_at)
    }

    /// What goes on, as far as idling goes.
    pub(crate) fn rest(&self) -> Rest {
        let busy = self.state.turn.is_some() || !self.state.inbox.is_empty() || self.desk.unsettled.is_some();
        Rest { last_at: self.head.last_at, busy }
    }

    /// A client asked the turn to stop.
    pub(crate) fn interrupt(&mut self, by: Decider) {
        if let Some(turn) = &mut self.state.turn {
            turn.interrupted = Some(by);
        }
    }

    /// What the last model call consumed, for the head.
    pub(crate) fn note_usage(&mut self, usage: session::TokenUsage) {
        self.head.usage = Some(usage);
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
        let (expect, turn) = (self.head.last, self.state.turn_no.max(self.head.turn));
        let at = self.now();
        let mut entries = Vec::with_capacity(draft.lines.len());
        let mut audit = Vec::new();
        for line in draft.lines {
            audit.extend(audited::rows(self, &line, turn, at));
            let receipt = match &line {
                Line::Event(Event::ToolOutput { receipt, .. }) => Some(Line::Mark(Kind::Receipt, json(receipt))),
                Line::Event(_) | Line::Waiting(_) | Line::Resolved(_) | Line::Mark(..) => None,
            };
            for line in [Some(line), receipt].into_iter().flatten() {
                entries.push(Arc::new(self.entry(line, at, turn, step)));
            }
        }
        for entry in &entries {
            if let Err(error) = self.state.apply(entry) {
                tracing::error!(session.uid = %self.session.uid, %error, "an entry of our own could not be read back");
                return Err(Stopped::Store);
            }
        }
        if let Some(running) = &draft.running {
            self.head.status = if running.is_some() { Status::Running } else { Status::Stopped };
        }
        let batch = Batch {
            session: self.session.uid,
            tenant: self.session.tenant,
            epoch: self.epoch,
            expect,
            entries: entries.iter().map(|entry| (**entry).clone()).collect(),
            rewrites: draft.rewrites,
            head: self.head.clone(),
            running: draft.running,
            inbox: draft.inbox,
            waits: draft.waits,
            idempotency: draft.idempotency,
            state: draft.writes,
            blobs: draft.blobs,
            audit,
        };
        let ticket = self.engine.journal.commit(vec![batch], when);
        self.desk.hub.hold();
        self.desk.unsettled.waiting.push_back((ticket, entries));
        Ok(())
    }

    fn entry(&mut self, line: Line, at: Millis, turn: TurnNo, step: u32) -> Entry {
        let seq = self.head.last.next();
        let (kind, body) = match line {
            Line::Event(event) => {
                let id = EventId { session: self.session.uid, seq };
                (event.kind(), event.render(id, &self.session.key, at))
            }
            Line::Waiting(waiting) => (Kind::Waiting, json(&waiting).into()),
            Line::Resolved(resolved) => (Kind::Resolved, json(&resolved).into()),
            Line::Mark(kind, body) => (kind, body.into()),
        };
        (self.head.last, self.head.last_at, self.head.turn) = (seq, at, turn);
        self.head.listed += u64::from(kind.audience() == session::Audience::Listed);
        Entry { seq, at, turn, step, kind, body }
    }

    /// Where arguments that the agent sets itself are looked up.
    pub(crate) fn sources<'a>(&'a self, agent: &'a Agent, now: Millis) -> Sources<'a> {
        Sources { agent, session: &self.session, now, state: &self.state }
    }

    /// The number of the turn that is about to begin, taken.
    pub(crate) fn next_turn(&mut self) -> TurnNo {
        self.head.turn = TurnNo(self.head.turn.0 + 1);
        self.state.turn_no = self.head.turn;
        self.head.turn
    }
}

impl Unsettled {
    /// Waits for the oldest batch that is not durable yet and shows its entries.
    /// True while more wait after it. Safe to drop and call again.
    pub(crate) async fn settle(&mut self) -> Result<bool, Stopped> {
        let Some((ticket, _)) = self.waiting.front_mut() else { return Ok(false) };
        let results = ticket.await;
        let entries = self.waiting.pop_front().map(|(_, entries)| entries).unwrap_or_default();
        match results.into_iter().find_map(Result::err) {
            None => {}
            Some(storage::Error::Gone(_)) => {
                tracing::info!(session.key = %self.key, "the session was deleted while its turn ran");
                return Err(Stopped::Leaving);
            }
            Some(error) => {
                tracing::error!(session.key = %self.key, %error, "a batch was not stored; the turn stops here");
                return Err(Stopped::Store);
            }
        }
        self.hub.settled(&entries);
        Ok(!self.waiting.is_empty())
    }

    /// Whether a batch is on its way.
    pub(crate) fn is_some(&self) -> bool {
        !self.waiting.is_empty()
    }
}

impl Desk {
    /// The task ends in the middle of a turn: those who watch are told what that means for them.
    fn let_go(&self, stopped: Stopped) {
        match stopped {
            Stopped::Leaving => self.hub.abandon(),
            Stopped::Store => {
                let why = "the server could not store the turn; try again in a moment, and read the session's events first";
                self.hub.close(Closing::Ended(HowEnded::Failed(why.into())));
            }
        }
    }

    /// A command while a turn runs. Answers by whom the turn is to be stopped, if it is.
    pub(crate) fn while_running(&mut self, command: Option<Command>) -> Result<Option<Decider>, Stopped> {
        match command {
            Some(Command::Post(post)) => {
                let asked = Asked::new(&post.principal, post.input.hash);
                let _ = post.answer.send(self.join(&asked, post.input.repeat, post.input.stream));
                Ok(None)
            }
            Some(Command::Decide(decide)) => {
                let asked = Asked::new(&decide.principal, decide.input.hash);
                let _ = decide.answer.send(self.join(&asked, decide.input.repeat, decide.input.stream));
                Ok(None)
            }
            // What is due is looked at again when the turn pauses.
            Some(Command::Expire) => Ok(None),
            // It is not idle.
            Some(Command::Idle { .. }) => Ok(None),
            Some(Command::Interrupt { by, stream, answer }) => {
                let _ = answer.send(Ok(self.hub.watch(stream)));
                Ok(Some(by))
            }
            Some(Command::Edit(change)) => {
                change.refuse(Error::EditWhileRunning(self.unsettled.key.clone()));
                Ok(None)
            }
            Some(Command::Retire) => {
                self.retiring = true;
                Ok(None)
            }
            Some(Command::Stop) | None => Err(Stopped::Leaving),
        }
    }

    /// An input while a turn runs: one that the turn answers joins it.
    fn join(&self, asked: &Asked, repeat: Option<Repeat>, stream: bool) -> Result<Watcher, Error> {
        let same = self.asked.as_ref() == Some(asked);
        match repeat {
            Some(key) if self.repeat == Some(key.digest) && !same => Err(Error::KeyReused),
            // Another key is another input, whatever it says.
            Some(key) if self.repeat != Some(key.digest) => Err(Error::Busy(self.unsettled.key.clone())),
            _ if same => Ok(self.hub.watch(stream)),
            _ => Err(Error::Busy(self.unsettled.key.clone())),
        }
    }
}

impl Asked {
    pub(crate) fn new(principal: &Principal, hash: [u8; 32]) -> Self {
        Self { key: principal.key, subject: principal.subject.clone(), hash }
    }

    /// As the journal has it; none where its hash is no hash.
    pub(crate) fn of(asker: &Asker) -> Option<Self> {
        let hash = data_encoding::HEXLOWER.decode(asker.input_hash.as_bytes()).ok()?.try_into().ok()?;
        Some(Self { key: asker.key, subject: asker.subject.clone(), hash })
    }

    /// As it is written into the journal.
    pub(crate) fn asker(&self) -> Asker {
        Asker { key: self.key, subject: self.subject.clone(), input_hash: data_encoding::HEXLOWER.encode(&self.hash) }
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
