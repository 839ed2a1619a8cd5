//! The guest that tries doors (`tests/hostile/probe`), and what came of it.

use std::path::PathBuf;

use serde_json::{Value, json};
use tool::{Content, End, PluginState, ToolReply};

use crate::place::Place;

/// The component, as `tests/hostile/build` made it.
fn component() -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../target/hostile/probe.wasm");
    std::fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}; run tests/hostile/build", path.display()))
}

/// A sandbox with the probe in it; its tools need no approval.
pub(crate) async fn place(policy: &str) -> Place {
    let place = Place::with(&[("probe", component())], "").await;
    assert_eq!(place.status("probe").state, PluginState::Ready);
    allow(&place, policy);
    place
}

/// What a call may take where a test is about something else: more than on the busiest machine.
const PATIENT: &str = "[defaults.limits]\ntime = '5min'\ncpu = '1min'\n";

/// Grants the probe these lines.
pub(crate) fn allow(place: &Place, policy: &str) {
    place.allow(&format!("{PATIENT}[plugin.probe]\napprove = 'never'\n{policy}"));
}

/// One call that takes these steps.
pub(crate) async fn call(place: &Place, steps: Value) -> ToolReply {
    place.call("probe", "try", &json!({ "steps": steps }).to_string()).await
}

/// What came of each step.
pub(crate) async fn outcomes(place: &Place, steps: Value) -> Vec<Value> {
    let reply = call(place, steps).await;
    assert_eq!(reply.end, End::Done);
    match &reply.parts[..] {
        [Content::Data(json)] => serde_json::from_str(json).expect("the probe answers with JSON"),
        parts => panic!("the probe answered {parts:?}"),
    }
}

/// What came of one step.
pub(crate) async fn outcome(place: &Place, step: Value) -> Value {
    outcomes(place, json!([step])).await.remove(0)
}

/// The word of a step that failed.
pub(crate) fn error(outcome: &Value) -> &str {
    outcome["error"].as_str().unwrap_or_else(|| panic!("it was not refused: {outcome}"))
}
