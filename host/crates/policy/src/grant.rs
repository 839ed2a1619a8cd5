//! What the operator granted to one plugin, checked and compiled.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::agents::Agents;
use crate::capabilities::cache;
use crate::capabilities::config::{self, Settings};
use crate::capabilities::files::{self, Access, Mount};
use crate::capabilities::http::Rule;
use crate::capabilities::store::Store;
use crate::denied::{self, Denied, Layer};
use crate::doubts;
use crate::file::{PluginFile, SecretUseFile};
use crate::floor::Floor;
use crate::glob::{self, Glob};
use crate::limits::Limits;
use crate::problem::Problem;
use crate::secret::SecretRef;
use crate::shape::{Shape, Start, Words};

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

impl Facts {
    /// Whether a tool can change something, whatever it claims.
    pub fn rule_out_read_only(self) -> bool {
        self.writes_files || self.sends_http_other_than_get || self.injects_secret
    }
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
    /// How it is started, where it is a command.
    pub start: Start,
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
    /// What it was lent for a time, on top of everything else.
    pub leases: Vec<Leased>,
    /// The lease that this is, where it is one.
    pub(crate) lease: Option<Arc<str>>,
    pub(crate) reveal: BTreeMap<String, Arc<SecretRef>>,
    pub(crate) tools: Option<Vec<Glob>>,
    tenants: Vec<Glob>,
    agents: Agents,
    approve: Approve,
    approver: Approver,
    tool: HashMap<String, (Approve, Approver)>,
    words: HashMap<String, Words>,
}

/// A lease as a part of what it was lent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// For this tenant only.
    pub(crate) tenant: Option<String>,
    /// For this agent only.
    pub(crate) agent: Option<String>,
    /// What was lent.
    pub(crate) grant: Grant,
}

/// Everything that holds for one caller: the entry, and the leases that speak for it.
pub(crate) struct Granted<'a> {
    pub(crate) entry: &'a Grant,
    leases: Vec<&'a Grant>,
}

impl<'a> Granted<'a> {
    /// The entry first, then the leases.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'a Grant> {
        std::iter::once(self.entry).chain(self.leases.iter().copied())
    }
}

/// What an entry is built with.
pub(crate) struct Context<'a> {
    pub(crate) base: &'a Path,
    pub(crate) secrets: &'a SecretRefs,
    pub(crate) floor: &'a Floor,
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
            start: Start::default(),
            http: Vec::new(),
            files: Vec::new(),
            config: Arc::default(),
            store: None,
            cache_quota_bytes: None,
            builtin: false,
            leases: Vec::new(),
            lease: None,
            reveal: BTreeMap::new(),
            tools: None,
            tenants: vec![Glob::new(crate::OPERATOR_TENANT)],
            agents: Agents::default(),
            approve: Approve::Never,
            approver: Approver::default(),
            tool: HashMap::new(),
            words: HashMap::new(),
        }
    }

    pub(crate) fn build(name: &str, file: &PluginFile, context: &Context<'_>, problems: &mut Vec<Problem>) -> Self {
        let key = format!("plugin.{}", denied::key(name));
        let globs = |list: &Vec<String>| list.iter().map(|text| Glob::new(text)).collect::<Vec<_>>();
        let mut grant = Self::bare(name, context.defaults.with(&file.limits));
        problems.extend(grant.limits.faults().into_iter().map(|(limit, fault)| Problem::error(format!("{key}.limits.{limit}"), fault, "")));
        grant.builtin = context.builtin;
        grant.tenants = file.tenants.as_ref().map_or(grant.tenants, globs);
        grant.agents = Agents::new(file.agents.as_deref());
        grant.tools = file.tools.as_ref().map(globs);
        grant.pin = file.pin.unwrap_or_default();
        grant.pins = pins(&key, file, problems);
        grant.shape = file.shape.unwrap_or_default();
        grant.start = Start::build(&key, file, problems);
        grant.approve = file.approve.unwrap_or_default();
        grant.approver = file.approver.unwrap_or_default();
        let (approve, approver) = (grant.approve, grant.approver);
        let each = |(tool, it): (&String, &crate::file::ToolFile)| {
            (tool.clone(), (it.approve.unwrap_or(approve), it.approver.unwrap_or(approver)))
        };
        grant.tool = file.tool.iter().map(each).collect();
        let words = file.tool.iter().map(|(tool, it)| (tool.clone(), Words::build(&format!("{key}.tool.{tool}"), it, problems)));
        grant.words = words.collect();
        problems.extend(doubts::of_names(&key, file));
        grant.fill(file, context, problems);
        problems.extend(files::check(&grant.files, &grant.tenants));
        grant
    }

    /// Takes over the parts of an entry that add up.
    pub(crate) fn fill(&mut self, file: &PluginFile, context: &Context<'_>, problems: &mut Vec<Problem>) {
        let key = format!("plugin.{}", denied::key(&self.plugin));
        problems.extend(doubts::of_rules(&format!("{key}.http"), &file.http, context.floor));
        let rules = file.http.iter().enumerate();
        self.http = rules.filter_map(|(index, it)| Rule::build(&format!("{key}.http[{index}]"), it, context.secrets, problems)).collect();
        for (index, mount) in file.files.iter().enumerate() {
            match Mount::build(&format!("{key}.files[{index}]"), mount, context.base) {
                Ok(mount) => self.files.push(mount),
                Err(problem) => problems.push(problem),
            }
        }
        self.reveal = reveal(&key, file, context.secrets, problems);
        self.config = Arc::new(config::build(&key, &file.config, problems));
        self.store = file.store.as_ref().map(Store::from);
        self.cache_quota_bytes = file.cache.as_ref().map(|file| cache::quota(file.quota));
    }

    /// The grant itself, then what was lent on top of it.
    pub(crate) fn and_leases(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.leases.iter().map(|leased| &leased.grant))
    }

    /// For which tenants it holds, where it is narrowed to one.
    pub(crate) fn tenants_of(&self, only: Option<&str>) -> Vec<Glob> {
        only.map_or_else(|| self.tenants.clone(), |only| vec![Glob::new(only)])
    }

    /// What the grants make possible, whoever calls: what was lent to one agent counts for all.
    pub fn facts(&self) -> Facts {
        let all = || self.and_leases();
        Facts {
            writes_files: all().flat_map(|grant| &grant.files).any(|mount| mount.access() == Access::Write),
            sends_http_other_than_get: all().flat_map(|grant| &grant.http).any(Rule::sends_other_than_get),
            injects_secret: all().flat_map(|grant| &grant.http).any(|rule| rule.inject().is_some()),
            reveals_secret: all().any(|grant| !grant.reveal.is_empty()),
            reaches_out: all().any(|grant| !grant.http.is_empty()),
        }
    }

    /// Whether all of it came with the server: it holds for the shipped bytes alone, and nobody added anything for a time.
    pub fn is_shipped(&self) -> bool {
        self.builtin && self.leases.is_empty()
    }

    /// The grants in a phrase each, for listings.
    pub fn phrases(&self) -> Vec<String> {
        let http = self.http.iter().map(|rule| rule.text().to_owned());
        let files = self.files.iter().map(|mount| mount.text().to_owned());
        let secrets = self.reveal.keys().map(|name| self.rule(format!("{} {} = \"reveal\"", self.entry("secrets"), denied::key(name))));
        let config = (!self.config.is_empty()).then(|| self.rule(self.entry("config")));
        let store = self.store.map(|_| self.rule(self.entry("store")));
        let cache = self.cache_quota_bytes.map(|_| self.rule(self.entry("cache")));
        let leases = self.leases.iter().flat_map(|leased| leased.grant.phrases());
        http.chain(files).chain(secrets).chain(config).chain(store).chain(cache).chain(leases).collect()
    }

    /// Whether a tool is shown at all.
    pub fn shows(&self, tool: &str) -> bool {
        glob::any(self.tools.as_deref(), tool)
    }

    /// What the operator says about a tool in place of its author.
    pub fn words(&self, tool: &str) -> Option<&Words> {
        self.words.get(tool)
    }

    pub(crate) fn approval(&self, tool: &str) -> (Approve, Approver) {
        self.tool.get(tool).copied().unwrap_or((self.approve, self.approver))
    }

    /// Whether the entry speaks for this tenant, this agent and these bytes.
    pub(crate) fn covers(&self, who: &crate::Who<'_>) -> Result<(), Denied> {
        if !glob::any(Some(&self.tenants), who.tenant) {
            let list = self.widened(Some(&self.tenants), "tenants", who.tenant);
            return Err(self.denied(Layer::Tenant, format!("tenant {}", who.tenant), list));
        }
        if !self.agents.include(who.agent) {
            let list = self.agents.widened(who.agent);
            return Err(self.denied(Layer::Agent, format!("agent {}", who.agent), list));
        }
        match (&self.pins.digest, who.digest) {
            (Some(pinned), Some(digest)) if pinned != digest => {
                Err(self.denied(Layer::Component, format!("component {digest}"), format!("digest = {}", denied::text(digest))))
            }
            (Some(_) | None, Some(_) | None) => Ok(()),
        }
    }

    /// What holds for a caller, or why the entry does not speak for it. A lease
    /// adds to what a plugin may do and never to for whom.
    pub(crate) fn granted(&self, who: &crate::Who<'_>) -> Result<Granted<'_>, Denied> {
        self.covers(who)?;
        let speaks = |leased: &&Leased| {
            leased.tenant.as_deref().is_none_or(|tenant| tenant == who.tenant)
                && leased.agent.as_deref().is_none_or(|agent| agent == who.agent)
        };
        Ok(Granted { entry: self, leases: self.leases.iter().filter(speaks).map(|leased| &leased.grant).collect() })
    }

    /// Which of these the entry does not speak for, if one of them.
    pub(crate) fn excludes(&self, tenant: Option<&str>, agent: Option<&str>) -> Option<String> {
        let tenant = tenant.filter(|tenant| !glob::any(Some(&self.tenants), tenant));
        let agent = agent.filter(|agent| !self.agents.include(agent));
        tenant.map(|tenant| format!("tenant {tenant}")).or_else(|| agent.map(|agent| format!("agent {agent}")))
    }

    /// A line as the one that allowed something: a lease's own are told from those of the file.
    pub(crate) fn rule(&self, line: String) -> String {
        match &self.lease {
            Some(id) => format!("lease {id}: {line}"),
            None => line,
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
        self.refuse(Layer::Grant, what.to_owned(), "is not granted", (help, toml))
    }

    /// A refusal because the entry is for others; `line` is the one that would include them.
    pub(crate) fn denied(&self, layer: Layer, what: String, line: String) -> Denied {
        let why = format!("is not among those that {} names and so not granted", self.table());
        self.refuse(layer, what, &why, (format!("change it to {line}"), format!("{}\n{line}\n", self.table())))
    }

    fn refuse(&self, layer: Layer, what: String, why: &str, (help, toml): (String, String)) -> Denied {
        let replaces = if self.builtin { " (an entry of yours replaces the whole grant that came with the server)" } else { "" };
        Denied { layer, what, why: format!("{why} to plugin {}", self.plugin), help: format!("{help}{replaces}"), toml }
    }
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
