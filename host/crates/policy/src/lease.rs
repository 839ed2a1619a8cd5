//! Grants for a time. A lease adds to what a plugin has and never changes for
//! whom: the entry's tenants, agents and tools stay as they are. It is never
//! written into the operator's file, and ends by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::capabilities::files;
use crate::file::{CacheFile, HttpFile, MountFile, PluginFile, SecretUseFile, StoreFile};
use crate::grant::{Context, Grant, Leased};
use crate::problem::{Problem, Severity};

/// The longest lease: what is needed for longer belongs into the file, where it is seen.
pub const LEASE_MAX: Duration = Duration::from_secs(24 * 3_600);

/// The leases of one server at the same time: each is a part of every snapshot of the policy.
pub const LEASES_MAX: usize = 256;

/// The longest lease as JSON: a lease is a handful of rules, not a second file.
pub const LEASE_BYTES_MAX: usize = 16 << 10;

/// What can be lent: the parts of an entry that add up. Limits, approvals, pins
/// and for whom an entry speaks are the file's alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct LeaseFile {
    /// As `[[plugin.NAME.http]]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpFile>,
    /// As `[[plugin.NAME.files]]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<MountFile>,
    /// As `[plugin.NAME.secrets]`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretUseFile>,
    /// As `[plugin.NAME.config]`; a setting that the entry has stays as it is.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, toml::Value>,
    /// As `[plugin.NAME.store]`; the scope of the entry's own store stays as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreFile>,
    /// As `[plugin.NAME.cache]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheFile>,
}

/// A grant for a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// Its name, by which it is revoked.
    pub id: String,
    /// To which plugin.
    pub plugin: String,
    /// Only for this one of the tenants that the entry speaks for.
    pub tenant: Option<String>,
    /// Only for this one of the agents that the entry speaks for.
    pub agent: Option<String>,
    /// What is lent.
    pub grant: LeaseFile,
    /// Since when, in milliseconds since 1970.
    pub from_ms: i64,
    /// Until when, in milliseconds since 1970.
    pub until_ms: i64,
    /// Who lent it.
    pub by: String,
}

impl Lease {
    /// Whether it holds at this time.
    pub fn holds(&self, now_ms: i64) -> bool {
        (self.from_ms..self.until_ms).contains(&now_ms)
    }
}

impl LeaseFile {
    /// Whether nothing is lent.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn as_entry(&self) -> PluginFile {
        let Self { http, files, secrets, config, store, cache } = self.clone();
        PluginFile { http, files, secrets, config, store, cache, ..PluginFile::default() }
    }
}

/// What a lease lends, compiled to stand beside `base`; or what is wrong with it there.
pub(crate) fn lent(lease: &Lease, base: &Grant, context: &Context<'_>) -> Result<Leased, Vec<Problem>> {
    let mut problems = Vec::new();
    if lease.grant.is_empty() {
        problems.push(Problem::error("", "nothing is lent", "name at least one of http, files, secrets, config, store and cache"));
    }
    let mut grant = Grant::bare(&lease.plugin, context.defaults);
    grant.fill(&lease.grant.as_entry(), context, &mut problems);
    grant.lease = Some(lease.id.as_str().into());
    grant.http = grant.http.into_iter().map(|rule| rule.lent(&lease.id)).collect();
    for (index, mount) in grant.files.iter().enumerate() {
        let there = base.and_leases().flat_map(|grant| &grant.files).chain(&grant.files[..index]);
        problems.extend(files::check_lent(mount, there, &base.tenants_of(lease.tenant.as_deref())));
    }
    grant.files = grant.files.into_iter().map(|mount| mount.lent(&lease.id)).collect();
    if let (Some(has), Some(wants)) = (base.and_leases().find_map(|grant| grant.store), grant.store)
        && has.scope != wants.scope
    {
        problems.push(Problem::error("store.scope", "the plugin has a store of another scope", "write the scope that its entry has"));
    }
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        let prefix = format!("plugin.{}.", crate::denied::key(&lease.plugin));
        let short = |problem: Problem| Problem { key: problem.key.strip_prefix(&prefix).unwrap_or(&problem.key).to_owned(), ..problem };
        return Err(problems.into_iter().map(short).collect());
    }
    Ok(Leased { tenant: lease.tenant.clone(), agent: lease.agent.clone(), grant })
}
