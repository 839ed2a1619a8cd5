//! The operator's side of a plugin that was changed: what differs, and taking it
//! into service again.

use std::collections::BTreeSet;
use std::sync::Arc;

use policy::Policy;
use tool::{FoundPlugin, NotAccepted, PluginChanges, PluginDigests, PluginState};

use crate::accepted::{Kept, Record, Records, Standing, standing};
use crate::catalog::Version;
use crate::changes;
use crate::sandbox::Sandbox;
use crate::toolbox::state;

impl Sandbox {
    /// What differs between the version of a plugin that was accepted and the one
    /// that was found. None where there is no such plugin.
    pub fn changes(&self, plugin: &str) -> Option<PluginChanges> {
        let (policy, records, snapshot) = (self.policy.load(), self.accepted.records(), self.snapshot.load());
        let entry = snapshot.get(plugin)?;
        let record = record(&records, plugin);
        let changes = entry.version.as_ref().map(|version| changes::between(record.as_deref(), version));
        Some(PluginChanges {
            name: plugin.to_owned(),
            state: state(&policy, &records, entry),
            accepted: record.map(|record| record.shown()),
            found: entry.version.as_ref().map(|version| found(version)),
            changes: changes.unwrap_or_default(),
        })
    }

    /// Accepts the version of a plugin that is there, if it still is the one with
    /// these digests. From then on any other needs to be accepted again. Waits
    /// for the disk.
    pub fn accept(&self, plugin: &str, shown: &PluginDigests, by: &str) -> Result<(), NotAccepted> {
        let (policy, version) = (self.policy.load(), self.found(plugin)?);
        if version.digests != *shown {
            return Err(NotAccepted::Moved(plugin.to_owned()));
        }
        if let Some(why) = pinned(&policy, &self.accepted.records(), &version) {
            return Err(NotAccepted::Pinned(why));
        }
        self.accepted.accept(&version, by).map_err(|error| NotAccepted::NotKept(plugin.to_owned(), error.to_string()))
    }

    /// What the operator has to look at, a word for each state that a plugin is
    /// in and should not be. Names none, because anybody may ask for it.
    pub fn attention(&self) -> BTreeSet<&'static str> {
        let (policy, records) = (self.policy.load(), self.accepted.records());
        let word = |state: PluginState| match state {
            PluginState::Ready | PluginState::Preparing => None,
            PluginState::Stale(_) => Some("plugin_stale"),
            PluginState::Refused(_) => Some("plugin_refused"),
            PluginState::Changed(_) => Some("plugin_changed"),
        };
        self.snapshot.load().values().filter_map(|entry| word(state(&policy, &records, entry))).collect()
    }

    fn found(&self, plugin: &str) -> Result<Arc<Version>, NotAccepted> {
        let snapshot = self.snapshot.load();
        let entry = snapshot.get(plugin).ok_or_else(|| NotAccepted::Unknown(plugin.to_owned()))?;
        entry.version.clone().ok_or_else(|| NotAccepted::Unusable(plugin.to_owned()))
    }
}

fn record(records: &Records, plugin: &str) -> Option<Arc<Record>> {
    match records.get(plugin)? {
        Kept::Record(record) => Some(record.clone()),
        Kept::Damaged(_) => None,
    }
}

fn found(version: &Version) -> FoundPlugin {
    FoundPlugin { digests: version.digests.clone(), version: version.version.clone() }
}

fn pinned(policy: &Policy, records: &Records, version: &Version) -> Option<String> {
    match standing(policy, records, version) {
        Standing::Pinned(why) => Some(why),
        Standing::Free | Standing::Accepted | Standing::First | Standing::Unseen | Standing::Changed(_) => None,
    }
}
