//! What an operator writes about one operation or one grant: the words of
//! `wardian policy explain` and `wardian grant`, and those in which a plugin's
//! requests are shown.
//!
//! ```text
//! http METHOD URL             call TOOL        config [NAME=VALUE]
//! files read|write PATH       secret NAME      store       cache
//! ```

use std::collections::BTreeMap;

use crate::capabilities::Capability;
use crate::capabilities::files::Access;
use crate::capabilities::http::HttpRequest;
use crate::capabilities::secrets::SecretUse;
use crate::file::{CacheFile, HttpFile, MountFile, PluginFile, SecretUseFile, StoreFile};
use crate::host::Scheme;
use crate::lease::LeaseFile;

/// Words that say nothing that could be asked or granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unclear(String);

/// One concrete operation, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Run a tool.
    Call {
        /// The tool's name.
        tool: String,
    },
    /// Send a request.
    Http {
        /// The method.
        method: String,
        /// Where to.
        url: Url,
    },
    /// Use a file.
    File {
        /// The guest's path.
        path: String,
        /// What for.
        access: Access,
    },
    /// Use a secret.
    Secret {
        /// Its name.
        name: String,
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

/// The parts of a URL, as they were written; what they mean is decided elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// With TLS or without.
    pub scheme: Scheme,
    /// The host, with brackets around an IPv6 address.
    pub host: String,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// The path without the query; `/` where none is written.
    pub path: String,
}

const QUESTIONS: &str =
    "write it like `http GET https://api.example.com/v2/x`, `files read maps/x`, `secret NAME`, `config`, `store`, `cache` or `call TOOL`";
const GRANTS: &str = "write it like `http GET https://api.example.com/v2/*`, `files read /srv/maps maps`, `secret NAME`, `config NAME=VALUE`, \
                      `store session 1MiB` or `cache 64MiB`";

fn unclear<T>(what: impl Into<String>) -> Result<T, Unclear> {
    Err(Unclear(what.into()))
}

impl Unclear {
    pub(crate) fn of(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// The words of one text: apart at blanks, but for those between '…' or "…". Nothing else has a meaning of its own.
pub fn split(text: &str) -> Result<Vec<String>, Unclear> {
    let (mut words, mut word, mut within) = (Vec::new(), None::<String>, None);
    for c in text.chars() {
        match within {
            Some(quote) if c == quote => within = None,
            None if c == '\'' || c == '"' => {
                within = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            Some(_) | None => word.get_or_insert_default().push(c),
        }
    }
    if let Some(quote) = within {
        return unclear(format!("{text:?} has a {quote} without an end; write the word that holds one between the other quotes"));
    }
    words.extend(word);
    Ok(words)
}

/// Words as one text that [`split`] takes apart again.
pub fn join<S: AsRef<str>>(words: &[S]) -> String {
    let quoted = |word: &str| match (word.contains('\''), word.contains('"')) {
        (false, false) if !word.is_empty() && !word.contains(char::is_whitespace) => word.to_owned(),
        (false, _) => format!("'{word}'"),
        (true, false) => format!("\"{word}\""),
        (true, true) => word.split('\'').map(|part| format!("'{part}'")).collect::<Vec<_>>().join("\"'\""),
    };
    words.iter().map(|word| quoted(word.as_ref())).collect::<Vec<_>>().join(" ")
}

impl Url {
    /// Takes a URL apart. User-info and fragments are refused, as they are where requests leave.
    pub fn parse(text: &str) -> Result<Self, Unclear> {
        let (scheme, rest) = text.split_once("://").unwrap_or((text, ""));
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return unclear(format!("{text:?} is not a URL; write it like https://api.example.com/v2/x")),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at(end);
        if after.contains('#') {
            return unclear("a fragment is never sent; leave out # and what follows");
        }
        if authority.contains('@') {
            return unclear("user-info before the host is refused; credentials are injected as secrets");
        }
        let host_end = if authority.starts_with('[') { authority.find(']').map_or(authority.len(), |at| at + 1) } else { 0 };
        let (host, port) = match authority[host_end..].find(':') {
            Some(at) => (&authority[..host_end + at], Some(&authority[host_end + at + 1..])),
            None => (authority, None),
        };
        let port = match port {
            None => None,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse() {
                Ok(port) => Some(port),
                Err(_) => return unclear(format!("{digits} is not a port")),
            },
            Some(other) => return unclear(format!("{other:?} is not a port")),
        };
        if host.is_empty() {
            return unclear(format!("{text:?} names no host"));
        }
        let path = after.split('?').next().filter(|path| !path.is_empty()).unwrap_or("/");
        Ok(Self { scheme, host: host.to_owned(), port, path: path.to_owned() })
    }
}

impl Question {
    /// Reads the words of a question.
    pub fn parse<S: AsRef<str>>(words: &[S]) -> Result<Self, Unclear> {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        Ok(match words[..] {
            ["call", tool] => Self::Call { tool: tool.to_owned() },
            ["http", method, url] => Self::Http { method: method.to_owned(), url: Url::parse(url)? },
            ["files", access, ref path @ ..] if !path.is_empty() => file(access, path.join(" "))?,
            ["secret", name] | ["secret", name, "reveal"] => Self::Secret { name: name.to_owned(), usage: SecretUse::Reveal },
            ["secret", name, "inject"] => Self::Secret { name: name.to_owned(), usage: SecretUse::Inject },
            ["config"] => Self::Config,
            ["store"] => Self::Store,
            ["cache"] => Self::Cache,
            _ => return unclear(format!("{:?} is no question; {QUESTIONS}", words.join(" "))),
        })
    }

    /// The operation; `mount` is the directory that a file's path is in.
    pub(crate) fn capability<'a>(&'a self, mount: &'a str) -> Capability<'a> {
        match self {
            Self::Call { tool } => Capability::Call { tool },
            Self::Http { method, url: Url { scheme, host, port, path } } => {
                Capability::Http(HttpRequest { method, scheme: *scheme, host, port: port.unwrap_or(scheme.port()), path })
            }
            Self::File { access, .. } => Capability::File { mount, access: *access },
            Self::Secret { name, usage } => Capability::Secret { name, usage: *usage },
            Self::Config => Capability::Config,
            Self::Store => Capability::Store,
            Self::Cache => Capability::Cache,
        }
    }

    /// As a sentence names it.
    pub fn text(&self) -> String {
        match self {
            Self::Call { tool } => format!("call {tool}"),
            Self::Http { method, url: Url { scheme, host, port, path } } => {
                let port = port.map_or_else(String::new, |port| format!(":{port}"));
                format!("{method} {}://{host}{port}{path}", scheme.word())
            }
            Self::File { path, access } => format!("{} {path}", access.word()),
            Self::Secret { name, usage: SecretUse::Reveal } => format!("reveal secret {name}"),
            Self::Secret { name, usage: SecretUse::Inject } => format!("inject secret {name}"),
            Self::Config => "read the configuration".to_owned(),
            Self::Store => "use the store".to_owned(),
            Self::Cache => "use the cache".to_owned(),
        }
    }
}

impl LeaseFile {
    /// Reads the words of a grant.
    pub fn parse<S: AsRef<str>>(words: &[S]) -> Result<Self, Unclear> {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        let mut grant = Self::default();
        match &words[..] {
            ["http", methods, url] => grant.http.push(http(methods, url)?),
            ["files", access, host, guest] => grant.files.push(mount(access, host, guest, None)?),
            ["files", access, host, guest, quota] => grant.files.push(mount(access, host, guest, Some(quota))?),
            ["secret", name] => drop(grant.secrets.insert((*name).to_owned(), SecretUseFile::Reveal)),
            ["config", settings @ ..] if !settings.is_empty() => grant.config = config(settings)?,
            ["store"] => grant.store = Some(StoreFile::default()),
            ["store", scope] => grant.store = Some(StoreFile { scope: scope_of(scope)?, quota: None }),
            ["store", scope, quota] => grant.store = Some(StoreFile { scope: scope_of(scope)?, quota: Some(size(quota)?) }),
            ["cache"] => grant.cache = Some(CacheFile::default()),
            ["cache", quota] => grant.cache = Some(CacheFile { quota: Some(size(quota)?) }),
            _ => return unclear(format!("{:?} is nothing that can be granted for a time; {GRANTS}", words.join(" "))),
        }
        Ok(grant)
    }
}

impl PluginFile {
    /// Takes up what the words of a grant say.
    pub fn add(&mut self, grant: LeaseFile) {
        let LeaseFile { http, files, secrets, config, store, cache } = grant;
        self.http.extend(http);
        self.files.extend(files);
        self.secrets.extend(secrets);
        self.config.extend(config);
        self.store = store.or(self.store.take());
        self.cache = cache.or(self.cache.take());
    }

    /// What the entry grants, in the words of a grant. What has no words, such as an
    /// injected secret, is left out.
    pub fn words(&self) -> Vec<Vec<String>> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let mut all: Vec<Vec<String>> = self.http.iter().flat_map(words_of_http).collect();
        all.extend(self.files.iter().map(|mount| words(&["files", mount.access.word(), &mount.host, &mount.guest])));
        all.extend(self.secrets.iter().map(|(name, SecretUseFile::Reveal)| words(&["secret", name])));
        let settings = self.config.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)));
        all.extend(settings.map(|setting| words(&["config", &setting])));
        all.extend(self.store.as_ref().map(|store| words(&["store", store.scope.word()])));
        all.extend(self.cache.as_ref().map(|_| words(&["cache"])));
        all
    }
}

/// One line for each path.
fn words_of_http(rule: &HttpFile) -> Vec<Vec<String>> {
    let methods = rule.methods.as_ref().map_or_else(|| "GET,HEAD".to_owned(), |methods| methods.join(","));
    let port = rule.port.map_or_else(String::new, |port| format!(":{port}"));
    let origin = format!("{}://{}{port}", rule.scheme.unwrap_or(Scheme::Https).word(), rule.host);
    let paths = rule.paths.clone().unwrap_or_else(|| vec!["/*".to_owned()]);
    paths.iter().map(|path| vec!["http".to_owned(), methods.clone(), format!("{origin}{path}")]).collect()
}

fn file(access: &str, path: String) -> Result<Question, Unclear> {
    if path.split('/').any(|part| part == "..") {
        return unclear(format!("{path} goes up with ..; write where it leads"));
    }
    Ok(Question::File { access: word_of_access(access)?, path })
}

/// Methods in a row with commas, and a URL with `*` where any run of characters may stand.
fn http(methods: &str, url: &str) -> Result<HttpFile, Unclear> {
    let Url { scheme, host, port, path } = Url::parse(url)?;
    Ok(HttpFile {
        host,
        scheme: (scheme != Scheme::Https).then_some(scheme),
        port,
        methods: Some(methods.split(',').map(str::to_owned).collect()),
        paths: Some(vec![path]),
        response: None,
        inject: None,
    })
}

fn mount(access: &str, host: &str, guest: &str, quota: Option<&str>) -> Result<MountFile, Unclear> {
    let quota = quota.map(size).transpose()?;
    Ok(MountFile { host: host.to_owned(), guest: guest.to_owned(), access: word_of_access(access)?, quota })
}

fn config(settings: &[&str]) -> Result<BTreeMap<String, toml::Value>, Unclear> {
    let pair = |text: &&str| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), toml::Value::String(value.to_owned()))),
        Some(_) | None => unclear(format!("{text:?} is not a setting; write it like units=metric")),
    };
    settings.iter().map(pair).collect()
}

pub(crate) fn word_of_access(word: &str) -> Result<Access, Unclear> {
    match word {
        "read" => Ok(Access::Read),
        "write" => Ok(Access::Write),
        other => unclear(format!("{other:?} is neither read nor write")),
    }
}

fn scope_of(word: &str) -> Result<crate::StoreScope, Unclear> {
    match word {
        "session" => Ok(crate::StoreScope::Session),
        "agent" => Ok(crate::StoreScope::Agent),
        "plugin" => Ok(crate::StoreScope::Plugin),
        other => unclear(format!("{other:?} is not session, agent or plugin")),
    }
}

fn size(text: &str) -> Result<crate::Bytes, Unclear> {
    text.parse().map_err(|error: crate::UnitError| Unclear(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_comes_apart_as_it_was_written() {
        let url = Url::parse("HTTPS://Api.Example.com:8443/v2/x?q=1").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.path.as_str()), ("Api.Example.com", Some(8443), "/v2/x"));
        let url = Url::parse("http://[::1]").unwrap();
        assert_eq!((url.scheme, url.host.as_str(), url.port, url.path.as_str()), (Scheme::Http, "[::1]", None, "/"));
        for text in [
            "",
            "https://",
            "ftp://a",
            "a.example",
            "https://u@a",
            "https://a:",
            "https://a:x",
            "https://a:99999",
            "https://a/#b",
            "https:///x",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_word_with_blanks_stands_between_quotes() {
        for (text, words) in [
            ("files read '/srv/my maps' maps", &["files", "read", "/srv/my maps", "maps"][..]),
            ("  http\tGET \"https://a.example/it's\" ", &["http", "GET", "https://a.example/it's"]),
            (r#"a'b c'"d e" ''"#, &["ab cd e", ""]),
            ("", &[]),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
            assert_eq!(split(&join(words)).unwrap(), words, "{text}");
        }
        for words in [&["it's", "\"", "a\"b'c d", "''", "", " "][..], &["plain", "config", "a=b"]] {
            assert_eq!(split(&join(words)).unwrap(), words, "{}", join(words));
        }
        assert_eq!(join(&["http", "GET", "https://a.example/*"]), "http GET https://a.example/*");
        for text in ["it's", "a \"b", "'"] {
            assert!(split(text).unwrap_err().to_string().contains("without an end"), "{text}");
        }
    }

    #[test]
    fn words_that_say_nothing_are_answered_with_what_there_is() {
        let error = Question::parse(&["http", "GET"]).unwrap_err().to_string();
        assert!(error.contains("\"http GET\" is no question; write it like `http GET https://"), "{error}");
        assert!(Question::parse::<&str>(&[]).is_err() && LeaseFile::parse::<&str>(&[]).is_err());
        for words in [&["files", "move", "x"][..], &["store", "all"], &["cache", "1"], &["config", "x"], &["limits", "time=1s"]] {
            assert!(Question::parse(words).is_err() && LeaseFile::parse(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn the_words_of_a_grant_are_those_of_an_entry() {
        let grant = LeaseFile::parse(&["http", "GET,POST", "http://a.example:8080/v1/*"]).unwrap();
        let toml = toml::to_string(&grant).unwrap();
        assert_eq!(
            toml,
            "[[http]]\nhost = \"a.example\"\nscheme = \"http\"\nport = 8080\nmethods = [\"GET\", \"POST\"]\npaths = [\"/v1/*\"]\n"
        );
        assert_eq!(LeaseFile::parse(&["files", "write", "/d", "d", "1MiB"]).unwrap().files[0].quota, Some(crate::Bytes(1 << 20)));
    }
    #[test]
    fn what_an_entry_grants_reads_back_from_its_words() {
        let mut entry = PluginFile::default();
        for words in [
            &["http", "GET,POST", "http://a.example:8080/v1/*"][..],
            &["files", "read", "/srv/maps", "maps"],
            &["secret", "key"],
            &["config", "units=metric"],
            &["store", "session"],
            &["cache"],
        ] {
            entry.add(LeaseFile::parse(words).unwrap());
        }
        let mut again = PluginFile::default();
        for words in entry.words() {
            again.add(LeaseFile::parse(&words).unwrap());
        }
        assert_eq!(again, entry);
    }
}
