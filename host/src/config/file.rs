//! The file form: `wardian.toml` as it is written, every section of it. The
//! sections of other crates stand here under the names that the file gives them;
//! what they mean is theirs. Nothing is checked here beyond the form.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use api::OnDisconnect;
use model::config::ModelsFile;
use policy::file::{DefaultsFile, NetworkFile, PluginFile, PolicyFile, SecretFile};
use policy::{Bytes, Rate, Span};
use serde::Deserialize;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct File {
    /// Address and port.
    pub(crate) listen: String,
    /// Everything that has to last.
    pub(crate) data: PathBuf,
    /// The plugin directory; absent: `plugins` in the data directory.
    pub(crate) plugins: Option<PathBuf>,
    /// `[server]`
    pub(crate) server: ServerFile,
    /// `[log]`
    pub(crate) log: LogFile,
    /// `[models.NAME]`
    pub(crate) models: ModelsFile,
    /// `[defaults]`
    pub(crate) defaults: DefaultsFile,
    /// `[network]`
    pub(crate) network: NetworkFile,
    /// `[secrets.NAME]`
    pub(crate) secrets: BTreeMap<String, SecretFile>,
    /// `[plugin.NAME]`
    pub(crate) plugin: BTreeMap<String, PluginFile>,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct ServerFile {
    /// Requests of one key.
    pub(crate) rate: Rate,
    /// A request's body.
    pub(crate) body: Bytes,
    /// All message texts of one input.
    pub(crate) message: Bytes,
    /// Model calls of one turn.
    pub(crate) steps: u32,
    /// Tool calls of one step.
    pub(crate) calls: u32,
    /// How long running turns may go on once the server was told to stop.
    pub(crate) grace: Span,
    /// How long a tool call waits for a person.
    pub(crate) approvals: Span,
    /// How long a tool call waits for the client that runs it.
    pub(crate) client_tools: Span,
    /// What becomes of a turn whose client goes away.
    pub(crate) on_disconnect: OnDisconnect,
    /// Plain HTTP beyond loopback, on purpose.
    pub(crate) allow_plain: bool,
    /// Names by which clients and web pages may know the server, beside loopback ones.
    pub(crate) hosts: Vec<String>,
    /// Origins whose pages may call the server.
    pub(crate) cors: Vec<String>,
    /// `tls = { cert, key }`
    pub(crate) tls: Option<TlsFile>,
}

/// `server.tls`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TlsFile {
    /// The chain, PEM.
    pub(crate) cert: PathBuf,
    /// The private key, PEM.
    pub(crate) key: PathBuf,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct LogFile {
    /// How lines look.
    pub(crate) format: LogFormat,
    /// Which lines are written: a level, or `target=level` pairs.
    pub(crate) level: String,
}

/// `log.format`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for File {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8750".into(),
            data: "wardian-data".into(),
            plugins: None,
            server: ServerFile::default(),
            log: LogFile::default(),
            models: ModelsFile::default(),
            defaults: DefaultsFile::default(),
            network: NetworkFile::default(),
            secrets: BTreeMap::new(),
            plugin: BTreeMap::new(),
        }
    }
}

impl Default for ServerFile {
    fn default() -> Self {
        Self {
            rate: Rate { count: 600, per: Duration::from_secs(60) },
            body: Bytes(1 << 20),
            message: Bytes(256 << 10),
            steps: 25,
            calls: 16,
            grace: Span(Duration::from_secs(20)),
            approvals: Span(Duration::from_secs(24 * 3_600)),
            client_tools: Span(Duration::from_secs(24 * 3_600)),
            on_disconnect: OnDisconnect::default(),
            allow_plain: false,
            hosts: Vec::new(),
            cors: Vec::new(),
            tls: None,
        }
    }
}

impl Default for LogFile {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".into() }
    }
}

impl File {
    /// The sections that say what is allowed.
    pub(crate) fn policy(&self) -> PolicyFile {
        PolicyFile {
            defaults: self.defaults.clone(),
            network: self.network.clone(),
            secrets: self.secrets.clone(),
            plugin: self.plugin.clone(),
        }
    }
}
