//! The wasmtime engine: its configuration, its pool of instance slots, and the
//! thread that ticks its epochs. Everything that is not needed by tools is
//! switched off here.
//!
//! There are two kinds of it. Counting fuel has to be compiled in, and costs
//! every loop and call; so plugins without a budget of fuel run on an engine
//! that does not count, and the other one is opened when a plugin first needs it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wasmtime::{Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::error::Error;

/// How often a spinning guest gives its thread back. A call over its processor
/// limit is stopped at most this much later.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// How long the ticker goes on after the last call, so that a steady trickle of
/// calls does not wake its thread each time.
const LINGER: Duration = Duration::from_secs(1);

/// The largest linear memory that the pool can hold. A plugin's own limit is
/// nearly always far below; this bounds what an operator can grant.
pub(crate) const MEMORY_BYTES_MAX: usize = 512 << 20;

/// Core instances in one component. Interpreters with adapters need about fifty.
pub(crate) const CORE_INSTANCES_MAX: u32 = 80;

/// Memories in one component.
pub(crate) const MEMORIES_MAX: u32 = 8;

/// Tables in one component.
pub(crate) const TABLES_MAX: u32 = 40;

/// Entries in one table.
const TABLE_ELEMENTS_MAX: usize = 60_000;

/// Native stack that guest code may use: a deeper recursion is a trap.
const STACK_BYTES_MAX: usize = 1 << 20;

/// The stack of the fiber a guest runs on: what guest code may use, and room for host calls.
const FIBER_STACK_BYTES: usize = 2 << 20;

/// What an engine's compiled code counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Nothing.
    Plain,
    /// Fuel.
    Fueled,
}

/// The configuration of the engine without fuel, with `slots` calls at the same
/// time. The child that compiles uses the same with one slot: the number of
/// slots does not show in compiled code.
fn plain(slots: u32) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        // Each slot may take all that one component may have: nobody's appetite is another's shortage.
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES_MAX))
        .total_memories(slots.saturating_mul(MEMORIES_MAX))
        .total_tables(slots.saturating_mul(TABLES_MAX))
        .total_stacks(slots.saturating_mul(2))
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_core_instance_size(8 << 20)
        .max_component_instance_size(8 << 20)
        .max_memory_size(MEMORY_BYTES_MAX)
        .max_unused_warm_slots(slots.min(16))
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(16 << 10)
        .async_stack_keep_resident(16 << 10)
        // At once: what waits in a batch stays resident until other calls fill it, and may be a limit's worth of memory each.
        .decommit_batch_size(1)
        .pagemap_scan(Enabled::Auto);

    let mut config = common();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// The configuration of the engine with fuel. Without a pool: a second one would
/// reserve the addresses of all slots again, for plugins that few operators
/// have. An instance costs some 200 microseconds more there.
fn fueled() -> Config {
    let mut config = common();
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand).consume_fuel(true);
    config
}

fn common() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .max_wasm_stack(STACK_BYTES_MAX)
        .async_stack_size(FIBER_STACK_BYTES)
        .wasm_component_model(true)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .shared_memory(false);
    config
}

/// Opens the engine with `slots` slots, or with fewer where the machine does not
/// let us reserve the addresses: half as many each time, with a line in the log.
pub(crate) fn open(slots: u32) -> Result<(Engine, u32), Error> {
    let mut slots = slots.max(1);
    loop {
        match Engine::new(&plain(slots)) {
            Ok(engine) => return Ok((engine, slots)),
            Err(error) if slots > 1 => {
                tracing::warn!(slots, "cannot reserve {slots} slots for guests, trying {}: {error:#}", slots / 2);
                slots /= 2;
            }
            Err(error) => return Err(Error::Engine(format!("{error:#}"))),
        }
    }
}

/// Opens the engine of a kind for one call at a time, or of the kind that needs no slots.
pub(crate) fn open_one(kind: Kind) -> Result<Engine, Error> {
    match kind {
        Kind::Plain => open(1).map(|(engine, _)| engine),
        Kind::Fueled => Engine::new(&fueled()).map_err(|error| Error::Engine(format!("{error:#}"))),
    }
}

/// What compiled code depends on besides the component: wasmtime's version and
/// settings, this processor, and our own form of the cache.
pub(crate) fn fingerprint(engine: &Engine) -> String {
    use std::hash::{Hash, Hasher};

    /// Feeds a `Hash` value into SHA-256, so that the name does not depend on
    /// the standard library's own hash function.
    struct Digest(sha2::Sha256);
    impl Hasher for Digest {
        fn write(&mut self, bytes: &[u8]) {
            sha2::Digest::update(&mut self.0, bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }

    let mut digest = Digest(sha2::Digest::new());
    CACHE_FORMAT.hash(&mut digest);
    engine.precompile_compatibility_hash().hash(&mut digest);
    crate::hex(&sha2::Digest::finalize(digest.0)[..8])
}

/// Raised when the cache's files, or what `describe` checks, change their meaning.
const CACHE_FORMAT: u32 = 1;

/// The thread that ticks the engines' epochs while calls run. It holds the engines weakly.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    ticking: Thread,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    engines: Mutex<Vec<EngineWeak>>,
    running: AtomicUsize,
    stop: AtomicBool,
}

impl Shared {
    fn tick(&self) {
        let engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        engines.iter().filter_map(EngineWeak::upgrade).for_each(|engine| engine.increment_epoch());
    }
}

impl Ticker {
    /// Starts the thread; it sleeps until the first call.
    pub(crate) fn start(engine: &Engine) -> Result<Self, Error> {
        let engines = Mutex::new(vec![engine.weak()]);
        let shared = Arc::new(Shared { engines, running: AtomicUsize::new(0), stop: AtomicBool::new(false) });
        let theirs = shared.clone();
        let thread = thread::Builder::new()
            .name("guest-epochs".into())
            .spawn(move || {
                let mut idle_since = Instant::now();
                while !theirs.stop.load(Ordering::Acquire) {
                    if theirs.running.load(Ordering::Acquire) > 0 {
                        idle_since = Instant::now();
                    } else if idle_since.elapsed() > LINGER {
                        thread::park();
                        // A wake-up counts as activity: it is not parked again before it has seen the call.
                        idle_since = Instant::now();
                        continue;
                    }
                    thread::sleep(TICK);
                    theirs.tick();
                }
            })
            .map_err(|error| Error::Engine(format!("cannot start the thread that ticks epochs: {error}")))?;
        Ok(Self { shared, ticking: thread.thread().clone(), thread: Some(thread) })
    }

    /// Ticks one more engine from now on.
    pub(crate) fn also(&self, engine: &Engine) {
        self.shared.engines.lock().unwrap_or_else(PoisonError::into_inner).push(engine.weak());
    }

    /// Keeps the ticks coming for as long as the guard lives.
    pub(crate) fn running(&self) -> Running {
        if self.shared.running.fetch_add(1, Ordering::AcqRel) == 0 {
            self.ticking.unpark();
        }
        Running(self.shared.clone())
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.ticking.unpark();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One running call, as the ticker counts them.
pub(crate) struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}
