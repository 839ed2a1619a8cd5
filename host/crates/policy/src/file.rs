//! The operator's sections as they are written, before anything is checked
//! beyond their form: `[defaults]`, `[network]`, `[secrets]` and `[plugin]`.
//! The host builds them into its whole-file struct; unknown keys are errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::capabilities::files::Access;
use crate::capabilities::store::StoreScope;
use crate::grant::{Approve, Approver, Pin};
use crate::host::Scheme;
use crate::problem::Problem;
use crate::shape::{Shape, Trait};
use crate::units::{Bytes, Rate, Span};

/// All sections that this crate owns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct PolicyFile {
    /// `[defaults]`
    pub defaults: DefaultsFile,
    /// `[network]`
    pub network: NetworkFile,
    /// `[secrets.NAME]`
    pub secrets: BTreeMap<String, SecretFile>,
    /// `[plugin.NAME]`
    pub plugin: BTreeMap<String, PluginFile>,
}

/// `[defaults]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct DefaultsFile {
    /// `[defaults.limits]`: for every call whose plugin says nothing else.
    pub limits: LimitsFile,
}

/// `[defaults.limits]` and `[plugin.NAME.limits]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct LimitsFile {
    /// All memories and tables of a call together.
    pub memory: Option<Bytes>,
    /// Wall clock, waiting in the host included.
    pub time: Option<Span>,
    /// Guest code only.
    pub cpu: Option<Span>,
    /// The whole answer.
    pub output: Option<Bytes>,
    /// Log and standard output.
    pub log: Option<Bytes>,
    /// Calls of the plugin at the same time.
    pub at_once: Option<u32>,
    /// Calls in a span of time, per tenant.
    pub rate: Option<Rate>,
    /// A deterministic budget of computing, in wasmtime's units of fuel: about one for each instruction.
    pub fuel: Option<u64>,
    /// Calls into the host.
    pub host_calls: Option<u32>,
    /// Resources held open at once.
    pub handles: Option<u32>,
    /// Outbound connections at once.
    pub connections: Option<u32>,
    /// Outbound requests.
    pub requests: Option<u32>,
    /// Headers of one message.
    pub headers: Option<Bytes>,
    /// Request bodies together.
    pub sent: Option<Bytes>,
    /// Response bodies together.
    pub received: Option<Bytes>,
}

/// `[network]`: the floor below every grant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct NetworkFile {
    /// What happens to loopback, link-local, metadata, multicast and reserved addresses.
    pub special: Special,
    /// Address ranges opened on purpose, such as `10.1.0.0/16`.
    pub private: Vec<String>,
    /// How many redirects of one request are followed; each hop is decided again.
    pub redirects: u32,
}

/// `network.special`: they are always denied; the key says so where one looks for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Special {
    /// Closed, but for what `private` names.
    #[default]
    Deny,
}

/// Redirects followed where the file says nothing.
const REDIRECTS: u32 = 3;

impl Default for NetworkFile {
    fn default() -> Self {
        Self { special: Special::Deny, private: Vec::new(), redirects: REDIRECTS }
    }
}

/// `[secrets.NAME]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SecretFile {
    /// Where the value is: `env:NAME` or `file:PATH`.
    pub from: String,
}

/// `[plugin.NAME]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct PluginFile {
    /// Whose calls; absent: the operator's own tenant only. `*` stands for any run of characters.
    pub tenants: Option<Vec<String>>,
    /// Which agents of those tenants; absent: all.
    pub agents: Option<Vec<String>>,
    /// Which tools are visible; absent: all.
    pub tools: Option<Vec<String>>,
    /// Which calls need a person.
    pub approve: Option<Approve>,
    /// Which person.
    pub approver: Option<Approver>,
    /// How the plugin is bound to its bytes.
    pub pin: Option<Pin>,
    /// The component, `sha256:<hex>`.
    pub digest: Option<String>,
    /// The descriptor, `sha256:<hex>`.
    pub tools_digest: Option<String>,
    /// What kind of component it is.
    pub shape: Option<Shape>,
    /// `[plugin.NAME.command]`
    pub command: Option<CommandFile>,
    /// `[plugin.NAME.limits]`
    pub limits: LimitsFile,
    /// `[[plugin.NAME.http]]`
    pub http: Vec<HttpFile>,
    /// `[[plugin.NAME.files]]`
    pub files: Vec<MountFile>,
    /// `[plugin.NAME.secrets]`
    pub secrets: BTreeMap<String, SecretUseFile>,
    /// `[plugin.NAME.config]`
    pub config: BTreeMap<String, toml::Value>,
    /// `[plugin.NAME.store]`
    pub store: Option<StoreFile>,
    /// `[plugin.NAME.cache]`
    pub cache: Option<CacheFile>,
    /// `[plugin.NAME.tool.TOOL]`
    pub tool: BTreeMap<String, ToolFile>,
}

/// `[[plugin.NAME.http]]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HttpFile {
    /// A name, `*.name` for everything below it, `*` for every name, or an address.
    pub host: String,
    /// `https` unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Scheme>,
    /// The scheme's own unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// `GET` and `HEAD` unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<Vec<String>>,
    /// All unless said otherwise. `*` stands for any run of characters, slashes included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<String>>,
    /// The largest response body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Bytes>,
    /// A secret that the host puts into a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inject: Option<InjectFile>,
}

/// `inject = { … }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InjectFile {
    /// A key of `[secrets]`.
    pub secret: String,
    /// The header's name.
    pub header: String,
    /// The header's value, with `{}` where the secret goes; absent: the secret alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// `[[plugin.NAME.files]]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MountFile {
    /// A directory here, relative to the file; `{tenant}` stands for the tenant's name.
    pub host: String,
    /// What the guest calls it.
    pub guest: String,
    /// What it may do there.
    pub access: Access,
    /// All files in it together, where it may be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Bytes>,
}

/// A value in `[plugin.NAME.secrets]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretUseFile {
    /// The guest may read the value.
    Reveal,
}

/// `[plugin.NAME.store]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct StoreFile {
    /// To whom it belongs, always inside one tenant.
    pub scope: StoreScope,
    /// Keys and values together.
    pub quota: Option<Bytes>,
}

/// `[plugin.NAME.cache]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct CacheFile {
    /// All files together, in each tenant.
    pub quota: Option<Bytes>,
}

/// `[plugin.NAME.tool.TOOL]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct ToolFile {
    /// In place of the plugin's.
    pub approve: Option<Approve>,
    /// In place of the plugin's.
    pub approver: Option<Approver>,
    /// In place of the author's description.
    pub description: Option<String>,
    /// In place of what the author claims.
    pub traits: Option<Vec<Trait>>,
}

/// `[plugin.NAME.command]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct CommandFile {
    /// What it gets as its arguments, after its own name.
    pub arguments: Vec<String>,
    /// JSON Schema of what it reads, as text.
    pub input: Option<String>,
}

impl PolicyFile {
    /// Reads a file that holds these sections only. Never panics, whatever the text.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let place = line.map_or_else(String::new, |line| format!("line {line}: "));
            let message = error.message().to_owned();
            Problem::error("", format!("{place}{message}"), suggestion(&message).unwrap_or_default())
        })
    }
}

/// `did you mean …`, from a message of the form "unknown field `x`, expected one
/// of `y`, `z`", which is how the reader reports unknown keys.
pub fn suggestion(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = message.starts_with("unknown ").then(|| quoted.next()).flatten()?;
    let (near, distance) = quoted.map(|known| (known, strsim::damerau_levenshtein(unknown, known))).min_by_key(|it| it.1)?;
    (distance <= 1 + unknown.len() / 3).then(|| format!("did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_with_a_suggestion() {
        let problem = PolicyFile::parse("\n[plugin.weather]\nagent = ['a']\n").unwrap_err();
        assert!(problem.message.starts_with("line 3: unknown field `agent`"), "{problem}");
        assert_eq!(problem.help, "did you mean `agents`?");
    }

    #[test]
    fn the_sections_read_as_the_manual_shows_them() {
        let file = PolicyFile::parse(
            r#"
            [defaults.limits]
            memory = "64MiB"
            at-once = 16
            [network]
            special = "deny"
            private = []
            redirects = 3
            [secrets.weather-key]
            from = "env:WEATHER_KEY"
            [plugin.weather]
            tenants = ["default"]
            agents = ["support-*"]
            tools = ["current", "forecast"]
            approve = "destructive"
            approver = "operator"
            pin = "first"
            digest = "sha256:00"
            tools-digest = "sha256:00"
            shape = "native"
            [plugin.weather.tool.forecast]
            approve = "never"
            description = "Tomorrow's weather."
            traits = ["read-only"]
            [plugin.weather.limits]
            time = "5s"
            rate = "60/min"
            [[plugin.weather.http]]
            host = "api.weather.example"
            methods = ["GET"]
            paths = ["/v2/*"]
            response = "1MiB"
            inject = { secret = "weather-key", header = "authorization", format = "Bearer {}" }
            [[plugin.weather.files]]
            host = "data/maps"
            guest = "maps"
            access = "read"
            [plugin.weather.secrets]
            weather-key = "reveal"
            [plugin.weather.config]
            units = "metric"
            [plugin.weather.store]
            scope = "session"
            quota = "1MiB"
            [plugin.weather.cache]
            quota = "64MiB"
            "#,
        );
        assert_eq!(file.map(|file| file.plugin.len()), Ok(1));
    }
}
