//! Wires everything together: the one file that names the concrete parts.

use std::net::SocketAddr;
use std::sync::Arc;

use agent::{Clock, Engine, Limits};
use anyhow::Context;
use api::{Doors, Keyring, Listener, Router};
use arc_swap::ArcSwap;
use audit::Clerk;
use model::Models;
use policy::Policy;
use sandbox::Sandbox;
use session::TurnLimits;
use storage::backends::redb::{self, Redb};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::host::Host;
use crate::leases::Leases;
use crate::owner::{self, OwnerKey};
use crate::{exposed, files, progress, shipped, trial};

/// What compiled forms may take in a data directory: three hundred of the largest, some 50 MiB each,
/// or thousands of the rest. A server that has more compiles some of them again at each start.
const COMPILED_BYTES_MAX: u64 = 16 << 30;

/// For whom a server is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// For the network.
    Serving,
    /// For the author of one project, to whom every build is a new component.
    Developing,
    /// For one command of the operator; keys are left as they are.
    Quiet,
}

/// All parts of a server that does not listen yet.
pub(crate) struct Server {
    /// The bounds and the addresses.
    pub(crate) settings: Settings,
    /// The sessions and the names.
    pub(crate) store: Arc<Redb>,
    /// What is allowed, for a time or for good.
    pub(crate) leases: Arc<Leases>,
    /// The tools.
    pub(crate) sandbox: Arc<Sandbox>,
    /// The turns.
    pub(crate) engine: Arc<Engine>,
    /// What the operator is told.
    pub(crate) host: Arc<Host>,
    /// The front doors.
    pub(crate) router: Router,
    /// What writes the audit log, for a server that serves.
    pub(crate) clerk: Option<Arc<Clerk>>,
    /// Cancelled when the server is to stop.
    pub(crate) stop: CancellationToken,
    /// The owner's key, for a server that serves.
    pub(crate) owner: Option<OwnerKey>,
    /// Why the default model is the one it is.
    pub(crate) model_reason: String,
}

/// Opens a server in its data directory. The store comes first: who holds it holds the directory.
pub(crate) async fn open(settings: &Settings, manner: Manner) -> anyhow::Result<Server> {
    exposed::warn_of_open_data(&settings.data);
    files::private_directory(&settings.data).with_context(|| format!("cannot make the data directory {}", settings.data.display()))?;
    let (store, models) = tokio::join!(store(settings), models(settings));
    let (store, (models, model_reason)) = (store?, models?);
    let models = Arc::new(models);
    unpack(settings)?;
    let leases = Arc::new(Leases::open(store.clone(), store.clone(), allowed(settings)?)?);
    let policy = leases.policy();
    let sandbox = sandbox(settings, policy.clone(), manner)?;

    let engine = Engine::new(agent::Options {
        journal: store.clone(),
        directory: store.clone(),
        toolbox: sandbox.clone(),
        models: models.clone(),
        limits: Limits {
            turn: TurnLimits { steps: settings.server.steps, calls: settings.server.calls, ..TurnLimits::default() },
            approvals: settings.server.approvals,
            client_tools: settings.server.client_tools,
            ..Limits::default()
        },
    });
    let keyring = Arc::new(Keyring::open(store.clone()).await.context("cannot read the keys")?);
    let owner = match manner {
        Manner::Serving | Manner::Developing => Some(adopt_owner(settings, &keyring).await?),
        Manner::Quiet => None,
    };
    shipped::create_once(&engine, keyring.home().id, &settings.data).await?;

    let stop = CancellationToken::new();
    let clerk = match manner {
        Manner::Serving | Manner::Developing => Some(clerk(settings, &store, &leases).await?),
        Manner::Quiet => None,
    };
    let host = Arc::new(Host::new(settings, store.clone(), sandbox.clone(), models, leases.clone(), clerk.clone()));
    let router = api::router(api::Options {
        engine: engine.clone(),
        keyring,
        operator: host.clone(),
        outbox: store.clone(),
        blobs: store.clone(),
        metrics: api::metrics::install().context("cannot start the metrics")?,
        secret: files::secret(&settings.data.join("page.key"), Clock.random()).context("cannot keep the secret of page keys")?,
        limits: api::Limits {
            body_bytes: settings.server.body_bytes,
            message_bytes: settings.server.message_bytes,
            requests_per_minute: settings.server.requests_per_minute,
            ..api::Limits::default()
        },
        allowed_hosts: settings.server.hosts.clone(),
        origins: settings.server.origins.clone(),
        on_disconnect: settings.server.on_disconnect,
        stop: stop.clone(),
    });
    Ok(Server { settings: settings.clone(), store, leases, sandbox, engine, host, router, clerk, stop, owner, model_reason })
}

impl Server {
    /// Listens on the address and on the operator's socket. Answers where.
    pub(crate) async fn listen(&self) -> anyhow::Result<(Vec<Listener>, SocketAddr)> {
        let wanted = self.settings.listen;
        let network = TcpListener::bind(wanted).await.with_context(|| {
            format!("cannot listen on {wanted}; if another server does, choose another address with --listen, or port 0 for any")
        })?;
        let network = match &self.settings.server.tls {
            None => Listener::plain(network),
            Some(tls) => api::server::Tls::from_files(&tls.cert, &tls.key).and_then(|tls| Listener::tls(network, tls)),
        };
        let network = network.context("cannot open the listener")?;
        let address = network.address().unwrap_or(wanted);
        let mut listeners = vec![network];
        let socket = self.settings.socket();
        match Listener::operator(&socket) {
            Ok(operator) => listeners.push(operator),
            // A path that is too long, or a file system without sockets: clients are served all the same.
            Err(error) => tracing::warn!(%error, "cannot listen on {}: the command line cannot reach this server", socket.display()),
        }
        Ok((listeners, address))
    }

    /// Serves until `stop` is cancelled, then lets turns and answers end.
    pub(crate) async fn serve(self, listeners: Vec<Listener>) {
        // Before anybody can post: a session that has an unfinished turn takes it up first.
        match self.engine.recover() {
            Ok(0) => {}
            Ok(turns) => tracing::info!(turns, "took up unfinished turns"),
            Err(error) => tracing::error!(%error, "unfinished turns could not be looked up; they stay for the next start"),
        }
        let engine = self.engine.clone();
        let reaping = tokio::spawn(async move { engine.reap().await });
        let engine = self.engine.clone();
        let expiring = tokio::spawn(async move { engine.expire().await });
        let engine = self.engine.clone();
        let idling = tokio::spawn(async move { engine.end_idle().await });
        let leases = self.leases.clone();
        let following = tokio::spawn(async move { leases.follow().await });
        let grace = self.settings.server.grace;
        let doors = Doors { drain: grace + Doors::default().drain, ..Doors::default() };
        let serving = api::serve(listeners, self.router.clone(), doors, self.stop.clone());
        let draining = async {
            self.stop.cancelled().await;
            reaping.abort();
            expiring.abort();
            idling.abort();
            following.abort();
            self.engine.drain(grace).await;
        };
        tokio::join!(serving, draining);
        // A socket that is left behind would only be replaced at the next start.
        let _ = std::fs::remove_file(self.settings.socket());
        self.close().await;
    }

    /// Ends the tools, then closes the store: last of all, because everything else may still write.
    pub(crate) async fn close(self) {
        self.stop.cancel();
        self.engine.drain(std::time::Duration::ZERO).await;
        if self.clerk.is_some()
            && let Err(error) = audit::Record::Stop.put(&*self.store, Clock.now()).await
        {
            tracing::warn!(%error, "the audit log does not say that the server stopped");
        }
        let (sandbox, store, clerk) = (self.sandbox.clone(), self.store.clone(), self.clerk);
        let closed = tokio::task::spawn_blocking(move || {
            sandbox.shutdown();
            if let Some(clerk) = clerk {
                clerk.finish();
            }
            store.close();
        });
        if let Err(error) = closed.await {
            tracing::error!(%error, "the store was not closed in order; the next start checks it");
        }
    }
}

/// Starts the audit log of a server that begins to serve. Commands leave theirs in
/// the store's outbox; the next server carries them out.
async fn clerk(settings: &Settings, store: &Arc<Redb>, leases: &Leases) -> anyhow::Result<Arc<Clerk>> {
    let policy = leases.policy().load_full();
    let start = audit::Record::Start { version: env!("CARGO_PKG_VERSION"), policy: policy.digest() };
    start.put(&**store, Clock.now()).await.context("cannot begin the audit log")?;
    let options = audit::Options { directory: settings.audit(), outbox: store.clone() };
    Ok(Arc::new(Clerk::start(options).context("cannot start the audit log")?))
}

/// What the settings allow, with the grants of what is shipped.
pub(crate) fn allowed(settings: &Settings) -> anyhow::Result<Policy> {
    let builtin = shipped::grants(&knowledge(settings));
    let policy = Policy::build(&settings.policy, &settings.base, &builtin).map_err(|problems| settings.complaints(&problems))?;
    let mounts = settings.policy.plugin.iter().flat_map(|(name, entry)| {
        entry.files.iter().enumerate().map(move |(index, mount)| (format!("plugin.{name}.files[{index}].host"), &*mount.host))
    });
    let own = exposed::own_directories(mounts, &settings.base, &settings.data, &knowledge(settings));
    if !own.is_empty() {
        return Err(settings.complaints(&own).into());
    }
    let secrets = exposed::secrets(&policy);
    let policy = policy.noting(secrets);
    for warning in settings.complaints(policy.warnings()).0 {
        tracing::warn!("{warning}");
    }
    Ok(policy)
}

/// The models that the settings name, else the one that this machine has; and why.
pub(crate) async fn models(settings: &Settings) -> anyhow::Result<(Models, String)> {
    let environment = |name: &str| std::env::var(name).ok();
    if settings.models == model::config::ModelsFile::default() {
        return Ok(model::detect::detect(&environment).await);
    }
    let around = model::config::Surroundings { base: &settings.base, env: &environment };
    let models = settings.models.build(&around).map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(|it| policy::Problem::error(&*it.key, &*it.message, "")).collect();
        settings.complaints(&problems)
    })?;
    let reason = models.describe().join(", ");
    Ok((models, format!("{reason}, as configured")))
}

async fn store(settings: &Settings) -> anyhow::Result<Arc<Redb>> {
    let path = settings.data.join("wardian.redb");
    let options = redb::Options { progress: Some(progress::checking()), ..redb::Options::default() };
    let opened = tokio::task::spawn_blocking(move || Redb::open(path, options)).await.context("opening the store")?;
    Ok(Arc::new(opened?))
}

fn sandbox(settings: &Settings, policy: Arc<ArcSwap<Policy>>, manner: Manner) -> anyhow::Result<Arc<Sandbox>> {
    exposed::warn_of_open_plugins(&settings.plugins);
    let (compiled_bytes_max, on_progress) = match manner {
        Manner::Serving => (COMPILED_BYTES_MAX, progress::compiling()),
        Manner::Developing => (trial::COMPILED_BYTES_MAX, progress::compiling()),
        Manner::Quiet => (COMPILED_BYTES_MAX, None),
    };
    let options = sandbox::Options {
        plugins: settings.plugins.clone(),
        cache: settings.data.join("cache"),
        compiled_bytes_max,
        data: settings.data.clone(),
        policy,
        child: std::env::current_exe().context("cannot find the server's own program, which compiles plugins")?,
        compiling: sandbox::confine::Bounds::default(),
        slots: sandbox::SLOTS,
        on_progress,
    };
    Sandbox::open(options).context("cannot open the sandbox")
}

/// Puts what is shipped in its place. A plugin directory that cannot be written is the operator's decision.
fn unpack(settings: &Settings) -> anyhow::Result<()> {
    match shipped::unpack_plugins(&settings.plugins, shipped::all()) {
        Ok(written) if written.is_empty() => {}
        Ok(written) => tracing::info!(plugins = written.join(" "), "put the shipped plugins into {}", settings.plugins.display()),
        Err(error) => tracing::warn!(%error, "the shipped plugins were not put into {}", settings.plugins.display()),
    }
    let knowledge = knowledge(settings);
    shipped::unpack_knowledge(&knowledge).with_context(|| format!("cannot write the knowledge base to {}", knowledge.display()))
}

async fn adopt_owner(settings: &Settings, keyring: &Keyring) -> anyhow::Result<OwnerKey> {
    let owner = OwnerKey::find(std::env::var(owner::VARIABLE).ok(), &settings.owner_key(), Clock.random())?;
    keyring.ensure_owner(owner.expose()).await.context("cannot take the owner's key")?;
    Ok(owner)
}

/// The one folder of the data directory that is meant for a plugin.
pub(crate) fn knowledge(settings: &Settings) -> std::path::PathBuf {
    settings.data.join("knowledge")
}
