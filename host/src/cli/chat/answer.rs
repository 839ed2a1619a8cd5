//! A turn that waits for tools that the client runs: here the person at the
//! keyboard is the client, and types what came of each call.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{Input, Interrupts, Line};
use super::view::View;
use crate::cli::access::Access;

/// A call that waits.
#[derive(Debug, Deserialize)]
pub(super) struct Call {
    event_id: String,
    tool_configuration_name: String,
    arguments: Value,
}

/// The list as the server sends it.
#[derive(Deserialize)]
struct Calls {
    client_tool_calls: Vec<Call>,
}

/// The calls that wait at this path.
pub(super) async fn waiting(server: &Access, path: &str) -> anyhow::Result<Vec<Call>> {
    let calls: Calls = serde_json::from_value(server.json(Method::GET, path, None).await?)?;
    Ok(calls.client_tool_calls)
}

/// What the person says came of the calls: the body of an input, or none where they left without a word.
pub(super) async fn ask(calls: &[Call], view: &mut View, input: &mut Input, interrupts: &mut Interrupts) -> Option<Value> {
    let mut outputs = Vec::with_capacity(calls.len());
    for call in calls {
        let output = loop {
            view.question(&format!(
                "{} {} is yours to run\nits output as a JSON object, or error and why",
                call.tool_configuration_name, call.arguments
            ));
            match input.next(interrupts).await {
                Line::Text(text) => {
                    if let Some(output) = output(&call.event_id, text.trim()) {
                        break output;
                    }
                }
                Line::End => return None,
            }
        };
        outputs.push(output);
    }
    Some(json!({ "type": "tool_output", "tool_outputs": outputs, "stream_response": true }))
}

/// Says what waits where nobody can be asked, and how to answer it.
pub(super) fn tell(calls: &[Call], events: &str, view: &mut View) {
    for call in calls {
        view.note(&format!("waits for its client: {} {}", call.tool_configuration_name, call.arguments));
        let body = json!({ "type": "tool_output", "tool_outputs": [{ "event_id": call.event_id, "output": {} }] });
        view.note(&format!("  answer with: POST {events} {body}"));
    }
}

/// The output that a line is, if it is one.
fn output(id: &str, line: &str) -> Option<Value> {
    let (word, why) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    if word == "error" && !why.trim().is_empty() {
        return Some(json!({ "type": "error", "event_id": id, "error": why.trim() }));
    }
    let output: Value = serde_json::from_str(line).ok().filter(Value::is_object)?;
    Some(json!({ "type": "success", "event_id": id, "output": output }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_an_object_or_an_error_with_its_reason() {
        assert_eq!(output("e", r#"{"lat": 1}"#).unwrap()["output"], json!({"lat": 1}));
        assert_eq!(output("e", "error  no signal").unwrap()["error"], "no signal");
        for unclear in ["", "error", "yes", "[1]", "{"] {
            assert_eq!(output("e", unclear), None, "{unclear}");
        }
    }
}
