//! The conformance kit: what is wrong with a component, what is likely wrong, and
//! what is worth knowing, each with how to mend it. It calls the component in a
//! world that grants nothing; whether it does what it is for, its recordings tell.

mod behaviour;
mod descriptions;
mod inputs;
mod schemas;

use std::fmt;

use serde::{Deserialize, Serialize};
use tool::Traits;

pub use behaviour::{Bench, behave};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// It does not work, or not with every model provider.
    Error,
    /// It works, and likely not as well as it could.
    Warning,
    /// Worth knowing.
    Note,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// Where, such as `tool greet, input schema`.
    pub place: String,
    /// What is there.
    pub what: String,
    /// How to mend it; empty where there is nothing to mend.
    pub fix: String,
}

impl Finding {
    /// Something that does not work.
    pub fn error(place: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Error, place: place.into(), what: what.into(), fix: fix.into() }
    }

    /// Something that likely does not work well.
    pub fn warning(place: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(place, what, fix) }
    }

    /// Something worth knowing.
    pub fn note(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { level: Level::Note, ..Self::error(place, what, "") }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        };
        write!(f, "{level:8} {}: {}", self.place, self.what)?;
        if self.fix.is_empty() { Ok(()) } else { write!(f, "\n         {}", self.fix) }
    }
}

/// One tool as the component describes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Written for the model.
    pub description: String,
    /// The schema of its arguments.
    pub input: String,
    /// The schema of its answer's data.
    pub output: Option<String>,
    /// What it promises.
    pub traits: Traits,
    /// A JSON object.
    pub annotations: Option<String>,
}

/// What `describe` said, and said again in another world: with running clocks and other random numbers.
#[derive(Debug, Clone)]
pub struct Descriptor {
    /// The plugin's name.
    pub plugin: String,
    /// The first time: this is what counts.
    pub tools: Vec<Described>,
    /// The second time, or why there was none.
    pub again: Result<Vec<Described>, String>,
}

/// What its words say of a component.
pub fn read(descriptor: &Descriptor) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &descriptor.again {
        Ok(again) if *again == descriptor.tools => {}
        Ok(again) => {
            let differs = |(one, other): (&Described, &Described)| (one != other).then(|| one.name.clone());
            let names: Vec<String> = descriptor.tools.iter().zip(again).filter_map(differs).collect();
            let which = if names.is_empty() { "the number of tools".to_owned() } else { format!("tool {}", names.join(", ")) };
            findings.push(Finding::error(
                "describe",
                format!("it says something else when it is asked again ({which}): it depends on the clock or on random numbers"),
                "let describe answer with constants; an operator accepts exactly what it said",
            ));
        }
        Err(why) => findings.push(Finding::error("describe", why.clone(), "let describe answer whenever it is asked")),
    }
    for tool in &descriptor.tools {
        findings.extend(descriptions::read(&descriptor.plugin, tool));
        findings.extend(schemas::read(tool));
    }
    findings
}

/// The example calls of a tool: arguments, and the answer where one is given.
fn examples(tool: &Described) -> Vec<(serde_json::Value, Option<serde_json::Value>)> {
    let annotations = tool.annotations.as_deref().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok()).unwrap_or_default();
    let examples = annotations.get("examples").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    examples.into_iter().filter_map(|example| Some((example.get("input")?.clone(), example.get("output").cloned()))).collect()
}

#[cfg(test)]
mod tests;
