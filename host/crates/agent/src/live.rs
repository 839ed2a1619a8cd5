//! The live sessions: one task and one mailbox each, started on demand,
//! passivated when idle. Lists and reads never start one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session::{Agent, Message, Principal, Session, Uid};
use tokio::sync::{mpsc, oneshot};

use crate::Engine;
use crate::error::{Error, Thing};
use crate::hub::Watcher;
use crate::task::Task;

/// Commands that wait for one session. Against a client that posts faster than turns end.
const MAILBOX: usize = 64;

/// An input to a session.
#[derive(Debug, Clone)]
pub struct Input {
    /// At least one, none empty.
    pub messages: Vec<Message>,
    /// SHA-256 of the messages as posted.
    pub hash: [u8; 32],
    /// The client's idempotency key, if it sent one.
    pub repeat: Option<Repeat>,
    /// Whether the answer is watched as it comes.
    pub stream: bool,
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
    /// Somebody wants the turn to stop, and to see its end.
    Interrupt { stream: bool, answer: oneshot::Sender<Result<Watcher, Error>> },
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
    pub(crate) answer: oneshot::Sender<Result<Watcher, Error>>,
}

#[derive(Clone)]
struct Handle {
    mailbox: mpsc::Sender<Command>,
    session: Arc<Session>,
}

/// Which sessions are live.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Live>);

#[derive(Default)]
struct Live {
    handles: HashMap<Uid, Handle>,
    names: HashMap<(Uid, String), Uid>,
    draining: bool,
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

    /// A session's record changed.
    pub(crate) fn changed(&self, session: Arc<Session>) {
        if let Some(handle) = self.lock().handles.get_mut(&session.uid) {
            handle.session = session;
        }
    }

    /// A session is gone: its task stops.
    pub(crate) fn drop_session(&self, uid: Uid) {
        self.lock().remove(|session| session.uid == uid);
    }

    /// An agent is gone: the tasks of its sessions stop.
    pub(crate) fn drop_agent(&self, uid: Uid) {
        self.lock().remove(|session| session.agent == uid);
    }

    /// A task wants to end: it may, if nobody has written to it meanwhile.
    pub(crate) fn passivate(&self, uid: Uid, mailbox: &mpsc::Receiver<Command>) -> bool {
        let mut live = self.lock();
        if !mailbox.is_empty() {
            return false;
        }
        live.remove(|session| session.uid == uid);
        true
    }

    /// A task has ended; its mailbox is closed. One that was started since stays.
    pub(crate) fn forget(&self, uid: Uid) {
        let mut live = self.lock();
        if live.handles.get(&uid).is_some_and(|handle| handle.mailbox.is_closed()) {
            live.remove(|session| session.uid == uid);
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

    /// Every task is told to stop where it is.
    pub(crate) fn stop_all(&self) {
        self.lock().remove(|_| true);
    }
}

impl Live {
    fn remove(&mut self, which: impl Fn(&Session) -> bool) {
        self.handles.retain(|_, handle| {
            let goes = which(&handle.session);
            if goes {
                // A full mailbox is closed by dropping the last sender below; the task sees that as well.
                let _ = handle.mailbox.try_send(Command::Stop);
            }
            !goes
        });
        let handles = &self.handles;
        self.names.retain(|_, uid| handles.contains_key(uid));
    }
}

impl Engine {
    /// Posts input: a turn begins, or the one that this input began before is
    /// joined. Answers with a watcher of that turn as soon as the session took it;
    /// what the watcher shows is durable, this answer alone promises nothing.
    pub async fn post(
        self: &Arc<Self>,
        agent: Arc<Agent>,
        session: Arc<Session>,
        principal: &Principal,
        input: Input,
    ) -> Result<Watcher, Error> {
        if !agent.enabled {
            return Err(Error::Disabled(Thing::Agent, agent.key.clone()));
        }
        if !session.enabled {
            return Err(Error::Disabled(Thing::Session, session.key.clone()));
        }
        let (answer, taken) = oneshot::channel();
        let post = Post { agent, session: session.clone(), principal: principal.clone(), input, answer };
        self.tell(&session, Command::Post(Box::new(post)))?;
        taken.await.unwrap_or_else(|_| Err(gone(&session)))
    }

    /// Stops the running turn and answers with a watcher of its end.
    pub async fn interrupt(self: &Arc<Self>, session: &Arc<Session>, stream: bool) -> Result<Watcher, Error> {
        let (answer, taken) = oneshot::channel();
        self.tell(session, Command::Interrupt { stream, answer })?;
        taken.await.unwrap_or_else(|_| Err(gone(session)))
    }

    /// Hands a command to the session's task, starting it where none runs.
    fn tell(self: &Arc<Self>, session: &Arc<Session>, command: Command) -> Result<(), Error> {
        let mut live = self.live.lock();
        let mailbox = match live.handles.get(&session.uid) {
            Some(handle) if !handle.mailbox.is_closed() => handle.mailbox.clone(),
            _ => self.start(&mut live, session, 0)?,
        };
        mailbox.try_send(command).map_err(|_| Error::Overloaded("inputs waiting for one session"))
    }

    /// Starts a session's task to take up a turn that was running when the server went down.
    pub(crate) fn resume(self: &Arc<Self>, session: &Arc<Session>, attempt: u32) -> Result<(), Error> {
        self.start(&mut self.live.lock(), session, attempt).map(drop)
    }

    fn start(self: &Arc<Self>, live: &mut Live, session: &Arc<Session>, attempt: u32) -> Result<mpsc::Sender<Command>, Error> {
        if live.draining {
            return Err(Error::Draining);
        }
        if live.handles.len() >= self.limits.sessions {
            return Err(Error::Overloaded("live sessions"));
        }
        let (mailbox, commands) = mpsc::channel(MAILBOX);
        live.handles.insert(session.uid, Handle { mailbox: mailbox.clone(), session: session.clone() });
        live.names.insert((session.agent, session.key.clone()), session.uid);
        self.tasks.spawn(Task::run(self.clone(), session.clone(), commands, attempt));
        Ok(mailbox)
    }
}

fn gone(session: &Session) -> Error {
    Error::NotFound { what: Thing::Session, name: session.key.clone() }
}
