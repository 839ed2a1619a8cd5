//! The models of this server by the names under which agents choose them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Model;
use crate::config::Unknown;

/// An immutable set of models; a changed file makes a new one.
#[derive(Clone)]
pub struct Models {
    models: BTreeMap<String, Arc<dyn Model>>,
    unknown: Unknown,
}

impl Models {
    /// These models; there is at least one.
    pub fn new(models: BTreeMap<String, Arc<dyn Model>>, unknown: Unknown) -> Self {
        Self { models, unknown }
    }

    /// One model that answers under every name.
    pub fn single(model: Arc<dyn Model>) -> Self {
        Self::new(BTreeMap::from([("default".to_owned(), model)]), Unknown::Default)
    }

    /// The model of a name; the default where the operator lets it stand in for unknown ones.
    pub fn get(&self, name: &str) -> Option<Arc<dyn Model>> {
        let known = self.models.get(name);
        let stands_in = || self.models.get(self.default_name()).filter(|_| self.unknown == Unknown::Default);
        known.or_else(stands_in).cloned()
    }

    /// Whether a name is configured itself.
    pub fn has(&self, name: &str) -> bool {
        self.models.contains_key(name)
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.models.keys().map(String::as_str)
    }

    /// The name of the model for agents that choose none: `default`, or the first.
    pub fn default_name(&self) -> &str {
        match self.models.contains_key("default") {
            true => "default",
            false => self.models.keys().next().map_or("default", String::as_str),
        }
    }

    /// One line a model, for the start: its name, the model behind it and where that is.
    pub fn describe(&self) -> Vec<String> {
        let line = |(name, model): (&String, &Arc<dyn Model>)| {
            let origin = model.origin();
            match origin.provider == origin.wire {
                true => format!("{name}: {}", origin.model),
                false => format!("{name}: {} at {} ({})", origin.model, origin.provider, origin.wire),
            }
        };
        self.models.iter().map(line).collect()
    }
}
