//! What a turn is made with: the agent, its model, and its tools as they are
//! granted at this moment. Kept between turns while nothing of it changes, so
//! that the tool list is rendered for the provider once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use model::{Model, ToolList};
use session::{Agent, Bound, ToolRef, Uid};
use tool::{Caller, ToolSpec};

use crate::error::Error;
use crate::overrides::{Overrides, Resolved, WrongOverride, narrowed};
use crate::references::Sources;
use crate::{Clock, Engine, call};

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
    /// The means of a turn that begins now. Tools that are bound but not in service, not
    /// granted or not enabled are left out: the model is not told of them.
    pub(crate) fn new(engine: &Engine, agent: &Arc<Agent>, tenant_name: &Arc<str>) -> Result<Self, Error> {
        let model = engine.known_model(&agent.model.name)?;
        let caller = Caller { tenant: tenant_name.clone(), agent: agent.key.as_str().into() };
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
        Ok(Self { agent: agent.clone(), model, tools, caller, overrides, whole })
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
