//! A plugin's durable store, as a running call reads it from the journal.

use std::sync::Arc;

use async_trait::async_trait;
use session::{Agent, Session, Uid};
use storage::{Journal, StateWrite};
use tool::{KeyValue, StoreError, StoreScope, Write};

/// Reads on behalf of one session.
pub(crate) struct StateStore {
    journal: Arc<dyn Journal>,
    owners: Owners,
}

/// To whom each scope belongs.
#[derive(Clone, Copy)]
pub(crate) struct Owners {
    tenant: Uid,
    agent: Uid,
    session: Uid,
}

impl Owners {
    pub(crate) fn of(agent: &Agent, session: &Session) -> Self {
        Self { tenant: session.tenant, agent: agent.uid, session: session.uid }
    }

    fn owner(self, scope: StoreScope) -> Uid {
        match scope {
            StoreScope::Session => self.session,
            StoreScope::Agent => self.agent,
            StoreScope::Plugin => self.tenant,
        }
    }

    /// A guest's write as the journal takes it.
    pub(crate) fn write(self, write: Write) -> StateWrite {
        StateWrite { plugin: write.plugin, owner: self.owner(write.scope), key: write.key, value: write.value }
    }
}

impl StateStore {
    pub(crate) fn new(journal: Arc<dyn Journal>, owners: Owners) -> Arc<Self> {
        Arc::new(Self { journal, owners })
    }
}

#[async_trait]
impl KeyValue for StateStore {
    async fn get(&self, plugin: &str, scope: StoreScope, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let owner = self.owners.owner(scope);
        self.journal.state(self.owners.tenant, plugin, owner, key).map_err(|e| StoreError(e.to_string()))
    }

    async fn sizes(&self, plugin: &str, scope: StoreScope) -> Result<Vec<(String, u64)>, StoreError> {
        let owner = self.owners.owner(scope);
        self.journal.state_sizes(self.owners.tenant, plugin, owner).map_err(|e| StoreError(e.to_string()))
    }
}
