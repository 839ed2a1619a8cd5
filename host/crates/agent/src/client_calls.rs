//! Calls that the client runs: which of them wait, whether the model's arguments
//! and the client's output fit, and what an output becomes.

use std::sync::Arc;

use schema::Schema;
use serde_json::Value;
use serde_json::value::RawValue;
use session::{Awaited, Call, ClientTool, Event, EventId, PendingCall, Session, StoredEvent, Wait};
use tool::{End, Evidence, Reason, ToolError, ToolSpec, Usage};

use crate::Engine;
use crate::call::{self, Ended};
use crate::error::Error;
use crate::overrides::shown_over;
use crate::task::Task;
use crate::waits;

/// What the client says came of a call that it ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The output: a JSON object, exact text.
    Success(String),
    /// What went wrong: a JSON string, or an object of the client's own; exact text.
    Failure(String),
}

impl Engine {
    /// The calls of a session that wait for the client, in their order. Never wakes it.
    pub fn client_calls(&self, session: &Session) -> Result<Vec<PendingCall>, Error> {
        let damaged = |e: serde_json::Error| Error::Damaged(session.uid, e.to_string());
        let now = self.clock.now();
        let mut open = Vec::new();
        for row in self.journal.waits(session.uid)?.iter().filter(|row| row.due > now) {
            let wait: Wait = serde_json::from_slice(&row.body).map_err(damaged)?;
            match wait.awaited {
                Awaited::Client => {}
                Awaited::Approval { .. } => continue,
            }
            // One that is answered in this very moment may already be gone.
            let Some(entry) = self.journal.entry(session.uid, row.call)? else { continue };
            let event: StoredEvent<'_> = serde_json::from_str(&entry.body).map_err(damaged)?;
            // What the agent sets holds no secret here, so what is shown is what is meant.
            let arguments = shown_over(event.tool_input.map_or("{}", RawValue::get), wait.overrides.as_deref());
            open.push(PendingCall { event: EventId { session: session.uid, seq: row.call }, name: event.call_name(), arguments });
        }
        Ok(open)
    }
}

/// Checks the arguments that the model wrote against the tool's schema, as a toolbox does for its own tools.
pub(crate) async fn check(spec: &ToolSpec, arguments: &str) -> Result<Awaited, End> {
    let checked = checked(spec.input.clone(), arguments.to_owned()).await;
    checked.map_err(End::HostFault)?.map_err(End::InvalidInput)?;
    Ok(Awaited::Client)
}

/// What is wrong with a value by a schema, if anything; outside it the reason why that could not be found out.
async fn checked(schema: Arc<str>, value: String) -> Result<Result<(), String>, String> {
    let schema = Schema::compile(&schema).map_err(|why| format!("a stored schema of a client tool cannot be used: {why}"))?;
    let check = move |schema: &Schema, value: &str| -> Result<(), String> {
        let value: Value = serde_json::from_str(value).map_err(|e| format!("it is not valid JSON: {e}"))?;
        schema.check(&value)
    };
    if schema.is_light(value.len()) {
        return Ok(check(&schema, &value));
    }
    // Patterns of the client's own on long texts: not where sessions are served.
    tokio::task::spawn_blocking(move || check(&schema, &value)).await.map_err(|e| format!("a value could not be checked: {e}"))
}

/// The event that tells clients which calls are theirs; none where none waits for them.
pub(crate) fn pending(task: &Task) -> Option<Event> {
    let theirs = waits::waiting(task).filter(|(_, wait)| wait.awaited == Awaited::Client);
    let calls: Vec<PendingCall> = theirs
        .map(|(call, _)| PendingCall {
            event: EventId { session: task.session.uid, seq: call.seq },
            name: call.name.clone(),
            arguments: shown_over(&call.input, waits::overrides(call).as_deref()),
        })
        .collect();
    (!calls.is_empty()).then_some(Event::ClientToolPending { calls })
}

/// Whether an outcome is one that the tool can have: an output has to fit the schema that the tool has now.
pub(crate) async fn fits(task: &Task, call: &Call, outcome: &Outcome) -> Result<(), Error> {
    let Outcome::Success(output) = outcome else { return Ok(()) };
    let bound = task.state.turn.as_ref().and_then(|turn| turn.began.tools.get(&*call.name.configuration));
    let Some(uid) = bound.and_then(|bound| ClientTool::uid_of(&bound.component)) else { return Ok(()) };
    // Of a tool that was deleted since, any output will do.
    let schema = task.engine.client_tool_of(task.session.tenant, uid)?.and_then(|tool| tool.output);
    let Some(schema) = schema else { return Ok(()) };
    let checked = checked(schema.into(), output.clone()).await.map_err(|why| Error::Damaged(uid, why))?;
    let event = EventId { session: task.session.uid, seq: call.seq };
    checked.map_err(|why| Error::WrongOutput { event: event.to_string(), why })
}

/// The event of a call that the client has answered.
pub(crate) fn output(task: &Task, call: &Call, outcome: &Outcome) -> Event {
    let bound = task.state.turn.as_ref().and_then(|turn| turn.began.tools.get(&*call.name.configuration)).cloned();
    let ended = Ended {
        id: call::id(task.session.uid, call.seq),
        bound,
        name: call.name.clone(),
        input: call.input.clone(),
        overrides: waits::overrides(call),
    };
    answered(ended, outcome)
}

/// The event of a call of which a client says what came of it.
pub(crate) fn answered(call: Ended, outcome: &Outcome) -> Event {
    let (output, end) = match outcome {
        Outcome::Success(output) => (output.clone(), End::Done),
        Outcome::Failure(error) => (failure(error), failed()),
    };
    call.event(output, &end, Evidence::default(), Usage::default())
}

/// How a call ended that the client could not do. Its words are for the model, and stand in the output alone.
fn failed() -> End {
    End::Tool(ToolError { reason: Reason::Failed, message: String::new(), code: None, retry_after_ms: None })
}

/// The output that stands for a failure: the client's own object, or its text as every other failure has it.
fn failure(error: &str) -> String {
    if error.trim_start().starts_with('{') {
        return format!("{{\"error\":{error}}}");
    }
    format!("{{\"error\":{{\"reason\":\"{}\",\"message\":{error}}}}}", failed().word())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tool::{ToolId, Traits};

    fn spec(input: &str) -> ToolSpec {
        ToolSpec {
            id: ToolId::client("locate"),
            description: "Where the user is.".into(),
            input: input.into(),
            output: None,
            traits: Traits::default(),
            title: None,
            component: "tol_0".into(),
            tools: "sha256:0".into(),
            version: "1".into(),
        }
    }

    #[tokio::test]
    async fn arguments_that_break_the_schema_are_the_models_to_correct() {
        let spec = spec(r#"{"type":"object","required":["accuracy"],"properties":{"accuracy":{"type":"integer"}}}"#);
        assert_eq!(check(&spec, r#"{"accuracy": 5}"#).await, Ok(Awaited::Client));
        let Err(End::InvalidInput(why)) = check(&spec, r#"{"accuracy": "fine"}"#).await else { panic!("refused") };
        assert!(why.contains("/accuracy"), "{why}");
    }

    #[tokio::test]
    async fn patterns_that_take_their_time_are_tried_elsewhere_with_the_same_result() {
        let spec = spec(r#"{"type":"object","properties":{"s":{"type":"string","pattern":"[ab]*a[ab]{3000}c"}}}"#);
        let long = format!("{{\"s\":\"{}\"}}", "ab".repeat(2_000));
        assert!(!Schema::compile(&spec.input).unwrap().is_light(long.len()));
        assert!(matches!(check(&spec, &long).await, Err(End::InvalidInput(_))));
    }

    #[test]
    fn a_failure_is_an_object_whichever_way_the_client_said_it() {
        assert_eq!(failure(r#""no signal""#), r#"{"error":{"reason":"failed","message":"no signal"}}"#);
        assert_eq!(failure(r#"{"code": 7, "n": 1.10}"#), r#"{"error":{"code": 7, "n": 1.10}}"#);
    }
}
