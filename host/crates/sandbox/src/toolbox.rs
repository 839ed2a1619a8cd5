//! The sandbox as a [`Toolbox`]: which tools a caller sees, and how one call runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use policy::{CallPermit, Facts, Limits, Policy, Shape, Who};
use tokio::time::timeout_at;
use tool::{
    Approval, Approver, Bounds, Caller, Content, Decision, End, Evidence, PluginState, PluginStatus, ToolCall, ToolId, ToolReply, ToolSpec,
    Toolbox, Traits, Usage, Verdict, Write,
};
use wasmtime_wasi::WasiCtxBuilder;

use crate::accepted::{Kept, Record, Records, Standing, standing};
use crate::answer::{check_input, check_output};
use crate::bindings::wardian::plugin::types;
use crate::call_log::{CallLog, Stream};
use crate::catalog::{Entry, Tool, Version};
use crate::command;
use crate::fuel::Fueled;
use crate::functions::Answer;
use crate::guest::{Guest, Parts};
use crate::imports::clocks::{Coarse, Taped};
use crate::imports::files::Files;
use crate::imports::http::Requests;
use crate::imports::{random, store};
use crate::instance::{Program, Ran};
use crate::meter::Cpu;
use crate::outcome::{self, millis};
use crate::reach::{Reach, Scope};
use crate::sandbox::Sandbox;

/// Arguments up to this size are checked where they come in; larger ones on
/// the guests' threads, because the schema is the author's and may be slow.
const INLINE_BYTES_MAX: usize = 4 << 10;

/// How long after its time limit a call is waited for: a guest that gets a
/// processor ends within a tick, and says what it used.
const GRACE: Duration = Duration::from_millis(15);

/// Random bytes in one request of a guest.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

#[async_trait]
impl Toolbox for Sandbox {
    fn tools(&self, caller: &Caller) -> Vec<Arc<ToolSpec>> {
        let (policy, snapshot, records) = (self.policy.load(), self.snapshot.load(), self.accepted.records());
        let versions = snapshot.values().filter_map(|entry| {
            let version = entry.version.as_ref()?;
            Some((version, standing(&policy, &records, version))).filter(|(_, standing)| standing.serves())
        });
        let seen = |(version, standing): (&Arc<Version>, Standing)| {
            let tools = version.tools.values();
            tools.filter_map(|tool| visible(&policy, version, &standing, tool, caller)).collect::<Vec<_>>()
        };
        versions.flat_map(seen).collect()
    }

    fn resting(&self, caller: &Caller) -> Vec<Arc<ToolSpec>> {
        let (policy, snapshot, records) = (self.policy.load(), self.snapshot.load(), self.accepted.records());
        let resting = snapshot.iter().filter_map(|(name, entry)| match (records.get(name)?, rests(&policy, &records, entry)) {
            (Kept::Record(record), true) => Some((name, record)),
            (Kept::Record(_) | Kept::Damaged(_), _) => None,
        });
        resting
            .flat_map(|(name, record)| record.specs().filter(|tool| granted(&policy, name, record, &tool.id.name, caller)))
            .map(Arc::new)
            .collect()
    }

    fn find(&self, caller: &Caller, tool: &ToolId) -> Option<Arc<ToolSpec>> {
        let snapshot = self.snapshot.load();
        let (policy, version) = (self.policy.load(), snapshot.get(&tool.plugin)?.version.as_ref()?);
        let standing = standing(&policy, &self.accepted.records(), version);
        if !standing.serves() {
            return None;
        }
        visible(&policy, version, &standing, version.tools.get(&tool.name)?, caller)
    }

    async fn check(&self, caller: &Caller, tool: &ToolId, input: &str) -> Result<Verdict, End> {
        let policy = self.policy.load_full();
        let (version, standing) = self.version(&policy, tool)?;
        let spec = version.tools.get(&tool.name).ok_or(End::UnknownTool)?;
        let verdict = verdict(&policy, &version, &standing, spec, caller)?;
        if input.len() <= INLINE_BYTES_MAX && spec.input.is_light(input.len()) {
            return check_input(spec, input).map(|()| verdict);
        }
        let (version, name, input) = (version.clone(), tool.name.clone(), input.to_owned());
        let checking = self.lanes.quick().spawn(async move {
            let spec = version.tools.get(&name).ok_or(End::UnknownTool)?;
            check_input(spec, &input)
        });
        match tokio::time::timeout(policy.limits(&tool.plugin, None).time, checking).await {
            Ok(checked) => {
                let checked = checked.unwrap_or_else(|error| Err(End::HostFault(format!("the arguments could not be checked: {error}"))));
                checked.map(|()| verdict)
            }
            Err(_) => Err(End::InvalidInput("checking them against the schema takes too long; send less".into())),
        }
    }

    fn evidence(&self, caller: &Caller, tool: &ToolId) -> Evidence {
        let policy = self.policy.load_full();
        let known = Evidence { policy: Some(policy.digest().clone()), ..Evidence::default() };
        let Ok((version, _)) = self.version(&policy, tool) else { return known };
        let decided = policy.call(&who(&version, caller), &tool.name);
        let (rule, allowed) = match decided {
            Ok(permit) => (permit.rule, true),
            Err(denied) => (denied.layer.word().to_owned(), false),
        };
        Evidence {
            limits: Some(bounds(&policy.limits(&version.name, Some(&version.component)))),
            decisions: vec![Decision { capability: "call".into(), what: format!("tool {}", tool.name), rule, allowed, times: 1 }],
            ..known
        }
    }

    async fn call(&self, call: ToolCall) -> ToolReply {
        match self.admit(call) {
            Ok(admitted) => {
                let (left, habit, sink) = (admitted.left(), admitted.gate.habit.clone(), admitted.call.ports.sink.clone());
                let running = self.lanes.run(habit.clone(), admitted.cpu.clone(), admitted.run());
                let reply = tokio::select! {
                    biased;
                    ran = running => match ran {
                        Ok(reply) => reply,
                        Err(error) => ToolReply::without_answer(End::HostFault(format!("the call was lost: {error}"))),
                    },
                    () = tokio::time::sleep_until(left.late.into()) => left.late(),
                    () = sink.gone() => left.reply(End::Cancelled),
                };
                habit.learn(reply.usage.cpu_us);
                reply
            }
            Err(refused) => *refused,
        }
    }

    async fn settled(&self) {
        self.wait_ready().await;
    }

    fn plugins(&self) -> Vec<PluginStatus> {
        let (policy, records) = (self.policy.load(), self.accepted.records());
        self.snapshot.load().iter().map(|(name, entry)| status(&policy, &records, name, entry)).collect()
    }
}

impl Sandbox {
    /// The version of a plugin that serves now, and how it stands with the operator.
    fn version(&self, policy: &Policy, tool: &ToolId) -> Result<(Arc<Version>, Standing), End> {
        use tool::PluginState::{Changed, Preparing, Ready, Refused, Stale};
        let changed = || End::Unavailable("it was changed, and the operator has to accept that first".into());
        let snapshot = self.snapshot.load();
        let entry = snapshot.get(&tool.plugin).ok_or(End::UnknownTool)?;
        let version = entry.version.clone().ok_or_else(|| match &entry.state {
            Preparing => End::Unavailable("it is being prepared; try again in a moment".into()),
            Changed(_) => changed(),
            Refused(_) | Stale(_) | Ready => End::Unavailable("the operator has to repair it first".into()),
        })?;
        let standing = standing(policy, &self.accepted.records(), &version);
        match standing {
            Standing::Changed(_) => Err(changed()),
            // What the file pins is the policy's to refuse, with the line that would allow it.
            Standing::Free | Standing::Accepted | Standing::First | Standing::Unseen | Standing::Pinned(_) => Ok((version, standing)),
        }
    }

    /// The version that a call runs, written down as accepted if it is the first with a grant.
    fn version_to_run(&self, policy: &Policy, tool: &ToolId) -> Result<(Arc<Version>, Standing), End> {
        let (version, standing) = self.version(policy, tool)?;
        if standing != Standing::First {
            return Ok((version, standing));
        }
        // The catalog does this as soon as it hears of the grant; here it is only made sure of.
        if let Err(error) = self.accepted.first(&version) {
            tracing::error!(plugin.id = %version.name, "it cannot be kept which version of plugin {} has grants: {error}", version.name);
            return Err(End::Unavailable("the operator has to repair it first".into()));
        }
        self.version(policy, tool)
    }

    /// Everything that is decided before a guest runs.
    fn admit(&self, call: ToolCall) -> Result<Admitted, Box<ToolReply>> {
        let began = Instant::now();
        let policy = self.policy.load_full();
        let found = self
            .version_to_run(&policy, &call.tool)
            .and_then(|found| if found.0.tools.contains_key(&call.tool.name) { Ok(found) } else { Err(End::UnknownTool) });
        let (version, standing) = found.map_err(|end| {
            let evidence = Evidence { policy: Some(policy.digest().clone()), ..Evidence::default() };
            Box::new(ToolReply { evidence, ..ToolReply::without_answer(end) })
        })?;
        let scope = Arc::new(
            Scope::new(policy.clone(), version.name.clone(), version.component.clone(), &call.context)
                .hiding(&call.veil)
                .heard_by(call.ports.sink.clone()),
        );
        let limits = self.leave(&call, (&version, &standing), &scope, began).map_err(|end| {
            tracing::warn!(plugin.id = %version.name, call.id = %call.context.call, "{end}");
            Box::new(ToolReply { evidence: scope.evidence(), ..ToolReply::without_answer(end) })
        })?;
        let gate = self.gates.of(&version.name);
        let cache = self.cache.join(&*call.context.tenant_uid).join(&*version.name);
        let (slots, ticker, egress) = (self.slots.clone(), self.ticker.clone(), self.egress.clone());
        let fuel = limits.fuel.and_then(|_| Some((self.fueled.clone(), self.snapshot.load().get(&call.tool.plugin)?.file.clone())));
        Ok(Admitted {
            call,
            version,
            scope,
            limits,
            deadline: began + limits.time,
            cpu: Cpu::default(),
            gate,
            slots,
            ticker,
            egress,
            cache,
            fuel,
        })
    }

    /// Whether the policy, a person and the plugin's rate let the call run, and under which limits.
    fn leave(&self, call: &ToolCall, (version, standing): (&Version, &Standing), scope: &Scope, now: Instant) -> Result<Limits, End> {
        let tool = version.tools.get(&call.tool.name).ok_or(End::UnknownTool)?;
        let permit = scope.call(&call.tool.name).map_err(|denied| End::Denied(denied.to_string()))?;
        pinned(scope.policy(), version)?;
        let traits = effective(scope.policy(), version, standing, tool);
        agreed(needed(&permit, traits), version, call.approval.as_ref())?;
        let limits = scope.policy().limits(&version.name, Some(&version.component));
        match limits.rate {
            Some(rate) if !self.gates.within(rate, &call.context.caller.tenant, &version.name, now) => {
                Err(End::Unavailable(format!("it is called more often than {rate}; try again later")))
            }
            Some(_) | None => Ok(limits),
        }
    }
}

/// A call that may run, with what it runs with. Owns everything, because it
/// moves to the guests' threads.
struct Admitted {
    call: ToolCall,
    version: Arc<Version>,
    scope: Arc<Scope>,
    limits: Limits,
    deadline: Instant,
    cpu: Cpu,
    gate: Arc<crate::gate::Gate>,
    slots: Arc<tokio::sync::Semaphore>,
    ticker: Arc<crate::engine::Ticker>,
    egress: crate::imports::http::Egress,
    cache: std::path::PathBuf,
    /// Where a program with a budget of fuel comes from, and the component's file.
    fuel: Option<(Arc<Fueled>, std::path::PathBuf)>,
}

/// What is told of a call whose guest is left behind: nobody wants it any more, or the
/// machine is too busy to run it even to its next tick. It ends there, with nobody waiting for it.
struct Left {
    late: Instant,
    began: Instant,
    cpu: Cpu,
    limits: Limits,
    scope: Arc<Scope>,
    component: Arc<str>,
    tools: Arc<str>,
}

impl Left {
    fn late(self) -> ToolReply {
        let end = End::Time(millis(self.limits.time));
        self.reply(end)
    }

    fn reply(self, end: End) -> ToolReply {
        let wall_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (sent_bytes, received_bytes) = self.scope.bytes();
        let usage = Usage { wall_us, cpu_us: self.cpu.used_us(), sent_bytes, received_bytes, ..Usage::default() };
        let (component, tools) = (Some(self.component), Some(self.tools));
        let evidence = Evidence { component, tools, limits: Some(bounds(&self.limits)), ..self.scope.evidence() };
        ToolReply { usage, evidence, ..ToolReply::without_answer(end) }
    }
}

impl Admitted {
    fn left(&self) -> Left {
        let Self { version, scope, limits, deadline, cpu, .. } = self;
        Left {
            late: *deadline + GRACE,
            began: *deadline - limits.time,
            cpu: cpu.clone(),
            limits: *limits,
            scope: scope.clone(),
            component: version.component.clone(),
            tools: version.tools_digest.clone(),
        }
    }

    async fn run(self) -> ToolReply {
        let version = self.version.clone();
        let scope = self.scope.clone();
        let refused = |end| ToolReply { evidence: scope.evidence(), ..ToolReply::without_answer(end) };
        let Some(tool) = version.tools.get(&self.call.tool.name) else {
            return refused(End::UnknownTool);
        };
        if let Err(end) = check_input(tool, &self.call.input) {
            return refused(end);
        }
        let program = match self.program().await {
            Ok(program) => program,
            Err(end) => return refused(end),
        };
        // Waiting for a place counts as time of the call.
        let places = async { (self.gate.clone().pass(self.limits.at_once).await, self.slots.clone().acquire_owned().await) };
        let _places = match timeout_at(self.deadline.into(), places).await {
            Ok((pass, Ok(slot))) => (pass, slot),
            Ok((_, Err(_))) => return refused(End::Unavailable("the server is being stopped".into())),
            Err(_) => return refused(End::Unavailable("too many of its calls run already; try again later".into())),
        };
        let _ticking = self.ticker.running();
        let call = types::Call { tool: self.call.tool.name.clone(), input: self.call.input.clone() };
        let guest = self.guest();
        let ran = program.invoke(guest, call).await;
        reply(&version, tool, ran)
    }

    /// The version's own program, or the one that counts fuel.
    async fn program(&self) -> Result<Program, End> {
        let Some((fueled, file)) = &self.fuel else { return Ok(self.version.program.clone()) };
        match timeout_at(self.deadline.into(), fueled.program((self.version.component.clone(), self.version.shape), file.clone())).await {
            Ok(made) => {
                made.map_err(|_| End::Unavailable("it does not run with a budget of fuel; the operator has to look at the log".into()))
            }
            Err(_) => Err(End::Unavailable("it is being compiled for its budget of fuel; try again in a moment".into())),
        }
    }

    fn guest(self) -> Guest {
        let Self { call, version, scope, limits, deadline, cpu, egress, cache, .. } = self;
        let log = CallLog::new(version.name.clone(), call.context.call.clone(), limits.log_bytes).heard_by(call.ports.sink.clone());
        let mut wasi = WasiCtxBuilder::new();
        // The guests' threads are theirs alone: a file's metadata is read there and then,
        // not on another thread. The builder hands this on to the directories that follow.
        wasi.allow_blocking_current_thread(true);
        match &call.ports.tape {
            None => wasi.wall_clock(Coarse::new()).monotonic_clock(Coarse::new()),
            Some(tape) => {
                random::seeded(&mut wasi, &tape.seed());
                wasi.wall_clock(Taped::new(tape.clone())).monotonic_clock(Taped::new(tape.clone()))
            }
        };
        wasi.max_random_size(RANDOM_BYTES_MAX)
            .stdout(log.stream(Stream::Out))
            .stderr(log.stream(Stream::Err))
            .allow_tcp(false)
            .allow_udp(false);
        let output = match version.shape {
            Shape::Command => {
                let start = scope.policy().plugin(&version.name, Some(&version.component)).map(|grant| grant.start.clone());
                Some(command::prepare(&mut wasi, &version.name, &start.unwrap_or_default(), call.input, limits.output_bytes))
            }
            Shape::Native | Shape::Functions => None,
        };
        let files = Files::open(&mut wasi, version.name.clone(), scope.mounts());
        let requests = Requests::new(egress, scope.clone(), &limits, call.ports.tape.clone());
        let (writes, sizes) = Default::default();
        let reach = Reach { scope, context: call.context, ports: call.ports, cache, writes, sizes };
        let parts = Parts { wasi: wasi.build(), requests, files, log, limits, deadline, cpu, reach: Some(Box::new(reach)) };
        Guest { output, ..Guest::new(parts) }
    }
}

/// What came of a guest, in the words of the engine.
fn reply(version: &Version, tool: &Tool, ran: Ran<Answer>) -> ToolReply {
    let Ran { returned, mut guest, usage } = ran;
    let last_words = guest.log.finish();
    let evidence = Evidence {
        component: Some(version.component.clone()),
        tools: Some(version.tools_digest.clone()),
        limits: Some(bounds(&guest.limits)),
        ..guest.reach.as_ref().map(|reach| reach.scope.evidence()).unwrap_or_default()
    };
    let mut parts: Vec<Content> = std::mem::take(&mut guest.emitted);
    let mut end = match returned {
        None => End::Time(millis(guest.limits.time)),
        Some(Err(error)) => outcome::classify(&error, &guest, &last_words),
        Some(Ok(Err(error))) => End::Tool(outcome::tool_error(error)),
        Some(Ok(Ok(returned))) => {
            parts.extend(returned.into_iter().map(outcome::content));
            End::Done
        }
    };
    if let Err(fault) = check_output(tool, &parts, guest.limits.output_bytes) {
        // Parts that are not valid are never passed on; an end that came before keeps its name.
        parts.clear();
        if end.is_done() {
            end = fault;
        }
    }
    let writes = if end.is_done() { writes(guest) } else { Vec::new() };
    if !end.is_done() {
        tracing::info!(plugin.id = %version.name, duration_us = usage.wall_us, "a call of plugin {} ended: {end}", version.name);
    }
    ToolReply { end, parts, writes, usage, evidence }
}

/// The bounds that a receipt names.
fn bounds(limits: &Limits) -> Bounds {
    let (time_ms, cpu_ms) = (millis(limits.time), millis(limits.cpu));
    Bounds { time_ms, cpu_ms, memory_bytes: limits.memory_bytes, output_bytes: limits.output_bytes, fuel: limits.fuel }
}

fn writes(guest: Guest) -> Vec<Write> {
    let Some(reach) = guest.reach.filter(|reach| !reach.writes.is_empty()) else { return Vec::new() };
    let Ok(permit) = reach.scope.policy().store(&reach.scope.who()) else { return Vec::new() };
    let (plugin, scope) = (reach.scope.plugin().to_owned(), store::scope(&permit));
    reach.writes.into_iter().map(|(key, value)| Write { plugin: plugin.clone(), scope, key, value }).collect()
}

fn who<'a>(version: &'a Version, caller: &'a Caller) -> Who<'a> {
    Who { plugin: &version.name, digest: Some(&version.component), tenant: &caller.tenant, agent: &caller.agent }
}

/// Whether the caller may run the tool, by the grants and the pinned descriptor.
fn allowed(policy: &Policy, version: &Version, tool: &str, caller: &Caller) -> Result<CallPermit, End> {
    let permit = policy.call(&who(version, caller), tool).map_err(|denied| End::Denied(denied.to_string()))?;
    pinned(policy, version).map(|()| permit)
}

/// Whether the descriptor is the one that the operator pinned, where they did.
fn pinned(policy: &Policy, version: &Version) -> Result<(), End> {
    let pinned = policy.plugin(&version.name, Some(&version.component)).and_then(|grant| grant.pins.tools_digest.as_deref());
    match pinned {
        Some(pinned) if pinned != &*version.tools_digest => Err(End::Denied(format!(
            "descriptor {} of plugin {} is not the one that [plugin.{}] pins; change it to tools-digest = \"{}\"",
            version.tools_digest, version.name, version.name, version.tools_digest
        ))),
        _ => Ok(()),
    }
}

/// Whether a tool may run, and whether a person has to agree to the call.
fn verdict(policy: &Policy, version: &Version, standing: &Standing, tool: &Tool, caller: &Caller) -> Result<Verdict, End> {
    let permit = allowed(policy, version, &tool.spec.id.name, caller)?;
    Ok(needed(&permit, effective(policy, version, standing, tool)))
}

/// Whether a person has to agree to a call that is allowed, of a tool with these effective traits.
fn needed(permit: &CallPermit, traits: Traits) -> Verdict {
    if !permit.needs_approval(!traits.read_only && !traits.additive) {
        return Verdict::Run;
    }
    Verdict::Ask(match permit.approver {
        policy::Approver::Client => Approver::Client,
        policy::Approver::Operator => Approver::Operator,
    })
}

/// Whether the agreement that a call needs is there, and speaks of what would run now.
fn agreed(verdict: Verdict, version: &Version, approval: Option<&Approval>) -> Result<(), End> {
    let Verdict::Ask(needed) = verdict else { return Ok(()) };
    match approval {
        Some(given) if given.component != *version.component || given.tools != *version.tools_digest => {
            Err(End::Unavailable("the plugin was changed after this call was approved; ask for it again".into()))
        }
        Some(given) if given.by >= needed => Ok(()),
        Some(_) | None => Err(End::AwaitingApproval(format!("the {} has to agree to it", needed.word()))),
    }
}

/// The tool as the caller sees it, if it does.
fn visible(policy: &Policy, version: &Version, standing: &Standing, tool: &Tool, caller: &Caller) -> Option<Arc<ToolSpec>> {
    allowed(policy, version, &tool.spec.id.name, caller).ok()?;
    let traits = effective(policy, version, standing, tool);
    let description = words(policy, version, tool).and_then(|words| words.description.as_deref());
    if traits == tool.spec.traits && description.is_none() {
        return Some(tool.spec.clone());
    }
    let description = description.unwrap_or(&tool.spec.description).to_owned();
    Some(Arc::new(ToolSpec { traits, description, ..ToolSpec::clone(&tool.spec) }))
}

/// What the operator says about a tool in place of its author.
fn words<'p>(policy: &'p Policy, version: &Version, tool: &Tool) -> Option<&'p policy::Words> {
    policy.plugin(&version.name, Some(&version.component))?.words(&tool.spec.id.name)
}

/// What the operator says of a tool, or what its author claims, as far as the grants bear it out.
/// A descriptor that nobody looked at claims nothing.
fn effective(policy: &Policy, version: &Version, standing: &Standing, tool: &Tool) -> Traits {
    let said = words(policy, version, tool).and_then(|words| words.traits.as_deref()).map(traits);
    let claim = match standing {
        Standing::Free | Standing::Accepted | Standing::First => said.unwrap_or(tool.spec.traits),
        Standing::Unseen => said.unwrap_or_default(),
        Standing::Pinned(_) | Standing::Changed(_) => return Traits::default(),
    };
    let facts = policy.plugin(&version.name, Some(&version.component)).map_or_else(Facts::default, policy::Grant::facts);
    claim.and(Traits { read_only: !facts.rule_out_read_only(), idempotent: true, additive: true, closed_world: !facts.reaches_out })
}

fn traits(said: &[policy::Trait]) -> Traits {
    let has = |it| said.contains(&it);
    Traits {
        read_only: has(policy::Trait::ReadOnly),
        idempotent: has(policy::Trait::Idempotent),
        additive: has(policy::Trait::Additive),
        closed_world: has(policy::Trait::ClosedWorld),
    }
}

/// Whether the tools of a plugin would be there if the operator put it in order.
fn rests(policy: &Policy, records: &Records, entry: &Entry) -> bool {
    match &entry.version {
        Some(version) => matches!(standing(policy, records, version), Standing::Changed(_)),
        None => matches!(entry.state, PluginState::Refused(_)),
    }
}

/// Whether the caller could run a tool of the version that was accepted.
fn granted(policy: &Policy, plugin: &str, record: &Record, tool: &str, caller: &Caller) -> bool {
    let who = Who { plugin, digest: Some(&record.digests.component), tenant: &caller.tenant, agent: &caller.agent };
    policy.plugin(plugin, who.digest).is_some() && policy.call(&who, tool).is_ok()
}

fn status(policy: &Policy, records: &Records, name: &str, entry: &Entry) -> PluginStatus {
    let version = entry.version.as_deref();
    let grant = policy.plugin(name, version.map(|version| &*version.component));
    PluginStatus {
        name: name.to_owned(),
        file: entry.file.display().to_string(),
        file_modified_ms: entry.modified_ms,
        version: version.map(|version| version.version.clone()),
        component: version.map(|version| version.component.to_string()),
        tools_digest: version.map(|version| version.tools_digest.to_string()),
        shape: policy.shape(name).word().to_owned(),
        state: state(policy, records, entry),
        tools: version.map(|version| version.tools.keys().cloned().collect()).unwrap_or_default(),
        skipped: version.map(|version| version.skipped.clone()).unwrap_or_default(),
        grants: grant.map(policy::Grant::phrases).unwrap_or_default(),
        requests: version.map(|version| version.requests.phrases()).unwrap_or_default(),
        asks: version.map(|version| version.requests.asks()).unwrap_or_default(),
    }
}

/// Where a plugin stands: a version that is ready may still be another than was accepted.
pub(crate) fn state(policy: &Policy, records: &Records, entry: &Entry) -> PluginState {
    match entry.version.as_ref().map(|version| standing(policy, records, version)) {
        Some(Standing::Changed(why) | Standing::Pinned(why)) => PluginState::Changed(why),
        None | Some(Standing::Free | Standing::Accepted | Standing::First | Standing::Unseen) => entry.state.clone(),
    }
}
