//! From a component's bytes to a program that can be instantiated: out of the
//! cache where it was compiled before, else by a child process.

mod cache;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::child::{ARGUMENT, Answer};
use crate::descriptor::{self, Checked, Tool};
use crate::error::Error;
use crate::instance::Program;
use crate::{census, describe, engine};
use cache::Cache;

/// Wall clock for one child; a busy machine may take a multiple of the processor time.
const CHILD_TIME: Duration = Duration::from_secs(180);

/// What a child may answer: the largest interpreters compile to some 50 MiB.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

/// How often a waiting parent looks whether the server is being stopped.
const LOOK: Duration = Duration::from_millis(50);

/// Turns bytes into programs, one component at a time.
pub(crate) struct Compiler {
    engine: Engine,
    fingerprint: String,
    cache: Cache,
    child: PathBuf,
    stop: Arc<AtomicBool>,
}

/// A component that passed everything.
pub(crate) struct Compiled {
    pub program: Program,
    pub tools: Vec<Checked>,
    pub tools_digest: String,
}

impl Compiler {
    /// Opens the cache in `directory`; `key` is the file with the key that authenticates it.
    pub(crate) fn open(engine: Engine, directory: PathBuf, key: PathBuf, child: PathBuf, stop: Arc<AtomicBool>) -> Result<Self, Error> {
        let fingerprint = engine::fingerprint(&engine);
        let cache = Cache::open(directory, &key, fingerprint.clone())?;
        Ok(Self { engine, fingerprint, cache, child, stop })
    }

    /// The program from the cache, where it was compiled and described before.
    pub(crate) fn cached(&self, digest: &str) -> Option<Compiled> {
        let (tools, component) = self.cache.load(&self.engine, digest)?;
        self.finish(tools, &component).inspect_err(|why| tracing::warn!("a compiled plugin is not usable and is made again: {why}")).ok()
    }

    /// Compiles and describes in a child process, and keeps the result.
    pub(crate) fn compile(&self, digest: &str, bytes: Arc<[u8]>) -> Result<Compiled, String> {
        census::take(&bytes)?;
        let (fingerprint, tools, compiled) = self.ask_child(bytes)?;
        if fingerprint != self.fingerprint {
            return Err(format!(
                "the child compiled for {fingerprint}, this server needs {}; is {} the same version?",
                self.fingerprint,
                self.child.display()
            ));
        }
        self.cache.store(digest, &tools, &compiled).map_err(|error| format!("the compiled form cannot be kept: {error}"))?;
        let (tools, component) = self.cache.load(&self.engine, digest).ok_or("the compiled form cannot be read back")?;
        self.finish(tools, &component)
    }

    fn finish(&self, tools: Vec<Tool>, component: &Component) -> Result<Compiled, String> {
        let program = describe::link(&self.engine, component)?;
        let tools_digest = descriptor::digest(&tools)?;
        Ok(Compiled { program, tools: descriptor::check(tools)?, tools_digest })
    }

    fn ask_child(&self, bytes: Arc<[u8]>) -> Result<(String, Vec<Tool>, Vec<u8>), String> {
        let mut child = Command::new(&self.child)
            .arg(ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start {} to compile the component: {error}", self.child.display()))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (answered, answer) = mpsc::channel();
        // The child reads everything before it answers, so one thread writes while another reads.
        let writer = thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&bytes)));
        let reader = thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.map(|stdout| stdout.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut bytes));
            let _ = answered.send(read.is_some_and(|read| read.is_ok()).then_some(bytes));
        });
        let waited = self.wait(&answer);
        if waited.is_err() {
            let _ = child.kill();
        }
        let status = child.wait().map_err(|error| format!("the child that compiles was lost: {error}"))?;
        // Both end with the child: their pipes are closed.
        let _ = (writer.join(), reader.join());
        read_answer(&waited?, status)
    }

    /// The child's whole answer, unless it takes too long or the server is stopped.
    fn wait(&self, answer: &mpsc::Receiver<Option<Vec<u8>>>) -> Result<Vec<u8>, String> {
        let deadline = Instant::now() + CHILD_TIME;
        loop {
            match answer.recv_timeout(LOOK) {
                Ok(bytes) => return bytes.ok_or_else(|| "the child that compiles gave no answer".to_owned()),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err("the child that compiles was lost".into()),
                Err(mpsc::RecvTimeoutError::Timeout) if self.stop.load(Ordering::Acquire) => {
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

fn read_answer(bytes: &[u8], status: ExitStatus) -> Result<(String, Vec<Tool>, Vec<u8>), String> {
    if !status.success() {
        return Err(format!("compiling it was ended ({status}): it needs more memory or time than a component may take"));
    }
    let parse = || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (text, compiled) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        Some((serde_json::from_slice::<Answer>(text).ok()?, compiled))
    };
    match parse() {
        Some((Answer::Compiled { fingerprint, tools }, compiled)) => Ok((fingerprint, tools, compiled.to_vec())),
        Some((Answer::Refused(why), _)) => Err(why),
        None => Err("the child that compiles gave an answer that cannot be read".into()),
    }
}
