//! What the server tells its operator about itself.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use api::{Answered, Ask, Grants, LeaseInfo, Lent, ModelInfo, NewLease, NotLent, Operator, Status};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use audit::Clerk;
use model::{Model, Models, wires};
use policy::Policy;
use sandbox::Sandbox;
use serde_json::{Value, json};
use session::Origin;
use storage::Journal;
use storage::backends::redb::Redb;
use tool::{NotAccepted, PluginChanges, PluginDigests, Toolbox};

use crate::config::{Complaints, Scheme, Settings};
use crate::leases::Leases;
use crate::readiness::Readiness;
use crate::{explain, exposed, open};

/// How long a readiness probe waits for the store.
const PROBE: Duration = Duration::from_millis(800);

/// Readiness says this while a changed configuration file is refused and an older one is in force.
const POLICY_STALE: &str = "policy_stale";

/// The running server, as its operator sees it.
pub(crate) struct Host {
    store: Arc<Redb>,
    sandbox: Arc<Sandbox>,
    models: Arc<Models>,
    leases: Arc<Leases>,
    policy: Arc<ArcSwap<Policy>>,
    clerk: Option<Arc<Clerk>>,
    /// Those in force: their file and their text, to name lines in.
    settings: Mutex<Settings>,
    data: PathBuf,
    base: PathBuf,
    knowledge: PathBuf,
    scheme: Scheme,
    address: OnceLock<SocketAddr>,
    started_at: String,
    /// What is wrong with the newest file, where an older one is in force.
    refused: Mutex<Option<Complaints>>,
    readiness: Readiness,
}

impl Host {
    /// A server that starts now.
    pub(crate) fn new(
        settings: &Settings,
        store: Arc<Redb>,
        sandbox: Arc<Sandbox>,
        models: Arc<Models>,
        leases: Arc<Leases>,
        clerk: Option<Arc<Clerk>>,
    ) -> Self {
        Self {
            store,
            sandbox,
            models,
            policy: leases.policy(),
            leases,
            settings: Mutex::new(settings.clone()),
            clerk,
            data: settings.data.clone(),
            base: settings.base.clone(),
            knowledge: open::knowledge(settings),
            scheme: settings.scheme(),
            address: OnceLock::new(),
            started_at: agent::Clock.now().rfc3339(),
            refused: Mutex::new(None),
            readiness: Readiness::default(),
        }
    }

    /// The server listens here.
    pub(crate) fn listens(&self, address: SocketAddr) {
        // It listens once; a second address would be a mistake of ours that the first one outlives.
        let _ = self.address.set(address);
    }

    /// The newest file was taken.
    pub(crate) fn taken(&self, settings: Settings) {
        self.sandbox.policy_changed();
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The newest file was refused for these findings; the last good one stays in force.
    pub(crate) fn refused(&self, complaints: Complaints) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(complaints);
    }

    fn settings(&self) -> Settings {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn refusal(&self) -> Option<Vec<String>> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.as_ref().map(|complaints| complaints.0.iter().map(ToString::to_string).collect())
    }
}

/// A model's type in the words of the Agents API. It has none for models that have no provider: they
/// are called after the wire that all know.
fn kind(origin: &Origin) -> &'static str {
    match origin.wire.as_str() {
        wires::anthropic::WIRE => "anthropic",
        wires::responses::WIRE => "openai-responses",
        _ if origin.provider.ends_with(".googleapis.com") => "vertex-ai",
        _ => "openai-compatible",
    }
}

#[async_trait]
impl Operator for Host {
    fn models(&self) -> Vec<ModelInfo> {
        let info = |name: &str| {
            let model: Arc<dyn Model> = self.models.get(name)?;
            let origin = model.origin();
            Some(ModelInfo {
                name: name.to_owned(),
                kind: kind(origin).to_owned(),
                description: format!("{} at {}", origin.model, origin.provider),
                model: origin.model.clone(),
                context_window: model.context_window(),
                default: name == self.models.default_name(),
            })
        };
        self.models.names().filter_map(info).collect()
    }

    fn policy(&self) -> Value {
        let (policy, settings) = (self.policy.load(), self.settings());
        let plugins = self.sandbox.plugins().into_iter().map(|plugin| {
            let source = match policy.named().any(|name| name == plugin.name) {
                true => "file",
                false if plugin.grants.is_empty() => "none",
                false if plugin.grants.iter().all(|grant| grant.starts_with("lease ")) => "lease",
                false => "shipped",
            };
            json!({ "name": plugin.name, "source": source, "grants": plugin.grants })
        });
        json!({
            "file": settings.file,
            "digest": &**policy.digest(),
            "refused": self.refusal(),
            "warnings": settings.complaints(policy.warnings()).0.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "secrets": policy.secrets().map(|(name, _)| name).collect::<Vec<_>>(),
            "plugins": plugins.collect::<Vec<_>>(),
            "grants": self.leases.list(),
        })
    }

    fn status(&self) -> Status {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            addresses: self.address.get().map(|address| format!("{scheme}://{address}")).into_iter().collect(),
            data: self.data.display().to_string(),
            started_at: self.started_at.clone(),
        }
    }

    fn changes(&self, plugin: &str) -> Option<PluginChanges> {
        self.sandbox.changes(plugin)
    }

    async fn accept(&self, plugin: &str, shown: PluginDigests, by: &str) -> Result<(), NotAccepted> {
        let (sandbox, plugin, by) = (self.sandbox.clone(), plugin.to_owned(), by.to_owned());
        let lost = NotAccepted::NotKept(plugin.clone(), "the server is being stopped".into());
        tokio::task::spawn_blocking(move || sandbox.accept(&plugin, &shown, &by)).await.unwrap_or(Err(lost))
    }

    fn attention(&self) -> Vec<&'static str> {
        let stale = self.refused.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        stale.then_some(POLICY_STALE).into_iter().chain(self.sandbox.attention()).collect()
    }

    async fn ready(&self) -> bool {
        // A server whose calls nobody can read of afterwards takes no further ones.
        if !self.sandbox.ready() || self.clerk.as_ref().is_some_and(|clerk| !clerk.ready()) {
            return false;
        }
        let store = self.store.clone();
        let look = async move {
            let probe = tokio::time::timeout(PROBE, store.probe()).await;
            probe.is_ok_and(|answers| answers.iter().all(Result::is_ok))
        };
        self.readiness.ask(look).await
    }
}

#[async_trait]
impl Grants for Host {
    async fn lend(&self, wanted: NewLease) -> Result<Lent, NotLent> {
        let plugin = wanted.plugin.clone();
        let mounts = wanted.grant.files.iter().map(|mount| ("files".to_owned(), &*mount.host));
        let own = exposed::own_directories(mounts, &self.base, &self.data, &self.knowledge);
        if !own.is_empty() {
            return Err(NotLent::Refused(own.iter().map(ToString::to_string).collect()));
        }
        let mut lent = self.leases.lend(wanted).await?;
        self.sandbox.policy_changed();
        if !self.sandbox.plugins().iter().any(|it| it.name == plugin) {
            lent.warnings.push(format!("there is no plugin {plugin} in the plugin directory; `wardian plugins list` shows those that are"));
        }
        Ok(lent)
    }

    fn leases(&self) -> Vec<LeaseInfo> {
        self.leases.list()
    }

    async fn revoke(&self, id_or_plugin: &str) -> Result<usize, NotLent> {
        self.leases.revoke(id_or_plugin).await
    }

    fn explain(&self, ask: &Ask) -> Answered {
        explain::answer(ask, &self.policy.load(), &self.settings(), Some(&self.sandbox))
    }
}
