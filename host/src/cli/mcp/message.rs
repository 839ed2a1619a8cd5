//! As much of JSON-RPC as it takes to tell a client about a message that came to nothing.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// What JSON-RPC leaves to servers: the message was not carried out.
const NOT_DONE: i32 = -32_000;

/// What an answer is told by.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    method: Option<Value>,
}

/// The id of a request, JSON; none where the message wants no answer.
pub(super) fn id(message: &str) -> Option<String> {
    let Envelope { id, method } = serde_json::from_str(message).ok()?;
    method.and(id).map(|id| id.get().to_owned())
}

/// The answer to a request, or to nobody knows what, that it was not done.
pub(super) fn refused(id: Option<&str>, why: &str) -> String {
    error(id, &json!({ "code": NOT_DONE, "message": why }))
}

/// An answer of a server that had not read the message, made the answer to it.
pub(super) fn readdressed(message: &str, answer: String) -> String {
    let Some(id) = id(message) else { return answer };
    let read = serde_json::from_str::<Value>(&answer).ok();
    match read.as_ref().and_then(|answer| answer.get("error")) {
        Some(why) => error(Some(&id), why),
        None => refused(Some(&id), "the server's answer is none of the protocol"),
    }
}

fn error(id: Option<&str>, error: &Value) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"error\":{error}}}", id.unwrap_or("null"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_request_waits_for_an_answer() {
        assert_eq!(id(r#"{"id": "a", "method": "ping"}"#).as_deref(), Some("\"a\""));
        for none in [r#"{"method":"notifications/initialized"}"#, r#"{"id":1,"result":{}}"#, "{", "[]"] {
            assert_eq!(id(none), None, "{none}");
        }
    }

    #[test]
    fn what_the_server_refused_unread_becomes_the_answer_to_its_message() {
        let answer = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"slow down"}}"#.to_owned();
        let wanted = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"slow down"}}"#;
        assert_eq!(readdressed(r#"{"id":7,"method":"ping"}"#, answer.clone()), wanted);
        assert_eq!(readdressed("{", answer.clone()), answer);
        assert!(readdressed(r#"{"id":7,"method":"ping"}"#, "<html>".into()).contains("\"id\":7,\"error\""));
    }
}
