//! One guest from its birth to its end: a fresh store and instance, the limits
//! around it, and what is left of it afterwards.

use std::time::Instant;

use tokio::time::timeout_at;
use tool::Usage;
use wasmtime::{CallHook, Engine, Store, UpdateDeadline};

use crate::bindings::exports::wardian::plugin::tools;
use crate::bindings::wardian::plugin::types;
use crate::bindings::{Plugin, PluginPre};
use crate::engine::Kind;
use crate::guest::{Cause, Guest};

/// Fuel for a guest without a budget, on an engine that counts all the same: when it describes itself.
const FUEL_UNBOUNDED: u64 = u64::MAX;

/// Live handles on resources inside the component, beside those that the host counts.
pub(crate) const COMPONENT_HANDLES_MAX: usize = 10_000;

/// What a guest may pass to the host in one call where it has no cache: a
/// request's body comes in pieces, and an answer is far smaller.
const PASSED_BYTES_MAX: usize = 4 << 20;

/// The same for a guest with a cache, whose files are written whole.
const PASSED_WITH_CACHE_BYTES_MAX: usize = 32 << 20;

/// What came of running a guest.
pub(crate) struct Ran<T> {
    /// What the export returned; none where time ran out.
    pub returned: Option<wasmtime::Result<T>>,
    /// The guest's data, with its notes.
    pub guest: Guest,
    /// What it consumed.
    pub usage: Usage,
}

/// A component that is ready to be instantiated.
#[derive(Clone)]
pub(crate) struct Program {
    pub engine: Engine,
    pub kind: Kind,
    pub pre: PluginPre<Guest>,
}

impl Program {
    /// Runs `invoke` in a fresh instance.
    pub(crate) async fn invoke(&self, guest: Guest, call: types::Call) -> Ran<Result<Vec<types::Content>, types::ToolError>> {
        self.run(guest, async |plugin, store| plugin.wardian_plugin_tools().call_invoke(store, &call).await).await
    }

    /// Runs `describe` in a fresh instance.
    pub(crate) async fn describe(&self, guest: Guest) -> Ran<Vec<tools::Tool>> {
        self.run(guest, async |plugin, store| plugin.wardian_plugin_tools().call_describe(store).await).await
    }

    async fn run<T>(&self, guest: Guest, export: impl AsyncFnOnce(&Plugin, &mut Store<Guest>) -> wasmtime::Result<T>) -> Ran<T> {
        let began = Instant::now();
        let (cpu, deadline) = (guest.cpu.clone(), guest.deadline);
        let budget = guest.limits.fuel.unwrap_or(FUEL_UNBOUNDED);
        let mut store = store(&self.engine, guest);
        let running = async {
            if self.kind == Kind::Fueled {
                store.set_fuel(budget)?;
            }
            let plugin = self.pre.instantiate_async(&mut store).await?;
            store.data_mut().instantiated = true;
            export(&plugin, &mut store).await
        };
        let returned = timeout_at(deadline.into(), cpu.meter(running)).await.ok();
        let fuel = match self.kind {
            Kind::Plain => 0,
            Kind::Fueled => budget.saturating_sub(store.get_fuel().unwrap_or(budget)),
        };
        let guest = store.into_data();
        let (sent_bytes, received_bytes) = guest.requests.bytes();
        let usage = Usage {
            wall_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            cpu_us: cpu.used_us(),
            memory_bytes: guest.memory.peak(),
            host_calls: guest.host_calls,
            fuel,
            sent_bytes,
            received_bytes,
        };
        Ran { returned, guest, usage }
    }
}

fn store(engine: &Engine, guest: Guest) -> Store<Guest> {
    let with_cache = guest.reach.as_ref().is_some_and(|reach| reach.scope.policy().cache(&reach.scope.who()).is_ok());
    let passed = if with_cache { PASSED_WITH_CACHE_BYTES_MAX } else { PASSED_BYTES_MAX };
    let output = usize::try_from(guest.limits.output_bytes).unwrap_or(usize::MAX);
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| &mut guest.memory);
    store.set_hostcall_fuel(passed.max(output.saturating_mul(2)));
    store.set_max_component_handles(COMPONENT_HANDLES_MAX);
    store.call_hook(|mut context, crossing| match crossing {
        CallHook::CallingHost => context.data_mut().enter(),
        CallHook::ReturningFromHost | CallHook::CallingWasm | CallHook::ReturningFromWasm => Ok(()),
    });
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| {
        let guest = context.data_mut();
        guest.ticked();
        if guest.over_cpu() {
            guest.cause.get_or_insert(Cause::Cpu);
            return Ok(UpdateDeadline::Interrupt);
        }
        Ok(UpdateDeadline::Yield(1))
    });
    store
}
