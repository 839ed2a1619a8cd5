//! What one call may reach: the policy as it stood when the call began, the
//! caller, and the ports. Every import asks here and gets a permit or a denial.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use egress::guest::{Meter, Placeholder};
use policy::{
    Access, CachePermit, CallPermit, ConfigPermit, Denied, FilePermit, HttpPermit, HttpRequest, Policy, Secret, SecretPermit, SecretUse,
    StorePermit, Who,
};
use tool::{CallContext, CallSink, Decision, Evidence, Ports, Sign, Veil};

use crate::guest::PluginName;

/// Distinct denials and failures that are logged for one call; a guest that tries
/// every name there is fills no disk.
const DENIALS_LOGGED_MAX: usize = 16;

/// Distinct decisions that a call's receipt names; a guest that asks for every
/// path there is makes no endless receipt. Those beyond are counted in one more.
const DECISIONS_MAX: usize = 64;

/// What is kept of the words for what was asked: a path is the guest's to choose.
const WHAT_BYTES_MAX: usize = 256;

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
    decisions: Decisions,
    /// Who hears of decisions and requests while the call runs; nobody in a server.
    sink: Option<Arc<dyn CallSink>>,
    /// What its requests carried, from the first one on; also for who tells of a call whose guest is left behind.
    pub traffic: OnceLock<Arc<Meter>>,
    /// Secrets that the guest knows by placeholders.
    placeholders: Vec<Placeholder>,
}

impl Scope {
    pub(crate) fn new(policy: Arc<Policy>, plugin: PluginName, component: Arc<str>, context: &CallContext) -> Self {
        let (tenant, agent) = (context.caller.tenant.clone(), context.caller.agent.clone());
        Self {
            policy,
            plugin,
            component,
            tenant,
            agent,
            call: context.call.clone(),
            logged: Mutex::default(),
            decisions: Decisions::default(),
            sink: None,
            traffic: OnceLock::new(),
            placeholders: Vec::new(),
        }
    }

    /// The same for a call with secrets in its arguments. One that fits into no header stays a placeholder.
    pub(crate) fn hiding(mut self, veil: &Veil) -> Self {
        let fit = veil
            .iter()
            .filter_map(|(text, value)| Some(Placeholder { text: text.to_owned(), secret: Secret::new(value.to_owned()).ok()? }));
        self.placeholders = fit.collect();
        self
    }

    /// The same, with somebody who hears of each decision and request, if they listen.
    pub(crate) fn heard_by(mut self, sink: Arc<dyn CallSink>) -> Self {
        self.sink = Some(sink).filter(|sink| sink.listens());
        self
    }

    /// Who listens. Whatever has to be put into words for a sign is so only for somebody.
    pub(crate) fn listener(&self) -> Option<&dyn CallSink> {
        self.sink.as_deref()
    }

    fn tell_denied(&self, denied: &Denied) {
        if let Some(listener) = self.listener() {
            listener.sign(Sign::Denied { why: &denied.to_string(), toml: &denied.toml });
        }
    }

    /// Secrets that the guest knows by placeholders.
    pub(crate) fn placeholders(&self) -> &[Placeholder] {
        &self.placeholders
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

    /// Whether this call may run at all.
    pub(crate) fn call(&self, tool: &str) -> Result<CallPermit, Denied> {
        self.decided("call", tool, self.policy.call(&self.who(), tool), |permit| &permit.rule)
    }

    /// Leave to send a request. Whoever asks logs a denial: egress says more about one.
    pub(crate) fn http(&self, request: &HttpRequest<'_>) -> Result<HttpPermit, Denied> {
        let what = format!("{} {}{}", request.method, request.host, request.path);
        self.decided("http", &what, self.policy.http(&self.who(), request), |permit| &permit.rule)
    }

    /// Leave to use a secret. Not logged: a guest may ask whether one is there.
    pub(crate) fn secret(&self, name: &str, usage: SecretUse) -> Result<SecretPermit, Denied> {
        let word = match usage {
            SecretUse::Inject => "inject",
            SecretUse::Reveal => "reveal",
        };
        self.decided("secrets", &format!("{word} {name}"), self.policy.secret(&self.who(), name, usage), |permit| &permit.rule)
    }

    /// Leave to read the settings, where there are any.
    pub(crate) fn config(&self) -> Option<ConfigPermit> {
        self.logged(self.decided("config", "", self.policy.config(&self.who()), |permit| &permit.rule))
    }

    /// Leave to use the store, where it is granted.
    pub(crate) fn store(&self) -> Option<StorePermit> {
        self.logged(self.decided("store", "", self.policy.store(&self.who()), |permit| &permit.rule))
    }

    /// Leave to use the cache, where it is granted.
    pub(crate) fn cache(&self) -> Option<CachePermit> {
        self.logged(self.decided("cache", "", self.policy.cache(&self.who()), |permit| &permit.rule))
    }

    /// The directories that are opened for the call.
    pub(crate) fn mounts(&self) -> Vec<FilePermit> {
        let mounts = self.policy.mounts(&self.who());
        for permit in &mounts {
            let access = match permit.access {
                Access::Read => "read",
                Access::Write => "write",
            };
            self.decide("files", &format!("{access} {}", permit.guest), &permit.rule, true);
        }
        mounts
    }

    /// Bytes of request and of response bodies so far.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        self.traffic.get().map_or((0, 0), |meter| (meter.sent(), meter.received()))
    }

    /// By which policy, and what was decided so far.
    pub(crate) fn evidence(&self) -> Evidence {
        Evidence { policy: Some(self.policy.digest().clone()), decisions: self.decisions.list(), ..Evidence::default() }
    }

    fn decided<T>(&self, capability: &str, what: &str, decided: Result<T, Denied>, rule: impl Fn(&T) -> &str) -> Result<T, Denied> {
        let rule = decided.as_ref().map_or_else(|denied| denied.layer.word(), rule);
        self.decide(capability, what, rule, decided.is_ok());
        if let Err(denied) = &decided {
            self.tell_denied(denied);
        }
        decided
    }

    fn decide(&self, capability: &str, what: &str, rule: &str, allowed: bool) {
        self.decisions.add(capability, what, rule, allowed);
        if let Some(listener) = self.listener() {
            listener.sign(Sign::Decided { capability, what, rule, allowed });
        }
    }

    /// A denial is logged, once for each thing denied, with the lines that
    /// would allow it, and is otherwise the guest's to answer.
    pub(crate) fn logged<T>(&self, decided: Result<T, Denied>) -> Option<T> {
        decided.inspect_err(|denied| self.log(denied)).ok()
    }

    /// Records that the floor of the network closed what a rule had allowed.
    pub(crate) fn closed(&self, host: &str, denied: &Denied) {
        self.decide("http", &format!("an address of {host}"), denied.layer.word(), false);
        self.tell_denied(denied);
        self.log(denied);
    }

    /// Whether something of this call is still to be written to the log: not if
    /// it has been, nor if there is enough of it.
    pub(crate) fn is_news(&self, text: String) -> bool {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        logged.len() < DENIALS_LOGGED_MAX && logged.insert(text)
    }

    /// Writes a denial to the operator's log.
    pub(crate) fn log(&self, denied: &Denied) {
        if !self.is_news(denied.to_string()) {
            return;
        }
        tracing::warn!(
            plugin.id = %self.plugin, call.id = %self.call, tenant = %self.tenant, agent = %self.agent, allow = %denied.toml,
            "denied to plugin {}: {denied}", self.plugin
        );
    }
}

/// What was decided for one call: each distinct decision once.
#[derive(Default)]
struct Decisions(Mutex<Vec<Decision>>);

impl Decisions {
    fn add(&self, capability: &str, what: &str, rule: &str, allowed: bool) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let what = short(what);
        let same = |it: &&mut Decision| it.capability == capability && it.what == what && it.rule == rule && it.allowed == allowed;
        if let Some(known) = list.iter_mut().find(same) {
            known.times = known.times.saturating_add(1);
        } else if list.len() < DECISIONS_MAX {
            list.push(Decision { capability: capability.into(), what, rule: rule.into(), allowed, times: 1 });
        } else if let Some(more) = list.get_mut(DECISIONS_MAX) {
            more.times = more.times.saturating_add(1);
            more.allowed &= allowed;
        } else {
            list.push(Decision { capability: "more".into(), what: String::new(), rule: String::new(), allowed, times: 1 });
        }
    }

    fn list(&self) -> Vec<Decision> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Without control characters, cut at a limit.
fn short(what: &str) -> String {
    let mut kept = String::with_capacity(what.len().min(WHAT_BYTES_MAX));
    for c in what.chars().filter(|c| !c.is_control()) {
        if kept.len() + c.len_utf8() > WHAT_BYTES_MAX {
            break;
        }
        kept.push(c);
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tool::Caller;

    use super::*;

    /// Counts signs, and listens or not.
    struct Ear {
        listens: bool,
        heard: AtomicUsize,
    }

    #[async_trait::async_trait]
    impl CallSink for Ear {
        fn progress(&self, _share: Option<f32>, _note: &str) {}

        fn cancelled(&self) -> bool {
            false
        }

        async fn gone(&self) {
            std::future::pending().await
        }

        fn listens(&self) -> bool {
            self.listens
        }

        fn sign(&self, _sign: Sign<'_>) {
            self.heard.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn signs_are_made_for_those_only_who_listen() {
        for (listens, heard) in [(true, 2), (false, 0)] {
            let ear = Arc::new(Ear { listens, heard: AtomicUsize::new(0) });
            let caller = Caller { tenant: "t".into(), agent: "a".into() };
            let (call, tenant_uid, session) = ("c".to_owned(), "00".into(), "s".into());
            let context = CallContext { call, caller, tenant_uid, session, user: None, trace: None };
            let scope = Scope::new(Arc::default(), "it".into(), "sha256:0".into(), &context).heard_by(ear.clone());
            assert!(scope.secret("token", SecretUse::Reveal).is_err());
            assert_eq!(ear.heard.load(Ordering::Relaxed), heard, "a decision and a denial, where somebody listens");
            assert_eq!(scope.evidence().decisions.len(), 1, "the receipt has it either way");
        }
    }

    #[test]
    fn decisions_are_counted_and_bounded() {
        let decisions = Decisions::default();
        for _ in 0..3 {
            decisions.add("http", "GET a.example/", "plugin.it.http[0]", true);
        }
        for n in 0..100 {
            decisions.add("http", &format!("GET a.example/{n}"), "", n < 50);
        }
        let list = decisions.list();
        assert_eq!((list.len(), list[0].times), (DECISIONS_MAX + 1, 3));
        let more = list.last().unwrap();
        assert_eq!((&*more.capability, more.times, more.allowed), ("more", 37, false));
        decisions.add("call", &"é\n".repeat(1_000), "", false);
        assert!(short(&"é\n".repeat(1_000)).len() <= WHAT_BYTES_MAX);
    }
}
