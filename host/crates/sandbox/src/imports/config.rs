//! `config`: the operator's settings for the plugin.

use std::sync::Arc;

use policy::capabilities::config::Settings;

use crate::bindings::wardian::plugin::config::Host;
use crate::guest::Guest;

impl Guest {
    fn settings(&mut self) -> Option<Arc<Settings>> {
        let scope = &self.reach.as_ref()?.scope;
        scope.config().map(|permit| permit.settings)
    }
}

impl Host for Guest {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        Ok(self.settings().and_then(|settings| settings.get(&key).cloned()))
    }

    fn keys(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.settings().map(|settings| settings.keys().cloned().collect()).unwrap_or_default())
    }
}
