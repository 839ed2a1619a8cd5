//! The `[models]` section of the operator's file: as it is written, and as models.
//!
//! ```toml
//! [models]
//! unknown = "error"                 # what an agent with an unknown model gets: "error" | "default"
//!
//! [models.default]
//! provider = "openai"               # openai | openai-responses | anthropic | gemini | offline | scripted
//! base_url = "http://127.0.0.1:11434/v1"
//! model    = "qwen3:8b"
//! api_key  = "env:OPENAI_API_KEY"   # env: | file:  never the value itself
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use egress::trusted::{Client, Options};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::models::Models;
use crate::wires::anthropic::Anthropic;
use crate::wires::chat_completions::ChatCompletions;
use crate::wires::responses::Responses;
use crate::wires::{Settings, Timeouts};
use crate::{Model, Offline, Scripted};

/// Where each provider listens unless the file says otherwise.
const OPENAI: &str = "https://api.openai.com/v1";
const ANTHROPIC: &str = "https://api.anthropic.com/v1";
const GEMINI: &str = "https://generativelanguage.googleapis.com/v1beta/openai";

/// The section as written. The models' names are the keys beside `unknown`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelsFile {
    /// What an agent gets whose model is not here.
    pub unknown: Option<Unknown>,
    /// The models by the names under which agents choose them.
    pub models: BTreeMap<String, ModelFile>,
}

/// What to do about a name that is not configured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// Refuse the agent.
    #[default]
    Error,
    /// Let the default model answer.
    Default,
}

/// `[models.NAME]` as written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Whose wire.
    pub provider: Provider,
    /// The address under which the wire's paths lie; a query (`?api-version=…`) is kept. Default: the provider's own.
    pub base_url: Option<String>,
    /// The model's name there.
    pub model: Option<String>,
    /// `env:NAME` or `file:PATH`; absent means no key.
    pub api_key: Option<String>,
    /// The window in tokens; absent means that nobody knows.
    #[serde(default)]
    pub context_window: u64,
    /// More headers of every request; a value may be `env:NAME` or `file:PATH`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Whether to stream from the provider even when nobody watches.
    #[serde(default)]
    pub stream: Stream,
    /// The script of a scripted model; relative to the operator's file.
    pub script: Option<PathBuf>,
    /// How long the provider may be silent.
    #[serde(default)]
    pub timeouts: TimeoutsFile,
}

/// `[models.NAME.timeouts]` as written, in milliseconds; absent means the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeoutsFile {
    /// Until a connection stands.
    pub connect_ms: Option<u64>,
    /// Until the first byte of a streamed reply.
    pub first_byte_ms: Option<u64>,
    /// Between two pieces of a reply.
    pub between_reads_ms: Option<u64>,
    /// Until an answer that is not streamed.
    pub whole_ms: Option<u64>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// Chat completions: OpenAI and all that speak its protocol.
    Openai,
    /// OpenAI's Responses, and what speaks it: keeps a model's reasoning between tool calls.
    OpenaiResponses,
    /// Anthropic's Messages.
    Anthropic,
    /// Gemini through its compatible end.
    Gemini,
    /// The model without a model.
    Offline,
    /// A file of replies.
    Scripted,
}

/// When the provider is asked to stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// When someone watches.
    #[default]
    Auto,
    /// Always.
    Always,
}

/// One thing that is wrong with the section.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {message}")]
pub struct Problem {
    /// Where: `models.default.api_key`.
    pub key: String,
    /// What, and what would help.
    pub message: String,
}

/// What the section leans on from outside.
pub struct Surroundings<'a> {
    /// The folder of the operator's file: relative paths begin there.
    pub base: &'a Path,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

impl ModelsFile {
    /// The models that the section describes, or everything that is wrong with it.
    pub fn build(&self, around: &Surroundings<'_>) -> Result<Models, Vec<Problem>> {
        let mut models = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, file) in &self.models {
            match file.build(around) {
                Ok(model) => {
                    models.insert(name.clone(), model);
                }
                Err((field, message)) => problems.push(Problem { key: format!("models.{name}.{field}"), message }),
            }
        }
        if models.is_empty() && problems.is_empty() {
            let message = "no model is configured; add [models.default], or leave the section out".into();
            problems.push(Problem { key: "models".into(), message });
        }
        if problems.is_empty() { Ok(Models::new(models, self.unknown.unwrap_or_default())) } else { Err(problems) }
    }
}

/// The field that is wrong, and how.
type Wrong = (&'static str, String);

impl ModelFile {
    /// A model with every other setting at its default.
    pub fn of(provider: Provider, model: impl Into<String>) -> Self {
        Self {
            provider,
            base_url: None,
            model: Some(model.into()),
            api_key: None,
            context_window: 0,
            headers: BTreeMap::new(),
            stream: Stream::Auto,
            script: None,
            timeouts: TimeoutsFile::default(),
        }
    }

    fn build(&self, around: &Surroundings<'_>) -> Result<Arc<dyn Model>, Wrong> {
        let bearer = |home| self.remote(home, ("authorization", "Bearer "), around);
        Ok(match self.provider {
            Provider::Openai => bearer(OPENAI).map(|(settings, client)| Arc::new(ChatCompletions::new(settings, client)))?,
            Provider::OpenaiResponses => bearer(OPENAI).map(|(settings, client)| Arc::new(Responses::new(settings, client)))?,
            Provider::Gemini => bearer(GEMINI).map(|(settings, client)| Arc::new(ChatCompletions::gemini(settings, client)))?,
            Provider::Anthropic => {
                let (settings, client) = self.remote(ANTHROPIC, ("x-api-key", ""), around)?;
                Arc::new(Anthropic::new(settings, client))
            }
            Provider::Offline => Arc::new(Offline::new()),
            Provider::Scripted => self.scripted(around)?,
        })
    }

    /// What a wire needs; `home` is where it leads by default, `key` the header of the key and what stands before it there.
    fn remote(&self, home: &str, key: (&'static str, &str), around: &Surroundings<'_>) -> Result<(Settings, Client), Wrong> {
        let timeouts = self.timeouts.checked();
        let settings = Settings {
            base_url: self.base_url(home)?,
            model: self.model.clone().ok_or(("model", "the model's name at the provider is missing".to_owned()))?,
            headers: self.headers(key.0, key.1, around)?,
            context_window: self.context_window,
            stream_always: self.stream == Stream::Always,
            timeouts,
        };
        let longest = timeouts.whole.max(timeouts.first_byte);
        let client = Client::new(Options { connect_timeout: timeouts.connect, answer_timeout: longest, ..Options::default() });
        Ok((settings, client))
    }

    fn scripted(&self, around: &Surroundings<'_>) -> Result<Arc<dyn Model>, Wrong> {
        let script = self.script.as_ref().ok_or(("script", "a scripted model needs the path of its script".to_owned()))?;
        let model = Scripted::open(&around.base.join(script)).map_err(|message| ("script", message))?;
        Ok(Arc::new(model))
    }

    fn base_url(&self, home: &str) -> Result<Uri, Wrong> {
        let text = self.base_url.as_deref().unwrap_or(home);
        let wrong = |why: &str| ("base_url", format!("`{text}` is not an address: {why}; write it like {home}"));
        let uri: Uri = text.parse().map_err(|e: http::uri::InvalidUri| wrong(&e.to_string()))?;
        match (uri.scheme_str(), uri.authority()) {
            (Some("http" | "https"), Some(authority)) if !authority.as_str().contains('@') => Ok(uri),
            (Some("http" | "https"), Some(_)) => Err(("base_url", "a user or password has no place in an address; use api_key".into())),
            _ => Err(wrong("it needs http:// or https:// and a host")),
        }
    }

    fn headers(&self, key_header: &'static str, before: &str, around: &Surroundings<'_>) -> Result<HeaderMap, Wrong> {
        let mut headers = HeaderMap::new();
        if let Some(reference) = &self.api_key {
            let key = around.secret(reference).map_err(|message| ("api_key", message))?;
            let Some(key) = key else {
                return Err(("api_key", "a key is not written here itself; write `env:NAME` or `file:PATH`".into()));
            };
            headers.insert(key_header, secret_value(&format!("{before}{key}")).map_err(|message| ("api_key", message))?);
        }
        for (name, text) in &self.headers {
            let name: HeaderName = name.parse().map_err(|_| ("headers", format!("`{name}` is not a header's name")))?;
            let text = around.secret(text).map_err(|message| ("headers", message))?.unwrap_or_else(|| text.clone());
            headers.insert(name, secret_value(&text).map_err(|message| ("headers", message))?);
        }
        Ok(headers)
    }
}

impl Surroundings<'_> {
    /// The value behind `env:NAME` or `file:PATH`; none where the text is no such reference.
    fn secret(&self, reference: &str) -> Result<Option<String>, String> {
        let value = if let Some(name) = reference.strip_prefix("env:") {
            (self.env)(name).ok_or_else(|| format!("the environment has no {name}; set it, or use `file:PATH`"))?
        } else if let Some(path) = reference.strip_prefix("file:") {
            let path = self.base.join(path);
            std::fs::read_to_string(&path).map_err(|e| format!("{} cannot be read: {e}", path.display()))?
        } else {
            return Ok(None);
        };
        let value = value.trim();
        if value.is_empty() { Err(format!("{reference} is empty")) } else { Ok(Some(value.to_owned())) }
    }
}

/// A value that no log shows.
fn secret_value(text: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(text).map_err(|_| "the value holds characters that a header cannot carry".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

impl TimeoutsFile {
    fn checked(self) -> Timeouts {
        let default = Timeouts::default();
        let or = |ms: Option<u64>, default| ms.map_or(default, |ms| Duration::from_millis(ms.max(1)));
        Timeouts {
            connect: or(self.connect_ms, default.connect),
            first_byte: or(self.first_byte_ms, default.first_byte),
            between_reads: or(self.between_reads_ms, default.between_reads),
            whole: or(self.whole_ms, default.whole),
        }
    }
}

impl<'de> Deserialize<'de> for ModelsFile {
    // By hand, because a flattened map loses the line of an error.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = ModelsFile;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("models by name")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ModelsFile, A::Error> {
                let mut file = ModelsFile::default();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "unknown" {
                        file.unknown = Some(map.next_value()?);
                    } else {
                        file.models.insert(key, map.next_value()?);
                    }
                }
                Ok(file)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests;
