//! The engine: agents and sessions by name, one task per live session, the
//! turn loop, the only way to a tool, and the live news of a turn. It knows
//! neither HTTP nor WebAssembly, and not which front door an input came through.

mod agents;
mod approvals;
mod aside;
mod audited;
mod brought;
mod call;
mod client_calls;
mod client_tools;
pub mod clock;
mod compaction;
mod desk;
mod direct;
mod draft;
mod edits;
mod error;
mod expiry;
mod fold;
mod forks;
mod hub;
mod inbox;
mod leaving;
mod live;
mod options;
pub mod overrides;
mod parts;
mod past;
mod prepared;
mod recovery;
mod references;
mod repeats;
mod sessions;
mod since;
mod state_store;
mod steps;
mod streamed;
mod structured;
mod summary;
mod tail;
mod task;
pub mod template;
mod turn;
mod waits;
mod watcher;

use std::sync::Arc;
use std::time::Duration;

use session::{Session, Uid};
use storage::{Directory, Journal};
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tool::{Caller, Toolbox};

pub use agents::NewAgent;
pub use approvals::{Decision, Decisions, OpenApproval, OpenApprovals, Verdict};
pub use brought::{Brought, DECLARED_TOOLS, INSTRUCTIONS_BYTES, Past};
pub use client_calls::Outcome;
pub use client_tools::NewClientTool;
pub use clock::Clock;
pub use edits::Edit;
pub use error::{Error, Thing};
pub use forks::ForkOf;
pub use live::{Input, Queue, Repeat};
pub use options::{Limits, Options};
pub use overrides::{MASKED, Overrides, WrongOverride};
pub use past::PAST_ITEMS;
pub use sessions::{Listed, NewSession};
pub use since::{REPLAY_ENTRIES, Since};
pub use watcher::{CallNews, Closing, Follow, News, Part, Watcher};

/// Rows that are removed in one go; other writers wait no longer than that takes.
const REAP_ROWS: usize = 512;

/// Sessions that are copied at once. Against clients that ask for many copies, each with a summary, and go away.
const FORKS: usize = 16;

/// How often the store is looked through for what belongs to the dead.
const REAP_EVERY: Duration = Duration::from_secs(30);

/// The engine. One per server; shared by `Arc`.
pub struct Engine {
    journal: Arc<dyn Journal>,
    directory: Arc<dyn Directory>,
    toolbox: Arc<dyn Toolbox>,
    models: Arc<model::Models>,
    clock: Clock,
    limits: Limits,
    agents: agents::Cache,
    lists: prepared::Lists,
    live: live::Registry,
    /// Told when something begins to wait: the next look for what is due may have to come sooner.
    asked: Notify,
    /// Held while an agent that binds client tools is written, and while one of those is deleted: neither overtakes the other.
    bindings: Mutex<()>,
    /// Held by whoever changes how long a session may idle, and by whoever deletes one for having done so.
    idling: Mutex<()>,
    /// Copies of sessions that may be made at once.
    forks: Arc<Semaphore>,
    /// Questions to models beside all sessions that may run at once.
    asides: Semaphore,
    /// The server does not wait for what goes on any more.
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Engine {
    /// An engine of these parts. Nothing runs before the first input or `recover`.
    pub fn new(options: Options) -> Arc<Self> {
        Arc::new(Self {
            journal: options.journal,
            directory: options.directory,
            toolbox: options.toolbox,
            models: options.models,
            clock: Clock,
            limits: options.limits,
            agents: agents::Cache::default(),
            lists: prepared::Lists::default(),
            live: live::Registry::default(),
            asked: Notify::new(),
            bindings: Mutex::new(()),
            idling: Mutex::default(),
            forks: Arc::new(Semaphore::new(FORKS)),
            asides: Semaphore::new(aside::AT_ONCE),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }

    /// The tools of this server.
    pub fn toolbox(&self) -> &Arc<dyn Toolbox> {
        &self.toolbox
    }

    /// The models of this server.
    pub fn models(&self) -> &Arc<model::Models> {
        &self.models
    }

    /// Where names last; for the keys and tenants that the front doors keep there.
    pub fn directory(&self) -> &Arc<dyn Directory> {
        &self.directory
    }

    /// Where sessions last; for readiness.
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.journal
    }

    /// The name of a tenant, by which grants know it.
    pub(crate) fn tenant_name(&self, tenant: Uid) -> Result<Arc<str>, Error> {
        let record = self.directory.get(tenant)?;
        record.map(|record| record.name.into()).ok_or_else(|| Error::Damaged(tenant, "the tenant is gone".into()))
    }

    /// How grants and the audit log name whose session this is; a uid where the name is gone.
    pub(crate) fn named(&self, session: &Session) -> Caller {
        let agent = self.agent_of(session.agent).ok().flatten();
        Caller {
            tenant: self.tenant_name(session.tenant).unwrap_or_else(|_| session.tenant.hex().into()),
            agent: agent.map_or_else(|| session.agent.hex().into(), |agent| agent.key.as_str().into()),
        }
    }

    /// Removes rows that belong to deleted agents and sessions, slice by slice,
    /// so that deleting itself is quick. Runs until its future is dropped.
    pub async fn reap(&self) {
        loop {
            match self.directory.reap(REAP_ROWS).await {
                Ok(rows) if rows >= REAP_ROWS => tokio::task::yield_now().await,
                Ok(_) => tokio::time::sleep(REAP_EVERY).await,
                Err(error) => {
                    tracing::warn!(%error, "rows of deleted sessions could not be removed; trying again later");
                    tokio::time::sleep(REAP_EVERY).await;
                }
            }
        }
    }

    /// Does something to its end, also where whoever asked for it goes away meanwhile: what the store has and what is in
    /// memory change together.
    pub(crate) async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        match self.tasks.spawn(work).await {
            Ok(done) => done,
            Err(lost) => match lost.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::Draining),
            },
        }
    }

    /// Takes no further input, gives running turns `grace` to end, then stops
    /// the rest where they are: they are taken up at the next start.
    pub async fn drain(&self, grace: Duration) {
        self.live.drain();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::warn!("some turns did not end in time; they go on at the next start");
        }
        self.live.stop_all();
        self.stopping.cancel();
        self.tasks.wait().await;
    }
}
