//! What is refused before a call, and what is left of one.

use std::sync::Mutex;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use serde_json::Value;
use session::TurnNo;

use tool::{Reason, ToolError, TrapKind, WORDS};

use super::*;

#[test]
fn arguments_are_an_object_or_they_are_refused_with_the_reason() {
    assert!(object(r#" {"a": 1}"#).is_ok());
    assert!(object("[1]").unwrap_err().contains("not a JSON object"));
    assert!(object(r#"{"a": "#).unwrap_err().contains("not valid JSON"));
    assert!(object(r#"{"a": 1e400}"#).unwrap_err().contains("out of range"), "many readers of JSON end at such a number");
    assert!(object(r#"{"a": "\u0000"}"#).unwrap_err().contains("u0000"));
    assert!(object(&format!("{{\"a\":\"{}\"}}", "x".repeat(ARGUMENTS_BYTES))).unwrap_err().contains("at most"));
}

#[test]
fn what_came_before_a_failure_stays_beside_the_error() {
    let mut reply = ToolReply::without_answer(End::Time(5));
    reply.parts.push(Content::Text("half".into()));
    let (output, _) = rendered(&reply);
    let value: serde_json::Value = serde_json::from_str(&output).unwrap();
    assert_eq!(value["error"]["reason"], "limit_time");
    assert_eq!(value["partial"]["text"], "half");
}

/// Every end that there is: the closed table leads whoever adds one here.
fn every_end() -> Vec<End> {
    let said = |reason| End::Tool(ToolError { reason, message: "m".into(), code: None, retry_after_ms: None });
    let why = || String::from("w");
    let reasons = [Reason::InvalidInput, Reason::NotFound, Reason::Unauthorized, Reason::Refused, Reason::Unavailable, Reason::Failed];
    let mut ends = vec![End::Done];
    ends.extend(reasons.map(said));
    ends.extend([End::Denied(why()), End::AwaitingApproval(why()), End::Rejected(why()), End::Expired, End::Cancelled]);
    ends.extend([End::Time(1), End::Cpu(1), End::Fuel(1), End::Memory(1), End::Output(1), End::HostCalls(why())]);
    ends.extend([End::Trap(TrapKind { kind: why(), function: None }), End::Exit(1), End::Unavailable(why()), End::Incompatible(why())]);
    ends.extend([End::UnknownTool, End::InvalidInput(why()), End::InvalidOutput(why()), End::OutcomeUnknown, End::HostFault(why())]);
    let sorted = |mut words: Vec<&'static str>| {
        words.sort_unstable();
        words
    };
    assert_eq!(sorted(ends.iter().map(End::word).collect()), sorted(WORDS.iter().map(|(word, _)| *word).collect()));
    ends
}

/// Remembers what the counters were labelled with.
#[derive(Default)]
struct Labels(Mutex<Vec<String>>);

impl Recorder for Labels {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.0.lock().unwrap().extend(key.labels().filter(|label| label.key() == "end").map(|label| label.value().to_owned()));
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn an_end_has_one_word_in_the_event_the_receipt_the_metric_and_the_audit_log() {
    for end in every_end() {
        let word = end.word();
        let tool = ToolId { plugin: "p".into(), name: "t".into() };
        let name = CallName { id: "c".into(), configuration: "t".into(), tool: "t".into() };
        let reply = ToolReply::without_answer(end.clone());

        let labels = Labels::default();
        metrics::with_local_recorder(&labels, || report(Some(&tool), &name, &reply));
        assert_eq!(*labels.0.lock().unwrap(), [word], "the metric");

        let (output, _) = rendered(&reply);
        let bound = Bound { tool, component: "sha256:c".into(), tools: "sha256:t".into() };
        let ended = Ended { id: "aev_1".into(), bound: Some(bound), name, input: "{}".into(), overrides: None };
        let event = ended.event(output, &end, reply.evidence, reply.usage);
        let id = EventId { session: Uid([1; 16]), seq: Seq(1) };
        let shown: Value = serde_json::from_str(&event.render(id, "s", session::Millis(0))).unwrap();
        assert_eq!(shown["receipt"]["end"], word, "the event");
        assert_eq!(shown["error"], !end.is_done());
        if !end.is_done() {
            assert_eq!(shown["tool_output"]["error"]["reason"], word, "the output");
        }

        let Event::ToolOutput { receipt, .. } = event else { panic!("a call ends with its output") };
        assert_eq!((&*receipt.end, receipt.component.as_deref()), (word, Some("sha256:c")), "the receipt");
        let place = audit::Place { tenant: "t", agent: "a", session: "s", turn: TurnNo(1), key: Uid([1; 16]) };
        let line: Value = serde_json::from_slice(&audit::Record::Call { place, receipt: &receipt }.rows(session::Millis(0))[0]).unwrap();
        assert_eq!(line["end"], word, "the audit log");
    }
}
