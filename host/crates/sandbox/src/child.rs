//! The child process that compiles a component and asks it for its tools: the
//! same binary with a private argument, an empty environment, no descriptors
//! but its two pipes, and bounds on memory and processor time. What a hostile
//! component does to a compiler, it does here.
//!
//! It reads the component from standard input and answers on standard output
//! with a frame: the length of a JSON text in four bytes, that text, and the
//! compiled form. Standard error holds the last words of a compiler that fails.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use policy::Shape;
use serde::{Deserialize, Serialize};
use wasmtime::component::Component;

use crate::confine::{Bounds, confine};
use crate::descriptor::{self, Tool};
use crate::engine::Kind;
use crate::{census, describe, engine};

/// The argument that makes the binary a child.
pub const ARGUMENT: &str = "__compile";

/// A component's file.
pub(crate) const COMPONENT_BYTES_MAX: u64 = 64 << 20;

/// What a child is asked to do, as JSON in the argument after [`ARGUMENT`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    /// For which engine.
    pub kind: Kind,
    /// As what.
    pub shape: Shape,
    /// What it may take.
    pub bounds: Bounds,
}

/// What the child says before the compiled form.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The compiled form follows.
    Compiled {
        /// What it was compiled for.
        fingerprint: String,
        /// What `describe` said, valid; nothing where it is not asked.
        tools: Vec<Tool>,
        /// Walls around the child that are not in force.
        gaps: Vec<String>,
    },
    /// The component cannot be used, and why.
    Refused(String),
}

/// Does the child's work where the arguments ask for it, and answers how the
/// process ends; none where this is no child. A program that opens a sandbox
/// calls this first thing in `main`, before it starts a runtime: the child has its own.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != ARGUMENT {
        return None;
    }
    let task = arguments.next().filter(|_| arguments.next().is_none())?;
    let worked = serde_json::from_slice(task.as_encoded_bytes()).map_err(io::Error::other).and_then(work);
    Some(match worked {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    })
}

fn work(task: Task) -> io::Result<()> {
    let gaps = confine(task.bounds)?;
    let mut bytes = Vec::new();
    io::stdin().lock().take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    let (answer, compiled) = match compile(task.kind, task.shape, &bytes) {
        Ok((fingerprint, tools, compiled)) => (Answer::Compiled { fingerprint, tools, gaps }, compiled),
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

fn compile(kind: Kind, shape: Shape, bytes: &[u8]) -> Result<(String, Vec<Tool>, Vec<u8>), String> {
    census::take(bytes)?;
    let engine = engine::open_one(kind).map_err(|error| error.to_string())?;
    let component = Component::from_binary(&engine, bytes).map_err(|error| format!("the component cannot be compiled: {error:#}"))?;
    let compiled = component.serialize().map_err(|error| format!("the compiled form cannot be written: {error:#}"))?;
    let program = describe::link(&engine, kind, shape, &component)?;
    let ticker = engine::Ticker::start(&engine).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|error| error.to_string())?;
    let running = ticker.running();
    let tools = runtime.block_on(describe::describe(&program, describe::World::Still))?;
    drop(running);
    let tools: Vec<Tool> = match shape {
        Shape::Native => descriptor::check(tools)?.into_iter().map(|checked| checked.tool).collect(),
        Shape::Functions | Shape::Command => tools,
    };
    Ok((engine::fingerprint(&engine), tools, compiled))
}
