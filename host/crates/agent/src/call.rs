//! The only way to a tool: check, then — once the intent is durable — call, and
//! make of what comes back the event, the receipt and the writes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use session::{AskedCall, Awaited, Bound, Call, CallName, Consumed, Event, EventId, Receipt, Seq, Session, Uid};
use sha2::{Digest, Sha256};
use storage::Blob;
use tokio_util::sync::CancellationToken;
use tool::{
    CallContext, CallSink, Caller, Content, End, Evidence, Ports, ToolCall, ToolId, ToolReply, ToolSpec, Toolbox, Usage, Verdict, Write,
    content,
};

use crate::client_calls;
use crate::error::Error;
use crate::hub::Hub;
use crate::overrides::{Overrides, Resolved, shown_over};
use crate::prepared::Prepared;
use crate::state_store::{Owners, StateStore};
use crate::{Clock, Engine};

/// Bytes of one call's arguments. Against a model that writes without end.
const ARGUMENTS_BYTES: usize = 256 << 10;

/// How often at most readers hear how far one call is; what is reported in between is dropped. Against a tool that
/// reports in a loop. The sandbox bounds the words.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// A call that has been checked, or the reason why it is none.
pub(crate) struct Checked {
    pub(crate) name: CallName,
    /// The arguments as they are recorded: a JSON object, `{}` where the model's were none.
    pub(crate) input: String,
    /// What the agent sets over them, where it does.
    pub(crate) set: Option<Resolved>,
    /// The keys of that, also where it leads nowhere.
    pub(crate) overrides: Vec<String>,
    pub(crate) refused: Option<End>,
    /// Whose agreement it needs before it may run.
    pub(crate) awaited: Option<Awaited>,
    /// Which tool was asked for, and what held at the moment of the check, where there is such a tool.
    pub(crate) bound: Option<Bound>,
    pub(crate) evidence: Evidence,
}

/// Our id of a call: the id of the event that asks for it. It is the tool's idempotency key.
pub(crate) fn id(session: Uid, asked: Seq) -> String {
    EventId { session, seq: asked }.to_string()
}

/// What the agent sets of a call's arguments, or why that cannot be said.
pub(crate) type Set = Result<Option<Resolved>, Error>;

/// Checks what the model asked for, before anything is recorded.
pub(crate) async fn check(toolbox: &dyn Toolbox, prepared: &Prepared, asked: &AskedCall, set: Set) -> Checked {
    let (caller, spec) = (&prepared.caller, prepared.tools.find(&asked.name));
    let name = CallName {
        id: asked.id.clone(),
        configuration: asked.name.clone(),
        tool: spec.map_or_else(|| asked.name.clone(), |spec| spec.id.name.as_str().into()),
    };
    let arguments = object(&asked.arguments).and_then(|()| with(&set, &asked.arguments));
    let (refused, awaited) = match (arguments, spec) {
        (_, None) => (Some(End::UnknownTool), None),
        (Err(why), _) => (Some(End::InvalidInput(why)), None),
        (Ok(arguments), Some(spec)) if spec.id.is_client() => {
            match client_calls::check(prepared.whole(&asked.name, spec), &arguments).await {
                Ok(awaited) => (None, Some(awaited)),
                Err(end) => (Some(end), None),
            }
        }
        (Ok(arguments), Some(spec)) => match toolbox.check(caller, &spec.id, &arguments).await {
            Ok(Verdict::Run) => (None, None),
            Ok(Verdict::Ask(approver)) => {
                // Bound to what the model was shown: should another build serve by now, the agreement will not count for it.
                let (component, tools) = (spec.component.to_string(), spec.tools.to_string());
                (None, Some(Awaited::Approval { approver, component, tools }))
            }
            Err(end) => (Some(end), None),
        },
    };
    let input = if object(&asked.arguments).is_ok() { asked.arguments.clone() } else { "{}".into() };
    let bound = spec.map(bound);
    // What runs brings its own evidence.
    let evidence =
        spec.filter(|spec| refused.is_some() && !spec.id.is_client()).map(|spec| toolbox.evidence(caller, &spec.id)).unwrap_or_default();
    let overrides = prepared.overrides.get(&*asked.name).map(Overrides::keys).unwrap_or_default();
    Checked { name, input, set: set.ok().flatten(), overrides, refused, awaited, bound, evidence }
}

/// Arguments with what the agent sets over them; why not, for the model, where that leads nowhere.
pub(crate) fn with(set: &Set, arguments: &str) -> Result<String, String> {
    match set {
        Err(error) => Err(error.to_string()),
        Ok(None) => Ok(arguments.to_owned()),
        Ok(Some(set)) => {
            let all = set.over(arguments);
            object(&all).map(|()| all)
        }
    }
}

/// A tool as the turn pins it.
pub(crate) fn bound(spec: &Arc<ToolSpec>) -> Bound {
    Bound { tool: spec.id.clone(), component: spec.component.to_string(), tools: spec.tools.to_string() }
}

/// JSON text as it is stored and shown, and arguments as they are run: white space between tokens dropped, non-ASCII escaped, the rest as written.
pub(crate) fn exact(json: &str) -> String {
    let mut exact = String::with_capacity(json.len());
    session::json::push_json(&mut exact, json);
    exact
}

/// Whether arguments are a JSON object that may be stored and passed on.
pub(crate) fn object(arguments: &str) -> Result<(), String> {
    if arguments.len() > ARGUMENTS_BYTES {
        return Err(format!("they are {} bytes long, at most {ARGUMENTS_BYTES} are allowed", arguments.len()));
    }
    if session::json::has_nul(arguments) {
        return Err("they hold the character \\u0000, which is not allowed".into());
    }
    // As values, so that a number that no reader can hold, such as 1e400, is refused and not kept.
    let parsed: Result<serde_json::Value, _> = serde_json::from_str(arguments);
    match parsed {
        Err(error) => Err(format!("they are not valid JSON: {error}")),
        Ok(_) if !arguments.trim_start().starts_with('{') => Err("they are not a JSON object".into()),
        Ok(_) => Ok(()),
    }
}

/// What a call needs from its turn.
pub(crate) struct Bench {
    toolbox: Arc<dyn Toolbox>,
    caller: Caller,
    owners: Owners,
    store: Arc<StateStore>,
    /// Cancelled once nobody wants the calls any more.
    unwanted: CancellationToken,
    hub: Arc<Hub>,
    tenant_uid: Arc<str>,
    session: Arc<str>,
    user: Option<String>,
}

/// Where the live signs of one call go, and whether anybody still wants it.
struct Signs {
    /// The id of the call, as its events carry it.
    id: Arc<str>,
    unwanted: CancellationToken,
    hub: Arc<Hub>,
    /// When the last report was passed on.
    reported: Mutex<Option<Instant>>,
}

#[async_trait]
impl CallSink for Signs {
    fn progress(&self, share: Option<f32>, note: &str) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        // What is reported after the turn is over belongs to no turn.
        if self.cancelled() || reported.is_some_and(|at| at.elapsed() < REPORT_EVERY) {
            return;
        }
        *reported = Some(Instant::now());
        self.hub.progress(self.id.clone(), share, note.to_owned(), Clock.now());
    }

    fn cancelled(&self) -> bool {
        self.unwanted.is_cancelled()
    }

    async fn gone(&self) {
        self.unwanted.cancelled().await;
    }
}

/// A turn that is over wants nothing of its calls any more.
impl Drop for Bench {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// What a finished call leaves.
pub(crate) struct Ran {
    /// The output with its receipt.
    pub(crate) event: Event,
    pub(crate) writes: Vec<storage::StateWrite>,
    pub(crate) blobs: Vec<Blob>,
}

impl Bench {
    pub(crate) fn new(engine: &Engine, prepared: &Prepared, session: &Session, hub: Arc<Hub>, user: Option<String>) -> Self {
        let owners = Owners::of(&prepared.agent, session);
        Self {
            toolbox: engine.toolbox.clone(),
            caller: prepared.caller.clone(),
            owners,
            store: StateStore::new(engine.journal.clone(), owners),
            unwanted: CancellationToken::new(),
            hub,
            tenant_uid: session.tenant.hex().into(),
            session: session.key.as_str().into(),
            user,
        }
    }

    /// Nobody wants the calls any more; guests that ask are told so.
    pub(crate) fn cancel(&self) {
        self.unwanted.cancel();
    }

    /// What a call may reach through the engine.
    fn ports(&self, name: &CallName) -> Ports {
        let (unwanted, hub) = (self.unwanted.clone(), self.hub.clone());
        let sink = Signs { id: name.id.clone(), unwanted, hub, reported: Mutex::default() };
        Ports { store: self.store.clone(), sink: Arc::new(sink), tape: None }
    }

    /// Runs one call to its end. `id` is ours: the tool's idempotency key; `set` is what the agent sets of the arguments.
    pub(crate) async fn run(&self, id: String, bound: Option<Bound>, call: Call, set: Set) -> Ran {
        let Call { name, input, approval, .. } = call;
        let tool = bound.as_ref().map(|bound| bound.tool.clone());
        let arguments = with(&set, &input);
        let set = set.ok().flatten();
        let veil = set.as_ref().map(|set| set.veil.clone()).unwrap_or_default();
        let ports = self.ports(&name);
        let ended = Ended { id: id.clone(), bound, name, input, overrides: set.map(|set| set.shown) };
        let reply = match (tool, arguments) {
            (None, _) => ToolReply::without_answer(End::UnknownTool),
            (Some(_), Err(why)) => ToolReply::without_answer(End::InvalidInput(why)),
            (Some(tool), Ok(input)) => {
                let context = CallContext {
                    call: id.clone(),
                    caller: self.caller.clone(),
                    tenant_uid: self.tenant_uid.clone(),
                    session: self.session.clone(),
                    user: self.user.clone(),
                    trace: None,
                };
                self.toolbox.call(ToolCall { tool, input, veil, approval, context, ports }).await
            }
        };
        self.finish(ended, reply)
    }

    fn finish(&self, ended: Ended, reply: ToolReply) -> Ran {
        let (output, blobs) = rendered(&reply);
        report(ended.bound.as_ref().map(|bound| &bound.tool), &ended.name, &reply);
        let writes: Vec<Write> = if reply.end.is_done() { reply.writes } else { Vec::new() };
        let writes = writes.into_iter().map(|write| self.owners.write(write)).collect();
        Ran { event: ended.event(output, &reply.end, reply.evidence, reply.usage), writes, blobs }
    }
}

/// A call that has ended, whether or not it ever ran.
pub(crate) struct Ended {
    pub(crate) id: String,
    /// What the turn was shown of its tool, where there is one.
    pub(crate) bound: Option<Bound>,
    pub(crate) name: CallName,
    /// The arguments, exact text: the model's, or those that a person put in their place.
    pub(crate) input: String,
    /// What the agent sets over them, secrets masked, where that is known.
    pub(crate) overrides: Option<String>,
}

impl Ended {
    /// The event of a call that has no answer.
    pub(crate) fn without_answer(self, end: &End, evidence: Evidence) -> Event {
        self.event(end.error_output(), end, evidence, Usage::default())
    }

    /// The event of a call with this output.
    pub(crate) fn event(self, output: String, end: &End, evidence: Evidence, usage: Usage) -> Event {
        let owned = |digest: Option<Arc<str>>| digest.map(|digest| digest.to_string());
        let (tool, shown) = match self.bound {
            // What the client runs has no component.
            Some(Bound { tool, tools, .. }) if tool.is_client() => (Some(tool), (None, Some(tools))),
            Some(Bound { tool, component, tools }) => (Some(tool), (Some(component), Some(tools))),
            None => (None, (None, None)),
        };
        let ran_with = exact(&shown_over(&self.input, self.overrides.as_deref()));
        let Usage { wall_us, cpu_us, memory_bytes, host_calls, fuel, sent_bytes, received_bytes } = usage;
        let receipt = Receipt {
            call: self.id,
            tool,
            end: end.word().to_owned(),
            // Where nothing ran, the build that was asked for.
            component: owned(evidence.component).or(shown.0),
            tools: owned(evidence.tools).or(shown.1),
            policy: owned(evidence.policy),
            limits: evidence.limits,
            decisions: evidence.decisions,
            input_hash: hex_digest(ran_with.as_bytes()),
            output_hash: hex_digest(exact(&output).as_bytes()),
            consumed: Consumed { wall_us, cpu_us, memory_bytes, host_calls, fuel, sent_bytes, received_bytes },
        };
        Event::ToolOutput { call: self.name, output, error: !end.is_done(), overrides: self.overrides, receipt: Box::new(receipt) }
    }
}

/// The output object of a reply, and the blobs that it refers to. What was
/// emitted before a failure is kept beside the error, marked as partial.
fn rendered(reply: &ToolReply) -> (String, Vec<Blob>) {
    let mut blobs: Vec<Blob> = Vec::new();
    let mut references: Vec<Option<String>> = Vec::with_capacity(reply.parts.len());
    for part in &reply.parts {
        references.push(match part {
            Content::Blob { media_type, bytes, .. } => {
                let digest: [u8; 32] = Sha256::digest(bytes).into();
                blobs.push(Blob { digest, media_type: media_type.clone(), bytes: bytes.clone() });
                Some(format!("sha256:{}", data_encoding::HEXLOWER.encode(&digest)))
            }
            Content::Text(_) | Content::Data(_) | Content::Other { .. } => None,
        });
    }
    if reply.end.is_done() {
        return (content::output(&reply.parts, |i| references[i].clone()), blobs);
    }
    let error = reply.end.error_output();
    if reply.parts.is_empty() {
        return (error, blobs);
    }
    let partial = content::output(&reply.parts, |i| references[i].clone());
    // The error object ends with its own and the outer brace: the second member goes between them.
    let open = error.strip_suffix('}').unwrap_or(&error);
    (format!("{open},\"partial\":{partial}}}"), blobs)
}

/// The operator's line and the metrics of a call.
fn report(tool: Option<&ToolId>, name: &CallName, reply: &ToolReply) {
    let (plugin, tool_name) = tool.map_or(("", name.tool.as_ref()), |id| (id.plugin.as_str(), id.name.as_str()));
    let (end, ms) = (reply.end.word(), reply.usage.wall_us / 1_000);
    tracing::info!(
        plugin.id = plugin,
        tool = tool_name,
        end,
        duration_ms = ms,
        cpu_us = reply.usage.cpu_us,
        memory_bytes = reply.usage.memory_bytes,
        "tool call ended: {}",
        reply.end
    );
    // Only names of known tools become labels: a model can make up any other.
    let label = tool.map_or_else(|| "unknown".to_owned(), ToString::to_string);
    metrics::counter!("wardian_tool_calls_total", "tool" => label.clone(), "end" => end).increment(1);
    metrics::histogram!("wardian_tool_call_seconds", "tool" => label).record(reply.usage.wall_us as f64 / 1e6);
}

pub(crate) fn hex_digest(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests;
