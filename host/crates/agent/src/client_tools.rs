//! Tools that clients run, as a tenant keeps them: records in the directory,
//! bound into agents by their identity. What becomes of a call of one stands in
//! `client_calls`.

use std::collections::BTreeMap;
use std::sync::Arc;

use session::{Agent, ClientTool, DeclaredTool, ToolBinding, ToolRef, Uid};
use storage::{Kind, Record, Rename};
use tokio::sync::MutexGuard;
use tool::{ToolId, ToolSpec, Traits};

use crate::Engine;
use crate::call::hex_digest;
use crate::error::{Error, Thing};

/// Agents that are looked through at once for those that bind a tool.
const PAGE: usize = 256;

/// Agents that the refusal to delete a tool names. Against answers without end; whoever frees these sees the next.
const NAMED: usize = 100;

/// No scope: the tenant alone.
const NONE: Uid = Uid([0; 16]);

/// What a client says about a tool: everything but its identity and its times. The schemas were found valid.
#[derive(Debug, Clone)]
pub struct NewClientTool {
    /// 1 to 50 of `[a-zA-Z0-9_-]`, unique among the client tools of the tenant.
    pub name: String,
    /// For people.
    pub title: Option<String>,
    /// For the model.
    pub description: String,
    /// JSON Schema of the arguments, exact text.
    pub input: String,
    /// JSON Schema of the outputs, exact text.
    pub output: Option<String>,
    /// Whether agents may call it.
    pub enabled: bool,
}

impl Engine {
    /// Adds a client tool. `Taken` where the tenant has one of this name.
    pub async fn create_client_tool(&self, tenant: Uid, new: NewClientTool) -> Result<ClientTool, Error> {
        let now = self.clock.now();
        let NewClientTool { name, title, description, input, output, enabled } = new;
        let (created_at, updated_at) = (now, now);
        let uid = self.clock.uid();
        let tool = ClientTool { uid, tenant, revision: 1, name, title, description, input, output, enabled, created_at, updated_at };
        let record = Record {
            uid,
            tenant,
            kind: Kind::Tool,
            scope: NONE,
            name: tool.name.clone(),
            alias: None,
            version: tool.revision,
            body: encode(&tool),
        };
        self.directory.create(record).await.map_err(|e| refused(e, &tool))?;
        Ok(tool)
    }

    /// The client tool of an id, as clients know it.
    pub fn client_tool(&self, tenant: Uid, id: &str) -> Result<ClientTool, Error> {
        let found = ClientTool::uid_of(id).map(|uid| self.client_tool_of(tenant, uid)).transpose()?.flatten();
        found.ok_or_else(|| Error::NotFound { what: Thing::Tool, name: id.to_owned() })
    }

    /// The client tool of this identity, or none where the tenant has none.
    pub(crate) fn client_tool_of(&self, tenant: Uid, uid: Uid) -> Result<Option<ClientTool>, Error> {
        let record = self.directory.get(uid)?.filter(|record| record.kind == Kind::Tool && record.tenant == tenant);
        record.map(|record| decode(&record)).transpose()
    }

    /// Client tools, oldest first, after `after`, at most `limit`.
    pub fn client_tools(&self, tenant: Uid, after: Option<Uid>, limit: usize) -> Result<Vec<ClientTool>, Error> {
        self.directory.list(tenant, Kind::Tool, NONE, after, limit)?.iter().map(decode).collect()
    }

    /// Replaces everything but name, identity and age of a tool that was read at `seen`; `Conflict`
    /// where somebody changed it since. Turns that run go on with what they began with.
    pub async fn update_client_tool(&self, seen: &ClientTool, new: NewClientTool) -> Result<ClientTool, Error> {
        let NewClientTool { name: _, title, description, input, output, enabled } = new;
        let (revision, updated_at) = (seen.revision + 1, self.clock.now());
        let tool = ClientTool { revision, title, description, input, output, enabled, updated_at, ..seen.clone() };
        let updated = self.directory.update(tool.uid, seen.revision, encode(&tool), Rename::Keep).await;
        updated.map_err(|e| refused(e, &tool))?;
        Ok(tool)
    }

    /// Deletes a client tool that no agent binds. Calls of it that wait can still be answered.
    pub async fn delete_client_tool(&self, tool: &ClientTool) -> Result<(), Error> {
        let _held = self.bindings.lock().await;
        let (agents, more) = self.users_of(tool).await?;
        if !agents.is_empty() {
            return Err(Error::ToolInUse { tool: tool.wire(), agents, more });
        }
        let was_there = self.directory.delete(tool.uid).await?;
        if was_there { Ok(()) } else { Err(Error::NotFound { what: Thing::Tool, name: tool.wire() }) }
    }

    /// The keys of the agents that bind a tool, oldest agent first, and whether there are more than are named.
    async fn users_of(&self, tool: &ClientTool) -> Result<(Vec<String>, bool), Error> {
        let (mut users, mut after) = (Vec::new(), None);
        loop {
            let page = self.agents(tool.tenant, after, PAGE)?;
            let binds = |agent: &&Agent| agent.tools.values().any(|binding| binding.tool == ToolRef::Client(tool.uid));
            users.extend(page.iter().filter(binds).map(|agent| agent.key.clone()));
            if users.len() > NAMED {
                users.truncate(NAMED);
                return Ok((users, true));
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.uid),
                _ => return Ok((users, false)),
            }
            // Thousands of agents are read in one go otherwise, and nobody else on this thread is served.
            tokio::task::yield_now().await;
        }
    }

    /// Looks whether an agent may bind the client tools that it is to bind: they are there and enabled. A binding
    /// that stays as it was is not looked at. While the answer is held, none of them can be deleted.
    pub(crate) async fn hold_client_tools(
        &self,
        tenant: Uid,
        wanted: &BTreeMap<String, ToolBinding>,
        seen: Option<&Agent>,
    ) -> Result<Option<MutexGuard<'_, ()>>, Error> {
        let clients = |(name, binding): (&String, &ToolBinding)| match binding.tool {
            ToolRef::Client(uid) => Some((name.clone(), uid)),
            ToolRef::Plugin(_) => None,
        };
        let wanted: Vec<(String, Uid)> = wanted.iter().filter_map(clients).collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        let held = self.bindings.lock().await;
        let stays = |name: &String, uid: Uid| {
            seen.and_then(|seen| seen.tools.get(name)).is_some_and(|binding| binding.tool == ToolRef::Client(uid))
        };
        for (configuration, uid) in wanted.into_iter().filter(|(name, uid)| !stays(name, *uid)) {
            let why = match self.client_tool_of(tenant, uid)? {
                Some(tool) if tool.enabled => continue,
                Some(_) => "is disabled; enable it before binding it",
                None => "does not exist",
            };
            return Err(Error::NotBindable { configuration, tool: ClientTool::id_of(uid), why });
        }
        Ok(Some(held))
    }

    /// The tool as a turn shows it to the model; none where it is gone or disabled.
    pub(crate) fn client_spec(&self, tenant: Uid, uid: Uid) -> Result<Option<Arc<ToolSpec>>, Error> {
        let tool = self.client_tool_of(tenant, uid)?.filter(|tool| tool.enabled);
        Ok(tool.map(|tool| Arc::new(spec(&tool))))
    }
}

/// A tool that a client declared with its input, in the same way. No record stands behind it.
pub(crate) fn declared_spec(tool: &DeclaredTool) -> ToolSpec {
    ToolSpec {
        id: ToolId::client(&tool.name),
        description: tool.description.clone(),
        input: tool.input.as_str().into(),
        output: None,
        traits: Traits::default(),
        title: None,
        component: format!("declared:{}", tool.name).into(),
        tools: digest(&[&tool.description, &tool.input]),
        version: String::new(),
    }
}

/// The digest of a tool's descriptor.
fn digest(parts: &[&str]) -> Arc<str> {
    format!("sha256:{}", hex_digest(parts.join("\0").as_bytes())).into()
}

/// A client tool as everything else that is called knows tools.
fn spec(tool: &ClientTool) -> ToolSpec {
    ToolSpec {
        id: ToolId::client(&tool.name),
        description: tool.description.clone(),
        input: tool.input.as_str().into(),
        output: tool.output.as_deref().map(Arc::from),
        // What the client does with a call nobody here knows.
        traits: Traits::default(),
        title: tool.title.clone(),
        component: tool.wire().into(),
        tools: digest(&[&tool.description, &tool.input, tool.output.as_deref().unwrap_or_default()]),
        version: tool.revision.to_string(),
    }
}

fn encode(tool: &ClientTool) -> Vec<u8> {
    serde_json::to_vec(tool).expect("a client tool is made of JSON values")
}

fn decode(record: &Record) -> Result<ClientTool, Error> {
    serde_json::from_slice(&record.body).map_err(|e| Error::Damaged(record.uid, e.to_string()))
}

fn refused(error: storage::Error, tool: &ClientTool) -> Error {
    match error {
        storage::Error::Taken => Error::Taken { what: Thing::Tool, name: tool.name.clone() },
        storage::Error::Conflict => Error::Conflict,
        storage::Error::Gone(uid) if uid == tool.uid => Error::NotFound { what: Thing::Tool, name: tool.wire() },
        other => Error::Store(other),
    }
}
