//! The durable store of a plugin on trial: in memory, and in a file where the author wants it kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use author::text::{self, Bytes};
use tool::{KeyValue, StoreError, StoreScope, Write};

/// What a store holds.
pub(crate) type Values = BTreeMap<String, Vec<u8>>;

/// A store with one scope: a trial has one session of one agent.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Values>);

impl Memory {
    /// A store that holds this at first.
    pub(crate) fn of(values: Values) -> Self {
        Self(Mutex::new(values))
    }

    /// What a file holds; nothing where there is none yet.
    pub(crate) fn open(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file.filter(|file| file.exists()) else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read the store in {}", file.display()))?;
        let values: BTreeMap<String, Bytes> = serde_json::from_str(&text)
            .with_context(|| format!("{} is not the store of a plugin; it is an object of texts by their keys", file.display()))?;
        Ok(Self::of(values.into_iter().map(|(key, value)| (key, value.0)).collect()))
    }

    /// Keeps what it holds in a file.
    pub(crate) fn save(&self, file: Option<&Path>) -> anyhow::Result<()> {
        let Some(file) = file else { return Ok(()) };
        let values: BTreeMap<String, Bytes> = self.values().into_iter().map(|(key, value)| (key, Bytes(value))).collect();
        text::write_json(file, &values).with_context(|| format!("cannot write the store to {}", file.display()))
    }

    /// What it holds.
    pub(crate) fn values(&self) -> Values {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes up what a call wrote.
    pub(crate) fn commit(&self, writes: &[Write]) {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for Write { key, value, .. } in writes {
            match value {
                Some(value) => values.insert(key.clone(), value.clone()),
                None => values.remove(key),
            };
        }
    }
}

#[async_trait::async_trait]
impl KeyValue for Memory {
    async fn get(&self, _plugin: &str, _scope: StoreScope, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    async fn sizes(&self, _plugin: &str, _scope: StoreScope) -> Result<Vec<(String, u64)>, StoreError> {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(values.iter().map(|(key, value)| (key.clone(), value.len() as u64)).collect())
    }
}
