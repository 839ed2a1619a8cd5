//! The policy as one immutable snapshot, built from the operator's sections and
//! swapped as a whole when they change.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::Digest;

use crate::capabilities::{Capability, Permit, cache, call, config, files, http, secrets, store};
use crate::denied::Denied;
use crate::doubts;
use crate::file::{PluginFile, PolicyFile};
use crate::floor::Floor;
use crate::grant::{Context, Grant, Granted, SecretRefs};
use crate::lease::{self, Lease};
use crate::limits::Limits;
use crate::problem::{Problem, Severity};
use crate::secret::{SecretError, SecretRef};
use crate::shape::Shape;

/// The tenant that every server has: its operator's own.
pub const OPERATOR_TENANT: &str = "default";

/// How the name of a plugin is made.
const PLUGIN_NAME: &str = "a plugin's name is the stem of its file: a small letter, then at most 31 of a-z, 0-9 and -";

/// A grant that comes with the server for a plugin that comes with it. Bound to
/// the bytes that were shipped, and gone once the operator writes any
/// `[plugin.NAME]` entry.
#[derive(Debug, Clone)]
pub struct Builtin {
    /// The plugin.
    pub plugin: String,
    /// The component that was shipped, `sha256:<hex>`.
    pub digest: String,
    /// The grant, as it would stand in the file.
    pub file: PluginFile,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who<'a> {
    /// The plugin.
    pub plugin: &'a str,
    /// Its component, `sha256:<hex>`; none where no component is at hand, as in `explain`.
    pub digest: Option<&'a str>,
    /// For which tenant.
    pub tenant: &'a str,
    /// For which agent.
    pub agent: &'a str,
}

/// Everything that is allowed.
#[derive(Debug, Clone)]
pub struct Policy {
    floor: Floor,
    defaults: Limits,
    secrets: SecretRefs,
    plugins: HashMap<String, Arc<Grant>>,
    /// By the digest that they are bound to.
    builtin: HashMap<String, Arc<Grant>>,
    /// Of plugins that have nothing else.
    lent: HashMap<String, Arc<Grant>>,
    base: PathBuf,
    warnings: Vec<Problem>,
    digest: Arc<str>,
}

impl Default for Policy {
    /// What holds without a file: nothing is granted.
    fn default() -> Self {
        Self {
            floor: Floor::build(&Default::default()).0,
            defaults: Limits::default(),
            secrets: SecretRefs::new(),
            plugins: HashMap::new(),
            builtin: HashMap::new(),
            lent: HashMap::new(),
            base: PathBuf::new(),
            warnings: Vec::new(),
            digest: digest_of(&PolicyFile::default(), Path::new(""), &[]),
        }
    }
}

impl Policy {
    /// Checks the file's sections and compiles them. Relative paths are under
    /// `base`. All findings are reported at once; with an error among them there is no policy.
    pub fn build(file: &PolicyFile, base: &Path, builtin: &[Builtin]) -> Result<Self, Vec<Problem>> {
        let (floor, mut problems) = Floor::build(&file.network);
        problems.extend(doubts::of_floor(&floor));
        let defaults = Limits::default().with(&file.defaults.limits);
        problems.extend(defaults.faults().into_iter().map(|(key, fault)| Problem::error(format!("defaults.limits.{key}"), fault, "")));
        let secrets = references(file, base, &mut problems);
        let mut context = Context { base, secrets: &secrets, floor: &floor, defaults, builtin: false };
        let mut plugins = HashMap::new();
        for (name, entry) in &file.plugin {
            if !is_plugin_name(name) {
                problems.push(Problem::error(format!("plugin.{name}"), "no plugin can have this name", PLUGIN_NAME));
                continue;
            }
            plugins.insert(name.clone(), Arc::new(Grant::build(name, entry, &context, &mut problems)));
        }
        context.builtin = true;
        let shipped = builtin.iter().map(|it| {
            let grant = Grant::build(&it.plugin, &it.file, &context, &mut problems);
            (it.digest.to_ascii_lowercase(), Arc::new(grant))
        });
        let (builtin, digest) = (shipped.collect(), digest_of(file, base, builtin));
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(problems);
        }
        let (lent, base) = (HashMap::new(), base.to_owned());
        Ok(Self { floor, defaults, secrets, plugins, builtin, lent, base, warnings: problems, digest })
    }

    /// The same with what was found beyond the sections: secrets without a value, for one.
    #[must_use]
    pub fn noting(mut self, found: Vec<Problem>) -> Self {
        self.warnings.extend(found);
        self
    }

    /// What works, but likely not as meant.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// A digest of everything that this policy was built from, `sha256:<hex>`:
    /// two snapshots with the same digest decide the same. Receipts name it.
    pub fn digest(&self) -> &Arc<str> {
        &self.digest
    }

    /// The floor of the network.
    pub fn floor(&self) -> &Floor {
        &self.floor
    }

    /// The operator's secrets, by name.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &SecretRef)> {
        self.secrets.iter().map(|(name, reference)| (name.as_str(), &**reference))
    }

    /// What was granted to a plugin: the operator's entry, else the grant that
    /// came with exactly these bytes, else none.
    pub fn plugin(&self, name: &str, digest: Option<&str>) -> Option<&Grant> {
        if let Some(grant) = self.plugins.get(name) {
            return Some(grant);
        }
        let shipped = digest.and_then(|digest| self.builtin.get(digest)).filter(|grant| grant.plugin == name);
        shipped.or_else(|| self.lent.get(name)).map(|grant| &**grant)
    }

    /// This policy with the leases that hold at a time. One that does not fit what
    /// the file says by now is left out, with a warning.
    #[must_use]
    pub fn with_leases(&self, leases: &[Lease], now_ms: i64) -> Self {
        let mut policy = self.clone();
        let mut holding: Vec<&Lease> = leases.iter().filter(|lease| lease.holds(now_ms)).collect();
        holding.sort_by(|one, other| one.id.cmp(&other.id));
        let mut taken = Vec::new();
        for lease in holding {
            match policy.lend(lease) {
                Ok(()) => taken.push(lease),
                Err(problems) => policy.warnings.extend(problems.iter().map(|problem| {
                    let message = format!("lease {} to plugin {} is not in force: {problem}", lease.id, lease.plugin);
                    Problem::warning("", message, format!("`wardian revoke {}`, or mend what it does not fit to", lease.id))
                })),
            }
        }
        if !taken.is_empty() {
            policy.digest = digest(&(&*self.digest, taken));
        }
        policy
    }

    /// What is wrong with a lease beside what the file says. Its warnings are about leases that will change nothing.
    pub fn check_lease(&self, lease: &Lease) -> Result<Vec<Problem>, Vec<Problem>> {
        let mut policy = self.clone();
        policy.lend(lease)?;
        let entry = self.plugins.get(&lease.plugin).cloned().unwrap_or_else(|| Arc::new(Grant::bare(&lease.plugin, self.defaults)));
        let (tenant, agent) = (lease.tenant.as_deref(), lease.agent.as_deref());
        let ignored = entry.excludes(tenant, agent).map(|what| {
            let help = format!("a lease changes nothing about for whom; name {what} in {} of the file", entry.table());
            Problem::warning("", format!("the lease allows nothing: the plugin does not serve {what}"), help)
        });
        Ok(ignored.into_iter().collect())
    }

    fn lend(&mut self, lease: &Lease) -> Result<(), Vec<Problem>> {
        if !is_plugin_name(&lease.plugin) {
            return Err(vec![Problem::error("plugin", "no plugin can have this name", PLUGIN_NAME)]);
        }
        let context = Context { base: &self.base, secrets: &self.secrets, floor: &self.floor, defaults: self.defaults, builtin: false };
        if let Some(entry) = self.plugins.get_mut(&lease.plugin) {
            let leased = lease::lent(lease, entry, &context)?;
            Arc::make_mut(entry).leases.push(leased);
            return Ok(());
        }
        // Beside every grant that came with the server, and beside nothing, for other bytes.
        let nothing = || Arc::new(Grant::build(&lease.plugin, &PluginFile::default(), &context, &mut Vec::new()));
        let mut alone = self.lent.get(&lease.plugin).cloned().unwrap_or_else(nothing);
        let shipped = self.builtin.values_mut().filter(|grant| grant.plugin == lease.plugin);
        let grants: Vec<&mut Arc<Grant>> = shipped.chain([&mut alone]).collect();
        let leased = grants.iter().map(|grant| lease::lent(lease, grant, &context)).collect::<Result<Vec<_>, _>>()?;
        for (grant, leased) in grants.into_iter().zip(leased) {
            Arc::make_mut(grant).leases.push(leased);
        }
        self.lent.insert(lease.plugin.clone(), alone);
        Ok(())
    }

    /// The names that the operator's file has entries for.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.plugins.keys().map(String::as_str)
    }

    /// What kind of component a plugin is: what the operator's entry says, for whatever bytes.
    pub fn shape(&self, name: &str) -> Shape {
        self.plugins.get(name).map_or_else(Shape::default, |grant| grant.shape)
    }

    /// Every bound on a call of a plugin, with or without an entry.
    pub fn limits(&self, name: &str, digest: Option<&str>) -> Limits {
        self.plugin(name, digest).map_or(self.defaults, |grant| grant.limits)
    }

    /// Whether one concrete operation is allowed. Pure: the same question to the
    /// same snapshot has the same answer, whoever asks: a guest, a listing or `explain`.
    pub fn decide(&self, who: &Who<'_>, what: &Capability<'_>) -> Result<Permit, Denied> {
        Ok(match *what {
            Capability::Call { tool } => Permit::Call(self.call(who, tool)?),
            Capability::Http(request) => Permit::Http(self.http(who, &request)?),
            Capability::File { mount, access } => Permit::File(self.file(who, mount, access)?),
            Capability::Secret { name, usage } => Permit::Secret(self.secret(who, name, usage)?),
            Capability::Config => Permit::Config(self.config(who)?),
            Capability::Store => Permit::Store(self.store(who)?),
            Capability::Cache => Permit::Cache(self.cache(who)?),
        })
    }

    /// `decide` for running a tool.
    pub fn call(&self, who: &Who<'_>, tool: &str) -> Result<call::CallPermit, Denied> {
        self.with_granted(who, |granted| call::decide(granted.entry, tool))
    }

    /// `decide` for a request. What a name resolves to is not known here: whoever
    /// connects asks the [`Floor`] about each address.
    pub fn http(&self, who: &Who<'_>, request: &http::HttpRequest<'_>) -> Result<http::HttpPermit, Denied> {
        self.with_granted(who, |granted| http::decide(granted, &self.floor, request))
    }

    /// `decide` for a directory.
    pub fn file(&self, who: &Who<'_>, mount: &str, access: files::Access) -> Result<files::FilePermit, Denied> {
        self.with_granted(who, |granted| files::decide(granted, who.tenant, mount, access))
    }

    /// `decide` for a secret.
    pub fn secret(&self, who: &Who<'_>, name: &str, usage: secrets::SecretUse) -> Result<secrets::SecretPermit, Denied> {
        self.with_granted(who, |granted| secrets::decide(granted, name, usage))
    }

    /// `decide` for the settings.
    pub fn config(&self, who: &Who<'_>) -> Result<config::ConfigPermit, Denied> {
        self.with_granted(who, config::decide)
    }

    /// `decide` for the store.
    pub fn store(&self, who: &Who<'_>) -> Result<store::StorePermit, Denied> {
        self.with_granted(who, store::decide)
    }

    /// `decide` for the cache.
    pub fn cache(&self, who: &Who<'_>) -> Result<cache::CachePermit, Denied> {
        self.with_granted(who, cache::decide)
    }

    /// Every directory that may be opened for a call, each as `decide` would permit it.
    pub fn mounts(&self, who: &Who<'_>) -> Vec<files::FilePermit> {
        self.with_granted(who, |granted| Ok(files::all(granted, who.tenant))).unwrap_or_default()
    }

    fn with_granted<T>(&self, who: &Who<'_>, ask: impl FnOnce(&Granted<'_>) -> Result<T, Denied>) -> Result<T, Denied> {
        match self.plugin(who.plugin, who.digest) {
            Some(grant) => ask(&grant.granted(who)?),
            None => ask(&Grant::bare(who.plugin, self.defaults).granted(who)?),
        }
    }
}

/// Of the sections as they would be written again: the same sections have the same
/// text, however they were spelled, because maps are sorted and members stand in
/// the order of their declaration.
fn digest(sections: &impl serde::Serialize) -> Arc<str> {
    let text = serde_json::to_vec(sections).expect("the sections are made of JSON values");
    let hex = sha2::Sha256::digest(text).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("sha256:{hex}").into()
}

fn digest_of(file: &PolicyFile, base: &Path, builtin: &[Builtin]) -> Arc<str> {
    let shipped: Vec<_> = builtin.iter().map(|it| (&it.plugin, &it.digest, &it.file)).collect();
    digest(&(file, base.to_string_lossy(), shipped))
}

fn references(file: &PolicyFile, base: &Path, problems: &mut Vec<Problem>) -> SecretRefs {
    let mut references = SecretRefs::new();
    for (name, secret) in &file.secrets {
        match secret.from.parse::<SecretRef>() {
            Ok(reference) => {
                references.insert(name.clone(), Arc::new(reference.under(base)));
            }
            Err(error) => {
                let error: SecretError = error;
                problems.push(Problem::error(
                    format!("secrets.{name}.from"),
                    error.to_string(),
                    "write it like \"env:NAME\" or \"file:PATH\"",
                ));
            }
        }
    }
    references
}

/// `[a-z][a-z0-9-]{0,31}`
fn is_plugin_name(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
