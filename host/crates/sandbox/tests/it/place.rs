//! A sandbox in a directory of its own, with nothing granted but what a test writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use policy::Policy;
use sandbox::confine::Bounds;
use sandbox::{Options, Sandbox};
use tool::{
    Approval, CallContext, CallSink, Caller, KeyValue, PluginState, Ports, StoreError, StoreScope, ToolCall, ToolId, ToolReply, Toolbox,
    Veil, Write,
};

pub(crate) struct Place {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) sandbox: Arc<Sandbox>,
    policy: Arc<ArcSwap<Policy>>,
    pub(crate) store: Arc<Store>,
    pub(crate) sink: Arc<Sink>,
}

/// The program that compiles.
const CHILD: &str = env!("CARGO_BIN_EXE_sandbox-child");

/// The durable store as a map. It commits nothing by itself, as the real one does not.
#[derive(Default)]
pub(crate) struct Store(Mutex<BTreeMap<String, Vec<u8>>>);

/// Nobody watches, and nobody loses interest unless the test says so.
#[derive(Default)]
pub(crate) struct Sink(AtomicBool);

impl Sink {
    /// From now on guests that ask are told that nobody wants their answer.
    pub(crate) fn tell(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Store {
    pub(crate) fn commit(&self, writes: Vec<Write>) {
        let mut values = self.0.lock().expect("no test panics while it holds the store");
        for write in writes {
            match write.value {
                Some(value) => values.insert(write.key, value),
                None => values.remove(&write.key),
            };
        }
    }
}

#[async_trait::async_trait]
impl KeyValue for Store {
    async fn get(&self, _plugin: &str, _scope: StoreScope, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.lock().expect("no test panics while it holds the store").get(key).cloned())
    }

    async fn sizes(&self, _plugin: &str, _scope: StoreScope) -> Result<Vec<(String, u64)>, StoreError> {
        Ok(self
            .0
            .lock()
            .expect("no test panics while it holds the store")
            .iter()
            .map(|(key, value)| (key.clone(), value.len() as u64))
            .collect())
    }
}

#[async_trait::async_trait]
impl CallSink for Sink {
    fn progress(&self, _share: Option<f32>, _note: &str) {}

    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    async fn gone(&self) {
        std::future::pending().await
    }
}

/// A plugin that ships with the server, as it was built.
pub(crate) fn shipped(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../../plugins/dist/{name}.wasm"));
    fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}; run plugins/build", path.display()))
}

pub(crate) fn policy(text: &str, base: &std::path::Path) -> Policy {
    let file = policy::file::PolicyFile::parse(text).expect("the test's policy reads");
    Policy::build(&file, base, &[]).expect("the test's policy is valid")
}

impl Place {
    /// With these plugins and this policy, ready.
    pub(crate) async fn with(plugins: &[(&str, Vec<u8>)], text: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the test");
        fs::create_dir(directory.path().join("plugins")).expect("the directory is new");
        for (name, bytes) in plugins {
            fs::write(directory.path().join(format!("plugins/{name}.wasm")), bytes).expect("the directory is ours");
        }
        Self::open(directory, text).await
    }

    /// In a directory that is already there.
    pub(crate) async fn open(directory: tempfile::TempDir, text: &str) -> Self {
        Self::started(directory, text, CHILD, Bounds::default()).await
    }

    /// With one plugin, and so much for compiling it.
    pub(crate) async fn compiling_within(bounds: Bounds, plugin: Vec<u8>) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the test");
        fs::create_dir(directory.path().join("plugins")).expect("the directory is new");
        fs::write(directory.path().join("plugins/it.wasm"), plugin).expect("the directory is ours");
        Self::started(directory, "", CHILD, bounds).await
    }

    /// In a directory where everything has to come out of the cache.
    pub(crate) async fn without_a_child(directory: tempfile::TempDir) -> Self {
        Self::with_child(directory, "/nonexistent/child").await
    }

    /// The same with a policy.
    pub(crate) async fn without_a_child_but(directory: tempfile::TempDir, text: &str) -> Self {
        Self::started(directory, text, "/nonexistent/child", Bounds::default()).await
    }

    /// With another program as the child that compiles.
    pub(crate) async fn with_child(directory: tempfile::TempDir, child: &str) -> Self {
        Self::started(directory, "", child, Bounds::default()).await
    }

    async fn started(directory: tempfile::TempDir, text: &str, child: &str, compiling: Bounds) -> Self {
        let policy = Arc::new(ArcSwap::from_pointee(policy(text, directory.path())));
        let sandbox = Sandbox::open(Options {
            plugins: directory.path().join("plugins"),
            cache: directory.path().join("cache"),
            compiled_bytes_max: u64::MAX,
            data: directory.path().join("data"),
            policy: policy.clone(),
            child: PathBuf::from(child),
            compiling,
            slots: 8,
            on_progress: None,
        })
        .expect("the sandbox opens");
        sandbox.wait_ready().await;
        let place = Self { directory, sandbox, policy, store: Arc::default(), sink: Arc::default() };
        // A file that was written a moment ago and is refused gets another look.
        place.once(|| place.sandbox.plugins().iter().all(|plugin| plugin.state != PluginState::Preparing)).await;
        place
    }

    pub(crate) fn allow(&self, text: &str) {
        self.policy.store(Arc::new(policy(text, self.directory.path())));
    }

    /// Puts a policy in force that no file could hold.
    pub(crate) fn put_in_force(&self, policy: Policy) {
        self.policy.store(Arc::new(policy));
    }

    pub(crate) fn plugin(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("plugins/{name}.wasm"))
    }

    pub(crate) fn status(&self, name: &str) -> tool::PluginStatus {
        self.sandbox.plugins().into_iter().find(|status| status.name == name).expect("the plugin is listed")
    }

    /// Waits until a plugin is as wanted.
    pub(crate) async fn until(&self, name: &str, wanted: impl Fn(&tool::PluginStatus) -> bool) {
        self.once(|| wanted(&self.status(name))).await;
    }

    /// Waits until something is so; the catalog's own watching brings it about.
    pub(crate) async fn once(&self, so: impl Fn() -> bool) {
        loop {
            // Begins before the question is asked: a look that ends meanwhile counts.
            let looked = self.sandbox.looked();
            if so() {
                return;
            }
            looked.await;
        }
    }

    pub(crate) fn call(&self, plugin: &str, tool: &str, input: &str) -> impl Future<Output = ToolReply> + use<> {
        self.run(ToolId { plugin: plugin.into(), name: tool.into() }, input, None, "default")
    }

    /// Calls the tool `act` of a plugin for a tenant.
    pub(crate) fn call_of(&self, tenant: &str, plugin: &str) -> impl Future<Output = ToolReply> + use<> {
        self.run(ToolId { plugin: plugin.into(), name: "act".into() }, "{}", None, tenant)
    }

    /// Calls the tool `act` of the plugin `it` with a person's agreement.
    pub(crate) fn call_with(&self, approval: Approval) -> impl Future<Output = ToolReply> + use<> {
        self.run(ToolId { plugin: "it".into(), name: "act".into() }, "{}", Some(approval), "default")
    }

    fn run(&self, tool: ToolId, input: &str, approval: Option<Approval>, tenant: &str) -> impl Future<Output = ToolReply> + use<> {
        let call = ToolCall {
            tool,
            input: input.into(),
            veil: Veil::default(),
            approval,
            context: CallContext {
                call: "call-1".into(),
                caller: Caller { tenant: tenant.into(), ..caller() },
                tenant_uid: if tenant == "default" { "00ff".into() } else { format!("00ff-{tenant}").into() },
                session: "session-1".into(),
                user: None,
                trace: None,
            },
            ports: Ports { store: self.store.clone(), sink: self.sink.clone(), tape: None },
        };
        let sandbox = self.sandbox.clone();
        async move { sandbox.call(call).await }
    }
}

pub(crate) fn caller() -> Caller {
    Caller { tenant: "default".into(), agent: "assistant".into() }
}
