//! What of the newer types a client is shown. The official SDK refuses a whole
//! answer for one type that it does not know, so clients have to ask for them:
//! `all_types=true`.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde_json::{Value, json};

use agent::News;
use session::{Agent, Kind};

use super::definition::written;
use crate::App;
use crate::errors::{Error, Result};
use crate::page::Params;

/// How a request wants its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// Every type as it is.
    all: bool,
}

impl FromRequestParts<Arc<App>> for View {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self> {
        Ok(Self { all: Params::of(&parts.uri)?.flag("all_types")?.unwrap_or(false) })
    }
}

impl View {
    /// Every type as it is.
    pub(super) const ALL: Self = Self { all: true };

    /// The type that a client tool has here.
    pub(super) fn client_type(self) -> &'static str {
        if self.all { "client" } else { "dynamic_vectara" }
    }

    /// An agent's definition. Whichever form it has, sent back it is the same agent.
    pub(super) fn agent(self, agent: &Agent) -> Value {
        self.definition(written(agent))
    }

    /// A definition as it was written.
    pub(super) fn definition(self, mut json: Value) -> Value {
        let tools = json.get_mut("tool_configurations").and_then(Value::as_object_mut);
        for tool in tools.into_iter().flat_map(|tools| tools.values_mut()).filter(|tool| tool["type"] == "client") {
            tool["type"] = json!(self.client_type());
        }
        json
    }

    /// Whether an answer holds this.
    pub(super) fn shows(self, news: &News) -> bool {
        match news {
            News::Entry(entry) => self.all || entry.kind != Kind::ClientToolPending,
            News::Call { .. } => false,
            News::Delta { .. } | News::Void { .. } | News::Usage { .. } | News::CompactionStarted { .. } | News::Closed(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_the_sdk_does_not_know_is_shown_to_those_who_ask_for_it() {
        let agent = json!({"tool_configurations": {"a": {"type": "client", "tool_id": "tol_0"}, "b": {"type": "dynamic_vectara"}}});
        assert_eq!(View::ALL.definition(agent.clone()), agent);
        let veiled = View::default().definition(agent);
        assert_eq!(veiled["tool_configurations"]["a"], json!({"type": "dynamic_vectara", "tool_id": "tol_0"}));
    }
}
