//! The node's cache files: `[plugin.NAME.cache]`.

use crate::denied::Denied;
use crate::grant::Granted;
use crate::units::Bytes;

/// All files of a plugin in one tenant, where the entry says nothing.
const QUOTA: Bytes = Bytes(64 << 20);

/// Leave to use the node's cache files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachePermit {
    /// All files together, in each tenant.
    pub quota_bytes: u64,
    /// The line that allowed it.
    pub rule: String,
}

/// The quota of an entry.
pub(crate) fn quota(written: Option<Bytes>) -> u64 {
    written.unwrap_or(QUOTA).0
}

/// The largest quota of those that were granted.
pub(crate) fn decide(granted: &Granted<'_>) -> Result<CachePermit, Denied> {
    let quotas = granted.all().filter_map(|grant| Some((grant.cache_quota_bytes?, grant)));
    let entry = granted.entry.entry("cache");
    match quotas.reduce(|one, other| if other.0 > one.0 { other } else { one }) {
        Some((quota_bytes, grant)) => Ok(CachePermit { quota_bytes, rule: grant.rule(entry) }),
        None => Err(granted.entry.not_granted("the cache", format!("add {entry}"), format!("{entry}\nquota = \"{QUOTA}\"\n"))),
    }
}
