//! What a guest can ask for: one concrete operation each, one file a noun. Each
//! noun has its compiled rules, the permit that lets the host act, and the
//! refusal with the lines that would allow it.

pub mod cache;
pub mod call;
pub mod config;
pub mod files;
pub mod http;
pub mod secrets;
pub mod store;

use cache::CachePermit;
use call::CallPermit;
use config::ConfigPermit;
use files::{Access, FilePermit};
use http::{HttpPermit, HttpRequest};
use secrets::{SecretPermit, SecretUse};
use store::StorePermit;

/// One concrete operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability<'a> {
    /// Run a tool.
    Call {
        /// The tool's name.
        tool: &'a str,
    },
    /// Send a request.
    Http(HttpRequest<'a>),
    /// Use a directory.
    File {
        /// The guest's name for it.
        mount: &'a str,
        /// What for.
        access: Access,
    },
    /// Use a secret.
    Secret {
        /// Its name.
        name: &'a str,
        /// What for.
        usage: SecretUse,
    },
    /// Read the settings.
    Config,
    /// Use the durable store.
    Store,
    /// Use the node's cache files.
    Cache,
}

/// Proof that one concrete operation was checked, with what is needed to do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permit {
    /// Run a tool.
    Call(CallPermit),
    /// Send a request.
    Http(HttpPermit),
    /// Use a directory.
    File(FilePermit),
    /// Use a secret.
    Secret(SecretPermit),
    /// Read the settings.
    Config(ConfigPermit),
    /// Use the durable store.
    Store(StorePermit),
    /// Use the node's cache files.
    Cache(CachePermit),
}

impl Permit {
    /// The line of the operator's file that allowed it.
    pub fn rule(&self) -> &str {
        match self {
            Self::Call(permit) => &permit.rule,
            Self::Http(permit) => &permit.rule,
            Self::File(permit) => &permit.rule,
            Self::Secret(permit) => &permit.rule,
            Self::Config(permit) => &permit.rule,
            Self::Store(permit) => &permit.rule,
            Self::Cache(permit) => &permit.rule,
        }
    }

    /// The path of that line, such as `plugin.weather.http[0]`, or the lease that it belongs to.
    pub fn key(&self) -> String {
        match self {
            Self::Http(permit) => permit.key.clone(),
            Self::File(permit) => permit.key.clone(),
            Self::Call(_) | Self::Secret(_) | Self::Config(_) | Self::Store(_) | Self::Cache(_) => {
                let rule = self.rule();
                let lease = rule.strip_prefix("lease ").and_then(|rest| rest.split(':').next());
                let path = || rule.trim_start_matches('[').split(']').next().unwrap_or_default().to_owned();
                lease.map_or_else(path, |id| format!("lease {id}"))
            }
        }
    }
}
