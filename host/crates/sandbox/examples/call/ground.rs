//! A sandbox in a directory of its own, and calls into it.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use policy::Policy;
use sandbox::confine::Bounds;
use sandbox::{Options, SLOTS, Sandbox};
use tool::{CallContext, CallSink, Caller, KeyValue, Ports, StoreError, StoreScope, ToolCall, ToolId, ToolReply, Toolbox};

/// The directory and the sandbox in it.
pub(crate) struct Ground {
    pub(crate) sandbox: Arc<Sandbox>,
    place: tempfile::TempDir,
}

/// A plugin that ships with the server.
pub(crate) fn shipped(name: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../../plugins/dist/{name}.wasm"));
    fs::read(&file).expect("plugins/build has made it")
}

impl Ground {
    /// With these plugins, none of them ready yet.
    pub(crate) fn open(plugins: &[(&str, Vec<u8>)], policy: &str) -> Self {
        let place = tempfile::tempdir().expect("a directory");
        fs::create_dir(place.path().join("plugins")).expect("the directory is new");
        let policy = Arc::new(ArcSwap::from_pointee(read(policy)));
        for (name, bytes) in plugins {
            add(place.path(), name, bytes);
        }
        let options = Options {
            plugins: place.path().join("plugins"),
            cache: place.path().join("cache"),
            compiled_bytes_max: u64::MAX,
            data: place.path().join("data"),
            policy,
            child: std::env::current_exe().expect("this program has a file"),
            compiling: Bounds::default(),
            slots: SLOTS,
            on_progress: None,
        };
        Self { sandbox: Sandbox::open(options).expect("the sandbox opens"), place }
    }

    /// With these plugins, all prepared.
    pub(crate) async fn ready(plugins: &[(&str, Vec<u8>)], policy: &str) -> Self {
        let ground = Self::open(plugins, policy);
        ground.sandbox.wait_ready().await;
        ground
    }

    /// One more plugin.
    pub(crate) fn add(&self, name: &str, bytes: &[u8]) {
        add(self.place.path(), name, bytes);
    }

    /// One call to its end.
    pub(crate) async fn call(&self, plugin: &str, tool: &str, input: &str) -> ToolReply {
        self.sandbox.call(call(plugin, tool, input)).await
    }
}

fn read(policy: &str) -> Policy {
    let file = policy::file::PolicyFile::parse(policy).expect("the policy reads");
    Policy::build(&file, Path::new("/"), &[]).expect("the policy is valid")
}

/// Dated back, as a file that was copied some time ago: a fresh one may still be growing, and is given time.
fn add(place: &Path, name: &str, bytes: &[u8]) {
    let (partial, path) = (place.join(name), place.join(format!("plugins/{name}.wasm")));
    fs::write(&partial, bytes).expect("the directory is ours");
    let past = SystemTime::now() - Duration::from_secs(60);
    File::options().write(true).open(&partial).and_then(|file| file.set_modified(past)).expect("the file is ours");
    fs::rename(partial, path).expect("the directory is ours");
}

fn call(plugin: &str, tool: &str, input: &str) -> ToolCall {
    ToolCall {
        tool: ToolId { plugin: plugin.into(), name: tool.into() },
        input: input.into(),
        veil: tool::Veil::default(),
        approval: None,
        context: CallContext {
            call: "call".into(),
            caller: Caller { tenant: "default".into(), agent: "assistant".into() },
            tenant_uid: "00".into(),
            session: "session".into(),
            user: None,
            trace: None,
        },
        ports: Ports { store: Arc::new(Nothing), sink: Arc::new(Nothing), tape: None },
    }
}

/// Ports to nowhere.
struct Nothing;

#[async_trait::async_trait]
impl KeyValue for Nothing {
    async fn get(&self, _: &str, _: StoreScope, _: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    async fn sizes(&self, _: &str, _: StoreScope) -> Result<Vec<(String, u64)>, StoreError> {
        Ok(Vec::new())
    }
}

#[async_trait::async_trait]
impl CallSink for Nothing {
    fn progress(&self, _: Option<f32>, _: &str) {}

    fn cancelled(&self) -> bool {
        false
    }

    async fn gone(&self) {
        std::future::pending().await
    }
}
