//! On which terms a component is tried: what it is granted, within which limits,
//! and where secrets come from. Written on the command line in the words of
//! `wardian grant`, or taken from an operator's file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use policy::file::{DefaultsFile, LimitsFile, NetworkFile, PluginFile, PolicyFile, SecretFile};
use policy::{LeaseFile, Secret, SecretRef, Shape};

use crate::config;

/// A command line that says nothing that could be granted.
#[derive(Debug)]
pub(crate) struct Unclear(pub(crate) String);

impl std::fmt::Display for Unclear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unclear {}

fn unclear(why: impl Into<String>) -> anyhow::Error {
    Unclear(why.into()).into()
}

/// What is granted, as flags.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "What the plugin is granted (nothing, where nothing is said)")]
pub(crate) struct Flags {
    /// In the words of `wardian grant`: 'http GET https://api.example.com/*', 'files read DIR as NAME' (a DIR with blanks in quotes of its own), store, cache, 'secret NAME'
    #[arg(long = "grant", value_name = "WORDS")]
    grants: Vec<String>,
    /// A setting
    #[arg(long = "setting", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Where a secret's value is: NAME=env:VARIABLE or NAME=file:PATH
    #[arg(long = "secret", value_name = "NAME=FROM")]
    secrets: Vec<String>,
    /// What kind of component it is, where it is no plugin of its own accord: functions or command
    #[arg(long, value_name = "SHAPE", value_parser = shape)]
    shape: Option<Shape>,
    /// A bound, such as time=30s, memory=256MiB or requests=5
    #[arg(long = "limit", value_name = "NAME=VALUE")]
    limits: Vec<String>,
    /// Open a range of loopback or private addresses, as network.private does
    #[arg(long = "network", value_name = "RANGE")]
    networks: Vec<String>,
    /// Take [plugin.NAME], [secrets], [network] and [defaults] from this wardian.toml; the other flags add to it
    #[arg(long = "policy", value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// The terms, not yet checked as a whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    pub(crate) entry: PluginFile,
    pub(crate) secrets: BTreeMap<String, SecretFile>,
    pub(crate) network: NetworkFile,
    pub(crate) defaults: DefaultsFile,
    /// Where relative paths begin.
    pub(crate) base: PathBuf,
}

impl Flags {
    /// What the flags say about a plugin.
    pub(crate) fn terms(&self, plugin: &str) -> anyhow::Result<Terms> {
        let here = std::env::current_dir().context("cannot find the current directory")?;
        let mut terms = match &self.policy {
            None => Terms { base: here.clone(), ..Terms::default() },
            Some(file) => of_file(&here.join(file), plugin)?,
        };
        for words in &self.grants {
            let mut grant = granted(words)?;
            for mount in &mut grant.files {
                mount.host = here.join(&mount.host).to_string_lossy().into_owned();
            }
            terms.entry.add(grant);
        }
        for setting in &self.settings {
            let grant = LeaseFile::parse(&["config", setting]).map_err(|error| unclear(format!("--setting: {error}")))?;
            terms.entry.add(grant);
        }
        for secret in &self.secrets {
            let (name, from) = pair("--secret", secret, "NAME=env:VARIABLE")?;
            from.parse::<SecretRef>().map_err(|error| unclear(format!("--secret {name}: {error}")))?;
            let from = from.strip_prefix("file:").map_or_else(|| from.to_owned(), |path| format!("file:{}", here.join(path).display()));
            terms.secrets.insert(name.to_owned(), SecretFile { from });
        }
        terms.entry.shape = self.shape.or(terms.entry.shape);
        limit(&mut terms.entry.limits, &self.limits)?;
        terms.network.private.extend(self.networks.clone());
        Ok(terms)
    }
}

impl Terms {
    /// Whether one policy can hold both: it has one place for each secret.
    pub(crate) fn agree(&self, other: &Self) -> bool {
        self.secrets.iter().all(|(name, from)| other.secrets.get(name).is_none_or(|other| other == from))
    }

    /// Every secret that has a value now, by its name: what must never be shown or written.
    pub(crate) fn values(&self) -> Vec<(String, Secret)> {
        let value = |(name, file): (&String, &SecretFile)| {
            let reference = file.from.parse::<SecretRef>().ok()?.under(&self.base);
            Some((name.clone(), sandbox::secret(&reference).ok()?))
        };
        self.secrets.iter().filter_map(value).collect()
    }
}

/// A shape, by its word in the operator's file.
pub(crate) fn shape(word: &str) -> Result<Shape, String> {
    let shapes = [Shape::Native, Shape::Functions, Shape::Command];
    let known = shapes.into_iter().find(|shape| shape.word() == word);
    known.ok_or_else(|| format!("write one of {}", shapes.map(Shape::word).join(", ")))
}

/// The words of one grant; `as` may stand before the guest's name of a directory.
fn granted(words: &str) -> anyhow::Result<LeaseFile> {
    let cannot = |error| unclear(format!("--grant: {error}"));
    let mut words = policy::words::split(words).map_err(cannot)?;
    if words.len() > 4 && words[0] == "files" && words[3] == "as" {
        words.remove(3);
    }
    LeaseFile::parse(&words).map_err(cannot)
}

fn pair<'a>(flag: &str, text: &'a str, form: &str) -> anyhow::Result<(&'a str, &'a str)> {
    let pair = text.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
    pair.ok_or_else(|| unclear(format!("{flag} {text:?}: write it like {form}")))
}

/// Lays bounds over those that are there; they are read as the operator's file is.
fn limit(limits: &mut LimitsFile, flags: &[String]) -> anyhow::Result<()> {
    let cannot = |error: &dyn std::fmt::Display| unclear(format!("--limit: {error}"));
    let mut table = toml::Table::try_from(&*limits).map_err(|error| cannot(&error))?;
    for flag in flags {
        let (name, value) = pair("--limit", flag, "time=30s")?;
        let value = value.parse::<i64>().map_or_else(|_| toml::Value::String(value.to_owned()), toml::Value::Integer);
        table.insert(name.to_owned(), value);
    }
    *limits = table.try_into().map_err(|error: toml::de::Error| cannot(&error.message()))?;
    Ok(())
}

/// The sections of an operator's file that are about this plugin. For whom it works is left out: it is the author who tries it.
fn of_file(file: &Path, plugin: &str) -> anyhow::Result<Terms> {
    let text =
        std::fs::read_to_string(file).map_err(|error| unclear(format!("--policy {}: it cannot be read: {error}", file.display())))?;
    let PolicyFile { defaults, network, secrets, plugin: mut entries } =
        config::policy_of(&text).map_err(|why| unclear(format!("--policy {}: {why}", file.display())))?;
    let entry = entries.remove(plugin);
    let entry = entry.ok_or_else(|| unclear(format!("--policy {}: it has no [plugin.{plugin}]", file.display())))?;
    let entry = PluginFile { tenants: None, agents: None, tools: None, digest: None, tools_digest: None, tool: BTreeMap::new(), ..entry };
    let base = file.parent().unwrap_or(Path::new("/")).to_owned();
    Ok(Terms { entry, secrets, network, defaults, base })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_blanks_in_its_name_is_granted_between_quotes() {
        for words in ["files read '/srv/my maps' as maps", "files read \"/srv/my maps\" maps"] {
            let grant = granted(words).expect("it is a grant");
            assert_eq!((&*grant.files[0].host, &*grant.files[0].guest), ("/srv/my maps", "maps"), "{words}");
        }
        let said = granted("files read 'maps as maps").expect_err("the quote is open").to_string();
        assert!(said.starts_with("--grant: ") && said.contains("without an end"), "{said}");
    }
}
