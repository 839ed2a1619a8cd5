//! `plugin.toml`: what a plugin says about itself and what it would like to be
//! granted. It lies beside the component, or inside it as the custom section
//! `wardian:plugin`. A request grants nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use schema::text;

/// The contract version that this server speaks.
pub(crate) const CONTRACT: &str = "0.1";

/// The custom section of a component that holds the same text.
pub(crate) const SECTION: &str = "wardian:plugin";

/// A manifest is read by people; more is a mistake or an attack on the parser.
pub(crate) const BYTES_MAX: usize = 64 << 10;

/// Requests of one kind, and names in one of them; a longer list is nobody's honest wish.
const REQUESTS_MAX: usize = 64;

/// One text. Operators read all of them before they grant anything.
const TEXT_CHARS_MAX: usize = 500;

/// The whole file. Unknown keys are ignored, so that a newer plugin's manifest still reads; requests of
/// an unknown kind are shown.
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
    /// What a command reads.
    pub command: Command,
}

/// `[command]`: of a component that is a command and describes itself here.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Command {
    /// JSON Schema of what it reads on standard input, as text.
    pub input: Option<String>,
}

/// `[requests]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// What a server of a later version may understand.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// `[[requests.http]]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct HttpRequest {
    pub host: String,
    pub methods: Vec<String>,
    pub paths: Vec<String>,
    pub reason: String,
}

/// `[[requests.files]]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct FilesRequest {
    pub guest: String,
    pub access: String,
    pub reason: String,
}

/// `[requests.store]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StoreRequest {
    pub scope: String,
    pub quota: String,
    pub reason: String,
}

/// `[requests.cache]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CacheRequest {
    pub quota: String,
    pub reason: String,
}

impl Manifest {
    /// Reads the text, and refuses a contract that this server does not speak.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > BYTES_MAX {
            return Err(format!("the manifest is {} bytes long; at most {BYTES_MAX} are read", bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| "the manifest is not UTF-8 text".to_owned())?;
        seen(text::hidden(text))?;
        let cannot = |error: toml::de::Error| format!("the manifest cannot be read: {}", text::escaped(error.message()));
        let manifest: Self = toml::from_str(text).map_err(cannot)?;
        manifest.check()?;
        match manifest.contract.as_deref() {
            None | Some(CONTRACT) => Ok(manifest),
            Some(other) => Err(format!(
                "the plugin was made for contract {other}, this server speaks {CONTRACT}; rebuild it, or use a server of its version"
            )),
        }
    }

    /// Its version, where it gives one.
    pub(crate) fn version(&self) -> String {
        self.version.clone().unwrap_or_else(|| "0.0.0".into())
    }

    /// Bounds what is shown. TOML has escapes, so hidden characters are looked for in what was read as well.
    fn check(&self) -> Result<(), String> {
        let said = [&self.name, &self.version, &self.license, &self.description, &self.contract];
        said.into_iter().flatten().try_for_each(|text| fit(text))?;
        let Requests { http, files, store, cache, secrets, config, other } = &self.requests;
        let reasons = |map: &BTreeMap<String, String>| map.len();
        let counts = [http.len(), files.len(), reasons(secrets), reasons(config), other.len()];
        let lists = http.iter().flat_map(|http| [http.methods.len(), http.paths.len()]);
        if counts.into_iter().chain(lists).any(|count| count > REQUESTS_MAX) {
            return Err(format!("the manifest requests more than {REQUESTS_MAX} things of one kind"));
        }
        for http in http {
            [&http.host, &http.reason].into_iter().chain(&http.methods).chain(&http.paths).try_for_each(|text| fit(text))?;
        }
        files.iter().flat_map(|files| [&files.guest, &files.access, &files.reason]).try_for_each(|text| fit(text))?;
        store.iter().flat_map(|store| [&store.scope, &store.quota, &store.reason]).try_for_each(|text| fit(text))?;
        cache.iter().flat_map(|cache| [&cache.quota, &cache.reason]).try_for_each(|text| fit(text))?;
        secrets.iter().chain(config).flat_map(|(name, reason)| [name, reason]).try_for_each(|text| fit(text))?;
        other
            .iter()
            .try_for_each(|(name, value)| fit(name).and_then(|()| fit(&value.to_string())).and_then(|()| seen(text::hidden_in(value))))
    }
}

impl Requests {
    /// What is asked for, one phrase a request.
    pub(crate) fn phrases(&self) -> Vec<String> {
        let because = |reason: &str| if reason.is_empty() { String::new() } else { format!(": {}", text::escaped(reason)) };
        let mut phrases = Vec::new();
        for http in &self.http {
            let methods = if http.methods.is_empty() { "GET".into() } else { http.methods.join(", ") };
            phrases.push(format!("http {methods} {}{}{}", http.host, http.paths.join(" "), because(&http.reason)));
        }
        for files in &self.files {
            phrases.push(format!("files {} as {}{}", files.access, files.guest, because(&files.reason)));
        }
        if let Some(store) = &self.store {
            phrases.push(format!("store by {} of {}{}", store.scope, store.quota, because(&store.reason)));
        }
        if let Some(cache) = &self.cache {
            phrases.push(format!("cache of {}{}", cache.quota, because(&cache.reason)));
        }
        for (kind, names) in [("secret", &self.secrets), ("config", &self.config)] {
            phrases.extend(names.iter().map(|(name, reason)| format!("{kind} {name}{}", because(reason))));
        }
        phrases.extend(self.other.iter().map(|(kind, value)| format!("{kind} {value}, which this server does not know")));
        phrases.iter().map(|phrase| text::escaped(phrase)).collect()
    }

    /// The same as words: those in which the policy compares them with grants.
    pub(crate) fn asks(&self) -> Vec<Vec<String>> {
        let mut asks = Vec::new();
        for http in &self.http {
            let methods = if http.methods.is_empty() { "GET".into() } else { http.methods.join(",") };
            let path = if http.paths.len() == 1 { http.paths[0].as_str() } else { "/*" };
            asks.push(words(&["http", &methods, &format!("https://{}{path}", http.host)]));
        }
        asks.extend(self.files.iter().map(|files| words(&["files", &files.access, &files.guest])));
        asks.extend(self.store.iter().map(|_| words(&["store"])));
        asks.extend(self.cache.iter().map(|_| words(&["cache"])));
        for (kind, names) in [("secret", &self.secrets), ("config", &self.config)] {
            asks.extend(names.keys().map(|name| words(&[kind, name])));
        }
        asks
    }

    /// Their digest, `sha256:<hex>`, over their canonical form.
    pub(crate) fn digest(&self) -> Result<String, String> {
        let text = serde_json::to_vec(self).map_err(|error| format!("the requests cannot be written as JSON: {error}"))?;
        Ok(crate::sha256(&text))
    }
}

/// A request as words.
fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| text::escaped(word)).collect()
}

/// The author's text as an operator may safely see it.
fn fit(text: &str) -> Result<(), String> {
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(format!("a text in the manifest is longer than {TEXT_CHARS_MAX} characters"));
    }
    seen(text::hidden(text))
}

fn seen(hidden: Option<char>) -> Result<(), String> {
    hidden.map_or(Ok(()), |c| Err(format!("the manifest holds an invisible character, U+{:04X}", u32::from(c))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Manifest::parse(text.as_bytes()).err().unwrap_or_else(|| panic!("{text} is not refused"))
    }

    #[test]
    fn requests_read_as_phrases() {
        let manifest = Manifest::parse(
            br#"
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
            [requests.sockets]
            port = 1
            "#,
        )
        .unwrap();
        let phrases = [
            "http GET api.example.com: to look things up",
            "store by session of 1MiB",
            "sockets {\"port\":1}, which this server does not know",
        ];
        assert_eq!(manifest.requests.phrases(), phrases);
        assert_eq!(manifest.requests.asks(), [vec!["http", "GET", "https://api.example.com/*"], vec!["store"]]);
        assert_eq!(manifest.version(), "0.1.0");
    }

    #[test]
    fn the_digest_of_requests_follows_what_they_say_and_not_how_it_is_written() {
        let digest = |text: &str| Manifest::parse(text.as_bytes()).unwrap().requests.digest().unwrap();
        let one = digest("[requests.secrets]\na = 'x'\nb = 'y'\n");
        assert_eq!(one, digest("version = '2'\n[requests]\nsecrets = { b = 'y', a = 'x' }\n"));
        assert_ne!(one, digest("[requests.secrets]\na = 'x'\nb = 'z'\n"));
        assert_ne!(one, digest("[requests.secrets]\na = 'x'\nb = 'y'\n[requests.sockets]\n"));
    }

    #[test]
    fn another_contract_is_refused_with_both_versions() {
        let error = refusal("contract = \"9.4\"");
        assert!(error.contains("9.4") && error.contains("speaks 0.1"), "{error}");
    }

    #[test]
    fn what_an_operator_could_not_read_is_refused_with_the_reason() {
        let long = format!("[[requests.http]]\nhost = 'a'\nreason = '{}'", "x".repeat(501));
        let many: String = (0..65).map(|n| format!("s{n} = 'x'\n")).collect();
        for (text, why) in [
            ("version = 1".to_owned(), "invalid type"),
            ("requests = 'all'".into(), "invalid type"),
            ("[requests]\nhttp = {host = 'a'}".into(), "invalid type"),
            ("[requests.secrets]\na = ['x']".into(), "invalid type"),
            ("version = '1'\nversion = '2'".into(), "duplicate key"),
            ("= nothing".into(), "cannot be read"),
            ("version = '1\u{202e}'".into(), "U+202E"),
            ("version = \"1\\u202e\"".into(), "U+202E"),
            ("[requests.secrets]\n\"k\\u200b\" = 'x'".into(), "U+200B"),
            ("[requests.other]\nx = \"\\u001b[2J\"".into(), "U+001B"),
            (long, "longer than 500 characters"),
            (format!("[requests.secrets]\n{many}"), "more than 64"),
            (format!("# {}", "x".repeat(BYTES_MAX)), "bytes long"),
        ] {
            let refused = refusal(&text);
            assert!(refused.contains(why), "{text}: {refused}");
        }
        assert!(Manifest::parse(b"version = \"\xff\"").unwrap_err().contains("UTF-8"));
    }
}
