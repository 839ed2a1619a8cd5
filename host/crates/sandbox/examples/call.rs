//! What the sandbox costs: calls of the shipped calculator through
//! [`tool::Toolbox`] against the same component instantiated bare from a tuned
//! engine, in one run. `cargo run --release --example call -p sandbox`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rustix::time::{ClockId, clock_gettime};
use sandbox::{Options, SLOTS, Sandbox};
use tool::{CallContext, CallSink, Caller, KeyValue, Ports, StoreError, StoreScope, ToolCall, ToolId, Toolbox};
use wasmtime::component::{Component, Func, InstancePre, Linker, ResourceTable, Val};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

const ROUNDS: usize = 5;
const CALLS: u32 = 2_000;
const INPUT: &str = r#"{"expression": "1 + 2"}"#;

fn main() -> ExitCode {
    if let Some(code) = sandbox::child::main(std::env::args_os()) {
        return code;
    }
    compare();
    ExitCode::SUCCESS
}

#[tokio::main(flavor = "current_thread")]
async fn compare() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../plugins/dist/calculator.wasm");
    let bytes = std::fs::read(&file).expect("plugins/build has made the calculator");
    let place = tempfile::tempdir().expect("a directory for the plugin");
    let bare = Bare::new(&bytes);
    let sandbox = open(place.path(), &bytes).await;
    let (mut least_bare, mut least) = (Cost::MAX, Cost::MAX);
    for _ in 0..ROUNDS {
        let cost = measure(async || bare.call().await).await;
        least_bare = least_bare.min(cost);
        let cost = measure(async || assert!(sandbox.call(call()).await.end.is_done())).await;
        least = least.min(cost);
    }
    println!("bare tuned instance and call: {:.1} us wall, {:.1} us cpu", least_bare.wall, least_bare.cpu);
    println!("through the sandbox:          {:.1} us wall, {:.1} us cpu", least.wall, least.cpu);
    println!(
        "ratio: {:.2} wall, {:.2} cpu (least of {ROUNDS} rounds of {CALLS} calls)",
        least.wall / least_bare.wall,
        least.cpu / least_bare.cpu
    );
}

/// Microseconds for one call.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

impl Cost {
    const MAX: Self = Self { wall: f64::MAX, cpu: f64::MAX };

    fn min(self, other: Self) -> Self {
        Self { wall: self.wall.min(other.wall), cpu: self.cpu.min(other.cpu) }
    }
}

async fn measure(mut call: impl AsyncFnMut()) -> Cost {
    let (began, cpu) = (Instant::now(), process_cpu());
    for _ in 0..CALLS {
        call().await;
    }
    let each = |span: Duration| span.as_secs_f64() * 1e6 / f64::from(CALLS);
    Cost { wall: each(began.elapsed()), cpu: each(process_cpu().saturating_sub(cpu)) }
}

fn process_cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

async fn open(place: &std::path::Path, bytes: &[u8]) -> Arc<Sandbox> {
    std::fs::create_dir(place.join("plugins")).expect("the directory is new");
    std::fs::write(place.join("plugins/calculator.wasm"), bytes).expect("the directory is ours");
    let sandbox = Sandbox::open(Options {
        plugins: place.join("plugins"),
        cache: place.join("cache"),
        data: place.join("data"),
        policy: Arc::new(ArcSwap::default()),
        child: std::env::current_exe().expect("this program has a file"),
        compiling: sandbox::confine::Bounds::default(),
        slots: SLOTS,
        on_progress: None,
    })
    .expect("the sandbox opens");
    sandbox.wait_ready().await;
    sandbox
}

fn call() -> ToolCall {
    ToolCall {
        tool: ToolId { plugin: "calculator".into(), name: "calculate".into() },
        input: INPUT.into(),
        approval: None,
        context: CallContext {
            call: "call".into(),
            caller: Caller { tenant: "default".into(), agent: "assistant".into() },
            tenant_uid: "00".into(),
            session: "session".into(),
            user: None,
            trace: None,
        },
        ports: Ports { store: Arc::new(Nothing), sink: Arc::new(Nothing) },
    }
}

/// Ports to nowhere.
struct Nothing;

#[async_trait::async_trait]
impl KeyValue for Nothing {
    async fn get(&self, _: &str, _: StoreScope, _: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    async fn sizes(&self, _: &str, _: StoreScope) -> Result<Vec<(String, u64)>, StoreError> {
        Ok(Vec::new())
    }
}

impl CallSink for Nothing {
    fn progress(&self, _: Option<f32>, _: &str) {}

    fn cancelled(&self) -> bool {
        false
    }
}

/// The component without anything of ours around it.
struct Bare {
    engine: Engine,
    pre: InstancePre<State>,
}

#[derive(Default)]
struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl Bare {
    fn new(bytes: &[u8]) -> Self {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(100)
            .total_core_instances(400)
            .total_memories(200)
            .total_tables(400)
            .total_stacks(200)
            .max_memory_size(512 << 20)
            .table_elements(60_000)
            .linear_memory_keep_resident(256 << 10)
            .table_keep_resident(16 << 10)
            .async_stack_keep_resident(16 << 10)
            .decommit_batch_size(8)
            .pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool)).epoch_interruption(true).concurrency_support(false);
        let engine = Engine::new(&config).expect("the engine starts");
        let component = Component::from_binary(&engine, bytes).expect("the calculator compiles");
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("WASI links");
        linker.define_unknown_imports_as_traps(&component).expect("the rest links");
        let pre = linker.instantiate_pre(&component).expect("all imports are linked");
        Self { engine, pre }
    }

    async fn call(&self) {
        let mut store = Store::new(&self.engine, State::default());
        store.set_epoch_deadline(1_000_000);
        let instance = self.pre.instantiate_async(&mut store).await.expect("an instance");
        let tools = instance.get_export_index(&mut store, None, "wardian:plugin/tools@0.1.0").expect("the contract");
        let invoke = instance.get_export_index(&mut store, Some(&tools), "invoke").expect("the contract");
        let invoke: Func = instance.get_func(&mut store, invoke).expect("the contract");
        let call = [("tool", "calculate"), ("input", INPUT)].map(|(name, value)| (name.to_owned(), Val::String(value.into())));
        let mut results = [Val::Bool(false)];
        invoke.call_async(&mut store, &[Val::Record(call.to_vec())], &mut results).await.expect("an answer");
    }
}
