//! The installed plugins: which files there are, which versions of them serve,
//! and why one does not. One thread looks at the directory and prepares what is
//! new; everybody else reads an immutable snapshot that is swapped whole.

mod scan;
mod watch;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use arc_swap::ArcSwap;
use tokio::sync::watch as signal;
use tool::{PluginState, ToolId, ToolSpec};

use crate::census;
use crate::child::COMPONENT_BYTES_MAX;
use crate::compile::{Compiled, Compiler};
use crate::guest::PluginName;
use crate::instance::Program;
use crate::manifest::{self, Manifest};
use crate::schema::Schema;
use scan::{Found, Identity};

pub(crate) use watch::Watch;

/// One version of a plugin, ready to serve. Calls keep theirs to the end,
/// whatever happens to the file.
pub(crate) struct Version {
    pub name: PluginName,
    pub component: Arc<str>,
    pub tools_digest: Arc<str>,
    pub version: String,
    pub requests: Vec<String>,
    /// The same as words.
    pub asks: Vec<Vec<String>>,
    pub program: Program,
    pub tools: BTreeMap<String, Tool>,
}

/// One tool of a version.
pub(crate) struct Tool {
    /// As the author describes it, with the traits that the author claims.
    pub spec: Arc<ToolSpec>,
    pub input: Schema,
    pub output: Option<Schema>,
}

/// A plugin in the directory.
#[derive(Clone)]
pub(crate) struct Entry {
    pub file: PathBuf,
    pub state: PluginState,
    /// The version that serves, if one does.
    pub version: Option<Arc<Version>>,
}

/// All plugins by name.
pub(crate) type Snapshot = BTreeMap<String, Entry>;

/// How far the preparation of new files is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// How many are done.
    pub done: usize,
    /// How many there are to do.
    pub total: usize,
    /// The plugin that is being prepared, or was the last.
    pub plugin: String,
}

/// Called from the catalog's thread; must not block for long.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// What a catalog works with.
pub(crate) struct Parts {
    pub directory: PathBuf,
    pub compiler: Compiler,
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Counts the looks.
    pub settled: signal::Sender<u64>,
    pub stop: Arc<AtomicBool>,
    pub on_progress: Option<OnProgress>,
}

/// The thread's side of the catalog.
pub(crate) struct Catalog {
    parts: Parts,
    /// What was last seen of each plugin's files, prepared or refused.
    seen: BTreeMap<String, Identity>,
    /// A file that was being written was refused, and gets another look.
    unsure: bool,
}

impl std::ops::Deref for Catalog {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Catalog {
    /// A catalog that has seen nothing yet.
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts, seen: BTreeMap::new(), unsure: false }
    }

    /// Looks at the directory whenever something happens, until it is stopped.
    pub(crate) fn run(mut self, events: mpsc::Receiver<()>) {
        let watching = watch::Changes::new(events);
        loop {
            self.look();
            let waiting = self.snapshot.load().values().any(|entry| entry.state == PluginState::Preparing);
            self.settled.send_modify(|looks| *looks += 1);
            if self.stop.load(Ordering::Acquire) || !watching.wait(waiting || self.unsure) {
                return;
            }
        }
    }

    /// One look: drops what is gone, takes up what is cached, then compiles the
    /// rest.
    fn look(&mut self) {
        self.unsure = false;
        let found = match scan::directory(&self.directory) {
            Ok(scanned) => scanned,
            Err(error) => {
                tracing::warn!("cannot read the plugin directory {}: {error}", self.directory.display());
                return;
            }
        };
        self.forget(&found);
        let changed: Vec<(String, Found)> =
            found.into_iter().filter(|(name, found)| self.seen.get(name) != Some(&found.identity)).collect();
        let mut misses = Vec::new();
        for (name, found) in changed {
            self.publish(&name, &found.file, |entry| {
                if entry.version.is_none() {
                    entry.state = PluginState::Preparing;
                }
            });
            match read(&name, &found) {
                Ok(read) => match self.compiler.cached(&read.digest) {
                    Some(compiled) => self.serve(&name, found, read, compiled),
                    None => misses.push((name, found, read)),
                },
                Err(why) => self.refuse(&name, found, why),
            }
        }
        let total = misses.len();
        for (done, (name, found, read)) in misses.into_iter().enumerate() {
            self.progress(done, total, &name);
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            match self.compiler.compile(&read.digest, read.bytes.clone()) {
                Ok(compiled) => self.serve(&name, found, read, compiled),
                Err(why) => self.refuse(&name, found, why),
            }
            self.progress(done + 1, total, &name);
        }
    }

    fn progress(&self, done: usize, total: usize, plugin: &str) {
        if let Some(on_progress) = &self.on_progress {
            on_progress(Progress { done, total, plugin: plugin.to_owned() });
        }
    }

    fn forget(&mut self, found: &BTreeMap<String, Found>) {
        self.seen.retain(|name, _| found.contains_key(name));
        let snapshot = self.snapshot.load();
        if snapshot.keys().any(|name| !found.contains_key(name)) {
            let mut next = Snapshot::clone(&snapshot);
            next.retain(|name, _| {
                let stays = found.contains_key(name);
                if !stays {
                    tracing::info!(plugin.id = %name, "plugin {name} was removed");
                }
                stays
            });
            self.snapshot.store(Arc::new(next));
        }
    }

    fn serve(&mut self, name: &str, found: Found, read: Bytes, compiled: Compiled) {
        let version = Arc::new(version(name, &read, compiled));
        tracing::info!(plugin.id = name, component = %version.component, "plugin {name} {} serves {} tools", version.version, version.tools.len());
        self.publish(name, &found.file, |entry| {
            entry.state = PluginState::Ready;
            entry.version = Some(version);
        });
        self.seen.insert(name.to_owned(), found.identity);
    }

    /// A file that was written a moment ago may only be half there: nothing is
    /// said about it yet.
    fn refuse(&mut self, name: &str, found: Found, why: String) {
        if found.recent {
            self.unsure = true;
            return;
        }
        tracing::warn!(plugin.id = name, "{} is not taken into service: {why}", found.file.display());
        self.publish(name, &found.file, |entry| {
            entry.state = if entry.version.is_some() { PluginState::Stale(why) } else { PluginState::Refused(why) };
        });
        self.seen.insert(name.to_owned(), found.identity);
    }

    fn publish(&self, name: &str, file: &Path, change: impl FnOnce(&mut Entry)) {
        let mut next = Snapshot::clone(&self.snapshot.load());
        let entry =
            next.entry(name.to_owned()).or_insert_with(|| Entry { file: file.to_owned(), state: PluginState::Preparing, version: None });
        entry.file = file.to_owned();
        change(entry);
        self.snapshot.store(Arc::new(next));
    }
}

/// What was read of a plugin.
struct Bytes {
    bytes: Arc<[u8]>,
    digest: String,
    manifest: Manifest,
}

/// Reads a plugin's files whole, and its manifest from wherever it lies.
fn read(name: &str, found: &Found) -> Result<Bytes, String> {
    if let Some(why) = &found.unfit {
        return Err(why.clone());
    }
    let bytes = read_file(&found.file, COMPONENT_BYTES_MAX)?;
    let again = scan::identity(&found.file, found.manifest.as_deref());
    if again.as_ref() != Some(&found.identity) {
        return Err("the file changed while it was read; it is looked at again".into());
    }
    let census = census::take(&bytes)?;
    let text = match &found.manifest {
        Some(file) => Some(String::from_utf8_lossy(&read_file(file, manifest::BYTES_MAX as u64)?).into_owned()),
        None => census.manifest,
    };
    let manifest = text.as_deref().map(Manifest::parse).transpose()?.unwrap_or_default();
    if let Some(other) = manifest.name.as_deref().filter(|other| *other != name) {
        tracing::info!(plugin.id = name, "plugin {name} calls itself {other:?}; the file's name counts");
    }
    Ok(Bytes { digest: crate::sha256(&bytes), bytes: bytes.into(), manifest })
}

/// A component's bytes, as [`read`] takes them.
pub(crate) fn read_component(path: &Path) -> Result<Vec<u8>, String> {
    read_file(path, COMPONENT_BYTES_MAX)
}

/// A regular file, not followed through a link.
fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, String> {
    use rustix::fs::{Mode, OFlags};
    let cannot = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|error| cannot(error.into()))?);
    let metadata = file.metadata().map_err(cannot)?;
    if !metadata.is_file() {
        return Err(format!("{} is not a regular file", path.display()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(bytes_max)).unwrap_or(0));
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("{} is larger than {bytes_max} bytes", path.display()));
    }
    Ok(bytes)
}

fn version(name: &str, read: &Bytes, compiled: Compiled) -> Version {
    let component: Arc<str> = read.digest.as_str().into();
    let tools_digest: Arc<str> = compiled.tools_digest.as_str().into();
    let version = read.manifest.version();
    let tools = compiled.tools.into_iter().map(|checked| {
        let tool = checked.tool;
        let spec = ToolSpec {
            id: ToolId { plugin: name.to_owned(), name: tool.name.clone() },
            description: tool.description,
            input: tool.input.into(),
            output: tool.output.map(Into::into),
            traits: tool.traits,
            title: checked.title,
            component: component.clone(),
            tools: tools_digest.clone(),
            version: version.clone(),
        };
        (tool.name, Tool { spec: Arc::new(spec), input: checked.input, output: checked.output })
    });
    let tools = tools.collect();
    let (requests, asks) = (read.manifest.phrases(), read.manifest.asks());
    Version { name: name.into(), component, tools_digest, version, requests, asks, program: compiled.program, tools }
}
