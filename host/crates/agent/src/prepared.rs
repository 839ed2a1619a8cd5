//! What a turn is made with: the agent, its model, and its tools as they are
//! granted at this moment. Kept between turns while nothing of it changes, so
//! that the tool list is rendered for the provider once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use model::{Model, ToolList};
use session::{Agent, Bound, DeclaredTool, Millis, Purpose, Session, ToolRef, Uid};
use tool::{Caller, ToolSpec};

use crate::direct::Direct;
use crate::error::Error;
use crate::overrides::{Overrides, Resolved, WrongOverride, narrowed};
use crate::references::Sources;
use crate::{Clock, Engine, call, client_tools, template};

/// A turn's means.
pub(crate) struct Prepared {
    pub(crate) agent: Arc<Agent>,
    pub(crate) model: Arc<dyn Model>,
    pub(crate) tools: Arc<ToolList>,
    pub(crate) caller: Caller,
    /// What the agent sets itself, by the name of the binding; only where there is something.
    pub(crate) overrides: BTreeMap<String, Overrides>,
    /// The tools as they are, where the model is shown less of them.
    whole: BTreeMap<String, Arc<ToolSpec>>,
    /// Whether there is a model to be asked; otherwise nobody is told anything.
    pub(crate) asks: bool,
}

/// What a turn is for, as far as its means depend on that.
#[derive(Clone, Copy)]
pub(crate) struct For<'a> {
    pub(crate) purpose: &'a Purpose,
    /// The tools that the client declared with its input.
    pub(crate) declared: &'a [DeclaredTool],
}

impl For<'_> {
    /// For an input that brings its messages alone.
    pub(crate) const ANSWER: Self = Self { purpose: &Purpose::Answer, declared: &[] };
}

/// The tool lists that were rendered lately, by agent and revision.
#[derive(Default)]
pub(crate) struct Lists(Mutex<HashMap<(Uid, u64), Arc<ToolList>>>);

/// Tool lists kept at once; beyond that all are made anew.
const KEPT: usize = 1_024;

impl Lists {
    /// The list of these tools: the one from before, if each tool is the same version still.
    fn list(&self, agent: &Agent, tools: Vec<(String, Arc<ToolSpec>)>) -> Arc<ToolList> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (agent.uid, agent.revision);
        if let Some(list) = kept.get(&key).filter(|list| same(list, &tools)) {
            return list.clone();
        }
        if kept.len() >= KEPT {
            kept.clear();
        }
        let list = Arc::new(ToolList::new(tools));
        kept.insert(key, list.clone());
        list
    }
}

fn same(list: &ToolList, tools: &[(String, Arc<ToolSpec>)]) -> bool {
    let mut before = list.iter();
    let kept = |n: &str, s: &ToolSpec, name: &str, spec: &ToolSpec| {
        n == name && s.id == spec.id && s.component == spec.component && s.tools == spec.tools
    };
    tools.iter().all(|(name, spec)| before.next().is_some_and(|(n, s)| kept(n, s, name, spec))) && before.next().is_none()
}

impl Prepared {
    /// The means of a turn that begins or goes on now.
    pub(crate) fn new(engine: &Engine, agent: &Arc<Agent>, tenant_name: &Arc<str>, turn: For<'_>) -> Result<Self, Error> {
        let caller = Caller { tenant: tenant_name.clone(), agent: agent.key.as_str().into() };
        match turn.purpose {
            Purpose::Answer | Purpose::Compact { .. } => Ok(Self::of_agent(engine, agent, caller)?.declaring(turn.declared)),
            Purpose::Call { name, tool, arguments } => {
                let visible = engine.toolbox.find(&caller, tool).map(|spec| (name.clone(), spec));
                let tools = Arc::new(ToolList::new(visible.into_iter().collect()));
                let model = Arc::new(Direct::new(name, arguments));
                let (overrides, whole) = (BTreeMap::new(), BTreeMap::new());
                Ok(Self { agent: agent.clone(), model, tools, caller, overrides, whole, asks: false })
            }
        }
    }

    /// An agent's own. Tools that are bound but not in service, not granted or not enabled are left out: the model is not
    /// told of them.
    fn of_agent(engine: &Engine, agent: &Arc<Agent>, caller: Caller) -> Result<Self, Error> {
        let model = engine.known_model(&agent.model.name)?;
        let allowed = agent.entry_step().and_then(|step| step.allowed_tools.as_ref());
        let visible = engine.toolbox.tools(&caller);
        let (overrides, mut whole) = (overrides(agent)?, BTreeMap::new());
        let mut tools = Vec::with_capacity(agent.tools.len());
        for (name, binding) in agent.tools.iter().filter(|(name, _)| allowed.is_none_or(|allowed| allowed.contains(name))) {
            let spec = match &binding.tool {
                ToolRef::Plugin(tool) => visible.iter().find(|spec| spec.id == *tool).cloned(),
                ToolRef::Client(uid) => engine.client_spec(agent.tenant, *uid)?,
            };
            let Some(spec) = spec else { continue };
            let Some(set) = overrides.get(name) else {
                tools.push((name.clone(), spec));
                continue;
            };
            tools.push((name.clone(), narrowed(&spec, set)));
            whole.insert(name.clone(), spec);
        }
        let tools = engine.lists.list(agent, tools);
        Ok(Self { agent: agent.clone(), model, tools, caller, overrides, whole, asks: true })
    }

    /// The same with the tools that the client declared behind the agent's. A name means what it meant when the turn began,
    /// whatever the agent binds under it since.
    fn declaring(mut self, declared: &[DeclaredTool]) -> Self {
        if declared.is_empty() {
            return self;
        }
        let of_agent = |name: &str| !declared.iter().any(|tool| tool.name == name);
        self.overrides.retain(|name, _| of_agent(name));
        self.whole.retain(|name, _| of_agent(name));
        let own = self.tools.iter().filter(|(name, _)| of_agent(name)).map(|(name, spec)| (name.to_owned(), spec.clone()));
        let theirs = declared.iter().map(|tool| (tool.name.clone(), Arc::new(client_tools::declared_spec(tool))));
        self.tools = Arc::new(ToolList::new(own.chain(theirs).collect()));
        self
    }

    /// What the model is told first: the agent's instructions, and what the client added to them in a paragraph of its own.
    pub(crate) fn system(&self, session: &Session, now: Millis, added: Option<&str>) -> Result<String, Error> {
        if !self.asks {
            return Ok(String::new());
        }
        let mut system = template::system(self, session, now)?;
        if let Some(added) = added {
            system.push_str(if system.is_empty() { "" } else { "\n\n" });
            system.push_str(added);
        }
        Ok(system)
    }

    /// Whether everything that agents set themselves is there, as far as it needs no tool's output. `sources` are the turn's.
    pub(crate) fn check_early(&self, sources: &Sources<'_>) -> Result<(), Error> {
        let shown = self.overrides.iter().filter(|(name, _)| self.tools.find(name).is_some());
        shown.into_iter().try_for_each(|(name, set)| set.check_early(name, sources))
    }

    /// What the agent sets of a call's arguments, looked up now; none where it sets nothing.
    pub(crate) fn set(&self, configuration: &str, sources: &Sources<'_>) -> Result<Option<Resolved>, Error> {
        self.overrides.get(configuration).map(|set| set.resolve(configuration, sources, Clock)).transpose()
    }

    /// The tool as it is, of which the model is shown `shown`.
    pub(crate) fn whole<'a>(&'a self, configuration: &str, shown: &'a Arc<ToolSpec>) -> &'a ToolSpec {
        self.whole.get(configuration).unwrap_or(shown)
    }

    /// Whether a call of this tool is shown only when it waits for the client: the client is to act on what the agent
    /// sets too, and what the model writes is not all of it.
    pub(crate) fn withholds(&self, configuration: &str) -> bool {
        self.overrides.contains_key(configuration) && self.tools.find(configuration).is_some_and(|spec| spec.id.is_client())
    }

    /// What the turn pins.
    pub(crate) fn bound(&self) -> BTreeMap<String, Bound> {
        self.tools.iter().map(|(name, spec)| (name.to_owned(), call::bound(spec))).collect()
    }
}

/// What an agent sets itself, read from its bindings.
fn overrides(agent: &Agent) -> Result<BTreeMap<String, Overrides>, Error> {
    let set = agent.tools.iter().filter(|(_, binding)| !binding.argument_override.is_empty());
    let read = set.map(|(name, binding)| Ok((name.clone(), Overrides::parse(&binding.argument_override)?)));
    let read: Result<_, WrongOverride> = read.collect();
    read.map_err(|wrong| Error::Damaged(agent.uid, format!("argument_override: {}: {}", wrong.key, wrong.why)))
}
