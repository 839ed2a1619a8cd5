//! The calculator without anything of ours around it, on a tuned engine.

use wasmtime::component::{Component, Func, InstancePre, Linker, ResourceTable, Val};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::INPUT;

/// The component without anything of ours around it.
pub(crate) struct Bare {
    engine: Engine,
    pre: InstancePre<State>,
}

#[derive(Default)]
struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    crossings: u64,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl Bare {
    pub(crate) fn new(bytes: &[u8]) -> Self {
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

    /// One call in a fresh instance, with every crossing into the host seen or not.
    pub(crate) async fn call(&self, hook: bool) {
        let mut store = Store::new(&self.engine, State::default());
        if hook {
            store.call_hook(|mut context, _| {
                context.data_mut().crossings += 1;
                Ok(())
            });
        }
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
