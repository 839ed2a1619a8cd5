//! Calls that the client runs: which of them wait in a session, and their outputs
//! as clients write them. An output is an input of its session.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use agent::{Decision, Outcome, Verdict};
use policy::Action;

use super::approvals::AboutCalls;
use crate::App;
use crate::caller::{Caller, Segments};
use crate::errors::{Error, Result};
use crate::fields::{Fields, wrong};
use crate::limits::CLIENT_OUTPUT_BYTES;
use crate::operation::{Answer, Method, Operation};
use crate::reply;

pub(crate) static LIST: Operation = Operation {
    id: "listOutstandingClientToolCalls",
    method: Method::Get,
    path: "/v2/agents/{agent_key}/sessions/{session_key}/outstanding_client_tool_calls",
    summary: "List the tool calls of a session that wait for the client to run them; all on one page",
    action: Some(Action::ReadSession),
    query: &[],
    body: None,
    answer: Answer::Ok("ListOutstandingClientToolCallsResponse"),
};

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Segments((agent_key, session_key)): Segments<(String, String)>,
) -> Result<Response> {
    let agent = caller.agent(&app, &agent_key)?;
    let session = caller.session(&app, &agent, &session_key, Action::ReadSession)?;
    let mut body = "{\"client_tool_calls\":[".to_owned();
    for (at, call) in app.engine.client_calls(&session)?.iter().enumerate() {
        body.push_str(if at == 0 { "" } else { "," });
        call.push(&mut body);
    }
    body.push_str("]}");
    Ok(reply::text(StatusCode::OK, body))
}

/// The members whose text is kept as it was written.
#[derive(Deserialize)]
struct Exact<'a> {
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// The same of a list of outputs.
#[derive(Deserialize)]
struct ExactList<'a> {
    #[serde(borrow, default)]
    tool_outputs: Vec<Exact<'a>>,
}

const OUTPUTS: AboutCalls = AboutCalls { member: "tool_outputs", one: "output", twice: "has two outputs in one input; a call has one" };

/// The outputs of an input, whose body has this text: each for another call, each complete.
pub(super) fn outputs(fields: &Fields<'_>, text: &[u8]) -> Result<Vec<Decision>> {
    let read = OUTPUTS.read(fields)?;
    let unreadable = |e| Error::field("tool_outputs", format!("the body cannot be read as tool outputs: {e}"));
    let exact: ExactList<'_> = serde_json::from_slice(text).map_err(unreadable)?;
    let read = read.into_iter().zip(exact.tool_outputs);
    read.map(|((event, fields), exact)| Ok(Decision { event, verdict: Verdict::Ran(outcome(&fields, &exact)?) })).collect()
}

fn outcome(fields: &Fields<'_>, exact: &Exact<'_>) -> Result<Outcome> {
    let kind = match fields.text("type", 1..=64)? {
        Some(kind) => kind,
        None if exact.output.is_some() => "success",
        None if exact.error.is_some() => "error",
        None => return fields.required("output", None),
    };
    let only = |member: &str, other: Option<&RawValue>| match other {
        None => Ok(()),
        Some(_) => {
            let at = fields.path(member);
            Err(Error::field(&at, format!("`{at}` does not go with an output of type `{kind}`; leave it out")))
        }
    };
    match kind {
        "success" => {
            only("error", exact.error)?;
            fields.object("output")?;
            Ok(Outcome::Success(bounded(fields, "output", exact.output)?))
        }
        "error" => {
            only("output", exact.output)?;
            match fields.value("error") {
                None | Some(Value::String(_) | Value::Object(_)) => Ok(Outcome::Failure(bounded(fields, "error", exact.error)?)),
                Some(other) => Err(wrong(&fields.path("error"), "a string or an object", other)),
            }
        }
        other => {
            let at = fields.path("type");
            Err(Error::field(&at, format!("`{at}` must be success or error, not `{other}`")))
        }
    }
}

/// A member's text, not longer than what a tool may answer.
fn bounded(fields: &Fields<'_>, member: &str, text: Option<&RawValue>) -> Result<String> {
    let text = fields.required(member, text)?.get();
    if text.len() > CLIENT_OUTPUT_BYTES {
        let at = fields.path(member);
        let why = format!("`{at}` is {} bytes of JSON; a tool may answer at most {CLIENT_OUTPUT_BYTES}", text.len());
        return Err(Error::field(at, why));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};
    use session::{EventId, Seq, Uid};

    fn id(seq: u64) -> String {
        EventId { session: Uid([1; 16]), seq: Seq(seq) }.to_string()
    }

    fn read(text: &str) -> Result<Vec<Decision>> {
        let members: Map<String, Value> = serde_json::from_str(text).unwrap();
        outputs(&Fields::of_body(&members), text.as_bytes())
    }

    fn one(output: &Value) -> Result<Verdict> {
        Ok(read(&json!({ "tool_outputs": [output] }).to_string())?.remove(0).verdict)
    }

    #[test]
    fn an_output_is_kept_as_it_was_written() {
        let text = format!(r#"{{"tool_outputs":[{{"type":"success","event_id":"{}","output":{{"n": 1.10}}}}]}}"#, id(3));
        assert_eq!(read(&text).unwrap()[0].verdict, Verdict::Ran(Outcome::Success(r#"{"n": 1.10}"#.into())));
    }

    #[test]
    fn a_missing_type_is_told_from_the_members() {
        let success = one(&json!({"event_id": id(3), "output": {}})).unwrap();
        assert_eq!(success, Verdict::Ran(Outcome::Success("{}".into())));
        let failure = Verdict::Ran(Outcome::Failure("\"no signal\"".into()));
        assert_eq!(one(&json!({"event_id": id(3), "error": "no signal"})).unwrap(), failure);
        assert_eq!(one(&json!({"type": "error", "event_id": id(3), "error": "no signal"})).unwrap(), failure);
    }

    #[test]
    fn an_output_that_is_not_whole_is_refused_at_its_member() {
        let long = "x".repeat(CLIENT_OUTPUT_BYTES);
        for (output, at) in [
            (json!({"output": {}}), "tool_outputs[0].event_id"),
            (json!({"event_id": id(3)}), "tool_outputs[0].output"),
            (json!({"event_id": id(3), "type": "success"}), "tool_outputs[0].output"),
            (json!({"event_id": id(3), "type": "error"}), "tool_outputs[0].error"),
            (json!({"event_id": id(3), "type": "maybe", "output": {}}), "tool_outputs[0].type"),
            (json!({"event_id": id(3), "output": [1]}), "tool_outputs[0].output"),
            (json!({"event_id": id(3), "error": 7}), "tool_outputs[0].error"),
            (json!({"event_id": id(3), "output": {}, "error": "both"}), "tool_outputs[0].error"),
            (json!({"event_id": id(3), "type": "error", "output": {}, "error": "both"}), "tool_outputs[0].output"),
            (json!({"event_id": id(3), "output": {"text": long}}), "tool_outputs[0].output"),
        ] {
            let error = one(&output).unwrap_err();
            assert!(error.body("r")["field_errors"][at].is_string(), "{at}: {error:?}");
        }
        assert_eq!(one(&json!({"event_id": "aev_nope", "output": {}})).unwrap_err().body("r")["id"], "aev_nope");
        assert!(read(r#"{"tool_outputs":[]}"#).is_err());
    }

    #[test]
    fn two_outputs_for_one_call_and_members_that_come_twice_are_refused() {
        let twice = json!({"tool_outputs": [{"event_id": id(3), "output": {}}, {"event_id": id(3), "error": "x"}]});
        assert!(read(&twice.to_string()).unwrap_err().message().contains("two outputs"));
        let hidden = format!(r#"{{"tool_outputs":[{{"event_id":"{}","output":{{}},"output":{{"a":1}}}}]}}"#, id(3));
        assert!(read(&hidden).unwrap_err().message().contains("duplicate"));
    }
}
