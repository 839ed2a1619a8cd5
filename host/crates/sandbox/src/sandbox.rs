//! The sandbox as the server opens it: the engine, the catalog's thread and the
//! guests' threads, composed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use arc_swap::ArcSwap;
use policy::Policy;
use tokio::sync::{Semaphore, watch};

use crate::accepted::Accepted;
use crate::catalog::{Catalog, Looks, OnProgress, Parts, Snapshot, Watch};
use crate::compile::{Compiler, Workshop};
use crate::confine::Bounds;
use crate::engine::{self, Kind, Ticker};
use crate::error::Error;
use crate::fuel::Fueled;
use crate::gate::Gates;
use crate::lanes::Lanes;

/// Calls at the same time where nothing else is said.
pub const SLOTS: u32 = 64;

/// What a sandbox is opened with.
pub struct Options {
    /// Where plugins lie. Made if it is not there.
    pub plugins: PathBuf,
    /// Where compiled forms and the plugins' cache files are kept. Only the server writes there.
    pub cache: PathBuf,
    /// What compiled forms may take there: beyond it, those that were not used for longest are
    /// removed at the start, and compiled again where they are wanted.
    pub compiled_bytes_max: u64,
    /// Where the key lies that authenticates compiled forms, and which versions were accepted.
    pub data: PathBuf,
    /// What is allowed. Swapped whole when the operator changes it.
    pub policy: Arc<ArcSwap<Policy>>,
    /// The program that compiles when it is started with [`crate::child::ARGUMENT`]: the server itself.
    pub child: PathBuf,
    /// What it may take for one component.
    pub compiling: Bounds,
    /// Calls at the same time, of all plugins together.
    pub slots: u32,
    /// Told how far the compiling of new plugins is.
    pub on_progress: Option<OnProgress>,
}

/// Runs tools. Everything about it is in [`tool::Toolbox`], but opening and closing it.
pub struct Sandbox {
    pub(crate) policy: Arc<ArcSwap<Policy>>,
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) gates: Gates,
    pub(crate) ticker: Arc<Ticker>,
    pub(crate) fueled: Arc<Fueled>,
    pub(crate) lanes: Lanes,
    pub(crate) egress: crate::imports::http::Egress,
    pub(crate) cache: PathBuf,
    pub(crate) accepted: Arc<Accepted>,
    settled: watch::Receiver<Looks>,
    stop: Arc<AtomicBool>,
    watch: Watch,
    catalog: Mutex<Option<JoinHandle<()>>>,
}

impl Sandbox {
    /// Opens the directories and starts the threads. Plugins come into service
    /// one after another; see [`Sandbox::wait_ready`].
    pub fn open(options: Options) -> Result<Arc<Self>, Error> {
        let Options { plugins, cache, compiled_bytes_max, data, policy, child, compiling, slots, on_progress } = options;
        std::fs::create_dir_all(&plugins).map_err(|cause| Error::Directory { path: plugins.clone(), cause })?;
        std::fs::create_dir_all(&data).map_err(|cause| Error::Directory { path: data.clone(), cause })?;
        let (engine, slots) = engine::open(slots)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (compiled, key) = (cache.join("compiled"), data.join("compile-cache.key"));
        let workshop = Workshop { cache: compiled, cache_bytes_max: compiled_bytes_max, key, child, bounds: compiling, stop: stop.clone() };
        let compiler = Compiler::open(engine.clone(), Kind::Plain, workshop.clone())?;
        let ticker = Arc::new(Ticker::start(&engine)?);
        let fueled = Fueled::new(workshop, ticker.clone());
        let lanes = Lanes::start()?;
        let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::new()));
        let accepted = Arc::new(Accepted::open(data.join("accepted"))?);
        let (looked, settled) = watch::channel(Looks::default());
        let (watch, notices) = Watch::start(&plugins);
        let parts = Parts {
            directory: plugins,
            compiler,
            policy: policy.clone(),
            accepted: accepted.clone(),
            snapshot: snapshot.clone(),
            settled: looked,
            stop: stop.clone(),
            on_progress,
        };
        let catalog = thread::Builder::new()
            .name("plugin-catalog".into())
            .spawn(move || Catalog::new(parts).run(notices))
            .map_err(|error| Error::Engine(format!("cannot start the thread of the catalog: {error}")))?;
        Ok(Arc::new(Self {
            policy,
            snapshot,
            slots: Arc::new(Semaphore::new(slots as usize)),
            gates: Gates::default(),
            ticker,
            fueled,
            lanes,
            egress: crate::imports::http::egress(),
            cache: cache.join("plugins"),
            accepted,
            settled,
            stop,
            watch,
            catalog: Mutex::new(Some(catalog)),
        }))
    }

    /// Whether all plugins that were there at the start are prepared. Stays so:
    /// one that is added or changed later comes into service beside the others.
    pub fn ready(&self) -> bool {
        self.settled.borrow().prepared
    }

    /// Tells that another policy was swapped in: what has a grant now is written
    /// down as it is, so that any change of it is noticed.
    pub fn policy_changed(&self) {
        self.watch.wake();
    }

    /// Waits until [`Sandbox::ready`].
    pub async fn wait_ready(&self) {
        let mut settled = self.settled.clone();
        while !self.ready() {
            if settled.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits until the plugin directory was looked at once more. That happens
    /// soon after a change, and now and then in any case. A look counts from this
    /// call on: whoever checks something before he waits misses none.
    pub fn looked(&self) -> impl Future<Output = ()> + use<> {
        let mut settled = self.settled.clone();
        settled.mark_unchanged();
        async move {
            let _ = settled.changed().await;
        }
    }

    /// Stops preparing plugins and refuses new calls; running ones go on.
    pub fn shutdown(&self) {
        self.stop.store(true, Ordering::Release);
        self.slots.close();
        self.watch.wake();
        let catalog = self.catalog.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(catalog) = catalog {
            let _ = catalog.join();
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shutdown();
    }
}
