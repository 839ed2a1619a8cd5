//! Agents by name: records in the directory, with the current ones in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::Model;
use serde_json::{Map, Value};
use session::{Agent, Compaction, Identity, ModelChoice, Secrets, Step, ToolBinding, Uid};
use storage::{Kind, Record, Rename};

use crate::error::{Error, Thing};
use crate::{Clock, Engine};

/// What a client says about an agent: everything but its identity and its times.
#[derive(Debug, Clone)]
pub struct NewAgent {
    /// What clients will call it.
    pub key: String,
    /// For people, unique in the tenant.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Which model answers.
    pub model: ModelChoice,
    /// The tools by the names under which the model sees them.
    pub tools: BTreeMap<String, ToolBinding>,
    /// The entry step's name.
    pub first_step: String,
    /// The steps by name; holds `first_step`.
    pub steps: BTreeMap<String, Step>,
    /// When and how its conversations are summarised; absent means by the defaults.
    pub compaction: Option<Compaction>,
    /// The client's own.
    pub metadata: Map<String, Value>,
    /// Whether it takes input.
    pub enabled: bool,
}

/// The agents that were asked for lately, by tenant and key. Bounded by
/// clearing: an agent is a few kilobytes and is read back in microseconds.
#[derive(Default)]
pub(crate) struct Cache(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    agents: HashMap<(Uid, String), Arc<Agent>>,
    /// Counts changes: what was read before one must not be kept after it.
    changes: u64,
}

/// Agents kept in memory at once.
const CACHED: usize = 4_096;

impl Cache {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The agent, or the count of changes to hand back with what is read instead.
    fn get(&self, tenant: Uid, key: &str) -> Result<Arc<Agent>, u64> {
        let kept = self.lock();
        kept.agents.get(&(tenant, key.to_owned())).cloned().ok_or(kept.changes)
    }

    /// Keeps an agent that was read, unless something changed meanwhile.
    fn put(&self, agent: Arc<Agent>, changes: u64) {
        let mut kept = self.lock();
        if kept.changes != changes {
            return;
        }
        if kept.agents.len() >= CACHED {
            kept.agents.clear();
        }
        kept.agents.insert((agent.tenant, agent.key.clone()), agent);
    }

    fn forget(&self, tenant: Uid, key: &str) {
        let mut kept = self.lock();
        kept.changes += 1;
        kept.agents.remove(&(tenant, key.to_owned()));
    }
}

/// No scope: the tenant alone.
const NONE: Uid = Uid([0; 16]);

impl Engine {
    /// Adds an agent. Refused where its key or its name is in use, or its model is not configured.
    pub async fn create_agent(&self, tenant: Uid, new: NewAgent) -> Result<Arc<Agent>, Error> {
        self.known_model(&new.model.name)?;
        let _held = self.hold_client_tools(tenant, &new.tools, None).await?;
        let agent = new.into_agent(tenant, self.clock);
        let record = Record {
            uid: agent.uid,
            tenant,
            kind: Kind::Agent,
            scope: NONE,
            name: agent.key.clone(),
            alias: Some(agent.name.clone()),
            version: agent.revision,
            body: encode(&agent),
        };
        self.directory.create(record).await.map_err(|e| taken(e, &agent))?;
        Ok(Arc::new(agent))
    }

    /// The agent of a key.
    pub fn agent(&self, tenant: Uid, key: &str) -> Result<Arc<Agent>, Error> {
        let changes = match self.agents.get(tenant, key) {
            Ok(agent) => return Ok(agent),
            Err(changes) => changes,
        };
        let record = self.directory.find(tenant, Kind::Agent, NONE, key)?;
        let record = record.ok_or_else(|| Error::NotFound { what: Thing::Agent, name: key.to_owned() })?;
        let agent = Arc::new(decode(&record)?);
        self.agents.put(agent.clone(), changes);
        Ok(agent)
    }

    /// The agent of a uid, or none where it was deleted.
    pub(crate) fn agent_of(&self, uid: Uid) -> Result<Option<Arc<Agent>>, Error> {
        let record = self.directory.get(uid)?.filter(|record| record.kind == Kind::Agent);
        record.map(|record| Ok(Arc::new(decode(&record)?))).transpose()
    }

    /// Agents, oldest first, after `after`, at most `limit`.
    pub fn agents(&self, tenant: Uid, after: Option<Uid>, limit: usize) -> Result<Vec<Agent>, Error> {
        let records = self.directory.list(tenant, Kind::Agent, NONE, after, limit)?;
        records.iter().map(decode).collect()
    }

    /// Replaces everything but key, identity and age of an agent that was read at
    /// `seen`; `Conflict` where somebody changed it since.
    pub async fn update_agent(self: &Arc<Self>, seen: &Agent, new: NewAgent) -> Result<Arc<Agent>, Error> {
        self.known_model(&new.model.name)?;
        let (engine, seen) = (self.clone(), seen.clone());
        self.to_its_end(async move {
            let _held = engine.hold_client_tools(seen.tenant, &new.tools, Some(&seen)).await?;
            let mut agent = new.into_agent(seen.tenant, engine.clock);
            (agent.uid, agent.key) = (seen.uid, seen.key.clone());
            (agent.secrets, agent.identity) = (seen.secrets.clone(), seen.identity.clone());
            (agent.revision, agent.created_at) = (seen.revision + 1, seen.created_at);
            let alias = if agent.name == seen.name { Rename::Keep } else { Rename::To(Some(agent.name.clone())) };
            engine.store_agent(&seen, agent, alias).await
        })
        .await
    }

    /// Replaces the secrets of an agent that was read at `seen`.
    pub async fn set_secrets(self: &Arc<Self>, seen: &Agent, secrets: Secrets) -> Result<Arc<Agent>, Error> {
        self.set(seen, |seen| seen.secrets = secrets).await
    }

    /// Replaces the identity of an agent that was read at `seen`.
    pub async fn set_identity(self: &Arc<Self>, seen: &Agent, identity: Identity) -> Result<Arc<Agent>, Error> {
        self.set(seen, |seen| seen.identity = identity).await
    }

    async fn set(self: &Arc<Self>, seen: &Agent, change: impl FnOnce(&mut Agent)) -> Result<Arc<Agent>, Error> {
        let mut agent = Agent { revision: seen.revision + 1, updated_at: self.clock.now(), ..seen.clone() };
        change(&mut agent);
        let (engine, seen) = (self.clone(), seen.clone());
        self.to_its_end(async move { engine.store_agent(&seen, agent, Rename::Keep).await }).await
    }

    async fn store_agent(&self, seen: &Agent, agent: Agent, alias: Rename) -> Result<Arc<Agent>, Error> {
        let updated = self.directory.update(agent.uid, seen.revision, encode(&agent), alias).await;
        self.agents.forget(seen.tenant, &seen.key);
        updated.map_err(|e| taken(e, &agent))?;
        Ok(Arc::new(agent))
    }

    /// Deletes an agent and with it its sessions; running turns of theirs stop.
    pub async fn delete_agent(self: &Arc<Self>, agent: &Agent) -> Result<(), Error> {
        let (engine, agent) = (self.clone(), agent.clone());
        self.to_its_end(async move {
            let was_there = engine.directory.delete(agent.uid).await?;
            engine.agents.forget(agent.tenant, &agent.key);
            engine.live.drop_agent(agent.uid);
            if was_there { Ok(()) } else { Err(Error::NotFound { what: Thing::Agent, name: agent.key }) }
        })
        .await
    }

    /// The model of a name, as the operator's file has it now.
    pub(crate) fn known_model(&self, name: &str) -> Result<Arc<dyn Model>, Error> {
        let configured = || self.models.names().collect::<Vec<_>>().join(", ");
        self.models.get(name).ok_or_else(|| Error::UnknownModel(name.to_owned(), configured()))
    }
}

impl NewAgent {
    fn into_agent(self, tenant: Uid, clock: Clock) -> Agent {
        let now = clock.now();
        Agent {
            uid: clock.uid(),
            tenant,
            key: self.key,
            revision: 1,
            name: self.name,
            description: self.description,
            model: self.model,
            tools: self.tools,
            first_step: self.first_step,
            steps: self.steps,
            compaction: self.compaction,
            secrets: Secrets::default(),
            identity: Identity::default(),
            metadata: self.metadata,
            enabled: self.enabled,
            created_at: now,
            updated_at: now,
        }
    }
}

fn encode(agent: &Agent) -> Vec<u8> {
    serde_json::to_vec(agent).expect("an agent is made of JSON values")
}

fn decode(record: &Record) -> Result<Agent, Error> {
    serde_json::from_slice(&record.body).map_err(|e| Error::Damaged(record.uid, e.to_string()))
}

fn taken(error: storage::Error, agent: &Agent) -> Error {
    match error {
        storage::Error::Taken => Error::Taken { what: Thing::Agent, name: format!("{} ({})", agent.key, agent.name) },
        storage::Error::Conflict => Error::Conflict,
        storage::Error::Gone(_) => Error::NotFound { what: Thing::Agent, name: agent.key.clone() },
        other => Error::Store(other),
    }
}
