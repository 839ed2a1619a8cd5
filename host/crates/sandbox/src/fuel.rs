//! Plugins with a deterministic budget: their components compiled once more, for
//! the engine that counts fuel. Nothing here exists until an operator sets `fuel`
//! for a plugin that is called; the first such call waits for the compiler.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use policy::Shape;
use tokio::sync::watch;

use crate::catalog;
use crate::compile::{Compiler, Workshop};
use crate::engine::{self, Kind, Ticker};
use crate::instance::Program;

/// Programs that are kept; with more of them all are looked up in the cache on disk again.
const PROGRAMS_MAX: usize = 256;

/// What came of compiling one component, once it is known.
type Made = Option<Result<Program, String>>;

/// A component by its digest, in a shape.
type Which = (Arc<str>, Shape);

/// The components that count fuel.
pub(crate) struct Fueled {
    workshop: Workshop,
    ticker: Arc<Ticker>,
    programs: Mutex<HashMap<Which, watch::Receiver<Made>>>,
    /// Made with the first component, and held while one is compiled: one at a time.
    compiler: Mutex<Option<Compiler>>,
}

impl Fueled {
    /// Nothing yet.
    pub(crate) fn new(workshop: Workshop, ticker: Arc<Ticker>) -> Arc<Self> {
        Arc::new(Self { workshop, ticker, programs: Mutex::default(), compiler: Mutex::default() })
    }

    /// The program of the component with this digest, in this shape, which lies in this file.
    /// A caller that does not wait to the end stops nothing: the next one finds it further on.
    pub(crate) async fn program(self: &Arc<Self>, which: Which, file: PathBuf) -> Result<Program, String> {
        let mut made = self.find_or_begin(which, file);
        let made = made.wait_for(Option::is_some).await.map_err(|_| "it could not be compiled".to_owned())?;
        made.clone().unwrap_or_else(|| Err("it could not be compiled".into()))
    }

    fn find_or_begin(self: &Arc<Self>, which: Which, file: PathBuf) -> watch::Receiver<Made> {
        let mut programs = lock(&self.programs);
        if let Some(known) = programs.get(&which) {
            return known.clone();
        }
        if programs.len() >= PROGRAMS_MAX {
            programs.retain(|_, made| made.borrow().is_none());
        }
        let (done, made) = watch::channel(None);
        let (this, wanted) = (self.clone(), which.clone());
        // Where no thread can be started, the sender is dropped, and the waiting call hears of that.
        let started = thread::Builder::new().name("fuel-compiler".into()).spawn(move || this.make(&wanted, &file, &done));
        if started.is_ok() {
            programs.insert(which, made.clone());
        }
        made
    }

    /// Makes the program and tells it. What the compiler refused stays refused;
    /// what failed around it is tried again with the next call.
    fn make(&self, which: &Which, file: &Path, done: &watch::Sender<Made>) {
        let made = self.compile(which, file).unwrap_or_else(|why| {
            lock(&self.programs).remove(which);
            Err(why)
        });
        if let Err(why) = &made {
            tracing::warn!(component = %which.0, "{} cannot run with a budget of fuel: {why}", file.display());
        }
        let _ = done.send(Some(made));
    }

    fn compile(&self, (component, shape): &Which, file: &Path) -> Result<Result<Program, String>, String> {
        let mut compiler = lock(&self.compiler);
        let compiler = match &mut *compiler {
            Some(compiler) => compiler,
            none => none.insert(self.open().map_err(|error| error.to_string())?),
        };
        if let Some(compiled) = compiler.cached(component, *shape) {
            return Ok(Ok(compiled.program));
        }
        let bytes = catalog::read_component(file)?;
        if crate::sha256(&bytes) != **component {
            return Err("its file changed since it was taken into service".into());
        }
        Ok(compiler.compile(component, *shape, bytes.into()).map(|compiled| compiled.program))
    }

    fn open(&self) -> Result<Compiler, crate::Error> {
        let engine = engine::open_one(Kind::Fueled)?;
        self.ticker.also(&engine);
        Compiler::open(engine, Kind::Fueled, self.workshop.clone())
    }
}

/// Nothing that holds these locks leaves them half written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
