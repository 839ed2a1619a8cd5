//! The installed plugins: which files there are, which versions of them serve,
//! and why one does not. One thread looks at the directory and prepares what is
//! new; everybody else reads an immutable snapshot that is swapped whole.

mod read;
mod scan;
mod watch;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use policy::{Policy, Shape};
use tokio::sync::watch as signal;
use tool::{PluginDigests, PluginState, ToolId, ToolSpec};

use crate::accepted::{self, Accepted, Standing};
use crate::command;
use crate::compile::{Compiled, Compiler};
use crate::descriptor;
use crate::guest::PluginName;
use crate::instance::{self, Program};
use crate::manifest::Requests;
use read::{Contents, Fault};
use scan::{Found, Identity, Wanted};
use schema::Schema;
use schema::text;

pub(crate) use read::component as read_component;
pub(crate) use watch::{Notices, Watch};

/// How often those who read hear of plugins that are taken up one right after the other.
const PUBLISH: Duration = Duration::from_millis(100);

/// How long a file may keep changing before that is said to be what is wrong with it.
const PATIENCE: Duration = Duration::from_secs(10);

/// One version of a plugin, ready to serve. Calls keep theirs to the end,
/// whatever happens to the file.
pub(crate) struct Version {
    pub name: PluginName,
    pub component: Arc<str>,
    pub tools_digest: Arc<str>,
    pub version: String,
    /// What it is, for comparing it with what was accepted.
    pub digests: PluginDigests,
    pub requests: Requests,
    pub shape: Shape,
    pub program: Program,
    pub tools: BTreeMap<String, Tool>,
    /// What the author says about the tools, word for word.
    pub described: Vec<descriptor::Tool>,
    /// What it exports that is no tool, each with the reason.
    pub skipped: Vec<String>,
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
    /// When the file that was taken up or refused last was modified, in milliseconds since 1970.
    pub modified_ms: Option<i64>,
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

/// How often the directory was looked at, and whether what was there at the start is prepared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Looks {
    pub count: u64,
    /// Stays so: a plugin that is added later is not waited for by anybody.
    pub prepared: bool,
}

/// What a catalog works with.
pub(crate) struct Parts {
    pub directory: PathBuf,
    pub compiler: Compiler,
    pub policy: Arc<ArcSwap<Policy>>,
    pub accepted: Arc<Accepted>,
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// Told after each look.
    pub settled: signal::Sender<Looks>,
    pub stop: Arc<AtomicBool>,
    pub on_progress: Option<OnProgress>,
}

/// The thread's side of the catalog.
pub(crate) struct Catalog {
    parts: Parts,
    /// What was last seen of each plugin's files, prepared or refused, and what the look alone said of them.
    seen: BTreeMap<String, (Identity, Option<String>, Wanted)>,
    /// What everybody else sees after the next [`Catalog::publish`].
    entries: Snapshot,
    published: Instant,
    /// Files that could not be taken while they were being written, and since when.
    unsure: BTreeMap<String, Instant>,
    /// Of which changed versions the log has told.
    told: BTreeMap<String, PluginDigests>,
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
        let (entries, published) = (Snapshot::new(), Instant::now());
        Self { parts, seen: BTreeMap::new(), entries, published, unsure: BTreeMap::new(), told: BTreeMap::new() }
    }

    /// Looks at the directory whenever something happens, until it is stopped.
    pub(crate) fn run(mut self, mut notices: Notices) {
        loop {
            let whole = self.look(&mut notices);
            self.publish();
            let prepared = whole && self.entries.values().all(|entry| entry.state != PluginState::Preparing);
            self.settled.send_modify(|looks| *looks = Looks { count: looks.count + 1, prepared: looks.prepared || prepared });
            if self.stop.load(Ordering::Acquire) || (whole && !notices.wait(!self.unsure.is_empty())) {
                return;
            }
        }
    }

    /// One look: drops what is gone, takes up what is cached, then compiles the
    /// rest. False where something new came in between: what is left waits for the next look.
    fn look(&mut self, notices: &mut Notices) -> bool {
        let mut found = match scan::directory(&self.directory, SystemTime::now()) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!("cannot read the plugin directory {}: {error}", self.directory.display());
                return true;
            }
        };
        self.forget(&found);
        let policy = self.policy.load_full();
        found.iter_mut().for_each(|(name, found)| found.wanted = wanted(&policy, name));
        let changed: Vec<(String, Found)> = found.into_iter().filter(|(name, found)| self.is_news(name, found)).collect();
        for (name, found) in &changed {
            let entry = self.entry(name, found, PluginState::Preparing);
            // What served in a shape that the operator no longer wants is no last good version.
            if entry.version.as_ref().is_some_and(|version| version.shape != found.wanted.shape) {
                (entry.state, entry.version) = (PluginState::Preparing, None);
            }
        }
        self.publish();
        let misses: Vec<(String, Found)> = changed.into_iter().filter_map(|(name, found)| self.take_up(name, found)).collect();
        self.publish();
        let whole = self.compile(misses, notices);
        self.freeze_all();
        whole
    }

    fn is_news(&self, name: &str, found: &Found) -> bool {
        let now = (&found.identity, &found.unfit, &found.wanted);
        self.seen.get(name).is_none_or(|(identity, unfit, wanted)| (identity, unfit, wanted) != now)
    }

    /// Serves a plugin that was compiled before; answers one that was not.
    fn take_up(&mut self, name: String, found: Found) -> Option<(String, Found)> {
        if self.stop.load(Ordering::Acquire) {
            return None;
        }
        if self.published.elapsed() >= PUBLISH {
            self.publish();
        }
        let taken = guarded(|| {
            let contents = read::plugin(&self.directory, &name, &found)?;
            let compiled = self.compiler.cached(&contents.digest, found.wanted.shape);
            compiled.map(|compiled| version(&name, &contents, &found.wanted, compiled)).transpose().map_err(Fault::Unfit)
        });
        match taken {
            Ok(None) => return Some((name, found)),
            Ok(Some(version)) => self.serve(&name, found, version),
            Err(fault) => self.refuse(&name, found, fault),
        }
        None
    }

    /// One after the other. The bytes are read again, so that at most one component is held in memory.
    fn compile(&mut self, misses: Vec<(String, Found)>, notices: &mut Notices) -> bool {
        let total = misses.len();
        for (done, (name, found)) in misses.into_iter().enumerate() {
            if self.stop.load(Ordering::Acquire) {
                return true;
            }
            if done > 0 && notices.came() {
                return false;
            }
            self.progress(done, total, &name);
            let made = guarded(|| {
                let contents = read::plugin(&self.directory, &name, &found)?;
                // The same component under another name may have been compiled meanwhile.
                let compiled = self
                    .compiler
                    .cached(&contents.digest, found.wanted.shape)
                    .map_or_else(|| self.compiler.compile(&contents.digest, found.wanted.shape, contents.bytes.clone()), Ok);
                compiled.and_then(|compiled| version(&name, &contents, &found.wanted, compiled)).map_err(Fault::Unfit)
            });
            match made {
                Ok(version) => self.serve(&name, found, version),
                Err(fault) => self.refuse(&name, found, fault),
            }
            self.publish();
            self.progress(done + 1, total, &name);
        }
        true
    }

    fn progress(&self, done: usize, total: usize, plugin: &str) {
        if let Some(on_progress) = &self.on_progress {
            on_progress(Progress { done, total, plugin: plugin.to_owned() });
        }
    }

    fn forget(&mut self, found: &BTreeMap<String, Found>) {
        self.seen.retain(|name, _| found.contains_key(name));
        self.unsure.retain(|name, _| found.contains_key(name));
        self.told.retain(|name, _| found.contains_key(name));
        self.entries.retain(|name, _| {
            let stays = found.contains_key(name);
            if !stays {
                tracing::info!(plugin.id = %name, "plugin {name} was removed");
            }
            stays
        });
    }

    fn serve(&mut self, name: &str, found: Found, version: Version) {
        // A grant may have come while the version before this one served.
        if let Some(before) = self.entries.get(name).and_then(|entry| entry.version.clone()) {
            self.freeze(&before);
        }
        self.freeze(&version);
        let (label, tools) = (text::escaped(&version.version), version.tools.len());
        tracing::info!(plugin.id = name, component = %version.component, "plugin {name} {label} is ready with {tools} tools");
        for what in &version.skipped {
            tracing::info!(plugin.id = name, "plugin {name} exports what is no tool: {}", text::escaped(what));
        }
        let entry = self.entry(name, &found, PluginState::Ready);
        (entry.state, entry.version) = (PluginState::Ready, Some(Arc::new(version)));
        self.settle(name, found);
    }

    /// A file that was written a moment ago may only be half there: nothing is
    /// said about it yet. One that never comes to rest is refused, and looked at again all the same.
    fn refuse(&mut self, name: &str, found: Found, fault: Fault) {
        let (moved, why) = match fault {
            Fault::Moved => (true, "the file keeps changing; it is looked at again when it rests".to_owned()),
            Fault::Unfit(why) => (false, why),
        };
        if moved || found.recent {
            let since = *self.unsure.entry(name.to_owned()).or_insert_with(Instant::now);
            if since.elapsed() < PATIENCE {
                return;
            }
        }
        let entry = self.entry(name, &found, PluginState::Preparing);
        let state = if entry.version.is_some() { PluginState::Stale(why.clone()) } else { PluginState::Refused(why.clone()) };
        if entry.state != state {
            entry.state = state;
            let file = text::escaped(&found.file.display().to_string());
            tracing::warn!(plugin.id = name, "{file} is not taken into service: {}", text::escaped(&why));
        }
        if !moved {
            self.settle(name, found);
        }
    }

    /// The entry of a plugin, new ones in this state.
    fn entry(&mut self, name: &str, found: &Found, state: PluginState) -> &mut Entry {
        let file = found.file.clone();
        let entry =
            self.entries.entry(name.to_owned()).or_insert_with(|| Entry { file: file.clone(), modified_ms: None, state, version: None });
        entry.file = file;
        entry
    }

    fn settle(&mut self, name: &str, found: Found) {
        self.unsure.remove(name);
        if let Some(entry) = self.entries.get_mut(name) {
            entry.modified_ms = Some(found.identity.component.modified_ms());
        }
        self.seen.insert(name.to_owned(), (found.identity, found.unfit, found.wanted));
    }

    fn freeze_all(&mut self) {
        let versions: Vec<Arc<Version>> = self.entries.values().filter_map(|entry| entry.version.clone()).collect();
        for version in versions {
            self.freeze(&version);
        }
    }

    /// Records a version that is the first with a grant, and tells of one that is another than was accepted.
    fn freeze(&mut self, version: &Version) {
        let (policy, name) = (self.policy.load(), &*version.name);
        match accepted::standing(&policy, &self.accepted.records(), version) {
            Standing::First => {
                if let Err(error) = self.accepted.first(version) {
                    tracing::error!(
                        plugin.id = name,
                        "it cannot be kept which version of plugin {name} has grants, so it does not serve: {error}"
                    );
                }
            }
            Standing::Changed(why) | Standing::Pinned(why) => {
                if self.told.insert(name.to_owned(), version.digests.clone()).as_ref() != Some(&version.digests) {
                    tracing::warn!(plugin.id = name, component = %version.component, "plugin {name} is out of service: {why}");
                }
            }
            Standing::Free | Standing::Accepted | Standing::Unseen => {
                self.told.remove(name);
            }
        }
    }

    /// Lets everybody see what is known now.
    fn publish(&mut self) {
        self.snapshot.store(Arc::new(self.entries.clone()));
        self.published = Instant::now();
    }
}

/// Nothing that a plugin holds ends the thread that looks after all of them.
fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Fault::Unfit("checking it failed inside the server; please report it".into())))
}

/// What the operator's entry says of how a plugin is read.
fn wanted(policy: &Policy, plugin: &str) -> Wanted {
    let shape = policy.shape(plugin);
    let input = policy.plugin(plugin, None).filter(|_| shape == Shape::Command).and_then(|grant| grant.start.input.clone());
    Wanted { shape, input }
}

fn version(name: &str, contents: &Contents, wanted: &Wanted, compiled: Compiled) -> Result<Version, String> {
    let (described, skipped) = match &compiled.program.entry {
        instance::Entry::Native(_) => (compiled.tools, Vec::new()),
        instance::Entry::Functions(functions) => {
            functions.can_serve()?;
            (functions.describe(&contents.docs), functions.skipped().to_vec())
        }
        instance::Entry::Command(_) => (vec![command::tool(name, &contents.manifest)], Vec::new()),
    };
    let tools_digest = descriptor::digest(&described)?;
    let checked = descriptor::check(described.clone())?;
    let requests = contents.manifest.requests.clone();
    let digests = PluginDigests { component: contents.digest.clone(), tools_digest, requests_digest: requests.digest()? };
    let label = contents.manifest.version();
    let tools = checked.into_iter().map(|checked| {
        let mut spec = spec(name, &checked.tool, checked.title, (&digests, &label));
        let mut input = checked.input;
        if let Some(text) = &wanted.input {
            input = Schema::compile(text).map_err(|fault| format!("the input in [plugin.{name}.command] is not usable: {fault}"))?;
            spec.input = text.clone();
        }
        Ok((checked.tool.name, Tool { spec: Arc::new(spec), input, output: checked.output }))
    });
    let tools = tools.collect::<Result<_, String>>()?;
    Ok(Version {
        name: name.into(),
        component: digests.component.as_str().into(),
        tools_digest: digests.tools_digest.as_str().into(),
        version: label,
        digests,
        requests,
        shape: wanted.shape,
        program: compiled.program,
        tools,
        described,
        skipped,
    })
}

/// A tool as everybody sees it, of a version with these digests and this name.
pub(crate) fn spec(plugin: &str, tool: &descriptor::Tool, title: Option<String>, version: (&PluginDigests, &str)) -> ToolSpec {
    let (digests, label) = version;
    ToolSpec {
        id: ToolId { plugin: plugin.to_owned(), name: tool.name.clone() },
        description: tool.description.clone(),
        input: tool.input.as_str().into(),
        output: tool.output.as_deref().map(Into::into),
        traits: tool.traits,
        title,
        component: digests.component.as_str().into(),
        tools: digests.tools_digest.as_str().into(),
        version: label.to_owned(),
    }
}
