//! What one call may reach: the policy as it stood when the call began, the
//! caller, and the ports. Every import asks here and gets a permit or a denial.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use policy::{Denied, Policy, Who};
use tool::{CallContext, Ports};

use crate::guest::PluginName;

/// Distinct denials that are logged for one call; a guest that tries every
/// name there is fills no disk.
const DENIALS_LOGGED_MAX: usize = 16;

/// The policy and the caller of one call, shared with the tasks that send its requests.
pub(crate) struct Reach {
    pub scope: Arc<Scope>,
    pub context: CallContext,
    pub ports: Ports,
    /// Where this plugin's cache files for this tenant lie.
    pub cache: PathBuf,
    /// The call's own changes to its store, by key.
    pub writes: BTreeMap<String, Option<Vec<u8>>>,
    /// Sizes of what the store held when the call began; read once, when first needed.
    pub sizes: Option<BTreeMap<String, u64>>,
}

/// Who asks, and what holds for them.
pub(crate) struct Scope {
    policy: Arc<Policy>,
    plugin: PluginName,
    component: Arc<str>,
    tenant: Arc<str>,
    agent: Arc<str>,
    call: String,
    logged: Mutex<BTreeSet<String>>,
}

impl Scope {
    pub(crate) fn new(policy: Arc<Policy>, plugin: PluginName, component: Arc<str>, context: &CallContext) -> Self {
        let (tenant, agent) = (context.caller.tenant.clone(), context.caller.agent.clone());
        Self { policy, plugin, component, tenant, agent, call: context.call.clone(), logged: Mutex::default() }
    }

    /// The policy that holds for this call to its end.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whose call.
    pub(crate) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Who asks.
    pub(crate) fn who(&self) -> Who<'_> {
        Who { plugin: &self.plugin, digest: Some(&self.component), tenant: &self.tenant, agent: &self.agent }
    }

    /// Asks the policy. A denial is logged, once for each thing denied, with
    /// the lines that would allow it, and is otherwise the guest's to answer.
    pub(crate) fn permit<T>(&self, ask: impl FnOnce(&Policy, &Who<'_>) -> Result<T, Denied>) -> Option<T> {
        ask(&self.policy, &self.who()).inspect_err(|denied| self.log(denied)).ok()
    }

    /// Writes a denial to the operator's log.
    pub(crate) fn log(&self, denied: &Denied) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.len() >= DENIALS_LOGGED_MAX || !logged.insert(denied.to_string()) {
            return;
        }
        tracing::warn!(
            plugin.id = %self.plugin, call.id = %self.call, tenant = %self.tenant, agent = %self.agent, allow = %denied.toml,
            "denied to plugin {}: {denied}", self.plugin
        );
    }
}
