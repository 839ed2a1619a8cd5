//! Which model to take where no file says: a key in the environment, else an
//! Ollama on this machine, else the offline model.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use egress::trusted::{Client, Options};
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use serde::Deserialize;

use crate::Offline;
use crate::config::{ModelFile, ModelsFile, Provider, Surroundings, Unknown};
use crate::models::Models;

/// Where an Ollama listens unless `OLLAMA_HOST` says otherwise.
const OLLAMA: &str = "127.0.0.1:11434";

/// How long the start waits for an Ollama. One that is not there is known at once: its port is closed. This is for
/// something else that listens there and says nothing, and long enough for an Ollama on a busy machine.
const OLLAMA_WAIT: Duration = Duration::from_secs(2);

/// The most bytes of an Ollama's list of models; hundreds of models fit.
const LIST_BYTES_MAX: usize = 1 << 20;

/// The variables that name a key, in the order in which they are looked at.
const KEYS: &[Key] = &[
    Key { provider: Provider::Openai, key: "OPENAI_API_KEY", url: "OPENAI_BASE_URL", model: "OPENAI_MODEL", usual: "gpt-4.1-mini" },
    Key {
        provider: Provider::Anthropic,
        key: "ANTHROPIC_API_KEY",
        url: "ANTHROPIC_BASE_URL",
        model: "ANTHROPIC_MODEL",
        usual: "claude-sonnet-4-5",
    },
    Key { provider: Provider::Gemini, key: "GEMINI_API_KEY", url: "GEMINI_BASE_URL", model: "GEMINI_MODEL", usual: "gemini-2.5-flash" },
];

struct Key {
    provider: Provider,
    key: &'static str,
    url: &'static str,
    model: &'static str,
    /// The model where none is named.
    usual: &'static str,
}

/// The one model to use, and why it is this one. Never fails: the offline model is always there.
pub async fn detect(env: &(dyn Fn(&str) -> Option<String> + Sync)) -> (Models, String) {
    let set = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    for key in KEYS {
        // An address alone will do for OpenAI's protocol: local servers want no key.
        let found = if set(key.key).is_some() {
            key.key
        } else if key.provider == Provider::Openai && set(key.url).is_some() {
            key.url
        } else {
            continue;
        };
        let model = set(key.model).unwrap_or_else(|| key.usual.to_owned());
        let why = format!("{model}, because {found} is set; {} chooses another", key.model);
        let api_key = set(key.key).map(|_| format!("env:{}", key.key));
        match single(key.provider, set(key.url), model, api_key, env) {
            Ok(models) => return (models, why),
            Err(why) => return (Models::single(Arc::new(Offline::new())), format!("offline, because {found} cannot be used: {why}")),
        }
    }
    let host = set("OLLAMA_HOST").unwrap_or_else(|| OLLAMA.into());
    let host = host.trim_start_matches("http://").trim_end_matches('/').to_owned();
    if let Some(model) = ollama_model(&host).await {
        let why = format!("{model}, because an Ollama answers on {host} and has it");
        if let Ok(models) = single(Provider::Openai, Some(format!("http://{host}/v1")), model, None, env) {
            return (models, why);
        }
    }
    let why = format!(
        "offline, because no API key is set and no Ollama answers on {host}; set OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY"
    );
    (Models::single(Arc::new(Offline::new())), why)
}

fn single(
    provider: Provider,
    base_url: Option<String>,
    model: String,
    api_key: Option<String>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Models, String> {
    let file = ModelFile { base_url, api_key, ..ModelFile::of(provider, model) };
    let section = ModelsFile { unknown: Some(Unknown::Default), models: [("default".to_owned(), file)].into() };
    let built = section.build(&Surroundings { base: Path::new("."), env });
    built.map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// The first model of the Ollama at an address, if one answers in time.
async fn ollama_model(host: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Tags {
        models: Vec<Tag>,
    }
    #[derive(Deserialize)]
    struct Tag {
        name: String,
    }
    let request = Request::get(format!("http://{host}/api/tags")).body(Full::<Bytes>::default()).ok()?;
    let client = Client::new(Options { connect_timeout: OLLAMA_WAIT, answer_timeout: OLLAMA_WAIT, ..Options::default() });
    let answer = tokio::time::timeout(OLLAMA_WAIT, async {
        let answer = client.send(request).await.ok().filter(|answer| answer.status().is_success())?;
        Limited::new(answer.into_body(), LIST_BYTES_MAX).collect().await.ok()
    });
    let tags: Tags = serde_json::from_slice(&answer.await.ok()??.to_bytes()).ok()?;
    tags.models.into_iter().next().map(|tag| tag.name)
}
