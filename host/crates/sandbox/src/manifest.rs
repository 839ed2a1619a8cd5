//! `plugin.toml`: what a plugin says about itself and what it would like to be
//! granted. It lies beside the component, or inside it as the custom section
//! `wardian:plugin`. A request grants nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The contract version that this server speaks.
pub(crate) const CONTRACT: &str = "0.1";

/// The custom section of a component that holds the same text.
pub(crate) const SECTION: &str = "wardian:plugin";

/// A manifest is read by people; more is a mistake or an attack on the parser.
pub(crate) const BYTES_MAX: usize = 64 << 10;

/// Requests of one kind that are shown; a longer list is nobody's honest wish.
const REQUESTS_SHOWN_MAX: usize = 64;

/// The whole file. Unknown keys are ignored, so that a newer plugin's manifest still reads.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Manifest {
    /// The name its author gave it; the installed name is the file's.
    pub name: Option<String>,
    pub version: Option<String>,
    pub license: Option<String>,
    pub description: Option<String>,
    /// The contract version it was made for.
    pub contract: Option<String>,
    pub requests: Requests,
}

/// `[requests]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Requests {
    pub http: Vec<HttpRequest>,
    pub files: Vec<FilesRequest>,
    pub store: Option<StoreRequest>,
    pub cache: Option<CacheRequest>,
    /// Name and reason.
    pub secrets: BTreeMap<String, String>,
    /// Name and reason.
    pub config: BTreeMap<String, String>,
}

/// `[[requests.http]]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct HttpRequest {
    pub host: String,
    pub methods: Vec<String>,
    pub paths: Vec<String>,
    pub reason: String,
}

/// `[[requests.files]]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct FilesRequest {
    pub guest: String,
    pub access: String,
    pub reason: String,
}

/// `[requests.store]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct StoreRequest {
    pub scope: String,
    pub quota: String,
    pub reason: String,
}

/// `[requests.cache]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct CacheRequest {
    pub quota: String,
    pub reason: String,
}

impl Manifest {
    /// Reads the text, and refuses a contract that this server does not speak.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("the manifest is {} bytes long; at most {BYTES_MAX} are read", text.len()));
        }
        let manifest: Self = toml::from_str(text).map_err(|error| format!("the manifest cannot be read: {}", error.message()))?;
        match manifest.contract.as_deref() {
            None | Some(CONTRACT) => Ok(manifest),
            Some(other) => Err(format!(
                "the plugin was made for contract {}, this server speaks {CONTRACT}; rebuild it, or use a server of its version",
                printable(other)
            )),
        }
    }

    /// Its version, where it gives a sensible one.
    pub(crate) fn version(&self) -> String {
        self.version.as_deref().map_or_else(|| "0.0.0".into(), printable)
    }

    /// What it asks for, one phrase a request.
    pub(crate) fn phrases(&self) -> Vec<String> {
        let because = |reason: &str| if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let mut phrases = Vec::new();
        for http in self.requests.http.iter().take(REQUESTS_SHOWN_MAX) {
            let methods = if http.methods.is_empty() { "GET".into() } else { http.methods.join(", ") };
            phrases.push(format!("http {methods} {}{}{}", http.host, http.paths.join(" "), because(&http.reason)));
        }
        for files in self.requests.files.iter().take(REQUESTS_SHOWN_MAX) {
            phrases.push(format!("files {} as {}{}", files.access, files.guest, because(&files.reason)));
        }
        if let Some(store) = &self.requests.store {
            phrases.push(format!("store by {} of {}{}", store.scope, store.quota, because(&store.reason)));
        }
        if let Some(cache) = &self.requests.cache {
            phrases.push(format!("cache of {}{}", cache.quota, because(&cache.reason)));
        }
        for (kind, names) in [("secret", &self.requests.secrets), ("config", &self.requests.config)] {
            phrases.extend(names.iter().take(REQUESTS_SHOWN_MAX).map(|(name, reason)| format!("{kind} {name}{}", because(reason))));
        }
        phrases.iter().map(|phrase| printable(phrase)).collect()
    }

    /// The same as words: those in which the policy compares them with grants.
    pub(crate) fn asks(&self) -> Vec<Vec<String>> {
        let mut asks = Vec::new();
        for http in self.requests.http.iter().take(REQUESTS_SHOWN_MAX) {
            let methods = if http.methods.is_empty() { "GET".into() } else { http.methods.join(",") };
            let path = if http.paths.len() == 1 { http.paths[0].as_str() } else { "/*" };
            asks.push(words(&["http", &methods, &format!("https://{}{path}", http.host)]));
        }
        for files in self.requests.files.iter().take(REQUESTS_SHOWN_MAX) {
            asks.push(words(&["files", &files.access, &files.guest]));
        }
        asks.extend(self.requests.store.iter().map(|_| words(&["store"])));
        asks.extend(self.requests.cache.iter().map(|_| words(&["cache"])));
        for (kind, names) in [("secret", &self.requests.secrets), ("config", &self.requests.config)] {
            asks.extend(names.keys().take(REQUESTS_SHOWN_MAX).map(|name| words(&[kind, name])));
        }
        asks
    }
}

/// A request as words.
fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| printable(word)).collect()
}

/// The author's text as an operator may safely see it on one line.
fn printable(text: &str) -> String {
    const SHOWN_MAX: usize = 200;
    text.chars().map(|c| if c.is_control() || crate::schema::invisible(c) { ' ' } else { c }).take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_read_as_phrases() {
        let manifest = Manifest::parse(
            r#"
            name = "notes"
            version = "0.1.0"
            contract = "0.1"
            [requests.store]
            scope = "session"
            quota = "1MiB"
            [[requests.http]]
            host = "api.example.com"
            methods = ["GET"]
            reason = "to look things up"
            "#,
        )
        .unwrap();
        assert_eq!(manifest.phrases(), ["http GET api.example.com: to look things up", "store by session of 1MiB"]);
        assert_eq!(manifest.asks(), [vec!["http", "GET", "https://api.example.com/*"], vec!["store"]]);
        assert_eq!(manifest.version(), "0.1.0");
    }

    #[test]
    fn another_contract_is_refused_with_both_versions() {
        let error = Manifest::parse("contract = \"9.4\"").unwrap_err();
        assert!(error.contains("9.4") && error.contains("speaks 0.1"), "{error}");
    }
}
