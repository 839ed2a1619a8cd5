//! One component outside of a server, for its author: the very sandbox that a
//! server has, on a plugin directory of its own, with nothing granted but what
//! the command line says. What was compiled is kept among the user's caches.

mod artefact;
mod grants;
mod recorded;
mod store;
mod terms;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use arc_swap::ArcSwap;
use author::check::{Bench, Described, Descriptor};
use policy::file::{PluginFile, PolicyFile};
use policy::{Approve, OPERATOR_TENANT, Pin, Policy};
use sandbox::Sandbox;
use tool::{CallContext, Caller, PluginState, PluginStatus, Ports, ToolCall, ToolId, ToolReply, ToolSpec, Toolbox, Veil};

use crate::{files, progress};
pub(crate) use artefact::Artefact;
pub(crate) use grants::read as terms_of;
pub(crate) use recorded::Recorded;
pub(crate) use store::Memory;
pub(crate) use terms::{Flags, Terms, Unclear, shape};

/// Calls at the same time: an author's machine has a handful of processors.
const SLOTS: u32 = 16;

/// What compiled forms may take among an author's caches: each build is one, of 25 to 35 MiB in the
/// languages that bring an interpreter or a large runtime along.
pub(crate) const COMPILED_BYTES_MAX: u64 = 1 << 30;

/// The agent for which an author's calls are made.
const AGENT: &str = "author";

/// What is left of a plugin's name where a number follows; together they are no longer than a name may be.
const SHORT_CHARS: usize = 26;

/// How old the copy of a component is made to look: one that was written just
/// now would be taken for one that is still growing.
const AGE: Duration = Duration::from_secs(60);

/// A component that is ready to be called, under one name for each set of terms.
pub(crate) struct Trial {
    names: Vec<String>,
    sandbox: Arc<Sandbox>,
    /// Where the plugin's cache files lie, for the time of this trial.
    cached: PathBuf,
    /// The partition of caches: nobody else's.
    partition: Arc<str>,
    /// Holds the plugin directory; removed at the end.
    _place: tempfile::TempDir,
}

/// How one call is identified: its id, its session and its user.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) call: String,
    pub(crate) session: String,
    pub(crate) user: Option<String>,
}

impl Identity {
    /// A new call by nobody in particular.
    pub(crate) fn new() -> Self {
        let random = agent::Clock.random::<8>();
        Self { call: format!("call-{}", data_encoding::HEXLOWER.encode(&random)), session: "trial".into(), user: None }
    }
}

impl Trial {
    /// Opens a component under each of these terms. `Err` is for what went wrong here; a
    /// component that cannot be used is told by [`Trial::refusal`].
    pub(crate) async fn open(artefact: &Artefact, terms: &[Terms]) -> anyhow::Result<Self> {
        let home = home()?;
        files::private_directory(&home).with_context(|| format!("cannot make {}", home.display()))?;
        let place = tempfile::Builder::new().prefix("wardian-").tempdir().context("cannot make a temporary directory")?;
        let plugins = place.path().join("plugins");
        std::fs::create_dir(&plugins).context("cannot make a temporary directory")?;
        let names: Vec<String> = (0..terms.len()).map(|index| name(&artefact.name, index)).collect();
        for name in &names {
            install(artefact, &plugins, name)?;
        }
        let policy = together(&names, terms)?;
        let options = sandbox::Options {
            plugins,
            cache: home.clone(),
            compiled_bytes_max: COMPILED_BYTES_MAX,
            data: home.clone(),
            policy: Arc::new(ArcSwap::from_pointee(policy)),
            child: std::env::current_exe().context("cannot find this program, which compiles components")?,
            compiling: sandbox::confine::Bounds::default(),
            slots: SLOTS,
            on_progress: progress::compiling(),
        };
        let sandbox = Sandbox::open(options).context("cannot open the sandbox")?;
        sandbox.wait_ready().await;
        loop {
            let looked = sandbox.looked();
            if sandbox.plugins().iter().all(|plugin| plugin.state != PluginState::Preparing) {
                break;
            }
            looked.await;
        }
        let partition = data_encoding::HEXLOWER.encode(&agent::Clock.random::<16>());
        let cached = home.join("plugins").join(&partition);
        Ok(Self { names, sandbox, cached, partition: partition.into(), _place: place })
    }

    /// Why the component cannot be used, where it cannot.
    pub(crate) fn refusal(&self) -> Option<String> {
        match self.status()?.state {
            PluginState::Refused(why) | PluginState::Stale(why) | PluginState::Changed(why) => Some(why),
            PluginState::Preparing | PluginState::Ready => None,
        }
    }

    /// How the component stands.
    pub(crate) fn status(&self) -> Option<PluginStatus> {
        let name = self.names.first()?;
        self.sandbox.plugins().into_iter().find(|plugin| plugin.name == *name)
    }

    /// Its tools.
    pub(crate) fn tools(&self) -> Vec<Arc<ToolSpec>> {
        let mut tools = self.sandbox.tools(&caller());
        tools.retain(|tool| self.names.first().is_some_and(|name| tool.id.plugin == *name));
        tools
    }

    /// What it says about its tools: once as a server asks, and once more.
    pub(crate) async fn descriptor(&self) -> anyhow::Result<Descriptor> {
        let plugin = self.names.first().cloned().unwrap_or_default();
        let read =
            |tools: Vec<serde_json::Value>| tools.into_iter().map(serde_json::from_value::<Described>).collect::<Result<Vec<_>, _>>();
        let tools = self.sandbox.described(&plugin).context("the component is not in service")?;
        let again = match self.sandbox.describe_again(&plugin).await {
            Ok(tools) => Ok(read(tools).context("what describe says has another form")?),
            Err(why) => Err(why),
        };
        Ok(Descriptor { tools: read(tools).context("what describe says has another form")?, again, plugin })
    }

    /// Where the component can be tried.
    pub(crate) fn bench(&self) -> Bench<'_> {
        let plugin = self.names.first().map_or("", String::as_str);
        Bench { toolbox: &*self.sandbox, plugin, caller: caller(), partition: self.partition.clone() }
    }

    /// Calls a tool under the terms of this index.
    pub(crate) async fn call(&self, terms: usize, tool: &str, input: &str, identity: Identity, ports: Ports) -> ToolReply {
        let plugin = self.names.get(terms).cloned().unwrap_or_default();
        let Identity { call, session, user } = identity;
        let context =
            CallContext { call, caller: caller(), tenant_uid: self.partition.clone(), session: session.into(), user, trace: None };
        let tool = ToolId { plugin, name: tool.to_owned() };
        self.sandbox.call(ToolCall { tool, input: input.to_owned(), veil: Veil::default(), approval: None, context, ports }).await
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // Most plugins have no cache; then there is nothing.
        let _ = std::fs::remove_dir_all(&self.cached);
    }
}

fn caller() -> Caller {
    Caller { tenant: OPERATOR_TENANT.into(), agent: AGENT.into() }
}

/// Where compiled forms are kept: `$XDG_CACHE_HOME/wardian`, or `~/.cache/wardian`.
fn home() -> anyhow::Result<PathBuf> {
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = caches.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    Ok(caches
        .context("neither XDG_CACHE_HOME nor HOME is set; one of them says where compiled forms are kept")?
        .join("wardian")
        .join("trial"))
}

/// The name under which the terms of this index hold. The guest never sees it.
fn name(plugin: &str, index: usize) -> String {
    let short: String = plugin.chars().take(SHORT_CHARS).collect();
    if index == 0 { plugin.to_owned() } else { format!("{short}-{index}") }
}

/// Puts the component and its manifest into the plugin directory.
fn install(artefact: &Artefact, plugins: &Path, name: &str) -> anyhow::Result<()> {
    let file = plugins.join(format!("{name}.wasm"));
    let cannot = || format!("{} cannot be copied into {}", artefact.file.display(), plugins.display());
    std::fs::write(&file, &artefact.bytes).with_context(cannot)?;
    aged(&file).with_context(cannot)?;
    if let Some(manifest) = &artefact.manifest {
        let file = plugins.join(format!("{name}.toml"));
        std::fs::write(&file, manifest).with_context(cannot)?;
        aged(&file).with_context(cannot)?;
    }
    Ok(())
}

fn aged(file: &Path) -> std::io::Result<()> {
    std::fs::OpenOptions::new().write(true).open(file)?.set_modified(SystemTime::now() - AGE)
}

impl Terms {
    /// What is wrong with them, where something is.
    pub(crate) fn check(&self, plugin: &str) -> anyhow::Result<()> {
        together(&[plugin.to_owned()], std::slice::from_ref(self)).map(drop)
    }
}

/// One policy in which each name has its own terms. What the terms share stands in the first.
fn together(names: &[String], terms: &[Terms]) -> anyhow::Result<Policy> {
    let first = terms.first().context("no terms")?;
    let mut file = PolicyFile { network: first.network.clone(), defaults: first.defaults.clone(), ..PolicyFile::default() };
    for (name, terms) in names.iter().zip(terms) {
        file.secrets.extend(terms.secrets.clone());
        // It is the author's own tool: every build is taken, and nobody is asked.
        let entry = PluginFile { pin: Some(Pin::Auto), approve: Some(Approve::Never), ..terms.entry.clone() };
        file.plugin.insert(name.clone(), entry);
    }
    Policy::build(&file, &first.base, &[]).map_err(|problems| {
        let errors = problems.iter().filter(|problem| problem.severity == policy::Severity::Error);
        Unclear(errors.map(ToString::to_string).collect::<Vec<_>>().join("\n")).into()
    })
}
