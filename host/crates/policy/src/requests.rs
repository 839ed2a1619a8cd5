//! What a plugin asks for, beside what it was granted. A request grants nothing
//! and takes nothing away: a grant holds whether or not it was asked for. The
//! comparison is for the operator, who may have misspelt one or forgotten the other.

use crate::capabilities::files::Access;
use crate::capabilities::http::Rule;
use crate::grant::Grant;
use crate::host::HostPattern;
use crate::lease::LeaseFile;
use crate::problem::Problem;
use crate::snapshot::Policy;
use crate::words::Unclear;

/// One request of a plugin's manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Requests to hosts.
    Http {
        /// As a rule names them.
        host: String,
        /// The methods.
        methods: Vec<String>,
    },
    /// A directory.
    Files {
        /// The guest's name for it.
        guest: String,
        /// What for.
        access: Access,
    },
    /// To see a secret, or to have it injected.
    Secret(String),
    /// A setting.
    Config(String),
    /// The durable store.
    Store,
    /// The node's cache files.
    Cache,
}

impl Request {
    /// Reads the words in which a request is shown: those of `wardian grant`,
    /// without what only the operator can know.
    pub fn parse<S: AsRef<str>>(words: &[S]) -> Result<Self, Unclear> {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        Ok(match words[..] {
            ["files", access, guest] => Self::Files { guest: guest.to_owned(), access: crate::words::word_of_access(access)? },
            ["secret", name] => Self::Secret(name.to_owned()),
            ["config", name] => Self::Config(name.to_owned()),
            ["store"] => Self::Store,
            ["cache"] => Self::Cache,
            _ => {
                let rule = LeaseFile::parse(&words)?.http.pop().ok_or_else(|| Unclear::of("this is no request"))?;
                Self::Http { host: rule.host, methods: rule.methods.unwrap_or_default() }
            }
        })
    }

    /// Whether something of it was granted.
    fn granted(&self, grant: &Grant) -> bool {
        grant.and_leases().any(|grant| match self {
            Self::Http { .. } => grant.http.iter().any(|rule| self.asks_for(rule)),
            Self::Files { guest, access } => grant.files.iter().any(|mount| mount.guest() == guest && mount.access() >= *access),
            Self::Secret(name) => grant.reveal.contains_key(name) || injected(grant, name),
            Self::Config(name) => grant.config.contains_key(name),
            Self::Store => grant.store.is_some(),
            Self::Cache => grant.cache_quota_bytes.is_some(),
        })
    }

    /// Whether it and a rule have something in common.
    fn asks_for(&self, rule: &Rule) -> bool {
        let Self::Http { host, methods } = self else { return false };
        let Ok(host) = HostPattern::parse(host) else { return false };
        let method = methods.is_empty() || methods.iter().any(|method| rule.methods().contains(method));
        // Who asks for every name has nothing against an address.
        method && (host == HostPattern::AnyName || host.covers(rule.host()) || rule.host().covers(&host))
    }
}

fn injected(grant: &Grant, name: &str) -> bool {
    grant.http.iter().filter_map(Rule::inject).any(|inject| &*inject.secret == name)
}

impl Policy {
    /// The grants of a plugin for which it has no request: likely misspelt, and
    /// without effect if so. None where it has no grant, or was granted nothing.
    pub fn unrequested(&self, plugin: &str, digest: Option<&str>, requests: &[Request]) -> Vec<Problem> {
        let Some(grant) = self.plugin(plugin, digest) else { return Vec::new() };
        let says = |key: &str, what: String| {
            let help = "a plugin uses what it asks for; `wardian plugins inspect` shows that";
            Problem::warning(key, format!("plugin {plugin} does not ask for {what}"), help)
        };
        let path = |section: &str| format!("plugin.{}.{section}", crate::denied::key(plugin));
        let mut found = Vec::new();
        for rule in grant.http.iter().filter(|rule| !requests.iter().any(|request| request.asks_for(rule))) {
            found.push(says(rule.key(), format!("host {}", rule.host())));
        }
        for mount in &grant.files {
            let asked = |request: &Request| matches!(request, Request::Files { guest, .. } if guest == mount.guest());
            if !requests.iter().any(asked) {
                found.push(says(mount.key(), format!("directory {}", mount.guest())));
            }
        }
        for name in grant.reveal.keys().filter(|name| !requests.contains(&Request::Secret((*name).clone()))) {
            found.push(says(&format!("{}.{name}", path("secrets")), format!("secret {name}")));
        }
        for name in grant.config.keys().filter(|name| !requests.contains(&Request::Config((*name).clone()))) {
            found.push(says(&format!("{}.{name}", path("config")), format!("setting {name}")));
        }
        if grant.store.is_some() && !requests.contains(&Request::Store) {
            found.push(says(&path("store"), "a store".into()));
        }
        if grant.cache_quota_bytes.is_some() && !requests.contains(&Request::Cache) {
            found.push(says(&path("cache"), "a cache".into()));
        }
        found
    }

    /// The requests of a plugin of which nothing was granted, by their place in the list.
    pub fn ungranted(&self, plugin: &str, digest: Option<&str>, requests: &[Request]) -> Vec<usize> {
        let grant = self.plugin(plugin, digest);
        let open = requests.iter().enumerate().filter(|(_, request)| !grant.is_some_and(|grant| request.granted(grant)));
        open.map(|(index, _)| index).collect()
    }
}
