//! One guest from its birth to its end: a fresh store and instance, the limits
//! around it, and what is left of it afterwards.

use std::time::Instant;

use tokio::time::timeout_at;
use tool::Usage;
use wasmtime::{CallHook, Engine, Store, UpdateDeadline};
use wasmtime_wasi::p2::bindings::CommandPre;

use crate::bindings::PluginPre;
use crate::bindings::exports::wardian::plugin::tools;
use crate::bindings::wardian::plugin::types;
use crate::command;
use crate::engine::Kind;
use crate::functions::{self, Answer};
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
    pub entry: Entry,
}

/// How a call comes in: each shape of a component has its own way.
#[derive(Clone)]
pub(crate) enum Entry {
    /// By the contract.
    Native(PluginPre<Guest>),
    /// By any function that it exports.
    Functions(functions::Shared),
    /// As a program that is run.
    Command(CommandPre<Guest>),
}

impl Program {
    /// Runs a tool in a fresh instance.
    pub(crate) async fn invoke(&self, guest: Guest, call: types::Call) -> Ran<Answer> {
        self.run(guest, async |store| match &self.entry {
            Entry::Native(pre) => {
                let plugin = pre.instantiate_async(&mut *store).await?;
                store.data_mut().instantiated = true;
                plugin.wardian_plugin_tools().call_invoke(store, &call).await
            }
            Entry::Functions(functions) => functions.call(store, &call).await,
            Entry::Command(pre) => command::run(pre, store).await,
        })
        .await
    }

    /// Runs `describe` of a native plugin in a fresh instance.
    pub(crate) async fn describe(&self, guest: Guest, pre: &PluginPre<Guest>) -> Ran<Vec<tools::Tool>> {
        self.run(guest, async |store| {
            let plugin = pre.instantiate_async(&mut *store).await?;
            store.data_mut().instantiated = true;
            plugin.wardian_plugin_tools().call_describe(store).await
        })
        .await
    }

    async fn run<T>(&self, guest: Guest, work: impl AsyncFnOnce(&mut Store<Guest>) -> wasmtime::Result<T>) -> Ran<T> {
        let began = Instant::now();
        let (cpu, deadline) = (guest.cpu.clone(), guest.deadline);
        let budget = guest.limits.fuel.unwrap_or(FUEL_UNBOUNDED);
        let mut store = store(&self.engine, guest, self.result_bytes_max());
        let running = async {
            if self.kind == Kind::Fueled {
                store.set_fuel(budget)?;
            }
            work(&mut store).await
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

    /// What the result of a call may take here, beyond what any guest may pass to the host.
    fn result_bytes_max(&self) -> usize {
        match &self.entry {
            Entry::Functions(_) => functions::RESULT_BYTES_MAX,
            Entry::Native(_) | Entry::Command(_) => 0,
        }
    }
}

fn store(engine: &Engine, guest: Guest, result_bytes_max: usize) -> Store<Guest> {
    let with_cache = guest.reach.as_ref().is_some_and(|reach| reach.scope.policy().cache(&reach.scope.who()).is_ok());
    let passed = if with_cache { PASSED_WITH_CACHE_BYTES_MAX } else { PASSED_BYTES_MAX };
    let output = usize::try_from(guest.limits.output_bytes).unwrap_or(usize::MAX);
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| &mut guest.memory);
    store.set_hostcall_fuel(passed.max(output.saturating_mul(2)).max(result_bytes_max));
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
