//! Settings: `[plugin.NAME.config]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::denied::Denied;
use crate::grant::Granted;
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

/// The settings of the entry, and those that were lent under names that it does not have.
pub(crate) fn decide(granted: &Granted<'_>) -> Result<ConfigPermit, Denied> {
    let entry = granted.entry.entry("config");
    let mut with_settings = granted.all().filter(|grant| !grant.config.is_empty());
    let Some(first) = with_settings.next() else {
        let help = format!("add {entry} with the settings that it needs");
        return Err(granted.entry.not_granted("the configuration", help, format!("{entry}\nname = \"value\"\n")));
    };
    let mut settings = first.config.clone();
    for further in with_settings {
        let all = Arc::make_mut(&mut settings);
        for (name, value) in further.config.iter() {
            all.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    Ok(ConfigPermit { settings, rule: first.rule(entry) })
}
