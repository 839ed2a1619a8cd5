//! The node's cache files: `[plugin.NAME.cache]`.

use crate::denied::Denied;
use crate::grant::Grant;
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

pub(crate) fn decide(grant: &Grant) -> Result<CachePermit, Denied> {
    let entry = grant.entry("cache");
    match grant.cache_quota_bytes {
        Some(quota_bytes) => Ok(CachePermit { quota_bytes, rule: entry }),
        None => Err(grant.not_granted("the cache", format!("add {entry}"), format!("{entry}\nquota = \"{QUOTA}\"\n"))),
    }
}
