//! The policy as one immutable snapshot, built from the operator's sections and
//! swapped as a whole when they change.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use sha2::Digest;

use crate::capabilities::{Capability, Permit, cache, call, config, files, http, secrets, store};
use crate::denied::Denied;
use crate::file::{PluginFile, PolicyFile};
use crate::floor::Floor;
use crate::grant::{Context, Grant, SecretRefs};
use crate::limits::Limits;
use crate::problem::{Problem, Severity};
use crate::secret::{SecretError, SecretRef};

/// The tenant that every server has: its operator's own.
pub const OPERATOR_TENANT: &str = "default";

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
            warnings: Vec::new(),
            digest: digest(&PolicyFile::default(), Path::new(""), &[]),
        }
    }
}

impl Policy {
    /// Checks the file's sections and compiles them. Relative paths are under
    /// `base`. All findings are reported at once; with an error among them there is no policy.
    pub fn build(file: &PolicyFile, base: &Path, builtin: &[Builtin]) -> Result<Self, Vec<Problem>> {
        let (floor, mut problems) = Floor::build(&file.network);
        let defaults = Limits::default().with(&file.defaults.limits);
        problems.extend(defaults.faults().into_iter().map(|(key, fault)| Problem::error(format!("defaults.limits.{key}"), fault, "")));
        let secrets = references(file, base, &mut problems);
        let mut context = Context { base, secrets: &secrets, defaults, builtin: false };
        let mut plugins = HashMap::new();
        for (name, entry) in &file.plugin {
            if !is_plugin_name(name) {
                let help = "a plugin's name is the stem of its file: a small letter, then at most 31 of a-z, 0-9 and -";
                problems.push(Problem::error(format!("plugin.{name}"), "no plugin can have this name", help));
                continue;
            }
            plugins.insert(name.clone(), Arc::new(Grant::build(name, entry, &context, &mut problems)));
        }
        context.builtin = true;
        let shipped = builtin.iter().map(|it| {
            let grant = Grant::build(&it.plugin, &it.file, &context, &mut problems);
            (it.digest.to_ascii_lowercase(), Arc::new(grant))
        });
        let (builtin, digest) = (shipped.collect(), digest(file, base, builtin));
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(problems);
        }
        Ok(Self { floor, defaults, secrets, plugins, builtin, warnings: problems, digest })
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
        self.builtin.get(digest?).filter(|grant| grant.plugin == name).map(|grant| &**grant)
    }

    /// The names that the operator's file has entries for.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.plugins.keys().map(String::as_str)
    }

    /// Every bound on a call of a plugin, with or without an entry.
    pub fn limits(&self, name: &str, digest: Option<&str>) -> Limits {
        self.plugin(name, digest).map_or(self.defaults, |grant| grant.limits)
    }

    /// Whether one concrete operation is allowed. Pure: the same question to the
    /// same snapshot has the same answer, whoever asks: a guest, a listing or `explain`.
    pub fn decide(&self, who: &Who<'_>, what: &Capability<'_>) -> Result<Permit, Denied> {
        self.with_grant(who, |grant| {
            grant.covers(who)?;
            Ok(match *what {
                Capability::Call { tool } => Permit::Call(call::decide(grant, tool)?),
                Capability::Http(request) => Permit::Http(http::decide(grant, &request)?),
                Capability::File { mount, access } => Permit::File(files::decide(grant, who.tenant, mount, access)?),
                Capability::Secret { name, usage } => Permit::Secret(secrets::decide(grant, name, usage)?),
                Capability::Config => Permit::Config(config::decide(grant)?),
                Capability::Store => Permit::Store(store::decide(grant)?),
                Capability::Cache => Permit::Cache(cache::decide(grant)?),
            })
        })
    }

    /// `decide` for running a tool.
    pub fn call(&self, who: &Who<'_>, tool: &str) -> Result<call::CallPermit, Denied> {
        self.with_grant(who, |grant| grant.covers(who).and_then(|()| call::decide(grant, tool)))
    }

    /// `decide` for a request.
    pub fn http(&self, who: &Who<'_>, request: &http::HttpRequest<'_>) -> Result<http::HttpPermit, Denied> {
        self.with_grant(who, |grant| grant.covers(who).and_then(|()| http::decide(grant, request)))
    }

    /// `decide` for a secret.
    pub fn secret(&self, who: &Who<'_>, name: &str, usage: secrets::SecretUse) -> Result<secrets::SecretPermit, Denied> {
        self.with_grant(who, |grant| grant.covers(who).and_then(|()| secrets::decide(grant, name, usage)))
    }

    /// `decide` for the settings.
    pub fn config(&self, who: &Who<'_>) -> Result<config::ConfigPermit, Denied> {
        self.with_grant(who, |grant| grant.covers(who).and_then(|()| config::decide(grant)))
    }

    /// `decide` for the store.
    pub fn store(&self, who: &Who<'_>) -> Result<store::StorePermit, Denied> {
        self.with_grant(who, |grant| grant.covers(who).and_then(|()| store::decide(grant)))
    }

    /// `decide` for the cache.
    pub fn cache(&self, who: &Who<'_>) -> Result<cache::CachePermit, Denied> {
        self.with_grant(who, |grant| grant.covers(who).and_then(|()| cache::decide(grant)))
    }

    /// Every directory that may be opened for a call, each as `decide` would permit it.
    pub fn mounts(&self, who: &Who<'_>) -> Vec<files::FilePermit> {
        self.with_grant(who, |grant| grant.covers(who).map(|()| files::all(grant, who.tenant))).unwrap_or_default()
    }

    fn with_grant<T>(&self, who: &Who<'_>, ask: impl FnOnce(&Grant) -> T) -> T {
        match self.plugin(who.plugin, who.digest) {
            Some(grant) => ask(grant),
            None => ask(&Grant::bare(who.plugin, self.defaults)),
        }
    }
}

/// Maps are sorted and members stand in the order of their declaration, so the
/// text is the same for the same sections, however they were spelled.
fn digest(file: &PolicyFile, base: &Path, builtin: &[Builtin]) -> Arc<str> {
    let shipped: Vec<_> = builtin.iter().map(|it| (&it.plugin, &it.digest, &it.file)).collect();
    let text = serde_json::to_vec(&(file, base.to_string_lossy(), shipped)).expect("the sections are made of JSON values");
    let hex = sha2::Sha256::digest(text).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("sha256:{hex}").into()
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
