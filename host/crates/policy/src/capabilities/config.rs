//! Settings: `[plugin.NAME.config]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::denied::Denied;
use crate::grant::Grant;
use crate::problem::Problem;

/// The settings of a plugin, sorted by name.
pub type Settings = BTreeMap<String, String>;

/// Leave to read the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigPermit {
    /// All of them.
    pub settings: Arc<Settings>,
    /// The line that allowed it.
    pub rule: String,
}

/// Settings are text. Numbers and booleans may be written bare; lists, tables
/// and dates have no one spelling that every guest would expect.
pub(crate) fn build(key: &str, file: &BTreeMap<String, toml::Value>, problems: &mut Vec<Problem>) -> Settings {
    let mut settings = Settings::new();
    for (name, value) in file {
        let text = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => value.to_string(),
            toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => {
                problems.push(Problem::error(format!("{key}.config.{name}"), "a setting is text", "put the value in quotes"));
                continue;
            }
        };
        settings.insert(name.clone(), text);
    }
    settings
}

pub(crate) fn decide(grant: &Grant) -> Result<ConfigPermit, Denied> {
    let entry = grant.entry("config");
    if grant.config.is_empty() {
        let help = format!("add {entry} with the settings that it needs");
        return Err(grant.not_granted("the configuration", help, format!("{entry}\nname = \"value\"\n")));
    }
    Ok(ConfigPermit { settings: grant.config.clone(), rule: entry })
}
