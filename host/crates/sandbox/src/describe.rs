//! Asking a component what its tools are: in an empty store, with every
//! capability withheld, the clocks standing still and the random numbers
//! seeded, so that the answer depends on nothing but the component. Runs in the child.

use std::sync::Arc;
use std::time::{Duration, Instant};

use policy::{Limits, Shape};
use tool::Traits;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::random::Deterministic;

use crate::bindings::PluginPre;
use crate::bindings::exports::wardian::plugin::tools;
use crate::bindings::wardian::plugin::types;
use crate::call_log::CallLog;
use crate::descriptor::Tool;
use crate::engine::Kind;
use crate::functions::Functions;
use crate::guest::{Guest, Parts};
use crate::imports;
use crate::imports::clocks::{Coarse, Frozen};
use crate::imports::files::Files;
use crate::imports::http::Requests;
use crate::instance::{Entry, Program};
use crate::meter::Cpu;
use crate::outcome;

/// Processor time for `describe`. Interpreters start slowly.
const CPU: Duration = Duration::from_secs(2);

/// Wall clock for `describe`, for one that waits instead of computing. Long, because the child stands back behind the
/// server: where two processors are kept busy, two seconds of them take it half a minute.
const TIME: Duration = Duration::from_secs(120);

/// What `describe` may say: 64 tools with schemas of a sensible size.
const OUTPUT_BYTES: u64 = 1 << 20;

/// Links a compiled component of a shape, or says why it does not fit this server.
pub(crate) fn link(engine: &Engine, kind: Kind, shape: Shape, component: &Component) -> Result<Program, String> {
    let linker = imports::linker(engine).map_err(|error| format!("the imports cannot be linked: {error:#}"))?;
    let entry = linker.instantiate_pre(component).and_then(|pre| {
        Ok(match shape {
            Shape::Native => Entry::Native(PluginPre::new(pre)?),
            Shape::Functions => Entry::Functions(Arc::new(Functions::find(engine, component, pre))),
            Shape::Command => Entry::Command(CommandPre::new(pre)?),
        })
    });
    let entry = entry.map_err(|error| format!("the component does not fit this server: {error:#}"))?;
    Ok(Program { engine: engine.clone(), kind, entry })
}

/// The world in which a component is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    /// Clocks stand still, random numbers are always the same: this answer counts.
    Still,
    /// Clocks run, random numbers are others: for whoever looks whether that makes a difference.
    Running,
}

/// The component's tools, not yet validated: of a native one, which is the only one that is asked. What is known
/// of the others follows from their types and manifests.
pub(crate) async fn describe(program: &Program, world: World) -> Result<Vec<Tool>, String> {
    let ran = match &program.entry {
        Entry::Native(pre) => program.describe(nobody(world), pre).await,
        Entry::Functions(_) | Entry::Command(_) => return Ok(Vec::new()),
    };
    let last_words = ran.guest.log.finish();
    match ran.returned {
        Some(Ok(tools)) => Ok(tools.into_iter().map(tool).collect()),
        Some(Err(error)) => Err(format!("describe failed: {}", outcome::classify(&error, &ran.guest, &last_words))),
        None => Err(format!("describe took longer than {} s", TIME.as_secs())),
    }
}

/// A guest without a call, a caller or a grant.
fn nobody(world: World) -> Guest {
    let limits = Limits { cpu: CPU, time: TIME, output_bytes: OUTPUT_BYTES, ..Limits::default() };
    let log = CallLog::new("describe".into(), String::new(), limits.log_bytes);
    let mut wasi = WasiCtxBuilder::new();
    match world {
        World::Still => wasi
            .wall_clock(Frozen)
            .monotonic_clock(Frozen)
            .secure_random(Deterministic::new(SEED.to_vec()))
            .insecure_random(Deterministic::new(SEED.to_vec()))
            .insecure_random_seed(0),
        World::Running => wasi.wall_clock(Coarse::new()).monotonic_clock(Coarse::new()),
    };
    let wasi = wasi.allow_tcp(false).allow_udp(false).build();
    Guest::new(Parts {
        wasi,
        requests: Requests::none(),
        files: Files::default(),
        log,
        limits,
        deadline: Instant::now() + TIME,
        cpu: Cpu::default(),
        reach: None,
    })
}

/// The cycle of "random" bytes in `describe`.
const SEED: [u8; 8] = [3, 141, 59, 26, 53, 58, 97, 93];

fn tool(tool: tools::Tool) -> Tool {
    let has = |flag| tool.traits.contains(flag);
    let traits = Traits {
        read_only: has(types::Traits::READ_ONLY),
        idempotent: has(types::Traits::IDEMPOTENT),
        additive: has(types::Traits::ADDITIVE),
        closed_world: has(types::Traits::CLOSED_WORLD),
    };
    Tool { name: tool.name, description: tool.description, input: tool.input, output: tool.output, traits, annotations: tool.annotations }
}
