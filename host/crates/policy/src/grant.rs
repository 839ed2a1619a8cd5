//! What the operator granted to one plugin, checked and compiled.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::capabilities::cache;
use crate::capabilities::config::{self, Settings};
use crate::capabilities::files::{self, Access, Mount};
use crate::capabilities::http::Rule;
use crate::capabilities::store::Store;
use crate::denied::{self, Denied};
use crate::file::{PluginFile, SecretUseFile};
use crate::glob::{self, Glob};
use crate::limits::Limits;
use crate::problem::Problem;
use crate::secret::SecretRef;

/// The operator's secrets by name.
pub(crate) type SecretRefs = BTreeMap<String, Arc<SecretRef>>;

/// Which calls need a person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Approve {
    /// None.
    Never,
    /// Those of tools that may change or destroy something.
    #[default]
    Destructive,
    /// All.
    Always,
}

/// Whose agreement counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Approver {
    /// Whoever holds the conversation.
    #[default]
    Client,
    /// Somebody who runs the server.
    Operator,
}

/// How a plugin is bound to its bytes and its descriptor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pin {
    /// The first load with a grant records both digests; any change needs to be accepted.
    #[default]
    First,
    /// Any change is taken. For development only.
    Auto,
}

/// What kind of component a plugin is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// It exports the plugin contract.
    #[default]
    Native,
    /// Its exported functions become tools.
    Functions,
    /// It is a command that reads and writes JSON.
    Command,
}

/// Digests pinned by hand, `sha256:<hex>` in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// Of the component.
    pub digest: Option<String>,
    /// Of the descriptor.
    pub tools_digest: Option<String>,
}

/// What the grants make possible, for judging what a tool claims about itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// A directory may be written.
    pub writes_files: bool,
    /// A request may do more than look.
    pub sends_http_other_than_get: bool,
    /// A secret goes into requests.
    pub injects_secret: bool,
    /// The guest sees a secret.
    pub reveals_secret: bool,
    /// Some other server is reachable.
    pub reaches_out: bool,
}

/// `[plugin.NAME]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The plugin.
    pub plugin: String,
    /// Every bound on its calls.
    pub limits: Limits,
    /// How it is bound to its bytes.
    pub pin: Pin,
    /// Digests pinned by hand.
    pub pins: Pins,
    /// What kind of component it is.
    pub shape: Shape,
    /// Its rules for requests.
    pub http: Vec<Rule>,
    /// Its directories.
    pub files: Vec<Mount>,
    /// Its settings.
    pub config: Arc<Settings>,
    /// Its store.
    pub store: Option<Store>,
    /// Its cache: all files together, in each tenant.
    pub cache_quota_bytes: Option<u64>,
    /// True for a grant that came with the server and not from the operator's file.
    pub builtin: bool,
    pub(crate) reveal: BTreeMap<String, Arc<SecretRef>>,
    pub(crate) tools: Option<Vec<Glob>>,
    tenants: Vec<Glob>,
    agents: Option<Vec<Glob>>,
    approve: Approve,
    approver: Approver,
    tool: HashMap<String, (Approve, Approver)>,
}

/// What an entry is built with.
pub(crate) struct Context<'a> {
    pub(crate) base: &'a Path,
    pub(crate) secrets: &'a SecretRefs,
    pub(crate) defaults: Limits,
    pub(crate) builtin: bool,
}

impl Grant {
    /// What a plugin without any entry has: calls from the operator's own tenant,
    /// and nothing but computing. As it can do no harm, nobody is asked.
    pub(crate) fn bare(plugin: &str, limits: Limits) -> Self {
        Self {
            plugin: plugin.to_owned(),
            limits,
            pin: Pin::default(),
            pins: Pins::default(),
            shape: Shape::default(),
            http: Vec::new(),
            files: Vec::new(),
            config: Arc::default(),
            store: None,
            cache_quota_bytes: None,
            builtin: false,
            reveal: BTreeMap::new(),
            tools: None,
            tenants: vec![Glob::new(crate::OPERATOR_TENANT)],
            agents: None,
            approve: Approve::Never,
            approver: Approver::default(),
            tool: HashMap::new(),
        }
    }

    pub(crate) fn build(name: &str, file: &PluginFile, context: &Context<'_>, problems: &mut Vec<Problem>) -> Self {
        let key = format!("plugin.{}", denied::key(name));
        let globs = |list: &Vec<String>| list.iter().map(|text| Glob::new(text)).collect::<Vec<_>>();
        let mut grant = Self::bare(name, context.defaults.with(&file.limits));
        problems.extend(grant.limits.faults().into_iter().map(|(limit, fault)| Problem::error(format!("{key}.limits.{limit}"), fault, "")));
        grant.builtin = context.builtin;
        grant.tenants = file.tenants.as_ref().map_or(grant.tenants, globs);
        grant.agents = file.agents.as_ref().map(globs);
        grant.tools = file.tools.as_ref().map(globs);
        grant.pin = pin(&key, file, problems);
        grant.pins = pins(&key, file, problems);
        grant.shape = shape(&key, file, problems);
        grant.approve = file.approve.unwrap_or_default();
        grant.approver = file.approver.unwrap_or_default();
        let (approve, approver) = (grant.approve, grant.approver);
        let each = |(tool, it): (&String, &crate::file::ToolFile)| {
            (tool.clone(), (it.approve.unwrap_or(approve), it.approver.unwrap_or(approver)))
        };
        grant.tool = file.tool.iter().map(each).collect();
        let rules = file.http.iter().enumerate();
        grant.http = rules.filter_map(|(index, it)| Rule::build(&format!("{key}.http[{index}]"), it, context.secrets, problems)).collect();
        for (index, mount) in file.files.iter().enumerate() {
            match Mount::build(&format!("{key}.files[{index}]"), mount, context.base) {
                Ok(mount) => grant.files.push(mount),
                Err(problem) => problems.push(problem),
            }
        }
        problems.extend(files::check(&key, &grant.files, Some(&grant.tenants)));
        grant.reveal = reveal(&key, file, context.secrets, problems);
        grant.config = Arc::new(config::build(&key, &file.config, problems));
        grant.store = file.store.as_ref().map(Store::from);
        grant.cache_quota_bytes = file.cache.as_ref().map(|file| cache::quota(file.quota));
        grant
    }

    /// What the grants make possible.
    pub fn facts(&self) -> Facts {
        Facts {
            writes_files: self.files.iter().any(|mount| mount.access() == Access::Write),
            sends_http_other_than_get: self.http.iter().any(Rule::sends_other_than_get),
            injects_secret: self.http.iter().any(|rule| rule.inject().is_some()),
            reveals_secret: !self.reveal.is_empty(),
            reaches_out: !self.http.is_empty(),
        }
    }

    /// The grants in a phrase each, for listings.
    pub fn phrases(&self) -> Vec<String> {
        let http = self.http.iter().map(|rule| rule.text().to_owned());
        let files = files::all(self, crate::OPERATOR_TENANT).into_iter().map(|permit| permit.rule);
        let secrets = self.reveal.keys().map(|name| format!("{} {} = \"reveal\"", self.entry("secrets"), denied::key(name)));
        let config = (!self.config.is_empty()).then(|| self.entry("config"));
        let store = self.store.map(|_| self.entry("store"));
        let cache = self.cache_quota_bytes.map(|_| self.entry("cache"));
        http.chain(files).chain(secrets).chain(config).chain(store).chain(cache).collect()
    }

    /// Whether a tool is shown at all.
    pub fn shows(&self, tool: &str) -> bool {
        glob::any(self.tools.as_deref(), tool)
    }

    pub(crate) fn approval(&self, tool: &str) -> (Approve, Approver) {
        self.tool.get(tool).copied().unwrap_or((self.approve, self.approver))
    }

    /// Whether the entry speaks for this tenant, this agent and these bytes.
    pub(crate) fn covers(&self, who: &crate::Who<'_>) -> Result<(), Denied> {
        let refuse =
            |what: String, list: String| Err(self.denied(what, format!("change it to {list}"), format!("{}\n{list}\n", self.table())));
        if !glob::any(Some(&self.tenants), who.tenant) {
            return refuse(format!("tenant {}", who.tenant), self.widened(Some(&self.tenants), "tenants", who.tenant));
        }
        if !glob::any(self.agents.as_deref(), who.agent) {
            return refuse(format!("agent {}", who.agent), self.widened(self.agents.as_deref(), "agents", who.agent));
        }
        match (&self.pins.digest, who.digest) {
            (Some(pinned), Some(digest)) if pinned != digest => {
                refuse(format!("component {digest}"), format!("digest = {}", denied::text(digest)))
            }
            _ => Ok(()),
        }
    }

    /// `[plugin.NAME]`
    pub(crate) fn table(&self) -> String {
        format!("[plugin.{}]", denied::key(&self.plugin))
    }

    /// `[plugin.NAME.SECTION]`
    pub(crate) fn entry(&self, section: &str) -> String {
        format!("[plugin.{}.{section}]", denied::key(&self.plugin))
    }

    /// `[[plugin.NAME.SECTION]]`
    pub(crate) fn array(&self, section: &str) -> String {
        format!("[{}]", self.entry(section))
    }

    /// A list of the entry with one more name in it, as a line.
    pub(crate) fn widened(&self, globs: Option<&[Glob]>, key: &str, name: &str) -> String {
        let names = globs.unwrap_or_default().iter().map(Glob::text).chain([name]);
        format!("{key} = [{}]", names.map(denied::text).collect::<Vec<_>>().join(", "))
    }

    /// A refusal because nothing grants it.
    pub(crate) fn not_granted(&self, what: &str, help: String, toml: String) -> Denied {
        self.refuse(what.to_owned(), "is not granted", help, toml)
    }

    /// A refusal because the entry is for others.
    pub(crate) fn denied(&self, what: String, help: String, toml: String) -> Denied {
        self.refuse(what, &format!("is not among those that {} names and so not granted", self.table()), help, toml)
    }

    fn refuse(&self, what: String, why: &str, help: String, toml: String) -> Denied {
        let replaces = if self.builtin { " (an entry of yours replaces the whole grant that came with the server)" } else { "" };
        Denied { what, why: format!("{why} to plugin {}", self.plugin), help: format!("{help}{replaces}"), toml }
    }
}

/// Only digests that are pinned by hand are compared so far: an operator who relies on more has to hear of it.
fn pin(key: &str, file: &PluginFile, problems: &mut Vec<Problem>) -> Pin {
    if file.pin == Some(Pin::First) {
        let help = "pin by hand with digest and tools-digest, as `wardian plugins inspect` shows them";
        problems.push(Problem::warning(format!("{key}.pin"), "\"first\" is not enforced in this version", help));
    }
    file.pin.unwrap_or_default()
}

fn shape(key: &str, file: &PluginFile, problems: &mut Vec<Problem>) -> Shape {
    let shape = file.shape.unwrap_or_default();
    if shape != Shape::Native {
        let help = "export the plugin contract and leave `shape` out";
        problems.push(Problem::error(format!("{key}.shape"), "components of this shape are not supported in this version", help));
    }
    shape
}

fn pins(key: &str, file: &PluginFile, problems: &mut Vec<Problem>) -> Pins {
    let mut check = |name: &str, digest: &Option<String>| {
        let digest = digest.as_ref()?.to_ascii_lowercase();
        let hex = digest.strip_prefix("sha256:").unwrap_or_default();
        if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Some(digest);
        }
        let help = "write sha256: and 64 hexadecimal digits, as `wardian plugins list` shows them";
        problems.push(Problem::error(format!("{key}.{name}"), "this is not a digest", help));
        None
    };
    Pins { digest: check("digest", &file.digest), tools_digest: check("tools-digest", &file.tools_digest) }
}

fn reveal(key: &str, file: &PluginFile, secrets: &SecretRefs, problems: &mut Vec<Problem>) -> BTreeMap<String, Arc<SecretRef>> {
    let mut reveal = BTreeMap::new();
    for (name, usage) in &file.secrets {
        match (usage, secrets.get(name)) {
            (SecretUseFile::Reveal, Some(reference)) => {
                reveal.insert(name.clone(), reference.clone());
            }
            (SecretUseFile::Reveal, None) => {
                let help = format!("add [secrets.{}] with from = \"env:NAME\"", denied::key(name));
                problems.push(Problem::error(format!("{key}.secrets.{name}"), format!("there is no secret {name}"), help));
            }
        }
    }
    reveal
}
