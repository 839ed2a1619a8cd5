//! The child process that compiles a component and asks it for its tools: the
//! same binary with a private argument, an empty environment, no descriptors
//! but its two pipes, and bounds on memory and processor time. What a hostile
//! component does to a compiler, it does here.
//!
//! It reads the component from standard input and answers on standard output
//! with a frame: the length of a JSON text in four bytes, that text, and the
//! compiled form. It is not confined further: Landlock and seccomp are not in force.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, nice, setrlimit};
use serde::{Deserialize, Serialize};
use wasmtime::component::Component;

use crate::descriptor::{self, Tool};
use crate::{census, describe, engine};

/// The argument that makes the binary a child.
pub const ARGUMENT: &str = "__compile";

/// A component's file.
pub(crate) const COMPONENT_BYTES_MAX: u64 = 64 << 20;

/// Processor time of one child. A Python interpreter takes twenty seconds.
const CPU_SECONDS_MAX: u64 = 60;

/// Writable memory of one child. A Python interpreter takes a third of it.
const DATA_BYTES_MAX: u64 = 1 << 30;

/// How much the child steps back behind the server.
const NICENESS: i32 = 10;

/// What the child says before the compiled form.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The compiled form follows.
    Compiled {
        /// What it was compiled for.
        fingerprint: String,
        /// What `describe` said, valid.
        tools: Vec<Tool>,
    },
    /// The component cannot be used, and why.
    Refused(String),
}

/// Does the child's work where the arguments ask for it, and answers how the
/// process ends; none where this is no child. A program that opens a sandbox
/// calls this first thing in `main`, before it starts a runtime: the child has its own.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != ARGUMENT || arguments.next().is_some() {
        return None;
    }
    Some(match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

fn work() -> io::Result<()> {
    confine()?;
    let mut bytes = Vec::new();
    io::stdin().lock().take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    let (answer, compiled) = match compile(&bytes) {
        Ok((fingerprint, tools, compiled)) => (Answer::Compiled { fingerprint, tools }, compiled),
        Err(why) => (Answer::Refused(why), Vec::new()),
    };
    let text = serde_json::to_vec(&answer)?;
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    let mut out = io::stdout().lock();
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&text)?;
    out.write_all(&compiled)?;
    out.flush()
}

/// Address space is not bounded: the engine reserves much more of it than it uses.
fn confine() -> io::Result<()> {
    let at_most = |max| Rlimit { current: Some(max), maximum: Some(max) };
    setrlimit(Resource::Cpu, at_most(CPU_SECONDS_MAX))?;
    setrlimit(Resource::Data, at_most(DATA_BYTES_MAX))?;
    setrlimit(Resource::Core, at_most(0))?;
    // A lower priority is a courtesy; a system that refuses it still compiles.
    let _ = nice(NICENESS);
    Ok(())
}

fn compile(bytes: &[u8]) -> Result<(String, Vec<Tool>, Vec<u8>), String> {
    census::take(bytes)?;
    let (engine, _) = engine::open(1).map_err(|error| error.to_string())?;
    let component = Component::from_binary(&engine, bytes).map_err(|error| format!("the component cannot be compiled: {error:#}"))?;
    let compiled = component.serialize().map_err(|error| format!("the compiled form cannot be written: {error:#}"))?;
    let program = describe::link(&engine, &component)?;
    let ticker = engine::Ticker::start(&engine).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let running = ticker.running();
    let tools = runtime.block_on(describe::describe(&program))?;
    drop(running);
    let tools: Vec<Tool> = descriptor::check(tools)?.into_iter().map(|checked| checked.tool).collect();
    Ok((engine::fingerprint(&engine), tools, compiled))
}
