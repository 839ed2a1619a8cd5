//! The live sessions: one task and one mailbox each, started on demand,
//! passivated when idle. Lists and reads never start one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session::{Agent, Behavior, Decider, Message, Principal, Purpose, Session, TurnNo, Uid};
use tokio::sync::{mpsc, oneshot};

use crate::Engine;
use crate::approvals::Decide;
use crate::brought::{self, Brought};
use crate::edits::Change;
use crate::error::{Error, Thing};
use crate::leaving::Awaiting;
use crate::past::Story;
use crate::since::{Reading, Since};
use crate::task::Task;
use crate::watcher::{Follow, Watcher};

/// Commands that wait for one session. Against a client that posts faster than turns end.
const MAILBOX: usize = 64;

/// An input to a session.
#[derive(Debug, Clone)]
pub struct Input {
    /// At least one, none empty; none at all where nothing is said, or where what it brings ends with what is to be answered.
    pub messages: Vec<Message>,
    /// What the turn is for.
    pub purpose: Purpose,
    /// SHA-256 of the input as posted, all that changes what it asks for.
    pub hash: [u8; 32],
    /// The client's idempotency key, if it sent one.
    pub repeat: Option<Repeat>,
    /// How much of the answer is followed as it comes.
    pub follow: Follow,
    /// How it waits while a turn runs, which refuses it otherwise.
    pub queue: Option<Queue>,
    /// What comes along with the messages. Only an input that answers and does not wait may bring something.
    pub brought: Brought,
    /// Whether its turn stops where whoever posted it is gone before they have its answer to read. Not of one that waits
    /// behind a turn.
    pub unless_left: bool,
}

/// How an input waits.
#[derive(Debug, Clone, Copy)]
pub struct Queue {
    /// Its answer is what happened since, up to the end of the turn that takes it.
    pub since: Since,
    /// Whether it enters the turn that runs or follows it.
    pub behavior: Behavior,
}

/// A client's idempotency key.
#[derive(Debug, Clone, Copy)]
pub struct Repeat {
    /// SHA-256 over principal, path and key.
    pub digest: [u8; 32],
}

/// What a session's task is told.
pub(crate) enum Command {
    /// Somebody posted input.
    Post(Box<Post>),
    /// Somebody decided about calls that wait.
    Decide(Box<Decide>),
    /// Something that waits is due.
    Expire,
    /// Somebody changes what is shown of the past.
    Edit(Change),
    /// It may have been idle for too long: it is to be deleted if so.
    Idle { looked: oneshot::Sender<()> },
    /// Whoever made it could not begin it: it is to be deleted if nothing was ever said in it.
    TakeBack { looked: oneshot::Sender<()> },
    /// Somebody wants the turn to stop, and to see its end.
    Interrupt { by: Decider, follow: Follow, answer: oneshot::Sender<Result<Watcher, Error>> },
    /// Somebody for whom this turn ran is gone.
    Leave { by: Decider, turn: TurnNo },
    /// Somebody wants to see what happened since, and what happens until the turn ends.
    Rejoin { reading: Reading, answer: oneshot::Sender<Result<Watcher, Error>> },
    /// The server wants to stop: no further turn.
    Retire,
    /// The session, its agent or the server goes away now.
    Stop,
}

/// An input with everything its turn needs.
pub(crate) struct Post {
    pub(crate) agent: Arc<Agent>,
    pub(crate) session: Arc<Session>,
    pub(crate) principal: Principal,
    pub(crate) input: Input,
    /// What it brings of the past, read.
    pub(crate) story: Story,
    pub(crate) answer: oneshot::Sender<Result<Watcher, Error>>,
}

struct Handle {
    mailbox: mpsc::Sender<Command>,
    session: Arc<Session>,
    /// Whether the task waits for a command; then it may be stopped to make room.
    idle: Arc<AtomicBool>,
}

impl Handle {
    /// Under what its session is found.
    fn name(&self) -> (Uid, String) {
        (self.session.agent, self.session.key.clone())
    }

    /// Tells the task to stop. A full mailbox is closed by dropping this sender, and the task sees that as well.
    fn stop(self) {
        let _ = self.mailbox.try_send(Command::Stop);
    }
}

/// Which sessions are live.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Live>);

#[derive(Default)]
struct Live {
    handles: HashMap<Uid, Handle>,
    /// Of sessions whose record was read or written since they are here: what a name leads to is in the store.
    names: HashMap<(Uid, String), Uid>,
    /// Those that are being deleted, and by how many: no name leads to them any more, and none comes into memory.
    going: HashMap<Uid, usize>,
    draining: bool,
}

/// A session that is being deleted; its task stops when this is dropped.
pub(crate) struct Going<'a> {
    registry: &'a Registry,
    uid: Uid,
}

impl Going<'_> {
    /// It could not be deleted, and stays. Its name leads to it again with the next change; until then the store says.
    pub(crate) fn stays(self) {
        self.registry.lock().one_less_going(self.uid);
        std::mem::forget(self);
    }
}

impl Drop for Going<'_> {
    fn drop(&mut self) {
        let mut live = self.registry.lock();
        live.one_less_going(self.uid);
        live.remove(self.uid);
    }
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Live> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record of a live session, as it is now.
    pub(crate) fn session(&self, agent: Uid, key: &str) -> Option<Arc<Session>> {
        let live = self.lock();
        let uid = live.names.get(&(agent, key.to_owned()))?;
        Some(live.handles.get(uid)?.session.clone())
    }

    /// The record of a session, if that is in memory, also where no name leads to it.
    pub(crate) fn record(&self, uid: Uid) -> Option<Arc<Session>> {
        self.lock().handles.get(&uid).map(|handle| handle.session.clone())
    }

    /// A session's record is this, or a later one: it was just read or written.
    pub(crate) fn changed(&self, session: Arc<Session>) {
        let live = &mut *self.lock();
        let Some(handle) = live.handles.get_mut(&session.uid) else { return };
        if handle.session.revision < session.revision {
            handle.session = session;
        }
        if !live.going.contains_key(&handle.session.uid) {
            live.names.insert(handle.name(), handle.session.uid);
        }
    }

    /// A session is about to be deleted. From here on the store alone says whether it is there.
    pub(crate) fn going(&self, uid: Uid) -> Going<'_> {
        let mut live = self.lock();
        *live.going.entry(uid).or_default() += 1;
        live.unname(uid);
        Going { registry: self, uid }
    }

    /// The same of a session that is not in memory; none where it is.
    pub(crate) fn going_asleep(&self, uid: Uid) -> Option<Going<'_>> {
        let mut live = self.lock();
        if live.handles.contains_key(&uid) {
            return None;
        }
        *live.going.entry(uid).or_default() += 1;
        Some(Going { registry: self, uid })
    }

    /// An agent is gone: the tasks of its sessions stop.
    pub(crate) fn drop_agent(&self, uid: Uid) {
        let mut live = self.lock();
        let of_agent: Vec<Uid> =
            live.handles.values().filter(|handle| handle.session.agent == uid).map(|handle| handle.session.uid).collect();
        of_agent.into_iter().for_each(|uid| live.remove(uid));
    }

    /// A task wants to end: it may, if nobody has written to it meanwhile.
    pub(crate) fn passivate(&self, uid: Uid, mailbox: &mpsc::Receiver<Command>) -> bool {
        let mut live = self.lock();
        if !mailbox.is_empty() {
            return false;
        }
        live.remove(uid);
        true
    }

    /// A task has ended; its mailbox is closed. One that was started since stays.
    pub(crate) fn forget(&self, uid: Uid) {
        let mut live = self.lock();
        if live.handles.get(&uid).is_some_and(|handle| handle.mailbox.is_closed()) {
            live.remove(uid);
        }
    }

    /// No further task begins; those that run end with their turn.
    pub(crate) fn drain(&self) {
        let mut live = self.lock();
        live.draining = true;
        for handle in live.handles.values() {
            // A full mailbox means that inputs wait; they are refused with the turn's end, when all are stopped.
            let _ = handle.mailbox.try_send(Command::Retire);
        }
    }

    /// Whether the server is about to stop.
    fn is_draining(&self) -> bool {
        self.lock().draining
    }

    /// Every task is told to stop where it is.
    pub(crate) fn stop_all(&self) {
        let mut live = self.lock();
        live.names.clear();
        live.handles.drain().for_each(|(_, handle)| handle.stop());
    }
}

impl Live {
    fn remove(&mut self, uid: Uid) {
        self.unname(uid);
        if let Some(handle) = self.handles.remove(&uid) {
            handle.stop();
        }
    }

    fn one_less_going(&mut self, uid: Uid) {
        if let Some(count) = self.going.get_mut(&uid) {
            *count -= 1;
            if *count == 0 {
                self.going.remove(&uid);
            }
        }
    }

    /// Its name leads to it no more. Another session may have that name by now, and keeps it.
    fn unname(&mut self, uid: Uid) {
        if let Some(name) = self.handles.get(&uid).map(Handle::name)
            && self.names.get(&name) == Some(&uid)
        {
            self.names.remove(&name);
        }
    }

    /// Stops one session that does nothing. False where all are busy.
    fn make_room(&mut self) -> bool {
        let idle = |handle: &&Handle| handle.idle.load(Ordering::Relaxed) && handle.mailbox.capacity() == MAILBOX;
        let Some(uid) = self.handles.values().find(idle).map(|handle| handle.session.uid) else { return false };
        self.remove(uid);
        true
    }
}

impl Engine {
    /// Posts input: a turn begins, or the one that this input began before is
    /// joined. Answers with a watcher of that turn as soon as the session took it;
    /// what the watcher shows is durable, this answer alone promises nothing.
    /// An input that has to wait is answered when it is durable that it waits.
    pub async fn post(
        self: &Arc<Self>,
        agent: Arc<Agent>,
        session: Arc<Session>,
        principal: &Principal,
        input: Input,
    ) -> Result<Watcher, Error> {
        takes_input(&agent, &session)?;
        if let Some(queue) = input.queue {
            self.may_replay(&session, queue.since, input.follow)?;
        }
        let (input, story) = brought::read(&agent, input).await?;
        let (answer, taken) = oneshot::channel();
        let leaves = input.unless_left;
        let post = Post { agent, session: session.clone(), principal: principal.clone(), input, story, answer };
        self.tell(&session, Command::Post(Box::new(post)))?;
        Awaiting { engine: self, session: &session, principal, taken, leaves }.answer().await
    }

    /// Stops the turn that runs or waits, and answers with a watcher of its end.
    pub async fn interrupt(self: &Arc<Self>, session: &Arc<Session>, principal: &Principal, follow: Follow) -> Result<Watcher, Error> {
        // A session that sleeps without a turn is not woken for this.
        if self.sleeps(session)? {
            return Err(Error::Idle);
        }
        let (answer, taken) = oneshot::channel();
        self.tell(session, Command::Interrupt { by: Decider::from(principal), follow, answer })?;
        taken.await.unwrap_or_else(|_| Err(self.not_taken(session)))
    }

    /// Whoever posted an input does not wait for its answer any more: this turn is stopped, if it is the one that runs
    /// and its answer is for nobody else. Drop the watcher first. Nobody waits for what comes of it.
    pub fn leave(self: &Arc<Self>, session: &Arc<Session>, principal: &Principal, turn: TurnNo) {
        // A turn that runs keeps its session in memory.
        let live = self.live.lock();
        let Some(handle) = live.handles.get(&session.uid) else { return };
        if handle.mailbox.try_send(Command::Leave { by: Decider::from(principal), turn }).is_err() {
            tracing::debug!(session.uid = %session.uid, turn = turn.0, "a turn that was left goes on: its session has too many commands waiting, or ended");
        }
    }

    /// Stops the turn that runs or waits, if one does. Nobody waits for what comes of it.
    pub fn abandon(self: &Arc<Self>, session: &Arc<Session>, principal: &Principal) {
        let (answer, _) = oneshot::channel();
        let stop = Command::Interrupt { by: Decider::from(principal), follow: Follow::Entries, answer };
        let told = self.sleeps(session).and_then(|sleeps| if sleeps { Ok(()) } else { self.tell(session, stop) });
        if let Err(error) = told {
            tracing::warn!(session.uid = %session.uid, %error, "a turn that nobody wants any more goes on");
        }
    }

    /// Whether a session is not in memory, and has no turn that runs or waits.
    fn sleeps(&self, session: &Session) -> Result<bool, Error> {
        Ok(self.live.record(session.uid).is_none()
            && self.journal.running_turn(session.uid)?.is_none()
            && self.journal.waits(session.uid)?.is_empty())
    }

    /// Why a session's task ended without an answer.
    pub(crate) fn not_taken(&self, session: &Session) -> Error {
        match self.directory.get(session.uid) {
            Ok(None) => Error::NotFound { what: Thing::Session, name: session.key.clone() },
            Ok(Some(_)) if self.live.is_draining() => Error::Draining,
            Ok(Some(_)) => Error::NotTaken(session.key.clone()),
            Err(error) => error.into(),
        }
    }

    /// Hands a command to the session's task, starting it where none runs.
    pub(crate) fn tell(self: &Arc<Self>, session: &Arc<Session>, command: Command) -> Result<(), Error> {
        let mut live = self.live.lock();
        let mailbox = match live.handles.get(&session.uid) {
            Some(handle) if !handle.mailbox.is_closed() => handle.mailbox.clone(),
            _ => self.start(&mut live, session)?,
        };
        mailbox.try_send(command).map_err(|_| Error::Overloaded("inputs waiting for one session"))
    }

    /// Starts a session's task to take up a turn that was running when the server went down.
    pub(crate) fn resume(self: &Arc<Self>, session: &Arc<Session>) -> Result<(), Error> {
        let mut live = self.live.lock();
        match live.handles.get(&session.uid) {
            // Somebody woke it; it takes the turn up by itself.
            Some(handle) if !handle.mailbox.is_closed() => Ok(()),
            _ => self.start(&mut live, session).map(drop),
        }
    }

    fn start(self: &Arc<Self>, live: &mut Live, session: &Arc<Session>) -> Result<mpsc::Sender<Command>, Error> {
        if live.draining {
            return Err(Error::Draining);
        }
        if live.going.contains_key(&session.uid) {
            return Err(Error::NotTaken(session.key.clone()));
        }
        if live.handles.len() >= self.limits.sessions && !live.make_room() {
            return Err(Error::Overloaded("live sessions"));
        }
        // Where an ended task is still in its place: what was read for this one is older than a name may lead to.
        live.unname(session.uid);
        let (mailbox, commands) = mpsc::channel(MAILBOX);
        let idle = Arc::new(AtomicBool::new(false));
        live.handles.insert(session.uid, Handle { mailbox: mailbox.clone(), session: session.clone(), idle: idle.clone() });
        self.tasks.spawn(Task::run(self.clone(), session.clone(), commands, idle));
        Ok(mailbox)
    }
}

/// Whether agent and session take input.
pub(crate) fn takes_input(agent: &Agent, session: &Session) -> Result<(), Error> {
    if !agent.enabled {
        return Err(Error::Disabled(Thing::Agent, agent.key.clone()));
    }
    if !session.enabled {
        return Err(Error::Disabled(Thing::Session, session.key.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::example;

    fn session(uid: u8, revision: u64) -> Arc<Session> {
        Arc::new(Session { uid: Uid([uid; 16]), revision, ..example() })
    }

    /// A registry in which a session was brought into memory.
    fn holding(registry: &Registry, session: &Arc<Session>) {
        let handle = Handle { mailbox: mpsc::channel(1).0, session: session.clone(), idle: Arc::default() };
        registry.lock().handles.insert(session.uid, handle);
    }

    fn found(registry: &Registry) -> Option<u64> {
        registry.session(example().agent, &example().key).map(|session| session.revision)
    }

    #[test]
    fn a_name_leads_to_what_the_store_has_and_not_to_what_a_caller_brought() {
        let (registry, brought) = (Registry::default(), session(1, 1));
        holding(&registry, &brought);
        assert_eq!(found(&registry), None);
        registry.changed(session(1, 2));
        registry.changed(session(1, 1));
        assert_eq!(found(&registry), Some(2));
    }

    #[test]
    fn a_session_that_is_being_deleted_is_found_in_the_store_alone() {
        let (registry, it) = (Registry::default(), session(1, 1));
        holding(&registry, &it);
        registry.changed(it.clone());
        let going = registry.going(it.uid);
        registry.changed(session(1, 2));
        assert_eq!(found(&registry), None);
        assert!(registry.record(it.uid).is_some());
        going.stays();
        registry.changed(session(1, 3));
        assert_eq!(found(&registry), Some(3));
        drop(registry.going(it.uid));
        assert!(registry.record(it.uid).is_none());
    }

    #[test]
    fn who_takes_the_name_of_a_deleted_session_keeps_it() {
        let (registry, old, new) = (Registry::default(), session(1, 1), session(5, 7));
        holding(&registry, &old);
        registry.changed(old.clone());
        let going = registry.going(old.uid);
        holding(&registry, &new);
        registry.changed(new);
        drop(going);
        assert_eq!(found(&registry), Some(7));
    }
}
