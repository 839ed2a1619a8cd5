//! How a tool behaves in a world that grants nothing: on its own examples, on
//! arguments that nobody sensible sends, when nobody waits for it any more, and
//! when the same is asked at another time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tool::{
    CallContext, CallSink, Caller, Content, End, KeyValue, Ports, StoreError, StoreScope, ToolCall, ToolId, ToolReply, Toolbox, Veil,
};

use super::inputs::{self, Case};
use super::{Described, Finding, examples};
use crate::mask::Mask;
use crate::recording::{Clocks, Player, outcome};

/// For one tool; an interpreter that takes a while for each call is not tried on everything.
const TIME_MAX: Duration = Duration::from_secs(30);

/// What a call that nobody waits for may still compute, in microseconds. A server ends such a call by force;
/// until it does, others wait for the processor. Wall clock would tell of the machine that checks.
const CANCELLED_CPU_US: u64 = 1_000_000;

/// Two worlds in which the same call is made: what random numbers are made from, and the time of day in milliseconds.
const WORLDS: [([u8; 32], u64); 2] = [([1; 32], 1_704_103_200_000), ([2; 32], 1_752_573_907_000)];

/// What such a call has left of its time.
const TIME_LEFT_MS: u64 = 10_000;

/// What is shown of arguments.
const SHOWN_CHARS_MAX: usize = 120;

/// Where a component is tried.
pub struct Bench<'a> {
    /// The tools; the component is among them.
    pub toolbox: &'a dyn Toolbox,
    /// Its name.
    pub plugin: &'a str,
    /// For whom it is called.
    pub caller: Caller,
    /// The partition of caches and stores.
    pub partition: Arc<str>,
}

/// What came of trying one tool.
#[derive(Debug, Default)]
struct Tried {
    findings: Vec<Finding>,
    /// Faults by what they are, with the first arguments that show them.
    faults: BTreeMap<String, Fault>,
    calls: usize,
}

#[derive(Debug)]
struct Fault {
    is_error: bool,
    fix: &'static str,
    first: String,
    times: usize,
}

/// Tries every tool. Answers what was found and how many calls it took.
pub async fn behave(bench: &Bench<'_>, tools: &[Described]) -> (Vec<Finding>, usize) {
    let (mut findings, mut calls) = (Vec::new(), 0);
    for tool in tools {
        let tried = one(bench, tool).await;
        calls += tried.calls;
        findings.extend(tried.into_findings(&tool.name));
    }
    (findings, calls)
}

async fn one(bench: &Bench<'_>, tool: &Described) -> Tried {
    let mut tried = Tried::default();
    let (began, place) = (Instant::now(), format!("tool {}", tool.name));
    let schema: Value = serde_json::from_str(&tool.input).unwrap_or_default();
    let examples = examples(tool);
    for (index, (input, expected)) in examples.iter().enumerate() {
        let reply = bench.call(&tool.name, &input.to_string(), Watcher::patient()).await;
        tried.example(&place, index, &reply, expected.as_ref());
    }
    let usual = examples.first().map_or_else(|| inputs::sample(&schema), |(input, _)| input.clone()).to_string();
    let cases: Vec<Case> = inputs::malformed(&schema).into_iter().chain(inputs::hostile(&schema)).collect();
    let all = cases.len();
    for (done, case) in cases.into_iter().enumerate() {
        if began.elapsed() > TIME_MAX {
            tried.findings.push(Finding::note(&place, format!("{} odd arguments were not tried, it takes too long", all - done)));
            break;
        }
        let reply = bench.call(&tool.name, &case.input, Watcher::patient()).await;
        tried.judge(&case, &reply.end);
    }
    tried.cancelled(bench, tool, &usual).await;
    tried.repeated(bench, tool, &usual).await;
    tried
}

impl Tried {
    fn example(&mut self, place: &str, index: usize, reply: &ToolReply, expected: Option<&Value>) {
        self.calls += 1;
        let place = format!("{place}, example {}", index + 1);
        match (&reply.end, expected) {
            (End::InvalidInput(why), _) => self.findings.push(Finding::error(
                place,
                format!("its own input schema does not allow it: {why}"),
                "correct the example or the schema",
            )),
            (End::Done, Some(expected)) if answer(reply).as_ref() != Some(expected) => {
                let answer = answer(reply).map_or_else(|| "something that is no data".to_owned(), |answer| shortened(&answer.to_string()));
                self.findings.push(Finding::warning(place, format!("it answers with {answer}"), "correct the example's output"));
            }
            (End::Done | End::Tool(_), _) => {}
            (end, _) => self.findings.push(Finding::error(place, format!("it ends with {end}"), advice(end))),
        }
    }

    fn judge(&mut self, case: &Case, end: &End) {
        self.calls += 1;
        let is_error = match end {
            End::Done | End::Tool(_) | End::InvalidInput(_) => return,
            End::Time(_) | End::Cpu(_) | End::Fuel(_) | End::Memory(_) | End::Output(_) | End::HostCalls(_) | End::Unavailable(_) => false,
            End::Trap(_)
            | End::Exit(_)
            | End::InvalidOutput(_)
            | End::HostFault(_)
            | End::Incompatible(_)
            | End::Denied(_)
            | End::AwaitingApproval(_)
            | End::Rejected(_)
            | End::Expired
            | End::Cancelled
            | End::UnknownTool
            | End::OutcomeUnknown => true,
        };
        let first = format!("{} ({})", case.what, shortened(&case.input));
        let fault = self.faults.entry(end.to_string()).or_insert(Fault { is_error, fix: advice(end), first, times: 0 });
        fault.times += 1;
    }

    /// A call that nobody waits for ends by itself. It is told so, and left alone.
    async fn cancelled(&mut self, bench: &Bench<'_>, tool: &Described, input: &str) {
        self.calls += 1;
        let reply = bench.call(&tool.name, input, Watcher::leaving()).await;
        let on = if matches!(reply.end, End::Time(_) | End::Cpu(_) | End::Fuel(_) | End::HostCalls(_)) {
            format!("went on until it ended with {}", reply.end)
        } else if reply.usage.cpu_us > CANCELLED_CPU_US {
            format!("went on for {} ms of processor time", reply.usage.cpu_us / 1_000)
        } else {
            return;
        };
        let what = format!("a call that nobody waited for any more {on}");
        self.findings.push(Finding::warning(
            format!("tool {}", tool.name),
            what,
            "ask `feedback.cancelled` in long loops, and end where it says so",
        ));
    }

    /// The same twice: in worlds with other times of day and other random numbers.
    async fn repeated(&mut self, bench: &Bench<'_>, tool: &Described, input: &str) {
        let mut seen = Vec::new();
        for (seed, wall_ms) in WORLDS {
            self.calls += 1;
            let clocks = Clocks { wall: vec![(wall_ms, 1)], monotonic: vec![(1, 1)], time_left: vec![(TIME_LEFT_MS, 1)] };
            let mut ports = bench.ports(Watcher::patient());
            ports.tape = Some(Arc::new(Player::new(seed, clocks, Vec::new(), Mask::default())));
            seen.push(outcome(&bench.call_with(&tool.name, input, ports).await, &Mask::default()));
        }
        if seen.first() != seen.last() {
            let what = "the same arguments have two answers: it looks at the clock or draws random numbers; a recording keeps both";
            self.findings.push(Finding::note(format!("tool {}", tool.name), what));
        }
    }

    fn into_findings(mut self, tool: &str) -> Vec<Finding> {
        for (what, fault) in self.faults {
            let times = if fault.times == 1 { String::new() } else { format!(", and {} others", fault.times - 1) };
            let what = format!("on odd arguments it ends with {what}: {}{times}", fault.first);
            let make = if fault.is_error { Finding::error } else { Finding::warning };
            self.findings.push(make(format!("tool {tool}"), what, fault.fix.to_owned()));
        }
        self.findings
    }
}

/// What would help against an end.
fn advice(end: &End) -> &'static str {
    match end {
        End::Trap(_) => "answer with the error `invalid-input` instead of panicking: a model can correct arguments, and not a crash",
        End::Exit(_) => "never exit: return the answer or an error",
        End::InvalidOutput(_) => "answer with what the output schema says, or correct the schema; data is JSON without \\u0000",
        End::Time(_) | End::Cpu(_) | End::Fuel(_) => "bound in the schema what a call may ask for (maxLength, maxItems, maximum)",
        End::Memory(_) => "bound in the schema what a call may ask for (maxLength, maxItems), or work piece by piece",
        End::Output(_) => "answer with less, and offer a way to ask for the rest",
        End::HostCalls(_) => "ask the host for more at a time, and close what was opened",
        _ => "see `wardian call` with the same arguments and --trace",
    }
}

/// The one data part of an answer.
fn answer(reply: &ToolReply) -> Option<Value> {
    match &reply.parts[..] {
        [Content::Data(text)] => serde_json::from_str(text).ok(),
        [Content::Text(text)] => Some(text.as_str().into()),
        _ => None,
    }
}

fn shortened(text: &str) -> String {
    let cut: String = text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}

impl Bench<'_> {
    async fn call(&self, tool: &str, input: &str, watcher: Watcher) -> ToolReply {
        self.call_with(tool, input, self.ports(watcher)).await
    }

    fn ports(&self, watcher: Watcher) -> Ports {
        Ports { store: Arc::new(Nothing), sink: Arc::new(watcher), tape: None }
    }

    async fn call_with(&self, tool: &str, input: &str, ports: Ports) -> ToolReply {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let call = format!("check-{}", CALLS.fetch_add(1, Ordering::Relaxed));
        let (caller, tenant_uid) = (self.caller.clone(), self.partition.clone());
        let context = CallContext { call, caller, tenant_uid, session: "check".into(), user: None, trace: None };
        let tool = ToolId { plugin: self.plugin.to_owned(), name: tool.to_owned() };
        self.toolbox.call(ToolCall { tool, input: input.to_owned(), veil: Veil::default(), approval: None, context, ports }).await
    }
}

/// A store that holds nothing; nothing is granted anyway.
struct Nothing;

#[async_trait::async_trait]
impl KeyValue for Nothing {
    async fn get(&self, _plugin: &str, _scope: StoreScope, _key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    async fn sizes(&self, _plugin: &str, _scope: StoreScope) -> Result<Vec<(String, u64)>, StoreError> {
        Ok(Vec::new())
    }
}

/// Somebody who waits for an answer, or says at once that nobody does. The guest is
/// never ended for it: then nobody could see whether it ends by itself.
struct Watcher {
    leaves: bool,
}

impl Watcher {
    fn patient() -> Self {
        Self { leaves: false }
    }

    fn leaving() -> Self {
        Self { leaves: true }
    }
}

#[async_trait::async_trait]
impl CallSink for Watcher {
    fn progress(&self, _share: Option<f32>, _note: &str) {}

    fn cancelled(&self) -> bool {
        self.leaves
    }

    async fn gone(&self) {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests;
