//! The agent as which tools are called: an ordinary record, made when a tenant
//! first needs it. It has no tools of its own, and no model is ever asked. Who
//! disables it closes this door for the tenant.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Map;

use agent::{Engine, Error, NewAgent};
use policy::MCP_AGENT;
use session::{Agent, ModelChoice, Step, Uid};

/// The name of its only step.
const STEP: &str = "main";

/// The agent of a tenant.
pub(super) async fn of(engine: &Engine, tenant: Uid) -> Result<Arc<Agent>, Error> {
    match engine.agent(tenant, MCP_AGENT) {
        Err(Error::NotFound { .. }) => {}
        found => return found,
    }
    match engine.create_agent(tenant, new(engine.models().default_name())).await {
        // Somebody else made it in this moment; or an agent of another key has its name, and the error says which.
        Err(taken @ Error::Taken { .. }) => engine.agent(tenant, MCP_AGENT).map_err(|_| taken),
        made => made,
    }
}

fn new(model: &str) -> NewAgent {
    NewAgent {
        key: MCP_AGENT.into(),
        name: "MCP".into(),
        description: Some("As which clients of MCP call tools. It asks no model, and what it may use stands in wardian.toml".into()),
        model: ModelChoice { name: model.into(), parameters: Map::new(), retry: None },
        tools: BTreeMap::new(),
        first_step: STEP.into(),
        steps: BTreeMap::from([(STEP.to_owned(), Step { instructions: Vec::new(), allowed_tools: None, output: None })]),
        compaction: None,
        metadata: Map::new(),
        enabled: true,
    }
}
