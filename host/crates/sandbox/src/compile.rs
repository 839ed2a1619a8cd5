//! From a component's bytes to a program that can be instantiated: out of the
//! cache where it was compiled before, else by a child process.

mod cache;

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use policy::Shape;
use rustix::process::Signal;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::child::{ARGUMENT, Answer, Task};
use crate::confine::Bounds;
use crate::descriptor::Tool;
use crate::engine::Kind;
use crate::error::Error;
use crate::instance::Program;
use crate::{census, describe, engine};
use cache::Cache;
pub(crate) use cache::{own, replace};

/// Wall clock for one child, for one that waits instead of computing: ten times its processor time, because on a busy
/// machine it gets only what the server, behind which it steps back, leaves over.
const CHILD_TIME: Duration = Duration::from_secs(600);

/// What a child may answer: the largest interpreters compile to some 50 MiB.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

/// What is read of a child's standard error: the line by which a compiler that fails says why.
const LAST_WORDS_BYTES_MAX: u64 = 4 << 10;

/// The first descriptor after the three standard streams.
const FIRST_DESCRIPTOR: i32 = 3;

/// How often a waiting parent looks whether the server is being stopped.
const LOOK: Duration = Duration::from_millis(50);

/// Turns bytes into programs of one engine, one component at a time.
pub(crate) struct Compiler {
    engine: Engine,
    kind: Kind,
    fingerprint: String,
    cache: Cache,
    workshop: Workshop,
    /// What is missing in the wall around the child was said.
    told: AtomicBool,
}

/// Where and how components are compiled, whatever the engine.
#[derive(Clone)]
pub(crate) struct Workshop {
    /// The directory of compiled forms.
    pub cache: PathBuf,
    /// What those may take on disk when it is opened.
    pub cache_bytes_max: u64,
    /// The file with the key that authenticates them.
    pub key: PathBuf,
    /// The program that compiles.
    pub child: PathBuf,
    /// What it may take for one component.
    pub bounds: Bounds,
    /// Set when the server is being stopped.
    pub stop: Arc<AtomicBool>,
}

/// A component that passed everything.
pub(crate) struct Compiled {
    pub program: Program,
    /// What it said of its tools; nothing where it was not asked.
    pub tools: Vec<Tool>,
}

impl Compiler {
    /// Opens the cache for an engine of a kind.
    pub(crate) fn open(engine: Engine, kind: Kind, workshop: Workshop) -> Result<Self, Error> {
        let fingerprint = engine::fingerprint(&engine);
        let cache = Cache::open(workshop.cache.clone(), &workshop.key, fingerprint.clone(), workshop.cache_bytes_max)?;
        Ok(Self { engine, kind, fingerprint, cache, workshop, told: AtomicBool::new(false) })
    }

    /// The program from the cache, where it was compiled and described before.
    pub(crate) fn cached(&self, digest: &str, shape: Shape) -> Option<Compiled> {
        let (tools, component) = self.cache.load(&self.engine, digest)?;
        self.finish(shape, tools, &component)
            .inspect_err(|why| tracing::warn!("a compiled plugin is not usable and is made again: {why}"))
            .ok()
    }

    /// Compiles and describes in a child process, and keeps the result.
    pub(crate) fn compile(&self, digest: &str, shape: Shape, bytes: Arc<[u8]>) -> Result<Compiled, String> {
        census::take(&bytes)?;
        let (answer, compiled) = self.ask_child(shape, bytes)?;
        let (fingerprint, tools, gaps) = match answer {
            Answer::Compiled { fingerprint, tools, gaps } => (fingerprint, tools, gaps),
            Answer::Refused(why) if why.contains(NO_MEMORY) => return Err(too_much_memory(&self.workshop.bounds)),
            Answer::Refused(why) => return Err(why),
        };
        if !gaps.is_empty() && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!("components are compiled with fewer walls around the compiler: {}", gaps.join("; "));
        }
        if fingerprint != self.fingerprint {
            return Err(format!(
                "the child compiled for {fingerprint}, this server needs {}; is {} the same version?",
                self.fingerprint,
                self.workshop.child.display()
            ));
        }
        self.cache.store(digest, &tools, &compiled).map_err(|error| format!("the compiled form cannot be kept: {error}"))?;
        let (tools, component) = self.cache.load(&self.engine, digest).ok_or("the compiled form cannot be read back")?;
        self.finish(shape, tools, &component)
    }

    fn finish(&self, shape: Shape, tools: Vec<Tool>, component: &Component) -> Result<Compiled, String> {
        Ok(Compiled { program: describe::link(&self.engine, self.kind, shape, component)?, tools })
    }

    fn ask_child(&self, shape: Shape, bytes: Arc<[u8]>) -> Result<(Answer, Vec<u8>), String> {
        let Workshop { child: program, bounds, .. } = &self.workshop;
        let task = Task { kind: self.kind, shape, bounds: *bounds };
        let task = serde_json::to_string(&task).map_err(|error| format!("the child that compiles cannot be told what to do: {error}"))?;
        // Whatever this process was itself started with, and nobody marked, stays here.
        close_fds::set_fds_cloexec_threadsafe(FIRST_DESCRIPTOR, &[]);
        let mut child = Command::new(program)
            .arg(ARGUMENT)
            .arg(task)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {} to compile the component: {error}", program.display()))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (answered, answer) = mpsc::channel();
        // The child reads everything before it answers, so one thread writes while others read.
        let writer = thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&bytes)));
        let reader = thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.map(|stdout| stdout.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut bytes));
            let _ = answered.send(read.is_some_and(|read| read.is_ok()).then_some(bytes));
        });
        let listener = thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stderr.map(|stderr| stderr.take(LAST_WORDS_BYTES_MAX).read_to_end(&mut bytes));
            bytes
        });
        let waited = self.wait(&answer);
        if waited.is_err() {
            let _ = child.kill();
        }
        let status = child.wait().map_err(|error| format!("the child that compiles was lost: {error}"))?;
        // All end with the child: their pipes are closed.
        let (_, _, last_words) = (writer.join(), reader.join(), listener.join());
        let waited = waited?;
        if !status.success() {
            return Err(died(status, &String::from_utf8_lossy(&last_words.unwrap_or_default()), bounds));
        }
        read_answer(&waited).ok_or_else(|| "the child that compiles gave an answer that cannot be read".to_owned())
    }

    /// The child's whole answer, unless it takes too long or the server is stopped.
    fn wait(&self, answer: &mpsc::Receiver<Option<Vec<u8>>>) -> Result<Vec<u8>, String> {
        let deadline = Instant::now() + CHILD_TIME;
        loop {
            match answer.recv_timeout(LOOK) {
                Ok(bytes) => return bytes.ok_or_else(|| "the child that compiles gave no answer".to_owned()),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err("the child that compiles was lost".into()),
                Err(mpsc::RecvTimeoutError::Timeout) if self.workshop.stop.load(Ordering::Acquire) => {
                    return Err("the server is being stopped".into());
                }
                Err(mpsc::RecvTimeoutError::Timeout) if Instant::now() > deadline => {
                    return Err(format!("compiling took longer than {} s", CHILD_TIME.as_secs()));
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

fn read_answer(bytes: &[u8]) -> Option<(Answer, Vec<u8>)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (text, compiled) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((serde_json::from_slice(text).ok()?, compiled.to_vec()))
}

/// Why a child ended without an answer, as far as its end tells.
fn died(status: ExitStatus, last_words: &str, bounds: &Bounds) -> String {
    let signal = status.signal().and_then(Signal::from_named_raw);
    if signal == Some(Signal::XCPU) {
        return format!("compiling it takes more than {} s of processor time; a component may not take more", bounds.cpu_seconds);
    }
    if last_words.contains(OUT_OF_MEMORY) {
        return too_much_memory(bounds);
    }
    let last_words: String =
        last_words.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").chars().take(300).collect();
    format!("the compiler failed on it ({status}): {last_words}")
}

fn too_much_memory(bounds: &Bounds) -> String {
    format!("compiling it takes more than {} MiB of memory; a component may not take more", bounds.memory_bytes >> 20)
}

/// How a Rust program words it when it gets no memory and ends.
const OUT_OF_MEMORY: &str = "memory allocation of";

/// How the system words it where the compiler lives to tell.
const NO_MEMORY: &str = "Cannot allocate memory";
